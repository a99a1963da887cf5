"""Schemes, entities, calibration, ceilings and the picture of an evaluation, against what is known of made-up cases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from models.evaluation import calibration
from models.evaluation.entities import bands_of, levels, of_level
from models.evaluation.learned import ceilings
from models.evaluation.measures import Labelled
from models.evaluation.picture import BadPicture, draw
from models.evaluation.schemes import UNNAMED, by_scheme
from models.evaluation.tracking import metrics_of

# schemes


@pytest.fixture
def truth() -> pl.DataFrame:
    """A hundred claims; the first seven carry something."""
    schemes = [["A"], ["A"], ["A", "B"], ["B"], [], ["C"], ["D", "D"]]
    money = [4.0, 3.0, 2.0, 1.0, 5.0, 0.0, 6.0]
    steps = ["blatant", "subtle", "clear", "clear", None, "subtle", "subtle"]
    rest = 100 - len(schemes)
    return pl.DataFrame(
        {
            "ma_cskcb": "98001",
            "ma_lk": [f"{i:03}" for i in range(100)],
            "improper_amount": [*money, *[0.0] * rest],
            "is_fraud": [*[True] * 7, *[False] * rest],
            "kind": "normal",
            "schemes": [*schemes, *[[]] * rest],
            "intensity": [*steps, *[None] * rest],
        },
        schema_overrides={"schemes": pl.List(pl.String)},
    )


def test_what_is_missed_stands_in_the_table_and_a_claim_of_two_schemes_under_both(truth: pl.DataFrame) -> None:
    scores = np.zeros(100)
    scores[[0, 2]] = [2.0, 1.0]  # two claims are read
    found = {row["scheme"]: row for row in by_scheme(truth, scores, Labelled.of(truth, seed=1)).to_dicts()}
    assert found["A"] | {} == {
        "scheme": "A", "claims": 3, "no_amount": 0, "improper_amount": 9.0, "found": 2, "found_amount": 6.0,
        "claims_found": 0.6667, "money_found": 0.6667, "missed": False,
    }  # fmt: skip
    assert (found["B"]["found"], found["B"]["money_found"]) == (1, 0.6667)
    assert found["D"]["missed"]
    assert found["D"]["claims"] == 1  # named twice on one claim
    assert found[UNNAMED]["improper_amount"] == 5.0
    assert (found["C"]["claims"], found["C"]["no_amount"], found["C"]["missed"]) == (0, 1, False)


def test_intensities_stand_in_their_order_and_add_up_to_the_scheme(truth: pl.DataFrame) -> None:
    scores, known = np.arange(100)[::-1] * 1.0, Labelled.of(truth, seed=1)
    rows = by_scheme(truth, scores, known, intensity=True)
    assert rows.filter(pl.col("scheme") == "A")["intensity"].to_list() == ["subtle", "clear", "blatant"]
    summed = rows.group_by("scheme").agg(pl.col("claims", "found", "improper_amount").sum()).sort("scheme")
    whole = by_scheme(truth, scores, known).select(summed.columns).sort("scheme")
    assert summed.equals(whole)


# entities


def entities(rows: int, rng: np.random.Generator) -> pl.DataFrame:
    """Improper with a chance that depends on the band of size alone: inside a band size knows nothing."""
    paid = rng.lognormal(15, 1.5, rows)
    wrong = rng.random(rows) < 0.05 + 0.15 * bands_of(paid)
    return pl.DataFrame(
        {
            "entity_id": [str(i) for i in range(rows)],
            "ours": rng.random(rows),
            "paid": paid,
            "claims": rng.integers(1, 50, rows),
            "improper": np.where(wrong, rng.lognormal(10, 0.1, rows), 0.0),
        }
    )


def ranking(level: dict[str, Any], name: str) -> dict[str, Any]:
    return next(row for row in level["rankings"] if row["ranking"] == name)


def test_size_passes_for_skill_until_like_is_held_against_like() -> None:
    money = ranking(of_level("doctor", entities(6_000, np.random.default_rng(1)), seed=1), "money")
    assert money["auc"] > 0.7
    assert money["auc_within_bands"] == pytest.approx(0.5, abs=0.025)
    assert money["money_in_top_10%"] > 0.15
    assert money["money_in_top_10%_within_bands"] == pytest.approx(0.1, abs=0.03)


def test_a_perfect_order_of_entities_is_perfect_raw_and_within_bands() -> None:
    rows = entities(600, np.random.default_rng(2)).with_columns(ours=pl.col("improper"))
    ours = ranking(of_level("doctor", rows, seed=1), "minhbach")
    assert {ours[f] for f in ("auc", "average_precision", "auc_within_bands", "average_precision_within_bands")} == {
        1.0
    }


def test_a_random_order_of_entities_is_a_coin() -> None:
    chance = ranking(of_level("doctor", entities(1_000, np.random.default_rng(3)), seed=1), "random")
    assert chance["auc"] == pytest.approx(0.5, abs=0.02)
    assert chance["auc_within_bands"] == pytest.approx(0.5, abs=0.02)
    assert chance["money_in_top_10%"] == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize(("count", "bands"), [(3, 1), (4, 2), (12, 3), (49, 3), (50, 5), (500, 5)])
def test_bands_are_of_like_size_and_as_many_as_the_entities_bear(count: int, bands: int) -> None:
    paid = np.random.default_rng(count).random(count)
    band = bands_of(paid)
    assert set(band) == set(range(bands))
    assert np.ptp(np.bincount(band)) <= 1
    assert all(paid[band == b].max() <= paid[band == b + 1].min() for b in range(bands - 1))


def test_doctors_take_their_money_from_the_evaluated_claims_that_name_them() -> None:
    claims = pl.DataFrame(
        {
            "ma_cskcb": ["1", "1", "1", "1"],
            "ma_lk": ["a", "b", "c", "d"],
            "doctor": ["x", "y", "x", "y"],
            "patient_id": ["p", "p", "q", None],
            "paid": [10.0, 20.0, 30.0, 40.0],
            "schemes": [["A"], ["B"], [], []],
            "improper_amount": [5.0, 6.0, 0.0, 0.0],
        }
    )
    also = pl.DataFrame({"ma_cskcb": ["1"], "ma_lk": ["b"], "doctor": ["z"]})
    acts = pl.concat([claims.select(also.columns), also])
    named = pl.DataFrame(
        {
            "level": ["doctor", "doctor", "doctor"],
            "id": ["1:z", "1:x", "1:y"],
            "scheme": ["B", "A", "A"],  # y never did A on an evaluated claim
            "improper_amount": [4.0, 50.0, 9.0],
        }
    )
    ranked = pl.DataFrame({"level": ["doctor", "doctor"], "entity_id": ["1:x", "1:y"], "ours": [2, 1]})
    found = {level["level"]: level for level in levels(claims, ranked, acts, named, seed=1)}
    assert (found["doctor"]["entities"], found["doctor"]["improper"], found["doctor"]["unranked"]) == (3, 2, 1)
    assert ranking(found["doctor"], "minhbach")["auc"] == 0.5  # x above y, z below: one pair of two is right
    assert (found["patient"]["entities"], found["patient"]["improper"]) == (2, 1)
    assert found["facility"]["entities"] == 1
    assert ranking(found["facility"], "money")["auc"] is None  # nobody to compare it with


def test_without_entities_in_the_truth_doctors_stand_aside() -> None:
    claims = pl.DataFrame(
        {
            "ma_cskcb": ["1"],
            "ma_lk": ["a"],
            "doctor": ["x"],
            "patient_id": ["p"],
            "paid": [1.0],
            "improper_amount": [1.0],
        }
    )
    ranked = pl.DataFrame(schema={"level": pl.String, "entity_id": pl.String, "ours": pl.Int64})
    assert [level["level"] for level in levels(claims, ranked, None, None, seed=1)] == ["facility", "patient"]


# calibration


def test_a_probability_is_found_calibrated_and_a_place_is_not() -> None:
    rng = np.random.default_rng(1)
    score = rng.beta(0.5, 8, 20_000)
    honest = calibration.of_score(score, rng.random(20_000) < score, seed=1)
    assert honest["calibrated"] is True
    place = calibration.of_score(score, rng.random(20_000) < score / 3, seed=1)
    assert place["calibrated"] is False
    assert place["expected_calibration_error"] == pytest.approx(float(score.mean()) * 2 / 3, rel=0.05)
    assert sum(row["claims"] for row in place["by_tenth"]) == sum(row["claims"] for row in place["by_decile"]) == 20_000
    assert {row["claims"] for row in place["by_decile"]} == {2_000}


def test_amounts_are_held_against_the_truth_on_flagged_improper_claims_and_in_sum() -> None:
    at_risk = np.array([10.0, 40.0, 5.0, 30.0, 0.0])
    money = np.array([10.0, 10.0, 0.0, 20.0, 60.0])
    flagged = np.array([True, True, True, False, False])
    found = calibration.of_amount(at_risk, at_risk / 2, money, flagged)
    assert (found["flagged"], found["flagged_improper"]) == (3, 2)
    assert found["ratio_of_sums"] == 2.5
    assert found["median_absolute_error_vnd"] == 15.0
    assert found["within_factor_2"] == 0.5
    assert found["ratio_of_sums_all_flagged"] == 2.75
    assert found["ratio_of_sums_all_claims"] == 0.85
    assert found["expected_recoverable_ratio_all_claims"] == 0.425


def test_amounts_of_nothing_flagged_are_no_figures() -> None:
    found = calibration.of_amount(np.ones(3), np.ones(3), np.ones(3), np.zeros(3, dtype=bool))
    assert (found["flagged_improper"], found["ratio_of_sums"], found["within_factor_2"]) == (0, None, None)


# ceilings


def lessons(rows: int, rng: np.random.Generator) -> pl.DataFrame:
    """Claims whose impropriety shows in one feature, and in a text one; paid all alike."""
    wrong = rng.random(rows) < 0.1
    return pl.DataFrame(
        {
            "ma_cskcb": rng.integers(0, 12, rows).astype(str),
            "improper_amount": wrong * 100.0,
            "signal": np.where(rng.random(rows) < 0.9, wrong, rng.random(rows)),
            "word": np.where(wrong, "odd", rng.choice(["plain", "usual"], rows)),
            "t_bhtt": 1_000.0,
        }
    )


def test_labels_come_from_earlier_claims_and_more_of_them_teach_more() -> None:
    rng = np.random.default_rng(1)
    rows, earlier = lessons(1_500, rng), lessons(2_500, rng)
    split, made = ceilings(rows, earlier, ["signal", "word"], seed=1)
    assert split == "time"
    few, every = made
    assert (few.labels, few.claims, len(few.scores)) == ("2 %", 50, 5)
    assert (every.labels, every.claims, every.improper) == ("all", 2_500, [int((earlier["improper_amount"] > 0).sum())])
    wrong = (rows["improper_amount"] > 0).to_numpy()
    assert every.scores[0][wrong].mean() > 10 * every.scores[0][~wrong].mean()
    again = ceilings(rows, earlier, ["signal", "word"], seed=1)[1]
    assert all(np.array_equal(a, b) for a, b in zip(few.scores, again[0].scores, strict=True))


def test_without_earlier_claims_a_facility_is_judged_by_others_only() -> None:
    """One facility's claims are all improper and nothing but its number tells: others cannot know it."""
    rng = np.random.default_rng(2)
    rows = lessons(1_200, rng).with_columns(
        improper_amount=pl.when(pl.col("ma_cskcb") == "3").then(100.0).otherwise(0.0),
        signal=pl.col("ma_cskcb").cast(pl.Float64),
        word=pl.lit("plain"),
    )
    split, made = ceilings(rows, None, ["signal", "word"], seed=1)
    assert split == "facilities"
    own = rows["ma_cskcb"].to_numpy() == "3"
    taught = made[1].scores[0]
    assert taught[own].max() < 500.0  # half of what is paid: nowhere near sure


