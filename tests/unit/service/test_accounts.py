from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, Literal, get_args

import duckdb
import pytest
from argon2 import PasswordHasher

from service.accounts import (
    FREE_FAILURES,
    PERMISSIONS,
    Accounts,
    BadAccount,
    BadCredentials,
    BadCsrf,
    NotPermitted,
    NotSignedIn,
    PasswordExpired,
    Role,
    Scope,
    TooManyAttempts,
    UnknownToken,
    UnknownUser,
    can,
    check_csrf,
    check_may,
    check_within,
)
from service.audit import BadText, entries
from tests.lib.relational import Office

PASSWORD = "đúng là mật khẩu"


def with_password(office: Office, name: str = "lan", role: Role = "assessor") -> None:
    office.accounts.add_user(name, role=role, actor="operator", password=PASSWORD)


def file_text(tmp_path: Path) -> bytes:
    with sqlite3.connect(tmp_path / "office.db") as connection:
        text = "\n".join(connection.iterdump())
    connection.close()
    return text.encode()


def test_the_right_password_signs_in_and_is_not_stored(office: Office, tmp_path: Path) -> None:
    with_password(office)
    assert office.accounts.check_password(" Lan ", PASSWORD).name == "lan"
    assert PASSWORD.encode() not in file_text(tmp_path)
    assert b"$argon2id$" in file_text(tmp_path)


def test_one_password_typed_with_two_keyboards_is_one_password(office: Office) -> None:
    with_password(office)
    import unicodedata

    apart = unicodedata.normalize("NFD", PASSWORD)
    assert apart != PASSWORD
    assert office.accounts.check_password("lan", apart).name == "lan"


@pytest.mark.parametrize(
    ("name", "password"),
    [("lan", "wrong"), ("nobody", PASSWORD), ("off", PASSWORD), ("robot", ""), ("lan", "\ud800"), ("a\x00b", "x")],
)
def test_every_refusal_sounds_the_same(office: Office, name: str, password: str) -> None:
    with_password(office)
    with_password(office, "off")
    office.accounts.set_disabled("off", disabled=True, actor="operator", reason="nghỉ việc")
    office.person("robot", "machine")
    with pytest.raises(BadCredentials, match=r"^name or password is wrong$") as raised:
        office.accounts.check_password(name, password)
    assert raised.value.http_status == 401


def test_an_unknown_name_costs_a_hash_too(office: Office) -> None:
    class Counting(PasswordHasher):
        verified = 0

        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002
            type(self).verified += 1
            return super().verify(hash, password)

    accounts = Accounts(office.database, office.clock, hasher=Counting(time_cost=1, memory_cost=8, parallelism=1))
    with_password(office)
    for name in ("lan", "nobody"):
        with pytest.raises(BadCredentials):
            accounts.check_password(name, "wrong")
    assert Counting.verified == 2


@pytest.mark.parametrize("name", ["lan", "nobody"])
def test_guessing_has_to_wait_longer_and_longer(office: Office, name: str) -> None:
    with_password(office)
    accounts, clock = office.accounts, office.clock
    waits: list[int] = []
    for attempt in range(FREE_FAILURES + 8):
        with pytest.raises(BadCredentials):
            accounts.check_password(name, "wrong")
        if attempt + 1 >= FREE_FAILURES:
            with pytest.raises(TooManyAttempts) as raised:
                accounts.check_password(name, PASSWORD)
            assert raised.value.http_status == 429
            waits.append(raised.value.retry_after)
            clock.forward(seconds=waits[-1])
    assert waits == [30, 60, 120, 240, 480, 900, 900, 900, 900]


def test_the_right_password_forgets_the_wrong_ones(office: Office) -> None:
    with_password(office)
    for _ in range(3):
        for _ in range(FREE_FAILURES - 1):
            with pytest.raises(BadCredentials):
                office.accounts.check_password("lan", "wrong")
        assert office.accounts.check_password("lan", PASSWORD).name == "lan"


def test_a_mistyped_name_is_not_kept(office: Office, tmp_path: Path) -> None:
    with pytest.raises(BadCredentials):
        office.accounts.check_password("mypassword1", "x")
    assert b"mypassword1" not in file_text(tmp_path)


