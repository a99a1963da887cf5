"""Tables instead of claim files: official columns or a mapping, loaded once, every row accounted for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl
import pytest

from data.errors import MinhBachError
from data.intake import LoadReport, ingest_tables
from data.lake import Lake
from tests.lib.pipeline import KEY, RECEIVED, now

VISITS = """provider,claim,person,day_in,day_out,dx1,dx2,paid
P01,1,ann,2026-01-05,2026-01-07,I10,E11.9,120.5
P01,2,bob,2026-01-06,2026-01-06,J18.9,,80
P02,1,ann,2026-02-01,2026-02-03,I10,,99
"""
MAPPING = """
[[table]]
file = "visits.csv"
table = "XML1"
[table.fields]
ma_cskcb = "provider"
ma_lk = "claim"
ma_bn = "person"
ngay_vao = "day_in"
ngay_ra = "day_out"
ma_benh_chinh = "dx1"
ma_benh_kt = "dx2"
t_bhtt = "paid"
[table.units]
t_bhtt = 1000
[table.dates]
ngay_vao = "%Y-%m-%d"
ngay_ra = "%Y-%m-%d"
"""


class Desk:
    """A folder of tables and a lake."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "in"
        self.folder.mkdir()
        self.lake = Lake(folder / "lake", clock=now)
        self.mapping = folder / "map.toml"

    def put(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            (self.folder / name).write_text(text)

    def load(self, mapping: str | None = None) -> LoadReport:
        if mapping is not None:
            self.mapping.write_text(mapping)
        with self.lake.writer("test"):
            return ingest_tables(
                self.lake,
                [self.folder],
                mapping=self.mapping if mapping is not None else None,
                key=KEY,
                received=RECEIVED,
            )

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with self.lake.reader() as reader:
            return reader.pl(query).rows()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_mapping_may_cover_only_what_there_is(desk: Desk) -> None:
    desk.put({"visits.csv": VISITS})
    report = desk.load(MAPPING)
    assert report.rows == {"encounter": {"read": 3, "loaded": 3, "superseded": 0, "quarantined": 0}}
    assert (report.encounters_new, report.quarantined, report.files) == (3, 0, 1)
    rows = desk.rows(
        "select ma_cskcb, ma_lk, ma_bn, ma_benh_kt, t_bhtt, t_tongchi_bh, patient_id from encounter order by 1, 2"
    )
    assert [r[:4] for r in rows] == [("P01", "1", "ann", "E11.9"), ("P01", "2", "bob", None), ("P02", "1", "ann", None)]
    assert [(r[4], r[5], r[6]) for r in rows] == [(120500, None, None), (80000, None, None), (99000, None, None)]
    missing = desk.rows("select distinct field from fault where code = 'missing'")
    assert missing == []  # columns that the table does not have are unknown, not forgotten


def test_the_same_tables_with_the_same_mapping_are_loaded_once(desk: Desk) -> None:
    desk.put({"visits.csv": VISITS})
    desk.load(MAPPING)
    again = desk.load(MAPPING)
    assert (again.files, again.files_skipped, again.encounters_new) == (0, 1, 0)
    other = desk.load(MAPPING.replace("1000", "2000"))
    assert other.encounters_replaced == 3
    assert desk.rows("select sum(t_bhtt) from encounter") == [(599000,)]


def test_official_columns_need_no_mapping_and_lines_find_their_encounter(desk: Desk) -> None:
    desk.put(
        {
            "xml1.csv": "MA_CSKCB,MA_LK,MA_THE_BHYT,HO_TEN,NGAY_VAO,NGAY_RA,T_TONGCHI_BH,T_BHTT,CHAN_DOAN_RV\n"
            "99001,A,DN4990000000001,Nguyen Van Thu,202601050800,202601051000,1000,800,dau dau\n"
            "99001,B,DN4990000000002,Tran Thi Thu,202601050800,bad,1000,800,\n",
            "xml2.csv": "MA_LK,STT,MA_THUOC,SO_LUONG,THANH_TIEN_BH,T_BHTT\nA,1,40.1,1,1000,800\nB,1,40.1,1,1000,800\n"
            "C,1,40.1,1,1000,800\n",
        }
    )
    report = desk.load()
    assert report.rows == {
        "encounter": {"read": 2, "loaded": 1, "superseded": 0, "quarantined": 1},
        "drug_line": {"read": 3, "loaded": 1, "superseded": 0, "quarantined": 2},
    }
    assert desk.rows("select ma_cskcb, ma_lk, row_no from drug_line") == [("99001", "A", 1)]
    assert desk.rows("select chan_doan_rv from free_text") == [("dau dau",)]
    ((patient,),) = desk.rows("select patient_id from encounter")
    assert isinstance(patient, str)
    assert len(patient) == 32
    with desk.lake.reader() as reader:
        tables = reader.pl("select table_name, column_name from information_schema.columns").filter(
            pl.col("column_name").is_in(["ho_ten", "ma_the_bhyt", "chan_doan_rv"])
        )
        assert set(tables["table_name"]) == {"free_text"}
        seen: list[tuple[str, int]] = []
        names = reader.restricted(
            "person", "select ho_ten from restricted order by 1", record=lambda *look: seen.append(look)
        )
    assert (names["ho_ten"].to_list(), seen) == (["Nguyen Van Thu"], [("person", 1)])


def test_a_bad_mapping_or_table_leaves_the_lake_as_it_was(desk: Desk) -> None:
    desk.put({"visits.csv": VISITS})
    with pytest.raises(MinhBachError, match="t_bhtx"):
        desk.load(MAPPING.replace("t_bhtt =", "t_bhtx =", 1))
    assert desk.lake.snapshot() == 0
    assert desk.load(MAPPING).encounters_new == 3
