"""Claims with next to nothing on them: a provider, a patient, dates, diagnoses and one amount are enough."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from data.lake import Lake
from data.schema import columns
from models.bundle import Bundle
from models.scoring import Run, run_scoring, score_claims, score_tables
from models.train import train
from tests.lib.pipeline import Pipeline, now

CLAIMS = 4_000
DEAR_PROVIDERS = 5
TIMES_DEARER = 3.0
SEED = 7
AMOUNTS = ("t_bhtt", "t_tongchi_bh", "either")
"""Which amount a claim states: always the same one, or one or the other."""

DIAGNOSES = (
    *("428.0", "4280", "V45.81", "25000", "E885.9", "401.9", "486", "7245"),  # ICD-9, with and without its dot
    *("I10", "J18.9", "K35", "E11.9", "S72.0", "O80", "N18.5", "C50.9"),
    *("Viêm họng cấp", "tăng huyết áp", "đau lưng ?", "đẻ thường", "viem phoi", "GÃY XƯƠNG ĐÙI"),
)

LINED = ("encounter", "drug_line", "service_line")
SCORED = ["ma_cskcb", "ma_lk", "score", "expected_recoverable", "status", "schemes", "reasons_vi", "evidence"]


def minimal(amount: str, *, claims: int = CLAIMS, seed: int = SEED) -> pl.DataFrame:
    """Rows of `encounter` with every unknown blank, and `dear`: whether a provider that charges threefold sent it."""
    rng = np.random.default_rng(seed)
    providers = ["7", "98", "PRV51001", "Trạm y tế số 3", *(f"PROVIDER-{n:012}" for n in range(56))]
    usual = np.exp(rng.uniform(np.log(40_000), np.log(20_000_000), len(DIAGNOSES)))  # what each diagnosis costs
    nights = np.where(usual > 2_000_000, 3, 0)
    place, what = rng.integers(len(providers), size=claims), rng.integers(len(DIAGNOSES), size=claims)
    dear = place < DEAR_PROVIDERS
    cost = (usual[what] * rng.lognormal(0, 0.4, claims) * np.where(dear, TIMES_DEARER, 1.0)).round(-2)
    arrived = [datetime(2026, 1, 1) + timedelta(minutes=int(m)) for m in rng.integers(180 * 1440, size=claims)]
    left = [
        a + timedelta(days=int(nights[w] * rng.uniform(0.5, 2)), hours=2) for a, w in zip(arrived, what, strict=True)
    ]
    covered = pl.Series(cost, dtype=pl.Float64)
    first = pl.Series(rng.random(claims) < 0.5)
    shows_paid = {"t_bhtt": True, "t_tongchi_bh": False, "either": first, "both": True}[amount]
    shows_total = {"t_bhtt": False, "t_tongchi_bh": True, "either": ~first, "both": True}[amount]
    known = pl.DataFrame(
        {
            "ma_cskcb": [providers[p] for p in place],
            "ma_lk": [f"C{n}" for n in range(claims)],
            "patient_id": [f"p{n}" for n in rng.integers(claims // 3, size=claims)],
            "ngay_vao": arrived,
            "ngay_ra": left,
            "ma_benh_chinh": [DIAGNOSES[w] for w in what],
            "ma_benh_kt": [None if n % 3 else "4019;2720" for n in range(claims)],
            "t_bhtt": covered * 0.8,
            "t_tongchi_bh": covered,
            "version": np.arange(1, claims + 1),
            "row_no": 1,
            "dear": dear,
        }
    ).with_columns(
        pl.when(shows_paid).then("t_bhtt"),
        pl.when(shows_total).then("t_tongchi_bh"),
        month=pl.col("ngay_ra").dt.year() * 100 + pl.col("ngay_ra").dt.month(),
    )
    wanted = columns("encounter")
    return known.select(
        "dear",
        *((pl.col(name) if name in known.columns else pl.lit(None)).cast(t).alias(name) for name, t in wanted.items()),
    )


def load(lake: Lake, tables: Mapping[str, pl.DataFrame], commit_id: str = "load-1") -> None:
    with lake.writer("test"):
        folder = lake.staging(commit_id)
        staged: dict[str, Sequence[Path]] = {}
        for name, frame in tables.items():
            path = folder / f"{name}.parquet"
            frame.select(columns(name).keys()).with_columns(load_id=pl.lit(commit_id)).write_parquet(path)
            staged[name] = [path]
        lake.commit("load", commit_id, staged, {})


@dataclass(frozen=True)
class World:
    lake: Lake
    bundle: Bundle
    rows: pl.DataFrame
    run: Run
    metrics: Mapping[str, float]

    def scores(self) -> pl.DataFrame:
        with self.lake.reader() as reader:
            return reader.pl("select * from claim_score where run_id = ?", [self.run.run_id]).join(
                self.rows.select("ma_cskcb", "ma_lk", "dear", paid=pl.coalesce("t_bhtt", "t_tongchi_bh")),
                on=["ma_cskcb", "ma_lk"],
            )


def world_of(home: Path, rows: pl.DataFrame, **lines: pl.DataFrame) -> World:
    lake = Lake(home / "lake", clock=now, memory="1GB")
    load(lake, {"encounter": rows, **lines})
    with lake.reader() as reader:
        trained = train(reader, seed=SEED)
    sha256 = trained.bundle.save(home / "bundle")
    bundle = Bundle.load(home / "bundle")
    with lake.writer("test"):
        run = run_scoring(lake, bundle, model_version=1, bundle_sha256=sha256)
    return World(lake, bundle, rows, run, trained.metrics)


@pytest.fixture(scope="module", params=AMOUNTS)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> World:
    return world_of(tmp_path_factory.mktemp(request.param), minimal(request.param))


def test_all_of_them_are_scored_and_nothing_is_infinite(world: World) -> None:
    scores = world.scores()
    assert scores.height == CLAIMS == world.run.encounters
    assert scores["score"].is_finite().all()
    assert scores["score"].is_between(0, 1).all()
    assert set(scores["status"]) == {"scored"}
    assert scores.filter(pl.col("amount_at_risk") > pl.col("paid")).is_empty()
    assert all(np.isfinite(value) for value in world.metrics.values())
    assert {name for name in world.metrics if name.startswith("under_p95")} <= {"under_p95_total", "under_p95_paid"}


def precision(scores: pl.DataFrame, by: str, k: int) -> float:
    first = scores.sort(by, "ma_cskcb", "ma_lk", descending=[True, False, False]).head(k)
    return float(first["dear"].sum()) / k


@pytest.mark.parametrize("k", [40, 80, 160])
def test_dear_for_their_diagnosis_stands_above_merely_dear(world: World, k: int) -> None:
    scores = world.scores()
    ours, money = precision(scores, "score", k), precision(scores, "paid", k)
    assert ours > 0.7
    assert ours > money + 0.2


def test_what_stood_aside_is_counted_and_named(world: World) -> None:
    counts = world.run.detector_runs
    assert {sum(of) for of in counts.values()} == {CLAIMS}
    assert counts["expected_cost@1"][0] > 100
    assert counts["expected_cost@1"][2] == 0
    assert counts["tails@1"] == counts["pca@1"] == [0, 0, CLAIMS]
    assert {sum(of) for of in world.run.rule_runs.values()} == {CLAIMS}
    # Of diagnoses and dates alone a rule can say one thing: two births on a card within half a year.
    assert {rule for rule, of in world.run.rule_runs.items() if of[0]} <= {"CARD-18@1"}
    assert sum(of[2] > 0 for of in world.run.rule_runs.values()) > 20
    for text in world.scores()["evidence"].head(50):
        entries = [entry for entry in json.loads(text) if entry["kind"] == "not_evaluable"]
        assert {entry["source"] for entry in entries} == {"tails@1", "pca@1", "indication@1", "rules"}
        assert {"drug_line", "service_line"} <= set(entries[-1]["fields"])


def test_a_sign_says_how_far_above_its_diagnosis_the_bill_lies(world: World) -> None:
    first = world.scores().sort("score", descending=True).row(0, named=True)
    sign = json.loads(first["evidence"])[0]
    assert sign["source"] in ("expected_cost:total@1", "expected_cost:paid@1")
    assert sign["observed"] > sign["expected"] > 0
    assert "icd3=" in sign["peer_group"]
    assert first["schemes"] == ["UPCODE_SERVICE"]
    assert first["reasons_vi"].startswith("Chi phí cả đợt")


def test_alone_in_a_batch_and_in_the_run_a_claim_scores_the_same(world: World) -> None:
    scores = world.scores().select(SCORED)
    asked = pl.concat([scores.sort("score", descending=True).head(3), scores.sample(3, seed=3)]).unique()
    keys = ["ma_cskcb", "ma_lk"]
    with world.lake.reader() as reader:
        rows = world.rows.select(columns("encounter").keys()).join(asked, on=keys, how="semi")
        money = {"expected_recoverable": pl.Float64}
        for batch in (rows.sample(fraction=1, shuffle=True, seed=4), *rows.iter_slices(1)):
            found = score_claims(world.bundle, reader, {"encounter": batch}).claims.select(SCORED)
            expected = scores.join(batch, on=keys, how="semi").sort(keys).cast(money)  # type: ignore[arg-type]
            assert found.sort(keys).to_dicts() == expected.to_dicts()


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Every tenth claim without a diagnosis, every tenth without an amount, some without dates or patient."""
    n = pl.int_range(pl.len())
    rows = minimal("both").with_columns(
        ma_benh_chinh=pl.when(n % 10 != 0).then("ma_benh_chinh"),
        t_bhtt=pl.when(n % 10 != 1).then("t_bhtt"),
        t_tongchi_bh=pl.when(n % 10 != 1).then("t_tongchi_bh"),
        patient_id=pl.when(n % 10 != 2).then("patient_id"),
        ngay_vao=pl.when(n % 10 != 3).then("ngay_vao"),
    )
    return world_of(tmp_path_factory.mktemp("damaged"), rows)


