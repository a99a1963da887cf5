"""What pages, the API and exports read of the lake: runs, ranked lists, one claim with everything around it.

    Reading(lake, clock=time.monotonic)
    runs() -> list[RunInfo]                              newest first
    latest_run() -> RunInfo | None
    run(run_id=None) -> RunInfo                          default: the newest; UnknownRun, NothingScored
    worklist(scope, filters, listing, sort, page, size, run_id) -> Page[ClaimRow]
    claims_after(scope, filters, listing, after, size, run_id) -> list[ClaimRow]     paging by place, for programs
    facets(scope, run_id) -> Facets
    claim(scope, claim_id, run_id) -> ClaimDetail        UnknownClaim, also when outside the scope
    paid(scope, claim_id, version) -> {(line_table, row_no) | None: VND}    what a decision starts from
    entities(level, scope, filters, sort, page, size, run_id) -> Page[EntityRow]
    entities_after(level, scope, filters, after, size, run_id) -> list[EntityRow]
    entity(level, scope, entity_id, run_id) -> EntityDetail
    export_batches(level, run_id, scope, top) -> Iterator[pl.DataFrame]     for service/exports.py

A run's ranking is its own scores and those of the runs it extends, the newest per claim, of claims that are still
current. It is held in memory per snapshot, best first, so that a page costs milliseconds; reasons and evidence stay in
the lake. A scope's limits are part of every query that returns a claim, a line or an entity; only counts and peer
pictures without identity look beyond it.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

import numpy as np
import polars as pl

from data.errors import MinhBachError
from models.entities import parts_sql, ranking_sql
from models.scoring import UnknownRun
from service.listing import Listing, Pace

if TYPE_CHECKING:
    from datetime import datetime

    from data.lake import Lake, LogEntry, Reader, Record
    from service.accounts import Scope

Level = Literal["doctor", "facility", "patient"]
Sort = Literal["rank", "score", "amount_at_risk", "expected_recoverable", "t_bhtt", "ngay_ra", "ngay_vao", "claim"]
EntitySort = Literal["rank", "score", "amount_at_risk", "expected_recoverable", "t_bhtt", "claims"]
Row = TypeVar("Row")

CHECK_SECONDS = 1.0  # a page may be this much behind the lake: asking on each request costs more than the page
RANKINGS_KEPT = 4  # runs whose rankings stay in memory at once; the newest and a few someone is looking back at
MIN_PEERS = 30  # a distribution of fewer claims says nothing, and could point at a patient
HISTORY_DAYS = 365
HISTORY_ROWS = 200
FACET_ROWS = 300
PEER_BINS = 24
BATCH_ROWS = 20_000
MAX_SIZE = 1_000
EVERY_CLAIM = Listing()
ASSUMED_PACE = Pace()
MAKERS = 50  # claims of an entity that its page shows

_CLAIM_ORDER: Mapping[str, str] = {
    "rank": "rank",
    "score": "score",
    "amount_at_risk": "amount_at_risk",
    "expected_recoverable": "expected_recoverable",
    "t_bhtt": "t_bhtt",
    "ngay_ra": "ngay_ra",
    "ngay_vao": "ngay_vao",
    "claim": "claim_id",
}
_ENTITY_ORDER: Mapping[str, str] = {
    "rank": "rank",
    "score": "score",
    "amount_at_risk": "amount_at_risk",
    "expected_recoverable": "expected_recoverable",
    "t_bhtt": "t_bhtt",
    "claims": "claims",
}

_CLAIM_COLUMNS = (
    "rank, claim_id, run_id, ma_cskcb, ma_lk, version, patient_id, doctor, province, ma_loai_kcb, ngay_vao, ngay_ra, "
    "ma_benh_chinh, t_bhtt, score, flagged, amount_at_risk, expected_recoverable, likelihood, pattern, minutes, worth, "
    "schemes, status, reason_vi, reason_en"
)
_LISTED_COLUMNS = f"{_CLAIM_COLUMNS}, alike, alike_recoverable"
_ENTITY_COLUMNS = (
    "rank, level, entity_id, province, score, flagged, amount_at_risk, expected_recoverable, schemes, status, "
    "reasons_vi, reasons_en, claims, t_bhtt"
)


class NothingScored(MinhBachError):
    """There is no scoring run yet."""

    code, http_status = "nothing_scored", 404

    def __init__(self) -> None:
        """No figures: there are none."""
        super().__init__(
            "nothing was scored yet: run `minhbach score`", vi="Chưa chấm điểm lần nào: hãy chạy `minhbach score`"
        )


class UnknownClaim(MinhBachError):
    """A claim that the lake does not have, or that the user may not see: the answer is the same."""

    code, http_status = "unknown_claim", 404

    def __init__(self, claim_id: str) -> None:
        """`claim_id` as the user wrote it."""
        super().__init__(
            f"claim {claim_id} is not here or outside your area: write it as MA_CSKCB:MA_LK",
            vi=f"Không có hồ sơ {claim_id} hoặc hồ sơ ngoài phạm vi của bạn: ghi theo dạng MA_CSKCB:MA_LK",
        )


class UnknownEntity(MinhBachError):
    """A doctor, facility or patient without a score, or outside the user's area."""

    code, http_status = "unknown_entity", 404

    def __init__(self, level: Level, entity_id: str) -> None:
        """`entity_id` as the user wrote it."""
        who, written, written_en = _WRITTEN[level]
        super().__init__(
            f"{level} {entity_id} has no score in this run or is outside your area: write it as {written_en}",
            vi=f"{who} {entity_id} chưa có điểm trong lần chấm này hoặc ngoài phạm vi của bạn: ghi theo dạng {written}",
        )


_WRITTEN: Mapping[str, tuple[str, str, str]] = {
    "doctor": ("Bác sĩ", "MA_CSKCB:MA_BAC_SI", "MA_CSKCB:MA_BAC_SI"),
    "facility": ("Cơ sở", "MA_CSKCB", "MA_CSKCB"),
    "patient": ("Người bệnh", "mã thay tên có trong hồ sơ", "the pseudonym (patient_id) that claims give"),
}


