"""What can be wrong with a claim, as a list: one check a table, field and kind of fault, made from the field list.

Nothing here is typed twice: presence, type, length and codes follow from `claims_fields.csv` and the code lists, so a
new field brings its checks with it. How a fault is found is said where values are typed (`data.typed`) and where rows
are held against each other (`data.identities`); this module says what it is called, what it costs the row, and how to
mend it, in both languages.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Literal

import polars as pl

from data.schema import TABLES, Field, fields, reference, source_of

Severity = Literal["quarantine", "warn", "info"]
"""What a fault costs: the row, which is set aside; a warning beside it; or nothing but being counted."""

Mask = Literal["", "cell", "row"]

FIRST_DAY = date(2010, 1, 1)  # no claim of the standards we read is older
LATEST_DAYS = 400  # after receipt: chronic episodes end in the future, by months and not by years
MERGER = date(2025, 7, 1)  # 63 provinces became 34, and MA_DOITUONG_KCB got the codes of QĐ 3276

KINDS: Mapping[str, tuple[str, str]] = {
    "missing_key": (
        "thiếu mã: bổ sung rồi gửi lại hồ sơ",
        "the key is missing: fill it in and send the record again",
    ),
    "missing_date": (
        "thiếu ngày: bổ sung theo dạng yyyymmddHHMM rồi gửi lại hồ sơ",
        "the date is missing: fill it in as yyyymmddHHMM and send the record again",
    ),
    "missing_amount": (
        "không có T_TONGCHI_BH lẫn T_BHTT: hồ sơ không có số tiền để giám định",
        "neither T_TONGCHI_BH nor T_BHTT is given: there is no money to review",
    ),
    "missing": (
        "trường bắt buộc để trống: kiểm tra phần mềm xuất",
        "a required field is empty: check the export software",
    ),
    "unreadable_date": (
        "không đọc được ngày: cần ngày có thật, dạng yyyymmddHHMM (12 số) hoặc yyyymmdd (8 số)",
        "the date cannot be read: a day that exists, as yyyymmddHHMM (12 digits) or yyyymmdd (8), is needed",
    ),
    "absurd_date": (
        f"ngày trước {FIRST_DAY:%d/%m/%Y} hoặc quá {LATEST_DAYS} ngày sau khi nhận: kiểm tra lại năm",
        f"the date is before {FIRST_DAY:%Y-%m-%d} or over {LATEST_DAYS} days after receipt: check the year",
    ),
    "dates_reversed": (
        "ngày ra trước ngày vào: sửa lại một trong hai ngày",
        "discharge is before arrival: correct one of the two dates",
    ),
    "date_without_time": (
        "chỉ có ngày, thiếu giờ phút: đã lấy 00:00; cần 12 chữ số yyyymmddHHMM",
        "only a day, no time: midnight was taken; 12 digits yyyymmddHHMM are needed",
    ),
    "unreadable_birth": (
        "không đọc được ngày sinh: cần 12 chữ số, phần chưa biết ghi số 0",
        "the date of birth cannot be read: 12 digits are needed, with zeros for what is not known",
    ),
    "unreadable_amount": (
        "không đọc được số: dùng dấu chấm thập phân, không có dấu phân cách hàng nghìn",
        "the number cannot be read: use a decimal point and no thousands separator",
    ),
    "negative_amount": (
        "số âm: số tiền và số lượng không được âm; muốn điều chỉnh thì gửi lại cả hồ sơ",
        "the number is negative: amounts and quantities never are; to correct a claim, send it again whole",
    ),
    "unreadable_number": (
        "không đọc được số nguyên: chỉ dùng chữ số",
        "the whole number cannot be read: use digits only",
    ),
    "out_of_range": (
        "số nằm ngoài khoảng cho phép: kiểm tra lại",
        "the number is out of its range: check it",
    ),
    "unknown_code": (
        "mã không có trong danh mục có hiệu lực vào ngày ra: kiểm tra lại mã",
        "the code is not in the list in force on the day of discharge: check it",
    ),
    "bad_format": (
        "sai cấu trúc mã: kiểm tra lại theo hướng dẫn của trường",
        "the code has not the structure of its field: check it",
    ),
    "too_long": (
        "dài hơn độ dài cho phép của trường: vẫn giữ nguyên, cần kiểm tra phần mềm xuất",
        "longer than the field allows: kept as written; check the export software",
    ),
    "repeated": (
        "số thứ tự lặp lại trong cùng một bảng của hồ sơ: đánh số lại",
        "the line number stands twice in one table of the record: number the lines again",
    ),
    "zero_repeat": (
        "dòng 0 đồng lặp lại dòng khác cùng mã, cùng giờ: lỗi phần mềm xuất, không đưa dòng này vào hồ sơ",
        "a line without cost repeats another of the same code and time: a fault of export software; leave it out",
    ),
    "identity": (
        "số tiền không khớp công thức của QĐ 130: tính lại, sai lệch cho phép 1 đồng",
        "the amount does not follow the formula of QĐ 130: compute it again, 1 VND of difference is allowed",
    ),
    "balance": (
        "các nguồn chi trả cộng lại không bằng tổng: tính lại, sai lệch cho phép 1 đồng",
        "what the payers pay does not add up to the total: compute it again, 1 VND of difference is allowed",
    ),
    "lines_sum": (
        "tổng ở XML1 không bằng tổng các dòng XML2, XML3: tính lại, sai lệch cho phép 1 đồng",
        "the total in XML1 is not the sum of the lines of XML2 and XML3: compute it again, 1 VND is allowed",
    ),
    "exceeds": (
        "lớn hơn tổng chi phí theo giá bệnh viện: kiểm tra lại",
        "more than the total at the hospital's price: check it",
    ),
    "days": (
        "số ngày điều trị không khớp ngày vào, ngày ra theo loại hình khám chữa bệnh: tính lại",
        "the treatment days do not follow from arrival, discharge and type of care: compute them again",
    ),
    "time_order": (
        "sai thứ tự thời gian (vào ≤ y lệnh ≤ thực hiện ≤ kết quả ≤ ra): kiểm tra lại giờ",
        "the times are out of order (arrival ≤ order ≤ execution ≤ result ≤ discharge): check them",
    ),
    "list_length": (
        "danh sách không song song với MA_THE_BHYT: mỗi thẻ cần một giá trị, cách nhau bằng dấu ;",
        "the list does not run parallel to MA_THE_BHYT: one value a card, separated by ;",
    ),
    "card_prefix": (
        "hai ký tự đầu của thẻ không phải mã đối tượng tham gia BHYT",
        "the first two characters of the card are no object group of the insurance",
    ),
    "card_benefit": (
        "ký tự mức hưởng của thẻ không thuộc đối tượng này",
        "the benefit digit of the card does not belong to its object group",
    ),
    "card_province": (
        "hai số mã tỉnh trên thẻ không có trong danh mục",
        "the two digits of the card's province are in no list",
    ),
    "not_main": (
        "mã bệnh không được dùng làm bệnh chính (QĐ 4469, phụ lục A2)",
        "the code may not be a main diagnosis (QĐ 4469, annex A2)",
    ),
    "age": (
        "mã bệnh không hợp với tuổi người bệnh (QĐ 4469, phụ lục A3): kiểm tra mã bệnh và ngày sinh",
        "the code does not fit the patient's age (QĐ 4469, annex A3): check the code and the date of birth",
    ),
    "sex": (
        "mã bệnh không hợp với giới tính (QĐ 4469, phụ lục A4): kiểm tra mã bệnh và giới tính",
        "the code does not fit the patient's sex (QĐ 4469, annex A4): check the code and the sex",
    ),
    "orphan": (
        "dòng không có bảng XML1 của hồ sơ, hoặc XML1 bị từ chối: sửa XML1 rồi gửi lại",
        "a line without the XML1 of its record, or whose XML1 was refused: correct the XML1 and send it again",
    ),
}
"""Kind of fault -> what is wrong and how to mend it, in Vietnamese and in English."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that can be wrong with one field of one table."""

    id: str  # "XML1.NGAY_VAO.missing_date"
    table: str  # of the lake: "encounter"
    field: str
    code: str  # the kind of fault, a key of `KINDS`
    severity: Severity
    example: str  # a value, or a sentence, that the check refuses
    hint_vi: str
    hint_en: str
    mask: Mask = ""  # what detectors do not get where whole facilities share the fault: the cell, or the row


