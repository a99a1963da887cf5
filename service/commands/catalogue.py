"""`minhbach catalogue`: facilities, staff, services and the other tables claims are checked against."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from service.console import json_option, start

if TYPE_CHECKING:
    from service.bootstrap import App
    from service.console import Console


@click.group("catalogue")
def command() -> None:
    """Danh mục: cơ sở, nhân lực, dịch vụ, thuốc … / catalogues: facilities, staff, services, drugs …."""


@command.command("load")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@json_option
def load(path: Path, as_json: bool) -> None:
    r"""Nạp một thư mục tệp CSV, hoặc một tệp / load a folder of CSV files, or one of them.

    \b
    Ví dụ / Example:
      minhbach catalogue load danh-muc/
    """
    app, console = start(as_json)
    result = load_catalogues(app, console, path)
    console.result(result, lambda: console.table(["CSV", "n"], list(result["catalogues"].items())))


def load_catalogues(app: App, console: Console, path: Path) -> dict[str, Any]:
    """Load and commit the catalogue files of `path`; the same content is committed once."""
    import polars as pl

    from data.catalogues import catalogue_files, read_catalogue, unknown_files
    from data.pseudonym import Pseudonymiser

    patient = Pseudonymiser(app.settings.pseudonym_key_bytes(create=True))
    for name in unknown_files(path):
        console.step(f"bỏ qua {name}: không phải tên danh mục", f"{name} skipped: no catalogue is called so")
    rows = {name: read_catalogue(name, file, patient=patient) for name, file in catalogue_files(path)}
    content = hashlib.sha256()
    for name in sorted(rows):
        content.update(name.encode() + rows[name].write_csv().encode())
    commit_id = f"catalogue-{content.hexdigest()[:16]}"
    counts = {name: frame.height for name, frame in rows.items()}
    with app.lake.writer("catalogue load"):
        if not app.lake.committed(commit_id):
            folder = app.lake.staging(commit_id)
            seq = app.lake.snapshot() + 1
            staged: dict[str, list[Path]] = {}
            for name, frame in rows.items():
                file = folder / f"{name}.parquet"
                stamped = frame.with_columns(
                    pl.lit(commit_id).alias("load_id"), pl.lit(seq, dtype=pl.Int64).alias("load_seq")
                )
                stamped.write_parquet(file)
                staged[f"catalogue_{name}"] = [file]
            app.lake.commit("catalogue", commit_id, staged, counts)
        return {"catalogues": counts, "snapshot": app.lake.snapshot()}
