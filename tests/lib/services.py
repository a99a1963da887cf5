"""A whole service in one folder for tests: scored lake, database, accounts, and a scorer that echoes.

    service = small_service(folder)
    service.client()                       nobody
    service.client(token="lan")            a bearer token of the account
    service.signed_in("lan")               a browser session: (client, csrf)

Accounts: lan (assessor of province 98), minh (assessor of 99), hoa (lead, everywhere), audit (auditor), admin, and
may (machine).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from argon2 import PasswordHasher
from starlette.testclient import TestClient

from data.lake import Lake
from models.registry import Registry
from service.accounts import Accounts
from service.api.access import SESSION_COOKIE
from service.api.app import create_app
from service.api.state import AppState
from service.cases.store import CaseStore
from service.db.engine import Database
from service.model_history import ModelHistory
from service.reading import Reading
from service.rule_desk import RuleDesk
from service.settings import load_settings
from tests.lib.scored import scored_lake

if TYPE_CHECKING:
    from fastapi import FastAPI

    from service.accounts import Role

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PASSWORD = "đủ dài để dùng thử 98"
ACCOUNTS: Mapping[str, tuple[Role, tuple[str, ...]]] = {
    "lan": ("assessor", ("98",)),
    "minh": ("assessor", ("99",)),
    "hoa": ("lead", ()),
    "audit": ("auditor", ()),
    "admin": ("admin", ()),
    "may": ("machine", ()),
}


class EchoScorer:
    """Scores nothing: gives back what it was handed, so that a test sees what arrived."""

    model_version = 1

    def score_xml(self, envelope: bytes) -> list[Mapping[str, Any]]:
        """One claim of 98001 that tells how many bytes came."""
        return [{"ma_cskcb": "98001", "ma_lk": "X", "score": 0.5, "evidence": [], "bytes": len(envelope)}]

    def score_json(self, claims: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """A claim each, of the facility it names."""
        heads = [claim["XML1"] for claim in claims]
        return [{"ma_cskcb": head["MA_CSKCB"], "ma_lk": head["MA_LK"], "score": 0.5} for head in heads]


@dataclass(frozen=True)
class SmallService:
    """The parts and the application over them."""

    state: AppState
    app: FastAPI

    def client(self, token: str | None = None, *, lang: str | None = None) -> TestClient:
        """A client; with `token` (an account's name) it sends a new API token of that account."""
        headers: dict[str, str] = {}
        if token is not None:
            _, value = self.state.accounts.create_token(token, label="test", days=1, actor="test")
            headers["Authorization"] = f"Bearer {value}"
        if lang is not None:
            headers["Accept-Language"] = lang
        return TestClient(self.app, headers=headers)

    def signed_in(self, name: str) -> tuple[TestClient, str]:
        """A client with a session cookie of the account, and the session's CSRF secret."""
        session = self.state.accounts.start_session(self.state.accounts.get(name))
        return TestClient(self.app, cookies={SESSION_COOKIE: session.token}), session.csrf

    def close(self) -> None:
        """Close the database."""
        self.state.database.dispose()


def small_service(
    home: Path,
    *,
    claims: int = 60,
    lake: Lake | None = None,
    pages: bool = False,
) -> SmallService:
    """A service under `home` with `claims` scored claims, or over `lake`, and the accounts above; the API alone unless
    `pages`."""
    lake = lake or scored_lake(home / "lake", claims)
    database = Database(f"sqlite:///{home / 'minhbach.db'}")
    database.migrate()
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    accounts = Accounts(database, lambda: NOW, hasher=cheap)
    for name, (role, provinces) in ACCOUNTS.items():
        password = None if role == "machine" else PASSWORD
        accounts.add_user(name, role=role, actor="test", provinces=provinces, password=password)
    models = ModelHistory(database, lambda: NOW)
    models.record(1, "registered", by="test", reason="first model")
    models.record(1, "alias_set", by="test", reason="first model", alias="champion")
    state = AppState(
        settings=load_settings(home=home),
        lake=lake,
        reading=Reading(lake),
        database=database,
        accounts=accounts,
        cases=CaseStore(database, lambda: NOW),
        models=models,
        registry=Registry(f"sqlite:///{home / 'mlflow.db'}", home),
        rule_desk=RuleDesk(database, lambda: NOW),
        scorer=EchoScorer(),
        clock=lambda: NOW,
    )
    return SmallService(state, create_app(state, pages=pages))
