"""Intake: from claim files to the lake, one commit a load, nothing lost, nothing twice.

Files are known by the hash of their uncompressed content: what was loaded once is skipped. The rest is read in batches
by worker processes, typed and checked, and staged as Parquet; then everything is committed together. A HOSO that comes
again under its (ma_cskcb, ma_lk) replaces the earlier one, a withdrawal takes it out; all versions stay in the lake's
history.
"""

from __future__ import annotations

import ctypes
import gc
import hashlib
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, Self

import polars as pl

from data.frames import FINDING, Batch, Origin, frames_of_records, frames_of_text, problem_row
from data.lake import PLAIN_TABLES, Lake, Reader
from data.schema import ENCOUNTER_KEY, TABLES
from data.sources import DEFAULT_LIMITS, Limits, Problem, Source, SourceRefusedError, find_sources, sha256_of
from data.versions import fresh_claims, supersessions
from data.xml130 import PlainRecord, Record, read_in_bulk

BATCH_BYTES = 24 * 1024 * 1024  # of claim files a worker reads before it writes: keeps memory flat
BATCH_FILES = 2_000
ROWS_AT_ONCE = 150_000  # rows of all tables held as Python objects before they are typed and written
TEXT_OF_A_ROW = 400  # bytes of text that take the place of such a row
_PENDING = "load-pending"  # a load gets its name, a hash of what is in it, when all of it was read
SMALL_LOAD = 6 * 1024 * 1024  # below this starting worker processes costs more than it saves
PARENT_CHECK_SECONDS = 1.0
FIRST_DAY_OF_TABLES = date(1990, 1, 1)  # extracts of other registers may be older than the standards of the XML
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
_KEPT_BYTES = 256 * 1024 * 1024

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """What one ingest did. `encounters_*` count HOSO; `quarantined` counts refused files and rows."""

    files: int
    files_skipped: int
    encounters_new: int
    encounters_replaced: int
    encounters_withdrawn: int
    drug_lines: int
    service_lines: int
    quarantined: int
    warnings: int
    snapshot: int
    seconds: float
    rows: Mapping[str, Mapping[str, int]]
    """By table: rows `read` = `loaded` (current) + `superseded` (kept as history only) + `quarantined`."""

    def as_json(self) -> dict[str, Any]:
        """The command's JSON object."""
        received = self.encounters_new + self.encounters_replaced + self.encounters_withdrawn
        return {name: getattr(self, name) for name in self.__dataclass_fields__} | {
            "seconds": round(self.seconds, 3),
            "encounters_per_second": round(received / self.seconds, 1) if self.seconds > 0 else 0.0,
        }


@dataclass(frozen=True, slots=True)
class _Job:
    """What a worker needs to read its share."""

    number: int
    sources: tuple[tuple[int, Source, str], ...]  # ordinal in the load, source, sha256
    folder: Path
    batch: Batch
    limits: Limits
    standard: str | None


@dataclass(slots=True)
class _Staged:
    """What a worker wrote: files by table, rows by table."""

    files: dict[str, list[Path]] = field(default_factory=dict[str, list[Path]])
    rows: dict[str, int] = field(default_factory=dict[str, int])
    bytes: int = 0

    def add(self, other: _Staged) -> None:
        for table, paths in other.files.items():
            self.files.setdefault(table, []).extend(paths)
        for table, count in other.rows.items():
            self.rows[table] = self.rows.get(table, 0) + count
        self.bytes += other.bytes


