"""Isolation forest through PyOD, then frozen: for what no one thought of.

PyOD's `IForest` grows the trees (Liu, Ting & Zhou, ICDM 2008); they are kept as plain arrays, and the score is where a
row's depth lies in the training reference. Missing values are the feature's training median.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import polars as pl

from detectors.base import DetectorState
from detectors.reference import TailReference, log_odds_shares
from detectors.trees import TreeEnsemble

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from features.base import Level

FEATURES: tuple[str, ...] = (
    "share_lab",
    "share_imaging",
    "share_drug",
    "share_surgery",
    "share_supply",
    "share_bed",
    "lines_total",
    "distinct_drugs",
    "distinct_services",
    "max_drug_quantity",
    "stay_nights",
    "diagnoses",
    "age",
    "arrival_hour",
    "minutes_to_first_order",
    "minutes_per_line",
    "visits_30d",
    "visits_365d",
    "days_since_previous_visit",
    "max_lines_one_minute",
)
"""Shares, counts and times: no money, so that size alone is not strange."""

NEEDS: tuple[str, ...] = (
    "encounter.ngay_vao",
    "encounter.ngay_ra",
    "drug_line.ma_nhom",
    "drug_line.thanh_tien_bh",
    "service_line.ma_nhom",
    "service_line.thanh_tien_bh",
)
"""Shares of the bill and the clock of the visit: a blank among them is filled with the median, which is never odd."""

TREES = 120
ROWS_PER_TREE = 256


class IsolationDetector:
    """PyOD's isolation forest on size-free features, with a frozen reference."""

    name = "isolation"
    version = 1
    level: Level = "encounter"
    needs: tuple[str, ...] = NEEDS
    in_bundle: ClassVar[bool] = False  # adds too little to `tails` and `pca`: docs/outliers.md

    def __init__(
        self,
        feature_names: tuple[str, ...] = FEATURES,
        forest: TreeEnsemble | None = None,
        medians: NDArray[np.float64] | None = None,
        reference: TailReference | None = None,
    ) -> None:
        """The frozen parts; None before `fit`."""
        self.feature_names = feature_names
        self._forest = forest
        self._medians = medians
        self._reference = reference

    def fit(self, x: pl.DataFrame, *, seed: int) -> Self:
        """Grow and freeze the forest. Deterministic for one seed."""
        from pyod.models.iforest import IForest

        raw = x.select(pl.col(self.feature_names).cast(pl.Float64).fill_null(np.nan)).to_numpy()
        known = [column[~np.isnan(column)] for column in raw.T]
        self._medians = np.array([float(np.median(column)) if column.size else 0.0 for column in known])
        design = self._design(x)
        model = IForest(
            n_estimators=TREES,
            max_samples=min(ROWS_PER_TREE, x.height),  # pyright: ignore[reportArgumentType] - PyOD's stub says str only
            random_state=seed,
            n_jobs=1,
        )
        model.fit(design)
        self._forest = TreeEnsemble.from_isolation_forest(model.detector_)
        self._reference = TailReference.fit(self._forest.predict(design))
        return self

    def score(self, x: pl.DataFrame) -> pl.Series:
        """One minus the chance of so shallow a row in training."""
        forest, reference = self._fitted()
        return pl.Series(self.name, 1.0 - reference.probability(forest.predict(self._design(x)))).round(6)

    def contributions(self, x: pl.DataFrame) -> pl.DataFrame:
        """The score's log-odds, divided among features by what setting each to its median would change."""
        forest, _ = self._fitted()
        assert self._medians is not None  # noqa: S101 - _fitted has checked
        design = self._design(x)
        depth = forest.predict(design)
        gain = np.zeros(design.shape)
        for position in range(design.shape[1]):
            usual = design.copy()
            usual[:, position] = np.float32(self._medians[position])
            gain[:, position] = np.maximum(depth - forest.predict(usual), 0.0)
        return pl.DataFrame(log_odds_shares(self.score(x).to_numpy(), gain), schema=list(self.feature_names))

    def state(self) -> DetectorState:
        """Trees, medians and the reference grid."""
        forest, reference = self._fitted()
        assert self._medians is not None  # noqa: S101 - _fitted has checked
        arrays: dict[str, NDArray[Any]] = forest.arrays("forest")
        arrays |= {"medians": self._medians, "reference": reference.values}
        meta = {"version": self.version, "feature_names": list(self.feature_names), "rows": reference.rows}
        return DetectorState(kind=self.name, meta=meta, arrays=arrays)

    @classmethod
    def from_state(cls, state: DetectorState) -> Self:
        """Read back what `state` gave."""
        return cls(
            tuple(state.meta["feature_names"]),
            TreeEnsemble.from_arrays(state.arrays, "forest"),
            state.arrays["medians"],
            TailReference(state.arrays["reference"], state.meta["rows"]),
        )

    def _fitted(self) -> tuple[TreeEnsemble, TailReference]:
        if self._forest is None or self._reference is None:
            raise RuntimeError("the isolation detector has not been fitted")
        return self._forest, self._reference

    def _design(self, x: pl.DataFrame) -> NDArray[np.float64]:
        assert self._medians is not None  # noqa: S101 - set by fit and by from_state
        raw = x.select(pl.col(self.feature_names).cast(pl.Float64).fill_null(np.nan)).to_numpy()
        filled = np.where(np.isnan(raw), self._medians, raw)
        return filled.astype(np.float32).astype(np.float64)  # the forest's thresholds were found on 32-bit values


DETECTOR = IsolationDetector
