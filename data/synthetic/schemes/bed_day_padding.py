"""BED_DAY_PADDING: more bed days billed than nights spent."""

from __future__ import annotations

from data.synthetic.claims import INPATIENT, Visit
from data.synthetic.deed import Hand, Scheme


class BedDayPadding(Scheme):
    """The billing desk counts the day of discharge too, or the day of a move in both wards."""

    id = "BED_DAY_PADDING"
    kind = "fraud"
    weight = 1.2
    levels = "dv"
    kinds = (INPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """Any stay with a bed."""
        return visit.stay and bool(visit.of_kind("bed"))

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """A day more; the bold two, the careful half a day; two half days of a move become whole ones."""
        beds = visit.of_kind("bed")
        halves = [line for line in beds if line.quantity % 1000]
        if len(beds) > 1 and halves and hand.dice.hit(0.5):
            for line in halves:
                line.quantity += 500
            return []
        bed = hand.dice.pick(beds)
        draw = hand.dice.chance()
        bed.quantity += 500 if draw > 0.55 + hand.boldness else 2000 if draw < hand.boldness - 0.5 else 1000
        return []


SCHEME = BedDayPadding()
