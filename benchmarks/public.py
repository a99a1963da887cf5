"""Labelled public sets through ingest, train, score and export: `python -m benchmarks public --data FOLDER`.

No row of these sets is in the project: they are read from the folder given, and where there is none, or a set is not in
it, the benchmark stands aside and says so. Sorting by money stands beside every ranking, over all and within bands of
like money, because size alone finds much of what such labels name. See docs/public-data.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MAPPINGS = Path(__file__).parent / "mappings"
SEED = 20260701
BANDS = 5
RESAMPLES = 500
FOLDS, REPEATS = 5, 5
RANDOM = "random order (expected)"  # equal scores: every figure takes its mean over their orders
OUTLIER_ROWS = 20_000  # of each outlier set: enough for a regression test, and the largest has 600,000


# --- measures


def auc(scores: Floats, labels: Floats) -> float:
    """Chance that a positive stands above a negative, ties counting half; nan without both."""
    positives = labels.sum()
    pairs = positives * (len(labels) - positives)
    return _wins(scores, labels) / pairs if pairs else float("nan")


def band_auc(scores: Floats, labels: Floats, bands: NDArray[np.int64]) -> float:
    """The same over the pairs whose two lie in one band, pooled: what a ranking knows beyond size."""
    won = pairs = 0.0
    for band in np.unique(bands):
        inside = bands == band
        positives = labels[inside].sum()
        pairs += positives * (inside.sum() - positives)
        won += _wins(scores[inside], labels[inside])
    return won / pairs if pairs else float("nan")


def average_precision(scores: Floats, labels: Floats) -> float:
    """Mean precision at the positives, equal scores entering together."""
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.diff(scores[order]) != 0, True)
    found, read = np.cumsum(labels[order])[last], np.flatnonzero(last) + 1
    positives = labels.sum()
    return float((np.diff(found, prepend=0.0) * found / read).sum() / positives) if positives else float("nan")


def within_top(scores: Floats, values: Floats, share: float) -> float:
    """Sum of `values` in the first `share` of the rows; of equal scores at the edge, their mean part."""
    room = max(round(len(scores) * share), 1)
    edge = np.partition(scores, len(scores) - room)[len(scores) - room]
    above, at = scores > edge, scores == edge
    return float(values[above].sum() + values[at].mean() * (room - above.sum()))


def size_bands(money: Floats) -> NDArray[np.int64]:
    """Quintiles of money; equal amounts stay in one band."""
    edges = np.quantile(money, np.arange(1, BANDS) / BANDS)
    return np.searchsorted(edges, money, side="right").astype(np.int64)


def _wins(scores: Floats, labels: Floats) -> float:
    from scipy.stats import rankdata

    positives = labels.sum()
    return float(rankdata(scores)[labels > 0].sum() - positives * (positives + 1) / 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One ranking against the labels. An interval is the middle 95 % over resampled rows."""

    ranking: str
    labels: bool  # whether it has learned from labels
    figures: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]

    def as_json(self) -> dict[str, Any]:
        return {
            "ranking": self.ranking,
            "learned_from_labels": self.labels,
            **{name: _rounded(value) for name, value in self.figures.items()},
            "intervals": {name: [_rounded(v) for v in ends] for name, ends in self.intervals.items()},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Rows of one set with their label, and what they are ranked by; the first ranking is the money."""

    name: str
    labels: Floats
    money: Floats
    rankings: Mapping[str, Floats]
    learned: Mapping[str, Floats] = field(default_factory=dict[str, Floats])
    value: Floats | None = None
    """What a positive is worth, for the share found in the top; none: one each."""
    tops: tuple[float, ...] = (0.1,)
    banded: bool = True

    def measure(self) -> list[Measured]:
        bands = size_bands(self.money)
        everything = {**self.rankings, **self.learned}
        reference = next(iter(everything))
        rng = np.random.default_rng(SEED)
        samples = [rng.integers(len(self.labels), size=len(self.labels)) for _ in range(RESAMPLES)]
        drawn = {
            name: [self._resampled(scores, bands, rows) for rows in samples] for name, scores in everything.items()
        }
        found: list[Measured] = []
        for name, scores in everything.items():
            if not np.isfinite(scores).all():
                raise ValueError(f"{self.name}: {name} has scores that are no finite numbers")
            figures = self._figures(scores, bands)
            own, money = drawn[name], drawn[reference]
            spread = {key: [draw[key] for draw in own] for key in own[0]}
            for key in own[0]:
                figures[f"{key}_above_money"] = figures[key] - self._figures(everything[reference], bands)[key]
                spread[f"{key}_above_money"] = [a[key] - b[key] for a, b in zip(own, money, strict=True)]
            ends = {
                key: cast("tuple[float, float]", tuple(np.nanpercentile(v, [2.5, 97.5]))) for key, v in spread.items()
            }
            found.append(Measured(ranking=name, labels=name in self.learned, figures=figures, intervals=ends))
        return found

    def _resampled(self, scores: Floats, bands: NDArray[np.int64], rows: NDArray[np.int64]) -> dict[str, float]:
        scores, labels = scores[rows], self.labels[rows]
        drawn = {"auc": auc(scores, labels), "average_precision": average_precision(scores, labels)}
        return drawn | ({"band_auc": band_auc(scores, labels, bands[rows])} if self.banded else {})

    def _figures(self, scores: Floats, bands: NDArray[np.int64]) -> dict[str, float]:
        """All figures of one ranking; of a band the same, weighted by its positives, tops being tops of each band."""
        labels = self.labels
        worth = labels if self.value is None else labels * self.value
        figures = {"auc": auc(scores, labels), "average_precision": average_precision(scores, labels)}
        for share in self.tops:
            part = within_top(scores, worth, share)
            key = f"top_{share:.0%}"
            figures[key] = part / worth.sum() if self.value is not None else part / max(round(len(labels) * share), 1)
        if not self.banded:
            return figures
        parts = [bands == band for band in np.unique(bands)]
        weights = np.array([labels[inside].sum() for inside in parts])
        figures["band_auc"] = band_auc(scores, labels, bands)
        figures["band_average_precision"] = _mean(
            [average_precision(scores[inside], labels[inside]) for inside in parts], weights
        )
        for share in self.tops:
            taken = sum(within_top(scores[inside], worth[inside], share) for inside in parts)
            read = sum(max(round(int(inside.sum()) * share), 1) for inside in parts)
            figures[f"band_top_{share:.0%}"] = taken / (worth.sum() if self.value is not None else read)
        return figures


def _mean(values: Sequence[float], weights: Floats) -> float:
    known = weights > 0
    return float(np.average(np.array(values)[known], weights=weights[known])) if known.any() else float("nan")


def _rounded(value: float) -> float | None:
    return round(float(value), 3) + 0.0 if np.isfinite(value) else None  # no minus before a nought


# --- the product's own way, and what stands beside it


def minhbach(home: Path, *arguments: str) -> dict[str, Any]:
    """Run one command in a home of its own; its JSON object. Raises RuntimeError with what it said."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("MINHBACH_", "MLFLOW_"))}
    done = subprocess.run(
        [sys.executable, "-m", "service", *arguments, "--json"],
        env={**ours, "MINHBACH_HOME": str(home), "MINHBACH_LANG": "en"},
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode not in (0, 4):  # 4: some rows were refused, which is a figure here
        raise RuntimeError(f"minhbach {' '.join(arguments)} ended with {done.returncode}: {done.stderr[-2000:]}")
    return json.loads(done.stdout)


@dataclass(frozen=True, slots=True)
class Exported:
    """What the product said of one set."""

    claims: pl.DataFrame
    facilities: pl.DataFrame
    intake: Mapping[str, int]
    metrics: Mapping[str, float]


def through_the_product(prepared: Path, mapping: str, work: Path) -> Exported:
    """Ingest, train without labels, score and export the prepared files of one set."""
    home = work / "home"
    loaded = minhbach(home, "ingest", str(prepared), "--as", "parquet", "--mapping", str(MAPPINGS / f"{mapping}.toml"))
    trained = minhbach(home, "train")
    minhbach(home, "score")
    frames: dict[str, pl.DataFrame] = {}
    for level in ("claim", "facility"):
        out = work / f"{level}.parquet"
        minhbach(home, "export", level, str(out))
        money = pl.col("amount_at_risk", "expected_recoverable").cast(pl.Float64)
        frames[level] = pl.read_parquet(out).with_columns(money)
    return Exported(frames["claim"], frames["facility"], loaded["rows"]["encounter"], trained["metrics"])


def learned(design: pl.DataFrame, labels: Floats) -> Floats:
    """What gradient boosting says of rows it has not seen: out of fold, mean of several divisions into folds."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import StratifiedKFold
    from threadpoolctl import threadpool_limits

    x = design.select(pl.all().cast(pl.Float64).fill_null(np.nan)).to_numpy()
    said = np.zeros(len(labels))
    with threadpool_limits(1):
        for repeat in range(REPEATS):
            folds = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED + repeat)
            for seen, asked in folds.split(x, labels):
                learner = HistGradientBoostingClassifier(
                    max_iter=100, learning_rate=0.05, max_leaf_nodes=8, l2_regularization=1.0, random_state=SEED
                )
                said[asked] += learner.fit(x[seen], labels[seen]).predict_proba(x[asked])[:, 1]
    return said / REPEATS


def unlearned(design: pl.DataFrame) -> dict[str, Floats]:
    """The usual outlier detectors on plain columns, as their authors ship them; higher is stranger."""
    from sklearn.ensemble import IsolationForest

    x = design.select(pl.all().cast(pl.Float64).fill_null(0.0)).to_numpy()
    return {
        "ECOD, plain columns": _ecod(x),
        "IsolationForest, plain columns": -IsolationForest(random_state=SEED).fit(x).score_samples(x),
    }


def _ecod(x: Floats) -> Floats:
    from pyod.models.ecod import ECOD

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the skewness of a column that is nearly constant
        return np.asarray(ECOD().fit(x).decision_scores_)


# --- the sets


class Absent(Exception):
    """A set that is not in the folder."""


def _read(data: Path, *names: str) -> list[pl.DataFrame]:
    for name in names:
        if not (data / name).is_file():
            raise Absent(f"{name} is not in the folder")
    return [pl.read_parquet(data / name) for name in names]


def provider_fraud(data: Path, work: Path) -> tuple[list[Asked], dict[str, Any]]:
    """Providers by their inpatient claims; a part of them is labelled."""
    claims, people, labels = _read(
        data / "provider_fraud", "inpatient_claims.parquet", "beneficiaries.parquet", "labels_dev.parquet"
    )
    exported = through_the_product(data / "provider_fraud", "provider_fraud", work)
    plain = provider_columns(claims, people)
    said = facility_columns(exported)
    known = plain.join(above_means(claims), on="Provider").join(said, on="Provider", how="left").sort("Provider")
    strange = unlearned(known.select(plain.drop("Provider").columns))
    known = known.with_columns(**{name: pl.Series(values) for name, values in strange.items()})
    known = labels.join(known, on="Provider", how="left").sort("Provider")
    billed = known.filter(pl.col("claims").is_not_null())
    truth = _floats(billed, "PotentialFraud")
    ours, bare = said.drop("Provider").columns, plain.drop("Provider").columns
    rankings = {
        "money (inpatient)": _floats(billed, "money"),
        "minhbach: score (= expected recoverable)": _floats(billed, "score"),
        "minhbach: amount at risk": _floats(billed, "amount_at_risk"),
        "minhbach: recoverable a claim": _floats(billed, "recoverable_a_claim"),
        "minhbach: recoverable a VND paid": _floats(billed, "recoverable_a_dong"),
        "minhbach: sum of claim scores": _floats(billed, "claim_scores"),
        "number of claims": _floats(billed, "claims"),
        "money a claim": _floats(billed, "mean_money"),
        "money above the mean of the diagnosis": _floats(billed, "above_diagnosis"),
        "money above the mean of the payment group": _floats(billed, "above_group"),
        **{name: _floats(billed, name) for name in strange},
        RANDOM: np.zeros(billed.height),
    }
    everyone = Asked(
        name="provider_fraud, all labelled",
        labels=_floats(known, "PotentialFraud"),
        money=_floats(known, "money"),
        value=_floats(known, "money"),
        rankings={  # a provider without an inpatient claim is last in each, with the others like it
            "money (inpatient)": _floats(known, "money"),
            "minhbach: score (= expected recoverable)": _floats(known, "score"),
            "number of claims": _floats(known, "claims"),
            RANDOM: np.zeros(known.height),
        },
        banded=False,
    )
    asked = Asked(
        name="provider_fraud, with inpatient claims",
        labels=truth,
        money=_floats(billed, "money"),
        value=_floats(billed, "money"),
        rankings=rankings,
        learned={
            "boosting: plain columns": learned(billed.select(bare), truth),
            "boosting: minhbach's columns": learned(billed.select(ours), truth),
            "boosting: both": learned(billed.select(*bare, *ours), truth),
        },
    )
    return [asked, everyone], {"intake": exported.intake, "providers": int(plain.height)}


def provider_columns(claims: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """What anyone would count of a provider without knowing more than its claims."""
    diagnoses = [name for name in claims.columns if name.startswith("ClmDiagnosisCode_")]
    procedures = [name for name in claims.columns if name.startswith("ClmProcedureCode_")]
    paid, nights = pl.col("InscClaimAmtReimbursed"), (pl.col("DischargeDt") - pl.col("AdmissionDt")).dt.total_days()
    age = (pl.col("AdmissionDt") - pl.col("DOB")).dt.total_days() / 365.25
    return (
        claims.join(people.select("BeneID", "DOB", "State"), on="BeneID", how="left")
        .with_columns(
            nights=nights,
            age=age,
            diagnoses=pl.sum_horizontal(pl.col(name).is_not_null() for name in diagnoses),
            procedures=pl.sum_horizontal(pl.col(name).is_not_null() for name in procedures),
        )
        .group_by("Provider")
        .agg(
            pl.len().alias("claims"),
            paid.sum().alias("money"),
            paid.mean().alias("mean_money"),
            paid.median().alias("median_money"),
            paid.max().alias("max_money"),
            pl.col("nights").mean(),
            pl.col("nights").sum().alias("all_nights"),
            pl.col("age").mean(),
            pl.col("diagnoses").mean(),
            pl.col("procedures").mean(),
            pl.col("BeneID").n_unique().alias("patients"),
            pl.col("State").n_unique().alias("states"),
            pl.col("DiagnosisGroupCode").n_unique().alias("groups"),
            pl.col("AttendingPhysician").n_unique().alias("attending"),
            pl.col("OperatingPhysician").n_unique().alias("operating"),
            pl.col("OperatingPhysician").is_not_null().mean().alias("operated"),
            pl.col("DeductibleAmtPaid").sum().alias("deductibles"),
        )
        .sort("Provider")
    )


def above_means(claims: pl.DataFrame) -> pl.DataFrame:
    """Of each provider the money of its claims above the mean of their diagnosis, and of their payment group."""
    paid = pl.col("InscClaimAmtReimbursed")
    kinds = {
        "above_diagnosis": pl.col("ClmDiagnosisCode_1").str.slice(0, 3),
        "above_group": pl.col("DiagnosisGroupCode"),
    }
    above = claims.with_columns((paid - paid.mean().over(kind)).clip(0).alias(name) for name, kind in kinds.items())
    return above.group_by("Provider").agg(pl.col(*kinds).sum()).sort("Provider")


def facility_columns(exported: Exported) -> pl.DataFrame:
    """What the exports say of a facility: its own row, and what its claims' rows come to."""
    told = exported.facilities.with_columns(
        pl.col("evidence").str.json_decode(pl.Struct({"claims": pl.Int64, "flags": pl.Int64, "t_bhtt": pl.Float64}))
    ).unnest("evidence")
    of_claims = (
        exported.claims.with_columns(pl.col("entity_id").str.split(":").list.first())
        .group_by("entity_id")
        .agg(
            pl.col("score").sum().alias("claim_scores"),
            pl.col("score").mean().alias("mean_claim_score"),
            pl.col("score").max().alias("max_claim_score"),
            (pl.col("expected_recoverable") > 0).mean().alias("signs_a_claim"),
        )
    )
    return told.join(of_claims, on="entity_id", how="left").select(
        "score",
        "amount_at_risk",
        "expected_recoverable",
        "claim_scores",
        "mean_claim_score",
        "max_claim_score",
        "signs_a_claim",
        Provider="entity_id",
        recoverable_a_claim=pl.col("expected_recoverable") / pl.col("claims"),
        recoverable_a_dong=pl.col("expected_recoverable") / pl.col("t_bhtt").clip(1.0),
        flagged_a_claim=pl.col("flags") / pl.col("claims"),
    )


def prepared_nhis(whole: pl.DataFrame) -> pl.DataFrame:
    """What a mapping cannot make: a number of its own for each row (`row_id` repeats), a year of birth from an age."""
    at = pl.coalesce("encounter_date", "discharge_date").dt.year()
    born = (at - pl.col("age").floor()).cast(pl.Int32)
    return whole.with_row_index("claim", 1).with_columns(birth_year=born)


def nhis(data: Path, work: Path) -> tuple[list[Asked], dict[str, Any]]:
    """Claims of one fund, by their own label."""
    (whole,) = _read(data, "nhis_claims.parquet")
    claims = prepared_nhis(whole)
    prepared = work / "prepared"
    prepared.mkdir()
    claims.drop("fraud_type").write_parquet(prepared / "nhis_claims.parquet")
    exported = through_the_product(prepared, "nhis", work)
    known = claims.with_columns(
        entity_id=pl.format("NHIS:{}", "claim"), label=(pl.col("fraud_type") != "No Fraud").cast(pl.Float64)
    ).join(exported.claims, on="entity_id", how="left")
    refused, kept = known.filter(pl.col("score").is_null()), known.filter(pl.col("score").is_not_null())
    plain = [
        "amount_billed",
        "age",
        (pl.col("discharge_date") - pl.col("encounter_date")).dt.total_days().alias("nights"),
        (pl.col("sex") == "F").alias("female"),
        pl.col("encounter_date").dt.month().alias("month"),
        pl.len().over("diagnosis_text").alias("like"),
    ]
    billed = kept.filter(pl.col("amount_billed") > 0)  # without the kind of fraud that is an amount of nought
    asked = [
        _claims_asked(name, rows, "label", "amount_billed", rows.select(plain))
        for name, rows in (("nhis", kept), ("nhis, amount above 0", billed))
    ]
    told = {
        "intake": exported.intake,
        "refused": refused.height,
        "refused_positive": int(refused["label"].sum()),
        "kinds": {
            kind: {"all": int(of), "refused": int(out), "amount_0": int(none)}
            for kind, of, out, none in known.group_by("fraud_type")
            .agg(
                pl.len(),
                pl.col("score").is_null().sum().alias("out"),
                (pl.col("amount_billed") == 0).sum().alias("none"),
            )
            .sort("fraud_type")
            .iter_rows()
        },
    }
    return asked, told


BPJS_RAW = (
    *("claim_id", "participant_id", "age", "sex", "faskes_id", "tgl_pelayanan", "kode_icd10", "kode_prosedur"),
    *("jenis_pelayanan", "lama_dirawat", "billed_amount", "paid_amount", "drug_cost", "tarif_inacbg"),
)
"""Columns that a claim has; the others of that set are its generator's own verdicts."""


def prepared_bpjs(whole: pl.DataFrame) -> pl.DataFrame:
    """The raw columns, and what a mapping cannot make: the day of discharge and a year of birth."""
    day = pl.col("tgl_pelayanan").str.to_date()
    out, born = day + pl.duration(days="lama_dirawat"), day.dt.year() - pl.col("age")
    return whole.select(*BPJS_RAW, tgl_pulang=out, tahun_lahir=born)


def bpjs(data: Path, work: Path) -> tuple[list[Asked], dict[str, Any]]:
    """Claims of another author's generator, by the flag of that generator."""
    (whole,) = _read(data, "bpjs_synthetic.parquet")
    claims = prepared_bpjs(whole)
    prepared = work / "prepared"
    prepared.mkdir()
    claims.write_parquet(prepared / "bpjs_synthetic.parquet")
    exported = through_the_product(prepared, "bpjs", work)
    known = (
        claims.with_columns(entity_id=pl.format("{}:{}", "faskes_id", "claim_id"))
        .join(whole.select("claim_id", "fraud_flag"), on="claim_id")
        .join(exported.claims, on="entity_id", how="inner")
    )
    plain = known.select(
        *("billed_amount", "paid_amount", "drug_cost", "tarif_inacbg", "lama_dirawat", "age"),
        female=pl.col("sex") == "F",
        inpatient=pl.col("jenis_pelayanan") == "Rawat Inap",
        unpaid=1 - pl.col("paid_amount") / pl.col("billed_amount").clip(1),
        over_group=pl.col("billed_amount") / pl.col("tarif_inacbg").clip(1),
    )
    return [_claims_asked("bpjs", known, "fraud_flag", "billed_amount", plain)], {"intake": exported.intake}


def _claims_asked(name: str, known: pl.DataFrame, label: str, money: str, plain: pl.DataFrame) -> Asked:
    ours, truth = known.select("score", "amount_at_risk", "expected_recoverable"), _floats(known, label)
    return Asked(
        name=name,
        labels=truth,
        money=_floats(known, money),
        tops=(0.01, 0.02, 0.05),
        rankings={
            "money": _floats(known, money),
            "minhbach: score": _floats(known, "score"),
            "minhbach: expected recoverable": _floats(known, "expected_recoverable"),
            "minhbach: amount at risk": _floats(known, "amount_at_risk"),
            **unlearned(plain),
            RANDOM: np.zeros(known.height),
        },
        learned={
            "boosting: plain columns": learned(plain, truth),
            "boosting: minhbach's columns": learned(ours, truth),
            "boosting: both": learned(pl.concat([plain, ours], how="horizontal"), truth),
        },
    )


def _floats(frame: pl.DataFrame, column: str) -> Floats:
    return frame[column].cast(pl.Float64).fill_null(0.0).to_numpy()


def adbench(data: Path) -> dict[str, Any]:
    """AUC of the product's outlier detectors and of others on the same rows of each outlier set."""
    folder = data / "adbench"
    files = sorted(folder.glob("*.parquet"))
    if not files:
        raise Absent("adbench/*.parquet is not in the folder")
    by_set: dict[str, dict[str, float]] = {}
    for path in files:
        frame = pl.read_parquet(path)
        rows = np.sort(np.random.default_rng(SEED).permutation(frame.height)[:OUTLIER_ROWS])
        labels = _floats(frame[rows], "y")
        x = frame[rows].drop("y").cast(pl.Float64).to_numpy()
        by_set[path.stem] = {name: auc(scores, labels) for name, scores in outlier_scores(x, path.stem).items()}
    detectors = next(iter(by_set.values()))
    return {
        "sets": len(by_set),
        "mean_auc": {name: _rounded(float(np.nanmean([of[name] for of in by_set.values()]))) for name in detectors},
        "auc": {name: {key: _rounded(value) for key, value in of.items()} for name, of in by_set.items()},
    }


def outlier_scores(x: Floats, name: str) -> dict[str, Floats]:
    """Scores by detector. Raises ValueError when one of ours is not finite: a claim would lose its place."""
    from pyod.models.hbos import HBOS
    from sklearn.ensemble import IsolationForest

    from detectors.outliers.isolation import IsolationDetector
    from detectors.outliers.tails import TailDetector
    from detectors.pyod import as_pyod

    columns = tuple(f"x{n}" for n in range(x.shape[1]))
    found = {
        f"minhbach {detector.name}": np.asarray(as_pyod(detector, seed=SEED).fit(x).decision_scores_)
        for detector in (IsolationDetector(columns), TailDetector(columns))
    }
    found["minhbach, the stranger of both"] = np.max(list(found.values()), axis=0)
    for ours, scores in found.items():
        if not np.isfinite(scores).all():
            raise ValueError(f"adbench {name}: {ours} has {(~np.isfinite(scores)).sum()} scores that are not finite")
    found["scikit-learn IsolationForest"] = -IsolationForest(random_state=SEED).fit(x).score_samples(x)
    found["PyOD ECOD"] = _ecod(x)
    found["PyOD HBOS"] = np.asarray(HBOS().fit(x).decision_scores_)
    return found


# --- the table

SETS: Mapping[str, Callable[[Path, Path], tuple[list[Asked], dict[str, Any]]]] = {
    "provider_fraud": provider_fraud,
    "nhis": nhis,
    "bpjs": bpjs,
}


def measure(data: Path) -> dict[str, Any]:
    """Everything of the sets that are in the folder; what is absent is told in its place."""
    started = time.perf_counter()
    found: dict[str, Any] = {}
    for name, prepare in SETS.items():
        print(f"  {name} …", file=sys.stderr)
        with tempfile.TemporaryDirectory() as work:
            try:
                asked, told = prepare(data, Path(work))
            except Absent as absent:
                found[name] = {"skipped": str(absent)}
                continue
        parts = [
            {
                "over": part.name,
                "rows": len(part.labels),
                "positive": int(part.labels.sum()),
                "rankings": [ranking.as_json() for ranking in part.measure()],
            }
            for part in asked
        ]
        found[name] = {**told, "parts": parts}
    print("  adbench …", file=sys.stderr)
    try:
        found["adbench"] = adbench(data)
    except Absent as absent:
        found["adbench"] = {"skipped": str(absent)}
    return {"seconds": round(time.perf_counter() - started), "details": found}


HEADS = (
    *("ranking", "AUC", "less the money's", "AUC in bands", "less the money's"),
    *("AP", "AP in bands", "top", "top in bands"),
)


def lines(details: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The table: a line of one cell opens a part, the others have as many cells as `HEADS`."""
    found: list[tuple[str, ...]] = []
    for name, told in details.items():
        if "skipped" in told:
            found.append((f"{name}: skipped: {told['skipped']}",))
            continue
        if name == "adbench":
            means = ", ".join(f"{ranking} {_cell(value)}" for ranking, value in told["mean_auc"].items())
            found.append((f"adbench: mean AUC over {told['sets']} sets: {means}",))
            continue
        for part in told["parts"]:
            tops = [key for key in part["rankings"][0] if key.startswith("top_")]
            what = "fraud money in the first" if name == "provider_fraud" else "precision in the first"
            shares = ", ".join(key.removeprefix("top_") for key in tops)
            found.append((f"{part['over']}: {part['rows']} rows, {part['positive']} positive; top: {what} {shares}",))
            found += [_line(row, tops) for row in part["rankings"]]
    return found


def _line(row: Mapping[str, Any], tops: Sequence[str]) -> tuple[str, ...]:
    intervals: Mapping[str, Sequence[float | None]] = row["intervals"]
    keys = ("auc", "auc_above_money", "band_auc", "band_auc_above_money", "average_precision", "band_average_precision")
    cells = [_cell(row.get(key), intervals.get(key), sign=key.endswith("_money")) for key in keys]
    cells += [" / ".join(_cell(row.get(prefix + top)) for top in tops) for prefix in ("", "band_")]
    return (row["ranking"], *cells)


def _cell(value: float | None, ends: Sequence[float | None] | None = None, *, sign: bool = False) -> str:
    if value is None:
        return "–"
    form = "{:+.3f}" if sign else "{:.3f}"
    between = [form.format(end) for end in ends or () if end is not None]
    return form.format(value) + (f" [{', '.join(between)}]" if between else "")


def show(details: Mapping[str, Any]) -> None:
    """The table for people, on standard error: standard output is one JSON object."""
    from rich.console import Console
    from rich.table import Table

    table = Table(*HEADS, title="public sets", title_justify="left")
    for line in lines(details):
        if len(line) == 1:
            table.add_section()
        table.add_row(*line)
    Console(stderr=True, width=None if sys.stderr.isatty() else 250, highlight=False).print(table)


def markdown(details: Mapping[str, Any]) -> str:
    """The same table for docs/public-data.md."""
    text: list[str] = []
    for line in lines(details):
        if len(line) == 1:
            text += ["", line[0], ""]
            if "skipped" not in line[0] and "mean AUC over" not in line[0]:
                text += ["| " + " | ".join(HEADS) + " |", "| " + " | ".join("---" for _ in HEADS) + " |"]
        else:
            text.append("| " + " | ".join(line) + " |")
    return "\n".join(text).strip() + "\n"


def headlines(details: Mapping[str, Any]) -> dict[str, str]:
    """One line a set for `make bench`: ours beside the money."""
    told: dict[str, str] = {}
    for name, found in details.items():
        if "skipped" in found:
            told[name] = f"skipped: {found['skipped']}"
        elif name == "adbench":
            told[name] = ", ".join(f"{ranking} {value}" for ranking, value in found["mean_auc"].items())
        else:
            money, ours = found["parts"][0]["rankings"][:2]
            told[name] = (
                f"AUC {ours['auc']} (money {money['auc']}), in size bands {ours['band_auc']} ({money['band_auc']}), "
                f"AP {ours['average_precision']} ({money['average_precision']})"
            )
    return told


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks public", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of the sets; without it the benchmark stands aside")
    parser.add_argument("--markdown", type=Path, help="also write the table to this file")
    given = parser.parse_args(argv)
    if given.data is None or not given.data.is_dir():
        reason = "no folder given" if given.data is None else "the folder given is not there"
        print(f"public: skipped: {reason}; name it with --data FOLDER", file=sys.stderr)
        print(json.dumps({"benchmark": "public", "skipped": reason}))
        return 0
    found = measure(given.data)
    show(found["details"])
    if given.markdown:
        given.markdown.write_text(markdown(found["details"]), encoding="utf-8")
    print(json.dumps({"benchmark": "public", **headlines(found["details"]), **found}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
