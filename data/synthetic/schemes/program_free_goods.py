"""PROGRAM_FREE_GOODS: drugs a programme or donor gave for nothing are billed as if they had been bought."""

from __future__ import annotations

from data.synthetic.claims import Visit
from data.synthetic.deed import Hand, Scheme

PROGRAMMES = {"iron": 3, "zinc": 3, "ors": 3, "valpro": 3, "tenof": 2}
"""Goods that health programmes and projects hand out, with NGUON_CTRA: mothers, children, mental health, hepatitis."""


class ProgramFreeGoods(Scheme):
    """The pharmacy mixes free boxes with bought ones, dispenses both and bills both."""

    id = "PROGRAM_FREE_GOODS"
    kind = "fraud"
    weight = 0.6
    batch = 3
    levels = "cpdv"

    def tempts(self, visit: Visit) -> bool:
        """A prescription with goods that also come free."""
        return any(line.item.key in PROGRAMMES and line.fund > 1_000_000 for line in visit.lines)

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """The month's prescriptions of one item. Bold: the software still knows the source; subtle: it was retyped."""
        key = max((x for x in visit.lines if x.item.key in PROGRAMMES), key=lambda line: line.fund).item.key
        alike = hand.others(lambda v: v is not visit and any(x.item.key == key for x in v.lines))
        shown = hand.dice.hit(0.1 + 1.3 * hand.boldness)
        for other in [visit, *hand.dice.sample(alike, hand.group(2, 6) - 1)]:
            hand.touch(other)
            for line in other.lines:
                if line.item.key == key:
                    line.source = PROGRAMMES[key] if shown else 1
                    hand.refuse(other, line)
        return []


SCHEME = ProgramFreeGoods()
