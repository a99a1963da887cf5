"""What every page shares: who reads it, in which language, the forms' secret, messages once, errors in house style.

A page shows what the role may see; a form is only heard with the secret of its session. Before sign-in there is no
session, so the secret is one of its own in a cookie that other sites can neither read nor send (SameSite=Strict).
"""

from __future__ import annotations

import hmac
import logging
import secrets
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, cast

from fastapi import Depends
from fastapi.requests import Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from data.errors import MinhBachError
from service.accounts import BadCsrf, NotSignedIn, User, can, check_csrf
from service.api.access import SESSION_COOKIE, app_state
from service.web.formats import Lang, number
from service.web.rendering import render
from service.web.texts import TEXTS, Words

if TYPE_CHECKING:
    from service.accounts import Permission, SignedIn
    from service.api.state import AppState
    from service.problems import Problem

LANG_COOKIE = "minhbach_lang"
FORM_COOKIE = "minhbach_form"
FLASH_COOKIE = "minhbach_flash"
NEXT_COOKIE = "minhbach_next"  # where to go after sign-in
YEAR_SECONDS = 365 * 24 * 3600
SEEN_ONCE_SECONDS = 60
NEXT_SECONDS = 600
MOST_FIELDS = 20_000  # five a line

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NavItem:
    """An entry of the main menu."""

    label: str
    href: str
    current: bool


@dataclass(frozen=True, slots=True)
class UserView:
    """The reader, as the frame names them."""

    name: str
    role: str
    must_change_password: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PageView:
    """What the frame around every page shows."""

    user: UserView | None
    nav: tuple[NavItem, ...]
    csrf: str
    path: str
    flash: str
    footer: str


