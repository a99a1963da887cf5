"""`minhbach doctor`: is everything in place, and how to mend what is not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from service.console import json_option, start

if TYPE_CHECKING:
    from service.bootstrap import App

MIN_FREE_GIB = 2.0


@click.command("doctor")
@json_option
def command(as_json: bool) -> int:
    r"""Kiểm tra kho, cơ sở dữ liệu, mô hình, khóa, ổ đĩa; nói cách sửa từng lỗi / check stores, models, key, disk.

    \b
    Ví dụ / Example:
      minhbach doctor
    """
    app, console = start(as_json)
    found = [_checked(name, check, app) for name, check in _CHECKS]
    console.result(
        {"ok": all(ok for _, ok, _ in found), "checks": [{"check": n, "ok": ok, "detail": d} for n, ok, d in found]},
        lambda: console.table(["", "", ""], [(name, "✓" if ok else "✗", detail) for name, ok, detail in found]),
    )
    return 0 if all(ok for _, ok, _ in found) else 1


def _checked(name: str, check: Callable[[App], str], app: App) -> tuple[str, bool, str]:
    try:
        return name, True, check(app)
    except Exception as error:  # noqa: BLE001 - whatever is wrong is what the user wants to read
        return name, False, f"{getattr(error, 'vi', '')} {error}".strip()


def _home(app: App) -> str:
    home = app.settings.home.absolute()
    home.mkdir(parents=True, exist_ok=True)
    probe = home / ".doctor"
    probe.write_text("")
    probe.unlink()
    return str(home)


def _disk(app: App) -> str:
    free = shutil.disk_usage(app.settings.home.absolute()).free / 2**30
    if free < MIN_FREE_GIB:
        raise RuntimeError(f"{free:.1f} GiB free, at least {MIN_FREE_GIB:.0f} wanted: make room or move MINHBACH_HOME")
    return f"{free:.1f} GiB"


def _versions(_: App) -> str:
    from importlib.metadata import version

    return ", ".join(f"{name} {version(name)}" for name in ("duckdb", "deltalake", "polars", "narwhals", "mlflow"))


def _lake(app: App) -> str:
    with app.lake.reader() as reader:
        count = reader.pl("select count(*) as n from encounter")["n"][0]
        return f"snapshot {reader.snapshot}, {count:,} encounters"


def _lock(app: App) -> str:
    with app.lake.writer("doctor"):
        return "free"


def _database(app: App) -> str:
    app.database.check_revision()
    return str(app.settings.effective()["database_url"])


def _audit(app: App) -> str:
    from service.audit import verify_chain

    with app.database.read() as session:
        report = verify_chain(session)
    if not report.intact:
        raise RuntimeError(f"the audit chain is broken: {report}; restore the database from a backup")
    return "intact"


def _key(app: App) -> str:
    app.settings.pseudonym_key_bytes(create=False)
    return "set" if app.settings.pseudonym_key else str(app.settings.pseudonym_key_file)


def _models(app: App) -> str:
    aliases = app.registry.aliases()
    if "champion" not in aliases:
        raise RuntimeError("there is no champion: run `minhbach train`")
    app.registry.load(aliases["champion"])
    return ", ".join(f"{alias} {version}" for alias, version in sorted(aliases.items()))


def _assets(_: App) -> str:
    from service.web.assets import VENDOR, check_vendor

    check_vendor()
    return VENDOR.name


_CHECKS: tuple[tuple[str, Callable[[App], str]], ...] = (
    ("home", _home),
    ("disk", _disk),
    ("versions", _versions),
    ("lake", _lake),
    ("lock", _lock),
    ("database", _database),
    ("audit", _audit),
    ("pseudonym key", _key),
    ("models", _models),
    ("browser assets", _assets),
)
