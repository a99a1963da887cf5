"""The detector that docs/own-detector.md shows, as if its file lay in detectors/outliers/."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "own-detector.md"


def python_blocks(page: Path = PAGE) -> list[str]:
    """Every Python block of a Markdown page, in order."""
    return [part.split("```")[0] for part in page.read_text(encoding="utf-8").split("```python\n")[1:]]


def documented_detector() -> Any:
    """The `DETECTOR` of the page's first Python block."""
    module = ModuleType("documented")
    exec(compile(python_blocks()[0], str(PAGE), "exec"), vars(module))  # noqa: S102 - our own page
    return module.DETECTOR
