"""Growth of what an entity is paid, split into parts that add up to it: volume, patients, coding, prices, the rest.

More claims, sicker patients and what moves everyone (a new price list, a new base salary) explain growth; what is left
is the entity's own. The split is the logarithmic mean Divisia index: it has no cross term, so nothing is hidden in one.
"""

from __future__ import annotations

import numpy as np
import polars as pl

DEGREES: tuple[tuple[float, str], ...] = ((0.30, "very_high"), (0.20, "high"), (0.10, "low"))  # official row FAC-01
MIN_CLAIMS = 100.0  # in either period: the mean of fewer moves by chance
MIN_PEERS = 10  # entities that a common movement is read from; of fewer none is

COLUMNS: tuple[str, ...] = ("claims", "paid", "of_patients", "expected")
"""Of each entity and period: claims, VND paid, VND expected of such patients whatever they are diagnosed with, VND
expected with the diagnoses that are coded."""


def growth(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """One row an entity that both periods know (`entity_id` and `COLUMNS`, all above nought), by id.

    Columns: entity_id, growth (VND) and its parts volume, mix, coding, price and residual, which add up to it;
    residual_rate (what the residual made of the cost of a like claim, 0.1: a tenth more) and degree: low, high or
    very_high of it, null below and where claims are few. Price is the common movement: the median over the entities.
    """
    sums = [period.select("entity_id", pl.col(*COLUMNS).cast(pl.Float64)) for period in (before, after)]
    both = sums[0].join(sums[1], on="entity_id", suffix="_after")
    both = both.filter(pl.all_horizontal(pl.exclude("entity_id") > 0)).sort("entity_id")
    logs = {
        "volume": _rise("claims"),
        "mix": _rise("of_patients") - _rise("claims"),
        "coding": _rise("expected") - _rise("of_patients"),
        "own": _rise("paid") - _rise("expected"),
    }
    rows = both.with_columns(
        enough=pl.min_horizontal("claims", "claims_after") >= MIN_CLAIMS,
        **{f"log_{name}": value for name, value in logs.items()},
    )
    peers = rows.filter("enough")["log_own"]
    common = float(np.median(peers.to_numpy())) if peers.len() >= MIN_PEERS else 0.0
    whole = (pl.col("paid_after") - pl.col("paid")).round(2)
    mean = pl.when(_rise("paid").abs() > 1e-12).then((pl.col("paid_after") - pl.col("paid")) / _rise("paid"))
    weight = mean.otherwise(pl.col("paid"))
    parts = {name: (weight * pl.col(f"log_{name}")).round(2) for name in ("volume", "mix", "coding")}
    rows = rows.with_columns(growth=whole, price=(weight * common).round(2), **parts).with_columns(
        residual=(pl.col("growth") - pl.col("volume") - pl.col("mix") - pl.col("coding") - pl.col("price")).round(2),
        residual_rate=((pl.col("log_own") - common).exp() - 1.0).round(6),
    )
    degree = pl.lit(None, dtype=pl.String)
    for least, name in reversed(DEGREES):
        degree = pl.when(pl.col("residual_rate") >= least).then(pl.lit(name)).otherwise(degree)
    return rows.select(
        "entity_id", "growth", "volume", "mix", "coding", "price", "residual", "residual_rate",
        degree=pl.when("enough").then(degree),
    )  # fmt: skip


def _rise(name: str) -> pl.Expr:
    return (pl.col(f"{name}_after") / pl.col(name)).log()