CORE: Mapping[str, frozenset[str]] = {
    "encounter": frozenset({"ngay_vao", "ngay_ra", "t_tongchi_bv", "t_tongchi_bh", "t_bhtt", "t_bncct"}),
    "drug_line": frozenset({"so_luong", "don_gia", "thanh_tien_bv", "thanh_tien_bh", "t_bhtt"}),
    "service_line": frozenset({"so_luong", "don_gia_bv", "don_gia_bh", "thanh_tien_bv", "thanh_tien_bh", "t_bhtt"}),
}
"""Cells without which a row cannot be judged: an unreadable one costs the row, elsewhere only itself."""

KEYS = ("ma_cskcb", "ma_lk")

NO_PROVINCE = ("97", "98", "99")
"""The army's block, and two numbers that were never given out: generated claims use them, so they name no one."""

_PROVINCE_CODES = tuple(row["old_code"] for row in reference("provinces_63_to_34"))
_PROVINCES_NOW = frozenset(row["new_code"] for row in reference("provinces_63_to_34"))

_LISTS: Mapping[str, tuple[str, str]] = {
    # field -> reference file, and the rows of `small_codes` where the file holds several lists
    "gioi_tinh": ("small_codes", "GIOI_TINH"),
    "ket_qua_dtri": ("small_codes", "KET_QUA_DTRI"),
    "ma_loai_rv": ("small_codes", "MA_LOAI_RV"),
    "ma_tai_nan": ("small_codes", "MA_TAI_NAN"),
    "pham_vi": ("small_codes", "PHAM_VI"),
    "nguon_ctra": ("small_codes", "NGUON_CTRA"),
    "ma_pttt": ("small_codes", "MA_PTTT"),
    "pp_vo_cam": ("small_codes", "PP_VO_CAM"),
    "ma_khuvuc": ("small_codes", "MA_KHUVUC"),
    "ma_lydo_ct": ("small_codes", "MA_LYDO_CT"),
    "ma_dantoc": ("ma_dantoc", ""),
    "ma_dantoc_nnd": ("ma_dantoc", ""),
    "ma_nghe_nghiep": ("ma_nghe_nghiep", ""),
    "ma_nhom": ("ma_nhom", ""),
    "ma_benh_chinh": ("icd10_qd4469_codes", "icd10"),
    "ma_benh_kt": ("icd10_qd4469_codes", "icd10"),
}
LISTED = frozenset({"ma_benh_kt", "ma_dkbd", "ma_cskcb_di", "ma_giuong"})
"""Coded fields that hold several values, separated by ";": each is looked at."""

