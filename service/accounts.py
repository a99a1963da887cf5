"""Accounts: who may sign in, what each role may do, and which provinces and facilities each may see.

Passwords are kept as argon2id hashes, sessions and API tokens as hashes of random values. A name that does not exist
takes as long to refuse as a wrong password, and both get the same answer.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import ColumnElement, and_, delete, select, true
from sqlalchemy.exc import IntegrityError

from data.errors import MinhBachError
from service.audit import AuditEntry, append, kept_text
from service.db.tables import NAME, SessionRow, ThrottleRow, TokenRow, UserRow

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from sqlalchemy.orm import InstrumentedAttribute, Session

    from service.clock import Clock
    from service.db.engine import Database

Role = Literal["assessor", "lead", "auditor", "admin", "machine"]
Lang = Literal["vi", "en"]
Permission = Literal[
    "claims.read",
    "claims.export",
    "claims.score",  # send claims to be scored
    "claims.submit",  # send claims to be stored
    "person.reveal",  # see a card number or a name; each look is recorded
    "cases.read",
    "cases.work",  # open, take, decide, conclude
    "cases.lead",  # decide and release what others hold, reopen what is concluded
    "audit.read",
    "runs.read",
    "models.read",
    "models.promote",
    "metrics.read",
    "users.manage",
]

_READS: frozenset[Permission] = frozenset({"claims.read", "claims.export", "cases.read", "runs.read", "models.read"})
_WORKS: frozenset[Permission] = _READS | frozenset[Permission]({"cases.work", "person.reveal", "claims.score"})
PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    "assessor": _WORKS,
    "lead": _WORKS | frozenset[Permission]({"cases.lead", "audit.read"}),
    "auditor": _READS | frozenset[Permission]({"audit.read", "person.reveal"}),
    "admin": frozenset({"users.manage", "audit.read", "runs.read", "models.read", "models.promote", "metrics.read"}),
    "machine": frozenset({"claims.read", "claims.score", "claims.submit", "runs.read", "models.read", "metrics.read"}),
}
"""What each role may do. `Scope` says on which claims."""

SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 128
FEWEST_CHARACTERS = 5  # different ones
FREE_FAILURES = 5  # wrong passwords in a row before the account has to wait
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=30), timedelta(minutes=15)  # the wait doubles from one to the other
FORGET_FAILURES = timedelta(hours=24)
TOKEN_PREFIX = "mb_"  # noqa: S105 - lets secret scanners find a leaked one
_NAME_PATTERN = rf"[a-z0-9][a-z0-9._@-]{{1,{NAME - 1}}}"
LAST_USED_STEP = timedelta(minutes=1)  # a token's last use is not written more often than this


class NotPermitted(MinhBachError):
    """The account may not do this."""

    code = "not_permitted"
    http_status = 403


class NotSignedIn(MinhBachError):
    """There is no valid session or token."""

    code = "not_signed_in"
    http_status = 401


class BadCredentials(MinhBachError):
    """Name or password is wrong; which of the two is not said."""

    code = "bad_credentials"
    http_status = 401


class PasswordExpired(MinhBachError):
    """The one-time password is too old."""

    code = "password_expired"
    http_status = 401


class TooManyAttempts(MinhBachError):
    """Too many wrong passwords in a row."""

    code = "too_many_attempts"
    http_status = 429

    def __init__(self, wait: timedelta) -> None:
        self.retry_after = max(1, int(wait.total_seconds() + 0.999))
        super().__init__(
            f"too many wrong passwords: try again in {self.retry_after} seconds",
            vi=f"Sai mật khẩu quá nhiều lần: hãy thử lại sau {self.retry_after} giây",
        )


class BadCsrf(MinhBachError):
    """A form came without its session's secret."""

    code = "bad_csrf"
    http_status = 403


class BadAccount(MinhBachError):
    """An account cannot be made or changed like this."""

    code = "bad_account"
    http_status = 422
    exit_code = 2


