"""MACHINE_OVER_CAPACITY: studies are booked on one machine that it could not have made in the time."""

from __future__ import annotations

from data.synthetic.claims import CHRONIC_CARE, INPATIENT, OUTPATIENT, Line, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme
from data.synthetic.world import BACK, LUNCH

STUDIES = {"us": ("us_heart", "us_abd", "us_neck"), "xq": ("xq_chest", "xq_spine", "xq_knee")}


class MachineOverCapacity(Scheme):
    """Everybody who is in the house that day gets a study on paper, in the name of the one machine and its crew."""

    id = "MACHINE_OVER_CAPACITY"
    kind = "fraud"
    weight = 1.1
    batch = 8
    levels = "pdv"
    kinds = (OUTPATIENT, CHRONIC_CARE, INPATIENT)

    def tempts(self, visit: Visit) -> bool:
        """Somebody with an ultrasound or an X-ray."""
        return visit.kind in self.kinds and any(line.item.kind in STUDIES for line in visit.lines)

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """One day after another until enough have one; subtle: between the real studies, a little too tight.

        Bold: in half the time. Blatant: of the usual length, several on the one machine at once.
        """
        dice, clock = hand.dice, hand.world.clock
        model = next(line for line in visit.lines if line.item.kind in STUDIES)
        first, wanted, made = model.done // DAY, hand.group(6, 30), 0
        machine = next(m for m in visit.facility.machines[model.item.kind] if m.code == model.machine)
        days = [d for d in range(first, first + 6) if d < clock.days and clock.working(d) and machine.works(d)]
        for day in days:
            found = hand.others(lambda v, day=day: v.kind in self.kinds and _there(v, day))
            real = [
                (line.done, line.result)
                for v in hand.month if v.facility is visit.facility
                for line in v.lines if line.machine == model.machine and line.done // DAY == day
            ]  # fmt: skip
            at = 0
            for other in sorted(dice.sample(found, wanted - made), key=lambda v: _ready(v, day)):
                at = self._add(other, model, max(at, _ready(other, day) + dice.between(2, 6)), real, hand)
                made += at > 0
            if made >= wanted or hand.boldness < 0.2:
                break
        return [] if made >= 3 else None

    @staticmethod
    def _add(visit: Visit, model: Line, at: int, real: list[tuple[int, int]], hand: Hand) -> int:
        """One study from `at`; returns when the next may begin, 0 if this person cannot get one."""
        dice, f, bold = hand.dice, visit.facility, hand.boldness > 0.5
        have = {line.item.key for line in visit.lines}
        item = next((s for k in STUDIES[model.item.kind] if (s := hand.care.services[k]).key not in have), None)
        exam = next((line for line in visit.lines if line.item.kind == "exam"), None)
        if item is None or (exam is None and not visit.stay):
            return 0
        half = bold and hand.intensity != "blatant"
        minutes = max(3, item.minutes // 2) if half else item.minutes - 1
        if not bold:
            while (clash := next((r for r in real if r[0] + 2 < at + minutes and at < r[1] - 2), None)) is not None:
                at = clash[1] - 1
        if LUNCH <= at % DAY < BACK and not visit.stay:
            at = at // DAY * DAY + BACK + dice.between(0, 9)
        last = at + minutes + dice.between(8, 18)
        if at % DAY > 16 * 60 + 40 or (visit.stay and last > visit.end - 30):
            return 0
        hand.touch(visit)
        doctor, department = visit.doctor.code, visit.ward
        if exam is not None and not visit.stay:
            doctor, department = exam.doctor, exam.department
        line = hand.care.line(f, item, 1000, at - dice.between(2, 8), at, at + minutes - 1, doctor, model.performer,
                              department)  # fmt: skip
        line.machine = model.machine
        hand.care.values(line)
        visit.lines.append(line)
        if not visit.stay and last > visit.left:
            for x in visit.lines:
                if x.item.table == 2:  # the prescription waits for the picture
                    x.ordered = x.done = x.result = last - 5
            visit.left = visit.end = last
        return at + (dice.between(1, 3) if bold else minutes - dice.between(0, 2))


def _ready(visit: Visit, day: int) -> int:
    """When somebody can be sent to the machine on a day."""
    if visit.stay:
        return max(visit.admitted + 30, day * DAY + 8 * 60)
    return max((line.result for line in visit.lines if line.item.kind == "exam"), default=visit.start)


def _there(visit: Visit, day: int) -> bool:
    if visit.stay:
        return visit.admitted // DAY <= day < visit.end // DAY
    return visit.start // DAY == day


SCHEME = MachineOverCapacity()
