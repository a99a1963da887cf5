"""CATARACT_CAMPAIGN: elderly villagers are bused in and operated on in rows, needed or not."""

from __future__ import annotations

from collections import defaultdict

from data.synthetic.claims import INPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme
from data.synthetic.world import Patient

GAP = 14  # minutes between two patients on the table


class CataractCampaign(Scheme):
    """A broker fills buses in a few communes; the eye ward has two tables going all day."""

    id = "CATARACT_CAMPAIGN"
    kind = "fraud"
    weight = 1.0
    heavy = True
    batch = 6
    levels = "dv"
    kinds = (INPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """A cataract stay to copy, operated on in the morning."""
        return visit.disease.code == "H25.9" and any(
            line.item.key == "s_phaco" and line.done % DAY < 11 * 60 for line in visit.lines
        )

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: one or two days, a few communes, the second eye within the week. Subtle: spread over a fortnight."""
        dice, clock = hand.dice, hand.world.clock
        day = visit.start // DAY
        wanted = hand.group(5, 90)
        people = _villagers(hand, day, wanted)
        if len(people) < 4:
            return None
        made: list[Visit] = []
        per_day = round(5 + 25 * hand.boldness)
        for n, patient in enumerate(people):
            later = n // per_day if hand.boldness > 0.4 else dice.between(0, 13)
            while not clock.working(min(day + later, clock.days - 1)) and later < 30:
                later += 1
            place = n % per_day if hand.boldness > 0.4 else dice.between(0, 6)
            ghost = self._operate(visit, patient, later * DAY + dice.between(-20, 20), GAP * (place + 1), hand)
            if ghost is None:
                continue
            made.append(ghost)
            if hand.boldness > 0.6 and dice.hit(0.4):
                again = self._operate(visit, patient, (later + dice.between(4, 6)) * DAY, GAP * (place + 2), hand)
                if again is not None and clock.working(again.start // DAY):
                    made.append(again)
        return made if len(made) >= 3 else None

    def _operate(self, visit: Visit, patient: Patient, shift: int, turn: int, hand: Hand) -> Visit | None:
        """The same stay for the next in the row: only the minute of the operation differs."""
        if (visit.left + shift) // DAY >= hand.world.clock.days or (visit.start + shift) % DAY > 17 * 60:
            return None
        twin = hand.clone(visit, patient, shift)
        main = next(line for line in twin.lines if line.item.key == "s_phaco")
        moment = main.done
        for line in twin.lines:
            if line is main or (line.done == moment and (line.item.table == 2 or line.item.kind == "supply")):
                line.ordered, line.done, line.result = line.ordered + turn, line.done + turn, line.result + turn
            if line.serial:
                line.serial = f"SN{hand.dice.between(10**8, 10**9 - 1)}"
        if max(line.result for line in twin.lines) > twin.end:
            return None
        twin.route, twin.route_percent = hand.care.route(
            visit.facility, patient, twin.start // DAY, emergency=False, stay=True
        )
        patient.last_visit = patient.last_stay = max(patient.last_stay, twin.end)
        return twin


def _villagers(hand: Hand, day: int, wanted: int) -> list[Patient]:
    """Elderly people, from the communes with most of them first."""
    by_commune: defaultdict[str, list[Patient]] = defaultdict(list)
    for p in hand.facility.patients:
        if p.age(day) >= 55 and hand.free(p, day, quiet=12):
            by_commune[p.commune].append(p)
    communes = sorted(by_commune.values(), key=lambda people: -len(people))
    if hand.boldness <= 0.4:  # from everywhere: it looks like the usual list
        everyone = [p for people in communes for p in people]
        return hand.dice.sample(everyone, wanted)
    return [p for people in communes for p in people][:wanted]


SCHEME = CataractCampaign()
