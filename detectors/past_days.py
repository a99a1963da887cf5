"""The days before a day: each row beside what its facility, doctor or patient did in the thirty days before.

Rules that look at a facility's other claims see about a month of them, so no norm of theirs may reach further back.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.schema import reused
from detectors.expressions import days_between

if TYPE_CHECKING:
    from collections.abc import Sequence

WINDOW = 30  # days: one less than a rule of facility context is promised, for the day itself is not whole

_START = datetime.fromisoformat("2000-01-01")
_BLOCK = WINDOW + 1


def with_past_days(
    rows: nw.LazyFrame[Any], days: nw.LazyFrame[Any], *, on: Sequence[str], take: Sequence[str], within: int = WINDOW
) -> nw.LazyFrame[Any]:
    """Each row of `rows` beside every row of `days` that agrees on `on` and is dated 1 to `within` days before it.

    Both have a `date`; the earlier's `date` and the columns of `take` come as `p_…`. Rows without a past are in no
    pair. Joined by blocks of days, so that the work grows with the days and not with their square.
    """
    block = (days_between(nw.lit(_START), nw.col("date")) / _BLOCK).floor()
    held = reused(days.select(*on, "date", *take, block=block))
    known = nw.concat([held, held.with_columns(block=nw.col("block") + 1)], how="vertical").select(
        *on, "block", p_date="date", **{f"p_{name}": nw.col(name) for name in take}
    )
    ago = days_between(nw.col("p_date"), nw.col("date"))
    return (
        rows.with_columns(block=block)
        .join(known, on=[*on, "block"], how="inner")
        .filter(ago >= 1, ago <= within)
        .drop("block")
    )
