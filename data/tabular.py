"""Claims in CSV, Parquet and XLSX extracts, turned into the text a claim XML would carry.

A file with the official field names is read as it is; any other needs a mapping (docs/mapping.md), which is checked
whole before a row is read. Every row of every file comes out exactly once, in whole encounters: a line without its
encounter comes last, with `hoso_no` null, so that the caller can set it aside. A value that cannot be turned (a date in
another format, an amount with letters) stays as it was written, and the checks of intake name it; nothing is invented.

The rows go through a DuckDB file in a scratch folder, ordered by encounter, so that memory stays flat whatever the size
of the source. (XLSX alone is read by openpyxl, which holds the shared texts of a workbook in memory.)
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import itertools
import re
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal, cast

import polars as pl

from data.errors import MinhBachError
from data.mapping import (
    BLANKS,
    DELIMITERS,
    MOMENT,
    Entry,
    Faults,
    Mapping,
    claim_form,
    entry_name,
    folded,
    near,
    official_names,
)
from data.schema import TABLES, Field, fields
from data.sources import DEFAULT_LIMITS

if TYPE_CHECKING:
    import duckdb

SUFFIXES = (".csv", ".csv.gz", ".parquet", ".xlsx")
"""What a folder is searched for. A file named outright is taken by its content, whatever its name."""

ROWS_AT_ONCE = 400_000  # rows of all tables in one chunk, unless a few encounters alone have more

_HEAD_CHARACTERS = 262_144
_SHEET_ROWS = 20_000
_EXCEL_DATE = "\x02"  # stands before a date cell of a workbook, so that no text is taken for one
_NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?"
_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
_NUMERIC = frozenset([*_WHOLE, *(f"U{name}" for name in _WHOLE), "DOUBLE", "FLOAT", "BOOLEAN"])

Format = Literal["csv", "parquet", "xlsx"]


class BadTable(MinhBachError):
    """A tabular file that cannot be read, or whose table nothing tells."""

    code, http_status, exit_code = "bad_table", 422, 1

    def __init__(self, path: Path | str, message: str, *, vi: str) -> None:
        """The file and what is wrong with it."""
        super().__init__(f"{path}: {message}", vi=f"{path}: {vi}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TabularFile:
    """One table of one file, and how it will be read."""

    path: Path
    table: str
    sheet: str | None = None
    """Of a workbook."""
    entry: int | None = None
    """Ordinal of the mapping's entry, from 0; None for a file with official field names."""
    joined: tuple[Path, ...] = ()
    """Files that bring columns in: part of the content, so hash them too."""
    reading: str = ""
    """Digest of the mapping's entry: the same bytes under another mapping are another load."""
    unused: tuple[str, ...] = ()
    """Columns that nothing takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    """What is known of a file before its rows are read."""

    path: Path
    form: Format
    names: tuple[str, ...]
    kinds: tuple[str, ...]  # DuckDB's types; text for CSV and XLSX
    sheet: str | None = None
    delimiter: str = ","
    packed: bool = False
    wide: bool = False  # UTF-16, as Excel's "Unicode Text"

    def position(self, name: str) -> int | None:
        """Where the column stands: the very name, else the only one that differs in case and blanks alone."""
        if name in self.names:
            return self.names.index(name)
        like = [i for i, own in enumerate(self.names) if folded(own) == folded(name)]
        return like[0] if len(like) == 1 else None


@dataclass(frozen=True, slots=True)
class _Cell:
    """A column that feeds a field: where it stands in the query, and its type."""

    sql: str
    kind: str


# which file is which table


def find_tables(paths: Sequence[Path], mapping: Mapping | None) -> list[TabularFile]:
    """The tables in the files and folders, in a stable order; only headers are read.

    Without a mapping the name of a file (of a sheet, in a workbook of several) tells its table, else its columns do.
    With one, its entries take the files whose name they match; other files of a folder are left alone.

    Raises BadTable for a file that cannot be read or told, BadMapping where mapping and columns do not agree.
    """
    found = _files(paths)
    if mapping is None:
        return [table for path in found for table in _told(path)]
    return _mapped(found, paths, mapping)


def _files(paths: Sequence[Path]) -> dict[Path, Path]:
    """Every file under `paths`, with the folder that names in a mapping are relative to."""
    found: dict[Path, Path] = {}
    seen: set[Path] = set()
    for path in paths:
        if not path.exists():
            raise BadTable(
                path, "does not exist; check the path", vi="không tìm thấy; kiểm tra lại đường dẫn"
            ) from None
        below = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file() and _is_wanted(p))
        if not below:
            listed = " ".join(f"*{suffix}" for suffix in SUFFIXES)
            raise BadTable(path, f"the folder has no {listed}", vi=f"thư mục không có {listed}")
        for file in below:
            if file.resolve() not in seen:
                seen.add(file.resolve())
                found[file] = path if path.is_dir() else file.parent
    return found


def _is_wanted(path: Path) -> bool:
    return path.name.lower().endswith(SUFFIXES) and not path.name.startswith((".", "~$"))


def _told(path: Path) -> Iterator[TabularFile]:
    """The tables of a file with official field names."""
    heads = _heads(path)
    for head in heads:
        by_name = None
        if head.sheet is not None and len(heads) > 1:
            by_name = _table_by_name(head.sheet)
        by_name = by_name or _table_by_name(path.name.partition(".")[0])
        table = by_name or _table_by_columns(head)
        entry = _official_entry(table, head)
        yield TabularFile(path=path, table=table, sheet=head.sheet, unused=_unused(head, entry))


def _table_by_name(stem: str) -> str | None:
    """The table whose official or lake name is a word of `stem`: xml1, drug_line_2026. None if none or several are."""
    told: set[str] = set()
    for official, ours in TABLES.items():
        words = "|".join({official.lower(), ours})
        if re.search(rf"(?<![a-z0-9])({words})(?![a-z0-9])", stem.lower()):
            told.add(official)
    return told.pop() if len(told) == 1 else None


def _table_by_columns(head: _Head) -> str:
    given = {folded(name) for name in head.names}
    scores = sorted(((len(given & set(official_names(table))), table) for table in TABLES), reverse=True)
    (best, table), (second, other) = scores[:2]
    if best >= 3 and best > second:
        return table
    if best < 3:
        raise BadTable(
            _place(head),
            "its columns are not the official fields of any table; describe them in a mapping (--mapping FILE.toml)",
            vi="các cột không phải trường của bảng nào; hãy mô tả bằng tệp ánh xạ (--mapping TỆP.toml)",
        )
    raise BadTable(
        _place(head),
        f"its columns fit {table} and {other} alike; name the file after its table, as in {other.lower()}.csv",
        vi=f"các cột khớp cả {table} và {other}; đặt tên tệp theo bảng, ví dụ {other.lower()}.csv",
    )


def _official_entry(table: str, head: _Head) -> Entry:
    """How a file with official names is read: each field from its column."""
    official = official_names(table)
    twice = _repeated(folded(name) for name in head.names if folded(name) in official)
    if twice:
        raise BadTable(
            _place(head), f"has two columns {twice.upper()}; remove one", vi=f"có hai cột {twice.upper()}; bỏ bớt một"
        )
    taken = {folded(name): (name,) for name in head.names if folded(name) in official}
    if not taken:
        raise BadTable(
            _place(head),
            f"its name says {table}, but no column is a field of it; describe it in a mapping (--mapping FILE.toml)",
            vi=f"tên tệp là bảng {table} nhưng không có cột nào của bảng; hãy dùng tệp ánh xạ (--mapping TỆP.toml)",
        )
    old = sorted({folded(name) for name in head.names} & _only_in_4210(table))
    if old:
        listed = ", ".join(old).upper()
        raise BadTable(
            _place(head),
            f"has fields of QĐ 4210 ({listed}); name their successors in a mapping (docs/mapping.md)",
            vi=f"có trường của QĐ 4210 ({listed}); khai trường thay thế trong tệp ánh xạ (docs/mapping.md)",
        )
    if "ma_lk" not in taken and table != "XML1":
        raise BadTable(
            _place(head),
            "has no column MA_LK, which says what encounter a row belongs to",
            vi="thiếu cột MA_LK, cho biết dòng thuộc hồ sơ nào",
        )
    return Entry(number=0, file="", table=table, fields=taken)


@cache
def _only_in_4210(table: str) -> frozenset[str]:
    """Fields that QĐ 130 dropped or renamed: read under their old name they would be lost in silence."""
    try:
        return frozenset(f.name for f in fields(table, "4210")) - set(official_names(table))
    except KeyError:
        return frozenset()


def _repeated(names: Iterable[str]) -> str | None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def _unused(head: _Head, entry: Entry) -> tuple[str, ...]:
    named = [*itertools.chain(*entry.fields.values()), *(ours for join in entry.joins for ours, _ in join.on)]
    taken = {head.position(name) for name in named}
    return tuple(name for i, name in enumerate(head.names) if i not in taken)


def _mapped(found: dict[Path, Path], paths: Sequence[Path], mapping: Mapping) -> list[TabularFile]:
    faults = Faults(mapping.path)
    tables: list[TabularFile] = []
    used: set[int] = set()
    joined: set[Path] = set()
    for path, folder in found.items():
        for index, entry in enumerate(mapping.entries):
            if _matches(path, folder, entry.file):
                used.add(index)
                table = _held_against(path, index, entry, found, faults)
                if any(t.path == path and t.table == table.table and t.sheet == table.sheet for t in tables):
                    faults.add(
                        f"{entry_name(entry.number, entry.file)}.file",
                        f"{path.name} is read as {entry.table} by an earlier entry too; its rows would count twice",
                        f"{path.name} đã được đọc thành {entry.table} ở mục trước; các dòng sẽ bị tính hai lần",
                    )
                tables.append(table)
                joined.update(table.joined)
    for index, entry in enumerate(mapping.entries):
        if index not in used:
            names = ", ".join(sorted({p.name for p in found})[:10])
            faults.add(
                f"{entry_name(entry.number, entry.file)}.file",
                f"no file has this name; there are: {names}",
                f"không có tệp nào khớp; hiện có: {names}",
            )
    faults.check()
    taken = {*(table.path for table in tables), *joined}
    for path in paths:
        if path.is_file() and path not in taken:
            raise BadTable(
                path,
                f"no entry of {mapping.path.name} takes this file; add a [[table]] for it, or leave it out",
                vi=f"không mục nào của {mapping.path.name} nhận tệp này; thêm [[table]] cho nó, hoặc bỏ ra",
            )
    return tables


def _matches(path: Path, folder: Path, pattern: str) -> bool:
    """Whether the file's name, or its path below `folder` where the pattern has a slash, fits; case does not count."""
    relative = PurePosixPath(path.relative_to(folder).as_posix().lower())
    wanted = pattern.lower().removeprefix("./")
    return relative.match(wanted) if "/" in wanted else PurePosixPath(relative.name).match(wanted)


