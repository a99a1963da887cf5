"""Intervals: weights are whole drawings of facilities, and counting copies is the same as writing them out."""

from __future__ import annotations

import numpy as np
import pytest

from models.evaluation import bootstrap
from models.evaluation.measures import BUDGETS, FIGURES, Labelled, counted


def labelled(rng: np.random.Generator, rows: int) -> Labelled:
    money = np.where(rng.random(rows) < 0.15, np.round(rng.lognormal(3, 1, rows), 2), 0.0)
    return Labelled(money=money, kind=np.full(rows, "normal"), tie=rng.random(rows))


def by_hand(money: list[float]) -> dict[str, float]:
    """The figures of a list of claims, best first, counted one by one."""
    total, wrong = sum(money), sum(1 for amount in money if amount > 0)
    if not wrong:
        return dict.fromkeys(FIGURES, float("nan"))
    figures: dict[str, float] = {}
    for budget in BUDGETS:
        read = money[: max(round(len(money) * budget), 1)]
        figures[f"money_found_{budget:.0%}"] = sum(read) / total
        figures[f"claims_found_{budget:.0%}"] = sum(1 for amount in read if amount > 0) / wrong
    seen, precision = 0, 0.0
    for place, amount in enumerate(money, start=1):
        if amount > 0:
            seen += 1
            precision += seen / place
    return figures | {"average_precision": precision / wrong}


@pytest.mark.parametrize("seed", range(5))
def test_the_slow_twin_that_writes_every_drawn_claim_out_agrees(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, clusters = 90, 6
    known = labelled(rng, rows)
    facility = rng.integers(0, clusters, rows)
    scores = np.round(rng.random(rows), 1)  # many ties
    times = bootstrap.weights(clusters, 12, seed=seed)
    fast = bootstrap.resampled([scores], known, facility, times)
    for number, drawn in enumerate(times):
        written = [known.money[row] for row in known.order(scores) for _ in range(drawn[facility[row]])]
        slow = by_hand(written)
        for name in FIGURES:
            assert fast[name][number] == pytest.approx(slow[name], nan_ok=True)


def test_counting_each_row_once_is_the_plain_figure() -> None:
    money = np.array([0.0, 5.0, 0.0, 1.0, 0.0])
    found = counted(money, np.ones(5, dtype=np.int64))
    assert found["average_precision"] == pytest.approx((1 / 2 + 2 / 4) / 2)
    assert found["money_found_5%"] == 0.0  # one claim is read, and it is a good one


def test_a_resample_draws_as_many_facilities_as_there_are() -> None:
    times = bootstrap.weights(25, 200, seed=3)
    assert times.shape == (200, 25)
    assert set(times.sum(axis=1)) == {25}
    assert times.mean(axis=0) == pytest.approx(np.ones(25), abs=0.3)
    assert np.array_equal(times, bootstrap.weights(25, 200, seed=3))
    assert not np.array_equal(times, bootstrap.weights(25, 200, seed=4))


def test_the_interval_is_the_middle_of_what_could_be_measured() -> None:
    assert bootstrap.interval(np.append(np.arange(1, 1001) / 1000, np.nan)) == pytest.approx((0.026, 0.975), abs=0.001)
    assert np.isnan(bootstrap.interval(np.array([np.nan]))).all()


def test_money_in_one_facility_makes_the_interval_wide() -> None:
    """The same ranking, the same figure: what differs is how many facilities hold the money."""
    rng = np.random.default_rng(1)
    rows = 2_000
    scores = rng.random(rows)
    facility = np.arange(rows) % 20
    times = bootstrap.weights(20, 200, seed=1)
    widths: list[float] = []
    for holders in (1, 20):
        wrong = np.flatnonzero(facility < holders)[:60]
        money = np.zeros(rows)
        money[wrong] = 1.0
        known = Labelled(money=money, kind=np.full(rows, ""), tie=rng.random(rows))
        better = scores + (money > 0) * (np.arange(rows) % 40 < 20)
        low, high = bootstrap.interval(bootstrap.resampled([better], known, facility, times)["money_found_2%"])
        widths.append(high - low)
    assert widths[0] != pytest.approx(widths[1])


def test_a_ratio_is_paired_and_takes_the_best_of_each_resample() -> None:
    ours = {"money_found_2%": np.array([0.5, 0.6, 0.4, 0.1])}
    others = {
        "cost": {"money_found_2%": np.array([0.5, 0.3, 0.2, 0.0])},
        "forest": {"money_found_2%": np.array([0.1, 0.4, 0.8, 0.0])},
    }
    assert bootstrap.ratio(ours, others) == pytest.approx(np.array([1.0, 1.5, 0.5, np.nan]), nan_ok=True)


def test_a_ranking_against_itself_has_the_ratio_one_in_every_resample() -> None:
    rng = np.random.default_rng(2)
    known = labelled(rng, 400)
    drawn = bootstrap.resampled([rng.random(400)], known, np.arange(400) % 8, bootstrap.weights(8, 50, seed=1))
    ratios = bootstrap.ratio(drawn, {"twin": drawn})
    assert set(ratios[np.isfinite(ratios)]) == {1.0}


def test_several_orders_of_one_ranking_are_taken_in_turn() -> None:
    rng = np.random.default_rng(4)
    known, facility = labelled(rng, 300), np.arange(300) % 6
    orders = [rng.random(300), rng.random(300)]
    times = bootstrap.weights(6, 10, seed=1)
    both = bootstrap.resampled(orders, known, facility, times)["average_precision"]
    alone = [bootstrap.resampled([one], known, facility, times)["average_precision"] for one in orders]
    assert both[::2] == pytest.approx(alone[0][::2])
    assert both[1::2] == pytest.approx(alone[1][1::2])
