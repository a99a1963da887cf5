"""SUPPLY_OVERCOUNT: more screws, sutures, lenses or stents billed than the operation used."""

from __future__ import annotations

from data.synthetic.claims import INPATIENT, Visit
from data.synthetic.deed import Hand, Scheme

SMALL = ("suture_set", "screw", "needle")  # counted by the piece; nobody counts again
DEAR = ("lens", "stent", "balloon", "guide", "plate", "trocar", "mesh")


class SupplyOvercount(Scheme):
    """The theatre store rounds up to packs, and the supplier leaves devices that are billed without being opened."""

    id = "SUPPLY_OVERCOUNT"
    kind = "fraud"
    weight = 1.2
    levels = "dvr"
    kinds = (INPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """An operation with supplies."""
        return any(line.item.key in SMALL or line.item.key in DEAR for line in visit.lines) and bool(
            visit.of_kind("surg")
        )

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Subtle: a third more of what is counted by the piece. Bold: two or three devices where one was put in."""
        dice = hand.dice
        small = [line for line in visit.lines if line.item.key in SMALL]
        dear = [line for line in visit.lines if line.item.key in DEAR]
        if hand.boldness >= 0.4 and not dear:
            return None
        if hand.boldness < 0.4:
            for line in small:
                pieces = line.quantity // 1000
                line.quantity += 1000 * max(1, round(pieces * (0.3 + 1.2 * hand.boldness * dice.chance())))
        else:
            dear.sort(key=lambda line: -line.unit_price)
            for line in dear[: 1 + int(hand.boldness * 2)]:
                line.quantity *= 3 if dice.hit(hand.boldness - 0.5) else 2
            for line in small:
                line.quantity = line.quantity * dice.between(3, 5) // 2 // 1000 * 1000
        return []


SCHEME = SupplyOvercount()
