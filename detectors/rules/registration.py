"""Who comes when: bursts at the registration desk, days of strangers, stays cut where a period ends."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.schema import ENCOUNTER_KEY
from detectors.base import clear, hit, not_evaluable, rule
from detectors.examples import EXAM_PRICE, bed, exam, stay, visit
from detectors.expressions import OUTPATIENT, care_type, clockless, day, days_between, encounter_hits, money
from detectors.facts import facts
from detectors.past_days import WINDOW, with_past_days

if TYPE_CHECKING:
    from data.schema import ClaimTables
    from detectors.examples import Row

BURST = facts("EXAM-15")
STRANGERS = facts("CHK-03")
PERIOD = facts("REA-03")

KEY: list[str] = list(ENCOUNTER_KEY)
ARRIVED = ["ngay_vao", "ma_lk"]
_NEEDS = ("encounter.ma_loai_kcb", "encounter.ngay_vao", "encounter.ngay_ra")
_PAST_VI = "Nhịp thường của cơ sở là của 30 ngày trước, phải có ít nhất 10 ngày có lượt khám. "
_PAST_EN = "The facility's habit is that of the thirty days before, of which there must be ten with visits. "


def _arrivals(tables: ClaimTables, *columns: str, clock: bool = True) -> nw.LazyFrame[Any]:
    """Outpatient visits by the `date` they arrived, those that end after they begin."""
    arrived, left = nw.col("ngay_vao"), nw.col("ngay_ra")
    found = tables.encounter.select(*KEY, "ma_loai_kcb", "ngay_vao", "ngay_ra", "t_bhtt", *columns).filter(
        care_type().is_in(OUTPATIENT), left > arrived
    )
    return (found.filter(~clockless(arrived)) if clock else found).with_columns(date=day(arrived))


def _morning(date: str, count: int, *, every: int = 4, **fields: Any) -> tuple[Row, ...]:
    """`count` people who arrive on a day from 8:00 on, one each `every` minutes; no two of two days are the same."""
    told: list[Row] = []
    for n in range(count):
        at = datetime.fromisoformat(f"{date} 08:00") + timedelta(minutes=every * n)
        told += [visit(at.isoformat(" "), patient_id=f"P{date}-{n}", **fields), exam()]
    return tuple(told)


def _days(count: int, each: int, **fields: Any) -> tuple[Row, ...]:
    """`count` days in a row before 11 March with `each` visits an hour."""
    first = datetime.fromisoformat("2025-03-11") - timedelta(days=count)
    dates = [(first + timedelta(days=n)).date().isoformat() for n in range(count)]
    return tuple(row for date in dates for row in _morning(date, each, **fields))


@rule(
    id="EXAM-15",
    version=1,
    context="facility",
    scheme="COMPANION_GROUPS",
    severity="info",
    title_vi="Đăng ký khám dồn dập bất thường",
    title_en="Registration burst at one site",
    reason_vi="Lượt đăng ký thứ {observed} trong một giờ; mức thường ngày của cơ sở cho phép {allowed} lượt.",
    reason_en="Registration number {observed} within an hour; the site's own habit allows {allowed}.",
    legal_basis="TT12/2026 Đ13",
    needs=_NEEDS,
    known_gaps_vi=(
        f"{_PAST_VI}Trung bình giờ đông nhất của các ngày thay cho phân vị 95 của mọi giờ. Tính theo giờ đồng hồ, lúc "
        "vào. Dịch bệnh, ngày sau lễ, khám lưu động và loạt nhập lại sau sự cố trông cũng như vậy; cơ sở ít ngày đông "
        "cũng thế."
    ),
    known_gaps_en=(
        f"{_PAST_EN}The mean of the days' busiest hours stands for the 95th percentile of all hours. Hours of the "
        "clock, by arrival. Epidemics, days after holidays, outreach and batches typed after an outage look the same; "
        "so does a facility whose busy days are few."
    ),
    examples=(
        hit(
            "người thứ mười, trong khi thường có hai",
            "the tenth where two came",
            *_days(10, 2),
            *_morning("2025-03-11", 11),
            amount=EXAM_PRICE * 0.8,
        ),
        clear("mười người, trong khi thường có hai", "ten where two came", *_days(10, 2), *_morning("2025-03-11", 10)),
        clear(
            "11 người, trong khi thường có bốn", "eleven where four came", *_days(10, 4), *_morning("2025-03-11", 11)
        ),
        clear("trong hai giờ", "in two hours", *_days(10, 2), *_morning("2025-03-11", 11, every=10)),
        clear("không biết gì về những ngày trước", "nothing known of it", *_days(9, 2), *_morning("2025-03-11", 11)),
        not_evaluable("thiếu giờ ra viện", "no time of leaving", visit(ngay_ra=None), exam()),
    ),
)
def registration_burst(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Outpatient visits of an hour, by arrival, after those that the site's busiest hours of late allow."""
    of = ["ma_cskcb", "hour"]
    place = ["ma_cskcb", "date"]
    came = _arrivals(tables).with_columns(hour=nw.col("ngay_vao").dt.truncate("1h"))
    hours = came.group_by(*place, "hour").agg(visits=nw.len())
    peaks = hours.group_by(*place).agg(peak=nw.col("visits").max().cast(nw.Float64))
    busy = hours.filter(nw.col("visits") > BURST.min_visits).select(*place).unique(place)
    norm = (
        with_past_days(busy, peaks, on=["ma_cskcb"], take=["peak"])
        .group_by(*place)
        .agg(days=nw.len(), usual=nw.col("p_peak").mean())
        .filter(nw.col("days") >= BURST.min_days)
        .with_columns(
            allowed=nw.max_horizontal(nw.col("usual") * BURST.times, nw.lit(float(BURST.min_visits))),
        )
    )
    found = (
        came.join(norm, on=place, how="inner")
        .with_columns(turn=nw.col("ma_lk").cum_count().over(*of, order_by=ARRIVED))
        .filter(nw.col("turn") > nw.col("allowed"))
    )
    return encounter_hits(found, amount=money("t_bhtt"), observed=nw.col("turn"), allowed=nw.col("allowed"))


