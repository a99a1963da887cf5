"""Cases as kept: each act is one transaction that checks, changes the case and writes its audit entry, or does nothing.

A write takes `revision` when a person saw the case first: CaseChanged is raised if it moved on meanwhile.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from types import EllipsisType
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from service.audit import AuditEntry, AuditRecord, append, entries, kept_text
from service.cases.model import (
    BadDecision,
    Case,
    CaseChanged,
    CaseStatus,
    Decision,
    Label,
    UnknownCase,
    answer_due,
    check_lines,
    check_move,
    check_status,
    entry_of,
    move,
)
from service.cases.policies import (
    check_can_conclude,
    check_can_decide,
    check_can_open,
    check_can_reopen,
    check_can_take,
    check_can_work,
)
from service.db.tables import CaseRow, DecisionRow

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterable, Sequence
    from datetime import date, datetime

    from sqlalchemy.orm import Session

    from service.accounts import Scope, User
    from service.cases.model import ClaimAtOpening, EntityLevel, Lane, LineDecision, Outcome
    from service.clock import Clock
    from service.db.engine import Database

DECIDABLE = (CaseStatus.TAKEN, CaseStatus.DECIDED)
LARGEST_ID = 2**31 - 1  # a larger number would be refused by the database, not just unknown to it
IDS_AT_ONCE = 500  # SQLite limits the parameters of one query


@dataclass(slots=True)
class _Write:
    """A case held in an open transaction."""

    session: Session
    row: CaseRow
    case: Case

    def keep(self, case: Case, entry: AuditEntry) -> Case:
        """Store the case's new state and the entry that tells of it."""
        row = self.row
        row.status = case.status.value
        row.assignee = case.assignee
        row.answer_due = case.answer_due
        row.changed_at = case.changed_at
        row.concluded_by = case.concluded_by
        row.concluded_at = case.concluded_at
        row.revision = case.revision
        append(self.session, entry)
        return replace(case, deciders=_deciders(self.session, [case.id]).get(case.id, frozenset()))


