"""Figures of a ranking: money and claims found within a budget, average precision, who else is in the top.

A ranking is scores, higher first. Rows of equal score stand in a random order drawn once for all rankings, so ties
favour no one. Every figure is a sum over copies of rows, so that a resample of the bootstrap, in which a facility's
claims may count several times or not at all, goes through the same lines as the claims themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

BUDGETS = (0.01, 0.02, 0.05)
MAIN = 0.02  # the budget by which rankings are compared
LARGEST = 10  # improper claims left out of the figure that a few large ones cannot carry
TOPS = (100, 500)
GRID = np.geomspace(0.001, 1.0, 121)  # shares of claims read at which the gain curve is given


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """What is true of each claim, row by row beside the scores."""

    money: Floats  # VND that should not be paid; above nought means improper
    kind: NDArray[np.str_]
    tie: Floats  # random numbers: the order among equal scores

    @classmethod
    def of(cls, truth: pl.DataFrame, *, seed: int) -> Labelled:
        """From rows of a truth folder's claims."""
        return cls(
            money=truth["improper_amount"].to_numpy().astype(np.float64),
            kind=truth["kind"].to_numpy().astype(np.str_),
            tie=np.random.default_rng(seed).random(truth.height),
        )

    def order(self, scores: Floats) -> Ints:
        """Row numbers, best first: higher scores first, what has no score last, equals in the order of `tie`."""
        known = np.where(np.isnan(scores), -np.inf, scores)
        return np.lexsort((self.tie, -known))

    def without_largest(self) -> Floats:
        """`money` with nought for the LARGEST improper claims: what a lucky hit or two cannot carry."""
        rest = self.money.copy()
        rest[np.lexsort((self.tie, -self.money))[:LARGEST]] = 0.0
        return rest


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Figures of one ranking against the truth."""

    ranking: str
    labels: str | None = None  # how much of the truth it was taught; None: none of it
    money_found: Mapping[float, float]  # budget -> share of improper money within it
    claims_found: Mapping[float, float]  # budget -> share of improper claims within it
    beyond_largest: float  # share found at the main budget of the money outside the LARGEST improper claims
    average_precision: float
    auc: float
    precision_at: Mapping[int, float]  # number of claims read -> share of them improper
    dirty_in_top: float  # share of the top 1 % that is dirty data
    legitimate_in_top: float  # share of the top 1 % that is a legitimate outlier
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict[str, tuple[float, float]])

    def as_json(self) -> dict[str, object]:
        """One flat object; an interval's ends are `<figure>_low` and `<figure>_high`."""
        return {
            "ranking": self.ranking,
            "labels": self.labels,
            **{name: rounded(value) for name, value in self.figures().items()},
            **{
                f"{name}_{end}": rounded(value)
                for name, interval in self.intervals.items()
                for end, value in zip(("low", "high"), interval, strict=True)
            },
        }

    def figures(self) -> dict[str, float]:
        """Every figure by the name it has in JSON."""
        return {
            **{f"money_found_{b:.0%}": v for b, v in self.money_found.items()},
            **{f"claims_found_{b:.0%}": v for b, v in self.claims_found.items()},
            f"money_found_{MAIN:.0%}_beyond_{LARGEST}_largest": self.beyond_largest,
            "average_precision": self.average_precision,
            "auc": self.auc,
            **{f"precision_at_{n}": v for n, v in self.precision_at.items()},
            "dirty_in_top_1%": self.dirty_in_top,
            "legitimate_in_top_1%": self.legitimate_in_top,
        }


def measure(ranking: str, scores: Floats, labelled: Labelled, *, labels: str | None = None) -> Quality:
    """Quality of one ranking. A figure that the claims cannot give (no improper claim, say) is NaN."""
    order = labelled.order(scores)
    money, kind = labelled.money[order], labelled.kind[order]
    once = np.ones(len(order), dtype=np.int64)
    found = counted(money, once)
    improper = money > 0
    top = kind[: budgeted(len(order), 0.01)]
    rest = labelled.without_largest()[order]
    return Quality(
        ranking=ranking,
        labels=labels,
        money_found={b: found[f"money_found_{b:.0%}"] for b in BUDGETS},
        claims_found={b: found[f"claims_found_{b:.0%}"] for b in BUDGETS},
        beyond_largest=counted(rest, once)[f"money_found_{MAIN:.0%}"],
        average_precision=found["average_precision"],
        auc=auc(scores, labelled.money > 0),
        precision_at={n: float(improper[:n].mean()) if len(order) else np.nan for n in TOPS},
        dirty_in_top=float((top == "dirty").mean()) if len(top) else np.nan,
        legitimate_in_top=float((top == "legit_outlier").mean()) if len(top) else np.nan,
    )


