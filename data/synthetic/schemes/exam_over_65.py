"""EXAM_OVER_65: more consultations in one doctor's name than a room can hold in its hours."""

from __future__ import annotations

from data.synthetic.claims import OUTPATIENT, Line, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme
from data.synthetic.world import BACK, CLOSE, LUNCH, OPEN, Doctor, Patient


class ExamOver65(Scheme):
    """A clinic paid by the visit types short consultations of people it knows between and over the real ones."""

    id = "EXAM_OVER_65"
    kind = "fraud"
    weight = 1.2
    batch = 14
    levels = "pdv"
    kinds = (OUTPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """A plain visit, to copy from."""
        return visit.kind == OUTPATIENT and _plain(visit)

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Subtle: in the gaps of a real day. Bold: one every other minute, and colleagues' visits in that name too."""
        f, dice, day, doctor = visit.facility, hand.dice, visit.start // DAY, visit.doctor
        near = hand.others(
            lambda v: v is not visit and v.kind == OUTPATIENT and v.doctor.department == doctor.department
            and abs(v.start // DAY - day) <= 10 and _plain(v)
        )  # fmt: skip
        models = [visit, *near]
        people = hand.people(
            f, day, lambda p: not p.chronic and p.cancer is None and any(_fits(m, p) for m in models), hand.group(8, 45)
        )
        if len(people) < 6:
            return None
        bold = dice.hit(hand.boldness)
        real = [] if bold else self._busy(hand, doctor, day)
        made: list[Visit] = []
        at = day * DAY + OPEN + dice.between(4, 20)
        for patient in people:
            length = dice.between(1, 3) if bold else dice.between(4, 6)
            while (clash := next((b for b in real if b[0] <= at + length and at <= b[1]), None)) is not None:
                at = clash[1] + dice.between(1, 2)
            if day * DAY + LUNCH <= at < day * DAY + BACK:
                at = day * DAY + BACK + dice.between(1, 9)
                continue
            model = dice.pick([m for m in models if _fits(m, patient)])
            ghost = hand.clone(model, patient, at - _exam(model).done)
            if ghost.left > day * DAY + CLOSE + 60:
                break
            seen = _exam(ghost)
            seen.result = at + length - 1
            _sign(ghost, doctor)
            ghost.route, ghost.route_percent = hand.care.route(f, patient, day, emergency=False, stay=False)
            patient.last_visit = max(patient.last_visit, ghost.left)
            made.append(ghost)
            at = seen.result + dice.between(0 if bold else 1, 1 if bold else 3)
        if hand.boldness > 0.6:
            for other in near:
                if other.start // DAY == day:
                    _sign(hand.touch(other), doctor)
        hand.blame("doctor", f"{f.code}:{doctor.code}")
        return made if len(made) >= 5 else None

    @staticmethod
    def _busy(hand: Hand, doctor: Doctor, day: int) -> list[tuple[int, int]]:
        lines = (line for v in hand.month if v.facility is hand.facility for line in v.of_kind("exam"))
        return sorted((x.done, x.result) for x in lines if x.performer == doctor.code and x.done // DAY == day)


def _exam(visit: Visit) -> Line:
    return visit.of_kind("exam")[0]


def _plain(visit: Visit) -> bool:
    kinds = {line.item.kind for line in visit.lines}
    return "drug" in kinds and "exam" in kinds and kinds <= {"drug", "exam", "haem", "biochem", "micro"}


def _fits(model: Visit, patient: Patient) -> bool:
    if model.disease.sex not in (None, patient.sex) or abs(model.patient.born - patient.born) > 15 * 365:
        return False
    age, low, high = patient.age(model.start // DAY), *model.disease.ages
    return low <= age <= high and (age < 14) == (model.patient.age(model.start // DAY) < 14)


def _sign(visit: Visit, doctor: Doctor) -> None:
    was, visit.doctor = visit.doctor.code, doctor
    visit.notes = [(at, text, doctor.code if who == was else who) for at, text, who in visit.notes]
    for line in visit.lines:
        line.doctor = doctor.code if line.doctor == was else line.doctor
        line.performer = doctor.code if line.performer == was else line.performer


SCHEME = ExamOver65()
