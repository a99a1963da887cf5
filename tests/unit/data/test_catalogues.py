"""Catalogues: what a file may hold, what is refused, what is doubtful, and the commands that say so."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.catalogues import CATALOGUES, HINTS, PROBLEM, BadCatalogue, Catalogues, problems, read_catalogue
from data.pseudonym import Pseudonymiser
from data.synthetic import generate
from service.cli import main

FACILITIES = pl.DataFrame({"ma_cskcb": ["98001", "98002"]})
KEY = b"0123456789abcdef0123456789abcdef"


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str, str], pl.DataFrame]:
    """Rows of a catalogue written as its CSV text, with the row of the file."""

    def rows(name: str, text: str) -> pl.DataFrame:
        file = tmp_path / f"{name}.csv"
        file.write_text("\n".join(line.strip() for line in text.strip().splitlines()) + "\n", encoding="utf-8")
        return read_catalogue(name, file).with_columns(row=pl.int_range(2, pl.len() + 2))

    return rows


def brief(found: pl.DataFrame, *columns: str) -> list[tuple[Any, ...]]:
    return found.select("code", "severity", "row", *columns).rows()


# --- Reading


def test_empty_cells_are_null_missing_columns_are_empty_and_other_columns_are_kept(
    read: Callable[[str, str], pl.DataFrame],
) -> None:
    rows = read("supplies", "ma_vat_tu,name,valid_from,valid_to,hãng\nV1, Kim ,2026-01-01,,B. Braun")
    assert rows.to_dicts()[0] == {
        "ma_vat_tu": "V1",
        "name": "Kim",
        "valid_from": date(2026, 1, 1),
        "unit": None,
        "price_cap": None,
        "reusable": None,
        "pay_ratio": None,
        "valid_to": None,
        "more": '{"hãng":"B. Braun"}',
        "row": 2,
    }


@pytest.mark.parametrize(
    ("price", "day", "says"),
    [
        ("1.000.000", "2026-01-01", "row 3, column price: '1.000.000' is not a number"),
        ("nan", "2026-01-01", "row 3, column price: 'nan' is not a number"),
        ("inf", "2026-01-01", "row 3, column price: 'inf' is not a number"),
        ("", "2026-01-01", "row 3, column price: None is not a number"),
        ("5", "01/02/2026", "row 3, column valid_from: '01/02/2026' is not a date yyyy-mm-dd"),
        ("5", "2026-02-30", "row 3, column valid_from: '2026-02-30' is not a date yyyy-mm-dd"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_place(
    read: Callable[[str, str], pl.DataFrame], price: str, day: str, says: str
) -> None:
    text = f"ma_dich_vu,name,ma_nhom,price,valid_from\nS1,Khám,13,1,2026-01-01\nS2,Khám,13,{price},{day}"
    with pytest.raises(BadCatalogue, match=says) as refused:
        read("services", text)
    assert "dòng 3" in refused.value.vi


def test_a_card_number_is_never_kept(tmp_path: Path) -> None:
    file = tmp_path / "cards.csv"
    file.write_text("ma_the_bhyt,valid_from\nDN4010123456789,2026-01-01\n")
    patient = Pseudonymiser(KEY)
    rows = read_catalogue("cards", file, patient=patient)
    assert rows["patient_id"].to_list() == patient.patient(pl.Series(["DN4010123456789"])).to_list()
    assert rows["card_class"].to_list() == ["DN4"]
    assert "0123456789" not in rows.write_csv()


def test_the_newest_load_of_a_key_counts_and_of_one_load_the_last_row() -> None:
    rows = pl.DataFrame({"ma_may": "M", "ma_cskcb": "1", "valid_from": date(2026, 1, 1), "load_seq": [2, 1, 2]})
    numbered = rows.with_row_index("n")
    assert CATALOGUES["machines"].newest(numbered)["n"].to_list() == [2]


def test_an_unknown_catalogue_is_a_mistake_and_one_not_loaded_is_none() -> None:
    assert Catalogues.none().get("staff") is None
    with pytest.raises(KeyError, match="no catalogue is called 'stuff'"):
        Catalogues.none().get("stuff")


# --- Problems


def test_a_clean_list_has_no_problem(read: Callable[[str, str], pl.DataFrame]) -> None:
    rows = read(
        "services",
        """ma_dich_vu,name,ma_nhom,ma_cskcb,rank,price,needs_machine,valid_from,valid_to
        S1,Khám,13,98001,,38700,0,2025-01-01,2025-12-31
        S1,Khám,13,98001,,50600,0,2026-01-01,
        S1,Khám,13,98002,,50600,0,2025-06-01,
        S1,Khám,13,,1,50600,0,2025-06-01,
        S2,Siêu âm,02,,,100,1,2024-01-01,""",
    )
    found = problems("services", rows, known={"facilities": FACILITIES})
    assert found.to_dicts() == []
    assert set(found.columns) == set(PROBLEM)


def test_periods_that_end_before_they_begin_overlap_or_leave_a_hole(
    read: Callable[[str, str], pl.DataFrame],
) -> None:
    rows = read(
        "services",
        """ma_dich_vu,name,ma_nhom,price,valid_from,valid_to
        A,a,13,100,2024-01-01,2024-12-31
        A,a,13,120,2024-06-01,2024-06-30
        A,a,13,100,2024-12-01,2025-06-30
        A,a,13,130,2025-08-01,
        A,a,13,140,2026-08-01,
        B,b,13,1,2024-06-01,2024-05-31
        B,b,13,1,2024-01-01,2024-01-31""",
    )
    found = problems("services", rows, known={"facilities": FACILITIES})
    assert found.select("code", "severity", "row", "other_row", "days", "value").rows() == [
        # row 3 lies in row 2, and so does the beginning of row 4, although row 3 comes between them
        ("period_overlap", "error", 3, 2, 30, "price: 100 ≠ 120"),
        ("period_reversed", "error", 7, None, None, "2024-06-01..2024-05-31"),
        ("period_gap", "warn", 5, 4, 31, "2025-08-01.."),
        ("period_overlap", "warn", 6, 5, None, "price: 130 ≠ 140"),  # an open price, then a new one
        ("period_overlap", "info", 4, 2, 31, ""),
    ]
    assert found["other"].to_list()[0] == "2024-01-01..2024-12-31"


def test_prices_agree_at_three_decimals(read: Callable[[str, str], pl.DataFrame]) -> None:
    rows = read(
        "supplies",
        """ma_vat_tu,name,price_cap,pay_ratio,valid_from,valid_to
        V,v,0.30000000000000004,100,2024-01-01,2024-12-31
        V,v,0.3,100,2024-06-01,
        W,w,0.301,100,2024-01-01,2024-12-31
        W,w,0.3,100,2024-06-01,""",
    )
    assert brief(problems("supplies", rows), "value") == [
        ("period_overlap", "error", 5, "price_cap: 0.301 ≠ 0.3"),
        ("period_overlap", "info", 3, ""),
    ]


def test_a_key_written_twice_in_one_file(read: Callable[[str, str], pl.DataFrame]) -> None:
    rows = read(
        "machines",
        """ma_may,ma_cskcb,name,kind,valid_from
        M1,98001,X-quang,xq,2026-01-01
        M1,98001,CT 64,ct,2026-01-01
        M2,98001,Siêu âm,us,2026-01-01
        M2,98001,Siêu âm,us,2026-01-01""",
    )
    found = problems("machines", rows, known={"facilities": FACILITIES})
    assert brief(found, "other_row", "value") == [
        ("duplicate_key", "error", 2, 3, "name: CT 64 ≠ X-quang; kind: ct ≠ xq"),
        ("duplicate_key", "info", 4, 5, ""),
    ]
    # the same key in a later load is a replacement, and what it replaced is not looked at
    loads = pl.concat([rows.with_columns(load_seq=pl.lit(1)), rows[[0, 2]].with_columns(load_seq=pl.lit(2))])
    assert problems("machines", loads, known={"facilities": FACILITIES}).height == 0


def test_codes_that_lead_nowhere_are_named_once_with_their_rows(read: Callable[[str, str], pl.DataFrame]) -> None:
    rows = read(
        "services",
        """ma_dich_vu,name,ma_nhom,ma_cskcb,rank,price,valid_from
        A,a,13,98009,,1,2026-01-01
        B,b,13,98009,,1,2026-01-01
        C,c,4,98001,,1,2026-01-01
        D,d,013,,5,1,2026-01-01""",
    )
    found = problems("services", rows, known={"facilities": FACILITIES})
    assert brief(found, "field", "value", "rows") == [
        ("unknown_reference", "error", 4, "ma_nhom", "4", 1),  # a group of drugs
        ("unknown_reference", "error", 5, "rank", "5", 1),
        ("unknown_reference", "warn", 2, "ma_cskcb", "98009", 2),
    ]
    assert brief(problems("services", rows[[0]]), "field", "value") == [
        ("reference_not_loaded", "info", None, "ma_cskcb", "facilities")
    ]


@pytest.mark.parametrize(
    ("name", "text", "wrong"),
    [
        (
            "facilities",
            """ma_cskcb,name,province,valid_from,rank,tuyen,level,kind,ownership,lat
            1,a,88,2026-01-01,I,5,cao,hospital,state,48""",
            ["kind", "level", "rank", "ownership", "province", "tuyen", "lat"],
        ),
        (
            "facilities",
            """ma_cskcb,name,province,valid_from,rank,tuyen,level,kind,ownership,lat
            1,a,01,2026-01-01,DB,1,chuyen_sau,general,public,21
            2,b,14,2026-01-01,,,,,,""",
            [],
        ),
        ("drugs", "ma_thuoc,name,valid_from,ma_nhom,min_rank\n1,a,2026-01-01,13,9", ["ma_nhom", "min_rank"]),
        ("calendar", "date,kind,province\n2026-01-01,Tết,00", ["kind", "province"]),
        (
            "beds",
            """ma_cskcb,ma_khoa,valid_from,planned
            98001,K19,2026-01-01,3
            98001,K16.1,2026-01-01,3
            98001,K02.D35,2026-01-01,3
            98001,K0809,2026-01-01,3
            98001,Ngoại,2026-01-01,-3""",
            ["ma_khoa", "planned"],
        ),
        (
            "tenders",
            """ma_cskcb,code,price,quantity,valid_from,valid_to
            98001,D,1,1,2026-01-01,2026-12-31
            98001,V,1,1,2026-01-01,2026-12-31
            98001,X,1,1,2026-01-01,2026-12-31""",
            ["code"],
        ),
    ],
)
def test_each_closed_list(read: Callable[[str, str], pl.DataFrame], name: str, text: str, wrong: list[str]) -> None:
    known = {
        "facilities": FACILITIES,
        "drugs": pl.DataFrame({"ma_thuoc": ["D"]}),
        "supplies": pl.DataFrame({"ma_vat_tu": ["V"]}),
    }
    assert problems(name, read(name, text), known=known)["field"].to_list() == wrong


def test_amounts_out_of_range(read: Callable[[str, str], pl.DataFrame]) -> None:
    rows = read(
        "supplies",
        """ma_vat_tu,name,price_cap,pay_ratio,reusable,valid_from
        A,a,-1,100,0,2026-01-01
        B,b,0,0,1,2026-01-01
        C,c,1,120,2,2026-01-01
        D,d,,0.8,,2026-01-01
        E,e,0.5,-1,0.5,2026-01-01""",
    )
    assert brief(problems("supplies", rows), "field", "value") == [
        ("price_negative_or_zero", "error", 2, "price_cap", "-1"),
        ("ratio_out_of_range", "error", 4, "pay_ratio", "120"),
        ("ratio_out_of_range", "error", 6, "pay_ratio", "-1"),
        ("price_negative_or_zero", "warn", 3, "price_cap", "0"),
        ("ratio_out_of_range", "warn", 5, "pay_ratio", "0.8"),
        ("value_out_of_range", "warn", 4, "reusable", "2"),
        ("value_out_of_range", "warn", 6, "reusable", "0.5"),
    ]


def test_every_finding_has_its_hint_in_both_languages(read: Callable[[str, str], pl.DataFrame]) -> None:
    rows = read("supplies", "ma_vat_tu,name,price_cap,valid_from\nA,a,-1,2026-01-01")
    assert problems("supplies", rows).select("hint_vi", "hint_en").rows() == [HINTS["price_negative_or_zero"]]
    assert all(vi and en and vi != en for vi, en in HINTS.values())


days = st.integers(0, 25).map(lambda n: date(1969, 12, 20) + timedelta(days=n))  # on both sides of day 0


@settings(max_examples=150, derandomize=True, deadline=None)
@given(
    drawn=st.lists(
        st.tuples(
            st.sampled_from("AB"), st.sampled_from(["1", None]), days, st.none() | days, st.sampled_from([1.0, 2.0])
        ),
        max_size=9,
        unique_by=lambda row: row[:3],
    )
)
def test_overlaps_and_holes_agree_with_laying_the_days_out_one_by_one(drawn: list[tuple[Any, ...]]) -> None:
    schema = {
        c: CATALOGUES["services"].dtypes()[c] for c in ("ma_dich_vu", "ma_cskcb", "valid_from", "valid_to", "price")
    }
    rows = pl.DataFrame(drawn, schema=schema, orient="row").with_row_index("row")
    full = rows.with_columns(
        pl.lit(None, t).alias(c) for c, t in CATALOGUES["services"].dtypes().items() if c not in rows.columns
    ).with_columns(ma_nhom=pl.lit("13"), name=pl.lit("x"), load_seq=pl.lit(1))
    found = problems("services", full, known={"facilities": pl.DataFrame({"ma_cskcb": ["1"]})})
    periods = found.filter(pl.col("code").is_in(["period_overlap", "period_gap"]))

    horizon = date(1970, 3, 1)  # after every end that is written
    expected = set()
    for row in (r for r in rows.to_dicts() if r["valid_to"] is None or r["valid_to"] >= r["valid_from"]):
        earlier = [
            r
            for r in rows.to_dicts()
            if (r["ma_dich_vu"], r["ma_cskcb"]) == (row["ma_dich_vu"], row["ma_cskcb"])
            and r["valid_from"] < row["valid_from"]
            and (r["valid_to"] is None or r["valid_to"] >= r["valid_from"])
        ]
        if not earlier:
            continue
        other = max(earlier, key=lambda r: (r["valid_to"] or date.max, r["valid_from"]))
        end, start = other["valid_to"] or horizon, row["valid_from"]
        common = {start + timedelta(n) for n in range((min(end, row["valid_to"] or horizon) - start).days + 1)}
        hole = {end + timedelta(n) for n in range(1, (start - end).days)}
        both_open = other["valid_to"] is None and row["valid_to"] is None
        if common:
            expected.add(("period_overlap", row["row"], other["row"], None if both_open else len(common)))
        if hole:
            expected.add(("period_gap", row["row"], other["row"], len(hole)))
    assert set(periods.select("code", "row", "other_row", "days").rows()) == expected
    assert periods.height == len(expected)


# --- Commands


class Said:
    """The command line in this process, with a home of its own."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.home, self._capsys = home, capsys
        monkeypatch.setenv("MINHBACH_HOME", str(home))
        monkeypatch.setenv("MINHBACH_LANG", "en")
        monkeypatch.delenv("MINHBACH_PSEUDONYM_KEY", raising=False)

    def text(self, *arguments: object, code: int = 0) -> str:
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main(["catalogue", *map(str, arguments)])
        out, err = self._capsys.readouterr()
        assert left.value.code == code, err
        return out

    def __call__(self, *arguments: object, code: int = 0) -> Any:
        return json.loads(self.text(*arguments, "--json", code=code))


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Said:
    return Said(tmp_path / "home", monkeypatch, capsys)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    generate(folder, encounters=40, months=2, seed=3)
    return folder


