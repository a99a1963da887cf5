"""The command line as programs use it: one JSON object, the exit codes of the contract, clear refusals."""

from __future__ import annotations

import base64
import gzip
import json
import math
import os
import sqlite3
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from data.lake import Lake
from service.accounts import Scope
from service.cli import main
from service.reading import Level, Reading
from tests.lib.envelopes import claim
from tests.lib.envelopes import envelope as sent
from tests.lib.pipeline import KEY, Pipeline, now

ROOT = Path(__file__).resolve().parents[2]


def minhbach(home: Path, *arguments: str, stdin: bytes = b"", lang: str = "en") -> subprocess.CompletedProcess[bytes]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MINHBACH", "MLFLOW"))}
    return subprocess.run(
        [sys.executable, "-m", "service", *arguments],
        env={**clean, "MINHBACH_HOME": str(home), "MINHBACH_PSEUDONYM_KEY": KEY.decode(), "MINHBACH_LANG": lang},
        input=stdin,
        capture_output=True,
        check=False,
        cwd=ROOT,
        timeout=180,
    )


class Inside:
    """The command line in this process: as `minhbach`, without waiting for an interpreter to start."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, home: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        settings = {"MINHBACH_HOME": str(home), "MINHBACH_PSEUDONYM_KEY": KEY.decode(), "MINHBACH_LANG": "en"}
        for name, value in settings.items():
            self._monkeypatch.setenv(name, value)
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main(arguments)
        out, err = self._capsys.readouterr()
        code = left.value.code
        return subprocess.CompletedProcess(arguments, code if isinstance(code, int) else 1, out.encode(), err.encode())


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(monkeypatch, capsys)


def said(done: subprocess.CompletedProcess[bytes], code: int = 0) -> Any:
    assert done.returncode == code, done.stderr.decode()
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def envelope(pipeline: Pipeline) -> bytes:
    return min((pipeline.source / "xml").rglob("*.xml")).read_bytes()


@pytest.fixture(scope="module")
def home(pipeline: Pipeline) -> Path:
    """The small world's home: read by commands, changed by none here."""
    return pipeline.home


@pytest.mark.parametrize("command", ["", "ingest", "train", "score", "export", "users", "doctor", "serve", "demo"])
def test_help_comes_at_once_and_has_examples(tmp_path: Path, command: str) -> None:
    minhbach(tmp_path, *command.split(), "--help")  # bytecode and disk cache
    times = []
    for _ in range(3):
        started = time.perf_counter()
        done = minhbach(tmp_path, *command.split(), "--help")
        times.append(time.perf_counter() - started)
        assert done.returncode == 0
        assert "minhbach" in done.stdout.decode()
    assert min(times) < 0.5


def test_help_has_worked_examples(tmp_path: Path) -> None:
    assert "Ví dụ / Example" in minhbach(tmp_path, "ingest", "--help").stdout.decode()
    assert "minhbach explain --doctor 98001:" in minhbach(tmp_path, "explain", "--help").stdout.decode()


def test_a_wrong_option_is_exit_code_2(tmp_path: Path) -> None:
    assert minhbach(tmp_path, "score", "--nonsense").returncode == 2
    assert minhbach(tmp_path, "export", "claims", "x.csv").returncode == 2