class CaseStore:
    """The cases of one database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    # Reading. The caller checks who may view; `find` and `counts` hold to a scope themselves.

    def get(self, case_id: int) -> Case:
        """The case of this number. Raises UnknownCase."""
        with self._database.read() as session:
            row = session.get(CaseRow, case_id) if case_id <= LARGEST_ID else None
            if row is None:
                raise UnknownCase(case_id)
            return _cases(session, [row])[0]

    def find(
        self,
        scope: Scope,
        *,
        statuses: Collection[CaseStatus] = (),
        assignee: str | None = None,
        run_id: str | None = None,
        before_id: int | None = None,
        limit: int = 50,
    ) -> list[Case]:
        """Cases within the scope, newest first; `before_id` turns the page."""
        query = select(CaseRow).where(scope.clause(CaseRow.province, CaseRow.ma_cskcb))
        if statuses:
            query = query.where(CaseRow.status.in_([status.value for status in statuses]))
        if assignee is not None:
            query = query.where(CaseRow.assignee == assignee)
        if run_id is not None:
            query = query.where(CaseRow.run_id == run_id)
        if before_id is not None:
            query = query.where(CaseRow.id < before_id)
        with self._database.read() as session:
            return _cases(session, session.scalars(query.order_by(CaseRow.id.desc()).limit(limit)).all())

    def counts(self, scope: Scope) -> dict[CaseStatus, int]:
        """How many cases within the scope stand where; every status is named."""
        query = (
            select(CaseRow.status, func.count())
            .where(scope.clause(CaseRow.province, CaseRow.ma_cskcb))
            .group_by(CaseRow.status)
        )
        with self._database.read() as session:
            found = {row[0]: row[1] for row in session.execute(query)}
        return {status: found.get(status.value, 0) for status in CaseStatus}

    def of_entities(
        self, entity_ids: Iterable[str], *, level: EntityLevel = "claim", run_id: str | None = None
    ) -> dict[str, Case]:
        """The newest case of each entity that has one, in one run or in any: what a worklist shows beside its rows."""
        ids = list(dict.fromkeys(entity_ids))
        rows: list[CaseRow] = []
        with self._database.read() as session:
            for start in range(0, len(ids), IDS_AT_ONCE):
                part = ids[start : start + IDS_AT_ONCE]
                query = select(CaseRow).where(CaseRow.entity_level == level, CaseRow.entity_id.in_(part))
                if run_id is not None:
                    query = query.where(CaseRow.run_id == run_id)
                rows += session.scalars(query.order_by(CaseRow.id))
            return {case.entity_id: case for case in _cases(session, rows)}

    def of_entity(self, entity_id: str, *, level: EntityLevel = "claim") -> list[Case]:
        """Every case of one entity, of all runs, newest first."""
        query = select(CaseRow).where(CaseRow.entity_level == level, CaseRow.entity_id == entity_id)
        with self._database.read() as session:
            return _cases(session, session.scalars(query.order_by(CaseRow.id.desc())).all())

    def decisions(self, case_id: int, *, counting_only: bool = False) -> list[Decision]:
        """The decisions of a case in the order they were made, corrected and undone ones too unless `counting_only`."""
        with self._database.read() as session:
            found = _decisions(session, case_id)
        return [d for d in found if d.counts or not counting_only]

    def history(self, case_id: int, *, limit: int = 500) -> list[AuditRecord]:
        """Every act on a case, notes among them, newest first."""
        with self._database.read() as session:
            return entries(session, object_type="case", object_id=str(case_id), limit=limit)

    def labels(self, *, include_open: bool = False) -> list[Label]:
        """The decisions that count, of concluded cases, or of all: what training learns from."""
        query = (
            select(DecisionRow, CaseRow)
            .join(CaseRow, DecisionRow.case_id == CaseRow.id)
            .where(DecisionRow.superseded_by.is_(None), DecisionRow.outcome != "withdrawn")
            .where(CaseRow.entity_level == "claim")
            .order_by(DecisionRow.id)
        )
        if not include_open:
            query = query.where(CaseRow.status == CaseStatus.CONCLUDED.value)
        with self._database.read() as session:
            return [_label(decision, case) for decision, case in session.execute(query)]

    # Acts

    def open(self, claim: ClaimAtOpening, user: User) -> Case:
        """Open a case about a claim of a run. Opening it again gives the case there is, whoever opened it."""
        check_can_open(claim.ma_cskcb, user)
        try:
            with self._database.write() as session:
                return _opened(session, claim) or self._insert(session, claim, user)
        except IntegrityError:  # someone else opened it at the same moment
            with self._database.read() as session:
                found = _opened(session, claim)
            if found is None:
                raise
            return found

    def take(self, case_id: int, user: User, *, revision: int | None = None) -> Case:
        """Make the user the one who works on the case; taking what one holds already changes nothing."""
        with self._write(case_id, revision) as write:
            case = write.case
            check_can_take(case, user)
            if case.status is CaseStatus.TAKEN:
                return case
            check_status(case, (CaseStatus.NEW, CaseStatus.REOPENED), "take it", "nhận")
            return self._move(write, CaseStatus.TAKEN, "taken", user, "", assignee=user.name)

    def release(self, case_id: int, user: User, *, reason: str, revision: int | None = None) -> Case:
        """Give a case back so that another can take it; a lead may release anyone's."""
        with self._write(case_id, revision) as write:
            check_can_decide(write.case, user)
            check_move(write.case, CaseStatus.NEW)
            return self._move(
                write, CaseStatus.NEW, "released", user, kept_text(reason, "lý do / reason"), assignee=None
            )

    def ask_facility(
        self, case_id: int, user: User, *, question: str, due: date | None = None, revision: int | None = None
    ) -> Case:
        """Wait for the facility to explain or send papers, by `due`, else for the days the circular gives."""
        with self._write(case_id, revision) as write:
            check_can_decide(write.case, user)
            return self._move(
                write,
                CaseStatus.WAITING_FACILITY,
                "facility_asked",
                user,
                kept_text(question, "câu hỏi / question"),
                due=due or answer_due(self._clock().date()),
            )

    def answer_received(self, case_id: int, user: User, *, answer: str, revision: int | None = None) -> Case:
        """Go on with what the facility answered, or with the fact that it did not."""
        with self._write(case_id, revision) as write:
            check_can_decide(write.case, user)
            check_status(write.case, (CaseStatus.WAITING_FACILITY,), "note the answer", "ghi nhận giải trình")
            return self._move(write, CaseStatus.TAKEN, "facility_answered", user, kept_text(answer, "trả lời / answer"))

    def decide(
        self, case_id: int, lines: Sequence[LineDecision], user: User, *, revision: int | None = None
    ) -> tuple[Case, list[Decision]]:
        """Decide lines, or the whole claim; a line decided before gets a newer decision that supersedes the old one.

        `amount_before` of each line must come from the stored claim, never from the person's form.
        """
        with self._write(case_id, revision) as write:
            case, session, at = write.case, write.session, self._clock()
            check_can_decide(case, user)
            check_status(case, DECIDABLE, "decide", "quyết định")
            current = _current(session, case_id)
            counting = [d for d in _decisions(session, case_id) if d.counts]
            check_lines(case, lines, counting)
            old = [current[line.line] for line in lines if line.line in current]
            before = [_shown(_decision(row)) for row in old]
            new = [_add_decision(session, case, asdict(line), user.name, at, current.get(line.line)) for line in lines]
            done = self._after_deciding(write, CaseStatus.DECIDED)
            entry = entry_of(
                case,
                done,
                action="decided",
                actor=user.name,
                reason="; ".join(dict.fromkeys(line.reason for line in lines)),
                at=at,
                more_before={"lines": before},
                more_after={"lines": [_shown(decision) for decision in new]},
            )
            return write.keep(done, entry), new

    def undo(self, decision_id: int, user: User, *, reason: str, revision: int | None = None) -> Case:
        """Make a line undecided again, by a newer entry; the decision stays readable. The last one reopens the work."""
        reason = kept_text(reason, "lý do / reason")
        with self._database.read() as session:
            found = session.get(DecisionRow, decision_id) if decision_id <= LARGEST_ID else None
        if found is None:
            raise BadDecision(
                f"there is no decision {decision_id}: load the page again",
                vi=f"Không có quyết định số {decision_id}: hãy tải lại trang",
            )
        with self._write(found.case_id, revision) as write:
            case, session, at = write.case, write.session, self._clock()
            check_can_decide(case, user)
            check_status(case, DECIDABLE, "undo a decision", "hoàn tác")
            row = session.get_one(DecisionRow, decision_id)
            undone = _decision(row)
            if not undone.counts:
                raise BadDecision(
                    f"decision {decision_id} no longer holds: load the page again",
                    vi=f"Quyết định số {decision_id} không còn hiệu lực: hãy tải lại trang",
                )
            values = asdict(undone) | {"outcome": "withdrawn", "amount_refused": Decimal(0), "reason": reason}
            _add_decision(session, case, values, user.name, at, row)
            left = any(d.counts for d in _decisions(session, case.id))
            done = self._after_deciding(write, case.status if left else CaseStatus.TAKEN)
            entry = entry_of(
                case,
                done,
                action="decision_undone",
                actor=user.name,
                reason=reason,
                at=at,
                more_before={"lines": [_shown(undone)]},
            )
            return write.keep(done, entry)

    def send_back(self, case_id: int, user: User, *, reason: str, revision: int | None = None) -> Case:
        """Return a decided case to its assessor instead of concluding it."""
        with self._write(case_id, revision) as write:
            check_can_work(write.case, user)
            check_status(write.case, (CaseStatus.DECIDED,), "send it back", "trả lại")
            return self._move(write, CaseStatus.TAKEN, "sent_back", user, kept_text(reason, "lý do / reason"))

    def conclude(self, case_id: int, user: User, *, reason: str, revision: int | None = None) -> Case:
        """Close the case with its decisions: by a second person, never by one who decided."""
        with self._write(case_id, revision) as write:
            check_can_conclude(write.case, user)
            return self._move(write, CaseStatus.CONCLUDED, "concluded", user, kept_text(reason, "lý do / reason"))

    def reopen(self, case_id: int, user: User, *, reason: str, revision: int | None = None) -> Case:
        """Let a concluded case be decided anew; its decisions stand until they are superseded."""
        with self._write(case_id, revision) as write:
            check_can_reopen(write.case, user)
            return self._move(
                write, CaseStatus.REOPENED, "reopened", user, kept_text(reason, "lý do / reason"), assignee=None
            )

    def note(self, case_id: int, user: User, *, text: str) -> Case:
        """Keep a remark in the case's history, in whatever status it is."""
        text = kept_text(text, "ghi chú / note")
        with self._write(case_id, None) as write:
            check_can_work(write.case, user)
            at = self._clock()
            noted = replace(write.case, changed_at=at)
            return write.keep(noted, entry_of(write.case, noted, action="noted", actor=user.name, reason=text, at=at))

    # Inner parts

    @contextmanager
    def _write(self, case_id: int, revision: int | None) -> Generator[_Write]:
        with self._database.write() as session:
            row = session.get(CaseRow, case_id, with_for_update=True) if case_id <= LARGEST_ID else None
            if row is None:
                raise UnknownCase(case_id)
            if revision is not None and revision != row.revision:
                raise CaseChanged(
                    f"case {case_id} was changed meanwhile: load the page again",
                    vi=f"Vụ việc {case_id} vừa được người khác thay đổi: hãy tải lại trang",
                )
            yield _Write(session, row, _cases(session, [row])[0])

    def _move(
        self,
        write: _Write,
        to: CaseStatus,
        action: str,
        user: User,
        reason: str,
        *,
        assignee: str | EllipsisType | None = ...,
        due: date | None = None,
    ) -> Case:
        moved, entry = move(
            write.case,
            to,
            action=action,
            actor=user.name,
            reason=reason,
            at=self._clock(),
            assignee=write.case.assignee if isinstance(assignee, EllipsisType) else assignee,
            answer_due=due,
        )
        return write.keep(moved, entry)

    def _after_deciding(self, write: _Write, status: CaseStatus) -> Case:
        if status is not write.case.status:
            check_move(write.case, status)
        return replace(write.case, status=status, changed_at=self._clock(), revision=write.case.revision + 1)

    def _insert(self, session: Session, claim: ClaimAtOpening, user: User) -> Case:
        at = self._clock()
        row = CaseRow(
            run_id=claim.run_id,
            entity_level="claim",
            entity_id=claim.entity_id,
            ma_cskcb=claim.ma_cskcb,
            province=claim.ma_cskcb[:2],
            claim_version=claim.claim_version,
            model_version=claim.model_version,
            snapshot=claim.snapshot,
            lane=claim.lane,
            score=claim.score,
            t_bhtt=claim.t_bhtt,
            amount_at_risk=claim.amount_at_risk,
            expected_recoverable=claim.expected_recoverable,
            schemes=list(claim.schemes),
            evidence=[dict(item) for item in claim.evidence],
            status=CaseStatus.NEW.value,
            assignee=None,
            answer_due=None,
            opened_by=user.name,
            opened_at=at,
            changed_at=at,
            concluded_by=None,
            concluded_at=None,
            revision=1,
        )
        session.add(row)
        session.flush()
        case = _case(row, frozenset())
        entry = AuditEntry(
            actor=user.name,
            action="case.opened",
            object_type="case",
            object_id=str(case.id),
            at=at,
            after={
                "entity_id": case.entity_id,
                "run_id": case.run_id,
                "status": case.status,
                "lane": case.lane,
                "t_bhtt": case.t_bhtt,
                "amount_at_risk": case.amount_at_risk,
                "expected_recoverable": case.expected_recoverable,
            },
        )
        append(session, entry)
        return case


