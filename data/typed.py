"""From text to types, and what was wrong on the way.

A row that cannot be judged (no key, no dates, no readable money) goes to quarantine with the reason; a doubtful cell
becomes null and leaves a warning. Nothing is guessed, nothing is dropped in silence: every cell that was not taken as
written has a finding that names its check (`data.checks`), its field and its value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache

import polars as pl

from data.checks import (
    FIRST_DAY,
    KEYS,
    LATEST_DAYS,
    LISTED,
    PATTERNS,
    RANGES,
    Check,
    check_of,
    checks,
    code_periods,
    drops_unknown,
    has_codes,
    is_dated,
    known_codes,
)
from data.identities import row_looks
from data.schema import PROVENANCE, Field, fields, source_of

_OLDEST_BIRTH = date(1880, 1, 1)
_SHOWN_CHARACTERS = 100

FINDING_COLUMNS: Mapping[str, pl.DataType] = {
    "line_table": pl.String(),
    "row_no": pl.Int32(),
    "version": pl.Int64(),
    "ma_cskcb": pl.String(),
    "ma_lk": pl.String(),
    "severity": pl.String(),
    "check_id": pl.String(),
    "code": pl.String(),
    "field": pl.String(),
    "value": pl.String(),
}

_NUMBER = r"^-?[0-9]{1,15}(\.[0-9]+)?$"
_WHOLE = r"^-?[0-9]{1,9}(\.0+)?$"
_PLAIN_NUMBER = r"^[0-9]{1,15}(\.[0-9]{1,6})?$"
_PLAIN_WHOLE = r"^[0-9]{1,9}$"
_PLAIN_MOMENT = r"^[0-9]{12}$"
_WITHDRAWN = "8"  # MA_DOITUONG_KCB


@dataclass(frozen=True, slots=True)
class Typed:
    """A table with its types, and the findings made on the way. Rows in quarantine are not in `rows`."""

    rows: pl.DataFrame
    findings: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Look:
    """Where a check fails: `bad` sees the text of every field, and its typed value under "=field".

    Lines also see their encounter's dates under "@ngay_vao" and "@ngay_ra". `shown` is the value that the finding
    gives; the cell's text when it is None.
    """

    check: Check
    bad: pl.Expr
    shown: pl.Expr | None = None


def type_table(
    name: str,
    raw: pl.DataFrame,
    *,
    received: date,
    first_day: date = FIRST_DAY,
    stays: pl.DataFrame | None = None,
) -> Typed:
    """Type the rows of the table `name` ("encounter", "drug_line" …), whose columns in `raw` are text.

    `raw` may have any of the official columns in lower case. Provenance (`PROVENANCE`, `hoso_no`, and every column
    whose name starts with "_") passes through untouched; other columns are dropped. MA_CSKCB comes from the row, else
    from `_facility`, which is MACSKCB of the envelope. The result has the key, all official columns (null where
    missing), the derived ones that need no pseudonym and no other table, and the provenance.

    `stays` (version, ngay_vao, ngay_ra) are the encounters that lines are held against. Times before `first_day` or
    long after `received` are taken for mistakes.
    """
    official = official_fields(name)
    text = _as_text(raw, official)
    plain = _plain_fields(text, official)
    values = {f.name: _value(f, plain=plain.get(f.name), received=received, first_day=first_day) for f in official}
    kept = [column for column in raw.columns if _is_provenance(column)]
    typed = text.with_columns(value.alias(field) for field, value in values.items()).select([*values, *kept])
    both = text.hstack(typed.select(pl.col(field).alias(f"={field}") for field in values))
    if stays is not None and "version" in both.columns:
        dates = stays.select("version", pl.col("ngay_vao").alias("@ngay_vao"), pl.col("ngay_ra").alias("@ngay_ra"))
        both = both.join(dates, on="version", how="left", maintain_order="left")
    looks = [*_cell_looks(name, raw, text, typed, plain), *_row_looks(name, both)]
    findings, lost = findings_of(name, both, looks)
    rows = typed.hstack(_derived(name, text, typed)).filter(~lost)
    return Typed(rows=rows, findings=findings)


@cache
def official_fields(name: str) -> tuple[Field, ...]:
    """Official fields of the table, and the key where the standard leaves MA_CSKCB to the envelope."""
    found = fields(source_of(name))
    missing = [f for f in fields("XML1") if f.name in KEYS and not any(f.name == own.name for own in found)]
    return (*missing, *found)


def findings_of(name: str, both: pl.DataFrame, looks: Sequence[Look]) -> tuple[pl.DataFrame, pl.Series]:
    """What the looks find (`FINDING_COLUMNS`), and which rows are lost to quarantine."""
    flags = both.select(look.bad.fill_null(value=False).alias(str(i)) for i, look in enumerate(looks))
    parts = [pl.DataFrame(schema=dict(FINDING_COLUMNS))]
    counts = flags.sum().row(0) if flags.height else (0,) * len(looks)
    for i, (look, count) in enumerate(zip(looks, counts, strict=True)):
        if count:
            parts.append(_findings(name, both.filter(flags[str(i)]), look))
    lost = [pl.col(str(i)) for i, look in enumerate(looks) if look.check.severity == "quarantine" and counts[i]]
    if not lost:
        return pl.concat(parts), pl.repeat(value=False, n=both.height, dtype=pl.Boolean, eager=True)
    return pl.concat(parts), flags.select(lost=pl.any_horizontal(lost))["lost"]


def _findings(name: str, found: pl.DataFrame, look: Look) -> pl.DataFrame:
    check = look.check
    shown = look.shown if look.shown is not None else pl.col(check.field) if check.field in found.columns else None
    if shown is None or _names_a_person(name, check.field):
        shown = pl.lit(None, pl.String)  # findings are shown widely
    given: dict[str, pl.Expr] = {
        "line_table": pl.lit(name),
        "severity": pl.lit(check.severity),
        "check_id": pl.lit(check.id),
        "code": pl.lit(check.code),
        "field": pl.lit(check.field),
        "value": shown.cast(pl.String).str.slice(0, _SHOWN_CHARACTERS),
    }
    given |= {
        column: pl.col(column) if column in found.columns else pl.lit(None)
        for column in ("row_no", "version", "ma_cskcb", "ma_lk")
    }
    return found.select(given[column].cast(dtype).alias(column) for column, dtype in FINDING_COLUMNS.items())


@cache
def _names_a_person(table: str, field: str) -> bool:
    return any(f.name == field and f.privacy for f in official_fields(table))


def _is_provenance(column: str) -> bool:
    return column in PROVENANCE or column == "hoso_no" or column.startswith("_")


def _as_text(raw: pl.DataFrame, official: Sequence[Field]) -> pl.DataFrame:
    """Every official column as trimmed text, null where empty or missing, beside the provenance."""
    kept = [column for column in raw.columns if _is_provenance(column)]
    given = [f.name for f in official if f.name in raw.columns]
    # codes in real files end in tabs and blanks; two passes, since one would trim every cell twice
    trimmed = raw.select(*(pl.col(c).cast(pl.String).str.strip_chars() for c in given), *kept)
    text = trimmed.with_columns(pl.when(pl.col(c) != "").then(pl.col(c)) for c in given)
    absent = [f.name for f in official if f.name not in given]
    text = text.with_columns(pl.lit(None, pl.String).alias(c) for c in absent)
    if "_facility" in raw.columns:
        envelope = pl.col("_facility").cast(pl.String).str.strip_chars()
        text = text.with_columns(pl.coalesce("ma_cskcb", pl.when(envelope != "").then(envelope)).alias("ma_cskcb"))
    return text.select([field.name for field in official] + kept)


def _plain_fields(text: pl.DataFrame, official: Sequence[Field]) -> dict[str, bool]:
    """Field -> whether every cell is of the plain shape that needs no second look. A field without cells is absent.

    Nearly all columns are plain, and one look at the whole column is what makes typing fast.
    """
    looks: list[pl.Expr] = []
    for field in official:
        if text[field.name].null_count() == text.height:
            continue
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
        looks.append(look.all().alias(field.name))
    return text.select(looks).row(0, named=True) if looks else {}


def _value(field: Field, *, plain: bool | None, received: date, first_day: date) -> pl.Expr:
    """The typed value of a field. `plain` is None where every cell is empty."""
    if plain is None:
        return pl.lit(None, field.dtype)
    cell = pl.col(field.name)
    match field.dtype:
        case pl.Decimal() as kind:
            return _amount(cell, kind.scale, plain=plain)
        case pl.Int32():
            return _whole(field, cell, plain=plain)
        case pl.Datetime():
            first = datetime.combine(first_day, datetime.min.time())
            last = datetime.combine(received + timedelta(days=LATEST_DAYS), datetime.min.time())
            parsed = _twelve_digits(cell) if plain else _parsed_moment(cell)
            return pl.when(parsed.is_between(first, last)).then(parsed)
        case pl.Date():
            return _birth(cell, received)
        case _:
            return cell


def _amount(cell: pl.Expr, scale: int, *, plain: bool) -> pl.Expr:
    # Polars rounds what does not fit into six decimals; rounding twice would move 0.0049999995 to 0.01.
    digits = cell if plain else pl.when(cell.str.contains(_NUMBER)).then(cell.str.replace(r"(\.[0-9]{6})[0-9]+$", "$1"))
    number = digits.cast(pl.Decimal(38, 6), strict=False).round(scale, mode="half_away_from_zero")
    value = number.cast(pl.Decimal(18, scale), strict=False)
    return value if plain else pl.when(value >= 0).then(value)


def _whole(field: Field, cell: pl.Expr, *, plain: bool) -> pl.Expr:
    digits = cell if plain else pl.when(cell.str.contains(_WHOLE)).then(cell.str.replace(r"\.0+$", ""))
    value = digits.cast(pl.Int32(), strict=False)
    if drops_unknown(field):
        value = pl.when(value.is_in([int(code) for code in sorted(known_codes(field.name))])).then(value)
    return value


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


def _birth(cell: pl.Expr, received: date) -> pl.Expr:
    shape = cell.str.contains(r"^[0-9]{4}([0-9]{4}([0-9]{4})?)?$")
    month, day = cell.str.slice(4, 2), cell.str.slice(6, 2)
    filled = pl.concat_str(
        cell.str.slice(0, 4),
        pl.when(month.is_in(["", "00"])).then(pl.lit("01")).otherwise(month),
        # a known day of an unknown month says nothing
        pl.when(day.is_in(["", "00"]) | month.is_in(["", "00"])).then(pl.lit("01")).otherwise(day),
    )
    parsed = pl.when(shape).then(filled.str.to_date("%Y%m%d", strict=False))
    return pl.when(parsed.is_between(_OLDEST_BIRTH, received)).then(parsed)


# what can be wrong with one cell


def _cell_looks(
    name: str,
    raw: pl.DataFrame,
    text: pl.DataFrame,
    typed: pl.DataFrame,
    plain: Mapping[str, bool],
) -> Iterator[Look]:
    """Looks at the cells of columns in which something may be wrong: most columns need none."""
    for key in KEYS:
        yield Look(check_of(name, key, "missing_key"), pl.col(key).is_null())
    # Older records lack what QĐ 130 added, and a facility that takes its request back need not repeat its fields.
    whole = pl.lit(value=True)
    if "standard" in raw.columns:
        whole &= pl.col("standard") == "130"
    if name == "encounter":
        whole &= ~(pl.col("ma_doituong_kcb") == _WITHDRAWN).fill_null(value=False)
    for field in fields(source_of(name)):  # a key that lines take from their encounter is looked at there
        blank = text[field.name].null_count()
        if blank and field.required and field.name in raw.columns and (check := _declared(name, field, "missing")):
            yield Look(check, pl.col(field.name).is_null() & whole)
        if blank == text.height:
            continue
        yield from _not_taken(name, field, lost=typed[field.name].null_count() > blank, plain=plain[field.name])
        if has_codes(field) and (bad := _unknown_codes(name, field, text, typed)) is not None:
            yield Look(check_of(name, field.name, "unknown_code"), bad)
        if field.name in PATTERNS and len(shapeless := _shapeless(field.name, text[field.name])):
            yield Look(check_of(name, field.name, "bad_format"), pl.col(field.name).is_in(shapeless.implode()))
        if field.name in RANGES and f"{source_of(name)}.{field.name.upper()}.out_of_range" in checks():
            low, high = RANGES[field.name]
            number = pl.col(f"={field.name}").cast(pl.Float64, strict=False)
            yield Look(check_of(name, field.name, "out_of_range"), ~number.is_between(low, high))


def _declared(name: str, field: Field, code: str) -> Check | None:
    return checks().get(f"{source_of(name)}.{field.name.upper()}.{code}")


def _not_taken(name: str, field: Field, *, lost: bool, plain: bool) -> Iterator[Look]:
    """Looks at a column in which some cell did not become a value as written."""
    cell, value = pl.col(field.name), pl.col(f"={field.name}")
    gone = cell.is_not_null() & value.is_null()
    match field.dtype:
        case pl.Decimal() if lost:
            negative = cell.str.contains(_NUMBER) & cell.str.starts_with("-")
            yield Look(check_of(name, field.name, "negative_amount"), gone & negative)
            yield Look(check_of(name, field.name, "unreadable_amount"), gone & ~negative)
        case pl.Int32() if lost:
            whole = cell.str.contains(_WHOLE) if drops_unknown(field) else pl.lit(value=False)
            yield Look(check_of(name, field.name, "unreadable_number"), gone & ~whole)
        case pl.Datetime():
            if lost:
                absurd = _parsed_moment(cell).is_not_null()
                yield Look(check_of(name, field.name, "absurd_date"), gone & absurd)
                yield Look(check_of(name, field.name, "unreadable_date"), gone & ~absurd)
            if not plain:
                day_only = value.is_not_null() & (cell.str.len_bytes() == 8)
                yield Look(check_of(name, field.name, "date_without_time"), day_only)
        case pl.Date() if lost:
            yield Look(check_of(name, field.name, "unreadable_birth"), gone)
        case pl.String():
            if field.kind == "date":
                day = cell.str.slice(0, 8).str.to_date("%Y%m%d", strict=False)
                shape = cell.str.contains(r"^[0-9]{8}([0-9]{4}([0-9]{2})?)?$")
                yield Look(check_of(name, field.name, "unreadable_date"), ~shape | day.is_null())
            if field.max_len and not plain:
                yield Look(check_of(name, field.name, "too_long"), cell.str.len_chars() > field.max_len)
        case _:
            pass


def _unknown_codes(name: str, field: Field, text: pl.DataFrame, typed: pl.DataFrame) -> pl.Expr | None:
    """Where the field's code is in no list in force; None when all are. Looks at each different code once."""
    if is_dated(field.name):
        return _not_in_force(name, field, text)
    used = (text if typed[field.name].dtype == pl.String else typed)[field.name].drop_nulls().unique()
    if drops_unknown(field):
        used = text[field.name].drop_nulls().unique()
        used = used.filter(used.str.contains(_WHOLE))
    known = known_codes(field.name)
    listed = field.name in LISTED
    unknown = [v for v in used.to_list() if not _is_known(str(v), known, listed=listed)]
    if not unknown:
        return None
    column = pl.col(field.name) if used.dtype == pl.String else pl.col(f"={field.name}")
    return column.is_in(unknown)


