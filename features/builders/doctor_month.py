"""A doctor's month: all encounters whose main doctor they are, by month of discharge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from features import months
from features.base import KEYS, feature
from features.doctors import MAIN_DOCTOR_NEEDS

if TYPE_CHECKING:
    from data.schema import ClaimTables
    from features.expressions import Frame

DOCTOR = KEYS["doctor_month"]


@feature(level="doctor_month", needs=(*MAIN_DOCTOR_NEEDS, *months.VOLUME_NEEDS), columns=months.VOLUME_COLUMNS)
def doctor_volume(tables: ClaimTables) -> Frame:
    """How many encounters and patients a doctor had and how they came. Source: XML1; main doctor from XML2, XML3."""
    return months.volume(tables, DOCTOR)


@feature(level="doctor_month", needs=(*MAIN_DOCTOR_NEEDS, *months.MONEY_NEEDS), columns=months.MONEY_COLUMNS)
def doctor_money(tables: ClaimTables) -> Frame:
    """What a doctor's encounters cost, by cost heading and in all. Source: XML1 totals, XML2, XML3 THANH_TIEN_BH."""
    return months.money(tables, DOCTOR)


@feature(level="doctor_month", needs=(*MAIN_DOCTOR_NEEDS, *months.MIX_NEEDS), columns=months.MIX_COLUMNS)
def doctor_mix(tables: ClaimTables) -> Frame:
    """Which encounters a doctor had: stays, weekends, nights, short visits, diagnoses. Source: XML1."""
    return months.mix(tables, DOCTOR)


@feature(level="doctor_month", needs=(*MAIN_DOCTOR_NEEDS, *months.HABIT_NEEDS), columns=months.HABIT_COLUMNS)
def doctor_habits(tables: ClaimTables) -> Frame:
    """How a doctor orders: lines, drugs and tests an encounter, round quantities. Source: XML2, XML3."""
    return months.habits(tables, DOCTOR)


@feature(level="doctor_month", needs=(*MAIN_DOCTOR_NEEDS, *months.KIND_NEEDS), columns=months.KIND_COLUMNS)
def doctor_kind(tables: ClaimTables) -> Frame:
    """Categories of a doctor's month as text, for peer groups. Source: XML1 and the facility catalogue."""
    return months.kind(tables, DOCTOR)
