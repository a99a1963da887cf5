"""CAP_BREACH: the supplies of one technique are paid beyond 45 base salaries."""

from __future__ import annotations

from data.synthetic.claims import INPATIENT, Line, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme

SALARIES = 45
UNCAPPED = "15"  # card classes without ceilings
SECOND = "G2"


class CapBreach(Scheme):
    """A patient needs more stents than the ceiling pays for; the hospital bills them all instead of telling them."""

    id = "CAP_BREACH"
    kind = "abuse"
    weight = 0.4
    heavy = True
    levels = "vr"
    kinds = (INPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """An operation with dear implants, of a card that has the ceiling."""
        return (
            visit.stay and visit.patient.card[2] not in UNCAPPED and visit.percent >= 80
            and sum(line.fund for line in _implants(visit)) > 25_000_000_00
        )  # fmt: skip

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: one package far above it. Subtle: the last pieces are said to belong to a second technique."""
        dice = hand.dice
        cap = hand.world.clock.base_salary(visit.start // DAY) * SALARIES * 100
        implants = _implants(visit)
        dear = max(implants, key=lambda line: line.unit_price)
        before = _paid(implants, visit.percent)
        while _paid(implants, visit.percent) <= cap:
            dear.quantity += 1000
        if dear.quantity > 6000:
            return None
        split = not dice.hit(hand.boldness)
        if split:
            rest = dear.copy()
            rest.quantity = 1000 * max(1, dear.quantity // 2000)
            dear.quantity -= rest.quantity
            rest.serial, rest.package = f"SN{dice.between(10**8, 10**9 - 1)}", SECOND
            visit.lines.append(rest)
        after = _paid(_implants(visit), visit.percent)
        # What they needed would have been paid up to the ceiling: only the rest is too much.
        hand.before(visit).fund += max(0, min(after, cap) - before)
        return []


def _implants(visit: Visit) -> list[Line]:
    return [line for line in visit.lines if line.item.implant]


def _paid(lines: list[Line], percent: int) -> int:
    """What the fund pays for lines, hundredths of VND."""
    return sum(line.quantity * line.unit_price * percent // 10**6 for line in lines)


SCHEME = CapBreach()
