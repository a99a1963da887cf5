"""An evaluation beside the model it is of: figures, JSON and picture in the MLflow run that trained the version."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from models.evaluation.picture import draw
from models.registry import MODEL

LOGGED = ("money_found_1%", "money_found_2%", "money_found_5%", "average_precision", "precision_at_100")


def log(tracking_uri: str, result: Mapping[str, Any]) -> str:
    """Log an evaluation's JSON object; returns the id of the MLflow run it went to.

    Figures are metrics `evaluate/<ranking>/<figure>`; `evaluation/<run>/` holds `evaluation.json` and `gain.svg`.
    Raises what MLflow raises when the version is not there.
    """
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri)
    run_id = str(client.get_model_version(MODEL, str(result["model_version"])).run_id)
    for name, value in metrics_of(result).items():
        client.log_metric(run_id, name, value)
    with tempfile.TemporaryDirectory() as folder:
        text = json.dumps(result, ensure_ascii=False, indent=1, default=str)
        (Path(folder) / "evaluation.json").write_text(text, encoding="utf-8")
        draw_result(Path(folder) / "gain.svg", result)
        client.log_artifacts(run_id, folder, f"evaluation/{result['run_id']}")
    return run_id


def metrics_of(result: Mapping[str, Any]) -> dict[str, float]:
    """The figures of an evaluation's JSON object that are worth comparing between versions, by names MLflow takes."""
    found: dict[str, float] = {}
    for row in result["rankings"]:
        for figure in LOGGED:
            if (value := row.get(figure)) is not None:
                found[f"evaluate/{_plain(row['ranking'])}/{_plain(figure)}"] = value
    over = result.get("over_best_baseline") or {}
    for end in ("ratio", "low", "high"):
        if over.get(end) is not None:
            found[f"evaluate/over_best_baseline/{end}"] = over[end]
    if (error := result["calibration"]["score"]["expected_calibration_error"]) is not None:
        found["evaluate/expected_calibration_error"] = error
    return found


def draw_result(path: Path, result: Mapping[str, Any], names: Mapping[str, str] | None = None) -> None:
    """The gain curve of an evaluation's JSON object."""
    gain: Mapping[str, Any] = result["gain"]
    found: Mapping[str, Sequence[float]] = gain["money_found"]
    draw(path, gain["claims_read"], found, labels={r["ranking"]: r["labels"] for r in result["rankings"]}, names=names)


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", name.replace("%", "pct")).strip("_")
