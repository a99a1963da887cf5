"""The JSON of the API: what is sent and what comes back, as OpenAPI shows it.

Amounts are JSON numbers with at most two decimals: exact up to 90 thousand billion VND, beyond any claim. In requests
they may also be text.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

Money = Annotated[Decimal, PlainSerializer(float, return_type=float, when_used="json")]
Fields = Mapping[str, Any]
Likelihood = Annotated[float, Field(description="estimate that at least one of its signs is confirmed, 0 to 1")]
Pattern = Annotated[
    str | None, Field(description="the same for claims alike: facility, main sign and item; null: no sign")
]


class Shape(BaseModel):
    """Base of what the API sends: read from the values of the service by their names."""

    model_config = ConfigDict(from_attributes=True, frozen=True, protected_namespaces=())


class Run(Shape):
    """One scoring run: what was scored, with which model and rules."""

    run_id: str
    at: str
    model_version: int | None
    snapshot: int
    since: str | None
    until: str | None
    every: bool = Field(description="true: all claims were scored, not only those that changed")
    encounters: int
    flags: int
    threshold: float | None
    base_run: str | None = Field(description="the earlier run this one extends")
    manifest: Fields


class Claim(Shape):
    """One claim of a ranking."""

    rank: int
    claim_id: str
    run_id: str
    ma_cskcb: str
    ma_lk: str
    patient_id: str | None = Field(description="pseudonym")
    doctor: str | None
    province: str
    ma_loai_kcb: str | None
    ngay_vao: datetime | None
    ngay_ra: datetime | None
    ma_benh_chinh: str | None
    t_bhtt: Money
    score: float
    flagged: bool
    amount_at_risk: Money
    expected_recoverable: Money
    likelihood: Likelihood
    pattern: Pattern
    minutes: float = Field(description="estimated minutes to read it")
    schemes: tuple[str, ...]
    status: str
    reason_vi: str
    reason_en: str
    alike: int | None = Field(
        description="more claims of the list that this one stands for; null unless asked for one_per_pattern"
    )
    alike_recoverable: Money | None = Field(description="their expected_recoverable in all")


class ClaimList(Shape):
    """A part of a ranking. Ask again with `cursor=next_cursor` and the same filters for what follows."""

    run_id: str | None
    items: list[Claim]
    next_cursor: str | None


class Entity(Shape):
    """One doctor, facility or patient of a ranking."""

    rank: int
    level: str
    entity_id: str
    province: str | None
    score: float
    flagged: bool
    amount_at_risk: Money
    expected_recoverable: Money
    schemes: tuple[str, ...]
    status: str
    reasons_vi: str
    reasons_en: str
    claims: int
    t_bhtt: Money


class EntityList(Shape):
    """A part of a ranking of doctors, facilities or patients."""

    run_id: str | None
    items: list[Entity]
    next_cursor: str | None


class EntityClaim(Shape):
    """A claim that makes an entity what it is."""

    claim: Claim
    part: float = Field(description="of the claim that is the entity's, 0 to 1")
    expected_recoverable: Money = Field(description="that part of the claim's")
    share: float = Field(description="of the entity's expected recoverable amount in this run")


class EntityDetail(Shape):
    """One doctor, facility or patient, and what stands behind the score."""

    row: Entity
    evidence: tuple[Fields, ...]
    claims: tuple[EntityClaim, ...] = Field(description="those that make it so, the largest part first")


class Signal(Shape):
    """What one rule or detector says of one line, or of the whole encounter."""

    source: str
    scheme: str | None
    severity: str | None
    amount: Money
    expected_recoverable: Money
    observed: float | None
    allowed: float | None


class Line(Shape):
    """A drug or service line with the signals on it."""

    line_table: str
    row_no: int
    amount_at_risk: Money
    signals: tuple[Signal, ...]
    fields: Fields = Field(description="the official fields in lower case")


class History(Shape):
    """Another encounter of the same patient."""

    claim_id: str
    ngay_vao: datetime | None
    ngay_ra: datetime | None
    ma_loai_kcb: str | None
    ma_benh_chinh: str | None
    t_bhtt: Money | None
    rank: int | None
    score: float | None
    flagged: bool


class ClaimVersion(Shape):
    """One receipt of the claim."""

    version: int
    current: bool
    withdrawn: bool
    load_id: str | None
    ngay_ra: datetime | None
    t_bhtt: Money | None


class Bin(Shape):
    """One bar of the peers' histogram, VND."""

    low: float
    high: float
    count: int


