"""Every rule of the list is built or accounted for, line by line."""

from __future__ import annotations

import re
from pathlib import Path

from data.schema import reference
from detectors.base import rules

PAGE = Path(__file__).parents[3] / "docs" / "rules-not-built.md"
AT_LEAST = 200
STRICTNESS = ("info", "warn", "deny")  # a rule may be milder than listed, never stricter


def test_every_listed_rule_is_built_or_has_a_reason() -> None:
    listed = {row["rule"]: row for row in reference("rule_ids")}
    built = {rule.id: rule for rule in rules()}
    told = re.findall(
        r"^\| ([A-Z0-9_-]+) \| [^|]+ \| [^|]+ \| ([^|]+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE
    )
    reasons = {rule: why for rule, why in told if rule in listed}
    own = set(built) - set(listed)
    assert own <= set(re.findall(r"^\| ([A-Z0-9-]+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert set(reasons) == set(listed) - set(built)
    assert all(len(why) > 20 for why in reasons.values())
    assert len(built) >= AT_LEAST
    for rule in (rule for rule in built.values() if rule.id in listed):
        assert rule.scheme == listed[rule.id]["scheme"], rule.id
        assert STRICTNESS.index(rule.severity) <= STRICTNESS.index(listed[rule.id]["severity"]), rule.id
