"""Growth in parts: they add up, each names its cause, and what moves everyone is nobody's alarm."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from detectors.entity.change import COLUMNS, growth

PARTS = ("volume", "mix", "coding", "price", "residual")


def period(*rows: tuple[str, float, float, float, float]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["entity_id", *COLUMNS], orient="row", schema_overrides={"entity_id": pl.String})


def peers(paid: float = 1.0) -> list[tuple[str, float, float, float, float]]:
    return [(f"p{n}", 1000.0, 1e9, 1e9, 1e9 * paid) for n in range(20)]


USUAL = ("x", 1000.0, 1e9, 1e9, 1e9)


def of(rows: pl.DataFrame) -> dict[str, dict[str, object]]:
    return {row["entity_id"]: row for row in rows.iter_rows(named=True)}


def test_the_parts_add_up_to_the_growth() -> None:
    rng = np.random.default_rng(1)
    drawn = [[(f"e{n}", *rng.uniform(50, 2e9, 4)) for n in range(200)] for _ in range(2)]
    found = growth(period(*drawn[0]), period(*drawn[1]))
    assert found.height == 200
    assert (found.select(pl.sum_horizontal(PARTS)).to_series() - found["growth"]).abs().max() < 0.01  # type: ignore[operator]


@pytest.mark.parametrize(
    ("after", "part"),
    [
        (("x", 1200.0, 1.2e9, 1.2e9, 1.2e9), "volume"),
        (("x", 1000.0, 1.2e9, 1.2e9, 1.2e9), "mix"),
        (("x", 1000.0, 1.2e9, 1e9, 1.2e9), "coding"),
        (("x", 1000.0, 1.2e9, 1e9, 1e9), "residual"),
    ],
)
def test_each_cause_is_named(after: tuple[str, float, float, float, float], part: str) -> None:
    row = of(growth(period(USUAL, *peers()), period(after, *peers())))["x"]
    assert row[part] == pytest.approx(2e8)
    assert [row[other] for other in PARTS if other != part] == pytest.approx([0.0] * 4, abs=1.0)


@pytest.mark.parametrize(("rise", "degree"), [(1.05, None), (1.12, "low"), (1.25, "high"), (1.4, "very_high")])
def test_the_residual_alarms_in_three_degrees(rise: float, degree: str | None) -> None:
    row = of(growth(period(USUAL, *peers()), period(("x", 1000.0, rise * 1e9, 1e9, 1e9), *peers())))["x"]
    assert row["degree"] == degree


def test_a_movement_of_all_is_price_and_no_alarm() -> None:
    dearer = [(name, claims, 1.3 * paid, a, b) for name, claims, paid, a, b in (USUAL, *peers())]
    found = growth(period(USUAL, *peers()), period(*dearer))
    assert found["degree"].null_count() == found.height
    assert found["price"][0] == pytest.approx(3e8, rel=1e-6)
    assert found["residual"].abs().max() == pytest.approx(0.0, abs=1.0)


def test_few_claims_and_few_peers_raise_no_alarm_by_chance() -> None:
    small = growth(period(("x", 20.0, 1e7, 1e7, 1e7)), period(("x", 20.0, 3e7, 1e7, 1e7)))
    assert small["degree"].to_list() == [None]
    assert small["price"].to_list() == [0.0]


def test_nothing_empty_and_one_sided_are_finite() -> None:
    assert growth(period(), period()).height == 0
    assert growth(period(USUAL), period()).height == 0
    assert growth(period(USUAL), period(("x", 0.0, 0.0, 0.0, 0.0))).height == 0
    still = growth(period(USUAL), period(USUAL)).row(0, named=True)
    assert [still[part] for part in PARTS] == [0.0] * 5
