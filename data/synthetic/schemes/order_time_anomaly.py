"""ORDER_TIME_ANOMALY: orders that were never given are typed for a whole ward at one go, and their times show it."""

from __future__ import annotations

from data.synthetic.claims import INPATIENT, Line, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme
from data.synthetic.diseases import Order

TESTS = ("glu", "ions", "crea", "cbc", "crp", "urine")
DRUGS = (Order("nacl", 1.0, 1, 1), Order("para_iv", 1.0, 1, 1), Order("glu5", 1.0, 1, 1))


class OrderTimeAnomaly(Scheme):
    """At the end of the month a clerk adds the same orders to everybody who lay there on some days."""

    id = "ORDER_TIME_ANOMALY"
    kind = "fraud"
    weight = 1.1
    batch = 7
    levels = "dvr"
    kinds = (INPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """A stay of some days."""
        return visit.stay and visit.days >= 4

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: one minute for all, results before the work. Subtle: equal steps from bed to bed."""
        f, dice = visit.facility, hand.dice
        day = visit.start // DAY + 1 + dice.between(0, visit.days - 4)
        days = [day] if hand.boldness < 0.33 else [day, day + 1]
        found = hand.others(lambda v: v is not visit and v.stay and _lies(v, day))
        doctor = f.on_call[day % len(f.on_call)].code
        tests = dice.sample(TESTS, 1 + round(2 * hand.boldness))
        drugs = dice.sample(DRUGS, 1)
        for when in days:
            minute = (
                (8 + dice.between(0, 2)) * 60 + 30 * dice.between(0, 1) + dice.between(0, 9) * (hand.boldness < 0.33)
            )
            at = when * DAY + minute
            for other in [visit, *dice.sample(found, hand.group(5, 16) - 1)]:
                if not _lies(other, when):
                    continue
                hand.touch(other)
                for key in tests:
                    line = hand.care.test(f, other, key, at, doctor, other.ward, other.end - 30, free_choice=True)
                    if line is not None:
                        self._time(line, at, hand)
                        other.lines.append(line)
                for order in drugs:
                    item = hand.care.drugs[order.key]
                    line = hand.care.drug_line(f, other.patient, item, order, at, doctor, other.ward, 1)
                    self._time(line, at, hand)
                    other.lines.append(line)
                if hand.boldness < 0.66:
                    at += 5
        return []

    @staticmethod
    def _time(line: Line, at: int, hand: Hand) -> None:
        """The time of the work follows from that of the order by rule; typed backwards where nobody cares."""
        line.ordered = at
        if line.item.table == 2:
            line.done = line.result = at - (20 if hand.dice.hit(hand.boldness - 0.5) else 0)
            return
        line.done = at + 10
        line.result = at + 60
        if hand.dice.hit(hand.boldness - 0.4):
            line.done, line.result = (at - 30, at + 30) if hand.dice.hit(0.5) else (at + 60, at + 30)


def _lies(visit: Visit, day: int) -> bool:
    return visit.admitted + 60 < day * DAY + 7 * 60 and day * DAY + 13 * 60 < visit.end


SCHEME = OrderTimeAnomaly()
