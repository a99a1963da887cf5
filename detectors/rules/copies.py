"""Copies: records of different patients that agree in what no two patients share, the minute and the decimal.

A record is told by sums that two honest ones do not have alike (its lines, quantities, money, and minutes between
them), so that copies are found by sorting, never by comparing pairs. The later record carries the sign.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.schema import ENCOUNTER_KEY, reused
from detectors.base import clear, hit, not_evaluable, rule
from detectors.examples import TEST_PRICE, drug, exam, result, service, stay, visit
from detectors.expressions import (
    LINES,
    SERVICES,
    encounter_hits,
    line_hits,
    lines,
    minutes_between,
    money,
    within_stay,
)
from detectors.facts import facts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from data.schema import ClaimTables
    from detectors.examples import Row

KEY: list[str] = list(ENCOUNTER_KEY)
STAY = "03"  # MA_LOAI_KCB of inpatient stays
_NO_FIGURE = nw.lit(None, dtype=nw.Float64)


def _copied(records: nw.LazyFrame[Any], alike: Sequence[str], days: int) -> nw.LazyFrame[Any]:
    """Records (`at`, `patient_id`) that another patient's of the facility equals in all of `alike`, days `ago`."""
    same, order, at = ["ma_cskcb", *alike], ["at", "ma_lk"], nw.col("at")
    before = records.with_columns(
        last=at.shift(1).over(*same, order_by=order), who=nw.col("patient_id").shift(1).over(*same, order_by=order)
    ).with_columns(ago=minutes_between(nw.col("last"), at) / 1440)
    return before.filter(nw.col("ago") <= days, nw.col("who") != nw.col("patient_id"))


def _course(start: str, *, patient: str | None = "P1", shift: int = 0, pills: int = 20) -> tuple[Row, ...]:
    """A stay of seven lines in a rhythm of its own; `shift` moves one line by so many minutes."""
    minutes = (7, 31, 64, 111, 190, 243 + shift)
    told: list[Row] = [stay(at=f"{start} 08:00", patient_id=patient)]
    for n, later in enumerate(minutes):
        at = f"{start} {8 + later // 60:02}:{later % 60:02}"
        told.append(service(ngay_yl=at, ngay_th_yl=at, ma_dich_vu=f"22.01{n:02}.1370", price=TEST_PRICE + n))
    return (*told, drug(ngay_yl=f"{start} 12:13", ngay_th_yl=f"{start} 12:13", quantity=pills))


