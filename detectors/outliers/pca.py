"""Unlikely combinations: PyOD's `PCA`, its axes frozen for each peer group."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from detectors.pyod import PyodDetector

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import NDArray

    from detectors.peer_detector import Arrays

LEAST = 0.005  # part of the variance below which an axis is taken to have this much


class PcaDetector(PyodDetector):
    """Squared length along the principal axes, each in its own standard deviation (Shyu et al., ICDM 2003).

    PyOD finds the axes. Its own score measures the distance to the ends of the unit axes, and divides by the variance
    along them: without end where features are collinear, as counts of one bill are. Hence the floor.
    """

    name = "pca"
    algorithm = "pyod.models.pca:PCA"
    parameters: ClassVar[Mapping[str, Any]] = {"weighted": False}  # weighted, its fitting divides by those variances

    def learn(self, z: NDArray[np.float64], *, seed: int) -> Arrays:
        """Mean, scale, axes and the variance along each."""
        centre, spread = z.mean(axis=0), z.std(axis=0)
        varies = np.flatnonzero(spread > 1e-9)
        scale = np.where(spread > 1e-9, spread, 1.0)
        axes, part = np.eye(z.shape[1]), np.zeros(z.shape[1])  # what never varied is an axis of its own, of no variance
        if varies.size:
            model = self._grown(((z - centre) / scale)[:, varies], seed)
            axes[np.ix_(varies, varies)] = model.components_
            part[varies] = model.explained_variance_ratio_
        return {"mean": centre, "scale": scale, "axes": axes, "part": np.maximum(part, LEAST) * z.shape[1]}

    def judge(self, group: str, learned: Arrays, z: NDArray[np.float64]) -> NDArray[np.float64]:  # noqa: ARG002
        """Sums in one order, feature by feature: a matrix product's last bits depend on the batch."""
        standard = (z - learned["mean"]) / learned["scale"]
        total = np.zeros(z.shape[0])
        for axis, part in zip(learned["axes"], learned["part"], strict=True):
            along = np.zeros(z.shape[0])
            for column, weight in zip(standard.T, axis, strict=True):
                along += column * weight
            total += along * along / part
        return total


DETECTOR = PcaDetector
