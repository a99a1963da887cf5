"""How much a line gives: quantity, quantity a day, days of supply against the days written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw

from data.schema import ENCOUNTER_KEY
from features.base import feature
from features.expressions import Frame, amount, day, days_between, flag, in_group, ratio, with_supply
from features.line_facts import CODE_NEEDS, SAME_CODE, code_known, for_lines, line_facts

if TYPE_CHECKING:
    from data.schema import ClaimTables

ROUND_TO = 10  # units: whole blister strips


@feature(
    level="line",
    needs=(
        *("drug_line.so_luong", "service_line.so_luong", "drug_line.ma_nhom", "service_line.ma_nhom"),
        *("encounter.ngay_vao", "encounter.ngay_ra", "drug_line.ngay_yl", "service_line.ngay_yl", *CODE_NEEDS),
    ),
    columns={
        "line_quantity": "SO_LUONG, from 0, in the unit of the drug or service; null when not stated",
        "line_quantity_per_day": "SO_LUONG over the days from arrival to discharge, a day at least; null without",
        "line_code_quantity": "sum of SO_LUONG of the code in the claim; null without code",
        "line_code_quantity_per_day": "the same over the days from arrival to discharge, a day at least; null without",
        "line_code_quantity_same_day": "sum of SO_LUONG of the code ordered on the line's day; null without",
        "line_heading_quantity_share": "the line's part of its MA_NHOM's SO_LUONG in the claim, 0 to 1; null without",
        "line_round_quantity": "1 when a drug's SO_LUONG is a whole number of tens, else 0; null without or no drug",
    },
)
def line_quantities(tables: ClaimTables) -> Frame:
    """Quantity of a line, by itself, a day and with the code's other lines. Source: XML2, XML3 SO_LUONG; XML1 times."""
    quantity = amount("so_luong")
    stay = days_between(nw.col("arrival"), nw.col("discharge"))
    at_least_one = nw.when(stay > 1.0).then(stay).when(~stay.is_null()).then(nw.lit(1.0))
    exact = nw.col("so_luong").sum()
    of_code = exact.over(*SAME_CODE).cast(nw.Float64)
    of_day = exact.over(*SAME_CODE, "ordered_day").cast(nw.Float64)
    of_group = exact.over(*ENCOUNTER_KEY, "ma_nhom").cast(nw.Float64)
    summed = (
        line_facts(tables)
        .with_columns(ordered_day=day("ngay_yl"))
        .with_columns(of_code=of_code, of_day=of_day, of_group=of_group, at_least_one=at_least_one)
    )
    is_round = (quantity > 0) & (quantity % ROUND_TO == 0)
    return for_lines(
        summed,
        line_quantity=quantity,
        line_quantity_per_day=quantity / nw.col("at_least_one"),
        line_code_quantity=nw.when(code_known()).then(nw.col("of_code")),
        line_code_quantity_per_day=nw.when(code_known()).then(nw.col("of_code") / nw.col("at_least_one")),
        line_code_quantity_same_day=nw.when(code_known() & ~nw.col("ordered_day").is_null()).then(nw.col("of_day")),
        line_heading_quantity_share=ratio(quantity, nw.col("of_group")),
        line_round_quantity=flag(nw.when(in_group("drug") & ~quantity.is_null()).then(is_round)),
    )


@feature(
    level="line",
    needs=(
        *("drug_line.so_luong", "drug_line.lieu_dung", "drug_line.ma_nhom", "service_line.ma_nhom"),
        *("encounter.ngay_vao", "encounter.ngay_ra"),
    ),
    columns={
        "line_supply_days": "days the drug line lasts (SO_LUONG over the daily dose), to 365; null when unreadable",
        "line_written_days": "days LIEU_DUNG itself states, from 0; null when unreadable",
        "line_supply_over_written": "days it lasts over days it states; above 1: more than ordered; null without",
        "line_supply_beyond_stay": "days it lasts minus days from arrival to discharge; null when unknown",
        "line_daily_dose": "SO_LUONG over the days written: units a day the drug was billed for; null when unreadable",
        "line_unreadable_dose": "1 when a drug's daily dose (MA_NHOM 4 to 6) cannot be read, else 0; null for others",
    },
)
def line_supply(tables: ClaimTables) -> Frame:
    """Days of supply a drug line declares and dispenses. Source: XML2 SO_LUONG, LIEU_DUNG ("n * k * d [t]")."""
    supply, written = nw.col("supply"), nw.col("written_days")
    return for_lines(
        with_supply(line_facts(tables)),
        line_supply_days=supply,
        line_written_days=written,
        line_supply_over_written=ratio(supply, written),
        line_supply_beyond_stay=supply - days_between(nw.col("arrival"), nw.col("discharge")),
        line_daily_dose=ratio(amount("so_luong"), written),
        line_unreadable_dose=flag(nw.when(in_group("drug")).then(supply.is_null())),
    )
