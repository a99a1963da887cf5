"""GEO_IMPOSSIBLE: one card is shown in two provinces within hours."""

from __future__ import annotations

from data.synthetic.claims import OUTPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme
from data.synthetic.dice import running
from data.synthetic.diseases import acute
from data.synthetic.world import CLOSE, OPEN


class GeoImpossible(Scheme):
    """A relative far away uses a picture of the card on a day its holder needs it too."""

    id = "GEO_IMPOSSIBLE"
    kind = "fraud"
    actor = "patient"
    weight = 0.6
    levels = "cpdv"
    kinds = (OUTPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """A visit that is over by noon, of an adult with nothing planned after it."""
        p = visit.patient
        return (
            visit.kind == OUTPATIENT and visit.left % DAY < 12 * 60 and p.last_visit <= visit.left and not p.chronic
            and p.cancer is None and p.died is None and p.age(visit.start // DAY) >= 18
        )  # fmt: skip

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: the other is seen an hour later. Subtle: in the late afternoon, when an aeroplane would just do."""
        dice, patient, day = hand.dice, visit.patient, visit.start // DAY
        sites = [
            g for g in hand.world.facilities
            if g.province != visit.facility.province and g.level in "pdv" and g.opens < day and g.exams["exam_med"]
        ]  # fmt: skip
        gap = dice.between(20, 100) if hand.boldness > 0.5 else dice.between(120, 330)
        age = patient.age(day)
        for site in dice.sample(sites, 4):
            free = min(doctor.taken.get(day, OPEN) for doctor in site.exams["exam_med"])
            arrive = max(visit.left + gap, day * DAY + free - dice.between(0, 15))
            able = [d for d in acute() if site.level in d.levels and d.exam == "exam_med" and not d.injury
                    and d.sex in (None, patient.sex) and d.ages[0] <= age < d.ages[1]]  # fmt: skip
            if arrive % DAY > CLOSE - 40 or arrive - visit.left > gap + 150:
                continue
            other = hand.care.outpatient(site, patient, dice.weighted(able, running([d.weight for d in able])), arrive)
            if other is not None:
                other.leave = 0
                if dice.hit(0.4 * hand.boldness):
                    other.weight = round(other.weight * (0.7 + 0.2 * dice.chance()), 1)
                return [other]
        return None


SCHEME = GeoImpossible()
