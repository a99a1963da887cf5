"""DRUG_OFF_CONDITION: a drug the fund pays for certain diseases only, or only in part, billed as if it were for all."""

from __future__ import annotations

from data.synthetic.claims import CHRONIC_CARE, CHRONIC_DRUGS, OUTPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme
from data.synthetic.diseases import Order

LIMITED = {
    "gluco": (("M17",), 1, 2, 28),
    "alphach": (("S", "T"), 2, 2, 7),
    "omepra": (("K20", "K21", "K22", "K25", "K26", "K27", "K29"), 1, 2, 14),
    "antacid": (("K20", "K21", "K22", "K25", "K26", "K27", "K29"), 1, 3, 10),
    "silym": (("K70", "K71", "K72", "K73", "K74", "K75", "K76", "B18"), 1, 2, 28),
    "alfu": (("N40", "R33"), 1, 1, 28),
}
"""Drug -> diagnoses it is paid for, and the usual dose, times a day and days."""

HARSH = frozenset({"ibup", "melox", "celec", "aspirin", "clopi", "clopi_b"})  # omeprazole shields the stomach from them


class DrugOffCondition(Scheme):
    """The pharmacy moves conditional drugs by putting them on prescriptions for other diseases."""

    id = "DRUG_OFF_CONDITION"
    kind = "abuse"
    weight = 1.8
    levels = "cpdv"
    kinds = (OUTPATIENT, CHRONIC_CARE, CHRONIC_DRUGS)

    def tempts(self, visit: Visit) -> bool:
        """An adult who gets a prescription."""
        return visit.kind in self.kinds and visit.patient.age(0) >= 18 and any(x.item.table == 2 for x in visit.lines)

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: several drugs in full length. Subtle: one for some days; or the payment ratio of a drug in part."""
        dice, care, patient = hand.dice, hand.care, visit.patient
        partial = [x for x in visit.lines if x.item.pay_ratio < 100 and x.cover_ratio < 100]
        if partial and dice.hit(0.8):
            for line in partial:
                line.cover_ratio = 100
            return []
        codes = (visit.disease.code, *visit.secondary)
        first = next(line for line in visit.lines if line.item.table == 2)
        day, have = visit.start // DAY, {line.item.key for line in visit.lines}
        able = [
            key for key, (allowed, *_) in LIMITED.items()
            if key not in have and not any(c.startswith(allowed) for c in codes)
            and patient.supply.get(care.drugs[key].code, -999) <= day
            and (key != "alfu" or patient.sex == 1 or hand.boldness > 0.6)
            and (key not in ("omepra", "antacid") or not have & {"omepra", "antacid"})
            and (key != "omepra" or not have & HARSH)
        ]  # fmt: skip
        for key in dice.sample(able, 1 + round(1.7 * hand.boldness * dice.chance())):
            _, dose, times, days = LIMITED[key]
            days = days if dice.hit(0.3 + 0.7 * hand.boldness) else max(5, days // 2)
            order = Order(key, 1.0, dose, times, days)
            visit.lines.append(care.drug_line(
                visit.facility, patient, care.drugs[key], order, first.ordered, first.doctor, first.department, days
            ))  # fmt: skip
            patient.supply[care.drugs[key].code] = day + days
        return []


SCHEME = DrugOffCondition()
