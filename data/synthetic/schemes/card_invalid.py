"""CARD_INVALID: the card had run out before the visit."""

from __future__ import annotations

from data.synthetic.claims import INPATIENT, OUTPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme


class CardInvalid(Scheme):
    """Nobody looks the card up: the date on it is over, or it is an old card with a date that no longer holds."""

    id = "CARD_INVALID"
    kind = "error"
    weight = 0.8
    levels = "cpdvr"
    kinds = (OUTPATIENT, INPATIENT)

    def tempts(self, visit: Visit) -> bool:
        """The last visit of somebody with nothing planned, so that the card can have ended before it."""
        p = visit.patient
        return (
            visit.fund > 5_000_000 and p.last_visit <= visit.left and not p.chronic and p.cancer is None
            and p.died is None and p.age(0) >= 7
        )  # fmt: skip

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: the claim itself says so. Subtle: only the register knows that the card ended."""
        dice, clock, patient = hand.dice, hand.world.clock, visit.patient
        # Nobody is seen twice within some days: their earlier claims lie before the end.
        expired = visit.start // DAY - dice.between(1, 4)
        stated = patient.card_to
        patient.card_to = f"{clock.date_of(expired):%Y%m%d}"
        if not hand.openly(0.2 + 0.7 * hand.boldness):
            visit.card_to = stated
        patient.free_from = 10**9
        hand.refuse(visit, *visit.lines)
        return []


SCHEME = CardInvalid()
