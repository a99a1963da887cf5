"""OUTREACH_DAY: a station's doctor sees a village in one morning, agreed with the fund: many short visits alike."""

from __future__ import annotations

from data.synthetic.claims import OUTPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Decoy, Hand


class OutreachDay(Decoy):
    """People of one commune are examined one after another for the same seasonal complaint."""

    id = "OUTREACH_DAY"
    kind = "legit_outlier"
    batch = 12
    levels = "c"
    kinds = (OUTPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """A plain morning visit at a station."""
        return visit.start % DAY < 9 * 60

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Neighbours follow every few minutes; each gets a shorter consultation and the usual drugs."""
        day = visit.start // DAY
        people = hand.people(hand.facility, day, lambda p: p.commune == visit.patient.commune and not p.chronic,
                             hand.group(8, 20) - 1)  # fmt: skip
        if len(people) < 5:
            return None
        made: list[Visit] = []
        shift = 0
        for patient in people:
            shift += hand.dice.between(6, 9)
            made.append(hand.clone(visit, patient, shift))
            patient.last_visit = made[-1].left
        hand.touch(visit)
        return made


DECOY = OutreachDay()
