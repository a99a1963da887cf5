"""Figures on a page of the docs: tables, and the place between two markers where they stand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path


def two(value: float | None) -> str:
    """Two decimals, or a dash for what could not be measured."""
    return "–" if value is None else f"{value:.2f}"


def markdown_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *rows))


def put(page: Path, begin: str, end: str, text: Callable[[], str]) -> None:
    """Put what `text` gives between the markers of a page, and nothing else. Raises SystemExit where they are not."""
    whole = page.read_text(encoding="utf-8")
    if whole.count(begin) != 1 or whole.count(end) != 1:
        raise SystemExit(f"{page}: the lines {begin} and {end} must be there once each")
    before, after = whole.split(begin)[0], whole.split(end)[1]
    page.write_text(f"{before}{begin}\n\n{text()}\n\n{end}{after}", encoding="utf-8")
