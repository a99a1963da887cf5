"""The claim's page and the work on its case. Every act is a form of its own; what was done is kept, then shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from fastapi.responses import Response

from service.accounts import NotPermitted, can, check_may
from service.audit import BadText
from service.cases.model import BadDecision, BadMove, CaseChanged, CaseStatus, ClaimAtOpening
from service.cases.policies import can_view
from service.web.pages.frame import FormDep, PageRoute, Visit, VisitDep, not_found
from service.web.presenters.case import REASONS, Draft, case_view, read_draft, whole_claim
from service.web.presenters.claim import claim_view
from service.web.presenters.oversight import audit_view
from service.web.presenters.worklist import claim_href

if TYPE_CHECKING:
    from service.cases.model import Case
    from service.reading import ClaimDetail
    from service.web.pages.frame import FormFields

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/claims/{ma_cskcb}/{ma_lk:path}")
def claim_page(visit: VisitDep, ma_cskcb: str, ma_lk: str) -> Response:
    """Why the claim is in the list, what it holds, and where the work on it stands."""
    claim = _claim(visit, ma_cskcb, ma_lk)
    return _page(visit, claim)


@router.get("/evidence/{ma_cskcb}/{ma_lk:path}")
def evidence(visit: VisitDep, ma_cskcb: str, ma_lk: str) -> Response:
    """Every signal of the claim with what produced it, as a file to keep."""
    claim = _claim(visit, ma_cskcb, ma_lk)
    run = claim.run
    content: dict[str, Any] = {
        "claim_id": claim.claim_id,
        "run_id": run.run_id if run else None,
        "model_version": run.model_version if run else None,
        "snapshot": run.snapshot if run else None,
        "score": claim.row.score if claim.row else None,
        "amount_at_risk": str(claim.row.amount_at_risk) if claim.row else None,
        "expected_recoverable": str(claim.row.expected_recoverable) if claim.row else None,
        "schemes": list(claim.row.schemes) if claim.row else [],
        "evidence": [dict(item) for item in claim.evidence],
    }
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in f"{ma_cskcb}_{ma_lk}")
    return Response(
        json.dumps(content, ensure_ascii=False, indent=2),
        media_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="evidence_{safe}.json"'},
    )


@router.post("/claims/{ma_cskcb}/{ma_lk:path}")
def act(visit: VisitDep, form: FormDep, ma_cskcb: str, ma_lk: str) -> Response:
    """One act on the claim's case. A fault comes back on the same page, beside what was typed."""
    claim = _claim(visit, ma_cskcb, ma_lk)
    visit.check_form(form.values)
    draft: Draft | None = None
    try:
        if form.get("act") == "decide":
            draft = read_draft(form.values, form.picked, claim.lines, lang=visit.lang)
            if not draft.complete:
                return _page(visit, claim, status=422, draft=draft)
        flash = _perform(visit, claim, form, draft)
    except (BadMove, BadDecision, BadText, CaseChanged, NotPermitted) as error:
        return _page(visit, claim, status=error.http_status, draft=draft, error=visit.say(error))
    return visit.go(claim_href(ma_cskcb, ma_lk), flash=flash)


def _perform(visit: Visit, claim: ClaimDetail, form: FormFields, draft: Draft | None) -> str:
    """Do the act; returns the message to show."""
    cases, user, note = visit.parts.cases, visit.user, form.get("note")
    case = _current_case(visit, claim)
    name = form.get("act")
    if name == "take":
        opened = case or cases.open(_at_opening(claim), user)
        cases.take(opened.id, user, revision=_revision(form) if case else None)
        return "taken"
    if case is None:
        raise BadMove("take the case first", vi="Hãy nhận hồ sơ trước")
    revision = _revision(form)
    if name == "decide" and draft is not None:
        cases.decide(case.id, draft.decisions, user, revision=revision)
        return "decided"
    if name == "accept":
        cases.decide(case.id, [whole_claim(claim, note, lang=visit.lang)], user, revision=revision)
        return "decided"
    if name == "undo":
        decision = form.get("decision")
        if decision not in {str(d.id) for d in cases.decisions(case.id)}:
            not_found()
        cases.undo(int(decision), user, reason=note, revision=revision)
        return "undone"
    moves: dict[str, tuple[Callable[[], Case], str]] = {
        "conclude": (lambda: cases.conclude(case.id, user, reason=note, revision=revision), "concluded"),
        "send_back": (lambda: cases.send_back(case.id, user, reason=note, revision=revision), "changed"),
        "ask": (lambda: cases.ask_facility(case.id, user, question=note, revision=revision), "changed"),
        "answered": (lambda: cases.answer_received(case.id, user, answer=note, revision=revision), "changed"),
        "release": (lambda: cases.release(case.id, user, reason=note, revision=revision), "changed"),
        "reopen": (lambda: cases.reopen(case.id, user, reason=note, revision=revision), "changed"),
    }
    if name not in moves:
        not_found()
    move, flash = moves[name]
    move()
    return flash


def _claim(visit: Visit, ma_cskcb: str, ma_lk: str) -> ClaimDetail:
    check_may(visit.user, "claims.read")
    return visit.parts.reading.claim(visit.user.scope, f"{ma_cskcb}:{ma_lk}")


def _page(
    visit: Visit, claim: ClaimDetail, *, status: int = 200, draft: Draft | None = None, error: str = ""
) -> Response:
    parts, user = visit.parts, visit.user
    code, link = str(claim.encounter["ma_cskcb"]), str(claim.encounter["ma_lk"])
    case = _current_case(visit, claim)
    return visit.page(
        "claim.html",
        status=status,
        view=claim_view(claim, facility=parts.reading.facility_names({code}).get(code), lang=visit.lang),
        case=case_view(
            claim,
            case,
            parts.cases.decisions(case.id) if case else (),
            user=user,
            lang=visit.lang,
            draft=draft,
            error=error,
        ),
        reasons=REASONS,
        audit=[audit_view(r, lang=visit.lang) for r in parts.cases.history(case.id)] if case else [],
        evidence_href=claim_href(code, link).replace("/claims/", "/evidence/", 1),
    )


def _current_case(visit: Visit, claim: ClaimDetail) -> Case | None:
    """The newest case of the claim; a concluded one about an older version of the claim is past."""
    if not can(visit.user, "cases.read"):
        return None
    for case in visit.parts.cases.of_entity(claim.claim_id):
        version = claim.row.version if claim.row else None
        past = case.status is CaseStatus.CONCLUDED and version is not None and case.claim_version != version
        return case if can_view(case, visit.user) and not past else None
    return None


def _at_opening(claim: ClaimDetail) -> ClaimAtOpening:
    row, run = claim.row, claim.run
    if row is None or run is None:
        raise BadMove(
            "the claim was not scored: a case is opened from a scored claim",
            vi="Hồ sơ chưa được chấm điểm: vụ việc được mở từ hồ sơ đã chấm điểm",
        )
    return ClaimAtOpening(
        run_id=run.run_id,
        ma_cskcb=row.ma_cskcb,
        ma_lk=row.ma_lk,
        t_bhtt=row.t_bhtt,
        amount_at_risk=row.amount_at_risk,
        expected_recoverable=row.expected_recoverable,
        score=row.score,
        claim_version=row.version,
        model_version=run.model_version,
        snapshot=run.snapshot,
        schemes=row.schemes,
        evidence=claim.evidence,
        lane="flag" if row.flagged else "chosen",
    )


def _revision(form: FormFields) -> int | None:
    text = form.get("revision")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
