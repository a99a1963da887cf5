"""Whose encounter it is: the one definition of an encounter's main doctor, for features, scores and roll-ups."""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw

from data.schema import ENCOUNTER_KEY
from features.expressions import Frame, amount, in_group, lines, shared

if TYPE_CHECKING:
    from data.schema import ClaimTables

MAIN_DOCTOR_NEEDS = tuple(
    f"{table}.{name}" for table in ("drug_line", "service_line") for name in ("doctor", "ma_nhom", "t_bhtt")
)
"""What `main_doctor` reads."""


@shared
def main_doctor(tables: ClaimTables) -> Frame:
    """`ma_cskcb`, `ma_lk`, `doctor`: at most one row an encounter, none where no line names a practitioner.

    The first practitioner of the first examination line; without one, of the line the fund pays most for (ties: drug
    lines first, then the lower row number).
    """
    exam = in_group("exam")
    return (
        lines(tables)
        .filter(~nw.col("doctor").is_null())
        .select(
            *ENCOUNTER_KEY,
            "doctor",
            "line_table",
            "row_no",
            not_exam=nw.when(exam).then(nw.lit(0)).otherwise(nw.lit(1)),
            minus_paid=nw.when(exam).then(nw.lit(0.0)).otherwise(-amount("t_bhtt").fill_null(0.0)),
        )
        .unique(list(ENCOUNTER_KEY), keep="first", order_by=["not_exam", "minus_paid", "line_table", "row_no"])
        .select(*ENCOUNTER_KEY, "doctor")
    )
