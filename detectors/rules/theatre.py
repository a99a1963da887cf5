"""Operating theatre: one person at two tables at once, and more operations than a day, or the facility, usually has.

These rules compare claims of different patients of one facility. Of two that cannot both be true, the one that begins
later carries the sign.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.schema import ENCOUNTER_KEY
from detectors.base import clear, hit, not_evaluable, rule
from detectors.examples import EXAM_PRICE, SURGERY_PRICE, exam, stay, surgery, visit
from detectors.expressions import (
    EXAM,
    SERVICES,
    carried_out,
    clockless,
    day,
    line_hits,
    lines,
    minutes_between,
    money,
    named_service,
    within_stay,
)
from detectors.facts import facts
from detectors.overlaps import minutes_taken, taken

if TYPE_CHECKING:
    from data.schema import ClaimTables
    from detectors.examples import Row
    from detectors.facts import Facts

KEY: list[str] = list(ENCOUNTER_KEY)
LINE = [*KEY, "line_table", "row_no"]
_FUND = SURGERY_PRICE * 0.8
_OPERATION = ("service_line.nguoi_thuc_hien", "service_line.ngay_kq")
_TIMES = "Times typed by hand after the fact look like overlaps; lines without a clock time are passed over."


def _operations(tables: ClaimTables, known: Facts) -> nw.LazyFrame[Any]:
    """Paid operations with a start and an end by the clock, and all who carried them out (`team`)."""
    start, end = nw.col("start"), nw.col("end")
    told = lines(tables, SERVICES, "ma_nhom", "nguoi_thuc_hien", "ngay_th_yl", "ngay_yl", "ngay_kq", "t_bhtt")
    told = told.filter(nw.col("ma_nhom").is_in(known.groups), money("t_bhtt") > 0, ~nw.col("nguoi_thuc_hien").is_null())
    return (
        within_stay(told, tables, carried_out())
        .with_columns(start=carried_out(), end=nw.col("ngay_kq"), team=nw.col("nguoi_thuc_hien").str.split(";"))
        .filter(end > start, ~clockless(start), minutes_between(start, end) <= known.longest_hours * 60)
        .select(*LINE, "t_bhtt", "start", "end", "team")
    )


def _people(operations: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """`operations` once for everybody who carried them out (`person`)."""
    return (
        operations.explode("team")
        .with_columns(person=nw.col("team").str.strip_chars())
        .filter(nw.col("person") != "")
        .drop("team")
        .unique([*LINE, "person"])
    )


def _first(operations: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """`operations` with the one named first (`person`)."""
    first = nw.col("team").list.get(0).str.strip_chars()
    return operations.with_columns(person=first).filter(nw.col("person") != "").drop("team")


def _overlapping(operations: nw.LazyFrame[Any], known: Facts, *, share: float = 1.0) -> nw.LazyFrame[Any]:
    """Signs on operations that overlap an earlier one of the same person by more than the rule allows."""
    both = taken(operations, ["ma_cskcb", "person"]).with_columns(both=minutes_taken())
    found = both.filter(nw.col("both") > known.minutes)
    once = found.group_by(*LINE).agg(nw.col("both").max(), paid=money("t_bhtt").max(), t_bhtt=nw.col("t_bhtt").max())
    return line_hits(once, amount=nw.col("paid") * share, observed=nw.col("both"), allowed=nw.lit(float(known.minutes)))


_A: Row = stay(at="2025-03-10 07:00", patient_id="P2")
_B: Row = stay(at="2025-03-10 07:30")


@rule(
    id="STF-06",
    version=1,
    scheme="DOCTOR_TIME_OVERLAP",
    severity="warn",
    title_vi="Một phẫu thuật viên chính mổ hai người cùng lúc",
    title_en="Overlapping surgeries of one surgeon",
    reason_vi="Người thực hiện chính đang mổ người bệnh khác: trùng {observed} phút (cho phép {allowed}); {amount}.",
    reason_en="The first surgeon was at another patient's table: {observed} minutes at once, {allowed} pass; {amount}.",
    legal_basis="TT12/2026 Đ10 k1 g; ND90 Đ86",
    context="facility",
    needs=_OPERATION,
    known_gaps=(
        _TIMES
        + " Procedures (group 18) are not looked at: one person attends several at once. A surgeon who leaves the "
        "closing to the team overlaps for a few minutes, which are allowed."
    ),
    examples=(
        hit(
            "two tables",
            _A,
            surgery("2025-03-10 09:00", minutes=90),
            _B,
            surgery("2025-03-10 09:30", minutes=90),
            amount=_FUND,
        ),
        clear("one after the other", _A, surgery("2025-03-10 09:00"), _B, surgery("2025-03-10 10:00")),
        clear("closing left to the team", _A, surgery("2025-03-10 09:00"), _B, surgery("2025-03-10 09:50")),
        clear(
            "another surgeon",
            _A,
            surgery("2025-03-10 09:00", minutes=90),
            _B,
            surgery("2025-03-10 09:30", nguoi_thuc_hien="009/CCHN"),
        ),
        clear("two operations on one patient", _B, surgery("2025-03-10 09:00"), surgery("2025-03-10 09:10")),
        not_evaluable("no end", _A, surgery("2025-03-10 09:00"), _B, surgery("2025-03-10 09:30", ngay_kq=None)),
    ),
)
def two_tables(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Operations that begin while their first surgeon is at another patient's."""
    known = facts("STF-06")
    return _overlapping(_first(_operations(tables, known)), known)


