from __future__ import annotations

import base64
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from service.api.access import CSRF_HEADER
from service.api.app import create_app
from service.api.middleware import FORM_BYTES, HEADERS, LONG_BODIES
from service.api.routes.score import MOST_CLAIMS
from service.db.engine import Database
from service.problems import MEDIA_TYPE, preferred_language
from tests.lib.services import ACCOUNTS, NOW, SmallService, small_service

CLAIMS = 60
DATA_PATHS = (
    "/api/v1/claims",
    "/api/v1/claims/98001:L000000",
    "/api/v1/claims/98001:L000000/explanation",
    "/api/v1/doctors",
    "/api/v1/facilities",
    "/api/v1/patients",
    "/api/v1/cases",
    "/api/v1/runs",
    "/api/v1/runs/run-1",
    "/api/v1/models",
    "/api/v1/rules",
    "/metrics",
    "/openapi.json",
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallService]:
    made = small_service(tmp_path_factory.mktemp("service"), claims=CLAIMS)
    yield made
    made.close()


def claims_of(client: TestClient, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        answer = client.get("/api/v1/claims", params={"size": 7, **query, **({"cursor": cursor} if cursor else {})})
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        if (cursor := answer.json()["next_cursor"]) is None:
            return found


def first_free_claim(service: SmallService, province: str) -> str:
    """The best claim of a province that no test opened a case about yet."""
    opened = {case.entity_id for case in service.state.cases.find(service.state.accounts.get("hoa").scope, limit=500)}
    claims = claims_of(service.client("hoa"), province=province)
    return next(c["claim_id"] for c in claims if c["claim_id"] not in opened)


# who may come in


@pytest.mark.parametrize("path", DATA_PATHS)
def test_every_route_but_health_needs_an_account(service: SmallService, path: str) -> None:
    for client in (
        service.client(),
        TestClient(service.app, headers={"Authorization": "Bearer mb_nonsense"}),
        TestClient(service.app, cookies={"minhbach_session": "nonsense"}),
    ):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.headers["content-type"] == MEDIA_TYPE


def test_no_route_is_open_that_is_not_meant_to_be(service: SmallService) -> None:
    document = service.client("may").get("/openapi.json").json()
    assert len(document["paths"]) > 20
    for path, operations in document["paths"].items():
        for method in operations:
            answer = service.client().request(method, path.replace("{case_id}", "1").replace("{decision_id}", "1"))
            assert answer.status_code == (200 if path in ("/healthz", "/readyz") else 401), (method, path)


@pytest.mark.parametrize(
    ("name", "path", "status"),
    [
        ("admin", "/api/v1/claims", 403),
        ("admin", "/api/v1/cases", 403),
        ("admin", "/api/v1/runs", 200),
        ("may", "/api/v1/claims", 200),
        ("may", "/api/v1/cases", 403),
        ("may", "/metrics", 200),
        ("lan", "/metrics", 403),
        ("audit", "/api/v1/cases", 200),
        ("audit", "/api/v1/models", 200),
    ],
)
def test_roles_open_what_they_may(service: SmallService, name: str, path: str, status: int) -> None:
    assert service.client(name).get(path).status_code == status


def test_an_auditor_changes_nothing(service: SmallService) -> None:
    answer = service.client("audit").post("/api/v1/cases", json={"claim_id": first_free_claim(service, "98")})
    assert (answer.status_code, answer.json()["code"]) == (403, "not_permitted")


def test_a_disabled_account_and_a_revoked_token_are_out(service: SmallService) -> None:
    accounts = service.state.accounts
    accounts.add_user("tam", role="assessor", actor="test", provinces=("98",))
    first, second = service.client("tam"), service.client("tam")
    assert first.get("/api/v1/claims").status_code == 200
    accounts.revoke_token(accounts.tokens("tam")[0].id, actor="test")
    assert (first.get("/api/v1/claims").status_code, second.get("/api/v1/claims").status_code) == (401, 200)
    accounts.set_disabled("tam", disabled=True, actor="test", reason="left")
    assert second.get("/api/v1/claims").status_code == 401


def test_a_one_time_password_must_be_replaced_first(service: SmallService) -> None:
    accounts = service.state.accounts
    accounts.add_user("moi", role="assessor", actor="test", provinces=("98",))
    accounts.issue_one_time_password("moi", actor="test")
    client, _ = service.signed_in("moi")
    answer = client.get("/api/v1/claims")
    assert (answer.status_code, answer.json()["code"]) == (403, "password_change_needed")


# the area of an account


def test_an_assessor_never_sees_another_province(service: SmallService) -> None:
    lan, lead = service.client("lan"), service.client("hoa")
    everyone, own = claims_of(lead), claims_of(lan)
    assert len(everyone) == CLAIMS
    assert [c["claim_id"] for c in own] == [c["claim_id"] for c in everyone if c["province"] == "98"]
    assert claims_of(lan, province="99") == []
    foreign = next(c for c in everyone if c["province"] == "99")
    for path in (f"/api/v1/claims/{foreign['claim_id']}", f"/api/v1/claims/{foreign['claim_id']}/explanation"):
        hidden, missing = lan.get(path), lan.get(path.replace(foreign["ma_lk"], "L999999"))
        assert hidden.status_code == missing.status_code == 404
        assert hidden.json()["code"] == missing.json()["code"] == "unknown_claim"
        assert lead.get(path).status_code == 200
    assert lan.post("/api/v1/cases", json={"claim_id": foreign["claim_id"]}).status_code == 404
    assert lan.get("/api/v1/facilities/99001").status_code == 404
    assert {e["province"] for e in lan.get("/api/v1/doctors?size=500").json()["items"]} == {"98"}
    detail = lan.get(f"/api/v1/claims/{own[0]['claim_id']}").json()
    assert all(row["claim_id"][:2] == "98" for row in detail["history"])


def test_a_history_across_the_border_is_counted_and_not_shown(service: SmallService) -> None:
    lead, lan = service.client("hoa"), service.client("lan")
    for claim in claims_of(lan):
        whole = lead.get(f"/api/v1/claims/{claim['claim_id']}").json()
        part = lan.get(f"/api/v1/claims/{claim['claim_id']}").json()
        assert part["history_elsewhere"] == len(whole["history"]) - len(part["history"])
        if part["history_elsewhere"]:
            return
    pytest.fail("no patient of this lake crosses the border")


def test_a_case_of_another_province_is_closed_to_an_assessor(service: SmallService) -> None:
    claim_id = first_free_claim(service, "99")
    case = service.client("minh").post("/api/v1/cases", json={"claim_id": claim_id}).json()
    lan = service.client("lan")
    assert case["id"] not in {c["id"] for c in lan.get("/api/v1/cases?size=500").json()["items"]}
    assert lan.get(f"/api/v1/cases/{case['id']}").status_code == 403
    for act, body in (
        ("take", {}),
        ("release", {"reason": "x"}),
        ("decisions", {"lines": [{"outcome": "accepted", "reason": "x"}]}),
        ("conclude", {"reason": "x"}),
        ("reopen", {"reason": "x"}),
        ("notes", {"text": "x"}),
        ("ask-facility", {"question": "x"}),
        ("facility-answer", {"answer": "x"}),
        ("send-back", {"reason": "x"}),
    ):
        assert lan.post(f"/api/v1/cases/{case['id']}/{act}", json=body).status_code == 403, act


# browser sessions


def test_a_session_reads_freely_and_writes_only_with_its_secret(service: SmallService) -> None:
    client, csrf = service.signed_in("lan")
    claim_id = first_free_claim(service, "98")
    assert client.get("/api/v1/claims").status_code == 200
    for headers in ({}, {CSRF_HEADER: "wrong"}, {CSRF_HEADER: "sai lệch".encode()}):
        refused = client.post("/api/v1/cases", json={"claim_id": claim_id}, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (403, "bad_csrf")
    assert client.post("/api/v1/cases", json={"claim_id": claim_id}, headers={CSRF_HEADER: csrf}).status_code == 201


def test_one_sessions_secret_does_not_open_another(service: SmallService) -> None:
    client, _ = service.signed_in("lan")
    _, other = service.signed_in("lan")
    answer = client.post("/api/v1/cases/1/take", json={}, headers={CSRF_HEADER: other})
    assert answer.json()["code"] == "bad_csrf"


# the review workflow


def test_a_case_goes_from_flag_to_conclusion(service: SmallService) -> None:
    lan, lead, audit = service.client("lan"), service.client("hoa"), service.client("audit")
    claim_id = first_free_claim(service, "98")
    claim = lan.get(f"/api/v1/claims/{claim_id}").json()
    case = lan.post("/api/v1/cases", json={"claim_id": claim_id})
    assert case.status_code == 201
    assert case.json()["amount_at_risk"] == claim["row"]["amount_at_risk"]
    assert lan.post("/api/v1/cases", json={"claim_id": claim_id}).json()["id"] == case.json()["id"]
    at = f"/api/v1/cases/{case.json()['id']}"
    revision = lan.post(f"{at}/take", json={"revision": case.json()["revision"]}).json()["revision"]
    paid = next(line["fields"]["t_bhtt"] for line in claim["lines"] if line["line_table"] == "service_line")
    lines = [
        {
            "line_table": "service_line",
            "row_no": 1,
            "outcome": "refused",
            "amount_refused": paid,
            "reason": "quá ngày giường",
        },
        {"line_table": "drug_line", "row_no": 2, "outcome": "adjusted", "amount_refused": "0.50", "reason": "làm tròn"},
    ]
    decided = lan.post(f"{at}/decisions", json={"lines": lines, "revision": revision})
    assert decided.status_code == 200, decided.text
    assert [(d["amount_before"], d["amount_refused"]) for d in decided.json()["decisions"]] == [
        (paid, paid),
        (paid, 0.5),
    ]
    stale = lan.post(f"{at}/decisions", json={"lines": lines, "revision": revision})
    assert (stale.status_code, stale.json()["code"]) == (409, "case_changed")
    assert lan.post(f"{at}/conclude", json={"reason": "xong"}).status_code == 403  # who decided does not conclude
    assert lan.post(f"{at}/notes", json={"text": "đã gọi cơ sở"}).status_code == 200
    assert lead.post(f"{at}/conclude", json={"reason": "đồng ý"}).json()["status"] == "concluded"
    seen = audit.get(at).json()
    assert [act["action"] for act in seen["history"]] == [
        "case.concluded",
        "case.noted",
        "case.decided",
        "case.taken",
        "case.opened",
    ]
    assert [act["actor"] for act in seen["history"]] == ["hoa", "lan", "lan", "lan", "lan"]
    assert seen["evidence"] == claim["evidence"]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (
            {"line_table": "drug_line", "row_no": 9, "outcome": "refused", "amount_refused": 1, "reason": "x"},
            "bad_decision",
        ),
        ({"line_table": "drug_line", "outcome": "refused", "amount_refused": 1, "reason": "x"}, "bad_decision"),
        (
            {"line_table": "drug_line", "row_no": 1, "outcome": "refused", "amount_refused": 10**12, "reason": "x"},
            "bad_decision",
        ),
        (
            {"line_table": "drug_line", "row_no": 1, "outcome": "refused", "amount_refused": 0, "reason": "x"},
            "bad_decision",
        ),
        (
            {"line_table": "drug_line", "row_no": 1, "outcome": "refused", "amount_refused": 0.001, "reason": "x"},
            "invalid_request",
        ),
        (
            {"line_table": "drug_line", "row_no": 1, "outcome": "refused", "amount_refused": 1, "reason": ""},
            "invalid_request",
        ),
        ({"line_table": "paper", "row_no": 1, "outcome": "accepted", "reason": "x"}, "invalid_request"),
        (
            {"line_table": "drug_line", "row_no": 1, "outcome": "accepted", "reason": "x", "amount_before": 1},
            "invalid_request",
        ),
    ],
)
def test_a_decision_that_does_not_hold_together_is_refused(
    service: SmallService, line: dict[str, Any], code: str
) -> None:
    lan = service.client("lan")
    case = lan.post("/api/v1/cases", json={"claim_id": first_free_claim(service, "98")}).json()
    lan.post(f"/api/v1/cases/{case['id']}/take", json={})
    answer = lan.post(f"/api/v1/cases/{case['id']}/decisions", json={"lines": [line]})
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert lan.get(f"/api/v1/cases/{case['id']}").json()["decisions"] == []