def test_a_claim_nobody_could_judge_says_why_and_keeps_its_place_by_the_bill(damaged: World) -> None:
    scores = damaged.scores()
    vague = scores.filter(pl.col("status") == "not_evaluable")
    assert vague.height == CLAIMS // 5 == damaged.run.detector_runs["expected_cost@1"][2]
    assert (vague["expected_recoverable"] == 0).all()
    undiagnosed = vague.filter(pl.col("ma_benh_chinh").is_null())
    assert undiagnosed.height == CLAIMS // 10
    assert set(undiagnosed["reasons_vi"].str.starts_with("Không đánh giá được: thiếu mã bệnh chính")) == {True}
    assert set(undiagnosed["reasons_en"].str.contains("MA_BENH_CHINH")) == {True}
    alone = undiagnosed.filter(~pl.col("evidence").str.contains('"standing"', literal=True))  # nothing inherited
    assert alone.height > CLAIMS // 100
    by_bill = alone.sort("paid", descending=True)
    assert by_bill["score"].is_sorted(descending=True)
    assert by_bill["score"][0] > by_bill["score"][-1] > 0
    penniless = vague.filter(pl.col("ma_benh_chinh").is_not_null())
    assert set(penniless["score"]) == {0.0}
    assert {"encounter.t_bhtt", "encounter.t_tongchi_bh"} <= {
        entry.get("field") for entry in json.loads(penniless["evidence"][0])
    }


