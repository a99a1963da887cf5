"""Training: fit the detectors on claims as they are, measure them on later months, keep everything that made them.

Nothing here sees a label unless `labels` are given; then the likelihoods of the rules move from their priors towards
the share of each that assessors confirmed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from data.errors import MinhBachError
from detectors.base import rules
from detectors.fusion import Weights
from detectors.outliers.isolation import IsolationDetector
from detectors.outliers.tails import TailDetector
from detectors.statistical.expected_cost import COST_GROUPS, ExpectedCost
from features.matrix import build_matrix
from features.peers import LADDERS, PeerTable
from models.bundle import Bundle
from models.scoring import LEVELS, score_tables, with_doctor

if TYPE_CHECKING:
    from data.lake import Reader
    from data.schema import ClaimTables

MIN_ENCOUNTERS = 500
MAX_ENCOUNTERS = 400_000  # more teaches little and costs memory: patients are then drawn by the hash of their pseudonym
HOLDOUT = 0.2  # the last part of the claims, by day of discharge, that the figures are measured on
PROVISIONAL_PIVOT = 100_000.0  # VND; only until the review threshold has been found
ENTITY_SHARE = 0.05  # part of the doctors, facilities, patients whose score is at least one half

Step = Callable[[str], None]


class TooFewClaims(MinhBachError):
    """Not enough claims to learn from."""

    code, http_status, exit_code = "too_few_claims", 409, 1

    def __init__(self, found: int) -> None:
        """`found` encounters lie in the period."""
        super().__init__(
            f"{found} claims in the period, training needs {MIN_ENCOUNTERS}: ingest more or widen --since and --until",
            vi=f"chỉ có {found} hồ sơ trong kỳ, cần ít nhất {MIN_ENCOUNTERS}: hãy nạp thêm hoặc nới --since và --until",
        )


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A fitted bundle, what went in, and how it did on the held-out months."""

    bundle: Bundle
    parameters: dict[str, Any]
    metrics: dict[str, float]


def train(
    reader: Reader,
    *,
    since: date | None = None,
    until: date | None = None,
    seed: int,
    review_share: float = 0.02,
    weights: Weights | None = None,
    step: Step = lambda _: None,
) -> Trained:
    """Fit on the earlier claims, measure on the later ones, then fit on all for the bundle.

    `review_share` is the part of claims that assessors can look at: the review threshold is set there. Raises
    TooFewClaims.
    """
    step("read")
    tables, dates = _claims(reader, since, until)
    if dates.height < MIN_ENCOUNTERS:
        raise TooFewClaims(dates.height)
    step("features")
    matrix = with_doctor(build_matrix(tables, "encounter"), tables)
    cut = dates["day"].sort()[int(dates.height * (1 - HOLDOUT))]
    early = matrix.join(dates.filter(pl.col("day") < cut), on=["ma_cskcb", "ma_lk"], how="semi", maintain_order="left")
    late = matrix.join(dates.filter(pl.col("day") >= cut), on=["ma_cskcb", "ma_lk"], how="semi", maintain_order="left")
    step("measure")
    metrics = _metrics(ExpectedCost().fit(early, seed=seed), early, late)
    step("fit")
    fitted = Bundle(
        expected_cost=ExpectedCost().fit(matrix, seed=seed),
        tails=TailDetector().fit(matrix, seed=seed),
        isolation=IsolationDetector().fit(matrix, seed=seed),
        peers=PeerTable.fit(matrix, LADDERS["encounter"], [group.column for group in COST_GROUPS]),
        weights=weights or Weights(),
        pivot=PROVISIONAL_PIVOT,
        entity_pivots={},
        trained={
            "since": since.isoformat() if since else None,
            "until": until.isoformat() if until else None,
            "snapshot": reader.snapshot,
            "encounters": dates.height,
            "seed": seed,
            "review_share": review_share,
            "rule_versions": {rule.id: rule.version for rule in rules()},
        },
    )
    step("threshold")
    scored = score_tables(fitted, tables).claims
    pivot = _pivot(scored["place"], review_share)
    bundle = Bundle(
        expected_cost=fitted.expected_cost,
        tails=fitted.tails,
        isolation=fitted.isolation,
        peers=fitted.peers,
        weights=fitted.weights,
        pivot=pivot,
        entity_pivots={level: _entity_pivot(scored, level) for level in LEVELS},
        trained=fitted.trained,
    )
    metrics |= {
        "flagged_share": int(((scored["place"] >= pivot) & (scored["expected_recoverable"] > 0)).sum()) / scored.height,
        "review_threshold_vnd": pivot,
        "amount_at_risk_vnd": float(scored["amount_at_risk"].sum()),
        "claims_with_rule_hits": float(scored.filter(pl.col("evidence").str.contains('"rule"', literal=True)).height),
    }
    parameters = {
        **{k: v for k, v in fitted.trained.items() if k != "rule_versions"},
        "holdout_from": cut.isoformat(),
        "features": len(matrix.columns) - 3,
        "rules": len(rules()),
    }
    return Trained(bundle=bundle, parameters=parameters, metrics=metrics)


