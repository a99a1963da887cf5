"""Tabular sources: official extracts and mapped ones, as the text of claims, nothing lost and nothing invented."""

from __future__ import annotations

import csv
import gzip
import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data import mapping, tabular
from data.mapping import BadMapping, read_mapping
from data.tabular import BadTable, TabularFile, find_tables, read_tables
from data.typed import type_table

HEADER = "MA_LK,MA_CSKCB,MA_BN,NGAY_VAO,NGAY_RA,MA_BENH_CHINH,T_BHTT\n"
NAMED = f"{HEADER}A,01001,P1,202601010800,202601020900,J18,1000\nB,01001,P2,202601030800,202601030900,I10,2000.5\n"

XML1 = """
[[table]]
file = "claims.*"
table = "XML1"

[table.fields]
ma_cskcb = "provider"
ma_lk = "claim"
ma_bn = "patient"
ngay_vao = "admitted"
ngay_ra = "discharged"
ma_benh_chinh = "dx"
t_bhtt = "paid"
"""
CLAIMS = "provider,claim,patient,admitted,discharged,dx,paid\nH1,C1,P1,202601010000,202601020000,J18,10\n"


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="")
    return path


def chunks(
    paths: Path | Sequence[Path], mapping: str | None = None, *, at_once: int = 20_000
) -> list[dict[str, pl.DataFrame]]:
    """All chunks of the files; the mapping is TOML text."""
    given = [paths] if isinstance(paths, Path) else list(paths)
    folder = given[0] if given[0].is_dir() else given[0].parent
    read = read_mapping(put(folder / "scratch" / "map.toml", mapping)) if mapping is not None else None
    found = find_tables(given, read)
    return list(read_tables(found, read, scratch=folder / "scratch", encounters_at_once=at_once))


def rows(paths: Path | Sequence[Path], mapping: str | None = None, table: str = "XML1") -> list[dict[str, Any]]:
    return [row for chunk in chunks(paths, mapping) if table in chunk for row in chunk[table].iter_rows(named=True)]


def values(paths: Path | Sequence[Path], mapping: str | None, field: str, table: str = "XML1") -> list[str | None]:
    return [row[field] for row in rows(paths, mapping, table)]


def parquet(path: Path, **columns: Any) -> Path:
    pl.DataFrame(columns).write_parquet(path)
    return path


def workbook(path: Path, **sheets: list[list[Any]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, lines in sheets.items():
        sheet = book.create_sheet(name)
        for line in lines:
            sheet.append(line)
    book.save(path)
    return path


def mapped(more: str = "", **fields: str) -> str:
    """The mapping of `CLAIMS` with fields replaced or added, and sections after it."""
    text = XML1
    for name, column in fields.items():
        text, found = re.subn(rf"(?m)^{name} = .*$", f"{name} = {column}", text)
        text += "" if found else f"{name} = {column}\n"
    return text + more


# official field names


def test_an_official_csv_is_read_as_it_is(tmp_path: Path) -> None:
    (chunk,) = chunks(put(tmp_path / "XML1.csv", NAMED))
    assert list(chunk) == ["XML1"]
    frame = chunk["XML1"]
    assert dict(frame.schema) == {
        **dict.fromkeys(HEADER.strip().lower().split(","), pl.String),
        "hoso_no": pl.Int64,
        "row_no": pl.Int32,
        "file": pl.String,
    }
    assert frame.row(1, named=True) == {
        **dict(zip(HEADER.strip().lower().split(","), NAMED.splitlines()[2].split(","), strict=True)),
        "hoso_no": 2,
        "row_no": 1,
        "file": str(tmp_path / "XML1.csv"),
    }


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("xml1.csv", "XML1"),
        ("XML1_2026-01.CSV", "XML1"),
        ("2026 xml1.csv", "XML1"),
        ("encounter.csv", "XML1"),
        ("drug_line.csv", "XML2"),
        ("service_line-part2.csv", "XML3"),
        ("xml11.csv", "XML11"),
    ],
)
def test_the_name_of_a_file_tells_its_table(tmp_path: Path, name: str, table: str) -> None:
    (found,) = find_tables([put(tmp_path / name, "ma_lk,stt,ma_cskcb\nA,1,01001\n")], None)
    assert (found.table, found.entry, found.reading) == (table, None, "")


def test_else_the_columns_tell_the_table(tmp_path: Path) -> None:
    put(tmp_path / "a.csv", NAMED)
    put(tmp_path / "b.csv", "Ma_Lk,STT,MA_THUOC,TEN_THUOC,DON_GIA\nA,1,40.1,x,5\n")
    put(tmp_path / "c.csv", "MA_LK,STT,MA_DICH_VU,MA_VAT_TU,DON_GIA_BV,colour\nA,1,02.1,,5,red\n")
    found = find_tables([tmp_path], None)
    assert [(f.path.name, f.table, f.unused) for f in found] == [
        ("a.csv", "XML1", ()),
        ("b.csv", "XML2", ()),
        ("c.csv", "XML3", ("colour",)),
    ]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "id,name,amount\n1,x,5\n", "--mapping"),
        ("a.csv", "MA_LK,STT,SO_LUONG,DON_VI_TINH\nA,1,2,x\n", "alike"),
        ("xml1.csv", "id,name\n1,x\n", "no column is a field"),
        ("xml1.csv", "MA_LK,MA_THE,T_TONGCHI\nA,x,5\n", "QĐ 4210 (MA_THE, T_TONGCHI)"),
        ("xml2.csv", "STT,MA_THUOC\n1,40.1\n", "MA_LK"),
        ("xml1.csv", "MA_LK,T_BHTT,ma_lk\nA,1,B\n", "two columns MA_LK"),
        ("xml1.csv", "MA_LK,x,x\nA,1,B\n", "two columns 'x'"),
        ("xml1.csv", "", "no header"),
        ("xml1.xls", "\ufeff", "no header"),
    ],
)
def test_a_file_that_cannot_be_told_says_what_to_do(tmp_path: Path, name: str, text: str, said: str) -> None:
    path = put(tmp_path / name, text)
    with pytest.raises(BadTable) as raised:
        find_tables([path], None)
    assert said in str(raised.value)
    assert str(path) in str(raised.value)
    assert str(path) in raised.value.vi
    assert (raised.value.code, raised.value.exit_code) == ("bad_table", 1)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadTable, match="does not exist"):
        find_tables([tmp_path / "none.csv"], None)
    put(tmp_path / "claim.xml", "<x/>")
    with pytest.raises(BadTable, match=r"\*\.parquet"):
        find_tables([tmp_path], None)


