"""Groups: cards that come together again and again, a firm examined by one list, one phone for many patients."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.schema import ENCOUNTER_KEY
from detectors.base import clear, hit, not_evaluable, rule
from detectors.examples import EXAM_PRICE, TEST_PRICE, drug, exam, service, visit
from detectors.expressions import (
    CYCLIC,
    SERVICES,
    TESTS,
    care_type,
    clockless,
    day,
    days_between,
    encounter_hits,
    icd_in,
    lines,
    money,
)
from detectors.facts import facts
from detectors.fingerprints import PRINT, code_sets
from detectors.past_days import WINDOW, with_past_days

if TYPE_CHECKING:
    from collections.abc import Sequence

    from data.schema import ClaimTables
    from detectors.examples import Row

KEY: list[str] = list(ENCOUNTER_KEY)
WHO = ["ma_cskcb", "patient_id"]
ARRIVED = ["ngay_vao", "ma_lk"]
LEFT = ["ngay_ra", "ma_lk"]
_FUND = EXAM_PRICE * 0.8


def _trip(date: str, people: Sequence[str], **fields: Any) -> tuple[Row, ...]:
    """A visit of each of `people` on one morning, three minutes apart."""
    told: list[Row] = []
    for number, name in enumerate(people):
        at = datetime.fromisoformat(f"{date} 08:05") + timedelta(minutes=3 * number)
        told += [visit(at.isoformat(" "), patient_id=name, **fields), exam()]
    return tuple(told)


_BUS = ("P1", "P2", "P3", "P4", "P5")


@rule(
    id="FAC-05",
    version=1,
    scheme="COMPANION_GROUPS",
    severity="warn",
    context="facility",
    title_vi="Nhóm thẻ nhiều lần khám cùng nhau",
    title_en="Cards that co-visit repeatedly",
    reason_vi="Người thứ {observed} của nhóm thẻ có cả ba lần khám liền nhau cùng ngày (thường đến {allowed}).",
    reason_en="Number {observed} of cards whose last three visits were on the same days (up to {allowed} is usual).",
    legal_basis="ND90 Đ84-86; BLHS Đ215 k2",
    needs=("encounter.patient_id", "encounter.ngay_vao", "encounter.ma_loai_kcb"),
    known_gaps_vi=(
        "Ba lần liền trong 30 ngày, cách nhau từ bốn ngày, cùng những ngày đó: nhóm đến ba tuần một lần hoặc bỏ một "
        "lần thì không thấy. Nhóm được nhận ra khi chiếm phần lớn số người quay lại đủ số lần đó; ở phòng khám mở "
        "theo tuần, người bệnh cùng ngày trông cũng như vậy, trường học và nhà dưỡng lão cũng thế. Bỏ qua điều trị có "
        "chu kỳ, nội trú, đợt điều trị, và lượt không ghi giờ vào. Bốn người đầu của mỗi lần không mang dấu hiệu."
    ),
    known_gaps_en=(
        "Three visits in a row within thirty days, four days or more apart, on the same days: groups that come every "
        "three weeks or skip a trip are not seen. A group is told by being most of those who came back that often; in "
        "a weekly clinic the patients of a day look the same, and so do schools and homes. Care in cycles, stays and "
        "courses of treatment are passed over, and so are arrivals without a clock. The first four of a trip carry no "
        "sign."
    ),
    examples=(
        hit("năm thẻ, ba lần", "five cards, three times", *_trip("2025-03-03", _BUS), *_trip("2025-03-12", _BUS),
            *_trip("2025-03-20", _BUS), amount=_FUND),
        clear("hai lần", "twice", *_trip("2025-03-03", _BUS), *_trip("2025-03-12", _BUS)),
        clear("gia đình bốn người", "a family of four",
              *(row for date in ("2025-03-03", "2025-03-12", "2025-03-20") for row in _trip(date, _BUS[:4]))),
        clear("một người giữa chừng khám nơi khác", "one of them was elsewhere between",
              *_trip("2025-03-03", _BUS), *_trip("2025-03-06", _BUS[4:]),
              *_trip("2025-03-12", _BUS), *_trip("2025-03-20", _BUS)),
        clear("một người đến muộn một ngày", "one of them a day later",
              *_trip("2025-03-03", _BUS), *_trip("2025-03-12", _BUS[:4]),
              *_trip("2025-03-13", _BUS[4:]), *_trip("2025-03-20", _BUS)),
        clear("ngày nào cũng đến tiêm", "every day for an injection",
              *_trip("2025-03-18", _BUS), *_trip("2025-03-19", _BUS),
              *_trip("2025-03-20", _BUS)),
        clear("đám đông, trong đó năm người trùng ngày", "a crowd of which five have the same days",
              *(row for n in range(6) for row in _trip(f"2025-03-{n + 1:02}", [f"C{n}"])), *_trip("2025-03-03", _BUS),
              *_trip("2025-03-12", [*(f"C{n}" for n in range(6)), *_BUS]),
              *_trip("2025-03-20", [*(f"C{n}" for n in range(6)), *_BUS])),
        clear("trong nửa năm", "over half a year",
              *_trip("2025-01-03", _BUS), *_trip("2025-02-12", _BUS), *_trip("2025-03-20", _BUS)),
        clear("người lọc máu cùng ngày", "the dialysis patients of a day",
              *(row for date in ("2025-03-03", "2025-03-10", "2025-03-17")
                                       for row in _trip(date, _BUS, ma_benh_chinh="N18.5"))),
        not_evaluable("thiếu mã người bệnh", "nobody named", visit(patient_id=None), exam()),
    ),
)  # fmt: skip
def companions(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Visits of cards of which five and more share the days of this visit and of their two before it."""
    known = facts("FAC-05")
    arrived = nw.col("ngay_vao")
    columns = ("patient_id", "ngay_vao", "ma_loai_kcb", "ma_benh_chinh", "t_bhtt")
    visits = tables.encounter.select(*KEY, *columns).filter(
        care_type().is_in(known.care),
        ~clockless(arrived),
        ~nw.col("patient_id").is_null(),
        ~icd_in("ma_benh_chinh", CYCLIC),
    )
    date = nw.col("date")
    returns = (
        visits.with_columns(date=day(arrived))
        .with_columns(
            before=date.shift(1).over(*WHO, order_by=ARRIVED),
            first=date.shift(2).over(*WHO, order_by=ARRIVED),
        )
        .filter(
            days_between(nw.col("first"), date) <= WINDOW,
            days_between(nw.col("before"), date) >= known.apart,
            days_between(nw.col("first"), nw.col("before")) >= known.apart,
        )
        # who comes back often comes on days of his own: only where most of them share theirs it is a group
        .with_columns(
            number=nw.col("ma_lk").cum_count().over("ma_cskcb", "date", "before", "first", order_by=ARRIVED),
            everybody=nw.col("ma_lk").cum_count().over("ma_cskcb", "date", order_by=ARRIVED),
        )
    )
    return encounter_hits(
        returns.filter(nw.col("number") >= known.size, nw.col("number") > nw.col("everybody") * known.share),
        amount=money("t_bhtt"),
        observed=nw.col("number"),
        allowed=nw.lit(float(known.size - 1)),
    )


