"""Frozen tails: how far out a claim lies on each feature among claims of its care type, added up.

The idea is ECOD's (Li et al., "ECOD: Unsupervised Outlier Detection Using Empirical Cumulative Distribution Functions",
TKDE 2022), right tail only, but against a reference frozen at training and kept per care type: a claim's score depends
on its own row and never on its batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import polars as pl

from detectors.base import DetectorState
from detectors.reference import TailReference, log_odds_shares
from detectors.size_free import NEEDS, SIZE_FREE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from features.base import Level

PEER = "ma_loai_kcb"
MIN_PEERS = 300  # fewer rows of a care type cannot tell one in a thousand


class TailDetector:
    """Sum of log tail probabilities over `feature_names`, calibrated by its own frozen reference."""

    name = "tails"
    version = 1
    level: Level = "encounter"
    needs: tuple[str, ...] = NEEDS
    in_bundle: ClassVar[bool] = True

    def __init__(
        self,
        feature_names: tuple[str, ...] = SIZE_FREE,
        tails: Mapping[str, Mapping[str, TailReference]] | None = None,
        totals: Mapping[str, TailReference] | None = None,
    ) -> None:
        """References by care type ("" is all of them), then by feature; empty before `fit`."""
        self.feature_names = feature_names
        self._tails = dict(tails or {})
        self._totals = dict(totals or {})

    def fit(self, x: pl.DataFrame, *, seed: int) -> Self:  # noqa: ARG002 - nothing here is random
        """Freeze the reference of every feature for every care type with enough rows, and for all together."""
        groups = {"": x}
        for (peer,), rows in x.sort(PEER).group_by([PEER], maintain_order=True):
            if peer is not None and rows.height >= MIN_PEERS:
                groups[str(peer)] = rows
        for peer, rows in groups.items():
            self._tails[peer] = {name: TailReference.fit(_column(rows, name)) for name in self.feature_names}
            parts = [-np.log(self._tails[peer][name].probability(_column(rows, name))) for name in self.feature_names]
            self._totals[peer] = TailReference.fit(np.sum(parts, axis=0))
        return self

    def score(self, x: pl.DataFrame) -> pl.Series:
        """One minus the chance of so strange a row among its care type."""
        return pl.Series(self.name, 1.0 - self._tail(x)[1]).round(6)

    def contributions(self, x: pl.DataFrame) -> pl.DataFrame:
        """The score's log-odds, divided among the features as their log tails are."""
        parts, tail = self._tail(x)
        return pl.DataFrame(log_odds_shares((1.0 - tail).round(6), parts), schema=list(self.feature_names))

    def _tail(self, x: pl.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        parts = np.zeros((x.height, len(self.feature_names)))
        tail = np.ones(x.height)
        values = {name: _column(x, name) for name in self.feature_names}
        known = x.select(pl.when(pl.col(PEER).is_in(list(self._tails))).then(PEER).fill_null(""))[PEER]
        for peer in known.unique().sort():
            rows = np.flatnonzero((known == peer).to_numpy())
            for position, name in enumerate(self.feature_names):
                parts[rows, position] = -np.log(self._tails[peer][name].probability(values[name][rows]))
            tail[rows] = self._totals[peer].probability(parts[rows].sum(axis=1))
        return parts, tail

    def state(self) -> DetectorState:
        """Quantile grids only."""
        arrays: dict[str, NDArray[Any]] = {}
        rows: dict[str, dict[str, int]] = {}
        for peer, tails in self._tails.items():
            rows[peer] = {"": self._totals[peer].rows}
            arrays[f"{peer}/"] = self._totals[peer].values
            for name, reference in tails.items():
                arrays[f"{peer}/{name}"] = reference.values
                rows[peer][name] = reference.rows
        meta = {"version": self.version, "feature_names": list(self.feature_names), "rows": rows}
        return DetectorState(kind=self.name, meta=meta, arrays=arrays)

    @classmethod
    def from_state(cls, state: DetectorState) -> Self:
        """Read back what `state` gave."""
        names = tuple(state.meta["feature_names"])
        rows: Mapping[str, Mapping[str, int]] = state.meta["rows"]
        return cls(
            names,
            {
                peer: {name: TailReference(state.arrays[f"{peer}/{name}"], counts[name]) for name in names}
                for peer, counts in rows.items()
            },
            {peer: TailReference(state.arrays[f"{peer}/"], counts[""]) for peer, counts in rows.items()},
        )


def _column(x: pl.DataFrame, name: str) -> NDArray[np.float64]:
    return x[name].cast(pl.Float64).fill_null(np.nan).to_numpy()


DETECTOR = TailDetector
