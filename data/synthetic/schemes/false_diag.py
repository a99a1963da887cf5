"""FALSE_DIAG: a disease is written down because a drug needs it."""

from __future__ import annotations

from data.synthetic.claims import CHRONIC_CARE, CHRONIC_DRUGS, OUTPATIENT, Visit
from data.synthetic.deed import Hand, Scheme
from data.synthetic.diseases import Order

PAIRS = (
    ("K21.0", Order("omepra", 1.0, 1, 2, 28)),
    ("M17.1", Order("gluco", 1.0, 1, 2, 28)),
    ("E78.5", Order("rosu", 1.0, 1, 1, 30)),
    ("M81.9", Order("calcid", 1.0, 1, 2, 28)),
    ("G47.0", Order("magb6", 1.0, 1, 2, 28)),
    ("B18.1", Order("silym", 1.0, 1, 2, 28)),
    ("R42", Order("ginkgo", 1.0, 1, 2, 28)),
    ("J44.9", Order("tiotro", 1.0, 1, 1, 30)),
)
"""A disease and the drug it opens; each doctor keeps to one pair."""


class FalseDiag(Scheme):
    """The doctor favours one product and gives its disease to whoever gets it."""

    id = "FALSE_DIAG"
    kind = "fraud"
    actor = "doctor"
    weight = 1.1
    batch = 6
    levels = "cpdv"
    kinds = (OUTPATIENT, CHRONIC_CARE, CHRONIC_DRUGS)

    def tempts(self, visit: Visit) -> bool:
        """A grown person with a prescription."""
        return visit.kind in self.kinds and visit.patient.age(visit.start // 1440) >= 35 and bool(visit.of_kind("drug"))

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Every patient of the month who can carry it; the subtle give it to few and for shorter."""
        dice, doctor = hand.dice, visit.doctor.code
        number = sum(map(ord, doctor))
        found = hand.others(lambda v: v is not visit and v.doctor.code == doctor and self.tempts(v))
        done = 0
        for other in [visit, *dice.sample(found, hand.group(3, 14) - 1)]:
            # Two pairs at most: the arrangement, and the other product of the same agent.
            code, order = PAIRS[(number + (other is not visit and dice.hit(0.15))) % len(PAIRS)]
            item = hand.care.drugs[order.key]
            codes = (other.disease.code, *other.secondary)
            if any(c[:3] == code[:3] for c in codes) or any(x.item.ingredient == item.ingredient for x in other.lines):
                continue
            like = other.of_kind("drug")[0]
            days = order.days if dice.hit(0.3 + hand.boldness) else order.days // 2
            hand.touch(other)
            other.lines.append(
                hand.care.drug_line(other.facility, other.patient, item, order, like.ordered, like.doctor,
                                    like.department, days)
            )  # fmt: skip
            other.secondary = (*other.secondary, code)
            done += 1
        return [] if done else None


SCHEME = FalseDiag()
