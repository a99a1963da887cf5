"""Benefit levels and co-payment: what share the fund pays, and what the patient is asked for."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import narwhals as nw

from detectors.base import clear, hit, not_evaluable, rule
from detectors.examples import TEST_PRICE, drug, service, visit
from detectors.expressions import LINES, base_salary, care_type, line_hits, lines, money, with_encounter
from detectors.facts import facts

if TYPE_CHECKING:
    from data.schema import ClaimTables

BENEFIT, UNINSURED, WHOLE = facts("BEN-01"), facts("BEN-06"), facts("LTH-03")
COMMUNE_CODE, COMMUNE_SINCE = "1.2", datetime.fromisoformat("2025-07-01")


@rule(
    id="BEN-01",
    version=1,
    scheme="BENEFIT_LEVEL_WRONG",
    severity="deny",
    title_vi="Mức hưởng cao hơn ký hiệu thẻ",
    title_en="Benefit above card class",
    reason_vi="Mức hưởng {observed}% cao hơn mức {allowed}% theo ký tự thứ ba của thẻ; phần chênh {amount} đồng.",
    reason_en=(
        "Benefit {observed}% is above the {allowed}% of the card's third character; the difference is {amount} VND."
    ),
    legal_basis="L-BHYT Đ22; TT12/2026 Đ10 k1 b",
    needs=(
        "encounter.card_class",
        "encounter.t_tongchi_bh",
        "encounter.ngay_vao",
        "drug_line.muc_huong",
        "service_line.muc_huong",
    ),
    known_gaps_vi=(
        "Bỏ qua: tổng chi phí dưới 15% lương cơ sở, tuyến xã (mã đối tượng 1.2 từ 07/2025, lưu tại trạm, cơ sở mà "
        "danh mục ghi là cấp xã), có ngày miễn cùng chi trả, hai thẻ trong một đợt, vết thương tái phát, giảm mức "
        "hưởng vì trái tuyến (quy tắc không hỏi vì sao mức hưởng thấp). Cơ sở để trống NGAY_MIEN_CCT của người được "
        "miễn trông như áp sai mức hưởng."
    ),
    known_gaps_en=(
        "Passed over: totals under 15% of the base salary, commune level (access code 1.2 from 07/2025, stays at a "
        "station, facilities the catalogue calls commune), a date of co-payment exemption, two cards in one "
        "encounter, recurrent war wounds, off-route reductions (the rule never asks why a benefit is low). A facility "
        "that leaves NGAY_MIEN_CCT blank for an exempt patient looks like a wrong benefit."
    ),
    examples=(
        hit(
            "thẻ mức hưởng 4, thanh toán 100%",
            "100% on a card of class 4",
            visit(),
            service(price=TEST_PRICE * 5, muc_huong=100),
            amount=TEST_PRICE * 5 * 0.2,
        ),
        clear("thẻ mức hưởng 4, thanh toán 80%", "80% on a card of class 4", visit(), service(price=TEST_PRICE * 5)),
        clear(
            "100% vì tổng chi phí dưới 15% lương cơ sở",
            "100% because the total is under 15% of the base salary",
            visit(),
            service(muc_huong=100),
        ),
        clear(
            "được miễn cùng chi trả",
            "exempt from co-payment",
            visit(ngay_mien_cct="20250101"),
            service(price=TEST_PRICE * 5, muc_huong=100),
        ),
        clear("thẻ mức hưởng 2", "card of class 2", visit(card_class="HN2"), drug(quantity=900, muc_huong=100)),
        not_evaluable(
            "thiếu ký hiệu thẻ", "no card class", visit(card_class=None), service(price=TEST_PRICE * 5, muc_huong=100)
        ),
    ),
)
def benefit_above_card(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Lines paid at more than the card's benefit digit gives, where nothing known lifts the benefit."""
    digit = nw.col("card_class").str.slice(2, 1)
    base = nw.lit(None, dtype=nw.Float64)
    for value, percent in BENEFIT.map.items():
        base = nw.when(digit == value).then(nw.lit(float(percent))).otherwise(base)
    arrived = nw.col("ngay_vao")
    lifted = nw.any_horizontal(
        money("t_tongchi_bh") < BENEFIT.pct_salary * base_salary(arrived),
        (nw.col("ma_doituong_kcb").str.strip_chars() == COMMUNE_CODE) & (arrived >= nw.lit(COMMUNE_SINCE)),
        care_type() == "06",
        nw.col("facility_kind") == "commune",
        nw.col("ngay_mien_cct").str.strip_chars() != "",
        nw.col("gt_the_tu").str.contains(";", literal=True),
        ignore_nulls=True,
    )
    judged = tables.encounter.filter(~lifted, base_salary(arrived) > 0, money("t_tongchi_bh") >= 0)
    found = (
        lines(tables, LINES, "muc_huong", "thanh_tien_bh", "t_bhtt", "vet_thuong_tp")
        .join(judged.select("ma_cskcb", "ma_lk", base=base), on=["ma_cskcb", "ma_lk"], how="inner")
        .filter(money("muc_huong") > nw.col("base"), money("t_bhtt") > 0, nw.col("vet_thuong_tp").fill_null(0) != 1)
    )
    excess = (money("muc_huong") - nw.col("base")) / 100 * money("thanh_tien_bh")
    return line_hits(found, amount=excess, observed=money("muc_huong"), allowed=nw.col("base"))


