"""Who ordered the lines: how many doctors and departments, how much in one hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw

from data.schema import ENCOUNTER_KEY
from features.base import feature
from features.expressions import Frame, distinct, for_every_encounter, lines, rows

if TYPE_CHECKING:
    from data.schema import ClaimTables


@feature(
    level="encounter",
    needs=("drug_line.doctor", "service_line.doctor", "drug_line.ma_khoa", "service_line.ma_khoa"),
    columns={
        "distinct_doctors": "different ordering practitioners, from 0; 0 without lines",
        "distinct_departments": "different departments of the lines (MA_KHOA), from 0; 0 without lines",
    },
)
def hands(tables: ClaimTables) -> Frame:
    """Practitioners and departments the lines name, from 0; never null. Source: XML2, XML3 MA_BAC_SI, MA_KHOA."""
    counted = (
        lines(tables)
        .group_by(*ENCOUNTER_KEY)
        .agg(distinct_doctors=distinct(nw.col("doctor")), distinct_departments=distinct(nw.col("ma_khoa")))
    )
    return for_every_encounter(tables, counted, zero=["distinct_doctors", "distinct_departments"])


@feature(level="encounter", needs=("drug_line.doctor", "service_line.doctor"))
def top_doctor_share(tables: ClaimTables) -> Frame:
    """Part of the lines ordered by the practitioner with most of them, 0 to 1; null when no line names one.

    Source: XML2, XML3 MA_BAC_SI, first code.
    """
    shares = (
        lines(tables)
        .filter(~nw.col("doctor").is_null())
        .group_by(*ENCOUNTER_KEY, "doctor")
        .agg(n=rows())
        .group_by(*ENCOUNTER_KEY)
        .agg(top=nw.col("n").max(), named=nw.col("n").sum())
        .select(*ENCOUNTER_KEY, top_doctor_share=nw.col("top") / nw.col("named"))
    )
    return for_every_encounter(tables, shares)
