"""Evaluation gives what theory says of perfect, reversed and random rankings."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from models.evaluate import BadTruth, by_scheme, evaluate, measure, read_truth

ROWS = 2_000


@pytest.fixture(scope="module")
def truth() -> pl.DataFrame:
    money = np.where(np.arange(ROWS) < 40, np.linspace(1_000, 40_000, ROWS), 0.0)
    return pl.DataFrame(
        {
            "ma_cskcb": "98001",
            "ma_lk": [str(i) for i in range(ROWS)],
            "improper_amount": money,
            "is_fraud": money > 0,
            "kind": np.where(money > 0, "fraud", np.where(np.arange(ROWS) < 60, "dirty", "normal")),
            "schemes": [["A"] if m > 0 else [] for m in money],
        }
    )


def test_a_perfect_ranking_finds_everything(truth: pl.DataFrame) -> None:
    found = measure("perfect", truth["improper_amount"].to_numpy(), truth)
    assert found.money_found[0.02] == pytest.approx(1.0)
    assert found.claims_found[0.01] == pytest.approx(0.5)
    assert found.average_precision == pytest.approx(1.0)
    assert found.precision_at_100 == pytest.approx(0.4)
    assert found.dirty_in_top == 0.0


def test_the_reversed_ranking_finds_nothing(truth: pl.DataFrame) -> None:
    found = measure("reversed", -truth["improper_amount"].to_numpy(), truth)
    assert found.money_found[0.05] == 0.0
    assert found.average_precision < 0.012


def test_a_random_ranking_finds_its_budget(truth: pl.DataFrame) -> None:
    rng = np.random.default_rng(0)
    many = [measure("random", rng.random(ROWS), truth) for _ in range(300)]
    for budget in (0.01, 0.02, 0.05):
        assert np.mean([q.money_found[budget] for q in many]) == pytest.approx(budget, rel=0.25)
    assert np.mean([q.average_precision for q in many]) == pytest.approx(40 / ROWS, rel=0.4)


def test_dirty_data_in_the_top_is_counted(truth: pl.DataFrame) -> None:
    scores = (truth["kind"] == "dirty").cast(pl.Float64).to_numpy()
    assert measure("dirty first", scores, truth).dirty_in_top == 1.0


def test_by_scheme_names_what_is_found_within_the_budget(truth: pl.DataFrame) -> None:
    claims = truth.select("ma_cskcb", "ma_lk", score=pl.col("improper_amount")).with_columns(
        schemes=pl.lit([], dtype=pl.List(pl.String))
    )
    found = by_scheme(claims, truth, budget=0.01).row(0, named=True)
    assert (found["scheme"], found["claims"]) == ("A", 40)
    assert found["claims_found"] == pytest.approx(0.5)
    assert found["money_found"] > 0.5


def test_truth_of_other_claims_is_refused(truth: pl.DataFrame) -> None:
    claims = truth.select(pl.lit("97001").alias("ma_cskcb"), "ma_lk", score=pl.lit(0.0))
    with pytest.raises(BadTruth, match="other claims"):
        evaluate(claims, truth, seed=1)


def test_a_folder_without_truth_says_what_to_give(tmp_path: object) -> None:
    with pytest.raises(BadTruth, match="minhbach generate"):
        read_truth(tmp_path)  # type: ignore[arg-type]
