"""The shared words of the features: dosage text, ages, main doctor, what is known at arrival."""

from __future__ import annotations

import gc
import weakref

import narwhals as nw
import polars as pl
import pytest

from features.doctors import main_doctor
from features.expressions import lines, with_supply
from features.matrix import build_matrix
from tests.lib.claims import Engine, draw

DOSAGES = """
    ma_lk | so_luong | lieu_dung                                      | supply | written
    A     | 20       | 1 viên/lần * 2 lần/ngày * 5 ngày [2 viên/ngày] | 10     | 5
    A     | 14       | 1*2*7                                          | 7      | 7
    A     | 7        | 0,5 viên * 2 lần * 7 ngày                      | 7      | 7
    A     | 9        | uống sáng [3 viên/ngày]                        | 3      | -
    A     | 9        | 1/2 viên * 2 lần * 3 ngày                      | -      | 3
    A     | 9        | theo y lệnh                                    | -      | -
    A     | 9        | 0 * 2 * 3                                      | -      | 3
    A     | 9        | -                                              | -      | -
    A     | 99999    | 1*1*1                                          | 365    | 1
"""


def _cells() -> list[list[str]]:
    return [[c.strip() for c in line.split("|")] for line in DOSAGES.strip().splitlines()]


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_dosage_text_is_read(engine: Engine) -> None:
    head, *body = _cells()
    drawing = "\n".join("|".join(row[:3]) for row in (head, *body))
    tables = draw(encounter="ma_lk\nA", drug_line=drawing).tables(engine)
    read = nw.to_native(with_supply(tables.drug_line).collect("polars")).sort("row_no")
    expected = [tuple(None if c == "-" else float(c) for c in row[3:]) for row in body]
    assert read.select("supply", "written_days").rows() == expected


@pytest.mark.parametrize(
    ("born", "arrived", "age", "band"),
    [
        ("1960-03-04", "2025-03-03 08:00", 64.0, "60-74"),
        ("1960-03-03", "2025-03-03 08:00", 65.0, "60-74"),
        ("2024-12-31", "2025-01-01 08:00", 0.0, "00"),
        ("2024-02-29", "2025-02-28 08:00", 0.0, "00"),
        ("1950-03-03", "2025-03-03 08:00", 75.0, "75+"),
        ("2025-03-04", "2025-03-03 08:00", None, None),
    ],
)
def test_age_is_in_completed_years(born: str, arrived: str, age: float | None, band: str | None) -> None:
    drawn = draw(encounter=f"ma_lk|ngay_sinh|ngay_vao\nA|{born}|{arrived}")
    assert build_matrix(drawn.tables(), "encounter", columns=["age", "age_band"]).row(0)[2:] == (age, band)


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_main_doctor_is_the_examiner_else_the_dearest_lines_doctor(engine: Engine) -> None:
    drawn = draw(
        encounter="ma_lk\nexam\ndear\ntie\nnone",
        drug_line="""
            ma_lk | ma_nhom | ma_bac_si | t_bhtt
            exam  | 4       | BS1       | 900000
            dear  | 4       | BS1       | 10
            tie   | 4       | BS7       | 50
            none  | 4       | -         | 50
        """,
        service_line="""
            ma_lk | ma_nhom | ma_bac_si | t_bhtt
            exam  | 1       | BS2       | 10
            exam  | 13      | -         | 10
            exam  | 13      | BS3;BS4   | 10
            exam  | 13      | BS5       | 99
            dear  | 1       | BS6       | 20
            tie   | 1       | BS8       | 50
        """,
    )
    found = nw.to_native(main_doctor(drawn.tables(engine)).collect("polars"))
    assert dict(found.select("ma_lk", "doctor").iter_rows()) == {"exam": "BS3", "dear": "BS6", "tie": "BS7"}


def test_history_is_what_was_known_at_arrival() -> None:
    drawn = draw(
        encounter="""
            ma_lk | patient_id | ngay_vao         | ngay_ra          | ma_loai_kcb | t_bhtt
            old   | an         | 2025-01-01 08:00 | 2025-01-01 10:00 | 01          | 100
            stay  | an         | 2025-03-01 08:00 | 2025-03-12 08:00 | 03          | 1000
            now   | an         | 2025-03-10 08:00 | 2025-03-10 09:00 | 01          | 7
            same  | an         | 2025-03-10 08:00 | 2025-03-10 09:00 | 01          | 7
            later | an         | 2025-03-11 08:00 | 2025-03-11 09:00 | 01          | 7
            else  | binh       | 2025-03-09 08:00 | 2025-03-09 09:00 | 01          | 7
            card  | -          | 2025-03-10 08:00 | 2025-03-10 09:00 | 01          | 7
        """,
        drug_line="""
            ma_lk | ma_nhom | ngay_yl
            stay  | 4       | 2025-03-02 08:00
            stay  | 4       | 2025-03-11 08:00
        """,
    )
    asked = [
        "visits_7d",
        "visits_30d",
        "visits_90d",
        "paid_30d",
        "paid_90d",
        "drug_lines_30d",
        "still_inpatient_elsewhere",
    ]
    rows = {row[1]: row[2:] for row in build_matrix(drawn.tables(), "encounter", columns=asked).iter_rows()}
    # the stay is not over: its money and its later order are still unknown
    assert rows["now"] == (0.0, 1.0, 2.0, 0.0, 100.0, 1.0, 1.0)
    assert rows["card"] == (None,) * len(asked)
    assert rows["else"] == (0.0,) * len(asked)


def test_drugs_in_hand_count_what_is_left_of_earlier_prescriptions() -> None:
    drawn = draw(
        encounter="""
            ma_lk | patient_id | ngay_vao         | ma_loai_kcb
            first | an         | 2025-03-01 08:00 | 01
            next  | an         | 2025-03-11 08:00 | 01
        """,
        drug_line="""
            ma_lk | ma_nhom | ma_thuoc | so_luong | lieu_dung | ngay_yl
            first | 4       | metformin | 60      | 1*2*30    | 2025-03-01 08:00
            first | 4       | amlodipin | 14      | 1*1*14    | 2025-03-01 08:00
            next  | 4       | amlodipin | 14      | 1*1*14    | 2025-03-11 08:00
        """,
    )
    built = build_matrix(drawn.tables(), "encounter", columns=["drug_days_in_hand", "refill_days_in_hand"])
    assert {row[1]: row[2:] for row in built.iter_rows()} == {"first": (0.0, 0.0), "next": (20.0, 4.0)}


def test_a_shared_frame_is_described_once_and_forgotten_with_its_tables() -> None:
    tables = draw(encounter="ma_lk\nA").tables()
    assert lines(tables) is lines(tables)
    gone = weakref.ref(tables)
    assert isinstance(nw.to_native(lines(tables)), pl.LazyFrame)
    del tables
    gc.collect()
    assert gone() is None
