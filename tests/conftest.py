"""Fixtures of every kind of test. Real stores are out of reach: everything lives in temporary folders."""

from __future__ import annotations

import pytest

from tests.lib.pipeline import Pipeline, build


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--accept-golden", action="store_true", help="write the golden results as they are now")


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """A small world, loaded, learned from and scored; tests must not change it."""
    return build(tmp_path_factory.mktemp("pipeline"))
