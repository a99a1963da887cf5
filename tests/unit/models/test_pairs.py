"""What is counted of each kind of pairs, on claims small enough to count by hand; and what is said of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import duckdb
import polars as pl
import pytest

from data.schema import columns
from detectors.entity.pairs import PairReference
from models.pairs import PAIRINGS, pair_findings, pairs_of

BY_NAME = {pairing.name: pairing for pairing in PAIRINGS}


class Shelf:
    """The views that pairs read."""

    def __init__(self, encounters: Sequence[Mapping[str, Any]], **tables: Sequence[Mapping[str, Any]]) -> None:
        self._known = duckdb.connect()
        rows = [{"version": n, "ma_cskcb": "01001", "ma_benh_chinh": "I10", **row} for n, row in enumerate(encounters)]
        self._table("encounter_history", "encounter", rows)
        for name in ("drug_line", "service_line"):
            self._table(f"{name}_history", name, tables.get(name, []))
        ranking = [(r["version"], r["ma_cskcb"], r.get("care", "01"), r.get("t_bhtt", 1e6), "01") for r in rows]
        self.keep(
            "_ranking",
            pl.DataFrame(ranking, schema=["version", "ma_cskcb", "care", "t_bhtt", "province"], orient="row"),
        )

    def _table(self, name: str, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        schema = {"version": pl.Int64(), **columns(table)}
        money = {c: pl.Float64() for c, t in schema.items() if t.is_decimal()}
        self.keep(name, pl.DataFrame([{c: row.get(c) for c in schema} for row in rows], schema={**schema, **money}))

    def keep(self, name: str, rows: pl.DataFrame) -> None:
        self._known.register("_rows", rows.to_arrow())
        self._known.execute(f"create or replace table {name} as from _rows")
        self._known.unregister("_rows")

    def pl(self, query: str) -> pl.DataFrame:
        return self._known.sql(query).pl()

    def count(self, name: str, level: str) -> tuple[dict[Any, float], dict[Any, tuple[float, float]]]:
        cases, hits = pairs_of(self, BY_NAME[name], level)  # type: ignore[arg-type]
        counted = hits.select(pl.struct("entity_id", "partner"), "seen", "paid").iter_rows()
        by_pair: dict[Any, tuple[float, float]] = {}
        for key, seen, paid in counted:
            before = by_pair.get(tuple(key.values()), (0.0, 0.0))
            by_pair[tuple(key.values())] = (before[0] + seen, before[1] + paid)
        own = {(who, stratum): number for who, stratum, number in cases.iter_rows()}
        return own, by_pair


def pill(version: int, code: str, doctors: str, paid: float, tender: str = "1/QĐ;G1;N1;2026") -> dict[str, Any]:
    named = {"ma_thuoc": code, "ten_thuoc": code.title(), "tt_thau": tender}
    return {"version": version, "ma_bac_si": doctors, "t_bhtt": paid, **named}


def at(day: int, hour: int = 8) -> datetime:
    return datetime(2026, 7, day, hour)


def test_a_drug_counts_once_a_claim_for_everyone_who_signs_it() -> None:
    lines = [pill(0, "a", "d1; d2", 100.0), pill(0, "a", "d1", 50.0), pill(1, "b", "d1", 10.0), pill(9, "a", "d1", 1.0)]
    cases, pairs = Shelf([{}, {"ma_benh_chinh": "E11.9"}], drug_line=lines).count("drug_lift", "doctor")
    assert cases == {("01001:d1", "01:I10"): 1.0, ("01001:d1", "01:E11"): 1.0, ("01001:d2", "01:I10"): 1.0}
    assert pairs == {("01001:d1", "a"): (1.0, 150.0), ("01001:d2", "a"): (1.0, 100.0), ("01001:d1", "b"): (1.0, 10.0)}


def test_a_tender_is_all_that_was_bought_under_its_decision() -> None:
    drugs = [pill(0, "a", "d1", 100.0), pill(0, "b", "d1", 10.0), pill(0, "c", "d1", 5.0, "2/QĐ;G2")]
    supplies = [{"version": 0, "ma_vat_tu": "s", "ten_vat_tu": "S", "tt_thau": "1/QĐ;G9", "t_bhtt": 7.0}]
    cases, pairs = Shelf([{}], drug_line=drugs, service_line=supplies).count("tender_share", "facility")
    assert cases == {("01001", "01:I10"): 4.0}
    assert pairs == {("01001", "1/QĐ"): (3.0, 117.0), ("01001", "2/QĐ"): (1.0, 5.0)}


def test_visits_are_shared_with_where_the_patient_is_within_three_days_for_the_same_disease() -> None:
    visits = [
        {"patient_id": "an", "ngay_vao": at(1), "ngay_ra": at(1, 9)},
        {"patient_id": "an", "ngay_vao": at(3), "ngay_ra": at(3, 9), "ma_cskcb": "01002"},
        {"patient_id": "an", "ngay_vao": at(9), "ngay_ra": at(9, 9), "ma_cskcb": "01002"},
        {"patient_id": "an", "ngay_vao": at(2), "ngay_ra": at(2, 9), "ma_cskcb": "01003", "ma_benh_chinh": "J00"},
        {"patient_id": "ba", "ngay_vao": at(2), "ngay_ra": at(2, 9), "ma_cskcb": "01003"},
    ]
    cases, pairs = Shelf(visits).count("shared_visits", "facility")
    assert cases[("01002", "01:I10")] == 2.0
    assert pairs == {("01001", "01002"): (1.0, 1e6), ("01002", "01001"): (1.0, 1e6)}


def test_stays_are_shared_there_and_back() -> None:
    stays = [
        {"patient_id": "an", "ngay_vao": at(1), "ngay_ra": at(5), "care": "03"},
        {"patient_id": "an", "ngay_vao": at(6), "ngay_ra": at(8), "care": "03", "ma_cskcb": "01002"},
        {"patient_id": "an", "ngay_vao": at(10), "ngay_ra": at(12), "care": "03"},
        {"patient_id": "an", "ngay_vao": at(9), "ngay_ra": at(9, 9), "ma_cskcb": "01003"},
    ]
    _, pairs = Shelf(stays).count("shared_stays", "facility")
    assert pairs == {("01001", "01002"): (2.0, 2e6), ("01002", "01001"): (1.0, 1e6)}


@pytest.mark.parametrize("name", ["drug_lift", "shared_visits"])
def test_a_pair_is_told_with_partner_parts_peers_and_money(name: str) -> None:
    cases = pl.DataFrame({"entity_id": [f"e{n}" for n in range(20)], "stratum": "s", "cases": 100.0})
    hits = cases.select("entity_id", "stratum", partner=pl.lit("p"), item=pl.lit("p"), seen=pl.lit(2.0))
    known = PairReference.fit(cases, hits)
    strange = hits[:1].with_columns(seen=pl.lit(50.0), paid=pl.lit(5e6), name=pl.lit("Glucosamin"))
    (found,) = pair_findings(BY_NAME[name], known, cases[:1], strange).iter_rows(named=True)
    assert (found["value"], found["expected"], found["peers"]) == (0.5, 0.02, 20)
    assert found["contribution"] == BY_NAME[name].weight
    for text in (found["text_vi"], found["text_en"]):
        assert "Glucosamin" in text
        assert all(part in text for part in ("50%", "2%", "20"))
    assert "4.800.000 ₫" in found["text_vi"]  # 48 of the 50 cases are beyond the usual two


def test_a_drug_nobody_had_in_training_is_new_and_not_strange() -> None:
    cases = pl.DataFrame({"entity_id": [f"e{n}" for n in range(20)], "stratum": "s", "cases": 100.0})
    hits = cases.select("entity_id", "stratum", partner=pl.lit("p"), item=pl.lit("p"), seen=pl.lit(2.0))
    known = PairReference.fit(cases, hits)
    new = hits[:1].with_columns(partner=pl.lit("n"), item=pl.lit("n"), seen=pl.lit(50.0), paid=pl.lit(1.0), name="item")
    assert pair_findings(BY_NAME["drug_lift"], known, cases[:1], new).is_empty()
    assert pair_findings(BY_NAME["shared_visits"], known, cases[:1], new).height == 1
