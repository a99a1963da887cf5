"""From records to the lake's frames: typed, checked, pseudonymised, each row with where it came from.

Rows of plain records and rows of all others meet in one text frame a table, in the order of their versions; nothing
after that knows which way a row came. What names a person goes to the restricted table `person`, free text to
`free_text`, the content of refused rows to `refused_row`; everything else sees pseudonyms.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import orjson
import polars as pl

from data import flatxml
from data.checks import FIRST_DAY, check_of
from data.identities import header_looks, sums_of_lines
from data.lake import PLAIN_TABLES
from data.pseudonym import Pseudonymiser
from data.schema import PROVENANCE, TABLES, columns, fields, pseudonyms, set_apart
from data.sources import Problem
from data.typed import Look, findings_of, official_fields, type_table
from data.xml130 import PlainRecord, RawRecord, Record, Row, rows_of_text
from data.xml4210 import to_130

FINDING = PLAIN_TABLES["intake_finding"]

Origin = tuple[str, str, int]
"""File, its sha256 and the ordinal of the HOSO in it."""


_KEY = ("ma_cskcb", "ma_lk")
_KEY_CHARACTERS = 200  # every row and finding repeats the key: one of megabytes would fill the memory
_LINES = ("drug_line", "service_line")


@dataclass(frozen=True)
class Parsed:
    """Typed frames by lake table (`intake_finding` among them) and what could not be read at all."""

    tables: Mapping[str, pl.DataFrame]
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What all rows of a batch have in common: whose load they are of, and the key of their pseudonyms."""

    load_id: str
    load_seq: int
    received: datetime
    key: bytes
    first_day: date = FIRST_DAY  # times before are taken for mistakes


def read_claims(content: Iterator[RawRecord | Problem], *, key: bytes, received: datetime) -> Parsed:
    """Type and check the claims of one envelope without storing them; their version is 0 for the first, and so on."""
    records: list[tuple[Record, int]] = []
    problems: list[Problem] = []
    for item in content:
        if isinstance(item, Problem):
            problems.append(item)
        else:
            records.append((item, len(records)))
    tables = frames_of_records(records, {}, Batch(load_id="", load_seq=0, received=received, key=key))
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
        "check_id": f"FILE.{problem.code}",
        "code": problem.code,
        "field": None,
        "value": problem.message_en[:300],
        "hint_vi": f"{problem.message_vi}: {problem.hint_vi}",
        "hint_en": f"{problem.message_en}: {problem.hint_en}",
    }


def frames_of_records(
    records: Sequence[tuple[Record, int]], origin: Mapping[int, Origin], batch: Batch
) -> dict[str, pl.DataFrame]:
    """Records of claim files, each with its version, as typed frames by lake table. Versions grow."""
    plain = _plain_frames([(r, v) for r, v in records if isinstance(r, PlainRecord)])
    summaries = plain["XML1"].select("version", *_KEY).iter_rows() if plain else ()
    keys = {v: (facility, ma_lk) for v, facility, ma_lk in summaries}
    raw: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    unknown: list[dict[str, Any]] = []
    recoded: list[dict[str, Any]] = []
    for record, version in records:
        tables = record.tables
        if isinstance(record, RawRecord):
            problems: list[Problem] = []
            tables = to_130(tables, record.standard, problems=problems)
            recoded.extend({**problem_row(p, batch.load_id, "", ""), "version": version} for p in problems)
            summary = tables.get("XML1", [{}])[0]
            facility, ma_lk = _short(summary.get("ma_cskcb") or record.facility), _short(summary.get("ma_lk"))
        else:
            facility, ma_lk = keys[version]
        for name, rows in tables.items():
            for number, row in enumerate(rows, 1):
                own = {
                    "ma_cskcb": facility,
                    "ma_lk": ma_lk or _short(row.get("ma_lk")),
                    "row_no": number,
                    "version": version,
                }
                if name in raw:
                    if name == "XML1":
                        own["ma_lk"] = ma_lk
                    raw[name].append({**row, **own, "standard": record.standard})
                else:
                    content = orjson.dumps(row).decode()
                    unknown.append({**own, "loaihoso": name, "content": content, "load_id": batch.load_id})
    text = {
        name: _merged(_raw_frame(name, rows) if rows else None, plain.get(name))
        for name, rows in raw.items()
        if rows or name in plain
    }
    text.setdefault("XML1", _raw_frame("XML1", []))
    kept = pl.DataFrame(unknown, schema=PLAIN_TABLES["unknown_row"])
    also = pl.DataFrame(recoded, schema=FINDING).drop("load_id", "file", "file_sha256", "hoso_no")
    return frames_of_text(text, origin, batch, also=also) | {"unknown_row": kept}


