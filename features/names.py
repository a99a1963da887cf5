"""What a feature is called and what it is measured in, for people: Vietnamese first, then English.

Reasons and pictures are made of these names; every number column of every level has one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Unit:
    """How numbers of a unit are compared: on which scale, and from what difference on they differ at all."""

    logarithmic: bool
    floor: float  # smallest spread in a peer group, on the scale of comparison


UNITS: Mapping[str, Unit] = {
    "vnd": Unit(logarithmic=True, floor=0.05),  # about 5 %
    "log": Unit(logarithmic=False, floor=0.05),
    "share": Unit(logarithmic=False, floor=0.02),
    "ratio": Unit(logarithmic=False, floor=0.05),
    "count": Unit(logarithmic=False, floor=0.5),
    "quantity": Unit(logarithmic=True, floor=0.1),
    "day": Unit(logarithmic=False, floor=0.5),
    "hour": Unit(logarithmic=False, floor=0.5),
    "minute": Unit(logarithmic=False, floor=2.0),
    "year": Unit(logarithmic=False, floor=1.0),
    "flag": Unit(logarithmic=False, floor=0.05),
}


@dataclass(frozen=True, slots=True)
class Name:
    """A feature's short name in both languages and its unit (a key of `UNITS`)."""

    vi: str
    en: str
    unit: str


_HEADINGS = {
    "lab": ("xét nghiệm", "laboratory tests"),
    "imaging": ("chẩn đoán hình ảnh, thăm dò chức năng", "imaging and functional exploration"),
    "drug": ("thuốc", "drugs"),
    "blood": ("máu, chế phẩm máu", "blood"),
    "surgery": ("phẫu thuật, thủ thuật", "surgery and procedures"),
    "ratio_service": ("dịch vụ thanh toán theo tỷ lệ", "services paid at a ratio"),
    "supply": ("vật tư y tế", "medical supplies"),
    "exam": ("khám bệnh", "consultations"),
    "bed": ("giường bệnh", "beds"),
    "transport": ("vận chuyển", "transport"),
    "other": ("khoản khác", "other items"),
}
_WINDOWS = (7, 30, 90, 365)