def _claims(reader: Reader, since: date | None, until: date | None) -> tuple[ClaimTables, pl.DataFrame]:
    where = "(? is null or cast(ngay_ra as date) >= ?) and (? is null or cast(ngay_ra as date) <= ?)"
    bounds: list[Any] = [since, since, until, until]
    found = int(reader.pl(f"select count(*) as n from encounter where {where}", bounds)["n"][0])
    if found > MAX_ENCOUNTERS:
        share = int(1_000_000 * MAX_ENCOUNTERS / found)
        where += f" and md5_number_lower(coalesce(patient_id, ma_lk)) % 1000000 < {share}"
    tables = reader.claim_tables(where, bounds)
    dates = reader.pl(f"select ma_cskcb, ma_lk, cast(ngay_ra as date) as day from encounter where {where}", bounds)
    return tables, dates


def _metrics(fitted: ExpectedCost, early: pl.DataFrame, late: pl.DataFrame) -> dict[str, float]:
    """How well the expected cost holds on later months, beside knowing only the mean by diagnosis and care type."""
    measured: dict[str, float] = {}
    for group in COST_GROUPS:
        high = fitted.high(late, group.name)
        if high is None or not late.height:
            continue
        expected, limit = high
        cost = late[group.column].fill_null(0.0).to_numpy()
        by = ["ma_loai_kcb", "icd3"]
        means = early.group_by(by).agg(pl.col(group.column).mean().alias("mean"))
        naive = (
            late.join(means, on=by, how="left", nulls_equal=True, maintain_order="left")["mean"]
            .fill_null(early[group.column].sum() / early.height)
            .to_numpy()
        )
        error, reference = np.abs(cost - expected).mean(), np.abs(cost - naive).mean()
        measured[f"mae_ratio_{group.name}"] = round(float(error / reference) if reference > 0 else 1.0, 4)
        measured[f"under_p95_{group.name}"] = round(float((cost <= limit + 1.0).mean()), 4)
    return measured


def _pivot(place: pl.Series, share: float) -> float:
    """VND that `share` of the places reach; at least one, so that nothing at all is no flag."""
    at = place.sort(descending=True)[max(int(place.len() * share) - 1, 0)]
    return max(round(float(at), 2), 1.0)


def _entity_pivot(scored: pl.DataFrame, level: str) -> float:
    key = {"doctor": ["ma_cskcb", "doctor"], "facility": ["ma_cskcb"], "patient": ["patient_id"]}[level]
    totals = scored.drop_nulls(key).group_by(key).agg(pl.col("expected_recoverable").sum())
    return _pivot(totals["expected_recoverable"], ENTITY_SHARE) if totals.height else PROVISIONAL_PIVOT
