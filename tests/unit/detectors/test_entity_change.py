"""Growth in parts: they add up, each names its cause, and what moves everyone is nobody's alarm."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from detectors.entity.change import COLUMNS, growth

PARTS = ("volume", "mix", "coding", "price", "residual")


def period(
    *rows: tuple[str, float, float, float, float], lists: float = 1.0, bound: str = "", noise: float = 1e-4
) -> pl.DataFrame:
    """Rows of entity, claims, paid, of_patients, expected; `lists`: how many times dearer the price lists became."""
    names = ["entity_id", *COLUMNS[:4]]
    frame = pl.DataFrame(rows, schema=names, orient="row", schema_overrides={"entity_id": pl.String})
    return frame.with_columns(at_list=pl.col("paid") / lists, noise=noise, bound=pl.lit(bound))


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


def test_a_price_list_is_price_and_no_alarm_however_few_it_binds() -> None:
    before = pl.concat([period(USUAL), period(*peers())])
    after = pl.concat([period(("x", 1000.0, 1.15e9, 1e9, 1e9), lists=1.15), period(*peers())])
    row = of(growth(before, after))["x"]
    assert row["price"] == pytest.approx(1.5e8, rel=1e-3)
    assert row["residual"] == pytest.approx(0.0, abs=1.0)
    assert row["degree"] is None


def test_those_bound_by_a_shock_are_compared_with_each_other() -> None:
    bound = [(f"b{n}", 1000.0, 1e9, 1e9, 1e9) for n in range(12)]
    dearer = [(name, claims, paid * (2.0 if name == "b3" else 1.3), a, b) for name, claims, paid, a, b in bound]
    before = pl.concat([period(*bound, bound="2026-05-01"), period(*peers())])
    after = pl.concat([period(*dearer, bound="2026-05-01"), period(*peers())])
    found = of(growth(before, after))
    assert {name for name, row in found.items() if row["degree"] is not None} == {"b3"}
    assert found["b0"]["price"] == pytest.approx(3e8, rel=1e-6)


def test_a_shock_that_binds_few_is_no_alarm_for_its_size_cannot_be_read() -> None:
    before = pl.concat([period(USUAL, bound="2026-05-01"), period(*peers())])
    after = pl.concat([period(("x", 1000.0, 1.5e9, 1e9, 1e9), bound="2026-05-01"), period(*peers())])
    assert of(growth(before, after))["x"]["degree"] is None


def test_growth_that_may_be_chance_is_told_without_a_degree() -> None:
    dear = ("x", 1000.0, 1.25e9, 1e9, 1e9)
    row = of(growth(period(USUAL, *peers(), noise=0.02), period(dear, *peers(), noise=0.02)))["x"]
    assert row["residual"] == pytest.approx(2.5e8)
    assert row["degree"] is None