def test_a_decision_is_undone_within_its_own_case_only(service: SmallService) -> None:
    lan = service.client("lan")
    cases = [
        lan.post("/api/v1/cases", json={"claim_id": first_free_claim(service, "98")}).json()["id"] for _ in range(2)
    ]
    for case in cases:
        lan.post(f"/api/v1/cases/{case}/take", json={})
    line = {"line_table": "drug_line", "row_no": 1, "outcome": "refused", "amount_refused": 5, "reason": "x"}
    decided = lan.post(f"/api/v1/cases/{cases[0]}/decisions", json={"lines": [line]}).json()["decisions"][0]
    assert lan.post(f"/api/v1/cases/{cases[1]}/decisions/{decided['id']}/undo", json={"reason": "x"}).status_code == 422
    undone = lan.post(f"/api/v1/cases/{cases[0]}/decisions/{decided['id']}/undo", json={"reason": "nhầm"})
    assert (undone.status_code, undone.json()["status"]) == (200, "taken")


def test_cases_page_by_cursor_and_filter_by_status(service: SmallService) -> None:
    lan = service.client("lan")
    for _ in range(3):
        lan.post("/api/v1/cases", json={"claim_id": first_free_claim(service, "98")})
    whole = [case["id"] for case in lan.get("/api/v1/cases?size=500").json()["items"]]
    seen: list[int] = []
    cursor = None
    while True:
        answer = lan.get("/api/v1/cases", params={"size": 2, **({"cursor": cursor} if cursor else {})}).json()
        seen += [case["id"] for case in answer["items"]]
        if (cursor := answer["next_cursor"]) is None:
            break
    assert seen == whole
    assert {c["status"] for c in lan.get("/api/v1/cases?status=new&size=500").json()["items"]} == {"new"}


