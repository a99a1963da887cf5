"""Expressions and small frames that several feature families share.

Sums stay exact (Decimal, integers) until the last step: a float sum changes its last bit with the order of its rows,
and a claim must get the same features alone, in a batch and on every engine. For the same reason nothing here relies on
the order of rows, and dates are compared through whole seconds.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any
from weakref import finalize

import narwhals as nw

from data.schema import ENCOUNTER_KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from data.schema import ClaimTables

Frame = nw.LazyFrame[Any]

COST_GROUPS: Mapping[str, tuple[int, ...]] = {
    "lab": (1,),
    "imaging": (2, 3),
    "drug": (4, 5, 6),
    "blood": (7, 17),
    "surgery": (8, 18),
    "ratio_service": (9,),
    "supply": (10, 11),
    "exam": (13,),
    "bed": (14, 15, 16),
    "transport": (12,),
}
"""MA_NHOM codes by the cost heading an assessor reads; every other code, and none, is `other`."""

TEST_GROUPS = (*COST_GROUPS["lab"], *COST_GROUPS["imaging"])
INPATIENT = ("03", "04", "09")
"""MA_LOAI_KCB of stays: inpatient, day inpatient, inpatient under four hours."""
OVERNIGHT = "03"

NIGHT_FROM, NIGHT_TO = 21, 6  # hours between which consultations are rare outside emergency rooms
SATURDAY = 6  # day of the week from which it is the weekend

SECONDS_A_DAY = 86_400.0
MAX_SUPPLY_DAYS = 365.0  # beyond a year the dosage text was misread: the longest lawful supply is 90 days


def in_group(*names: str) -> nw.Expr:
    """Whether a line belongs to one of the cost headings `names` of `COST_GROUPS`; a line without a group does not."""
    codes = [code for name in names for code in COST_GROUPS[name]]
    return nw.col("ma_nhom").fill_null(0).is_in(codes)


def in_no_group() -> nw.Expr:
    """Whether a line belongs to none of `COST_GROUPS`."""
    return ~in_group(*COST_GROUPS)


def total(value: str, where: nw.Expr | None = None) -> nw.Expr:
    """Sum of column `value` as Float64, exact for Decimals; rows where `where` is not true, and nulls, add nothing."""
    column = nw.col(value)
    chosen = column if where is None else nw.when(where).then(column)
    return chosen.sum().cast(nw.Float64).fill_null(0.0)


def count_of(where: nw.Expr) -> nw.Expr:
    """Number of rows where `where` is true, as Float64."""
    return nw.when(where).then(nw.lit(1)).otherwise(nw.lit(0)).sum().cast(nw.Float64).fill_null(0.0)


def rows() -> nw.Expr:
    """Number of rows, as Float64."""
    return nw.len().cast(nw.Float64)


def distinct(value: nw.Expr) -> nw.Expr:
    """Number of different values, nulls left out, as Float64."""
    return (value.n_unique().cast(nw.Int64) - value.is_null().any().cast(nw.Int64)).cast(nw.Float64)


def ratio(part: nw.Expr, whole: nw.Expr) -> nw.Expr:
    """`part / whole`, null unless `whole` is above zero."""
    return nw.when(whole > 0).then(part / whole)


def amount(name: str) -> nw.Expr:
    """A money or quantity column as Float64. Only for one row's own value: sums go through `total`."""
    return nw.col(name).cast(nw.Float64)


def days_between(start: nw.Expr, end: nw.Expr) -> nw.Expr:
    """Days from `start` to `end` with their fraction; negative when `end` comes first."""
    return (end - start).dt.total_seconds().cast(nw.Float64) / SECONDS_A_DAY


def minutes_between(start: nw.Expr, end: nw.Expr) -> nw.Expr:
    """Minutes from `start` to `end`; negative when `end` comes first."""
    return (end - start).dt.total_seconds().cast(nw.Float64) / 60.0


def day(name: str) -> nw.Expr:
    """Midnight of the day of a time column; not a Date, whose difference is a plain number on DuckDB."""
    return nw.col(name).dt.truncate("1d")


def flag(condition: nw.Expr) -> nw.Expr:
    """1 where true, 0 where false, null where unknown, as Float64."""
    return condition.cast(nw.Int64).cast(nw.Float64)


def care_type() -> nw.Expr:
    """MA_LOAI_KCB in two digits; the older standard wrote one."""
    code = nw.col("ma_loai_kcb").str.strip_chars()
    return nw.when(code.str.len_chars() == 1).then(nw.concat_str([nw.lit("0"), code])).otherwise(code)


def icd3() -> nw.Expr:
    """First three characters of the main diagnosis, e.g. J02."""
    return nw.col("ma_benh_chinh").str.strip_chars().str.to_uppercase().str.slice(0, 3)


