"""Ways of access that lift the benefit, and samples sent on: emergency, referral slip, appointment slip, third site."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.schema import ENCOUNTER_KEY
from detectors.base import clear, hit, not_evaluable, rule
from detectors.examples import EXAM_PRICE, PILL_PRICE, TEST_PRICE, drug, exam, service, stay, visit
from detectors.expressions import (
    OUTPATIENT,
    SERVICES,
    care_type,
    day,
    earlier_pairs,
    encounter_hits,
    icd_in,
    line_hits,
    lines,
    money,
    pair_hits,
    with_encounter,
)
from detectors.facts import facts

if TYPE_CHECKING:
    from data.schema import ClaimTables
    from detectors.facts import Facts

EMERGENCY = facts("CARD-20")
REFERRAL = facts("CARD-21")
APPOINTMENT = facts("CARD-22")
SENT_ON = facts("CARD-23")

KEY: list[str] = list(ENCOUNTER_KEY)
ENTITLED_VI = (
    "Số tiền là phần quỹ trả cao hơn mức hưởng của người đến không có giấy: bằng 0 ở tuyến ban đầu, nơi được hưởng "
    "đủ; khi chưa nạp danh mục cơ sở thì lấy mức tối đa có thể."
)
ENTITLED_EN = (
    "The money is what the fund pays above the benefit of a patient who came without a slip: nothing at first level, "
    "where the benefit is whole anyway; where no facility catalogue is loaded, the most it can be."
)


def _code() -> nw.Expr:
    return nw.col("ma_doituong_kcb").str.strip_chars()


def _beyond_own(told: Facts) -> nw.Expr:
    """What the fund pays above the benefit the patient would have without the slip."""
    outside = care_type().is_in(OUTPATIENT)
    free = nw.col("facility_level").is_in(told.free_levels).fill_null(value=False)
    free_inside = nw.col("facility_level").is_in(told.free_levels_inpatient).fill_null(value=False)
    left = (
        nw.when(outside)
        .then(nw.when(free).then(nw.lit(100.0)).otherwise(nw.lit(float(told.own_outpatient))))
        .otherwise(nw.when(free_inside).then(nw.lit(100.0)).otherwise(nw.lit(float(told.own_inpatient))))
    )
    return money("t_bhtt") * (100 - left) / 100


@rule(
    id="CARD-20",
    version=1,
    scheme="FALSE_EMERGENCY",
    severity="info",
    title_vi="Khai cấp cứu không có nội dung cấp cứu",
    title_en="Emergency without emergency content",
    reason_vi=(
        "Mã đối tượng cấp cứu nhưng bệnh nhẹ, đến trong giờ làm việc, không có thuốc tiêm, thủ thuật, oxy hay khoa cấp "
        "cứu; quỹ chi {amount} đồng."
    ),
    reason_en=(
        "Coded as an emergency, yet a mild disease, in working hours, without injection, procedure, oxygen or "
        "emergency ward; the fund pays {amount} VND."
    ),
    legal_basis="L-BHYT Đ22; ND188 Đ37 k5",
    needs=(
        "encounter.ma_doituong_kcb",
        "encounter.ma_loai_kcb",
        "encounter.ma_benh_chinh",
        "encounter.ngay_vao",
        "service_line.ma_nhom",
    ),
    known_gaps_vi=(
        "Cấp cứu xét theo tình trạng lúc đến: ca nghi ngờ rồi loại trừ, kết cục nhẹ, trông cũng như vậy. Ở tuyến ban "
        "đầu được hưởng đủ; khi chưa nạp danh mục cơ sở thì tính toàn bộ số tiền."
    ),
    known_gaps_en=(
        "An emergency is what it looked like on arrival: a rule-out with a harmless end looks the same. At first "
        "level the benefit is whole anyway; where no facility catalogue is loaded, the whole amount is counted."
    ),
    examples=(
        hit(
            "cảm lạnh lúc 10 giờ sáng",
            "a cold at ten in the morning",
            visit("2025-03-10 10:00", ma_doituong_kcb="2", ma_benh_chinh="J06.9"),
            exam(ma_khoa="K01"),
            drug(),
            amount=EXAM_PRICE * 0.8 + 20 * PILL_PRICE * 0.8,
        ),
        clear(
            "cũng vậy nhưng ban đêm",
            "the same at night",
            visit("2025-03-10 23:00", ma_doituong_kcb="2", ma_benh_chinh="J06.9"),
            exam(ma_khoa="K01"),
        ),
        clear(
            "có mũi tiêm",
            "an injection was given",
            visit("2025-03-10 10:00", ma_doituong_kcb="2", ma_benh_chinh="K29.7"),
            exam(ma_khoa="K01"),
            drug(duong_dung="2.10"),
        ),
        clear(
            "khám ở khoa cấp cứu",
            "seen in the emergency ward",
            visit(ma_doituong_kcb="2", ma_benh_chinh="J06.9"),
            exam(ma_khoa="K02"),
        ),
        clear("đau ngực", "chest pain", visit(ma_doituong_kcb="2", ma_benh_chinh="I20.0"), exam(ma_khoa="K01")),
        not_evaluable(
            "thiếu chẩn đoán", "no diagnosis", visit(ma_doituong_kcb="2", ma_benh_chinh=None), exam(ma_khoa="K01")
        ),
    ),
)
def emergency_without_content(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Outpatient emergencies with a mild diagnosis in working hours and nothing that an emergency brings."""
    hour = nw.col("ngay_vao").dt.hour()
    claimed = tables.encounter.filter(
        _code() == EMERGENCY.code,
        care_type().is_in(OUTPATIENT),
        icd_in("ma_benh_chinh", EMERGENCY.mild_icd),
        hour >= EMERGENCY.from_hour,
        hour < EMERGENCY.to_hour,
        ~nw.col("ma_khoa").fill_null("").str.contains(EMERGENCY.emergency_ward, literal=True),
        money("t_bhtt") > 0,
    )
    keys = claimed.select(*KEY)
    ward = nw.col("ma_khoa").fill_null("").str.contains(EMERGENCY.emergency_ward, literal=True)
    treated = (
        tables.service_line.join(keys, on=KEY, how="semi")
        .filter(nw.col("ma_nhom").is_in(EMERGENCY.procedure_groups) | ward)
        .select(*KEY)
    )
    injected = (
        tables.drug_line.join(keys, on=KEY, how="semi")
        .filter(
            nw.col("duong_dung").fill_null("").str.strip_chars().str.contains(EMERGENCY.injection)
            | nw.col("ma_thuoc").fill_null("").str.strip_chars().is_in(EMERGENCY.oxygen)
            | ward
        )
        .select(*KEY)
    )
    found = claimed.join(treated, on=KEY, how="anti").join(injected, on=KEY, how="anti")
    free = nw.col("facility_level").is_in(EMERGENCY.free_levels).fill_null(value=False)
    own = nw.when(free).then(nw.lit(100.0)).otherwise(nw.lit(float(EMERGENCY.own_outpatient)))
    return encounter_hits(found, amount=money("t_bhtt") * (100 - own) / 100, observed=nw.lit(0.0), allowed=nw.lit(1.0))


