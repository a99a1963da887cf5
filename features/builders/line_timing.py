"""The clock of a line: order, execution and result against each other and against the stay."""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw

from features.base import feature
from features.expressions import NIGHT_FROM, NIGHT_TO, SATURDAY, Frame, day, days_between, flag, minutes_between
from features.line_facts import for_lines, line_facts, others_with

if TYPE_CHECKING:
    from data.schema import ClaimTables

TIMES = ("ngay_yl", "ngay_th_yl", "ngay_kq")
NEEDS = (
    *("drug_line.ngay_yl", "drug_line.ngay_th_yl", "service_line.ngay_yl", "service_line.ngay_th_yl"),
    "service_line.ngay_kq",
)


@feature(
    level="line",
    needs=NEEDS,
    columns={
        "line_minutes_order_to_execution": "minutes from order to execution, negative when reversed; null without both",
        "line_minutes_execution_to_result": "minutes from execution to result, negative when reversed; null without",
        "line_minutes_order_to_result": "minutes from order to result, negative when reversed; null without both",
        "line_clockless": "1 when every time stated is midnight: only the day was known; else 0; null without",
        "line_night": "1 when ordered from 21:00 to 05:59, else 0; null when unknown or written as midnight",
        "line_weekend": "1 when ordered on Saturday or Sunday, else 0; null when unknown",
    },
)
def line_pace(tables: ClaimTables) -> Frame:
    """How fast a line was done, and at what hour. Source: XML2, XML3 NGAY_YL, NGAY_TH_YL, XML3 NGAY_KQ."""
    order, done, result = (nw.col(name) for name in TIMES)
    by_day = (nw.coalesce(flag(day(name) == nw.col(name)), nw.lit(1.0)) for name in TIMES)
    some = nw.any_horizontal(*(~nw.col(name).is_null() for name in TIMES), ignore_nulls=False)
    hour = order.dt.hour().cast(nw.Float64)
    return for_lines(
        line_facts(tables),
        line_minutes_order_to_execution=minutes_between(order, done),
        line_minutes_execution_to_result=minutes_between(done, result),
        line_minutes_order_to_result=minutes_between(order, result),
        line_clockless=nw.when(some).then(nw.min_horizontal(*by_day)),
        line_night=flag(nw.when(day("ngay_yl") != order).then((hour >= NIGHT_FROM) | (hour < NIGHT_TO))),
        line_weekend=flag(order.dt.weekday() >= SATURDAY),
    )


@feature(
    level="line",
    needs=(*NEEDS, "encounter.ngay_vao", "encounter.ngay_ra"),
    columns={
        "line_minutes_from_arrival": "minutes from arrival to order, negative when before; null without both",
        "line_minutes_before_arrival": "minutes the line was carried out before arrival, from 0; null without both",
        "line_minutes_after_discharge": "minutes the line was carried out after discharge, from 0; null without both",
        "line_result_after_discharge": "minutes the result came after discharge, from 0; null without both",
        "line_day_of_stay": "midnights between arrival and order: 0 on the first day; null without both",
        "line_stay_part": "part of the stay gone by at the order, 0 to 1, outside the stay beyond; null without a stay",
    },
)
def line_in_stay(tables: ClaimTables) -> Frame:
    """Where a line lies in its encounter, and how far outside. Source: XML1 NGAY_VAO, NGAY_RA; XML2, XML3 times."""
    arrival, discharge = nw.col("arrival"), nw.col("discharge")
    order, done, result = (nw.col(name) for name in TIMES)
    stay = minutes_between(arrival, discharge)
    return for_lines(
        line_facts(tables),
        line_minutes_from_arrival=minutes_between(arrival, order),
        line_minutes_before_arrival=minutes_between(done, arrival).clip(lower_bound=0.0),
        line_minutes_after_discharge=minutes_between(discharge, done).clip(lower_bound=0.0),
        line_result_after_discharge=minutes_between(discharge, result).clip(lower_bound=0.0),
        line_day_of_stay=days_between(arrival.dt.truncate("1d"), day("ngay_yl")),
        line_stay_part=nw.when(stay > 0).then(minutes_between(arrival, order) / stay),
    )


@feature(
    level="line",
    needs=NEEDS,
    columns={
        "line_ordered_same_minute": "other lines of the claim ordered at its minute, from 0; null when unknown",
        "line_done_same_minute": "other lines of the claim carried out at its minute, from 0; null when unknown",
        "line_ordered_same_day": "other lines of the claim ordered on its day, from 0; null when unknown",
        "line_results_same_minute": "other lines of the claim with a result at its minute, from 0; null when unknown",
    },
)
def line_company(tables: ClaimTables) -> Frame:
    """How many lines of the claim share the line's minute or day. Source: XML2, XML3 NGAY_YL, NGAY_TH_YL, NGAY_KQ."""
    order, done, result = (~nw.col(name).is_null() for name in TIMES)
    return for_lines(
        line_facts(tables).with_columns(ordered_day=day("ngay_yl")),
        line_ordered_same_minute=others_with("ngay_yl", where=order),
        line_done_same_minute=others_with("ngay_th_yl", where=done),
        line_ordered_same_day=others_with("ordered_day", where=order),
        line_results_same_minute=others_with("ngay_kq", where=result),
    )
