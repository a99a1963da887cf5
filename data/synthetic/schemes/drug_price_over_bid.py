"""DRUG_PRICE_OVER_BID: drugs and supplies dearer than the tender, or bought outside it."""

from __future__ import annotations

from data.synthetic.claims import Line, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme
from data.synthetic.xmlout import tender


class DrugPriceOverBid(Scheme):
    """The buyer shares the difference with the supplier; from some day on the invoice is higher than the bid."""

    id = "DRUG_PRICE_OVER_BID"
    kind = "fraud"
    weight = 1.3
    batch = 6
    levels = "pdvr"
    late = True

    def tempts(self, visit: Visit) -> bool:
        """A claim with a drug or supply that costs something."""
        return any(_bought(line) for line in visit.lines)

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: up to a third more. Subtle: a few percent. Or under last year's decision: not owed at all."""
        dice, since = hand.dice, visit.start
        if _free(visit, hand):
            return None
        keys = sorted({line.item.code for line in visit.lines if _bought(line)})
        chosen = set(dice.sample(keys, 1 + int(3 * hand.boldness)))
        old = 0.25 < hand.boldness < 0.8 and dice.hit(0.45)
        rise = 1.02 + 0.04 * dice.chance() + hand.boldness**2 * (0.12 + 0.2 * dice.chance())
        others = hand.others(
            lambda v: v is not visit and v.start >= since and not _free(v, hand)
            and any(_bought(line) and line.item.code in chosen for line in v.lines)
        )  # fmt: skip
        for other in (visit, *dice.sample(others, hand.group(3, 16) - 1)):
            hand.touch(other)
            for line in other.lines:
                if line.item.code not in chosen or not _bought(line):
                    continue
                step = 100 if line.item.table == 2 else 100_000  # as prices are written
                line.unit_price = round(line.unit_price * rise / step) * step
                if old:
                    year = int(hand.world.clock.day_texts[other.left // DAY][:4]) - 1
                    line.tender = tender(line.item, other.facility.code, str(year))
                    hand.refuse(other, line)
        return []


def _free(visit: Visit, hand: Hand) -> bool:
    """Whether a rise could cost the patient the exemption of small bills, and the fund less."""
    limit = hand.world.clock.exemption_limits[max(0, visit.start // DAY)]
    return visit.percent == 100 > visit.patient.benefit and visit.bh * 3 // 2 >= limit


def _bought(line: Line) -> bool:
    return (line.item.table == 2 or line.item.kind == "supply") and line.unit_price >= 2_000_000


SCHEME = DrugPriceOverBid()
