"""The fast way for HOSO of the plain shape, which nearly all are: whole batches of text become Arrow columns at once.

A HOSO is plain when it is written exactly as the standard prints it and its tables hold nothing but official
fields of QĐ 130, each a text or a CDATA section. What is called plain here reads the same, and as surely, through the
tolerant parser of `xml130`; everything else (other names, attributes, comments, character references, document types,
what is no XML) is refused here and goes there. The judging is done by regular expressions in linear time.
"""

from __future__ import annotations

import binascii
import re
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast

import polars as pl
import pybase64

from data.schema import fields

ROW_TAGS = {
    "XML1": "TONG_HOP",
    "XML2": "CHI_TIET_THUOC",
    "XML3": "CHI_TIET_DVKT",
    "XML4": "CHI_TIET_CLS",
    "XML5": "CHI_TIET_DIEN_BIEN_BENH",
}
"""The row element of each table of cost and care, the same in QĐ 130 and QĐ 4210."""

PAPER_TAGS = {
    "XML6": "HO_SO_BENH_AN_CHAM_SOC_VA_DIEU_TRI_HIV_AIDS",
    "XML7": "CHI_TIEU_DU_LIEU_GIAY_RA_VIEN",
    "XML8": "CHI_TIEU_DU_LIEU_TOM_TAT_HO_SO_BENH_AN",
    "XML9": "DU_LIEU_GIAY_CHUNG_SINH",
    "XML10": "CHI_TIEU_DU_LIEU_GIAY_NGHI_DUONG_THAI",
    "XML11": "CHI_TIEU_DU_LIEU_GIAY_CHUNG_NHAN_NGHI_VIEC_HUONG_BAO_HIEM_XA_HOI",
    "XML13": "CHI_TIEU_GIAYCHUYENTUYEN",
    "XML14": "CHI_TIEU_GIAYHEN_KHAMLAI",
    "XML15": "CHITIET_DIEUTRI_BENHLAO",
}
"""The row element of each paper as the standard prints it; exporters vary, so others are found by their shape."""

FLAT_TAGS = ROW_TAGS | PAPER_TAGS

WRAPPERS: dict[str, tuple[str, ...]] = {
    "XML2": ("CHITIEU_CHITIET_THUOC", "DSACH_CHI_TIET_THUOC"),
    "XML3": ("CHITIEU_CHITIET_DVKT_VTYT", "DSACH_CHI_TIET_DVKT"),
    "XML4": ("CHITIEU_CHITIET_DICHVUCANLAMSANG", "DSACH_CHI_TIET_CLS"),
    "XML5": ("CHITIEU_CHITIET_DIENBIENLAMSANG", "DSACH_CHI_TIET_DIEN_BIEN_BENH"),
    "XML6": (
        "CHI_TIEU_HO_SO_BENH_AN_CHAM_SOC_VA_DIEU_TRI_HIV_AIDS",
        "DSACH_HO_SO_BENH_AN_CHAM_SOC_VA_DIEU_TRI_HIV_AIDS",
    ),
    "XML9": ("CHI_TIEU_DU_LIEU_GIAY_CHUNG_SINH", "DSACH_GIAYCHUNGSINH"),
    "XML15": ("CHI_TIEU_DIEUTRI_BENHLAO", "DSACH_CHITIET_DIEUTRI_BENHLAO"),
}
"""What stands around the rows of a table that may have several; the others are one row, and it is the root."""

_OPEN = re.compile(
    rb"[ \t\r\n]*+<FILEHOSO>[ \t\r\n]*+<LOAIHOSO>([A-Z0-9]{1,20})</LOAIHOSO>[ \t\r\n]*+<NOIDUNGFILE>"
    rb"(?:[ \t\r\n]*+(<(?![!?/])))?+"
)
_CLOSE = re.compile(rb"</NOIDUNGFILE>[ \t\r\n]*+</FILEHOSO>")
_CLOSED = re.compile(rb"[ \t\r\n]*+</HOSO>\Z")
_BLANKS = b" \t\r\n"

# Rust regular expressions, over the text of one table. Characters that XML forbids are in none of the classes.
_FORBIDDEN = r"\x00-\x08\x0b-\x1f\x{FFFE}\x{FFFF}"
_BLANK = r"[ \t\n]*"
# "<" before a capital, "!" or "]" is left to the careful parser: no tag and no declaration can hide in a section.
_CDATA = (
    rf"<!\[CDATA\[(?:[^\]<{_FORBIDDEN}]|<[^!\]<A-Z{_FORBIDDEN}]|\][^\]<{_FORBIDDEN}]|\]\]+[^\]<>{_FORBIDDEN}])*\]\]+>"
)
_TEXT = rf"(?:[^<&\]{_FORBIDDEN}]|\][^<&\]{_FORBIDDEN}]|{_CDATA}|&(?:amp|lt|gt|quot|apos);)*\]?"
_DECLARATION = (
    r"""(?:<\?xml version=["']1\.0["'](?: encoding=["'][Uu][Tt][Ff]-?8["'])?(?: standalone="(?:yes|no)")?\s*\?>)?"""
)
_TELLS_130 = r"<(?:T_TONGCHI_BV|MA_THE_BHYT)/?>"


class NotFlatError(Exception):
    """The Arrow parser refused the texts, as it does when a row names a field twice: the careful parser can tell."""


Part = tuple[str, int, int, bool]
"""LOAIHOSO, where its content starts and ends, and whether that is base64."""


