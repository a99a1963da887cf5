"""MISSING_PHONE_BATCH: for some days the desk's form has no field for the phone."""

from __future__ import annotations

from data.synthetic.claims import Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Decoy, Hand


class MissingPhoneBatch(Decoy):
    """A run of claims of one place without any phone number."""

    id = "MISSING_PHONE_BATCH"
    kind = "dirty"
    batch = 6
    levels = "cpdvr"

    def tempts(self, visit: Visit) -> bool:
        """Somebody with a phone."""
        return bool(visit.phone)

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """From this visit on, for a few days."""
        day = visit.start // DAY
        later = hand.others(lambda v: v is not visit and bool(v.phone) and day <= v.start // DAY <= day + 4)
        if len(later) < 2:
            return None
        for other in [visit, *later[: hand.group(6, 60)]]:
            hand.touch(other).phone = ""
        return []


DECOY = MissingPhoneBatch()