def _is_known(value: str, known: frozenset[str], *, listed: bool) -> bool:
    parts = [p.strip() for p in value.split(";")] if listed else [value]
    return all(part in known for part in parts if part)


def _not_in_force(name: str, field: Field, text: pl.DataFrame) -> pl.Expr | None:
    """Codes whose list depends on the day: the end of the encounter decides, as it does for ICD-10."""
    periods = code_periods(field.name)
    used = text[field.name].drop_nulls().unique().to_list()
    code = pl.col(field.name)
    unknown = [v for v in used if v not in periods]
    looks = [code.is_in(unknown)] if unknown else []
    if name == "encounter":
        day = pl.col("=ngay_ra").dt.date()
        for value in used:
            first, last = periods.get(value, (FIRST_DAY, None))
            if first > FIRST_DAY or last is not None:
                in_force = day.is_between(first, last) if last else day >= first
                looks.append((code == value) & ~in_force)
    return pl.any_horizontal(looks) if looks else None


def _shapeless(field: str, column: pl.Series) -> pl.Series:
    """The different values that have not the shape of the field."""
    pattern = PATTERNS[field][0]
    if field in LISTED or field == "ma_the_bhyt":
        one = pattern.removeprefix("^").removesuffix("$")
        pattern = rf"^({one})(; *({one}))*;?$"
        pattern = rf"(?i){pattern}"
    used = column.drop_nulls().unique()
    return used.filter(~used.str.contains(pattern))


# what can be wrong between the cells of a row


def _row_looks(name: str, both: pl.DataFrame) -> Iterator[Look]:
    if name == "encounter":
        for day in ("ngay_vao", "ngay_ra"):
            yield Look(check_of(name, day, "missing_date"), pl.col(day).is_null())
        yield Look(check_of(name, "ngay_ra", "dates_reversed"), pl.col("=ngay_ra") < pl.col("=ngay_vao"))
        amounts = pl.col("t_tongchi_bh").is_null() & pl.col("t_bhtt").is_null()
        withdrawn = (pl.col("ma_doituong_kcb") == _WITHDRAWN).fill_null(value=False)
        yield Look(check_of(name, "t_bhtt", "missing_amount"), amounts & ~withdrawn)
    for field, code, bad, shown in row_looks(name, both):
        yield Look(check_of(name, field, code), bad, shown)


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
