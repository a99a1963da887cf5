"""Ranked lists as files: what leaves the house for spreadsheets, other programs and minutes.

Columns and their meaning are the outside contract's. A file appears whole or not at all, and the same run
gives the same bytes. Spreadsheets run cells that begin like a formula, so in CSV and XLSX those are made plain text.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import polars as pl

from data.errors import MinhBachError
from service.accounts import Scope

if TYPE_CHECKING:
    from service.reading import Reading

Level = Literal["claim", "line", "patient", "doctor", "facility"]
CardOf = Callable[[Sequence[str]], Mapping[str, str]]
"""Card numbers of pseudonyms. Whoever makes one answers for the access being recorded: see `recorded_cards`."""

LEVELS: tuple[str, ...] = get_args(Level)
FORMATS = (".parquet", ".csv", ".jsonl", ".xlsx")
REASONS = 3
SHEET_ROWS = 1_048_575  # XLSX holds this many below the header

COLUMNS: Mapping[str, pl.DataType] = {
    "entity_id": pl.String(),
    "rank": pl.Int64(),
    "score": pl.Float64(),
    "flagged": pl.Boolean(),
    "amount_at_risk": pl.Decimal(18, 2),
    "expected_recoverable": pl.Decimal(18, 2),
    "schemes": pl.List(pl.String()),
    "status": pl.String(),
    "reasons_vi": pl.String(),
    "reasons_en": pl.String(),
    "evidence": pl.String(),
    "run_id": pl.String(),
    "model_version": pl.Int64(),
    "snapshot": pl.Int64(),
}


class BadExport(MinhBachError):
    """An export that cannot be written as asked."""

    code, http_status, exit_code = "bad_export", 422, 2


def export(
    reading: Reading,
    level: str,
    out: Path,
    run_id: str | None = None,
    top: int | None = None,
    card_of: CardOf | None = None,
    *,
    scope: Scope | None = None,
) -> int:
    """Write the ranking of `level` to `out`, in the format its name ends in; returns the number of rows.

    `scope` limits the rows (none: everything, for the operator). `card_of` puts card numbers in place of patient
    pseudonyms at level "patient". Raises BadExport, UnknownRun.
    """
    if level not in LEVELS:
        raise BadExport(
            f"no level is called {level!r}: one of {', '.join(LEVELS)}",
            vi=f"Không có mức {level!r}: chọn một trong {', '.join(LEVELS)}",
        )
    if out.suffix.lower() not in FORMATS:
        raise BadExport(
            f"{out.name}: the file name must end in one of {', '.join(FORMATS)}",
            vi=f"{out.name}: tên tệp phải kết thúc bằng {', '.join(FORMATS)}",
        )
    run = reading.run(run_id)
    frames = _finished(
        reading.export_batches(level, run.run_id, scope or Scope(), top),
        level,
        {"run_id": run.run_id, "model_version": run.model_version, "snapshot": run.snapshot},
        card_of if level == "patient" else None,
    )
    write: Callable[[Path, Iterable[pl.DataFrame]], int] = {
        ".parquet": _write_parquet,
        ".csv": _write_csv,
        ".jsonl": _write_jsonl,
        ".xlsx": _write_xlsx,
    }[out.suffix.lower()]
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f".{out.name}.part")
    try:
        rows = write(part, frames)
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return rows


def recorded_cards(reading: Reading, record: Callable[[int], None]) -> CardOf:
    """A `CardOf` that reads the restricted table, telling `record` of the number of cards before they are given."""

    def card_of(patients: Sequence[str]) -> Mapping[str, str]:
        return reading.cards(patients, record=lambda _, rows: record(rows))

    return card_of


def _finished(
    batches: Iterator[pl.DataFrame], level: str, made_by: Mapping[str, Any], card_of: CardOf | None
) -> Iterator[pl.DataFrame]:
    for batch in batches:
        frame = _of_lines(batch) if level == "line" else batch
        if card_of is not None:
            cards = card_of(frame["entity_id"].to_list())
            frame = frame.with_columns(pl.col("entity_id").replace(dict(cards)))
        yield frame.with_columns(**{name: pl.lit(value) for name, value in made_by.items()}).select(
            pl.col(name).fill_null("[]" if name == "evidence" else "").cast(dtype)
            if name in ("evidence", "reasons_vi", "reasons_en")
            else pl.col(name).cast(dtype)
            for name, dtype in COLUMNS.items()
        )


def _of_lines(batch: pl.DataFrame) -> pl.DataFrame:
    """Of its claim's evidence a line keeps the signals that name it, and takes its reasons from them."""
    evidence: list[str | None] = []
    reasons: dict[str, list[str]] = {"reasons_vi": [], "reasons_en": []}
    wanted = batch.select("evidence", "line_table", "row_no", *reasons)
    for text, table, row_no, whole_vi, whole_en in wanted.iter_rows():
        if text is None:
            evidence.append(None)
            reasons["reasons_vi"].append(whole_vi)
            reasons["reasons_en"].append(whole_en)
            continue
        own = [item for item in json.loads(text) if [table, row_no] in item.get("lines", [])]
        evidence.append(json.dumps(own, ensure_ascii=False))
        for lang in ("vi", "en"):
            texts = [item[f"text_{lang}"] for item in own[:REASONS] if item.get(f"text_{lang}")]
            reasons[f"reasons_{lang}"].append("; ".join(texts))
    return batch.with_columns(
        pl.Series("evidence", evidence, dtype=pl.String),
        *(pl.Series(name, texts, dtype=pl.String) for name, texts in reasons.items()),
    )