_ENCOUNTER: dict[str, Name] = {
    **{f"cost_{k}": Name(f"chi phí {vi}", f"cost of {en}", "vnd") for k, (vi, en) in _HEADINGS.items()},
    **{f"share_{k}": Name(f"tỷ trọng {vi}", f"share of {en}", "share") for k, (vi, en) in _HEADINGS.items()},
    "bill_total": Name("tổng chi trong phạm vi BHYT", "total inside coverage", "vnd"),
    "fund_paid": Name("quỹ BHYT thanh toán", "paid by the fund", "vnd"),
    "log_bill": Name("tổng chi (thang logarit)", "total (log scale)", "log"),
    "fund_share": Name("tỷ lệ quỹ BHYT chi trả", "share paid by the fund", "share"),
    "self_pay_share": Name("tỷ lệ người bệnh tự trả", "share paid by the patient", "share"),
    "cost_per_day": Name("chi phí mỗi ngày", "cost a day", "vnd"),
    "cost_per_line": Name("chi phí bình quân mỗi dòng", "mean cost of a line", "vnd"),
    "max_line_cost": Name("dòng chi phí lớn nhất", "dearest line", "vnd"),
    "max_line_share": Name("tỷ trọng dòng lớn nhất", "share of the dearest line", "share"),
    "zero_cost_share": Name("tỷ lệ dòng không có chi phí", "share of lines without cost", "share"),
    "lines_total": Name("số dòng chi phí", "lines", "count"),
    "lines_drug": Name("số dòng thuốc", "drug lines", "count"),
    "lines_lab": Name("số dòng xét nghiệm", "laboratory lines", "count"),
    "lines_imaging": Name("số dòng chẩn đoán hình ảnh, thăm dò chức năng", "imaging lines", "count"),
    "lines_surgery": Name("số dòng phẫu thuật, thủ thuật", "surgery and procedure lines", "count"),
    "lines_supply": Name("số dòng vật tư", "supply lines", "count"),
    "exams": Name("số lần khám", "consultations", "count"),
    "distinct_drugs": Name("số loại thuốc", "different drugs", "count"),
    "distinct_services": Name("số loại dịch vụ", "different services", "count"),
    "duplicate_lines": Name("số dòng trùng mã và thời điểm", "lines repeated with the same code and time", "count"),
    "max_lines_one_minute": Name("số dòng nhiều nhất trong cùng một phút", "most lines at one minute", "count"),
    "max_services_one_minute": Name(
        "số dịch vụ nhiều nhất trong cùng một phút", "most services at one minute", "count"
    ),
    "max_drug_quantity": Name("số lượng thuốc lớn nhất", "largest drug quantity", "quantity"),
    "total_drug_quantity": Name("tổng số lượng thuốc", "total drug quantity", "quantity"),
    "max_service_quantity": Name("số lượng dịch vụ lớn nhất", "largest service quantity", "quantity"),
    "total_test_quantity": Name("tổng số lượng xét nghiệm, chẩn đoán", "total quantity of tests", "quantity"),
    "max_supply_days": Name("số ngày thuốc dài nhất", "longest days of supply", "day"),
    "written_days": Name("số ngày dùng thuốc theo liều ghi", "days written in the dosage", "day"),
    "supply_over_written": Name("lượng cấp so với liều ghi", "supply over what the dosage says", "ratio"),
    "unreadable_dose_share": Name("tỷ lệ liều dùng không đọc được", "share of unreadable dosages", "share"),
    "injection_share": Name("tỷ lệ thuốc tiêm, truyền", "share of injected drugs", "share"),
    "stay_hours": Name("số giờ từ lúc vào đến lúc ra", "hours from arrival to discharge", "hour"),
    "stay_nights": Name("số đêm nằm viện", "nights of stay", "day"),
    "active_care_days": Name(
        "số ngày có xét nghiệm, thủ thuật hoặc thuốc tiêm", "days with tests, procedures or injections", "day"
    ),
    "declared_days_beyond_nights": Name("số ngày điều trị trừ số đêm", "declared days minus nights", "day"),
    "bed_days": Name("số ngày giường", "bed days", "day"),
    "bed_days_beyond_nights": Name("số ngày giường trừ số đêm", "bed days minus nights", "day"),
    "arrival_hour": Name("giờ vào", "hour of arrival", "hour"),
    "arrival_weekend": Name("vào ngày nghỉ cuối tuần", "arrival at the weekend", "flag"),
    "arrival_night": Name("vào ban đêm", "arrival at night", "flag"),
    "discharge_weekend": Name("ra ngày nghỉ cuối tuần", "discharge at the weekend", "flag"),
    "minutes_to_first_order": Name("số phút từ lúc vào đến y lệnh đầu", "minutes to the first order", "minute"),
    "minutes_order_to_last_result": Name(
        "số phút từ y lệnh đầu đến kết quả cuối", "minutes from first order to last result", "minute"
    ),
    "minutes_first_to_last_order": Name(
        "số phút từ y lệnh đầu đến y lệnh cuối", "minutes from first to last order", "minute"
    ),
    "minutes_per_line": Name("số phút mỗi dòng chi phí", "minutes a line", "minute"),
    "orders_outside_stay": Name(
        "tỷ lệ y lệnh ngoài thời gian khám, điều trị", "share of orders outside the stay", "share"
    ),
    "shortest_test_minutes": Name("số phút ngắn nhất từ chỉ định đến kết quả", "shortest order to result", "minute"),
    "age": Name("tuổi", "age", "year"),
    "female": Name("giới tính nữ", "female", "flag"),
    "emergency": Name("cấp cứu", "emergency", "flag"),
    "referred_in": Name("được chuyển đến", "referred in", "flag"),
    "diagnoses": Name("số chẩn đoán", "diagnoses", "count"),
    "distinct_doctors": Name("số bác sĩ chỉ định", "ordering doctors", "count"),
    "distinct_departments": Name("số khoa", "departments", "count"),
    "top_doctor_share": Name("tỷ lệ y lệnh của một bác sĩ", "share of one doctor's orders", "share"),
    **{f"visits_{d}d": Name(f"số lượt trong {d} ngày trước", f"visits in {d} days before", "count") for d in _WINDOWS},
    **{
        f"facilities_{d}d": Name(f"số cơ sở đã đến trong {d} ngày trước", f"facilities in {d} days before", "count")
        for d in _WINDOWS
    },
    **{
        f"paid_{d}d": Name(f"quỹ đã chi trong {d} ngày trước", f"paid by the fund in {d} days before", "vnd")
        for d in _WINDOWS
    },
    **{
        f"drug_lines_{d}d": Name(f"số dòng thuốc trong {d} ngày trước", f"drug lines in {d} days before", "count")
        for d in _WINDOWS
    },
    "days_since_previous_visit": Name("số ngày từ lượt trước", "days since the previous visit", "day"),
    "same_icd3_visits_90d": Name(
        "số lượt cùng bệnh trong 90 ngày trước", "visits for the same disease in 90 days before", "count"
    ),
    "readmission_gap_days": Name("số ngày từ lần ra viện trước", "days since the last inpatient discharge", "day"),
    "still_inpatient_elsewhere": Name("đợt nội trú khác chưa kết thúc", "inpatient stays not yet ended", "count"),
    "drug_days_in_hand": Name("số ngày thuốc còn lại khi đến", "days of drugs in hand on arrival", "day"),
    "refill_days_in_hand": Name("số ngày còn lại của thuốc được cấp lại", "days in hand of drugs given again", "day"),
    "repeated_tests_30d": Name(
        "số xét nghiệm, chẩn đoán làm lại trong 30 ngày", "tests repeated within 30 days", "count"
    ),
}

