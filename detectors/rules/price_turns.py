"""Prices that turn back: one item at a facility whose price had come down and is charged at the old one again.

A price that only rises, or only falls, is a new price; one that goes down and up again within a month is two prices
at once. So a line is named when a line before it was cheaper and a line before that one dearer again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.schema import ENCOUNTER_KEY, reused
from detectors.base import clear, hit, not_evaluable, rule
from detectors.examples import drug, service, visit
from detectors.expressions import (
    DRUGS,
    SERVICES,
    SUPPLIES,
    carried_out,
    line_hits,
    lines,
    minutes_between,
    money,
    within_stay,
)
from detectors.facts import facts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from data.schema import ClaimTables
    from detectors.examples import Row

KEY: list[str] = list(ENCOUNTER_KEY)
ORDER = ["at", "ma_lk", "row_no"]
_GAPS_VI = (
    "Dòng chỉ bị nêu khi trong 30 ngày trước có dòng rẻ hơn, và trước dòng đó có dòng đắt hơn hoặc bằng: những dòng "
    "đầu ở giá cao, và giá tăng một lần, thì không. Việc sửa giá rồi rút lại trông cũng như vậy. "
)
_GAPS_EN = (
    "A line is named only when a cheaper one, and a dearer or equal one before that, stand within the thirty days "
    "before it: the first lines at the higher price, and a price that rose once, are not. A correction that was taken "
    "back looks the same. "
)


def _turned_back(
    told: nw.LazyFrame[Any], tables: ClaimTables, item: Sequence[str], *, tolerance: float, days: int
) -> nw.LazyFrame[Any]:
    """Lines (`price`) that are dearer than the price their `item` had come down to, with it as `low`."""
    same, at, price = ["ma_cskcb", *item], nw.col("at"), nw.col("price")
    several = told.group_by(*same).agg(least=price.min(), most=price.max())
    several = several.filter(nw.col("most") > nw.col("least") + tolerance).select(*same)
    used = within_stay(told.join(several, on=same, how="semi").with_columns(at=carried_out()), tables, at)
    ordered = reused(
        used.with_columns(
            was=price.shift(1).over(*same, order_by=ORDER), was_at=at.shift(1).over(*same, order_by=ORDER)
        )
        # each fall begins a new spell, in which the price it fell to is the one to keep to
        .with_columns(fell=(nw.col("was") > price + tolerance).fill_null(value=False).cast(nw.Int64))
        .with_columns(falls=nw.col("fell").cum_sum().over(*same, order_by=ORDER))
    )
    fallen = ordered.filter(nw.col("fell") == 1).select(
        *same, "falls", low=price, from_price=nw.col("was"), from_at=nw.col("was_at")
    )
    found = ordered.join(fallen, on=[*same, "falls"], how="inner")
    return found.filter(
        price > nw.col("low") + tolerance,
        price <= nw.col("from_price") + tolerance,
        minutes_between(nw.col("from_at"), at) <= days * 1440,
    )


def _sold(kind: str, *prices: float, every: int = 2, **fields: Any) -> tuple[Row, ...]:
    """The item in a visit of another patient every so many days of March, at each of the prices."""
    told: list[Row] = []
    for number, price in enumerate(prices):
        told.append(visit(f"2025-03-{1 + number * every:02} 08:00", patient_id=f"W{number}"))
        if kind == "drug":
            named: Row = {"ham_luong": "500mg", "so_dang_ky": "VD-1", "tt_thau": "123/QĐ-BV;G1;N2"}
            told.append(drug(days=10, per_day=1, don_gia=price, **{**named, **fields}))
        else:
            told.append(service(price=price, **fields))
    return tuple(told)


@rule(
    id="DRG-32",
    version=1,
    scheme="DRUG_PRICE_OVER_BID",
    severity="warn",
    context="facility",
    title_vi="Một thuốc cùng gói thầu có nhiều giá",
    title_en="One lot with several prices",
    reason_vi="Thuốc tính {observed} đồng sau khi cùng gói thầu đã tính {allowed} đồng; phần chênh {amount}.",
    reason_en="The drug is charged at {observed} VND after the same lot had been at {allowed}; {amount} too much.",
    legal_basis="ND90 Đ88; TT12/2026 Đ10 k1 d",
    needs=("drug_line.don_gia", "drug_line.tt_thau", "drug_line.so_dang_ky"),
    known_gaps_vi=f"{_GAPS_VI}Lô thuốc nhận biết theo thuốc, hàm lượng, số đăng ký và quyết định trúng thầu.",
    known_gaps_en=f"{_GAPS_EN}Lots are told by drug, strength, registration and decision of the tender.",
    examples=(
        hit("giảm rồi tăng lại", "down, and up again", *_sold("drug", 1000, 800, 1000), amount=10 * 200 * 0.8),
        hit("tăng lại, lần thứ hai", "up again, the second time",
            *_sold("drug", 1000, 800, 800, 1000), amount=10 * 200 * 0.8),
        clear("giá giảm", "the price came down", *_sold("drug", 1000, 1000, 800, 800)),
        clear("giá tăng", "the price went up", *_sold("drug", 800, 800, 1000, 1000)),
        clear("lô khác", "another lot", *_sold("drug", 1000, 800), *_sold("drug", 1000, tt_thau="124/QĐ-BV;G1;N2")),
        clear("tăng lại sau một tháng", "up again after a month",
              *_sold("drug", 1000, 800), visit("2025-04-10 08:00", patient_id="W9"),
              drug(days=10, per_day=1, don_gia=1000, ham_luong="500mg", so_dang_ky="VD-1", tt_thau="123/QĐ-BV;G1;N2")),
        not_evaluable("thiếu thông tin thầu", "no tender", visit(), drug(tt_thau=None, so_dang_ky="VD-1")),
    ),
)  # fmt: skip
def lot_dearer_again(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Drugs charged at the price their lot had before it came down."""
    known = facts("DRG-32")
    item = ("ma_thuoc", "ham_luong", "so_dang_ky", "tt_thau")
    told = (
        lines(tables, DRUGS, *item, "don_gia", "ngay_yl", "ngay_th_yl", "t_bhtt")
        .filter(
            money("t_bhtt") > 0,
            money("don_gia") > 0,
            ~nw.any_horizontal(
                *(nw.col(c).is_null() for c in ("ma_thuoc", "so_dang_ky", "tt_thau")), ignore_nulls=False
            ),
        )
        .with_columns(nw.col("ham_luong").fill_null(""), price=money("don_gia"))
    )
    found = _turned_back(told, tables, item, tolerance=known.tol_vnd, days=known.days)
    price, low = nw.col("price"), nw.col("low")
    return line_hits(found, amount=(price - low) / price * money("t_bhtt"), observed=price, allowed=low)


