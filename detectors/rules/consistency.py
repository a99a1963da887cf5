"""What the parts of a claim say about each other: packages, sources of money, diagnoses, lines billed twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.schema import ENCOUNTER_KEY
from detectors.base import clear, hit, not_evaluable, rule
from detectors.examples import TEST_PRICE, drug, exam, service, stay, surgery, visit
from detectors.expressions import (
    LINES,
    SERVICES,
    SUPPLIES,
    SURGERY,
    base_salary,
    care_type,
    carried_out,
    day,
    earlier_pairs,
    encounter_hits,
    line_hits,
    lines,
    minutes_between,
    money,
    with_encounter,
)
from detectors.facts import facts

if TYPE_CHECKING:
    from data.schema import ClaimTables

SPLIT = facts("TOT-07")
DIAGNOSES = facts("TOT-09")
REPEATED = facts("TOT-12")
SOURCES = facts("TOT-13")

KEY: list[str] = list(ENCOUNTER_KEY)
_IMPLANT: dict[str, Any] = {
    "ma_nhom": 10,
    "ma_dich_vu": None,
    "ma_vat_tu": "N06.02.020",
    "ten_vat_tu": "Stent động mạch vành",
    "ngay_th_yl": "2025-03-10 15:00",
}
_THREE_TESTS = tuple(
    service(ma_dich_vu=f"23.000{n}.1493", ngay_yl="2025-03-10 08:30", ngay_th_yl="2025-03-10 08:40") for n in range(3)
)


@rule(
    id="TOT-07",
    version=1,
    scheme="CAP_BREACH",
    severity="warn",
    title_vi="Tách gói vật tư để dưới trần",
    title_en="Package split below the ceiling",
    reason_vi="Các gói vật tư của một ca cùng ngày: quỹ chi {observed} đồng, trần một gói {allowed} đồng.",
    reason_en="Supply packages of one operation: the fund pays {observed} VND, the ceiling of one is {allowed} VND.",
    legal_basis="TT04/2017 Đ3 k2 b",
    needs=("encounter.card_class", "service_line.ma_nhom", "service_line.ngay_yl", "service_line.t_bhtt"),
    known_gaps_vi=(
        "Những gì làm trong một ngày được coi là một ca: ngày có hai ca mổ có thanh toán có thể có hai gói nên bỏ "
        "qua; gói tự nó đã vượt trần (TOT-06) cũng bỏ qua. Kỹ thuật mang mã thủ thuật (nhóm 18) không tính là ca mổ."
    ),
    known_gaps_en=(
        "One operation is taken to be what is done on one day: a day with two operations that cost something may hold "
        "two packages and is passed over, and so is a package that is above the ceiling by itself (TOT-06). A "
        "technique that is coded as a procedure (group 18) is not counted as an operation."
    ),
    examples=(
        hit(
            "hai gói 80 triệu đồng cho một ca mổ",
            "two packages of 80 million for one operation",
            stay(),
            surgery("2025-03-10 14:00"),
            service(price=100_000_000, goi_vtyt="G1", **_IMPLANT),
            service(price=100_000_000, goi_vtyt="G2", **_IMPLANT),
            amount=160_000_000 - 45 * 2_340_000,
        ),
        clear(
            "hai ca mổ",
            "two operations",
            stay(),
            surgery("2025-03-10 14:00"),
            surgery("2025-03-10 16:00", ma_dich_vu="10.0600.0450"),
            service(price=100_000_000, goi_vtyt="G1", **_IMPLANT),
            service(price=100_000_000, goi_vtyt="G2", **_IMPLANT),
        ),
        clear(
            "cộng lại vẫn dưới trần",
            "together below the ceiling",
            stay(),
            surgery("2025-03-10 14:00"),
            service(price=50_000_000, goi_vtyt="G1", **_IMPLANT),
            service(price=50_000_000, goi_vtyt="G2", **_IMPLANT),
        ),
        not_evaluable(
            "thiếu ký hiệu thẻ", "no card class", stay(card_class=None), service(price=1, goi_vtyt="G1", **_IMPLANT)
        ),
    ),
)
def package_split(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Lines of several packages of one day, none above the ceiling, all together above it."""
    columns = ("ma_nhom", "goi_vtyt", "ngay_yl", "ngay_th_yl", "t_bhtt")
    dated = (
        lines(tables, SERVICES, *columns)
        .filter(nw.col("ma_nhom").is_in([*SUPPLIES, SURGERY]), money("t_bhtt") > 0)
        .with_columns(date=day(carried_out()))
    )
    date = [*KEY, "date"]
    packed = with_encounter(dated, tables, "card_class").filter(
        nw.col("ma_nhom").is_in(SUPPLIES),
        nw.col("goi_vtyt").str.strip_chars() != "",
        ~nw.col("date").is_null(),
        ~nw.col("e_card_class").str.slice(2, 1).is_in(SPLIT.no_ceiling_digits),
    )
    operated = (
        dated.filter(nw.col("ma_nhom") == SURGERY)
        .group_by(*date)
        .agg(operations=nw.len())
        .filter(nw.col("operations") > 1)
        .select(*date)
    )
    together = (
        packed.select(*date, "goi_vtyt", fund=money("t_bhtt"))
        .group_by(*date, "goi_vtyt")
        .agg(nw.col("fund").sum())
        .group_by(*date)
        .agg(packages=nw.len(), dearest=nw.col("fund").max(), total=nw.col("fund").sum())
        .with_columns(ceiling=SPLIT.months * base_salary(nw.col("date")))
        .filter(
            nw.col("packages") >= SPLIT.min_packages,
            nw.col("dearest") <= nw.col("ceiling"),
            nw.col("total") > nw.col("ceiling") + 1,
        )
        .select(*date, "total", "ceiling")
        .join(operated, on=date, how="anti")
    )
    found = packed.join(together, on=date, how="inner")
    total, ceiling = nw.col("total"), nw.col("ceiling")
    return line_hits(found, amount=(total - ceiling) / total * money("t_bhtt"), observed=total, allowed=ceiling)


