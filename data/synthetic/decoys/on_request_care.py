"""ON_REQUEST_CARE: a patient asks for a room and a doctor of their own and pays the difference, by agreement."""

from __future__ import annotations

from data.synthetic.claims import INPATIENT, Visit
from data.synthetic.deed import Decoy, Hand


class OnRequestCare(Decoy):
    """The price asked is above the one the fund pays, and rightly so."""

    id = "ON_REQUEST_CARE"
    kind = "legit_outlier"
    levels = "dvr"
    kinds = (INPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """A stay with a bed."""
        return bool(visit.of_kind("bed"))

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """A bed on request (code C), and consultations and procedures at the posted price."""
        dice = hand.dice
        for line in visit.lines:
            if line.bed:
                line.bed = f"C{dice.between(1, 20):03d}"
                line.asked = line.unit_price + dice.pick((200_000, 300_000, 500_000)) * 1000
            elif line.item.kind in ("exam", "us", "surg") and line.service_ratio == 100 and line.quantity == 1000:
                line.asked = line.unit_price + (1_500_000 if line.item.kind == "surg" else 100_000) * 1000
        return []


DECOY = OnRequestCare()
