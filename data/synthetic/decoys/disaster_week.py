"""DISASTER_WEEK: a flood or a factory fire: a doctor sees over 65 people a day, some minutes each."""

from __future__ import annotations

from data.synthetic.claims import OUTPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Decoy, Hand
from data.synthetic.world import LUNCH, OPEN


class DisasterWeek(Decoy):
    """The roads are cut, colleagues cannot come: everybody of the neighbourhood goes through one room."""

    id = "DISASTER_WEEK"
    kind = "legit_outlier"
    weight = 1.5
    batch = 12
    levels = "pdv"
    kinds = (OUTPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """A visit of the kind that follows, with one consultation."""
        return (
            visit.disease.code in ("S61.8", "S93.4", "A09.9", "J20.9", "J06.9", "H10.9", "L30.9")
            and len(visit.of_kind("exam")) == 1
            and visit.start % DAY < 11 * 60
        )

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """People every four to six minutes from opening on, all seen by the one doctor; little but the complaint."""
        dice, day = hand.dice, visit.start // DAY
        people = hand.people(hand.facility, day, lambda p: p.age(day) >= 6 and not p.chronic, hand.group(10, 110) - 1)
        if len(people) < 6:
            return None
        made: list[Visit] = []
        moment = OPEN + 5 + dice.between(0, 10)
        for patient in people:
            minutes = dice.between(3, 4)
            twin = hand.clone(visit, patient, day * DAY + moment - visit.start)
            self._hurry(twin, minutes)
            twin.route, twin.route_percent = hand.care.route(hand.facility, patient, day, emergency=False, stay=False)
            patient.last_visit = twin.left
            made.append(twin)
            moment += minutes + dice.between(1, 2)
            if moment > 19 * 60:
                break
            if LUNCH <= moment < LUNCH + 6:
                moment += 25
        return made

    @staticmethod
    def _hurry(twin: Visit, minutes: int) -> None:
        """A short consultation at once; what follows moves up."""
        exam = twin.of_kind("exam")[0]
        gain = exam.result - (twin.start + 2 + minutes)
        exam.ordered = exam.done = twin.start + 2
        exam.result = exam.done + minutes
        for line in twin.lines:
            if line is not exam:
                line.ordered, line.done, line.result = line.ordered - gain, line.done - gain, line.result - gain
        twin.notes = [(exam.result, text, who) for _, text, who in twin.notes]
        twin.left = twin.end = max(twin.left - gain, max(line.result for line in twin.lines) + 2)


DECOY = DisasterWeek()
