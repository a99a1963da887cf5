"""Whether the numbers mean what they seem to: `likelihood` as a probability, `amount_at_risk` as VND.

The score is a place on a fixed scale, not a probability (docs/decisions/0005): its table says how far it is from one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.evaluation.measures import rounded

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.evaluation.measures import Floats

TENTHS = 10
WORLDS = 200  # drawn as if the score were the probability, to see how large an error chance alone makes
CHANCE = 99  # per cent of those that an honest probability stays within
FACTOR = 2.0  # an amount within this of the truth is near enough to act on


def of_score(score: Floats, improper: NDArray[np.bool_], *, seed: int) -> dict[str, Any]:
    """Reliability by tenth of the scale and by decile of claims, the expected calibration error, and a verdict.

    The error is the mean over claims of |mean score - share improper| in their tenth. `calibrated` says whether it is
    no larger than chance makes it where each claim is improper with the probability of its score.
    """
    if not len(score):
        return {"calibrated": None, "expected_calibration_error": None, "by_tenth": [], "by_decile": []}
    tenth = np.minimum((np.clip(score, 0.0, 1.0) * TENTHS).astype(np.int64), TENTHS - 1)
    place = np.argsort(np.argsort(score, kind="stable"), kind="stable")
    error = _error(score, improper, tenth)
    rng = np.random.default_rng(seed)
    honest = [_error(score, rng.random(len(score)) < score, tenth) for _ in range(WORLDS)]
    limit = float(np.percentile(honest, CHANCE))
    return {
        "calibrated": error <= limit,
        "expected_calibration_error": rounded(error, 5),
        "error_of_a_probability_at_most": rounded(limit, 5),
        "mean_score": rounded(float(score.mean()), 5),
        "share_improper": rounded(float(improper.mean()), 5),
        "by_tenth": _reliability(score, improper, tenth),
        "by_decile": _reliability(score, improper, place * TENTHS // len(score)),
    }


def of_amount(at_risk: Floats, recoverable: Floats, money: Floats, flagged: NDArray[np.bool_]) -> dict[str, Any]:
    """`amount_at_risk` beside the truth: on flagged claims that are improper one by one, and in sum on more and more.

    `expected_recoverable` of all claims should add up to all improper money, if likelihoods and amounts both hold.
    """
    both = flagged & (money > 0)
    there, true = at_risk[both], money[both]
    off = np.abs(there - true)
    near = (there * FACTOR >= true) & (there <= true * FACTOR)
    return {
        "flagged": int(flagged.sum()),
        "flagged_improper": int(both.sum()),
        "ratio_of_sums": _ratio(there, true),
        "median_absolute_error_vnd": rounded(float(np.median(off)), 0) if len(off) else None,
        "median_improper_vnd": rounded(float(np.median(true)), 0) if len(true) else None,
        "within_factor_2": rounded(float(near.mean())) if len(near) else None,
        "ratio_of_sums_all_flagged": _ratio(at_risk[flagged], money[flagged]),
        "ratio_of_sums_all_claims": _ratio(at_risk, money),
        "expected_recoverable_ratio_all_flagged": _ratio(recoverable[flagged], money[flagged]),
        "expected_recoverable_ratio_all_claims": _ratio(recoverable, money),
    }


def of_flags(promise: Floats, improper: NDArray[np.bool_], flagged: NDArray[np.bool_]) -> dict[str, Any]:
    """What the flags promise together, and what holds: the false discovery rate is one minus either."""
    if not flagged.any():
        return {"flags": 0, "promised": None, "held": None}
    return {
        "flags": int(flagged.sum()),
        "promised": rounded(float(promise[flagged].mean())),
        "held": rounded(float(improper[flagged].mean())),
    }


def _error(score: Floats, improper: NDArray[np.bool_], group: NDArray[np.int64]) -> float:
    wrong = np.bincount(group, weights=improper.astype(np.float64), minlength=TENTHS)
    return float(np.abs(np.bincount(group, weights=score, minlength=TENTHS) - wrong).sum()) / len(score)


def _reliability(score: Floats, improper: NDArray[np.bool_], group: NDArray[np.int64]) -> list[dict[str, Any]]:
    return [
        {
            "part": part + 1,
            "claims": int(mine.sum()),
            "mean_score": rounded(float(score[mine].mean())),
            "share_improper": rounded(float(improper[mine].mean())),
        }
        for part in range(TENTHS)
        if (mine := group == part).any()
    ]


def _ratio(ours: Floats, true: Floats) -> float | None:
    total = float(true.sum())
    return rounded(float(ours.sum()) / total, 3) if total > 0 else None
