"""Slow twins: every feature column counted again with plain loops over rows, to check the fast queries against.

Nothing here is shared with `features/`: codes, windows and definitions are written a second time on purpose.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from tests.lib.claims import Claims, Row

Key = tuple[Any, ...]
Values = dict[str, Any]

HEADINGS = {
    1: "lab", 2: "imaging", 3: "imaging", 4: "drug", 5: "drug", 6: "drug", 7: "blood", 17: "blood", 8: "surgery",
    18: "surgery", 9: "ratio_service", 10: "supply", 11: "supply", 13: "exam", 14: "bed", 15: "bed", 16: "bed",
    12: "transport",
}  # fmt: skip
ALL_HEADINGS = (*dict.fromkeys(HEADINGS.values()), "other")
WINDOWS = (7, 30, 90, 365)


# --- Small words


def key_of(row: Row) -> tuple[str, str]:
    """The encounter a row belongs to."""
    return row["ma_cskcb"], row["ma_lk"]


def heading(line: Row) -> str:
    """The cost heading of a line."""
    return HEADINGS.get(line["ma_nhom"] or 0, "other")


def number(value: Any) -> float | None:
    """A Decimal or int as float."""
    return None if value is None else float(value)


def summed(values: Iterable[Any]) -> float:
    """Exact sum without nulls."""
    return float(sum((v for v in values if v is not None), start=0))


def over(part: float | None, whole: float | None) -> float | None:
    """`part / whole` for a whole above zero."""
    return None if part is None or whole is None or whole <= 0 else part / whole


def largest(values: Iterable[float | None]) -> float | None:
    """Largest value, null when there is none."""
    return max((v for v in values if v is not None), default=None)


def smallest(values: Iterable[float | None]) -> float | None:
    """Smallest value, null when there is none."""
    return min((v for v in values if v is not None), default=None)


def minutes(start: datetime | None, end: datetime | None) -> float | None:
    """Minutes between two times."""
    return None if start is None or end is None else (end - start).total_seconds() / 60


def days(start: datetime, end: datetime) -> float:
    """Days between two times."""
    return (end - start).total_seconds() / 86_400


def icd3(encounter: Row) -> str | None:
    """Three characters of the main diagnosis."""
    code = encounter["ma_benh_chinh"]
    return None if code is None else code.strip().upper()[:3]


def care(encounter: Row) -> str | None:
    """Type of care in two digits."""
    code = encounter["ma_loai_kcb"]
    return None if code is None else code.strip().zfill(2)


def nights(encounter: Row) -> float | None:
    """Midnights of a stay."""
    start, end = encounter["ngay_vao"], encounter["ngay_ra"]
    return None if start is None or end is None else float((end.date() - start.date()).days)


def hour(at: datetime | None) -> float | None:
    """Hour of a time with its minutes."""
    return None if at is None else at.hour + at.minute / 60


def yes(condition: bool | None) -> float | None:
    """1, 0 or unknown."""
    return None if condition is None else float(condition)


def dosage(text: str | None) -> tuple[float | None, float | None]:
    """Daily dose and days that a LIEU_DUNG states."""

    def first_number(part: str) -> float | None:
        found = re.match(r"\s*(\d+(?:[.,]\d+)?)(?![.,\d])(?!\s*/\s*\d)", part)
        return float(found.group(1).replace(",", ".")) if found else None

    if text is None:
        return None, None
    parts = [first_number(part) for part in text.split("*")] + [None, None, None]
    in_brackets = first_number(text.split("[", 1)[1]) if "[" in text else None
    factors = None if parts[0] is None or parts[1] is None else parts[0] * parts[1]
    daily = factors if in_brackets is None else in_brackets
    return (daily if daily and daily > 0 else None), parts[2]


def supply(line: Row) -> float | None:
    """Days a drug line lasts."""
    daily, _ = dosage(line["lieu_dung"])
    return None if daily is None or line["so_luong"] is None else min(float(line["so_luong"]) / daily, 365.0)


def code(line: Row) -> str | None:
    """Code of a drug, supply or service line."""
    if "ma_thuoc" in line:
        return line["ma_thuoc"]
    return line["ma_dich_vu"] if line["ma_vat_tu"] is None else line["ma_vat_tu"]


# --- Encounters


def encounter_features(claims: Claims) -> dict[Key, Values]:
    """Every column of the encounter matrix, by encounter."""
    drugs, services = _by_encounter(claims.drug_line), _by_encounter(claims.service_line)
    rows: dict[Key, Values] = {}
    for encounter in claims.encounter:
        key = key_of(encounter)
        mine, done = drugs.get(key, []), services.get(key, [])
        rows[key] = (
            _costs(encounter, mine + done)
            | _counts(mine, done)
            | _quantities(mine, done)
            | _stay(encounter, mine, done)
            | _timing(encounter, mine, done)
            | _person(encounter)
            | _people(mine + done)
            | _history(claims, encounter, drugs, services)
            | _context(encounter)
        )
    return rows


def _by_encounter(lines: list[Row]) -> dict[Key, list[Row]]:
    grouped: dict[Key, list[Row]] = defaultdict(list)
    for line in lines:
        grouped[key_of(line)].append(line)
    return grouped


def _costs(encounter: Row, lines: list[Row]) -> Values:
    cost = {h: summed(line["thanh_tien_bh"] for line in lines if heading(line) == h) for h in ALL_HEADINGS}
    whole = summed(line["thanh_tien_bh"] for line in lines)
    covered, paid = number(encounter["t_tongchi_bh"]), number(encounter["t_bhtt"])
    top = largest(number(line["thanh_tien_bh"]) for line in lines)
    stay = minutes(encounter["ngay_vao"], encounter["ngay_ra"])
    free = sum(not line["thanh_tien_bh"] for line in lines)
    return {
        **{f"cost_{h}": cost[h] for h in ALL_HEADINGS},
        **{f"share_{h}": over(cost[h], whole) if lines else None for h in ALL_HEADINGS},
        "bill_total": covered,
        "fund_paid": paid,
        "log_bill": None if covered is None else math.log(1 + covered),
        "fund_share": over(paid, covered),
        "self_pay_share": over(number(encounter["t_bntt"]), number(encounter["t_tongchi_bv"])),
        "cost_per_day": None if covered is None or stay is None else covered / max(stay / 1440, 1),
        "cost_per_line": over(whole, len(lines)),
        "max_line_cost": top,
        "max_line_share": over(top, whole),
        "zero_cost_share": over(free, len(lines)),
    }


def _counts(drugs: list[Row], services: list[Row]) -> Values:
    lines = drugs + services
    kinds = Counter(heading(line) for line in lines)
    done_at = Counter(line["ngay_th_yl"] for line in lines if line["ngay_th_yl"])
    services_at = Counter(line["ngay_th_yl"] for line in services if line["ngay_th_yl"])
    copies = Counter(
        ("ma_thuoc" in line, code(line), line["ngay_th_yl"]) for line in lines if code(line) and line["ngay_th_yl"]
    )
    return {
        "lines_total": len(lines),
        "lines_drug": kinds["drug"],
        "lines_lab": kinds["lab"],
        "lines_imaging": kinds["imaging"],
        "lines_surgery": kinds["surgery"],
        "lines_supply": kinds["supply"],
        "exams": kinds["exam"],
        "distinct_drugs": len({code(line) for line in drugs} - {None}),
        "distinct_services": len({code(line) for line in services} - {None}),
        "duplicate_lines": sum(n - 1 for n in copies.values()),
        "max_lines_one_minute": max(done_at.values(), default=0),
        "max_services_one_minute": max(services_at.values(), default=0),
    }


def _quantities(drugs: list[Row], services: list[Row]) -> Values:
    medicines = [line for line in drugs if heading(line) == "drug"]
    tests = [line for line in services if heading(line) in ("lab", "imaging")]
    routes = [line["duong_dung"] for line in medicines if line["duong_dung"] is not None]
    read = [(supply(line), dosage(line["lieu_dung"])[1]) for line in medicines]
    return {
        "max_drug_quantity": largest(number(line["so_luong"]) for line in drugs),
        "total_drug_quantity": summed(line["so_luong"] for line in drugs) if drugs else None,
        "max_service_quantity": largest(number(line["so_luong"]) for line in services if heading(line) != "bed"),
        "total_test_quantity": summed(line["so_luong"] for line in tests) if services else None,
        "max_supply_days": largest(lasts for lasts, _ in read),
        "written_days": largest(written for _, written in read),
        "supply_over_written": largest(over(lasts, written) for lasts, written in read),
        "unreadable_dose_share": over(sum(lasts is None for lasts, _ in read), len(read)),
        "injection_share": over(sum(r.strip().startswith("2.") for r in routes), len(routes)),
    }


def _stay(encounter: Row, drugs: list[Row], services: list[Row]) -> Values:
    length, slept = minutes(encounter["ngay_vao"], encounter["ngay_ra"]), nights(encounter)
    beds = [line for line in services if heading(line) == "bed"]
    billed = summed(line["so_luong"] for line in beds)
    declared = encounter["so_ngay_dtri"]
    active = [line for line in services if heading(line) in ("lab", "imaging", "blood", "surgery", "ratio_service")]
    active += [line for line in drugs if (line["duong_dung"] or "").strip().startswith("2.")]
    moments = [line["ngay_th_yl"] or line["ngay_yl"] for line in active]
    return {
        "active_care_days": len({moment.date() for moment in moments if moment}),
        "stay_hours": None if length is None else length / 60,
        "stay_nights": slept,
        "declared_days_beyond_nights": None if slept is None or declared is None else declared - slept,
        "bed_days": billed,
        "bed_days_beyond_nights": billed - slept if beds and slept is not None else None,
    }


def _timing(encounter: Row, drugs: list[Row], services: list[Row]) -> Values:
    arrival, discharge = encounter["ngay_vao"], encounter["ngay_ra"]
    lines = drugs + services
    orders = [line["ngay_yl"] for line in lines if line["ngay_yl"]]
    results = [line["ngay_kq"] for line in services if line["ngay_kq"]]
    first, last = min(orders, default=None), max(orders, default=None)
    stay = minutes(arrival, discharge)
    outside = None if stay is None else over(sum(o < arrival or o > discharge for o in orders), len(orders))
    tests = [line for line in services if heading(line) in ("lab", "imaging")]
    came = hour(arrival)
    return {
        "arrival_hour": came,
        "arrival_weekend": yes(None if arrival is None else arrival.weekday() >= 5),
        "arrival_night": yes(None if came is None else came >= 21 or came < 6),
        "discharge_weekend": yes(None if discharge is None else discharge.weekday() >= 5),
        "minutes_to_first_order": minutes(arrival, first),
        "minutes_order_to_last_result": minutes(first, max(results, default=None)),
        "minutes_first_to_last_order": minutes(first, last),
        "minutes_per_line": None if stay is None else over(stay, len(lines)),
        "orders_outside_stay": outside,
        "shortest_test_minutes": smallest(minutes(line["ngay_yl"], line["ngay_kq"]) for line in tests),
    }


def age_of(encounter: Row) -> int | None:
    """Completed years at arrival."""
    born, arrival = encounter["ngay_sinh"], encounter["ngay_vao"]
    if born is None or arrival is None or born > arrival.date():
        return None
    return arrival.year - born.year - ((arrival.month, arrival.day) < (born.month, born.day))


def _person(encounter: Row) -> Values:
    access = encounter["ma_doituong_kcb"]
    others = re.findall(r"[^;,\s]+", encounter["ma_benh_kt"] or "")
    return {
        "age": age_of(encounter),
        "female": yes(None if encounter["gioi_tinh"] is None else encounter["gioi_tinh"] == 2),
        "emergency": yes(None if access is None else access.split(".")[0] == "2"),
        "referred_in": float(bool(encounter["ma_noi_di"])),
        "diagnoses": len(others) + bool(encounter["ma_benh_chinh"]),
    }


def _people(lines: list[Row]) -> Values:
    doctors = Counter(line["doctor"] for line in lines if line["doctor"])
    return {
        "distinct_doctors": len(doctors),
        "distinct_departments": len({line["ma_khoa"] for line in lines} - {None}),
        "top_doctor_share": over(max(doctors.values(), default=0), sum(doctors.values())),
    }


def _history(claims: Claims, encounter: Row, drugs: dict[Key, list[Row]], services: dict[Key, list[Row]]) -> Values:
    arrival, patient = encounter["ngay_vao"], encounter["patient_id"]
    known = arrival is not None and patient is not None

    def within(limit: int) -> list[Row]:
        return [
            e
            for e in claims.encounter
            if known
            and e["patient_id"] == patient
            and e["ngay_vao"]
            and timedelta(0) < arrival - e["ngay_vao"] <= timedelta(days=limit)
        ]

    def or_unknown(value: float) -> float | None:
        return value if known else None

    earlier = within(365)
    ended = [e for e in earlier if e["ngay_ra"] and e["ngay_ra"] <= arrival]
    handed = [
        line
        for e in earlier
        if care(e) not in ("03", "04", "09")
        for line in drugs.get(key_of(e), [])
        if line["ngay_yl"] and timedelta(0) < arrival - line["ngay_yl"] <= timedelta(days=120)
    ]
    left = [(line["ma_thuoc"], (supply(line) or 0.0) - days(line["ngay_yl"], arrival)) for line in handed]
    again = {line["ma_thuoc"] for line in drugs.get(key_of(encounter), [])} - {None}

    def tests(key: Key) -> list[Row]:
        return [line for line in services.get(key, []) if heading(line) in ("lab", "imaging") and line["ma_dich_vu"]]

    tested = {
        line["ma_dich_vu"]
        for e in earlier
        for line in tests(key_of(e))
        if line["ngay_yl"] and timedelta(0) < arrival - line["ngay_yl"] <= timedelta(days=30)
    }
    values: Values = {}
    for window in WINDOWS:
        seen = within(window)
        before = [
            line for e in seen for line in drugs.get(key_of(e), []) if line["ngay_yl"] and line["ngay_yl"] < arrival
        ]
        values[f"visits_{window}d"] = or_unknown(len(seen))
        values[f"facilities_{window}d"] = or_unknown(len({e["ma_cskcb"] for e in seen}))
        values[f"paid_{window}d"] = or_unknown(summed(e["t_bhtt"] for e in seen if e in ended))
        values[f"drug_lines_{window}d"] = or_unknown(len(before))
    return values | {
        "days_since_previous_visit": smallest(days(e["ngay_vao"], arrival) for e in earlier),
        "same_icd3_visits_90d": or_unknown(
            sum(icd3(e) is not None and icd3(e) == icd3(encounter) for e in within(90) if e in ended)
        ),
        "readmission_gap_days": smallest(days(e["ngay_ra"], arrival) for e in ended if care(e) == "03"),
        "still_inpatient_elsewhere": or_unknown(
            sum(care(e) == "03" and e["ngay_ra"] is not None and e["ngay_ra"] > arrival for e in earlier)
        ),
        "drug_days_in_hand": or_unknown(max([0.0, *(d for _, d in left)])),
        "refill_days_in_hand": or_unknown(max([0.0, *(d for drug, d in left if drug in again)])),
        "repeated_tests_30d": or_unknown(len(tested & {line["ma_dich_vu"] for line in tests(key_of(encounter))})),
    }


def _context(encounter: Row) -> Values:
    age = age_of(encounter)
    bands = (
        (75, "75+"),
        (60, "60-74"),
        (45, "45-59"),
        (30, "30-44"),
        (15, "15-29"),
        (6, "06-14"),
        (1, "01-05"),
        (0, "00"),
    )
    return {
        "ma_loai_kcb": care(encounter),
        "icd3": icd3(encounter),
        "icd_letter": (icd3(encounter) or "")[:1] or None,
        "facility_rank": encounter["facility_rank"],
        "facility_level": encounter["facility_level"],
        "department": None if encounter["ma_khoa"] is None else re.split(r"[;,]", encounter["ma_khoa"].strip())[0],
        "province": encounter["province"],
        "sex": None if encounter["gioi_tinh"] is None else str(encounter["gioi_tinh"]),
        "age_band": None if age is None else next(name for floor, name in bands if age >= floor),
    }


# --- Months


def main_doctor(lines: list[Row]) -> str | None:
    """Whose encounter it is, by the lines' practitioners."""
    named = [line for line in lines if line["doctor"]]
    exams = [line for line in named if heading(line) == "exam"]
    if exams:
        return min(exams, key=lambda line: line["row_no"])["doctor"]

    def order(line: Row) -> tuple[float, bool, int]:
        return -float(line["t_bhtt"] or 0), "ma_thuoc" not in line, line["row_no"]

    return min(named, key=order)["doctor"] if named else None