def test_nothing_to_tell_apart_teaches_nothing() -> None:
    rows = lessons(600, np.random.default_rng(3)).with_columns(improper_amount=pl.lit(0.0))
    assert ceilings(rows, None, ["signal"], seed=1) == (None, [])
    assert ceilings(rows.with_columns(ma_cskcb=pl.lit("1")), None, ["signal"], seed=1) == (None, [])


def test_a_feature_that_no_labelled_claim_has_teaches_nothing_and_breaks_nothing() -> None:
    rng = np.random.default_rng(5)
    rows, earlier = lessons(600, rng), lessons(600, rng)
    earlier = earlier.with_columns(empty=pl.lit(None, dtype=pl.Float64))
    with_empty = ceilings(rows.with_columns(empty=pl.lit(1.0)), earlier, ["signal", "empty"], seed=1)[1]
    without = ceilings(rows, earlier, ["signal"], seed=1)[1]
    assert np.array_equal(with_empty[1].scores[0], without[1].scores[0])


def test_a_sample_of_labels_without_an_improper_claim_ranks_by_money() -> None:
    rng = np.random.default_rng(4)
    rows = lessons(600, rng).with_columns(t_bhtt=pl.Series(rng.random(600)))
    earlier = rows.with_columns(improper_amount=pl.when(pl.int_range(pl.len()) == 0).then(1.0).otherwise(0.0))
    few = ceilings(rows, earlier, ["signal"], seed=1)[1][0]
    assert 0 in few.improper
    ranked = np.argsort(few.scores[few.improper.index(0)])
    assert np.array_equal(ranked, np.argsort(rows["t_bhtt"].to_numpy()))


