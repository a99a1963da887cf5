"""PHANTOM_VISIT: an outpatient visit that never took place, billed to a card the facility already knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from data.synthetic.claims import OUTPATIENT, Visit
from data.synthetic.clock import DAY

if TYPE_CHECKING:
    from data.synthetic.injection import Hand


class PhantomVisit:
    """Staff type a short visit again for somebody who did not come."""

    id = "PHANTOM_VISIT"
    kind: Literal["fraud"] = "fraud"
    actor: Literal["facility"] = "facility"
    weight = 2.2
    heavy = False
    levels = "pd"
    wards: tuple[str, ...] = ()
    late = False

    def tempts(self, visit: Visit) -> bool:
        """A real visit with drugs, to copy from."""
        return visit.kind == OUTPATIENT and visit.fund > 9_000_000 and len(visit.lines) >= 3

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: minutes after the real one, same basket and results, one of a few phones. Subtle: another day."""
        dice, day = hand.dice, visit.start // DAY
        patient = hand.neighbour(visit.facility, visit, day)
        if patient is None:
            return None
        bold = dice.hit(hand.boldness)
        shift = dice.between(2, 6)
        if not bold:
            days = [
                d for d in range(day - 3, day + 4) if 0 <= d < hand.world.clock.days and hand.world.clock.working(d)
            ]
            shift = (dice.pick(days) - day) * DAY + dice.between(-25, 25) if days else shift
            minute = (visit.start + shift) % DAY
            if minute < 7 * 60 or minute > 16 * 60:
                shift = dice.between(7, 40)
        ghost = hand.clone(visit, patient, shift)
        if ghost.left // DAY >= hand.world.clock.days:
            return None
        if bold:
            ghost.phone = f"0900{visit.facility.index * 5 + dice.between(0, 4):06d}"
            for line, source in zip(ghost.lines, visit.lines, strict=True):
                line.values, line.conclusion = source.values, source.conclusion
            ghost.notes = [(at + shift, text, who) for at, text, who in visit.notes]
        elif len(ghost.lines) > 4:
            ghost.lines.remove(dice.pick(ghost.lines[1:]))
        route = hand.care.route(visit.facility, patient, ghost.start // DAY, emergency=False, stay=False)
        ghost.route, ghost.route_percent = route
        return [ghost]


SCHEME = PhantomVisit()
