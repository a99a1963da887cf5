"""A real Chromium against a real server on the loopback: one of each for the module, a clean browser profile a test.

A page that logs an error or breaks the content policy fails its test, whatever the test looked at.
"""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.lib.services import PASSWORD, SmallService, small_service

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
CLAIMS = 400
WAIT_MS = 10_000


@dataclass
class Site:
    """The running service and its address."""

    service: SmallService
    url: str

    def flagged(self, place: int) -> tuple[str, str]:
        """`ma_cskcb` and `ma_lk` of a flagged claim that lan may see; each test takes its own place in the list."""
        user = self.service.state.accounts.get("lan")
        row = self.service.state.reading.worklist(user.scope).rows[place]
        assert row.flagged
        return row.ma_cskcb, row.ma_lk


@dataclass
class Person:
    """Someone at a browser."""

    page: Page
    url: str
    faults: list[str] = field(default_factory=list[str])

    def open(self, path: str) -> None:
        self.page.goto(self.url + path)

    def sign_in(self, name: str, password: str = PASSWORD) -> None:
        self.open("/sign-in")
        self.page.get_by_label("Tên tài khoản").fill(name)
        self.page.get_by_label("Mật khẩu").fill(password)
        self.page.get_by_role("main").get_by_role("button", name="Đăng nhập").click()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    service = small_service(Path(tmp_path_factory.mktemp("site")), claims=CLAIMS, pages=True)
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(service.app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    yield Site(service, f"http://127.0.0.1:{listener.getsockname()[1]}")
    server.should_exit = True
    thread.join(timeout=10)
    listener.close()
    service.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = next((found for name in CHROMIUM if (found := shutil.which(name))), None)
    if path is None:
        pytest.fail(f"none of {', '.join(CHROMIUM)} is on PATH: run tests/install-system.sh, or install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS), headless=True)
        yield browser
        browser.close()


@pytest.fixture
def visitor(site: Site, chromium: Browser) -> Iterator[Callable[..., Person]]:
    """Makes people, each with a browser profile of their own."""
    people: list[Person] = []

    def arrive(*, width: int = 1400, height: int = 900, scripts: bool = True) -> Person:
        context = chromium.new_context(
            viewport={"width": width, "height": height}, locale="vi-VN", java_script_enabled=scripts
        )
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        person = Person(page, site.url)

        def heard(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                person.faults.append(message.text)

        page.on("console", heard)
        page.on("pageerror", lambda error: person.faults.append(str(error)))
        people.append(person)
        return person

    yield arrive
    for person in people:
        person.page.context.close()
    # Chromium logs a form that came back with 422 as a failed load; the page itself is the answer.
    assert [fault for person in people for fault in person.faults if "status of 422" not in fault] == []
