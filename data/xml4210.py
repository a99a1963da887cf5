"""Claims in the names of QĐ 4210, given the names and codes of QĐ 130.

Each table is judged by its own fields, because exporters in change wrote one record in both generations. A field that
already stands under its new name is never overwritten, and fields without a counterpart stay as they are.

The one ratio of QĐ 4210, TYLE_TT, is two in QĐ 130. Where THANH_TIEN is the full SO_LUONG × DON_GIA (drugs, supplies,
and services as the decree prints it) the ratio was applied afterwards: it becomes TYLE_TT_BH, and THANH_TIEN_BH is the
part of THANH_TIEN it leaves. Where THANH_TIEN of a service already contains the ratio (as deployed exporters write it),
it becomes TYLE_TT_DV and both amounts are THANH_TIEN. Either way the identities of QĐ 130 hold if those of QĐ 4210 did.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation

from data.schema import Standard
from data.sources import Problem
from data.xml130 import Row, Tables

_XML1 = {
    "ma_the": "ma_the_bhyt",
    "mien_cung_ct": "ngay_mien_cct",
    "ten_benh": "chan_doan_rv",
    "ma_benh": "ma_benh_chinh",
    "ma_benhkhac": "ma_benh_kt",
    "ma_noi_chuyen": "ma_noi_di",
    "tinh_trang_rv": "ma_loai_rv",
    "t_ngoaids": "t_bhtt_gdv",
}
_XML5 = {"dien_bien": "dien_bien_ls", "ngay_yl": "thoi_diem_dbls"}

_PAYMENT_METHOD = {"0": "1", "1": "2", "2": "1", "3": "3"}  # fee for service, capitation, outside capitation, DRG
# Right route, emergency, off route, open district route. Anything else is left out: 8 would withdraw the claim.
_ACCESS = {"1": "1", "2": "2", "3": "3", "4": "1.2"}

_CENT = Decimal("0.01")
_EXACT = Context(prec=60)  # the product of two numbers below 10^15 has more digits than the usual 28
_TOLERANCE = Decimal(1)  # VND, as in practice


def to_130(tables: Tables, standard: Standard = "4210", *, problems: list[Problem] | None = None) -> Tables:
    """`tables` with every row in the names of QĐ 130. The rows given are not changed.

    `standard` is what XML1 says of the record. Lines in old names within a record of QĐ 130 are renamed too; `problems`
    receives a warning for each such table, and their MA_PTTT keeps the meaning of QĐ 130.
    """
    found: Tables = {}
    for name, rows in tables.items():
        change = _CHANGES.get(name)
        if change is None or (standard == "130" and not _has_old_names(name, rows)):
            found[name] = rows
            continue
        found[name] = [change(row, standard) for row in rows]
        if standard == "130" and problems is not None:
            problems.append(_mixed(name))
    return found


def _has_old_names(name: str, rows: list[Row]) -> bool:
    old = _TELLING[name]
    return any(not old.isdisjoint(row) for row in rows)


def _mixed(table: str) -> Problem:
    return Problem(
        code="mixed_standards",
        severity="warn",
        message_en=f"{table} uses the field names of QĐ 4210 in a record of QĐ 130; they were read as their successors",
        message_vi=f"bảng {table} dùng tên trường của QĐ 4210 trong hồ sơ QĐ 130; đã đọc theo tên trường mới",
        hint_en="have the export software use the names of QĐ 130 in every table",
        hint_vi="đề nghị phần mềm xuất dùng tên trường của QĐ 130 ở mọi bảng",
        table=table,
    )


def _renamed(row: Row, names: Mapping[str, str]) -> Row:
    new = dict(row)
    for old, name in names.items():
        if old in new:
            value = new.pop(old)
            if new.get(name) is None:
                new[name] = value
    return new


def _give(row: Row, name: str, value: str | None) -> None:
    if row.get(name) is None:
        row[name] = value


def _summary(row: Row, standard: Standard) -> Row:
    new = _renamed(row, _XML1)
    if "t_tongchi" in new:
        total = new.pop("t_tongchi")
        _give(new, "t_tongchi_bh", total)
        _give(new, "t_tongchi_bv", total)
    if "ma_lydo_vvien" in new:
        _give(new, "ma_doituong_kcb", _ACCESS.get(new.pop("ma_lydo_vvien") or ""))
    if standard == "4210":
        care = new.get("ma_loai_kcb")
        if care is not None and len(care) == 1 and care.isdigit():
            new["ma_loai_kcb"] = f"0{care}"
        new["ngay_sinh"] = _birth(new.get("ngay_sinh"))
    return new


def _birth(text: str | None) -> str | None:
    """8 digits as 12, unknown parts as zeros: QĐ 4210 wrote 1 January where only the year was known."""
    if text is None or len(text) != 8:
        return text
    return f"{text[:4]}00000000" if text.endswith("0101") else f"{text}0000"


def _drug(row: Row, standard: Standard) -> Row:
    new = _line(row, standard)
    strength = new.get("ham_luong")
    if standard == "4210" and strength is not None:
        new["ham_luong"] = strength.replace(";", "+")
    if "thanh_tien" in new or "tyle_tt" in new:
        amount, ratio = new.pop("thanh_tien", None), new.pop("tyle_tt", None)
        _give(new, "tyle_tt_bh", ratio)
        included = _ratio_included(amount, ratio, new.get("so_luong"), new.get("don_gia"))
        if included:
            _give(new, "thanh_tien_bv", _product(new.get("so_luong"), new.get("don_gia")))
            _give(new, "thanh_tien_bh", amount)
        else:
            _give(new, "thanh_tien_bv", amount)
            _give(new, "thanh_tien_bh", _share(amount, ratio))
    return new


def _service(row: Row, standard: Standard) -> Row:
    new = _line(row, standard)
    price = new.pop("don_gia", None)
    if "thanh_tien" in new or "tyle_tt" in new:
        amount, ratio = new.pop("thanh_tien", None), new.pop("tyle_tt", None)
        included = _ratio_included(amount, ratio, new.get("so_luong"), price)
        _give(new, "tyle_tt_dv", ratio if included else "100")
        _give(new, "tyle_tt_bh", "100" if included else ratio)
        _give(new, "thanh_tien_bv", amount)
        _give(new, "thanh_tien_bh", amount if included else _share(amount, ratio))
    if price is not None:
        _give(new, "don_gia_bv", price)
        _give(new, "don_gia_bh", price)
    return new


def _line(row: Row, standard: Standard) -> Row:
    new = _renamed(row, {"t_nguon_khac": "t_nguonkhac"})
    method = new.get("ma_pttt")
    if standard == "4210" and method is not None and "thanh_tien_bh" not in row:
        new["ma_pttt"] = _PAYMENT_METHOD.get(method, method)
    return new


def _note(row: Row, _standard: Standard) -> Row:
    return _renamed(row, _XML5)


_CHANGES: Mapping[str, Callable[[Row, Standard], Row]] = {
    "XML1": _summary,
    "XML2": _drug,
    "XML3": _service,
    "XML5": _note,
}
_TELLING = {
    "XML1": frozenset({"ma_the", "t_tongchi", "ma_benhkhac", "t_ngoaids"}),
    "XML2": frozenset({"thanh_tien", "tyle_tt", "t_nguon_khac"}),
    "XML3": frozenset({"thanh_tien", "tyle_tt", "don_gia"}),
    "XML5": frozenset({"dien_bien", "ngay_yl"}),
}


def _number(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None  # kept as text: the checks will say so
    return number if number.is_finite() and abs(number) < Decimal(10) ** 15 else None


def _product(quantity: str | None, price: str | None) -> str | None:
    first, second = _number(quantity), _number(price)
    if first is None or second is None:
        return None
    return _plain(first * second)


def _share(amount: str | None, ratio: str | None) -> str | None:
    """`ratio` percent of `amount`; the amount itself where either cannot be read."""
    money, percent = _number(amount), _number(ratio)
    if money is None or percent is None or percent == 100:
        return amount
    return _plain(money * percent / 100)


def _plain(number: Decimal) -> str:
    return f"{number.quantize(_CENT, ROUND_HALF_UP, _EXACT):f}"


def _ratio_included(amount: str | None, ratio: str | None, quantity: str | None, price: str | None) -> bool:
    """Whether THANH_TIEN is SO_LUONG × DON_GIA × TYLE_TT and not SO_LUONG × DON_GIA."""
    numbers = [_number(text) for text in (amount, ratio, quantity, price)]
    if any(number is None for number in numbers):
        return False
    money, percent, count, each = (number for number in numbers if number is not None)
    full = count * each
    return abs(full - money) > _TOLERANCE and abs(full * percent / 100 - money) <= _TOLERANCE
