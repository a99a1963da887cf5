"""Catalogues: facilities, staff, services, drugs and the other tables a claim is checked against, as of a date.

A catalogue row holds from `valid_from` to `valid_to` (open when empty); `data/asof.py` finds the row of a day. A later
load of the same key replaces the row, and so does a later row of one file. Rules that need a catalogue that was never
loaded stand aside and say so. `read_catalogue` refuses what cannot be used; `problems` lists what can be used but
should not be trusted before somebody looked: prices that contradict each other, holes, codes that lead nowhere.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import polars as pl

from data.errors import MinhBachError
from data.schema import reference

if TYPE_CHECKING:
    import narwhals as nw

    from data.pseudonym import Pseudonymiser

_DATES = frozenset({"valid_from", "valid_to", "date", "deceased_on"})
_NUMBERS = frozenset(
    {"beds", "exam_tables", "lat", "lon", "full_time", "price", "minutes", "max_per_day", "needs_machine", "pay_ratio"}
    | {"ddd", "quantity", "price_cap", "reusable", "capacity_per_day", "planned"}
)


class BadCatalogue(MinhBachError):
    """A catalogue file that cannot be loaded as it is."""

    code, http_status, exit_code = "bad_catalogue", 422, 1


class UnknownRow(MinhBachError):
    """A catalogue has no row of a key, or none on a day."""

    code, http_status, exit_code = "unknown_catalogue_row", 404, 1

    def __init__(self, name: str, key: str, day: date | None, *, near: Sequence[str] | None) -> None:
        """`near` are codes like the one asked for or, with `day`, periods of its rows; None: nothing was loaded."""
        if near is None:
            super().__init__(
                f"catalogue {name} was never loaded: minhbach catalogue load",
                vi=f"chưa nạp danh mục {name}: minhbach catalogue load",
            )
            return
        on, ngay = (f" on {day}", f" vào ngày {day}") if day else ("", "")
        like = ", ".join(near)
        super().__init__(
            f"catalogue {name} has no row of {key}{on}" + (f"; there are: {like}" if near else ""),
            vi=f"danh mục {name} không có dòng nào của {key}{ngay}" + (f"; hiện có: {like}" if near else ""),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """One catalogue file: its columns, which are required, and which make its key."""

    name: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    key: tuple[str, ...]

    def dtypes(self) -> dict[str, pl.DataType]:
        """Columns of the lake table, with `more` (other columns of the file, as JSON) and where the row came from."""
        own = {c: _dtype(c) for c in self.columns}
        return own | {"more": pl.String(), "load_id": pl.String(), "load_seq": pl.Int64()}

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns the format names."""
        return (*self.required, *self.optional)

    @property
    def series(self) -> tuple[str, ...]:
        """What the rows of one thing share over time: the key without `valid_from`."""
        return tuple(c for c in self.key if c != "valid_from")

    @property
    def dated(self) -> bool:
        """Whether rows hold for a period; the calendar's rows are days themselves."""
        return "valid_from" in self.key

    def changes(self, before: pl.DataFrame, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Of the `rows` of a file those of a new key, and those that differ from the row of their key in `before`.

        `before` are the newest rows so far; of several rows of one key in `rows` the last counts.
        """
        last = rows.unique(subset=list(self.key), keep="last", maintain_order=True)
        same, key = [*self.columns, "more"], list(self.key)
        other = last.join(before, on=same, how="anti", nulls_equal=True, maintain_order="left")
        new = other.join(before, on=key, how="anti", nulls_equal=True, maintain_order="left")
        return new, other.join(before, on=key, how="semi", nulls_equal=True, maintain_order="left")

    def newest(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The newest row of each key; of several in one load the last."""
        ordered = rows.sort("load_seq", maintain_order=True)  # else two rows of one load would change places at random
        return ordered.unique(subset=list(self.key), keep="last", maintain_order=True)


def _dtype(column: str) -> pl.DataType:
    if column in _DATES:
        return pl.Date()
    return pl.Float64() if column in _NUMBERS else pl.String()


def _catalogue(name: str, required: str, optional: str, key: str) -> Catalogue:
    return Catalogue(
        name=name, required=tuple(required.split()), optional=tuple(optional.split()), key=tuple(key.split())
    )


CATALOGUES: Mapping[str, Catalogue] = {
    c.name: c
    for c in (
        _catalogue(
            "facilities",
            "ma_cskcb name province valid_from",
            "rank tuyen level kind ownership beds exam_tables open_from open_to lat lon valid_to",
            "ma_cskcb valid_from",
        ),
        _catalogue(
            "staff",
            "ma_bac_si ma_cskcb valid_from",
            "title specialty scope full_time schedule valid_to",
            "ma_bac_si ma_cskcb valid_from",
        ),
        _catalogue(
            "services",
            "ma_dich_vu name ma_nhom price valid_from",
            "ma_cskcb rank minutes max_per_day needs_machine valid_to",
            "ma_dich_vu ma_cskcb rank valid_from",
        ),
        _catalogue(
            "drugs",
            "ma_thuoc name valid_from",
            "active_ingredient strength route unit so_dang_ky ma_nhom pay_ratio condition min_rank ddd valid_to",
            "ma_thuoc name so_dang_ky valid_from",
        ),
        _catalogue(
            "tenders",
            "ma_cskcb code price quantity valid_from valid_to",
            "so_dang_ky tt_thau",
            "ma_cskcb code so_dang_ky tt_thau valid_from",
        ),
        _catalogue(
            "supplies",
            "ma_vat_tu name valid_from",
            "unit price_cap reusable pay_ratio valid_to",
            "ma_vat_tu valid_from",
        ),
        _catalogue(
            "machines",
            "ma_may ma_cskcb name valid_from",
            "kind capacity_per_day valid_to",
            "ma_may ma_cskcb valid_from",
        ),
        _catalogue(
            "beds",
            "ma_cskcb ma_khoa valid_from",
            "ma_giuong planned kind valid_to",
            "ma_cskcb ma_khoa ma_giuong valid_from",
        ),
        _catalogue(
            "cards",
            "patient_id card_class valid_from",
            "valid_to benefit ma_dkbd status deceased_on",
            "patient_id valid_from",
        ),
        _catalogue("calendar", "date kind", "province note", "date kind province"),
    )
}


@dataclass(frozen=True)
class Catalogues:
    """The catalogues at hand, by name."""

    frames: Mapping[str, nw.LazyFrame[Any]]

    @classmethod
    def none(cls) -> Self:
        """No catalogue is loaded."""
        return cls({})

    def get(self, name: str) -> nw.LazyFrame[Any] | None:
        """The rows of a catalogue, or None when it was never loaded. Raises KeyError for an unknown name."""
        if name not in CATALOGUES:
            raise KeyError(f"no catalogue is called {name!r}: there are {', '.join(CATALOGUES)}")
        return self.frames.get(name)


def catalogue_files(path: Path) -> list[tuple[str, Path]]:
    """The catalogue files that `path` (a folder, or one file) holds, as (catalogue, file).

    Raises BadCatalogue when it holds none.
    """
    files = sorted(path.glob("*.csv")) if path.is_dir() else [path]
    found = [(f.stem, f) for f in files if f.stem in CATALOGUES]
    if not found:
        known = ", ".join(f"{name}.csv" for name in CATALOGUES)
        raise BadCatalogue(
            f"{path} holds no catalogue: the file names are {known}",
            vi=f"{path} không có danh mục nào: tên tệp phải là {known}",
        )
    return found


def read_catalogue(name: str, path: Path, *, patient: Pseudonymiser | None = None) -> pl.DataFrame:
    """Read one catalogue CSV (UTF-8, header row), typed, without `load_id` and `load_seq`.

    Columns that the format does not name are kept as JSON in `more`. Raises BadCatalogue naming the column, the row and
    the value at fault. `cards.csv` needs `patient`, which turns card numbers into pseudonyms.
    """
    wanted = CATALOGUES[name]
    try:
        raw = pl.read_csv(path, infer_schema=False, encoding="utf8")
    except (pl.exceptions.PolarsError, OSError) as error:
        raise BadCatalogue(
            f"{path.name} is not a UTF-8 CSV file with a header row ({type(error).__name__})",
            vi=f"{path.name} không phải tệp CSV mã UTF-8 có dòng tiêu đề ({type(error).__name__})",
        ) from None
    raw = raw.rename({c: c.removeprefix("\ufeff").strip() for c in raw.columns})
    if name == "cards" and patient is not None and "ma_the_bhyt" in raw.columns:
        card = raw["ma_the_bhyt"]
        raw = raw.with_columns(patient.patient(card).alias("patient_id"), card.str.slice(0, 3).alias("card_class"))
        raw = raw.drop("ma_the_bhyt")
    missing = [c for c in wanted.required if c not in raw.columns]
    if missing:
        raise BadCatalogue(
            f"{path.name} lacks the required column(s) {', '.join(missing)}",
            vi=f"{path.name} thiếu cột bắt buộc {', '.join(missing)}",
        )
    own = wanted.columns
    typed = [_typed(path, name, raw, c) for c in own]
    others = [c for c in raw.columns if c not in own]
    more = pl.struct(others).struct.json_encode() if others else pl.lit(None, dtype=pl.String)
    return raw.with_columns(more.alias("more")).select(*typed, "more")


def _typed(path: Path, name: str, raw: pl.DataFrame, column: str) -> pl.Series:
    dtype = _dtype(column)
    if column not in raw.columns:
        return pl.Series(column, [None] * raw.height, dtype=dtype)
    text = raw[column].str.strip_chars().replace("", None)
    if dtype == pl.Date():
        values = text.str.to_date("%Y-%m-%d", strict=False)
    elif dtype == pl.Float64():
        values = text.cast(pl.Float64, strict=False)
        values = values.set(values.is_nan() | values.is_infinite(), None)  # "nan" and "inf" are no prices
    else:
        values = text
    bad = text.is_not_null() & values.is_null()
    if column in CATALOGUES[name].required:
        bad = bad | text.is_null()
    if bad.any():
        row = int(bad.arg_true()[0])
        raise BadCatalogue(
            f"{path.name} row {row + 2}, column {column}: {text[row]!r} is not a {_kind(dtype)}",
            vi=f"{path.name} dòng {row + 2}, cột {column}: {text[row]!r} không phải {_kind(dtype, vi=True)}",
        )
    return values.alias(column)


def _kind(dtype: pl.DataType, *, vi: bool = False) -> str:
    if dtype == pl.Date():
        return "ngày yyyy-mm-dd" if vi else "date yyyy-mm-dd"
    if dtype == pl.Float64():
        return "số" if vi else "number"
    return "giá trị (bắt buộc)" if vi else "value (required)"


def unknown_files(path: Path) -> Sequence[str]:
    """CSV files in a folder that no catalogue is named after: worth a warning."""
    return [f.name for f in sorted(path.glob("*.csv")) if f.stem not in CATALOGUES] if path.is_dir() else []


# --- Problems: what can be used, but should not be trusted before somebody looked

Severity = Literal["error", "warn", "info"]

PROBLEM: dict[str, pl.DataType] = {
    "catalogue": pl.String(),
    "code": pl.String(),
    "severity": pl.String(),  # error: some look-up goes wrong; warn: probably a mistake; info: good to know
    "row": pl.Int64(),  # row of the file, the header being row 1; null for rows that were loaded before
    "key": pl.String(),
    "field": pl.String(),
    "value": pl.String(),
    "other": pl.String(),  # period of the other row, for overlaps, holes and keys written twice
    "other_row": pl.Int64(),
    "days": pl.Int64(),  # days in common, or days of the hole; null when both periods are open
    "rows": pl.Int64(),  # rows that have this same value
    "hint_vi": pl.String(),
    "hint_en": pl.String(),
}
"""Columns of `problems`."""

HINTS: Mapping[str, tuple[str, str]] = {
    "duplicate_key": (
        "Tệp có nhiều dòng cùng khóa: chỉ dòng cuối được dùng. Xóa dòng sai, hoặc sửa valid_from nếu là kỳ khác.",
        "The file has several rows of one key: only the last is used. Delete the wrong one, or correct valid_from.",
    ),
    "period_reversed": (
        "valid_to trước valid_from nên dòng không bao giờ có hiệu lực: sửa một trong hai ngày.",
        "valid_to comes before valid_from, so the row never holds: correct one of the dates.",
    ),
    "period_overlap": (
        "Hai dòng trùng ngày; dòng bắt đầu muộn hơn được dùng. Sửa valid_to của dòng trước cho hết trước dòng sau.",
        "Two rows hold on the same days; the later start is used. End the earlier one before the later one starts.",
    ),
    "period_gap": (
        "Không dòng nào có hiệu lực trong khoảng giữa hai kỳ: kiểm tra có thật sự ngừng không, nếu không thì nối kỳ.",
        "No row holds between the two periods: if the item did not really stop, make the periods meet.",
    ),
    "unknown_reference": (
        "Mã không có trong danh mục hoặc bảng mã tương ứng: sửa mã, hoặc nạp danh mục còn thiếu.",
        "The code is not in the catalogue or code table it points to: correct it, or load what is missing.",
    ),
    "reference_not_loaded": (
        "Chưa kiểm tra được mã của cột này vì danh mục tương ứng chưa nạp: nạp rồi chạy `minhbach catalogue check`.",
        "This column was not checked: what it points to is not loaded. Load it and run `minhbach catalogue check`.",
    ),
    "price_negative_or_zero": (
        "Giá phải lớn hơn 0: sửa giá, hoặc để trống nếu cột cho phép và chưa có giá.",
        "A price is above 0: correct it, or leave it empty where the column may be and no price is known.",
    ),
    "ratio_out_of_range": (
        "Tỷ lệ ghi bằng phần trăm, từ 0 đến 100: 80 chứ không phải 0,8.",
        "A ratio is a percentage from 0 to 100: 80, not 0.8.",
    ),
    "value_out_of_range": (
        "Giá trị ngoài khoảng cho phép: số lượng không âm, cờ là 0 hoặc 1, tọa độ nằm ở Việt Nam.",
        "The value is out of range: numbers are not negative, flags are 0 or 1, coordinates lie in Vietnam.",
    ),
}
"""What each code of `problems` asks of the reader, Vietnamese and English."""

_PRICES = ("price", "price_cap")
_MONEY = (*_PRICES, "pay_ratio")
_RANGES: Mapping[str, tuple[float, float]] = {
    **dict.fromkeys(("full_time", "needs_machine", "reusable"), (0, 1)),
    **dict.fromkeys(
        ("beds", "exam_tables", "minutes", "max_per_day", "ddd", "quantity", "capacity_per_day", "planned"),
        (0, float("inf")),
    ),
    "lat": (8, 24),
    "lon": (102, 118),  # the islands included
}
_LINKS: Mapping[tuple[str, str], tuple[tuple[str, str], ...]] = {
    **{(c, "ma_cskcb"): (("facilities", "ma_cskcb"),) for c in ("staff", "services", "tenders", "machines", "beds")},
    ("tenders", "code"): (("drugs", "ma_thuoc"), ("supplies", "ma_vat_tu")),
}
"""Columns whose codes must be in other catalogues: in one of those named, when all of them are loaded."""

_RANKS = ("DB", "1", "2", "3", "4")
_DEPARTMENT = r"^K[0-9]{2}([.0-9D]|K[0-9]{2})*$"  # K19, K16.1, K02.D35, K0809
_OPEN = 4_000_000  # days since 1970 of an open end: after the year 9999
_PACK = 2**31


@cache
def _lists() -> Mapping[tuple[str, str], tuple[Severity, tuple[str, ...]]]:
    """Columns with a closed list of values. An error is what makes a look-up fail: the rank of a price, the group."""
    provinces = tuple({p for row in reference("provinces_63_to_34") for p in (row["old_code"], row["new_code"])})
    groups = {t: tuple(r["code"] for r in reference("ma_nhom") if r["table"] == t) for t in ("XML2", "XML3")}
    return {
        ("facilities", "province"): ("warn", provinces),
        ("facilities", "rank"): ("error", _RANKS),
        ("facilities", "tuyen"): ("warn", ("1", "2", "3", "4")),
        ("facilities", "level"): ("error", ("ban_dau", "co_ban", "chuyen_sau")),
        ("facilities", "kind"): ("error", ("general", "specialised", "commune", "polyclinic")),
        ("facilities", "ownership"): ("warn", ("public", "private")),
        ("services", "rank"): ("error", _RANKS),
        ("services", "ma_nhom"): ("error", groups["XML3"]),
        ("drugs", "ma_nhom"): ("error", groups["XML2"]),
        ("drugs", "min_rank"): ("warn", _RANKS),
        ("machines", "kind"): ("warn", ("xn", "xq", "ct", "mri", "us", "other")),
        ("calendar", "kind"): ("error", ("holiday", "price_change", "epidemic", "merger", "regulation")),
        ("calendar", "province"): ("warn", provinces),
    }


def problems(name: str, rows: pl.DataFrame, *, known: Mapping[str, pl.DataFrame] | None = None) -> pl.DataFrame:
    """What is doubtful in the newest rows of a catalogue, worst first: columns `PROBLEM`.

    `rows` has the columns of the catalogue, of one or several loads (`load_seq`; without it, of one), and may have
    `row`, the row of the file, so that a finding can name it. `known` are the other catalogues, which codes point to;
    one that is not there is said to be not loaded. Sorts and shifts only: the time grows with the rows, not with their
    pairs, and so a row is compared with one earlier row, the one that reaches furthest.
    """
    own = CATALOGUES[name]
    defaults = {"row": pl.lit(None, pl.Int64), "load_seq": pl.lit(0, pl.Int64)}
    stated = rows.with_columns(expr.alias(c) for c, expr in defaults.items() if c not in rows.columns)
    newest = own.newest(stated)
    parts = [
        _duplicates(own, stated),
        *(_periods(own, newest) if own.dated else ()),
        *_references(own, newest, known or {}),
        *_amounts(own, newest),
    ]
    worst = pl.col("severity").replace_strict({"error": 0, "warn": 1, "info": 2}, return_dtype=pl.Int8)
    hints = (
        pl.col("code").replace_strict({c: hint[i] for c, hint in HINTS.items()}, return_dtype=pl.String).alias(column)
        for i, column in enumerate(("hint_vi", "hint_en"))
    )
    found = pl.concat(parts).with_columns(*hints).select(PROBLEM.keys())
    return found.sort(worst, "code", "field", "row", "key", "value", nulls_last=True, maintain_order=True)


def _findings(own: Catalogue, found: pl.DataFrame, code: str, **columns: pl.Expr) -> pl.DataFrame:
    """A finding for each row of `found`; `columns` give what is known of it beside its row and key."""
    parts = (pl.concat_str(pl.lit(f"{c}="), pl.col(c).cast(pl.String)) for c in own.key)
    shown = {
        "catalogue": pl.lit(own.name),
        "code": pl.lit(code),
        "row": pl.col("row"),
        "key": pl.concat_str(*parts, separator=" ", ignore_nulls=True),
        "rows": pl.lit(1),
    } | columns
    kept = [c for c in PROBLEM if not c.startswith("hint_")]
    return found.select(shown.get(c, pl.lit(None)).cast(PROBLEM[c]).alias(c) for c in kept)


def _plain(column: str) -> pl.Expr:
    """A value as a person writes it: 38700, not 38700.0."""
    return pl.col(column).cast(pl.String).str.strip_suffix(".0")


def _rounded(column: str) -> pl.Expr:
    """A value to compare. Prices are floats here, while claims print them with three decimals.

    Equal at three decimals is therefore equal: a price that was computed (0.1 + 0.2) may differ in its last bits.
    """
    return pl.col(column).round(3) if column.removeprefix("_other_") in _PRICES else pl.col(column)


def _differences(columns: Sequence[str]) -> pl.Expr:
    """`price: 100 ≠ 120; unit: …` for the columns whose value is not that of `_other_<column>`; empty if none."""
    return pl.concat_str(
        *(
            pl.when(_rounded(c).ne_missing(_rounded(f"_other_{c}"))).then(
                pl.concat_str(
                    pl.lit(f"{c}: "), _plain(f"_other_{c}").fill_null("-"), pl.lit(" ≠ "), _plain(c).fill_null("-")
                )
            )
            for c in columns
        ),
        separator="; ",
        ignore_nulls=True,
    )


def _differs(columns: Sequence[str]) -> pl.Expr:
    return pl.any_horizontal(pl.lit(value=False), *(_rounded(c).ne_missing(_rounded(f"_other_{c}")) for c in columns))


def _period(start: str, end: str) -> pl.Expr:
    return pl.concat_str(pl.col(start).cast(pl.String), pl.lit(".."), pl.col(end).cast(pl.String).fill_null(""))


def _duplicates(own: Catalogue, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of the newest load of their key that a later row of the same load replaces; `other` is the one used."""
    again = pl.len().over(own.key) > 1
    last_load = rows.filter(again).filter(pl.col("load_seq") == pl.col("load_seq").max().over(own.key))
    compared = [c for c in own.columns if c not in own.key]
    beside = last_load.with_columns(
        *(pl.col(c).last().over(own.key).alias(f"_other_{c}") for c in (*compared, "row")),
        _last=pl.int_range(pl.len()).over(own.key) == pl.len().over(own.key) - 1,
    ).filter(~pl.col("_last"))
    severity = pl.when(_differs(compared)).then(pl.lit("error")).otherwise(pl.lit("info"))
    return _findings(
        own, beside, "duplicate_key", severity=severity, value=_differences(compared), other_row=pl.col("_other_row")
    )


def _periods(own: Catalogue, rows: pl.DataFrame) -> Sequence[pl.DataFrame]:
    """Periods that end before they begin; then, of the others, those that overlap or leave a hole."""
    backwards = (pl.col("valid_to") < pl.col("valid_from")).fill_null(value=False)
    reversed_ = _findings(
        own,
        rows.filter(backwards),
        "period_reversed",
        severity=pl.lit("error"),
        field=pl.lit("valid_to"),
        value=_period("valid_from", "valid_to"),
    )
    laid = (
        rows.filter(~backwards)
        .sort(*own.series, "valid_from")
        .with_columns(
            _start=pl.col("valid_from").cast(pl.Int32).cast(pl.Int64),
            _end=pl.col("valid_to").cast(pl.Int32).cast(pl.Int64).fill_null(_OPEN),
        )
    )
    # the end and the place of the row it belongs to, in one number: the largest so far names the furthest reach
    laid = laid.with_columns(_reach=pl.col("_end") * _PACK + pl.int_range(pl.len(), dtype=pl.Int64))
    laid = laid.with_columns(pl.col("_reach").cum_max().shift(1).over(own.series))
    later = laid.filter(pl.col("_reach").is_not_null())
    # % is not negative in Polars for a positive divisor, so that ends before 1970 come apart rightly too
    place = later["_reach"] % _PACK
    compared = [c for c in own.columns if c not in own.key and c != "valid_to"]
    beside = laid.select(pl.col(c).alias(f"_other_{c}") for c in (*compared, "valid_from", "valid_to", "row", "_end"))
    later = later.hstack(beside[place])
    other = {"other": _period("_other_valid_from", "_other_valid_to"), "other_row": pl.col("_other_row")}

    money = [c for c in compared if c in _MONEY]
    ended = pl.col("_other_valid_to").is_not_null()
    # an open price followed by a new one is how prices are announced; two that both name these days contradict
    contradiction = _differs(money) & ended
    severity = (
        pl.when(contradiction)
        .then(pl.lit("error"))
        .when(_differs(money or compared))
        .then(pl.lit("warn"))
        .otherwise(pl.lit("info"))
    )
    last = pl.min_horizontal("_end", "_other__end")
    overlap = _findings(
        own,
        later.filter(pl.col("_other__end") >= pl.col("_start")),
        "period_overlap",
        severity=severity,
        field=pl.lit("valid_from"),
        value=_differences(compared),
        days=pl.when(last < _OPEN).then(last - pl.col("_start") + 1),
        **other,
    )
    # people, machines and beds come and go, and so do tenders; a price, a drug or a hospital seldom pauses
    pauses = "warn" if own.name in ("facilities", "services", "drugs", "supplies") else "info"
    gap = _findings(
        own,
        later.filter(pl.col("_other__end") < pl.col("_start") - 1),
        "period_gap",
        severity=pl.lit(pauses),
        field=pl.lit("valid_from"),
        value=_period("valid_from", "valid_to"),
        days=pl.col("_start") - pl.col("_other__end") - 1,
        **other,
    )
    return reversed_, overlap, gap


def _references(own: Catalogue, rows: pl.DataFrame, known: Mapping[str, pl.DataFrame]) -> Generator[pl.DataFrame]:
    for (name, column), (severity, values) in _lists().items():
        if name == own.name:
            # a group is typed 1 or 01
            code = pl.col(column).str.strip_chars_start("0") if column == "ma_nhom" else pl.col(column)
            yield _unknown(own, rows.filter(~code.is_in(values)), column, severity)
    if own.name == "beds":
        yield _unknown(own, rows.filter(~pl.col("ma_khoa").str.contains(_DEPARTMENT)), "ma_khoa", "warn")
    for (name, column), targets in _LINKS.items():
        if name != own.name:
            continue
        filled = rows.filter(pl.col(column).is_not_null())
        missing = [catalogue for catalogue, _ in targets if catalogue not in known]
        if not filled.height:
            continue
        if missing:
            yield _findings(
                own,
                filled.head(1),
                "reference_not_loaded",
                severity=pl.lit("info"),
                row=pl.lit(None),
                key=pl.lit(None),
                field=pl.lit(column),
                value=pl.lit(", ".join(missing)),
                rows=pl.lit(filled.height),
            )
            continue
        codes = pl.concat([known[catalogue][field].alias(column) for catalogue, field in targets]).unique().to_frame()
        yield _unknown(own, filled.join(codes, on=column, how="anti", maintain_order="left"), column, "warn")


def _unknown(own: Catalogue, rows: pl.DataFrame, column: str, severity: Severity) -> pl.DataFrame:
    """One finding for each code, however many rows have it: a facility that is not there may have a thousand."""
    firsts = rows.group_by(column, maintain_order=True).agg(
        pl.all().exclude("row").first(), pl.col("row").min(), pl.len().alias("_rows")
    )
    return _findings(
        own,
        firsts,
        "unknown_reference",
        severity=pl.lit(severity),
        field=pl.lit(column),
        value=pl.col(column),
        rows=pl.col("_rows"),
    )


def _amounts(own: Catalogue, rows: pl.DataFrame) -> Generator[pl.DataFrame]:
    for column in own.columns:
        value = pl.col(column)
        if column in _PRICES:
            code, wrong, grave = "price_negative_or_zero", value <= 0, value < 0
        elif column == "pay_ratio":
            # between 0 and 1 it is most likely a fraction: no ratio of the lists is as small as 1 %
            grave = ~value.is_between(0, 100)
            code, wrong = "ratio_out_of_range", grave | ((value > 0) & (value <= 1))
        elif column in _RANGES:
            low, high = _RANGES[column]
            flags = high == 1
            wrong = ~value.is_in([float(low), float(high)]) if flags else ~value.is_between(low, high)
            code, grave = "value_out_of_range", pl.lit(value=False)
        else:
            continue
        severity = pl.when(grave).then(pl.lit("error")).otherwise(pl.lit("warn"))
        yield _findings(own, rows.filter(wrong), code, severity=severity, field=pl.lit(column), value=_plain(column))
