"""A claim sent to the API gets the score the nightly run gave it: as XML, as JSON, alone or with others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from starlette.testclient import TestClient

from data.lake import Lake
from data.xml130 import RawRecord, read_envelope
from models.entities import ranking_sql
from service.api import create_app
from service.bootstrap import App
from service.settings import load_settings
from tests.lib.pipeline import KEY, Pipeline, now, score

COMPARED = ("score", "flagged", "amount_at_risk", "expected_recoverable", "schemes", "reasons_vi", "reasons_en")


@pytest.fixture(scope="module")
def records(pipeline: Pipeline) -> dict[tuple[str, str], RawRecord]:
    """The newest sending of every claim of the small world, by key."""
    found: dict[tuple[str, str], RawRecord] = {}
    for path in sorted((pipeline.source / "xml").rglob("*.xml")):
        with path.open("rb") as file:
            for item in read_envelope(file):
                assert isinstance(item, RawRecord)
                head = item.tables["XML1"][0]
                found[str(head["ma_cskcb"]), str(head["ma_lk"])] = item
    return found


@pytest.fixture(scope="module")
def client(pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    settings = load_settings(
        home=pipeline.home,
        database_url=f"sqlite:///{tmp_path_factory.mktemp('api') / 'minhbach.db'}",
        pseudonym_key=KEY.decode(),
    )
    app = App(settings, clock=now)
    app.accounts.add_user("may", role="machine", actor="test")
    _, token = app.accounts.create_token("may", label="test", days=1, actor="test")
    yield TestClient(create_app(app.state()), headers={"Authorization": f"Bearer {token}"})
    app.database.dispose()


@pytest.fixture(scope="module")
def nightly(pipeline: Pipeline) -> dict[tuple[str, str], dict[str, Any]]:
    with pipeline.lake.reader() as reader:
        rows = reader.pl(f"select * from ({ranking_sql([pipeline.run.run_id])})")
    money = {"amount_at_risk": pl.Float64, "expected_recoverable": pl.Float64}
    return {(row["ma_cskcb"], row["ma_lk"]): row for row in rows.cast(money).iter_rows(named=True)}


def of_interest(nightly: dict[tuple[str, str], dict[str, Any]]) -> list[tuple[str, str]]:
    """The ten strangest, and ten in the middle."""
    order = sorted(nightly, key=lambda key: (-nightly[key]["score"], key))
    return [*order[:10], *order[700:710]]


def envelope(*chosen: RawRecord) -> bytes:
    def table(rows: list[dict[str, str | None]], tag: str) -> str:
        from xml.sax.saxutils import escape

        cells = ("".join(f"<{k.upper()}>{escape(v or '')}</{k.upper()}>" for k, v in row.items()) for row in rows)
        return "".join(f"<{tag}>{row}</{tag}>" for row in cells)

    tags = {"XML1": "TONG_HOP", "XML2": "CHI_TIET_THUOC", "XML3": "CHI_TIET_DVKT", "XML4": "CHI_TIET_CLS"}
    files = (
        "<HOSO>"
        + "".join(
            f"<FILEHOSO><LOAIHOSO>{name}</LOAIHOSO><NOIDUNGFILE><DS>{table(record.tables[name], tag)}</DS>"
            "</NOIDUNGFILE></FILEHOSO>"
            for name, tag in tags.items()
            if name in record.tables
        )
        + "</HOSO>"
        for record in chosen
    )
    head = f"<GIAMDINHHS><THONGTINDONVI><MACSKCB>{chosen[0].facility}</MACSKCB></THONGTINDONVI><THONGTINHOSO>"
    body = "".join(files)
    return f"{head}<DANHSACHHOSO>{body}</DANHSACHHOSO></THONGTINHOSO></GIAMDINHHS>".encode()


def same(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert {name: found[name] for name in COMPARED} == {name: wanted[name] for name in COMPARED}


def claims_of(answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    return answer.json()["claims"]


def test_as_xml_alone(client: TestClient, records: Any, nightly: Any) -> None:
    for key in of_interest(nightly)[::4]:
        sent = client.post("/api/v1/score", content=envelope(records[key]), headers={"Content-Type": "application/xml"})
        [found] = claims_of(sent)
        same(found, nightly[key])


def test_as_xml_together_and_in_another_order(client: TestClient, records: Any, nightly: Any) -> None:
    keys = of_interest(nightly)[::-1]
    sent = client.post(
        "/api/v1/score",
        content=envelope(*(records[key] for key in keys)),
        headers={"Content-Type": "application/xml"},
    )
    found = claims_of(sent)
    assert [(row["ma_cskcb"], row["ma_lk"]) for row in found] == keys
    for row, key in zip(found, keys, strict=True):
        same(row, nightly[key])


def test_as_json(client: TestClient, records: Any, nightly: Any) -> None:
    keys = of_interest(nightly)[:5]
    answer = client.post("/api/v1/score", json=[records[key].tables for key in keys])
    for row, key in zip(claims_of(answer), keys, strict=True):
        same(row, nightly[key])


def test_an_unreadable_claim_is_refused_by_field(client: TestClient, records: Any, nightly: Any) -> None:
    record = records[of_interest(nightly)[0]]
    head = {**record.tables["XML1"][0], "t_bhtt": "nhiều"}
    answer = client.post("/api/v1/score", json=[{"XML1": [head]}])
    assert answer.status_code == 422
    assert answer.json()["code"] == "bad_claims"
    assert "t_bhtt" in answer.json()["detail"]


def test_a_claim_sent_twice_in_one_request_is_refused_by_name(client: TestClient, records: Any, nightly: Any) -> None:
    first, second = of_interest(nightly)[:2]
    body = [records[key].tables for key in (first, second, first)]
    answer = client.post("/api/v1/score", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_claims")
    assert ":".join(first) in answer.json()["detail"]


def test_scoring_stores_nothing(client: TestClient, pipeline: Pipeline, records: Any, nightly: Any) -> None:
    before = Lake(pipeline.lake.root, clock=now).snapshot()
    claims_of(client.post("/api/v1/score", json=[records[of_interest(nightly)[0]].tables]))
    assert Lake(pipeline.lake.root, clock=now).snapshot() == before
    assert score(pipeline.lake, pipeline.registry, pipeline.version).run_id == pipeline.run.run_id


def test_before_any_training_the_api_says_so(tmp_path: Path) -> None:
    app = App(load_settings(home=tmp_path, pseudonym_key=KEY.decode()), clock=now)
    app.accounts.add_user("may", role="machine", actor="test")
    _, token = app.accounts.create_token("may", label="test", days=1, actor="test")
    client = TestClient(create_app(app.state()), headers={"Authorization": f"Bearer {token}"})
    row = {"MA_LK": "1", "MA_CSKCB": "98001", "NGAY_VAO": "202609010800", "NGAY_RA": "202609010900", "T_BHTT": "1"}
    answer = client.post("/api/v1/score", json=[{"XML1": [row]}])
    assert answer.json()["code"] == "unknown_model"
    assert answer.headers["content-type"].startswith("application/problem+json")
    app.database.dispose()
