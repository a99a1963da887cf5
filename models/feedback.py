"""Learning from assessors: each rule's likelihood moves from its prior towards the share that was confirmed.

Outcomes are final decisions, one row a signal that was reviewed; what nobody reviewed is unlabelled, not negative.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from data.errors import MinhBachError
from detectors.base import rules
from detectors.fusion import Weights

PRIOR_REVIEWS = 20.0  # a rule reviewed this often counts for half against its prior


class BadLabels(MinhBachError):
    """A label file that cannot be used."""

    code, http_status, exit_code = "bad_labels", 422, 1


def read_labels(path: Path) -> pl.DataFrame:
    """Rows (source, confirmed) of a .csv or .parquet file: a rule id and 0 or 1. Raises BadLabels."""
    rows = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path)
    if not {"source", "confirmed"} <= set(rows.columns):
        raise BadLabels(
            f"{path.name} needs the columns source (a rule id) and confirmed (0 or 1), has {', '.join(rows.columns)}",
            vi=f"{path.name} cần cột source (mã quy tắc) và confirmed (0 hoặc 1), đang có {', '.join(rows.columns)}",
        )
    labels = rows.select(
        pl.col("source").cast(pl.String).str.split("@").list.first(), pl.col("confirmed").cast(pl.Float64)
    )
    known = {rule.id for rule in rules()}
    unknown = sorted(set(labels["source"].to_list()) - known)
    if unknown or not labels["confirmed"].is_between(0, 1).all():
        raise BadLabels(
            f"{path.name}: unknown rules {unknown[:5]}, or confirmed outside 0 to 1",
            vi=f"{path.name}: mã quy tắc lạ {unknown[:5]}, hoặc confirmed ngoài khoảng 0 đến 1",
        )
    return labels


def weights_from(labels: pl.DataFrame) -> Weights:
    """Likelihoods with each reviewed rule drawn from its prior towards its confirmed share (Beta-binomial mean)."""
    prior = Weights()
    severity = {rule.id: rule.severity for rule in rules()}
    counted = labels.group_by("source").agg(pl.col("confirmed").sum().alias("yes"), pl.len().alias("n")).sort("source")
    learned = {
        source: round((yes + PRIOR_REVIEWS * prior.of(severity[source])) / (n + PRIOR_REVIEWS), 6)
        for source, yes, n in counted.iter_rows()
    }
    return Weights(learned=learned)
