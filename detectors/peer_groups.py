"""Peer groups as row numbers: a row's group comes from its own cells and the frozen list of groups, whatever its batch.

A group is looked for from the narrowest rung to all rows; the first that was large enough in training answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Self

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from numpy.typing import NDArray

LADDER: tuple[tuple[str, ...], ...] = (("ma_loai_kcb", "facility_rank"), ("ma_loai_kcb",), ())
"""Care type and facility rank: finer groups (the diagnosis) are too small to know one claim in a thousand."""

ALL = "all"
_KEY = "\0peer group "
MIN_SIZE = 300  # fewer rows of a group cannot tell one in a thousand


@dataclass(frozen=True)
class PeerGroups:
    """The groups that were large enough, by name. `ALL` is always one of them."""

    names: tuple[str, ...]

    @classmethod
    def fit(cls, x: pl.DataFrame, min_size: int = MIN_SIZE) -> Self:
        """The groups of `x` with at least `min_size` rows."""
        names: set[str] = {ALL}
        keys = _keys(x)
        for narrow, wide in pairwise(keys):
            counted = (
                pl.DataFrame({"name": narrow, "wide": wide})
                .with_columns(of_wide=pl.len().over("wide"))
                .group_by("name")
                .agg(pl.len().alias("rows"), pl.col("of_wide").first())
            )
            # a group that holds all rows of the wider one says nothing new
            known = counted.filter((pl.col("rows") >= min_size) & (pl.col("rows") < pl.col("of_wide")))
            names |= set(known["name"].to_list())
        return cls(tuple(sorted(names)))

    def everyone(self, x: pl.DataFrame) -> Iterator[tuple[str, NDArray[np.intp]]]:
        """Each group with all rows of `x` that belong to it: a row belongs to its narrow and to its wide group."""
        for keys in _keys(x):
            for name, rows in _rows(keys):
                if name in self.names:
                    yield name, rows

    def members(self, x: pl.DataFrame) -> Iterator[tuple[str, NDArray[np.intp]]]:
        """Each group with the rows of `x` that it answers for: every row once."""
        keys = _keys(x)
        known = pl.Series(self.names).implode()
        yield from _rows(
            pl.DataFrame(keys).select(
                group=pl.coalesce(pl.when(pl.col(key.name).is_in(known)).then(key.name) for key in keys)
            )["group"]
        )


def _keys(x: pl.DataFrame) -> list[pl.Series]:
    """Names of the groups of every row, narrowest first; a column that is not there is as if it were blank."""
    cells = {name: pl.col(name).fill_null("") if name in x.columns else pl.lit("") for rung in LADDER for name in rung}
    made = [
        pl.concat_str([pl.lit(ALL), *(pl.concat_str(pl.lit(f"|{name}="), cells[name]) for name in rung)]).alias(
            f"{_KEY}{at}"
        )
        for at, rung in enumerate(LADDER)
    ]
    # with_columns, not select: of literals alone that would give one row instead of one a row
    return x.with_columns(made).select(f"{_KEY}{at}" for at in range(len(LADDER))).get_columns()


def _rows(keys: pl.Series) -> Iterator[tuple[str, NDArray[np.intp]]]:
    """Row numbers by key, keys in order."""
    if not keys.len():
        return
    codes = keys.rank("dense").to_numpy()
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(codes[order]) > 0])
    for rows in np.split(order, starts[1:]):
        yield str(keys[int(rows[0])]), rows
