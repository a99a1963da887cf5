"""Fingerprints: sets of codes told by numbers, so that equal ones are found by grouping and never by comparing pairs.

A set's fingerprint is the sums of two scrambled numbers of its members: two sets with the same fingerprint are equal
but for a chance of one in 2^60. What number a code gets depends on the tables read, so a fingerprint is compared
within one query and never kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.schema import reused

if TYPE_CHECKING:
    from collections.abc import Sequence

PRINT = ("print_a", "print_b", "items")
"""Columns that are equal when two sets are: two sums, and how many members there are."""

_PRIME = 2_147_483_647
_FACTORS = {"print_a": 48_271, "print_b": 69_621}


def code_sets(rows: nw.LazyFrame[Any], *, of: str, by: Sequence[str]) -> nw.LazyFrame[Any]:
    """The set of different codes in the column `of` of each group `by`, as the columns of `PRINT`."""
    code = nw.col(of)
    held = reused(rows.filter(~code.is_null()).select(*by, of).unique([*by, of]))
    numbers = (
        held.select(of)
        .unique([of])
        .with_columns(number=nw.lit(1))
        .with_columns(number=nw.col("number").cum_sum().over(order_by=of).cast(nw.Int64))
    )
    scrambled = numbers.select(of, **{name: _scrambled(factor) for name, factor in _FACTORS.items()})
    return (
        held.join(scrambled, on=of, how="inner")
        .group_by(*by)
        .agg(nw.col("print_a").sum(), nw.col("print_b").sum(), items=nw.len())
        .select(*by, *(nw.col(name).cast(nw.Int64) for name in PRINT))
    )


def _scrambled(factor: int) -> nw.Expr:
    # Squares of a remainder: sums of the numbers themselves would be equal for many sets.
    mixed = (nw.col("number") * factor + 12_345) % _PRIME
    return (mixed * mixed) % _PRIME
