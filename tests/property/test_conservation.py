"""Whatever is sent, in whatever order: every row read is somewhere, and money is counted once."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from data.intake import LoadReport
from data.lake import CLAIM_TABLES, Lake, Reader
from tests.lib.envelopes import claim, drugs, envelope, hoso, row, summary
from tests.lib.pipeline import load, now

Key = tuple[str, str]
QUICK = (Phase.explicit, Phase.generate)
OLD_XML1 = {"NGAY_VAO": "202510060800", "NGAY_RA": "202510061030", "T_TONGCHI": "9000", "MA_LYDO_VVIEN": "1"}


@dataclass(frozen=True)
class Sent:
    """A HOSO to send. Patients without a card are told apart by nothing, so two of them are never one."""

    facility: str
    ma_lk: str
    patient: str
    content: int  # which lines and how much money
    kind: str = "good"  # good, old (QĐ 4210), withdrawn, refused, broken
    lines: int = 1
    bad_lines: int = 0
    papers: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        return self.facility, self.ma_lk

    @property
    def money(self) -> Decimal:
        return Decimal(100 * (self.content + 1) + (50 if self.kind == "old" else 0))

    def counted_as(self) -> tuple[object, ...]:
        """Two claims with the same are one."""
        person = self.patient or f"unknown of {self.ma_lk}"
        return self.facility, person, self.content, self.lines, self.kind == "old"

    def text(self) -> str:
        if self.kind == "broken":
            return claim(self.ma_lk).replace("</TONG_HOP>", "")
        cells = {"MA_CSKCB": self.facility, "T_BHTT": f"{self.money}"}
        if self.kind == "old":
            record = row("TONG_HOP", {"MA_LK": self.ma_lk, "MA_THE": self.patient} | cells | OLD_XML1)
        else:
            cells["MA_THE_BHYT"] = self.patient
            if self.kind == "withdrawn":
                cells["MA_DOITUONG_KCB"] = "8"
            if self.kind == "refused":
                cells["NGAY_RA"] = "hôm qua"
            record = summary(self.ma_lk, **cells)
        files = [("XML1", record)]
        if self.lines + self.bad_lines:
            files.append(("XML2", drugs(*self._lines())))
        files += [(name, row("CHI_TIEU_GIAY", {"SO_LUU_TRU": "7", "SO_HOSO": "7"})) for name in self.papers]
        return hoso(*files)

    def _lines(self) -> Iterable[dict[str, str]]:
        amount = "THANH_TIEN" if self.kind == "old" else "THANH_TIEN_BH"
        for number in range(self.lines + self.bad_lines):
            readable = number < self.lines
            line = {"MA_LK": self.ma_lk, "STT": f"{number + 1}", "MA_THUOC": f"40.{self.content}.{number}"}
            yield line | {"SO_LUONG": "1", amount: "10" if readable else "mười", "NGAY_YL": "202510060830"}


@dataclass
class Ledger:
    """What the lake must hold, kept by hand."""

    latest: dict[Key, Sent | None] = field(default_factory=dict[Key, Sent | None])
    seen: set[str] = field(default_factory=set[str])

    def take(self, files: Iterable[str], sent: Iterable[list[Sent]]) -> Counter[str]:
        """Enter a load; how many rows of each table it reads."""
        read: Counter[str] = Counter()
        for text, records in zip(files, sent, strict=True):
            if text in self.seen:
                continue
            self.seen.add(text)
            for one in records:
                if one.kind == "broken":
                    continue
                read["encounter"] += 1
                read["drug_line"] += one.lines + one.bad_lines
                read.update({"XML7": "xml7", "XML13": "xml13"}.get(name, "unknown_row") for name in one.papers)
                if one.kind != "refused":
                    self.latest[one.key] = None if one.kind == "withdrawn" else one
        return +read

    def claims(self) -> dict[tuple[object, ...], Decimal]:
        return {one.counted_as(): one.money for one in self.latest.values() if one}


HOSO = st.builds(
    Sent,
    facility=st.sampled_from(["99001", "99002"]),
    ma_lk=st.sampled_from(["A", "B", "C"]),
    patient=st.sampled_from(["DN4990000000001", "DN4990000000001", "DN4990000000002", ""]),
    content=st.integers(0, 1),
    kind=st.sampled_from(["good", "good", "good", "old", "withdrawn", "refused", "broken"]),
    lines=st.integers(0, 2),
    bad_lines=st.sampled_from([0, 0, 1]),
    papers=st.lists(st.sampled_from(["XML7", "XML13", "XML99"]), max_size=2, unique=True).map(tuple),
)
LOADS = st.lists(st.lists(st.lists(HOSO, max_size=5), min_size=1, max_size=3), min_size=1, max_size=3)

A = Sent("99001", "A", "DN4990000000001", 0)
B = Sent("99001", "B", "DN4990000000001", 0)
GONE = Sent("99001", "A", "DN4990000000001", 0, "withdrawn")


@settings(max_examples=6, derandomize=True, deadline=None, phases=QUICK, database=None)
@given(LOADS)
@example([[[A, B]], [[GONE], [Sent("99001", "C", "DN4990000000001", 1, bad_lines=1)]], [[A]]])
@example([[[A], [A], [B, Sent("99002", "A", "DN4990000000001", 0, "refused", papers=("XML7", "XML99"))]], [[A], [B]]])
@example([[[Sent("99001", "A", "", 0), Sent("99001", "B", "", 0)]], [[Sent("99001", "A", "X", 0, "old", 2, 1)]]])
def test_every_row_is_somewhere_and_money_counts_once(loads: list[list[list[Sent]]]) -> None:
    ledger, reports = Ledger(), list[LoadReport]()
    with tempfile.TemporaryDirectory() as made:
        lake = Lake(Path(made) / "lake", clock=now)
        for number, sent in enumerate(loads):
            folder = Path(made) / f"{number}"
            folder.mkdir()
            files = [envelope(*(one.text() for one in records)) for records in sent]
            for i, text in enumerate(files):
                (folder / f"{i}.xml").write_text(text)
            wanted = ledger.take(files, sent)
            report = load(lake, folder)
            assert {table: rows["read"] for table, rows in report.rows.items()} == wanted
            for rows in report.rows.values():
                assert rows["read"] == rows["loaded"] + rows["superseded"] + rows["quarantined"]
            reports.append(report)
            with lake.reader() as reader:
                check_money(reader, ledger)
        with lake.reader() as reader:
            check_rows(reader, reports)


def check_money(reader: Reader, ledger: Ledger) -> None:
    """The current claims are those of the ledger, each content of a patient once."""
    rows = reader.pl("select t_bhtt from encounter")["t_bhtt"].to_list()
    assert Counter(rows) == Counter(ledger.claims().values())
    lines = reader.pl("select count(*) from drug_line anti join encounter using (version)").item()
    assert lines == 0


def check_rows(reader: Reader, reports: list[LoadReport]) -> None:
    """Over all loads: what was not refused is in the history, and what was refused is kept as it was sent."""
    stored: Counter[str] = Counter()
    refused = 0
    for report in reports:
        for table, rows in report.rows.items():
            stored[table] += rows["loaded"] + rows["superseded"]
            refused += rows["quarantined"]
    for table in CLAIM_TABLES:
        assert reader.pl(f"select count(*) from {table}_history").item() == stored[table], table
    looks: list[tuple[str, int]] = []
    for table, wanted in (("unknown_row", stored["unknown_row"]), ("refused_row", refused)):
        found = reader.restricted(table, "select * from restricted", record=lambda *look: looks.append(look))
        assert found.height == wanted, table
    assert [table for table, _ in looks] == ["unknown_row", "refused_row"]


def check_in(ma_lk: str) -> str:
    return row(
        "CHI_TIEU_TRANG_THAI_KCB", {"MA_LK": ma_lk, "MA_CSKCB": "99001", "NGAY_VAO": "202510060800", "HO_TEN": "N"}
    )


def test_check_ins_are_counted_too(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake", clock=now)
    for number, ma_lk in enumerate(("A", "B", "", "A")):
        (tmp_path / f"{number}.xml").write_text(check_in(ma_lk) if ma_lk else check_in("").replace("99001", ""))
    report = load(lake, *sorted(tmp_path.glob("*.xml")))
    rows = report.rows["xml0"]
    assert (report.files, report.files_skipped) == (3, 1)
    assert rows == {"read": 3, "loaded": 2, "superseded": 0, "quarantined": 1}
    (tmp_path / "4.xml").write_text(envelope(A.text()))
    assert load(lake, tmp_path / "4.xml").rows["encounter"]["loaded"] == 1
    with lake.reader() as reader:
        assert reader.pl("select count(*) from xml0_history").item() == 2
        assert reader.pl("select sum(t_bhtt) from encounter").item() == A.money
