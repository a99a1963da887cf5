"""Every package of ours resolves inside the repository: an editable install puts the root last on `sys.path`."""

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["data", "features", "detectors", "models", "service", "tests", "benchmarks"])
def test_package_resolves_inside_the_repository(name: str) -> None:
    module = importlib.import_module(name)
    where = Path(module.__file__) if module.__file__ else Path(next(iter(module.__path__)))
    assert where.resolve().is_relative_to(ROOT)