def test_a_folder_is_searched_in_a_stable_order_and_nothing_twice(tmp_path: Path) -> None:
    put(tmp_path / "b" / "xml1.csv", NAMED)
    put(tmp_path / "a" / "xml1.csv", NAMED)
    put(tmp_path / ".xml1.csv", "x")
    put(tmp_path / "~$xml1.xlsx", "x")
    (tmp_path / "xml1.csv.gz").write_bytes(gzip.compress(NAMED.encode()))
    found = find_tables([tmp_path, tmp_path / "a", tmp_path / "a" / "xml1.csv"], None)
    assert [str(f.path.relative_to(tmp_path)) for f in found] == ["a/xml1.csv", "b/xml1.csv", "xml1.csv.gz"]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(NAMED.encode(), id="plain"),
        pytest.param(NAMED.rstrip("\n").encode(), id="no line end at the end"),
        pytest.param(NAMED.replace("\n", "\r\n").encode("utf-8-sig"), id="windows, marked"),
        pytest.param(NAMED.replace(",", ";").encode(), id="semicolons"),
        pytest.param(NAMED.replace(",", "\t").encode("utf-16"), id="Excel's Unicode text"),
        pytest.param(NAMED.replace(",", "|").encode(), id="bars"),
        pytest.param(gzip.compress(NAMED.encode()), id="packed"),
        pytest.param(NAMED.replace("P1", '"P1"').replace("J18", '" J18\t"').encode(), id="quotes and blanks"),
        pytest.param(NAMED.replace("J18,1000\n", "J18,1000\r\n").encode(), id="line ends of two kinds"),
    ],
)
def test_csv_as_programs_write_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "xml1[1].csv"
    path.write_bytes(content)
    read = [list(row.values())[:-3] for row in rows(path)]
    columns = list(rows(path)[0])[:-3]
    expected = [
        dict(zip(HEADER.strip().lower().split(","), line.split(","), strict=True)) for line in NAMED.split()[1:]
    ]
    assert read == [[row[column] for column in columns] for row in expected]


