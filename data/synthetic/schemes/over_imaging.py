"""OVER_IMAGING: scans become routine once the room has a machine to pay off."""

from __future__ import annotations

from data.synthetic.care import CLOSE, FINDINGS
from data.synthetic.claims import CHRONIC_CARE, INPATIENT, OUTPATIENT, Line, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme

PLAIN = ("us_abd", "us_neck", "us_heart", "xq_chest", "ecg")
SCANS = ("ct_head", "ct_chest", "ct_abd", "mri_head", "mri_spine", "gastro", "us_heart")


class OverImaging(Scheme):
    """A doctor paid by the film sends nearly everybody to the scanner, whatever they came with."""

    id = "OVER_IMAGING"
    kind = "abuse"
    actor = "doctor"
    weight = 2.0
    levels = "pdvr"
    kinds = (OUTPATIENT, CHRONIC_CARE, INPATIENT)
    late = True  # the machine arrives some time into the period

    def tempts(self, visit: Visit) -> bool:
        """An adult at a place with machines."""
        return visit.kind in self.kinds and "us" in visit.facility.machines and visit.patient.age(0) >= 14

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """One ultrasound, or two scans of regions that do not hurt; most of the reports say normal."""
        dice, f, day = hand.dice, visit.facility, visit.start // DAY
        have = {line.item.key for line in visit.lines} | {o.key for o in visit.disease.tests if o.chance > 0.2}
        able = [k for k in SCANS if hand.care.services[k].kind in f.machines and k not in have]
        plain = [k for k in PLAIN if k not in have]
        bold = dice.hit(0.25 + 0.75 * hand.boldness)
        keys = dice.sample(able, 1 + (hand.boldness > 0.6 and dice.hit(0.6))) if bold else []
        keys += [k for k in dice.sample(plain, 1 + (not keys)) if k not in keys]
        exam = next((line for line in visit.lines if line.item.kind == "exam"), visit.lines[0])
        limit = visit.end - 60 if visit.stay else min(visit.left + 150, day * DAY + CLOSE + 60)
        added: list[Line] = []
        for key in keys:
            line = hand.care.test(f, visit, key, exam.result + 1, exam.doctor, exam.department, limit, free_choice=True)
            if line is None:
                continue
            if dice.hit(0.5 + 0.4 * hand.boldness):
                line.conclusion = f"{FINDINGS[dice.between(0, 1)]} ({dice.between(1, 40)} mm)"
            added.append(line)
        if not added:
            return None
        visit.lines.extend(added)
        last = max(line.result for line in added) + 12
        if not visit.stay and last > visit.left:
            for line in visit.lines:
                if line.item.table == 2:  # the prescription waits for the report
                    line.ordered = line.done = line.result = last - 8
            visit.left = visit.end = last
            visit.patient.last_visit = max(visit.patient.last_visit, last)
        return []


SCHEME = OverImaging()