# lists and details


def test_cursor_paging_keeps_to_its_run_and_refuses_forgeries(service: SmallService) -> None:
    lead = service.client("hoa")
    assert [claim["rank"] for claim in claims_of(lead)] == list(range(1, CLAIMS + 1))
    good = lead.get("/api/v1/claims?size=1").json()["next_cursor"]
    packed = [
        [],
        ["run-1", "high", "1", "a", "b"],
        ["run-1", 0.5, "NaN", "a", "b"],
        ["run-1", 0.5, "1 or 1=1", "a", "b"],
        ["run-1", 0.5, "1", "a", "b", "much"],
        ["run-1", 0.5, "1", "a", "b", 1.5, 2],
    ]
    forged = [base64.urlsafe_b64encode(json.dumps(values).encode()).decode() for values in packed]
    for cursor in ("x", "!!!!", good[:-3], *forged):
        answer = lead.get("/api/v1/claims", params={"cursor": cursor})
        assert (answer.status_code, answer.json()["code"]) == (422, "bad_cursor"), cursor
    elsewhere = base64.urlsafe_b64encode(json.dumps(["run-9", 0.5, "1", "a", "b"]).encode()).decode()
    assert lead.get("/api/v1/claims", params={"cursor": elsewhere}).json()["code"] == "unknown_run"


