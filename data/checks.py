"""From text to types, and what was wrong on the way.

A row that cannot be judged (no key, no dates, no readable money) goes to quarantine with the reason; a doubtful cell
becomes null and leaves a warning. Nothing is guessed, nothing is dropped in silence: every cell that was not taken as
written has a finding with its code, field, value and a hint in both languages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

import polars as pl

from data.schema import PERSONAL, PROVENANCE, TABLES, Field, code_names, fields

Severity = Literal["quarantine", "warn"]

FIRST_DAY = date(2010, 1, 1)  # no claim of the standards we read is older
LATEST_DAYS = 400  # after receipt: chronic episodes end in the future, by months and not by years
_OLDEST_BIRTH = date(1880, 1, 1)
_SHOWN_CHARACTERS = 100

HINTS: Mapping[str, tuple[str, str]] = {
    "missing_key": (
        "Thiếu MA_LK hoặc MA_CSKCB: bổ sung mã rồi gửi lại hồ sơ.",
        "MA_LK or MA_CSKCB is missing: fill it in and send the record again.",
    ),
    "missing_date": (
        "Thiếu ngày vào hoặc ngày ra: bổ sung theo dạng yyyymmddHHMM rồi gửi lại hồ sơ.",
        "The date of arrival or discharge is missing: fill it in as yyyymmddHHMM and send the record again.",
    ),
    "unreadable_date": (
        "Không đọc được ngày giờ: cần 12 chữ số yyyymmddHHMM và là ngày có thật.",
        "The date cannot be read: 12 digits yyyymmddHHMM and a day that exists are needed.",
    ),
    "absurd_date": (
        f"Ngày trước {FIRST_DAY:%d/%m/%Y} hoặc quá {LATEST_DAYS} ngày sau khi nhận: kiểm tra lại năm.",
        f"The date is before {FIRST_DAY:%Y-%m-%d} or over {LATEST_DAYS} days after receipt: check the year.",
    ),
    "dates_reversed": (
        "Ngày ra trước ngày vào: sửa lại một trong hai ngày.",
        "Discharge is before arrival: correct one of the two dates.",
    ),
    "date_without_time": (
        "Chỉ có ngày, thiếu giờ phút: đã lấy 00:00; cần 12 chữ số yyyymmddHHMM.",
        "Only a day, no time: midnight was taken; 12 digits yyyymmddHHMM are needed.",
    ),
    "unreadable_birth": (
        "Không đọc được ngày sinh: cần 12 chữ số, phần chưa biết ghi số 0.",
        "The date of birth cannot be read: 12 digits are needed, with zeros for what is not known.",
    ),
    "missing_amount": (
        "Không có T_TONGCHI_BH lẫn T_BHTT: hồ sơ không có số tiền để giám định.",
        "Neither T_TONGCHI_BH nor T_BHTT is given: there is no money to review.",
    ),
    "unreadable_amount": (
        "Không đọc được số: dùng dấu chấm thập phân, không có dấu phân cách hàng nghìn.",
        "The number cannot be read: use a decimal point and no thousands separator.",
    ),
    "negative_amount": (
        "Số âm: số tiền và số lượng trong hồ sơ không được âm; muốn điều chỉnh thì gửi lại cả hồ sơ.",
        "The number is negative: amounts and quantities never are; to correct a claim, send it again whole.",
    ),
    "unreadable_number": (
        "Không đọc được số nguyên: chỉ dùng chữ số.",
        "The whole number cannot be read: use digits only.",
    ),
    "unknown_code": (
        "Mã không có trong danh mục: kiểm tra lại mã.",
        "The code is not in the list: check it.",
    ),
    "too_long": (
        "Dài hơn độ dài cho phép của trường: vẫn giữ nguyên, cần kiểm tra phần mềm xuất.",
        "Longer than the field allows: kept as written; check the export software.",
    ),
}
"""Finding code -> hint in Vietnamese and in English."""

FINDING_COLUMNS: Mapping[str, pl.DataType] = {
    "line_table": pl.String(),
    "row_no": pl.Int32(),
    "version": pl.Int64(),
    "ma_cskcb": pl.String(),
    "ma_lk": pl.String(),
    "severity": pl.String(),
    "code": pl.String(),
    "field": pl.String(),
    "value": pl.String(),
    "hint_vi": pl.String(),
    "hint_en": pl.String(),
}

_CORE_AMOUNTS: Mapping[str, frozenset[str]] = {
    "encounter": frozenset({"t_tongchi_bv", "t_tongchi_bh", "t_bhtt", "t_bncct"}),
    "drug_line": frozenset({"so_luong", "don_gia", "thanh_tien_bv", "thanh_tien_bh", "t_bhtt"}),
    "service_line": frozenset({"so_luong", "don_gia_bv", "don_gia_bh", "thanh_tien_bv", "thanh_tien_bh", "t_bhtt"}),
}
"""Amounts without which a row cannot be judged: a bad one costs the row, a bad one elsewhere only its cell."""

_CODED = ("gioi_tinh", "ket_qua_dtri", "ma_loai_rv", "ma_tai_nan", "pham_vi", "nguon_ctra", "ma_pttt", "pp_vo_cam")
_NUMBER = r"^-?[0-9]{1,15}(\.[0-9]+)?$"
_WHOLE = r"^-?[0-9]{1,9}(\.0+)?$"
_PLAIN_NUMBER = r"^[0-9]{1,15}(\.[0-9]{1,6})?$"
_PLAIN_WHOLE = r"^[0-9]{1,9}$"
_PLAIN_MOMENT = r"^[0-9]{12}$"
_WITHDRAWN = "8"  # MA_DOITUONG_KCB
_DATE_FIELDS = ("ngay_vao", "ngay_ra")


@dataclass(frozen=True, slots=True)
class Typed:
    """A table with its types, and the findings made on the way. Rows in quarantine are not in `rows`."""

    rows: pl.DataFrame
    findings: pl.DataFrame


@dataclass(frozen=True, slots=True)
class _Check:
    """One thing that can be wrong with a row: `bad` says where, cheaply; `code` may then look closer.

    Both see the text of every field, and its typed value under "=field".
    """

    field: str
    severity: Severity
    code: str | pl.Expr
    bad: pl.Expr


def type_table(name: str, raw: pl.DataFrame, *, received: date) -> Typed:
    """Type the rows of the table `name` ("encounter", "drug_line" …), whose columns in `raw` are text.

    `raw` may have any of the official columns in lower case. Provenance (`PROVENANCE`, `hoso_no`, and every column
    whose name starts with "_") passes through untouched; other columns are dropped. MA_CSKCB comes from the row, else
    from `_facility`, which is MACSKCB of the envelope. The result has the key, all official columns (null where
    missing), the derived ones that need no pseudonym, and the provenance.
    """
    official = _official(name)
    text = _as_text(raw, official)
    plain = _plain_fields(text, official)
    checks: list[_Check] = []
    values: list[pl.Expr] = []
    for field in official:
        core = field.name in _CORE_AMOUNTS.get(name, ()) or (name == "encounter" and field.name in _DATE_FIELDS)
        severity: Severity = "quarantine" if core else "warn"
        value, found = _typed(field, severity, plain=plain.get(field.name), received=received)
        values.append(value.alias(field.name))
        checks.extend(found)
    kept = [column for column in raw.columns if _is_provenance(column)]
    typed = text.with_columns(values).select([field.name for field in official] + kept)
    checks.extend(_row_checks(name))
    both = text.hstack(typed.select(pl.col(field.name).alias(f"={field.name}") for field in official))
    flags = both.select(check.bad.fill_null(value=False).alias(str(i)) for i, check in enumerate(checks))
    findings = _findings(name, both, flags, checks)
    lost = [pl.col(str(i)) for i, check in enumerate(checks) if check.severity == "quarantine"]
    lost_rows = flags.select(pl.any_horizontal(lost).alias("lost"))["lost"]
    rows = typed.hstack(_derived(name, text, typed)).filter(~lost_rows)
    return Typed(rows=rows, findings=findings)


def _official(name: str) -> tuple[Field, ...]:
    """Official fields of the table, and the key where the standard leaves MA_CSKCB to the envelope."""
    source = {ours: theirs for theirs, ours in TABLES.items()}[name]
    found = fields(source)
    if any(field.name == "ma_cskcb" for field in found):
        return found
    facility = next(field for field in fields("XML1") if field.name == "ma_cskcb")
    return (facility, *found)


def _is_provenance(column: str) -> bool:
    return column in PROVENANCE or column == "hoso_no" or column.startswith("_")


def _as_text(raw: pl.DataFrame, official: Sequence[Field]) -> pl.DataFrame:
    """Every official column as trimmed text, null where empty or missing, beside the provenance."""
    chosen: list[pl.Expr] = []
    for field in official:
        if field.name in raw.columns:
            trimmed = pl.col(field.name).cast(pl.String).str.strip_chars()
            cell = pl.when(trimmed != "").then(trimmed)  # codes in real files end in tabs and blanks
        else:
            cell = pl.lit(None, pl.String)
        if field.name == "ma_cskcb" and "_facility" in raw.columns:
            envelope = pl.col("_facility").cast(pl.String).str.strip_chars()
            cell = pl.coalesce(cell, pl.when(envelope != "").then(envelope))
        chosen.append(cell.alias(field.name))
    kept = [column for column in raw.columns if _is_provenance(column)]
    if not raw.width:
        return pl.DataFrame(schema={field.name: pl.String() for field in official})
    # with_columns keeps the height where no official column is present at all
    return raw.with_columns(chosen).select([field.name for field in official] + kept)


def _plain_fields(text: pl.DataFrame, official: Sequence[Field]) -> dict[str, bool]:
    """Field -> whether every cell is of the plain shape that needs no second look. A field without cells is absent.

    Nearly all columns are plain, and one look at the whole column is what makes typing fast.
    """
    looks: list[pl.Expr] = []
    for field in official:
        cell = pl.col(field.name)
        match field.dtype:
            case pl.Decimal():
                look = cell.str.contains(_PLAIN_NUMBER)
            case pl.Int32():
                look = cell.str.contains(_PLAIN_WHOLE)
            case pl.Datetime():
                look = cell.str.contains(_PLAIN_MOMENT)
            case pl.Date():
                look = pl.lit(value=False)
            case _:
                # bytes are never fewer than characters
                look = cell.str.len_bytes() <= (field.max_len or 2**31)
        looks.append(pl.when(cell.is_not_null().any()).then(look.all()).alias(field.name))
    found = text.select(looks).row(0, named=True) if text.height else {}
    return {name: plain for name, plain in found.items() if plain is not None}


def _typed(field: Field, severity: Severity, *, plain: bool | None, received: date) -> tuple[pl.Expr, list[_Check]]:
    """The typed value of a field, and the checks it brings. `plain` is None where every cell is empty."""
    if plain is None:
        return pl.lit(None, field.dtype), []
    match field.dtype:
        case pl.Decimal() as kind:
            return _amount(field, kind.scale, severity, plain=plain)
        case pl.Int32():
            return _whole(field, plain=plain)
        case pl.Datetime():
            return _moment(field, severity, plain=plain, received=received)
        case pl.Date():
            return _birth(field, received)
        case _:
            return _words(field, plain=plain)


def _not_taken(field: Field) -> pl.Expr:
    """Rows whose cell says something that did not become a value."""
    return pl.col(field.name).is_not_null() & pl.col(f"={field.name}").is_null()


def _amount(field: Field, scale: int, severity: Severity, *, plain: bool) -> tuple[pl.Expr, list[_Check]]:
    cell = pl.col(field.name)
    # Polars rounds what does not fit into six decimals; rounding twice would move 0.0049999995 to 0.01.
    digits = cell if plain else pl.when(cell.str.contains(_NUMBER)).then(cell.str.replace(r"(\.[0-9]{6})[0-9]+$", "$1"))
    number = digits.cast(pl.Decimal(38, 6), strict=False).round(scale, mode="half_away_from_zero")
    value = number.cast(pl.Decimal(18, scale), strict=False)
    if plain:
        return value, []
    negative = cell.str.contains(_NUMBER) & cell.str.starts_with("-")
    code = pl.when(negative).then(pl.lit("negative_amount")).otherwise(pl.lit("unreadable_amount"))
    return pl.when(value >= 0).then(value), [_Check(field.name, severity, code, _not_taken(field))]


def _whole(field: Field, *, plain: bool) -> tuple[pl.Expr, list[_Check]]:
    cell = pl.col(field.name)
    digits = cell if plain else pl.when(cell.str.contains(_WHOLE)).then(cell.str.replace(r"\.0+$", ""))
    value = digits.cast(pl.Int32(), strict=False)
    code: str | pl.Expr = "unreadable_number"
    checks: list[_Check] = []
    if field.name in _CODED:
        known = [int(code) for code in code_names(field.name.upper())]
        if field.name == "gioi_tinh":  # rules by sex must stand aside, not guess
            value = pl.when(value.is_in(known)).then(value)
            code = pl.when(cell.str.contains(_WHOLE)).then(pl.lit("unknown_code")).otherwise(pl.lit(code))
        else:
            checks.append(_Check(field.name, "warn", "unknown_code", ~pl.col(f"={field.name}").is_in(known)))
    return value, [*checks, _Check(field.name, "warn", code, _not_taken(field))]


def _moment(field: Field, severity: Severity, *, plain: bool, received: date) -> tuple[pl.Expr, list[_Check]]:
    cell = pl.col(field.name)
    first = datetime.combine(FIRST_DAY, datetime.min.time())
    last = datetime.combine(received + timedelta(days=LATEST_DAYS), datetime.min.time())
    parsed = _twelve_digits(cell) if plain else _parsed_moment(cell)
    value = pl.when(parsed.is_between(first, last)).then(parsed)
    absurd = _parsed_moment(cell).is_not_null()
    code = pl.when(absurd).then(pl.lit("absurd_date")).otherwise(pl.lit("unreadable_date"))
    checks = [_Check(field.name, severity, code, _not_taken(field))]
    if not plain:
        day_only = pl.col(f"={field.name}").is_not_null() & (cell.str.len_bytes() == 8)
        checks.append(_Check(field.name, "warn", "date_without_time", day_only))
    return value, checks


def _twelve_digits(cell: pl.Expr) -> pl.Expr:
    return cell.str.to_datetime("%Y%m%d%H%M", strict=False, time_unit="us")


def _parsed_moment(cell: pl.Expr) -> pl.Expr:
    """12 digits; seconds are accepted and a day alone is its midnight. Null for anything else."""
    seconds = pl.when(cell.str.contains(r"^[0-9]{14}$")).then(cell)
    day = pl.when(cell.str.contains(r"^[0-9]{8}$")).then(cell)
    return pl.coalesce(
        _twelve_digits(pl.when(cell.str.contains(_PLAIN_MOMENT)).then(cell)),
        seconds.str.to_datetime("%Y%m%d%H%M%S", strict=False, time_unit="us"),
        day.str.to_date("%Y%m%d", strict=False).cast(pl.Datetime("us")),
    )


def _birth(field: Field, received: date) -> tuple[pl.Expr, list[_Check]]:
    cell = pl.col(field.name)
    shape = cell.str.contains(r"^[0-9]{4}([0-9]{4}([0-9]{4})?)?$")
    month, day = cell.str.slice(4, 2), cell.str.slice(6, 2)
    filled = pl.concat_str(
        cell.str.slice(0, 4),
        pl.when(month.is_in(["", "00"])).then(pl.lit("01")).otherwise(month),
        # a known day of an unknown month says nothing
        pl.when(day.is_in(["", "00"]) | month.is_in(["", "00"])).then(pl.lit("01")).otherwise(day),
    )
    parsed = pl.when(shape).then(filled.str.to_date("%Y%m%d", strict=False))
    value = pl.when(parsed.is_between(_OLDEST_BIRTH, received)).then(parsed)
    return value, [_Check(field.name, "warn", "unreadable_birth", _not_taken(field))]


def _words(field: Field, *, plain: bool) -> tuple[pl.Expr, list[_Check]]:
    cell = pl.col(field.name)
    if plain:
        return cell, []
    return cell, [_Check(field.name, "warn", "too_long", cell.str.len_chars() > (field.max_len or 0))]


def _row_checks(name: str) -> list[_Check]:
    """Checks over several cells of a row."""
    checks = [_Check(key, "quarantine", "missing_key", pl.col(key).is_null()) for key in ("ma_cskcb", "ma_lk")]
    if name == "encounter":
        checks += [_Check(day, "quarantine", "missing_date", pl.col(day).is_null()) for day in _DATE_FIELDS]
        reversed_dates = pl.col("=ngay_ra") < pl.col("=ngay_vao")
        checks.append(_Check("ngay_ra", "quarantine", "dates_reversed", reversed_dates))
        # A facility that takes its request back need not repeat the amounts.
        amounts = pl.col("t_tongchi_bh").is_null() & pl.col("t_bhtt").is_null()
        withdrawn = (pl.col("ma_doituong_kcb") == _WITHDRAWN).fill_null(value=False)
        checks.append(_Check("t_bhtt", "quarantine", "missing_amount", amounts & ~withdrawn))
    return checks


def _derived(name: str, text: pl.DataFrame, typed: pl.DataFrame) -> pl.DataFrame:
    if name == "encounter":
        birth = pl.col("ngay_sinh")
        month, day, time = birth.str.slice(4, 2), birth.str.slice(6, 2), birth.str.slice(8, 4)
        precision = (
            pl.when(month.is_in(["", "00"]))
            .then(pl.lit("year"))
            .when(day.is_in(["", "00"]))
            .then(pl.lit("month"))
            .when(time.is_in(["", "0000"]))
            .then(pl.lit("day"))
            .otherwise(pl.lit("minute"))
        )
        known = text.select(
            card_class=pl.col("ma_the_bhyt")
            .str.split(";")
            .list.first()
            .str.strip_chars()
            .str.slice(0, 3)
            .str.to_uppercase(),
            birth_precision=precision,
            withdrawn=(pl.col("ma_doituong_kcb") == _WITHDRAWN).fill_null(value=False),
        )
        unborn = typed["ngay_sinh"].is_null()
        return known.with_columns(birth_precision=pl.when(~unborn).then("birth_precision"))
    if name in ("drug_line", "service_line"):
        first = pl.col("ma_bac_si").str.split(";").list.first().str.strip_chars()
        return text.select(doctor=pl.when(first != "").then(first))
    return pl.DataFrame()


def _findings(name: str, both: pl.DataFrame, flags: pl.DataFrame, checks: Sequence[_Check]) -> pl.DataFrame:
    parts = [pl.DataFrame(schema=dict(FINDING_COLUMNS))]
    counts = flags.sum().row(0) if flags.height else (0,) * len(checks)
    for i, (check, count) in enumerate(zip(checks, counts, strict=True)):
        if not count:
            continue
        # Findings are shown widely: what names a person stays out of them.
        shown = pl.lit(None, pl.String) if check.field in PERSONAL else pl.col(check.field)
        given: dict[str, pl.Expr] = {
            "line_table": pl.lit(name),
            "severity": pl.lit(check.severity),
            "code": check.code if isinstance(check.code, pl.Expr) else pl.lit(check.code),
            "field": pl.lit(check.field),
            "value": shown.str.slice(0, _SHOWN_CHARACTERS),
        }
        found = both.filter(flags[str(i)])
        given |= {
            column: pl.col(column) if column in found.columns else pl.lit(None)
            for column in ("row_no", "version", "ma_cskcb", "ma_lk")
        }
        part = found.select(
            expression.cast(FINDING_COLUMNS[column]).alias(column) for column, expression in given.items()
        )
        hints = [pl.col("code").replace_strict({c: h[k] for c, h in HINTS.items()}) for k in (0, 1)]
        parts.append(part.with_columns(hint_vi=hints[0], hint_en=hints[1]).select(*FINDING_COLUMNS))
    return pl.concat(parts)