_MONTH: dict[str, Name] = {
    "visits": Name("số lượt", "encounters", "quantity"),
    "patients": Name("số người bệnh", "patients", "quantity"),
    "visits_per_patient": Name("số lượt mỗi người bệnh", "encounters a patient", "ratio"),
    "repeat_visit_share": Name("tỷ lệ lượt đến lại trong tháng", "share of repeat encounters", "share"),
    "active_days": Name("số ngày có người bệnh đến", "days with arrivals", "day"),
    "visits_per_active_day": Name("số lượt mỗi ngày làm việc", "encounters an active day", "quantity"),
    "max_visits_a_day": Name("số lượt nhiều nhất trong một ngày", "most encounters on a day", "quantity"),
    "same_minute_share": Name("tỷ lệ lượt vào cùng một phút", "share of arrivals at the same minute", "share"),
    "total_paid": Name("tổng quỹ BHYT thanh toán", "total paid by the fund", "vnd"),
    "mean_cost": Name("chi phí bình quân lượt", "mean cost of an encounter", "vnd"),
    "median_cost": Name("chi phí trung vị lượt", "median cost of an encounter", "vnd"),
    "log_mean_cost": Name("chi phí bình quân (thang logarit)", "mean cost (log scale)", "log"),
    "max_cost_share": Name("tỷ trọng lượt đắt nhất", "share of the dearest encounter", "share"),
    **{
        f"{k}_cost_per_visit": Name(
            f"chi phí {_HEADINGS[k][0]} mỗi lượt", f"cost of {_HEADINGS[k][1]} an encounter", "vnd"
        )
        for k in ("lab", "imaging", "drug", "surgery", "supply", "bed")
    },
    "inpatient_visits": Name("số lượt nội trú", "inpatient stays", "quantity"),
    "inpatient_share": Name("tỷ lệ nội trú", "share of inpatient stays", "share"),
    "weekend_share": Name("tỷ lệ lượt vào cuối tuần", "share of weekend arrivals", "share"),
    "night_share": Name("tỷ lệ lượt vào ban đêm", "share of night arrivals", "share"),
    "short_visit_share": Name("tỷ lệ lượt khám quá ngắn", "share of very short consultations", "share"),
    "top_diagnosis_share": Name("tỷ trọng chẩn đoán nhiều nhất", "share of the commonest diagnosis", "share"),
    "distinct_diagnoses": Name("số nhóm bệnh khác nhau", "different diagnoses", "quantity"),
    "lines_per_visit": Name("số dòng chi phí mỗi lượt", "lines an encounter", "count"),
    "drugs_per_visit": Name("số dòng thuốc mỗi lượt", "drug lines an encounter", "count"),
    "tests_per_visit": Name("số xét nghiệm, chẩn đoán mỗi lượt", "tests an encounter", "count"),
    "exams_per_visit": Name("số lần khám mỗi lượt", "consultations an encounter", "ratio"),
    "round_quantity_share": Name("tỷ lệ số lượng thuốc tròn chục", "share of round drug quantities", "share"),
    "untested_drug_share": Name("tỷ lệ cấp thuốc không có xét nghiệm", "share of drugs without tests", "share"),
    "doctors": Name("số bác sĩ", "doctors", "quantity"),
    "visits_per_doctor": Name("số lượt mỗi bác sĩ", "encounters a doctor", "quantity"),
    "top_doctor_visit_share": Name("tỷ trọng bác sĩ nhiều lượt nhất", "share of the busiest doctor", "share"),
}

