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

if TYPE_CHECKING:
    from numpy.typing import NDArray

MIN_GROUP = 100  # the 99th percentile of fewer is their largest
USUAL, HIGH = 0.90, 0.99

_FIGURES: Mapping[str, pl.DataType] = {"members": pl.Int32(), "usual": pl.Float64(), "high": pl.Float64()}


@dataclass(frozen=True, eq=False)
class Usual:
    """The table of one kind of number. `ladder` lists the columns of its groups, from the narrowest on."""

    ladder: tuple[tuple[str, ...], ...]
    pool: tuple[str, ...]
    groups: tuple[pl.DataFrame, ...]
    tails: Mapping[str, TailReference]

    @classmethod
    def fit(
        cls,
        rows: pl.DataFrame,
        *,
        ladder: tuple[tuple[str, ...], ...],
        pool: tuple[str, ...],
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
            )
            .filter(pl.col("members") >= least)
            .sort(level)
            for level in ladder
        )
        bare = cls(ladder, pool, groups, {})
        placed = bare.place(rows).drop_nulls("high")
        above = np.log(placed["x"].to_numpy() / placed["high"].to_numpy())
        keys = placed["pool"].to_numpy()
        tails = {key: TailReference.fit(above[keys == key]) for key in placed["pool"].unique().sort().to_list()}
        return cls(ladder, pool, groups, tails)

    def place(self, rows: pl.DataFrame) -> pl.DataFrame:
        """`rows` with `usual`, `high`, `members` of the narrowest group that is known, its key, and `pool`."""
        found = rows
        for level, (columns, table) in enumerate(zip(self.ladder, self.groups, strict=True)):
            named = table.select(*columns, *(pl.col(name).alias(f"{name}_{level}") for name in _FIGURES))
            found = found.join(named, on=list(columns), how="left", maintain_order="left")
        figures = [pl.coalesce(f"{name}_{level}" for level in range(len(self.ladder))).alias(name) for name in _FIGURES]
        key = pl.coalesce(
            pl.when(pl.col(f"members_{level}").is_not_null()).then(pl.concat_str(list(columns), separator="|"))
            for level, columns in enumerate(self.ladder)
        )
        return found.select(
            *rows.columns,
            *figures,
            key.alias("peer_group"),
            pl.concat_str(list(self.pool), separator="|").alias("pool"),
        )

    def above(self, rows: pl.DataFrame, *, times: float) -> pl.DataFrame:
        """Placed rows whose `x` is more than `times` their group's 99th percentile, with `tail` and `ratio`."""
        placed = self.place(rows).filter(pl.col("x") > pl.col("high") * times)
        x, high = placed["x"].to_numpy(), placed["high"].to_numpy()
        tail, pools = np.ones(placed.height), placed["pool"].to_list()
        for key in sorted(set(pools) & self.tails.keys()):
            mine = np.array([pool == key for pool in pools])
            tail[mine] = self.tails[key].probability(np.log(x[mine] / high[mine]))
        return placed.with_columns(pl.Series("tail", tail))

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
            groups=tuple(
                frame_of(arrays, f"{prefix}/{level}", _schema(columns)) for level, columns in enumerate(ladder)
            ),
            tails={key: TailReference(arrays[f"{prefix}/tail/{key}"], count) for key, count in rows.items()},
        )


def _schema(columns: Sequence[str]) -> dict[str, pl.DataType]:
    return {name: pl.String() for name in columns} | dict(_FIGURES)
