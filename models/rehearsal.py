"""A rehearsal: what one rule, published or a draft, would have found in past months, before anyone relies on it."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from data.errors import MinhBachError
from data.schema import ENCOUNTER_KEY
from detectors.base import Rule, rules
from detectors.rulebook import run_rules
from models.company import in_company
from models.scoring import BY_PATIENT, NothingToScore, in_halves, with_history

if TYPE_CHECKING:
    from data.lake import Reader

KEY = list(ENCOUNTER_KEY)
SHOWN = 10  # facilities, overlapping rules and claims named


class UnknownRule(MinhBachError):
    """No such rule, or a file without one."""

    code, http_status, exit_code = "unknown_rule", 404, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What a rule would have found among the encounters of a period."""

    rule: str
    since: date | None
    until: date | None
    encounters: int
    hit: int
    clear: int
    not_evaluable: int
    reason: str | None  # why it stood aside as a whole
    amount: float  # VND
    months: Sequence[Mapping[str, Any]]  # month, encounters, hit, amount
    facilities: Sequence[Mapping[str, Any]]  # ma_cskcb, hit, share of its encounters, amount; most money first
    overlap: Sequence[Mapping[str, Any]]  # rule, claims it also names, share of this rule's claims
    alone: int  # claims no other rule names
    claims: Sequence[Mapping[str, Any]]  # the dearest: id, amount, observed, allowed

    def as_json(self) -> dict[str, Any]:
        """One object."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def rule_of(named: str) -> Rule:
    """The rule with this id, or the one a Python file defines. Raises UnknownRule naming the way out."""
    path = Path(named)
    if path.suffix == ".py":
        if not path.is_file():
            raise UnknownRule(f"{path}: no such file", vi=f"{path}: không có tệp này")
        spec = importlib.util.spec_from_file_location(f"draft_{path.stem}", path)
        if spec is None or spec.loader is None:
            raise UnknownRule(f"{path}: cannot be read as Python", vi=f"{path}: không đọc được như mã Python")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found = [value for value in vars(module).values() if isinstance(value, Rule)]
        if len(found) != 1:
            raise UnknownRule(
                f"{path}: holds {len(found)} rules, must hold one",
                vi=f"{path}: có {len(found)} quy tắc, phải có đúng một",
            )
        return found[0]
    known = {each.id: each for each in rules()}
    if named.upper() not in known:
        near = [rule_id for rule_id in known if rule_id.startswith(named.upper().partition("-")[0])] or list(known)
        raise UnknownRule(
            f"no rule {named}: there are {', '.join(near)}", vi=f"không có quy tắc {named}: đang có {', '.join(near)}"
        )
    return known[named.upper()]


def rehearse(
    reader: Reader,
    rule: Rule,
    *,
    since: date | None = None,
    until: date | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Rehearsal:
    """Run `rule` and, for the overlap, every published one over the encounters that ended in the period.

    Writes nothing. Raises NothingToScore when the period holds no claim.
    """
    targets = reader.pl(
        "select ma_cskcb, ma_lk, version, patient_id, ngay_vao, month from claimed_encounter "
        "where (? is null or cast(ngay_ra as date) >= ?) and (? is null or cast(ngay_ra as date) <= ?) "
        f"order by {BY_PATIENT}",
        [since, since, until, until],
    )
    if not targets.height:
        raise NothingToScore
    others = [each for each in rules() if each.id != rule.id]
    mine: list[pl.DataFrame] = []
    also: list[pl.DataFrame] = []
    vague, reason = 0, None
    tell = in_halves(progress, targets.height)
    company = in_company(reader, targets, [rule, *others], progress=tell[0])
    for tables, part, done in with_history(reader, targets):
        found = run_rules(tables, [rule, *others], known=company)
        keys = part.select(KEY)
        hits = found.hits.join(keys, on=KEY, how="semi")
        mine.append(hits.filter(pl.col("source") == rule.ref))
        also.append(hits.filter(pl.col("source") != rule.ref).select(*KEY, "source").unique())
        own = found.runs[0]
        reason = own.reason
        if reason is not None:
            vague += part.height
        elif rule.ref in found.vague.columns:
            blank = found.blanks.select(KEY).filter(found.vague[rule.ref])
            vague += blank.join(keys, on=KEY, how="semi").height
        tell[1](done, targets.height)
    lines, beside = pl.concat(mine), pl.concat(also)
    claims = lines.group_by(KEY).agg(pl.col("amount").sum(), pl.col("observed").max(), pl.col("allowed").first())
    placed = targets.join(claims, on=KEY, how="left")
    hit = pl.col("amount").is_not_null()
    sums = (pl.len().alias("encounters"), hit.sum().alias("hit"), pl.col("amount").sum().round(2))
    facilities = placed.group_by("ma_cskcb").agg(*sums).filter(pl.col("hit") > 0)
    shared = beside.join(claims.select(KEY), on=KEY, how="semi")
    return Rehearsal(
        rule=rule.ref,
        since=since,
        until=until,
        encounters=targets.height,
        hit=claims.height,
        clear=targets.height - claims.height - vague,
        not_evaluable=vague,
        reason=reason,
        amount=round(float(claims["amount"].sum()), 2),
        months=placed.group_by("month").agg(*sums).sort("month").to_dicts(),
        facilities=facilities.with_columns(share=(pl.col("hit") / pl.col("encounters")).round(4))
        .sort("amount", "ma_cskcb", descending=[True, False])
        .head(SHOWN)
        .to_dicts(),
        overlap=shared.group_by(rule=pl.col("source"))
        .agg(claims=pl.len())
        .with_columns(share=(pl.col("claims") / max(claims.height, 1)).round(4))
        .sort("claims", "rule", descending=[True, False])
        .head(SHOWN)
        .to_dicts(),
        alone=claims.height - shared.select(KEY).unique().height,
        claims=claims.sort("amount", *KEY, descending=[True, False, False])
        .head(SHOWN)
        .select(pl.format("{}:{}", "ma_cskcb", "ma_lk").alias("id"), "amount", "observed", "allowed")
        .to_dicts(),
    )