@rule(
    id="BEN-06",
    version=1,
    scheme="BENEFIT_LEVEL_WRONG",
    severity="deny",
    title_vi="Đối tượng không dùng BHYT vẫn có tiền quỹ",
    title_en="Fund money for a patient who does not use insurance",
    reason_vi="Mã đối tượng 9 (không dùng BHYT) nhưng quỹ chi {amount} đồng.",
    reason_en="Access code 9 (insurance not used) but the fund pays {amount} VND.",
    legal_basis="QĐ 3276/QĐ-BYT 2025; TT12/2026 Đ10 k1 k",
    needs=("encounter.ma_doituong_kcb",),
    known_gaps_vi="Đề nghị đã rút (mã 8) không đến quy tắc: khâu tiếp nhận đã loại khỏi hồ sơ hiện hành.",
    known_gaps_en="Withdrawn requests (code 8) never reach the rules: intake takes them out of the current claims.",
    examples=(
        hit(
            "mã 9 mà có tiền quỹ",
            "code 9 with fund money",
            visit(ma_doituong_kcb="9"),
            service(),
            amount=TEST_PRICE * 0.8,
        ),
        clear("mã 9, không có tiền quỹ", "code 9 without fund money", visit(ma_doituong_kcb="9"), service(muc_huong=0)),
        not_evaluable("thiếu mã đối tượng đến khám", "no access code", visit(ma_doituong_kcb=None), service()),
    ),
)
def fund_money_without_insurance(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Lines paid by the fund in encounters whose access code says the patient does not use insurance."""
    found = with_encounter(lines(tables, LINES, "t_bhtt"), tables, "ma_doituong_kcb").filter(
        nw.col("e_ma_doituong_kcb").str.strip_chars().is_in(UNINSURED.codes), money("t_bhtt") > 0
    )
    return line_hits(found, amount=money("t_bhtt"), observed=money("t_bhtt"), allowed=nw.lit(0.0))


@rule(
    id="LTH-03",
    version=1,
    scheme="LAM_THU_COPAY",
    severity="deny",
    title_vi="Người hưởng 100% vẫn bị thu cùng chi trả",
    title_en="Co-payment from a 100% line",
    reason_vi="Dòng có mức hưởng 100% nhưng thu người bệnh {observed} đồng cùng chi trả (hoàn trả người bệnh).",
    reason_en="The line's benefit is 100% yet the patient paid {observed} VND of co-payment (to be refunded).",
    legal_basis="L-BHYT Đ22; ND188 Đ35 k2 i",
    needs=("drug_line.muc_huong", "service_line.muc_huong", "drug_line.t_bncct", "service_line.t_bncct"),
    known_gaps_vi="Tiền này trả lại người bệnh, nên số tiền có dấu hiệu của quỹ bằng 0.",
    known_gaps_en="The money goes back to the patient, so the amount at risk for the fund is 0.",
    examples=(
        hit(
            "hưởng 100% vẫn có cùng chi trả",
            "co-payment beside 100%",
            visit(),
            service(muc_huong=100, t_bncct=20_000),
            amount=0,
        ),
        clear("hưởng 100%, không cùng chi trả", "no co-payment at 100%", visit(), service(muc_huong=100)),
        clear("hưởng 80%, có cùng chi trả", "co-payment at 80%", visit(), drug()),
        not_evaluable("dòng thiếu mức hưởng", "no benefit on a line", visit(), service(muc_huong=None)),
    ),
)
def copay_from_full_benefit(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Lines at 100% that still show a co-payment."""
    found = lines(tables, LINES, "muc_huong", "t_bncct", "t_bhtt").filter(
        money("muc_huong") == 100, money("t_bncct") > WHOLE.tol_vnd
    )
    return line_hits(found, amount=nw.lit(0.0), observed=money("t_bncct"), allowed=nw.lit(0.0))
