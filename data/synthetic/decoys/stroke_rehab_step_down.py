"""STROKE_REHAB_STEP_DOWN: from the stroke ward to rehabilitation within a day or two, as the guideline asks."""

from __future__ import annotations

from data.synthetic.claims import INPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Decoy, Hand
from data.synthetic.diseases import stays


class StrokeRehabStepDown(Decoy):
    """A new admission soon after a discharge, sometimes in the same hospital."""

    id = "STROKE_REHAB_STEP_DOWN"
    kind = "legit_outlier"
    weight = 0.8
    levels = "dvr"
    kinds = (INPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """A survived stroke."""
        return visit.disease.code == "I63.9" and visit.discharge == 1 and visit.result in (1, 2)

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """A rehabilitation stay at the same place or the nearest one that has it, with a letter."""
        dice, clock, patient = hand.dice, hand.world.clock, visit.patient
        if patient.last_visit > visit.left:
            return None
        plan = next(s for s in stays() if s.code == "I69.3")
        near = [f for f in hand.world.facilities if f.level in "dv" and f.province == visit.facility.province]
        place = visit.facility if visit.facility.level in "dv" and dice.hit(0.6) else dice.pick(near)
        day = visit.end // DAY + dice.between(0, 2)
        while day < clock.days and not clock.working(day):
            day += 1
        arrive = day * DAY + dice.between(7 * 60 + 10, 9 * 60)
        if day >= clock.days or arrive <= visit.end:
            day += 1
            arrive += DAY
            if day >= clock.days or not clock.working(day):
                return None
        second = hand.care.inpatient(place, patient, plan, arrive, emergency=False, last_day=clock.days - 1)
        if second is None or second.result == 5:
            return None
        second.label = "normal"
        if place is not visit.facility:
            visit.result, visit.discharge, visit.sent_to = 3, 2, place.code
            visit.slip = second.slip = hand.care.slip(visit.facility)
            second.sent_from = visit.facility.code
        return [second]


DECOY = StrokeRehabStepDown()
