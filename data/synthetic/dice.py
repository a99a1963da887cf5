"""Random draws, quickly: numpy's generator read in blocks, handed out one number at a time.

A scalar call of the generator costs a microsecond; a claim needs hundreds. The stream depends on the seed alone.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import TypeVar

import numpy as np

T = TypeVar("T")
BLOCK = 1 << 15


class Dice:
    """A stream of draws fixed by its seed (any number of integers)."""

    def __init__(self, *seed: int) -> None:
        self._rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))
        self._flat: Iterator[float] = iter(())
        self._bell: Iterator[float] = iter(())

    def chance(self) -> float:
        """A number in [0, 1)."""
        for value in self._flat:
            return value
        self._flat = iter(self._rng.random(BLOCK).tolist())
        return next(self._flat)

    def normal(self) -> float:
        """A standard normal deviate."""
        for value in self._bell:
            return value
        self._bell = iter(self._rng.standard_normal(BLOCK).tolist())
        return next(self._bell)

    def hit(self, probability: float) -> bool:
        """Whether something of this probability happens."""
        return self.chance() < probability

    def between(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both possible."""
        return low + int(self.chance() * (high - low + 1))

    def lognormal(self, median: float, spread: float) -> float:
        """A skewed positive number: `spread` is the deviation of its logarithm."""
        return median * math.exp(spread * self.normal())

    def pick(self, items: Sequence[T]) -> T:
        """One of `items`, all alike."""
        return items[int(self.chance() * len(items))]

    def weighted(self, items: Sequence[T], totals: Sequence[float]) -> T:
        """One of `items`; `totals` are their running weights."""
        return items[min(bisect_right(totals, self.chance() * totals[-1]), len(items) - 1)]

    def sample(self, items: Sequence[T], count: int) -> list[T]:
        """`count` different ones of `items`, in random order."""
        pool = list(items)
        return [pool.pop(int(self.chance() * len(pool))) for _ in range(min(count, len(pool)))]


def running(weights: Sequence[float]) -> list[float]:
    """Running totals of weights, as `Dice.weighted` wants them."""
    return list(accumulate(weights))