def test_the_whole_way_by_commands(pipeline: Pipeline, tmp_path: Path) -> None:
    home = tmp_path / "home"
    loaded = said(minhbach(home, "catalogue", "load", str(pipeline.source / "catalogues"), "--json"))
    assert loaded["catalogues"]["facilities"] > 0
    report = said(minhbach(home, "ingest", str(pipeline.source / "xml"), "--json"))
    assert report["encounters_new"] == pipeline.load.encounters_new
    assert report["drug_lines"] == pipeline.load.drug_lines
    assert {"files", "files_skipped", "encounters_withdrawn", "quarantined", "seconds"} <= set(report)
    again = said(minhbach(home, "ingest", str(pipeline.source / "xml"), "--json"))
    assert (again["files"], again["files_skipped"]) == (0, report["files"])
    trained = said(minhbach(home, "train", "--json"))
    assert trained["version"] == 1
    assert trained["metrics"]["flagged_share"] == pytest.approx(0.02, abs=0.01)
    scored = said(minhbach(home, "score", "--json"))
    assert scored["encounters"] == report["encounters_new"]
    assert said(minhbach(home, "score", "--json"))["run_id"] == scored["run_id"]
    assert said(minhbach(home, "replay", scored["run_id"], "--json"))["equal"] is True
    quality = said(minhbach(home, "evaluate", "--truth", str(pipeline.source / "truth"), "--json"))
    assert [row["ranking"] for row in quality["rankings"]][:3] == ["minhbach", "rules alone", "rank by cost"]
    for level in ("claim", "line", "patient", "doctor", "facility"):
        out = tmp_path / f"{level}.parquet"
        assert said(minhbach(home, "export", level, str(out), "--json"))["rows"] > 0
        rows = pl.read_parquet(out)
        assert rows["rank"].to_list() == list(range(1, rows.height + 1))
        assert rows["score"].is_sorted(descending=True)
        assert {"entity_id", "flagged", "amount_at_risk", "schemes", "status", "reasons_vi", "evidence"} <= set(
            rows.columns
        )
    claims = pl.read_parquet(tmp_path / "claim.parquet")
    assert claims.height == report["encounters_new"]
    explained = said(minhbach(home, "explain", claims["entity_id"][0], "--json"))
    assert explained["rank"] == 1
    assert explained["evidence"]
    plan = said(minhbach(home, "worklist", "--hours", "2", "--json"))
    assert 0 < plan["minutes"] == sum(item["minutes"] for item in plan["items"]) <= 120
    assert len({item["pattern"] for item in plan["items"]}) == plan["claims"]
    each = said(minhbach(home, "worklist", "--claims", "20", "--each", "--json"))
    assert [item["claim_id"] for item in each["items"]] == claims["entity_id"][:20].to_list()
    assert (
        said(minhbach(home, "models", "promote", "1", "--by", "lan", "--reason", "đợt đầu", "--json"))["champion"] == 1
    )
    assert said(minhbach(home, "models", "history", "--json"))["history"][0]["reason"] == "đợt đầu"
    assert said(minhbach(home, "models", "at", "2999-01-01", "--json"))["aliases"]["champion"] == 1


def test_a_patient_is_exported_by_card_and_the_look_is_audited(pipeline: Pipeline, tmp_path: Path) -> None:
    import shutil

    home = tmp_path / "home"
    shutil.copytree(pipeline.home, home)
    out = tmp_path / "patients.csv"
    said(minhbach(home, "export", "patient", str(out), "--top", "5", "--json"))
    ids = pl.read_csv(out)["entity_id"].to_list()
    assert all(len(i) == 15 and i[:2].isalpha() for i in ids)
    with sqlite3.connect(home / "minhbach.db") as database:
        rows = database.execute("select action from audit_log where action = 'person.read'").fetchall()
    assert len(rows) == 1


def test_train_before_any_claim_says_what_to_do(inside: Inside, tmp_path: Path) -> None:
    done = inside(tmp_path, "train", "--json")
    assert said(done, 1)["error"] == "too_few_claims"
    assert "ingest" in done.stderr.decode()


def test_score_before_training_says_what_to_do(inside: Inside, tmp_path: Path) -> None:
    assert said(inside(tmp_path, "score", "--json"), 1)["error"] == "unknown_model"


def test_a_rule_is_shown_in_the_language_of_the_user_and_whole_as_json(inside: Inside, tmp_path: Path) -> None:
    found = json.loads(inside(tmp_path, "rules", "show", "BED-01", "--json").stdout)
    shown = inside(tmp_path, "rules", "show", "BED-01").stdout.decode()
    assert found["known_gaps_en"] in shown
    assert found["known_gaps_vi"] not in shown
    assert all(each["title_en"] in shown and each["title_vi"] not in shown for each in found["examples"])
    vietnamese = minhbach(tmp_path, "rules", "show", "BED-01", lang="vi").stdout.decode()
    assert found["known_gaps_vi"] in vietnamese
    assert found["known_gaps_en"] not in vietnamese


@pytest.mark.parametrize("level", ["doctor", "facility", "patient"])
def test_an_entity_is_explained_by_parts_that_add_up(inside: Inside, pipeline: Pipeline, level: Level) -> None:
    home = pipeline.home
    entity_id = Reading(pipeline.lake).entities(level, Scope()).rows[0].entity_id
    found = said(inside(home, "explain", f"--{level}", entity_id, "--json"))
    (evidence,) = found["evidence"]
    assert (found["level"], found["entity_id"], found["rank"]) == (level, entity_id, 1)
    assert round(sum(measure["contribution"] for measure in evidence["measures"]), 6) == evidence["log_odds"]
    assert found["score"] == pytest.approx(1 / (1 + math.exp(-evidence["log_odds"])))
    assert found["claims"][0]["share"] > 0
    shown = inside(home, "explain", f"--{level}", entity_id).stdout.decode()
    assert f"{entity_id} · " in shown
    assert all(sentence[1:] in shown for sentence in found["reasons_en"].split("; "))
    assert "What the score is made of" in shown
    assert ("Changes over time" in shown) == (level != "patient")
    vietnamese = inside(home, "explain", f"--{level}", entity_id, "--lang", "vi").stdout.decode()
    assert "Điểm gồm những phần nào" in vietnamese


