"""REOPERATION_SAME_DAY: bleeding after an operation: back to the theatre some hours later, both paid in full."""

from __future__ import annotations

from data.synthetic.claims import INPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Decoy, Hand


class ReoperationSameDay(Decoy):
    """The same operation twice on one day, with the complication written down."""

    id = "REOPERATION_SAME_DAY"
    kind = "legit_outlier"
    weight = 0.5
    levels = "dvr"
    kinds = (INPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """A morning operation of the belly or of a bone."""
        return visit.ward in ("K19", "K24", "K27") and any(
            line.item.kind == "surg" and line.done % DAY < 13 * 60 for line in visit.lines
        )

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Four to eight hours later by the same team, with what an operation needs."""
        dice, f = hand.dice, visit.facility
        first = visit.of_kind("surg")[0]
        again = hand.moved(first, f, dice.between(240, 480))
        if again.result > visit.end - 12 * 60 or again.result % DAY > 22 * 60:
            return None
        again.ordered = again.done - dice.between(15, 30)
        visit.lines.append(again)
        for line in [x for x in visit.lines if x.done == first.done and x.item.table == 2]:
            visit.lines.append(hand.moved(line, f, again.done - first.done))
        visit.notes.append(
            (again.ordered - 5, "Chảy máu vết mổ, mạch nhanh, HA 90/50 mmHg; chỉ định mổ lại cầm máu", first.doctor)
        )
        visit.notes.sort()
        visit.secondary = (*visit.secondary, "T81.0")
        return []


DECOY = ReoperationSameDay()
