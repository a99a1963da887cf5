"""Who turned which rule off, into shadow or silent, where, until when and why. Every act is in the audit log.

A switch holds at once, for it only withholds signs and is undone by the next switch. A snooze spares one entity, so a
second person has to agree first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import select

from data.errors import MinhBachError
from detectors.base import rules
from detectors.switches import Snooze, Switch, Switches
from service.audit import AuditEntry, append, kept_text
from service.db.tables import RuleSnoozeRow, RuleSwitchRow

if TYPE_CHECKING:
    from datetime import date, datetime

    from sqlalchemy.orm import Session

    from detectors.switches import Level, State
    from service.clock import Clock
    from service.db.engine import Database


class BadSwitch(MinhBachError):
    """A switch or snooze that makes no sense, or that the person may not make."""

    code, http_status, exit_code = "bad_switch", 422, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchEvent:
    """One turn of a rule's switch."""

    id: int
    rule: str
    province: str | None
    state: State
    by: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SnoozeRecord:
    """A snooze and what became of it: asked, in force once approved, ended."""

    id: int
    rule: str
    level: Level
    entity: str
    until: date
    reason: str
    asked_by: str
    asked_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    ended_by: str | None
    ended_at: datetime | None

    @property
    def in_force(self) -> bool:
        """Whether the rule is silent about the entity now (for claims up to `until`)."""
        return self.approved_by is not None and self.ended_by is None


