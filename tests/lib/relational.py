"""An office to test with: a database, a clock that stands still, and a few people with their cases."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from argon2 import PasswordHasher

from service.accounts import Accounts, Role, User
from service.cases.model import Case, ClaimAtOpening, LineDecision, Outcome
from service.cases.store import CaseStore
from service.db.engine import Database
from service.model_history import ModelHistory

MONDAY = datetime(2026, 3, 2, 8, 30, 15, 123456, tzinfo=UTC)
FAST_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@dataclass
class StandingClock:
    """Tells the same moment until `forward` moves it."""

    at: datetime = MONDAY

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **parts: float) -> None:
        self.at += timedelta(**parts)


@dataclass
class Office:
    """The services over one migrated database."""

    database: Database
    clock: StandingClock = field(default_factory=StandingClock)

    def __post_init__(self) -> None:
        self.accounts = Accounts(self.database, self.clock, hasher=FAST_HASHER)
        self.cases = CaseStore(self.database, self.clock)
        self.models = ModelHistory(self.database, self.clock)

    def person(self, name: str, role: Role = "assessor", *, provinces: tuple[str, ...] = ()) -> User:
        return self.accounts.add_user(name, role=role, actor="operator", provinces=provinces)

    def taken_case(self, user: User, **changes: Any) -> Case:
        return self.cases.take(self.cases.open(claim(**changes), user).id, user)

    def decided_case(self, user: User, *lines: LineDecision, **changes: Any) -> Case:
        case = self.taken_case(user, **changes)
        return self.cases.decide(case.id, lines or (refusal(),), user)[0]


def claim(ma_lk: str = "LK1", **changes: Any) -> ClaimAtOpening:
    """A claim of 1,000,000.50 VND, of facility 01001, in run R1."""
    values: dict[str, Any] = {
        "run_id": "R1",
        "ma_cskcb": "01001",
        "ma_lk": ma_lk,
        "t_bhtt": Decimal("1000000.50"),
        "amount_at_risk": Decimal(300000),
        "expected_recoverable": Decimal("123456.78"),
        "score": 0.875,
        "model_version": 3,
        "snapshot": 7,
        "claim_version": 1,
        "schemes": ("BED_DAY_PADDING",),
        "evidence": ({"source": "BED-01@1", "strength": 0.5},),
    }
    return ClaimAtOpening(**(values | changes))


def line(
    outcome: Outcome, row_no: int | None, before: str, refused: str, reason: str = "Không có chỉ định"
) -> LineDecision:
    return LineDecision(
        outcome=outcome,
        amount_before=Decimal(before),
        amount_refused=Decimal(refused),
        reason=reason,
        line_table=None if row_no is None else "service_line",
        row_no=row_no,
    )


def refusal(row_no: int = 1, before: str = "200000", refused: str = "200000") -> LineDecision:
    return line("refused", row_no, before, refused)
