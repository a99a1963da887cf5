"""Money and papers beside the fund: other payers, what the patient was asked for, appointments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.schema import ENCOUNTER_KEY
from detectors.base import clear, hit, not_evaluable, rule
from detectors.examples import EXAM_PRICE, TEST_PRICE, bed, drug, exam, service, stay, visit
from detectors.expressions import (
    LINES,
    SERVICES,
    base_salary,
    care_type,
    encounter_hits,
    family,
    line_hits,
    lines,
    money,
)
from detectors.facts import facts

if TYPE_CHECKING:
    from data.schema import ClaimTables

KEY: list[str] = list(ENCOUNTER_KEY)
REFUND_VI = "Tiền này trả lại người bệnh, nên số tiền có dấu hiệu của quỹ bằng 0."
REFUND_EN = "The money goes back to the patient, so the amount at risk for the fund is 0."
_SHARES = ("t_bntt", "t_bncct", "t_bhtt", "t_nguonkhac", "thanh_tien_bv")
_DEARER: dict[str, Any] = {"don_gia_bv": TEST_PRICE + 50_000, "t_bntt": 50_000}


@rule(
    id="PAY-01",
    version=1,
    scheme="DUP_OTHER_PAYER",
    severity="warn",
    title_vi="Có nguồn khác nhưng quỹ vẫn trả đủ",
    title_en="Other source present, fund pays in full",
    reason_vi="Các nguồn cộng lại {observed} đồng, thành tiền của dòng chỉ {allowed} đồng.",
    reason_en="All payers together give {observed} VND, the line costs {allowed} VND.",
    legal_basis="L-BHYT Đ23; ND90 Đ88; ND188 Đ47",
    needs=tuple(f"{table}.{field}" for table in LINES for field in _SHARES),
    known_gaps_vi=(
        "Bỏ qua hồ sơ theo chuẩn 4210. Tài trợ cho cả cơ sở, ghi vào dòng trước khi trừ ra, trông cũng như vậy."
    ),
    known_gaps_en=(
        "Claims of the 4210 format are passed over. Aid for a facility as a whole, written on lines before it was "
        "taken off, looks the same."
    ),
    examples=(
        hit("trả hai lần", "paid twice", visit(), service(t_nguonkhac=TEST_PRICE), amount=TEST_PRICE * 0.8),
        hit(
            "có tài trợ mà vẫn tính đủ giá",
            "aid beside the whole price",
            visit(),
            service(t_nguonkhac=30_000),
            amount=30_000,
        ),
        clear(
            "tài trợ trả phần của người bệnh",
            "aid takes the patient's part",
            visit(),
            service(t_nguonkhac=TEST_PRICE * 0.2, t_bncct=0),
        ),
        clear("không có nguồn khác", "no other source", visit(), service(), drug()),
        not_evaluable("nguồn khác để trống", "other sources blank", visit(), service(t_nguonkhac=None)),
    ),
)
def paid_beside_another(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Lines with another source on which all payers together give more than the line costs."""
    together = money("t_bntt") + money("t_bncct") + money("t_bhtt") + money("t_nguonkhac")
    found = (
        lines(tables, LINES, *_SHARES, "standard")
        .with_columns(together=together)
        .filter(
            nw.col("standard") == "130",
            money("t_nguonkhac") > 0,
            money("t_bhtt") > 0,
            nw.col("together") > money("thanh_tien_bv") + facts("PAY-01").tol_vnd,
        )
    )
    return line_hits(found, amount=money("t_nguonkhac"), observed=nw.col("together"), allowed=money("thanh_tien_bv"))


