"""Switches and snoozes on the database: the newest switch holds, a snooze needs two people, every act is audited."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from detectors.switches import Snooze, Switch, Switches
from service.audit import entries, verify_chain
from service.db.engine import Database
from service.rule_desk import BadSwitch, RuleDesk


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    found = Database(f"sqlite:///{tmp_path / 'desk.db'}")
    found.migrate()
    yield found
    found.dispose()


@pytest.fixture
def desk(database: Database) -> RuleDesk:
    return RuleDesk(database, lambda: datetime(2026, 10, 1, 8, tzinfo=UTC))


def test_the_newest_switch_holds_and_on_everywhere_is_as_before(desk: RuleDesk) -> None:
    desk.switch("bed-01", "off", by="An", reason="rà soát")
    desk.switch("BED-01", "shadow", by="An", reason="thử", province="97")
    desk.switch("BED-01", "on", by="Bình", reason="xong")
    assert desk.in_force() == Switches((Switch(rule="BED-01", state="shadow", province="97"),))
    assert [e.state for e in desk.switches()] == ["on", "shadow", "off"]


def test_a_snooze_needs_a_second_person(desk: RuleDesk) -> None:
    asked = desk.ask_snooze(
        "EXAM-01", "facility", "97001", until=date(2026, 12, 31), by="An", reason="phần mềm đang sửa"
    )
    assert desk.in_force() == Switches()
    with pytest.raises(BadSwitch, match="somebody else has to approve"):
        desk.approve(asked.id, by="an")
    desk.approve(asked.id, by="Bình")
    snooze = Snooze(rule="EXAM-01", level="facility", entity="97001", until=date(2026, 12, 31))
    assert desk.in_force() == Switches(snoozes=(snooze,))
    desk.end(asked.id, by="Chi", reason="đã sửa xong")
    assert desk.in_force() == Switches()
    with pytest.raises(BadSwitch, match="ended already"):
        desk.end(asked.id, by="Chi", reason="lần nữa")
    with pytest.raises(BadSwitch, match="settled already"):
        desk.approve(asked.id, by="Bình")


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda d: d.switch("BED-99", "off", by="An", reason="x"), "no rule BED-99"),
        (lambda d: d.switch("BED-01", "off", by="An", reason="x", province="9A"), "two digits"),
        (
            lambda d: d.ask_snooze("BED-01", "claim", "97001:1", until=date(2026, 9, 1), by="An", reason="x"),
            "over already",
        ),
        (lambda d: d.approve(7, by="An"), "no snooze 7"),
    ],
)
def test_nonsense_is_refused_by_name(desk: RuleDesk, act: object, message: str) -> None:
    with pytest.raises(BadSwitch, match=message):
        act(desk)  # type: ignore[operator]


def test_every_act_is_in_the_audit_log_and_a_switch_cannot_be_rewritten(database: Database, desk: RuleDesk) -> None:
    desk.switch("BED-01", "off", by="An", reason="rà soát")
    asked = desk.ask_snooze("BED-01", "doctor", "97001:d", until=date(2026, 12, 31), by="An", reason="chờ xác minh")
    desk.approve(asked.id, by="Bình")
    desk.end(asked.id, by="Chi", reason="xong")
    with database.read() as session:
        acts = [entry.action for entry in entries(session)]
        assert verify_chain(session).intact
    expected = {"rule.switch", "rule.snooze_asked", "rule.snooze_approved", "rule.snooze_ended"}
    assert expected <= set(acts)
    with pytest.raises(sa.exc.DBAPIError), database.write() as session:
        session.execute(sa.text("UPDATE rule_switch SET state = 'on'"))
