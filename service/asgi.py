"""The web application of one server process, as uvicorn makes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.api import create_app
from service.bootstrap import App
from service.settings import load_settings

if TYPE_CHECKING:
    from fastapi import FastAPI


def make() -> FastAPI:
    """API and pages over the stores of this process's settings."""
    return create_app(App(load_settings()).state())
