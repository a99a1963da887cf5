"""The noisy-or: it finds what made the decisions, pays no sign for another's work, and moves as far as it was told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.noisy_or import OWN, POOLED, Signs, fit

if TYPE_CHECKING:
    from models.noisy_or import Floats

PRIORS = np.array([0.5, 0.35])


def signs(rows: list[tuple[dict[int, float], bool]], level: list[int]) -> Signs:
    """`rows`: by decision the strength of each source, and whether it was confirmed."""
    flat = [(at, source, strength) for at, (of, _) in enumerate(rows) for source, strength in of.items()]
    decision, source, strength = (np.array(column) for column in zip(*flat, strict=True)) if flat else ([], [], [])
    return Signs(
        decision=np.asarray(decision, dtype=np.int64),
        source=np.asarray(source, dtype=np.int64),
        strength=np.asarray(strength, dtype=np.float64),
        confirmed=np.array([confirmed for _, confirmed in rows], dtype=bool),
        level=np.array(level, dtype=np.int64),
    )


def chance(likelihood: Floats, of: dict[int, float]) -> float:
    return 1.0 - float(np.prod([1.0 - likelihood[source] * strength for source, strength in of.items()]))


def test_it_finds_the_likelihoods_that_made_the_decisions() -> None:
    rng, true = np.random.default_rng(5), np.array([0.9, 0.3, 0.6, 0.1, 0.02])
    rows: list[tuple[dict[int, float], bool]] = []
    for _ in range(20_000):
        of = {int(source): float(rng.uniform(0.4, 1.0)) for source in np.flatnonzero(rng.random(5) < 0.4)}
        if of:
            rows.append((of, bool(rng.random() < chance(true, of))))
    found, _ = fit(signs(rows, [0, 0, 1, 1, 1]), PRIORS)
    np.testing.assert_allclose(found, true, atol=0.03)


def test_without_decisions_every_figure_is_its_prior() -> None:
    found, levels = fit(signs([], [0, 1, 1]), PRIORS)
    assert found.tolist() == [0.5, 0.35, 0.35]
    assert levels.tolist() == PRIORS.tolist()


def test_a_copy_of_a_sign_does_not_raise_a_claim_twice() -> None:
    rng = np.random.default_rng(6)
    decided = [bool(rng.random() < 0.8) for _ in range(2_000)]
    both = {0: 1.0, 1: 1.0}
    alone, _ = fit(signs([({0: 1.0}, yes) for yes in decided], [0]), PRIORS)
    copied, _ = fit(signs([(both, yes) for yes in decided], [0, 0]), PRIORS)
    assert copied[0] == copied[1]
    assert chance(copied, both) == pytest.approx(chance(alone, {0: 1.0}), abs=0.01)
    assert chance(np.array([alone[0], alone[0]]), both) > 0.95  # what counting each by itself would have promised


def test_a_weak_sign_beside_a_sure_one_earns_nothing_by_its_company() -> None:
    rows = [({0: 1.0}, True)] * 200 + [({0: 1.0, 1: 1.0}, True)] * 50 + [({1: 1.0}, False)] * 20
    found, _ = fit(signs(rows, [0, 1]), PRIORS)
    assert found[0] > 0.9
    assert found[1] < 0.2


def test_what_some_sources_of_a_level_showed_is_expected_of_the_others() -> None:
    rows = [({source: 1.0}, False) for source in range(10) for _ in range(20)]
    found, levels = fit(signs(rows, [0] * 11), PRIORS)
    assert levels[1] == PRIORS[1]
    assert found[10] == pytest.approx(levels[0])
    told = 10 * 20 * OWN / (20 + OWN)  # nothing of theirs held; they are drawn towards their level, which moves too
    assert 0.5 * POOLED / (POOLED + told) <= levels[0] < 0.5


def test_a_source_decided_a_thousand_times_is_still_one_source_of_its_level() -> None:
    once = fit(signs([({0: 1.0}, False)] * int(OWN), [0, 0]), PRIORS)[1][0]
    often = fit(signs([({0: 1.0}, False)] * 1_000, [0, 0]), PRIORS)[1][0]
    assert PRIORS[0] > once > often > PRIORS[0] * POOLED / (POOLED + OWN) - 1e-9


STRENGTHS = st.dictionaries(st.integers(0, 3), st.floats(0.05, 1.0), min_size=1)


@given(rows=st.lists(st.tuples(STRENGTHS, st.booleans()), max_size=12), asked=STRENGTHS, more=st.floats(0.0, 1.0))
def test_a_stronger_sign_never_lowers_a_claim(
    rows: list[tuple[dict[int, float], bool]], asked: dict[int, float], more: float
) -> None:
    found, levels = fit(signs(rows, [0, 0, 1, 1]), PRIORS)
    assert ((found > 0) & (found < 1)).all()
    assert ((levels > 0) & (levels < 1)).all()
    for source, strength in asked.items():
        stronger = {**asked, source: strength + more * (1.0 - strength)}
        assert chance(found, stronger) >= chance(found, asked) - 1e-12