PATTERNS: Mapping[str, tuple[str, str]] = {
    # field -> the shape of one value, and an example that has not that shape
    "ma_cskcb": (r"^[0-9]{2}[0-9A-Z]{3}$", "1-001"),
    "ma_dkbd": (r"^[0-9]{2}[0-9A-Z]{3}$", "1-001"),
    "ma_noi_di": (r"^[0-9]{2}[0-9A-Z]{3}$", "BV01"),
    "ma_noi_den": (r"^[0-9]{2}[0-9A-Z]{3}$", "BV01"),
    "ma_cskcb_di": (r"^[0-9]{2}[0-9A-Z]{3}$", "BV01"),
    "ma_cskcb_den": (r"^[0-9]{2}[0-9A-Z]{3}$", "BV01"),
    "ma_the_bhyt": (r"^([A-Z]{2}[0-9]{13}|[A-Z]{2}[0-9A-Z]{13}|[0-9]{10}|[0-9]{12})$", "GD49"),
    "so_cccd": (r"^([0-9]{12}|[0-9]{9}|[A-Z]{1,2}[0-9]{6,13})$", "12-34"),
    "dien_thoai": (r"^[+]?[0-9][0-9 .()-]{6,18}$", "không có"),
    "ma_quoctich": (r"^[0-9]{3}$", "VN"),
    "maxa_cu_tru": (r"^[0-9]{5}$", "12A"),
    "ma_khoa": (r"^K[0-9]{2}([.0-9D]|K[0-9]{2}|;)*$", "NOI"),
    "ma_giuong": (r"^[HTCK][0-9]{3}", "G12"),
    "duong_dung": (r"^[0-9]{1,2}\.[0-9]{1,3}$", "uống"),
    "nhom_mau": (r"^(A|B|AB|O)[+-]?$", "X"),
}

RANGES: Mapping[str, tuple[int, int]] = {
    "tyle_tt_bh": (0, 100),
    "tyle_tt_dv": (0, 100),
    "muc_huong": (0, 100),
    "thang_qt": (1, 12),
    "nam_qt": (2010, 2100),
    "so_ngay_dtri": (0, 999),
    "can_nang": (0, 500),
}

_STRANGER = frozenset({"gioi_tinh"})  # a code that is not in its list is no value here: rules by sex must stand aside


