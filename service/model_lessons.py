"""What the model versions in use learned from assessors' decisions, from their bundles on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.bundle import BrokenBundle, trained_of
from models.feedback import Lessons

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLessons:
    """One version that an alias means now."""

    version: int
    aliases: tuple[str, ...]
    readable: bool  # its bundle is on this machine
    lessons: Lessons | None  # none: it was trained without decisions, or is not readable


def lessons_of(registry: Registry, aliases: Mapping[str, int]) -> list[ModelLessons]:
    """Of each version that `aliases` name, the newest first."""
    found: list[ModelLessons] = []
    for version in sorted(set(aliases.values()), reverse=True):
        try:
            outcomes, readable = trained_of(registry.folder(version)).get("outcomes"), True
        except BrokenBundle:
            outcomes, readable = None, False
        found.append(
            ModelLessons(
                version=version,
                aliases=tuple(sorted(alias for alias, meant in aliases.items() if meant == version)),
                readable=readable,
                lessons=Lessons.from_json(outcomes) if outcomes else None,
            )
        )
    return found