def _opened(session: Session, claim: ClaimAtOpening) -> Case | None:
    query = select(CaseRow).where(
        CaseRow.run_id == claim.run_id, CaseRow.entity_level == "claim", CaseRow.entity_id == claim.entity_id
    )
    row = session.scalar(query)
    return None if row is None else _cases(session, [row])[0]


def _add_decision(
    session: Session, case: Case, values: dict[str, Any], actor: str, at: datetime, old: DecisionRow | None
) -> Decision:
    row = DecisionRow(
        case_id=case.id,
        claim_id=case.entity_id,
        line_table=values["line_table"],
        row_no=values["row_no"],
        outcome=values["outcome"],
        amount_before=values["amount_before"],
        amount_refused=values["amount_refused"],
        reason=values["reason"],
        legal_basis=values["legal_basis"],
        decided_by=actor,
        decided_at=at,
        superseded_by=None,
    )
    session.add(row)
    session.flush()
    if old is not None:
        old.superseded_by = row.id
        session.flush()
    return _decision(row)


def _current(session: Session, case_id: int) -> dict[tuple[str, int] | None, DecisionRow]:
    """What was said last of each line, a withdrawal too: the entry that a newer one supersedes."""
    query = select(DecisionRow).where(DecisionRow.case_id == case_id, DecisionRow.superseded_by.is_(None))
    return {_decision(row).line: row for row in session.scalars(query)}


