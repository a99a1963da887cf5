"""One person in two places: two operations at once, a consultation during one, more hours than a day's work has."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.schema import reused
from detectors.base import clear, hit, not_evaluable, rule
from detectors.doctor_time import (
    LINE,
    ORDER,
    PROCEDURE,
    ended,
    examinations,
    operations,
    person,
    shares_beyond,
    simultaneous,
    timed,
    work_by_day,
)
from detectors.examples import EXAM_PRICE, SURGERY_PRICE, TEST_PRICE, exam, service, stay, surgery, visit
from detectors.expressions import days_between, family, line_hits, minutes_between, money, named_service
from detectors.facts import facts

if TYPE_CHECKING:
    from data.schema import ClaimTables
    from detectors.examples import Row

TWO_TABLES = facts("STF-06")
CONSULTING = facts("STF-07")
LONG_DAY = facts("STF-08")
TEAM = facts("STF-11")
SHIFT = facts("SRV-23")
CATARACT = facts("SRV-41")

_FUND = SURGERY_PRICE * 0.8
_NEEDS = ("encounter.ngay_vao", "encounter.ngay_ra", "service_line.ma_nhom", "service_line.ngay_yl")
_TIMES_VI = (
    "Không xét giờ nằm ngoài đợt, giờ chỉ có ngày, hay thời điểm kết thúc để trống. Giờ làm tròn hoặc nhập sau trông "
    "cũng như vậy. "
)
_TIMES_EN = (
    "Times outside the encounter and times without a clock are not judged, nor is a blank end. Times that were "
    "rounded or typed afterwards look the same. "
)
_HANDS_VI = (
    "Chỉ xét ca mổ, và thủ thuật mà tên cho biết phải làm liền tay; răng, khâu vết thương và bó bột, vốn làm xen kẽ, "
    f"thì bỏ qua. {_TIMES_VI}"
)
_HANDS_EN = (
    "Only operations, and procedures that bind the hands by their names; teeth, sutures and plaster, which are done "
    f"in turns, are left out. {_TIMES_EN}"
)


def _other(**fields: Any) -> Row:
    told: dict[str, Any] = {"patient_id": "P2", "ma_bn": "BN2", **fields}
    return stay(**told)


@rule(
    id="STF-06",
    version=1,
    context="facility",
    scheme="DOCTOR_TIME_OVERLAP",
    severity="warn",
    title_vi="Một phẫu thuật viên chính mổ hai người cùng lúc",
    title_en="Overlapping surgeries of one surgeon",
    reason_vi="Phẫu thuật viên chính đang mổ người bệnh khác: hai ca trùng {observed} phút (cho phép {allowed}).",
    reason_en="The first surgeon was operating on somebody else: {observed} minutes in common ({allowed} allowed).",
    legal_basis="TT12/2026 Đ10 k1 g; ND90 Đ86",
    needs=_NEEDS,
    known_gaps_vi=(
        f"{_HANDS_VI}Tính người đứng tên đầu trong kíp. Trưởng khoa đứng tên đầu mọi ca mổ trông cũng như vậy. Ca mổ "
        "sau mang dấu hiệu, nhiều nhất bằng giá ca trước."
    ),
    known_gaps_en=(
        f"{_HANDS_EN}The first name of the team counts. A head of department who is named first on every operation "
        "looks the same. The later operation carries the sign, at most with the price of the earlier."
    ),
    examples=(
        hit(
            "trùng nhau nửa giờ",
            "half an hour in common",
            *(_other(), surgery("2025-03-10 10:00")),
            *(stay(), surgery("2025-03-10 10:30")),
            amount=_FUND,
        ),
        hit(
            "không quá ca rẻ hơn",
            "no more than the cheaper one",
            *(_other(), surgery("2025-03-10 10:00", price=1_000_000)),
            *(stay(), surgery("2025-03-10 10:30")),
            amount=800_000,
        ),
        hit(
            "kéo sang đêm",
            "into the night",
            *(_other(), surgery("2025-03-10 23:30", minutes=120)),
            *(stay(), surgery("2025-03-11 00:30")),
            amount=_FUND,
        ),
        clear(
            "ca này đóng vết mổ khi ca sau chuẩn bị",
            "closing while the next is prepared",
            _other(),
            surgery("2025-03-10 10:00"),
            stay(),
            surgery("2025-03-10 10:50"),
        ),
        clear(
            "hai phần của một ca mổ",
            "two parts of one operation",
            stay(),
            surgery("2025-03-10 10:00"),
            surgery("2025-03-10 10:10"),
        ),
        clear(
            "đứng thứ hai trong kíp kia",
            "second in the other team",
            *(_other(), surgery("2025-03-10 10:00", nguoi_thuc_hien="002/CCHN;001/CCHN")),
            *(stay(), surgery("2025-03-10 10:30")),
        ),
        clear(
            "cơ sở khác",
            "another facility",
            _other(ma_cskcb="01002"),
            surgery("2025-03-10 10:00"),
            stay(),
            surgery("2025-03-10 10:30"),
        ),
        clear(
            "hai ghế răng",
            "two dental chairs",
            *(_other(), surgery("2025-03-10 10:00", ma_nhom=18, ten_dich_vu="Điều trị sâu ngà răng")),
            *(stay(), surgery("2025-03-10 10:10", ma_nhom=18, ten_dich_vu="Điều trị sâu ngà răng")),
        ),
        clear(
            "lọc máu cho hai người",
            "dialysis of two",
            *(_other(), surgery("2025-03-10 10:00", ma_nhom=18, ten_dich_vu="Thận nhân tạo chu kỳ")),
            *(stay(), surgery("2025-03-10 10:10", ma_nhom=18, ten_dich_vu="Thận nhân tạo chu kỳ")),
        ),
        not_evaluable(
            "không ghi giờ",
            "no times",
            *(_other(), surgery("2025-03-10 10:00")),
            *(stay(), surgery("2025-03-10 10:30", ngay_yl=None, ngay_th_yl=None)),
        ),
    ),
)
def two_operations(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid operations whose first surgeon had begun another one that was still going on."""
    busy = operations(tables, TWO_TABLES, procedures=True).with_columns(person=person("nguoi_thuc_hien"))
    found = simultaneous(busy.filter(~nw.col("person").is_null()), longer_than=TWO_TABLES.overlap_min)
    return line_hits(
        found,
        amount=nw.col("other"),
        observed=nw.col("overlap"),
        allowed=nw.lit(float(TWO_TABLES.overlap_min)),
    )


