"""CERTIFICATE_TRADE: sick leave for sale, with a sham visit to hang it on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager

from data.synthetic.claims import OUTPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme
from data.synthetic.diseases import Disease, acute
from data.synthetic.world import CLOSE, OPEN, Doctor, Facility, Patient

FRIDAY = 4


class CertificateTrade(Scheme):
    """A doctor sells certificates to the workers of a factory; someone at the gate collects the cards and the money."""

    id = "CERTIFICATE_TRADE"
    kind = "fraud"
    actor = "doctor"
    weight = 1.3
    batch = 8
    levels = "cpd"
    kinds = (OUTPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """A visit to a general room."""
        return visit.kind == OUTPATIENT and visit.disease.exam == "exam_med"

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: one employer, an examination and nothing else, five days and more. Subtle: some drugs, two or three."""
        dice, f, first = hand.dice, visit.facility, visit.start // DAY
        doctor = next((d for d in f.exams["exam_med"] if d.code == (hand.doctor or visit.doctor.code)), None)
        if doctor is None:
            return None
        people = self._workers(first, hand.group(4, 30), hand)
        able = [d for d in acute() if f.level in d.levels and d.exam == "exam_med" and d.ages == (0, 100)
                and d.sex is None and not d.injury]  # fmt: skip
        made: list[Visit] = []
        for patient in people:
            sham = self._sham(doctor, patient, dice.pick(able), self._day(first, hand), hand)
            if sham is not None:
                made.append(sham)
        return made if len(made) >= 3 else None

    @staticmethod
    def _workers(day: int, count: int, hand: Hand) -> list[Patient]:
        """Insured through work and well; the bold keep to one factory."""
        able = [
            p for g in hand.world.facilities if g.province == hand.facility.province for p in g.patients
            if p.employer and 18 <= p.age(day) < 60 and not p.chronic and p.cancer is None and p.died is None
            and p.last_visit // DAY < day - 6
        ]  # fmt: skip
        firms = [firm for firm, _ in Counter(p.employer for p in able).most_common(6)]
        firm = hand.dice.pick(firms) if firms else ""
        own = [p for p in able if p.employer == firm]
        inside = count if hand.boldness > 0.5 else round(count * 0.6)
        found = hand.dice.sample(own, inside)
        return found + hand.dice.sample([p for p in able if p.employer != firm], count - len(found))

    @staticmethod
    def _day(first: int, hand: Hand) -> int:
        """A day of the next weeks, Fridays and Mondays first."""
        dice, clock = hand.dice, hand.world.clock
        days = [d for d in range(first, min(first + 28, clock.days - 1)) if clock.working(d)]
        edges = [d for d in days if clock.weekdays[d] in (0, FRIDAY)]
        return dice.pick(edges if edges and dice.hit(0.35 + 0.5 * hand.boldness) else days or [first])

    @staticmethod
    def _sham(doctor: Doctor, patient: Patient, disease: Disease, day: int, hand: Hand) -> Visit | None:
        dice, f = hand.dice, hand.facility
        arrive = day * DAY + max(OPEN + dice.between(5, 240), doctor.taken.get(day, OPEN) - dice.between(0, 10))
        if arrive % DAY > CLOSE - 30 or abs(patient.last_visit // DAY - day) < 6:
            return None
        with _alone(f, doctor):
            visit = hand.care.outpatient(f, patient, disease, arrive)
        if visit is None:
            return None
        exam = visit.of_kind("exam")[0]
        keep = 0 if dice.hit(0.3 + 0.6 * hand.boldness) else dice.between(1, 2)
        drugs = [line for line in visit.lines if line.item.table == 2][:keep]
        ready = exam.result + dice.between(2, 6)
        for line in drugs:
            line.ordered = line.done = line.result = ready
        visit.lines = [exam, *drugs]
        visit.left = visit.end = patient.last_visit = ready + dice.between(2, 6)
        visit.leave = dice.pick((5, 5, 7)) if hand.boldness > 0.6 else dice.pick((2, 3, 3, 5))
        return visit


@contextmanager
def _alone(place: Facility, doctor: Doctor) -> Generator[None]:
    """Whoever pays goes to one room."""
    team = place.exams["exam_med"]
    place.exams["exam_med"] = [doctor]
    try:
        yield
    finally:
        place.exams["exam_med"] = team


SCHEME = CertificateTrade()
