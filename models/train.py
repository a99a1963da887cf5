"""Training: fit the detectors on claims as they are, measure them on later months, keep everything that made them.

Nothing here sees a label unless `decisions` are given; then likelihoods move from their priors towards what assessors
confirmed (`models.feedback`), and nothing else does. A detector learns only from claims it could judge: a blank taken
for a nought would teach that little is usual.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import polars as pl

from data.errors import MinhBachError
from data.schema import collected
from detectors.base import finders, rules
from detectors.discovery import bundled
from detectors.fusion import CLAIM, Weights
from detectors.rarity import Rarity
from detectors.rulebook import applying, blank_fields, find
from detectors.statistical.expected_cost import COST_GROUPS, GROUPS, LINES, TOTALS, ExpectedCost
from features.matrix import build_matrix
from features.peers import LADDERS, PeerTable
from models.bundle import Bundle, ref
from models.company import in_company
from models.entities import learn
from models.feedback import learn as learn_outcomes
from models.scoring import BY_PATIENT, Progress, in_halves, scored_chunks, with_doctor, with_history

if TYPE_CHECKING:
    from data.lake import Reader
    from data.schema import ClaimTables
    from detectors.base import Detector, Finder
    from detectors.statistical.expected_cost import CostGroup

MIN_ENCOUNTERS = 500  # also the claims that an outlier detector must be able to judge, or it stands aside from all
MAX_ENCOUNTERS = 400_000  # more teaches little and costs memory: patients are then drawn by the hash of their pseudonym
HOLDOUT = 0.2  # the last part of the claims, by day of discharge, that the figures are measured on
PROVISIONAL_PIVOT = 100_000.0  # VND; only until the review threshold has been found

Step = Callable[[str], Progress]  # begins a step by its name; what it gives is told how far the step is
D = TypeVar("D", bound="Detector")


def _unwatched(_: str) -> Progress:
    return lambda _, __: None


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
    decisions: pl.DataFrame | None = None,
    outliers: Sequence[str] | None = None,
    step: Step = _unwatched,
) -> Trained:
    """Fit on the earlier claims, measure on the later ones, then fit on all for the bundle.

    `review_share` is the part of claims that assessors can look at: the review threshold is set there. `outliers` names
    the outlier detectors, otherwise those of the standard bundle are taken. `decisions` are final ones of assessors
    (`models.efficacy.DECISION`); those about claims of the period teach the likelihoods. `step` is told what begins.
    Raises TooFewClaims, UnknownDetector.
    """
    kinds = bundled(outliers)
    step("read")
    tables, dates = _claims(reader, since, until)
    if dates.height < MIN_ENCOUNTERS:
        raise TooFewClaims(dates.height)
    step("features")
    matrix = with_doctor(build_matrix(tables, "encounter"), tables)
    days = dates["day"].drop_nulls().sort()
    cut = days[int(days.len() * (1 - HOLDOUT))] if days.len() else date.max
    early = matrix.join(dates.filter(pl.col("day") < cut), on=["ma_cskcb", "ma_lk"], how="semi", maintain_order="left")
    late = matrix.join(dates.filter(pl.col("day") >= cut), on=["ma_cskcb", "ma_lk"], how="semi", maintain_order="left")
    learners = (ExpectedCost, *kinds, *finders())
    blanks = blank_fields(tables, {need for learner in learners for need in learner.needs})
    measured = step("measure")
    metrics = _metrics(
        ExpectedCost().fit(_with_costs(early, blanks), seed=seed, apart=False, progress=measured), early, late
    )
    fitting, models = step("fit"), len(GROUPS) + len(kinds) + len(finders())
    expected_cost = ExpectedCost().fit(
        _with_costs(matrix, blanks), seed=seed, progress=lambda done, _: fitting(done, models)
    )
    unlearned = {} if expected_cost.learned else {ref(expected_cost): _too_few(0)}
    fitted_outliers: list[Detector] = []
    for done, kind in enumerate(kinds, len(GROUPS) + 1):
        fitted_outliers.append(_fit(kind(), matrix, blanks, seed, unlearned))
        fitting(done, models)
    found: list[Finder] = []
    for done, finder in enumerate(finders(), len(GROUPS) + len(kinds) + 1):
        found.append(_fit_finder(finder(), tables, matrix, blanks, seed, unlearned))
        fitting(done, models)
    encounters = collected(tables.encounter.select(*CLAIM, "ngay_vao", "province", "ma_loai_kcb", "ma_benh_chinh"))
    lined = matrix.filter(pl.col(LINES) > 0).select(CLAIM)
    if lined.height:  # a claim without lines shows next to no sign, and is no measure of how common one is
        encounters = encounters.join(lined, on=CLAIM, how="semi", maintain_order="left")
    del tables
    targets = reader.pl(
        f"select ma_cskcb, ma_lk, version, patient_id, ngay_vao from encounter order by {BY_PATIENT}"
    ).join(dates.select(CLAIM), on=CLAIM, how="semi", maintain_order="left")
    signs = _signs(reader, targets, step("rules"))
    fitted = Bundle(
        expected_cost=expected_cost,
        outliers=tuple(fitted_outliers),
        finders=tuple(found),
        peers=_peers(matrix.filter(pl.col(LINES) > 0), COST_GROUPS),
        bill_peers=_peers(matrix.filter(pl.col(LINES) == 0), TOTALS),
        rarity=Rarity.fit(
            encounters,
            {r.id: signs[r.id].join(applying(r, encounters, None), on=CLAIM, how="semi") for r in rules()},
        ),
        weights=Weights(),
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
            "unlearned": unlearned,
        },
    )

    def score(bundle: Bundle) -> pl.DataFrame:
        tell = step("threshold")
        parts: list[pl.DataFrame] = []
        for each, done in scored_chunks(reader, bundle, targets, company=signs):
            parts.append(each.claims)
            tell(done, targets.height)
        return pl.concat(parts)

    scored = score(fitted)
    if decisions is not None:
        fitted = replace(fitted, pivot=_pivot(scored["place"], review_share))
        lessons = learn_outcomes(reader, fitted, decisions, since=since, until=until, progress=step("outcomes"))
        fitted = replace(fitted, weights=lessons.weights, trained={**fitted.trained, "outcomes": lessons.as_json()})
        scored = score(fitted)
    pivot = _pivot(scored["place"], review_share)
    known, standing = learn(reader, scored, fitted.weights, progress=step("entities"))
    bundle = replace(fitted, pivot=pivot, entity_pivots=dict(known.pivots), entities=known, standing=standing)
    metrics |= {
        "flagged_share": int(((scored["place"] >= pivot) & (scored["expected_recoverable"] > 0)).sum()) / scored.height,
        "review_threshold_vnd": pivot,
        "amount_at_risk_vnd": float(scored["amount_at_risk"].sum()),
        "claims_with_rule_hits": float(scored.filter(pl.col("evidence").str.contains('"rule"', literal=True)).height),
    }
    parameters = {
        **{k: v for k, v in fitted.trained.items() if k not in ("rule_versions", "unlearned", "outcomes")},
        "holdout_from": cut.isoformat(),
        "features": len(matrix.columns) - 3,
        "rules": len(rules()),
        "decisions": fitted.trained.get("outcomes", {}).get("decisions", 0),
    }
    return Trained(bundle=bundle, parameters=parameters, metrics=metrics)


def _claims(reader: Reader, since: date | None, until: date | None) -> tuple[ClaimTables, pl.DataFrame]:
    where = "(? is null or cast(ngay_ra as date) >= ?) and (? is null or cast(ngay_ra as date) <= ?)"
    bounds: list[Any] = [since, since, until, until]
    found = int(reader.pl(f"select count(*) as n from encounter where {where}", bounds)["n"][0])
    if found > MAX_ENCOUNTERS:
        share = int(1_000_000 * MAX_ENCOUNTERS / found)
        where += f" and md5_number_lower(coalesce(patient_id, ma_lk)) % 1000000 < {share}"
    tables = reader.claim_tables(f"({where}) and copy_of is null", bounds)
    day = "cast(coalesce(ngay_ra, ngay_vao) as date)"
    dates = reader.pl(f"select ma_cskcb, ma_lk, {day} as day from encounter where {where}", bounds)
    return tables, dates


def _signs(reader: Reader, targets: pl.DataFrame, progress: Progress) -> Mapping[str, pl.DataFrame]:
    """By rule id the signs of every rule on `targets`, found a part at a time as a run finds them."""
    tell = in_halves(progress, targets.height)
    found = {rule_id: [rows] for rule_id, rows in in_company(reader, targets, progress=tell[0]).items()}
    alone = [rule for rule in rules() if rule.id not in found]
    found |= {rule.id: [] for rule in alone}
    for tables, part, done in with_history(reader, targets):
        for rule_id, rows in find(tables, alone).items():
            found[rule_id].append(rows.join(part.select(CLAIM), on=CLAIM, how="semi"))
        tell[1](done, targets.height)
    return {rule_id: pl.concat(rows) for rule_id, rows in found.items()}


def _without_blanks(matrix: pl.DataFrame, blanks: pl.DataFrame, needs: Iterable[str]) -> pl.DataFrame:
    """Rows of `matrix` that lack none of `needs`."""
    fields = [field for field in needs if field in blanks.columns]
    if not fields:
        return matrix
    lacking = blanks.filter(pl.any_horizontal(fields)).select(CLAIM)
    return matrix.join(lacking, on=CLAIM, how="anti", maintain_order="left")


def _with_costs(matrix: pl.DataFrame, blanks: pl.DataFrame) -> pl.DataFrame:
    """Rows to learn the expected cost from; what the fund is asked for only turns an excess into its money."""
    return _without_blanks(matrix, blanks, [field for field in ExpectedCost.needs if field != "encounter.t_bhtt"])


def _fit(detector: D, matrix: pl.DataFrame, blanks: pl.DataFrame, seed: int, unlearned: dict[str, str]) -> D:
    """The detector fitted on the claims it can judge; with too few of them it enters itself in `unlearned`."""
    rows = _without_blanks(matrix, blanks, detector.needs).filter(pl.col(LINES) > 0)
    if rows.height < MIN_ENCOUNTERS:
        unlearned[f"{detector.name}@{detector.version}"] = _too_few(rows.height)
        rows = matrix  # a bundle has every detector; this one stands aside
    return detector.fit(rows, seed=seed)


def _fit_finder(
    finder: Finder,
    tables: ClaimTables,
    matrix: pl.DataFrame,
    blanks: pl.DataFrame,
    seed: int,
    unlearned: dict[str, str],
) -> Finder:
    """The finder fitted on the claims it can judge; with too few of them it enters itself in `unlearned`."""
    rows = _without_blanks(matrix, blanks, finder.needs).filter(pl.col(LINES) > 0)
    if rows.height < MIN_ENCOUNTERS:
        unlearned[f"{finder.name}@{finder.version}"] = _too_few(rows.height)
        rows = matrix
    return finder.fit(tables, rows, seed=seed)


def _too_few(found: int) -> str:
    return (
        f"khi huấn luyện chỉ có {found} hồ sơ đủ dữ liệu, cần {MIN_ENCOUNTERS} "
        f"(only {found} claims of the training had what it needs, {MIN_ENCOUNTERS} are wanted)"
    )


def _peers(rows: pl.DataFrame, groups: Sequence[CostGroup]) -> PeerTable:
    return PeerTable.fit(rows, LADDERS["encounter"], [group.column for group in groups])


def _metrics(fitted: ExpectedCost, early: pl.DataFrame, late: pl.DataFrame) -> dict[str, float]:
    """How well the expected cost holds on later months, beside knowing only the mean by diagnosis and care type."""
    measured: dict[str, float] = {}
    for group in GROUPS:
        seen, asked = fitted.judged(early, group.name), fitted.judged(late, group.name)
        high = fitted.high(asked, group.name)
        if high is None or not asked.height or not seen.height:
            continue
        expected, limit = high
        cost = asked[group.column].fill_null(0.0).to_numpy()
        by = ["ma_loai_kcb", "icd3"]
        means = seen.group_by(by).agg(pl.col(group.column).mean().alias("mean"))
        naive = (
            asked.join(means, on=by, how="left", nulls_equal=True, maintain_order="left")["mean"]
            .fill_null(seen[group.column].sum() / seen.height)
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
