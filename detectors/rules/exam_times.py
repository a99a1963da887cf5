"""Examinations and when they are one: fees without an examination, visits too short, too long or too soon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.schema import ENCOUNTER_KEY
from detectors.base import clear, hit, not_evaluable, rule
from detectors.examples import EXAM_PRICE, TEST_PRICE, drug, exam, service, stay, visit
from detectors.expressions import (
    CYCLIC,
    EXAM,
    OUTPATIENT,
    SERVICES,
    TESTS,
    care_type,
    clockless,
    day,
    earlier_pairs,
    encounter_hits,
    family,
    icd_in,
    line_hits,
    lines,
    minutes_between,
    money,
    pair_hits,
    with_encounter,
)
from detectors.facts import facts

if TYPE_CHECKING:
    from data.schema import ClaimTables

DIRECT = facts("EXAM-05")
UNDUE = facts("EXAM-07")
QUICK = facts("EXAM-11")
AFTER_STAY = facts("EXAM-12")
LONG = facts("EXAM-13")
SPECIALTIES = facts("EXAM-14")
EXAMINED = "01"  # MA_LOAI_KCB of a plain examination

KEY: list[str] = list(ENCOUNTER_KEY)


def _exams(tables: ClaimTables, *columns: str) -> nw.LazyFrame[Any]:
    """Examination lines that ask money of the fund."""
    return lines(tables, SERVICES, "ma_nhom", "t_bhtt", *columns).filter(nw.col("ma_nhom") == EXAM, money("t_bhtt") > 0)


@rule(
    id="EXAM-05",
    version=1,
    scheme="EXTRA_EXAM_FEE",
    severity="warn",
    title_vi="Vào thẳng khoa lâm sàng vẫn tính tiền khám",
    title_en="Exam fee though admitted directly",
    reason_vi="Vào nội trú sau khi đến {observed} phút (ngưỡng {allowed} phút), tiền khám do khoa lâm sàng tính.",
    reason_en="Admitted {observed} minutes after arrival (threshold {allowed}), examination billed by the ward.",
    legal_basis="TT35/2016 Đ4b k1; CV266 KT223 (S.013.458)",
    needs=("encounter.ma_loai_kcb", "encounter.ngay_vao", "service_line.ma_nhom", "service_line.ma_khoa"),
    known_gaps_vi=(
        "Khoa nào khác khoa khám bệnh (K01) đều coi là khoa lâm sàng. Không xét khi thời điểm chỉ định nhập viện để "
        "trống. Phòng khám chuyên khoa kê theo mã khoa của mình trông cũng như vậy."
    ),
    known_gaps_en=(
        "Any department but the examination department (K01) counts as a ward. A blank time of the admission order is "
        "not judged. A specialist clinic that bills under its ward's code looks the same."
    ),
    examples=(
        hit(
            "khoa cho nhập viện trong năm phút",
            "admitted by the ward within five minutes",
            stay(ngay_vao_noi_tru="2025-03-10 08:05"),
            exam(ma_khoa="K03"),
            amount=EXAM_PRICE * 0.8,
        ),
        clear(
            "khám ở phòng khám trước",
            "examined at the clinic first",
            stay(ngay_vao_noi_tru="2025-03-10 08:10"),
            exam(ma_khoa="K01"),
        ),
        clear(
            "hai giờ sau mới nhập viện",
            "admitted two hours later",
            stay(ngay_vao_noi_tru="2025-03-10 10:00"),
            exam(ma_khoa="K03"),
        ),
        clear("ngoại trú", "outpatient", visit(), exam(ma_khoa="K03")),
        not_evaluable("thiếu mã loại KCB", "no care type", stay(ma_loai_kcb=None), exam(ma_khoa="K03")),
    ),
)
def examined_on_the_ward(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid examinations that a ward bills in a stay whose admission order came with the arrival."""
    found = (
        with_encounter(_exams(tables, "ma_khoa"), tables, "ma_loai_kcb", "ngay_vao", "ngay_vao_noi_tru")
        .filter(
            care_type("e_ma_loai_kcb") == "03",
            nw.col("ma_khoa").str.strip_chars() != "",
            ~nw.col("ma_khoa").str.contains(DIRECT.clinic, literal=True),
        )
        .with_columns(wait=minutes_between(nw.col("e_ngay_vao"), nw.col("e_ngay_vao_noi_tru")))
        .filter(nw.col("wait") >= 0, nw.col("wait") <= DIRECT.min)
    )
    return line_hits(found, amount=money("t_bhtt"), observed=nw.col("wait"), allowed=nw.lit(float(DIRECT.min)))