def frames_of_text(
    text: Mapping[str, pl.DataFrame],
    origin: Mapping[int, Origin],
    batch: Batch,
    *,
    also: pl.DataFrame | None = None,
) -> dict[str, pl.DataFrame]:
    """Text frames by table of the envelope, as typed frames by lake table.

    Each has `version`, `row_no`, `standard` beside text columns of official fields, and is sorted by version. An
    encounter and all its lines must be in one call. `also` are findings that were made before.
    """
    received = batch.received.date()
    stamp = (pl.lit(batch.load_id).alias("load_id"), pl.lit(batch.load_seq, dtype=pl.Int64).alias("load_seq"))
    people = Pseudonymiser(batch.key)
    typed = type_table("encounter", text["XML1"], received=received, first_day=batch.first_day)
    encounter, findings = typed.rows, [typed.findings]
    stays = encounter.select(
        "version",
        "ngay_vao",
        "ngay_ra",
        month=pl.col("ngay_ra").dt.year() * 100 + pl.col("ngay_ra").dt.month().cast(pl.Int32),
    )
    rows: dict[str, pl.DataFrame] = {}
    for source, name in TABLES.items():
        raw = text.get(source)
        if name == "encounter" or raw is None or not raw.height:
            continue
        typed = type_table(name, raw, received=received, first_day=batch.first_day, stays=stays)
        findings.append(typed.findings)
        joined = typed.rows.join(stays.select("version", "month"), on="version", how="left", maintain_order="left")
        alone = joined["month"].is_null()
        if alone.any():
            # a check-in is sent before there is a summary: it stands alone, by the month it was received in
            if source == "XML0":
                joined = joined.with_columns(
                    pl.col("month").fill_null(batch.received.year * 100 + batch.received.month)
                )
            else:
                findings.append(_orphans(name, joined.filter(alone)))
                joined = joined.filter(~alone)
        rows[name] = joined
    if any(name in rows for name in _LINES):
        findings.append(_header_findings(encounter, rows))
    encounter = encounter.with_columns(stays["month"])
    rows = {"encounter": encounter, **rows}
    named = {name: _named(name, frame, people) for name, frame in rows.items()}
    files = _files(origin)
    named["encounter"] = (
        named["encounter"]
        .with_columns(content_id=_content_ids(named))
        .join(files.select("version", "file_sha256"), on="version", how="left", maintain_order="left")
    )
    if also is not None and also.height:
        findings.append(also)
    found = pl.concat(findings, how="diagonal_relaxed")
    counted = _counts(text, rows, found, batch.load_id)
    frames = {name: _as_stored(frame.with_columns(*stamp), columns(name)) for name, frame in named.items()}
    frames["person"] = _set_apart("person", named, stamp[0])
    frames["free_text"] = _set_apart("free_text", named, stamp[0])
    frames["refused_row"] = _refused(found, text, batch.load_id)
    frames["intake_finding"] = _with_origin(found.filter(pl.col("severity") != "info"), files, stamp[0])
    return frames | counted


