"""OVER_TEST: laboratory panels ordered without link to the complaint."""

from __future__ import annotations

from data.synthetic.claims import CHRONIC_CARE, INPATIENT, OUTPATIENT, Visit
from data.synthetic.deed import Hand, Scheme

CHEAP = ("glu", "urea", "crea", "ast", "alt", "chol", "trig", "hdl", "uric", "ions", "crp", "cbc", "urine")
DEAR = ("bnp", "pct", "tsh", "ft4", "afp", "cea", "ca199", "ca153", "ferri", "vitd", "cortisol", "tropo")


class OverTest(Scheme):
    """A doctor with an arrangement for the new analyser orders more than the patient needs."""

    id = "OVER_TEST"
    kind = "abuse"
    actor = "doctor"
    weight = 2.0
    kinds = (OUTPATIENT, CHRONIC_CARE, INPATIENT)

    def tempts(self, visit: Visit) -> bool:
        """A place with an analyser."""
        return visit.kind in (OUTPATIENT, CHRONIC_CARE, INPATIENT) and "immuno" in visit.facility.machines

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Three to eight tests outside the usual set; the bolder the dearer."""
        dice = hand.dice
        have = {line.item.key for line in visit.lines} | {o.key for o in visit.disease.tests}
        pool = [k for k in CHEAP if k not in have]
        dear = [k for k in DEAR if k not in have]
        count = dice.between(3, 5 + round(3 * hand.boldness))
        keys = dice.sample(dear, round(count * (0.35 + 0.6 * hand.boldness)))
        keys += dice.sample(pool, count - len(keys))
        exam = next((line for line in visit.lines if line.item.kind == "exam"), visit.lines[0])
        added = 0
        last = visit.left
        for key in keys:
            limit = visit.left if visit.stay else visit.left + 150
            line = hand.care.test(
                visit.facility, visit, key, exam.result + 1, exam.doctor, exam.department, limit, free_choice=True
            )
            if line is not None:
                visit.lines.append(line)
                last = max(last, line.result + 12)
                added += 1
        if not visit.stay:
            for line in visit.lines:
                if line.item.table == 2 and last > visit.left:  # the prescription waits for the results
                    line.ordered = line.done = line.result = last - 8
            visit.left = visit.end = last
            visit.patient.last_visit = max(visit.patient.last_visit, last)
        return [] if added >= 3 else None


SCHEME = OverTest()
