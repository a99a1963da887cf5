"""Facts of the rules: thresholds, rates and lists with the document they come from and the days they are in force.

They stand apart from logic, in `detectors/rules/facts/*.toml`, one section a rule:

    [EXAM-01.rate]
    value = 30
    unit = "%"
    source = "TT35/2016 Đ4b"

    [[CAP-01.months]]            # a fact that changed: one table a period
    value = 45
    valid_from = 2017-01-01
    source = "…"

`unverified = true` marks a figure whose document was not read; a province sets such facts before it relies on them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Any

import narwhals as nw

_KEYS = {"value", "unit", "valid_from", "valid_to", "source", "unverified"}


@dataclass(frozen=True, slots=True)
class Period:
    """One value of a fact and the days it is in force, both included; None is open."""

    value: Any
    valid_from: date | None
    valid_to: date | None
    source: str
    unverified: bool


@dataclass(frozen=True, slots=True)
class Fact:
    """A threshold, rate or list of a rule over time."""

    name: str
    unit: str
    periods: tuple[Period, ...]  # oldest first

    @property
    def value(self) -> Any:
        """The newest value: what is shown, and what holds where the fact never changed."""
        return self.periods[-1].value

    def at(self, moment: nw.Expr) -> nw.Expr:
        """The number in force at a moment; null where none is."""
        found = nw.lit(None, dtype=nw.Float64)
        for p in self.periods:
            inside = ~moment.is_null()
            if p.valid_from is not None:
                inside &= moment >= nw.lit(datetime.combine(p.valid_from, datetime.min.time()))
            if p.valid_to is not None:
                inside &= moment < nw.lit(
                    datetime.combine(date.fromordinal(p.valid_to.toordinal() + 1), datetime.min.time())
                )
            found = nw.when(inside).then(nw.lit(float(p.value))).otherwise(found)
        return found


class Facts(Mapping[str, Fact]):
    """The facts of one rule by name; an attribute gives the newest value: `facts("EXAM-01").rate`."""

    def __init__(self, rule: str, held: Mapping[str, Fact]) -> None:
        """`rule` is named in errors."""
        self._rule, self._held = rule, dict(held)

    def __getitem__(self, name: str) -> Fact:
        try:
            return self._held[name]
        except KeyError:
            raise KeyError(
                f"rule {self._rule} has no fact {name!r}; it has {', '.join(self._held) or 'none'}"
            ) from None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self[name].value
        except KeyError as error:
            raise AttributeError(str(error)) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)


def facts(rule: str) -> Facts:
    """The facts of a rule id; empty for a rule that has none."""
    return Facts(rule, _all().get(rule, {}))


def rules_with_facts() -> tuple[str, ...]:
    """Ids of all rules with a section in a facts file."""
    return tuple(_all())


@cache
def _all() -> dict[str, dict[str, Fact]]:
    found: dict[str, dict[str, Fact]] = {}
    folder = files("detectors.rules") / "facts"
    for entry in sorted(folder.iterdir(), key=lambda e: e.name):
        if not entry.name.endswith(".toml"):
            continue
        for rule, named in tomllib.loads(entry.read_text(encoding="utf-8")).items():
            if rule in found:
                raise ValueError(f"{entry.name}: rule {rule} has facts in two files")
            found[rule] = {name: _fact(f"{entry.name}: {rule}.{name}", name, told) for name, told in named.items()}
    return found


def _fact(where: str, name: str, told: Any) -> Fact:
    rows: list[dict[str, Any]] = told if isinstance(told, list) else [told]
    for row in rows:
        if unknown := set(row) - _KEYS:
            raise ValueError(f"{where}: unknown key {min(unknown)!r}; known: {', '.join(sorted(_KEYS))}")
        if missing := {"value", "source"} - set(row):
            raise ValueError(f"{where}: {min(missing)!r} is missing")
    periods = tuple(
        Period(r["value"], r.get("valid_from"), r.get("valid_to"), r["source"], r.get("unverified", False))
        for r in rows
    )
    for earlier, later in pairwise(periods):
        if later.valid_from is None or (earlier.valid_from is not None and later.valid_from <= earlier.valid_from):
            raise ValueError(f"{where}: periods must be in order of valid_from")
    return Fact(name, rows[0].get("unit", ""), periods)
