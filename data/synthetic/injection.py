"""What a few people do on top of honest care: the scheme protocol, its discovery, and who does how much.

A scheme is written as a person would commit it, not as a detector would find it. Few facilities and doctors carry most
of it; each keeps to one manner between subtle and blatant. After every deed the money identities hold again, and a
deed that does not raise what the fund pays is not done.
"""

from __future__ import annotations

import importlib
import pkgutil
from copy import copy
from dataclasses import dataclass
from functools import cache
from typing import Literal, Protocol

from data.synthetic.care import Care
from data.synthetic.claims import Visit, price
from data.synthetic.clock import DAY, Clock
from data.synthetic.dice import Dice, running
from data.synthetic.world import Facility, Patient, World

LIGHT_SHARE = 0.006  # claims with a scheme worth little, of all claims
HEAVY_SHARE = (0.0075, 0.0125)  # claims with a dear one: usual, and most when money is short
MONEY_SHARE = (0.025, 0.033)  # improper part of what the fund pays
LARGEST = 0.01  # one deed, as a part of all the fund has paid so far: nobody dares more
STRAY = 0.15  # part of the improper claims that comes from anyone


class Scheme(Protocol):
    """One way to be paid too much."""

    id: str
    kind: Literal["fraud", "abuse", "error"]
    actor: Literal["facility", "doctor"]
    weight: float  # share among the improper claims
    heavy: bool  # whether one deed is worth much
    levels: str  # levels of facilities where it is done (see `Facility.level`)
    wards: tuple[str, ...]  # for a doctor's scheme: the wards it is done in; none means the consultation rooms
    late: bool  # whether it begins some time into the period

    def tempts(self, visit: Visit) -> bool:
        """Whether this claim offers itself."""
        ...

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Do it: change `visit`, or return new visits. None when it does not work out."""
        ...


@dataclass(slots=True)
class Hand:
    """What the person committing a scheme has at hand."""

    care: Care
    dice: Dice
    month: list[Visit]
    boldness: float  # 0 subtle .. 1 blatant
    facility: Facility  # where the person works

    @property
    def world(self) -> World:
        """The world the claims are about."""
        return self.care.world

    def clone(self, visit: Visit, patient: Patient, shift: int) -> Visit:
        """The same visit for somebody else (or again), moved by `shift` minutes."""
        twin = copy(visit)
        twin.patient, twin.phone = patient, patient.phone
        twin.weight = round(patient.weight + 0.5 * self.dice.normal(), 1)
        twin.start, twin.end, twin.left = visit.start + shift, visit.end + shift, visit.left + shift
        twin.notes = []
        for at, _, who in visit.notes:
            self.care.note(twin, at + shift, who)
        twin.secondary = self.care.secondary(patient, visit.disease)
        twin.schemes, twin.improper, twin.label, twin.actor = [], 0, "normal", None
        twin.lines = []
        for line in visit.lines:
            other = line.copy()
            other.ordered, other.done, other.result = line.ordered + shift, line.done + shift, line.result + shift
            if line.item.table == 2:
                other.cover_ratio = 100 if patient.card[2] in "15" else line.item.pay_ratio
            if line.values or line.conclusion:
                self.care.values(other)
            twin.lines.append(other)
        return twin

    def neighbour(self, facility: Facility, visit: Visit, day: int) -> Patient | None:
        """A person the facility knows, of like age and sex, who was not seen lately."""
        for _ in range(25):
            patient = self.dice.pick(facility.patients)
            if (
                patient.sex == visit.patient.sex
                and abs(patient.born - visit.patient.born) < 12 * 365
                and not patient.chronic
                and abs(patient.last_visit // DAY - day) > 6
            ):
                return patient
        return None


@cache
def schemes() -> tuple[Scheme, ...]:
    """Every scheme of the package `schemes`, by name of the module."""
    package = importlib.import_module("data.synthetic.schemes")
    names = sorted(m.name for m in pkgutil.iter_modules(package.__path__))
    return tuple(importlib.import_module(f"{package.__name__}.{name}").SCHEME for name in names)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who commits a scheme, and in which manner."""

    facility: int
    doctor: str | None
    boldness: float
    since: int  # first day


@dataclass(frozen=True, slots=True)
class _Openings:
    anyone: list[Visit]
    theirs: list[tuple[Visit, Actor]]


