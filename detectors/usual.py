"""How much is usual: upper quantiles of a number by ever wider groups, learned once and frozen.

A number is compared with its narrowest group that is large enough; how far above the group's 99th percentile it lies
is then ranked among all numbers of its pool, so that "far above" means the same for a tablet and for an implant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import polars as pl

from detectors.frozen import frame_arrays, frame_of
from detectors.reference import TailReference
from features.peers import ALL

if TYPE_CHECKING:
    from numpy.typing import NDArray

MIN_GROUP = 100  # the 99th percentile of fewer is their largest
USUAL, HIGH = 0.90, 0.99

_WORDS: Mapping[str, str] = {
    "care_type": "ma_loai_kcb",
    "icd3": "icd3",
    "icd_letter": "icd_letter",
    "ma_cskcb": "ma_cskcb",
}

_FIGURES: Mapping[str, pl.DataType] = {
    "members": pl.Int32(),
    "usual": pl.Float64(),
    "high": pl.Float64(),
    "beyond": pl.Int32(),
}


@dataclass(frozen=True, eq=False)
class Usual:
    """The table of one kind of number. `ladder` lists the columns of its groups, from the narrowest on."""

    ladder: tuple[tuple[str, ...], ...]
    pool: tuple[str, ...]
    times: float  # how often the 99th percentile a number must exceed: a little above it is nothing
    groups: tuple[pl.DataFrame, ...]
    tails: Mapping[str, TailReference]

    @classmethod
    def fit(
        cls,
        rows: pl.DataFrame,
        *,
        ladder: tuple[tuple[str, ...], ...],
        pool: tuple[str, ...],
        times: float,
        usual: float = USUAL,
        least: int = MIN_GROUP,
    ) -> Self:
        """Learn from `rows`: text columns of the ladder and the pool, and `x`, above 0.

        `usual` is the quantile that is called usual, `least` the members a group needs.
        """
        rows = rows.filter(pl.col("x").is_finite() & (pl.col("x") > 0))
        groups = tuple(
            rows.group_by(level)
            .agg(
                pl.len().cast(pl.Int32).alias("members"),
                pl.col("x").quantile(usual, "higher").alias("usual"),
                pl.col("x").quantile(HIGH, "higher").alias("high"),
                pl.col("x")
                .filter(pl.col("x") > times * pl.col("x").quantile(HIGH, "higher"))
                .len()
                .cast(pl.Int32)
                .alias("beyond"),
            )
            .filter(pl.col("members") >= least)
            .sort(level)
            for level in ladder
        )
        bare = cls(ladder, pool, times, groups, {})
        placed = bare.place(rows).drop_nulls("high")
        tails = {
            key: TailReference.fit(_log_ratio(placed.filter(pl.col("pool") == key)))
            for key in placed["pool"].unique().sort().to_list()
        }
        return cls(ladder, pool, times, groups, tails)

    def place(self, rows: pl.DataFrame) -> pl.DataFrame:
        """`rows` with the figures of the narrowest group that is known, its `level` on the ladder, and `pool`."""
        found = rows
        for level, (columns, table) in enumerate(zip(self.ladder, self.groups, strict=True)):
            named = table.select(*columns, *(pl.col(name).alias(f"{name}_{level}") for name in _FIGURES))
            found = found.join(named, on=list(columns), how="left", maintain_order="left")
        levels = range(len(self.ladder))
        figures = [pl.coalesce(f"{name}_{level}" for level in levels).alias(name) for name in _FIGURES]
        known = pl.coalesce(pl.when(pl.col(f"members_{level}").is_not_null()).then(level) for level in levels)
        pool = pl.concat_str(list(self.pool), separator="|")
        return found.select(*rows.columns, *figures, known.alias("level"), pool.alias("pool"))

    def above(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Placed rows whose `x` is more than `times` their group's 99th percentile: with `tail` and `peer_group`.

        Half of the tail's word (the mean of the logarithms) is that of the pool, half the share of the own group that
        lies beyond: a small group, or one in which such numbers are not rare, cannot say one in a thousand.
        """
        placed = self.place(rows).filter(pl.col("x") > pl.col("high") * self.times)
        tail, pools = np.ones(placed.height), placed["pool"]
        for key in sorted(set(pools.to_list()) & self.tails.keys()):
            mine = (pools == key).to_numpy()
            tail[mine] = self.tails[key].probability(_log_ratio(placed.filter(pools == key)))
        own = (placed["beyond"].to_numpy() + 1.0) / (placed["members"].to_numpy() + 1.0)
        group = pl.coalesce(
            pl.when(pl.col("level") == level).then(_key(columns)) for level, columns in enumerate(self.ladder)
        )
        return placed.with_columns(pl.Series("tail", np.sqrt(tail * own)), group.alias("peer_group"))

    def arrays(self, prefix: str) -> dict[str, NDArray[Any]]:
        """The tables as named arrays."""
        found: dict[str, NDArray[Any]] = {}
        for level, table in enumerate(self.groups):
            found |= frame_arrays(f"{prefix}/{level}", table)
        return found | {f"{prefix}/tail/{key}": tail.values for key, tail in self.tails.items()}

    @property
    def meta(self) -> dict[str, Any]:
        """What is no array."""
        return {
            "ladder": [list(level) for level in self.ladder],
            "pool": list(self.pool),
            "times": self.times,
            "rows": {key: tail.rows for key, tail in self.tails.items()},
        }

    @classmethod
    def from_state(cls, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], prefix: str) -> Self:
        """Read back what `meta` and `arrays` gave."""
        ladder: tuple[tuple[str, ...], ...] = tuple(tuple(level) for level in meta["ladder"])
        rows: Mapping[str, int] = meta["rows"]
        return cls(
            ladder=ladder,
            pool=tuple(meta["pool"]),
            times=meta["times"],
            groups=tuple(
                frame_of(arrays, f"{prefix}/{level}", _schema(columns)) for level, columns in enumerate(ladder)
            ),
            tails={key: TailReference(arrays[f"{prefix}/tail/{key}"], count) for key, count in rows.items()},
        )


def _key(columns: Sequence[str]) -> pl.Expr:
    """The group as `features.peers.label` reads it; the item, of which the sentence speaks, is left out."""
    parts = [pl.concat_str(pl.lit(f"{_WORDS[name]}="), name) for name in columns if name in _WORDS]
    return pl.concat_str(parts, separator="|") if parts else pl.lit(ALL)


def _log_ratio(placed: pl.DataFrame) -> NDArray[np.float64]:
    """How far above its group's 99th percentile each `x` lies, on the log scale."""
    return np.log(placed["x"].to_numpy() / placed["high"].to_numpy())


def _schema(columns: Sequence[str]) -> dict[str, pl.DataType]:
    return {name: pl.String() for name in columns} | dict(_FIGURES)
