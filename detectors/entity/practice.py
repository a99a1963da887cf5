"""Practice: how often an entity does what its peers do seldom, and where that places it among them.

A share is compared stratum by stratum (the same diagnoses, the same drugs), drawn towards its peers' where counts are
few, and then placed in the frozen distribution of the peers' own: hospitals differ for good reasons, so only a place
far out in it says anything, and with few peers nothing does. Fewer than usual is never odd here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import polars as pl

from detectors.entity.repeats import Repeats
from detectors.reference import TailReference
from detectors.statistical.expected_cost import strength_of

if TYPE_CHECKING:
    from collections.abc import Mapping

PRIOR_HITS = 5.0  # hits, beyond the usual ones, that make the ratio two
MIN_TRIALS = 30.0  # counted cases: fewer are no practice
MIN_PEERS = 30  # entities with as many: fewer give no distribution


@dataclass(frozen=True, slots=True, kw_only=True)
class Practice:
    """One measure: what is counted is the caller's; here are its names and its worth."""

    name: str
    rule: str  # row of the official list it is built from
    scheme: str
    levels: tuple[str, ...]
    weight: float  # log-odds of the strangest place
    text_vi: str  # takes the part in per cent, the peers' part, the peers
    text_en: str


@dataclass(frozen=True)
class PracticeReference:
    """What is usual of one measure on one level."""

    usual: Repeats
    tail: TailReference

    @classmethod
    def fit(cls, counts: pl.DataFrame) -> Self:
        """Learn from `counts`: entity_id, stratum, trials, hits."""
        parts, signs = _halves(counts)
        claims = parts.group_by("care").agg(claims=pl.col("part").sort().sum())
        hits = counts.group_by(care="stratum").agg(claims=pl.col("hits").sort().sum())
        rates = Repeats.fit(claims, hits.with_columns(scheme=pl.lit("")), parts, signs).rates
        usual = Repeats(rates, {"": PRIOR_HITS})  # how peers differ is the distribution's to say
        return cls(usual, TailReference.fit(_log_ratio(usual, parts, signs)["log_ratio"].to_numpy()))

    @property
    def peers(self) -> int:
        """Entities that were learned from."""
        return self.tail.rows

    def judge(self, counts: pl.DataFrame) -> pl.DataFrame:
        """Of each entity with cases enough: entity_id, share, usual (peers' share), tail, strength (0 to 1)."""
        rows = _log_ratio(self.usual, *_halves(counts))
        if self.peers < MIN_PEERS or not rows.height:
            return rows.clear().select("entity_id", "share", "usual", tail="share", strength="share")
        tail = np.where(rows["log_ratio"].to_numpy() > 0, self.tail.probability(rows["log_ratio"].to_numpy()), 1.0)
        return rows.select(
            "entity_id",
            "share",
            "usual",
            pl.Series("tail", tail).round(9),
            pl.Series("strength", strength_of(tail, alone=False)).round(6),
        )

    def as_json(self) -> dict[str, Any]:
        """For the bundle."""
        values = [None if np.isinf(value) else round(float(value), 9) for value in self.tail.values]
        return {"usual": self.usual.as_json(), "values": values, "rows": self.tail.rows}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """Read back what `as_json` gave."""
        values = np.array([np.inf if value is None else value for value in kept["values"]], dtype=np.float64)
        return cls(Repeats.from_json(kept["usual"]), TailReference(values, kept["rows"]))


def _halves(counts: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    parts = counts.select("entity_id", care="stratum", part="trials").sort("entity_id", "care")
    signs = counts.group_by("entity_id").agg(seen=pl.col("hits").sort().sum()).sort("entity_id")
    return parts, signs.with_columns(scheme=pl.lit(""), likelihood=pl.lit(1.0))


def _log_ratio(usual: Repeats, parts: pl.DataFrame, signs: pl.DataFrame) -> pl.DataFrame:
    trials = parts.group_by("entity_id").agg(trials=pl.col("part").sort().sum())
    rows = usual.judge(parts, signs).join(trials, on="entity_id").filter(pl.col("trials") >= MIN_TRIALS)
    return rows.select(
        "entity_id",
        share=(pl.col("seen") / pl.col("trials")).round(6),
        usual=(pl.col("usual") / pl.col("trials")).round(6),
        log_ratio=pl.col("ratio").log().round(9),
    ).sort("entity_id")
