"""EXCLUDED_DISGUISED: beauty treatment billed as the removal of a skin lesion."""

from __future__ import annotations

from data.synthetic.claims import OUTPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme
from data.synthetic.diseases import acute


class ExcludedDisguised(Scheme):
    """A clinic has the fund pay for what its beauty corner does; the visit is real, the disease is not."""

    id = "EXCLUDED_DISGUISED"
    kind = "fraud"
    actor = "facility"
    weight = 1.0
    batch = 6
    levels = "pd"
    kinds = (OUTPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """A visit at a place with a skin clinic: from such a day on."""
        return visit.kind == OUTPATIENT and "exam_derm" in visit.facility.exams and visit.start % DAY < 14 * 60

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Women of 20 to 40, weeks long; bold: several a day and two or three spots each."""
        dice, clock, care, f = hand.dice, hand.world.clock, hand.care, visit.facility
        disease = next(d for d in acute() if d.code == "D23.3")
        day = visit.start // DAY
        seen = {v.patient.index for v in hand.month}
        oldest = 40 if hand.boldness > 0.3 else 55
        wanted = hand.group(3, 12)
        women = hand.people(f, day, lambda p: p.sex == 2 and 19 <= p.age(day) <= oldest and p.index not in seen, wanted)
        span = 14 if hand.boldness < 0.5 else 4
        days = [d for d in range(day, min(day + span, clock.days - 1)) if clock.working(d)]
        made: list[Visit] = []
        for patient in women if days else []:
            arrive = dice.pick(days) * DAY + dice.between(7 * 60 + 20, 14 * 60)
            other = care.outpatient(f, patient, disease, arrive)
            if other is None:
                continue
            exam = other.lines[0]
            if not other.of_kind("proc"):
                item, nurse = care.services["lesion"], dice.pick(f.nurses).code
                done = exam.result + dice.between(4, 15)
                other.lines.append(
                    care.line(f, item, 1000, exam.result + 1, done, done + item.minutes, exam.doctor,
                              f"{exam.doctor};{nurse}", exam.department)
                )  # fmt: skip
                other.left = other.end = max(other.left, done + item.minutes + dice.between(4, 15))
                patient.last_visit = other.left
            for line in other.of_kind("proc"):
                if dice.hit(hand.boldness):
                    line.quantity = dice.between(2, 3) * 1000
            made.append(other)
        return made or None


SCHEME = ExcludedDisguised()
