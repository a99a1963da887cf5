"""Words of rules that look at other patients' claims of the facility: order in time, company, fingerprints.

A claim's answer may lean only on claims that began before it ended, and on nothing later than its end. `timed` makes
that so for lines: what lies within its own stay and comes no later than a line of the judged claim belongs to a claim
that began in time. Every window here is cut by facility, and none looks further back than `DAYS`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.schema import ENCOUNTER_KEY
from detectors.base import COMPANY_DAYS
from detectors.expressions import carried_out, clockless, minutes_between, money, with_encounter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from data.schema import ClaimTables

Frame = nw.LazyFrame[Any]

DAYS = COMPANY_DAYS - 1
"""How many days before a claim others are looked at: one less than are handed in, as these count from its arrival."""

NEWBORN_DAYS = 28
"""Below this age a child lies in its mother's bed, or is written into it."""

IN_TIME = ("at", "ma_lk", "row_no")
"""Order of the lines of a facility by time: of two at once the one of the later claim number is the later."""

_PRIME = 2_147_483_647
_FACTORS = ((48_271, 69_621, 16_807, 39_373), (30_269, 40_692, 52_774, 65_539))
"""Multipliers below 2^17: with values below the prime a sum of four products stays far from the end of 64 bits."""


def timed(frame: Frame, tables: ClaimTables, *columns: str) -> Frame:
    """Lines whose time (`at`) is known to the minute and lies within their own stay, with columns of the encounter.

    Those are `e_ngay_vao`, `e_ngay_ra`, `e_patient_id` and `e_<column>`. Where times are written to the day, nothing
    can be said of their order, and the line is left out.
    """
    at = nw.col("at")
    dated = frame.with_columns(at=carried_out()).filter(~clockless(at))
    held = dict.fromkeys(("ngay_vao", "ngay_ra", "patient_id", *columns))
    return with_encounter(dated, tables, *held).filter(
        at >= nw.col("e_ngay_vao"), at < nw.col("e_ngay_ra"), ~nw.col("e_patient_id").is_null()
    )


def until_result(frame: Frame) -> Frame:
    """`frame` of `timed` lines with `end`, their result's time within the stay; lines without a later one are left out.

    An `end` is only ever compared with times of claims that were there before it.
    """
    end, leaves = nw.col("ngay_kq"), nw.col("e_ngay_ra")
    return frame.with_columns(end=nw.when(end > leaves).then(leaves).otherwise(end)).filter(nw.col("end") > nw.col("at"))


def taken_until(frame: Frame, *place: str) -> Frame:
    """`frame` (rows with `at`, `end`) with `others_until`: how long those who came before hold the `place`.

    Null where it is free, or where the row's own claim or patient holds it the longest: these are told elsewhere.
    """
    end = nw.col("end")
    by_claim = ["ma_cskcb", *place, "ma_lk"]
    by_patient = ["ma_cskcb", *place, "e_patient_id"]
    held = frame.with_columns(
        _all=end.cum_max().over("ma_cskcb", *place, order_by=IN_TIME),
        _claim=end.cum_max().over(*by_claim, order_by=IN_TIME),
        _patient=end.cum_max().over(*by_patient, order_by=IN_TIME),
    ).with_columns(
        _all=nw.col("_all").shift(1).over("ma_cskcb", *place, order_by=IN_TIME),
        _claim=nw.col("_claim").shift(1).over(*by_claim, order_by=IN_TIME),
        _patient=nw.col("_patient").shift(1).over(*by_patient, order_by=IN_TIME),
    )
    until = nw.col("_all")
    by_others = (until > nw.col("at")) & nw.all_horizontal(
        *(nw.col(own).is_null() | (nw.col(own) < until) for own in ("_claim", "_patient")), ignore_nulls=False
    )
    return held.with_columns(others_until=nw.when(by_others).then(until)).drop("_all", "_claim", "_patient")


