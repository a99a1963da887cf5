"""Writes docs/catalogue.md: every rule and every feature, from the code that makes them. `make catalogue`."""

from __future__ import annotations

from pathlib import Path

from detectors.rulebook import catalogue_markdown
from features.base import Level, discover

PAGE = Path(__file__).resolve().parents[1] / "docs" / "catalogue.md"

_LEVELS: tuple[tuple[Level, str, str], ...] = (
    ("encounter", "Hồ sơ", "encounter"),
    ("doctor_month", "Bác sĩ, tháng", "doctor and month"),
    ("facility_month", "Cơ sở, tháng", "facility and month"),
)


def page() -> str:
    """The whole page."""
    parts = [catalogue_markdown().rstrip(), "", "# Đặc trưng / Features", ""]
    for level, vi, en in _LEVELS:
        parts += [f"## {vi} / {en}", "", "| column | meaning |", "| --- | --- |"]
        for builder in discover(level):
            parts += [f"| `{column}` | {text} |" for column, text in builder.columns.items()]
        parts.append("")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