@rule(
    id="STF-11",
    version=1,
    scheme="DOCTOR_TIME_OVERLAP",
    severity="info",
    title_vi="Thành viên kíp mổ trùng hai ca",
    title_en="Team member in two operations",
    reason_vi="Một người trong kíp đang ở ca mổ khác: trùng {observed} phút (cho phép {allowed}); {amount}.",
    reason_en="A member of the team was at another operation: {observed} minutes at once, {allowed} pass; {amount}.",
    legal_basis="TT50/2014, định mức nhân lực (unverified); TT12/2026 Đ10 k1 g",
    context="facility",
    needs=_OPERATION,
    known_gaps=_TIMES + " The first named is not looked at: STF-06 does.",
    examples=(
        hit(
            "the same assistant",
            _A,
            surgery("2025-03-10 09:00", minutes=90, nguoi_thuc_hien="008/CCHN;002/CCHN"),
            _B,
            surgery("2025-03-10 09:30", minutes=90),
            amount=0.3 * _FUND,
        ),
        clear(
            "teams of their own",
            _A,
            surgery("2025-03-10 09:00", minutes=90, nguoi_thuc_hien="008/CCHN;009/CCHN"),
            _B,
            surgery("2025-03-10 09:30", minutes=90),
        ),
        not_evaluable(
            "nobody named", _A, surgery("2025-03-10 09:00"), _B, surgery("2025-03-10 09:30", nguoi_thuc_hien=None)
        ),
    ),
)
def team_at_two_tables(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Operations that begin while one of the team, not the first named, is at another patient's."""
    known = facts("STF-11")
    operations = _operations(tables, known)
    leads = _first(operations).select(*LINE, "person")
    others = _people(operations).join(leads, on=[*LINE, "person"], how="anti")
    return _overlapping(others, known, share=known.share)


@rule(
    id="STF-07",
    version=1,
    scheme="DOCTOR_TIME_OVERLAP",
    severity="warn",
    title_vi="Khám bệnh trong khi đang mổ",
    title_en="Exam during surgery",
    reason_vi="Người khám đang mổ người bệnh khác, còn {observed} phút nữa mới xong; {amount}.",
    reason_en="Who examined was operating on another patient for {observed} minutes more; {amount}.",
    legal_basis="TT12/2026 Đ10 k1 g",
    context="facility",
    needs=("service_line.ma_bac_si", "service_line.ngay_yl"),
    known_gaps=_TIMES + " Only operations of claims that began before are seen.",
    examples=(
        hit(
            "in the middle of an operation",
            _A,
            surgery("2025-03-10 09:00", minutes=90),
            visit(at="2025-03-10 09:25"),
            exam(ngay_yl="2025-03-10 09:30", ngay_th_yl="2025-03-10 09:30"),
            amount=EXAM_PRICE * 0.8,
        ),
        clear(
            "just before the end",
            _A,
            surgery("2025-03-10 09:00", minutes=60),
            visit(at="2025-03-10 09:25"),
            exam(ngay_yl="2025-03-10 09:58", ngay_th_yl="2025-03-10 09:58"),
        ),
        clear(
            "another doctor",
            _A,
            surgery("2025-03-10 09:00", minutes=90),
            visit(at="2025-03-10 09:25"),
            exam(ngay_yl="2025-03-10 09:30", ma_bac_si="005/CCHN"),
        ),
        not_evaluable(
            "no doctor",
            _A,
            surgery("2025-03-10 09:00", minutes=90),
            visit(at="2025-03-10 09:25"),
            exam(ngay_yl="2025-03-10 09:30", ma_bac_si=None),
        ),
    ),
)
def exam_while_operating(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Examinations at a minute at which the doctor is the first surgeon of another patient's operation."""
    known = facts("STF-07")
    away = nw.lit(None, dtype=nw.Float64)
    operations = _first(_operations(tables, known)).select(
        *LINE, "person", at=nw.col("start").dt.offset_by(f"{known.margin}m"), end=nw.col("end"), t_bhtt=away
    )
    exams = (
        lines(tables, SERVICES, "ma_nhom", "ma_bac_si", "ngay_yl", "t_bhtt")
        .filter(nw.col("ma_nhom") == EXAM, money("t_bhtt") > 0, ~nw.col("ma_bac_si").is_null())
        .filter(~clockless(nw.col("ngay_yl")))
    )
    exams = within_stay(exams, tables, nw.col("ngay_yl")).select(
        *LINE,
        person=nw.col("ma_bac_si"),
        at=nw.col("ngay_yl"),
        end=nw.lit(None, dtype=nw.Datetime("us")),
        t_bhtt=money("t_bhtt"),
    )
    own, order = ["ma_cskcb", "person"], ["at", "ma_lk", "row_no"]
    told = nw.concat([operations, exams]).with_columns(until=nw.col("end").cum_max().over(*own, order_by=order))
    told = told.with_columns(until=nw.col("until").fill_null(strategy="forward").over(*own, order_by=order))
    left = told.filter(nw.col("end").is_null()).with_columns(left=minutes_between(nw.col("at"), nw.col("until")))
    return line_hits(
        left.filter(nw.col("left") > known.margin),
        amount=nw.col("t_bhtt"),
        observed=nw.col("left"),
        allowed=nw.lit(float(known.margin)),
    )


def _ranked(found: nw.LazyFrame[Any], *by: str) -> nw.LazyFrame[Any]:
    """`found` (line, date, at) with its place by the clock among those of one `by` and day."""
    where = ["ma_cskcb", *by, "date"]
    return found.with_columns(rank=nw.col("ma_lk").cum_count().over(*where, order_by=["at", "ma_lk", "row_no"]))


_PHACO: Row = {"ten_dich_vu": "Phẫu thuật tán nhuyễn thể thủy tinh bằng siêu âm (Phaco)", "ma_dich_vu": "14.0005.0815"}


def _eyes(count: int) -> tuple[Row, ...]:
    """So many cataract operations of other patients, one every quarter of an hour from seven."""
    told: list[Row] = []
    for n in range(count):
        start = f"2025-03-10 {7 + n // 4:02}:{n % 4 * 15:02}"
        told += [stay(at="2025-03-10 06:00", patient_id=f"E{n}"), surgery(start, minutes=12, **_PHACO)]
    return tuple(told)


@rule(
    id="SRV-41",
    version=1,
    scheme="CATARACT_CAMPAIGN",
    severity="warn",
    title_vi="Phaco hàng loạt trong ngày",
    title_en="Phaco volume per surgeon-day",
    reason_vi="Ca phaco thứ {observed} trong ngày của một phẫu thuật viên (mức {allowed}); {amount}.",
    reason_en="Cataract operation number {observed} of one surgeon that day ({allowed} pass); {amount}.",
    legal_basis="ND90 Đ95; TT35/2016 Đ4d",
    context="facility",
    needs=("service_line.nguoi_thuc_hien",),
    known_gaps="Approved campaigns look the same; a surgeon with two tables may reach the limit in a long day.",
    examples=(
        hit(
            "the twenty-sixth",
            *_eyes(25),
            stay(at="2025-03-10 06:30"),
            surgery("2025-03-10 15:00", **_PHACO),
            amount=_FUND,
        ),
        clear("the twenty-fifth", *_eyes(24), stay(at="2025-03-10 06:30"), surgery("2025-03-10 15:00", **_PHACO)),
        not_evaluable("no surgeon", *_eyes(3), stay(), surgery("2025-03-10 15:00", nguoi_thuc_hien=None)),
    ),
)
def many_eyes(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Cataract operations beyond so many of one surgeon and day."""
    known = facts("SRV-41")
    eyes = (
        lines(tables, SERVICES, "ten_dich_vu", "ma_nhom", "nguoi_thuc_hien", "ngay_th_yl", "ngay_yl", "t_bhtt")
        .filter(nw.col("ma_nhom") == 8, named_service(tables, "SRV-41"), money("t_bhtt") > 0)
        .with_columns(at=carried_out(), person=nw.col("nguoi_thuc_hien").str.split(";").list.get(0))
        .filter(~nw.col("person").is_null(), ~nw.col("at").is_null())
        .with_columns(date=day(nw.col("at")))
    )
    eyes = within_stay(eyes, tables, nw.col("at"))
    late = _ranked(eyes, "person").filter(nw.col("rank") > known.most)
    return line_hits(late, amount=money("t_bhtt"), observed=nw.col("rank"), allowed=nw.lit(float(known.most)))


@rule(
    id="BUR-01",
    version=1,
    scheme="CATARACT_CAMPAIGN",
    severity="info",
    title_vi="Số ca của một phẫu thuật tăng vọt trong ngày",
    title_en="One operation far oftener in a day than the facility has it",
    reason_vi="Ca thứ {observed} trong ngày của cùng một phẫu thuật; nhịp thường lệ của cơ sở: {allowed}; {amount}.",
    reason_en="Number {observed} of one operation that day; by the facility's own usual pace {allowed}; {amount}.",
    legal_basis="ND90 Đ95 (unverified)",
    context="facility",
    needs=("service_line.ma_dich_vu",),
    known_gaps=(
        "A new surgeon, a new table or an approved campaign is a jump too. The pace is that of the month before; a "
        "facility that does it in rows every week has a high pace and is not named."
    ),
    examples=(
        hit(
            "five where there were none for a month",
            *_eyes(4),
            stay(at="2025-03-10 06:30"),
            surgery("2025-03-10 15:00", **_PHACO),
            amount=_FUND,
        ),
        clear(
            "four in a day",
            *_eyes(3),
            stay(at="2025-03-10 06:30"),
            surgery("2025-03-10 15:00", **_PHACO),
        ),
        clear(
            "different operations",
            *_eyes(4),
            stay(at="2025-03-10 06:30"),
            surgery("2025-03-10 15:00"),
        ),
        not_evaluable("no code", stay(), surgery("2025-03-10 15:00", ma_dich_vu=None)),
    ),
)
def burst(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Operations beyond what a day of the facility may hold, by its own month before."""
    known = facts("BUR-01")
    which = ["ma_cskcb", "ma_dich_vu"]
    done = (
        lines(tables, SERVICES, "ma_dich_vu", "ma_nhom", "ngay_th_yl", "ngay_yl", "t_bhtt")
        .filter(nw.col("ma_nhom").is_in(known.groups), money("t_bhtt") > 0, ~nw.col("ma_dich_vu").is_null())
        .with_columns(at=carried_out())
        .filter(~nw.col("at").is_null())
        .with_columns(date=day(nw.col("at")))
    )
    done = within_stay(done, tables, nw.col("at"))
    ranked = _ranked(done, "ma_dich_vu")
    crowded = ranked.filter(nw.col("rank") > known.least)
    days = done.group_by(*which, "date").agg(count=nw.col("ma_lk").count())
    earlier = days.select(*which, past="date", seen="count")
    busy = crowded.select(*which, "date").unique([*which, "date"])
    back = minutes_between(nw.col("past"), nw.col("date")) / 1440
    pace = (
        busy.join(earlier, on=which, how="inner")
        .filter(back > 0, back <= known.days)
        .group_by(*which, "date")
        .agg(seen=nw.col("seen").sum().cast(nw.Float64))
        .with_columns(usual=nw.col("seen") / known.days * known.times)
        .select(*which, "date", "usual")
    )
    most = nw.max_horizontal(nw.col("usual").fill_null(0.0), nw.lit(float(known.least)))
    over = crowded.join(pace, on=[*which, "date"], how="left").with_columns(most=most)
    over = over.filter(nw.col("rank") > nw.col("most"))
    return line_hits(over, amount=money("t_bhtt"), observed=nw.col("rank"), allowed=nw.col("most"))
