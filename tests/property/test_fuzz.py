"""Intake survives anything: no file stops a load, is read twice, or takes a good claim with it."""

from __future__ import annotations

import base64
import gzip
import io
import zipfile
from pathlib import Path

import pytest

from tests.lib.envelopes import claim, drugs, envelope, hoso, packed, row, summary
from tests.lib.mutations import HUGE, INNER, OLD, WHOLE, Fuzzed, Whole, frames_of, fuzzed, ingested, outcomes_of, read

SEED = 1
BATCH = 10


def faults(files: list[Fuzzed], folder: Path) -> list[str]:
    return [
        f"{outcome.fuzzed.number}: {fault} | {outcome.fuzzed.mutation} | {dict(outcome.problems)}"
        for at in range(0, len(files), BATCH)
        for outcome in outcomes_of(files[at : at + BATCH], folder)
        for fault in outcome.faults
    ]


@pytest.mark.parametrize("first", range(0, 300, 50))
def test_files_of_every_kind(first: int, tmp_path: Path) -> None:
    assert faults([fuzzed(SEED, number) for number in range(first, first + 50)], tmp_path) == []


def test_each_mutation_of_a_table(tmp_path: Path) -> None:
    names = [*INNER, "huge_value"]
    assert faults([fuzzed(SEED, number, inner=name) for number, name in enumerate(names)], tmp_path) == []


def test_each_mutation_of_a_file(tmp_path: Path) -> None:
    assert faults([fuzzed(SEED, number, whole=whole) for number, whole in enumerate(WHOLE)], tmp_path) == []


def test_one_ingest_of_many_broken_files(tmp_path: Path) -> None:
    kinds: list[Whole | None] = [*WHOLE, *[None] * 30]
    assert ingested([fuzzed(SEED + 1, number, whole=whole) for number, whole in enumerate(kinds)], tmp_path) == []


def test_the_same_seed_gives_the_same_file() -> None:
    assert fuzzed(SEED, 7) == fuzzed(SEED, 7)
    assert fuzzed(SEED, 7).data != fuzzed(SEED + 1, 7).data
    assert 0 < HUGE < 0.02


# What once went wrong, as small as it can be made: a record between A and B, C, and D.

DRUG = {"MA_LK": "V", "STT": "1", "SO_LUONG": "1", "THANH_TIEN_BV": "1", "THANH_TIEN_BH": "1", "T_BHTT": "1"}
VICTIM = claim("V")
CODECS = ("zlib", "bz2", "hex", "base64", "rot13", "quopri", "uu", "undefined", "punycode", "unicode_escape")


def found(data: bytes, folder: Path, name: str = "a.xml") -> list[str]:
    path = folder / name
    path.write_bytes(data)
    return frames_of([read(path)])["encounter"]["ma_lk"].to_list()


def among(victim: str) -> bytes:
    return envelope(
        claim("A"), victim, claim("B"), claim("C"), claim("D").replace("<MA_LK>", "<!-- x --><MA_LK>")
    ).encode()


@pytest.mark.parametrize(
    "victim",
    [
        VICTIM.replace("<TONG_HOP>", "<TONG_HOP><!--"),
        VICTIM.replace("<TONG_HOP>", "<TONG_HOP><![CDATA["),
        VICTIM.replace("<TONG_HOP>", "<TONG_HOP><?"),
        VICTIM.replace("<HOSO>", "<HOSP>"),
        VICTIM.replace("<HOSO>", ""),
        VICTIM.replace("</HOSO>", ""),
        VICTIM.replace("</HOSO>", "</HOSO></HOSO>"),
        VICTIM.replace("<TONG_HOP>", "</HOSO><TONG_HOP>"),
        VICTIM + "</HOSO>" * 5,
        VICTIM + "<HOSO/>" + VICTIM.replace("HOSO>", "hoso>"),
        "<HOSO>" * 100 + VICTIM,
        VICTIM[:-40],
        VICTIM[:-8],
        hoso(("XML1", summary("V")), ("XML2", drugs(DRUG)))[:-60],
    ],
)
def test_what_is_not_closed_takes_no_other_with_it(victim: str, tmp_path: Path) -> None:
    assert [ma_lk for ma_lk in found(among(victim), tmp_path) if ma_lk != "V"] == ["A", "B", "C", "D"]