def test_a_cell_may_hold_delimiters_quotes_and_lines(tmp_path: Path) -> None:
    text = 'MA_LK,GHI_CHU,MA_BN\nA,"x, ""y""\nz",P\nB,5" tube,\n'
    assert values(put(tmp_path / "xml1.csv", text), None, "ghi_chu") == ['x, "y"\nz', '5" tube']


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"MA_LK,HO_TEN\nA,Nguyen Van A\nB\n", "line 3 has 1 cells, its header 2"),
        (b"MA_LK,HO_TEN\nA,Nguyen Van A,B\n", "line 2 has 3 cells, its header 2"),
        (b'MA_LK,HO_TEN\nA,"Nguyen Van A\nB,x\n', "line 2 is not valid CSV"),
        ("MA_LK,HO_TEN\nA,Nguyen Van A\nB,Tr\u00e2n\n".encode("latin-1"), "not UTF-8"),
        (b"MA_LK,HO_TEN\n" + b"A,Nguyen Van A\n" * 30_000 + b"B,\xe2\n", "not UTF-8"),
        (b"MA_LK,HO_TEN\nA,x\r\nB,Nguyen Van A\nC\r\n", "line 4 has 1 cells"),
        (b"PAR1 and no more", "cannot be read"),
        (b"PK\x03\x04 and no more", "cannot be read"),
        (b"\x1f\x8b and no more", "cannot be read"),
        (b"\xd0\xcf\x11\xe0 old Excel", "save it as .xlsx"),
    ],
)
def test_a_broken_file_is_refused_without_a_word_of_its_content(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "xml1.csv"
    path.write_bytes(content)
    with pytest.raises(BadTable) as raised:
        chunks(path)
    assert said in str(raised.value)
    for text in (str(raised.value), raised.value.vi):
        assert str(path) in text
        assert "Nguyen" not in text
    assert list((tmp_path / "scratch").iterdir() if (tmp_path / "scratch").exists() else []) == []


def test_words_that_mean_nothing_are_null(tmp_path: Path) -> None:
    cells = ["", "  ", *mapping.NULLS, "Na", "nan g", "x"]
    text = "MA_LK,MA_BN\n" + "".join(f"{i},{cell}\n" for i, cell in enumerate(cells))
    found = values(put(tmp_path / "xml1.csv", text), None, "ma_bn")
    assert found == [None] * (len(cells) - 3) + ["Na", "nan g", "x"]


def test_numbers_lose_exponents_and_nothing_else(tmp_path: Path) -> None:
    cells = ["1000", "1000.50", "1.5E+06", "+5", ".5", "-7", "1e400", "12,5", "abc", "007", "1e-3"]
    text = "MA_LK;T_BHTT;MA_BN\n" + "".join(f"{i};{cell};{cell}\n" for i, cell in enumerate(cells))
    found = rows(put(tmp_path / "xml1.csv", text))
    assert [row["t_bhtt"] for row in found] == [
        *("1000", "1000.50", "1500000", "5", "0.5", "-7", "1e400", "12,5", "abc", "007", "0.001")
    ]
    assert [row["ma_bn"] for row in found] == cells


def test_parquet_types_become_the_text_of_a_claim(tmp_path: Path) -> None:
    hanoi = UTC
    path = parquet(
        tmp_path / "encounter.parquet",
        ma_lk=pl.Series([1, 2, None], dtype=pl.Int64),
        MA_CSKCB=["01001", " 01A02\t", "NULL"],
        ma_bn=pl.Series([7.0, float("nan"), 1e16]),
        ngay_vao=[datetime(2026, 1, 1, 8, 5, 59), None, datetime(2026, 1, 2)],
        ngay_ra=pl.Series([datetime(2026, 1, 1, 20, tzinfo=UTC).astimezone(hanoi)] * 3),
        ngay_sinh=[date(1943, 1, 31), date(2025, 12, 1), None],
        gt_the_tu=[date(2026, 1, 1)] * 3,
        ma_benh_kt=[["I10", "E11"], [], None],
        t_bhtt=pl.Series([16800.0, 0.1, 1234567.25], dtype=pl.Float64),
        t_bntt=pl.Series(["1.50", "2.00", None]).cast(pl.Decimal(10, 2)),
        t_bncct=pl.Series([-0.0, 1e-7, float("inf")]),
        can_nang=pl.Series([3.2, 4.5, 60.0], dtype=pl.Float32),
        so_ngay_dtri=pl.Series([1, 0, 3], dtype=pl.UInt8),
        ghi_chu=[True, False, None],
    )
    (chunk,) = chunks(path)
    assert chunk["XML1"].drop("hoso_no", "row_no", "file").to_dict(as_series=False) == {
        "ma_lk": ["1", "2", None],
        "ma_cskcb": ["01001", "01A02", None],
        "ma_bn": ["7", None, "10000000000000000"],
        "ngay_vao": ["202601010805", None, "202601020000"],
        "ngay_ra": ["202601020300"] * 3,  # wall-clock time in Viet Nam
        "ngay_sinh": ["194301310000", "202512010000", None],
        "gt_the_tu": ["20260101"] * 3,
        "ma_benh_kt": ["I10;E11", None, None],
        "t_bhtt": ["16800", "0.1", "1234567.25"],
        "t_bntt": ["1.50", "2.00", None],
        "t_bncct": ["0", "0.0000001", "inf"],
        "can_nang": ["3.2", "4.5", "60"],
        "so_ngay_dtri": ["1", "0", "3"],
        "ghi_chu": ["true", "false", None],
    }


def test_a_workbook(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "xml1.xlsx",
        Sheet=[
            [],
            ["MA_LK", "MA_CSKCB", "NGAY_VAO", "NGAY_SINH", "GT_THE_TU", "T_BHTT", "MA_BN", None],
            ["A", "01001", datetime(2026, 1, 1, 8, 5), date(1990, 2, 3), date(2026, 1, 1), 0.1 + 0.2, 7, None],
            [None] * 8,
            ["B", "01001", "202601020000", None, "#N/A", 1e15, "007", None],
            ["C", None, None, None, None, 1234567.5, True, None],
        ],
    )
    found = rows(path)
    assert [[row[c] for c in ("ngay_vao", "ngay_sinh", "gt_the_tu", "t_bhtt", "ma_bn")] for row in found] == [
        ["202601010805", "199002030000", "20260101", "0.3", "7"],
        ["202601020000", None, None, "1000000000000000", "007"],
        [None, None, None, "1234567.5", "true"],
    ]
    assert {row["file"] for row in found} == {str(path)}


def test_a_workbook_of_several_sheets_is_several_tables(tmp_path: Path) -> None:
    book = workbook(
        tmp_path / "export.xlsx",
        XML1=[["MA_LK", "MA_CSKCB"], ["A", "01001"]],
        drugs=[["MA_LK", "MA_THUOC", "SO_LUONG", "DON_GIA"], ["A", "40.1", 1, 5], ["A", "40.2", 2, 5]],
        empty=[],
    )
    assert [(f.table, f.sheet) for f in find_tables([book], None)] == [("XML1", "XML1"), ("XML2", "drugs")]
    (chunk,) = chunks(book)
    assert chunk["XML2"].select("hoso_no", "row_no", "ma_cskcb", "ma_thuoc").rows() == [
        (1, 1, "01001", "40.1"),
        (1, 2, "01001", "40.2"),
    ]


def test_a_mapping_names_the_sheet(tmp_path: Path) -> None:
    lines = [line.split(",") for line in CLAIMS.splitlines()]
    book = workbook(tmp_path / "claims.xlsx", Notes=[["hello"]], Data=lines)
    with pytest.raises(BadTable, match=r"sheet = ….*Notes, Data"):
        chunks(book, XML1)
    with pytest.raises(BadTable, match="Notes, Data"):
        chunks(book, XML1.replace("[table.fields]", 'sheet = "Date"\n[table.fields]'))
    assert values(book, XML1.replace("[table.fields]", 'sheet = "Data"\n[table.fields]'), "ma_lk") == ["C1"]


def test_rows_of_a_sheet_wider_than_its_header_are_refused(tmp_path: Path) -> None:
    book = workbook(tmp_path / "xml1.xlsx", a=[["MA_LK", "MA_BN"], ["A", "x", "y"]])
    with pytest.raises(BadTable, match="line 2 has 3 cells, its header 2"):
        chunks(book)


def test_an_empty_table_gives_no_chunk(tmp_path: Path) -> None:
    put(tmp_path / "xml1.csv", HEADER)
    workbook(tmp_path / "xml2.xlsx", a=[["MA_LK", "STT"]])
    assert chunks(tmp_path) == []


# mapped sources


def test_a_mapping_covers_what_exists(tmp_path: Path) -> None:
    (chunk,) = chunks(put(tmp_path / "claims.csv", CLAIMS), XML1)
    (row,) = chunk["XML1"].drop("file").to_dicts()
    assert row == {
        "ma_lk": "C1",
        "ma_cskcb": "H1",
        "ma_bn": "P1",
        "ma_benh_chinh": "J18",
        "ngay_vao": "202601010000",
        "ngay_ra": "202601020000",
        "t_bhtt": "10",
        "hoso_no": 1,
        "row_no": 1,
    }
    assert "ma_the_bhyt" not in chunk["XML1"].columns  # nothing is invented for the card


def test_what_a_mapping_gives_is_accepted_by_intake(tmp_path: Path) -> None:
    text = "provider,patient,day,dx,usd\nPRV55912,BENE1,2026-01-01,J18,26000\nPRV55913,BENE1,2026-01-09,I10,5\n"
    mapping = """
    [[table]]
    file = "claims.csv"
    table = "XML1"
    [table.fields]
    ma_cskcb = "provider"
    ma_bn = "patient"
    ngay_vao = "day"
    ngay_ra = "day"
    ma_benh_chinh = "dx"
    t_bhtt = "usd"
    t_tongchi_bh = "usd"
    [table.dates]
    ngay_vao = "%Y-%m-%d"
    ngay_ra = "%Y-%m-%d"
    [table.units]
    t_bhtt = 25_450.25
    t_tongchi_bh = 25_450.25
    """
    (chunk,) = chunks(put(tmp_path / "claims.csv", text), mapping)
    raw = chunk["XML1"].with_columns(standard=pl.lit("130"), version=pl.col("hoso_no"))
    typed = type_table("encounter", raw, received=date(2026, 2, 1))
    assert typed.rows["t_bhtt"].to_list() == [Decimal("661706500.00"), Decimal("127251.25")]
    assert typed.rows["ngay_ra"].to_list() == [datetime(2026, 1, 1), datetime(2026, 1, 9)]
    assert typed.findings.filter(pl.col("severity") == "quarantine").height == 0


def test_one_column_may_feed_many_fields_and_many_columns_one(tmp_path: Path) -> None:
    text = "p,c,d,d1,d2,d3,n1,n2\nH,1,20260101,,I10,E11,fever,cough\nH,2,20260101,J18,NA,,,\n"
    mapping = """
    [[table]]
    file = "*.csv"
    table = "xml1"
    [table.fields]
    MA_CSKCB = "p"
    ma_lk = "c"
    ngay_vao = "d"
    ngay_ra = "d"
    ma_benh_chinh = ["d1", "d2"]
    ma_benh_kt = ["d2", "d3"]
    chan_doan_rv = ["n1", "n2"]
    t_bhtt = "c"
    t_tongchi_bh = "c"
    """
    found = rows(put(tmp_path / "claims.csv", text), mapping)
    assert [row["ma_benh_chinh"] for row in found] == ["I10", "J18"]
    assert [row["ma_benh_kt"] for row in found] == ["I10;E11", None]
    assert [row["chan_doan_rv"] for row in found] == ["fever;cough", None]
    assert [(row["t_bhtt"], row["t_tongchi_bh"]) for row in found] == [("1", "1"), ("2", "2")]


def test_constants(tmp_path: Path) -> None:
    more = '[table.constants]\nma_loai_kcb = "03"\nt_bntt = 1.50\nngay_ttoan = 2026-01-05\nnam_qt = 2026\n'
    more += 'ghi_chu = "it\'s"'
    (row,) = rows(put(tmp_path / "claims.csv", CLAIMS), XML1 + more)
    assert [row[name] for name in ("ma_loai_kcb", "t_bntt", "ngay_ttoan", "nam_qt", "ghi_chu")] == [
        *("03", "1.50", "202601050000", "2026", "it's")
    ]


def test_units_are_exact(tmp_path: Path) -> None:
    cells = ["10", "0.1", "1.005", "123456789012345.678901", "-3", "x", "", "1e3", "99999999999999999999999999999"]
    text = "MA_LK,paid,days\n" + "".join(f"{i},{cell},1\n" for i, cell in enumerate(cells))
    mapping = """
    [[table]]
    file = "claims.csv"
    table = "XML1"
    [table.fields]
    ma_lk = "MA_LK"
    t_bhtt = "paid"
    so_ngay_dtri = "days"
    [table.constants]
    ma_cskcb = "H"
    ngay_vao = "20260101"
    ngay_ra = "20260101"
    [table.units]
    t_bhtt = "23500.75"
    so_ngay_dtri = 7
    """
    found = rows(put(tmp_path / "claims.csv", text), mapping)
    expected: list[str | None] = []
    for cell in cells:
        try:
            product = Decimal(cell) * Decimal("23500.75")
            expected.append(f"{product:f}".rstrip("0").rstrip(".") if "." in f"{product:f}" else f"{product:f}")
        except ArithmeticError:
            expected.append(cell or None)
    expected[-1] = f"{cells[-1]} x 23500.75"  # never an amount that was not converted
    assert [row["t_bhtt"] for row in found] == expected
    assert {row["so_ngay_dtri"] for row in found} == {"7"}


@given(
    amount=st.decimals(min_value=-(10**13), max_value=10**13, places=6),
    factor=st.decimals(min_value=Decimal("0.00000001"), max_value=10**6, places=8),
)
@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_units_agree_with_decimal_arithmetic(tmp_path: Path, amount: Decimal, factor: Decimal) -> None:
    path = put(tmp_path / "claims.csv", CLAIMS.replace(",10\n", f",{amount:f}\n"))
    (found,) = values(path, XML1 + f'[table.units]\nt_bhtt = "{factor:f}"', "t_bhtt")
    with localcontext(prec=60):
        assert Decimal(found or "") == amount * factor


def test_codes(tmp_path: Path) -> None:
    text = "provider,claim,patient,admitted,discharged,dx,paid,sex,kind\n" + "".join(
        f"H,{i},P,202601010000,202601010000,x,1,{sex},{kind}\n"
        for i, (sex, kind) in enumerate([("M", "in"), (" F ", "out"), ("x", "?"), ("", ""), ("3", "in")])
    )
    more = """
    [table.codes.gioi_tinh]
    M = "1"
    F = 2
    x = ""
    [table.codes.ma_loai_kcb]
    in = "03"
    out = "01"
    "*" = "10"
    "" = "99"
    """
    found = rows(put(tmp_path / "claims.csv", text), mapped(gioi_tinh='"sex"', ma_loai_kcb='"kind"', more=more))
    assert [row["gioi_tinh"] for row in found] == ["1", "2", None, None, "3"]  # an unlisted value waits for the checks
    assert [row["ma_loai_kcb"] for row in found] == ["03", "01", "10", "99", "03"]


def test_thousands_of_codes_and_codes_of_numbers_in_parquet(tmp_path: Path) -> None:
    path = parquet(
        tmp_path / "claims.parquet",
        provider=["H"] * 3,
        claim=[1, 2, 3],
        patient=["P"] * 3,
        admitted=[date(2026, 1, 1)] * 3,
        discharged=[date(2026, 1, 1)] * 3,
        dx=[17, 4999, 5000],
        paid=[1] * 3,
        sex=[1.0, 2.0, None],
    )
    listed = "\n".join(f'{i} = "X{i}"' for i in range(5000))
    more = f'[table.codes.ma_benh_chinh]\n{listed}\n[table.codes.gioi_tinh]\n1 = "2"\n2 = "1"\n'
    found = rows(path, mapped(gioi_tinh='"sex"', more=more))
    assert [row["ma_benh_chinh"] for row in found] == ["X17", "X4999", "5000"]
    assert [row["gioi_tinh"] for row in found] == ["2", "1", None]


@pytest.mark.parametrize(
    ("formats", "cell", "expected"),
    [
        ('"%Y-%m-%d"', "2026-01-05", "202601050000"),
        ('"%d/%m/%Y %H:%M"', "5/1/2026 8:07", "202601050807"),
        ('"%d/%m/%Y %I:%M %p"', "05/01/2026 11:30 PM", "202601052330"),
        ('"%Y-%m-%dT%H:%M:%S.%f"', "2026-01-05T08:30:59.123", "202601050830"),
        ('"%Y%m%d"', "20260105", "202601050000"),
        ('["%Y-%m-%d", "%d/%m/%Y"]', "05/01/2026", "202601050000"),
        ('"%d-%b-%y"', "5-Jan-26", "202601050000"),
        ('"%d/%m/%Y"', "31/02/2026", "31/02/2026"),
        ('"%d/%m/%Y"', "tomorrow", "tomorrow"),
        ('"%d/%m/%Y"', "NaT", None),
    ],
)
def test_dates(tmp_path: Path, formats: str, cell: str, expected: str | None) -> None:
    path = put(tmp_path / "claims.csv", CLAIMS.replace("202601010000", cell))
    assert values(path, XML1 + f"[table.dates]\nngay_vao = {formats}", "ngay_vao") == [expected]


def test_of_a_birth_less_may_be_known_and_days_have_no_time(tmp_path: Path) -> None:
    text = "provider,claim,patient,admitted,discharged,dx,paid,born,card\n" + "".join(
        f"H,{i},P,202601010000,202601010000,x,1,{born},01.02.2026\n"
        for i, born in enumerate(["1985", "1985-03", "1985-03-07"])
    )
    more = '[table.dates]\nngay_sinh = ["%Y-%m-%d", "%Y-%m", "%Y"]\ngt_the_tu = "%d.%m.%Y"\n'
    found = rows(put(tmp_path / "claims.csv", text), mapped(ngay_sinh='"born"', gt_the_tu='"card"', more=more))
    assert [row["ngay_sinh"] for row in found] == ["198500000000", "198503000000", "198503070000"]
    assert [row["gt_the_tu"] for row in found] == ["20260201"] * 3


def test_own_words_for_nothing_and_decimal_commas(tmp_path: Path) -> None:
    text = "provider;claim;patient;admitted;discharged;dx;paid\n" + "".join(
        f"H;{i};{who};202601010000;202601010000;x;{paid}\n"
        for i, (who, paid) in enumerate(
            [("not given", "1.234.567,50"), ("NA", "12,5"), ("-", "1 000"), ("nan", "12.500")]
        )
    )
    own = 'nulls = ["not given", "-"]\ndecimal = ","\ndelimiter = ";"\n[table.fields]'
    found = rows(put(tmp_path / "claims.csv", text), XML1.replace("[table.fields]", own))
    assert [row["ma_bn"] for row in found] == [None, "NA", None, "nan"]
    assert [row["t_bhtt"] for row in found] == ["1234567.50", "12.5", "1000", "12500"]
    points = text.replace("1.234.567,50", "1,234,567.50").replace("12,5", "12.5").replace("12.500", "12,500")
    found = rows(put(tmp_path / "claims.csv", points), XML1.replace("[table.fields]", own.replace('","', '"."')))
    assert [row["t_bhtt"] for row in found] == ["1234567.50", "12.5", "1000", "12500"]


def test_one_file_may_give_two_tables(tmp_path: Path) -> None:
    more = """
    [[table]]
    file = "claims.csv"
    table = "XML3"
    [table.fields]
    ma_cskcb = "provider"
    ma_lk = "claim"
    thanh_tien_bh = "paid"
    """
    (chunk,) = chunks(put(tmp_path / "claims.csv", CLAIMS), XML1 + more)
    assert chunk["XML3"]["thanh_tien_bh"].to_list() == ["10"]
    assert chunk["XML3"]["hoso_no"].to_list() == chunk["XML1"]["hoso_no"].to_list() == [1]


def test_a_pattern_may_name_folders_and_other_files_are_left_alone(tmp_path: Path) -> None:
    for month in ("01", "02"):
        put(tmp_path / month / "Claims.CSV", CLAIMS.replace("C1", f"C{month}"))
    put(tmp_path / "labels.csv", "x\n1\n")
    assert values(tmp_path, XML1, "ma_lk") == ["C01", "C02"]
    assert values(tmp_path, XML1.replace("claims.*", "02/claims.csv"), "ma_lk") == ["C02"]
    with pytest.raises(BadTable, match=r"no entry of map\.toml takes this file"):
        chunks([tmp_path / "01" / "Claims.CSV", tmp_path / "labels.csv"], XML1)


def test_the_reading_tells_two_mappings_of_one_file_apart(tmp_path: Path) -> None:
    path = put(tmp_path / "claims.csv", CLAIMS)

    def reading(text: str) -> str:
        (found,) = find_tables([path], read_mapping(put(tmp_path / "m.toml", text)))
        return found.reading

    assert reading(XML1) == reading("# a comment\n" + XML1) != ""
    assert reading(XML1) != reading(XML1 + "[table.units]\nt_bhtt = 1000")


# joins

PATIENTS = "id,born,Sex\nP1,1950-01-02,1\nP2,1960-01-02,2\n,1970-01-02,1\n"
JOIN = """
[table.join]
file = "patients.csv"
on = { patient = "id" }
"""
BORN = '[table.dates]\nngay_sinh = "%Y-%m-%d"\n'
CLAIMS3 = CLAIMS + "H1,C2,P9,202601010000,202601020000,J18,10\nH1,C3,,202601010000,202601020000,J18,10\n"


def test_a_join_brings_columns_in(tmp_path: Path) -> None:
    path = put(tmp_path / "claims.csv", CLAIMS3 + "H1,C4, P2 ,202601010000,202601020000,J18,10\n")
    put(tmp_path / "patients.csv", PATIENTS)
    mapping = mapped(ngay_sinh='"born"', gioi_tinh='"sex"', more=BORN + JOIN)
    (found,) = find_tables([path], read_mapping(put(tmp_path / "m.toml", mapping)))
    assert found.joined == (tmp_path / "patients.csv",)
    read = rows(path, mapping)
    assert [(row["ma_lk"], row["ngay_sinh"], row["gioi_tinh"]) for row in read] == [
        ("C1", "195001020000", "1"),
        ("C2", None, None),
        ("C3", None, None),
        ("C4", "196001020000", "2"),
    ]


def test_a_column_of_both_files_is_the_sources_unless_named(tmp_path: Path) -> None:
    put(tmp_path / "claims.csv", CLAIMS)
    put(tmp_path / "patients.csv", "patient,dx\nP1,chronic\n")
    join = JOIN.replace('{ patient = "id" }', '"patient"')
    mapping = mapped(ma_benh_kt='"join.dx"', more=join)
    (row,) = rows(tmp_path, mapping)
    assert (row["ma_benh_chinh"], row["ma_benh_kt"]) == ("J18", "chronic")


def test_two_joins_and_keys_of_several_columns_and_types(tmp_path: Path) -> None:
    parquet(
        tmp_path / "claims.parquet",
        provider=["H"] * 3,
        claim=["1", "2", "3"],
        patient=[7, 7, 8],
        year=[2025, 2026, 2025],
        admitted=[date(2026, 1, 1)] * 3,
        discharged=[date(2026, 1, 1)] * 3,
        dx=["x"] * 3,
        paid=[1] * 3,
    )
    put(tmp_path / "patients.csv", "patient,year,sex\n7,2025,1\n7,2026,2\n7,2026,2\n")
    put(tmp_path / "providers.csv", "code,official\nH,01001\n")
    mapping = mapped(
        gioi_tinh='"sex"',
        ma_cskcb='"official"',
        more='[[table.join]]\nfile = "patients.csv"\non = ["patient", "year"]\n'
        '[[table.join]]\nfile = "providers.csv"\non = { provider = "code" }\n',
    )
    found = rows(tmp_path, mapping)
    assert [(row["ma_cskcb"], row["gioi_tinh"]) for row in found] == [("01001", "1"), ("01001", "2"), ("01001", None)]


def test_a_joined_file_with_two_rows_of_a_key_is_refused(tmp_path: Path) -> None:
    path = put(tmp_path / "claims.csv", CLAIMS3)
    put(tmp_path / "patients.csv", PATIENTS + "P2,1999-01-02,2\n")
    with pytest.raises(BadTable) as raised:
        chunks(path, mapped(ngay_sinh='"born"', more=BORN + JOIN))
    assert "row 4 has the same id" in str(raised.value)
    assert "P2" not in str(raised.value)
    # columns that nobody asked for may differ
    assert len(rows(path, mapped(gioi_tinh='"Sex"', more=JOIN))) == 3


# faults of a mapping


def faults(tmp_path: Path, mapping: str) -> tuple[str, str]:
    path = put(tmp_path / "claims.csv", CLAIMS)
    with pytest.raises(BadMapping) as raised:
        chunks(path, mapping)
    assert (raised.value.code, raised.value.exit_code) == ("bad_mapping", 2)
    assert str(raised.value).count("\n") == raised.value.vi.count("\n")
    return str(raised.value), raised.value.vi


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ("[[table]", "not valid TOML"),
        ("", "needs at least one [[table]]"),
        ("table = 5", "needs at least one [[table]]"),
        ("tabel = 5\n" + XML1, "tabel: there is no such key; did you mean table?"),
        (XML1.replace("XML1", "XML21"), "table[1] (claims.*).table: 'XML21' is no table; did you mean XML2"),
        (XML1.replace('"XML1"', "1"), "table[1] (claims.*).table: 1 must be text"),
        (XML1.replace('file = "claims.*"', ""), "table[1].file: None must be text"),
        (mapped(t_bhttt='"paid"'), "fields.t_bhttt: XML1 has no such field; did you mean t_bhtt"),
        (mapped(t_bhtt="5"), "fields.t_bhtt: 5 must be a column or a list of columns"),
        (mapped(t_bhtt="[]"), "fields.t_bhtt: [] must be a column"),
        (mapped(MA_LK='"claim"'), "fields.MA_LK: is given twice"),
        (mapped(t_bhtt='"payed"'), "fields.t_bhtt: column 'payed' is not in claims.csv; did you mean paid?"),
        (mapped(t_bhtt='["paid", "Dx2"]'), "column 'Dx2' is not in claims.csv; did you mean dx?"),
        (mapped(t_bhtt='"zzzzzz"'), "there are: provider, claim, patient"),
        (re.sub("ma_cskcb.*\n", "", XML1), "fields.ma_cskcb: is needed"),
        (re.sub("ngay_ra.*\n", "", XML1), "fields.ngay_ra: is needed"),
        (re.sub("t_bhtt.*\n", "", XML1), "fields.t_bhtt: an amount is needed"),
        (re.sub("ma_lk.*\n", "", XML1.replace("XML1", "XML2")), "fields.ma_lk: is needed"),
        (XML1 + "[table.constants]\nma_bn = 'x'", "constants.ma_bn: also stands in fields"),
        (XML1 + "[table.constants]\nma_benh_ktt = 'x'", "constants.ma_benh_ktt: XML1 has no such field; did you mean"),
        (XML1 + "[table.constants]\nnam_qt = 'x'", "constants.nam_qt: 'x' does not fit the field (a whole number)"),
        (XML1 + "[table.constants]\nt_bntt = true", "constants.t_bntt: True does not fit"),
        (XML1 + "[table.constants]\nt_bntt = '1,5'", "constants.t_bntt: '1,5' does not fit the field (a number with a"),
        (XML1 + "[table.constants]\nt_bntt = 2026-01-01", "does not fit"),
        (XML1 + "[table.constants]\nngay_ttoan = '2026-01-01'", "does not fit the field (yyyymmddHHMM)"),
        (XML1 + "[table.constants]\nma_khoa = ' '", "constants.ma_khoa: ' ' does not fit"),
        (
            re.sub("ma_lk.*\n", "", XML1) + "[table.constants]\nma_lk = 'x'",
            "constants.ma_lk: one value would make all rows one encounter",
        ),
        (XML1 + "[table.units]\nt_bhtt = 'many'", "units.t_bhtt: 'many' must be a number above 0"),
        (XML1 + "[table.units]\nt_bhtt = 0", "units.t_bhtt: 0 must be a number above 0"),
        (XML1 + "[table.units]\nt_bhtt = -1", "units.t_bhtt: -1 must be"),
        (XML1 + "[table.units]\nt_bhtt = inf", "units.t_bhtt: Decimal('Infinity') must be"),
        (XML1 + "[table.units]\nt_bhtt = true", "units.t_bhtt: True must be"),
        (XML1 + "[table.units]\nt_bhtt = 0.000000001", "at most 8 decimals"),
        (XML1 + "[table.units]\nma_bn = 5", "units.ma_bn: the field is no number"),
        (XML1 + "[table.units]\nt_bntt = 5", "units.t_bntt: the field has no column; add t_bntt to [table.fields]"),
        (XML1 + "[table.dates]\nngay_ra = '%d/%m'", "dates.ngay_ra: '%d/%m' is no format of a whole date"),
        (XML1 + "[table.dates]\nngay_ra = '%Y-%m'", "dates.ngay_ra: '%Y-%m' is no format"),
        (XML1 + "[table.dates]\nngay_ra = 'yyyy-mm-dd'", "dates.ngay_ra: 'yyyy-mm-dd' is no format"),
        (XML1 + "[table.dates]\nngay_ra = '%Y-%m-%d %Q'", "is no format"),
        (XML1 + "[table.dates]\nngay_ra = '%Y-%m-%d %I:%M'", "is no format"),
        (XML1 + "[table.dates]\nngay_ra = '%Y-%m-%d %H:%M %z'", "is no format"),
        (XML1 + "[table.dates]\nngay_ra = 5", "dates.ngay_ra: 5 is no format"),
        (XML1 + "[table.dates]\nt_bhtt = '%Y-%m-%d'", "dates.t_bhtt: the field is no date"),
        (XML1 + "[table.codes]\nma_bn = 'x'", "codes.ma_bn: must be a table: [table.codes.ma_bn]"),
        (XML1 + "[table.codes.ma_bn]\nx = [1]", "codes.ma_bn.x: [1] must be a code"),
        (XML1 + "[table.codes.gioi_tinh]\nM = '1'", "codes.gioi_tinh: the field has no column"),
        (XML1.replace("[table.fields]", "fields = 5\n[table.constants]"), "fields: must be a table: [table.fields]"),
        (XML1.replace("[table.fields]", "delimiter = '::'\n[table.fields]"), "delimiter: '::' must be one of ',', ';'"),
        (XML1.replace("[table.fields]", "decimal = ';'\n[table.fields]"), "decimal: ';' must be one of"),
        (XML1.replace("[table.fields]", "nulls = 'x'\n[table.fields]"), "nulls: 'x' must be a list of texts"),
        (XML1.replace("[table.fields]", "sheet = 1\n[table.fields]"), "sheet: 1 must be text"),
        (XML1.replace("claims.*", "claim.csv"), "(claim.csv).file: no file has this name; there are: claims.csv"),
        (XML1 + XML1, "table[2] (claims.*).file: claims.csv is read as XML1 by an earlier entry too"),
        (XML1 + "[table.join]\nfile = 'patients.csv'\non = 'patient'", "join.file: 'patients.csv' must be one file"),
        (XML1 + "[table.join]\nfile = 'p.csv'", "join.on: None must be a column"),
        (XML1 + "[table.join]\non = 'x'", "join.file: None must be text"),
        (XML1 + "[table.join]\nfile = 'p.csv'\non = []", "join.on: [] must be a column"),
        (XML1 + "[table.join]\nfile = 'p.csv'\non = 'x'\nhow = 'inner'", "join.how: there is no such key"),
        (XML1.replace("[table.fields]", "join = 5\n[table.fields]"), "join: must be a table: [table.join]"),
    ],
)
def test_a_fault_names_its_place_the_value_and_the_way_out(tmp_path: Path, mapping: str, said: str) -> None:
    english, vietnamese = faults(tmp_path, mapping)
    assert said in english
    assert "map.toml" in english
    assert "map.toml" in vietnamese
    assert english != vietnamese


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    english, vietnamese = faults(
        tmp_path, mapped(t_bhttt='"paid"', more="[table.units]\nma_bn = 5\n[table.dates]\nngay_ra = '%d'\n")
    )
    assert len(english.splitlines()) == len(vietnamese.splitlines()) == 3
    english, _ = faults(tmp_path, mapped(t_bhtt='"payed"', ma_bn='"pat"'))
    assert len(english.splitlines()) == 2