def _decisions(session: Session, case_id: int) -> list[Decision]:
    query = select(DecisionRow).where(DecisionRow.case_id == case_id).order_by(DecisionRow.id)
    return [_decision(row) for row in session.scalars(query)]


def _deciders(session: Session, case_ids: Sequence[int]) -> dict[int, frozenset[str]]:
    found: dict[int, set[str]] = {}
    for start in range(0, len(case_ids), IDS_AT_ONCE):
        query = (
            select(DecisionRow.case_id, DecisionRow.decided_by)
            .where(DecisionRow.case_id.in_(case_ids[start : start + IDS_AT_ONCE]))
            .where(DecisionRow.superseded_by.is_(None), DecisionRow.outcome != "withdrawn")
        )
        for case_id, name in session.execute(query):
            found.setdefault(case_id, set()).add(name)
    return {case_id: frozenset(names) for case_id, names in found.items()}


def _cases(session: Session, rows: Sequence[CaseRow]) -> list[Case]:
    deciders = _deciders(session, [row.id for row in rows])
    return [_case(row, deciders.get(row.id, frozenset())) for row in rows]


def _case(row: CaseRow, deciders: frozenset[str]) -> Case:
    return Case(
        id=row.id,
        run_id=row.run_id,
        entity_level=cast("EntityLevel", row.entity_level),
        entity_id=row.entity_id,
        ma_cskcb=row.ma_cskcb,
        claim_version=row.claim_version,
        model_version=row.model_version,
        snapshot=row.snapshot,
        lane=cast("Lane", row.lane),
        score=row.score,
        t_bhtt=row.t_bhtt,
        amount_at_risk=row.amount_at_risk,
        expected_recoverable=row.expected_recoverable,
        schemes=tuple(row.schemes),
        evidence=tuple(row.evidence),
        status=CaseStatus(row.status),
        assignee=row.assignee,
        answer_due=row.answer_due,
        opened_by=row.opened_by,
        opened_at=row.opened_at,
        changed_at=row.changed_at,
        concluded_by=row.concluded_by,
        concluded_at=row.concluded_at,
        revision=row.revision,
        deciders=deciders,
    )


