"""Cards: whether the card was valid on the day the patient came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from detectors.base import clear, hit, not_evaluable, rule
from detectors.card_periods import CELLS, card_periods
from detectors.examples import EXAM_PRICE, exam, stay, visit
from detectors.expressions import days_between, encounter_hits
from detectors.facts import facts

if TYPE_CHECKING:
    from data.schema import ClaimTables

CARD = facts("CARD-01")


@rule(
    id="CARD-01",
    version=1,
    scheme="CARD_INVALID",
    severity="deny",
    title_vi="Khám ngoài thời hạn thẻ",
    title_en="Visit outside card validity",
    reason_vi="Ngày vào viện không nằm trong thời hạn của thẻ BHYT nào ghi trên hồ sơ; quỹ đang chi {amount} đồng.",
    reason_en="The day of arrival is in the validity of no card on the claim; the fund pays {amount} VND.",
    legal_basis="L-BHYT Đ16; ND188 Đ37-38; TT12/2026 Đ10 k1 a",
    needs=("encounter.gt_the_tu", "encounter.gt_the_den", "encounter.ngay_vao"),
    known_gaps_vi=(
        "Bỏ qua: trẻ sơ sinh dưới 28 ngày (thẻ tạm), thẻ bắt đầu có hạn trong đợt điều trị, ngày không đủ 8 chữ số, "
        "hơn 4 thẻ. Thẻ đang làm thủ tục gia hạn trông như thẻ hết hạn."
    ),
    known_gaps_en=(
        "Passed over: newborns under 28 days (temporary card), a card that becomes valid during the stay, dates that "
        "are not 8 digits, more than 4 cards. A renewal still in process looks the same as an expired card."
    ),
    examples=(
        hit(
            "thẻ hết hạn hôm trước",
            "card ended the day before",
            visit(gt_the_tu="20240101", gt_the_den="20250309"),
            exam(),
            amount=EXAM_PRICE * 0.8,
        ),
        clear("ngày cuối của thẻ", "last day of the card", visit(gt_the_den="20250310"), exam()),
        clear(
            "thẻ thứ hai còn hạn ngày đó",
            "the second of two cards covers the day",
            visit(gt_the_tu="20240101;20250101", gt_the_den="20241231;20251231"),
            exam(),
        ),
        clear(
            "đợt nội trú kéo qua ngày thẻ hết hạn",
            "stay that crosses the expiry",
            stay(days=5, gt_the_den="20250312"),
            exam(),
        ),
        clear(
            "trẻ sơ sinh chưa có thẻ",
            "newborn before the card is printed",
            visit(ngay_sinh="2025-03-09", gt_the_tu="20250312"),
            exam(),
        ),
        not_evaluable(
            "hồ sơ không ghi hạn thẻ", "no validity on the claim", visit(gt_the_tu=None, gt_the_den=None), exam()
        ),
    ),
)
def visit_outside_card(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Encounters paid by the fund whose day of arrival lies in none of the card periods."""
    arrived = nw.col("ngay_vao").dt.to_string("%Y%m%d")
    left = nw.coalesce(nw.col("ngay_ra"), nw.col("ngay_vao")).dt.to_string("%Y%m%d")
    excused = nw.col("odd")
    for card in range(CARD.max_cards):
        start, end = nw.col(f"start_{card}"), nw.col(f"end_{card}")
        covers = (start <= arrived) & (start != "") & ((arrived <= end) | (end == ""))
        begins_later = (start > arrived) & (start <= left)
        excused = excused | covers | begins_later
    born = nw.col("ngay_sinh").cast(nw.Datetime("us"))
    newborn = (days_between(born, nw.col("ngay_vao")) < CARD.newborn_days).fill_null(value=False)
    found = (
        tables.encounter.filter(nw.col("t_bhtt") > 0)
        .join(card_periods(tables, CARD.max_cards), on=CELLS, how="inner")
        .filter(~excused, ~newborn)
    )
    return encounter_hits(found, amount=nw.col("t_bhtt").cast(nw.Float64), observed=nw.lit(1.0), allowed=nw.lit(0.0))