def _held_against(path: Path, index: int, entry: Entry, found: dict[Path, Path], faults: Faults) -> TabularFile:
    """The entry on the file, its columns checked."""
    name = entry_name(entry.number, entry.file)
    head = _head_of(path, entry)
    others: list[_Head] = []
    for number, join in enumerate(entry.joins, 1):
        where = f"{name}.join" if len(entry.joins) == 1 else f"{name}.join[{number}]"
        near = {p: p.parent for p in sorted(path.parent.iterdir()) if p.is_file() and _is_wanted(p)}
        like = [p for p, folder in near.items() if p != path and _matches(p, folder, join.file)]
        like = like or [p for p, folder in found.items() if p != path and _matches(p, folder, join.file)]
        if len(like) != 1:
            listed = ", ".join(p.name for p in like[:5])
            faults.add(
                f"{where}.file",
                f"{join.file!r} must be one file; it is {listed or 'none'}",
                f"{join.file!r} phải là đúng một tệp; hiện là: {listed or 'không có'}",
            )
            continue
        other = _head_of(like[0], entry, joined=True)
        others.append(other)
        for ours, theirs in join.on:
            for column, side in ((ours, head), (theirs, other)):
                if side.position(column) is None:
                    _missing_column(faults, f"{where}.on", column, side)
    if len(others) == len(entry.joins):
        for official, columns in entry.fields.items():
            for column in columns:
                if _locate(column, head, others) is None:
                    _missing_column(faults, f"{name}.fields.{official}", column, head, *others)
    return TabularFile(
        path=path,
        table=entry.table,
        sheet=head.sheet,
        entry=index,
        joined=tuple(other.path for other in others),
        reading=entry.digest(),
        unused=_unused(head, entry),
    )


