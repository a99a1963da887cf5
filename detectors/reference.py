"""A frozen reference: where a value lies among those seen in training, without keeping any of them.

PyOD's ECOD re-ranks every batch it scores, so one claim's score moves with its company; here the empirical distribution
is fixed at training as a grid of quantiles, dense in the upper tail, and beyond the largest one the tail is continued
as an exponential, so that stranger is always rarer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

UPPER_TAILS = np.concatenate(
    [np.linspace(1.0, 0.1, 91), np.geomspace(0.1, 1e-3, 61)[1:], np.geomspace(1e-3, 1e-5, 21)[1:]]
)
"""Tail probabilities at which the reference keeps a value."""


@dataclass(frozen=True)
class TailReference:
    """Values at the probabilities of `UPPER_TAILS`, learned from `rows` rows."""

    values: NDArray[np.float64]
    rows: int

    @classmethod
    def fit(cls, sample: NDArray[np.float64]) -> Self:
        """Learn from a sample without its missing values; from an empty one nothing will ever be odd."""
        seen = sample[~np.isnan(sample)]
        if not seen.size:
            return cls(np.full(UPPER_TAILS.shape, np.inf), 0)
        return cls(np.quantile(seen, 1.0 - UPPER_TAILS, method="higher"), int(seen.size))

    def probability(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Chance of a value at least `x`, 1 for missing ones and where the reference is constant and `x` equals it."""
        if not self.rows:
            return np.ones(x.shape)
        floor = max(1.0 / (self.rows + 1.0), float(UPPER_TAILS[-1]))
        position = np.searchsorted(self.values, x, side="left")
        # a value between two kept ones lies on the line between their log probabilities
        low = np.clip(position - 1, 0, UPPER_TAILS.size - 1)
        high = np.clip(position, 0, UPPER_TAILS.size - 1)
        gap = self.values[high] - self.values[low]
        share = np.where(gap > 0, (x - self.values[low]) / np.where(gap > 0, gap, 1.0), 1.0)
        share = np.clip(share, 0.0, 1.0)
        log_tail = np.log(UPPER_TAILS[low]) * (1 - share) + np.log(UPPER_TAILS[high]) * share
        tail = np.maximum(np.exp(log_tail), floor)
        tail = np.where(position == 0, 1.0, tail)
        spread = self.values[-1] - self.values[90]  # from the 90th percentile to the top
        beyond = (x - self.values[-1]) / spread if spread > 0 else np.zeros(x.shape)
        tail = np.where(x > self.values[-1], floor * np.exp(-np.minimum(np.maximum(beyond, 0.0) * 2.3, 20.0)), tail)
        return np.where(np.isnan(x), 1.0, tail)


def log_odds_shares(score: NDArray[np.float64], parts: NDArray[np.float64]) -> NDArray[np.float64]:
    """The log-odds of each row's score, divided as the row's `parts` are (0 or more); evenly where all are nought."""
    total = parts.sum(axis=1, keepdims=True)
    share = np.where(total > 0, parts / np.where(total > 0, total, 1.0), 1.0 / parts.shape[1])
    safe = np.clip(score, 1e-6, 1.0 - 1e-6)
    return share * np.log(safe / (1.0 - safe))[:, None]
