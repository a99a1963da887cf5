"""What a version learned from decisions: on the page of models in both languages, and by the API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lib.services import SmallService, small_service


def learned(name: str, level: str, prior: float, now: float, decisions: int) -> dict[str, Any]:
    return {
        "name": name, "level": level, "prior": prior, "learned": now, "decisions": decisions, "confirmed": decisions - 1
    }  # fmt: skip


COUNTS: dict[str, Any] = {
    "decisions": 40, "claims": 31, "outside": 2, "without_sign": 3, "confirmed": 21, "unnamed": 0.4,
}  # fmt: skip
SIGNS = [
    learned("BED-01", "warn", 0.5, 0.84, 12),
    learned("expected_cost:drug", "excess", 0.3, 0.21, 9),
    learned("indication:absent", "finding", 0.5, 0.46, 4),
    learned("GONE-01", "deny", 0.9, 0.88, 2),
    *(learned(f"OLD-{n:02}", "warn", 0.5, 0.49, 2) for n in range(20)),
]
TAUGHT = {**COUNTS, "levels": [learned("warn", "warn", 0.5, 0.55, 30)], "sources": SIGNS}
VAIN = {**COUNTS, "levels": [], "sources": []}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[SmallService]:
    """Version 1 is champion; no bundle is here yet."""
    made = small_service(tmp_path, claims=5, pages=True)
    yield made
    made.close()


def keep(service: SmallService, outcomes: dict[str, Any] | None) -> None:
    folder = service.state.registry.folder(1)
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps({"trained": {"outcomes": outcomes} if outcomes else {}}))


def shown(service: SmallService, lang: str = "vi") -> str:
    answer = service.signed_in("hoa")[0].get(f"/models?lang={lang}")
    assert answer.status_code == 200
    return answer.text


def test_the_page_shows_which_likelihoods_moved_and_from_what(service: SmallService) -> None:
    keep(service, TAUGHT)
    page = shown(service)
    for said in (
        "Phiên bản 1: học được gì từ quyết định", "champion", "Học từ 40 quyết định (21 xác nhận) về 31 hồ sơ đã xem.",
        "3 không về dấu hiệu nào, 2 về hồ sơ ngoài kỳ", 'href="/rules/BED-01"', "0,84", "Quy tắc xem xét",
        "Chi phí thuốc trên mức kỳ vọng", "GONE-01", "12 dấu hiệu khác", "nặng bằng 20 quyết định",
    ):  # fmt: skip
        assert said in page
    assert page.count('class="lesson-after"') == len(SIGNS) + 1
    assert 'x1="50.0" x2="50.0"' in page
    assert 'x1="84.0" x2="84.0"' in page
    assert " style=" not in page
    english = shown(service, "en")
    for said in ("Learned from 40 decisions", "0.84", "Rules that ask to look", "above expectation", "12 more signs"):
        assert said in english


@pytest.mark.parametrize(
    ("outcomes", "vi", "en"),
    [
        (None, "chưa học từ quyết định nào", "learned from no decision"),
        (VAIN, "Chưa học được gì từ 40 quyết định", "Nothing was learned from 40 decisions"),
    ],
)
def test_a_version_that_learned_nothing_says_so(
    service: SmallService, outcomes: dict[str, Any] | None, vi: str, en: str
) -> None:
    keep(service, outcomes)
    assert vi in shown(service)
    page = shown(service, "en")
    assert en in page
    assert "lesson-after" not in page


def test_a_version_whose_bundle_is_elsewhere_names_the_way_out(service: SmallService) -> None:
    assert "minhbach models sync" in shown(service)
    (given,) = service.client("hoa").get("/api/v1/models").json()["lessons"]
    assert given == {"version": 1, "aliases": ["champion"], "readable": False, "lessons": None}


def test_the_api_gives_the_figures_with_their_intervals(service: SmallService) -> None:
    keep(service, TAUGHT)
    (given,) = service.client("audit").get("/api/v1/models").json()["lessons"]
    assert given["readable"] is True
    lessons = given["lessons"]
    assert {name: lessons[name] for name in ("decisions", "claims", "outside")} == {
        "decisions": 40, "claims": 31, "outside": 2,
    }  # fmt: skip
    assert lessons["levels"][0]["learned"] == 0.55
    bed = lessons["sources"][0]
    assert (bed["name"], bed["level"], bed["prior"], bed["decisions"]) == ("BED-01", "warn", 0.5, 12)
    assert bed["interval"][0] < bed["learned"] < bed["interval"][1]
