"""Expected cost: what this encounter should have cost, by cost group, given what is known of the patient and the care.

For each cost group two models are learned: the mean (Poisson loss, which suits skewed money with many zeros) and the
95th percentile (quantile loss on the log scale). A row's strangeness is how far it lies above its own 95th percentile,
turned into a tail probability by a frozen reference; its money is what lies above that percentile. Length of stay is
left out of the bed model on purpose: a padded stay must not explain its own bed days. What was done in it does explain
them, and on how many days tests, procedures or injections were: a stay is long for its care, not for its diagnosis
alone. Drugs are dear for the days they were ordered for.

A claim without any line has no cost groups: its whole bill is expected instead, the covered total or, where only that
is stated, the fund's part. No claim is judged both ways, so no dong is counted twice.

For the levels above the claim every claim has an expected payment, also those that are not dear. There a facility must
not teach its own norm: its claims are expected by models that were learned without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import polars as pl

from detectors.base import DetectorState
from detectors.reference import TailReference
from detectors.trees import TreeEnsemble
from features.peers import MIN_SIZE

if TYPE_CHECKING:
    from numpy.typing import NDArray


STAY: tuple[str, ...] = ("stay_nights",)
CARE: tuple[str, ...] = ("cost_surgery", "distinct_drugs", "distinct_services", "lines_imaging", "active_care_days")
"""How much was done, in measures that days of bed, board and tablets do not raise."""

ORDERED: tuple[str, ...] = ("written_days",)
"""For how many days drugs were ordered: rules judge whether that many are lawful; they cost what so many days cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostGroup:
    """One part of the bill that gets its own expectation."""

    name: str
    column: str  # feature with the group's covered cost, VND
    nhom: tuple[int, ...]  # MA_NHOM codes of its lines
    scheme: str
    label_vi: str
    label_en: str
    knows: tuple[str, ...] = STAY  # what else explains it
    field: str | None = None  # the claim field it is, where it is the whole bill of a claim without lines


COST_GROUPS: tuple[CostGroup, ...] = (
    CostGroup(
        name="lab", column="cost_lab", nhom=(1,), scheme="OVER_TEST", label_vi="xét nghiệm", label_en="laboratory tests"
    ),
    CostGroup(
        name="imaging",
        column="cost_imaging",
        nhom=(2, 3),
        scheme="OVER_IMAGING",
        label_vi="chẩn đoán hình ảnh, thăm dò chức năng",
        label_en="imaging and functional tests",
    ),
    CostGroup(
        name="drug",
        column="cost_drug",
        nhom=(4, 5, 6),
        scheme="OVER_DRUG_POLY",
        label_vi="thuốc",
        label_en="drugs",
        knows=(*STAY, *ORDERED),
    ),
    CostGroup(
        name="procedure",
        column="cost_surgery",
        nhom=(8, 18),
        scheme="UPCODE_SERVICE",
        label_vi="phẫu thuật, thủ thuật",
        label_en="surgery and procedures",
    ),
    CostGroup(
        name="supply",
        column="cost_supply",
        nhom=(10, 11),
        scheme="SUPPLY_OVERCOUNT",
        label_vi="vật tư y tế",
        label_en="medical supplies",
    ),
    CostGroup(
        name="bed",
        column="cost_bed",
        nhom=(14, 15, 16),
        scheme="LOS_PADDING",
        label_vi="ngày giường",
        label_en="bed days",
        knows=CARE,
    ),
)

TOTALS: tuple[CostGroup, ...] = (
    CostGroup(
        name="total",
        column="bill_total",
        field="encounter.t_tongchi_bh",
        nhom=(),
        # one amount for a diagnosis reads like one item: the plainest doubt about it is that it is priced too high.
        # A heavier diagnosis than the care (UPCODE_DIAG) would make the bill look usual, not dear; and what was given
        # too often or too much (the OVER_ schemes, QTY_INFLATION) only lines can say.
        scheme="UPCODE_SERVICE",
        label_vi="cả đợt trong phạm vi BHYT",
        label_en="the whole encounter inside coverage",
    ),
    CostGroup(
        name="paid",
        column="fund_paid",
        field="encounter.t_bhtt",
        nhom=(),
        scheme="UPCODE_SERVICE",
        label_vi="cả đợt do quỹ BHYT thanh toán",
        label_en="the whole encounter paid by the fund",
    ),
)
"""The bill of a claim without lines; the first one that is known and was learned is judged."""

GROUPS: tuple[CostGroup, ...] = (*COST_GROUPS, *TOTALS)

CATEGORIES: tuple[str, ...] = (
    "ma_loai_kcb",
    "icd3",
    "icd_letter",
    "facility_rank",
    "facility_level",
    "department",
    "age_band",
)
NUMBERS: tuple[str, ...] = ("age", "female", "diagnoses", "emergency", "referred_in", "visits_365d")
LINES = "lines_total"

NEEDS: tuple[str, ...] = (
    "encounter.ma_benh_chinh",
    "encounter.t_bhtt",
    "drug_line.ma_nhom",
    "drug_line.thanh_tien_bh",
    "service_line.ma_nhom",
    "service_line.thanh_tien_bh",
)
"""What makes a cost, what it is for, and what of it the fund is asked for."""

BARE_NEEDS: tuple[str, ...] = ("encounter.ma_benh_chinh",)
"""The same for a claim without lines, beside one of the amounts of `ExpectedCost.whole_bills`."""

HABIT_PRIOR = 4.0  # claims above the 95th percentile that a facility or doctor must show to count for half
PRIOR_ROWS = 25.0  # a category seen this often counts for half against the whole: rare diagnoses borrow strength
QUANTILE = 0.95
FOLDS = 3  # parts of the facilities: the claims of each are expected from those of the others
MIN_PAID_ROWS = 200  # below this a group is too rare to learn; its excess is then never raised
ROWS_WORTH_THREADS = 100_000  # below this OpenMP threads wait for each other longer than they work
_THOUSAND = 1000.0


@dataclass(frozen=True)
class _GroupModel:
    mean: TreeEnsemble
    high: TreeEnsemble
    tail: TailReference
    encoding: Mapping[str, Mapping[str, float]]
    centre: float
    habits: Mapping[str, float]
    without: tuple[_MeanModel, ...] = ()  # by fold: what is usual, learned without the facilities of that fold


@dataclass(frozen=True)
class _MeanModel:
    mean: TreeEnsemble
    encoding: Mapping[str, Mapping[str, float]]
    centre: float
    level: float  # what the claims cost over what the trees expect of them: costs are cut for these, not for this


class ExpectedCost:
    """The detector. `fit` learns from claims as they are; `excess` says what lies above expectation, in VND."""

    name = "expected_cost"
    version = 1
    level = "encounter"
    needs: tuple[str, ...] = NEEDS

    def __init__(
        self,
        models: Mapping[str, _GroupModel] | None = None,
        support: Mapping[str, float] | None = None,
        folds: Mapping[str, int] | None = None,
    ) -> None:
        """Fitted models by cost group, how well each diagnosis is known, the fold of each facility; empty at first."""
        self._models = dict(models or {})
        self._support = dict(support or {})
        self._folds = dict(folds or {})

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Columns of the encounter matrix that are read; `fit` and `excess` also need `doctor`, the main doctor."""
        own = (name for g in GROUPS for name in (*g.knows, g.column))
        return tuple(dict.fromkeys((*CATEGORIES, *NUMBERS, LINES, *own)))

    @property
    def whole_bills(self) -> tuple[str, ...]:
        """Amounts of a claim without lines that were learned: one of them is enough; none means it cannot be judged."""
        return tuple(group.field for group in TOTALS if group.name in self._models and group.field)

    @property
    def learned(self) -> bool:
        """Whether any cost group, or whole bill, was common enough to learn."""
        return bool(self._models)

    def fit(
        self, x: pl.DataFrame, *, seed: int, apart: bool = True, progress: Callable[[int, int], None] | None = None
    ) -> Self:
        """Learn both models of every cost group from the encounter matrix `x`. Deterministic for one seed.

        Without `apart` the models that did not see a facility are left out: `expected_paid` then knows nothing.
        `progress` is told how many groups are done, of how many.
        """
        from sklearn.ensemble import HistGradientBoostingRegressor
        from threadpoolctl import threadpool_limits

        self._support = _learn_support(x)
        self._folds = _folds(x)
        with threadpool_limits(1 if x.height < ROWS_WORTH_THREADS else None):
            for done, group in enumerate(GROUPS, 1):
                self._fit_group(group, x, seed, HistGradientBoostingRegressor, apart=apart)
                if progress:
                    progress(done, len(GROUPS))
        return self

    def _fit_group(self, group: CostGroup, rows: pl.DataFrame, seed: int, booster: Any, *, apart: bool) -> None:
        x = rows.filter(_has_cost(rows, group))
        cost = _cost(x, group)
        if int((cost > 0).sum()) < MIN_PAID_ROWS:
            return
        log_cost = np.log1p(cost / _THOUSAND)
        encoding, centre = _learn_encoding(x, log_cost)
        design = _design(x, group, encoding, centre)
        design[:, np.isnan(design).all(axis=0)] = 0.0  # scikit-learn cannot bin nothing; no tree splits a constant
        shape: dict[str, Any] = {
            "max_iter": 80,
            "learning_rate": 0.1,
            "max_leaf_nodes": 24,
            "min_samples_leaf": 40,
            "l2_regularization": 1.0,
            "random_state": seed,
            "early_stopping": False,
        }
        high = booster(loss="quantile", quantile=QUANTILE, **shape).fit(design, log_cost)
        frozen_high = TreeEnsemble.from_boosting(high)
        limit = np.expm1(np.maximum(frozen_high.predict(design), 0.0))
        # cut at twice its own 95th percentile: one absurd claim must not teach its own norm
        mean = booster(loss="poisson", **shape).fit(design, np.minimum(cost / _THOUSAND, 2.0 * limit))
        above = log_cost - np.log1p(limit)
        self._models[group.name] = _GroupModel(
            mean=TreeEnsemble.from_boosting(mean),
            high=frozen_high,
            tail=TailReference.fit(above[cost > 0]),
            encoding=encoding,
            centre=centre,
            habits=_learn_habits(x, above > 0),
            without=self._without(x, group, cost, limit, booster(loss="poisson", **shape)) if apart else (),
        )

    def _without(
        self,
        x: pl.DataFrame,
        group: CostGroup,
        cost: NDArray[np.float64],
        limit: NDArray[np.float64],
        learner: Any,
    ) -> tuple[_MeanModel, ...]:
        """The mean learned without each fold of facilities, and last from all, for facilities not seen here."""
        fold = _fold_of(x, self._folds)
        models: list[_MeanModel] = []
        for number in range(FOLDS + 1 if self._folds else 1):
            taught = (fold != number) | (not self._folds)  # no facility is in the last fold
            rows, own, cut = (
                x.filter(pl.Series(taught)),
                cost[taught],
                np.minimum(cost / _THOUSAND, 2.0 * limit)[taught],
            )
            if not (own > 0).any():
                return ()
            encoding, centre = _learn_encoding(rows, np.log1p(own / _THOUSAND))
            design = _design(rows, group, encoding, centre)
            design[:, np.isnan(design).all(axis=0)] = 0.0
            mean = TreeEnsemble.from_boosting(learner.fit(design, cut))
            expected = np.exp(np.minimum(mean.predict(design), 20.0)) * _THOUSAND
            models.append(_MeanModel(mean, encoding, centre, float(own.sum() / expected.sum())))
        return tuple(models)

    def expected_paid(self, x: pl.DataFrame) -> pl.Series:
        """VND that the fund would be asked for each row of `x` if its care were usual; null where it cannot be said.

        Of a claim with lines: the means of its cost groups and, as it is, what no group holds, times the fund's share
        of the covered cost. Of one without: its whole bill. A facility that was learned from is judged by the models
        that did not see it.
        """
        paid = x["fund_paid"].cast(pl.Float64)
        covered = x["bill_total"].cast(pl.Float64)
        share = (
            pl.select(pl.when(covered > 0).then((paid / covered).clip(0.0, 1.0)))
            .to_series()
            .fill_null(pl.select(pl.when(paid.is_not_null()).then(1.0)).to_series())
        )
        lines = x[LINES].fill_null(0.0).to_numpy() > 0
        observed, expected = np.zeros(x.height), np.zeros(x.height)
        for group in COST_GROUPS:
            if (mean := self._mean_without(x, group)) is not None:
                observed, expected = observed + _cost(x, group), expected + mean
        amount = paid.to_numpy().astype(np.float64)
        result = amount + (expected - observed) * share.to_numpy().astype(np.float64)
        known = lines & bool(self._models.keys() - {group.name for group in TOTALS})
        for group in TOTALS:
            mean = self._mean_without(x, group)
            able = ~known & x[group.column].is_not_null().to_numpy()
            if mean is None or not able.any():
                continue
            whole = mean * share.to_numpy().astype(np.float64) if group.name == "total" else mean
            result, known = np.where(able, whole, result), known | able
        result = np.where(known & ~np.isnan(amount), np.maximum(result, 0.0), np.nan)
        return pl.Series("expected_paid", result).fill_nan(None).round(2)

    def _mean_without(self, x: pl.DataFrame, group: CostGroup) -> NDArray[np.float64] | None:
        """Expected VND of each row from models that did not see its facility; None for a cost group too rare."""
        model = self._models.get(group.name)
        if model is None or not model.without:
            return None
        fold = _fold_of(x, self._folds)
        expected = np.zeros(x.height)
        for number, without in enumerate(model.without):
            mine = fold == number
            if mine.any():
                design = _design(x.filter(pl.Series(mine)), group, without.encoding, without.centre)
                value = np.exp(np.minimum(without.mean.predict(design), 20.0)) * _THOUSAND * without.level
                expected[mine] = value
        return expected

    def excess(self, x: pl.DataFrame) -> pl.DataFrame:
        """One row a claim and cost group above expectation.

        Columns: ma_cskcb, ma_lk, group, observed, expected, high (95th percentile), excess (observed - high; VND of
        covered cost: what lies between expected and high is how much care differs; of a whole bill, which nothing else
        reads, observed - expected), tail (probability of lying so high
        among claims of this kind), strength (0 to 1, less where the diagnosis is rare: silence beats a noisy ratio),
        habit (how many times as often as others the doctor, else the facility, lay above the 95th percentile in
        training).
        """
        parts: list[pl.DataFrame] = []
        for group in GROUPS:
            rows = self.judged(x, group.name)
            limits = self.high(rows, group.name)
            if limits is None or not rows.height:
                continue
            expected, high = limits
            cost = _cost(rows, group)
            known = _diagnosis(rows).replace_strict(self._support, default=0.0, return_dtype=pl.Float64)
            tail = self._models[group.name].tail.probability(np.log1p(cost / _THOUSAND) - np.log1p(high / _THOUSAND))
            frame = rows.select("ma_cskcb", "ma_lk").with_columns(
                pl.lit(group.name).alias("group"),
                pl.Series("observed", cost).round(2),
                pl.Series("expected", expected).round(2),
                pl.Series("high", high).round(2),
                pl.Series("excess", np.maximum(cost - (expected if group in TOTALS else high), 0.0)).round(2),
                pl.Series("tail", tail).round(8),
                (pl.Series("strength", strength_of(tail, alone=group in TOTALS)) * known).round(6),
                _habit(rows, self._models[group.name].habits).alias("habit"),
            )
            parts.append(frame.filter((pl.col("observed") > pl.col("high")) & (pl.col("strength") > 0)))
        if not parts:
            return pl.DataFrame(schema=EXCESS_COLUMNS)
        return pl.concat(parts).sort("ma_cskcb", "ma_lk", "group")

    def judged(self, x: pl.DataFrame, group: str) -> pl.DataFrame:
        """Rows of `x` whose cost is that of `group`: with lines for parts of the bill, without for the whole of it.

        Where nothing but whole bills was learned, those of claims with lines are judged too.
        """
        wanted = next(g for g in GROUPS if g.name == group)
        if wanted not in TOTALS:
            return x.filter(_has_cost(x, wanted))
        bills = x if self._models.keys() <= {g.name for g in TOTALS} else x.filter(pl.col(LINES) == 0)
        for earlier in TOTALS[: TOTALS.index(wanted)]:
            if earlier.name in self._models:
                bills = bills.filter(pl.col(earlier.column).is_null())
        return bills.filter(pl.col(wanted.column).is_not_null())

    def high(self, x: pl.DataFrame, group: str) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Expected VND and its 95th percentile for each row of `x`; None for a cost group too rare to learn."""
        model = self._models.get(group)
        if model is None:
            return None
        known = next(g for g in GROUPS if g.name == group)
        design = _design(x, known, model.encoding, model.centre)
        expected = np.exp(np.minimum(model.mean.predict(design), 20.0)) * _THOUSAND
        high = np.expm1(np.maximum(model.high.predict(design), 0.0)) * _THOUSAND
        return np.minimum(expected, high), high

    def state(self) -> DetectorState:
        """Trees, encodings and tail references."""
        arrays: dict[str, NDArray[Any]] = {}
        meta: dict[str, Any] = {
            "version": self.version,
            "groups": {},
            "support": self._support,
            "folds": self._folds,
        }
        for name, model in self._models.items():
            arrays |= model.mean.arrays(f"{name}.mean") | model.high.arrays(f"{name}.high")
            arrays[f"{name}.tail"] = model.tail.values
            meta["groups"][name] = {
                "encoding": model.encoding,
                "centre": model.centre,
                "tail_rows": model.tail.rows,
                "habits": model.habits,
                "without": [
                    {"encoding": one.encoding, "centre": one.centre, "level": one.level} for one in model.without
                ],
            }
            for number, one in enumerate(model.without):
                arrays |= one.mean.arrays(f"{name}.without{number}")
        return DetectorState(kind=self.name, meta=meta, arrays=arrays)

    @classmethod
    def from_state(cls, state: DetectorState) -> Self:
        """Read back what `state` gave."""
        return cls(
            {
                name: _GroupModel(
                    mean=TreeEnsemble.from_arrays(state.arrays, f"{name}.mean"),
                    high=TreeEnsemble.from_arrays(state.arrays, f"{name}.high"),
                    tail=TailReference(state.arrays[f"{name}.tail"], meta["tail_rows"]),
                    encoding=meta["encoding"],
                    centre=meta["centre"],
                    habits=meta["habits"],
                    without=tuple(
                        _MeanModel(
                            mean=TreeEnsemble.from_arrays(state.arrays, f"{name}.without{number}"),
                            encoding=one["encoding"],
                            centre=one["centre"],
                            level=one["level"],
                        )
                        for number, one in enumerate(meta.get("without", []))  # bundles of before have none
                    ),
                )
                for name, meta in state.meta["groups"].items()
            },
            state.meta["support"],
            state.meta.get("folds"),
        )


EXCESS_COLUMNS: Mapping[str, pl.DataType] = {
    "ma_cskcb": pl.String(),
    "ma_lk": pl.String(),
    "group": pl.String(),
    "observed": pl.Float64(),
    "expected": pl.Float64(),
    "high": pl.Float64(),
    "excess": pl.Float64(),
    "tail": pl.Float64(),
    "strength": pl.Float64(),
    "habit": pl.Float64(),
}


def strength_of(tail: NDArray[np.float64], *, alone: bool) -> NDArray[np.float64]:
    """How much a tail probability says: 0 at one in ten or commoner, 1 at one in ten thousand or rarer.

    The square of it where rules and finders read the lines too: one in thirty is what chance does all day, and what
    they find deserves an assessor's hour first. As it is where nothing else can speak of the claim (`alone`).
    """
    rarity = np.clip((-np.log10(np.maximum(tail, 1e-12)) - 1.0) / 3.0, 0.0, 1.0)
    return rarity if alone else rarity**2


def _folds(x: pl.DataFrame) -> dict[str, int]:
    """The fold of each facility, so that folds have like numbers of claims; empty where there are too few."""
    counted = x.group_by("ma_cskcb").len().sort("len", "ma_cskcb", descending=[True, False])
    if counted.height < FOLDS:
        return {}
    claims, folds = [0] * FOLDS, dict[str, int]()
    for facility, rows in counted.iter_rows():
        smallest = claims.index(min(claims))
        folds[facility] = smallest
        claims[smallest] += rows
    return dict(sorted(folds.items()))


def _fold_of(x: pl.DataFrame, folds: Mapping[str, int]) -> NDArray[np.int64]:
    """The fold of each row's facility; of one not seen the last, whose model learned from all."""
    if not folds:
        return np.zeros(x.height, dtype=np.int64)
    return x["ma_cskcb"].replace_strict(folds, default=FOLDS, return_dtype=pl.Int64).to_numpy()


def _has_cost(x: pl.DataFrame, group: CostGroup) -> pl.Series:
    if group.field is None:
        return x[LINES] > 0
    return (x[LINES] == 0) & x[group.column].is_not_null()


def _cost(x: pl.DataFrame, group: CostGroup) -> NDArray[np.float64]:
    return x[group.column].cast(pl.Float64).fill_null(0.0).clip(0.0).to_numpy()


def _learn_encoding(x: pl.DataFrame, target: NDArray[np.float64]) -> tuple[dict[str, dict[str, float]], float]:
    """Mean of `target` by category, drawn towards the whole where rows are few (empirical Bayes with a fixed prior)."""
    centre = float(target.mean())
    learned: dict[str, dict[str, float]] = {}
    for column in CATEGORIES:
        grouped = (
            x.select(pl.col(column).fill_null("").alias("key"))
            .with_columns(pl.Series("target", target))
            .group_by("key")
            .agg(pl.col("target").sum().alias("total"), pl.len().alias("rows"))
            .sort("key")
        )
        learned[column] = {
            key: round((total + PRIOR_ROWS * centre) / (rows + PRIOR_ROWS), 9)
            for key, total, rows in grouped.iter_rows()
        }
    return learned, centre


