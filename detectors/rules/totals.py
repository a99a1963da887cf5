"""Totals: the identities of the claim format, where the printed figure should equal the computed one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.schema import ENCOUNTER_KEY
from detectors.base import clear, hit, not_evaluable, rule
from detectors.examples import EXAM_PRICE, TEST_PRICE, drug, exam, service, visit
from detectors.expressions import (
    DRUGS,
    LINES,
    SERVICES,
    encounter_hits,
    line_hits,
    line_sum,
    lines,
    money,
)
from detectors.facts import facts

if TYPE_CHECKING:
    from data.schema import ClaimTables

COVERED, FUND, SERVICE_AMOUNT = facts("TOT-01"), facts("TOT-02"), facts("TOT-03")
DRUG_AMOUNT, BENEFIT, QUANTITY = facts("TOT-04"), facts("TOT-05"), facts("TOT-08")
FORMULA_GAP_VI = "Không xét hồ sơ theo chuẩn 4210: tỷ lệ ở đó định nghĩa khác và mỗi phần mềm xuất một kiểu."
FORMULA_GAP_EN = "Claims of the 4210 format are not judged: its ratio is defined otherwise and exporters differ."


@rule(
    id="TOT-01",
    version=1,
    scheme="TOTALS_MISMATCH",
    severity="deny",
    title_vi="Tổng trong phạm vi BHYT ở XML1 khác tổng dòng",
    title_en="Header covered total differs from lines",
    reason_vi="T_TONGCHI_BH ghi {observed} đồng, cộng các dòng được {allowed} đồng.",
    reason_en="T_TONGCHI_BH says {observed} VND, the lines add up to {allowed} VND.",
    legal_basis="TT12/2026 Đ9 k2 c, Đ10 k1 k",
    needs=("encounter.t_tongchi_bh", "drug_line.thanh_tien_bh", "service_line.thanh_tien_bh"),
    known_gaps_vi=(
        f"{FORMULA_GAP_VI} Đợt không có dòng nào thì bỏ qua: bảng chi tiết chưa gửi. Số tiền là phần vượt, theo tỷ lệ "
        "quỹ chi của chính đợt đó."
    ),
    known_gaps_en=(
        f"{FORMULA_GAP_EN} An encounter without any line is passed over: its detail tables were not sent. The money is "
        "the excess at the encounter's own fund share."
    ),
    examples=(
        hit(
            "tổng ghi cao hơn các dòng 10.000 đồng",
            "header 10,000 above the lines",
            visit(t_tongchi_bh=EXAM_PRICE + 10_000, t_bhtt=EXAM_PRICE + 10_000),
            exam(muc_huong=100),
            amount=10_000,
        ),
        clear("tổng ghi bằng tổng các dòng", "header equals the lines", visit(), exam(), drug()),
        clear("lệch nửa đồng do làm tròn", "half a dong of rounding", visit(t_tongchi_bh=EXAM_PRICE + 0.5), exam()),
        not_evaluable(
            "có dòng thiếu thành tiền", "a line without amount", visit(t_tongchi_bh=1), exam(thanh_tien_bh=None)
        ),
    ),
)
def header_covered_total(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Encounters whose covered total is not the sum of the covered amounts of their lines."""
    found = (
        tables.encounter.filter(nw.col("standard") == "130")
        .join(line_sum(tables, "thanh_tien_bh"), on=list(ENCOUNTER_KEY), how="inner")
        .filter((money("t_tongchi_bh") - nw.col("total")).abs() > COVERED.tol_vnd)
    )
    fund_share = nw.when(money("t_tongchi_bh") > 0).then(money("t_bhtt") / money("t_tongchi_bh")).otherwise(nw.lit(0.0))
    excess = (money("t_tongchi_bh") - nw.col("total")) * fund_share
    return encounter_hits(found, amount=excess, observed=money("t_tongchi_bh"), allowed=nw.col("total"))