@rule(
    id="CARD-21",
    version=1,
    scheme="FALSE_EMERGENCY",
    severity="warn",
    title_vi="Diện chuyển đến nhưng thiếu giấy hoặc nơi chuyển",
    title_en="Transfer entitlement without slip or sender",
    reason_vi="Mã đối tượng chuyển đến (1.3) nhưng thiếu {observed} trong 2 thông tin: số giấy chuyển, nơi chuyển đi.",
    reason_en="Access code 1.3 (referral) but {observed} of two is missing: number of the slip, sending facility.",
    legal_basis="TT01/2025 Đ12; ND188 Đ37",
    needs=("encounter.ma_doituong_kcb", "encounter.ma_loai_kcb"),
    known_gaps_vi=(
        "Không tra nơi chuyển có hồ sơ hoặc giấy chuyển của người bệnh hay không: hồ sơ tỉnh khác ít khi có tại đây. "
        f"{ENTITLED_VI}"
    ),
    known_gaps_en=(
        "Whether the sender has a claim or a referral paper of the patient is not looked up: claims of other "
        f"provinces are seldom at hand. {ENTITLED_EN}"
    ),
    examples=(
        hit(
            "không có giấy, không có nơi chuyển",
            "no slip, no sender",
            visit(ma_doituong_kcb="1.3"),
            exam(),
            amount=EXAM_PRICE * 0.8,
        ),
        hit(
            "nội trú, không có nơi chuyển",
            "inpatient without a sender",
            stay(ma_doituong_kcb="1.3", giay_chuyen_tuyen="123/GCT"),
            service(),
            amount=TEST_PRICE * 0.8 * 0.6,
        ),
        clear(
            "có giấy và nơi chuyển",
            "slip and sender",
            visit(ma_doituong_kcb="1.3", giay_chuyen_tuyen="123/GCT", ma_noi_di="01002"),
            exam(),
        ),
        clear("đăng ký ban đầu tại đây", "registered here", visit(ma_doituong_kcb="1.1"), exam()),
        not_evaluable("thiếu mã đối tượng đến khám", "no access code", visit(ma_doituong_kcb=None), exam()),
    ),
)
def referral_without_slip(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Encounters with the benefit of a referral whose slip or sender is blank."""

    def blank(column: str) -> nw.Expr:
        return nw.when(nw.col(column).fill_null("").str.strip_chars() == "").then(nw.lit(1.0)).otherwise(nw.lit(0.0))

    found = tables.encounter.with_columns(missing=blank("giay_chuyen_tuyen") + blank("ma_noi_di")).filter(
        _code() == REFERRAL.code, nw.col("missing") > 0, money("t_bhtt") > 0
    )
    return encounter_hits(found, amount=_beyond_own(REFERRAL), observed=nw.col("missing"), allowed=nw.lit(0.0))


@rule(
    id="CARD-22",
    version=1,
    scheme="FALSE_EMERGENCY",
    severity="warn",
    title_vi="Phiếu hẹn khám lại dùng nhiều lần",
    title_en="Appointment slip used again",
    reason_vi="Số phiếu hẹn khám lại đã được dùng {observed} lần trước lượt này (phiếu chỉ dùng {allowed} lần).",
    reason_en="The number of the appointment slip was used {observed} times before (a slip serves {allowed} visit).",
    legal_basis="TT01/2025 Đ11-12 (chưa kiểm chứng)",
    needs=("encounter.patient_id", "encounter.ngay_vao", "encounter.ma_doituong_kcb", "encounter.ma_loai_kcb"),
    known_gaps_vi=(
        "Chỉ so hồ sơ có mã đối tượng 1.5 và cùng số ở GIAY_CHUYEN_TUYEN; bỏ qua số để trống và giấy của cơ sở khác. "
        f"Không xét phiếu còn hạn hay không: ngày ghi trên giấy chuyển, quy tắc không đọc giấy này. {ENTITLED_VI}"
    ),
    known_gaps_en=(
        "Only claims with access code 1.5 and the same number in GIAY_CHUYEN_TUYEN are compared; a blank number, and "
        "a paper of another facility, are passed over. Whether a referral slip has run out is not judged: its date "
        f"stands on the referral paper, which rules do not read. {ENTITLED_EN}"
    ),
    examples=(
        hit(
            "một phiếu, hai lượt khám",
            "one slip, two visits",
            visit(ma_doituong_kcb="1.5", giay_chuyen_tuyen="77/HK"),
            visit("2025-04-10 08:00", ma_doituong_kcb="1.5", giay_chuyen_tuyen="77/HK"),
            exam(),
            amount=EXAM_PRICE * 0.8,
        ),
        clear(
            "mỗi lần một phiếu mới",
            "a new slip each time",
            visit(ma_doituong_kcb="1.5", giay_chuyen_tuyen="77/HK"),
            visit("2025-04-10 08:00", ma_doituong_kcb="1.5", giay_chuyen_tuyen="78/HK"),
            exam(),
        ),
        clear(
            "giấy chuyển dùng trong năm",
            "a referral for the year",
            visit(ma_doituong_kcb="1.3", giay_chuyen_tuyen="77/GCT", ma_noi_di="01002"),
            visit("2025-04-10 08:00", ma_doituong_kcb="1.3", giay_chuyen_tuyen="77/GCT", ma_noi_di="01002"),
            exam(),
        ),
        not_evaluable("thiếu mã người bệnh", "no patient", visit(patient_id=None, ma_doituong_kcb="1.5"), exam()),
    ),
)
def appointment_slip_again(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Visits by appointment whose slip number an earlier visit of the patient used already."""
    slip = nw.col("giay_chuyen_tuyen").str.strip_chars().str.to_uppercase()
    sender = nw.col("ma_noi_di").fill_null("").str.strip_chars()
    with_slip = tables.encounter.filter(
        _code() == APPOINTMENT.code, slip != "", (sender == "") | (sender == nw.col("ma_cskcb"))
    ).with_columns(slip=slip)
    pairs = earlier_pairs(
        replace(tables, encounter=with_slip),
        "t_bhtt",
        "ma_loai_kcb",
        "facility_level",
        same=("patient_id", "ma_cskcb", "slip"),
    )
    counted = pairs.group_by(*KEY).agg(used=nw.len()).filter(nw.col("used") >= APPOINTMENT.uses)
    found = pairs.join(counted, on=KEY, how="inner").filter(money("t_bhtt") > 0)
    return pair_hits(
        found,
        amount=_beyond_own(APPOINTMENT),
        observed=nw.col("used").cast(nw.Float64),
        allowed=nw.lit(float(APPOINTMENT.uses)),
    )


@rule(
    id="CARD-23",
    version=1,
    scheme="SELF_REFERRAL_TEST",
    severity="deny",
    title_vi="Dịch vụ chuyển đi bị chuyển tiếp sang cơ sở thứ ba",
    title_en="Outsourced test re-transferred",
    reason_vi="Dịch vụ gửi cơ sở khác lại được cơ sở đó gửi tiếp cho cơ sở thứ ba; quỹ chi {amount} đồng.",
    reason_en="A service sent to another facility was sent on by it to a third one; the fund pays {amount} VND.",
    legal_basis="ND188 Đ44 k1",
    needs=("encounter.patient_id", "encounter.ngay_vao", "service_line.ngay_yl"),
    known_gaps_vi=(
        "Chỉ thấy khi cơ sở ở giữa cũng kê dịch vụ đó, cho cùng người bệnh và cùng ngày: phòng xét nghiệm chuyển tiếp "
        "mà không có hồ sơ riêng thì không để lại dấu vết ở đây. Hồ sơ đến sau mang dấu hiệu."
    ),
    known_gaps_en=(
        "Seen only where the facility in the middle bills the service too, for the same patient and day: a laboratory "
        "that sends on without a claim of its own leaves no trace here. The claim that arrives later carries the sign."
    ),
    examples=(
        hit(
            "từ A sang B, rồi sang C",
            "from A to B, and on to C",
            visit(),
            service(ma_dich_vu="22.0120.1370.K.01002"),
            visit("2025-03-10 10:00", ma_cskcb="01002"),
            service(ma_dich_vu="22.0120.1370.K.01003"),
            amount=TEST_PRICE * 0.8,
        ),
        clear("gửi đi một lần", "sent out once", visit(), service(ma_dich_vu="22.0120.1370.K.01002")),
        clear(
            "xét nghiệm khác",
            "another test",
            visit(),
            service(ma_dich_vu="22.0120.1370.K.01002"),
            visit("2025-03-10 10:00", ma_cskcb="01002"),
            service(ma_dich_vu="23.0003.1494.K.01003"),
        ),
        clear(
            "vào ngày khác",
            "another day",
            visit(),
            service(ma_dich_vu="22.0120.1370.K.01002"),
            visit("2025-03-12 10:00", ma_cskcb="01002"),
            service(ma_dich_vu="22.0120.1370.K.01003"),
        ),
        not_evaluable(
            "thiếu mã người bệnh", "no patient", visit(patient_id=None), service(ma_dich_vu="22.0120.1370.K.01002")
        ),
    ),
)
def sent_on(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Sent-out services of a patient and day at two facilities of which the first sent them to the second."""
    mark: str = SENT_ON.mark
    parts = nw.concat_str([nw.col("ma_dich_vu"), nw.lit(mark)]).str.split(mark)
    sent = (
        with_encounter(
            lines(tables, SERVICES, "ma_dich_vu", "ngay_yl", "t_bhtt").filter(
                nw.col("ma_dich_vu").str.contains(mark, literal=True), money("t_bhtt") > 0
            ),
            tables,
            "patient_id",
            "ngay_vao",
        )
        .filter(~nw.col("e_patient_id").is_null(), ~nw.col("e_ngay_vao").is_null())
        .with_columns(
            code=parts.list.get(0).str.strip_chars(),
            receiver=parts.list.get(1).str.strip_chars(),
            date=day(nw.col("ngay_yl")),
        )
        .filter(nw.col("receiver") != nw.col("ma_cskcb"))
    )
    same = ["e_patient_id", "code", "date"]
    arrived = nw.col("e_ngay_vao")
    onward = sent.select(*same, receiver=nw.col("ma_cskcb"), other=arrived).unique()
    origin = sent.select(*same, ma_cskcb=nw.col("receiver"), other=arrived).unique()
    # the line of whichever of the two claims came later; on a tie that of the facility in the middle
    first = sent.join(onward, on=[*same, "receiver"], how="inner").filter(arrived > nw.col("other"))
    middle = sent.join(origin, on=[*same, "ma_cskcb"], how="inner").filter(arrived >= nw.col("other"))
    line = [*KEY, "line_table", "row_no", "t_bhtt"]
    found = nw.concat([first.select(*line), middle.select(*line)]).unique()
    return line_hits(found, amount=money("t_bhtt"), observed=nw.lit(1.0), allowed=nw.lit(0.0))
