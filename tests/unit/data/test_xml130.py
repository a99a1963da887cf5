"""The envelope reader: what hospitals send, in every wrapping, and what they should not have sent."""

from __future__ import annotations

import base64
import io
import time
from dataclasses import replace

import pytest

from data.sources import DEFAULT_LIMITS, Limits, Problem
from data.xml130 import RawRecord, read_envelope
from tests.lib.envelopes import FIXTURES, claim, drugs, envelope, hoso, packed, row, summary

LINE = {"MA_LK": "LK1", "STT": "1", "MA_THUOC": "40.48", "SO_LUONG": "10"}


class Trickle(io.BytesIO):
    """A stream that gives a few bytes at a time."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(7, size) if size and size > 0 else 7)

    read1 = read


def read(text: str | bytes, *, limits: Limits = DEFAULT_LIMITS) -> tuple[list[RawRecord], list[Problem]]:
    data = text.encode() if isinstance(text, str) else text
    items = list(read_envelope(io.BytesIO(data), limits=limits))
    return [i for i in items if isinstance(i, RawRecord)], [i for i in items if isinstance(i, Problem)]


def keys(records: list[RawRecord]) -> list[str | None]:
    return [record.tables["XML1"][0]["ma_lk"] for record in records]


def codes(problems: list[Problem]) -> list[tuple[str, str]]:
    return [(problem.code, problem.severity) for problem in problems]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("empty_all_tables_4750.xml", [("130", {"XML1": 1})]),
        ("empty_check_in.xml", [("130", {"XML0": 0})]),
        ("inline_3176.xml", [("130", {"XML1": 1, "XML2": 2, "XML3": 3, "XML4": 1, "XML5": 1})]),
        (
            "two_hoso_base64_3176.xml",
            [
                ("130", {"XML1": 1, "XML2": 2, "XML3": 3, "XML4": 1, "XML5": 1}),
                ("130", {"XML1": 1, "XML2": 1, "XML3": 4, "XML4": 1, "XML5": 1, "XML7": 1}),
            ],
        ),
        ("base64_4210.xml", [("4210", {"XML1": 1, "XML2": 1, "XML3": 1})]),
        ("mixed_names_two_hoso_inline.xml", [("130", {"XML1": 1, "XML2": 1})] * 2),
    ],
)
def test_each_kind_of_sample_is_read_without_a_problem(name: str, expected: list[tuple[str, dict[str, int]]]) -> None:
    records, problems = read((FIXTURES / name).read_bytes())
    assert problems == []
    assert [(r.standard, {table: len(rows) for table, rows in r.tables.items()}) for r in records] == expected


def test_inline_and_base64_give_the_same_rows() -> None:
    (inline,), _ = read((FIXTURES / "inline_3176.xml").read_bytes())
    (first, _second), _ = read((FIXTURES / "two_hoso_base64_3176.xml").read_bytes())
    assert inline.tables == first.tables
    assert (first.facility, first.ngaylap, first.hoso_no) == ("99001", "20251007", 1)
    assert first.tables["XML2"][0]["lieu_dung"] == "1 viên/lần * 2 lần/ngày * 5 ngày [2 viên/ngày]"
    assert first.tables["XML2"][0]["ma_pp_chebien"] is None


INNER = '<?xml version="1.0" encoding="utf-8"?>\r\n' + drugs(LINE)


@pytest.mark.parametrize(
    "content",
    [
        drugs(LINE),
        packed(INNER),
        packed(INNER, width=76),
        packed("\ufeff" + INNER),
        packed(INNER.replace('encoding="utf-8"', 'encoding="utf-16"')),
        packed("\ufeff" + INNER, encoding="utf-16-le"),
        f"<![CDATA[{INNER}]]>",
        INNER.replace("<", "&lt;"),
        packed(INNER).rstrip("="),
    ],
    ids=["inline", "base64", "wrapped", "bom", "lying declaration", "utf16", "cdata", "escaped", "unpadded"],
)
def test_the_content_of_a_table_may_be_wrapped_in_any_way_seen(content: str) -> None:
    (record,), problems = read(envelope(hoso(("XML1", summary()), ("XML2", content))))
    assert problems == []
    assert record.tables["XML2"] == [{name.lower(): text for name, text in LINE.items()}]


@pytest.mark.parametrize("content", ["", "  \n ", packed(""), drugs(dict.fromkeys(LINE, ""))])
def test_an_empty_table_has_no_rows(content: str) -> None:
    (record,), problems = read(envelope(hoso(("XML1", summary()), ("XML2", content))))
    assert problems == []
    assert "XML2" not in record.tables


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + envelope(claim()).encode(),
        ("\ufeff" + envelope(claim())).encode("utf-16-le"),
        ("\ufeff" + envelope(claim())).encode("utf-16-be"),
        envelope(claim()).encode("utf-16-le"),
        envelope(claim()).replace("\n", "\r\n").encode(),
        envelope(claim()).replace('encoding="utf-8"', 'encoding="windows-1258"').encode("cp1258", "xmlcharrefreplace"),
        base64.b64encode(envelope(claim()).encode()),
        base64.encodebytes(envelope(claim()).encode()),
        envelope(claim()).partition("?>")[2].strip().encode(),
        b"<!-- <HOSO></HOSO> -->" + envelope(claim()).partition("?>")[2].encode(),
    ],
    ids=["bom", "utf16le", "utf16be", "utf16 no bom", "crlf", "cp1258", "base64", "base64 lines", "bare", "comment"],
)
def test_the_envelope_may_come_in_any_encoding(data: bytes) -> None:
    (record,), problems = read(data)
    assert problems == []
    assert record.tables["XML1"][0]["ho_ten"] == "NGƯỜI BỆNH THỬ"


def test_a_list_directly_under_the_root_and_wrapped_files_are_read() -> None:
    nested = "<HOSO><FILEHOSO><MA_LK>LK1</MA_LK><DANHSACH_FILE>" + claim()[6:-7] + "</DANHSACH_FILE></FILEHOSO></HOSO>"
    (record,), problems = read(f"<GIAMDINHHS><DANHSACHHOSO>{nested}</DANHSACHHOSO></GIAMDINHHS>")
    assert problems == []
    assert record.tables["XML1"][0]["t_bhtt"] == "800"
    assert record.facility is None


def test_reading_does_not_depend_on_how_the_stream_is_cut() -> None:
    text = envelope(claim("A"), hoso(("XML1", summary("B")), ("XML2", f"<![CDATA[{drugs(LINE)}<!-- </HOSO> -->]]>")))
    assert list(read_envelope(Trickle(text.encode()))) == list(read_envelope(io.BytesIO(text.encode())))


def test_words_that_look_like_tags_do_not_end_a_hoso() -> None:
    noted = claim("A", HO_TEN="<![CDATA[</HOSO><HOSO>]]><!-- </HOSO> -->")
    records, problems = read(
        envelope(noted, claim("B"), "<!-- " + claim("C") + " -->", "<HOSO_KHAC></HOSO_KHAC>", declared=2)
    )
    assert keys(records) == ["A", "B"]
    assert problems == []
    assert records[0].tables["XML1"][0]["ho_ten"] == "</HOSO><HOSO>"


def test_other_tables_are_kept_by_their_rows() -> None:
    born = (
        "<CHI_TIEU><DSACH_GIAYCHUNGSINH>"
        + row("DU_LIEU", {"MA_LK": "LK1", "MA_CT": "1"}) * 2
        + "</DSACH_GIAYCHUNGSINH><CHUKYDONVI/></CHI_TIEU>"
    )
    (record,), problems = read(envelope(hoso(("XML1", summary()), ("XML9", born), ("XML99", row("X", {"Y": "z"})))))
    assert problems == []
    assert record.tables["XML9"] == [{"ma_lk": "LK1", "ma_ct": "1"}] * 2
    assert record.tables["XML99"] == [{"y": "z"}]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "file_empty"),
        (b" \r\n ", "file_empty"),
        (b"MA_LK,T_BHTT\n1,2\n", "not_xml"),
        (b"hello", "not_xml"),
        (b"%PDF-1.7 \x00\xff\xfe", "not_xml"),
        (b'{"a": 1}', "not_xml"),
        (b"<html><body>x</body></html>", "unknown_root"),
        (b"<a>" * 100_000, "unknown_root"),
        (b"<GIAMDINHHS>" + b"<a>" * 100_000, "envelope_broken"),
        (b"<GIAMDINHHS/>", "no_hoso"),
        (envelope(claim()).replace('"utf-8"', '"x-none"').encode(), "wrong_encoding"),
        ("\ufeff<GIAMDINHHS>".encode("utf-16-le") + b"\x00\xd8a\x00", "wrong_encoding"),
        (b'<!DOCTYPE G [<!ENTITY a "b">]>' + envelope(claim()).partition("?>")[2].encode(), "xml_dtd"),
        (b'<?xml version="1.0"?>\n<!DOCTYPE GIAMDINHHS SYSTEM "http://x/y.dtd"><GIAMDINHHS/>', "xml_dtd"),
    ],
)
def test_what_is_no_claim_file_gives_one_clear_problem(data: bytes, code: str) -> None:
    records, problems = read(data)
    assert records == []
    assert codes(problems) == [(code, "file")]
    (problem,) = problems
    assert problem.message_vi
    assert problem.hint_vi
    assert problem.hint_en


def test_truncation_keeps_what_came_before_and_says_where() -> None:
    whole = envelope(claim("A"), claim("B"), claim("C"))
    cut = whole.index("<MA_LK>C")
    records, problems = read(whole[:cut])
    assert keys(records) == ["A", "B"]
    assert codes(problems) == [("truncated", "file")]
    assert "2 HOSO" in problems[0].message_en
    before = whole[: whole.index("<HOSO>", whole.index("<MA_LK>B"))]
    assert problems[0].position == len(before.partition("?>")[2].encode())


def test_truncation_between_hoso_is_noticed() -> None:
    whole = envelope(claim("A"), claim("B"))
    records, problems = read(whole[: whole.rindex("</HOSO>") + 7])
    assert keys(records) == ["A", "B"]
    assert codes(problems) == [("truncated", "file")]


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        (claim("X", HO_TEN="A & B"), "hoso_broken"),
        (claim("X", HO_TEN="&a;"), "hoso_broken"),
        (claim("X").replace("</MA_LK>", "</MA_LX>"), "hoso_broken"),
        (hoso(("XML2", drugs(LINE))), "no_xml1"),
        ("<HOSO/>", "no_xml1"),
        (hoso(("XML1", "!")), "no_xml1"),
        (hoso(("XML1", summary("X") + summary("Y"))), "several_xml1"),
        (hoso(("XML1", row("TONG_HOP", {"MA_LK": "X", "MA_THE": "1", "MUC_HUONG": "80"}))), "unsupported_917"),
        (hoso(("XML1", row("TONG_HOP", {"MA_LK": "X"}))), "unknown_standard"),
    ],
)
def test_a_bad_hoso_never_loses_its_good_neighbours(broken: str, code: str) -> None:
    records, problems = read(envelope(claim("A"), broken, claim("B")))
    assert keys(records) == ["A", "B"]
    assert [r.hoso_no for r in records] == [1, 3]
    assert (code, "hoso") in codes(problems)
    assert {problem.hoso_no for problem in problems} == {2}


def test_a_hoso_in_another_encoding_loses_only_itself() -> None:
    parts = envelope(claim("A"), claim("X", HO_TEN="@"), claim("B")).encode().split(b"@")
    records, problems = read(b"\xe9\xe8".join(parts))
    assert keys(records) == ["A", "B"]
    assert codes(problems) == [("wrong_encoding", "hoso")]


def test_a_hoso_never_closed_does_not_swallow_the_next() -> None:
    records, problems = read(envelope(claim("A"), claim("X").removesuffix("</HOSO>"), claim("B")))
    assert keys(records) == ["A", "B"]
    assert codes(problems) == [("hoso_broken", "hoso")]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (packed("<a><b></a>"), "inner_broken"),
        ("AAAA", "inner_broken"),
        ("ạ", "wrong_encoding"),
        (packed("<?xml version='1.0'?><!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>"), "xml_dtd"),
        (packed("<CHI_TIET_THUOC><TEN_THUOC>é</TEN_THUOC></CHI_TIET_THUOC>", encoding="cp1258"), "wrong_encoding"),
    ],
)
def test_a_broken_table_costs_only_itself(content: str, code: str) -> None:
    (record,), problems = read(envelope(hoso(("XML1", summary()), ("XML2", content))))
    assert record.tables.keys() == {"XML1"}
    assert codes(problems) == [(code, "table")]
    assert (problems[0].table, problems[0].hoso_no) == ("XML2", 1)


def test_a_wrong_count_is_a_warning() -> None:
    records, problems = read(envelope(claim("A"), declared=3))
    assert keys(records) == ["A"]
    assert codes(problems) == [("count_mismatch", "warn")]


def test_the_standard_is_told_by_its_fields() -> None:
    old = row("TONG_HOP", {"MA_LK": "A", "MA_THE": "1", "T_TONGCHI": "2"})
    bare = row("TONG_HOP", {"MA_LK": "A", "MA_BENH_CHINH": "J02", "MA_LOAI_RV": "1"})
    records, _ = read(envelope(hoso(("XML1", old)), hoso(("XML1", bare))))
    assert [record.standard for record in records] == ["4210", "130"]


@pytest.mark.parametrize(
    "stuffing",
    [
        "<a>" * 3_000_000,
        "<a/>" * 2_000_000,
        "<b " + " ".join(f'a{i}=""' for i in range(1_100_000)) + "/>",
        "x" * 9_000_000,
    ],
    ids=["nesting", "elements", "attributes", "text"],
)
def test_a_stuffed_hoso_is_refused_quickly_and_its_neighbours_are_read(stuffing: str) -> None:
    limits = replace(DEFAULT_LIMITS, hoso_bytes=8_000_000, hoso_marks=1_000_000)
    started = time.process_time()
    records, problems = read(envelope(claim("A"), f"<HOSO>{stuffing}</HOSO>", claim("B")), limits=limits)
    assert keys(records) == ["A", "B"]
    assert codes(problems) == [("hoso_too_large", "hoso")]
    assert time.process_time() - started < 5


@pytest.mark.parametrize("opening", ["<GIAMDINHHS>", "<GIAMDINHHS><", "<", "<!--", "<GIAMDINHHS><![CDATA["])
def test_endless_text_outside_the_hoso_is_refused(opening: str) -> None:
    records, problems = read(opening + "a" * 3_000_000, limits=replace(DEFAULT_LIMITS, outer_bytes=1_000_000))
    assert records == []
    assert codes(problems) in ([("envelope_too_large", "file")], [("not_xml", "file")])


def test_many_sections_that_mention_the_end_are_passed_in_order() -> None:
    started = time.process_time()
    text = claim("A", HO_TEN="<![CDATA[</HOSO>]]>" * 100_000)
    (record,), problems = read(envelope(text))
    assert problems == []
    assert record.tables["XML1"][0]["ho_ten"] == "</HOSO>" * 100_000
    assert time.process_time() - started < 5


def test_a_file_of_nothing_but_problems_is_given_up() -> None:
    records, problems = read(envelope(claim("A"), *["<HOSO/>"] * 50), limits=replace(DEFAULT_LIMITS, problems=10))
    assert keys(records) == ["A"]
    assert len(problems) == 12
    assert codes(problems)[-1] == ("too_many_problems", "file")
