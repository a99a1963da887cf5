"""Bursts: one operation far oftener in a day than the facility has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from detectors.base import clear, hit, not_evaluable, rule
from detectors.examples import SURGERY_PRICE, stay, surgery
from detectors.expressions import SERVICES, carried_out, day, line_hits, lines, money, within_stay
from detectors.facts import facts
from detectors.past_days import WINDOW, with_past_days

if TYPE_CHECKING:
    from data.schema import ClaimTables
    from detectors.examples import Row

_FUND = SURGERY_PRICE * 0.8


def _ranked(found: nw.LazyFrame[Any], *by: str) -> nw.LazyFrame[Any]:
    """`found` (line, date, at) with its place by the clock among those of one `by` and day."""
    where = ["ma_cskcb", *by, "date"]
    return found.with_columns(rank=nw.col("ma_lk").cum_count().over(*where, order_by=["at", "ma_lk", "row_no"]))


_PHACO: Row = {"ten_dich_vu": "Phẫu thuật tán nhuyễn thể thủy tinh bằng siêu âm (Phaco)", "ma_dich_vu": "14.0005.0815"}


def _eyes(count: int) -> tuple[Row, ...]:
    """So many cataract operations of other patients, one every quarter of an hour from seven."""
    told: list[Row] = []
    for n in range(count):
        start = f"2025-03-10 {7 + n // 4:02}:{n % 4 * 15:02}"
        told += [stay(at="2025-03-10 06:00", patient_id=f"E{n}"), surgery(start, minutes=12, **_PHACO)]
    return tuple(told)


@rule(
    id="BUR-01",
    version=1,
    scheme="CATARACT_CAMPAIGN",
    severity="info",
    title_vi="Số ca của một phẫu thuật tăng vọt trong ngày",
    title_en="One operation far oftener in a day than the facility has it",
    reason_vi="Ca thứ {observed} trong ngày của cùng một phẫu thuật; nhịp thường lệ của cơ sở: {allowed}; {amount}.",
    reason_en="Number {observed} of one operation that day; by the facility's own usual pace {allowed}; {amount}.",
    legal_basis="ND90 Đ95 (chưa kiểm chứng)",
    context="facility",
    needs=("service_line.ma_dich_vu",),
    known_gaps_vi=(
        "Có thêm phẫu thuật viên, thêm bàn mổ hay đợt mổ đã được duyệt cũng làm số ca tăng vọt. Nhịp thường là của "
        "tháng trước; cơ sở tuần nào cũng mổ hàng loạt thì nhịp đã cao nên không bị nêu."
    ),
    known_gaps_en=(
        "A new surgeon, a new table or an approved campaign is a jump too. The pace is that of the month before; a "
        "facility that does it in rows every week has a high pace and is not named."
    ),
    examples=(
        hit(
            "năm ca, trong khi cả tháng trước không có",
            "five where there were none for a month",
            *_eyes(4),
            stay(at="2025-03-10 06:30"),
            surgery("2025-03-10 15:00", **_PHACO),
            amount=_FUND,
        ),
        clear(
            "bốn ca trong ngày",
            "four in a day",
            *_eyes(3),
            stay(at="2025-03-10 06:30"),
            surgery("2025-03-10 15:00", **_PHACO),
        ),
        clear(
            "các ca mổ khác nhau",
            "different operations",
            *_eyes(4),
            stay(at="2025-03-10 06:30"),
            surgery("2025-03-10 15:00"),
        ),
        not_evaluable("thiếu mã dịch vụ", "no code", stay(), surgery("2025-03-10 15:00", ma_dich_vu=None)),
    ),
)
def burst(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Operations beyond what a day of the facility may hold, by its own month before."""
    known = facts("BUR-01")
    which = ["ma_cskcb", "ma_dich_vu"]
    done = (
        lines(tables, SERVICES, "ma_dich_vu", "ma_nhom", "ngay_th_yl", "ngay_yl", "t_bhtt")
        .filter(nw.col("ma_nhom").is_in(known.groups), money("t_bhtt") > 0, ~nw.col("ma_dich_vu").is_null())
        .with_columns(at=carried_out())
        .filter(~nw.col("at").is_null())
        .with_columns(date=day(nw.col("at")))
    )
    done = within_stay(done, tables, nw.col("at"))
    ranked = _ranked(done, "ma_dich_vu")
    crowded = ranked.filter(nw.col("rank") > known.least)
    days = done.group_by(*which, "date").agg(count=nw.col("ma_lk").count())
    busy = crowded.select(*which, "date").unique([*which, "date"])
    pace = (
        with_past_days(busy, days, on=which, take=["count"])
        .group_by(*which, "date")
        .agg(seen=nw.col("p_count").sum().cast(nw.Float64))
        .with_columns(usual=nw.col("seen") / WINDOW * known.times)
        .select(*which, "date", "usual")
    )
    most = nw.max_horizontal(nw.col("usual").fill_null(0.0), nw.lit(float(known.least)))
    over = crowded.join(pace, on=[*which, "date"], how="left").with_columns(most=most)
    over = over.filter(nw.col("rank") > nw.col("most"))
    return line_hits(over, amount=money("t_bhtt"), observed=nw.col("rank"), allowed=nw.col("most"))
