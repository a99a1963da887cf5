"""EXTRA_EXAM_FEE: further consultations of one visit billed in full, or never held."""

from __future__ import annotations

from data.synthetic.care import EXTRA_EXAMS
from data.synthetic.claims import INPATIENT, OUTPATIENT, Line, Visit
from data.synthetic.deed import Hand, Scheme


class ExtraExamFee(Scheme):
    """The cashier bills second consultations as first ones."""

    id = "EXTRA_EXAM_FEE"
    kind = "abuse"
    kinds = (OUTPATIENT, INPATIENT)

    def tempts(self, visit: Visit) -> bool:
        """A visit that began with a consultation, at a place with several specialties."""
        return len(visit.facility.exams) > 1 and bool(visit.of_kind("exam"))

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: in full, two of them, by one doctor. Subtle: a consultation never held, at the rate of a second one."""
        dice = hand.dice
        exams = sorted(visit.of_kind("exam"), key=lambda line: line.ordered)
        if len(exams) < 2:
            for _ in range(1 + dice.hit(hand.boldness - 0.5)):
                added = self._another(visit, hand, exams)
                if added is not None:
                    visit.lines.append(added)
                    exams.append(added)
        if len(exams) < 2:
            return None
        if dice.hit(0.35 + hand.boldness):
            for line in exams[1:]:
                line.service_ratio = 100
        return []

    @staticmethod
    def _another(visit: Visit, hand: Hand, exams: list[Line]) -> Line | None:
        """A consultation of another specialty on the way; the bold sign it themselves."""
        dice, f = hand.dice, visit.facility
        have = {line.department for line in exams}
        keys = [k for k in EXTRA_EXAMS if f.exams[k][0].department not in have]
        at = exams[-1].result + dice.between(2, 8)
        limit = visit.admitted if visit.stay else visit.left
        if not keys or at + 8 > limit:
            return None
        key = dice.pick(keys)
        doctor = dice.pick(f.exams[key])
        who = exams[0].doctor if dice.hit(hand.boldness - 0.35) else doctor.code
        item = hand.care.services[key]
        line = hand.care.line(f, item, 1000, at, at, at + dice.between(4, 7), who, who, doctor.department)
        line.service_ratio = 30
        return line


SCHEME = ExtraExamFee()
