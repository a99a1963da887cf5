"""A case and its decisions: the moves allowed, the checks on amounts, and nothing of databases or pages.

A score opens a case and never decides one. Two people do: who decided does not conclude.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from data.errors import MinhBachError
from service.audit import AuditEntry, kept_text

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

EntityLevel = Literal["claim", "doctor", "facility", "patient"]
Lane = Literal["flag", "random", "chosen"]  # raised by a run, drawn by lot, picked by an assessor
Outcome = Literal["accepted", "adjusted", "refused", "withdrawn"]
OUTCOMES: tuple[Outcome, ...] = ("accepted", "adjusted", "refused")
"""What a person may decide. `withdrawn` marks a decision that was undone, so that the line is undecided again."""
LINE_TABLES = ("drug_line", "service_line")

ANSWER_DAYS = 3  # working days a facility has to prove or adjust (TT 12/2026 Đ10 k3)
ROUNDING = Decimal(1)  # VND by which the lines of a claim may add up above its total
CENT = Decimal("0.01")
TOO_MUCH = Decimal(10) ** 16  # VND; the columns hold no more
SATURDAY = 5


class CaseStatus(StrEnum):
    """Where a case stands. What was decided is apart from it."""

    NEW = "new"
    TAKEN = "taken"
    WAITING_FACILITY = "waiting_facility"
    DECIDED = "decided"
    CONCLUDED = "concluded"
    REOPENED = "reopened"


MOVES: Mapping[CaseStatus, frozenset[CaseStatus]] = {
    CaseStatus.NEW: frozenset({CaseStatus.TAKEN}),
    CaseStatus.TAKEN: frozenset({CaseStatus.NEW, CaseStatus.WAITING_FACILITY, CaseStatus.DECIDED}),
    CaseStatus.WAITING_FACILITY: frozenset({CaseStatus.TAKEN}),
    CaseStatus.DECIDED: frozenset({CaseStatus.TAKEN, CaseStatus.CONCLUDED}),
    CaseStatus.CONCLUDED: frozenset({CaseStatus.REOPENED}),
    CaseStatus.REOPENED: frozenset({CaseStatus.TAKEN}),
}
"""From each status, those that may follow."""

STATUS_VI: Mapping[CaseStatus, str] = {
    CaseStatus.NEW: "mới",
    CaseStatus.TAKEN: "đang xem xét",
    CaseStatus.WAITING_FACILITY: "chờ cơ sở giải trình",
    CaseStatus.DECIDED: "đã có ý kiến",
    CaseStatus.CONCLUDED: "đã kết luận",
    CaseStatus.REOPENED: "mở lại",
}
"""The statuses as Vietnamese texts name them."""


class UnknownCase(MinhBachError):
    """No case has this number."""

    code = "unknown_case"
    http_status = 404

    def __init__(self, case_id: int) -> None:
        super().__init__(
            f"there is no case {case_id}; open one from the worklist",
            vi=f"Không có vụ việc số {case_id}; hãy mở vụ việc từ danh sách việc",
        )


class BadMove(MinhBachError):
    """The case is not in a status from which this can be done."""

    code = "bad_move"
    http_status = 409


class CaseChanged(MinhBachError):
    """Someone changed the case since it was read."""

    code = "case_changed"
    http_status = 409


class BadDecision(MinhBachError):
    """A decision's amounts, line or reason do not hold together."""

    code = "bad_decision"
    http_status = 422


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What an assessor works on; the amounts are those of the run it was opened from."""

    id: int
    run_id: str
    entity_level: EntityLevel
    entity_id: str
    ma_cskcb: str
    claim_version: int | None
    model_version: int | None
    snapshot: int | None
    lane: Lane
    score: float | None
    t_bhtt: Decimal
    amount_at_risk: Decimal
    expected_recoverable: Decimal
    schemes: tuple[str, ...]
    evidence: tuple[Mapping[str, Any], ...]
    status: CaseStatus
    assignee: str | None
    answer_due: date | None
    opened_by: str
    opened_at: datetime
    changed_at: datetime
    concluded_by: str | None
    concluded_at: datetime | None
    revision: int  # grows with every write; a form brings back the one it was made from
    deciders: frozenset[str] = frozenset()  # who made the decisions that count


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimAtOpening:
    """A claim as a run saw it, from which a case is opened."""

    run_id: str
    ma_cskcb: str
    ma_lk: str
    t_bhtt: Decimal
    amount_at_risk: Decimal
    expected_recoverable: Decimal
    score: float | None = None
    claim_version: int | None = None
    model_version: int | None = None
    snapshot: int | None = None
    schemes: tuple[str, ...] = ()
    evidence: tuple[Mapping[str, Any], ...] = ()
    lane: Lane = "flag"

    def __post_init__(self) -> None:
        for name in ("t_bhtt", "amount_at_risk", "expected_recoverable"):
            amount: Decimal = getattr(self, name)
            if not is_amount(amount):
                raise ValueError(f"claim {self.entity_id}: {name} {amount} is not an amount in VND")
            object.__setattr__(self, name, amount.quantize(CENT))

    @property
    def entity_id(self) -> str:
        """The claim's id in text."""
        return f"{self.ma_cskcb}:{self.ma_lk}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineDecision:
    """What an assessor decides of one line, or of the whole claim when no line is named. Cannot be built wrong."""

    outcome: Outcome
    amount_before: Decimal
    amount_refused: Decimal
    reason: str
    line_table: str | None = None
    row_no: int | None = None
    legal_basis: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", kept_text(self.reason, "lý do / reason"))
        if self.legal_basis is not None and not self.legal_basis.strip():
            object.__setattr__(self, "legal_basis", None)
        if self.legal_basis is not None:
            object.__setattr__(self, "legal_basis", kept_text(self.legal_basis, "căn cứ / legal basis"))
        if self.outcome not in OUTCOMES:
            raise BadDecision(
                f"outcome {self.outcome!r} is not one of {', '.join(OUTCOMES)}",
                vi=f"Kết quả {self.outcome!r} không thuộc: chấp nhận, điều chỉnh, từ chối",
            )
        if (self.line_table is None) != (self.row_no is None) or self.line_table not in (None, *LINE_TABLES):
            raise BadDecision(
                f"line {self.line_table}:{self.row_no}: name a table ({', '.join(LINE_TABLES)}) and a row, or neither",
                vi=f"Dòng {self.line_table}:{self.row_no}: ghi cả bảng ({', '.join(LINE_TABLES)}) và số dòng,"
                " hoặc bỏ trống cả hai",
            )
        _check_amounts(self)
        for name in ("amount_before", "amount_refused"):
            object.__setattr__(self, name, getattr(self, name).quantize(CENT))

    @property
    def line(self) -> tuple[str, int] | None:
        """The line meant; none for the whole claim."""
        return None if self.line_table is None or self.row_no is None else (self.line_table, self.row_no)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A decision as kept. It counts unless a newer one supersedes it or it only withdraws an older one."""

    id: int
    case_id: int
    claim_id: str
    line_table: str | None
    row_no: int | None
    outcome: Outcome
    amount_before: Decimal
    amount_refused: Decimal
    reason: str
    legal_basis: str | None
    decided_by: str
    decided_at: datetime
    superseded_by: int | None

    @property
    def line(self) -> tuple[str, int] | None:
        """The line meant; none for the whole claim."""
        return None if self.line_table is None or self.row_no is None else (self.line_table, self.row_no)

    @property
    def counts(self) -> bool:
        """Whether it is what holds of its line now."""
        return self.superseded_by is None and self.outcome != "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A decision that counts, with what training needs to know of its origin. Unreviewed claims have none."""

    case_id: int
    run_id: str
    model_version: int | None
    snapshot: int | None
    lane: Lane
    ma_cskcb: str
    ma_lk: str
    claim_version: int | None
    line_table: str | None
    row_no: int | None
    outcome: Outcome
    amount_before: Decimal
    amount_refused: Decimal
    schemes: tuple[str, ...]
    reason: str
    legal_basis: str | None
    decided_by: str
    decided_at: datetime
    concluded_by: str | None
    concluded_at: datetime | None  # none: the case is not concluded, and the label may still change


