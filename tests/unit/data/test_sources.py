"""Finding and opening claim files: bounded, in order, and never at the cost of the other files."""

from __future__ import annotations

import gzip
import hashlib
import io
import pickle
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from data.sources import DEFAULT_LIMITS, Limits, Problem, Source, SourceRefusedError, find_sources, sha256_of
from data.xml130 import RawRecord, read_envelope
from tests.lib.envelopes import claim, envelope

TEXT = envelope(claim("A")).encode()


def found(*paths: Path, limits: Limits = DEFAULT_LIMITS) -> tuple[list[Source], list[Problem]]:
    items = list(find_sources(paths, limits=limits))
    return [i for i in items if isinstance(i, Source)], [i for i in items if isinstance(i, Problem)]


def content(source: Source) -> bytes:
    with source.open() as stream:
        return stream.read()


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_a_folder_is_searched_in_a_stable_order(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "2.XML").write_bytes(TEXT)
    (tmp_path / "a.xml.GZ").write_bytes(gzip.compress(TEXT))
    (tmp_path / "notes.txt").write_bytes(b"x")
    (tmp_path / ".hidden.xml").write_bytes(TEXT)
    zipped(tmp_path / "c.Zip", {"x/1.xml": TEXT, "x/._1.xml": b"", "x/2.xml.gz": gzip.compress(TEXT), "read.me": b""})
    sources, problems = found(tmp_path)
    assert problems == []
    names = [source.name.removeprefix(str(tmp_path)) for source in sources]
    assert names == ["/a.xml.GZ", "/b/2.XML", "/c.Zip!x/1.xml", "/c.Zip!x/2.xml.gz"]
    assert {content(source) for source in sources} == {TEXT}
    assert {sha256_of(source) for source in sources} == {hashlib.sha256(TEXT).hexdigest()}


def test_a_named_file_is_taken_by_its_content_not_its_name(tmp_path: Path) -> None:
    odd = tmp_path / "export.dat"
    odd.write_bytes(gzip.compress(TEXT))
    (source,), _ = found(odd)
    assert content(source) == TEXT


def test_a_source_can_be_sent_to_another_process(tmp_path: Path) -> None:
    sources, _ = found(zipped(tmp_path / "a.zip", {"1.xml": TEXT, "2.xml": TEXT}))
    sent = [pickle.loads(pickle.dumps(source)) for source in sources]  # noqa: S301
    assert [content(source) for source in sent] == [TEXT, TEXT]


def test_members_of_one_name_are_two_sources(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("1.xml", b"first")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("1.xml", b"second")
    sources, _ = found(path)
    assert [content(source) for source in sources] == [b"first", b"second"]


def test_what_cannot_be_opened_is_a_problem_and_the_rest_goes_on(tmp_path: Path) -> None:
    good = tmp_path / "good.xml"
    good.write_bytes(TEXT)
    damaged = tmp_path / "damaged.zip"
    damaged.write_bytes(b"PK\x03\x04 but no archive")
    empty = tmp_path / "empty"
    empty.mkdir()
    bare = zipped(tmp_path / "bare.zip", {"read.me": b"x"})
    nested = zipped(tmp_path / "nested.zip", {"inner.zip": bare.read_bytes(), "1.xml": TEXT})
    sources, problems = found(tmp_path / "none.xml", damaged, empty, bare, nested, good)
    assert [problem.code for problem in problems] == [
        "source_missing",
        "zip_damaged",
        "folder_without_claims",
        "zip_without_claims",
        "zip_nested",
    ]
    assert [source.name for source in sources] == [f"{nested}!1.xml", str(good)]
    assert all(problem.source and problem.hint_vi and problem.hint_en for problem in problems)


def test_an_encrypted_member_is_a_problem(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"1.xml": TEXT, "2.xml": TEXT})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1  # the flag of the first entry in the directory
    path.write_bytes(data)
    sources, problems = found(path)
    assert [problem.code for problem in problems] == ["zip_encrypted"]
    assert [source.name for source in sources] == [f"{path}!2.xml"]


def test_too_many_members_are_refused_before_they_are_listed(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {f"{i}.xml": TEXT for i in range(20)})
    for limits in (replace(DEFAULT_LIMITS, members=10), replace(DEFAULT_LIMITS, directory_bytes=500)):
        sources, problems = found(path, limits=limits)
        assert sources == []
        assert [problem.code for problem in problems] == ["zip_too_many"]


@pytest.mark.parametrize("kind", ["gz", "zip"])
def test_a_bomb_is_refused_before_it_grows(tmp_path: Path, kind: str) -> None:
    bomb = b"<GIAMDINHHS>" + b" " * 12_000_000
    if kind == "gz":
        path = tmp_path / "bomb.xml.gz"
        path.write_bytes(gzip.compress(bomb))
    else:
        path = zipped(tmp_path / "bomb.zip", {"1.xml": bomb})
    (source,), _ = found(path)
    with source.open() as stream, pytest.raises(SourceRefusedError) as refused:
        stream.read()
    assert refused.value.problem.code == "source_bomb"
    with source.open() as stream:
        (problem,) = list(read_envelope(stream))
    assert isinstance(problem, Problem)
    assert problem.severity == "file"


def test_a_source_over_its_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_bytes(TEXT)
    (source,), _ = found(path, limits=replace(DEFAULT_LIMITS, source_bytes=100))
    with source.open() as stream, pytest.raises(SourceRefusedError) as refused:
        stream.read()
    assert refused.value.problem.code == "source_too_large"


def test_a_cut_gzip_gives_the_hoso_before_the_cut(tmp_path: Path) -> None:
    records = [claim(f"LK{i}", HO_TEN=hashlib.sha256(str(i).encode()).hexdigest() * 20) for i in range(300)]
    path = tmp_path / "a.xml.gz"
    whole = gzip.compress(envelope(*records).encode())
    path.write_bytes(whole[: len(whole) * 3 // 4])
    (source,), _ = found(path)
    with source.open() as stream:
        items = list(read_envelope(stream))
    assert sum(isinstance(item, RawRecord) for item in items) > 100
    assert isinstance(items[-1], Problem)
    assert items[-1].code == "truncated"
    whole_path = tmp_path / "b.xml.gz"
    whole_path.write_bytes(whole)
    (whole_source,), _ = found(whole_path)
    assert sha256_of(source) == sha256_of(source) != sha256_of(whole_source)


def test_a_vanished_file_is_refused_on_opening(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_bytes(TEXT)
    (source,), _ = found(path)
    path.unlink()
    with pytest.raises(SourceRefusedError) as refused:
        source.open()
    assert refused.value.problem.code == "source_unreadable"
    assert str(tmp_path) not in refused.value.problem.message_en


def test_an_empty_file_reads_as_empty(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.touch()
    (source,), _ = found(path)
    assert content(source) == b""
    assert isinstance(next(read_envelope(io.BytesIO())), Problem)
