"""BENEFIT_LEVEL_WRONG: the fund is charged a higher share than card and route give."""

from __future__ import annotations

from data.synthetic.claims import Visit
from data.synthetic.deed import Hand, Scheme

FULL = 100


class BenefitLevelWrong(Scheme):
    """The cashier waives what the patient should pay and lets the fund pay it; some only for people they know."""

    id = "BENEFIT_LEVEL_WRONG"
    kind = "abuse"
    weight = 1.2
    batch = 4
    levels = "pdvr"

    def tempts(self, visit: Visit) -> bool:
        """A claim of which the patient pays a part worth the trouble."""
        return visit.percent < FULL and visit.copay > 3_000_000

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: everything is free. Subtle: the next better class, or a self-referral that is not reduced."""
        dice = hand.dice
        others = hand.others(lambda v: v is not visit and self.tempts(v))
        for other in (visit, *dice.sample(others, hand.group(1, 12) - 1)):
            hand.touch(other)
            benefit = other.patient.benefit
            if other.route_percent < FULL and not dice.hit(hand.boldness - 0.3):
                other.percent_forced = benefit
            else:
                other.percent_forced = 95 if benefit < 95 and not dice.hit(0.1 + hand.boldness) else FULL
        return []


SCHEME = BenefitLevelWrong()
