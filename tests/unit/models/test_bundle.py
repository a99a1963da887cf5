"""The bundle: what it writes it reads back, whatever it has learned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from detectors.fusion import Weights
from detectors.outliers.isolation import FEATURES, IsolationDetector
from detectors.outliers.tails import SIZE_FREE, TailDetector
from detectors.rarity import Rarity
from detectors.reference import TailReference
from detectors.statistical.expected_cost import COST_GROUPS, TOTALS, ExpectedCost
from detectors.trees import TreeEnsemble
from features.peers import LADDERS, PeerTable
from models.bundle import Bundle, bundle_sha256

LEAF = TreeEnsemble(
    roots=np.array([0], dtype=np.int32),
    feature=np.array([0], dtype=np.int32),
    threshold=np.zeros(1),
    missing_left=np.ones(1, dtype=bool),
    left=np.array([-1], dtype=np.int32),
    right=np.array([-1], dtype=np.int32),
    value=np.zeros(1),
    baseline=0.0,
)


def peers(columns: list[str]) -> PeerTable:
    text = {name: [None] * 40 for name in LADDERS["encounter"][0] + ("icd_letter",)}
    rows = pl.DataFrame(text, schema=dict.fromkeys(text, pl.String())).with_columns(
        pl.int_range(pl.len()).cast(pl.Float64).alias(name) for name in columns
    )
    return PeerTable.fit(rows, LADDERS["encounter"], columns)


def bundle(**trained: Any) -> Bundle:
    reference = TailReference.fit(np.arange(10.0))
    matrix = pl.DataFrame({name: [1.0, 2.0] for name in SIZE_FREE}).with_columns(ma_loai_kcb=pl.lit("01"))
    return Bundle(
        expected_cost=ExpectedCost(),
        tails=TailDetector().fit(matrix, seed=1),
        isolation=IsolationDetector(FEATURES, LEAF, np.zeros(len(FEATURES)), reference),
        peers=peers([group.column for group in COST_GROUPS]),
        bill_peers=peers([group.column for group in TOTALS]),
        rarity=Rarity.untaught(),
        weights=Weights(),
        pivot=1_000.0,
        entity_pivots={"doctor": 1.0},
        trained=trained,
    )


def test_a_bundle_reads_back_and_the_same_one_has_the_same_hash(tmp_path: Path) -> None:
    sha256 = bundle().save(tmp_path / "a")
    again = Bundle.load(tmp_path / "a")
    assert again.bill_peers is not None
    assert again.bill_peers.groups.equals(bundle().bill_peers.groups)  # type: ignore[union-attr]
    assert again.save(tmp_path / "b") == sha256 == bundle_sha256(tmp_path / "a")


def test_a_bundle_of_before_has_no_peers_of_whole_bills_and_is_still_read(tmp_path: Path) -> None:
    folder = tmp_path / "old"
    bundle().save(folder)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    del manifest["detectors"]["bill_peers"], manifest["sha256"]["bill_peers.npz"]
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert Bundle.load(folder).bill_peers is None


@pytest.mark.parametrize("reason", [None, "chưa học (not learned)"])
def test_every_detector_says_what_it_needs_and_whether_it_learned(reason: str | None) -> None:
    made = bundle(unlearned={"tails@1": reason} if reason else {})
    judges = {judge.source: judge for judge in made.judges()}
    assert list(judges) == ["expected_cost@1", "tails@1", "isolation@1"]
    assert {source: judge.reason for source, judge in judges.items() if judge.reason} == (
        {"tails@1": reason} if reason else {}
    )
    assert judges["isolation@1"].needs == IsolationDetector.needs
    assert judges["expected_cost@1"].bare_amounts == ()  # nothing was learned of whole bills
