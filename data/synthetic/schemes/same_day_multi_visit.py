"""SAME_DAY_MULTI_VISIT: one visit registered as two, the tests in one and the drugs in the other."""

from __future__ import annotations

from data.synthetic.claims import OUTPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme


class SameDayMultiVisit(Scheme):
    """Patients are told to register again for the prescription, the same afternoon or in the next days."""

    id = "SAME_DAY_MULTI_VISIT"
    kind = "abuse"
    weight = 1.2
    levels = "pdv"
    kinds = (OUTPATIENT,)
    together = True

    def tempts(self, visit: Visit) -> bool:
        """A visit with tests and drugs."""
        groups = {line.item.group for line in visit.lines}
        return visit.kind == OUTPATIENT and 4 in groups and bool(groups & {1, 2, 3})

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """A second claim with a new consultation and the drugs, at once or (too late in the day) the next morning.

        The subtle wait a day or three and test again.
        """
        dice, clock, patient = hand.dice, hand.world.clock, visit.patient
        if patient.last_visit > visit.left:
            return None
        exam = visit.of_kind("exam")[0]
        day = visit.start // DAY
        start = visit.left + dice.between(5, 60)
        openly = hand.openly(0.2 + 0.7 * hand.boldness)
        if not openly or start % DAY > 15 * 60:
            day += 1 if openly else dice.between(1, 3)
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
        second.lines = [seen[0]]
        drugs = [line for line in visit.lines if line.item.table == 2]
        ready = seen[0].result + dice.between(4, 12)
        if day > visit.start // DAY and dice.hit(0.6):  # called back: the drugs were given, a test is repeated
            tests = [x for x in visit.lines if x.item.group == 1] or [x for x in visit.lines if x.item.group in (2, 3)]
            source = dice.pick(tests)
            line = hand.care.test(
                visit.facility, second, source.item.key, seen[0].result + 1, seen[1].code, seen[1].department,
                seen[0].result + 150, free_choice=True,
            )  # fmt: skip
            if line is None:
                return None
            second.lines.append(line)
            ready = line.result + dice.between(4, 12)
        else:
            visit.lines = [line for line in visit.lines if line.item.table != 2]
            for line in drugs:
                line.ordered = line.done = line.result = ready
                line.doctor, line.department = seen[1].code, seen[1].department
                second.lines.append(line)
        second.left = second.end = ready + dice.between(4, 15)
        second.notes = []
        hand.care.note(second, seen[0].result, seen[1].code)
        route = hand.care.route(visit.facility, patient, day, emergency=False, stay=False)
        second.route, second.route_percent = route
        patient.last_visit = second.left
        return [second]


SCHEME = SameDayMultiVisit()
