"""`minhbach users`: accounts, roles, provinces, API tokens."""

from __future__ import annotations

import getpass
import sys

import click

from service.console import json_option, start

ROLES = ["assessor", "lead", "auditor", "admin", "machine"]


@click.group("users", invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    r"""Tài khoản và mã API / accounts and API tokens.

    \b
    Ví dụ / Examples:
      minhbach users add lan.nt --role assessor --province 98
      minhbach users token he-thong --label "cổng tiếp nhận" --days 90
    """
    if context.invoked_subcommand is None:
        context.invoke(listed)


@command.command("add")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), required=True, help="Vai trò / role.")
@click.option(
    "--province", "provinces", multiple=True, help="Mã tỉnh được xem; bỏ trống: tất cả / provinces; none: all."
)
@click.option("--facility", "facilities", multiple=True, help="Mã cơ sở được xem / facilities.")
@click.option("--password-stdin", is_flag=True, help="Đọc mật khẩu từ đầu vào chuẩn / read the password from stdin.")
@json_option
def add(
    name: str, role: str, provinces: tuple[str, ...], facilities: tuple[str, ...], password_stdin: bool, as_json: bool
) -> None:
    """Thêm tài khoản; không cho mật khẩu thì in mật khẩu dùng một lần / add an account; prints a one-time password."""
    app, console = start(as_json)
    password = sys.stdin.readline().rstrip("\n") if password_stdin else None
    actor = getpass.getuser()
    app.accounts.add_user(
        name,
        role=role,  # pyright: ignore[reportArgumentType] - click has checked it
        actor=actor,
        provinces=provinces,
        facilities=facilities,
        password=password,
    )
    made: dict[str, object] = {"name": name, "role": role}
    if password is None and role != "machine":
        issued = app.accounts.issue_one_time_password(name, actor=actor)
        made |= {"one_time_password": issued.password, "expires_at": issued.expires_at.isoformat(timespec="minutes")}
    console.result(made)


@command.command("list")
@json_option
def listed(as_json: bool = False) -> None:
    """Liệt kê / list."""
    app, console = start(as_json)
    rows = [
        {
            "name": u.name,
            "role": u.role,
            "provinces": list(u.scope.provinces),
            "facilities": list(u.scope.facilities),
            "disabled": u.disabled,
        }
        for u in app.accounts.users()
    ]
    console.result(
        {"users": rows}, lambda: console.table(list(rows[0]) if rows else ["name"], [tuple(r.values()) for r in rows])
    )


@command.command("disable")
@click.argument("name")
@click.option("--reason", required=True, help="Lý do / why.")
@json_option
def disable(name: str, reason: str, as_json: bool) -> None:
    """Khóa tài khoản; phiên và mã API mất hiệu lực / disable an account, its sessions and tokens."""
    app, console = start(as_json)
    app.accounts.set_disabled(name, disabled=True, actor=getpass.getuser(), reason=reason)
    console.result({"name": name, "disabled": True})


@command.command("password")
@click.argument("name")
@json_option
def password(name: str, as_json: bool) -> None:
    """Cấp mật khẩu dùng một lần mới / issue a new one-time password."""
    app, console = start(as_json)
    issued = app.accounts.issue_one_time_password(name, actor=getpass.getuser())
    console.result(
        {
            "name": name,
            "one_time_password": issued.password,
            "expires_at": issued.expires_at.isoformat(timespec="minutes"),
        }
    )


@command.command("token")
@click.argument("name")
@click.option("--label", default="minhbach users token", show_default=True, help="Dùng để làm gì / what it is for.")
@click.option(
    "--days", default=90, show_default=True, type=click.IntRange(1, 366), help="Số ngày hiệu lực / days valid."
)
@json_option
def token(name: str, label: str, days: int, as_json: bool) -> None:
    """Cấp mã API, chỉ in một lần / issue an API token, shown once."""
    app, console = start(as_json)
    made, value = app.accounts.create_token(name, label=label, days=days, actor=getpass.getuser())
    console.result(
        {"name": name, "token": value, "label": label, "expires_at": made.expires_at.isoformat(timespec="minutes")}
    )