def mean_of(many: Sequence[Quality]) -> Quality:
    """The mean of every figure, of several drawings of one ranking."""
    first = many[0]
    return Quality(
        ranking=first.ranking,
        labels=first.labels,
        money_found={b: _mean(q.money_found[b] for q in many) for b in first.money_found},
        claims_found={b: _mean(q.claims_found[b] for q in many) for b in first.claims_found},
        beyond_largest=_mean(q.beyond_largest for q in many),
        average_precision=_mean(q.average_precision for q in many),
        auc=_mean(q.auc for q in many),
        precision_at={n: _mean(q.precision_at[n] for q in many) for n in first.precision_at},
        dirty_in_top=_mean(q.dirty_in_top for q in many),
        legitimate_in_top=_mean(q.legitimate_in_top for q in many),
    )


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def budgeted(claims: int, share: float) -> int:
    """How many claims a budget lets one read: at least one."""
    return max(round(claims * share), 1)


def counted(money: Floats, weight: Ints) -> dict[str, float]:
    """Money and claims found at each budget, and average precision, of rows best first counted `weight` times each.

    The copies of a row follow one another; a budget may end among them. NaN where there is nothing to find.
    """
    seen = np.cumsum(weight)
    wrong = np.flatnonzero((money > 0) & (weight > 0))
    if not len(wrong):
        return dict.fromkeys(FIGURES, np.nan)
    copies, before = weight[wrong], seen[wrong] - weight[wrong]
    worth = money[wrong]
    total, number = float((worth * copies).sum()), int(copies.sum())
    figures: dict[str, float] = {}
    for budget in BUDGETS:
        inside = np.clip(budgeted(int(seen[-1]), budget) - before, 0, copies)
        figures[f"money_found_{budget:.0%}"] = float((worth * inside).sum()) / total
        figures[f"claims_found_{budget:.0%}"] = int(inside.sum()) / number
    earlier = np.cumsum(copies) - copies  # improper ones further up
    precision = 0.0
    for copy in range(1, int(copies.max()) + 1):
        there = copies >= copy
        precision += float(((earlier[there] + copy) / (before[there] + copy)).sum())
    figures["average_precision"] = precision / number
    return figures


FIGURES = (*(f"{what}_found_{b:.0%}" for b in BUDGETS for what in ("money", "claims")), "average_precision")
"""What `counted` gives, and the bootstrap an interval of."""


def auc(scores: Floats, positive: NDArray[np.bool_]) -> float:
    """Probability that a positive stands above a negative, ties counting half; NaN where one of the two is missing."""
    above, pairs = concordant(scores, positive)
    return above / pairs if pairs else np.nan


def concordant(scores: Floats, positive: NDArray[np.bool_]) -> tuple[float, int]:
    """Pairs of a positive and a negative in the right order (ties half), and pairs in all."""
    known = np.where(np.isnan(scores), -np.inf, scores)
    ups, downs = known[positive], np.sort(known[~positive])
    below = np.searchsorted(downs, ups, side="left")
    equal = np.searchsorted(downs, ups, side="right") - below
    return float(below.sum() + equal.sum() / 2), len(ups) * len(downs)


def gain(scores: Floats, labelled: Labelled) -> Floats:
    """Share of improper money found within each share of claims of `GRID`."""
    found = np.cumsum(labelled.money[labelled.order(scores)])
    within = np.array([budgeted(len(found), share) for share in GRID]) - 1
    return found[within] / found[-1] if len(found) and found[-1] > 0 else np.full(len(GRID), np.nan)


def rounded(value: float | None, digits: int = 4) -> float | None:
    """For JSON, which knows no NaN: what could not be measured is null."""
    return None if value is None or not np.isfinite(value) else round(float(value), digits)