class Visit:
    """One request of a page: the reader, their language and secret, and the answers a page can give."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.parts: AppState = app_state(request)
        self.session: SignedIn | None = _session(self.parts, request)
        self.lang: Lang = _language(request, self.session, self.parts.settings.lang)
        self.t = Words(self.lang)
        self._anonymous = request.cookies.get(FORM_COOKIE) or secrets.token_urlsafe(32)

    @property
    def user(self) -> User:
        """The account that reads. Raises NotSignedIn."""
        if self.session is None:
            raise NotSignedIn("please sign in", vi="Hãy đăng nhập")
        return self.session.user

    @property
    def csrf(self) -> str:
        """The secret this reader's forms carry."""
        return self.session.csrf if self.session else self._anonymous

    @property
    def path(self) -> str:
        """Where the reader is, to come back to."""
        query = self.request.url.query
        return f"{self.request.url.path}?{query}" if query else self.request.url.path

    def check_form(self, form: Mapping[str, str]) -> None:
        """Raise BadCsrf unless the form carries the reader's secret."""
        given = form.get("csrf", "")
        if self.session is not None:
            check_csrf(self.session, given)
        elif FORM_COOKIE not in self.request.cookies or not hmac.compare_digest(
            given.encode(), self._anonymous.encode()
        ):
            raise BadCsrf("the form is too old: load the page again", vi="Biểu mẫu đã cũ: hãy tải lại trang")

    def page(self, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
        """A whole page."""
        response = HTMLResponse(
            render(template, self.lang, {"page": self._frame(), "status": status, **context}), status_code=status
        )
        self.keep_preferences(response)
        if FLASH_COOKIE in self.request.cookies:
            response.delete_cookie(FLASH_COOKIE)
        return response

    def part(self, template: str, **context: Any) -> HTMLResponse:
        """A part of a page, for htmx to put in place."""
        return HTMLResponse(render(template, self.lang, context), headers={"Vary": "HX-Request"})

    def go(self, href: str, *, flash: str = "") -> RedirectResponse:
        """On to another page after a form, with a message to show there once."""
        response = RedirectResponse(href, status_code=303)
        if flash:
            response.set_cookie(FLASH_COOKIE, flash, max_age=SEEN_ONCE_SECONDS, httponly=True, samesite="strict")
        self.keep_preferences(response)
        return response

    def keep_preferences(self, response: Response) -> None:
        """Remember a language asked for in the address, and the secret of forms before sign-in."""
        if self.request.query_params.get("lang") == self.lang:
            self.remember_language(response, self.lang)
        if self.session is None and FORM_COOKIE not in self.request.cookies:
            response.set_cookie(
                FORM_COOKIE,
                self._anonymous,
                httponly=True,
                samesite="strict",
                secure=self.parts.settings.secure_cookies,
            )

    def remember_language(self, response: Response, lang: Lang) -> None:
        """Use this language from now on in this browser."""
        response.set_cookie(
            LANG_COOKIE,
            lang,
            max_age=YEAR_SECONDS,
            httponly=True,
            samesite="lax",
            secure=self.parts.settings.secure_cookies,
        )

    def error_page(self, status: int, message: str) -> Response:
        """A fault in house style."""
        heading = self.t(f"error.{status}" if f"error.{status}" in TEXTS else "error.500")
        return self.page("error.html", status=status, heading=heading, message=message)

    def say(self, error: MinhBachError) -> str:
        """An error's text in the reader's language."""
        return error.vi if self.lang == "vi" else str(error)

    def _frame(self) -> PageView:
        t, user = self.t, self.session.user if self.session else None
        flash = self.request.cookies.get(FLASH_COOKIE, "")
        return PageView(
            user=UserView(user.name, t(f"role.{user.role}"), user.must_change_password) if user else None,
            nav=self._nav(user) if user else (),
            csrf=self.csrf,
            path=self.path if self.request.method == "GET" else self.request.url.path,
            flash=t(f"flash.{flash}") if f"flash.{flash}" in TEXTS else "",
            footer=t("foot.snapshot", snapshot=number(self.parts.reading.snapshot(), self.lang)) if user else "",
        )

    def _nav(self, user: User) -> tuple[NavItem, ...]:
        here = self.request.url.path
        offered: tuple[tuple[str, str, Permission], ...] = (
            ("nav.worklist", "/", "claims.read"),
            ("nav.quality", "/quality", "runs.read"),
            ("nav.audit", "/audit", "cases.read"),
            ("nav.runs", "/runs", "runs.read"),
            ("nav.models", "/models", "models.read"),
            ("nav.rules", "/rules", "models.read"),
        )
        return tuple(
            NavItem(self.t(key), href, here == href or here.startswith("/claims/" if href == "/" else f"{href}/"))
            for key, href, needed in offered
            if can(user, needed) or (href == "/audit" and can(user, "audit.read"))
        )


class PageRoute(APIRoute):
    """A route whose errors are pages: the reader is sent to sign in, or told what is wrong and the way out."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler of the route: errors raised on purpose have a text in the reader's language."""
        handle = super().get_route_handler()

        async def handle_page(request: Request) -> Response:
            try:
                return await handle(request)
            except NotSignedIn:
                return _to_sign_in(request)
            except MinhBachError as error:
                visit = Visit(request)
                return visit.error_page(error.http_status, visit.say(error))

        return handle_page


def problem_page(request: Request, problem: Problem) -> Response:
    """The page for a fault that no page route answers itself: unknown addresses, and what should not happen."""
    try:
        visit = Visit(request)
        key = f"error.message_{problem.status}"
        return visit.error_page(problem.status, visit.t(key) if key in TEXTS else problem.detail)
    except Exception:
        log.exception("no page for a fault of %s", request.url.path)  # the stores may be what is at fault
        vi, en = TEXTS["error.message_500"]
        return PlainTextResponse(f"{vi}\n{en}\n", status_code=500)


def not_found() -> NoReturn:
    """Answer that there is no such page."""
    raise HTTPException(404)


async def read_form(request: Request) -> FormFields:
    """The fields of a form that was sent; its size is bounded before it comes here."""
    form = await request.form(max_files=0, max_fields=MOST_FIELDS)
    fields = {name: value for name, value in form.multi_items() if isinstance(value, str)}
    return FormFields(fields, frozenset(v for name, v in form.multi_items() if name == "pick" and isinstance(v, str)))


@dataclass(frozen=True, slots=True)
class FormFields:
    """A form: its fields by name, and the lines picked in it."""

    values: Mapping[str, str]
    picked: frozenset[str]

    def get(self, name: str) -> str:
        """One field; empty when it was not sent."""
        return self.values.get(name, "")


def local_path(path: str) -> str:
    """`path` if it leads to a page of ours, else the front page: a form must not send people elsewhere."""
    safe = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if safe else "/"


def _session(parts: AppState, request: Request) -> SignedIn | None:
    token = request.cookies.get(SESSION_COOKIE)
    if not token:
        return None
    try:
        return parts.accounts.find_session(token)
    except NotSignedIn:
        return None


def _language(request: Request, session: SignedIn | None, default: Lang) -> Lang:
    wishes = (
        request.query_params.get("lang"),
        request.cookies.get(LANG_COOKIE),
        session.user.lang if session else None,
    )
    return cast("Lang", next((wish for wish in wishes if wish in ("vi", "en")), default))


def _to_sign_in(request: Request) -> Response:
    if request.headers.get("HX-Request") == "true":
        return Response(status_code=401, headers={"HX-Redirect": "/sign-in"})
    path = request.url.path if request.method == "GET" else "/"
    response = RedirectResponse("/sign-in", status_code=303)
    if path != "/":
        response.set_cookie(NEXT_COOKIE, path, max_age=NEXT_SECONDS, httponly=True, samesite="lax")
    return response


VisitDep = Annotated[Visit, Depends(Visit)]
FormDep = Annotated[FormFields, Depends(read_form)]
