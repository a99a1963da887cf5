"""Pairs: whether an entity goes to one partner (a drug, a tender, a facility) far more often than its cases explain.

What is expected is the product of two margins, drawn together: how many cases the entity has of each stratum (care,
diagnosis), times how often cases of that stratum go to the partner elsewhere, which where few were seen is how often
cases go there at all. Entities differ for reasons that no claim tells, so the count is held against a negative binomial
law whose spread is learned of each partner; and as the strangest of very many pairs is always strange, the tail is
multiplied by the partners there are. Frozen at training: an entity's answer needs its own cases alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import polars as pl

from detectors.statistical.expected_cost import strength_of

PRIOR_CASES = 30.0  # cases of a stratum at which its own share weighs as much as the partner's share of all
PRIOR_SQUARE = 20.0  # sum of squared expected counts at which a partner's own spread weighs as much as everyone's
TRIM = 0.02  # part of a partner's entities, the strangest, that teach nothing of the spread
UNSEEN = 0.5  # cases, of all that were learned from, of an item that none of them went to
WHOLE = 1.4  # variance of a Gamma law over what is left of it without those, for variances from 0.1 to 0.3
MIN_BETWEEN = 0.05  # variance of ratios that is granted to every pair
MIN_CASES = 30.0  # fewer cases of an entity are no habit
MIN_ENTITIES = 10  # fewer give no spread


@dataclass(frozen=True, kw_only=True)
class PairReference:
    """How often cases go where, and how much entities differ in it."""

    cases: Mapping[str, float] = field(default_factory=dict[str, float])  # by stratum
    seen: Mapping[str, Mapping[str, float]] = field(
        default_factory=dict[str, "Mapping[str, float]"]
    )  # by item, stratum
    between: Mapping[str, float] = field(default_factory=dict[str, float])  # by item; "" of all
    entities: int = 0  # learned from

    @classmethod
    def fit(cls, cases: pl.DataFrame, hits: pl.DataFrame) -> Self:
        """Learn from `cases` (entity_id, stratum, cases) and `hits` (entity_id, partner, item, stratum, seen).

        What is counted is items; a partner of an entity is one or more of them.
        """
        by_stratum = cases.group_by("stratum").agg(pl.col("cases").sort().sum()).sort("stratum")
        by_item = hits.group_by("item", "stratum").agg(pl.col("seen").sort().sum()).sort("item", "stratum")
        seen: dict[str, dict[str, float]] = {}
        for item, stratum, number in by_item.iter_rows():
            seen.setdefault(item, {})[stratum] = round(number, 6)
        known = cls(cases=dict(by_stratum.iter_rows()), seen=seen, entities=cases["entity_id"].n_unique())
        pairs = known._expected(cases, hits.with_columns(partner="item"))
        return cls(cases=known.cases, seen=seen, between=_between(pairs), entities=known.entities)

    def judge(self, cases: pl.DataFrame, hits: pl.DataFrame, *, least: float) -> pl.DataFrame:
        """Of each entity with cases enough its strangest partner that has `least` of them, by entity.

        Columns: entity_id, partner, cases, seen, usual (as many as its cases explain), tail (chance of one partner of
        all so far above), strength (0 to 1). With too few entities learned from, none.
        """
        rows = self._expected(cases, hits).filter(
            pl.col("cases") >= MIN_CASES, pl.col("seen") >= least, pl.col("seen") > pl.col("usual")
        )
        if self.entities < MIN_ENTITIES:
            rows = rows.clear()
        everyone = self.between.get("", MIN_BETWEEN)
        spread = rows["item"].replace_strict(self.between, default=everyone, return_dtype=pl.Float64).to_numpy()
        tail = _tail(rows["seen"].to_numpy(), rows["usual"].to_numpy(), spread)
        tail = np.minimum(tail * max(len(self.seen), 1), 1.0)
        return (
            rows.with_columns(
                pl.Series("tail", tail, dtype=pl.Float64).round(9),
                pl.Series("strength", strength_of(tail, alone=False), dtype=pl.Float64).round(6),
            )
            .sort("entity_id", "tail", "seen", "partner", descending=[False, False, True, False])
            .unique("entity_id", keep="first", maintain_order=True)
            .select("entity_id", "partner", "cases", "seen", "usual", "tail", "strength")
        )

    def _expected(self, cases: pl.DataFrame, hits: pl.DataFrame) -> pl.DataFrame:
        """One row a pair that was seen: entity_id, partner, item (its commonest), cases, seen, usual."""
        strata = pl.DataFrame(list(self.cases.items()), schema={"stratum": pl.String, "of": pl.Float64}, orient="row")
        known = [(item, stratum, number) for item, by in self.seen.items() for stratum, number in by.items()]
        cells = pl.DataFrame(known, schema={"item": pl.String, "stratum": pl.String, "there": pl.Float64}, orient="row")
        total = max(sum(self.cases.values()), 1.0)
        shares = cells.group_by("item").agg(share=pl.col("there").sort().sum() / total)
        own = cases.join(strata, on="stratum", how="left").with_columns(pl.col("of").fill_null(0.0))
        own = own.with_columns(each=pl.col("cases") / (pl.col("of") + PRIOR_CASES))
        alike = own.group_by("entity_id").agg(
            pl.col("cases").sort().sum(), prior=PRIOR_CASES * pl.col("each").sort().sum()
        )
        items = hits.select("entity_id", "partner", "item").unique().sort("entity_id", "partner", "item")
        there = (
            items.join(cells, on="item")
            .join(own.select("entity_id", "stratum", "each"), on=["entity_id", "stratum"])
            .group_by("entity_id", "partner", "item")
            .agg(there=(pl.col("each") * pl.col("there")).sort().sum())
        )
        usual = (
            items.join(there, on=["entity_id", "partner", "item"], how="left")
            .join(shares, on="item", how="left")
            .join(alike, on="entity_id")
            .with_columns(
                usual=pl.col("there").fill_null(0.0) + pl.col("share").fill_null(UNSEEN / total) * pl.col("prior")
            )
            .group_by("entity_id", "partner")
            .agg(pl.col("cases").first(), pl.col("usual").sort().sum().round(9))
        )
        seen = hits.group_by("entity_id", "partner", "item").agg(pl.col("seen").sort().sum())
        seen = seen.sort("entity_id", "partner", "seen", "item", descending=[False, False, True, False])
        seen = seen.group_by("entity_id", "partner", maintain_order=True).agg(
            pl.col("item").first(), pl.col("seen").sum()
        )
        return seen.join(usual, on=["entity_id", "partner"]).sort("entity_id", "partner")

    def as_json(self) -> dict[str, Any]:
        """For the bundle."""
        seen = {item: dict(by) for item, by in self.seen.items()}
        return {"cases": dict(self.cases), "seen": seen, "between": dict(self.between), "entities": self.entities}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """Read back what `as_json` gave."""
        return cls(**kept)


def _between(pairs: pl.DataFrame) -> dict[str, float]:
    """Variance of ratios beyond chance, by item and under "" of all, from the pairs that were seen.

    That pairs with nothing seen are left out makes it larger, never smaller: who never gives a drug is no measure of
    how much those differ who do.
    """
    odd = (pl.col("seen") - pl.col("usual")) / (pl.col("usual") + 1.0)
    kept = pairs.filter(pl.col("usual") >= 0.5).with_columns(
        place=odd.rank("ordinal", descending=True).over("item"), of=pl.len().over("item")
    )
    kept = kept.filter(pl.col("place") > (TRIM * pl.col("of")).ceil())
    sums = (
        kept.group_by("item")
        .agg(
            beside=WHOLE * ((pl.col("seen") - pl.col("usual")) ** 2 - pl.col("seen")).sort().sum(),
            square=(pl.col("usual") ** 2).sort().sum(),
        )
        .sort("item")
    )
    square = float(sums["square"].sum())
    everyone = max(float(sums["beside"].sum()) / square if square > 0 else 0.0, MIN_BETWEEN)
    own = (pl.col("beside") + everyone * PRIOR_SQUARE) / (pl.col("square") + PRIOR_SQUARE)
    rows = sums.select("item", own.clip(lower_bound=MIN_BETWEEN).round(6))
    return {"": round(everyone, 6), **dict(rows.iter_rows())}


def _tail(
    seen: np.ndarray[Any, Any], usual: np.ndarray[Any, Any], spread: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """Chance that a negative binomial number with mean `usual` and variance `usual + spread usual^2` reaches `seen`."""
    from scipy.special import betainc

    usual = np.maximum(usual, 1e-9)
    return betainc(np.maximum(seen, 1e-9), 1.0 / spread, usual * spread / (1.0 + usual * spread))
