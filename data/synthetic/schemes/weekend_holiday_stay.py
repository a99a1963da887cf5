"""WEEKEND_HOLIDAY_STAY: beds billed through a weekend or a holiday in which nobody is treated."""

from __future__ import annotations

from data.synthetic.claims import INPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme


class WeekendHolidayStay(Scheme):
    """Whoever could leave on the last working day is written out on the first one after; planned ones come before."""

    id = "WEEKEND_HOLIDAY_STAY"
    kind = "abuse"
    weight = 0.7
    levels = "dv"
    batch = 2
    kinds = (INPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """A stay with a bed."""
        return visit.stay and visit.days >= 2 and bool(visit.of_kind("bed"))

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Those who leave before the free days stay over them, or those who come after are admitted before."""
        clock, dice = hand.world.clock, hand.dice
        day = visit.end // DAY
        if day + 1 < clock.days and not clock.working(day + 1):
            others = hand.others(lambda v: v is not visit and self.tempts(v) and v.end // DAY == day)
            done = [self._later(hand.touch(v), hand)
                    for v in (visit, *dice.sample(others, hand.group(1, 5) - 1))]  # fmt: skip
            return [] if any(done) else None
        return [] if self._earlier(visit, hand) else None

    @staticmethod
    def _later(visit: Visit, hand: Hand) -> bool:
        """Discharged on the first working day after; a bed and, if careful, tablets."""
        clock, dice, patient = hand.world.clock, hand.dice, visit.patient
        old = visit.end // DAY
        day = old + 1
        while day < clock.days and not clock.working(day):
            day += 1
        if day >= clock.days or patient.last_visit > visit.left:
            return False
        end = day * DAY + dice.between(8 * 60, 10 * 60 + 30)
        bed = max(visit.of_kind("bed"), key=lambda line: line.result)
        moved = end - visit.end
        for line in visit.lines:
            if line.item.table == 2 and line.ordered > visit.end - 75:  # taken home
                line.ordered = line.done = line.result = line.ordered + moved
        if not dice.hit(0.3 + hand.boldness):
            oral = [
                x for x in visit.lines if x.item.table == 2 and x.item.route[0] != "2" and x.ordered // DAY == old - 1
            ]
            for offset in range(1, day - old):
                for line in oral[:1]:
                    visit.lines.append(hand.moved(line, visit.facility, (offset + 1) * DAY + dice.between(-9, 9)))
        doctor = visit.facility.ward_doctor(visit.ward, day)
        hand.care.note(visit, day * DAY + 7 * 60 + 30 + dice.between(0, 20), doctor.code)
        bed.quantity += (day - old) * 1000
        bed.result = end
        bed.bed = visit.facility.bed(bed.department, bed.done, end)
        visit.end = visit.left = end
        visit.days += day - old
        patient.last_visit = patient.last_stay = max(patient.last_visit, end)
        return True

    @staticmethod
    def _earlier(visit: Visit, hand: Hand) -> bool:
        """A planned admission of the first working day is dated on the last one before."""
        clock, dice = hand.world.clock, hand.dice
        first = visit.start // DAY
        day = first - 1
        while day > 0 and not clock.working(day):
            day -= 1
        exam = next(iter(visit.of_kind("exam")), None)
        if visit.route == "2" or exam is None or day <= 0 or not 2 <= first - day <= 4:
            return False
        start = day * DAY + dice.between(13 * 60, 15 * 60)
        seen = hand.care.exam(visit.facility, exam.item.key, start + dice.between(3, 12))
        if seen is None:
            return False
        visit.lines[visit.lines.index(exam)] = seen[0]
        bed = min(visit.of_kind("bed"), key=lambda line: line.done)
        visit.start, visit.admitted = start, seen[0].result + dice.between(20, 45)
        bed.ordered = bed.done = visit.admitted
        bed.quantity += (first - day) * 1000
        visit.days += first - day
        hand.care.note(visit, visit.admitted + 4, seen[1].code)
        visit.notes.sort(key=lambda note: note[0])
        return True


SCHEME = WeekendHolidayStay()
