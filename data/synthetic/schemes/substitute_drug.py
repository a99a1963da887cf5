"""SUBSTITUTE_DRUG: the patient gets the cheap product, the fund is billed the brand."""

from __future__ import annotations

from data.synthetic.claims import Visit
from data.synthetic.deed import Hand, Scheme

BRANDS = {"amlo": "amlo_b", "losar": "losar_b", "ator": "ator_b", "clopi": "clopi_b", "cefi": "cefi_b",
          "ceftri": "ceftri_b"}  # fmt: skip


class SubstituteDrug(Scheme):
    """From some day on the pharmacy bills one ingredient under the dear registration; the shelf holds the other."""

    id = "SUBSTITUTE_DRUG"
    kind = "fraud"
    weight = 1.3
    batch = 8
    levels = "pdvr"
    late = True

    def tempts(self, visit: Visit) -> bool:
        """A claim with a drug that has a dear twin."""
        return any(line.item.key in BRANDS for line in visit.lines)

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Quantities as ever. Bold: all of it that month. Subtle: every third box, now this patient, now that."""
        if not self.tempts(visit):  # changed since it was found
            return None
        dice = hand.dice
        key = dice.pick(sorted({line.item.key for line in visit.lines if line.item.key in BRANDS}))
        mine = hand.others(
            lambda v: v is not visit and v.start >= visit.start and any(x.item.key == key for x in v.lines)
        )
        share = 0.3 + 0.7 * hand.boldness
        for other in (visit, *mine[: hand.group(5, 24) - 1]):
            lines = [x for x in other.lines if x.item.key == key and (other is visit or dice.hit(share))]
            if lines and other is not visit:
                hand.touch(other)
            for line in lines:
                line.item = hand.care.drugs[BRANDS[key]]
                line.unit_price = other.facility.price(line.item, line.ordered)
        return []


SCHEME = SubstituteDrug()