def _missing_column(faults: Faults, where: str, column: str, *heads: _Head) -> None:
    places = ", ".join(head.path.name for head in heads)
    en, vi = near(column, [name for head in heads for name in head.names])
    faults.add(
        where,
        f"column {column!r} is not in {places}; {en}",
        f"không có cột {column!r} trong {places}; {vi}",
    )


def _locate(column: str, head: _Head, others: Sequence[_Head]) -> _Cell | None:
    """The column in the source, else in the files joined to it; "join.NAME" means one of those."""
    own = head.position(column)
    if own is not None:
        return _Cell(f"m.c{own}", _kind(head, own))
    for name in (column, column.removeprefix("join.")):
        for number, other in enumerate(others):
            place = other.position(name)
            if place is not None:
                return _Cell(f"j{number}.c{place}", _kind(other, place))
    return None


def _kind(head: _Head, place: int) -> str:
    return "EXCEL" if head.form == "xlsx" else head.kinds[place]


# looking into files


def _head_of(path: Path, entry: Entry, *, joined: bool = False) -> _Head:
    """The one table of a file that an entry reads."""
    heads = _heads(path, None if joined else entry.delimiter)
    if entry.sheet and not joined:
        heads = [head for head in heads if head.sheet == entry.sheet] or heads
    if len(heads) == 1 and (not entry.sheet or joined or heads[0].sheet == entry.sheet):
        return heads[0]
    listed = ", ".join(str(head.sheet) for head in heads if head.sheet) or "-"
    raise BadTable(
        path,
        f"which sheet is meant? name one in the mapping (sheet = …); there are: {listed}",
        vi=f"chưa rõ trang tính nào; khai trong tệp ánh xạ (sheet = …); hiện có: {listed}",
    )


def _heads(path: Path, delimiter: str | None = None) -> list[_Head]:
    """The tables of a file: one, or in a workbook one for each sheet that has any cell. Content tells the format."""
    try:
        with path.open("rb") as file:
            start = file.read(4)
        if start == b"PAR1":
            heads = [_parquet_head(path)]
        elif start == b"PK\x03\x04":
            heads = _sheet_heads(path)
        elif start == b"\xd0\xcf\x11\xe0":
            raise BadTable(
                path, "is an old Excel file (.xls); save it as .xlsx", vi="là tệp Excel cũ (.xls); lưu lại dạng .xlsx"
            )
        else:
            heads = [_csv_head(path, start, delimiter)]
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(path, error) from error
    for head in heads:
        named = [name for name in head.names if name]
        if not named:
            raise BadTable(
                _place(head), "has no header; its first row must name the columns", vi="thiếu dòng tiêu đề cột"
            )
        twice = _repeated(named)
        if twice:
            raise BadTable(
                _place(head), f"has two columns {twice!r}; rename one", vi=f"có hai cột {twice!r}; đổi tên một cột"
            )
    return heads


def _place(head: _Head) -> str:
    return f"{head.path}!{head.sheet}" if head.sheet else str(head.path)


def _unreadable(path: Path, error: BaseException) -> BadTable:
    reason = (isinstance(error, OSError) and error.strerror) or str(error).partition("\n")[0][:200]
    return BadTable(
        path,
        f"cannot be read ({reason}); check it, or ask for it again",
        vi=f"không đọc được ({reason}); kiểm tra lại tệp, hoặc đề nghị gửi lại",
    )


