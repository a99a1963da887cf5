"""Growth of what an entity is paid, split into parts that add up to it: volume, patients, coding, prices, the rest.

More claims, sicker patients and new prices explain growth; what is left is the entity's own. Prices are what the price
lists in force say, where they are known, and the common movement: what moves everyone (a base salary, a list that was
never loaded). Who is bound by a known shock that others are not is compared with those it binds alone; where they are
too few to read its size from, no degree is given. The split is the logarithmic mean Divisia index: it has no cross
term, so nothing is hidden in one.
"""

from __future__ import annotations

import polars as pl

DEGREES: tuple[tuple[float, str], ...] = ((0.30, "very_high"), (0.20, "high"), (0.10, "low"))  # official row FAC-01
MIN_CLAIMS = 100.0  # in either period: the mean of fewer moves by chance
MIN_PEERS = 10  # entities that a common movement is read from; of fewer none is

BEYOND_CHANCE = 2.0  # standard errors: dear claims fall where they fall, and of few claims a tenth more is nothing

COLUMNS: tuple[str, ...] = ("claims", "paid", "of_patients", "expected", "at_list", "noise")
"""Of each entity and period: claims, VND paid, VND expected of such patients whatever is coded of them, VND expected
with what is coded, VND paid were the price lists those of the first day, and the variance that chance gives to paid
over expected. Beside them `bound`, the known shock between the periods that others are free of and no list explains;
empty where there is none."""


def growth(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """One row an entity that both periods know (`entity_id`, `bound` and `COLUMNS`, all above nought), by id.

    Columns: entity_id, growth (VND) and its parts volume, mix, coding, price and residual, which add up to it;
    residual_rate (what the residual made of the cost of a like claim, 0.1: a tenth more) and degree: low, high or
    very_high of it, null below, where claims are few and where it may be chance. The common movement is the median over
    the entities.
    """
    sums = [period.select("entity_id", "bound", pl.col(*COLUMNS).cast(pl.Float64)) for period in (before, after)]
    both = sums[0].join(sums[1].drop("bound"), on="entity_id", suffix="_after")
    both = both.filter(pl.all_horizontal(pl.exclude("entity_id", "bound") > 0)).sort("entity_id")
    logs = {
        "volume": _rise("claims"),
        "mix": _rise("of_patients") - _rise("claims"),
        "coding": _rise("expected") - _rise("of_patients"),
        "list": _rise("paid") - _rise("at_list"),
        "own": _rise("at_list") - _rise("expected"),
    }
    rows = both.with_columns(
        enough=pl.min_horizontal("claims", "claims_after") >= MIN_CLAIMS,
        error=(pl.col("noise") + pl.col("noise_after")).sqrt(),
        **{f"log_{name}": value for name, value in logs.items()},
    )
    rows = _with_common(rows)
    whole = (pl.col("paid_after") - pl.col("paid")).round(2)
    mean = pl.when(_rise("paid").abs() > 1e-12).then((pl.col("paid_after") - pl.col("paid")) / _rise("paid"))
    weight = mean.otherwise(pl.col("paid"))
    parts = {name: (weight * pl.col(f"log_{name}")).round(2) for name in ("volume", "mix", "coding")}
    rows = rows.with_columns(
        growth=whole, price=(weight * (pl.col("log_list") + pl.col("common"))).round(2), **parts
    ).with_columns(
        residual=(pl.col("growth") - pl.col("volume") - pl.col("mix") - pl.col("coding") - pl.col("price")).round(2),
        residual_rate=((pl.col("log_own") - pl.col("common")).exp() - 1.0).round(6),
    )
    beyond = pl.col("log_own") - pl.col("common") >= BEYOND_CHANCE * pl.col("error")
    degree = pl.lit(None, dtype=pl.String)
    for least, name in reversed(DEGREES):
        degree = pl.when(pl.col("residual_rate") >= least).then(pl.lit(name)).otherwise(degree)
    return rows.select(
        "entity_id", "growth", "volume", "mix", "coding", "price", "residual", "residual_rate",
        degree=pl.when("enough", "readable", beyond).then(degree),
    )  # fmt: skip


def _with_common(rows: pl.DataFrame) -> pl.DataFrame:
    """`rows` with the movement of those bound alike, nought for few, and whether a shock of theirs could be read."""
    median = pl.when(pl.len() >= MIN_PEERS).then(pl.col("log_own").median()).otherwise(0.0)
    known = rows.filter("enough").group_by("bound").agg(common=median, readable=pl.len() >= MIN_PEERS)
    return rows.join(known, on="bound", how="left", maintain_order="left").with_columns(
        pl.col("common").fill_null(0.0), readable=(pl.col("bound") == "") | pl.col("readable").fill_null(value=False)
    )


def _rise(name: str) -> pl.Expr:
    return (pl.col(f"{name}_after") / pl.col(name)).log()
