"""The fast way through plain HOSO gives exactly what the careful parser gives, whatever the envelope holds."""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from data import flatxml
from data.frames import Batch, frames_of_records
from data.schema import fields
from data.sources import DEFAULT_LIMITS, Limits, Problem
from data.synthetic import generate
from data.xml130 import Record, read_envelope, read_in_bulk
from tests.lib.envelopes import FIXTURES, claim, drugs, envelope, hoso, packed, row, summary

DRUG = {"MA_LK": "LK1", "STT": "1", "SO_LUONG": "10", "THANH_TIEN_BH": "5125", "T_BHTT": "4100"}
DECLARED = '<?xml version="1.0" encoding="utf-8"?>'


def both_ways(files: Sequence[bytes], *, limits: Limits = DEFAULT_LIMITS) -> Counter[str]:
    """Assert that both ways give the same tables and problems; how many HOSO came which way."""
    careful: list[tuple[int, Record | Problem]] = [
        (i, item) for i, data in enumerate(files) for item in read_envelope(io.BytesIO(data), limits=limits)
    ]
    bulk = list(read_in_bulk([(i, lambda data=data: io.BytesIO(data)) for i, data in enumerate(files)], limits=limits))
    assert [order(i, item) for i, item in bulk] == [order(i, item) for i, item in careful]
    expected, found = tables(careful), tables(bulk)
    assert found.keys() == expected.keys()
    for name, frame in expected.items():
        assert_frame_equal(found[name], frame)
    return Counter(type(item).__name__ for _, item in bulk)


def order(file: int, item: Record | Problem) -> object:
    return (file, item) if isinstance(item, Problem) else (file, item.hoso_no, item.facility, item.ngaylap)


def tables(items: Sequence[tuple[int, Record | Problem]]) -> dict[str, pl.DataFrame]:
    records = [(item, file * 1000 + item.hoso_no) for file, item in items if not isinstance(item, Problem)]
    origin = {version: (f"{version // 1000}.xml", f"sha{version // 1000}", version % 1000) for _, version in records}
    received = datetime.fromisoformat("2026-01-31")
    return frames_of_records(records, origin, Batch(load_id="load", load_seq=3, received=received, key=b"k" * 32))


def one(content: str, table: str = "XML2", **cells: str) -> bytes:
    return envelope(claim("A"), hoso(("XML1", summary(**cells)), (table, content)), claim("B")).encode()


def test_generated_claims_are_nearly_all_plain(tmp_path: Path) -> None:
    generate(tmp_path, encounters=250, months=2, seed=11)
    ways = both_ways([path.read_bytes() for path in sorted((tmp_path / "xml").rglob("*.xml"))])
    assert ways["PlainRecord"] > 200
    assert ways["RawRecord"] < 0.05 * ways["PlainRecord"]


@pytest.mark.parametrize("name", sorted(path.name for path in FIXTURES.glob("*.xml")))
def test_samples(name: str) -> None:
    both_ways([(FIXTURES / name).read_bytes()])


def test_the_samples_of_the_standard_are_plain() -> None:
    files = [(FIXTURES / name).read_bytes() for name in ("inline_3176.xml", "two_hoso_base64_3176.xml")]
    assert both_ways(files) == {"PlainRecord": 3}


