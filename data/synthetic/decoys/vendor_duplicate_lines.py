"""VENDOR_DUPLICATE_LINES: an update of the software exports unpriced lines or progress notes twice."""

from __future__ import annotations

from data.synthetic.claims import Visit
from data.synthetic.deed import Decoy, Hand


class VendorDuplicateLines(Decoy):
    """Repeated rows that cost nobody anything, for some weeks, at one place."""

    id = "VENDOR_DUPLICATE_LINES"
    kind = "dirty"
    batch = 5
    levels = "cpdvr"

    def tempts(self, visit: Visit) -> bool:
        """Anything with a progress note."""
        return bool(visit.notes)

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """The month's claims of the place: every note twice, or a free consultation line twice."""
        dice, care, f = hand.dice, hand.care, visit.facility
        notes = dice.hit(0.5)
        same = hand.others(lambda v: v is not visit and self.tempts(v))
        for other in [visit, *dice.sample(same, hand.group(4, 20) - 1)]:
            hand.touch(other)
            if notes:
                other.notes = [note for note in other.notes for _ in range(2)]
                continue
            at = other.lines[0]
            line = care.line(f, care.services["consult_free"], 1000, at.ordered, at.done, at.result, other.doctor.code,
                             other.doctor.code, at.department)  # fmt: skip
            other.lines.extend(line.copy() for _ in range(dice.between(2, 3)))
        return []


DECOY = VendorDuplicateLines()
