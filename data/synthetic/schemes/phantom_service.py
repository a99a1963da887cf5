"""PHANTOM_SERVICE: tests billed on real visits that were never done."""

from __future__ import annotations

from data.synthetic.care import IMAGING
from data.synthetic.claims import CHRONIC_CARE, INPATIENT, OUTPATIENT, Line, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme

USUAL = ("glu", "urea", "crea", "ast", "alt", "chol", "trig", "hdl", "uric", "ions", "crp", "cbc", "urine", "coag",
         "hbsag", "ecg", "us_abd", "us_neck", "xq_chest", "tsh", "ferri")  # fmt: skip


class PhantomService(Scheme):
    """The billing desk adds tests to visits of the week; the laboratory never sees them."""

    id = "PHANTOM_SERVICE"
    kind = "fraud"
    weight = 1.6
    batch = 6
    kinds = (OUTPATIENT, CHRONIC_CARE, INPATIENT)

    def tempts(self, visit: Visit) -> bool:
        """A visit long enough for tests, at a place with a laboratory."""
        return "biochem" in visit.facility.machines and visit.left - visit.start >= 60 and bool(_exam(visit))

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: no result at all, or at the minute of the order. Between: another person's. Subtle: an invented one."""
        dice, day = hand.dice, visit.start // DAY
        near = hand.others(lambda v: v is not visit and abs(v.start // DAY - day) <= 5 and self.tempts(v))
        found = [visit, *dice.sample(near, hand.group(3, 14) - 1)]
        done = 0
        for other in found:
            if other is not visit:
                hand.touch(other)
            done += self._add(other, hand, near)
        return [] if done else None

    @staticmethod
    def _add(visit: Visit, hand: Hand, near: list[Visit]) -> int:
        dice, f, day = hand.dice, visit.facility, visit.start // DAY
        exam = _exam(visit)
        if exam is None:
            return 0
        have = {line.item.key for line in visit.lines}
        keys = [k for k in USUAL if k not in have and hand.care.services[k].kind in f.machines]
        added = 0
        for key in dice.sample(keys, dice.between(1, 2 + round(2 * hand.boldness))):
            item = hand.care.services[key]
            machines = [m for m in f.machines[item.kind] if m.works(day)]
            latest = min(visit.left, exam.result + 300) - item.minutes - 4
            if not machines or latest <= exam.result + 2:
                continue
            at = dice.between(exam.result + 2, latest)
            team = f.technicians[item.kind]
            line = hand.care.line(f, item, 1000, exam.result + 1, at, at + item.minutes, exam.doctor,
                                  team[day % len(team)].code, exam.department)  # fmt: skip
            line.machine = dice.pick(machines).code
            hand.care.values(line)
            if item.kind in IMAGING:
                visit.patient.tested[key] = day
            if hand.boldness > 0.6:
                if dice.hit(0.6):
                    line.values, line.conclusion = (), ""
                else:
                    line.done = line.result = line.ordered
            elif hand.boldness > 0.3:
                theirs = [
                    x for v in near for x in v.lines if x.item is item and x is not line and (x.values or x.conclusion)
                ]
                if theirs:
                    source = dice.pick(theirs)
                    line.values, line.conclusion = source.values, source.conclusion
            visit.lines.append(line)
            added += 1
        return added


def _exam(visit: Visit) -> Line | None:
    return next((line for line in visit.lines if line.item.kind == "exam"), None)


SCHEME = PhantomService()
