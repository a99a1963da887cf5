"""Which claim stands for which, over several loads: money counted once, history readable, changes a query."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from data.intake import LoadReport
from data.lake import Lake
from data.versions import changes
from tests.lib.envelopes import drugs, envelope, hoso, row, summary
from tests.lib.pipeline import load, now

LINE = {
    "STT": "1",
    "MA_THUOC": "40.1",
    "SO_LUONG": "10",
    "DON_GIA": "100",
    "THANH_TIEN_BV": "1000",
    "THANH_TIEN_BH": "1000",
    "T_BHTT": "800",
    "NGAY_YL": "202510060830",
}
OTHER = LINE | {"STT": "2", "MA_THUOC": "40.2", "NGAY_YL": "202510060840"}
INPATIENT = {
    "MA_LOAI_KCB": "03",
    "NGAY_VAO_NOI_TRU": "202510061000",
    "NGAY_RA": "202510090900",
    "T_TONGCHI_BH": "5000",
    "T_TONGCHI_BV": "5000",
    "T_BHTT": "4000",
}


class Ward:
    """A lake into which claims are sent, load by load."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lake = Lake(folder / "lake", clock=now)
        self.sent = 0

    def send(self, *records: str) -> LoadReport:
        self.sent += 1
        path = self.folder / f"{self.sent}.xml"
        path.write_text(envelope(*records))
        return load(self.lake, path)

    def current(self) -> dict[str, Decimal]:
        with self.lake.reader() as reader:
            return dict(reader.pl("select ma_lk, t_bhtt from encounter order by ma_lk").iter_rows())

    def history(self) -> list[tuple[str, str, bool]]:
        with self.lake.reader() as reader:
            return reader.pl("select ma_lk, change, current from claim_version order by version").rows()


@pytest.fixture
def ward(tmp_path: Path) -> Ward:
    return Ward(tmp_path)


def claim(ma_lk: str, *lines: dict[str, str], **cells: str) -> str:
    files = [
        ("XML1", summary(ma_lk, MA_LOAI_KCB="01", **cells) if "MA_LOAI_KCB" not in cells else summary(ma_lk, **cells))
    ]
    if lines:
        files.append(("XML2", drugs(*({"MA_LK": ma_lk} | line for line in lines))))
    return hoso(*files)


def test_a_resend_replaces_and_the_same_again_is_a_duplicate(ward: Ward) -> None:
    ward.send(claim("A", LINE))
    assert ward.send(claim("A", LINE), claim("B", OTHER, NGAY_VAO="202510060700")).encounters_replaced == 1
    ward.send(claim("A", LINE, T_BHTT="700"))
    ward.send(claim("A", LINE, T_BHTT="700", NGAY_TTOAN="202510080000"))
    assert ward.current() == {"A": 700, "B": 800}
    assert ward.history() == [
        ("A", "new", False),
        ("A", "duplicate", False),
        ("B", "new", True),
        ("A", "replacement", False),
        ("A", "replacement", True),
    ]


def test_the_same_file_is_skipped(ward: Ward) -> None:
    ward.send(claim("A", LINE))
    assert load(ward.lake, ward.folder / "1.xml").files_skipped == 1


def test_a_copy_under_another_key_counts_once_under_the_first(ward: Ward) -> None:
    ward.send(claim("A", LINE))
    report = ward.send(claim("B", LINE), claim("C", LINE, OTHER))
    assert ward.current() == {"A": 800, "C": 800}
    assert ("B", "copy", False) in ward.history()
    assert report.rows["encounter"] == {"read": 2, "loaded": 1, "superseded": 1, "quarantined": 0}
    with ward.lake.reader() as reader:
        asked = reader.pl("select ma_lk, copy_of is not null as copied from claimed_encounter order by 1").rows()
        tables = reader.claim_tables()
        lines = reader.pl("select count(*) as n from drug_line")["n"][0]
    assert asked == [("A", False), ("B", True), ("C", False)]  # money is asked for the copy, so detectors see it
    assert tables.encounter.collect().to_native().height == 3
    assert lines == 3  # one of A, two of C


