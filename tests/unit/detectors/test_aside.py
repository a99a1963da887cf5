"""What stood aside: named on the claim, counted, never clear."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

from detectors.aside import Aside, Judge, stand_aside
from detectors.base import rules
from detectors.examples import Row, drug, exam, service, stay, tables_of, visit
from detectors.rulebook import RuleResults, blank_fields, run_rules

COST = Judge(source="cost@1", needs=("encounter.ma_benh_chinh", "service_line.thanh_tien_bh"))
SHAPE = Judge(source="shape@2", needs=("encounter.ngay_vao", "drug_line.so_luong"))
EVERY_RULE = rules()


def told(*claim: Row, judges: tuple[Judge, ...] = (COST, SHAPE), rules: tuple[Any, ...] = ()) -> Aside:
    found = run_rules(tables_of(claim), rules, also=[field for judge in judges for field in judge.fields])
    return stand_aside(judges, found, found.blanks.select("ma_cskcb", "ma_lk"), _bare(found, claim))


def _bare(found: RuleResults, claim: tuple[Row, ...]) -> pl.DataFrame:
    counts = [0]
    for row in claim:
        counts = [*counts, 0] if row["table"] == "encounter" else [*counts[:-1], counts[-1] + 1]
    without = [f"LK{number:03}" for number, count in enumerate(counts) if number and not count]
    return found.blanks.filter(pl.col("ma_lk").is_in(without)).select("ma_cskcb", "ma_lk")


def entries(aside: Aside) -> dict[str, list[dict[str, Any]]]:
    return {
        ma_lk: json.loads(f"[{text}]") for ma_lk, text in aside.claims.select("ma_lk", "entries").sort("ma_lk").rows()
    }


def test_nothing_is_said_of_claims_that_have_everything() -> None:
    aside = told(visit(), service(), drug(), stay(), service())
    assert aside.claims.is_empty()
    run = aside.run("cost@1", encounters=2, signs=aside.claims)
    assert (run.rule, run.hit, run.clear, run.not_evaluable, run.reason) == ("cost@1", 0, 2, 0, None)


def test_no_claims_at_all_are_no_trouble() -> None:
    aside = told()
    assert aside.claims.is_empty()
    assert aside.of("cost@1").columns == ["ma_cskcb", "ma_lk"]


def test_each_detector_names_what_it_lacks_and_the_claim_is_unjudged_only_when_all_do() -> None:
    aside = told(
        *(visit(ma_benh_chinh=None), service()),
        *(visit(ma_benh_chinh=None), service(thanh_tien_bh=None), service(), drug(so_luong=None)),
    )
    assert entries(aside) == {
        "LK001": [{"kind": "not_evaluable", "source": "cost@1", "field": "encounter.ma_benh_chinh"}],
        "LK002": [
            {"kind": "not_evaluable", "source": "cost@1", "field": "encounter.ma_benh_chinh"},
            {"kind": "not_evaluable", "source": "cost@1", "field": "service_line.thanh_tien_bh"},
            {"kind": "not_evaluable", "source": "shape@2", "field": "drug_line.so_luong"},
        ],
    }
    assert aside.claims.sort("ma_lk")["unjudged"].to_list() == [False, True]
    assert aside.of("shape@2")["ma_lk"].to_list() == ["LK002"]
    words = aside.claims.sort("ma_lk")["missing_vi"][1]
    assert words == "mã bệnh chính (MA_BENH_CHINH), thành tiền BHYT (XML3 THANH_TIEN_BH), số lượng (XML2 SO_LUONG)"


def test_the_counts_add_up_with_the_signs_raised() -> None:
    aside = told(visit(ma_benh_chinh=None), service(), visit(), service(), visit(), service())
    signs = pl.DataFrame({"ma_cskcb": ["01001", "01001"], "ma_lk": ["LK002", "LK002"], "group": ["lab", "drug"]})
    run = aside.run("cost@1", encounters=3, signs=signs)
    assert (run.hit, run.clear, run.not_evaluable) == (1, 1, 1)


def test_a_claim_without_any_line_lacks_what_lines_would_say() -> None:
    aside = told(visit(t_bhtt=50_000))
    assert [entry["field"] for entry in entries(aside)["LK001"]] == ["service_line.thanh_tien_bh", "drug_line.so_luong"]
    assert aside.claims["missing_vi"].to_list() == ["dòng thuốc, dịch vụ (XML2, XML3)"]
    assert aside.claims["missing_en"].to_list() == ["drug and service lines (XML2, XML3)"]


def test_a_claim_without_drugs_lacks_nothing_of_them() -> None:
    assert told(visit(), exam()).claims.is_empty()


def test_a_detector_that_learned_nothing_stands_aside_from_all_and_says_so_once() -> None:
    blind = Judge(source="blind@1", needs=(), reason="chưa học (not learned)")
    aside = told(visit(), service(), visit(), service(), judges=(blind,))
    assert aside.claims.select("unjudged", "entries").rows() == [(True, ""), (True, "")]
    run = aside.run("blind@1", encounters=2, signs=aside.claims.clear())
    assert (run.clear, run.not_evaluable, run.reason) == (0, 2, "chưa học (not learned)")


def test_rules_are_summed_up_in_one_entry() -> None:
    aside = told(visit(gioi_tinh=None, ngay_sinh=None), service(), judges=(SHAPE,), rules=EVERY_RULE)
    (entry,) = entries(aside)["LK001"]
    assert (entry["kind"], entry["source"]) == ("not_evaluable", "rules")
    assert entry["count"] > 1
    assert {"encounter.gioi_tinh", "encounter.ngay_sinh"} <= set(entry["fields"])
    assert aside.claims["unjudged"].to_list() == [False]


def test_rules_about_lines_cannot_tell_of_a_claim_that_costs_something_and_shows_no_line() -> None:
    tables = tables_of((visit(t_bhtt=80_000), visit(t_bhtt=0), visit(), exam()))
    results = run_rules(tables, EVERY_RULE)
    of_lines = {rule.ref for rule in EVERY_RULE if rule.needs and all("_line." in need for need in rule.needs)}
    aside = results.not_evaluable.filter(pl.col("source").is_in(list(of_lines)))
    assert set(aside["ma_lk"]) == {"LK001"}
    assert of_lines >= set(aside["source"]) != set()
    for run in results.runs:
        assert run.hit + run.clear + run.not_evaluable == 3


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_blank_fields_names_only_what_is_blank_somewhere(engine: Any) -> None:
    claim = (visit(ma_benh_chinh=None), service(), visit(), service(), service(thanh_tien_bh=None))
    found = blank_fields(tables_of(claim, engine=engine), (*COST.needs, *SHAPE.needs)).sort("ma_lk")
    assert found.columns == ["ma_cskcb", "ma_lk", "encounter.ma_benh_chinh", "service_line.thanh_tien_bh"]
    assert found.select(found.columns[2:]).rows() == [(True, False), (False, True)]
