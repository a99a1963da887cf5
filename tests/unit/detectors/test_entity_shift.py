"""A change of level is told with its month; chance, a movement of all and a known shock are not."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from detectors.entity.shift import FALSE, SERIES, shifts

MONTHS = 12


def months(seen: np.ndarray, usual: np.ndarray, *, cut: np.ndarray | None = None) -> pl.DataFrame:
    series, place = np.indices(seen.shape)
    return pl.DataFrame(
        {
            "series": [f"s{n:04}" for n in series.ravel()],
            "place": place.ravel(),
            "cut": (np.zeros_like(seen) if cut is None else cut).ravel(),
            "seen": seen.ravel().astype(float),
            "usual": usual.ravel(),
            "others": usual.ravel() * 100.0,
        }
    ).select(SERIES)


def drawn(rng: np.random.Generator, count: int, *, mean: float = 20.0, wide: float = 0.0) -> tuple[np.ndarray, ...]:
    usual = np.full((count, MONTHS), mean)
    levels = usual * (rng.gamma(1.0 / wide, wide, usual.shape) if wide else 1.0)
    return rng.poisson(levels), usual


@pytest.mark.parametrize(("wide", "mean"), [(0.0, 20.0), (0.0, 4.0), (0.1, 20.0)])
def test_where_nothing_changes_a_run_seldom_tells_of_any(wide: float, mean: float) -> None:
    rng = np.random.default_rng(5)
    runs = 150
    told = sum(shifts(months(*drawn(rng, 100, mean=mean, wide=wide)), least=1.0).height > 0 for _ in range(runs))
    assert told / runs <= FALSE + 2 * np.sqrt(FALSE * (1 - FALSE) / runs)


def test_a_doubling_is_told_with_its_month_and_nobody_elses() -> None:
    rng = np.random.default_rng(6)
    usual = np.full((100, MONTHS), 30.0)
    lifted = usual.copy()
    lifted[7, 8:] *= 2.0
    found = shifts(months(rng.poisson(lifted), usual), least=1.5)
    assert found["series"].to_list() == ["s0007"]
    assert found["place"][0] in (7, 8, 9)
    assert found["relative"][0] == pytest.approx(2.0, rel=0.35)


def test_a_movement_of_all_peers_alarms_nobody() -> None:
    rng = np.random.default_rng(7)
    usual = np.full((200, MONTHS), 30.0)
    usual[:, 6:] *= 1.4
    assert shifts(months(rng.poisson(usual), usual), least=1.1).height == 0


def test_a_known_shock_of_some_is_no_change_but_one_beside_it_is() -> None:
    rng = np.random.default_rng(8)
    usual = np.full((60, MONTHS), 40.0)
    level, cut = usual.copy(), np.zeros_like(usual)
    level[:10, 4:] *= 1.8
    cut[:10, 4:] = 1
    level[3, 9:] *= 2.0
    found = shifts(months(rng.poisson(level), usual, cut=cut), least=1.2)
    assert found["series"].to_list() == ["s0003"]
    assert found["place"][0] in (8, 9, 10)
    assert shifts(months(rng.poisson(level), usual), least=1.2).height >= 10  # uncut it would be everyone of the ten


def test_a_burst_of_one_month_a_fall_and_a_start_from_nothing_are_no_rise() -> None:
    usual = np.full((3, MONTHS), 30.0)
    seen = usual.copy()
    seen[0, 5] = 150.0
    seen[1, 6:] = 10.0
    seen[2, :6] = 0.0
    assert shifts(months(seen, usual), least=1.5).height == 0


def test_the_answer_does_not_hang_on_the_order_of_rows() -> None:
    rng = np.random.default_rng(9)
    usual = np.full((20, MONTHS), 30.0)
    level = usual.copy()
    level[2, 6:] *= 3.0
    rows = months(rng.poisson(level), usual)
    assert shifts(rows, least=1.5).equals(shifts(rows.sample(fraction=1.0, shuffle=True, seed=1), least=1.5))


def test_nothing_and_a_single_month_give_nothing() -> None:
    empty = pl.DataFrame(schema=dict.fromkeys(SERIES, pl.Float64) | {"series": pl.String, "place": pl.Int64})
    assert shifts(empty, least=1.5).height == 0
    assert shifts(months(np.ones((2, 1)), np.ones((2, 1))), least=1.5).height == 0
