"""WRONG_DEATH_DATE: the civil registry buries somebody who is alive: a namesake's paper, a typing error."""

from __future__ import annotations

from data.synthetic.claims import OUTPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Decoy, Hand
from data.synthetic.world import NEVER


class WrongDeathDate(Decoy):
    """Far more of the dead with visits are alive than not."""

    id = "WRONG_DEATH_DATE"
    kind = "dirty"
    weight = 2.0
    levels = "cpdvr"
    kinds = (OUTPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """The latest visit of somebody who comes now and then."""
        p = visit.patient
        return not p.chronic and p.cancer is None and p.died is None and p.last_visit == visit.left

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """The date lies some days or weeks before the visit; the error keeps them away from then on."""
        patient, day = visit.patient, visit.start // DAY
        patient.died = max(0, day - 1 - int(abs(hand.dice.normal()) * 20))
        patient.free_from = NEVER  # their card is blocked until the registry is put right
        return []


DECOY = WrongDeathDate()