class UnknownUser(MinhBachError):
    """No account has this name."""

    code = "unknown_user"
    http_status = 404

    def __init__(self, name: str) -> None:
        super().__init__(
            f"no account is named {name!r}; `minhbach users list` shows them",
            vi=f"Không có tài khoản {name!r}; lệnh `minhbach users list` liệt kê các tài khoản",
        )


class UnknownToken(MinhBachError):
    """No API token has this number."""

    code = "unknown_token"
    http_status = 404


@dataclass(frozen=True, slots=True)
class Scope:
    """The provinces and facilities an account sees; empty means every one. Both limits hold at once."""

    provinces: tuple[str, ...] = ()
    facilities: tuple[str, ...] = ()

    def allows(self, ma_cskcb: str) -> bool:
        """Whether claims of the facility are within the scope; its first two characters are its province."""
        in_province = not self.provinces or ma_cskcb[:2] in self.provinces
        return in_province and (not self.facilities or ma_cskcb in self.facilities)

    def sql_condition(self, alias: str = "") -> tuple[str, list[str]]:
        """A DuckDB condition on columns `province` and `ma_cskcb` (of table `alias`), and its parameters."""
        prefix = f"{alias}." if alias else ""
        parts: list[str] = []
        for column, allowed in (("province", self.provinces), ("ma_cskcb", self.facilities)):
            if allowed:
                parts.append(f"{prefix}{column} IN ({', '.join('?' * len(allowed))})")
        return " AND ".join(parts) or "TRUE", [*self.provinces, *self.facilities]

    def clause(self, province: InstrumentedAttribute[str], ma_cskcb: InstrumentedAttribute[str]) -> ColumnElement[bool]:
        """The same condition on columns of the relational database."""
        parts: list[ColumnElement[bool]] = [true()]
        if self.provinces:
            parts.append(province.in_(self.provinces))
        if self.facilities:
            parts.append(ma_cskcb.in_(self.facilities))
        return and_(*parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """An account as everything outside this module sees it: no password, no hash."""

    id: int
    name: str
    role: Role
    scope: Scope
    lang: Lang = "vi"
    disabled: bool = False
    must_change_password: bool = False
    password_expires_at: datetime | None = None

    @property
    def permissions(self) -> frozenset[Permission]:
        """What the role may do."""
        return PERMISSIONS[self.role]


def can(user: User, permission: Permission) -> bool:
    """Whether the user's role may do this."""
    return permission in user.permissions


def check_may(user: User, permission: Permission) -> None:
    """Raise NotPermitted unless the user's role may do this."""
    if permission not in user.permissions:
        roles = ", ".join(role for role in get_args(Role) if permission in PERMISSIONS[role])
        raise NotPermitted(
            f"{user.name} ({user.role}) may not do this ({permission}); ask one of: {roles}",
            vi=f"{user.name} ({user.role}) không có quyền này ({permission}); hãy nhờ người có vai trò: {roles}",
        )


def check_within(user: User, ma_cskcb: str) -> None:
    """Raise NotPermitted unless claims of the facility are within the user's scope."""
    if not user.scope.allows(ma_cskcb):
        raise NotPermitted(
            f"facility {ma_cskcb} is outside the provinces or facilities of {user.name}; an admin sets them",
            vi=f"Cơ sở {ma_cskcb} nằm ngoài phạm vi tỉnh hoặc cơ sở của {user.name}; quản trị viên đặt phạm vi này",
        )


@dataclass(frozen=True, slots=True)
class OneTimePassword:
    """A password to be given to a person once; it has to be changed after signing in."""

    password: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A valid session: `token` is the cookie, `csrf` the secret that every form brings back."""

    user: User
    token: str
    csrf: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """What is known of an API token after its making; the token itself is not."""

    id: int
    user: str
    label: str
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


class Accounts:
    """Accounts, sessions and tokens of one database."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        session_hours: float = 12,
        one_time_hours: float = 24,
        hasher: PasswordHasher | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._session_life = timedelta(hours=session_hours)
        self._one_time_life = timedelta(hours=one_time_hours)
        self._hasher = hasher or PasswordHasher()
        self._dummy_hash: str | None = None

    # Accounts

    def add_user(
        self,
        name: str,
        *,
        role: Role,
        actor: str,
        provinces: Collection[str] = (),
        facilities: Collection[str] = (),
        password: str | None = None,
        lang: Lang = "vi",
    ) -> User:
        """Make an account; without a password it cannot sign in until one is set. Raises BadAccount."""
        name = _checked_name(name)
        if role not in get_args(Role):
            raise BadAccount(
                f"role {role!r} is not one of {', '.join(get_args(Role))}",
                vi=f"Vai trò {role!r} không thuộc: {', '.join(get_args(Role))}",
            )
        if lang not in get_args(Lang):
            raise BadAccount(f"language {lang!r} is not vi or en", vi=f"Ngôn ngữ {lang!r} không phải vi hoặc en")
        _check_codes(provinces, r"[0-9]{2}", en="province code of two digits", vi="mã tỉnh gồm hai chữ số")
        _check_codes(facilities, r"[0-9A-Z]{5}", en="facility code of five characters", vi="mã cơ sở gồm năm ký tự")
        at = self._clock()
        row = UserRow(
            name=name,
            password_hash=None if password is None else self._hash(name, role, password),
            role=role,
            provinces=sorted(set(provinces)),
            facilities=sorted(set(facilities)),
            lang=lang,
            disabled=False,
            must_change_password=False,
            password_expires_at=None,
            created_at=at,
        )
        try:
            with self._database.write() as session:
                session.add(row)
                after = {"role": role, "provinces": row.provinces, "facilities": row.facilities}
                self._audit(session, actor, "user.added", name, after=after)
                return _user(row)
        except IntegrityError:
            raise BadAccount(f"an account named {name!r} exists already", vi=f"Đã có tài khoản tên {name!r}") from None

    def get(self, name: str) -> User:
        """The account of this name. Raises UnknownUser."""
        with self._database.read() as session:
            return _user(_find(session, name))

    def users(self) -> list[User]:
        """Every account, by name."""
        with self._database.read() as session:
            return [_user(row) for row in session.scalars(select(UserRow).order_by(UserRow.name))]

    def set_disabled(self, name: str, *, disabled: bool, actor: str, reason: str) -> User:
        """Shut an account out at once, or let it in again. Sessions end; tokens count only while it is enabled."""
        reason = kept_text(reason, "reason")
        with self._database.write() as session:
            row = _find(session, name)
            before = row.disabled
            row.disabled = disabled
            session.execute(delete(SessionRow).where(SessionRow.user_id == row.id))
            self._audit(
                session,
                actor,
                "user.disabled" if disabled else "user.enabled",
                row.name,
                before={"disabled": before},
                after={"disabled": disabled},
                reason=reason,
            )
            return _user(row)

    def set_lang(self, name: str, lang: Lang) -> User:
        """Remember in which language the account's pages are shown."""
        with self._database.write() as session:
            row = _find(session, name)
            row.lang = lang
            return _user(row)

    # Passwords

    def set_password(self, name: str, password: str, *, actor: str) -> User:
        """Replace the password, end every session of the account and forget its wrong attempts. Raises BadAccount."""
        return self._replace_password(self.get(name), password, actor=actor, expires_at=None)

    def issue_one_time_password(self, name: str, *, actor: str) -> OneTimePassword:
        """A random password that expires, and that the person must replace after signing in with it."""
        user = self.get(name)
        password = secrets.token_urlsafe(12)
        while user.name in password.lower():  # a short name can turn up by chance
            password = secrets.token_urlsafe(12)
        issued = OneTimePassword(password, self._clock() + self._one_time_life)
        self._replace_password(user, issued.password, actor=actor, expires_at=issued.expires_at)
        return issued

    def change_password(self, user: User, current: str, new: str) -> User:
        """The person's own change. Raises BadCredentials for a wrong `current`, BadAccount for a poor `new`."""
        self.check_password(user.name, current)
        if _normal(current) == _normal(new):
            raise BadAccount(
                "the new password is the old one: choose another", vi="Mật khẩu mới trùng mật khẩu cũ: hãy chọn khác"
            )
        return self.set_password(user.name, new, actor=user.name)

    def check_password(self, name: str, password: str) -> User:
        """The account that name and password belong to.

        Raises TooManyAttempts, BadCredentials or PasswordExpired. The attempt is counted before the password is looked
        at, so that guesses sent at the same time cannot outrun the count.
        """
        name = _normal(name).strip().lower()
        failures = self._count_attempt(name)
        with self._database.read() as session:
            row = _look_up(session, name)
        known = row is not None and not row.disabled and row.password_hash is not None
        password_hash = row.password_hash if row is not None and known else None
        if self._dummy_hash is None:
            self._dummy_hash = self._hasher.hash(secrets.token_hex())
        fits = self._verify(password_hash or self._dummy_hash, password)
        if row is None or password_hash is None or not fits:
            if row is not None and failures >= FREE_FAILURES:
                with self._database.write() as session:
                    self._audit(session, row.name, "user.blocked", row.name, after={"failures": failures})
            raise BadCredentials("name or password is wrong", vi="Sai tên hoặc mật khẩu")
        with self._database.write() as session:
            session.execute(delete(ThrottleRow).where(ThrottleRow.name_hash == _hash_text(name)))
            if self._hasher.check_needs_rehash(password_hash):
                _find(session, name).password_hash = self._hasher.hash(_normal(password))
        if row.password_expires_at is not None and row.password_expires_at <= self._clock():
            raise PasswordExpired(
                "the one-time password has expired: ask for a new one",
                vi="Mật khẩu dùng một lần đã hết hạn: hãy xin lại",
            )
        return _user(row)

    # Sessions

    def start_session(self, user: User) -> SignedIn:
        """Open a session for a user who gave the right password."""
        at = self._clock()
        signed_in = SignedIn(
            user=user,
            token=secrets.token_urlsafe(32),
            csrf=secrets.token_urlsafe(32),
            expires_at=at + self._session_life,
        )
        with self._database.write() as session:
            session.execute(delete(SessionRow).where(SessionRow.expires_at <= at))
            session.execute(delete(ThrottleRow).where(ThrottleRow.last_at <= at - FORGET_FAILURES))
            session.add(
                SessionRow(
                    token_hash=_hash_text(signed_in.token),
                    user_id=user.id,
                    csrf=signed_in.csrf,
                    created_at=at,
                    expires_at=signed_in.expires_at,
                )
            )
            self._audit(session, user.name, "session.started", user.name)
        return signed_in

    def find_session(self, token: str) -> SignedIn:
        """The session of a cookie. Raises NotSignedIn when it is unknown, ended or expired, or the account disabled."""
        query = (
            select(SessionRow, UserRow)
            .join(UserRow, SessionRow.user_id == UserRow.id)
            .where(SessionRow.token_hash == _hash_text(token))
        )
        with self._database.read() as session:
            found = session.execute(query).first()
        if found is None or found[0].expires_at <= self._clock() or found[1].disabled:
            raise NotSignedIn("please sign in", vi="Hãy đăng nhập")
        return SignedIn(user=_user(found[1]), token=token, csrf=found[0].csrf, expires_at=found[0].expires_at)

    def end_session(self, signed_in: SignedIn) -> None:
        """Sign out; a session that is gone already is no error."""
        with self._database.write() as session:
            session.execute(delete(SessionRow).where(SessionRow.token_hash == _hash_text(signed_in.token)))
            self._audit(session, signed_in.user.name, "session.ended", signed_in.user.name)

    # API tokens

    def create_token(self, name: str, *, label: str, days: int, actor: str) -> tuple[ApiToken, str]:
        """A token for programs, with the account's role and scope. Its text is returned here and never again."""
        label = kept_text(label, "label", longest=200)
        if not 1 <= days <= 366:
            raise BadAccount(
                f"a token lives 1 to 366 days, not {days}", vi=f"Mã có hạn từ 1 đến 366 ngày, không phải {days}"
            )
        value, at = TOKEN_PREFIX + secrets.token_urlsafe(32), self._clock()
        with self._database.write() as session:
            user = _find(session, name)
            row = TokenRow(
                token_hash=_hash_text(value),
                user_id=user.id,
                label=label,
                created_at=at,
                expires_at=at + timedelta(days=days),
                last_used_at=None,
                revoked_at=None,
            )
            session.add(row)
            session.flush()
            after = {"token": row.id, "label": label, "expires_at": row.expires_at}
            self._audit(session, actor, "token.created", user.name, after=after)
            return _token(row, user.name), value

    def find_token(self, value: str) -> User:
        """The account a bearer token acts for. Raises NotSignedIn when it is unknown, expired or revoked."""
        at = self._clock()
        query = (
            select(TokenRow, UserRow)
            .join(UserRow, TokenRow.user_id == UserRow.id)
            .where(TokenRow.token_hash == _hash_text(value))
        )
        with self._database.read() as session:
            found = session.execute(query).first()
        if found is None or found[0].revoked_at is not None or found[0].expires_at <= at or found[1].disabled:
            raise NotSignedIn(
                "the API token is unknown, expired or revoked: make one with `minhbach users token`",
                vi="Mã API không đúng, đã hết hạn hoặc bị thu hồi: hãy tạo mã mới bằng `minhbach users token`",
            )
        row: TokenRow = found[0]
        if row.last_used_at is None or at - row.last_used_at >= LAST_USED_STEP:
            with self._database.write() as session:
                session.get_one(TokenRow, row.id).last_used_at = at
        return _user(found[1])

    def tokens(self, name: str | None = None) -> list[ApiToken]:
        """Every token, or those of one account, oldest first."""
        query = select(TokenRow, UserRow.name).join(UserRow, TokenRow.user_id == UserRow.id).order_by(TokenRow.id)
        if name is not None:
            query = query.where(UserRow.name == name)
        with self._database.read() as session:
            return [_token(row, user) for row, user in session.execute(query)]

    def revoke_token(self, token_id: int, *, actor: str) -> ApiToken:
        """End a token at once. Raises UnknownToken."""
        with self._database.write() as session:
            row = session.get(TokenRow, token_id)
            if row is None:
                raise UnknownToken(f"there is no API token {token_id}", vi=f"Không có mã API số {token_id}")
            user = session.get_one(UserRow, row.user_id)
            if row.revoked_at is None:
                row.revoked_at = self._clock()
                self._audit(session, actor, "token.revoked", user.name, after={"token": row.id, "label": row.label})
            return _token(row, user.name)

    # Inner parts

    def _replace_password(self, user: User, password: str, *, actor: str, expires_at: datetime | None) -> User:
        password_hash = self._hash(user.name, user.role, password)
        one_time = expires_at is not None
        with self._database.write() as session:
            row = _find(session, user.name)
            row.password_hash = password_hash
            row.must_change_password = one_time
            row.password_expires_at = expires_at
            session.execute(delete(SessionRow).where(SessionRow.user_id == row.id))
            session.execute(delete(ThrottleRow).where(ThrottleRow.name_hash == _hash_text(row.name)))
            self._audit(session, actor, "user.password_set", row.name, after={"one_time": one_time})
            return _user(row)

    def _hash(self, name: str, role: Role, password: str) -> str:
        password = _normal(password)
        if role == "machine":
            raise BadAccount(
                "a machine account has no password: give it an API token with `minhbach users token`",
                vi="Tài khoản máy không có mật khẩu: hãy cấp mã API bằng `minhbach users token`",
            )
        if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
            raise BadAccount(
                f"a password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters",
                vi=f"Mật khẩu dài từ {SHORTEST_PASSWORD} đến {LONGEST_PASSWORD} ký tự",
            )
        if name in password.lower() or len(set(password)) < FEWEST_CHARACTERS or not password.isprintable():
            raise BadAccount(
                "a password does not hold the account's name and has at least five different printable characters",
                vi="Mật khẩu không được chứa tên tài khoản và phải có ít nhất năm ký tự in được khác nhau",
            )
        return self._hasher.hash(password)

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, _normal(password[: LONGEST_PASSWORD * 2]))
        except (VerificationError, InvalidHashError, UnicodeEncodeError):
            return False

    def _count_attempt(self, name: str) -> int:
        try:
            return self._count_attempt_once(name)
        except IntegrityError:  # another process counted the name's first failure at the same moment
            return self._count_attempt_once(name)

    def _count_attempt_once(self, name: str) -> int:
        at, key = self._clock(), _hash_text(name)
        with self._database.write() as session:
            row = session.get(ThrottleRow, key, with_for_update=True)
            if row is None:
                row = ThrottleRow(name_hash=key, failures=0, last_at=at, blocked_until=None)
                session.add(row)
            elif at - row.last_at >= FORGET_FAILURES:
                row.failures = 0
            elif row.blocked_until is not None and row.blocked_until > at:
                raise TooManyAttempts(row.blocked_until - at)
            row.failures += 1
            row.last_at = at
            wait = _wait_after(row.failures)
            row.blocked_until = at + wait if wait else None
            return row.failures

    def _audit(
        self,
        session: Session,
        actor: str,
        action: str,
        name: str,
        *,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
        reason: str = "",
    ) -> None:
        entry = AuditEntry(
            actor=kept_text(actor, "actor", longest=200),
            action=action,
            object_type="user",
            object_id=name,
            at=self._clock(),
            before=before,
            after=after,
            reason=reason,
        )
        append(session, entry)


