"""What claims look like in company: rules that need the other patients' claims of the same facility.

A claim's company began before the claim ended and ended at most `COMPANY_DAYS` before it began, so a later claim never
moves an earlier one's answer. A facility too large to be read whole is read a month at a time, so that memory does not
grow with the period.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from data.schema import ENCOUNTER_KEY
from detectors.base import COMPANY_DAYS, HIT_COLUMNS, rules
from detectors.rulebook import find

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from data.lake import Reader
    from data.schema import ClaimTables
    from detectors.base import Rule

KEY = list(ENCOUNTER_KEY)
CHUNK = 80_000  # encounters read at once, company included, unless one facility's month alone has more

ENDED = "coalesce(ngay_ra, ngay_vao)"
IN_COMPANY = (
    "exists (select 1 from {of} u where u.ma_cskcb = claimed_encounter.ma_cskcb and ngay_vao <= u.last "
    f"and {ENDED} >= u.first - interval {COMPANY_DAYS} day)"
)
"""Whether an encounter may be company of one that began and ended between `first` and `last` of `{of}`."""


def facility_rules(chosen: Sequence[Rule] | None = None) -> tuple[Rule, ...]:
    """Those of `chosen` (all by default) that look at the facility's other claims."""
    return tuple(rule for rule in (rules() if chosen is None else chosen) if rule.context == "facility")


def in_company(
    reader: Reader,
    targets: pl.DataFrame,
    chosen: Sequence[Rule] | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Mapping[str, pl.DataFrame]:
    """By rule id, the signs (`HIT_COLUMNS`) that rules with a facility's context raise on `targets` (`version`)."""
    asked = facility_rules(chosen)
    if not asked or not targets.height:
        return {rule.id: _nothing() for rule in asked}
    found: dict[str, list[pl.DataFrame]] = {rule.id: [_nothing()] for rule in asked}
    for tables, keys, done in _chunks(reader, targets):
        for rule_id, rows in find(tables, asked).items():
            found[rule_id].append(rows.join(keys, on=KEY, how="semi"))
        if progress:
            progress(done, targets.height)
    return {rule_id: pl.concat(parts).sort(pl.all()) for rule_id, parts in found.items()}


def company_of(reader: Reader, claims: Mapping[str, pl.DataFrame]) -> Mapping[str, pl.DataFrame]:
    """The same for `claims` that are not in the lake (typed frames by table name)."""
    asked = facility_rules()
    if not asked:
        return {}
    encounters = claims["encounter"]
    last = pl.coalesce("ngay_ra", "ngay_vao")
    spans = encounters.group_by("ma_cskcb").agg(pl.col("ngay_vao").min().alias("first"), last.max().alias("last"))
    reader.keep("_span", spans)
    tables = reader.claim_tables(IN_COMPANY.format(of="_span"), extra=claims)
    keys = encounters.select(KEY)
    return {rule_id: rows.join(keys, on=KEY, how="semi") for rule_id, rows in find(tables, asked).items()}


def _nothing() -> pl.DataFrame:
    return pl.DataFrame(schema=dict(HIT_COLUMNS))


def _chunks(reader: Reader, targets: pl.DataFrame) -> Iterator[tuple[ClaimTables, pl.DataFrame, int]]:
    """The company of `targets` some facilities at a time, their keys, and how many targets are done.

    A facility is read whole where it fits, each claim once; a larger one month by month.
    """
    reader.keep("_judged", targets.select("version"))
    units = reader.pl(
        f"""
        with judged as (
            select ma_cskcb, ngay_vao, {ENDED} as ended, date_trunc('month', {ENDED}) as month
            from claimed_encounter where version in (from _judged)
        ),
        span as (
            select ma_cskcb, month, grouping(month) as whole, count(*) as judged,
                   min(ngay_vao) as first, max(ended) as last
            from judged group by grouping sets ((ma_cskcb), (ma_cskcb, month))
        ),
        unit as (
            select s.*, count(c.version) as company from span s left join claimed_encounter c
              on c.ma_cskcb = s.ma_cskcb and c.ngay_vao <= s.last
             and coalesce(c.ngay_ra, c.ngay_vao) >= s.first - interval {COMPANY_DAYS} day
            group by all
        ),
        large as (select ma_cskcb from unit where whole = 1 and company > {CHUNK})
        from unit where whole <> (ma_cskcb in (from large))::int order by ma_cskcb, month nulls first
        """
    )
    done = begun = 0
    while begun < units.height:
        size, end = 0, begun
        while end < units.height and (end == begun or size + units["company"][end] <= CHUNK):
            size += units["company"][end]
            end += 1
        part = units.slice(begun, end - begun)
        reader.keep("_unit", part)
        keys = reader.pl(
            "select ma_cskcb, ma_lk from claimed_encounter e where version in (from _judged) and exists (select 1 "
            "from _unit u where u.ma_cskcb = e.ma_cskcb "
            f"and (u.whole = 1 or u.month is not distinct from date_trunc('month', {ENDED})))"
        )
        done += int(part["judged"].sum())
        yield reader.claim_tables(IN_COMPANY.format(of="_unit")), keys, done
        begun = end


def moved(candidates: pl.DataFrame, found: Mapping[str, pl.DataFrame], stored: pl.DataFrame) -> pl.DataFrame:
    """Those of `candidates` whose signs in company, now `found`, are not the `stored` ones (`HIT_COLUMNS`, rule)."""
    named = [rows.with_columns(rule=pl.lit(rule_id)) for rule_id, rows in found.items()]
    now = pl.concat([pl.DataFrame(schema={**HIT_COLUMNS, "rule": pl.String()}), *named])
    before = stored.select(pl.col(name).cast(dtype) for name, dtype in now.schema.items())
    both = pl.concat([now.with_columns(side=pl.lit(1)), before.with_columns(side=pl.lit(-1))])
    changed = both.group_by(now.columns).agg(pl.col("side").sum()).filter(pl.col("side") != 0)
    return candidates.join(changed.select(KEY), on=KEY, how="semi", maintain_order="left")