@rule(
    id="SRV-33",
    version=1,
    scheme="PRICE_OVER_APPROVED",
    severity="warn",
    context="facility",
    title_vi="Một mã dịch vụ nhiều đơn giá trong tháng",
    title_en="One code with several prices in a month",
    reason_vi="Dịch vụ tính {observed} đồng sau khi cùng mã đã tính {allowed} đồng; phần chênh {amount}.",
    reason_en="The service is charged at {observed} VND after the same code had been at {allowed}; {amount} too much.",
    legal_basis="ND90 Đ88",
    needs=("service_line.don_gia_bh", "service_line.ma_nhom"),
    known_gaps_vi=f"{_GAPS_VI}Nhận biết theo cả mã và tên, vì mã dùng cho hai dịch vụ thì có hai giá. Bỏ qua vật tư.",
    known_gaps_en=(
        f"{_GAPS_EN}Told by code and name together, for a code that stands for two services has two prices. Supplies "
        "are passed over."
    ),
    examples=(
        hit("giảm rồi tăng lại", "down, and up again", *_sold("service", 60_000, 50_000, 60_000), amount=10_000 * 0.8),
        clear("giá mới", "a new price", *_sold("service", 50_000, 50_000, 60_000, 60_000)),
        clear("giá thấp hơn", "a lower price", *_sold("service", 60_000, 50_000, 50_000)),
        clear("lần hai tính nửa giá", "half of it the second time",
              *_sold("service", 60_000, 60_000), *_sold("service", 60_000, ratio=50)),
        clear("hai dịch vụ cùng một mã", "two services of one code",
              *_sold("service", 60_000), visit("2025-03-03 08:00", patient_id="W8"),
              service(price=50_000, ten_dich_vu="Một tên khác"), visit("2025-03-05 08:00", patient_id="W9"),
              service(price=60_000)),
        not_evaluable("thiếu đơn giá", "no price", visit(), service(don_gia_bh=None)),
    ),
)  # fmt: skip
def service_dearer_again(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Services charged at the price their code had before it came down."""
    known = facts("SRV-33")
    item = ("ma_dich_vu", "ten_dich_vu", "ma_nhom")
    told = (
        lines(tables, SERVICES, *item, "don_gia_bh", "ngay_yl", "ngay_th_yl", "t_bhtt")
        .filter(
            ~nw.col("ma_nhom").is_in(SUPPLIES),
            money("t_bhtt") > 0,
            money("don_gia_bh") > 0,
            ~nw.col("ma_dich_vu").is_null(),
            ~nw.col("ten_dich_vu").is_null(),
        )
        .with_columns(price=money("don_gia_bh"))
    )
    found = _turned_back(told, tables, item, tolerance=known.tol_vnd, days=known.days)
    price, low = nw.col("price"), nw.col("low")
    return line_hits(found, amount=(price - low) / price * money("t_bhtt"), observed=price, allowed=low)
