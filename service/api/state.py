"""What one running service holds; `service/bootstrap.py` chooses the parts, tests give their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from data.lake import Lake
    from models.registry import Registry
    from service.accounts import Accounts
    from service.cases.store import CaseStore
    from service.clock import Clock
    from service.db.engine import Database
    from service.model_history import ModelHistory
    from service.reading import Reading
    from service.rule_desk import RuleDesk
    from service.settings import Settings

ScoredClaim = Mapping[str, Any]
"""A claim scored on the spot: columns of `claim_score`, `evidence` as a list, `model_version` and `snapshot`."""


class Scorer(Protocol):
    """Scores claims without storing them, with the model in use, as the nightly run would."""

    @property
    def model_version(self) -> int:
        """Version of the model in use."""
        ...

    def score_xml(self, envelope: bytes) -> list[ScoredClaim]:
        """Scores of the claims of a 130 envelope. Raises a MinhBachError that names what cannot be read."""
        ...

    def score_json(self, claims: Sequence[Mapping[str, Any]]) -> list[ScoredClaim]:
        """Scores of claims given by official table and field names. Raises a MinhBachError likewise."""
        ...


@dataclass(frozen=True, kw_only=True)
class AppState:
    """The parts a request may use."""

    settings: Settings
    lake: Lake
    reading: Reading
    database: Database
    accounts: Accounts
    cases: CaseStore
    models: ModelHistory
    registry: Registry
    rule_desk: RuleDesk
    scorer: Scorer | None  # none: no model was trained yet
    clock: Clock
