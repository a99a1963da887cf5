"""Dirty apart from suspicious: what a facility's software does wrong again and again, and how clean its data are.

A *ticket* is one fault of one facility's export software: the same check fails on many of its claims from a day on, and
hardly anywhere else. It goes back to the facility; it is no sign against anyone. A fault that most facilities share is
no facility's: perhaps our own list is behind, so it is told once, as shared.

Everything here is a function of the two small tables `received` and `fault` at one snapshot, and linear in them, so a
replay sees the tickets that the run saw. The first day of a fault is found by a cumulated sum over the days: each day
adds its faulty claims and takes off a twentieth of all it sent, the sum never falls below nothing, and where it first
reaches `ALARM` the fault began on the day the sum last left the ground. Later claims cannot move that day. The last day
is found the same way from the other end.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Literal, get_args
from weakref import WeakSet

import polars as pl

from data.checks import KINDS, Check, Mask, Severity, checks
from data.errors import MinhBachError
from data.schema import source_of

if TYPE_CHECKING:
    from data.lake import Reader

MIN_ROWS = 20  # fewer faulty rows are not worth a letter
MIN_CLAIMS = 10  # twenty rows of one long bill are one person's mistake, not the software's
MIN_SHARE = 0.10  # of what was sent while it lasted: people mistype less, a faulty export rarely spares nine in ten
MIN_LIFT = 5.0  # times the share in facilities without the fault: a rule that is hard for all is nobody's software
ALONE_SHARE = 0.50  # asked of a facility that no other can be compared with
EVERYWHERE = 0.50  # where more than this part of the facilities has the fault, it is shared
DRIFT = MIN_SHARE / 2  # taken off each day: half-way between a clean export and one worth a ticket
ALARM = 5.0  # claims beyond the drift: fewer come together by chance, more would find short faults late
MENDED_FAULTS = 5  # mended: so much came later that this many faults were to be expected, and they did not come
MENDED_ROWS = 20  # and never fewer than this
EXAMPLES = 3
TREND_MONTHS = 13  # the newest month and the same one a year before

Unit = Literal["rows", "claims"]
"""What a share is of. The larger of the two: one bad line in every bill is all claims and few rows, a bad table that
few bills have is all its rows and few claims."""

TICKET: Mapping[str, pl.DataType] = {
    "ticket_id": pl.String(),
    "ma_cskcb": pl.String(),
    "check_id": pl.String(),
    "line_table": pl.String(),
    "field": pl.String(),
    "code": pl.String(),
    "severity": pl.String(),
    "mask": pl.String(),
    "since": pl.Date(),  # null: the faulty rows have no day of discharge
    "until": pl.Date(),
    "open": pl.Boolean(),
    "failed": pl.Int64(),
    "rows": pl.Int64(),
    "claims": pl.Int64(),
    "sent_claims": pl.Int64(),
    "unit": pl.String(),
    "share": pl.Float64(),
    "elsewhere": pl.Float64(),  # null: no facility without the fault to compare with
    "also": pl.Int64(),  # other facilities with a ticket of this check: perhaps of the same software
}
"""Columns of `tickets`; those of `data.masks.TICKET` are among them."""


class UnknownFacility(MinhBachError):
    """A facility that sent nothing, or that the user may not see: the answer is the same."""

    code, http_status = "unknown_facility", 404

    def __init__(self, facility: str) -> None:
        """`facility` as the user wrote it."""
        super().__init__(
            f"facility {facility!r} has sent nothing yet or is outside your area: write MA_CSKCB, such as 98001",
            vi=f"Cơ sở {facility!r} chưa gửi hồ sơ nào hoặc ngoài phạm vi của bạn: ghi MA_CSKCB, ví dụ 98001",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One faulty row, to be looked up at the facility."""

    ma_lk: str | None
    row_no: int | None
    day: date | None
    value: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """What was sent for one month of discharge, and what was wrong with it."""

    month: int  # yyyymm
    rows: int
    faults: int

    @property
    def score(self) -> float:
        """100 less the faults per hundred rows."""
        return score_of(self.rows, self.faults)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """One fault of one facility's export software."""

    ticket_id: str
    ma_cskcb: str
    check_id: str
    line_table: str
    field: str
    code: str
    severity: Severity
    mask: Mask
    since: date | None
    until: date | None
    open: bool
    failed: int
    rows: int
    claims: int
    sent_claims: int
    unit: Unit
    share: float
    elsewhere: float | None
    also: int
    examples: tuple[Example, ...]

    @property
    def source(self) -> str:
        """The table's name in the envelope: XML3."""
        return source_of(self.line_table)

    @property
    def hint_vi(self) -> str:
        """What is wrong and how to mend it."""
        return _hint(self.check_id, self.code)[0]

    @property
    def hint_en(self) -> str:
        """The same in English."""
        return _hint(self.check_id, self.code)[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """A fault that most facilities have: look at the list or the check before writing to anyone."""

    check_id: str
    line_table: str
    field: str
    code: str
    severity: Severity
    since: date | None  # the first day at any facility
    until: date | None
    facilities: int  # that have it
    asked: int  # that sent enough of the table to tell
    failed: int
    claims: int

    @property
    def hint_vi(self) -> str:
        """What is wrong and how to mend it."""
        return _hint(self.check_id, self.code)[0]

    @property
    def hint_en(self) -> str:
        """The same in English."""
        return _hint(self.check_id, self.code)[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFault:
    """What was wrong with files as such: no facility can be named for them."""

    code: str
    severity: str
    times: int
    files: int
    example: str
    hint_vi: str
    hint_en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FacilityScore:
    """How clean the data of one facility are."""

    ma_cskcb: str
    name: str | None
    claims: int  # rows of XML1
    rows_read: int
    rows_loaded: int
    warned: int  # faults of severity warn; those that most facilities share are not counted
    refused: int  # likewise of severity quarantine: a row can have several
    tickets: int
    open_tickets: int
    months: tuple[Month, ...]

    @property
    def quarantined(self) -> int:
        """Rows that were set aside."""
        return self.rows_read - self.rows_loaded

    @property
    def score(self) -> float:
        """100 less the faults (refused or warned) per hundred rows, never below 0."""
        return score_of(self.rows_read, self.warned + self.refused)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableScore:
    """How clean one table of a facility is."""

    line_table: str
    rows_read: int
    rows_loaded: int
    faults: int
    months: tuple[Month, ...]

    @property
    def source(self) -> str:
        """The table's name in the envelope: XML3."""
        return source_of(self.line_table)

    @property
    def score(self) -> float:
        """100 less the faults per hundred rows of the table."""
        return score_of(self.rows_read, self.faults)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultScore:
    """One check that failed at a facility."""

    check_id: str
    line_table: str
    field: str
    code: str
    severity: Severity
    failed: int
    claims: int
    rows: int  # of the table
    since: date | None  # the first faulty row, not the start of a ticket
    until: date | None
    ticket: bool
    shared: bool  # most facilities have it, so it does not count in the score
    months: tuple[Month, ...]
    examples: tuple[Example, ...]

    @property
    def share(self) -> float:
        """Faulty rows among the rows of the table."""
        return self.failed / self.rows if self.rows else 0.0

    @property
    def source(self) -> str:
        """The table's name in the envelope: XML3."""
        return source_of(self.line_table)

    @property
    def hint_vi(self) -> str:
        """What is wrong and how to mend it."""
        return _hint(self.check_id, self.code)[0]

    @property
    def hint_en(self) -> str:
        """The same in English."""
        return _hint(self.check_id, self.code)[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorecard:
    """All facilities within the limits, worst first, with what to write to whom."""

    snapshot: int
    month: int | None
    facilities: tuple[FacilityScore, ...]
    tickets: tuple[Ticket, ...]
    shared: tuple[Shared, ...]
    files: tuple[FileFault, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FacilityCard:
    """One facility, by table and by check."""

    snapshot: int
    month: int | None
    facility: FacilityScore
    tables: tuple[TableScore, ...]
    faults: tuple[FaultScore, ...]  # refused and warned first, then by number
    tickets: tuple[Ticket, ...]


def score_of(rows: int, faults: int) -> float:
    """100 less the faults per hundred rows, never below 0; 100 where nothing was sent."""
    return max(0.0, 100.0 - 100.0 * faults / rows) if rows else 100.0


def month_of(text: str) -> int | None:
    """The month a text names as yyyymm; None when it names none."""
    number = int(text) if text.isascii() and text.isdigit() and len(text) == 6 else 0
    return number if 1 <= number % 100 <= 12 and number >= 190001 else None


def tickets(
    reader: Reader, facility: str | None = None, *, where: str = "true", params: Sequence[Any] = ()
) -> pl.DataFrame:
    """Every ticket of the snapshot (`TICKET`), open and grave ones first.

    `where` limits the facilities: SQL on `ma_cskcb` and `province`, with its `params`.
    """
    _prepare(reader)
    own, more = _limits(facility, where, params)
    found = reader.pl(
        f"select {', '.join(TICKET)} from _quality_ticket where {own} order by open desc, "
        f"{_GRAVITY}, claims desc, ma_cskcb, check_id",
        more,
    )
    return found.select(pl.col(name).cast(dtype) for name, dtype in TICKET.items())


def scorecard(
    reader: Reader, *, month: int | None = None, where: str = "true", params: Sequence[Any] = ()
) -> Scorecard:
    """All facilities, worst first; those alike by rows, the larger first.

    `month` (yyyymm of discharge) limits counts to it and tickets to those that touch it; `where` limits facilities as
    in `tickets`. What was wrong with files as such is only told to who sees every facility.
    """
    _prepare(reader)
    found = _facilities(reader, None, month, where, params)
    return Scorecard(
        snapshot=reader.snapshot,
        month=month,
        facilities=tuple(sorted(found, key=lambda f: (round(f.score, 6), -f.rows_read, f.ma_cskcb))),
        tickets=_tickets(reader, None, month, where, params),
        shared=_shared(reader),
        files=_files(reader) if where.lower() == "true" else (),
    )


def facility_card(
    reader: Reader, facility: str, *, month: int | None = None, where: str = "true", params: Sequence[Any] = ()
) -> FacilityCard:
    """One facility by table and by check. Raises UnknownFacility."""
    _prepare(reader)
    found = _facilities(reader, facility, month, where, params)
    if not found:
        raise UnknownFacility(facility)
    own = _tickets(reader, facility, month, where, params)
    tables = _tables(reader, facility, month)
    return FacilityCard(
        snapshot=reader.snapshot,
        month=month,
        facility=found[0],
        tables=tables,
        faults=_faults(reader, facility, month, tables, frozenset(t.check_id for t in own)),
        tickets=own,
    )


# how tickets are found

_GRAVITY = f"list_position([{', '.join(repr(s) for s in get_args(Severity))}], severity)"


def _masks_sql() -> str:
    by_mask = {mask: [c.id for c in checks().values() if c.mask == mask] for mask in ("cell", "row")}
    cases = " ".join(f"when check_id in ({', '.join(map(repr, ids))}) then '{m}'" for m, ids in by_mask.items() if ids)
    return f"case {cases} else '' end" if cases else "''"


_SENT_SQL = """
create or replace table _quality_sent as
with by_day as (
    select ma_cskcb, line_table, day, sum(rows_read)::bigint as rows
    from received where ma_cskcb is not null group by all
)
select t.*, coalesce(e.rows, t.rows)::bigint as claims
from by_day t left join by_day e
  on e.ma_cskcb = t.ma_cskcb and e.day is not distinct from t.day and e.line_table = 'encounter'
"""
"""Rows of each table a facility sent, a day of discharge, and beside them the claims of that day."""

_FAILED_SQL = """
create or replace table _quality_failed as
select ma_cskcb, line_table, check_id, day, any_value(code) as code, any_value(field) as field,
       any_value(severity) as severity, sum(failed)::bigint as failed, sum(claims)::bigint as claims
from fault where ma_cskcb is not null and line_table is not null
group by ma_cskcb, line_table, check_id, day
"""

CANDIDATES_SQL = f"""
create or replace table _quality_candidate as
with sent as (
    select ma_cskcb, line_table, sum(rows) as rows, sum(claims) as claims from _quality_sent group by all
),
pair as (  -- a facility and a check that failed there often enough to be worth a look
    select f.*, s.rows as all_rows, s.claims as all_claims,
           case when f.claims / s.claims > f.failed / s.rows then 'claims' else 'rows' end as unit
    from (
        select ma_cskcb, line_table, check_id, any_value(code) as code, any_value(field) as field,
               any_value(severity) as severity, sum(failed) as failed, sum(claims) as claims,
               sum(failed) filter (day is null) as undated
        from _quality_failed group by ma_cskcb, line_table, check_id
    ) f join sent s using (ma_cskcb, line_table)
    where f.failed >= {MIN_ROWS} and f.claims >= {MIN_CLAIMS}
),
faulty as (  -- what failed on a day, in claims, beyond the drift
    select p.*, f.day, f.failed as failed_then, f.claims as claims_then,
           case when p.unit = 'claims' then 1.0 else p.claims / p.failed end as weight
    from pair p join _quality_failed f using (ma_cskcb, check_id)
    where f.day is not null and coalesce(p.undated, 0) * 2 <= p.failed
),
likely as (  -- only where the days that add to the sum reach the alarm together; floats: nobody is lost by a hair
    select ma_cskcb, line_table, check_id, unit, weight
    from faulty f join _quality_sent s using (ma_cskcb, line_table, day)
    group by all
    having sum(greatest(0, weight * case when unit = 'claims' then claims_then - {DRIFT} * s.claims
                                         else failed_then - {DRIFT} * s.rows end)) >= {ALARM} * 0.999
),
daily as (  -- every day the facility sent anything of the table: what failed, of how much
    select p.ma_cskcb, p.check_id, p.unit, s.day, s.rows, s.claims as sent_claims,
           coalesce(f.failed, 0) as failed, coalesce(f.claims, 0) as claims,
           -- whole millionths: sums of them do not depend on their order, sums of floats do
           cast(round(1e6 * p.weight * case when p.unit = 'claims' then coalesce(f.claims, 0) - {DRIFT} * s.claims
                else coalesce(f.failed, 0) - {DRIFT} * s.rows end) as bigint) as step
    from likely p join _quality_sent s using (ma_cskcb, line_table)
    left join _quality_failed f on f.ma_cskcb = p.ma_cskcb and f.check_id = p.check_id and f.day = s.day
    where s.day is not null
),
walk as (
    select ma_cskcb, check_id, way, day, sum(step) over w as height
    from daily cross join (values (1), (-1)) ways (way)
    window w as (partition by ma_cskcb, check_id, way order by way * (day - date '2000-01-01'))
),
above as (
    select *, height - least(0, min(height) over w) as sum_above from walk
    window w as (partition by ma_cskcb, check_id, way order by way * (day - date '2000-01-01'))
),
climb as (
    select *, count(*) filter (sum_above = 0) over w as climb from above
    window w as (partition by ma_cskcb, check_id, way order by way * (day - date '2000-01-01'))
),
alarmed as (
    select ma_cskcb, check_id, way, min(day) as first_day, max(day) as last_day
    from climb where sum_above > 0 group by ma_cskcb, check_id, way, climb having max(sum_above) >= {ALARM} * 1e6
),
span as (
    select ma_cskcb, check_id, min(first_day) filter (way = 1) as since, max(last_day) filter (way = -1) as until
    from alarmed group by ma_cskcb, check_id
),
dated as (
    select s.ma_cskcb, s.check_id, s.since, s.until,
           sum(failed) filter (d.day between s.since and s.until) as failed,
           sum(d.rows) filter (d.day between s.since and s.until) as rows,
           sum(d.claims) filter (d.day between s.since and s.until) as claims,
           sum(sent_claims) filter (d.day between s.since and s.until) as sent_claims,
           sum(case when unit = 'claims' then sent_claims else d.rows end) filter (d.day > s.until) as later,
           max(d.day) filter (d.failed > 0) as last_failed
    from span s join daily d using (ma_cskcb, check_id) group by all
),
undated as (  -- rows of refused claims may have no day: there is a fault, but no first day of it
    select ma_cskcb, check_id, null::date as since, null::date as until, failed, all_rows as rows, claims,
           all_claims as sent_claims, 0 as later, null::date as last_failed
    from pair where undated * 2 > failed
),
both_kinds as (select * from dated union all select * from undated),
found as (
    select p.ma_cskcb, p.line_table, p.check_id, p.code, p.field, p.severity, p.unit, b.since, b.until, b.later,
           b.last_failed, b.failed::bigint as failed, b.rows::bigint as rows, b.claims::bigint as claims,
           b.sent_claims::bigint as sent_claims,
           -- a claim that was sent again within the day may be counted twice above and once below
           least(1.0, case when p.unit = 'claims' then b.claims / b.sent_claims else b.failed / b.rows end) as share
    from both_kinds b join pair p using (ma_cskcb, check_id)
)
select * from found where failed >= {MIN_ROWS} and claims >= {MIN_CLAIMS} and share >= {MIN_SHARE}
"""
"""Facilities where a check fails often and for long, whatever happens elsewhere."""

_COMPARED_SQL = f"""
create or replace table _quality_compared as
with sent as (
    select ma_cskcb, line_table, sum(rows) as rows, sum(claims) as claims from _quality_sent group by all
),
of_table as (
    select line_table, sum(rows) as rows, sum(claims) as claims, count(*) filter (rows >= {MIN_ROWS}) as asked
    from sent group by line_table
),
of_check as (
    select check_id, sum(failed) as failed, sum(claims) as claims from _quality_failed group by check_id
),
with_fault as (  -- the candidates of a check, over all they ever sent
    select c.check_id, count(*) as facilities, sum(s.rows) as rows, sum(s.claims) as sent_claims,
           sum(f.failed) as failed, sum(f.claims) as claims
    from _quality_candidate c
    join sent s using (ma_cskcb, line_table)
    join (select ma_cskcb, check_id, sum(failed) as failed, sum(claims) as claims
          from _quality_failed group by ma_cskcb, check_id) f using (ma_cskcb, check_id)
    group by c.check_id
)
select c.*, w.facilities, greatest(t.asked, w.facilities) as asked,
       case when c.unit = 'claims' then (a.claims - w.claims) / nullif(t.claims - w.sent_claims, 0)
            else (a.failed - w.failed) / nullif(t.rows - w.rows, 0) end as elsewhere
from _quality_candidate c join with_fault w using (check_id) join of_check a using (check_id)
join of_table t using (line_table)
"""

_SHARED_CONDITION = f"facilities >= 2 and facilities > {EVERYWHERE} * asked"

TICKETS_SQL = f"""
create or replace table _quality_ticket as
with own as (
    select *, later < greatest({MENDED_ROWS}, {MENDED_FAULTS} / share) or later is null or since is null as open
    from _quality_compared
    where not ({_SHARED_CONDITION})
      and (share >= {MIN_LIFT} * elsewhere or (elsewhere is null and (share >= {ALONE_SHARE} or facilities > 1)))
)
select ma_cskcb || ':' || check_id as ticket_id, ma_cskcb, substr(ma_cskcb, 1, 2) as province, check_id, line_table,
       field, code, severity, $mask as mask, since, case when open then last_failed else until end as until, open,
       failed, rows, claims, sent_claims, unit, share, elsewhere,
       count(*) over (partition by check_id) - 1 as also
from own
"""
"""Candidates that are alone with their fault, or in a minority of facilities that share their software."""

SHARED_SQL = f"""
create or replace table _quality_shared as
select check_id, any_value(line_table) as line_table, any_value(field) as field, any_value(code) as code,
       any_value(severity) as severity, min(since) as since, max(coalesce(last_failed, until)) as until,
       max(facilities) as facilities, max(asked) as asked, sum(failed)::bigint as failed, sum(claims)::bigint as claims
from _quality_compared where {_SHARED_CONDITION} group by check_id
"""

_OWN_SQL = """
create or replace view _quality_own as
select * from _quality_failed anti join _quality_shared using (check_id)
"""
"""What counts against a facility: not what most of them have, which may be our own list's fault."""

_prepared: WeakSet[Reader] = WeakSet()
_preparing = threading.Lock()


def _prepare(reader: Reader) -> None:
    """Make the tables that everything here reads, once a reader: a snapshot does not change."""
    with _preparing:
        if reader not in _prepared:
            made = TICKETS_SQL.replace("$mask", _masks_sql())
            reader.run(f"{_SENT_SQL};{_FAILED_SQL};{CANDIDATES_SQL};{_COMPARED_SQL};{made};{SHARED_SQL};{_OWN_SQL}")
            _prepared.add(reader)


def _limits(facility: str | None, where: str, params: Sequence[Any]) -> tuple[str, list[Any]]:
    own = "" if facility is None else " and ma_cskcb = ?"
    return f"({where}){own}", [*params, *([] if facility is None else [facility])]


# what is shown


def _hint(check_id: str, code: str) -> tuple[str, str]:
    """The check's hint; that of its kind for a check of an older version, which the list no longer has."""
    check: Check | None = checks().get(check_id)
    return (check.hint_vi, check.hint_en) if check else KINDS.get(code, (check_id, check_id))


def _month_sql(month: int | None) -> str:
    return "true" if month is None else f"year(day) * 100 + month(day) = {int(month)}"


def _facilities(
    reader: Reader, facility: str | None, month: int | None, where: str, params: Sequence[Any]
) -> list[FacilityScore]:
    own, more = _limits(facility, where, params)
    in_month = _month_sql(month)
    rows = reader.pl(
        f"""
        with sent as (
            select ma_cskcb, sum(rows_read)::bigint as rows_read, sum(rows_loaded)::bigint as rows_loaded,
                   coalesce(sum(rows_read) filter (line_table = 'encounter'), 0)::bigint as claims
            from (select *, substr(ma_cskcb, 1, 2) as province from received) where {own} and {in_month} group by 1
        ),
        wrong as (
            select ma_cskcb, coalesce(sum(failed) filter (severity = 'warn'), 0)::bigint as warned,
                   coalesce(sum(failed) filter (severity = 'quarantine'), 0)::bigint as refused
            from _quality_own where {in_month} group by 1
        ),
        named as (
            select ma_cskcb, arg_max(name, (valid_from, load_seq)) as name from catalogue_facilities group by 1
        )
        select s.ma_cskcb, n.name, s.claims, s.rows_read, s.rows_loaded, coalesce(w.warned, 0) as warned,
               coalesce(w.refused, 0) as refused
        from sent s left join wrong w using (ma_cskcb) left join named n using (ma_cskcb)
        order by s.ma_cskcb
        """,
        more,
    )
    trends = _months(
        reader,
        "ma_cskcb",
        f"select ma_cskcb, month, sum(rows)::bigint as rows from sent where {own} group by all",
        f"select ma_cskcb, month, sum(failed)::bigint as faults from own where {own} and severity <> 'info' "
        "group by all",
        [*more, *more],
    )
    counts: dict[str, list[bool]] = {}
    for ticket in _ticket_rows(reader, facility, month, where, params).iter_rows(named=True):
        counts.setdefault(ticket["ma_cskcb"], []).append(ticket["open"])
    return [
        FacilityScore(
            **row,
            tickets=len(counts.get(row["ma_cskcb"], ())),
            open_tickets=sum(counts.get(row["ma_cskcb"], ())),
            months=trends.get(row["ma_cskcb"], ()),
        )
        for row in rows.iter_rows(named=True)
    ]


def _months(reader: Reader, key: str, sent: str, failed: str, params: Sequence[Any]) -> dict[str, tuple[Month, ...]]:
    """By key the last year of months: `sent` gives key, month, rows; `failed` gives key, month, faults."""
    found = reader.pl(
        f"""
        with newest as (
            select distinct year(day) * 100 + month(day) as month from _quality_sent where day is not null
            order by month desc limit {TREND_MONTHS}
        ),
        sent as (
            select *, substr(ma_cskcb, 1, 2) as province, year(day) * 100 + month(day) as month from _quality_sent
            where month in (from newest)
        ),
        failed as (
            select *, substr(ma_cskcb, 1, 2) as province, year(day) * 100 + month(day) as month from _quality_failed
            where month in (from newest)
        ),
        own as (from failed anti join _quality_shared using (check_id)),
        s as ({sent}), f as ({failed})
        select s.{key} as of_what, s.month, s.rows, coalesce(f.faults, 0) as faults
        from s left join f using ({key}, month) order by of_what, s.month
        """,
        list(params),
    )
    trends: dict[str, list[Month]] = {}
    for of_what, month, rows, faults in found.iter_rows():
        trends.setdefault(of_what, []).append(Month(month=month, rows=rows, faults=faults))
    return {of_what: tuple(months) for of_what, months in trends.items()}


def _tables(reader: Reader, facility: str, month: int | None) -> tuple[TableScore, ...]:
    in_month = _month_sql(month)
    rows = reader.pl(
        f"""
        with sent as (
            select line_table, sum(rows_read)::bigint as rows_read, sum(rows_loaded)::bigint as rows_loaded
            from received where ma_cskcb = ? and {in_month} group by 1
        ),
        wrong as (
            select line_table, sum(failed)::bigint as faults from _quality_own
            where ma_cskcb = ? and severity <> 'info' and {in_month} group by 1
        )
        select line_table, rows_read, rows_loaded, coalesce(faults, 0) as faults
        from sent left join wrong using (line_table)
        """,
        [facility, facility],
    )
    trends = _months(
        reader,
        "line_table",
        "select line_table, month, sum(rows)::bigint as rows from sent where ma_cskcb = ? group by all",
        "select line_table, month, sum(failed)::bigint as faults from own where ma_cskcb = ? "
        "and severity <> 'info' group by all",
        [facility, facility],
    )
    found = [TableScore(**row, months=trends.get(row["line_table"], ())) for row in rows.iter_rows(named=True)]
    return tuple(sorted(found, key=lambda t: int(t.source.removeprefix("XML"))))


def _faults(
    reader: Reader, facility: str, month: int | None, tables: Sequence[TableScore], ticketed: frozenset[str]
) -> tuple[FaultScore, ...]:
    in_month = _month_sql(month)
    rows = reader.pl(
        f"""
        with found as (
            select check_id, any_value(line_table) as line_table, any_value(field) as field, any_value(code) as code,
                   any_value(severity) as severity, sum(failed)::bigint as failed, sum(claims)::bigint as claims,
                   min(day) as since, max(day) as until,
                   bool_or(check_id in (select check_id from _quality_shared)) as shared
            from _quality_failed where ma_cskcb = ? and {in_month} group by check_id
        )
        from found order by {_GRAVITY}, failed desc, check_id
        """,
        [facility],
    )
    trends = _months(
        reader,
        "check_id",
        "select check_id, s.month, s.rows from (select line_table, month, sum(rows)::bigint as rows from sent "
        "where ma_cskcb = ? group by all) s join (select distinct check_id, line_table from _quality_failed "
        "where ma_cskcb = ?) using (line_table)",
        "select check_id, month, sum(failed)::bigint as faults from failed where ma_cskcb = ? group by all",
        [facility] * 3,
    )
    shown = _examples(reader, f"ma_cskcb = ? and {in_month}", [facility])
    sent = {table.line_table: table.rows_read for table in tables}
    return tuple(
        FaultScore(
            **row,
            rows=sent.get(row["line_table"], 0),
            ticket=row["check_id"] in ticketed,
            months=trends.get(row["check_id"], ()),
            examples=shown.get((facility, row["check_id"]), ()),
        )
        for row in rows.iter_rows(named=True)
    )


def _ticket_rows(
    reader: Reader, facility: str | None, month: int | None, where: str, params: Sequence[Any]
) -> pl.DataFrame:
    found = tickets(reader, facility, where=where, params=params)
    if month is None:
        return found
    first = date(month // 100, month % 100, 1)
    after = date(month // 100 + month % 100 // 12, month % 100 % 12 + 1, 1)
    return found.filter((pl.col("since") < after) & (pl.col("until") >= first))


def _tickets(
    reader: Reader, facility: str | None, month: int | None, where: str, params: Sequence[Any]
) -> tuple[Ticket, ...]:
    rows = _ticket_rows(reader, facility, month, where, params)
    own, more = _limits(facility, where, params)
    within = (
        "exists (from _quality_ticket t where t.ma_cskcb = f.ma_cskcb and t.check_id = f.check_id "
        f"and (t.since is null or f.day between t.since and t.until)) and {own}"
    )
    shown = _examples(reader, within, more)
    return tuple(
        Ticket(**row, examples=shown.get((row["ma_cskcb"], row["check_id"]), ())) for row in rows.iter_rows(named=True)
    )


def _examples(reader: Reader, where: str, params: Sequence[Any]) -> dict[tuple[str, str], tuple[Example, ...]]:
    """The newest examples by facility and check, each of another day where there are so many days."""
    rows = reader.pl(
        f"""
        select ma_cskcb, check_id, example_ma_lk, example_row_no, day, example_value from (
            select *, row_number() over (partition by ma_cskcb, check_id, day order by load_id desc) as turn
            from (select *, substr(ma_cskcb, 1, 2) as province from fault) f where {where}
        )
        qualify row_number() over (
            partition by ma_cskcb, check_id order by turn, day desc nulls last, example_ma_lk, example_row_no
        ) <= {EXAMPLES}
        order by ma_cskcb, check_id, day desc nulls last, example_ma_lk, example_row_no
        """,
        list(params),
    )
    found: dict[tuple[str, str], list[Example]] = {}
    for facility, check_id, ma_lk, row_no, day, value in rows.iter_rows():
        found.setdefault((facility, check_id), []).append(Example(ma_lk=ma_lk, row_no=row_no, day=day, value=value))
    return {key: tuple(shown) for key, shown in found.items()}


def _shared(reader: Reader) -> tuple[Shared, ...]:
    rows = reader.pl(f"select * from _quality_shared order by {_GRAVITY}, claims desc, check_id")
    return tuple(Shared(**row) for row in rows.iter_rows(named=True))


def _files(reader: Reader) -> tuple[FileFault, ...]:
    rows = reader.pl(
        """
        select code, severity, count(*) as times, count(distinct file) as files,
               coalesce(min(file), '') as example, coalesce(any_value(hint_vi order by file, hoso_no), '') as hint_vi,
               coalesce(any_value(hint_en order by file, hoso_no), '') as hint_en
        from intake_finding where starts_with(check_id, 'FILE.') group by code, severity order by times desc, code
        """
    )
    return tuple(FileFault(**row) for row in rows.iter_rows(named=True))
