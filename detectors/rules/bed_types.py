"""Beds: whether a bed of this kind, on this day, for this long, is owed; and days in which nothing but the bed was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.schema import ENCOUNTER_KEY
from detectors.base import clear, hit, not_evaluable, rule
from detectors.examples import BED_PRICE, bed, drug, exam, service, stay, surgery, visit
from detectors.expressions import (
    BEDS,
    LINES,
    SERVICES,
    SURGERY,
    admission,
    care_type,
    carried_out,
    clockless,
    day,
    days_between,
    encounter_hits,
    family,
    icd_in,
    line_hits,
    lines,
    minutes_between,
    money,
    with_encounter,
)
from detectors.facts import facts

if TYPE_CHECKING:
    from data.schema import ClaimTables

KEY: list[str] = list(ENCOUNTER_KEY)
STAYS = ("03", "04", "06", "09")
INPATIENT = "03"
DAY_BED, WARD_BED = 14, 15
DIED, TRANSFERRED = (5, 8), (2, 5)
SATURDAY = 6
DAY_MIN = 24 * 60
_FUND = BED_PRICE * 0.8
_BY_NAME_VI = "Nhận biết theo tên giường: tên không cho biết loại giường thì bỏ qua."
_BY_NAME_EN = "Told by the name of the bed: a name that tells no kind is passed over."
_ESTIMATE_VI = "Không tra giá của loại giường đúng: số tiền là ước tính theo tỷ lệ ghi trong tham số."
_ESTIMATE_EN = "The price of the bed that is owed is not looked up: the money is an estimate by the share in the facts."
_SURGICAL: dict[str, Any] = {"ten_dich_vu": "Giường ngoại khoa loại 2", "ma_dich_vu": "K19.1936", "ma_khoa": "K19"}
_ICU: dict[str, Any] = {"ten_dich_vu": "Giường hồi sức tích cực", "ma_dich_vu": "K02.1906", "ma_khoa": "K02"}
_PHACO: dict[str, Any] = {"ten_dich_vu": "Phẫu thuật tán nhuyễn thể thủy tinh bằng siêu âm (Phaco)"}
_UNGROUPED: dict[str, Any] = {**_PHACO, "ma_nhom": None}
_VENTILATED: dict[str, Any] = {"ma_nhom": 18, "ten_dich_vu": "Thông khí nhân tạo xâm nhập"}


def _times(at: str, until: str | None = None) -> dict[str, Any]:
    return {"ngay_yl": at, "ngay_th_yl": at, "ngay_kq": until or at}


def _beds(tables: ClaimTables, *columns: str) -> nw.LazyFrame[Any]:
    """Bed lines that ask money of the fund, with their `quantity` and the days they `begin` and `end`."""
    held = ("ma_nhom", "ten_dich_vu", "so_luong", "ngay_yl", "ngay_th_yl", "ngay_kq", "t_bhtt")
    return (
        lines(tables, SERVICES, *dict.fromkeys((*held, *columns)))
        .filter(nw.col("ma_nhom").is_in(BEDS), money("t_bhtt") > 0, money("so_luong") > 0)
        .with_columns(
            quantity=money("so_luong"), begin=day(carried_out()), end=day(nw.coalesce(nw.col("ngay_kq"), carried_out()))
        )
    )


def _named_beds(tables: ClaimTables, words: str, unless: str | None = None, *columns: str) -> nw.LazyFrame[Any]:
    """Paid bed lines whose name matches `words` and not `unless`."""
    belongs = family(tables, "service_line", words)
    if unless is not None:
        belongs &= ~family(tables, "service_line", unless)
    return _beds(tables, *columns).filter(belongs)


def _operated(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Encounters with an operation and the day of the `last` one."""
    return (
        tables.service_line.filter(nw.col("ma_nhom") == SURGERY)
        .select(*KEY, last=day(carried_out()))
        .group_by(*KEY)
        .agg(nw.col("last").max())
    )


