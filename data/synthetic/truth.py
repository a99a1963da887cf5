"""What was really done: the truth folder that `minhbach evaluate` compares a run with."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from data.synthetic.claims import Visit


@dataclass(slots=True)
class Truth:
    """Collects one row an encounter and the sums of those who acted."""

    ma_cskcb: list[str] = field(default_factory=list)
    ma_lk: list[str] = field(default_factory=list)
    schemes: list[list[str]] = field(default_factory=list)
    improper: list[float] = field(default_factory=list)
    kind: list[str] = field(default_factory=list)
    intensity: list[str | None] = field(default_factory=list)
    decoy: list[str | None] = field(default_factory=list)
    entities: defaultdict[tuple[str, str, str], int] = field(default_factory=lambda: defaultdict(int))
    money: int = 0
    improper_money: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, visit: Visit, ma_lk: str) -> None:
        """Remember a claim that was sent."""
        self.ma_cskcb.append(visit.facility.code)
        self.ma_lk.append(ma_lk)
        self.schemes.append(visit.schemes)
        self.improper.append(visit.improper / 100)
        self.kind.append(visit.label)
        self.intensity.append(visit.intensity or None)
        self.decoy.append(visit.decoy or None)
        self.money += visit.fund
        self.improper_money += visit.improper
        for scheme in visit.schemes:
            self.counts[scheme] += 1
            for level, name in {("facility", visit.facility.code), *visit.blamed}:
                self.entities[level, name, scheme] += visit.improper

    def write(self, out: Path) -> None:
        """`claims.parquet` and `entities.parquet`.

        `is_fraud` marks every claim that carries a scheme; `intensity` says how boldly it was done, `decoy` what makes
        an honest or faulty claim look like one. An entity's amount is that of the claims it took part in.
        """
        out.mkdir(parents=True, exist_ok=True)
        pl.DataFrame(
            {
                "ma_cskcb": self.ma_cskcb,
                "ma_lk": self.ma_lk,
                "is_fraud": [bool(s) for s in self.schemes],
                "schemes": self.schemes,
                "improper_amount": self.improper,
                "kind": self.kind,
                "intensity": self.intensity,
                "decoy": self.decoy,
            },
            schema={
                "ma_cskcb": pl.String(), "ma_lk": pl.String(), "is_fraud": pl.Boolean(),
                "schemes": pl.List(pl.String()), "improper_amount": pl.Float64(), "kind": pl.String(),
                "intensity": pl.String(), "decoy": pl.String(),
            },
        ).write_parquet(out / "claims.parquet")  # fmt: skip
        rows = [(level, name, scheme, amount / 100) for (level, name, scheme), amount in sorted(self.entities.items())]
        pl.DataFrame(
            rows,
            schema={"level": pl.String(), "id": pl.String(), "scheme": pl.String(), "improper_amount": pl.Float64()},
            orient="row",
        ).write_parquet(out / "entities.parquet")
