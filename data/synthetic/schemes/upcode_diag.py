"""UPCODE_DIAG: diagnoses written so that a dear item passes."""

from __future__ import annotations

from data.synthetic.claims import CHRONIC_CARE, CHRONIC_DRUGS, INPATIENT, OUTPATIENT, Line, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme
from data.synthetic.diseases import Order

ENABLING = {
    "M81.9": Order("calcid", 1, 1, 1, 30), "G63.2": Order("vit3b", 1, 1, 2, 30), "M17.9": Order("gluco", 1, 1, 2, 28),
    "K76.0": Order("silym", 1, 1, 2, 30), "I67.9": Order("ginkgo", 1, 1, 2, 28), "E78.5": Order("rosu", 1, 1, 1, 30),
    "E11.9": Order("dapa", 1, 1, 1, 30), "J44.9": Order("tiotro", 1, 1, 1, 30), "B18.1": Order("tenof", 1, 1, 1, 30),
}  # fmt: skip
"""Diagnosis -> the drug that is only paid with it."""
GRAVE = ("J96.0", "A41.9", "I46.9", "R57.2")
"""What makes a stay grave on paper."""
IN_WARD = (Order("mero", 1, 1, 3), Order("albumin", 1, 1, 1), Order("vanco", 1, 2, 2))
PADDING = ("E78.5", "M17.9", "K29.5", "H52.0", "G47.0", "M81.9", "I67.9", "K76.0", "D50.9", "E55.9", "N28.9", "K59.0")


class UpcodeDiag(Scheme):
    """A doctor adds the illness a drug is paid for, then the drug; in a ward, the illness that makes it grave."""

    id = "UPCODE_DIAG"
    kind = "fraud"
    actor = "doctor"
    weight = 1.2
    batch = 5
    levels = "pdv"
    wards = ()
    kinds = (OUTPATIENT, CHRONIC_DRUGS, CHRONIC_CARE, INPATIENT)

    def tempts(self, visit: Visit) -> bool:
        """A grown-up with a prescription or in a ward of internal medicine."""
        if visit.patient.age(visit.start // DAY) < 35:
            return False
        if visit.stay:
            return visit.ward == "K03" and 4 <= visit.days <= 15 and not visit.of_kind("surg")
        return any(line.item.table == 2 for line in visit.lines)

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: several illnesses on many claims, with the dear drug. Subtle: one, with the cheap drug, on a few."""
        if not self.tempts(visit):  # changed since it was found
            return None
        dice = hand.dice
        codes = sorted(ENABLING, key=lambda c: hand.care.drugs[ENABLING[c].key].price * ENABLING[c].days)
        code = dice.pick(codes[-4:] if dice.hit(hand.boldness) else codes[:6])
        mine = hand.others(
            lambda v: v is not visit and v.stay == visit.stay and v.doctor.code == visit.doctor.code and self.tempts(v)
        )
        added = 0
        for other in (visit, *dice.sample(mine, hand.group(3, 10) - 1)):
            if other is not visit:
                hand.touch(other)
            added += self._ward(other, hand) if other.stay else self._prescription(other, hand, code)
        return [] if added else None

    @staticmethod
    def _prescription(visit: Visit, hand: Hand, code: str) -> int:
        care, order = hand.care, ENABLING[code]
        item = care.drugs[order.key]
        usual = max((x for x in visit.lines if x.item.table == 2), key=lambda x: x.ordered)
        ours = {visit.disease.code, *visit.secondary}
        if item.ingredient in {x.item.ingredient for x in visit.lines} or code in ours:
            return 0
        line = care.drug_line(
            visit.facility, visit.patient, item, order, usual.ordered, usual.doctor, usual.department, order.days
        )
        visit.lines.append(line)
        _note(visit, code)
        if hand.boldness > 0.6:
            for more in hand.dice.sample(PADDING, hand.dice.between(2, 5)):
                _note(visit, more)
        return 1

    @staticmethod
    def _ward(visit: Visit, hand: Hand) -> int:
        """Grave on paper: the reserve antibiotic or albumin for the days in between."""
        dice, care = hand.dice, hand.care
        order = IN_WARD[1 if dice.hit(hand.boldness - 0.5) else 0 if dice.hit(0.6) else 2]
        item = care.drugs[order.key]
        rounds: dict[int, Line] = {}
        for line in visit.lines:
            if line.item.table == 2 and line.ordered < visit.end - 75:
                rounds.setdefault(line.ordered // DAY, line)
        days = sorted(rounds)[1 : 3 + round(3 * hand.boldness)]
        if not days or any(x.item is item for x in visit.lines):
            return 0
        for day in days:
            base = rounds[day]
            visit.lines.append(
                care.drug_line(
                    visit.facility, visit.patient, item, order, base.ordered, base.doctor, base.department, 1
                )
            )
        _note(visit, dice.pick(GRAVE))
        if hand.boldness > 0.6:
            for more in dice.sample(PADDING, dice.between(1, 4)):
                _note(visit, more)
        return 1


def _note(visit: Visit, code: str) -> None:
    """Write a secondary diagnosis; twelve have room."""
    if code not in (visit.disease.code, *visit.secondary) and len(visit.secondary) < 12:
        visit.secondary = (*visit.secondary, code)


SCHEME = UpcodeDiag()
