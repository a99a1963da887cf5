"""Examinations of a doctor or a facility within a day or an hour: more than can be done, or too close together."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.asof import as_of
from data.schema import reused
from detectors.base import clear, hit, not_evaluable, rule
from detectors.doctor_time import ORDER, examinations, shares_beyond
from detectors.examples import EXAM_PRICE, exam, listed, visit
from detectors.expressions import catalogue, minutes_between, money
from detectors.facts import facts

if TYPE_CHECKING:
    from data.schema import ClaimTables
    from detectors.examples import Row

DOCTOR = facts("EXAM-08")
TABLES = facts("EXAM-09")
CLOSE = facts("EXAM-10")
HOUR = facts("EXAM-16")

_FUND = EXAM_PRICE * 0.8
_NEEDS = ("encounter.ngay_vao", "encounter.ngay_ra", "service_line.ma_nhom", "service_line.ngay_yl")
_WITHIN_VI = (
    "Lượt khám tính theo lúc thực hiện, nếu lúc đó nằm trong đợt; nhiều lần khám của một bác sĩ trong một ngày của "
    "một đợt tính là một. "
)
_WITHIN_EN = (
    "An examination is counted at the time it was done, where that lies within its encounter; several by one doctor "
    "in one encounter's day are one. "
)
_EXEMPT_VI = "Thảm họa và dịch bệnh, được loại trừ, thì ở đây không biết. "
_EXEMPT_EN = "Disasters and epidemics, which are exempt, are not known here. "


def _queue(
    count: int,
    *,
    every: float,
    start: str = "2025-03-10 07:00",
    turns: bool = False,
    typed: bool = False,
    **fields: Any,
) -> tuple[Row, ...]:
    """`count` people examined one after the other, one each `every` minutes.

    With `turns` four doctors take turns; `typed` encounters begin and end as they are typed.
    """
    told: list[Row] = []
    for n in range(count):
        at = datetime.fromisoformat(start) + timedelta(minutes=n * every)
        arrived = at if typed else at - timedelta(minutes=10)
        who = {"patient_id": f"P{n}", "ma_bn": f"BN{n}"}
        doctor = {"doctor": f"{n % 4:03}/CCHN"} if turns else {}
        line: dict[str, Any] = {"ngay_yl": at, "ngay_th_yl": at, **doctor, **fields}
        told += [visit(arrived.isoformat(" "), minutes=1 if typed else 60, **who), exam(**line)]
    return tuple(told)


def _over_capacity(seen: nw.LazyFrame[Any], *of: str, limit: nw.Expr | float, hours: float) -> nw.LazyFrame[Any]:
    """Rows of `seen` whose `turn` among those of the same `of` is above `limit` for `hours`, or for the hours since."""
    since = minutes_between(nw.col("at").min().over(*of), nw.col("at")) / 60
    worked = nw.when(since > hours).then(since).otherwise(nw.lit(float(hours)))
    return (
        seen.with_columns(turn=nw.col("ma_lk").cum_count().over(*of, order_by=ORDER), worked=worked)
        .with_columns(allowed=nw.col("worked") / hours * limit)
        .filter(nw.col("turn") > nw.col("allowed"))
    )


@rule(
    id="EXAM-08",
    version=1,
    context="facility",
    scheme="EXAM_OVER_65",
    severity="warn",
    title_vi="Bác sĩ vượt 65 lượt khám/ngày",
    title_en="More than 65 exams per doctor-day",
    reason_vi="Lượt khám thứ {observed} trong ngày của bác sĩ (mức thanh toán đủ giá {allowed} lượt).",
    reason_en="Examination number {observed} of the doctor's day (paid in full up to {allowed}).",
    legal_basis="TT35/2016 Đ4b",
    needs=_NEEDS,
    known_gaps_vi=(
        f"{_WITHIN_VI}{_EXEMPT_VI}Tính cho một bác sĩ trong một khoa; hai bác sĩ dùng chung mã trông cũng như vậy. Giờ "
        "làm quá tám giờ trong ngày thì nâng mức giới hạn, tính từ lượt khám đầu của bác sĩ, kể cả giờ nghỉ. Không "
        "xét tệp chỉ ghi ngày vào và ngày ra."
    ),
    known_gaps_en=(
        f"{_WITHIN_EN}{_EXEMPT_EN}Counted for a doctor in a department; two doctors who share one code look the same. "
        "Hours of the day beyond eight raise the limit, counted from the doctor's first examination, breaks included. "
        "Files that know only the day of arrival and leaving are not judged."
    ),
    examples=(
        hit("lượt thứ 66 trong ngày", "the sixty-sixth of the day", *_queue(66, every=6), amount=_FUND / 2),
        clear("65 lượt", "sixty-five", *_queue(65, every=6)),
        clear("70 lượt trong 12 giờ", "seventy in twelve hours", *_queue(70, every=10)),
        clear("70 lượt chia cho bốn bác sĩ", "seventy among four doctors", *_queue(70, every=6, turns=True)),
        not_evaluable(
            "thiếu thời điểm y lệnh", "no time of order", *_queue(66, every=6, ngay_yl=None, ngay_th_yl=None)
        ),
    ),
)
def exams_over_doctor_day(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid examinations of a doctor's day in a department, by time, after those that its hours allow."""
    of = ("ma_cskcb", "ma_khoa", "doctor", "date")
    seen = examinations(tables, "ma_khoa", clock=False, of=("ma_cskcb", "doctor", "date"), least=DOCTOR.limit)
    found = _over_capacity(seen, *of, limit=DOCTOR.limit, hours=DOCTOR.hours)
    return shares_beyond(found, share=DOCTOR.share, observed=nw.col("turn"), allowed=nw.col("allowed"))


