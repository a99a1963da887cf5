"""Templates to pages: one Jinja environment, strict about names, with the texts of the reader's language at hand."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from service.web.assets import content_hashes
from service.web.formats import Lang
from service.web.texts import Words

TEMPLATES = Path(__file__).resolve().parent / "templates"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    hashes = content_hashes()

    def static(path: str) -> str:
        return f"/static/{path}?v={hashes[path]}"

    cast("dict[str, Any]", environment.globals)["static"] = static  # Jinja types it after its own
    return environment


def render(template: str, lang: Lang, context: Mapping[str, Any]) -> str:
    """The page `template` makes of `context`, which must hold every name the template uses."""
    words = Words(lang)
    return _environment().get_template(template).render(**context, t=words, lang=lang)
