"""Which schemes rules decide, and that the rest say why."""

from __future__ import annotations

from data.schema import reference
from data.schemes import decided_by

KINDS = {"RULE", "PEER", "EXPCOST", "COOC", "TS", "GRAPH", "TEXTSIM", "OUTLIER"}


def test_rules_come_first_where_the_table_says_so() -> None:
    by = decided_by()
    assert by["DUP_LINE"] == "rules"
    assert by["GHOST_BED"] == "rules_first"
    assert by["OVER_TEST"] == "statistics"


def test_what_no_rule_can_tell_says_why() -> None:
    by = decided_by()
    for row in reference("schemes"):
        assert set(row["detectors"].split(";")) <= KINDS
        if row["beyond_rules"]:
            assert row["detectors"].startswith("RULE"), "statistics tell it anyway"
            assert by[row["scheme"]] == "statistics"
