"""The benchmark of outlier detectors: it keeps what adds, and drops a copy and a coin."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.outliers import (
    BEGIN,
    END,
    World,
    auc_in_peers,
    chosen,
    correlation,
    gained,
    overlap,
    summed,
    write_docs,
)


def world(seed: int) -> World:
    """Improper claims of two kinds; `first` sees one, `second` the other, `copy` what `first` sees, `coin` nothing."""
    rng = np.random.default_rng(seed)
    rows = 4_000
    kind = np.where(rng.random(rows) < 0.03, rng.integers(1, 3, rows), 0)
    scores = {"coin": rng.random(rows)}
    for name, seen in (("first", 1), ("second", 2)):
        noise = rng.random(rows)
        scores[name] = np.where(kind == seen, 1.0 - noise * 1e-3, noise * 0.999)
    scores["copy"] = scores["first"]
    return World(
        scores=scores,
        seconds=dict.fromkeys(scores, (0.1, 1.0)),
        improper=kind > 0,
        money=np.where(kind > 0, 1_000.0, 0.0),
        peers=rng.integers(0, 3, rows),
        recoverable=np.zeros(rows),
        bill=np.full(rows, 1_000.0),
        seed=seed,
    )


@pytest.fixture(scope="module")
def worlds() -> list[World]:
    return [world(seed) for seed in (1, 2, 3)]


def test_what_adds_is_kept_and_a_copy_or_a_coin_is_not(worlds: list[World]) -> None:
    steps = chosen(worlds, ["coin", "copy", "first", "second"])
    assert [step["kept"] for step in steps] == [True, True, False, False]
    assert {step["detector"] for step in steps if step["kept"]} in ({"first", "second"}, {"copy", "second"})


def test_auc_compares_within_peers_only() -> None:
    scores = np.array([0.9, 0.1, 0.5, 0.2, 0.2])
    improper = np.array([True, False, True, False, False])
    assert auc_in_peers(scores, improper, np.array([0, 0, 1, 1, 1])) == 1.0
    assert auc_in_peers(scores, improper, np.array([0, 1, 1, 1, 1])) == 1.0  # the first has no one beside it
    assert auc_in_peers(np.full(5, 0.2), improper, np.zeros(5, dtype=np.int64)) == 0.5
    assert np.isnan(auc_in_peers(scores, np.zeros(5, dtype=bool), np.zeros(5, dtype=np.int64)))


def test_a_gain_is_paired_and_a_copy_gains_nothing(worlds: list[World]) -> None:
    assert gained(worlds, ["first"], ["copy"]) == ([0.0, 0.0, 0.0], 0.0)
    gains, error = gained(worlds, [], ["first"])
    assert min(gains) > 0.15
    assert 0.0 < error < 0.05


def test_overlap_and_correlation_of_a_score_with_itself_and_its_opposite(worlds: list[World]) -> None:
    score = worlds[0].scores["first"]
    assert (overlap(score, score), overlap(score, 1.0 - score)) == (1.0, 0.0)
    assert correlation(score, score) == pytest.approx(1.0)
    assert correlation(score, 1.0 - score) == pytest.approx(-1.0)


def test_the_page_gets_the_tables_between_its_marks(worlds: list[World], tmp_path: Path) -> None:
    page = tmp_path / "outliers.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    result = summed(worlds, 4_000)
    write_docs(result, page)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert all(f"| {name} |" in text for name in worlds[0].scores)
    assert result["kept"] == [step["detector"] for step in result["steps"] if step["kept"]]
