"""What a claim is: the official fields, their types and keys, and the frames everything else receives.

The field list is read from `reference/claims_fields.csv` (the appendices of QĐ 130/4750/3176 and QĐ 4210), never typed
twice. Claim fields keep their official names in lower case; columns of our own are English.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal, cast

import narwhals as nw
import polars as pl

if TYPE_CHECKING:
    from data.catalogues import Catalogues

Standard = Literal["130", "4210"]

Privacy = Literal["", "text", "person", "card", "citizen", "phone"]
"""Where a field's value is kept: "" in its table; "text" (free text) in `free_text`; the others, which name a person,
in the restricted table `person`, the last three of them with a pseudonym in their table."""

ENCOUNTER_KEY = ("ma_cskcb", "ma_lk")
LINE_KEY = ("ma_cskcb", "ma_lk", "line_table", "row_no")

TABLES = {
    "XML1": "encounter",
    "XML2": "drug_line",
    "XML3": "service_line",
    "XML4": "lab_result",
    "XML5": "clinical_note",
} | {f"XML{n}": f"xml{n}" for n in (0, *range(6, 16))}
"""Lake table of each table of the standard, by its name in the envelope. XML12 is typed on the portal, never sent."""

UNIT_PRICES = frozenset({"don_gia", "don_gia_bv", "don_gia_bh", "so_luong"})
"""Fields printed with three decimals; every other amount has two (claims format, value formats)."""


@dataclass(frozen=True, slots=True)
class Field:
    """One official field of one table, as the decree's appendix lists it."""

    standard: Standard
    table: str
    name: str
    kind: str  # str, text, list, int, decimal, date, datetime
    max_len: int | None
    required: bool
    name_vi: str
    name_en: str
    oversight: bool  # of use to those who watch over cost: a fault here is worth a warning
    privacy: Privacy  # where the value goes: see `Privacy`

    @property
    def dtype(self) -> pl.DataType:
        """The column's type in the lake. Codes stay text; times are Vietnamese wall-clock time without a zone."""
        if self.name == "ngay_sinh":
            return pl.Date()  # unknown parts are zeros in the claim: see `birth_precision`
        match self.kind:
            case "int":
                return pl.Int32()
            case "decimal":
                return pl.Decimal(18, 3 if self.name in UNIT_PRICES else 2)
            case "datetime" if self.name != "ngay_mien_cct":
                return pl.Datetime("us")
            case _:
                return pl.String()  # single dates are often parallel lists or fillers: kept as written


@cache
def fields(table: str, standard: Standard = "130") -> tuple[Field, ...]:
    """The official fields of `table` ("XML1" …) in the order of the appendix.

    Raises KeyError for a table the standard does not have.
    """
    found = tuple(f for f in _all_fields() if f.table == table and f.standard == standard)
    if not found:
        raise KeyError(f"standard {standard} has no table {table}")
    return found


@cache
def _all_fields() -> tuple[Field, ...]:
    text = (files("data") / "reference" / "claims_fields.csv").read_text(encoding="utf-8")
    return tuple(
        Field(
            standard="130" if row["standard"] == "130" else "4210",
            table=row["table"],
            name=row["field"].lower(),
            kind=row["type"],
            max_len=int(row["max_len"]) if row["max_len"] else None,
            required=row["required"] == "Y",
            name_vi=row["name_vi"],
            name_en=row["name_en"],
            oversight=row["oversight"] == "Y",
            privacy=cast("Privacy", row["privacy"]),
        )
        for row in csv.DictReader(text.splitlines())
    )


DERIVED: dict[str, dict[str, pl.DataType]] = {
    "encounter": {
        "card_class": pl.String(),  # first 3 characters of the card: object group and benefit digit
        "birth_precision": pl.String(),  # minute, day, month or year: how much of NGAY_SINH is known
        "withdrawn": pl.Boolean(),  # MA_DOITUONG_KCB = 8: the facility takes the request back
        "file_sha256": pl.String(),
        "content_id": pl.String(),  # same patient, times, diagnoses, items and money: the same, whatever the MA_LK
    },
    "drug_line": {"doctor": pl.String()},  # first practitioner of MA_BAC_SI
    "service_line": {"doctor": pl.String()},
}
"""Columns of our own that intake adds to a typed table, beside its pseudonyms."""

_PSEUDONYMS = {"ma_the_bhyt": "patient_id", "so_cccd": "citizen_id", "dien_thoai": "phone_id"}

