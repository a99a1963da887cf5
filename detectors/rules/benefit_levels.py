"""Benefit levels beyond the card: what the way of access leaves of them, and exemption from co-payment."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.schema import ENCOUNTER_KEY
from detectors.base import clear, hit, not_evaluable, rule
from detectors.examples import TEST_PRICE, drug, service, stay, visit
from detectors.expressions import LINES, OUTPATIENT, base_salary, care_type, line_hits, lines, money
from detectors.facts import facts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from data.schema import ClaimTables

ACCESS = facts("BEN-02")
EXEMPT = facts("BEN-03")

INPATIENT = ("03", "04", "09")
COMMUNE_CODE, COMMUNE_SINCE = "1.2", datetime.fromisoformat("2025-07-01")


def _base(by_digit: Mapping[str, float]) -> nw.Expr:
    """The benefit of the card's third character, percent; null for a character that has none."""
    digit = nw.col("card_class").str.slice(2, 1)
    base = nw.lit(None, dtype=nw.Float64)
    for value, percent in by_digit.items():
        base = nw.when(digit == value).then(nw.lit(float(percent))).otherwise(base)
    return base


def _lifted(pct_salary: float) -> nw.Expr:
    """Whether the whole cost is covered whatever the card says: a small bill, or care at commune level."""
    arrived = nw.col("ngay_vao")
    return nw.any_horizontal(
        money("t_tongchi_bh") < pct_salary * base_salary(arrived),
        (nw.col("ma_doituong_kcb").str.strip_chars() == COMMUNE_CODE) & (arrived >= nw.lit(COMMUNE_SINCE)),
        care_type() == "06",
        nw.col("facility_kind") == "commune",
        ignore_nulls=True,
    )


