"""The claim envelope GIAMDINHHS, read HOSO by HOSO into rows of text.

The envelope is cut at its HOSO elements before anything is parsed: memory is bounded by the largest HOSO, and a broken
HOSO costs only itself. What lies between the HOSO elements goes to a parser of its own, which sees to it that the whole
is XML. Document types and entity declarations are refused, so nothing is expanded and nothing is fetched.
"""

from __future__ import annotations

import binascii
import codecs
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain
from typing import Any, BinaryIO, Literal, TypeVar, cast

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue]

from data import flatxml
from data.flatxml import ROW_TAGS
from data.schema import fields
from data.sources import DEFAULT_LIMITS, PLAIN_BYTES, Limits, Problem, Severity, SourceRefusedError

Element = Any  # lxml ships no types
Row = dict[str, str | None]
Tables = dict[str, list[Row]]

ENVELOPE_ROOT = "GIAMDINHHS"
CHECK_IN_ROOT = "CHI_TIEU_TRANG_THAI_KCB"

_CHUNK = 1024 * 1024
_HEAD = ("MACSKCB", "NGAYLAP")  # what a HOSO takes from the envelope
_WHOLE_BYTES = PLAIN_BYTES + _CHUNK
_HELD_BYTES = 12 * _CHUNK  # of HOSO that are judged together: fewer take longer each
_ROW_BYTES = 4_000  # that a row of a record takes
_SNIFFED = 4096  # bytes at the start that tell the encoding and the wrapping
_MAX_NAMES = 20_000  # distinct element names remembered; the standards have 400

# Outside HOSO these change what the next characters mean; a document type is never welcome.
_OUTER_MARK = re.compile(rb"<!--|<!\[CDATA\[|<\?|<!DOCTYPE|<!ENTITY|<HOSO(?=[\s/>])")
_NAME_ENDS = (b">", b" ", b"\t", b"\r", b"\n", b"")
_HOSO_END = re.compile(rb"</HOSO(?:[\s>]|\Z)")
_ROOT_END = re.compile(rb"</(?:[\w.-]+:)?GIAMDINHHS[\s>]")
_SECTION = re.compile(rb"<!--|<!\[CDATA\[")
_OUTER_ENDS = {b"<!--": b"-->", b"<![CDATA[": b"]]>", b"<?": b"?>"}
_DECLARATION = re.compile(rb"\s*<\?xml\s[^>]{0,400}?\?>")
_DECLARED_ENCODING = re.compile(rb"encoding\s*=\s*[\"']([A-Za-z][\w.:-]{0,40})[\"']")
_FIRST_ELEMENT = re.compile(  # groups are atomic: no backtracking over hostile comments
    rb"\s*+(?:(?>(?s:<!--.*?-->|<\?.*?\?>))\s*+)*+<([A-Za-z_][\w.-]*)[\s/>]"
)
_BASE64_START = re.compile(rb"[A-Za-z0-9+/=\s]+\Z")
_SPACES = re.compile(rb"\s+")

# .NET writers leave "utf-16" in the declaration of text that is then sent as UTF-8.
_AS_UTF8 = frozenset({"utf-8", "utf8", "utf-8-sig", "us-ascii", "ascii", "utf-16", "unicode"})

