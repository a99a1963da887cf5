"""Machines at work for several patients: studies that overlap, and more of them than a machine can do in a day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.schema import ENCOUNTER_KEY
from detectors.base import clear, hit, not_evaluable, rule
from detectors.examples import TEST_PRICE, service, visit
from detectors.expressions import (
    SERVICES,
    TESTS,
    carried_out,
    clockless,
    day,
    line_hits,
    lines,
    minutes_between,
    money,
    named_service,
    within_stay,
)
from detectors.facts import facts
from detectors.overlaps import minutes_taken, taken

if TYPE_CHECKING:
    from data.schema import ClaimTables
    from detectors.examples import Row

KEY: list[str] = list(ENCOUNTER_KEY)
LINE = [*KEY, "line_table", "row_no"]
MACHINE = ["ma_cskcb", "machine"]
_FUND = TEST_PRICE * 0.8
_NEEDS = ("encounter.ngay_ra", "service_line.ma_nhom", "service_line.ngay_yl")


def _used(tables: ClaimTables, wanted: nw.Expr, *columns: str) -> nw.LazyFrame[Any]:
    """Paid lines of one named `machine` with `start`, within their stay and written to the minute."""
    code = nw.col("ma_may").str.strip_chars().str.to_uppercase()
    held = ("ma_nhom", "ma_may", "ngay_yl", "ngay_th_yl", "t_bhtt", *columns)
    told = (
        lines(tables, SERVICES, *held)
        .filter(wanted, money("t_bhtt") > 0)
        .with_columns(machine=code, start=carried_out())
        .filter(nw.col("machine") != "", ~nw.col("machine").str.contains(";", literal=True))
        .filter(~clockless(nw.col("start")))
    )
    return within_stay(told, tables, nw.col("start"))


def _of_group(group: str) -> nw.Expr:
    """Whether the machine code begins with a group (SA, XQ, CL, MRI, NS)."""
    return nw.col("machine").str.starts_with(f"{group}.")


def _scan(start: str, minutes: int = 10, machine: str = "SA.1.01001.001", **fields: Any) -> Row:
    """An ultrasound from `start`, done in so many minutes."""
    end = f"{start[:-2]}{int(start[-2:]) + minutes:02}"
    told: dict[str, Any] = {
        "ma_nhom": 2,
        "ten_dich_vu": "Siêu âm ổ bụng",
        "ma_dich_vu": "18.0015.0001",
        "ma_may": machine,
        "ngay_yl": start,
        "ngay_th_yl": start,
        "ngay_kq": end,
        **fields,
    }
    return service(**told)


@rule(
    id="MCH-06",
    version=1,
    scheme="MACHINE_OVER_CAPACITY",
    severity="info",
    context="facility",
    title_vi="Ca chồng giờ trên một máy",
    title_en="Overlapping studies on one machine",
    reason_vi="Máy còn đang làm cho người bệnh khác thêm {observed} phút khi ca này bắt đầu (cho phép {allowed}).",
    reason_en="The machine had {observed} minutes left with another patient when this study began ({allowed} allowed).",
    legal_basis="TT12/2026 Đ10 k1 i",
    needs=_NEEDS,
    known_gaps_vi=(
        "Chỉ xét chẩn đoán hình ảnh và nội soi dài đến một giờ trên một máy có mã. Giờ có kết quả được coi là giờ kết "
        "thúc: nơi trả kết quả muộn thì các ca trông như chồng nhau. Trong hai ca, ca sau mang dấu hiệu, với số tiền "
        "của nó."
    ),
    known_gaps_en=(
        "Only pictures and endoscopies of up to an hour on one named machine. The time of the result stands for the "
        "end: where reports are written later, studies seem to overlap. Of two studies the later carries the sign, "
        "with its own money."
    ),
    examples=(
        hit("bắt đầu khi ca trước chưa xong", "before the other is done",
            visit(patient_id="P2"), _scan("2025-03-10 09:00"),
            visit(), _scan("2025-03-10 09:05"), amount=_FUND),
        clear("lần lượt từng ca", "one after the other", visit(patient_id="P2"), _scan("2025-03-10 09:00"),
              visit(), _scan("2025-03-10 09:10")),
        clear("chồng vài phút", "some minutes",
              visit(patient_id="P2"), _scan("2025-03-10 09:00"), visit(), _scan("2025-03-10 09:07")),
        clear("hai máy", "two machines", visit(patient_id="P2"), _scan("2025-03-10 09:00"),
              visit(), _scan("2025-03-10 09:05", machine="SA.1.01001.002")),
        clear("hai ca của một người bệnh", "two of one patient",
              visit(), _scan("2025-03-10 09:00"), _scan("2025-03-10 09:05")),
        clear("chỉ ghi ngày", "days only", visit("2025-03-10 00:00", patient_id="P2"), _scan("2025-03-10 00:00"),
              visit("2025-03-10 00:00"), _scan("2025-03-10 00:00")),
        not_evaluable("thiếu nhóm chi phí", "no cost group", visit(), _scan("2025-03-10 09:05", ma_nhom=None)),
    ),
)  # fmt: skip
def overlapping_studies(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Pictures and endoscopies that begin while their machine is with another patient."""
    known = facts("MCH-06")
    lasts = minutes_between(nw.col("start"), nw.col("end"))
    used = (
        _used(tables, nw.col("ma_nhom").is_in(TESTS) & ~nw.col("ngay_kq").is_null(), "ngay_kq")
        .filter(nw.any_horizontal(*(_of_group(group) for group in known.groups), ignore_nulls=False))
        .with_columns(end=nw.col("ngay_kq"))
        .filter(lasts > 0, lasts <= known.longest_min)
        .select(*LINE, "machine", "start", "end", "t_bhtt")
    )
    found = taken(used, MACHINE).with_columns(both=minutes_taken()).filter(nw.col("both") > known.overlap_min)
    return line_hits(found, amount=money("t_bhtt"), observed=nw.col("both"), allowed=nw.lit(float(known.overlap_min)))


