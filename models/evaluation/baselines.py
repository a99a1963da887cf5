"""Rankings that anyone could have had without us: they need no label and no detector of ours.

None is tuned, for that would need labels, but none is weakened either: money that an empty cell hides is filled in, a
column of one value is left out, and what a payer would do after the rules are read out (the dearest claims next) is a
ranking of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from models.evaluation.measures import Floats

RAW_COLUMNS = ("t_thuoc", "t_vtyt", "t_tongchi_bv", "t_tongchi_bh", "t_bncct", "t_bhtt", "so_ngay_dtri", "age", "lines")
RANDOM = "random"
RANDOM_ORDERS = 50  # where few claims carry the money one random order is a lottery ticket: its figures are their mean
MIN_PEERS = 10  # a peer group of fewer claims has no spread worth dividing by


def baselines(rows: pl.DataFrame, *, seed: int) -> dict[str, list[Floats]]:
    """Scores by name, row by row of `rows`: rule_amount, ma_loai_kcb, icd3, `RAW_COLUMNS` as far as they are there.

    Random order comes as many orders, the others as one.
    """
    raw = rows.select(_number(c) for c in RAW_COLUMNS if c in rows.columns).to_numpy()
    raw = raw[:, np.ptp(raw, axis=0) > 0]  # a column of one value says nothing, and ECOD divides by its spread
    cost = paid(rows)
    named = np.minimum(rows.select(_number("rule_amount")).to_series().to_numpy(), np.maximum(cost, 0.0))
    rng = np.random.default_rng([seed, 1])  # not the numbers that ties stand in
    return {
        "rules alone": [named],
        "rank by cost": [cost],
        "rules, then cost": [np.where(named > 0, named + cost.max(initial=0.0), cost)],
        "cost z-score in peer group": [_peer_z(rows, cost)],
        "isolation forest, raw columns": [_isolation(raw, seed)],
        "ECOD, raw columns": [_ecod(raw)],
        RANDOM: [rng.random(rows.height) for _ in range(RANDOM_ORDERS)],
    }


def paid(rows: pl.DataFrame) -> Floats:
    """What the fund is asked for each claim; where that cell is empty, what is covered: it never pays more."""
    columns = [c for c in ("t_bhtt", "t_tongchi_bh") if c in rows.columns]
    return rows.select(pl.coalesce(pl.col(columns).cast(pl.Float64)).fill_null(0.0)).to_series().to_numpy()


def _number(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.Float64).fill_null(0.0)


def _peer_z(rows: pl.DataFrame, cost: Floats) -> Floats:
    """How many standard deviations of its care type and diagnosis a claim lies above their mean, in logs."""
    logs = pl.Series("logs", np.log1p(np.maximum(cost, 0.0)))
    peers = ["ma_loai_kcb", "icd3"]
    mine, spread = pl.col("logs") - pl.col("logs").mean().over(peers), pl.col("logs").std().over(peers)
    z = pl.when(pl.len().over(peers) >= MIN_PEERS).then(mine / pl.max_horizontal(spread, pl.lit(0.1))).otherwise(0.0)
    return rows.with_columns(logs).select(z.fill_null(0.0).alias("z"))["z"].to_numpy()


def _isolation(raw: Floats, seed: int) -> Floats:
    if not raw.shape[1]:
        return np.zeros(len(raw))
    from sklearn.ensemble import IsolationForest

    return -IsolationForest(random_state=seed).fit(raw).score_samples(raw)


def _ecod(raw: Floats) -> Floats:
    if not raw.shape[1]:
        return np.zeros(len(raw))
    from pyod.models.ecod import ECOD

    return np.asarray(ECOD().fit(raw).decision_scores_, dtype=np.float64)