def present(frame: Frame, *place: str) -> Frame:
    """`frame` (rows with `at`, `end`) with `present`: how many rows hold the `place` when this one begins, itself too.

    Who leaves in the minute another comes has left.
    """
    where = ("ma_cskcb", *place)
    come = frame.with_columns(when=nw.col("at"), comes=nw.lit(1), step=nw.lit(1))
    go = frame.with_columns(when=nw.col("end"), comes=nw.lit(0), step=nw.lit(-1))
    order = ["when", "comes", "ma_lk", "row_no"]
    return (
        nw.concat([come, go])
        .with_columns(present=nw.col("step").cum_sum().over(*where, order_by=order))
        .filter(nw.col("comes") == 1)
        .drop("when", "comes", "step")
    )


def spells(frame: Frame, *place: str) -> Frame:
    """`frame` (rows with `at`, `end`) with `spell`: a number for each unbroken run of a claim's rows in a `place`."""
    where = [*ENCOUNTER_KEY, *place]
    return (
        frame.with_columns(_upto=nw.col("end").cum_max().over(*where, order_by=IN_TIME))
        .with_columns(_upto=nw.col("_upto").shift(1).over(*where, order_by=IN_TIME))
        .with_columns(_new=(nw.col("_upto").is_null() | (nw.col("at") > nw.col("_upto"))).cast(nw.Int64))
        .with_columns(spell=nw.col("_new").cum_sum().over(*where, order_by=IN_TIME).cast(nw.Int64))
        .drop("_upto", "_new")
    )


def runs_of(frame: Frame, *place: str) -> Frame:
    """One row a `spell` of `frame`: its `at`, `end`, first `row_no` and `e_patient_id`."""
    return frame.group_by(*ENCOUNTER_KEY, *place, "spell").agg(
        nw.col("at").min(), nw.col("end").max(), nw.col("row_no").min(), nw.col("e_patient_id").min()
    )


def newborn() -> nw.Expr:
    """Whether the patient (`e_ngay_sinh`) was below `NEWBORN_DAYS` on arrival; an unknown birthday is not."""
    lived = minutes_between(nw.col("e_ngay_sinh").cast(nw.Datetime("us")), nw.col("e_ngay_vao"))
    return (lived < NEWBORN_DAYS * 1440).fill_null(value=False)


def days_before(later: nw.Expr, earlier: nw.Expr) -> nw.Expr:
    """Whether the day `earlier` is one of the `DAYS` days before the day `later`, which is not itself one of them."""
    apart = minutes_between(earlier, later) / 1440
    return (apart >= 1) & (apart <= DAYS)


def whole(column: str, times: int = 1) -> nw.Expr:
    """A number times `times` as an integer, rounded half up: exact sums and remainders on every engine."""
    return (money(column) * times + 0.5).floor().cast(nw.Int64)


def fingerprint(*values: nw.Expr) -> dict[str, nw.Expr]:
    """Two numbers `print_a`, `print_b` below 2^31 that differ, but for chance, when one of up to four integers does.

    Their sums over the rows of a claim tell its rows as a bag, in whatever order they are written.
    """
    found: dict[str, nw.Expr] = {}
    for name, factors in zip(("print_a", "print_b"), _FACTORS, strict=True):
        mixed = nw.lit(factors[-1], dtype=nw.Int64)
        for value, factor in zip(values, factors[: len(values)], strict=True):
            mixed = (mixed * 31 + (value % _PRIME) * factor) % _PRIME  # place by place, so that values do not swap
        found[name] = (mixed * mixed) % _PRIME  # a square: else equal sums of codes would look alike
    return found


def numbered(frame: Frame, *columns: str) -> Frame:
    """The different values of `columns` with a number (`number`) each, to be joined and put into a fingerprint."""
    return frame.select(*columns).unique(list(columns)).with_columns(number=nw.lit(1)).with_columns(
        number=nw.col("number").cum_sum().over(order_by=list(columns)).cast(nw.Int64)
    )


def bags(frame: Frame, by: Sequence[str]) -> Frame:
    """Sums of `print_a`, `print_b` and the number of rows (`items`) of each group of `frame`."""
    return frame.group_by(*by).agg(
        nw.col("print_a").sum(), nw.col("print_b").sum(), items=nw.len()
    ).with_columns(nw.col("print_a").cast(nw.Int64), nw.col("print_b").cast(nw.Int64), nw.col("items").cast(nw.Int64))
