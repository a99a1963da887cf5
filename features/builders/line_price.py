"""What a line costs: its price against what others and the catalogues say, its part of the claim, who pays it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw

from data.asof import as_of
from data.schema import ENCOUNTER_KEY, LINE_KEY
from features.base import feature
from features.expressions import Frame, amount, day, flag, in_group, ratio, rows, shared
from features.line_facts import CODE_NEEDS, SAME_CODE, code_known, for_lines, line_facts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from data.schema import ClaimTables

MIN_LINES = 5  # lines of a code in the month before: below this one odd line is the median
SAME_PRICE = 0.0005  # VND: unit prices are printed with three decimals

SPREAD_COLUMNS = {
    "line_cost": "VND of the line inside coverage (THANH_TIEN_BH), from 0; null when not stated",
    "line_unit_price": "VND a unit inside coverage (DON_GIA of drugs, DON_GIA_BH of services); null when not stated",
    "line_claim_share": "the line's part of the claim's lines' VND, 0 to 1; null when these cost nothing",
    "line_group_share": "the line's part of the VND of its MA_NHOM in the claim, 0 to 1; null when these cost nothing",
    "line_over_lowest_price": "unit price over the lowest one of the code in the claim, from 1; null without code",
    "line_amount_over_product": "THANH_TIEN_BV over quantity times unit price: 1 is usual; null without them",
}


@feature(
    level="line",
    needs=(
        *("drug_line.don_gia", "service_line.don_gia_bh", "drug_line.thanh_tien_bh", "service_line.thanh_tien_bh"),
        *("drug_line.thanh_tien_bv", "service_line.thanh_tien_bv", "drug_line.so_luong", "service_line.so_luong"),
        *("drug_line.ma_nhom", "service_line.ma_nhom", *CODE_NEEDS),
    ),
    columns=SPREAD_COLUMNS,
)
def line_spread(tables: ClaimTables) -> Frame:
    """How dear a line is by itself and within its claim. Source: XML2, XML3 prices, quantities, amounts."""
    # exact sums: a claim's part must not depend on the order in which its lines are added
    whole = nw.col("thanh_tien_bh").sum().over(*ENCOUNTER_KEY).cast(nw.Float64)
    group = nw.col("thanh_tien_bh").sum().over(*ENCOUNTER_KEY, "ma_nhom").cast(nw.Float64)
    price = amount("unit_price")
    positive = nw.when(price > 0).then(price)
    lowest = positive.min().over(*SAME_CODE)
    return for_lines(
        line_facts(tables).with_columns(lowest=lowest),
        line_cost=amount("thanh_tien_bh"),
        line_unit_price=price,
        line_claim_share=ratio(amount("thanh_tien_bh"), whole),
        line_group_share=ratio(amount("thanh_tien_bh"), group),
        line_over_lowest_price=nw.when(code_known()).then(positive / nw.col("lowest")),
        line_amount_over_product=ratio(amount("thanh_tien_bv"), amount("so_luong") * price),
    )


@feature(
    level="line",
    needs=(
        *("drug_line.t_bhtt", "service_line.t_bhtt", "drug_line.thanh_tien_bh", "service_line.thanh_tien_bh"),
        *("drug_line.tyle_tt_bh", "service_line.tyle_tt_bh", "encounter.t_bhtt", "encounter.t_tongchi_bh"),
        *("drug_line.muc_huong", "service_line.muc_huong"),
    ),
    columns={
        "line_fund_share": "T_BHTT over THANH_TIEN_BH of the line, usually 0 to 1; null when nothing is covered",
        "line_fund_share_above_claim": "the same minus the claim's T_BHTT over T_TONGCHI_BH; 0 is usual; null without",
        "line_pay_rate": "percentage the line is paid at (TYLE_TT_BH), 0 to 100; null when not stated",
        "line_benefit_level": "percentage the card pays of the line (MUC_HUONG), 0 to 100; null when not stated",
    },
)
def line_payer(tables: ClaimTables) -> Frame:
    """Who pays a line. Source: XML2, XML3 T_BHTT, THANH_TIEN_BH, TYLE_TT_BH, MUC_HUONG; XML1 totals."""
    share = ratio(amount("t_bhtt"), amount("thanh_tien_bh"))
    return for_lines(
        line_facts(tables),
        line_fund_share=share,
        line_fund_share_above_claim=share - ratio(amount("claim_paid"), amount("claim_covered")),
        line_pay_rate=amount("tyle_tt_bh"),
        line_benefit_level=amount("muc_huong"),
    )


@shared
def _dated(tables: ClaimTables) -> Frame:
    """Lines with the number of their order's month, and `before`: that of the month before their claim's arrival."""

    def month_number(moment: nw.Expr) -> nw.Expr:
        return moment.dt.year().cast(nw.Int64) * 12 + moment.dt.month().cast(nw.Int64)

    return line_facts(tables).select(
        *LINE_KEY,
        "code",
        "facility_rank",
        quantity=amount("so_luong"),
        price=amount("unit_price"),
        ordered=month_number(nw.col("ngay_yl")),
        before=month_number(nw.col("arrival")) - 1,
    )


def _usual(tables: ClaimTables, place: Sequence[str], prefix: str) -> Frame:
    """Median price and quantity of each code at `place` in each month that has `MIN_LINES` lines of it."""
    priced = (nw.col("price") > 0) & (nw.col("quantity") > 0) & code_known() & ~nw.col("ordered").is_null()
    return (
        _dated(tables)
        .filter(priced)
        .group_by("line_table", "code", *place, "ordered")
        .agg(n=rows(), price=nw.col("price").median(), quantity=nw.col("quantity").median())
        .filter(nw.col("n") >= MIN_LINES)
        .select(
            "line_table",
            "code",
            *place,
            before=nw.col("ordered"),
            **{f"{prefix}_price": nw.col("price"), f"{prefix}_quantity": nw.col("quantity")},
        )
    )


@feature(
    level="line",
    needs=(
        *("drug_line.don_gia", "service_line.don_gia_bh", "drug_line.so_luong", "service_line.so_luong"),
        *("drug_line.ngay_yl", "service_line.ngay_yl", "encounter.ngay_vao", "encounter.facility_rank", *CODE_NEEDS),
    ),
    columns={
        "line_price_over_rank_median": "unit price over the code's median at facilities of the rank the month before",
        "line_quantity_over_rank_median": "quantity over the code's median at facilities of the rank the month before",
        "line_price_over_facility_median": "unit price over the code's median at this facility the month before",
        "line_quantity_over_facility_median": "quantity over the code's median at this facility the month before",
    },
)
def line_against_month_before(tables: ClaimTables) -> Frame:
    """Price and quantity of a line over what was usual in the calendar month before its claim's arrival; 1 is usual.

    Only lines ordered in that month are looked at, so that nothing later moves a line. Null when fewer than `MIN_LINES`
    lines of the code were ordered there, or without code, price, quantity or arrival. Needs the claims of others: alone
    in its tables a claim has no month before. Source: XML2, XML3 prices, quantities and NGAY_YL of all claims.
    """
    with_place = _dated(tables)
    for place, prefix in (("facility_rank", "rank"), ("ma_cskcb", "facility")):
        on = ["line_table", "code", place, "before"]
        with_place = with_place.join(_usual(tables, [place], prefix), on=on, how="left")
    price = nw.when(nw.col("price") > 0).then(nw.col("price"))
    quantity = nw.when(nw.col("quantity") > 0).then(nw.col("quantity"))
    return for_lines(
        with_place,
        line_price_over_rank_median=price / nw.col("rank_price"),
        line_quantity_over_rank_median=quantity / nw.col("rank_quantity"),
        line_price_over_facility_median=price / nw.col("facility_price"),
        line_quantity_over_facility_median=quantity / nw.col("facility_quantity"),
    )


@feature(
    level="line",
    needs=(
        *("drug_line.don_gia", "service_line.don_gia_bh", "drug_line.ngay_th_yl", "service_line.ngay_th_yl"),
        *("drug_line.ngay_yl", "service_line.ngay_yl", "service_line.ma_nhom", "encounter.facility_rank", *CODE_NEEDS),
    ),
    columns={
        "line_price_over_listed": "unit price over the listed one of the day; above 1: above approved; null without",
        "line_at_listed_price": "1 when the unit price is exactly the listed one of the day, else 0; null without",
    },
)
def line_listed_price(tables: ClaimTables) -> Frame:
    """Unit price against the catalogues on the day of execution (else of order): services, tenders of drugs, supplies.

    Null when no catalogue is loaded or none of its rows holds. Source: XML2, XML3 prices; catalogues of services (by
    facility, rank or all) and tenders (by facility and code).
    """
    billed = line_facts(tables).select(
        *LINE_KEY,
        "code",
        "facility_rank",
        is_service=(nw.col("line_table") == nw.lit("service_line")) & ~in_group("supply"),
        price=amount("unit_price"),
        done=_day_of_service(),
    )
    question = ["ma_cskcb", "facility_rank", "code", "done", "is_service"]
    listed = _listed(billed.filter(code_known() & ~nw.col("done").is_null()).select(*question).unique(), tables)
    price, approved = nw.col("price"), nw.col("listed_price")
    if listed is None:
        joined = billed.with_columns(listed_price=nw.lit(None, dtype=nw.Float64))
    else:
        joined = billed.join(listed, on=question, how="left")
    return for_lines(
        joined,
        line_price_over_listed=ratio(price, approved),
        line_at_listed_price=flag(nw.when(approved > 0).then((price - approved).abs() < SAME_PRICE)),
    )


def _day_of_service() -> nw.Expr:
    """Midnight of the day the line was carried out, else ordered."""
    return nw.coalesce(day("ngay_th_yl"), day("ngay_yl"))


def _listed(asked: Frame, tables: ClaimTables) -> Frame | None:
    """Different questions with their `listed_price`; None when neither catalogue is loaded."""
    services, tenders = tables.catalogues.get("services"), tables.catalogues.get("tenders")
    parts: list[Frame] = []
    if services is not None:
        parts.append(
            as_of(
                asked.filter(nw.col("is_service")),
                services,
                on=("ma_dich_vu",),
                day="done",
                take=("price",),
                prefer=("ma_cskcb", "rank"),
                called={"ma_dich_vu": "code", "rank": "facility_rank"},
                prefix="listed_",
            )
        )
    if tenders is not None:
        # of several lots the dearest: which one a line came from is told by numbers that many exporters leave out
        dearest = tenders.group_by("ma_cskcb", "code", "valid_from", "valid_to").agg(price=nw.col("price").max())
        parts.append(
            as_of(
                asked.filter(~nw.col("is_service")),
                dearest,
                on=("ma_cskcb", "code"),
                day="done",
                take=("price",),
                prefix="listed_",
            )
        )
    return nw.concat(parts, how="vertical") if parts else None
