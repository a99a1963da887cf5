"""TRANSPORT_FALSE: fuel of an ambulance ride that was not made, not owed or not so long."""

from __future__ import annotations

from data.synthetic.claims import INPATIENT, Visit
from data.synthetic.deed import Hand, Scheme
from data.synthetic.world import road_km


class TransportFalse(Scheme):
    """The driver's book is written in the office: rides of people who went home on their own."""

    id = "TRANSPORT_FALSE"
    kind = "fraud"
    weight = 0.6
    levels = "dv"
    kinds = (INPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """A stay that a ride can be hung on."""
        return visit.days >= 2 and visit.discharge in (1, 2)

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: a ride at the end of a stay that cured. Subtle: a transfer on paper, or a true one twice as far."""
        dice, here = hand.dice, visit.facility
        rides = [line for line in visit.lines if line.item.kind == "transport"]
        if rides:
            rides[0].quantity = round(rides[0].quantity * (1.4 + hand.boldness))
            return []
        near = sorted((road_km(here, f), f.index) for f in hand.world.facilities if f.level in "vr" and f is not here)
        if not near:
            return None
        place = hand.world.facilities[dice.pick(near[: 1 + round(2 * hand.boldness)])[1]]
        if visit.sent_to:
            place = next((f for f in hand.world.facilities if f.code == visit.sent_to), place)
        elif not dice.hit(hand.boldness + 0.2):
            visit.result, visit.discharge, visit.sent_to = 3, 2, place.code
            visit.slip = hand.care.slip(here)
        stretched = 1.0 + (0.3 + hand.boldness) * dice.chance()
        visit.lines.append(hand.care.ride(visit, place, stretched))
        return []


SCHEME = TransportFalse()
