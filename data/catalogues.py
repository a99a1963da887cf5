"""Catalogues: facilities, staff, services, drugs and the other tables a claim is checked against, as of a date.

A catalogue row holds from `valid_from` to `valid_to` (open when empty). A later load of the same key replaces the row.
Rules that need a catalogue that was never loaded stand aside and say so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import polars as pl

from data.errors import MinhBachError

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """One catalogue file: its columns, which are required, and which make its key."""

    name: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    key: tuple[str, ...]

    def dtypes(self) -> dict[str, pl.DataType]:
        """Columns of the lake table, with `more` (other columns of the file, as JSON) and where the row came from."""
        own = {c: _dtype(c) for c in (*self.required, *self.optional)}
        return own | {"more": pl.String(), "load_id": pl.String(), "load_seq": pl.Int64()}

    def newest(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The newest row of each key."""
        return rows.sort("load_seq").unique(subset=list(self.key), keep="last", maintain_order=True)


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
    own = (*wanted.required, *wanted.optional)
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
