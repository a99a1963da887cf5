"""DOCTOR_TIME_OVERLAP: one surgeon is billed at two tables, or in the consultation room, at the same time."""

from __future__ import annotations

from data.synthetic.claims import INPATIENT, Line, Visit
from data.synthetic.deed import Hand, Scheme


class DoctorTimeOverlap(Scheme):
    """Somebody who may not operate does it in the name of the surgeon, who is at another table."""

    id = "DOCTOR_TIME_OVERLAP"
    kind = "fraud"
    weight = 0.9
    heavy = True
    levels = "dvr"
    kinds = (INPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """A stay with an operation."""
        return visit.stay and bool(visit.of_kind("surg"))

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Two operations of the month come to lie in the same hours; bold: consultations are added."""
        dice, op = hand.dice, visit.of_kind("surg")[0]
        found = hand.others(lambda v: v is not visit and v.stay and not v.keep and bool(v.of_kind("surg")))
        moved = 0
        for other in dice.sample(found, len(found)):
            if moved <= int(1.6 * hand.boldness * dice.chance()) and self._join(other, op, hand):
                moved += 1
        if not moved:  # or this one moves beside one of theirs
            theirs = [v for v in hand.month if v.facility is visit.facility and v is not visit and v.of_kind("surg")]
            beside = next((v for v in theirs if not visit.keep and self._join(visit, v.of_kind("surg")[0], hand)), None)
            if beside is None:
                return None
            op = beside.of_kind("surg")[0]
        surgeon = op.doctor
        if dice.hit(hand.boldness):
            for other in hand.others(lambda v: any(op.done < x.done < op.result for x in v.of_kind("exam"))):
                if other.stay or other is visit:
                    continue
                exam = other.of_kind("exam")[0]
                if op.done < exam.done < op.result:
                    hand.touch(other)
                    exam.doctor = exam.performer = surgeon
                    hand.refuse(other, exam)
        hand.blame("doctor", f"{visit.facility.code}:{surgeon}")
        return []

    @staticmethod
    def _join(other: Visit, op: Line, hand: Hand) -> bool:
        """Put the operation of another stay beside `op`; whether it fits into that stay."""
        dice, f, line = hand.dice, other.facility, other.of_kind("surg")[0]
        length = line.result - line.done
        most = min(op.result - op.done, length) - 2
        overlap = min(
            most, dice.between(7, 14) if hand.boldness < 0.4 else dice.between(18, 40 + round(50 * hand.boldness))
        )
        start = op.result - overlap
        if not other.admitted + 60 < start or start + length > other.end - 120 or abs(start - line.done) < 10:
            return False
        hand.touch(other)
        was, shift, at = line.doctor, start - line.done, line.done
        for x in other.lines:
            if x is line or x.done == at:  # the drugs and supplies of the table go with it
                if x.unit_price == f.price(x.item, x.ordered):
                    x.unit_price = f.price(x.item, x.ordered + shift)
                x.ordered, x.done, x.result = x.ordered + shift, x.done + shift, x.result + shift
                x.doctor = op.doctor if x.doctor == was else x.doctor
        line.performer = ";".join([op.doctor, *line.performer.split(";")[1:]])
        hand.refuse(other, line)
        return True


SCHEME = DoctorTimeOverlap()
