"""SUPPLY_REUSE: a single-use device is cleaned, used for the next patient and billed to each as new."""

from __future__ import annotations

from data.synthetic.claims import INPATIENT, Line, Visit
from data.synthetic.deed import Hand, Scheme
from data.synthetic.world import Facility

REUSED = ("balloon", "guide", "trocar")
LASTS = 60  # days one device goes round


class SupplyReuse(Scheme):
    """The theatre sterilises trocars, balloons and guide wires; the store books a new one for every operation."""

    id = "SUPPLY_REUSE"
    kind = "fraud"
    weight = 0.8
    heavy = True
    levels = "dvr"
    kinds = (INPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """An operation with a device that survives cleaning."""
        return any(line.item.key in REUSED for line in visit.lines)

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """The month's operations share devices. Bold: the sticker of the first pack is entered each time."""
        others = hand.others(lambda v: v is not visit and v.stay and self.tempts(v))
        share = 0.4 + 0.6 * hand.boldness
        for other in [visit, *others[: hand.group(2, 6)]]:
            if other is not visit and not hand.dice.hit(share):
                continue
            hand.touch(other)
            devices = [line for line in other.lines if line.item.key in REUSED]
            for line in devices:
                if hand.openly(0.1 + 0.9 * hand.boldness):
                    line.serial = _sticker(other.facility, line)
            hand.refuse(other, *devices)  # the pack was paid for when it was opened
        return []


def _sticker(facility: Facility, line: Line) -> str:
    """The number on the pack of the device that is going round."""
    round_ = line.done // (1440 * LASTS)
    number = facility.serial * 48_611_011 + line.item.index * 7_129_003 + round_ * 104_729_017
    return f"SN{10**8 + number % (9 * 10**8)}"


SCHEME = SupplyReuse()