def _counted(used: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """`used` with `count`, the number of the line on its machine that day, and `opened`, when the first began."""
    where = [*MACHINE, "date"]
    order = ["start", "ma_lk", "row_no"]
    return used.with_columns(date=day(nw.col("start"))).with_columns(
        count=nw.col("ma_lk").cum_count().over(*where, order_by=order),
        opened=nw.col("start").cum_min().over(*where, order_by=order),
    )


def _morning(studies: int, every: int = 7, machine: str = "MRI.1.01001.001", **fields: Any) -> tuple[Row, ...]:
    """So many visits from 7 o'clock on, each with one study on the machine."""
    told: list[Row] = []
    for number in range(studies):
        minute = 7 * 60 + number * every
        start = f"2025-03-10 {minute // 60:02}:{minute % 60:02}"
        told += [visit(start, patient_id=f"W{number}"), _scan(start, 0, machine, **fields)]
    return tuple(told)


@rule(
    id="MCH-07",
    version=1,
    scheme="MACHINE_OVER_CAPACITY",
    severity="warn",
    context="facility",
    title_vi="Số ca/máy/ngày vượt định mức",
    title_en="Studies per machine-day above norm",
    reason_vi="Ca thứ {observed} của máy trong ngày, định mức cho số giờ máy chạy là {allowed}; phần vượt {amount}.",
    reason_en="Study {observed} of the machine that day, the norm for its hours at work is {allowed}; {amount} above.",
    legal_basis="TT39/2018 Đ7 k8 (quy định hiện hành chưa đối chiếu)",
    needs=_NEEDS,
    known_gaps_vi=(
        "Siêu âm, X-quang và MRI trên một máy có mã; bỏ qua CT, vì định mức tùy số dãy đầu thu mà không bảng nào ghi. "
        "Số giờ là tám, hoặc bằng số giờ đã qua từ ca đầu trong ngày của máy. Một mã dùng cho nhiều máy trông như một "
        "máy; không tính dòng chỉ ghi ngày."
    ),
    known_gaps_en=(
        "Ultrasound, X-ray and MRI on one named machine; CT is passed over, whose norm depends on rows of detectors "
        "that no table tells. The hours are eight, or as many as passed since the machine's first study of the day. "
        "One code for several machines looks like one machine; lines written to the day are not counted."
    ),
    examples=(
        hit("ca MRI thứ 23 trong buổi sáng", "the 23rd MRI of the morning", *_morning(23), amount=_FUND * 0.03),
        clear("22 ca trong buổi sáng", "22 in a morning", *_morning(22)),
        clear("24 ca trong ngày làm dài", "24 over a long day", *_morning(24, every=30)),
        clear("23 ca siêu âm", "23 ultrasounds", *_morning(23, machine="SA.1.01001.001")),
        not_evaluable(
            "thiếu nhóm chi phí",
            "no cost group",
            visit(),
            _scan("2025-03-10 09:05", machine="MRI.1.01001.001", ma_nhom=None),
        ),
    ),
)
def studies_above_norm(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Pictures beyond what the norm of their machine allows for the hours it worked that day."""
    known = facts("MCH-07")
    norm = nw.lit(None, dtype=nw.Float64)
    paid = nw.lit(1.0)
    for told in known.norms:
        norm = nw.when(_of_group(told["group"])).then(nw.lit(float(told["studies"]))).otherwise(norm)
        paid = nw.when(_of_group(told["group"])).then(nw.lit(told["paid"])).otherwise(paid)
    used = _used(tables, nw.col("ma_nhom").is_in(TESTS)).with_columns(norm=norm, paid=paid)
    at_work = minutes_between(nw.col("opened"), nw.col("start")) / 60
    hours = nw.max_horizontal(at_work, nw.lit(float(known.hours)))
    found = (
        _counted(used.filter(~nw.col("norm").is_null()))
        .with_columns(most=nw.col("norm") * hours / known.hours * known.margin)
        .filter(nw.col("count") > nw.col("most"))
    )
    return line_hits(
        found,
        amount=money("t_bhtt") * (1 - nw.col("paid")),
        observed=nw.col("count"),
        allowed=nw.col("most").floor(),
    )


def _sessions(*hours: int, machine: str = "TT.1.01001.201") -> tuple[Row, ...]:
    """A dialysis of four hours from each of `hours`, each of another patient, all on one machine."""
    told: list[Row] = []
    for number, hour in enumerate(hours):
        start, end = f"2025-03-10 {hour:02}:10", f"2025-03-10 {min(hour + 4, 23):02}:10"
        told.append(visit(f"2025-03-10 {hour:02}:00", minutes=300, patient_id=f"W{number}"))
        named: dict[str, Any] = {"ma_nhom": 18, "ten_dich_vu": "Thận nhân tạo chu kỳ", "ma_may": machine}
        told.append(service(ngay_yl=start, ngay_th_yl=start, ngay_kq=end, **named))
    return tuple(told)


@rule(
    id="FAC-15",
    version=1,
    scheme="DIALYSIS_CHRONIC_COUNT",
    severity="warn",
    context="facility",
    title_vi="Số ca chạy thận vượt năng lực máy",
    title_en="Dialysis above machine slots",
    reason_vi="Ca chạy thận thứ {observed} của một máy trong ngày (nhiều nhất {allowed}).",
    reason_en="Dialysis number {observed} of one machine that day (at most {allowed}).",
    legal_basis="ND90 Đ86; TT12/2026 Đ10 k1",
    needs=_NEEDS,
    known_gaps_vi=(
        "Đếm theo từng máy, không phải số ca của mọi máy trong ngày. Mã chỉ cả phòng lộ ra khi có từ ba ca cùng lúc, "
        "nên bỏ qua; không tính dòng chỉ ghi ngày."
    ),
    known_gaps_en=(
        "Counted by machine, not as sessions over all machines of the day. A code that stands for a room shows by "
        "three sessions and more at once and is passed over; lines written to the day are not counted."
    ),
    examples=(
        hit("năm ca trong ngày", "five in a day", *_sessions(3, 7, 11, 14, 17), amount=_FUND),
        clear("bốn ca trong ngày", "four in a day", *_sessions(6, 10, 14, 18)),
        clear("một mã cho cả phòng", "one code for the room", *_sessions(6, 6, 6, 6, 10, 10, 10, 10)),
        clear("hai máy", "two machines", *_sessions(6, 10, 14), *_sessions(6, 10, 14, machine="TT.1.01001.202")),
        not_evaluable(
            "thiếu nhóm chi phí",
            "no cost group",
            visit(),
            service(ma_nhom=None, ten_dich_vu="Thận nhân tạo chu kỳ", ma_may="TT.1.01001.201"),
        ),
    ),
)
def dialysis_beyond_slots(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Dialyses beyond four of one machine and day."""
    known = facts("FAC-15")
    wanted = ~nw.col("ma_nhom").is_null() & named_service(tables, "FAC-15")
    used = _used(tables, wanted, "ten_dich_vu", "ngay_kq")
    order = ["start", "ma_lk", "row_no"]
    # the one before the last two still going on when this one begins: three at once
    together = (
        used.with_columns(nth_end=nw.col("ngay_kq").shift(known.at_once).over(*MACHINE, order_by=order))
        .with_columns(crowded=(nw.col("nth_end") > nw.col("start")).fill_null(value=False).cast(nw.Int64))
        .with_columns(date=day(nw.col("start")))
        .with_columns(crowds=nw.col("crowded").cum_sum().over(*MACHINE, "date", order_by=order))
    )
    found = _counted(together.drop("date")).filter(nw.col("count") > known.most, nw.col("crowds") == 0)
    return line_hits(found, amount=money("t_bhtt"), observed=nw.col("count"), allowed=nw.lit(float(known.most)))
