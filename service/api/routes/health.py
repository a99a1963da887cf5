"""Is it alive, can it work, how is it doing; and what the API looks like."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, cast

from fastapi import APIRouter, Depends
from fastapi.requests import Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy import text

from data.errors import MinhBachError
from service.api import shapes
from service.api.access import AppDep, allowed, identified
from service.api.routes.score import NoModel

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.api.metrics import Metrics
    from service.api.state import AppState

router = APIRouter(tags=["health"])
LOG = logging.getLogger(__name__)


@router.get("/healthz")
def alive() -> shapes.Health:
    """The process answers."""
    return shapes.Health(status="ok")


@router.get("/readyz", responses={503: {"model": shapes.Health}})
def ready(app: AppDep) -> JSONResponse:
    """Database and lake can be read, and a model is loaded."""
    checks = {
        "database": _works(lambda: _ask_database(app)),
        "lake": _works(app.reading.snapshot),
        "model": _works(lambda: _ask_model(app)),
    }
    fine = all(checks.values())
    health = shapes.Health(status="ok" if fine else "unavailable", checks=checks)
    return JSONResponse(health.model_dump(), status_code=200 if fine else 503)


@router.get("/metrics", response_class=Response, dependencies=[Depends(allowed("metrics.read"))])
def metrics(request: Request, app: AppDep) -> Response:
    """Figures for Prometheus."""
    figures = cast("Metrics", request.app.state.metrics)
    return Response(figures.text(app), media_type=CONTENT_TYPE_LATEST)


@router.get("/openapi.json", include_in_schema=False, dependencies=[Depends(identified)])
def openapi(request: Request) -> JSONResponse:
    """The API's description."""
    return JSONResponse(cast("dict[str, Any]", request.app.openapi()))


def _ask_database(app: AppState) -> None:
    with app.database.read() as session:
        session.execute(text("SELECT 1"))


def _ask_model(app: AppState) -> int:
    if app.scorer is None:
        raise NoModel
    return app.scorer.model_version


def _works(check: Callable[[], object]) -> bool:
    try:
        check()
    except MinhBachError as error:
        LOG.warning("not ready: %s", error)
        return False
    except Exception:  # whatever is wrong, the answer is that the part does not work
        LOG.exception("a part of the service is not ready")
        return False
    return True