def _write_parquet(path: Path, frames: Iterable[pl.DataFrame]) -> int:
    import pyarrow as pa  # slow import: the other formats do without
    import pyarrow.parquet as pq

    schema = pa.schema(
        [
            pa.field(name, pa.list_(pa.string()) if dtype == pl.List else field.type)
            for (name, dtype), field in zip(COLUMNS.items(), _arrow_schema(), strict=True)
        ]
    )
    rows = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for frame in frames:
            writer.write_table(frame.to_arrow().cast(schema))
            rows += frame.height
    return rows


def _arrow_schema() -> Any:
    return pl.DataFrame(schema=COLUMNS).to_arrow(compat_level=pl.CompatLevel.oldest()).schema


def _write_csv(path: Path, frames: Iterable[pl.DataFrame]) -> int:
    rows = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for frame in frames:
            for row in frame.iter_rows():
                writer.writerow(_cell(value) for value in row)
            rows += frame.height
    return rows


def _write_jsonl(path: Path, frames: Iterable[pl.DataFrame]) -> int:
    rows = 0
    with path.open("w", encoding="utf-8") as file:
        for frame in frames:
            for row in frame.iter_rows(named=True):
                plain = {name: float(v) if isinstance(v, Decimal) else v for name, v in row.items()}
                file.write(json.dumps(plain, ensure_ascii=False) + "\n")
            rows += frame.height
    return rows


def _write_xlsx(path: Path, frames: Iterable[pl.DataFrame]) -> int:
    import xlsxwriter  # slow import: the other formats do without

    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    book = xlsxwriter.Workbook(str(path), options)
    book.set_properties({"created": datetime(2000, 1, 1)})
    sheet = book.add_worksheet("export")
    sheet.freeze_panes(1, 0)
    sheet.write_row(0, 0, list(COLUMNS))
    money = book.add_format({"num_format": "#,##0.00"})
    rows = 0
    try:
        for frame in frames:
            if rows + frame.height > SHEET_ROWS:
                raise BadExport(
                    f"a sheet holds {SHEET_ROWS} rows: use --top, or a .csv or .parquet file",
                    vi=f"Một trang tính chứa tối đa {SHEET_ROWS} dòng: dùng --top, hoặc xuất .csv hay .parquet",
                )
            for row in frame.iter_rows():
                rows += 1
                for place, value in enumerate(row):
                    if isinstance(value, Decimal):
                        sheet.write_number(rows, place, float(value), money)
                    elif isinstance(value, bool):
                        sheet.write_boolean(rows, place, value)
                    elif isinstance(value, int | float):
                        sheet.write_number(rows, place, value)
                    else:
                        sheet.write_string(rows, place, _cell(value)[:32_767])  # a cell holds no more
    finally:
        book.close()
    return rows


def _cell(value: Any) -> str:
    """A value as text of a CSV or XLSX cell."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value)
    text = ";".join(value) if isinstance(value, list) else str(value)  # pyright: ignore[reportUnknownArgumentType]
    return f"'{text}" if isinstance(value, str | list) and text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