def test_a_one_time_password_must_be_replaced(office: Office) -> None:
    accounts = office.accounts
    office.person("lan")
    issued = accounts.issue_one_time_password("lan", actor="demo")
    user = accounts.check_password("lan", issued.password)
    assert user.must_change_password
    changed = accounts.change_password(user, issued.password, PASSWORD)
    assert not changed.must_change_password
    assert changed.password_expires_at is None
    with pytest.raises(BadCredentials):
        accounts.check_password("lan", issued.password)


def test_a_one_time_password_expires(office: Office) -> None:
    office.person("lan")
    issued = office.accounts.issue_one_time_password("lan", actor="demo")
    office.clock.forward(hours=23.9)
    office.accounts.check_password("lan", issued.password)
    office.clock.forward(hours=0.1)
    with pytest.raises(PasswordExpired):
        office.accounts.check_password("lan", issued.password)


@pytest.mark.parametrize("poor", ["short", "a" * 20, "xx-lan-lan-2026", "x" * 129, "tab\tcharacter!"])
def test_poor_passwords_are_refused(office: Office, poor: str) -> None:
    office.person("lan")
    with pytest.raises(BadAccount):
        office.accounts.set_password("lan", poor, actor="operator")


def test_changing_needs_the_current_password_and_another_one(office: Office) -> None:
    with_password(office)
    user = office.accounts.get("lan")
    with pytest.raises(BadCredentials):
        office.accounts.change_password(user, "wrong", "một mật khẩu mới")
    with pytest.raises(BadAccount):
        office.accounts.change_password(user, PASSWORD, PASSWORD)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "x"},
        {"name": "có dấu"},
        {"name": "a" * 65},
        {"role": "boss"},
        {"lang": "fr"},
        {"provinces": ["1"]},
        {"facilities": ["0100"]},
        {"role": "machine", "password": PASSWORD},
    ],
)
def test_wrong_accounts_are_refused(office: Office, wrong: dict[str, Any]) -> None:
    given: dict[str, Any] = {"name": "lan", "role": "lead", "actor": "operator"} | wrong
    with pytest.raises(BadAccount) as raised:
        office.accounts.add_user(given.pop("name"), **given)
    assert raised.value.exit_code == 2
    assert office.accounts.users() == []


def test_names_are_unique_however_they_are_written(office: Office) -> None:
    office.person("lan")
    with pytest.raises(BadAccount, match="exists already"):
        office.person("LAN ")
    with pytest.raises(UnknownUser):
        office.accounts.get("la\x00n")


def test_sessions_live_until_they_expire_or_end(office: Office, tmp_path: Path) -> None:
    accounts = office.accounts
    user = office.person("lan", provinces=("01", "79"))
    first, second = accounts.start_session(user), accounts.start_session(user)
    assert first.token.encode() not in file_text(tmp_path)
    assert accounts.find_session(first.token) == first
    accounts.end_session(first)
    accounts.end_session(first)
    with pytest.raises(NotSignedIn):
        accounts.find_session(first.token)
    office.clock.forward(hours=11.9)
    assert accounts.find_session(second.token).user.scope == Scope(("01", "79"))
    office.clock.forward(hours=0.1)
    with pytest.raises(NotSignedIn):
        accounts.find_session(second.token)


def test_a_new_password_or_a_closed_account_ends_sessions(office: Office) -> None:
    accounts = office.accounts
    user = office.person("lan")
    before = accounts.start_session(user)
    accounts.set_password("lan", PASSWORD, actor="lan")
    with pytest.raises(NotSignedIn):
        accounts.find_session(before.token)
    after = accounts.start_session(user)
    _, token = accounts.create_token("lan", label="script", days=1, actor="lan")
    accounts.set_disabled("lan", disabled=True, actor="operator", reason="nghỉ việc")
    for find, value in ((accounts.find_session, after.token), (accounts.find_token, token)):
        with pytest.raises(NotSignedIn):
            find(value)
    accounts.set_disabled("lan", disabled=False, actor="operator", reason="trở lại")
    assert accounts.find_token(token).name == "lan"


def test_a_form_needs_its_sessions_secret(office: Office) -> None:
    user = office.person("lan")
    one, other = office.accounts.start_session(user), office.accounts.start_session(user)
    check_csrf(one, one.csrf)
    for wrong in (other.csrf, "", one.csrf[:-1], "đ", "\ud800"):
        with pytest.raises(BadCsrf):
            check_csrf(one, wrong)


