"""`minhbach quarantine`: what was refused, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.console import json_option, start

if TYPE_CHECKING:
    import polars as pl

    from service.bootstrap import App

COLUMNS = (
    "load_id, file, hoso_no, line_table, row_no, version, ma_cskcb, ma_lk, severity, check_id, code, field, value, "
    "hint_vi, hint_en"
)


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
    """Ghi ra .csv, .jsonl, .parquet hoặc .xlsx, kèm nguyên dòng / write to a file, whole rows included.

    Nguyên dòng có thể nêu tên người bệnh: mỗi lần ghi được lưu vào nhật ký.
    Whole rows may name patients: every export is entered in the audit log.
    """
    app, console = start(as_json)
    if out.suffix not in (".csv", ".jsonl", ".parquet", ".xlsx"):
        raise click.BadParameter(f"{out.name}: .csv, .jsonl, .parquet, .xlsx", param_hint="OUT")
    rows = _rows(app, everything, whole=out.name)
    writers = {
        ".csv": lambda: rows.write_csv(out),
        ".jsonl": lambda: rows.write_ndjson(out),
        ".parquet": lambda: rows.write_parquet(out),
        ".xlsx": lambda: rows.write_excel(str(out)),
    }
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


def _rows(app: App, everything: bool, *, whole: str | None = None) -> pl.DataFrame:
    """The findings with their hints; with the content of refused rows when they go to the file `whole`."""
    from data.checks import with_hints

    wanted = "" if everything else "where severity = 'quarantine'"
    with app.lake.reader() as reader:
        found = with_hints(
            reader.pl(
                f"select {COLUMNS} from intake_finding {wanted} "
                "order by load_id, file, hoso_no nulls first, line_table, row_no, code"
            )
        )
        if whole is None:
            return found.drop("version")
        refused = reader.restricted(
            "refused_row",
            "select version, line_table, row_no, content from restricted",
            record=lambda table, rows: app.record_look("quarantine export", whole, table=table, rows=rows),
        )
    if not refused.height:
        return found.drop("version")
    on = ["version", "line_table", "row_no"]
    return found.join(refused, on=on, how="left", maintain_order="left").drop("version")
