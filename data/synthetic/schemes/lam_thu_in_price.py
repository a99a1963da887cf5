"""LAM_THU_IN_PRICE: the patient pays a second time for what the price of the service contains."""

from __future__ import annotations

from data.synthetic.claims import Line, Visit
from data.synthetic.deed import Hand, Scheme

ROUND = (20_000, 50_000, 100_000)  # VND on top, as the cash desk asks it


class LamThuInPrice(Scheme):
    """Gloves, films, gel and a quicker turn: the cash desk adds a charge to services that the fund pays in full."""

    id = "LAM_THU_IN_PRICE"
    kind = "abuse"
    weight = 0.8
    batch = 6
    levels = "pdvr"

    def tempts(self, visit: Visit) -> bool:
        """Services to charge beside."""
        return sum(_chargeable(line) for line in visit.lines) >= 2

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: the same round sum on most services of everybody. Subtle: some per cent on one or two."""
        dice = hand.dice
        extra = dice.pick(ROUND[: 1 + round(2 * hand.boldness)])
        alike = hand.others(lambda v: v is not visit and self.tempts(v))
        for other in [visit, *dice.sample(alike, hand.group(4, 12) - 1)]:
            lines = [line for line in other.lines if _chargeable(line)]
            hand.touch(other)
            if dice.hit(0.2 + 0.8 * hand.boldness):
                for line in dice.sample(lines, 1 + round(len(lines) * hand.boldness)):
                    line.asked = line.unit_price + extra * 1000
            else:
                for line in dice.sample(lines, dice.between(1, 2)):
                    line.asked = round(line.unit_price * (1.05 + 0.1 * dice.chance()) / 100_000) * 100_000
                    if line.asked <= line.unit_price:
                        line.asked = line.unit_price + 1_000_000
        return []


def _chargeable(line: Line) -> bool:
    """A whole service at its full price."""
    return line.item.group in (1, 2, 3, 13, 18) and line.quantity == 1000 and line.service_ratio == 100


SCHEME = LamThuInPrice()
