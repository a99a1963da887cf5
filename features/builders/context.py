"""What kind of encounter it is: the text columns that peer groups and models treat as categories."""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw

from data.schema import ENCOUNTER_KEY
from features.base import feature
from features.expressions import Frame, age_years, care_type, icd3

if TYPE_CHECKING:
    from data.schema import ClaimTables

AGE_BANDS = ((1, "00"), (6, "01-05"), (15, "06-14"), (30, "15-29"), (45, "30-44"), (60, "45-59"), (75, "60-74"))
OLDEST = "75+"


def _age_band() -> nw.Expr:
    """Band of the column `age`."""
    age = nw.col("age")
    band = nw.when(~age.is_null()).then(nw.lit(OLDEST))
    for below, name in reversed(AGE_BANDS):
        band = nw.when(age < below).then(nw.lit(name)).otherwise(band)
    return band


@feature(
    level="encounter",
    needs=(
        *("encounter.ma_loai_kcb", "encounter.ma_benh_chinh", "encounter.ma_khoa", "encounter.gioi_tinh"),
        *("encounter.ngay_sinh", "encounter.ngay_vao", "encounter.province"),
        *("encounter.facility_rank", "encounter.facility_level"),
    ),
    columns={
        "ma_loai_kcb": "type of care, two digits",
        "icd3": "first three characters of the main diagnosis",
        "icd_letter": "first letter of the main diagnosis: roughly its ICD-10 chapter",
        "facility_rank": "rank of the facility by the catalogue (DB, 1 to 4); null without and for commune stations",
        "facility_level": "level of the facility by the catalogue; null without a catalogue",
        "department": "first department code of MA_KHOA",
        "province": "first two characters of MA_CSKCB",
        "sex": "GIOI_TINH as text",
        "age_band": "completed years at arrival in bands: 00, 01-05, 06-14, 15-29, 30-44, 45-59, 60-74, 75+",
    },
)
def context(tables: ClaimTables) -> Frame:
    """Categories of the encounter as text; null when unknown. Source: XML1 and the facility catalogue."""
    return tables.encounter.with_columns(age=age_years()).select(
        *ENCOUNTER_KEY,
        "facility_rank",
        "facility_level",
        "province",
        ma_loai_kcb=care_type(),
        icd3=icd3(),
        icd_letter=icd3().str.slice(0, 1),
        department=nw.col("ma_khoa").str.strip_chars().str.replace_all(r"[;,][\s\S]*$", ""),
        sex=nw.col("gioi_tinh").cast(nw.String),
        age_band=_age_band(),
    )
