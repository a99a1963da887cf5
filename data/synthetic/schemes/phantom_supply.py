"""PHANTOM_SUPPLY: implants billed that were never placed."""

from __future__ import annotations

from data.synthetic.claims import INPATIENT, Line, Visit
from data.synthetic.deed import Hand, Scheme

MANY = frozenset({"screw"})  # placed several at a time
ADDED = ("lens", "lens_t", "plate", "plate_t", "screw", "mesh", "mesh_t", "stent", "balloon", "guide")


class PhantomSupply(Scheme):
    """The theatre bills a second piece on operations that needed one, sometimes one and the same piece for several."""

    id = "PHANTOM_SUPPLY"
    kind = "fraud"
    weight = 1.0
    heavy = True
    batch = 2
    levels = "dvr"
    kinds = (INPATIENT,)
    together = True

    def tempts(self, visit: Visit) -> bool:
        """An operation with an implant."""
        return _piece(visit) is not None and bool(visit.of_kind("surg"))

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: a second piece each, under one serial number. Subtle: some screws, or a piece with its own number."""
        dice = hand.dice
        piece = _piece(visit)
        if piece is None:
            return None
        alike = hand.others(lambda v: v is not visit and v.stay and any(x.item is piece.item for x in v.lines))
        serial = piece.serial
        for other in (visit, *dice.sample(alike, hand.group(1, 6) - 1)):
            mine = next((x for x in other.lines if x.item is piece.item), None)
            if mine is None:
                continue
            if other is not visit:
                hand.touch(other)
            again = mine.copy()
            again.quantity = (dice.between(2, 4) if mine.item.key in MANY else 1) * 1000
            if again.serial:
                same = hand.openly(hand.boldness)  # the sticker of one box on every sheet
                again.serial = serial if same else f"SN{dice.between(10**8, 10**9 - 1)}"
            if mine.item.key in MANY and again.serial != serial:
                mine.quantity += again.quantity  # more of the same, on the line that is there
            else:
                later = 0 if hand.boldness > 0.5 else dice.between(1, 15)
                again.ordered, again.done, again.result = mine.ordered + later, mine.done + later, mine.result + later
                other.lines.append(again)
        return []


def _piece(visit: Visit) -> Line | None:
    """The dearest thing placed that could have been placed twice."""
    return max((x for x in visit.lines if x.item.key in ADDED), key=lambda x: x.item.price, default=None)


SCHEME = PhantomSupply()
