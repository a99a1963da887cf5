"""`evaluate` on a real lake: what was learned from is said, what was not scored is counted, MLflow gets the figures."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from models.evaluate import evaluate_run, read_truth
from models.evaluation.reading import coverage, scored_claims, training_overlap
from models.evaluation.tracking import log
from models.scoring import chain
from service.commands.evaluate import show
from service.console import Console
from tests.lib.pipeline import Pipeline


@pytest.fixture(scope="module")
def result(pipeline: Pipeline) -> dict[str, Any]:
    linked = chain(pipeline.lake, pipeline.run.run_id)
    truth = pipeline.source / "truth"
    return evaluate_run(pipeline.lake, linked, truth, pipeline.registry.load(pipeline.version), seed=1, resamples=30)


def test_claims_the_model_learned_from_are_said(pipeline: Pipeline, result: dict[str, Any]) -> None:
    assert result["held_out"] is False
    assert result["in_training"] > 0.99
    assert result["claims"] == pipeline.run.encounters
    with pipeline.lake.reader() as reader:
        claims = scored_claims(reader, [pipeline.run.run_id])
    middle = claims["day"].sort()[claims.height // 2]
    late, early = claims.filter(pl.col("day") > middle), claims.filter(pl.col("day") <= middle)
    trained = {"snapshot": pipeline.run.snapshot, "since": None, "until": middle.isoformat()}
    assert training_overlap(pipeline.lake, trained, late)["held_out"] is True
    assert training_overlap(pipeline.lake, trained, early)["in_training"] == 1.0
    assert training_overlap(pipeline.lake, trained, claims)["in_training"] == pytest.approx(
        early.height / claims.height, abs=1e-4
    )
    assert training_overlap(pipeline.lake, {}, claims)["held_out"] is None
    assert training_overlap(pipeline.lake, {"snapshot": 10_000}, claims)["held_out"] is None


def test_true_claims_that_were_not_scored_are_counted_with_their_money(pipeline: Pipeline) -> None:
    truth = read_truth(pipeline.source / "truth")
    ghost = truth.head(1).with_columns(ma_lk=pl.lit("never sent"), improper_amount=pl.lit(7.0))
    with pipeline.lake.reader() as reader:
        claims = scored_claims(reader, [pipeline.run.run_id])
        missed = claims.sort("day").slice(100, 3)
        known = truth.join(missed, on=["ma_cskcb", "ma_lk"], how="semi")["improper_amount"].sum()
        found = coverage(
            reader,
            claims.join(missed, on=["ma_cskcb", "ma_lk"], how="anti"),
            pl.concat([truth, ghost]),
            since=None,
            until=None,
        )
        later = coverage(reader, claims, truth.head(5), since=date(2100, 1, 1), until=None)
    assert (found["not_scored"], found["not_scored_improper_amount"]) == (3, known)
    assert (found["not_stored"], found["not_stored_improper_amount"]) == (1, 7.0)
    assert found["without_truth"] == 0
    assert (later["not_scored"], later["without_truth"]) == (0, claims.height - 5)


def test_labels_are_marked_and_every_part_is_there(result: dict[str, Any]) -> None:
    labels = {row["ranking"]: row["labels"] for row in result["rankings"]}
    taught = {name for name, label in labels.items() if label}
    assert taught == {"gradient boosting, 2 % labels", "gradient boosting, all labels"}
    assert result["labels"]["split"] == "facilities"  # the run scored every month: none came before
    assert {level["level"] for level in result["entities"]} == {"facility", "doctor", "patient"}
    assert sum(row["claims"] for row in result["calibration"]["score"]["by_tenth"]) == result["claims"]
    assert set(result["gain"]["money_found"]) == set(labels)
    assert json.loads(json.dumps(result)) == result


def test_the_figures_go_to_the_run_that_trained_the_model(
    pipeline: Pipeline, result: dict[str, Any], tmp_path: Path
) -> None:
    from mlflow import MlflowClient

    uri = f"sqlite:///{pipeline.home / 'mlflow.db'}"
    run_id = log(uri, result)
    assert run_id == pipeline.registry.versions()[0].run_id
    client = MlflowClient(uri)
    ours = result["rankings"][0]["money_found_2%"]
    assert client.get_run(run_id).data.metrics["evaluate/minhbach/money_found_2pct"] == pytest.approx(ours)
    folder = Path(client.download_artifacts(run_id, f"evaluation/{result['run_id']}", str(tmp_path)))
    assert json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))["run_id"] == result["run_id"]
    assert (folder / "gain.svg").read_text(encoding="utf-8").startswith("<?xml")


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_people_are_told_that_figures_on_learned_claims_flatter(
    result: dict[str, Any], lang: str, capsys: pytest.CaptureFixture[str]
) -> None:
    show(Console(as_json=False, lang=lang), result)
    printed = capsys.readouterr().out
    warned, missed, verdict = {
        "vi": ("CHÚ Ý: 1.00 số hồ sơ này mô hình đã thấy khi học", "BỎ SÓT", "KHÔNG phải là xác suất"),
        "en": ("CAUTION: the model saw 1.00 of these claims", "MISSED", "NOT a probability"),
    }[lang]
    assert warned in printed
    assert (missed in printed) is any(row["missed"] for row in result["schemes"])
    assert (verdict in printed) is not result["calibration"]["score"]["calibrated"]
    for row in result["schemes"]:
        assert row["scheme"] in printed


def test_a_truth_folder_without_entities_measures_all_but_doctors(pipeline: Pipeline, tmp_path: Path) -> None:
    truth = pl.read_parquet(pipeline.source / "truth" / "claims.parquet")
    truth.drop("intensity", strict=False).write_parquet(tmp_path / "claims.parquet")
    linked = chain(pipeline.lake, pipeline.run.run_id)
    made = evaluate_run(pipeline.lake, linked, tmp_path, None, seed=1, learners=False, resamples=0)
    assert [level["level"] for level in made["entities"]] == ["facility", "patient"]
    assert made["schemes_by_intensity"] is None
    assert made["held_out"] is None
    said = " ".join(note["en"] for note in made["notes"])
    for word in ("entities.parquet", "intensity", "no learner"):
        assert word in said
