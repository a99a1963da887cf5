"""PATIENT_INDUCEMENT: gifts and free rides bring people from far communes, who are then given more than they need."""

from __future__ import annotations

from data.synthetic.claims import OUTPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme
from data.synthetic.dice import running
from data.synthetic.diseases import Disease, acute
from data.synthetic.world import CLOSE, OPEN, Patient

PANEL = ("glu", "urea", "crea", "ast", "alt", "chol", "trig", "cbc", "urine", "us_abd", "ecg", "tsh")
FEWEST = 6  # people a bus must bring to pay for itself


class PatientInducement(Scheme):
    """A place short of patients sends a bus to villages whose people are registered elsewhere."""

    id = "PATIENT_INDUCEMENT"
    kind = "fraud"
    weight = 1.8
    batch = 10
    levels = "pdv"
    kinds = (OUTPATIENT,)
    late = True

    def tempts(self, visit: Visit) -> bool:
        """An ordinary working day with weeks of the month to come."""
        return visit.kind == OUTPATIENT and visit.start % DAY < 10 * 60 and visit.disease.exam == "exam_med"

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: one far commune, a few full buses. Subtle: three communes nearby, a handful every other day."""
        dice, f, first = hand.dice, visit.facility, visit.start // DAY
        wanted = hand.group(FEWEST, 40)
        far = dice.hit(hand.boldness - 0.3)
        guests = [
            p for g in hand.world.facilities
            if g is not f and (g.province != f.province) == far
            for p in g.patients if _comes(p, first)
        ]  # fmt: skip
        if not guests:
            return None
        seed = dice.pick(guests)
        number = int(seed.commune[2:])
        near = {f"{seed.province}{(number - 1 + n) % 40 + 1:03d}" for n in range(1 if hand.boldness > 0.6 else 3)}
        people = dice.sample([p for p in guests if p.commune in near], wanted)
        if len(people) < FEWEST:
            return None
        days = self._days(first, 2 + round(len(people) / (4 + 8 * hand.boldness)), hand)
        if not days:
            return None
        made: list[Visit] = []
        for n, patient in enumerate(people):
            guest = self._receive(patient, days[n % len(days)], hand)
            if guest is not None:
                made.append(guest)
        return made if len(made) >= FEWEST - 2 else None

    @staticmethod
    def _days(first: int, count: int, hand: Hand) -> list[int]:
        """The days of the bus: market days within four weeks."""
        clock = hand.world.clock
        able = [d for d in range(first, min(first + 27, clock.days - 1)) if clock.working(d)]
        return sorted(hand.dice.sample(able, count))

    @staticmethod
    def _receive(patient: Patient, day: int, hand: Hand) -> Visit | None:
        f, dice = hand.facility, hand.dice
        disease = _complaint(patient, day, hand)
        rooms = f.exams["exam_med"]
        free = min(doctor.taken.get(day, OPEN) for doctor in rooms)
        arrive = day * DAY + max(OPEN + dice.between(5, 90), free - dice.between(2, 20))
        visit = hand.care.outpatient(f, patient, disease, arrive) if disease and arrive % DAY < CLOSE - 60 else None
        if visit is None:
            return None
        exam = visit.of_kind("exam")[0]
        have = {line.item.key for line in visit.lines}
        more = dice.between(1, 2 + round(3 * hand.boldness))
        last = visit.left
        for key in dice.sample([k for k in PANEL if k not in have], more):
            line = hand.care.test(
                f, visit, key, exam.result + 1, exam.doctor, exam.department, visit.left + 120, free_choice=True
            )
            if line is not None:
                visit.lines.append(line)
                last = max(last, line.result + 12)
        if last > visit.left:
            for line in visit.lines:
                if line.item.table == 2:
                    line.ordered = line.done = line.result = last - 8
            visit.left = visit.end = patient.last_visit = last
        return visit


def _comes(patient: Patient, day: int) -> bool:
    return (
        18 <= patient.age(day) <= 85
        and not patient.chronic
        and patient.cancer is None
        and patient.died is None
        and (patient.last_visit // DAY < day - 20)
    )


def _complaint(patient: Patient, day: int, hand: Hand) -> Disease | None:
    age, level = patient.age(day), hand.facility.level
    able = [
        d for d in acute()
        if level in d.levels and d.exam == "exam_med" and d.sex in (None, patient.sex) and d.ages[0] <= age < d.ages[1]
        and not d.injury
    ]  # fmt: skip
    return hand.dice.weighted(able, running([d.weight for d in able])) if able else None


SCHEME = PatientInducement()