def doctor_month_features(claims: Claims) -> dict[Key, Values]:
    """Every column of the doctor-month matrix, by (facility, doctor, month)."""
    lines = _by_encounter(claims.drug_line + claims.service_line)
    return _months(claims, lambda e: (e["ma_cskcb"], main_doctor(lines.get(key_of(e), [])), e["month"]))


def facility_month_features(claims: Claims) -> dict[Key, Values]:
    """Every column of the facility-month matrix, by (facility, month)."""
    lines = _by_encounter(claims.drug_line + claims.service_line)
    found = _months(claims, lambda e: (e["ma_cskcb"], e["month"]))
    for key, values in found.items():
        mine = [e for e in claims.encounter if (e["ma_cskcb"], e["month"]) == key]
        doctors = Counter(d for e in mine if (d := main_doctor(lines.get(key_of(e), []))))
        values |= {
            "doctors": len(doctors) or None,
            "visits_per_doctor": over(sum(doctors.values()), len(doctors)),
            "top_doctor_visit_share": over(max(doctors.values(), default=0), sum(doctors.values())),
        }
    return found


def _months(claims: Claims, owner: Callable[[Row], Key]) -> dict[Key, Values]:
    groups: dict[Key, list[Row]] = defaultdict(list)
    for encounter in claims.encounter:
        if None not in owner(encounter):
            groups[owner(encounter)].append(encounter)
    lines = _by_encounter(claims.drug_line + claims.service_line)
    return {
        key: _volume(mine) | _money(mine, lines) | _mix(mine) | _habits(mine, lines) | _kind(mine)
        for key, mine in groups.items()
    }