def test_a_copy_counts_again_once_the_first_is_withdrawn_or_changed(ward: Ward) -> None:
    ward.send(claim("A", LINE), claim("B", LINE), claim("C", LINE))
    assert ward.current() == {"A": 800}
    ward.send(claim("A", LINE, MA_DOITUONG_KCB="8"))
    assert ward.current() == {"B": 800}
    ward.send(claim("B", LINE, T_BHTT="10"))
    assert ward.current() == {"B": 10, "C": 800}
    ward.send(claim("A", LINE))
    assert ward.current() == {"A": 800, "B": 10}


def test_a_resend_of_the_first_keeps_its_place(ward: Ward) -> None:
    ward.send(claim("A", LINE))
    ward.send(claim("B", LINE))
    ward.send(claim("A", LINE))
    assert ward.current() == {"A": 800}


def test_other_patients_other_facilities_and_unknown_patients_are_no_copies(ward: Ward) -> None:
    ward.send(
        claim("A", LINE),
        claim("B", LINE, MA_THE_BHYT="DN4990000000002"),
        claim("C", LINE, MA_CSKCB="99002"),
        claim("D", LINE, MA_THE_BHYT=""),
        claim("E", LINE, MA_THE_BHYT=""),
    )
    assert set(ward.current()) == {"A", "B", "C", "D", "E"}


def test_an_outpatient_file_that_goes_on_as_an_inpatient_one_counts_there(ward: Ward) -> None:
    ward.send(claim("OUT", LINE))
    ward.send(claim("IN", LINE, OTHER, **INPATIENT))
    assert ward.current() == {"IN": 4000}
    assert ("OUT", "continued", False) in ward.history()
    # without its lines the inpatient file does not stand for it
    ward.send(claim("IN", OTHER, **INPATIENT))
    assert ward.current() == {"IN": 4000, "OUT": 800}


def test_an_outpatient_file_without_lines_or_of_another_day_stands_alone(ward: Ward) -> None:
    ward.send(claim("BARE"), claim("LATER", LINE, NGAY_VAO="202510010800", NGAY_RA="202510010900"))
    ward.send(claim("IN", LINE, **INPATIENT))
    assert set(ward.current()) == {"BARE", "LATER", "IN"}


def test_what_happened_between_two_snapshots_is_a_query(ward: Ward) -> None:
    ward.send(claim("A", LINE), claim("B", OTHER))
    ward.send(claim("A", LINE, T_BHTT="700"), claim("C", LINE, T_BHTT="700"), claim("D", T_BHTT="5"))
    ward.send(claim("B", OTHER, MA_DOITUONG_KCB="8"))
    with ward.lake.reader() as reader:
        between = changes(reader, 1).select("ma_lk", "change", "t_bhtt_was", "t_bhtt").rows()
        first = changes(reader, 1, 2).select("ma_lk", "change").rows()
    assert between == [
        ("A", "replacement", 800, 700),
        ("B", "withdrawal", 800, 800),
        ("C", "copy", None, 700),
        ("D", "new", None, 5),
    ]
    assert [key for key, _ in first] == ["A", "C", "D"]


def test_rows_are_conserved_over_every_kind(ward: Ward) -> None:
    bad = hoso(("XML1", summary("X", NGAY_RA="x")), ("XML2", drugs({"MA_LK": "X"} | LINE)))
    odd = hoso(
        ("XML1", summary("Y")), ("XML2", drugs({"MA_LK": "Y", "STT": "1", "T_BHTT": "x"}, {"MA_LK": "Y"} | OTHER))
    )
    paper = hoso(("XML1", summary("Z")), ("XML99", row("A", {"B": "1"})), ("XML7", row("C", {"SO_LUU_TRU": "7"})))
    ward.send(claim("A", LINE))
    report = ward.send(claim("A", LINE, OTHER), claim("A", LINE), claim("B", LINE), bad, odd, paper)
    for counts in report.rows.values():
        assert counts["read"] == counts["loaded"] + counts["superseded"] + counts["quarantined"]
    assert report.rows["encounter"] == {"read": 6, "loaded": 3, "superseded": 2, "quarantined": 1}
    assert report.rows["drug_line"] == {"read": 7, "loaded": 2, "superseded": 3, "quarantined": 2}
    assert report.rows["xml7"]["loaded"] == report.rows["unknown_row"]["loaded"] == 1
