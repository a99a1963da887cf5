"""COMPANY_CHECK_CODED: employees' periodic check, billed under the care type made for it."""

from __future__ import annotations

from data.synthetic.claims import OUTPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Decoy, Hand
from data.synthetic.diseases import Disease, Order
from data.synthetic.world import Patient

PERIODIC_CHECK = "15"  # MA_LOAI_KCB, in force from SINCE
SINCE = "20260619"
CHECK = Disease(
    code="Z10.0", name="Khám sức khỏe nghề nghiệp", complaint="khám sức khỏe định kỳ", weight=1,
    tests=tuple(Order(key, 1.0) for key in ("cbc", "glu", "urea", "crea", "urine", "xq_chest", "us_abd")),
)  # fmt: skip


class CompanyCheckCoded(Decoy):
    """Colleagues one after another with the same panel and no drugs: what the law now pays for."""

    id = "COMPANY_CHECK_CODED"
    kind = "legit_outlier"
    batch = 5
    levels = "pdv"
    kinds = (OUTPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """An employee, on a morning."""
        return bool(visit.patient.employer) and visit.start % DAY < 10 * 60

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """The firm's people of a morning."""
        clock, day, f = hand.world.clock, visit.start // DAY, visit.facility
        if clock.day_texts[day] < SINCE:
            return None
        staff: dict[int, Patient] = {}
        for place in hand.world.facilities:
            if place.province == f.province:
                staff |= {p.index: p for p in place.patients if p.employer == visit.patient.employer}
        able = [
            p for p in staff.values()
            if p is not visit.patient and 18 <= p.age(day) <= 60 and hand.free(p, day) and p.free_from <= day
        ]  # fmt: skip
        made: list[Visit] = []
        arrive = day * DAY + 7 * 60 + 5
        for patient in hand.dice.sample(able, hand.group(5, 40)):
            arrive += hand.dice.between(2, 6)
            seen = hand.care.outpatient(f, patient, CHECK, arrive)
            if seen is not None:
                seen.kind, seen.leave = PERIODIC_CHECK, 0
                made.append(seen)
        return made if len(made) >= 3 else None


DECOY = CompanyCheckCoded()
