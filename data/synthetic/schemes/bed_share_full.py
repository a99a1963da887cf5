"""BED_SHARE_FULL: two or three patients lie in one bed and each is billed the whole of it."""

from __future__ import annotations

from data.synthetic.claims import INPATIENT, Line, Visit
from data.synthetic.deed import Hand, Scheme


class BedShareFull(Scheme):
    """A ward that is full takes in one more on the other half of a bed, and forgets the half price."""

    id = "BED_SHARE_FULL"
    kind = "fraud"
    heavy = True
    levels = "dvr"
    kinds = (INPATIENT,)
    together = True

    def tempts(self, visit: Visit) -> bool:
        """A stay of some days in a bed of a ward."""
        return visit.days >= 3 and any(line.quantity >= 2000 for line in visit.of_kind("bed"))

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: the same bed code on all of them. Subtle: the newcomer is written into a bed nobody stood up."""
        dice, bed = hand.dice, _bed(visit)
        found: list[tuple[Visit, Line]] = []
        for host in hand.others(lambda v: v is not visit and v.stay and bool(v.of_kind("bed"))):
            other = _bed(host)
            shared = min(bed.result, other.result) - max(bed.done, other.done)
            if other.department == bed.department and shared > 0.6 * (bed.result - bed.done):
                found.append((host, other))
        if not found:
            return None
        host, other = dice.pick(found)
        hand.touch(host)
        openly = hand.openly(0.25 + hand.boldness)
        if openly:
            bed.bed = other.bed
        sharing = [(visit, bed), (host, other)]
        third = [pair for pair in found if pair[0] is not host]
        if third and hand.boldness > 0.7:
            guest, line = dice.pick(third)
            hand.touch(guest)
            line.bed = other.bed
            sharing.append((guest, line))
        for one, line in sharing:  # two in a bed are paid a half each, three a third
            hand.refuse(one, line, percent=50 if len(sharing) == 2 else 67)
        return []


def _bed(visit: Visit) -> Line:
    """The bed line of most days."""
    return max(visit.of_kind("bed"), key=lambda line: line.quantity)


SCHEME = BedShareFull()
