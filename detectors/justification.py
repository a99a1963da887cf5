"""What a diagnosis justifies: how often an item is given to those who have it, learned once and frozen.

An item needs only one reason: the best of all diagnoses of the claim, main or other, counts. The estimate is the most
the share may be, not the likeliest: a diagnosis seen a few times justifies everything, one never seen too. Age, sex,
department and facility rank can only excuse, and so can a lasting diagnosis of the patient's past, if it is known to
go with the item: everybody had something rare once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import polars as pl

from detectors.frozen import frame_arrays, frame_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

MIN_ITEM = 30  # claims of training with the item, in or out of hospital; below this nothing is known of it
COMMON = 0.3  # an item that so many get whatever they have says nothing of their disease
UNLIKELY = 0.05  # the most that the item's share may be with the best diagnosis
LIFT = 0.5  # ... and with it in comparison with all claims: an item that is rare with every disease says nothing
DOUBT = 1.5  # unseen claims with the item that each diagnosis is granted: with n seen, a share of 1.5 / n is possible
MIN_GIVEN = 3  # claims with the item that make an earlier diagnosis a reason for it
FACETS = ("sex", "age_band", "department", "rank")
FACET_PRIOR = 50.0  # claims: a department or age band seen so often counts for half against all
MAX_EXCUSE = 10.0

_PAIR: Mapping[str, pl.DataType] = {
    "item": pl.String(),
    "care": pl.String(),
    "diagnosis": pl.String(),
    "given": pl.Int32(),
}
_DIAGNOSIS: Mapping[str, pl.DataType] = {"diagnosis": pl.String(), "care": pl.String(), "seen": pl.Int32()}
_ITEM: Mapping[str, pl.DataType] = {
    "item": pl.String(),
    "care": pl.String(),
    "given_in_all": pl.Int32(),
    "overall": pl.Float64(),
}
_FACET: Mapping[str, pl.DataType] = {
    "facet": pl.String(),
    "value": pl.String(),
    "item": pl.String(),
    "care": pl.String(),
    "excuse": pl.Float64(),
}


@dataclass(frozen=True, eq=False)
class Justification:
    """How many claims had each item with each diagnosis, and with each department, age band, sex and rank."""

    pairs: pl.DataFrame
    diagnoses: pl.DataFrame
    items: pl.DataFrame
    facets: pl.DataFrame

    @classmethod
    def fit(cls, claims: pl.DataFrame, given: pl.DataFrame) -> Self:
        """Learn from `claims` (as `items.claims_of` gives them) and `given`: distinct `c`, `item`."""
        listed = claims.select("c", "care", diagnosis="diagnoses").explode("diagnosis", empty_as_null=False)
        listed = listed.drop_nulls("diagnosis")
        known = claims.filter(pl.col("diagnoses").list.len() > 0)
        totals = known.group_by("care").agg(pl.len().alias("all"))
        of_claim = given.join(known.select("c", "care", *FACETS), on="c", how="inner")
        items = (
            of_claim.group_by("item", "care")
            .agg(pl.len().cast(pl.Int32).alias("given_in_all"))
            .join(totals, on="care", how="left")
            .with_columns((pl.col("given_in_all") / pl.col("all")).round_sig_figs(9).alias("overall"))
            .filter(pl.col("given_in_all") >= MIN_ITEM, pl.col("overall") < COMMON)
        )
        of_claim = of_claim.join(items.select("item", "care", "overall"), on=["item", "care"], how="inner")
        facets: list[pl.DataFrame] = [
            of_claim.group_by("item", "care", facet)
            .agg(pl.len().alias("with_item"), pl.col("overall").first())
            .join(known.group_by("care", facet).agg(pl.len().alias("seen")), on=["care", facet], how="left")
            .with_columns(
                share=(pl.col("with_item") + FACET_PRIOR * pl.col("overall")) / (pl.col("seen") + FACET_PRIOR)
            )
            .select(
                pl.lit(facet).alias("facet"),
                pl.col(facet).alias("value"),
                "item",
                "care",
                (pl.col("share") / pl.col("overall")).clip(1.0, MAX_EXCUSE).round_sig_figs(9).alias("excuse"),
            )
            .filter(pl.col("excuse") > 1.0)
            for facet in FACETS
        ]
        return cls(
            pairs=of_claim.select("c", "item", "care")
            .join(listed.select("c", "diagnosis"), on="c", how="inner")
            .group_by("item", "care", "diagnosis")
            .agg(pl.len().cast(pl.Int32).alias("given"))
            .sort("item", "care", "diagnosis"),
            diagnoses=listed.group_by("diagnosis", "care")
            .agg(pl.len().cast(pl.Int32).alias("seen"))
            .sort("diagnosis", "care"),
            items=items.select(list(_ITEM)).sort("item", "care"),
            facets=pl.concat(facets).sort("facet", "value", "item", "care"),
        )

    def unindicated(
        self, claims: pl.DataFrame, given: pl.DataFrame, earlier: pl.DataFrame, *, own: bool = False
    ) -> pl.DataFrame:
        """Rows of `given` (distinct `c`, `item`) that no diagnosis of the claim makes likely.

        `earlier` has `c` and `diagnosis` of the patient's past. `own` says that the claims were learned from: each is
        then judged by the others. Columns: `c`, `item`, `share` (the most it may be with the best diagnosis),
        `overall`, `seen` (claims of training with that diagnosis).
        """
        main = claims.select(
            "c", "care", diagnosis=pl.col("diagnoses").list.first(), more=pl.col("diagnoses").list.slice(1)
        ).drop_nulls("diagnosis")
        asked = given.join(main.drop("more"), on="c", how="inner").join(
            self.items.select("item", "care", "overall"), on=["item", "care"], how="inner"
        )
        left = asked.with_columns(self.shares(asked, own=own)).filter(_odd(pl.col("share")))
        # the odd ones are few: only for them are the other diagnoses looked up
        others = main.select("c", diagnosis="more").explode("diagnosis", empty_as_null=False).drop_nulls()
        more = left.select("c", "item", "care").join(others, on="c", how="inner")
        past = left.select("c", "item", "care").join(earlier, on="c", how="inner")
        best = (
            pl.concat(
                [
                    more.with_columns(self.shares(more, own=own)).select("c", "item", "share"),
                    past.with_columns(self.shares(past, own=own, doubt=0.0)).select("c", "item", "share"),
                ]
            )
            .group_by("c", "item")
            .agg(pl.col("share").max().alias("other"))
        )
        left = left.join(best, on=["c", "item"], how="left").with_columns(
            share=pl.max_horizontal("share", pl.col("other").fill_null(0.0))
        )
        left = left.filter(_odd(pl.col("share")))
        excused = left.join(claims.select("c", *FACETS), on="c", how="left")
        for facet in FACETS:
            table = self.facets.filter(pl.col("facet") == facet).select(
                "item", "care", pl.col("value").alias(facet), pl.col("excuse").alias(f"{facet}_excuse")
            )
            excused = excused.join(table, on=["item", "care", facet], how="left")
        excuse = pl.max_horizontal(pl.lit(1.0), *(pl.col(f"{facet}_excuse").fill_null(1.0) for facet in FACETS))
        return (
            excused.with_columns(share=(pl.col("share") * excuse).round_sig_figs(9))
            .filter(_odd(pl.col("share")))
            .select("c", "item", "share", "overall", "seen")
            .sort("c", "item")
        )

    def best(self, claims: pl.DataFrame, given: pl.DataFrame) -> pl.DataFrame:
        """`given` (distinct `c`, `item`) with `share`, the most it may be with the best diagnosis; 1 where unknown."""
        listed = claims.select("c", "care", diagnosis="diagnoses").join(given.select("c").unique(), on="c", how="semi")
        asked = given.join(listed.explode("diagnosis", empty_as_null=False).drop_nulls(), on="c", how="inner").join(
            self.items.select("item", "care"), on=["item", "care"], how="semi"
        )
        found = asked.with_columns(self.shares(asked, own=False)).group_by("c", "item").agg(pl.col("share").max())
        return given.join(found, on=["c", "item"], how="left").with_columns(pl.col("share").fill_null(1.0))

    def shares(self, asked: pl.DataFrame, *, own: bool, doubt: float = DOUBT) -> list[pl.Series]:
        """For rows with `item`, `care`, `diagnosis`: `share`, the most it may be, and `seen`, the claims behind it.

        Without `doubt` it is the share that was seen, 0 where hardly any claim had the item.
        """
        less = 1 if own else 0
        found = asked.select("item", "care", "diagnosis").join(
            self.pairs, on=["item", "care", "diagnosis"], how="left", maintain_order="left"
        )
        found = found.join(self.diagnoses, on=["diagnosis", "care"], how="left", maintain_order="left").select(
            given=(pl.col("given").fill_null(0) - less).clip(0),
            seen=(pl.col("seen").fill_null(0) - less).clip(0).cast(pl.Int64),
        )
        share = ((pl.col("given") + doubt) / (pl.col("seen") + doubt)).round_sig_figs(9)
        if not doubt:
            share = pl.when(pl.col("given") >= MIN_GIVEN).then(share).otherwise(0.0)
        known = found.select(share.alias("share"), "seen")
        return [known["share"], known["seen"]]

    def arrays(self, prefix: str) -> dict[str, NDArray[Any]]:
        """The tables as named arrays."""
        parts = {"pairs": self.pairs, "diagnoses": self.diagnoses, "items": self.items, "facets": self.facets}
        return {k: v for name, frame in parts.items() for k, v in frame_arrays(f"{prefix}/{name}", frame).items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], prefix: str) -> Self:
        """Read back what `arrays` gave."""
        return cls(
            pairs=frame_of(arrays, f"{prefix}/pairs", _PAIR),
            diagnoses=frame_of(arrays, f"{prefix}/diagnoses", _DIAGNOSIS),
            items=frame_of(arrays, f"{prefix}/items", _ITEM),
            facets=frame_of(arrays, f"{prefix}/facets", _FACET),
        )


def _odd(share: pl.Expr) -> pl.Expr:
    return (share < UNLIKELY) & (share < LIFT * pl.col("overall"))
