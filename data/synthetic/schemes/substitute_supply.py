"""SUBSTITUTE_SUPPLY: the plain implant is placed, the dear one billed."""

from __future__ import annotations

from data.synthetic.claims import INPATIENT, Visit
from data.synthetic.deed import Hand, Scheme

DEARER = {"lens": "lens_t", "plate": "plate_t", "mesh": "mesh_t", "hip": "hip_full"}
"""Implant -> the dearer one of its family."""


class SubstituteSupply(Scheme):
    """The store keeps the cheap line of a supplier and bills the dear one."""

    id = "SUBSTITUTE_SUPPLY"
    kind = "fraud"
    weight = 1.1
    heavy = True
    batch = 2
    levels = "dvr"
    kinds = (INPATIENT,)
    late = True

    def tempts(self, visit: Visit) -> bool:
        """An operation with an implant of which there is a dearer kind."""
        return any(line.item.key in DEARER for line in visit.lines)

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: nearly every case, the label left out now and then. Subtle: every other one, its label kept."""
        if not self.tempts(visit):  # changed since it was found
            return None
        dice = hand.dice
        key = next(line.item.key for line in visit.lines if line.item.key in DEARER)
        mine = hand.others(
            lambda v: v is not visit and v.start >= visit.start and any(x.item.key == key for x in v.lines)
        )
        for other in (visit, *mine[: hand.group(1, 8) - 1]):
            if other is not visit:
                if not dice.hit(0.4 + 0.6 * hand.boldness):
                    continue
                hand.touch(other)
            for line in other.lines:
                if line.item.key == key:
                    line.item = hand.care.supplies[DEARER[key]]
                    line.unit_price = other.facility.price(line.item, line.ordered)
                    if dice.hit(hand.boldness - 0.4):
                        line.serial = ""
        return []


SCHEME = SubstituteSupply()
