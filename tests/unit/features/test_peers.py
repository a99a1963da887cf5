"""Peer groups fall back to wider ones, stay silent when small, never divide by zero, and survive a round trip."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from features.matrix import text_columns
from features.names import UNITS, name_of
from features.peers import ALL, LADDERS, NORMAL_MAD, PeerTable, from_scale, label, to_scale

LADDER = (("ma_loai_kcb", "icd3"), ("ma_loai_kcb",), ())


def matrix(*rows: tuple[str | None, str | None, float | None]) -> pl.DataFrame:
    """Encounters of a type of care, a diagnosis and a bill; ten nights each."""
    return pl.DataFrame(
        {
            "ma_loai_kcb": [r[0] for r in rows],
            "icd3": [r[1] for r in rows],
            "bill_total": [r[2] for r in rows],
            "exams": [1.0] * len(rows),
        },
        schema={"ma_loai_kcb": pl.String(), "icd3": pl.String(), "bill_total": pl.Float64(), "exams": pl.Float64()},
    )


CLAIMS = matrix(
    *[("01", "J02", 100_000.0 + 1_000 * i) for i in range(11)],
    *[("01", "I10", 900_000.0)] * 3,
    *[("03", None, 5_000_000.0)] * 6,
    ("09", "Z00", None),
)


@pytest.fixture(name="table")
def fitted() -> PeerTable:
    return PeerTable.fit(CLAIMS, LADDER, ["bill_total", "exams"], min_size=5)


def test_the_narrowest_large_enough_group_answers(table: PeerTable) -> None:
    asked = matrix(("01", "J02", 1.0), ("01", "I10", 1.0), ("01", "X99", 1.0), ("03", None, 1.0), ("77", "J02", 1.0))
    found = table.lookup(asked)
    assert found.get_column("peer_group").to_list() == [
        "ma_loai_kcb=01|icd3=J02",
        "ma_loai_kcb=01",  # three hypertensive patients are too few
        "ma_loai_kcb=01",
        "ma_loai_kcb=03|icd3=",  # unknown is a value of its own
        ALL,
    ]
    assert found.get_column("peer_n").to_list() == [11, 14, 14, 6, 21]


def test_money_is_compared_on_the_log_scale_with_median_and_mad(table: PeerTable) -> None:
    row = table.lookup(matrix(("01", "J02", 1.0))).row(0, named=True)
    logs = np.log1p(np.arange(100_000.0, 110_001.0, 1_000.0))
    assert row["bill_total__centre"] == pytest.approx(np.median(logs))
    assert row["bill_total__p90"] == pytest.approx(np.quantile(logs, 0.9))
    assert row["bill_total__p99"] == pytest.approx(np.quantile(logs, 0.99))
    mad = NORMAL_MAD * np.median(np.abs(logs - np.median(logs)))
    assert row["bill_total__spread"] == pytest.approx(max(mad, UNITS["vnd"].floor))


def test_a_wide_group_keeps_its_own_spread() -> None:
    wide = matrix(*[("01", "J02", 1_000.0 * 2**i) for i in range(9)])
    row = PeerTable.fit(wide, LADDER, ["bill_total"], min_size=5).lookup(wide).row(0, named=True)
    logs = np.log1p(1_000.0 * 2.0 ** np.arange(9))
    tail = (np.quantile(logs, 0.9) - np.median(logs)) / 1.2816
    assert row["bill_total__spread"] == pytest.approx(max(NORMAL_MAD * np.median(np.abs(logs - logs[4])), tail))


def test_constant_values_do_not_divide_by_zero(table: PeerTable) -> None:
    spreads = table.lookup(CLAIMS).get_column("exams__spread")
    assert spreads.min() == UNITS[name_of("exams").unit].floor > 0


def test_too_few_known_values_say_nothing() -> None:
    sparse = matrix(*[("01", "J02", None)] * 10, *[("01", "J02", 1.0)] * 4)
    row = PeerTable.fit(sparse, LADDER, ["bill_total", "exams"], min_size=5).lookup(sparse).row(0, named=True)
    assert (row["peer_n"], row["bill_total__centre"], row["exams__centre"]) == (14, None, 1.0)


def test_an_empty_matrix_gives_a_table_that_says_nothing() -> None:
    row = PeerTable.fit(matrix(), LADDER, ["bill_total"]).lookup(CLAIMS).row(0, named=True)
    assert (row["peer_group"], row["peer_n"], row["bill_total__spread"]) == (ALL, 0, None)


def test_an_answer_depends_on_its_own_row_only(table: PeerTable) -> None:
    together = table.lookup(CLAIMS)
    alone = pl.concat([table.lookup(CLAIMS[i]) for i in range(CLAIMS.height)])
    assert_frame_equal(together, alone, check_exact=True)
    assert_frame_equal(table.lookup(CLAIMS.reverse()).reverse(), together, check_exact=True)


def test_order_of_training_rows_means_nothing(table: PeerTable) -> None:
    again = PeerTable.fit(
        CLAIMS.sample(fraction=1.0, shuffle=True, seed=3), LADDER, ["bill_total", "exams"], min_size=5
    )
    assert_frame_equal(again.groups, table.groups, check_exact=True)


def test_state_survives_json_and_arrays(table: PeerTable) -> None:
    meta, arrays = table.state()
    assert all(a.dtype.kind in "fi" for a in arrays.values())
    back = PeerTable.from_state(json.loads(json.dumps(meta)), arrays)
    assert (back.ladder, back.measures, back.min_size) == (table.ladder, table.measures, table.min_size)
    assert_frame_equal(back.lookup(CLAIMS), table.lookup(CLAIMS), check_exact=True)


def test_a_ladder_must_end_with_everything() -> None:
    with pytest.raises(ValueError, match="every row must find a group"):
        PeerTable.fit(CLAIMS, (("ma_loai_kcb",),), ["exams"])


def test_scales_are_each_others_opposite() -> None:
    amounts = pl.DataFrame({"bill_total": [0.0, 999.0, 1e9], "exams": [0.0, 1.0, 7.0]})
    there = amounts.select(to_scale(c, pl.col(c)).alias(c) for c in amounts.columns)
    back = there.select(from_scale(c, pl.col(c)).alias(c) for c in amounts.columns)
    assert_frame_equal(back, amounts)
    assert there.get_column("exams").to_list() == [0.0, 1.0, 7.0]


def test_labels_are_words_in_both_languages() -> None:
    group = "ma_loai_kcb=01|facility_rank=2|icd3=J02|age_band=30-44"
    assert label(group) == "Khám bệnh, cơ sở hạng 2, bệnh chính J02, tuổi 30-44"
    assert label(group, "en") == "Consultation only, facility rank 2, main diagnosis J02, age 30-44"
    assert label("ma_loai_kcb=|facility_rank=") == "MA_LOAI_KCB không rõ, cơ sở hạng không rõ"
    assert (label(ALL), label(ALL, "en")) == ("toàn bộ", "all")


def test_ladders_stand_on_text_columns_of_their_level() -> None:
    for level, ladder in LADDERS.items():
        assert ladder[-1] == ()
        assert {c for rung in ladder for c in rung} <= set(text_columns(level))
