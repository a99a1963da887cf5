"""Order times: bursts before leaving, results long after it, orders after death, visits too short for their tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.schema import ENCOUNTER_KEY
from detectors.base import clear, hit, not_evaluable, rule
from detectors.examples import EXAM_PRICE, TEST_PRICE, bed, drug, exam, service, stay, visit
from detectors.expressions import (
    BEDS,
    EXAM,
    LINES,
    SERVICES,
    SUPPLIES,
    TESTS,
    TRANSPORT,
    care_type,
    carried_out,
    clockless,
    day,
    encounter_hits,
    family,
    line_hits,
    lines,
    minutes_between,
    money,
    with_encounter,
)
from detectors.facts import facts

if TYPE_CHECKING:
    from data.schema import ClaimTables

BURST = facts("TIME-05")
RESULT = facts("TIME-06")
DEATH = facts("TIME-07")
SHORT = facts("TIME-10")

KEY: list[str] = list(ENCOUNTER_KEY)
UNTIMED = (*BEDS, *SUPPLIES, TRANSPORT)
"""Cost groups whose times are not those of something that is done."""


@rule(
    id="TIME-05",
    version=1,
    scheme="SERVICE_AFTER_DISCHARGE",
    severity="info",
    title_vi="Chỉ định dồn sát giờ ra viện",
    title_en="Burst of orders just before discharge",
    reason_vi="{observed} dịch vụ được chỉ định trong vài phút trước giờ ra viện (ngưỡng {allowed}).",
    reason_en="{observed} services were ordered within minutes before leaving (threshold {allowed}).",
    legal_basis="TT12/2026 Đ10 k1 i",
    needs=("encounter.ma_loai_kcb", "encounter.ngay_ra", "service_line.ngay_yl"),
    known_gaps_vi=(
        "Bỏ qua thuốc, vì thuốc kê phút cuối là để mang về; bỏ qua cả giường, vật tư và vận chuyển. Loạt nhập khi "
        "thanh toán trông cũng như vậy."
    ),
    known_gaps_en=(
        "Drugs are passed over, for those of the last minutes are taken home; so are beds, supplies and transport. A "
        "batch that is typed at payment looks the same."
    ),
    examples=(
        hit(
            "ba xét nghiệm ba phút trước khi ra viện",
            "three tests three minutes before leaving",
            stay(days=3),
            bed(3),
            *(service(ngay_yl="2025-03-13 15:57", ngay_th_yl=None) for _ in range(3)),
            amount=3 * TEST_PRICE * 0.8,
        ),
        clear(
            "ba xét nghiệm vào buổi sáng",
            "three tests in the morning",
            stay(days=3),
            *(service(ngay_yl="2025-03-13 08:00") for _ in range(3)),
        ),
        clear("thuốc mang về", "take-home drugs", stay(days=3), *(drug(ngay_yl="2025-03-13 15:57") for _ in range(3))),
        clear("ngoại trú", "outpatient", visit(minutes=30), *(service(ngay_yl="2025-03-10 08:27") for _ in range(3))),
        not_evaluable("thiếu giờ ra viện", "no time of leaving", stay(ngay_ra=None), service()),
    ),
)
def burst_before_leaving(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid services of a stay ordered in its last minutes, where there are several of them."""
    late = (
        with_encounter(lines(tables, SERVICES, "ma_nhom", "ngay_yl", "t_bhtt"), tables, "ma_loai_kcb", "ngay_ra")
        .filter(
            care_type("e_ma_loai_kcb") == "03",
            ~nw.col("ma_nhom").is_in(UNTIMED),
            money("t_bhtt") > 0,
            ~clockless(nw.col("e_ngay_ra")),
        )
        .with_columns(left=minutes_between(nw.col("ngay_yl"), nw.col("e_ngay_ra")))
        .filter(nw.col("left") >= 0, nw.col("left") <= BURST.window_min)
    )
    many = late.group_by(*KEY).agg(count=nw.len()).filter(nw.col("count") >= BURST.min_lines)
    found = late.join(many, on=KEY, how="inner")
    return line_hits(found, amount=money("t_bhtt"), observed=nw.col("count"), allowed=nw.lit(float(BURST.min_lines)))