# What text may be declared to be. Python's other codecs unpack archives, decode to bytes or take time without bound.
_ENCODINGS = re.compile(
    r"(utf[-_]?(8|16|32)([-_]?(le|be))?|latin[-_]?1|iso[-_]?8859[-_]?\d{1,2}|(windows|cp)[-_]?125\d)\Z"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RawRecord:
    """One HOSO as it was sent: every table's rows as text, nothing judged yet.

    `tables` is keyed by LOAIHOSO. Rows have lower-case field names; an empty field is None and a row without any value
    is left out (exporters send unused papers empty). There is exactly one XML1 row, but in a check-in file.
    """

    facility: str | None  # MACSKCB of the envelope
    ngaylap: str | None
    hoso_no: int  # ordinal in the file, from 1
    standard: Literal["130", "4210"]
    tables: Tables


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainRecord:
    """One HOSO of the plain shape (see `flatxml`), its plain tables still text: they are read in large batches.

    What `flatxml.rows_of` and `rows_of_text` make of `texts` is what a RawRecord of the same HOSO has in `tables`.
    """

    facility: str | None
    ngaylap: str | None
    hoso_no: int
    texts: dict[str, bytes]  # by LOAIHOSO; XML1 is always there
    tables: Tables  # the other tables
    standard: Literal["130"] = "130"


Record = RawRecord | PlainRecord


_TEXTS: dict[str, tuple[str, str, str, str]] = {
    "file_empty": (
        "the file is empty",
        "tệp rỗng",
        "ask the facility to export the file again",
        "đề nghị cơ sở xuất lại tệp",
    ),
    "not_xml": (
        "the file is not XML ({detail})",
        "tệp không phải XML ({detail})",
        "send the XML envelope GIAMDINHHS as exported for the claims portal",
        "gửi tệp XML GIAMDINHHS như khi xuất lên cổng giám định",
    ),
    "xml_dtd": (
        "the file declares a document type or entities, which claim files never do",
        "tệp có khai báo DOCTYPE hoặc ENTITY, tệp hồ sơ không bao giờ có",
        "remove the declaration; if the facility did not write it, treat the file as hostile",
        "bỏ khai báo này; nếu không phải do cơ sở tạo ra, coi tệp là độc hại",
    ),
    "wrong_encoding": (
        "the text cannot be read as {detail}",
        "không đọc được chữ theo bảng mã {detail}",
        "export the file as UTF-8",
        "xuất lại tệp theo bảng mã UTF-8",
    ),
    "unknown_root": (
        "the root element is {detail}, not GIAMDINHHS or CHI_TIEU_TRANG_THAI_KCB",
        "thẻ gốc là {detail}, không phải GIAMDINHHS hoặc CHI_TIEU_TRANG_THAI_KCB",
        "send the envelope as exported for the claims portal (QĐ 130, 4750, 3176 or 4210)",
        "gửi tệp như khi xuất lên cổng giám định (QĐ 130, 4750, 3176 hoặc 4210)",
    ),
    "truncated": (
        "the file breaks off; {good} HOSO before that are whole ({detail})",
        "tệp bị cắt cụt; {good} hồ sơ trước đó còn nguyên vẹn ({detail})",
        "ask the facility to send the file again; what is whole has been read",
        "đề nghị cơ sở gửi lại tệp; phần nguyên vẹn đã được đọc",
    ),
    "envelope_broken": (
        "the envelope is not well-formed; its {good} whole HOSO were read ({detail})",
        "vỏ tệp sai cú pháp XML; {good} hồ sơ nguyên vẹn đã được đọc ({detail})",
        "ask the facility to export the file again; what is whole has been read",
        "đề nghị cơ sở xuất lại tệp; phần nguyên vẹn đã được đọc",
    ),
    "envelope_too_large": (
        "the envelope holds more than {limit} bytes or too many elements outside its HOSO elements",
        "vỏ tệp có hơn {limit} byte hoặc quá nhiều thẻ nằm ngoài các hồ sơ",
        "ask the facility to export the file again",
        "đề nghị cơ sở xuất lại tệp",
    ),
    "too_many_problems": (
        "more than {limit} problems in one file; reading stopped after {good} whole HOSO",
        "tệp có hơn {limit} lỗi; dừng đọc sau {good} hồ sơ nguyên vẹn",
        "correct the export before sending the file again",
        "sửa phần mềm xuất trước khi gửi lại tệp",
    ),
    "no_hoso": (
        "the envelope holds no HOSO",
        "tệp không có hồ sơ (HOSO) nào",
        "check that the export was not empty",
        "kiểm tra xem dữ liệu xuất có rỗng không",
    ),
    "hoso_too_large": (
        "the HOSO is larger than {limit} bytes or has too many elements",
        "hồ sơ lớn hơn {limit} byte hoặc có quá nhiều thẻ",
        "check the export: no real episode is that large",
        "kiểm tra phần mềm xuất: không đợt điều trị nào lớn như vậy",
    ),
    "hoso_broken": (
        "the HOSO is not well-formed XML ({detail})",
        "hồ sơ sai cú pháp XML ({detail})",
        "correct the HOSO and send it again; the others of the file were read",
        "sửa hồ sơ này rồi gửi lại; các hồ sơ khác trong tệp đã được đọc",
    ),
    "no_xml1": (
        "the HOSO has no readable XML1 (summary) row",
        "hồ sơ không có bảng XML1 (tổng hợp) đọc được",
        "send the HOSO again with its XML1",
        "gửi lại hồ sơ kèm bảng XML1",
    ),
    "several_xml1": (
        "the HOSO has {found} different XML1 (summary) rows",
        "hồ sơ có {found} dòng XML1 (tổng hợp) khác nhau",
        "send each episode as a HOSO of its own",
        "gửi mỗi đợt điều trị thành một hồ sơ (HOSO) riêng",
    ),
    "unsupported_917": (
        "the HOSO follows QĐ 917 of 2016, which has no split of money by payer",
        "hồ sơ theo chuẩn QĐ 917 (2016), không tách tiền theo nguồn chi trả",
        "export the episode again in the format of QĐ 4210 or QĐ 130",
        "xuất lại hồ sơ theo chuẩn QĐ 4210 hoặc QĐ 130",
    ),
    "unknown_standard": (
        "XML1 has none of the fields that tell QĐ 130 from QĐ 4210",
        "bảng XML1 không có trường nào để nhận biết chuẩn QĐ 130 hay QĐ 4210",
        "send the official fields, such as MA_THE_BHYT and T_TONGCHI_BV",
        "gửi đủ các trường theo quy định, như MA_THE_BHYT và T_TONGCHI_BV",
    ),
    "inner_broken": (
        "the content of {table} cannot be read ({detail})",
        "không đọc được nội dung bảng {table} ({detail})",
        "correct the table and send the HOSO again; its other tables were read",
        "sửa bảng này rồi gửi lại hồ sơ; các bảng khác đã được đọc",
    ),
    "count_mismatch": (
        "SOLUONGHOSO says {declared}, the file holds {found}",
        "SOLUONGHOSO ghi {declared}, tệp có {found} hồ sơ",
        "check that no HOSO was lost in the export",
        "kiểm tra xem có hồ sơ nào bị sót khi xuất không",
    ),
}


def _problem(
    code: str,
    severity: Severity,
    *,
    hoso_no: int | None = None,
    table: str | None = None,
    position: int | None = None,
    **values: object,
) -> Problem:
    message_en, message_vi, hint_en, hint_vi = _TEXTS[code]
    values["table"] = table
    return Problem(
        code=code,
        severity=severity,
        message_en=message_en.format(**values),
        message_vi=message_vi.format(**values),
        hint_en=hint_en,
        hint_vi=hint_vi,
        hoso_no=hoso_no,
        table=table,
        position=position,
    )


class _RefusedError(Exception):
    """Ends the reading of a file, a HOSO or a table with the problem that says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message_en)
        self.problem = problem


@dataclass(slots=True)
class _Waiting:
    """A HOSO that looks plain from outside; whether it is gets judged together with others."""

    data: bytes  # the HOSO stands in it from `start` to `end`
    start: int
    end: int
    parts: Sequence[flatxml.Part]
    number: int
    position: int
    head: Mapping[str, str | None]

    @property
    def fragment(self) -> bytes:
        return self.data[self.start : self.end]


class _BrokenOffError(Exception):
    """Ends the reading of a file. How many HOSO were good is only known once those in waiting are judged."""

    def __init__(self, code: str, detail: str, position: int, source: str | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.position = position
        self.source = source


@dataclass(slots=True)
class _Tally:
    """What was given of one file so far."""

    good: int = 0
    refused: int = 0
    stopped: bool = False


_Cut = RawRecord | Problem | _Waiting | _BrokenOffError
_Key = TypeVar("_Key")


def read_envelope(stream: BinaryIO, *, limits: Limits = DEFAULT_LIMITS) -> Iterator[RawRecord | Problem]:
    """The HOSO of one claim file in order, and a `Problem` for whatever could not be used.

    Never raises for what the file holds. A problem of severity "file" is the last item but for nothing: what was
    yielded before it is whole. A check-in file gives one record of one XML0 table.
    """
    tally = _Tally()
    for item in _cut_file(lambda: nullcontext(stream), limits, plain=False):
        yield from cast("Iterator[RawRecord | Problem]", _given(tally, item, limits))
        if tally.stopped:
            return


def read_in_bulk(
    files: Iterable[tuple[_Key, Callable[[], AbstractContextManager[BinaryIO]]]], *, limits: Limits = DEFAULT_LIMITS
) -> Iterator[tuple[_Key, Record | Problem]]:
    """The same items of many files, each with its file's key, in the same order and several times as fast.

    A HOSO of the plain shape comes as a `PlainRecord`. A file that cannot be opened gives the problem that says so.
    """
    held: list[tuple[_Key, _Tally, _Cut]] = []
    held_bytes = 0

    def release() -> Iterator[tuple[_Key, Record | Problem]]:
        nonlocal held_bytes
        waiting = [item for _, _, item in held if isinstance(item, _Waiting)]
        judged = iter(_plain_records(waiting, limits))
        for key, tally, item in held:
            plain = next(judged) if isinstance(item, _Waiting) else None
            for given in _given(tally, plain or item, limits):
                yield key, given
        held.clear()
        held_bytes = 0

    for key, opened in files:
        tally = _Tally()
        for item in _cut_file(opened, limits, plain=True):
            held.append((key, tally, item))
            held_bytes += _weight(item)
            if held_bytes > _HELD_BYTES:
                yield from release()
                if tally.stopped:
                    break
    yield from release()


def _weight(item: _Cut) -> int:
    """About the memory that an item in waiting takes."""
    if isinstance(item, _Waiting):
        return item.end - item.start
    return _ROW_BYTES * sum(map(len, item.tables.values())) if isinstance(item, RawRecord) else _ROW_BYTES


def _given(tally: _Tally, item: _Cut | PlainRecord, limits: Limits) -> Iterator[Record | Problem]:
    """What is given of an item: a HOSO that only looked plain is read the careful way now."""
    if isinstance(item, _BrokenOffError):
        item = _problem(
            item.code, "file", good=tally.good, detail=item.detail, position=item.position, source=item.source
        )
    found = _read_hoso(item, limits) if isinstance(item, _Waiting) else (item,)
    for one in found:
        if tally.stopped:
            return
        yield one
        if not isinstance(one, Problem):
            tally.good += 1
        elif one.severity != "file":
            tally.refused += 1
            if tally.refused > limits.problems:
                tally.stopped = True
                yield _problem("too_many_problems", "file", limit=limits.problems, good=tally.good)


def _cut_file(opened: Callable[[], AbstractContextManager[BinaryIO]], limits: Limits, *, plain: bool) -> Iterator[_Cut]:
    """The items of a file as they are cut; the reason why reading ended early is the last of them."""
    reader = _EnvelopeReader(limits, plain=plain)
    try:
        with opened() as stream:
            source: BinaryIO | _Resumed = stream
            if plain:
                source = _Resumed(stream, _WHOLE_BYTES)
                if source.whole and (items := _cut_whole(source.start, limits)) is not None:
                    yield from items
                    return
            for chunk in chain(_utf8(source), (None,)):
                yield from reader.close() if chunk is None else reader.feed(chunk)
    except _BrokenOffError as end:
        yield end
    except _RefusedError as refusal:
        with suppress(_RefusedError, _BrokenOffError):  # the first reason is the one to give
            yield from reader.rest()
        yield refusal.problem
    except SourceRefusedError as refusal:
        with suppress(_RefusedError, _BrokenOffError):
            yield from reader.rest()
        detail = refusal.problem
        if detail.code == "source_damaged" and reader.hoso_count:
            yield _BrokenOffError("truncated", detail.message_en, reader.position, detail.source)
        else:
            yield detail


class _Resumed:
    """A stream whose `start` was read ahead; it goes on as if nothing of it had been."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        # read1 gives what a damaged stream still had before it failed, where read would lose it.
        self._read: Callable[[int], bytes] = getattr(stream, "read1", stream.read)
        self._failed: SourceRefusedError | None = None
        gathered: list[bytes] = []
        left = size
        try:
            # a stream in memory gives all at the first call, without being copied together again
            while left > 0 and (block := self._read(left)):
                gathered.append(block)
                left -= len(block)
        except SourceRefusedError as error:
            self._failed = error
        self.start = gathered[0] if len(gathered) == 1 else b"".join(gathered)
        self.whole = left > 0 and self._failed is None
        self._given = 0

    def read(self, size: int) -> bytes:
        """What is at hand, at most `size` bytes."""
        if self._given < len(self.start):
            block = self.start[self._given : self._given + size]
            self._given += len(block)
            return block
        if self._failed is not None:
            raise self._failed
        return self._read(size)


def _cut_whole(data: bytes, limits: Limits) -> Iterator[_Cut] | None:
    """The HOSO of a file that is at hand whole, all of them plain from outside; None where that takes a parser."""
    envelope = flatxml.envelope_of(data)
    if envelope is None or len(envelope[0]) > limits.outer_bytes:
        return None
    around, places = envelope
    try:
        encoding, before = _encoding(data[:_SNIFFED])
        root = None if encoding else _parse(_as_utf8(around), limits)
    except (etree.XMLSyntaxError, ValueError, _RefusedError):
        return None
    if root is None or _local(root.tag) != ENVELOPE_ROOT:
        return None
    head: dict[str, str | None] = {}
    for element in root.iter(etree.Element):
        if len(element) == 0:
            head.setdefault(_local(element.tag), (element.text or "").strip() or None)
    taken = {name: head.get(name) for name in _HEAD}
    declaration = _DECLARATION.match(data, before)
    before = declaration.end() if declaration else before  # positions count from the end of the declaration
    largest = min(limits.hoso_bytes, limits.hoso_marks)
    found: list[_Cut] = []
    for number, (start, end) in enumerate(places, 1):
        parts = flatxml.parts_of(data, start, end)
        if parts is None or end - start > largest:
            return None
        found.append(_Waiting(data, start, end, parts, number, start - before, taken))
    found.extend(_count_mismatch(head.get("SOLUONGHOSO"), len(places)))
    return iter(found)


def _count_mismatch(declared: str | None, found: int) -> Iterator[Problem]:
    if declared is not None and declared.lstrip("0") != str(found):
        yield _problem("count_mismatch", "warn", declared=declared[:20], found=found)


class _EnvelopeReader:
    """Cuts UTF-8 text into HOSO elements and the envelope around them."""

    def __init__(self, limits: Limits, *, plain: bool) -> None:
        self.hoso_count = 0
        self._limits = limits
        # beyond these a HOSO needs the careful parser's look at its size
        self._plain_bytes = min(limits.hoso_bytes, limits.hoso_marks) if plain else -1
        self._buffer = bytearray()
        self._dropped = 0  # bytes already taken from the front of the stream
        self._in_hoso = False
        self._skipping = False  # inside a HOSO that is already refused for its size
        self._seek_from = 0  # the buffer before this holds no end of the current HOSO
        self._clear = 0  # the CDATA sections and comments of the current HOSO that start before this end before it
        self._heedless = False  # of sections: one of the current HOSO was never closed, so its first end is the end
        self._sought: dict[bytes, int] = {}  # end of a section -> where in the text it was sought in vain until
        self._outer = etree.XMLPullParser(events=("start", "end"), **_SAFE)
        self._outer_bytes = 0
        self._outer_elements = 0
        self._broken: _BrokenOffError | None = None  # what is wrong with the envelope; its HOSO are read all the same
        self._root: str | None = None
        self._check_in: bool | None = None  # the file is a check-in: one paper, gathered whole; None before the start
        self._head: dict[str, str | None] = {}

    @property
    def position(self) -> int:
        """Where reading stands, in bytes of the uncompressed text."""
        return self._dropped

    def feed(self, chunk: bytes) -> Iterator[_Cut]:
        """Take more text; give what became whole by it."""
        self._buffer += chunk
        if self._check_in is None:
            start = _FIRST_ELEMENT.match(self._buffer)
            if start is None and len(self._buffer) < _CHUNK:
                return
            self._check_in = start is not None and start.group(1) == CHECK_IN_ROOT.encode()
        if self._check_in:
            if len(self._buffer) > self._limits.hoso_bytes:
                raise _RefusedError(_problem("hoso_too_large", "file", limit=self._limits.hoso_bytes))
            return
        yield from self._cut()

    def _cut(self) -> Iterator[_Cut]:
        while self._in_hoso or self._pass_outer():
            fragment = self._take_hoso()
            if fragment is None:
                if self._skipping or len(self._buffer) <= self._limits.hoso_bytes:
                    return
                if not self._give_up_section():
                    yield self._too_large()
                    return
                continue
            if self._skipping:
                self._skipping = False
            else:
                yield from self._take(fragment, self._dropped - len(fragment))

    def close(self) -> Iterator[_Cut]:
        """The text is over: check that the envelope is closed and says what it holds."""
        if self._check_in:
            yield self._read_check_in(bytes(self._buffer))
            return
        if self._check_in is None:
            self._check_in = False
            yield from self._cut()
        yield from self.rest()
        if self._in_hoso:
            raise self._truncated(f"HOSO {self.hoso_count} has no end")
        self._feed_outer(bytes(self._buffer))
        self._dropped += len(self._buffer)
        if self._broken is not None:
            raise self._broken
        try:
            self._outer.close()
        except etree.XMLSyntaxError as error:
            if self._root is None:
                raise _RefusedError(_problem("not_xml", "file", detail=_words(error), position=0)) from error
            raise self._truncated(_words(error)) from error
        self._note_outer()
        if not self.hoso_count:
            raise _RefusedError(_problem("no_hoso", "file"))
        yield from _count_mismatch(self._head.get("SOLUONGHOSO"), self.hoso_count)

    def rest(self) -> Iterator[_Cut]:
        """No more text comes: the HOSO that stand whole after one whose section was never closed."""
        while self._in_hoso and self._give_up_section():
            yield from self._cut()

    def _truncated(self, detail: str) -> _BrokenOffError:
        return _BrokenOffError("truncated", detail, self._dropped)

    def _drop(self, count: int) -> bytes:
        taken = bytes(memoryview(self._buffer)[:count])
        del self._buffer[:count]
        self._dropped += count
        return taken

    def _pass_outer(self) -> bool:
        """Move past envelope text to the next HOSO. False when more text is needed for that."""
        at = 0
        while True:
            mark = _OUTER_MARK.search(self._buffer, at)
            if mark is None:
                # A mark may be cut by the end of the chunk: hold back from the last "<" that is not closed.
                last = self._buffer.rfind(b"<", at)
                keep = last if last >= 0 and self._buffer.find(b">", last) < 0 else len(self._buffer)
                self._feed_outer(self._drop(keep))
                if len(self._buffer) > self._limits.outer_bytes:
                    raise self._outer_too_large()
                return False
            kind = mark.group()
            if kind in (b"<!DOCTYPE", b"<!ENTITY"):
                raise _RefusedError(_problem("xml_dtd", "file", position=self._dropped + mark.start()))
            if kind == b"<HOSO":
                self._feed_outer(self._drop(mark.start()))
                self._in_hoso = self._root == ENVELOPE_ROOT
                self._seek_from = self._clear = 0
                self._heedless = False
                self.hoso_count += self._in_hoso
                return self._in_hoso
            end = self._buffer.find(_OUTER_ENDS[kind], mark.end())
            if end < 0:
                self._feed_outer(self._drop(mark.start()))
                if len(self._buffer) > self._limits.outer_bytes:
                    raise self._outer_too_large()
                return False
            at = end

    def _feed_outer(self, text: bytes) -> None:
        self._outer_bytes += len(text)
        if self._outer_bytes > self._limits.outer_bytes:
            raise self._outer_too_large()
        if self._broken is not None:
            if _ROOT_END.search(text):
                raise self._broken
            return
        # Short pieces, so that a hostile prologue stops the reading before much of it became a tree.
        for start in range(0, len(text), 65_536):
            try:
                self._outer.feed(text[start : start + 65_536])
            except etree.XMLSyntaxError as error:
                self._note_outer()  # the root, which may lie before the fault, says more than the fault
                code = "envelope_broken" if self._root else "not_xml"
                broken = _BrokenOffError(code, _words(error), self._dropped)
                # A fault between the HOSO costs none of them; what comes after the envelope is not of it.
                if self._root is None or _ROOT_END.search(text):
                    raise broken from error
                self._broken = broken
                return
            self._note_outer()

    def _note_outer(self) -> None:
        for event, element in self._outer.read_events():
            self._outer_elements += 1
            name = _local(element.tag)
            if self._root is None:
                self._root = name
                if name != ENVELOPE_ROOT:
                    raise _RefusedError(_problem("unknown_root", "file", detail=name[:80]))
            elif event == "end" and len(element) == 0:
                self._head.setdefault(name, (element.text or "").strip() or None)
        if self._outer_elements > self._limits.hoso_marks:
            raise self._outer_too_large()

    def _outer_too_large(self) -> _RefusedError:
        limit = self._limits.outer_bytes
        return _RefusedError(_problem("envelope_too_large", "file", limit=limit, position=self._dropped))

    def _take_hoso(self) -> bytes | None:
        """The text of the current HOSO, once its end is there."""
        if self._seek_from == 0 and not self._skipping:
            start = self._buffer.find(b">")
            if start > 0 and self._buffer[start - 1] == ord("/"):
                self._in_hoso = False
                return self._drop(start + 1)
        while (at := self._find_end()) >= 0:
            if not self._skipping and not self._heedless and not self._clear_until(at):
                if self._clear < at:
                    return None  # the section goes on in the text to come
                continue
            end = self._buffer.find(b">", at)
            if end < 0:
                self._seek_from = at
                return None
            self._in_hoso = False
            return self._drop(end + 1)
        self._seek_from = max(self._seek_from, len(self._buffer) - 6, 1)
        if self._skipping:
            self._drop(max(0, len(self._buffer) - 6))
            self._seek_from = 0
        return None

    def _find_end(self) -> int:
        """Where the next end tag of a HOSO may start, or -1."""
        at = self._buffer.find(b"</HOSO", self._seek_from)
        if at < 0 or bytes(self._buffer[at + 6 : at + 7]) in _NAME_ENDS:
            return at
        # The end of another element, whose name only starts like this: rare, so the fast way is tried first.
        mark = _HOSO_END.search(self._buffer, at + 6)
        return mark.start() if mark else -1

    def _give_up_section(self) -> bool:
        """Whether the HOSO that finds no end may have one in a section, which then was never closed."""
        given_up, self._heedless = not self._heedless, True
        if given_up:
            self._seek_from = 1
        return given_up

    def _section_end(self, mark: bytes, start: int) -> int:
        """Where a section that starts before `start` ends, or -1. What was sought in vain is not sought twice."""
        wanted = _OUTER_ENDS[mark]
        end = self._buffer.find(wanted, max(start, self._sought.get(wanted, 0) - self._dropped - 2))
        if end < 0:
            self._sought[wanted] = self._dropped + len(self._buffer)
        return end

    def _clear_until(self, at: int) -> bool:
        """Whether `at` lies outside CDATA sections and comments. They are passed in order, each once."""
        while (mark := _SECTION.search(self._buffer, self._clear, at)) is not None:
            end = self._section_end(mark.group(), mark.end())
            if end < 0:
                self._clear = mark.start()
                self._seek_from = at
                return False
            self._clear = self._seek_from = end + 3
            if end > at:
                return False
        self._clear = max(self._clear, at)
        return True

    def _too_large(self) -> Problem:
        self._skipping = True
        problem = _problem(
            "hoso_too_large", "hoso", hoso_no=self.hoso_count, limit=self._limits.hoso_bytes, position=self._dropped
        )
        self._drop(max(0, len(self._buffer) - 6))
        self._seek_from = 0
        return problem

    def _take(self, fragment: bytes, position: int) -> Iterator[_Cut]:
        head = {name: self._head.get(name) for name in _HEAD}
        size = len(fragment)
        parts = flatxml.parts_of(fragment, 0, size) if size <= self._plain_bytes else None
        hoso = _Waiting(fragment, 0, size, parts or [], self.hoso_count, position, head)
        if parts:
            yield hoso
            return
        last = None
        for last in _read_hoso(hoso, self._limits):
            yield last
        # A HOSO that was never closed, or a section of it, has swallowed those after it: each gets its own chance.
        if isinstance(last, Problem) and last.code == "hoso_broken":
            for start, end in _swallowed(fragment):
                self.hoso_count += 1
                yield from self._take(fragment[start:end], position + start)

    def _read_check_in(self, text: bytes) -> RawRecord:
        try:
            root = _parse(text, self._limits)
        except _RefusedError as refusal:
            raise _RefusedError(replace(refusal.problem, severity="file")) from refusal
        except (etree.XMLSyntaxError, ValueError) as error:
            raise _RefusedError(_problem("envelope_broken", "file", good=0, detail=_words(error))) from error
        rows = _paper_rows(root)
        facility = next((row.get("ma_cskcb") for row in rows), None)
        return RawRecord(facility=facility, ngaylap=None, hoso_no=1, standard="130", tables={"XML0": rows})


def _swallowed(fragment: bytes) -> Iterator[tuple[int, int]]:
    """Where HOSO stand within a HOSO: the shortest texts with a start and an end, but for its own start."""
    at = 0
    while (close := fragment.find(b"</HOSO", at)) >= 0:
        end = fragment.find(b">", close) + 1 or len(fragment)
        start = fragment.rfind(b"<HOSO>", max(at, 1), close)
        if start > 0:
            yield start, end
        at = end


def _read_hoso(hoso: _Waiting, limits: Limits) -> Iterator[RawRecord | Problem]:
    """One HOSO by the careful parser: the problems of its tables, then its record or what is wrong with all of it."""
    problems: list[Problem] = []
    try:
        record = _record(hoso.fragment, hoso.number, hoso.head, limits, problems)
    except _RefusedError as refusal:
        yield from problems
        yield replace(refusal.problem, hoso_no=hoso.number, position=hoso.position)
        return
    yield from problems
    yield record


def _plain_records(waiting: Sequence[_Waiting], limits: Limits) -> list[PlainRecord | None]:
    """Each HOSO in waiting as a plain record, None where one of its tables is not plain after all."""
    texts: list[dict[str, bytes]] = [{} for _ in waiting]
    papers: list[Tables] = [{} for _ in waiting]
    failed: set[int] = set()  # places in `waiting`
    by_table: dict[str, list[tuple[int, bytes, bool]]] = {}
    for i, hoso in enumerate(waiting):
        view = memoryview(hoso.data)
        for name, start, end, packed in hoso.parts:
            text = flatxml.unpacked(view[start:end]) if packed else hoso.data[start:end]
            if text is None:
                failed.add(i)
            elif text or name == "XML1":
                by_table.setdefault(name, []).append((i, text, packed))
    for name, items in by_table.items():
        flat = name in flatxml.FLAT_TAGS
        plain = flatxml.plain(name, [text for _, text, _ in items]) if flat else [None] * len(items)
        for (i, text, packed), good in zip(items, plain, strict=True):
            if good is not None:
                texts[i][name] = good
            elif name in flatxml.ROW_TAGS or (rows := _plain_paper(name, text, limits, inline=not packed)) is None:
                failed.add(i)
            elif rows:
                papers[i][name] = rows
    return [None if i in failed else _plain_record(hoso, texts[i], papers[i]) for i, hoso in enumerate(waiting)]


def _plain_record(hoso: _Waiting, texts: dict[str, bytes], tables: Tables) -> PlainRecord:
    return PlainRecord(
        facility=hoso.head.get("MACSKCB"),
        ngaylap=hoso.head.get("NGAYLAP"),
        hoso_no=hoso.number,
        texts=texts,
        tables=tables,
    )


def _plain_paper(name: str, text: bytes, limits: Limits, *, inline: bool) -> list[Row] | None:
    """Rows of a paper of a HOSO that looks plain; None where something is wrong with it."""
    try:
        if inline:  # which may be several elements
            return _rows_below(name, _parse(b"<NOIDUNGFILE>" + text + b"</NOIDUNGFILE>", limits))
        return rows_of_text(name, text, limits)
    except (etree.XMLSyntaxError, ValueError, _RefusedError):
        return None


def _record(
    fragment: bytes, number: int, head: Mapping[str, str | None], limits: Limits, problems: list[Problem]
) -> RawRecord:
    """One HOSO's tables. Problems of single tables are added to `problems`; raises _RefusedError for the HOSO."""
    try:
        files = list(_files(fragment, limits))
    except _RefusedError as refusal:
        raise _RefusedError(replace(refusal.problem, severity="hoso")) from refusal
    except etree.XMLSyntaxError as error:
        raise _RefusedError(_syntax_problem("hoso_broken", "hoso", error)) from error
    tables: Tables = {}
    for name, content in files:
        try:
            rows = _rows(name, content, limits)
        except (etree.XMLSyntaxError, ValueError) as error:
            problems.append(replace(_syntax_problem("inner_broken", "table", error, table=name), hoso_no=number))
        except _RefusedError as refusal:
            problems.append(replace(refusal.problem, severity="table", hoso_no=number, table=name))
        else:
            tables.setdefault(name, []).extend(rows)
    summary = tables.get("XML1")
    if not summary:
        raise _RefusedError(_problem("no_xml1", "hoso", table="XML1"))
    if any(row != summary[0] for row in summary):
        raise _RefusedError(_problem("several_xml1", "hoso", table="XML1", found=len(summary)))
    tables["XML1"] = summary[:1]
    return RawRecord(
        facility=head.get("MACSKCB"),
        ngaylap=head.get("NGAYLAP"),
        hoso_no=number,
        standard=_standard(summary[0]),
        tables={name: rows for name, rows in tables.items() if rows},
    )


def _syntax_problem(code: str, severity: Severity, error: Exception, *, table: str | None = None) -> Problem:
    """A text that is no XML; most often it is no UTF-8 either, and then saying that helps more."""
    if isinstance(error, UnicodeError) or getattr(error, "code", 0) == etree.ErrorTypes.ERR_INVALID_ENCODING:
        return _problem("wrong_encoding", severity, table=table, detail="UTF-8")
    return _problem(code, severity, table=table, detail=_words(error))


def _files(fragment: bytes, limits: Limits) -> Iterator[tuple[str, Element]]:
    """LOAIHOSO and NOIDUNGFILE of each FILEHOSO of a HOSO."""
    hoso = _parse(fragment, limits)
    direct = [file for file in hoso.iterchildren("FILEHOSO") if file.find("NOIDUNGFILE") is not None]
    for file in direct or hoso.iter("FILEHOSO"):  # some exporters nest them in wrappers of their own
        name = "".join((file.findtext("LOAIHOSO") or "").upper().split())[:20]
        content = file.find("NOIDUNGFILE")
        if name and content is not None:
            yield name, content


def _standard(summary: Row) -> Literal["130", "4210"]:
    if "t_tongchi_bv" in summary or "ma_the_bhyt" in summary:
        return "130"
    if "muc_huong" in summary:
        raise _RefusedError(_problem("unsupported_917", "hoso", table="XML1"))
    if "t_tongchi" in summary or "ma_the" in summary:
        return "4210"
    new, old = _telling_names()
    if (votes := len(new & summary.keys()) - len(old & summary.keys())) == 0:
        raise _RefusedError(_problem("unknown_standard", "hoso", table="XML1"))
    return "130" if votes > 0 else "4210"


@cache
def _telling_names() -> tuple[frozenset[str], frozenset[str]]:
    """XML1 fields that only QĐ 130 has, and those that only QĐ 4210 has."""
    new = frozenset(f.name for f in fields("XML1"))
    old = frozenset(f.name for f in fields("XML1", "4210"))
    return new - old, old - new


def _rows(name: str, content: Element, limits: Limits) -> list[Row]:
    """Rows of one NOIDUNGFILE: child elements, else XML as text, else base64."""
    if len(content):
        return _rows_below(name, content)
    text = (content.text or "").strip()
    if text.startswith(("<", "\ufeff")):
        return rows_of_text(name, text.encode(), limits)
    # Characters outside the alphabet (line ends) are passed over; missing padding is forgiven.
    return rows_of_text(name, binascii.a2b_base64(text.encode("ascii") + b"=="), limits) if text else []


def rows_of_text(name: str, text: bytes, limits: Limits = DEFAULT_LIMITS) -> list[Row]:
    """Rows of the table `name` from its text."""
    inner = _as_utf8(text)
    return _rows_below(name, _parse(inner, limits)) if inner.strip() else []


def _rows_below(name: str, root: Element) -> list[Row]:
    tag = ROW_TAGS.get(name)
    if tag is None:
        return _paper_rows(root)
    rows: list[Row] = [
        {_NAMES[cell.tag]: (value.strip() or None) if (value := cell.text) else None for cell in row}
        for row in root.iter(tag)
    ]
    return rows if name == "XML1" else [row for row in rows if any(row.values())]


def _paper_rows(root: Element) -> list[Row]:
    """Rows of a table that is kept whole: the elements that hold values directly."""
    found: list[Row] = []
    for element in root.iter():
        row = {
            _NAMES[cell.tag]: (cell.text or "").strip() or None
            for cell in element
            if len(cell) == 0 and cell.tag not in ("CHUKYDONVI", "LOAIHOSO")
        }
        if any(row.values()):
            found.append(row)
    return found


class _Names(dict[str, str]):
    """Element name -> field name, remembered: the same 400 names come millions of times."""

    def __missing__(self, tag: str) -> str:
        if len(self) > _MAX_NAMES:
            self.clear()
        name = self[tag] = _local(tag).lower()
        return name


_NAMES = _Names()

_SAFE = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "remove_comments": True,
    "remove_pis": True,
    "collect_ids": False,
}


