"""Tree ensembles frozen as arrays: scikit-learn grows them, numpy alone reads them.

The serving path so needs no scikit-learn import and no pickle, and the last bit of a value cannot depend on the batch:
a row's trees are walked and added in one fixed order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class TreeEnsemble:
    """Binary trees in one flat node list; `roots[i]` is where tree i starts.

    A row goes left when its feature is `<= threshold`; a missing (NaN) one goes where `missing_left` says. A leaf has
    `left == -1` and gives `value`; the ensemble's answer is `baseline` plus the leaves' sum.
    """

    roots: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    missing_left: NDArray[np.bool_]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    value: NDArray[np.float64]
    baseline: float

    def predict(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """One value a row of `x` (rows, features)."""
        total = np.full(x.shape[0], self.baseline)
        rows = np.arange(x.shape[0])
        for root in self.roots:
            node = np.full(x.shape[0], root, dtype=np.int32)
            open_rows = rows
            while open_rows.size:
                at = node[open_rows]
                inner = self.left[at] >= 0
                open_rows, at = open_rows[inner], at[inner]
                if not open_rows.size:
                    break
                cell = x[open_rows, self.feature[at]]
                missing = np.isnan(cell)
                go_left = np.where(missing, self.missing_left[at], cell <= self.threshold[at])
                node[open_rows] = np.where(go_left, self.left[at], self.right[at])
            total += self.value[node]
        return total

    def arrays(self, prefix: str) -> dict[str, NDArray[Any]]:
        """The arrays that make this ensemble, for a `DetectorState`."""
        return {
            f"{prefix}.roots": self.roots,
            f"{prefix}.feature": self.feature,
            f"{prefix}.threshold": self.threshold,
            f"{prefix}.missing_left": self.missing_left,
            f"{prefix}.left": self.left,
            f"{prefix}.right": self.right,
            f"{prefix}.value": self.value,
            f"{prefix}.baseline": np.array([self.baseline]),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], prefix: str) -> Self:
        """Read back what `arrays` gave under `prefix`."""
        part = {name: arrays[f"{prefix}.{name}"] for name in _ARRAYS}
        return cls(**part, baseline=float(arrays[f"{prefix}.baseline"][0]))

    @classmethod
    def from_boosting(cls, model: Any) -> Self:
        """Freeze a fitted scikit-learn HistGradientBoostingRegressor without categorical features."""
        parts: list[dict[str, NDArray[Any]]] = []
        for (predictor,) in model._predictors:  # noqa: SLF001 - scikit-learn publishes no other way to the nodes
            nodes = predictor.nodes
            leaf = nodes["is_leaf"].astype(bool)
            parts.append(
                {
                    "feature": nodes["feature_idx"].astype(np.int32),
                    "threshold": nodes["num_threshold"].astype(np.float64),
                    "missing_left": nodes["missing_go_to_left"].astype(bool),
                    "left": np.where(leaf, -1, nodes["left"].astype(np.int32)),
                    "right": np.where(leaf, -1, nodes["right"].astype(np.int32)),
                    "value": nodes["value"].astype(np.float64),
                }
            )
        baseline = float(np.ravel(model._baseline_prediction)[0])  # noqa: SLF001
        return cls._joined(parts, baseline)

    @classmethod
    def from_isolation_forest(cls, forest: Any) -> Self:
        """Freeze a fitted scikit-learn IsolationForest: the answer is minus the mean isolation depth.

        Depths are corrected for the rows left in a leaf, as in Liu, Ting & Zhou, "Isolation Forest", ICDM 2008.
        """
        parts: list[dict[str, NDArray[Any]]] = []
        count = len(forest.estimators_)
        for estimator, picked in zip(forest.estimators_, forest.estimators_features_, strict=True):
            tree = estimator.tree_
            leaf = tree.children_left < 0
            depth = np.zeros(tree.node_count)
            for node in range(tree.node_count):  # parents come before their children
                if not leaf[node]:
                    depth[tree.children_left[node]] = depth[tree.children_right[node]] = depth[node] + 1
            path = depth + _average_path(tree.n_node_samples.astype(np.float64))
            parts.append(
                {
                    "feature": np.where(leaf, 0, np.asarray(picked)[np.maximum(tree.feature, 0)]).astype(np.int32),
                    "threshold": tree.threshold.astype(np.float64),
                    "missing_left": np.ones(tree.node_count, dtype=bool),
                    "left": np.where(leaf, -1, tree.children_left).astype(np.int32),
                    "right": np.where(leaf, -1, tree.children_right).astype(np.int32),
                    "value": np.where(leaf, -path / count, 0.0),
                }
            )
        return cls._joined(parts, 0.0)

    @classmethod
    def _joined(cls, parts: list[dict[str, NDArray[Any]]], baseline: float) -> Self:
        sizes = [part["feature"].shape[0] for part in parts]
        roots = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int32)
        joined: dict[str, NDArray[Any]] = {}
        for name in _ARRAYS[1:]:
            shifted = [
                np.where(part[name] >= 0, part[name] + root, -1).astype(np.int32)
                if name in ("left", "right")
                else part[name]
                for part, root in zip(parts, roots, strict=True)
            ]
            joined[name] = np.concatenate(shifted)
        return cls(roots=roots, **joined, baseline=baseline)


_ARRAYS = ("roots", "feature", "threshold", "missing_left", "left", "right", "value")


def _average_path(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean depth of an unsuccessful search in a binary tree of `rows` rows."""
    safe = np.maximum(rows, 2.0)
    many = 2.0 * (np.log(safe - 1.0) + np.euler_gamma) - 2.0 * (safe - 1.0) / safe
    return np.where(rows <= 1, 0.0, np.where(rows == 2, 1.0, many))
