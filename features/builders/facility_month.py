"""A facility's month: all its encounters by month of discharge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from features import months
from features.base import KEYS, feature
from features.doctors import MAIN_DOCTOR_NEEDS

if TYPE_CHECKING:
    from data.schema import ClaimTables
    from features.expressions import Frame

FACILITY = KEYS["facility_month"]


@feature(level="facility_month", needs=months.VOLUME_NEEDS, columns=months.VOLUME_COLUMNS)
def facility_volume(tables: ClaimTables) -> Frame:
    """How many encounters and patients a facility had and how they came. Source: XML1."""
    return months.volume(tables, FACILITY)


@feature(level="facility_month", needs=months.MONEY_NEEDS, columns=months.MONEY_COLUMNS)
def facility_money(tables: ClaimTables) -> Frame:
    """What a facility's encounters cost, by cost heading and in all. Source: XML1 totals, XML2, XML3 THANH_TIEN_BH."""
    return months.money(tables, FACILITY)


@feature(level="facility_month", needs=months.MIX_NEEDS, columns=months.MIX_COLUMNS)
def facility_mix(tables: ClaimTables) -> Frame:
    """Which encounters a facility had: stays, weekends, nights, short visits, diagnoses. Source: XML1."""
    return months.mix(tables, FACILITY)


@feature(level="facility_month", needs=months.HABIT_NEEDS, columns=months.HABIT_COLUMNS)
def facility_habits(tables: ClaimTables) -> Frame:
    """How a facility orders: lines, drugs and tests an encounter, round quantities. Source: XML2, XML3."""
    return months.habits(tables, FACILITY)


@feature(
    level="facility_month",
    needs=("encounter.month", *MAIN_DOCTOR_NEEDS),
    columns={
        "doctors": "different main doctors of the month's encounters, from 1; null when no line names one",
        "visits_per_doctor": "encounters with a main doctor over doctors; null when no line names one",
        "top_doctor_visit_share": "the busiest doctor's part of these encounters, 0 to 1; null when no line names one",
    },
)
def facility_staff(tables: ClaimTables) -> Frame:
    """Doctors of a facility and how evenly encounters are spread over them. Source: XML2, XML3 MA_BAC_SI."""
    return months.staff(tables, FACILITY)


@feature(level="facility_month", needs=months.KIND_NEEDS, columns=months.KIND_COLUMNS)
def facility_kind(tables: ClaimTables) -> Frame:
    """Categories of a facility's month as text, for peer groups. Source: XML1 and the facility catalogue."""
    return months.kind(tables, FACILITY)
