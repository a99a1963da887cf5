"""`minhbach nightly`: the night's work as one command that can be run again after any interruption."""

from __future__ import annotations

from pathlib import Path

import click

from service.commands.score import score_claims
from service.console import json_option, start


@click.command("nightly")
@click.argument("input_dir", type=click.Path(exists=True, file_okay=False, path_type=Path))
@json_option
def command(input_dir: Path, as_json: bool) -> int:
    r"""Nạp thư mục rồi chấm điểm / load a folder, then score what changed.

    Chạy lại sau khi bị ngắt: phần đã xong được bỏ qua / run again after an interruption: what is done is skipped.

    \b
    Ví dụ / Example:
      minhbach nightly ho-so/2026-09-30
    """
    from data.intake import ingest
    from data.sources import Limits

    app, console = start(as_json)
    key = app.settings.pseudonym_key_bytes(create=True)
    with app.lake.writer("nightly"), console.progress("Nạp hồ sơ", "Loading claims") as told:
        report = ingest(
            app.lake,
            [input_dir],
            key=key,
            received=app.clock().replace(tzinfo=None),
            workers=app.settings.duckdb_threads,
            limits=Limits(source_bytes=app.settings.max_file_mb * 1024 * 1024),
            progress=told,
        )
    run = score_claims(app, console)
    console.result({"ingest": report.as_json(), "score": run})
    return 4 if report.quarantined else 0