def _parse(text: bytes, limits: Limits) -> Element:
    """The tree of UTF-8 `text`, within bounds. Raises XMLSyntaxError, or _RefusedError for what is never welcome."""
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise _RefusedError(_problem("xml_dtd", "table"))
    if len(text) > limits.hoso_bytes or (
        len(text) > limits.hoso_marks and text.count(b"<") + text.count(b"=") > limits.hoso_marks
    ):
        raise _RefusedError(_problem("hoso_too_large", "table", limit=limits.hoso_bytes))
    return etree.fromstring(text, _parser())


@cache
def _parser() -> Any:
    """The parser of whole texts. lxml locks it while in use, so threads may share it.

    Large texts are allowed because base64 of one table passes libxml2's usual 10 MB; its depth limit of 2048 stays.
    """
    return etree.XMLParser(huge_tree=True, encoding="utf-8", remove_blank_text=True, **_SAFE)


def _as_utf8(text: bytes) -> bytes:
    """An inner file as UTF-8 without byte order mark and declaration. Raises ValueError for an unusable encoding."""
    encoding, skip = _encoding(text)
    text = text[skip:]
    if encoding is not None:
        text = codecs.decode(text, encoding).encode()
    declaration = _DECLARATION.match(text)
    return text[declaration.end() :] if declaration else text.lstrip()