class Peers(Shape):
    """T_BHTT of like claims, and where this one lies."""

    ma_loai_kcb: str
    icd3: str
    facility_rank: str | None
    count: int
    own: float
    share_below: float
    quantiles: Mapping[str, float]
    bins: tuple[Bin, ...]


class ClaimDetail(Shape):
    """One claim with its lines, signals, peers and history."""

    claim_id: str
    run_id: str | None
    encounter: Fields
    row: Claim | None = Field(description="null: not scored in this run")
    alike: int = Field(description="other claims of its pattern, within your area")
    reasons_vi: str
    reasons_en: str
    evidence: tuple[Fields, ...]
    lines: tuple[Line, ...]
    encounter_signals: tuple[Signal, ...]
    lab_results: tuple[Fields, ...]
    versions: tuple[ClaimVersion, ...]
    history: tuple[History, ...]
    history_elsewhere: int = Field(description="encounters of the patient outside your area")
    peers: Peers | None
    doctor: Entity | None
    facility: Entity | None
    patient: Entity | None


class Explanation(Shape):
    """Why a claim is where it is."""

    claim_id: str
    run_id: str
    model_version: int | None
    snapshot: int
    rank: int
    score: float
    flagged: bool
    amount_at_risk: Money
    expected_recoverable: Money
    likelihood: Likelihood
    pattern: Pattern
    schemes: tuple[str, ...]
    status: str
    reasons_vi: str
    reasons_en: str
    evidence: tuple[Fields, ...]


class Scored(Shape):
    """Claims scored on the spot, in the order they were sent; nothing was stored."""

    claims: list[Fields] = Field(
        description="of each claim: score, flagged, amount_at_risk, expected_recoverable, schemes, reasons, evidence, "
        "and the model_version and snapshot that gave them"
    )


class Case(Shape):
    """A case; its amounts are those of the run it was opened from."""

    id: int
    run_id: str
    entity_level: str
    entity_id: str
    ma_cskcb: str
    claim_version: int | None
    model_version: int | None
    snapshot: int | None
    lane: str
    score: float | None
    t_bhtt: Money
    amount_at_risk: Money
    expected_recoverable: Money
    schemes: tuple[str, ...]
    status: str
    assignee: str | None
    answer_due: date | None
    opened_by: str
    opened_at: datetime
    changed_at: datetime
    concluded_by: str | None
    concluded_at: datetime | None
    revision: int


class Decision(Shape):
    """A decision as kept; `counts` is false once it was corrected or undone."""

    id: int
    case_id: int
    claim_id: str
    line_table: str | None
    row_no: int | None
    outcome: str
    amount_before: Money
    amount_refused: Money
    reason: str
    legal_basis: str | None
    decided_by: str
    decided_at: datetime
    superseded_by: int | None
    counts: bool


class Audit(Shape):
    """One act, sealed by the one before."""

    seq: int
    at: datetime
    actor: str
    action: str
    before: Fields | None
    after: Fields | None
    reason: str
    hash: str


class CaseList(Shape):
    """Cases, newest first."""

    items: list[Case]
    next_cursor: str | None


class CaseDetail(Shape):
    """A case with its decisions and everything that was done."""

    case: Case
    evidence: tuple[Fields, ...]
    decisions: list[Decision]
    history: list[Audit]


class Sent(BaseModel):
    """Base of what the API receives: unknown names are refused, a misspelt one must not be lost."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class OpenCase(Sent):
    """Open a case about a claim of a run."""

    claim_id: str = Field(max_length=200)
    run_id: str | None = Field(default=None, max_length=100, description="default: the newest run")
    lane: Literal["flag", "random", "chosen"] = "flag"


class Move(Sent):
    """An act on a case, as its reader saw it."""

    revision: int | None = Field(default=None, description="of the case you decided on; 409 when it changed meanwhile")


class ReasonedMove(Move):
    """An act that needs a reason."""

    reason: str = Field(min_length=1, max_length=4000)


class AskFacility(Move):
    """A question to the facility."""

    question: str = Field(min_length=1, max_length=4000)
    due: date | None = Field(default=None, description="default: three working days")


class FacilityAnswer(Move):
    """What the facility answered, or that it did not."""

    answer: str = Field(min_length=1, max_length=4000)


class Note(Sent):
    """A remark for the case's history."""

    text: str = Field(min_length=1, max_length=4000)