@pytest.mark.parametrize("blank", [("ngay_vao", "ngay_ra", "month"), ("ma_benh_chinh", "ma_benh_kt"), ("t_bhtt",)])
def test_a_field_that_is_blank_on_every_claim_breaks_nothing(blank: tuple[str, ...], tmp_path: Path) -> None:
    types = columns("encounter")
    rows = minimal("t_bhtt", claims=1_000).with_columns(pl.lit(None, dtype=types[name]).alias(name) for name in blank)
    scored = world_of(tmp_path, rows)
    scores = scored.scores()
    assert scores.height == 1_000
    assert scores["score"].is_finite().all()
    assert {sum(counts) for counts in scored.run.detector_runs.values()} == {1_000}
    assert set(scores["status"]) == ({"scored"} if "month" in blank else {"not_evaluable"})


def of_its_own(rows: pl.DataFrame) -> pl.DataFrame:
    """`rows` without what claims inherit: more doctors and facilities to learn from move what is remarkable of them."""
    own = [
        json.dumps([entry for entry in json.loads(text) if entry["kind"] != "standing"], ensure_ascii=False)
        for text in rows["evidence"]
    ]
    return rows.with_columns(evidence=pl.Series(own, dtype=pl.String)).sort(rows.columns)


def test_claims_without_lines_are_judged_by_their_bill_and_change_nothing_for_the_others(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    with pipeline.lake.reader() as reader:
        full = {name: reader.pl(f"select {', '.join(columns(name))} from {name}") for name in LINED}
    bare = minimal("both", claims=1_500).with_columns(version=pl.col("version") + 1_000_000)
    rows = pl.concat([full.pop("encounter").with_columns(dear=pl.lit(None, dtype=pl.Boolean)), bare], how="diagonal")
    mixed = world_of(tmp_path, rows.select("dear", *columns("encounter")), **full)
    ordinary, without = (mixed.scores().filter(pl.col("dear").is_null() == lined) for lined in (True, False))
    assert not ordinary["evidence"].str.contains("expected_cost:(total|paid)").any()
    assert not without["evidence"].str.contains("expected_cost:(lab|imaging|drug|procedure|supply|bed)").any()
    assert without["evidence"].str.contains("expected_cost:total").sum() > 30
    assert mixed.run.detector_runs["tails@1"][2] == mixed.run.detector_runs["pca@1"][2] == without.height
    with pipeline.lake.reader() as reader:
        before = reader.pl("select ma_cskcb, ma_lk, amount_at_risk, expected_recoverable, evidence from claim_score")
    ordinary, before = (of_its_own(rows.select(before.columns)) for rows in (ordinary, before))
    assert ordinary.equals(before)


def test_a_model_that_never_saw_a_claim_without_lines_cannot_judge_one(pipeline: Pipeline) -> None:
    bundle = pipeline.registry.load(pipeline.version)
    with pipeline.lake.reader() as reader:
        found = score_claims(bundle, reader, {"encounter": minimal("both", claims=20).drop("dear")})
    assert set(found.claims["status"]) == {"not_evaluable"}
    assert {(run.hit, run.clear, run.not_evaluable) for run in found.detector_runs} == {(0, 0, 20)}
    assert "dòng thuốc, dịch vụ" in found.claims["reasons_vi"][0]


def test_a_model_of_bare_claims_stands_aside_from_the_lines_it_never_saw(pipeline: Pipeline, tmp_path: Path) -> None:
    bare = world_of(tmp_path, minimal("both", claims=1_500))
    with pipeline.lake.reader() as reader:
        found = score_tables(bare.bundle, reader.claim_tables())
    runs = {run.rule: run for run in found.detector_runs}
    assert runs["tails@1"].not_evaluable == runs["pca@1"].not_evaluable == found.claims.height
    assert "0 hồ sơ" in str(runs["tails@1"].reason)
    assert runs["expected_cost@1"].not_evaluable == 0  # nothing but whole bills was learned: they are judged by these
    assert set(found.claims["status"]) == {"scored"}


def test_a_blank_on_one_line_keeps_the_detectors_of_its_claim_aside(pipeline: Pipeline) -> None:
    bundle = pipeline.registry.load(pipeline.version)
    with pipeline.lake.reader() as reader:
        claims = {name: reader.pl(f"select {', '.join(columns(name))} from {name}") for name in LINED}
        blank = (pl.col("row_no") == 1) & (pl.int_range(pl.len()) % 3 == 0)
        lines = claims["service_line"].with_columns(thanh_tien_bh=pl.when(~blank).then("thanh_tien_bh"))
        found = score_claims(bundle, reader, {**claims, "service_line": lines})
    lacking = lines.filter(pl.col("thanh_tien_bh").is_null()).select("ma_cskcb", "ma_lk").unique()
    runs = {run.rule: run for run in found.detector_runs}
    assert 0 < lacking.height < found.claims.height
    assert runs["expected_cost@1"].not_evaluable == lacking.height
    assert runs["tails@1"].not_evaluable == 0
    told = found.claims.join(lacking, on=["ma_cskcb", "ma_lk"], how="semi")
    for row in told.iter_rows(named=True):
        entries = [entry for entry in json.loads(row["evidence"]) if entry["kind"] == "not_evaluable"]
        assert entries[0] == {
            "kind": "not_evaluable",
            "source": "expected_cost@1",
            "field": "service_line.thanh_tien_bh",
        }
        assert "expected_cost:" not in row["evidence"]
    untouched = found.claims.join(lacking, on=["ma_cskcb", "ma_lk"], how="anti")
    for evidence in untouched["evidence"]:
        aside = {entry["source"] for entry in json.loads(evidence) if entry["kind"] == "not_evaluable"}
        assert aside <= {"rules"}, "a rule may need a field that is seldom filled; the detectors do not"
