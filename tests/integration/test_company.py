"""Signs in company, from the lake to stored scores: alone, in parts and after late news they are the same."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from data.lake import Lake, Reader
from data.schema import columns
from data.synthetic import generate
from detectors.base import rules
from detectors.rulebook import find
from models import company, scoring
from models.company import facility_rules, in_company
from models.entities import ranking_sql
from models.replay import replay
from models.scoring import BY_PATIENT, chain, score_claims
from models.train import _signs  # pyright: ignore[reportPrivateUsage] - training must see what a run sees
from tests.lib.pipeline import Pipeline, load, now, score

KEY = ["ma_cskcb", "ma_lk"]
SIGN = [*KEY, "line_table", "row_no", "source", "amount", "observed", "allowed"]
SCORED = [*KEY, "score", "evidence"]
TABLES = ("encounter", "drug_line", "service_line", "lab_result")
SCHEMES = ("DOCTOR_TIME_OVERLAP", "BED_SHARE_FULL", "SUPPLY_REUSE", "PHANTOM_INPATIENT")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    source = tmp_path_factory.mktemp("crowded")
    generate(source, encounters=2_000, months=3, seed=5, only=SCHEMES, thick=8.0)
    return sorted((source / "xml").rglob("*.xml"))


def scored(root: Path, pipeline: Pipeline, parts: Sequence[Sequence[Path]]) -> tuple[Lake, list[str]]:
    """A lake loaded and scored part by part, and its chain of runs, newest first."""
    lake = Lake(root, clock=now, memory="1GB")
    made: list[str] = []
    for part in parts:
        load(lake, *part)
        made.append(score(lake, pipeline.registry, pipeline.version).run_id)
    return lake, [run.run_id for run in chain(lake, made[-1])]


def signs(reader: Reader, runs: Sequence[str]) -> pl.DataFrame:
    """What the ranking of `runs` stands on in company, with the run that says it."""
    found = reader.pl(
        f"select {', '.join('s.' + c for c in SIGN)}, s.run_id from signal s join ({ranking_sql(runs)}) r "
        f"using (run_id, version) order by {', '.join(SIGN)}"
    )
    known = [rule.ref for rule in facility_rules()]
    return found.filter(pl.col("source").is_in(known))


def test_news_of_a_facility_reach_claims_scored_before(pipeline: Pipeline, files: list[Path], tmp_path: Path) -> None:
    """Loaded in two nights the lake says what it says loaded at once, though no patient's own past changed."""
    parts = (files[::2], files[1::2])
    nightly, linked = scored(tmp_path / "nightly", pipeline, parts)
    once, single = scored(tmp_path / "once", pipeline, [files])
    with nightly.reader() as left, once.reader() as right:
        found, expected = signs(left, linked), signs(right, single)
        assert found.drop("run_id").equals(expected.drop("run_id"))
        assert expected["source"].n_unique() >= 3
        first = left.pl("select ma_cskcb, ma_lk, version from claim_score where run_id = ?", [linked[-1]])
        again = left.pl("select version from claim_score where run_id = ?", [linked[0]])
    rescored = first.join(again, on="version", how="semi")
    named_anew = found.filter(pl.col("run_id") == linked[0]).join(rescored, on=KEY, how="semi")
    assert named_anew.height, "no claim of the first night is in the second run for a sign in company"
    assert rescored.height < first.height / 2, "claims whose signs did not change are not scored again"
    assert replay(nightly, pipeline.registry, linked[0]).equal


def test_a_claim_named_in_company_scores_alone_as_in_the_run(
    pipeline: Pipeline, files: list[Path], tmp_path: Path
) -> None:
    lake, linked = scored(tmp_path / "lake", pipeline, [files])
    bundle = pipeline.registry.load(pipeline.version)
    with lake.reader() as reader:
        named = signs(reader, linked).unique("source", keep="first", maintain_order=True).select(KEY).unique()
        assert named.height >= 2
        stored = reader.pl(f"select {', '.join(SCORED)} from ({ranking_sql(linked)})")
        for part in named.sort(KEY).iter_slices(1):
            reader.keep("_part", part)
            claims = {
                name: reader.pl(
                    f"select {', '.join(columns(name))} from {name} semi join _part using (ma_cskcb, ma_lk)"
                )
                for name in TABLES
            }
            alone = score_claims(bundle, reader, claims).claims.select(SCORED)
            assert alone.equals(stored.join(part, on=KEY, how="semi"))
    shutil.rmtree(lake.root)


def test_signs_are_the_same_by_facility_by_month_and_all_at_once(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However claims are cut into parts to be read, training and runs find the signs that one reading of all finds."""
    lake = Lake(tmp_path / "lake", clock=now, memory="1GB")
    load(lake, *files)
    with lake.reader() as reader:
        targets = reader.pl(
            f"select ma_cskcb, ma_lk, version, patient_id, ngay_vao from claimed_encounter order by {BY_PATIENT}"
        )
        expected = {rule_id: rows.sort(pl.all()) for rule_id, rows in find(reader.claim_tables(), rules()).items()}
        known = [rule.id for rule in facility_rules()]
        assert sum(expected[rule_id].height > 0 for rule_id in known) >= 3
        read: list[int] = []
        by_facility = in_company(reader, targets, progress=lambda done, _: read.append(done))
        assert read == [targets.height], "all of so small a lake is read at once"
        assert all(by_facility[rule_id].equals(expected[rule_id]) for rule_id in known)
        monkeypatch.setattr(company, "CHUNK", 1)  # no facility fits: each is read month by month
        monkeypatch.setattr(scoring, "CHUNK", 300)
        read.clear()
        by_month = in_company(reader, targets, progress=lambda done, _: read.append(done))
        assert len(read) > targets["ma_cskcb"].n_unique()
        assert read[-1] == targets.height
        told: list[tuple[int, int]] = []
        found = _signs(reader, targets, lambda done, all_of: told.append((done, all_of)))
        assert told == sorted(told)
        assert told[-1] == (2 * targets.height, 2 * targets.height)
    assert all(by_month[rule_id].equals(expected[rule_id]) for rule_id in known)
    assert found.keys() == expected.keys()
    differing = [rule_id for rule_id, rows in found.items() if not rows.sort(pl.all()).equals(expected[rule_id])]
    assert not differing
