"""Times: orders outside the stay, execution before the order, results before execution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from detectors.base import clear, hit, not_evaluable, rule
from detectors.examples import PILL_PRICE, TEST_PRICE, bed, drug, exam, service, stay, visit
from detectors.expressions import (
    BEDS,
    DRUGS,
    EXAM,
    LINES,
    SERVICES,
    SUPPLIES,
    TESTS,
    TRANSPORT,
    carried_out,
    clockless,
    day,
    line_hits,
    lines,
    minutes_between,
    money,
    named,
    with_encounter,
)
from detectors.facts import facts

if TYPE_CHECKING:
    from data.schema import ClaimTables

DRUG_ORDER, SERVICE_DONE, BEFORE_ORDER = facts("TIME-01"), facts("TIME-02"), facts("TIME-03")
STAY_GAPS_VI = (
    "Bỏ qua đợt ra viện trước khi vào viện (dữ liệu lỗi). Thời điểm ghi đúng nửa đêm chỉ so theo ngày. Y lệnh miệng "
    "nhập sau trông cũng như vậy."
)
STAY_GAPS_EN = (
    "Encounters that leave before they arrive are passed over (dirty data). A time written as midnight is compared by "
    "day only. A verbal order typed later looks the same."
)


def _minutes_outside(moment: str) -> nw.Expr:
    """Minutes before arrival or after leaving; days only where either time has no clock."""
    at, arrived, left = nw.col(moment), nw.col("e_ngay_vao"), nw.col("e_ngay_ra")
    early = nw.when(clockless(at)).then(minutes_between(at, day(arrived))).otherwise(minutes_between(at, arrived))
    late = (
        nw.when(clockless(at) | clockless(left))
        .then(minutes_between(day(left), day(at)))
        .otherwise(minutes_between(left, at))
    )
    return nw.max_horizontal(early, late)


@rule(
    id="TIME-01",
    version=1,
    scheme="SERVICE_AFTER_DISCHARGE",
    severity="deny",
    title_vi="Y lệnh thuốc ngoài thời gian điều trị",
    title_en="Drug order outside the stay",
    reason_vi="Thuốc được chỉ định ngoài thời gian điều trị {observed} phút (cho phép {allowed} phút).",
    reason_en="The drug was ordered {observed} minutes outside the stay ({allowed} allowed).",
    legal_basis="TT12/2026 Đ10 k1 k; ND90 Đ86",
    needs=("encounter.ngay_vao", "encounter.ngay_ra", "drug_line.ngay_yl"),
    known_gaps_vi=f"Thuốc mang về của ngày ra viện được kê vào giờ nào cũng đúng. {STAY_GAPS_VI}",
    known_gaps_en=f"Take-home drugs of the day of leaving are allowed at any hour. {STAY_GAPS_EN}",
    examples=(
        hit(
            "thuốc có y lệnh hai ngày sau khi ra viện",
            "drug ordered two days after leaving",
            stay(days=2),
            drug(ngay_yl="2025-03-14 09:00"),
            amount=20 * PILL_PRICE * 0.8,
        ),
        clear(
            "thuốc mang về kê buổi tối",
            "take-home drugs in the evening",
            stay(days=2),
            drug(ngay_yl="2025-03-12 21:00"),
        ),
        clear(
            "y lệnh viết trước khi tiếp đón nhập máy",
            "order written before reception typed it",
            visit(),
            drug(ngay_yl="2025-03-10 07:30"),
        ),
        not_evaluable("thiếu thời điểm y lệnh", "no time of order", visit(), drug(ngay_yl=None)),
    ),
)
def drug_outside_stay(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid drug lines ordered more than the grace before arrival or after leaving."""
    found = (
        with_encounter(lines(tables, DRUGS, "ngay_yl", "t_bhtt"), tables, "ngay_vao", "ngay_ra")
        .filter(
            nw.col("e_ngay_ra") >= nw.col("e_ngay_vao"),
            day(nw.col("ngay_yl")) != day(nw.col("e_ngay_ra")),
            money("t_bhtt") > 0,
        )
        .with_columns(outside=_minutes_outside("ngay_yl"))
        .filter(nw.col("outside") > DRUG_ORDER.grace_min)
    )
    return line_hits(
        found, amount=money("t_bhtt"), observed=nw.col("outside"), allowed=nw.lit(float(DRUG_ORDER.grace_min))
    )


