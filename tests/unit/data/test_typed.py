"""Typing text rows: exact values, and a finding for every cell that was not taken as written."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from data.checks import check_of, with_hints
from data.schema import DERIVED, TABLES
from data.typed import FINDING_COLUMNS, official_fields, type_table

RECEIVED = date(2025, 10, 8)
ENCOUNTER = {
    "ma_lk": "LK1",
    "ma_cskcb": "99001",
    "ngay_vao": "202510060800",
    "ngay_ra": "202510061030",
    "t_tongchi_bh": "1000",
    "t_bhtt": "800",
}
LINE = {"ma_lk": "LK1", "ma_cskcb": "99001", "so_luong": "10", "thanh_tien_bh": "5125", "t_bhtt": "4100"}


def typed(name: str, *rows: dict[str, str | None]) -> tuple[list[dict[str, Any]], list[tuple[str, str, str]]]:
    base = ENCOUNTER if name == "encounter" else LINE
    raw = pl.DataFrame(
        # presence is asked of records of QĐ 130 only, and tested apart
        [{"version": 7, "standard": "4210"} | base | row | {"row_no": n} for n, row in enumerate(rows, 1)],
        infer_schema_length=None,
    )
    result = type_table(name, raw, received=RECEIVED)
    found = result.findings.select("severity", "code", "field").rows()
    return result.rows.to_dicts(), found


def encounter(**cells: str | None) -> tuple[list[dict[str, Any]], list[tuple[str, str, str]]]:
    return typed("encounter", cells)


def drug(**cells: str | None) -> tuple[list[dict[str, Any]], list[tuple[str, str, str]]]:
    return typed("drug_line", cells)


@pytest.mark.parametrize(("source", "name"), TABLES.items())
def test_rows_have_exactly_the_official_columns_derived_and_provenance(source: str, name: str) -> None:
    raw = pl.DataFrame({"ma_lk": ["LK1"], "_facility": ["99001"], "hoso_no": [3], "khac": ["x"], "row_no": [1]})
    result = type_table(name, raw, received=RECEIVED)
    expected = {field.name: field.dtype for field in official_fields(name)}
    later = {"file_sha256", "content_id"}
    expected |= {column: dtype for column, dtype in DERIVED.get(name, {}).items() if column not in later}
    schema = dict(result.rows.schema)
    assert {"_facility", "hoso_no", "row_no"} <= schema.keys()
    assert {c: t for c, t in schema.items() if c not in ("_facility", "hoso_no", "row_no")} == expected
    assert dict(result.findings.schema) == FINDING_COLUMNS
    assert type_table(name, pl.DataFrame(), received=RECEIVED).rows.height == 0
    assert type_table(name, raw.clear(), received=RECEIVED).rows.schema == result.rows.schema


def test_a_whole_encounter_is_typed_without_findings() -> None:
    (row,), found = encounter(
        ma_the_bhyt="dn4990000000001;TE1990000000002", ngay_sinh="198503150000", gioi_tinh="2", ma_khoa="K01\t", stt="1"
    )
    assert found == []
    assert row["ngay_vao"] == datetime.fromisoformat("2025-10-06T08:00")
    assert row["t_bhtt"] == Decimal("800.00")
    assert (row["gioi_tinh"], row["stt"], row["ma_khoa"]) == (2, 1, "K01")
    assert (row["card_class"], row["withdrawn"], row["version"]) == ("DN4", False, 7)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.005", "1.01"),
        ("1.0049999999", "1.00"),
        ("0.0049999995", "0.00"),
        ("30864.195", "30864.20"),
        ("999999999999999.99", "999999999999999.99"),
        ("00012", "12.00"),
        (" 5\t", "5.00"),
        ("-0", "0.00"),
    ],
)
def test_money_is_exact_and_rounded_half_away_from_zero(text: str, value: str) -> None:
    (row,), found = drug(t_bhtt=text)
    assert row["t_bhtt"] == Decimal(value)
    assert found == []


def test_quantities_keep_three_decimals() -> None:
    (row,), _ = drug(so_luong="0.3335", don_gia="12345.6785")
    assert (row["so_luong"], row["don_gia"]) == (Decimal("0.334"), Decimal("12345.679"))


@pytest.mark.parametrize(
    "text", ["1,000", "1.000.000", "1e5", "+5", "5.", ".5", "12 000", "NaN", "1234567890123456", "٣"]
)
def test_an_unreadable_core_amount_costs_the_row_and_another_only_its_cell(text: str) -> None:
    rows, found = drug(t_bhtt=text)
    assert rows == []
    assert found == [("quarantine", "unreadable_amount", "t_bhtt")]
    (row,), found = drug(t_bntt=text)
    assert row["t_bntt"] is None
    assert found == [("warn", "unreadable_amount", "t_bntt")]


@pytest.mark.parametrize("text", ["-1", "-0.01", "-1234567.1234567"])
def test_negative_money_costs_the_row(text: str) -> None:
    assert encounter(t_bhtt=text) == ([], [("quarantine", "negative_amount", "t_bhtt")])
    assert drug(so_luong=text) == ([], [("quarantine", "negative_amount", "so_luong")])
    (row,), found = drug(t_bntt=text)
    assert (row["t_bntt"], found) == (None, [("warn", "negative_amount", "t_bntt")])


@pytest.mark.parametrize(
    ("cells", "finding"),
    [
        ({"ma_lk": None}, ("missing_key", "ma_lk")),
        ({"ma_lk": " \t"}, ("missing_key", "ma_lk")),
        ({"ma_cskcb": ""}, ("missing_key", "ma_cskcb")),
        ({"ngay_vao": None}, ("missing_date", "ngay_vao")),
        ({"ngay_ra": ""}, ("missing_date", "ngay_ra")),
        ({"ngay_ra": "202502300800"}, ("unreadable_date", "ngay_ra")),
        ({"ngay_ra": "06/10/2025"}, ("unreadable_date", "ngay_ra")),
        ({"ngay_ra": "202510062460"}, ("unreadable_date", "ngay_ra")),
        ({"ngay_vao": "190001010800"}, ("absurd_date", "ngay_vao")),
        ({"ngay_vao": "200912312359"}, ("absurd_date", "ngay_vao")),
        ({"ngay_ra": "202611130800"}, ("absurd_date", "ngay_ra")),
        ({"ngay_ra": "202510060759"}, ("dates_reversed", "ngay_ra")),
        ({"t_tongchi_bh": None, "t_bhtt": ""}, ("missing_amount", "t_bhtt")),
    ],
)
def test_an_encounter_that_cannot_be_judged_is_quarantined(
    cells: dict[str, str | None], finding: tuple[str, str]
) -> None:
    rows, found = encounter(**cells)
    assert rows == []
    assert found == [("quarantine", *finding)]


def test_an_episode_may_end_after_it_was_received() -> None:
    rows, found = encounter(ngay_ra="202611110000")
    assert (len(rows), found) == (1, [])


def test_one_amount_is_enough_and_a_withdrawal_needs_none() -> None:
    assert len(encounter(t_tongchi_bh=None)[0]) == 1
    (row,), found = encounter(t_tongchi_bh=None, t_bhtt=None, ma_doituong_kcb="8")
    assert (row["withdrawn"], found) == (True, [])


@pytest.mark.parametrize(
    ("text", "value", "finding"),
    [
        ("20251006080059", datetime.fromisoformat("2025-10-06T08:00:59"), None),
        ("20251006", datetime.fromisoformat("2025-10-06"), "date_without_time"),
        ("2025100608", None, "unreadable_date"),
        ("000000000000", None, "unreadable_date"),
        ("202710060800", None, "absurd_date"),
    ],
)
def test_dates_of_other_lengths(text: str, value: datetime | None, finding: str | None) -> None:
    (row,), found = drug(ngay_yl=text)
    assert row["ngay_yl"] == value
    assert found == ([("warn", finding, "ngay_yl")] if finding else [])


@pytest.mark.parametrize(
    ("text", "born", "precision"),
    [
        ("198500000000", date(1985, 1, 1), "year"),
        ("198503000000", date(1985, 3, 1), "month"),
        ("198503150000", date(1985, 3, 15), "day"),
        ("202510050830", date(2025, 10, 5), "minute"),
        ("19850315", date(1985, 3, 15), "day"),
        ("1985", date(1985, 1, 1), "year"),
        ("198500150000", date(1985, 1, 1), "year"),
        (None, None, None),
    ],
)
def test_the_date_of_birth_keeps_what_is_known(text: str | None, born: date | None, precision: str | None) -> None:
    (row,), found = encounter(ngay_sinh=text)
    assert (row["ngay_sinh"], row["birth_precision"]) == (born, precision)
    assert found == []


@pytest.mark.parametrize("text", ["198513000000", "198502310000", "202601010000", "150001010000", "01/01/1985", "85"])
def test_an_impossible_date_of_birth_is_a_warning(text: str) -> None:
    (row,), found = encounter(ngay_sinh=text)
    assert (row["ngay_sinh"], row["birth_precision"]) == (None, None)
    assert found == [("warn", "unreadable_birth", "ngay_sinh")]


def test_doubtful_cells_are_warnings() -> None:
    (row,), found = encounter(gioi_tinh="4", ket_qua_dtri="9", so_ngay_dtri="x", thang_qt="10.0", ma_khuvuc="K123")
    assert (row["gioi_tinh"], row["ket_qua_dtri"], row["so_ngay_dtri"], row["thang_qt"]) == (None, 9, None, 10)
    assert row["ma_khuvuc"] == "K123"
    assert sorted(found) == [
        ("warn", "too_long", "ma_khuvuc"),
        ("warn", "unknown_code", "gioi_tinh"),
        ("warn", "unknown_code", "ket_qua_dtri"),
        ("warn", "unknown_code", "ma_khuvuc"),
        ("warn", "unreadable_number", "so_ngay_dtri"),
    ]


def test_length_counts_characters_and_not_bytes() -> None:
    assert drug(don_vi_tinh="ệ" * 50)[1] == []
    assert drug(don_vi_tinh="ệ" * 51)[1] == [("warn", "too_long", "don_vi_tinh")]


@pytest.mark.parametrize(
    ("text", "doctor"), [(" 001/A ; 002/B", "001/A"), ("001/A", "001/A"), (";002", None), (None, None)]
)
def test_the_doctor_is_the_first_practitioner(text: str | None, doctor: str | None) -> None:
    (row,), _ = drug(ma_bac_si=text)
    assert row["doctor"] == doctor


def test_a_bad_row_never_loses_its_good_neighbours() -> None:
    rows, found = typed("drug_line", {}, {"t_bhtt": "x"}, {"ma_lk": None}, {"so_luong": "2"})
    assert [row["row_no"] for row in rows] == [1, 4]
    assert sorted(code for _, code, _ in found) == ["missing_key", "unreadable_amount"]


def test_findings_say_where_and_what_but_never_who() -> None:
    raw = pl.DataFrame(
        [ENCOUNTER | {"t_bhtt": "x", "ma_bn": "b" * 101, "dien_thoai": "0" * 40, "row_no": 3, "version": 9}]
    )
    hinted = pl.lit(None, pl.String).alias("hint_vi"), pl.lit(None, pl.String).alias("hint_en")
    findings = type_table("encounter", raw, received=RECEIVED).findings.filter(pl.col("code") != "bad_format")
    found = with_hints(findings.with_columns(hinted)).sort("field").to_dicts()
    assert [(f["field"], f["value"]) for f in found] == [("dien_thoai", None), ("ma_bn", "b" * 100), ("t_bhtt", "x")]
    assert {(f["line_table"], f["row_no"], f["version"], f["ma_cskcb"], f["ma_lk"]) for f in found} == {
        ("encounter", 3, 9, "99001", "LK1")
    }
    check = check_of("encounter", "t_bhtt", "unreadable_amount")
    assert (found[2]["hint_vi"], found[2]["hint_en"]) == (check.hint_vi, check.hint_en)


def test_the_envelope_names_the_facility_where_the_row_does_not() -> None:
    raw = pl.DataFrame(
        [LINE | {"_facility": "99009", "row_no": 1}, LINE | {"_facility": "99009", "row_no": 2, "ma_cskcb": " "}]
    )
    rows = type_table("drug_line", raw, received=RECEIVED).rows
    assert rows["ma_cskcb"].to_list() == ["99001", "99009"]
