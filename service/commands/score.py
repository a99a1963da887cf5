"""`minhbach score`: score what changed."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from service.console import json_option, start

if TYPE_CHECKING:
    from service.bootstrap import App
    from service.console import Console

DAY = click.DateTime(["%Y-%m-%d"])


@click.command("score")
@click.option("--since", type=DAY, help="Từ ngày ra viện / from this day of discharge.")
@click.option("--until", type=DAY, help="Đến ngày ra viện / to this day of discharge.")
@click.option("--model", default="champion", show_default=True, help="Bí danh hoặc số phiên bản / alias or version.")
@click.option("--all", "everything", is_flag=True, help="Chấm lại tất cả / score everything again.")
@json_option
def command(since: datetime | None, until: datetime | None, model: str, everything: bool, as_json: bool) -> None:
    r"""Chấm điểm hồ sơ mới hoặc đã đổi từ lượt trước / score what is new or changed since the last run.

    \b
    Ví dụ / Examples:
      minhbach score
      minhbach score --since 2026-09-01 --model challenger --json
    """
    app, console = start(as_json)
    result = score_claims(app, console, since=since, until=until, model=model, everything=everything)
    console.result(result)


def score_claims(
    app: App,
    console: Console,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    model: str = "champion",
    everything: bool = False,
) -> dict[str, Any]:
    """Score and commit a run; returns the command's JSON object."""
    from models.bundle import bundle_sha256
    from models.scoring import run_scoring

    version = app.registry.resolve(model)
    bundle = app.registry.load(version)
    with app.lake.writer("score"), console.progress("Chấm điểm", "Scoring") as told:
        run = run_scoring(
            app.lake,
            bundle,
            model_version=version,
            bundle_sha256=bundle_sha256(app.registry.folder(version)),
            since=since.date() if since else None,
            until=until.date() if until else None,
            everything=everything,
            switches=app.rule_desk.in_force(),
            progress=told,
        )
    return {
        "run_id": run.run_id,
        "encounters": run.encounters,
        "flags": run.flags,
        "seconds": run.seconds,
        "model_version": run.model_version,
        "snapshot": run.snapshot,
        "base_run": run.base_run,
    }
