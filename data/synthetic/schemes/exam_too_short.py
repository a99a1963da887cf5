"""EXAM_TOO_SHORT: the work is cut short and billed whole: dialysis, rehabilitation, a visit with ultrasound."""

from __future__ import annotations

from data.synthetic.claims import EPISODE, INPATIENT, OUTPATIENT, Visit
from data.synthetic.deed import Hand, Scheme

WORK = frozenset({1, 2, 3, 13})


class ExamTooShort(Scheme):
    """More people than the hours allow: each gets a part of the time the price is for."""

    id = "EXAM_TOO_SHORT"
    kind = "abuse"
    weight = 0.9
    batch = 3
    levels = "pdvr"
    kinds = (OUTPATIENT, EPISODE, INPATIENT)

    def tempts(self, visit: Visit) -> bool:
        """A month of dialysis, a course of rehabilitation, a visit with ultrasound."""
        if visit.kind == EPISODE:
            return True
        return bool(visit.of_kind("rehab" if visit.stay else "us"))

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Some patients of the place alike; what was too short to be the service is not owed."""
        found = hand.others(lambda v: v is not visit and v.kind == visit.kind and self.tempts(v))
        some = hand.dice.sample(found, hand.group(1, 6) - 1) if visit.kind == OUTPATIENT else found[:1]
        for other in (visit, *some):
            hand.touch(other)
            if other.kind == EPISODE:
                self._dialysis(other, hand)
            elif other.stay:
                self._rehab(other, hand)
            else:
                self._consultation(other, hand)
        return [] if hand.refused else None

    @staticmethod
    def _dialysis(visit: Visit, hand: Hand) -> None:
        """The machine is needed for the next shift."""
        dice = hand.dice
        sessions = visit.of_kind("dialysis")
        for line in dice.sample(sessions, max(1, round(len(sessions) * (0.1 + 0.4 * hand.boldness * dice.chance())))):
            line.result = line.done + round(208 - 75 * hand.boldness) + dice.between(-12, 6)
            hand.refuse(visit, line)
        visit.left = max(line.result for line in visit.lines)

    @staticmethod
    def _rehab(visit: Visit, hand: Hand) -> None:
        """The same technician goes from bed to bed."""
        dice = hand.dice
        for line in visit.of_kind("rehab"):
            if hand.openly(0.3 + 0.6 * hand.boldness):
                part = 0.62 - 0.4 * hand.boldness * dice.chance()
                if hand.intensity == "blatant":
                    part = min(part, 0.4)
                line.result = line.done + max(3, round(line.item.minutes * part))
                hand.refuse(visit, line)

    @staticmethod
    def _consultation(visit: Visit, hand: Hand) -> None:
        """Looked at, put under the probe and sent home; the times of everything shrink alike. Bold: in minutes."""
        dice, took = hand.dice, visit.left - visit.start
        target = round(17 - 10 * hand.boldness) + dice.between(-1, 3)
        if hand.intensity == "blatant":
            target = min(target, 9)
        if took < 2 * target:
            return

        def sooner(moment: int) -> int:
            return visit.start + (moment - visit.start) * target // took

        for line in visit.lines:
            line.ordered, line.done, line.result = sooner(line.ordered), sooner(line.done), sooner(line.result)
            if line.item.group in WORK:
                hand.refuse(visit, line)
        visit.notes = [(sooner(at), text, who) for at, text, who in visit.notes]
        visit.left = visit.end = visit.start + target


SCHEME = ExamTooShort()
