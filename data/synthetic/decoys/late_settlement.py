"""LATE_SETTLEMENT: claims of the last days of a month that the books take up in the next."""

from __future__ import annotations

from data.synthetic.claims import Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Decoy, Hand


class LateSettlement(Decoy):
    """The month was closed early, before a holiday or for want of a signature."""

    id = "LATE_SETTLEMENT"
    kind = "dirty"
    batch = 4
    levels = "cpdvr"

    def tempts(self, visit: Visit) -> bool:
        """Any claim that leaves no later than it should."""
        return not visit.settled

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """The place's claims of the last three days."""
        clock = hand.world.clock
        first, end = clock.months[clock.month_index(visit.start // DAY)]
        last = hand.others(lambda v: v is not visit and end - 3 <= v.left // DAY < end)
        if len(last) < 2 or not end - 3 <= visit.left // DAY < end:
            return None
        when = clock.date_of(first)
        serial = when.year * 12 + when.month
        for other in [visit, *last[: hand.group(4, 30) - 1]]:
            hand.touch(other).settled = f"{serial // 12}{serial % 12 + 1:02d}"
        return []


DECOY = LateSettlement()
