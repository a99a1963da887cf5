"""PHANTOM_VISIT: outpatient visits that never took place, billed to cards the facility already knows."""

from __future__ import annotations

from data.synthetic.claims import OUTPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme
from data.synthetic.world import Patient

MORNING, EVENING = 7 * 60 + 5, 16 * 60 + 30


class PhantomVisit(Scheme):
    """Staff type short visits for people who did not come, from the cards of earlier patients and health checks."""

    id = "PHANTOM_VISIT"
    kind = "fraud"
    weight = 2.2
    batch = 8
    levels = "pd"
    kinds = (OUTPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """A real visit with drugs, to copy from."""
        return visit.kind == OUTPATIENT and visit.fund > 9_000_000 and len(visit.lines) >= 3

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: one basket for a whole village within the hour. Subtle: one or two a day, each from another visit."""
        day = visit.start // DAY
        seen = {v.patient.index for v in hand.month}
        absent = hand.people(
            visit.facility, day, lambda p: p.index not in seen and not p.chronic, hand.group(4, 24) * 3
        )
        way = self._series if hand.boldness > 0.5 else self._scattered
        made = way(visit, hand, absent)
        for ghost in made:
            ghost.patient.last_visit = max(ghost.patient.last_visit, ghost.left)
            ghost.route, ghost.route_percent = hand.care.route(
                ghost.facility, ghost.patient, ghost.start // DAY, emergency=False, stay=False
            )
        return made or None

    @staticmethod
    def _series(visit: Visit, hand: Hand, absent: list[Patient]) -> list[Visit]:
        """The same visit again every few minutes, for people of one commune, with one of a few phones."""
        dice = hand.dice
        like = [p for p in absent if _could_be(p, visit)]
        communes = sorted({p.commune for p in like})
        if not communes:
            return []
        village = max(communes, key=lambda c: sum(p.commune == c for p in like))
        like.sort(key=lambda p: p.commune != village)
        step = dice.between(2, 6)
        late = visit.start % DAY > 12 * 60  # then the others are written in before it
        made: list[Visit] = []
        for n, patient in enumerate(like[: hand.group(4, 24)], 1):
            shift = (-n if late else n) * step + dice.between(-1, 1)
            if not _open(visit, shift):
                break
            ghost = hand.clone(visit, patient, shift)
            if dice.hit(hand.boldness):
                ghost.phone = f"0900{visit.facility.index * 5 + dice.between(0, 4):06d}"
            if dice.hit(hand.boldness - 0.2):
                for line, source in zip(ghost.lines, visit.lines, strict=True):
                    line.values, line.conclusion = source.values, source.conclusion
                ghost.notes = [(at + shift, text, who) for at, text, who in visit.notes]
            made.append(ghost)
        return made

    @staticmethod
    def _scattered(visit: Visit, hand: Hand, absent: list[Patient]) -> list[Visit]:
        """Another visit of the month as the pattern of each, some days away, a line left out here and there."""
        dice, clock = hand.dice, hand.world.clock
        patterns = [
            visit,
            *hand.others(
                lambda v: v is not visit and v.kind == OUTPATIENT and len(v.lines) >= 3 and v.fund > 6_000_000
            ),
        ]
        made: list[Visit] = []
        for patient in absent[: hand.group(4, 14)]:
            like = [v for v in patterns if _could_be(patient, v)]
            if not like:
                continue
            pattern = dice.pick(like)
            day = pattern.start // DAY
            days = [d for d in range(day - 3, day + 4) if 0 <= d < clock.days and clock.working(d)]
            shift = (dice.pick(days) - day) * DAY + dice.between(-25, 25) if days else dice.between(7, 40)
            if not _open(pattern, shift):
                continue
            ghost = hand.clone(pattern, patient, shift)
            if ghost.left // DAY >= clock.days:
                continue
            if len(ghost.lines) > 4:
                ghost.lines.remove(dice.pick(ghost.lines[1:]))
            made.append(ghost)
        return made


def _open(visit: Visit, shift: int) -> bool:
    """Whether a visit moved so is within opening hours."""
    return (visit.start + shift) % DAY >= MORNING and (visit.left + shift) % DAY <= EVENING


def _could_be(patient: Patient, visit: Visit) -> bool:
    """Whether the visit would look right on this person's card."""
    child = visit.patient.age(visit.start // DAY) < 16
    return patient.sex == visit.patient.sex and abs(patient.born - visit.patient.born) < (730 if child else 12 * 365)


SCHEME = PhantomVisit()
