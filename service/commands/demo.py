"""`minhbach demo`: the whole way, from hospital files to the page, on synthetic claims."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from service.commands.evaluate import evaluate_run, show
from service.commands.score import score_claims
from service.commands.serve import run
from service.commands.train import train_model
from service.console import json_option, start

if TYPE_CHECKING:
    from service.bootstrap import App
    from service.console import Console

DEMO_USER = "demo"


@click.command("demo")
@click.option("--no-serve", is_flag=True, help="Dừng sau khi in kết quả / stop after printing.")
@click.option("--encounters", default=20_000, show_default=True, help="Số hồ sơ giả lập / synthetic claims.")
@click.option("--seed", default=7, show_default=True, help="Hạt giống / seed.")
@click.option("--port", type=int, help="Cổng / port.")
@json_option
def command(no_serve: bool, encounters: int, seed: int, port: int | None, as_json: bool) -> None:
    r"""Sinh hồ sơ giả lập, nạp, huấn luyện, chấm, in mười hồ sơ đầu, mở trang web / try everything on synthetic claims.

    Dữ liệu nằm riêng trong MINHBACH_HOME/demo / its data lies apart, in MINHBACH_HOME/demo.

    \b
    Ví dụ / Examples:
      minhbach demo
      minhbach demo --encounters 5000 --no-serve
    """
    app, console = start(as_json)
    source = app.settings.home.absolute() / "demo" / f"{encounters}-{seed}"
    report = _generate(source, encounters, seed, console)
    _load(app, console, source)
    if "champion" not in app.registry.aliases():
        train_model(app, console, seed=seed)
    score = score_claims(app, console)
    top = _top(app)
    quality = evaluate_run(app, source / "truth", run_id=score["run_id"], seed=seed, learners=False)
    password = _account(app)
    console.result(
        {"generated": report, "score": score, "top": top, "quality": quality["rankings"]},
        lambda: _show(console, top, quality),
    )
    if no_serve:
        return
    number = port if port is not None else app.settings.port
    console.step(
        f"\nMở http://{app.settings.host}:{number} và đăng nhập: {DEMO_USER} / mật khẩu dùng một lần {password}",
        f"\nOpen http://{app.settings.host}:{number} and sign in: {DEMO_USER} / one-time password {password}",
    )
    console.step("Ctrl+C để dừng", "Ctrl+C stops it")
    run(app.settings.host, number, 1)


def _generate(source: Path, encounters: int, seed: int, console: Console) -> dict[str, Any]:
    done = source / "report.json"
    if done.exists():
        return json.loads(done.read_text())
    from data.synthetic import generate

    with console.progress(f"Sinh {encounters} hồ sơ giả lập", f"Making {encounters} synthetic claims") as told:
        report = generate(source, encounters=encounters, months=12, seed=seed, progress=told)
    values = {name: getattr(report, name) for name in report.__dataclass_fields__}
    done.write_text(json.dumps(values, default=str))
    return values


def _load(app: App, console: Console, source: Path) -> None:
    from data.intake import ingest
    from service.commands.catalogue import load_catalogues

    console.step("Nạp danh mục", "Loading catalogues")
    load_catalogues(app, console, source / "catalogues")
    key = app.settings.pseudonym_key_bytes(create=True)
    with app.lake.writer("demo"), console.progress("Nạp hồ sơ", "Loading claims") as told:
        report = ingest(
            app.lake,
            [source / "xml"],
            key=key,
            received=app.clock().replace(tzinfo=None),
            workers=app.settings.duckdb_threads,
            progress=told,
        )
    values = report.as_json()
    console.step(
        f"Đã nạp {values['encounters_new']} hồ sơ, {values['drug_lines'] + values['service_lines']} dòng, "
        f"{values['encounters_per_second']:.0f} hồ sơ/giây, {values['quarantined']} bị từ chối",
        f"Loaded {values['encounters_new']} claims, {values['drug_lines'] + values['service_lines']} lines, "
        f"{values['encounters_per_second']:.0f} claims/s, {values['quarantined']} refused",
    )


def _top(app: App) -> list[dict[str, Any]]:
    from service.accounts import Scope
    from service.reading import ClaimFilters

    page = app.reading.worklist(Scope(), ClaimFilters(), page=1, size=10)
    return [
        {
            "rank": row.rank,
            "claim_id": row.claim_id,
            "score": row.score,
            "amount_at_risk": float(row.amount_at_risk),
            "expected_recoverable": float(row.expected_recoverable),
            "schemes": list(row.schemes),
            "reason_vi": row.reason_vi,
            "reason_en": row.reason_en,
        }
        for row in page.rows
    ]


def _account(app: App) -> str:
    """The demo's account with a fresh one-time password."""
    if DEMO_USER not in {user.name for user in app.accounts.users()}:
        app.accounts.add_user(DEMO_USER, role="lead", actor="minhbach demo")
    return app.accounts.issue_one_time_password(DEMO_USER, actor="minhbach demo").password


def _show(console: Console, top: list[dict[str, Any]], quality: dict[str, Any]) -> None:
    from detectors.explain import dong

    lang = "vi" if console.lang == "vi" else "en"
    show(console, quality)
    console.table(
        [
            "#",
            console.text("Hồ sơ", "Claim"),
            console.text("Điểm", "Score"),
            console.text("Có dấu hiệu", "At risk"),
            console.text("Lý do đứng đầu", "First reason"),
        ],
        [
            (r["rank"], r["claim_id"], f"{r['score']:.3f}", dong(r["amount_at_risk"], lang), r[f"reason_{lang}"])
            for r in top
        ],
        title=console.text("Mười hồ sơ cần xem xét trước", "The ten claims to look at first"),
    )
