"""The worklist: the ranked claims of the newest run, as the reader filters, sorts and pages them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from fastapi.responses import Response

from service.accounts import check_may
from service.cases.model import CaseStatus
from service.reading import ClaimFilters, Facets
from service.web.pages.frame import PageRoute, VisitDep
from service.web.presenters.worklist import SIZE, CaseMark, Filters, worklist_view

if TYPE_CHECKING:
    from service.accounts import User
    from service.api.state import AppState

router = APIRouter(route_class=PageRoute, include_in_schema=False)

MOST_CASES = 20_000  # of one status, when the list is narrowed to it


@router.get("/")
def worklist(visit: VisitDep) -> Response:
    """The whole page, or only its table when htmx asks."""
    user, parts = visit.user, visit.parts
    check_may(user, "claims.read")
    filters = Filters.read(visit.request.query_params)
    page = parts.reading.worklist(
        user.scope, _claim_filters(parts, user, filters), filters.listing, filters.ordering, filters.page, SIZE
    )
    part = visit.request.headers.get("HX-Request") == "true"
    cases = parts.cases.of_entities(row.claim_id for row in page.rows)
    view = worklist_view(
        page,
        Facets() if part else parts.reading.facets(user.scope),  # a part has no select boxes to fill
        filters,
        cases={claim: CaseMark(status=case.status.value, assignee=case.assignee) for claim, case in cases.items()},
        facilities=parts.reading.facility_names({row.ma_cskcb for row in page.rows}),
        lang=visit.lang,
    )
    if part:
        return visit.part("_worklist_table.html", view=view)
    return visit.page("worklist.html", view=view)


def _claim_filters(parts: AppState, user: User, filters: Filters) -> ClaimFilters:
    return ClaimFilters(
        province=filters.province or None,
        facility=filters.facility or None,
        ma_loai_kcb=filters.care or None,
        scheme=filters.scheme or None,
        pattern=filters.pattern or None,
        flagged=filters.flagged,
        text=filters.text or None,
        date_from=filters.first_day,
        date_to=filters.last_day,
        **_with_status(parts, user, filters.status),
    )


def _with_status(parts: AppState, user: User, status: str) -> dict[str, Any]:
    """A claim without a case counts as new: for that status the others are left out instead."""
    if status not in {s.value for s in CaseStatus}:
        return {}
    others = status == CaseStatus.NEW
    wanted = [s for s in CaseStatus if s != CaseStatus.NEW] if others else [CaseStatus(status)]
    found = parts.cases.find(user.scope, statuses=wanted, limit=MOST_CASES)
    ids = [case.entity_id for case in found if case.entity_level == "claim"]
    return {"exclude": ids} if others else {"include": ids}
