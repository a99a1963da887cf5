"""Rules on machines, groups, prices and uniform care of a facility: company, order, and slow twins."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from detectors.base import Rule
from detectors.examples import Engine, Row, drug, exam, service, tables_of, visit
from detectors.fingerprints import PRINT, code_sets
from detectors.rulebook import run_rules
from detectors.rules import groups, holidays, machine_load, price_turns, tender_quantity, uniform

MODULES = (groups, holidays, machine_load, price_turns, tender_quantity, uniform)
RULES = {each.id: each for module in MODULES for each in vars(module).values() if isinstance(each, Rule)}
ENGINES: tuple[Engine, ...] = ("polars", "duckdb")
Moment = datetime.fromisoformat


def _named(rule_id: str, *claim: Row, engine: Engine = "polars") -> list[str]:
    """MA_LK of the encounters the rule names."""
    return sorted(set(run_rules(tables_of(claim, engine=engine), [RULES[rule_id]]).hits["ma_lk"]))


def _sales(seed: int) -> tuple[Row, ...]:
    """A drug sold at one of three prices, now and then, at two facilities over three months."""
    rng = np.random.default_rng(seed)
    told: list[Row] = []
    for number in range(120):
        at = Moment("2025-01-06 08:00") + timedelta(minutes=int(rng.integers(0, 90 * 24 * 60)))
        told.append(visit(at.isoformat(" "), patient_id=f"W{number}", ma_cskcb=f"0100{int(rng.integers(1, 3))}"))
        price = int(rng.choice([800, 1000, 1200], p=[0.15, 0.7, 0.15]))
        told.append(drug(don_gia=price, ham_luong="5mg", so_dang_ky="VD-1", tt_thau="1/QĐ;G1;N1"))
    return tuple(told)


def _twin_of_prices(claim: tuple[Row, ...]) -> list[str]:
    """Every line beside all before it: which are dearer than the price after the last fall, if that is fresh."""
    rows = tables_of(claim).drug_line.to_native().collect().sort("ngay_th_yl", "ma_lk").rows(named=True)
    named: list[str] = []
    for facility in ("01001", "01002"):
        own = [(r["ngay_th_yl"], float(r["don_gia"]), r["ma_lk"]) for r in rows if r["ma_cskcb"] == facility]
        for place, (at, price, link) in enumerate(own):
            falls = [n for n in range(1, place + 1) if own[n - 1][1] > own[n][1] + 1]
            if not falls:
                continue
            before, low = own[falls[-1] - 1], own[falls[-1]][1]
            if low + 1 < price <= before[1] + 1 and at - before[0] <= timedelta(days=30):
                named.append(link)
    return sorted(named)


@pytest.mark.parametrize("seed", range(4))
def test_prices_turn_back_as_told_slowly(seed: int) -> None:
    claim = _sales(seed)
    assert _named("DRG-32", *claim) == _twin_of_prices(claim) != []


def _callers(seed: int) -> tuple[Row, ...]:
    """Patients with one of two phones who come now and then, often more than once."""
    rng = np.random.default_rng(seed)
    told: list[Row] = []
    for _ in range(90):
        at = Moment("2025-01-06 08:00") + timedelta(minutes=int(rng.integers(0, 90 * 24 * 12)) * 5)
        who = f"W{int(rng.integers(0, 20))}"
        told += [visit(at.isoformat(" "), patient_id=who, phone_id=f"T{int(rng.integers(0, 2))}"), exam()]
    return tuple(told)


def _twin_of_phones(claim: tuple[Row, ...]) -> list[str]:
    rows = tables_of(claim).encounter.to_native().collect().sort("ngay_vao", "ma_lk").rows(named=True)
    named: list[str] = []
    for place, judged in enumerate(rows):
        since = judged["ngay_vao"].date() - timedelta(days=30)
        seen = {
            r["patient_id"]
            for r in rows[: place + 1]
            if r["phone_id"] == judged["phone_id"] and r["ngay_vao"].date() >= since
        }
        if len(seen) > 6:
            named.append(judged["ma_lk"])
    return sorted(named)


@pytest.mark.parametrize("seed", range(4))
def test_patients_of_a_phone_are_counted_as_told_slowly(seed: int) -> None:
    claim = _callers(seed)
    assert _named("CARD-15", *claim) == _twin_of_phones(claim) != []


@pytest.mark.parametrize("engine", ENGINES)
def test_sets_are_equal_when_their_codes_are(engine: Engine) -> None:
    """Order and repeats do not count; sets of equal sums of places are told apart."""
    written = {"A": "1 4", "B": "2 3", "C": "4 1 1", "D": "1 2 3 4", "E": "4 3 2 1", "F": "1", "G": "1 4 5"}
    claim: list[Row] = []
    for name, codes in written.items():
        claim.append(visit(ma_lk=name))
        claim += [service(ma_dich_vu=code) for code in codes.split()]
    lines = tables_of(claim, engine=engine).service_line
    told = code_sets(lines, of="ma_dich_vu", by=["ma_lk"]).collect("polars").to_native()
    alike = told.group_by(PRINT).agg(pl.col("ma_lk").sort().str.join()).get_column("ma_lk").sort().to_list()
    assert alike == ["AC", "B", "DE", "F", "G"]


def test_of_two_studies_at_once_the_later_claim_number_is_the_later() -> None:
    both = [
        row
        for name in ("P2", "P1")
        for row in (
            visit(patient_id=name),
            service(
                ma_nhom=2,
                ma_may="SA.1.01001.001",
                ngay_th_yl="2025-03-10 09:00",
                ngay_yl="2025-03-10 09:00",
                ngay_kq="2025-03-10 09:10",
            ),
        )
    ]
    assert _named("MCH-06", *both) == ["LK002"]


def test_a_longer_day_of_the_machine_allows_more() -> None:
    def day(every: int, studies: int) -> list[Row]:
        told: list[Row] = []
        for number in range(studies):
            at = (Moment("2025-03-10 06:00") + timedelta(minutes=every * number)).isoformat(" ")
            told.append(visit(at, patient_id=f"W{number}"))
            told.append(service(ma_nhom=2, ma_may="MRI.1.01001.001", ngay_yl=at, ngay_th_yl=at))
        return told

    assert len(_named("MCH-07", *day(10, 40))) == 40 - 22
    assert len(_named("MCH-07", *day(25, 40))) < 40 - 22  # 13 hours and more by the end
    assert _named("MCH-07", *day(27, 40)) == []
