"""Stays: one body in one place, and one stay in one claim."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.schema import ENCOUNTER_KEY
from detectors.base import clear, hit, not_evaluable, rule
from detectors.examples import BED_PRICE, EXAM_PRICE, TEST_PRICE, bed, exam, service, stay, visit
from detectors.expressions import (
    EXAM,
    OUTPATIENT,
    SERVICES,
    TESTS,
    admission,
    care_type,
    earlier_pairs,
    encounter_hits,
    icd_in,
    lines,
    minutes_between,
    money,
    pair_hits,
    with_encounter,
)
from detectors.facts import facts

if TYPE_CHECKING:
    from data.schema import ClaimTables
    from detectors.facts import Facts

STAYS, ELSEWHERE, HERE = facts("CARD-11"), facts("CARD-12"), facts("REA-06")
VISITS, AGAIN = facts("CARD-13"), facts("REA-01")
TRANSFERRED = (2, 5)
PRESENCE = ("encounter.patient_id", "encounter.ma_loai_kcb", "encounter.ngay_vao", "encounter.ngay_ra")
WRONG_MERGE_VI = "NGAY_RA ghi sai, hoặc hai người chung một mã thẻ, trông cũng như vậy."
WRONG_MERGE_EN = "A wrong NGAY_RA, or two people under one card number, look the same."


@rule(
    id="CARD-11",
    version=1,
    scheme="SIMULTANEOUS_STAYS",
    severity="warn",
    title_vi="Hai đợt nội trú trùng thời gian ở hai cơ sở",
    title_en="Two inpatient stays overlap",
    reason_vi="Trùng {observed} phút với một đợt nội trú tại cơ sở khác (cho phép {allowed} phút).",
    reason_en="Overlaps a stay at another facility by {observed} minutes ({allowed} allowed).",
    legal_basis="TT12/2026 Đ10 k1 h; ND90 Đ85; BLHS Đ215",
    needs=PRESENCE,
    known_gaps_vi=f"Khi chuyển viện, được trùng đến 24 giờ. {WRONG_MERGE_VI}",
    known_gaps_en=f"A transfer may overlap by up to 24 hours. {WRONG_MERGE_EN}",
    examples=(
        hit(
            "ngày thứ hai nhập viện nơi khác",
            "admitted elsewhere on the second day",
            stay(days=5),
            bed(5),
            stay(days=2, at="2025-03-11 09:00", ma_cskcb="01002"),
            bed(2),
            amount=2 * BED_PRICE * 0.8,
        ),
        clear(
            "chuyển viện vào ngày cuối",
            "transferred on the last day",
            stay(days=2, ma_loai_rv=2),
            bed(2),
            stay(days=3, at="2025-03-12 09:00", ma_cskcb="01002"),
            bed(3),
        ),
        clear(
            "lần lượt từng đợt",
            "one after the other",
            stay(days=2),
            stay(days=2, at="2025-03-20 08:00", ma_cskcb="01002"),
        ),
        clear(
            "hai người khác nhau",
            "two people",
            stay(days=5),
            stay(days=2, at="2025-03-11 09:00", ma_cskcb="01002", patient_id="P2"),
        ),
        not_evaluable("thiếu mã người bệnh", "no patient", stay(patient_id=None)),
    ),
)
def stays_overlap(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Inpatient stays that overlap an earlier stay of the patient at another facility."""
    overlap = minutes_between(nw.col("ngay_vao"), nw.min_horizontal("ngay_ra", "p_ngay_ra"))
    moved = nw.col("p_ma_loai_rv").is_in(TRANSFERRED).fill_null(value=False) & (
        nw.col("overlap") <= STAYS.transfer_hours * 60
    )
    found = (
        earlier_pairs(tables, "ma_loai_kcb", "ngay_ra", "ma_loai_rv", "t_bhtt")
        .filter(
            nw.col("ma_cskcb") != nw.col("p_ma_cskcb"),
            care_type() == "03",
            care_type("p_ma_loai_kcb") == "03",
            ~nw.col("ngay_ra").is_null(),
            ~nw.col("p_ngay_ra").is_null(),
        )
        .with_columns(overlap=overlap)
        .filter(nw.col("overlap") > STAYS.min_overlap_min, ~moved)
    )
    lesser = nw.min_horizontal(money("t_bhtt"), money("p_t_bhtt"))
    return pair_hits(found, amount=lesser, observed=nw.col("overlap"), allowed=nw.lit(float(STAYS.min_overlap_min)))