def test_claims_alike_are_one_row_when_asked_and_within_the_area(service: SmallService) -> None:
    for name in ("hoa", "lan"):
        client = service.client(name)
        every, grouped = claims_of(client), claims_of(client, one_per_pattern=True)
        assert {c["alike"] for c in every} == {None}
        assert len(grouped) < len(every) == len(grouped) + sum(c["alike"] for c in grouped)
        first = max(grouped, key=lambda c: c["alike"])
        alike = claims_of(client, pattern=first["pattern"])
        assert alike[0]["claim_id"] == first["claim_id"]
        expected = sum(c["expected_recoverable"] for c in alike[1:])
        assert (len(alike) - 1, pytest.approx(expected)) == (first["alike"], first["alike_recoverable"])
        explained = client.get(f"/api/v1/claims/{first['claim_id']}/explanation").json()
        assert (explained["pattern"], explained["likelihood"]) == (first["pattern"], first["likelihood"])
    foreign = max(claims_of(service.client("minh"), one_per_pattern=True), key=lambda c: c["alike"])
    assert claims_of(service.client("lan"), pattern=foreign["pattern"]) == []


def test_a_budget_is_kept_over_pages_of_a_cursor(service: SmallService) -> None:
    lead = service.client("hoa")
    plan = claims_of(lead, budget_hours=1, size=2)
    assert len(plan) > 2
    assert sum(c["minutes"] for c in plan) <= 60
    worth = [c["expected_recoverable"] / c["minutes"] for c in plan]
    assert worth == sorted(worth, reverse=True)
    assert claims_of(lead, budget_hours=1) == plan
    assert [c["rank"] for c in claims_of(lead, budget_claims=5, size=2)] == [1, 2, 3, 4, 5]
    for wrong in ({"budget_hours": 0}, {"budget_claims": 0}, {"budget_hours": "nan"}):
        assert lead.get("/api/v1/claims", params=wrong).status_code == 422
    of_another = lead.get("/api/v1/claims?size=1").json()["next_cursor"]
    answer = lead.get("/api/v1/claims", params={"budget_hours": 1, "cursor": of_another})
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_cursor")


