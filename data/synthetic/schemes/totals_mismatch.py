"""TOTALS_MISMATCH: the totals that are paid exceed the lines that explain them."""

from __future__ import annotations

from data.synthetic.claims import Visit
from data.synthetic.deed import Hand, Scheme


class TotalsMismatch(Scheme):
    """Lines are struck out or corrected late and the totals left as they were: whoever reads only sums does not see."""

    id = "TOTALS_MISMATCH"
    kind = "error"
    weight = 0.7
    levels = "cpdvr"

    def tempts(self, visit: Visit) -> bool:
        """A claim of some size."""
        return visit.fund > 15_000_000

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: a line is gone and its money is not. Subtle: a percent too much."""
        dice = hand.dice
        if dice.hit(hand.boldness - 0.3):
            paid = [x for x in visit.lines if x.fund > 1_000_000 and x.item.kind not in ("exam", "bed", "surg")]
            if not paid:
                return None
            gone = max(dice.sample(paid, 3), key=lambda x: x.fund)
            visit.lines = [line for line in visit.lines if line is not gone]
            visit.stated_more = gone.fund
            hand.refuse(visit, gone)  # it was taken out because it was not owed
            return []
        visit.stated_more = max(200, round(visit.fund * (0.004 + 0.03 * hand.boldness + 0.01 * dice.chance())))
        return []


SCHEME = TotalsMismatch()
