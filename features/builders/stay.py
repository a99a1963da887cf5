"""How long the patient stayed, how many bed days were billed for it, and on how many days he was treated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw

from data.schema import ENCOUNTER_KEY
from features.base import feature
from features.expressions import (
    Frame,
    amount,
    distinct,
    for_every_encounter,
    in_group,
    minutes_between,
    nights,
    total,
)

if TYPE_CHECKING:
    from data.schema import ClaimTables


@feature(
    level="encounter",
    needs=("encounter.ngay_vao", "encounter.ngay_ra", "encounter.so_ngay_dtri"),
    columns={
        "stay_hours": "hours from arrival to discharge, negative when the times contradict; null without both",
        "stay_nights": "midnights between arrival and discharge; null without both times",
        "declared_days_beyond_nights": "SO_NGAY_DTRI minus nights: 1 is usual for a stay; null when unknown",
    },
)
def stay_length(tables: ClaimTables) -> Frame:
    """Length of the encounter. Source: XML1 NGAY_VAO, NGAY_RA, SO_NGAY_DTRI."""
    return tables.encounter.select(
        *ENCOUNTER_KEY,
        stay_hours=minutes_between(nw.col("ngay_vao"), nw.col("ngay_ra")) / 60.0,
        stay_nights=nights(),
        declared_days_beyond_nights=amount("so_ngay_dtri") - nights(),
    )


@feature(
    level="encounter",
    needs=("service_line.so_luong", "service_line.ma_nhom", "encounter.ngay_vao", "encounter.ngay_ra"),
    columns={
        "bed_days": "SO_LUONG of MA_NHOM 14, 15, 16, from 0; 0 without bed lines, never null",
        "bed_days_beyond_nights": "bed days minus nights; 0 or 1 is usual; null without bed lines or times",
    },
)
def bed_days(tables: ClaimTables) -> Frame:
    """Bed days billed, in all and beyond the nights spent. Source: XML3 SO_LUONG, XML1 times."""
    beds = tables.service_line.filter(in_group("bed")).group_by(*ENCOUNTER_KEY).agg(beds=total("so_luong"))
    slept = tables.encounter.select(*ENCOUNTER_KEY, nights=nights())
    return (
        for_every_encounter(tables, beds)
        .join(slept, on=list(ENCOUNTER_KEY), how="left")
        .select(
            *ENCOUNTER_KEY,
            bed_days=nw.col("beds").fill_null(0.0),
            bed_days_beyond_nights=nw.col("beds") - nw.col("nights"),
        )
    )


@feature(
    level="encounter",
    needs=(
        "drug_line.duong_dung",
        "drug_line.ngay_yl",
        "service_line.ma_nhom",
        "service_line.ngay_yl",
    ),
)
def active_care_days(tables: ClaimTables) -> Frame:
    """Different days with a test, image, procedure, blood or a drug by injection or infusion, from 0; never null.

    Days that only beds, examinations and swallowed drugs fill are not among them: those a padded stay is made of.
    Source: XML2 DUONG_DUNG 2.xx, XML3 MA_NHOM, and NGAY_TH_YL, else NGAY_YL, of both.
    """
    done = nw.coalesce(nw.col("ngay_th_yl"), nw.col("ngay_yl")).dt.truncate("1d")
    active = {
        "drug_line": nw.col("duong_dung").str.strip_chars().str.starts_with("2."),
        "service_line": in_group("lab", "imaging", "blood", "surgery", "ratio_service"),
    }
    days = nw.concat(
        [
            getattr(tables, table).filter(condition).select(*ENCOUNTER_KEY, date=done)
            for table, condition in active.items()
        ],
        how="vertical",
    )
    counted = (
        days.filter(~nw.col("date").is_null()).group_by(*ENCOUNTER_KEY).agg(active_care_days=distinct(nw.col("date")))
    )
    return for_every_encounter(tables, counted, zero=("active_care_days",))
