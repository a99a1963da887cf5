"""OVER_DRUG_POLY: vitamins, herbs and other supportive drugs added to any prescription."""

from __future__ import annotations

import re

from data.synthetic.claims import CHRONIC_CARE, CHRONIC_DRUGS, OUTPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme
from data.synthetic.diseases import Order

SUPPORT = (
    ("vit3b", 1, 2), ("herb_blood", 2, 2), ("ginkgo", 1, 2), ("calcid", 1, 1), ("herb_liver", 2, 2), ("magb6", 1, 2),
    ("silym", 1, 2), ("probio", 1, 2), ("herb_back", 3, 2), ("zinc", 1, 1),
)  # fmt: skip
_DAYS = re.compile(r"\* (\d+) ngày")


class OverDrugPoly(Scheme):
    """A doctor with a representative behind them gives everybody something for the nerves, the liver and the blood."""

    id = "OVER_DRUG_POLY"
    kind = "abuse"
    actor = "doctor"
    weight = 2.0
    levels = "cpdv"
    kinds = (OUTPATIENT, CHRONIC_CARE, CHRONIC_DRUGS)

    def tempts(self, visit: Visit) -> bool:
        """An adult who gets a prescription."""
        return visit.kind in self.kinds and visit.patient.age(0) >= 18 and any(x.item.table == 2 for x in visit.lines)

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """One or two favourites, or four to six, for as long as the prescription lasts."""
        dice, care, patient = hand.dice, hand.care, visit.patient
        first = next(line for line in visit.lines if line.item.table == 2)
        have = {line.item.key for line in visit.lines}
        taste = int(first.doctor[:6]) % len(SUPPORT)
        favourites = [SUPPORT[(taste + n) % len(SUPPORT)] for n in range(7)]
        long = max((int(d) for x in visit.lines if x.item.table == 2 for d in _DAYS.findall(x.dose)), default=10)
        days = 30 if visit.kind != OUTPATIENT else max(long, dice.pick((7, 10, 14, 14)))
        count = dice.between(1, 2) + round(4 * max(0.0, hand.boldness - 0.15) * (0.5 + 0.5 * dice.chance()))
        added = 0
        for key, dose, times in favourites:
            item = care.drugs[key]
            if added == count or key in have or patient.supply.get(item.code, -999) > visit.start // DAY:
                continue
            order = Order(key, 1.0, dose, times, days)
            line = care.drug_line(
                visit.facility, patient, item, order, first.ordered, first.doctor, first.department, days
            )
            visit.lines.append(line)
            patient.supply[item.code] = visit.start // DAY + days
            added += 1
        return [] if added else None


SCHEME = OverDrugPoly()
