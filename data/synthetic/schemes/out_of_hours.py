"""OUT_OF_HOURS: people seen when the contract says the place is closed are passed to the fund as ordinary visits."""

from __future__ import annotations

from data.synthetic.claims import OUTPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme


class OutOfHours(Scheme):
    """The doctors' private evenings and Sundays are billed as if the clinic had been open."""

    id = "OUT_OF_HOURS"
    kind = "abuse"
    weight = 0.8
    batch = 6
    levels = "pd"
    kinds = (OUTPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """An ordinary visit."""
        return visit.kind == OUTPATIENT and visit.patient.last_visit == visit.left

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Subtle: just after closing. Bold: late evenings and Sundays. Nothing of such a visit is owed."""
        dice, done = hand.dice, 0
        found = hand.others(lambda v: v is not visit and self.tempts(v))
        where = hand.boldness + 0.3 * (dice.chance() - 0.5)
        for other in [visit, *dice.sample(found, hand.group(4, 12) - 1)]:
            start = self._start(other, where, hand)
            if start is not None:
                hand.touch(other)
                _move(other, start - other.start)
                hand.refuse(other, *other.lines)
                done += 1
        return [] if done >= 2 else None

    @staticmethod
    def _start(visit: Visit, where: float, hand: Hand) -> int | None:
        dice, clock, day = hand.dice, hand.world.clock, visit.start // DAY
        took = visit.left - visit.start
        if where < 0.33:
            minute = 16 * 60 + dice.between(50, 85)
        elif where < 0.66 and not dice.hit(0.4):
            minute = dice.between(17 * 60 + 30, 19 * 60)
        elif dice.hit(0.5):
            minute = dice.between(19 * 60, 21 * 60 + 15)
        else:
            weekday = 6 if where >= 0.66 else 5
            minute = dice.between(13 * 60, 16 * 60) if weekday == 5 else dice.between(7 * 60 + 20, 10 * 60)
            day += weekday - clock.weekdays[day]
        if minute + took > 23 * 60 or day >= clock.days or (visit.start // DAY > day):
            return None
        return day * DAY + minute


def _move(visit: Visit, shift: int) -> None:
    f = visit.facility
    for line in visit.lines:
        if line.unit_price == f.price(line.item, line.ordered):
            line.unit_price = f.price(line.item, line.ordered + shift)
        line.ordered, line.done, line.result = line.ordered + shift, line.done + shift, line.result + shift
    visit.notes = [(at + shift, text, who) for at, text, who in visit.notes]
    visit.start, visit.end, visit.left = visit.start + shift, visit.end + shift, visit.left + shift
    visit.patient.last_visit = visit.left


SCHEME = OutOfHours()
