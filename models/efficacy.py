"""How each rule earns its place: what it names, what assessors confirmed of it, whom it repeats, how it moves.

A decision counts for a rule when it is about a line the rule named, or about the whole claim where the rule named the
whole. Refused or adjusted confirms it, accepted does not; what nobody decided says nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from detectors.base import rules
from models.entities import ranking_sql
from models.scoring import chain

if TYPE_CHECKING:
    from data.lake import Lake, Reader
    from detectors.base import Rule

DECISION: dict[str, pl.DataType] = {
    "ma_cskcb": pl.String(),
    "ma_lk": pl.String(),
    "line_table": pl.String(),
    "row_no": pl.Int32(),
    "confirmed": pl.Boolean(),
}
"""A final decision: of one line, or of the whole claim when no line is named."""

ENOUGH = 30  # decisions before a rule is judged
WORTH = 0.2  # a rule whose confirmed share surely lies below is proposed for shadow
Z = 1.959964  # of a 95 % interval

Standing = Literal["new", "earning", "propose_shadow", "silent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Efficacy:
    """One rule on the board. Money in VND, shares from 0 to 1."""

    rule: str
    scheme: str
    severity: str
    title_vi: str
    title_en: str
    claims: int  # named in the newest ranking
    amount: float
    shadow_claims: int  # named but kept back by a switch or snooze
    facilities: int
    decided: int  # lines or claims named by it that were decided
    confirmed: float | None
    confirmed_low: float | None  # Wilson interval, 95 %
    confirmed_high: float | None
    alone: int  # claims no other rule names
    most_like: str | None  # the rule that names most of the same claims
    most_like_share: float | None
    months: Sequence[int]  # claims named in each of the last six months of the ranking, oldest first
    standing: Standing

    def as_json(self) -> dict[str, Any]:
        """One object."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def wilson(yes: float, n: float, z: float = Z) -> tuple[float, float]:
    """Wilson's score interval of a share (E. B. Wilson, 1927, JASA 22:209); (0, 1) without observations."""
    if not n:
        return 0.0, 1.0
    share, spread = yes / n, z * z / n
    centre = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / n + spread / (4 * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def board(
    lake: Lake,
    reader: Reader,
    run_id: str,
    decisions: pl.DataFrame,
    *,
    where: str = "true",
    params: Sequence[str] = (),
) -> list[Efficacy]:
    """Every rule over the ranking that ends with `run_id`, most money first; `decisions` has the columns DECISION.

    `where` (SQL on `province` and `ma_cskcb`, with its `params`) says which claims count: every figure is of these.
    """
    linked = [run.run_id for run in chain(lake, run_id)]
    ids = ", ".join(f"'{each.ref}'" for each in rules()) or "''"
    hits = reader.pl(
        f"""
        with ranking as (select version, run_id, month from ({ranking_sql(linked)}) where {where}),
        signs as (
            select s.source, s.version, s.ma_cskcb, s.ma_lk, s.line_table, s.row_no, r.month,
                   cast(s.amount as double) as amount, false as kept_back
            from signal s join ranking r using (version, run_id) where s.source in ({ids})
            union all
            select s.source, s.version, s.ma_cskcb, s.ma_lk, s.line_table, s.row_no, r.month,
                   cast(s.amount as double), true
            from shadow_signal s join ranking r using (version, run_id) where s.source in ({ids})
        )
        from signs
        """,
        list(params),
    )
    # Joined here, not as a table of the reader: requests of several users share one, each with decisions of its own.
    decided = decisions.select(pl.col(c).cast(t) for c, t in DECISION.items())
    about = [column for column in DECISION if column != "confirmed"]
    hits = hits.join(decided.group_by(about).agg(pl.col("confirmed").any()), on=about, how="left", nulls_equal=True)
    months = sorted(hits["month"].drop_nulls().unique().to_list())[-6:]
    claims = hits.select("source", "version").unique()
    pairs = (
        claims.join(claims, on="version", suffix="_other")
        .filter(pl.col("source") != pl.col("source_other"))
        .group_by("source", "source_other")
        .len("shared")
        .sort("shared", "source_other", descending=[True, False])
    )
    shown = pl.col("kept_back").not_()
    sums = hits.group_by("source").agg(
        pl.col("version").filter(shown).n_unique().alias("claims"),
        pl.col("version").filter(~shown).n_unique().alias("shadow_claims"),
        pl.col("amount").filter(shown).sum().alias("amount"),
        pl.col("ma_cskcb").n_unique().alias("facilities"),
        pl.col("confirmed").count().alias("decided"),
        pl.col("confirmed").sum().alias("yes"),
        *(pl.col("version").filter(pl.col("month") == m).n_unique().alias(f"m{m}") for m in months),
    )
    lonely = claims.filter(pl.len().over("version") == 1).group_by("source").len("alone")
    figures = {row["source"]: row for row in sums.join(lonely, on="source", how="left").iter_rows(named=True)}
    nearest = {
        row["source"]: row for row in pairs.unique("source", keep="first", maintain_order=True).iter_rows(named=True)
    }
    found = [_efficacy(each, figures.get(each.ref), nearest.get(each.ref), months) for each in rules()]
    return sorted(found, key=lambda e: (-e.amount, e.rule))


def _efficacy(each: Rule, row: dict[str, Any] | None, near: dict[str, Any] | None, months: Sequence[int]) -> Efficacy:
    row = row or {}
    decided, yes = int(row.get("decided", 0)), int(row.get("yes", 0) or 0)
    low, high = wilson(yes, decided)
    claims, shadow = int(row.get("claims", 0)), int(row.get("shadow_claims", 0))
    if not claims and not shadow:
        standing: Standing = "silent"
    elif decided < ENOUGH:
        standing = "new"
    else:
        standing = "propose_shadow" if high < WORTH else "earning"
    return Efficacy(
        rule=each.ref,
        scheme=each.scheme,
        severity=each.severity,
        title_vi=each.title_vi,
        title_en=each.title_en,
        claims=claims,
        amount=round(float(row.get("amount", 0.0) or 0.0), 2),
        shadow_claims=shadow,
        facilities=int(row.get("facilities", 0)),
        decided=decided,
        confirmed=round(yes / decided, 4) if decided else None,
        confirmed_low=round(low, 4) if decided else None,
        confirmed_high=round(high, 4) if decided else None,
        alone=int(row.get("alone") or 0),
        most_like=near["source_other"] if near else None,
        most_like_share=round(near["shared"] / max(claims + shadow, 1), 4) if near else None,
        months=[int(row.get(f"m{m}", 0)) for m in months],
        standing=standing,
    )
