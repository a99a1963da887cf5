"""Training on outcomes: decisions of concluded cases and of a file reach the bundle, and what was learned is told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from models import scoring
from models.registry import Registry
from service.cli import main
from service.db.engine import Database
from tests.lib.pipeline import KEY, Pipeline
from tests.lib.relational import Office, refusal


def test_decisions_of_cases_and_of_a_file_teach_the_next_version(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    shutil.copytree(pipeline.home, home)
    for name, value in (("HOME", str(home)), ("PSEUDONYM_KEY", KEY.decode()), ("LANG", "en")):
        monkeypatch.setenv(f"MINHBACH_{name}", value)
    with pipeline.lake.reader() as reader:
        ranked = reader.pl("select ma_cskcb, ma_lk, evidence from claim_score where flagged order by score desc, ma_lk")
    database = Database(f"sqlite:///{home / 'minhbach.db'}")
    database.migrate()
    office = Office(database)
    lan, hoa = office.person("lan"), office.person("hoa", "lead")
    first, second = ranked.row(0, named=True), ranked.row(1, named=True)
    case = office.decided_case(lan, refusal(), ma_lk=first["ma_lk"], ma_cskcb=first["ma_cskcb"])
    office.cases.conclude(case.id, hoa, reason="đúng")
    office.decided_case(lan, refusal(), ma_lk=second["ma_lk"], ma_cskcb=second["ma_cskcb"])  # may still change
    labels = tmp_path / "quyet-dinh.csv"
    rest = ranked.slice(2).select("ma_cskcb", "ma_lk", line_table=pl.lit(""), row_no=pl.lit(""), confirmed=pl.lit(0))
    away = rest.head(1).with_columns(ma_lk=pl.lit("NOWHERE"))
    pl.concat([rest, away]).write_csv(labels)

    told: list[str] = []

    def said(*arguments: str) -> dict[str, Any]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main(arguments)
        assert left.value.code in (0, None)
        out, err = capsys.readouterr()
        told[:] = err.splitlines()
        return json.loads(out)

    monkeypatch.setattr(scoring, "CHUNK", 400)
    taught = said("train", "--outcomes", "--labels", str(labels), "--json")["outcomes"]
    assert [line for line in told if line.endswith(" …")] == [
        f"{step} …"
        for step in (
            "Reading claims", "Computing features", "Measuring on the last months", "Learning what is normal",
            "Running the rules", "Setting the review threshold", "Learning from assessors' decisions",
            "Setting the review threshold", "Learning what is usual of doctors, facilities, patients",
        )
    ]  # fmt: skip
    for step in ("Measuring on the last months", "Learning what is normal", "Running the rules", "Setting the review"):
        parts = [int(line.split()[-2]) for line in told if line.startswith(step) and line.endswith(" %")]
        assert 0 < parts[0] < parts[-1] == 100
    assert (taught["decisions"], taught["outside"]) == (ranked.height, 1)
    assert taught["claims"] == ranked.height - 1
    shown = said("models", "show", "challenger", "--json")
    assert shown["outcomes"] == taught
    assert shown["parameters"]["decisions"] == str(ranked.height)
    bundle = Registry(f"sqlite:///{home / 'mlflow.db'}", home).load(shown["version"])
    assert bundle.weights.learned == {each["name"]: each["learned"] for each in taught["sources"]}
    refused = {part["source"].split("@")[0] for part in json.loads(first["evidence"])}
    by_name = {each["name"]: each for each in taught["sources"]}
    assert {name for name, each in by_name.items() if each["confirmed"]} <= refused
    never = [each for each in by_name.values() if not each["confirmed"]]
    assert never
    assert all(each["learned"] < each["prior"] for each in never)
    assert said("train", "--json")["outcomes"] is None
