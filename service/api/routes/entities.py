"""Ranked doctors, facilities and patients: one set of routes a level, all alike."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from service.api import shapes
from service.api.access import AppDep, ClaimReader
from service.api.cursors import read_place
from service.api.presenting import entity_list
from service.reading import EntityFilters

if TYPE_CHECKING:
    from service.reading import Level

router = APIRouter(prefix="/api/v1")
SIZE = 50
MOST = 500


class EntityQuery(BaseModel):
    """Filters of the ranking; a name that is not here is refused rather than ignored."""

    model_config = ConfigDict(extra="forbid")

    province: str | None = Field(default=None, max_length=2)
    facility: str | None = Field(default=None, max_length=5, description="MA_CSKCB")
    scheme: str | None = Field(default=None, max_length=64)
    flagged: bool = False
    min_amount: Decimal | None = Field(default=None, ge=0, description="of amount_at_risk, VND")
    text: str | None = Field(default=None, max_length=200, description="part of the id")
    run: str | None = Field(default=None, max_length=100, description="default: the newest run")
    cursor: str | None = Field(default=None, max_length=1000)
    size: int = Field(default=SIZE, ge=1, le=MOST)

    def filters(self) -> EntityFilters:
        """What the ranking is filtered by."""
        return EntityFilters(**self.model_dump(exclude={"run", "cursor", "size"}))


def _add_level(level: Level, path: str) -> None:
    def ranked(app: AppDep, user: ClaimReader, query: Annotated[EntityQuery, Query()]) -> shapes.EntityList:
        run_id, place = read_place(query.cursor) if query.cursor else (query.run, None)
        if run_id is None:
            newest = app.reading.latest_run()
            run_id = newest.run_id if newest else None
        rows = app.reading.entities_after(level, user.scope, query.filters(), place, query.size, run_id)
        return entity_list(run_id, rows, query.size)

    def one(app: AppDep, user: ClaimReader, entity_id: str, run: str | None = None) -> shapes.EntityDetail:
        return shapes.EntityDetail.model_validate(app.reading.entity(level, user.scope, entity_id, run))

    ranked.__doc__ = f"The {path} of a run, best first, within your area."
    one.__doc__ = f"One {level} and what stands behind the score."
    router.add_api_route(f"/{path}", ranked, name=f"ranked_{path}", tags=[path])
    router.add_api_route(f"/{path}/{{entity_id:path}}", one, name=f"one_{level}", tags=[path])


_add_level("doctor", "doctors")
_add_level("facility", "facilities")
_add_level("patient", "patients")
