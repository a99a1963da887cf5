"""Cards over time: cost after a card has run out, a card of odd structure, a child's card that was outgrown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.schema import ENCOUNTER_KEY
from detectors.base import clear, hit, not_evaluable, rule
from detectors.card_periods import CELLS, card_periods
from detectors.examples import EXAM_PRICE, TEST_PRICE, exam, service, stay, visit
from detectors.expressions import LINES, encounter_hits, line_hits, lines, money
from detectors.facts import facts

if TYPE_CHECKING:
    from data.schema import ClaimTables

AFTER = facts("CARD-02")
STRUCTURE = facts("CARD-03")
CHILD = facts("BEN-05")

END_OF_MONTH, END_OF_YEAR = 31, 1231


@rule(
    id="CARD-02",
    version=1,
    scheme="CARD_INVALID",
    severity="deny",
    title_vi="Chi phí sau khi thẻ hết hạn quá 15 ngày trong đợt điều trị",
    title_en="Cost after expiry beyond the 15-day allowance",
    reason_vi="Y lệnh sau ngày thẻ hết hạn {observed} ngày (được tính thêm tối đa {allowed} ngày).",
    reason_en="Ordered {observed} days after the card ended (at most {allowed} days more are covered).",
    legal_basis="ND188 Đ50 k4 (chưa kiểm chứng)",
    needs=(
        "encounter.gt_the_tu",
        "encounter.gt_the_den",
        "encounter.ngay_vao",
        "drug_line.ngay_yl",
        "service_line.ngay_yl",
    ),
    known_gaps_vi=(
        "Bỏ qua: vào viện khi không thẻ nào còn hạn (CARD-01 xét), ngày không đủ 8 chữ số, hơn 4 thẻ, thẻ không ghi "
        "hạn cuối, dòng sau khi ra viện (TIME-01, TIME-02). Thẻ đã gia hạn mà không nhập trông cũng như vậy. Dòng "
        "giường kéo dài cả đợt được xét theo lúc ra y lệnh, tức đầu dòng."
    ),
    known_gaps_en=(
        "Passed over: an arrival outside every card (that is CARD-01), dates that are not 8 digits, more than 4 "
        "cards, a card without an end, lines after leaving (TIME-01, 02). A renewal that nobody typed looks the same. "
        "A bed line that covers the whole stay is judged by its order, at its beginning."
    ),
    examples=(
        hit(
            "xét nghiệm ba tuần sau khi thẻ hết hạn",
            "test three weeks after the card ended",
            stay(days=30, gt_the_den="20250312"),
            service(),
            service(ngay_yl="2025-04-02 09:00"),
            amount=TEST_PRICE * 0.8,
        ),
        clear(
            "ngày thứ 15", "fifteenth day", stay(days=30, gt_the_den="20250312"), service(ngay_yl="2025-03-27 09:00")
        ),
        clear(
            "thẻ thứ hai nối tiếp",
            "a second card takes over",
            stay(days=30, gt_the_tu="20240401;20250313", gt_the_den="20250312;20260312"),
            service(ngay_yl="2025-04-02 09:00"),
        ),
        clear(
            "thẻ đã hết hạn trước khi vào viện",
            "card had ended before the patient came",
            visit(gt_the_den="20240101"),
            service(),
        ),
        not_evaluable("thiếu hạn cuối của thẻ", "no end of the card", stay(gt_the_den=None), service()),
    ),
)
def cost_after_expiry(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Lines ordered more than the allowance after the last card ended, in encounters that began with a valid card."""
    arrived = nw.col("ngay_vao").dt.to_string("%Y%m%d")
    covered, odd, last = nw.lit(value=False), nw.col("odd"), nw.lit("")
    for card in range(AFTER.max_cards):
        start, end = nw.col(f"start_{card}"), nw.col(f"end_{card}")
        odd = odd | ((start != "") & (end == ""))
        covered = covered | ((start != "") & (start <= arrived) & (arrived <= end))
        last = nw.max_horizontal(last, end)
    # what was ordered after leaving is another rule's; few encounters outlast a card, so few lines are dated
    left = nw.coalesce(nw.col("ngay_ra"), nw.col("ngay_vao").dt.offset_by("366d")).dt.to_string("%Y%m%d")
    began = (
        tables.encounter.join(card_periods(tables, AFTER.max_cards), on=CELLS, how="inner")
        .filter(covered, ~odd)
        .with_columns(last=last, left=left)
        .filter(nw.col("left") > nw.col("last"))
        .select(*ENCOUNTER_KEY, "last")
    )
    ordered = nw.col("ngay_yl")
    found = (
        lines(tables, LINES, "ngay_yl", "t_bhtt")
        .join(began, on=list(ENCOUNTER_KEY), how="inner")
        .filter(
            money("t_bhtt") > 0, ordered.dt.offset_by(f"-{AFTER.max_days}d").dt.to_string("%Y%m%d") > nw.col("last")
        )
    )
    return line_hits(
        found,
        amount=money("t_bhtt"),
        observed=_day_number(ordered.dt.to_string("%Y%m%d")) - _day_number(nw.col("last")),
        allowed=nw.lit(float(AFTER.max_days)),
    )


def _day_number(text: nw.Expr) -> nw.Expr:
    """Days since a fixed day of a date written yyyymmdd (days of the civil calendar, by arithmetic alone)."""
    year, month, day = (text.str.slice(start, length).cast(nw.Float64) for start, length in ((0, 4), (4, 2), (6, 2)))
    late = ((14 - month) / 12).floor()  # January and February count as months 13 and 14 of the year before
    y, m = year - late, month + 12 * late
    return day + ((153 * (m - 3) + 2) / 5).floor() + 365 * y + (y / 4).floor() - (y / 100).floor() + (y / 400).floor()


