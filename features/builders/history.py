"""The patient's past year, strictly before the encounter: visits, money, drugs still in hand, repeated tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw

from data.schema import ENCOUNTER_KEY
from features.base import feature
from features.expressions import (
    INPATIENT,
    OVERNIGHT,
    TEST_GROUPS,
    Frame,
    count_of,
    days_between,
    distinct,
    total,
)
from features.patients import PRIOR_KEY, earlier_drugs, earlier_encounters, with_history

if TYPE_CHECKING:
    from data.schema import ClaimTables

WINDOWS = (7, 30, 90, 365)  # days
REPEATED_TEST_DAYS = 30
IN_HAND_DAYS = 120  # drugs ordered before that are used up: the longest lawful supply is 90 days

NEEDS = ("encounter.patient_id", "encounter.ngay_vao")


def _window_columns(name: str, text: str) -> dict[str, str]:
    return {f"{name}_{days}d": f"{text} within {days} days before arrival; null without a patient" for days in WINDOWS}


VISIT_COLUMNS = (
    _window_columns("visits", "encounters of the patient that began")
    | _window_columns("facilities", "different facilities the patient was at")
    | _window_columns("paid", "VND asked from the fund (T_BHTT) by encounters that ended before arrival and began")
)


@feature(level="encounter", needs=(*NEEDS, "encounter.ngay_ra", "encounter.t_bhtt"), columns=VISIT_COLUMNS)
def earlier_visits(tables: ClaimTables) -> Frame:
    """Visits, facilities and money in windows before arrival, from 0. Source: XML1 of the same patient."""
    days_ago = nw.col("days_ago")
    ended = nw.col("prior_discharge") <= nw.col("arrival")
    measures: dict[str, nw.Expr] = {}
    for days in WINDOWS:
        inside = days_ago <= days
        measures[f"visits_{days}d"] = count_of(inside)
        measures[f"facilities_{days}d"] = distinct(nw.when(inside).then(nw.col("prior_ma_cskcb")))
        measures[f"paid_{days}d"] = total("prior_paid", inside & ended)
    counted = earlier_encounters(tables).group_by(*ENCOUNTER_KEY).agg(**measures)
    return with_history(tables, counted, zero=tuple(VISIT_COLUMNS))


@feature(
    level="encounter",
    version=2,
    needs=(*NEEDS, "encounter.ngay_ra", "encounter.ma_benh_chinh", "encounter.ma_loai_kcb"),
    columns={
        "days_since_previous_visit": "days since the latest earlier arrival, above 0 to 365; null when there was none",
        "same_icd3_visits_90d": "ended earlier encounters of the diagnosis (three characters) in 90 days; null without",
        "readmission_gap_days": "days from the end of the latest inpatient stay to this arrival; null without one",
        "still_inpatient_elsewhere": "inpatient stays not yet ended at arrival, from 0; null without a patient",
    },
)
def earlier_gaps(tables: ClaimTables) -> Frame:
    """Distance to the patient's earlier encounters. Source: XML1 of the same patient, strictly before arrival."""
    stayed = nw.col("prior_care") == nw.lit(OVERNIGHT)
    ended = nw.col("prior_discharge") <= nw.col("arrival")
    since_end = days_between(nw.col("prior_discharge"), nw.col("arrival"))
    counted = (
        earlier_encounters(tables)
        .with_columns(gap=nw.when(stayed & ended).then(since_end))
        .group_by(*ENCOUNTER_KEY)
        .agg(
            days_since_previous_visit=nw.col("days_ago").min(),
            # a diagnosis is stated at discharge: that of a stay still open is not known yet
            same_icd3_visits_90d=count_of(
                ended & (nw.col("days_ago") <= 90) & (nw.col("icd3") == nw.col("prior_icd3"))
            ),
            readmission_gap_days=nw.col("gap").min(),
            still_inpatient_elsewhere=count_of(stayed & (nw.col("prior_discharge") > nw.col("arrival"))),
        )
    )
    return with_history(tables, counted, zero=("same_icd3_visits_90d", "still_inpatient_elsewhere"))


DRUG_LINE_COLUMNS = _window_columns("drug_lines", "drug lines of earlier encounters ordered before arrival, of visits")


