"""What holds for every request before any route: bounded bodies, safe headers, figures for the monitor.

Plain ASGI: nothing is buffered, and a streamed answer stays streamed.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request

from service.problems import BodyTooLarge, UnsupportedMediaType, problem_response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from service.api.metrics import Metrics

LOG = logging.getLogger(__name__)
MIB = 1024 * 1024
FORM_BYTES = MIB  # a decision with its reasons is a few kilobytes
LONG_BODIES: Mapping[str, int] = {"/api/v1/score": 64 * MIB}  # a thousand claims as base64 in one envelope

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; "  # the style sheet's own small pictures are data: addresses
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
YEAR_SECONDS = 31_536_000


class SafeAnswers:
    """Outermost: every answer has the headers that tell browsers what this service never does, a failure's too.

    Answers are not cached unless they say so.
    """

    def __init__(self, app: ASGIApp, *, https_only: bool) -> None:
        """`https_only` adds HSTS: only where the service is reached over HTTPS alone."""
        self._app = app
        self._headers = dict(HEADERS)
        if https_only:
            self._headers["Strict-Transport-Security"] = f"max-age={YEAR_SECONDS}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; the answer gets the headers it does not set itself."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        started = False

        async def with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            await self._app(scope, receive, with_headers)
        except Exception as error:
            LOG.exception("%s %s failed", scope["method"], getattr(scope.get("route"), "path", "other"))
            if started:
                raise
            await problem_response(Request(scope), error)(scope, receive, with_headers)


class BoundedBodies:
    """Refuses a body that is too long, by its announced length or while it arrives, and one that is compressed."""

    def __init__(self, app: ASGIApp) -> None:
        """`app` sees only bodies within the bounds."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on unless its body is out of bounds."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = LONG_BODIES.get(scope["path"], FORM_BYTES)
        headers = Headers(scope=scope)
        refusal: Exception | None = None
        announced = headers.get("content-length", "0")
        if not announced.isdecimal() or int(announced) > most:
            refusal = _too_large(most)
        elif headers.get("content-encoding", "identity").lower() != "identity":
            refusal = UnsupportedMediaType(
                "send the body uncompressed: Content-Encoding is not read",
                vi="Hãy gửi nội dung không nén: không nhận Content-Encoding",
            )
        if refusal is not None:
            await problem_response(Request(scope), refusal)(scope, receive, send)
            return
        received = 0

        async def bounded() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > most:
                raise HTTPException(413)  # the one kind of exception that body parsers let pass
            return message

        await self._app(scope, bounded, send)


class Measured:
    """Counts requests and their time by route, never by address: an address may name a claim."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        """`metrics` takes the figures."""
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and note how it ended."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        status = 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self._metrics.request(scope["method"], route, status, time.perf_counter() - start)


def _too_large(most: int) -> BodyTooLarge:
    return BodyTooLarge(
        f"the body has more than {most // MIB} MiB: send fewer claims at a time",
        vi=f"Nội dung lớn hơn {most // MIB} MiB: hãy gửi ít hồ sơ hơn mỗi lần",
    )
