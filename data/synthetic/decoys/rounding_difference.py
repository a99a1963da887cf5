"""ROUNDING_DIFFERENCE: totals of the claim rounded before they are added, some hundredths beside the lines."""

from __future__ import annotations

from data.synthetic.claims import Visit
from data.synthetic.deed import Decoy, Hand


class RoundingDifference(Decoy):
    """The sums do not match to the last digit, up or down, and mean nothing."""

    id = "ROUNDING_DIFFERENCE"
    kind = "dirty"
    batch = 4
    levels = "cpdvr"

    def tempts(self, visit: Visit) -> bool:
        """A claim of several lines."""
        return len(visit.lines) >= 4 and visit.stated_more == 0

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Some claims of one place."""
        dice = hand.dice
        same = hand.others(lambda v: v is not visit and self.tempts(v))
        for other in [visit, *dice.sample(same, hand.group(3, 12) - 1)]:
            hand.touch(other).stated_more = dice.between(1, 6) * (1 if dice.hit(0.5) else -1)
        return []


DECOY = RoundingDifference()
