"""Writes docs/catalogue.md (rules, features) and docs/checks.md (data checks) from the code. `make catalogue`."""

from __future__ import annotations

from pathlib import Path

from data import checks
from detectors.rulebook import catalogue_markdown
from features.base import Level, discover

DOCS = Path(__file__).resolve().parents[1] / "docs"

_LEVELS: tuple[tuple[Level, str, str], ...] = (
    ("encounter", "Hồ sơ", "encounter"),
    ("doctor_month", "Bác sĩ, tháng", "doctor and month"),
    ("facility_month", "Cơ sở, tháng", "facility and month"),
)


def pages() -> dict[str, str]:
    """Every generated page of `docs/`, by file name."""
    return {"catalogue.md": _rules_and_features(), "checks.md": checks.catalogue_markdown()}


def _rules_and_features() -> str:
    parts = [catalogue_markdown().rstrip(), "", "# Đặc trưng / Features", ""]
    for level, vi, en in _LEVELS:
        parts += [f"## {vi} / {en}", "", "| column | meaning |", "| --- | --- |"]
        for builder in discover(level):
            parts += [f"| `{column}` | {text} |" for column, text in builder.columns.items()]
        parts.append("")
    return "\n".join(parts)


if __name__ == "__main__":
    for name, text in pages().items():
        (DOCS / name).write_text(text, encoding="utf-8")