SERVICES = "ma_dich_vu,name,ma_nhom,ma_cskcb,price,valid_from,valid_to\n"


def write(folder: Path, *rows: str, name: str = "services", head: str = SERVICES) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.csv"
    file.write_text(head + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return file


def test_the_synthetic_catalogues_load_without_an_error_and_cover_the_claims(said: Said, world: Path) -> None:
    loaded = said("load", world / "catalogues", "--strict")
    assert loaded["loaded"] is True
    assert loaded["problems"]["error"] == 0
    assert loaded["changes"]["facilities"]["new"] == loaded["catalogues"]["facilities"] > 0
    inventory = said("list")
    assert {row["catalogue"]: row["rows"] for row in inventory["catalogues"]} == loaded["catalogues"]
    drugs = next(row for row in inventory["catalogues"] if row["catalogue"] == "drugs")
    assert (drugs["keys"], drugs["open_periods"], drugs["loads"]) == (drugs["rows"], drugs["rows"], 1)
    checked = said("check")
    assert (checked["uncovered"]["totals"], checked["not_loaded"]) == ([], [])


def test_a_dry_run_reports_and_leaves_nothing_behind(said: Said, world: Path) -> None:
    looked = said("load", world / "catalogues", "--dry-run")
    assert (looked["loaded"], looked["dry_run"], looked["snapshot"]) == (False, True, 0)
    assert looked["changes"]["drugs"]["new"] > 0
    assert not said.home.exists()


def test_only_what_changed_is_loaded_and_a_later_load_replaces(said: Said, tmp_path: Path) -> None:
    old, new = "S1,Khám,13,,100,2026-01-01,", "S1,Khám,13,,120,2026-01-01,"
    other = "S2,Khám,13,,5,2026-01-01,"
    file = write(tmp_path / "lists", old, other)
    assert said("load", file)["changes"] == {"services": {"new": 2, "changed": 0, "unchanged": 0}}
    assert said("load", file)["snapshot"] == 1
    write(tmp_path / "lists", new, other)
    assert said("load", file)["changes"] == {"services": {"new": 0, "changed": 1, "unchanged": 1}}
    assert said("show", "services", "S1")["rows"][0]["price"] == 120
    write(tmp_path / "lists", old, other)  # back again: the same file as at first, and a new load all the same
    assert said("load", file)["snapshot"] == 3
    assert said("show", "services", "S1")["rows"][0]["price"] == 100
    assert said("list")["catalogues"][0]["loads"] == 3


def test_a_later_row_of_a_file_replaces_an_earlier_one(said: Said, tmp_path: Path) -> None:
    file = write(tmp_path / "lists", "S1,Khám,13,,100,2026-01-01,", "S1,Khám,13,,120,2026-01-01,")
    loaded = said("load", file)
    assert loaded["changes"] == {"services": {"new": 1, "changed": 0, "unchanged": 0}}
    assert [p["code"] for p in loaded["problems"]["first"]] == ["duplicate_key"]
    assert said("show", "services", "S1")["rows"][0]["price"] == 120


def test_strict_refuses_when_there_is_an_error_and_says_which(said: Said, tmp_path: Path) -> None:
    file = write(tmp_path / "lists", "S1,Khám,13,,-1,2026-01-01,", "S2,Khám,13,,0,2026-01-01,")
    refused = said("load", file, "--strict", code=1)
    assert (refused["loaded"], refused["snapshot"]) == (False, 0)
    assert [(p["severity"], p["row"], p["value"]) for p in refused["problems"]["first"]] == [
        ("error", 2, "-1"),
        ("warn", 3, "0"),
    ]
    assert said("list")["catalogues"] == []
    assert "price_negative_or_zero" in said.text("load", file, "--strict", code=1)
    assert said("load", file)["loaded"] is True


def test_loading_reports_what_the_new_rows_do_and_check_everything(said: Said, tmp_path: Path) -> None:
    lists = tmp_path / "lists"
    said("load", write(lists, "S1,Khám,13,,100,2026-01-01,2026-12-31", "S9,Khám,13,,-1,2026-01-01,"))
    loaded = said("load", write(lists, "S1,Khám,13,,120,2026-07-01,"))
    assert [(p["code"], p["row"], p["days"]) for p in loaded["problems"]["first"]] == [("period_overlap", 2, 184)]
    codes = {c["code"]: c["count"] for c in said("check")["problems"]["counts"]}
    assert codes == {"period_overlap": 1, "price_negative_or_zero": 1}


def test_references_may_lie_in_the_same_folder_or_in_an_earlier_load(said: Said, tmp_path: Path) -> None:
    lists = tmp_path / "lists"
    file = write(lists, "S1,Khám,13,98001,100,2026-01-01,", "S1,Khám,13,98002,100,2026-01-01,")
    assert [c["code"] for c in said("load", file)["problems"]["counts"]] == ["reference_not_loaded"]
    write(lists, "98001,A,01,2026-01-01", name="facilities", head="ma_cskcb,name,province,valid_from\n")
    found = said("load", lists)["problems"]["first"]
    assert [(p["code"], p["value"], p["row"]) for p in found] == [("unknown_reference", "98002", 3)]


def test_only_the_first_findings_are_spelt_out_but_all_are_counted(said: Said, tmp_path: Path) -> None:
    file = write(tmp_path / "lists", *(f"S{n},Khám,13,,-1,2026-01-01," for n in range(250)))
    found = said("load", file)["problems"]
    assert (found["error"], len(found["first"]), found["counts"][0]["count"]) == (250, 200, 250)


def test_check_limits_the_codes_by_their_money(said: Said, world: Path, tmp_path: Path) -> None:
    source = shutil.copytree(world / "catalogues", tmp_path / "lists")
    drugs = pl.read_csv(source / "drugs.csv", infer_schema=False)
    drugs.head(1).write_csv(source / "drugs.csv")
    said("load", source)
    with pytest.raises(SystemExit, match="0"):
        main(["ingest", str(world / "xml"), "--json"])
    found = said("check", "--top", 2)["uncovered"]
    totals = {(t["catalogue"], t["status"]): t for t in found["totals"]}
    assert totals["drugs", "unknown"]["codes"] > 2
    top = [row for row in found["top"] if row["catalogue"] == "drugs"]
    assert len(top) == 2
    assert top[0]["money"] >= top[1]["money"] > 0
    assert "unknown code" in said.text("check", "--top", 2)
    nowhere = said("check", "--facility", "00000")["uncovered"]
    assert nowhere == {"totals": [], "top": []}


def test_show_finds_the_rows_of_a_key_and_the_one_of_a_day(said: Said, tmp_path: Path) -> None:
    rows = (
        "S1,Khám,13,,100,2025-01-01,2025-12-31",
        "S1,Khám,13,,120,2026-01-01,",
        "S1,Khám,13,,130,2026-07-01,",
        "S1,Khám,13,98001,90,2026-03-01,",
        "S1,Khám,13,98002,80,2026-03-01,",
    )
    said("load", write(tmp_path / "lists", *rows))

    def shown(*asked: str) -> list[float]:
        return sorted(row["price"] for row in said("show", "services", *asked)["rows"])

    assert shown("S1") == [80, 90, 100, 120, 130]
    assert shown("S1:98001") == [90, 100, 120, 130]  # a row without facility is everyone's
    assert shown("S1:98001", "--on", "2026-08-01") == [90, 130]
    assert shown("S1", "--on", "2025-12-31") == [100]
    assert "2025-12-31" in said.text("show", "services", "S1", "--on", "2025-12-31")
    assert "S1" in said.text("show", "services", "S1")
    missing = said("show", "services", "S1", "--on", "2020-01-01", code=1)
    assert missing["error"] == "unknown_catalogue_row"
    assert "2025-01-01..2025-12-31" in missing["message"]
    assert "S1" in said("show", "services", "S12", code=1)["message"].removeprefix(
        "catalogue services has no row of S12"
    )
    assert "never loaded" in said("show", "staff", "x", code=1)["message"]
    said.text("show", "stuff", "x", code=2)


def test_help_has_examples_in_both_languages(said: Said) -> None:
    for command in ("load", "list", "check", "show"):
        text = said.text(command, "--help")
        assert "Ví dụ / Example" in text
        assert f"minhbach catalogue {command}" in " ".join(text.split())
