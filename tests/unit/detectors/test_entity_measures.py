"""Measures over all claims of an entity: drawn towards the usual, silent on nothing, blind to their company."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from detectors.entity.observed_expected import USUAL_TAIL, ObservedExpected
from detectors.entity.practice import MIN_TRIALS, PracticeReference
from detectors.entity.repeats import Repeats


def sums(observed: list[float], expected: list[float], square: float = 1e12) -> pl.DataFrame:
    return pl.DataFrame({"observed": observed, "expected": expected, "square": [square] * len(observed)})


@pytest.fixture(scope="module")
def usual() -> ObservedExpected:
    rng = np.random.default_rng(3)
    expected = rng.uniform(5e7, 5e8, 400)
    observed = expected * rng.normal(1.1, 0.08, 400) + rng.normal(0, 1, 400) * np.sqrt(1e6 * expected)
    return ObservedExpected.fit(sums(observed.tolist(), expected.tolist(), square=float(1e6 * expected.mean())))


def test_the_common_ratio_is_nobodys_fault(usual: ObservedExpected) -> None:
    assert usual.usual == pytest.approx(1.1, abs=0.02)
    assert usual.judge(sums([1.1e9], [1e9]))["excess"][0] == pytest.approx(0, abs=3e7)


def test_few_claims_are_drawn_to_the_usual_and_get_wider_limits(usual: ObservedExpected) -> None:
    judged = usual.judge(sums([1.6e6, 1.6e9], [1e6, 1e9]))
    assert 1.0 < judged["ratio"][0] < judged["ratio"][1] < 1.6 / 1.05
    assert judged["high"][0] > judged["high"][1] > 1.0
    assert judged["tail"][1] < USUAL_TAIL < judged["tail"][0]


def test_even_the_largest_keeps_limits_for_what_no_claim_tells(usual: ObservedExpected) -> None:
    assert usual.judge(sums([1e15], [1e15]))["high"][0] > 1.05


def test_dearer_is_never_commoner(usual: ObservedExpected) -> None:
    judged = usual.judge(sums([x * 1e8 for x in range(1, 40)], [1e9] * 39))
    assert (np.diff(judged["tail"].to_numpy()) <= 0).all()
    assert (np.diff(judged["ratio"].to_numpy()) > 0).all()


@pytest.mark.parametrize(
    "rows",
    [sums([], []), sums([5.0], [4.0]), sums([0.0] * 50, [0.0] * 50), sums([7.0] * 50, [7.0] * 50, square=0.0)],
    ids=["empty", "single", "nothing", "constant"],
)
def test_what_could_not_be_learned_is_never_dear(rows: pl.DataFrame) -> None:
    judged = ObservedExpected.fit(rows).judge(sums([1e9, 0.0], [1e6, 0.0]))
    assert judged["ratio"].to_list() == [1.0, 1.0]
    assert judged["tail"].to_list() == [1.0, 1.0]
    assert judged["excess"].to_list() == [0.0, 0.0]


def test_nothing_expected_is_finite(usual: ObservedExpected) -> None:
    judged = usual.judge(sums([1e6, 0.0], [0.0, 0.0]))
    assert judged.select(pl.all().fill_null(0.0).is_finite().all()).row(0) == (True,) * 4


# signs that repeat


def parts(*rows: tuple[str, str, float]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"entity_id": pl.String, "care": pl.String, "part": pl.Float64}, orient="row")


def signs(*rows: tuple[str, str, float, float]) -> pl.DataFrame:
    schema = {"entity_id": pl.String, "scheme": pl.String, "seen": pl.Float64, "likelihood": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def carried(claims: int, hits: int, scheme: str = "A") -> tuple[pl.DataFrame, pl.DataFrame]:
    return (
        pl.DataFrame({"care": ["01"], "claims": [claims]}),
        pl.DataFrame({"scheme": [scheme], "care": ["01"], "claims": [hits]}),
    )


@pytest.fixture(scope="module")
def habits() -> Repeats:
    """A hundred entities of a hundred claims; ten of them have all the signs."""
    of = parts(*((f"e{n}", "01", 100.0) for n in range(100)))
    have = signs(*((f"e{n}", "A", 20.0, 0.9) for n in range(10)))
    return Repeats.fit(*carried(10_000, 200), of, have)


def test_more_than_usual_weighs_and_fewer_clears_nobody(habits: Repeats) -> None:
    judged = habits.judge(
        parts(("often", "01", 100.0), ("usual", "01", 100.0), ("seldom", "01", 100.0)),
        signs(("often", "A", 30.0, 0.9), ("usual", "A", 2.0, 0.9), ("seldom", "A", 1.0, 0.9)),
    )
    by = {row["entity_id"]: row for row in judged.iter_rows(named=True)}
    assert by["often"]["usual"] == pytest.approx(2.0)
    assert by["often"]["weight"] > 3
    assert by["often"]["tail"] < 1e-6
    assert by["usual"]["weight"] == by["seldom"]["weight"] == 0.0


def test_a_sign_on_nearly_every_claim_says_nothing() -> None:
    of = parts(*((f"e{n}", "01", 100.0) for n in range(50)))
    have = signs(*((f"e{n}", "A", 97.0, 0.9) for n in range(50)))
    known = Repeats.fit(*carried(5_000, 4_850), of, have)
    assert known.judge(of, have)["weight"].max() == 0.0
    assert known.judge(of.head(1), signs(("e0", "A", 100.0, 0.9)))["weight"][0] < 0.01


def test_a_sign_that_falls_at_random_makes_no_one_odd(habits: Repeats) -> None:
    rng = np.random.default_rng(5)
    of = parts(*((f"e{n}", "01", 100.0) for n in range(2_000)))
    have = signs(*((f"e{n}", "A", float(k), 0.9) for n, k in enumerate(rng.poisson(2.0, 2_000)) if k))
    known = Repeats.fit(*carried(200_000, 4_000), of, have)
    asked = (parts(("x", "01", 100.0)), signs(("x", "A", 6.0, 0.9)))
    assert known.priors["A"] > 20 * habits.priors["A"]
    assert known.judge(*asked)["weight"][0] < habits.judge(*asked)["weight"][0] / 4


def test_the_second_scheme_of_an_entity_counts_for_less(habits: Repeats) -> None:
    of, one = parts(("x", "01", 50.0)), signs(("x", "A", 9.0, 0.9))
    both = habits.judge(of, pl.concat([one, signs(("x", "B", 3.0, 0.5))]))
    alone = habits.judge(of, signs(("x", "B", 3.0, 0.5)))
    weights = dict(both.select("scheme", "weight").iter_rows())
    assert weights["A"] == habits.judge(of, one)["weight"][0]
    assert 0 < weights["B"] == pytest.approx(alone["weight"][0] / 2**0.5, abs=1e-6)


def test_an_entity_is_judged_alone_as_in_company(habits: Repeats) -> None:
    of = parts(*((f"e{n}", care, n + 0.5) for n in range(30) for care in ("01", "03")))
    have = signs(*((f"e{n}", scheme, n / 3 + 0.1, 0.5) for n in range(30) for scheme in "AB"))
    every = habits.judge(of, have)
    mine = pl.col("entity_id") == "e7"
    assert_frame_equal(habits.judge(of.filter(mine), have.filter(mine)), every.filter(mine), check_exact=True)


def test_nothing_learned_and_nothing_asked_are_finite(habits: Repeats) -> None:
    assert Repeats().judge(parts(("x", "01", 3.0)), signs(("x", "A", 2.0, 0.9)))["weight"].is_finite().all()
    assert habits.judge(parts(), signs()).height == 0
    empty = Repeats.fit(carried(1, 1)[0].clear(), carried(1, 1)[1].clear(), parts(), signs())
    assert empty.rates == {} == empty.priors


def test_signs_read_back_through_json(habits: Repeats) -> None:
    assert Repeats.from_json(json.loads(json.dumps(habits.as_json()))) == habits


# practice


def counts(*rows: tuple[str, str, float, float]) -> pl.DataFrame:
    schema = {"entity_id": pl.String, "stratum": pl.String, "trials": pl.Float64, "hits": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


@pytest.fixture(scope="module")
def practised() -> PracticeReference:
    rng = np.random.default_rng(9)
    return PracticeReference.fit(
        counts(
            *((f"e{n}", s, 100.0, float(rng.binomial(100, p))) for n in range(300) for s, p in (("I", 0.1), ("J", 0.4)))
        )
    )


def test_a_share_far_out_among_its_peers_is_strange(practised: PracticeReference) -> None:
    judged = practised.judge(counts(("odd", "I", 100.0, 60.0), ("usual", "I", 100.0, 10.0), ("mix", "J", 100.0, 40.0)))
    by = {row["entity_id"]: row for row in judged.iter_rows(named=True)}
    assert by["odd"]["strength"] > 0.4
    assert by["odd"]["share"] == 0.6
    assert by["odd"]["usual"] == pytest.approx(0.1, abs=0.01)
    assert by["usual"]["strength"] == by["mix"]["strength"] == 0.0  # the stratum explains its share


def test_few_cases_or_few_peers_say_nothing(practised: PracticeReference) -> None:
    assert practised.judge(counts(("x", "I", MIN_TRIALS - 1, MIN_TRIALS - 1))).height == 0
    few = PracticeReference.fit(counts(*((f"e{n}", "I", 100.0, 10.0) for n in range(5))))
    assert few.judge(counts(("x", "I", 100.0, 99.0))).height == 0
    assert PracticeReference.fit(counts()).judge(counts(("x", "I", 100.0, 99.0))).height == 0


def test_practice_reads_back_through_json(practised: PracticeReference) -> None:
    asked = counts(("x", "I", 80.0, 31.0), ("y", "K", 80.0, 1.0))
    again = PracticeReference.from_json(json.loads(json.dumps(practised.as_json())))
    assert_frame_equal(again.judge(asked), practised.judge(asked), check_exact=False, abs_tol=1e-6)
    nothing = PracticeReference.fit(counts())
    assert PracticeReference.from_json(json.loads(json.dumps(nothing.as_json()))).peers == 0
