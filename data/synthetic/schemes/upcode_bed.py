"""UPCODE_BED: bed days of a dearer kind than the patient lay in."""

from __future__ import annotations

from data.synthetic.claims import INPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme

DEARER = {"bed_med3": "bed_med2", "bed_med2": "bed_med1", "bed_surg3": "bed_surg2"}
"""The next class up within a ward."""


class UpcodeBed(Scheme):
    """The ward books the first days as intensive care, or every bed a class higher."""

    id = "UPCODE_BED"
    kind = "fraud"
    weight = 1.5
    batch = 4
    levels = "dv"
    kinds = (INPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """A stay of some days in one ordinary bed."""
        beds = visit.of_kind("bed")
        return visit.stay and visit.days >= 3 and len(beds) == 1 and beds[0].item.key != "bed_icu"

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: intensive care for most of the stay. Between: some days of it. Subtle: the class above."""
        if not self.tempts(visit):  # changed since it was found
            return None
        dice = hand.dice
        mine = hand.others(lambda v: v is not visit and v.ward == visit.ward and self.tempts(v))
        done = 0
        for other in (visit, *dice.sample(mine, hand.group(2, 10) - 1)):
            if other is not visit:
                hand.touch(other)
            done += self._raise(other, hand)
        return [] if done else None

    @staticmethod
    def _raise(visit: Visit, hand: Hand) -> int:
        dice, f, care = hand.dice, visit.facility, hand.care
        bed = visit.of_kind("bed")[0]
        nights = bed.quantity // 1000
        intensive = "K02" in f.wards and dice.hit(0.15 + 0.8 * hand.boldness)
        if not intensive or nights < 2:
            key = DEARER.get(bed.item.key)
            if bed.item.key in ("bed_med2", "bed_med1") and visit.ward in ("K19", "K24", "K27"):
                key = "bed_surg2"  # the surgical price without an operation
            if key is None:
                return 0
            bed.item = care.services[key]
            bed.unit_price = f.price(bed.item, bed.ordered)
            return 1
        days = nights if hand.boldness > 0.7 else dice.between(1, max(1, nights - 1))
        until = bed.result if days == nights else bed.done // DAY * DAY + days * DAY + 10 * 60 + dice.between(0, 90)
        first = care.bed_line(f, "bed_icu", "K02", days * 1000, bed.done, until, bed.doctor)
        if days == nights:
            visit.lines.remove(bed)
        else:
            bed.quantity -= days * 1000
            bed.ordered = bed.done = until
        visit.lines.append(first)
        return 1


SCHEME = UpcodeBed()
