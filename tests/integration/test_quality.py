"""Data quality as people and programs see it: the command, the pages, the API; each within its limits."""

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import openpyxl
import pytest

from service.cli import main
from tests.lib.faults import Drawn
from tests.lib.scored import FACILITIES, scored_lake
from tests.lib.services import SmallService, small_service

TIMES = "XML3.NGAY_TH_YL.date_without_time"
CODES = "XML1.MA_NGHE_NGHIEP.unknown_code"
LENGTH = "XML1.MA_DKBD.list_length"


def drawn_faults() -> Drawn:
    drawn = Drawn()
    for facility in FACILITIES:
        drawn.sent(facility, "2026-01-01", days=60, encounter=10, service_line=40)
        drawn.failed(facility, CODES, "2026-01-01", days=60, rows=5, claims=5)
    drawn.failed("98001", TIMES, "2026-01-31", days=30, rows=40, claims=10, value="<b>20260131</b>")
    drawn.failed("99001", TIMES, "2026-01-11", days=10, rows=20, claims=6)
    drawn.failed("98002", LENGTH, "2026-01-31", days=30, rows=10, claims=10)
    finding = {"check_id": "FILE.not_xml", "code": "not_xml", "severity": "quarantine", "file": "/incoming/a.xml"}
    drawn.findings.append(finding | {"hint_vi": "không phải XML", "hint_en": "not XML"})
    return drawn


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallService]:
    home = tmp_path_factory.mktemp("quality")
    lake = scored_lake(home / "lake", 20)
    drawn_faults().commit(lake, "load-faults")
    service = small_service(home, lake=lake, pages=True)
    yield service
    service.close()


