"""Outlier detectors found by name: every module of `detectors/outliers/` gives one class as `DETECTOR`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from functools import cache
from typing import ClassVar, Protocol

from data.errors import MinhBachError
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


class UnknownDetector(MinhBachError):
    """A detector that no file of `detectors/outliers/` gives."""

    code, http_status, exit_code = "unknown_detector", 422, 2

    def __init__(self, name: str) -> None:
        """`name` as it was asked for."""
        known = ", ".join(outlier_detectors())
        super().__init__(
            f"no outlier detector is called {name!r}: there are {known}",
            vi=f"không có bộ phát hiện ngoại lai {name!r}: hiện có {known}",
        )


def bundled(names: Sequence[str] | None = None) -> tuple[type[OutlierDetector], ...]:
    """Those that training puts into the bundle: those asked for, or else those that say they are of it.

    `python -m benchmarks outliers` shows what each adds. Raises UnknownDetector.
    """
    kinds = outlier_detectors()
    for name in names or ():
        if name not in kinds:
            raise UnknownDetector(name)
    return tuple(kind for name, kind in kinds.items() if (kind.in_bundle if names is None else name in names))
