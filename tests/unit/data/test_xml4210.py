"""QĐ 4210 rows in the names and codes of QĐ 130, with their money identities kept."""

from __future__ import annotations

import copy
from decimal import Decimal

import pytest

from data.schema import fields
from data.sources import Problem
from data.xml130 import RawRecord, Row, read_envelope
from data.xml4210 import to_130
from tests.lib.envelopes import FIXTURES


def records(name: str) -> list[RawRecord]:
    with (FIXTURES / name).open("rb") as stream:
        return [item for item in read_envelope(stream) if isinstance(item, RawRecord)]


def one(table: str, **cells: str | None) -> Row:
    return to_130({table: [dict(cells)]})[table][0]


def test_a_4210_record_gets_the_names_and_codes_of_130() -> None:
    (record,) = records("base64_4210.xml")
    before = copy.deepcopy(record.tables)
    tables = to_130(record.tables)
    assert record.tables == before  # the rows given are not changed
    (summary,), (drug,), (service,) = tables["XML1"], tables["XML2"], tables["XML3"]
    expected = {
        "ma_the_bhyt": "GD4990000000003",
        "ngay_sinh": "199000000000",
        "chan_doan_rv": "chẩn đoán thử",
        "ma_benh_chinh": "J02",
        "ma_doituong_kcb": "1",
        "ma_loai_rv": "1",
        "ma_loai_kcb": "01",
        "t_tongchi_bh": "48950",
        "t_tongchi_bv": "48950",
        "t_bhtt_gdv": "39160",
    }
    assert summary.items() >= expected.items()
    expected = {
        "thanh_tien_bv": "10250",
        "thanh_tien_bh": "10250",
        "tyle_tt_bh": "100",
        "t_nguonkhac": "0",
        "ma_pttt": "2",
    }
    assert drug.items() >= expected.items()
    expected = {"don_gia_bv": "38700", "don_gia_bh": "38700", "thanh_tien_bv": "38700", "thanh_tien_bh": "38700"}
    assert service.items() >= (expected | {"tyle_tt_dv": "100", "tyle_tt_bh": "100"}).items()
    for table in ("XML1", "XML2", "XML3"):
        official = {field.name for field in fields(table)}
        old = {field.name for field in fields(table, "4210")} - official
        kept = {"t_ngoaids", "ma_benh"}  # no counterpart on a line
        assert not (old - kept) & tables[table][0].keys()


def test_130_names_with_4210_lines_are_renamed_with_a_warning() -> None:
    problems: list[Problem] = []
    first, _second = records("mixed_names_two_hoso_inline.xml")
    tables = to_130(first.tables, first.standard, problems=problems)
    assert tables["XML1"] is first.tables["XML1"]
    assert tables["XML2"][0]["thanh_tien_bv"] == tables["XML2"][0]["thanh_tien_bh"] == "30000"
    assert [(problem.code, problem.table, problem.severity) for problem in problems] == [
        ("mixed_standards", "XML2", "warn")
    ]


def test_a_130_record_stays_as_it_is() -> None:
    problems: list[Problem] = []
    for record in records("two_hoso_base64_3176.xml"):
        assert to_130(record.tables, record.standard, problems=problems) == record.tables
    assert problems == []


@pytest.mark.parametrize(("old", "new"), [("0", "1"), ("1", "2"), ("2", "1"), ("3", "3"), ("9", "9"), (None, None)])
def test_the_payment_method_is_recoded(old: str | None, new: str | None) -> None:
    assert one("XML2", ma_pttt=old, thanh_tien="1")["ma_pttt"] == new
    assert one("XML2", ma_pttt=old, thanh_tien_bh="1")["ma_pttt"] == old


@pytest.mark.parametrize(
    ("old", "new"), [("19850101", "198500000000"), ("19850315", "198503150000"), ("1985", "1985"), (None, None)]
)
def test_the_date_of_birth_says_what_is_known(old: str | None, new: str | None) -> None:
    assert one("XML1", ngay_sinh=old)["ngay_sinh"] == new


@pytest.mark.parametrize(("old", "new"), [("1", "1"), ("4", "1.2"), ("8", None), (None, None)])
def test_the_reason_of_arrival_never_withdraws_a_claim(old: str | None, new: str | None) -> None:
    assert one("XML1", ma_lydo_vvien=old).get("ma_doituong_kcb") == new


def test_a_field_already_under_its_new_name_wins() -> None:
    row = one("XML1", ma_noi_chuyen="01001", ma_noi_di="01002", ma_benh="A", ma_benh_chinh=None)
    assert (row["ma_noi_di"], row["ma_benh_chinh"]) == ("01002", "A")


@pytest.mark.parametrize(
    ("table", "amount", "ratio", "bv", "bh", "dv", "covered"),
    [
        ("XML2", "100000", "50", "100000", "50000.00", None, "50"),
        ("XML2", "50000", "50", "100000.00", "50000", None, "50"),
        ("XML3", "100000", "30", "100000", "30000.00", "100", "30"),
        ("XML3", "30000", "30", "30000", "30000", "30", "100"),
        ("XML3", "100000", "100", "100000", "100000", "100", "100"),
        ("XML3", "1e9999", "30", "1e9999", "1e9999", "100", "30"),
        ("XML3", "x", "y", "x", "x", "100", "y"),
    ],
)
def test_the_one_ratio_becomes_the_one_of_two_that_keeps_the_identities(
    table: str, amount: str, ratio: str, bv: str, bh: str, dv: str | None, covered: str
) -> None:
    row = one(table, so_luong="2", don_gia="50000", thanh_tien=amount, tyle_tt=ratio)
    assert (row["thanh_tien_bv"], row["thanh_tien_bh"]) == (bv, bh)
    assert (row.get("tyle_tt_dv"), row["tyle_tt_bh"]) == (dv, covered)
    if amount[0].isdigit() and "e" not in amount:
        share = Decimal(dv or "100") / 100
        assert Decimal(bv) == 2 * 50000 * share
        assert Decimal(bh) == Decimal(bv) * Decimal(covered) / 100


def test_notes_and_strengths_are_renamed() -> None:
    note = one("XML5", dien_bien="sốt", ngay_yl="202203150800")
    assert (note["dien_bien_ls"], note["thoi_diem_dbls"]) == ("sốt", "202203150800")
    assert one("XML2", ham_luong="500mg;125mg")["ham_luong"] == "500mg+125mg"
