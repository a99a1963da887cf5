"""GHOST_BED: the name is on the ward list, the bed is empty: the patient sleeps at home."""

from __future__ import annotations

from data.synthetic.claims import INPATIENT, Line, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme

MORNING, EVENING = 7 * 60 + 30, 16 * 60 + 30


class GhostBed(Scheme):
    """A ward of treatments by day keeps people on its list who come for the session and go home."""

    id = "GHOST_BED"
    kind = "fraud"
    weight = 1.5
    heavy = True
    levels = "dv"
    kinds = (INPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """A quiet stay of a week or so in one bed."""
        return (
            visit.stay
            and visit.ward in ("K03", "K16")
            and 5 <= visit.days <= 18
            and visit.route != "2"
            and len(visit.of_kind("bed")) == 1
            and not visit.of_kind("surg", "vent")
        )

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: home every night, nothing at all on days off. Subtle: some nights more on the list, spent at home."""
        if not self.tempts(visit):  # changed since it was found
            return None
        dice, clock = hand.dice, hand.world.clock
        bed = visit.of_kind("bed")[0]
        old_end = visit.end
        extra = dice.between(2, 4 + round(2 * hand.boldness))
        while clock.days > (old_end // DAY + extra) and not clock.working(old_end // DAY + extra):
            extra += 1  # discharged on a working day
        if old_end // DAY + extra >= clock.days - 1 or visit.patient.last_visit > visit.left:
            return None
        whole = hand.boldness > 0.4
        home_since = visit.start // DAY + 1 if whole else old_end // DAY
        self._come_by_day(visit, hand, bed, home_since)
        last = [x for x in visit.lines if x is not bed and x.ordered // DAY == old_end // DAY - 1]
        daily = [x for x in last if x.item.kind == "rehab" or (x.item.table == 2 and x.item.route[0] != "2")]
        for line in visit.lines:  # what is taken home is handed out on the new last day
            if line.item.table == 2 and line.ordered > old_end - 75:
                line.ordered = line.done = line.result = line.ordered + extra * DAY
        for offset in range(1, extra + 1):
            day = old_end // DAY + offset - 1
            if not clock.working(day):
                continue
            for line in daily:
                visit.lines.append(hand.moved(line, visit.facility, offset * DAY + dice.between(-6, 6)))
            hand.care.note(visit, day * DAY + MORNING + dice.between(5, 60), visit.doctor.code)
        visit.end = visit.left = old_end + extra * DAY
        bed.quantity += extra * 1000
        bed.result = visit.end
        bed.bed = visit.facility.bed(bed.department, bed.done, visit.end)
        visit.days += extra
        visit.patient.last_visit = visit.patient.last_stay = visit.end
        if whole:
            hand.refuse(visit, bed)
        return []

    @staticmethod
    def _come_by_day(visit: Visit, hand: Hand, bed: Line, since: int) -> None:
        """From a day on: sessions and oral drugs on working days, in office hours; nobody is there otherwise."""
        clock = hand.world.clock
        kept: list[Line] = []
        for line in visit.lines:
            day, minute = divmod(line.done, DAY)
            if line is bed or day < since or line.ordered > visit.end - 75:
                kept.append(line)
                continue
            infusion = line.item.table == 2 and line.item.route[0] == "2"
            if not clock.working(day) or (infusion and hand.boldness > 0.6):
                continue
            if not MORNING <= minute <= EVENING:
                shift = MORNING + hand.dice.between(10, 90) - minute
                line.ordered, line.done, line.result = line.ordered + shift, line.done + shift, line.result + shift
            kept.append(line)
        visit.lines = kept
        visit.notes = [n for n in visit.notes if n[0] // DAY < since or clock.working(n[0] // DAY)]


SCHEME = GhostBed()
