"""EXTRA_EXAM_FEE: further consultations of one visit billed in full, or never held."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from data.synthetic.care import EXTRA_EXAMS
from data.synthetic.claims import OUTPATIENT, Visit

if TYPE_CHECKING:
    from data.synthetic.injection import Hand


class ExtraExamFee:
    """The cashier bills second consultations as first ones."""

    id = "EXTRA_EXAM_FEE"
    kind: Literal["abuse"] = "abuse"
    actor: Literal["facility"] = "facility"
    weight = 1.0
    heavy = False
    levels = "pdv"
    wards: tuple[str, ...] = ()
    late = False

    def tempts(self, visit: Visit) -> bool:
        """An outpatient visit at a place with several specialties."""
        return visit.kind == OUTPATIENT and len(visit.facility.exams) > 1

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Raise the ratio of the second consultation; where there is none, add one."""
        dice = hand.dice
        exams = sorted(visit.of_kind("exam"), key=lambda line: line.ordered)
        if len(exams) < 2:
            have = {line.department for line in exams}
            keys = [k for k in EXTRA_EXAMS if visit.facility.exams[k][0].department not in have]
            at = exams[-1].result + dice.between(2, 8)
            doctor = visit.facility.exams[dice.pick(keys)][0] if keys else None
            if doctor is None or at + 8 > visit.left:
                return None
            key = next(k for k in keys if visit.facility.exams[k][0].department == doctor.department)
            item = hand.care.services[key]
            line = hand.care.line(
                visit.facility, item, 1000, at, at, at + 6, doctor.code, doctor.code, doctor.department
            )
            line.service_ratio = 30
            visit.lines.append(line)
            exams.append(line)
        if dice.hit(0.35 + hand.boldness):
            for line in exams[1:]:
                line.service_ratio = 100
        return []


SCHEME = ExtraExamFee()
