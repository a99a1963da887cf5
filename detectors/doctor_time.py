"""Words for rules on the time of a doctor, a team or a room: which lines count, whose they are, and when they were.

A rule that looks at other patients' claims may use nothing dated after the judged claim ended, and the later of two
claims carries the sign. Both hold of themselves when every line counted lies inside its own encounter: of two such
lines the later one's encounter ends after it, and the earlier one's began before that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.schema import ENCOUNTER_KEY, reused
from detectors.expressions import (
    EXAM,
    SERVICES,
    SURGERY,
    carried_out,
    clockless,
    day,
    family,
    line_hits,
    lines,
    minutes_between,
    money,
    with_encounter,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from data.schema import ClaimTables
    from detectors.facts import Facts

KEY: list[str] = list(ENCOUNTER_KEY)
LINE = [*KEY, "line_table", "row_no"]
ORDER = ["at", "ma_lk", "row_no"]
"""The order in which lines of a facility came: a full one, so that engines agree and exactly one of two is later."""

PROCEDURE = 18


def timed(
    tables: ClaimTables,
    groups: Sequence[int],
    *columns: str,
    clock: bool = True,
    patient: bool = False,
) -> nw.LazyFrame[Any]:
    """Paid service lines of cost groups done `at` a time inside their encounter, with its `e_ngay_vao`, `e_ngay_ra`.

    With `clock` a time written as midnight is left out: it says the day only. With `patient` there is `e_patient_id`.
    """
    known = list(dict.fromkeys(("ma_nhom", "t_bhtt", *columns)))
    own = [column for column in ("ngay_yl", "ngay_th_yl") if column not in known]
    found = (
        lines(tables, SERVICES, *known, *own)
        .filter(nw.col("ma_nhom").is_in(list(groups)), money("t_bhtt") > 0)
        .with_columns(at=carried_out())
    )
    if clock:
        found = found.filter(~clockless(nw.col("at")))
    joined = with_encounter(found, tables, "ngay_vao", "ngay_ra", *(("patient_id",) if patient else ()))
    return joined.filter(nw.col("at") >= nw.col("e_ngay_vao"), nw.col("at") < nw.col("e_ngay_ra")).with_columns(
        date=day(nw.col("at"))
    )


def person(column: str) -> nw.Expr:
    """The first practitioner named in a list joined by semicolons; null where none is."""
    first = nw.col(column).str.split(";").list.get(0).str.strip_chars()
    return nw.when(first != "").then(first)


def examinations(
    tables: ClaimTables, *columns: str, clock: bool = True, of: Sequence[str] = (), least: float = 0
) -> nw.LazyFrame[Any]:
    """Paid examinations with their `doctor`; of several by one doctor in one encounter's day, the first.

    Groups `of` without `least` lines are left out; they are a doctor's day, or wider.
    """
    own = ["ma_cskcb", "ma_lk", "doctor", "date"]
    told = timed(tables, (EXAM,), "doctor", *columns, clock=clock).filter(nw.col("doctor").str.strip_chars() != "")
    if of:  # lines are at least as many as examinations, and few groups are crowded: the rest need no ordering
        told = reused(told)
        crowded = told.group_by(*of).agg(n=nw.len()).filter(nw.col("n") >= least).select(*of)
        told = told.join(crowded, on=list(of), how="semi")
    return told.with_columns(turn=nw.col("ma_lk").cum_count().over(*own, order_by=ORDER)).filter(nw.col("turn") == 1)


def operations(tables: ClaimTables, known: Facts, *, procedures: bool = False) -> nw.LazyFrame[Any]:
    """Paid operations, with `procedures` also those that bind the hands of whoever does them, from `at` to `until`.

    Operations are group 8 of today's format and, by name (`known.operation`), of the older one, whose group 8 held
    procedures too. Procedures are told by name (`known.hands_on`): most run by themselves. What lasts longer than
    `known.longest_h` is taken for a slip. An end after leaving is cut there.
    """
    named = family(tables, "service_line", known.operation)
    bound = (nw.col("ma_nhom") == SURGERY) & ((nw.col("standard") == "130") | named)
    if procedures:
        hands = family(tables, "service_line", known.hands_on)
        bound |= hands & ~family(tables, "service_line", known.hands_on_not)
    length = minutes_between(nw.col("at"), nw.col("until"))
    groups = (SURGERY, PROCEDURE) if procedures else (SURGERY,)
    return (
        timed(tables, groups, "ten_dich_vu", "ngay_kq", "nguoi_thuc_hien", "standard")
        .filter(~nw.col("ngay_kq").is_null(), ~nw.col("nguoi_thuc_hien").is_null(), bound)
        .with_columns(until=ended())
        .filter(length > 0, length <= known.longest_h * 60)
    )


def ended() -> nw.Expr:
    """When a line of `timed` ended: its result's time, or the time of leaving where that comes first."""
    done, left = nw.col("ngay_kq"), nw.col("e_ngay_ra")
    return nw.when(done > left).then(left).otherwise(done)


def simultaneous(busy: nw.LazyFrame[Any], *, longer_than: float) -> nw.LazyFrame[Any]:
    """Lines of `busy` (`at`, `until`, `person`) that begin while the person is at an earlier one of another claim.

    One row a line: `overlap` minutes (the longest) and `other`, what the fund pays for the earlier one (the most).
    Sorting finds the candidates; only these meet their pairs, within a person and a day.
    """
    who = ["ma_cskcb", "person"]
    kept = busy.select(*LINE, "person", "at", "until", "t_bhtt")
    swept = (
        kept.with_columns(reached=nw.col("until").cum_max().over(*who, order_by=ORDER))
        .with_columns(reached=nw.col("reached").shift(1).over(*who, order_by=ORDER))
        .filter(minutes_between(nw.col("at"), nw.col("reached")) > longer_than)
        .drop("reached")
        .with_columns(date=day(nw.col("at")))
    )
    earlier = work_by_day(kept).select(*who, "date", p_ma_lk="ma_lk", p_at="at", p_until="until", other=money("t_bhtt"))
    ends = nw.when(nw.col("p_until") < nw.col("until")).then(nw.col("p_until")).otherwise(nw.col("until"))
    before = (nw.col("p_at") < nw.col("at")) | (
        (nw.col("p_at") == nw.col("at")) & (nw.col("p_ma_lk") < nw.col("ma_lk"))
    )
    return (
        swept.join(earlier, on=[*who, "date"], how="inner")
        .filter(nw.col("p_ma_lk") != nw.col("ma_lk"), before)
        .with_columns(overlap=minutes_between(nw.col("at"), ends))
        .filter(nw.col("overlap") > longer_than)
        .group_by(*LINE)
        .agg(nw.col("overlap").max(), nw.col("other").max(), nw.col("t_bhtt").max())
    )


def work_by_day(busy: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """`busy` once for each `date` it touches: the day it begins, and the day it ends when that is another."""
    begins = busy.with_columns(date=day(nw.col("at")))
    ends = busy.with_columns(date=day(nw.col("until"))).filter(nw.col("date") > nw.col("at"))
    return nw.concat([begins, ends], how="vertical")


def shares_beyond(
    frame: nw.LazyFrame[Any], *, share: nw.Expr | float, observed: nw.Expr, allowed: nw.Expr | float
) -> nw.LazyFrame[Any]:
    """Signs on lines of which a `share` (0 to 1) of the fund's money is at risk."""
    limit = allowed if isinstance(allowed, nw.Expr) else nw.lit(float(allowed))
    return line_hits(frame, amount=money("t_bhtt") * share, observed=observed, allowed=limit)
