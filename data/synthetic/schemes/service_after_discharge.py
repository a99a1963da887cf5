"""SERVICE_AFTER_DISCHARGE: orders go on after the person went home, or are made up at the door."""

from __future__ import annotations

from data.synthetic.claims import INPATIENT, Line, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme


class ServiceAfterDischarge(Scheme):
    """The record stays open in the ward's system and the daily orders are copied on, for a day or two."""

    id = "SERVICE_AFTER_DISCHARGE"
    kind = "fraud"
    weight = 1.1
    levels = "dvr"
    kinds = (INPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """A stay with orders on its last full day."""
        return visit.stay and visit.days >= 3 and bool(visit.of_kind("bed")) and len(_last_day(visit)) >= 2

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: a day or two of drugs and tests after the discharge. Subtle: within the hour, or minutes before it."""
        dice, orders = hand.dice, _last_day(visit)
        nights = 1
        if hand.boldness > 0.33:
            nights = 1 + dice.hit(hand.boldness - 0.3)
        orders = dice.sample(orders, max(2, round(len(orders) * (0.4 + 0.6 * hand.boldness))))
        for night in range(nights):
            for source in orders:
                line = source.copy()
                if hand.boldness < 0.33:  # everything that was forgotten, while the bill is made
                    at = visit.end + dice.between(-6, -2)
                elif night == 0 and dice.hit(0.5):
                    at = visit.end + dice.between(70, 360)
                else:
                    later = (visit.end // DAY + 1 + night) * DAY
                    at = later + source.ordered % DAY + dice.between(-20, 20)
                shift = at - source.ordered
                line.ordered, line.done, line.result = at, source.done + shift, source.result + shift
                if line.values or line.conclusion:
                    hand.care.values(line)
                visit.lines.append(line)
        if hand.boldness > 0.5:
            bed = max(visit.of_kind("bed"), key=lambda line: line.result)
            bed.quantity += nights * 1000
            bed.result += nights * DAY
        return []


def _last_day(visit: Visit) -> list[Line]:
    """What was given on the day before the discharge."""
    day = visit.end // DAY - 1
    return [
        x for x in visit.lines
        if x.ordered // DAY == day and (x.item.table == 2 or x.item.group == 1 or x.item.kind in ("rehab", "proc"))
    ]  # fmt: skip


SCHEME = ServiceAfterDischarge()
