"""A run with switches: shadowed signs are counted and shown nowhere; the run says what was switched, and replays."""

from __future__ import annotations

from pathlib import Path
from shutil import copytree

import polars as pl
import pytest

from data.lake import Lake
from detectors.switches import Switch, Switches
from models.replay import replay
from tests.lib.pipeline import Pipeline, now, score


@pytest.fixture
def lake(pipeline: Pipeline, tmp_path: Path) -> Lake:
    copytree(pipeline.home / "lake", tmp_path / "lake")
    return Lake(tmp_path / "lake", clock=now, memory="1GB")


def test_a_rule_in_shadow_is_counted_and_shown_nowhere(pipeline: Pipeline, lake: Lake) -> None:
    counts = {rule: hit for rule, (hit, _, _) in pipeline.run.rule_runs.items()}
    loud = max(counts, key=lambda rule: counts[rule]).partition("@")[0]
    run = score(lake, pipeline.registry, pipeline.version, switches=Switches((Switch(rule=loud, state="shadow"),)))
    assert run.run_id != pipeline.run.run_id
    assert run.rule_runs == pipeline.run.rule_runs, "a shadow is counted all the same"
    named = f"{loud}@1"
    with lake.reader() as reader:
        shown = reader.pl("select source, count(*) as n from signal where run_id = ? group by all", [run.run_id])
        kept = reader.pl(
            "select source, count(distinct ma_lk) as n from shadow_signal where run_id = ? group by all", [run.run_id]
        )
        words = reader.pl("select evidence from claim_score where run_id = ?", [run.run_id])["evidence"].str.join("")[0]
    assert named not in set(shown["source"])
    assert set(kept["source"]) == {named}
    assert run.shadow == {named: counts[named]}
    assert named not in words
    assert replay(lake, pipeline.registry, run.run_id).equal


def test_a_rule_that_is_off_finds_nothing_there(pipeline: Pipeline, lake: Lake) -> None:
    counts = {rule: hit for rule, (hit, _, _) in pipeline.run.rule_runs.items()}
    loud = max(counts, key=lambda rule: counts[rule]).partition("@")[0]
    with lake.reader() as reader:
        before = reader.pl(
            "select distinct substr(ma_cskcb, 1, 2) as p from signal where starts_with(source, ?)", [loud]
        )
    where = before["p"].sort()[0]
    run = score(
        lake, pipeline.registry, pipeline.version, switches=Switches((Switch(rule=loud, state="off", province=where),))
    )
    with lake.reader() as reader:
        after = reader.pl(
            "select distinct substr(ma_cskcb, 1, 2) as p from signal where run_id = ? and starts_with(source, ?)",
            [run.run_id, loud],
        )
    assert set(after["p"]) == set(before["p"]) - {where}
    assert sum(run.rule_runs[f"{loud}@1"]) == sum(pipeline.run.rule_runs[f"{loud}@1"])
    assert pl.Series(run.rule_runs[f"{loud}@1"])[0] < counts[f"{loud}@1"]
