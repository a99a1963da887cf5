"""`minhbach config`: effective settings."""

from __future__ import annotations

import click

from service.console import json_option, start


@click.command("config")
@json_option
def command(as_json: bool) -> None:
    """In thiết lập đang dùng, bí mật được che / print the effective settings, secrets masked."""
    from service.settings import unread_variables

    app, console = start(as_json)
    values = app.settings.effective()
    console.result(values, lambda: console.table(["", ""], list(values.items())))
    for name in unread_variables():
        console.step(f"{name} không phải thiết lập nào: gõ sai?", f"{name} is no setting: misspelt?")
