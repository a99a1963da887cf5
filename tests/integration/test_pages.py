"""The pages over real stores, without a browser: who may see and do what, and what a form is not believed."""

import json
import re
from collections.abc import Iterator
from datetime import date
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from service.reading import ClaimFilters
from tests.lib.services import PASSWORD, SmallService, small_service


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallService]:
    service = small_service(tmp_path_factory.mktemp("pages"), claims=120, pages=True)
    yield service
    service.close()


def flagged(site: SmallService, place: int) -> tuple[str, str]:
    """Id and page of a flagged claim of lan's province; each test takes its own place in the list."""
    row = site.state.reading.worklist(site.state.accounts.get("lan").scope).rows[place]
    return row.claim_id, f"/claims/{row.ma_cskcb}/{row.ma_lk}"


def secret(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found
    return found[1]


def send(client: TestClient, path: str, **fields: str) -> int:
    return client.post(path, data=fields, follow_redirects=False).status_code


def test_without_a_session_every_page_leads_to_sign_in_and_back(site: SmallService) -> None:
    client = site.client()
    for path in ("/", "/audit", "/runs", "/models", "/rules", "/rules/BED-01", "/account", "/claims/98001/L000000"):
        answer = client.get(path, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in"), path
    answer = client.get("/?flagged=1", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (401, "/sign-in")
    page = client.get("/runs")  # follows to the form
    answer = client.post(
        "/sign-in", data={"csrf": secret(page.text), "name": "lan", "password": PASSWORD}, follow_redirects=False
    )
    assert answer.headers["location"] == "/runs"
    cookie = next(c for c in answer.headers.get_list("set-cookie") if c.startswith("minhbach_session="))
    assert "httponly" in cookie.lower()
    assert "samesite=lax" in cookie.lower()


def test_a_form_without_the_secret_changes_nothing(site: SmallService) -> None:
    claim_id, path = flagged(site, 0)
    client, csrf = site.signed_in("lan")
    assert send(client, path, act="take") == 403
    assert send(client, path, act="take", csrf="guessed") == 403
    assert send(client, "/sign-out", csrf="guessed") == 403
    assert site.state.cases.of_entity(claim_id) == []
    assert send(site.client(), "/sign-in", name="lan", password=PASSWORD) == 422
    assert send(client, path, act="take", csrf=csrf) == 303


def test_a_claim_of_another_province_does_not_exist(site: SmallService) -> None:
    _, path = flagged(site, 1)
    client, csrf = site.signed_in("minh")
    answer = client.get(path)
    assert answer.status_code == 404
    assert "ngoài phạm vi" in answer.text
    assert send(client, path, act="take", csrf=csrf) == 404
    assert client.get(path.replace("/claims/", "/evidence/")).status_code == 404


def test_who_does_not_hold_the_case_cannot_decide_whatever_the_form_says(site: SmallService) -> None:
    claim_id, path = flagged(site, 2)
    lan, csrf = site.signed_in("lan")
    assert send(lan, path, act="take", csrf=csrf) == 303
    auditor, other = site.signed_in("audit")
    assert 'class="form-check-input pick"' not in auditor.get(path).text
    fields = {"act": "decide", "pick": "service_line:1", "outcome:service_line:1": "refused"}
    fields |= {"amount:service_line:1": "1.000", "reason:service_line:1": "quantity"}
    assert send(auditor, path, csrf=other, **fields) == 403
    assert send(lan, path, csrf=csrf, **fields) == 303
    assert send(lan, path, csrf=csrf, act="conclude", note="tự kết luận") == 403
    (case,) = site.state.cases.of_entity(claim_id)
    (made,) = site.state.cases.decisions(case.id)
    assert (made.decided_by, made.amount_refused) == ("lan", 1000)
    assert (
        made.amount_before
        == site.state.reading.claim(site.state.accounts.get("hoa").scope, claim_id).lines[0].fields["t_bhtt"]
    )


def test_a_page_that_is_out_of_date_does_not_overwrite(site: SmallService) -> None:
    claim_id, path = flagged(site, 3)
    client, csrf = site.signed_in("lan")
    assert send(client, path, act="take", csrf=csrf) == 303
    seen = site.state.cases.of_entity(claim_id)[0].revision
    assert send(client, path, act="ask", note="Cần bổ sung y lệnh", csrf=csrf, revision=str(seen)) == 303
    answer = client.post(path, data={"act": "accept", "csrf": csrf, "revision": str(seen)})
    assert answer.status_code == 409
    assert "hãy tải lại trang" in answer.text


def test_what_people_write_is_shown_as_text(site: SmallService) -> None:
    _, path = flagged(site, 4)
    client, csrf = site.signed_in("lan")
    assert send(client, path, act="take", csrf=csrf) == 303
    assert send(client, path, act="ask", note="<script>alert(1)</script>", csrf=csrf) == 303
    page = client.get(path).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_nothing_on_a_page_needs_what_the_content_policy_forbids(site: SmallService) -> None:
    _, path = flagged(site, 0)
    client, _ = site.signed_in("hoa")
    for address in ("/", path, "/audit", "/runs", "/models", "/rules", "/rules/BED-01", "/account"):
        answer = client.get(address)
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|https?://", answer.text), address


def test_a_language_in_the_address_is_remembered_and_sends_nobody_elsewhere(site: SmallService) -> None:
    client, csrf = site.signed_in("hoa")
    assert '<html lang="en">' in client.get("/?lang=en").text
    assert '<html lang="en">' in client.get("/runs").text
    for back in ("//evil.example", "https://evil.example", "/\\evil.example"):
        answer = client.post("/language", data={"csrf": csrf, "lang": "vi", "back": back}, follow_redirects=False)
        assert answer.headers["location"] == "/"
    assert '<html lang="vi">' in client.get("/runs").text


def test_the_password_is_changed_by_who_knows_it_and_other_browsers_are_out(site: SmallService) -> None:
    service = site
    service.state.accounts.add_user("tam", role="assessor", actor="test", password=PASSWORD)
    here, csrf = service.signed_in("tam")
    elsewhere, _ = service.signed_in("tam")
    new = "một mật khẩu mới thật dài"
    wrong = here.post("/account", data={"csrf": csrf, "current": "sai", "new": new, "repeat": new})
    assert (wrong.status_code, 'id="current-error"' in wrong.text) == (422, True)
    differs = here.post("/account", data={"csrf": csrf, "current": PASSWORD, "new": new, "repeat": "khác"})
    assert (differs.status_code, 'id="repeat-error"' in differs.text) == (422, True)
    assert send(here, "/account", csrf=csrf, current=PASSWORD, new=new, repeat=new) == 303
    assert here.get("/account", follow_redirects=False).status_code == 200
    assert elsewhere.get("/account", follow_redirects=False).status_code == 303


def test_a_one_time_password_is_announced_on_every_page(site: SmallService) -> None:
    _, csrf = site.signed_in("admin")
    assert csrf
    site.state.accounts.add_user("moi", role="lead", actor="test", password=PASSWORD)
    once = site.state.accounts.issue_one_time_password("moi", actor="test")
    client = site.client()
    form = {"csrf": secret(client.get("/sign-in").text), "name": "moi", "password": once.password}
    page = client.post("/sign-in", data=form)
    assert "Hồ sơ cần xem xét" in page.text
    assert "Bạn đang dùng mật khẩu dùng một lần" in page.text


def test_evidence_is_a_file_with_everything_that_made_the_score(site: SmallService) -> None:
    claim_id, path = flagged(site, 0)
    client, _ = site.signed_in("lan")
    answer = client.get(path.replace("/claims/", "/evidence/"))
    assert answer.headers["content-disposition"].startswith('attachment; filename="evidence_98')
    content = json.loads(answer.content)
    assert (content["claim_id"], content["run_id"], content["model_version"]) == (claim_id, "run-1", 1)
    assert [item["source"] for item in content["evidence"]] == ["BED-01@1", "expected_cost@1"]


def test_the_trail_is_whole_for_overseers_and_ones_own_for_assessors(site: SmallService) -> None:
    hoa, _ = site.signed_in("hoa")
    lan, _ = site.signed_in("lan")
    assert "Nhật ký nguyên vẹn" in hoa.get("/audit").text
    assert "chain" not in lan.get("/audit?actor=hoa").text
    actors = set(re.findall(r'data-label="Người thực hiện">([^<]+)<', lan.get("/audit?actor=hoa").text))
    assert actors == {"lan"}
    assert "Không có mục nào" in hoa.get(f"/audit?about={quote('98001:none')}").text


def test_an_address_that_leads_nowhere_is_a_page_for_people_and_a_problem_for_programs(site: SmallService) -> None:
    client, _ = site.signed_in("lan")
    page = client.get("/no-such-page")
    assert (page.status_code, "Không tìm thấy" in page.text) == (404, True)
    problem = client.get("/api/v1/no-such-route")
    assert (problem.status_code, problem.headers["content-type"]) == (404, "application/problem+json")


def test_static_files_are_kept_by_hash_and_only_by_hash(site: SmallService) -> None:
    client = site.client()
    (address,) = re.findall(r'href="(/static/app\.css\?v=[0-9a-f]+)"', client.get("/sign-in").text)
    assert "immutable" in client.get(address).headers["cache-control"]
    assert client.get("/static/app.css").headers["cache-control"] == "no-cache"
    assert client.get("/static/../frame.py").status_code == 404


def test_only_the_table_is_sent_when_only_the_table_is_asked_for(site: SmallService) -> None:
    client, _ = site.signed_in("lan")
    part = client.get("/?flagged=1&status=new", headers={"HX-Request": "true"}).text
    assert part.lstrip().startswith('<div id="worklist">')
    assert "<html" not in part


def rows_of(page: str) -> list[str]:
    return re.findall(r'class="claim-link" href="/claims/([^"]+)"', page)


def test_claims_alike_are_one_row_and_none_is_out_of_reach(site: SmallService) -> None:
    client, _ = site.signed_in("lan")
    grouped, each = client.get("/?flagged=1").text, client.get("/?flagged=1&each=1").text
    assert len(rows_of(grouped)) < len(rows_of(each))
    assert f"{len(rows_of(grouped))} dòng thay cho {len(rows_of(each))} hồ sơ" in grouped
    assert "khả năng 0,62" in grouped
    reached: list[str] = []
    for address in re.findall(r'class="alike" href="([^"]+)"', grouped):
        alike = client.get(address.replace("&amp;", "&")).text
        assert "Các hồ sơ tương tự nhau" in alike
        assert "flagged=1" in alike  # the way back keeps the filters
        reached += rows_of(alike)
    assert set(rows_of(grouped)) | set(reached) == set(rows_of(each))


def test_who_looks_for_certain_claims_sees_each(site: SmallService) -> None:
    client, csrf = site.signed_in("minh")
    first, second = site.state.reading.worklist(
        site.state.accounts.get("minh").scope, ClaimFilters(pattern="99001-0")
    ).rows[:2]
    assert len(rows_of(client.get(f"/?text={second.ma_lk}").text)) == 1
    for row in (first, second):
        send(client, f"/claims/{row.ma_cskcb}/{row.ma_lk}", act="take", csrf=csrf)
    begun = rows_of(client.get("/?status=taken").text)
    assert {f"{row.ma_cskcb}/{row.ma_lk}" for row in (first, second)} <= set(begun)


def test_hours_cut_the_list_to_what_can_be_read(site: SmallService) -> None:
    client, _ = site.signed_in("lan")
    page = client.get("/?hours=0,5").text
    assert len(rows_of(page)) == 2  # 14.5 minutes each
    assert "Vừa 0,5 giờ (ước tính 0,5 giờ đọc)" in page
    assert "14,5 phút đọc" in page
    assert rows_of(client.get("/?hours=-1").text) == rows_of(client.get("/").text)


def test_the_claim_page_says_how_likely_and_how_many_are_alike(site: SmallService) -> None:
    client, _ = site.signed_in("hoa")
    row = site.state.reading.worklist(site.state.accounts.get("hoa").scope).rows[0]
    n = site.state.reading.claim(site.state.accounts.get("hoa").scope, row.claim_id).alike
    page = client.get(f"/claims/{row.ma_cskcb}/{row.ma_lk}").text
    assert re.search(r"<dt>Khả năng xác nhận</dt><dd[^>]*>0,62</dd>", page)
    assert "không phải kết luận" in page
    assert n > 0
    assert f'<a href="/?pattern={row.pattern}">{n} hồ sơ tương tự' in page


def test_the_rule_pages_count_and_name_only_what_the_reader_may_see(site: SmallService) -> None:
    reading, desk = site.state.reading, site.state.rule_desk
    foreign = reading.worklist(site.state.accounts.get("minh").scope).rows[0]
    own = reading.worklist(site.state.accounts.get("lan").scope).rows[0]
    for level, entity in (("facility", "99001"), ("claim", foreign.claim_id), ("patient", "p-of-nobody"),
                          ("facility", "98001"), ("claim", own.claim_id), ("patient", own.patient_id)):  # fmt: skip
        desk.ask_snooze("BED-01", level, entity or "", until=date(2026, 12, 31), by="hoa", reason="thử")  # type: ignore[arg-type]
    listed: dict[str, int] = {}
    for name in ("hoa", "lan", "minh"):
        scope = site.state.accounts.get(name).scope
        flagged = reading.worklist(scope).flagged
        client, _ = site.signed_in(name)
        row = re.search(
            r'href="/rules/BED-01">.*?<span class="strong">([0-9.]+)</span>', client.get("/rules").text, re.DOTALL
        )
        page = client.get("/rules/BED-01").text
        gauge = re.search(r'<dd class="num">([0-9.]+)</dd>', page)
        assert row
        assert gauge
        assert (row[1], gauge[1]) == (str(flagged), str(flagged))
        listed[name] = page.count("→ 31/12/2026")
        for entity in ("99001", foreign.claim_id):
            assert (f"{entity}:" in page) is scope.allows("99001")
        for entity in ("98001", own.claim_id):
            assert (f"{entity}:" in page) is scope.allows("98001")
    assert listed["hoa"] == 6
    assert listed["lan"] == 3
