"""NINETY_DAY_SUPPLY: a stable chronic patient gets the drugs of three months at once, as is allowed since 2025."""

from __future__ import annotations

from data.synthetic.claims import CHRONIC_DRUGS, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Decoy, Hand

DAYS = 90


class NinetyDaySupply(Decoy):
    """Three times the usual quantity, and no visit for three months."""

    id = "NINETY_DAY_SUPPLY"
    kind = "legit_outlier"
    levels = "pdvr"
    kinds = (CHRONIC_DRUGS,)

    def tempts(self, visit: Visit) -> bool:
        """A month's supply of pills."""
        return visit.days == 30 and all("30 ngày" in x.dose for x in visit.lines if x.item.table == 2)

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Quantities, dose texts, the end of the claim and the next appointment agree."""
        clock, day, patient = hand.world.clock, visit.start // DAY, visit.patient
        if clock.day_texts[day] < "20250701" or patient.last_visit > visit.left:
            return None
        for line in visit.lines:
            if line.item.table == 2:
                if "[" in line.dose:  # pieces a day; an inhaler or pen is one whatever the days
                    line.quantity *= 3
                line.dose = line.dose.replace("30 ngày", f"{DAYS} ngày")
                patient.supply[line.item.code] = day + DAYS
        visit.days = DAYS
        visit.end = (day + DAYS - 1) * DAY + DAY - 1
        visit.return_day = day + DAYS + 1
        return []


DECOY = NinetyDaySupply()
