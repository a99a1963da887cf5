"""A month of a doctor or of a facility: the facts of each visit, and the measures both levels take of them.

Unlike encounter features these look at every claim of the month, of all patients: they describe the one who bills.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw

from data.schema import ENCOUNTER_KEY
from features.doctors import main_doctor
from features.expressions import (
    NIGHT_FROM,
    NIGHT_TO,
    OVERNIGHT,
    SATURDAY,
    Frame,
    amount,
    care_type,
    count_of,
    day,
    flag,
    icd3,
    in_group,
    lines,
    minutes_between,
    ratio,
    rows,
    shared,
    total,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from data.schema import ClaimTables

SHORT_MINUTES = 10  # a consultation with registration, examination and drugs in less is rare
CONSULTATION = "01"
ROUND_TO = 10  # units: whole blister strips
SIZE_BANDS = ((30, "0-29"), (100, "30-99"), (300, "100-299"), (1000, "300-999"), (3000, "1000-2999"))
LARGEST = "3000+"
LINE_MEASURES = ("lab", "imaging", "drug", "surgery", "supply", "bed")

VOLUME_COLUMNS: Mapping[str, str] = {
    "visits": "encounters discharged in the month, from 1; never null",
    "patients": "different patients, from 0; encounters without a card have none; never null",
    "visits_per_patient": "encounters with a patient over different patients, from 1; null without patients",
    "repeat_visit_share": "part of encounters with a patient that are not the patient's first, 0 to 1; null without",
    "active_days": "different days of arrival, from 0; never null",
    "visits_per_active_day": "encounters over days of arrival, from 1; null without times",
    "max_visits_a_day": "most encounters that arrived on one day, from 1; null without times",
    "same_minute_share": "part of encounters whose minute of arrival another one shares, 0 to 1; null without times",
}

MONEY_COLUMNS: Mapping[str, str] = {
    "total_paid": "VND asked from the fund (T_BHTT), from 0; never null",
    "mean_cost": "mean VND inside coverage an encounter (T_TONGCHI_BH), from 0; null when none is stated",
    "median_cost": "median VND inside coverage an encounter, from 0; null when none is stated",
    "log_mean_cost": "natural logarithm of 1 + the mean cost, from 0; null when none is stated or negative",
    "max_cost_share": "the dearest encounter's part of the month's VND inside coverage, 0 to 1; null without cost",
    **{
        f"{name}_cost_per_visit": f"VND of {name} lines (THANH_TIEN_BH) an encounter; never null"
        for name in LINE_MEASURES
    },
}

MIX_COLUMNS: Mapping[str, str] = {
    "inpatient_visits": "encounters that are inpatient stays (MA_LOAI_KCB 03), from 0; never null",
    "inpatient_share": "part of encounters that are inpatient stays, 0 to 1; never null",
    "weekend_share": "part of encounters that arrived on Saturday or Sunday, 0 to 1; null without times",
    "night_share": "part of encounters that arrived from 21:00 to 05:59, 0 to 1; null without times",
    "short_visit_share": f"part of consultations (MA_LOAI_KCB 01) under {SHORT_MINUTES} minutes, 0 to 1; null without",
    "top_diagnosis_share": "part of encounters with the commonest three-character diagnosis, 0 to 1; null without",
    "distinct_diagnoses": "different three-character main diagnoses, from 0; never null",
}

HABIT_COLUMNS: Mapping[str, str] = {
    "lines_per_visit": "drug and service lines an encounter, from 0; never null",
    "drugs_per_visit": "drug lines an encounter, from 0; never null",
    "tests_per_visit": "laboratory and imaging lines an encounter, from 0; never null",
    "exams_per_visit": "examination lines an encounter, from 0; never null",
    "round_quantity_share": f"part of drug lines whose quantity is a multiple of {ROUND_TO}, 0 to 1; null without",
    "untested_drug_share": "part of encounters with drugs that have no test line, 0 to 1; null without drugs",
}

KIND_COLUMNS: Mapping[str, str] = {
    "province": "first two characters of MA_CSKCB",
    "facility_rank": "rank of the facility by the catalogue (DB, 1 to 4); null without and for commune stations",
    "facility_level": "level of the facility by the catalogue; null without a catalogue",
    "facility_kind": "kind of the facility by the catalogue (general, specialised, commune, polyclinic)",
    "main_icd_letter": "commonest first letter of the main diagnosis, the earlier letter on a tie; null without",
    "size_band": "encounters of the month in bands: 0-29, 30-99, 100-299, 300-999, 1000-2999, 3000+",
}

_HEADINGS = ("drug_line.ma_nhom", "service_line.ma_nhom")
VOLUME_NEEDS = ("encounter.month", "encounter.patient_id", "encounter.ngay_vao")
MONEY_NEEDS = (
    *("encounter.month", "encounter.t_bhtt", "encounter.t_tongchi_bh"),
    *("drug_line.thanh_tien_bh", "service_line.thanh_tien_bh", *_HEADINGS),
)
MIX_NEEDS = (
    *("encounter.month", "encounter.ma_loai_kcb", "encounter.ngay_vao", "encounter.ngay_ra"),
    "encounter.ma_benh_chinh",
)
HABIT_NEEDS = ("encounter.month", *_HEADINGS, "drug_line.so_luong", "service_line.so_luong")
KIND_NEEDS = (
    *("encounter.month", "encounter.ma_benh_chinh", "encounter.province"),
    *("encounter.facility_rank", "encounter.facility_level", "encounter.facility_kind"),
)


def visits(tables: ClaimTables, keys: Sequence[str]) -> Frame:
    """One row an encounter that has every one of `keys`: its key, `keys` and the XML1 facts of the visit."""
    facts = tables.encounter.select(
        *ENCOUNTER_KEY,
        "month",
        "patient_id",
        "ngay_vao",
        "t_bhtt",
        "t_tongchi_bh",
        "province",
        "facility_rank",
        "facility_level",
        "facility_kind",
        icd3=icd3(),
        care=care_type(),
        minutes=minutes_between(nw.col("ngay_vao"), nw.col("ngay_ra")),
        day=day("ngay_vao"),
        hour=nw.col("ngay_vao").dt.hour().cast(nw.Float64),
        weekend=flag(nw.col("ngay_vao").dt.weekday() >= SATURDAY),
    )
    if "doctor" in keys:
        facts = facts.join(main_doctor(tables), on=list(ENCOUNTER_KEY), how="inner")
    return facts.filter(*(~nw.col(name).is_null() for name in keys))


@shared
def _visit_lines(tables: ClaimTables) -> Frame:
    """Exact money and counts of the lines of each encounter that has any."""
    money = {f"cost_{name}": nw.when(in_group(name)).then(nw.col("thanh_tien_bh")).sum() for name in LINE_MEASURES}
    quantity = amount("so_luong")
    is_round = in_group("drug") & (quantity > 0) & (quantity % ROUND_TO == 0)
    return (
        lines(tables)
        .group_by(*ENCOUNTER_KEY)
        .agg(
            **money,
            lines=rows(),
            drugs=count_of(in_group("drug")),
            tests=count_of(in_group("lab", "imaging")),
            exams=count_of(in_group("exam")),
            round_drugs=count_of(is_round),
        )
    )


def volume(tables: ClaimTables, keys: Sequence[str]) -> Frame:
    """`VOLUME_COLUMNS` for each of `keys`."""
    seen = visits(tables, keys)
    per_patient = (
        seen.filter(~nw.col("patient_id").is_null())
        .group_by(*keys, "patient_id")
        .agg(n=rows())
        .group_by(*keys)
        .agg(patients=rows(), of_patients=nw.col("n").sum())
    )
    per_minute = (
        seen.filter(~nw.col("ngay_vao").is_null())
        .group_by(*keys, "day", "ngay_vao")
        .agg(n=rows())
        .with_columns(shared=nw.when(nw.col("n") > 1).then(nw.col("n")).otherwise(nw.lit(0.0)))
        .group_by(*keys, "day")
        .agg(n=nw.col("n").sum(), shared=nw.col("shared").sum())
        .group_by(*keys)
        .agg(active_days=rows(), busiest=nw.col("n").max(), dated=nw.col("n").sum(), shared=nw.col("shared").sum())
    )
    joined = (
        seen.group_by(*keys)
        .agg(visits=rows())
        .join(per_patient, on=list(keys), how="left")
        .join(per_minute, on=list(keys), how="left")
    )
    return joined.select(
        *keys,
        "visits",
        patients=nw.col("patients").fill_null(0.0),
        visits_per_patient=nw.col("of_patients") / nw.col("patients"),
        repeat_visit_share=(nw.col("of_patients") - nw.col("patients")) / nw.col("of_patients"),
        active_days=nw.col("active_days").fill_null(0.0),
        visits_per_active_day=nw.col("dated") / nw.col("active_days"),
        max_visits_a_day=nw.col("busiest"),
        same_minute_share=nw.col("shared") / nw.col("dated"),
    )


def money(tables: ClaimTables, keys: Sequence[str]) -> Frame:
    """`MONEY_COLUMNS` for each of `keys`."""
    sums = {f"cost_{name}": total(f"cost_{name}") for name in LINE_MEASURES}
    summed = (
        visits(tables, keys)
        .join(_visit_lines(tables), on=list(ENCOUNTER_KEY), how="left")
        .group_by(*keys)
        .agg(
            **sums,
            n=rows(),
            total_paid=total("t_bhtt"),
            covered=total("t_tongchi_bh"),
            stated=count_of(~nw.col("t_tongchi_bh").is_null()),
            median_cost=amount("t_tongchi_bh").median(),
            dearest=amount("t_tongchi_bh").max(),
        )
        .with_columns(mean_cost=ratio(nw.col("covered"), nw.col("stated")))
    )
    return summed.select(
        *keys,
        "total_paid",
        "mean_cost",
        "median_cost",
        log_mean_cost=nw.when(nw.col("mean_cost") >= 0).then(nw.col("mean_cost") + 1.0).log(),
        max_cost_share=ratio(nw.col("dearest"), nw.col("covered")),
        **{f"{name}_cost_per_visit": nw.col(f"cost_{name}") / nw.col("n") for name in LINE_MEASURES},
    )


def mix(tables: ClaimTables, keys: Sequence[str]) -> Frame:
    """`MIX_COLUMNS` for each of `keys`."""
    seen = visits(tables, keys)
    consulted = (nw.col("care") == nw.lit(CONSULTATION)) & ~nw.col("minutes").is_null()
    hour = nw.col("hour")
    counted = seen.group_by(*keys).agg(
        n=rows(),
        dated=count_of(~nw.col("ngay_vao").is_null()),
        inpatient_visits=count_of(nw.col("care") == nw.lit(OVERNIGHT)),
        weekend=count_of(nw.col("weekend") > 0),
        night=count_of((hour >= NIGHT_FROM) | (hour < NIGHT_TO)),
        consulted=count_of(consulted),
        short=count_of(consulted & (nw.col("minutes") < SHORT_MINUTES)),
    )
    per_diagnosis = (
        seen.filter(~nw.col("icd3").is_null())
        .group_by(*keys, "icd3")
        .agg(n=rows())
        .group_by(*keys)
        .agg(diagnosed=nw.col("n").sum(), commonest=nw.col("n").max(), distinct_diagnoses=rows())
    )
    return counted.join(per_diagnosis, on=list(keys), how="left").select(
        *keys,
        "inpatient_visits",
        inpatient_share=nw.col("inpatient_visits") / nw.col("n"),
        weekend_share=ratio(nw.col("weekend"), nw.col("dated")),
        night_share=ratio(nw.col("night"), nw.col("dated")),
        short_visit_share=ratio(nw.col("short"), nw.col("consulted")),
        top_diagnosis_share=nw.col("commonest") / nw.col("diagnosed"),
        distinct_diagnoses=nw.col("distinct_diagnoses").fill_null(0.0),
    )


def habits(tables: ClaimTables, keys: Sequence[str]) -> Frame:
    """`HABIT_COLUMNS` for each of `keys`."""
    drugged = nw.col("drugs") > 0
    counted = (
        visits(tables, keys)
        .join(_visit_lines(tables), on=list(ENCOUNTER_KEY), how="left")
        .group_by(*keys)
        .agg(
            n=rows(),
            **{name: nw.col(name).sum().fill_null(0.0) for name in ("lines", "drugs", "tests", "exams", "round_drugs")},
            drugged=count_of(drugged),
            untested=count_of(drugged & (nw.col("tests") == 0)),
        )
    )
    return counted.select(
        *keys,
        lines_per_visit=nw.col("lines") / nw.col("n"),
        drugs_per_visit=nw.col("drugs") / nw.col("n"),
        tests_per_visit=nw.col("tests") / nw.col("n"),
        exams_per_visit=nw.col("exams") / nw.col("n"),
        round_quantity_share=ratio(nw.col("round_drugs"), nw.col("drugs")),
        untested_drug_share=ratio(nw.col("untested"), nw.col("drugged")),
    )


def staff(tables: ClaimTables, keys: Sequence[str]) -> Frame:
    """Doctors of each of `keys`: how many, the busiest one's part of the encounters, encounters a doctor."""
    return (
        visits(tables, [*keys, "doctor"])
        .group_by(*keys, "doctor")
        .agg(n=rows())
        .group_by(*keys)
        .agg(doctors=rows(), busiest=nw.col("n").max(), named=nw.col("n").sum())
        .select(
            *keys,
            "doctors",
            visits_per_doctor=nw.col("named") / nw.col("doctors"),
            top_doctor_visit_share=nw.col("busiest") / nw.col("named"),
        )
    )


def kind(tables: ClaimTables, keys: Sequence[str]) -> Frame:
    """`KIND_COLUMNS` for each of `keys`: text, for peer groups."""
    seen = visits(tables, keys)
    letter = nw.col("icd3").str.slice(0, 1)
    commonest = (
        seen.filter(~nw.col("icd3").is_null())
        .with_columns(main_icd_letter=letter)
        .group_by(*keys, "main_icd_letter")
        .agg(n=rows())
        .with_columns(minus_n=-nw.col("n"))
        .unique(list(keys), keep="first", order_by=["minus_n", "main_icd_letter"])
        .select(*keys, "main_icd_letter")
    )
    catalogue = ("province", "facility_rank", "facility_level", "facility_kind")
    band = nw.lit(LARGEST)
    for below, name in reversed(SIZE_BANDS):
        band = nw.when(nw.col("n") < below).then(nw.lit(name)).otherwise(band)
    return (
        seen.group_by(*keys)
        .agg(n=rows(), **{name: nw.col(name).max() for name in catalogue})
        .join(commonest, on=list(keys), how="left")
        .select(*keys, *catalogue, "main_icd_letter", size_band=band)
    )
