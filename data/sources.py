"""Where claim files come from: files, folders and archives, read as bounded streams.

Nothing is extracted to disk and nothing is trusted: a stream that inflates too far, an encrypted member, an archive in
an archive become a `Problem` about that one source. A bad source never stops a run.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import io
import lzma
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, cast

from data.errors import MinhBachError

Severity = Literal["file", "hoso", "table", "warn"]

_MEBIBYTE = 1024 * 1024
_READ_SIZE = _MEBIBYTE
_GZIP = b"\x1f\x8b"
PLAIN_BYTES = 32 * _MEBIBYTE  # a file below this is read whole, which nearly all are
_DIRECTORY_END = struct.Struct("<4s4H2LH")  # the record that closes a zip file
_DIRECTORY_END_64 = struct.Struct("<4sQ2H2L4Q")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one source may ask of the machine. The defaults carry the largest real files many times over."""

    source_bytes: int = 4 * 1024 * _MEBIBYTE  # uncompressed, one file or archive member
    ratio: int = 200  # uncompressed to compressed; claim XML reaches about 40
    ratio_free_bytes: int = 10 * _MEBIBYTE  # below this a ratio says nothing
    members: int = 200_000
    directory_bytes: int = 64 * _MEBIBYTE  # the table of contents of a zip, which is read whole
    hoso_bytes: int = 64 * _MEBIBYTE
    hoso_marks: int = 2_000_000  # tags and attributes of one HOSO: a node costs 30 times its bytes
    outer_bytes: int = 16 * _MEBIBYTE  # everything of the envelope that is not a HOSO
    problems: int = 20_000  # of one file, before reading it further is given up


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something of the input that could not be used, in words for the person who has to mend it.

    `severity` says what was lost: the rest of the file, one HOSO, one table of one HOSO, or nothing ("warn").
    """

    code: str
    severity: Severity
    message_en: str
    message_vi: str
    hint_en: str
    hint_vi: str
    source: str | None = None
    hoso_no: int | None = None  # ordinal in the file, from 1
    table: str | None = None
    position: int | None = None  # bytes of UTF-8 text after the XML declaration


_TEXTS: dict[str, tuple[str, str, str, str]] = {
    "source_missing": (
        "the file does not exist",
        "không tìm thấy tệp",
        "check the path",
        "kiểm tra lại đường dẫn",
    ),
    "source_unreadable": (
        "the file cannot be read ({detail})",
        "không đọc được tệp ({detail})",
        "check the permissions and the disk, or ask the facility to send the file again",
        "kiểm tra quyền đọc và ổ đĩa, hoặc đề nghị cơ sở gửi lại tệp",
    ),
    "source_damaged": (
        "the compressed file is cut off or damaged ({detail})",
        "tệp nén bị cắt cụt hoặc hỏng ({detail})",
        "ask the facility to send the file again",
        "đề nghị cơ sở gửi lại tệp",
    ),
    "source_too_large": (
        "the file is larger than {limit} bytes uncompressed",
        "tệp vượt quá {limit} byte sau khi giải nén",
        "split the export into smaller files",
        "tách dữ liệu xuất thành nhiều tệp nhỏ hơn",
    ),
    "source_bomb": (
        "the compressed file grows more than {limit} times when opened",
        "tệp nén phình ra hơn {limit} lần khi mở",
        "do not open the file; ask the facility for a normal export",
        "không mở tệp này; đề nghị cơ sở xuất lại tệp bình thường",
    ),
    "zip_encrypted": (
        "the archive member is encrypted",
        "tệp trong gói nén bị đặt mật khẩu",
        "send the archive without a password",
        "gửi lại gói nén không đặt mật khẩu",
    ),
    "zip_nested": (
        "an archive inside an archive is not opened",
        "không mở gói nén nằm trong gói nén",
        "unpack the inner archive first",
        "giải nén gói bên trong trước khi nạp",
    ),
    "zip_too_many": (
        "the archive holds more than {limit} members",
        "gói nén chứa hơn {limit} tệp",
        "split the archive",
        "tách gói nén thành nhiều gói",
    ),
    "zip_damaged": (
        "the zip archive cannot be opened ({detail})",
        "không mở được gói nén zip ({detail})",
        "ask the facility to send the archive again",
        "đề nghị cơ sở gửi lại gói nén",
    ),
    "zip_without_claims": (
        "the archive holds no XML file",
        "gói nén không có tệp XML nào",
        "check that the right archive was sent",
        "kiểm tra xem có gửi nhầm gói nén không",
    ),
    "folder_without_claims": (
        "the folder holds no *.xml, *.xml.gz or *.zip file",
        "thư mục không có tệp *.xml, *.xml.gz hoặc *.zip nào",
        "check the path",
        "kiểm tra lại đường dẫn",
    ),
}


def _problem(code: str, source: str, *, severity: Severity = "file", **values: object) -> Problem:
    message_en, message_vi, hint_en, hint_vi = _TEXTS[code]
    return Problem(
        code=code,
        severity=severity,
        message_en=message_en.format(**values),
        message_vi=message_vi.format(**values),
        hint_en=hint_en,
        hint_vi=hint_vi,
        source=source,
    )


class SourceRefusedError(MinhBachError):
    """A source that cannot be read any further; `problem` says why."""

    code = "source_refused"

    def __init__(self, problem: Problem) -> None:
        """Carry `problem` out of a `read`, which can only raise."""
        super().__init__(f"{problem.source}: {problem.message_en}", vi=f"{problem.source}: {problem.message_vi}")
        self.problem = problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One claim file: plain, gzipped, or the member of a zip. Cheap to pass to another process."""

    name: str
    size: int | None  # bytes on disk, or in the archive; None where unknown
    path: Path
    member: int | None = None  # ordinal in the archive: names in an archive need not be unique
    limits: Limits = DEFAULT_LIMITS

    def stream(self) -> BinaryIO:
        """The uncompressed bytes, as cheaply as may be: from memory where the file is small and plain."""
        whole = self.read_plain()
        return self.open() if whole is None else io.BytesIO(whole)

    def open(self) -> io.BufferedReader:
        """A bounded stream of the uncompressed bytes.

        Raises SourceRefusedError when the source cannot be opened; so do its reads when it is damaged or too large.
        """
        try:
            if self.member is None:
                packed: BinaryIO = self.path.open("rb")
            else:
                archive = _archive(self.path)
                packed = cast("BinaryIO", archive.open(archive.infolist()[self.member]))
        except (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
            raise SourceRefusedError(_problem("source_unreadable", self.name, detail=_words(error))) from error
        return io.BufferedReader(_Bounded(packed, self), _READ_SIZE)

    def read_plain(self) -> bytes | None:
        """The bytes of a small file that is not compressed, at once; None for any other, which `open` reads in pieces.

        Raises SourceRefusedError when the file cannot be read.
        """
        if self.member is not None or not self.size or self.size > min(PLAIN_BYTES, self.limits.source_bytes):
            return None
        try:
            data = self.path.read_bytes()
        except OSError as error:
            raise SourceRefusedError(_problem("source_unreadable", self.name, detail=_words(error))) from error
        return None if data.startswith(_GZIP) or len(data) > PLAIN_BYTES else data


class _Counting(io.RawIOBase):
    """Counts what is read from the compressed side, so that growth can be measured."""

    def __init__(self, inner: BinaryIO) -> None:
        super().__init__()
        self._inner = inner
        self.count = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        found = self._inner.read(size)
        self.count += len(found)
        return found

    def close(self) -> None:
        self._inner.close()
        super().close()


class _Bounded(io.RawIOBase):
    """The uncompressed bytes of a source, refusing to give more than its limits allow."""

    def __init__(self, packed: BinaryIO, source: Source) -> None:
        super().__init__()
        self._source = source
        self._given = 0
        self._packed = _Counting(packed)
        # Magic numbers, not names: hospitals rename files more often than they recompress them.
        start = b""
        try:
            start = packed.read(2)
            packed.seek(0)
        except (
            OSError,
            EOFError,
            zlib.error,
            lzma.LZMAError,
            struct.error,
            zipfile.BadZipFile,
            NotImplementedError,
        ) as error:
            self._packed.close()
            raise SourceRefusedError(_problem("source_damaged", source.name, detail=_words(error))) from error
        zipped = start == _GZIP
        stream = gzip.GzipFile(fileobj=self._packed, mode="rb") if zipped else self._packed
        self._stream = cast("BinaryIO", stream)
        # read1, where there is one: a read that fails would lose what it had gathered before the fault
        self._read: Callable[[int], bytes] = getattr(stream, "read1", stream.read)
        self._grows = zipped or source.member is not None

    def readable(self) -> bool:
        return True

    def readinto(self, target: memoryview | bytearray) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        source, limits = self._source, self._source.limits
        try:
            found = self._read(len(target))
        except (EOFError, zlib.error, lzma.LZMAError, struct.error, zipfile.BadZipFile, gzip.BadGzipFile) as error:
            raise SourceRefusedError(_problem("source_damaged", source.name, detail=_words(error))) from error
        except OSError as error:
            raise SourceRefusedError(_problem("source_unreadable", source.name, detail=_words(error))) from error
        self._given += len(found)
        if self._given > limits.source_bytes:
            raise SourceRefusedError(_problem("source_too_large", source.name, limit=limits.source_bytes))
        if self._grows and self._given > limits.ratio_free_bytes and self._given > limits.ratio * self._taken():
            raise SourceRefusedError(_problem("source_bomb", source.name, limit=limits.ratio))
        target[: len(found)] = found
        return len(found)

    def _taken(self) -> int:
        """Compressed bytes read so far; for a zip member all of them, which is what its directory declares."""
        if self._source.member is None:
            return self._packed.count
        return _archive(self._source.path).infolist()[self._source.member].compress_size

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
            self._packed.close()
        super().close()


def find_sources(paths: Sequence[Path], *, limits: Limits = DEFAULT_LIMITS) -> Iterator[Source | Problem]:
    """Every claim file under `paths`, in a stable order, and a `Problem` for each that cannot be opened.

    A folder is searched recursively for *.xml, *.xml.gz and *.zip in any case; a file named outright is taken whatever
    its name.
    """
    for path in paths:
        if path.is_dir():
            found = sorted(_files_below(path))
            if not found:
                yield _problem("folder_without_claims", str(path), severity="warn")
            for file in found:
                yield from _from_file(file, limits)
        elif path.exists():
            yield from _from_file(path, limits)
        else:
            yield _problem("source_missing", str(path))


def sha256_of(source: Source) -> str:
    """Hex digest of the uncompressed bytes.

    A source that breaks off gets the digest of what can be read, marked with the reason, so that the same broken file
    is known again and is never taken for the whole one. Raises SourceRefusedError when it cannot be opened at all.
    """
    digest = hashlib.sha256()
    if (whole := source.read_plain()) is not None:
        return hashlib.sha256(whole).hexdigest()
    with source.open() as stream:
        try:
            while block := stream.read1(_READ_SIZE):
                digest.update(block)
        except SourceRefusedError as error:
            # the size too: two that break off before their first byte are not the same file
            digest.update(f"\0{error.problem.code}\0{source.size}".encode())
    return digest.hexdigest()


def _files_below(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        for name in names:
            if name.lower().endswith((".xml", ".xml.gz", ".zip")) and not name.startswith("."):
                yield Path(parent) / name


def _from_file(path: Path, limits: Limits) -> Iterator[Source | Problem]:
    name = str(path)
    try:
        with path.open("rb") as file:
            start = file.read(4)
        if start in {b"PK\x03\x04", b"PK\x05\x06"}:
            yield from _from_zip(path, limits)
        else:
            yield Source(name=name, size=path.stat().st_size, path=path, limits=limits)
    except OSError as error:
        yield _problem("source_unreadable", name, detail=_words(error))


def _from_zip(path: Path, limits: Limits) -> Iterator[Source | Problem]:
    name = str(path)
    try:
        # Every entry takes at least 46 bytes of the directory: a bounded directory is a bounded number of objects.
        if _directory_bytes(path) > limits.directory_bytes:
            yield _problem("zip_too_many", name, limit=limits.members)
            return
        entries = _archive(path).infolist()
    except (zipfile.BadZipFile, struct.error, ValueError, NotImplementedError) as error:
        yield _problem("zip_damaged", name, detail=_words(error))
        return
    if len(entries) > limits.members:
        yield _problem("zip_too_many", name, limit=limits.members)
        return
    claims = 0
    for ordinal, entry in enumerate(entries):
        lower = entry.filename.lower()
        base = lower.rpartition("/")[2]
        # a folder's name ends in "/"; entry.is_dir() fails for an empty one
        if base.startswith(".") or not base.endswith((".xml", ".xml.gz", ".zip")):
            continue
        claims += 1
        inner = f"{name}!{entry.filename}"
        if base.endswith(".zip"):
            yield _problem("zip_nested", inner)
        elif entry.flag_bits & 0x1:
            yield _problem("zip_encrypted", inner)
        else:
            yield Source(name=inner, size=entry.file_size, path=path, member=ordinal, limits=limits)
    if not claims:
        yield _problem("zip_without_claims", name)


def _directory_bytes(path: Path) -> int:
    """Size of the zip's table of contents, read from its end; zero when there is no end record to read."""
    with path.open("rb") as file:
        length = file.seek(0, io.SEEK_END)
        file.seek(max(0, length - 65_536 - _DIRECTORY_END.size - _DIRECTORY_END_64.size - 20))
        tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    at64 = tail.rfind(b"PK\x06\x06")
    sizes = [0]
    if at >= 0 and len(tail) - at >= _DIRECTORY_END.size:
        size = _DIRECTORY_END.unpack_from(tail, at)[5]
        if size != 0xFFFFFFFF:
            sizes.append(size)
    if at64 >= 0 and len(tail) - at64 >= _DIRECTORY_END_64.size:
        sizes.append(_DIRECTORY_END_64.unpack_from(tail, at64)[8])
    return max(sizes)


def _archive(path: Path) -> zipfile.ZipFile:
    """The open archive: its directory is read once, not once a member."""
    state = path.stat()
    # The process is part of the key: a forked reader sharing the parent's file offset would read another member.
    return _open_archive(path, state.st_mtime_ns, state.st_size, os.getpid())


@functools.lru_cache(maxsize=4)
def _open_archive(path: Path, _changed: int, _size: int, _process: int) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)


def _words(error: BaseException) -> str:
    """The error without its path: messages are kept and shown to people who may not see the machine's folders."""
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
