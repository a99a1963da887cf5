"""SPLIT_EPISODE: one stay closed and opened again, with the admission work-up a second time."""

from __future__ import annotations

from copy import copy

from data.synthetic.claims import INPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme


class SplitEpisode(Scheme):
    """The ward discharges on paper and admits again within a day."""

    id = "SPLIT_EPISODE"
    kind = "fraud"
    weight = 0.9
    levels = "dv"
    kinds = (INPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """A stay of a week or more in one ward."""
        return visit.stay and visit.days >= 7 and len(visit.of_kind("bed")) == 1

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Cut in the middle; tests of the first day are billed again on the day of the second admission."""
        dice = hand.dice
        cut_day = visit.start // DAY + visit.days // 2 + dice.between(-1, 1)
        cut = cut_day * DAY + dice.between(14 * 60 + 30, 16 * 60)
        start = cut + (dice.between(30, 120) if dice.hit(hand.boldness) else dice.between(15 * 60 + 30, 17 * 60))
        second = copy(visit)
        second.schemes, second.improper, second.label = [], 0, "normal"
        second.start, second.admitted = start, start + dice.between(20, 45)
        second.route, second.route_percent = visit.route, visit.route_percent
        bed = visit.of_kind("bed")[0]
        tests = [
            line for line in visit.lines if line.item.group in (1, 2, 3) and line.ordered // DAY == visit.start // DAY
        ]
        before = [line for line in visit.lines if line.ordered < cut - 30 and line is not bed]
        after = [line for line in visit.lines if line.ordered > second.admitted and line is not bed]
        for source in tests:
            line = source.copy()
            shift = second.admitted + dice.between(1, 9) - source.ordered
            line.ordered, line.done, line.result = source.ordered + shift, source.done + shift, source.result + shift
            if line.result < visit.end - 60:
                hand.care.values(line)
                after.append(line)
        other = bed.copy()
        bed.result = cut
        bed.quantity = max(1, cut // DAY - visit.admitted // DAY) * 1000
        other.ordered = other.done = second.admitted
        other.quantity = max(1, visit.end // DAY - second.admitted // DAY) * 1000
        second.lines = [*after, other]
        second.notes = [n for n in visit.notes if n[0] > second.start]
        hand.care.note(second, second.admitted + 6, visit.doctor.code)
        visit.notes = [n for n in visit.notes if n[0] < cut]
        second.days = visit.end // DAY - start // DAY + 1
        visit.lines = [*before, bed]
        if visit.sent_to:  # whoever is transferred is transferred from the second stay
            visit.sent_to, visit.slip, visit.discharge, visit.result = "", "", 1, 2
        visit.end = visit.left = cut
        visit.days = cut // DAY - visit.start // DAY + 1
        return [second]


SCHEME = SplitEpisode()
