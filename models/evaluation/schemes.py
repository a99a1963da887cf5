"""What was found of each scheme and how boldly it was done: what is missed stands in the table like the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from models.evaluation.measures import MAIN, budgeted
from models.evaluation.truth import INTENSITIES

if TYPE_CHECKING:
    from models.evaluation.measures import Floats, Labelled

UNNAMED = "(none named)"  # improper money for which the truth gives no scheme


def by_scheme(
    truth: pl.DataFrame, scores: Floats, labelled: Labelled, *, budget: float = MAIN, intensity: bool = False
) -> pl.DataFrame:
    """Per scheme (and `intensity`): improper claims and money, the share of each within the budget of the ranking.

    `truth` and `scores` are row by row. A claim of two schemes counts with all its money under both, so the sums of the
    table may exceed the whole. `no_amount` counts claims of the scheme without improper money; `missed` marks what was
    not found at all.
    """
    order = labelled.order(scores)
    place = pl.Series("place", order).arg_sort().alias("place")
    rows = truth.with_columns(place).filter((pl.col("improper_amount") > 0) | pl.col("is_fraud").fill_null(False))
    names = pl.when(pl.col("schemes").list.len() > 0).then(pl.col("schemes")).otherwise(pl.lit([UNNAMED]))
    keys = ["scheme", "intensity"] if intensity else ["scheme"]
    within = pl.col("place") < budgeted(truth.height, budget)
    wrong = pl.col("improper_amount") > 0
    money = pl.col("improper_amount").sum()
    found = (
        rows.with_columns(scheme=names)
        .explode("scheme")
        .unique([*keys, "ma_cskcb", "ma_lk"])  # a scheme named twice on a claim is one
        .group_by(keys)
        .agg(
            wrong.sum().cast(pl.Int64).alias("claims"),
            (~wrong).sum().cast(pl.Int64).alias("no_amount"),
            money.alias("improper_amount"),
            (within & wrong).sum().cast(pl.Int64).alias("found"),
            pl.col("improper_amount").filter(within).sum().round(2).alias("found_amount"),
        )
        .with_columns(
            claims_found=_share("found", "claims"),
            money_found=_share("found_amount", "improper_amount"),
            missed=(pl.col("found") == 0) & (pl.col("claims") > 0),
        )
    )
    if intensity:
        found = found.with_columns(
            pl.col("intensity").replace_strict(INTENSITIES, range(len(INTENSITIES)), default=9).alias("_step")
        ).sort("scheme", "_step", "intensity")
        return found.drop("_step")
    return found.sort("improper_amount", "scheme", descending=[True, False])


def _share(part: str, whole: str) -> pl.Expr:
    return pl.when(pl.col(whole) > 0).then((pl.col(part) / pl.col(whole)).round(4))