def test_faults_of_a_join(tmp_path: Path) -> None:
    put(tmp_path / "patients.csv", PATIENTS)
    english, _ = faults(tmp_path, mapped(ngay_sinh='"borne"', more=JOIN.replace('"id"', '"ID2"')))
    assert "join.on: column 'ID2' is not in patients.csv; did you mean id?" in english
    assert "fields.ngay_sinh: column 'borne' is not in claims.csv, patients.csv; did you mean born?" in english


def test_a_mapping_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadMapping, match="UTF-8"):
        read_mapping(tmp_path / "m.toml")
    with pytest.raises(BadMapping, match="check the path"):
        read_mapping(tmp_path / "none.toml")


# encounters and their lines


def test_lines_find_their_encounter(tmp_path: Path) -> None:
    put(
        tmp_path / "xml1.csv",
        "MA_LK,MA_CSKCB\nA,01001\nA,02002\nB,01001\nC,01001\nC,01001\nD,\n",
    )
    put(
        tmp_path / "xml2.csv",
        "MA_LK,MA_CSKCB,STT\nA,02002,1\nA,01001,2\nB,,3\nA,,4\nB,09009,5\nC,01001,6\nD,,7\n,01001,8\nA,02002,9\n",
    )
    put(tmp_path / "xml3.csv", "MA_LK,STT\nB,1\nA,2\nC,3\nZ,4\n")
    whole, left = chunks(tmp_path)
    lines = whole["XML2"].select("hoso_no", "row_no", "ma_cskcb", "ma_lk", "stt").rows()
    assert lines == [
        (1, 1, "01001", "A", "2"),
        (2, 1, "02002", "A", "1"),
        (2, 2, "02002", "A", "9"),
        (3, 1, "01001", "B", "3"),  # no facility named, and MA_LK is of one only
        (5, 1, "01001", "C", "6"),  # the last of two
        (6, 1, None, "D", "7"),
    ]
    assert whole["XML3"].select("hoso_no", "ma_cskcb", "stt").rows() == [(3, "01001", "1"), (5, "01001", "3")]
    assert left["XML2"].select("hoso_no", "row_no", "ma_cskcb", "ma_lk", "stt").rows() == [
        (None, 1, None, "A", "4"),  # of two facilities: which, nobody said
        (None, 2, "09009", "B", "5"),
        (None, 3, "01001", None, "8"),
    ]
    assert left["XML3"].select("row_no", "ma_lk", "stt").rows() == [(1, "A", "2"), (2, "Z", "4")]
    assert "XML1" not in left
    assert left["XML2"].schema == whole["XML2"].schema


