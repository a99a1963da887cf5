"""What a patient gets: diagnoses, money, examinations and tests, drugs for months that overlap."""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw

from data.schema import ENCOUNTER_KEY
from features.base import feature
from features.expressions import (
    INPATIENT,
    SECONDS_A_DAY,
    Frame,
    age_years,
    amount,
    count_of,
    distinct,
    flag,
    in_group,
    lines,
    ratio,
    rows,
    shared,
    total,
)
from features.patients import PATIENT_KEY, PRIOR_KEY, claims_so_far, earlier_drugs, known_encounters

if TYPE_CHECKING:
    from data.schema import ClaimTables

WINDOWS = (30, 90, 365)  # days
CHRONIC_CLAIMS = 3  # outpatient claims of a year from which a drug is taken for months
SHOPPING_DAYS = 90
AGE_BANDS = ((6, "00-05"), (15, "06-14"), (30, "15-29"), (45, "30-44"), (60, "45-59"), (75, "60-74"))
OLDEST = "75+"
NEEDS = ("encounter.patient_id", "encounter.ngay_vao", "encounter.ngay_ra")


@shared
def _ended(tables: ClaimTables) -> Frame:
    """Claims so far that have ended, with money and counts of lines."""
    counted = (
        lines(tables)
        .group_by(*ENCOUNTER_KEY)
        .agg(
            exams=count_of(in_group("exam")),
            tests=count_of(in_group("lab", "imaging")),
            drugs=count_of(in_group("drug")),
        )
    )
    facts = (
        tables.encounter.select(*ENCOUNTER_KEY, "t_bhtt", "t_tongchi_bh")
        .join(counted, on=list(ENCOUNTER_KEY), how="left")
        .select(
            prior_ma_cskcb=nw.col("ma_cskcb"),
            prior_ma_lk=nw.col("ma_lk"),
            paid=nw.col("t_bhtt"),
            covered=nw.col("t_tongchi_bh"),
            **{name: nw.col(name).fill_null(0.0) for name in ("exams", "tests", "drugs")},
        )
    )
    return claims_so_far(tables).filter(nw.col("ended")).join(facts, on=list(PRIOR_KEY), how="left")


@feature(
    level="patient",
    needs=(*NEEDS, "encounter.t_bhtt", "encounter.t_tongchi_bh"),
    columns={
        **{
            f"patient_paid_{d}d": f"VND asked from the fund by ended claims of {d} days and this one; never null"
            for d in WINDOWS
        },
        "patient_mean_paid_365d": "mean T_BHTT of a year's ended claims and this one, VND; null when none states it",
        "patient_bill_over_usual": "T_TONGCHI_BH over the median of the year's earlier ones; 1 is usual; null without",
        "patient_same_amount_365d": "a year's earlier ended claims with this T_BHTT exactly, from 0; null without it",
    },
)
def patient_money(tables: ClaimTables) -> Frame:
    """Money of a patient's claims, this one included; sums are never null. Source: XML1 T_BHTT, T_TONGCHI_BH."""
    own, days_ago = nw.col("own") == 1, nw.col("days_ago")
    bill = amount("covered")
    this = tables.encounter.select(*ENCOUNTER_KEY, this_paid=nw.col("t_bhtt"), this_bill=amount("t_tongchi_bh"))
    counted = (
        _ended(tables)
        .join(this, on=list(ENCOUNTER_KEY), how="left")
        .with_columns(earlier_bill=nw.when(~own & (bill > 0)).then(bill))
        .group_by(*PATIENT_KEY)
        .agg(
            **{f"patient_paid_{d}d": total("paid", days_ago <= d) for d in WINDOWS},
            stated=count_of(~nw.col("paid").is_null()),
            usual=nw.col("earlier_bill").median(),
            this_bill=nw.col("this_bill").max(),
            this_paid=nw.col("this_paid").max(),
            same=count_of(~own & (nw.col("paid") == nw.col("this_paid"))),
        )
    )
    return counted.select(
        *PATIENT_KEY,
        *(f"patient_paid_{d}d" for d in WINDOWS),
        patient_mean_paid_365d=ratio(nw.col("patient_paid_365d"), nw.col("stated")),
        patient_bill_over_usual=ratio(nw.col("this_bill"), nw.col("usual")),
        patient_same_amount_365d=nw.when(~nw.col("this_paid").is_null()).then(nw.col("same")),
    )