def can_move(case: Case, to: CaseStatus) -> bool:
    """Whether `to` may follow the case's status."""
    return to in MOVES[case.status]


def check_move(case: Case, to: CaseStatus) -> None:
    """Raise BadMove unless `to` may follow the case's status."""
    if not can_move(case, to):
        allowed = sorted(MOVES[case.status])
        raise BadMove(
            f"case {case.id} is {case.status}, it cannot become {to}; it may become: {', '.join(allowed)}",
            vi=f"Vụ việc {case.id} ở trạng thái “{STATUS_VI[case.status]}”, không thể chuyển sang “{STATUS_VI[to]}”;"
            f" có thể chuyển sang: {', '.join(f'“{STATUS_VI[s]}”' for s in allowed)}",
        )


def check_status(case: Case, among: Collection[CaseStatus], act_en: str, act_vi: str) -> None:
    """Raise BadMove unless the case is in one of the statuses in which the act makes sense."""
    if case.status not in among:
        raise BadMove(
            f"case {case.id} is {case.status}; to {act_en} it must be: {', '.join(sorted(among))}",
            vi=f"Vụ việc {case.id} ở trạng thái “{STATUS_VI[case.status]}”; chỉ {act_vi} khi: "
            + ", ".join(f"“{STATUS_VI[s]}”" for s in sorted(among)),
        )


