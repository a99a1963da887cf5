"""Periods of validity as the encounter's cells write them: days as YYYYMMDD, of several cards joined by semicolons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

if TYPE_CHECKING:
    from data.schema import ClaimTables

CELLS = ["gt_the_tu", "gt_the_den"]


def card_periods(tables: ClaimTables, most: int) -> nw.LazyFrame[Any]:
    """What each different pair of `CELLS` says: `start_0`, `end_0` and so on of `most` cards, "" where there is none.

    Read once a pair: many claims write the same days. `odd` are pairs of more cards, or whose days are not 8 digits.
    """
    found = tables.encounter.select(*CELLS).filter(*(~nw.col(cell).is_null() for cell in CELLS)).unique(CELLS)
    ends = {"start": "gt_the_tu", "end": "gt_the_den"}
    periods = {f"{name}_{card}": (cell, card) for card in range(most) for name, cell in ends.items()}
    odd = nw.col("gt_the_tu").str.split(";").list.len() > most
    for name in periods:
        odd = odd | ~nw.col(name).str.contains("^([0-9]{8})?$")
    return found.with_columns(
        **{name: _card(cell, number, most) for name, (cell, number) in periods.items()}
    ).with_columns(odd=odd)


def _card(cell: str, number: int, most: int) -> nw.Expr:
    padded = nw.concat_str([nw.col(cell), nw.lit(";" * most)])
    return padded.str.split(";").list.get(number).str.strip_chars()
