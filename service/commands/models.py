"""`minhbach models`: versions, aliases and their history."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any

import click

from service.commands.train import show_lessons
from service.console import json_option, start


@click.group("models", invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    r"""Các phiên bản mô hình và lịch sử không xóa được / model versions and their append-only history.

    \b
    Ví dụ / Examples:
      minhbach models list
      minhbach models compare 1 2
      minhbach models promote 2 --by lan.nt --reason "tìm thêm 8 % tiền, biên bản 12/BH"
      minhbach models at 2026-06-30
    """
    if context.invoked_subcommand is None:
        context.invoke(listed)


@command.command("list")
@json_option
def listed(as_json: bool = False) -> None:
    """Liệt kê / list."""
    app, console = start(as_json)
    versions = app.registry.versions()
    console.result(
        {
            "models": [
                {"version": v.version, "run_id": v.run_id, "aliases": list(v.aliases), "metrics": dict(v.metrics)}
                for v in versions
            ]
        },
        lambda: console.table(
            ["version", "alias", "encounters", "snapshot", "run"],
            [
                (
                    v.version,
                    ", ".join(v.aliases),
                    v.parameters.get("encounters"),
                    v.parameters.get("snapshot"),
                    v.run_id,
                )
                for v in versions
            ],
        ),
    )


@command.command("show")
@click.argument("version")
@json_option
def show(version: str, as_json: bool) -> None:
    """Tham số, chỉ số và điều một phiên bản học từ quyết định / parameters, metrics and lessons of one version."""
    app, console = start(as_json)
    number = app.registry.resolve(version)
    found = next(v for v in app.registry.versions() if v.version == number)
    rows = {**found.parameters, **found.metrics}
    outcomes: dict[str, Any] | None = app.registry.load(number).trained.get("outcomes")

    def show_it() -> None:
        console.table(["", ""], list(rows.items()), title=f"version {number} ({', '.join(found.aliases)})")
        if outcomes is not None:
            show_lessons(console, outcomes)

    console.result(
        {
            "version": number,
            "aliases": list(found.aliases),
            "parameters": dict(found.parameters),
            "metrics": dict(found.metrics),
            "outcomes": outcomes,
        },
        show_it,
    )


@command.command("compare")
@click.argument("first")
@click.argument("second")
@json_option
def compare(first: str, second: str, as_json: bool) -> None:
    """So hai phiên bản / compare two versions."""
    app, console = start(as_json)
    numbers = [app.registry.resolve(first), app.registry.resolve(second)]
    by_version = {v.version: {**v.parameters, **v.metrics} for v in app.registry.versions()}
    a, b = (by_version[n] for n in numbers)
    rows = [(key, a.get(key), b.get(key)) for key in sorted({*a, *b})]
    console.result(
        {"versions": numbers, "values": {key: [left, right] for key, left, right in rows}},
        lambda: console.table(["", str(numbers[0]), str(numbers[1])], rows),
    )


@command.command("promote")
@click.argument("version")
@click.option("--by", required=True, help="Người quyết định / who decides.")
@click.option("--reason", required=True, help="Lý do / why.")
@json_option
def promote(version: str, by: str, reason: str, as_json: bool) -> None:
    """Đưa một phiên bản lên champion / make a version the champion."""
    app, console = start(as_json)
    number = app.registry.resolve(version)
    before = app.registry.aliases().get("champion")
    app.registry.load(number)  # a broken bundle must not become champion
    app.registry.set_alias("champion", number)
    app.model_history.record(number, "promoted", by=by, reason=reason, alias="champion")
    console.result({"champion": number, "before": before, "by": by, "reason": reason})


@command.command("history")
@json_option
def history(as_json: bool) -> None:
    """Ai đổi gì, khi nào, vì sao / who changed what, when and why."""
    app, console = start(as_json)
    events = app.model_history.history()
    console.result(
        {
            "history": [
                {"version": e.version, "action": e.action, "alias": e.alias, "by": e.by, "reason": e.reason, "at": e.at}
                for e in events
            ]
        },
        lambda: console.table(
            ["at", "version", "action", "alias", "by", "reason"],
            [(e.at.isoformat(timespec="seconds"), e.version, e.action, e.alias, e.by, e.reason) for e in events],
        ),
    )


@command.command("at")
@click.argument("day", type=click.DateTime(["%Y-%m-%d"]))
@json_option
def at(day: datetime, as_json: bool) -> None:
    """Phiên bản nào được dùng vào cuối ngày đó / which versions were in use at the end of that day."""
    app, console = start(as_json)
    aliases = app.model_history.aliases(datetime.combine(day.date(), time.max, tzinfo=UTC))
    console.result({"day": day.date().isoformat(), "aliases": aliases})


@command.command("sync")
@json_option
def sync(as_json: bool) -> None:
    """Lấy các gói mô hình từ MLflow về máy này / fetch the bundles from MLflow to this machine."""
    app, console = start(as_json)
    app.registry.sync()
    console.result({"aliases": app.registry.aliases()})
