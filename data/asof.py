"""As-of look-ups: what a catalogue said on the day of service, never what it says today.

`as_of` is where claims meet catalogues by date, and `not_held` finds what no row of one covers: rules, features and the
report of codes without a catalogue row all go through them, so that they agree on which row holds. `LOOKUPS` says how
the claims of a lake meet each catalogue; `uncovered` lists what they bill that no row covers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import narwhals as nw
import polars as pl

from data.schema import reused

if TYPE_CHECKING:
    from data.lake import Reader

Frame = nw.LazyFrame[Any]
Scope = str | tuple[str, ...]

_DAY = "_asof_day"
_EVER = date(1, 1, 1)


def as_of(
    rows: Frame,
    catalogue: Frame,
    *,
    on: Sequence[str],
    day: str | nw.Expr,
    take: Sequence[str],
    prefer: Sequence[Scope] = (),
    called: Mapping[str, str] | None = None,
    prefix: str = "",
) -> Frame:
    """`rows` with the columns `take` of the catalogue row that held on the row's day.

        as_of(lines, services, on=("ma_dich_vu",), day="ngay_th_yl", take=("price",), prefer=("ma_cskcb", "rank"),
              called={"rank": "e_facility_rank"}, prefix="listed_")  # adds `listed_price`

    A catalogue row holds when it agrees with the row on every column of `on`, and its period (`valid_from` to
    `valid_to`, both days included, open when `valid_to` is null) has the day in it. Of several the most specific wins,
    then the latest `valid_from`, then the latest load (`load_seq`, where there is one); what is still equal then (a key
    wider than `on`) is settled by the taken values themselves, the larger ones win, so that engines agree.

    Rows are never multiplied and never lost. A null in a column of `on`, a null day, and a day that no catalogue row
    holds all give nulls. To tell "no row" from "a row with an empty cell", take `valid_from` too: it is never empty.

    On DuckDB `rows` is computed once and once more for each scope: hand in a table, not a long query.

    Args:
        rows: Claim rows, on the same engine as `catalogue`.
        catalogue: Rows of a catalogue, as `Catalogues.get` gives them.
        on: Columns of the catalogue that must be equal.
        day: Date or time column of `rows` (or an expression) whose calendar day is asked for.
        take: Columns of the catalogue to add.
        prefer: Columns of the catalogue that narrow a row when they are filled, the most specific first: a row of
            `("ma_cskcb", "rank")` with a facility is that facility's, whatever its rank; else with a rank that rank's;
            else everyone's. Columns in a tuple narrow together: `(("so_dang_ky", "tt_thau"), "so_dang_ky")`. A row that
            fills only a part of what is listed belongs to no scope and is not used.
        called: Names in `rows` of the columns of `on` and `prefer` that are called otherwise there.
        prefix: Put before the names of the added columns.

    Raises:
        ValueError: For a column that is not there, an added column that `rows` has already, or two engines.
    """
    scopes = [(scope,) if isinstance(scope, str) else scope for scope in prefer]
    narrowing = tuple(dict.fromkeys(c for scope in scopes for c in scope))
    names = {c: (called or {}).get(c, c) for c in (*on, *narrowing)}
    known = catalogue.collect_schema().names()
    had = rows.collect_schema().names()
    _check(rows, catalogue, needed=(*names, *take), wanted=names.values(), added=[prefix + c for c in take])

    asked = reused(rows.with_columns((nw.col(day) if isinstance(day, str) else day).cast(nw.Date).alias(_DAY)))
    order = [c for c in ("valid_from", "load_seq") if c in known]
    kept = list(dict.fromkeys((*order, "valid_to", *take)))
    result = asked
    for number, scope in enumerate([*scopes, ()]):
        own = [*on, *scope]
        key = [*(names[c] for c in own), _DAY]
        mark = f"_asof_{number}_"
        before = scopes[:number]
        belongs = [nw.all_horizontal(*(~nw.col(c).is_null() for c in scope), ignore_nulls=False)] if scope else []
        belongs += [nw.any_horizontal(*(nw.col(c).is_null() for c in other), ignore_nulls=False) for other in before]
        if not scope:
            belongs += [nw.col(c).is_null() for c in narrowing]
        rows_of_scope = (catalogue.filter(*belongs) if belongs else catalogue).select(
            **{f"_key_{c}": nw.col(c) for c in own}, **{f"{mark}{c}": nw.col(c) for c in kept}
        )
        start, end = nw.col(f"{mark}valid_from"), nw.col(f"{mark}valid_to")
        # distinct questions first: the join grows with the periods of a key, and few (code, day) stand on many lines
        held = (
            asked.select(*key)
            .unique()
            .join(rows_of_scope, left_on=key[:-1], right_on=[f"_key_{c}" for c in own], how="inner")
            .filter(start <= nw.col(_DAY), end.is_null() | (end >= nw.col(_DAY)))
            .unique(key, keep="last", order_by=[f"{mark}{c}" for c in dict.fromkeys((*order, *take))])
            .select(*key, *(f"{mark}{c}" for c in dict.fromkeys(("valid_from", *take))))
        )
        result = result.join(held, on=key, how="left")
    return result.select(*had, **{prefix + c: _first_scope(c, len(scopes) + 1) for c in take})


def not_held(
    rows: Frame, catalogue: Frame, *, on: Sequence[str], day: str, called: Mapping[str, str] | None = None
) -> Frame:
    """Those of `rows` that no catalogue row held on their day: what `as_of` would answer with nulls, for less work.

    A row with a null in `day` or in a column of `on` is not among them: nothing can be said of it. Most keys are held
    from their first day in `rows` to their last by one catalogue row; only the others are asked about day by day.
    """
    key = [(called or {}).get(c, c) for c in on]
    asked = reused(rows.filter(*(~nw.col(c).is_null() for c in (*key, day))))
    spans = asked.group_by(*key).agg(first=nw.col(day).min(), last=nw.col(day).max())
    sure = held_throughout(spans, catalogue, on=on, called=called)
    doubtful = asked.join(sure.select(*key), on=key, how="anti")
    doubtful = reused(doubtful.with_columns(nw.col(day).cast(nw.Date).alias(_DAY)))
    days = doubtful.select(*key, first=_DAY, last=_DAY).unique([*key, "first"])
    held = held_throughout(days, catalogue, on=on, called=called).select(*key, **{_DAY: nw.col("first")})
    return doubtful.join(held, on=[*key, _DAY], how="anti").drop(_DAY)


def held_throughout(
    spans: Frame, catalogue: Frame, *, on: Sequence[str], called: Mapping[str, str] | None = None
) -> Frame:
    """Those of `spans` that one row of `catalogue` holds from the day of `first` to the day of `last`, each once."""
    names = {c: (called or {}).get(c, c) for c in on}
    periods = catalogue.select(
        **{name: nw.col(c) for c, name in names.items()}, _since=nw.col("valid_from"), _until=nw.col("valid_to")
    )
    until = nw.col("_until")
    columns = [*names.values(), "first", "last"]
    return (
        spans.select(*columns)
        .join(periods, on=list(names.values()), how="inner")
        .filter(
            nw.col("_since") <= nw.col("first").cast(nw.Date),
            until.is_null() | (until >= nw.col("last").cast(nw.Date)),
        )
        .select(*columns)
        .unique()
    )


def _first_scope(column: str, scopes: int) -> nw.Expr:
    """`column` of the most specific scope that had a row: a null in that row is its answer, not a reason to go on."""
    value = nw.col(f"_asof_{scopes - 1}_{column}")
    for number in reversed(range(scopes - 1)):
        absent = nw.col(f"_asof_{number}_valid_from").is_null()
        value = nw.when(absent).then(value).otherwise(nw.col(f"_asof_{number}_{column}"))
    return value


def _check(
    rows: Frame, catalogue: Frame, *, needed: Sequence[str], wanted: Iterable[str], added: Sequence[str]
) -> None:
    if rows.implementation != catalogue.implementation:
        raise ValueError(
            f"the rows are on {rows.implementation}, the catalogue on {catalogue.implementation}: "
            "take both from one Reader.claim_tables(engine=...)"
        )
    known, had = catalogue.collect_schema().names(), rows.collect_schema().names()
    if missing := [c for c in (*needed, "valid_from", "valid_to") if c not in known]:
        raise ValueError(f"the catalogue has no column {', '.join(missing)}: it has {', '.join(known)}")
    if missing := [c for c in wanted if c not in had]:
        raise ValueError(f"the rows have no column {', '.join(missing)}: name theirs with called={{catalogue: rows}}")
    if double := [c for c in added if c in had]:
        raise ValueError(f"the rows have a column {', '.join(double)} already: give a prefix")


# --- How the claims of a lake meet each catalogue


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """How the billed rows of a lake are looked up in one catalogue.

    `billed` is SQL over the views of a Reader: `code`, `ma_cskcb`, `served` (its time), `money`, and other columns
    that `on` needs. `code` is the catalogue's column that is meant when a code is called unknown.
    """

    billed: str
    code: str
    on: tuple[str, ...]
    prefer: tuple[Scope, ...] = ()
    called: Mapping[str, str] = field(default_factory=dict[str, str])


_DONE = "coalesce(ngay_th_yl, ngay_yl) as served, t_bhtt as money"
_ORDERED = "coalesce(ngay_yl, ngay_th_yl) as served, t_bhtt as money"
_DRUGS = (
    f"select ma_thuoc as code, ma_cskcb, {_DONE} from drug_line "
    "where ma_nhom is null or ma_nhom in (4, 5, 6)"  # blood is billed here too and is in no drug catalogue
)
_SUPPLIES = f"select ma_vat_tu as code, ma_cskcb, {_DONE} from service_line where ma_vat_tu is not null"

LOOKUPS: Mapping[str, Lookup] = {
    "facilities": Lookup(
        billed="select ma_cskcb as code, ma_cskcb, ngay_vao as served, t_bhtt as money from encounter",
        code="ma_cskcb",
        on=("ma_cskcb",),
    ),
    "staff": Lookup(
        billed=f"select doctor as code, ma_cskcb, {_ORDERED} from drug_line "
        f"union all select doctor as code, ma_cskcb, {_ORDERED} from service_line",
        code="ma_bac_si",
        on=("ma_bac_si", "ma_cskcb"),
        called={"ma_bac_si": "code"},
    ),
    "services": Lookup(
        billed=f"select ma_dich_vu as code, ma_cskcb, {_DONE} from service_line where ma_vat_tu is null",
        code="ma_dich_vu",
        on=("ma_dich_vu",),
        prefer=("ma_cskcb", "rank"),
        called={"ma_dich_vu": "code", "rank": "facility_rank"},
    ),
    "drugs": Lookup(billed=_DRUGS, code="ma_thuoc", on=("ma_thuoc",), called={"ma_thuoc": "code"}),
    "tenders": Lookup(billed=f"{_DRUGS} union all {_SUPPLIES}", code="code", on=("ma_cskcb", "code")),
    "supplies": Lookup(billed=_SUPPLIES, code="ma_vat_tu", on=("ma_vat_tu",), called={"ma_vat_tu": "code"}),
    "machines": Lookup(
        billed=f"select trim(unnest(string_split(ma_may, ';'))) as code, ma_cskcb, {_DONE} from service_line",
        code="ma_may",
        on=("ma_may", "ma_cskcb"),
        called={"ma_may": "code"},
    ),
    "beds": Lookup(
        billed=f"select ma_khoa as code, ma_cskcb, {_DONE} from service_line where ma_nhom in (14, 15, 16)",
        code="ma_khoa",
        on=("ma_khoa", "ma_cskcb"),
        called={"ma_khoa": "code"},
    ),
    "cards": Lookup(  # by class of card: a list of patients would help nobody mend a catalogue
        billed="select card_class as code, ma_cskcb, patient_id, ngay_vao as served, t_bhtt as money from encounter",
        code="patient_id",
        on=("patient_id",),
    ),
}
"""By catalogue; the calendar has no code that a claim could name."""

UNCOVERED: dict[str, pl.DataType] = {
    "catalogue": pl.String(),
    "code": pl.String(),
    "ma_cskcb": pl.String(),
    "status": pl.String(),  # unknown: no row of the code; elsewhere: none for this facility; other_day: none that day
    "lines": pl.Int64(),
    "money": pl.Decimal(38, 2),
    "first_day": pl.Date(),
    "last_day": pl.Date(),
}


def uncovered(reader: Reader, *, facility: str | None = None) -> pl.DataFrame:
    """What claims bill that no catalogue row covers on its day, by catalogue, code and facility: columns `UNCOVERED`.

    Ordered by money within a catalogue, the most first. Catalogues that were never loaded are left out: nothing can be
    said of them. Rows without a code or a day are left out too: that is the business of the checks at intake.
    """
    loaded = reader.catalogues()
    facilities = loaded.get("facilities")
    parts = [pl.DataFrame(schema=UNCOVERED)]
    for name, lookup in LOOKUPS.items():
        catalogue = loaded.get(name)
        if catalogue is None:
            continue
        more = [c for c in lookup.on if c not in lookup.called and c not in ("ma_cskcb", "code")]
        columns = ", ".join(("code", "ma_cskcb", *more))
        billed = reader.pl(
            f"select {columns}, cast(served as date) as day, count(*) as lines, sum(money) as money "
            f"from ({lookup.billed}) where code <> '' and served is not null "
            "and ($facility is null or ma_cskcb = $facility) group by all",
            {"facility": facility},
        )
        parts.append(_without_row(name, lookup, nw.from_native(billed.lazy()), catalogue, facilities))
    by = {"catalogue": False, "money": True, "lines": True, "code": False, "ma_cskcb": False, "status": False}
    return pl.concat(parts).sort(list(by), descending=list(by.values()))


def _without_row(name: str, lookup: Lookup, billed: Frame, catalogue: Frame, facilities: Frame | None) -> pl.DataFrame:
    if "rank" in lookup.prefer:
        if facilities is None:
            billed = billed.with_columns(facility_rank=nw.lit(None, dtype=nw.String))
        else:
            billed = as_of(billed, facilities, on=("ma_cskcb",), day="day", take=("rank",), prefix="facility_")
    named = lookup.called.get(lookup.code, lookup.code)
    codes = catalogue.select(nw.col(lookup.code).alias(named)).unique().with_columns(_known=nw.lit(1))
    always = catalogue.with_columns(valid_from=nw.lit(_EVER), valid_to=nw.lit(None, dtype=nw.Date))

    def looked(rows: Frame, within: Frame, prefix: str) -> Frame:
        return as_of(
            rows,
            within,
            on=lookup.on,
            day="day",
            take=("valid_from",),
            prefer=lookup.prefer,
            called=lookup.called,
            prefix=prefix,
        )

    missing = looked(billed, catalogue, "_that_day_").filter(nw.col("_that_day_valid_from").is_null())
    missing = looked(missing, always, "_ever_").join(codes, on=named, how="left")
    here, known = ~nw.col("_ever_valid_from").is_null(), ~nw.col("_known").is_null()
    status = (
        nw.when(here)
        .then(nw.lit("other_day"))
        .otherwise(nw.when(known).then(nw.lit("elsewhere")).otherwise(nw.lit("unknown")))
    )
    listed: pl.DataFrame = (
        missing.with_columns(status=status)
        .group_by("code", "ma_cskcb", "status")
        .agg(
            nw.col("lines").sum(),
            nw.col("money").sum(),
            first_day=nw.col("day").min(),
            last_day=nw.col("day").max(),
        )
        .collect()
        .to_native()
    )
    stated = listed.with_columns(pl.lit(name).alias("catalogue"), pl.col("money").fill_null(0))
    return stated.select(pl.col(c).cast(t) for c, t in UNCOVERED.items())
