"""What was known of a patient when they arrived: the one place that decides what "before" means.

An encounter sees the same patient's encounters that began strictly before it, and of these only what was ordered before
its own arrival. Encounters that begin at the same minute do not see each other; without a card there is no history.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw

from data.schema import ENCOUNTER_KEY
from features.expressions import Frame, care_type, days_between, icd3, shared, with_supply

if TYPE_CHECKING:
    from data.schema import ClaimTables

LONGEST_WINDOW = 365  # days; an encounter that began earlier is no longer looked at

PRIOR_KEY = ("prior_ma_cskcb", "prior_ma_lk")
"""The key of the earlier encounter in `earlier_encounters`."""


PATIENT_KEY = ("patient_id", *ENCOUNTER_KEY)
"""A patient as of one of their claims."""


def known_encounters(tables: ClaimTables) -> Frame:
    """Encounters with a card and an arrival: those that have a history and are part of others'."""
    return tables.encounter.filter(~nw.col("patient_id").is_null() & ~nw.col("ngay_vao").is_null())


@shared
def earlier_encounters(tables: ClaimTables) -> Frame:
    """One row for each encounter and each earlier one of the same patient within `LONGEST_WINDOW` days.

    Columns: the encounter's key, `arrival`, `icd3`; the earlier one's `PRIOR_KEY`, `prior_arrival`, `prior_discharge`,
    `prior_care`, `prior_icd3`, `prior_paid` (T_BHTT); `days_ago` from its arrival to this one, above 0.
    """
    known = known_encounters(tables)
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


@shared
def earlier_drugs(tables: ClaimTables) -> Frame:
    """Drug lines of earlier encounters ordered before arrival: their code, days of supply and `ordered_days_ago`."""
    needed = tables.drug_line.select(*ENCOUNTER_KEY, "ma_thuoc", "ngay_yl", "lieu_dung", "so_luong")
    drugs = with_supply(needed).select(
        "supply",
        prior_ma_cskcb=nw.col("ma_cskcb"),
        prior_ma_lk=nw.col("ma_lk"),
        code=nw.col("ma_thuoc"),
        ordered=nw.col("ngay_yl"),
    )
    return (
        earlier_encounters(tables)
        .join(drugs, on=list(PRIOR_KEY), how="inner")
        .filter(nw.col("ordered") < nw.col("arrival"))
        .with_columns(ordered_days_ago=days_between(nw.col("ordered"), nw.col("arrival")))
    )


@shared
def claims_so_far(tables: ClaimTables) -> Frame:
    """One row for each known encounter and each of its patient's claims so far: itself and the earlier ones.

    Columns: `PATIENT_KEY` of the encounter, `arrival`, `own` (the claim is the encounter itself), `days_ago` (0 for
    its own), `ended` (own, or discharged by the arrival: only then its diagnosis, money, lines and length are known),
    and of the claim `PRIOR_KEY`, `prior_arrival`, `prior_discharge`, `prior_care`, `prior_icd3`.
    """
    key: list[str] = list(ENCOUNTER_KEY)
    earlier = (
        earlier_encounters(tables)
        .join(tables.encounter.select(*key, "patient_id"), on=key, how="left")
        .with_columns(own=nw.lit(0), ended=nw.col("prior_discharge") <= nw.col("arrival"))
    )
    own = known_encounters(tables).select(
        *PATIENT_KEY,
        arrival=nw.col("ngay_vao"),
        own=nw.lit(1),
        days_ago=nw.lit(0.0),
        ended=~nw.col("ngay_vao").is_null(),
        prior_ma_cskcb=nw.col("ma_cskcb"),
        prior_ma_lk=nw.col("ma_lk"),
        prior_arrival=nw.col("ngay_vao"),
        prior_discharge=nw.col("ngay_ra"),
        prior_care=care_type(),
        prior_icd3=icd3(),
    )
    columns = own.collect_schema().names()
    return nw.concat([own, earlier.select(*columns)], how="vertical").with_columns(
        ended=nw.col("ended").fill_null(False)
    )
