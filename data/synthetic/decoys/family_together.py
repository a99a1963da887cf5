"""FAMILY_TOGETHER: a household with one phone comes together, with the same cold."""

from __future__ import annotations

from data.synthetic.claims import OUTPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Decoy, Hand
from data.synthetic.world import CLOSE


class FamilyTogether(Decoy):
    """Several people, one phone number, one commune, minutes apart."""

    id = "FAMILY_TOGETHER"
    kind = "legit_outlier"
    batch = 2
    levels = "cpdv"
    kinds = (OUTPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """Something infectious, in the hours of a station or hospital."""
        return (
            visit.disease.code[0] in "JA" and bool(visit.patient.phone) and visit.start % DAY < CLOSE - 60
            and visit.disease.sex is None and visit.disease.exam == "exam_med"
        )  # fmt: skip

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """The others are seen next, if they were not seen lately."""
        day, own = visit.start // DAY, visit.patient
        home = hand.world.facilities[own.home]
        kin = {
            p.index: p
            for p in home.patients
            if p.household == own.household and p is not own and hand.free(p, day) and p.free_from <= day
        }
        made: list[Visit] = []
        arrive = visit.start
        for patient in list(kin.values())[:4]:
            arrive += hand.dice.between(2, 6)
            seen = hand.care.outpatient(visit.facility, patient, visit.disease, arrive)
            if seen is not None:
                seen.phone = visit.phone
                patient.free_from = day + 10
                made.append(seen)
        if not made:
            return None
        return made


DECOY = FamilyTogether()