@rule(
    id="STF-07",
    version=1,
    context="facility",
    scheme="DOCTOR_TIME_OVERLAP",
    severity="warn",
    title_vi="Khám bệnh trong khi đang mổ",
    title_en="Exam during surgery",
    reason_vi="Bác sĩ khám khi đang là phẫu thuật viên chính của ca mổ khác đã bắt đầu {observed} phút.",
    reason_en="The doctor examines {observed} minutes into an operation on somebody else as its first surgeon.",
    legal_basis="TT12/2026 Đ10 k1 g",
    needs=_NEEDS,
    known_gaps_vi=(
        f"Chỉ xét ca mổ (nhóm 8). {_TIMES_VI}Không xét lượt khám kết thúc trong khoảng dung sai. Bác sĩ nội trú ký tên "
        "phẫu thuật viên trông cũng như vậy."
    ),
    known_gaps_en=(
        f"Only operations (group 8). {_TIMES_EN}A consultation that ends within the margin is not judged. A resident "
        "who signs in the surgeon's name looks the same."
    ),
    examples=(
        hit(
            "khám giữa ca mổ",
            "in the middle of an operation",
            *(_other(), surgery("2025-03-10 10:00")),
            *(visit("2025-03-10 10:00"), exam(ngay_th_yl="2025-03-10 10:30")),
            amount=EXAM_PRICE * 0.8,
        ),
        clear(
            "khám khi ca mổ bắt đầu",
            "as it begins",
            *(_other(), surgery("2025-03-10 10:00")),
            *(visit("2025-03-10 09:30"), exam(ngay_th_yl="2025-03-10 10:03")),
        ),
        clear(
            "khám trước ca mổ: chỉ y lệnh ghi sau",
            "before it: only the order is later",
            *(_other(), surgery("2025-03-10 10:00")),
            *(visit("2025-03-10 09:30"), exam(ngay_yl="2025-03-10 10:20", ngay_th_yl="2025-03-10 09:40")),
        ),
        clear(
            "người phụ mổ khám",
            "the assistant examines",
            *(_other(), surgery("2025-03-10 10:00")),
            *(visit("2025-03-10 10:00"), exam(ngay_th_yl="2025-03-10 10:30", doctor="002/CCHN")),
        ),
        clear(
            "nha sĩ khám giữa hai lần hàn răng",
            "a dentist between two fillings",
            *(
                visit("2025-03-10 09:50", patient_id="P2"),
                surgery("2025-03-10 10:00", ma_nhom=18, ten_dich_vu="Nhổ răng"),
            ),
            *(visit("2025-03-10 10:00"), exam(ngay_th_yl="2025-03-10 10:30")),
        ),
        clear(
            "cùng một người bệnh",
            "the same patient",
            stay(),
            surgery("2025-03-10 10:00"),
            exam(ngay_th_yl="2025-03-10 10:30"),
        ),
        not_evaluable(
            "lượt khám không ghi giờ",
            "no times of the examination",
            *(_other(), surgery("2025-03-10 10:00")),
            *(visit("2025-03-10 10:00"), exam(ngay_yl=None, ngay_th_yl=None)),
        ),
    ),
)
def consulting_while_operating(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid examinations by a doctor who had begun an operation on somebody else that was still going on."""
    margin = CONSULTING.margin_min
    seen = examinations(tables).with_columns(person=nw.col("doctor").str.strip_chars())
    where = ["ma_cskcb", "person", "date"]
    busy = operations(tables, TWO_TABLES).with_columns(person=person("nguoi_thuc_hien"))
    tables_of_day = work_by_day(busy).select(*where, p_ma_lk="ma_lk", p_at="at", p_until="until")
    at = nw.col("at")
    found = (
        seen.join(tables_of_day, on=where, how="inner")
        .filter(nw.col("p_ma_lk") != nw.col("ma_lk"))
        .with_columns(into=minutes_between(nw.col("p_at"), at))
        .filter(
            nw.col("into") > margin,
            minutes_between(at, nw.col("p_until")) > margin,
            minutes_between(at, nw.col("e_ngay_ra")) > margin,  # what came after leaving proves nothing
        )
        .group_by(*LINE)
        .agg(nw.col("into").max(), nw.col("t_bhtt").max())
    )
    return shares_beyond(found, share=1.0, observed=nw.col("into"), allowed=margin)


@rule(
    id="STF-11",
    version=1,
    context="facility",
    scheme="DOCTOR_TIME_OVERLAP",
    severity="info",
    title_vi="Thành viên kíp mổ trùng hai ca",
    title_en="Team member in two operations",
    reason_vi="Một thành viên kíp mổ đang ở ca mổ khác: hai ca trùng {observed} phút (cho phép {allowed}).",
    reason_en="A member of the team was in another operation: {observed} minutes in common ({allowed} allowed).",
    legal_basis="TT50/2014; TT12/2026 Đ10 k1 g",
    needs=_NEEDS,
    known_gaps_vi=(
        f"Chỉ xét ca mổ (nhóm 8). {_TIMES_VI}Tính mọi người sau tên đầu, ở cả hai ca: một bác sĩ gây mê trông hai bàn "
        "mổ trông cũng như vậy. Phẫu thuật viên chính do STF-06 xét. Tỷ lệ trên giá là ước tính."
    ),
    known_gaps_en=(
        f"Only operations (group 8). {_TIMES_EN}Everybody after the first name counts, in both operations: one "
        "anaesthetist who oversees two tables looks the same. First surgeons are STF-06's. The share of the price is "
        "an estimate."
    ),
    examples=(
        hit(
            "phụ mổ cho hai phẫu thuật viên",
            "the assistant of two surgeons",
            *(_other(), surgery("2025-03-10 10:00", nguoi_thuc_hien="005/CCHN;002/CCHN")),
            *(stay(), surgery("2025-03-10 10:20")),
            amount=_FUND * 0.3,
        ),
        clear(
            "trùng mười lăm phút",
            "a quarter of an hour",
            *(_other(), surgery("2025-03-10 10:00", nguoi_thuc_hien="005/CCHN;002/CCHN")),
            *(stay(), surgery("2025-03-10 10:45")),
        ),
        clear(
            "người phụ mổ khác",
            "other assistants",
            *(_other(), surgery("2025-03-10 10:00", nguoi_thuc_hien="005/CCHN;006/CCHN")),
            *(stay(), surgery("2025-03-10 10:20")),
        ),
        not_evaluable(
            "không ghi giờ",
            "no times",
            *(_other(), surgery("2025-03-10 10:00")),
            *(stay(), surgery("2025-03-10 10:20", ngay_yl=None, ngay_th_yl=None)),
        ),
    ),
)
def team_in_two_operations(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid operations with a team member after the first who was still in the team of an earlier one."""
    teams = operations(tables, TWO_TABLES).filter(nw.col("nguoi_thuc_hien").str.contains(";", literal=True))
    member = nw.col("person")
    each = (
        teams.with_columns(person=nw.col("nguoi_thuc_hien").str.replace_all("^[^;]*;", "").str.split(";"))
        .explode("person")
        .with_columns(person=member.str.strip_chars())
        .filter(member != "")
        .unique([*LINE, "person"])
    )
    # A line's person is part of its key here: the longest overlap of its members speaks.
    found = simultaneous(each, longer_than=TEAM.overlap_min)
    return shares_beyond(found, share=TEAM.share, observed=nw.col("overlap"), allowed=TEAM.overlap_min)


def _busy_day(hours: int) -> tuple[Row, ...]:
    """A day of operations of two hours, one after the other from midnight on: `hours` of work."""
    told: list[Row] = []
    for n in range(hours // 2):
        start = datetime.fromisoformat("2025-03-11 00:30") + timedelta(hours=2 * n)
        told += [_other(at="2025-03-10 08:00"), surgery(start.isoformat(" "), minutes=120)]
    return tuple(told)


@rule(
    id="STF-08",
    version=1,
    context="facility",
    scheme="DOCTOR_TIME_OVERLAP",
    severity="info",
    title_vi="Hoạt động quá dài trong ngày",
    title_en="Activity span too long",
    reason_vi="Tổng thời gian làm việc trong ngày của một người đến dòng này là {observed} giờ (ngưỡng {allowed} giờ).",
    reason_en="Up to this line one person has worked {observed} hours of the day (threshold {allowed}).",
    legal_basis="TT12/2026 Đ10 k1 g",
    needs=_NEEDS,
    known_gaps_vi=(
        f"{_HANDS_VI}Cộng ca mổ, thủ thuật phải làm liền tay, kỹ thuật phục hồi chức năng và lượt khám; việc làm song "
        "song chỉ tính một lần; không tính xét nghiệm và thời gian chờ. Không xét ngày dài có nghỉ giữa, như trực 24 "
        "giờ."
    ),
    known_gaps_en=(
        f"{_HANDS_EN}Operations, hands-on procedures, techniques of rehabilitation and examinations are added up, what "
        "runs in parallel once; tests are not, nor is waiting. Long spans with breaks, which duties of 24 hours have, "
        "are not counted."
    ),
    examples=(
        hit("tám ca mổ, mỗi ca hai giờ", "eight operations of two hours", *_busy_day(16), amount=_FUND),
        clear("bảy ca mổ", "seven", *_busy_day(14)),
        clear(
            "tám ca cùng một lúc",
            "eight at one time",
            *(r for _ in range(8) for r in (_other(), surgery("2025-03-10 10:00", minutes=120))),
        ),
        not_evaluable("không ghi giờ", "no times", stay(), surgery("2025-03-10 10:20", ngay_yl=None, ngay_th_yl=None)),
    ),
)
def too_long_a_day(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid work of a person's day, by time, that ends after more hours of work than a day has."""
    columns = [*LINE, "date", "person", "at", "until", "t_bhtt"]
    seen = examinations(tables, "ngay_kq").with_columns(person=nw.col("doctor").str.strip_chars(), until=ended())
    short = minutes_between(nw.col("at"), nw.col("until")) <= LONG_DAY.longest_exam_min
    done = operations(tables, TWO_TABLES, procedures=True).with_columns(person=person("nguoi_thuc_hien"))
    trained = _techniques(tables).with_columns(until=ended())
    who = ["ma_cskcb", "person", "date"]
    reached, at, until = nw.col("reached"), nw.col("at"), nw.col("until")
    begins = nw.when(reached > at).then(reached).otherwise(at)
    added = minutes_between(begins, until)
    work = reused(
        nw.concat(
            [
                seen.filter(short).select(columns),
                done.select(columns),
                trained.filter(short).select(columns),
            ],
            how="vertical",
        ).filter(until > at, ~nw.col("person").is_null())
    )
    # hours one after the other are at least those of the union: most days are done with before anything is ordered
    full = (
        work.group_by(*who)
        .agg(minutes=minutes_between(at, until).sum())
        .filter(nw.col("minutes") > LONG_DAY.union_h * 60)
    )
    found = (
        work.join(full, on=who, how="semi")
        .with_columns(reached=until.cum_max().over(*who, order_by=ORDER))
        .with_columns(reached=reached.shift(1).over(*who, order_by=ORDER))
        .with_columns(added=nw.when(added > 0).then(added).otherwise(nw.lit(0.0)))
        .with_columns(hours=nw.col("added").cum_sum().over(*who, order_by=ORDER) / 60)
        .filter(nw.col("hours") > LONG_DAY.union_h, nw.col("added") > 0)
    )
    return shares_beyond(found, share=1.0, observed=nw.col("hours"), allowed=LONG_DAY.union_h)


def _technique(name: str = "Xoa bóp bấm huyệt bằng tay", *, code: str = "08.0389.0280", **fields: Any) -> Row:
    told: dict[str, Any] = {"ma_nhom": 18, "nguoi_thuc_hien": "009/CCHN", **fields}
    return service(ten_dich_vu=name, ma_dich_vu=code, **told)


def _techniques_of(count: int, **fields: Any) -> tuple[Row, ...]:
    return tuple(row for n in range(count) for row in (visit(patient_id=f"P{n}"), _technique(**fields)))


@rule(
    id="SRV-23",
    version=1,
    context="facility",
    scheme="REHAB_STAFF_OVERLOAD",
    severity="warn",
    title_vi="Tổng phút kỹ thuật vượt ca làm việc",
    title_en="Technique minutes above the shift",
    reason_vi="Kỹ thuật YHCT, PHCN của một người trong ngày cần ít nhất {observed} phút (ca làm việc {allowed} phút).",
    reason_en="One person's techniques of the day need at least {observed} minutes (the shift has {allowed}).",
    legal_basis="TT12/2026 Đ10 k1 g",
    needs=_NEEDS,
    known_gaps_vi=(
        "Số phút là mức chung cho mọi kỹ thuật, không phải của quy trình từng kỹ thuật; kỹ thuật do máy làm tính thời "
        "gian gắn máy. Chỉ xét y học cổ truyền và phục hồi chức năng, theo chương của mã, và người đứng tên đầu của "
        "dòng: người phụ không ghi tên, và kỹ thuật được phép làm cho hai người cùng lúc, trông cũng như vậy. Không "
        "tính giờ nằm ngoài đợt."
    ),
    known_gaps_en=(
        "Minutes are a default for every technique, not those of its manual; what a machine does counts with the time "
        "of putting it on. Only traditional medicine and rehabilitation, by the chapter of the code, and the first "
        "name on the line: assistants who are not recorded, and techniques on two people at once that are allowed, "
        "look the same. Times outside the encounter are not counted."
    ),
    examples=(
        hit("28 lượt xoa bóp", "twenty-eight massages", *_techniques_of(28), amount=TEST_PRICE * 0.8),
        clear("27 lượt", "twenty-seven", *_techniques_of(27)),
        clear(
            "chiếu hồng ngoại cho 40 người",
            "infrared for forty",
            *_techniques_of(40, name="Điều trị bằng tia hồng ngoại", code="17.0011.0237"),
        ),
        clear(
            "khí dung của cả khoa", "the ward's inhalations", *_techniques_of(40, name="Khí dung", code="02.0032.0898")
        ),
        not_evaluable("không ghi giờ", "no times", *_techniques_of(28, ngay_yl=None, ngay_th_yl=None)),
    ),
)
def techniques_above_shift(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid techniques of a person's day, by time, after those that fill the shift."""
    apiece = nw.when(family(tables, "service_line", SHIFT.by_machine)).then(nw.lit(float(SHIFT.machine_min)))
    who = ("ma_cskcb", "person", "date")
    found = (
        _techniques(tables, clock=False)
        .with_columns(minutes=money("so_luong") * apiece.otherwise(nw.lit(float(SHIFT.default_min))))
        .with_columns(total=nw.col("minutes").cum_sum().over(*who, order_by=ORDER))
        .filter(nw.col("total") > SHIFT.minutes)
        .with_columns(beyond=(nw.col("total") - SHIFT.minutes) / nw.col("minutes"))
    )
    share = nw.when(nw.col("beyond") < 1).then(nw.col("beyond")).otherwise(nw.lit(1.0))
    return shares_beyond(found, share=share, observed=nw.col("total"), allowed=SHIFT.minutes)


def _techniques(tables: ClaimTables, *, clock: bool = True) -> nw.LazyFrame[Any]:
    """Paid techniques of traditional medicine and rehabilitation, by the chapter of their code, with their `person`."""
    columns = ("ma_dich_vu", "ten_dich_vu", "so_luong", "nguoi_thuc_hien", "ngay_kq")
    return (
        timed(tables, (PROCEDURE,), *columns, clock=clock)
        .filter(nw.col("ma_dich_vu").str.slice(0, 2).is_in(SHIFT.chapters), money("so_luong") > 0)
        .with_columns(person=person("nguoi_thuc_hien"))
        .filter(~nw.col("person").is_null())
    )


_PHACO: dict[str, Any] = {"ten_dich_vu": "Phẫu thuật tán nhuyễn thể thủy tinh bằng siêu âm (Phaco)"}


def _eyes(count: int, *, day: str = "2025-03-10", known: int = 0, every: int = 15) -> tuple[Row, ...]:
    """`count` cataracts in a row by one surgeon on `day`, of people from number `known` on."""
    told: list[Row] = []
    for n in range(count):
        start = datetime.fromisoformat(f"{day} 08:30") + timedelta(minutes=every * n)
        told += [
            stay(1, f"{day} 08:00", patient_id=f"P{known + n}"),
            surgery(start.isoformat(" "), minutes=12, **_PHACO),
        ]
    return tuple(told)


@rule(
    id="SRV-41",
    version=1,
    context="facility",
    scheme="CATARACT_CAMPAIGN",
    severity="warn",
    title_vi="Phaco hàng loạt trong ngày",
    title_en="Phaco volume per surgeon-day",
    reason_vi="Ca Phaco thứ {observed} trong ngày của phẫu thuật viên (ngưỡng {allowed}) hoặc ngày dồn mổ mắt thứ hai.",
    reason_en="Phaco number {observed} of the surgeon's day (threshold {allowed}), or one of many second eyes.",
    legal_basis="ND90 Đ95; TT35/2016 Đ4d",
    needs=_NEEDS,
    known_gaps_vi=(
        "Nhận biết theo tên. Đợt mổ lưu động đã thỏa thuận với cơ quan BHXH, hoặc mổ bù sau khi thiếu thể thủy tinh, "
        "trông cũng như vậy. Mắt thứ hai là ca mổ cùng người bệnh tại đây cách một đến bảy ngày; tỷ lệ tính trên số "
        "ca trong ngày của phẫu thuật viên đến lúc đó, từ mười người bệnh trở lên. Không phân biệt mắt nào: mổ lại "
        "cùng một mắt cũng bị tính."
    ),
    known_gaps_en=(
        "By name. A real outreach agreed with the fund, or a backlog after a shortage of lenses, looks the same. A "
        "second eye is an operation on the same patient here one to seven days before; its share is counted over the "
        "surgeon's day so far, from ten patients on. Eyes are not told apart: a second operation on one eye counts."
    ),
    examples=(
        hit("ca thứ 26", "the twenty-sixth", *_eyes(26), amount=_FUND),
        clear("25 ca mổ", "twenty-five", *_eyes(25)),
        hit(
            "mắt thứ hai của người thứ mười",
            "the second eye of the tenth",
            *(*_eyes(4, day="2025-03-06"), *_eyes(6, known=4)),
            *(row for row in _eyes(4, every=100)),
            amount=_FUND,
        ),
        clear(
            "mắt thứ hai của ba người",
            "second eyes of three",
            *_eyes(3, day="2025-03-06"),
            *_eyes(3, every=100),
            *_eyes(4, known=4),
        ),
        clear("một tháng sau", "a month later", *_eyes(10, day="2025-02-06"), *_eyes(10)),
        not_evaluable(
            "không ghi giờ", "no times", stay(), surgery("2025-03-10 10:20", ngay_yl=None, ngay_th_yl=None, **_PHACO)
        ),
    ),
)
def cataracts_in_a_row(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid cataract operations of a surgeon's day after the limit, or second eyes of a day that has many."""
    who = ("ma_cskcb", "person", "date")
    eyes = (
        timed(tables, (8,), "ten_dich_vu", "nguoi_thuc_hien", patient=True, clock=False)
        .filter(named_service(tables, "SRV-41"))
        .with_columns(person=person("nguoi_thuc_hien"))
        .filter(~nw.col("person").is_null())
        .with_columns(before=nw.col("at").shift(1).over("ma_cskcb", "e_patient_id", order_by=ORDER))
    )
    apart = days_between(nw.col("before"), nw.col("at"))
    second = (apart >= 1) & (apart <= CATARACT.eye_gap) & ~nw.col("e_patient_id").is_null()
    counted = eyes.with_columns(
        turn=nw.col("ma_lk").cum_count().over(*who, order_by=ORDER),
        second=nw.when(second).then(nw.lit(1.0)).otherwise(nw.lit(0.0)),
    ).with_columns(seconds=nw.col("second").cum_sum().over(*who, order_by=ORDER))
    many = (nw.col("turn") >= CATARACT.min_cases) & (nw.col("seconds") / nw.col("turn") > CATARACT.share)
    found = counted.filter((nw.col("turn") > CATARACT.max) | (many & (nw.col("second") == 1)))
    return shares_beyond(found, share=1.0, observed=nw.col("turn"), allowed=CATARACT.max)
