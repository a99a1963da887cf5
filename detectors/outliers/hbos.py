"""Rare values, feature by feature: PyOD's `HBOS`, its histograms frozen for each peer group."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from detectors.pyod import PyodDetector

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import NDArray

    from detectors.peer_detector import Arrays

BINS, ALPHA, TOLERANCE = 10, 0.1, 0.5  # PyOD's own


class HbosDetector(PyodDetector):
    """Sum of minus the log density of each value in its histogram (Goldstein & Dengel, KI 2012)."""

    name = "hbos"
    algorithm = "pyod.models.hbos:HBOS"
    in_bundle: ClassVar[bool] = False  # adds too little to `tails` and `pca`: docs/outliers.md
    parameters: ClassVar[Mapping[str, Any]] = {"n_bins": BINS, "alpha": ALPHA, "tol": TOLERANCE}

    def learn(self, z: NDArray[np.float64], *, seed: int) -> Arrays:
        """PyOD's histograms."""
        model = self._grown(z, seed)
        return {"height": model.hist_, "edge": model.bin_edges_}

    def judge(self, group: str, learned: Arrays, z: NDArray[np.float64]) -> NDArray[np.float64]:  # noqa: ARG002
        """As PyOD: a value barely outside counts as in the last bin, one farther out as in the rarest."""
        total = np.zeros(z.shape[0])
        for at, column in enumerate(z.T):
            edge, rarity = learned["edge"][:, at], -np.log2(learned["height"][:, at] + ALPHA)
            bins = np.searchsorted(edge, column, side="left")  # 0 below all, BINS + 1 above
            inside = rarity[np.clip(bins - 1, 0, rarity.size - 1)]
            outside = (column < edge[0] - TOLERANCE * (edge[1] - edge[0])) | (
                column > edge[-1] + TOLERANCE * (edge[-1] - edge[-2])
            )
            total += np.where(outside, rarity.max(), inside)
        return total


DETECTOR = HbosDetector
