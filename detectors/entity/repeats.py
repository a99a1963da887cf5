"""Signs that repeat: how often an entity's claims carry a kind of sign, over how often like claims do.

One sign can be chance or a slip; the same one on claim after claim is a manner. And a sign that nearly all claims carry
says nothing of who sends them. Kinds are schemes, so that two rules about one thing count once. Frozen at training:
an entity's answer needs its own claims alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

LEAST_PRIOR = 1.0  # claims with a sign, beyond the usual ones, that make the ratio two, where entities differ most
PRIOR_EVIDENCE = 10.0  # sum of squared usual counts at which what was seen of a scheme outweighs that prior
POWER = 3.0  # log-odds of a sign that is certain, for each factor of e that it is seen more often than usual
UNSEEN = 1e-6  # share of claims with a scheme that no claim of the training had


@dataclass(frozen=True)
class Repeats:
    """Of one level: the share of claims of each care type that carry each scheme, and how much entities differ in it.

    `priors` holds, by scheme, the Gamma prior in claims with the sign: large where entities hardly differ beyond
    chance, so that a scheme which falls on claims at random never makes anyone odd.
    """

    rates: Mapping[str, Mapping[str, float]] = field(default_factory=dict[str, "Mapping[str, float]"])
    priors: Mapping[str, float] = field(default_factory=dict[str, float])

    @classmethod
    def fit(cls, claims: pl.DataFrame, carried: pl.DataFrame, parts: pl.DataFrame, signs: pl.DataFrame) -> Self:
        """Learn from the claims of the training.

        Args:
            claims: care, claims: how many there are of each care type.
            carried: scheme, care, claims: how many of them carry the scheme.
            parts: as in `judge`, of all entities.
            signs: as in `judge`, of all entities.
        """
        found: dict[str, dict[str, float]] = {}
        rows = carried.join(claims.rename({"claims": "of"}), on="care").sort("scheme", "care")
        for scheme, care, share in rows.select("scheme", "care", pl.col("claims") / pl.col("of")).iter_rows():
            found.setdefault(scheme, {})[care] = round(float(share), 9)
        known = cls(found)
        # sums of squares over all entities, also those without the sign, from their sums by pairs of care types
        pairs = (
            parts.join(parts, on="entity_id", suffix="_other")
            .group_by("care", "care_other")
            .agg(product=(pl.col("part") * pl.col("part_other")).sort().sum())
            .sort("care", "care_other")
        )
        gram = {(care, other): float(product) for care, other, product in pairs.iter_rows()}
        observed = (
            known._usual(parts, signs)
            .group_by("scheme")
            .agg(
                beside=((pl.col("seen") ** 2) - pl.col("seen") - 2.0 * pl.col("seen") * pl.col("usual")).sort().sum(),
            )
            .sort("scheme")
        )
        priors: dict[str, float] = {}
        for scheme, beside in observed.iter_rows():
            by_care = found.get(scheme, {})
            square = sum(a * b * gram.get((c, d), 0.0) for c, a in by_care.items() for d, b in by_care.items())
            between = (beside + square + PRIOR_EVIDENCE / LEAST_PRIOR) / (square + PRIOR_EVIDENCE)
            priors[scheme] = round(max(1.0 / between if between > 1e-9 else 1e9, LEAST_PRIOR), 6)
        return cls(found, priors)

    def _usual(self, parts: pl.DataFrame, signs: pl.DataFrame) -> pl.DataFrame:
        """`signs` with `usual`, the claims of so many that carry the scheme elsewhere; sorted."""
        known = [(scheme, care, rate) for scheme, by_care in self.rates.items() for care, rate in by_care.items()]
        rates = pl.DataFrame(known, schema={"scheme": pl.String, "care": pl.String, "rate": pl.Float64}, orient="row")
        usual = (
            signs.select("entity_id", "scheme")
            .join(parts, on="entity_id")
            .join(rates, on=["scheme", "care"], how="left")
            .group_by("entity_id", "scheme")
            .agg(usual=(pl.col("part") * pl.col("rate").fill_null(UNSEEN)).sort().sum().round(9))
        )
        return signs.join(usual, on=["entity_id", "scheme"]).sort("entity_id", "scheme")

    def judge(self, parts: pl.DataFrame, signs: pl.DataFrame) -> pl.DataFrame:
        """One row an entity and scheme it has, by these.

        Args:
            parts: entity_id, care, part: the claims of each entity by care type, a part of a claim counting as one.
            signs: entity_id, scheme, seen (claims with it, counted alike), likelihood (that such a sign holds, 0 to 1).

        Columns: entity_id, scheme, seen, usual (claims of so many that carry it elsewhere), ratio (drawn towards 1),
        tail (chance of as many), weight (log-odds, from 0: fewer than usual clear nobody; of the schemes of one entity
        the second counts for less, by the root of its place, for signs keep company).
        """
        rows = self._usual(parts, signs)
        prior = pl.col("scheme").replace_strict(self.priors, default=LEAST_PRIOR, return_dtype=pl.Float64)
        rows = rows.with_columns(ratio=((pl.col("seen") + prior) / (pl.col("usual") + prior)).round(6)).with_columns(
            pl.Series("tail", _tail(rows["seen"].to_numpy(), rows["usual"].to_numpy())).round(9),
            full=(POWER * pl.col("likelihood") * pl.col("ratio").log()).clip(0.0),
        )
        rows = rows.sort("entity_id", "full", "scheme", descending=[False, True, False])
        place = pl.int_range(1, pl.len() + 1).over("entity_id")
        rows = rows.with_columns(weight=(pl.col("full") / place.cast(pl.Float64).sqrt()).round(6))
        return rows.select("entity_id", "scheme", "seen", "usual", "ratio", "tail", "weight").sort(
            "entity_id", "scheme"
        )

    def as_json(self) -> dict[str, Any]:
        """For the bundle."""
        rates = {scheme: dict(by_care) for scheme, by_care in self.rates.items()}
        return {"rates": rates, "priors": dict(self.priors)}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """Read back what `as_json` gave."""
        return cls(**kept)


def _tail(seen: np.ndarray[Any, Any], usual: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Chance that a Poisson number with mean `usual` reaches `seen`; of parts of claims the continuous form."""
    from scipy.special import gammainc

    return np.where(seen > 0, gammainc(np.maximum(seen, 1e-9), usual), 1.0)
