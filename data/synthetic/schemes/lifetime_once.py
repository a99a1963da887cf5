"""LIFETIME_ONCE: an organ removed a second time, a second birth within half a year, on one card."""

from __future__ import annotations

from data.synthetic.claims import INPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme

ONCE = frozenset({"s_appendix", "s_appendix_l", "s_gall", "s_gall_l", "delivery", "s_csection", "s_csection_h"})


class LifetimeOnce(Scheme):
    """A surgical ward needs a card for a record it writes, and takes one that it has used before."""

    id = "LIFETIME_ONCE"
    kind = "fraud"
    weight = 0.4
    heavy = True
    levels = "dv"
    kinds = (INPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """A stay with something that happens once."""
        return visit.stay and any(line.item.key in ONCE for line in visit.lines) and not visit.patient.chronic

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """The same operation weeks later on the same card; bold within weeks and with the same course."""
        dice, clock, patient = hand.dice, hand.world.clock, visit.patient
        if visit.keep:  # somebody has used this record already
            return None
        seen_too = [v for v in hand.month if v.patient is patient and v is not visit]
        if patient.last_visit > max(v.left for v in (*seen_too, visit)):
            return None
        first, nights = visit.start // DAY, visit.end // DAY - visit.start // DAY
        low, high = nights + 12, max(nights + 30, round(150 - 100 * hand.boldness))
        able = [d for d in range(first + low, min(first + high, clock.days - nights - 1)) if clock.working(d)]
        days = [d for d in able if clock.weekdays[d] == clock.weekdays[first]] or able
        if not days:
            return None
        ghost = hand.clone(visit, patient, (dice.pick(days) - first) * DAY + dice.between(-20, 20))
        if any(v.start - 2 * DAY < ghost.left and ghost.start < v.left + 2 * DAY for v in seen_too):
            return None
        same = dice.hit(hand.boldness * 0.5)
        for line, source in zip(ghost.lines, visit.lines, strict=True):
            if line.item.implant:
                line.serial = f"SN{dice.between(10**8, 10**9 - 1)}"
            if same:
                line.values, line.conclusion = source.values, source.conclusion
        extra = [x for x in ghost.lines if x.item.group in (1, 2, 3)]
        if not same and len(extra) > 3:
            ghost.lines.remove(dice.pick(extra))
        if visit.route != "2":
            ghost.route, ghost.route_percent = hand.care.route(
                visit.facility, patient, ghost.start // DAY, emergency=False, stay=True
            )
        patient.last_visit = patient.last_stay = max(patient.last_visit, ghost.left)
        patient.free_from = max(patient.free_from, ghost.left // DAY + 10)
        return [ghost]


SCHEME = LifetimeOnce()
