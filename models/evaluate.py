"""Evaluation: how much improper money lies within what assessors can read, beside what anyone could have done instead.

The measure is money found within a budget of claims (1, 2, 5 %), then average precision: at one or two improper claims
in a hundred, ROC-AUC alone proves nothing. It is built so that it cannot flatter: baselines stand in the same
table, rankings that were taught the truth are marked, ties favour no one, intervals draw whole facilities again, claims
the model learned from are counted and said, and what was missed stands where what was found does.

What the figures do not show is in docs/measurement.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from features.matrix import numeric_columns, text_columns
from models.evaluation import bootstrap, calibration, reading
from models.evaluation.baselines import RANDOM, baselines, paid
from models.evaluation.entities import levels
from models.evaluation.learned import ceilings
from models.evaluation.measures import GRID, MAIN, Labelled, Quality, gain, mean_of, measure, rounded
from models.evaluation.schemes import by_scheme
from models.evaluation.truth import CLAIM, TRUTH_COLUMNS, BadTruth, read_entities, read_truth

if TYPE_CHECKING:
    from pathlib import Path

    from data.lake import Lake
    from models.bundle import Bundle
    from models.evaluation.bootstrap import Drawn
    from models.evaluation.measures import Floats
    from models.scoring import Run

__all__ = ["BadTruth", "Evaluation", "evaluate", "evaluate_run", "read_truth"]

OURS = "minhbach"
Step = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Every figure of a run against the truth."""

    rankings: list[Quality]  # ours, the baselines, then what was taught the truth
    over_best: dict[str, Any]
    improper: dict[str, Any]
    schemes: pl.DataFrame
    schemes_by_intensity: pl.DataFrame | None
    entities: list[dict[str, Any]]
    calibration: dict[str, Any]
    labelled: dict[str, Any]
    gain: dict[str, Any]
    notes: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])  # what stood aside: Vietnamese, English

    def as_json(self) -> dict[str, Any]:
        """One object."""
        by_intensity = self.schemes_by_intensity
        return {
            "improper": self.improper,
            "rankings": [quality.as_json() for quality in self.rankings],
            "over_best_baseline": self.over_best,
            "schemes": self.schemes.to_dicts(),
            "schemes_by_intensity": by_intensity.to_dicts() if by_intensity is not None else None,
            "entities": self.entities,
            "calibration": self.calibration,
            "labels": self.labelled,
            "gain": self.gain,
            "notes": [{"vi": vi, "en": en} for vi, en in self.notes],
        }


@dataclass(frozen=True, kw_only=True)
class More:
    """What an evaluation can do without: each part of it that is missing stands aside and says so."""

    entities: pl.DataFrame | None = None  # level, entity_id, ours: the run's own order of entities
    practitioners: pl.DataFrame | None = None  # the key and doctor of everyone a claim names
    named: pl.DataFrame | None = None  # rows of the truth's entities.parquet
    earlier: pl.DataFrame | None = None  # claims before the evaluated ones, with features and truth
    features: Sequence[str] | None = None  # feature columns of the claims; None: no learner is taught
    taught: str | None = None  # how our own ranking was taught outcomes, if it was


def evaluate(
    claims: pl.DataFrame,
    truth: pl.DataFrame,
    *,
    seed: int,
    more: More | None = None,
    resamples: int = bootstrap.RESAMPLES,
    step: Step = lambda _: None,
) -> Evaluation:
    """Our ranking, the baselines and the ceilings against the truth.

    Args:
        claims: one row a scored claim: key, score, rule_amount, ma_loai_kcb, icd3 and the raw columns of the baselines;
            `ours` (a finer order than the score), amount_at_risk, expected_recoverable, flagged, doctor and patient_id
            where they are known.
        truth: rows of `read_truth`. Claims without truth are left out. Raises BadTruth when none is left.
        seed: of ties, random orders, resamples, samples of labels.
        more: what further parts need.
        resamples: of the bootstrap; 0: no intervals.
        step: told what is being done.
    """
    more = more or More()
    said = truth.select(c for c in TRUTH_COLUMNS if c in truth.columns)
    rows = claims.drop(TRUTH_COLUMNS[len(CLAIM) :], strict=False).join(said, on=CLAIM, how="inner").sort(CLAIM)
    if not rows.height:
        raise BadTruth(
            "no scored claim is in the truth folder: it belongs to other claims",
            vi="không hồ sơ nào đã chấm có trong thư mục truth: truth này của bộ hồ sơ khác",
        )
    labelled = Labelled.of(rows, seed=seed)
    ours = rows["ours" if "ours" in rows.columns else "score"].cast(pl.Float64).to_numpy()
    step("baselines")
    scores: dict[str, list[Floats]] = {OURS: [ours], **baselines(rows, seed=seed)}
    notes: list[tuple[str, str]] = []
    step("learners")
    taught: dict[str, str | None] = {OURS: more.taught}
    lessons: dict[str, Any] = {"split": None, "rankings": []}
    if more.features is None:
        notes.append(("không dạy mô hình có nhãn", "no learner was taught with labels"))
    else:
        split, learned = ceilings(rows, more.earlier, list(more.features), seed=seed)
        lessons = {"split": split, "rankings": [ceiling.as_json() for ceiling in learned]}
        scores |= {ceiling.name: ceiling.scores for ceiling in learned}
        taught |= {ceiling.name: ceiling.labels for ceiling in learned}
        if split == "facilities":
            notes.append(
                (
                    "không có hồ sơ trước kỳ kèm sự thật: mô hình có nhãn học từ các cơ sở khác trong cùng kỳ",
                    "no earlier claims with truth: the learners were taught on other facilities of the same period",
                )
            )
        elif split is None:
            notes.append(("không có gì để dạy mô hình có nhãn", "there was nothing to teach a learner with"))
    step("intervals")
    rankings, drawn = _measured(scores, taught, labelled, rows, seed=seed, resamples=resamples)
    if not drawn:
        notes.append(("quá ít cơ sở để có khoảng tin cậy", "too few facilities for intervals"))
    step("parts")
    found_of = by_scheme(rows, ours, labelled)
    bold = by_scheme(rows, ours, labelled, intensity=True) if "intensity" in rows.columns else None
    if bold is None:
        notes.append(("sự thật không ghi mức độ lộ liễu (intensity)", "the truth does not say the intensity"))
    return Evaluation(
        rankings=rankings,
        over_best=_over_best(rankings, taught, drawn),
        improper=_improper(rows, labelled),
        schemes=found_of,
        schemes_by_intensity=bold,
        entities=_entities(rows, more, notes, seed=seed),
        calibration=_calibration(rows, labelled, seed=seed),
        labelled=lessons,
        gain=_gain(scores, labelled),
        notes=notes,
    )