@pytest.mark.parametrize(
    ("content", "plain"),
    [
        (packed(drugs(DRUG)), True),
        (packed(DECLARED + "\r\n" + drugs(DRUG).replace("><", ">\r\n  <")), True),
        (packed(DECLARED + drugs(DRUG), width=76), True),
        (packed(drugs(DRUG)).rstrip("="), True),
        (packed("\ufeff" + DECLARED + drugs(DRUG)), True),
        (drugs(DRUG), True),
        (drugs(DRUG | {"TEN_THUOC": "<![CDATA[ a]]]>"}), True),
        (drugs(DRUG | {"TEN_THUOC": "<![CDATA[a < b & c]]> d &amp; e&gt;"}), True),
        (drugs(DRUG | {"TEN_THUOC": " \u00a0x\u2003 "}), True),
        (drugs(DRUG | {"TEN_THUOC": "a\r\nb"}), True),
        (packed(drugs(DRUG | {"TEN_THUOC": "a\rb"})), False),
        (drugs(dict.fromkeys(DRUG, " "), DRUG, {}, DRUG), True),
        (drugs(), True),
        ("", True),
        (packed("   "), False),
        (packed(drugs(DRUG, {"TEN_THUOC": "x"})), True),
        (packed(drugs(DRUG), encoding="utf-16"), False),
        (packed(drugs(DRUG | {"TEN_THUOC": "&#10;x"})), False),
        (packed(drugs(DRUG | {"TEN_THUOC": "&x;"})), False),
        (packed(drugs(DRUG | {"TEN_THUOC": "a]]>b"})), False),
        (packed(drugs(DRUG | {"TEN_THUOC": "a\x01b"})), False),
        (packed(drugs(DRUG | {"TEN_THUOC": "a<!-- c -->b"})), False),
        (packed(drugs(DRUG | {"TEN_THUOC": "a<B>c</B>d"})), False),
        (packed(drugs(DRUG | {"TEN_THUOC": "<![CDATA[<!DOCTYPE a>]]>"})), False),
        (packed("<!DOCTYPE a [<!ENTITY b 'c'>]>" + drugs(DRUG)), False),
        (packed(drugs(DRUG | {"TRUONG_LA": "x"})), False),
        (packed(drugs({name.lower(): text for name, text in DRUG.items()})), False),
        (packed(drugs({"MA_LK": "LK1", "SO_LUONG": "1", "THANH_TIEN": "5", "TYLE_TT": "100"})), False),
        (packed(drugs(DRUG).replace("<STT>", "<STT a='1'>")), False),
        (packed(drugs(DRUG).replace("<STT>", "<STT >")), False),
        (packed(drugs(DRUG).replace("CHI_TIET_THUOC", "n:CHI_TIET_THUOC")), False),
        (packed(drugs(DRUG)[:-9]), False),
        (packed(drugs(DRUG).replace("</STT>", "</STTT>")), False),
        (packed(row("DSACH_CHI_TIET_THUOC", {"CHI_TIET_THUOC": "<STT>1</STT>"})), False),
        ("không phải base64", False),
        (packed(drugs(DRUG)) + "*", False),
        (f"<![CDATA[{drugs(DRUG)}]]>", False),
        (drugs(DRUG).replace("<", "&lt;"), False),
        (drugs(DRUG)[:-9], False),
    ],
)
def test_each_way_to_write_a_table(content: str, plain: bool) -> None:
    ways = both_ways([one(content), one(content, MA_CSKCB=" ", HO_TEN="")])
    assert ways["PlainRecord"] == (6 if plain else 4)


@pytest.mark.parametrize("second", ["", "2", " ", "<![CDATA[]]>"])
def test_of_a_field_named_twice_the_last_counts(second: str) -> None:
    twice = drugs(DRUG).replace("</STT>", f"</STT><STT>{second}</STT>")
    good = [packed(drugs(DRUG | {"STT": str(i)})) for i in range(5)]
    records = [hoso(("XML1", summary(f"L{i}")), ("XML2", text)) for i, text in enumerate([*good, packed(twice), *good])]
    ways = both_ways([envelope(*records).encode()])
    assert ways == {"PlainRecord": 11}
    doubled = summary("X").replace("<T_BHTT>800</T_BHTT>", f"<T_BHTT>800</T_BHTT><T_BHTT>{second}</T_BHTT>")
    assert both_ways([envelope(claim("A"), hoso(("XML1", doubled)), claim("B")).encode()]) == {"PlainRecord": 3}