@feature(
    level="patient",
    needs=(*NEEDS, "drug_line.ma_nhom", "service_line.ma_nhom"),
    columns={
        "patient_exams_per_visit": "examination lines (MA_NHOM 13) over claims, from 0; never null",
        "patient_tests_per_visit": "laboratory and imaging lines over claims, from 0; never null",
        "patient_drugs_per_visit": "drug lines over claims, from 0; never null",
        "patient_untested_share": "part of the claims without laboratory and imaging lines, 0 to 1; never null",
    },
)
def patient_lines(tables: ClaimTables) -> Frame:
    """Lines a claim, over a year's ended claims and this one; never null. Source: XML2, XML3 MA_NHOM."""
    counted = (
        _ended(tables)
        .group_by(*PATIENT_KEY)
        .agg(
            n=rows(),
            untested=count_of(nw.col("tests") == 0),
            **{name: nw.col(name).sum() for name in ("exams", "tests", "drugs")},
        )
    )
    return counted.select(
        *PATIENT_KEY,
        **{f"patient_{name}_per_visit": nw.col(name) / nw.col("n") for name in ("exams", "tests", "drugs")},
        patient_untested_share=nw.col("untested") / nw.col("n"),
    )


@feature(
    level="patient",
    needs=(*NEEDS, "encounter.ma_benh_chinh"),
    columns={
        "patient_chapters_365d": "different letters of main diagnoses, roughly ICD-10 chapters, from 0; never null",
        "patient_diagnoses_365d": "different three-character main diagnoses, from 0; never null",
        "patient_top_diagnosis_share": "commonest one's part of the diagnosed claims, above 0 to 1; null without",
        "patient_new_diagnosis": "1 when no earlier claim has this main diagnosis, else 0; null without others",
    },
)
def patient_diagnoses(tables: ClaimTables) -> Frame:
    """Main diagnoses of a year's ended claims and of this one. Source: XML1 MA_BENH_CHINH of the patient."""
    stated = _ended(tables).filter(~nw.col("prior_icd3").is_null())
    per_diagnosis = (
        stated.group_by(*PATIENT_KEY, "prior_icd3")
        .agg(n=rows(), of_own=nw.col("own").max())
        .with_columns(own_n=nw.when(nw.col("of_own") > 0).then(nw.col("n")))
        .group_by(*PATIENT_KEY)
        .agg(
            top=nw.col("n").max(),
            named=nw.col("n").sum(),
            kinds=rows(),
            chapters=distinct(nw.col("prior_icd3").str.slice(0, 1)),
            own_n=nw.col("own_n").max(),
        )
    )
    only_here = flag(nw.col("own_n") <= 1.0)
    return (
        known_encounters(tables)
        .select(*PATIENT_KEY)
        .join(per_diagnosis, on=list(PATIENT_KEY), how="left")
        .select(
            *PATIENT_KEY,
            patient_chapters_365d=nw.col("chapters").fill_null(0.0),
            patient_diagnoses_365d=nw.col("kinds").fill_null(0.0),
            patient_top_diagnosis_share=nw.col("top") / nw.col("named"),
            patient_new_diagnosis=nw.when(nw.col("named") > 1).then(only_here),
        )
    )


