"""Evaluation gives what theory says of perfect, reversed, constant and random rankings, and says what it left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from models.evaluate import BadTruth, More, evaluate, read_truth
from models.evaluation import baselines
from models.evaluation.measures import GRID, LARGEST, Labelled, auc, gain, measure
from models.evaluation.truth import read_entities

ROWS = 2_000
WRONG = 40


@pytest.fixture(scope="module")
def truth() -> pl.DataFrame:
    """Forty improper claims of 1,000 to 40,000 VND among two thousand, twenty dirty ones, in ten facilities."""
    row = np.arange(ROWS)
    money = np.where(row < WRONG, (row + 1) * 1_000.0, 0.0)
    return pl.DataFrame(
        {
            "ma_cskcb": [f"980{i % 10:02}" for i in row],
            "ma_lk": [str(i) for i in row],
            "improper_amount": money,
            "is_fraud": money > 0,
            "kind": np.where(money > 0, "fraud", np.where(row < 60, "dirty", "normal")),
            "schemes": [["A"] if m > 0 else [] for m in money],
        }
    )


@pytest.fixture(scope="module")
def labelled(truth: pl.DataFrame) -> Labelled:
    return Labelled.of(truth, seed=1)


def scored(truth: pl.DataFrame, scores: np.ndarray) -> pl.DataFrame:
    rng = np.random.default_rng(3)
    return truth.select(
        "ma_cskcb",
        "ma_lk",
        score=pl.Series(scores),
        rule_amount=pl.lit(0.0),
        ma_loai_kcb=pl.lit("01"),
        icd3=pl.lit("J18"),
        t_bhtt=pl.Series(rng.lognormal(12, 1, len(scores))),
        lines=pl.lit(3),
    )


# a perfect ranking, its reverse, and chance


def test_a_perfect_ranking_finds_the_largest_amounts_first(labelled: Labelled) -> None:
    found = measure("perfect", labelled.money, labelled)
    largest = np.sort(labelled.money)[::-1]
    for budget in (0.01, 0.02, 0.05):
        first = round(ROWS * budget)
        assert found.money_found[budget] == pytest.approx(largest[:first].sum() / largest.sum())
        assert found.claims_found[budget] == pytest.approx(min(first / WRONG, 1))
    assert found.average_precision == pytest.approx(1.0)
    assert found.auc == 1.0
    assert found.precision_at == {100: pytest.approx(0.4), 500: pytest.approx(0.08)}
    assert (found.dirty_in_top, found.legitimate_in_top) == (0.0, 0.0)


def test_the_reversed_ranking_finds_nothing_and_has_the_least_average_precision(labelled: Labelled) -> None:
    found = measure("reversed", -labelled.money, labelled)
    assert set(found.money_found.values()) == set(found.claims_found.values()) == {0.0}
    least = np.mean([k / (ROWS - WRONG + k) for k in range(1, WRONG + 1)])  # the k-th improper one stands there
    assert found.average_precision == pytest.approx(least)
    assert found.auc == 0.0
    assert found.precision_at == {100: 0.0, 500: 0.0}


def test_a_random_ranking_finds_its_budget(labelled: Labelled) -> None:
    rng = np.random.default_rng(0)
    many = [measure("random", rng.random(ROWS), labelled) for _ in range(400)]
    for budget in (0.01, 0.02, 0.05):
        claims = [q.claims_found[budget] for q in many]
        straying = np.sqrt(budget * (1 - budget) / WRONG / len(many))  # of a mean of so many binomial shares
        assert np.mean(claims) == pytest.approx(budget, abs=4 * straying)
        amounts = labelled.money[labelled.money > 0]
        straying *= np.sqrt(WRONG * (amounts**2).sum()) / amounts.sum()  # unequal amounts stray more
        assert np.mean([q.money_found[budget] for q in many]) == pytest.approx(budget, abs=4 * straying)
    assert np.mean([q.average_precision for q in many]) == pytest.approx(WRONG / ROWS, rel=0.25)
    assert np.mean([q.auc for q in many]) == pytest.approx(0.5, abs=0.01)


def test_a_constant_score_is_a_random_ranking(truth: pl.DataFrame) -> None:
    many = [measure("constant", np.zeros(ROWS), Labelled.of(truth, seed=seed)) for seed in range(300)]
    assert np.mean([q.claims_found[0.05] for q in many]) == pytest.approx(0.05, abs=0.008)
    assert np.mean([q.money_found[0.05] for q in many]) == pytest.approx(0.05, abs=0.01)
    assert {q.auc for q in many} == {0.5}


def test_ties_favour_no_order_of_the_rows(truth: pl.DataFrame) -> None:
    """Half the scores are equal; improper claims come first or last in the file: the same on average."""
    backwards = truth.reverse()
    scores = np.where(np.arange(ROWS) % 2 == 0, 1.0, 0.0)
    first, last = (
        np.mean([measure("tied", s, Labelled.of(rows, seed=seed)).money_found[0.05] for seed in range(200)])
        for rows, s in ((truth, scores), (backwards, scores[::-1]))
    )
    assert first == pytest.approx(last, abs=0.015)


def test_a_claim_without_a_score_stands_last(labelled: Labelled) -> None:
    scores = np.where(labelled.money > 0, np.nan, 0.5)
    assert measure("nothing known", scores, labelled).money_found[0.05] == 0.0
    assert auc(scores, labelled.money > 0) == 0.0


def test_one_lucky_hit_does_not_carry_what_lies_beyond_the_largest(truth: pl.DataFrame) -> None:
    money = truth["improper_amount"].to_numpy().copy()
    money[0] = 1e9
    rows = truth.with_columns(improper_amount=pl.Series(money))
    found = measure("lucky", (np.arange(ROWS) == 0).astype(float), Labelled.of(rows, seed=1))
    assert found.money_found[0.02] > 0.99
    assert found.beyond_largest < 0.2
    perfect = measure("perfect", money, Labelled.of(rows, seed=1))
    assert perfect.beyond_largest == pytest.approx(1.0)
    assert LARGEST < WRONG


def test_dirty_data_and_legitimate_outliers_in_the_top_are_counted(truth: pl.DataFrame) -> None:
    rows = truth.with_columns(kind=pl.when(pl.col("ma_lk") == "50").then(pl.lit("legit_outlier")).otherwise("kind"))
    known = Labelled.of(rows, seed=1)
    found = measure("dirty first", ((known.kind == "dirty") | (known.kind == "legit_outlier")).astype(float), known)
    assert (found.dirty_in_top, found.legitimate_in_top) == (pytest.approx(0.95), pytest.approx(0.05))


def test_nothing_improper_is_no_figure_and_not_nought(truth: pl.DataFrame) -> None:
    clean = truth.with_columns(improper_amount=pl.lit(0.0))
    figures = measure("any", np.arange(ROWS) * 1.0, Labelled.of(clean, seed=1)).as_json()
    assert figures["money_found_2%"] is None
    assert figures["average_precision"] is None
    assert figures["precision_at_100"] == 0.0


def test_the_gain_curve_is_the_money_found_at_each_budget(labelled: Labelled) -> None:
    scores = np.random.default_rng(5).random(ROWS) + (labelled.money > 0)
    curve = gain(scores, labelled)
    assert np.all(np.diff(curve) >= 0)
    assert curve[-1] == pytest.approx(1.0)
    at = int(np.flatnonzero(np.isclose(GRID, 0.01))[0])
    assert curve[at] == pytest.approx(measure("same", scores, labelled).money_found[0.01])


# the whole


@pytest.fixture
def light(monkeypatch: pytest.MonkeyPatch) -> None:
    """The two detectors of others stand in for themselves: importing them takes seconds."""
    for name, column in (("_isolation", 0), ("_ecod", 1)):
        monkeypatch.setattr(baselines, name, lambda raw, *_, column=column: raw[:, column % raw.shape[1]])


@pytest.mark.usefixtures("light")
def test_an_evaluation_holds_every_ranking_and_marks_none_as_taught(truth: pl.DataFrame) -> None:
    made = evaluate(scored(truth, truth["improper_amount"].to_numpy()), truth, seed=1, resamples=40)
    names = [row["ranking"] for row in made.as_json()["rankings"]]
    assert names == [
        "minhbach",
        "rules alone",
        "rank by cost",
        "rules, then cost",
        "cost z-score in peer group",
        "isolation forest, raw columns",
        "ECOD, raw columns",
        "random",
    ]
    assert {quality.labels for quality in made.rankings} == {None}
    ours = made.rankings[0]
    low, high = ours.intervals["money_found_2%"]
    assert low <= ours.money_found[0.02] <= high
    assert made.over_best["ratio"] > 1
    assert made.over_best["low"] <= made.over_best["ratio"] <= made.over_best["high"]
    said = " ".join(en for _, en in made.notes)
    assert "intensity" in said
    assert "no learner" in said
    assert "entities" in said


@pytest.mark.usefixtures("light")
def test_the_same_evaluation_twice_gives_the_same_figures(truth: pl.DataFrame) -> None:
    claims = scored(truth, np.random.default_rng(2).random(ROWS))
    once = evaluate(claims, truth, seed=4, resamples=20).as_json()
    assert evaluate(claims.sample(fraction=1, shuffle=True, seed=9), truth, seed=4, resamples=20).as_json() == once


@pytest.mark.usefixtures("light")
def test_no_intervals_from_few_facilities(truth: pl.DataFrame) -> None:
    few = truth.with_columns(ma_cskcb=pl.lit("98001"))
    made = evaluate(scored(few, few["improper_amount"].to_numpy()), few, seed=1)
    assert not made.rankings[0].intervals
    assert made.over_best["low"] is None
    assert any("too few facilities" in en for _, en in made.notes)


@pytest.mark.usefixtures("light")
def test_outcomes_that_taught_our_ranking_are_marked(truth: pl.DataFrame) -> None:
    claims = scored(truth, truth["improper_amount"].to_numpy())
    made = evaluate(claims, truth, seed=1, more=More(taught="outcomes"), resamples=0)
    assert made.rankings[0].as_json()["labels"] == "outcomes"


@pytest.mark.usefixtures("light")
def test_a_schemes_column_of_the_run_is_not_taken_for_the_truth(truth: pl.DataFrame) -> None:
    claims = scored(truth, truth["improper_amount"].to_numpy()).with_columns(schemes=pl.lit(["X"]), kind=pl.lit("?"))
    assert evaluate(claims, truth, seed=1, resamples=0).schemes["scheme"].to_list() == ["A"]


def test_truth_of_other_claims_is_refused(truth: pl.DataFrame) -> None:
    claims = truth.select(pl.lit("97001").alias("ma_cskcb"), "ma_lk", score=pl.lit(0.0))
    with pytest.raises(BadTruth, match="other claims"):
        evaluate(claims, truth, seed=1)


# the truth folder


def test_a_folder_without_truth_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(BadTruth, match="minhbach generate"):
        read_truth(tmp_path)


def test_a_truth_without_intensity_or_entities_is_read(truth: pl.DataFrame, tmp_path: Path) -> None:
    truth.drop("schemes").write_parquet(tmp_path / "claims.parquet")
    read = read_truth(tmp_path)
    assert "intensity" not in read.columns
    assert read["schemes"].list.len().sum() == 0
    assert read_entities(tmp_path) is None


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (pl.lit("7").alias("ma_lk"), "more than once"),
        (pl.lit(-1.0).alias("improper_amount"), "improper_amount of 98000:0 is -1.0"),
    ],
)
def test_a_truth_that_cannot_be_is_refused(truth: pl.DataFrame, tmp_path: Path, changed: pl.Expr, said: str) -> None:
    truth.with_columns(changed).write_parquet(tmp_path / "claims.parquet")
    with pytest.raises(BadTruth, match=said):
        read_truth(tmp_path)


def test_a_lacking_column_is_named(truth: pl.DataFrame, tmp_path: Path) -> None:
    truth.drop("kind").write_parquet(tmp_path / "claims.parquet")
    pl.DataFrame({"level": ["doctor"], "id": ["98000:1"]}).write_parquet(tmp_path / "entities.parquet")
    with pytest.raises(BadTruth, match="kind"):
        read_truth(tmp_path)
    with pytest.raises(BadTruth, match="improper_amount, scheme"):
        read_entities(tmp_path)