def _csv_head(path: Path, start: bytes, delimiter: str | None) -> _Head:
    packed = start[:2] == b"\x1f\x8b"
    with gzip.open(path) if packed else path.open("rb") as raw:
        wide = raw.read(2) in (b"\xff\xfe", b"\xfe\xff")
    head = _Head(path=path, form="csv", names=(), kinds=(), packed=packed, wide=wide)
    try:
        with _csv_text(head) as stream:
            text = stream.read(_HEAD_CHARACTERS)
    except UnicodeError as error:
        raise _not_utf8(path) from error
    best: list[str] = []
    chosen = delimiter or ","
    for mark in (delimiter,) if delimiter else DELIMITERS:
        try:
            first = next(csv.reader(io.StringIO(text, newline=""), delimiter=mark), [])
        except csv.Error as error:
            raise _unreadable(path, error) from error
        if len(first) > len(best):
            best, chosen = first, mark
    names = tuple(name.strip(BLANKS) for name in best)
    return replace(head, names=names, kinds=("VARCHAR",) * len(names), delimiter=chosen)


@contextmanager
def _csv_text(head: _Head) -> Generator[io.TextIOBase]:
    encoding = "utf-16" if head.wide else "utf-8-sig"
    with (
        gzip.open(head.path) if head.packed else head.path.open("rb") as raw,
        io.TextIOWrapper(cast("Any", raw), encoding=encoding, newline="") as stream,
    ):
        yield stream


def _not_utf8(path: Path) -> BadTable:
    return BadTable(
        path,
        "is not UTF-8 text; save it as CSV UTF-8",
        vi="không phải văn bản UTF-8; lưu lại dạng CSV UTF-8",
    )


def _parquet_head(path: Path) -> _Head:
    import duckdb

    with tempfile.TemporaryDirectory() as folder, duckdb.connect(config=_settings("256MB", 1, Path(folder))) as own:
        try:
            rows = own.execute(f"describe from {_parquet([_safe(path, Path(folder))])}").fetchall()
        except duckdb.Error as error:
            raise _unreadable(path, error) from error
    return _Head(path=path, form="parquet", names=tuple(r[0] for r in rows), kinds=tuple(r[1] for r in rows))


def _sheet_heads(path: Path) -> list[_Head]:
    heads: list[_Head] = []
    with _workbook(path) as book:
        for sheet in book.worksheets:
            sheet.reset_dimensions()  # some writers state a range of one cell
            first = next((row for row in sheet.iter_rows(values_only=True) if any(c is not None for c in row)), None)
            if first is None:
                continue
            names = ["" if cell is None else _excel_text(cell).strip(BLANKS) for cell in first]
            while names and not names[-1]:
                names.pop()
            kinds = ("VARCHAR",) * len(names)
            heads.append(_Head(path=path, form="xlsx", names=tuple(names), kinds=kinds, sheet=str(sheet.title)))
    if not heads:
        raise BadTable(path, "the workbook is empty", vi="bảng tính không có dữ liệu")
    return heads


