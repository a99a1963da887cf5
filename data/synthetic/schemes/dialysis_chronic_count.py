"""DIALYSIS_CHRONIC_COUNT: dialysis sessions billed that were not held."""

from __future__ import annotations

from data.synthetic.claims import EPISODE, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme

MOST = 14  # three sessions a week never make more in a month


class DialysisChronicCount(Scheme):
    """The dialysis unit adds sessions on days the patient was not there."""

    id = "DIALYSIS_CHRONIC_COUNT"
    kind = "fraud"
    weight = 1.2
    heavy = True
    levels = "dv"
    kinds = (EPISODE,)

    def tempts(self, visit: Visit) -> bool:
        """A month of dialysis."""
        return len(visit.of_kind("dialysis")) >= 6

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """One to four sessions more, with their sets, on days between; bold: more than three a week can make."""
        dice = hand.dice
        sessions = visit.of_kind("dialysis")
        taken = {line.done // DAY for line in sessions}
        free = [d for d in range(min(taken), max(taken)) if d not in taken and hand.world.clock.weekdays[d] < 6]
        more = dice.between(1, 2 + round(2 * hand.boldness))
        if hand.intensity == "blatant":
            more = max(more, MOST + 1 - len(sessions))
            if more > len(free):
                return None  # a patient of half a month
        for day in dice.sample(free, more):
            source = dice.pick(sessions)
            later = (day - source.done // DAY) * DAY + dice.between(-6, 6)
            together = [x for x in visit.lines if x.ordered == source.ordered and x.item.kind in ("dialysis", "supply")]
            for line in together:
                other = line.copy()
                other.ordered, other.done, other.result = line.ordered + later, line.done + later, line.result + later
                visit.lines.append(other)
        return []


SCHEME = DialysisChronicCount()
