from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from service.audit import AuditEntry, AuditHead, BadText, append, entries, head, kept_text, verify_chain
from tests.lib.relational import MONDAY, Office


def entry(action: str = "claim.viewed", **changes: Any) -> AuditEntry:
    values: dict[str, Any] = {
        "actor": "lan",
        "action": action,
        "object_type": "claim",
        "object_id": "01001:1",
        "at": MONDAY,
    }
    return AuditEntry(**(values | changes))


def write(office: Office, *written: AuditEntry) -> None:
    with office.database.write() as session:
        for one in written:
            append(session, one)


def tamper(tmp_path: Path, *statements: str) -> None:
    """Change the log as one with the file in hand could: the triggers dropped first."""
    with sqlite3.connect(tmp_path / "office.db", isolation_level=None) as connection:
        for trigger in ("audit_log_no_update", "audit_log_no_delete"):
            connection.execute(f"DROP TRIGGER {trigger}")
        for statement in statements:
            assert connection.execute(statement).rowcount >= 1
    connection.close()


def test_what_is_written_comes_back_and_the_chain_holds(office: Office) -> None:
    write(
        office,
        entry(before={"amount": Decimal("10.50")}, after={"lines": [{"at": MONDAY, "score": 0.1}], "vi": "Từ chối"}),
        entry("case.noted", reason="đã gọi cho cơ sở"),
    )
    with office.database.read() as session:
        noted, viewed = entries(session)
        report = verify_chain(session)
    assert (noted.seq, viewed.seq) == (2, 1)
    assert noted.reason == "đã gọi cho cơ sở"
    assert viewed.before == {"amount": "10.50"}
    assert viewed.after == {"lines": [{"at": MONDAY.isoformat(), "score": 0.1}], "vi": "Từ chối"}
    assert viewed.at == MONDAY
    assert noted.prev_hash == viewed.hash
    assert (report.intact, report.entries, report.head) == (True, 2, AuditHead(2, noted.hash))


def test_an_empty_log_is_intact(office: Office) -> None:
    with office.database.read() as session:
        assert verify_chain(session).intact
        assert head(session) == AuditHead(0, "0" * 64)


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE audit_log SET actor = 'nobody' WHERE seq = 2", "entry 2 was changed"),
        ("UPDATE audit_log SET reason = 'x' WHERE seq = 2", "entry 2 was changed"),
        ("UPDATE audit_log SET after = '{}' WHERE seq = 2", "entry 2 was changed"),
        ("UPDATE audit_log SET at = '2020-01-01 00:00:00.000000' WHERE seq = 2", "entry 2 was changed"),
        ("UPDATE audit_log SET hash = 'x' WHERE seq = 2", "entry 2 was changed"),
        ("DELETE FROM audit_log WHERE seq = 2", "entry 2 is missing"),
        ("DELETE FROM audit_log WHERE seq = 1", "entry 1 is missing"),
        ("DELETE FROM audit_log WHERE seq = 3", "entries 3 to 3 were cut off"),
    ],
)
def test_tampering_shows(office: Office, tmp_path: Path, statement: str, problem: str) -> None:
    write(office, entry(), entry(), entry())
    with office.database.read() as session:
        anchor = head(session)
    office.database.dispose()
    tamper(tmp_path, statement)
    with office.database.read() as session:
        report = verify_chain(session, anchor=anchor)
    assert not report.intact
    assert problem in str(report.problem)


def test_a_log_rewritten_from_some_entry_on_shows_against_an_anchor(office: Office, tmp_path: Path) -> None:
    write(office, entry(), entry("claim.refused"))
    with office.database.read() as session:
        anchor = head(session)
    office.database.dispose()
    tamper(tmp_path, "DELETE FROM audit_log WHERE seq = 2")
    write(office, entry("claim.accepted"))
    with office.database.read() as session:
        assert verify_chain(session).intact
        assert verify_chain(session, anchor=anchor).broken_at == 2


def test_nothing_is_kept_of_an_act_that_fails(office: Office) -> None:
    with pytest.raises(ZeroDivisionError), office.database.write() as session:
        assert append(session, entry()).seq / 0
    with office.database.read() as session:
        assert entries(session) == []


def test_finding_entries(office: Office) -> None:
    later = MONDAY + timedelta(hours=1)
    write(
        office,
        entry("case.taken", object_type="case", object_id="1"),
        entry("case.decided", object_type="case", object_id="1", actor="minh", at=later),
        entry("cases_exported", actor="minh", at=later),
    )

    def found(**by: Any) -> list[int]:
        with office.database.read() as session:
            return [record.seq for record in entries(session, **by)]

    assert found() == [3, 2, 1]
    assert found(action="case") == [2, 1]
    assert found(action="case.taken") == [1]
    assert found(actor="minh") == [3, 2]
    assert found(object_type="case", object_id="1") == [2, 1]
    assert found(since=later) == [3, 2]
    assert found(until=later) == [1]
    assert found(before_seq=3, limit=1) == [2]


def test_an_entry_without_actor_or_zone_cannot_be_built() -> None:
    with pytest.raises(ValueError, match="actor"):
        entry(actor="")
    with pytest.raises(ValueError, match="zone"):
        entry(at=datetime(2026, 1, 1))


@pytest.mark.parametrize("text", ["", "  \n ", "a\x00b", "\ud800", "x" * 4001])
def test_unkeepable_texts_are_refused(text: str) -> None:
    with pytest.raises(BadText):
        kept_text(text, "lý do")


def test_kept_text_loses_only_its_outer_blanks() -> None:
    assert kept_text("  Hai dòng:\n\tđiều 5 ", "lý do") == "Hai dòng:\n\tđiều 5"