def test_lines_alone_are_all_left_over(tmp_path: Path) -> None:
    (left,) = chunks(put(tmp_path / "xml2.csv", "MA_LK,STT\nA,1\nB,2\n"))
    assert left["XML2"].select("hoso_no", "row_no", "ma_cskcb", "ma_lk").rows() == [
        (None, 1, None, "A"),
        (None, 2, None, "B"),
    ]


def test_files_of_one_table_may_have_other_columns(tmp_path: Path) -> None:
    put(tmp_path / "xml1_a.csv", "MA_LK,MA_CSKCB,MA_BN\nA,1,P\n")
    parquet(tmp_path / "xml1_b.parquet", ma_lk=["B"], ma_cskcb=["1"], t_bhtt=[5])
    (chunk,) = chunks(tmp_path)
    assert chunk["XML1"].select("hoso_no", "ma_lk", "ma_bn", "t_bhtt", pl.col("file").str.slice(-4)).rows() == [
        (1, "A", "P", None, ".csv"),
        (2, "B", None, "5", "quet"),
    ]


def test_a_row_without_ma_lk_is_known_by_its_content(tmp_path: Path) -> None:
    mapping = re.sub("ma_lk.*\n", "", XML1)
    first = put(tmp_path / "a" / "claims.csv", CLAIMS3 + CLAIMS.splitlines()[1] + "\n")
    lines = first.read_text().splitlines()
    found = values(first, mapping, "ma_lk")
    assert found[3] == f"{found[0]}-2"
    assert len({*found}) == 4
    assert all(re.fullmatch(r"r[0-9a-f]{24}(-2)?", str(key)) for key in found)
    # another extract, in another order, with the same rows and one more
    other = put(tmp_path / "b" / "claims.csv", "\n".join([lines[0], lines[3], "H9,n,P,1,1,x,5", lines[1]]) + "\n")
    again = values(other, mapping, "ma_lk")
    assert (again[0], again[2]) == (found[2], found[0])
    assert again[1] not in found
    # only the cells count, not how they are read
    assert values(first, mapping + "[table.units]\nt_bhtt = 1000", "ma_lk") == found
    # an empty cell of a column that gives MA_LK is not filled: the checks will ask for it
    holed = put(tmp_path / "c" / "claims.csv", CLAIMS.replace("C1", ""))
    assert values(holed, XML1, "ma_lk") == [None]


