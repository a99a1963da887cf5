"""STAFF_ABSENT: the account of a doctor who is not in the house signs the night and the weekend."""

from __future__ import annotations

from data.synthetic.claims import INPATIENT, Line, Visit
from data.synthetic.clock import DAY, Clock
from data.synthetic.deed import Hand, Scheme
from data.synthetic.world import CLOSE, OPEN

END = CLOSE + 90  # who began before the rooms closed has finished


class StaffAbsent(Scheme):
    """The ward has nobody on duty; a nurse orders under the name of a doctor of the consultation rooms."""

    id = "STAFF_ABSENT"
    kind = "fraud"
    weight = 1.0
    batch = 3
    levels = "dvr"
    kinds = (INPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """A stay of some days, or one that began at night."""
        return visit.stay and visit.days >= 3

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Orders outside the hours of the absent doctor; what nobody entitled ordered is not owed."""
        f, dice, clock = visit.facility, hand.dice, hand.world.clock
        team = f.exams["exam_surg" if visit.ward in ("K19", "K24") else "exam_med"]
        absent = team[-1].code
        found = hand.others(lambda v: v is not visit and v.ward == visit.ward and self.tempts(v))
        done = 0
        for other in [visit, *dice.sample(found, len(found))]:
            orders = [x for x in other.lines if _order(x) and _away(x.ordered, clock, saturday=f.saturday)]
            if len(orders) < 2:
                continue
            days = sorted({x.ordered // DAY for x in orders})
            if not dice.hit(hand.boldness):
                days = [dice.pick(days)]
            hand.touch(other)
            for line in orders:
                if line.ordered // DAY in days:
                    line.doctor = absent
                    hand.refuse(other, line)
            if hand.boldness > 0.4:
                other.notes = [
                    (at, text, absent if at // DAY in days and _away(at, clock, saturday=f.saturday) else who)
                    for at, text, who in other.notes
                ]
            done += 1
            if done >= hand.group(2, 7):
                break
        hand.blame("doctor", f"{f.code}:{absent}")
        return [] if done else None


def _order(line: Line) -> bool:
    return line.item.table == 2 or line.item.group in (1, 18)


def _away(moment: int, clock: Clock, *, saturday: bool) -> bool:
    """Whether the consultation rooms are closed."""
    day, minute = divmod(moment, DAY)
    return clock.weekdays[day] > (5 if saturday else 4) or not OPEN <= minute < END


SCHEME = StaffAbsent()