class BadQuery(MinhBachError):
    """A sort order or page that a list does not have."""

    code, http_status, exit_code = "bad_query", 422, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """One scoring run, as its manifest tells."""

    run_id: str
    at: str
    model_version: int | None
    snapshot: int
    committed: int  # the lake's snapshot that holds its scores
    since: str | None
    until: str | None
    every: bool  # scored all claims, not only those that changed
    encounters: int
    flags: int
    seconds: float
    threshold: float | None
    base_run: str | None
    manifest: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimFilters:
    """What of a ranking to show. Nothing set: all of it."""

    province: str | None = None
    facility: str | None = None
    ma_loai_kcb: str | None = None
    scheme: str | None = None
    doctor: str | None = None  # ma_cskcb:ma_bac_si
    patient: str | None = None  # pseudonym
    pattern: str | None = None
    status: str | None = None
    flagged: bool = False
    min_amount: Decimal | None = None  # of amount_at_risk
    text: str | None = None  # start of ma_lk, ma_cskcb, doctor, ICD code or of a whole claim id
    date_from: date | None = None  # of ngay_ra, both ends included
    date_to: date | None = None
    include: Sequence[str] | None = None  # claim ids: only these
    exclude: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityFilters:
    """What of an entity ranking to show."""

    province: str | None = None
    facility: str | None = None
    scheme: str | None = None
    flagged: bool = False
    min_amount: Decimal | None = None
    text: str | None = None  # part of the id


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRow:
    """One claim of a ranking."""

    rank: int
    claim_id: str
    run_id: str  # the run that scored it: this one, or one it extends
    ma_cskcb: str
    ma_lk: str
    version: int
    patient_id: str | None
    doctor: str | None
    province: str
    ma_loai_kcb: str | None
    ngay_vao: datetime | None
    ngay_ra: datetime | None
    ma_benh_chinh: str | None
    t_bhtt: Decimal
    score: float
    flagged: bool
    amount_at_risk: Decimal
    expected_recoverable: Decimal
    likelihood: float  # that at least one of its signs is confirmed, 0 to 1
    pattern: str | None  # the same for claims alike; None: no sign
    minutes: float  # to read it, as `Pace` estimates
    worth: float  # expected_recoverable a minute, VND
    schemes: tuple[str, ...]
    status: str
    reason_vi: str
    reason_en: str
    alike: int | None = None  # more claims of the list that this one stands for; None: every claim is listed
    alike_recoverable: Decimal | None = None  # their expected money


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityRow:
    """One doctor, facility or patient of a ranking."""

    rank: int
    level: str
    entity_id: str
    province: str | None
    score: float
    flagged: bool
    amount_at_risk: Decimal
    expected_recoverable: Decimal
    schemes: tuple[str, ...]
    status: str
    reasons_vi: str
    reasons_en: str
    claims: int
    t_bhtt: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityDetail:
    """An entity and the signals behind its score."""

    row: EntityRow
    evidence: tuple[Mapping[str, Any], ...]
    claims: tuple[EntityClaim, ...]  # what the signs on its claims may give back, the largest part first


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityClaim:
    """A claim that makes an entity what it is: its part of the claim, and of what its own signs may give back."""

    claim: ClaimRow
    part: float  # of the claim that is the entity's, 0 to 1
    expected_recoverable: Decimal  # that part of the claim's
    share: float  # of the entity's expected recoverable amount in this run


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Row]):
    """A page of a ranking, and what the whole filtered list adds up to, or what of it a budget allows."""

    run: RunInfo | None
    rows: tuple[Row, ...]
    listed: int  # rows of all pages: fewer than `total` where one row stands for claims alike
    total: int
    flagged: int
    amount_at_risk: Decimal
    expected_recoverable: Decimal
    page: int
    size: int
    minutes: float | None = None  # to read what a budget allows

    @property
    def pages(self) -> int:
        """Number of pages; at least one."""
        return max(1, -(-self.listed // self.size))


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a reader stopped in a ranking: the row's own values, so that a claim that leaves the list moves nothing."""

    score: float
    expected_recoverable: Decimal
    key: tuple[str, str]  # ma_cskcb and ma_lk, or the entity's id and ""
    worth: float | None = None  # in a list by money a minute


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One value of a filter: how many claims have it, and how many of them are flagged."""

    value: str
    claims: int
    flagged: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facets:
    """Values that the filters of a worklist offer, most frequent first."""

    schemes: tuple[Choice, ...] = ()
    provinces: tuple[Choice, ...] = ()
    facilities: tuple[Choice, ...] = ()
    care_types: tuple[Choice, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LineSignal:
    """What one rule or detector says of one line, or of the whole encounter."""

    source: str
    scheme: str | None
    severity: str | None
    amount: Decimal
    expected_recoverable: Decimal
    observed: float | None
    allowed: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimLine:
    """A drug or service line with the signals on it."""

    line_table: str  # drug_line or service_line
    row_no: int
    fields: Mapping[str, Any]  # the official fields, and `doctor`
    signals: tuple[LineSignal, ...]
    amount_at_risk: Decimal  # never above the line's own T_BHTT, however many signals


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRow:
    """Another encounter of the same patient."""

    claim_id: str
    ngay_vao: datetime | None
    ngay_ra: datetime | None
    ma_loai_kcb: str | None
    ma_benh_chinh: str | None
    t_bhtt: Decimal | None
    rank: int | None
    score: float | None
    flagged: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One receipt of the claim: a resend makes another."""

    version: int
    current: bool
    withdrawn: bool
    load_id: str | None
    ngay_ra: datetime | None
    t_bhtt: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """One bar of a histogram, in VND."""

    low: float
    high: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Peers:
    """T_BHTT of scored claims like this one: bars of equal width on a log scale, and where this one lies."""

    ma_loai_kcb: str
    icd3: str
    facility_rank: str | None  # None: all ranks together
    count: int
    own: float
    share_below: float  # part of the peers that cost less, 0 to 1
    quantiles: Mapping[str, float]  # p05, p25, p50, p75, p95
    bins: tuple[Bin, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimDetail:
    """Everything about one claim that a page or the API shows."""

    run: RunInfo | None
    claim_id: str
    encounter: Mapping[str, Any]  # the columns of the lake's encounter, and `province`
    row: ClaimRow | None  # None: not scored in this run
    alike: int  # other claims of its pattern, inside the scope
    reasons_vi: str
    reasons_en: str
    evidence: tuple[Mapping[str, Any], ...]  # one a signal, strongest first, as models/scoring.py writes it
    lines: tuple[ClaimLine, ...]
    encounter_signals: tuple[LineSignal, ...]  # those that mean the encounter as a whole
    lab_results: tuple[Mapping[str, Any], ...]
    versions: tuple[Version, ...]  # newest first
    history: tuple[HistoryRow, ...]  # within HISTORY_DAYS on either side, newest first, inside the scope
    history_elsewhere: int  # encounters of the patient that the scope hides
    peers: Peers | None
    doctor: EntityRow | None
    facility: EntityRow | None
    patient: EntityRow | None


@dataclass(frozen=True, slots=True)
class _Ranking:
    """Names of the in-memory tables of one run."""

    claims: str
    entities: str


@dataclass
class _View:
    """One snapshot being read. Dropped when the lake moves on; its connection closes with its last user."""

    reader: Reader
    runs: tuple[RunInfo, ...]  # newest first
    pace: Pace
    rankings: dict[str, _Ranking] = field(default_factory=dict[str, _Ranking])
    facets: dict[tuple[str, Scope], Facets] = field(default_factory=dict[tuple[str, "Scope"], Facets])
    made: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def find(self, run_id: str | None) -> RunInfo:
        for run in self.runs:
            if run_id is None or run.run_id == run_id:
                return run
        if run_id is None:
            raise NothingScored
        raise UnknownRun(run_id, [run.run_id for run in reversed(self.runs)])

    def ranking(self, run: RunInfo) -> _Ranking:
        with self.lock:
            if run.run_id not in self.rankings:
                self.made += 1
                ranking = _Ranking(f"ranking_{self.made}", f"entities_{self.made}")
                _materialise(self.reader, self._chain(run), ranking, self.pace)
                self.rankings[run.run_id] = ranking
                newest = self.runs[0].run_id
                while len(self.rankings) > RANKINGS_KEPT:
                    oldest = next(key for key in self.rankings if key not in (newest, run.run_id))
                    del self.rankings[oldest]
            return self.rankings[run.run_id]

    def _chain(self, run: RunInfo) -> list[str]:
        by_id = {r.run_id: r for r in self.runs}
        chain: list[str] = []
        at: RunInfo | None = run
        while at is not None and at.run_id not in chain:
            chain.append(at.run_id)
            at = by_id.get(at.base_run) if at.base_run else None
        return chain


def split_claim_id(claim_id: str) -> tuple[str, str]:
    """`ma_cskcb` and `ma_lk` of an id. Raises UnknownClaim for what cannot be one."""
    facility, colon, link = claim_id.partition(":")
    if not (facility and colon and link):
        raise UnknownClaim(claim_id)
    return facility, link


class Reading:
    """Queries of the newest snapshot. One object serves all threads of a process."""

    def __init__(self, lake: Lake, *, pace: Pace = ASSUMED_PACE, clock: Callable[[], float] = time.monotonic) -> None:
        """`pace` estimates reading times; `clock` counts seconds: how often the lake is asked whether it moved."""
        self._lake = lake
        self._pace = pace
        self._clock = clock
        self._current: _View | None = None
        self._checked = -math.inf
        self._refresh = threading.Lock()

    # runs

    def snapshot(self) -> int:
        """The lake's snapshot that is being read."""
        return self._view().reader.snapshot

    def runs(self) -> list[RunInfo]:
        """Every scoring run, newest first."""
        return list(self._view().runs)

    def latest_run(self) -> RunInfo | None:
        """The newest scoring run, if there is one."""
        runs = self._view().runs
        return runs[0] if runs else None

    def run(self, run_id: str | None = None) -> RunInfo:
        """One run; without an id the newest. Raises UnknownRun."""
        return self._view().find(run_id)

    # claims

    def worklist(
        self,
        scope: Scope,
        filters: ClaimFilters | None = None,
        listing: Listing = EVERY_CLAIM,
        sort: str | None = None,
        page: int = 1,
        size: int = 50,
        run_id: str | None = None,
    ) -> Page[ClaimRow]:
        """One page of a run's ranked claims, in the order of `listing` or by `sort`.

        `sort` is a name of `Sort`, with "-" before it for largest first. Scope and filters apply before claims alike
        are counted and before a budget is spent. Without any run the page is empty. Raises BadQuery, UnknownRun.
        """
        view = self._view()
        _check_page(page, size)
        order = listing.order if sort is None else _order(sort, _CLAIM_ORDER)
        if run_id is None and not view.runs:
            return _empty_page(page, size)
        run = view.find(run_id)
        where, params = _claim_where(scope, filters or ClaimFilters())
        table = view.ranking(run).claims
        query, values = listing.query(table, where, params)
        if listing.limited:
            sums = _totals(view.reader, f"({query})", "true", values, minutes="sum(minutes)")
        else:
            sums = _totals(view.reader, table, where, params, listed=listing.count)
        rows = view.reader.pl(
            f"select {_LISTED_COLUMNS} from ({query}) order by {order} limit ? offset ?",
            [*values, size, (page - 1) * size],
        )
        return Page(run=run, rows=tuple(_claim_rows(rows)), page=page, size=size, **sums)

    def claims_after(
        self,
        scope: Scope,
        filters: ClaimFilters | None = None,
        listing: Listing = EVERY_CLAIM,
        after: Place | None = None,
        size: int = 50,
        run_id: str | None = None,
    ) -> list[ClaimRow]:
        """The next `size` claims of the list behind `after`. Raises BadQuery, UnknownRun."""
        view = self._view()
        _check_page(1, size)
        if run_id is None and not view.runs:
            return []
        where, params = _claim_where(scope, filters or ClaimFilters())
        behind, more = _behind(after, "ma_cskcb", "ma_lk")
        query, values = listing.query(view.ranking(view.find(run_id)).claims, where, params)
        rows = view.reader.pl(
            f"select {_LISTED_COLUMNS} from ({query}) where {behind} order by {listing.order} limit ?",
            [*values, *more, size],
        )
        return _claim_rows(rows)

    def facets(self, scope: Scope, run_id: str | None = None) -> Facets:
        """Values the filters can take within the scope, with counts."""
        view = self._view()
        if run_id is None and not view.runs:
            return Facets()
        run = view.find(run_id)
        if (known := view.facets.get((run.run_id, scope))) is not None:
            return known
        table = view.ranking(run).claims
        where, params = scope.sql_condition()

        def count(value: str, source: str) -> tuple[Choice, ...]:
            rows = view.reader.pl(
                f"select {value} as value, count(*) as claims, count_if(flagged) as flagged "
                f"from (select {source}, flagged from {table} where {where}) where {value} is not null "
                "group by all order by claims desc, value limit ?",
                [*params, FACET_ROWS],
            )
            return tuple(Choice(**row) for row in rows.iter_rows(named=True))

        found = Facets(
            schemes=count("scheme", "unnest(schemes) as scheme"),
            provinces=count("province", "province"),
            facilities=count("ma_cskcb", "ma_cskcb"),
            care_types=count("ma_loai_kcb", "ma_loai_kcb"),
        )
        view.facets[run.run_id, scope] = found
        return found

    def claim(self, scope: Scope, claim_id: str, run_id: str | None = None) -> ClaimDetail:
        """One claim with its lines, signals, versions, history and peers; not scored or withdrawn ones too.

        Raises UnknownClaim, UnknownRun.
        """
        view = self._view()
        reader = view.reader
        key = split_claim_id(claim_id)
        run = view.find(run_id) if run_id is not None or view.runs else None
        table = view.ranking(run) if run is not None else None
        row = self._ranked(reader, table, scope, key)
        within, limits = scope.sql_condition()
        receipts = reader.pl(
            f"select * from (select *, substr(ma_cskcb, 1, 2) as province from encounter_history "
            f"where ma_cskcb = ? and ma_lk = ?) where {within} order by version desc",
            [*key, *limits],
        ).to_dicts()
        if not receipts:
            raise UnknownClaim(claim_id)
        place = [receipts[0]["month"], receipts[0]["version"]]
        texts = self._texts(reader, place)
        encounter = receipts[0] | texts.get(("encounter", 1), {})
        reasons = self._reasons(reader, row)
        signals = self._signals(reader, row)
        history, elsewhere = self._history(reader, table, scope, encounter)
        named = self._named(reader, table, encounter, row)
        return ClaimDetail(
            run=run,
            claim_id=claim_id,
            encounter=encounter,
            row=row,
            alike=self._alike(reader, table, scope, row),
            reasons_vi=reasons["reasons_vi"],
            reasons_en=reasons["reasons_en"],
            evidence=_evidence(reasons["evidence"]),
            lines=tuple(self._lines(reader, encounter, signals)),
            encounter_signals=signals.get((None, None), ()),
            lab_results=tuple(
                result | texts.get(("lab_result", result["row_no"]), {})
                for result in reader.pl(
                    "select * from lab_result_history where month is not distinct from ? and version = ? "
                    "order by row_no",
                    place,
                ).to_dicts()
            ),
            versions=tuple(
                Version(
                    version=r["version"],
                    current=age == 0 and not r["withdrawn"],
                    withdrawn=bool(r["withdrawn"]),
                    load_id=r["load_id"],
                    ngay_ra=r["ngay_ra"],
                    t_bhtt=r["t_bhtt"],
                )
                for age, r in enumerate(receipts)
            ),
            history=history,
            history_elsewhere=elsewhere,
            peers=self._peers(reader, table, row),
            doctor=named.get("doctor"),
            facility=named.get("facility"),
            patient=named.get("patient"),
        )

    def paid(self, scope: Scope, claim_id: str, version: int | None = None) -> dict[tuple[str, int] | None, Decimal]:
        """What the fund pays by line (line_table, row_no) of one version of a claim, default the newest; None: in all.

        This is what a decision starts from, never an amount that a form brings back. Raises UnknownClaim.
        """
        reader = self._view().reader
        within, limits = scope.sql_condition()
        found = reader.pl(
            "select version, month, t_bhtt from (select *, substr(ma_cskcb, 1, 2) as province from encounter_history "
            f"where ma_cskcb = ? and ma_lk = ?) where {within} and (? is null or version = ?) "
            "order by version desc limit 1",
            [*split_claim_id(claim_id), *limits, version, version],
        )
        if found.is_empty():
            raise UnknownClaim(claim_id)
        newest, month, total = found.row(0)
        amounts: dict[tuple[str, int] | None, Decimal] = {None: total or Decimal(0)}
        for table in ("drug_line", "service_line"):
            lines = reader.pl(
                f"select row_no, t_bhtt from {table}_history where month is not distinct from ? and version = ?",
                [month, newest],
            )
            amounts |= {(table, row_no): paid or Decimal(0) for row_no, paid in lines.iter_rows()}
        return amounts

    # doctors, facilities, patients

    def entities(
        self,
        level: Level,
        scope: Scope,
        filters: EntityFilters | None = None,
        sort: str = "rank",
        page: int = 1,
        size: int = 50,
        run_id: str | None = None,
    ) -> Page[EntityRow]:
        """One page of a run's ranked doctors, facilities or patients. Raises BadQuery, UnknownRun."""
        view = self._view()
        _check_page(page, size)
        order = _order(sort, _ENTITY_ORDER)
        if run_id is None and not view.runs:
            return _empty_page(page, size)
        run = view.find(run_id)
        ranking = view.ranking(run)
        where, params = _entity_where(level, scope, ranking, filters or EntityFilters())
        sums = _totals(view.reader, ranking.entities, where, params)
        rows = view.reader.pl(
            f"select {_ENTITY_COLUMNS} from {ranking.entities} where {where} order by {order} limit ? offset ?",
            [*params, size, (page - 1) * size],
        )
        return Page(run=run, rows=tuple(_entity_rows(rows)), page=page, size=size, **sums)

    def entities_after(
        self,
        level: Level,
        scope: Scope,
        filters: EntityFilters | None = None,
        after: Place | None = None,
        size: int = 50,
        run_id: str | None = None,
    ) -> list[EntityRow]:
        """The next `size` entities of the ranking behind `after`. Raises BadQuery, UnknownRun."""
        view = self._view()
        _check_page(1, size)
        if run_id is None and not view.runs:
            return []
        ranking = view.ranking(view.find(run_id))
        where, params = _entity_where(level, scope, ranking, filters or EntityFilters())
        behind, more = _behind(after, "entity_id", "''")
        rows = view.reader.pl(
            f"select {_ENTITY_COLUMNS} from {ranking.entities} where {where} and {behind} order by rank limit ?",
            [*params, *more, size],
        )
        return _entity_rows(rows)

    def entity(self, level: Level, scope: Scope, entity_id: str, run_id: str | None = None) -> EntityDetail:
        """One doctor, facility or patient. Raises UnknownEntity, UnknownRun."""
        view = self._view()
        ranking = view.ranking(view.find(run_id))
        where, params = _entity_where(level, scope, ranking, EntityFilters())
        rows = view.reader.pl(f"select * from {ranking.entities} where {where} and entity_id = ?", [*params, entity_id])
        if rows.is_empty():
            raise UnknownEntity(level, entity_id)
        row = _entity_rows(rows)[0]
        return EntityDetail(
            row=row, evidence=_evidence(rows["evidence"][0]), claims=self._makers(view.reader, ranking, row, scope)
        )

    def _makers(self, reader: Reader, ranking: _Ranking, row: EntityRow, scope: Scope) -> tuple[EntityClaim, ...]:
        """The claims within the scope whose signs make an entity what it is, by their part in it; MAKERS at most."""
        within, limits = scope.sql_condition()
        key = "patient_id" if row.level == "patient" else "ma_cskcb"
        own = row.entity_id.partition(":")[0] if row.level == "doctor" else row.entity_id
        where = f"{key} = ? and expected_recoverable > 0 and {within}"
        days = reader.pl(f"select distinct ngay_ra from {ranking.claims} where {where}", [own, *limits])["ngay_ra"]
        months = sorted({day.year * 100 + day.month for day in days}) if not days.null_count() else None
        found = reader.pl(
            f"""
            with mine as (select * from {ranking.claims} where {where}),
            parts as ({parts_sql(row.level, "mine", months)})
            select {_CLAIM_COLUMNS}, part, cast(expected_recoverable * part as decimal(18, 2)) as own
            from mine join parts using (version) where entity_id = ? order by own desc, rank limit {MAKERS}
            """,
            [own, *limits, row.entity_id],
        )
        whole = float(row.expected_recoverable)
        return tuple(
            EntityClaim(
                claim=claim, part=part, expected_recoverable=money, share=float(money) / whole if whole else 0.0
            )
            for claim, part, money in zip(
                _claim_rows(found.drop("part", "own")), found["part"], found["own"], strict=True
            )
        )

    # exports

    def export_batches(
        self, level: str, run_id: str | None, scope: Scope, top: int | None = None
    ) -> Iterator[pl.DataFrame]:
        """The ranking of a level in order, in frames of at most BATCH_ROWS rows.

        Columns: entity_id, rank, score, flagged, amount_at_risk, expected_recoverable, schemes, status, reasons_vi,
        reasons_en, evidence. Level "line" gives every line of the scored claims. Raises UnknownRun.
        """
        view = self._view()
        ranking = view.ranking(view.find(run_id))
        if level == "claim":
            query, params = _claim_export(ranking, scope)
        elif level == "line":
            query, params = _line_export(ranking, scope)
        else:
            where, params = _entity_where(level, scope, ranking, EntityFilters())
            query = (
                "select entity_id, rank, score, flagged, amount_at_risk, expected_recoverable, schemes, status, "
                f"reasons_vi, reasons_en, evidence from {ranking.entities} where {where}"
            )
        limit = "" if top is None else f"limit {int(top)}"
        yield from view.reader.batches(f"select * from ({query}) order by rank {limit}", params, rows=BATCH_ROWS)

    def cards(self, patients: Sequence[str], *, record: Record) -> dict[str, str]:
        """Card numbers of patient pseudonyms, from the restricted table; `record` is told of the look."""
        rows = self._view().reader.restricted(
            "person",
            "select patient_id, ma_the_bhyt from restricted where patient_id in (select unnest(?)) "
            "and ma_the_bhyt is not null and line_table = 'encounter' "
            "qualify row_number() over (partition by patient_id order by version desc) = 1",
            [list(patients)],
            record=record,
        )
        return dict(rows.iter_rows())

    def facility_names(self, codes: Collection[str]) -> dict[str, str]:
        """Newest names of facilities by code; those the catalogue does not have are left out."""
        rows = self._view().reader.pl(
            "select ma_cskcb, name from catalogue_facilities where ma_cskcb in (select unnest(?)) "
            "qualify row_number() over (partition by ma_cskcb order by valid_from desc, load_seq desc) = 1",
            [sorted(codes)],
        )
        return dict(rows.iter_rows())

    # one claim, piece by piece

    def _ranked(self, reader: Reader, table: _Ranking | None, scope: Scope, key: tuple[str, str]) -> ClaimRow | None:
        if table is None:
            return None
        within, limits = scope.sql_condition()
        found = reader.pl(
            f"select {_CLAIM_COLUMNS} from {table.claims} where ma_cskcb = ? and ma_lk = ? and {within}",
            [*key, *limits],
        )
        return next(iter(_claim_rows(found)), None)

    def _alike(self, reader: Reader, table: _Ranking | None, scope: Scope, row: ClaimRow | None) -> int:
        if table is None or row is None or row.pattern is None:
            return 0
        within, limits = scope.sql_condition()
        query = f"select count(*) - 1 from {table.claims} where pattern = ? and {within}"
        return int(reader.pl(query, [row.pattern, *limits]).item())

    def _reasons(self, reader: Reader, row: ClaimRow | None) -> Mapping[str, Any]:
        if row is not None:
            found = reader.pl(
                "select reasons_vi, reasons_en, evidence from claim_score where month is not distinct from ? "
                "and run_id = ? and version = ? and ma_cskcb = ? and ma_lk = ?",
                [_month(row.ngay_ra), row.run_id, row.version, row.ma_cskcb, row.ma_lk],
            )
            if found.height:
                return {name: value or "" for name, value in found.row(0, named=True).items()}
        return {"reasons_vi": "", "reasons_en": "", "evidence": ""}

    def _texts(self, reader: Reader, place: Sequence[Any]) -> dict[tuple[str, int], dict[str, str]]:
        """Free text of a claim's rows, which is kept apart from them, by table and row."""
        rows = reader.pl("select * from free_text where month is not distinct from ? and version = ?", place)
        own = ("version", "line_table", "row_no", "ma_cskcb", "ma_lk", "month", "load_id")
        return {
            (row["line_table"], row["row_no"]): {k: v for k, v in row.items() if v is not None and k not in own}
            for row in rows.iter_rows(named=True)
        }

    def _signals(
        self, reader: Reader, row: ClaimRow | None
    ) -> dict[tuple[str | None, int | None], tuple[LineSignal, ...]]:
        if row is None:
            return {}
        found = reader.pl(
            "select line_table, row_no, source, scheme, severity, amount, expected_recoverable, observed, allowed "
            "from signal where month is not distinct from ? and run_id = ? and version = ? "
            "order by amount desc, source, line_table, row_no",
            [_month(row.ngay_ra), row.run_id, row.version],
        )
        signals: dict[tuple[str | None, int | None], tuple[LineSignal, ...]] = {}
        for values in found.iter_rows(named=True):
            line = (values.pop("line_table"), values.pop("row_no"))
            for name in ("amount", "expected_recoverable"):
                values[name] = values[name] or Decimal(0)
            signals[line] = (*signals.get(line, ()), LineSignal(**values))
        return signals

    def _lines(
        self,
        reader: Reader,
        encounter: Mapping[str, Any],
        signals: Mapping[tuple[str | None, int | None], tuple[LineSignal, ...]],
    ) -> Iterator[ClaimLine]:
        for table in ("drug_line", "service_line"):
            found = reader.pl(
                f"select * from {table}_history where month is not distinct from ? and version = ? order by row_no",
                [encounter["month"], encounter["version"]],
            )
            for values in found.iter_rows(named=True):
                on_line = signals.get((table, values["row_no"]), ())
                paid = values["t_bhtt"] or Decimal(0)
                yield ClaimLine(
                    line_table=table,
                    row_no=values["row_no"],
                    fields=values,
                    signals=on_line,
                    amount_at_risk=min(paid, max((s.amount for s in on_line), default=Decimal(0))),
                )

    def _history(
        self, reader: Reader, table: _Ranking | None, scope: Scope, encounter: Mapping[str, Any]
    ) -> tuple[tuple[HistoryRow, ...], int]:
        arrival = encounter["ngay_vao"]
        if encounter["patient_id"] is None or arrival is None:
            return (), 0
        within, limits = scope.sql_condition()
        span = timedelta(days=HISTORY_DAYS)
        ranked, place = "", "null as rank, null as score, false as flagged"
        if table is not None:
            ranked = f"left join (select version, rank, score, flagged from {table.claims}) using (version)"
            place = "rank, score, coalesce(flagged, false) as flagged"
        rows = reader.pl(
            f"""
            select *, count_if(not seen) over () as elsewhere from (
                select ma_cskcb || ':' || ma_lk as claim_id, ngay_vao, ngay_ra, ma_loai_kcb, ma_benh_chinh, t_bhtt,
                       {place}, coalesce({within}, false) as seen
                from (select *, substr(ma_cskcb, 1, 2) as province from encounter
                      where patient_id = ? and ngay_vao between ? and ? and not (ma_cskcb = ? and ma_lk = ?)) {ranked}
            ) order by seen desc, ngay_vao desc, claim_id limit {HISTORY_ROWS}
            """,
            [
                *limits,
                encounter["patient_id"],
                arrival - span,
                arrival + span,
                encounter["ma_cskcb"],
                encounter["ma_lk"],
            ],
        )
        elsewhere = int(rows["elsewhere"][0]) if rows.height else 0
        shown = rows.filter("seen").drop("seen", "elsewhere")
        return tuple(HistoryRow(**row) for row in shown.iter_rows(named=True)), elsewhere

    def _peers(self, reader: Reader, table: _Ranking | None, row: ClaimRow | None) -> Peers | None:
        if table is None or row is None or not row.ma_benh_chinh or row.ma_loai_kcb is None or row.t_bhtt <= 0:
            return None
        found = reader.pl(
            f"select cast(t_bhtt as double) as cost, facility_rank, version from {table.claims} "
            "where ma_loai_kcb = ? and icd3 = substr(?, 1, 3) and t_bhtt > 0",
            [row.ma_loai_kcb, row.ma_benh_chinh],
        )
        own_rank: str | None = found.filter(pl.col("version") == row.version)["facility_rank"][0]
        same = found.filter(pl.col("facility_rank") == own_rank) if own_rank is not None else found
        if same.height < MIN_PEERS:
            same, own_rank = found, None
        if same.height < MIN_PEERS:
            return None
        cost = np.sort(same["cost"].to_numpy())
        own = float(row.t_bhtt)
        edges = np.geomspace(cost[0], max(cost[-1], cost[0] * 1.01), PEER_BINS + 1)
        edges[0], edges[-1] = cost[0], max(cost[-1], edges[-1])  # rounding must not push the ends out of their bars
        counts, _ = np.histogram(cost, edges)
        levels = (5, 25, 50, 75, 95)
        values = np.quantile(cost, [level / 100 for level in levels])
        return Peers(
            ma_loai_kcb=row.ma_loai_kcb,
            icd3=row.ma_benh_chinh[:3],
            facility_rank=own_rank,
            count=int(cost.size),
            own=own,
            share_below=float(np.searchsorted(cost, own, side="left") / cost.size),
            quantiles={f"p{level:02d}": float(value) for level, value in zip(levels, values, strict=True)},
            bins=tuple(
                Bin(low=float(edges[i]), high=float(edges[i + 1]), count=int(counts[i])) for i in range(PEER_BINS)
            ),
        )

    def _named(
        self,
        reader: Reader,
        table: _Ranking | None,
        encounter: Mapping[str, Any],
        row: ClaimRow | None,
    ) -> dict[str, EntityRow]:
        """The doctor, facility and patient of a claim that the scope already allows."""
        if table is None:
            return {}
        doctor = f"{encounter['ma_cskcb']}:{row.doctor}" if row is not None and row.doctor else None
        wanted = {"doctor": doctor, "facility": encounter["ma_cskcb"], "patient": encounter["patient_id"]}
        found: dict[str, EntityRow] = {}
        rows = reader.pl(
            f"select {_ENTITY_COLUMNS} from {table.entities} "
            "where (level = 'doctor' and entity_id = ?) or (level = 'facility' and entity_id = ?) "
            "or (level = 'patient' and entity_id = ?)",
            [wanted["doctor"], wanted["facility"], wanted["patient"]],
        )
        for entity in _entity_rows(rows):
            found[entity.level] = entity
        return found

    # the snapshot

    def newest(self) -> Reader:
        """The newest snapshot, shared by requests: what one of them computed about it serves the next."""
        return self._view().reader

    def _view(self) -> _View:
        """The newest snapshot, at most CHECK_SECONDS old. While one thread opens it the others read the one before."""
        current = self._current
        now = self._clock()
        if current is not None and now - self._checked < CHECK_SECONDS:
            return current
        if not self._refresh.acquire(blocking=current is None) and current is not None:
            return current
        try:
            current = self._current
            if current is None or self._lake.snapshot() != current.reader.snapshot:
                fresh = _View(self._lake.reader(), tuple(_runs(self._lake.log("score"))), self._pace)
                if fresh.runs:
                    fresh.ranking(fresh.runs[0])  # before the swap: no reader of the old snapshot waits for it
                current = self._current = fresh
            self._checked = now
            return current
        finally:
            self._refresh.release()


def _runs(entries: Sequence[LogEntry]) -> Iterator[RunInfo]:
    for entry in reversed(entries):
        info = entry.info
        yield RunInfo(
            run_id=info["run_id"],
            at=entry.at,
            model_version=info.get("model_version"),
            snapshot=info["snapshot"],
            committed=entry.snapshot,
            since=info.get("since"),
            until=info.get("until"),
            every=bool(info.get("all")),
            encounters=info.get("encounters", 0),
            flags=info.get("flags", 0),
            seconds=info.get("seconds", 0.0),
            threshold=info.get("threshold"),
            base_run=info.get("base_run"),
            manifest=info,
        )


def _materialise(reader: Reader, chain: Sequence[str], ranking: _Ranking, pace: Pace) -> None:
    """The claims of a run and of those it extends, and the run's entities; both ranked, best first."""
    order = "score desc, expected_recoverable desc"
    reader.sql(
        f"""
        create table {ranking.claims} as
        with newest as (
            select run_id, ma_cskcb, ma_lk, version, patient_id, doctor, province, ma_loai_kcb, ngay_vao, ngay_ra,
                   ma_benh_chinh, t_bhtt, coalesce(score, 0) as score, coalesce(flagged, false) as flagged,
                   coalesce(amount_at_risk, 0) as amount_at_risk,
                   coalesce(expected_recoverable, 0) as expected_recoverable,
                   coalesce(likelihood, 0) as likelihood, pattern,
                   coalesce(signs, 0) as signs, coalesce(named_lines, 0) as named_lines,
                   schemes, status, reason_vi, reason_en, ma_cskcb || ':' || ma_lk as claim_id,
                   substr(ma_benh_chinh, 1, 3) as icd3
            from ({ranking_sql(chain)})
        ), facility as (
            select version, f.rank as facility_rank
            from newest s join catalogue_facilities f on f.ma_cskcb = s.ma_cskcb
             and f.valid_from <= cast(s.ngay_vao as date)
             and (f.valid_to is null or f.valid_to >= cast(s.ngay_vao as date))
            qualify row_number() over (partition by version order by f.valid_from desc, f.load_seq desc) = 1
        )
        select row_number() over (order by {order}, ma_cskcb, ma_lk) as rank, newest.*, facility_rank,
               {pace.sql()} as minutes, round(cast(expected_recoverable as double) / minutes, 2) as worth
        from newest left join facility using (version) order by rank
        """
    )
    reader.sql(
        f"""
        create table {ranking.entities} as
        select row_number() over (partition by level order by {order}, entity_id) as rank, *,
               case when level = 'patient' then null else split_part(entity_id, ':', 1) end as ma_cskcb
        from entity_score where run_id = '{chain[0]}' order by level, rank
        """
    )


def _order(sort: str, known: Mapping[str, str]) -> str:
    name = sort.removeprefix("-")
    if name not in known:
        raise BadQuery(
            f"cannot sort by {name!r}: one of {', '.join(known)}, with - before it for largest first",
            vi=f"Không sắp xếp được theo {name!r}: chọn một trong {', '.join(known)}, thêm - phía trước để xếp giảm",
        )
    return f"{known[name]} {'desc' if sort.startswith('-') else 'asc'} nulls last, rank"


def _check_page(page: int, size: int) -> None:
    if page < 1 or not 1 <= size <= MAX_SIZE:
        raise BadQuery(
            f"page {page} of size {size}: pages count from 1, and a page has 1 to {MAX_SIZE} rows",
            vi=f"Trang {page} cỡ {size}: trang đếm từ 1, mỗi trang có 1 đến {MAX_SIZE} dòng",
        )


def _empty_page(page: int, size: int) -> Page[Any]:
    zero = Decimal(0)
    return Page(
        run=None,
        rows=(),
        listed=0,
        total=0,
        flagged=0,
        amount_at_risk=zero,
        expected_recoverable=zero,
        page=page,
        size=size,
    )


def _totals(
    reader: Reader, table: str, where: str, params: Sequence[Any], *, listed: str = "count(*)", **more: str
) -> dict[str, Any]:
    """What rows add up to; `listed` counts those of the list, `more` are further aggregates by name."""
    also = "".join(f", {aggregate} as {name}" for name, aggregate in more.items())
    sums = reader.pl(
        f"select {listed} as listed, count(*) as total, count(*) filter (flagged) as flagged, "
        "coalesce(sum(amount_at_risk), 0) as amount_at_risk, "
        f"coalesce(sum(expected_recoverable), 0) as expected_recoverable{also} from {table} where {where}",
        params,
    ).row(0, named=True)
    return {**sums, **{name: int(sums[name]) for name in ("listed", "total", "flagged")}}


_CLAIM_FILTERS: Mapping[str, str] = {
    "province": "province = ?",
    "ma_loai_kcb": "ma_loai_kcb = ?",
    "status": "status = ?",
    "facility": "ma_cskcb = ?",
    "patient": "patient_id = ?",
    "pattern": "pattern = ?",
    "doctor": "ma_cskcb || ':' || doctor = ?",
    "scheme": "list_contains(schemes, ?)",
    "min_amount": "amount_at_risk >= ?",
    "date_from": "ngay_ra >= ?",
    "include": "claim_id in (select unnest(cast(? as text[])))",
}
_ENTITY_FILTERS: Mapping[str, str] = {
    "province": "province = ?",
    "facility": "ma_cskcb = ?",
    "scheme": "list_contains(schemes, ?)",
    "min_amount": "amount_at_risk >= ?",
}
_SEARCHED = ("ma_lk", "ma_cskcb", "doctor", "ma_benh_chinh", "claim_id")


def _conditions(
    filters: ClaimFilters | EntityFilters, known: Mapping[str, str], parts: list[str], values: list[Any]
) -> None:
    for name, condition in known.items():
        wanted = getattr(filters, name)
        if wanted is not None:
            parts.append(condition)
            values.append(list(wanted) if name == "include" else wanted)
    if filters.flagged:
        parts.append("flagged")


def _claim_where(scope: Scope, filters: ClaimFilters) -> tuple[str, list[Any]]:
    within, limits = scope.sql_condition()
    parts: list[str] = [f"({within})"]
    values: list[Any] = [*limits]
    _conditions(filters, _CLAIM_FILTERS, parts, values)
    if filters.date_to is not None:
        parts.append("ngay_ra < ?")
        values.append(filters.date_to + timedelta(days=1))
    if filters.text and (text := filters.text.strip().lower()):
        parts.append("(" + " or ".join(f"starts_with(lower({column}), ?)" for column in _SEARCHED) + ")")
        values.extend([text] * len(_SEARCHED))
    if filters.exclude:
        parts.append("claim_id not in (select unnest(cast(? as text[])))")
        values.append(list(filters.exclude))
    return " and ".join(parts), values


def _entity_where(level: str, scope: Scope, ranking: _Ranking, filters: EntityFilters) -> tuple[str, list[Any]]:
    parts: list[str] = ["level = ?"]
    values: list[Any] = [level]
    within, params = scope.sql_condition()
    if level == "patient":  # a patient has no place of their own: those with a claim that the scope allows
        parts.append(f"entity_id in (select patient_id from {ranking.claims} where {within})")
    else:
        parts.append(f"({within})")
    values.extend(params)
    _conditions(filters, _ENTITY_FILTERS, parts, values)
    if filters.text and (text := filters.text.strip().lower()):
        parts.append("contains(lower(entity_id), ?)")
        values.append(text)
    return " and ".join(parts), values


def _behind(after: Place | None, first: str, second: str) -> tuple[str, list[Any]]:
    if after is None:
        return "true", []
    money = "expected_recoverable", "cast(? as decimal(18, 2))"
    later_key = f"({first} > ? or ({first} = ? and {second} > ?))"
    less_money = f"({money[0]} < {money[1]} or ({money[0]} = {money[1]} and {later_key}))"
    lower = f"(score < ? or (score = ? and {less_money}))"
    return (
        lower if after.worth is None else f"(worth < ? or (worth = ? and {lower}))",
        [
            *([] if after.worth is None else [after.worth, after.worth]),
            after.score,
            after.score,
            after.expected_recoverable,
            after.expected_recoverable,
            after.key[0],
            after.key[0],
            after.key[1],
        ],
    )


def _claim_export(ranking: _Ranking, scope: Scope) -> tuple[str, list[Any]]:
    within, params = scope.sql_condition("r")
    query = f"""
        select r.claim_id as entity_id, r.rank, r.score, r.flagged, r.amount_at_risk, r.expected_recoverable,
               r.schemes, r.status, c.reasons_vi, c.reasons_en, c.evidence
        from {ranking.claims} r join claim_score c on c.run_id = r.run_id and c.version = r.version
        where {within}
    """
    return query, list(params)


def _line_export(ranking: _Ranking, scope: Scope) -> tuple[str, list[Any]]:
    """Every line of the ranked claims, those with signals first.

    A line's odds are its claim's odds times its part of the claim's expected money, so that a line that carries all of
    it has the claim's score. Its amount is the largest its signals name, at most what the fund paid for the line: two
    signs on one line are not counted twice. Its signals' shares of the expected money add up.
    """
    within, params = scope.sql_condition()
    lines = " union all ".join(
        f"select '{table}' as line_table, row_no, version, t_bhtt as paid from {table}"
        for table in ("drug_line", "service_line")
    )
    return (
        f"""
        with ranked as (select * from {ranking.claims} where {within}),
        by_scheme as (
            select s.version, s.line_table, s.row_no, s.scheme, max(s.amount) as amount,
                   sum(s.expected_recoverable) as expected
            from signal s join ranked r on r.run_id = s.run_id and r.version = s.version
            where s.row_no is not null group by all
        ), marks as (
            select version, line_table, row_no, max(amount) as amount, sum(expected) as expected,
                   list(scheme order by expected desc, amount desc, scheme) filter (scheme is not null) as schemes
            from by_scheme group by version, line_table, row_no
        ), lines as (
            select r.claim_id || ':' || l.line_table || ':' || l.row_no as entity_id, r.rank as claim_rank,
                   l.line_table, l.row_no, r.run_id, r.version,
                   case when m.expected > 0 and r.expected_recoverable > 0 then
                       least(1, cast(m.expected as double) / cast(r.expected_recoverable as double)) else 0 end as part,
                   case when part > 0 then
                       round(r.score * part / (1 - r.score + r.score * part), 6) else 0 end as score,
                   coalesce(r.flagged and m.amount > 0, false) as flagged,
                   greatest(0, least(coalesce(m.amount, 0), coalesce(l.paid, 0))) as amount_at_risk,
                   greatest(0, least(coalesce(m.expected, 0), coalesce(l.paid, 0))) as expected_recoverable,
                   coalesce(m.schemes, []) as schemes, r.status, m.version is not null as marked
            from ranked r join ({lines}) l using (version)
            left join marks m using (version, line_table, row_no)
        )
        select l.entity_id,
               row_number() over (order by l.score desc, l.expected_recoverable desc, claim_rank, l.entity_id) as rank,
               l.score, l.flagged, l.amount_at_risk, l.expected_recoverable, l.schemes, l.status,
               c.reasons_vi, c.reasons_en, case when l.marked then c.evidence end as evidence, l.line_table, l.row_no
        from lines l left join claim_score c on c.run_id = l.run_id and c.version = l.version
         and (l.marked or l.status <> 'scored')
        """,
        params,
    )


def _claim_rows(rows: pl.DataFrame) -> list[ClaimRow]:
    return [ClaimRow(**_row(row, ("reason_vi", "reason_en"))) for row in rows.iter_rows(named=True)]


def _entity_rows(rows: pl.DataFrame) -> list[EntityRow]:
    wanted = rows.select(c.strip() for c in _ENTITY_COLUMNS.split(","))
    return [EntityRow(**_row(row, ("reasons_vi", "reasons_en"))) for row in wanted.iter_rows(named=True)]


def _row(row: dict[str, Any], texts: Sequence[str]) -> dict[str, Any]:
    row["schemes"] = tuple(row["schemes"] or ())
    row["t_bhtt"] = row["t_bhtt"] if row["t_bhtt"] is not None else Decimal(0)
    for name in texts:
        row[name] = row[name] or ""
    return row


def _evidence(text: str | None) -> tuple[Mapping[str, Any], ...]:
    found = json.loads(text) if text else []
    return (found,) if isinstance(found, dict) else tuple(found)


def _month(moment: datetime | None) -> int | None:
    return None if moment is None else moment.year * 100 + moment.month