@rule(
    id="TOT-02",
    version=1,
    scheme="TOTALS_MISMATCH",
    severity="deny",
    title_vi="T_BHTT ở XML1 khác tổng dòng",
    title_en="Fund amount differs from lines",
    reason_vi="T_BHTT ghi {observed} đồng, cộng các dòng được {allowed} đồng.",
    reason_en="T_BHTT says {observed} VND, the lines add up to {allowed} VND.",
    legal_basis="TT12/2026 Đ9 k2 c, Đ10 k1 k",
    needs=("encounter.t_bhtt", "encounter.t_nguonkhac", "drug_line.t_bhtt", "service_line.t_bhtt"),
    known_gaps_vi="Bỏ qua đợt có nguồn khác: khi đó đẳng thức in trong chuẩn có thể khác các dòng.",
    known_gaps_en=(
        "Encounters with other sources are passed over: there the printed identity may differ from the lines."
    ),
    examples=(
        hit(
            "tổng ghi cao hơn các dòng 10.000 đồng",
            "header 10,000 above the lines",
            visit(t_bhtt=EXAM_PRICE),
            exam(),
            amount=EXAM_PRICE * 0.2,
        ),
        clear("tổng ghi bằng tổng các dòng", "header equals the lines", visit(), exam(), drug()),
        clear(
            "nguồn khác cùng chi trả",
            "another source shares the bill",
            visit(t_bhtt=EXAM_PRICE, t_nguonkhac=10_000),
            exam(),
        ),
        not_evaluable("thiếu số tổng ở XML1", "no header amount", visit(t_bhtt=None), exam()),
    ),
)
def header_fund_amount(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Encounters without other sources whose fund amount is not the sum of their lines."""
    found = (
        tables.encounter.filter(money("t_nguonkhac") == 0)
        .join(line_sum(tables, "t_bhtt"), on=list(ENCOUNTER_KEY), how="inner")
        .filter((money("t_bhtt") - nw.col("total")).abs() > FUND.tol_vnd)
    )
    return encounter_hits(
        found, amount=money("t_bhtt") - nw.col("total"), observed=money("t_bhtt"), allowed=nw.col("total")
    )


@rule(
    id="TOT-03",
    version=1,
    scheme="TOTALS_MISMATCH",
    severity="deny",
    title_vi="Thành tiền dịch vụ sai công thức",
    title_en="Service amount differs from formula",
    reason_vi="THANH_TIEN_BH ghi {observed} đồng, theo số lượng, đơn giá và tỷ lệ là {allowed} đồng.",
    reason_en="THANH_TIEN_BH says {observed} VND, quantity, price and ratios give {allowed} VND.",
    legal_basis="TT12/2026 Đ10 k1 d, k",
    needs=(
        "service_line.so_luong",
        "service_line.don_gia_bh",
        "service_line.tyle_tt_dv",
        "service_line.tyle_tt_bh",
        "service_line.thanh_tien_bh",
    ),
    known_gaps_vi=f"{FORMULA_GAP_VI} Bỏ qua dòng có trần thanh toán (T_TRANTT).",
    known_gaps_en=f"{FORMULA_GAP_EN} Lines with a ceiling (T_TRANTT) are passed over.",
    examples=(
        hit(
            "thành tiền gấp đôi công thức",
            "amount twice the formula",
            visit(),
            service(thanh_tien_bh=2 * TEST_PRICE),
            amount=TEST_PRICE * 0.8,
        ),
        clear("lần khám thứ hai tính 30%", "second examination at 30%", visit(), exam(ratio=30)),
        clear(
            "vật tư có trần thanh toán",
            "ceiling on a supply",
            visit(),
            service(ma_nhom=10, t_trantt=50_000, thanh_tien_bh=50_000),
        ),
        not_evaluable("thiếu tỷ lệ thanh toán", "no ratio", visit(), service(tyle_tt_dv=None)),
    ),
)
def service_amount_formula(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Service lines whose covered amount is not quantity x price x both ratios."""
    expected = money("so_luong") * money("don_gia_bh") * money("tyle_tt_dv") * money("tyle_tt_bh") / 10_000
    columns = ("so_luong", "don_gia_bh", "tyle_tt_dv", "tyle_tt_bh", "thanh_tien_bh")
    found = (
        lines(tables, SERVICES, *columns, "t_trantt", "muc_huong", "t_bhtt", "standard")
        .with_columns(expected=expected)
        .filter(
            nw.col("standard") == "130",
            money("t_trantt").fill_null(0.0) == 0,
            (money("thanh_tien_bh") - nw.col("expected")).abs() > SERVICE_AMOUNT.tol_vnd,
        )
    )
    return _formula_hits(found)


@rule(
    id="TOT-04",
    version=1,
    scheme="TOTALS_MISMATCH",
    severity="deny",
    title_vi="Thành tiền thuốc sai công thức",
    title_en="Drug amount differs from formula",
    reason_vi="THANH_TIEN_BH ghi {observed} đồng, theo số lượng, đơn giá và tỷ lệ là {allowed} đồng.",
    reason_en="THANH_TIEN_BH says {observed} VND, quantity, price and ratio give {allowed} VND.",
    legal_basis="TT12/2026 Đ10 k1 k",
    needs=("drug_line.so_luong", "drug_line.don_gia", "drug_line.tyle_tt_bh", "drug_line.thanh_tien_bh"),
    known_gaps_vi=FORMULA_GAP_VI,
    known_gaps_en=FORMULA_GAP_EN,
    examples=(
        hit(
            "thành tiền gấp đôi công thức",
            "amount twice the formula",
            visit(),
            drug(quantity=20, thanh_tien_bh=40_000),
            amount=20_000 * 0.8,
        ),
        clear("thuốc thanh toán một nửa", "drug paid at half", visit(), drug(tyle_tt_bh=50)),
        not_evaluable("thiếu số lượng", "no quantity", visit(), drug(so_luong=None)),
    ),
)
def drug_amount_formula(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Drug lines whose covered amount is not quantity x price x ratio."""
    found = (
        lines(tables, DRUGS, "so_luong", "don_gia", "tyle_tt_bh", "thanh_tien_bh", "muc_huong", "t_bhtt", "standard")
        .with_columns(expected=money("so_luong") * money("don_gia") * money("tyle_tt_bh") / 100)
        .filter(nw.col("standard") == "130", (money("thanh_tien_bh") - nw.col("expected")).abs() > DRUG_AMOUNT.tol_vnd)
    )
    return _formula_hits(found)


@rule(
    id="TOT-05",
    version=1,
    scheme="TOTALS_MISMATCH",
    severity="deny",
    title_vi="Quỹ trả vượt mức hưởng của dòng",
    title_en="Fund pays more than rate times amount",
    reason_vi="Quỹ chi {observed} đồng, theo mức hưởng của dòng là {allowed} đồng.",
    reason_en="The fund pays {observed} VND, the line's benefit gives {allowed} VND.",
    legal_basis="L-BHYT Đ22; TT12/2026 Đ10 k1 b",
    needs=tuple(f"{table}.{field}" for table in LINES for field in ("thanh_tien_bh", "muc_huong", "t_bhtt")),
    known_gaps_vi="Tiền quỹ thấp hơn công thức thì không nêu: nguồn khác có thể đã trả.",
    known_gaps_en="A fund amount below the formula is not raised: other sources may have paid.",
    examples=(
        hit(
            "hưởng 80%, quỹ trả đủ giá",
            "the whole price paid at 80%",
            visit(),
            service(t_bhtt=TEST_PRICE),
            amount=TEST_PRICE * 0.2,
        ),
        clear("đúng công thức", "formula holds", visit(), service(), drug()),
        not_evaluable("thiếu mức hưởng", "no benefit", visit(), drug(muc_huong=None)),
    ),
)
def fund_above_benefit(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Lines on which the fund pays more than the benefit share of the covered amount."""
    found = (
        lines(tables, LINES, "thanh_tien_bh", "muc_huong", "t_bhtt")
        .with_columns(due=money("thanh_tien_bh") * money("muc_huong") / 100)
        .filter(money("t_bhtt") > nw.col("due") + BENEFIT.tol_vnd)
    )
    return line_hits(found, amount=money("t_bhtt") - nw.col("due"), observed=money("t_bhtt"), allowed=nw.col("due"))


@rule(
    id="TOT-08",
    version=1,
    scheme="QTY_INFLATION",
    severity="deny",
    title_vi="Số lượng âm, bằng 0 hoặc lẻ vô lý",
    title_en="Negative, zero or odd quantity",
    reason_vi="Dòng được thanh toán với số lượng {observed}.",
    reason_en="A line is paid with the quantity {observed}.",
    legal_basis="TT12/2026 Đ10 k1 k",
    needs=("drug_line.so_luong", "service_line.so_luong"),
    known_gaps_vi="Số lẻ chỉ xét ở xét nghiệm, chẩn đoán hình ảnh, phẫu thuật và khám; thuốc và giường có thể là nửa.",
    known_gaps_en=(
        "Fractions are judged only for tests, imaging, surgery and examinations; drugs and beds may be halves."
    ),
    examples=(
        hit("nửa xét nghiệm máu", "half a blood test", visit(), service(quantity=0.5), amount=TEST_PRICE * 0.4),
        hit(
            "số lượng bằng 0, quỹ vẫn trả",
            "nothing given, fund pays",
            visit(),
            drug(so_luong=0, t_bhtt=5_000),
            amount=5_000,
        ),
        clear("nửa ngày giường", "half a bed day", visit(), service(ma_nhom=15, quantity=0.5)),
        clear("hai xét nghiệm", "two tests", visit(), service(quantity=2)),
        not_evaluable("thiếu số lượng", "no quantity", visit(), drug(so_luong=None)),
    ),
)
def odd_quantity(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid lines with a quantity of zero or less, or with a part of something that only comes whole."""
    whole = nw.col("ma_nhom").is_in(QUANTITY.whole_groups) & (nw.col("line_table") == "service_line")
    quantity = money("so_luong")
    found = lines(tables, LINES, "ma_nhom", "so_luong", "t_bhtt").filter(
        money("t_bhtt") > 0, (quantity <= 0) | (whole & (quantity != quantity.floor()))
    )
    floor = nw.max_horizontal(quantity.floor(), nw.lit(0.0))
    return line_hits(found, amount=money("t_bhtt"), observed=quantity, allowed=floor)


def _formula_hits(found: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    excess = (money("thanh_tien_bh") - nw.col("expected")) * money("muc_huong").fill_null(100.0) / 100
    return line_hits(found, amount=excess, observed=money("thanh_tien_bh"), allowed=nw.col("expected"))
