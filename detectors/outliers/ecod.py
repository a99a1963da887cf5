"""Far out on either side: PyOD's `ECOD`, its empirical distributions frozen for each peer group.

PyOD ranks each batch anew among its training rows, so that a claim's score moves with its company; here the
distributions are those of training, as `detectors.reference` keeps them, and the sum over the features is ECOD's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from detectors.pyod import PyodDetector
from detectors.reference import TailReference

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from detectors.peer_detector import Arrays


class EcodDetector(PyodDetector):
    """Sum over the features of the larger of the left, right and skew-side log tails (Li et al., TKDE 2022)."""

    name = "ecod"
    algorithm = "pyod.models.ecod:ECOD"
    in_bundle: ClassVar[bool] = False  # adds too little to `tails` and `pca`: docs/outliers.md

    def learn(self, z: NDArray[np.float64], *, seed: int) -> Arrays:  # noqa: ARG002 - nothing here is random
        """Both tails of every feature, and the side its long tail lies on."""
        right, left = (np.array([TailReference.fit(column).values for column in side.T]) for side in (z, -z))
        away = z - z.mean(axis=0)
        return {"right": right, "left": left, "skew": np.sign((away**3).mean(axis=0).round(9)), "n": np.array([len(z)])}

    def judge(self, group: str, learned: Arrays, z: NDArray[np.float64]) -> NDArray[np.float64]:  # noqa: ARG002
        """ECOD's sum: `max(left, right)`, and both where the feature leans to neither side."""
        total, rows = np.zeros(z.shape[0]), int(learned["n"][0])
        for at, column in enumerate(z.T):
            right = -np.log(TailReference(learned["right"][at], rows).probability(column))
            left = -np.log(TailReference(learned["left"][at], rows).probability(-column))
            leaning = learned["skew"][at]
            total += np.maximum(right, left) if leaning else right + left
        return total


DETECTOR = EcodDetector
