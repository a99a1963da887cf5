"""Claim files that went wrong on the way, drawn by a seed, and what intake may not do with any of them.

A file holds good claims around one victim. The victim is mutated, then the file as a whole. Whatever was done: reading
never raises, takes no more than `LIMIT_SECONDS`, reads every good claim that still stands exactly once and with its own
money, and leaves a trace of the victim. Only a mutation that says so in `may_lose` may cost more, and then a problem
must say why.
"""

from __future__ import annotations

import base64
import codecs
import gzip
import io
import random
import re
import struct
import tempfile
import time
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TypeVar

import polars as pl
from lxml import etree  # pyright: ignore[reportAttributeAccessIssue]

from data.frames import Batch, frames_of_records
from data.intake import ingest
from data.lake import Lake
from data.sources import Problem, Source, SourceRefusedError, find_sources, sha256_of
from data.synthetic import generate
from data.xml130 import Record, read_in_bulk
from tests.lib.envelopes import FIXTURES, drugs, row, summary

LIMIT_SECONDS = 10.0
RECEIVED = datetime(2026, 10, 1)
KEY = b"0123456789abcdef0123456789abcdef"
SECRET = "khong-bao-gio-duoc-doc"  # what an external entity would bring in
FACILITY = "99001"

Table = tuple[str, bytes, bool]  # LOAIHOSO, text, whether it is sent as base64
Key = tuple[str, str]


@dataclass(frozen=True)
class Claim:
    """A claim that is as it should be: its tables as text, and the money it asks for."""

    tables: tuple[Table, ...]
    key: Key
    money: Decimal


@dataclass(frozen=True)
class Fuzzed:
    """One file, and what must come of it."""

    number: int
    name: str
    mutation: str
    data: bytes
    claims: dict[Key, Decimal]  # every good claim that was put into it
    kept: frozenset[Key]  # those that must be read
    whole: bool  # the victim came into the file as a whole, so it must leave a trace
    may_lose: str | None = None
    trusted: bool = True  # what is read of a file whose checksum fails may be anything


@dataclass
class Outcome:
    """What intake made of one file."""

    fuzzed: Fuzzed
    seconds: float = 0.0
    problems: Counter[str] = field(default_factory=Counter[str])
    faults: list[str] = field(default_factory=list[str])  # promises broken
    found: int = 0
    lost: int = 0


# the stock of claims


def _of_tables(tables: Sequence[Table]) -> tuple[Key, Decimal]:
    """Key and money of a claim, without our reader."""
    text = next(text for name, text, _ in tables if name == "XML1")
    cells = {cell.tag: (cell.text or "").strip() for cell in etree.fromstring(text)}
    return (cells["MA_CSKCB"], cells["MA_LK"]), Decimal(cells["T_BHTT"])


_FILE = re.compile(
    rb"<FILEHOSO>\s*<LOAIHOSO>(\w+)</LOAIHOSO>\s*<NOIDUNGFILE>(.*?)</NOIDUNGFILE>\s*</FILEHOSO>", re.DOTALL
)


def _cut(data: bytes) -> Iterator[tuple[Table, ...]]:
    """The claims of an envelope that is as it should be."""
    for part in re.findall(rb"<HOSO>(.*?)</HOSO>", data, re.DOTALL):
        tables: list[Table] = []
        for name, content in _FILE.findall(part):
            inline = content.lstrip().startswith(b"<")
            tables.append((name.decode(), content if inline else base64.b64decode(content), not inline))
        yield tuple(tables)


OLD = {
    "MA_LK": "LK1",
    "HO_TEN": "NGƯỜI BỆNH THỬ",
    "NGAY_SINH": "19850101",
    "GIOI_TINH": "1",
    "MA_THE": "GD4990000000003",
    "MA_LYDO_VVIEN": "1",
    "NGAY_VAO": "202510060800",
    "NGAY_RA": "202510061030",
    "T_TONGCHI": "1000",
    "T_BHTT": "800",
    "MA_LOAI_KCB": "1",
    "MA_CSKCB": FACILITY,
}
OLD_LINE = {"MA_THUOC": "40.1", "SO_LUONG": "10", "DON_GIA": "100", "TYLE_TT": "100", "THANH_TIEN": "1000"}
LINE = {
    "MA_LK": "LK1",
    "STT": "1",
    "MA_THUOC": "40.1",
    "TEN_THUOC": "<![CDATA[Thuốc < thử]]>",
    "SO_LUONG": "10",
    "THANH_TIEN_BV": "1000",
    "THANH_TIEN_BH": "1000",
    "T_BHTT": "800",
    "NGAY_YL": "202510060830",
}
PAPER = {"MA_LK": "LK1", "SO_LUU_TRU": "7", "GHI_CHU": "thử"}


@cache
def stock() -> tuple[tuple[Table, ...], ...]:
    """Claims to draw from: written by hand, the samples of the standards, and a few dozen generated ones."""
    found: list[tuple[Table, ...]] = []
    for packed in (False, True):
        new, old = summary().encode(), row("TONG_HOP", OLD).encode()
        found += [
            (("XML1", new, packed),),
            (("XML1", new, packed), ("XML2", drugs(*[LINE] * 3).encode(), packed)),
            (("XML1", new, packed), ("XML7", row("CHI_TIEU_DU_LIEU_GIAY_RA_VIEN", PAPER).encode(), packed)),
            (("XML1", new, packed), ("XML99", row("A", {"B": "c"}).encode(), packed)),
            (("XML1", old, packed), ("XML2", drugs(OLD_LINE | {"MA_LK": "LK1", "STT": "1"}).encode(), packed)),
        ]
    for path in sorted(FIXTURES.glob("*.xml")):
        found += [tables for tables in _cut(path.read_bytes()) if "XML1" in [name for name, _, _ in tables]]
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder), encounters=40, months=2, seed=3)
        for path in sorted((Path(folder) / "xml").rglob("*.xml")):
            found += _cut(path.read_bytes())
    return tuple(found)


_CARD = re.compile(rb"(<MA_THE(?:_BHYT)?>)[^<]*<")


@cache
def _sound() -> tuple[tuple[Table, ...], ...]:
    """Those of the stock that a lake takes in: not the empty samples, and no withdrawals."""
    found: list[tuple[Table, ...]] = []
    for tables in stock():
        try:
            made = _own(tables, "LK", "GD4999900000001")
        except (KeyError, ArithmeticError):
            continue
        if b"<MA_DOITUONG_KCB>8<" in made.tables[0][1] or not all(made.key):
            continue
        if b"<NGAY_VAO>20" in made.tables[0][1] and _CARD.search(made.tables[0][1]):
            found.append(tables)
    return tuple(found)


