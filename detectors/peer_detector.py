"""A detector with one model a peer group: features on the group's own scale, scores as the group's own tail.

What a model is and how it judges is for the subclass (`learn`, `judge`); here is what all of them promise: a blank is
never odd, a wild value never infinite, a row's score never moved by its batch, and nothing kept but arrays and JSON.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import polars as pl

from detectors.base import DetectorState
from detectors.peer_groups import PeerGroups
from detectors.reference import TailReference, log_odds_shares
from detectors.size_free import NEEDS, SIZE_FREE
from features.names import NAMES, UNITS
from features.peers import NORMAL_MAD, NORMAL_P90

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from features.base import Level

Arrays = Mapping[str, "NDArray[Any]"]

LEAST_ROWS = 100  # from fewer rows nothing is learned, and then nothing is odd: silence beats a noisy tail
MAX_ROWS = 20_000  # rows a group's model and tail are learned from: more cost time and move no threshold

_CENTRE, _SPREAD, _TAIL = "centre", "spread", "tail"  # beside what `learn` gives


@dataclass(frozen=True)
class PeerModel:
    """What is kept of one peer group."""

    centre: NDArray[np.float64]  # of each feature, on its scale of comparison
    spread: NDArray[np.float64]
    learned: Arrays
    tail: TailReference  # of the raw scores in training


class PeerDetector(ABC):
    """A `Detector` by peer group. A subclass has a `name` and says what it learns and how it judges."""

    name: str
    version: int = 1
    level: Level = "encounter"
    needs: tuple[str, ...] = NEEDS
    features: ClassVar[tuple[str, ...]] = SIZE_FREE
    in_bundle: ClassVar[bool] = True  # whether training puts it into the bundle: `python -m benchmarks outliers`

    def __init__(
        self, feature_names: tuple[str, ...] | None = None, models: Mapping[str, PeerModel] | None = None, seed: int = 0
    ) -> None:
        """Models by peer group; empty before `fit`."""
        self.feature_names = self.features if feature_names is None else feature_names
        self._models = dict(models or {})
        self._groups = PeerGroups(tuple(sorted(self._models)))
        self._seed = seed

    @abstractmethod
    def learn(self, z: NDArray[np.float64], *, seed: int) -> Arrays:
        """What to keep of a group's rows, robustly scaled and without blanks: arrays, no row of `z` among them."""

    @abstractmethod
    def judge(self, group: str, learned: Arrays, z: NDArray[np.float64]) -> NDArray[np.float64]:
        """Raw scores of the rows of `z`, higher is stranger, each from its own row and `learned` alone."""

    def fit(self, x: pl.DataFrame, *, seed: int) -> Self:
        """Learn every peer group with enough rows, and all rows together. Deterministic for one seed."""
        values = self._values(x)
        self._seed, self._models = seed, {}
        self._groups = PeerGroups.fit(x)
        for group, rows in self._groups.everyone(x):
            if rows.size > MAX_ROWS:
                rows = np.sort(np.random.default_rng(seed).permutation(rows)[:MAX_ROWS])  # noqa: PLW2901
            centre, spread = _robust(values[rows], self.feature_names)
            z = _scaled(values[rows], centre, spread)
            if rows.size < LEAST_ROWS:
                self._models[group] = PeerModel(centre, spread, {}, TailReference.fit(np.empty(0)))
                continue
            learned = self.learn(z, seed=seed)
            raw = self.judge(group, learned, z)
            tail = TailReference.fit(np.where(np.isfinite(raw), raw, np.nan))
            self._models[group] = PeerModel(centre, spread, learned, tail)
        return self

    def score(self, x: pl.DataFrame) -> pl.Series:
        """One minus the chance of so strange a row among its peers."""
        tail = np.ones(x.height)
        for group, rows, z in self._by_group(x):
            tail[rows] = self._tail(group, self._raw(group, z))
        return pl.Series(self.name, 1.0 - tail).round(6)

    def contributions(self, x: pl.DataFrame) -> pl.DataFrame:
        """The score's log-odds, divided among the features by what setting each to its usual value would change."""
        gain = np.zeros((x.height, len(self.feature_names)))
        for group, rows, z in self._by_group(x):
            raw = self._raw(group, z)
            for position in range(z.shape[1]):
                usual = z.copy()
                usual[:, position] = 0.0
                gain[rows, position] = np.maximum(raw - self._raw(group, usual), 0.0)
        shares = log_odds_shares(self.score(x).to_numpy(), gain)
        return pl.DataFrame(shares, schema=list(self.feature_names))

    def state(self) -> DetectorState:
        """The arrays of every group, numbered in the order of the groups' names: a bundle keeps no other."""
        self._check_fitted()
        models = dict(sorted(self._models.items()))
        arrays: dict[str, NDArray[Any]] = {}
        for at, model in enumerate(models.values()):
            own = {_CENTRE: model.centre, _SPREAD: model.spread, _TAIL: model.tail.values, **model.learned}
            arrays |= {f"{at}/{name}": array for name, array in own.items()}
        meta = {
            "version": self.version,
            "feature_names": list(self.feature_names),
            "seed": self._seed,
            "groups": {group: model.tail.rows for group, model in models.items()},
        }
        return DetectorState(kind=self.name, meta=meta, arrays=arrays)

    @classmethod
    def from_state(cls, state: DetectorState) -> Self:
        """Read back what `state` gave."""
        models: dict[str, PeerModel] = {}
        groups = sorted(state.meta["groups"].items())
        parts: list[dict[str, NDArray[Any]]] = [{} for _ in groups]
        for name, array in state.arrays.items():
            at, _, part = name.partition("/")
            parts[int(at)][part] = array
        for (group, rows), own in zip(groups, parts, strict=True):
            centre, spread, tail = (own.pop(part) for part in (_CENTRE, _SPREAD, _TAIL))
            models[group] = PeerModel(centre, spread, own, TailReference(tail, rows))
        return cls(tuple(state.meta["feature_names"]), models, state.meta["seed"])

    def _by_group(self, x: pl.DataFrame) -> Iterator[tuple[str, NDArray[np.intp], NDArray[np.float64]]]:
        self._check_fitted()
        values = self._values(x)
        for group, rows in self._groups.members(x):
            model = self._models[group]
            yield group, rows, _scaled(values[rows], model.centre, model.spread)

    def _raw(self, group: str, z: NDArray[np.float64]) -> NDArray[np.float64]:
        """Raw scores, finite: what a model calls infinitely strange is beyond all it saw, what it cannot say is not."""
        model = self._models[group]
        if not model.tail.rows:
            return np.zeros(z.shape[0])
        raw = self.judge(group, model.learned, z)
        bottom, top = model.tail.values[[0, -1]]
        return np.nan_to_num(raw, nan=bottom - 1.0, posinf=top + abs(top) + 1.0, neginf=bottom - 1.0)

    def _tail(self, group: str, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._models[group].tail.probability(raw)

    def _values(self, x: pl.DataFrame) -> NDArray[np.float64]:
        """The features on their scale of comparison, NaN where blank."""
        return x.select(
            _compared(name).fill_nan(None).replace([np.inf, -np.inf], None).fill_null(np.nan).alias(name)
            for name in self.feature_names
        ).to_numpy()

    def _check_fitted(self) -> None:
        if not self._models:
            raise RuntimeError(f"the {self.name} detector has not been fitted")


def _compared(name: str) -> pl.Expr:
    """Money and quantities count by their logarithm; a column that is no feature of ours is taken as it is."""
    value = pl.col(name).cast(pl.Float64)
    unit = UNITS[NAMES[name].unit] if name in NAMES else None
    return value.clip(lower_bound=0.0).log1p() if unit and unit.logarithmic else value


def _robust(values: NDArray[np.float64], names: tuple[str, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centre and spread of each column, as `features.peers` takes them: most counts are nought, most prices equal."""
    centre, spread = np.zeros(len(names)), np.ones(len(names))
    for at, name in enumerate(names):
        seen = values[~np.isnan(values[:, at]), at]
        if not seen.size:
            continue
        centre[at] = np.median(seen)
        away = np.median(np.abs(seen - centre[at])) * NORMAL_MAD
        above = (np.quantile(seen, 0.9) - centre[at]) / NORMAL_P90
        floor = UNITS[NAMES[name].unit].floor if name in NAMES else 0.0
        spread[at] = max(float(away), float(above), floor) or float(seen.std()) or 1.0
    return centre, spread


def _scaled(
    values: NDArray[np.float64], centre: NDArray[np.float64], spread: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How far from usual, in spreads; logarithmic far out, so that one wild cell does not drown the rest."""
    return np.arcsinh(np.where(np.isnan(values), 0.0, (values - centre) / spread))
