"""Quantity: more of a drug within thirty days than the whole tender it names was for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.asof import as_of
from data.schema import ENCOUNTER_KEY, reused
from detectors.base import clear, hit, not_evaluable, rule
from detectors.examples import PILL_PRICE, drug, listed, visit
from detectors.expressions import DRUGS, carried_out, catalogue, day, line_hits, lines, money, within_stay
from detectors.facts import facts
from detectors.past_days import with_past_days

if TYPE_CHECKING:
    from data.schema import ClaimTables
    from detectors.examples import Row

KEY: list[str] = list(ENCOUNTER_KEY)
LOT = ["ma_cskcb", "code", "so_dang_ky", "tt_thau"]
ORDER = ["at", "ma_lk", "row_no"]
_TENDER = "100/QĐ-BV;G1;N1;2025"


def _bought(quantity: float, **fields: Any) -> Row:
    """A tender of the worked examples' drug."""
    told: dict[str, Any] = {"ma_cskcb": "01001", "code": "40.48", "so_dang_ky": "VD-1", "tt_thau": _TENDER, **fields}
    return listed("tenders", **{"price": PILL_PRICE, "quantity": quantity, "valid_to": "2025-12-31", **told})


def _given(*days: int, month: int = 3, **fields: Any) -> tuple[Row, ...]:
    """Twenty tablets to a patient of its own on each of the days of a month."""
    told: list[Row] = []
    for number, of_month in enumerate(days):
        told.append(visit(f"2025-{month:02}-{of_month:02} 08:00", patient_id=f"W{month}-{number}"))
        named: dict[str, Any] = {"so_dang_ky": "VD-1", "tt_thau": _TENDER, **fields}
        told.append(drug(**named))
    return tuple(told)


