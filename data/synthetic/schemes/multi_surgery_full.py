"""MULTI_SURGERY_FULL: a second operation in one session billed in full."""

from __future__ import annotations

from data.synthetic.claims import INPATIENT, Line, Visit
from data.synthetic.deed import Hand, Scheme

SECOND = {"K19": "s_adhesion", "K27": "s_tubal"}
"""What is added to an operation of a ward."""


class MultiSurgeryFull(Scheme):
    """The theatre books two operations at their full price, or one operation as two."""

    id = "MULTI_SURGERY_FULL"
    kind = "abuse"
    weight = 0.9
    heavy = True
    levels = "dvr"
    kinds = (INPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """An operation in the belly, or one with a second one."""
        operations = visit.of_kind("surg")
        return len(operations) > 1 or (len(operations) == 1 and visit.ward in SECOND and visit.days >= 4)

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: both in full within the same hour. Subtle: at the rate of another team, or moved past the session."""
        if not self.tempts(visit):  # changed since it was found
            return None
        operations = sorted(visit.of_kind("surg"), key=lambda x: -x.item.price)
        second = operations[1] if len(operations) > 1 else self._book(visit, hand, operations[0])
        if second is None:
            return None
        if second.service_ratio == 80:
            return None
        manner = hand.boldness + 0.1 * (hand.dice.chance() - 0.5)
        if manner < 0.3 and len(operations) > 1:
            second.service_ratio = 80
            return []
        second.service_ratio = 100
        if manner < 0.6:
            shift = operations[0].result + hand.dice.between(17, 58) - second.done
            if second.result + shift < visit.end - 60:
                second.done, second.result = second.done + shift, second.result + shift
        return []

    @staticmethod
    def _book(visit: Visit, hand: Hand, first: Line) -> Line | None:
        """Write a step of the operation as an operation of its own."""
        item = hand.care.services[SECOND[visit.ward]]
        at = first.result + hand.dice.between(1, 5)
        end = at + round(item.minutes * (0.4 + 0.4 * hand.dice.chance()))
        if end > visit.end - 60:
            return None
        line = hand.care.line(
            visit.facility, item, 1000, first.ordered, at, end, first.doctor, first.performer, first.department
        )
        line.anaesthesia = first.anaesthesia
        visit.lines.append(line)
        return line


SCHEME = MultiSurgeryFull()
