"""What a few people do on top of honest care, and what only looks like it: who does how much of which deed.

Few facilities and doctors carry most of it; each keeps to one manner between subtle and blatant. A scheme that does not
pay is not done. The improper amount of a claim is what the fund pays now less what it would have paid without the deed.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from types import ModuleType

from data.synthetic.care import Care
from data.synthetic.claims import Visit, price
from data.synthetic.clock import DAY
from data.synthetic.deed import Decoy, Hand, Scheme
from data.synthetic.dice import Dice, running
from data.synthetic.world import Facility

LIGHT_SHARE = 0.0065  # claims with a scheme worth little, of all claims
HEAVY_SHARE = (0.0065, 0.0115)  # claims with a dear one: usual, and most when money is short
MONEY_SHARE = (0.025, 0.033)  # improper part of what the fund pays
LARGEST = 0.004  # one deed, as a part of all the fund will pay in the period: nobody dares more
STRAY = 0.12  # part of the improper claims that comes from anyone
DECOY_SHARE = {"legit_outlier": 0.01, "dirty": 0.01}


@cache
def all_schemes() -> tuple[Scheme, ...]:
    """Every scheme of the package `schemes`, by name of the module."""
    return tuple(module.SCHEME for module in _modules("schemes"))


@cache
def all_decoys() -> tuple[Decoy, ...]:
    """Every decoy of the package `decoys`, by name of the module."""
    return tuple(module.DECOY for module in _modules("decoys"))


def _modules(package: str) -> list[ModuleType]:
    found = importlib.import_module(f"data.synthetic.{package}")
    names = sorted(m.name for m in pkgutil.iter_modules(found.__path__))
    return [importlib.import_module(f"{found.__name__}.{name}") for name in names]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who commits a scheme, and in which manner."""

    facility: int
    doctor: str | None
    boldness: float
    since: int  # first day