def _volume(mine: list[Row]) -> Values:
    patients = Counter(e["patient_id"] for e in mine if e["patient_id"])
    arrivals = Counter(e["ngay_vao"] for e in mine if e["ngay_vao"])
    by_day = Counter(e["ngay_vao"].date() for e in mine if e["ngay_vao"])
    cards = sum(patients.values())
    return {
        "visits": len(mine),
        "patients": len(patients),
        "visits_per_patient": over(cards, len(patients)),
        "repeat_visit_share": over(cards - len(patients), cards),
        "active_days": len(by_day),
        "visits_per_active_day": over(sum(by_day.values()), len(by_day)),
        "max_visits_a_day": max(by_day.values(), default=None),
        "same_minute_share": over(sum(n for n in arrivals.values() if n > 1), sum(arrivals.values())),
    }


def _money(mine: list[Row], lines: dict[Key, list[Row]]) -> Values:
    bills = [float(e["t_tongchi_bh"]) for e in mine if e["t_tongchi_bh"] is not None]
    covered = summed(e["t_tongchi_bh"] for e in mine)
    mean = over(covered, len(bills))
    values: Values = {
        "total_paid": summed(e["t_bhtt"] for e in mine),
        "mean_cost": mean,
        "median_cost": median(bills) if bills else None,
        "log_mean_cost": None if mean is None else math.log(1 + mean),
        "max_cost_share": over(max(bills, default=None), covered),
    }
    for name in ("lab", "imaging", "drug", "surgery", "supply", "bed"):
        spent = (line["thanh_tien_bh"] for e in mine for line in lines.get(key_of(e), []) if heading(line) == name)
        values[f"{name}_cost_per_visit"] = summed(spent) / len(mine)
    return values


