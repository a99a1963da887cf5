"""Every check that is declared can fail, and fails on its own fault only; every fault that is found is declared."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

import polars as pl
import pytest

from data.checks import CORE, KEYS, checks, code_periods, known_codes, with_hints
from data.frames import read_claims
from data.schema import TABLES, source_of
from data.typed import official_fields, type_table
from data.xml130 import RawRecord, read_envelope

RECEIVED = date(2026, 2, 1)
GOOD: Mapping[str, str] = {
    # cells that are right wherever they stand; other text is "x", other numbers "1"
    "ma_lk": "LK1",
    "ma_cskcb": "99001",
    "ngay_vao": "202601150800",
    "ngay_ra": "202601151030",
    "ngay_vao_noi_tru": "202601150900",
    "ngay_sinh": "198503150000",
    "gioi_tinh": "2",
    "ma_loai_kcb": "01",
    "ma_doituong_kcb": "1.1",
    "ma_benh_chinh": "I10",
    "ma_benh_kt": "E11.9;E78.5",
    "ma_the_bhyt": "GD4990000000001",
    "so_cccd": "099000000001",
    "dien_thoai": "0900000001",
    "ma_dkbd": "99001",
    "gt_the_tu": "20260101",
    "gt_the_den": "20261231",
    "matinh_cu_tru": "99",
    "maxa_cu_tru": "99001",
    "ma_quoctich": "000",
    "ma_dantoc": "01",
    "ma_dantoc_nnd": "01",
    "ma_nghe_nghiep": "00000",
    "ma_khuvuc": "K1",
    "ma_khoa": "K01",
    "ma_giuong": "H001",
    "duong_dung": "1.01",
    "nhom_mau": "O+",
    "ma_noi_di": "99002",
    "ma_noi_den": "99002",
    "ma_cskcb_di": "99002",
    "ma_cskcb_den": "99002",
    "so_ngay_dtri": "0",
    "nam_qt": "2026",
    "can_nang": "50",
}


def good_cell(name: str, kind: str) -> str | None:
    if name in GOOD:
        return GOOD[name]
    if kind == "date":
        return "20260115"
    return {"int": "1", "decimal": "1", "datetime": "202601150900"}.get(kind, "x")


def good_row(table: str) -> dict[str, str | None]:
    """A row of the table whose cells are all right one by one."""
    return {f.name: good_cell(f.name, f.kind) for f in official_fields(table)}


def found(table: str, *rows: Mapping[str, Any]) -> pl.DataFrame:
    raw = pl.DataFrame(
        [{**row, "standard": "130", "version": i, "row_no": 1} for i, row in enumerate(rows)], infer_schema_length=None
    )
    stays = pl.DataFrame(
        {
            "version": list(range(len(rows))),
            "ngay_vao": [datetime.fromisoformat("2026-01-15T08:00")] * len(rows),
            "ngay_ra": [datetime.fromisoformat("2026-01-15T10:30")] * len(rows),
        }
    )
    return type_table(table, raw, received=RECEIVED, stays=None if table == "encounter" else stays).findings


CELL_KINDS = (
    *("missing_key", "missing", "unreadable_date", "absurd_date", "date_without_time", "unreadable_birth"),
    *("unreadable_amount", "negative_amount", "unreadable_number", "out_of_range", "unknown_code", "bad_format"),
    "too_long",
)


def broken(row: Mapping[str, str | None], field: str, code: str, example: str) -> dict[str, str | None]:
    given: str | None = example
    if code in ("missing", "missing_key"):
        given = None
    elif code == "too_long":
        given = "9" * int(example.split(maxsplit=1)[0])
    return {**row, field: given}


@pytest.mark.parametrize("table", TABLES.values())
def test_each_cell_check_refuses_its_example_and_nothing_else(table: str) -> None:
    own = [c for c in checks().values() if c.table == table and c.code in CELL_KINDS]
    row = good_row(table)
    clean = found(table, row).filter(pl.col("code").is_in(CELL_KINDS))
    assert clean.select("check_id", "value").rows() == []
    result = found(table, *(broken(row, c.field, c.code, c.example) for c in own))
    for version, check in enumerate(own):
        hits = result.filter((pl.col("version") == version) & pl.col("code").is_in(CELL_KINDS))
        ids = hits["check_id"].to_list()
        assert check.id in ids, f"{check.id} passes {check.example!r}"
        assert {i.rsplit(".", 1)[0] for i in ids} == {check.id.rsplit(".", 1)[0]}, ids
        assert hits.filter(pl.col("check_id") == check.id)["severity"].to_list() == [check.severity]


def test_there_are_over_nine_hundred_and_each_can_be_mended() -> None:
    every = checks()
    assert len(every) > 900
    for check in every.values():
        assert check.id == f"{source_of(check.table)}.{check.field.upper()}.{check.code}"
        assert check.field.upper() in check.hint_vi
        assert check.field.upper() in check.hint_en
        assert check.hint_vi != check.hint_en
    lost = {(c.table, c.field) for c in every.values() if c.severity == "quarantine" and c.field not in KEYS}
    assert lost == {(table, field) for table, fields in CORE.items() for field in fields}


def test_a_finding_takes_its_hint_from_its_check_unless_it_brings_one() -> None:
    rows = pl.DataFrame(
        {
            "check_id": ["XML1.NGAY_RA.dates_reversed", "FILE.not_xml"],
            "hint_vi": [None, "tệp hỏng"],
            "hint_en": [None, "broken file"],
        },
        schema_overrides={"hint_vi": pl.String, "hint_en": pl.String},
    )
    hinted = with_hints(rows)
    assert hinted["hint_en"].to_list() == [checks()["XML1.NGAY_RA.dates_reversed"].hint_en, "broken file"]


# codes in force on the day


@pytest.mark.parametrize(
    ("field", "code", "day", "known"),
    [
        ("ma_doituong_kcb", "1.8", "2025-06-30", True),
        ("ma_doituong_kcb", "1.8", "2025-07-01", False),
        ("ma_doituong_kcb", "1.17", "2025-06-30", False),
        ("ma_doituong_kcb", "1.17", "2025-07-01", True),
        ("ma_doituong_kcb", "1.1", "2024-01-01", True),
        ("ma_doituong_kcb", "1.1", "2026-01-01", True),
        ("ma_loai_kcb", "13", "2026-06-18", False),
        ("ma_loai_kcb", "13", "2026-06-19", True),
        ("matinh_cu_tru", "02", "2025-12-31", True),
        ("matinh_cu_tru", "02", "2026-01-01", False),
        ("matinh_cu_tru", "19", "2026-01-01", True),
    ],
)
def test_the_day_of_discharge_says_which_list_holds(field: str, code: str, day: str, known: bool) -> None:
    stamp = day.replace("-", "")
    row = {**good_row("encounter"), field: code, "ngay_vao": f"{stamp}0700", "ngay_ra": f"{stamp}0900"}
    hits = found("encounter", row).filter(pl.col("field") == field)["code"].to_list()
    assert hits == ([] if known else ["unknown_code"])


def test_icd_codes_are_known_with_and_without_the_dot() -> None:
    assert {"I10", "E11.9", "E119", "A000", "M51.1"} <= known_codes("ma_benh_chinh")
    assert "Z999" not in known_codes("ma_benh_chinh") or "Z99.9" in known_codes("ma_benh_chinh")
    assert code_periods("matinh_cu_tru")["01"][1] is None


# a whole claim: every check between cells fires on its own fault

SUMMARY: Mapping[str, str] = {
    **{k: v for k, v in GOOD.items() if k in {f.name for f in official_fields("encounter")}},
    "stt": "1",
    "ngay_vao_noi_tru": "",
    "ngay_ttoan": "202601151100",
    "ma_benh_kt": "E11.9",
    "t_thuoc": "1000",
    "t_vtyt": "300",
    "t_tongchi_bv": "1800",
    "t_tongchi_bh": "1800",
    "t_bntt": "0",
    "t_bncct": "360",
    "t_bhtt": "1440",
    "t_nguonkhac": "0",
    "t_bhtt_gdv": "1440",
    "thang_qt": "1",
}
DRUG: Mapping[str, str] = {
    "ma_lk": "LK1",
    "stt": "1",
    "ma_thuoc": "40.1",
    "ma_nhom": "4",
    "so_luong": "10",
    "don_gia": "100",
    "tyle_tt_bh": "100",
    "thanh_tien_bv": "1000",
    "thanh_tien_bh": "1000",
    "t_nguonkhac_nsnn": "0",
    "t_nguonkhac": "0",
    "muc_huong": "80",
    "t_bntt": "0",
    "t_bncct": "200",
    "t_bhtt": "800",
    "ma_pttt": "1",
    "ngay_yl": "202601150830",
    "ngay_th_yl": "202601150840",
}


def service(**cells: str) -> dict[str, str]:
    line = {k: v for k, v in DRUG.items() if k not in ("ma_thuoc", "don_gia")}
    line |= {"ma_dich_vu": "02.1", "ma_nhom": "13", "so_luong": "1", "don_gia_bv": "500", "don_gia_bh": "500"}
    line |= {"tyle_tt_dv": "100", "thanh_tien_bv": "500", "thanh_tien_bh": "500", "t_bncct": "100", "t_bhtt": "400"}
    return line | {"ngay_kq": "202601150900"} | cells


SUPPLY = service(
    stt="2", ma_dich_vu="", ma_vat_tu="N01", ma_nhom="10", don_gia_bv="300", don_gia_bh="300",
    thanh_tien_bv="300", thanh_tien_bh="300", t_bncct="60", t_bhtt="240",
)  # fmt: skip
FREE = service(
    stt="3", thanh_tien_bv="0", thanh_tien_bh="0", t_bncct="0", t_bhtt="0", don_gia_bv="0", don_gia_bh="0"
)  # fmt: skip


def whole(tables: Mapping[str, Any]) -> list[tuple[str, str | None]]:
    """Ids and values of the findings of a record, its missing cells apart."""
    claim: dict[str, Any] = {"XML1": [dict(SUMMARY)], "XML2": [dict(DRUG)], "XML3": [service(), SUPPLY], **tables}
    rows = {name: [{k: v or None for k, v in row.items()} for row in given] for name, given in claim.items()}
    record = RawRecord(facility="99001", ngaylap=None, hoso_no=1, standard="130", tables=rows)
    parsed = read_claims(iter([record]), key=b"k" * 32, received=datetime.fromisoformat("2026-02-01"))
    faults = parsed.tables["fault"].filter(pl.col("code") != "missing")
    return sorted(faults.select("check_id", "example_value").rows())


def header(**cells: str) -> dict[str, Any]:
    return {"XML1": [{**SUMMARY, **cells}]}


def test_a_claim_that_adds_up_has_no_finding() -> None:
    assert whole({}) == []


ROW_FAULTS: Mapping[str, Mapping[str, Any]] = {
    "XML1.NGAY_VAO.missing_date": header(ngay_vao=""),
    "XML1.NGAY_RA.missing_date": header(ngay_ra=""),
    "XML1.NGAY_RA.dates_reversed": header(ngay_ra="202601150759", ngay_ttoan=""),
    "XML1.T_BHTT.missing_amount": header(t_bhtt="", t_tongchi_bh=""),
    "XML1.T_TONGCHI_BV.balance": header(t_bntt="5"),
    "XML1.T_BHTT.identity": header(t_bhtt="1500"),
    "XML1.T_TONGCHI_BH.exceeds": header(t_tongchi_bh="1900"),
    "XML1.T_THUOC.lines_sum": header(t_thuoc="1002"),
    "XML1.T_VTYT.lines_sum": header(t_vtyt="0"),
    "XML1.T_TONGCHI_BV.lines_sum": header(t_tongchi_bv="1900"),
    "XML1.T_TONGCHI_BH.lines_sum": header(t_tongchi_bh="1700"),
    "XML1.T_BNTT.lines_sum": header(t_bntt="9"),
    "XML1.T_BNCCT.lines_sum": header(t_bncct="0"),
    "XML1.T_NGUONKHAC.lines_sum": header(t_nguonkhac="7"),
    "XML1.T_BHTT_GDV.lines_sum": header(t_bhtt_gdv="0"),
    "XML1.SO_NGAY_DTRI.days": header(ma_loai_kcb="03", so_ngay_dtri="2"),
    "XML1.NGAY_VAO_NOI_TRU.time_order": header(ngay_vao_noi_tru="202601150759"),
    "XML1.NGAY_TTOAN.time_order": header(ngay_ttoan="202601140000"),
    "XML1.NGAY_SINH.time_order": header(ngay_sinh="202601160000"),
    "XML1.MA_DKBD.list_length": header(ma_dkbd="99001;99002"),
    "XML1.GT_THE_TU.list_length": header(gt_the_tu="20260101;20260102"),
    "XML1.GT_THE_DEN.list_length": header(ma_the_bhyt="GD4990000000001;GD4990000000002"),
    "XML1.MA_THE_BHYT.card_prefix": header(ma_the_bhyt="XX4990000000001"),
    "XML1.MA_THE_BHYT.card_benefit": header(ma_the_bhyt="GD1990000000001"),
    "XML1.MA_THE_BHYT.card_province": header(ma_the_bhyt="GD4000000000001"),
    "XML1.MA_BENH_CHINH.not_main": header(ma_benh_chinh="B95.0"),
    "XML1.MA_BENH_CHINH.age": header(ma_benh_chinh="P07.3"),
    "XML1.MA_BENH_CHINH.sex": header(ma_benh_chinh="O80.0", gioi_tinh="1"),
    "XML1.MA_BENH_KT.sex": header(ma_benh_kt="I10;N40", gioi_tinh="2"),
    "XML2.THANH_TIEN_BV.identity": {"XML2": [{**DRUG, "don_gia": "90", "tyle_tt_bh": "111.111"}]},
    "XML2.THANH_TIEN_BH.identity": {"XML2": [{**DRUG, "tyle_tt_bh": "50"}]},
    "XML2.T_NGUONKHAC.identity": {"XML2": [{**DRUG, "t_nguonkhac_nsnn": "50"}]},
    "XML2.T_BHTT.identity": {"XML2": [{**DRUG, "muc_huong": "95"}]},
    "XML2.T_BNTT.balance": {"XML2": [{**DRUG, "t_bncct": "150"}]},
    "XML2.THANH_TIEN_BH.exceeds": {"XML2": [{**DRUG, "thanh_tien_bh": "1100"}]},
    "XML2.STT.repeated": {"XML2": [DRUG, {**DRUG, "ma_thuoc": "40.2"}]},
    "XML2.THANH_TIEN_BV.zero_repeat": {"XML2": [DRUG, {**DRUG, "stt": "2", "thanh_tien_bv": "0"}]},
    "XML2.NGAY_TH_YL.time_order": {"XML2": [{**DRUG, "ngay_th_yl": "202601150829"}]},
    "XML2.NGAY_YL.time_order": {"XML2": [{**DRUG, "ngay_yl": "202601150759"}]},
    "XML2.MA_LK.orphan": {**header(ngay_vao="x"), "XML3": []},
    "XML3.THANH_TIEN_BV.identity": {"XML3": [service(don_gia_bv="400"), SUPPLY]},
    "XML3.THANH_TIEN_BH.identity": {"XML3": [service(don_gia_bh="400"), SUPPLY]},
    "XML3.T_NGUONKHAC.identity": {"XML3": [service(t_nguonkhac_cl="9"), SUPPLY]},
    "XML3.T_BHTT.identity": {"XML3": [service(muc_huong="100"), SUPPLY]},
    "XML3.T_BNTT.balance": {"XML3": [service(t_bntt="9"), SUPPLY]},
    "XML3.THANH_TIEN_BH.exceeds": {"XML3": [service(thanh_tien_bh="600"), SUPPLY]},
    "XML3.STT.repeated": {"XML3": [service(stt="2"), SUPPLY]},
    "XML3.THANH_TIEN_BV.zero_repeat": {"XML3": [service(), SUPPLY, FREE]},
    "XML3.NGAY_TH_YL.time_order": {"XML3": [service(ngay_th_yl="202601150829"), SUPPLY]},
    "XML3.NGAY_YL.time_order": {"XML3": [service(ngay_yl="202601150759"), SUPPLY]},
    "XML3.NGAY_KQ.time_order": {"XML3": [service(ngay_kq="202601150839"), SUPPLY]},
    "XML3.MA_LK.orphan": {**header(ngay_vao="x"), "XML2": []},
    "XML4.NGAY_KQ.time_order": {"XML4": [{"stt": "1", "ngay_kq": "202601150759", "ma_dich_vu": "a"}]},
    "XML4.STT.repeated": {"XML4": [{"stt": "1", "ma_dich_vu": "a"}, {"stt": "1", "ma_dich_vu": "b"}]},
    "XML4.MA_LK.orphan": {**header(ngay_vao="x"), "XML2": [], "XML3": [], "XML4": [{"stt": "1", "ma_dich_vu": "a"}]},
    "XML5.MA_LK.orphan": {**header(ngay_vao="x"), "XML2": [], "XML3": [], "XML5": [{"stt": "1", "dien_bien_ls": "a"}]},
    "XML5.THOI_DIEM_DBLS.time_order": {"XML5": [{"stt": "1", "thoi_diem_dbls": "202601150759"}]},
    "XML5.STT.repeated": {"XML5": [{"stt": "1", "dien_bien_ls": "a"}, {"stt": "1", "dien_bien_ls": "b"}]},
}


@pytest.mark.parametrize(("check_id", "tables"), ROW_FAULTS.items())
def test_each_check_between_cells_fires(check_id: str, tables: Mapping[str, Any]) -> None:
    assert check_id in [i for i, _ in whole(tables)]


def test_every_check_between_cells_is_tried() -> None:
    between = {c.id for c in checks().values() if c.code not in CELL_KINDS}
    papers = {i for i in between if i.endswith(".MA_LK.orphan") and int(i[3:].split(".")[0]) not in range(1, 6)}
    assert between - papers == set(ROW_FAULTS)


@pytest.mark.parametrize("source", [s for s in TABLES if s not in ("XML0", "XML1", "XML2", "XML3", "XML4", "XML5")])
def test_a_paper_without_its_summary_is_an_orphan(source: str) -> None:
    row = {f.name: good_cell(f.name, f.kind) for f in official_fields(TABLES[source])}
    ids = [i for i, _ in whole({**header(ngay_vao="x"), "XML2": [], "XML3": [], source: [row]})]
    assert f"{source}.MA_LK.orphan" in ids


def test_a_residual_is_reported_with_both_amounts() -> None:
    assert ("XML1.T_THUOC.lines_sum", "1002.0 ≠ 1000.0") in whole(header(t_thuoc="1002"))


@pytest.mark.parametrize(("amount", "off"), [("1001", False), ("999", False), ("1001.01", True), ("998.9", True)])
def test_a_dong_of_difference_is_allowed(amount: str, off: bool) -> None:
    ids = [i for i, _ in whole(header(t_thuoc=amount))]
    assert ("XML1.T_THUOC.lines_sum" in ids) == off


def services() -> Iterator[tuple[dict[str, str], bool]]:
    old = {"ngay_yl": "202406300830"}
    yield service(tyle_tt_dv="30", thanh_tien_bv="150", thanh_tien_bh="150"), True
    yield service(tyle_tt_dv="30", thanh_tien_bv="500", thanh_tien_bh="150"), False
    yield service(tyle_tt_dv="30", thanh_tien_bv="500", thanh_tien_bh="150", **old), True
    # the hospital charges the patient what the ratio cuts off
    yield service(tyle_tt_dv="30", don_gia_bv="700", thanh_tien_bv="350", thanh_tien_bh="150"), True
    yield service(t_trantt="450", thanh_tien_bh="450"), True


@pytest.mark.parametrize(("line", "holds"), list(services()))
def test_the_formulas_that_were_ever_printed_are_accepted(line: dict[str, str], holds: bool) -> None:
    ids = [i for i, _ in whole({"XML3": [line, SUPPLY]})]
    assert any(i.endswith(".identity") and i.startswith("XML3.THANH_TIEN") for i in ids) != holds


def test_older_records_are_not_asked_for_fields_they_never_had() -> None:
    raw = pl.DataFrame([{**good_row("encounter"), "so_cccd": None, "ma_quoctich": None, "row_no": 1, "version": 1}])
    codes = [
        type_table("encounter", raw.with_columns(standard=pl.lit(s)), received=RECEIVED).findings["code"].to_list()
        for s in ("130", "4210")
    ]
    assert "missing" in codes[0]
    assert "missing" not in codes[1]


def test_the_check_in_stands_alone() -> None:
    from tests.lib.envelopes import FIXTURES

    text = (FIXTURES / "empty_check_in.xml").read_bytes().replace(b"<MA_LK />", b"<MA_LK>C1</MA_LK>")
    text = text.replace(b"<MA_LK/>", b"<MA_LK>C1</MA_LK>").replace(b"<MA_LK></MA_LK>", b"<MA_LK>C1</MA_LK>")
    text = text.replace(b"<MA_CSKCB/>", b"<MA_CSKCB>99001</MA_CSKCB>").replace(
        b"<MA_CSKCB></MA_CSKCB>", b"<MA_CSKCB>99001</MA_CSKCB>"
    )
    parsed = read_claims(read_envelope(io.BytesIO(text)), key=b"k" * 32, received=datetime.fromisoformat("2026-02-01"))
    (row,) = parsed.tables["xml0"].to_dicts()
    assert (row["ma_lk"], row["month"]) == ("C1", 202602)
