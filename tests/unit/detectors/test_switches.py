"""Off, shadow and snooze: what a rule says is not said, kept back, or said, and the counts stay true."""

from __future__ import annotations

from datetime import date, datetime

import polars as pl
import pytest

from detectors.base import rules
from detectors.examples import exam, tables_of, visit
from detectors.rulebook import run_rules
from detectors.switches import Snooze, Switch, Switches

RULE = "EXAM-01"


def hits() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "source": ["EXAM-01@1", "EXAM-01@1", "EXAM-01@1", "BED-01@1"],
            "ma_cskcb": ["97001", "98001", "98001", "97001"],
            "ma_lk": ["A", "B", "C", "A"],
            "province": ["97", "98", None, "97"],
            "patient_id": ["p1", "p2", "p3", "p1"],
            "doctor": ["d1", "d2", None, "d1"],
            "ngay_ra": [datetime(2026, 3, day) for day in (1, 5, 9, 1)],
        }
    )


@pytest.mark.parametrize(
    ("switches", "kept_back"),
    [
        (Switches(), [False, False, False, False]),
        (Switches((Switch(rule=RULE, state="shadow"),)), [True, True, True, False]),
        (Switches((Switch(rule=RULE, state="shadow", province="97"),)), [True, False, False, False]),
        (
            Switches((Switch(rule=RULE, state="shadow"), Switch(rule=RULE, state="on", province="97"))),
            [False, True, True, False],
        ),
        (
            Switches(snoozes=(Snooze(rule=RULE, level="facility", entity="98001", until=date(2026, 3, 5)),)),
            [False, True, False, False],
        ),
        (
            Switches(snoozes=(Snooze(rule=RULE, level="doctor", entity="97001:d1", until=date(2026, 3, 5)),)),
            [True, False, False, False],
        ),
        (
            Switches(snoozes=(Snooze(rule="BED-01", level="claim", entity="97001:A", until=date(2026, 2, 28)),)),
            [False, False, False, False],
        ),
    ],
)
def test_what_is_kept_back(switches: Switches, kept_back: list[bool]) -> None:
    assert switches.kept_back(hits()).to_list() == kept_back
    assert Switches.from_json(switches.as_json()) == switches


def test_off_in_a_province_is_as_if_not_in_force_there() -> None:
    (rule,) = [each for each in rules() if each.id == RULE]
    tables = tables_of((visit(), exam(), exam(ma_khoa="K20")))
    province = tables.encounter.collect()["province"][0]
    for where, hit in (({}, 1), ({RULE: {province or "01"}}, 0), ({RULE: {"no such"}}, 1), ({"BED-01": {"01"}}, 1)):
        (run,) = run_rules(tables, [rule], off=where).runs
        assert (run.hit, run.clear, run.not_evaluable) == (hit, 1 - hit, 0) if province else True


def test_the_province_wins_over_the_country() -> None:
    switches = Switches((Switch(rule=RULE, state="off"), Switch(rule=RULE, state="on", province="97")))
    assert switches.off(["97", "98"]) == {RULE: frozenset({"98"})}
    assert switches.state(RULE, "97") == "on"
    assert switches.state("BED-01", "97") == "on"
