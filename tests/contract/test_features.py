# ruff: noqa: E501 - claims are drawn as tables
"""Every feature keeps its promises: named columns, one row an entity, pure, equal on every engine, calm when empty."""

from __future__ import annotations

from typing import get_args

import narwhals as nw
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from data.schema import ENCOUNTER_KEY, ClaimTables, columns
from features.base import KEYS, FeatureBuilder, Level, discover
from features.matrix import TEXT_BUILDERS, numeric_columns, text_columns
from features.names import NAMES, UNITS
from tests.lib.claims import Claims, Engine, draw, dtypes
from tests.lib.level_twins import TWINS

FRAMES = ("encounter", "drug_line", "service_line", "lab_result")
LEVELS: tuple[Level, ...] = get_args(Level)
BUILDERS = [b for level in LEVELS for b in discover(level)]
by_name = pytest.mark.parametrize("builder", BUILDERS, ids=lambda b: b.name)

ORDINARY = draw(
    encounter="""
        ma_cskcb | ma_lk | patient_id | ngay_vao         | ngay_ra          | ma_loai_kcb | ma_benh_chinh | ma_benh_kt | ngay_sinh  | gioi_tinh | ma_doituong_kcb | ma_khoa | so_ngay_dtri | t_tongchi_bv | t_tongchi_bh | t_bhtt   | t_bntt | facility_rank | ma_dkbd | ma_noi_di
        01001    | A     | an         | 2025-03-01 07:30 | 2025-03-01 09:00 | 01          | J02.9         | I10;E11    | 1960-03-02 | 1         | 1.1             | K01     | 0            | 216000.40    | 200000.40    | 160000.3 | 16000  | 2 | 01001   | -
        01001    | B     | an         | 2025-03-04 22:15 | 2025-03-09 08:00 | 03          | J18           | -          | 1960-03-02 | 1         | 2               | K01;K19 | 6            | 3000000      | 2900000      | 2320000  | 100000 | 2 | 01001   | 01002
        01002    | C     | an         | 2025-03-20 08:00 | 2025-03-20 08:04 | 1           | j02           | I10        | 1960-03-02 | 1         | 1.3             | K01     | 0            | 90000        | 90000        | 90000    | 0      | 1 | 79001   | -
        01002    | D     | binh       | 2025-03-20 08:00 | 2025-03-20 10:00 | 01          | I10           | -          | 2024-06-30 | 2         | 3.2             | K02     | 0            | 0            | 0            | 0        | 0      | 1 | 01002   | -
        01002    | E     | -          | 2025-04-02 09:00 | 2025-04-02 11:00 | 01          | -             | -          | -          | -         | -               | -       | -            | -            | -            | -        | -      | - | -       | -
    """,
    drug_line="""
        ma_cskcb | ma_lk | ma_thuoc | ma_nhom | so_luong | lieu_dung                                         | duong_dung | thanh_tien_bh | t_bhtt | ngay_yl          | ngay_th_yl       | ma_bac_si | ma_khoa | don_gia | thanh_tien_bv | tyle_tt_bh | muc_huong
        01001    | A     | 40.48    | 4       | 60       | 1 viên/lần * 2 lần/ngày * 5 ngày [2 viên/ngày]    | 1.01       | 5125.33       | 4100   | 2025-03-01 08:00 | 2025-03-01 08:30 | BS1;BS9   | K01 | 85.422  | 5125.33       | 100        | 80
        01001    | A     | 40.48    | 4       | 10       | theo y lệnh                                       | 1.01       | 5125.33       | 4100   | 2025-03-01 08:00 | 2025-03-01 08:30 | BS1       | K01 | 512.5   | 5125          | 100        | 80
        01001    | B     | 40.100   | 6       | 2.5      | 0,5 * 1 * 7                                       | 2.10       | 900000        | 720000 | 2025-03-05 08:00 | 2025-03-05 08:30 | BS2       | K19 | 360000  | 900000        | 50         | 80
        01002    | C     | 40.48    | 4       | 14       | 1/2 viên * 2 lần                                  | -          | 7000          | 7000   | 2025-03-20 08:01 | -                | BS3       | K01 | 500     | 7000          | -          | 100
        01002    | E     | -        | -       | -        | -                                                 | -          | -             | -      | -                | -                | -         | - | -       | -             | -          | -
    """,
    service_line="""
        ma_cskcb | ma_lk | ma_dich_vu   | ma_vat_tu | ma_nhom | so_luong | thanh_tien_bh | t_bhtt | ngay_yl          | ngay_th_yl       | ngay_kq          | ma_bac_si | ma_khoa | don_gia_bh | thanh_tien_bv | tyle_tt_bh | muc_huong | nguoi_thuc_hien
        01001    | A     | 02.1897      | -         | 13      | 1        | 45000         | 36000  | 2025-03-01 07:35 | 2025-03-01 07:35 | -                | BS2       | K01 | 45000      | 45000         | 100        | 80        | BS2
        01001    | A     | 23.0075.1494 | -         | 1       | 1        | 21800         | 17440  | 2025-03-01 07:40 | 2025-03-01 07:45 | 2025-03-01 08:20 | BS1       | K01 | 21800      | 21800         | 100        | 80        | KTV1;BS1
        01001    | B     | K19.1911     | -         | 15      | 7        | 1400000       | 112000 | 2025-03-04 22:30 | -                | -                | BS2       | K19 | 200000     | 1500000       | 100        | 8         | -
        01001    | B     | 23.0075.1494 | -         | 1       | 3        | 65400         | 52320  | 2025-03-06 08:00 | 2025-03-06 08:10 | 2025-03-06 08:11 | BS2       | K19 | 21800      | 65400         | 100        | 80        | BS2;KTV1
        01001    | B     | 10.0001      | N03.01    | 10      | 2        | 150000        | 120000 | 2025-03-06 08:00 | 2025-03-06 08:10 | -                | BS1       | K19 | 75000      | 150000        | 50         | 80        | BS1
        01002    | C     | 23.0075.1494 | -         | 1       | 1        | 21800         | 17440  | 2025-03-20 08:02 | 2025-03-20 08:03 | 2025-03-20 08:04 | BS3       | K01 | 21800      | 21800         | 100        | 100       | BS3
        01002    | D     | 18.0001      | -         | 2       | 1        | 0             | 0      | 2025-03-21 08:02 | 2025-03-21 08:03 | 2025-03-21 08:04 | -         | K02 | 0          | 0             | -          | -         | -
    """,
)  # fmt: skip