@rule(
    id="CPY-01",
    version=1,
    scheme="CLONED_RECORDS",
    severity="warn",
    title_vi="Hồ sơ trùng từng dòng, từng phút với người bệnh khác",
    title_en="A record that equals another patient's line by line and minute by minute",
    reason_vi="Trùng mọi dòng, số tiền, từng phút với hồ sơ của người bệnh khác {observed} ngày trước; {amount}.",
    reason_en="Equals another patient's record of {observed} days before in every line, price and minute; {amount}.",
    legal_basis="TT12/2026 Đ11; ND90 Đ85 (chưa kiểm chứng)",
    context="facility",
    needs=("encounter.patient_id", "service_line.ngay_yl"),
    known_gaps_vi=(
        "Phác đồ mà phần mềm tự điền, đúng từng phút, trông như chép lại. Giữa hai hồ sơ thì nêu hồ sơ sau, mà hồ sơ "
        "này có thể là thật. Bỏ qua nhóm khám cùng ngày theo một danh sách, hồ sơ dưới sáu dòng và dòng không ghi "
        "giờ; chỉ cần đổi một con số là không thấy nữa."
    ),
    known_gaps_en=(
        "A protocol that software types by itself, to the minute, looks copied. Of two records the later is named, "
        "and may be the true one. Groups examined on one day by one list are passed over, so are fewer than six lines "
        "and lines without clock times; one changed figure hides a copy."
    ),
    examples=(
        hit(
            "cùng diễn biến điều trị của người khác",
            "the same course for another",
            *_course("2025-03-05", patient="P2"),
            *_course("2025-03-10"),
        ),
        clear(
            "một dòng lệch mười phút",
            "one line ten minutes later",
            *_course("2025-03-05", patient="P2"),
            *_course("2025-03-10", shift=10),
        ),
        clear(
            "số lượng khác", "another quantity", *_course("2025-03-05", patient="P2"), *_course("2025-03-10", pills=30)
        ),
        clear("cùng một người bệnh", "the same patient", *_course("2025-03-05"), *_course("2025-03-10")),
        clear("cách nhau nhiều tháng", "months before", *_course("2025-01-05", patient="P2"), *_course("2025-03-10")),
        not_evaluable("thiếu mã người bệnh", "nobody named", *_course("2025-03-10", patient=None)),
    ),
)
def copied_record(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Encounters whose lines equal those of another patient's record in number, code, quantity, money and rhythm."""
    known = facts("CPY-01")
    told = lines(tables, LINES, "so_luong", "thanh_tien_bv", "ngay_yl").filter(~nw.col("ngay_yl").is_null())
    own = reused(within_stay(told, tables, nw.col("ngay_yl")))
    told_of = own.group_by(*KEY).agg(first=nw.col("ngay_yl").min(), count=nw.len())
    first = told_of.filter(nw.col("count") >= known.lines)
    later = minutes_between(nw.col("first"), nw.col("ngay_yl"))
    records = (
        own.join(first, on=KEY, how="inner")
        .select(*KEY, "first", "count", quantity=money("so_luong"), bill=money("thanh_tien_bv"), later=later)
        .with_columns(weighed=(nw.col("later") * nw.col("bill")).round(0))
        .group_by(*KEY)
        .agg(
            at=nw.col("first").min(),
            count=nw.col("count").min(),
            quantity=nw.col("quantity").sum().round(3),
            bill=nw.col("bill").sum().round(2),
            rhythm=nw.col("later").sum(),
            weighed=nw.col("weighed").sum(),
        )
        .filter(nw.col("rhythm") > 0)
    )
    columns = ("patient_id", "ma_loai_kcb", "t_bhtt")
    whose = records.join(tables.encounter.select(*KEY, *columns), on=KEY, how="inner")
    whose = whose.filter(~nw.col("patient_id").is_null())
    alike = ("ma_loai_kcb", "count", "quantity", "bill", "rhythm", "weighed")
    copied = _copied(whose, alike, known.days).filter((nw.col("ago") >= 1) | (nw.col("ma_loai_kcb") == STAY))
    return encounter_hits(
        copied,
        amount=money("t_bhtt"),
        observed=nw.col("ago").floor(),
        allowed=_NO_FIGURE,
    )


_PANEL = ("7.31", "4.52", "138.2", "0.451", "88.6", "29.31", "332.7", "251.9")


def _tested(at: str, values: Sequence[str], **fields: Any) -> tuple[Row, ...]:
    """A visit with a blood count of these values."""
    code = "22.0120.1370"
    return (visit(at=at, **fields), exam(), service(ma_dich_vu=code), *(result(code, value) for value in values))


@rule(
    id="SRV-07",
    version=1,
    scheme="PHANTOM_SERVICE",
    severity="warn",
    title_vi="Bộ kết quả trùng hệt giữa nhiều người",
    title_en="Identical result vectors across patients",
    reason_vi="Mọi kết quả trùng hệt với một người bệnh khác {observed} ngày trước; xét nghiệm đã tính {amount}.",
    reason_en="Every result equals another patient's of {observed} days before; {amount} was charged for the tests.",
    legal_basis="ND90 Đ85; BLHS Đ215",
    context="facility",
    needs=("encounter.patient_id",),
    known_gaps_vi=(
        "Chỉ so bộ từ tám con số trở lên của một dịch vụ, gộp mọi kết quả trong hồ sơ; chỉ cần đổi một con số là "
        "không thấy nữa. Máy chưa hiệu chuẩn có thể lặp một con số, khó lặp tám con số."
    ),
    known_gaps_en=(
        "Only whole sets of eight numbers or more of one service are compared, all its results in the claim together; "
        "one changed figure hides a copy. Machines that are not calibrated may repeat a figure, hardly eight."
    ),
    examples=(
        hit(
            "tám con số",
            "eight figures",
            *_tested("2025-03-05 08:00", _PANEL, patient_id="P2"),
            *_tested("2025-03-10 08:00", _PANEL),
            amount=TEST_PRICE * 0.8,
        ),
        clear(
            "một con số khác",
            "one figure differs",
            *_tested("2025-03-05 08:00", _PANEL, patient_id="P2"),
            *_tested("2025-03-10 08:00", (*_PANEL[:7], "252.9")),
        ),
        clear(
            "vài con số",
            "a few figures",
            *_tested("2025-03-05 08:00", _PANEL[:4], patient_id="P2"),
            *_tested("2025-03-10 08:00", _PANEL[:4]),
        ),
        clear(
            "cùng một người bệnh",
            "the same patient",
            *_tested("2025-03-05 08:00", _PANEL),
            *_tested("2025-03-10 08:00", _PANEL),
        ),
        not_evaluable("thiếu mã người bệnh", "nobody named", *_tested("2025-03-10 08:00", _PANEL, patient_id=None)),
    ),
)
def same_results(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Tests whose numeric results all equal another patient's."""
    known = facts("SRV-07")
    text = nw.col("gia_tri").str.strip_chars()
    number = nw.when(text.str.contains(r"^[0-9]+([.][0-9]+)?$")).then(text).otherwise(nw.lit(None, dtype=nw.String))
    values = tables.lab_result.select(*KEY, "ma_dich_vu", value=number.cast(nw.Float64)).filter(
        ~nw.col("value").is_null(), ~nw.col("ma_dich_vu").is_null()
    )
    vectors = (
        values.with_columns(square=(nw.col("value") * nw.col("value")).round(4))
        .group_by(*KEY, "ma_dich_vu")
        .agg(
            count=nw.col("value").count(),
            total=nw.col("value").sum().round(4),
            squares=nw.col("square").sum().round(2),
            largest=nw.col("value").max(),
        )
        .filter(nw.col("count") >= known.results)
    )
    visits = tables.encounter.select(*KEY, "patient_id", at=nw.col("ngay_vao"))
    whose = vectors.join(visits, on=KEY, how="inner").filter(~nw.col("patient_id").is_null(), ~nw.col("at").is_null())
    alike = ("ma_dich_vu", "count", "total", "squares", "largest")
    copied = _copied(whose, alike, known.days).select(*KEY, "ma_dich_vu", "ago")
    billed = lines(tables, SERVICES, "ma_dich_vu", "t_bhtt").filter(money("t_bhtt") > 0)
    named = billed.join(copied, on=[*KEY, "ma_dich_vu"], how="inner")
    return line_hits(named, amount=money("t_bhtt"), observed=nw.col("ago").floor(), allowed=_NO_FIGURE)