def is_dated(field: str) -> bool:
    """Whether the code list of the field depends on the day: see `known_codes`."""
    return field in ("ma_loai_kcb", "ma_doituong_kcb", "matinh_cu_tru")


def has_codes(field: Field) -> bool:
    """Whether there is a list of the field's codes."""
    return field.name in _LISTS or is_dated(field.name)


def drops_unknown(field: Field) -> bool:
    """Whether an unknown code of the field becomes null, rather than staying as written."""
    return field.name in _STRANGER


@cache
def known_codes(field: str) -> frozenset[str]:
    """The codes of a list that does not depend on the day."""
    name, part = _LISTS[field]
    if name == "small_codes":
        return frozenset(r["code"] for r in reference(name) if r["field"] == part and r["standard"] != "4210")
    codes = {row[part or "code"].rstrip("†*") for row in reference(name)}
    # hospitals write ICD-10 with and without the dot
    return frozenset(codes | {code.replace(".", "") for code in codes} if part == "icd10" else codes)


@cache
def code_periods(field: str) -> Mapping[str, tuple[date, date | None]]:
    """First and last day (None: still in force) of each code of a list that changes."""
    if field == "matinh_cu_tru":
        # the old codes ran on for half a year after the merger
        rows = [(code, FIRST_DAY, date(2025, 12, 31)) for code in _PROVINCE_CODES]
        rows += [(code, FIRST_DAY, None) for code in NO_PROVINCE]
        rows += [(code, MERGER, None) for code in sorted(_PROVINCES_NOW)]
    else:
        rows = [
            (
                row["code"],
                FIRST_DAY if row["scheme"] in ("qd824", "4210") else date.fromisoformat(row["valid_from"]),
                date.fromisoformat(row["valid_to"]) if row["valid_to"] else None,
            )
            for row in reference(field)
        ]
    found: dict[str, tuple[date, date | None]] = {}
    for code, first, last in rows:
        earlier, later = found.get(code, (first, last))
        found[code] = min(first, earlier), max(last, later) if last and later else None
    return found


def kinds_of(table: str, field: Field) -> Iterator[tuple[str, Severity, str]]:
    """The faults one cell of the field can have: kind, what it costs, and a value that has it."""
    slight: Severity = "warn" if field.oversight else "info"
    yield from _type_kinds(field, "quarantine" if field.name in CORE.get(table, ()) else "warn", slight)
    if has_codes(field):
        yield "unknown_code", "warn" if drops_unknown(field) else slight, _unknown(field.name)
    if field.name in PATTERNS:
        yield "bad_format", slight, PATTERNS[field.name][1]
    if field.name in RANGES:
        yield "out_of_range", "warn", str(RANGES[field.name][1] + 1)
    if field.required and field.name not in KEYS and (table, field.name) not in _OWN_MISSING:
        yield "missing", slight, ""


def _type_kinds(field: Field, lost: Severity, slight: Severity) -> Iterator[tuple[str, Severity, str]]:
    match field.dtype:
        case pl.Decimal():
            yield "unreadable_amount", lost, "1.234,5"
            yield "negative_amount", lost, "-1000"
        case pl.Int32():
            yield "unreadable_number", "warn", "hai"
        case pl.Datetime():
            yield "unreadable_date", lost, "202602300800"
            yield "absurd_date", lost, "190001010000"
            yield "date_without_time", "warn", "20260115"
        case pl.Date():
            yield "unreadable_birth", "warn", "19851399"
        case _:
            if field.kind == "date":
                yield "unreadable_date", "warn", "20260230"
            if field.max_len:
                yield "too_long", slight, f"{field.max_len + 1} ký tự / characters"


def _unknown(field: str) -> str:
    """A code that the field's list does not have."""
    own = {"gioi_tinh": "9", "ma_benh_kt": "I10;X00Z", "ma_dantoc": "77", "ma_dantoc_nnd": "77", "matinh_cu_tru": "00"}
    return own.get(field, "99")


_OWN_MISSING = {("encounter", "ngay_vao"), ("encounter", "ngay_ra")}