@rule(
    id="TOT-09",
    version=1,
    scheme="UPCODE_DIAG",
    severity="info",
    title_vi="Quá nhiều bệnh kèm theo",
    title_en="Too many secondary diagnoses",
    reason_vi="Ghi {observed} mã bệnh kèm theo (tối đa {allowed}).",
    reason_en="{observed} secondary diagnoses are coded (at most {allowed}).",
    legal_basis="QĐ 130/QĐ-BYT MA_BENH_KT",
    needs=("encounter.ma_benh_chinh",),
    known_gaps_vi=(
        "Dấu hiệu không kèm số tiền: chỉ cho biết chẩn đoán được gom nhiều, không cho biết chẩn đoán nào sai."
    ),
    known_gaps_en="A sign without money: it tells that diagnoses are collected, not which of them is wrong.",
    examples=(
        hit(
            "13 mã bệnh",
            "thirteen codes",
            visit(ma_benh_kt=";".join(f"E1{n}" for n in range(10)) + ";I10;K29;M54"),
            exam(),
            amount=0,
        ),
        clear("ba mã bệnh", "three codes", visit(ma_benh_kt="I10;E11;K29;"), exam()),
        clear("không có bệnh kèm theo", "none", visit(ma_benh_kt=None), exam()),
        not_evaluable("không có chẩn đoán nào", "no diagnosis at all", visit(ma_benh_chinh=None), exam()),
    ),
)
def too_many_diagnoses(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Encounters with more secondary diagnoses than the format allows."""
    text = nw.col("ma_benh_kt").str.strip_chars(" ;")
    found = tables.encounter.with_columns(count=text.str.split(";").list.len().cast(nw.Float64)).filter(
        text != "", nw.col("count") > DIAGNOSES.max
    )
    return encounter_hits(found, amount=nw.lit(0.0), observed=nw.col("count"), allowed=nw.lit(float(DIAGNOSES.max)))


@rule(
    id="TOT-12",
    version=1,
    scheme="DUP_CLAIM",
    severity="deny",
    title_vi="Lượt ngoại trú lặp lại trong hồ sơ nội trú",
    title_en="Outpatient lines repeated inside the stay",
    reason_vi="{observed} dòng của lượt ngoại trú ngay trước được tính lần nữa trong đợt nội trú (ngưỡng {allowed}).",
    reason_en="{observed} lines of the visit just before are billed again inside the stay (threshold {allowed}).",
    legal_basis="TT35/2016 Đ4 k7; TT12/2026 Đ10 k1 k",
    needs=(
        "encounter.patient_id",
        "encounter.ngay_vao",
        "encounter.ngay_ra",
        "encounter.ma_loai_kcb",
        "drug_line.ngay_yl",
        "service_line.ngay_yl",
    ),
    known_gaps_vi=(
        "Chỉ tính dòng cùng mã, cùng phút ra y lệnh và được thanh toán ở cả hai hồ sơ; lượt khám phải bắt đầu trước "
        "đợt nội trú, tại cùng cơ sở. Dòng không ghi giờ dễ lặp lại nên bỏ qua."
    ),
    known_gaps_en=(
        "Only lines with the same code and the same minute of order count, paid in both claims; the visit must begin "
        "before the stay, at the same facility. A line without a clock repeats easily and is passed over."
    ),
    examples=(
        hit(
            "ba xét nghiệm của lượt khám lặp lại trong đợt nội trú",
            "three tests of the visit again in the stay",
            visit(),
            exam(),
            *_THREE_TESTS,
            stay(days=3, at="2025-03-10 12:00"),
            *_THREE_TESTS,
            amount=3 * TEST_PRICE * 0.8,
        ),
        clear(
            "xét nghiệm lại sáng hôm sau",
            "tests repeated the next morning",
            visit(),
            *_THREE_TESTS,
            stay(days=3, at="2025-03-10 12:00"),
            *(service(ma_dich_vu=f"23.000{n}.1493", ngay_yl="2025-03-11 06:00") for n in range(3)),
        ),
        clear(
            "đã gộp vào đợt nội trú, lượt khám không đề nghị thanh toán",
            "moved into the stay, nothing asked for the visit",
            visit(),
            *({**row, "muc_huong": 0} for row in _THREE_TESTS),
            stay(days=3, at="2025-03-10 12:00"),
            *_THREE_TESTS,
        ),
        not_evaluable("thiếu mã người bệnh", "no patient", stay(patient_id=None), exam()),
    ),
)
def visit_repeated_in_stay(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid lines of a stay that an outpatient claim which ended just before it bills with the same code and minute."""
    gap = minutes_between(nw.col("p_ngay_ra"), nw.col("ngay_vao"))
    pairs = (
        earlier_pairs(tables, "ma_loai_kcb", "ngay_ra", same=("patient_id", "ma_cskcb"))
        .filter(
            care_type() == "03",
            care_type("p_ma_loai_kcb") == REPEATED.care_type,
            gap <= REPEATED.hours * 60,
            nw.col("p_ngay_ra") >= nw.col("p_ngay_vao"),
        )
        .select(*KEY, "p_ma_lk")
    )

    def items(keys: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
        drugs = tables.drug_line.select(
            *KEY, "row_no", "ngay_yl", "t_bhtt", line_table=nw.lit("drug_line"), code=nw.col("ma_thuoc")
        )
        services = tables.service_line.select(
            *KEY,
            "row_no",
            "ngay_yl",
            "t_bhtt",
            line_table=nw.lit("service_line"),
            code=nw.coalesce(nw.col("ma_vat_tu"), nw.col("ma_dich_vu")),
        )
        return (
            nw.concat([drugs, services])
            .join(keys, on=KEY, how="semi")
            .filter(
                money("t_bhtt") > 0,
                ~nw.col("code").is_null(),
                ~nw.col("ngay_yl").is_null(),
                day(nw.col("ngay_yl")) != nw.col("ngay_yl"),
            )
        )

    same = ["ma_cskcb", "p_ma_lk", "line_table", "code", "ngay_yl"]
    before = (
        items(pairs.select("ma_cskcb", ma_lk=nw.col("p_ma_lk")).unique())
        .select("ma_cskcb", "line_table", "code", "ngay_yl", p_ma_lk=nw.col("ma_lk"))
        .unique()
    )
    again = (
        items(pairs.select(*KEY).unique())
        .join(pairs, on=KEY, how="inner")
        .join(before, on=same, how="inner")
        .select(*KEY, "line_table", "row_no", "t_bhtt")
        .unique()
    )
    enough = again.group_by(*KEY).agg(repeated=nw.len()).filter(nw.col("repeated") >= REPEATED.min_lines)
    found = again.join(enough, on=KEY, how="inner")
    return line_hits(
        found, amount=money("t_bhtt"), observed=nw.col("repeated"), allowed=nw.lit(float(REPEATED.min_lines))
    )


@rule(
    id="TOT-13",
    version=1,
    scheme="TOTALS_MISMATCH",
    severity="warn",
    title_vi="Cân đối nguồn tiền của dòng sai",
    title_en="Money sources do not balance",
    reason_vi="Các nguồn chi trả của dòng cộng lại {observed} đồng, THANH_TIEN_BV ghi {allowed} đồng.",
    reason_en="The sources of the line add up to {observed} VND, THANH_TIEN_BV says {allowed} VND.",
    legal_basis="TT12/2026 Đ10 k1 k",
    needs=tuple(
        f"{table}.{field}"
        for table in LINES
        for field in ("thanh_tien_bv", "t_bntt", "t_bncct", "t_bhtt", "t_nguonkhac")
    ),
    known_gaps_vi=(
        "Số tiền là phần các nguồn cộng lại vượt chi phí; nếu thấp hơn thì quỹ không thiệt. Không xét hồ sơ theo "
        "chuẩn 4210: chuẩn này không có cân đối đó."
    ),
    known_gaps_en=(
        "The money is what the sources hold beyond the bill; where they hold less, the fund loses nothing. Claims of "
        "the 4210 format are not judged: they have no such balance."
    ),
    examples=(
        hit(
            "quỹ trả luôn cả phần cùng chi trả",
            "the co-payment is paid by the fund too",
            visit(),
            service(t_bhtt=TEST_PRICE, t_bncct=TEST_PRICE * 0.2, t_bntt=0),
            amount=TEST_PRICE * 0.2,
        ),
        clear("80 cộng 20 bằng 100", "80 and 20 make 100", visit(), exam(), drug()),
        clear(
            "nguồn khác trả phần cùng chi trả",
            "another source pays the co-payment",
            visit(),
            service(t_bncct=0, t_nguonkhac=TEST_PRICE * 0.2),
        ),
        not_evaluable("dòng thiếu tiền cùng chi trả", "no co-payment on a line", visit(), exam(t_bncct=None)),
    ),
)
def sources_out_of_balance(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Lines whose sources of money do not add up to the bill."""
    total = money("t_bntt") + money("t_bncct") + money("t_bhtt") + money("t_nguonkhac")
    found = (
        lines(tables, LINES, "thanh_tien_bv", "t_bntt", "t_bncct", "t_bhtt", "t_nguonkhac", "standard")
        .with_columns(total=total)
        .filter(nw.col("standard") == "130", (nw.col("total") - money("thanh_tien_bv")).abs() > SOURCES.tol_vnd)
    )
    bill = money("thanh_tien_bv")
    return line_hits(found, amount=nw.col("total") - bill, observed=nw.col("total"), allowed=bill)
