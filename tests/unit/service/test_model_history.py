from __future__ import annotations

from datetime import timedelta

import pytest

from service.audit import BadText, entries
from tests.lib.relational import MONDAY, Office


def test_which_version_was_champion_on_a_day(office: Office) -> None:
    models, clock = office.models, office.clock
    models.record(1, "registered", by="train", reason="first", alias="champion")
    clock.forward(days=1)
    models.record(2, "registered", by="train", reason="weekly")
    models.record(2, "alias_set", by="train", reason="newest", alias="challenger")
    clock.forward(days=1)
    models.record(2, "promoted", by="lan", reason="finds more", alias="champion")
    assert models.aliases(MONDAY - timedelta(seconds=1)) == {}
    assert models.aliases(MONDAY) == {"champion": 1}
    assert models.aliases(MONDAY + timedelta(days=1)) == {"champion": 1, "challenger": 2}
    assert models.aliases(clock()) == {"champion": 2, "challenger": 2}
    assert [(event.version, event.action) for event in models.history(2)] == [
        (2, "promoted"),
        (2, "alias_set"),
        (2, "registered"),
    ]
    assert len(models.history()) == 4
    with office.database.read() as session:
        newest = entries(session)[0]
    assert (newest.actor, newest.action, newest.object_id) == ("lan", "model.promoted", "2")
    assert newest.before == {"alias": "champion", "version": 1}
    assert newest.after == {"alias": "champion", "version": 2}


def test_an_event_says_why_and_under_which_alias(office: Office) -> None:
    with pytest.raises(BadText):
        office.models.record(1, "promoted", by="lan", reason=" ", alias="champion")
    with pytest.raises(ValueError, match="alias"):
        office.models.record(1, "promoted", by="lan", reason="better")
    assert office.models.history() == []
