"""LAM_THU_BUY_OUTSIDE: patients are sent to a shop for what the fund covers."""

from __future__ import annotations

from data.synthetic.claims import INPATIENT, Line, Visit
from data.synthetic.deed import Hand, Scheme

COVERED = ("lens", "mesh", "plate", "screw", "trocar", "stent", "balloon", "iohex", "enoxa", "doce", "carbo", "oxali")


class LamThuBuyOutside(Scheme):
    """The store is kept empty, and a shop by the gate that belongs to a friend has everything."""

    id = "LAM_THU_BUY_OUTSIDE"
    kind = "abuse"
    weight = 0.8
    heavy = True
    batch = 2
    levels = "dvr"
    kinds = (INPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """An operation or session with a dear covered item."""
        return any(_dear(line) for line in visit.lines)

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """A month of one item at one place. Now and then it is billed as well as bought."""
        dice = hand.dice
        key = max((x for x in visit.lines if _dear(x)), key=lambda line: line.fund).item.key
        alike = hand.others(lambda v: v is not visit and any(x.item.key == key for x in v.lines))
        share = 0.3 + 0.7 * hand.boldness
        for other in [visit, *alike[: hand.group(3, 8)]]:
            if other is not visit and not dice.hit(share):
                continue
            hand.touch(other)
            bought = [line for line in other.lines if line.item.key == key]
            if dice.hit(0.2):
                hand.refuse(other, *bought)
                continue
            other.lines = [line for line in other.lines if line.item.key != key]
            # Once because the fund was spared it, once because the patient paid what the fund owed.
            hand.refuse(other, *bought, *bought)
        return []


def _dear(line: Line) -> bool:
    return line.item.key in COVERED and line.fund > 20_000_000


SCHEME = LamThuBuyOutside()