_CELL: Mask = "cell"
_ROW: Mask = "row"
_LINES: tuple[tuple[str, str, Severity, str, Mask], ...] = (
    ("thanh_tien_bv", "identity", "warn", "2 × 500 = 1.000, ghi / written 1.200", ""),
    ("thanh_tien_bh", "identity", "warn", "2 × 500 × 50 % = 500, ghi / written 1.000", ""),
    ("t_nguonkhac", "identity", "warn", "NSNN 100 + VTNN 0 + VTTN 0 + CL 0, ghi / written 0", _CELL),
    ("t_bhtt", "identity", "warn", "1.000 × 80 %, ghi / written 1.000", ""),
    ("t_bntt", "balance", "warn", "BNTT + BNCCT + BHTT + NGUONKHAC ≠ THANH_TIEN_BV", ""),
    ("thanh_tien_bh", "exceeds", "warn", "BH 1.200 > BV 1.000", ""),
    ("stt", "repeated", "info", "1; 1", ""),
    ("thanh_tien_bv", "zero_repeat", "warn", "02.1896 08:50 60.000; 02.1896 08:50 0", _ROW),
    ("ngay_th_yl", "time_order", "warn", "y lệnh / order 09:00, thực hiện / execution 08:00", _CELL),
    ("ngay_yl", "time_order", "warn", "y lệnh trước khi vào viện / ordered before arrival", _CELL),
)

_ROWS: Mapping[str, tuple[tuple[str, str, Severity, str, Mask], ...]] = {
    "encounter": (
        ("ngay_vao", "missing_date", "quarantine", "", ""),
        ("ngay_ra", "missing_date", "quarantine", "", ""),
        ("ngay_ra", "dates_reversed", "quarantine", "vào / in 202601150800, ra / out 202601140800", ""),
        ("t_bhtt", "missing_amount", "quarantine", "", ""),
        ("t_tongchi_bv", "balance", "warn", "BNTT + BNCCT + BHTT + NGUONKHAC ≠ T_TONGCHI_BV", ""),
        ("t_bhtt", "identity", "warn", "T_TONGCHI_BH 1.000 − T_BNCCT 200, ghi / written 1.000", ""),
        ("t_tongchi_bh", "exceeds", "warn", "BH 1.200 > BV 1.000", ""),
        ("t_thuoc", "lines_sum", "warn", "Σ XML2 = 900, ghi / written 1.000", _CELL),
        ("t_vtyt", "lines_sum", "warn", "Σ XML3 nhóm / groups 10, 11 = 0, ghi / written 500", _CELL),
        ("t_tongchi_bv", "lines_sum", "warn", "Σ = 1.000, ghi / written 1.200", ""),
        ("t_tongchi_bh", "lines_sum", "warn", "Σ = 1.000, ghi / written 1.200", ""),
        ("t_bntt", "lines_sum", "warn", "Σ = 0, ghi / written 100", ""),
        ("t_bncct", "lines_sum", "warn", "Σ = 200, ghi / written 0", ""),
        ("t_nguonkhac", "lines_sum", "warn", "Σ = 0, ghi / written 100", ""),
        ("t_bhtt_gdv", "lines_sum", "warn", "Σ T_BHTT, MA_PTTT 1 = 800, ghi / written 0", _CELL),
        ("so_ngay_dtri", "days", "warn", "vào / in 15/01, ra / out 17/01, ghi / written 5", ""),
        ("ngay_vao_noi_tru", "time_order", "warn", "nội trú trước khi vào viện / admitted before arrival", _CELL),
        ("ngay_ttoan", "time_order", "warn", "thanh toán trước khi vào viện / paid before arrival", _CELL),
        ("ngay_sinh", "time_order", "warn", "sinh sau ngày vào viện / born after arrival", _CELL),
        ("ma_dkbd", "list_length", "info", "2 thẻ / cards, 1 MA_DKBD", ""),
        ("gt_the_tu", "list_length", "info", "2 thẻ / cards, 1 GT_THE_TU", ""),
        ("gt_the_den", "list_length", "info", "2 thẻ / cards, 1 GT_THE_DEN", ""),
        ("ma_the_bhyt", "card_prefix", "warn", "XX4…", ""),
        ("ma_the_bhyt", "card_benefit", "info", "TE4…", ""),
        ("ma_the_bhyt", "card_province", "warn", "GD400…", ""),
        ("ma_benh_chinh", "not_main", "warn", "B95.0", ""),
        ("ma_benh_chinh", "age", "warn", "P07.3, 40 tuổi / years", ""),
        ("ma_benh_chinh", "sex", "warn", "O80.0, nam / male", ""),
        ("ma_benh_kt", "sex", "warn", "O80.0, nam / male", ""),
    ),
    "drug_line": _LINES,
    "service_line": (*_LINES, ("ngay_kq", "time_order", "warn", "kết quả trước khi thực hiện / result before", _CELL)),
    "lab_result": (
        ("ngay_kq", "time_order", "warn", "kết quả trước khi vào viện / result before arrival", _CELL),
        ("stt", "repeated", "info", "1; 1", ""),
    ),
    "clinical_note": (
        ("thoi_diem_dbls", "time_order", "warn", "diễn biến trước khi vào viện / noted before arrival", _CELL),
        ("stt", "repeated", "info", "1; 1", ""),
    ),
}
"""Checks over several cells: field to mend, kind, cost, example, what is masked. No fault that moves the fund's money
is ever masked: it is for the assessor to see."""


