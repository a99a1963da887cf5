"""DUP_CROSS_FACILITY: tests still good are done again at another place."""

from __future__ import annotations

from data.synthetic.claims import CHRONIC_CARE, CHRONIC_DRUGS, OUTPATIENT, Line, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme
from data.synthetic.world import Facility

VALID = {"ct": 30, "mri": 30, "endo": 30, "us": 7, "xq": 10, "hba1c": 60, "bnp": 10, "hbvload": 60}
"""Kind or key of a test -> days within which doing it again shows nothing new."""


class DupCrossFacility(Scheme):
    """A patient goes from place to place and shows no results; the second orders everything again."""

    id = "DUP_CROSS_FACILITY"
    kind = "abuse"
    actor = "patient"
    weight = 1.2
    kinds = (OUTPATIENT, CHRONIC_CARE, CHRONIC_DRUGS)

    def tempts(self, visit: Visit) -> bool:
        """A visit with a test that stays good for a while."""
        return not visit.stay and bool(_lasting(visit))

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: next day, everything, even at two places. Subtle: late in the period, the one test."""
        if not self.tempts(visit):  # changed since it was found
            return None
        dice, world = hand.dice, hand.world
        sites = [
            f for f in world.facilities
            if f is not visit.facility and f.level in "pdv" and f.province == visit.facility.province and f.opens < 0
        ]  # fmt: skip
        made: list[Visit] = []
        day = visit.start // DAY
        for site in dice.sample(sites, 1 + dice.hit(hand.boldness - 0.5)):
            lasting = _lasting(visit)
            longest = max(_days(x) for x in lasting)
            gap = dice.between(1, 3) if dice.hit(1.3 * hand.boldness) else dice.between(3, max(4, longest - 2))
            day = max(day, visit.start // DAY) + gap
            twin = self._again(visit, hand, site, day, [x for x in lasting if _days(x) > day - x.done // DAY])
            if twin is not None:
                made.append(twin)
                day = twin.start // DAY
        return made or None

    @staticmethod
    def _again(visit: Visit, hand: Hand, site: Facility, day: int, tests: list[Line]) -> Visit | None:
        dice, care, clock, patient = hand.dice, hand.care, hand.world.clock, visit.patient
        while day < clock.days and not clock.working(day):
            day += 1
        if day >= clock.days - 1 or (patient.last_visit > visit.left and abs(patient.last_visit // DAY - day) < 3):
            return None
        start = day * DAY + dice.between(7 * 60 + 5, 10 * 60)
        key = visit.disease.exam if patient.age(day) >= 14 else "exam_ped"
        seen = care.exam(site, key, start + dice.between(3, 12))
        if seen is None:
            return None
        exam, doctor = seen
        twin = hand.clone(visit, patient, start - visit.start)
        twin.facility, twin.doctor, twin.kind, twin.days, twin.return_day, twin.leave = (
            site,
            doctor,
            OUTPATIENT,
            0,
            0,
            0,
        )
        limit = day * DAY + 17 * 60
        twin.lines = [exam, *DupCrossFacility._tests(visit, hand, twin, exam, tests, limit)]
        if len(twin.lines) == 1:
            return None
        twin.left = twin.end = max(x.result for x in twin.lines) + dice.between(5, 20)
        twin.notes = []
        care.note(twin, exam.result, doctor.code)
        twin.route, twin.route_percent = care.route(site, patient, day, emergency=False, stay=False)
        patient.last_visit = max(patient.last_visit, twin.left)
        return twin

    @staticmethod
    def _tests(visit: Visit, hand: Hand, twin: Visit, exam: Line, lasting: list[Line], limit: int) -> list[Line]:
        """The same tests here, with like results; the bold place orders all the rest of the panel too."""
        dice = hand.dice
        sources = lasting if hand.boldness > 0.4 else dice.sample(lasting, 1)
        if hand.boldness > 0.4:
            sources = [*sources, *(x for x in visit.lines if x.item.group in (1, 3) and x not in lasting)]
        found: list[Line] = []
        for source in sources:
            line = hand.care.test(
                twin.facility, twin, source.item.key, exam.result + 1, exam.doctor, exam.department, limit,
                free_choice=True,
            )  # fmt: skip
            if line is None:
                continue
            if source.item.indicators and source.values:
                line.values = tuple(_like(value, dice.normal()) for value in source.values)
            else:
                line.conclusion, line.values = source.conclusion, source.values
            found.append(line)
        return found


def _days(line: Line) -> int:
    return VALID.get(line.item.key) or VALID.get(line.item.kind, 0)


def _lasting(visit: Visit) -> list[Line]:
    return [line for line in visit.lines if _days(line)]


def _like(value: str, deviation: float) -> str:
    """Nearly the same figure, with as many decimals."""
    decimals = len(value.partition(".")[2])
    return f"{abs(float(value) * (1 + 0.02 * deviation)):.{decimals}f}"


SCHEME = DupCrossFacility()
