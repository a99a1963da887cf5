"""Doctors, facilities and patients: our roll-up beside the plainest ones, as they are and among entities of like size.

Size is the great impostor: whoever asks for most money also has most improper money, so an order by size alone looks
able. Within bands of entities that are paid about the same it is not; there a ranking must show what else it knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from models.evaluation.measures import Labelled, auc, concordant, counted, rounded

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.evaluation.measures import Floats

LEVELS = ("facility", "doctor", "patient")
TOP = 0.10
RANDOM_ORDERS = 50


def bands_of(paid: Floats) -> NDArray[np.int64]:
    """The band of each entity, by what it is paid: fifths of 50 entities or more, else thirds of 12, halves of 4."""
    count = len(paid)
    bands = 5 if count >= 50 else 3 if count >= 12 else 2 if count >= 4 else 1
    place = np.argsort(np.argsort(paid, kind="stable"), kind="stable")
    return place * bands // max(count, 1)


def of_level(level: str, rows: pl.DataFrame, *, seed: int) -> dict[str, Any]:
    """Figures of one level; `rows` has one row an entity: ours (higher first), paid, claims, improper (VND).

    An entity is positive when its improper amount in the evaluated claims is above nought. Raw figures rank all of
    them; banded ones compare within bands only: pairs of one band pooled (AUC), the mean over positives of their band's
    average precision, the first tenth of every band (money).
    """
    improper = rows["improper"].to_numpy().astype(np.float64)
    paid = rows["paid"].cast(pl.Float64).to_numpy()
    rng = np.random.default_rng(seed)
    labelled = Labelled(money=improper, kind=np.full(rows.height, ""), tie=rng.random(rows.height))
    band = bands_of(paid)
    given = {
        "minhbach": [rows["ours"].cast(pl.Float64).fill_null(-np.inf).to_numpy()],
        "money": [paid],
        "claims": [rows["claims"].cast(pl.Float64).to_numpy()],
        "random": [rng.random(rows.height) for _ in range(RANDOM_ORDERS)],
    }
    return {
        "level": level,
        "entities": rows.height,
        "improper": int((improper > 0).sum()),
        "bands": int(band.max(initial=0)) + 1,
        "unranked": rows["ours"].null_count(),
        "rankings": [
            {"ranking": name, **_mean([_figures(scores, labelled, band) for scores in drawn])}
            for name, drawn in given.items()
        ],
    }


def _figures(scores: Floats, labelled: Labelled, band: NDArray[np.int64]) -> dict[str, float]:
    wrong = labelled.money > 0
    whole = _within(scores, labelled)
    above, pairs, precision, found = 0.0, 0, 0.0, 0.0
    for number in np.unique(band):
        mine = band == number
        one, count = concordant(scores[mine], wrong[mine])
        above, pairs = above + one, pairs + count
        part = Labelled(money=labelled.money[mine], kind=labelled.kind[mine], tie=labelled.tie[mine])
        own = _within(scores[mine], part)
        precision += own["average_precision"] * wrong[mine].sum() if wrong[mine].any() else 0.0
        found += own["money"] * part.money.sum() if wrong[mine].any() else 0.0
    number = wrong.sum()
    return {
        "auc": auc(scores, wrong),
        "average_precision": whole["average_precision"],
        "money_in_top_10%": whole["money"],
        "auc_within_bands": above / pairs if pairs else np.nan,
        "average_precision_within_bands": precision / number if number else np.nan,
        "money_in_top_10%_within_bands": found / labelled.money.sum() if number else np.nan,
    }


def _within(scores: Floats, labelled: Labelled) -> dict[str, float]:
    money = labelled.money[labelled.order(scores)]
    total = money.sum()
    first = max(round(len(money) * TOP), 1)
    precision = counted(money, np.ones(len(money), dtype=np.int64))["average_precision"]
    return {"average_precision": precision, "money": float(money[:first].sum() / total) if total > 0 else np.nan}


def _mean(rows: list[dict[str, float]]) -> dict[str, float | None]:
    return {name: rounded(float(np.mean([row[name] for row in rows]))) for name in rows[0]}


def levels(
    claims: pl.DataFrame, ranked: pl.DataFrame, acts: pl.DataFrame | None, named: pl.DataFrame | None, *, seed: int
) -> list[dict[str, Any]]:
    """Figures of every level that can be measured.

    Args:
        claims: the evaluated claims with truth: ma_cskcb, ma_lk, doctor, patient_id, paid, schemes, improper_amount.
        ranked: level, entity_id and ours, the run's own order of entities.
        acts: ma_cskcb, ma_lk, doctor: every practitioner a claim names; None: the main doctor of `claims`. A doctor is
            paid what the claims are that name them; one whom the run does not rank stands last in its order.
        named: rows of `entities.parquet`; without it doctors cannot be measured, for the truth of a claim does not say
            which of its doctors acted.
        seed: of the random orders and of ties.
    """
    pairs = (claims if acts is None else acts).select("ma_cskcb", "ma_lk", "doctor").drop_nulls().unique()
    named_on = pairs.join(claims.drop("doctor"), on=["ma_cskcb", "ma_lk"])
    keyed = {
        "facility": claims.with_columns(entity_id=pl.col("ma_cskcb")),
        "doctor": named_on.with_columns(entity_id=pl.format("{}:{}", "ma_cskcb", "doctor")),
        "patient": claims.with_columns(entity_id=pl.col("patient_id")).drop_nulls("entity_id"),
    }
    measured: list[dict[str, Any]] = []
    for level in LEVELS:
        if level == "doctor" and named is None:
            continue
        rows = (
            keyed[level]
            .group_by("entity_id")
            .agg(pl.col("paid").sum(), pl.len().alias("claims"), pl.col("improper_amount").sum().alias("improper"))
        )
        if level == "doctor" and named is not None:
            money = _of_doctors(keyed[level], named)
            rows = rows.drop("improper").join(money, on="entity_id", how="left")
            rows = rows.with_columns(pl.col("improper").fill_null(0.0))
        ours = ranked.filter(pl.col("level") == level).select("entity_id", "ours")
        rows = rows.join(ours, on="entity_id", how="left").sort("entity_id")
        if rows.height:
            measured.append(of_level(level, rows, seed=seed))
    return measured


def _of_doctors(acted: pl.DataFrame, named: pl.DataFrame) -> pl.DataFrame:
    """Improper money of each doctor the truth names, within the evaluated claims: `entity_id`, `improper`.

    `entities.parquet` knows no dates, so a doctor's money is that of the evaluated claims of the named scheme that name
    the doctor, and no more than the file says.
    """
    return (
        acted.select("entity_id", scheme="schemes", improper="improper_amount")
        .explode("scheme")
        .drop_nulls("scheme")
        .group_by("entity_id", "scheme")
        .agg(pl.col("improper").sum().alias("here"))
        .join(
            named.filter(pl.col("level") == "doctor")
            .group_by(pl.col("id").alias("entity_id"), "scheme")
            .agg(pl.col("improper_amount").sum().alias("in_all")),
            on=["entity_id", "scheme"],
        )
        .group_by("entity_id")
        .agg(pl.min_horizontal("here", "in_all").sum().alias("improper"))
        .filter(pl.col("improper") > 0)
    )
