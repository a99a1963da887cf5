"""PACKAGE_ORDERING: a house set of tests for everybody who sits down before the doctor."""

from __future__ import annotations

from data.synthetic.care import CLOSE
from data.synthetic.claims import OUTPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme

SETS = (
    ("cbc", "glu", "urea", "crea", "ast", "alt", "chol", "trig", "ecg", "us_abd"),
    ("cbc", "crp", "glu", "crea", "ast", "alt", "uric", "urine", "us_abd", "xq_chest"),
    ("cbc", "ions", "glu", "hdl", "chol", "trig", "uric", "crea", "ecg", "us_abd"),
)


class PackageOrdering(Scheme):
    """The doctor ticks one box of the software, and the whole set is ordered before the complaint is heard."""

    id = "PACKAGE_ORDERING"
    kind = "abuse"
    actor = "doctor"
    weight = 1.4
    batch = 8
    kinds = (OUTPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """An outpatient visit where the set can be done."""
        return visit.kind == OUTPATIENT and "biochem" in visit.facility.machines

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: the set alone, within two minutes. Subtle: most of it, on top of what was ordered anyway."""
        dice, doctor = hand.dice, hand.doctor
        others = hand.others(lambda v: v is not visit and self.tempts(v) and v.doctor.code == doctor)
        people = [visit, *dice.sample(others, hand.group(6, 16) - 1)]
        house = SETS[int(visit.doctor.code[:6]) % len(SETS)]
        done = sum(self._apply(hand.touch(v), house, hand) for v in people)
        return [] if done else None

    def _apply(self, visit: Visit, house: tuple[str, ...], hand: Hand) -> bool:
        dice, exam = hand.dice, visit.of_kind("exam")[0]
        bold = dice.hit(hand.boldness * 1.2 - 0.2)
        keys = house if bold else dice.sample(house, len(house) - dice.between(1, 4))
        have = {line.item.key for line in visit.lines}
        at = exam.ordered + 1 if bold else exam.result + 1
        limit = min(visit.left + 150, visit.start // DAY * DAY + CLOSE + 90)
        lines = [
            line for key in keys if key not in have
            and (line := hand.care.test(
                visit.facility, visit, key, at, exam.doctor, exam.department, limit, free_choice=True
            )) is not None
        ]  # fmt: skip
        if len(lines) < 3:
            return False
        if bold:  # the set replaces what the complaint would have called for
            visit.lines = [line for line in visit.lines if line.item.group != 1 or line.item.key in house]
        visit.lines.extend(lines)
        last = max(line.result for line in lines) + 12
        if last > visit.left:
            for line in visit.lines:
                if line.item.table == 2:
                    line.ordered = line.done = line.result = last - 8
            visit.left = visit.end = last
            visit.patient.last_visit = max(visit.patient.last_visit, last)
        return True


SCHEME = PackageOrdering()
