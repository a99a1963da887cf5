"""Static files with caching by content: an address that names the hash never changes what it gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.staticfiles import StaticFiles

from service.web.assets import STATIC

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import Scope

FOREVER = "public, max-age=31536000, immutable"


class VersionedFiles(StaticFiles):
    """The files of `static/`: kept for ever when asked for by hash, checked each time when not."""

    def __init__(self) -> None:
        super().__init__(directory=STATIC)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, with how long it may be kept."""
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = FOREVER if scope["query_string"].startswith(b"v=") else "no-cache"
        return response
