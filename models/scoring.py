"""Scoring: one path from claim tables to scores, whether one claim asks or the night's whole country.

A claim is scored from its own rows, its patient's earlier claims, the signs its facility's other claims give it
(`models.company`) and the frozen bundle, nothing else. So its score is the same alone, in any batch, in any order, by
the API and in the nightly run.

A run is incremental: it stores what changed since the run it extends (its base) and the claims whose patient's history
or whose signs in company changed with it. A run's ranking is its own rows and its bases', the newest of each claim.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import polars as pl

from data.errors import MinhBachError
from data.lake import Lake, Reader, table_columns
from data.masks import remasked
from data.schema import collected
from detectors.aside import stand_aside
from detectors.base import COMPANY_DAYS, FINDING_COLUMNS, RuleRun, rules
from detectors.fusion import CLAIM, Signals, fuse
from detectors.rulebook import applying, run_rules
from detectors.statistical.expected_cost import COST_GROUPS, LINES, TOTALS
from detectors.switches import Switches
from features.doctors import main_doctor
from features.matrix import build_matrix
from features.peers import LADDERS, PeerTable, from_scale
from models.bundle import ref
from models.company import ENDED, company_of, facility_rules, in_company, moved
from models.entities import entities, ranking_sql

if TYPE_CHECKING:
    from data.schema import ClaimTables
    from detectors.aside import Aside
    from detectors.base import Finder
    from detectors.statistical.expected_cost import CostGroup
    from models.bundle import Bundle

HISTORY_DAYS = 366  # how far back features and rules look for the same patient
CHUNK = 85_000  # encounters scored at once: bounds memory, changes no score
BY_PATIENT_COLUMNS = ["patient_id", "ngay_vao", "ma_cskcb", "ma_lk"]
BY_PATIENT = "patient_id nulls last, ngay_vao, ma_cskcb, ma_lk"  # so that a person's past is read with one part only
EVERYWHERE = Switches()

Progress = Callable[[int, int], None]  # how many are done, of how many


class NothingToScore(MinhBachError):
    """The lake has no claim in the asked period."""

    code, http_status, exit_code = "nothing_to_score", 409, 1

    def __init__(self) -> None:
        """No figures: there are none."""
        super().__init__(
            "there is no claim to score: load some with `minhbach ingest`, or widen --since and --until",
            vi="không có hồ sơ nào để chấm điểm: hãy nạp bằng `minhbach ingest`, hoặc nới --since và --until",
        )


@dataclass(frozen=True)
class Scored:
    """Scores of some encounters: rows of `claim_score` and `signal` without their run id, and how it went.

    `rule_runs` count the encounters read, the earlier ones of the patients among them; `detector_runs` those scored.
    """

    claims: pl.DataFrame
    signals: pl.DataFrame
    shadow: pl.DataFrame  # rows of `shadow_signal`
    rule_runs: tuple[RuleRun, ...]
    detector_runs: tuple[RuleRun, ...]


@dataclass(frozen=True)
class Gathered:
    """What was said of some encounters before it is weighed, and how everyone who was asked fared."""

    signals: Signals
    shadow: pl.DataFrame  # hits that are counted and not shown
    rule_runs: tuple[RuleRun, ...]
    detector_runs: tuple[RuleRun, ...]


def score_tables(
    bundle: Bundle,
    tables: ClaimTables,
    targets: pl.DataFrame | None = None,
    *,
    switches: Switches = EVERYWHERE,
    known: Mapping[str, pl.DataFrame] | None = None,
) -> Scored:
    """Score the encounters of `tables` (only those whose key is in `targets`, when given).

    `switches` says which rules are off, in shadow or silent about an entity. `known` holds by rule id
    the signs that were found already: of rules that look at the facility's other claims, which `tables` need not hold.

    `tables` must hold the targets and their patients' earlier claims within `HISTORY_DAYS`; more does no harm.
    """
    return weigh(bundle, gather(bundle, tables, targets, switches=switches, known=known))


def weigh(bundle: Bundle, gathered: Gathered) -> Scored:
    """Scores from what was gathered."""
    signals = gathered.signals
    fused = fuse(
        signals,
        rules=rules(),
        finders=bundle.finders,
        rarity=bundle.rarity,
        weights=bundle.weights,
        pivot=bundle.pivot,
    )
    of_claim = signals.claims.select(*CLAIM, "month", "version")
    return Scored(
        claims=fused.claims,
        signals=fused.signals.join(of_claim, on=CLAIM, how="left", maintain_order="left"),
        shadow=gathered.shadow.join(of_claim, on=CLAIM, how="left", maintain_order="left"),
        rule_runs=gathered.rule_runs,
        detector_runs=gathered.detector_runs,
    )


def gather(
    bundle: Bundle,
    tables: ClaimTables,
    targets: pl.DataFrame | None = None,
    *,
    switches: Switches = EVERYWHERE,
    known: Mapping[str, pl.DataFrame] | None = None,
) -> Gathered:
    """What rules and detectors say of the encounters; arguments as of `score_tables`."""
    needed = (
        *LADDERS["encounter"][0],
        *bundle.expected_cost.feature_names,
        *(name for detector in (*bundle.outliers, *bundle.finders) for name in detector.feature_names),
    )
    matrix = build_matrix(tables, "encounter", columns=list(dict.fromkeys(needed)))
    judges = bundle.judges()
    encounter = collected(tables.encounter)
    off = switches.off(encounter["province"].unique().drop_nulls().to_list()) if switches.switches else None
    found = run_rules(tables, also=[field for judge in judges for field in judge.fields], off=off, known=known)
    claims = encounter.select(
        *CLAIM,
        "month",
        "version",
        "patient_id",
        "province",
        "ma_loai_kcb",
        "ngay_vao",
        "ngay_ra",
        "ma_benh_chinh",
        pl.col("t_bhtt").cast(pl.Float64),
        pl.col("t_tongchi_bh").cast(pl.Float64),
    )
    claims = with_doctor(claims, tables)
    hits = found.hits
    if targets is not None:
        keys = targets.select(CLAIM)
        claims = claims.join(keys, on=CLAIM, how="semi")
        matrix = matrix.join(keys, on=CLAIM, how="semi", maintain_order="left")
        hits = hits.join(keys, on=CLAIM, how="semi")
    usual = matrix.select(CLAIM).with_columns(bundle.expected_cost.expected_paid(matrix))
    claims = claims.join(usual, on=CLAIM, how="left", maintain_order="left")
    shadow = hits.clear()
    if switches != EVERYWHERE and hits.height:
        placed = hits.join(
            claims.select(*CLAIM, "province", "patient_id", "doctor", "ngay_ra"),
            on=CLAIM,
            how="left",
            maintain_order="left",
        )
        back = switches.kept_back(placed)
        hits, shadow = hits.filter(~back), hits.filter(back)
    aside = stand_aside(judges, found, claims, matrix.filter(pl.col(LINES) == 0).select(CLAIM))
    signs: dict[str, pl.DataFrame] = {}
    outliers = matrix.select(CLAIM)
    for detector in bundle.outliers:
        able = matrix.join(aside.of(ref(detector)), on=CLAIM, how="anti", maintain_order="left")
        strength = able.select(CLAIM).with_columns(_strength(detector.score(able)))
        signs[ref(detector)] = strength.filter(pl.col(detector.name) > 0)
        outliers = outliers.join(strength, on=CLAIM, how="left", maintain_order="left")
    outliers = outliers.select(
        *CLAIM, strangeness=pl.max_horizontal(pl.lit(0.0), *(detector.name for detector in bundle.outliers))
    )
    able = matrix.join(aside.of(ref(bundle.expected_cost)), on=CLAIM, how="anti", maintain_order="left")
    excess = bundle.expected_cost.excess(with_doctor(able, tables))
    signs[ref(bundle.expected_cost)] = excess
    findings = [_findings(finder, tables, matrix, aside) for finder in bundle.finders]
    signs |= {ref(finder): found for finder, found in zip(bundle.finders, findings, strict=True)}
    signals = Signals(
        claims=claims.sort(CLAIM),
        hits=hits,
        excess=pl.concat(
            [
                _with_peers(excess, able, bundle.peers, COST_GROUPS),
                _with_peers(excess, able, bundle.bill_peers or bundle.peers, TOTALS),
            ]
        ),
        findings=pl.concat([pl.DataFrame(schema={**FINDING_COLUMNS, "source": pl.String()}), *findings]),
        outliers=outliers,
        aside=aside.claims,
        lines=_lines(tables, claims),
        standing=bundle.standing.of(claims),
    )
    return Gathered(
        signals=signals,
        shadow=shadow,
        rule_runs=found.runs,
        detector_runs=tuple(
            aside.run(judge.source, encounters=claims.height, signs=signs[judge.source]) for judge in judges
        ),
    )


def _findings(finder: Finder, tables: ClaimTables, matrix: pl.DataFrame, aside: Aside) -> pl.DataFrame:
    """What a finder names on the claims of `matrix` that it can judge, with its source."""
    judged = matrix.select(CLAIM).join(aside.of(ref(finder)), on=CLAIM, how="anti")
    found = finder.find(tables, matrix).select(pl.col(name).cast(dtype) for name, dtype in FINDING_COLUMNS.items())
    source = pl.format("{}:{}@{}", pl.lit(finder.name), "pattern", pl.lit(finder.version))
    return found.join(judged, on=CLAIM, how="semi").with_columns(source=source)


def _with_peers(
    excess: pl.DataFrame, matrix: pl.DataFrame, peers: PeerTable, groups: Sequence[CostGroup]
) -> pl.DataFrame:
    """Each excess of `groups` beside its peer group: `peer_group`, `peer_n` and what is usual there (`peer_median`)."""
    excess = excess.filter(pl.col("group").is_in([group.name for group in groups]))
    named = matrix.join(excess.select(CLAIM).unique(), on=CLAIM, how="semi", maintain_order="left")
    beside = excess.join(pl.concat([named.select(CLAIM), peers.lookup(named)], how="horizontal"), on=CLAIM, how="left")
    medians = [
        pl.when(pl.col("group") == group.name).then(from_scale(group.column, pl.col(f"{group.column}__centre")))
        for group in groups
        if group.column in peers.measures
    ] or [pl.lit(None, dtype=pl.Float64)]
    return beside.select(*excess.columns, "peer_group", "peer_n", peer_median=pl.coalesce(medians).round(0))


def with_doctor(rows: pl.DataFrame, tables: ClaimTables) -> pl.DataFrame:
    """`rows` of encounters with the main doctor of each in column `doctor`."""
    doctor = collected(main_doctor(tables)).select(*CLAIM, "doctor")
    return rows.join(doctor, on=CLAIM, how="left", maintain_order="left")


def _strength(score: pl.Series) -> pl.Series:
    """How much a calibrated score says: nothing below nine in ten, all at nine thousand nine hundred ninety-nine."""
    return ((-(1.0 - score).clip(1e-6).log10() - 1.0) / 3.0).clip(0.0, 1.0).round(6)


def _lines(tables: ClaimTables, claims: pl.DataFrame) -> pl.DataFrame:
    keys = claims.select(CLAIM)
    parts = [
        collected(frame)
        .select(
            *CLAIM,
            pl.lit(name).alias("line_table"),
            "row_no",
            "ma_nhom",
            pl.col("t_bhtt").cast(pl.Float64),
            code.alias("code"),
            item.alias("item"),
        )
        .join(keys, on=CLAIM, how="semi")
        for name, frame, code, item in (
            ("drug_line", tables.drug_line, pl.col("ma_thuoc"), pl.col("ten_thuoc")),
            (
                "service_line",
                tables.service_line,
                pl.coalesce("ma_dich_vu", "ma_vat_tu"),
                pl.coalesce("ten_dich_vu", "ten_vat_tu"),
            ),
        )
    ]
    return pl.concat(parts)


# runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The manifest of a scoring run, as the lake's log keeps it."""

    run_id: str
    model_version: int
    snapshot: int
    since: str | None
    until: str | None
    all: bool
    encounters: int
    flags: int
    threshold: float
    base_run: str | None
    bundle_sha256: str
    rule_versions: Mapping[str, int]
    rule_runs: Mapping[str, Sequence[int]]  # rule -> hit, clear, not evaluable
    seconds: float
    at: str
    detector_runs: Mapping[str, Sequence[int]] = field(
        default_factory=dict[str, Sequence[int]]
    )  # the same of detectors
    switches: Mapping[str, Any] = field(default_factory=dict[str, Any])  # which rules were off, in shadow or snoozed
    shadow: Mapping[str, int] = field(default_factory=dict[str, int])  # rule -> claims it named without being shown
    promised: float | None = None  # part of the flags that should be confirmed, by their signs and who sent them

    def as_json(self) -> dict[str, Any]:
        """For output and for the log."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def runs(lake: Lake) -> list[Run]:
    """Every run so far, oldest first."""
    found: list[Run] = []
    for entry in lake.log("score"):
        manifest: dict[str, Any] = {**entry.info, "at": entry.at}
        found.append(Run(**manifest))
    return found


def chain(lake: Lake, run_id: str) -> list[Run]:
    """The run and the runs it extends, newest first. Raises UnknownRun."""
    by_id = {run.run_id: run for run in runs(lake)}
    if run_id not in by_id:
        raise UnknownRun(run_id, list(by_id))
    linked = [by_id[run_id]]
    while (base := linked[-1].base_run) is not None:
        linked.append(by_id[base])
    return linked


class UnknownRun(MinhBachError):
    """A run that the lake does not have."""

    code, http_status = "unknown_run", 404

    def __init__(self, run_id: str, known: Sequence[str]) -> None:
        """`known` are the run ids there are."""
        last = ", ".join(known[-3:]) or "–"
        super().__init__(
            f"no run {run_id!r}: the latest are {last}", vi=f"không có lượt chấm {run_id!r}: gần nhất là {last}"
        )


def run_scoring(
    lake: Lake,
    bundle: Bundle,
    *,
    model_version: int,
    bundle_sha256: str,
    since: date | None = None,
    until: date | None = None,
    everything: bool = False,
    switches: Switches = EVERYWHERE,
    clock: Callable[[], float] = time.perf_counter,
    progress: Progress | None = None,
) -> Run:
    """Score what changed since the last run of this model (or `everything`) and commit it. Call inside `lake.writer`.

    The run's id comes from what it was made of, so a run that was already committed is returned as it is: running again
    after an interruption changes nothing. Raises NothingToScore.
    """
    started = clock()
    snapshot = _claims_snapshot(lake)
    rule_versions = {rule.id: rule.version for rule in rules()}
    made_of: dict[str, Any] = {
        "model": bundle_sha256,
        "rules": rule_versions,
        "since": since.isoformat() if since else None,
        "until": until.isoformat() if until else None,
    }
    if switches != EVERYWHERE:
        made_of["switches"] = switches.as_json()
    earlier = [
        run
        for run in runs(lake)
        if run.bundle_sha256 == bundle_sha256
        and run.rule_versions == rule_versions
        and (run.since, run.until) == (made_of["since"], made_of["until"])
        and Switches.from_json(run.switches) == switches
    ]
    base = earlier[-1] if earlier else None
    if base is not None and base.snapshot == snapshot and not everything:
        return base
    extends = None if everything else base
    identity = {**made_of, "snapshot": snapshot, "base": extends.run_id if extends else None}
    run_id = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
    for run in earlier:
        if run.run_id == run_id:
            return run
    with lake.reader(snapshot) as reader:
        targets = _targets(reader, lake, since=since, until=until, base=extends, switches=switches)
        if not targets.height and extends is None:
            raise NothingToScore
        folder = lake.staging(f"score-{run_id}")
        staged: dict[str, list[Any]] = {"claim_score": [], "signal": [], "shadow_signal": [], "entity_score": []}
        flags, promised = 0, 0.0
        counted: dict[str, tuple[int, int, int]] = {}
        by_detector: dict[str, tuple[int, int, int]] = {}
        shadowed: Counter[str] = Counter()
        tell = in_halves(progress, targets.height)
        company = in_company(reader, targets, progress=tell[0])
        for number, (scored, done) in enumerate(
            scored_chunks(reader, bundle, targets, switches=switches, company=company)
        ):
            kept_back = scored.shadow.group_by("source").agg(pl.struct(CLAIM).n_unique().alias("claims"))
            shadowed.update(dict(kept_back.iter_rows()))
            for table, rows in (
                ("claim_score", scored.claims),
                ("signal", scored.signals),
                ("shadow_signal", scored.shadow),
            ):
                if rows.is_empty():  # a run may well find no sign
                    continue
                wanted = table_columns(table)
                path = folder / f"{table}-{number}.parquet"
                rows.with_columns(run_id=pl.lit(run_id)).select(
                    pl.col(name).cast(dtype) for name, dtype in wanted.items()
                ).write_parquet(path)
                staged[table].append(path)
            flagged = scored.claims.filter("flagged")["promise"]
            flags += flagged.len()
            promised += float(flagged.sum())
            _count(counted, scored.rule_runs)
            _count(by_detector, scored.detector_runs)
            tell[1](done, targets.height)
        path = folder / "entity_score.parquet"
        linked = chain(lake, extends.run_id) if extends else []
        own = [str(p) for p in staged["claim_score"]]
        rolled_up = entities(reader, run_id, own, [run.run_id for run in linked], bundle)
        rolled_up.write_parquet(path)
        staged["entity_score"].append(path)
    manifest = Run(
        run_id=run_id,
        model_version=model_version,
        snapshot=snapshot,
        since=made_of["since"],
        until=made_of["until"],
        all=everything,
        encounters=targets.height,
        flags=flags,
        threshold=0.5,
        base_run=extends.run_id if extends else None,
        bundle_sha256=bundle_sha256,
        rule_versions=rule_versions,
        rule_runs={rule: list(counts) for rule, counts in sorted(counted.items())},
        detector_runs={name: list(counts) for name, counts in sorted(by_detector.items())},
        switches=made_of.get("switches", {}),
        shadow=dict(sorted(shadowed.items())),
        promised=round(promised / flags, 4) if flags else None,
        seconds=round(clock() - started, 3),
        at="",
    )
    lake.commit("score", f"score-{run_id}", staged, manifest.as_json())
    return runs(lake)[-1]


def in_halves(progress: Progress | None, total: int) -> tuple[Progress, Progress]:
    """Two tellers of how far `total` claims are: first seen in company, then scored, as the halves of one way."""

    def half(number: int) -> Progress:
        def tell(done: int, _: int) -> None:
            if progress:
                progress(number * total + done, 2 * total)

        return tell

    return half(0), half(1)


def _count(into: dict[str, tuple[int, int, int]], fared: Sequence[RuleRun]) -> None:
    for run in fared:
        hit, clear, vague = into.get(run.rule, (0, 0, 0))
        into[run.rule] = (hit + run.hit, clear + run.clear, vague + run.not_evaluable)


def _claims_snapshot(lake: Lake) -> int:
    """The newest snapshot that changed claims or catalogues: later ones only added scores."""
    changed = [entry.snapshot for entry in lake.log() if entry.kind != "score"]
    if not changed:
        raise NothingToScore
    return changed[-1]


def _targets(
    reader: Reader, lake: Lake, *, since: date | None, until: date | None, base: Run | None, switches: Switches
) -> pl.DataFrame:
    """Keys of the encounters to score: loaded since `base`, or with a past or a company that these change."""
    period = "(? is null or cast(ngay_ra as date) >= ?) and (? is null or cast(ngay_ra as date) <= ?)"
    bounds: list[Any] = [since, since, until, until]
    select = f"select ma_cskcb, ma_lk, version, patient_id, ngay_vao from claimed_encounter e where {period}"
    after = base.snapshot if base else 0
    if base is None or any(after < e.snapshot <= reader.snapshot for e in lake.log("catalogue")):
        return reader.pl(f"{select} order by {BY_PATIENT}", bounds)
    loads = [e.commit_id for e in lake.log("load") if after < e.snapshot <= reader.snapshot]
    reader.keep("_new_load", pl.DataFrame({"load_id": loads}, schema={"load_id": pl.String}))
    with lake.reader(after) as earlier:
        reader.keep("_remasked", remasked(reader, earlier))
    # what came, was replaced, withdrawn or masked otherwise: the past of its patient's later claims, and company
    reader.keep(
        "_news",
        reader.pl(
            """
            select distinct c.ma_cskcb, c.patient_id, c.ngay_vao, coalesce(c.ngay_ra, c.ngay_vao) as ended
            from encounter_history c where load_id in (from _new_load) or version in (from _remasked) or exists (
                select 1 from encounter_history n where n.ma_cskcb = c.ma_cskcb and n.ma_lk = c.ma_lk
                and n.version > c.version and n.load_id in (from _new_load)
            )
            """
        ),
    )
    own = "load_id in (from _new_load) or version in (from _remasked)"
    past = "exists (select 1 from _news n where n.patient_id = e.patient_id and n.ngay_vao <= e.ngay_vao)"
    changed = reader.pl(f"{select} and ({own} or {past})", bounds)
    reader.keep("_changed", changed.select("version"))
    reader.keep(
        "_span",
        reader.pl("select ma_cskcb, min(ngay_vao) as first, max(ended) as last from _news group by ma_cskcb"),
    )
    # claims after the news have it in their company, however long after: the same window, seen from the other side
    near = (
        f"exists (select 1 from _span u where u.ma_cskcb = e.ma_cskcb and {ENDED} >= u.first "
        f"and ngay_vao <= u.last + interval {COMPANY_DAYS} day)"
    )
    beside = reader.pl(f"{select} and {near} and version not in (from _changed)", bounds)
    moving = moved(beside, _standing(in_company(reader, beside), beside, reader, switches), _told(reader, lake, base))
    return pl.concat([changed, moving]).sort(BY_PATIENT_COLUMNS, nulls_last=True)


def _standing(
    found: Mapping[str, pl.DataFrame], claims: pl.DataFrame, reader: Reader, switches: Switches
) -> Mapping[str, pl.DataFrame]:
    """Of the signs `found` in company those that a run would store: of rules in force, and not off in the province."""
    reader.keep("_beside", claims.select("version"))
    places = reader.pl(
        "select ma_cskcb, ma_lk, ngay_vao, substr(ma_cskcb, 1, 2) as province from claimed_encounter "
        "where version in (from _beside)"
    )
    return {
        rule.id: found[rule.id].join(
            applying(rule, places, switches.off(places["province"].unique().to_list())), on=CLAIM, how="semi"
        )
        for rule in facility_rules()
    }


def _told(reader: Reader, lake: Lake, base: Run) -> pl.DataFrame:
    """The signs in company that the ranking of `base` stands on."""
    ids = [rule.id for rule in facility_rules()]
    columns = "ma_cskcb, ma_lk, line_table, row_no, amount, observed, allowed, split_part(source, '@', 1) as rule"
    stored = " union all ".join(
        f"select {columns} from {table} join (select run_id, version from ({ranking_sql(_ids(lake, base))})) "
        "using (run_id, version)"
        for table in ("signal", "shadow_signal")
    )
    return reader.pl(f"select * from ({stored}) where list_contains(?, rule)", [ids])


def _ids(lake: Lake, run: Run) -> list[str]:
    return [each.run_id for each in chain(lake, run.run_id)]


def targets_of(reader: Reader, lake: Lake, run: Run, *, base: Run | None) -> pl.DataFrame:
    """The encounters a past run scored, found again from its manifest and its base."""
    day = date.fromisoformat
    since, until = (day(run.since) if run.since else None), (day(run.until) if run.until else None)
    return _targets(reader, lake, since=since, until=until, base=base, switches=Switches.from_json(run.switches))


def with_history(reader: Reader, targets: pl.DataFrame) -> Iterator[tuple[ClaimTables, pl.DataFrame, int]]:
    """`targets` so many at a time: their claims with their patients' earlier ones, the part, how many are done."""
    for start in range(0, targets.height, CHUNK):
        part = targets.slice(start, CHUNK)
        reader.keep("_target", part)
        tables = reader.claim_tables(
            "version in (select version from _target) or ("
            "patient_id in (select patient_id from _target where patient_id is not null) "
            f"and ngay_vao >= (select min(ngay_vao) from _target) - interval {HISTORY_DAYS} day "
            "and ngay_vao <= (select max(ngay_vao) from _target))"
        )
        yield tables, part, start + part.height