def evaluate_run(
    lake: Lake,
    linked: Sequence[Run],
    folder: Path,
    bundle: Bundle | None,
    *,
    seed: int,
    learners: bool = True,
    resamples: int = bootstrap.RESAMPLES,
    step: Step = lambda _: None,
) -> dict[str, Any]:
    """A run against a truth folder, as one JSON object.

    Args:
        lake: where the run lies.
        linked: the run and those it extends, newest first (`models.scoring.chain`).
        folder: the truth folder. Raises BadTruth.
        bundle: the model of the run, for what it learned from; None where it is no longer here.
        seed: of everything random.
        learners: whether the ceilings are computed: they need features of all claims.
        resamples: of the bootstrap.
        step: told what is being done.
    """
    truth, named = read_truth(folder), read_entities(folder)
    run = linked[0]
    step("read")
    with lake.reader() as reader:
        scored = reading.scored_claims(reader, [one.run_id for one in linked])
        claims = scored.join(truth, on=CLAIM, how="semi", maintain_order="left")
        bounds = {end: date.fromisoformat(v) if (v := getattr(run, end)) else None for end in ("since", "until")}
        covered = reading.coverage(reader, scored, truth, **bounds)
        features: list[str] | None = None
        earlier: pl.DataFrame | None = None
        if learners and claims.height:
            step("features")
            features = [*numeric_columns("encounter"), *text_columns("encounter")]
            before = reading.earlier_claims(reader, claims).join(truth, on=CLAIM, how="inner", maintain_order="left")
            claims = reading.with_features(reader, claims, features)
            earlier = reading.with_features(reader, before, features) if before.height else None
        more = More(
            entities=reading.ranked_entities(reader, run.run_id),
            practitioners=reading.practitioners(reader, claims),
            named=named,
            earlier=earlier,
            features=features,
            taught="outcomes" if bundle is not None and bundle.weights.learned else None,
        )
    overlap = reading.training_overlap(lake, bundle.trained if bundle else {}, claims)
    result = evaluate(claims, truth, seed=seed, more=more, resamples=resamples, step=step)
    absent = set(truth["schemes"].explode().drop_nulls()) - set(result.schemes["scheme"])
    return {
        "run_id": run.run_id,
        "model_version": run.model_version,
        "snapshot": run.snapshot,
        "seed": seed,
        "claims": claims.height,
        "facilities": claims["ma_cskcb"].n_unique(),
        "since": str(claims["day"].min()),
        "until": str(claims["day"].max()),
        **overlap,
        "truth": covered,
        **result.as_json(),
        "schemes_of_other_months": sorted(absent),
    }


def _measured(
    scores: Mapping[str, list[Floats]],
    taught: Mapping[str, str | None],
    labelled: Labelled,
    rows: pl.DataFrame,
    *,
    seed: int,
    resamples: int,
) -> tuple[list[Quality], dict[str, Drawn]]:
    """Every ranking's figures with their intervals, and the resamples behind them."""
    facilities = rows["ma_cskcb"].unique().sort()
    facility = rows["ma_cskcb"].replace_strict(facilities, range(facilities.len()), return_dtype=pl.Int64).to_numpy()
    times = bootstrap.weights(facilities.len(), resamples, seed=seed)
    drawn: dict[str, Drawn] = {}
    rankings: list[Quality] = []
    for name, given in scores.items():
        quality = mean_of([measure(name, one, labelled, labels=taught.get(name)) for one in given])
        if resamples and facilities.len() >= bootstrap.MIN_CLUSTERS:
            drawn[name] = bootstrap.resampled(given, labelled, facility, times)
            spans = {figure: bootstrap.interval(values) for figure, values in drawn[name].items()}
            quality = replace(quality, intervals=spans)
        rankings.append(quality)
    return rankings, drawn