class RuleDesk:
    """Switches and snoozes of one database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def switch(self, rule: str, state: State, *, by: str, reason: str, province: str | None = None) -> SwitchEvent:
        """Turn a rule on, off or into shadow, in a province or everywhere. Raises BadSwitch."""
        rule, by, reason, at = _known(rule), kept_text(by, "by"), kept_text(reason, "reason"), self._clock()
        if province is not None and (len(province) != 2 or not province.isdigit()):
            raise BadSwitch(
                f"province {province!r}: two digits, as MA_TINH", vi=f"tỉnh {province!r}: phải là hai chữ số"
            )
        with self._database.write() as session:
            before = _states(session).get((rule, province), "on")
            row = RuleSwitchRow(rule=rule, province=province, state=state, by=by, reason=reason, at=at)
            session.add(row)
            session.flush()
            self._audit(
                session, "rule.switch", rule, by, reason,
                before={"state": before, "province": province}, after={"state": state, "province": province},
            )  # fmt: skip
            return _event(row)

    def ask_snooze(self, rule: str, level: Level, entity: str, *, until: date, by: str, reason: str) -> SnoozeRecord:
        """Ask that a rule leave an entity alone for claims up to `until`; nothing changes before it is approved."""
        rule, by, reason, at = _known(rule), kept_text(by, "by"), kept_text(reason, "reason"), self._clock()
        if until < at.date():
            raise BadSwitch(f"until {until}: is over already", vi=f"ngày {until} đã qua")
        with self._database.write() as session:
            row = RuleSnoozeRow(
                rule=rule,
                level=level,
                entity=kept_text(entity, "entity"),
                until=until,
                reason=reason,
                asked_by=by,
                asked_at=at,
            )
            session.add(row)
            session.flush()
            self._audit(session, "rule.snooze_asked", rule, by, reason, after=_told(row))
            return _record(row)

    def approve(self, snooze: int, *, by: str) -> SnoozeRecord:
        """Agree to a snooze as a second person. Raises BadSwitch for the one who asked, or when it is settled."""
        by = kept_text(by, "by")
        with self._database.write() as session:
            row = _snooze(session, snooze)
            if row.approved_by is not None or row.ended_by is not None:
                raise BadSwitch(f"snooze {snooze} is settled already", vi=f"miễn trừ {snooze} đã được xử lý")
            if by.casefold() == row.asked_by.casefold():
                raise BadSwitch(
                    f"snooze {snooze} was asked by {row.asked_by}: somebody else has to approve it",
                    vi=f"miễn trừ {snooze} do {row.asked_by} đề nghị: phải có người thứ hai duyệt",
                )
            row.approved_by, row.approved_at = by, self._clock()
            self._audit(session, "rule.snooze_approved", row.rule, by, row.reason, after=_told(row))
            return _record(row)

    def end(self, snooze: int, *, by: str, reason: str) -> SnoozeRecord:
        """End a snooze before its day, or refuse one that was asked."""
        by, reason = kept_text(by, "by"), kept_text(reason, "reason")
        with self._database.write() as session:
            row = _snooze(session, snooze)
            if row.ended_by is not None:
                raise BadSwitch(f"snooze {snooze} was ended already", vi=f"miễn trừ {snooze} đã kết thúc")
            row.ended_by, row.ended_at = by, self._clock()
            self._audit(session, "rule.snooze_ended", row.rule, by, reason, after=_told(row))
            return _record(row)

    def in_force(self) -> Switches:
        """What a run has to heed now."""
        with self._database.read() as session:
            states = _states(session)
            snoozes = [_record(row) for row in session.scalars(select(RuleSnoozeRow).order_by(RuleSnoozeRow.id))]
        return Switches(
            tuple(
                Switch(rule=rule, province=province, state=state)
                for (rule, province), state in sorted(states.items(), key=lambda item: (item[0][0], item[0][1] or ""))
            ),
            tuple(Snooze(rule=s.rule, level=s.level, entity=s.entity, until=s.until) for s in snoozes if s.in_force),
        )

    def switches(self) -> list[SwitchEvent]:
        """Every turn of a switch, newest first."""
        with self._database.read() as session:
            return [_event(row) for row in session.scalars(select(RuleSwitchRow).order_by(RuleSwitchRow.id.desc()))]

    def snoozes(self) -> list[SnoozeRecord]:
        """Every snooze, newest first."""
        with self._database.read() as session:
            return [_record(row) for row in session.scalars(select(RuleSnoozeRow).order_by(RuleSnoozeRow.id.desc()))]

    def _audit(self, session: Session, action: str, rule: str, by: str, reason: str, **values: dict[str, Any]) -> None:
        append(
            session,
            AuditEntry(
                actor=by, action=action, object_type="rule", object_id=rule, at=self._clock(), reason=reason, **values
            ),
        )


def _known(rule: str) -> str:
    ids = {each.id for each in rules()}
    if rule.upper() not in ids:
        raise BadSwitch(
            f"no rule {rule}: `minhbach rules list` shows them",
            vi=f"không có quy tắc {rule}: xem `minhbach rules list`",
        )
    return rule.upper()


def _states(session: Session) -> dict[tuple[str, str | None], State]:
    found: dict[tuple[str, str | None], State] = {}
    for row in session.scalars(select(RuleSwitchRow).order_by(RuleSwitchRow.id)):
        found[row.rule, row.province] = cast("State", row.state)
    # Back to "on" everywhere is as if never touched; "on" in a province still speaks against a country-wide switch.
    return {key: state for key, state in found.items() if state != "on" or key[1] is not None}


def _snooze(session: Session, snooze: int) -> RuleSnoozeRow:
    row = session.get(RuleSnoozeRow, snooze)
    if row is None:
        raise BadSwitch(f"no snooze {snooze}", vi=f"không có miễn trừ {snooze}")
    return row


def _told(row: RuleSnoozeRow) -> dict[str, Any]:
    return {"snooze": row.id, "level": row.level, "entity": row.entity, "until": row.until.isoformat()}


def _event(row: RuleSwitchRow) -> SwitchEvent:
    return SwitchEvent(
        id=row.id, rule=row.rule, province=row.province, state=cast("State", row.state), by=row.by, reason=row.reason,
        at=row.at,
    )  # fmt: skip


def _record(row: RuleSnoozeRow) -> SnoozeRecord:
    return SnoozeRecord(
        id=row.id, rule=row.rule, level=cast("Level", row.level), entity=row.entity, until=row.until, reason=row.reason,
        asked_by=row.asked_by, asked_at=row.asked_at, approved_by=row.approved_by, approved_at=row.approved_at,
        ended_by=row.ended_by, ended_at=row.ended_at,
    )  # fmt: skip