def test_chunks_are_whole_encounters_and_no_larger_than_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "xml1.csv", "MA_LK,MA_CSKCB\n" + "".join(f"{i},1\n" for i in range(250)))
    put(tmp_path / "xml2.csv", "MA_LK,STT\n" + "".join(f"{i % 260},{i}\n" for i in range(1000)))
    for at_once in (1, 7, 100, 250, 20_000):
        read = chunks(tmp_path, at_once=at_once)
        whole = [chunk for chunk in read if "XML1" in chunk]
        assert read[-1]["XML2"]["hoso_no"].null_count() == read[-1]["XML2"].height > 0
        assert [n for chunk in whole for n in chunk["XML1"]["hoso_no"]] == list(range(1, 251))
        assert max(chunk["XML1"].height for chunk in whole) <= at_once
        assert len(whole) <= 250 / at_once * 2 + 1
        for chunk in whole:
            assert {*chunk["XML2"]["hoso_no"]} == {*chunk["XML1"]["hoso_no"]}
            numbers = chunk["XML2"].group_by("hoso_no").agg(pl.col("row_no").sort())
            assert all(list(n) == list(range(1, len(n) + 1)) for n in numbers["row_no"])
    monkeypatch.setattr(tabular, "ROWS_AT_ONCE", 7)
    left = [chunk["XML2"] for chunk in chunks(tmp_path, at_once=20_000) if "XML1" not in chunk]
    assert all(frame.height <= 7 for frame in left)
    assert pl.concat(left)["row_no"].to_list() == list(range(1, 31))


