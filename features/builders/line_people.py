"""Whose line it is: ordered by the encounter's main doctor or another, performed by whom, in which department."""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw

from data.schema import ENCOUNTER_KEY
from features.base import feature
from features.doctors import MAIN_DOCTOR_NEEDS, main_doctor
from features.expressions import Frame, flag
from features.line_facts import for_lines, line_facts

if TYPE_CHECKING:
    from data.schema import ClaimTables

MOST_DEPARTMENTS = 8  # of the encounter's list that are looked at; stays move through fewer
_FIRST = r"[;,][\s\S]*$"


def _codes(name: str) -> nw.Expr:
    """How many codes a list holds: each run between separators becomes one letter."""
    runs = nw.col(name).str.replace_all(r"[^;,\s]+", "x").str.replace_all(r"[^x]+", "")
    return runs.str.len_chars().cast(nw.Float64)


@feature(
    level="line",
    needs=(
        *MAIN_DOCTOR_NEEDS,
        *("drug_line.ma_bac_si", "service_line.ma_bac_si", "service_line.nguoi_thuc_hien"),
    ),
    columns={
        "line_by_main_doctor": "1 when the encounter's main doctor ordered the line, 0 when another; null when unknown",
        "line_self_performed": "1 when the first performer of a service is who ordered it, else 0; null without both",
        "line_practitioners": "practitioners MA_BAC_SI names, from 0; null when not stated",
        "line_performers": "performers NGUOI_THUC_HIEN names, from 0; null when not stated and for drugs",
        "line_unsigned": "1 when no practitioner is named (MA_BAC_SI), else 0; never null",
        "line_doctor_share": "the doctor's part of the claim's signed lines, above 0 to 1; null when unsigned",
    },
)
def line_hands(tables: ClaimTables) -> Frame:
    """Who ordered and who performed a line. Source: XML2, XML3 MA_BAC_SI, XML3 NGUOI_THUC_HIEN."""
    doctor = nw.col("doctor")
    performer = nw.col("nguoi_thuc_hien").str.strip_chars().str.replace_all(_FIRST, "").str.strip_chars()
    named = nw.when(performer != nw.lit("")).then(performer)
    main = main_doctor(tables).select(*ENCOUNTER_KEY, main=nw.col("doctor"))
    signed = (~doctor.is_null()).cast(nw.Int64).sum().over(*ENCOUNTER_KEY).cast(nw.Float64)
    own = nw.len().over(*ENCOUNTER_KEY, "doctor").cast(nw.Float64)
    return for_lines(
        line_facts(tables).join(main, on=list(ENCOUNTER_KEY), how="left"),
        line_by_main_doctor=flag(doctor == nw.col("main")),
        line_self_performed=flag(named == doctor),
        line_practitioners=_codes("ma_bac_si"),
        line_performers=_codes("nguoi_thuc_hien"),
        line_unsigned=flag(doctor.is_null()),
        line_doctor_share=nw.when(~doctor.is_null()).then(own / signed),
    )


@feature(level="line", needs=("drug_line.ma_khoa", "service_line.ma_khoa", "encounter.ma_khoa"))
def line_other_department(tables: ClaimTables) -> Frame:
    """1 when the line's first MA_KHOA is none of the encounter's first eight, else 0; null without either.

    Source: XML2, XML3 MA_KHOA; XML1 MA_KHOA (codes joined by semicolons).
    """
    own = nw.col("ma_khoa").str.strip_chars().str.replace_all(_FIRST, "").str.strip_chars()
    # padded, so that every position of the list is there
    listed = nw.concat_str([nw.col("departments").str.replace_all(r"[,\s]+", ";"), nw.lit(";" * MOST_DEPARTMENTS)])
    parts = listed.str.split(";")
    found = nw.max_horizontal(*(flag(parts.list.get(at) == own) for at in range(MOST_DEPARTMENTS)))
    told = (own != nw.lit("")) & ~nw.col("departments").is_null()
    return for_lines(line_facts(tables), line_other_department=nw.when(told).then(1.0 - found))
