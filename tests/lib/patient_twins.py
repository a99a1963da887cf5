"""Slow twins of the patient level: every column counted again claim by claim with plain loops.

Nothing here is shared with `features/`; small words (headings, dosage, times) come from `tests/lib/twins.py`.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import pairwise
from statistics import median
from typing import Any

from tests.lib.claims import Claims, Row
from tests.lib.twins import (
    Key,
    Values,
    age_of,
    care,
    days,
    heading,
    icd3,
    key_of,
    largest,
    main_doctor,
    nights,
    number,
    over,
    smallest,
    summed,
    supply,
    yes,
)

Catalogue = Sequence[Mapping[str, Any]]
WINDOWS = (30, 90, 365)


def patient_features(claims: Claims, catalogues: Mapping[str, Catalogue] | None = None) -> dict[Key, Values]:
    """Every column of the patient matrix, by (patient, facility, claim)."""
    lines: dict[Key, list[Row]] = defaultdict(list)
    for line in claims.drug_line + claims.service_line:
        lines[key_of(line)].append(line)
    rows: dict[Key, Values] = {}
    for own in claims.encounter:
        if own["patient_id"] is None or own["ngay_vao"] is None:
            continue
        earlier = [
            e
            for e in claims.encounter
            if e["patient_id"] == own["patient_id"] and e["ngay_vao"]
            if timedelta(0) < own["ngay_vao"] - e["ngay_vao"] <= timedelta(days=365)
        ]
        ended = [e for e in earlier if e["ngay_ra"] and e["ngay_ra"] <= own["ngay_vao"]]
        rows[(own["patient_id"], *key_of(own))] = (
            _visits(own, [*earlier, own])
            | _doctors(own, [*ended, own], lines)
            | _mix(own, earlier, ended)
            | _rhythm(own, earlier)
            | _places(own, [*earlier, own])
            | _distances(own, [*earlier, own], (catalogues or {}).get("facilities", ()))
            | _money(own, ended)
            | _lines([*ended, own], lines)
            | _diagnoses(own, [*ended, own])
            | _drugs(own, earlier, lines)
            | _kind(own, earlier)
        )
    return rows


def _ago(own: Row, claim: Row) -> float:
    return days(claim["ngay_vao"], own["ngay_vao"])


def _within(own: Row, claims: list[Row], limit: int) -> list[Row]:
    return [e for e in claims if _ago(own, e) <= limit]


def _visits(own: Row, seen: list[Row]) -> Values:
    values: Values = {}
    for window in WINDOWS:
        places = [e["ma_cskcb"] for e in _within(own, seen, window)]
        values[f"patient_visits_{window}d"] = len(places)
        values[f"patient_facilities_{window}d"] = len(set(places))
        values[f"patient_provinces_{window}d"] = len({p[:2] for p in places})
    return values


def _doctors(own: Row, ended: list[Row], lines: Mapping[Key, list[Row]]) -> Values:
    doctor = {key_of(e): main_doctor(lines.get(key_of(e), [])) for e in ended}
    tally = Counter(d for d in doctor.values() if d)
    mine = doctor[key_of(own)]
    return {
        **{f"patient_doctors_{w}d": len({doctor[key_of(e)] for e in _within(own, ended, w)} - {None}) for w in WINDOWS},
        "patient_same_doctor_share": over(max(tally.values(), default=0), sum(tally.values())),
        "patient_own_doctor_share": tally[mine] / sum(tally.values()) if mine else None,
        "patient_new_doctor": yes(tally[mine] == 1) if mine else None,
    }


def _mix(own: Row, earlier: list[Row], ended: list[Row]) -> Values:
    seen = [*earlier, own]
    arrivals = [e["ngay_vao"] for e in seen]
    timed = [t for t in arrivals if (t.hour, t.minute, t.second) != (0, 0, 0)]
    access = [e["ma_doituong_kcb"].strip()[:1] for e in seen if e["ma_doituong_kcb"] is not None]
    slept = [nights(e) or 0.0 for e in [*ended, own] if care(e) == "03"]
    return {
        "patient_weekend_share": over(sum(t.weekday() >= 5 for t in arrivals), len(arrivals)),
        "patient_night_share": over(sum(t.hour >= 21 or t.hour < 6 for t in timed), len(timed)),
        "patient_admissions_365d": sum(care(e) == "03" for e in seen),
        "patient_inpatient_nights_365d": sum(max(n, 0.0) for n in slept),
        "patient_emergency_share": over(access.count("2"), len(access)),
        "patient_open_stays": sum(
            care(e) == "03" and e["ngay_ra"] is not None and e["ngay_ra"] > own["ngay_vao"] for e in earlier
        ),
    }


def _rhythm(own: Row, earlier: list[Row]) -> Values:
    arrivals = sorted({e["ngay_vao"] for e in [*earlier, own]})
    gaps = [days(a, b) for a, b in pairwise(arrivals)]
    second = {b for a, b in pairwise(arrivals) if a.date() == b.date()}
    return {
        "patient_median_gap_days": median(gaps) if gaps else None,
        "patient_shortest_gap_days": smallest(gaps),
        "patient_longest_gap_days": largest(gaps),
        "patient_same_day_visits_365d": sum(e["ngay_vao"] in second for e in [*earlier, own]),
    }


def _places(own: Row, seen: list[Row]) -> Values:
    here, province = own["ma_cskcb"], own["ma_cskcb"][:2]
    tally = Counter(e["ma_cskcb"] for e in seen)
    registered = [e for e in seen if e["ma_dkbd"] is not None]
    return {
        "patient_same_facility_share": tally[here] / len(seen),
        "patient_top_facility_share": max(tally.values()) / len(seen),
        "patient_new_facility": yes(tally[here] == 1) if len(seen) > 1 else None,
        "patient_away_share": over(
            sum(e["ma_dkbd"].strip()[:2] != e["ma_cskcb"][:2] for e in registered), len(registered)
        ),
        "patient_days_since_other_facility": smallest(_ago(own, e) for e in seen if e["ma_cskcb"] != here),
        "patient_days_since_other_province": smallest(_ago(own, e) for e in seen if e["ma_cskcb"][:2] != province),
    }


def _distances(own: Row, seen: list[Row], facilities: Catalogue) -> Values:
    def place(e: Row) -> tuple[float, float] | None:
        held = [
            row
            for row in facilities
            if row["ma_cskcb"] == e["ma_cskcb"] and row["valid_from"] <= e["ngay_vao"].date()
            if row.get("valid_to") is None or row["valid_to"] >= e["ngay_vao"].date()
        ]
        newest = max(held, key=lambda row: row["valid_from"], default=None)
        return None if newest is None else (newest["lat"], newest["lon"])

    def km(e: Row) -> float | None:
        a, b = place(own), place(e)
        if a is None or b is None:
            return None
        east = (a[1] - b[1]) * math.cos(math.radians((a[0] + b[0]) / 2))
        return math.hypot(a[0] - b[0], east) * 111.2

    return {
        f"patient_farthest_km_{window}d": largest(km(e) for e in _within(own, seen, window)) for window in (30, 365)
    }


def _money(own: Row, ended: list[Row]) -> Values:
    seen = [*ended, own]
    paid = {w: summed(e["t_bhtt"] for e in _within(own, seen, w)) for w in WINDOWS}
    bills = [float(e["t_tongchi_bh"]) for e in ended if e["t_tongchi_bh"]]
    mine = own["t_bhtt"]
    return {
        **{f"patient_paid_{w}d": paid[w] for w in WINDOWS},
        "patient_mean_paid_365d": over(paid[365], sum(e["t_bhtt"] is not None for e in seen)),
        "patient_bill_over_usual": over(number(own["t_tongchi_bh"]), median(bills)) if bills else None,
        "patient_same_amount_365d": None if mine is None else sum(e["t_bhtt"] == mine for e in ended),
    }


def _lines(seen: list[Row], lines: Mapping[Key, list[Row]]) -> Values:
    kinds = [Counter(heading(line) for line in lines.get(key_of(e), [])) for e in seen]
    tests = [kind["lab"] + kind["imaging"] for kind in kinds]
    return {
        "patient_exams_per_visit": sum(kind["exam"] for kind in kinds) / len(seen),
        "patient_tests_per_visit": sum(tests) / len(seen),
        "patient_drugs_per_visit": sum(kind["drug"] for kind in kinds) / len(seen),
        "patient_untested_share": tests.count(0) / len(seen),
    }


def _diagnoses(own: Row, seen: list[Row]) -> Values:
    tally = Counter(icd3(e) for e in seen if icd3(e) is not None)
    mine = icd3(own)
    return {
        "patient_chapters_365d": len({(name or "")[:1] for name in tally}),
        "patient_diagnoses_365d": len(tally),
        "patient_top_diagnosis_share": over(max(tally.values(), default=0), sum(tally.values())),
        "patient_new_diagnosis": yes(tally[mine] == 1) if mine is not None and sum(tally.values()) > 1 else None,
    }


def _drugs(own: Row, earlier: list[Row], lines: Mapping[Key, list[Row]]) -> Values:
    arrival = own["ngay_vao"]
    handed: dict[str, list[tuple[Row, Row]]] = defaultdict(list)  # drug -> claims and lines
    for e in earlier:
        for line in lines.get(key_of(e), []):
            ordered, drug = line["ngay_yl"], line.get("ma_thuoc")
            if drug and ordered and ordered < arrival and care(e) not in ("03", "04", "09"):
                handed[drug].append((e, line))
    chronic = {d: given for d, given in handed.items() if len({key_of(e) for e, _ in given}) >= 3}
    excess = [
        sum(math.floor((supply(line) or 0.0) * 86_400) for _, line in given) / 86_400
        - days(min(line["ngay_yl"] for _, line in given), arrival)
        for given in chronic.values()
    ]
    recent = {
        drug: {key_of(e) for e, line in given if arrival - line["ngay_yl"] <= timedelta(days=90)}
        for drug, given in handed.items()
    }
    return {
        "patient_chronic_drugs_365d": len(chronic),
        "patient_chronic_excess_days": max([0.0, *excess]),
        "patient_overlap_days": sum(max(e, 0.0) for e in excess),
        "patient_drug_sources_90d": max((len({place for place, _ in keys}) for keys in recent.values()), default=0),
        "patient_drug_claims_90d": max((len(keys) for keys in recent.values()), default=0),
    }


def _kind(own: Row, earlier: list[Row]) -> Values:
    age, n = age_of(own), len(earlier) + 1
    bands = ((75, "75+"), (60, "60-74"), (45, "45-59"), (30, "30-44"), (15, "15-29"), (6, "06-14"), (0, "00-05"))
    visits = ((25, "25+"), (13, "13-24"), (6, "6-12"), (2, "2-5"), (1, "1"))
    return {
        "age_band": None if age is None else next(name for floor, name in bands if age >= floor),
        "sex": None if own["gioi_tinh"] is None else str(own["gioi_tinh"]),
        "icd_letter": (icd3(own) or "")[:1] or None,
        "visit_band": next(name for floor, name in visits if n >= floor),
    }
