"""Examination fees: how many an encounter or a day may carry, and at what share of the price."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.schema import ENCOUNTER_KEY
from detectors.base import clear, hit, not_evaluable, rule
from detectors.examples import EXAM_PRICE, exam, stay, visit
from detectors.expressions import (
    EXAM,
    OUTPATIENT,
    SERVICES,
    admission,
    care_type,
    day,
    earlier_pairs,
    encounter_hits,
    line_hits,
    lines,
    money,
    with_encounter,
)
from detectors.facts import facts

if TYPE_CHECKING:
    from data.schema import ClaimTables

LATER, TOTAL, FIFTH = facts("EXAM-01"), facts("EXAM-02"), facts("EXAM-03")
RETURN, WARD = facts("EXAM-04"), facts("EXAM-06")
NEXT_FACILITY_VI = "Lần khám ở cơ sở khác trong cùng ngày là lần khám mới, không xét."
NEXT_FACILITY_EN = "An examination at another facility the same day is a new examination and is not judged."


def _exams(tables: ClaimTables, *columns: str) -> nw.LazyFrame[Any]:
    """Examination lines that ask money of the fund."""
    return lines(tables, SERVICES, "ma_nhom", "ngay_yl", "tyle_tt_dv", "t_bhtt", *columns).filter(
        nw.col("ma_nhom") == EXAM, money("t_bhtt") > 0
    )


@rule(
    id="EXAM-01",
    version=1,
    scheme="EXTRA_EXAM_FEE",
    severity="deny",
    title_vi="Công khám thứ 2 đến 4 tính quá 30%",
    title_en="Second to fourth examination above 30%",
    reason_vi="Lần khám sau trong ngày tính {observed}% giá (mức tối đa {allowed}%).",
    reason_en="A later examination of the day is charged at {observed}% of the price (at most {allowed}%).",
    legal_basis="TT35/2016 Đ4b",
    needs=("service_line.ma_nhom", "service_line.ngay_yl", "service_line.tyle_tt_dv"),
    known_gaps_vi=(
        "Tính trong một ngày: mỗi ngày của đợt ngoại trú có một lần khám đầu. Lần có tỷ lệ cao nhất được coi là lần "
        f"đầu, bất kể thứ tự thời gian. {NEXT_FACILITY_VI}"
    ),
    known_gaps_en=(
        "Counted within one day: each day of an outpatient course has a first examination. The dearest ratio counts "
        f"as the first, whatever the order of times. {NEXT_FACILITY_EN}"
    ),
    examples=(
        hit(
            "hai lần khám tính 100%",
            "two examinations at 100%",
            visit(),
            exam(),
            exam(ma_khoa="K20"),
            amount=EXAM_PRICE * 0.8 * 0.7,
        ),
        clear("lần khám thứ hai tính 30%", "second examination at 30%", visit(), exam(), exam(ratio=30)),
        clear("lần thứ hai được nhập trước", "second typed first", visit(), exam(ratio=30), exam()),
        clear("hai ngày của một đợt", "two days of a course", visit(), exam(), exam(ngay_yl="2025-03-11 08:00")),
        not_evaluable("thiếu tỷ lệ thanh toán", "no ratio", visit(), exam(), exam(tyle_tt_dv=None, t_bhtt=40_000)),
    ),
)
def later_examinations(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Second to fourth paid examinations of an encounter's day charged above the ladder."""
    found = (
        _exams(tables)
        .filter(~nw.col("tyle_tt_dv").is_null(), ~nw.col("ngay_yl").is_null())
        .with_columns(date=day(nw.col("ngay_yl")), cheaper=-nw.col("tyle_tt_dv"))
        .with_columns(
            rank=nw.col("ma_lk").cum_count().over(*ENCOUNTER_KEY, "date", order_by=["cheaper", "ngay_yl", "row_no"])
        )
        .filter(nw.col("rank") > 1, nw.col("rank") <= LATER.last, nw.col("tyle_tt_dv") > LATER.rate)
    )
    ratio = money("tyle_tt_dv")
    return line_hits(
        found,
        amount=(ratio - LATER.rate) / ratio * money("t_bhtt"),
        observed=ratio,
        allowed=nw.lit(float(LATER.rate)),
    )