@cache
def checks() -> Mapping[str, Check]:
    """Every check, by id, in the order of tables and fields."""
    found: dict[str, Check] = {}
    for source, table in TABLES.items():
        official = {f.name: f for f in fields(source)}
        for key in KEYS:
            _add(found, source, table, key, official.get(key), "missing_key", "quarantine", "")
        for field in official.values():
            for code, severity, example in kinds_of(table, field):
                _add(found, source, table, field.name, field, code, severity, example)
        for name, code, severity, example, mask in _ROWS.get(table, ()):
            _add(found, source, table, name, official.get(name), code, severity, example, mask)
        if table != "encounter":
            _add(found, source, table, "ma_lk", official.get("ma_lk"), "orphan", "quarantine", "")
    return found


def _add(
    found: dict[str, Check],
    source: str,
    table: str,
    name: str,
    field: Field | None,
    code: str,
    severity: Severity,
    example: str,
    mask: Mask = "",
) -> None:
    vi, en = KINDS[code]
    own = field or next(f for f in fields("XML1") if f.name == name)
    check = Check(
        id=f"{source}.{name.upper()}.{code}",
        table=table,
        field=name,
        code=code,
        severity=severity,
        example=example,
        hint_vi=f"{own.name_vi} ({name.upper()}): {vi}.",
        hint_en=f"{own.name_en} ({name.upper()}): {en}.",
        mask=mask or ("cell" if code == "date_without_time" else ""),
    )
    if check.id in found:
        raise ValueError(f"check {check.id} is declared twice")
    found[check.id] = check


def check_of(table: str, field: str, code: str) -> Check:
    """The check of a fault. Raises KeyError when none is declared: a fault without a name is never reported."""
    return checks()[f"{source_of(table)}.{field.upper()}.{code}"]


def with_hints(findings: pl.DataFrame) -> pl.DataFrame:
    """Findings with `hint_vi` and `hint_en` filled in from the list; a hint that a finding brings itself stays."""
    hints = {check.id: (check.hint_vi, check.hint_en) for check in checks().values()}
    named = [
        pl.coalesce(
            pl.col(column),
            pl.col("check_id").replace_strict(
                {k: v[i] for k, v in hints.items()}, default=None, return_dtype=pl.String
            ),
        ).alias(column)
        for i, column in enumerate(("hint_vi", "hint_en"))
    ]
    return findings.with_columns(named)


_HEAD = """# Danh mục kiểm tra dữ liệu / Data checks

{n} kiểm tra, sinh từ danh mục trường và các bảng mã (`make catalogue`). Mức: `quarantine` – dòng bị để riêng, không
nạp; `warn` – nạp kèm cảnh báo; `info` – chỉ đếm. Cột *Che*: khi cả cơ sở mắc cùng một lỗi phần mềm, ô hoặc dòng đó
không đưa vào bộ phát hiện.

{n} checks, made from the field list and the code lists (`make catalogue`). Severity: `quarantine`, the row is set
aside, not loaded; `warn`, loaded with a warning; `info`, only counted. *Mask*: where a whole facility shares a fault of
its software, detectors do not get the cell or row.
"""


def catalogue_markdown() -> str:
    """The list as a page, a section a table."""
    every = checks()
    lines = [_HEAD.format(n=len(every))]
    for source, table in TABLES.items():
        lines += [
            f"## {source} `{table}`",
            "",
            "| Kiểm tra / Check | Mức / Severity | Che / Mask | Ví dụ sai / Refuses | Cách sửa / Way out |",
            "| --- | --- | --- | --- | --- |",
        ]
        lines += [
            f"| `{c.id}` | {c.severity} | {c.mask or '–'} | {c.example or '(trống / empty)'} | "
            f"{c.hint_vi}<br>{c.hint_en} |"
            for c in every.values()
            if c.table == table
        ]
        lines.append("")
    return "\n".join(lines)
