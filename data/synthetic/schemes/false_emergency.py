"""FALSE_EMERGENCY: people who came on their own are entered as emergencies, or with a slip nobody wrote."""

from __future__ import annotations

from data.synthetic.claims import INPATIENT, OUTPATIENT, Visit
from data.synthetic.deed import Hand, Scheme

EMERGENCY, REFERRED, ON_OWN = "2", "1.5", "3.1"
PLAIN = ("J00", "J02", "J03", "J06", "K02", "K29", "M17", "M54", "L23", "H52", "Z")
"""Diagnoses nobody would take for an emergency."""


class FalseEmergency(Scheme):
    """The admission desk of a large hospital makes the fund pay in full for those it would pay less or nothing for."""

    id = "FALSE_EMERGENCY"
    kind = "abuse"
    weight = 1.1
    batch = 4
    levels = "vr"
    kinds = (OUTPATIENT, INPATIENT)

    def tempts(self, visit: Visit) -> bool:
        """A mild visit of somebody registered elsewhere, or a stay that is not paid in full."""
        if visit.stay:
            return visit.route == ON_OWN
        return visit.route == REFERRED and visit.fund > 6_000_000 and visit.disease.exam == "exam_med"

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: colds become emergencies. Subtle: what might have been one, or a stay gets a slip of the home place."""
        dice = hand.dice
        others = hand.others(lambda v: v is not visit and v.kind in self.kinds and self.tempts(v))
        done = 0
        for other in (visit, *dice.sample(others, hand.group(2, 12) - 1)):
            mild = not other.stay
            if mild and hand.boldness < 0.35 and other.disease.code.startswith(PLAIN):
                continue  # nobody would believe it
            hand.touch(other)
            if mild:
                hand.refuse(other, *other.lines)  # on their own, out of their area: nothing is owed
            if not mild and not dice.hit(0.25 + hand.boldness):
                home = hand.world.facilities[other.patient.home]
                other.route, other.sent_from, other.slip = REFERRED, home.code, hand.care.slip(home)
            else:
                other.route = EMERGENCY
            other.route_percent = 100
            done += 1
        return [] if done else None


SCHEME = FalseEmergency()
