"""The bundle: what it writes it reads back, whatever it has learned."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from detectors.discovery import outlier_detectors
from detectors.fusion import Weights
from detectors.outliers.isolation import FEATURES, IsolationDetector
from detectors.outliers.tails import SIZE_FREE, TailDetector
from detectors.rarity import Rarity
from detectors.reference import TailReference
from detectors.standing import Standing
from detectors.statistical.expected_cost import COST_GROUPS, TOTALS, ExpectedCost
from detectors.trees import TreeEnsemble
from features.peers import LADDERS, PeerTable
from models.bundle import BrokenBundle, Bundle, bundle_sha256

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
        outliers=(
            IsolationDetector(FEATURES, LEAF, np.zeros(len(FEATURES)), reference),
            TailDetector().fit(matrix, seed=1),
        ),
        peers=peers([group.column for group in COST_GROUPS]),
        bill_peers=peers([group.column for group in TOTALS]),
        rarity=Rarity.untaught(),
        weights=Weights(),
        pivot=1_000.0,
        entity_pivots={"doctor": 1.0},
        standing=Standing({"doctor": {"98001:d1": (1.25, "DUP_LINE")}}),
        trained=trained,
    )


def test_a_bundle_reads_back_and_the_same_one_has_the_same_hash(tmp_path: Path) -> None:
    sha256 = bundle().save(tmp_path / "a")
    again = Bundle.load(tmp_path / "a")
    assert again.bill_peers is not None
    assert again.bill_peers.groups.equals(bundle().bill_peers.groups)  # type: ignore[union-attr]
    assert again.standing == bundle().standing
    assert again.save(tmp_path / "b") == sha256 == bundle_sha256(tmp_path / "a")


def test_a_bundle_of_before_has_no_peers_of_whole_bills_and_is_still_read(tmp_path: Path) -> None:
    folder = tmp_path / "old"
    bundle().save(folder)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    del manifest["detectors"]["bill_peers"], manifest["sha256"]["bill_peers.npz"]
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert Bundle.load(folder).bill_peers is None


def test_a_bundle_holds_whichever_outlier_detectors_were_trained(tmp_path: Path) -> None:
    names = list(dict.fromkeys((*SIZE_FREE, *FEATURES)))
    rng = np.random.default_rng(1)
    x = pl.DataFrame({name: rng.exponential(size=400) for name in names}).with_columns(
        ma_loai_kcb=pl.lit("01"), facility_rank=pl.lit("2")
    )
    kinds = outlier_detectors()
    made = replace(bundle(), outliers=tuple(kind().fit(x, seed=1) for kind in kinds.values()))
    made.save(tmp_path / "all")
    again = Bundle.load(tmp_path / "all")
    assert [detector.name for detector in again.outliers] == list(kinds)
    for ours, theirs in zip(made.outliers, again.outliers, strict=True):
        assert theirs.score(x).to_list() == ours.score(x).to_list()


def test_a_bundle_with_a_detector_that_is_no_longer_there_says_which(tmp_path: Path) -> None:
    folder = tmp_path / "strange"
    bundle().save(folder)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest["detectors"]["mine"] = manifest["detectors"].pop("tails")
    manifest["sha256"]["mine.npz"] = manifest["sha256"].pop("tails.npz")
    (folder / "tails.npz").rename(folder / "mine.npz")
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(BrokenBundle, match="no detector mine"):
        Bundle.load(folder)


@pytest.mark.parametrize("reason", [None, "chưa học (not learned)"])
def test_every_detector_says_what_it_needs_and_whether_it_learned(reason: str | None) -> None:
    made = bundle(unlearned={"tails@1": reason} if reason else {})
    judges = {judge.source: judge for judge in made.judges()}
    assert list(judges) == ["expected_cost@1", "isolation@1", "tails@1"]
    assert {source: judge.reason for source, judge in judges.items() if judge.reason} == (
        {"tails@1": reason} if reason else {}
    )
    assert judges["isolation@1"].needs == IsolationDetector.needs
    assert judges["expected_cost@1"].bare_amounts == ()  # nothing was learned of whole bills
