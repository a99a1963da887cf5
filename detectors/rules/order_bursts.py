"""Orders that come as no doctor gives them: many people in one minute, by the round minute, or after long silence."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.schema import ENCOUNTER_KEY, reused
from detectors.base import clear, hit, not_evaluable, rule
from detectors.doctor_time import PROCEDURE, timed
from detectors.examples import service, visit
from detectors.expressions import (
    EXAM,
    LINES,
    SURGERY,
    TESTS,
    clockless,
    day,
    days_between,
    encounter_hits,
    minutes_between,
    with_encounter,
)
from detectors.facts import facts
from detectors.past_days import WINDOW, with_past_days

if TYPE_CHECKING:
    from data.schema import ClaimTables
    from detectors.examples import Row

MINUTE = facts("TIME-08")
ROUND = facts("TIME-09")
SILENCE = facts("STF-10")

KEY: list[str] = list(ENCOUNTER_KEY)
CAME = ["at", "ma_lk"]
_ENCOUNTER = ("encounter.ngay_vao", "encounter.ngay_ra")
_ORDERS = (*_ENCOUNTER, "drug_line.ma_bac_si", "drug_line.ngay_yl", "service_line.ma_bac_si", "service_line.ngay_yl")
_LEAD_VI = "Chỉ để định hướng: riêng dấu hiệu này không có số tiền."
_LEAD_EN = "A lead only: no money is at risk by it alone."


def _orders(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Times (`at`) at which a `doctor` ordered for an encounter, one row a line."""
    parts = [
        getattr(tables, name)
        .select(*KEY, "doctor", at=nw.col("ngay_yl"))
        .filter(~nw.col("at").is_null(), nw.col("doctor").str.strip_chars() != "")
        for name in LINES
    ]
    return nw.concat(parts, how="vertical")


