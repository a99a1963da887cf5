"""BED_ORDER_CONFLICT: bed days of somebody who has gone home: no drug, no round, nothing but the bed."""

from __future__ import annotations

from data.synthetic.claims import INPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme


class BedOrderConflict(Scheme):
    """The patient leaves with the medicines; the ward signs the discharge some days later."""

    id = "BED_ORDER_CONFLICT"
    kind = "fraud"
    weight = 0.9
    levels = "dv"
    kinds = (INPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """A stay with a bed until discharge."""
        return visit.days >= 3 and any(line.result == visit.end for line in visit.of_kind("bed"))

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: three to five days without anything. Subtle: one to three, with a note or a pill against the gap."""
        dice, clock = hand.dice, hand.world.clock
        extra = dice.between(1, 2) + round(3 * hand.boldness)
        old, last = visit.end, visit.end // DAY
        if last + extra >= clock.days:
            return None
        bed = max(visit.of_kind("bed"), key=lambda line: line.result)
        pills = [
            line
            for line in visit.lines
            if line.item.table == 2 and line.item.route[0] == "1" and line.ordered // DAY == last - 1
        ]
        for offset in range(extra):
            if offset > 2 * round(hand.boldness) and dice.hit(0.8 * (1 - hand.boldness)):
                moment = (last + offset) * DAY + 7 * 60 + 30 + dice.between(0, 75)
                hand.care.note(visit, moment, visit.doctor.code)
                if pills and dice.hit(0.5):
                    again = dice.pick(pills).copy()
                    again.ordered = again.done = again.result = moment + dice.between(1, 6)
                    visit.lines.append(again)
        bed.quantity += extra * 1000
        bed.result = old + extra * DAY
        bed.bed = visit.facility.bed(bed.department, bed.done, bed.result)
        visit.end = visit.left = old + extra * DAY
        visit.days += extra
        visit.patient.last_visit = max(visit.patient.last_visit, visit.end)
        visit.patient.last_stay = max(visit.patient.last_stay, visit.end)
        return []


SCHEME = BedOrderConflict()
