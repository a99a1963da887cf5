"""What stands behind the list: the audit trail, the scoring runs, the models and their history."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from fastapi import APIRouter
from fastapi.responses import Response

from service.accounts import can, check_may
from service.audit import entries, verify_chain
from service.model_lessons import lessons_of
from service.web.pages.frame import PageRoute, VisitDep
from service.web.presenters.lessons import lessons_view
from service.web.presenters.oversight import audit_view, chain_view, model_event_view, model_views, run_view

router = APIRouter(route_class=PageRoute, include_in_schema=False)

AUDIT_SIZE = 100
FAMILIES = ("case", "session", "user", "token", "model")
"""Kinds of acts the trail can be narrowed to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilters:
    """What of the trail is wanted."""

    about: str
    actor: str
    action: str


@router.get("/audit")
def audit(visit: VisitDep) -> Response:
    """The trail, newest first: all of it for those who oversee, one's own acts for the others."""
    user, query = visit.user, visit.request.query_params
    whole = can(user, "audit.read")
    if not whole:
        check_may(user, "cases.read")
    filters = AuditFilters(
        about=query.get("about", "").strip()[:120],
        actor=query.get("actor", "").strip().lower()[:80] if whole else user.name,
        action=query.get("action", "") if query.get("action", "") in FAMILIES else "",
    )
    about = _object(visit, filters.about)
    before = query.get("before", "")
    with visit.parts.database.read() as session:
        found = entries(
            session,
            object_type="case" if about is not None else None,
            object_id=about,
            actor=filters.actor or None,
            action=filters.action or None,
            before_seq=int(before) if before.isascii() and before.isdigit() and len(before) < 10 else None,
            limit=AUDIT_SIZE + 1,
        )
        chain = chain_view(verify_chain(session), lang=visit.lang) if whole else None
    asked = {"about": filters.about, "action": filters.action, "actor": query.get("actor", "")}
    older = (
        {**{k: v for k, v in asked.items() if v}, "before": str(found[AUDIT_SIZE - 1].seq)}
        if found[AUDIT_SIZE:]
        else None
    )
    return visit.page(
        "audit.html",
        entries=[audit_view(record, lang=visit.lang) for record in found[:AUDIT_SIZE]],
        chain=chain,
        filters=filters,
        families=FAMILIES,
        own_only=not whole,
        older=f"/audit?{urlencode(older)}" if older else "",
    )


@router.get("/runs")
def runs(visit: VisitDep) -> Response:
    """Every scoring run."""
    check_may(visit.user, "runs.read")
    return visit.page("runs.html", runs=[run_view(run, lang=visit.lang) for run in visit.parts.reading.runs()])


@router.get("/models")
def models(visit: VisitDep) -> Response:
    """Every model version and what became of it."""
    check_may(visit.user, "models.read")
    parts = visit.parts
    history = parts.models.history()
    return visit.page(
        "models.html",
        lessons=[
            lessons_view(each, lang=visit.lang)
            for each in lessons_of(parts.registry, parts.models.aliases(parts.clock()))
        ],
        models=model_views(history, parts.reading.runs(), lang=visit.lang),
        events=[model_event_view(event, lang=visit.lang) for event in history],
    )


def _object(visit: VisitDep, about: str) -> str | None:
    """The case meant by a number or a claim's id; an id that no case has, when there is none."""
    if not about:
        return None
    if ":" not in about:
        return about
    cases = visit.parts.cases.of_entity(about)
    return str(cases[0].id) if cases else "none"
