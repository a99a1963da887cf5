"""Features agree with their slow twins, do not know the future, and do not depend on the order of rows."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from features.base import KEYS, Level
from features.matrix import build_matrix
from tests.lib import twins
from tests.lib.claims import Claims, claims, draw

TWINS: Mapping[Level, Callable[[Claims], dict[tuple[Any, ...], dict[str, Any]]]] = {
    "encounter": twins.encounter_features,
    "doctor_month": twins.doctor_month_features,
    "facility_month": twins.facility_month_features,
}
LEVELS = tuple(TWINS)
QUICK = (Phase.explicit, Phase.generate)  # every try plans some thirty queries: shrinking one failure takes minutes


def differences(level: Level, matrix: pl.DataFrame, twin: dict[tuple[Any, ...], dict[str, Any]]) -> list[str]:
    """Cells where the matrix and the twin disagree, missing rows and columns included."""
    keys = KEYS[level]
    rows = {tuple(row[k] for k in keys): row for row in matrix.to_dicts()}
    found = [f"entities {sorted(set(rows) ^ set(twin))}"] if set(rows) != set(twin) else []
    for key in set(rows) & set(twin):
        columns = set(rows[key]) - set(keys)
        found += [f"columns {sorted(columns ^ set(twin[key]))}"] if columns != set(twin[key]) else []
        for column in sorted(columns & set(twin[key])):
            fast, slow = rows[key][column], twin[key][column]
            same = (
                fast == slow
                if isinstance(slow, str) or slow is None
                else fast == pytest.approx(slow, rel=1e-9, abs=1e-9)
            )
            if not same:
                found.append(f"{key} {column}: {fast} by the feature, {slow} by hand")
    return found


@pytest.mark.parametrize("level", LEVELS)
# describing and planning the queries costs far more than their rows: few examples, each with many encounters
@settings(max_examples=12, derandomize=True, deadline=None, phases=QUICK)
@given(drawn=claims(most_encounters=15))
def test_features_agree_with_counting_by_hand(level: Level, drawn: Claims) -> None:
    assert differences(level, build_matrix(drawn.tables(), level), TWINS[level](drawn)) == []


@settings(max_examples=2, derandomize=True, deadline=None, phases=QUICK)
@given(drawn=claims(most_encounters=15))
def test_duckdb_agrees_with_counting_by_hand(drawn: Claims) -> None:
    assert differences("encounter", build_matrix(drawn.tables("duckdb"), "encounter"), TWINS["encounter"](drawn)) == []


@settings(max_examples=6, derandomize=True, deadline=None, phases=QUICK)
@given(drawn=claims(most_encounters=12), other=claims(most_encounters=3), shuffle=st.integers(0, 1_000))
def test_the_future_and_other_patients_do_not_move_an_encounter(drawn: Claims, other: Claims, shuffle: int) -> None:
    known = [e for e in drawn.encounter if e["ngay_vao"]]
    if not known:
        return
    subject = random.Random(shuffle).choice(known)
    patient, arrival = subject["patient_id"], subject["ngay_vao"]

    def belongs_to_past(encounter: dict[str, Any]) -> bool:
        mine = patient is not None and encounter["patient_id"] == patient
        return mine and encounter["ngay_vao"] is not None and encounter["ngay_vao"] < arrival

    past = [twins.key_of(e) for e in drawn.encounter if belongs_to_past(e)]
    alone = drawn.only(*past, twins.key_of(subject))
    # another month of strangers, and of the same patient from the arrival on
    strangers = draw(
        encounter=[e | {"ma_lk": f"F{e['ma_lk']}", "patient_id": "stranger"} for e in other.encounter]
        + [e | {"ma_lk": f"G{e['ma_lk']}", "patient_id": patient, "ngay_vao": arrival} for e in other.encounter],
        drug_line=[x | {"ma_lk": f"{p}{x['ma_lk']}"} for x in other.drug_line for p in "FG"],
        service_line=[x | {"ma_lk": f"{p}{x['ma_lk']}"} for x in other.service_line for p in "FG"],
    )
    key = dict(zip(("ma_cskcb", "ma_lk"), twins.key_of(subject), strict=True))
    before = build_matrix(alone.tables(), "encounter").filter(**key)
    after = build_matrix(drawn.joined(strangers).tables(), "encounter").filter(**key)
    assert_frame_equal(before, after, check_exact=True)


@pytest.mark.parametrize("level", LEVELS)
@settings(max_examples=3, derandomize=True, deadline=None, phases=QUICK)
@given(drawn=claims(), shuffle=st.integers(0, 1_000))
def test_order_of_rows_means_nothing(level: Level, drawn: Claims, shuffle: int) -> None:
    def shuffled(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return random.Random(shuffle).sample(rows, len(rows))

    mixed = Claims(*(shuffled(r) for r in (drawn.encounter, drawn.drug_line, drawn.service_line, drawn.lab_result)))
    assert_frame_equal(build_matrix(drawn.tables(), level), build_matrix(mixed.tables(), level), check_exact=True)
