"""PHANTOM_DRUG: drugs written on prescriptions that the patient never gets."""

from __future__ import annotations

from data.synthetic.claims import CHRONIC_CARE, CHRONIC_DRUGS, OUTPATIENT, Visit
from data.synthetic.deed import Hand, Scheme
from data.synthetic.diseases import Order

WANTED = (Order("gluco", 1, 1, 2, 28), Order("silym", 1, 1, 2, 30), Order("ginkgo", 1, 1, 2, 28),
          Order("celec", 1, 1, 2, 14), Order("vit3b", 1, 1, 2, 30), Order("calcid", 1, 1, 2, 30))  # fmt: skip
DEAR = (Order("insul", 1, 3, 1, 30), Order("budes", 1, 1, 1, 30), Order("dapa", 1, 1, 1, 30),
        Order("tiotro", 1, 1, 1, 30), Order("alfu", 1, 1, 1, 30))  # fmt: skip


class PhantomDrug(Scheme):
    """A doctor appends one or two drugs once the patient has left; the pharmacy keeps them for the back door."""

    id = "PHANTOM_DRUG"
    kind = "fraud"
    actor = "doctor"
    weight = 1.3
    batch = 6
    kinds = (OUTPATIENT, CHRONIC_DRUGS, CHRONIC_CARE)

    def tempts(self, visit: Visit) -> bool:
        """A prescription of some drugs for many days."""
        drugs = [line for line in visit.lines if line.item.table == 2]
        return len(drugs) >= 2 and visit.patient.age(visit.start // 1440) >= 30

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """The same drug on many prescriptions of the month: bold dear and late, subtle cheap and soon after."""
        if not self.tempts(visit):  # changed since it was found
            return None
        dice = hand.dice
        pool = DEAR if dice.hit(hand.boldness) else WANTED
        chosen = dice.sample(pool, 1 + dice.hit(hand.boldness - 0.3))
        mine = hand.others(
            lambda v: v is not visit and v.doctor.code == hand.doctor and v.kind in self.kinds and self.tempts(v)
        )
        added = 0
        for other in (visit, *dice.sample(mine, hand.group(3, 12) - 1)):
            have = {line.item.ingredient for line in other.lines}
            orders = [o for o in chosen if hand.care.drugs[o.key].ingredient not in have]
            if not orders:
                continue
            if other is not visit:
                hand.touch(other)
            usual = max((line for line in other.lines if line.item.table == 2), key=lambda line: line.ordered)
            bold = dice.hit(1.3 * hand.boldness)
            moment = usual.ordered + (dice.between(21, 44) if bold else dice.between(3, 12))
            if not bold:
                moment = min(moment, other.left - 1)
            for order in orders:
                item = hand.care.drugs[order.key]
                line = hand.care.drug_line(
                    other.facility, other.patient, item, order, moment, usual.doctor, usual.department, order.days
                )
                other.lines.append(line)
                added += 1
        return [] if added else None


SCHEME = PhantomDrug()
