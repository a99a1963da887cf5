"""DRUG_CONTRA: a drug its label forbids for this person; the fund refuses the whole line."""

from __future__ import annotations

from data.synthetic.claims import CHRONIC_CARE, CHRONIC_DRUGS, OUTPATIENT, Line, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme
from data.synthetic.diseases import Order
from data.synthetic.world import has_heart_disease

AGAINST = ("O", "I2", "I50", "J44")
"""Diagnoses that the label of the drug names: pregnancy, sick heart, sick lungs."""
ANTIBIOTICS = frozenset({"amox", "amoxc", "cefi", "cefu", "azi"})


class DrugContra(Scheme):
    """A hurried prescriber takes the usual drug without asking for age, pregnancy or heart."""

    id = "DRUG_CONTRA"
    kind = "error"
    actor = "doctor"
    weight = 0.6
    levels = "cpdv"
    kinds = (OUTPATIENT, CHRONIC_CARE, CHRONIC_DRUGS)

    def tempts(self, visit: Visit) -> bool:
        """A child with an antibiotic, a pregnant woman, or a heart patient, with a prescription."""
        if not any(line.item.table == 2 for line in visit.lines):
            return False
        if visit.kind == OUTPATIENT and visit.patient.age(visit.start // DAY) < 17:
            return any(line.item.key in ANTIBIOTICS for line in visit.lines)
        return visit.disease.code.startswith("O") or has_heart_disease(visit.patient)

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """A fluoroquinolone for a child or in pregnancy; metformin or an anti-inflammatory with a sick heart.

        Bold: against the illness the prescription itself is for, with metformin, whose label names it.
        """
        dice = hand.dice
        plain = next((line for line in visit.lines if line.item.key in ANTIBIOTICS), None)
        if plain is not None and visit.patient.age(visit.start // DAY) < 17:
            days = 5 + 2 * dice.between(0, 1)
            new = self._line(visit, hand, Order("levo", 1.0, 1, 1, days), plain)
            hand.refuse(visit, plain)  # what stood there before is gone: the new line is not owed at all
            visit.lines.remove(plain)
            visit.lines.append(new)
            return []
        if hand.intensity == "blatant" and not visit.disease.code.startswith(AGAINST):
            return None  # the illness must stand on the very prescription
        first = next(line for line in visit.lines if line.item.table == 2)
        if visit.disease.code.startswith("O"):
            order = Order("levo", 1.0, 1, 1, 5 + 2 * dice.between(0, 1))
        elif visit.kind != OUTPATIENT and hand.openly(0.5 + 0.3 * hand.boldness):
            order = Order("metf", 1.0, 1, 2, 30)
        else:
            order = Order(dice.pick(("melox", "celec")), 1.0, 1, dice.between(1, 2), dice.pick((7, 10, 14)))
        item = hand.care.drugs[order.key]
        if any(line.item.key == order.key for line in visit.lines):
            return None
        if visit.patient.supply.get(item.code, -999) > visit.start // DAY:
            return None
        visit.lines.append(self._line(visit, hand, order, first))
        return []

    @staticmethod
    def _line(visit: Visit, hand: Hand, order: Order, like: Line) -> Line:
        item = hand.care.drugs[order.key]
        visit.patient.supply[item.code] = like.ordered // DAY + order.days
        return hand.care.drug_line(
            visit.facility, visit.patient, item, order, like.ordered, like.doctor, like.department, order.days
        )


SCHEME = DrugContra()