class Underworld:
    """Decides which claims of a month are touched, by whom and how much."""

    def __init__(self, care: Care, dice: Dice) -> None:
        self.care, self.dice, self.world = care, dice, care.world
        self.claims = 0
        self.done = {False: 0, True: 0}  # improper claims so far, by weight of the scheme
        self.money = self.improper_money = 0
        self.owed = {s.id: 0.4 for s in schemes()}  # deeds due by now, less those done
        self.crooked = self._crooked()
        self.actors: dict[str, list[Actor]] = {s.id: self._recruit(s) for s in schemes()}

    def _recruit(self, scheme: Scheme) -> list[Actor]:
        dice, facilities = self.dice, self.world.facilities
        since = dice.between(0, self.world.clock.days // 3) if scheme.late else 0
        able = [f for f in facilities if f.level in scheme.levels]
        places = [f for f in self.crooked if f in able] or dice.sample(able, 1)
        if scheme.actor == "facility":
            return [Actor(f.index, None, dice.chance(), since) for f in places]
        hospitals = [f for f in able if f not in places]
        people: list[Actor] = []
        for f in [*places, *dice.sample(hospitals, 1 + len(facilities) // 40)]:
            wards = [w for w in scheme.wards if w in f.wards]
            doctor = f.wards[dice.pick(wards)][0] if wards else dice.pick(f.exams["exam_med"])
            people.append(Actor(f.index, doctor.code, dice.chance(), since))
        return people

    def _crooked(self) -> list[Facility]:
        """The few facilities where most of it happens: large hospitals and clinics."""
        facilities = self.world.facilities
        count = max(2, round(len(facilities) * 0.03))
        hospitals = sorted((f for f in facilities if f.level in "dv"), key=lambda f: -f.volume)
        clinics = [f for f in facilities if f.level == "p"]
        return [
            *self.dice.sample(hospitals[: max(count, len(hospitals) // 2)], count),
            *self.dice.sample(clinics, count // 2),
        ]

    def work(self, month: list[Visit]) -> list[Visit]:
        """Commit the month's deeds; returns the visits that were invented. Every visit of `month` is priced."""
        self.claims += len(month)
        self.money += sum(v.fund for v in month)
        invented: list[Visit] = []
        openings = {s.id: self._openings(s, month) for s in schemes()}
        for scheme in schemes():
            share = HEAVY_SHARE[0] if scheme.heavy else LIGHT_SHARE
            weights = sum(s.weight for s in schemes() if s.heavy == scheme.heavy)
            self.owed[scheme.id] += len(month) * share * scheme.weight / weights
            for _ in range(int(self.owed[scheme.id] + 0.5)):
                rich = scheme.heavy and self._share() > MONEY_SHARE[1]
                if not rich and self._try(scheme, openings[scheme.id], month, invented):
                    self.owed[scheme.id] -= 1
        dear = [s for s in schemes() if s.heavy]
        totals = running([s.weight for s in dear])
        for _ in range(200):  # more of the dear deeds until the money is in its usual range
            if self._share() >= MONEY_SHARE[0] or self.done[True] > self.claims * HEAVY_SHARE[1]:
                break
            scheme = self.dice.weighted(dear, totals)
            self._try(scheme, openings[scheme.id], month, invented)
        return invented

    def _share(self) -> float:
        return self.improper_money / self.money if self.money else 0.0

    def _openings(self, scheme: Scheme, month: list[Visit]) -> _Openings:
        anyone = [v for v in month if v.label == "normal" and scheme.tempts(v)]
        actors = self.actors[scheme.id]
        theirs = [(v, a) for a in actors for v in anyone
                  if v.facility.index == a.facility and v.start // DAY >= a.since and _is_of(v, a)]  # fmt: skip
        return _Openings(anyone, theirs)

    def _try(self, scheme: Scheme, openings: _Openings, month: list[Visit], invented: list[Visit]) -> bool:
        """One deed, by one of the actors or now and then by anyone."""
        dice = self.dice
        stray = dice.hit(STRAY)
        look = 3 if scheme.heavy else 1  # who risks much looks for a dear claim
        for _ in range(6):
            if stray and openings.anyone:
                visit = max((dice.pick(openings.anyone) for _ in range(look)), key=_fund)
                actor = Actor(
                    visit.facility.index, visit.doctor.code if scheme.actor == "doctor" else None, dice.chance(), 0
                )
            elif openings.theirs:
                visit, actor = max((dice.pick(openings.theirs) for _ in range(look)), key=lambda pair: pair[0].fund)
            else:
                return False
            if self._commit(scheme, visit, actor, month, invented):
                return True
        return False

    def _commit(self, scheme: Scheme, visit: Visit, actor: Actor, month: list[Visit], invented: list[Visit]) -> bool:
        if visit.schemes:
            return False
        clock = self.world.clock
        keep = _Snapshot(visit)
        hand = Hand(self.care, self.dice, month, actor.boldness, self.world.facilities[actor.facility])
        before = visit.fund
        made = scheme.commit(visit, hand)
        if made is None:
            keep.restore(clock)
            return False
        price(visit, clock)
        for other in made:
            price(other, clock)
        gain = visit.fund - before + sum(v.fund for v in made)
        if gain <= 0 or gain > self.money * LARGEST:
            keep.restore(clock)
            return False
        guilty = made or [visit]
        for n, other in enumerate(guilty):
            other.schemes.append(scheme.id)
            other.label = scheme.kind
            other.improper = gain if n == 0 else 0
            level = (
                ("doctor", f"{other.facility.code}:{actor.doctor}")
                if actor.doctor
                else ("facility", other.facility.code)
            )
            other.actor = level
        invented.extend(made)
        self.done[scheme.heavy] += len(guilty)
        self.claims += len(made)
        self.improper_money += gain
        self.money += gain
        return True


class _Snapshot:
    """A visit as it was, for a deed that does not pay."""

    def __init__(self, visit: Visit) -> None:
        self.visit = visit
        self.lines = [line.copy() for line in visit.lines]
        self.notes = list(visit.notes)
        self.rest = (visit.end, visit.left, visit.days, visit.result, visit.discharge, visit.phone)

    def restore(self, clock: Clock) -> None:
        """Undo every change."""
        visit = self.visit
        visit.lines, visit.notes = self.lines, self.notes
        visit.end, visit.left, visit.days, visit.result, visit.discharge, visit.phone = self.rest
        price(visit, clock)


def _is_of(visit: Visit, actor: Actor) -> bool:
    if actor.doctor is None:
        return True
    return visit.doctor.code == actor.doctor or any(line.doctor == actor.doctor for line in visit.lines)


def _fund(visit: Visit) -> int:
    return visit.fund
