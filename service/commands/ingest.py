"""`minhbach ingest`: claim files into the lake."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import click

from service.console import json_option, start


@click.command("ingest")
@click.argument("paths", nargs=-1, required=True, type=click.Path(allow_dash=True, path_type=Path))
@click.option(
    "--as",
    "source",
    type=click.Choice(["auto", "130", "4210"]),
    default="auto",
    show_default=True,
    help="Chuẩn của tệp; auto: tự nhận theo nội dung / the standard; auto: told from the content.",
)
@json_option
def command(paths: tuple[Path, ...], source: str, as_json: bool) -> int:
    r"""Nạp tệp, thư mục hoặc '-' (đầu vào chuẩn) / load files, folders or '-' (standard input).

    Thư mục được tìm *.xml, *.xml.gz, *.zip. Tệp đã nạp (theo nội dung) được bỏ qua; hồ sơ gửi lại thay bản cũ.
    Folders are searched for *.xml, *.xml.gz and *.zip. What was loaded already is skipped; a resend replaces.

    \b
    Ví dụ / Examples:
      minhbach ingest ho-so/
      minhbach ingest 98001_20260901.xml thang-09.zip --json
      cat ho-so.xml | minhbach ingest -
    """
    from data.intake import ingest
    from data.sources import Limits

    app, console = start(as_json)
    key = app.settings.pseudonym_key_bytes(create=True)
    limits = Limits(source_bytes=app.settings.max_file_mb * 1024 * 1024)
    with tempfile.TemporaryDirectory() as folder:
        listed = [_standard_input(Path(folder)) if str(p) == "-" else p for p in paths]
        with app.lake.writer("ingest"), console.progress("Nạp hồ sơ", "Loading claims") as told:
            report = ingest(
                app.lake,
                listed,
                key=key,
                received=app.clock().replace(tzinfo=None),
                standard=None if source == "auto" else source,
                workers=app.settings.duckdb_threads,
                limits=limits,
                progress=told,
            )
    console.result(
        report.as_json(),
        lambda: console.table(
            [console.text("Mục", "Item"), console.text("Số", "Number")], [(k, v) for k, v in report.as_json().items()]
        ),
    )
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
