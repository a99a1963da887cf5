"""THRESHOLD_BUNCHING: a visit cut in two just below the limit under which the patient pays nothing."""

from __future__ import annotations

from data.synthetic.claims import OUTPATIENT, Line, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme

LIKELY = (30_000_000, 75_000_000)  # hundredths of VND: from somewhat below the limit to twice of it


class ThresholdBunching(Scheme):
    """The cashier keeps every claim below 15 % of the base salary: no co-payment, no complaints, more visits."""

    id = "THRESHOLD_BUNCHING"
    kind = "abuse"
    weight = 1.2
    batch = 4
    levels = "pdv"
    kinds = (OUTPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """A visit for which the patient pays a part, not far above the limit."""
        return (
            visit.kind == OUTPATIENT and LIKELY[0] < visit.bh < LIKELY[1] and visit.percent < 100
            and visit.route_percent == 100 and len(visit.lines) >= 3
        )  # fmt: skip

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """A few visits of the place; the rest of each is billed the same afternoon or next day."""
        others = hand.others(lambda v: v is not visit and self.tempts(v))
        made: list[Visit] = []
        for other in (visit, *hand.dice.sample(others, max(0, hand.group(2, 8) // 2 - 1))):
            hand.touch(other)
            second = self._cut(other, hand)
            if second is not None:
                made.append(second)
        return made or None

    def _cut(self, visit: Visit, hand: Hand) -> Visit | None:
        dice, clock, patient = hand.dice, hand.world.clock, visit.patient
        day = visit.start // DAY
        limit = clock.exemption_limits[day]
        exam = visit.of_kind("exam")[0]
        kept, rest = self._fill(visit, exam, limit, hand)
        fee = exam.bh
        if not rest or sum(x.bh for x in kept) >= limit or sum(x.bh for x in rest) + fee >= limit:
            return None
        if patient.last_visit > visit.left:
            return None
        start = visit.left + dice.between(5, 60)
        if not dice.hit(0.3 * hand.boldness) or start % DAY > 15 * 60:
            day += 1 if hand.boldness > 0.4 else dice.between(1, 4)
            while day < clock.days and not clock.working(day):
                day += 1
            start = day * DAY + dice.between(7 * 60 + 5, 10 * 60 + 30)
        if day >= clock.days:
            return None
        seen = hand.care.exam(visit.facility, exam.item.key, start + dice.between(3, 12))
        if seen is None:
            return None
        second = hand.clone(visit, patient, start - visit.start)
        second.secondary, second.doctor, second.leave = visit.secondary, seen[1], 0
        visit.lines = kept
        second.lines = [seen[0]]
        at = seen[0].result + 1
        for line in rest:
            shift = at - line.ordered
            line.ordered, line.done, line.result = at, line.done + shift, line.result + shift
            line.doctor, line.department = seen[1].code, seen[1].department
            second.lines.append(line)
        ready = max(line.result for line in second.lines) + dice.between(3, 9)
        for line in second.lines:
            if line.item.table == 2:
                line.ordered = line.done = line.result = ready
        second.left = second.end = ready + dice.between(4, 15)
        second.notes = []
        hand.care.note(second, seen[0].result, seen[1].code)
        route = hand.care.route(visit.facility, patient, day, emergency=False, stay=False)
        second.route, second.route_percent = route
        patient.last_visit = second.left
        return second

    @staticmethod
    def _fill(visit: Visit, exam: Line, limit: int, hand: Hand) -> tuple[list[Line], list[Line]]:
        """What stays: the consultation and as much as fits, the nearest to the limit of some tries (many when bold)."""
        fixed = [line for line in visit.lines if line is exam or line.item.group in (2, 3)]  # the films are taken
        others = [line for line in visit.lines if all(line is not x for x in fixed)]
        best: tuple[int, list[Line]] = (-1, fixed)
        for _ in range(2 + round(25 * hand.boldness)):
            kept, total = list(fixed), sum(line.bh for line in fixed)
            for line in hand.dice.sample(others, len(others)):
                if total + line.bh < limit and len(kept) < len(visit.lines) - 1:
                    kept.append(line)
                    total += line.bh
            if total > best[0]:
                best = (total, kept)
        chosen = {id(line) for line in best[1]}
        return [x for x in visit.lines if id(x) in chosen], [x for x in others if id(x) not in chosen]


SCHEME = ThresholdBunching()