@rule(
    id="CHK-03",
    version=1,
    context="facility",
    scheme="PHANTOM_VISIT",
    severity="info",
    title_vi="Nhiều người chưa từng đến cùng xuất hiện trong ngày",
    title_en="Many first-time patients in a day",
    reason_vi="{observed}% lượt khám trong ngày là người đăng ký nơi khác, lâu chưa đến (ngưỡng {allowed}%).",
    reason_en="{observed}% of the day's visits are people registered elsewhere who had not come of late ({allowed}%).",
    legal_basis="TT12/2026 Đ13",
    needs=(*_NEEDS, "encounter.ma_dkbd", "encounter.patient_id"),
    known_gaps_vi=(
        f"{_PAST_VI}Ai không đến đây trong 30 ngày được coi là người mới. Không xét cơ sở mà phần lớn người bệnh luôn "
        "đăng ký nơi khác; bệnh viện nhận người bệnh của nơi khác chuyển sang trông cũng như vậy. 49 người đầu trong "
        "ngày không mang dấu hiệu. Chỉ để định hướng: riêng dấu hiệu này không có số tiền."
    ),
    known_gaps_en=(
        f"{_PAST_EN}Who has not been here for thirty days counts as new. A facility where most people are always "
        "registered elsewhere is not judged; a hospital that takes over another's patients looks the same. The first "
        "49 of the day carry no sign. A lead only: no money is at risk by it alone."
    ),
    examples=(
        hit(
            "50 người lạ",
            "fifty strangers",
            *_days(10, 2, ma_dkbd="01001"),
            *_morning("2025-03-11", 50, ma_dkbd="01099"),
            amount=0,
        ),
        clear(
            "49 người lạ", "forty-nine", *_days(10, 2, ma_dkbd="01001"), *_morning("2025-03-11", 49, ma_dkbd="01099")
        ),
        clear(
            "50 người đăng ký tại đây",
            "fifty of its own",
            *_days(10, 2, ma_dkbd="01001"),
            *_morning("2025-03-11", 50, ma_dkbd="01001"),
        ),
        clear(
            "ngày nào cũng là người lạ",
            "strangers always",
            *_days(10, 2, ma_dkbd="01099"),
            *_morning("2025-03-11", 50, ma_dkbd="01099"),
        ),
        not_evaluable("không rõ nơi đăng ký ban đầu", "place of registration unknown", visit(), exam()),
    ),
)
def day_of_strangers(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Visits of strangers, by arrival, from the fiftieth of a day on that is made of them as no day of late was."""
    place = ["ma_cskcb", "date"]
    who = ("ma_cskcb", "patient_id")
    elsewhere = nw.col("ma_dkbd").str.strip_chars() != nw.col("ma_cskcb")
    came = (
        _arrivals(tables, "ma_dkbd", "patient_id", clock=False)
        .filter(~nw.col("ma_dkbd").is_null(), ~nw.col("patient_id").is_null())
        .with_columns(away=nw.when(elsewhere).then(nw.lit(1.0)).otherwise(nw.lit(0.0)))
        .with_columns(before=nw.col("date").shift(1).over(*who, order_by=ARRIVED))
    )
    days = came.group_by(*place).agg(visits=nw.len().cast(nw.Float64), aways=nw.col("away").sum())
    # The habit counts everybody registered elsewhere: who was new then may lie before the claims at hand.
    norm = (
        with_past_days(
            days.filter(nw.col("visits") >= STRANGERS.n).select(*place), days, on=["ma_cskcb"], take=["visits", "aways"]
        )
        .group_by(*place)
        .agg(days=nw.len(), p_aways=nw.col("p_aways").sum(), p_visits=nw.col("p_visits").sum())
        .filter(nw.col("days") >= STRANGERS.min_days)
        .select(*place, usual=nw.col("p_aways") / nw.col("p_visits"))
    )
    late = days_between(nw.col("before"), nw.col("date"))
    new = nw.col("before").is_null() | (late > 30)
    found = (
        came.with_columns(
            turn=nw.col("ma_lk").cum_count().over(*place, order_by=ARRIVED),
            stranger=nw.when(new).then(nw.col("away")).otherwise(nw.lit(0.0)),
        )
        .with_columns(strangers=nw.col("stranger").cum_sum().over(*place, order_by=ARRIVED))
        .filter(nw.col("turn") >= STRANGERS.n, nw.col("stranger") == 1)
        .with_columns(share=nw.col("strangers") / nw.col("turn"))
        .filter(nw.col("share") > STRANGERS.share)
        .join(norm, on=place, how="inner")
        .filter(nw.col("share") > nw.col("usual") * STRANGERS.times)
    )
    limit = nw.lit(float(STRANGERS.share * 100))
    return encounter_hits(found, amount=nw.lit(0.0), observed=nw.col("share") * 100, allowed=limit)


def _stays(count: int, first: str, last: str, *, known: int = 0) -> tuple[Row, ...]:
    """`count` patients, from number `known` on, who lie here from the day `first` to the day `last`."""
    told: list[Row] = []
    for n in range(count):
        told += [stay(0, f"{first} 08:00", ngay_ra=f"{last} 16:{n:02}", patient_id=f"P{known + n}"), bed()]
    return tuple(told)


def _month(reopened: int) -> tuple[Row, ...]:
    """Ten days on which one patient leaves, on each of the first `reopened` to be admitted again the next day."""
    told: list[Row] = []
    for n in range(10):
        told += _stays(1, f"2025-03-{10 + n}", f"2025-03-{11 + n}", known=50 + n)
    for n in range(reopened):
        told += _stays(1, f"2025-03-{12 + n}", f"2025-03-{22 + n}", known=50 + n)
    return tuple(told)


def _again(count: int) -> tuple[Row, ...]:
    """`count` patients who arrive on 1 April, one minute after the other."""
    told: list[Row] = []
    for n in range(count):
        told += [stay(2, f"2025-04-01 08:{n:02}", patient_id=f"P{n}"), bed(2)]
    return tuple(told)


@rule(
    id="REA-03",
    version=1,
    context="facility",
    scheme="SPLIT_EPISODE",
    severity="info",
    title_vi="Hồ sơ cắt ở cuối tháng, quý",
    title_en="Claims cut at period end",
    reason_vi="{observed}% người ra viện ngày cuối tháng vào lại ngay hôm sau (mức thường ngày cho phép {allowed}%).",
    reason_en="{observed}% of those who left on the month's last day are back on the first (habit allows {allowed}%).",
    legal_basis="TT35/2016 Đ4 k7",
    needs=(*_NEEDS, "encounter.patient_id"),
    known_gaps_vi=(
        "Nhịp thường là của 29 ngày trước, phải có ít nhất 10 ngày có người ra viện. Bốn người đầu trong ngày đã quay "
        "lại không mang dấu hiệu. Cơ sở được yêu cầu chốt đợt dài ngày theo tháng trông cũng như vậy. Chỉ để định "
        "hướng: riêng dấu hiệu này không có số tiền."
    ),
    known_gaps_en=(
        "The habit is that of the 29 days before, of which there must be ten with people leaving. The first four of "
        "the day who are back carry no sign. Facilities that are told to close long stays with the month look the "
        "same. A lead only: no money is at risk by it alone."
    ),
    examples=(
        hit(
            "năm trong năm người quay lại",
            "five of five are back",
            *_month(0),
            *_stays(5, "2025-03-20", "2025-03-31"),
            *_again(5),
            amount=0,
        ),
        clear("bốn người quay lại", "four", *_month(0), *_stays(4, "2025-03-20", "2025-03-31"), *_again(4)),
        clear("như các ngày khác", "as on other days", *_month(8), *_stays(5, "2025-03-20", "2025-03-31"), *_again(5)),
        clear(
            "họ ra viện hôm trước",
            "they left on the day before",
            *_month(0),
            *_stays(5, "2025-03-20", "2025-03-30"),
            *_again(5),
        ),
        not_evaluable("thiếu giờ ra viện", "no time of leaving", stay(ngay_ra=None), bed()),
    ),
)
def cut_at_period_end(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Stays that begin on the first of a month, by arrival, of the fifth on whose patient left the day before."""
    place = ["ma_cskcb", "date"]  # the day of leaving: one before the arrival, so the past has a day less
    stays = (
        tables.encounter.select(*KEY, "ma_loai_kcb", "patient_id", "ngay_vao", "ngay_ra", "t_bhtt")
        .filter(care_type().is_in(PERIOD.inpatient), ~nw.col("patient_id").is_null())
        .filter(nw.col("ngay_ra") > nw.col("ngay_vao"))
        .with_columns(left=nw.col("ngay_ra").shift(1).over("ma_cskcb", "patient_id", order_by=ARRIVED))
    )
    back = stays.filter(days_between(nw.col("left"), nw.col("ngay_vao")) == 1)
    ended = stays.select("ma_cskcb", date=day(nw.col("ngay_ra"))).group_by(*place).agg(ended=nw.len())
    again = back.select("ma_cskcb", date=day(nw.col("left"))).group_by(*place).agg(again=nw.len())
    days = ended.join(again, on=place, how="left").with_columns(again=nw.col("again").fill_null(0))
    first = (
        back.filter(nw.col("ngay_vao").dt.day() == 1)
        .with_columns(date=day(nw.col("left")))
        .with_columns(turn=nw.col("ma_lk").cum_count().over(*place, order_by=ARRIVED))
        .filter(nw.col("turn") >= PERIOD.min_cases)
    )
    norm = (
        with_past_days(
            first.select(*place).unique(place), days, on=["ma_cskcb"], take=["ended", "again"], within=WINDOW - 1
        )
        .group_by(*place)
        .agg(days=nw.len(), p_ended=nw.col("p_ended").sum(), p_again=nw.col("p_again").sum())
        .filter(nw.col("days") >= PERIOD.min_days)
        .select(*place, usual=nw.col("p_again").cast(nw.Float64) / nw.col("p_ended"))
    )
    found = (
        first.join(days.select(*place, "ended"), on=place, how="inner")
        .join(norm, on=place, how="inner")
        .with_columns(share=nw.col("turn").cast(nw.Float64) / nw.col("ended"), allowed=nw.col("usual") * PERIOD.times)
        .filter(nw.col("share") > nw.col("allowed"))
    )
    return encounter_hits(found, amount=nw.lit(0.0), observed=nw.col("share") * 100, allowed=nw.col("allowed") * 100)
