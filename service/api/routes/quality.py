"""How clean the data are, and the faults of export software that go back to facilities."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from data.quality import facility_card, month_of, scorecard
from service.accounts import User, can
from service.api import shapes
from service.api.access import AppDep, allowed

router = APIRouter(prefix="/api/v1", tags=["quality"])
RunReader = Annotated[User, Depends(allowed("runs.read"))]
MonthAsked = Annotated[
    str, Query(pattern=r"^(20[0-9]{2}(0[1-9]|1[0-2]))?$", description="yyyymm of discharge; default: everything")
]


@router.get("/quality")
def quality(app: AppDep, user: RunReader, month: MonthAsked = "") -> shapes.Quality:
    """Facilities within your area, worst first, their software tickets, and faults that most facilities share."""
    where, params = user.scope.sql_condition()
    card = scorecard(app.reading.newest(), month=month_of(month), where=where, params=params)
    found = shapes.Quality.model_validate(card)
    return found if can(user, "claims.read") else found.without_examples()


@router.get("/quality/{facility}")
def facility_quality(app: AppDep, user: RunReader, facility: str, month: MonthAsked = "") -> shapes.FacilityQuality:
    """One facility by table and by check, with its tickets."""
    where, params = user.scope.sql_condition()
    card = facility_card(app.reading.newest(), facility, month=month_of(month), where=where, params=params)
    found = shapes.FacilityQuality.model_validate(card)
    return found if can(user, "claims.read") else found.without_examples()