def ingest(
    lake: Lake,
    paths: Sequence[Path],
    *,
    key: bytes,
    received: datetime,
    standard: str | None = None,
    clock: Callable[[], float] = time.perf_counter,
    workers: int = 2,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> LoadReport:
    """Load claim files and folders. Call inside `lake.writer`.

    `key` makes the pseudonyms; `received` is the moment of receipt, which dates are checked against. `standard` ("130"
    or "4210") refuses records of the other one; by default each record's own content tells.
    """
    started = clock()
    found = list(find_sources(paths, limits=limits))
    expected = sum(source.size or 0 for source in found if isinstance(source, Source))
    with lake.reader() as reader:
        known = set(reader.pl("select file_sha256 from loaded_file")["file_sha256"].to_list())
    batch = Batch(load_id="", load_seq=lake.snapshot() + 1, received=received, key=key)
    folder = lake.staging(_PENDING)
    own_folder = folder / f"p{os.getpid()}"
    sorting, staged = _Sorting(known), _Staged()
    with _Workers(workers if expected > SMALL_LOAD else 1) as pool, _hashes(found, workers) as hashes:
        new = sorting.new(zip(found, hashes, strict=True))
        jobs = (_Job(number, part, own_folder, batch, limits, standard) for number, part in enumerate(_batches(new)))
        for done in pool.run(jobs):
            staged.add(done)
            if progress:
                progress(staged.bytes + sorting.skipped_bytes, expected)
    sources, problems = sorting.sources, sorting.problems
    load_id = _load_id([sha for _, _, sha in sources], problems)
    if (not sources and not problems) or lake.committed(load_id):  # nothing, or what could not be read last time too
        lake.drop(folder)
        return _nothing_new(lake, sorting.skipped, clock() - started, quarantined=len(problems))
    if problems:
        rows = [problem_row(problem, load_id, problem.source or "", sha) for problem, sha in problems]
        staged.add(_write(own_folder, "listed", {"intake_finding": pl.DataFrame(rows, schema=FINDING)}))
    files = (len(sources), sorting.skipped)
    return _finish(lake, staged, replace(batch, load_id=load_id), folder, files, lambda: clock() - started)


def ingest_tables(
    lake: Lake,
    paths: Sequence[Path],
    *,
    mapping: Path | None,
    key: bytes,
    received: datetime,
    clock: Callable[[], float] = time.perf_counter,
    progress: Progress | None = None,
) -> LoadReport:
    """Load CSV, Parquet or XLSX tables, as official fields or through a mapping. Call inside `lake.writer`.

    The files of one call are one load: an encounter and its lines may stand in different files. The same files with
    the same mapping are loaded once. Raises BadMapping, BadTable.
    """
    from data.mapping import read_mapping
    from data.tabular import find_tables, read_tables

    started = clock()
    rules = read_mapping(mapping) if mapping else None
    files = find_tables(paths, rules)
    hashes = {str(f.path): sha256_of(Source(name=str(f.path), size=None, path=f.path)) for f in files}
    wording = hashlib.sha256(mapping.read_bytes() if mapping else b"").hexdigest()
    joined = {path for f in files for path in f.joined}
    beside = [sha256_of(Source(name=str(path), size=None, path=path)) for path in sorted(joined)]
    load_id = _load_id([*hashes.values(), *beside, wording], [])
    if lake.committed(load_id):
        return _nothing_new(lake, len(hashes), clock() - started)
    load_seq = lake.snapshot() + 1
    folder = lake.staging(_PENDING)
    batch = Batch(load_id=load_id, load_seq=load_seq, received=received, key=key, first_day=FIRST_DAY_OF_TABLES)
    staged = _Staged()
    encounters = dict.fromkeys(hashes, 0)
    alone = load_seq << 42 | 1 << 41  # versions of rows whose encounter is in no file
    for number, chunk in enumerate(read_tables(files, rules, scratch=folder / "scratch")):
        text: dict[str, pl.DataFrame] = {}
        for source, rows in chunk.items():
            version = pl.when(pl.col("hoso_no").is_null()).then(alone + pl.col("row_no"))
            text[source] = rows.with_columns(
                version=version.otherwise((load_seq << 42) + pl.col("hoso_no")).cast(pl.Int64), standard=pl.lit("130")
            )
        summary = text.setdefault("XML1", pl.DataFrame(schema={**_NO_ROWS, "file": pl.String}))
        placed = summary.select("version", "file", "hoso_no").iter_rows()
        origin = {version: (file, hashes[file], hoso_no) for version, file, hoso_no in placed}
        for file, _, _ in origin.values():
            encounters[file] += 1
        keys = summary.select("version", *ENCOUNTER_KEY)
        whole = {
            name: (rows if name == "XML1" else _with_keys(rows, keys)).drop("file", "hoso_no", strict=False)
            for name, rows in text.items()
        }
        frames = frames_of_text(whole, origin, batch)
        staged.add(_write(folder, f"{number}", frames))
        if progress:
            progress(sum(encounters.values()), 0)
    loaded = [
        {"file_sha256": sha256, "file": file, "load_id": load_id, "encounters": encounters[file]}
        for file, sha256 in hashes.items()
    ]
    frame = pl.DataFrame(loaded, schema=PLAIN_TABLES["loaded_file"])
    staged.add(_write(folder, "files", {"loaded_file": frame}))
    return _finish(lake, staged, batch, folder, (len(hashes), 0), lambda: clock() - started)


_NO_ROWS: Mapping[str, pl.DataType] = {
    "version": pl.Int64(),
    "row_no": pl.Int32(),
    "hoso_no": pl.Int64(),
    "standard": pl.String(),
    **{name: pl.String() for name in ENCOUNTER_KEY},
}


def _with_keys(rows: pl.DataFrame, keys: pl.DataFrame) -> pl.DataFrame:
    """Lines under the key of their encounter; those of none keep their own."""
    own = [pl.col(c) if c in rows.columns else pl.lit(None, pl.String).alias(c) for c in ENCOUNTER_KEY]
    joined = rows.with_columns(own).join(keys, on="version", how="left", suffix="_of", maintain_order="left")
    return joined.with_columns(pl.coalesce(f"{c}_of", c).alias(c) for c in ENCOUNTER_KEY)


def _finish(
    lake: Lake,
    staged: _Staged,
    batch: Batch,
    folder: Path,
    files: tuple[int, int],
    seconds: Callable[[], float],
) -> LoadReport:
    """Say which claims stand for which, count, commit. `files` are those loaded and those skipped."""
    with lake.reader() as reader:
        fresh_claims(reader, staged.files)
        staged.add(_write(folder, "all", {"supersession": supersessions(reader, batch.load_id)}))
        counts = _count(reader, staged)
        rows = _rows(reader, staged)
    read, skipped = files
    info = {**counts, "files": read, "files_skipped": skipped, "load_seq": batch.load_seq, "rows": rows}
    snapshot = lake.commit("load", batch.load_id, lake.named(folder, batch.load_id, staged.files), info)
    return LoadReport(
        files=read,
        files_skipped=skipped,
        drug_lines=staged.rows.get("drug_line", 0),
        service_lines=staged.rows.get("service_line", 0),
        snapshot=snapshot,
        seconds=seconds(),
        rows=rows,
        **counts,
    )


def _nothing_new(lake: Lake, skipped: int, seconds: float, *, quarantined: int = 0) -> LoadReport:
    return LoadReport(
        files=0,
        files_skipped=skipped,
        encounters_new=0,
        encounters_replaced=0,
        encounters_withdrawn=0,
        drug_lines=0,
        service_lines=0,
        quarantined=quarantined,
        warnings=0,
        snapshot=lake.snapshot(),
        seconds=seconds,
        rows={},
    )


def _load_id(hashes: Sequence[str], problems: Sequence[tuple[Problem, str]]) -> str:
    named = [*sorted(hashes), *sorted(f"{p.source}:{p.code}" for p, _ in problems)]
    return "load-" + hashlib.sha256("\n".join(named).encode()).hexdigest()[:16]


def _batches(sources: Iterable[tuple[int, Source, str]]) -> Iterator[tuple[tuple[int, Source, str], ...]]:
    batch: list[tuple[int, Source, str]] = []
    size = 0
    for item in sources:
        batch.append(item)
        size += item[1].size or 0
        if size >= BATCH_BYTES or len(batch) >= BATCH_FILES:
            yield tuple(batch)
            batch, size = [], 0
    if batch:
        yield tuple(batch)


@contextmanager
def _hashes(found: Sequence[Source | Problem], threads: int) -> Generator[Iterator[str | Problem]]:
    """The hash of each source, or what keeps it from being read; they are made while the caller does other things."""
    with ThreadPoolExecutor(threads) as pool:
        yield pool.map(_sha256_or_problem, found)


class _Sorting:
    """Tells new sources from known ones and from what cannot be read, while their hashes come in."""

    def __init__(self, known: set[str]) -> None:
        self.sources: list[tuple[int, Source, str]] = []
        self.problems: list[tuple[Problem, str]] = []
        self.skipped = 0
        self.skipped_bytes = 0
        self._known = known

    def new(self, found: Iterable[tuple[Source | Problem, str | Problem]]) -> Iterator[tuple[int, Source, str]]:
        """The sources whose hash is not known yet, each with its ordinal among them."""
        for source, sha256 in found:
            if isinstance(source, Problem):
                self.problems.append((source, ""))
            elif isinstance(sha256, Problem):
                self.problems.append((sha256, ""))
            elif sha256 in self._known:
                self.skipped += 1
                self.skipped_bytes += source.size or 0
            else:
                self._known.add(sha256)
                self.sources.append((len(self.sources), source, sha256))
                yield self.sources[-1]


def _sha256_or_problem(source: Source | Problem) -> str | Problem:
    if isinstance(source, Problem):
        return source
    try:
        return sha256_of(source)
    except SourceRefusedError as error:
        return error.problem


class _Workers:
    """Worker processes that start while the caller still has something else to do; none for a single worker."""

    def __init__(self, count: int) -> None:
        self._pool: ProcessPoolExecutor | None = None
        if count > 1:
            context = multiprocessing.get_context("spawn")
            start = (context, _start_worker, (os.getpid(),))
            self._pool = ProcessPoolExecutor(count, *start)
            for _ in range(count):
                self._pool.submit(os.getpid)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def run(self, jobs: Iterable[_Job]) -> Iterator[_Staged]:
        """Run the jobs as they come, here or in worker processes; results come as they are done."""
        if self._pool is None:
            yield from map(_read_job, jobs)
            return
        for done in as_completed([self._pool.submit(_read_job, job) for job in jobs]):
            yield done.result()


def _start_worker(parent: int) -> None:
    """A worker whose parent was killed must not go on writing into the staging folder."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_CHECK_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    _keep_memory()
    gc.disable()  # a worker lives for one load and makes no cycles to speak of, but millions of small objects


def _keep_memory() -> None:
    """Large texts come and go by the thousand: glibc shall keep their memory, not hand it back page by page."""
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        for setting in (_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD):
            libc.mallopt(setting, _KEPT_BYTES)


def _read_job(job: _Job) -> _Staged:
    staged = _Staged()
    records: list[tuple[Record, int]] = []
    origin: dict[int, Origin] = {}
    findings: list[dict[str, Any]] = []
    loaded: list[dict[str, Any]] = []
    held = part = 0

    def flush() -> None:
        nonlocal held, part
        staged.add(_write(job.folder, f"{job.number}-{part}", frames_of_records(records, origin, job.batch)))
        records.clear()
        origin.clear()
        held, part = 0, part + 1

    encounters = dict.fromkeys((ordinal for ordinal, _, _ in job.sources), 0)
    files = (((ordinal, source, sha256), source.stream) for ordinal, source, sha256 in job.sources)
    for (ordinal, source, sha256), item in read_in_bulk(files, limits=job.limits):
        if isinstance(item, Problem):
            findings.append(problem_row(item, job.batch.load_id, source.name, sha256))
            continue
        if job.standard and item.standard != job.standard:
            findings.append(problem_row(_other_standard(item, job.standard), job.batch.load_id, source.name, sha256))
            continue
        # a file of the largest size has fewer than 2^22 HOSO
        version = (job.batch.load_seq << 42) | (ordinal << 22) | item.hoso_no
        origin[version] = (source.name, sha256, item.hoso_no)
        records.append((item, version))
        encounters[ordinal] += 1
        held += sum(map(len, item.tables.values()))
        if isinstance(item, PlainRecord):
            held += sum(map(len, item.texts.values())) // TEXT_OF_A_ROW
        if held >= ROWS_AT_ONCE:
            flush()
    flush()
    for ordinal, source, sha256 in job.sources:
        given = encounters[ordinal]
        loaded.append({"file_sha256": sha256, "file": source.name, "load_id": job.batch.load_id, "encounters": given})
        staged.bytes += source.size or 0
    own = {
        "intake_finding": pl.DataFrame(findings, schema=FINDING),
        "loaded_file": pl.DataFrame(loaded, schema=PLAIN_TABLES["loaded_file"]),
    }
    staged.add(_write(job.folder, f"{job.number}-files", own))
    return staged


def _other_standard(record: Record, wanted: str) -> Problem:
    return Problem(
        code="other_standard",
        severity="hoso",
        message_en=f"the record is of standard {record.standard}, --as asked for {wanted}",
        message_vi=f"hồ sơ theo chuẩn {record.standard}, trong khi --as yêu cầu {wanted}",
        hint_en="load it without --as",
        hint_vi="nạp lại không kèm --as",
        hoso_no=record.hoso_no,
    )


def _write(folder: Path, name: str, tables: Mapping[str, pl.DataFrame]) -> _Staged:
    folder.mkdir(parents=True, exist_ok=True)
    staged = _Staged()
    for table, rows in tables.items():
        if rows.height:
            path = folder / f"{table}-{name}.parquet"
            rows.write_parquet(path, compression="lz4", statistics=False)
            staged.files[table] = [path]
            staged.rows[table] = rows.height
    return staged


def _count(reader: Reader, staged: _Staged) -> dict[str, int]:
    """How many HOSO are new, replace an earlier one or withdraw it; how much was refused. After `fresh_claims`."""
    rows = reader.pl(
        """
        select case when withdrawn then 'encounters_withdrawn'
                    when age > 1 or e.ma_lk is not null then 'encounters_replaced'
                    else 'encounters_new' end as kind, count(*) as n
        from (select *, row_number() over (partition by ma_cskcb, ma_lk order by version) as age from _fresh) f
        left join (select distinct ma_cskcb, ma_lk from claimed_encounter semi join _latest using (ma_cskcb, ma_lk)) e
        using (ma_cskcb, ma_lk)
        group by kind
        """
    )
    kinds: dict[str, int] = dict(rows.iter_rows())
    reader.keep_files("_fresh_finding", "intake_finding", staged.files.get("intake_finding", ()))
    refused = reader.pl(
        """
        select count(distinct (version, line_table, row_no)) filter (severity = 'quarantine' and version is not null)
             + count(*) filter (severity = 'quarantine' and version is null) as quarantined,
               count(*) filter (severity <> 'quarantine') as warnings
        from _fresh_finding
        """
    ).row(0, named=True)
    return {
        "encounters_new": kinds.get("encounters_new", 0),
        "encounters_replaced": kinds.get("encounters_replaced", 0),
        "encounters_withdrawn": kinds.get("encounters_withdrawn", 0),
        **refused,
    }


def _rows(reader: Reader, staged: _Staged) -> dict[str, dict[str, int]]:
    """What became of every row that was read, by table. After `fresh_claims`, with `supersession` staged."""
    reader.keep_files("_fresh_received", "received", staged.files.get("received", ()))
    reader.keep_files("_fresh_supersession", "supersession", staged.files.get("supersession", ()))
    read: dict[str, int] = dict(
        reader.pl("select line_table, sum(rows_read)::bigint from _fresh_received group by 1").iter_rows()
    )
    refused: dict[str, int] = dict(
        reader.pl(
            "select line_table, count(distinct (version, row_no)) from _fresh_finding "
            "where severity = 'quarantine' and version is not null group by 1"
        ).iter_rows()
    )
    gone = "select version from _latest where age > 1 or withdrawn union select version from _fresh_supersession"
    found: dict[str, dict[str, int]] = {}
    for table in [*TABLES.values(), "unknown_row"]:
        stored = staged.rows.get(table, 0)
        if not stored and not read.get(table):
            continue
        reader.keep_files("_fresh_rows", table, staged.files.get(table, ()))
        history = reader.pl(f"select count(*) as n from _fresh_rows where version in ({gone})")["n"][0] if stored else 0
        found[table] = {
            "read": read.get(table, stored),
            "loaded": stored - history,
            "superseded": history,
            "quarantined": refused.get(table, 0),
        }
    return found
