"""From records to the lake's frames: typed, checked, pseudonymised, each row with where it came from.

Rows of plain records and rows of all others meet in one text frame a table, in the order of their versions; nothing
after that knows which way a row came.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import polars as pl

from data import flatxml
from data.checks import type_table
from data.lake import PLAIN_TABLES
from data.pseudonym import Pseudonymiser
from data.schema import PROVENANCE, TABLES, columns, fields
from data.sources import Problem
from data.xml130 import PlainRecord, RawRecord, Record, Row, rows_of_text
from data.xml4210 import to_130

FINDING = PLAIN_TABLES["intake_finding"]

Origin = tuple[str, str, int]
"""File, its sha256 and the ordinal of the HOSO in it."""


_KEY = ("ma_cskcb", "ma_lk")


@dataclass(frozen=True)
class Parsed:
    """Typed frames by lake table (`intake_finding` among them) and what could not be read at all."""

    tables: Mapping[str, pl.DataFrame]
    problems: tuple[Problem, ...]


def read_claims(content: Iterator[RawRecord | Problem], *, key: bytes, received: datetime) -> Parsed:
    """Type and check the claims of one envelope without storing them; their version is 0 for the first, and so on."""
    records: list[tuple[Record, int]] = []
    problems: list[Problem] = []
    for item in content:
        if isinstance(item, Problem):
            problems.append(item)
        else:
            records.append((item, len(records)))
    tables = typed_frames(records, {}, load_id="", load_seq=0, received=received, key=key)
    return Parsed(tables=tables, problems=tuple(problems))


def problem_row(problem: Problem, load_id: str, source: str, sha256: str) -> dict[str, Any]:
    """A problem as a row of `intake_finding`."""
    return {
        "load_id": load_id,
        "file": source,
        "file_sha256": sha256,
        "hoso_no": problem.hoso_no,
        "line_table": TABLES.get(problem.table or "", problem.table),
        "severity": "warn" if problem.severity == "warn" else "quarantine",
        "code": problem.code,
        "field": None,
        "value": problem.message_en[:300],
        "hint_vi": f"{problem.message_vi}: {problem.hint_vi}",
        "hint_en": f"{problem.message_en}: {problem.hint_en}",
    }


def typed_frames(
    records: Sequence[tuple[Record, int]],
    origin: Mapping[int, Origin],
    *,
    load_id: str,
    load_seq: int,
    received: datetime,
    key: bytes,
) -> dict[str, pl.DataFrame]:
    """Records, each with its version, as typed frames by lake table. Versions grow from record to record."""
    plain = _plain_frames([(r, v) for r, v in records if isinstance(r, PlainRecord)], origin)
    keys = {v: (facility, ma_lk) for v, facility, ma_lk in plain["XML1"].select("version", *_KEY).iter_rows()}
    raw: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    papers: list[dict[str, Any]] = []
    recoded: list[dict[str, Any]] = []
    for record, version in records:
        tables = record.tables
        if isinstance(record, RawRecord):
            problems: list[Problem] = []
            tables = to_130(tables, record.standard, problems=problems)
            recoded.extend({**problem_row(p, load_id, "", ""), "version": version} for p in problems)
            summary = tables.get("XML1", [{}])[0]
            facility, ma_lk = summary.get("ma_cskcb") or record.facility, summary.get("ma_lk")
        else:
            facility, ma_lk = keys[version]
        sha256 = _sha256(origin, version)
        for name, rows in tables.items():
            if name not in raw:
                papers.extend(
                    {
                        "ma_cskcb": facility,
                        "ma_lk": ma_lk or row.get("ma_lk"),
                        "loaihoso": name,
                        "row_no": number,
                        "content": orjson.dumps(row).decode(),
                        "version": version,
                        "load_id": load_id,
                    }
                    for number, row in enumerate(rows, 1)
                )
                continue
            own = raw[name]
            for number, row in enumerate(rows, 1):
                row["ma_cskcb"] = facility
                if name != "XML1":
                    row["ma_lk"] = ma_lk or row.get("ma_lk")
                own.append(
                    {
                        **row,
                        "row_no": number,
                        "standard": record.standard,
                        "version": version,
                        "file_sha256": sha256,
                    }
                )
    stamp = (pl.lit(load_id).alias("load_id"), pl.lit(load_seq, dtype=pl.Int64).alias("load_seq"))
    findings = [pl.DataFrame(recoded, schema=FINDING).drop("file", "file_sha256", "hoso_no", "load_id")]
    frames: dict[str, pl.DataFrame] = {}
    encounter_raw = _merged(_raw_frame("XML1", raw["XML1"]), plain["XML1"])
    typed = type_table("encounter", encounter_raw, received=received.date())
    findings.append(_with_content(typed.findings, encounter_raw))
    pseudonyms = Pseudonymiser(key)
    encounter = typed.rows.with_columns(
        month=pl.col("ngay_ra").dt.year() * 100 + pl.col("ngay_ra").dt.month().cast(pl.Int32),
        patient_id=pseudonyms.patient(typed.rows["ma_the_bhyt"]),
        card_class=typed.rows["ma_the_bhyt"].str.strip_chars().str.to_uppercase().str.slice(0, 3),
        citizen_id=pseudonyms.citizen(typed.rows["so_cccd"]),
        phone_id=pseudonyms.phone(typed.rows["dien_thoai"]),
    ).with_columns(*stamp)
    frames["encounter"] = _as_stored(encounter, columns("encounter"))
    frames["person"] = _as_stored(encounter, PLAIN_TABLES["person"])
    months = frames["encounter"].select("version", "month")
    for source, name in TABLES.items():
        if name == "encounter":
            continue
        line_raw = _merged(_raw_frame(source, raw[source]), plain[source])
        typed = type_table(name, line_raw, received=received.date())
        findings.append(_with_content(typed.findings, line_raw))
        rows = typed.rows.join(months, on="version", how="left", maintain_order="left").with_columns(*stamp)
        kept = rows.filter(pl.col("month").is_not_null())
        findings.append(_orphans(name, rows.filter(pl.col("month").is_null()), line_raw))
        frames[name] = _as_stored(kept, columns(name))
    paper = pl.DataFrame(papers, schema={c: t for c, t in PLAIN_TABLES["paper"].items() if c != "month"})
    with_month = paper.join(months, on="version", how="left", maintain_order="left")
    frames["paper"] = _as_stored(
        with_month.with_columns(pl.col("month").fill_null(received.year * 100 + received.month)),
        PLAIN_TABLES["paper"],
    )
    files = pl.DataFrame(
        [(version, *place) for version, place in origin.items()],
        schema={"version": pl.Int64, "file": pl.String, "file_sha256": pl.String, "hoso_no": pl.Int32},
        orient="row",
    )
    frames["intake_finding"] = _as_stored(
        pl.concat([f.cast({"version": pl.Int64}) for f in findings], how="diagonal_relaxed")
        .join(files, on="version", how="left", maintain_order="left")
        .with_columns(stamp[0]),
        FINDING,
    )
    return frames


def _plain_frames(records: Sequence[tuple[PlainRecord, int]], origin: Mapping[int, Origin]) -> dict[str, pl.DataFrame]:
    """The text frames of plain records, by table of the envelope: what `_raw_frame` gives of their rows."""
    frames = {name: _raw_frame(name, []) for name in TABLES}
    if not records:
        return frames
    own = pl.DataFrame(
        [(version, _sha256(origin, version), record.facility) for record, version in records],
        schema={"version": pl.Int64, "file_sha256": pl.String, "_facility": pl.String},
        orient="row",
    ).with_columns(standard=pl.lit("130"))
    for name in TABLES:
        held = [(i, record.texts[name]) for i, (record, _) in enumerate(records) if name in record.texts]
        if not held:
            continue
        rows = _without_empty(name, _rows_of_texts(name, [text for _, text in held]))
        of_record = pl.Series([i for i, _ in held], dtype=pl.UInt32).gather(rows["text"])
        rows = rows.hstack(own[of_record])
        if name == "XML1":
            facility = pl.coalesce(_trimmed("ma_cskcb"), "_facility")
            rows = rows.with_columns(facility.alias("ma_cskcb"), _trimmed("ma_lk").alias("ma_lk"))
            own = own.with_columns(rows.select(_facility="ma_cskcb", _ma_lk="ma_lk"))
        else:
            ma_lk = pl.coalesce("_ma_lk", _trimmed("ma_lk"))
            rows = rows.with_columns(pl.col("_facility").alias("ma_cskcb"), ma_lk.alias("ma_lk"))
        numbers = pl.int_range(1, pl.len() + 1).over("text").cast(PROVENANCE["row_no"])
        frames[name] = rows.with_columns(row_no=numbers).select(frames[name].columns)
    return frames


def _rows_of_texts(name: str, texts: Sequence[bytes]) -> pl.DataFrame:
    """All rows of the texts. A text that only the careful parser can read right is found by halving, and goes there."""
    try:
        return flatxml.rows_of(name, texts)
    except flatxml.NotFlatError:
        if len(texts) == 1:
            return _text_frame(name, rows_of_text(name, texts[0])).with_columns(text=pl.lit(0, pl.UInt32))
        half = len(texts) // 2
        later = _rows_of_texts(name, texts[half:]).with_columns(pl.col("text") + half)
        return pl.concat([_rows_of_texts(name, texts[:half]), later], how="diagonal")


def _without_empty(name: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with any value; an XML1 row is kept in any case."""
    if name == "XML1" or not rows.select(_trimmed("ma_lk").is_null().any()).item():
        return rows
    return rows.filter(pl.any_horizontal(_trimmed(field.name).is_not_null() for field in fields(name)))


