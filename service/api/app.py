"""The web application: API, health and, when they are there, the pages, behind the same guards."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from service.api.access import SESSION_COOKIE
from service.api.metrics import Metrics
from service.api.middleware import BoundedBodies, Measured, SafeAnswers
from service.api.routes import cases, claims, entities, health, quality, runs, score
from service.problems import MACHINE_PATHS, MEDIA_TYPE, add_problem_handlers

if TYPE_CHECKING:
    from service.api.state import AppState

PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457; title and detail in Vietnamese or English by Accept-Language",
    "required": ["type", "title", "status", "detail", "instance", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "code": {"type": "string", "description": "stable: programs may rely on it"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}


def create_app(state: AppState, *, pages: bool = True) -> FastAPI:
    """The application over the parts of `state`, with the web pages unless `pages` is false.

    Raises AssetsMissing when pages are wanted and their browser assets were not copied.
    """
    app = FastAPI(title="Minh Bạch", version=_version(), docs_url=None, redoc_url=None, openapi_url=None)
    app.state.parts = state
    app.state.metrics = Metrics()
    add_problem_handlers(app)
    for routes in (health, score, claims, entities, cases, runs, quality):
        app.include_router(routes.router)
    _describe(app)
    if pages:
        from service.web import add_pages  # programs that want the API alone do without templates

        add_pages(app, state)
    app.add_middleware(BoundedBodies)
    app.add_middleware(Measured, metrics=app.state.metrics)
    app.add_middleware(SafeAnswers, https_only=state.settings.secure_cookies)  # added last: outermost
    return app


def _describe(app: FastAPI) -> None:
    """OpenAPI of the programs' routes, with how to sign in and what every error looks like; made when asked for."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title,
                version=app.version,
                description="Signs (dấu hiệu) in health insurance claims: ranked, explained, reviewed.",
                routes=app.routes,
            )
            paths = {path: found for path, found in document["paths"].items() if path.startswith(MACHINE_PATHS)}
            document["paths"] = paths
            parts = document.setdefault("components", {})
            parts.setdefault("schemas", {})["Problem"] = PROBLEM_SCHEMA
            parts["securitySchemes"] = {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE},
            }
            problem = {"content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
            for path, operations in paths.items():
                for operation in operations.values():
                    operation["responses"].pop("422", None)
                    operation["responses"]["default"] = {"description": "Problem"} | problem
                    if path not in ("/healthz", "/readyz"):
                        operation["security"] = [{"token": []}, {"session": []}]
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi


def _version() -> str:
    try:
        return version("minhbach")
    except PackageNotFoundError:  # run from the sources without an install
        return "0"
