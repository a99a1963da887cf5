"""OVERLAP_DRUG_SUPPLY: a chronic patient fetches the same drugs at a second site while the first supply lasts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from data.synthetic.claims import CHRONIC_CARE, CHRONIC_DRUGS, Visit
from data.synthetic.clock import DAY

if TYPE_CHECKING:
    from data.synthetic.injection import Hand


class OverlapDrugSupply:
    """The patient goes to another facility to stock or sell."""

    id = "OVERLAP_DRUG_SUPPLY"
    kind: Literal["fraud"] = "fraud"
    actor: Literal["facility"] = "facility"
    weight = 1.4
    heavy = False
    levels = "pdv"
    wards: tuple[str, ...] = ()
    late = False

    def tempts(self, visit: Visit) -> bool:
        """A refill with drugs worth carrying away."""
        return (
            visit.kind in (CHRONIC_CARE, CHRONIC_DRUGS)
            and sum(x.fund for x in visit.lines if x.item.table == 2) > 6_000_000
        )

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """The same drugs, 5 to 15 days later, elsewhere in the province."""
        dice, world, patient = hand.dice, hand.world, visit.patient
        sites = [
            f
            for f in world.facilities
            if f.province == visit.facility.province and f is not visit.facility and f.level in "pdv"
        ]
        if not sites:
            return None
        site = dice.pick(sites)
        day = visit.start // DAY + dice.between(5, 12)
        while day < world.clock.days and not world.clock.working(day):
            day += 1
        # Not while lying in a ward: that would be another scheme.
        if day >= world.clock.days or (day <= patient.last_visit // DAY and patient.last_visit > visit.left):
            return None
        start = day * DAY + dice.between(7 * 60 + 5, 10 * 60 + 30)
        shift = start - visit.start
        twin = hand.clone(visit, patient, shift)
        seen = hand.care.exam(site, "exam_med", start + dice.between(3, 12))
        if seen is None:
            return None
        exam, doctor = seen
        ready = exam.result + dice.between(3, 9)
        lines = [exam]
        for line in visit.lines:
            if line.item.table == 2 and (dice.hit(0.9) or len(lines) == 1):
                other = line.copy()
                other.unit_price = site.price(line.item)
                other.ordered = other.done = other.result = ready
                other.doctor, other.department = doctor.code, doctor.department
                lines.append(other)
        twin.lines, twin.facility, twin.doctor = lines, site, doctor
        twin.kind, twin.left = CHRONIC_DRUGS, ready + dice.between(4, 15)
        days = max(1, visit.return_day - visit.start // DAY - 1)
        twin.days, twin.end, twin.return_day = days, (day + days - 1) * DAY + DAY - 1, day + days + 1
        twin.notes = []
        hand.care.note(twin, exam.result, doctor.code)
        twin.route, twin.route_percent = hand.care.route(site, patient, day, emergency=False, stay=False)
        patient.last_visit = max(patient.last_visit, twin.left)
        return [twin]


SCHEME = OverlapDrugSupply()