def _bed_money(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Encounters with paid beds: their days (`quantity`) and what the fund pays for them (`beds`)."""
    return (
        _beds(tables)
        .select(*KEY, "quantity", beds=money("t_bhtt"))
        .group_by(*KEY)
        .agg(nw.col("quantity").sum(), nw.col("beds").sum())
    )


def _events(tables: ClaimTables, among: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """What was ordered or done, beds apart, in the encounters of `among`: key, `at`, and its columns."""
    return (
        lines(tables, LINES, "ma_nhom", "ngay_yl", "ngay_th_yl")
        .filter(~nw.col("ma_nhom").is_in(BEDS) | (nw.col("line_table") == "drug_line"))
        .select(*KEY, at=carried_out())
        .join(among, on=KEY, how="inner")
    )


@rule(
    id="BED-03",
    version=1,
    scheme="BED_DAY_PADDING",
    severity="deny",
    title_vi="Nằm 4 đến 24 giờ tính hơn 1 ngày giường",
    title_en="4 to 24 hours billed above one day",
    reason_vi="Nằm viện dưới 24 giờ nhưng tính {observed} ngày giường (cho phép {allowed} ngày).",
    reason_en="The stay lasted less than 24 hours yet {observed} bed days are charged ({allowed} allowed).",
    legal_basis="TT35/2016 Đ4c k1",
    needs=("encounter.ma_loai_kcb", "encounter.ngay_vao", "encounter.ngay_ra", "service_line.so_luong"),
    known_gaps_vi=(
        "Tính từ lúc vào viện đến lúc ra viện. Đợt từ 4 giờ trở xuống do BED-02 xét. Giường của trẻ sơ sinh ghi trên "
        "hồ sơ của mẹ trông cũng như vậy."
    ),
    known_gaps_en=(
        "Counted from arrival to leaving. Stays of 4 hours or less are BED-02's. A newborn's bed on the mother's "
        "claim looks the same."
    ),
    examples=(
        hit(
            "20 giờ, tính 2 ngày giường",
            "twenty hours with two bed days",
            stay(1, at="2025-03-10 20:00"),
            bed(2),
            amount=_FUND,
        ),
        clear("20 giờ, tính 1 ngày giường", "twenty hours with one bed day", stay(1, at="2025-03-10 20:00"), bed(1)),
        clear(
            "hai nửa ngày ở hai khoa",
            "two halves in two wards",
            stay(1, at="2025-03-10 20:00"),
            bed(0.5),
            bed(0.5, ma_khoa="K19"),
        ),
        clear("ba ngày, tính 3 ngày giường", "three days with three bed days", stay(3), bed(3)),
        not_evaluable("thiếu giờ ra viện", "no time of leaving", stay(ngay_ra=None), bed(2)),
    ),
)
def bed_days_within_a_day(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Bed lines of stays of 4 to 24 hours that are charged more than one bed day, each with its share."""
    known = facts("BED-03")
    hours = minutes_between(nw.col("ngay_vao"), nw.col("ngay_ra")) / 60
    since_admission = minutes_between(admission(), nw.col("ngay_ra")) / 60
    short = tables.encounter.filter(
        care_type().is_in(STAYS), hours < known.below_hours, since_admission > known.min_hours
    ).select(*KEY)
    beds = _beds(tables)
    padded = (
        beds.select(*KEY, total=nw.col("quantity"))
        .group_by(*KEY)
        .agg(nw.col("total").sum())
        .filter(nw.col("total") > known.max)
        .join(short, on=KEY, how="semi")
    )
    found = beds.join(padded, on=KEY, how="inner")
    total, most = nw.col("total"), nw.lit(float(known.max))
    return line_hits(found, amount=(total - most) / total * money("t_bhtt"), observed=total, allowed=most)


@rule(
    id="BED-04",
    version=1,
    scheme="BED_DAY_PADDING",
    severity="deny",
    title_vi="Ngày chuyển khoa tính quá 1 ngày giường",
    title_en="Department-change day above one bed day",
    reason_vi="Ngày chuyển khoa tính {observed} ngày giường (cho phép {allowed} ngày).",
    reason_en="{observed} bed days are charged for the day of a change of ward ({allowed} allowed).",
    legal_basis="TT35/2016 Đ4c; QĐ 130 TYLE_TT_DV",
    needs=("service_line.ma_khoa", "service_line.so_luong", "service_line.ngay_yl"),
    known_gaps_vi=(
        "Chỉ những dòng từ 1 ngày giường trở xuống, trong vòng 24 giờ, mới cho biết ngày. Nếu một dòng gồm nhiều ngày "
        "thì việc tính trọn ngày ở cả hai khoa do BED-01 phát hiện."
    ),
    known_gaps_en=(
        "Only lines of one bed day or less within 24 hours name their day: where a line covers several days, a whole "
        "day charged in both wards is BED-01's to find."
    ),
    examples=(
        hit(
            "mỗi khoa tính trọn một ngày",
            "a whole day in each ward",
            stay(3),
            bed(1, **_times("2025-03-11 08:00")),
            bed(1, ma_khoa="K19", **_times("2025-03-11 15:00")),
            amount=_FUND,
        ),
        clear(
            "mỗi khoa tính nửa ngày",
            "half a day in each ward",
            stay(3),
            bed(0.5, **_times("2025-03-11 08:00")),
            bed(0.5, ma_khoa="K19", **_times("2025-03-11 15:00")),
        ),
        clear(
            "hai ngày, hai khoa",
            "two days, two wards",
            stay(3),
            bed(1, **_times("2025-03-10 09:00")),
            bed(1, ma_khoa="K19", **_times("2025-03-11 09:00")),
        ),
        not_evaluable(
            "dòng giường thiếu mã khoa", "no ward on a bed", stay(3), bed(1, ma_khoa=None, **_times("2025-03-11 08:00"))
        ),
    ),
)
def change_of_ward(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """One-day bed lines of a date on which two wards together charge more than one bed day, each with its share."""
    most = float(facts("BED-04").max)
    ward = nw.col("ma_khoa").str.strip_chars()
    daily = (
        _beds(tables, "ma_khoa")
        .filter(nw.col("quantity") <= most, ~nw.col("begin").is_null(), ward != "")
        .filter(minutes_between(carried_out(), nw.coalesce(nw.col("ngay_kq"), carried_out())) <= DAY_MIN)
    )
    doubled = (
        daily.select(*KEY, "begin", total=nw.col("quantity"), first=ward, last=ward)
        .group_by(*KEY, "begin")
        .agg(nw.col("total").sum(), nw.col("first").min(), nw.col("last").max())
        .filter(nw.col("first") != nw.col("last"), nw.col("total") > most + 0.001)
        .select(*KEY, "begin", "total")
    )
    found = daily.join(doubled, on=[*KEY, "begin"], how="inner")
    total = nw.col("total")
    return line_hits(found, amount=(total - most) / total * money("t_bhtt"), observed=total, allowed=nw.lit(most))


@rule(
    id="BED-06",
    version=1,
    scheme="BED_DAY_PADDING",
    severity="warn",
    title_vi="Số lượng giường lớn hơn khoảng thời gian của dòng",
    title_en="Bed quantity above its own interval",
    reason_vi="Dòng giường tính {observed} ngày, từ lúc nằm đến lúc kết thúc chỉ có {allowed} ngày.",
    reason_en="The bed line charges {observed} days, from its beginning to its end there are {allowed}.",
    legal_basis="TT35/2016 Đ4c",
    needs=("service_line.so_luong", "service_line.ngay_yl"),
    known_gaps_vi="Giường không có thời điểm kết thúc (NGAY_KQ) thì bỏ qua: chuẩn dữ liệu cho phép cơ sở để trống.",
    known_gaps_en="Beds without an end (NGAY_KQ) are passed over: the format leaves it to the exporter.",
    examples=(
        hit(
            "từ thứ Hai đến thứ Năm, tính 6 ngày", "six days from Monday to Thursday", stay(3), bed(6), amount=2 * _FUND
        ),
        clear("tính cả ngày đầu và ngày cuối", "both ends counted", stay(3), bed(4)),
        clear("dòng không ghi thời điểm kết thúc", "no end on the line", stay(3), bed(6, ngay_kq=None)),
        not_evaluable("thiếu thời điểm y lệnh", "no order time", stay(3), bed(6, ngay_yl=None, ngay_th_yl=None)),
    ),
)
def bed_beyond_its_interval(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Bed lines whose quantity is above the calendar days from their beginning to their end, both counted."""
    slack = float(facts("BED-06").slack_days)
    found = (
        _beds(tables)
        .filter(~nw.col("ngay_kq").is_null(), nw.col("end") >= nw.col("begin"))
        .with_columns(most=days_between(nw.col("begin"), nw.col("end")) + 1 + slack)
        .filter(nw.col("quantity") > nw.col("most"))
    )
    quantity, most = nw.col("quantity"), nw.col("most")
    return line_hits(found, amount=(quantity - most) / quantity * money("t_bhtt"), observed=quantity, allowed=most)


@rule(
    id="BED-08",
    version=1,
    scheme="UPCODE_BED",
    severity="deny",
    title_vi="Giá giường ngoại khoa quá 10 ngày sau mổ",
    title_en="Surgical bed price after day 10",
    reason_vi="Giá giường ngoại khoa tính đến ngày thứ {observed} sau mổ (được tính đến ngày {allowed}).",
    reason_en="The surgical bed price is charged up to day {observed} after the operation (owed up to day {allowed}).",
    legal_basis="TT35/2016 Đ4c (trước đây TT39/2018 Đ6 k3)",
    needs=("service_line.ma_nhom", "service_line.so_luong", "service_line.ngay_yl"),
    known_gaps_vi=(
        f"{_BY_NAME_VI} {_ESTIMATE_VI} Tính từ ca mổ cuối (nhóm 8) của hồ sơ; không tính ngày ra viện. Hồ sơ không có "
        "ca mổ do BED-14 xét; giường bỏng có giá riêng."
    ),
    known_gaps_en=(
        f"{_BY_NAME_EN} {_ESTIMATE_EN} Counted from the last operation (group 8) of the claim; the day of leaving does "
        "not count. Claims without an operation are BED-14's; burn beds have prices of their own."
    ),
    examples=(
        hit(
            "14 ngày sau mổ",
            "fourteen days after the operation",
            stay(14),
            surgery("2025-03-10 10:00"),
            bed(14, **_SURGICAL, **_times("2025-03-10 08:30", "2025-03-24 10:00")),
            amount=3 * _FUND * 0.25,
        ),
        hit(
            "mỗi ngày một dòng",
            "one line a day",
            stay(14),
            surgery("2025-03-10 10:00"),
            bed(1, **_SURGICAL, **_times("2025-03-20 08:00")),
            bed(1, **_SURGICAL, **_times("2025-03-21 08:00")),
            amount=_FUND * 0.25,
        ),
        clear(
            "một tuần sau mổ", "a week after the operation", stay(7), surgery("2025-03-10 10:00"), bed(7, **_SURGICAL)
        ),
        clear(
            "sau ngày thứ 10 tính giá giường nội khoa",
            "medical price after day 10",
            stay(14),
            surgery("2025-03-10 10:00"),
            bed(14),
        ),
        clear(
            "mổ lại vào ngày thứ 8",
            "operated again on day 8",
            stay(14),
            surgery("2025-03-18 10:00"),
            bed(14, **_SURGICAL),
        ),
        not_evaluable(
            "thiếu thời điểm y lệnh", "no order time", stay(14), bed(14, **_SURGICAL, ngay_yl=None, ngay_th_yl=None)
        ),
    ),
)
def surgical_bed_after_ten_days(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Surgical bed lines that go on beyond the tenth day after the claim's last operation, each with that part."""
    known = facts("BED-08")
    latest = nw.max_horizontal(
        days_between(nw.col("last"), nw.col("begin")), days_between(nw.col("last"), nw.col("end")) - 1
    )
    found = (
        _named_beds(tables, known.surgical, known.other_price)
        .join(_operated(tables), on=KEY, how="inner")
        .with_columns(latest=latest, first=days_between(nw.col("last"), nw.col("begin")))
        .filter(nw.col("latest") > known.days)
        .with_columns(beyond=nw.col("latest") - nw.max_horizontal(nw.col("first") - 1, nw.lit(float(known.days))))
    )
    beyond, quantity = nw.col("beyond"), nw.col("quantity")
    part = nw.when(beyond < quantity).then(beyond / quantity).otherwise(nw.lit(1.0))
    return line_hits(
        found,
        amount=part * known.default_gap * money("t_bhtt"),
        observed=nw.col("latest"),
        allowed=nw.lit(float(known.days)),
    )


@rule(
    id="BED-09",
    version=1,
    scheme="UPCODE_BED",
    severity="warn",
    title_vi="Giường hồi sức tích cực không có chăm sóc tích cực",
    title_en="Intensive care bed without intensive content",
    reason_vi="{observed} ngày giường hồi sức mà không có thở máy, oxy, vận mạch, theo dõi, truyền liên tục nào.",
    reason_en=(
        "{observed} intensive care bed days without any ventilation, oxygen, vasopressor, monitoring or infusion."
    ),
    legal_basis="TT35/2016 Đ4c (trước đây TT39/2018 Đ6 k5)",
    needs=("service_line.ma_nhom", "service_line.ngay_yl", "drug_line.ngay_yl"),
    known_gaps_vi=(
        f"{_BY_NAME_VI} {_ESTIMATE_VI} Dòng giường được nêu khi không ngày nào của dòng có chăm sóc tích cực: chỉ cần "
        "một ngày có thì cả dòng nhiều ngày được coi là hợp lệ. Dịch truyền nào cũng được tính là chăm sóc; oxy và "
        "dịch truyền đã nằm trong giá giường, không kê riêng, thì không thấy được."
    ),
    known_gaps_en=(
        f"{_BY_NAME_EN} {_ESTIMATE_EN} A line is raised when nothing intensive falls on any of its days: care on one "
        "day of a line of many clears it whole. Any infusion fluid counts; oxygen and infusions that are inside the "
        "bed price and not billed cannot be seen."
    ),
    examples=(
        hit(
            "hai ngày chỉ uống thuốc viên",
            "two days with tablets",
            stay(3),
            bed(2, **_ICU),
            drug(),
            exam(),
            amount=2 * _FUND * 0.4,
        ),
        clear("có thở máy", "ventilated", stay(3), bed(2, **_ICU), service(**_VENTILATED)),
        clear("có thở oxy", "oxygen", stay(3), bed(2, **_ICU), drug(ma_thuoc="40.17", ten_thuoc="Oxy y tế")),
        clear("có noradrenalin", "noradrenaline", stay(3), bed(2, **_ICU), drug(ten_thuoc="Noradrenalin 4 mg")),
        clear("có truyền máu", "blood", stay(3), bed(2, **_ICU), drug(ten_thuoc="Khối hồng cầu", ma_nhom=7)),
        clear("giường thường", "ordinary bed", stay(3), bed(3), drug()),
        not_evaluable(
            "thiếu thời điểm y lệnh", "no order time", stay(3), bed(2, **_ICU, ngay_yl=None, ngay_th_yl=None)
        ),
    ),
)
def intensive_bed_without_care(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Intensive care bed lines on none of whose days anything of intensive care is billed."""
    known = facts("BED-09")
    beds = _named_beds(tables, known.intensive).filter(~nw.col("begin").is_null(), ~nw.col("end").is_null())
    given = family(tables, "drug_line", known.drugs) | nw.any_horizontal(
        nw.col("ma_thuoc").str.starts_with(known.oxygen),
        nw.col("ma_nhom").is_in(known.blood_groups),
        ignore_nulls=True,
    )
    done = family(tables, "service_line", known.services) & ~nw.col("ma_nhom").is_in(BEDS)
    when = ("ngay_yl", "ngay_th_yl")
    care = nw.concat(
        [
            tables.drug_line.filter(given).select(*KEY, *when),
            tables.service_line.filter(done | nw.col("ma_nhom").is_in(known.blood_groups)).select(*KEY, *when),
        ]
    ).select(*KEY, on=day(carried_out()))
    cared = (
        beds.select(*KEY, "row_no", "begin", "end")
        .join(care, on=KEY, how="inner")
        .filter(nw.col("on") >= nw.col("begin"), nw.col("on") <= nw.col("end"))
        .select(*KEY, "row_no")
    )
    found = beds.join(cared, on=[*KEY, "row_no"], how="anti")
    return line_hits(
        found, amount=known.default_gap * money("t_bhtt"), observed=nw.col("quantity"), allowed=nw.lit(0.0)
    )


@rule(
    id="BED-10",
    version=1,
    scheme="UPCODE_BED",
    severity="warn",
    title_vi="Mã giường không thuộc khoa của dòng",
    title_en="Bed code department differs from MA_KHOA",
    reason_vi="Mã giường thuộc khoa số {observed}, dòng ghi khoa số {allowed}.",
    reason_en="The bed code belongs to department {observed}, the line to department {allowed}.",
    legal_basis="TT35/2016 Đ4c; QĐ 130",
    needs=("service_line.ma_nhom", "service_line.ma_khoa"),
    known_gaps_vi=(
        f"{_ESTIMATE_VI} Chỉ so mã dạng Kxx; mã ghép của hai khoa thì bỏ qua. Người bệnh nằm nhờ khoa khác vì thiếu "
        "giường trông cũng như vậy."
    ),
    known_gaps_en=(
        f"{_ESTIMATE_EN} Only codes of the form Kxx are compared; joined codes of two departments are passed over. A "
        "patient who lies in another ward for want of beds looks the same."
    ),
    examples=(
        hit(
            "mã giường ngoại khoa ở khoa nội",
            "surgical bed code in the medical ward",
            stay(3),
            bed(3, ma_dich_vu="K19.1936"),
            amount=3 * _FUND * 0.25,
        ),
        clear("đúng mã của khoa", "code of the ward", stay(3), bed(3)),
        clear("đơn nguyên thuộc khoa", "part of the ward", stay(3), bed(3, ma_khoa="K03.1")),
        clear("mã ghép của hai khoa", "two departments joined", stay(3), bed(3, ma_khoa="K0809")),
        not_evaluable("thiếu mã khoa", "no ward", stay(3), bed(3, ma_khoa=None)),
    ),
)
def bed_of_another_ward(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Bed lines whose code begins with another department than the line's."""
    code, ward = nw.col("ma_dich_vu").str.strip_chars(), nw.col("ma_khoa").str.strip_chars()
    found = (
        _beds(tables, "ma_dich_vu", "ma_khoa")
        .filter(code.str.contains(r"^K[0-9]{2}\."), ward.str.contains(r"^K[0-9]{2}(\.|$)"))
        .filter(code.str.slice(0, 3) != ward.str.slice(0, 3))
    )
    return line_hits(
        found,
        amount=facts("BED-10").default_gap * money("t_bhtt"),
        observed=code.str.slice(1, 2).cast(nw.Float64),
        allowed=ward.str.slice(1, 2).cast(nw.Float64),
    )


@rule(
    id="BED-11",
    version=1,
    scheme="BED_SHARE_FULL",
    severity="warn",
    title_vi="Băng ca, giường gấp tính trên 50%; mã giường sai mẫu",
    title_en="Folding bed above 50%, bad bed code",
    reason_vi="Mã giường sai mẫu, hoặc băng ca, giường gấp tính {observed}% giá (cho phép {allowed}%).",
    reason_en="The bed code is malformed, or a folding bed is charged at {observed}% ({allowed}% allowed).",
    legal_basis="TT35/2016 Đ4c; QĐ 130 MA_GIUONG",
    needs=("service_line.ma_nhom", "service_line.tyle_tt_dv"),
    known_gaps_vi=(
        "Mã giường để trống do khâu kiểm tra khi tiếp nhận xử lý; hồ sơ theo chuẩn 4210 thì bỏ qua. Riêng mã sai mẫu "
        "không làm phát sinh số tiền có dấu hiệu."
    ),
    known_gaps_en=(
        "A blank bed code is a matter of the checks at intake; claims of the 4210 format are passed over. A malformed "
        "code alone puts no money at risk."
    ),
    examples=(
        hit(
            "giường gấp tính đủ giá",
            "folding bed at the whole price",
            stay(3),
            bed(3, ma_giuong="K005"),
            amount=3 * _FUND * 0.5,
        ),
        hit("mã sai mẫu", "a code of another form", stay(3), bed(3, ma_giuong="G12"), amount=0),
        clear("giường gấp tính nửa giá", "folding bed at half the price", stay(3), bed(3, ma_giuong="K005", ratio=50)),
        clear("lần lượt nằm hai giường", "two beds in turn", stay(3), bed(3, ma_giuong="H001;H014")),
        not_evaluable(
            "thiếu tỷ lệ thanh toán", "no ratio", stay(3), bed(3, ma_giuong="K005", tyle_tt_dv=None, t_bhtt=100_000)
        ),
    ),
)
def folding_bed(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Bed lines on a folding bed above half the price, or with a bed code that is none."""
    known = facts("BED-11")
    code = nw.col("ma_giuong").str.replace_all(" ", "", literal=True)
    rate, most = money("tyle_tt_dv"), float(known.rate)
    folding = code.str.contains("(^|;)K") & (rate > most)
    found = _beds(tables, "ma_giuong", "tyle_tt_dv", "standard").filter(
        nw.col("standard") == "130", code != "", ~rate.is_null(), folding | ~code.str.contains(known.form)
    )
    excess = nw.when(folding).then((rate - most) / rate).otherwise(nw.lit(0.0))
    return line_hits(found, amount=excess * money("t_bhtt"), observed=rate, allowed=nw.lit(most))


@rule(
    id="BED-13",
    version=1,
    scheme="UPCODE_BED",
    severity="deny",
    title_vi="Giường sau Phaco áp sai hạng",
    title_en="Bed class after Phaco",
    reason_vi="{observed} ngày giường ngoại khoa sau Phaco không phải loại 3.",
    reason_en="{observed} surgical bed days after Phaco are not of class 3.",
    legal_basis="TT35/2016 Đ4c k14; CV266 KT94 (S.015.480)",
    needs=("service_line.ma_nhom",),
    known_gaps_vi=f"{_BY_NAME_VI} {_ESTIMATE_VI} Hồ sơ có ca mổ khác ngoài Phaco thì bỏ qua.",
    known_gaps_en=f"{_BY_NAME_EN} {_ESTIMATE_EN} Claims with another operation beside Phaco are passed over.",
    examples=(
        hit(
            "giường ngoại khoa loại 2",
            "class 2",
            stay(2),
            surgery("2025-03-10 10:00", **_PHACO),
            bed(2, **_SURGICAL),
            amount=2 * _FUND * 0.2,
        ),
        clear(
            "giường ngoại khoa loại 3",
            "class 3",
            stay(2),
            surgery("2025-03-10 10:00", **_PHACO),
            bed(2, ten_dich_vu="Giường ngoại khoa loại 3", ma_khoa="K30"),
        ),
        clear("có ca mổ khác", "another operation", stay(2), surgery("2025-03-10 10:00"), bed(2, **_SURGICAL)),
        clear("giường nội khoa", "medical bed", stay(2), surgery("2025-03-10 10:00", **_PHACO), bed(2)),
        not_evaluable(
            "thiếu nhóm chi phí",
            "no cost group",
            stay(2),
            surgery("2025-03-10 10:00", **_UNGROUPED),
            bed(2, **_SURGICAL),
        ),
    ),
)
def bed_class_after_phaco(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Surgical beds of a named class other than 3 in claims whose only operations are Phaco."""
    known = facts("BED-13")
    phaco = family(tables, "service_line", known.phaco)
    operations = tables.service_line.filter(nw.col("ma_nhom") == SURGERY)
    eyes = operations.filter(phaco).select(*KEY).unique(KEY)
    others = operations.filter(~phaco).select(*KEY).unique(KEY)
    found = (
        _named_beds(tables, known.surgical, known.class_owed)
        .filter(family(tables, "service_line", known.class_named))
        .join(eyes, on=KEY, how="semi")
        .join(others, on=KEY, how="anti")
    )
    return line_hits(
        found, amount=known.default_gap * money("t_bhtt"), observed=nw.col("quantity"), allowed=nw.lit(0.0)
    )


@rule(
    id="BED-14",
    version=1,
    scheme="UPCODE_BED",
    severity="warn",
    title_vi="Giường ngoại khoa không có phẫu thuật",
    title_en="Surgical bed without surgery",
    reason_vi="{observed} ngày giường ngoại khoa trong hồ sơ không có phẫu thuật.",
    reason_en="{observed} surgical bed days in a claim without an operation.",
    legal_basis="TT35/2016 Đ4c",
    needs=("service_line.ma_nhom",),
    known_gaps_vi=(
        f"{_BY_NAME_VI} {_ESTIMATE_VI} Bỏ qua người bệnh được chuyển đến từ cơ sở khác, vì có thể đã mổ ở đó; bỏ qua "
        "cả hồ sơ có mã phẫu thuật, thủ thuật ICD-9-CM, bất kể mã nào. Giường bỏng có giá riêng. Ca mổ kê thành thủ "
        "thuật (nhóm 18) trông như không có ca mổ."
    ),
    known_gaps_en=(
        f"{_BY_NAME_EN} {_ESTIMATE_EN} Patients received from another facility may have been operated there and are "
        "passed over, and so are claims with a procedure code of ICD-9-CM, whatever it is. Burn beds have prices of "
        "their own. An operation billed as a procedure (group 18) looks like none."
    ),
    examples=(
        hit("không có ca mổ", "no operation", stay(3), bed(3, **_SURGICAL), drug(), amount=3 * _FUND * 0.25),
        clear("có ca mổ", "operation", stay(3), surgery("2025-03-10 10:00"), bed(3, **_SURGICAL)),
        clear("đã mổ ở cơ sở khác", "operated elsewhere", stay(3, ma_noi_di="01002"), bed(3, **_SURGICAL)),
        clear("ca mổ chỉ ghi bằng mã", "operation only as a code", stay(3, ma_pttt_qt="47.01"), bed(3, **_SURGICAL)),
        clear("giường nội khoa", "medical bed", stay(3), bed(3)),
        not_evaluable("thiếu nhóm chi phí", "no cost group", stay(3), bed(3, **_SURGICAL, ma_nhom=None)),
    ),
)
def surgical_bed_without_surgery(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Surgical beds of claims without any operation, line or code."""
    known = facts("BED-14")

    def blank(column: str) -> nw.Expr:
        return nw.col(column).fill_null("").str.strip_chars() == ""

    coded = tables.service_line.filter(~blank("ma_pttt_qt")).select(*KEY).unique(KEY)
    found = (
        with_encounter(_named_beds(tables, known.surgical, known.other_price), tables, "ma_pttt_qt", "ma_noi_di")
        .filter(blank("e_ma_pttt_qt"), blank("e_ma_noi_di"))
        .join(_operated(tables), on=KEY, how="anti")
        .join(coded, on=KEY, how="anti")
    )
    return line_hits(
        found, amount=known.default_gap * money("t_bhtt"), observed=nw.col("quantity"), allowed=nw.lit(0.0)
    )


@rule(
    id="BED-16",
    version=1,
    scheme="UNNEC_ADMISSION",
    severity="info",
    title_vi="Nội trú chỉ dùng thuốc uống",
    title_en="Stay with oral drugs only",
    reason_vi="Nội trú {observed} ngày chỉ dùng thuốc uống, không tiêm truyền, thủ thuật, oxy.",
    reason_en="A stay of {observed} days with oral drugs only: no injection, procedure or oxygen.",
    legal_basis="L-BHYT Đ29; ND90 Đ95 k3",
    needs=(
        "encounter.ma_loai_kcb",
        "encounter.ngay_vao",
        "encounter.ngay_ra",
        "encounter.ma_benh_chinh",
        "drug_line.duong_dung",
        "drug_line.ma_thuoc",
        "service_line.ma_nhom",
    ),
    known_gaps_vi=(
        "Bỏ qua khoa tâm thần và lao; theo dõi sốt hoặc chảy máu mà không truyền dịch trông cũng như vậy. Số tiền là "
        "tiền giường: không ước tính chi phí nếu điều trị ngoại trú."
    ),
    known_gaps_en=(
        "Psychiatry and tuberculosis are passed over; watching a fever or a bleeding without an infusion looks the "
        "same. The money is the beds: what the care would have cost outside the ward is not estimated."
    ),
    examples=(
        hit(
            "bốn ngày chỉ uống thuốc viên", "four days with tablets", stay(3), bed(3), drug(), exam(), amount=3 * _FUND
        ),
        clear("có một mũi tiêm", "an injection", stay(3), bed(3), drug(), drug(duong_dung="2.10")),
        clear("có một thủ thuật", "a procedure", stay(3), bed(3), drug(), service(**_VENTILATED)),
        clear("khoa tâm thần", "psychiatry", stay(3, ma_benh_chinh="F20.0"), bed(3), drug()),
        clear("nằm một ngày", "one day", stay(1), bed(1), drug()),
        not_evaluable("thiếu đường dùng", "no route", stay(3), bed(3), drug(duong_dung=None)),
    ),
)
def stay_on_tablets(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Inpatient stays with oral drugs, without injections, oxygen, blood, operations and procedures."""
    known = facts("BED-16")
    route, code = nw.col("duong_dung").str.strip_chars(), nw.col("ma_thuoc").str.strip_chars()
    oral = tables.drug_line.filter(route.str.contains(known.oral)).select(*KEY).unique(KEY)
    cared = nw.concat(
        [
            tables.drug_line.filter(
                nw.any_horizontal(
                    route.is_null(),
                    code.is_null(),
                    route.str.contains(known.injected),
                    code.str.contains(known.oxygen),
                    nw.col("ma_nhom").is_in(known.care_groups),
                    ignore_nulls=True,
                )
            ).select(*KEY),
            tables.service_line.filter(nw.col("ma_nhom").is_in(known.care_groups) | nw.col("ma_nhom").is_null()).select(
                *KEY
            ),
        ]
    )
    found = (
        tables.encounter.filter(care_type() == INPATIENT, ~nw.col("ma_benh_chinh").is_null())
        .filter(~icd_in("ma_benh_chinh", known.exempt))
        .with_columns(days=days_between(admission(), nw.col("ngay_ra")))
        .filter(nw.col("days") >= known.min_days)
        .join(oral, on=KEY, how="semi")
        .join(cared, on=KEY, how="anti")
        .join(_bed_money(tables), on=KEY, how="inner")
    )
    return encounter_hits(found, amount=nw.col("beds"), observed=nw.col("days"), allowed=nw.lit(None, dtype=nw.Float64))


@rule(
    id="BED-17",
    version=1,
    scheme="LOS_PADDING",
    severity="info",
    title_vi="Cuối tuần không y lệnh trước khi ra viện thứ Hai",
    title_en="Empty weekend before a Monday discharge",
    reason_vi="Ra viện thứ Hai, {observed} ngày cuối tuần trước đó không có y lệnh nào ngoài giường.",
    reason_en="Discharged on a Monday after {observed} weekend days with nothing but the bed.",
    legal_basis="L-BHYT Đ29",
    needs=("encounter.ma_loai_kcb", "encounter.ngay_vao", "encounter.ngay_ra", "drug_line.ngay_yl"),
    known_gaps_vi="Thuốc phát thứ Sáu cho ba ngày trông như cuối tuần không có y lệnh. Không đọc tờ điều trị.",
    known_gaps_en="Drugs handed out on Friday for three days look like an empty weekend. Ward notes are not read.",
    examples=(
        hit(
            "thứ Bảy và Chủ nhật không có gì",
            "nothing on Saturday and Sunday",
            stay(7, at="2025-03-10 08:00"),
            bed(7),
            drug(),
            amount=2 * _FUND,
        ),
        clear(
            "Chủ nhật có thuốc",
            "drugs on Sunday",
            stay(7, at="2025-03-10 08:00"),
            bed(7),
            drug(ngay_yl="2025-03-16 08:00", ngay_th_yl="2025-03-16 08:00"),
        ),
        clear("ra viện thứ Sáu", "left on Friday", stay(4, at="2025-03-10 08:00"), bed(4), drug()),
        clear("vào viện thứ Bảy", "admitted on Saturday", stay(2, at="2025-03-15 08:00"), bed(2)),
        not_evaluable("thiếu giờ ra viện", "no time of leaving", stay(ngay_ra=None), bed(7), drug()),
    ),
)
def empty_weekend(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Stays that end on a Monday and have nothing but the bed on the two days before."""
    empty = float(facts("BED-17").empty_days)
    monday = (
        tables.encounter.filter(care_type() == INPATIENT, nw.col("ngay_ra").dt.weekday() == 1)
        .filter(days_between(admission(), nw.col("ngay_ra")) > empty)
        .select(*KEY, "ngay_ra", "t_bhtt")
    )
    before = days_between(nw.col("at"), nw.col("ngay_ra"))
    busy = _events(tables, monday).filter((before >= 1) & (before <= empty) | before.is_null()).select(*KEY)
    found = monday.join(busy, on=KEY, how="anti").join(_bed_money(tables), on=KEY, how="inner")
    share = nw.min_horizontal(empty / nw.col("quantity"), nw.lit(1.0))
    return encounter_hits(found, amount=share * nw.col("beds"), observed=nw.lit(empty), allowed=nw.lit(0.0))


@rule(
    id="BED-15",
    version=1,
    scheme="BED_ORDER_CONFLICT",
    severity="info",
    title_vi="Ngày giường không có y lệnh, thuốc, dịch vụ",
    title_en="Bed day without any care",
    reason_vi="{observed} ngày nằm viện (không kể ngày ra) không có thuốc, dịch vụ nào ngoài giường ({amount}).",
    reason_en="{observed} days of the stay (the last apart) have no drug and no service but the bed ({amount}).",
    legal_basis="L-BHYT Đ29; TT35/2016 Đ4c",
    needs=("encounter.ma_loai_kcb", "encounter.ngay_vao", "encounter.ngay_ra", "drug_line.ngay_yl"),
    known_gaps_vi=(
        "Không đọc diễn biến điều trị (XML5): ngày chỉ theo dõi trông như trống, nên đây chỉ là đầu mối. Thuốc nhập "
        "một lần cho nhiều ngày, và người bệnh chờ chuyển viện, trông cũng như vậy."
    ),
    known_gaps_en=(
        "Ward notes (XML5) are not read: a day of watching alone looks empty, so this is a lead only. Drugs "
        "entered once for several days, and patients who wait for a transfer, look the same."
    ),
    examples=(
        hit(
            "ba ngày sau viên thuốc cuối",
            "three days after the last pill",
            stay(5),
            bed(5),
            drug(ngay_yl="2025-03-11 08:00"),
            amount=4 * _FUND,
        ),
        clear(
            "một ngày xen giữa",
            "one day between",
            stay(3),
            bed(3),
            drug(),
            drug(ngay_yl="2025-03-12 08:00", ngay_th_yl="2025-03-12 08:00"),
        ),
        clear("người bệnh ngoại trú", "an outpatient", visit(), exam(), drug()),
        not_evaluable("thiếu thời điểm ra viện", "no time of leaving", stay(ngay_ra=None), bed(7), drug()),
    ),
)
def days_without_care(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Stays with days, the last apart, on which nothing but the bed was ordered or done."""
    least = facts("BED-15").min_days
    stays = tables.encounter.filter(care_type() == INPATIENT, ~nw.col("ngay_ra").is_null()).select(
        *KEY, "ngay_ra", "t_bhtt", since=admission(), lay=days_between(admission(), nw.col("ngay_ra"))
    )
    events = _events(tables, stays.filter(nw.col("lay") >= least))
    undated = events.filter(nw.col("at").is_null()).select(*KEY)
    busy = (
        events.filter(days_between(nw.col("since"), nw.col("at")) >= 0)
        .filter(days_between(nw.col("at"), nw.col("ngay_ra")) > 0)
        .select(*KEY, on=day(nw.col("at")))
        .unique()
        .group_by(*KEY)
        .agg(busy=nw.len())
    )
    empty = nw.col("lay") - nw.col("busy").fill_null(0)
    found = (
        stays.join(busy, on=KEY, how="left")
        .with_columns(empty=empty)
        .filter(nw.col("empty") >= least)
        .join(undated, on=KEY, how="anti")
        .join(_bed_money(tables), on=KEY, how="inner")
    )
    share = nw.min_horizontal(nw.col("empty") / nw.col("quantity"), nw.lit(1.0))
    return encounter_hits(found, amount=share * nw.col("beds"), observed=nw.col("empty"), allowed=nw.lit(0.0))


@rule(
    id="BED-18",
    version=1,
    scheme="DAYCASE_AS_INPATIENT",
    severity="info",
    title_vi="Nội trú 1 ngày cho thủ thuật ngoại trú",
    title_en="One-day stay for an outpatient procedure",
    reason_vi="Nội trú {observed} giờ chỉ để làm thủ thuật có thể làm ngoại trú (mốc {allowed} giờ).",
    reason_en="A stay of {observed} hours only for a procedure that outpatients have (limit {allowed} hours).",
    legal_basis="L-BHYT Đ29; TT35/2016 Đ4c",
    needs=(
        "encounter.ma_loai_kcb",
        "encounter.ngay_vao",
        "encounter.ngay_ra",
        "encounter.ma_loai_rv",
        "service_line.ma_nhom",
    ),
    known_gaps_vi=(
        "Nhận biết theo tên thủ thuật. Người bệnh yếu cần theo dõi sau nội soi trông cũng như vậy; tử vong và chuyển "
        "viện thì bỏ qua."
    ),
    known_gaps_en=(
        "Told by the names of the procedures. Frail patients who are watched after an endoscopy look the same; deaths "
        "and transfers are passed over."
    ),
    examples=(
        hit(
            "nội soi có tính giường",
            "endoscopy with a bed",
            stay(1, at="2025-03-10 20:00"),
            bed(),
            service(ma_nhom=3, ten_dich_vu="Nội soi đại trực tràng toàn bộ ống mềm"),
            amount=_FUND,
        ),
        clear(
            "nội soi kèm thủ thuật khác",
            "endoscopy and another procedure",
            stay(1, at="2025-03-10 20:00"),
            bed(),
            service(ma_nhom=3, ten_dich_vu="Nội soi đại trực tràng toàn bộ ống mềm"),
            service(**_VENTILATED),
        ),
        clear(
            "phẫu thuật nội soi",
            "laparoscopic operation",
            stay(1, at="2025-03-10 20:00"),
            bed(),
            surgery("2025-03-10 21:00", ten_dich_vu="Phẫu thuật nội soi cắt ruột thừa"),
        ),
        clear("nằm ba ngày", "three days", stay(3), bed(3), service(ma_nhom=3, ten_dich_vu="Nội soi đại trực tràng")),
        not_evaluable("thiếu giờ ra viện", "no time of leaving", stay(ngay_ra=None), bed()),
    ),
)
def day_case_with_bed(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Inpatient stays of a day whose only procedures are those that outpatients have."""
    known = facts("BED-18")
    small = family(tables, "service_line", known.families) & ~family(tables, "service_line", known.not_families)
    small_ones = tables.service_line.filter(small).select(*KEY).unique(KEY)
    others = tables.service_line.filter(nw.col("ma_nhom").is_in(known.care_groups), ~small).select(*KEY)
    unknown = tables.service_line.filter(nw.col("ma_nhom").is_null()).select(*KEY)
    found = (
        tables.encounter.filter(
            care_type() == INPATIENT,
            ~nw.col("ma_loai_rv").is_in(TRANSFERRED),
            ~nw.col("ket_qua_dtri").is_in(DIED).fill_null(value=False),
        )
        .with_columns(hours=minutes_between(admission(), nw.col("ngay_ra")) / 60)
        .filter(nw.col("hours") >= 0, nw.col("hours") <= known.max_hours)
        .join(small_ones, on=KEY, how="semi")
        .join(others, on=KEY, how="anti")
        .join(unknown, on=KEY, how="anti")
        .join(_bed_money(tables), on=KEY, how="inner")
    )
    return encounter_hits(
        found, amount=nw.col("beds"), observed=nw.col("hours"), allowed=nw.lit(float(known.max_hours))
    )


@rule(
    id="BED-19",
    version=1,
    scheme="LOS_PADDING",
    severity="info",
    title_vi="SO_NGAY_DTRI không khớp công thức",
    title_en="SO_NGAY_DTRI not matching the formula",
    reason_vi="SO_NGAY_DTRI ghi {observed}, theo ngày vào, ngày ra là {allowed}.",
    reason_en="SO_NGAY_DTRI says {observed}, the days of arrival and leaving give {allowed}.",
    legal_basis="QĐ 130 SO_NGAY_DTRI",
    needs=("encounter.ma_loai_kcb", "encounter.ngay_vao", "encounter.ngay_ra", "encounter.so_ngay_dtri"),
    known_gaps_vi=(
        "Không xét đợt cấp thuốc (05) và đợt dịch vụ (08) vì cách đếm ngày khác; hồ sơ theo chuẩn 4210 thì bỏ qua. "
        "Không có số tiền có dấu hiệu: tiền giường do BED-01 xét."
    ),
    known_gaps_en=(
        "Courses of drugs (05) and of services (08) count other days and are not judged; claims of the 4210 format "
        "are passed over. No money is at risk: the beds are BED-01's."
    ),
    examples=(
        hit("ghi 6 ngày, thực tế 4 ngày", "six days for four", stay(3, so_ngay_dtri=6), amount=0),
        hit("khám ngoại trú mà ghi một ngày", "a consultation with a day", visit(so_ngay_dtri=1), amount=0),
        clear("tính cả hai ngày", "both days counted", stay(3)),
        clear("khám ngoại trú", "a consultation", visit()),
        not_evaluable("thiếu số ngày điều trị", "no number of days", stay(so_ngay_dtri=None)),
    ),
)
def days_of_treatment(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Encounters whose number of treatment days is not that of their dates."""
    known = facts("BED-19")
    code = care_type()
    counted = days_between(nw.col("ngay_vao"), nw.col("ngay_ra")) + 1
    formula = nw.when(code.is_in(known.stay_codes)).then(counted).otherwise(nw.lit(0.0))
    found = (
        tables.encounter.filter(
            nw.col("standard") == "130",
            code.is_in([*known.stay_codes, *known.zero_codes]),
            nw.col("ngay_ra") >= nw.col("ngay_vao"),
        )
        .with_columns(formula=formula, written=nw.col("so_ngay_dtri").cast(nw.Float64))
        .filter(nw.col("written") != nw.col("formula"))
    )
    return encounter_hits(found, amount=nw.lit(0.0), observed=nw.col("written"), allowed=nw.col("formula"))


@rule(
    id="BED-20",
    version=2,
    scheme="GHOST_BED",
    severity="info",
    title_vi="Nội trú chỉ có y lệnh giờ hành chính",
    title_en="Orders only in office hours all stay",
    reason_vi="Nằm {observed} đêm, có ngày nghỉ, nhưng sau ngày đầu mọi y lệnh đều trong giờ hành chính ngày làm việc.",
    reason_en="{observed} nights over days off, yet after day one all orders are in office hours of working days.",
    legal_basis="L-BHYT Đ29",
    needs=("encounter.ma_loai_kcb", "encounter.ngay_vao", "encounter.ngay_ra", "drug_line.ngay_yl"),
    known_gaps_vi=(
        "Ngày vào viện thì giờ nào cũng được. Ngày làm việc là thứ Hai đến thứ Sáu: không tra ngày lễ. Bỏ qua đợt có "
        "thời điểm ghi đúng nửa đêm: không biết giờ thật. Không đọc tờ điều trị; cơ sở nhập y lệnh cuối tuần từ thứ "
        "Sáu trông cũng như vậy."
    ),
    known_gaps_en=(
        "The day of admission may have any hour. Working days are Monday to Friday: holidays are not looked up. Stays "
        "with a time written as midnight are passed over: their hours are not known. Ward notes are not read; "
        "facilities that enter the weekend's orders on Friday look the same."
    ),
    examples=(
        hit(
            "nằm một tuần, chỉ có y lệnh thứ Hai",
            "a week, orders on Monday only",
            stay(8),
            bed(8),
            drug(),
            service(),
            amount=8 * _FUND,
        ),
        clear(
            "có mũi tiêm ban đêm",
            "an injection at night",
            stay(8),
            bed(8),
            drug(),
            drug(ngay_yl="2025-03-12 22:00", ngay_th_yl="2025-03-12 22:00"),
        ),
        clear(
            "Chủ nhật có chăm sóc",
            "care on Sunday",
            stay(8),
            bed(8),
            drug(),
            service(ngay_yl="2025-03-16 09:00", ngay_th_yl="2025-03-16 09:00"),
        ),
        clear("từ thứ Hai đến thứ Sáu", "Monday to Friday", stay(4), bed(4), drug()),
        clear("vào viện Chủ nhật", "admitted on Sunday", stay(4, at="2025-03-09 16:00"), bed(4), drug()),
        hit(
            "chỉ tối vào viện có y lệnh ngoài giờ",
            "orders after hours on the evening of admission only",
            stay(8, at="2025-03-10 16:30"),
            bed(8),
            service(ngay_yl="2025-03-10 17:40", ngay_th_yl="2025-03-10 17:40"),
            drug(ngay_yl="2025-03-11 08:00", ngay_th_yl="2025-03-11 08:00"),
            amount=8 * _FUND,
        ),
        not_evaluable("thiếu giờ ra viện", "no time of leaving", stay(ngay_ra=None), bed(8), drug()),
    ),
)
def office_hours_only(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Stays over a weekend in which, after the day of admission, all but the bed falls in office hours of workdays."""
    known = facts("BED-20")
    began = day(admission())
    weekday = began.dt.weekday().cast(nw.Float64) % 7  # after a Sunday the next day off is six days away
    over_weekend = (
        tables.encounter.filter(care_type() == INPATIENT)
        .with_columns(nights=days_between(began, nw.col("ngay_ra")), weekday=weekday)
        .filter(nw.col("nights") >= known.min_nights, nw.col("weekday") + nw.col("nights") > SATURDAY)
        .select(*KEY, "nights", "t_bhtt", began=began)
    )
    at = nw.col("at")
    in_hours = (at.dt.weekday() < SATURDAY) & (at.dt.hour() >= known.open_hour) & (at.dt.hour() < known.close_hour)
    inside = ~clockless(at) & (in_hours | (day(at) <= nw.col("began")))
    events = _events(tables, over_weekend.select(*KEY, "began"))
    outside = events.filter(at.is_null() | ~inside).select(*KEY)
    found = (
        over_weekend.join(events.select(*KEY).unique(KEY), on=KEY, how="semi")
        .join(outside, on=KEY, how="anti")
        .join(_bed_money(tables), on=KEY, how="inner")
    )
    return encounter_hits(
        found, amount=nw.col("beds"), observed=nw.col("nights"), allowed=nw.lit(None, dtype=nw.Float64)
    )


@rule(
    id="BED-21",
    version=1,
    scheme="BED_DAY_PADDING",
    severity="deny",
    title_vi="Giường ban ngày và giường nội trú cùng ngày",
    title_en="Day bed and inpatient bed the same day",
    reason_vi="Cùng một ngày tính {observed} ngày giường ban ngày và nội trú (cho phép {allowed}).",
    reason_en="{observed} bed days, by day and as an inpatient, are charged on one date ({allowed} allowed).",
    legal_basis="TT35/2016 Đ4c",
    needs=("service_line.ma_nhom", "service_line.so_luong", "service_line.ngay_yl"),
    known_gaps_vi=(
        "Bỏ qua ngày đầu và ngày cuối của dòng giường nhiều ngày: khi đó giường nội trú có thể chỉ là nửa ngày. Dòng "
        "giường ban ngày gồm nhiều ngày cũng bỏ qua."
    ),
    known_gaps_en=(
        "The first and last day of a bed line over several days are passed over: there the inpatient bed may be half "
        "a day. Day bed lines over several days are passed over."
    ),
    examples=(
        hit(
            "giường ban ngày giữa đợt nội trú",
            "day bed in the middle of the stay",
            stay(4),
            bed(4),
            bed(1, ma_nhom=14, price=100_000, **_times("2025-03-12 08:00")),
            amount=80_000,
        ),
        hit(
            "cả hai loại giường trong cùng một ngày",
            "both on one date",
            stay(4),
            bed(1, **_times("2025-03-11 08:00")),
            bed(1, ma_nhom=14, price=100_000, **_times("2025-03-11 09:00")),
            amount=80_000,
        ),
        clear(
            "giường ban ngày trước khi nhập viện",
            "day bed before admission",
            stay(4),
            bed(4, **_times("2025-03-12 08:00", "2025-03-14 16:00")),
            bed(1, ma_nhom=14, **_times("2025-03-11 08:00")),
        ),
        clear(
            "mỗi loại nửa ngày",
            "half and half",
            stay(4),
            bed(0.5, **_times("2025-03-11 14:00")),
            bed(0.5, ma_nhom=14, **_times("2025-03-11 08:00")),
        ),
        not_evaluable(
            "thiếu thời điểm y lệnh", "no order time", stay(4), bed(1, ma_nhom=14, ngay_yl=None, ngay_th_yl=None)
        ),
    ),
)
def day_bed_in_a_stay(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Day bed lines on a date that an inpatient bed of the claim covers, too much together."""
    most = float(facts("BED-21").max)
    beds = _beds(tables).filter(~nw.col("begin").is_null(), ~nw.col("end").is_null())
    group, one_day = nw.col("ma_nhom"), nw.col("begin") == nw.col("end")
    by_day = beds.filter(group == DAY_BED, one_day)
    per_day = money("t_bhtt") / nw.max_horizontal(nw.col("quantity"), nw.lit(1.0))
    wards = beds.filter(group == WARD_BED).select(
        *KEY,
        since="begin",
        until="end",
        inside=nw.when(one_day).then(nw.min_horizontal(nw.col("quantity"), nw.lit(1.0))).otherwise(nw.lit(1.0)),
        ward_money=per_day,
    )
    date, since, until = nw.col("begin"), nw.col("since"), nw.col("until")
    covered = (date == since) & (since == until) | (date > since) & (date < until)
    doubled = (
        by_day.select(*KEY, "row_no", "begin", "quantity")
        .join(wards, on=KEY, how="inner")
        .filter(covered)
        .select(*KEY, "row_no", "inside", "ward_money")
        .group_by(*KEY, "row_no")
        .agg(nw.col("inside").max(), nw.col("ward_money").max())
    )
    found = by_day.join(doubled, on=[*KEY, "row_no"], how="inner").filter(
        nw.col("quantity") + nw.col("inside") > most + 0.001
    )
    return line_hits(
        found,
        amount=nw.min_horizontal(money("t_bhtt"), nw.col("ward_money")),
        observed=nw.col("quantity") + nw.col("inside"),
        allowed=nw.lit(most),
    )
