"""A mapping: which column of a table stands for which field, checked whole before a row is read (docs/mapping.md).

Every fault of a mapping is told at once, each with its place in the TOML, the value and the way out.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import Any, cast

from data.errors import MinhBachError
from data.schema import TABLES, Field, fields

NULLS = ("NaN", "nan", "NaT", "NA", "NULL", "null", "None", "N/A", "<NA>", "#N/A")
"""Words that mean "nothing", beside the empty cell. Case counts: "Na" is sodium. A mapping can name others."""

DELIMITERS = (",", ";", "\t", "|")
BLANKS = " \t\r\n\v\f\u00a0\ufeff"
MOMENT = "%Y%m%d%H%M"
_DAY = "%Y%m%d"
_UNIT_DECIMALS = 8
_PROBE = datetime(2003, 11, 25, 21, 34)


class BadMapping(MinhBachError):
    """A mapping that cannot be used: every fault with its place in the TOML, the value and the way out."""

    code, http_status, exit_code = "bad_mapping", 422, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """Another file that brings columns in: at most one of its rows for a row of the source."""

    file: str
    on: tuple[tuple[str, str], ...]
    """Columns that must be equal: of the source, of the other file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One `[[table]]` of a mapping: how files of one shape become rows of one table."""

    number: int
    file: str
    table: str
    fields: dict[str, tuple[str, ...]]
    constants: dict[str, str] = field(default_factory=dict[str, str])
    units: dict[str, Decimal] = field(default_factory=dict[str, Decimal])
    codes: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    dates: dict[str, tuple[tuple[str, str], ...]] = field(default_factory=dict[str, tuple[tuple[str, str], ...]])
    """Input formats, each with the format of the claim it is turned into."""
    joins: tuple[Join, ...] = ()
    sheet: str | None = None
    delimiter: str | None = None
    decimal: str | None = None
    nulls: tuple[str, ...] = NULLS

    def digest(self) -> str:
        """What tells two readings of the same file apart: 64 hex digits of everything but the entry's number."""
        told = {name: value for name, value in asdict(self).items() if name != "number"}
        return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """A mapping file, checked as far as it can be without the sources."""

    path: Path
    entries: tuple[Entry, ...]


# the mapping file


def read_mapping(path: Path) -> Mapping:
    """Read and check a mapping; `find_tables` holds it against the columns of the files.

    Raises BadMapping with all faults found.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"), parse_float=Decimal)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise BadMapping(
            f"{path}: cannot be read ({reason}); check the path",
            vi=f"{path}: không đọc được ({reason}); kiểm tra lại đường dẫn",
        ) from error
    except UnicodeDecodeError as error:
        raise BadMapping(
            f"{path}: is not UTF-8 text; save it as UTF-8", vi=f"{path}: không phải văn bản UTF-8; lưu lại dạng UTF-8"
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise BadMapping(
            f"{path}: is not valid TOML: {error}; see docs/mapping.md",
            vi=f"{path}: không đúng cú pháp TOML: {error}; xem docs/mapping.md",
        ) from error
    faults = Faults(path)
    faults.unknown_keys("", content, ("table",))
    given = content.get("table")
    if not isinstance(given, list) or not given or not all(isinstance(item, dict) for item in given):
        faults.add("", "needs at least one [[table]]", "cần ít nhất một mục [[table]]")
        faults.check()
    items = cast("list[dict[str, Any]]", given)
    entries = tuple(_Reader(faults, number, item).entry() for number, item in enumerate(items, 1))
    faults.check()
    return Mapping(path=path, entries=entries)


class Faults:
    """All faults of one mapping, so that its author mends them in one go."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._found: dict[tuple[str, str], None] = {}

    def add(self, where: str, en: str, vi: str) -> None:
        """Note a fault at a place of the TOML; the same one twice is told once."""
        place = f"{self.path.name}: {where}: " if where else f"{self.path.name}: "
        self._found[place + en, place + vi] = None

    def unknown_keys(self, where: str, given: Iterable[str], known: Sequence[str]) -> None:
        """Note the keys that no mapping has, with the nearest ones that it has."""
        for key in given:
            if key not in known:
                en, vi = near(key, known)
                self.add(
                    f"{where}{'.' if where else ''}{key}",
                    f"there is no such key; {en}",
                    f"không có khóa này; {vi}",
                )

    def check(self) -> None:
        """Raise if anything was found."""
        if self._found:
            raise BadMapping("\n".join(en for en, _ in self._found), vi="\n".join(vi for _, vi in self._found))


