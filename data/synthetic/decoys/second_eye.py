"""SECOND_EYE: the other eye of a cataract patient, operated on two weeks after the first as planned."""

from __future__ import annotations

from data.synthetic.claims import INPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Decoy, Hand


class SecondEye(Decoy):
    """The same operation on the same person, once more and rightly so."""

    id = "SECOND_EYE"
    kind = "legit_outlier"
    weight = 0.8
    levels = "dvr"
    kinds = (INPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """A cataract operation."""
        return any(line.item.key == "s_phaco" for line in visit.lines)

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """The stay again 10 to 20 days later, on a working day."""
        dice, clock, patient = hand.dice, hand.world.clock, visit.patient
        day = visit.start // DAY + dice.between(10, 18)
        while day < clock.days and not clock.working(day):
            day += 1
        shift = (day - visit.start // DAY) * DAY
        if (visit.left + shift) // DAY >= clock.days or patient.last_visit > visit.left:
            return None
        other = hand.clone(visit, patient, shift)
        for line in other.lines:
            if line.serial:
                line.serial = f"SN{dice.between(10**8, 10**9 - 1)}"
        patient.last_visit = patient.last_stay = other.end
        return [other]


DECOY = SecondEye()