class LineChoice(Sent):
    """What is decided of one line; without a line, of the whole claim."""

    line_table: Literal["drug_line", "service_line"] | None = None
    row_no: int | None = Field(default=None, ge=1)
    outcome: Literal["accepted", "adjusted", "refused"]
    amount_refused: Decimal = Field(default=Decimal(0), ge=0, max_digits=18, decimal_places=2)
    reason: str = Field(min_length=1, max_length=4000)
    legal_basis: str | None = Field(default=None, max_length=4000)


class Decide(Move):
    """Decisions of a case's lines."""

    lines: list[LineChoice] = Field(min_length=1, max_length=5000)


class Decided(Shape):
    """The case after deciding, and the new decisions."""

    case: Case
    decisions: list[Decision]


class RunList(Shape):
    """Runs, newest first."""

    items: list[Run]


class ModelEvent(Shape):
    """What happened to a model version, at whose word."""

    version: int
    action: str
    alias: str | None
    by: str
    reason: str
    at: datetime


class LearnedLevel(Shape):
    """What was learned of a kind of signs: shares at full strength, from 0 to 1."""

    name: str = Field(description="deny, warn, info: rules by severity; excess: expected cost; finding: a finder's")
    prior: float = Field(description="the likelihood before any decision")
    learned: float
    decisions: int = Field(description="that signs of it had a part in")
    confirmed: int = Field(description="of these")


class LearnedSign(LearnedLevel):
    """What was learned of one sign."""

    name: str = Field(description="a rule, a cost group of the expected cost, a finder's pattern")
    level: str = Field(description="the kind it is of")
    interval: tuple[float, float] = Field(description="what the decisions leave open, 95 %")


class Lessons(Shape):
    """What a version learned from decisions."""

    decisions: int = Field(description="given, each line or claim once")
    claims: int = Field(description="reviewed claims they are about")
    confirmed: int = Field(description="refused or adjusted")
    outside: int = Field(description="about claims outside the period or not loaded: they teach nothing")
    without_sign: int = Field(description="about what no sign names: they teach nothing")
    levels: tuple[LearnedLevel, ...]
    sources: tuple[LearnedSign, ...] = Field(description="signs, the most moved first")


class ModelLessons(Shape):
    """A version in use and what it learned from decisions."""

    version: int
    aliases: tuple[str, ...]
    readable: bool = Field(description="its bundle is on this machine")
    lessons: Lessons | None = Field(description="null: it learned from no decision, or is not readable")


class Models(Shape):
    """Which version each alias means now, what these learned from decisions, and the history, newest first."""

    aliases: Mapping[str, int]
    lessons: list[ModelLessons]
    history: list[ModelEvent]


class Rule(Shape):
    """A rule of the catalogue."""

    id: str
    version: int
    scheme: str
    severity: str
    title_vi: str
    title_en: str
    legal_basis: str
    known_gaps_vi: str
    known_gaps_en: str
    valid_from: date | None
    valid_to: date | None
    needs: tuple[str, ...]
    catalogues: tuple[str, ...]


class RuleList(Shape):
    """Every rule, by id."""

    items: list[Rule]


class RuleEfficacy(Shape):
    """How a rule earns its place in the newest ranking. Shares lie between 0 and 1, money is VND."""

    rule: str = Field(description="id@version")
    scheme: str
    severity: str
    title_vi: str
    title_en: str
    claims: int
    amount: float
    shadow_claims: int = Field(description="named, but kept back by a switch or a snooze")
    facilities: int
    decided: int = Field(description="lines or claims it named that a concluded case decided")
    confirmed: float | None
    confirmed_low: float | None = Field(description="95 % Wilson interval")
    confirmed_high: float | None
    alone: int = Field(description="claims that no other rule names")
    most_like: str | None
    most_like_share: float | None
    months: list[int]
    standing: str = Field(description="new, earning, propose_shadow or silent")


