"""LOS_PADDING: discharge is put off to earn bed days and daily orders."""

from __future__ import annotations

from data.synthetic.claims import INPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme


class LosPadding(Scheme):
    """The ward keeps a recovered patient some days more."""

    id = "LOS_PADDING"
    kind = "abuse"
    actor = "doctor"
    weight = 1.3
    heavy = True
    levels = "dv"
    wards = ("K03", "K16", "K19")
    kinds = (INPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """A stay with a bed in a general ward."""
        return visit.stay and visit.days >= 4 and bool(visit.of_kind("bed"))

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """One to five days more: bed, oral drugs, a note; the bold do not even write the drugs."""
        dice, clock = hand.dice, hand.world.clock
        extra = dice.between(1, 3 + round(2 * hand.boldness))
        if visit.end // DAY + extra >= clock.days or visit.patient.last_visit > visit.left:
            return None
        bed = max(visit.of_kind("bed"), key=lambda line: line.result)
        old_end, last_day = visit.end, visit.end // DAY
        new_end = old_end + extra * DAY
        before = [line for line in visit.lines if line.ordered // DAY == last_day - 1]
        drugs = [line for line in before if line.item.table == 2]
        repeated = [line for line in drugs if line.item.route[0] != "2" or dice.hit(0.5)] or drugs[:1]
        repeated += [line for line in before if line.item.kind == "rehab"]
        if dice.hit(0.6 * hand.boldness - 0.2):
            repeated = []
        for line in visit.lines:  # what is taken home is handed out on the new last day
            if line.item.table == 2 and line.ordered > old_end - 75:
                line.ordered = line.done = line.result = line.ordered + extra * DAY
        for offset in range(1, extra + 1):
            for line in repeated:
                if offset == extra and line.item.kind == "rehab":
                    continue
                other, later = line.copy(), (offset + 1) * DAY + dice.between(-8, 8)
                other.ordered, other.done, other.result = line.ordered + later, line.done + later, line.result + later
                if other.result < new_end - 20:
                    visit.lines.append(other)
            moment = (last_day + offset) * DAY + 7 * 60 + 30 + dice.between(0, 75)
            hand.care.note(visit, moment, visit.doctor.code)
        bed.quantity += extra * 1000
        bed.result = new_end
        bed.bed = visit.facility.bed(bed.department, bed.done, new_end)
        visit.end = visit.left = new_end
        visit.days += extra
        visit.patient.last_visit = visit.patient.last_stay = new_end
        return []


SCHEME = LosPadding()
