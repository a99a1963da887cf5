"""How far to the nearest like claims: PyOD's `KNN` against the prototypes of the peer group."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from detectors.neighbours import nearest
from detectors.prototypes import prototypes
from detectors.pyod import PyodDetector

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray

    from detectors.peer_detector import Arrays

NEIGHBOURS = 5


class KnnDetector(PyodDetector):
    """Distance to the fifth nearest prototype (Ramaswamy, Rastogi & Shim, SIGMOD 2000)."""

    name = "knn"
    algorithm = "pyod.models.knn:KNN"
    in_bundle: ClassVar[bool] = False  # adds too little to `tails` and `pca`: docs/outliers.md
    parameters: ClassVar[Mapping[str, Any]] = {"n_neighbors": NEIGHBOURS}

    def learn(self, z: NDArray[np.float64], *, seed: int) -> Arrays:  # noqa: ARG002 - nothing here is random
        """The prototypes: nothing is learned from them before a row is asked."""
        return {"reference": prototypes(z)}

    def judge(self, group: str, learned: Arrays, z: NDArray[np.float64]) -> NDArray[np.float64]:  # noqa: ARG002
        """What PyOD's `KNN`, fitted to the prototypes, says of rows that are not among them."""
        distance, _ = nearest(z, learned["reference"], NEIGHBOURS)
        return distance[:, -1]


DETECTOR = KnnDetector
