"""What people come with and what honest care gives them: the diagnoses of the synthetic world.

The tables `tables/acute.csv`, `chronic.csv`, `stays.csv` and `cancer.csv` hold one diagnosis a row. A plan is written
in a small notation: "key chance; key chance; …" for tests and procedures, "key chance 1x3x5" for drugs (dose x times a
day x days; a stay's daily drugs have no days) and "key chance quantity" for supplies. Codes, prices and chances are
plausible inventions, not any real list.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

SEASONS: dict[str, tuple[float, ...]] = {
    "flat": (1.0,) * 12,
    "cold": (1.6, 1.4, 1.2, 0.9, 0.7, 0.6, 0.6, 0.7, 0.9, 1.1, 1.4, 1.7),
    "rain": (0.5, 0.4, 0.4, 0.5, 0.8, 1.2, 1.6, 1.8, 1.7, 1.4, 1.0, 0.7),
}
"""Monthly weight of a season's diseases, January first."""

HEART = frozenset({"I25.1", "I50.9", "I63.9", "I21.9"})
"""Diagnoses with which anti-inflammatory drugs and metformin are not given."""

COMPANIONS = ("E78.5", "M17.9", "K29.5", "H52.0", "G47.0", "M81.9")
"""Secondary diagnoses noted without treatment of their own."""

ALL_AGES = (0, 100)


@dataclass(frozen=True, slots=True)
class Order:
    """One item of a plan: how often it is ordered and, for a drug, the dose."""

    key: str
    chance: float
    dose: int = 1
    times: int = 1
    days: int = 1


@dataclass(frozen=True, kw_only=True)
class Disease:
    """A diagnosis, who has it and when, where it is treated and with what."""

    code: str
    name: str
    complaint: str
    weight: float
    ages: tuple[int, int] = ALL_AGES
    peak: tuple[int, int] = ALL_AGES  # three times as frequent inside
    sex: int | None = None
    season: str = "flat"
    levels: str = "cpdvr"  # commune, polyclinic, district, provincial, referral
    exam: str = "exam_med"
    injury: int = 0  # MA_TAI_NAN
    tests: tuple[Order, ...] = ()
    drugs: tuple[Order, ...] = ()
    procedures: tuple[Order, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Stay(Disease):
    """A reason for admission and the care of a stay."""

    ward: str
    nights: float  # median
    spread: float  # of its logarithm
    limits: tuple[int, int]
    surgery: str = ""  # "usual|other": keys of services
    anaesthesia: int = 0
    daily: tuple[Order, ...] = ()  # drugs given every day
    theatre: tuple[Order, ...] = ()  # drugs of the operation or session
    supplies: tuple[Order, ...] = ()  # used once; `dose` is the quantity
    sessions: tuple[Order, ...] = ()  # procedures repeated every day
    home: tuple[Order, ...] = ()  # drugs to take home
    emergency: float = 0.0
    icu: float = 0.0
    rare: bool = False
    cycle: int = 0  # days between planned sessions


KIDNEY = Disease(
    code="N18.5",
    name="Bệnh thận mạn giai đoạn 5",
    complaint="lọc máu chu kỳ",
    weight=1,
    tests=tuple(Order(key, 1.0) for key in ("cbc", "urea", "crea", "ions")),
)
"""The diagnosis of dialysis patients: one claim a month with all its sessions."""


@cache
def acute() -> tuple[Disease, ...]:
    """Reasons for an outpatient visit of a person who is otherwise well."""
    return tuple(_disease(row) for row in table("acute"))


@cache
def chronic() -> tuple[Disease, ...]:
    """Chronic diseases treated by monthly visits with a supply of drugs."""
    return tuple(_disease(row) for row in table("chronic"))


@cache
def stays() -> tuple[Stay, ...]:
    """Reasons for an admission."""
    return tuple(_stay(row) for row in table("stays"))


@cache
def cancers() -> tuple[Stay, ...]:
    """Cancers treated in planned sessions; one is rare and very dear."""
    return tuple(_stay(row) for row in table("cancer"))


def table(name: str) -> list[dict[str, str]]:
    """Rows of `tables/<name>.csv`."""
    text = (files("data.synthetic") / "tables" / f"{name}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def _orders(text: str) -> tuple[Order, ...]:
    found: list[Order] = []
    for part in filter(None, (p.strip() for p in text.split(";"))):
        key, chance, *dose = part.split()
        found.append(Order(key, float(chance), *(int(n) for n in (dose[0].split("x") if dose else ()))))
    return tuple(found)


def _range(text: str) -> tuple[int, int]:
    low, _, high = text.partition("-")
    return (int(low), int(high)) if high else ALL_AGES


def _disease(row: dict[str, str]) -> Disease:
    return Disease(
        code=row["code"],
        name=row["name"],
        complaint=row["complaint"],
        weight=float(row["weight"]),
        ages=_range(row["ages"]),
        peak=_range(row["peak"]),
        sex=int(row["sex"]) if row["sex"] else None,
        season=row["season"],
        levels=row["levels"],
        exam=row["exam"],
        injury=int(row["injury"] or 0),
        tests=_orders(row["tests"]),
        drugs=_orders(row.get("drugs", "")),
        procedures=_orders(row["procedures"]),
    )


def _stay(row: dict[str, str]) -> Stay:
    return Stay(
        **vars(_disease(row)),
        ward=row["ward"],
        nights=float(row["nights"]),
        spread=float(row["spread"]),
        limits=_range(row["limits"]),
        surgery=row["surgery"],
        anaesthesia=int(row["anaesthesia"] or 0),
        daily=_orders(row["daily"]),
        theatre=_orders(row["theatre"]),
        supplies=_orders(row["supplies"]),
        sessions=_orders(row["sessions"]),
        home=_orders(row["home"]),
        emergency=float(row["emergency"]),
        icu=float(row["icu"] or 0),
        rare=bool(row["rare"]),
        cycle=int(row["cycle"] or 0),
    )
