"""The clock of the encounter: when the patient came, how fast orders and results followed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw

from data.schema import ENCOUNTER_KEY
from features.base import feature
from features.expressions import (
    NIGHT_FROM,
    NIGHT_TO,
    SATURDAY,
    TEST_GROUPS,
    Frame,
    count_of,
    flag,
    for_every_encounter,
    lines,
    minutes_between,
    ratio,
    rows,
)

if TYPE_CHECKING:
    from data.schema import ClaimTables


@feature(
    level="encounter",
    needs=("encounter.ngay_vao", "encounter.ngay_ra"),
    columns={
        "arrival_hour": "hour of NGAY_VAO with its minutes, 0 to 24; null when unknown",
        "arrival_weekend": "1 when the patient came on Saturday or Sunday, else 0; null when unknown",
        "arrival_night": "1 when the patient came from 21:00 to 05:59, else 0; null when unknown",
        "discharge_weekend": "1 when discharged on Saturday or Sunday, else 0; null when unknown",
    },
)
def arrival_time(tables: ClaimTables) -> Frame:
    """When the patient came and left. Source: XML1 NGAY_VAO, NGAY_RA."""
    arrival, discharge = nw.col("ngay_vao").dt, nw.col("ngay_ra").dt
    hour = arrival.hour().cast(nw.Float64)
    return tables.encounter.select(
        *ENCOUNTER_KEY,
        arrival_hour=hour + arrival.minute().cast(nw.Float64) / 60.0,
        arrival_weekend=flag(arrival.weekday() >= SATURDAY),
        arrival_night=flag((hour >= NIGHT_FROM) | (hour < NIGHT_TO)),
        discharge_weekend=flag(discharge.weekday() >= SATURDAY),
    )


@feature(
    level="encounter",
    needs=(
        *("encounter.ngay_vao", "encounter.ngay_ra", "drug_line.ngay_yl", "service_line.ngay_yl"),
        "service_line.ngay_kq",
    ),
    columns={
        "minutes_to_first_order": "minutes from arrival to the first order, negative when before; null when unknown",
        "minutes_order_to_last_result": "minutes from the first order to the last result; null without results",
        "minutes_first_to_last_order": "minutes from the first to the last order, from 0; null without orders",
        "minutes_per_line": "minutes from arrival to discharge over the number of lines; null without lines or times",
        "orders_outside_stay": "part of orders before arrival or after discharge, 0 to 1; null without orders or times",
    },
)
def order_times(tables: ClaimTables) -> Frame:
    """How fast orders and results followed the arrival. Source: XML1 times, XML2, XML3 NGAY_YL, XML3 NGAY_KQ."""
    stays = tables.encounter.select(*ENCOUNTER_KEY, "ngay_vao", "ngay_ra")
    arrival, discharge, order = nw.col("ngay_vao"), nw.col("ngay_ra"), nw.col("ngay_yl")
    facts = (
        lines(tables)
        .join(stays, on=list(ENCOUNTER_KEY), how="inner")
        .group_by(*ENCOUNTER_KEY)
        .agg(
            arrival=arrival.min(),
            discharge=discharge.min(),
            first_order=order.min(),
            last_order=order.max(),
            last_result=nw.col("ngay_kq").max(),
            n=rows(),
            dated=count_of(~order.is_null() & ~arrival.is_null() & ~discharge.is_null()),
            outside=count_of((~discharge.is_null()) & (order < arrival) | (~arrival.is_null()) & (order > discharge)),
        )
        .select(
            *ENCOUNTER_KEY,
            minutes_to_first_order=minutes_between(nw.col("arrival"), nw.col("first_order")),
            minutes_order_to_last_result=minutes_between(nw.col("first_order"), nw.col("last_result")),
            minutes_first_to_last_order=minutes_between(nw.col("first_order"), nw.col("last_order")),
            minutes_per_line=minutes_between(nw.col("arrival"), nw.col("discharge")) / nw.col("n"),
            orders_outside_stay=ratio(nw.col("outside"), nw.col("dated")),
        )
    )
    return for_every_encounter(tables, facts)


@feature(level="encounter", needs=("service_line.ngay_yl", "service_line.ngay_kq", "service_line.ma_nhom"))
def shortest_test_minutes(tables: ClaimTables) -> Frame:
    """Minutes from order to result of the quickest laboratory or imaging line; null when no such line states both.

    Source: XML3 NGAY_YL, NGAY_KQ. Below a few minutes no machine can have run.
    """
    quickest = (
        tables.service_line.filter(nw.col("ma_nhom").fill_null(0).is_in(list(TEST_GROUPS)))
        .with_columns(minutes=minutes_between(nw.col("ngay_yl"), nw.col("ngay_kq")))
        .group_by(*ENCOUNTER_KEY)
        .agg(shortest_test_minutes=nw.col("minutes").min())
    )
    return for_every_encounter(tables, quickest)
