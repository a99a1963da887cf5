"""What the encounter cost and on what: VND by cost heading, shares of the bill, who pays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw

from data.schema import ENCOUNTER_KEY
from features.base import feature
from features.expressions import (
    COST_GROUPS,
    Frame,
    amount,
    days_between,
    flag,
    for_every_encounter,
    in_group,
    in_no_group,
    lines,
    ratio,
    rows,
    shared,
    total,
)

if TYPE_CHECKING:
    from data.schema import ClaimTables

HEADINGS = (*COST_GROUPS, "other")


@shared
def _cost_by_heading(tables: ClaimTables) -> Frame:
    """VND of lines (THANH_TIEN_BH) by cost heading and in all, for the encounters that have lines."""
    sums = {f"cost_{name}": total("thanh_tien_bh", in_group(name)) for name in COST_GROUPS}
    return (
        lines(tables)
        .group_by(*ENCOUNTER_KEY)
        .agg(**sums, cost_other=total("thanh_tien_bh", in_no_group()), cost_lines=total("thanh_tien_bh"))
    )


@feature(
    level="encounter",
    needs=("drug_line.ma_nhom", "drug_line.thanh_tien_bh", "service_line.ma_nhom", "service_line.thanh_tien_bh"),
    columns={
        f"cost_{name}": f"VND of {name.replace('_', ' ')} lines inside coverage (THANH_TIEN_BH); 0 without"
        for name in HEADINGS
    },
)
def cost_by_group(tables: ClaimTables) -> Frame:
    """VND inside coverage by cost heading (MA_NHOM), summed over the lines; never null. Source: XML2, XML3."""
    names = [f"cost_{name}" for name in HEADINGS]
    return for_every_encounter(tables, _cost_by_heading(tables).select(*ENCOUNTER_KEY, *names), zero=names)


@feature(
    level="encounter",
    needs=("drug_line.ma_nhom", "drug_line.thanh_tien_bh", "service_line.ma_nhom", "service_line.thanh_tien_bh"),
    columns={
        f"share_{name}": f"part of the lines' VND that is {name.replace('_', ' ')}, 0 to 1; null without cost"
        for name in HEADINGS
    },
)
def cost_shares(tables: ClaimTables) -> Frame:
    """Each heading's part of the lines' THANH_TIEN_BH, 0 to 1; null when they cost nothing. Source: XML2, XML3."""
    shares = {f"share_{name}": ratio(nw.col(f"cost_{name}"), nw.col("cost_lines")) for name in HEADINGS}
    return for_every_encounter(tables, _cost_by_heading(tables).select(*ENCOUNTER_KEY, **shares))


@feature(
    level="encounter",
    needs=(
        *("encounter.t_tongchi_bv", "encounter.t_tongchi_bh", "encounter.t_bhtt", "encounter.t_bntt"),
        *("encounter.ngay_vao", "encounter.ngay_ra"),
    ),
    columns={
        "bill_total": "VND of the encounter inside coverage (T_TONGCHI_BH), from 0; null when not stated",
        "fund_paid": "VND asked from the fund (T_BHTT), from 0; null when not stated",
        "log_bill": "natural logarithm of 1 + T_TONGCHI_BH, from 0; null when not stated or negative",
        "fund_share": "T_BHTT over T_TONGCHI_BH, usually 0 to 1; null when nothing is inside coverage",
        "self_pay_share": "T_BNTT over T_TONGCHI_BV, 0 to 1; null when nothing was billed",
        "cost_per_day": "VND, T_TONGCHI_BH over the days from arrival to discharge, a day at least; null without times",
    },
)
def bill(tables: ClaimTables) -> Frame:
    """Size of the bill and who pays it. Source: XML1 totals and times."""
    covered = amount("t_tongchi_bh")
    days = days_between(nw.col("ngay_vao"), nw.col("ngay_ra"))
    at_least_one = nw.when(days > 1.0).then(days).when(~days.is_null()).then(nw.lit(1.0))
    return tables.encounter.select(
        *ENCOUNTER_KEY,
        bill_total=covered,
        fund_paid=amount("t_bhtt"),
        log_bill=nw.when(covered >= 0).then(covered + 1.0).log(),
        fund_share=ratio(amount("t_bhtt"), covered),
        self_pay_share=ratio(amount("t_bntt"), amount("t_tongchi_bv")),
        cost_per_day=covered / at_least_one,
    )


@feature(
    level="encounter",
    needs=("drug_line.thanh_tien_bh", "service_line.thanh_tien_bh"),
    columns={
        "cost_per_line": "mean VND of a line (THANH_TIEN_BH), from 0; null without lines",
        "max_line_cost": "VND of the dearest line, from 0; null without lines",
        "max_line_share": "the dearest line's part of the lines' VND, 0 to 1; null when the lines cost nothing",
        "zero_cost_share": "part of lines without cost, an exporter's fault as a rule, 0 to 1; null without lines",
    },
)
def line_costs(tables: ClaimTables) -> Frame:
    """How the bill spreads over its lines. Source: XML2, XML3 THANH_TIEN_BH."""
    spread = (
        lines(tables)
        .with_columns(is_free=flag(nw.col("thanh_tien_bh").cast(nw.Float64).fill_null(0.0) == 0.0))
        .group_by(*ENCOUNTER_KEY)
        .agg(cost=total("thanh_tien_bh"), n=rows(), top=amount("thanh_tien_bh").max(), free=nw.col("is_free").sum())
        .select(
            *ENCOUNTER_KEY,
            cost_per_line=nw.col("cost") / nw.col("n"),
            max_line_cost=nw.col("top"),
            max_line_share=ratio(nw.col("top"), nw.col("cost")),
            zero_cost_share=nw.col("free") / nw.col("n"),
        )
    )
    return for_every_encounter(tables, spread)
