"""Standing: what a claim inherits from its doctor and its facility, a step in its place.

Where signs repeat with the one who sends claims, his next claim deserves to be read before a like one of somebody else.
The step is a factor of the place, so the amounts, the likelihoods and the parts that add up to them are untouched, and
so is the flag: nobody's claim is a sign because of who wrote it. Only what a run's flags promise together counts it.
Frozen at training: a claim's answer needs its own doctor and facility alone, and who was not seen in training, or
showed nothing, is neutral. Nobody is ever cleared.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import polars as pl

from data.schema import ENCOUNTER_KEY, reference
from detectors.explain import number

POWER = 0.2  # part of an entity's log-odds beyond its peers' median that its claims inherit
MOST = 2.0  # times: no doctor and no facility moves a place further
LEAST = 1.05  # times: a smaller step is neither kept nor told

LEVELS: Mapping[str, tuple[str, str]] = {
    "doctor": ("Bác sĩ này", "This doctor"),
    "facility": ("Cơ sở này", "This facility"),
}

COLUMNS: Mapping[str, pl.DataType] = {
    "ma_cskcb": pl.String(),
    "ma_lk": pl.String(),
    "factor": pl.Float64(),  # times the place: the product of what the evidence states of doctor and facility
    "stood": pl.String(),  # JSON objects for the claim's evidence, joined by ", "
}


@dataclass(frozen=True)
class Standing:
    """By level and entity: the factor, and the kind of sign that weighs most in it."""

    known: Mapping[str, Mapping[str, tuple[float, str]]] = field(
        default_factory=dict[str, "Mapping[str, tuple[float, str]]"]
    )

    @classmethod
    def fit(cls, found: Mapping[str, pl.DataFrame]) -> Self:
        """Learn from one row an entity and level: entity_id, weight (log-odds of what was found of it), scheme."""
        known: dict[str, Mapping[str, tuple[float, str]]] = {}
        for level, rows in found.items():
            beyond = POWER * (pl.col("weight") - pl.col("weight").median())
            kept = rows.with_columns(factor=beyond.clip(upper_bound=math.log(MOST)).exp().round(4)).filter(
                pl.col("factor") >= LEAST, pl.col("scheme").is_not_null()
            )
            told = kept.sort("entity_id").select("entity_id", "factor", "scheme")
            known[level] = {who: (factor, scheme) for who, factor, scheme in told.iter_rows()}
        return cls(known)

    def of(self, claims: pl.DataFrame) -> pl.DataFrame:
        """The claims (key and doctor) whose place is moved: `COLUMNS`."""
        who = {"doctor": pl.format("{}:{}", "ma_cskcb", "doctor"), "facility": pl.col("ma_cskcb")}
        rows = claims.select(*ENCOUNTER_KEY, **{level: who[level] for level in LEVELS})
        for level in LEVELS:
            told = self._told(level, rows[level].drop_nulls().unique())
            rows = rows.join(told, on=level, how="left", maintain_order="left")
        doctor, facility = (pl.col(f"{level}_factor") for level in LEVELS)
        moved = rows.filter(doctor.is_not_null() | facility.is_not_null())
        return moved.select(
            *ENCOUNTER_KEY,
            factor=doctor.fill_null(1.0) * facility.fill_null(1.0),
            stood=pl.concat_str([f"{level}_told" for level in LEVELS], separator=", ", ignore_nulls=True),
        )

    def _told(self, level: str, asked: pl.Series) -> pl.DataFrame:
        """Of the entities that are `asked` about and known: the factor, and what it says in the evidence."""
        known = self.known.get(level, {})
        rows = [
            (who, known[who][0], json.dumps(_entry(level, who, *known[who]), ensure_ascii=False))
            for who in asked
            if who in known
        ]
        schema = {level: pl.String(), f"{level}_factor": pl.Float64(), f"{level}_told": pl.String()}
        return pl.DataFrame(rows, schema=schema, orient="row")

    def as_json(self) -> dict[str, Any]:
        """For the bundle."""
        return {level: {who: list(kept) for who, kept in by_id.items()} for level, by_id in self.known.items()}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """Read back what `as_json` gave."""
        return cls(
            {level: {who: (factor, scheme) for who, (factor, scheme) in by_id.items()} for level, by_id in kept.items()}
        )


def _entry(level: str, who: str, factor: float, scheme: str) -> Mapping[str, Any]:
    """One object of a claim's evidence: who it inherits from, how much, and why."""
    names = next((row for row in reference("schemes") if row["scheme"] == scheme), {})
    name_vi, name_en = names.get("name_vi", scheme), names.get("name_en", scheme)
    times_vi, times_en = (number(factor, lang) for lang in ("vi", "en"))
    this_vi, this_en = LEVELS[level]
    return {
        "kind": "standing",
        "source": "standing@1",
        "level": level,
        "entity": who,
        "scheme": scheme,
        "factor": factor,
        "amount": 0.0,  # a part like any other of the evidence: one without money
        "expected_recoverable": 0.0,
        "legal_basis": None,
        "lines": [],
        "text_vi": f"{this_vi} thường có dấu hiệu “{name_vi}” nhiều hơn nơi khác: hồ sơ được xếp trước, hạng nhân "
        f"{times_vi} lần; số tiền và việc đánh dấu không đổi",
        "text_en": f"{this_en} shows the sign “{name_en}” more often than others: the claim is placed "
        f"{times_en} times higher; its amounts and its flag are not changed",
    }