def parts_of(data: bytes, start: int, end: int) -> list[Part] | None:
    """The contents of the HOSO that stands in `data` from `start` to `end`; None where it is not of the plain shape."""
    found: dict[str, Part] = {}
    at = start + 6
    # one that was never closed has swallowed the next: `xml130` gives that one its own chance
    if not data.startswith(b"<HOSO>", start) or data.find(b"<HOSO", at, end) >= 0:
        return None
    while opened := _OPEN.match(data, at, end):
        # The first end is the only one, or what is cut off here is no XML and so not plain.
        close = data.find(b"</NOIDUNGFILE>", opened.end(), end)
        closed = _CLOSE.match(data, close, end) if close >= 0 else None
        kind = opened.group(1).decode()
        if closed is None or kind in found:
            return None
        inline = opened.start(2)
        found[kind] = (kind, opened.end() if inline < 0 else inline, close, inline < 0)
        at = closed.end()
    return list(found.values()) if "XML1" in found and _CLOSED.match(data, at, end) else None


def envelope_of(data: bytes) -> tuple[bytes, list[tuple[int, int]]] | None:
    """An envelope without its HOSO, and where in `data` each of them stands; None where telling that takes a parser.

    A HOSO that was never closed takes in the one after it, and is then not of the plain shape.
    """
    first, last = data.find(b"<HOSO>"), data.rfind(b"</HOSO>")
    # A section or a comment could hide the start or the end of a HOSO; a declaration is never welcome.
    if first < 0 or last < first or b"<!" in data:
        return None
    around = data[:first] + data[last + 7 :]
    if b"<HOSO" in around:
        return None
    places: list[tuple[int, int]] = []
    at, end = first, last + 7
    while at < end:
        close = data.find(b"</HOSO>", at, end) + 7
        if close < 7 or not data.startswith(b"<HOSO>", at):
            return None
        places.append((at, close))
        at = data.find(b"<", close, end)
        if at < 0:
            at = end
        if data[close:at].strip(_BLANKS):
            return None
    return around, places


def unpacked(packed: memoryview) -> bytes | None:
    """The text of base64, None for what is no strict base64. Line breaks and missing padding are forgiven."""
    try:
        return pybase64.b64decode(packed, validate=True)
    except binascii.Error:
        code = bytes(packed).translate(None, _BLANKS)
    try:
        return pybase64.b64decode(code + b"=" * (-len(code) % 4), validate=True)
    except binascii.Error:
        return None


def plain(table: str, texts: Sequence[bytes]) -> list[bytes | None]:
    """The texts of a table that are of the plain shape, with line ends as XML reads them; None for the others."""
    try:
        series = pl.Series(texts, dtype=pl.Binary).cast(pl.String)
    except pl.exceptions.ComputeError:  # says that one of them is no UTF-8, not which
        series = pl.Series([_decoded(text) for text in texts], dtype=pl.String)
    given: Sequence[bytes | None] = texts
    if series.str.contains("\r", literal=True).any():
        series = series.str.replace_all("\r\n", "\n", literal=True)
        given = series.cast(pl.Binary).to_list()
    good = series.str.contains(_shape(table))
    if table == "XML1":
        good &= series.str.contains(_TELLS_130)
    return [text if is_plain else None for text, is_plain in zip(given, good.to_list(), strict=True)]


def _decoded(text: bytes) -> str | None:
    try:
        return text.decode()
    except UnicodeDecodeError:
        return None


def rows_of(table: str, texts: Sequence[bytes]) -> pl.DataFrame:
    """All rows of plain texts: `text`, the ordinal of the text a row is from, and a text column for each field.

    Raises NotFlatError when a row of any of them names a field twice, or the parser refuses them in another way.
    """
    from xml2arrow import Xml2ArrowError

    document = b"<R><H>" + b"</H><H>".join(texts) + b"</H></R>"
    try:
        batch = _parser(table).parse(document)[table]
    except Xml2ArrowError as error:
        raise NotFlatError(table) from error
    frame = cast("pl.DataFrame", pl.from_arrow(batch))
    return frame.rename({"<text>": "text"}).drop("<row>", strict=False)


@cache
def _shape(table: str) -> str:
    """What a plain text of the table matches. Each field is written out, so that a match is well-formed."""
    cells = "|".join(f"{name}(?:/>|>{_TEXT}</{name}>)" for name in _names(table))
    row = f"<{FLAT_TAGS[table]}>{_BLANK}(?:<(?:{cells}){_BLANK})*</{FLAT_TAGS[table]}>"
    wrappers = WRAPPERS.get(table, ())
    if wrappers:
        row = f"(?:{row}{_BLANK})*"
    for wrapper in reversed(wrappers):
        row = f"<{wrapper}>{_BLANK}{row}{_BLANK}</{wrapper}>"
    return rf"\A\x{{FEFF}}?{_DECLARATION}{_BLANK}{row}{_BLANK}\z"


def _names(table: str) -> list[str]:
    return [field.name.upper() for field in fields(table)]


@cache
def _parser(table: str) -> Any:
    """The Arrow parser of one table; it only takes its configuration from a file."""
    from xml2arrow import XmlToArrowParser

    wrappers = WRAPPERS.get(table, ())
    path = "/".join(("/R/H", *wrappers, FLAT_TAGS[table]))
    parent, levels = (path.rpartition("/")[0], "[text, row]") if wrappers else ("/R", "[text]")
    lines = ["parser_options: {trim_text: false}", "tables:"]
    if wrappers:  # a table without fields only counts its rows
        lines.append("  - {name: text, xml_path: /R, levels: [text], fields: []}")
    lines += [f"  - name: {table}", f"    xml_path: {parent}", f"    levels: {levels}", "    fields:"]
    lines += [
        f"      - {{name: {name.lower()}, xml_path: {path}/{name}, data_type: Utf8, nullable: true}}"
        for name in _names(table)
    ]
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "tables.yaml"
        config.write_text("\n".join(lines), encoding="utf-8")
        return XmlToArrowParser(config)
