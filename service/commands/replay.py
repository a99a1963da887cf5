"""`minhbach replay`: a past run, scored again."""

from __future__ import annotations

import click

from service.console import json_option, start


@click.command("replay")
@click.argument("run_id")
@json_option
def command(run_id: str, as_json: bool) -> int:
    r"""Chấm lại một lượt từ bản kê của nó và so từng điểm / score a past run again from its manifest and compare.

    \b
    Ví dụ / Example:
      minhbach replay 3f2a9c0d1e4b5a67
    """
    from models.replay import replay

    app, console = start(as_json)
    with console.progress("Chấm lại", "Scoring again") as told:
        result = replay(app.lake, app.registry, run_id, progress=told)
    console.result(
        result.as_json(),
        lambda: click.echo(
            console.text(
                f"{result.encounters} hồ sơ chấm lại, {result.different} khác với lần trước",
                f"{result.encounters} claims scored again, {result.different} differ",
            )
        ),
    )
    return 0 if result.equal else 1
