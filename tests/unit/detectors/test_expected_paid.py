"""What each claim should have been paid: level with the fund's money, and no facility teaches its own norm."""

from __future__ import annotations

import io

import numpy as np
import polars as pl
import pytest

from detectors.base import DetectorState
from detectors.statistical.expected_cost import CATEGORIES, GROUPS, LINES, NUMBERS, ExpectedCost

DEAR = "f0"


def matrix(rows: int, *, lines: bool, seed: int = 4) -> pl.DataFrame:
    """Claims of six facilities; the first asks twice as much for the same care."""
    rng = np.random.default_rng(seed)
    facility = rng.integers(6, size=rows)
    icd = rng.integers(4, size=rows)
    cost = 1e5 * (1 + icd) * rng.gamma(20.0, 1 / 20.0, rows) * np.where(facility == 0, 2.0, 1.0)
    frame = pl.DataFrame(
        {
            "ma_cskcb": [f"f{n}" for n in facility],
            "ma_lk": [str(n) for n in range(rows)],
            "doctor": [None] * rows,
            "icd3": [f"J0{n}" for n in icd],
            LINES: [3.0 if lines else 0.0] * rows,
            "bill_total": cost,
            "fund_paid": 0.8 * cost,
        },
        schema_overrides={"doctor": pl.String},
    )
    missing = [
        name
        for name in (
            *CATEGORIES,
            *NUMBERS,
            *dict.fromkeys(name for g in GROUPS for name in (*g.knows, g.column)),
        )
        if name not in frame.columns
    ]
    frame = frame.with_columns(
        pl.lit(None, dtype=pl.String if n in CATEGORIES else pl.Float64).alias(n) for n in missing
    )
    return frame.with_columns(cost_drug=0.75 * pl.col("bill_total")) if lines else frame


@pytest.fixture(scope="module", params=[True, False], ids=["lines", "bare"])
def learned(request: pytest.FixtureRequest) -> tuple[ExpectedCost, pl.DataFrame]:
    claims = matrix(4_000, lines=request.param)
    return ExpectedCost().fit(claims, seed=1), claims


def test_the_dear_facility_does_not_teach_its_own_norm(learned: tuple[ExpectedCost, pl.DataFrame]) -> None:
    detector, claims = learned
    ratio = (
        claims.with_columns(detector.expected_paid(claims))
        .group_by("ma_cskcb")
        .agg(ratio=pl.col("fund_paid").sum() / pl.col("expected_paid").sum())
    )
    by = dict(ratio.iter_rows())
    assert by[DEAR] > 1.5
    assert max(value for name, value in by.items() if name != DEAR) < 1.2


def test_an_unseen_facility_is_judged_by_all(learned: tuple[ExpectedCost, pl.DataFrame]) -> None:
    detector, claims = learned
    asked = claims.filter(pl.col("ma_cskcb") == "f1").head(20)
    unseen = detector.expected_paid(asked.with_columns(ma_cskcb=pl.lit("new")))
    assert (unseen > 0.9 * detector.expected_paid(asked).min()).all()  # type: ignore[operator]
    assert unseen.null_count() == 0


def test_a_claim_is_expected_alone_as_in_a_batch(learned: tuple[ExpectedCost, pl.DataFrame]) -> None:
    detector, claims = learned
    every = detector.expected_paid(claims.head(30))
    assert [detector.expected_paid(claims.slice(n, 1))[0] for n in range(30)] == every.to_list()


def test_it_is_the_same_after_state(learned: tuple[ExpectedCost, pl.DataFrame]) -> None:
    detector, claims = learned
    state = detector.state()
    kept = io.BytesIO()
    np.savez(kept, allow_pickle=False, **dict(state.arrays))
    kept.seek(0)
    again = ExpectedCost.from_state(DetectorState(kind=state.kind, meta=state.meta, arrays=dict(np.load(kept))))
    assert again.expected_paid(claims).equals(detector.expected_paid(claims))


def test_a_claim_without_an_amount_has_no_expectation(learned: tuple[ExpectedCost, pl.DataFrame]) -> None:
    detector, claims = learned
    asked = claims.head(2).with_columns(fund_paid=pl.lit(None, dtype=pl.Float64), bill_total=pl.lit(0.0))
    assert detector.expected_paid(asked).null_count() == 2


def test_nothing_learned_expects_nothing() -> None:
    few = matrix(20, lines=True)
    assert ExpectedCost().fit(few, seed=1).expected_paid(few).null_count() == 20
    assert ExpectedCost().expected_paid(few.clear()).len() == 0
