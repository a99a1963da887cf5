"""DOCTOR_SHOPPING: one complaint shown at many places for the drugs."""

from __future__ import annotations

from data.synthetic.claims import OUTPATIENT, Line, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme
from data.synthetic.world import CLOSE, OPEN, Facility


class DoctorShopping(Scheme):
    """Somebody collects tablets to sell: every place sees them for the first time and nobody reads the history."""

    id = "DOCTOR_SHOPPING"
    kind = "fraud"
    actor = "patient"
    weight = 1.6
    batch = 5
    levels = "cpdv"
    kinds = (OUTPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """A visit of an adult that brought two kinds of tablets, and nothing planned after it."""
        p = visit.patient
        return (
            visit.kind == OUTPATIENT and p.last_visit <= visit.left and not p.chronic and p.cancer is None
            and p.died is None and 18 <= p.age(visit.start // DAY) <= 75
            and visit.disease.exam == "exam_med" and not visit.disease.injury and len(_tablets(visit)) >= 2
        )  # fmt: skip

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: every day or two, all over the province. Subtle: once a week at the next place but one."""
        dice, clock, patient = hand.dice, hand.world.clock, visit.patient
        wanted = _tablets(visit)[:3]
        sites = [
            g for g in hand.world.facilities
            if g.province == visit.facility.province and g.level in "cpdv" and g.opens < visit.start // DAY
            and g.level in visit.disease.levels
        ]  # fmt: skip
        bold = hand.boldness > 0.5
        count = hand.group(3, 5) if hand.boldness < 0.33 else hand.group(5, 20)
        made: list[Visit] = []
        day, last = visit.start // DAY, visit.facility
        for _ in range(count + 3):
            day += dice.between(1, 3) if bold else dice.between(3, 8)
            while day < clock.days - 1 and not clock.working(day):
                day += 1
            others = [g for g in sites if g is not last]
            if day >= clock.days - 1 or len(made) >= count or not others:
                break
            site = dice.pick(others)
            again = self._ask(visit, site, day, wanted, hand)
            if again is not None:
                made.append(again)
                last = site
        patient.free_from = max(patient.free_from, day + 10)
        return made if len(made) >= 2 else None

    @staticmethod
    def _ask(visit: Visit, site: Facility, day: int, wanted: list[Line], hand: Hand) -> Visit | None:
        """The same story at another place, until the same tablets are prescribed."""
        dice, patient = hand.dice, visit.patient
        free = min(doctor.taken.get(day, OPEN) for doctor in site.exams["exam_med"])
        arrive = day * DAY + max(OPEN + dice.between(5, 200), free - dice.between(2, 20))
        again = hand.care.outpatient(site, patient, visit.disease, arrive) if arrive % DAY < CLOSE - 45 else None
        if again is None:
            return None
        exam = again.of_kind("exam")[0]
        ready = next((x.ordered for x in again.lines if x.item.table == 2), again.left - 3)
        for line in wanted:
            if any(x.item is line.item for x in again.lines) or dice.hit(0.2 - 0.2 * hand.boldness):
                continue
            other = line.copy()
            other.unit_price = site.price(line.item, ready)
            other.ordered = other.done = other.result = ready
            other.doctor, other.department = exam.doctor, exam.department
            again.lines.append(other)
            patient.supply[line.item.code] = day + 5
        again.leave = 0
        return again


def _tablets(visit: Visit) -> list[Line]:
    """What can be sold, the dearest first."""
    found = [line for line in visit.lines if line.item.table == 2 and line.item.route == "1.01"]
    return sorted(found, key=lambda line: (-line.bv, line.item.index))


SCHEME = DoctorShopping()