_LINE: dict[str, Name] = {
    "line_cost": Name("chi phí của dòng", "cost of the line", "vnd"),
    "line_unit_price": Name("đơn giá", "unit price", "vnd"),
    "line_claim_share": Name("tỷ trọng của dòng trong hồ sơ", "share of the claim", "share"),
    "line_group_share": Name("tỷ trọng của dòng trong nhóm chi phí", "share of the cost group", "share"),
    "line_over_lowest_price": Name("đơn giá so với giá thấp nhất cùng mã", "price over the code's lowest", "ratio"),
    "line_amount_over_product": Name(
        "thành tiền so với số lượng nhân đơn giá", "amount over quantity × price", "ratio"
    ),
    "line_fund_share": Name("tỷ lệ quỹ BHYT chi trả của dòng", "share of the line paid by the fund", "share"),
    "line_fund_share_above_claim": Name(
        "tỷ lệ quỹ chi trả của dòng trừ của hồ sơ", "share paid by the fund above the claim's", "share"
    ),
    "line_pay_rate": Name("tỷ lệ thanh toán (%)", "payment rate (%)", "count"),
    "line_benefit_level": Name("mức hưởng (%)", "benefit level (%)", "count"),
    "line_price_over_rank_median": Name(
        "đơn giá so với trung vị cùng hạng tháng trước", "price over the rank's median of the month before", "ratio"
    ),
    "line_quantity_over_rank_median": Name(
        "số lượng so với trung vị cùng hạng tháng trước", "quantity over the rank's median of the month before", "ratio"
    ),
    "line_price_over_facility_median": Name(
        "đơn giá so với trung vị của cơ sở tháng trước", "price over the facility's median of the month before", "ratio"
    ),
    "line_quantity_over_facility_median": Name(
        "số lượng so với trung vị của cơ sở tháng trước",
        "quantity over the facility's median of the month before",
        "ratio",
    ),
    "line_price_over_listed": Name("đơn giá so với giá danh mục", "price over the listed price", "ratio"),
    "line_at_listed_price": Name("đơn giá bằng giá danh mục", "price equals the listed price", "flag"),
    "line_quantity": Name("số lượng", "quantity", "quantity"),
    "line_quantity_per_day": Name("số lượng mỗi ngày", "quantity a day", "quantity"),
    "line_code_quantity": Name("tổng số lượng cùng mã trong hồ sơ", "quantity of the code in the claim", "quantity"),
    "line_code_quantity_per_day": Name("số lượng cùng mã mỗi ngày", "quantity of the code a day", "quantity"),
    "line_code_quantity_same_day": Name(
        "số lượng cùng mã trong ngày", "quantity of the code ordered on the day", "quantity"
    ),
    "line_heading_quantity_share": Name(
        "tỷ trọng số lượng trong nhóm chi phí", "share of the cost group's quantity", "share"
    ),
    "line_round_quantity": Name("số lượng thuốc tròn chục", "round drug quantity", "flag"),
    "line_supply_days": Name("số ngày thuốc", "days of supply", "day"),
    "line_written_days": Name("số ngày ghi trong liều dùng", "days written in the dosage", "day"),
    "line_supply_over_written": Name("lượng cấp so với liều ghi", "supply over what the dosage says", "ratio"),
    "line_supply_beyond_stay": Name("số ngày thuốc trừ số ngày điều trị", "days of supply minus days of stay", "day"),
    "line_daily_dose": Name("số lượng mỗi ngày theo số ngày ghi", "units a day over the days written", "quantity"),
    "line_unreadable_dose": Name("liều dùng không đọc được", "unreadable dosage", "flag"),
    "line_same_code_in_claim": Name("số dòng khác cùng mã trong hồ sơ", "other lines of the code", "count"),
    "line_same_code_before": Name("số dòng cùng mã chỉ định trước đó", "lines of the code ordered earlier", "count"),
    "line_same_code_same_minute": Name("số dòng cùng mã cùng phút", "lines of the code at the same minute", "count"),
    "line_same_code_same_amount": Name(
        "số dòng cùng mã cùng thành tiền", "lines of the code with the same amount", "count"
    ),
    **{
        f"line_patient_same_code_{d}d": Name(
            f"số lần người bệnh có cùng mã trong {d} ngày trước", f"lines of the code in {d} days before", "count"
        )
        for d in (7, 30, 90)
    },
    "line_same_code_elsewhere_90d": Name(
        "số lần cùng mã ở cơ sở khác trong 90 ngày trước", "lines of the code elsewhere in 90 days before", "count"
    ),
    "line_days_since_same_code": Name("số ngày từ lần trước cùng mã", "days since the code's last time", "day"),
    "line_drug_days_in_hand": Name(
        "số ngày còn lại của thuốc này khi đến", "days of the drug in hand on arrival", "day"
    ),
    "line_minutes_order_to_execution": Name(
        "số phút từ y lệnh đến thực hiện", "minutes from order to execution", "minute"
    ),
    "line_minutes_execution_to_result": Name(
        "số phút từ thực hiện đến kết quả", "minutes from execution to result", "minute"
    ),
    "line_minutes_order_to_result": Name("số phút từ y lệnh đến kết quả", "minutes from order to result", "minute"),
    "line_clockless": Name("thời gian chỉ ghi ngày", "times without a clock", "flag"),
    "line_night": Name("chỉ định ban đêm", "ordered at night", "flag"),
    "line_weekend": Name("chỉ định ngày nghỉ cuối tuần", "ordered at the weekend", "flag"),
    "line_minutes_from_arrival": Name("số phút từ lúc vào đến y lệnh", "minutes from arrival to order", "minute"),
    "line_minutes_before_arrival": Name("số phút thực hiện trước khi vào", "minutes done before arrival", "minute"),
    "line_minutes_after_discharge": Name("số phút thực hiện sau khi ra", "minutes done after discharge", "minute"),
    "line_result_after_discharge": Name("số phút có kết quả sau khi ra", "minutes of result after discharge", "minute"),
    "line_day_of_stay": Name("ngày điều trị thứ (từ 0)", "day of the stay (from 0)", "day"),
    "line_stay_part": Name("phần thời gian đã qua khi chỉ định", "part of the stay gone by", "share"),
    "line_ordered_same_minute": Name("số dòng khác chỉ định cùng phút", "other lines ordered at the minute", "count"),
    "line_done_same_minute": Name("số dòng khác thực hiện cùng phút", "other lines done at the minute", "count"),
    "line_ordered_same_day": Name("số dòng khác chỉ định cùng ngày", "other lines ordered on the day", "count"),
    "line_results_same_minute": Name("số dòng khác có kết quả cùng phút", "other results at the minute", "count"),
    "line_by_main_doctor": Name("do bác sĩ chính chỉ định", "ordered by the main doctor", "flag"),
    "line_self_performed": Name("người chỉ định tự thực hiện", "performed by who ordered it", "flag"),
    "line_practitioners": Name("số người chỉ định", "practitioners named", "count"),
    "line_performers": Name("số người thực hiện", "performers named", "count"),
    "line_unsigned": Name("không ghi bác sĩ", "no practitioner named", "flag"),
    "line_doctor_share": Name("tỷ trọng y lệnh của bác sĩ này", "share of the claim's lines of the doctor", "share"),
    "line_other_department": Name("khoa khác với khoa của hồ sơ", "department not of the encounter", "flag"),
}