def _outpatient_inside_stay(tables: ClaimTables, known: Facts, *same: str) -> nw.LazyFrame[Any]:
    """Outpatient claims whose patient came in the middle of an earlier stay, with `inside` minutes from its edge.

    Only the arrival proves presence: a course or a chronic claim stays open for days. Drugs fetched by a relative and
    planned cycles (a ward sends its patient to dialysis) are left out.
    """
    into = minutes_between(admission("p_"), nw.col("ngay_vao"))
    before_end = minutes_between(nw.col("ngay_vao"), nw.col("p_ngay_ra"))
    columns = ("ma_loai_kcb", "ngay_vao_noi_tru", "ngay_ra", "ma_doituong_kcb", "ma_benh_chinh", "t_bhtt")
    return (
        earlier_pairs(tables, *columns, same=same)
        .filter(
            care_type().is_in([code for code in OUTPATIENT if code != "07"]),
            care_type("p_ma_loai_kcb") == "03",
            ~nw.col("ma_doituong_kcb").fill_null("").str.strip_chars().is_in(known.by_relative),
            ~icd_in("ma_benh_chinh", known.exempt),
            money("t_bhtt") > 0,
        )
        .with_columns(inside=nw.when(into < before_end).then(into).otherwise(before_end))
        .filter(nw.col("inside") > known.margin_min)
    )


