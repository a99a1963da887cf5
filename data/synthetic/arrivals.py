"""Who comes when: the visits of a month, day by day, by weekday, season, level of care and appointment."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from typing import TypeVar

from data.synthetic.care import Care
from data.synthetic.claims import Visit
from data.synthetic.clock import DAY
from data.synthetic.dice import Dice, running
from data.synthetic.diseases import ALL_AGES, SEASONS, Disease, acute, stays
from data.synthetic.world import PROVINCES, VOLUME, Facility, Patient, World

WEEKDAYS = (1.25, 1.1, 1.05, 1.0, 1.0, 0.3, 0.05)
STAY_SHARE = 0.115
STAY_VOLUME = {"d": 0.48, "v": 0.33, "r": 0.19}
AGE_BANDS = (0, 1, 3, 6, 10, 14, 16, 18, 30, 40, 50, 60, 70, 80)
QUIET_DAYS = 10  # between two unplanned visits of one person
EPIDEMIC = frozenset({"A97.0", "A97.1"})

D = TypeVar("D", bound=Disease)


class Arrivals:
    """Fills months with visits; remembers appointments between them."""

    def __init__(self, world: World, care: Care, dice: Dice) -> None:
        self.world, self.care, self.dice, self.clock = world, care, dice, world.clock
        self.appointments: defaultdict[int, list[Patient]] = defaultdict(list)
        self.sessions: defaultdict[int, list[Patient]] = defaultdict(list)
        for patient in world.chronic:
            self.appointments[dice.between(0, 32)].append(patient)
        for patient in world.oncology:
            self.sessions[dice.between(0, 20)].append(patient)
        self._tables: dict[tuple[str, str, int, int, int, bool], tuple[tuple[Disease, ...], list[float]]] = {}
        self._places: dict[str, tuple[list[Facility], list[float]]] = {}
        for setting, shares in (("visit", VOLUME), ("stay", STAY_VOLUME)):
            places = [f for f in world.facilities if f.level in shares]
            size = {level: sum(f.volume for f in places if f.level == level) for level in shares}
            self._places[setting] = (places, running([shares[f.level] * f.volume / size[f.level] for f in places]))
        self._near = {p: [x for f in world.facilities if f.province == p for x in f.patients] for p in PROVINCES}
        self._everyone = [x for people in self._near.values() for x in people]

    def month(self, index: int, wanted: int) -> list[Visit]:
        """About `wanted` visits that begin in month `index` of the period."""
        first, end = self.clock.months[index]
        epidemic = index == self.world.epidemic_month
        visits: list[Visit] = []
        for n, patient in enumerate(self.world.dialysis):
            home = self.world.facilities[patient.home]
            visit = self.care.dialysis(home, patient, max(first, home.opens), end - 1, odd=n % 2 == 1)
            if visit is not None:
                visits.append(visit)
        weights = [
            0.05 if day in self.clock.holidays else WEEKDAYS[self.clock.weekdays[day]] for day in range(first, end)
        ]
        total = sum(weights)
        left = max(0, wanted - len(visits))
        owed = 0.0
        for day, weight in zip(range(first, end), weights, strict=True):
            owed += left * weight / total
            made = self._day(day, round(owed), visits, epidemic=epidemic)
            owed -= made
        tries = 0
        while len(visits) < wanted and tries < wanted * 3:  # places were full on some days: the rest comes on others
            tries += 1
            day = self.dice.between(first, end - 1)
            if self.clock.working(day):
                self._outpatients(day, 1, visits, epidemic=epidemic)
        return visits

    def _day(self, day: int, wanted: int, visits: list[Visit], *, epidemic: bool) -> int:
        before = len(visits)
        self._sessions(day, visits)
        if self.clock.working(day):
            self._refills(day, visits)
        stays = wanted * STAY_SHARE
        for _ in range(int(stays) + self.dice.hit(stays % 1)):
            self._admission(day, visits, epidemic=epidemic)
        self._outpatients(day, wanted - (len(visits) - before), visits, epidemic=epidemic)
        return len(visits) - before

    def _arrival(self, day: int) -> int:
        dice = self.dice
        if dice.hit(0.72):
            minute = 7 * 60 + min(255, int(abs(dice.normal()) * 95))
        else:
            minute = 13 * 60 + min(165, int(abs(dice.normal()) * 75))
        return day * DAY + minute

    def _refills(self, day: int, visits: list[Visit]) -> None:
        due = self.appointments.pop(day, [])
        for arrive, patient in sorted(((self._arrival(day), p) for p in due), key=lambda x: x[0]):
            # Somebody who was seen or discharged lately comes later: no visit within days of a discharge.
            if patient.last_visit // DAY > day - 6 or day - patient.last_stay // DAY < 9:
                self._appoint(patient, day + 7)
                continue
            supplied = max([patient.supply.get(c, -999) for c in patient.supply] or [-999])
            if supplied > day + 1 and patient.last_stay < patient.last_visit:
                self._appoint(patient, supplied)
                continue
            home = self.world.facilities[patient.home]
            visit = self.care.refill(home, patient, arrive) if day >= home.opens else None
            if visit is None:
                self._appoint(patient, max(day + 1, home.opens))
                continue
            visits.append(visit)
            self._appoint(patient, max(visit.return_day - 1, day + 30) + self.dice.between(1, 4))

    def _appoint(self, patient: Patient, day: int) -> None:
        while day < self.clock.days and not self.clock.working(day):
            day += 1
        self.appointments[day].append(patient)

    def _sessions(self, day: int, visits: list[Visit]) -> None:
        for patient in self.sessions.pop(day, []):
            if not self.clock.working(day):
                self.sessions[day + 1].append(patient)
                continue
            plan = patient.cancer
            if plan is None:
                continue
            f = self.world.facilities[patient.home]
            visit = self.care.inpatient(
                f,
                patient,
                plan,
                self._arrival(day) // DAY * DAY + self.dice.between(425, 560),
                emergency=False,
                last_day=self.clock.days - 1,
            )
            if visit is not None:
                visits.append(visit)
            self.sessions[day + plan.cycle].append(patient)

    def _admission(self, day: int, visits: list[Visit], *, epidemic: bool) -> None:
        dice = self.dice
        places, totals = self._places["stay"]
        for _ in range(12):
            f = dice.weighted(places, totals)
            patient = self._somebody(f, day, stay=True) if day >= f.opens else None
            if patient is None:
                continue
            plan = self._complaint(
                "stay", f.level, patient, day, stays(), epidemic=epidemic and f.province == self.world.epidemic_province
            )
            if plan is None or plan.code in patient.done or (plan.code[:2] == "O8" and _gave_birth(patient)):
                continue
            emergency = dice.hit(plan.emergency)
            if not emergency and not self.clock.working(day):
                continue
            arrive = day * DAY + dice.between(0, DAY - 1) if emergency else self._arrival(day)
            visit = self.care.inpatient(f, patient, plan, arrive, emergency=emergency, last_day=self.clock.days - 1)
            if visit is not None:
                patient.free_from = max(patient.free_from, visit.left // DAY + QUIET_DAYS)
                visits.append(visit)
                return

    def _outpatients(self, day: int, wanted: int, visits: list[Visit], *, epidemic: bool) -> None:
        if wanted <= 0:
            return
        dice = self.dice
        closed = not self.clock.working(day)
        if closed and (self.clock.weekdays[day] != 5 or day in self.clock.holidays):
            return
        places, totals = self._places["visit"]
        arrivals = sorted(self._arrival(day) for _ in range(wanted))
        for arrive in arrivals:
            f = dice.weighted(places, totals)
            if (closed and not f.saturday) or day < f.opens:
                continue
            when = day * DAY + min(arrive % DAY, 10 * 60 + dice.between(0, 40)) if closed else arrive
            patient = self._somebody(f, day, stay=False)
            if patient is None:
                continue
            disease = self._complaint(
                "visit",
                f.level,
                patient,
                day,
                acute(),
                epidemic=epidemic and f.province == self.world.epidemic_province,
            )
            if disease is None:
                continue
            visit = self.care.outpatient(f, patient, disease, when)
            if visit is not None:
                patient.free_from = day + QUIET_DAYS
                visits.append(visit)

    def _somebody(self, f: Facility, day: int, *, stay: bool) -> Patient | None:
        dice = self.dice
        for _ in range(8):
            if f.level == "r":
                patient = dice.pick(self._everyone if dice.hit(0.7) or not f.patients else f.patients)
            elif dice.hit(0.75 if not stay else 0.35) and f.patients:
                patient = dice.pick(f.patients)
            else:
                patient = dice.pick(self._near[f.province])
            if stay and (day - patient.last_stay // DAY < 45 or (patient.age(day) < 45 and dice.hit(0.45))):
                continue
            if patient.free_from <= day and patient.last_visit // DAY < day - 5:
                return patient
        return None

    def _complaint(
        self, setting: str, level: str, patient: Patient, day: int, choices: tuple[D, ...], *, epidemic: bool
    ) -> D | None:
        age = patient.age(day)
        band = AGE_BANDS[bisect_right(AGE_BANDS, max(0, age)) - 1]
        key = (setting, level, patient.sex, band, self.clock.month_of(day), epidemic)
        found = self._tables.get(key)
        if found is None:
            able: list[D] = []
            weights: list[float] = []
            for d in choices:
                if level in d.levels and d.sex in (None, patient.sex) and d.ages[0] <= band < d.ages[1]:
                    weight = (
                        d.weight
                        * SEASONS[d.season][key[4]]
                        * (3.0 if d.peak != ALL_AGES and d.peak[0] <= band <= d.peak[1] else 1.0)
                    )
                    able.append(d)
                    weights.append(weight * (5.0 if epidemic and d.code in EPIDEMIC else 1.0))
            found = self._tables[key] = (tuple(able), running(weights))
        able_, totals = found
        if not able_:
            return None
        disease = self.dice.weighted(able_, totals)
        if not disease.ages[0] <= age <= disease.ages[1]:
            return None
        return disease  # type: ignore[return-value]


def _gave_birth(patient: Patient) -> bool:
    """Whether she had a child in the period already: the next one takes longer than that."""
    return any(code.startswith("O8") for code in patient.done)
