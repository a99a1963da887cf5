"""EARLY_READMISSION: discharged as cured, back in the same ward days later for the same thing."""

from __future__ import annotations

from data.synthetic.claims import INPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme


class EarlyReadmission(Scheme):
    """The ward sends patients home and calls them back, so that a new stay begins with everything it brings."""

    id = "EARLY_READMISSION"
    kind = "abuse"
    weight = 1.2
    heavy = True
    levels = "dv"
    kinds = (INPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """A plain stay for a disease of heart, lungs, belly or back."""
        return (
            visit.stay and visit.disease.code[0] in "IJKM" and not visit.of_kind("surg") and visit.discharge == 1
            and visit.days <= 14
        )  # fmt: skip

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: within a week, the same course. Subtle: after two or three, shorter."""
        dice, clock, patient = hand.dice, hand.world.clock, visit.patient
        out = visit.end // DAY
        if visit.keep:  # somebody has used this record already
            return None
        seen_too = [v for v in hand.month if v.patient is patient and v is not visit]
        if patient.last_visit > max(v.left for v in (*seen_too, visit)):
            return None
        gap = dice.between(3, 4 + round(18 * (1 - hand.boldness)))
        day = out + gap
        while day < clock.days and not clock.working(day):
            day += 1
        nights = visit.end // DAY - visit.start // DAY
        if day + nights >= clock.days:
            return None
        again = hand.clone(visit, patient, (day - visit.start // DAY) * DAY + dice.between(-15, 15))
        if any(v.start - 2 * DAY < again.left and again.start < v.left + 2 * DAY for v in seen_too):
            return None
        again.sent_from = again.slip = again.sent_to = ""
        free = [x for x in again.lines if x.item.group in (1, 2, 3)]
        for line in dice.sample(free, dice.between(0, max(0, len(free) // 2 - round(2 * hand.boldness)))):
            again.lines.remove(line)
        if visit.route != "2":
            exam = next(iter(again.of_kind("exam")), None)
            seen = hand.care.exam(visit.facility, exam.item.key, exam.ordered) if exam else None
            if exam is not None and seen is not None and seen[0].result < again.admitted - 5:
                again.lines[again.lines.index(exam)] = seen[0]
            again.route, again.route_percent = hand.care.route(visit.facility, patient, day, emergency=False, stay=True)
        if dice.hit(0.4 + 0.4 * hand.boldness):
            visit.result = 1
        patient.last_visit = patient.last_stay = max(patient.last_visit, again.left)
        patient.free_from = max(patient.free_from, again.left // DAY + 10)
        return [again]


SCHEME = EarlyReadmission()
