"""REFERRAL_RARE: a haemophiliac with inhibitors bleeds; the referral hospital spends what a village does in a year."""

from __future__ import annotations

from dataclasses import replace

from data.synthetic.claims import INPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Decoy, Hand
from data.synthetic.diseases import Order, stays


class ReferralRare(Decoy):
    """Very dear care of a rare disease, where such patients are sent."""

    id = "REFERRAL_RARE"
    kind = "legit_outlier"
    weight = 0.3
    levels = "r"
    kinds = (INPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """Any admission: the day on which another patient arrives."""
        return visit.start % DAY > 6 * 60

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """A long stay with daily factor concentrate by the dozen."""
        clock, day, f = hand.world.clock, visit.start // DAY, visit.facility
        everyone = [x for place in hand.world.facilities for x in hand.dice.sample(place.patients, 5)]
        able = [p for p in everyone if p.sex == 1 and 6 <= p.age(day) <= 60 and not p.chronic and hand.free(p, day)]
        if not able:
            return None
        patient = hand.dice.pick(able)
        plan = next(s for s in stays() if s.code == "D66")
        dose = Order("factor8", 1.0, hand.dice.between(3, 5), hand.dice.between(2, 3))
        major = replace(plan, nights=8, spread=0.3, limits=(5, 16), daily=(dose, *plan.daily[1:]))
        stay = hand.care.inpatient(f, patient, major, visit.start + hand.dice.between(5, 90), emergency=True,
                                   last_day=clock.days - 1)  # fmt: skip
        if stay is None or stay.result == 5:
            return None
        stay.disease, stay.label = plan, "normal"
        home = hand.world.facilities[patient.home]
        if home is not f:
            stay.sent_from, stay.slip = home.code, hand.care.slip(home)
        return [stay]


DECOY = ReferralRare()