@contextmanager
def _workbook(path: Path) -> Generator[Any]:
    from openpyxl import load_workbook

    limit = DEFAULT_LIMITS.source_bytes
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > limit:
            raise BadTable(
                path,
                f"is larger than {limit} bytes when opened; export it as CSV or Parquet",
                vi=f"vượt quá {limit} byte khi mở; xuất lại dạng CSV hoặc Parquet",
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles and extensions of the workbook, never about values
            book = load_workbook(path, read_only=True, data_only=True)
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise _unreadable(path, error) from error
    try:
        yield book
    finally:
        book.close()


def _excel_text(cell: Any) -> str:
    """A cell as text. Excel keeps 15 digits of a number: more would be noise of the binary fraction."""
    match cell:
        case bool():
            return "true" if cell else "false"
        case float():
            number = Decimal(format(cell, ".15g"))
            text = f"{number:f}"
            return text.rstrip("0").rstrip(".") if "." in text else text
        case datetime() | date():
            return _EXCEL_DATE + cell.strftime(MOMENT)
        case _:
            return str(cell)


# reading


def read_tables(
    files: Sequence[TabularFile],
    mapping: Mapping | None,
    *,
    scratch: Path,
    memory: str = "2GB",
    threads: int = 2,
    encounters_at_once: int = 20_000,
) -> Iterator[dict[str, pl.DataFrame]]:
    """The rows of all files, as chunks of whole encounters by table ("XML1" …), every official field as text.

    Each frame has the fields its files give, MA_CSKCB and MA_LK in any case, and beside them `hoso_no` (ordinal of the
    encounter: the XML1 rows in the order of files and rows), `row_no` (ordinal in its table of its encounter) and
    `file` (the path). Lines go to the XML1 row of their MA_CSKCB and MA_LK, to the last
    one where there are several; a line that names no facility goes by MA_LK alone if that is of one facility only, and
    is given its MA_CSKCB. All other lines come in the last chunks, with `hoso_no` null and `row_no` counting through.

    Where no column gives MA_LK, a row of XML1 is known by its content: "r" and 24 hex digits of the SHA-256 of all
    cells of its file's row; rows that are equal in everything get "-2", "-3" … in their order. The same row of another
    extract is then the same encounter.

    Everything is read before the first chunk; `scratch` gets a temporary folder that is removed at the end. Raises
    BadTable for a file that cannot be read to its end.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch, prefix="tabular-") as name:
        folder = Path(name)
        import duckdb

        with duckdb.connect(folder / "rows.duckdb", config=_settings(memory, threads, folder)) as connection:
            store = _Store(connection, folder, files, mapping)
            for number in range(len(files)):
                store.read(number)
            store.order()
            yield from store.chunks(encounters_at_once)
            yield from store.leftovers()


def _settings(memory: str, threads: int, folder: Path) -> dict[str, str | bool | int | float | list[str]]:
    return {
        "memory_limit": memory,
        "threads": threads,
        "temp_directory": str(folder / "spill"),
        "autoinstall_known_extensions": False,
        "preserve_insertion_order": True,  # row numbers are places in the file
    }


class _Store:
    """The rows on their way: as read (`raw_*`), then by encounter (`own_*`), those without one apart (`left_*`)."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        folder: Path,
        files: Sequence[TabularFile],
        mapping: Mapping | None,
    ) -> None:
        self._sql = connection
        self._folder = folder
        self._files = files
        self._heads: list[_Head] = []
        self._entries: list[Entry] = []
        for file in files:
            if file.entry is not None and mapping is not None:
                entry = mapping.entries[file.entry]
                head = _head_of(file.path, entry)
            else:
                head = next(h for h in _heads(file.path) if h.sheet == file.sheet)
                entry = _official_entry(file.table, head)
            self._heads.append(head)
            self._entries.append(entry)
        self._columns: dict[str, list[str]] = {}
        for table in TABLES:
            given = [e for e in self._entries if e.table == table]
            if given:
                named = {name for e in given for name in (*e.fields, *e.constants)} | {"ma_cskcb", "ma_lk"}
                self._columns[table] = [name for name in official_names(table) if name in named]
                cells = ", ".join(f'"{name}" varchar' for name in self._columns[table])
                self._sql.execute(f"create table raw_{table} (_file integer, _n bigint, _id varchar, {cells})")
        self._made = itertools.count()

    def read(self, number: int) -> None:
        """Take the rows of one file in."""
        import duckdb

        head, entry = self._heads[number], self._entries[number]
        try:
            try:
                self._insert(number, head, entry)
            except duckdb.InvalidInputException as error:
                if head.form != "csv" or "invalid state" not in str(error):
                    raise
                # line ends of several kinds in one file: correct CSV, but not to DuckDB
                self._insert(number, self._rewritten(head), entry)
        except duckdb.Error as error:
            raise _broken(head, error) from error

    def _insert(self, number: int, head: _Head, entry: Entry) -> None:
        official = official_names(entry.table)
        others = [_head_of(path, entry, joined=True) for path in self._files[number].joined]
        cells: list[tuple[Field, _Cell]] = []
        places: dict[str, list[int]] = {}
        for name, columns in entry.fields.items():
            for column in columns:
                cell = _locate(column, head, others)
                if cell is None:  # the file changed since its header was looked at
                    raise BadTable(
                        _place(head),
                        f"lost its column {column!r}; run again",
                        vi=f"mất cột {column!r}; chạy lại",
                    )
                places.setdefault(name, []).append(len(cells))
                cells.append((official[name], cell))
        identity = "null"
        if "ma_lk" not in entry.fields and entry.table == "XML1":
            every = ", ".join(f"coalesce(m.c{i}::varchar, chr(30))" for i in range(len(head.names)))
            identity = f"sha256(concat_ws(chr(31), {every}))"
        source = self._source(head, others, entry)
        query = f"select m._n, {identity} as _id{_as(self._text(cell) for _, cell in cells)} from {source}"
        for layer in (self._trimmed, self._without_nulls, self._dates, self._codes, self._numbers):
            steps = [layer(f"v{i}", official, cell, entry) for i, (official, cell) in enumerate(cells)]
            query = f"select _n, _id{_as(steps)} from ({query})"
        values = [f'{_combined(official[name], used)} as "{name}"' for name, used in places.items()]
        values += [f'{_quoted(value)} as "{name}"' for name, value in entry.constants.items()]
        given = "".join(f", {value}" for value in values)
        self._sql.execute(
            f"insert into raw_{entry.table} by name select {number}::integer as _file, _n, _id{given} from ({query})"
        )

    def _source(self, head: _Head, others: Sequence[_Head], entry: Entry) -> str:
        """The numbered rows of the file as `m`, with at most one row of each joined file beside it."""
        sql = f"(select row_number() over () as _n, * from {self._rows(head)}) m"
        for number, (other, join) in enumerate(zip(others, entry.joins, strict=True)):
            keys = [(head.position(ours), other.position(theirs)) for ours, theirs in join.on]
            made = f"joined_{next(self._made)}"
            ours = [self._key(_Cell(f"m.c{a}", _kind(head, a)), entry) for a, _ in keys if a is not None]
            theirs = [self._key(_Cell(f"c{b}", _kind(other, b)), entry) for _, b in keys if b is not None]
            wanted = sorted(
                {
                    cell.sql.partition(".")[2]
                    for columns in entry.fields.values()
                    for column in columns
                    if (cell := _locate(column, head, others)) and cell.sql.startswith(f"j{number}.")
                }
            )
            named = ", ".join(f"{key} as k{i}" for i, key in enumerate(theirs))
            self._sql.execute(
                f"create table {made} as select {', '.join([named, *wanted])}, min(_n) as _n from "
                f"(select row_number() over () as _n, * from {self._rows(other)}) group by all"
            )
            names = ", ".join(f"k{i}" for i in range(len(keys)))
            known = " and ".join(f"k{i} is not null" for i in range(len(keys)))
            twice = self._sql.execute(
                f"select max(_n) as n from {made} where {known} group by {names} having count(*) > 1 order by n limit 1"
            ).fetchone()
            if twice:
                columns = ", ".join(theirs for _, theirs in join.on)
                raise BadTable(
                    _place(other),
                    f"row {twice[0]} has the same {columns} as an earlier one, but other values; it is joined to "
                    f"{head.path.name} and must have one row for each {columns}",
                    vi=f"dòng {twice[0]} trùng {columns} với dòng trước nhưng khác giá trị; tệp được ghép vào "
                    f"{head.path.name} nên mỗi {columns} chỉ được có một dòng",
                )
            equal = " and ".join(f"{key} = j{number}.k{i}" for i, key in enumerate(ours))
            sql += f" left join {made} j{number} on {equal}"
        return sql

    def _rows(self, head: _Head) -> str:
        """The rows of a file, as columns c0, c1 and so on."""
        names = [f"c{i}" for i in range(len(head.names))]
        listed = ", ".join(names)
        if head.form == "xlsx":
            return f"{_parquet(self._sheet(head))} as t({listed})"
        if head.form == "parquet":
            return f"{_parquet([_safe(head.path, self._folder)])} as t({listed})"
        if head.wide:
            head = self._rewritten(head)
        columns = ", ".join(f"'{name}': 'VARCHAR'" for name in names)
        packed = "gzip" if head.packed else "none"
        return (
            f"read_csv({_quoted(str(_safe(head.path, self._folder)))}, auto_detect=false, header=true, "
            f"columns={{{columns}}}, delim={_quoted(head.delimiter)}, quote='\"', escape='\"', compression='{packed}') "
            f"as t({listed})"
        )

    def _rewritten(self, head: _Head) -> _Head:
        """A copy in UTF-8 with line ends of one kind: slower, for what DuckDB cannot read."""
        target = self._folder / f"copy-{next(self._made)}.csv"
        try:
            with _csv_text(head) as stream, target.open("w", encoding="utf-8", newline="") as out:
                reader = csv.reader(stream, delimiter=head.delimiter, strict=True)
                writer = csv.writer(out)
                for row in reader:
                    if len(row) == len(head.names):
                        writer.writerow(row)
                    elif row:
                        raise _wrong_width(str(head.path), reader.line_num, len(head.names), len(row))
        except UnicodeError as error:
            raise _not_utf8(head.path) from error
        except (csv.Error, OSError, EOFError, zlib.error) as error:
            raise _unreadable(head.path, error) from error
        return replace(head, path=target, delimiter=",", packed=False, wide=False)

    def _sheet(self, head: _Head) -> list[Path]:
        """A sheet as Parquet files of text; rows without any value are no rows."""
        width = len(head.names)
        schema = {f"c{i}": pl.String for i in range(width)}
        parts: list[Path] = []

        def write(rows: list[list[str | None]]) -> None:
            parts.append(self._folder / f"sheet-{next(self._made)}.parquet")
            pl.DataFrame(rows, schema=schema, orient="row").write_parquet(parts[-1])

        with _workbook(head.path) as book:
            sheet = book[head.sheet]
            sheet.reset_dimensions()
            held: list[list[str | None]] = []
            header = True
            for number, cells in enumerate(sheet.iter_rows(values_only=True), 1):
                row = [None if cell is None else _excel_text(cell) for cell in cells]
                if all(cell is None for cell in row):
                    continue
                if header:
                    header = False
                    continue
                if any(cell is not None for cell in row[width:]):
                    raise _wrong_width(_place(head), number, width, len(row))
                held.append((row + [None] * width)[:width])
                if len(held) == _SHEET_ROWS:
                    write(held)
                    held = []
            if held or not parts:
                write(held)
        return parts

    # from a cell to the text of a claim, one layer a step

    def _key(self, cell: _Cell, entry: Entry) -> str:
        text = self._text(cell)
        return _nulled(_trim(f"({text})::varchar"), entry)

    @staticmethod
    def _text(cell: _Cell) -> str:
        """A column as plain text; moments stay moments until their field says how they are written."""
        kind = cell.kind
        if kind in ("DOUBLE", "FLOAT"):
            text = f"{cell.sql}::varchar"
            long = _plain(f"try_cast({text} as decimal(38, 12))")
            return (
                # not isnan(): with the statistics of a Parquet file, DuckDB takes it for never true
                f"case when {text} = 'nan' or {text} = '-nan' then null "
                f"when contains({text}, 'e') then coalesce({long}, {text}) "
                f"when {text} = '-0.0' then '0' else regexp_replace({text}, '\\.0$', '') end"
            )
        if kind == "TIMESTAMP WITH TIME ZONE":
            return f"make_timestamp(epoch_us({cell.sql}) + 25200000000)"  # Viet Nam is at UTC+7, summer and winter
        if kind == "DATE" or kind.startswith("TIMESTAMP"):
            return f"{cell.sql}::timestamp"
        if kind.endswith("[]"):
            return f"array_to_string({cell.sql}::varchar[], ';')"
        return f"{cell.sql}::varchar"

    @staticmethod
    def _trimmed(value: str, _official: Field, cell: _Cell, _entry: Entry) -> str:
        return _trim(value) if _is_text(cell) else value

    @staticmethod
    def _without_nulls(value: str, _official: Field, cell: _Cell, entry: Entry) -> str:
        return _nulled(value, entry) if _is_text(cell) else value

    @staticmethod
    def _dates(value: str, official: Field, cell: _Cell, entry: Entry) -> str:
        if _is_moment(cell):
            return f"strftime({value}, '{claim_form(official)}')"
        formats = list(entry.dates.get(official.name, ()))
        if cell.kind == "EXCEL":
            formats.append((_EXCEL_DATE + MOMENT, claim_form(official)))
        if not formats:
            return value
        tried = [f"strftime(try_strptime({value}, {_quoted(given)}), '{out}')" for given, out in formats]
        return f"coalesce({', '.join(tried)}, {value})"

    def _codes(self, value: str, official: Field, _cell: _Cell, entry: Entry) -> str:
        codes = entry.codes.get(official.name)
        if not codes:
            return value
        made = f"codes_{next(self._made)}"
        pairs = {source: code for source, code in codes.items() if source not in ("*", "")}
        self._sql.execute(f"create table {made} (source varchar, code varchar)")
        self._sql.execute(f"insert into {made} select unnest(?), unnest(?)", [list(pairs), list(pairs.values())])
        other = _quoted(codes["*"]) if "*" in codes else value
        empty = _quoted(codes[""]) if "" in codes else "null"
        # a subquery becomes a hash join, where a CASE of thousands of codes would be tried one by one
        found = f"coalesce((select code from {made} where source = {value}), {other})"
        return f"nullif(case when {value} is null then {empty} else {found} end, '')"

    @staticmethod
    def _numbers(value: str, official: Field, _cell: _Cell, entry: Entry) -> str:
        """Numbers with a point and without an exponent; what is no number stays as written."""
        if official.kind not in ("decimal", "int"):
            return value
        number = value
        if entry.decimal:
            thousands = "." if entry.decimal == "," else ","
            mark, point = re.escape(thousands), re.escape(entry.decimal)
            shape = rf"[+-]?[0-9]{{1,3}}([{mark} \x{{00a0}}]?[0-9]{{3}})*({point}[0-9]+)?"
            bare = f"replace(regexp_replace({value}, '[{mark} \\x{{00a0}}]', '', 'g'), '{entry.decimal}', '.')"
            number = f"case when regexp_full_match({value}, '{shape}') then {bare} else {value} end"
        factor = entry.units.get(official.name)
        exact = f"try_cast({number} as decimal(38, 12))"
        is_number = f"regexp_full_match({number}, '{_NUMBER}')"
        if factor is None:
            done = f"regexp_full_match({number}, '-?[0-9]+(\\.[0-9]+)?')"  # nearly all: looked at first
            return (
                f"case when {done} then {number} when {is_number} then coalesce({_plain(exact)}, {number}) "
                f"else {number} end"
            )
        # what is too large must not pass for an amount in the unit of the claim: the checks will refuse this text
        failed = f"{value} || ' x {factor:f}'"
        product = _plain(f"try({exact} * {factor:f}::decimal({_width(factor)}))")
        return f"case when {is_number} then coalesce({product}, {failed}) else {number} end"

    # from files to encounters

    def order(self) -> None:
        """Give each row its encounter, and bring all rows into the order of encounters."""
        if "XML1" in self._columns:
            self._order_encounters()
        for table in self._columns:
            if table != "XML1":
                self._order_lines(table)
        for table in self._columns:
            # a line without an encounter: its number must tell it from all the others
            self._sql.execute(
                f"create table left_{table} as select row_number() over (order by _file, _n) as row_no, * "
                f"exclude (hoso_no, _n) from own_{table} where hoso_no is null"
            )

    def _order_encounters(self) -> None:
        cells = ", ".join(f'r."{name}"' for name in self._columns["XML1"] if name != "ma_lk")
        self._sql.execute(
            f"""
            create table place as select _file, (sum(count(*)) over (order by _file) - count(*))::bigint as before
            from raw_XML1 group by _file;
            create table again as select _file, _n, row_number() over (partition by _id order by _file, _n) as k
            from raw_XML1 where _id is not null qualify k > 1;
            create table own_XML1 as
            select before + r._n as hoso_no, r._file, r._n, {cells},
                coalesce(r.ma_lk, 'r' || substr(r._id, 1, 24) || coalesce('-' || k, '')) as ma_lk
            from raw_XML1 r join place using (_file) left join again using (_file, _n) order by hoso_no;
            create table owner as select ma_cskcb, ma_lk, max(hoso_no) as hoso_no
            from own_XML1 where ma_lk is not null and ma_cskcb is not null group by all;
            create table alone as select ma_lk, any_value(ma_cskcb) as ma_cskcb, max(hoso_no) as hoso_no
            from own_XML1 where ma_lk is not null group by ma_lk having count(distinct coalesce(ma_cskcb, '')) = 1;
            drop table raw_XML1; drop table again; drop table place;
            """
        )

    def _order_lines(self, table: str) -> None:
        cells = ", ".join(f'r."{name}"' for name in self._columns[table] if name != "ma_cskcb")
        found, owners = "null::bigint", ""
        facility = "r.ma_cskcb"
        if "XML1" in self._columns:
            found = "coalesce(o.hoso_no, a.hoso_no)"
            facility = "coalesce(r.ma_cskcb, a.ma_cskcb)"
            owners = (
                "left join owner o on r.ma_cskcb = o.ma_cskcb and r.ma_lk = o.ma_lk "
                "left join alone a on case when r.ma_cskcb is null then r.ma_lk end = a.ma_lk"
            )
        self._sql.execute(
            f"create table own_{table} as select {found} as hoso_no, r._file, r._n, {facility} as ma_cskcb, {cells} "
            f"from raw_{table} r {owners} order by hoso_no nulls last, r._file, r._n; drop table raw_{table}"
        )

    def chunks(self, encounters_at_once: int) -> Iterator[dict[str, pl.DataFrame]]:
        """Whole encounters, as many at once as allowed by their number and by their rows."""
        for first, last in self._cuts(max(1, encounters_at_once)):
            chunk: dict[str, pl.DataFrame] = {}
            for table in self._columns:
                rows = self._sql.sql(
                    f"select * exclude (_n) from own_{table} where hoso_no between ? and ? order by hoso_no, _file, _n",
                    params=[first, last],
                ).pl()
                if rows.height:
                    numbers = pl.int_range(1, pl.len() + 1).over("hoso_no")
                    chunk[table] = self._frame(table, rows.with_columns(row_no=numbers))
            yield chunk

    def _cuts(self, most: int) -> Iterator[tuple[int, int]]:
        if "XML1" not in self._columns:
            return
        step = max(1, most // 64)
        every = " union all ".join(
            f"select (hoso_no - 1) // {step} as part from own_{table} where hoso_no is not null"
            for table in self._columns
        )
        first = rows = 0
        last = -1
        for part, count in self._sql.execute(
            f"select part, count(*) from ({every}) group by part order by part"
        ).fetchall():
            if last >= first and (rows + count > ROWS_AT_ONCE or (part + 1 - first) * step > most):
                yield first * step + 1, (last + 1) * step
                first, rows = part, 0
            last, rows = part, rows + count
        if last >= first:
            yield first * step + 1, (last + 1) * step

    def leftovers(self) -> Iterator[dict[str, pl.DataFrame]]:
        """Lines whose encounter is in no file."""
        for start in itertools.count(0, ROWS_AT_ONCE):
            chunk: dict[str, pl.DataFrame] = {}
            for table in self._columns:
                rows = self._sql.sql(
                    f"from left_{table} where row_no between ? and ? order by row_no",
                    params=[start + 1, start + ROWS_AT_ONCE],
                ).pl()
                if rows.height:
                    chunk[table] = self._frame(table, rows.with_columns(hoso_no=pl.lit(None, pl.Int64)))
            if not chunk:
                return
            yield chunk

    def _frame(self, table: str, rows: pl.DataFrame) -> pl.DataFrame:
        files = pl.Series("file", [str(f.path) for f in self._files], dtype=pl.String).gather(rows["_file"])
        return rows.select(
            *self._columns[table], pl.col("hoso_no").cast(pl.Int64), pl.col("row_no").cast(pl.Int32), file=files
        )


def _as(cells: Iterable[str]) -> str:
    return "".join(f", {cell} as v{i}" for i, cell in enumerate(cells))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _parquet(paths: Sequence[Path]) -> str:
    listed = ", ".join(_quoted(str(path)) for path in paths)
    return f"read_parquet([{listed}], binary_as_string=true, hive_partitioning=false)"


def _safe(path: Path, folder: Path) -> Path:
    """The path, or a link to it where DuckDB would take its name for a pattern."""
    if not set(str(path)) & set("*?[]{}"):
        return path
    link = folder / f"link-{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]}{path.suffix}"
    if not link.is_symlink():
        link.symlink_to(path.resolve())
    return link


def _is_moment(cell: _Cell) -> bool:
    return cell.kind == "DATE" or cell.kind.startswith("TIMESTAMP")


def _is_text(cell: _Cell) -> bool:
    return cell.kind not in _NUMERIC and not cell.kind.startswith("DECIMAL") and not _is_moment(cell)


def _trim(value: str) -> str:
    """Without blanks at the ends; to look for them first is much cheaper, because few cells have any."""
    ends = f"left({value}, 1) <= ' ' or right({value}, 1) <= ' ' or contains({value}, '\u00a0')"
    return f"case when {ends} then trim({value}, {_quoted(BLANKS)}) else {value} end"


def _nulled(value: str, entry: Entry) -> str:
    """Null for the words that mean nothing. A pattern, because DuckDB would make a join of a list for each column."""
    words = ("", *entry.nulls)
    longest = max(len(word.encode()) for word in words)
    pattern = _quoted("|".join(re.escape(word) for word in words))
    return f"case when strlen({value}) > {longest} or not regexp_full_match({value}, {pattern}) then {value} end"


def _combined(official: Field, used: Sequence[int]) -> str:
    """Several columns of one field: lists and free text take all values there are, any other the first."""
    values = ", ".join(f"v{i}" for i in used)
    if len(used) == 1:
        return values
    return f"nullif(concat_ws(';', {values}), '')" if official.kind in ("list", "text") else f"coalesce({values})"


def _plain(number: str) -> str:
    """A decimal as text without trailing zeros."""
    return f"rtrim(rtrim(({number})::varchar, '0'), '.')"


def _width(factor: Decimal) -> str:
    decimals = max(0, -cast("int", factor.normalize().as_tuple().exponent))
    whole = len(str(int(factor)))
    return f"{whole + decimals}, {decimals}"


def _wrong_width(place: str, line: int, expected: int, found: int) -> BadTable:
    return BadTable(
        place,
        f"line {line} has {found} cells, its header {expected}; mend the line, or export the file again",
        vi=f"dòng {line} có {found} ô, tiêu đề có {expected} cột; sửa lại dòng này hoặc xuất lại tệp",
    )


def _broken(head: _Head, error: Exception) -> BadTable:
    """What DuckDB says of a file, without the cells it quotes: they are of patients."""
    text = str(error)
    line = re.search(r"CSV Error on Line: (\d+)", text)
    width = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", text)
    if line and width:
        return _wrong_width(_place(head), int(line[1]), int(width[1]), int(width[2]))
    if "not utf-8" in text or "Invalid unicode" in text:
        return _not_utf8(head.path)
    if line:
        return BadTable(
            _place(head),
            f"line {line[1]} is not valid CSV: look for a quote that is not closed",
            vi=f"dòng {line[1]} không đúng định dạng CSV: kiểm tra dấu ngoặc kép chưa đóng",
        )
    return _unreadable(head.path, error)
