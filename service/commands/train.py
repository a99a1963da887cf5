"""`minhbach train`: fit the detectors, register the model."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from service.console import json_option, start

if TYPE_CHECKING:
    from service.bootstrap import App
    from service.console import Console

DAY = click.DateTime(["%Y-%m-%d"])


@click.command("train")
@click.option("--since", type=DAY, help="Từ ngày ra viện / from this day of discharge.")
@click.option("--until", type=DAY, help="Đến ngày ra viện / to this day of discharge.")
@click.option(
    "--labels",
    type=click.Path(exists=True, path_type=Path),
    help="Kết quả giám định (source, confirmed) / assessors' outcomes.",
)
@click.option("--seed", default=20260701, show_default=True, help="Hạt giống ngẫu nhiên / random seed.")
@json_option
def command(since: datetime | None, until: datetime | None, labels: Path | None, seed: int, as_json: bool) -> None:
    r"""Học mức bình thường từ hồ sơ đã nạp và đăng ký mô hình / learn what is normal and register the model.

    Phiên bản mới có bí danh challenger, và champion nếu chưa có / the new version becomes challenger, and champion if
    there is none.

    \b
    Ví dụ / Examples:
      minhbach train --until 2026-06-30
      minhbach train --labels ket-qua.csv
    """
    app, console = start(as_json)
    result = train_model(app, console, since=since, until=until, labels=labels, seed=seed)
    metrics = result["metrics"]
    console.result(
        result,
        lambda: console.table(
            [console.text("Chỉ số", "Metric"), console.text("Giá trị", "Value")],
            sorted(metrics.items()),
            title=console.text(f"Mô hình phiên bản {result['version']}", f"Model version {result['version']}"),
        ),
    )


def train_model(
    app: App,
    console: Console,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    labels: Path | None = None,
    seed: int = 20260701,
) -> dict[str, Any]:
    """Train, register, set the aliases and keep the history; returns the command's JSON object."""
    from models.feedback import read_labels, weights_from
    from models.train import train

    weights = weights_from(read_labels(labels)) if labels else None
    words = {
        "read": ("Đọc hồ sơ", "Reading claims"),
        "features": ("Tính đặc trưng", "Computing features"),
        "measure": ("Đo trên các tháng cuối", "Measuring on the last months"),
        "fit": ("Học mức bình thường", "Learning what is normal"),
        "rules": ("Chạy các quy tắc", "Running the rules"),
        "threshold": ("Đặt ngưỡng rà soát", "Setting the review threshold"),
    }
    with app.lake.reader() as reader:
        trained = train(
            reader,
            since=since.date() if since else None,
            until=until.date() if until else None,
            seed=seed,
            review_share=app.settings.review_share,
            weights=weights,
            step=lambda name: console.step(*words[name]),
        )
    console.step("Đăng ký mô hình", "Registering the model")
    run_id, version = app.registry.register(
        trained.bundle,
        parameters=trained.parameters,
        metrics=trained.metrics,
        tags={"snapshot": str(trained.bundle.trained["snapshot"])},
    )
    app.model_history.record(version, "registered", by="minhbach train", reason=f"MLflow run {run_id}")
    wanted = ["challenger"] if "champion" in app.registry.aliases() else ["challenger", "champion"]
    for alias in wanted:
        app.registry.set_alias(alias, version)
        app.model_history.record(version, "alias_set", by="minhbach train", reason="newly trained", alias=alias)
    return {"run_id": run_id, "version": version, "aliases": wanted, "metrics": trained.metrics}
