"""Drugs told by their ingredient, ranges of diagnoses, and ages where the birth is known in part."""

import narwhals as nw
import pytest

from detectors.base import Rule, rules
from detectors.drug_family import age, expand
from detectors.examples import Engine, Row, drug, listed, tables_of, visit
from detectors.rulebook import run_rules

KNEE = visit(ma_benh_chinh="M17.1")
BACK = visit(ma_benh_chinh="M54.5")


def rule_of(rule_id: str) -> Rule:
    return next(each for each in rules() if each.id == rule_id)


def hits(rule_id: str, *claim: Row, engine: Engine = "polars") -> int:
    return run_rules(tables_of(claim, engine=engine), [rule_of(rule_id)]).hits.height


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_a_brand_is_told_by_the_ingredient_of_its_code(engine: Engine) -> None:
    brand = drug(ten_thuoc="Khớp Vàng", ma_thuoc="40.64")
    entry = listed("drugs", ma_thuoc="40.64", name="Khớp Vàng", active_ingredient="Glucosamin sulfat")
    assert hits("DRG-15", BACK, brand, engine=engine) == 0
    assert hits("DRG-15", entry, BACK, brand, engine=engine) == 1
    assert hits("DRG-15", entry, KNEE, brand, engine=engine) == 0
    assert hits("DRG-15", entry, BACK, drug(ten_thuoc="Khớp Vàng", ma_thuoc="40.65"), engine=engine) == 0


def test_a_line_without_a_code_is_no_ingredient() -> None:
    entry = listed("drugs", ma_thuoc="40.64", name="Khớp Vàng", active_ingredient="Glucosamin")
    assert hits("DRG-15", entry, BACK, drug(ten_thuoc="Khớp Vàng", ma_thuoc=None)) == 0


@pytest.mark.parametrize(
    ("told", "codes"),
    [
        (["M17"], ["M17"]),
        (["I20-I22"], ["I20", "I21", "I22"]),
        (["E10.4-E12.4"], ["E104", "E114", "E124"]),
        (["R57.0", "C00-C01"], ["R570", "C00", "C01"]),
    ],
)
def test_a_range_of_diagnoses_is_written_out(told: list[str], codes: list[str]) -> None:
    assert expand(told) == codes


@pytest.mark.parametrize(
    ("born", "precision", "youngest", "oldest"),
    [
        ("1960-03-10", "day", 65, 65),
        ("1960-03-11", "day", 64, 64),
        ("1960-03-01", "month", 64, 65),
        ("1960-01-01", "year", 64, 65),
    ],
)
def test_a_birth_known_in_part_gives_two_ages(born: str, precision: str, youngest: int, oldest: int) -> None:
    encounter = tables_of([visit(ngay_sinh=born, birth_precision=precision)]).encounter
    told = encounter.select(**{f"e_{c}": nw.col(c) for c in ("ngay_sinh", "birth_precision", "ngay_vao")})
    found = told.select(youngest=age("youngest"), oldest=age("oldest")).collect()
    assert (found["youngest"].item(), found["oldest"].item()) == (youngest, oldest)


def test_a_second_route_or_drug_of_a_claim_does_not_hide_a_sign() -> None:
    heart = visit(ma_benh_chinh="I50.9")
    gel = drug(ten_thuoc="Diclofenac gel", duong_dung="3.05")
    assert hits("DRG-08", heart, gel, drug(ten_thuoc="Diclofenac 50mg", duong_dung="1.01")) == 1
