"""`minhbach quarantine`: what was refused, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.console import json_option, start

if TYPE_CHECKING:
    import polars as pl

    from service.bootstrap import App

COLUMNS = "load_id, file, hoso_no, line_table, row_no, ma_cskcb, ma_lk, severity, code, field, value, hint_vi, hint_en"


@click.group("quarantine", invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    r"""Tệp, hồ sơ, dòng bị từ chối, kèm lý do và cách sửa / refused files, claims and rows, with the way to mend each.

    \b
    Ví dụ / Examples:
      minhbach quarantine list
      minhbach quarantine export bi-tu-choi.csv
    """
    if context.invoked_subcommand is None:
        context.invoke(listed)


@command.command("list")
@click.option("--limit", default=50, show_default=True, help="Số dòng / rows shown.")
@click.option("--all", "everything", is_flag=True, help="Cả cảnh báo / warnings too.")
@json_option
def listed(limit: int = 50, everything: bool = False, as_json: bool = False) -> None:
    """Liệt kê / list."""
    app, console = start(as_json)
    rows = _rows(app, everything)
    shown = rows.head(limit)
    hint = console.text("hint_vi", "hint_en")
    console.result(
        {"total": rows.height, "rows": shown.to_dicts()},
        lambda: console.table(
            [console.text(*h) for h in _HEADS],
            [
                (
                    Path(r["file"] or "").name,
                    f"{r['ma_cskcb'] or ''}:{r['ma_lk'] or ''}",
                    f"{r['line_table'] or ''} {r['row_no'] or ''}",
                    r["code"],
                    r["field"],
                    (r["value"] or "")[:40],
                    r[hint],
                )
                for r in shown.iter_rows(named=True)
            ],
            title=console.text(f"{rows.height} mục", f"{rows.height} items"),
        ),
    )


@command.command("export")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--all", "everything", is_flag=True, help="Cả cảnh báo / warnings too.")
@json_option
def export(out: Path, everything: bool, as_json: bool) -> None:
    """Ghi ra .csv, .jsonl, .parquet hoặc .xlsx, kèm nguyên dòng / write to a file, whole rows included."""
    app, console = start(as_json)
    rows = _rows(app, everything, columns=f"{COLUMNS}, content")
    writers = {
        ".csv": lambda: rows.write_csv(out),
        ".jsonl": lambda: rows.write_ndjson(out),
        ".parquet": lambda: rows.write_parquet(out),
        ".xlsx": lambda: rows.write_excel(str(out)),
    }
    if out.suffix not in writers:
        raise click.BadParameter(f"{out.name}: .csv, .jsonl, .parquet, .xlsx", param_hint="OUT")
    writers[out.suffix]()
    console.result({"rows": rows.height, "file": str(out)})


_HEADS = (
    ("Tệp", "File"),
    ("Hồ sơ", "Claim"),
    ("Bảng, dòng", "Table, row"),
    ("Mã", "Code"),
    ("Trường", "Field"),
    ("Giá trị", "Value"),
    ("Cách sửa", "Way out"),
)


def _rows(app: App, everything: bool, columns: str = COLUMNS) -> pl.DataFrame:
    wanted = "" if everything else "where severity = 'quarantine'"
    with app.lake.reader() as reader:
        return reader.pl(
            f"select {columns} from intake_finding {wanted} "
            "order by load_id, file, hoso_no nulls first, line_table, row_no, code"
        )