_PATIENT_WINDOWS = (30, 90, 365)

_PATIENT: dict[str, Name] = {
    **{
        f"patient_{key}_{d}d": Name(f"{vi} trong {d} ngày", f"{en} in {d} days", unit)
        for key, vi, en, unit in (
            ("visits", "số lượt của người bệnh", "visits of the patient", "count"),
            ("facilities", "số cơ sở đã đến", "facilities", "count"),
            ("provinces", "số tỉnh đã đến", "provinces", "count"),
            ("doctors", "số bác sĩ chính", "main doctors", "count"),
            ("paid", "quỹ BHYT đã chi cho người bệnh", "paid by the fund for the patient", "vnd"),
        )
        for d in _PATIENT_WINDOWS
    },
    "patient_same_doctor_share": Name("tỷ trọng bác sĩ gặp nhiều nhất", "share of the commonest doctor", "share"),
    "patient_own_doctor_share": Name("tỷ trọng bác sĩ của hồ sơ này", "share of this claim's doctor", "share"),
    "patient_new_doctor": Name("bác sĩ mới", "new doctor", "flag"),
    "patient_weekend_share": Name("tỷ lệ lượt vào cuối tuần", "share of weekend visits", "share"),
    "patient_night_share": Name("tỷ lệ lượt vào ban đêm", "share of night visits", "share"),
    "patient_admissions_365d": Name("số đợt nội trú trong năm", "inpatient stays in a year", "count"),
    "patient_inpatient_nights_365d": Name("số đêm nội trú trong năm", "inpatient nights in a year", "day"),
    "patient_emergency_share": Name("tỷ lệ lượt cấp cứu", "share of emergencies", "share"),
    "patient_open_stays": Name("đợt nội trú chưa kết thúc", "inpatient stays not yet ended", "count"),
    "patient_median_gap_days": Name("số ngày trung vị giữa hai lượt", "median days between visits", "day"),
    "patient_shortest_gap_days": Name("số ngày ngắn nhất giữa hai lượt", "shortest days between visits", "day"),
    "patient_longest_gap_days": Name("số ngày dài nhất giữa hai lượt", "longest days between visits", "day"),
    "patient_same_day_visits_365d": Name(
        "số lượt trùng ngày với lượt trước trong năm", "second visits of a day in a year", "count"
    ),
    "patient_same_facility_share": Name("tỷ trọng lượt ở cơ sở này", "share of visits here", "share"),
    "patient_top_facility_share": Name("tỷ trọng cơ sở đến nhiều nhất", "share of the commonest facility", "share"),
    "patient_new_facility": Name("cơ sở mới", "new facility", "flag"),
    "patient_away_share": Name("tỷ lệ lượt ngoài tỉnh đăng ký", "share of visits outside the home province", "share"),
    "patient_days_since_other_facility": Name("số ngày từ lượt ở cơ sở khác", "days since another facility", "day"),
    "patient_days_since_other_province": Name("số ngày từ lượt ở tỉnh khác", "days since another province", "day"),
    "patient_farthest_km_30d": Name(
        "khoảng cách tới cơ sở xa nhất trong 30 ngày (km)", "km to the farthest facility of 30 days", "quantity"
    ),
    "patient_farthest_km_365d": Name(
        "khoảng cách tới cơ sở xa nhất trong năm (km)", "km to the farthest facility of a year", "quantity"
    ),
    "patient_mean_paid_365d": Name("quỹ chi bình quân lượt trong năm", "mean paid a visit in a year", "vnd"),
    "patient_bill_over_usual": Name("tổng chi so với thường lệ", "bill over the patient's usual", "ratio"),
    "patient_same_amount_365d": Name("số lượt trước cùng số tiền", "earlier visits of the same amount", "count"),
    "patient_exams_per_visit": Name("số lần khám mỗi lượt", "consultations a visit", "ratio"),
    "patient_tests_per_visit": Name("số xét nghiệm, chẩn đoán mỗi lượt", "tests a visit", "count"),
    "patient_drugs_per_visit": Name("số dòng thuốc mỗi lượt", "drug lines a visit", "count"),
    "patient_untested_share": Name("tỷ lệ lượt không có xét nghiệm", "share of visits without tests", "share"),
    "patient_chapters_365d": Name("số nhóm bệnh (chương) trong năm", "diagnosis chapters in a year", "count"),
    "patient_diagnoses_365d": Name("số bệnh chính khác nhau trong năm", "different diagnoses in a year", "count"),
    "patient_top_diagnosis_share": Name("tỷ trọng bệnh chính nhiều nhất", "share of the commonest diagnosis", "share"),
    "patient_new_diagnosis": Name("bệnh chính mới", "new diagnosis", "flag"),
    "patient_chronic_drugs_365d": Name("số thuốc dùng kéo dài", "drugs taken for months", "count"),
    "patient_chronic_excess_days": Name(
        "số ngày thuốc kéo dài thừa nhiều nhất", "most days of a long-term drug beyond need", "day"
    ),
    "patient_overlap_days": Name("tổng số ngày thuốc kéo dài thừa", "days of long-term drugs beyond need", "day"),
    "patient_drug_sources_90d": Name(
        "số cơ sở cấp cùng một thuốc trong 90 ngày", "facilities giving one drug in 90 days", "count"
    ),
    "patient_drug_claims_90d": Name(
        "số lượt cấp cùng một thuốc trong 90 ngày", "claims giving one drug in 90 days", "count"
    ),
}

NAMES: Mapping[str, Name] = _LINE | _ENCOUNTER | _PATIENT | _MONTH


def name_of(column: str) -> Name:
    """The name of a feature column. Raises KeyError for a column that has none."""
    return NAMES[column]