@rule(
    id="EXAM-02",
    version=1,
    scheme="EXTRA_EXAM_FEE",
    severity="deny",
    title_vi="Tổng tiền khám vượt 2 lần giá một lần khám",
    title_en="Examination fees above twice one price",
    reason_vi="Tổng tiền khám trong ngày {observed} đồng, tối đa {allowed} đồng (2 lần giá khám cao nhất).",
    reason_en="Examination fees of a day are {observed} VND, at most {allowed} VND (twice the dearest price).",
    legal_basis="TT35/2016 Đ4b",
    needs=("service_line.ma_nhom", "service_line.don_gia_bh", "service_line.thanh_tien_bh"),
    known_gaps_vi=f"Tính trong một ngày của đợt. {NEXT_FACILITY_VI}",
    known_gaps_en=f"Counted within one day of an encounter. {NEXT_FACILITY_EN}",
    examples=(
        hit(
            "ba lần khám tính đủ",
            "three examinations in full",
            visit(),
            exam(),
            exam(),
            exam(),
            amount=EXAM_PRICE * 0.8,
        ),
        clear(
            "một lần tính đủ, ba lần 30%",
            "one in full, three at 30%",
            visit(),
            exam(),
            exam(ratio=30),
            exam(ratio=30),
            exam(ratio=30),
        ),
        clear(
            "ba ngày, mỗi ngày một lần khám",
            "an examination on each of three days",
            stay(),
            *(exam(ngay_yl=f"2025-03-1{d} 09:00") for d in (0, 1, 2)),
        ),
        not_evaluable("thiếu đơn giá", "no price", visit(), exam(), exam(don_gia_bh=None, thanh_tien_bh=50_000)),
    ),
)
def examination_total(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Encounters whose examinations of one day cost more than twice the dearest one."""
    days = (
        _exams(tables, "don_gia_bh", "thanh_tien_bh")
        .select(
            *ENCOUNTER_KEY,
            date=day(nw.col("ngay_yl")),
            covered=money("thanh_tien_bh"),
            price=money("don_gia_bh"),
            fund=money("t_bhtt"),
        )
        .group_by(*ENCOUNTER_KEY, "date")
        .agg(nw.col("covered").sum(), nw.col("price").max(), nw.col("fund").sum())
        .with_columns(limit=nw.col("price") * TOTAL.times)
        .filter(nw.col("covered") > nw.col("limit") + TOTAL.tol_vnd)
        .with_columns(excess=(nw.col("covered") - nw.col("limit")) / nw.col("covered") * nw.col("fund"))
        .group_by(*ENCOUNTER_KEY)
        .agg(nw.col("excess").sum(), nw.col("covered").sum(), nw.col("limit").sum())
    )
    found = days.join(tables.encounter.select(*ENCOUNTER_KEY, "t_bhtt"), on=list(ENCOUNTER_KEY), how="inner")
    return encounter_hits(found, amount=nw.col("excess"), observed=nw.col("covered"), allowed=nw.col("limit"))


@rule(
    id="EXAM-03",
    version=1,
    scheme="EXTRA_EXAM_FEE",
    severity="deny",
    title_vi="Lần khám thứ 5 quá 10%, từ lần 6 vẫn tính",
    title_en="Fifth examination above 10%, sixth still paid",
    reason_vi="Lần khám từ thứ 5 trong ngày tính {observed}% giá (mức tối đa {allowed}%).",
    reason_en="An examination from the fifth of the day on is charged at {observed}% (at most {allowed}%).",
    legal_basis="QĐ 130 TYLE_TT_DV; TT35/2016 Đ4b",
    needs=("service_line.ma_nhom", "service_line.ngay_yl", "service_line.tyle_tt_dv"),
    known_gaps_vi=f"Tính trong một ngày, xếp tỷ lệ cao trước. {NEXT_FACILITY_VI}",
    known_gaps_en=f"Counted within one day, dearest ratio first. {NEXT_FACILITY_EN}",
    examples=(
        hit(
            "lần khám thứ năm tính 30%",
            "fifth examination at 30%",
            visit(),
            exam(),
            *(exam(ratio=30) for _ in range(4)),
            amount=EXAM_PRICE * 0.3 * 0.8 * 20 / 30,
        ),
        clear(
            "lần khám thứ năm tính 10%",
            "fifth examination at 10%",
            visit(),
            exam(),
            *(exam(ratio=30) for _ in range(3)),
            exam(ratio=10),
        ),
        not_evaluable("thiếu tỷ lệ thanh toán", "no ratio", visit(), exam(tyle_tt_dv=None, t_bhtt=40_000)),
    ),
)
def fifth_examination(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Fifth and later paid examinations of an encounter's day above the end of the ladder."""
    found = (
        _exams(tables)
        .filter(~nw.col("tyle_tt_dv").is_null(), ~nw.col("ngay_yl").is_null())
        .with_columns(date=day(nw.col("ngay_yl")), cheaper=-nw.col("tyle_tt_dv"))
        .with_columns(
            rank=nw.col("ma_lk").cum_count().over(*ENCOUNTER_KEY, "date", order_by=["cheaper", "ngay_yl", "row_no"])
        )
        .with_columns(
            limit=nw.when(nw.col("rank") == FIFTH.fifth).then(nw.lit(float(FIFTH.rate))).otherwise(nw.lit(0.0))
        )
        .filter(nw.col("rank") >= FIFTH.fifth, money("tyle_tt_dv") > nw.col("limit"))
    )
    ratio = money("tyle_tt_dv")
    return line_hits(
        found, amount=(ratio - nw.col("limit")) / ratio * money("t_bhtt"), observed=ratio, allowed=nw.col("limit")
    )


@rule(
    id="EXAM-04",
    version=1,
    scheme="EXTRA_EXAM_FEE",
    severity="deny",
    title_vi="Hai hồ sơ cùng ngày, cùng cơ sở đều tính khám 100%",
    title_en="Two claims same day and site, both full examination",
    reason_vi=(
        "Người bệnh đã có hồ sơ khám cùng ngày tại cơ sở này; lần khám sau vẫn tính {observed}% (mức {allowed}%)."
    ),
    reason_en=(
        "The patient already had an examination here that day; this one is charged at {observed}% (rate {allowed}%)."
    ),
    legal_basis="TT35/2016 Đ4b (khám lại trong ngày)",
    needs=("encounter.patient_id", "encounter.ngay_vao", "encounter.ma_loai_kcb", "service_line.tyle_tt_dv"),
    known_gaps_vi=f"Cả hai hồ sơ phải là ngoại trú và có công khám được thanh toán ngày đó. {NEXT_FACILITY_VI}",
    known_gaps_en=f"Both claims must be outpatient and carry a paid examination that day. {NEXT_FACILITY_EN}",
    examples=(
        hit(
            "chiều cùng ngày quay lại",
            "back the same afternoon",
            visit("2025-03-10 08:00"),
            exam(),
            visit("2025-03-10 14:00"),
            exam(),
            amount=EXAM_PRICE * 0.8 * 0.7,
        ),
        clear(
            "lần hai tính 30%",
            "second at 30%",
            visit("2025-03-10 08:00"),
            exam(),
            visit("2025-03-10 14:00"),
            exam(ratio=30),
        ),
        clear(
            "phòng khám đa khoa, sau đó bệnh viện",
            "polyclinic, then hospital",
            visit(),
            exam(),
            visit("2025-03-10 14:00", ma_cskcb="01002"),
            exam(),
        ),
        clear("ngày hôm sau", "next day", visit(), exam(), visit("2025-03-11 08:00"), exam()),
        clear(
            "người bệnh khác", "another patient", visit(), exam(), visit("2025-03-10 14:00", patient_id="P2"), exam()
        ),
        not_evaluable("thiếu mã người bệnh", "no patient", visit(patient_id=None), exam()),
    ),
)
def same_day_return(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Full examinations of an outpatient claim whose patient was already examined here the same day."""
    examined = with_encounter(_exams(tables), tables, "ngay_vao", "ma_loai_kcb").filter(
        care_type("e_ma_loai_kcb").is_in(OUTPATIENT), day(nw.col("ngay_yl")) == day(nw.col("e_ngay_vao"))
    )
    visits = examined.select(*ENCOUNTER_KEY).unique(list(ENCOUNTER_KEY))
    returns = (
        earlier_pairs(tables, same=("patient_id", "ma_cskcb"))
        .filter(day(nw.col("ngay_vao")) == day(nw.col("p_ngay_vao")))
        .join(visits, left_on=["ma_cskcb", "p_ma_lk"], right_on=list(ENCOUNTER_KEY), how="semi")
        .select(*ENCOUNTER_KEY)
        .unique(list(ENCOUNTER_KEY))
    )
    found = examined.filter(money("tyle_tt_dv") == 100).join(returns, on=list(ENCOUNTER_KEY), how="semi")
    return line_hits(
        found,
        amount=(100 - RETURN.rate) / 100 * money("t_bhtt"),
        observed=money("tyle_tt_dv"),
        allowed=nw.lit(float(RETURN.rate)),
    )


@rule(
    id="EXAM-06",
    version=1,
    scheme="EXTRA_EXAM_FEE",
    severity="warn",
    title_vi="Nội trú tính hơn một công khám",
    title_en="More than one examination fee in a stay",
    reason_vi="Đợt nội trú có lần khám thứ {observed} được thanh toán (cho phép {allowed}).",
    reason_en="The stay has a paid examination number {observed} ({allowed} allowed).",
    legal_basis="TT35/2016 Đ4b",
    needs=("encounter.ma_loai_kcb", "encounter.ngay_vao", "service_line.ma_nhom"),
    known_gaps_vi=(
        "Khám thêm chuyên khoa tính từ 30% trở xuống, trong ngày trước khi có chỉ định nhập viện, là đúng quy định "
        "nên bỏ qua. Giữ lần khám đắt nhất."
    ),
    known_gaps_en=(
        "Further specialties at 30% or less on the day before the admission order are lawful and passed over. The "
        "dearest examination is kept."
    ),
    examples=(
        hit(
            "tính lại công khám khi đã vào khoa",
            "examination billed again on the ward",
            stay(),
            exam(),
            exam(ngay_yl="2025-03-11 09:00"),
            amount=EXAM_PRICE * 0.8,
        ),
        clear("một công khám", "one examination", stay(), exam()),
        clear(
            "khám hai chuyên khoa trước khi nhập viện",
            "two specialties before admission",
            stay(ngay_vao_noi_tru="2025-03-10 10:00"),
            exam(),
            exam(ratio=30),
        ),
        clear("ngoại trú", "outpatient", visit(), exam(), exam()),
        not_evaluable("thiếu mã loại KCB", "no care type", stay(ma_loai_kcb=None), exam()),
    ),
)
def examinations_in_stay(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid examinations of an inpatient stay beyond its dearest one."""
    before_ward = admission("e_") >= nw.col("ngay_yl")
    lawful = ((money("tyle_tt_dv") <= WARD.rate) & before_ward).fill_null(value=False)
    found = (
        with_encounter(_exams(tables), tables, "ma_loai_kcb", "ngay_vao", "ngay_vao_noi_tru")
        .filter(care_type("e_ma_loai_kcb") == "03", ~lawful)
        .with_columns(cheaper=-money("t_bhtt"))
        .with_columns(rank=nw.col("ma_lk").cum_count().over(*ENCOUNTER_KEY, order_by=["cheaper", "ngay_yl", "row_no"]))
        .filter(nw.col("rank") > WARD.max)
    )
    return line_hits(found, amount=money("t_bhtt"), observed=nw.col("rank"), allowed=nw.lit(float(WARD.max)))
