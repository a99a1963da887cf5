"""How many lines, of which kinds, how many different codes, how many repeated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw

from data.schema import ENCOUNTER_KEY
from features.base import feature
from features.expressions import (
    Frame,
    count_of,
    distinct,
    for_every_encounter,
    in_group,
    lines,
    rows,
)

if TYPE_CHECKING:
    from data.schema import ClaimTables

CODES = ("drug_line.ma_thuoc", "service_line.ma_dich_vu", "service_line.ma_vat_tu")

LINE_COUNTS = {
    "lines_total": "drug, service, supply and bed lines; 0 without lines",
    "lines_drug": "drug lines (MA_NHOM 4, 5, 6)",
    "lines_lab": "laboratory lines (MA_NHOM 1)",
    "lines_imaging": "imaging and functional exploration lines (MA_NHOM 2, 3)",
    "lines_surgery": "surgery and procedure lines (MA_NHOM 8, 18)",
    "lines_supply": "medical supply lines (MA_NHOM 10, 11)",
    "exams": "examination lines (MA_NHOM 13): consultations billed",
}


@feature(level="encounter", needs=("drug_line.ma_nhom", "service_line.ma_nhom"), columns=LINE_COUNTS)
def line_counts(tables: ClaimTables) -> Frame:
    """Number of lines, in all and by cost heading, from 0; never null. Source: XML2, XML3 MA_NHOM."""
    counted = (
        lines(tables)
        .group_by(*ENCOUNTER_KEY)
        .agg(
            lines_total=rows(),
            lines_drug=count_of(in_group("drug")),
            lines_lab=count_of(in_group("lab")),
            lines_imaging=count_of(in_group("imaging")),
            lines_surgery=count_of(in_group("surgery")),
            lines_supply=count_of(in_group("supply")),
            exams=count_of(in_group("exam")),
        )
    )
    return for_every_encounter(tables, counted, zero=list(LINE_COUNTS))


@feature(
    level="encounter",
    needs=CODES,
    columns={
        "distinct_drugs": "different MA_THUOC, from 0; 0 without drug lines",
        "distinct_services": "different MA_DICH_VU or, for supplies, MA_VAT_TU, from 0; 0 without service lines",
    },
)
def distinct_codes(tables: ClaimTables) -> Frame:
    """Number of different drugs and services, from 0; never null. Source: XML2, XML3 codes."""
    is_drug = nw.col("line_table") == nw.lit("drug_line")
    counted = (
        lines(tables)
        .with_columns(drug=nw.when(is_drug).then(nw.col("code")), service=nw.when(~is_drug).then(nw.col("code")))
        .group_by(*ENCOUNTER_KEY)
        .agg(distinct_drugs=distinct(nw.col("drug")), distinct_services=distinct(nw.col("service")))
    )
    return for_every_encounter(tables, counted, zero=["distinct_drugs", "distinct_services"])


@feature(level="encounter", needs=(*CODES, "drug_line.ngay_th_yl", "service_line.ngay_th_yl"))
def duplicate_lines(tables: ClaimTables) -> Frame:
    """Lines beyond the first with one code at one execution minute, from 0; never null.

    Lines without code or minute do not count.

    Source: XML2, XML3 codes and NGAY_TH_YL. Two lots of one dispense and both sides of a body look the same.
    """
    copies = (
        lines(tables)
        .filter(~nw.col("code").is_null() & ~nw.col("ngay_th_yl").is_null())
        .group_by(*ENCOUNTER_KEY, "line_table", "code", "ngay_th_yl")
        .agg(beyond_first=rows() - 1.0)
        .group_by(*ENCOUNTER_KEY)
        .agg(duplicate_lines=nw.col("beyond_first").sum())
    )
    return for_every_encounter(tables, copies, zero=["duplicate_lines"])


@feature(
    level="encounter",
    needs=("drug_line.ngay_th_yl", "service_line.ngay_th_yl"),
    columns={
        "max_lines_one_minute": "most lines executed at one minute (NGAY_TH_YL), from 0; 0 when no line states it",
        "max_services_one_minute": "the same for service lines only: drugs are handed out together, tests are not",
    },
)
def same_minute_lines(tables: ClaimTables) -> Frame:
    """How many lines were carried out at one and the same minute, from 0; never null. Source: XML2, XML3 NGAY_TH_YL."""
    busiest = (
        lines(tables)
        .filter(~nw.col("ngay_th_yl").is_null())
        .group_by(*ENCOUNTER_KEY, "ngay_th_yl")
        .agg(n=rows(), services=count_of(nw.col("line_table") == nw.lit("service_line")))
        .group_by(*ENCOUNTER_KEY)
        .agg(max_lines_one_minute=nw.col("n").max(), max_services_one_minute=nw.col("services").max())
    )
    return for_every_encounter(tables, busiest, zero=["max_lines_one_minute", "max_services_one_minute"])