def _decision(row: DecisionRow) -> Decision:
    return Decision(
        id=row.id,
        case_id=row.case_id,
        claim_id=row.claim_id,
        line_table=row.line_table,
        row_no=row.row_no,
        outcome=cast("Outcome", row.outcome),
        amount_before=row.amount_before,
        amount_refused=row.amount_refused,
        reason=row.reason,
        legal_basis=row.legal_basis,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        superseded_by=row.superseded_by,
    )


def _shown(decision: Decision) -> dict[str, Any]:
    """What the audit log keeps of a decision."""
    return {
        "decision": decision.id,
        "line_table": decision.line_table,
        "row_no": decision.row_no,
        "outcome": decision.outcome,
        "amount_before": decision.amount_before,
        "amount_refused": decision.amount_refused,
        "reason": decision.reason,
        "legal_basis": decision.legal_basis,
    }


def _label(decision: DecisionRow, case: CaseRow) -> Label:
    ma_cskcb, _, ma_lk = decision.claim_id.partition(":")
    return Label(
        case_id=case.id,
        run_id=case.run_id,
        model_version=case.model_version,
        snapshot=case.snapshot,
        lane=cast("Lane", case.lane),
        ma_cskcb=ma_cskcb,
        ma_lk=ma_lk,
        claim_version=case.claim_version,
        line_table=decision.line_table,
        row_no=decision.row_no,
        outcome=cast("Outcome", decision.outcome),
        amount_before=decision.amount_before,
        amount_refused=decision.amount_refused,
        schemes=tuple(case.schemes),
        reason=decision.reason,
        legal_basis=decision.legal_basis,
        decided_by=decision.decided_by,
        decided_at=decision.decided_at,
        concluded_by=case.concluded_by,
        concluded_at=case.concluded_at,
    )
