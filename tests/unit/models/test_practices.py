"""What is counted of each practice: cases and hits, on claims small enough to count by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import duckdb
import polars as pl
import pytest

from data.schema import columns
from detectors.entity.practice import Practice
from models.practices import PRACTICES, counted

BY_NAME = {practice.name: practice for practice in PRACTICES}


class Shelf:
    """Claims of one facility, and the views that practices read."""

    def __init__(self, encounters: Sequence[Mapping[str, Any]], **tables: Sequence[Mapping[str, Any]]) -> None:
        self._known = duckdb.connect()
        rows = [{"version": n, "ma_cskcb": "01001", "care": "01", **row} for n, row in enumerate(encounters)]
        self._table("encounter_history", "encounter", rows)
        for name in ("drug_line", "service_line"):
            self._table(f"{name}_history", name, tables.get(name, []))
        self.keep("xml11", pl.DataFrame(tables.get("xml11", []), schema={"version": pl.Int64}))
        ranking = pl.DataFrame(
            [{"version": row["version"], "care": row["care"], "t_bhtt": row.get("t_bhtt", 1e6)} for row in rows],
            schema={"version": pl.Int64, "care": pl.String, "t_bhtt": pl.Float64},
        )
        self.keep("_ranking", ranking)
        self.keep("_claim", ranking.select("version", entity_id=pl.lit("01001"), part=pl.lit(0.5)))

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

    def count(self, name: str) -> dict[str, tuple[float, float]]:
        found = counted(self, BY_NAME[name])  # type: ignore[arg-type]
        return {stratum: (2 * trials, 2 * hits) for _, stratum, trials, hits in found.iter_rows()}


def at(day: int, hour: int = 8, minute: int = 0) -> datetime:
    return datetime(2026, 7, day, hour, minute)


def test_admissions_are_counted_by_the_letter_of_the_disease() -> None:
    shelf = Shelf(
        [{"ma_benh_chinh": "J02"}, {"ma_benh_chinh": "J18", "care": "03"}, {"ma_benh_chinh": None, "care": "07"}]
    )
    assert shelf.count("admissions") == {"J": (2, 1)}


def test_bed_share_is_of_what_the_fund_pays_for_a_stay() -> None:
    beds = [{"version": 0, "ma_nhom": 15, "t_bhtt": 5e5}, {"version": 1, "ma_nhom": 15, "t_bhtt": 3e5}]
    shelf = Shelf([{"care": "03", "ma_benh_chinh": "J18"}] * 3, service_line=beds)
    assert shelf.count("bed_share") == {"J": (3, 1)}


def test_the_threshold_is_that_of_the_day() -> None:
    mark = 0.15 * 2_530_000
    before = {"ngay_vao": datetime(2026, 6, 30), "t_tongchi_bh": 0.99 * mark}  # far above the mark of its day
    near = [{"ngay_vao": at(2), "t_tongchi_bh": part * mark} for part in (0.94, 0.96, 0.99, 1.0, 1.04, 1.06)]
    assert Shelf([before, *near]).count("below_threshold") == {"": (4, 2)}


def test_sick_leave_papers_are_of_outpatient_visits() -> None:
    shelf = Shelf(
        [{"ma_benh_chinh": "J02"}] * 3 + [{"care": "03"}], xml11=[{"version": 1}, {"version": 1}, {"version": 3}]
    )
    assert shelf.count("sick_leave") == {"J": (3, 1)}


def test_round_quantities_are_counted_by_drug() -> None:
    drugs = [
        {"version": 0, "ma_thuoc": d, "so_luong": q}
        for d, q in (("a", 20), ("a", 14), ("b", 100), ("b", 0), (None, 10))
    ]
    assert Shelf([{}], drug_line=drugs).count("round_quantities") == {"a": (2, 1), "b": (1, 1)}


def test_self_pay_counts_above_a_tenth() -> None:
    paid = [{"t_bntt": x, "t_tongchi_bv": 1e6, "ma_benh_chinh": "I10"} for x in (None, 1e5, 2e5)]
    assert Shelf([*paid, {"t_bntt": 1.0, "t_tongchi_bv": 0.0}]).count("self_pay") == {"I": (3, 1)}


def test_a_shared_telephone_needs_three_patients() -> None:
    people = [{"patient_id": p, "phone_id": t} for p, t in (("a", "x"), ("b", "x"), ("c", "x"), ("d", "y"), ("e", "y"))]
    assert Shelf([*people, {"patient_id": "f", "phone_id": None}]).count("shared_phones") == {"": (5, 3)}


def test_companions_come_together_on_three_days() -> None:
    pairs = [{"patient_id": p, "ngay_vao": at(day, 8, 9 + m)} for day in (1, 8, 15) for p, m in (("a", 0), ("b", 4))]
    often = [{"patient_id": "c", "ngay_vao": at(day, 8, 40)} for day in (1, 8, 15)]
    same_day = [{"patient_id": "a", "ngay_vao": at(15, 14)}]
    assert Shelf([*pairs, *often, *same_day]).count("companions") == {"": (10, 6)}


@pytest.mark.parametrize("practice", PRACTICES, ids=lambda practice: practice.name)
def test_no_claims_give_no_cases(practice: Practice) -> None:
    assert Shelf([]).count(practice.name) == {}
    for text in (practice.text_vi, practice.text_en):
        assert text.count("{}") == 3
