"""CHRONIC_VISIT_SPLIT: a month's drugs handed out in small supplies, a consultation and tests each time."""

from __future__ import annotations

from data.synthetic.care import CLOSE
from data.synthetic.claims import CHRONIC_CARE, CHRONIC_DRUGS, Line, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme

CHECKS = ("glu", "crea", "ast", "alt", "chol", "trig", "urine", "ecg", "cbc", "ions")


def _share(line: Line, days: int, part: int) -> None:
    """Cut a supply for `days` to one for `part`: the quantity and the text of the dose."""
    line.quantity = line.quantity // days * part
    line.dose = line.dose.replace(f"* {days} ngày", f"* {part} ngày")


class ChronicVisitSplit(Scheme):
    """The clinic calls stable patients back every week or ten days: more visits, no more patients."""

    id = "CHRONIC_VISIT_SPLIT"
    kind = "abuse"
    weight = 2.0
    batch = 6
    levels = "cpdv"
    kinds = (CHRONIC_CARE, CHRONIC_DRUGS)

    def tempts(self, visit: Visit) -> bool:
        """A month's supply that can be divided."""
        return visit.kind in self.kinds and any("* 30 ngày" in line.dose for line in visit.lines)

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """A few patients of the place; each comes twice, three or four times in the month."""
        others = hand.others(lambda v: v is not visit and self.tempts(v) and v.start >= visit.start)
        made: list[Visit] = []
        for other in (visit, *hand.dice.sample(others, max(0, hand.group(2, 12) // 3 - 1))):
            made += self._split(other, hand)
        return made or None

    def _split(self, visit: Visit, hand: Hand) -> list[Visit]:
        dice, clock, patient = hand.dice, hand.world.clock, visit.patient
        part = dice.weighted((15, 10, 7), (1.0 - hand.boldness, 1.6 - hand.boldness, 1.8))
        first = visit.start // DAY
        if patient.last_visit > visit.left or first + 30 >= clock.days:
            return []
        hand.touch(visit)
        drugs = [line for line in visit.lines if line.item.table == 2 and "* 30 ngày" in line.dose]
        made: list[Visit] = []
        for n in range(1, 28 // part if part < 15 else 2):
            day = first + n * part
            while not clock.working(day):
                day += 1
            again = self._again(visit, hand, drugs, day, part)
            if again is None:
                break
            made.append(again)
        if not made:
            return []
        for line in drugs:
            _share(line, 30, part)
        self._settle(visit, part)
        patient.last_visit = max(patient.last_visit, made[-1].left)
        for line in drugs:
            patient.supply[line.item.code] = made[-1].start // DAY + part
        return made

    def _again(self, visit: Visit, hand: Hand, drugs: list[Line], day: int, part: int) -> Visit | None:
        """The patient once more: consultation, two or three tests, the next few days' drugs."""
        dice, f = hand.dice, visit.facility
        start = day * DAY + dice.between(7 * 60 + 5, 10 * 60 + 30)
        seen = hand.care.exam(f, "exam_med", start + dice.between(3, 12))
        if seen is None:
            return None
        exam, doctor = seen
        again = hand.clone(visit, visit.patient, start - visit.start)
        again.doctor, again.secondary, again.leave = doctor, visit.secondary, 0
        again.lines = [exam]
        usual = [o.key for o in visit.disease.tests if hand.care.services[o.key].kind in f.machines]
        keys = dict.fromkeys([*dice.sample(usual, 2), *dice.sample(CHECKS, 1 + (hand.boldness > 0.6))])
        limit = day * DAY + CLOSE + 60
        for key in keys if dice.hit(0.4 + 0.6 * hand.boldness) else ():
            line = hand.care.test(
                f, again, key, exam.result + 1, doctor.code, doctor.department, limit, free_choice=True
            )
            if line is not None:
                again.lines.append(line)
        ready = max(line.result for line in again.lines) + dice.between(3, 9)
        for source in drugs:
            line = source.copy()
            line.ordered = line.done = line.result = ready
            line.doctor, line.department = doctor.code, doctor.department
            line.unit_price = f.price(line.item, ready)
            _share(line, 30, part)
            again.lines.append(line)
        again.left = ready + dice.between(4, 15)
        again.notes = []
        hand.care.note(again, exam.result, doctor.code)
        route = hand.care.route(f, visit.patient, day, emergency=False, stay=False)
        again.route, again.route_percent = route
        self._settle(again, part)
        return again

    @staticmethod
    def _settle(visit: Visit, part: int) -> None:
        """Kind, end and return day that go with a supply for `part` days."""
        day = visit.start // DAY
        if any(line.item.group in (1, 2, 3) for line in visit.lines):
            visit.kind, visit.end, visit.days = CHRONIC_CARE, visit.left, 1
        else:
            visit.kind, visit.days = CHRONIC_DRUGS, part
            visit.end = (day + part - 1) * DAY + DAY - 1
        visit.return_day = day + part + 1


SCHEME = ChronicVisitSplit()