_ENTRY_KEYS = (
    *("file", "table", "fields", "constants", "units", "codes", "dates", "join"),
    *("sheet", "delimiter", "decimal", "nulls"),
)


class _Reader:
    """Reads one `[[table]]`, noting what is wrong with it."""

    def __init__(self, faults: Faults, number: int, given: dict[str, Any]) -> None:
        self._faults = faults
        self._given = given
        self._number = number
        self._name = entry_name(number, given.get("file"))
        self._official: dict[str, Field] = {}

    def entry(self) -> Entry:
        self._faults.unknown_keys(self._name, self._given, _ENTRY_KEYS)
        table = self._text("table", required=True) or ""
        if table and table.upper() not in TABLES:
            en, vi = near(table.upper(), tuple(TABLES))
            self._add("table", f"{table!r} is no table; {en}", f"không có bảng {table!r}; {vi}")
        elif table:
            self._official = official_names(table.upper())
        taken = self._fields()
        constants = self._constants(taken)
        entry = Entry(
            number=self._number,
            file=self._text("file", required=True) or "",
            table=table.upper(),
            fields=taken,
            constants=constants,
            units=self._units(taken),
            codes=self._codes(taken),
            dates=self._dates(taken),
            joins=self._joins(),
            sheet=self._text("sheet"),
            delimiter=self._one_of("delimiter", DELIMITERS),
            decimal=self._one_of("decimal", (",", ".")),
            nulls=self._nulls(),
        )
        self._needs(entry)
        return entry

    def _add(self, where: str, en: str, vi: str) -> None:
        self._faults.add(f"{self._name}.{where}", en, vi)

    def _text(self, key: str, *, required: bool = False) -> str | None:
        value = self._given.get(key)
        if isinstance(value, str) and value.strip():
            return value
        if required or value is not None:
            self._add(key, f"{value!r} must be text", f"{value!r} phải là chuỗi")
        return None

    def _one_of(self, key: str, known: Sequence[str]) -> str | None:
        value = self._given.get(key)
        if value is None or value in known:
            return value
        listed = ", ".join(map(repr, known))
        self._add(key, f"{value!r} must be one of {listed}", f"{value!r} phải là một trong {listed}")
        return None

    def _section(self, key: str) -> dict[str, Any]:
        """A table of the entry by official field, in lower case; unknown fields are noted and left out."""
        section = self._given.get(key, {})
        if not isinstance(section, dict):
            self._add(key, f"must be a table: [table.{key}]", f"phải là bảng: [table.{key}]")
            return {}
        found: dict[str, Any] = {}
        for given, value in cast("dict[str, Any]", section).items():
            name = given.lower()
            if self._official and name not in self._official:
                en, vi = near(name, tuple(self._official))
                self._add(
                    f"{key}.{given}",
                    f"{self._given['table']} has no such field; {en}",
                    f"bảng {self._given['table']} không có trường này; {vi}",
                )
            elif name in found:
                self._add(f"{key}.{given}", "is given twice; keep one", "bị khai hai lần; giữ lại một")
            else:
                found[name] = value
        return found

    def _fields(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for name, value in self._section("fields").items():
            columns = cast("list[Any]", value) if isinstance(value, list) else [value]
            if not columns or not all(isinstance(c, str) and c.strip() for c in columns):
                self._add(
                    f"fields.{name}",
                    f"{value!r} must be a column or a list of columns, as text",
                    f"{value!r} phải là tên cột hoặc danh sách tên cột, dạng chuỗi",
                )
                continue
            found[name] = tuple(columns)
        return found

    def _constants(self, taken: dict[str, tuple[str, ...]]) -> dict[str, str]:
        found: dict[str, str] = {}
        for name, value in self._section("constants").items():
            where = f"constants.{name}"
            if name in taken:
                self._add(where, "also stands in fields; keep one", "đã có trong fields; giữ lại một")
            elif name == "ma_lk":
                self._add(
                    where,
                    "one value would make all rows one encounter; name a column in fields, or leave it out",
                    "một giá trị sẽ gộp mọi dòng thành một hồ sơ; khai cột trong fields hoặc bỏ trống",
                )
            elif (text := _constant(self._official.get(name), value)) is None:
                self._add(
                    where,
                    f"{value!r} does not fit the field ({_kind_en(self._official.get(name))})",
                    f"{value!r} không hợp với trường ({_kind_vi(self._official.get(name))})",
                )
            else:
                found[name] = text
        return found

    def _units(self, taken: dict[str, tuple[str, ...]]) -> dict[str, Decimal]:
        found: dict[str, Decimal] = {}
        for name, value in self._of_fields("units", taken):
            where = f"units.{name}"
            if name in self._official and self._official[name].kind not in ("decimal", "int"):
                self._add(where, "the field is no number; remove it", "trường không phải là số; bỏ mục này")
                continue
            factor = _factor(value)
            if factor is None:
                self._add(
                    where,
                    f"{value!r} must be a number above 0 with at most {_UNIT_DECIMALS} decimals, such as 1000",
                    f"{value!r} phải là số lớn hơn 0, tối đa {_UNIT_DECIMALS} chữ số thập phân, ví dụ 1000",
                )
                continue
            found[name] = factor
        return found

    def _codes(self, taken: dict[str, tuple[str, ...]]) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        for name, value in self._of_fields("codes", taken):
            if not isinstance(value, dict) or not value:
                self._add(
                    f"codes.{name}",
                    f"must be a table: [table.codes.{name}] with source value = code",
                    f"phải là bảng: [table.codes.{name}] gồm giá trị nguồn = mã",
                )
                continue
            pairs: dict[str, str] = {}
            for source, code in cast("dict[str, Any]", value).items():
                if isinstance(code, bool) or not isinstance(code, str | int | Decimal):
                    self._add(
                        f"codes.{name}.{source}",
                        f"{code!r} must be a code, as text",
                        f"{code!r} phải là mã, dạng chuỗi",
                    )
                else:
                    pairs[source.strip(BLANKS)] = str(code).strip(BLANKS)
            found[name] = pairs
        return found

    def _dates(self, taken: dict[str, tuple[str, ...]]) -> dict[str, tuple[tuple[str, str], ...]]:
        found: dict[str, tuple[tuple[str, str], ...]] = {}
        for name, value in self._of_fields("dates", taken):
            official = self._official.get(name)
            where = f"dates.{name}"
            if official and official.kind not in ("datetime", "date", "list", "str"):
                self._add(where, "the field is no date; remove it", "trường không phải là ngày; bỏ mục này")
                continue
            formats: list[tuple[str, str]] = []
            for given in cast("list[Any]", value) if isinstance(value, list) else [value]:
                turned = _claim_format(official, given) if isinstance(given, str) else None
                if turned is None:
                    self._add(
                        where,
                        f"{given!r} is no format of a whole date without a time zone, such as %d/%m/%Y %H:%M",
                        f"{given!r} không phải định dạng ngày đầy đủ, không múi giờ, ví dụ %d/%m/%Y %H:%M",
                    )
                else:
                    formats.append((given, turned))
            found[name] = tuple(formats)
        return found

    def _of_fields(self, key: str, taken: dict[str, tuple[str, ...]]) -> Iterator[tuple[str, Any]]:
        """A section that says how fields are read: each must have a column."""
        for name, value in self._section(key).items():
            if name not in taken:
                self._add(
                    f"{key}.{name}",
                    f"the field has no column; add {name} to [table.fields]",
                    f"trường chưa có cột; thêm {name} vào [table.fields]",
                )
                continue
            yield name, value

    def _joins(self) -> tuple[Join, ...]:
        given = self._given.get("join", [])
        items = cast("list[Any]", given) if isinstance(given, list) else [given]
        found: list[Join] = []
        for number, item in enumerate(items, 1):
            where = "join" if len(items) == 1 else f"join[{number}]"
            if not isinstance(item, dict):
                self._add(where, "must be a table: [table.join]", "phải là bảng: [table.join]")
                continue
            join = cast("dict[str, Any]", item)
            self._faults.unknown_keys(f"{self._name}.{where}", join, ("file", "on"))
            file, on = join.get("file"), _join_keys(join.get("on"))
            if not isinstance(file, str) or not file.strip():
                self._add(f"{where}.file", f"{file!r} must be text", f"{file!r} phải là chuỗi")
            elif on is None:
                self._add(
                    f"{where}.on",
                    f"{join.get('on')!r} must be a column, a list of columns, or {{ column = 'column there' }}",
                    f"{join.get('on')!r} phải là tên cột, danh sách cột, hoặc {{ cột = 'cột ở tệp kia' }}",
                )
            else:
                found.append(Join(file=file, on=on))
        return tuple(found)

    def _nulls(self) -> tuple[str, ...]:
        given = self._given.get("nulls")
        if given is None:
            return NULLS
        words = cast("list[Any]", given) if isinstance(given, list) else [None]
        if not all(isinstance(word, str) for word in words):
            self._add("nulls", f"{given!r} must be a list of texts", f"{given!r} phải là danh sách chuỗi")
            return NULLS
        return tuple(str(word).strip(BLANKS) for word in words)

    def _needs(self, entry: Entry) -> None:
        """Fields without which every row would be refused later."""
        if not self._official:
            return
        known = {*entry.fields, *entry.constants, *self._section_keys("fields"), *self._section_keys("constants")}
        if entry.table != "XML1":
            if "ma_lk" not in known:
                self._add(
                    "fields.ma_lk",
                    "is needed: it says which encounter a row belongs to",
                    "bắt buộc: cho biết dòng thuộc hồ sơ nào",
                )
            return
        for name in ("ma_cskcb", "ngay_vao", "ngay_ra"):
            if name not in known:
                same = " (or in [table.constants], where all rows are of one facility)" if name == "ma_cskcb" else ""
                cung = " (hoặc trong [table.constants] nếu chỉ có một cơ sở)" if name == "ma_cskcb" else ""
                self._add(
                    f"fields.{name}",
                    f"is needed, no row can be loaded without it: name its column{same}",
                    f"bắt buộc, thiếu thì không nạp được dòng nào: khai cột của nó{cung}",
                )
        if known.isdisjoint({"t_bhtt", "t_tongchi_bh"}):
            self._add(
                "fields.t_bhtt",
                "an amount is needed: name the column of t_bhtt, of t_tongchi_bh, or one column for both",
                "cần số tiền: khai cột của t_bhtt, của t_tongchi_bh, hoặc một cột cho cả hai",
            )

    def _section_keys(self, key: str) -> set[str]:
        section = self._given.get(key)
        return {name.lower() for name in cast("dict[str, Any]", section)} if isinstance(section, dict) else set()


def entry_name(number: int, file: object) -> str:
    """What an entry is called in messages."""
    return f"table[{number}]" + (f" ({file})" if isinstance(file, str) else "")


def near(name: str, known: Sequence[str]) -> tuple[str, str]:
    """Names like the one given, or all when they are few; in both languages."""
    by_fold = {folded(own): own for own in known}
    like = [by_fold[found] for found in difflib.get_close_matches(folded(name), list(by_fold), n=3, cutoff=0.6)]
    if like:
        listed = ", ".join(like)
        return f"did you mean {listed}?", f"có phải {listed}?"
    listed = ", ".join(known[:20]) + (", …" if len(known) > 20 else "")
    return f"there are: {listed}", f"hiện có: {listed}"


def folded(name: str) -> str:
    """A column's name as it is compared: without case and blanks around it."""
    return name.strip(BLANKS).casefold()


@cache
def official_names(table: str) -> dict[str, Field]:
    """Official fields of a table by name, and the key that XML leaves to the envelope."""
    key = {f.name: f for f in fields("XML1") if f.name in ("ma_cskcb", "ma_lk")}
    return key | {f.name: f for f in fields(table)}


def _constant(official: Field | None, value: object) -> str | None:
    """The value as text of a claim; None when it does not fit the field."""
    if isinstance(value, datetime | date):
        return value.strftime(claim_form(official)) if official and official.kind not in ("decimal", "int") else None
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    text = value.strip(BLANKS) if isinstance(value, str) else f"{value:f}" if isinstance(value, Decimal) else str(value)
    if not text:
        return None
    match official.kind if official else "":
        case "decimal":
            return text if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text) else None
        case "int":
            return text if re.fullmatch(r"-?[0-9]+", text) else None
        case "datetime" | "date":
            return text if re.fullmatch(r"[0-9]{8}([0-9]{4})?", text) else None
        case _:
            return text


