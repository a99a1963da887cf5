"""The claims lake: Delta tables written by one process at a time, read by many at one consistent snapshot.

A commit spans several tables and is all or nothing. It is staged as Parquet files, then declared by a manifest (the
point of no return), then appended to each table with the commit's id as application transaction, then entered in `log`.
Readers only ever look through `log`, which names the version of every table, so half a commit cannot be seen; a process
killed after the manifest is rolled forward by the next writer, one killed before it leaves nothing.

Tables are append-only. Every received HOSO has a `version`; the highest of a (ma_cskcb, ma_lk) is current.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import duckdb
import narwhals as nw
import polars as pl
from filelock import FileLock, Timeout

from data.catalogues import CATALOGUES, Catalogues
from data.errors import MinhBachError
from data.schema import TABLES, ClaimTables, collected, columns, set_apart

if TYPE_CHECKING:
    from types import TracebackType

    from deltalake import DeltaTable

Clock = Callable[[], datetime]
Kind = Literal["load", "catalogue", "score"]

READER_FEATURES = frozenset({"timestampNtz"})
"""Delta reader features under which a bare list of Parquet files is still the whole truth."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")

MONEY = pl.Decimal(18, 2)

PLAIN_TABLES: dict[str, dict[str, pl.DataType]] = {
    "person": {
        "version": pl.Int64(),
        "line_table": pl.String(),
        "row_no": pl.Int32(),
        "ma_cskcb": pl.String(),
        "ma_lk": pl.String(),
        "patient_id": pl.String(),
        **{name: pl.String() for name in set_apart("person")},
        "load_id": pl.String(),
    },
    "free_text": {
        "version": pl.Int64(),
        "line_table": pl.String(),
        "row_no": pl.Int32(),
        "ma_cskcb": pl.String(),
        "ma_lk": pl.String(),
        **{name: pl.String() for name in set_apart("free_text")},
        "month": pl.Int32(),
        "load_id": pl.String(),
    },
    "refused_row": {  # what was not loaded, so that nothing is lost
        "load_id": pl.String(),
        "version": pl.Int64(),
        "line_table": pl.String(),
        "row_no": pl.Int32(),
        "content": pl.String(),  # the row as JSON, every field as written
    },
    "unknown_row": {  # rows of tables that the standard does not know
        "ma_cskcb": pl.String(),
        "ma_lk": pl.String(),
        "loaihoso": pl.String(),
        "row_no": pl.Int32(),
        "content": pl.String(),
        "version": pl.Int64(),
        "load_id": pl.String(),
    },
    "intake_finding": {
        "load_id": pl.String(),
        "file": pl.String(),
        "file_sha256": pl.String(),
        "hoso_no": pl.Int32(),
        "line_table": pl.String(),
        "row_no": pl.Int32(),
        "version": pl.Int64(),
        "ma_cskcb": pl.String(),
        "ma_lk": pl.String(),
        "severity": pl.String(),  # quarantine: refused, not loaded; warn: loaded, the value set aside or doubtful
        "check_id": pl.String(),  # an id of `data.checks`, or FILE.code for what is wrong with a file or a HOSO
        "code": pl.String(),
        "field": pl.String(),
        "value": pl.String(),
        "hint_vi": pl.String(),  # only where the check's own hint does not do
        "hint_en": pl.String(),
    },
    "received": {  # rows by facility, day of discharge (null where it is not known) and table, a load
        "load_id": pl.String(),
        "ma_cskcb": pl.String(),
        "day": pl.Date(),
        "line_table": pl.String(),
        "rows_read": pl.Int64(),
        "rows_loaded": pl.Int64(),
    },
    "fault": {  # failed checks by the same and check: findings, counted, and those too slight to be kept one by one
        "load_id": pl.String(),
        "ma_cskcb": pl.String(),
        "day": pl.Date(),
        "line_table": pl.String(),
        "check_id": pl.String(),
        "code": pl.String(),
        "field": pl.String(),
        "severity": pl.String(),
        "failed": pl.Int64(),  # rows
        "claims": pl.Int64(),
        "example_ma_lk": pl.String(),
        "example_row_no": pl.Int32(),
        "example_value": pl.String(),
    },
    "supersession": {  # a claim that another one stands for although their MA_LK differ
        "load_id": pl.String(),
        "version": pl.Int64(),
        "by_version": pl.Int64(),
        "reason": pl.String(),  # copy: the same content; continued: its lines went into the inpatient file
        "month": pl.Int32(),
    },
    "loaded_file": {
        "file_sha256": pl.String(),
        "file": pl.String(),
        "load_id": pl.String(),
        "encounters": pl.Int64(),
    },
    "claim_score": {
        "run_id": pl.String(),
        "month": pl.Int32(),
        "ma_cskcb": pl.String(),
        "ma_lk": pl.String(),
        "version": pl.Int64(),
        "patient_id": pl.String(),
        "doctor": pl.String(),
        "province": pl.String(),
        "ma_loai_kcb": pl.String(),
        "ngay_vao": pl.Datetime("us"),
        "ngay_ra": pl.Datetime("us"),
        "ma_benh_chinh": pl.String(),
        "t_bhtt": MONEY,
        "expected_paid": pl.Float64(),
        "score": pl.Float64(),
        "flagged": pl.Boolean(),
        "amount_at_risk": MONEY,
        "expected_recoverable": MONEY,
        "likelihood": pl.Float64(),  # that at least one of its signs is confirmed
        "promise": pl.Float64(),  # the same, knowing who sent it: what a flag adds to the promise of its run
        "pattern": pl.String(),  # the same for claims alike: facility, main sign and item; none without a sign
        "signs": pl.Int32(),  # rules and detectors that say something
        "named_lines": pl.Int32(),  # lines that they name
        "schemes": pl.List(pl.String()),
        "status": pl.String(),
        "reason_vi": pl.String(),
        "reason_en": pl.String(),
        "reasons_vi": pl.String(),
        "reasons_en": pl.String(),
        "evidence": pl.String(),
    },
    "signal": {
        "run_id": pl.String(),
        "month": pl.Int32(),
        "ma_cskcb": pl.String(),
        "ma_lk": pl.String(),
        "version": pl.Int64(),
        "line_table": pl.String(),
        "row_no": pl.Int32(),
        "source": pl.String(),
        "scheme": pl.String(),
        "severity": pl.String(),
        "amount": MONEY,
        "expected_recoverable": MONEY,
        "observed": pl.Float64(),
        "allowed": pl.Float64(),
    },
    "shadow_signal": {  # what a rule in shadow or a snooze kept back: counted, never shown, in no score
        "run_id": pl.String(),
        "month": pl.Int32(),
        "ma_cskcb": pl.String(),
        "ma_lk": pl.String(),
        "version": pl.Int64(),
        "line_table": pl.String(),
        "row_no": pl.Int32(),
        "source": pl.String(),
        "scheme": pl.String(),
        "severity": pl.String(),
        "amount": MONEY,
        "observed": pl.Float64(),
        "allowed": pl.Float64(),
    },
    "entity_score": {
        "run_id": pl.String(),
        "level": pl.String(),
        "entity_id": pl.String(),
        "province": pl.String(),
        "score": pl.Float64(),
        "flagged": pl.Boolean(),
        "amount_at_risk": MONEY,
        "expected_recoverable": MONEY,
        "schemes": pl.List(pl.String()),
        "status": pl.String(),
        "reasons_vi": pl.String(),
        "reasons_en": pl.String(),
        "evidence": pl.String(),
        "claims": pl.Int64(),
        "t_bhtt": MONEY,
    },
}
"""Tables whose columns are written here; the claim tables' come from the official fields."""

