"""`minhbach train`: fit the detectors, register the model."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from service.console import json_option, start

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from service.bootstrap import App
    from service.console import Console

DAY = click.DateTime(["%Y-%m-%d"])


@click.command("train")
@click.option("--since", type=DAY, help="Từ ngày ra viện / from this day of discharge.")
@click.option("--until", type=DAY, help="Đến ngày ra viện / to this day of discharge.")
@click.option(
    "--outcomes",
    is_flag=True,
    help="Học thêm từ quyết định của các vụ việc đã kết luận / learn from the decisions of concluded cases.",
)
@click.option(
    "--labels",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Quyết định trong tệp .csv, .parquet: ma_cskcb, ma_lk, line_table, row_no, confirmed / decisions in a file.",
)
@click.option("--seed", default=20260701, show_default=True, help="Hạt giống ngẫu nhiên / random seed.")
@json_option
def command(
    since: datetime | None, until: datetime | None, outcomes: bool, labels: Path | None, seed: int, as_json: bool
) -> None:
    r"""Học mức bình thường từ hồ sơ đã nạp và đăng ký mô hình / learn what is normal and register the model.

    Phiên bản mới có bí danh challenger, và champion nếu chưa có / the new version becomes challenger, and champion if
    there is none.

    Quyết định dạy mỗi dấu hiệu đáng tin đến đâu; hồ sơ chưa ai xem không phải là hồ sơ đúng. Trong tệp, confirmed là 1
    (từ chối, điều chỉnh) hoặc 0 (chấp nhận); để trống line_table và row_no khi quyết định cả hồ sơ / decisions teach
    how far each sign can be trusted; a claim nobody read is not taken for a good one. In a file, confirmed is 1
    (refused, adjusted) or 0 (accepted); line_table and row_no stay empty when the whole claim was decided.

    \b
    Ví dụ / Examples:
      minhbach train --until 2026-06-30
      minhbach train --outcomes
      minhbach train --labels ket-qua.csv
    """
    app, console = start(as_json)
    result = train_model(app, console, since=since, until=until, outcomes=outcomes, labels=labels, seed=seed)
    metrics = result["metrics"]

    def show() -> None:
        console.table(
            [console.text("Chỉ số", "Metric"), console.text("Giá trị", "Value")],
            sorted(metrics.items()),
            title=console.text(f"Mô hình phiên bản {result['version']}", f"Model version {result['version']}"),
        )
        if result["outcomes"] is not None:
            show_lessons(console, result["outcomes"])

    console.result(result, show)


def show_lessons(console: Console, outcomes: Mapping[str, Any], most: int = 15) -> None:
    """How many decisions taught a model, and the likelihoods they moved most."""
    counts = {name: outcomes[name] for name in ("decisions", "confirmed", "claims", "without_sign", "outside")}
    console.table(
        [
            console.text("Dấu hiệu", "Sign"),
            console.text("Mức", "Level"),
            console.text("Trước khi học", "Prior"),
            console.text("Đã học", "Learned"),
            console.text("Quyết định", "Decisions"),
            console.text("Xác nhận", "Confirmed"),
        ],
        [
            ("*" if each["name"] == each["level"] else each["name"], each["level"], f"{each['prior']:.2f}",
             f"{each['learned']:.2f}", each["decisions"], each["confirmed"])
            for each in (*outcomes["levels"], *outcomes["sources"][:most])
        ],
        title=console.text(
            "Học từ {decisions} quyết định ({confirmed} xác nhận) về {claims} hồ sơ; {without_sign} không thuộc"
            " dấu hiệu nào, {outside} về hồ sơ ngoài kỳ hoặc chưa nạp",
            "Learned from {decisions} decisions ({confirmed} confirmed) about {claims} claims; {without_sign} about no"
            " sign, {outside} about claims outside the period or not loaded",
        ).format(**counts),
    )  # fmt: skip


def train_model(
    app: App,
    console: Console,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    outcomes: bool = False,
    labels: Path | None = None,
    seed: int = 20260701,
) -> dict[str, Any]:
    """Train, register, set the aliases and keep the history; returns the command's JSON object."""
    from models.train import train

    decisions = _decisions(app, outcomes=outcomes, labels=labels)
    words = {
        "read": ("Đọc hồ sơ", "Reading claims"),
        "features": ("Tính đặc trưng", "Computing features"),
        "measure": ("Đo trên các tháng cuối", "Measuring on the last months"),
        "fit": ("Học mức bình thường", "Learning what is normal"),
        "rules": ("Chạy các quy tắc", "Running the rules"),
        "outcomes": ("Học từ quyết định của giám định viên", "Learning from assessors' decisions"),
        "threshold": ("Đặt ngưỡng rà soát", "Setting the review threshold"),
        "entities": (
            "Học mức thường của bác sĩ, cơ sở, người bệnh",
            "Learning what is usual of doctors, facilities, patients",
        ),
    }
    with app.lake.reader() as reader, console.steps(words) as step:
        trained = train(
            reader,
            since=since.date() if since else None,
            until=until.date() if until else None,
            seed=seed,
            review_share=app.settings.review_share,
            decisions=decisions,
            step=step,
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
        reason = "mới huấn luyện / newly trained"
        app.model_history.record(version, "alias_set", by="minhbach train", reason=reason, alias=alias)
    return {
        "run_id": run_id,
        "version": version,
        "aliases": wanted,
        "metrics": trained.metrics,
        "outcomes": trained.bundle.trained.get("outcomes"),
    }


def _decisions(app: App, *, outcomes: bool, labels: Path | None) -> pl.DataFrame | None:
    """The final decisions of the service's own cases, those of a file, or both."""
    if not outcomes and labels is None:
        return None
    import polars as pl

    from models.feedback import read_decisions
    from service.rule_board import decisions_of

    own = [decisions_of(app.cases.labels())] if outcomes else []
    return pl.concat([*own, *([read_decisions(labels)] if labels else [])])
