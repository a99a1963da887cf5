"""Errors as RFC 9457 problem documents, in the reader's language; pages render the same problem as HTML.

Every error raised on purpose carries a stable `code` and both texts. What was not raised on purpose becomes
"internal_error": the log has the details, the answer has none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal, cast

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from data.errors import MinhBachError

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

Lang = Literal["vi", "en"]
MEDIA_TYPE = "application/problem+json"
MACHINE_PATHS = ("/api/", "/healthz", "/readyz", "/metrics", "/openapi.json")

_STATUS_TEXTS: Mapping[int, tuple[str, str, str]] = {
    400: ("bad_request", "Yêu cầu không hợp lệ", "The request cannot be understood"),
    401: ("not_signed_in", "Cần đăng nhập hoặc mã API", "Sign in or send an API token"),
    403: ("not_permitted", "Không có quyền", "Not permitted"),
    404: ("not_found", "Không tìm thấy", "Not found"),
    405: ("method_not_allowed", "Địa chỉ này không nhận phương thức đó", "This address does not take that method"),
    409: ("conflict", "Trạng thái hiện tại không cho phép", "The present state does not allow this"),
    413: ("body_too_large", "Nội dung gửi lên quá lớn", "The request body is too large"),
    415: ("unsupported_media_type", "Kiểu nội dung không được hỗ trợ", "This content type is not supported"),
    422: ("invalid_request", "Tham số hoặc nội dung không hợp lệ", "A parameter or the content is not valid"),
    429: ("too_many_requests", "Quá nhiều yêu cầu", "Too many requests"),
    500: ("internal_error", "Lỗi bên trong hệ thống, đã được ghi lại", "An internal error; it was recorded"),
    503: ("unavailable", "Dịch vụ chưa sẵn sàng", "The service is not ready"),
}


class BodyTooLarge(MinhBachError):
    """More bytes or claims than one request may bring."""

    code, http_status = "body_too_large", 413


class UnsupportedMediaType(MinhBachError):
    """A content type or encoding that a route does not read."""

    code, http_status = "unsupported_media_type", 415


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What went wrong, in one language, ready to be shown."""

    status: int
    code: str
    title: str
    detail: str
    errors: tuple[Mapping[str, str], ...] = ()  # of a request that failed validation: field and message
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    def document(self, instance: str) -> dict[str, Any]:
        """The RFC 9457 document; `instance` is the path asked for."""
        body: dict[str, Any] = {
            "type": f"urn:minhbach:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
            "code": self.code,
        }
        return body | {"errors": list(self.errors)} if self.errors else body


PageProblem = Callable[["Request", Problem], "Response"]
"""Renders a problem as a page. The pages set theirs as `app.state.page_problem`."""


def preferred_language(accept_language: str | None) -> Lang:
    """Vietnamese, unless English is asked for before it."""
    best: tuple[float, Lang] = (0.0, "vi")
    for part in (accept_language or "").split(","):
        name, _, weight = part.strip().partition(";q=")
        lang = name.strip().lower()[:2]
        if lang not in ("vi", "en"):
            continue
        try:
            quality = float(weight) if weight else 1.0
        except ValueError:
            continue
        if quality > best[0]:
            best = (quality, lang)
    return best[1]


def problem_of(error: Exception, lang: Lang) -> Problem:
    """The problem an exception stands for."""
    if isinstance(error, MinhBachError):
        wait = getattr(error, "retry_after", None)
        headers = {"Retry-After": str(wait)} if wait is not None else {}
        detail = error.vi if lang == "vi" else str(error)
        return _problem(error.http_status, lang, code=error.code, detail=detail, headers=headers)
    if isinstance(error, RequestValidationError):
        errors = tuple(
            {"field": ".".join(str(part) for part in e["loc"][1:]) or str(e["loc"][0]), "message": str(e["msg"])}
            for e in error.errors()
        )
        named = ", ".join(dict.fromkeys(e["field"] for e in errors))
        detail = f"Giá trị không hợp lệ: {named}" if lang == "vi" else f"Not valid: {named}"
        return _problem(422, lang, detail=detail, errors=errors)
    if isinstance(error, HTTPException):
        return _problem(error.status_code, lang, headers=error.headers or {})
    return _problem(500, lang)


def problem_response(request: Request, error: Exception) -> Response:
    """The answer to a request that failed: a document for programs, a page for people."""
    problem = problem_of(error, preferred_language(request.headers.get("accept-language")))
    page = cast("PageProblem | None", getattr(request.app.state, "page_problem", None))
    if page is not None and not request.url.path.startswith(MACHINE_PATHS):
        return page(request, problem)
    return JSONResponse(
        problem.document(request.url.path), problem.status, dict(problem.headers), media_type=MEDIA_TYPE
    )


def add_problem_handlers(app: FastAPI) -> None:
    """Turn the exceptions that routes raise on purpose into problems; the middleware answers for all others."""

    def expected(request: Request, error: Exception) -> Response:
        return problem_response(request, error)

    for kind in (MinhBachError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, expected)


def _problem(
    status: int,
    lang: Lang,
    *,
    code: str | None = None,
    detail: str | None = None,
    errors: tuple[Mapping[str, str], ...] = (),
    headers: Mapping[str, str] | None = None,
) -> Problem:
    phrase = HTTPStatus(status).phrase
    known, vi, en = _STATUS_TEXTS.get(status, (f"http_{status}", phrase, phrase))
    title = vi if lang == "vi" else en
    more = dict(headers or {})
    if status == HTTPStatus.UNAUTHORIZED:
        more["WWW-Authenticate"] = 'Bearer realm="minhbach"'
    return Problem(status=status, code=code or known, title=title, detail=detail or title, errors=errors, headers=more)
