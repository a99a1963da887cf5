"""How clean the data are and what goes back to the facilities, within the reader's area."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from data.quality import facility_card, month_of, scorecard
from service.accounts import can, check_may
from service.web.pages.frame import PageRoute, VisitDep
from service.web.presenters.quality import facility_view, quality_view

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/quality")
def overview(visit: VisitDep) -> Response:
    """Facilities, worst first, and the tickets."""
    user = visit.user
    check_may(user, "runs.read")
    where, params = user.scope.sql_condition()
    month = month_of(visit.request.query_params.get("month", ""))
    card = scorecard(visit.parts.reading.newest(), month=month, where=where, params=params)
    return visit.page("quality.html", view=quality_view(card, lang=visit.lang, claims=can(user, "claims.read")))


@router.get("/quality/{facility}")
def one_facility(visit: VisitDep, facility: str) -> Response:
    """One facility with its tickets, tables and faults."""
    user = visit.user
    check_may(user, "runs.read")
    where, params = user.scope.sql_condition()
    month = month_of(visit.request.query_params.get("month", ""))
    card = facility_card(visit.parts.reading.newest(), facility, month=month, where=where, params=params)
    claims = can(user, "claims.read")
    return visit.page("quality_facility.html", view=facility_view(card, lang=visit.lang, claims=claims))
