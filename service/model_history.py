"""What became of each model version: registered, promoted, given an alias; by whom, why and when. Append only.

The registry says which version is champion today; this says which was on any day, as replay and a court ask.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from sqlalchemy import select

from service.audit import AuditEntry, append, kept_text
from service.db.tables import ModelEventRow

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from service.clock import Clock
    from service.db.engine import Database

ModelAction = Literal["registered", "promoted", "alias_set"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEvent:
    """One event of one version; `alias` is the alias it gained, if any."""

    id: int
    version: int
    action: ModelAction
    alias: str | None
    by: str
    reason: str
    at: datetime


class ModelHistory:
    """The append-only history of the models of one database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def record(
        self, version: int, action: ModelAction, *, by: str, reason: str, alias: str | None = None
    ) -> ModelEvent:
        """Keep an event and its audit entry. An event other than `registered` names the alias it sets."""
        if action != "registered" and not alias:
            raise ValueError(f"a model is {action} under an alias, none was given")
        by, reason, at = kept_text(by, "by"), kept_text(reason, "reason"), self._clock()
        with self._database.write() as session:
            before = _aliases(session, at).get(alias) if alias else None
            row = ModelEventRow(version=version, action=action, alias=alias, by=by, reason=reason, at=at)
            session.add(row)
            append(
                session,
                AuditEntry(
                    actor=by,
                    action=f"model.{action}",
                    object_type="model",
                    object_id=str(version),
                    at=at,
                    before={"alias": alias, "version": before} if alias else None,
                    after={"alias": alias, "version": version},
                    reason=reason,
                ),
            )
            return _event(row)

    def history(self, version: int | None = None) -> list[ModelEvent]:
        """Newest first, of one version or of all."""
        query = select(ModelEventRow).order_by(ModelEventRow.id.desc())
        if version is not None:
            query = query.where(ModelEventRow.version == version)
        with self._database.read() as session:
            return [_event(row) for row in session.scalars(query)]

    def aliases(self, at: datetime) -> dict[str, int]:
        """Which version each alias meant at the moment `at`; an alias not yet given is left out."""
        with self._database.read() as session:
            return _aliases(session, at)


def _aliases(session: Session, at: datetime) -> dict[str, int]:
    query = (
        select(ModelEventRow.alias, ModelEventRow.version)
        .where(ModelEventRow.alias.is_not(None), ModelEventRow.at <= at)
        .order_by(ModelEventRow.at, ModelEventRow.id)
    )
    return {alias: version for alias, version in session.execute(query) if alias is not None}


def _event(row: ModelEventRow) -> ModelEvent:
    return ModelEvent(
        id=row.id,
        version=row.version,
        action=cast("ModelAction", row.action),
        alias=row.alias,
        by=row.by,
        reason=row.reason,
        at=row.at,
    )