def move(
    case: Case,
    to: CaseStatus,
    *,
    action: str,
    actor: str,
    reason: str,
    at: datetime,
    assignee: str | None,
    answer_due: date | None = None,
) -> tuple[Case, AuditEntry]:
    """The case after the move and the entry that tells of it; the store keeps both or neither. Raises BadMove."""
    check_move(case, to)
    concluded = to is CaseStatus.CONCLUDED
    moved = replace(
        case,
        status=to,
        assignee=assignee,
        answer_due=answer_due,
        concluded_by=actor if concluded else None,
        concluded_at=at if concluded else None,
        changed_at=at,
        revision=case.revision + 1,
    )
    return moved, entry_of(case, moved, action=action, actor=actor, reason=reason, at=at)


def entry_of(
    before: Case,
    after: Case,
    *,
    action: str,
    actor: str,
    reason: str,
    at: datetime,
    more_before: Mapping[str, Any] | None = None,
    more_after: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """The audit entry of a change of a case."""
    return AuditEntry(
        actor=actor,
        action=f"case.{action}",
        object_type="case",
        object_id=str(before.id),
        at=at,
        before={"status": before.status, "assignee": before.assignee, **(more_before or {})},
        after={"entity_id": after.entity_id, "status": after.status, "assignee": after.assignee, **(more_after or {})},
        reason=reason,
    )


def check_lines(case: Case, lines: Sequence[LineDecision], counting: Sequence[Decision]) -> None:
    """Raise BadDecision unless the new decisions, with those that stay, make one consistent view of the claim."""
    if case.entity_level != "claim":
        raise BadDecision(
            f"case {case.id} is about a {case.entity_level}; lines are decided in cases of claims",
            vi=f"Vụ việc {case.id} không phải về một hồ sơ; chỉ quyết định từng dòng trong vụ việc về hồ sơ",
        )
    named = [line.line for line in lines]
    if not named or len(set(named)) != len(named):
        raise BadDecision(
            "decide at least one line, and each line once", vi="Hãy quyết định ít nhất một dòng và mỗi dòng một lần"
        )
    staying = [d for d in counting if d.line not in named]
    places = set(named) | {d.line for d in staying}
    if None in places and len(places) > 1:
        raise BadDecision(
            "a claim is decided as a whole or line by line: undo the other decisions first",
            vi="Một hồ sơ được quyết định toàn bộ hoặc theo từng dòng: hãy hoàn tác các quyết định kia trước",
        )
    refused = sum((d.amount_refused for d in (*lines, *staying)), Decimal(0))
    if refused > case.t_bhtt + ROUNDING:
        raise BadDecision(
            f"{refused:,.0f} VND would be refused of a claim of which the fund pays {case.t_bhtt:,.0f}",
            vi=f"Tổng từ chối {dong_vi(refused)} đồng vượt số quỹ thanh toán của hồ sơ ({dong_vi(case.t_bhtt)} đồng)",
        )


def answer_due(asked_on: date, working_days: int = ANSWER_DAYS) -> date:
    """The last day to answer: Saturdays and Sundays do not count. Public holidays and outages are not known here."""
    due = asked_on
    while working_days > 0:
        due += timedelta(days=1)
        working_days -= due.weekday() < SATURDAY
    return due


def is_amount(amount: Decimal) -> bool:
    """Whether this is VND as the claim format has it: not negative, at most two decimals."""
    return amount.is_finite() and 0 <= amount < TOO_MUCH and amount == amount.quantize(CENT)


def dong_vi(amount: Decimal) -> str:
    """An amount as Vietnamese texts write it: dots between thousands, a comma before what is left."""
    text = f"{amount:,.2f}".removesuffix(".00")
    return text.translate(str.maketrans(",.", ".,"))


def _check_amounts(line: LineDecision) -> None:
    before, refused = line.amount_before, line.amount_refused
    for amount in (before, refused):
        if not is_amount(amount):
            raise BadDecision(
                f"{amount} is not an amount: zero or more, at most two decimals",
                vi=f"{amount} không phải số tiền hợp lệ: không âm, tối đa hai chữ số thập phân",
            )
    if refused > before:
        raise BadDecision(
            f"{refused} VND refused is more than the {before} VND claimed",
            vi=f"Số tiền từ chối {dong_vi(refused)} lớn hơn số đề nghị {dong_vi(before)} đồng",
        )
    if line.outcome == "accepted" and refused != 0:
        raise BadDecision(
            "nothing is refused of what is accepted: choose adjusted",
            vi="Đã chấp nhận thì không có số tiền từ chối: hãy chọn điều chỉnh",
        )
    if line.outcome != "accepted" and refused == 0:
        raise BadDecision(
            f"a decision of {line.outcome} refuses more than zero VND: write the amount, or accept",
            vi="Điều chỉnh hoặc từ chối phải có số tiền lớn hơn 0: hãy ghi số tiền hoặc chọn chấp nhận",
        )
