"""ANAESTHESIA_UPCODE: an operation under local anaesthesia billed at the price of a general one."""

from __future__ import annotations

from data.synthetic.claims import INPATIENT, Visit
from data.synthetic.deed import Hand, Scheme

GENERAL = {"s_forearm_gt": "s_forearm"}
"""Operation with a block -> the same under general anaesthesia, which the price of the dearer code contains."""


class AnaesthesiaUpcode(Scheme):
    """The billing desk drops the mark of local anaesthesia from the code."""

    id = "ANAESTHESIA_UPCODE"
    kind = "abuse"
    weight = 0.5
    batch = 2
    levels = "dvr"
    kinds = (INPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """An operation under a block that has a dearer twin."""
        return any(line.item.key in GENERAL for line in visit.lines)

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: every case, the method still says local. Subtle: one now and then, the method changed with the code."""
        dice = hand.dice
        mine = hand.others(lambda v: v is not visit and self.tempts(v))
        for other in (visit, *dice.sample(mine, hand.group(1, 6) - 1)):
            if other is not visit:
                hand.touch(other)
            for line in other.lines:
                if line.item.key in GENERAL:
                    line.item = hand.care.services[GENERAL[line.item.key]]
                    line.unit_price = other.facility.price(line.item, line.ordered)
                    if not dice.hit(0.3 + hand.boldness):
                        line.anaesthesia = 1
        return []


SCHEME = AnaesthesiaUpcode()
