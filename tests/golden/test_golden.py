"""Results that may only change on purpose: `make golden` accepts a change, the diff is the review."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from service.api import create_app
from service.cases.model import MOVES
from service.catalogue import DOCS, pages
from tests.lib.pipeline import Pipeline
from tests.lib.services import small_service

HERE = Path(__file__).parent

Compare = Callable[[Path, str], None]


@pytest.fixture
def compare(request: pytest.FixtureRequest) -> Compare:
    def check(path: Path, found: str) -> None:
        if request.config.getoption("--accept-golden"):
            path.write_text(found, encoding="utf-8")
        assert path.exists(), f"{path.name} is missing: make golden"
        assert found == path.read_text(encoding="utf-8"), f"{path.name} changed: read the diff, then make golden"

    return check


@pytest.mark.parametrize("name", pages())
def test_the_catalogue_pages_are_those_of_the_code(compare: Compare, name: str) -> None:
    compare(DOCS / name, pages()[name])


def test_the_api_is_the_one_promised(compare: Compare, tmp_path: Path) -> None:
    service = small_service(tmp_path)
    try:
        described = create_app(service.state, pages=False).openapi()
    finally:
        service.close()
    compare(HERE / "openapi.json", json.dumps(described, ensure_ascii=False, indent=1, sort_keys=True) + "\n")


def test_the_moves_of_a_case_are_those_drawn(compare: Compare) -> None:
    drawn = ["# The moves of a case", "", "```mermaid", "stateDiagram-v2"]
    drawn += [f"  {before} --> {after}" for before in sorted(MOVES) for after in sorted(MOVES[before])]
    compare(DOCS / "case-states.md", "\n".join([*drawn, "```", ""]))


def test_a_small_world_is_loaded_and_judged_as_before(compare: Compare, pipeline: Pipeline) -> None:
    """Counts of intake and of every rule: exact on any machine. Learned figures are not pinned here."""
    load = pipeline.load.as_json()
    result = {
        "load": {k: v for k, v in load.items() if not k.startswith(("seconds", "encounters_per"))},
        "rules": {rule: list(counts) for rule, counts in pipeline.run.rule_runs.items()},
    }
    compare(HERE / "small_world.json", json.dumps(result, indent=1) + "\n")
