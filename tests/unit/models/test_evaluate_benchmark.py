"""The quality benchmark puts worlds together without making them look better than they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.quality import BEGIN, END, main_table, mean_rankings, pooled_tenths, summed_schemes, write_docs

FIGURES = (
    "money_found_1%", "money_found_5%", "claims_found_2%", "average_precision", "precision_at_100", "precision_at_500",
    "dirty_in_top_1%", "legitimate_in_top_1%",
)  # fmt: skip


def row(ranking: str, found: float, low: float, high: float, labels: str | None = None) -> dict[str, Any]:
    return {
        "ranking": ranking,
        "labels": labels,
        "money_found_2%": found,
        **dict.fromkeys(FIGURES, 0.5),
        "money_found_2%_low": low,
        "money_found_2%_high": high,
    }


def test_the_interval_of_a_mean_is_that_of_independent_worlds() -> None:
    made = mean_rankings([[row("minhbach", 0.5, 0.2, 0.6)], [row("minhbach", 0.7, 0.3, 0.8)]])[0]
    assert made["money_found_2%"] == 0.6
    assert made["money_found_2%_low"] == pytest.approx(0.6 - (0.3**2 + 0.4**2) ** 0.5 / 2)
    assert made["money_found_2%_high"] == pytest.approx(0.6 + (0.1**2 + 0.1**2) ** 0.5 / 2, abs=1e-4)


def test_a_ranking_that_one_world_lacks_has_no_mean() -> None:
    both = [row("minhbach", 0.5, 0.4, 0.6), row("boosting", 0.9, 0.8, 1.0, "all")]
    assert [r["ranking"] for r in mean_rankings([both, both[:1]])] == ["minhbach"]


def test_schemes_add_up_over_worlds_and_the_missed_stay() -> None:
    one = {"scheme": "A", "claims": 2, "no_amount": 0, "improper_amount": 10.0, "found": 0, "found_amount": 0.0}
    other = {**one, "claims": 3, "improper_amount": 30.0, "found": 1, "found_amount": 20.0}
    missed = {**one, "scheme": "B"}
    found = {r["scheme"]: r for r in summed_schemes([[one, missed], [other]], ("scheme",))}
    assert (found["A"]["claims_found"], found["A"]["money_found"], found["A"]["missed"]) == (0.2, 0.5, False)
    assert found["B"]["missed"]


def test_reliability_is_pooled_by_claims() -> None:
    tenths = [{"part": 1, "claims": 90, "mean_score": 0.1, "share_improper": 0.0}]
    others = [{"part": 1, "claims": 10, "mean_score": 0.2, "share_improper": 0.1}]
    assert pooled_tenths([tenths, others]) == [{"part": 1, "claims": 100, "mean_score": 0.11, "share_improper": 0.01}]


def test_taught_rankings_are_marked_in_the_table() -> None:
    table = main_table([row("minhbach", 0.5, 0.4, 0.6), row("gradient boosting", 0.9, 0.8, 1.0, "all")])
    ours, ceiling = table.splitlines()[2:]
    assert ours.startswith("| **Minh Bạch** | **none** | **0.50** | **0.50 (0.40–0.60)** |")
    assert ceiling.startswith("| gradient boosting | all |")


def test_only_what_stands_between_the_markers_is_written(tmp_path: Path) -> None:
    page = tmp_path / "measurement.md"
    page.write_text(f"before\n{BEGIN}\nstale words\n{END}\nafter\n", encoding="utf-8")
    rankings = [row("minhbach", 0.5, 0.4, 0.6), row("rank by cost", 0.4, 0.3, 0.5)]
    over = {"ratio": 1.25, "best_baseline": "rank by cost", "low": 1.0, "high": 1.5}
    amount = {"ratio_of_sums": 1.0, "within_factor_2": 0.8, "ratio_of_sums_all_flagged": 2.0}
    curves = {"minhbach": [0.4, 1.0], "rank by cost": [0.3, 1.0], "random": [0.01, 1.0]}
    result = {
        "seeds": [7],
        "encounters": 20_000,
        "rankings": rankings,
        "money_at_2%_over_best_baseline": [over],
        "improper": [{"claims": 9, "in_largest_10": 1.0}],
        "evaluated": [7_000],
        "schemes": [],
        "schemes_by_intensity": [],
        "entities": [],
        "calibration": {
            "by_tenth": [{"part": 1, "claims": 100, "mean_score": 0.1, "share_improper": 0.0}],
            "likelihood": [{"part": 9, "claims": 10, "mean_score": 0.85, "share_improper": 0.8}],
            "flags": [{"flags": 10, "promised": 0.85, "held": 0.8}],
            "score": [{"expected_calibration_error": 0.1, "calibrated": False}],
            "amount_at_risk": [amount],
        },
        "gain": {"claims_read": [0.01, 1.0], "money_found": curves},
    }
    write_docs(result, tmp_path)
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"before\n{BEGIN}\n")
    assert text.endswith(f"{END}\nafter\n")
    assert "stale words" not in text
    assert "1.25 of rank by cost (1.00–1.50)" in text
    assert "the score is **not** a probability" in text
    assert (tmp_path / "images" / "gain.svg").exists()
    write_docs(result, tmp_path)
    assert page.read_text(encoding="utf-8") == text


def test_a_page_without_the_markers_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "measurement.md").write_text("nothing\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="must be there once"):
        write_docs({}, tmp_path)