def test_a_chunk_is_small_where_encounters_have_many_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "xml1.csv", "MA_LK,MA_CSKCB\n" + "".join(f"{i},1\n" for i in range(640)))
    put(tmp_path / "xml2.csv", "MA_LK,STT\n" + "".join(f"{i % 640},{i}\n" for i in range(6400)))
    monkeypatch.setattr(tabular, "ROWS_AT_ONCE", 1100)
    read = chunks(tmp_path, at_once=640)
    assert [(chunk["XML1"].height, chunk["XML2"].height) for chunk in read] == [(100, 1000)] * 6 + [(40, 400)]


@pytest.mark.parametrize("seed", range(6))
def test_every_row_comes_out_exactly_once(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow twin: each row is marked, and its encounter is found by looking through all of XML1."""
    draw = random.Random(seed)
    encounters: list[tuple[str, str, str]] = []
    for part in range(draw.randint(1, 3)):
        lines = [
            (draw.choice("ABCDEFG") + str(draw.randint(0, 9)), draw.choice(["1", "2", ""]), f"e{part}.{i}")
            for i in range(draw.randint(0, 60))
        ]
        encounters += lines
        write(tmp_path, f"xml1_{part}", draw, ["MA_LK", "MA_CSKCB", "MA_BN"], lines)
    expected: dict[str, int | None] = {}
    for table in ("xml2", "xml3"):
        for part in range(draw.randint(1, 2)):
            with_facility = draw.random() < 0.6
            found: list[tuple[str, ...]] = []
            for i in range(draw.randint(0, 200)):
                mark = f"{table}.{part}.{i}"
                ma_lk = draw.choice("ABCDEFGHI") + str(draw.randint(0, 9))
                facility = draw.choice(["1", "2", "3", ""]) if with_facility else ""
                expected[mark] = owner(encounters, ma_lk, facility)
                found.append((ma_lk, facility, mark) if with_facility else (ma_lk, mark))
            header = ["MA_LK", "MA_CSKCB", "STT"] if with_facility else ["MA_LK", "STT"]
            write(tmp_path, f"{table}_{part}", draw, header, found)
    monkeypatch.setattr(tabular, "ROWS_AT_ONCE", draw.choice([20, 400]))
    read = chunks(tmp_path, at_once=draw.choice([1, 5, 64, 1000]))
    summaries = [row for chunk in read if "XML1" in chunk for row in chunk["XML1"].iter_rows(named=True)]
    assert [(row["hoso_no"], row["ma_bn"]) for row in summaries] == list(enumerate((e[2] for e in encounters), 1))
    got = Counter(
        (row["stt"], row["hoso_no"])
        for chunk in read
        for table in ("XML2", "XML3")
        if table in chunk
        for row in chunk[table].iter_rows(named=True)
    )
    assert got == Counter(expected.items())
    for table in ("XML2", "XML3"):
        keys = [k for chunk in read if table in chunk for k in chunk[table].select("hoso_no", "row_no").rows()]
        assert len(keys) == len({*keys})


def write(folder: Path, name: str, draw: random.Random, header: list[str], lines: Sequence[tuple[str, ...]]) -> None:
    """As CSV, Parquet or a workbook."""
    match draw.choice(["csv", "csv", "parquet", "xlsx"]):
        case "csv":
            with (folder / f"{name}.csv").open("w", newline="") as out:
                csv.writer(out).writerows([header, *lines])
        case "parquet":
            pl.DataFrame(list(lines), schema=dict.fromkeys(header, pl.String), orient="row").write_parquet(
                folder / f"{name}.parquet"
            )
        case _:
            workbook(folder / f"{name}.xlsx", data=[list(header), *map(list, lines)])


def owner(encounters: list[tuple[str, str, str]], ma_lk: str, facility: str) -> int | None:
    same = [(n, e[1]) for n, e in enumerate(encounters, 1) if e[0] == ma_lk]
    if facility:
        return max((n for n, own in same if own == facility), default=None)
    return max((n for n, _ in same), default=None) if len({own for _, own in same}) == 1 else None


def test_the_scratch_folder_is_left_clean(tmp_path: Path) -> None:
    put(tmp_path / "xml1.csv", NAMED)
    found = find_tables([tmp_path], None)
    reading = read_tables(found, None, scratch=tmp_path / "new" / "scratch", encounters_at_once=1)
    first = next(iter(reading))
    assert first["XML1"]["ma_lk"].to_list() == ["A"]
    assert len(list((tmp_path / "new" / "scratch").iterdir())) == 1
    reading.close()  # type: ignore[attr-defined]
    assert list((tmp_path / "new" / "scratch").iterdir()) == []


def test_reading_twice_gives_the_same(tmp_path: Path) -> None:
    put(tmp_path / "xml1.csv", "MA_LK,MA_CSKCB\n" + "".join(f"{i % 50},{i % 3}\n" for i in range(500)))
    put(tmp_path / "xml2.csv", "MA_LK,MA_CSKCB,STT\n" + "".join(f"{i % 60},{i % 4},{i}\n" for i in range(3000)))
    once, again = chunks(tmp_path, at_once=100), chunks(tmp_path, at_once=100)
    assert len(once) == len(again) > 2
    for one, other in zip(once, again, strict=True):
        assert one.keys() == other.keys()
        assert all(one[table].equals(other[table]) for table in one)


def test_a_file_that_changed_since_it_was_looked_at(tmp_path: Path) -> None:
    path = put(tmp_path / "claims.csv", CLAIMS)
    mapping = read_mapping(put(tmp_path / "m.toml", XML1))
    found = find_tables([path], mapping)
    put(path, CLAIMS.replace("paid", "sum"))
    with pytest.raises(BadTable, match="lost its column 'paid'"):
        list(read_tables(found, mapping, scratch=tmp_path / "scratch"))
    assert replace(found[0], unused=()) == TabularFile(
        path=path, table="XML1", entry=0, reading=mapping.entries[0].digest()
    )


def test_the_examples_of_the_documentation_are_mappings(tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "mapping.md").read_text(encoding="utf-8")
    examples = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    tables = [e.table for n, t in enumerate(examples) for e in read_mapping(put(tmp_path / f"{n}.toml", t)).entries]
    assert tables == ["XML1", "XML1", "XML1", "XML1", "XML3", "XML1"]


def test_the_first_example_of_the_documentation_works(tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "mapping.md").read_text(encoding="utf-8")
    (mapping, *_) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    put(
        tmp_path / "claims_2026.csv",
        "ClaimNo,ProviderNo,MemberNo,AdmitDate,DischargeDate,Diag1,Diag2,Diag3,Diag4,PaidUSD,Sex\n"
        "1,H1,M1,2026-01-05,07/01/2026,J18,I10,,E11,100.10,X\n",
    )
    (row,) = rows(tmp_path, mapping)
    assert {name: row[name] for name in ("ngay_ra", "ma_benh_kt", "t_bhtt", "t_tongchi_bh", "gioi_tinh")} == {
        "ngay_ra": "202601070000",
        "ma_benh_kt": "I10;E11",
        "t_bhtt": "2547545",
        "t_tongchi_bh": "2547545",
        "gioi_tinh": "3",
    }