@feature(
    level="patient",
    needs=(
        *NEEDS,
        *("encounter.ma_loai_kcb", "drug_line.ma_thuoc", "drug_line.ngay_yl", "drug_line.lieu_dung"),
        "drug_line.so_luong",
    ),
    columns={
        "patient_chronic_drugs_365d": "drugs of at least three earlier outpatient claims of a year, from 0; never null",
        "patient_chronic_excess_days": "most days one was given beyond those since its first order, from 0; never null",
        "patient_overlap_days": "sum over such drugs of days given beyond the days gone by, from 0; never null",
        "patient_drug_sources_90d": "most facilities that gave one drug within 90 days, from 0; never null",
        "patient_drug_claims_90d": "most outpatient claims that gave one drug within 90 days, from 0; never null",
    },
)
def patient_drugs(tables: ClaimTables) -> Frame:
    """Drugs a patient takes for months and holds too much of at arrival, over all facilities; never null.

    A line lasts SO_LUONG over its daily dose; lines with an unreadable LIEU_DUNG last no day. Source: XML1, XML2 of
    the patient's earlier encounters, ordered before arrival.
    """
    handed = earlier_drugs(tables).filter(
        ~nw.col("prior_care").fill_null("").is_in(list(INPATIENT)) & ~nw.col("code").is_null()
    )
    recent = nw.col("ordered_days_ago") <= SHOPPING_DAYS
    # whole seconds: a sum of fractions would change its last bit with the order of its rows
    seconds = (nw.col("supply") * SECONDS_A_DAY).floor().cast(nw.Int64)
    gone_by = (nw.col("arrival") - nw.col("ordered")).dt.total_seconds()
    per_claim = handed.group_by(*ENCOUNTER_KEY, "code", *PRIOR_KEY).agg(
        supply=seconds.sum().fill_null(0),
        since=gone_by.max(),
        recent=count_of(recent),
    )
    is_recent = nw.col("recent") > 0
    per_drug = (
        per_claim.group_by(*ENCOUNTER_KEY, "code")
        .agg(
            claims=rows(),
            supply=nw.col("supply").sum(),
            since=nw.col("since").max(),
            sources=distinct(nw.when(is_recent).then(nw.col("prior_ma_cskcb"))),
            recent=count_of(is_recent),
        )
        .with_columns(chronic=nw.col("claims") >= CHRONIC_CLAIMS, beyond=nw.col("supply") - nw.col("since"))
        .with_columns(excess=nw.when(nw.col("chronic") & (nw.col("beyond") > 0)).then(nw.col("beyond")))
    )
    counted = per_drug.group_by(*ENCOUNTER_KEY).agg(
        patient_chronic_drugs_365d=count_of(nw.col("chronic")),
        patient_chronic_excess_days=nw.col("excess").max().cast(nw.Float64) / SECONDS_A_DAY,
        patient_overlap_days=nw.col("excess").sum().cast(nw.Float64) / SECONDS_A_DAY,
        patient_drug_sources_90d=nw.col("sources").max(),
        patient_drug_claims_90d=nw.col("recent").max(),
    )
    names = (
        *("patient_chronic_drugs_365d", "patient_chronic_excess_days", "patient_overlap_days"),
        *("patient_drug_sources_90d", "patient_drug_claims_90d"),
    )
    return (
        known_encounters(tables)
        .select(*PATIENT_KEY)
        .join(counted, on=list(ENCOUNTER_KEY), how="left")
        .select(*PATIENT_KEY, **{name: nw.col(name).fill_null(0.0) for name in names})
    )


@feature(
    level="patient",
    needs=(
        "encounter.patient_id",
        "encounter.ngay_vao",
        "encounter.ngay_sinh",
        "encounter.gioi_tinh",
        "encounter.ma_benh_chinh",
    ),
    columns={
        "age_band": "completed years at this arrival in bands: 00-05, 06-14, 15-29, 30-44, 45-59, 60-74, 75+",
        "sex": "GIOI_TINH as text",
        "icd_letter": "first letter of this claim's main diagnosis: roughly its ICD-10 chapter",
        "visit_band": "claims of the patient in the year to this arrival, this one included: 1, 2-5, 6-12, 13-24, 25+",
    },
)
def patient_kind(tables: ClaimTables) -> Frame:
    """Categories of a patient as of a claim as text, for peer groups; null when unknown. Source: XML1."""
    age, n = nw.col("age"), nw.col("n")
    band = nw.when(~age.is_null()).then(nw.lit(OLDEST))
    for below, name in reversed(AGE_BANDS):
        band = nw.when(age < below).then(nw.lit(name)).otherwise(band)
    visits = nw.lit("25+")
    for below, name in ((25, "13-24"), (13, "6-12"), (6, "2-5"), (2, "1")):
        visits = nw.when(n < below).then(nw.lit(name)).otherwise(visits)
    seen = claims_so_far(tables).group_by(*PATIENT_KEY).agg(n=rows())
    return (
        known_encounters(tables)
        .with_columns(age=age_years())
        .join(seen, on=list(PATIENT_KEY), how="left")
        .select(
            *PATIENT_KEY,
            age_band=band,
            sex=nw.col("gioi_tinh").cast(nw.String),
            icd_letter=nw.col("ma_benh_chinh").str.strip_chars().str.to_uppercase().str.slice(0, 1),
            visit_band=visits,
        )
    )
