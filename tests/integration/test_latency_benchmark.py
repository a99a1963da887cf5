"""The benchmark of latency runs, and its figures are in the order that the way of a claim gives them."""

from __future__ import annotations

from pathlib import Path

from benchmarks.latency import measure
from tests.lib.pipeline import Pipeline


def test_it_measures_one_claim_many_and_what_they_are_compared_with(pipeline: Pipeline, tmp_path: Path) -> None:
    figures = measure(pipeline, tmp_path / "minhbach.db", rounds=2, many=3)
    assert figures["many_claims"] == 3
    assert 0 < figures["one_claim_json_ms"] < figures["one_claim_ms"] <= figures["one_claim_slowest_ms"]
    assert figures["company_rules"] > 0
    assert figures["company_claims"] > 1
    assert 0 < figures["one_claim_company_ms"] < figures["one_claim_slowest_ms"]
    assert figures["one_rule_ms"] < figures["all_rules_ms"]