def words(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


# pages


def test_a_page_lists_facilities_tickets_and_shared_faults_in_both_languages(site: SmallService) -> None:
    client, _ = site.signed_in("hoa")
    page = words(client.get("/quality").text)
    assert re.findall(r'<a class="claim-link" href="(/quality/[^"]+)"', page)[:2] == [
        f"/quality/98001#{TIMES}",
        f"/quality/99001#{TIMES}",
    ]
    assert re.findall(r'<a class="claim-link" href="/quality/(\d+)"', page)[:2] == ["98001", "99001"]
    for text in (
        "Phiếu lỗi phần mềm",
        "từ 31/01/2026",
        "100 % dòng",
        "4 trong 4 cơ sở",
        "1 phiếu về lỗi nhẹ",
        "a.xml",
    ):
        assert text in page
    assert "/incoming" not in page
    english = client.get("/quality?lang=en").text
    for text in ("Software tickets", "since 31/01/2026", "100% of rows", "4 of 4 facilities", "not XML"):
        assert text in english


def test_the_page_of_a_facility_has_its_letter_pictures_and_examples_that_lead_to_claims(site: SmallService) -> None:
    client, _ = site.signed_in("lan")
    page = client.get("/quality/98001").text
    assert "Kính gửi: Bệnh viện 98001 (98001)" in page
    assert "Từ ngày 31/01/2026 đến nay" in page
    assert "Cùng lỗi này có ở 1 cơ sở khác" in page
    assert 'href="/claims/98001/HS029"' in page
    assert "&lt;b&gt;20260131" in page
    assert "<b>2026" not in page
    assert page.count('class="trend-bar is-faulty"') > 3
    assert "lỗi chung" in page


def test_a_month_narrows_the_page_and_nonsense_does_not(site: SmallService) -> None:
    client, _ = site.signed_in("hoa")
    january = client.get("/quality/98001?month=202601").text
    assert '<option value="202601" selected>' in january
    assert ">1.550<" in january
    assert ">3.000<" in client.get("/quality/98001?month=99").text


def test_who_sees_one_province_sees_its_facilities_and_no_other(site: SmallService) -> None:
    client, _ = site.signed_in("lan")
    page = client.get("/quality").text
    assert "98001" in page
    assert "99001" not in page
    assert "a.xml" not in page
    hidden, unknown = client.get("/quality/99001"), client.get("/quality/12345")
    assert (hidden.status_code, unknown.status_code) == (404, 404)
    assert hidden.text.replace("99001", "12345") == unknown.text


def test_who_may_not_read_claims_sees_counts_and_no_examples(site: SmallService) -> None:
    client, _ = site.signed_in("admin")
    page = client.get("/quality/98001").text
    assert "300 hồ sơ" in page
    assert "HS029" not in page
    answer = client.get("/api/v1/quality/98001").json()
    assert [ticket["examples"] for ticket in answer["tickets"]] == [[]]
    assert {len(fault["examples"]) for fault in answer["faults"]} == {0}


def test_without_a_session_the_pages_lead_to_sign_in(site: SmallService) -> None:
    for path in ("/quality", "/quality/98001"):
        answer = site.client().get(path, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")


def test_pages_keep_to_the_content_policy_and_their_links_lead_somewhere(site: SmallService) -> None:
    client, _ = site.signed_in("hoa")
    for path in ("/quality", "/quality/98001", "/quality/98002"):
        page = client.get(path).text
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|https?://", page), path
        ids = set(re.findall(r'\bid="([^"]+)"', page))
        for anchor in re.findall(r'href="#([^"]+)"', page):
            assert unquote(anchor) in ids
        for href in set(re.findall(r'href="(/quality[^"#]*)', page)):
            assert client.get(href).status_code == 200, href


def test_nothing_loaded_is_said_and_not_an_error(tmp_path: Path) -> None:
    service = small_service(tmp_path, pages=True)
    client, _ = service.signed_in("hoa")
    assert "Chưa có hồ sơ nào được nạp" in client.get("/quality").text
    assert client.get("/api/v1/quality").json()["facilities"] == []
    service.close()


# API


def test_the_api_gives_the_same_within_the_same_limits(site: SmallService) -> None:
    whole = site.client("hoa").get("/api/v1/quality").json()
    assert [f["ma_cskcb"] for f in whole["facilities"]] == ["98001", "99001", "98002", "99002"]
    ticket = whole["tickets"][0]
    assert (ticket["ticket_id"], ticket["since"], ticket["open"], ticket["mask"]) == (
        f"98001:{TIMES}",
        "2026-01-31",
        True,
        "cell",
    )
    assert whole["facilities"][0]["score"] == 60.0
    assert [f["check_id"] for f in whole["shared"]] == [CODES]
    assert [f["code"] for f in whole["files"]] == ["not_xml"]
    own = site.client("lan").get("/api/v1/quality").json()
    assert [f["ma_cskcb"] for f in own["facilities"]] == ["98001", "98002"]
    assert own["files"] == []
    answer = site.client("lan").get("/api/v1/quality/99001")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_facility")
    one = site.client("may").get("/api/v1/quality/98001", params={"month": "202602"}).json()
    assert (one["facility"]["claims"], one["month"]) == (280, 202602)
    assert {f["check_id"]: f["shared"] for f in one["faults"]} == {TIMES: False, CODES: True}


def test_the_api_refuses_a_month_that_is_none_and_strangers(site: SmallService) -> None:
    assert site.client("hoa").get("/api/v1/quality", params={"month": "202613"}).status_code == 422
    assert site.client().get("/api/v1/quality").status_code == 401


# command


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    drawn_faults().commit(scored_lake(tmp_path / "lake", 20), "load-faults")
    monkeypatch.setenv("MINHBACH_HOME", str(tmp_path))
    return tmp_path


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["quality", *arguments])
    return int(ended.value.code or 0)


def test_the_command_shows_facilities_tickets_and_where_the_letters_are(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run() == 0
    shown = capsys.readouterr().out
    for text in ("4 cơ sở", "98001 Bệnh viện 98001", "3 phiếu lỗi phần mềm", "XML3.NGAY_TH_YL", "4 trong 4 cơ sở"):
        assert text in shown
    assert "minhbach quality --facility 98001" in shown
    assert run("--lang", "en", "--limit", "1") == 0
    limited = capsys.readouterr().out
    assert "4 facilities" in limited
    assert "99001" not in limited


def test_the_letter_of_a_facility_says_what_since_when_how_often_and_where(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--facility", "98001") == 0
    letter = words(capsys.readouterr().out).partition("Kính gửi")[2]
    for text in (
        "Bệnh viện 98001 (98001)",
        "trường NGAY_TH_YL (XML3)",
        "Từ ngày 31/01/2026 đến nay",
        "1.200 dòng trong 300 hồ sơ, bằng 100 %",
        "1. Hồ sơ HS029, dòng 1, ra viện 01/03/2026",
        "3. Hồ sơ HS027",
        "Trường cần sửa: XML3.NGAY_TH_YL",
        "không phải kết luận về chi phí",
    ):
        assert text in letter
    assert run("--facility", "99001", "--lang", "en") == 0
    mended = capsys.readouterr().out
    assert "From 11/01/2026 to 20/01/2026" in mended
    assert run("--facility", "12345") == 1
    assert "12345" in capsys.readouterr().err


def test_json_is_one_object(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--json", "--month", "202602") == 0
    value = json.loads(capsys.readouterr().out)
    assert value["month"] == 202602
    assert [t["ticket_id"] for t in value["tickets"]] == [f"98001:{TIMES}", f"98002:{LENGTH}"]
    assert run("--json", "--facility", "98001") == 0
    assert json.loads(capsys.readouterr().out)["facility"]["score"] == 60.0


def test_files_hold_no_formulas(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drawn = Drawn()
    drawn.failed("98001", "XML1.T_BHTT.identity", "2026-02-02", rows=3, claims=3, value="=1+1")
    from data.lake import Lake
    from tests.lib.services import NOW

    drawn.commit(Lake(home / "lake", clock=lambda: NOW, memory="512MB"), "load-formula")
    book, sheet = home / "out.xlsx", home / "out.csv"
    assert run("--facility", "98001", "--out", str(book)) == 0
    assert run("--out", str(sheet)) == 0
    assert run("--out", str(home / "out.txt")) == 2
    capsys.readouterr()
    opened = openpyxl.load_workbook(book)
    assert opened.sheetnames == ["faults", "tables", "tickets"]
    cells = [cell for row in opened["faults"].iter_rows() for cell in row]
    assert "HS000 #1 =1+1" in [cell.value for cell in cells]
    assert {cell.data_type for cell in cells} <= {"s", "n", "d", "b"}
    with sheet.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["ma_cskcb"] for row in rows] == ["98001", "99001", "98002", "99002"]


def test_a_month_that_is_none_is_wrong_usage(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--month", "202613") == 2
    assert "yyyymm" in capsys.readouterr().err
