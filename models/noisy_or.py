"""Likelihoods of signs from decisions: a noisy-or fitted by expectation and maximisation, with priors.

A decision is confirmed when at least one of the signs it is about holds; a sign of source s holds with l(s) times its
strength, on its own. Which one held is not known, so each confirmed decision is shared among its signs by how likely
each was the reason: a sign that always comes with another is not paid twice. A source begins at its level with the
weight of `OWN` decisions, a level at its prior with the weight of `POOLED`, so what is learned of some sources of a
level is expected of the others. Nothing is drawn, and without decisions every figure is its prior.

Noisy-or: J. Pearl, Probabilistic Reasoning in Intelligent Systems, 1988, 4.3.2; EM: Dempster, Laird and Rubin, 1977.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

OWN = 20.0  # decisions that count for half against what is expected of a source
POOLED = 200.0  # decisions that count for half against a level's prior: those read first are not the whole level
STEPS = 5_000
STILL = 1e-9  # largest move of a likelihood at which it is learned


@dataclass(frozen=True, kw_only=True, eq=False)
class Signs:
    """What decisions are about: entry by entry, one sign of one decision."""

    decision: Ints  # row of `confirmed`
    source: Ints  # row of `level`
    strength: Floats  # above 0, at most 1
    confirmed: NDArray[np.bool_]  # by decision
    level: Ints  # by source: row of the priors


def fit(signs: Signs, priors: Floats) -> tuple[Floats, Floats]:
    """The likelihood of each source and of each level (`priors` before any decision), at full strength.

    The order of the entries changes the last bits only.
    """
    levels, sources = priors.copy(), priors[signs.level]
    seen = np.bincount(signs.source, minlength=len(sources)).astype(np.float64)
    # as many decisions as a source tells of its level: sources of a level differ, and one that is decided
    # a thousand times is still one source
    told = seen * OWN / (seen + OWN)
    weight = np.bincount(signs.level, told, len(levels)) + POOLED
    for _ in range(STEPS):
        held = np.bincount(signs.source, _held(signs, sources), len(sources))
        share = held / np.maximum(seen, 1.0)
        levels = (np.bincount(signs.level, told * share, len(levels)) + POOLED * priors) / weight
        before, sources = sources, (held + OWN * levels[signs.level]) / (seen + OWN)
        if not len(sources) or np.abs(sources - before).max() < STILL:
            break
    return sources, levels


def _held(signs: Signs, sources: Floats) -> Floats:
    """By entry: how likely its source holds here (were it at full strength), given what was decided."""
    level, strength = sources[signs.source], signs.strength
    silent = np.log1p(-level * strength)
    none = np.bincount(signs.decision, silent, len(signs.confirmed))[signs.decision]
    holds = -np.expm1(none)
    others = -np.expm1(none - silent)
    weak = level * (1.0 - strength)  # holds, but is too weak here to show
    return np.where(
        signs.confirmed[signs.decision],
        (level * strength + weak * others) / holds,
        weak / (1.0 - level * strength),
    )
