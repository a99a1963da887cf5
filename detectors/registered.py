"""Who and what a facility's own register lists on a day, where lines name several in one cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.asof import held_throughout, not_held
from data.schema import reused

if TYPE_CHECKING:
    from collections.abc import Sequence


def unlisted(
    told: nw.LazyFrame[Any], register: nw.LazyFrame[Any], *, cell: str, code: str, but: Sequence[nw.Expr] = ()
) -> nw.LazyFrame[Any]:
    """Each `code` named in a `cell` (joined by semicolons) that the facility's `register` does not hold on the `date`.

    `told` has ma_cskcb, `cell` and `date`; one row a facility, cell, date and code comes back. Facilities without a
    row in the register are passed over, and so are codes that do not meet every condition of `but`. Cells are few where
    lines are many: only those with a code that is not listed all along are asked about day by day.
    """
    whole, own = ["ma_cskcb", cell], [code, "ma_cskcb"]
    told = reused(told.select(*whole, "date"))
    named = reused(
        told.group_by(*whole)
        .agg(first=nw.col("date").min(), last=nw.col("date").max())
        .join(register.select("ma_cskcb").unique(["ma_cskcb"]), on="ma_cskcb", how="semi")
        .with_columns(nw.col(cell).str.split(";").alias(code))
        .explode(code)
        .with_columns(nw.col(code).str.strip_chars())
        .filter(nw.col(code) != "", *but)
        .unique([*whole, code])
    )
    sure = held_throughout(named, register, on=own)
    doubtful = reused(named.join(sure, on=[*own, "first", "last"], how="anti").select(*whole, code))
    days = told.join(doubtful.select(*whole).unique(), on=whole, how="semi").unique()
    return not_held(days.join(doubtful, on=whole, how="inner"), register, on=own, day="date")
