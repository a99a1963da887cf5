"""Learning from assessors: how likely each sign is to be confirmed moves from its prior towards what they decided.

A decision about a line is about the signs that name the line, one about the whole claim about all its signs. What
nobody decided is unlabelled, never negative. A source speaks once on a claim: twenty lines refused for the same signs
are one decision. What is read was ranked, by its signs and by its bill, and large bills hold more that no sign names.
So every decision has one reason more, `unnamed`, as strong as the score that the bill alone would give: what that
explains is not put down to weak signs that happen to be on a dear claim (docs/decisions/0013).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import polars as pl

from data.errors import MinhBachError
from detectors.fusion import CLAIM, LEVEL, LEVELS, SOURCE, Weights, shares_of
from models.company import in_company
from models.efficacy import DECISION, wilson
from models.noisy_or import OWN, Signs, fit
from models.scoring import BY_PATIENT, gather, in_halves, with_history

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from numpy.typing import NDArray

    from data.lake import Reader
    from models.bundle import Bundle
    from models.scoring import Progress

ABOUT = [column for column in DECISION if column != "confirmed"]
LINE_TABLES = ("drug_line", "service_line")
UNNAMED = "unnamed"
UNNAMED_PRIOR = 0.5  # that a claim read for its bill alone is confirmed for something no sign names
EXAMPLE = "ma_cskcb,ma_lk,line_table,row_no,confirmed\n98001,L000123,drug_line,2,1\n98001,L000124,,,0"


class BadLabels(MinhBachError):
    """A file of decisions that cannot be used."""

    code, http_status, exit_code = "bad_labels", 422, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What was learned of one level or source: shares at full strength, from 0 to 1."""

    name: str
    level: str
    prior: float
    learned: float
    decisions: int  # that it had a part in
    confirmed: int  # of them

    @property
    def interval(self) -> tuple[float, float]:
        """Of a source: what its decisions leave open, 95 in 100; what was expected of it weighs as in the learning."""
        weight = self.decisions + OWN
        return wilson(self.learned * weight, weight)


