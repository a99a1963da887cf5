"""Doctors, facilities and patients: their parts of claims, what a score is made of, and that it explains itself."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest

from data.lake import table_columns
from detectors.entity.observed_expected import ObservedExpected
from detectors.fusion import Weights
from models.entities import EntityReferences, entities, learn

LINES = {"version": pl.Int64, "row_no": pl.Int32, "ma_bac_si": pl.String, "t_bhtt": pl.Float64}
CODES = ("ma_thuoc", "ten_thuoc", "ma_dich_vu", "ma_vat_tu", "ten_vat_tu", "tt_thau")
MORE = {"so_luong": pl.Float64, "ma_nhom": pl.Int32, **dict.fromkeys(CODES, pl.String)}
TEXTS = ("ma_cskcb", "patient_id", "phone_id", "ma_benh_chinh")
AMOUNTS = ("t_tongchi_bh", "t_tongchi_bv", "t_bntt")
FACTS = {
    "version": pl.Int64, "ngay_vao": pl.Datetime("us"), "ngay_ra": pl.Datetime("us"), **dict.fromkeys(TEXTS, pl.String),
    **dict.fromkeys(AMOUNTS, pl.Float64),
}  # fmt: skip


class Shelf:
    """What entities read of a lake, without one."""

    def __init__(self, drugs: Sequence[tuple[Any, ...]] = (), services: Sequence[tuple[Any, ...]] = ()) -> None:
        self._known = duckdb.connect()
        for table, rows in (("drug_line_history", drugs), ("service_line_history", services)):
            frame = pl.DataFrame(list(rows), schema=LINES, orient="row")
            self.keep(table, frame.with_columns(pl.lit(None, dtype=kind).alias(name) for name, kind in MORE.items()))
        self.keep("encounter_history", pl.DataFrame(schema=FACTS))
        self.keep("xml11", pl.DataFrame(schema={"version": pl.Int64}))
        self.keep("claim_score", pl.DataFrame(schema=table_columns("claim_score")))

    def keep(self, name: str, rows: pl.DataFrame) -> None:
        self._known.register("_rows", rows.to_arrow())
        self._known.execute(f"create or replace table {name} as from _rows")
        self._known.unregister("_rows")

    def pl(self, query: str) -> pl.DataFrame:
        return self._known.sql(query).pl()


def sign(scheme: str, recoverable: float, strength: float = 0.9) -> dict[str, Any]:
    return {"kind": "rule", "scheme": scheme, "strength": strength, "expected_recoverable": recoverable, "lines": []}


def claim(
    version: int, *signs: dict[str, Any], paid: float = 1e6, expected: float | None = 1e6, **given: Any
) -> dict[str, Any]:
    money = sum(one["expected_recoverable"] for one in signs)
    return {
        "version": version, "ma_cskcb": "01001", "patient_id": "an", "doctor": "d1", "province": "01",
        "ma_loai_kcb": "01", "flagged": bool(signs), "evidence": json.dumps(list(signs)), "t_bhtt": paid,
        "expected_paid": expected, "amount_at_risk": 2 * money, "expected_recoverable": money,
        "ngay_vao": datetime(2026, 1, 5), "ngay_ra": datetime(2026, 1, 5),
    } | given  # fmt: skip


def ranking(*claims: dict[str, Any]) -> pl.DataFrame:
    kinds = {"t_bhtt": pl.Float64, "amount_at_risk": pl.Float64, "expected_recoverable": pl.Float64}
    schema = {name: kinds.get(name, kind) for name, kind in table_columns("claim_score").items() if name in claim(1)}
    return pl.DataFrame(claims, schema=schema | {"expected_paid": pl.Float64})


def rolled(tmp_path: Any, claims: pl.DataFrame, shelf: Shelf, known: EntityReferences | None = None) -> pl.DataFrame:
    path = tmp_path / "own.parquet"
    claims.write_parquet(path)
    bundle: Any = SimpleNamespace(entities=known, entity_pivots={"doctor": 1e5}, pivot=1e5, weights=Weights())
    return entities(shelf, "R", [str(path)], [], bundle)  # type: ignore[arg-type]


def level(rows: pl.DataFrame, name: str) -> dict[str, dict[str, Any]]:
    return {
        row["entity_id"]: row | {"evidence": json.loads(row["evidence"])}
        for row in rows.filter(pl.col("level") == name).iter_rows(named=True)
    }


@pytest.fixture(scope="module")
def known() -> EntityReferences:
    """Learned from forty doctors of ten facilities; few of their claims carry a sign."""
    rng = np.random.default_rng(2)
    rows = [
        claim(
            n, *([sign("DUP_LINE", 2e5)] if n % 40 == 0 else []),
            paid=float(x), ma_cskcb=f"010{n % 10:02}", doctor=f"d{n % 40}", patient_id=f"p{n % 300}",
        )
        for n, x in enumerate(rng.gamma(4.0, 2.5e5, 2_000))
    ]  # fmt: skip
    lines = [(n, 1, f"d{n % 40}", 1e6) for n in range(2_000)]
    return learn(Shelf(lines), ranking(*rows), Weights())[0]  # type: ignore[arg-type]


def test_a_doctor_has_of_each_claim_the_part_his_lines_are(tmp_path: Any) -> None:
    shelf = Shelf([(1, 1, "d1", 3e5), (1, 2, "d2; d3", 1e5)], [(2, 1, "", 1e6)])
    found = level(rolled(tmp_path, ranking(claim(1, sign("DUP_LINE", 4e5)), claim(2, doctor="d9")), shelf), "doctor")
    assert {name: float(row["expected_recoverable"]) for name, row in found.items()} == {
        "01001:d1": 3e5, "01001:d2": 5e4, "01001:d3": 5e4, "01001:d9": 0.0,
    }  # fmt: skip
    assert float(found["01001:d9"]["t_bhtt"]) == 1e6  # no line says who acted: the main doctor has it all
    assert sum(float(row["t_bhtt"]) for row in found.values()) == 2e6


def test_parts_of_free_lines_count_alike(tmp_path: Any) -> None:
    shelf = Shelf([(1, 1, "d1", 0.0), (1, 2, "d2", 0.0), (1, 3, "d2", None)])
    found = level(rolled(tmp_path, ranking(claim(1, paid=9e5)), shelf), "doctor")
    assert [float(row["t_bhtt"]) for row in found.values()] == [3e5, 6e5]


def test_facilities_and_patients_have_whole_claims_and_their_schemes(tmp_path: Any) -> None:
    rows = ranking(claim(1, sign("DUP_LINE", 1e5), sign("OVER_TEST", 2e5)), claim(2, patient_id=None))
    all_rows = rolled(tmp_path, rows, Shelf())
    facility, patients = level(all_rows, "facility")["01001"], level(all_rows, "patient")
    assert (facility["claims"], float(facility["expected_recoverable"])) == (2, 3e5)
    assert facility["schemes"] == ["OVER_TEST", "DUP_LINE"]
    assert list(patients) == ["an"]
    assert all_rows.columns == list(table_columns("entity_score"))


def test_the_parts_add_up_to_the_log_odds_of_the_score(tmp_path: Any, known: EntityReferences) -> None:
    rows = ranking(*(claim(n, *([sign("DUP_LINE", 3e5)] if n % 3 == 0 else []), paid=1.5e6) for n in range(60)))
    for row in rolled(tmp_path, rows, Shelf([(n, 1, "d1", 1e6) for n in range(60)]), known).iter_rows(named=True):
        evidence = json.loads(row["evidence"])
        assert round(sum(one["contribution"] for one in evidence["measures"]), 6) == evidence["log_odds"]
        assert row["score"] == pytest.approx(1 / (1 + math.exp(-evidence["log_odds"])), abs=1e-11)
        assert {"size", "signs", "above_expected"} <= {one["measure"] for one in evidence["measures"]}


def test_repeated_signs_and_dear_claims_are_said_with_their_numbers(tmp_path: Any, known: EntityReferences) -> None:
    signs = [sign("DUP_LINE", 3e5)]
    rows = ranking(*(claim(n, *(signs if n % 3 == 0 else []), paid=1.5e6) for n in range(60)))
    found = rolled(tmp_path, rows, Shelf([(n, 1, "d1", 1e6) for n in range(60)]), known)
    facility = level(found, "facility")["01001"]
    assert level(found, "doctor")["01001:d1"]["flagged"]
    assert "20 trên 60 hồ sơ có dấu hiệu" in facility["reasons_vi"]
    assert "khoảng 6.000.000 ₫ trên 90.000.000 ₫" in facility["reasons_vi"]
    assert "ở 20 hồ sơ, hồ sơ tương tự nơi khác là 1,5" in facility["reasons_vi"]
    assert "on 20 claims, on like claims elsewhere 1.5" in facility["reasons_en"]
    assert "mức kỳ vọng của hồ sơ tương tự ở 10 cơ sở" in facility["reasons_vi"]
    told = re.search(r"gấp ([0-9,]+) lần .*, cao hơn ([0-9.]+) ₫", facility["reasons_vi"])
    assert told
    times, above = float(told[1].replace(",", ".")), float(told[2].replace(".", ""))
    assert above == pytest.approx((1.0 - 1.0 / times) * float(facility["t_bhtt"]), rel=0.02), "the two say the same"


def test_size_alone_raises_no_flag(tmp_path: Any, known: EntityReferences) -> None:
    rows = ranking(*(claim(n, paid=1e9, expected=1e9) for n in range(50)))
    lines = [(n, 1, "d1", 1e6) for n in range(50)]
    assert not rolled(tmp_path, rows, Shelf(lines), known)["flagged"].any()


def test_money_above_expectation_counts_fully_where_no_line_was_read(tmp_path: Any) -> None:
    rows = ranking(claim(1, paid=2e6, ma_cskcb="A"), claim(2, paid=2e6, ma_cskcb="B"))
    found = level(rolled(tmp_path, rows, Shelf([(2, 1, "d", 2e6)])), "facility")
    assert found["A"]["score"] > found["B"]["score"]


def test_a_score_is_the_same_alone_as_in_company(tmp_path: Any, known: EntityReferences) -> None:
    rows = ranking(
        *(
            claim(
                n,
                *([sign("DUP_LINE", 3e5)] if n % 4 else []),
                ma_cskcb=f"0{n % 7}",
                patient_id=f"p{n % 7}",
                doctor="d1",
            )
            for n in range(70)
        )
    )
    shelf = Shelf([(n, 1, "d1", 1e6 / 3) for n in range(70)])
    every = rolled(tmp_path, rows, shelf, known)
    mine = rolled(tmp_path, rows.filter(pl.col("ma_cskcb") == "03"), shelf, known)
    assert mine.height == 3
    assert mine.equals(every.join(mine, on=["level", "entity_id"], how="semi", maintain_order="left"))


@pytest.mark.parametrize("references", [None, "known"])
def test_nothing_one_claim_and_empty_cells_are_finite(
    tmp_path: Any, references: str | None, known: EntityReferences
) -> None:
    given = known if references else None
    assert rolled(tmp_path, ranking(), Shelf(), given).height == 0
    empty = claim(1, paid=1.0, expected=None) | {"t_bhtt": None, "doctor": None, "ma_loai_kcb": None, "province": None}
    found = rolled(tmp_path, ranking(empty), Shelf(), given)
    assert found["level"].to_list() == ["facility", "patient"]
    assert found["score"].is_finite().all()
    assert found.select(pl.col("reasons_vi", "reasons_en", "evidence").is_not_null().all()).row(0) == (True,) * 3
    assert not found["flagged"].any()


def test_the_newest_score_of_a_claim_counts(tmp_path: Any) -> None:
    shelf = Shelf()
    shelf.keep("superseded", pl.DataFrame({"version": [3]}))
    earlier = ranking(claim(1, sign("A", 1e5)), claim(2, sign("A", 1e5)), claim(3, sign("A", 1e5)))
    shelf.keep("claim_score", earlier.with_columns(run_id=pl.lit("BASE")))
    path = tmp_path / "own.parquet"
    ranking(claim(2, sign("A", 7e5))).with_columns(run_id=pl.lit("R")).write_parquet(path)
    bundle: Any = SimpleNamespace(entities=None, entity_pivots={}, pivot=1e5, weights=Weights())
    found = level(entities(shelf, "R", [str(path)], ["BASE"], bundle), "facility")  # type: ignore[arg-type]
    assert float(found["01001"]["expected_recoverable"]) == 8e5


def test_references_read_back_through_json(known: EntityReferences) -> None:
    again = EntityReferences.from_json(json.loads(json.dumps(known.as_json())))
    assert again.as_json() == known.as_json()
    assert again.costs == known.costs
    assert known.costs["doctor"].entities == 40
    assert (
        EntityReferences.from_json(EntityReferences().as_json()).costs.get("doctor", ObservedExpected()).entities == 0
    )
