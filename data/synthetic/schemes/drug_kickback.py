"""DRUG_KICKBACK: one doctor, one product, whatever the diagnosis."""

from __future__ import annotations

from data.synthetic.claims import CHRONIC_CARE, CHRONIC_DRUGS, OUTPATIENT, Line, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme
from data.synthetic.diseases import Order
from data.synthetic.world import Item

PRODUCTS = ("gluco", "ginkgo", "silym", "calcid", "alphach", "betah", "probio", "acetyl", "herb_blood", "magb6")
"""Products that suit nearly everybody and are missed by nobody."""


class DrugKickback(Scheme):
    """A doctor is paid by the box by one company and adds its product to prescriptions of every kind."""

    id = "DRUG_KICKBACK"
    kind = "fraud"
    actor = "doctor"
    weight = 1.5
    batch = 8
    levels = "pdv"
    kinds = (OUTPATIENT, CHRONIC_CARE, CHRONIC_DRUGS)

    def tempts(self, visit: Visit) -> bool:
        """A prescription for an adult."""
        return visit.patient.age(visit.start // DAY) >= 16 and any(line.item.table == 2 for line in visit.lines)

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: most patients, a month's supply. Subtle: now and then, where the diagnosis can bear it, some days."""
        dice = hand.dice
        item = hand.care.drugs[product(hand.doctor or visit.doctor.code)]
        others = hand.others(
            lambda v: v is not visit and v.kind in self.kinds and self.tempts(v) and _wanted(v, item, hand)
        )
        if not _wanted(visit, item, hand):
            return None
        count = hand.group(3, 22)
        if hand.boldness > 0.5:  # the box is counted at the end of the month
            late = sorted(others, key=lambda v: v.start)[-2 * count :]
            chosen = dice.sample(late, count - 1)
        else:
            chosen = dice.sample(others, count - 1)
        for other in (visit, *chosen):
            hand.touch(other)
            like = _prescription(other, hand)[0]
            days = dice.pick((5, 7, 10)) if hand.boldness < 0.4 else dice.pick((14, 20, 28, 30))
            order = Order(item.key, 1.0, 1 + (hand.boldness > 0.7), dice.pick((1, 2, 2)), days)
            line = hand.care.drug_line(
                other.facility, other.patient, item, order, like.ordered, like.doctor, like.department, days
            )
            other.lines.append(line)
            lasts = other.patient.supply
            lasts[item.code] = max(lasts.get(item.code, -999), like.ordered // DAY + days)
        return []


def product(doctor: str) -> str:
    """The product that a doctor is paid for: always the same one."""
    return PRODUCTS[int(doctor[:6]) % len(PRODUCTS)]


def _prescription(visit: Visit, hand: Hand) -> list[Line]:
    """Drugs this doctor prescribed in a visit."""
    doctor = hand.doctor or visit.doctor.code
    return [line for line in visit.lines if line.item.table == 2 and line.doctor == doctor]


def _wanted(visit: Visit, item: Item, hand: Hand) -> bool:
    return bool(_prescription(visit, hand)) and all(line.item is not item for line in visit.lines)


SCHEME = DrugKickback()
