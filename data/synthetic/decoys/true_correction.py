"""TRUE_CORRECTION: a claim is sent again because something in it was wrong: a weight, a phone, a missed diagnosis."""

from __future__ import annotations

from copy import copy

from data.synthetic.claims import Visit
from data.synthetic.deed import Decoy, Hand


class TrueCorrection(Decoy):
    """The second version differs from the first, and is the true one."""

    id = "TRUE_CORRECTION"
    kind = "dirty"
    batch = 2
    levels = "cpdvr"

    def tempts(self, visit: Visit) -> bool:
        """Any claim."""
        return visit.earlier is None

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """What was sent first held the slip."""
        dice = hand.dice
        for other in [visit, *dice.sample(hand.others(lambda v: v is not visit), hand.group(1, 5) - 1)]:
            hand.touch(other)
            earlier = copy(other)
            earlier.lines = [line.copy() for line in other.lines]
            earlier.notes = list(other.notes)
            slip = dice.between(0, 3)
            if slip == 0 and earlier.secondary:
                earlier.secondary = earlier.secondary[:-1]
            elif slip == 1 and earlier.of_kind("exam"):  # the room's first doctor is still logged in
                exam = earlier.of_kind("exam")[0]
                exam.performer = dice.pick(other.facility.exams["exam_med"]).code
            elif slip == 2 and earlier.lines[-1].result < other.left - 1:
                earlier.lines[-1].result += 1
            else:
                earlier.weight = round(other.weight * 10, 1) if other.weight < 12 else round(other.weight / 10, 1)
            other.earlier = earlier
        return []


DECOY = TrueCorrection()