PROVENANCE: dict[str, pl.DataType] = {
    "row_no": pl.Int32(),  # ordinal of the row in its table of its HOSO, from 1: part of the line's key
    "standard": pl.String(),
    "month": pl.Int32(),  # yyyymm of NGAY_RA: the partition
    "version": pl.Int64(),  # grows with every HOSO received: the highest is the current one
    "load_id": pl.String(),
    "load_seq": pl.Int64(),
}
"""Columns that say where a row comes from; on every claim table."""


@cache
def source_of(name: str) -> str:
    """Name in the envelope ("XML1" …) of the lake table `name`. Raises KeyError for a name that is no claim table."""
    return {ours: official for official, ours in TABLES.items()}[name]


@cache
def pseudonyms(name: str) -> dict[str, str]:
    """Fields of the lake table `name` that get a pseudonym, and the column it stands in: `patient_id` for the card."""
    named = (f.name for f in fields(source_of(name)) if f.privacy in ("card", "citizen", "phone"))
    return {field: _PSEUDONYMS.get(field, f"{field}_id") for field in named}


@cache
def columns(name: str) -> dict[str, pl.DataType]:
    """Columns and types of the lake table `name` ("encounter" …): official, derived, provenance.

    What names a person and what is free text is not among them: see `set_apart`.
    """
    official = {f.name: f.dtype for f in fields(source_of(name)) if not f.privacy}
    head: dict[str, pl.DataType] = {"ma_cskcb": pl.String(), "ma_lk": pl.String()}
    people = {column: pl.String() for column in pseudonyms(name).values()}
    return head | official | people | DERIVED.get(name, {}) | PROVENANCE


@cache
def set_apart(name: str) -> tuple[str, ...]:
    """Fields that are kept in the table `name` ("person", "free_text") instead of their own, over all claim tables."""
    wanted = ("text",) if name == "free_text" else ("person", "card", "citizen", "phone")
    return tuple(dict.fromkeys(f.name for f in _all_fields() if f.standard == "130" and f.privacy in wanted))


@cache
def code_names(field: str, lang: str = "vi") -> dict[str, str]:
    """Names of a short code list ("GIOI_TINH", "MA_NHOM", "MA_LOAI_KCB", "MA_KHOA" …), by code."""
    column = f"name_{lang}"
    own_file = {"MA_NHOM": "ma_nhom", "MA_LOAI_KCB": "ma_loai_kcb", "MA_KHOA": "ma_khoa_k01_k47"}.get(field)
    rows = reference(own_file or "small_codes")
    return {row["code"]: row[column] for row in rows if own_file or row["field"] == field}


@cache
def reference(name: str) -> tuple[dict[str, str], ...]:
    """Rows of the reference table `data/reference/<name>.csv`."""
    text = (files("data") / "reference" / f"{name}.csv").read_text(encoding="utf-8-sig")
    return tuple(csv.DictReader(text.splitlines()))


@dataclass(frozen=True)
class ClaimTables:
    """Lazy frames of one snapshot: what features and rules receive, whatever engine stands behind.

    Only current versions of claims are in them: replaced and withdrawn ones are not. Row order means nothing.

    `encounter` has the XML1 columns, the derived ones of `DERIVED`, and, from the facility catalogue as of the day of
    arrival, `province`, `facility_rank`, `facility_level`, `facility_kind` (null where no catalogue is loaded).
    `drug_line`, `service_line`, `lab_result` have the columns of `columns(name)`.
    """

    encounter: nw.LazyFrame[Any]
    drug_line: nw.LazyFrame[Any]
    service_line: nw.LazyFrame[Any]
    lab_result: nw.LazyFrame[Any]
    snapshot: int
    catalogues: Catalogues = field(compare=False)
    _texts: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def texts(self, table: str, column: str) -> tuple[str, ...]:
        """The different texts of a column, in order, read once: names are few where lines are many."""
        key = (table, column)
        if key not in self._texts:
            frame: nw.LazyFrame[Any] = getattr(self, table)
            found = frame.select(column).unique().collect()[column].to_list()
            self._texts[key] = tuple(sorted(text for text in found if text is not None))
        return self._texts[key]


def reused(frame: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """`frame`, of which one query makes several things: Polars then works it out once instead of once for each."""
    if type(frame) is not nw.LazyFrame:
        return frame  # a frame that computes its steps by itself does so once
    native = frame.to_native()
    return nw.from_native(native.cache()) if isinstance(native, pl.LazyFrame) else frame


def collected(frame: nw.LazyFrame[Any]) -> pl.DataFrame:
    """The rows of a lazy frame of any engine, as a Polars frame."""
    return cast("pl.DataFrame", frame.collect("polars").to_native())