APPEND_SETTINGS: Mapping[str, str | int | bool] = {
    "memory_limit": "380MB",
    "threads": 1,  # each of several threads would pin memory of its own; two tables are appended at a time instead
    "preserve_insertion_order": False,  # the query says the order
}
"""For sorting what a load adds to a table; what does not fit spills to disk: memory does not grow with the load."""

CLAIM_TABLES = tuple(TABLES.values())
RESTRICTED = frozenset({"person", "refused_row", "unknown_row"})
"""Tables that name persons: read only through `Reader.restricted`, which tells on every look."""

Record = Callable[[str, int], None]
"""Is told the restricted table and the number of rows before they are given out."""

_LOG_SCHEMA = {
    "snapshot": pl.Int64(),
    "kind": pl.String(),
    "commit_id": pl.String(),
    "at": pl.String(),
    "versions": pl.String(),
    "info": pl.String(),
}


class LakeLocked(MinhBachError):
    """Another process is writing the lake."""

    code, http_status, exit_code = "lake_locked", 409, 3

    def __init__(self, owner: str) -> None:
        """`owner` is what the lock file says of the process that holds it."""
        super().__init__(
            f"the lake is being written by {owner or 'another process'}: wait for it to finish, then run again",
            vi=f"kho dữ liệu đang được ghi bởi {owner or 'tiến trình khác'}: hãy chờ xong rồi chạy lại",
        )


