"""A large country is made region by region and its truth part by part: same claims, same numbers, little memory."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import polars as pl
import pytest

from data.synthetic import REGION, _regions, generate  # pyright: ignore[reportPrivateUsage]
from data.synthetic.world import MOST_NUMBERS, in_province


def digest(folder: Path) -> str:
    found = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        found.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return found.hexdigest()


def test_several_regions_and_parts_are_one_country(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data.synthetic.REGION", 150)
    whole = generate(tmp_path / "whole", encounters=800, months=2, seed=3)
    monkeypatch.setattr("data.synthetic.truth.PART", 130)
    parts = generate(tmp_path / "parts", encounters=800, months=2, seed=3)
    again = generate(tmp_path / "again", encounters=800, months=2, seed=3)
    assert whole == parts == again
    assert digest(tmp_path / "parts") == digest(tmp_path / "again")
    one, many = (pl.read_parquet(tmp_path / name / "truth" / "claims.parquet") for name in ("whole", "parts"))
    assert one.schema == many.schema
    assert one.equals(many)
    assert one.height == whole.encounters == 800
    assert one["is_fraud"].sum() == whole.improper_claims
    assert one.select("ma_cskcb", "ma_lk").is_unique().all()
    with (tmp_path / "parts" / "catalogues" / "facilities.csv").open(encoding="utf-8") as file:
        codes = [row["ma_cskcb"] for row in csv.DictReader(file)]
    assert len(codes) == len(set(codes)) > 3 * in_province(400)  # more than one region has
    assert all(len(code) == 5 for code in codes)
    with (tmp_path / "parts" / "catalogues" / "cards.csv").open(encoding="utf-8") as file:
        cards = [row["ma_the_bhyt"] for row in csv.DictReader(file)]
    assert len(cards) == len(set(cards))


def test_one_claim_more_than_the_parts_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data.synthetic.truth.PART", 50)
    for encounters in (49, 50, 51, 100):
        generate(tmp_path, encounters=encounters, months=1, seed=5)
        assert pl.read_parquet(tmp_path / "truth" / "claims.parquet").height == encounters


@pytest.mark.parametrize("monthly", [1, 4_000, REGION, REGION + 1, 60_000, 500_000, 3_000_000, 60_000_000])
def test_regions_are_small_while_facilities_have_numbers(monthly: int) -> None:
    shares = _regions(monthly * 12, 12)
    assert sum(shares) == monthly * 12
    assert max(shares) - min(shares) <= 1
    assert len(shares) * in_province(max(shares) / 12) <= MOST_NUMBERS
    if monthly <= 500_000:
        assert max(shares) / 12 <= REGION
