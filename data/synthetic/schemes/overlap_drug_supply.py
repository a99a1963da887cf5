"""OVERLAP_DRUG_SUPPLY: a chronic patient fetches the same drugs at a second site while the first supply lasts."""

from __future__ import annotations

from data.synthetic.claims import CHRONIC_CARE, CHRONIC_DRUGS, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme
from data.synthetic.world import Facility


class OverlapDrugSupply(Scheme):
    """The patient goes to another facility to stock or sell."""

    id = "OVERLAP_DRUG_SUPPLY"
    kind = "fraud"
    actor = "patient"
    weight = 1.4
    kinds = (CHRONIC_CARE, CHRONIC_DRUGS)

    def tempts(self, visit: Visit) -> bool:
        """A refill with drugs worth carrying away."""
        return (
            visit.kind in (CHRONIC_CARE, CHRONIC_DRUGS)
            and sum(x.fund for x in visit.lines if x.item.table == 2) > 6_000_000
        )

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """The same drugs elsewhere in the province: soon and at two places when bold, else in the last ten days."""
        dice, world, patient = hand.dice, hand.world, visit.patient
        sites = [
            f
            for f in world.facilities
            if f.province == visit.facility.province and f is not visit.facility and f.level in "pdv"
        ]
        made: list[Visit] = []
        early = hand.openly(0.3 + 0.7 * hand.boldness)
        for site in dice.sample(sites, 1 + dice.hit(hand.boldness - 0.4)):
            gap = dice.between(5, 12) + 4 * len(made) if early else dice.between(14, 21)
            twin = self._fetch(visit, hand, site, visit.start // DAY + gap)
            if twin is not None:
                made.append(twin)
        if not made:
            return None
        patient.last_visit = max(patient.last_visit, *(twin.left for twin in made))
        return made

    @staticmethod
    def _fetch(visit: Visit, hand: Hand, site: Facility, day: int) -> Visit | None:
        """The prescription shown at another place."""
        dice, world, patient = hand.dice, hand.world, visit.patient
        while day < world.clock.days and not world.clock.working(day):
            day += 1
        # Not while lying in a ward: that would be another scheme.
        if day >= world.clock.days or (day <= patient.last_visit // DAY and patient.last_visit > visit.left):
            return None
        start = day * DAY + dice.between(7 * 60 + 5, 10 * 60 + 30)
        twin = hand.clone(visit, patient, start - visit.start)
        seen = hand.care.exam(site, "exam_med", start + dice.between(3, 12))
        if seen is None:
            return None
        exam, doctor = seen
        ready = exam.result + dice.between(3, 9)
        lines = [exam]
        for line in visit.lines:
            if line.item.table == 2 and (dice.hit(0.9) or len(lines) == 1):
                other = line.copy()
                other.unit_price = site.price(line.item, start)
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
        return twin


SCHEME = OverlapDrugSupply()
