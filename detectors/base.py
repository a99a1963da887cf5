"""What a detector says: rules that hit, detectors that score, and the evidence both must bring.

A rule is metadata, one lazy query and worked examples that are its tests and its page. A statistical detector gives
every row a number in [0, 1], higher is stranger, that depends on that row alone and on a frozen reference.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

import polars as pl

from detectors.facts import facts

if TYPE_CHECKING:
    from datetime import date

    import narwhals as nw
    import numpy as np

    from data.schema import ClaimTables
    from features.base import Level

Severity = Literal["info", "warn", "deny"]

Context = Literal["patient", "facility"]
"""Which other claims a rule may look at: the patient's earlier ones, or those of the same facility.

A facility's are those that began before the judged claim ended, and ended at most `COMPANY_DAYS` before it began. Of
several claims that are strange only together, the one that completes the sign carries it, so that no claim's answer
depends on what came after it.
"""

COMPANY_DAYS = 31

HIT_COLUMNS: Mapping[str, pl.DataType] = {
    "ma_cskcb": pl.String(),
    "ma_lk": pl.String(),
    "line_table": pl.String(),  # "drug_line", "service_line", or null when the whole encounter is meant
    "row_no": pl.Int32(),  # null with it
    "amount": pl.Float64(),  # VND of T_BHTT that would not be payable if the sign holds; rounded to 2 decimals
    "observed": pl.Float64(),
    "allowed": pl.Float64(),
}
"""What a rule's query returns: one row a line concerned (or one for the encounter)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A worked case of a rule: what the claim looks like and what the rule must answer."""

    title_vi: str
    title_en: str
    kind: Literal["hit", "clear", "not_evaluable"]
    claim: tuple[Mapping[str, Any], ...]
    amount: float | None = None  # a hit's total amount, VND


def hit(title_vi: str, title_en: str, *claim: Mapping[str, Any], amount: float | None = None) -> Example:
    """The rule must raise a sign on the last encounter of `claim`, with `amount` VND in all when given."""
    return Example(title_vi=title_vi, title_en=title_en, kind="hit", claim=claim, amount=amount)


def clear(title_vi: str, title_en: str, *claim: Mapping[str, Any]) -> Example:
    """The rule must find nothing on any encounter of `claim`."""
    return Example(title_vi=title_vi, title_en=title_en, kind="clear", claim=claim)


def not_evaluable(title_vi: str, title_en: str, *claim: Mapping[str, Any]) -> Example:
    """The rule must say that it cannot judge the last encounter of `claim`."""
    return Example(title_vi=title_vi, title_en=title_en, kind="not_evaluable", claim=claim)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One deterministic rule, its law and its worked examples."""

    id: str
    version: int
    scheme: str
    severity: Severity
    title_vi: str
    title_en: str
    reason_vi: str  # may use {observed}, {allowed}, {amount}, {n}
    reason_en: str
    legal_basis: str
    valid_from: date | None
    valid_to: date | None
    needs: tuple[str, ...]  # "table.field": a null there makes the encounter not evaluable
    catalogues: tuple[str, ...]  # catalogues without which the rule stands aside
    known_gaps_vi: str  # what the rule passes over, or cannot tell from honest care
    known_gaps_en: str
    parameters: Mapping[str, Any]
    examples: tuple[Example, ...]
    query: Callable[[ClaimTables], nw.LazyFrame[Any]]
    context: Context = "patient"

    @property
    def ref(self) -> str:
        """`id@version`, as evidence names it."""
        return f"{self.id}@{self.version}"

    def find(self, tables: ClaimTables) -> nw.LazyFrame[Any]:
        """Lines (or encounters) the rule raises a sign on: the columns of `HIT_COLUMNS`. Pure and lazy."""
        return self.query(tables)


def rule(
    *,
    id: str,  # noqa: A002 - the field's name in the rule catalogue
    version: int,
    scheme: str,
    severity: Severity,
    title_vi: str,
    title_en: str,
    reason_vi: str,
    reason_en: str,
    legal_basis: str,
    needs: tuple[str, ...],
    examples: tuple[Example, ...],
    known_gaps_vi: str = "",
    known_gaps_en: str = "",
    catalogues: tuple[str, ...] = (),
    valid_from: date | None = None,
    valid_to: date | None = None,
    context: Context = "patient",
) -> Callable[[Callable[[ClaimTables], nw.LazyFrame[Any]]], Rule]:
    """Turn a query into a `Rule`; the function's docstring is kept on the query for readers."""

    def wrap(query: Callable[[ClaimTables], nw.LazyFrame[Any]]) -> Rule:
        kinds = {e.kind for e in examples}
        if not {"hit", "clear"} <= kinds:
            raise TypeError(f"rule {id}: needs at least one hit and one clear example, has {sorted(kinds)}")
        return Rule(
            id=id,
            version=version,
            scheme=scheme,
            severity=severity,
            title_vi=title_vi,
            title_en=title_en,
            reason_vi=reason_vi,
            reason_en=reason_en,
            legal_basis=legal_basis,
            valid_from=valid_from,
            valid_to=valid_to,
            needs=needs,
            catalogues=catalogues,
            known_gaps_vi=known_gaps_vi,
            known_gaps_en=known_gaps_en,
            parameters={name: fact.value for name, fact in facts(id).items()},
            examples=examples,
            query=query,
            context=context,
        )

    return wrap


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRun:
    """How a rule, or a detector, fared on the encounters read: `hit + clear + not_evaluable` is their number."""

    rule: str
    hit: int
    clear: int
    not_evaluable: int
    reason: str | None = None  # why the whole rule or detector stood aside, if it did


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorState:
    """What a fitted detector is: named arrays and plain JSON. Never a training row, never a pickle."""

    kind: str  # which class reads it back
    meta: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]