def test_tokens_work_until_they_expire_or_are_revoked(office: Office, tmp_path: Path) -> None:
    accounts, clock = office.accounts, office.clock
    office.person("robot", "machine", provinces=("01",))
    token, value = accounts.create_token("robot", label="HIS", days=2, actor="operator")
    _, short = accounts.create_token("robot", label="trial", days=1, actor="operator")
    assert value.encode() not in file_text(tmp_path)
    assert accounts.find_token(value).scope == Scope(("01",))
    assert accounts.tokens("robot")[0].last_used_at == clock()
    first_use = clock()
    clock.forward(seconds=59)
    accounts.find_token(value)
    assert accounts.tokens()[0].last_used_at == first_use
    clock.forward(days=1)
    accounts.find_token(value)
    assert accounts.tokens()[0].last_used_at == clock()
    with pytest.raises(NotSignedIn):
        accounts.find_token(short)
    assert accounts.revoke_token(token.id, actor="operator").revoked_at == clock()
    with pytest.raises(NotSignedIn):
        accounts.find_token(value)
    with pytest.raises(UnknownToken):
        accounts.revoke_token(99, actor="operator")
    with pytest.raises(BadAccount):
        accounts.create_token("robot", label="for ever", days=4000, actor="operator")
    with pytest.raises(BadText):
        accounts.create_token("robot", label="", days=1, actor="operator")


def test_every_change_is_in_the_audit_log(office: Office) -> None:
    accounts = office.accounts
    office.person("lan")
    issued = accounts.issue_one_time_password("lan", actor="demo")
    user = accounts.check_password("lan", issued.password)
    accounts.end_session(accounts.start_session(user))
    token, _ = accounts.create_token("lan", label="x", days=1, actor="lan")
    accounts.revoke_token(token.id, actor="lan")
    accounts.set_disabled("lan", disabled=True, actor="operator", reason="nghỉ việc")
    with office.database.read() as session:
        log = entries(session, object_type="user", object_id="lan")
    assert [(e.actor, e.action) for e in reversed(log)] == [
        ("operator", "user.added"),
        ("demo", "user.password_set"),
        ("lan", "session.started"),
        ("lan", "session.ended"),
        ("lan", "token.created"),
        ("lan", "token.revoked"),
        ("operator", "user.disabled"),
    ]


def test_roles(office: Office) -> None:
    assert set(PERMISSIONS) == set(get_args(Role))
    auditor = office.person("hoa", "auditor")
    assert can(auditor, "audit.read")
    for permission in ("cases.work", "cases.lead", "users.manage", "models.promote", "claims.submit"):
        with pytest.raises(NotPermitted, match="hoa"):
            check_may(auditor, permission)
    assert not can(office.person("robot", "machine"), "cases.read")
    assert can(office.person("truong", "lead"), "cases.lead")
    assert not can(office.person("lan"), "cases.lead")


@pytest.mark.parametrize(
    ("scope", "seen"),
    [
        (Scope(), {"01001", "01002", "79001"}),
        (Scope(("01",)), {"01001", "01002"}),
        (Scope((), ("01002", "79001")), {"01002", "79001"}),
        (Scope(("01",), ("01002", "79001")), {"01002"}),
        (Scope(("' OR 1=1 --",)), set()),
    ],
)
def test_a_scope_means_the_same_in_queries_and_in_python(scope: Scope, seen: set[str]) -> None:
    facilities = ("01001", "01002", "79001")
    assert {code for code in facilities if scope.allows(code)} == seen
    with duckdb.connect() as connection:
        for alias in ("", "e"):
            condition, parameters = scope.sql_condition(alias)
            rows = connection.execute(
                "SELECT ma_cskcb FROM (SELECT left(c, 2) AS province, c AS ma_cskcb "
                f"FROM (VALUES ('01001'), ('01002'), ('79001')) t(c)) e WHERE {condition}",
                parameters,
            ).fetchall()
            assert {row[0] for row in rows} == seen


def test_within(office: Office) -> None:
    user = office.person("lan", provinces=("01",))
    check_within(user, "01999")
    with pytest.raises(NotPermitted, match="79001"):
        check_within(user, "79001")
