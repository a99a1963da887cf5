"""HIGH_COST_DRUG_SHIFT: the dear brand of a drug, where the cheap one is on the shelf too."""

from __future__ import annotations

from data.synthetic.claims import Visit
from data.synthetic.deed import Hand, Scheme

BRANDS = {"amlo": "amlo_b", "losar": "losar_b", "ator": "ator_b", "clopi": "clopi_b", "cefi": "cefi_b",
          "ceftri": "ceftri_b"}  # fmt: skip
"""Drug -> the same ingredient, strength and route under a dearer name."""


class HighCostDrugShift(Scheme):
    """After a new supplier has called, the pharmacy hands out the brand to a good part of the patients."""

    id = "HIGH_COST_DRUG_SHIFT"
    kind = "abuse"
    weight = 1.6
    batch = 8
    levels = "pdvr"
    late = True

    def tempts(self, visit: Visit) -> bool:
        """A claim with a drug that has a brand."""
        return any(line.item.key in BRANDS for line in visit.lines)

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """One or two ingredients of the place, in a group of claims from that day on."""
        dice, day = hand.dice, visit.start
        keys = sorted({line.item.key for line in visit.lines if line.item.key in BRANDS})
        chosen = {dice.pick(keys)}
        if hand.boldness > 0.6:
            chosen |= set(dice.sample(sorted(BRANDS), 1))
        others = hand.others(
            lambda v: v is not visit and v.start >= day and any(line.item.key in chosen for line in v.lines)
        )
        for other in (visit, *dice.sample(others, hand.group(5, 18) - 1)):
            hand.touch(other)
            for line in other.lines:
                if line.item.key not in chosen:
                    continue
                line.item = hand.care.drugs[BRANDS[line.item.key]]
                line.unit_price = other.facility.price(line.item, line.ordered)
                lasts = other.patient.supply
                lasts[line.item.code] = max(lasts.get(line.item.code, -999), other.return_day - 1)
        return []


SCHEME = HighCostDrugShift()