def check_csrf(signed_in: SignedIn, given: str) -> None:
    """Raise BadCsrf unless `given` is the session's secret."""
    if not hmac.compare_digest(signed_in.csrf.encode(), given.encode("utf-8", "surrogatepass")):
        raise BadCsrf("the form is too old: load the page again", vi="Biểu mẫu đã cũ: hãy tải lại trang")


def _wait_after(failures: int) -> timedelta:
    if failures < FREE_FAILURES:
        return timedelta(0)
    return min(FIRST_WAIT * 2 ** min(failures - FREE_FAILURES, 20), LONGEST_WAIT)


def _normal(value: str) -> str:
    """One spelling for what Vietnamese keyboards send in two: a letter with its marks, or letter and marks apart."""
    return unicodedata.normalize("NFKC", value)


def _hash_text(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()


def _checked_name(name: str) -> str:
    name = _normal(name).strip().lower()
    if not re.fullmatch(_NAME_PATTERN, name):
        raise BadAccount(
            f"account name {name!r}: use 2 to {NAME} letters a-z, digits, dots, dashes, underscores or @",
            vi=f"Tên tài khoản {name!r}: dùng 2 đến {NAME} chữ a-z, chữ số, dấu chấm, gạch hoặc @",
        )
    return name


def _check_codes(codes: Iterable[str], pattern: str, *, en: str, vi: str) -> None:
    for code in codes:
        if not re.fullmatch(pattern, code):
            raise BadAccount(f"{code!r} is not a {en}", vi=f"{code!r} không phải là {vi}")


def _find(session: Session, name: str) -> UserRow:
    row = _look_up(session, name)
    if row is None:
        raise UnknownUser(name)
    return row


def _look_up(session: Session, name: str) -> UserRow | None:
    name = _normal(name).strip().lower()
    if not re.fullmatch(_NAME_PATTERN, name):  # PostgreSQL would refuse some of what people can type
        return None
    return session.scalar(select(UserRow).where(UserRow.name == name))


def _user(row: UserRow) -> User:
    return User(
        id=row.id,
        name=row.name,
        role=cast("Role", row.role),
        scope=Scope(tuple(row.provinces), tuple(row.facilities)),
        lang=cast("Lang", row.lang),
        disabled=row.disabled,
        must_change_password=row.must_change_password,
        password_expires_at=row.password_expires_at,
    )


def _token(row: TokenRow, user: str) -> ApiToken:
    return ApiToken(
        id=row.id,
        user=user,
        label=row.label,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )
