"""What a learner reaches that is given the truth no payer has: the ceilings, marked by how many labels they used.

Gradient boosting on the encounter features and the raw columns, taught on claims discharged before the evaluated ones.
Where there are no such claims with truth, it is taught on other facilities of the evaluated claims, five groups in
turn; the result says which. It ranks by its probability times what the fund is asked for, because the measure is money:
its average precision is therefore not the best it could have.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl

from models.evaluation.baselines import RAW_COLUMNS, paid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.evaluation.measures import Floats

SHARES = ((0.02, "2 %", 5), (1.0, "all", 1))  # of the labels, what to call it, how many samples to draw
MIN_EARLIER = 500  # earlier claims with truth; fewer, or none improper among them: facilities are split instead
FOLDS = 5
MAX_CATEGORIES = 200  # of a text column, the commonest; the learner takes no more than 255
Split = Literal["time", "facilities"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """A ranking that was taught the truth of some claims, once for each sample of labels drawn.

    A few labels hold a handful of improper claims: one sample would say more about luck than about learning.
    """

    name: str
    labels: str
    scores: list[Floats]  # one for each sample
    claims: int  # how many labelled claims a sample has
    improper: list[int]  # and how many of them were improper

    def as_json(self) -> dict[str, Any]:
        """What it was taught."""
        return {"ranking": self.name, "labels": self.labels, "claims": self.claims, "improper": self.improper}


def ceilings(
    rows: pl.DataFrame, earlier: pl.DataFrame | None, columns: list[str], *, seed: int
) -> tuple[Split | None, list[Ceiling]]:
    """How the labels were kept apart from the evaluated claims, and a ranking of `rows` for each of `SHARES`.

    Both frames have ma_cskcb, improper_amount, the raw columns and the feature `columns`. None and no ranking when the
    claims can be split neither by time nor by facility.
    """
    wrong = rows["improper_amount"].to_numpy() > 0
    if earlier is not None and earlier.height >= MIN_EARLIER and bool((earlier["improper_amount"] > 0).any()):
        known, asked = _numbers(earlier, rows, columns)
        taught = earlier["improper_amount"].to_numpy() > 0
        apart: Split = "time"
        folds = [(known, taught, np.arange(rows.height))]
    else:
        facilities = rows["ma_cskcb"].unique(maintain_order=False).sort()
        if facilities.len() < 2 or not wrong.any():
            return None, []
        _, asked = _numbers(rows, rows, columns)
        apart = "facilities"
        folds = _by_facility(rows, asked, wrong, facilities, seed)
    cost = paid(rows)
    made: list[Ceiling] = []
    for share, label, draws in SHARES:
        scores: list[Floats] = []
        claims, improper = 0, [0] * draws
        for draw in range(draws):
            chance, claims = np.zeros(rows.height), 0
            for number, (known, taught, test) in enumerate(folds):
                sample = _sample(len(taught), share, [seed, draw, number])
                chance[test] = _probability(known[sample], taught[sample], asked[test], seed)
                claims += len(sample)
                improper[draw] += int(taught[sample].sum())
            scores.append(chance * cost)
        name = f"gradient boosting, {label} labels"
        made.append(Ceiling(name=name, labels=label, scores=scores, claims=claims, improper=improper))
    return apart, made


def _by_facility(
    rows: pl.DataFrame, x: Floats, wrong: NDArray[np.bool_], facilities: pl.Series, seed: int
) -> list[tuple[Floats, NDArray[np.bool_], NDArray[np.int64]]]:
    """Known rows, their labels, and the rows to ask about: each facility is asked about by those that never saw it."""
    groups = min(FOLDS, facilities.len())
    lot = np.random.default_rng(seed).permutation(facilities.len()) % groups
    group = rows.select(pl.col("ma_cskcb").replace_strict(facilities, lot, return_dtype=pl.Int64)).to_series()
    mine = group.to_numpy()
    return [(x[mine != g], wrong[mine != g], np.flatnonzero(mine == g)) for g in range(groups)]


def _sample(rows: int, share: float, seed: list[int]) -> NDArray[np.int64]:
    """Every row equally likely: the labels an auditor has who picks claims blindly."""
    if share >= 1:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, size=max(round(rows * share), 1), replace=False))


def _probability(x: Floats, wrong: NDArray[np.bool_], asked: Floats, seed: int) -> Floats:
    if not wrong.any() or wrong.all():  # nothing to tell apart: every claim is as likely as the labels make the next
        return np.full(len(asked), (wrong.sum() + 1) / (len(wrong) + 2))
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    learner = HistGradientBoostingClassifier(
        max_iter=100,
        learning_rate=0.1,
        min_samples_leaf=5,
        l2_regularization=1.0,
        early_stopping=False,  # pyright: ignore[reportArgumentType] - its stub knows only "auto"
        random_state=seed,
    )
    given = ~np.isnan(x).all(axis=0)  # it cannot be taught a column that is empty among the labelled claims
    x, asked = x[:, given], asked[:, given]
    with threadpool_limits(limits=1):  # its threads spin while they wait: on a busy machine one is many times faster
        return learner.fit(x, wrong).predict_proba(asked)[:, 1]


def _numbers(known: pl.DataFrame, asked: pl.DataFrame, columns: list[str]) -> tuple[Floats, Floats]:
    """Both frames as numbers: a text column becomes how common its value is among the known, a rare one is missing."""
    wanted = [*columns, *(c for c in RAW_COLUMNS if c in known.columns and c not in columns)]
    given: tuple[list[pl.Series], list[pl.Series]] = ([], [])
    for column in wanted:
        if known.schema[column] == pl.String:
            common = known[column].drop_nulls().value_counts(sort=True).sort("count", column, descending=[True, False])
            names = common[column].head(MAX_CATEGORIES)
            code = pl.col(column).replace_strict(names, range(names.len()), default=None, return_dtype=pl.Float64)
        else:
            code = pl.col(column).cast(pl.Float64)
        for frame, into in zip((known, asked), given, strict=True):
            into.append(frame.select(code).to_series())
    first, second = (pl.DataFrame(into).fill_null(np.nan).to_numpy() for into in given)
    return first, second
