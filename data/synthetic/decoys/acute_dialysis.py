"""ACUTE_DIALYSIS: sessions between the usual ones after an overload with fluid, written down as such."""

from __future__ import annotations

from data.synthetic.claims import EPISODE, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Decoy, Hand


class AcuteDialysis(Decoy):
    """The patient comes breathless over the weekend and is dialysed on the days between."""

    id = "ACUTE_DIALYSIS"
    kind = "legit_outlier"
    weight = 0.6
    levels = "dv"
    kinds = (EPISODE,)

    def tempts(self, visit: Visit) -> bool:
        """A month of dialysis."""
        return len(visit.of_kind("dialysis")) >= 10

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Two to four sessions more in a row, with a further diagnosis and a note each time."""
        dice = hand.dice
        sessions = visit.of_kind("dialysis")
        taken = {line.done // DAY for line in sessions}
        free = [d for d in range(min(taken) + 1, max(taken)) if d not in taken and hand.world.clock.weekdays[d] < 6]
        if len(free) < 4:
            return None
        first = dice.between(0, len(free) - 4)
        for day in free[first : first + dice.between(2, 4)]:
            source = dice.pick(sessions)
            later = (day - source.done // DAY) * DAY + dice.between(-6, 6)
            together = [x for x in visit.lines if x.ordered == source.ordered and x.item.kind in ("dialysis", "supply")]
            visit.lines.extend(hand.moved(line, visit.facility, later) for line in together)
            at = source.ordered + later - dice.between(5, 30)
            text = "Khó thở, phù, tăng 4 kg so với cân khô, quá tải dịch; chỉ định lọc máu cấp cứu ngoài lịch"
            visit.notes.append((at, text, visit.doctor.code))
        visit.notes.sort()
        visit.secondary = (*visit.secondary, "E87.7")
        return []


DECOY = AcuteDialysis()