def _over_best(
    rankings: Sequence[Quality], taught: Mapping[str, str | None], drawn: Mapping[str, Drawn]
) -> dict[str, Any]:
    """Ours over the best ranking that anyone could have had, in money found at the main budget."""
    ours = next(q for q in rankings if q.ranking == OURS)
    others = [q for q in rankings if q.ranking != OURS and taught.get(q.ranking) is None]
    best = max(others, key=lambda q: q.money_found[MAIN])
    most = best.money_found[MAIN]
    found: dict[str, Any] = {
        "budget": MAIN,
        "best_baseline": best.ranking,
        "ratio": rounded(ours.money_found[MAIN] / most, 3) if most > 0 else None,
        "low": None,
        "high": None,
        "resamples_above_1": None,
    }
    if drawn:
        ratios = bootstrap.ratio(drawn[OURS], {q.ranking: drawn[q.ranking] for q in others})
        low, high = bootstrap.interval(ratios)
        known = ratios[np.isfinite(ratios)]
        above = rounded(float((known > 1).mean()), 3) if len(known) else None
        found |= {"low": rounded(low, 3), "high": rounded(high, 3), "resamples_above_1": above}
    return found


def _improper(rows: pl.DataFrame, labelled: Labelled) -> dict[str, Any]:
    """How much there was to find, and how few claims carry it."""
    money = np.sort(labelled.money[labelled.money > 0])[::-1]
    total, asked = float(money.sum()), float(paid(rows).sum())
    return {
        "claims": len(money),
        "share_of_claims": rounded(len(money) / rows.height, 5),
        "amount": round(total, 2),
        "share_of_money": rounded(total / asked, 5) if asked > 0 else None,
        "in_largest": rounded(float(money[:1].sum()) / total) if total else None,
        "in_largest_10": rounded(float(money[:10].sum()) / total) if total else None,
        "kinds": dict(sorted(rows["kind"].value_counts().iter_rows())),
    }


def _entities(rows: pl.DataFrame, more: More, notes: list[tuple[str, str]], *, seed: int) -> list[dict[str, Any]]:
    if more.entities is None:
        notes.append(("không có danh sách đối tượng của lượt chấm", "the run's entities were not given"))
        return []
    if more.named is None:
        notes.append(
            (
                "thư mục truth không có entities.parquet: không đo được bác sĩ",
                "the truth folder has no entities.parquet: doctors cannot be measured",
            )
        )
    measured = levels(rows.with_columns(paid=paid(rows)), more.entities, more.practitioners, more.named, seed=seed)
    notes.extend(
        (
            f"mức {one['level']}: {one['improper']} trên {one['entities']} có tiền sai, không có AUC",
            f"level {one['level']}: {one['improper']} of {one['entities']} have improper money, so no AUC",
        )
        for one in measured
        if one["improper"] in (0, one["entities"])
    )
    return measured


def _calibration(rows: pl.DataFrame, labelled: Labelled, *, seed: int) -> dict[str, Any]:
    wrong = labelled.money > 0
    result: dict[str, Any] = {
        "score": calibration.of_score(rows["score"].cast(pl.Float64).to_numpy(), wrong, seed=seed),
        "amount_at_risk": None,
    }
    if {"amount_at_risk", "expected_recoverable", "flagged"} <= set(rows.columns):
        result["amount_at_risk"] = calibration.of_amount(
            rows["amount_at_risk"].cast(pl.Float64).fill_null(0.0).to_numpy(),
            rows["expected_recoverable"].cast(pl.Float64).fill_null(0.0).to_numpy(),
            labelled.money,
            rows["flagged"].fill_null(value=False).to_numpy(),
        )
    if {"likelihood", "promise", "flagged"} <= set(rows.columns):
        likelihood, promise = (rows[name].fill_null(0.0).to_numpy() for name in ("likelihood", "promise"))
        result["likelihood"] = calibration.of_score(likelihood, wrong, seed=seed)
        result["flags"] = calibration.of_flags(promise, wrong, rows["flagged"].fill_null(value=False).to_numpy())
    return result


def _gain(scores: Mapping[str, list[Floats]], labelled: Labelled) -> dict[str, Any]:
    curves = {name: np.mean([gain(one, labelled) for one in given], axis=0) for name, given in scores.items()}
    curves[RANDOM] = GRID  # what it finds on average
    return {
        "claims_read": [round(float(share), 5) for share in GRID],
        "money_found": {name: [rounded(float(y)) for y in curve] for name, curve in curves.items()},
    }
