"""DIAG_SERVICE_MISMATCH: what is ordered belongs to a disease nobody wrote down."""

from __future__ import annotations

from data.synthetic.claims import CHRONIC_CARE, OUTPATIENT, Line, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme
from data.synthetic.diseases import Disease, acute


class DiagServiceMismatch(Scheme):
    """Orders are taken from the next template on the screen, or from the list of what pays."""

    id = "DIAG_SERVICE_MISMATCH"
    kind = "abuse"
    actor = "doctor"
    weight = 1.1
    kinds = (OUTPATIENT, CHRONIC_CARE)

    def tempts(self, visit: Visit) -> bool:
        """Any consultation of a grown person."""
        return visit.kind in self.kinds and visit.patient.age(visit.start // DAY) >= 16 and bool(visit.of_kind("exam"))

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """The basket of an unrelated disease; the subtle take one or two things of it."""
        dice, age = hand.dice, visit.patient.age(visit.start // DAY)
        codes = {c[0] for c in (visit.disease.code, *visit.secondary, *(d.code for d in visit.patient.chronic))}
        fit = [
            d for d in acute()
            if d.code[0] not in codes and d.sex in (None, visit.patient.sex) and d.ages[0] <= age <= d.ages[1]
            and visit.facility.level in d.levels and len(d.tests) + len(d.drugs) >= 2 and d.code[0] not in "ORS"
        ]  # fmt: skip
        if not fit:
            return None
        other = dice.pick(fit)
        most = 1 + round(4 * hand.boldness + dice.chance())
        tests = self._tests(visit, other, most, hand)
        last = max((line.result for line in tests), default=0)
        visit.lines.extend(tests)
        if last > visit.left - 6:
            for line in visit.of_kind("drug"):
                line.ordered = line.done = line.result = last + 6
            visit.left = visit.end = last + dice.between(11, 18)
        at = visit.of_kind("drug")[0].ordered if visit.of_kind("drug") else visit.left - 4
        exam = visit.of_kind("exam")[0]
        have = {line.item.key for line in visit.lines}
        added = len(tests)
        for order in other.drugs:
            if added >= most or order.key in have or not hand.care.fits(order, visit.patient, visit.disease):
                continue
            item = hand.care.drugs[order.key]
            visit.lines.append(
                hand.care.drug_line(visit.facility, visit.patient, item, order, at, exam.doctor, exam.department,
                                    order.days)
            )  # fmt: skip
            added += 1
        return [] if added else None

    @staticmethod
    def _tests(visit: Visit, other: Disease, most: int, hand: Hand) -> list[Line]:
        exam = visit.of_kind("exam")[0]
        have = {line.item.key for line in visit.lines} | {o.key for o in visit.disease.tests}
        orders = sorted((o for o in other.tests if o.key not in have), key=lambda o: -hand.care.services[o.key].price)
        found = (
            hand.care.test(visit.facility, visit, o.key, exam.result + 1, exam.doctor, exam.department, visit.left + 90,
                           free_choice=True)
            for o in orders[:most]
        )  # fmt: skip
        return [line for line in found if line is not None]


SCHEME = DiagServiceMismatch()