@rule(
    id="PAY-02",
    version=1,
    scheme="WORK_TRAFFIC_ACCIDENT",
    severity="info",
    title_vi="Tai nạn lao động, giao thông chưa xác định nguồn trả",
    title_en="Work or traffic accident paid by the fund",
    reason_vi="Tai nạn giao thông hoặc lao động, chỉ có quỹ trả ({amount}): xem đã xác định nguồn khác chưa.",
    reason_en="A traffic or work accident that only the fund pays ({amount}): was another payer looked for?",
    legal_basis="L-BHYT Đ23; ND188 (điều khoản chưa kiểm chứng)",
    needs=("encounter.ma_tai_nan", "encounter.t_bhtt"),
    known_gaps_vi=(
        "Tai nạn giao thông của người không vi phạm, và tai nạn lao động không có bảo hiểm, do quỹ chi trả: không "
        "thấy được việc đó đã xác minh chưa. Nguyên nhân bỏ trống hoặc ghi khác đi thì không thấy."
    ),
    known_gaps_en=(
        "Traffic accidents of people who broke no law, and work accidents without insurance, are the fund's: whether "
        "that was found out cannot be seen. A cause that was left out or written as another is not seen."
    ),
    examples=(
        hit("tai nạn giao thông", "a traffic accident", visit(ma_tai_nan=1), exam(), amount=EXAM_PRICE * 0.8),
        clear("ngã tại nhà", "a fall at home", visit(ma_tai_nan=8), exam()),
        clear("có nguồn khác cùng trả", "another source pays too", visit(ma_tai_nan=2, t_nguonkhac=10_000), exam()),
        not_evaluable("thiếu nguyên nhân", "no cause", visit(ma_tai_nan=None), exam()),
    ),
)
def accident_paid_by_fund(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Encounters after a traffic or work accident that the fund pays without any other source."""
    found = tables.encounter.filter(
        nw.col("ma_tai_nan").is_in(facts("PAY-02").codes),
        money("t_nguonkhac").fill_null(0.0) == 0,
        money("t_bhtt") > 0,
    )
    return encounter_hits(
        found, amount=money("t_bhtt"), observed=nw.col("ma_tai_nan"), allowed=nw.lit(None, dtype=nw.Float64)
    )


@rule(
    id="LTH-01",
    version=1,
    scheme="LAM_THU_IN_PRICE",
    severity="warn",
    title_vi="Thu thêm ở dòng trong phạm vi BHYT",
    title_en="Extra patient payment on an in-scope line",
    reason_vi="Dòng trong phạm vi BHYT thu thêm của người bệnh {observed} đồng (hoàn trả người bệnh).",
    reason_en="On a covered line the patient paid {observed} VND on top (to be refunded).",
    legal_basis="ND188 Đ20, Đ35 k2 i; TT35/2016 Đ4a",
    needs=(
        "service_line.pham_vi",
        "service_line.tyle_tt_bh",
        "service_line.t_bntt",
        "service_line.don_gia_bv",
        "service_line.don_gia_bh",
    ),
    known_gaps_vi=(
        f"{REFUND_VI} Hồ sơ có giường theo yêu cầu (mã C) hoặc dịch vụ có tên ghi theo yêu cầu thì bỏ qua cả hồ sơ; "
        "dịch vụ theo yêu cầu mà tên không ghi trông như thu thêm."
    ),
    known_gaps_en=(
        f"{REFUND_EN} Claims with a bed of the patient's choice (code C) or a service named as on request are passed "
        "over whole; care on request that is not named so looks like an extra charge."
    ),
    examples=(
        hit(
            "thu thêm 50.000 đồng ngoài giá xét nghiệm",
            "50,000 on top of a test",
            visit(),
            service(**_DEARER),
            amount=0,
        ),
        clear("đúng giá quỹ chi trả", "the price of the fund", visit(), service()),
        clear("phòng riêng theo yêu cầu", "a room of his own", stay(), bed(3, ma_giuong="C005"), service(**_DEARER)),
        clear("dịch vụ theo yêu cầu", "on request", visit(), exam(ten_dich_vu="Khám theo yêu cầu"), service(**_DEARER)),
        clear("ngoài phạm vi BHYT", "outside the scope", visit(), service(**_DEARER, pham_vi=2)),
        not_evaluable("thiếu phạm vi", "no scope", visit(), service(**_DEARER, pham_vi=None)),
    ),
)
def extra_on_covered_line(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Covered service lines, paid in full, that still charge the patient more than the fund's price."""
    known = facts("LTH-01")
    chosen = tables.service_line.filter(
        nw.col("ma_giuong").fill_null("").str.contains(known.chosen_bed)
        | family(tables, "service_line", known.on_request)
    ).select(*KEY)
    columns = ("pham_vi", "tyle_tt_bh", "t_bntt", "t_nguonkhac", "don_gia_bv", "don_gia_bh", "t_bhtt")
    found = (
        lines(tables, SERVICES, *columns)
        .filter(
            nw.col("pham_vi") == known.covered,
            money("tyle_tt_bh") == known.full_ratio,
            money("t_nguonkhac").fill_null(0.0) == 0,
            money("t_bntt") > 0,
            money("don_gia_bv") > money("don_gia_bh"),
        )
        .join(chosen, on=KEY, how="anti")
    )
    return line_hits(found, amount=nw.lit(0.0), observed=money("t_bntt"), allowed=nw.lit(0.0))


@rule(
    id="LTH-04",
    version=1,
    scheme="LAM_THU_COPAY",
    severity="warn",
    title_vi="Cùng chi trả khác công thức",
    title_en="Co-payment differs from formula",
    reason_vi="Cùng chi trả {observed} đồng, thành tiền BHYT trừ phần quỹ trả là {allowed} đồng.",
    reason_en="The co-payment is {observed} VND, the covered amount less the fund's part is {allowed} VND.",
    legal_basis="L-BHYT Đ22; TT12/2026 Đ10 k1 b",
    needs=tuple(f"{table}.{field}" for table in LINES for field in ("t_bncct", "thanh_tien_bh", "t_bhtt")),
    known_gaps_vi=f"{REFUND_VI} Bỏ qua dòng có nguồn khác và hồ sơ theo chuẩn 4210, vì tỷ lệ ở đó định nghĩa khác.",
    known_gaps_en=(
        f"{REFUND_EN} Lines with another source are passed over, and so are claims of the 4210 format, whose ratio is "
        "defined otherwise."
    ),
    examples=(
        hit("thu thừa 5.000 đồng", "5,000 too much", visit(), service(t_bncct=TEST_PRICE * 0.2 + 5_000), amount=0),
        clear("đúng công thức", "formula holds", visit(), service(), drug()),
        clear("có nguồn khác", "another source", visit(), service(t_bncct=0, t_nguonkhac=TEST_PRICE * 0.2)),
        not_evaluable("thiếu cùng chi trả", "no co-payment", visit(), service(t_bncct=None)),
    ),
)
def copay_off_formula(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Lines without another source whose co-payment is not the covered amount less the fund's part."""
    due = money("thanh_tien_bh") - money("t_bhtt")
    found = lines(tables, LINES, "t_bncct", "thanh_tien_bh", "t_bhtt", "t_nguonkhac", "standard").filter(
        nw.col("standard") == "130",
        money("t_nguonkhac").fill_null(0.0) == 0,
        (money("t_bncct") - due).abs() > facts("LTH-04").tol_vnd,
    )
    return line_hits(found, amount=nw.lit(0.0), observed=money("t_bncct"), allowed=due)


@rule(
    id="LTH-05",
    version=1,
    scheme="LAM_THU_COPAY",
    severity="deny",
    title_vi="Chi phí dưới 15% lương cơ sở vẫn thu cùng chi trả",
    title_en="Co-payment below 15% of the base salary",
    reason_vi="Chi phí dưới 15% lương cơ sở nhưng thu {observed} đồng cùng chi trả (hoàn trả người bệnh).",
    reason_en="The cost is below 15% of the base salary, yet {observed} VND of co-payment was taken (to be refunded).",
    legal_basis="L-BHYT Đ22; ND188 Đ35 k2 i",
    needs=(
        "encounter.ngay_vao",
        "encounter.ngay_ra",
        "encounter.ma_doituong_kcb",
        "encounter.t_tongchi_bh",
        "encounter.t_bncct",
    ),
    known_gaps_vi=(
        f"{REFUND_VI} Xét theo mức lương cơ sở thấp hơn giữa ngày vào và ngày ra, và với mã đối tượng được hưởng đủ "
        "theo cả hai bảng mã. Chi phí tách thành hai hồ sơ trong ngày trông như thấp."
    ),
    known_gaps_en=(
        f"{REFUND_EN} Judged by the lower of the base salaries of arrival and leaving, and for the access codes that "
        "give the whole benefit in both tables of codes. A cost that was split over two claims of a day looks low."
    ),
    examples=(
        hit("xét nghiệm 100.000 đồng", "a test of 100,000", visit(), service(), amount=0),
        clear("hưởng đầy đủ", "full benefit", visit(), service(muc_huong=100)),
        clear("lượt khám chi phí cao", "a dear visit", visit(), service(price=TEST_PRICE * 5)),
        clear(
            "bệnh viện trung ương, không có giấy chuyển",
            "central hospital without a letter",
            visit(ma_doituong_kcb="3.1"),
            service(),
        ),
        not_evaluable("thiếu mã đối tượng đến khám", "no access code", visit(ma_doituong_kcb=None), service()),
    ),
)
def copay_of_small_cost(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Encounters of full benefit whose cost is below 15% of the base salary and that show a co-payment."""
    known = facts("LTH-05")
    salary = nw.min_horizontal(base_salary(nw.col("ngay_vao")), base_salary(nw.col("ngay_ra")))
    found = tables.encounter.filter(
        ~nw.col("ngay_vao").is_null(),
        ~nw.col("ngay_ra").is_null(),
        nw.col("ma_doituong_kcb").str.strip_chars().is_in(known.codes),
        money("t_tongchi_bh") > 0,
        money("t_tongchi_bh") < known.pct_salary * salary,
        money("t_bncct") > known.tol_vnd,
    )
    return encounter_hits(found, amount=nw.lit(0.0), observed=money("t_bncct"), allowed=nw.lit(0.0))


@rule(
    id="DOC-02",
    version=1,
    scheme="ORDER_TIME_ANOMALY",
    severity="info",
    title_vi="Ngày hẹn khám lại không sau ngày ra",
    title_en="Re-examination date not after discharge",
    reason_vi="Ngày hẹn khám lại không sau ngày ra viện.",
    reason_en="The appointment for re-examination is not after the day of leaving.",
    legal_basis="TT01/2025; QĐ 130",
    needs=("encounter.ngay_ra", "encounter.ma_loai_kcb"),
    known_gaps_vi=(
        "Ngày hẹn đọc từ bảng tổng hợp (NGAY_TAI_KHAM, ngày đầu trong danh sách), không đọc từ giấy hẹn (XML14). Đợt "
        "điều trị và lượt lĩnh thuốc kết thúc vào ngày cuối, không phải khi người bệnh về, nên bỏ qua. Không có số "
        "tiền có dấu hiệu."
    ),
    known_gaps_en=(
        "The appointment is read from the summary (NGAY_TAI_KHAM, the first of the list), not from the paper (XML14). "
        "Courses and drug pick-ups end on their last day, not when the patient leaves, and are passed over. No money "
        "is at risk."
    ),
    examples=(
        hit("hẹn cùng ngày", "the same day", visit(ngay_tai_kham="20250310"), amount=0),
        hit("hẹn trước đó nhiều năm", "years before", stay(3, ngay_tai_kham="20230320"), amount=0),
        clear("mười ngày sau", "ten days later", stay(3, ngay_tai_kham="20250323")),
        clear("không có hẹn", "no appointment", visit()),
        clear("không phải ngày", "not a date", visit(ngay_tai_kham="0")),
        clear("thuốc cho một tháng", "drugs for a month", visit(ma_loai_kcb="05", ngay_tai_kham="20250310")),
        not_evaluable("thiếu giờ ra viện", "no time of leaving", visit(ngay_ra=None, ngay_tai_kham="20250310")),
    ),
)
def appointment_before_leaving(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Encounters whose appointment is on the day of leaving or before it."""
    given = nw.col("ngay_tai_kham").str.strip_chars().str.slice(0, 8)
    found = tables.encounter.filter(
        ~care_type().is_in(facts("DOC-02").courses),
        given.str.contains("^20[0-9]{6}$"),
        given <= nw.col("ngay_ra").dt.to_string("%Y%m%d"),
    )
    return encounter_hits(
        found, amount=nw.lit(0.0), observed=nw.lit(None, dtype=nw.Float64), allowed=nw.lit(None, dtype=nw.Float64)
    )
