"""PHANTOM_INPATIENT: a stay that never took place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from data.synthetic.claims import Visit
from data.synthetic.clock import DAY

if TYPE_CHECKING:
    from data.synthetic.injection import Hand


class PhantomInpatient:
    """A ward writes a whole record for somebody who lent or lost the card."""

    id = "PHANTOM_INPATIENT"
    kind: Literal["fraud"] = "fraud"
    actor: Literal["facility"] = "facility"
    weight = 0.9
    heavy = True
    levels = "dv"
    wards: tuple[str, ...] = ()
    late = False

    def tempts(self, visit: Visit) -> bool:
        """A plain stay of some days, to copy from."""
        return (
            visit.stay and 4 <= visit.days <= 12 and not visit.of_kind("surg") and visit.ward in ("K03", "K16", "K18")
        )

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """The same course some days later or earlier; the bold keep the results too."""
        dice, clock = hand.dice, hand.world.clock
        day = visit.start // DAY
        patient = hand.neighbour(visit.facility, visit, day)
        days = [d for d in range(day - 6, day + 7) if 0 <= d < clock.days and clock.working(d)]
        if patient is None or not days:
            return None
        ghost = hand.clone(visit, patient, (dice.pick(days) - day) * DAY + dice.between(-25, 25))
        if ghost.left // DAY >= clock.days or abs(patient.last_visit - ghost.start) < 9 * DAY:
            return None
        ghost.admitted = ghost.start + visit.admitted - visit.start
        for bed in ghost.of_kind("bed"):
            bed.bed = visit.facility.bed(bed.department, bed.done, bed.result)
        if dice.hit(hand.boldness * 0.6):
            for line, source in zip(ghost.lines, visit.lines, strict=True):
                line.values, line.conclusion = source.values, source.conclusion
        if visit.route != "2":
            ghost.route, ghost.route_percent = hand.care.route(
                visit.facility, patient, ghost.start // DAY, emergency=False, stay=True
            )
        patient.last_visit = patient.last_stay = max(patient.last_visit, ghost.left)
        return [ghost]


SCHEME = PhantomInpatient()
