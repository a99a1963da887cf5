"""A deed: what a scheme or a decoy is, and what the person committing it has at hand.

A scheme is written as a person would commit it, not as a detector would find it. A decoy is the opposite: honest or
merely faulty, though it looks guilty. Both change visits of a month or add new ones; whoever calls them prices every
visit again, so the money identities hold after any deed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from data.synthetic.care import Care
from data.synthetic.claims import Line, Visit
from data.synthetic.clock import DAY
from data.synthetic.dice import Dice
from data.synthetic.world import NEVER, Facility, Patient, World

INTENSITIES = ("subtle", "clear", "blatant")


class Scheme(ABC):
    """One way to be paid too much. A module of `schemes/` holds one, as `SCHEME`."""

    id: ClassVar[str]
    kind: ClassVar[Literal["fraud", "abuse", "error"]]
    actor: ClassVar[Literal["facility", "doctor", "patient"]] = "facility"
    weight: ClassVar[float] = 1.0  # share among the improper claims
    heavy: ClassVar[bool] = False  # whether one claim of it is worth a million VND or more
    batch: ClassVar[int] = 1  # claims that one deed usually makes or changes
    levels: ClassVar[str] = "pdv"  # levels of the facilities where it is done (see `Facility.level`)
    wards: ClassVar[tuple[str, ...]] = ()  # for a doctor's scheme: the wards it is done in; none: consultation rooms
    kinds: ClassVar[tuple[str, ...]] = ()  # MA_LOAI_KCB of the claims that can tempt; none: any
    late: ClassVar[bool] = False  # whether it begins some time into the period
    together: ClassVar[bool] = False  # whether what is wrong lies between its claims: one deed is one case

    @abstractmethod
    def tempts(self, visit: Visit) -> bool:
        """Whether this claim offers itself."""

    @abstractmethod
    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Do it: change `visit` (and others after `hand.touch`), return new visits. None when it does not work out."""


