"""Intervals by drawing facilities again: improper claims cluster in facilities, so claims are not drawn one by one.

A resample draws as many facilities as there are, with replacement; each brings all its claims as often as it was drawn.
All rankings are held against the same resamples, so that a ratio of two of them is paired. With few facilities, or a
few large claims, the intervals are themselves uncertain, and too narrow rather than too wide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from models.evaluation.measures import FIGURES, MAIN, counted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.evaluation.measures import Floats, Ints, Labelled

RESAMPLES = 200
LEVEL = 95  # per cent of the resamples that an interval holds
MIN_CLUSTERS = 5  # drawing fewer facilities again says nothing
Drawn = Mapping[str, "Floats"]  # figure -> its value in each resample


def weights(clusters: int, resamples: int, *, seed: int) -> Ints:
    """How often each cluster is drawn in each resample: a row a resample, its sum the number of clusters."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(clusters, np.full(clusters, 1 / clusters), size=resamples).astype(np.int64)


def resampled(scores: Sequence[Floats], labelled: Labelled, facility: NDArray[np.int64], drawn: Ints) -> Drawn:
    """Figures of a ranking in each resample; `facility` is the cluster of each row, a column of `drawn`.

    A ranking that is itself drawn by lot comes as several `scores`; the resamples then take them in turn, so that the
    interval holds both lots.
    """
    found = {name: np.full(len(drawn), np.nan) for name in FIGURES}
    for number, given in enumerate(scores):
        order = labelled.order(given)
        money, cluster = labelled.money[order], facility[order]
        for resample in range(number, len(drawn), len(scores)):
            for name, value in counted(money, drawn[resample][cluster]).items():
                found[name][resample] = value
    return found


def interval(values: Floats) -> tuple[float, float]:
    """The middle `LEVEL` per cent of the resamples that could be measured; NaN when none could."""
    known = values[np.isfinite(values)]
    if not len(known):
        return (np.nan, np.nan)
    low, high = np.percentile(known, [(100 - LEVEL) / 2, (100 + LEVEL) / 2])
    return float(low), float(high)


def ratio(ours: Drawn, others: Mapping[str, Drawn]) -> Floats:
    """Ours over the best of the others at the main budget, in each resample.

    The best is chosen anew in each: a baseline that was only lucky on these very claims is not left to stand for all.
    """
    figure = f"money_found_{MAIN:.0%}"
    best = np.max([drawn[figure] for drawn in others.values()], axis=0)
    return np.divide(ours[figure], best, out=np.full(len(best), np.nan), where=best > 0)