@feature(level="encounter", needs=(*NEEDS, "drug_line.ngay_yl"), columns=DRUG_LINE_COLUMNS)
def earlier_drug_lines(tables: ClaimTables) -> Frame:
    """Drug lines of the patient's earlier encounters in windows before arrival, from 0. Source: XML1, XML2 NGAY_YL."""
    measures = {f"drug_lines_{days}d": count_of(nw.col("days_ago") <= days) for days in WINDOWS}
    counted = earlier_drugs(tables).group_by(*ENCOUNTER_KEY).agg(**measures)
    return with_history(tables, counted, zero=tuple(DRUG_LINE_COLUMNS))


@feature(
    level="encounter",
    needs=(*NEEDS, "drug_line.ngay_yl", "drug_line.lieu_dung", "drug_line.so_luong", "drug_line.ma_thuoc"),
    columns={
        "drug_days_in_hand": "most days any drug handed out earlier still lasts at arrival, from 0; null without",
        "refill_days_in_hand": "the same for drugs ordered again in this encounter, from 0; null without a patient",
    },
)
def drugs_in_hand(tables: ClaimTables) -> Frame:
    """Days of drugs the patient still had at arrival, from earlier outpatient prescriptions of up to 120 days ago.

    A line lasts SO_LUONG over its daily dose; lines with an unreadable LIEU_DUNG count for nothing. Null without a
    patient. Source: XML1, XML2 of the patient's earlier encounters, ordered before arrival.
    """
    handed = earlier_drugs(tables).filter(
        ~nw.col("prior_care").fill_null("").is_in(list(INPATIENT)) & (nw.col("ordered_days_ago") <= IN_HAND_DAYS)
    )
    left = nw.col("supply") - nw.col("ordered_days_ago")
    handed = handed.with_columns(left=nw.when(left > 0).then(left))
    again = tables.drug_line.select(*ENCOUNTER_KEY, code=nw.col("ma_thuoc")).unique()
    refilled = (
        handed.join(again, on=[*ENCOUNTER_KEY, "code"], how="inner")
        .group_by(*ENCOUNTER_KEY)
        .agg(refill_days_in_hand=nw.col("left").max())
    )
    counted = handed.group_by(*ENCOUNTER_KEY).agg(drug_days_in_hand=nw.col("left").max())
    return with_history(
        tables,
        counted.join(refilled, on=list(ENCOUNTER_KEY), how="left"),
        zero=("drug_days_in_hand", "refill_days_in_hand"),
    )


@feature(level="encounter", needs=(*NEEDS, "service_line.ma_dich_vu", "service_line.ma_nhom", "service_line.ngay_yl"))
def repeated_tests_30d(tables: ClaimTables) -> Frame:
    """Different laboratory and imaging services also ordered for the patient in the 30 days before arrival, from 0.

    Any facility counts. Null without a patient. Source: XML1, XML3 MA_DICH_VU, NGAY_YL.
    """
    tests = tables.service_line.filter(
        nw.col("ma_nhom").fill_null(0).is_in(list(TEST_GROUPS)) & ~nw.col("ma_dich_vu").is_null()
    )
    prior_tests = tests.select(
        prior_ma_cskcb=nw.col("ma_cskcb"),
        prior_ma_lk=nw.col("ma_lk"),
        code=nw.col("ma_dich_vu"),
        ordered=nw.col("ngay_yl"),
    )
    repeated = (
        earlier_encounters(tables)
        .join(prior_tests, on=list(PRIOR_KEY), how="inner")
        .filter(
            (nw.col("ordered") < nw.col("arrival"))
            & (days_between(nw.col("ordered"), nw.col("arrival")) <= REPEATED_TEST_DAYS)
        )
        .select(*ENCOUNTER_KEY, "code")
        .join(tests.select(*ENCOUNTER_KEY, code=nw.col("ma_dich_vu")), on=[*ENCOUNTER_KEY, "code"], how="inner")
        .group_by(*ENCOUNTER_KEY)
        .agg(repeated_tests_30d=distinct(nw.col("code")))
    )
    return with_history(tables, repeated, zero=("repeated_tests_30d",))