# picture and log


READ = [0.001, 0.01, 0.02, 0.05, 1.0]
FOUND = {
    "minhbach": [0.2, 0.5, 0.6, 0.7, 1.0],
    "rank by cost": [0.1, 0.4, 0.5, 0.6, 1.0],
    "random": READ,
    "gradient boosting, all labels": [0.3, 0.7, 0.8, 0.9, 1.0],
}
LABELS = {"minhbach": None, "rank by cost": None, "random": None, "gradient boosting, all labels": "all"}


@pytest.mark.parametrize("kind", [".svg", ".png"])
def test_the_same_figures_draw_the_same_bytes(tmp_path: Path, kind: str) -> None:
    for name in ("one", "two"):
        draw(tmp_path / f"{name}{kind}", READ, FOUND, labels=LABELS, names={"minhbach": "Minh Bạch"})
    drawn = (tmp_path / f"one{kind}").read_bytes()
    assert drawn == (tmp_path / f"two{kind}").read_bytes()
    assert drawn[:5] in (b"<?xml", b"\x89PNG\r")
    assert b"dc:date" not in drawn


def test_a_picture_of_another_kind_is_refused_before_anything_is_drawn(tmp_path: Path) -> None:
    with pytest.raises(BadPicture, match=r"\.svg, \.png"):
        draw(tmp_path / "gain.bmp", READ, FOUND, labels=LABELS)
    assert not list(tmp_path.iterdir())


def test_metrics_have_names_that_mlflow_takes_and_leave_out_what_is_unknown() -> None:
    result = {
        "rankings": [{"ranking": "ECOD, raw columns", "money_found_2%": 0.5, "average_precision": None}],
        "over_best_baseline": {"ratio": 1.2, "low": None, "high": None},
        "calibration": {"score": {"expected_calibration_error": 0.04}},
    }
    assert metrics_of(result) == {
        "evaluate/ECOD_raw_columns/money_found_2pct": 0.5,
        "evaluate/over_best_baseline/ratio": 1.2,
        "evaluate/expected_calibration_error": 0.04,
    }
