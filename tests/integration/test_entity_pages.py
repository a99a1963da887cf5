"""The page of a doctor and of a facility: who may see it, what it says of changes, in both languages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import polars as pl
import pytest

from data.lake import Lake
from models.changes import CHANGE, GROWTH, MONTH
from tests.lib import scored
from tests.lib.services import SmallService, small_service

GROWN: dict[str, Any] = dict.fromkeys(GROWTH) | {
    "growth": 30e6, "volume": -10e6, "mix": 5e6, "coding": 0.0, "price": 10e6, "residual": 25e6, "degree": "high",
    "text_vi": "chi phí bình quân tăng", "text_en": "average cost rose",
    "shocks_vi": ["01/07/2026: Lương cơ sở"], "shocks_en": ["01/07/2026: Base salary"],
}  # fmt: skip
ROSE: dict[str, Any] = dict.fromkeys(CHANGE) | {"text_vi": "từ tháng 3/2026, chi phí", "text_en": "from 03/2026 costs"}
MONTHS: list[dict[str, Any]] = [
    dict.fromkeys(MONTH) | {"month": f"2026-0{n}", "claims": 9.0, "level": n / 2, "peers": 1.0} for n in range(1, 6)
]

NOTHING: dict[str, Any] = dict.fromkeys(("scheme", "expected", "tail", "peers", "text_vi", "text_en"))
MEASURES: list[dict[str, Any]] = [
    NOTHING | {"measure": "size", "value": 2e6, "contribution": -1.5},
    NOTHING | {"measure": "signs", "value": 1e6, "contribution": 0.250001},
    NOTHING | {"measure": "above_expected", "value": 3e5, "peers": 12, "contribution": 0.1},
    NOTHING | {"measure": "admissions", "value": 0.4, "contribution": 2.0, "text_vi": "40% lượt", "text_en": "40% of"},
]
COST = {"observed": 2e6, "expected": 1.4e6, "excess": 5e5, "log_odds": 0.850001}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallService]:
    """Entities whose evidence tells of changes."""
    over_time = {"growth": GROWN, "changes": [ROSE], "months": MONTHS}
    told = json.dumps({**COST, "measures": MEASURES, **over_time}, ensure_ascii=False)
    plain = scored._entities  # pyright: ignore[reportPrivateUsage]

    def entities(claims: pl.DataFrame, run_id: str) -> pl.DataFrame:
        changed = (pl.col("level") != "patient") & (pl.col("entity_id") != "98002")
        rows = plain(claims, run_id)
        return rows.with_columns(evidence=pl.when(changed).then(pl.lit(told)).otherwise(pl.col("evidence")))

    folder = Path(tmp_path_factory.mktemp("entities"))
    with patch.object(scored, "_entities", entities):
        lake: Lake = scored.scored_lake(folder / "lake", 60)
    made = small_service(folder, lake=lake, pages=True)
    yield made
    made.close()


def test_a_facility_page_shows_growth_changes_and_months(service: SmallService) -> None:
    client, _ = service.signed_in("lan")
    page = client.get("/facilities/98001").text
    for said in (
        "Cơ sở", "Từ tháng 3/2026, chi phí.", "Chi phí bình quân tăng.", "Mức 2: cao", "Phần còn lại", "+25",
        "01/07/2026: Lương cơ sở", "không tính vào điểm", "05/2026", "/?facility=98001",
    ):  # fmt: skip
        assert said in page
    assert page.count('class="growth-part"') == 4
    assert page.count('class="growth-own"') == 1
    assert page.count("level-mark") == 5


def test_the_page_is_there_in_english_and_of_doctors_with_their_claims(service: SmallService) -> None:
    client, _ = service.signed_in("lan")
    doctor = next(iter(service.state.reading.entities("doctor", service.state.accounts.get("lan").scope).rows))
    page = client.get(f"/doctors/{doctor.entity_id}?lang=en").text
    for said in ("Doctor", "From 03/2026 costs.", "Degree 2: high", "Residual", "do not count in the score"):
        assert said in page
    assert f"text={doctor.entity_id.partition(':')[2]}" in page


def test_the_parts_of_the_score_are_there_as_they_are_kept(service: SmallService) -> None:
    client, _ = service.signed_in("lan")
    page = client.get("/facilities/98001").text
    for said in (
        "Quy mô: BHYT trả 2\xa0triệu\xa0₫", "-1,5", "+0,250001", "40% lượt", "+0,850001",
        "hồ sơ tương tự ở 12 cơ sở là 1,5\xa0triệu\xa0₫; chênh lệch +500.000\xa0₫",
    ):  # fmt: skip
        assert said in page
    assert "Size: 2\xa0m\xa0₫ paid" in client.get("/facilities/98001?lang=en").text
    assert 'id="h-parts"' not in client.get("/facilities/98002").text


def test_an_entity_without_changes_says_why(service: SmallService) -> None:
    client, _ = service.signed_in("hoa")
    page = client.get("/facilities/98002").text
    assert "Chưa so sánh được hai kỳ" in page
    assert "Chưa so sánh được: ít hồ sơ" in page


def test_who_may_not_see_an_entity_is_told_that_there_is_none(service: SmallService) -> None:
    client, _ = service.signed_in("minh")
    assert client.get("/facilities/98001").status_code == 404
    admin, _ = service.signed_in("admin")
    assert admin.get("/facilities/98001").status_code == 403


def test_the_claim_page_leads_there_and_the_api_gives_the_figures(service: SmallService) -> None:
    client, _ = service.signed_in("lan")
    row = service.state.reading.worklist(service.state.accounts.get("lan").scope).rows[0]
    assert f'href="/facilities/{row.ma_cskcb}"' in client.get(f"/claims/{row.ma_cskcb}/{row.ma_lk}").text
    given = service.client(token="lan").get("/api/v1/facilities/98001").json()
    assert given["evidence"][0]["growth"]["degree"] == "high"
    assert given["evidence"][0]["changes"][0]["text_en"] == "from 03/2026 costs"
