"""How often a patient comes, where and to whom: visits, facilities, doctors, provinces in windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw

from features.base import feature
from features.doctors import MAIN_DOCTOR_NEEDS, main_doctor
from features.expressions import (
    NIGHT_FROM,
    NIGHT_TO,
    OVERNIGHT,
    SATURDAY,
    Frame,
    count_of,
    day,
    days_between,
    distinct,
    ratio,
    rows,
    shared,
)
from features.patients import LONGEST_WINDOW, PATIENT_KEY, PRIOR_KEY, claims_so_far, known_encounters

if TYPE_CHECKING:
    from data.schema import ClaimTables

WINDOWS = (30, 90, 365)  # days
NEEDS = ("encounter.patient_id", "encounter.ngay_vao")
EMERGENCY = "2"


def _window_columns(name: str, text: str) -> dict[str, str]:
    return {f"patient_{name}_{d}d": f"{text} in {d} days, this claim included; never null" for d in WINDOWS}


VISIT_COLUMNS = (
    _window_columns("visits", "claims of the patient, from 1,")
    | _window_columns("facilities", "different facilities, from 1,")
    | _window_columns("provinces", "different provinces of facilities (first two digits of MA_CSKCB), from 1,")
)


@feature(level="patient", needs=NEEDS, columns=VISIT_COLUMNS)
def patient_visits(tables: ClaimTables) -> Frame:
    """Claims, facilities and provinces of a patient in windows, from 1; never null. Source: XML1 of the patient."""
    measures: dict[str, nw.Expr] = {}
    place = nw.col("prior_ma_cskcb")
    for days in WINDOWS:
        inside = nw.col("days_ago") <= days
        measures[f"patient_visits_{days}d"] = count_of(inside)
        measures[f"patient_facilities_{days}d"] = distinct(nw.when(inside).then(place))
        measures[f"patient_provinces_{days}d"] = distinct(nw.when(inside).then(place.str.slice(0, 2)))
    return claims_so_far(tables).group_by(*PATIENT_KEY).agg(**measures)


@shared
def _with_doctors(tables: ClaimTables) -> Frame:
    """Claims so far that have ended, with their main `doctor` where a line names one."""
    doctors = main_doctor(tables).select(
        prior_ma_cskcb=nw.col("ma_cskcb"), prior_ma_lk=nw.col("ma_lk"), doctor=nw.col("doctor")
    )
    return claims_so_far(tables).filter(nw.col("ended")).join(doctors, on=list(PRIOR_KEY), how="inner")


@feature(
    level="patient",
    needs=(*NEEDS, "encounter.ngay_ra", *MAIN_DOCTOR_NEEDS),
    columns={
        **_window_columns("doctors", "different main doctors of ended claims, from 0,"),
        "patient_same_doctor_share": "commonest main doctor's part of ended claims of a year, to 1; null without",
        "patient_own_doctor_share": "part of them that this claim's main doctor has, above 0 to 1; null without one",
        "patient_new_doctor": "1 when this claim's main doctor has none of the year's others, else 0; null without one",
    },
)
def patient_doctors(tables: ClaimTables) -> Frame:
    """Main doctors of a patient's claims; shares are null where no line names one. Source: XML2, XML3 MA_BAC_SI."""
    seen = _with_doctors(tables)
    per_doctor = (
        seen.group_by(*PATIENT_KEY, "doctor")
        .agg(n=rows(), of_own=nw.col("own").max().cast(nw.Float64))
        .with_columns(own_n=nw.when(nw.col("of_own") > 0).then(nw.col("n")))
        .group_by(*PATIENT_KEY)
        .agg(top=nw.col("n").max(), named=nw.col("n").sum(), own_n=nw.col("own_n").max())
    )
    counted = seen.group_by(*PATIENT_KEY).agg(
        **{f"patient_doctors_{d}d": distinct(nw.when(nw.col("days_ago") <= d).then(nw.col("doctor"))) for d in WINDOWS}
    )
    return (
        known_encounters(tables)
        .select(*PATIENT_KEY)
        .join(counted, on=list(PATIENT_KEY), how="left")
        .join(per_doctor, on=list(PATIENT_KEY), how="left")
        .select(
            *PATIENT_KEY,
            **{f"patient_doctors_{d}d": nw.col(f"patient_doctors_{d}d").fill_null(0.0) for d in WINDOWS},
            patient_same_doctor_share=nw.col("top") / nw.col("named"),
            patient_own_doctor_share=nw.col("own_n") / nw.col("named"),
            patient_new_doctor=nw.when(~nw.col("own_n").is_null()).then(
                nw.when(nw.col("own_n") > 1).then(nw.lit(0.0)).otherwise(nw.lit(1.0))
            ),
        )
    )