def _within(orders: nw.LazyFrame[Any], tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Those of `orders` that were given during the encounter, with their `date`."""
    return (
        with_encounter(orders, tables, "ngay_vao", "ngay_ra")
        .filter(nw.col("at") >= nw.col("e_ngay_vao"), nw.col("at") < nw.col("e_ngay_ra"))
        .with_columns(date=day(nw.col("at")))
    )


def _leads(found: nw.LazyFrame[Any], observed: str, allowed: nw.Expr) -> nw.LazyFrame[Any]:
    """Signs without money on the encounters of `found`, each with its largest figure."""
    once = (
        found.select(*KEY, seen=nw.col(observed).cast(nw.Float64), limit=allowed.cast(nw.Float64))
        .group_by(*KEY)
        .agg(nw.col("seen").max(), nw.col("limit").max())
        .with_columns(t_bhtt=nw.lit(0.0))
    )
    return encounter_hits(once, amount=nw.lit(0.0), observed=nw.col("seen"), allowed=nw.col("limit"))


def _ordered(count: int, *minutes: int, at: str = "2025-03-10 08:00", **fields: Any) -> tuple[Row, ...]:
    """`count` people, for each of whom something is ordered each of `minutes` after `at`."""
    told: list[Row] = []
    begun = datetime.fromisoformat(at)
    for n in range(count):
        arrived = begun - timedelta(minutes=30)
        told.append(visit(arrived.isoformat(" "), minutes=300, patient_id=f"P{n}"))
        for minute in minutes:
            when = begun + timedelta(minutes=minute)
            line: dict[str, Any] = {"ngay_yl": when, "ngay_th_yl": when, "ma_dich_vu": f"22.{minute}", **fields}
            told.append(service(**line))
    return tuple(told)


@rule(
    id="TIME-08",
    version=1,
    context="facility",
    scheme="ORDER_TIME_ANOMALY",
    severity="info",
    title_vi="Nhiều y lệnh của một bác sĩ trong một phút",
    title_en="Many patients ordered in one minute",
    reason_vi="Bác sĩ ra y lệnh cho {observed} người bệnh trong một phút (ngưỡng {allowed}), nhiều lần trong ngày.",
    reason_en="One doctor ordered for {observed} patients in one minute (threshold {allowed}), often that day.",
    legal_basis="TT12/2026 Đ10 k1 k",
    needs=_ORDERS,
    known_gaps_vi=(
        "Tính từ người thứ sáu trong phút thứ ba như vậy của ngày. Không tính thời điểm nằm ngoài đợt và không ghi "
        f"giờ. Buồng bệnh có y lệnh đều nhập vào giờ chẵn, và loạt do phần mềm ghi, trông cũng như vậy. {_LEAD_VI}"
    ),
    known_gaps_en=(
        "From the sixth patient of the day's third such minute on. Times outside the encounter and without a clock "
        "are not counted. A round whose orders are all typed for the full hour, and batches that software writes, "
        f"look the same. {_LEAD_EN}"
    ),
    examples=(
        hit("sáu người bệnh, ba lần", "six patients, three times", *_ordered(6, 0, 7, 20), amount=0),
        clear("sáu người bệnh, hai lần", "six patients, twice", *_ordered(6, 0, 7)),
        clear("năm người bệnh, ba lần", "five patients, three times", *_ordered(5, 0, 7, 20)),
        clear("một người bệnh, nhiều xét nghiệm", "one patient, many tests", *_ordered(1, *(0 for _ in range(9)))),
        clear("chỉ biết ngày", "only the day is known", *_ordered(6, 0, 7, 20, ngay_yl="2025-03-10")),
        not_evaluable("thiếu thời điểm y lệnh", "no time of order", visit(), service(ngay_yl=None)),
    ),
)
def many_in_a_minute(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Encounters ordered for in a minute in which the doctor ordered for many, on a day with several such minutes."""
    moment = ["ma_cskcb", "doctor", "at"]
    told = reused(_orders(tables).filter(~clockless(nw.col("at"))))
    # lines of a moment are at least as many as its patients: most moments are done with before anybody is counted
    many = told.group_by(*moment).agg(n=nw.len()).filter(nw.col("n") >= MINUTE.min_patients).select(*moment)
    orders = (
        _within(told.join(many, on=moment, how="semi").unique([*KEY, "doctor", "at"]), tables)
        .with_columns(patients=nw.col("ma_lk").cum_count().over("ma_cskcb", "doctor", "at", order_by=["ma_lk"]))
        .filter(nw.col("patients") >= MINUTE.min_patients)
    )
    full = nw.when(nw.col("patients") == MINUTE.min_patients).then(nw.lit(1)).otherwise(nw.lit(0))
    found = (
        orders.with_columns(full=full)
        .with_columns(minutes=nw.col("full").cum_sum().over("ma_cskcb", "doctor", "date", order_by=CAME))
        .filter(nw.col("minutes") >= MINUTE.min_minutes)
    )
    return _leads(found, "patients", nw.lit(MINUTE.min_patients))


def _by_the_clock(step: int, *, doctor: str = "001/CCHN", odd: int = 0) -> tuple[Row, ...]:
    """Thirty people of one doctor, one each `step` minutes (or every other one a minute more, with `odd`)."""
    told: list[Row] = []
    for n in range(30):
        told += _ordered(1, step * n + odd * (n % 2), at="2025-03-10 07:00", doctor=doctor)
    return tuple(told)


def _at_random(doctor: str = "002/CCHN") -> tuple[Row, ...]:
    """Forty people of another doctor at no rhythm, all before eight o'clock."""
    told: list[Row] = []
    for n in range(40):
        told += _ordered(1, 1 + (n * n * 7 + 3 * n) % 28, at="2025-03-10 07:00", doctor=doctor)
    return tuple(told)


@rule(
    id="TIME-09",
    version=1,
    context="facility",
    scheme="ORDER_TIME_ANOMALY",
    severity="info",
    title_vi="Phút tròn hoặc bước đều bất thường",
    title_en="Rounded or equally spaced minutes",
    reason_vi="{observed}% thời điểm thực hiện của bác sĩ trong ngày là phút tròn hoặc cách đều (ngưỡng {allowed}%).",
    reason_en="{observed}% of the doctor's times of the day are round minutes or equal steps (threshold {allowed}%).",
    legal_basis="TT12/2026 Đ10 k1 k",
    needs=(*_ENCOUNTER, "service_line.ma_nhom", "service_line.ngay_yl"),
    known_gaps_vi=(
        "Tính từ thời điểm thứ 30 trong ngày, và chỉ khi các bác sĩ khác của cơ sở, đã có 30 thời điểm trong ngày đến "
        "lúc đó, có mức bằng nửa hoặc thấp hơn. Xét khám, xét nghiệm, thủ thuật và ca mổ; mỗi người bệnh mỗi phút một "
        f"thời điểm. Bác sĩ khám theo khung giờ hẹn và giữ đúng giờ trông cũng như vậy. {_LEAD_VI}"
    ),
    known_gaps_en=(
        "From the thirtieth time of the day on, and only where the other doctors of the facility, with thirty times "
        "of that day by then, do so half as much. Examinations, tests, procedures and operations; one time a person "
        f"and minute. A doctor with booked slots, who keeps to them, looks the same. {_LEAD_EN}"
    ),
    examples=(
        hit(
            "thời điểm thứ 30, cách đều năm phút",
            "the thirtieth, five minutes apart",
            *_at_random(),
            *_by_the_clock(5),
            amount=0,
        ),
        clear(
            "các bác sĩ khác cũng như vậy",
            "the others do it too",
            *_by_the_clock(5, doctor="002/CCHN"),
            *_by_the_clock(5),
        ),
        clear("không có nhịp nào", "at no rhythm", *_at_random(), *_by_the_clock(5, odd=1)),
        clear("không có ai để so", "nobody to compare with", *_by_the_clock(5)),
        not_evaluable("thiếu thời điểm y lệnh", "no time of order", visit(), service(ngay_yl=None)),
    ),
)
def by_the_clock(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Encounters of a doctor whose times of the day are round or equally spaced, unlike the others' of the facility."""
    doctor = ("ma_cskcb", "doctor", "date")
    place = ["ma_cskcb", "date"]
    own = ["ma_cskcb", "ma_lk", "doctor", "at"]
    minute = nw.col("at").dt.minute()
    gap = minutes_between(nw.col("previous"), nw.col("at"))
    moments = (
        timed(tables, (*TESTS, SURGERY, EXAM, PROCEDURE), "doctor")
        .filter(nw.col("doctor").str.strip_chars() != "")
        .unique(own)
        .select(*own, "date")
    )
    busy = moments.group_by(*doctor).agg(n=nw.len()).filter(nw.col("n") >= ROUND.n).select(*place).unique(place)
    times = (
        moments.join(busy, on=place, how="semi")
        .with_columns(
            round=nw.when((minute == 0) | (minute == 30)).then(nw.lit(1.0)).otherwise(nw.lit(0.0)),
            previous=nw.col("at").shift(1).over(*doctor, order_by=CAME),
            n=nw.col("ma_lk").cum_count().over(*doctor, order_by=CAME),
            all_n=nw.col("ma_lk").cum_count().over(*place, order_by=[*CAME, "doctor"]),
        )
        .with_columns(gap=gap)
        .with_columns(
            rounds=nw.col("round").cum_sum().over(*doctor, order_by=CAME),
            all_rounds=nw.col("round").cum_sum().over(*place, order_by=[*CAME, "doctor"]),
            steps=nw.col("ma_lk").cum_count().over(*doctor, "gap", order_by=CAME),
            all_steps=nw.col("ma_lk").cum_count().over(*place, "gap", order_by=[*CAME, "doctor"]),
        )
        .with_columns(others=nw.col("all_n") - nw.col("n"))
        .filter(nw.col("n") >= ROUND.n, nw.col("others") >= ROUND.n)
        .with_columns(
            rounded=nw.col("rounds") / nw.col("n"),
            their_rounded=(nw.col("all_rounds") - nw.col("rounds")) / nw.col("others"),
            stepped=nw.col("steps") / (nw.col("n") - 1),
            their_stepped=(nw.col("all_steps") - nw.col("steps")) / nw.col("others"),
        )
    )
    is_round = (nw.col("rounded") > ROUND.round_share) & (nw.col("their_rounded") < nw.col("rounded") * ROUND.norm)
    is_even = (
        (nw.col("gap") > 0)  # many at one moment are TIME-08's
        & (nw.col("stepped") > ROUND.gap_share)
        & (nw.col("their_stepped") < nw.col("stepped") * ROUND.norm)
    )
    share = nw.when(is_round).then(nw.col("rounded")).otherwise(nw.col("stepped"))
    limit = nw.when(is_round).then(nw.lit(float(ROUND.round_share))).otherwise(nw.lit(float(ROUND.gap_share)))
    found = times.filter(is_round | is_even).with_columns(share=share * 100, limit=limit * 100)
    return _leads(found, "share", nw.col("limit"))


def _active(each: int, *dates: str) -> tuple[Row, ...]:
    """`each` people ordered for on each of `dates`."""
    return tuple(row for date in dates for row in _ordered(each, 0, at=f"{date} 08:00"))


@rule(
    id="STF-10",
    version=1,
    context="facility",
    scheme="STAFF_ABSENT",
    severity="info",
    title_vi="Y lệnh dày đặc sau thời gian dài vắng",
    title_en="Burst after a long gap",
    reason_vi="Sau từ 14 ngày vắng, bác sĩ ra y lệnh cho {observed} người một ngày (mức {allowed}).",
    reason_en="After 14 days or more without any, the doctor ordered for {observed} people in a day (limit {allowed}).",
    legal_basis="ND90 Đ95 k1 c",
    needs=_ORDERS,
    known_gaps_vi=(
        "Chỉ biết 30 ngày trước: vắng lâu hơn thì không xét; mức thường là trung vị các ngày trước khi vắng, phải có "
        f"ít nhất ba ngày. Người nghỉ phép trở lại vào ngày đông trông cũng như vậy. {_LEAD_VI}"
    ),
    known_gaps_en=(
        "Only the thirty days before are known: longer silence is not judged, and the usual is the median of the days "
        "before the silence, of which there must be three. People back from leave on a busy day look the same. "
        f"{_LEAD_EN}"
    ),
    examples=(
        hit(
            "bảy lượt sau hai tuần vắng, trước đó thường hai",
            "seven after two weeks, where two were usual",
            *_active(2, "2025-02-20", "2025-02-21", "2025-02-24"),
            *_active(7, "2025-03-10"),
            amount=0,
        ),
        clear("sáu lượt", "six", *_active(2, "2025-02-20", "2025-02-21", "2025-02-24"), *_active(6, "2025-03-10")),
        clear(
            "vắng một tuần", "a week", *_active(2, "2025-02-26", "2025-02-28", "2025-03-03"), *_active(7, "2025-03-10")
        ),
        clear(
            "chỉ biết hai ngày", "two days known", *_active(2, "2025-02-20", "2025-02-21"), *_active(7, "2025-03-10")
        ),
        not_evaluable("thiếu thời điểm y lệnh", "no time of order", visit(), service(ngay_yl=None)),
    ),
)
def burst_after_silence(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Encounters of a doctor's first day after long silence, by time, after three times the usual number."""
    who = ["ma_cskcb", "doctor"]
    seen = reused(_within(_orders(tables), tables).group_by(*KEY, "doctor", "date").agg(nw.col("at").min()))
    volumes = reused(seen.group_by(*who, "date").agg(people=nw.len().cast(nw.Float64)))
    silent = reused(
        volumes.with_columns(last=nw.col("date").shift(1).over(*who, order_by=["date"]))
        .with_columns(gap=days_between(nw.col("last"), nw.col("date")))
        .filter(nw.col("gap") >= SILENCE.gap, nw.col("gap") <= WINDOW)
        .select(*who, "date")
    )
    usual = (
        with_past_days(silent, volumes.join(silent.select(*who).unique(), on=who, how="semi"), on=who, take=["people"])
        .group_by(*who, "date")
        .agg(days=nw.len(), usual=nw.col("p_people").median())
        .filter(nw.col("days") >= SILENCE.min_days)
    )
    found = (
        seen.join(usual, on=[*who, "date"], how="inner")
        .with_columns(
            turn=nw.col("ma_lk").cum_count().over(*who, "date", order_by=CAME),
            allowed=nw.col("usual") * SILENCE.times,
        )
        .filter(nw.col("turn") > nw.col("allowed"))
    )
    return _leads(found, "turn", nw.col("allowed"))