@rule(
    id="CARD-12",
    version=1,
    scheme="SIMULTANEOUS_STAYS",
    severity="warn",
    title_vi="Khám ngoại trú khi đang nội trú nơi khác",
    title_en="Outpatient presence during an inpatient stay elsewhere",
    reason_vi=(
        "Lượt khám nằm trong đợt nội trú tại cơ sở khác, cách giờ vào hoặc ra viện "
        "{observed} phút (biên {allowed} phút)."
    ),
    reason_en="The visit is inside a stay at another facility, {observed} minutes from its edge (margin {allowed}).",
    legal_basis="TT12/2026 Đ10 k1 h; ND90 Đ85",
    needs=PRESENCE,
    known_gaps_vi=(
        "Bỏ qua: lượt lĩnh thuốc, người nhà lĩnh thuốc thay, đợt có chu kỳ (xin ra lọc máu). Lượt chỉ gửi xét nghiệm "
        f"cho cơ sở khác thì không nhận ra được. {WRONG_MERGE_VI}"
    ),
    known_gaps_en=(
        "Passed over: drug pick-ups, drugs fetched by a relative, planned cycles (leave for dialysis), visits that "
        f"sent a test for another facility are not recognised. {WRONG_MERGE_EN}"
    ),
    examples=(
        hit(
            "ngày thứ ba khám nơi khác",
            "examined elsewhere on the third day",
            stay(days=5),
            bed(5),
            visit("2025-03-12 09:00", ma_cskcb="01002"),
            exam(),
            amount=EXAM_PRICE * 0.8,
        ),
        clear(
            "khám một ngày trước đợt nội trú",
            "the day before the stay",
            visit("2025-03-09 09:00", ma_cskcb="01002"),
            exam(),
            stay(days=5),
        ),
        clear(
            "nửa giờ sau khi ra viện",
            "half an hour after leaving",
            stay(days=2),
            visit("2025-03-12 15:30", ma_cskcb="01002"),
            exam(),
        ),
        clear(
            "người nhà lĩnh thuốc",
            "a relative fetches the drugs",
            stay(days=5),
            visit("2025-03-12 09:00", ma_cskcb="01002", ma_doituong_kcb="7.2"),
            exam(),
        ),
        clear(
            "lọc máu ở nơi khác",
            "dialysis elsewhere",
            stay(days=5),
            visit("2025-03-12 09:00", ma_cskcb="01002", ma_benh_chinh="N18.5"),
            exam(),
        ),
        not_evaluable("thiếu giờ ra viện", "no time of leaving", stay(ngay_ra=None)),
    ),
)
def visit_during_stay_elsewhere(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Outpatient claims inside an earlier stay of the patient at another facility."""
    found = _outpatient_inside_stay(tables, ELSEWHERE, "patient_id").filter(nw.col("ma_cskcb") != nw.col("p_ma_cskcb"))
    return pair_hits(
        found, amount=money("t_bhtt"), observed=nw.col("inside"), allowed=nw.lit(float(ELSEWHERE.margin_min))
    )


@rule(
    id="REA-06",
    version=1,
    scheme="SIMULTANEOUS_STAYS",
    severity="deny",
    title_vi="Ngoại trú trùng nội trú tại cùng cơ sở",
    title_en="Outpatient inside a stay at the same site",
    reason_vi=(
        "Lượt ngoại trú nằm trong đợt nội trú tại chính cơ sở, cách giờ vào hoặc ra "
        "viện {observed} phút (biên {allowed})."
    ),
    reason_en=(
        "An outpatient claim inside a stay at the same facility, {observed} minutes from its edge (margin {allowed})."
    ),
    legal_basis="TT35/2016 Đ4 k7; TT12/2026 Đ10 k1 h",
    needs=PRESENCE,
    known_gaps_vi=(
        f"Đợt nội trú tính từ chỉ định nhập viện: lượt khám dẫn đến nhập viện là đúng quy định. {WRONG_MERGE_VI}"
    ),
    known_gaps_en=f"The stay begins with its admission order: the visit that led to it is lawful. {WRONG_MERGE_EN}",
    examples=(
        hit(
            "khám ngoại trú vào ngày thứ ba của đợt nội trú",
            "consultation on the third day of the stay",
            stay(days=5),
            bed(5),
            visit("2025-03-12 09:00"),
            exam(),
            amount=EXAM_PRICE * 0.8,
        ),
        clear(
            "lượt khám dẫn đến nhập viện",
            "the visit that led to admission",
            stay(days=5, ngay_vao_noi_tru="2025-03-10 11:00"),
            visit("2025-03-10 08:30"),
            exam(),
        ),
        clear("sau khi ra viện", "after leaving", stay(days=2), visit("2025-03-14 09:00"), exam()),
        not_evaluable("thiếu mã người bệnh", "no patient", visit(patient_id=None), exam()),
    ),
)
def visit_during_own_stay(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Outpatient claims inside an earlier stay of the patient at the same facility."""
    found = _outpatient_inside_stay(tables, HERE, "patient_id", "ma_cskcb")
    return pair_hits(found, amount=money("t_bhtt"), observed=nw.col("inside"), allowed=nw.lit(float(HERE.margin_min)))


@rule(
    id="CARD-13",
    version=1,
    scheme="SIMULTANEOUS_STAYS",
    severity="warn",
    title_vi="Hai lượt khám ngoại trú trùng giờ ở hai cơ sở",
    title_en="Outpatient visits overlap at two facilities",
    reason_vi="Lượt khám bắt đầu khi lượt khám tại cơ sở khác chưa xong hoặc vừa xong: trùng {observed} phút.",
    reason_en=(
        "The visit begins while another at a different facility is open or just closed: overlap {observed} minutes."
    ),
    legal_basis="TT12/2026 Đ10 k1 h; ND90 Đ85",
    needs=PRESENCE,
    known_gaps_vi=(
        "Một lượt khám tính dài nhất 24 giờ. Bỏ qua người bệnh được cơ sở đầu chuyển đi. Giờ ra nhập khi thanh toán "
        "làm các lượt khám bình thường trùng giờ. Số trùng âm là khoảng cách giữa hai lượt."
    ),
    known_gaps_en=(
        "A visit counts as at most 24 hours. Patients transferred by the first facility are passed over. A leaving "
        "time typed at payment makes honest visits overlap. A negative overlap is the gap between the visits."
    ),
    examples=(
        hit(
            "ở hai cơ sở cùng một lúc",
            "at two facilities at once",
            visit(),
            exam(),
            visit("2025-03-10 09:00", ma_cskcb="79001"),
            exam(),
            amount=EXAM_PRICE * 0.8,
        ),
        hit(
            "cách nhau năm phút",
            "five minutes apart",
            visit(),
            exam(),
            visit("2025-03-10 10:05", ma_cskcb="79001"),
            exam(),
        ),
        clear(
            "cách nhau một giờ", "an hour apart", visit(), exam(), visit("2025-03-10 11:00", ma_cskcb="79001"), exam()
        ),
        clear(
            "có chuyển viện",
            "transferred",
            visit(ma_loai_rv=2),
            exam(),
            visit("2025-03-10 09:30", ma_cskcb="79001"),
            exam(),
        ),
        clear("cùng một cơ sở", "same facility", visit(), exam(), visit("2025-03-10 09:00"), exam()),
        not_evaluable("thiếu giờ ra viện", "no time of leaving", visit(ngay_ra=None), exam()),
    ),
)
def visits_overlap(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Consultations that begin before an earlier one of the patient elsewhere has ended, or right after."""
    closes = nw.min_horizontal(nw.col("p_ngay_ra"), nw.col("p_ngay_vao").dt.offset_by(f"{VISITS.visit_hours}h"))
    found = (
        earlier_pairs(tables, "ma_loai_kcb", "ngay_ra", "ma_loai_rv", "t_bhtt")
        .filter(
            nw.col("ma_cskcb") != nw.col("p_ma_cskcb"),
            care_type() == "01",
            care_type("p_ma_loai_kcb") == "01",
            ~nw.col("p_ma_loai_rv").is_in(TRANSFERRED).fill_null(value=False),
            ~nw.col("ngay_ra").is_null(),
            nw.col("p_ngay_ra") >= nw.col("p_ngay_vao"),
        )
        .with_columns(overlap=minutes_between(nw.col("ngay_vao"), nw.min_horizontal(closes, nw.col("ngay_ra"))))
        .with_columns(gap=minutes_between(closes, nw.col("ngay_vao")))
        .filter(
            (nw.col("overlap") > VISITS.min_overlap_min) | ((nw.col("gap") >= 0) & (nw.col("gap") < VISITS.gap_min))
        )
    )
    lesser = nw.min_horizontal(money("t_bhtt"), money("p_t_bhtt"))
    return pair_hits(found, amount=lesser, observed=nw.col("overlap"), allowed=nw.lit(float(VISITS.min_overlap_min)))


@rule(
    id="REA-01",
    version=1,
    scheme="SPLIT_EPISODE",
    severity="warn",
    title_vi="Nhập lại trong 48 giờ cùng bệnh, cùng cơ sở",
    title_en="Readmission within 48 h, same disease and site",
    reason_vi=(
        "Nhập viện lại sau {observed} giờ cùng nhóm bệnh tại cơ sở (ngưỡng {allowed} giờ); "
        "khám, cận lâm sàng lặp lại {amount} đồng."
    ),
    reason_en=(
        "Admitted again after {observed} hours for the same disease (limit {allowed}); repeated work-up {amount} VND."
    ),
    legal_basis="TT35/2016 Đ4 k7; TT12/2026 Đ10 k1 h",
    needs=(*PRESENCE, "encounter.ma_benh_chinh", "encounter.ma_loai_rv"),
    known_gaps_vi=(
        "Chỉ xét người bệnh ra viện về nhà (loại ra viện 1): bỏ qua chuyển đi rồi chuyển về, xin ra viện và đợt có "
        "chu kỳ. Số tiền là công khám và xét nghiệm trong 24 giờ đầu của đợt sau; giá giường tính lại từ đầu thì "
        "không tính. Tái phát thật sự trông cũng như vậy."
    ),
    known_gaps_en=(
        "Only patients sent home (discharge type 1) count: transfers out and back and discharges on request are "
        "passed over, planned cycles too. The money is the examination and tests of the second stay's first 24 hours; "
        "the bed price that starts again is not counted. A true relapse looks the same."
    ),
    examples=(
        hit(
            "tối ra viện, sáng hôm sau nhập lại",
            "home in the evening, admitted the next morning",
            stay(days=6),
            bed(6),
            stay(days=4, at="2025-03-17 08:00"),
            exam(),
            service(),
            bed(4),
            amount=(EXAM_PRICE + TEST_PRICE) * 0.8,
        ),
        clear(
            "bệnh khác",
            "another disease",
            stay(days=6),
            stay(days=4, at="2025-03-17 08:00", ma_benh_chinh="S52.5"),
            exam(),
        ),
        clear(
            "hóa trị theo kế hoạch",
            "planned chemotherapy",
            stay(days=1, ma_benh_chinh="C34.9"),
            stay(days=1, at="2025-03-12 08:00", ma_benh_chinh="C34.9"),
        ),
        clear(
            "chuyển đi rồi chuyển về",
            "transferred out and back",
            stay(days=6, ma_loai_rv=2),
            stay(days=4, at="2025-03-17 08:00"),
            exam(),
        ),
        clear("một tuần sau", "a week later", stay(days=6), stay(days=4, at="2025-03-25 08:00"), exam()),
        not_evaluable("thiếu chẩn đoán", "no diagnosis", stay(ma_benh_chinh=None), exam()),
    ),
)
def split_episode(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Stays that follow a stay of the patient here within 48 hours for the same three-character diagnosis."""
    disease, before = (nw.col(c).str.strip_chars().str.slice(0, 3) for c in ("ma_benh_chinh", "p_ma_benh_chinh"))
    again = (
        earlier_pairs(tables, "ma_loai_kcb", "ngay_ra", "ma_loai_rv", "ma_benh_chinh", same=("patient_id", "ma_cskcb"))
        .filter(
            care_type() == "03",
            care_type("p_ma_loai_kcb") == "03",
            nw.col("p_ma_loai_rv") == 1,
            disease == before,
            disease != "",
            ~icd_in("ma_benh_chinh", AGAIN.exempt),
        )
        .with_columns(gap=minutes_between(nw.col("p_ngay_ra"), nw.col("ngay_vao")) / 60)
        .filter(nw.col("gap") >= 0, nw.col("gap") <= AGAIN.gap_h)
        .group_by(*ENCOUNTER_KEY)
        .agg(nw.col("gap").min())
    )
    after_arrival = minutes_between(nw.col("e_ngay_vao"), nw.col("ngay_yl")) / 60
    work_up = (
        with_encounter(lines(tables, SERVICES, "ma_nhom", "ngay_yl", "t_bhtt"), tables, "ngay_vao")
        .filter(nw.col("ma_nhom").is_in([*TESTS, EXAM]), after_arrival <= AGAIN.bundle_h)
        .select(*ENCOUNTER_KEY, bundle=money("t_bhtt"))
        .group_by(*ENCOUNTER_KEY)
        .agg(nw.col("bundle").sum())
    )
    found = again.join(tables.encounter.select(*ENCOUNTER_KEY, "t_bhtt"), on=list(ENCOUNTER_KEY), how="inner").join(
        work_up, on=list(ENCOUNTER_KEY), how="left"
    )
    return encounter_hits(found, amount=nw.col("bundle"), observed=nw.col("gap"), allowed=nw.lit(float(AGAIN.gap_h)))