@rule(
    id="CARD-03",
    version=1,
    scheme="CARD_INVALID",
    severity="info",
    title_vi="Mã thẻ sai cấu trúc",
    title_en="Card code with wrong structure",
    reason_vi="Ba ký tự đầu của mã thẻ không phải là hai chữ cái mã đối tượng và một chữ số quyền lợi từ 1 đến 5.",
    reason_en="The card does not begin with two letters of the object group and a benefit digit from 1 to 5.",
    legal_basis="TT12/2026 Đ10 k1 a; QĐ 1351/QĐ-BHXH 2015 (chưa kiểm chứng)",
    needs=("encounter.card_class",),
    known_gaps_vi=(
        "Chỉ xét ba ký tự đầu của thẻ thứ nhất: số thẻ lưu dạng giả danh, dạng của số do khâu tiếp nhận kiểm tra. Thẻ "
        "chỉ in 10 số có thể được ghi không có ba ký tự này."
    ),
    known_gaps_en=(
        "Only the first three characters of the first card are judged: the number itself is kept as a pseudonym, and "
        "intake checks its form. Cards printed with the ten digits alone may be written without the three characters."
    ),
    examples=(
        hit("ký tự mức hưởng là 7", "benefit digit 7", visit(card_class="DN7"), exam(), amount=EXAM_PRICE * 0.8),
        clear("thẻ người lao động", "employee's card", visit(card_class="DN4"), exam()),
        clear("thẻ tạm của trẻ sơ sinh", "temporary card of a newborn", visit(card_class="TE1"), exam()),
        not_evaluable("không có thẻ", "no card", visit(card_class=None), exam()),
    ),
)
def odd_card(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Encounters paid by the fund whose card class has not the form of one."""
    found = tables.encounter.filter(
        ~nw.col("card_class").str.strip_chars().str.to_uppercase().str.contains(STRUCTURE.pattern), money("t_bhtt") > 0
    )
    return encounter_hits(found, amount=money("t_bhtt"), observed=nw.lit(1.0), allowed=nw.lit(0.0))


@rule(
    id="BEN-05",
    version=1,
    scheme="CARD_INVALID",
    severity="warn",
    title_vi="Thẻ trẻ em dùng sau 72 tháng tuổi",
    title_en="Child card used after 72 months",
    reason_vi="Thẻ trẻ em dùng ngày {observed}, sau ngày cuối {allowed} (đủ 72 tháng, hoặc 30/9 của năm đó).",
    reason_en="A child's card is used on {observed}, after its last day {allowed} (72 months, or 30 September).",
    legal_basis="L-BHYT Đ16 k3 (chưa kiểm chứng); ND90 Đ90",
    needs=("encounter.card_class", "encounter.ngay_sinh", "encounter.ngay_vao"),
    known_gaps_vi=(
        "Ngày ghi dạng yyyymmdd. Cả tháng mà trẻ đủ 72 tháng đều được tính là còn hạn; chỉ biết năm sinh thì tính cả "
        "năm. Nếu trẻ có thẻ khác còn hạn thì chỉ phần cùng chi trả bị ảnh hưởng; thẻ đó không có trên hồ sơ."
    ),
    known_gaps_en=(
        "Days are written yyyymmdd. The month in which the child turns 72 months counts as a whole, and where only "
        "the year of birth is known the year does. Where the child has another valid card only the co-payment is at "
        "stake; that card is not on the claim."
    ),
    examples=(
        hit(
            "bảy tuổi, dùng thẻ trẻ em",
            "seven years old on a child's card",
            visit(card_class="TE1", ngay_sinh="2018-02-01"),
            exam(),
            amount=EXAM_PRICE * 0.8,
        ),
        clear(
            "tròn sáu tuổi tháng 1, trước ngày 30/9",
            "turned six in January, before 30 September",
            visit(card_class="TE1", ngay_sinh="2019-01-15"),
            exam(),
        ),
        clear("bốn tuổi", "four years old", visit(card_class="TE1", ngay_sinh="2020-06-01"), exam()),
        clear("thẻ người lớn", "adult's card", visit(card_class="DN4", ngay_sinh="1985-02-01"), exam()),
        not_evaluable("thiếu ngày sinh", "no date of birth", visit(card_class="TE1", ngay_sinh=None), exam()),
    ),
)
def outgrown_child_card(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Encounters paid on a child's card after the last day it can be valid."""
    born, arrived = nw.col("ngay_sinh"), nw.col("ngay_vao")
    # as floats: month and day are 8-bit numbers on one engine
    year, month = born.dt.year().cast(nw.Float64), born.dt.month().cast(nw.Float64)
    turned = month * 100 + END_OF_MONTH
    limit = (
        nw.when(nw.col("birth_precision").is_in(["minute", "day", "month"]))
        .then(nw.max_horizontal(turned, nw.lit(float(CHILD.until))))
        .otherwise(nw.lit(float(END_OF_YEAR)))
    )
    found = (
        tables.encounter.filter(
            nw.col("card_class").str.to_uppercase().str.starts_with(CHILD.object), money("t_bhtt") > 0
        )
        .with_columns(
            last=(year + CHILD.years) * 10_000 + limit,
            used=arrived.dt.to_string("%Y%m%d").cast(nw.Float64),
        )
        .filter(nw.col("used") > nw.col("last"))
    )
    return encounter_hits(found, amount=money("t_bhtt"), observed=nw.col("used"), allowed=nw.col("last"))