def _named(name: str, rows: pl.DataFrame, people: Pseudonymiser) -> pl.DataFrame:
    """Rows with the pseudonyms of what names a person in them."""
    kinds = {f.name: f.privacy for f in official_fields(name)}
    made = {"card": people.patient, "citizen": people.citizen, "phone": people.phone}
    return rows.with_columns(
        made[kinds[field]](rows[field]).alias(column) for field, column in pseudonyms(name).items()
    )


def _set_apart(table: str, rows: Mapping[str, pl.DataFrame], load_id: pl.Expr) -> pl.DataFrame:
    """The rows of "person" or "free_text": one a row of a claim table that has anything to set apart."""
    wanted = PLAIN_TABLES[table]
    parts: list[pl.DataFrame] = []
    for name, frame in rows.items():
        own = [c for c in set_apart(table) if c in frame.columns and frame[c].null_count() < frame.height]
        if own:
            part = frame.filter(pl.any_horizontal(pl.col(c).is_not_null() for c in own)) if table != "person" else frame
            parts.append(_as_stored(part.with_columns(load_id, line_table=pl.lit(name)), wanted, only=own))
    return pl.concat(parts) if parts else pl.DataFrame(schema=wanted)


def _content_ids(rows: Mapping[str, pl.DataFrame]) -> pl.Series:
    """What an encounter asks money for, as 32 hex digits: two with the same are one, whatever their MA_LK.

    Patient, times, diagnoses, amounts and every line's code, time, quantity and amount are in it; numbers of rows,
    papers, and what is filled in after payment are not. Null where nothing tells the patient.
    """
    encounter = rows["encounter"]
    parts = [
        frame.select(
            "version",
            line=pl.concat_str(
                pl.lit(name[0]),
                *(pl.col(c) for c in codes),
                pl.col("ngay_yl").to_physical(),
                pl.col("so_luong", "thanh_tien_bh", "t_bhtt").cast(pl.Float64),
                separator="|",
                ignore_nulls=True,
            ),
        )
        for name, codes in (("drug_line", ("ma_thuoc", "ten_thuoc")), ("service_line", ("ma_dich_vu", "ma_vat_tu")))
        if (frame := rows.get(name)) is not None
    ]
    identity = (
        pl.coalesce("patient_id", "citizen_id", "ma_bn") if "patient_id" in encounter.columns else pl.col("ma_bn")
    )
    summary = encounter.select(
        "version",
        summary=pl.concat_str(
            identity,
            pl.col("ma_cskcb"),
            pl.col("ngay_vao", "ngay_ra").to_physical(),
            pl.col("ma_loai_kcb", "ma_benh_chinh", "ma_benh_kt").fill_null(""),
            pl.col("t_tongchi_bh", "t_bhtt").cast(pl.Float64).fill_null(-1.0),
            separator="|",
        ),
    )
    if parts:
        lines = pl.concat(parts).sort("version", "line").group_by("version", maintain_order=True)
        summary = summary.join(
            lines.agg(pl.col("line").str.join("\n")), on="version", how="left", maintain_order="left"
        )
        summary = summary.with_columns(summary=pl.concat_str("summary", pl.col("line").fill_null(""), separator="\n"))
    texts = summary["summary"].to_list()
    ids = [None if t is None else hashlib.blake2b(t.encode(), digest_size=16).hexdigest() for t in texts]
    return pl.Series("content_id", ids, dtype=pl.String)


