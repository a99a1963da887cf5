"""The frozen reference: rarer for stranger values, silent on constants, blind to its batch."""

import numpy as np
import pytest

from detectors.reference import TailReference


def test_tail_is_the_share_of_training_values_at_least_as_large() -> None:
    sample = np.random.default_rng(0).normal(size=50_000)
    reference = TailReference.fit(sample)
    asked = np.quantile(sample, [0.2, 0.5, 0.9, 0.99, 0.999])
    np.testing.assert_allclose(reference.probability(asked), [0.8, 0.5, 0.1, 0.01, 0.001], rtol=0.05)


def test_stranger_is_never_commoner_even_beyond_everything_seen() -> None:
    reference = TailReference.fit(np.random.default_rng(1).exponential(size=2_000))
    tails = reference.probability(np.linspace(-1, 60, 400))
    assert (np.diff(tails) <= 0).all()
    assert tails[-1] < tails[-200] < 1 / 2_000


def test_a_constant_column_finds_nothing_odd() -> None:
    reference = TailReference.fit(np.full(500, 7.0))
    assert reference.probability(np.array([7.0, 6.0])).tolist() == [1.0, 1.0]
    assert 0 < reference.probability(np.array([8.0]))[0] <= 1 / 500


@pytest.mark.parametrize("sample", [np.array([]), np.array([np.nan, np.nan])])
def test_nothing_seen_means_nothing_is_strange(sample: np.ndarray) -> None:
    assert TailReference.fit(sample).probability(np.array([1e9, np.nan])).tolist() == [1.0, 1.0]


def test_missing_values_are_not_strange() -> None:
    assert TailReference.fit(np.arange(100.0)).probability(np.array([np.nan]))[0] == 1.0
