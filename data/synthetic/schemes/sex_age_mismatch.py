"""SEX_AGE_MISMATCH: what only the other sex, or another age, can need."""

from __future__ import annotations

from data.synthetic.claims import OUTPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme
from data.synthetic.diseases import Order, acute, chronic

MAN, WOMAN = 1, 2


class SexAgeMismatch(Scheme):
    """A wrong line of the price list, a wrong template, or a relative on the card: nobody looks at who it is for."""

    id = "SEX_AGE_MISMATCH"
    kind = "error"
    weight = 0.6
    batch = 1
    levels = "cpdv"
    kinds = (OUTPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """A man, an old woman or a child, with an ultrasound or a prescription."""
        age = visit.patient.age(visit.start // DAY)
        return (visit.patient.sex == MAN or age >= 55 or age < 10) and bool(visit.of_kind("us", "drug"))

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Subtle: a scan of the pregnancy, a drug for the prostate. Bold: the diagnosis too, and all of the claim."""
        dice = hand.dice
        scan = next((line for line in visit.lines if line.item.kind == "us"), None)
        if scan is not None and dice.hit(0.8):
            scan.item = hand.care.services["us_obs"]
            scan.unit_price = visit.facility.price(scan.item, scan.ordered)
            hand.refuse(visit, scan)
        else:
            like = next((line for line in visit.lines if line.item.table == 2), None)
            if like is None:
                return None
            order = Order("alfu", 1.0, 1, 1, dice.pick((10, 14, 28)))
            if visit.patient.sex == MAN and visit.patient.age(visit.start // DAY) >= 16:
                order = Order("clotri", 1.0, 1, 1, dice.between(3, 6))
            visit.lines.append(
                hand.care.drug_line(visit.facility, visit.patient, hand.care.drugs[order.key], order, like.ordered,
                                    like.doctor, like.department, order.days)
            )  # fmt: skip
        if hand.openly(hand.boldness * 1.2 - 0.3):
            codes = ("N76.0", "O26.8") if visit.patient.sex == MAN else ("N40",)
            visit.disease = dice.pick([d for d in (*acute(), *chronic()) if d.code in codes])
            hand.refuse(visit, *(line for line in visit.lines if line is not scan))
        return []


SCHEME = SexAgeMismatch()
