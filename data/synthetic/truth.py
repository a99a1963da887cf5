"""What was really done: the truth folder that `minhbach evaluate` compares a run with."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import polars as pl

from data.synthetic.claims import Visit

PART = 25_000  # claims held at once

CLAIM: dict[str, pl.DataType] = {
    "ma_cskcb": pl.String(), "ma_lk": pl.String(), "is_fraud": pl.Boolean(), "schemes": pl.List(pl.String()),
    "improper_amount": pl.Float64(), "kind": pl.String(), "intensity": pl.String(), "decoy": pl.String(),
    "case_id": pl.String(),
}  # fmt: skip


class Truth:
    """Takes one row an encounter and the sums of those who acted; holds a part of the rows and writes the rest.

    `claims.parquet`: `is_fraud` marks every claim that carries a scheme; `intensity` says how boldly it was done,
    `case_id` which claims are one case, `decoy` what makes an honest or faulty claim look like one.
    `entities.parquet`: an entity's amount is that of the claims it took part in.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self.money = self.improper_money = self.improper_claims = 0
        self.counts: Counter[str] = Counter()
        self._entities: defaultdict[tuple[str, str, str], int] = defaultdict(int)
        self._rows: list[tuple[Any, ...]] = []
        self._writer: Any = None

    def add(self, visit: Visit, ma_lk: str) -> None:
        """Remember a claim that was sent."""
        self._rows.append(
            (visit.facility.code, ma_lk, bool(visit.schemes), visit.schemes, visit.improper / 100, visit.label,
             visit.intensity or None, visit.decoy or None, visit.case or None)
        )  # fmt: skip
        self.money += visit.fund
        self.improper_money += visit.improper
        self.improper_claims += bool(visit.schemes)
        for scheme in visit.schemes:
            self.counts[scheme] += 1
            for level, name in {("facility", visit.facility.code), *visit.blamed}:
                self._entities[level, name, scheme] += visit.improper
        if len(self._rows) >= PART:
            self._flush()

    def close(self) -> None:
        """Write what is left, and the entities."""
        self.out.mkdir(parents=True, exist_ok=True)
        if self._writer is None:  # a small world: one part, written as Polars does
            self._part().write_parquet(self.out / "claims.parquet")
        else:
            self._flush()
            self._writer.close()
        rows = [(level, name, scheme, amount / 100) for (level, name, scheme), amount in sorted(self._entities.items())]
        pl.DataFrame(
            rows,
            schema={"level": pl.String(), "id": pl.String(), "scheme": pl.String(), "improper_amount": pl.Float64()},
            orient="row",
        ).write_parquet(self.out / "entities.parquet")

    def _part(self) -> pl.DataFrame:
        part = pl.DataFrame(self._rows, schema=CLAIM, orient="row")
        self._rows = []
        return part

    def _flush(self) -> None:
        import pyarrow.parquet as pq

        part = self._part().to_arrow()
        if self._writer is None:
            self.out.mkdir(parents=True, exist_ok=True)
            self._writer = pq.ParquetWriter(self.out / "claims.parquet", part.schema, compression="zstd")
        if part.num_rows:
            self._writer.write_table(part)