def _trimmed(column: str) -> pl.Expr:
    cell = pl.col(column).str.strip_chars()
    return pl.when(cell != "").then(cell)


def _sha256(origin: Mapping[int, Origin], version: int) -> str:
    return origin[version][1] if version in origin else ""


def _merged(rows: pl.DataFrame, plain: pl.DataFrame) -> pl.DataFrame:
    if not rows.height or not plain.height:
        return rows if rows.height else plain
    return pl.concat([rows, plain]).sort("version", maintain_order=True)


def _raw_frame(source: str, rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    own = {
        name: pl.Series(name, [row[name] for row in rows], dtype=PROVENANCE[name])
        for name in ("row_no", "standard", "version", "file_sha256")
    }
    return _text_frame(source, rows).with_columns(**own)


def _text_frame(source: str, rows: Sequence[Row] | Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    names = ["ma_cskcb", *(f.name for f in fields(source) if f.name != "ma_cskcb")]
    return pl.DataFrame([pl.Series(name, [row.get(name) for row in rows], dtype=pl.String) for name in names])


def _as_stored(rows: pl.DataFrame, wanted: Mapping[str, pl.DataType]) -> pl.DataFrame:
    return rows.select(
        (pl.col(name) if name in rows.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in wanted.items()
    )


def _with_content(findings: pl.DataFrame, raw: pl.DataFrame) -> pl.DataFrame:
    """Findings with the whole refused row beside them: what is not loaded is not lost."""
    content = pl.when(pl.col("severity") == "quarantine").then("content")
    return _beside(findings, raw, findings.filter(pl.col("severity") == "quarantine")).with_columns(content=content)


def _beside(findings: pl.DataFrame, raw: pl.DataFrame, refused: pl.DataFrame) -> pl.DataFrame:
    """Findings with the content of the `refused` rows among them, as JSON."""
    if not refused.height:
        return findings.with_columns(content=pl.lit(None, pl.String))
    rows = raw.join(refused.select("version", "row_no").unique(), on=["version", "row_no"], how="semi")
    text = [name for name in raw.columns if name not in PROVENANCE]
    content = pl.struct(_trimmed(name).alias(name) for name in text).struct.json_encode().alias("content")
    contents = rows.select("version", "row_no", content)
    return findings.join(contents, on=["version", "row_no"], how="left", maintain_order="left")


def _orphans(name: str, rows: pl.DataFrame, raw: pl.DataFrame) -> pl.DataFrame:
    """Lines of an encounter that was refused: they wait beside it."""
    found = rows.select(
        "version",
        "row_no",
        "ma_cskcb",
        "ma_lk",
        pl.lit(name).alias("line_table"),
        pl.lit("quarantine").alias("severity"),
        pl.lit("encounter_refused").alias("code"),
        pl.lit("ma_lk").alias("field"),
        pl.col("ma_lk").alias("value"),
        pl.lit("dòng thuộc hồ sơ bị từ chối: sửa bảng XML1 của hồ sơ rồi gửi lại").alias("hint_vi"),
        pl.lit("line of a refused encounter: correct the encounter's XML1 and send it again").alias("hint_en"),
    )
    return _beside(found, raw, found)