def _blank(claims: Claims) -> Claims:
    """The same rows with nothing in them but their keys: what the worst exporter sends."""
    kept = {"ma_cskcb", "ma_lk", "row_no", "month", "withdrawn"}
    tables = (claims.encounter, claims.drug_line, claims.service_line, claims.lab_result)
    return Claims(*([{c: v if c in kept else None for c, v in row.items()} for row in t] for t in tables))


DRAWINGS = {"ordinary": ORDINARY, "blank": _blank(ORDINARY), "empty": draw()}
Tables = dict[tuple[str, Engine], ClaimTables]


@pytest.fixture(name="tables", scope="module")
def frames_of_all_drawings() -> Tables:
    return {(name, engine): drawn.tables(engine) for name, drawn in DRAWINGS.items() for engine in get_args(Engine)}


def built(builder: FeatureBuilder, tables: ClaimTables) -> pl.DataFrame:
    """The builder's frame, sorted, numbers as Float64."""
    frame = nw.to_native(builder.build(tables).collect("polars"))
    keys = KEYS[builder.level]
    dtype = pl.String() if builder.name in TEXT_BUILDERS else pl.Float64()
    return frame.select(*keys, *(pl.col(c).cast(dtype) for c in builder.columns)).sort(keys)


@by_name
@pytest.mark.parametrize("drawing", DRAWINGS)
def test_gives_its_columns_once_an_entity_and_equal_on_both_engines(
    builder: FeatureBuilder, drawing: str, tables: Tables
) -> None:
    here, there = built(builder, tables[drawing, "polars"]), built(builder, tables[drawing, "duckdb"])
    lazily = builder.build(tables[drawing, "polars"])
    assert set(lazily.collect_schema().names()) == {*KEYS[builder.level], *builder.columns}
    assert not here.select(KEYS[builder.level]).is_duplicated().any()
    if builder.level == "encounter":
        assert here.height == len(DRAWINGS[drawing].encounter)
    if builder.level == "line":
        assert here.height == len(DRAWINGS[drawing].drug_line) + len(DRAWINGS[drawing].service_line)
    numbers = [here.get_column(c) for c, dtype in here.schema.items() if dtype == pl.Float64()]
    assert [n.name for n in numbers if not n.drop_nulls().is_finite().all()] == []
    assert_frame_equal(here, there, rel_tol=1e-9, abs_tol=1e-9)


@by_name
def test_is_pure(builder: FeatureBuilder) -> None:
    assert_frame_equal(built(builder, ORDINARY.tables()), built(builder, ORDINARY.tables()), check_exact=True)


@by_name
def test_needs_are_columns_of_the_claim_tables(builder: FeatureBuilder) -> None:
    unknown = [need for need in builder.needs if need.split(".")[1] not in dtypes(need.split(".")[0])]
    assert unknown == []
    assert set(columns("encounter")) <= set(dtypes("encounter"))


@by_name
def test_needs_are_all_that_it_reads(builder: FeatureBuilder) -> None:
    kept = {f"{t}.{c}" for t in FRAMES for c in (*ENCOUNTER_KEY, "row_no")} | set(builder.needs)
    bare = Claims(
        *([{c: v if f"{t}.{c}" in kept else None for c, v in r.items()} for r in getattr(ORDINARY, t)] for t in FRAMES)
    )
    assert_frame_equal(built(builder, bare.tables()), built(builder, ORDINARY.tables()), check_exact=True)


@by_name
def test_is_described(builder: FeatureBuilder) -> None:
    assert "Source:" in builder.description
    assert all(text and "\n" not in text for text in builder.columns.values())
    assert builder.needs
    # the catalogue prints columns: when one is null must be said there or of the whole family
    silent = [c for c, text in builder.columns.items() if "null" not in (text + builder.description).lower()]
    assert builder.name in TEXT_BUILDERS or silent == []


def test_there_are_features_enough_on_each_level() -> None:
    least: dict[Level, int] = {"line": 25, "encounter": 90, "patient": 20, "doctor_month": 30, "facility_month": 30}
    assert all(len(numeric_columns(level)) >= n for level, n in least.items())


@pytest.mark.parametrize("level", LEVELS)
def test_every_number_column_has_a_name_in_both_languages_and_a_unit(level: Level) -> None:
    assert [c for c in numeric_columns(level) if c not in NAMES] == []
    assert all(name.vi and name.en and name.unit in UNITS for name in NAMES.values())


def test_no_name_without_a_feature() -> None:
    assert set(NAMES) == {c for level in LEVELS for c in numeric_columns(level)}


@pytest.mark.parametrize("level", LEVELS)
def test_every_column_has_a_slow_twin(level: Level) -> None:
    twin = TWINS[level](ORDINARY)
    assert twin
    assert all(set(values) == {*numeric_columns(level), *text_columns(level)} for values in twin.values())
