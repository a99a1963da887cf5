"""BED_DAY_PADDING: more bed days billed than nights spent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from data.synthetic.claims import Visit

if TYPE_CHECKING:
    from data.synthetic.injection import Hand


class BedDayPadding:
    """The billing desk counts the day of discharge too."""

    id = "BED_DAY_PADDING"
    kind: Literal["fraud"] = "fraud"
    actor: Literal["facility"] = "facility"
    weight = 1.2
    heavy = False
    levels = "dv"
    wards: tuple[str, ...] = ()
    late = False

    def tempts(self, visit: Visit) -> bool:
        """Any stay with a bed."""
        return visit.stay and bool(visit.of_kind("bed"))

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """A day more; the bold two, the careful half a day."""
        bed = hand.dice.pick(visit.of_kind("bed"))
        draw = hand.dice.chance()
        bed.quantity += 500 if draw > 0.55 + hand.boldness else 2000 if draw < hand.boldness - 0.5 else 1000
        return []


SCHEME = BedDayPadding()
