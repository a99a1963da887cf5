"""MASS_SCREENING_AS_CARE: a company's check-up billed as so many sick employees."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from data.synthetic.claims import OUTPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme
from data.synthetic.diseases import Disease, Order, acute
from data.synthetic.world import Patient

PANEL = ("cbc", "glu", "urea", "crea", "ast", "alt", "urine", "ecg", "us_abd", "xq_chest")
COMPLAINTS = ("R53", "R42", "G44.2", "K29.7", "M54.5")


class MassScreeningAsCare(Scheme):
    """The clinic sells a cheap check-up to an employer and types each of them in as tired and unwell."""

    id = "MASS_SCREENING_AS_CARE"
    kind = "fraud"
    weight = 1.0
    batch = 8
    levels = "pd"
    kinds = (OUTPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """An employee, on a morning."""
        return bool(visit.patient.employer) and visit.start % DAY < 10 * 60

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: one day, one panel, R53, no drugs. Subtle: some days, complaints and panels mixed, a few pills."""
        dice, care, clock, f = hand.dice, hand.care, hand.world.clock, hand.facility
        day = visit.start // DAY
        staff = self._staff(hand, visit, day, hand.group(8, 60))
        if len(staff) < 5:
            return None
        known = {d.code: d for d in acute()}
        panel: list[str] = dice.sample(PANEL, dice.between(6, 9))
        made: list[Visit] = []
        days = 1 + round((1 - hand.boldness) * 4)
        arrive = 7 * 60 + 5
        for n, patient in enumerate(staff):
            when = day + n % days
            if when >= clock.days or not clock.working(when):
                continue
            if n % days == 0:
                arrive += dice.between(1, 5)
            base = known["R53" if dice.hit(0.3 + 0.7 * hand.boldness) else dice.pick(COMPLAINTS)]
            seen = care.outpatient(f, patient, self._check(base, panel, hand), when * DAY + arrive)
            if seen is not None:
                seen.disease = base
                made.append(seen)
        return made if len(made) >= 4 else None

    def _check(self, base: Disease, panel: list[str], hand: Hand) -> Disease:
        """What is ordered: the panel whatever the complaint, and hardly a drug."""
        chance = 0.55 + 0.5 * hand.boldness
        tests = tuple(Order(key, 1.0) for key in panel if hand.dice.hit(chance))
        drugs = base.drugs if hand.dice.hit(0.6 * (1 - hand.boldness)) else ()
        return replace(base, tests=tests, drugs=drugs, procedures=(), exam="exam_med")

    def _staff(self, hand: Hand, visit: Visit, day: int, wanted: int) -> list[Patient]:
        """Colleagues of one employer in the province, the visitor's first."""
        places = [f for f in hand.world.facilities if f.province == hand.facility.province]
        near = {p.index: p for f in places for p in f.patients}
        firms: defaultdict[str, list[Patient]] = defaultdict(list)
        for p in near.values():
            if p.employer and 18 <= p.age(day) <= 60 and hand.free(p, day) and p.free_from <= day:
                firms[p.employer].append(p)
        own = firms.get(visit.patient.employer, [])
        people = own if len(own) >= wanted // 2 else max(firms.values(), key=len, default=[])
        return hand.dice.sample(people, wanted)


SCHEME = MassScreeningAsCare()