def test_amounts_are_exact_numbers_and_reasons_come_in_both_languages(service: SmallService) -> None:
    top = claims_of(service.client("hoa"))[0]
    explained = service.client("hoa").get(f"/api/v1/claims/{top['claim_id']}/explanation").json()
    assert isinstance(top["amount_at_risk"], int | float)
    assert round(top["amount_at_risk"], 2) == top["amount_at_risk"]
    assert explained["rank"] == 1
    assert explained["reasons_vi"].startswith("Số ngày giường")
    assert explained["reasons_en"].startswith("More bed days")
    assert explained["evidence"][0]["legal_basis"] == "TT 39/2024"


def test_a_misspelt_filter_is_refused_not_ignored(service: SmallService) -> None:
    answer = service.client("hoa").get("/api/v1/claims?provnce=98&size=0")
    assert answer.status_code == 422
    assert {error["field"] for error in answer.json()["errors"]} == {"provnce", "size"}


def test_entities_and_runs_and_rules(service: SmallService) -> None:
    lead = service.client("hoa")
    doctors = lead.get("/api/v1/doctors?size=500").json()["items"]
    one = lead.get(f"/api/v1/doctors/{doctors[0]['entity_id']}").json()
    assert one["row"] == doctors[0]
    assert one["evidence"][0]["source"] == "roll_up@1"
    assert len(lead.get("/api/v1/patients?size=500").json()["items"]) == 21
    assert lead.get("/api/v1/runs").json()["items"][0]["run_id"] == "run-1"
    assert lead.get("/api/v1/runs/none").json()["code"] == "unknown_run"
    assert lead.get("/api/v1/models").json()["aliases"] == {"champion": 1}
    assert {"id", "version", "legal_basis"} <= set(lead.get("/api/v1/rules").json()["items"][0])


def test_the_board_of_a_province_is_not_that_of_the_country(service: SmallService) -> None:
    def figures(name: str) -> tuple[int, float, int]:
        board = service.client(name).get("/api/v1/rules/board").json()["items"]
        (bed,) = [each for each in board if each["rule"] == "BED-01@1"]
        return bed["claims"], bed["amount"], bed["facilities"]

    def flagged(name: str) -> list[dict[str, Any]]:
        return [claim for claim in claims_of(service.client(name)) if claim["flagged"]]

    whole, *parts = [figures(name) for name in ("hoa", "lan", "minh")]
    assert figures("lan") == parts[0]  # and again, after others asked
    for name, (claims, amount, facilities) in zip(("hoa", "lan", "minh"), (whole, *parts), strict=True):
        own = flagged(name)
        assert (claims, facilities) == (len(own), len({claim["ma_cskcb"] for claim in own}))
        assert amount == pytest.approx(sum(float(claim["amount_at_risk"]) for claim in own))
    assert all(0 < part[0] < whole[0] for part in parts)
    assert parts[0][1] != parts[1][1]


# scoring