def _checked(people: int, *, codes: int = 4, tired: int = 99, **fields: Any) -> tuple[Row, ...]:
    """So many people on one morning with one list of tests, the first `tired` of them for being tired."""
    told: list[Row] = []
    for number in range(people):
        at = datetime.fromisoformat("2025-03-10 07:00") + timedelta(minutes=5 * number)
        why = "R53" if number < tired else "J18.9"
        told.append(visit(at.isoformat(" "), patient_id=f"W{number}", ma_benh_chinh=why, **fields))
        told += [service(ma_dich_vu=f"22.01{n:02}.1370") for n in range(codes)]
    return tuple(told)


@rule(
    id="SRV-50",
    version=1,
    scheme="MASS_SCREENING_AS_CARE",
    severity="warn",
    context="facility",
    title_vi="Nhóm người cùng đơn vị, cùng bộ xét nghiệm trong ngày",
    title_en="Employer group with one panel",
    reason_vi="Người thứ {observed} trong ngày có cùng một bộ cận lâm sàng, phần lớn với mã khám sức khỏe, mệt mỏi.",
    reason_en="Number {observed} of the day with one and the same list of tests, most coded as a check-up or tired.",
    legal_basis="L-BHYT Đ23; ND90 Đ88",
    needs=(
        "encounter.ngay_vao",
        "encounter.ngay_ra",
        "encounter.ngay_sinh",
        "encounter.ma_loai_kcb",
        "encounter.ma_benh_chinh",
    ),
    known_gaps_vi=(
        "Bảng không có nơi làm việc: tuổi, ngày, bộ xét nghiệm và chẩn đoán thay cho nó. Những người ra trước người "
        "thứ 15 không mang dấu hiệu; bộ lệch một xét nghiệm là bộ khác; khám sức khỏe rải nhiều ngày hoặc ghi thành "
        "nhiều bệnh khác nhau thì không thấy. Bỏ qua khám định kỳ có mã loại KCB riêng."
    ),
    known_gaps_en=(
        "The employer is not in the tables: age, day, list and diagnosis stand for it. Those who left before the "
        "fifteenth carry no sign; a list that differs by one test is another list; a check-up spread over days or "
        "coded as all sorts of complaints is not seen. Periodic checks under their own care type are passed over."
    ),
    examples=(
        hit("người thứ 15 của một đơn vị", "the fifteenth of a firm", *_checked(15), amount=4 * TEST_PRICE * 0.8),
        clear("14 người", "fourteen", *_checked(14)),
        clear("bệnh phổi, cùng một bộ xét nghiệm", "lung disease, one list", *_checked(15, tired=8)),
        clear("hai xét nghiệm", "two tests", *_checked(15, codes=2)),
        clear("một trường học", "a school", *_checked(15, ngay_sinh="2012-05-20")),
        clear("khám định kỳ, ghi đúng loại", "a periodic check, told as one", *_checked(15, ma_loai_kcb="15")),
        not_evaluable("thiếu chẩn đoán", "no diagnosis", visit(ma_benh_chinh=None), exam()),
    ),
)
def firm_check_up(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Visits from the fifteenth of a day on that have one list of tests and mostly the diagnoses of a check-up."""
    known = facts("SRV-50")
    tested = lines(tables, SERVICES, "ma_nhom", "ma_dich_vu", "t_bhtt").filter(
        nw.col("ma_nhom").is_in(TESTS), money("t_bhtt") > 0
    )
    sets = code_sets(tested, of="ma_dich_vu", by=KEY).filter(nw.col("items") >= known.tests)
    years = days_between(nw.col("ngay_sinh").cast(nw.Datetime("us")), nw.col("ngay_vao")) / 365.25
    columns = ("ngay_vao", "ngay_ra", "ngay_sinh", "ma_loai_kcb", "ma_benh_chinh", "t_bhtt")
    group = ["ma_cskcb", "date", *PRINT]
    seen = (
        sets.join(tables.encounter.select(*KEY, *columns), on=KEY, how="inner")
        .filter(
            care_type().is_in(known.care),  # a periodic check has a care type of its own, and the fund pays for it
            nw.col("ngay_ra") > nw.col("ngay_vao"),
            years >= known.youngest,
            years < known.oldest + 1,
            ~nw.col("ma_benh_chinh").is_null(),
        )
        # whoever left before is wholly known when the judged one leaves
        .with_columns(date=day(nw.col("ngay_vao")), well=icd_in("ma_benh_chinh", known.checkup).cast(nw.Int64))
        .with_columns(
            number=nw.col("ma_lk").cum_count().over(*group, order_by=LEFT),
            wells=nw.col("well").cum_sum().over(*group, order_by=LEFT),
        )
        .filter(nw.col("number") >= known.size, nw.col("wells") > nw.col("number") * known.share)
    )
    return encounter_hits(
        seen, amount=money("t_bhtt"), observed=nw.col("number"), allowed=nw.lit(float(known.size - 1))
    )


def _callers(date: str, people: int, phone: str = "T1", start: int = 0) -> tuple[Row, ...]:
    """So many people of one phone on a day."""
    return tuple(
        row
        for number in range(start, start + people)
        for row in (visit(f"{date} {8 + number % 10:02}:00", patient_id=f"W{number}", phone_id=phone), drug())
    )


@rule(
    id="CARD-15",
    version=1,
    scheme="COMPANION_GROUPS",
    severity="info",
    context="facility",
    title_vi="Nhiều người chung một số điện thoại",
    title_en="One phone number for many patients",
    reason_vi="Số điện thoại của hồ sơ đã dùng cho {observed} người bệnh trong 30 ngày (cho phép {allowed}).",
    reason_en="The claim's phone number served {observed} patients within 30 days ({allowed} allowed).",
    legal_basis="ND90 Đ85; BLHS Đ215 k2",
    needs=("encounter.phone_id", "encounter.patient_id", "encounter.ngay_vao"),
    known_gaps_vi=(
        "Gia đình đông người, cơ sở dưỡng lão và trường học dùng chung điện thoại. Số của rất nhiều người là số bàn "
        "tiếp đón tự điền cho người không khai, nên bỏ qua; ở cơ sở nhỏ thì không phân biệt được số như vậy."
    ),
    known_gaps_en=(
        "Large households, care homes and schools share a phone. A number of many more patients is one the desk types "
        "for those who give none, and is passed over; a small facility's such number is not told apart."
    ),
    examples=(
        hit("người thứ bảy trong ngày", "the seventh of a day", *_callers("2025-03-10", 7), amount=20_000 * 0.8),
        hit(
            "người thứ bảy trong vòng một tháng",
            "the seventh within a month",
            *_callers("2025-03-01", 6),
            *_callers("2025-03-20", 1, start=6),
        ),
        clear("sáu người", "six", *_callers("2025-03-10", 6)),
        clear(
            "người thứ bảy sau một tháng",
            "the seventh after a month",
            *_callers("2025-02-01", 6),
            *_callers("2025-03-20", 1, start=6),
        ),
        clear(
            "một gia đình quay lại", "a family that comes again", *_callers("2025-03-01", 6), *_callers("2025-03-10", 6)
        ),
        clear(
            "số điện thoại khác", "another phone", *_callers("2025-03-10", 6), *_callers("2025-03-10", 1, "T2", start=6)
        ),
        not_evaluable("không có điện thoại", "no phone", visit(phone_id=None), exam()),
    ),
)
def shared_phone(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Encounters whose phone number stands on the claims of more than six patients of the last thirty days."""
    known = facts("CARD-15")
    line, person = ["ma_cskcb", "phone_id"], ["ma_cskcb", "phone_id", "patient_id"]
    told = (
        tables.encounter.select(*KEY, "phone_id", "patient_id", "ngay_vao", "ngay_ra", "t_bhtt")
        .filter(~nw.col("phone_id").is_null(), ~nw.col("patient_id").is_null(), nw.col("ngay_ra") > nw.col("ngay_vao"))
        .with_columns(date=day(nw.col("ngay_vao")))
    )
    busy = (
        told.group_by(*line).agg(everybody=nw.col("patient_id").n_unique()).filter(nw.col("everybody") > known.patients)
    )
    shared = told.join(busy.select(*line), on=line, how="semi")
    days = shared.select(*person, "date").unique([*person, "date"])
    before = (
        with_past_days(shared.select(*line, "date").unique([*line, "date"]), days, on=line, take=("patient_id",))
        .group_by(*line, "date")
        .agg(others=nw.col("p_patient_id").n_unique())
    )
    gap = days_between(nw.col("last"), nw.col("ngay_vao"))
    counted = (
        shared.with_columns(last=nw.col("ngay_vao").shift(1).over(*person, order_by=ARRIVED))
        .with_columns(new=(nw.col("last").is_null() | (gap > known.days)).cast(nw.Int64))
        .with_columns(today=nw.col("new").cum_sum().over(*line, "date", order_by=ARRIVED))
        .join(before, on=[*line, "date"], how="left")
        .with_columns(patients=nw.col("today") + nw.col("others").fill_null(0))
        .filter(nw.col("patients") > known.patients, nw.col("patients") <= known.desk)
    )
    return encounter_hits(
        counted, amount=money("t_bhtt"), observed=nw.col("patients"), allowed=nw.lit(float(known.patients))
    )