class Decoy(ABC):
    """Something that looks like a scheme and is none. A module of `decoys/` holds one, as `DECOY`."""

    id: ClassVar[str]
    kind: ClassVar[Literal["legit_outlier", "dirty"]]
    weight: ClassVar[float] = 1.0  # share among the decoys of its kind
    batch: ClassVar[int] = 1
    levels: ClassVar[str] = "pdv"
    kinds: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def tempts(self, visit: Visit) -> bool:
        """Whether this claim can become one."""

    @abstractmethod
    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Change `visit` (and others after `hand.touch`), return new visits. None when it does not work out."""


@dataclass(slots=True)
class Hand:
    """What the person committing a deed has at hand."""

    care: Care
    dice: Dice
    month: list[Visit]  # every visit that begins in the month, priced
    boldness: float  # 0 subtle .. 1 blatant
    facility: Facility  # where the person works
    doctor: str | None  # their code, if it is a doctor's deed
    room: int  # claims the deed may make or change
    touched: list[Visit] = field(default_factory=list)
    refused: list[tuple[Visit, Line, int]] = field(default_factory=list)
    blamed: list[tuple[str, str]] = field(default_factory=list)
    _before: dict[int, Before] = field(default_factory=dict)

    @property
    def world(self) -> World:
        """The world the claims are about."""
        return self.care.world

    @property
    def intensity(self) -> str:
        """`subtle`, `clear` or `blatant`."""
        return INTENSITIES[min(2, int(self.boldness * 3))]

    def openly(self, chance: float) -> bool:
        """Whether a claim shows what is done: with `chance`, and always where the person is blatant."""
        return self.dice.hit(chance) or self.intensity == INTENSITIES[-1]

    # The claims of the month

    def touch(self, visit: Visit) -> Visit:
        """Say that another visit of the month than the first will be changed: it can be undone, and it is counted."""
        if id(visit) not in self._before:
            self._before[id(visit)] = Before(visit)
            self.touched.append(visit)
        return visit

    def before(self, visit: Visit) -> Before:
        """A touched visit as it was."""
        return self._before[id(visit)]

    def refuse(self, visit: Visit, *lines: Line, percent: int = 100) -> None:
        """Say that the fund does not owe these lines (or a part of them), though the deed did not make them dearer."""
        self.refused.extend((visit, line, percent) for line in lines)

    def blame(self, level: Literal["facility", "doctor", "patient"], name: str) -> None:
        """Name somebody else who took part (facility code, facility:doctor, card number)."""
        self.blamed.append((level, name))

    def group(self, low: int, high: int) -> int:
        """How many claims the deed takes: `low` to `high`, fewer where the world is small, more where it is bold."""
        wanted = low + (high - low) * (0.35 * self.boldness + 0.65 * self.dice.chance())
        return max(min(low, 6), min(round(wanted), self.room))

    def others(self, fits: Callable[[Visit], bool], facility: Facility | None = None) -> list[Visit]:
        """Untouched ordinary visits of the month at a facility (the person's own) that fit."""
        place = facility or self.facility
        return [v for v in self.month if v.facility is place and v.label == "normal" and not v.schemes and fits(v)]

    # Making and moving

    def moved(self, line: Line, facility: Facility, minutes: int) -> Line:
        """A copy of a line at another time (and place), at the price of its new day; results are taken along."""
        other = line.copy()
        other.ordered, other.done, other.result = line.ordered + minutes, line.done + minutes, line.result + minutes
        if line.unit_price == facility.price(line.item, line.ordered):
            other.unit_price = facility.price(line.item, other.ordered)
        return other

    def clone(self, visit: Visit, patient: Patient, shift: int) -> Visit:
        """The same visit for somebody else (or again), moved by `shift` minutes; results and notes are made anew."""
        twin = copy(visit)
        twin.patient, twin.phone = patient, patient.phone
        twin.weight = round(patient.weight + 0.5 * self.dice.normal(), 1)
        twin.start, twin.end, twin.left = visit.start + shift, visit.end + shift, visit.left + shift
        if visit.admitted:
            twin.admitted = visit.admitted + shift
        if visit.return_day:
            twin.return_day = visit.return_day + (twin.start // DAY - visit.start // DAY)
        twin.notes = []
        for at, _, who in visit.notes:
            self.care.note(twin, at + shift, who)
        twin.secondary = self.care.secondary(patient, visit.disease)
        twin.schemes, twin.improper, twin.label, twin.decoy, twin.intensity, twin.blamed = [], 0, "normal", "", "", ()
        twin.case = ""
        twin.lines = []
        for line in visit.lines:
            other = self.moved(line, visit.facility, shift)
            if line.item.table == 2:
                other.cover_ratio = 100 if patient.card[2] in "15" else line.item.pay_ratio
            if line.values or line.conclusion:
                self.care.values(other)
            if line.bed:
                other.bed = visit.facility.bed(line.department, other.done, other.result)
            twin.lines.append(other)
        return twin

    # People

    def free(self, patient: Patient, day: int, quiet: int = 6) -> bool:
        """Whether somebody was not seen, and is not yet due, within `quiet` days of a day."""
        return patient.died is None and patient.free_from < NEVER and abs(patient.last_visit // DAY - day) > quiet

    def people(self, facility: Facility, day: int, fits: Callable[[Patient], bool], count: int) -> list[Patient]:
        """Up to `count` different people the facility knows who fit and were not seen about that day."""
        found: dict[int, Patient] = {}
        for _ in range(30 * count):
            if len(found) >= count:
                break
            patient = self.dice.pick(facility.patients)
            if patient.index not in found and self.free(patient, day) and fits(patient):
                found[patient.index] = patient
        return list(found.values())

    def neighbour(self, facility: Facility, visit: Visit, day: int) -> Patient | None:
        """A person the facility knows, of like age and sex, who was not seen lately."""
        like = self.people(
            facility,
            day,
            lambda p: p.sex == visit.patient.sex and abs(p.born - visit.patient.born) < 12 * 365 and not p.chronic,
            1,
        )
        return like[0] if like else None


class Before:
    """A visit as it was, so that a deed can be undone and its gain be told."""

    def __init__(self, visit: Visit) -> None:
        self.visit = visit
        self._fields = {name: getattr(visit, name) for name in Visit.__dataclass_fields__}
        self._fields["lines"] = [line.copy() for line in visit.lines]
        self._fields["notes"] = list(visit.notes)
        self._fields["schemes"] = list(visit.schemes)
        self._owed = {id(line): line.fund for line in visit.lines}
        self.fund = visit.fund

    def owed(self, line: Line) -> int:
        """What the fund paid for a line before; 0 for a new one."""
        return self._owed.get(id(line), 0)

    def restore(self) -> None:
        """Undo every change."""
        for name, value in self._fields.items():
            setattr(self.visit, name, value)