def scored_chunks(
    reader: Reader,
    bundle: Bundle,
    targets: pl.DataFrame,
    *,
    company: Mapping[str, pl.DataFrame],
    switches: Switches = EVERYWHERE,
) -> Iterator[tuple[Scored, int]]:
    """Scores of `targets`, so many at a time, and how many are done. `company` holds their signs in company."""
    for tables, part, done in with_history(reader, targets):
        yield score_tables(bundle, tables, part, switches=switches, known=company), done


def history_of(reader: Reader, claims: Mapping[str, pl.DataFrame]) -> ClaimTables:
    """Tables that hold `claims` (typed frames by table name, not in the lake) and their patients' earlier claims."""
    incoming = claims["encounter"].select("patient_id", "ngay_vao").drop_nulls()
    reader.keep("_asked", incoming)
    return reader.claim_tables(
        "patient_id in (select patient_id from _asked) "
        f"and ngay_vao >= (select min(ngay_vao) from _asked) - interval {HISTORY_DAYS} day "
        "and ngay_vao <= (select max(ngay_vao) from _asked)",
        extra=claims,
    )


def score_claims(
    bundle: Bundle, reader: Reader, claims: Mapping[str, pl.DataFrame], *, switches: Switches = EVERYWHERE
) -> Scored:
    """Score claims that are not in the lake, without storing them: the same path as a run."""
    company = company_of(reader, claims)
    return score_tables(bundle, history_of(reader, claims), claims["encounter"], switches=switches, known=company)