def test_scoring_reads_xml_and_json(service: SmallService) -> None:
    may = service.client("may")
    xml = may.post("/api/v1/score", content=b"<a><HOSO/></a>", headers={"Content-Type": "text/xml; charset=utf-8"})
    assert (xml.status_code, xml.json()["claims"][0]["bytes"]) == (200, 14)
    claim = {"XML1": {"MA_CSKCB": "99001", "MA_LK": "a"}}
    assert len(may.post("/api/v1/score", json=claim).json()["claims"]) == 1
    assert len(may.post("/api/v1/score", json=[claim] * MOST_CLAIMS).json()["claims"]) == MOST_CLAIMS


@pytest.mark.parametrize(
    ("kind", "body", "status", "code"),
    [
        ("text/plain", b"x", 415, "unsupported_media_type"),
        ("", b"x", 415, "unsupported_media_type"),
        ("application/json", b"{", 422, "bad_claims"),
        ("application/json", b"[" * 100_000, 422, "bad_claims"),
        ("application/json", b"[]", 422, "bad_claims"),
        ("application/json", b"[1]", 422, "bad_claims"),
        ("application/json", b'"x"', 422, "bad_claims"),
        ("application/json", b"[" + b"{}," * MOST_CLAIMS + b"{}]", 413, "body_too_large"),
        ("application/xml", b"<HOSO >" * (MOST_CLAIMS + 1), 413, "body_too_large"),
    ],
)
def test_scoring_refuses_what_it_cannot_read(
    service: SmallService, kind: str, body: bytes, status: int, code: str
) -> None:
    answer = service.client("may").post("/api/v1/score", content=body, headers={"Content-Type": kind})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_an_assessor_scores_only_claims_of_the_own_area(service: SmallService) -> None:
    lan = service.client("lan")
    assert lan.post("/api/v1/score", json={"XML1": {"MA_CSKCB": "98001", "MA_LK": "a"}}).status_code == 200
    assert lan.post("/api/v1/score", json={"XML1": {"MA_CSKCB": "99001", "MA_LK": "a"}}).status_code == 403


# bounds, headers, problems


