"""Observed over expected: what an entity's claims cost, over what they should have cost, with limits that size earns.

The ratio is drawn towards everyone's where claims are few (Gamma-Poisson): money counts in units of its own scatter, so
that two dear claims make no dear doctor. Entities differ for reasons that no claim tells, so even the largest keeps
limits of its own: the funnel does not close (overdispersion). Frozen at training: an entity's answer needs its own sums
alone.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

MIN_ENTITIES = 10  # fewer say nothing of how entities differ
TRIM = 0.05  # part of the entities at either end that is left out: the strange must not widen what is usual
USUAL_TAIL = 0.025  # beyond this is outside the limits of 95 %
MIN_BETWEEN = 0.0025  # variance of ratios that is granted to everyone: five parts in a hundred
MAX_BETWEEN = 0.25

COLUMNS: tuple[str, ...] = ("observed", "expected", "square")
"""Read of each entity: VND paid, VND expected, the sum of squares of their difference by claim."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedExpected:
    """What is usual among the entities of one level."""

    usual: float = 1.0  # observed over expected of all together
    scatter: float = 0.0  # VND: variance of an entity's observed VND over its expected; 0: nothing was learned
    between: float = MIN_BETWEEN  # variance of the entities' own ratios, beyond the scatter of their claims
    entities: int = 0  # learned from

    @classmethod
    def fit(cls, sums: pl.DataFrame) -> Self:
        """Learn from one row an entity with `COLUMNS`; from too few nothing, and then nothing is ever dear."""
        seen = sums.select(COLUMNS).cast(pl.Float64).drop_nulls().filter(pl.col("expected") > 0)
        if seen.height < MIN_ENTITIES:
            return cls()
        observed, expected, squares = (float(seen[name].sum()) for name in COLUMNS)
        usual, scatter = observed / expected, squares / expected
        if usual <= 0 or scatter <= 0:
            return cls()
        ratio = (seen["observed"] / seen["expected"]).to_numpy() / usual
        noise = scatter / (usual**2 * seen["expected"].to_numpy())
        ends = np.quantile(ratio, [TRIM, 1.0 - TRIM])
        inside = (ratio >= ends[0]) & (ratio <= ends[1])
        weight = 1.0 / (noise[inside] + MIN_BETWEEN)  # small entities say little of how large ones differ
        between = float(np.average((ratio[inside] - 1.0) ** 2 - noise[inside], weights=weight))
        return cls(
            usual=round(usual, 9),
            scatter=round(scatter, 2),
            between=round(float(np.clip(between, MIN_BETWEEN, MAX_BETWEEN)), 9),
            entities=seen.height,
        )

    def judge(self, sums: pl.DataFrame) -> pl.DataFrame:
        """For each row of `sums`, in its order.

        Columns: ratio (drawn towards 1, over everyone's), high (the ratio that 97.5 in 100 such entities stay under),
        tail (chance of one so dear), excess (VND above expectation times everyone's ratio). Where nothing was learned
        or expected: 1, null, 1 and 0.
        """
        observed, expected = (sums[name].cast(pl.Float64).fill_null(0.0).to_numpy() for name in COLUMNS[:2])
        able = (expected > 0) & (self.scatter > 0)
        usual = np.where(able, expected * self.usual, 1.0)
        noise = self.scatter / (self.usual * usual) if self.scatter > 0 else np.ones(len(usual))
        raw = np.where(able, observed / usual, 1.0)
        keep = self.between / (self.between + noise)
        tail, high = _limits(raw, self.between + noise)
        return pl.DataFrame(
            {
                "ratio": np.where(able, 1.0 + keep * (raw - 1.0), 1.0),
                "high": np.where(able, high, np.nan),
                "tail": np.where(able, tail, 1.0),
                "excess": np.where(able, observed - usual, 0.0),
            }
        ).with_columns(
            pl.col("ratio").round(6), pl.col("high").fill_nan(None).round(6), pl.col("tail").round(9),
            pl.col("excess").round(2),
        )  # fmt: skip

    def as_json(self) -> dict[str, Any]:
        """For the bundle."""
        return asdict(self)

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """Read back what `as_json` gave."""
        return cls(**kept)


def _limits(
    ratio: NDArray[np.float64], variance: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Tail of each ratio and the upper limit, of a Gamma distribution with mean 1 and that variance."""
    from scipy.special import gammaincc, gammainccinv

    shape = 1.0 / np.clip(variance, 1e-6, 1e6)
    tail = gammaincc(shape, shape * np.maximum(ratio, 0.0))
    return np.maximum(tail, 1e-12), gammainccinv(shape, USUAL_TAIL) / shape