class RuleBoard(Shape):
    """Every rule, most money first."""

    items: list[RuleEfficacy]


class QualityMonth(Shape):
    """What was sent for one month of discharge, and what was wrong with it."""

    month: int = Field(description="yyyymm")
    rows: int
    faults: int
    score: float


class QualityFacility(Shape):
    """How clean the data of one facility are."""

    ma_cskcb: str
    name: str | None
    claims: int
    rows_read: int
    rows_loaded: int
    quarantined: int
    warned: int
    refused: int = Field(description="faults that cost a row: a quarantined row can have several")
    score: float = Field(description="100 less the faults (refused or warned) per hundred rows, never below 0")
    tickets: int
    open_tickets: int
    months: tuple[QualityMonth, ...]


class QualityExample(Shape):
    """A faulty row, to be looked up."""

    ma_lk: str | None
    row_no: int | None
    day: date | None
    value: str | None


class QualityTicket(Shape):
    """One fault of one facility's export software."""

    ticket_id: str
    ma_cskcb: str
    check_id: str
    line_table: str
    field: str
    code: str
    severity: Literal["quarantine", "warn", "info"]
    mask: Literal["", "cell", "row"] = Field(description="what detectors do not get because of it")
    since: date | None
    until: date | None
    open: bool
    failed: int
    rows: int
    claims: int
    sent_claims: int
    unit: Literal["rows", "claims"] = Field(description="what share and elsewhere are of")
    share: float
    elsewhere: float | None = Field(description="share at facilities without the fault")
    also: int = Field(description="other facilities with a ticket of this check")
    hint_vi: str
    hint_en: str
    examples: tuple[QualityExample, ...]


class QualityShared(Shape):
    """A fault that most facilities have: perhaps the list or the check is behind."""

    check_id: str
    line_table: str
    field: str
    code: str
    severity: Literal["quarantine", "warn", "info"]
    since: date | None
    until: date | None
    facilities: int
    asked: int = Field(description="facilities that sent enough of the table to tell")
    failed: int
    claims: int
    hint_vi: str
    hint_en: str


class QualityFile(Shape):
    """What was wrong with files as such."""

    code: str
    severity: str
    times: int
    files: int
    hint_vi: str
    hint_en: str


class QualityTable(Shape):
    """How clean one table of a facility is."""

    line_table: str
    rows_read: int
    rows_loaded: int
    faults: int
    score: float
    months: tuple[QualityMonth, ...]


class QualityFault(Shape):
    """One check that failed at a facility."""

    check_id: str
    line_table: str
    field: str
    code: str
    severity: Literal["quarantine", "warn", "info"]
    failed: int
    claims: int
    rows: int = Field(description="of the table")
    share: float
    since: date | None
    until: date | None
    ticket: bool
    shared: bool = Field(description="most facilities have it, so it does not count in the score")
    hint_vi: str
    hint_en: str
    months: tuple[QualityMonth, ...]
    examples: tuple[QualityExample, ...]


class Quality(Shape):
    """Facilities worst first, tickets open and grave ones first."""

    snapshot: int
    month: int | None
    facilities: tuple[QualityFacility, ...]
    tickets: tuple[QualityTicket, ...]
    shared: tuple[QualityShared, ...]
    files: tuple[QualityFile, ...] = Field(description="only for who sees every facility")

    def without_examples(self) -> Quality:
        """For who may not see claims."""
        return self.model_copy(update={"tickets": tuple(_bare(ticket) for ticket in self.tickets)})


class FacilityQuality(Shape):
    """One facility by table and by check."""

    snapshot: int
    month: int | None
    facility: QualityFacility
    tables: tuple[QualityTable, ...]
    faults: tuple[QualityFault, ...]
    tickets: tuple[QualityTicket, ...]

    def without_examples(self) -> FacilityQuality:
        """For who may not see claims."""
        bare = {"tickets": tuple(_bare(t) for t in self.tickets), "faults": tuple(_bare(f) for f in self.faults)}
        return self.model_copy(update=bare)


def _bare(found: Shape) -> Shape:
    return found.model_copy(update={"examples": ()})


class Health(Shape):
    """Whether the service can do its work, part by part."""

    status: Literal["ok", "unavailable"]
    checks: Mapping[str, bool] = Field(default_factory=dict[str, bool])
