"""The page of a doctor or a facility: where it stands in the run, and what changed over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter
from fastapi.responses import Response

from service.accounts import check_may
from service.web.pages.frame import PageRoute, Visit, VisitDep
from service.web.presenters.entity import entity_view

if TYPE_CHECKING:
    from service.reading import Level

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/doctors/{entity_id:path}")
def doctor(visit: VisitDep, entity_id: str) -> Response:
    """One doctor at one facility."""
    return _page(visit, "doctor", entity_id)


@router.get("/facilities/{entity_id}")
def facility(visit: VisitDep, entity_id: str) -> Response:
    """One facility."""
    return _page(visit, "facility", entity_id)


def _page(visit: Visit, level: Level, entity_id: str) -> Response:
    check_may(visit.user, "claims.read")
    reading = visit.parts.reading
    run = reading.run()
    found = reading.entity(level, visit.user.scope, entity_id, run.run_id)
    code = entity_id.partition(":")[0]
    name = reading.facility_names([code]).get(code)
    return visit.page("entity.html", view=entity_view(found, run, name, lang=visit.lang))
