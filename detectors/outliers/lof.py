"""Thinner company than one's neighbours have: PyOD's `LOF` against the prototypes of the peer group."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from detectors.neighbours import nearest
from detectors.prototypes import prototypes
from detectors.pyod import PyodDetector

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import NDArray

    from detectors.peer_detector import Arrays

NEIGHBOURS = 20


class LofDetector(PyodDetector):
    """Local outlier factor (Breunig, Kriegel, Ng & Sander, SIGMOD 2000)."""

    name = "lof"
    algorithm = "pyod.models.lof:LOF"
    in_bundle: ClassVar[bool] = False  # adds too little to `tails` and `pca`: docs/outliers.md
    parameters: ClassVar[Mapping[str, Any]] = {"n_neighbors": NEIGHBOURS}

    def learn(self, z: NDArray[np.float64], *, seed: int) -> Arrays:
        """The prototypes, how far each reaches and how dense it lies, as PyOD found them."""
        reference = prototypes(z)
        model = self.make(seed=seed, n_neighbors=min(NEIGHBOURS, reference.shape[0] - 1))
        found = model.fit(reference).detector_
        reach = found._distances_fit_X_[:, -1]
        return {"reference": reference, "reach": reach, "density": found._lrd}  # noqa: SLF001 - it has no other name

    def judge(self, group: str, learned: Arrays, z: NDArray[np.float64]) -> NDArray[np.float64]:  # noqa: ARG002
        """What PyOD's `LOF` says of new rows: the density of their neighbours over their own."""
        reference = learned["reference"]
        distance, which = nearest(z, reference, min(NEIGHBOURS, reference.shape[0] - 1))
        own = 1.0 / (np.maximum(distance, learned["reach"][which]).mean(axis=1) + 1e-10)  # scikit-learn's guard
        return learned["density"][which].mean(axis=1) / own


DETECTOR = LofDetector