@feature(
    level="patient",
    needs=(*NEEDS, "encounter.ma_loai_kcb", "encounter.ngay_ra", "encounter.ma_doituong_kcb"),
    columns={
        "patient_weekend_share": "part of a year's claims that began on Saturday or Sunday, 0 to 1; never null",
        "patient_night_share": "part of those with a clock time that began from 21:00 to 05:59, 0 to 1; null without",
        "patient_admissions_365d": "inpatient stays (MA_LOAI_KCB 03) that began within a year, from 0; never null",
        "patient_inpatient_nights_365d": "nights of those ended by this arrival and of this claim, from 0; never null",
        "patient_emergency_share": "emergencies' part of a year's claims with an access code, 0 to 1; null without",
        "patient_open_stays": "earlier inpatient stays not yet ended at this arrival, from 0; never null",
    },
)
def patient_mix(tables: ClaimTables) -> Frame:
    """When and how a patient comes, over the year to this arrival; counts are never null. Source: XML1.

    Midnight as arrival is no clock time: such claims are left out of the nights.
    """
    access = nw.col("ma_doituong_kcb").str.strip_chars().str.slice(0, 1)
    facts = tables.encounter.select(
        prior_ma_cskcb=nw.col("ma_cskcb"),
        prior_ma_lk=nw.col("ma_lk"),
        access=access,
    )
    hour = nw.col("prior_arrival").dt.hour()
    timed = nw.col("prior_arrival") != day("prior_arrival")
    stayed = nw.col("prior_care") == nw.lit(OVERNIGHT)
    slept = days_between(day("prior_arrival"), day("prior_discharge"))
    counted = (
        claims_so_far(tables)
        .join(facts, on=list(PRIOR_KEY), how="left")
        .with_columns(slept=nw.when(stayed & nw.col("ended") & (slept > 0)).then(slept))
        .group_by(*PATIENT_KEY)
        .agg(
            n=rows(),
            weekend=count_of(nw.col("prior_arrival").dt.weekday() >= SATURDAY),
            timed=count_of(timed),
            night=count_of(timed & ((hour >= NIGHT_FROM) | (hour < NIGHT_TO))),
            stays=count_of(stayed),
            nights=nw.col("slept").sum().fill_null(0.0),
            stated=count_of(~nw.col("access").is_null()),
            emergency=count_of(nw.col("access") == nw.lit(EMERGENCY)),
            open_stays=count_of(stayed & (nw.col("own") == 0) & (nw.col("prior_discharge") > nw.col("arrival"))),
        )
    )
    return counted.select(
        *PATIENT_KEY,
        patient_weekend_share=nw.col("weekend") / nw.col("n"),
        patient_night_share=ratio(nw.col("night"), nw.col("timed")),
        patient_admissions_365d=nw.col("stays"),
        patient_inpatient_nights_365d=nw.col("nights"),
        patient_emergency_share=ratio(nw.col("emergency"), nw.col("stated")),
        patient_open_stays=nw.col("open_stays"),
    )


@shared
def _gaps(tables: ClaimTables) -> Frame:
    """Of each arrival of a patient the `gap` in days to the one before, and whether it was on the `same_day`."""
    moments = known_encounters(tables).select("patient_id", prior_arrival=nw.col("ngay_vao")).unique()
    before = nw.col("prior_arrival").shift(1).over("patient_id", order_by="prior_arrival")
    return (
        moments.with_columns(before=before)
        .filter(~nw.col("before").is_null())
        .select(
            "patient_id",
            "prior_arrival",
            gap=days_between(nw.col("before"), nw.col("prior_arrival")),
            same_day=day("before") == day("prior_arrival"),
        )
    )


@feature(
    level="patient",
    needs=NEEDS,
    columns={
        "patient_median_gap_days": "median days between one arrival and the next within a year; null with one arrival",
        "patient_shortest_gap_days": "shortest of them, above 0; null with one arrival",
        "patient_longest_gap_days": "longest of them, to 365; null with one arrival",
        "patient_same_day_visits_365d": "claims of a year that began on the day of an earlier one, from 0; never null",
    },
)
def patient_rhythm(tables: ClaimTables) -> Frame:
    """How far a patient's arrivals lie apart, both within the year to this one. Source: XML1 NGAY_VAO.

    Claims that begin at the same minute are one arrival.
    """
    spaced = (
        claims_so_far(tables)
        .join(_gaps(tables), on=["patient_id", "prior_arrival"], how="inner")
        .filter(nw.col("days_ago") + nw.col("gap") <= LONGEST_WINDOW)
    )
    per_gap = (
        spaced.select(*PATIENT_KEY, "prior_arrival", "gap")
        .unique()
        .group_by(*PATIENT_KEY)
        .agg(
            patient_median_gap_days=nw.col("gap").median(),
            patient_shortest_gap_days=nw.col("gap").min(),
            patient_longest_gap_days=nw.col("gap").max(),
        )
    )
    repeated = spaced.group_by(*PATIENT_KEY).agg(patient_same_day_visits_365d=count_of(nw.col("same_day")))
    return (
        known_encounters(tables)
        .select(*PATIENT_KEY)
        .join(per_gap, on=list(PATIENT_KEY), how="left")
        .join(repeated, on=list(PATIENT_KEY), how="left")
        .with_columns(nw.col("patient_same_day_visits_365d").fill_null(0.0))
    )
