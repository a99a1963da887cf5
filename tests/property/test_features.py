"""Features agree with their slow twins, do not know the future, and do not depend on the order of rows."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from features.base import KEYS, Level
from features.matrix import build_matrix, numeric_columns, text_columns
from tests.lib import twins
from tests.lib.claims import Claims, claims, draw
from tests.lib.level_twins import TWINS

LEVELS = tuple(TWINS)
OTHERS_BEFORE = frozenset(
    f"line_{value}_over_{place}_median" for value in ("price", "quantity") for place in ("rank", "facility")
)
"""Columns that look at other patients' past; tests/unit/features/test_line_price.py keeps them from the future."""
QUICK = (Phase.explicit, Phase.generate)  # every try plans some thirty queries: shrinking one failure takes minutes

VISIT_DURING_A_STAY = draw(
    encounter="""
        ma_lk | patient_id | ngay_vao         | ngay_ra          | ma_loai_kcb | ma_benh_chinh | t_bhtt | t_tongchi_bh
        S     | an         | 2025-03-01 08:00 | 2025-03-20 10:00 | 01          | I10           | 90000  | 100000
        V     | an         | 2025-03-10 08:00 | 2025-03-10 10:00 | 01          | I10           | 90000  | 100000
    """,
    drug_line="""
        ma_lk | ma_thuoc | ma_nhom | so_luong | lieu_dung    | doctor | ngay_yl          | thanh_tien_bh
        S     | 40.48    | 4       | 30       | 1 * 1 * 30   | BS1    | 2025-03-02 08:00 | 1000
        S     | 40.48    | 4       | 60       | 1 * 1 * 60   | BS1    | 2025-03-12 08:00 | 1000
        V     | 40.48    | 4       | 30       | 1 * 1 * 30   | BS1    | 2025-03-10 08:10 | 1000
    """,
    service_line="""
        ma_lk | ma_dich_vu   | ma_nhom | so_luong | doctor | ngay_yl          | thanh_tien_bh
        S     | 23.0075.1494 | 1       | 1        | BS1    | 2025-03-12 08:00 | 21800
        V     | 23.0075.1494 | 1       | 1        | BS1    | 2025-03-10 08:10 | 21800
    """,
)


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


@pytest.mark.parametrize("level", ["line", "encounter", "patient"])
@settings(max_examples=2, derandomize=True, deadline=None, phases=QUICK)
@given(drawn=claims(most_encounters=15))
def test_duckdb_agrees_with_counting_by_hand(level: Level, drawn: Claims) -> None:
    assert differences(level, build_matrix(drawn.tables("duckdb"), level), TWINS[level](drawn)) == []


def with_another_end(drawn: Claims, patient: str | None, arrival: datetime) -> Claims:
    """`drawn` in which the patient's earlier encounters still open at `arrival` end in another way.

    Later, dearer, with another diagnosis; nothing is as it was of what they ordered from the arrival on.
    """

    def ended(e: dict[str, Any]) -> dict[str, Any]:
        later = e["ngay_ra"] and e["ngay_ra"] + timedelta(days=3)
        stated = {"t_bhtt": Decimal(777), "t_tongchi_bh": Decimal(999), "t_tongchi_bv": Decimal(999)}
        return e | stated | {"ngay_ra": later, "ma_benh_chinh": "Z99", "ma_benh_kt": None}

    still_open = {
        twins.key_of(e)
        for e in drawn.encounter
        if patient is not None and e["patient_id"] == patient and e["ngay_vao"] and e["ngay_vao"] < arrival
        if e["ngay_ra"] is None or e["ngay_ra"] > arrival
    }

    def ordered(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        after = {"ngay_yl": arrival + timedelta(hours=1), "so_luong": Decimal(500), "doctor": "BS9"}
        return [
            line | after
            if twins.key_of(line) in still_open and (line["ngay_yl"] is None or line["ngay_yl"] >= arrival)
            else line
            for line in lines
        ]

    encounters = [ended(e) if twins.key_of(e) in still_open else e for e in drawn.encounter]
    return Claims(encounters, ordered(drawn.drug_line), ordered(drawn.service_line), drawn.lab_result)


@pytest.mark.parametrize("level", ["line", "encounter", "patient"])
@settings(max_examples=10, derandomize=True, deadline=None, phases=QUICK)
@given(drawn=claims(most_encounters=12), other=claims(most_encounters=3), shuffle=st.integers(0, 1_000))
@example(drawn=VISIT_DURING_A_STAY, other=draw(), shuffle=0)  # 0 chooses the visit
def test_the_future_and_other_patients_do_not_move_an_encounter(
    level: Level, drawn: Claims, other: Claims, shuffle: int
) -> None:
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
    columns = [c for c in (*numeric_columns(level), *text_columns(level)) if c not in OTHERS_BEFORE]
    before = build_matrix(alone.tables(), level, columns=columns).filter(**key)
    future = with_another_end(drawn, patient, arrival).joined(strangers)
    after = build_matrix(future.tables(), level, columns=columns).filter(**key)
    assert_frame_equal(before, after, check_exact=True)


@pytest.mark.parametrize("level", LEVELS)
@settings(max_examples=3, derandomize=True, deadline=None, phases=QUICK)
@given(drawn=claims(), shuffle=st.integers(0, 1_000))
def test_order_of_rows_means_nothing(level: Level, drawn: Claims, shuffle: int) -> None:
    def shuffled(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return random.Random(shuffle).sample(rows, len(rows))

    mixed = Claims(*(shuffled(r) for r in (drawn.encounter, drawn.drug_line, drawn.service_line, drawn.lab_result)))
    assert_frame_equal(build_matrix(drawn.tables(), level), build_matrix(mixed.tables(), level), check_exact=True)
