"""Which rules speak where: off, in shadow (counted, not shown), on; and entities a rule leaves alone for a time.

A switch names a rule and a province, or every province; the one for the province wins. A snooze names a rule and one
claim, patient, doctor or facility until a day; the claim's own day of discharge is held against it, never today, so
that a run can be repeated. What a snooze or a shadow keeps back is still counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

import polars as pl

State = Literal["on", "shadow", "off"]
Level = Literal["claim", "patient", "doctor", "facility"]
ENTITY = {"claim": pl.format("{}:{}", "ma_cskcb", "ma_lk"), "patient": pl.col("patient_id"),
          "doctor": pl.format("{}:{}", "ma_cskcb", "doctor"), "facility": pl.col("ma_cskcb")}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """The state of a rule in one province, or in all (None)."""

    rule: str
    state: State
    province: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snooze:
    """A rule's word on one entity is kept back for claims that end on or before `until`."""

    rule: str
    level: Level
    entity: str
    until: date


@dataclass(frozen=True, slots=True)
class Switches:
    """Every switch and snooze in force for a run; empty means that every rule speaks everywhere."""

    switches: tuple[Switch, ...] = ()
    snoozes: tuple[Snooze, ...] = ()
    _state: Mapping[tuple[str, str | None], State] = field(
        default_factory=dict[tuple[str, str | None], State], init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "_state", {(s.rule, s.province): s.state for s in self.switches})

    def state(self, rule: str, province: str | None) -> State:
        """How a rule stands in a province."""
        return self._state.get((rule, province)) or self._state.get((rule, None)) or "on"

    def off(self, provinces: Iterable[str]) -> dict[str, frozenset[str]]:
        """Rule id -> those of `provinces` in which it is not to run at all."""
        found: defaultdict[str, set[str]] = defaultdict(set)
        for rule in {s.rule for s in self.switches}:
            for province in provinces:
                if self.state(rule, province) == "off":
                    found[rule].add(province)
        return {rule: frozenset(where) for rule, where in found.items()}

    def kept_back(self, hits: pl.DataFrame) -> pl.Series:
        """For each hit whether it is counted but not shown.

        `hits` has source (`id@version`), ma_cskcb, ma_lk, province, patient_id, doctor, ngay_ra.
        """
        rows = hits.with_columns(rule=pl.col("source").str.split("@").list.first(), day=pl.col("ngay_ra").dt.date())
        shadow = pl.repeat(False, pl.len())
        by_state = [(s.rule, s.province) for s in self.switches]
        for rule in {name for name, _ in by_state}:
            general = self._state.get((rule, None), "on") == "shadow"
            named = [p for r, p in by_state if r == rule and p is not None]
            here = [p for p in named if self.state(rule, p) == "shadow"]
            inside = pl.col("province").is_in(here) | (pl.lit(general) & ~pl.col("province").is_in(named))
            shadow |= (pl.col("rule") == rule) & inside.fill_null(general)
        for s in self.snoozes:
            shadow |= (pl.col("rule") == s.rule) & (ENTITY[s.level] == s.entity) & (pl.col("day") <= s.until)
        return rows.select(kept_back=shadow.fill_null(value=False))["kept_back"]

    def as_json(self) -> dict[str, Any]:
        """For a run's manifest."""
        return {
            "switches": [{"rule": s.rule, "state": s.state, "province": s.province} for s in self.switches],
            "snoozes": [
                {"rule": s.rule, "level": s.level, "entity": s.entity, "until": s.until.isoformat()}
                for s in self.snoozes
            ],
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Sequence[Mapping[str, Any]]]) -> Switches:
        """Read back what `as_json` gave."""
        return cls(
            tuple(Switch(**s) for s in told.get("switches", ())),
            tuple(
                Snooze(rule=s["rule"], level=s["level"], entity=s["entity"], until=date.fromisoformat(s["until"]))
                for s in told.get("snoozes", ())
            ),
        )
