"""BROKER_RING: a broker's people go round the same clinics, whose doctors write what can be paid."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from data.synthetic.claims import OUTPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme
from data.synthetic.diseases import Order, acute
from data.synthetic.world import CLOSE, OPEN, Doctor, Facility, Patient

FEWEST = 5
SOLD = ("gluco", "ginkgo", "silym", "calcid", "vit3b", "magb6", "alphach", "betah")
"""Drugs that the broker's people hand back for cash."""
TESTS = ("cbc", "glu", "ast", "alt", "crea", "us_abd", "ecg", "xq_chest")


class BrokerRing(Scheme):
    """A broker, one doctor in each of two or three places, and people who lend themselves and their cards for a share.

    The facilities get the volume, the doctors a share, the broker the drugs.
    """

    id = "BROKER_RING"
    kind = "fraud"
    weight = 2.4
    batch = 16
    levels = "pd"
    kinds = (OUTPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """A clinic on an ordinary day."""
        return visit.kind == OUTPATIENT and visit.disease.exam == "exam_med"

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: all of them, in the same order, over few phones. Subtle: a stage is left out, some use their own."""
        dice, first = hand.dice, visit.start // DAY
        near = [
            g for g in hand.world.facilities
            if g is not hand.facility and g.province == hand.facility.province and g.level in "pdv" and g.opens < first
        ]  # fmt: skip
        places = [hand.facility, *dice.sample(near, 2 if hand.boldness > 0.4 else 1)]
        if len(places) < 2:
            return None
        doctors = [place.exams["exam_med"][place.index % len(place.exams["exam_med"])] for place in places]
        people = self._recruit(places, first, max(FEWEST, min(60, hand.group(20, 140) // len(places))), hand)
        if len(people) < FEWEST:
            return None
        phones = [p.phone for p in people if p.phone][: max(1, len(people) // 3)]
        made: list[Visit] = []
        for patient in people:
            day = first + dice.between(0, 3)
            shared = dice.pick(phones) if phones and dice.hit(0.45 + 0.5 * hand.boldness) else ""
            for place, doctor in zip(places, doctors, strict=True):
                if dice.hit(0.25 - 0.25 * hand.boldness):
                    continue
                written = self._write(place, doctor, patient, day, hand)
                if written is not None:
                    written.phone, written.leave = shared or written.phone, 0
                    made.append(written)
                    day = written.left // DAY
                day += dice.between(1, 3 if hand.boldness > 0.5 else 6)
        for place, doctor in zip(places, doctors, strict=True):
            if any(v.facility is place for v in made):
                hand.blame("facility", place.code)
                hand.blame("doctor", f"{place.code}:{doctor.code}")
        return made if len(made) >= FEWEST + 2 else None

    @staticmethod
    def _recruit(places: list[Facility], day: int, count: int, hand: Hand) -> list[Patient]:
        """Adults who know one of the places; half of them neighbours."""
        able = [
            p for place in places for p in place.patients
            if 20 <= p.age(day) <= 75 and not p.chronic and p.cancer is None and p.died is None
            and p.last_visit // DAY < day - 6
        ]  # fmt: skip
        if not able:
            return []
        commune = hand.dice.pick(able).commune
        close = hand.dice.sample([p for p in able if p.commune == commune], (count + 1) // 2)
        return close + hand.dice.sample([p for p in able if p.commune != commune], count - len(close))

    @staticmethod
    def _write(place: Facility, doctor: Doctor, patient: Patient, day: int, hand: Hand) -> Visit | None:
        """A visit with the doctor in the know: a usual complaint, something to hand back, a test or two."""
        dice, clock, care = hand.dice, hand.world.clock, hand.care
        while day < clock.days - 1 and not clock.working(day):
            day += 1
        arrive = day * DAY + max(OPEN + dice.between(5, 120), doctor.taken.get(day, OPEN) - dice.between(0, 15))
        if day >= clock.days - 1 or arrive % DAY > CLOSE - 75:
            return None
        age = patient.age(day)
        able = [d for d in acute() if place.level in d.levels and d.exam == "exam_med" and not d.injury
                and d.sex in (None, patient.sex) and d.ages[0] <= age < d.ages[1]]  # fmt: skip
        with _alone(place, doctor):
            visit = care.outpatient(place, patient, dice.pick(able), arrive)
        if visit is None:
            return None
        exam = visit.of_kind("exam")[0]
        have = {line.item.key for line in visit.lines}
        last = visit.left
        for key in dice.sample([k for k in TESTS if k not in have], dice.between(0, 1 + round(2 * hand.boldness))):
            line = care.test(place, visit, key, exam.result + 1, exam.doctor, exam.department, last + 100,
                             free_choice=True)  # fmt: skip
            if line is not None:
                visit.lines.append(line)
                last = max(last, line.result + 12)
        ready = last - 8 if last > visit.left else max(line.result for line in visit.lines) + 1
        for key in dice.sample(SOLD, dice.between(1, 1 + round(1.4 * hand.boldness))):
            if key not in have:
                order = Order(key, 1.0, 1, 2, dice.pick((10, 14, 15, 20)))
                visit.lines.append(
                    care.drug_line(place, patient, care.drugs[key], order, ready, exam.doctor, exam.department,
                                   order.days)
                )  # fmt: skip
        for line in visit.lines:
            if line.item.table == 2:
                line.ordered = line.done = line.result = ready
        visit.left = visit.end = patient.last_visit = max(last, ready + 4)
        return visit


@contextmanager
def _alone(place: Facility, doctor: Doctor) -> Generator[None]:
    """Who comes from the broker is sent to one room."""
    team = place.exams["exam_med"]
    place.exams["exam_med"] = [doctor]
    try:
        yield
    finally:
        place.exams["exam_med"] = team


SCHEME = BrokerRing()