class Detector(Protocol):
    """A statistical detector: PyOD's fit and decision, plus the promises this project adds."""

    name: str
    version: int
    level: Level
    feature_names: tuple[str, ...]
    needs: tuple[str, ...]  # "table.field": without one of these its word about a claim means nothing

    def fit(self, x: pl.DataFrame, *, seed: int) -> Self:
        """Learn the reference from `x` (one row an entity, `feature_names` among its columns)."""
        ...

    def score(self, x: pl.DataFrame) -> pl.Series:
        """In [0, 1], higher is stranger; a row's score never depends on the other rows. Rounded to 6 decimals."""
        ...

    def contributions(self, x: pl.DataFrame) -> pl.DataFrame:
        """One column a feature; a row's values add up to the log-odds of its score."""
        ...

    def state(self) -> DetectorState:
        """Arrays and JSON that `from_state` turns back into an equal detector."""
        ...

    @classmethod
    def from_state(cls, state: DetectorState) -> Self:
        """Read back what `state` gave."""
        ...


FINDING_COLUMNS: Mapping[str, pl.DataType] = {
    "ma_cskcb": pl.String(),
    "ma_lk": pl.String(),
    "line_table": pl.String(),  # as in HIT_COLUMNS
    "row_no": pl.Int32(),
    "pattern": pl.String(),  # which of the finder's sentences says it
    "scheme": pl.String(),
    "strength": pl.Float64(),  # 0 to 1: how rare, of a calibrated tail
    "amount": pl.Float64(),  # VND of T_BHTT that would not be payable if the sign holds
    "observed": pl.Float64(),
    "allowed": pl.Float64(),  # what is usual
    "peer_group": pl.String(),
    "peer_n": pl.Int64(),
}
"""What a finder returns: one row a line concerned (or one for the encounter) and pattern."""


class Finder(Protocol):
    """A statistical detector that names lines and money, learned from claims and then frozen."""

    name: str
    version: int
    level: Level
    feature_names: tuple[str, ...]  # columns of the encounter matrix that it reads
    needs: tuple[str, ...]  # "table.field": without one of these its word about a claim means nothing
    reason_vi: Mapping[str, str]  # by pattern; may use {item}, {observed}, {allowed}, {amount}, {n} (peers), {times}
    reason_en: Mapping[str, str]

    def fit(self, tables: ClaimTables, matrix: pl.DataFrame, *, seed: int) -> Self:
        """Learn from `tables`; `matrix` is the encounter feature matrix of the same claims."""
        ...

    def find(self, tables: ClaimTables, matrix: pl.DataFrame) -> pl.DataFrame:
        """`FINDING_COLUMNS`; a claim's rows depend on its own rows, its patient's earlier ones and the state only."""
        ...

    def state(self) -> DetectorState:
        """Arrays and JSON that `from_state` turns back into an equal finder."""
        ...

    @classmethod
    def from_state(cls, state: DetectorState) -> Self:
        """Read back what `state` gave."""
        ...


@cache
def finders() -> tuple[type[Finder], ...]:
    """Every finder of `detectors/finders/`: the class each module names `FINDER`, ordered by its name."""
    package = importlib.import_module("detectors.finders")
    modules = (
        importlib.import_module(f"{package.__name__}.{info.name}") for info in pkgutil.iter_modules(package.__path__)
    )
    return tuple(sorted((module.FINDER for module in modules), key=lambda each: each.name))


@cache
def rules() -> tuple[Rule, ...]:
    """Every rule of `detectors/rules/`, alone or in a tuple, ordered by id. Raises ValueError on an id used twice."""
    package = importlib.import_module("detectors.rules")
    found: dict[str, Rule] = {}
    for info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"detectors.rules.{info.name}")
        for value in vars(module).values():
            for each in value if isinstance(value, tuple) else (value,):
                if isinstance(each, Rule):
                    if each.id in found and found[each.id] is not each:
                        raise ValueError(f"rule id {each.id} is used twice")
                    found[each.id] = each
    return tuple(found[key] for key in sorted(found))
