"""Our detectors as PyOD sees them: `fit`, `decision_function`, `predict`, beside or combined with its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from detectors.base import Detector


def as_pyod(detector: Detector, *, seed: int, contamination: float = 0.1) -> Any:
    """A PyOD `BaseDetector` around one of ours. Its matrix has the detector's `feature_names` as columns, in order.

    Unlike PyOD's own ECOD a row's score does not move with the batch it comes in. A matrix cannot say which claim
    fields were blank: leave out the claims that lack one of the model's `needs`, it has nothing to say about them.
    """
    from pyod.models.base import BaseDetector

    def named(x: NDArray[np.float64]) -> pl.DataFrame:
        frame = pl.DataFrame(x, schema=list(detector.feature_names))
        return frame.with_columns(ma_loai_kcb=pl.lit(""))  # one peer group: a bare matrix names no care type

    class Adapted(BaseDetector):
        needs = detector.needs

        def __init__(self) -> None:
            super().__init__(contamination=contamination)

        def fit(  # pyright: ignore[reportIncompatibleMethodOverride] - PyOD's own returns nothing, its children self
            self,
            X: NDArray[np.float64],  # noqa: N803 - PyOD's names
            y: object = None,
        ) -> Adapted:
            self._set_n_classes(y)
            detector.fit(named(X), seed=seed)
            self.decision_scores_ = detector.score(named(X)).to_numpy()
            self._process_decision_scores()
            return self

        def decision_function(  # pyright: ignore[reportIncompatibleMethodOverride] - PyOD's own returns nothing
            self,
            X: NDArray[np.float64],  # noqa: N803
        ) -> NDArray[np.float64]:
            return detector.score(named(X)).to_numpy()

    return Adapted()