def _header_findings(encounter: pl.DataFrame, rows: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """XML1 against its lines; records without lines have nothing to be held against."""
    empty = [pl.DataFrame(schema={**columns(name), "month": pl.Int32}) for name in _LINES]
    sums = sums_of_lines(*(rows.get(name, none) for name, none in zip(_LINES, empty, strict=True)))
    both = encounter.join(sums, on="version", how="inner", maintain_order="left")
    both = both.with_columns(pl.col(f.name).alias(f"={f.name}") for f in official_fields("encounter"))
    looks = [Look(check_of("encounter", field, code), bad, shown) for field, code, bad, shown in header_looks()]
    return findings_of("encounter", both, looks)[0]


def _counts(
    text: Mapping[str, pl.DataFrame], rows: Mapping[str, pl.DataFrame], found: pl.DataFrame, load_id: str
) -> dict[str, pl.DataFrame]:
    """What was received and what was wrong with it, by facility, day of discharge and table: the scorecard's input."""
    # from the text: a refused claim has a day too
    day = pl.col("ngay_ra") if "ngay_ra" in text["XML1"].columns else pl.lit(None, pl.String)
    days = text["XML1"].select("version", day=day.str.strip_chars().str.slice(0, 8).str.to_date("%Y%m%d", strict=False))
    by = ["ma_cskcb", "day", "line_table"]
    load = pl.lit(load_id).alias("load_id")
    # by version first, which is a number, and only then by what the scorecard asks for
    read = [
        frame.group_by("version").agg(
            pl.len().alias("rows_read"), pl.col("ma_cskcb").first(), pl.lit(TABLES[source]).alias("line_table")
        )
        for source, frame in text.items()
        if frame.height
    ]
    loaded = [
        frame.group_by("version").agg(pl.len().alias("rows_loaded"), pl.lit(name).alias("line_table"))
        for name, frame in rows.items()
        if frame.height
    ]
    versions = pl.concat(read) if read else pl.DataFrame(schema=_READ)
    if loaded:
        versions = versions.join(pl.concat(loaded), on=["version", "line_table"], how="left")
    else:
        versions = versions.with_columns(rows_loaded=pl.lit(0, pl.UInt32))
    received = (
        versions.join(days, on="version", how="left")
        .with_columns(_trimmed("ma_cskcb").alias("ma_cskcb"))
        .group_by(by)
        .agg(pl.col("rows_read", "rows_loaded").sum())
        .sort(by, nulls_last=True)
        .with_columns(load)
    )
    fault = pl.DataFrame(schema=PLAIN_TABLES["fault"])
    if found.height:
        fault = (
            found.join(days, on="version", how="left", maintain_order="left")
            .group_by([*by, "check_id", "code", "field", "severity"], maintain_order=True)
            .agg(
                failed=pl.len(),
                claims=pl.col("version").n_unique(),
                example_ma_lk=pl.col("ma_lk").first(),
                example_row_no=pl.col("row_no").first(),
                example_value=pl.col("value").first(),
            )
            .with_columns(load)
        )
    return {
        "received": _as_stored(received, PLAIN_TABLES["received"]),
        "fault": _as_stored(fault, PLAIN_TABLES["fault"]),
    }


def _files(origin: Mapping[int, Origin]) -> pl.DataFrame:
    """Where each version was read from."""
    return pl.DataFrame(
        [(version, *place) for version, place in origin.items()],
        schema={"version": pl.Int64, "file": pl.String, "file_sha256": pl.String, "hoso_no": pl.Int32},
        orient="row",
    )


_READ = {"version": pl.Int64, "rows_read": pl.UInt32, "ma_cskcb": pl.String, "line_table": pl.String}


def _with_origin(found: pl.DataFrame, files: pl.DataFrame, load_id: pl.Expr) -> pl.DataFrame:
    if not found.height:
        return pl.DataFrame(schema=FINDING)
    placed = found.join(files, on="version", how="left", maintain_order="left")
    return _as_stored(placed.with_columns(load_id), FINDING)


def _refused(found: pl.DataFrame, text: Mapping[str, pl.DataFrame], load_id: str) -> pl.DataFrame:
    """The whole rows that were refused, as JSON: what is not loaded is not lost."""
    lost = found.filter(pl.col("severity") == "quarantine").select("line_table", "version", "row_no").unique()
    parts = [pl.DataFrame(schema=PLAIN_TABLES["refused_row"])]
    for source, name in TABLES.items():
        own = lost.filter(pl.col("line_table") == name)
        if own.height:
            rows = text[source].join(own, on=["version", "row_no"], how="semi", maintain_order="left")
            names = [c for c in rows.columns if c not in PROVENANCE]
            content = pl.struct(_trimmed(c).alias(c) for c in names).struct.json_encode().alias("content")
            stamped = rows.with_columns(content, line_table=pl.lit(name), load_id=pl.lit(load_id))
            parts.append(_as_stored(stamped, PLAIN_TABLES["refused_row"]))
    return pl.concat(parts)


def _plain_frames(records: Sequence[tuple[PlainRecord, int]]) -> dict[str, pl.DataFrame]:
    """The text frames of plain records, by table of the envelope: what `_raw_frame` gives of their rows."""
    frames: dict[str, pl.DataFrame] = {}
    if not records:
        return frames
    own = pl.DataFrame(
        [(version, record.facility) for record, version in records],
        schema={"version": pl.Int64, "_facility": pl.String},
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
            rows = _short_keys(rows.with_columns(facility.alias("ma_cskcb"), _trimmed("ma_lk").alias("ma_lk")))
            own = own.with_columns(rows.select(_facility="ma_cskcb", _ma_lk="ma_lk"))
        else:
            ma_lk = pl.coalesce("_ma_lk", _trimmed("ma_lk"))
            rows = _short_keys(rows.with_columns(pl.col("_facility").alias("ma_cskcb"), ma_lk.alias("ma_lk")))
        numbers = pl.int_range(1, pl.len() + 1).over("text").cast(PROVENANCE["row_no"])
        given = [f.name for f in official_fields(TABLES[name])]
        frames[name] = rows.with_columns(row_no=numbers).select(*given, "row_no", "standard", "version")
    return frames


def _short(key: str | None) -> str | None:
    """A key as it is stored: one that is far too long goes by its start and a hash of the whole."""
    if key is None or len(key) <= _KEY_CHARACTERS:
        return key
    return f"{key[:_KEY_CHARACTERS]}…{hashlib.sha256(key.encode()).hexdigest()[:16]}"


def _short_keys(rows: pl.DataFrame) -> pl.DataFrame:
    for key in _KEY:
        if (rows[key].str.len_bytes() > _KEY_CHARACTERS).any():
            rows = rows.with_columns(pl.Series(key, [_short(text) for text in rows[key]], dtype=pl.String))
    return rows


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


def _merged(rows: pl.DataFrame | None, plain: pl.DataFrame | None) -> pl.DataFrame:
    if rows is None or plain is None:
        return pl.concat([frame for frame in (rows, plain) if frame is not None])
    return pl.concat([rows, plain]).sort("version", maintain_order=True)


def _raw_frame(source: str, rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    own = {
        name: pl.Series(name, [row[name] for row in rows], dtype=PROVENANCE[name])
        for name in ("row_no", "standard", "version")
    }
    return _text_frame(source, rows).with_columns(**own)


def _text_frame(source: str, rows: Sequence[Row] | Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    names = [f.name for f in official_fields(TABLES[source])]
    return pl.DataFrame([pl.Series(name, [row.get(name) for row in rows], dtype=pl.String) for name in names])


def _as_stored(
    rows: pl.DataFrame, wanted: Mapping[str, pl.DataType], *, only: Sequence[str] | None = None
) -> pl.DataFrame:
    """The columns of a lake table, null where `rows` lacks them; of those set apart, `only` the ones named."""
    apart = () if only is None else {*set_apart("person"), *set_apart("free_text")} - set(only)
    return rows.select(
        (pl.col(name) if name in rows.columns and name not in apart else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in wanted.items()
    )


def _orphans(name: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Lines of an encounter that was refused, or never came: they wait beside it."""
    look = Look(check_of(name, "ma_lk", "orphan"), pl.lit(value=True))
    return findings_of(name, rows, [look])[0]