@rule(
    id="EXAM-07",
    version=1,
    scheme="EXTRA_EXAM_FEE",
    severity="warn",
    title_vi="Tiền khám ở lượt chỉ làm dịch vụ, nhận thuốc theo hẹn",
    title_en="Exam fee on service-only or pick-up visits",
    reason_vi="Tính tiền khám ở lượt nhận thuốc theo hẹn, hoặc ở ngày thứ {observed} của đợt điều trị ngoại trú.",
    reason_en="An examination is billed at a drug pick-up, or on day {observed} of an outpatient course.",
    legal_basis="CV4262; TT35/2016 Đ4b",
    needs=("encounter.ma_loai_kcb", "service_line.ma_nhom", "service_line.ngay_yl"),
    known_gaps_vi=(
        "Các lần khám trong ngày đầu của đợt điều trị ngoại trú (mã 02) là đúng quy định, bao nhiêu lần cũng vậy: "
        "EXAM-01 đến EXAM-03 xét. Với lượt lĩnh thuốc (07), số nêu ra là 1. Đợt của chuyên khoa khác trong cùng hồ sơ "
        "trông cũng như vậy."
    ),
    known_gaps_en=(
        "The examinations of the first day of a course (care type 02) are lawful, whatever their number: EXAM-01 to "
        "03 judge it. For a pick-up (07) the number shown is 1. A course of another specialty in one claim looks the "
        "same."
    ),
    examples=(
        hit(
            "lĩnh thuốc có tiền khám",
            "pick-up with an examination",
            visit(ma_loai_kcb="07"),
            exam(),
            drug(),
            amount=EXAM_PRICE * 0.8,
        ),
        hit(
            "khám lại giữa đợt",
            "examined again in the course",
            visit(ma_loai_kcb="02", ngay_ra="2025-03-20 23:59"),
            exam(),
            exam(ngay_yl="2025-03-14 08:00"),
            amount=EXAM_PRICE * 0.8,
        ),
        clear("chỉ lĩnh thuốc", "pick-up", visit(ma_loai_kcb="07"), drug()),
        clear(
            "hai chuyên khoa trong ngày đầu",
            "two specialties on the first day",
            visit(ma_loai_kcb="02"),
            exam(),
            exam(ratio=30),
        ),
        clear("khám ngoại trú", "consultation", visit(), exam()),
        not_evaluable("thiếu mã loại KCB", "no care type", visit(ma_loai_kcb=None), exam()),
    ),
)
def undue_examination(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid examinations of drug pick-ups, and those of later days of an outpatient course."""
    examined = (
        with_encounter(_exams(tables, "ngay_yl"), tables, "ma_loai_kcb")
        .with_columns(care=care_type("e_ma_loai_kcb"), date=day(nw.col("ngay_yl")))
        .filter(nw.col("care").is_in([UNDUE.pick_up, UNDUE.course]), ~nw.col("ngay_yl").is_null())
    )
    first = examined.group_by(*KEY).agg(first=nw.col("date").min())
    found = (
        examined.join(first, on=KEY, how="inner")
        .with_columns(number=minutes_between(nw.col("first"), nw.col("date")) / 1440 + 1)
        .filter((nw.col("care") == UNDUE.pick_up) | (nw.col("number") > 1))
    )
    allowed = nw.when(nw.col("care") == UNDUE.course).then(nw.lit(1.0)).otherwise(nw.lit(0.0))
    return line_hits(found, amount=money("t_bhtt"), observed=nw.col("number"), allowed=allowed)


@rule(
    id="EXAM-11",
    version=2,
    scheme="EXAM_TOO_SHORT",
    severity="warn",
    title_vi="Khám có siêu âm kết thúc trong 10 phút",
    title_en="Exam with ultrasound in under 10 minutes",
    reason_vi="Lượt khám có siêu âm chỉ kéo dài {observed} phút (ngưỡng {allowed} phút).",
    reason_en="A visit with an ultrasound lasted {observed} minutes (threshold {allowed}).",
    legal_basis="TT12/2026 Đ10 k1 i",
    needs=("encounter.ma_loai_kcb", "encounter.ngay_vao", "encounter.ngay_ra", "service_line.ma_nhom"),
    known_gaps_vi=(
        "Nhận biết theo mã máy hoặc tên dịch vụ. Bỏ qua thời điểm không ghi giờ, và lượt khám bắt đầu và kết thúc "
        "trong vòng hai phút: đó là giờ nhập máy, do TIME-10 xét."
    ),
    known_gaps_en=(
        "Told by the machine's code or by the name of the service. Passed over are times without a clock, and visits "
        "that begin and end within two minutes: these are times of typing, which TIME-10 tells."
    ),
    examples=(
        hit(
            "siêu âm trong sáu phút",
            "ultrasound in six minutes",
            visit(minutes=6),
            exam(),
            service(ma_nhom=2, ten_dich_vu="Siêu âm ổ bụng", ma_may="SA.1.01001.123"),
            amount=TEST_PRICE * 0.8,
        ),
        clear("trong 40 phút", "in forty minutes", visit(minutes=40), service(ma_nhom=2, ten_dich_vu="Siêu âm ổ bụng")),
        clear("công thức máu trong sáu phút", "blood count in six minutes", visit(minutes=6), exam(), service()),
        clear(
            "nhập lại sau sự cố mất mạng",
            "typed after an outage",
            visit(minutes=2),
            exam(),
            service(ma_nhom=2, ten_dich_vu="Siêu âm ổ bụng", ma_may="SA.1.01001.123"),
        ),
        not_evaluable("thiếu giờ ra viện", "no time of leaving", visit(ngay_ra=None), service()),
    ),
)
def quick_ultrasound(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid ultrasounds of consultations that are over within minutes."""
    arrived, left = nw.col("ngay_vao"), nw.col("ngay_ra")
    short = (
        tables.encounter.filter(care_type() == "01", ~clockless(arrived), ~clockless(left))
        .select(*KEY, minutes=minutes_between(arrived, left))
        .filter(nw.col("minutes") > QUICK.typed_min, nw.col("minutes") < QUICK.min_min)
    )
    machine = nw.col("ma_may").fill_null("").str.strip_chars().str.to_uppercase().str.starts_with(QUICK.machine)
    found = (
        lines(tables, SERVICES, "ma_nhom", "ten_dich_vu", "ma_may", "t_bhtt")
        .filter(
            nw.col("ma_nhom").is_in(TESTS),
            money("t_bhtt") > 0,
            machine | family(tables, "service_line", QUICK.named),
        )
        .join(short, on=KEY, how="inner")
    )
    return line_hits(found, amount=money("t_bhtt"), observed=nw.col("minutes"), allowed=nw.lit(float(QUICK.min_min)))


@rule(
    id="EXAM-12",
    version=2,
    scheme="POST_DISCHARGE_VISIT",
    severity="warn",
    title_vi="Khám ngoại trú trong ngày ra viện",
    title_en="Outpatient exam on the discharge day",
    reason_vi="Khám ngoại trú {observed} giờ sau khi ra viện tại cùng cơ sở (ngưỡng {allowed} giờ).",
    reason_en="An outpatient examination {observed} hours after leaving the ward here (threshold {allowed}).",
    legal_basis="TT35/2016 Đ4b; TT12/2026 Đ10 k1 h",
    needs=(
        "encounter.patient_id",
        "encounter.ngay_vao",
        "encounter.ngay_ra",
        "encounter.ma_loai_kcb",
        "encounter.ma_doituong_kcb",
        "service_line.ma_nhom",
    ),
    known_gaps_vi=(
        "Chỉ xét lượt có công khám được thanh toán; bỏ qua cấp cứu và người bệnh được chuyển đi, và bệnh điều trị theo "
        "chu kỳ, trừ khi là lượt khám thường (MA_LOAI_KCB 01). Bệnh mới vào sáng hôm sau trông cũng như vậy."
    ),
    known_gaps_en=(
        "Only visits with a paid examination; emergencies and patients who were transferred out are passed over, and "
        "illnesses treated in cycles, unless the visit is a plain examination (MA_LOAI_KCB 01). A new complaint the "
        "next morning looks the same."
    ),
    examples=(
        hit(
            "khám hai giờ sau khi ra viện",
            "examined two hours after leaving the ward",
            stay(days=2),
            visit("2025-03-12 18:00"),
            exam(),
            amount=EXAM_PRICE * 0.8,
        ),
        hit(
            "người bệnh ung thư khám lại sau khi ra viện",
            "a cancer patient examined again after leaving",
            stay(days=2, ma_benh_chinh="C50.9"),
            visit("2025-03-12 18:00", ma_benh_chinh="C50.9"),
            exam(),
            amount=EXAM_PRICE * 0.8,
        ),
        clear(
            "một chu kỳ sau đợt nằm viện",
            "a cycle after the stay",
            stay(days=2, ma_benh_chinh="C50.9"),
            visit("2025-03-12 18:00", ma_benh_chinh="C50.9", ma_loai_kcb="08"),
            exam(),
        ),
        clear("hai ngày sau", "two days later", stay(days=2), visit("2025-03-14 18:00"), exam()),
        clear("cấp cứu", "emergency", stay(days=2), visit("2025-03-12 20:00", ma_doituong_kcb="2"), exam()),
        clear(
            "tại cơ sở khác", "at another facility", stay(days=2), visit("2025-03-12 18:00", ma_cskcb="01002"), exam()
        ),
        not_evaluable("thiếu mã người bệnh", "no patient", visit(patient_id=None), exam()),
    ),
)
def examined_after_stay(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Outpatient claims with a paid examination right after a stay of the patient at the facility."""
    columns = ("ma_loai_kcb", "ngay_ra", "ma_loai_rv", "ma_doituong_kcb", "ma_benh_chinh", "t_bhtt")
    found = (
        earlier_pairs(tables, *columns, same=("patient_id", "ma_cskcb"))
        .filter(
            care_type().is_in(OUTPATIENT),
            care_type("p_ma_loai_kcb") == "03",
            ~nw.col("p_ma_loai_rv").is_in([2, 5]).fill_null(value=False),
            nw.col("ma_doituong_kcb").str.strip_chars() != AFTER_STAY.emergency,
            ~icd_in("ma_benh_chinh", CYCLIC) | (care_type() == EXAMINED),
            money("t_bhtt") > 0,
        )
        .with_columns(after=minutes_between(nw.col("p_ngay_ra"), nw.col("ngay_vao")) / 60)
        .filter(nw.col("after") >= 0, nw.col("after") <= AFTER_STAY.hours)
        .join(_exams(tables).select(*KEY).unique(), on=KEY, how="semi")
    )
    return pair_hits(found, amount=money("t_bhtt"), observed=nw.col("after"), allowed=nw.lit(float(AFTER_STAY.hours)))


@rule(
    id="EXAM-13",
    version=1,
    scheme="ORDER_TIME_ANOMALY",
    severity="info",
    title_vi="Lượt khám mã 01 kéo dài trên 1 ngày",
    title_en="Consultation lasting more than a day",
    reason_vi="Lượt khám (mã loại hình 01) kéo dài {observed} giờ (tối đa {allowed} giờ).",
    reason_en="A consultation (care type 01) lasts {observed} hours (at most {allowed}).",
    legal_basis="QĐ 130/QĐ-BYT SO_NGAY_DTRI",
    needs=("encounter.ma_loai_kcb", "encounter.ngay_vao", "encounter.ngay_ra"),
    known_gaps_vi=(
        "Dấu hiệu không kèm số tiền: mã loại KCB hoặc một thời điểm ghi sai. Hồ sơ chỉ đóng khi thanh toán trông cũng "
        "như vậy."
    ),
    known_gaps_en="A sign without money: the care type or a time is wrong. A claim closed at payment looks the same.",
    examples=(
        hit("hai ngày", "two days", visit(minutes=48 * 60), exam(), amount=0),
        clear("hai giờ", "two hours", visit(), exam()),
        clear("đợt điều trị ngoại trú", "outpatient course", visit(minutes=10 * 1440, ma_loai_kcb="02"), exam()),
        not_evaluable("thiếu giờ ra viện", "no time of leaving", visit(ngay_ra=None), exam()),
    ),
)
def long_consultation(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Consultations that end more than a day after they began."""
    found = tables.encounter.with_columns(hours=minutes_between(nw.col("ngay_vao"), nw.col("ngay_ra")) / 60).filter(
        care_type() == "01", nw.col("hours") > LONG.hours
    )
    return encounter_hits(found, amount=nw.lit(0.0), observed=nw.col("hours"), allowed=nw.lit(float(LONG.hours)))


@rule(
    id="EXAM-14",
    version=1,
    scheme="EXTRA_EXAM_FEE",
    severity="warn",
    title_vi="Một bác sĩ khám nhiều chuyên khoa trong một lượt",
    title_en="One doctor bills several specialties",
    reason_vi="Một bác sĩ tính công khám của {observed} khoa trong cùng ngày của một lượt (cho phép {allowed}).",
    reason_en="One doctor bills examinations of {observed} departments on one day of a claim ({allowed} allowed).",
    legal_basis="TT35/2016 Đ4b; CV4262",
    needs=("service_line.ma_nhom", "service_line.ngay_yl", "service_line.ma_khoa", "service_line.doctor"),
    known_gaps_vi=(
        "Tính trong một ngày của hồ sơ; giữ lần khám đầu. Bác sĩ có phạm vi hành nghề hai chuyên khoa vẫn là một "
        "người khám. Nhiều bác sĩ của phòng khám dùng chung một mã trông cũng như vậy."
    ),
    known_gaps_en=(
        "Counted within one day of a claim; the first examination is kept. A doctor licensed for two specialties is "
        "still one examiner. A number that several doctors of a clinic share looks the same."
    ),
    examples=(
        hit(
            "một bác sĩ khám nội và khám mắt",
            "internal medicine and eyes by one doctor",
            visit(),
            exam(ma_khoa="K03"),
            exam(ma_khoa="K30", ratio=30),
            amount=EXAM_PRICE * 0.3 * 0.8,
        ),
        clear(
            "hai bác sĩ",
            "two doctors",
            visit(),
            exam(ma_khoa="K03"),
            exam(ma_khoa="K30", ratio=30, doctor="002/CCHN", ma_bac_si="002/CCHN"),
        ),
        clear("một khoa", "one department", visit(), exam(), exam(ratio=30)),
        not_evaluable("không ghi bác sĩ", "no doctor", visit(), exam(doctor=None)),
    ),
)
def one_doctor_many_specialties(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid examinations of a doctor in a claim and day that follow one in another department."""
    own = [*KEY, "doctor", "date"]
    examined = (
        _exams(tables, "doctor", "ma_khoa", "ngay_yl")
        .filter(~nw.col("doctor").is_null(), ~nw.col("ma_khoa").is_null(), ~nw.col("ngay_yl").is_null())
        .with_columns(date=day(nw.col("ngay_yl")))
        .with_columns(rank=nw.col("ma_lk").cum_count().over(*own, order_by=["ngay_yl", "row_no"]))
    )
    first = examined.filter(nw.col("rank") == 1).select(*own, first_khoa=nw.col("ma_khoa"))
    departments = (
        examined.select(*own, "ma_khoa")
        .unique()
        .group_by(*own)
        .agg(departments=nw.len())
        .filter(nw.col("departments") >= SPECIALTIES.min)
    )
    found = (
        examined.join(departments, on=own, how="inner")
        .join(first, on=own, how="inner")
        .filter(nw.col("rank") > 1, nw.col("ma_khoa") != nw.col("first_khoa"))
    )
    return line_hits(
        found,
        amount=money("t_bhtt"),
        observed=nw.col("departments"),
        allowed=nw.lit(float(SPECIALTIES.min - 1)),
    )