def _kind_en(official: Field | None) -> str:
    kinds = {
        "int": "a whole number",
        "decimal": "a number with a point",
        "datetime": "yyyymmddHHMM",
        "date": "yyyymmdd",
    }
    return kinds.get(official.kind, "text") if official else "text"


def _kind_vi(official: Field | None) -> str:
    kinds = {"int": "số nguyên", "decimal": "số, dấu chấm thập phân", "datetime": "yyyymmddHHMM", "date": "yyyymmdd"}
    return kinds.get(official.kind, "chuỗi") if official else "chuỗi"


def _factor(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    try:
        factor = Decimal(value)
    except InvalidOperation:
        return None
    if not factor.is_finite() or not 0 < factor < Decimal(10) ** 12:
        return None
    return factor if factor == factor.quantize(Decimal(1).scaleb(-_UNIT_DECIMALS)) else None


def claim_form(official: Field | None) -> str:
    """The format of the claim a moment is turned into."""
    return MOMENT if official and official.kind == "datetime" else _DAY


def _claim_format(official: Field | None, given: str) -> str | None:
    """What dates of the input format are written as; None when it does not give a whole date.

    Only of a birth the month and the day may be unknown: they are zeros. A time zone is refused, because claims carry
    wall-clock time and a conversion would move visits to another day.
    """
    import duckdb

    if re.search(r"%[zZ]", given):
        return None
    with duckdb.connect(config={"autoinstall_known_extensions": False}) as connection:
        query = "select strptime(strftime(?::timestamp, ?), ?)"
        try:
            row = connection.execute(query, [_PROBE, given, given]).fetchone()
        except duckdb.Error:
            return None
    back: datetime = row[0] if row else _PROBE
    if back.year != _PROBE.year or back.hour not in (0, _PROBE.hour):  # %I without %p takes an evening for a morning
        return None
    if back.date() == _PROBE.date():
        return claim_form(official)
    if official is None or official.name != "ngay_sinh" or (back.month, back.day) == (1, _PROBE.day):
        return None
    return "%Y%m000000" if back.month == _PROBE.month else "%Y00000000"


def _join_keys(on: object) -> tuple[tuple[str, str], ...] | None:
    if isinstance(on, str):
        on = [on]
    if isinstance(on, list):
        on = {name: name for name in cast("list[Any]", on) if isinstance(name, str)} or None
    if not isinstance(on, dict) or not on:
        return None
    pairs = tuple(cast("dict[Any, Any]", on).items())
    return pairs if all(isinstance(a, str) and isinstance(b, str) and a and b for a, b in pairs) else None
