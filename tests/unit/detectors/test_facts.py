"""Facts of rules: read from TOML, dated, with a source."""

from __future__ import annotations

from datetime import date, datetime

import narwhals as nw
import polars as pl
import pytest

from detectors import facts as module
from detectors.base import rules
from detectors.facts import Fact, Period, facts, rules_with_facts


def test_every_fact_belongs_to_a_rule_and_has_a_source() -> None:
    ids = {rule.id for rule in rules()}
    assert set(rules_with_facts()) <= ids
    for rule in rules_with_facts():
        for fact in facts(rule).values():
            assert all(period.source for period in fact.periods), (rule, fact.name)


def test_a_dated_fact_is_that_of_the_day() -> None:
    dated = Fact(
        "limit", "", (Period(65, None, date(2025, 6, 30), "a", False), Period(45, date(2025, 7, 1), None, "b", False))
    )
    days = [datetime(2025, 6, 30, 23, 59), datetime(2025, 7, 1), None]
    frame = nw.from_native(pl.DataFrame({"at": days}).lazy())
    assert frame.select(dated.at(nw.col("at")).alias("limit")).collect()["limit"].to_list() == [65.0, 45.0, None]
    assert dated.value == 45


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"value": 1}, "'source' is missing"),
        ({"value": 1, "source": "x", "vale": 2}, "unknown key 'vale'"),
        ([{"value": 1, "source": "x"}, {"value": 2, "source": "x"}], "order of valid_from"),
    ],
)
def test_a_faulty_fact_is_refused_by_name(told: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        module._fact("x.toml: R-1.limit", "limit", told)


def test_a_missing_fact_is_named() -> None:
    with pytest.raises(AttributeError, match="NO-RULE has no fact 'limit'"):
        _ = facts("NO-RULE").limit