@rule(
    id="DRG-33",
    version=1,
    scheme="BID_QTY_EXCEEDED",
    severity="warn",
    context="facility",
    title_vi="Tổng số lượng vượt số lượng trúng thầu",
    title_en="Quantity above tender",
    reason_vi="Riêng 30 ngày, cơ sở đã tính {observed} đơn vị, vượt cả gói thầu {allowed}; phần vượt {amount}.",
    reason_en="Within thirty days {observed} units were charged, above the whole tender of {allowed}: {amount}.",
    legal_basis="TT12/2026 Đ10 k1 m; ND188 Đ43",
    needs=("drug_line.ma_thuoc", "drug_line.tt_thau", "drug_line.so_dang_ky", "drug_line.so_luong"),
    catalogues=("tenders",),
    known_gaps_vi=(
        "Chỉ đếm 30 ngày trước mỗi dòng, không phải cả hợp đồng: dòng bị nêu chắc chắn vượt số thầu, nhưng phần lớn "
        "dòng vượt không được nêu. Mua thêm theo tùy chọn và thuốc nhận từ cơ sở khác nâng giới hạn mà không thấy "
        "được; dòng ghi như vậy (C…) thì bỏ qua. Không tính vật tư."
    ),
    known_gaps_en=(
        "Only the thirty days before a line are counted, not the whole contract: what is named is above the tender "
        "for certain, most that is above it is not named. Additional purchases by option and drugs that another "
        "facility handed over raise the limit unseen; lines that say so (C…) are passed over. Supplies are not "
        "counted."
    ),
    examples=(
        hit(
            "lần thứ sáu, mỗi lần 20, số thầu 100",
            "the sixth twenty of a hundred",
            _bought(100),
            *_given(3, 5, 7, 10, 12, 14),
            amount=20 * PILL_PRICE * 0.8,
        ),
        hit("một nửa vượt số thầu", "half of it above", _bought(50), *_given(3, 5, 7), amount=10 * PILL_PRICE * 0.8),
        clear("vừa hết viên cuối", "to the last tablet", _bought(100), *_given(3, 5, 7, 10, 12)),
        clear("rải trong hai tháng", "over two months", _bought(100), *_given(3, 5, 7, month=1), *_given(5, 7, 10)),
        clear(
            "số đăng ký khác",
            "another registration",
            _bought(100),
            *_given(3, 5, 7),
            *_given(10, 12, 14, so_dang_ky="VD-2"),
        ),
        clear(
            "nhận từ cơ sở khác",
            "handed over by another",
            _bought(100),
            *_given(3, 5, 7),
            *_given(10, 12, 14, ma_cskcb_thuoc="C.01002"),
        ),
        not_evaluable(
            "thiếu thông tin thầu", "no tender", _bought(100), visit(), drug(so_dang_ky="VD-1", tt_thau=None)
        ),
    ),
)
def above_tender_quantity(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Drugs given after their tender's whole quantity was charged within thirty days."""
    known = facts("DRG-33")
    at, units = nw.col("at"), nw.col("units")
    told = lines(
        tables,
        DRUGS,
        "ma_thuoc",
        "so_dang_ky",
        "tt_thau",
        "ma_cskcb_thuoc",
        "so_luong",
        "ngay_yl",
        "ngay_th_yl",
        "t_bhtt",
    ).filter(
        money("so_luong") > 0,
        money("t_bhtt") > 0,
        ~nw.col("so_dang_ky").is_null(),
        ~nw.col("tt_thau").is_null(),
        ~nw.col("ma_cskcb_thuoc").fill_null("").str.starts_with(known.transferred),
    )
    tenders = catalogue(tables, "tenders").filter(
        nw.col("quantity") > 0, ~nw.col("so_dang_ky").is_null(), ~nw.col("tt_thau").is_null()
    )
    # in thousandths: whole numbers add up to the same in any order
    given = reused(
        told.with_columns(
            at=carried_out(),
            code=nw.col("ma_thuoc").str.strip_chars(),
            so_dang_ky=nw.col("so_dang_ky").str.strip_chars(),
            tt_thau=nw.col("tt_thau").str.strip_chars(),
            units=(money("so_luong") * 1000 + 0.5).floor().cast(nw.Int64),
        )
    )
    # a lot that never came to the least of its tenders cannot be above one of them
    least = tenders.group_by(*LOT).agg(least=nw.col("quantity").min())
    many = (
        given.group_by(*LOT)
        .agg(units.sum())
        .join(least, on=LOT, how="inner")
        .filter(units > nw.col("least") * 1000)
        .select(*LOT)
    )
    used = reused(within_stay(given.join(many, on=LOT, how="semi"), tables, at).with_columns(date=day(at)))
    days = reused(used.group_by(*LOT, "date").agg(units.sum()))
    before = (
        with_past_days(days.select(*LOT, "date"), days, on=LOT, take=("units",))
        .group_by(*LOT, "date")
        .agg(before=nw.col("p_units").sum())
    )
    limits = as_of(
        days.select(*LOT, "date"),
        tenders,
        on=("ma_cskcb", "code", "so_dang_ky", "tt_thau"),
        day="date",
        take=("quantity",),
    ).filter(~nw.col("quantity").is_null())
    total = (nw.col("today") + nw.col("before").fill_null(0)).cast(nw.Float64) / 1000
    found = (
        used.with_columns(today=units.cum_sum().over(*LOT, "date", order_by=ORDER))
        .join(limits, on=[*LOT, "date"], how="inner")
        .join(before, on=[*LOT, "date"], how="left")
        .with_columns(total=total, most=nw.col("quantity") * (1 + known.option))
        .filter(nw.col("total") > nw.col("most"))
        .with_columns(above=nw.min_horizontal(nw.col("total") - nw.col("most"), money("so_luong")))
    )
    return line_hits(
        found,
        amount=nw.col("above") / money("so_luong") * money("t_bhtt"),
        observed=nw.col("total"),
        allowed=nw.col("most"),
    )
