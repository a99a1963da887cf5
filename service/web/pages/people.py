"""Signing in and out, the account's own page, the language switch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import APIRouter
from fastapi.responses import Response

from service.accounts import (
    BadAccount,
    BadCredentials,
    BadCsrf,
    PasswordExpired,
    TooManyAttempts,
)
from service.api.access import SESSION_COOKIE
from service.web.names import provinces
from service.web.pages.frame import NEXT_COOKIE, FormDep, PageRoute, Visit, VisitDep, local_path

if TYPE_CHECKING:
    from service.accounts import SignedIn

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordField:
    """A field of the change of password, with its fault if it has one."""

    name: str
    label: str
    autocomplete: str
    error: str = ""


@router.get("/sign-in")
def sign_in_page(visit: VisitDep) -> Response:
    """The sign-in form; those who are signed in go on to the list."""
    return visit.go("/") if visit.session else visit.page("sign_in.html", error="", name="")


@router.post("/sign-in")
def sign_in(visit: VisitDep, form: FormDep) -> Response:
    """Open a session, or say what is wrong beside the form."""
    name = form.get("name").strip()[:200]
    try:
        visit.check_form(form.values)
        user = visit.parts.accounts.check_password(name, form.get("password"))
    except (BadCredentials, PasswordExpired, TooManyAttempts, BadCsrf) as error:
        status = 429 if isinstance(error, TooManyAttempts) else 422
        return visit.page("sign_in.html", status=status, error=visit.say(error), name=name)
    session = visit.parts.accounts.start_session(user)
    response = visit.go(local_path(visit.request.cookies.get(NEXT_COOKIE, "/")))
    _keep_session(visit, response, session)
    response.delete_cookie(NEXT_COOKIE)
    return response


@router.post("/sign-out")
def sign_out(visit: VisitDep, form: FormDep) -> Response:
    """End the session here and now."""
    response = visit.go("/sign-in")
    if visit.session is not None:
        visit.check_form(form.values)
        visit.parts.accounts.end_session(visit.session)
    response.delete_cookie(SESSION_COOKIE)
    return response


@router.post("/language")
def set_language(visit: VisitDep, form: FormDep) -> Response:
    """Read on in the other language, on this browser and, when signed in, wherever the person signs in."""
    visit.check_form(form.values)
    lang = "en" if form.get("lang") == "en" else "vi"
    response = visit.go(local_path(form.get("back")))
    visit.remember_language(response, lang)
    if visit.session is not None:
        visit.parts.accounts.set_lang(visit.user.name, lang)
    return response


@router.get("/account")
def account_page(visit: VisitDep) -> Response:
    """Who the reader is here, and the change of password."""
    return _account(visit, {})


@router.post("/account")
def change_password(visit: VisitDep, form: FormDep) -> Response:
    """Replace the password; every session ends, and this browser gets a new one."""
    user = visit.user
    visit.check_form(form.values)
    if form.get("new") != form.get("repeat"):
        return _account(visit, {"repeat": visit.t("account.differs")})
    try:
        changed = visit.parts.accounts.change_password(user, form.get("current"), form.get("new"))
    except (BadCredentials, PasswordExpired, TooManyAttempts) as error:
        return _account(visit, {"current": visit.say(error)})
    except BadAccount as error:
        return _account(visit, {"new": visit.say(error)})
    response = visit.go("/account", flash="password")
    _keep_session(visit, response, visit.parts.accounts.start_session(changed))
    return response


def _account(visit: Visit, errors: dict[str, str]) -> Response:
    t, scope = visit.t, visit.user.scope
    fields = tuple(
        PasswordField(name=name, label=t(f"account.{name}"), autocomplete=fill, error=errors.get(name, ""))
        for name, fill in (("current", "current-password"), ("new", "new-password"), ("repeat", "new-password"))
    )
    limits: list[str] = []
    if scope.provinces:
        names = ", ".join(f"{code} {provinces().get(code, '')}".strip() for code in scope.provinces)
        limits.append(t("account.scope_provinces", names=names))
    if scope.facilities:
        limits.append(t("account.scope_facilities", codes=", ".join(scope.facilities)))
    return visit.page(
        "account.html",
        status=422 if errors else 200,
        fields=fields,
        scope="; ".join(limits) or t("account.scope_all"),
    )


def _keep_session(visit: Visit, response: Response, session: SignedIn) -> None:
    left = session.expires_at - visit.parts.clock()
    response.set_cookie(
        SESSION_COOKIE,
        session.token,
        max_age=int(left.total_seconds()),  # not a date: the clocks of browsers are not ours
        httponly=True,
        samesite="lax",
        secure=visit.parts.settings.secure_cookies,
    )