@pytest.mark.parametrize(
    ("level", "written"), [("doctor", "MA_CSKCB:MA_BAC_SI"), ("facility", "MA_CSKCB"), ("patient", "pseudonym")]
)
def test_an_unknown_entity_is_named_with_how_to_write_it(inside: Inside, home: Path, level: str, written: str) -> None:
    done = inside(home, "explain", f"--{level}", "nobody", "--json")
    assert said(done, 1)["error"] == "unknown_entity"
    assert f"{level} nobody" in done.stderr.decode()
    assert written in done.stderr.decode()


@pytest.mark.parametrize("asked", [[], ["98001:A", "--facility", "98001"], ["--doctor", "a", "--patient", "b"]])
def test_one_thing_is_explained_at_a_time(inside: Inside, home: Path, asked: list[str]) -> None:
    done = inside(home, "explain", *asked)
    assert done.returncode == 2
    assert "--doctor, --facility, --patient" in done.stderr.decode()


def test_an_unknown_run_is_named(inside: Inside, home: Path) -> None:
    assert said(inside(home, "replay", "nothing", "--json"), 1)["error"] == "unknown_run"


def test_a_held_lock_is_exit_code_3(tmp_path: Path, envelope: bytes) -> None:
    path = tmp_path / "a.xml"
    path.write_bytes(envelope)
    with Lake(tmp_path / "lake", clock=now).writer("somebody"):
        done = minhbach(tmp_path, "ingest", str(path), "--json")
    assert said(done, 3)["error"] == "lake_locked"
    assert "somebody" in done.stderr.decode()
    assert said(minhbach(tmp_path, "ingest", str(path), "--json"))["encounters_new"] > 0


def test_standard_input_gzip_and_zip_are_one_file(tmp_path: Path, envelope: bytes) -> None:
    first = said(minhbach(tmp_path, "ingest", "-", "--json", stdin=envelope))
    assert first["encounters_new"] > 0
    (tmp_path / "same.xml.gz").write_bytes(gzip.compress(envelope))
    with zipfile.ZipFile(tmp_path / "same.zip", "w") as archive:
        archive.writestr("inside/same.xml", envelope)
    again = said(minhbach(tmp_path, "ingest", str(tmp_path / "same.xml.gz"), str(tmp_path / "same.zip"), "--json"))
    assert (again["files"], again["files_skipped"]) == (0, 2)


def nested(depth: int) -> bytes:
    return b"<GIAMDINHHS>" + b"<a>" * depth


def one_claim(**fields: str) -> bytes:
    base = {
        "MA_LK": "X1",
        "MA_THE_BHYT": "DN4980000000001",
        "NGAY_VAO": "202609010800",
        "NGAY_RA": "202609010900",
        "T_TONGCHI_BH": "100000",
        "T_BHTT": "80000",
        "MA_CSKCB": "98001",
        "MA_LOAI_KCB": "01",
    }
    row = "".join(f"<{k}>{v}</{k}>" for k, v in {**base, **fields}.items() if v)
    inner = base64.b64encode(f"<TONG_HOP>{row}</TONG_HOP>".encode()).decode()
    return (
        "<GIAMDINHHS><THONGTINDONVI><MACSKCB>98001</MACSKCB></THONGTINDONVI><THONGTINHOSO><SOLUONGHOSO>1</SOLUONGHOSO>"
        f"<DANHSACHHOSO><HOSO><FILEHOSO><LOAIHOSO>XML1</LOAIHOSO><NOIDUNGFILE>{inner}</NOIDUNGFILE></FILEHOSO></HOSO>"
        "</DANHSACHHOSO></THONGTINHOSO></GIAMDINHHS>"
    ).encode()


BAD = {
    "not_xml": b"MA_LK;T_BHTT\n1;2\n",
    "file_empty": b"",
    "truncated": one_claim()[:-30],
    "wrong_encoding": b'<?xml version="1.0" encoding="utf-8"?><GIAMDINHHS><A>\xff\xfe\xfa</A></GIAMDINHHS>',
    "unknown_root": b"<HOADON><MA>1</MA></HOADON>",
    "xml_dtd": b'<!DOCTYPE a [<!ENTITY b "bbbbbbbb">]>' + one_claim(),
    "missing_key": one_claim(MA_LK=""),
    "missing_date": one_claim(NGAY_RA=""),
    "absurd": one_claim(NGAY_VAO="999913450000"),
    "reversed": one_claim(NGAY_VAO="202609020800"),
    "negative": one_claim(T_BHTT="-80000"),
}