@rule(
    id="TIME-02",
    version=1,
    scheme="SERVICE_AFTER_DISCHARGE",
    severity="deny",
    title_vi="Dịch vụ, giường ngoài thời gian điều trị",
    title_en="Service or bed outside the stay",
    reason_vi="Dịch vụ thực hiện ngoài thời gian điều trị {observed} phút (cho phép {allowed} phút).",
    reason_en="The service was done {observed} minutes outside the stay ({allowed} allowed).",
    legal_basis="TT12/2026 Đ10 k1 k; ND90 Đ86",
    needs=("encounter.ngay_vao", "encounter.ngay_ra", "service_line.ngay_yl"),
    known_gaps_vi=(
        "Nuôi cấy, giải phẫu bệnh và xét nghiệm gửi nơi khác xét theo giờ y lệnh, không theo giờ thực hiện; giường và "
        f"vật tư xét theo ngày; vận chuyển đi cùng người bệnh nên không xét. {STAY_GAPS_VI}"
    ),
    known_gaps_en=(
        "Cultures, pathology and tests sent to another site are judged by their order, not their execution; beds and "
        f"supplies by day; transport leaves with the patient and is not judged. {STAY_GAPS_EN}"
    ),
    examples=(
        hit(
            "xét nghiệm làm một ngày sau ra viện",
            "test done the day after leaving",
            stay(days=2),
            service(ngay_yl="2025-03-13 09:00", ngay_th_yl="2025-03-13 09:10"),
            amount=TEST_PRICE * 0.8,
        ),
        clear("xét nghiệm trong đợt", "test inside the stay", stay(days=2), service(), bed(2)),
        clear(
            "nuôi cấy có kết quả sau khi người bệnh về",
            "culture read after the patient left",
            stay(days=2),
            service(ten_dich_vu="Vi khuẩn nuôi cấy và định danh", ngay_th_yl="2025-03-14 09:00"),
        ),
        clear(
            "dòng giường đóng lúc nửa đêm",
            "bed line closed at midnight",
            stay(days=2),
            bed(2, ngay_th_yl="2025-03-12 23:59"),
        ),
        not_evaluable("thiếu giờ ra viện", "no time of leaving", stay(ngay_ra=None), service()),
    ),
)
def service_outside_stay(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid services, beds and supplies more than the grace before arrival or after leaving."""
    group = nw.col("ma_nhom")
    sent_out = nw.col("ma_dich_vu").fill_null("").str.contains(".K.", literal=True)
    late = group.is_in(TESTS) & (sent_out | named("ten_dich_vu", SERVICE_DONE.late_families))
    done = nw.when(late).then(nw.col("ngay_yl")).otherwise(carried_out())
    columns = ("ma_nhom", "ma_dich_vu", "ten_dich_vu", "ngay_yl", "ngay_th_yl", "t_bhtt")
    by_day = group.is_in([*BEDS, *SUPPLIES])
    found = (
        with_encounter(lines(tables, SERVICES, *columns), tables, "ngay_vao", "ngay_ra")
        .filter(nw.col("e_ngay_ra") >= nw.col("e_ngay_vao"), money("t_bhtt") > 0, group != TRANSPORT)
        .with_columns(done=done)
        .with_columns(done=nw.when(by_day).then(day(nw.col("done"))).otherwise(nw.col("done")))
        .with_columns(outside=_minutes_outside("done"))
        .filter(nw.col("outside") > SERVICE_DONE.grace_min)
    )
    return line_hits(
        found, amount=money("t_bhtt"), observed=nw.col("outside"), allowed=nw.lit(float(SERVICE_DONE.grace_min))
    )


@rule(
    id="TIME-03",
    version=1,
    scheme="ORDER_TIME_ANOMALY",
    severity="warn",
    title_vi="Thực hiện trước khi chỉ định",
    title_en="Execution before order",
    reason_vi="Thực hiện trước y lệnh {observed} phút (cho phép {allowed} phút).",
    reason_en="Done {observed} minutes before it was ordered ({allowed} allowed).",
    legal_basis="TT12/2026 Đ10 k1 k",
    needs=("encounter.ma_doituong_kcb", "drug_line.ngay_yl", "service_line.ngay_yl"),
    known_gaps_vi=(
        "Bỏ qua cấp cứu (mã đối tượng 2), giường, vật tư và vận chuyển, vì thời điểm của chúng không phải là thời "
        "điểm y lệnh, và thời điểm không ghi giờ. Thời điểm thực hiện để trống thì không xét: trường này không bắt "
        "buộc."
    ),
    known_gaps_en=(
        "Emergencies (access code 2) are passed over, and so are beds, supplies and transport, whose times are not "
        "those of an order, and times without a clock. A blank execution time is not judged: it is optional."
    ),
    examples=(
        hit(
            "xét nghiệm làm trước y lệnh một giờ",
            "test done an hour before its order",
            visit(),
            service(ngay_yl="2025-03-10 09:00", ngay_th_yl="2025-03-10 08:00"),
            amount=TEST_PRICE * 0.8,
        ),
        clear("làm sau y lệnh", "done after the order", visit(), service(), drug()),
        clear(
            "cấp cứu, y lệnh nhập sau",
            "emergency, order typed later",
            visit(ma_doituong_kcb="2"),
            service(ngay_yl="2025-03-10 09:00", ngay_th_yl="2025-03-10 08:00"),
        ),
        clear(
            "ngày thực hiện không ghi giờ",
            "execution date without a clock",
            visit(),
            service(ngay_th_yl="2025-03-10 00:00"),
        ),
        not_evaluable("thiếu thời điểm y lệnh", "no time of order", visit(), service(ngay_yl=None)),
    ),
)
def done_before_order(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid lines executed more than the grace before their order."""
    untimed = nw.col("ma_nhom").is_in([*BEDS, *SUPPLIES, TRANSPORT])
    found = (
        with_encounter(lines(tables, LINES, "ma_nhom", "ngay_yl", "ngay_th_yl", "t_bhtt"), tables, "ma_doituong_kcb")
        .filter(
            nw.col("e_ma_doituong_kcb").str.strip_chars() != "2",
            ~untimed,
            ~clockless(nw.col("ngay_th_yl")),
            money("t_bhtt") > 0,
        )
        .with_columns(early=minutes_between(nw.col("ngay_th_yl"), nw.col("ngay_yl")))
        .filter(nw.col("early") > BEFORE_ORDER.grace_min)
    )
    return line_hits(
        found, amount=money("t_bhtt"), observed=nw.col("early"), allowed=nw.lit(float(BEFORE_ORDER.grace_min))
    )


@rule(
    id="TIME-04",
    version=1,
    scheme="ORDER_TIME_ANOMALY",
    severity="warn",
    title_vi="Kết quả trước khi thực hiện",
    title_en="Result before execution",
    reason_vi="Có kết quả trước khi thực hiện {observed} phút.",
    reason_en="The result is {observed} minutes older than the execution.",
    legal_basis="TT12/2026 Đ10 k1 k",
    needs=("service_line.ngay_yl",),
    known_gaps_vi=(
        "Thời điểm thực hiện hoặc kết quả để trống thì không xét: cả hai không bắt buộc. Giường và khám không có kết "
        "quả; kết quả ghi đúng nửa đêm cùng ngày là ngày không có giờ."
    ),
    known_gaps_en=(
        "A blank execution or result time is not judged: both are optional. Beds and examinations have no result; a "
        "result written as midnight of the same day is a date without a clock."
    ),
    examples=(
        hit(
            "kết quả trước khi lấy mẫu mười phút",
            "result ten minutes before the sample",
            visit(),
            service(ngay_th_yl="2025-03-10 08:30", ngay_kq="2025-03-10 08:20"),
            amount=TEST_PRICE * 0.8,
        ),
        clear("kết quả sau khi thực hiện", "result after execution", visit(), service()),
        clear("kết quả không ghi giờ", "result without a clock", visit(), service(ngay_kq="2025-03-10 00:00")),
        clear("khám bệnh", "examination", visit(), exam(ngay_kq="2025-03-10 08:00")),
        not_evaluable("thiếu thời điểm y lệnh", "no time of order", visit(), service(ngay_yl=None)),
    ),
)
def result_before_execution(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid service lines whose result is older than their execution."""
    done, result = nw.col("ngay_th_yl"), nw.col("ngay_kq")
    dated = clockless(result) & (day(done) == result)
    found = (
        lines(tables, SERVICES, "ma_nhom", "ngay_yl", "ngay_th_yl", "ngay_kq", "t_bhtt")
        .filter(
            ~nw.col("ma_nhom").is_in([*BEDS, *SUPPLIES, TRANSPORT, EXAM]),
            ~nw.col("ngay_yl").is_null(),
            ~dated,
            money("t_bhtt") > 0,
        )
        .with_columns(early=minutes_between(result, done))
        .filter(nw.col("early") > 0)
    )
    return line_hits(found, amount=money("t_bhtt"), observed=nw.col("early"), allowed=nw.lit(0.0))
