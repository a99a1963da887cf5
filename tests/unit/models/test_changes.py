"""Changes over time of a small ranking: growth in parts, levels that rose, and shocks that are nobody's doing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest

from data.lake import table_columns
from detectors.entity.observed_expected import ObservedExpected
from models.changes import ITEMS, STEADY, TOLD, keep_months, told

FACILITIES = [f"010{n:02}" for n in range(24)]  # of two provinces
MONTHS = 12
CLAIMS = 120  # of a facility and month
COST = 1e6
COSTS = ObservedExpected(usual=1.0, scatter=4e4, between=0.0025, entities=24)
LINES = {
    "version": pl.Int64, "t_bhtt": pl.Float64, "ngay_yl": pl.Datetime("us"), "ngay_th_yl": pl.Datetime("us"),
    **dict.fromkeys(("ma_cskcb", "ma_vat_tu", "ma_thuoc", "ten_thuoc", "ma_dich_vu", "ten_dich_vu"), pl.String),
}  # fmt: skip


class Shelf:
    """What changes read of a lake, without one."""

    def __init__(self, claims: pl.DataFrame, drugs: pl.DataFrame, **catalogues: list[dict[str, Any]]) -> None:
        self._known = duckdb.connect()
        named = {"version", "province", "ma_cskcb", "t_bhtt", "expected_paid", "care", "day"}
        self.keep("_ranking", claims.select(sorted(named)))
        patients = claims.select("version", "ma_benh_chinh", ngay_vao="day", ngay_sinh=pl.lit(date(1970, 1, 1)))
        self.keep("encounter_history", patients)
        self.keep("drug_line_history", _lines(drugs))
        self.keep(
            "service_line_history",
            _lines(claims.select("version", "ma_cskcb", "t_bhtt", ma_dich_vu=pl.lit("S"), ngay_yl="day")),
        )
        for name in ("facilities", "services", "calendar"):
            columns = table_columns(f"catalogue_{name}")
            self.keep(f"catalogue_{name}", pl.DataFrame(catalogues.get(name, []), schema=columns))

    def keep(self, name: str, rows: pl.DataFrame) -> None:
        self._known.register("_rows", rows.to_arrow())
        self._known.execute(f"create or replace table {name} as from _rows")
        self._known.unregister("_rows")

    def pl(self, query: str, params: Any = None) -> pl.DataFrame:
        return self._known.sql(query, params=params).pl()


def _lines(rows: pl.DataFrame) -> pl.DataFrame:
    absent = [pl.lit(None, dtype=kind).alias(name) for name, kind in LINES.items() if name not in rows.columns]
    return rows.with_columns(absent).select(pl.col(name).cast(kind) for name, kind in LINES.items())


@dataclass
class World:
    """A year of stationary claims that a test bends."""

    claims: pl.DataFrame
    drugs: pl.DataFrame

    def dearer(self, times: float, where: pl.Expr, expected: float = 1.0) -> World:
        bent = [
            pl.when(where).then(pl.col(name) * by).otherwise(pl.col(name)).alias(name)
            for name, by in (("t_bhtt", times), ("expected_paid", expected))
        ]
        return World(self.claims.with_columns(bent), self.drugs)

    def told(self, level: str = "facility", **catalogues: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
        shelf: Any = Shelf(self.claims, self.drugs, **catalogues)
        shelf.keep("_claim", self.claims.select("version", entity_id="ma_cskcb", part=pl.lit(1.0)))
        span = keep_months(shelf)
        assert span is not None
        return {row["entity_id"]: row for row in told(shelf, level, span, COSTS).iter_rows(named=True)}


@pytest.fixture(scope="module")
def world() -> World:
    rng = np.random.default_rng(3)
    rows = len(FACILITIES) * MONTHS * CLAIMS
    claims = pl.DataFrame({"version": range(rows)}).with_columns(
        ma_cskcb=pl.lit(pl.Series(FACILITIES)).get(pl.col("version") % len(FACILITIES)),
        place=pl.col("version") // len(FACILITIES) % MONTHS,
        care=pl.lit("01"),
        ma_benh_chinh=pl.lit("I10"),
        t_bhtt=pl.Series(rng.gamma(25.0, COST / 25.0, rows)).round(2),
        expected_paid=pl.lit(COST),
    )
    claims = claims.with_columns(
        province=pl.when(pl.col("ma_cskcb") < "01004").then(pl.lit("02")).otherwise(pl.lit("01")),
        day=pl.col("place").replace_strict(
            list(range(MONTHS)), [datetime(2025, 1 + n, 10) for n in range(MONTHS)], return_dtype=pl.Datetime("us")
        ),
    )
    taken = claims.filter(pl.Series(rng.random(rows) < 0.15))
    return World(claims, taken.select("version", "ma_cskcb", ma_thuoc=pl.lit("D1"), ten_thuoc=pl.lit("Thuốc một")))


def since(place: int, *facilities: str) -> pl.Expr:
    return (pl.col("place") >= place) & pl.col("ma_cskcb").is_in(facilities or FACILITIES)


def alarms(found: dict[str, dict[str, Any]]) -> set[str]:
    return {name for name, row in found.items() if row["changes"] or (row["growth"] or {}).get("degree")}


def test_a_steady_year_alarms_nobody_and_its_parts_add_up(world: World) -> None:
    found = world.told()
    assert alarms(found) == set()
    assert len(found) == len(FACILITIES)
    for row in found.values():
        growth = row["growth"]
        parts = sum(growth[name] for name in ("volume", "mix", "coding", "price", "residual"))
        assert parts == pytest.approx(growth["growth"], abs=0.01)
        assert growth["growth"] == pytest.approx(growth["paid"] - growth["paid_before"], abs=0.01)
        assert [month["month"] for month in row["months"]] == [f"2025-{n:02}" for n in range(1, 13)]


def test_what_becomes_dearer_is_told_with_its_month_and_its_degree(world: World) -> None:
    found = world.dearer(1.5, since(6, "01010")).told()
    assert alarms(found) == {"01010"}
    growth, change = found["01010"]["growth"], found["01010"]["changes"][0]
    assert growth["degree"] == "very_high"
    assert growth["residual_rate"] == pytest.approx(0.5, abs=0.05)
    assert (change["measure"], change["since"]) == ("cost_level", "2025-07")
    assert change["rise"] == pytest.approx(1.5, abs=0.05)
    assert "từ tháng 7/2025, chi phí bằng" in change["text_vi"]
    assert "while elsewhere 1" in change["text_en"]
    assert "mức 3: rất cao" in growth["text_vi"]


@pytest.mark.parametrize("times", [1.1, 1.5])
def test_what_becomes_dearer_for_all_is_price_and_alarms_nobody(world: World, times: float) -> None:
    found = world.dearer(times, since(6)).told()
    assert alarms(found) == set()
    growth = found["01010"]["growth"]
    assert growth["price"] / growth["paid_before"] == pytest.approx(times - 1, abs=0.03)


def test_heavier_codes_are_coding_and_no_residual(world: World) -> None:
    growth = world.dearer(1.4, since(6, "01010"), expected=1.4).told()["01010"]["growth"]
    assert growth["coding"] / growth["paid_before"] == pytest.approx(0.4, abs=0.06)
    assert growth["degree"] is None


def lists(*facilities: str, times: float) -> list[dict[str, Any]]:
    return [
        {"ma_dich_vu": "S", "ma_cskcb": name, "price": price, "valid_from": day, "load_seq": 1}
        for name in facilities
        for price, day in ((COST, date(2020, 1, 1)), (COST * times, date(2025, 7, 1)))
    ]


def decided(kind: str) -> list[dict[str, Any]]:
    return [{"date": date(2025, 7, 1), "kind": kind, "province": "02", "load_seq": 1}]


FEW = FACILITIES[:4]  # the second province


def test_a_loaded_price_list_explains_what_it_binds_however_few(world: World) -> None:
    bent = world.dearer(1.5, since(6, *FEW))
    assert set(FEW) <= alarms(bent.told())
    found = bent.told(services=lists(*FEW, times=1.5), calendar=decided("price_change"))
    assert alarms(found) == set()
    growth = found["01000"]["growth"]
    assert growth["price"] / growth["paid_before"] == pytest.approx(0.5, abs=0.05)


def test_a_list_of_another_facility_explains_nothing(world: World) -> None:
    found = world.dearer(1.5, since(6, "01010")).told(services=lists("01011", times=1.5))
    assert "01010" in alarms(found)


def test_a_decision_without_its_list_is_no_alarm_for_nobody_can_say_its_size(world: World) -> None:
    bent = world.dearer(1.5, since(6, *FEW))
    assert alarms(bent.told(calendar=decided("price_change"))) == set()


def more_of(world: World, item: str, where: Callable[[], pl.Expr]) -> World:
    """Twice as many claims that carry the item: as many again among those that did not."""
    without = world.claims.filter(where()).join(world.drugs, on="version", how="anti")
    taken = without.gather_every(6).select("version", "ma_cskcb", ma_thuoc=pl.lit(item), ten_thuoc=pl.lit("Thuốc một"))
    return World(world.claims, pl.concat([world.drugs, taken]))


def test_an_item_that_doubles_is_told_with_its_name_and_counts(world: World) -> None:
    found = more_of(world, "D1", lambda: since(5, "01012")).told()
    assert alarms(found) == {"01012"}
    (change,) = found["01012"]["changes"]
    assert (change["measure"], change["item"], change["since"]) == ("item_level", "drug:D1", "2025-06")
    assert change["before"] == pytest.approx(15, abs=3)
    assert change["after"] == pytest.approx(29, abs=4)
    assert "thuốc “Thuốc một” có ở" in change["text_vi"]
    assert "nơi khác gấp" in change["text_vi"]


def test_an_item_that_all_use_more_or_a_shock_of_the_province_is_no_change(world: World) -> None:
    assert alarms(more_of(world, "D1", lambda: since(5)).told()) == set()
    bent = more_of(world, "D1", lambda: since(6, *FEW))
    assert set(FEW) <= alarms(bent.told())
    assert alarms(bent.told(calendar=decided("regulation"))) == set()


def by_hand(world: World, facility: str, item: str) -> list[tuple[float, float]]:
    """Slow twin: each month's claims with the item, and how many the others' like claims would give."""
    carry = set(world.drugs.filter(pl.col("ma_thuoc") == item)["version"])
    rows = [
        (row["ma_cskcb"] == facility, row["place"], row["care"] + row["ma_benh_chinh"][0], row["version"] in carry)
        for row in world.claims.iter_rows(named=True)
    ]
    cells = {cell for *_, cell, _ in rows}
    rate = {
        cell: sum(hit for mine, _, c, hit in rows if not mine and c == cell)
        / sum(not mine and c == cell for mine, _, c, _ in rows)
        for cell in cells
    }
    months: list[tuple[float, float]] = []
    for month in range(MONTHS):
        seen = sum(hit for mine, place, _, hit in rows if mine and place == month)
        usual = sum(rate[cell] for mine, place, cell, _ in rows if mine and place == month)
        elsewhere = sum(rate[cell] for mine, place, cell, _ in rows if not mine and place == month)
        others = sum(hit for mine, place, _, hit in rows if not mine and place == month)
        months.append((seen, usual * (others + STEADY) / (elsewhere + STEADY)))
    return months


def test_what_peers_claims_would_give_agrees_with_counting_by_hand(world: World) -> None:
    mixed = World(
        world.claims.with_columns(
            ma_benh_chinh=pl.when(pl.col("version") % 5 < 2).then(pl.lit("J06")).otherwise(pl.lit("I10")),
            care=pl.when(pl.col("version") % 11 == 0).then(pl.lit("03")).otherwise(pl.lit("01")),
        ),
        world.drugs.filter(pl.col("version") % 5 < 3),
    )
    shelf: Any = Shelf(mixed.claims, mixed.drugs)
    assert keep_months(shelf) is not None
    found = shelf.pl(ITEMS).filter(pl.col("entity_id") == "01010", pl.col("item") == "drug:D1").sort("place")
    assert found["seen"].to_list() == [seen for seen, _ in by_hand(mixed, "01010", "D1")]
    assert found["usual"].to_list() == pytest.approx([usual for _, usual in by_hand(mixed, "01010", "D1")], rel=1e-6)


def test_the_same_ranking_gives_the_same_answer_whatever_the_order_of_its_rows(world: World) -> None:
    bent = more_of(world.dearer(1.5, since(6, "01010")), "D1", lambda: since(5, "01011"))
    again = World(bent.claims.sample(fraction=1.0, shuffle=True, seed=1), bent.drugs.reverse())
    assert bent.told() == again.told()


def test_too_few_months_and_nothing_give_nothing(world: World) -> None:
    for months in (0, 3):
        shelf: Any = Shelf(world.claims.filter(pl.col("place") < months), world.drugs)
        assert keep_months(shelf) is None
    assert set(TOLD) == {"entity_id", "growth", "changes", "months"}
