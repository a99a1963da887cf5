"""What one card tells over time: one body, one life, and as many visits as one person makes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.schema import ENCOUNTER_KEY
from detectors.base import clear, hit, not_evaluable, rule
from detectors.examples import EXAM_PRICE, PILL_PRICE, SURGERY_PRICE, drug, exam, service, stay, surgery, visit
from detectors.expressions import (
    SERVICES,
    care_type,
    days_between,
    earlier_pairs,
    encounter_hits,
    family,
    icd_in,
    line_hits,
    lines,
    minutes_between,
    money,
    with_encounter,
)
from detectors.facts import facts

if TYPE_CHECKING:
    from data.schema import ClaimTables

IDENTITY = facts("CARD-06")
BLOOD = facts("CARD-07")
WEIGHT = facts("CARD-08")
DEATH = facts("CARD-09")
VISITS = facts("CARD-16")
PLACES = facts("CARD-17")
BIRTHS = facts("CARD-18")
ORGANS = facts("CARD-19")

KEY: list[str] = list(ENCOUNTER_KEY)
IN_ORDER = ["ngay_vao", *KEY]
WHO_AND_WHEN = ("encounter.patient_id", "encounter.ngay_vao")
MERGED_VI = "Hai người bị nhập nhầm chung một mã thẻ trông cũng như vậy."
MERGED_EN = "Two people merged under one card number by a typing error look the same."


def _among(tables: ClaimTables, encounter: nw.LazyFrame[Any], patients: nw.LazyFrame[Any]) -> ClaimTables:
    """`tables` with the encounters of `patients` only, so that few are paired."""
    return replace(tables, encounter=encounter.join(patients.select("patient_id"), on="patient_id", how="semi"))


def _known(tables: ClaimTables) -> nw.LazyFrame[Any]:
    return tables.encounter.filter(~nw.col("patient_id").is_null(), ~nw.col("ngay_vao").is_null())


def _grown(newborn_days: int) -> nw.Expr:
    """Whether the patient is no newborn, who may be treated on its mother's card; true where the birth is unknown."""
    age = days_between(nw.col("ngay_sinh").cast(nw.Datetime("us")), nw.col("ngay_vao"))
    return ~(age <= newborn_days).fill_null(value=False)


def _unlike_most(pairs: nw.LazyFrame[Any], differs: nw.Expr, key: list[str]) -> nw.LazyFrame[Any]:
    """Encounters of `pairs` that differ from more earlier claims than they agree with, with both counts."""
    return (
        pairs.with_columns(other=nw.when(differs).then(nw.lit(1.0)).otherwise(nw.lit(0.0)))
        .group_by(*key)
        .agg(others=nw.col("other").sum(), pairs=nw.len())
        .with_columns(alike=nw.col("pairs").cast(nw.Float64) - nw.col("others"))
        .filter(nw.col("others") > nw.col("alike"))
    )


def _with_money(found: nw.LazyFrame[Any], tables: ClaimTables) -> nw.LazyFrame[Any]:
    return found.join(tables.encounter.select(*KEY, "t_bhtt"), on=KEY, how="inner").filter(money("t_bhtt") > 0)


