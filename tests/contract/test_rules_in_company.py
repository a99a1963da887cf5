"""What every rule that looks at other patients' claims promises: how far it looks, and whose sign it is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import narwhals as nw
import polars as pl
import pytest

from data.schema import ClaimTables
from detectors.base import COMPANY_DAYS, Example, Rule, rules
from detectors.examples import CATALOGUE, tables_of
from detectors.rulebook import run_rules

IN_COMPANY = [each for each in rules() if each.context == "facility"]
EXAMPLES = [(each, example) for each in IN_COMPANY for example in each.examples if example.kind == "hit"]
HITS = [pytest.param(each, example, id=f"{each.id}: {example.title_en}") for each, example in EXAMPLES]


def signs(tables: ClaimTables, each: Rule) -> list[tuple[Any, ...]]:
    return sorted(run_rules(tables, [each]).hits.rows(), key=repr)


def those(tables: ClaimTables, keep: pl.Expr) -> ClaimTables:
    """The claims whose encounter `keep` holds of."""
    encounter = tables.encounter.to_native().filter(keep)
    kept = encounter.select("ma_cskcb", "ma_lk")
    lined = {
        name: nw.from_native(getattr(tables, name).to_native().join(kept, on=["ma_cskcb", "ma_lk"], how="semi"))
        for name in ("drug_line", "service_line", "lab_result")
    }
    return ClaimTables(encounter=nw.from_native(encounter), **lined, snapshot=1, catalogues=tables.catalogues)


def test_there_are_some() -> None:
    assert len(IN_COMPANY) >= 30
    assert {each.id for each, _ in EXAMPLES} == {each.id for each in IN_COMPANY}


@pytest.mark.parametrize(("each", "example"), HITS)
def test_the_promised_company_is_enough(each: Rule, example: Example) -> None:
    """The judged claim keeps its sign without what began after it ended, and what ended too long before."""
    tables = tables_of(example.claim)
    judged = tables.encounter.to_native().collect().row(-1, named=True)
    since = judged["ngay_vao"] - timedelta(days=COMPANY_DAYS)
    company = those(tables, (pl.col("ngay_vao") < judged["ngay_ra"]) & (pl.col("ngay_ra") >= since))
    assert signs(company, each) == signs(tables, each) != []


@pytest.mark.parametrize(("each", "example"), HITS)
def test_alone_a_claim_has_no_sign_of_company(each: Rule, example: Example) -> None:
    tables = tables_of(example.claim)
    last = tables.encounter.to_native().collect()["ma_lk"][-1]
    assert signs(those(tables, pl.col("ma_lk") == last), each) == []


@pytest.mark.parametrize(("each", "example"), HITS)
def test_the_same_elsewhere_does_not_add_up(each: Rule, example: Example) -> None:
    own = tuple(row for row in example.claim if not row["table"].startswith(CATALOGUE))
    elsewhere = tuple({**row, "ma_cskcb": "01777"} if row["table"] == "encounter" else row for row in own)
    together = [row for row in signs(tables_of((*elsewhere, *example.claim)), each) if row[0] != "01777"]
    assert [row[3:7] for row in together] == [row[3:7] for row in signs(tables_of(example.claim), each)]
