"""UPCODE_SERVICE: the dearer sibling of what was done is billed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from data.synthetic.claims import Visit

if TYPE_CHECKING:
    from data.synthetic.injection import Hand

DEARER = {
    "ct_head": "ct_head_c", "ct_chest": "ct_chest_c", "ct_abd": "ct_abd_c", "mri_spine": "mri_spine_c",
    "gastro": "gastro_b", "s_hernia": "s_hernia_h", "s_forearm": "s_forearm_h", "s_csection": "s_csection_h",
    "s_hip": "s_hip_h", "s_appendix": "s_appendix_l",
}  # fmt: skip


class UpcodeService:
    """From some day on, one facility bills the better paid technique."""

    id = "UPCODE_SERVICE"
    kind: Literal["fraud"] = "fraud"
    actor: Literal["facility"] = "facility"
    weight = 1.6
    heavy = False
    levels = "dv"
    wards: tuple[str, ...] = ()
    late = True

    def tempts(self, visit: Visit) -> bool:
        """A service with a dearer sibling."""
        return any(line.item.key in DEARER for line in visit.lines)

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Swap code and price; leave companions as they were."""
        lines = [line for line in visit.lines if line.item.key in DEARER]
        for line in lines if hand.boldness > 0.5 else lines[:1]:
            line.item = hand.care.services[DEARER[line.item.key]]
            line.unit_price = visit.facility.price(line.item)
        return []


SCHEME = UpcodeService()
