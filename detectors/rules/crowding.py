"""Crowding: one bed, one department, one sterile pack, and more patients than it can have served.

These rules compare claims of different patients of one facility; the claim that comes last carries the sign.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.asof import as_of
from data.schema import ENCOUNTER_KEY
from detectors.base import clear, hit, not_evaluable, rule
from detectors.examples import BED_PRICE, TEST_PRICE, bed, listed, service, stay
from detectors.expressions import (
    BEDS,
    SERVICES,
    carried_out,
    catalogue,
    clockless,
    icd_in,
    line_hits,
    lines,
    minutes_between,
    money,
    with_encounter,
    within_stay,
)
from detectors.facts import facts
from detectors.overlaps import minutes_taken, taken

if TYPE_CHECKING:
    from data.schema import ClaimTables
    from detectors.examples import Row

KEY: list[str] = list(ENCOUNTER_KEY)
LINE = [*KEY, "line_table", "row_no"]


def _bed_lines(tables: ClaimTables, *columns: str) -> nw.LazyFrame[Any]:
    """Paid bed lines of stays with `start` and `end`."""
    told = lines(tables, SERVICES, "ma_nhom", "ma_khoa", "ngay_th_yl", "ngay_yl", "ngay_kq", "t_bhtt", *columns)
    billed = told.filter(nw.col("ma_nhom").is_in(BEDS), money("t_bhtt") > 0, ~nw.col("ma_khoa").is_null())
    timed = with_encounter(billed.with_columns(start=carried_out()), tables, "ngay_vao", "ngay_ra")
    # a bed is left with the hospital: an end typed beyond it would reach into company nobody could look it up in
    ended = timed.with_columns(end=nw.min_horizontal("ngay_kq", "e_ngay_ra"))
    inside = ended.filter(nw.col("start") >= nw.col("e_ngay_vao"), nw.col("end") > nw.col("start"))
    return inside.select(*LINE, "ma_khoa", "start", "end", "t_bhtt", *columns)


_A: Row = stay(at="2025-03-09 08:00", days=4, patient_id="P2")
_B: Row = stay(at="2025-03-10 08:00", days=3)


@rule(
    id="BED-07",
    version=2,
    scheme="BED_SHARE_FULL",
    severity="warn",
    title_vi="Hai người cùng mã giường, cùng lúc, đủ giá",
    title_en="Two patients on one bed code at full price",
    reason_vi="Giường đang có người bệnh khác, trùng {observed} phút, vẫn tính đủ giá; phần tính thừa {amount}.",
    reason_en="The bed had another patient for {observed} minutes, yet full price was charged; {amount} too much.",
    legal_basis="TT35/2016 Đ4c (trước đây TT39/2018 Đ6 k4)",
    context="facility",
    needs=("service_line.ma_nhom",),
    known_gaps_vi=(
        "Bỏ qua dòng giường thiếu mã giường hoặc thời điểm kết thúc. Mã chỉ phòng hoặc loại giường trông như nằm "
        "chung; bỏ qua trẻ sơ sinh vì nằm với mẹ. Ba người một giường được tính như hai."
    ),
    known_gaps_en=(
        "Bed lines without a bed code or an end are passed over. Codes that mean a room or a kind of bed look shared; "
        "newborns lie with their mothers and are passed over. Three in a bed are counted as two."
    ),
    examples=(
        hit("hai người một giường", "two in a bed", _A, bed(4), _B, bed(3), amount=0.5 * 3 * BED_PRICE * 0.8),
        hit(
            "hai sản phụ một giường",
            "two mothers in a bed",
            {**_A, "ma_benh_chinh": "O82"},
            bed(4),
            {**_B, "ma_benh_chinh": "O80"},
            bed(3),
            amount=0.5 * 3 * BED_PRICE * 0.8,
        ),
        clear("mỗi người nửa giá", "half price each", _A, bed(4), _B, bed(3, ratio=50)),
        clear("giường khác", "another bed", _A, bed(4), _B, bed(3, ma_giuong="H002")),
        clear(
            "sau khi người kia ra viện",
            "after the other left",
            stay(at="2025-03-05 08:00", days=4, patient_id="P2"),
            bed(4),
            _B,
            bed(3),
        ),
        clear(
            "trẻ sơ sinh",
            "a newborn",
            stay(at="2025-03-09 08:00", days=4, patient_id="P2"),
            bed(4),
            {**_B, "ma_benh_chinh": "P59.9"},
            bed(3),
        ),
        not_evaluable("thiếu nhóm chi phí", "no cost group", _A, bed(4), _B, bed(3, ma_nhom=None)),
    ),
)
def shared_bed(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Bed days at full price on a bed that another claim's bed days at full price have already."""
    known = facts("BED-07")
    full = _bed_lines(tables, "ma_giuong", "tyle_tt_dv").filter(
        money("tyle_tt_dv") == 100, ~nw.col("ma_giuong").is_null(), ~nw.col("ma_giuong").str.contains(";")
    )
    full = full.filter(~clockless(nw.col("start")))
    owned = with_encounter(full, tables, "ma_benh_chinh").filter(~icd_in("e_ma_benh_chinh", known.newborn))
    both = taken(owned, ["ma_cskcb", "ma_khoa", "ma_giuong"]).with_columns(both=minutes_taken())
    # days on which the bed was free again are the claim's own
    whole = minutes_between(nw.col("start"), nw.col("end"))
    return line_hits(
        both.filter(nw.col("both") > known.minutes),
        amount=money("t_bhtt") * known.share * nw.col("both") / whole,
        observed=nw.col("both"),
        allowed=nw.lit(float(known.minutes)),
    )


