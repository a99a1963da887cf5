"""Frozen trees answer exactly as scikit-learn's own, for one row or many."""

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor, IsolationForest

from detectors.trees import TreeEnsemble


@pytest.fixture(scope="module")
def sample() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(600, 5))
    y = np.exp(x[:, 0]) + np.abs(x[:, 1])
    x[rng.random(x.shape) < 0.1] = np.nan
    return x, y


@pytest.mark.parametrize(("loss", "extra"), [("squared_error", {}), ("quantile", {"quantile": 0.9})])
def test_boosting_is_frozen_exactly(sample: tuple[np.ndarray, np.ndarray], loss: str, extra: dict[str, float]) -> None:
    x, y = sample
    model = HistGradientBoostingRegressor(loss=loss, max_iter=15, random_state=0, **extra).fit(x, y)
    frozen = TreeEnsemble.from_boosting(model)
    np.testing.assert_allclose(frozen.predict(x), model.predict(x), rtol=0, atol=1e-12)


def test_poisson_is_frozen_on_the_log_scale(sample: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = sample
    model = HistGradientBoostingRegressor(loss="poisson", max_iter=15, random_state=0).fit(x, y)
    np.testing.assert_allclose(np.exp(TreeEnsemble.from_boosting(model).predict(x)), model.predict(x), rtol=1e-12)


def test_isolation_depth_orders_as_the_forest_does(sample: tuple[np.ndarray, np.ndarray]) -> None:
    x = np.nan_to_num(sample[0]).astype(np.float32).astype(np.float64)
    forest = IsolationForest(n_estimators=20, random_state=0).fit(x)
    frozen = TreeEnsemble.from_isolation_forest(forest)
    sampled = forest.max_samples_
    usual = 2 * (np.log(sampled - 1) + np.euler_gamma) - 2 * (sampled - 1) / sampled
    np.testing.assert_allclose(2 ** (frozen.predict(x) / usual), -forest.score_samples(x), atol=1e-12)


def test_a_row_alone_gets_the_bits_it_gets_in_the_batch(sample: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = sample
    frozen = TreeEnsemble.from_boosting(HistGradientBoostingRegressor(max_iter=10, random_state=0).fit(x, y))
    together = frozen.predict(x)
    alone = np.array([frozen.predict(x[i : i + 1])[0] for i in range(50)])
    assert alone.tobytes() == together[:50].tobytes()


def test_arrays_round_trip(sample: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = sample
    frozen = TreeEnsemble.from_boosting(HistGradientBoostingRegressor(max_iter=5, random_state=0).fit(x, y))
    again = TreeEnsemble.from_arrays(frozen.arrays("a"), "a")
    assert again.predict(x).tobytes() == frozen.predict(x).tobytes()
