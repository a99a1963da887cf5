"""`minhbach ingest`: claim files into the lake."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.console import json_option, start

if TYPE_CHECKING:
    from data.intake import LoadReport
    from service.console import Console


@click.command("ingest")
@click.argument("paths", nargs=-1, required=True, type=click.Path(allow_dash=True, path_type=Path))
@click.option(
    "--as",
    "source",
    type=click.Choice(["auto", "130", "4210", "csv", "parquet"]),
    default="auto",
    show_default=True,
    help="Chuẩn của tệp; auto: tự nhận theo nội dung / the standard; auto: told from the content.",
)
@click.option(
    "--mapping",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Tệp TOML: cột nguồn → trường (csv, parquet) / TOML file: source column → field.",
)
@json_option
def command(paths: tuple[Path, ...], source: str, mapping: Path | None, as_json: bool) -> int:
    r"""Nạp tệp, thư mục hoặc '-' (đầu vào chuẩn) / load files, folders or '-' (standard input).

    Thư mục được tìm *.xml, *.xml.gz, *.zip. Tệp đã nạp (theo nội dung) được bỏ qua; hồ sơ gửi lại thay bản cũ.
    Folders are searched for *.xml, *.xml.gz and *.zip. What was loaded already is skipped; a resend replaces.

    \b
    Ví dụ / Examples:
      minhbach ingest ho-so/
      minhbach ingest 98001_20260901.xml thang-09.zip --json
      cat ho-so.xml | minhbach ingest -
      minhbach ingest trich-xuat/ --as csv                       # xml1.csv, xml2.csv … / xml1.csv, xml2.csv …
      minhbach ingest claims.parquet --as parquet --mapping cot.toml

    csv, parquet: tệp .csv, .csv.gz, .parquet, .xlsx; cách viết mapping ở docs/mapping.md / see docs/mapping.md.
    """
    from data.intake import ingest, ingest_tables
    from data.sources import Limits

    app, console = start(as_json)
    key = app.settings.pseudonym_key_bytes(create=True)
    limits = Limits(source_bytes=app.settings.max_file_mb * 1024 * 1024)
    received = app.clock().replace(tzinfo=None)
    if source in ("csv", "parquet") or mapping:
        if source not in ("auto", "csv", "parquet"):
            raise click.UsageError("--mapping: --as csv | parquet")
        with app.lake.writer("ingest"), console.progress("Nạp bảng", "Loading tables") as told:
            report = ingest_tables(app.lake, paths, mapping=mapping, key=key, received=received, progress=told)
        return _told(console, report)
    with tempfile.TemporaryDirectory() as folder:
        listed = [_standard_input(Path(folder)) if str(p) == "-" else p for p in paths]
        with app.lake.writer("ingest"), console.progress("Nạp hồ sơ", "Loading claims") as told:
            report = ingest(
                app.lake,
                listed,
                key=key,
                received=received,
                standard=None if source == "auto" else source,
                workers=app.settings.duckdb_threads,
                limits=limits,
                progress=told,
            )
    return _told(console, report)


def _told(console: Console, report: LoadReport) -> int:
    """Show what was done; the command's exit code."""
    told = report.as_json()
    rows = told["rows"].items()

    def tables() -> None:
        figures = [(k, v) for k, v in told.items() if k != "rows"]
        console.table([console.text("Mục", "Item"), console.text("Số", "Number")], figures)
        if rows:
            heads = (
                ("Bảng", "Table"),
                ("Đọc", "Read"),
                ("Nạp", "Loaded"),
                ("Đã thay", "Superseded"),
                ("Từ chối", "Refused"),
            )
            kinds = ("read", "loaded", "superseded", "quarantined")
            console.table([console.text(*h) for h in heads], [(name, *(n[k] for k in kinds)) for name, n in rows])

    console.result(told, tables)
    if report.quarantined:
        console.step(
            f"{report.quarantined} tệp hoặc dòng bị từ chối: xem `minhbach quarantine list`",
            f"{report.quarantined} files or rows were refused: see `minhbach quarantine list`",
        )
        return 4
    return 0


def _standard_input(folder: Path) -> Path:
    path = folder / "stdin.xml"
    with path.open("wb") as file:
        while block := sys.stdin.buffer.read(1024 * 1024):
            file.write(block)
    return path