class UnknownSnapshot(MinhBachError):
    """A snapshot that the lake does not have."""

    code, http_status = "unknown_snapshot", 404

    def __init__(self, asked: int, newest: int) -> None:
        """`newest` is the highest snapshot there is."""
        super().__init__(
            f"snapshot {asked} does not exist: the lake has 0 to {newest}",
            vi=f"không có ảnh chụp dữ liệu {asked}: kho có từ 0 đến {newest}",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One commit: what it was, and the version of every table after it."""

    snapshot: int
    kind: str
    commit_id: str
    at: str
    versions: Mapping[str, int]
    info: Mapping[str, Any]


def table_columns(name: str) -> dict[str, pl.DataType]:
    """Columns and types of any lake table. Raises KeyError for a name the lake does not know."""
    if name in PLAIN_TABLES:
        return PLAIN_TABLES[name]
    if name.startswith("catalogue_"):
        return CATALOGUES[name.removeprefix("catalogue_")].dtypes()
    return columns(name)


def table_names() -> tuple[str, ...]:
    """Every table of the lake, whether or not anything was written to it yet."""
    return (*CLAIM_TABLES, *PLAIN_TABLES, *(f"catalogue_{name}" for name in CATALOGUES))


class Lake:
    """The store under one folder. Cheap to make; opens nothing until asked."""

    def __init__(self, root: Path, *, clock: Clock, memory: str = "4GB", threads: int = 2) -> None:
        """`clock` gives the time written into the log; `memory` and `threads` bound each DuckDB connection."""
        self.root = root
        self._clock = clock
        self._memory = memory
        self._threads = threads
        self._log: DeltaTable | None = None
        self._entries: dict[str, LogEntry] = {}

    # reading

    def log(self, kind: Kind | None = None) -> list[LogEntry]:
        """Every commit so far, oldest first."""
        from deltalake import DeltaTable  # slow import: only those who read the lake wait for it

        path = self._path("log")
        if self._log is None:
            if not DeltaTable.is_deltatable(str(path)):
                return []
            self._log = DeltaTable(str(path))
        else:
            self._log.update_incremental()
        for uri in self._log.file_uris():
            if uri not in self._entries:
                for row in pl.read_parquet(uri).iter_rows(named=True):
                    self._entries[uri] = LogEntry(
                        snapshot=row["snapshot"],
                        kind=row["kind"],
                        commit_id=row["commit_id"],
                        at=row["at"],
                        versions=json.loads(row["versions"]),
                        info=json.loads(row["info"]),
                    )
        entries = sorted(self._entries.values(), key=lambda entry: entry.snapshot)
        return [entry for entry in entries if kind is None or entry.kind == kind]

    def snapshot(self) -> int:
        """Number of the newest snapshot; 0 when nothing was ever written."""
        entries = self.log()
        return entries[-1].snapshot if entries else 0

    def committed(self, commit_id: str) -> bool:
        """Whether a commit of this id is in the log."""
        return any(entry.commit_id == commit_id for entry in self.log())

    def reader(self, snapshot: int | None = None) -> Reader:
        """A consistent view of `snapshot` (default: the newest). Raises UnknownSnapshot."""
        entries = self.log()
        newest = entries[-1].snapshot if entries else 0
        wanted = newest if snapshot is None else snapshot
        if wanted == 0:
            return Reader(self, 0, {})
        for entry in entries:
            if entry.snapshot == wanted:
                return Reader(self, wanted, entry.versions)
        raise UnknownSnapshot(wanted, newest)

    def files(self, table: str, version: int) -> list[str]:
        """Parquet files of `table` at a Delta version."""
        from deltalake import DeltaTable

        delta = DeltaTable(str(self._path(table)), version=version)
        protocol = delta.protocol()
        features = set(protocol.reader_features or [])
        if protocol.min_reader_version > 1 and not features <= READER_FEATURES:
            raise MinhBachError(
                f"table {table} uses Delta features {sorted(features - READER_FEATURES)} that this version cannot read",
                vi=f"bảng {table} dùng tính năng Delta chưa hỗ trợ: {sorted(features - READER_FEATURES)}",
            )
        return delta.file_uris()

    # writing

    @contextmanager
    def writer(self, owner: str) -> Generator[None]:
        """Hold the one writer's lock; first finishes a commit that an interrupted process had declared.

        Raises LakeLocked when another process holds it. The lock dies with its process.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        for folder in ("restricted", "staging"):  # what names persons lies in both, for a moment in the second
            (self.root / folder).mkdir(exist_ok=True, mode=0o700)
        note = self.root / "writer.json"
        lock = FileLock(self.root / "writer.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            held = json.loads(note.read_text()) if note.exists() else {}
            raise LakeLocked(f"{held.get('owner', '')} (pid {held.get('pid', '?')})") from None
        try:
            _write_whole(note, json.dumps({"owner": owner, "pid": os.getpid()}))
            self._recover()
            yield
        finally:
            note.unlink(missing_ok=True)
            lock.release()

    def staging(self, commit_id: str) -> Path:
        """An empty folder for the Parquet files of a commit in the making. Call inside `writer`."""
        folder = self.root / "staging" / commit_id
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        return folder

    def named(self, folder: Path, commit_id: str, staged: Mapping[str, Sequence[Path]]) -> dict[str, list[Path]]:
        """Give a staging folder the name of its commit; the staged files as they are called then."""
        target = self.root / "staging" / commit_id
        if target.exists():
            shutil.rmtree(target)
        folder.rename(target)
        return {table: [target / path.relative_to(folder) for path in paths] for table, paths in staged.items()}

    def drop(self, folder: Path) -> None:
        """Remove a staging folder that comes to nothing."""
        shutil.rmtree(folder)

    def commit(self, kind: Kind, commit_id: str, staged: Mapping[str, Sequence[Path]], info: Mapping[str, Any]) -> int:
        """Append the staged files to their tables and enter the commit in the log: all or nothing, exactly once.

        The files must lie in `staging(commit_id)`. Returns the new snapshot. Call inside `writer`.
        """
        folder = self.root / "staging" / commit_id
        manifest = {
            "kind": kind,
            "commit_id": commit_id,
            "at": self._clock().isoformat(timespec="seconds"),
            "staged": {t: [p.relative_to(folder).as_posix() for p in paths] for t, paths in staged.items() if paths},
            "info": dict(info),
        }
        _write_whole(folder / "manifest.json", json.dumps(manifest, ensure_ascii=False))
        return self._roll_forward(folder)

    def _recover(self) -> None:
        for folder in sorted((self.root / "staging").glob("*")):
            if (folder / "manifest.json").exists():
                self._roll_forward(folder)
            else:
                shutil.rmtree(folder)

    def _roll_forward(self, folder: Path) -> int:
        manifest = json.loads((folder / "manifest.json").read_text())
        commit_id: str = manifest["commit_id"]
        entries = self.log()
        done = [entry for entry in entries if entry.commit_id == commit_id]
        if done:
            shutil.rmtree(folder)
            return done[0].snapshot
        versions = dict(entries[-1].versions) if entries else {}
        staged = {table: [folder / name for name in names] for table, names in manifest["staged"].items()}
        with ThreadPoolExecutor(self._threads) as pool:
            tables = pool.map(lambda table: self._append(table, commit_id, staged[table]), staged)
            versions |= dict(zip(staged, tables, strict=True))
        snapshot = (entries[-1].snapshot if entries else 0) + 1
        row = pl.DataFrame(
            {
                "snapshot": [snapshot],
                "kind": [manifest["kind"]],
                "commit_id": [commit_id],
                "at": [manifest["at"]],
                "versions": [json.dumps(versions, sort_keys=True)],
                "info": [json.dumps(manifest["info"], ensure_ascii=False)],
            },
            schema=_LOG_SCHEMA,
        )
        self._append_delta("log", commit_id, row.to_arrow(), partitioned=False)
        shutil.rmtree(folder)
        return snapshot

    def _append(self, table: str, commit_id: str, files: Sequence[Path]) -> int:
        wanted = table_columns(table)
        # Numbers sort several times as fast as keys of text, and a load's versions run by file, so by facility.
        order = [c for c in ("month", "ngay_ra", "version", "row_no", "ma_cskcb", "ma_lk") if c in wanted]
        order = order[:-2] if "version" in order else order
        sort = f"order by {', '.join(order)}" if order else ""
        with duckdb.connect(config={**self.settings(), **APPEND_SETTINGS}) as connection:
            # a load learns its own name only after all of it was read
            cells = ", ".join("$commit_id as load_id" if c == "load_id" else c for c in wanted)
            given: dict[str, Any] = {"files": [str(f) for f in files]}
            given |= {"commit_id": commit_id} if "load_id" in wanted else {}
            rows = connection.sql(f"select {cells} from read_parquet($files, union_by_name=true) {sort}", params=given)
            return self._append_delta(table, commit_id, rows, partitioned="month" in wanted)

    def _append_delta(self, table: str, commit_id: str, rows: Any, *, partitioned: bool) -> int:
        from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

        path = self._path(table)
        if DeltaTable.is_deltatable(str(path)):
            existing = DeltaTable(str(path))
            if existing.transaction_version(commit_id) is not None:
                return existing.version()
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_deltalake(
            str(path),
            rows,
            mode="append",
            schema_mode="merge",  # a column that came later
            partition_by=["month"] if partitioned else None,
            commit_properties=CommitProperties(app_transactions=[Transaction(commit_id, 1)]),
        )
        return DeltaTable(str(path)).version()

    def _path(self, table: str) -> Path:
        return self.root / "restricted" / table if table in RESTRICTED else self.root / "tables" / table

    def settings(self) -> dict[str, str | bool | int | float | list[str]]:
        """DuckDB's configuration for every connection to this lake."""
        return {
            "memory_limit": self._memory,
            "threads": self._threads,
            "autoinstall_known_extensions": False,
            "temp_directory": str(self.root / "spill"),
            "preserve_insertion_order": True,
        }


_SQL_TYPES = {
    "String": "varchar",
    "Int32": "integer",
    "Int64": "bigint",
    "Float64": "double",
    "Boolean": "boolean",
    "Date": "date",
    "Datetime(time_unit='us', time_zone=None)": "timestamp",
    "Decimal(precision=18, scale=2)": "decimal(18, 2)",
    "Decimal(precision=18, scale=3)": "decimal(18, 3)",
    "List(String)": "varchar[]",
}

_CLAIM_VERSION = """
    create view claim_version as
    select e.version, e.ma_cskcb, e.ma_lk, e.load_id, e.load_seq, e.month, e.t_bhtt, e.file_sha256,
           coalesce(lead(e.version) over same, c.by_version) as superseded_by,
           case when e.withdrawn then 'withdrawal'
                when c.version is not null then c.reason
                when lag(e.version) over same is null then 'new'
                when e.content_id = lag(e.content_id) over same and e.ngay_ttoan is not distinct from
                     lag(e.ngay_ttoan) over same then 'duplicate'
                else 'replacement' end as change,
           s.version is null and c.version is null as current
    from encounter_history e left join superseded s using (version) left join copied c using (version)
    window same as (partition by e.ma_cskcb, e.ma_lk order by e.version)
"""
"""Every version of every claim: how it came, what stands for it now, whether it counts."""


class Reader:
    """One snapshot behind SQL views: every table by name, the claim tables in their current versions, money once.

    All versions of claims are readable as `<table>_history`; `claim_version` says how they follow each other, and
    `claimed_encounter` has copies under another MA_LK too, because money is asked for them (`copy_of` names the
    version that stands for each).
    """

    def __init__(self, lake: Lake, snapshot: int, versions: Mapping[str, int]) -> None:
        """Use `Lake.reader`."""
        self.snapshot = snapshot
        self._lake = lake
        self._versions = versions
        self._catalogues: Catalogues | None = None
        self._connection = duckdb.connect(config=lake.settings())
        for table in table_names():
            if table not in RESTRICTED:
                self._view(table)
        self._connection.execute(
            """
            create table superseded as select version from (select version, withdrawn,
            row_number() over (partition by ma_cskcb, ma_lk order by version desc) as age from encounter_history)
            where age > 1 or withdrawn;
            create table copied as select version, any_value(by_version order by by_version) as by_version,
            any_value(reason order by by_version) as reason from supersession
            where by_version not in (from superseded) and version not in (from superseded) group by version;
            """
        )
        self._connection.execute(
            "create view claimed_encounter as select *, copied.by_version as copy_of from encounter_history "
            "left join copied using (version) anti join superseded using (version)"
        )
        for table in CLAIM_TABLES:
            self._connection.execute(
                f"create view {table} as select * from {table}_history "
                "anti join superseded using (version) anti join copied using (version)"
            )
        self._connection.execute(_CLAIM_VERSION)

    def _view(self, table: str) -> None:
        name = f"{table}_history" if table in CLAIM_TABLES else table
        rows = self._rows(table)
        if rows is not None:
            self._connection.execute(f"create view {name} as {rows}")
            return
        self._connection.execute(f"create view {name} as from {self._empty(table)}")

    @staticmethod
    def _empty(table: str) -> str:
        """A source of no rows with the columns of a table."""
        cells = ", ".join(f'cast(null as {_SQL_TYPES[str(t)]}) as "{c}"' for c, t in table_columns(table).items())
        return f"(select {cells} where false)"

    def _rows(self, table: str) -> str | None:
        """SELECT giving the rows of a table in this snapshot; None when it has none."""
        if table not in self._versions:
            return None
        wanted = table_columns(table)
        files = self._lake.files(table, self._versions[table])
        if not files:
            return None
        listed = ", ".join("'" + f.replace("'", "''") + "'" for f in files)
        hive = ", hive_partitioning=true, hive_types={'month': INTEGER}" if "month" in wanted else ""
        names = ", ".join(f'"{c}"' for c in wanted)
        rows = f"from read_parquet([{listed}], union_by_name=true{hive})"
        return (
            f"select {names} from ({rows} union all by name from {self._empty(table)})"  # files of before lack columns
        )

    def __enter__(self) -> Self:
        """Open already; closes at the end of the block."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Close the connection; views and temporary tables go with it."""
        self._connection.close()

    def sql(self, query: str, params: Any = None) -> duckdb.DuckDBPyRelation:
        """The lazy result of a query."""
        return self._connection.sql(query, params=params)

    def pl(self, query: str, params: Any = None) -> pl.DataFrame:
        """The result of a query as a frame. Safe from several threads: each call has its own cursor."""
        cursor = self._connection.cursor()
        try:
            return cursor.sql(query, params=params).pl()
        finally:
            cursor.close()

    def batches(self, query: str, params: Any = None, *, rows: int) -> Iterator[pl.DataFrame]:
        """The result of a query, in frames of about `rows` rows, never whole in memory. Safe from several threads."""
        cursor = self._connection.cursor()
        try:
            for batch in cursor.sql(query, params=params).to_arrow_reader(rows):
                yield pl.DataFrame(pl.from_arrow(batch))
        finally:
            cursor.close()

    def restricted(self, table: str, query: str, params: Any = None, *, record: Record) -> pl.DataFrame:
        """The result of a query on a table that names persons, which it calls `restricted`.

        `record` is told the table and the number of rows before they are given out: no look without an entry.
        """
        if table not in RESTRICTED:
            raise ValueError(f"{table} is not restricted: query it by its name")
        rows = self._rows(table)
        found = pl.DataFrame() if rows is None else self.pl(f"with restricted as ({rows}) {query}", params)
        record(table, found.height)
        return found

    def run(self, statements: str) -> None:
        """Run statements that make temporary tables of this reader, for the queries that follow."""
        self._connection.execute(statements)

    def keep_files(self, name: str, table: str, files: Sequence[Path]) -> None:
        """Make staged Parquet files of a lake table readable as the view `name`; replaces an earlier one."""
        listed = ", ".join("'" + str(f).replace("'", "''") + "'" for f in files)
        source = f"read_parquet([{listed}], union_by_name=true)" if files else self._empty(table)
        self._connection.execute(f"create or replace view {name} as from {source}")

    def keep(self, name: str, rows: pl.DataFrame) -> None:
        """Hold `rows` as a table of this reader, for the queries that follow; replaces an earlier one of the name."""
        self._connection.register("_kept", rows.to_arrow())
        self._connection.execute(f"create or replace table {name} as select * from _kept")
        self._connection.unregister("_kept")

    def catalogues(self) -> Catalogues:
        """The catalogues of this snapshot, as Polars lazy frames; those never loaded say so."""
        if self._catalogues is None:
            frames: dict[str, nw.LazyFrame[Any]] = {}
            for name in CATALOGUES:
                rows = self.pl(f"select * from catalogue_{name}")
                if rows.height:
                    frames[name] = nw.from_native(CATALOGUES[name].newest(rows).lazy())
            self._catalogues = Catalogues(frames)
        return self._catalogues

    def _masks(self, cursor: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
        """Fills `_mask` for the `_picked` claims: what artefacts of software keep from detectors, see `data.quality`.

        Returns the masked fields by table.
        """
        from data.masks import masking_tickets

        tickets = masking_tickets(self)
        if not tickets.height:
            return {}
        cursor.register("_ticket", tickets.to_arrow())
        cursor.execute(
            """
            create or replace temp table _mask as
            select distinct f.line_table, f.version, f.row_no, f.field, t.mask
            from (select line_table, version, row_no, field, check_id from intake_finding
                  union all from _incoming_finding) f
            join (select version, ma_cskcb, ngay_ra from _picked
                  union all select version, ma_cskcb, ngay_ra from _incoming) p using (version)
            join _ticket t on t.ma_cskcb = p.ma_cskcb and t.check_id = f.check_id
             and cast(p.ngay_ra as date) between t.since and t.until
            """
        )
        cursor.unregister("_ticket")
        fields = cursor.execute("select distinct line_table, field from _mask order by all").fetchall()
        found: dict[str, list[str]] = {}
        for table, field in fields:
            found.setdefault(table, []).append(field)
        return found

    def claim_tables(
        self,
        where: str = "true",
        params: Sequence[Any] = (),
        *,
        extra: Mapping[str, pl.DataFrame] | None = None,
        engine: Literal["polars", "duckdb"] = "polars",
    ) -> ClaimTables:
        """The encounters that meet `where` (SQL on `claimed_encounter`: current ones and copies), with their lines.

        Cells and rows that an artefact of the facility's software spoils are left out.

        `extra` gives claims that are not in the lake (typed frames by table name, as intake makes them); they stand in
        for the lake's version of the same (ma_cskcb, ma_lk).
        """
        cursor = self._connection.cursor()
        more = dict(extra or {})
        incoming = more.get("encounter", pl.DataFrame(schema=columns("encounter")))
        cursor.register("_incoming", incoming.to_arrow())
        told = more.get("intake_finding", pl.DataFrame(schema=PLAIN_TABLES["intake_finding"]))
        cursor.register("_incoming_finding", told.select(_MASKED_BY).to_arrow())
        cursor.execute(
            "create or replace temp table _picked as select version, ma_cskcb, ngay_ra from "
            f"(select * from claimed_encounter where {where}) anti join _incoming using (ma_cskcb, ma_lk)",
            list(params),
        )
        masked = self._masks(cursor)
        frames: dict[str, nw.LazyFrame[Any]] = {}
        for table in ("encounter", "drug_line", "service_line", "lab_result"):
            named = ", ".join(columns(table))
            source = "claimed_encounter" if table == "encounter" else f"{table}_history"
            sources = [f"(from {source} semi join _picked using (version))"]
            if table in more and more[table].height:
                cursor.register(f"_more_{table}", more[table].select(columns(table).keys()).to_arrow())
                sources.append(f"_more_{table}")
            if table in masked:
                sources = [_behind_mask(table, rows, masked[table]) for rows in sources]
            query = " union all ".join(f"select {named} from {rows}" for rows in sources)
            if table == "encounter":
                query = self._with_facility(cursor, query)
            if engine == "duckdb":
                cursor.execute(f"create or replace temp table _claims_{table} as {query}")
                frames[table] = nw.from_native(cursor.table(f"_claims_{table}"))
            else:
                frames[table] = nw.from_native(cursor.sql(query).pl().lazy())
        catalogues = self._catalogues_on(cursor) if engine == "duckdb" else self.catalogues()
        if engine == "polars":
            cursor.close()
        return ClaimTables(
            encounter=frames["encounter"],
            drug_line=frames["drug_line"],
            service_line=frames["service_line"],
            lab_result=frames["lab_result"],
            snapshot=self.snapshot,
            catalogues=catalogues,
        )

    def _with_facility(self, cursor: duckdb.DuckDBPyConnection, encounters: str) -> str:
        """SELECT of the `encounters` (SELECT) with province, and rank, level and kind of the facility on the day."""
        from data.asof import as_of

        listed = self.catalogues().get("facilities")
        given = pl.DataFrame(schema=CATALOGUES["facilities"].dtypes()) if listed is None else collected(listed)
        cursor.register("_facility", given.to_arrow())
        looked = as_of(
            nw.from_native(cursor.sql(f"select *, substr(ma_cskcb, 1, 2) as province from ({encounters})")),
            nw.from_native(cursor.table("_facility")),
            on=("ma_cskcb",),
            day="ngay_vao",
            take=("rank", "level", "kind"),
            prefix="facility_",
        )
        return looked.to_native().sql_query()

    def _catalogues_on(self, cursor: duckdb.DuckDBPyConnection) -> Catalogues:
        """The catalogues as DuckDB relations, for rows that are DuckDB's too."""
        frames: dict[str, nw.LazyFrame[Any]] = {}
        for name, frame in self.catalogues().frames.items():
            cursor.register("_given", collected(frame).to_arrow())
            cursor.execute(f"create or replace temp table _now_{name} as from _given")
            cursor.unregister("_given")
            frames[name] = nw.from_native(cursor.table(f"_now_{name}"))
        return Catalogues(frames)


_MASKED_BY = ("line_table", "version", "row_no", "field", "check_id")


def _behind_mask(table: str, rows: str, fields: Sequence[str]) -> str:
    """A source of `rows` without the rows and cells that `_mask` names."""
    flags = ", ".join(f"coalesce(bool_or(field = '{f}' and mask = 'cell'), false) as \"mask_{f}\"" for f in fields)
    cells = ", ".join(f'case when "mask_{f}" then null else r."{f}" end as "{f}"' for f in fields)
    return (
        f"(select r.* replace ({cells}) from {rows} r left join (select version, row_no, "
        f"bool_or(mask = 'row') as gone, {flags} from _mask where line_table = '{table}' group by all) m "
        "using (version, row_no) where m.gone is not true)"
    )


def _write_whole(path: Path, text: str) -> None:
    """Write so that a reader, or a process killed meanwhile, sees the old file or the new one, never a part."""
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
