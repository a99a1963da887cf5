"""Two claims at once: who or what was already taken by another claim when a line begins.

By sorting and running maxima, never by pairs: it costs the same however crowded a day is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.schema import reused
from detectors.expressions import minutes_between

if TYPE_CHECKING:
    from collections.abc import Sequence


def taken(used: nw.LazyFrame[Any], owner: Sequence[str]) -> nw.LazyFrame[Any]:
    """Rows of `used` that begin after another claim had taken the same `owner`, with until when it had (`before`).

    `used` has one row a line: ma_cskcb, ma_lk, line_table, row_no, the `owner` columns (the facility's first), `start`
    and `end`. Lines of one claim are first joined into spells: what one patient has at once is one use.
    """
    own, order = [*owner, "ma_lk"], ["start", "end", "line_table", "row_no"]
    start, until = nw.col("start"), nw.col("until")
    opens = nw.when(until.is_null() | (start >= until)).then(nw.lit(1)).otherwise(nw.lit(0))
    in_spells = reused(
        used.with_columns(reach=nw.col("end").cum_max().over(*own, order_by=order))
        .with_columns(until=nw.col("reach").shift(1).over(*own, order_by=order))
        .with_columns(opens=opens)
        .with_columns(spell=nw.col("opens").cum_sum().over(*own, order_by=order))
    )
    at = ["begins", "ma_lk"]
    spells = (
        in_spells.group_by(*own, "spell")
        .agg(begins=start.min(), ends=nw.col("end").max())
        .with_columns(latest=nw.col("ends").cum_max().over(*owner, order_by=at))
        .with_columns(before=nw.col("latest").shift(1).over(*owner, order_by=at))
        .filter(~nw.col("before").is_null())
    )
    return in_spells.join(spells.select(*own, "spell", "before"), on=[*own, "spell"], how="inner")


def minutes_taken() -> nw.Expr:
    """Minutes of a row of `taken` during which the owner was still with the other claim; negative when it was free."""
    return minutes_between(nw.col("start"), nw.min_horizontal("before", "end"))