@rule(
    id="TIME-06",
    version=1,
    scheme="SERVICE_AFTER_DISCHARGE",
    severity="info",
    title_vi="Kết quả muộn sau ra viện (không phải nuôi cấy, giải phẫu bệnh)",
    title_en="Late result, not culture or pathology",
    reason_vi="Kết quả có sau khi ra viện {observed} giờ (cho phép {allowed} giờ).",
    reason_en="The result came {observed} hours after leaving ({allowed} allowed).",
    legal_basis="TT12/2026 Đ10 k1 k",
    needs=("encounter.ngay_ra", "encounter.ngay_vao", "service_line.ma_nhom", "service_line.ngay_yl"),
    known_gaps_vi=(
        "Nuôi cấy, giải phẫu bệnh, di truyền và xét nghiệm gửi nơi khác cần thời gian nên bỏ qua, nhận biết theo tên "
        "và mã. Không xét khi giờ có kết quả để trống: trường này không bắt buộc. Bỏ qua đợt ra viện trước khi vào "
        "viện."
    ),
    known_gaps_en=(
        "Cultures, pathology, genetics and tests sent to another site take their time and are passed over, told by "
        "name and code. A blank time of result is not judged: it is optional. Encounters that leave before they "
        "arrive are passed over."
    ),
    examples=(
        hit(
            "công thức máu có kết quả hai ngày sau ra viện",
            "blood count read two days after leaving",
            visit(),
            service(ngay_kq="2025-03-12 12:00"),
            amount=TEST_PRICE * 0.8,
        ),
        clear("có kết quả trong ngày", "read the same day", visit(), service()),
        clear(
            "nuôi cấy vi khuẩn",
            "culture",
            visit(),
            service(ten_dich_vu="Vi khuẩn nuôi cấy và định danh", ngay_kq="2025-03-14 12:00"),
        ),
        clear(
            "gửi làm nơi khác",
            "sent out",
            visit(),
            service(ma_dich_vu="22.0120.1370.K.01002", ngay_kq="2025-03-14 12:00"),
        ),
        not_evaluable("thiếu giờ ra viện", "no time of leaving", visit(ngay_ra=None), service()),
    ),
)
def late_result(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid tests whose result came long after the patient left."""
    columns = ("ma_nhom", "ma_dich_vu", "ten_dich_vu", "ngay_kq", "t_bhtt")
    found = (
        with_encounter(
            lines(tables, SERVICES, *columns).filter(
                nw.col("ma_nhom").is_in(TESTS),
                ~family(tables, "service_line", RESULT.late_families),
                ~nw.col("ma_dich_vu").fill_null("").str.contains(".K.", literal=True),
                money("t_bhtt") > 0,
            ),
            tables,
            "ngay_vao",
            "ngay_ra",
        )
        .filter(nw.col("e_ngay_ra") >= nw.col("e_ngay_vao"))
        .with_columns(late=minutes_between(nw.col("e_ngay_ra"), nw.col("ngay_kq")) / 60)
        .filter(nw.col("late") > RESULT.hours)
    )
    return line_hits(found, amount=money("t_bhtt"), observed=nw.col("late"), allowed=nw.lit(float(RESULT.hours)))


@rule(
    id="TIME-07",
    version=1,
    scheme="SERVICE_AFTER_DEATH",
    severity="warn",
    title_vi="Y lệnh sau thời điểm tử vong",
    title_en="Orders after death in the death claim",
    reason_vi="Thực hiện sau thời điểm tử vong {observed} phút (cho phép {allowed} phút).",
    reason_en="Done {observed} minutes after the time of death ({allowed} allowed).",
    legal_basis="ND90 Đ85-86; BLHS Đ215",
    needs=("encounter.ket_qua_dtri", "encounter.ngay_ra", "drug_line.ngay_yl", "service_line.ngay_yl"),
    known_gaps_vi=(
        "NGAY_RA được coi là lúc tử vong. Bỏ qua giường và vận chuyển; vật tư và thời điểm không ghi giờ so theo "
        "ngày. Y lệnh của giờ cuối nhập sau trông cũng như vậy."
    ),
    known_gaps_en=(
        "NGAY_RA is taken for the time of death. Beds and transport are passed over, supplies and times without a "
        "clock are compared by day. Orders of the last hour that are typed afterwards look the same."
    ),
    examples=(
        hit(
            "xét nghiệm hai giờ sau khi tử vong",
            "test two hours after death",
            stay(days=2, ket_qua_dtri=5),
            service(ngay_yl="2025-03-12 18:00", ngay_th_yl="2025-03-12 18:05"),
            amount=TEST_PRICE * 0.8,
        ),
        clear("y lệnh của giờ cuối", "last hour", stay(days=2, ket_qua_dtri=5), service(ngay_th_yl="2025-03-12 15:50")),
        clear(
            "dòng giường đóng vào buổi tối",
            "bed line closed in the evening",
            stay(days=2, ket_qua_dtri=5),
            bed(2, ngay_th_yl="2025-03-12 23:59"),
        ),
        clear("ra viện về nhà", "went home", stay(days=2), service(ngay_th_yl="2025-03-12 18:05")),
        not_evaluable("thiếu kết quả điều trị", "no outcome", stay(ket_qua_dtri=None), service()),
    ),
)
def order_after_death(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid lines done after the end of an encounter that ended in death."""
    done, died = nw.col("done"), nw.col("e_ngay_ra")
    by_day = clockless(done) | clockless(died) | nw.col("ma_nhom").is_in(SUPPLIES)
    late = nw.when(by_day).then(minutes_between(day(died), day(done))).otherwise(minutes_between(died, done))
    found = (
        with_encounter(
            lines(tables, LINES, "ma_nhom", "ngay_yl", "ngay_th_yl", "t_bhtt"), tables, "ket_qua_dtri", "ngay_ra"
        )
        .filter(
            nw.col("e_ket_qua_dtri").is_in(DEATH.died),
            ~nw.col("ma_nhom").is_in([*BEDS, TRANSPORT]),
            money("t_bhtt") > 0,
        )
        .with_columns(done=carried_out())
        .with_columns(late=late)
        .filter(nw.col("late") > DEATH.grace_min)
    )
    return line_hits(found, amount=money("t_bhtt"), observed=nw.col("late"), allowed=nw.lit(float(DEATH.grace_min)))


@rule(
    id="TIME-10",
    version=1,
    scheme="PHANTOM_VISIT",
    severity="info",
    title_vi="Vào, ra trong vài phút có cận lâm sàng",
    title_en="Visit of minutes with tests",
    reason_vi="Lượt khám có cận lâm sàng chỉ kéo dài {observed} phút (ngưỡng {allowed} phút).",
    reason_en="A visit with tests lasted {observed} minutes (threshold {allowed}).",
    legal_basis="TT12/2026 Đ10 k1 i",
    needs=("encounter.ma_loai_kcb", "encounter.ngay_vao", "encounter.ngay_ra", "service_line.ma_nhom"),
    known_gaps_vi=(
        "Bỏ qua thời điểm không ghi giờ. Giờ ra nhập cùng lúc với giờ vào, hoặc kết quả mang từ ngày khác đến, trông "
        "cũng như vậy."
    ),
    known_gaps_en=(
        "Times without a clock are passed over. A time of leaving that is typed with the arrival, or results brought "
        "from another day, look the same."
    ),
    examples=(
        hit(
            "khám và xét nghiệm trong năm phút",
            "examined and tested in five minutes",
            visit(minutes=5),
            exam(),
            service(),
            amount=(EXAM_PRICE + TEST_PRICE) * 0.8,
        ),
        clear("không có xét nghiệm", "no test", visit(minutes=5), exam(), drug()),
        clear("hai giờ", "two hours", visit(), exam(), service()),
        clear("đợt nội trú vài phút", "stay of minutes", stay(days=0, ngay_ra="2025-03-10 08:05"), service()),
        not_evaluable("thiếu giờ ra viện", "no time of leaving", visit(ngay_ra=None), service()),
    ),
)
def visit_of_minutes(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Tests and examinations of consultations that are over within minutes and hold a test."""
    arrived, left = nw.col("ngay_vao"), nw.col("ngay_ra")
    short = (
        tables.encounter.filter(care_type() == "01", ~clockless(arrived), ~clockless(left))
        .select(*KEY, minutes=minutes_between(arrived, left))
        .filter(nw.col("minutes") >= 0, nw.col("minutes") < SHORT.min_min)
    )
    paid = (
        lines(tables, SERVICES, "ma_nhom", "t_bhtt")
        .filter(nw.col("ma_nhom").is_in([*TESTS, EXAM]), money("t_bhtt") > 0)
        .join(short, on=KEY, how="inner")
    )
    tested = paid.filter(nw.col("ma_nhom").is_in(TESTS)).select(*KEY).unique()
    found = paid.join(tested, on=KEY, how="semi")
    return line_hits(found, amount=money("t_bhtt"), observed=nw.col("minutes"), allowed=nw.lit(float(SHORT.min_min)))


@rule(
    id="TIME-11",
    version=1,
    scheme="ORDER_TIME_ANOMALY",
    severity="deny",
    title_vi="Ra viện trước khi vào viện",
    title_en="Discharge before admission",
    reason_vi="Giờ ra trước giờ vào {observed} phút; thời gian điều trị không xác định được.",
    reason_en="The time of leaving is {observed} minutes before the arrival: there is no time of treatment.",
    legal_basis="TT12/2026 Đ9 k2 b",
    needs=("encounter.ngay_vao", "encounter.ngay_ra"),
    known_gaps_vi=(
        "Nhiều khả năng là gõ nhầm: trả hồ sơ để sửa, việc điều trị có thể có thật. Thời điểm không ghi giờ so theo "
        "ngày. Không xét thời điểm ở tương lai: quy tắc không biết giờ hiện tại, khâu tiếp nhận chỉ từ chối những "
        "thời điểm vô lý."
    ),
    known_gaps_en=(
        "Most likely a slip of typing: the claim goes back, the care may be real. A time without a clock is compared "
        "by day. Times in the future are not judged: a rule knows no clock, and intake refuses only the absurd ones."
    ),
    examples=(
        hit(
            "ra viện hôm trước ngày vào",
            "left the day before",
            visit(ngay_ra="2025-03-09 10:00"),
            exam(),
            amount=EXAM_PRICE * 0.8,
        ),
        clear("hai giờ sau khi vào", "two hours later", visit(), exam()),
        clear("chỉ biết ngày ra viện", "only the day of leaving is known", visit(ngay_ra="2025-03-10 00:00"), exam()),
        not_evaluable("thiếu giờ ra viện", "no time of leaving", visit(ngay_ra=None), exam()),
    ),
)
def left_before_arrival(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Encounters paid by the fund that end before they begin."""
    arrived, left = nw.col("ngay_vao"), nw.col("ngay_ra")
    by_day = clockless(arrived) | clockless(left)
    early = nw.when(by_day).then(minutes_between(day(left), day(arrived))).otherwise(minutes_between(left, arrived))
    found = tables.encounter.with_columns(early=early).filter(nw.col("early") > 0, money("t_bhtt") > 0)
    return encounter_hits(found, amount=money("t_bhtt"), observed=nw.col("early"), allowed=nw.lit(0.0))