def test_long_bodies_are_refused_announced_or_not(service: SmallService) -> None:
    lan = service.client("lan")
    assert lan.post("/api/v1/cases", content=b" " * (FORM_BYTES + 1)).json()["code"] == "body_too_large"

    def pieces(total: int) -> Iterator[bytes]:
        yield from (b" " * FORM_BYTES for _ in range(total // FORM_BYTES + 1))

    assert lan.post("/api/v1/cases", content=pieces(FORM_BYTES)).status_code == 413
    long = service.client("may").post(
        "/api/v1/score", content=pieces(LONG_BODIES["/api/v1/score"]), headers={"Content-Type": "text/xml"}
    )
    assert long.status_code == 413
    packed = lan.post("/api/v1/cases", content=b"x", headers={"Content-Encoding": "gzip"})
    assert packed.json()["code"] == "unsupported_media_type"


@pytest.mark.parametrize("path", ["/healthz", "/api/v1/claims", "/nothing"])
def test_every_answer_has_the_safe_headers(service: SmallService, path: str) -> None:
    answer = service.client().get(path)
    assert {name: answer.headers[name] for name in HEADERS} == dict(HEADERS)
    assert answer.headers["cache-control"] == "no-store"
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert "strict-transport-security" not in answer.headers


@pytest.mark.parametrize(
    ("accept", "title"),
    [
        (None, "Không tìm thấy"),
        ("en-GB,en;q=0.9", "Not found"),
        ("fr, vi;q=0.3, en;q=0.2", "Không tìm thấy"),
        ("de", "Không tìm thấy"),
    ],
)
def test_problems_speak_the_readers_language(service: SmallService, accept: str | None, title: str) -> None:
    headers = {"Accept-Language": accept} if accept else {}
    answer = service.client("hoa").get("/api/v1/claims/98001:none", headers=headers)
    assert answer.headers["content-type"] == MEDIA_TYPE
    problem = answer.json()
    assert set(problem) == {"type", "title", "status", "detail", "instance", "code"}
    assert (problem["title"], problem["code"], problem["status"]) == (title, "unknown_claim", 404)
    assert problem["instance"] == "/api/v1/claims/98001:none"


@pytest.mark.parametrize(
    ("header", "lang"),
    [
        (None, "vi"),
        ("", "vi"),
        ("en", "en"),
        ("vi,en", "vi"),
        ("en,vi", "en"),
        ("en;q=x", "vi"),
        ("en;q=0,vi;q=0", "vi"),
    ],
)
def test_vietnamese_unless_english_is_preferred(header: str | None, lang: str) -> None:
    assert preferred_language(header) == lang


def test_unknown_addresses_and_methods_are_problems(service: SmallService) -> None:
    assert service.client("hoa").get("/api/v1/nothing").json()["code"] == "not_found"
    assert service.client("hoa").delete("/api/v1/runs").json()["code"] == "method_not_allowed"
    assert service.client("hoa").get("/api/v1/cases/abc").json()["code"] == "invalid_request"
    assert service.client("hoa").get(f"/api/v1/cases/{10**30}").json()["code"] == "unknown_case"


def test_a_fault_of_ours_is_logged_and_not_told(service: SmallService, caplog: pytest.LogCaptureFixture) -> None:
    app = create_app(service.state, pages=False)

    def broken() -> None:
        raise RuntimeError("the secret of the machine")

    app.add_api_route("/api/v1/broken", broken)
    with caplog.at_level(logging.ERROR, logger="service.api.middleware"):
        answer = TestClient(app).get("/api/v1/broken")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "secret" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "the secret of the machine" in caplog.text


# health and figures


def test_health_needs_no_account_and_tells_what_is_missing(service: SmallService, tmp_path: Path) -> None:
    assert service.client().get("/healthz").json()["status"] == "ok"
    ready = service.client().get("/readyz")
    assert (ready.status_code, ready.json()["checks"]) == (200, {"database": True, "lake": True, "model": True})
    empty = Database(f"sqlite:///{tmp_path / 'gone' / 'x.db'}")
    (tmp_path / "gone").rmdir()
    broken = TestClient(create_app(replace(service.state, scorer=None, database=empty), pages=False)).get("/readyz")
    assert (broken.status_code, broken.json()["checks"]) == (503, {"database": False, "lake": True, "model": False})
    empty.dispose()
    without = TestClient(
        create_app(replace(service.state, scorer=None), pages=False), headers=service.client("may").headers
    )
    answer = without.post("/api/v1/score", json={})
    assert (answer.status_code, answer.json()["code"]) == (503, "no_model")


def test_metrics_count_by_route_and_name_no_claim(service: SmallService) -> None:
    app = SmallService(service.state, create_app(service.state, pages=False))
    lead, may = app.client("hoa"), app.client("may")
    claim_id = claims_of(lead)[0]["claim_id"]
    for _ in range(3):
        lead.get(f"/api/v1/claims/{claim_id}")
    lead.get("/api/v1/claims/98001:none")
    lead.get("/nothing")
    text = may.get("/metrics").text
    assert 'minhbach_http_requests_total{method="GET",route="/api/v1/claims/{claim_id:path}",status="200"} 3.0' in text
    assert 'minhbach_http_requests_total{method="GET",route="/api/v1/claims/{claim_id:path}",status="404"} 1.0' in text
    assert 'route="other",status="404"' in text
    assert claim_id.split(":")[1] not in text
    run = service.state.reading.run()
    age = (NOW - NOW.fromisoformat(run.at)).total_seconds()
    assert f"minhbach_last_run_age_seconds {age}" in text


def test_openapi_says_how_to_sign_in_and_what_errors_look_like(service: SmallService) -> None:
    document = service.client("may").get("/openapi.json").json()
    score = document["paths"]["/api/v1/score"]["post"]
    assert set(score["requestBody"]["content"]) == {"application/xml", "application/json"}
    assert {"token", "session"} == set(document["components"]["securitySchemes"])
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert MEDIA_TYPE in operation["responses"]["default"]["content"], path
            assert bool(operation.get("security")) == (path not in ("/healthz", "/readyz"))
    assert document["paths"]["/api/v1/claims"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]


def test_accounts_of_the_tests_cover_every_role() -> None:
    assert {role for role, _ in ACCOUNTS.values()} == {"assessor", "lead", "auditor", "admin", "machine"}


def test_the_api_starts_without_slow_libraries() -> None:
    code = "import sys, service.api.app; print(sorted({'mlflow','sklearn','pyod','pandas','scipy'} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