def _encoding(start: bytes) -> tuple[str | None, int]:
    """The encoding to decode from (None when it is UTF-8 already) and the length of the byte order mark.

    Raises ValueError when the declared encoding is not known.
    """
    for mark, name in ((codecs.BOM_UTF8, None), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if start.startswith(mark):
            return name, len(mark)
    if start.startswith(b"<\0"):
        return "utf-16-le", 0
    if start.startswith(b"\0<"):
        return "utf-16-be", 0
    declaration = _DECLARATION.match(start)
    declared = _DECLARED_ENCODING.search(declaration.group()) if declaration else None
    if declared is None:
        return None, 0
    name = declared.group(1).decode("ascii").lower()
    if name in _AS_UTF8:
        return None, 0
    try:
        codecs.getincrementaldecoder(name)
    except LookupError as error:
        raise ValueError(f"unknown encoding {name}") from error
    if not _ENCODINGS.match(name):
        raise ValueError(f"unknown encoding {name}")
    return name, 0


def _utf8(stream: BinaryIO | _Resumed) -> Iterator[bytes]:
    """The stream as chunks of UTF-8 text without byte order mark and declaration, unwrapped from base64 if need be."""
    # read1 gives what a damaged stream still had before it failed, where read would lose it.
    read = getattr(stream, "read1", stream.read)
    start = b""
    failed: SourceRefusedError | None = None
    try:
        while len(start) < _SNIFFED and (more := read(_CHUNK)):
            start += more
    except SourceRefusedError as error:
        failed = error  # only once what came before it was read
    if failed is not None and not start:
        raise failed
    if not start.strip():
        raise _RefusedError(_problem("file_empty", "file"))
    chunks = _chained(start, _rest(read, failed))
    if _BASE64_START.match(start[:_SNIFFED]):
        chunks = _from_base64(chunks)
        start = next(chunks, b"")
        chunks = _chained(start, chunks)
    try:
        encoding, skip = _encoding(start)
    except ValueError as error:
        raise _RefusedError(_problem("wrong_encoding", "file", detail=_words(error))) from error
    yield from _without_declaration(_decoded(chunks, encoding, skip))


def _rest(read: Callable[[int], bytes], failed: SourceRefusedError | None) -> Iterator[bytes]:
    if failed is not None:
        raise failed
    while block := read(_CHUNK):
        yield block


def _chained(start: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield start
    yield from rest


def _from_base64(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Decode base64 text in whole groups of four characters."""
    held = b""
    for chunk in chunks:
        held += _SPACES.sub(b"", chunk)
        whole = len(held) - len(held) % 4
        try:
            yield binascii.a2b_base64(held[:whole], strict_mode=True)
        except binascii.Error as error:
            raise _RefusedError(_problem("not_xml", "file", detail=_words(error))) from error
        held = held[whole:]
    if held.strip(b"="):
        try:
            yield binascii.a2b_base64(held + b"==")
        except binascii.Error as error:
            raise _RefusedError(_problem("not_xml", "file", detail=_words(error))) from error


def _decoded(chunks: Iterator[bytes], encoding: str | None, skip: int) -> Iterator[bytes]:
    if encoding is None:
        yield next(chunks)[skip:]
        yield from chunks
        return
    decoder = codecs.getincrementaldecoder(encoding)()
    position = 0
    try:
        for chunk in chunks:
            yield decoder.decode(chunk[skip:]).encode()
            skip = 0
            position += len(chunk)
        yield decoder.decode(b"", final=True).encode()
    except UnicodeError as error:
        raise _RefusedError(_problem("wrong_encoding", "file", detail=encoding, position=position)) from error


def _without_declaration(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Drop the XML declaration: the text is UTF-8 by now, whatever it says."""
    first = next(chunks)
    declaration = _DECLARATION.match(first)
    yield first[declaration.end() :] if declaration else first.lstrip()
    yield from chunks


def _local(tag: str) -> str:
    """The element's name without its namespace."""
    return tag.rpartition("}")[2]


def _words(error: BaseException) -> str:
    """The parser's words, cut short: they quote the file, which may name a patient."""
    text = str(error).replace(" (<string>, line", " (line") or type(error).__name__
    return re.sub(r"[^\x20-\x7e]+", " ", text)[:160]
