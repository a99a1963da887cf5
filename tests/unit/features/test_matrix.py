"""The matrix has every entity once, typed and sorted, and refuses a feature that would multiply rows."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import polars as pl
import pytest

from features import matrix as matrix_module
from features.base import FeatureBuilder, discover
from features.expressions import Frame
from features.matrix import RepeatedKey, build_matrix, numeric_columns, text_columns
from tests.lib.claims import ClaimTables, draw

CLAIMS = draw(
    encounter="""
        ma_cskcb | ma_lk | ngay_vao         | ngay_ra          | t_tongchi_bh
        01002    | A     | 2025-03-03 08:00 | 2025-03-03 09:00 | 90000
        01001    | B     | 2025-03-03 08:00 | 2025-03-03 09:00 | 50000
        01001    | A     | 2025-03-03 08:00 | 2025-03-03 09:00 | 10000
    """,
    service_line="""
        ma_cskcb | ma_lk | ma_nhom | ma_bac_si | thanh_tien_bh
        01001    | A     | 13      | BS1       | 45000
    """,
)


def test_rows_are_sorted_entities_and_columns_typed() -> None:
    built = build_matrix(CLAIMS.tables(), "encounter")
    assert built.select("ma_cskcb", "ma_lk").rows() == [("01001", "A"), ("01001", "B"), ("01002", "A")]
    assert set(built.columns[2:]) == {*numeric_columns("encounter"), *text_columns("encounter")}
    assert set(built.select(numeric_columns("encounter")).dtypes) == {pl.Float64()}
    assert set(built.select(text_columns("encounter")).dtypes) == {pl.String()}


def test_encounters_without_lines_have_no_cost_and_no_share() -> None:
    built = build_matrix(CLAIMS.tables(), "encounter", columns=["cost_exam", "share_exam"])
    assert built.columns == ["ma_cskcb", "ma_lk", "cost_exam", "share_exam"]
    assert built.rows()[:2] == [("01001", "A", 45_000.0, 1.0), ("01001", "B", 0.0, None)]


def test_only_encounters_with_a_doctor_make_a_doctor_month() -> None:
    built = build_matrix(CLAIMS.tables(), "doctor_month", columns=["visits"])
    assert built.rows() == [("01001", "BS1", 202503, 1.0)]


def test_an_unknown_column_is_refused_by_name() -> None:
    with pytest.raises(KeyError, match="no encounter feature gives \\['shoe_size'\\]"):
        build_matrix(CLAIMS.tables(), "encounter", columns=["bill_total", "shoe_size"])


def test_a_feature_that_gives_an_entity_twice_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def per_line(tables: ClaimTables) -> Frame:
        return tables.encounter.join(tables.encounter.select("ma_cskcb", other="ma_lk"), on="ma_cskcb").select(
            "ma_cskcb", "ma_lk", twice="month"
        )

    broken = FeatureBuilder(
        name="twice",
        version=1,
        level="encounter",
        needs=("encounter.month",),
        columns={"twice": "given once an encounter of the facility"},
        description="broken on purpose",
        function=per_line,
    )
    monkeypatch.setattr(matrix_module, "discover", lambda level: (*discover(level), broken))
    with pytest.raises(RepeatedKey, match="feature twice gives an entity of level encounter twice"):
        build_matrix(CLAIMS.tables(), "encounter", columns=["bill_total", "twice"])


def test_a_claim_alone_gets_the_same_bits_as_in_a_batch() -> None:
    # 45000.33 / (6000 / 1440) days: divided by way of a reciprocal, as Polars does for one row, the last bit differs
    rows = [
        {
            "ma_lk": f"L{i}",
            "ngay_vao": datetime.fromisoformat("2025-03-01 07:00"),
            "ngay_ra": datetime.fromisoformat("2025-03-05 11:00"),
            "t_tongchi_bh": Decimal("45000.33") + i,
        }
        for i in range(40)
    ]
    batch = build_matrix(draw(encounter=rows).tables(), "encounter")
    alone = pl.concat(
        [build_matrix(draw(encounter=[row]).tables(), "encounter", columns=["cost_per_day"]) for row in rows]
    )
    assert alone.sort("ma_lk").get_column("cost_per_day").equals(batch.get_column("cost_per_day"))


def test_columns_that_look_at_everyone_can_be_left_out() -> None:
    assert {
        c.rsplit("_", 1)[1] for c in set(numeric_columns("line")) - set(numeric_columns("line", context="patient"))
    } == {"median"}
    assert numeric_columns("encounter", context="patient") == numeric_columns("encounter")
    assert numeric_columns("doctor_month", context="patient") == ()


def test_every_line_of_both_tables_is_an_entity() -> None:
    built = build_matrix(CLAIMS.tables(), "line", columns=["line_cost", "heading"])
    assert built.rows() == [("01001", "A", "service_line", 1, 45_000.0, "exam")]


def test_a_patient_has_a_row_as_of_each_claim_and_none_without_a_card() -> None:
    drawn = draw(
        encounter="""
            ma_lk | patient_id | ngay_vao         | ngay_ra
            A     | an         | 2025-03-03 08:00 | 2025-03-03 09:00
            B     | an         | 2025-03-05 08:00 | 2025-03-05 09:00
            C     | -          | 2025-03-05 08:00 | 2025-03-05 09:00
            D     | binh       | -                | 2025-03-05 09:00
        """
    )
    built = build_matrix(drawn.tables(), "patient", columns=["patient_visits_30d", "patient_median_gap_days"])
    assert built.rows() == [("an", "01001", "A", 1.0, None), ("an", "01001", "B", 2.0, 2.0)]
