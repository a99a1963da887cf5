"""The fast way for HOSO of the plain shape, which nearly all are: whole batches of text become Arrow columns at once.

A HOSO is plain when it is written exactly as the standard prints it and its typed tables hold nothing but official
fields of QĐ 130, each a text or a CDATA section. What is called plain here reads the same, and as surely, through the
tolerant parser of `xml130`; everything else (other names, attributes, comments, character references, document types,
what is no XML) is refused here and goes there. The judging is done by regular expressions in linear time.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast

import polars as pl

from data.schema import fields

ROW_TAGS = {
    "XML1": "TONG_HOP",
    "XML2": "CHI_TIET_THUOC",
    "XML3": "CHI_TIET_DVKT",
    "XML4": "CHI_TIET_CLS",
    "XML5": "CHI_TIET_DIEN_BIEN_BENH",
}
"""The row element of each typed table, the same in QĐ 130 and QĐ 4210. Other tables are found by their shape."""

WRAPPERS = {
    "XML1": (),
    "XML2": ("CHITIEU_CHITIET_THUOC", "DSACH_CHI_TIET_THUOC"),
    "XML3": ("CHITIEU_CHITIET_DVKT_VTYT", "DSACH_CHI_TIET_DVKT"),
    "XML4": ("CHITIEU_CHITIET_DICHVUCANLAMSANG", "DSACH_CHI_TIET_CLS"),
    "XML5": ("CHITIEU_CHITIET_DIENBIENLAMSANG", "DSACH_CHI_TIET_DIEN_BIEN_BENH"),
}

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


def parts_of(fragment: bytes) -> list[tuple[str, bytes, bool]] | None:
    """LOAIHOSO, content and whether that is base64, of each FILEHOSO; None where the HOSO is not of the plain shape."""
    # A second start is a HOSO that was never closed.
    if not fragment.startswith(b"<HOSO>") or fragment.find(b"<HOSO>", 1) > 0:
        return None
    found: dict[str, tuple[str, bytes, bool]] = {}
    at = 6
    while start := _OPEN.match(fragment, at):
        # The first end is the only one, or what is cut off here is no XML and so not plain.
        end = fragment.find(b"</NOIDUNGFILE>", start.end())
        closed = _CLOSE.match(fragment, end) if end >= 0 else None
        kind = start.group(1).decode()
        if closed is None or kind in found:
            return None
        inline = start.start(2)
        found[kind] = (kind, fragment[start.end() if inline < 0 else inline : end], inline < 0)
        at = closed.end()
    return list(found.values()) if "XML1" in found and _CLOSED.match(fragment, at) else None


def unpacked(packed: Sequence[bytes]) -> list[bytes | None]:
    """Texts from base64, None for what is no strict base64. Line breaks and missing padding are forgiven."""
    codes = [code.translate(None, _BLANKS) if b"\n" in code else code for code in packed]
    padded = [code if len(code) % 4 == 0 else code + b"=" * (-len(code) % 4) for code in codes]
    return pl.Series(padded, dtype=pl.Binary).bin.decode("base64", strict=False).to_list()


def plain(table: str, texts: Sequence[bytes]) -> list[bytes | None]:
    """The texts of a typed table that are of the plain shape, with line ends as XML reads them; None for the others."""
    try:
        series = pl.Series(texts, dtype=pl.Binary).cast(pl.String)
    except pl.exceptions.ComputeError:  # says that one of them is no UTF-8, not which
        series = pl.Series([_decoded(text) for text in texts], dtype=pl.String)
    if series.str.contains("\r", literal=True).any():
        series = series.str.replace_all("\r\n", "\n", literal=True)
    good = series.str.contains(_shape(table))
    if table == "XML1":
        good &= series.str.contains(_TELLS_130)
    return series.zip_with(good.fill_null(value=False), pl.Series([None], dtype=pl.String)).cast(pl.Binary).to_list()


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
    row = f"<{ROW_TAGS[table]}>{_BLANK}(?:<(?:{cells}){_BLANK})*</{ROW_TAGS[table]}>"
    if table != "XML1":  # which has exactly one
        row = f"(?:{row}{_BLANK})*"
    for wrapper in reversed(WRAPPERS[table]):
        row = f"<{wrapper}>{_BLANK}{row}{_BLANK}</{wrapper}>"
    return rf"\A\x{{FEFF}}?{_DECLARATION}{_BLANK}{row}{_BLANK}\z"


def _names(table: str) -> list[str]:
    return [field.name.upper() for field in fields(table)]


@cache
def _parser(table: str) -> Any:
    """The Arrow parser of one table; it only takes its configuration from a file."""
    from xml2arrow import XmlToArrowParser

    path = "/".join(("/R/H", *WRAPPERS[table], ROW_TAGS[table]))
    parent, levels = (path.rpartition("/")[0], "[text, row]") if WRAPPERS[table] else ("/R", "[text]")
    lines = ["parser_options: {trim_text: false}", "tables:"]
    if WRAPPERS[table]:  # a table without fields only counts its rows
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
