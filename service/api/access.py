"""Who asks, and may they: bearer tokens for programs, the session cookie for people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, cast

from fastapi import Depends
from fastapi.requests import Request

from service.accounts import NotPermitted, NotSignedIn, User, check_csrf, check_may
from service.api.state import AppState

if TYPE_CHECKING:
    from service.accounts import Permission, SignedIn

SESSION_COOKIE = "minhbach_session"
CSRF_HEADER = "X-CSRF-Token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class PasswordChangeNeeded(NotPermitted):
    """A one-time password was used to sign in and not replaced yet."""

    code = "password_change_needed"

    def __init__(self) -> None:
        """The way out is a page of its own."""
        super().__init__(
            "replace the one-time password first, on the page of your account",
            vi="Hãy đổi mật khẩu dùng một lần trước, tại trang tài khoản",
        )


@dataclass(frozen=True, slots=True)
class Identity:
    """An account and how it came in."""

    user: User
    session: SignedIn | None  # none: a bearer token


def app_state(request: Request) -> AppState:
    """The running service's parts."""
    return cast("AppState", request.app.state.parts)


def identify(request: Request) -> Identity:
    """Who sends the request, by bearer token, else by session cookie. Raises NotSignedIn."""
    accounts = app_state(request).accounts
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return Identity(accounts.find_token(value.strip()), None)
    if cookie := request.cookies.get(SESSION_COOKIE):
        session = accounts.find_session(cookie)
        return Identity(session.user, session)
    raise NotSignedIn(
        "sign in, or send an API token as Authorization: Bearer",
        vi="Hãy đăng nhập hoặc gửi mã API (Authorization: Bearer)",
    )


def identified(request: Request) -> Identity:
    """An identity that may act: a write by cookie brought its session's secret, a one-time password was replaced."""
    identity = identify(request)
    if identity.session is not None:
        if request.method not in SAFE_METHODS:
            check_csrf(identity.session, request.headers.get(CSRF_HEADER, ""))
        if identity.user.must_change_password:
            raise PasswordChangeNeeded
    return identity


def allowed(permission: Permission) -> Callable[[Identity], User]:
    """A dependency that gives the user, or raises NotPermitted when the role lacks `permission`."""

    def user_of(identity: Annotated[Identity, Depends(identified)]) -> User:
        check_may(identity.user, permission)
        return identity.user

    return user_of


AppDep = Annotated[AppState, Depends(app_state)]
ClaimReader = Annotated[User, Depends(allowed("claims.read"))]
ClaimScorer = Annotated[User, Depends(allowed("claims.score"))]
CaseReader = Annotated[User, Depends(allowed("cases.read"))]
CaseWorker = Annotated[User, Depends(allowed("cases.work"))]
