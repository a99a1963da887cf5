"""SIMULTANEOUS_STAYS: an outpatient visit is billed for somebody who lies in another hospital."""

from __future__ import annotations

from data.synthetic.claims import INPATIENT, OUTPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme


class SimultaneousStays(Scheme):
    """A facility bills a registered person without knowing that they are in hospital elsewhere."""

    id = "SIMULTANEOUS_STAYS"
    kind = "fraud"
    weight = 0.7
    heavy = True
    kinds = (OUTPATIENT, INPATIENT)

    def tempts(self, visit: Visit) -> bool:
        """A real visit or short stay, to copy from."""
        if visit.kind == OUTPATIENT:
            return visit.fund > 12_000_000 and visit.facility.level == "p"
        return visit.stay and visit.days <= 9 and not visit.of_kind("surg")

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Move a copy to the middle of somebody's stay at another place."""
        dice, clock = hand.dice, hand.world.clock
        stays = [
            v for v in hand.month
            if v.stay and v.facility is not visit.facility and v.days >= 4 and v.patient.sex == visit.patient.sex
            and v.facility.province == visit.facility.province and abs(v.patient.born - visit.patient.born) < 15 * 365
        ]  # fmt: skip
        if not stays:
            return None
        stay = dice.pick(stays)
        first, last = stay.start // DAY + 1, stay.end // DAY - 1
        days = [d for d in range(first, last + 1) if clock.working(d)]
        if not days:
            return None
        ghost = hand.clone(visit, stay.patient, (dice.pick(days) - visit.start // DAY) * DAY + dice.between(-20, 20))
        minute = ghost.start % DAY
        if ghost.left // DAY >= clock.days or (not visit.stay and not 7 * 60 < minute < 16 * 60):
            return None
        if not visit.stay:
            ghost.route, ghost.route_percent = hand.care.route(
                visit.facility, stay.patient, ghost.start // DAY, emergency=False, stay=False
            )
        return [ghost]


SCHEME = SimultaneousStays()
