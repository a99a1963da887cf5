"""Leaving and coming back: transport that was not owed, transfers there and back, visits soon after the last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.schema import ENCOUNTER_KEY
from detectors.base import clear, hit, not_evaluable, rule
from detectors.examples import BED_PRICE, EXAM_PRICE, PILL_PRICE, bed, drug, exam, service, stay, visit
from detectors.expressions import (
    CYCLIC,
    DRUGS,
    EXAM,
    OUTPATIENT,
    SERVICES,
    TRANSPORT,
    care_type,
    day,
    days_between,
    earlier_pairs,
    encounter_hits,
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

KEY: list[str] = list(ENCOUNTER_KEY)
INPATIENT, CONSULTATION = "03", "01"
SENT_HOME, TRANSFERRED = 1, (2, 5)
APPOINTMENTS = 3  # of the list that one encounter may give
DAY_MIN = 24 * 60
PRESENCE = ("encounter.patient_id", "encounter.ma_loai_kcb", "encounter.ngay_vao", "encounter.ngay_ra")
RELAPSE_VI = "Tái phát thật sự trông cũng như vậy."
RELAPSE_EN = "A true relapse looks the same."
RIDE_PRICE = 400_000
_FUND = RIDE_PRICE * 0.8
_RIDE: dict[str, Any] = {"ma_nhom": TRANSPORT, "price": RIDE_PRICE, "ten_dich_vu": "Vận chuyển người bệnh"}
_THERE: dict[str, Any] = {"ma_cskcb": "01002", "ma_loai_rv": 1}


def _rides(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid transport lines with how and where the patient left."""
    paid = lines(tables, SERVICES, "ma_nhom", "ma_dich_vu", "so_luong", "t_bhtt").filter(
        nw.col("ma_nhom") == TRANSPORT, money("t_bhtt") > 0
    )
    return with_encounter(paid, tables, "ma_loai_rv", "ma_noi_den", "ket_qua_dtri")


def _icd3(column: str) -> nw.Expr:
    """The three-character diagnosis."""
    return nw.col(column).str.strip_chars().str.to_uppercase().str.slice(0, 3)


def _same_disease() -> nw.Expr:
    """Whether both encounters of a pair have one three-character diagnosis that is not treated in planned cycles."""
    own = _icd3("ma_benh_chinh")
    return (own == _icd3("p_ma_benh_chinh")) & (own != "") & ~icd_in("ma_benh_chinh", CYCLIC)


def _appointed(within: int) -> nw.Expr:
    """Whether the earlier encounter of a pair gave an appointment for the day of arrival, or `within` days of it."""
    given = nw.col("p_ngay_tai_kham").fill_null("").str.replace_all(" ", "", literal=True)
    arrived = nw.col("ngay_vao")
    said = [
        given.str.slice(9 * place, 8) == arrived.dt.offset_by(f"{days}d").dt.to_string("%Y%m%d")
        for place in range(APPOINTMENTS)
        for days in range(-within, within + 1)
    ]
    return nw.any_horizontal(*said, ignore_nulls=True)


