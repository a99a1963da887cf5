"""`minhbach serve`: the web page and the API."""

from __future__ import annotations

import click

from service.console import start


@click.command("serve")
@click.option("--host", help="Địa chỉ lắng nghe / address to listen on.")
@click.option("--port", type=int, help="Cổng / port.")
@click.option("--workers", type=click.IntRange(min=1), help="Số tiến trình / worker processes.")
def command(host: str | None, port: int | None, workers: int | None) -> None:
    r"""Mở trang web và API / serve the web page and the API.

    \b
    Ví dụ / Examples:
      minhbach serve
      minhbach serve --host 0.0.0.0 --port 8080 --workers 2
    """
    app, console = start()
    listen = host or app.settings.host
    number = port if port is not None else app.settings.port
    app.database.check_revision()
    if not app.accounts.users():
        console.step(
            "Chưa có tài khoản: tạo bằng `minhbach users add TÊN --role admin`",
            "There is no account yet: make one with `minhbach users add NAME --role admin`",
        )
    console.step(f"Trang web: http://{listen}:{number}", f"Web page: http://{listen}:{number}")
    run(listen, number, workers or app.settings.workers)


def run(host: str, port: int, workers: int) -> None:
    """Run the server until it is told to stop."""
    import uvicorn

    uvicorn.run(
        "service.asgi:make",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        log_level="warning",
        access_log=False,
        server_header=False,
    )
