"""Scores of claims sent in by programs: the nightly run's own path, without storing anything."""

from __future__ import annotations

import io
import json
import re
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, cast

from data.checks import with_hints
from data.errors import MinhBachError
from data.frames import Parsed, read_claims
from data.sources import Problem
from data.xml130 import RawRecord, read_envelope
from detectors.switches import Switches
from models.scoring import score_claims
from service.clock import Clock

if TYPE_CHECKING:
    from data.lake import Lake, Reader
    from models.bundle import Bundle
    from models.registry import Registry
    from service.settings import Settings

MAX_CLAIMS = 1_000
"""Most claims of one request."""

MOST_IDLE = 2
"""Most readers kept open between requests."""

_TABLE_NAMES = {
    "encounter": "XML1",
    "drug_line": "XML2",
    "service_line": "XML3",
    "lab_result": "XML4",
    "clinical_note": "XML5",
}


class BadClaims(MinhBachError):
    """Claims that cannot be scored as they were sent."""

    code, http_status = "bad_claims", 422


class TooManyClaims(MinhBachError):
    """More claims than one request may bring."""

    code, http_status = "too_many_claims", 413


class ChampionScorer:
    """Scores with the model whose alias is champion, against the newest snapshot."""

    def __init__(
        self,
        lake: Lake,
        registry: Registry,
        settings: Settings,
        clock: Clock,
        switches: Callable[[], Switches] = Switches,
    ) -> None:
        """Loads the model at the first request, and again when the alias moves. `switches` are asked at each one."""
        self._lake = lake
        self._registry = registry
        self._settings = settings
        self._clock = clock
        self._switches = switches
        self._lock = threading.Lock()
        self._loaded: tuple[int, Bundle] | None = None
        self._idle: list[Reader] = []

    @property
    def model_version(self) -> int:
        """Version of the champion. Raises UnknownModel before any training."""
        return self._registry.resolve("champion")

    def score_xml(self, envelope: bytes) -> list[Mapping[str, Any]]:
        """Scores of the claims of one envelope, in its order. Raises BadClaims naming the field at fault."""
        return self._score(read_envelope(io.BytesIO(envelope)))

    def score_json(self, claims: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Scores of claims given as objects of tables: `{"encounter": {...}, "drug_line": [{...}], ...}`.

        Fields have their official names in lower case; numbers may be numbers or text. Tables may be called by our
        names or XML1 to XML5.
        """
        return self._score(_record(number, claim) for number, claim in enumerate(claims, 1))

    def _score(self, content: Iterator[RawRecord | Problem]) -> list[Mapping[str, Any]]:
        key = self._settings.pseudonym_key_bytes(create=False)
        parsed = read_claims(content, key=key, received=self._clock().replace(tzinfo=None))
        _check(parsed)
        version, bundle = self._bundle()
        with self._reader() as reader:
            scored = score_claims(bundle, reader, parsed.tables, switches=self._switches()).claims
            snapshot = reader.snapshot
        order = {key: place for place, key in enumerate(parsed.tables["encounter"].select("ma_cskcb", "ma_lk").rows())}
        rows = sorted(scored.iter_rows(named=True), key=lambda row: order[row["ma_cskcb"], row["ma_lk"]])
        return [
            {
                **{k: v for k, v in row.items() if k not in ("version", "month", "t_tongchi_bh", "place")},
                "evidence": json.loads(row["evidence"]),
                "model_version": version,
                "snapshot": snapshot,
            }
            for row in rows
        ]

    @contextmanager
    def _reader(self) -> Generator[Reader]:
        """A reader of the newest snapshot for one request: one of an earlier request where the lake has not moved.

        Opening one reads which version of every claim counts, which takes longer the more claims there are.
        """
        newest = self._lake.snapshot()
        with self._lock:
            while self._idle and self._idle[-1].snapshot != newest:
                self._idle.pop().close()
            reader = self._idle.pop() if self._idle else None
        if reader is None:
            reader = self._lake.reader()
        try:
            yield reader
        except BaseException:
            reader.close()
            raise
        with self._lock:
            if len(self._idle) < MOST_IDLE:
                self._idle.append(reader)
                return
        reader.close()

    def _bundle(self) -> tuple[int, Bundle]:
        version = self.model_version
        with self._lock:
            if self._loaded is None or self._loaded[0] != version:
                self._loaded = (version, self._registry.load(version))
            return self._loaded


def _record(number: int, claim: Mapping[str, Any]) -> RawRecord:
    tables: dict[str, list[dict[str, str | None]]] = {}
    for name, given in claim.items():
        rows = cast("list[Any]", given if isinstance(given, list) else [given])
        source = _TABLE_NAMES.get(name.lower(), name.upper())
        known = source in _TABLE_NAMES.values() or re.fullmatch(r"XML[0-9]{1,2}", source)
        if not known or not all(isinstance(row, Mapping) for row in rows):
            raise BadClaims(
                f"claim {number}: {name!r} is not a table of rows; the tables are {', '.join(_TABLE_NAMES)}",
                vi=f"hồ sơ {number}: {name!r} không phải bảng; các bảng là {', '.join(_TABLE_NAMES)}",
            )
        tables[source] = [
            {str(k).lower(): None if v is None or v == "" else str(v).strip() for k, v in row.items()} for row in rows
        ]
    summary = tables.get("XML1", [{}])[0]
    standard: Literal["130", "4210"] = "4210" if "t_tongchi" in summary and "t_tongchi_bh" not in summary else "130"
    return RawRecord(facility=summary.get("ma_cskcb"), ngaylap=None, hoso_no=number, standard=standard, tables=tables)


def _check(parsed: Parsed) -> None:
    """Raise unless every claim and every line of the request can be read: a score of half a claim would mislead."""
    refused = with_hints(parsed.tables["intake_finding"].filter(severity="quarantine"))
    if refused.height:
        row = refused.row(0, named=True)
        where = f"{row['ma_cskcb']}:{row['ma_lk']} {row['line_table']} {row['row_no']}"
        raise BadClaims(
            f"{where}, field {row['field']}: {row['code']}, value {row['value']!r}; {row['hint_en']}",
            vi=f"{where}, trường {row['field']}: {row['code']}, giá trị {row['value']!r}; {row['hint_vi']}",
        )
    for problem in parsed.problems:
        if problem.severity != "warn":
            raise BadClaims(f"{problem.message_en}: {problem.hint_en}", vi=f"{problem.message_vi}: {problem.hint_vi}")
    encounters = parsed.tables["encounter"]
    twice = encounters.filter(encounters.select("ma_cskcb", "ma_lk").is_duplicated())
    if twice.height:
        name = f"{twice['ma_cskcb'][0]}:{twice['ma_lk'][0]}"
        raise BadClaims(
            f"{name}, field ma_lk: the claim is in the request twice; send the version that counts",
            vi=f"{name}, trường ma_lk: hồ sơ có hai lần trong yêu cầu; hãy gửi bản có hiệu lực",
        )
    count = encounters.height
    if not count:
        raise BadClaims("the request holds no claim", vi="yêu cầu không có hồ sơ nào")
    if count > MAX_CLAIMS:
        raise TooManyClaims(
            f"{count} claims in one request, at most {MAX_CLAIMS}: send them in parts",
            vi=f"{count} hồ sơ trong một yêu cầu, tối đa {MAX_CLAIMS}: hãy gửi thành nhiều phần",
        )
