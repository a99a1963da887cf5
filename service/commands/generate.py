"""`minhbach generate`: synthetic claims whose truth is known."""

from __future__ import annotations

from pathlib import Path

import click

from service.console import json_option, start


@click.command("generate")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--encounters", default=20_000, show_default=True, help="Số hồ sơ / claims.")
@click.option("--months", default=12, show_default=True, help="Số tháng / months.")
@click.option("--seed", default=7, show_default=True, help="Hạt giống ngẫu nhiên / random seed.")
@json_option
def command(out: Path, encounters: int, months: int, seed: int, as_json: bool) -> None:
    r"""Sinh hồ sơ giả lập: OUT/xml, OUT/catalogues, OUT/truth / synthetic claims with known schemes.

    Không có người thật nào trong đó / no real person is in them.

    \b
    Ví dụ / Example:
      minhbach generate thu/ --encounters 20000 --months 12 --seed 7
    """
    from data.synthetic import generate

    _, console = start(as_json)
    with console.progress("Sinh hồ sơ", "Making claims") as told:
        report = generate(out, encounters=encounters, months=months, seed=seed, progress=told)
    console.result({name: getattr(report, name) for name in report.__dataclass_fields__})