def _own(tables: Sequence[Table], ma_lk: str, card: str) -> Claim:
    """The claim under an MA_LK of its own and for a person of its own: no two are copies."""
    given: list[Table] = []
    for name, text, packed in tables:
        changed = re.sub(rb"<MA_LK>[^<]*<", b"<MA_LK>" + ma_lk.encode() + b"<", text)
        given.append((name, _CARD.sub(rb"\g<1>" + card.encode() + b"<", changed), packed))
    given.sort(key=lambda table: table[0] != "XML1")
    return Claim(tuple(given), *_of_tables(given))


def _hoso(tables: Sequence[Table]) -> bytes:
    return _around(b"".join(_filehoso(n.encode(), base64.b64encode(t) if p else t) for n, t, p in tables))


def _around(files: bytes) -> bytes:
    return b"<HOSO>" + files + b"</HOSO>"


def _filehoso(name: bytes, content: bytes) -> bytes:
    return b"<FILEHOSO><LOAIHOSO>" + name + b"</LOAIHOSO><NOIDUNGFILE>" + content + b"</NOIDUNGFILE></FILEHOSO>"


# mutations of any text: of one table of the victim, or of the whole HOSO

Mutation = Callable[[random.Random, bytes], bytes]
_TAG = re.compile(rb"</?[A-Za-z_][\w.]*/?>")
_CELL = re.compile(rb"<([A-Z_]{2,40})>([^<]{0,400})</\1>")


def _place(dice: random.Random, text: bytes) -> int:
    return dice.randrange(len(text) + 1)


def _insert(dice: random.Random, text: bytes, what: bytes) -> bytes:
    """`what` at a place between two tags, which is where it hurts, or anywhere."""
    places = [tag.end() for tag in _TAG.finditer(text)]
    at = dice.choice(places[:-1]) if len(places) > 1 and dice.random() < 0.8 else _place(dice, text)
    return text[:at] + what + text[at:]


def flipped(dice: random.Random, text: bytes) -> bytes:
    changed = bytearray(text)
    for _ in range(dice.choice((1, 1, 1, 3, 20)) if text else 0):
        changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
    return bytes(changed)


def inserted(dice: random.Random, text: bytes) -> bytes:
    at = _place(dice, text)
    return text[:at] + dice.randbytes(dice.choice((1, 1, 4, 64))) + text[at:]


def deleted(dice: random.Random, text: bytes) -> bytes:
    at = _place(dice, text)
    return text[:at] + text[at + dice.choice((1, 2, 10, 200)) :]


def _tags(dice: random.Random, text: bytes, count: int) -> list[re.Match[bytes]]:
    tags = list(_TAG.finditer(text))
    return sorted(dice.sample(tags, min(count, len(tags))), key=lambda tag: tag.start())


def tag_dropped(dice: random.Random, text: bytes) -> bytes:
    for tag in _tags(dice, text, 1):
        text = text[: tag.start()] + text[tag.end() :]
    return text


def tag_renamed(dice: random.Random, text: bytes) -> bytes:
    for tag in _tags(dice, text, 1):
        name = tag.group().strip(b"</>")
        other = dice.choice((name.lower(), name + b"X", name[:-1] or b"A", b"HOSO", b"x:" + name, b"A" * 5000, b"1A"))
        text = text[: tag.start()] + tag.group().replace(name, other) + text[tag.end() :]
    return text


def tag_doubled(dice: random.Random, text: bytes) -> bytes:
    for tag in _tags(dice, text, 1):
        text = text[: tag.end()] + tag.group() + text[tag.end() :]
    return text


def tags_swapped(dice: random.Random, text: bytes) -> bytes:
    found = _tags(dice, text, 2)
    if len(found) < 2:
        return text
    one, two = found
    return text[: one.start()] + two.group() + text[one.end() : two.start()] + one.group() + text[two.end() :]


def element_renamed(dice: random.Random, text: bytes) -> bytes:
    """Both tags of an element: well-formed, and not what the standard says."""
    cells = list(_CELL.finditer(text))
    if not cells:
        return text
    cell = dice.choice(cells)
    other = dice.choice((b"a.b", b"TONG_HOP", b"MA_LK", b"T_BHTT", "ĐƠN_GIÁ".encode(), b"HOSO", b"_", b"version"))
    return text[: cell.start()] + b"<%b>%b</%b>" % (other, cell.group(2), other) + text[cell.end() :]


def nested(dice: random.Random, text: bytes) -> bytes:
    name = dice.choice((b"A", b"TONG_HOP", b"HOSO", b"FILEHOSO", b"CHI_TIET_THUOC"))
    closed = dice.random() < 0.5
    return _insert(dice, text, b"<%b>" % name * 10_000 + (b"</%b>" % name * 10_000 if closed else b""))


def attributes(dice: random.Random, text: bytes) -> bytes:
    many = b"".join(b" a%d='%d'" % (i, i) for i in range(dice.choice((1, 5, 5000))))
    given = dice.choice((many, b" a='1' a='2'", b" xmlns='urn:a'", b" xmlns:x='urn:b'", b" a=", b" a='<'", b" a='>'"))
    for tag in _tags(dice, text, 1):
        if not tag.group().startswith(b"</"):
            text = text[: tag.start()] + tag.group().rstrip(b"/>") + given + b">" + text[tag.end() :]
    return text