def age_years() -> nw.Expr:
    """Completed years at arrival; null when unknown or when the birth lies after the arrival."""
    # Polars gives months and days as 8-bit integers, which overflow in the products below
    at, born = (
        nw.col(name).dt.year().cast(nw.Int64) * 10_000
        + nw.col(name).dt.month().cast(nw.Int64) * 100
        + nw.col(name).dt.day().cast(nw.Int64)
        for name in ("ngay_vao", "ngay_sinh")
    )
    return nw.when(at >= born).then((at - born) // 10_000).cast(nw.Float64)


def nights() -> nw.Expr:
    """Midnights between arrival and discharge."""
    return days_between(day("ngay_vao"), day("ngay_ra"))


# --- Dosage text: "1 viên/lần * 2 lần/ngày * 5 ngày [2 viên/ngày]", or "1*2*5"
# Narwhals has no capture groups: each part is what remains when the text before and after it is cut away. [\s\S] stands
# for any character because engines disagree on whether a dot matches a line break.


def leading_number(text: nw.Expr) -> nw.Expr:
    """The number a text begins with ("0,5 viên" is 0.5); null without one, and for a fraction such as "1/2"."""
    cleaned = text.str.replace_all(",", ".", literal=True).str.strip_chars()
    number = cleaned.str.replace_all(r"[^0-9.][\s\S]*$", "")
    plain = number.str.contains(r"^[0-9]+(\.[0-9]+)?$") & ~cleaned.str.contains(r"^[0-9.]+\s*/\s*[0-9]")
    return nw.when(plain).then(number).cast(nw.Float64)


def dose_factor(position: int) -> nw.Expr:
    """The number that opens the `position`-th (from 0) part of LIEU_DUNG between asterisks; null without that part."""
    text = nw.col("lieu_dung")
    before = r"^" + r"[^*]*\*" * position
    return nw.when(text.str.contains(before)).then(leading_number(text.str.replace_all(before, "")))


def daily_dose() -> nw.Expr:
    """Units a day by LIEU_DUNG: the total in brackets, else dose by times a day; null when unreadable or 0."""
    text = nw.col("lieu_dung")
    bracketed = nw.when(text.str.contains("[", literal=True)).then(text)
    stated = leading_number(bracketed.str.replace_all(r"^[^\[]*\[", ""))
    dose = nw.coalesce(stated, dose_factor(0) * dose_factor(1))
    return nw.when(dose > 0).then(dose)


# --- Frames


def shared(build: Callable[[ClaimTables], Frame]) -> Callable[[ClaimTables], Frame]:
    """Describe a frame that many features start from once for each `ClaimTables`, not once for each feature.

    Describing takes Narwhals longer than computing when a single claim is scored. Nothing is computed here, and what is
    kept goes with the tables.
    """
    kept: dict[int, Frame] = {}  # by identity: frames have no hash

    @wraps(build)
    def once(tables: ClaimTables) -> Frame:
        frame = kept.get(id(tables))
        if frame is None:
            frame = kept[id(tables)] = build(tables)
            finalize(tables, kept.pop, id(tables), None)
        return frame

    return once


LINE_COLUMNS = (
    *ENCOUNTER_KEY,
    "row_no",
    "ma_nhom",
    "doctor",
    "ma_khoa",
    "so_luong",
    "thanh_tien_bh",
    "t_bhtt",
    "ngay_yl",
    "ngay_th_yl",
)


@shared
def lines(tables: ClaimTables) -> Frame:
    """Drug and service lines in one frame: `LINE_COLUMNS`, `line_table`, `code` and `ngay_kq` (null for drugs).

    A supply line's code is that of the supply: its MA_DICH_VU is the procedure the supply was used in.
    """
    drugs = tables.drug_line.select(
        *LINE_COLUMNS,
        line_table=nw.lit("drug_line"),
        code=nw.col("ma_thuoc"),
        ngay_kq=nw.lit(None, dtype=nw.Datetime("us")),
    )
    services = tables.service_line.select(
        *LINE_COLUMNS,
        line_table=nw.lit("service_line"),
        code=nw.coalesce("ma_vat_tu", "ma_dich_vu"),
        ngay_kq=nw.col("ngay_kq"),
    )
    return nw.concat([drugs, services], how="vertical")


def for_every_encounter(tables: ClaimTables, frame: Frame, *, zero: Sequence[str] = ()) -> Frame:
    """`frame` (one row an encounter) with a row for the encounters it lacks: 0 in columns `zero`, null elsewhere."""
    joined = tables.encounter.select(*ENCOUNTER_KEY).join(frame, on=list(ENCOUNTER_KEY), how="left")
    return joined.with_columns(*(nw.col(name).fill_null(0.0) for name in zero)) if zero else joined


def with_supply(drug_lines: Frame) -> Frame:
    """Drug lines with `supply`, the days they last, and `written_days`, the days LIEU_DUNG itself states.

    `supply` is SO_LUONG over the daily dose, at most `MAX_SUPPLY_DAYS`. Both are null where the text cannot be read.
    """
    # few texts stand on very many lines: each is read once
    read = drug_lines.select("lieu_dung").unique().with_columns(daily_dose=daily_dose(), written_days=dose_factor(2))
    days = amount("so_luong") / nw.col("daily_dose")
    capped = nw.when(days > MAX_SUPPLY_DAYS).then(nw.lit(MAX_SUPPLY_DAYS)).otherwise(days)
    return drug_lines.join(read, on="lieu_dung", how="left").with_columns(supply=capped).drop("daily_dose")