@pytest.mark.parametrize(
    "record",
    [
        hoso(("XML1", "")),
        hoso(("XML2", drugs(DRUG))),
        hoso(("XML1", summary() + summary())),
        hoso(("XML1", summary()), ("XML1", summary())),
        hoso(("XML1", summary()), ("XML2", drugs(DRUG)), ("XML2", drugs(DRUG))),
        hoso(("XML1", f"<A>{summary()}</A>")),
        hoso(("XML1", row("TONG_HOP", {"MA_LK": "1", "NGAY_VAO": "202510060800"}))),
        hoso(("XML1", summary()), ("XML7", row("CHI_TIEU", {"SO_LUU_TRU": "<![CDATA[</NOIDUNGFILE>]]>"}))),
        hoso(
            ("XML1", summary()),
            ("XML7", row("A", {"B": "c"}) + row("A", {"D": "e"})),
            ("KHAC", packed("<A><B>1</B></A>")),
        ),
        hoso(("XML1", summary()), ("XML7", packed("<A><B>1</A>")), ("XML8", "<A><B></B></A>"), ("XML9", "<A>&b;</A>")),
        hoso(("XML1", packed(summary().replace("NGƯỜI", "\x02")))),
        hoso(("XML1", packed(summary()).replace("A", "\x0b"))),
        hoso(("XML1", summary()))[:-7],
        hoso(("xml1", summary())),
        hoso(("XML1", summary())).replace("<HOSO>", "<HOSO a='1'>"),
        hoso(("XML1", summary())).replace("<FILEHOSO>", "<!-- c --><FILEHOSO>"),
        hoso(
            ("XML1", summary()), ("XML2", drugs(DRUG).replace("</CHI_TIET_THUOC>", "</NOIDUNGFILE></CHI_TIET_THUOC>"))
        ),
        hoso(("XML1", row("TONG_HOP", {"MA_THE_BHYT": "", "MA_LK": ""}))),
        hoso(("XML1", summary(NGAY_RA="x")), ("XML2", drugs(DRUG | {"TEN_THUOC": " a "}, DRUG))),
    ],
)
@pytest.mark.parametrize("cut", [None, -40, -140])
def test_what_is_wrong_with_a_hoso_costs_the_same(record: str, cut: int | None) -> None:
    text = envelope(claim("A"), record, claim("B"), declared=9).encode()
    both_ways([text[:cut], envelope(claim("C")).encode()])


def test_limits_hold_both_ways() -> None:
    text = envelope(claim("A"), hoso(("XML1", summary()), ("XML2", drugs(*[DRUG] * 50))), claim("B")).encode()
    for limits in (Limits(hoso_bytes=3000), Limits(hoso_marks=300), Limits(problems=0), Limits(outer_bytes=100)):
        both_ways([text, text], limits=limits)
    bad = envelope(*[hoso(("XML1", "x"))] * 6, claim("A")).encode()
    assert both_ways([bad, bad], limits=Limits(problems=2))["PlainRecord"] == 0


PIECES = st.sampled_from(
    [
        *(
            "a",
            " ",
            "\n",
            "\r\n",
            "&amp;",
            "&lt;",
            "]",
            ">",
            "]]",
            "<![CDATA[",
            "]]>",
            "<",
            "&",
            "Đ",
            "1",
            "/>",
            "=",
            "'",
        ),
        *("</STT>", "<STT>", "<STT/>", "</CHI_TIET_THUOC>", "<CHI_TIET_THUOC>", "<A>", "<!--", "-->"),
        *("\x00", "\ufffe", "\u0085"),
    ]
)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.lists(PIECES, max_size=6).map("".join), st.booleans()), max_size=20))
@example([("<![CDATA[a]]]]>", False), ("a]<![CDATA[]]>", True), ("a]]>", True)])
def test_any_text_reads_the_same(texts: list[tuple[str, bool]]) -> None:
    records: list[str] = []
    for text, inline in texts:
        content = drugs(DRUG | {"TEN_THUOC": text}, DRUG)
        files = ("XML1", summary(HO_TEN=text if inline else "x")), ("XML2", content if inline else packed(content))
        records.append(hoso(*files))
    both_ways([envelope(*records).encode()])


def test_text_in_another_encoding_costs_only_its_table() -> None:
    inner = drugs(DRUG | {"TEN_THUOC": "\u00e9"}).encode("latin-1")
    for content in (inner, base64.b64encode(inner)):
        record = hoso(("XML1", summary()), ("XML2", "@")).encode().replace(b"@", content)
        assert both_ways([envelope(claim("A"), "@", claim("B")).encode().replace(b"@", record)])["PlainRecord"] == 2


@pytest.mark.parametrize("table", flatxml.FLAT_TAGS)
def test_only_fields_of_the_new_standard_are_plain(table: str) -> None:
    new = {field.name for field in fields(table)}
    old = {field.name for field in fields(table, "4210")} if table in flatxml.ROW_TAGS else {"ma_la"}
    for name in sorted(new | old):
        text = f"<{name.upper()}>1</{name.upper()}>"
        cells = "<MA_THE_BHYT/>" + text if table == "XML1" else text
        content = f"<{flatxml.FLAT_TAGS[table]}>{cells}</{flatxml.FLAT_TAGS[table]}>"
        for wrapper in reversed(flatxml.WRAPPERS.get(table, ())):
            content = f"<{wrapper}>{content}</{wrapper}>"
        assert (flatxml.plain(table, [content.encode()]) != [None]) == (name in new)