def rows_repeated(dice: random.Random, text: bytes) -> bytes:
    rows = list(re.finditer(rb"<(TONG_HOP|CHI_TIET_\w+|FILEHOSO)>.*?</\1>", text, re.DOTALL))
    if not rows:
        return text + text
    some = dice.choice(rows)
    times = min(dice.choice((1, 1, 30, 1000)), 1 + 400_000 // len(some.group()))
    return text[: some.end()] + some.group() * times + text[some.end() :]


def empty_tags(dice: random.Random, text: bytes) -> bytes:
    tag = dice.choice((b"<A/>", b"<STT/>", b"<MA_LK></MA_LK>", b"<CHI_TIET_THUOC/>", b"<HOSO/>", b"<FILEHOSO/>"))
    return _insert(dice, text, tag * dice.choice((100, 20_000)))


def section_open(dice: random.Random, text: bytes) -> bytes:
    return _insert(
        dice, text, dice.choice((b"<![CDATA[", b"<!--", b"<?", b"<?xml ", b"<!", b"<![", b"<!-", b"<!ELEMENT"))
    )


def section(dice: random.Random, text: bytes) -> bytes:
    inner = dice.choice((b"", b"</HOSO>", b"<HOSO>", b"</NOIDUNGFILE>", b"a--b", b"]]", b"<!--", b"<![CDATA["))
    return _insert(dice, text, dice.choice((b"<!--%b-->", b"<![CDATA[%b]]>", b"<?a %b?>")) % inner)


def entities(dice: random.Random, text: bytes) -> bytes:
    """Bombs and thieves: what a document type could do if it were ever read."""
    laughs = b"".join(b"<!ENTITY l%d '%b'>" % (i, b"&l%d;" % (i - 1) * 10) for i in range(1, 12))
    declared = dice.choice(
        (
            b"<!DOCTYPE a [<!ENTITY l0 'ha'>%b]>" % laughs,
            b"<!DOCTYPE a [<!ENTITY l11 SYSTEM 'file:///etc/passwd'>]>",
            b"<!DOCTYPE a [<!ENTITY l11 SYSTEM '%b'>]>" % _secret_file().as_uri().encode(),
            b"<!DOCTYPE a SYSTEM '%b'>" % _secret_file().as_uri().encode(),
            b"<!DOCTYPE a [<!ENTITY % p SYSTEM 'file:///etc/passwd'> %p;]>",
            b"<!DOCTYPE a [<!ENTITY l11 '%b'>]>" % (b"x" * 100_000),
            b"<!ENTITY l11 'ha'>",
            b"<!doctype a>",
            b"<! DOCTYPE a>",
            b"",
        )
    )
    used = dice.choice(
        (
            b"&l11;",
            b"&l11;" * 1000,
            b"<xi:include xmlns:xi='http://www.w3.org/2001/XInclude' "
            b"href='%b' parse='text'/>" % _secret_file().as_uri().encode(),
        )
    )
    cells = list(_CELL.finditer(text))
    if cells:
        cell = dice.choice(cells)
        text = text[: cell.start(2)] + used + text[cell.end(2) :]
    return declared + text if dice.random() < 0.7 else _insert(dice, text, declared)


@cache
def _secret_file() -> Path:
    """A file that is there to be read, always under the same name: the name is part of the mutations."""
    path = Path(tempfile.gettempdir()) / "minhbach-fuzz.txt"
    path.write_text(SECRET)
    return path


def references(dice: random.Random, text: bytes) -> bytes:
    given = (b"&#0;", b"&#x110000;", b"&#xD800;", b"&#10;", b"&#x1F600;", b"&#99999999999999;", b"&#;", b"&", b"&amp")
    return _in_a_cell(dice, text, dice.choice((*given, b"&lt;HOSO&gt;", b"&nbsp;", b"&#38;#38;", b"&#60;")))


def forbidden(dice: random.Random, text: bytes) -> bytes:
    given = (
        b"\0",
        b"\x01",
        b"\x0b",
        b"\x1a",
        b"\x7f",
        b"\xc2\x85",
        b"\xef\xbf\xbe",
        b"\xed\xa0\x80",
        b"\xc0\xaf",
        b"\xff",
    )
    return _in_a_cell(
        dice, text, dice.choice((*given, b"\xf4\x90\x80\x80", b"\xe2\x80\xa8", b"\0" * 5000, b"\r", b"\t"))
    )


def _in_a_cell(dice: random.Random, text: bytes, what: bytes) -> bytes:
    cells = list(_CELL.finditer(text))
    if not cells:
        return _insert(dice, text, what)
    cell = dice.choice(cells)
    at = dice.randint(cell.start(2), cell.end(2))
    return text[:at] + what + text[at:]


_ABSURD = (
    *("", " ", "0", "-0", "-1", "1e5", "1E+400", "-1e-999999999", "1e999999999", "NaN", "Infinity", "0x1F", "1_000"),
    *("1.234,5", "1,5", "١٢٣", "１２３", "²", "½", "+5", "5.", ".5", "--5", "0" * 400 + "1", "1." + "0" * 400 + "1"),
    *("9" * 14, "9" * 15, "9" * 16, "99999999999999.99", "0.000000000000001", str(2**31), str(2**63), str(10**30)),
    *("99999999", "999999999999", "000000000000", "202602300800", "20260231", "190001010000", "202513010000"),
    *("20251006080060", "2025100608000", "2025-10-06", "29/02/2025", "-20251006", "20251006T0800", "202510062400"),
    *("😀" * 50, "\u202eABC\u202c", "شكرا", "a\u0301" * 30, "\ufeff", "\u200b", "\u00a0", "\u2028", "İ", "ß", "ﬁ"),
    *("' OR 1=1; DROP TABLE encounter; --", "=cmd|' /C calc'!A0", "@SUM(1)", "+1+1", "${jndi:ldap://x}", "{{7*7}}"),
    *("../../etc/passwd", "%s%n", "{0}", "{message}", "null", "None", "true", "\\", '"', "\\u0000", "a;b" * 100),
    *("8", "08", "1.1", "I10", "I10;" * 10_000, ";" * 5000, "GD4" + "0" * 12, "01", "3", "100", "3000-01-01"),
)


def absurd(dice: random.Random, text: bytes) -> bytes:
    """Values that no field should have, in one field, several, or all of them."""
    share = dice.choice((0.02, 0.1, 1.0))
    same = dice.choice(_ABSURD)
    one = dice.random() < 0.5
    changed: list[bytes] = []
    last = 0
    for cell in _CELL.finditer(text):
        if dice.random() < share:
            value = same if one else dice.choice(_ABSURD)
            if len(value) * len(changed) > 400_000:
                value = "9"
            safe = value.replace("&", "&amp;").replace("<", "&lt;").encode()
            changed += [text[last : cell.start(2)], safe]
            last = cell.end(2)
    return b"".join(changed) + text[last:]


def absurd_money(dice: random.Random, text: bytes) -> bytes:
    """Numbers of every size in the fields of money, so that they meet each other in the sums."""
    sizes = ("9" * 15, "1" + "0" * 14, "999999999999999.999999", "0.000001", "1", "0", "100", "-" + "9" * 15)

    def other(cell: re.Match[bytes]) -> bytes:
        if not re.match(rb"T_|THANH_TIEN|DON_GIA|SO_LUONG|TYLE|MUC_HUONG", cell.group(1)) or dice.random() < 0.2:
            return cell.group()
        return b"<%b>%b</%b>" % (cell.group(1), dice.choice(sizes).encode(), cell.group(1))

    return _CELL.sub(other, text)


def huge_value(dice: random.Random, text: bytes) -> bytes:
    """10 MB of text in one field."""
    what = dice.choice((b"9", b"a", b" ", "ệ".encode(), b"0", b"\n", b"I10;", b"&amp;"))
    return _in_a_cell(dice, text, what * (10_000_000 // len(what)))


def huge_key(dice: random.Random, text: bytes) -> bytes:
    """A long MA_LK, and as many rows under it as there are."""
    for name in (b"MA_LK", b"MA_CSKCB", b"MA_THE_BHYT", b"MA_BN"):
        if dice.random() < 0.5:
            text = re.sub(rb"<%b>[^<]*<" % name, b"<%b>%b<" % (name, b"K" * 300_000), text, count=2)
    return text


def cut_off(dice: random.Random, text: bytes) -> bytes:
    return text[: _place(dice, text)]


def doubled(dice: random.Random, text: bytes) -> bytes:
    return text + dice.choice((b"", b"\n", b"x", b"\0")) + text


def emptied(dice: random.Random, text: bytes) -> bytes:
    return dice.choice((b"", b" ", b"\n\n", b"<A/>", b"x", text[:1]))


def lower_case(dice: random.Random, text: bytes) -> bytes:
    return _TAG.sub(lambda tag: tag.group().lower(), text)


def shuffled(dice: random.Random, text: bytes) -> bytes:
    cells = [cell.group() for cell in _CELL.finditer(text)]
    dice.shuffle(cells)
    again = iter(cells)
    return _CELL.sub(lambda _: next(again), text)


_CODECS = (
    *("utf-8", "UTF8", "utf-16", "utf-16le", "utf-32", "latin-1", "iso-8859-1", "windows-1258", "cp1252", "ascii"),
    *("utf-7", "shift_jis", "gb18030", "iso2022_jp", "koi8-r", "cp037", "tcvn-5712", "viscii", "x-mac", "mbcs", "a.b"),
    *("zlib", "bz2", "hex", "base64", "rot13", "quopri", "uu", "undefined", "idna", "punycode"),
    *("unicode_escape", "raw_unicode_escape", "charmap", "utf-8-sig", "palmos", "hz", "big5hkscs"),
)


def declared(dice: random.Random, text: bytes) -> bytes:
    """A declaration that names any encoding, most often a wrong one."""
    return b'<?xml version="1.0" encoding="%b"?>' % dice.choice(_CODECS).encode() + _undeclared(text)


def recoded(dice: random.Random, text: bytes) -> bytes:
    """The text in another encoding, which may be declared or marked, or not."""
    name = dice.choice(("utf-16-le", "utf-16-be", "utf-32-le", "latin-1", "cp1258", "utf-7", "cp037", "utf-16"))
    said = dice.choice(("", f'<?xml version="1.0" encoding="{dice.choice((name, "utf-8"))}"?>'))
    mark = dice.choice(
        (b"", b"", codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF8, b"\xef\xbb\xbf\xef\xbb\xbf")
    )
    return mark + (said + _undeclared(text).decode(errors="replace")).encode(name, errors="replace")


def _undeclared(text: bytes) -> bytes:
    return re.sub(rb"^\s*<\?xml [^>]{0,200}\?>", b"", text)


EITHER: dict[str, tuple[Mutation, int]] = {
    **{f.__name__: (f, 6) for f in (flipped, inserted, deleted, tag_dropped, tag_renamed, tag_doubled, tags_swapped)},
    **{f.__name__: (f, 6) for f in (element_renamed, section_open, section, entities, references, forbidden, absurd)},
    **{f.__name__: (f, 3) for f in (attributes, cut_off, doubled, emptied, lower_case, shuffled, absurd_money)},
    **{f.__name__: (f, 3) for f in (rows_repeated,)},
    **{f.__name__: (f, 2) for f in (nested, empty_tags)},
    **{f.__name__: (f, 1) for f in (huge_key,)},
}
"""What is done to the text of a table or to a whole HOSO, with how often."""

INNER: dict[str, tuple[Mutation, int]] = EITHER | {"declared": (declared, 8), "recoded": (recoded, 8)}

HUGE = 0.004  # of all files have a huge value: they take seconds, not milliseconds


# mutations of how a table is packed, and of which tables there are


def _code_cut(dice: random.Random, text: bytes) -> bytes:
    return cut_off(dice, base64.b64encode(text))


def _code_padded(dice: random.Random, text: bytes) -> bytes:
    return base64.b64encode(text).rstrip(b"=") + b"=" * dice.randrange(6)


def _code_wrapped(dice: random.Random, text: bytes) -> bytes:
    code = base64.b64encode(text)
    width = dice.choice((1, 4, 64, 76))
    return dice.choice((b"\r\n", b"\n", b" ", b"\t")).join(code[i : i + width] for i in range(0, len(code), width))


def _code_marked(dice: random.Random, text: bytes) -> bytes:
    """A character that is not of the alphabet, somewhere."""
    code = base64.b64encode(text)
    at = dice.choice((0, len(code), _place(dice, code)))
    marks = (b"*", b"-", b"=", b"%", b"&#10;", "ệ".encode(), b"\0", b"&amp;", b"\xc2\xa0", b"\xef\xbb\xbf", b"\n  ")
    return code[:at] + dice.choice(marks) + code[at:]


def _code_of_more(dice: random.Random, text: bytes) -> bytes:
    """Base64 of something else than the text."""
    more = (base64.b64encode(text), codecs.BOM_UTF8 * 2 + text, gzip.compress(text, mtime=0), text + b"\0", b"")
    return base64.b64encode(dice.choice(more))


def _code_of_urls(dice: random.Random, text: bytes) -> bytes:
    return base64.urlsafe_b64encode(text)


def _not_packed(dice: random.Random, text: bytes) -> bytes:
    escaped = text.replace(b"&", b"&amp;").replace(b"<", b"&lt;")
    return dice.choice((b"<![CDATA[%b]]>" % text, escaped, base64.b64encode(text) + text))


PACKINGS = (_code_cut, _code_padded, _code_wrapped, _code_marked, _code_of_more, _code_of_urls, _not_packed)


_NAMES = (
    *(b"", b"XML", b"XML12", b"XML99", b"xml1", b" XML1 ", b"XML1\xe2\x80\x8b", b"A" * 100_000, b"../../a", b"XML0"),
    *(
        b"GIAYKSK",
        b"<A>XML1</A>",
        b"XML1;XML2",
        b"intake_finding",
        "BẢNG".encode(),
        b"XML-1",
        b"XML3",
        b"XML5",
        b"XML9",
    ),
)


def _one_mutation(dice: random.Random, claim: Claim, name: str) -> tuple[str, bytes]:
    """The HOSO of the victim with the named mutation of one of its tables, or of all of it."""
    change = (INNER | {"huge_value": (huge_value, 1)})[name][0]
    if name in EITHER and dice.random() < 0.3:
        return f"HOSO: {name}", _around(change(dice, _hoso(claim.tables)[6:-7]))
    at = dice.randrange(len(claim.tables))
    tables = list(claim.tables)
    table, text, packed = tables[at]
    tables[at] = table, change(dice, text), packed
    return f"{table}: {name}", _hoso(tables)


def _victim(dice: random.Random, claim: Claim) -> tuple[str, bytes]:
    """The HOSO of the victim with one to three things wrong with it, and what they are."""
    # as it is sent, and the table it is of
    parts = [
        (name.encode(), base64.b64encode(text) if packed else text, (name, text, packed))
        for name, text, packed in claim.tables
    ]
    done: list[str] = []
    for _ in range(dice.choice((1, 1, 2, 3))):
        at = dice.randrange(len(parts))
        sent, content, (name, text, packed) = parts[at]
        what = dice.random()
        if what < 0.6:
            huge = not done and dice.random() < HUGE
            how, change = ("huge_value", huge_value) if huge else _drawn(dice, INNER)
            text = change(dice, text)
            packed = packed if dice.random() < 0.9 else not packed
            parts[at] = sent, base64.b64encode(text) if packed else text, (name, text, packed)
        elif what < 0.75:
            packing = dice.choice(PACKINGS)
            how = packing.__name__.strip("_")
            parts[at] = sent, packing(dice, text), (name, text, packed)
        elif what < 0.85:
            how = "LOAIHOSO"
            parts[at] = dice.choice(_NAMES), content, (name, text, packed)
        else:
            how = "tables"
            parts = _tables_changed(dice, parts, at)
        done.append(f"{name}: {how}")
    hoso = _around(b"".join(_filehoso(sent, content) for sent, content, _ in parts))
    if dice.random() < 0.3:
        name, change = _drawn(dice, EITHER)
        done.append(f"HOSO: {name}")
        # a document type before the HOSO would be one of the envelope, and a reason to refuse it
        inside = name == "entities" or dice.random() < 0.5
        hoso = _around(change(dice, hoso[6:-7])) if inside else change(dice, hoso)
    return " + ".join(done), hoso


_Part = TypeVar("_Part", bound=tuple[bytes, bytes, Table])


def _tables_changed(dice: random.Random, parts: list[_Part], at: int) -> list[_Part]:
    """A table again, in another place, very often, or not at all."""
    match dice.randrange(4):
        case 0 if len(parts) > 1:
            return parts[:at] + parts[at + 1 :]
        case 1:
            return dice.sample(parts, len(parts))
        case 2:
            return parts + [parts[at]] * min(1 + 200_000 // (len(parts[at][1]) + 1), dice.choice((10, 300)))
        case _:
            return [*parts, parts[at]]


def _drawn(dice: random.Random, among: dict[str, tuple[Mutation, int]]) -> tuple[str, Mutation]:
    name = dice.choices(list(among), [weight for _, weight in among.values()])[0]
    return name, among[name][0]


# mutations of the whole file


@dataclass(frozen=True)
class _Made:
    """An envelope as bytes, and where in it each good claim and the victim end."""

    data: bytes
    first: int  # where the first HOSO starts
    ends: tuple[tuple[Key | None, int], ...]  # of the HOSO in order; the victim has no key


@dataclass(frozen=True)
class _Sent:
    """The file as it arrives: `upto` is how much of the envelope it still holds."""

    how: str
    data: bytes
    name: str = "a.xml"
    upto: int | None = None
    may_lose: str | None = None
    trusted: bool = True


_HEAD = (
    b'<?xml version="1.0" encoding="utf-8"?>\n<GIAMDINHHS><THONGTINDONVI><MACSKCB>%b</MACSKCB></THONGTINDONVI>'
    b"<THONGTINHOSO><NGAYLAP>20251007</NGAYLAP><SOLUONGHOSO>%d</SOLUONGHOSO><DANHSACHHOSO>"
)
_TAIL = b"\n</DANHSACHHOSO></THONGTINHOSO><CHUKYDONVI/></GIAMDINHHS>"


def _envelope(records: Sequence[tuple[Key | None, bytes]]) -> _Made:
    data = bytearray(_HEAD % (FACILITY.encode(), len(records)))
    first = len(data)
    ends: list[tuple[Key | None, int]] = []
    for key, record in records:
        data += b"\n" + record
        ends.append((key, len(data)))
    return _Made(bytes(data + _TAIL), first, tuple(ends))


def as_sent(dice: random.Random, made: _Made) -> _Sent:
    return _Sent("", made.data)


def cut_anywhere(dice: random.Random, made: _Made) -> _Sent:
    at = _place(dice, made.data)
    return _Sent("cut", made.data[:at], upto=at)


def gzipped(dice: random.Random, made: _Made) -> _Sent:
    name = dice.choice(("a.xml.gz", "a.xml", "a.XML.GZ"))
    return _Sent("gzip", gzip.compress(made.data, mtime=0), name, may_lose=_bomb_of(made))


def _bomb_of(made: _Made) -> str | None:
    """Ten million times the same letter cannot be told from a bomb."""
    return "grows like a bomb" if len(made.data) > 5_000_000 else None


def gzip_cut(dice: random.Random, made: _Made) -> _Sent:
    packed = gzip.compress(made.data, mtime=0)
    packed = packed[: _place(dice, packed)]
    upto = len(zlib.decompressobj(31).decompress(packed)) if len(packed) > 1 else 0
    return _Sent("gzip cut", packed, "a.xml.gz", upto, may_lose=_bomb_of(made))


def gzip_damaged(dice: random.Random, made: _Made) -> _Sent:
    packed = flipped(dice, gzip.compress(made.data, mtime=0))
    reason = "what a damaged block held cannot be read"
    return _Sent("gzip damaged", packed, "a.xml.gz", may_lose=reason, trusted=False)


def gzip_twice(dice: random.Random, made: _Made) -> _Sent:
    packed = gzip.compress(gzip.compress(made.data, mtime=0), mtime=0)
    return _Sent("gzip in gzip", packed, "a.xml.gz", may_lose="packed twice")


def gzip_more(dice: random.Random, made: _Made) -> _Sent:
    """Several members, as `cat a.gz b.gz` makes, and junk after them."""
    half = len(made.data) // 2
    packed = gzip.compress(made.data[:half], mtime=0) + gzip.compress(made.data[half:], mtime=0)
    junk = dice.choice((b"", b"\0" * 100, b"junk"))
    return _Sent("gzip members", packed + junk, "a.xml.gz", may_lose=_bomb_of(made))


def gzip_bomb(dice: random.Random, made: _Made) -> _Sent:
    what = dice.choice((b" ", b"<A/>", b"<HOSO/>", b"a"))
    grown = made.data[: -len(_TAIL)] + what * (16_000_000 // len(what)) + _TAIL
    return _Sent("gzip bomb", gzip.compress(grown, mtime=0), "a.xml.gz", upto=made.ends[-1][1], may_lose=_bomb_of(made))


def zipped(dice: random.Random, made: _Made) -> _Sent:
    method = dice.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
    name = dice.choice(("a.xml", "../../a.xml", "thư mục/a.XML", "/etc/a.xml", "a.xml.gz", "A" * 4000 + ".xml"))
    return _Sent(f"zip {method}", _zip({name: made.data}, method), "a.zip", may_lose=_bomb_of(made))


def _zip(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, compress_type=method)
    return held.getvalue()


def zip_cut(dice: random.Random, made: _Made) -> _Sent:
    packed = _zip({"a.xml": made.data})
    packed = packed[: dice.randrange(len(packed))]
    return _Sent("zip cut", packed, "a.zip", may_lose="the table of contents stands at the end")


def zip_damaged(dice: random.Random, made: _Made) -> _Sent:
    method = dice.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
    packed = _zip({"a.xml": made.data}, method)
    at = packed.rfind(b"PK\x01\x02") if dice.random() < 0.5 else 0
    packed = packed[:at] + dice.choice((flipped, inserted, deleted))(dice, packed[at:])
    reason = "what a damaged block held cannot be read"
    return _Sent(f"zip damaged {method}", packed, "a.zip", may_lose=reason, trusted=False)


def zip_bomb(dice: random.Random, made: _Made) -> _Sent:
    grown = made.data[: -len(_TAIL)] + b" " * 16_000_000 + _TAIL
    return _Sent("zip bomb", _zip({"a.xml": grown}), "a.zip", may_lose="grows like a bomb")


def zip_nested(dice: random.Random, made: _Made) -> _Sent:
    name = dice.choice(("b.zip", "b.xml", "b.xml.gz"))
    return _Sent("zip in zip", _zip({name: _zip({"a.xml": made.data})}), "a.zip", may_lose="an archive in an archive")


def zip_encrypted(dice: random.Random, made: _Made) -> _Sent:
    packed = bytearray(_zip({"a.xml": made.data}))
    for start, flags in ((0, 6), (packed.rfind(b"PK\x01\x02"), 8)):
        packed[start + flags] |= 1
    return _Sent("zip encrypted", bytes(packed), "a.zip", may_lose="nobody told us the password")


def zip_more(dice: random.Random, made: _Made) -> _Sent:
    """Other members beside the claims must not keep them from being read."""
    others = {"": b"", "b/": b"", "c.txt": b"x", "d.xml": b"\t", "e.xml": b"<A", ".f.xml": b"x", "g.zip": b"PK\x03\x04"}
    members = list(others.items())
    members.insert(dice.randrange(len(members)), ("a.xml", made.data))
    return _Sent("zip members", _zip(dict(members)), "a.zip", may_lose=_bomb_of(made))


def zip_absurd(dice: random.Random, made: _Made) -> _Sent:
    """A table of contents that lies about sizes, method or place of its member."""
    packed = bytearray(_zip({"a.xml": made.data}))
    at = packed.rfind(b"PK\x01\x02")
    where, kind = dice.choice(((10, "<H"), (16, "<L"), (20, "<L"), (24, "<L"), (28, "<H"), (30, "<H"), (42, "<L")))
    value = dice.choice((0, 1, 99, 0xFFFF)) if kind == "<H" else dice.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF))
    struct.pack_into(kind, packed, at + where, value)
    return _Sent("zip absurd", bytes(packed), "a.zip", may_lose="the table of contents lies", trusted=False)


def wide(dice: random.Random, made: _Made) -> _Sent:
    """UTF-16, marked or only to be seen from its first characters; perhaps cut off."""
    name, mark = dice.choice((("utf-16-le", codecs.BOM_UTF16_LE), ("utf-16-be", codecs.BOM_UTF16_BE)))
    mark = mark if dice.random() < 0.7 else b""
    data = mark + made.data.decode(errors="replace").encode(name)
    if dice.random() < 0.6:
        return _Sent(name, data)
    at = _place(dice, data)
    kept = data[len(mark) : at - (at - len(mark)) % 2].decode(name, errors="ignore")
    return _Sent(f"{name} cut", data[:at], upto=_utf8_length(made, kept))


def _utf8_length(made: _Made, kept: str) -> int:
    """Where in the envelope the text ends: a byte that is no UTF-8 became a character of three."""
    for _, end in reversed(made.ends):
        if len(made.data[:end].decode(errors="replace")) <= len(kept):
            return end
    return 0


def marked(dice: random.Random, made: _Made) -> _Sent:
    return _Sent("BOM", codecs.BOM_UTF8 + made.data)


def in_base64(dice: random.Random, made: _Made) -> _Sent:
    code = base64.b64encode(made.data)
    if dice.random() < 0.5:
        return _Sent("base64", b"\r\n".join(code[i : i + 76] for i in range(0, len(code), 76)))
    code = code[: _place(dice, code)]
    return _Sent("base64 cut", code, upto=len(code) // 4 * 3 - 2)


def crlf(dice: random.Random, made: _Made) -> _Sent:
    return _Sent("line ends", made.data.replace(b"\n", dice.choice((b"\r\n", b"\r", b"\r\n\r\n"))))


def said_to_be(dice: random.Random, made: _Made) -> _Sent:
    name = dice.choice(_CODECS)
    reason = None if name in ("utf-8", "UTF8", "utf-16", "ascii", "utf-8-sig") else f"read as {name}"
    return _Sent(f"declared {name}", made.data.replace(b"utf-8", name.encode(), 1), may_lose=reason)


def glued(dice: random.Random, made: _Made) -> _Sent:
    other = _envelope([(None, _hoso(_own(dice.choice(_sound()), "GLUED", "GD4999999999999").tables))])
    return _Sent("glued", made.data + dice.choice((b"", b"\n", b"\0")) + other.data)


def junk_before(dice: random.Random, made: _Made) -> _Sent:
    what = dice.choice(
        (b"\n \t", b"x", b"\0", b"\xff\xfe\xff", b"HTTP/1.1 200 OK\r\n\r\n", b"<!-- a -->", b"<?a b?>", b"<A/>")
    )
    return _Sent("junk before", what + made.data, may_lose=None if what.isspace() else "does not start like XML")


def junk_after(dice: random.Random, made: _Made) -> _Sent:
    what = (
        b"\0" * 512,
        b"\x1a",
        b"junk",
        b"<A/>",
        b"<HOSO></HOSO>",
        b"<!-- a",
        b"\xff",
        b"</GIAMDINHHS>",
        b"<!DOCTYPE a>",
    )
    return _Sent("junk after", made.data + dice.choice(what))


def head_changed(dice: random.Random, made: _Made) -> _Sent:
    head = made.data[: made.first]
    changed = dice.choice((flipped, inserted, deleted, tag_dropped, tag_renamed, section_open, forbidden))(dice, head)
    return _Sent("head", changed + made.data[made.first :], may_lose="the fault stands before the claims")


def tail_changed(dice: random.Random, made: _Made) -> _Sent:
    at = made.ends[-1][1]
    changed = dice.choice((flipped, inserted, deleted, tag_dropped, tag_renamed, section_open, forbidden, doubled))
    return _Sent("tail", made.data[:at] + changed(dice, made.data[at:]))


def between(dice: random.Random, made: _Made) -> _Sent:
    """Text between two claims that is no claim."""
    at = dice.choice([end for _, end in made.ends])
    what = dice.choice(
        (b"text", b"<A>b</A>", b"<!-- <HOSO></HOSO> -->", b"<![CDATA[<HOSO>]]>", b"<?a </HOSO> ?>", b"&amp;")
    )
    return _Sent("between", made.data[:at] + what + made.data[at:])


def broken_between(dice: random.Random, made: _Made) -> _Sent:
    """Text between two claims that is no XML: the claims around it are whole all the same."""
    at = dice.choice([end for _, end in made.ends])
    what = dice.choice(
        (b"<A>", b"</HOSO>", b"</FILEHOSO>", b"&", b"<", b"\0", b"\xff", b"<A b=>", b"]]>", b"&x;", b"<1>")
    )
    return _Sent("broken between", made.data[:at] + what + made.data[at:])


def doctype(dice: random.Random, made: _Made) -> _Sent:
    what = b"<!DOCTYPE GIAMDINHHS [<!ENTITY a SYSTEM '%b'>]>" % _secret_file().as_uri().encode()
    places = [made.data.index(b"<GIAMDINHHS"), made.first, *(end for _, end in made.ends)]
    at = dice.choice(places)
    return _Sent("DOCTYPE", made.data[:at] + what + made.data[at:], upto=at)


def other_root(dice: random.Random, made: _Made) -> _Sent:
    name = dice.choice((b"GIAMDINH", b"HOSO", b"giamdinhhs", b"CHI_TIEU_TRANG_THAI_KCB", b"html"))
    return _Sent("root", made.data.replace(b"GIAMDINHHS>", name + b">"), may_lose="not a claim file")


def namespaced(dice: random.Random, made: _Made) -> _Sent:
    opened, closed = dice.choice(
        ((b"<GIAMDINHHS xmlns='urn:a'>", b"</GIAMDINHHS>"), (b"<n:GIAMDINHHS xmlns:n='urn:a'>", b"</n:GIAMDINHHS>"))
    )
    data = made.data.replace(b"<GIAMDINHHS>", opened, 1)
    return _Sent("namespace", data[: data.rindex(b"</GIAMDINHHS>")] + closed)


def nothing(dice: random.Random, made: _Made) -> _Sent:
    data = dice.choice((b"", b" \r\n", b"PK", b"PK\x03\x04", b"PK\x05\x06" + b"\0" * 18, b"\x1f\x8b", b"\0" * 5000))
    return _Sent("nothing", data, upto=0)


Whole = Callable[[random.Random, _Made], _Sent]
WHOLE: dict[Whole, int] = {
    as_sent: 90,
    **dict.fromkeys((cut_anywhere, gzip_cut, gzip_damaged, zip_damaged, zipped, wide, in_base64, said_to_be), 8),
    **dict.fromkeys((gzipped, zip_cut, zip_absurd, zip_more, tail_changed, head_changed, between, broken_between), 4),
    **dict.fromkeys((crlf, glued, junk_before, junk_after, doctype, namespaced, gzip_more, other_root), 3),
    **dict.fromkeys((marked, gzip_twice, zip_nested, zip_encrypted, nothing), 2),
    **dict.fromkeys((gzip_bomb, zip_bomb), 1),
}
"""What is done to the whole file, with how often."""


_LOOSE = "a document type, or a comment without end, stands outside a HOSO"


def _loose(hoso: bytes) -> bool:
    """Whether the victim put such a thing into the envelope, since its HOSO starts or ends elsewhere than it did."""
    at = [hoso.rfind(mark) for mark in (b"<!DOCTYPE", b"<!ENTITY")]
    for mark, end in ((b"<!--", b"-->"), (b"<![CDATA[", b"]]>"), (b"<?", b"?>")):
        place = hoso.rfind(mark)
        if place >= 0 and hoso.find(end, place + len(mark)) < 0:
            at.append(place)
    last = max(at)
    return last >= 0 and (not re.match(rb"<HOSO[\s>]", hoso) or b"</HOSO" in hoso[:last])


def fuzzed(seed: int, number: int, *, inner: str | None = None, whole: Whole | None = None) -> Fuzzed:
    """File `number` of the seed: always the same one. `inner` and `whole` are mutations to take instead of drawn ones.

    With `inner` alone the file as a whole stays as it is.
    """
    dice = random.Random(f"{seed}/{number}")
    good = [_own(dice.choice(_sound()), f"G{number}.{i}", f"GD499{number:07}{i:03}") for i in range(dice.randint(2, 5))]
    victim = _own(dice.choice(_sound()), f"V{number}", f"GD499{number:07}999")
    if dice.random() < 0.1:
        victim = Claim(dice.choice(stock()), ("", ""), Decimal(0))
    how, hoso = _one_mutation(dice, victim, inner) if inner else _victim(dice, victim)
    records: list[tuple[Key | None, bytes]] = [(claim.key, _hoso(claim.tables)) for claim in good]
    records.insert(dice.randint(0, len(records)), (None, hoso))
    made = _envelope(records)
    drawn = dice.choices(list(WHOLE), list(WHOLE.values()))[0]
    sent = (whole or (as_sent if inner else drawn))(dice, made)
    upto = len(made.data) if sent.upto is None else sent.upto
    stands = {key for key, end in made.ends if end <= upto}
    may_lose = sent.may_lose or (_LOOSE if _loose(hoso) else None)
    kept = frozenset[Key]() if may_lose else frozenset(key for key in stands if key)
    return Fuzzed(
        number=number,
        name=f"{number:06}-{sent.name}",
        mutation=f"{how} | {sent.how}",
        data=sent.data,
        claims={claim.key: claim.money for claim in good},
        kept=kept,
        whole=None in stands and not may_lose,
        may_lose=may_lose,
        trusted=sent.trusted,
    )


# what intake makes of them


@dataclass
class _Read:
    """What was read of a file."""

    problems: list[Problem] = field(default_factory=list[Problem])
    records: list[tuple[Record, int]] = field(default_factory=list[tuple[Record, int]])
    origin: dict[int, tuple[str, str, int]] = field(default_factory=dict[int, tuple[str, str, int]])


def read(path: Path, number: int = 0) -> _Read:
    """Records and problems of a file, the way intake reads it; versions say the file's number."""
    found = _Read()
    sources: list[Source] = []
    for item in find_sources([path]):
        if isinstance(item, Source):
            sources.append(item)
        else:
            found.problems.append(item)
    for source in sources:
        with suppress(SourceRefusedError):  # it cannot be opened, and reading it says so again
            sha256_of(source)
    for (i, source), item in read_in_bulk([((i, source), source.open) for i, source in enumerate(sources)]):
        if isinstance(item, Problem):
            found.problems.append(item)
            continue
        version = number << 42 | i << 22 | item.hoso_no
        found.origin[version] = source.name, "", item.hoso_no
        found.records.append((item, version))
    return found


def frames_of(reads: Sequence[_Read]) -> dict[str, pl.DataFrame]:
    """The lake's frames of several files."""
    records = [record for one in reads for record in one.records]
    origin = {version: place for one in reads for version, place in one.origin.items()}
    return frames_of_records(records, origin, Batch(load_id="load", load_seq=1, received=RECEIVED, key=KEY))


def outcomes_of(files: Sequence[Fuzzed], folder: Path) -> list[Outcome]:
    """Read the files, each by itself, type them together as intake does, and hold what came of it against what must."""
    done = [Outcome(given) for given in files]
    reads: list[_Read] = []
    for number, (given, outcome) in enumerate(zip(files, done, strict=True)):
        path = folder / given.name
        path.write_bytes(given.data)
        started = time.perf_counter()
        try:
            reads.append(read(path, number))
        except Exception as error:  # noqa: BLE001 - the very thing that is looked for
            reads.append(_Read())
            outcome.faults.append(_crash(error))
        outcome.seconds = time.perf_counter() - started
        path.unlink()
    started = time.perf_counter()
    try:
        frames = frames_of(reads)
    except Exception as error:  # noqa: BLE001
        if len(files) > 1:  # one of them did it
            return [outcome for given in files for outcome in outcomes_of([given], folder)]
        done[0].faults.append(_crash(error))
        return done
    seconds = time.perf_counter() - started
    if len(files) > 1 and seconds > LIMIT_SECONDS / 2:
        return [outcome for given in files for outcome in outcomes_of([given], folder)]
    for number, (outcome, found) in enumerate(zip(done, reads, strict=True)):
        outcome.seconds += seconds / len(files)
        outcome.problems = Counter(problem.code for problem in found.problems)
        if outcome.seconds > LIMIT_SECONDS:
            outcome.faults.append(f"slow: {outcome.seconds:.1f} s")
        if not outcome.faults:
            of_file = pl.col("version").is_between(number << 42, (number + 1) << 42, closed="left")
            named = {name: frames[name].filter(of_file) for name in ("encounter", "intake_finding")}
            _compare(outcome, named, found.problems)
            if b"file://" in outcome.fuzzed.data and (leak := _leaked(frames, found.problems)):
                outcome.faults.append(f"leak: {leak}")
    return done


def _crash(error: Exception) -> str:
    return f"crash: {type(error).__name__}: {str(error)[:200]} at {_where(error)}"


def _where(error: BaseException) -> str:
    trace = error.__traceback__
    places: list[str] = []
    while trace:
        code = trace.tb_frame.f_code
        if "/data/" in code.co_filename:
            places.append(f"{Path(code.co_filename).name}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return " < ".join(reversed(places[-3:]))


def _compare(done: Outcome, frames: dict[str, pl.DataFrame], problems: Sequence[Problem]) -> None:
    given = done.fuzzed
    rows = frames["encounter"].select("ma_cskcb", "ma_lk", "t_bhtt").rows()
    found = Counter((facility, ma_lk) for facility, ma_lk, _ in rows)
    done.found = sum(key in found for key in given.claims)
    lost = [key for key in given.kept if key not in found]
    done.lost = len(lost)
    done.faults += [f"lost: {key}" for key in lost]
    done.faults += [f"twice: {key}" for key in given.claims if found[key] > 1]
    if given.trusted:
        wrong = [(f, k, m) for f, k, m in rows if (f, k) in given.claims and given.claims[f, k] != m]
        done.faults += [f"wrong money: {one}" for one in wrong]
    own = pl.col("ma_lk").is_in([k for _, k in given.claims]).fill_null(value=False)
    findings = frames["intake_finding"].filter(~own)
    told = any(p.severity == "file" for p in problems) or "quarantine" in findings["severity"]
    if done.found < len(given.claims) and not told:
        done.faults.append("lost without a word")
    if given.whole and not problems and not findings.height and not any(key not in given.claims for key in found):
        done.faults.append("the victim left no trace")


def _leaked(frames: dict[str, pl.DataFrame], problems: Sequence[Problem]) -> str | None:
    """Where a text stands that only an external entity could have brought in."""
    for name, frame in frames.items():
        for column in frame.select(pl.col(pl.String)).iter_columns():
            if column.str.contains_any([SECRET, "root:x:0:0"]).any():
                return f"{name}.{column.name}"
    said = " ".join(problem.message_en for problem in problems)
    return "a problem" if SECRET in said or "root:x:0:0" in said else None


def ingested(files: Sequence[Fuzzed], folder: Path) -> list[str]:
    """Load the files with the product's own ingest into a lake of their own: the promises that were broken."""
    source = folder / "files"
    source.mkdir()
    files = list({given.data: given for given in files}.values())  # the same bytes again are skipped, and rightly so
    for given in files:
        (source / given.name).write_bytes(given.data)
    lake = Lake(folder / "lake", clock=lambda: RECEIVED)
    try:
        with lake.writer("fuzz"):
            report = ingest(lake, [source], key=KEY, received=RECEIVED, workers=1)
    except Exception as error:  # noqa: BLE001
        return [_crash(error)]
    faults = [
        f"{table}: {rows}"
        for table, rows in report.rows.items()
        if rows["read"] != rows["loaded"] + rows["quarantined"] + rows["superseded"]
    ]
    with lake.reader() as reader:
        rows = reader.pl("select ma_cskcb, ma_lk, t_bhtt from encounter").rows()
        told = set(reader.pl("select distinct file from intake_finding")["file"])
    found: dict[Key, list[Decimal]] = {}
    for facility, ma_lk, money in rows:
        found.setdefault((facility, ma_lk), []).append(money)
    for given in files:
        for key, money in given.claims.items():
            read = found.get(key, [])
            if (key in given.kept and not read) or len(read) > 1 or (given.trusted and read not in ([], [money])):
                faults.append(f"{given.number}: {key} is {money}, in the lake: {read} | {given.mutation}")
        path = str(source / given.name)
        if not given.claims.keys() <= found.keys() and not any(name.startswith(path) for name in told):
            faults.append(f"{given.number}: lost without a word | {given.mutation}")
    return faults
