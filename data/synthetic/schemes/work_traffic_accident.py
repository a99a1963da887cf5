"""WORK_TRAFFIC_ACCIDENT: an injury that an employer or another party must pay for is left with the fund."""

from __future__ import annotations

from data.synthetic.claims import INPATIENT, OUTPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme

TRAFFIC, WORK, NONE, AT_HOME = 1, 2, 0, 8


class WorkTrafficAccident(Scheme):
    """The company asks the hospital not to write where it happened; the hospital asks no one to pay."""

    id = "WORK_TRAFFIC_ACCIDENT"
    kind = "abuse"
    weight = 0.8
    levels = "pdvr"
    kinds = (OUTPATIENT, INPATIENT)

    def tempts(self, visit: Visit) -> bool:
        """An injured person of working age."""
        return visit.injury > 0 and 16 <= visit.patient.age(visit.start // DAY) <= 65

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: the cause is written and nobody is asked. Clear: the cause is left out. Subtle: a fall at home."""
        if hand.openly(hand.boldness):
            visit.injury = WORK if visit.patient.employer and hand.dice.hit(0.7) else TRAFFIC
        else:
            visit.injury = NONE if hand.dice.hit(0.25 + hand.boldness / 2) else AT_HOME
        hand.refuse(visit, *visit.lines)
        return []


SCHEME = WorkTrafficAccident()