def _above(tables: ClaimTables, judged: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Paid lines whose benefit is above the `limit` of their encounter; wounds that break open again are exempt."""
    return (
        lines(tables, LINES, "muc_huong", "thanh_tien_bh", "t_bhtt", "vet_thuong_tp")
        .join(judged.select(*ENCOUNTER_KEY, "limit"), on=list(ENCOUNTER_KEY), how="inner")
        .filter(money("muc_huong") > nw.col("limit"), money("t_bhtt") > 0, nw.col("vet_thuong_tp").fill_null(0) != 1)
    )


@rule(
    id="BEN-02",
    version=1,
    scheme="BENEFIT_LEVEL_WRONG",
    severity="deny",
    title_vi="Mức hưởng không theo mã đối tượng đến khám",
    title_en="Benefit not following the access code",
    reason_vi="Mức hưởng {observed}% cao hơn mức {allowed}% của mã đối tượng tự đến; phần chênh {amount} đồng.",
    reason_en="Benefit {observed}% is above the {allowed}% left by the access code; the difference is {amount} VND.",
    legal_basis="ND188 Đ19; L-BHYT Đ22; QĐ 3276/QĐ-BYT 2025 (chưa kiểm chứng)",
    needs=(
        "encounter.ma_doituong_kcb",
        "encounter.ma_loai_kcb",
        "encounter.ngay_vao",
        "encounter.card_class",
        "encounter.t_tongchi_bh",
        "drug_line.muc_huong",
        "service_line.muc_huong",
    ),
    known_gaps_vi=(
        "Xét các mã đối tượng của người tự đến không có giấy chuyển: 1.13, 1.14, 1.18 ngoại trú từ 07/2025 và 3.1. Mã "
        "ghi thế nào thì tin thế ấy: mã ghi sai không thấy được. Mức áp dụng theo tháng vào viện, kể cả đợt kéo qua "
        "thời điểm thay đổi. Khi thẻ không rõ mức hưởng, có hai thẻ, hoặc được miễn cùng chi trả vì chi phí thấp hay "
        "vì giấy miễn, lấy 100% làm mức hưởng trước khi giảm."
    ),
    known_gaps_en=(
        "Judged are the access codes of patients who came without a referral: 1.13, 1.14, 1.18 as outpatients from "
        "07/2025 and 3.1. The code itself is believed: a wrong code is not seen. The month of arrival decides, also "
        "for an encounter that runs over a change. Where the card is blank for its benefit, or there are two cards, "
        "or a small bill or an exemption lifts the co-payment, 100% is taken as the benefit before the reduction."
    ),
    examples=(
        hit(
            "ngoại trú ở bệnh viện trung ương, không có giấy chuyển",
            "outpatient at a central hospital without a referral",
            visit("2025-09-10 08:00", ma_doituong_kcb="3.1"),
            service(price=TEST_PRICE * 10),
            amount=TEST_PRICE * 8,
        ),
        hit(
            "nội trú ở bệnh viện trung ương, hưởng 80%",
            "inpatient at a central hospital paid at 80%",
            stay(at="2025-09-10 08:00", ma_doituong_kcb="3.1"),
            service(price=TEST_PRICE * 10),
            amount=TEST_PRICE * 10 * (0.8 - 0.32),
        ),
        clear(
            "nội trú ở bệnh viện trung ương, hưởng 32%",
            "inpatient at a central hospital paid at 32%",
            stay(at="2025-09-10 08:00", ma_doituong_kcb="3.1"),
            service(price=TEST_PRICE * 10, muc_huong=32),
        ),
        clear(
            "nửa mức hưởng từ tháng 7/2026",
            "half of the benefit from July 2026",
            visit("2026-07-10 08:00", ma_doituong_kcb="1.14"),
            service(price=TEST_PRICE * 10, muc_huong=40),
        ),
        clear(
            "có giấy chuyển", "with a referral", visit("2025-09-10 08:00", ma_doituong_kcb="1.3"), drug(quantity=900)
        ),
        not_evaluable(
            "thiếu mã đối tượng đến khám", "no access code", visit("2025-09-10 08:00", ma_doituong_kcb=None), service()
        ),
    ),
)
def benefit_above_access(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Lines paid at more than the share that the access code leaves of the card's benefit."""
    arrived, code = nw.col("ngay_vao"), nw.col("ma_doituong_kcb").str.strip_chars()
    halved, central = code.is_in(ACCESS.halved_codes), code.is_in(ACCESS.central_codes)
    inside, outside = care_type().is_in(INPATIENT), care_type().is_in(OUTPATIENT)
    share = (
        nw.when(halved & outside)
        .then(ACCESS["halved_outpatient"].at(arrived))
        .otherwise(
            nw.when(central & outside)
            .then(ACCESS["central_outpatient"].at(arrived))
            .otherwise(
                nw.when(central & inside)
                .then(ACCESS["central_inpatient"].at(arrived))
                .otherwise(nw.lit(None, dtype=nw.Float64))
            )
        )
    )
    full = nw.any_horizontal(
        _lifted(ACCESS.pct_salary),
        nw.col("ngay_mien_cct").str.strip_chars() != "",
        nw.col("gt_the_tu").str.contains(";", literal=True),
        _base(ACCESS.base).is_null(),
        ignore_nulls=True,
    )
    base = nw.when(full).then(nw.lit(100.0)).otherwise(_base(ACCESS.base))
    judged = (
        tables.encounter.with_columns(share=share)
        .filter(~nw.col("share").is_null())
        .select(*ENCOUNTER_KEY, limit=nw.col("share") * base / 100 + ACCESS.tolerance)
    )
    limit = nw.col("limit") - ACCESS.tolerance
    excess = (money("muc_huong") - limit) / 100 * money("thanh_tien_bh")
    return line_hits(_above(tables, judged), amount=excess, observed=money("muc_huong"), allowed=limit)


@rule(
    id="BEN-03",
    version=1,
    scheme="BENEFIT_LEVEL_WRONG",
    severity="warn",
    title_vi="Miễn cùng chi trả khi chưa đủ 5 năm liên tục",
    title_en="Co-payment exemption before the five-year mark",
    reason_vi=(
        "Miễn cùng chi trả ({observed}%, theo thẻ {allowed}%) khi thời điểm đủ 5 năm liên tục để trống hoặc muộn hơn; "
        "phần miễn {amount} đồng."
    ),
    reason_en=(
        "Exempt from co-payment ({observed}%, the card gives {allowed}%) while the five-year date is blank or later; "
        "{amount} VND were waived."
    ),
    legal_basis="ND188 Đ18 k2; L-BHYT Đ22 k1 d",
    needs=(
        "encounter.card_class",
        "encounter.ngay_vao",
        "encounter.t_tongchi_bh",
        "drug_line.muc_huong",
        "service_line.muc_huong",
    ),
    known_gaps_vi=(
        "Ngày đủ 5 năm để trống được coi là chưa đủ: cơ sở không bao giờ gửi NAM_NAM_LIEN_TUC sẽ bị nêu ở mọi lượt "
        "miễn, nên xem cơ sở trước. Không xét số tiền cùng chi trả trong năm đã vượt 6 tháng lương cơ sở hay chưa. Bỏ "
        "qua: chi phí thấp, tuyến xã, hai thẻ, vết thương tái phát."
    ),
    known_gaps_en=(
        "A blank five-year date counts as not reached: facilities that never send NAM_NAM_LIEN_TUC are named for "
        "every exemption, look at the facility first. Whether the co-payments of the year were above six base "
        "salaries is not judged. Passed over: small bills, commune level, two cards, recurrent war wounds."
    ),
    examples=(
        hit(
            "năm sau mới đủ 5 năm",
            "five years reached only next year",
            visit(ngay_mien_cct="20250201", nam_nam_lien_tuc="20260401"),
            service(price=TEST_PRICE * 10, muc_huong=100),
            amount=TEST_PRICE * 10 * 0.2,
        ),
        clear(
            "đã đủ 5 năm",
            "five years reached",
            visit(ngay_mien_cct="20250201", nam_nam_lien_tuc="20220401"),
            service(price=TEST_PRICE * 10, muc_huong=100),
        ),
        clear("không được miễn", "not exempt", visit(nam_nam_lien_tuc="20260401"), service(price=TEST_PRICE * 10)),
        clear(
            "chi phí thấp, hưởng 100% theo quy định",
            "small bill, 100% anyway",
            visit(ngay_mien_cct="20250201", nam_nam_lien_tuc="20260401"),
            service(muc_huong=100),
        ),
        not_evaluable(
            "thiếu ký hiệu thẻ", "no card class", visit(card_class=None), service(price=TEST_PRICE * 10, muc_huong=100)
        ),
    ),
)
def exempt_too_early(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Lines at 100% of encounters marked exempt whose five-year date is blank or after the exemption."""
    since = nw.col("ngay_mien_cct").str.strip_chars().str.slice(0, 8)
    reached = nw.col("nam_nam_lien_tuc").fill_null("").str.strip_chars().str.slice(0, 8)
    judged = tables.encounter.filter(
        since != "",
        (reached == "") | (reached > since),
        ~_lifted(EXEMPT.pct_salary),
        ~nw.col("gt_the_tu").fill_null("").str.contains(";", literal=True),
        money("t_tongchi_bh") >= 0,
        base_salary(nw.col("ngay_vao")) > 0,
    ).select(*ENCOUNTER_KEY, limit=_base(EXEMPT.base))
    found = _above(tables, judged).filter(money("muc_huong") == EXEMPT.full)
    waived = (money("muc_huong") - nw.col("limit")) / 100 * money("thanh_tien_bh")
    return line_hits(found, amount=waived, observed=money("muc_huong"), allowed=nw.col("limit"))