def _full_ward(patients: int) -> tuple[Row, ...]:
    """So many other patients in the department already, and its two planned beds."""
    told: list[Row] = [listed("beds", ma_cskcb="01001", ma_khoa="K03", planned=2)]
    for n in range(patients):
        told += [stay(at="2025-03-09 08:00", days=4, patient_id=f"W{n}"), bed(4, ma_giuong=f"H{n:03}")]
    return tuple(told)


@rule(
    id="BED-12",
    version=1,
    scheme="BED_OVER_CAPACITY",
    severity="warn",
    title_vi="Số người bệnh vượt giường kế hoạch",
    title_en="Census above planned beds",
    reason_vi="Khi vào khoa đã là người thứ {observed}, trong khi mức giường tính đủ giá là {allowed}; {amount}.",
    reason_en="On admission the department had {observed} patients where {allowed} are paid in full; {amount}.",
    legal_basis="TT35/2016 Đ4c; ND188 Đ22; TT39/2018 Đ6 k16 (chưa kiểm chứng)",
    context="facility",
    needs=("service_line.ma_nhom", "service_line.ma_khoa"),
    catalogues=("beds",),
    known_gaps_vi=(
        "Mức giá xét theo quý, còn quy tắc này xét ngày vào viện. Thảm họa, dịch bệnh cũng làm khoa quá tải; tòa nhà "
        "mới vào danh mục chậm. Chỉ đếm người bệnh BHYT."
    ),
    known_gaps_en=(
        "The price scale is that of a quarter, this looks at the day of admission. Disasters and epidemics fill wards "
        "too; a new building stands in the catalogue late. Only insured patients are counted."
    ),
    examples=(
        hit(
            "người thứ ba cho hai giường",
            "the third for two beds",
            *_full_ward(2),
            _B,
            bed(3, ma_giuong="H009"),
            amount=0.1 * 3 * BED_PRICE * 0.8,
        ),
        clear("người thứ hai", "the second", *_full_ward(1), _B, bed(3, ma_giuong="H009")),
        clear("khoa khác", "another department", *_full_ward(2), _B, bed(3, ma_khoa="K19")),
        not_evaluable("thiếu mã khoa", "no department", *_full_ward(2), _B, bed(3, ma_khoa=None)),
    ),
)
def over_capacity(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Bed days of stays that begin when the department has more patients than its planned beds allow."""
    known = facts("BED-12")
    used = _bed_lines(tables)
    ward = ["ma_cskcb", "ma_khoa"]
    unpaid = nw.lit(None, dtype=nw.Float64)
    comes = used.select(*LINE, "ma_khoa", at=nw.col("start"), change=nw.lit(1), t_bhtt=money("t_bhtt"))
    goes = used.select(*LINE, "ma_khoa", at=nw.col("end"), change=nw.lit(-1), t_bhtt=unpaid)
    order = ["at", "change", "ma_lk", "row_no"]  # who leaves at the same minute makes room first
    census = nw.concat([comes, goes]).with_columns(census=nw.col("change").cum_sum().over(*ward, order_by=order))
    begun = census.filter(nw.col("change") == 1).with_columns(date=nw.col("at").cast(nw.Date))
    plan = catalogue(tables, "beds").filter(nw.col("ma_giuong").is_null())
    beds = as_of(begun, plan, on=("ma_cskcb", "ma_khoa"), day="date", take=("planned",))
    most = money("planned") * known.ratio
    return line_hits(
        beds.filter(nw.col("planned") > 0, nw.col("census") > most),
        amount=nw.col("t_bhtt") * known.share,
        observed=nw.col("census"),
        allowed=most,
    )


def _pack(serial: str = "SN12345678", **fields: Any) -> Row:
    """A supply with what its sticker says."""
    return service(
        ma_nhom=10, ma_vat_tu="N07.01.010", ten_vat_tu="Dao mổ điện", ma_dich_vu=None, ma_hieu_sp=serial, **fields
    )


@rule(
    id="SUP-03",
    version=1,
    scheme="PHANTOM_SUPPLY",
    severity="warn",
    title_vi="Mã hiệu sản phẩm (serial) dùng cho hai người",
    title_en="Same serial on two patients",
    reason_vi="Mã hiệu in trên vật tư này đã tính cho người bệnh khác {observed} ngày trước; {amount}.",
    reason_en="The serial of this supply was charged to another patient {observed} days before; {amount}.",
    legal_basis="BLHS Đ215; ND90 Đ85-86",
    context="facility",
    needs=("service_line.ma_nhom", "encounter.patient_id"),
    known_gaps_vi=(
        "Mã chỉ kiểu sản phẩm chứ không chỉ từng cái thì lặp lại là bình thường: bỏ qua mã không có năm chữ số liền "
        "nhau và mã kê quá bốn lần trong tháng; vật tư khai là tái sử dụng cũng bỏ qua."
    ),
    known_gaps_en=(
        "Where the code names a model and not a piece, it repeats honestly: codes without five digits in a row and "
        "those charged more than four times in a month are passed over, and so are pieces declared as reused."
    ),
    examples=(
        hit("cùng một tem", "the same sticker", _A, _pack(), _B, _pack(), amount=TEST_PRICE * 0.8),
        clear("tem khác", "another sticker", _A, _pack(), _B, _pack("SN12345679")),
        clear("mã kiểu sản phẩm", "a model", _A, _pack("KD-4"), _B, _pack("KD-4")),
        clear("khai là tái sử dụng", "declared as reused", _A, _pack(), _B, _pack(tai_su_dung=1)),
        clear("cùng một người bệnh", "the same patient", {**_A, "patient_id": "P1"}, _pack(), _B, _pack()),
        not_evaluable("thiếu mã người bệnh", "nobody named", _A, _pack(), {**_B, "patient_id": None}, _pack()),
    ),
)
def same_serial(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Supplies whose serial another patient's claim of the month before carries."""
    known = facts("SUP-03")
    told = lines(tables, SERVICES, "ma_nhom", "ma_hieu_sp", "tai_su_dung", "ngay_th_yl", "ngay_yl", "t_bhtt").filter(
        nw.col("ma_nhom").is_in(known.groups),
        money("t_bhtt") > 0,
        nw.col("ma_hieu_sp").fill_null("").str.contains(known.serial),
        nw.col("tai_su_dung").fill_null(0) == 0,
    )
    used = with_encounter(
        within_stay(told.with_columns(at=carried_out()), tables, nw.col("at")), tables, "patient_id"
    ).filter(~nw.col("e_patient_id").is_null())
    code, order = ["ma_cskcb", "ma_hieu_sp"], ["at", "ma_lk"]
    at = nw.col("at")
    by_claim = used.group_by(*code, *KEY[1:], "e_patient_id").agg(at=at.min())
    before = by_claim.with_columns(
        last=at.shift(1).over(*code, order_by=order),
        who=nw.col("e_patient_id").shift(1).over(*code, order_by=order),
        far=at.shift(known.most_uses).over(*code, order_by=order),
    )
    ago = minutes_between(nw.col("last"), at) / 1440
    often = (minutes_between(nw.col("far"), at) / 1440 <= known.days).fill_null(value=False)
    again = before.filter(ago <= known.days, nw.col("who") != nw.col("e_patient_id"), ~often)
    again = again.select(*code, "ma_lk", ago=ago)
    return line_hits(
        used.join(again, on=[*code, "ma_lk"], how="inner"),
        amount=money("t_bhtt"),
        observed=nw.col("ago").floor(),
        allowed=nw.lit(None, dtype=nw.Float64),
    )