def _diagnosis(x: pl.DataFrame) -> pl.Series:
    return x.select(key=pl.format("{}|{}", pl.col("ma_loai_kcb").fill_null(""), pl.col("icd3").fill_null("")))["key"]


def _learn_support(x: pl.DataFrame) -> dict[str, float]:
    """How well each diagnosis of each care type is known; not at all for a rare one, whose cost nobody can expect."""
    counted = _diagnosis(x).value_counts(name="rows").sort("key")
    return {key: round(rows / (rows + PRIOR_ROWS), 6) for key, rows in counted.iter_rows() if rows >= MIN_SIZE}


def _learn_habits(x: pl.DataFrame, above: NDArray[np.bool_]) -> dict[str, float]:
    """How often each facility and doctor lies above its claims' 95th percentile, over how often all do.

    Gamma-Poisson shrinkage: a facility is drawn towards everyone, a doctor towards the facility, so that few claims
    make no habit.
    """
    rate = float(above.mean())
    if rate == 0:
        return {}
    seen = x.select("ma_cskcb", "doctor").with_columns(pl.Series("above", above))
    facilities = seen.group_by("ma_cskcb").agg(pl.col("above").sum().alias("k"), pl.len().alias("n"))
    facilities = facilities.with_columns(habit=(pl.col("k") + HABIT_PRIOR) / (pl.col("n") * rate + HABIT_PRIOR))
    doctors = (
        seen.drop_nulls("doctor")
        .group_by("ma_cskcb", "doctor")
        .agg(pl.col("above").sum().alias("k"), pl.len().alias("n"))
        .join(facilities.select("ma_cskcb", usual="habit"), on="ma_cskcb")
        .with_columns(habit=(pl.col("k") + HABIT_PRIOR * pl.col("usual")) / (pl.col("n") * rate + HABIT_PRIOR))
    )
    keyed = pl.concat(
        [
            facilities.select(pl.col("ma_cskcb").alias("key"), "habit"),
            doctors.select(pl.format("{}:{}", "ma_cskcb", "doctor").alias("key"), "habit"),
        ]
    ).sort("key")
    return {key: round(habit, 6) for key, habit in keyed.iter_rows()}


def _habit(x: pl.DataFrame, habits: Mapping[str, float]) -> pl.Series:
    """The doctor's habit, else the facility's, else 1: who was not seen in training is like everyone."""
    keys = x.select(
        doctor=pl.format("{}:{}", "ma_cskcb", "doctor"),
        facility=pl.col("ma_cskcb"),
    )
    if not habits:
        return pl.Series("habit", [1.0] * x.height, dtype=pl.Float64)
    known = [
        keys[name].replace_strict(habits, default=None, return_dtype=pl.Float64) for name in ("doctor", "facility")
    ]
    return pl.select(pl.coalesce(*known).fill_null(1.0).alias("habit"))["habit"]


def _design(
    x: pl.DataFrame, group: CostGroup, encoding: Mapping[str, Mapping[str, float]], centre: float
) -> NDArray[np.float64]:
    encoded = [
        x[c].fill_null("").replace_strict(encoding[c], default=centre, return_dtype=pl.Float64).alias(c)
        for c in CATEGORIES
    ]
    numbers = [x[c].cast(pl.Float64).alias(c) for c in (*NUMBERS, *group.knows)]
    return pl.DataFrame([*encoded, *numbers]).fill_null(np.nan).to_numpy()
