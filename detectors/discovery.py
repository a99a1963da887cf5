"""Outlier detectors found by name: every module of `detectors/outliers/` gives one class as `DETECTOR`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from typing import ClassVar, Protocol

from detectors.base import Detector


class OutlierDetector(Detector, Protocol):
    """A detector made without arguments, that says whether it is of the standard bundle."""

    in_bundle: ClassVar[bool]


@cache
def outlier_detectors() -> Mapping[str, type[OutlierDetector]]:
    """Every outlier detector by its name, in the order of names. Raises ValueError on a name used twice."""
    package = importlib.import_module("detectors.outliers")
    found: dict[str, type[OutlierDetector]] = {}
    for info in pkgutil.iter_modules(package.__path__):
        kind: type[OutlierDetector] = importlib.import_module(f"detectors.outliers.{info.name}").DETECTOR
        if found.setdefault(kind.name, kind) is not kind:
            raise ValueError(f"two modules of detectors/outliers have a detector called {kind.name}")
    return {name: found[name] for name in sorted(found)}


def bundled() -> tuple[type[OutlierDetector], ...]:
    """Those that training puts into the bundle: `python -m benchmarks outliers` shows what each adds."""
    return tuple(kind for kind in outlier_detectors().values() if kind.in_bundle)