@dataclass(frozen=True, kw_only=True)
class Lessons:
    """The likelihoods, and what they were learned from."""

    weights: Weights
    decisions: int  # given, each line or claim once
    claims: int
    outside: int  # about claims that are not here, or not of the period learned from
    without_sign: int  # about what no sign names: they teach nothing
    confirmed: int
    unnamed: float = UNNAMED_PRIOR  # learned of what no sign names; it guards the others and weighs in no score
    levels: tuple[Learned, ...]
    sources: tuple[Learned, ...]  # those that moved most come first

    def as_json(self) -> dict[str, Any]:
        """For the bundle's manifest."""
        counts = ("decisions", "claims", "outside", "without_sign", "confirmed", "unnamed")
        return {
            **{name: getattr(self, name) for name in counts},
            "levels": [asdict(level) for level in self.levels],
            "sources": [asdict(source) for source in self.sources],
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """Read back what `as_json` gave."""
        levels, sources = (tuple(Learned(**each) for each in kept[name]) for name in ("levels", "sources"))
        counts = {name: value for name, value in kept.items() if name not in ("levels", "sources")}
        return cls(weights=_weights(levels, sources), levels=levels, sources=sources, **counts)


def read_decisions(path: Path) -> pl.DataFrame:
    """Final decisions (`models.efficacy.DECISION`) of a .csv or .parquet file. Raises BadLabels."""
    try:
        # as text: a MA_LK may begin with noughts
        rows = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _bad(path, f"không đọc được ({error})", f"cannot be read ({error})") from None
    if missing := [column for column in DECISION if column not in rows.columns]:
        names, has = ", ".join(missing), ", ".join(rows.columns)
        raise _bad(path, f"thiếu cột {names}, đang có {has}", f"lacks the columns {names}, has {has}")
    text = rows.select(pl.col(c).cast(pl.String).str.strip_chars().replace("", None) for c in DECISION)
    said = pl.col("confirmed").str.to_lowercase().replace_strict(
        {"1": True, "true": True, "0": False, "false": False}, default=None, return_dtype=pl.Boolean
    )  # fmt: skip
    row_no = pl.col("row_no").cast(pl.Int32, strict=False)
    no_line = pl.col("line_table").is_null() & pl.col("row_no").is_null()
    a_line = pl.col("line_table").is_in(LINE_TABLES) & (row_no > 0)
    for column, good, vi, en in (
        ("ma_cskcb", pl.col("ma_cskcb").is_not_null(), "phải có mã cơ sở", "a facility's code is needed"),
        ("ma_lk", pl.col("ma_lk").is_not_null(), "phải có mã liên kết của hồ sơ", "the claim's MA_LK is needed"),
        (
            "line_table",
            no_line | pl.col("line_table").is_in(LINE_TABLES),
            f"ghi {' hoặc '.join(LINE_TABLES)}; để trống cùng row_no khi quyết định cả hồ sơ",
            f"write {' or '.join(LINE_TABLES)}; leave it and row_no empty for the whole claim",
        ),
        (
            "row_no",
            no_line | a_line,
            "ghi STT dòng từ 1 trở lên; để trống cùng line_table khi quyết định cả hồ sơ",
            "write the line's number from 1 on; leave it and line_table empty for the whole claim",
        ),
        ("confirmed", said.is_not_null(), "ghi 1 (từ chối, điều chỉnh) hoặc 0 (chấp nhận)",
         "write 1 (refused, adjusted) or 0 (accepted)"),
    ):  # fmt: skip
        wrong = text.with_row_index("at", offset=1).filter(~good.fill_null(value=False))
        if wrong.height:
            at, value = wrong["at"][0], wrong[column][0] or ""
            raise _bad(
                path,
                f"bản ghi {at}, cột {column} là {value!r}: {vi}",
                f"record {at}, column {column} is {value!r}: {en}",
            )
    return text.select(pl.col("ma_cskcb", "ma_lk", "line_table"), row_no=row_no, confirmed=said)


def learn(
    reader: Reader,
    bundle: Bundle,
    decisions: pl.DataFrame,
    *,
    since: date | None = None,
    until: date | None = None,
    progress: Progress | None = None,
) -> Lessons:
    """Likelihoods from `decisions` (DECISION) about claims discharged from `since` to `until`.

    The signs are those the bundle finds today: rules in shadow or snoozed speak too, for they were decided on as well.
    """
    reader.keep("_decided", decisions.select(CLAIM).unique())
    targets = reader.pl(
        "select ma_cskcb, ma_lk, version, patient_id, ngay_vao from claimed_encounter semi join _decided "
        "using (ma_cskcb, ma_lk) where (? is null or cast(ngay_ra as date) >= ?) "
        f"and (? is null or cast(ngay_ra as date) <= ?) order by {BY_PATIENT}",
        [since, since, until, until],
    )
    tell = in_halves(progress, targets.height)
    company = in_company(reader, targets, progress=tell[0])
    parts: list[pl.DataFrame] = []
    for tables, part, done in with_history(reader, targets):
        parts.append(shares_of(gather(bundle, tables, part, known=company).signals, bundle.rarity))
        tell[1](done, targets.height)
    here = decisions.join(targets, on=CLAIM, how="semi")
    return lessons(
        here,
        pl.concat(parts) if parts else None,
        pivot=bundle.pivot,
        outside=_once(decisions).height - _once(here).height,
    )


def lessons(decisions: pl.DataFrame, shares: pl.DataFrame | None, *, pivot: float, outside: int = 0) -> Lessons:
    """Likelihoods from `decisions` (DECISION) and what speaks on the claims they are about (`shares_of`).

    `pivot` (VND) is the bundle's: the place at which a score is one half.
    """
    decided = _once(decisions)
    entries, spoken = _entries(decided, shares, pivot) if shares is not None else (pl.DataFrame(), 0)
    counts: dict[str, int] = {
        "decisions": decided.height + outside,
        "claims": decided.select(CLAIM).n_unique(),
        "outside": outside,
        "without_sign": decided.height - spoken,
        "confirmed": int(decided["confirmed"].sum()),
    }
    if entries.is_empty():
        return Lessons(weights=Weights(), levels=(), sources=(), **counts)
    levels = (*LEVELS, UNNAMED)
    of: dict[str, str] = dict(entries.select("source", "level").unique().sort("source").iter_rows())
    by_source, by_level = fit(
        Signs(
            decision=entries["decision"].to_numpy().astype(np.int64),
            source=_places(entries["source"], list(of)),
            strength=entries["strength"].to_numpy(),
            confirmed=entries.unique("decision").sort("decision")["confirmed"].to_numpy(),
            level=_places(pl.Series(of.values()), levels),
        ),
        np.array([*(Weights().of(level) for level in LEVELS), UNNAMED_PRIOR]),
    )
    signs = entries.filter(pl.col("source") != UNNAMED)
    told = _told(signs, "level", dict(zip(levels, by_level, strict=True)), {level: level for level in LEVELS})
    learned = dict(zip(of, by_source, strict=True))
    sources = _told(signs, "source", learned, of)
    unnamed = round(float(learned[UNNAMED]), 6)
    return Lessons(
        weights=_weights(told, sources), unnamed=unnamed, levels=tuple(told), sources=tuple(sources), **counts
    )


def _weights(levels: Sequence[Learned], sources: Sequence[Learned]) -> Weights:
    return Weights(
        **{each.name: each.learned for each in levels},
        learned={each.name: each.learned for each in sorted(sources, key=lambda each: each.name)},
    )


def _once(decisions: pl.DataFrame) -> pl.DataFrame:
    """Each line or claim once, in one order; of two decisions the one that confirms counts, as on the board."""
    typed = decisions.select(pl.col(c).cast(t) for c, t in DECISION.items())
    return typed.group_by(ABOUT).agg(pl.col("confirmed").any()).sort(ABOUT)


def _entries(decided: pl.DataFrame, shares: pl.DataFrame, pivot: float) -> tuple[pl.DataFrame, int]:
    """One row a decision and source it is about (`decision`, `source`, `level`, `strength`, `confirmed`).

    And how many rows of `decided` these come from: the others are about what no sign names.
    """
    signs = shares.filter(pl.col("strength") > 0).select(*ABOUT, "strength", source=SOURCE, level=LEVEL)
    whole = pl.col("row_no").is_null()
    each = pl.concat(
        [
            decided.filter(~whole).join(signs, on=ABOUT),
            decided.filter(whole).join(signs.drop("line_table", "row_no"), on=CLAIM),
        ]
    )
    place = Weights().base * pl.col("bill").fill_null(0.0).clip(1.0)  # at least one VND: the reason is always there
    bills = shares.group_by(CLAIM).agg(strength=place.max() / (place.max() + pivot))
    spoken = each.select(ABOUT).n_unique()
    each = each.group_by(*ABOUT, "confirmed", "source", "level").agg(pl.col("strength").max()).sort(*ABOUT, "source")
    together = each.with_columns(signs=pl.col("source").str.join(" ").over(ABOUT))
    one = [*CLAIM, "signs", "confirmed"]
    merged = together.group_by(*one, "source", "level").agg(pl.col("strength").max()).sort(*one, "source")
    numbered = merged.with_columns(decision=pl.struct(one).rle_id())
    unnamed = (
        numbered.unique("decision")
        .drop("strength")
        .join(bills, on=CLAIM)
        .with_columns(source=pl.lit(UNNAMED), level=pl.lit(UNNAMED))
    )
    return pl.concat([numbered, unnamed.select(numbered.columns)]).sort("decision", "source"), spoken


def _places(names: pl.Series, order: Sequence[str]) -> NDArray[np.int64]:
    return names.replace_strict({name: at for at, name in enumerate(order)}, return_dtype=pl.Int64).to_numpy()


def _told(entries: pl.DataFrame, by: str, learned: Mapping[str, float], level: Mapping[str, str]) -> list[Learned]:
    """Those that had decisions, the most moved first."""
    counted = (
        entries.unique(["decision", by])
        .group_by(by)
        .agg(pl.len().alias("n"), pl.col("confirmed").sum().alias("yes"))
        .sort(by)
    )
    prior = Weights()
    rows = [
        Learned(
            name=name,
            level=level[name],
            prior=prior.of(level[name]),
            learned=round(float(learned[name]), 6),
            decisions=n,
            confirmed=yes,
        )
        for name, n, yes in counted.iter_rows()
    ]
    return sorted(rows, key=lambda each: (-abs(each.learned - each.prior), each.name))


def _bad(path: Path, vi: str, en: str) -> BadLabels:
    return BadLabels(
        f"{path.name} {en}. A file of decisions looks like this:\n{EXAMPLE}",
        vi=f"{path.name}: {vi}. Tệp quyết định có dạng:\n{EXAMPLE}",
    )
