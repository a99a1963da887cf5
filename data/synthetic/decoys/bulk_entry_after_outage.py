"""BULK_ENTRY_AFTER_OUTAGE: the system was down; in the evening the day is typed in, at the times of typing."""

from __future__ import annotations

from data.synthetic.claims import CHRONIC_CARE, OUTPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Decoy, Hand


class BulkEntryAfterOutage(Decoy):
    """Paper slips of a day, one claim a minute or two: arrival, orders, results and leaving nearly at once."""

    id = "BULK_ENTRY_AFTER_OUTAGE"
    kind = "dirty"
    batch = 6
    levels = "pdvr"
    kinds = (OUTPATIENT, CHRONIC_CARE)

    def tempts(self, visit: Visit) -> bool:
        """Any visit of a day."""
        return visit.left // DAY == visit.start // DAY

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Every time of the day's claims becomes the minute it was entered."""
        dice, day = hand.dice, visit.start // DAY
        same = hand.others(lambda v: v is not visit and v.kind in self.kinds and v.start // DAY == v.left // DAY == day)
        if len(same) < 2:
            return None
        typed = day * DAY + dice.between(16 * 60 + 30, 17 * 60 + 30)
        for other in [visit, *same[: hand.group(6, 80)]]:
            hand.touch(other)
            other.start = typed
            typed += 1
            for line in other.lines:
                line.ordered = line.done = line.result = typed
            other.notes = [(typed, text, who) for _, text, who in other.notes]
            typed += dice.between(0, 1)
            other.left = other.end = typed
            other.patient.last_visit = max(other.patient.last_visit, typed)
        return []


DECOY = BulkEntryAfterOutage()
