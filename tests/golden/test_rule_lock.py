"""A rule that does something else has another version: an old flag must keep meaning what it meant."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from detectors.base import rules
from tests.lib.fingerprint import fingerprint

LOCK = Path(__file__).parent / "rules.lock.json"


def test_no_rule_changed_without_its_version(request: pytest.FixtureRequest) -> None:
    """`make golden` accepts: a raised version, a new rule, a removed one; a mere rewriting too, so read the diff."""
    now = {rule.id: {"version": rule.version, "does": fingerprint(rule)} for rule in rules()}
    if request.config.getoption("--accept-golden"):
        LOCK.write_text(json.dumps(now, indent=1) + "\n", encoding="utf-8")
    before = json.loads(LOCK.read_text(encoding="utf-8"))
    same_version = [r for r in now if r in before and before[r]["version"] == now[r]["version"]]
    changed = [r for r in same_version if before[r]["does"] != now[r]["does"]]
    assert changed == [], "what these rules do has changed: raise their version, then `make golden`"
    assert all(now[r]["version"] >= before[r]["version"] for r in now if r in before), "versions never go back"
    assert now == before, "new or raised rules: `make golden` locks them"


def test_the_fingerprint_sees_what_matters() -> None:
    rule = rules()[0]
    assert fingerprint(rule) == fingerprint(replace(rule, title_vi="khác", known_gaps_vi="khác"))
    assert fingerprint(rule) != fingerprint(replace(rule, needs=(*rule.needs, "encounter.ma_bn")))
    assert fingerprint(rule) != fingerprint(replace(rule, query=rules()[-1].query))

    def query(limit: int) -> object:
        return lambda tables: (tables, limit)

    one, other = (replace(rule, query=query(n)) for n in (1, 2))  # type: ignore[arg-type]
    assert fingerprint(one) != fingerprint(other), "what a closure holds is part of what it does"