@rule(
    id="TRN-01",
    version=1,
    scheme="TRANSPORT_FALSE",
    severity="deny",
    title_vi="Vận chuyển không có chuyển cơ sở",
    title_en="Transport without transfer",
    reason_vi="Tính {amount} vận chuyển nhưng hồ sơ không ghi chuyển cơ sở, hoặc nơi đến khác mã vận chuyển.",
    reason_en="{amount} of transport in a claim without a transfer, or to another place than its code says.",
    legal_basis="L-BHYT Đ21; QĐ 130 VC.XXXXX",
    needs=("encounter.ma_loai_rv", "service_line.ma_nhom"),
    known_gaps_vi=(
        "Người bệnh tự xin chuyển (loại ra viện 5) thì quỹ không trả vận chuyển. Đưa sang cơ sở khác chỉ để làm một "
        "kỹ thuật rồi quay về trông như không có chuyển cơ sở."
    ),
    known_gaps_en=(
        "A transfer at the patient's own request (discharge type 5) is not one the fund carries. A ride to another "
        "facility for a single examination and back looks like none."
    ),
    examples=(
        hit("chở về nhà", "a ride home", stay(), service(**_RIDE, ma_dich_vu="VC.01002"), amount=_FUND),
        hit(
            "đến nơi khác với nơi mã ghi",
            "to another place than the code says",
            stay(ma_loai_rv=2, ma_noi_den="01003"),
            service(**_RIDE, ma_dich_vu="VC.01002"),
            amount=_FUND,
        ),
        hit("không ghi nơi đến", "nowhere", stay(ma_loai_rv=2), service(**_RIDE, ma_dich_vu="VC.01002"), amount=_FUND),
        clear(
            "có chuyển viện",
            "transferred",
            stay(ma_loai_rv=2, ma_noi_den="01002"),
            service(**_RIDE, ma_dich_vu="VC.01002"),
        ),
        clear("không có vận chuyển", "no ride", stay(), bed(3)),
        not_evaluable(
            "thiếu loại ra viện", "no discharge type", stay(ma_loai_rv=None), service(**_RIDE, ma_dich_vu="VC.01002")
        ),
    ),
)
def transport_without_transfer(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid transport of encounters that did not end in a transfer, or not in one to the place of the code."""
    to = nw.col("e_ma_noi_den").fill_null("").str.strip_chars()
    code = nw.col("ma_dich_vu").fill_null("").str.strip_chars().str.to_uppercase()
    elsewhere = code.str.contains(r"^VC\.[0-9A-Z]{5}") & (code.str.slice(3, 5) != to.str.to_uppercase())
    left = nw.col("e_ma_loai_rv")
    found = _rides(tables).filter(~left.is_null(), (left != facts("TRN-01").transferred) | (to == "") | elsewhere)
    return line_hits(found, amount=money("t_bhtt"), observed=money("so_luong"), allowed=nw.lit(0.0))


@rule(
    id="TRN-02",
    version=1,
    scheme="TRANSPORT_FALSE",
    severity="deny",
    title_vi="Vận chuyển khi khỏi, đỡ ra viện",
    title_en="Transport for a cured discharge",
    reason_vi="Tính {amount} vận chuyển cho người bệnh khỏi hoặc đỡ, ra viện về nhà.",
    reason_en="{amount} of transport for a patient who left cured or better, for home.",
    legal_basis="L-BHYT Đ21",
    needs=("encounter.ma_loai_rv", "encounter.ket_qua_dtri", "service_line.ma_nhom"),
    known_gaps_vi="Chuyển viện ghi nhầm thành ra viện thường trông cũng như vậy.",
    known_gaps_en="A transfer written down as an ordinary discharge by mistake looks the same.",
    examples=(
        hit("đỡ, ra viện về nhà", "better, and home", stay(), service(**_RIDE, ma_dich_vu="VC.01002"), amount=_FUND),
        clear("nặng hơn, về nhà", "worse, and home", stay(ket_qua_dtri=4), service(**_RIDE, ma_dich_vu="VC.01002")),
        clear(
            "có chuyển viện",
            "transferred",
            stay(ma_loai_rv=2, ma_noi_den="01002"),
            service(**_RIDE, ma_dich_vu="VC.01002"),
        ),
        not_evaluable(
            "thiếu kết quả điều trị", "no outcome", stay(ket_qua_dtri=None), service(**_RIDE, ma_dich_vu="VC.01002")
        ),
    ),
)
def transport_for_the_well(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid transport of patients who left cured or better and were sent home."""
    known = facts("TRN-02")
    found = _rides(tables).filter(nw.col("e_ket_qua_dtri").is_in(known.well), nw.col("e_ma_loai_rv") == known.sent_home)
    return line_hits(found, amount=money("t_bhtt"), observed=money("so_luong"), allowed=nw.lit(0.0))


@rule(
    id="TRN-03",
    version=1,
    scheme="TRANSFER_ABUSE",
    severity="info",
    title_vi="Chuyển đi rồi nhận lại trong 7 ngày",
    title_en="Back-and-forth transfer in 7 days",
    reason_vi="Cơ sở nhận lại sau {observed} ngày người bệnh đã chuyển đi, cùng nhóm bệnh (mốc {allowed} ngày).",
    reason_en="The facility took back after {observed} days a patient it had sent on ({allowed} days looked at).",
    legal_basis="TT01/2025; TT12/2026 Đ10 k1 h",
    needs=(*PRESENCE, "encounter.ma_benh_chinh", "encounter.ma_loai_rv"),
    known_gaps_vi=(
        "Không xét hai cơ sở làm vậy bao nhiêu lần: chuyển người bệnh về để điều trị tiếp là đúng mục đích chuyển "
        "tuyến. Đợt ở giữa chỉ thấy khi hồ sơ của nó có tại đây."
    ),
    known_gaps_en=(
        "How often the two facilities do this is not looked at here: a patient sent back to be treated to the end is "
        "how transfer is meant. The stay between is seen only where its claim is here."
    ),
    examples=(
        hit(
            "chuyển đi, ba ngày sau quay về",
            "sent on, and back after three days",
            stay(3, ma_loai_rv=2),
            stay(2, at="2025-03-14 08:00", **_THERE),
            stay(4, at="2025-03-16 18:00"),
            bed(4),
            amount=4 * BED_PRICE * 0.8,
        ),
        clear("không quay về", "never came back", stay(3, ma_loai_rv=2), stay(2, at="2025-03-14 08:00", **_THERE)),
        clear(
            "quay về vì bệnh khác",
            "back for another disease",
            stay(3, ma_loai_rv=2),
            stay(2, at="2025-03-14 08:00", **_THERE),
            stay(4, at="2025-03-16 18:00", ma_benh_chinh="S52.5"),
        ),
        clear(
            "không nơi nào điều trị ở giữa",
            "nobody treated between",
            stay(3, ma_loai_rv=2),
            stay(4, at="2025-03-16 18:00"),
            bed(4),
        ),
        not_evaluable("thiếu chẩn đoán", "no diagnosis", stay(ma_benh_chinh=None)),
    ),
)
def there_and_back(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Stays at a facility that had sent the patient on days before, with a stay elsewhere between."""
    known = facts("TRN-03")
    columns = ("ma_loai_kcb", "ngay_ra", "ma_loai_rv", "ma_benh_chinh", "t_bhtt")
    taken_back = (
        earlier_pairs(tables, *columns, same=("patient_id", "ma_cskcb"))
        .filter(
            care_type() == INPATIENT,
            care_type("p_ma_loai_kcb") == INPATIENT,
            nw.col("p_ma_loai_rv").is_in(TRANSFERRED),
            _same_disease(),
        )
        .with_columns(gap=minutes_between(nw.col("p_ngay_ra"), nw.col("ngay_vao")) / DAY_MIN)
        .filter(nw.col("gap") >= 0, nw.col("gap") <= known.days)
        .select("patient_id", *KEY, "ngay_vao", "p_ngay_vao", "t_bhtt", "gap")
    )
    elsewhere = tables.encounter.filter(care_type() == INPATIENT).select(
        "patient_id", b_ma_cskcb="ma_cskcb", b_ngay_vao="ngay_vao"
    )
    between = nw.col("b_ngay_vao")
    found = taken_back.join(elsewhere, on="patient_id", how="inner").filter(
        nw.col("b_ma_cskcb") != nw.col("ma_cskcb"), between >= nw.col("p_ngay_vao"), between < nw.col("ngay_vao")
    )
    return pair_hits(found, amount=money("t_bhtt"), observed=nw.col("gap"), allowed=nw.lit(float(known.days)))


@rule(
    id="REA-02",
    version=1,
    scheme="EARLY_READMISSION",
    severity="info",
    title_vi="Tái nhập viện trong 15 ngày",
    title_en="Readmission within 15 days",
    reason_vi="Nhập viện lại sau {observed} ngày cùng nhóm bệnh, không theo hẹn (mốc {allowed} ngày).",
    reason_en="Admitted again after {observed} days for the same disease, without appointment ({allowed} days).",
    legal_basis="TT12/2026 Đ10 k1 h",
    needs=(*PRESENCE, "encounter.ma_benh_chinh"),
    known_gaps_vi=(
        f"{RELAPSE_VI} Bỏ qua đợt có chu kỳ, chuyển viện và lịch hẹn (NGAY_TAI_KHAM, ba ngày đầu); kế hoạch không ghi "
        "thành lịch hẹn thì không biết."
    ),
    known_gaps_en=(
        f"{RELAPSE_EN} Planned cycles, transfers and appointments (NGAY_TAI_KHAM, the first three) are passed over; a "
        "plan that was not written as an appointment is not known."
    ),
    examples=(
        hit(
            "nhập lại sau mười ngày",
            "again after ten days",
            stay(2),
            stay(3, at="2025-03-22 08:00"),
            bed(3),
            amount=3 * BED_PRICE * 0.8,
        ),
        clear("bệnh khác", "another disease", stay(2), stay(3, at="2025-03-22 08:00", ma_benh_chinh="S52.5")),
        clear("sau ba tuần", "after three weeks", stay(2), stay(3, at="2025-04-05 08:00")),
        clear("theo lịch hẹn", "by appointment", stay(2, ngay_tai_kham="20250322"), stay(3, at="2025-03-22 08:00")),
        clear(
            "trước đó đã chuyển viện",
            "transferred first",
            stay(2, ma_loai_rv=2),
            stay(3, at="2025-03-13 08:00", ma_cskcb="01002"),
        ),
        clear(
            "hóa trị",
            "chemotherapy",
            stay(2, ma_benh_chinh="C34.9"),
            stay(2, at="2025-03-22 08:00", ma_benh_chinh="C34.9"),
        ),
        not_evaluable("thiếu chẩn đoán", "no diagnosis", stay(ma_benh_chinh=None)),
    ),
)
def early_readmission(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Stays within 15 days of an earlier stay of the patient for the same disease, not planned."""
    known = facts("REA-02")
    columns = ("ma_loai_kcb", "ngay_ra", "ma_loai_rv", "ma_benh_chinh", "ngay_tai_kham", "t_bhtt")
    found = (
        earlier_pairs(tables, *columns)
        .filter(
            care_type() == INPATIENT,
            care_type("p_ma_loai_kcb") == INPATIENT,
            ~nw.col("p_ma_loai_rv").fill_null(0).is_in(TRANSFERRED),
            _same_disease(),
        )
        .with_columns(gap=minutes_between(nw.col("p_ngay_ra"), nw.col("ngay_vao")) / DAY_MIN)
        .filter(nw.col("gap") >= 0, nw.col("gap") <= known.days, ~_appointed(known.appointment_days))
    )
    return pair_hits(found, amount=money("t_bhtt"), observed=nw.col("gap"), allowed=nw.lit(float(known.days)))


@rule(
    id="REA-04",
    version=1,
    scheme="SAME_DAY_MULTI_VISIT",
    severity="info",
    title_vi="Tái khám dưới 3 ngày cùng bệnh ngoài hẹn",
    title_en="Return within 3 days without appointment",
    reason_vi="Khám lại sau {observed} ngày cùng nhóm bệnh tại cơ sở, không theo hẹn (mốc {allowed} ngày).",
    reason_en="Back after {observed} days for the same disease without an appointment (limit {allowed} days).",
    legal_basis="TT12/2026 Đ10 k1 h",
    needs=(*PRESENCE, "encounter.ma_benh_chinh", "service_line.ma_nhom"),
    known_gaps_vi=(
        f"{RELAPSE_VI} Chỉ xét khám ngoại trú (mã loại KCB 01). Lời hẹn miệng thì không biết. Số tiền là công khám của "
        "lượt sau."
    ),
    known_gaps_en=(
        f"{RELAPSE_EN} Only consultations (care type 01). An appointment told by word of mouth is not known. The money "
        "is the examination fee of the second visit."
    ),
    examples=(
        hit(
            "quay lại sau hai ngày",
            "back after two days",
            visit(),
            exam(),
            visit("2025-03-12 08:00"),
            exam(),
            amount=EXAM_PRICE * 0.8,
        ),
        clear(
            "theo lịch hẹn",
            "by appointment",
            visit(ngay_tai_kham="20250312"),
            exam(),
            visit("2025-03-12 08:00"),
            exam(),
        ),
        clear("quay lại sau mười ngày", "back after ten days", visit(), exam(), visit("2025-03-20 08:00"), exam()),
        clear(
            "bệnh khác", "another disease", visit(), exam(), visit("2025-03-12 08:00", ma_benh_chinh="H10.1"), exam()
        ),
        clear("cơ sở khác", "another facility", visit(), exam(), visit("2025-03-12 08:00", ma_cskcb="01002"), exam()),
        not_evaluable("thiếu chẩn đoán", "no diagnosis", visit(ma_benh_chinh=None), exam()),
    ),
)
def back_within_days(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Consultations one to three days after one of the patient here for the same disease, not by appointment."""
    known = facts("REA-04")
    columns = ("ma_loai_kcb", "ngay_ra", "ma_benh_chinh", "ngay_tai_kham")
    again = (
        earlier_pairs(tables, *columns, same=("patient_id", "ma_cskcb"))
        .filter(care_type() == CONSULTATION, care_type("p_ma_loai_kcb") == CONSULTATION, _same_disease())
        .with_columns(gap=days_between(nw.col("p_ngay_ra"), nw.col("ngay_vao")))
        .filter(nw.col("gap") >= 1, nw.col("gap") <= known.days, ~_appointed(known.appointment_days))
        .group_by(*KEY)
        .agg(nw.col("gap").min())
    )
    fees = (
        tables.service_line.filter(nw.col("ma_nhom") == EXAM)
        .join(again, on=KEY, how="semi")
        .select(*KEY, fee=money("t_bhtt"))
        .group_by(*KEY)
        .agg(nw.col("fee").sum())
    )
    found = tables.encounter.select(*KEY, "t_bhtt").join(again, on=KEY, how="inner").join(fees, on=KEY, how="inner")
    return encounter_hits(found, amount=nw.col("fee"), observed=nw.col("gap"), allowed=nw.lit(float(known.days)))


@rule(
    id="REA-05",
    version=1,
    scheme="POST_DISCHARGE_VISIT",
    severity="warn",
    title_vi="Lĩnh thuốc ngoại trú trong 48 giờ sau ra viện",
    title_en="Drug visit within 48 h of discharge",
    reason_vi="Lĩnh lại hoạt chất đã cấp khi ra viện {observed} giờ trước (mốc {allowed} giờ).",
    reason_en="An ingredient that was taken home {observed} hours before is dispensed again (limit {allowed}).",
    legal_basis="TT12/2026 Đ10 k1 h",
    needs=(*PRESENCE, "drug_line.ma_thuoc", "drug_line.ngay_yl", "drug_line.duong_dung"),
    known_gaps_vi=(
        "Thuốc mang về là thuốc uống kê trong ngày ra viện: liều buổi sáng trông cũng như vậy, nên người bệnh chỉ "
        "nhận đơn khi về và hôm sau mới lĩnh thuốc cũng bị nêu. Bỏ qua đợt có chu kỳ."
    ),
    known_gaps_en=(
        "Taken home are the oral drugs ordered on the day of leaving: the morning's dose looks the same, so that a "
        "patient who left with a prescription only, and fetches the drugs the next day, is raised. Planned cycles are "
        "passed over."
    ),
    examples=(
        hit(
            "sáng hôm sau lĩnh đúng thuốc đó",
            "the same tablets the next morning",
            stay(2),
            drug(ngay_yl="2025-03-12 15:00", ngay_th_yl="2025-03-12 15:00"),
            visit("2025-03-13 08:00"),
            drug(),
            drug(ma_thuoc="40.30", ten_thuoc="Thuốc B"),
            amount=20 * PILL_PRICE * 0.8,
        ),
        clear(
            "thuốc viên khác",
            "other tablets",
            stay(2),
            drug(ngay_yl="2025-03-12 15:00", ngay_th_yl="2025-03-12 15:00"),
            visit("2025-03-13 08:00"),
            drug(ma_thuoc="40.30", ten_thuoc="Thuốc B"),
        ),
        clear(
            "một tuần sau",
            "a week later",
            stay(2),
            drug(ngay_yl="2025-03-12 15:00", ngay_th_yl="2025-03-12 15:00"),
            visit("2025-03-19 08:00"),
            drug(),
        ),
        clear("đã cấp từ đầu đợt", "given early in the stay", stay(4), drug(), visit("2025-03-15 08:00"), drug()),
        not_evaluable("thiếu mã thuốc", "no code of the drug", visit(), drug(ma_thuoc=None)),
    ),
)
def drugs_after_discharge(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid drug lines of outpatient claims soon after a stay here, of an ingredient that was taken home."""
    known = facts("REA-05")
    columns = ("ma_loai_kcb", "ngay_ra", "ma_benh_chinh")
    soon = (
        earlier_pairs(tables, *columns, same=("patient_id", "ma_cskcb"))
        .filter(
            care_type().is_in(OUTPATIENT),
            care_type("p_ma_loai_kcb") == INPATIENT,
            ~icd_in("ma_benh_chinh", CYCLIC),
        )
        .with_columns(gap=minutes_between(nw.col("p_ngay_ra"), nw.col("ngay_vao")) / 60)
        .filter(nw.col("gap") >= 0, nw.col("gap") <= known.hours)
        .select(*KEY, "p_ma_lk", "p_ngay_ra", "gap")
    )
    ingredient = nw.col("ma_thuoc").str.strip_chars()
    taken = (
        tables.drug_line.filter(nw.col("duong_dung").str.strip_chars().str.contains(known.oral), ingredient != "")
        .select("ma_cskcb", p_ma_lk="ma_lk", ingredient=ingredient, ordered=day(nw.col("ngay_yl")))
        .join(soon, on=["ma_cskcb", "p_ma_lk"], how="inner")
        .filter(nw.col("ordered") == day(nw.col("p_ngay_ra")))
        .group_by(*KEY, "ingredient")
        .agg(nw.col("gap").min())
    )
    found = (
        lines(tables, DRUGS, "ma_thuoc", "t_bhtt")
        .with_columns(ingredient=ingredient)
        .filter(money("t_bhtt") > 0)
        .join(taken, on=[*KEY, "ingredient"], how="inner")
    )
    return line_hits(found, amount=money("t_bhtt"), observed=nw.col("gap"), allowed=nw.lit(float(known.hours)))


@rule(
    id="REA-07",
    version=1,
    scheme="SPLIT_EPISODE",
    severity="info",
    title_vi="Đợt nội trú nối tiếp giữa hai cơ sở không có chuyển",
    title_en="Chained stays between two facilities",
    reason_vi="Nhập viện {observed} giờ sau khi ra viện ở cơ sở khác, cùng nhóm bệnh, không chuyển (mốc {allowed}).",
    reason_en="Admitted {observed} hours after leaving another facility, same disease, no transfer (limit {allowed}).",
    legal_basis="TT12/2026 Đ10 k1 h",
    needs=(*PRESENCE, "encounter.ma_benh_chinh", "encounter.ma_loai_rv"),
    known_gaps_vi=(
        f"{RELAPSE_VI} Người bệnh tự sang bệnh viện khác cũng vậy. Ở đây không xét có bao nhiêu người đi lại giữa hai "
        "cơ sở. Bỏ qua đợt có ghi nơi chuyển đến."
    ),
    known_gaps_en=(
        f"{RELAPSE_EN} So does a patient who goes to another hospital on his own. How many patients go between the two "
        "facilities is not looked at here. Stays that name where the patient came from are passed over."
    ),
    examples=(
        hit(
            "buổi tối nhập viện nơi khác",
            "admitted elsewhere in the evening",
            stay(3),
            bed(3),
            stay(4, at="2025-03-13 20:00", **_THERE),
            bed(4),
            amount=4 * BED_PRICE * 0.8,
        ),
        clear("có chuyển viện", "transferred", stay(3, ma_loai_rv=2), stay(4, at="2025-03-13 20:00", **_THERE)),
        clear(
            "có giấy chuyển viện", "with a letter", stay(3), stay(4, at="2025-03-13 20:00", ma_noi_di="01001", **_THERE)
        ),
        clear("bệnh khác", "another disease", stay(3), stay(4, at="2025-03-13 20:00", ma_benh_chinh="S52.5", **_THERE)),
        clear("ba ngày sau", "three days later", stay(3), stay(4, at="2025-03-16 20:00", **_THERE)),
        not_evaluable("thiếu chẩn đoán", "no diagnosis", stay(ma_benh_chinh=None)),
    ),
)
def chained_stays(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Stays within a day of an earlier stay elsewhere that ended by sending the patient home."""
    known = facts("REA-07")
    columns = ("ma_loai_kcb", "ngay_ra", "ma_loai_rv", "ma_benh_chinh", "ma_noi_di", "t_bhtt")
    found = (
        earlier_pairs(tables, *columns)
        .filter(
            care_type() == INPATIENT,
            care_type("p_ma_loai_kcb") == INPATIENT,
            nw.col("ma_cskcb") != nw.col("p_ma_cskcb"),
            nw.col("p_ma_loai_rv") == SENT_HOME,
            nw.col("ma_noi_di").fill_null("").str.strip_chars() == "",
            _same_disease(),
        )
        .with_columns(gap=minutes_between(nw.col("p_ngay_ra"), nw.col("ngay_vao")) / 60)
        .filter(nw.col("gap") >= 0, nw.col("gap") <= known.hours)
    )
    return pair_hits(found, amount=money("t_bhtt"), observed=nw.col("gap"), allowed=nw.lit(float(known.hours)))
