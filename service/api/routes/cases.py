"""The review workflow: open, take, decide, ask the facility, conclude. Who may is the cases' own business."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query

from service.api import shapes
from service.api.access import AppDep, CaseReader, CaseWorker
from service.api.cursors import read_number
from service.api.presenting import case_detail, case_list
from service.api.routes.claims import NotScored
from service.cases.model import BadDecision, CaseStatus, ClaimAtOpening, LineDecision
from service.cases.policies import check_can_view

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from service.accounts import User
    from service.api.state import AppState
    from service.cases.model import Case

router = APIRouter(prefix="/api/v1/cases", tags=["cases"])
SIZE = 50
MOST = 500


@router.get("")
def cases(
    app: AppDep,
    user: CaseReader,
    status: Annotated[list[CaseStatus] | None, Query()] = None,
    assignee: Annotated[str | None, Query(max_length=64)] = None,
    run: Annotated[str | None, Query(max_length=100)] = None,
    cursor: Annotated[str | None, Query(max_length=1000)] = None,
    size: Annotated[int, Query(ge=1, le=MOST)] = SIZE,
) -> shapes.CaseList:
    """Cases within your area, newest first."""
    before = read_number(cursor) if cursor else None
    found = app.cases.find(
        user.scope, statuses=status or (), assignee=assignee, run_id=run, before_id=before, limit=size
    )
    return case_list(found, size)


@router.post("", status_code=201)
def open_case(app: AppDep, user: CaseWorker, sent: shapes.OpenCase) -> shapes.Case:
    """Open a case about a scored claim; opening it again gives the case there is."""
    detail = app.reading.claim(user.scope, sent.claim_id, sent.run_id)
    if detail.run is None or detail.row is None:
        raise NotScored(sent.claim_id)
    claim = ClaimAtOpening(
        run_id=detail.run.run_id,
        ma_cskcb=detail.row.ma_cskcb,
        ma_lk=detail.row.ma_lk,
        t_bhtt=detail.row.t_bhtt,
        amount_at_risk=detail.row.amount_at_risk,
        expected_recoverable=detail.row.expected_recoverable,
        score=detail.row.score,
        claim_version=detail.row.version,
        model_version=detail.run.model_version,
        snapshot=detail.run.snapshot,
        schemes=detail.row.schemes,
        evidence=detail.evidence,
        lane=sent.lane,
    )
    return _shown(app.cases.open(claim, user))


@router.get("/{case_id}")
def one_case(app: AppDep, user: CaseReader, case_id: int) -> shapes.CaseDetail:
    """A case with its decisions and the audit trail."""
    case = _viewed(app, user, case_id)
    return case_detail(case, app.cases.decisions(case_id), app.cases.history(case_id))


@router.post("/{case_id}/take")
def take(app: AppDep, user: CaseWorker, case_id: int, sent: shapes.Move) -> shapes.Case:
    """Become the one who works on the case."""
    return _shown(app.cases.take(case_id, user, revision=sent.revision))


@router.post("/{case_id}/release")
def release(app: AppDep, user: CaseWorker, case_id: int, sent: shapes.ReasonedMove) -> shapes.Case:
    """Give the case back so that another can take it."""
    return _shown(app.cases.release(case_id, user, reason=sent.reason, revision=sent.revision))


@router.post("/{case_id}/decisions")
def decide(app: AppDep, user: CaseWorker, case_id: int, sent: shapes.Decide) -> shapes.Decided:
    """Decide lines, or the claim as a whole; a line decided before gets a newer decision."""
    case = _viewed(app, user, case_id)
    paid = app.reading.paid(user.scope, case.entity_id, case.claim_version)
    lines = [_line(choice, paid) for choice in sent.lines]
    changed, decisions = app.cases.decide(case_id, lines, user, revision=sent.revision)
    return shapes.Decided(
        case=_shown(changed), decisions=[shapes.Decision.model_validate(decision) for decision in decisions]
    )


@router.post("/{case_id}/decisions/{decision_id}/undo")
def undo(app: AppDep, user: CaseWorker, case_id: int, decision_id: int, sent: shapes.ReasonedMove) -> shapes.Case:
    """Make a line undecided again; the decision stays readable."""
    _viewed(app, user, case_id)
    if decision_id not in {decision.id for decision in app.cases.decisions(case_id)}:
        raise BadDecision(
            f"case {case_id} has no decision {decision_id}",
            vi=f"Vụ việc {case_id} không có quyết định số {decision_id}",
        )
    return _shown(app.cases.undo(decision_id, user, reason=sent.reason, revision=sent.revision))


@router.post("/{case_id}/ask-facility")
def ask_facility(app: AppDep, user: CaseWorker, case_id: int, sent: shapes.AskFacility) -> shapes.Case:
    """Wait for the facility to explain or to send papers."""
    return _shown(app.cases.ask_facility(case_id, user, question=sent.question, due=sent.due, revision=sent.revision))


@router.post("/{case_id}/facility-answer")
def facility_answer(app: AppDep, user: CaseWorker, case_id: int, sent: shapes.FacilityAnswer) -> shapes.Case:
    """Go on with what the facility answered."""
    return _shown(app.cases.answer_received(case_id, user, answer=sent.answer, revision=sent.revision))


@router.post("/{case_id}/send-back")
def send_back(app: AppDep, user: CaseWorker, case_id: int, sent: shapes.ReasonedMove) -> shapes.Case:
    """Return a decided case to its assessor instead of concluding it."""
    return _shown(app.cases.send_back(case_id, user, reason=sent.reason, revision=sent.revision))


@router.post("/{case_id}/conclude")
def conclude(app: AppDep, user: CaseWorker, case_id: int, sent: shapes.ReasonedMove) -> shapes.Case:
    """Close the case with its decisions: a second person does, never one who decided."""
    return _shown(app.cases.conclude(case_id, user, reason=sent.reason, revision=sent.revision))


@router.post("/{case_id}/reopen")
def reopen(app: AppDep, user: CaseWorker, case_id: int, sent: shapes.ReasonedMove) -> shapes.Case:
    """Let a concluded case be decided anew."""
    return _shown(app.cases.reopen(case_id, user, reason=sent.reason, revision=sent.revision))


@router.post("/{case_id}/notes")
def note(app: AppDep, user: CaseWorker, case_id: int, sent: shapes.Note) -> shapes.Case:
    """Keep a remark in the case's history."""
    return _shown(app.cases.note(case_id, user, text=sent.text))


def _viewed(app: AppState, user: User, case_id: int) -> Case:
    case = app.cases.get(case_id)
    check_can_view(case, user)
    return case


def _line(choice: shapes.LineChoice, paid: Mapping[tuple[str, int] | None, Decimal]) -> LineDecision:
    line = None if choice.line_table is None or choice.row_no is None else (choice.line_table, choice.row_no)
    if line not in paid:
        raise BadDecision(
            f"the claim has no line {choice.line_table}:{choice.row_no}",
            vi=f"Hồ sơ không có dòng {choice.line_table}:{choice.row_no}",
        )
    return LineDecision(
        outcome=choice.outcome,
        amount_before=paid[line],
        amount_refused=choice.amount_refused,
        reason=choice.reason,
        line_table=choice.line_table,
        row_no=choice.row_no,
        legal_basis=choice.legal_basis,
    )


def _shown(case: Case) -> shapes.Case:
    return shapes.Case.model_validate(case)