class Underworld:
    """Decides which claims of a month are touched, by whom and how much."""

    def __init__(
        self, care: Care, dice: Dice, *, expected: int, schemes: Sequence[Scheme], decoys: Sequence[Decoy], thick: float
    ) -> None:
        """`expected` claims in the whole period; `thick` times the usual share of them improper."""
        self.care, self.dice, self.world = care, dice, care.world
        self.schemes, self.decoys, self.expected, self.thick = tuple(schemes), tuple(decoys), expected, thick
        self.claims = 0
        self.done = {False: 0, True: 0}  # improper claims so far, by weight of the scheme
        self.cases = 0
        self.money = self.improper_money = 0
        self.share: dict[str, float] = self._shares()
        # A deed is due when half its batch is owed; a random start makes rare deeds happen in some worlds only.
        self.owed = {s.id: dice.chance() * s.batch / 2 for s in (*self.schemes, *self.decoys)}
        self.crooked = self._crooked()
        self.actors: dict[str, list[Actor]] = {s.id: self._recruit(s) for s in self.schemes}

    def _shares(self) -> dict[str, float]:
        """Part of all claims that each scheme and decoy is to touch."""
        share: dict[str, float] = {}
        for heavy, part in ((False, LIGHT_SHARE), (True, HEAVY_SHARE[0])):
            group = [s for s in self.schemes if s.heavy == heavy]
            total = sum(s.weight for s in group)
            share |= {s.id: self.thick * part * s.weight / total for s in group}
        for kind, part in DECOY_SHARE.items():
            group = [d for d in self.decoys if d.kind == kind]
            total = sum(d.weight for d in group)
            share |= {d.id: part * d.weight / total for d in group}
        return share

    def _recruit(self, scheme: Scheme) -> list[Actor]:
        dice, facilities = self.dice, self.world.facilities
        if scheme.actor == "patient":
            return []
        since = dice.between(0, self.world.clock.days // 3) if scheme.late else 0
        able = [f for f in facilities if f.level in scheme.levels and f.opens < 0]
        if not able:
            return []
        crooked = [f for f in self.crooked if f in able]
        places = dice.sample(crooked, 1 + dice.between(0, 1 + len(facilities) // 60)) or dice.sample(able, 1)
        manners = dice.sample(range(3), 3)  # so that actors differ in intensity
        actors: list[Actor] = []
        for n, f in enumerate([*places, *dice.sample([f for f in able if f not in places], len(facilities) // 80)]):
            boldness = (manners[n % 3] + dice.chance()) / 3
            doctor = None
            if scheme.actor == "doctor":
                wards = [w for w in scheme.wards if w in f.wards]
                doctor = (f.wards[dice.pick(wards)][0] if wards else dice.pick(f.exams["exam_med"])).code
            actors.append(Actor(f.index, doctor, boldness, since))
        return actors

    def _crooked(self) -> list[Facility]:
        """The few facilities where most of it happens: large hospitals, clinics, a station."""
        facilities = self.world.facilities
        count = max(2, round(len(facilities) * 0.03))
        hospitals = sorted((f for f in facilities if f.level in "dv" and f.opens < 0), key=lambda f: -f.volume)
        clinics = [f for f in facilities if f.level == "p" and f.opens < 0]
        return [
            *self.dice.sample(hospitals[: max(count, len(hospitals) // 2)], count),
            *self.dice.sample(clinics, max(1, count // 2)),
            *self.dice.sample([f for f in facilities if f.level == "c"], 1),
        ]

    def work(self, month: list[Visit]) -> list[Visit]:
        """Commit the month's deeds; returns the visits that were invented. Every visit of `month` is priced."""
        self.claims += len(month)
        self.money += sum(v.fund for v in month)
        openings = _Openings(month, self.actors)
        invented: list[Visit] = []
        for deed in (*self.schemes, *self.decoys):
            self.owed[deed.id] += len(month) * self.share[deed.id]
            for _ in range(200):
                rich = isinstance(deed, Scheme) and deed.heavy and self._share() > MONEY_SHARE[1] * self.thick
                if rich or self.owed[deed.id] < deed.batch / 2 or not self._try(deed, openings, invented):
                    break
        dear = [s for s in self.schemes if s.heavy and s.batch == 1]
        totals = running([s.weight for s in dear])
        for _ in range(200 if dear else 0):  # more of the dear deeds until the money is in its usual range
            enough = self._share() >= MONEY_SHARE[0] * self.thick
            if enough or self.done[True] > self.claims * HEAVY_SHARE[1] * self.thick:
                break
            self._try(self.dice.weighted(dear, totals), openings, invented)
        return invented

    def _share(self) -> float:
        return self.improper_money / self.money if self.money else 0.0

    def _try(self, deed: Scheme | Decoy, openings: _Openings, invented: list[Visit]) -> bool:
        """One deed, by one of the actors or now and then by anyone."""
        dice = self.dice
        scheme = deed if isinstance(deed, Scheme) else None
        anyone = openings.anyone(deed)
        theirs = openings.theirs(scheme) if scheme else []
        stray = scheme is None or scheme.actor == "patient" or dice.hit(STRAY)
        look = 3 if scheme and scheme.heavy else 1  # who risks much looks for a dear claim
        for _ in range(6):
            if stray and anyone:
                visit = max((dice.pick(anyone) for _ in range(look)), key=_fund)
                doctor = visit.doctor.code if scheme and scheme.actor == "doctor" else None
                actor = Actor(visit.facility.index, doctor, dice.chance(), 0)
            elif theirs:
                visit, actor = max((dice.pick(theirs) for _ in range(look)), key=lambda pair: pair[0].fund)
            else:
                return False
            if self._commit(deed, visit, actor, openings.month, invented):
                return True
        return False

    def _commit(
        self, deed: Scheme | Decoy, visit: Visit, actor: Actor, month: list[Visit], invented: list[Visit]
    ) -> bool:
        if visit.schemes or visit.label != "normal" or not deed.tempts(visit):
            return False
        due = self.expected * self.share[deed.id]
        hand = Hand(
            self.care, self.dice, month, actor.boldness, self.world.facilities[actor.facility], actor.doctor,
            room=max(6, round(due * 0.7)),
        )  # fmt: skip
        hand.touch(visit)
        made = deed.commit(visit, hand)
        clock = self.world.clock
        for other in (*hand.touched, *(made or [])):
            price(other, clock)
        if made is None or any(v.left // DAY >= clock.days or v.start < 0 for v in (*hand.touched, *made)):
            return self._undo(hand)
        if isinstance(deed, Decoy):
            counted = [*hand.touched, *made] if hand.touched[1:] or not made else made
            for other in counted:
                other.label, other.decoy = deed.kind, deed.id
            self.money += sum(v.fund for v in made)
        else:
            counted = self._charge(deed, actor, hand, made)
            if not counted:
                return self._undo(hand)
        for other in (*hand.touched, *made):
            other.keep = True
        self.owed[deed.id] -= len(counted)
        self.claims += len(made)
        invented.extend(made)
        return True

    def _charge(self, scheme: Scheme, actor: Actor, hand: Hand, made: list[Visit]) -> list[Visit]:
        """Write on each claim what the deed cost the fund (or the patient); the claims it is written on."""
        gains: dict[int, int] = {}
        for visit in hand.touched:
            before = hand.before(visit)
            refused = sum(before.owed(line) * part // 100 for owner, line, part in hand.refused if owner is visit)
            gains[id(visit)] = visit.fund - before.fund + visit.stated_more + refused + _taken(visit)
        for visit in made:
            gains[id(visit)] = visit.fund + visit.stated_more + _taken(visit)
        total = sum(gains.values())
        guilty = [v for v in (*hand.touched, *made) if gains[id(v)] > 0]
        if total <= 0 or not guilty or total > self._most(len(guilty)):
            return []
        positive = sum(gains[id(v)] for v in guilty)
        for visit in guilty:  # what one claim lost to another (an episode cut in two) is no harm
            self.cases += visit is guilty[0] or not scheme.together
            visit.case = f"{hand.facility.code}-{self.cases}"
            visit.improper = gains[id(visit)] * total // positive
            visit.schemes, visit.label, visit.intensity = [*visit.schemes, scheme.id], scheme.kind, hand.intensity
            own = {
                "facility": ("facility", visit.facility.code),
                "doctor": ("doctor", f"{visit.facility.code}:{actor.doctor}"),
                "patient": ("patient", visit.card or visit.patient.card),
            }[scheme.actor]
            visit.blamed = (own, *hand.blamed)
        self.done[scheme.heavy] += len(guilty)
        self.improper_money += total
        self.money += sum(v.fund - hand.before(v).fund for v in hand.touched) + sum(v.fund for v in made)
        return guilty

    def _most(self, claims: int) -> float:
        """The most that a deed of so many claims may cost, hundredths of VND."""
        period = self.money * max(1.0, self.expected / max(self.claims, 1))
        return period * LARGEST * max(1.0, (claims / 4) ** 0.5) * max(1.0, self.thick / 2)

    @staticmethod
    def _undo(hand: Hand) -> bool:
        for visit in hand.touched:
            hand.before(visit).restore()
        return False


class _Openings:
    """The claims of a month that offer themselves, found once for each deed when it is first looked at."""

    def __init__(self, month: list[Visit], actors: dict[str, list[Actor]]) -> None:
        self.month, self._actors = month, actors
        self._by_kind: defaultdict[str, list[Visit]] = defaultdict(list)
        for visit in month:
            self._by_kind[visit.kind].append(visit)
        self._anyone: dict[str, list[Visit]] = {}
        self._theirs: dict[str, list[tuple[Visit, Actor]]] = {}

    def anyone(self, deed: Scheme | Decoy) -> list[Visit]:
        """Claims of any facility."""
        if deed.id not in self._anyone:
            claims = [v for kind in deed.kinds for v in self._by_kind[kind]] if deed.kinds else self.month
            self._anyone[deed.id] = [
                v for v in claims if v.label == "normal" and v.facility.level in deed.levels and deed.tempts(v)
            ]
        return self._anyone[deed.id]

    def theirs(self, scheme: Scheme) -> list[tuple[Visit, Actor]]:
        """Claims within reach of the scheme's actors."""
        if scheme.id not in self._theirs:
            self._theirs[scheme.id] = [
                (v, a)
                for a in self._actors[scheme.id]
                for v in self.anyone(scheme)
                if v.facility.index == a.facility and v.start // DAY >= a.since and _is_of(v, a)
            ]
        return self._theirs[scheme.id]


def _is_of(visit: Visit, actor: Actor) -> bool:
    if actor.doctor is None:
        return True
    return visit.doctor.code == actor.doctor or any(line.doctor == actor.doctor for line in visit.lines)


def _fund(visit: Visit) -> int:
    return visit.fund


def _taken(visit: Visit) -> int:
    """What was taken from the patient beyond what is owed."""
    asked = sum(
        line.bv - line.quantity * line.unit_price * line.service_ratio // 10**6 for line in visit.lines if line.asked
    )
    return asked + sum(line.taken for line in visit.lines)
