"""The pictures in README: pages of the demo in a Chromium, written to docs/screenshots.

    minhbach demo --no-serve
    python -m benchmarks.screenshots

The demo's home is that of MINHBACH_HOME.
"""

from __future__ import annotations

import shutil
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn
from playwright.sync_api import sync_playwright

from service.accounts import Scope
from service.api import create_app
from service.api.access import SESSION_COOKIE
from service.bootstrap import App
from service.commands.demo import DEMO_USER
from service.settings import load_settings

if TYPE_CHECKING:
    from playwright.sync_api import Page, ViewportSize

PICTURES = Path(__file__).resolve().parents[1] / "docs" / "screenshots"
SIZE: ViewportSize = {"width": 1400, "height": 900}


def take(page: Page, url: str, pages: dict[str, str]) -> None:
    """A picture of each of `pages` (path by name) of the service at `url`."""
    for name, path in pages.items():
        page.goto(url + path)
        page.wait_for_load_state("networkidle")
        page.screenshot(path=PICTURES / f"{name}.png")


def main() -> None:
    """Serve the demo's home, sign in as its account, take the pictures."""
    app = App(load_settings())
    first = app.reading.worklist(Scope(), size=1).rows[0]
    session = app.accounts.start_session(app.accounts.get(DEMO_USER))
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(create_app(app.state()), log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = browser.new_context(viewport=SIZE, locale="vi-VN")
        context.add_cookies([{"name": SESSION_COOKIE, "value": session.token, "url": url}])
        pages = {"worklist": "/", "claim": f"/claims/{first.ma_cskcb}/{first.ma_lk}", "quality": "/quality"}
        take(context.new_page(), url, pages)
        browser.close()
    server.should_exit = True
    thread.join(timeout=10)


if __name__ == "__main__":
    main()