@pytest.mark.parametrize("kind", BAD)
def test_wrong_input_is_quarantined_with_words_and_changes_nothing_else(
    inside: Inside, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "bad.xml"
    path.write_bytes(BAD[kind])
    report = said(inside(tmp_path, "ingest", str(path), "--json"), 4)
    survives = kind == "truncated"  # the one HOSO before the break is whole
    assert report["encounters_new"] == (1 if survives else 0)
    assert report["quarantined"] >= 1
    listed = said(inside(tmp_path, "quarantine", "list", "--json"))
    assert listed["total"] >= 1
    row = listed["rows"][0]
    assert row["code"]
    assert row["hint_vi"]
    assert row["hint_en"]
    with Lake(tmp_path / "lake", clock=now).reader() as reader:
        assert reader.pl("select count(*) as n from encounter_history")["n"][0] == report["encounters_new"]


def test_refused_rows_are_given_out_whole_and_the_look_is_audited(inside: Inside, tmp_path: Path) -> None:
    bad = claim("A", NGAY_RA="x", HO_TEN="NGƯỜI BỊ TỪ CHỐI")
    (tmp_path / "bad.xml").write_text(sent(bad, claim("B")))
    said(inside(tmp_path, "ingest", str(tmp_path / "bad.xml"), "--json"), 4)
    listed = said(inside(tmp_path, "quarantine", "list", "--json"))
    assert "NGƯỜI" not in json.dumps(listed, ensure_ascii=False)
    out = tmp_path / "refused.jsonl"
    said(inside(tmp_path, "quarantine", "export", str(out), "--json"))
    (row,) = [json.loads(line) for line in out.read_text().splitlines()]
    assert (row["check_id"], json.loads(row["content"])["ho_ten"]) == (
        "XML1.NGAY_RA.unreadable_date",
        "NGƯỜI BỊ TỪ CHỐI",
    )
    with sqlite3.connect(tmp_path / "minhbach.db") as database:
        (seen,) = database.execute("select after from audit_log where action = 'person.read'").fetchall()
    assert json.loads(seen[0]) == {"table": "refused_row", "rows": 1, "file": "refused.jsonl"}


def test_200_mb_of_nesting_is_a_quarantined_file_not_a_dead_process(inside: Inside, tmp_path: Path) -> None:
    path = tmp_path / "deep.xml"
    path.write_bytes(nested(200 * 1024 * 1024 // 3))
    started = time.monotonic()
    report = said(inside(tmp_path, "ingest", str(path), "--json"), 4)
    assert report["encounters_new"] == 0
    assert time.monotonic() - started < 30


def test_a_bad_file_never_stops_its_neighbours(inside: Inside, tmp_path: Path, envelope: bytes) -> None:
    (tmp_path / "in").mkdir()
    for kind, content in BAD.items():
        (tmp_path / "in" / f"{kind}.xml").write_bytes(content)
    (tmp_path / "in" / "good.xml").write_bytes(envelope)
    report = said(inside(tmp_path, "ingest", str(tmp_path / "in"), "--json"), 4)
    assert report["encounters_new"] > 1
    assert report["quarantined"] >= len(BAD)


def test_a_catalogue_with_a_bad_date_names_column_row_and_value(inside: Inside, tmp_path: Path) -> None:
    (tmp_path / "facilities.csv").write_text("ma_cskcb,name,province,valid_from\n98001,BV,98,01/02/2024\n")
    done = inside(tmp_path, "catalogue", "load", str(tmp_path / "facilities.csv"), "--json")
    assert said(done, 1)["error"] == "bad_catalogue"
    assert "row 2, column valid_from: '01/02/2024'" in done.stderr.decode()


def test_accounts_have_no_built_in_password(inside: Inside, tmp_path: Path) -> None:
    first = said(inside(tmp_path, "users", "add", "lan", "--role", "assessor", "--province", "98", "--json"))
    second = said(inside(tmp_path, "users", "add", "minh", "--role", "lead", "--json"))
    assert len(first["one_time_password"]) >= 12
    assert first["one_time_password"] != second["one_time_password"]
    token = said(inside(tmp_path, "users", "token", "lan", "--json"))
    assert len(token["token"]) > 20
    assert said(inside(tmp_path, "users", "list", "--json"))["users"][0]["provinces"] == ["98"]


def test_config_masks_secrets(inside: Inside, tmp_path: Path) -> None:
    done = inside(tmp_path, "config", "--json")
    assert said(done)["home"] == str(tmp_path)
    assert KEY.decode() not in done.stdout.decode()


def test_doctor_says_what_is_missing(inside: Inside, home: Path, tmp_path: Path) -> None:
    checks = {c["check"]: c["ok"] for c in said(inside(tmp_path, "doctor", "--json"), 1)["checks"]}
    assert checks["models"] is False
    assert checks["lake"] is True
