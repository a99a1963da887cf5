"""PRICE_OVER_APPROVED: a service at more than its approved price, or at a new price before its day."""

from __future__ import annotations

from data.synthetic.claims import Line, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme

STEP = 100_000  # prices are whole hundreds of VND


class PriceOverApproved(Scheme):
    """The price list of the facility's software is "corrected" for services that are billed often."""

    id = "PRICE_OVER_APPROVED"
    kind = "abuse"
    weight = 1.2
    batch = 6
    levels = "pdvr"

    def tempts(self, visit: Visit) -> bool:
        """A claim with a paid service that takes some work."""
        return any(_dear(line) for line in visit.lines)

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: several services by a fifth or more. Subtle: one by a few percent, or next month's price today."""
        dice, f, since = hand.dice, visit.facility, visit.start
        if _free(visit, hand):
            return None
        keys = sorted({line.item.key for line in visit.lines if _dear(line)})
        chosen = set(dice.sample(keys, 1 + int(2.5 * hand.boldness)))
        early = bool(f.new_prices) and 0 < f.price_day - since // DAY <= 25
        rise = 1.03 + 0.04 * dice.chance() + hand.boldness**2 * (0.1 + 0.22 * dice.chance())
        others = hand.others(
            lambda v: v is not visit and v.start >= since and not _free(v, hand)
            and any(_dear(line) and line.item.key in chosen for line in v.lines)
        )  # fmt: skip
        changed = 0
        for other in (visit, *dice.sample(others, hand.group(3, 16) - 1)):
            hand.touch(other)
            for line in other.lines:
                if line.item.key not in chosen or not _dear(line):
                    continue
                price = f.new_prices[line.item.index] if early else round(line.unit_price * rise / STEP) * STEP
                changed += price > line.unit_price
                line.unit_price = max(line.unit_price, price)
        return [] if changed else None


def _free(visit: Visit, hand: Hand) -> bool:
    """Whether a rise could cost the patient the exemption of small bills, and the fund less."""
    limit = hand.world.clock.exemption_limits[max(0, visit.start // DAY)]
    return visit.percent == 100 > visit.patient.benefit and visit.bh * 3 // 2 >= limit


def _dear(line: Line) -> bool:
    return line.item.table == 3 and line.item.kind not in ("supply", "exam") and line.unit_price >= 20 * STEP


SCHEME = PriceOverApproved()
