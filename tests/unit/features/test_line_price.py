# ruff: noqa: E501 - claims are drawn as tables
"""Prices of lines against the month before and the catalogues: by hand, as the slow twin counts them, never the future."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, get_args

import duckdb
import narwhals as nw
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from data.catalogues import CATALOGUES, Catalogues
from data.schema import ClaimTables
from features.matrix import build_matrix
from tests.lib.claims import Claims, Engine, draw
from tests.lib.line_twins import line_features
from tests.lib.patient_twins import patient_features

MONTH_BEFORE = [
    f"line_{value}_over_{place}_median" for place in ("rank", "facility") for value in ("price", "quantity")
]
LISTED = ["line_price_over_listed", "line_at_listed_price"]

SERVICES: list[dict[str, Any]] = [
    {"ma_dich_vu": "02.1897", "price": 40_000.0, "valid_from": date(2025, 1, 1), "valid_to": None},
    {"ma_dich_vu": "02.1897", "price": 45_000.0, "valid_from": date(2025, 1, 1), "valid_to": None, "rank": "1"},
    {
        "ma_dich_vu": "02.1897",
        "price": 50_000.0,
        "valid_from": date(2025, 3, 10),
        "valid_to": None,
        "ma_cskcb": "01002",
    },
    {"ma_dich_vu": "23.0075", "price": 21_800.0, "valid_from": date(2025, 1, 1), "valid_to": date(2025, 2, 28)},
    {"ma_dich_vu": "23.0075", "price": 22_400.0, "valid_from": date(2025, 3, 1), "valid_to": None},
]
TENDERS: list[dict[str, Any]] = [
    {"ma_cskcb": "01001", "code": "40.48", "price": 1_500.5, "valid_from": date(2025, 1, 1), "valid_to": None},
    {"ma_cskcb": "01002", "code": "N03.01", "price": 75_000.0, "valid_from": date(2025, 1, 1), "valid_to": None},
]
FACILITIES: list[dict[str, Any]] = [
    {"ma_cskcb": "01001", "lat": 21.0, "lon": 105.8, "valid_from": date(2025, 1, 1), "valid_to": None},
    {"ma_cskcb": "01002", "lat": 10.8, "lon": 106.7, "valid_from": date(2025, 1, 1), "valid_to": date(2025, 3, 9)},
    {"ma_cskcb": "01002", "lat": 10.9, "lon": 106.6, "valid_from": date(2025, 3, 10), "valid_to": None},
]
ROWS = {"services": SERVICES, "tenders": TENDERS, "facilities": FACILITIES}


def with_catalogues(drawn: Claims, engine: Engine, rows: dict[str, list[dict[str, Any]]] = ROWS) -> ClaimTables:
    """The claims with catalogues of `rows` on one engine and, for DuckDB, one connection."""
    frames = {name: pl.DataFrame(given, schema=CATALOGUES[name].dtypes()) for name, given in rows.items()}
    tables = drawn.tables(engine)
    if engine == "polars":
        return replace(tables, catalogues=Catalogues({n: nw.from_native(f.lazy()) for n, f in frames.items()}))
    connection = duckdb.connect(config={"threads": 1})
    claims = {
        name: nw.from_native(connection.from_arrow(nw.to_native(getattr(drawn.tables(), name)).collect().to_arrow()))
        for name in ("encounter", "drug_line", "service_line", "lab_result")
    }
    listed = {name: nw.from_native(connection.from_arrow(frame.to_arrow())) for name, frame in frames.items()}
    return replace(tables, catalogues=Catalogues(listed), **claims)


def drawn_at_random(seed: int) -> Claims:
    """Forty encounters of three months at two facilities of two patients, with few codes and few prices."""
    chosen = random.Random(seed)
    start = datetime.fromisoformat("2025-01-27 08:00")
    encounters: list[dict[str, Any]] = []
    drugs: list[dict[str, Any]] = []
    services: list[dict[str, Any]] = []
    for number in range(40):
        arrival = start + timedelta(days=chosen.randrange(0, 62), minutes=chosen.choice((0, 30, 960)))
        place = chosen.choice(("01001", "01002"))
        key = {"ma_cskcb": place, "ma_lk": f"L{number}"}
        rank = chosen.choice(("1", "2", None))
        ended = arrival + timedelta(hours=2)
        encounters.append(
            key
            | {"patient_id": chosen.choice(("an", "binh", "chi")), "ngay_vao": arrival, "ngay_ra": ended}
            | {"facility_rank": rank, "ma_loai_kcb": "01"}
        )
        for _ in range(chosen.randrange(1, 4)):
            line = key | {
                "ngay_yl": arrival + timedelta(minutes=chosen.choice((5, 30))),
                "ngay_th_yl": chosen.choice((arrival + timedelta(minutes=40), None)),
                "so_luong": Decimal(chosen.choice((0, 1, 2, 10))),
            }
            price = Decimal(chosen.choice(("0", "1500.5", "22400", "45000", "75000")))
            drugs.append(line | {"ma_thuoc": "40.48", "ma_nhom": 4, "don_gia": price})
            code = chosen.choice(("02.1897", "23.0075"))
            services.append(line | {"ma_dich_vu": code, "ma_nhom": 1, "don_gia_bh": price})
            services.append(line | {"ma_dich_vu": code, "ma_vat_tu": "N03.01", "ma_nhom": 10, "don_gia_bh": price})
    return draw(encounter=encounters, drug_line=drugs, service_line=services)


@pytest.mark.parametrize("engine", get_args(Engine))
@pytest.mark.parametrize("seed", range(3))
def test_prices_agree_with_counting_by_hand(seed: int, engine: Engine) -> None:
    drawn = drawn_at_random(seed)
    built = build_matrix(with_catalogues(drawn, engine), "line", columns=[*MONTH_BEFORE, *LISTED])
    by_hand = line_features(drawn, ROWS)
    told = dict.fromkeys((*MONTH_BEFORE, *LISTED), 0)
    for row in built.to_dicts():
        expected = by_hand[row["ma_cskcb"], row["ma_lk"], row["line_table"], row["row_no"]]
        assert {c: row[c] for c in told} == {
            c: pytest.approx(expected[c]) if expected[c] is not None else None for c in told
        }
        told = {c: n + (row[c] is not None) for c, n in told.items()}
    assert min(told.values()) > 10, f"the drawing says too little: {told}"


@pytest.mark.parametrize("engine", get_args(Engine))
def test_distances_agree_with_counting_by_hand(engine: Engine) -> None:
    drawn = drawn_at_random(5)
    columns = ["patient_farthest_km_30d", "patient_farthest_km_365d"]
    built = build_matrix(with_catalogues(drawn, engine), "patient", columns=columns)
    by_hand = patient_features(drawn, ROWS)
    assert built.height == len(by_hand) == 40
    for row in built.to_dicts():
        expected = by_hand[row["patient_id"], row["ma_cskcb"], row["ma_lk"]]
        assert [row[c] for c in columns] == pytest.approx([expected[c] for c in columns])
    assert built.get_column(columns[1]).max() == pytest.approx(1_130, abs=20)  # Hà Nội to Hồ Chí Minh City, about


CHEAP_MONTH = "\n".join(f"M{i} | 2025-02-1{i} 08:00 | 2 " for i in range(6))
CHEAP_LINES = "\n".join(f"M{i} | 40.48 | 4 | 100 | 10 | 2025-02-1{i} 08:10" for i in range(6))
ENCOUNTERS = "ma_lk | ngay_vao | facility_rank\n"
LINES = "ma_lk | ma_thuoc | ma_nhom | don_gia | so_luong | ngay_yl\n"
SUBJECT = draw(
    encounter=f"{ENCOUNTERS}{CHEAP_MONTH}\nS | 2025-03-20 08:00 | 2",
    drug_line=f"{LINES}{CHEAP_LINES}\nS | 40.48 | 4 | 150 | 30 | 2025-03-20 08:10",
)


def test_a_line_is_held_against_the_month_before_its_arrival_only() -> None:
    dear = "\n".join(f"D{i} | 2025-03-0{i + 1} 08:00 | 2" for i in range(9))
    dear_lines = "\n".join(f"D{i} | 40.48 | 4 | 900 | 90 | 2025-03-0{i + 1} 08:10" for i in range(9))
    later = draw(encounter=ENCOUNTERS + dear, drug_line=LINES + dear_lines)
    before = build_matrix(SUBJECT.tables(), "line", columns=MONTH_BEFORE).filter(ma_lk="S")
    assert before.select(MONTH_BEFORE).row(0) == (1.5, 3.0, 1.5, 3.0)
    after = build_matrix(SUBJECT.joined(later).tables(), "line", columns=MONTH_BEFORE).filter(ma_lk="S")
    assert_frame_equal(before, after, check_exact=True)


def test_four_lines_are_no_month_before() -> None:
    few = SUBJECT.only(*((("01001", name)) for name in ("M0", "M1", "M2", "M3", "S")))
    assert build_matrix(few.tables(), "line", columns=MONTH_BEFORE).select(MONTH_BEFORE).null_count().row(0) == (5,) * 4