@rule(
    id="CARD-06",
    version=1,
    scheme="CARD_LENDING",
    severity="warn",
    title_vi="Một thẻ có nhiều nhân thân",
    title_en="One card, several identities",
    reason_vi=(
        "Giới tính hoặc năm sinh khác với {observed} lượt trước của cùng thẻ trong một năm ({allowed} lượt trùng khớp)."
    ),
    reason_en="Sex or year of birth differ from {observed} earlier claims of the card in a year ({allowed} agree).",
    legal_basis="L-BHYT Đ11, Đ20; ND90 Đ84; BLHS Đ215",
    needs=(*WHO_AND_WHEN, "encounter.gioi_tinh", "encounter.ngay_sinh"),
    known_gaps_vi=(
        "Hồ sơ bị nêu khi khác nhiều hơn là giống các hồ sơ trước: giữa hai hồ sơ thì nêu hồ sơ sau, dù hồ sơ trước "
        "có thể mới là sai. Bỏ qua trẻ sơ sinh. Số CCCD chỉ lưu dạng giả danh, không phân biệt được gõ sai một số với "
        f"người khác, nên không so. {MERGED_VI}"
    ),
    known_gaps_en=(
        "The claim is named when it differs from more earlier claims than it agrees with: of two claims the later "
        "one, though the earlier may be wrong. Newborns are passed over. The citizen number is kept as a pseudonym, "
        f"so that a slip of one digit cannot be told from another person: it is not compared. {MERGED_EN}"
    ),
    examples=(
        hit(
            "nữ dùng thẻ của nam",
            "a woman on a man's card",
            visit(),
            visit("2025-04-10 08:00", gioi_tinh=2, ngay_sinh="1996-02-01"),
            exam(),
            amount=EXAM_PRICE * 0.8,
        ),
        clear(
            "lệch một năm sinh, do gõ nhầm",
            "one year off, a typing error",
            visit(),
            visit("2025-04-10 08:00", ngay_sinh="1986-05-20"),
            exam(),
        ),
        clear("thẻ khác", "another card", visit(), visit("2025-04-10 08:00", gioi_tinh=2, patient_id="P2"), exam()),
        clear(
            "trẻ sơ sinh dùng thẻ của mẹ",
            "a newborn on its mother's card",
            visit(gioi_tinh=2),
            visit("2025-04-10 08:00", gioi_tinh=1, ngay_sinh="2025-04-08"),
            exam(),
        ),
        not_evaluable("thiếu giới tính", "no sex", visit(gioi_tinh=None), exam()),
    ),
)
def several_identities(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Claims whose sex or year of birth differ from most earlier claims of the card within the window."""
    own = (
        _known(tables)
        .filter(_grown(IDENTITY.newborn_days))
        .with_columns(
            sex=nw.when(nw.col("gioi_tinh").is_in(IDENTITY.known_sex)).then(nw.col("gioi_tinh")),
            year=nw.col("ngay_sinh").dt.year().cast(nw.Int32),
        )
    )
    mixed = (
        own.group_by("patient_id")
        .agg(
            first=nw.col("sex").min(), last=nw.col("sex").max(), born=nw.col("year").min(), latest=nw.col("year").max()
        )
        .filter(
            (nw.col("first") != nw.col("last")).fill_null(value=False)
            | (nw.col("latest") - nw.col("born") > IDENTITY.year_gap).fill_null(value=False)
        )
    )
    pairs = earlier_pairs(_among(tables, own, mixed), "sex", "year").filter(
        days_between(nw.col("p_ngay_vao"), nw.col("ngay_vao")) <= IDENTITY.window_days
    )
    gap = nw.col("year") - nw.col("p_year")
    differs = (nw.col("sex") != nw.col("p_sex")).fill_null(value=False) | (gap.abs() > IDENTITY.year_gap).fill_null(
        value=False
    )
    found = _with_money(_unlike_most(pairs, differs, KEY), tables)
    return encounter_hits(found, amount=money("t_bhtt"), observed=nw.col("others"), allowed=nw.col("alike"))


def _abo(column: str) -> nw.Expr:
    """The ABO group that a text names; null where it names none."""
    text = nw.col(column).str.strip_chars().str.to_uppercase()
    return (
        nw.when(text.str.contains(BLOOD.group_ab))
        .then(nw.lit("AB"))
        .otherwise(
            nw.when(text.str.contains(BLOOD.group_a))
            .then(nw.lit("A"))
            .otherwise(
                nw.when(text.str.contains(BLOOD.group_b))
                .then(nw.lit("B"))
                .otherwise(
                    nw.when(text.str.contains(BLOOD.group_o)).then(nw.lit("O")).otherwise(nw.lit(None, dtype=nw.String))
                )
            )
        )
    )


@rule(
    id="CARD-07",
    version=1,
    scheme="CARD_LENDING",
    severity="warn",
    title_vi="Nhóm máu không nhất quán trên cùng thẻ",
    title_en="Blood group changes on one card",
    reason_vi="Nhóm máu khác với {observed} lượt trước của cùng thẻ ({allowed} lượt trùng khớp).",
    reason_en="The blood group differs from {observed} earlier claims of the card ({allowed} agree).",
    legal_basis="ND90 Đ84; BLHS Đ215",
    needs=(*WHO_AND_WHEN, "encounter.nhom_mau"),
    known_gaps_vi=(
        "Bỏ qua trẻ sơ sinh. NHOM_MAU được dùng trước kết quả xét nghiệm của cùng hồ sơ; hồ sơ chỉ có kết quả xét "
        "nghiệm, khi không thấy gì, vẫn báo là không đánh giá được. Bỏ qua cách ghi khác A, B, AB, O (có hoặc không "
        f"có Rh). Nhóm máu có thể đổi sau ghép tủy. {MERGED_VI}"
    ),
    known_gaps_en=(
        "Newborns are passed over. NHOM_MAU counts before a laboratory result of the same claim; a claim with a "
        "result alone is still said to be not evaluable when nothing is found. Groups in other spellings than A, B, "
        f"AB, O (with or without Rh) are passed over. A group after a transplant of bone marrow may change. {MERGED_EN}"
    ),
    examples=(
        hit(
            "nhóm O, sau đó AB",
            "group O, then AB",
            visit(nhom_mau="O+"),
            visit("2025-04-10 08:00", nhom_mau="AB Rh+"),
            exam(),
            amount=EXAM_PRICE * 0.8,
        ),
        clear("O+ và O", "O+ and O", visit(nhom_mau="O+"), visit("2025-04-10 08:00", nhom_mau="o"), exam()),
        clear(
            "hai người khác nhau",
            "two people",
            visit(nhom_mau="O"),
            visit("2025-04-10 08:00", nhom_mau="A", patient_id="P2"),
            exam(),
        ),
        not_evaluable("thiếu nhóm máu", "no blood group", visit(nhom_mau=None), exam()),
    ),
)
def blood_group_changes(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Claims whose ABO group differs from that of most earlier claims of the card."""
    tested = (
        tables.lab_result.filter(family(tables, "lab_result", BLOOD.test, column="ten_chi_so"))
        .select(*KEY, tested=_abo("gia_tri"))
        .filter(~nw.col("tested").is_null())
        .group_by(*KEY)
        .agg(tested=nw.col("tested").min(), latest=nw.col("tested").max())
        .filter(nw.col("tested") == nw.col("latest"))
        .select(*KEY, "tested")
    )
    own = (
        _known(tables)
        .filter(_grown(BLOOD.newborn_days))
        .join(tested, on=KEY, how="left")
        .with_columns(abo=nw.coalesce(_abo("nhom_mau"), nw.col("tested")))
        .filter(~nw.col("abo").is_null())
    )
    mixed = (
        own.group_by("patient_id")
        .agg(first=nw.col("abo").min(), last=nw.col("abo").max())
        .filter(nw.col("first") != nw.col("last"))
    )
    pairs = earlier_pairs(_among(tables, own, mixed), "abo")
    found = _with_money(_unlike_most(pairs, nw.col("abo") != nw.col("p_abo"), KEY), tables)
    return encounter_hits(found, amount=money("t_bhtt"), observed=nw.col("others"), allowed=nw.col("alike"))


@rule(
    id="CARD-08",
    version=1,
    scheme="CARD_LENDING",
    severity="info",
    title_vi="Cân nặng thay đổi bất khả",
    title_en="Impossible weight change",
    reason_vi="Cân nặng thay đổi {observed}% so với lượt trước của cùng thẻ (ngưỡng {allowed}%).",
    reason_en="The weight changed by {observed}% since the card's last claim (threshold {allowed}%).",
    legal_basis="ND90 Đ84",
    needs=(*WHO_AND_WHEN, "encounter.can_nang", "encounter.ngay_sinh"),
    known_gaps_vi=(
        "So với hai hồ sơ gần nhất có cân nặng của người bệnh, để một lần gõ nhầm chỉ nêu một hồ sơ. Bỏ qua: trẻ em, "
        f"thai kỳ, lọc máu, cổ trướng và suy tim. Cân nặng chép lại hoặc gõ nhầm ô trông cũng như vậy. {MERGED_VI}"
    ),
    known_gaps_en=(
        "Compared with the last two weighed claims of the patient, so that one slip names one claim. Passed over: "
        "children, pregnancy, dialysis, ascites and heart failure. A weight that is copied, or typed in the wrong "
        f"field, looks the same. {MERGED_EN}"
    ),
    examples=(
        hit(
            "48 kg, sau đó 80 kg",
            "48 kg, then 80 kg",
            visit(can_nang=48),
            visit("2025-04-10 08:00", can_nang=80),
            exam(),
            amount=EXAM_PRICE * 0.8,
        ),
        clear("chênh 2 kg", "two kilograms", visit(can_nang=48), visit("2025-04-10 08:00", can_nang=50), exam()),
        clear(
            "người bệnh lọc máu",
            "dialysis",
            visit(can_nang=48, ma_benh_chinh="N18.5"),
            visit("2025-04-10 08:00", can_nang=80, ma_benh_chinh="N18.5"),
            exam(),
        ),
        clear("cách nhau một năm", "a year later", visit(can_nang=48), visit("2026-04-10 08:00", can_nang=80), exam()),
        not_evaluable("thiếu cân nặng", "no weight", visit(can_nang=None), exam()),
    ),
)
def impossible_weight(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Claims of adults whose weight differs from both of the patient's last weighed claims by more than the share."""
    before, further = (nw.col("weight").shift(n).over("patient_id", order_by=IN_ORDER) for n in (1, 2))
    last_time = nw.col("ngay_vao").shift(1).over("patient_id", order_by=IN_ORDER)
    age = nw.col("ngay_vao").dt.year() - nw.col("ngay_sinh").dt.year()
    found = (
        _known(tables)
        .with_columns(weight=money("can_nang"))
        .filter(nw.col("weight") > 0)
        .with_columns(before=before, further=nw.coalesce(further, before), last_time=last_time, age=age)
        .with_columns(change=_change("before"), further_change=_change("further"))
        .filter(
            nw.col("change") > WEIGHT.pct,
            nw.col("further_change") > WEIGHT.pct,
            days_between(nw.col("last_time"), nw.col("ngay_vao")) <= WEIGHT.window_days,
            nw.col("age") > WEIGHT.min_age + 1,
            ~icd_in("ma_benh_chinh", WEIGHT.exempt_icd),
            money("t_bhtt") > 0,
        )
    )
    return encounter_hits(found, amount=money("t_bhtt"), observed=nw.col("change"), allowed=nw.lit(float(WEIGHT.pct)))


def _change(before: str) -> nw.Expr:
    return (nw.col("weight") - nw.col(before)).abs() / nw.col(before) * 100


@rule(
    id="CARD-09",
    version=1,
    scheme="CARD_DECEASED",
    severity="warn",
    title_vi="Khám chữa bệnh sau hồ sơ tử vong",
    title_en="Claim after a death claim",
    reason_vi="Lượt khám sau hồ sơ ghi tử vong của cùng thẻ {observed} giờ (cho phép {allowed} giờ).",
    reason_en="The visit comes {observed} hours after a claim of the card that records a death ({allowed} allowed).",
    legal_basis="L-BHYT Đ11; ND90 Đ84-85; BLHS Đ215",
    needs=WHO_AND_WHEN,
    known_gaps_vi=(
        "Cần xác nhận bằng nguồn thứ hai: phần lớn trường hợp khớp trước đây là ghi sai kết quả hoặc ngày. Trẻ sơ "
        "sinh tử vong ghi trên thẻ mẹ trông cũng như vậy. Nếu người mượn thẻ tử vong thì các lượt khám sau của chủ "
        f"thẻ bị nêu, dù hồ sơ kia mới bất thường. {MERGED_VI}"
    ),
    known_gaps_en=(
        "Confirm with a second source: most matches of the past were wrong outcomes or dates. A newborn's death "
        "written on its mother's card looks the same. Where somebody died on a borrowed card, the owner's later "
        f"visits are named, though the other claim is the odd one. {MERGED_EN}"
    ),
    examples=(
        hit(
            "khám một tháng sau khi tử vong",
            "a visit a month after death",
            stay(days=2, ket_qua_dtri=5),
            visit("2025-04-10 08:00"),
            exam(),
            amount=EXAM_PRICE * 0.8,
        ),
        clear(
            "khám trước khi tử vong",
            "visit before the death",
            visit("2025-03-01 08:00"),
            exam(),
            stay(days=2, ket_qua_dtri=5),
        ),
        clear("ra viện, khỏi bệnh", "went home cured", stay(days=2, ket_qua_dtri=1), visit("2025-04-10 08:00"), exam()),
        not_evaluable("thiếu mã người bệnh", "no patient", visit(patient_id=None), exam()),
    ),
)
def visit_after_death(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Encounters that begin after an earlier claim of the patient ended in death."""
    deaths = (
        _known(tables)
        .filter(nw.col("ket_qua_dtri").is_in(DEATH.died), nw.col("ngay_ra") >= nw.col("ngay_vao"))
        .group_by("patient_id")
        .agg(died=nw.col("ngay_ra").min())
    )
    found = (
        _known(tables)
        .join(deaths, on="patient_id", how="inner")
        .with_columns(after=minutes_between(nw.col("died"), nw.col("ngay_vao")) / 60)
        .filter(nw.col("after") > DEATH.grace_hours, money("t_bhtt") > 0)
    )
    return encounter_hits(
        found, amount=money("t_bhtt"), observed=nw.col("after"), allowed=nw.lit(float(DEATH.grace_hours))
    )


@rule(
    id="CARD-16",
    version=1,
    scheme="DOCTOR_SHOPPING",
    severity="warn",
    title_vi="Quá nhiều lượt khám trong 30 ngày",
    title_en="Too many visits in 30 days",
    reason_vi="Lượt khám thứ {observed} của thẻ trong 30 ngày (ngưỡng {allowed} lượt).",
    reason_en="The card's visit number {observed} within 30 days (threshold {allowed}).",
    legal_basis="ND188 Đ12 k4; ND90 Đ84",
    needs=(*WHO_AND_WHEN, "encounter.ma_loai_kcb", "encounter.ma_benh_chinh"),
    known_gaps_vi=(
        "Đợt có chu kỳ (lọc máu, hóa trị, truyền máu, phục hồi chức năng, thay băng, HIV) không tính và không nêu. "
        "Buổi điều trị hằng ngày mà cơ sở kê thành từng lượt khám trông cũng như vậy. Chỉ tính hồ sơ ngoại trú, không "
        "tính lượt lĩnh thuốc."
    ),
    known_gaps_en=(
        "Planned cycles (dialysis, chemotherapy, transfusion, rehabilitation, dressings, HIV) are neither counted nor "
        "named. Daily sessions that a facility bills as visits of their own look the same. Only outpatient claims "
        "count, drug pick-ups do not."
    ),
    examples=(
        hit(
            "chín lượt trong ba tuần",
            "nine visits in three weeks",
            *(row for d in range(9) for row in (visit(f"2025-03-{10 + 2 * d} 08:00"), exam())),
            amount=EXAM_PRICE * 0.8,
        ),
        clear(
            "tám lượt",
            "eight visits",
            *(row for d in range(8) for row in (visit(f"2025-03-{10 + 2 * d} 08:00"), exam())),
        ),
        clear(
            "lọc máu tuần ba lần",
            "dialysis three times a week",
            *(row for d in range(9) for row in (visit(f"2025-03-{10 + 2 * d} 08:00", ma_benh_chinh="N18.5"), exam())),
        ),
        not_evaluable("thiếu mã người bệnh", "no patient", visit(patient_id=None), exam()),
    ),
)
def too_many_visits(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Outpatient claims beyond the threshold within a rolling window of the patient."""
    visits = (
        _known(tables)
        .filter(care_type().is_in(VISITS.care_types), ~icd_in("ma_benh_chinh", VISITS.cyclic_icd))
        .select("patient_id", *KEY, "ngay_vao", "t_bhtt")
        .with_columns(
            ninth=nw.col("ngay_vao").shift(VISITS.max_visits).over("patient_id", order_by=IN_ORDER),
            number=nw.col("ma_lk").cum_count().over("patient_id", order_by=IN_ORDER),
        )
    )
    within = days_between(nw.col("ninth"), nw.col("ngay_vao")) < VISITS.window_days
    over = visits.filter(within, money("t_bhtt") > 0)
    earlier = visits.select("patient_id", p_number=nw.col("number"), p_ngay_vao=nw.col("ngay_vao"))
    found = (
        over.join(earlier, on="patient_id", how="inner")
        .filter(
            nw.col("p_number") <= nw.col("number"),
            days_between(nw.col("p_ngay_vao"), nw.col("ngay_vao")) < VISITS.window_days,
        )
        .group_by(*KEY)
        .agg(count=nw.len(), t_bhtt=nw.col("t_bhtt").max())
    )
    return encounter_hits(
        found, amount=money("t_bhtt"), observed=nw.col("count"), allowed=nw.lit(float(VISITS.max_visits))
    )


@rule(
    id="CARD-17",
    version=1,
    scheme="DOCTOR_SHOPPING",
    severity="warn",
    title_vi="Khám tại nhiều cơ sở trong 30 ngày",
    title_en="Many facilities in 30 days",
    reason_vi="Cơ sở thứ {observed} cấp thuốc ngoại trú cho thẻ trong 30 ngày (ngưỡng {allowed} cơ sở).",
    reason_en="Facility number {observed} that gives the card outpatient drugs within 30 days (threshold {allowed}).",
    legal_basis="ND188 Đ12 k4; TT12/2026 Đ10 k1 h",
    needs=(*WHO_AND_WHEN, "encounter.ma_loai_kcb", "encounter.t_thuoc"),
    known_gaps_vi=(
        "Không tính hồ sơ có giấy chuyển, có giấy hẹn, hoặc sau đó người bệnh được chuyển viện. Chi nhánh có mã riêng "
        "của một cơ sở được tính riêng."
    ),
    known_gaps_en=(
        "Claims with a referral, with an appointment, or after which the patient was transferred, are not counted. "
        "Branches of one facility with codes of their own count apart."
    ),
    examples=(
        hit(
            "lấy thuốc ở bốn cơ sở trong 10 ngày",
            "drugs at four facilities in ten days",
            *(row for n in range(4) for row in (visit(f"2025-03-{10 + 3 * n} 08:00", ma_cskcb=f"0100{n + 1}"), drug())),
            amount=20 * PILL_PRICE * 0.8,
        ),
        clear(
            "lấy thuốc ở ba cơ sở",
            "drugs at three",
            *(
                row
                for n in range(4)
                for row in (visit(f"2025-03-{10 + 3 * n} 08:00", ma_cskcb=f"0100{n % 3 + 1}"), drug())
            ),
        ),
        clear(
            "khám ở bốn cơ sở, không lấy thuốc",
            "examined at four, no drugs",
            *(row for n in range(4) for row in (visit(f"2025-03-{10 + 3 * n} 08:00", ma_cskcb=f"0100{n + 1}"), exam())),
        ),
        not_evaluable("thiếu mã người bệnh", "no patient", visit(patient_id=None), drug()),
    ),
)
def many_facilities(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Outpatient claims with drugs at a facility that is one too many within a rolling window of the patient."""
    own = _known(tables).filter(
        care_type().is_in(PLACES.care_types),
        money("t_thuoc") > 0,
        ~nw.col("ma_loai_rv").is_in(PLACES.sent_out).fill_null(value=False),
        ~nw.col("ma_doituong_kcb").fill_null("").str.strip_chars().is_in(PLACES.referred_codes),
        nw.col("giay_chuyen_tuyen").fill_null("").str.strip_chars() == "",
    )
    many = (
        own.select("patient_id", "ma_cskcb")
        .unique()
        .group_by("patient_id")
        .agg(places=nw.len())
        .filter(nw.col("places") > PLACES.max_facilities)
    )
    others = (
        earlier_pairs(_among(tables, own, many))
        .filter(
            nw.col("p_ma_cskcb") != nw.col("ma_cskcb"),
            days_between(nw.col("p_ngay_vao"), nw.col("ngay_vao")) < PLACES.window_days,
        )
        .select(*KEY, "p_ma_cskcb")
        .unique()
        .group_by(*KEY)
        .agg(others=nw.len())
        .with_columns(places=nw.col("others").cast(nw.Float64) + 1)
        .filter(nw.col("places") > PLACES.max_facilities)
    )
    return encounter_hits(
        _with_money(others, tables),
        amount=money("t_bhtt"),
        observed=nw.col("places"),
        allowed=nw.lit(float(PLACES.max_facilities)),
    )


@rule(
    id="CARD-18",
    version=1,
    scheme="LIFETIME_ONCE",
    severity="warn",
    title_vi="Hai lần sinh trong 180 ngày",
    title_en="Two deliveries within 180 days",
    reason_vi="Lần sinh cách lần sinh trước của cùng thẻ {observed} ngày (tối thiểu {allowed} ngày).",
    reason_en="The delivery comes {observed} days after another one of the card (at least {allowed}).",
    legal_basis="ND90 Đ84-85; BLHS Đ215",
    needs=(*WHO_AND_WHEN, "encounter.ngay_ra", "encounter.ma_benh_chinh"),
    known_gaps_vi=(
        "Nhận biết theo chẩn đoán hoặc tên dịch vụ. Hồ sơ bắt đầu trong vòng một ngày sau khi hồ sơ kia kết thúc được "
        "coi là cùng một lần sinh (chuyển viện). Sản phụ vào viện lại mà vẫn mang mã sinh đẻ trông cũng như vậy: giấy "
        f"ra viện cho biết. {MERGED_VI}"
    ),
    known_gaps_en=(
        "Told by the diagnosis or the name of a service. A claim that begins within a day of the other's end is taken "
        "for the same delivery (transfer). A mother readmitted under the code of the delivery looks the same: the "
        f"discharge paper tells. {MERGED_EN}"
    ),
    examples=(
        hit(
            "sinh lần hai sau ba tháng",
            "a second birth after three months",
            stay(days=3, gioi_tinh=2, ma_benh_chinh="O80"),
            exam(),
            stay(days=3, at="2025-06-10 08:00", gioi_tinh=2, ma_benh_chinh="O82"),
            exam(),
            amount=EXAM_PRICE * 0.8,
        ),
        clear(
            "cách nhau 15 tháng",
            "fifteen months apart",
            stay(days=3, gioi_tinh=2, ma_benh_chinh="O80"),
            stay(days=3, at="2026-06-10 08:00", gioi_tinh=2, ma_benh_chinh="O80"),
            exam(),
        ),
        clear(
            "chuyển viện trong ngày sinh",
            "transferred on the day of birth",
            stay(days=0, gioi_tinh=2, ma_benh_chinh="O80", ma_loai_rv=2),
            stay(days=3, at="2025-03-10 20:00", gioi_tinh=2, ma_benh_chinh="O80", ma_cskcb="01002"),
            exam(),
        ),
        clear(
            "khám sau sinh",
            "examined after the birth",
            stay(days=3, gioi_tinh=2, ma_benh_chinh="O80"),
            visit("2025-04-20 08:00", gioi_tinh=2, ma_benh_chinh="Z39.2"),
            exam(),
        ),
        not_evaluable("thiếu mã người bệnh", "no patient", stay(patient_id=None, ma_benh_chinh="O80"), exam()),
    ),
)
def two_deliveries(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Deliveries that follow another delivery of the card too soon."""
    helped = (
        tables.service_line.filter(
            family(tables, "service_line", BIRTHS.service, accents=True),
            ~family(tables, "service_line", BIRTHS.service_not, accents=True),
            money("t_bhtt") > 0,
        )
        .select(*KEY)
        .unique()
        .with_columns(helped=nw.lit(1))
    )
    gap = days_between(nw.col("last_left"), nw.col("ngay_vao"))
    found = (
        _known(tables)
        .join(helped, on=KEY, how="left")
        .filter(
            (nw.col("helped") == 1).fill_null(value=False) | icd_in("ma_benh_chinh", BIRTHS.icd),
            ~nw.col("ngay_ra").is_null(),
            money("t_bhtt") > 0,
        )
        .with_columns(last_left=nw.col("ngay_ra").shift(1).over("patient_id", order_by=IN_ORDER))
        .with_columns(gap=gap)
        .filter(nw.col("gap") > BIRTHS.min_days, nw.col("gap") <= BIRTHS.gap_days)
    )
    return encounter_hits(found, amount=money("t_bhtt"), observed=nw.col("gap"), allowed=nw.lit(float(BIRTHS.gap_days)))


@rule(
    id="CARD-19",
    version=1,
    scheme="LIFETIME_ONCE",
    severity="warn",
    title_vi="Cắt bỏ cơ quan đã cắt",
    title_en="Removal of an organ already removed",
    reason_vi="Cơ quan này đã được cắt bỏ trên cùng thẻ {observed} ngày trước.",
    reason_en="The same organ was removed on this card {observed} days before.",
    legal_basis="ND90 Đ84-86; BLHS Đ215",
    needs=(*WHO_AND_WHEN, "service_line.ma_nhom"),
    known_gaps_vi=(
        "Ruột thừa, túi mật, toàn bộ tử cung, lách và toàn bộ tuyến tiền liệt, nhận biết theo tên dịch vụ. Bỏ qua tên "
        "chỉ mổ lại, cắt một phần hoặc chăm sóc sau mổ. Hai hồ sơ của cùng một ca mổ bắt đầu cùng lúc để cho các quy "
        f"tắc về trùng lặp. {MERGED_VI}"
    ),
    known_gaps_en=(
        "Appendix, gallbladder, whole uterus, spleen and whole prostate, told by the name of the service. Wording of "
        "a revision, of a part of the organ or of care afterwards is passed over. Two claims of one operation that "
        f"begin at the same time are left to the rules of duplicates. {MERGED_EN}"
    ),
    examples=(
        hit(
            "cắt ruột thừa lần thứ hai",
            "a second appendix",
            stay(days=4, ma_benh_chinh="K35.8"),
            surgery("2025-03-10 14:00"),
            stay(days=4, at="2025-05-10 08:00", ma_benh_chinh="K35.8"),
            surgery("2025-05-10 14:00"),
            amount=SURGERY_PRICE * 0.8,
        ),
        clear(
            "cắt ruột thừa, sau đó cắt túi mật",
            "appendix, then gallbladder",
            stay(days=4, ma_benh_chinh="K35.8"),
            surgery("2025-03-10 14:00"),
            stay(days=4, at="2025-05-10 08:00", ma_benh_chinh="K80.0"),
            surgery("2025-05-10 14:00", ten_dich_vu="Phẫu thuật nội soi cắt túi mật"),
        ),
        clear(
            "mổ lại vì biến chứng",
            "operated on again for a complication",
            stay(days=4, ma_benh_chinh="K35.8"),
            surgery("2025-03-10 14:00"),
            stay(days=4, at="2025-05-10 08:00", ma_benh_chinh="T81.4"),
            surgery("2025-05-10 14:00", ten_dich_vu="Phẫu thuật mở lại sau cắt ruột thừa"),
        ),
        clear("mổ một lần", "once", stay(days=4), surgery("2025-03-10 14:00"), service()),
        not_evaluable("thiếu mã người bệnh", "no patient", stay(patient_id=None), surgery("2025-03-10 14:00")),
    ),
)
def organ_removed_twice(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid removals of an organ that an earlier claim of the patient removed already."""
    organ = nw.lit(None, dtype=nw.String)
    for name in ("appendix", "gallbladder", "uterus", "spleen", "prostate"):
        organ = nw.when(family(tables, "service_line", ORGANS[name].value)).then(nw.lit(name)).otherwise(organ)
    removals = with_encounter(
        lines(tables, SERVICES, "ma_nhom", "ten_dich_vu", "t_bhtt")
        .filter(
            nw.col("ma_nhom").is_in(ORGANS.groups),
            ~family(tables, "service_line", ORGANS.not_removal),
            money("t_bhtt") > 0,
        )
        .with_columns(organ=organ)
        .filter(~nw.col("organ").is_null()),
        tables,
        "patient_id",
        "ngay_vao",
    ).filter(~nw.col("e_patient_id").is_null(), ~nw.col("e_ngay_vao").is_null())
    first = removals.group_by("e_patient_id", "organ").agg(first=nw.col("e_ngay_vao").min())
    found = removals.join(first, on=["e_patient_id", "organ"], how="inner").filter(
        nw.col("e_ngay_vao") > nw.col("first")
    )
    return line_hits(
        found,
        amount=money("t_bhtt"),
        observed=days_between(nw.col("first"), nw.col("e_ngay_vao")),
        allowed=nw.lit(0.0),
    )