def _mix(mine: list[Row]) -> Values:
    times = [e["ngay_vao"] for e in mine if e["ngay_vao"]]
    consultations = [
        length for e in mine if care(e) == "01" and (length := minutes(e["ngay_vao"], e["ngay_ra"])) is not None
    ]
    diagnoses = Counter(icd3(e) for e in mine if icd3(e))
    stays = sum(care(e) == "03" for e in mine)
    return {
        "inpatient_visits": stays,
        "inpatient_share": stays / len(mine),
        "weekend_share": over(sum(t.weekday() >= 5 for t in times), len(times)),
        "night_share": over(sum(t.hour >= 21 or t.hour < 6 for t in times), len(times)),
        "short_visit_share": over(sum(length < 10 for length in consultations), len(consultations)),
        "top_diagnosis_share": over(max(diagnoses.values(), default=0), sum(diagnoses.values())),
        "distinct_diagnoses": len(diagnoses),
    }


def _habits(mine: list[Row], lines: dict[Key, list[Row]]) -> Values:
    per_visit = [lines.get(key_of(e), []) for e in mine]
    every = [line for visit in per_visit for line in visit]
    drugs = [line for line in every if heading(line) == "drug"]
    tests = [line for line in every if heading(line) in ("lab", "imaging")]
    drugged = [visit for visit in per_visit if any(heading(line) == "drug" for line in visit)]
    untested = [v for v in drugged if not any(heading(line) in ("lab", "imaging") for line in v)]
    return {
        "lines_per_visit": len(every) / len(mine),
        "drugs_per_visit": len(drugs) / len(mine),
        "tests_per_visit": len(tests) / len(mine),
        "exams_per_visit": sum(heading(line) == "exam" for line in every) / len(mine),
        "round_quantity_share": over(
            sum(bool(line["so_luong"]) and line["so_luong"] % 10 == 0 for line in drugs), len(drugs)
        ),
        "untested_drug_share": over(len(untested), len(drugged)),
    }


def _kind(mine: list[Row]) -> Values:
    letters = Counter((icd3(e) or "")[:1] for e in mine if icd3(e))
    bands = ((3000, "3000+"), (1000, "1000-2999"), (300, "300-999"), (100, "100-299"), (30, "30-99"), (0, "0-29"))
    catalogue = ("province", "facility_rank", "facility_level", "facility_kind")
    return {
        **{name: max((e[name] for e in mine if e[name]), default=None) for name in catalogue},
        "main_icd_letter": min(letters, key=lambda letter: (-letters[letter], letter), default=None),
        "size_band": next(name for floor, name in bands if len(mine) >= floor),
    }
