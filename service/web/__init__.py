"""The pages people use, on the same application as the API: server-rendered, a little htmx, everything served by us."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.web.static_files import VersionedFiles

if TYPE_CHECKING:
    from fastapi import FastAPI

    from service.api.state import AppState


def add_pages(app: FastAPI, state: AppState) -> None:
    """Add the pages and their static files to `app`, which serves the parts of `state`.

    Raises AssetsMissing when the browser assets were not copied.
    """
    from service.web.assets import check_vendor
    from service.web.pages import claim, entity, oversight, people, quality, rules, worklist
    from service.web.pages.frame import problem_page

    check_vendor()
    app.state.parts = state
    app.state.page_problem = problem_page
    app.mount("/static", VersionedFiles(), name="static")
    for module in (people, worklist, claim, entity, quality, rules, oversight):
        app.include_router(module.router)
