"""`minhbach export`: a ranking as a file."""

from __future__ import annotations

from pathlib import Path

import click

from service.console import json_option, start


@click.command("export")
@click.argument("level", type=click.Choice(["claim", "line", "patient", "doctor", "facility"]))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--run", "run_id", help="Lượt chấm; mặc định mới nhất / run; default the newest.")
@click.option("--top", type=click.IntRange(min=1), help="Chỉ N dòng đầu / only the first N.")
@json_option
def command(level: str, out: Path, run_id: str | None, top: int | None, as_json: bool) -> None:
    r"""Ghi danh sách xếp hạng, cần xem xét nhất đứng đầu / write the ranking, what to look at first on top.

    OUT: .parquet, .csv, .jsonl, .xlsx.

    \b
    Ví dụ / Examples:
      minhbach export claim top.xlsx --top 200
      minhbach export doctor bac-si.csv
    """
    from service.exports import export, recorded_cards

    app, console = start(as_json)

    def record(cards: int) -> None:
        app.record_look("export patient", out.name, table="person", rows=cards)

    card_of = recorded_cards(app.reading, record) if level == "patient" else None
    rows = export(app.reading, level, out, run_id=run_id, top=top, card_of=card_of)
    console.result({"level": level, "rows": rows, "file": str(out)})