def test_a_comment_that_a_later_claim_closes_takes_no_other_with_it(tmp_path: Path) -> None:
    data = among(VICTIM.replace("<TONG_HOP>", "<TONG_HOP><!--"))
    assert found(data.replace(b"</DANHSACHHOSO>", b"<!-- e --></DANHSACHHOSO>"), tmp_path) == ["A", "B", "C", "D"]
    # the last end of a HOSO stands inside the comment then
    last = data.replace(b"<!-- x -->", b"").replace(b"</DANHSACHHOSO>", b"<!-- e --></DANHSACHHOSO>")
    assert found(last, tmp_path) == ["A", "B", "C", "D"]


@pytest.mark.parametrize("name", CODECS)
def test_a_declared_encoding_is_never_a_program(name: str, tmp_path: Path) -> None:
    said = f'<?xml version="1.0" encoding="{name}"?>'
    for content in (packed(said + summary("V")), packed(said)):
        assert found(among(hoso(("XML1", content))), tmp_path) == ["A", "B", "C", "D"]
    path = tmp_path / "b.xml"
    path.write_bytes(envelope(VICTIM).replace("utf-8", name).encode())
    assert [problem.code for problem in read(path).problems] == ["wrong_encoding"]


@pytest.mark.parametrize("facility", ["1-001", "01 001", "990011", "9" * 30, "Bệnh viện"])
@pytest.mark.parametrize("table", ["XML2", "XML7"])
def test_an_odd_facility_is_a_warning(facility: str, table: str, tmp_path: Path) -> None:
    line = drugs(DRUG) if table == "XML2" else row("CHI_TIEU_DU_LIEU_GIAY_RA_VIEN", {"MA_LK": "V", "SO_LUU_TRU": "1"})
    victim = hoso(("XML1", summary("V", MA_CSKCB=facility)), (table, line))
    assert found(among(victim), tmp_path) == ["A", "V", "B", "C", "D"]


def test_amounts_of_any_size_are_multiplied(tmp_path: Path) -> None:
    line = {"MA_LK": "V", "THANH_TIEN": "9" * 15, "TYLE_TT": "9" * 15, "SO_LUONG": "9" * 15, "DON_GIA": "9" * 15}
    service = row("CHI_TIET_DVKT", line | {"MA_DICH_VU": "1"})
    victim = hoso(("XML1", row("TONG_HOP", OLD | {"MA_LK": "V"})), ("XML2", drugs(line)), ("XML3", service))
    assert found(among(victim), tmp_path) == ["A", "V", "B", "C", "D"]


def test_a_key_of_a_megabyte_is_not_stored_with_every_row(tmp_path: Path) -> None:
    for cells in ({"MA_LK": "K" * 1_000_000}, {"MA_CSKCB": "K" * 1_000_000}):
        victim = hoso(("XML1", row("TONG_HOP", {"MA_THE_BHYT": "1"} | cells)), ("XML2", drugs(*[DRUG] * 50)))
        (tmp_path / "a.xml").write_bytes(among(victim))
        frames = frames_of([read(tmp_path / "a.xml")])
        assert sum(frame.estimated_size() for frame in frames.values()) < 5_000_000
        assert frames["encounter"]["ma_lk"].to_list() == ["A", "B", "C", "D"]


def test_a_small_file_that_breaks_off_gives_what_is_whole(tmp_path: Path) -> None:
    data = envelope(claim("A"), claim("B")).encode()
    cut = gzip.compress(data)[:-12]
    assert found(cut, tmp_path, "a.xml.gz") == ["A", "B"]


def test_members_that_other_programs_write(tmp_path: Path) -> None:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr(zipfile.ZipInfo(""), b"")
        archive.writestr("a.xml", envelope(claim("A")))
    assert found(held.getvalue(), tmp_path, "a.zip") == ["A"]
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.xml", envelope(*map(claim, "ABC")) + base64.b64encode(bytes(range(256)) * 20).decode())
    damaged = bytearray(held.getvalue())
    damaged[60:90] = bytes(30)
    path = tmp_path / "b.zip"
    path.write_bytes(damaged)
    assert [problem.severity for problem in read(path).problems] == ["file"]
