"""What was known of a patient when they arrived: the one place that decides what "before" means.

An encounter sees the same patient's encounters that began strictly before it, and of these only what was ordered before
its own arrival. Encounters that begin at the same minute do not see each other; without a card there is no history.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw

from data.schema import ENCOUNTER_KEY
from features.expressions import Frame, care_type, days_between, icd3, shared

if TYPE_CHECKING:
    from data.schema import ClaimTables

LONGEST_WINDOW = 365  # days; an encounter that began earlier is no longer looked at

PRIOR_KEY = ("prior_ma_cskcb", "prior_ma_lk")
"""The key of the earlier encounter in `earlier_encounters`."""


@shared
def earlier_encounters(tables: ClaimTables) -> Frame:
    """One row for each encounter and each earlier one of the same patient within `LONGEST_WINDOW` days.

    Columns: the encounter's key, `arrival`, `icd3`; the earlier one's `PRIOR_KEY`, `prior_arrival`, `prior_discharge`,
    `prior_care`, `prior_icd3`, `prior_paid` (T_BHTT); `days_ago` from its arrival to this one, above 0.
    """
    known = tables.encounter.filter(~nw.col("patient_id").is_null() & ~nw.col("ngay_vao").is_null())
    now = known.select(*ENCOUNTER_KEY, "patient_id", arrival=nw.col("ngay_vao"), icd3=icd3())
    prior = known.select(
        "patient_id",
        prior_ma_cskcb=nw.col("ma_cskcb"),
        prior_ma_lk=nw.col("ma_lk"),
        prior_arrival=nw.col("ngay_vao"),
        prior_discharge=nw.col("ngay_ra"),
        prior_care=care_type(),
        prior_icd3=icd3(),
        prior_paid=nw.col("t_bhtt"),
    )
    return (
        now.join(prior, on="patient_id", how="inner")
        .filter(nw.col("prior_arrival") < nw.col("arrival"))
        .with_columns(days_ago=days_between(nw.col("prior_arrival"), nw.col("arrival")))
        .filter(nw.col("days_ago") <= LONGEST_WINDOW)
    )


def with_history(tables: ClaimTables, frame: Frame, *, zero: tuple[str, ...]) -> Frame:
    """`frame` (one row an encounter) for every encounter; columns `zero` are 0 where a known patient had none.

    Without a patient or an arrival nothing can be said: null, not 0.
    """
    entities = tables.encounter.select(
        *ENCOUNTER_KEY, known=~nw.col("patient_id").is_null() & ~nw.col("ngay_vao").is_null()
    )
    filled = (
        nw.when(nw.col("known") & nw.col(name).is_null()).then(nw.lit(0.0)).otherwise(nw.col(name)).alias(name)
        for name in zero
    )
    return entities.join(frame, on=list(ENCOUNTER_KEY), how="left").with_columns(*filled).drop("known")
