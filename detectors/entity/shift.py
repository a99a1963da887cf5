"""Change of level: the month from which something is seen more often than before, beyond what peers do.

A series is counts of months beside the counts that peers' claims would give in the same months, so that what moves
everyone, a national price list or an epidemic, is in both. Each month is tried as the first of a new level; the worth
of a split is the chance of so uneven a sharing of all that was seen, were there one level (a binomial tail, for counts
wider than chance: months of one level differ, and that is measured when the split is taken out). A known shock that
binds a part of the peers cuts the series: a change is sought on either side of it, never across.

Of the changes that are told, no more than FALSE in a hundred are expected to be chance (Benjamini-Hochberg, with a
Bonferroni factor for the splits of a series); where nothing changes at all, a run tells of any with that chance.
Only rises are told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

FALSE = 0.05
LEAST_MONTHS = 2  # of either level: one odd month is a burst
USUAL_WIDTH = 0.75  # of the series are less wide: what few months measure of one lies below the truth as often as above
LEAST_SEEN = 5.0  # before: what was not there has no level to change from
HALF = 0.5  # of a count on every side keeps ratios finite

SERIES: tuple[str, ...] = ("series", "place", "cut", "seen", "usual", "others")
"""Of each series and month: its name, the month's number from 0, the number of known shocks before it, what was seen
(a count, or money in units of its own variance), what peers' claims would give, and the count that this rests on."""


def shifts(months: pl.DataFrame, *, least: float) -> pl.DataFrame:
    """The series of `months` (`SERIES`) whose level rose at least `least` times as much as that of their peers.

    Columns: series, place (first month of the new level), tail (chance of such a split, all splits counted), relative
    (times the rise of peers), seen_before, usual_before, seen_after, usual_after; by series.
    """
    names, seen, usual, others, cut = _matrices(months)
    if not names.len():
        return _EMPTY.clone()
    seen = np.where(usual > 0, seen, 0.0)
    tried = [_split(seen, usual, cut, place) for place in range(1, seen.shape[1])]
    if not tried:
        return _EMPTY.clone()
    every = {name: np.stack([one[name] for one in tried], axis=1) for name in tried[0]}
    able = every["able"] > 0
    wide = _dispersion(every, able) * (1.0 + seen.sum(axis=1) / np.maximum(others.sum(axis=1), 1.0))
    tail = np.where(able, _tail(every["seen_before"], every["seen_after"], every["part"], wide), 1.0)
    best = np.argmin(tail, axis=1)
    at = {name: values[np.arange(len(best)), best] for name, values in every.items()}
    before = (at["seen_before"] + HALF) / (at["usual_before"] + HALF)
    relative = (at["seen_after"] + HALF) / (at["usual_after"] + HALF) / before
    whole = np.minimum(tail.min(axis=1) * able.sum(axis=1), 1.0)
    rows = pl.DataFrame(
        {
            "series": names,
            "place": best + 1,
            "tail": np.maximum(whole, 1e-12).round(12),
            "relative": relative.round(6),
            **{name: at[name].round(6) for name in _SIDES},
        }
    )
    tested = able.any(axis=1)
    told = np.flatnonzero(tested & (whole <= _beyond_chance(whole[tested])))
    return rows[told].filter(pl.col("relative") >= least, pl.col("seen_before") >= LEAST_SEEN).sort("series")


_SIDES = ("seen_before", "usual_before", "seen_after", "usual_after")
_EMPTY = pl.DataFrame(
    schema={"series": pl.String, "place": pl.Int64, "tail": pl.Float64, "relative": pl.Float64}
    | dict.fromkeys(_SIDES, pl.Float64)
)


def _matrices(months: pl.DataFrame) -> tuple[pl.Series, Matrix, Matrix, Matrix, Matrix]:
    """Series by rows, months by columns; a month that a series lacks is nought and lies beyond every cut."""
    names = months["series"].unique().sort()
    if not names.len():
        nothing = np.zeros((0, 0))
        return names, nothing, nothing, nothing, nothing
    row = months["series"].replace_strict(names, np.arange(names.len()), return_dtype=pl.Int64).to_numpy()
    place = months["place"].to_numpy()
    shape = (names.len(), int(place.max()) + 1)
    made: list[Matrix] = []
    for name, empty in (("seen", 0.0), ("usual", 0.0), ("others", 0.0), ("cut", np.nan)):
        matrix = np.full(shape, empty)
        matrix[row, place] = months[name].cast(pl.Float64).to_numpy()
        made.append(matrix)
    return names, made[0], made[1], made[2], made[3]


def _split(seen: Matrix, usual: Matrix, cut: Matrix, place: int) -> dict[str, Matrix]:
    """Both sides of a split before month `place`, within the months between the same shocks."""
    here = (cut == cut[:, [place]]) & (usual > 0)
    sides: dict[str, Matrix] = {}
    able = np.ones(len(seen), dtype=bool)
    spread = np.zeros(len(seen))
    for name, months in (("before", slice(None, place)), ("after", slice(place, None))):
        mine = np.zeros_like(here)
        mine[:, months] = here[:, months]
        k, e = np.where(mine, seen, 0.0), np.where(mine, usual, 0.0)
        able &= mine.sum(axis=1) >= LEAST_MONTHS
        sides |= {f"seen_{name}": k.sum(axis=1), f"usual_{name}": e.sum(axis=1)}
        level = e * (k.sum(axis=1) / np.maximum(e.sum(axis=1), 1e-12))[:, None]
        spread += np.where(level > 0, (k - level) ** 2 / np.maximum(level, 1e-9), 0.0).sum(axis=1)
    whole = np.maximum(sides["usual_before"] + sides["usual_after"], 1e-12)
    return sides | {
        "able": able.astype(np.float64),
        "part": sides["usual_after"] / whole,
        "spread": spread / np.maximum(here.sum(axis=1) - 2, 1),
    }


def _dispersion(every: dict[str, Matrix], able: NDArray[np.bool_]) -> Matrix:
    """How many times wider than chance the months of one level are: of the series itself, and never below the usual.

    Of a series the split counts that leaves the least, so that a change does not hide itself.
    """
    own = np.where(able, every["spread"], np.inf).min(axis=1)
    known = own[np.isfinite(own)]
    usual = max(float(np.quantile(known, USUAL_WIDTH)), 1.0) if known.size else 1.0
    return np.maximum(np.where(np.isfinite(own), own, usual), usual)


def _tail(before: Matrix, after: Matrix, part: Matrix, wide: Matrix) -> Matrix:
    """Chance that so large a part of all that was seen falls after the split; counts in units of their width."""
    from scipy.special import betainc

    k, rest = after / wide[:, None], before / wide[:, None]
    return np.where(k > 0, betainc(np.maximum(k, 1e-9), rest + 1.0, np.clip(part, 0.0, 1.0)), 1.0)


def _beyond_chance(tails: NDArray[np.float64]) -> float:
    """The largest of `tails` that may be told (Benjamini-Hochberg); below all of them where none may."""
    if not tails.size:
        return -1.0
    ordered = np.sort(tails)
    kept = ordered[ordered <= FALSE * np.arange(1, ordered.size + 1) / ordered.size]
    return float(kept[-1]) if kept.size else -1.0
