"""SIGKILL anywhere in `ingest` or `score`, run again: the same final tables, nothing lost, nothing twice."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from data.lake import Lake
from models.entities import ranking_sql
from models.scoring import chain, runs
from tests.lib.pipeline import KEY, Pipeline, now

KILLS = 5  # of each command: ten in all
CLAIM_TABLES = (
    *(f"{name}_history" for name in ("encounter", "drug_line", "service_line", "lab_result", "xml7")),
    *("free_text", "intake_finding", "received", "fault", "supersession", "loaded_file"),
)
NOT_COMPARED = {"load_id"}


def environment(home: Path) -> dict[str, str]:
    return {
        **{k: v for k, v in os.environ.items() if not k.startswith("MINHBACH")},
        "MINHBACH_HOME": str(home),
        "MINHBACH_PSEUDONYM_KEY": KEY.decode(),
    }


def command(home: Path, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "service", *arguments, "--json"],
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def finish(home: Path, *arguments: str) -> tuple[dict[str, object], float]:
    started = time.monotonic()
    process = command(home, *arguments)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0, out
    return json.loads(out), time.monotonic() - started


def kill_after(home: Path, seconds: float, *arguments: str) -> bool:
    """Kill the command and its workers after `seconds`; False when it had finished by then."""
    process = command(home, *arguments)
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return True
    process.communicate()
    return False


def killed_somewhere(
    fresh: Callable[[str], Path], name: str, draw: random.Random, seconds: float, *arguments: str
) -> Path:
    """A home in which the command was killed at a random moment; earlier and earlier where it got away."""
    for attempt in range(12):
        home = fresh(f"{name}-{attempt}")
        if kill_after(home, draw.uniform(0.1, 1.0) * seconds * 0.8**attempt, *arguments):
            return home
    raise AssertionError(f"minhbach {arguments[0]} could not be killed in time")


def tables(home: Path) -> dict[str, pl.DataFrame]:
    with Lake(home / "lake", clock=now).reader() as reader:
        found = {name: reader.pl(f"select * from {name}") for name in CLAIM_TABLES}
        looks: list[tuple[str, int]] = []
        found["person"] = reader.restricted(
            "person", "select * from restricted", record=lambda *look: looks.append(look)
        )
        assert looks == [("person", found["person"].height)]
    return {
        name: frame.select(sorted(set(frame.columns) - NOT_COMPARED)).sort(pl.all()) for name, frame in found.items()
    }


def ranking(home: Path) -> pl.DataFrame:
    lake = Lake(home / "lake", clock=now)
    done = runs(lake)
    linked = [run.run_id for run in chain(lake, done[-1].run_id)]
    with lake.reader() as reader:
        assert reader.pl("select count(*) - count(distinct (run_id, version)) as n from claim_score")["n"][0] == 0
        return reader.pl(f"select * from ({ranking_sql(linked)}) order by version")


@pytest.fixture(scope="module")
def source(pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A third of the small world's files: enough to be killed in, quick to load."""
    folder = tmp_path_factory.mktemp("files")
    for path in sorted((pipeline.source / "xml").rglob("*.xml"))[::3]:
        shutil.copy(path, folder / path.name)
    return folder


def test_ingest_killed_anywhere_ends_in_the_same_tables(source: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    report, seconds = finish(whole, "ingest", str(source))
    wanted = tables(whole)
    draw = random.Random(5)
    for number in range(KILLS):
        home = killed_somewhere(lambda name: tmp_path / name, f"killed-{number}", draw, seconds, "ingest", str(source))
        again, _ = finish(home, "ingest", str(source))
        assert again["files"] + again["files_skipped"] == report["files"]  # type: ignore[operator]
        found = tables(home)
        for name, frame in wanted.items():
            assert found[name].equals(frame), name
        assert not list((home / "lake" / "staging").iterdir())


def test_score_killed_anywhere_ends_in_the_same_ranking(pipeline: Pipeline, tmp_path: Path) -> None:
    def fresh(name: str) -> Path:
        home = tmp_path / name
        home.mkdir()
        shutil.copytree(pipeline.home / "models", home / "models")
        lake = Lake(home / "lake", clock=now)
        shutil.copytree(pipeline.lake.root, lake.root)
        shutil.rmtree(lake.root / "tables" / "log")
        for table in ("claim_score", "signal", "entity_score"):
            shutil.rmtree(lake.root / "tables" / table)
        entry = pipeline.lake.log("load")[0]
        from data.lake import _LOG_SCHEMA

        row = {
            "snapshot": [1],
            "kind": ["load"],
            "commit_id": [entry.commit_id],
            "at": [entry.at],
            "versions": [json.dumps(dict(entry.versions))],
            "info": ["{}"],
        }
        lake._append_delta("log", entry.commit_id, pl.DataFrame(row, schema=_LOG_SCHEMA).to_arrow(), partitioned=False)
        return home

    whole = fresh("whole")
    _, seconds = finish(whole, "score")
    wanted = ranking(whole)
    draw = random.Random(6)
    for number in range(KILLS):
        home = killed_somewhere(fresh, f"killed-{number}", draw, seconds, "score")
        finish(home, "score")
        assert ranking(home).equals(wanted)
        assert len(runs(Lake(home / "lake", clock=now))) == 1
