"""Who the patient is and why they came: age, sex, urgency, diagnoses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw

from data.schema import ENCOUNTER_KEY
from features.base import feature
from features.expressions import Frame, age_years, flag

if TYPE_CHECKING:
    from data.schema import ClaimTables

FEMALE = 2


@feature(
    level="encounter",
    needs=("encounter.ngay_sinh", "encounter.gioi_tinh", "encounter.ngay_vao"),
    columns={
        "age": "completed years at arrival, from 0; null when unknown or born after the arrival",
        "female": "1 for GIOI_TINH 2, 0 for the other codes; null when unknown",
    },
)
def age_and_sex(tables: ClaimTables) -> Frame:
    """Age at arrival and sex. Source: XML1 NGAY_SINH, GIOI_TINH."""
    return tables.encounter.select(*ENCOUNTER_KEY, age=age_years(), female=flag(nw.col("gioi_tinh") == FEMALE))


@feature(
    level="encounter",
    needs=("encounter.ma_doituong_kcb", "encounter.ma_noi_di"),
    columns={
        "emergency": "1 when the access code is emergency (MA_DOITUONG_KCB 2), else 0; null when unknown",
        "referred_in": "1 when another facility referred the patient (MA_NOI_DI), else 0; never null",
    },
)
def access(tables: ClaimTables) -> Frame:
    """How the patient came to the facility. Source: XML1 MA_DOITUONG_KCB, MA_NOI_DI."""
    code = nw.col("ma_doituong_kcb").str.strip_chars()
    referrer = nw.col("ma_noi_di").str.strip_chars().fill_null("")
    return tables.encounter.select(
        *ENCOUNTER_KEY,
        emergency=flag((code == nw.lit("2")) | code.str.starts_with("2.")),
        referred_in=flag(referrer != nw.lit("")),
    )


@feature(level="encounter", needs=("encounter.ma_benh_chinh", "encounter.ma_benh_kt"))
def diagnoses(tables: ClaimTables) -> Frame:
    """Number of diagnoses stated: the main one and the secondary ones, from 0; never null.

    Source: XML1 MA_BENH_CHINH, MA_BENH_KT (codes joined by semicolons).
    """
    main = nw.col("ma_benh_chinh").str.strip_chars().fill_null("")
    # a code is a run of characters between separators: turn every run into one letter and drop the separators
    runs = nw.col("ma_benh_kt").fill_null("").str.replace_all(r"[^;,\s]+", "x").str.replace_all(r"[^x]+", "")
    return tables.encounter.select(
        *ENCOUNTER_KEY,
        diagnoses=flag(main != nw.lit("")) + runs.str.len_chars().cast(nw.Float64),
    )
