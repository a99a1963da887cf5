"""DUP_CLAIM: one encounter claimed twice under two numbers."""

from __future__ import annotations

from data.synthetic.claims import CHRONIC_CARE, INPATIENT, OUTPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme


class DupClaim(Scheme):
    """A file is sent again with a new number, or what was done before a bed was found as a visit of its own."""

    id = "DUP_CLAIM"
    kind = "fraud"
    weight = 1.3
    levels = "pdv"
    kinds = (OUTPATIENT, CHRONIC_CARE, INPATIENT)

    def tempts(self, visit: Visit) -> bool:
        """A claim of some lines; a stay that began in the consulting room."""
        if visit.stay:
            return visit.route != "2" and sum(line.ordered <= visit.admitted for line in visit.lines) >= 3
        return len(visit.lines) >= 4 and visit.fund > 8_000_000

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: the same to the minute. Subtle: moved some days, a line or two left out, results written anew."""
        dice, clock = hand.dice, hand.world.clock
        if visit.stay and hand.intensity != "blatant":
            return self._before_the_bed(visit, hand)
        bold = hand.openly(1.2 * hand.boldness)
        shift = 0
        if not bold:
            day = visit.start // DAY
            days = [d for d in range(day + 1, day + 4) if d < clock.days and clock.working(d)]
            if not days:
                return None
            shift = (dice.pick(days) - day) * DAY + dice.between(-20, 20)
        twin = hand.clone(visit, visit.patient, shift)
        twin.weight, twin.secondary = visit.weight, visit.secondary
        twin.leave = 0
        if bold:
            for line, source in zip(twin.lines, visit.lines, strict=True):
                line.values, line.conclusion = source.values, source.conclusion
            twin.notes = list(visit.notes)
        else:
            for _ in range(dice.between(0, 1 if len(twin.lines) < 6 else 2)):
                twin.lines.remove(dice.pick(twin.lines[1:]))
            if visit.patient.last_visit > visit.left and visit.patient.last_visit - twin.left < 8 * DAY:
                return None
            visit.patient.last_visit = max(visit.patient.last_visit, twin.left)
        return [twin]

    @staticmethod
    def _before_the_bed(visit: Visit, hand: Hand) -> list[Visit] | None:
        """Consultation and tests of the way in, as an outpatient visit as well as in the stay."""
        dice = hand.dice
        early = [x for x in visit.lines if x.ordered <= visit.admitted and x.item.kind != "bed" and x.item.group != 8]
        exam = next((x for x in early if x.item.kind == "exam"), None)
        if exam is None or len(early) < 3:
            return None
        twin = hand.clone(visit, visit.patient, 0)
        twin.kind, twin.ward, twin.admitted, twin.days = OUTPATIENT, "", 0, 0
        twin.result, twin.discharge, twin.sent_to, twin.slip, twin.leave = 2, 1, "", visit.slip, 0
        twin.weight, twin.secondary = visit.weight, visit.secondary
        twin.doctor = next(
            (d for team in visit.facility.exams.values() for d in team if d.code == exam.doctor), visit.doctor
        )
        if not hand.openly(0.3 + hand.boldness):
            early = [exam, *dice.sample([x for x in early if x is not exam], max(2, len(early) // 2))]
        twin.lines = [x.copy() for x in early if x.result <= visit.end - 60]
        twin.left = twin.end = max(visit.admitted, *(x.result for x in twin.lines)) + dice.between(2, 9)
        twin.notes = []
        hand.care.note(twin, exam.result, exam.doctor)
        twin.route, twin.route_percent = hand.care.route(
            visit.facility, visit.patient, visit.start // DAY, emergency=False, stay=False
        )
        return [twin]


SCHEME = DupClaim()