def _facility(tables: int | None = 1, **fields: Any) -> Row:
    told: dict[str, Any] = {"ma_cskcb": "01001", "exam_tables": tables, **fields}
    return listed("facilities", **told)


@rule(
    id="EXAM-09",
    version=1,
    context="facility",
    scheme="EXAM_OVER_65",
    severity="deny",
    title_vi="Bàn khám vượt 65 lượt/8 giờ theo danh mục",
    title_en="More than 65 per table per 8 hours",
    reason_vi="Lượt khám thứ {observed} trong ngày của cơ sở; số bàn khám đã khai cho phép {allowed} lượt.",
    reason_en="Examination number {observed} of the facility's day; its declared tables allow {allowed}.",
    legal_basis="TT35/2016 Đ4b",
    needs=_NEEDS,
    catalogues=("facilities",),
    known_gaps_vi=(
        f"{_WITHIN_VI}{_EXEMPT_VI}Danh mục chỉ ghi số bàn khám của cả cơ sở, không ghi theo khoa: một khoa vượt riêng "
        "thì không thấy. Bỏ qua cơ sở không có số bàn khám. Giờ làm quá tám giờ, tính từ lượt khám đầu trong ngày của "
        "cơ sở, thì nâng mức giới hạn. Việc không thanh toán toàn bộ phần vượt sau ba tháng liên tiếp chưa được tính: "
        "chỉ tính một nửa."
    ),
    known_gaps_en=(
        f"{_WITHIN_EN}{_EXEMPT_EN}The facility catalogue gives the tables of the whole facility, not of a department: "
        "one department beyond its own is not seen. Facilities without a number of tables are passed over. Hours "
        "beyond eight, from the facility's first examination of the day, raise the limit. That the excess is not paid "
        "at all after three such months is not counted: half is."
    ),
    examples=(
        hit(
            "một bàn khám, 66 người",
            "one table, sixty-six people",
            _facility(),
            *_queue(66, every=6, turns=True),
            amount=_FUND / 2,
        ),
        clear("hai bàn khám", "two tables", _facility(2), *_queue(66, every=6, turns=True)),
        clear("một bàn khám, 65 người", "one table, sixty-five people", _facility(), *_queue(65, every=6, turns=True)),
        clear("không biết số bàn khám", "number of tables unknown", _facility(None), *_queue(66, every=6)),
        not_evaluable(
            "thiếu thời điểm y lệnh",
            "no time of order",
            _facility(),
            *_queue(66, every=6, ngay_yl=None, ngay_th_yl=None),
        ),
    ),
)
def exams_over_tables(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid examinations of a facility's day, by time, after those that its tables and hours allow."""
    place = ["ma_cskcb", "date"]
    seen = reused(examinations(tables, clock=False, of=place, least=TABLES.limit))
    rooms = as_of(
        seen.select(*place).unique(place),
        catalogue(tables, "facilities"),
        on=("ma_cskcb",),
        day="date",
        take=("exam_tables",),
        prefix="held_",
    ).filter(nw.col("held_exam_tables") > 0)
    found = _over_capacity(
        seen.join(rooms, on=place, how="inner"),
        *place,
        limit=money("held_exam_tables") * TABLES.limit,
        hours=TABLES.hours,
    )
    return shares_beyond(found, share=TABLES.share, observed=nw.col("turn"), allowed=nw.col("allowed"))


@rule(
    id="EXAM-10",
    version=1,
    context="facility",
    scheme="EXAM_TOO_SHORT",
    severity="warn",
    title_vi="Khoảng cách giữa các lượt khám quá ngắn",
    title_en="Gaps between exams too short",
    reason_vi="{observed}% khoảng cách giữa các lượt khám của bác sĩ từ đầu ngày ngắn hơn 2 phút (ngưỡng {allowed}%).",
    reason_en="{observed}% of the gaps between the doctor's examinations of the day are under 2 minutes ({allowed}%).",
    legal_basis="TT12/2026 Đ10 k1 i",
    needs=_NEEDS,
    known_gaps_vi=(
        f"{_WITHIN_VI}39 lượt đầu trong ngày không mang dấu hiệu: đến lượt thứ 40 mới đủ. Bỏ qua đợt bắt đầu và kết "
        "thúc trong vòng hai phút: đó là giờ nhập máy. Người phụ ký tên bác sĩ trông cũng như vậy."
    ),
    known_gaps_en=(
        f"{_WITHIN_EN}The first 39 of the day carry no sign: it is complete with the fortieth. Encounters that begin "
        "and end within two minutes are left out: those are times of typing. An assistant who signs in the doctor's "
        "name looks the same."
    ),
    examples=(
        hit("lượt thứ 40, mỗi phút một lượt", "the fortieth, one a minute", *_queue(40, every=1), amount=_FUND),
        clear("39 lượt", "thirty-nine", *_queue(39, every=1)),
        clear("40 lượt, năm phút một lượt", "forty, one each five minutes", *_queue(40, every=5)),
        clear("40 lượt chia cho bốn bác sĩ", "forty among four doctors", *_queue(40, every=1, turns=True)),
        not_evaluable(
            "thiếu thời điểm y lệnh", "no time of order", *_queue(40, every=1, ngay_yl=None, ngay_th_yl=None)
        ),
    ),
)
def exams_too_close(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid examinations that follow 39 others of the doctor's day, most of them less than two minutes apart."""
    of = ("ma_cskcb", "doctor", "date")
    found = (
        _cared_for(examinations(tables, of=of, least=CLOSE.n), CLOSE.typed_min)
        .with_columns(previous=nw.col("at").shift(1).over(*of, order_by=ORDER))
        .with_columns(
            turn=nw.col("ma_lk").cum_count().over(*of, order_by=ORDER),
            short=nw.when(minutes_between(nw.col("previous"), nw.col("at")) < CLOSE.median_min)
            .then(nw.lit(1.0))
            .otherwise(nw.lit(0.0)),
        )
        .with_columns(shorts=nw.col("short").cum_sum().over(*of, order_by=ORDER))
        .filter(nw.col("turn") >= CLOSE.n)
        .with_columns(share=nw.col("shorts") / (nw.col("turn") - 1))
        .filter(nw.col("share") > 0.5)  # the median gap is short when more than half of the gaps are
    )
    return shares_beyond(found, share=nw.col("share"), observed=nw.col("share") * 100, allowed=50)


@rule(
    id="EXAM-16",
    version=1,
    context="facility",
    scheme="EXAM_OVER_65",
    severity="info",
    title_vi="Số lượt khám trong một giờ vượt khả năng",
    title_en="Exams per doctor-hour beyond ability",
    reason_vi="Lượt khám thứ {observed} trong một giờ của bác sĩ (ngưỡng {allowed} lượt).",
    reason_en="Examination number {observed} within an hour of the doctor (threshold {allowed}).",
    legal_basis="TT12/2026 Đ10 k1 i",
    needs=_NEEDS,
    known_gaps_vi=(
        f"{_WITHIN_VI}Tính theo giờ đồng hồ, không phải 60 phút bất kỳ. Bỏ qua đợt bắt đầu và kết thúc trong vòng hai "
        "phút: đó là giờ nhập máy. Người phụ ký tên bác sĩ trông cũng như vậy."
    ),
    known_gaps_en=(
        f"{_WITHIN_EN}Hours of the clock, not any sixty minutes. Encounters that begin and end within two minutes are "
        "left out: those are times of typing. An assistant who signs in the doctor's name looks the same."
    ),
    examples=(
        hit("16 lượt trong một giờ", "sixteen in an hour", *_queue(16, every=3), amount=_FUND / 2),
        clear("15 lượt", "fifteen", *_queue(15, every=3)),
        clear("16 lượt trong hai giờ", "sixteen in two hours", *_queue(16, every=6)),
        clear("16 lượt chia cho bốn bác sĩ", "sixteen among four doctors", *_queue(16, every=3, turns=True)),
        clear("nhập lại sau sự cố mất mạng", "typed after an outage", *_queue(20, every=1, typed=True)),
        not_evaluable(
            "thiếu thời điểm y lệnh", "no time of order", *_queue(16, every=3, ngay_yl=None, ngay_th_yl=None)
        ),
    ),
)
def exams_over_hour(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid examinations of a doctor's clock hour, by time, after those that can be done in it."""
    of = ("ma_cskcb", "doctor", "hour")
    found = (
        _cared_for(examinations(tables, of=("ma_cskcb", "doctor", "date"), least=HOUR.max), HOUR.typed_min)
        .with_columns(hour=nw.col("at").dt.truncate("1h"))
        .with_columns(turn=nw.col("ma_lk").cum_count().over(*of, order_by=ORDER))
        .filter(nw.col("turn") > HOUR.max)
    )
    return shares_beyond(found, share=HOUR.share, observed=nw.col("turn"), allowed=HOUR.max)


def _cared_for(seen: nw.LazyFrame[Any], typed: float) -> nw.LazyFrame[Any]:
    """Without encounters that are over within `typed` minutes: after an outage claims bear the times of typing."""
    return seen.filter(minutes_between(nw.col("e_ngay_vao"), nw.col("e_ngay_ra")) > typed)
