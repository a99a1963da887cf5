"""A feature: one pure function from claim tables to key columns and the columns it names.

The function's name is its id, its docstring the catalogue entry (meaning, unit, range, when it is null, source).
Features are written once against Narwhals lazy frames and give the same result on Polars and on DuckDB. No feature may
know the future of the encounter it describes: only rows that were there when the patient arrived, and the encounter.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from data.schema import ENCOUNTER_KEY, LINE_KEY

if TYPE_CHECKING:
    import narwhals as nw

    from data.schema import ClaimTables

Level = Literal["line", "encounter", "patient", "doctor_month", "facility_month"]

KEYS: Mapping[Level, tuple[str, ...]] = {
    "line": LINE_KEY,
    "encounter": ENCOUNTER_KEY,
    "patient": ("patient_id", *ENCOUNTER_KEY),
    "doctor_month": ("ma_cskcb", "doctor", "month"),
    "facility_month": ("ma_cskcb", "month"),
}
"""The columns that name one entity of a level. `month` is yyyymm of NGAY_RA. A patient is described as of each of their
claims: by that claim and the earlier ones. The latest row of a patient is the patient as last seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureBuilder:
    """A feature, or a close family of them, as discovered from `features/builders/`."""

    name: str
    version: int
    level: Level
    needs: tuple[str, ...]  # "table.field", e.g. "encounter.ngay_vao"
    columns: Mapping[str, str]  # column -> one line: meaning, unit, range, null
    description: str
    function: Callable[[ClaimTables], nw.LazyFrame[Any]]

    def build(self, tables: ClaimTables) -> nw.LazyFrame[Any]:
        """Key columns of the level and `columns`, at most one row an entity. Pure and lazy."""
        return self.function(tables)


def feature(
    *, level: Level, needs: tuple[str, ...], columns: Mapping[str, str] | None = None, version: int = 1
) -> Callable[[Callable[[ClaimTables], nw.LazyFrame[Any]]], FeatureBuilder]:
    """Turn a function into a `FeatureBuilder`. Without `columns` the function's name is its only column."""

    def wrap(function: Callable[[ClaimTables], nw.LazyFrame[Any]]) -> FeatureBuilder:
        text = inspect.getdoc(function)
        if not text:
            raise TypeError(f"feature {function.__name__} has no docstring: it is its catalogue entry")
        return FeatureBuilder(
            name=function.__name__,
            version=version,
            level=level,
            needs=needs,
            columns=dict(columns) if columns else {function.__name__: text.splitlines()[0]},
            description=text,
            function=function,
        )

    return wrap


@cache
def discover(level: Level) -> tuple[FeatureBuilder, ...]:
    """Every feature of `level` found in `features/builders/`, ordered by name.

    Raises ValueError when two features give a column of one name.
    """
    package = importlib.import_module("features.builders")
    found: dict[str, FeatureBuilder] = {}
    owner: dict[str, str] = {}
    for info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"features.builders.{info.name}")
        for value in vars(module).values():
            if not isinstance(value, FeatureBuilder) or value.level != level:
                continue
            for column in value.columns:
                if owner.setdefault(column, value.name) != value.name:
                    raise ValueError(f"column {column} is given by both {owner[column]} and {value.name}")
            found[value.name] = value
    return tuple(found[name] for name in sorted(found))
