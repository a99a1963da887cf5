"""COMPANION_GROUPS: a broker brings the same people, or only their cards, to one place again and again."""

from __future__ import annotations

from collections import Counter

from data.synthetic.claims import OUTPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme
from data.synthetic.diseases import Disease, acute
from data.synthetic.world import CLOSE, OPEN, Patient

FEWEST = 5  # cards that make a trip worth while


class CompanionGroups(Scheme):
    """Neighbours are paid for a morning at the clinic every week or two; all are given the same."""

    id = "COMPANION_GROUPS"
    kind = "fraud"
    weight = 2.2
    batch = 15
    levels = "cpd"
    kinds = (OUTPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """A plain complaint of an adult, which anybody could have."""
        d = visit.disease
        return (
            visit.kind == OUTPATIENT and d.sex is None and d.ages == (0, 100) and d.exam == "exam_med" and not d.injury
            and visit.patient.age(visit.start // DAY) >= 18
        )  # fmt: skip

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: one after another, one basket, one phone. Subtle: some stay away, come apart, complain of this or that.

        The cards are the constant: three trips or more with most of the group on each.
        """
        dice, first = hand.dice, visit.start // DAY
        trips = 3 + dice.hit(hand.boldness - 0.3)
        people = self._gather(hand, first, max(FEWEST, min(40, hand.group(18, 90) // trips)))
        if len(people) < FEWEST:
            return None
        alike = dice.hit(0.15 + 0.75 * hand.boldness)
        phone = next((p.phone for p in people if p.phone), "")
        made: list[Visit] = []
        day = first
        for _ in range(trips):
            while day < hand.world.clock.days - 1 and not hand.world.clock.working(day):
                day += 1
            if day >= hand.world.clock.days - 1:
                break
            came = [p for p in people if alike or dice.hit(0.88)]
            made += self._copied(visit.disease, came, day, hand) if alike else self._apart(came, day, hand)
            day += dice.between(7, 10 if hand.boldness > 0.5 else 15)
        for ghost in made:
            if phone and dice.hit(hand.boldness - 0.2):
                ghost.phone = phone
            ghost.leave = 0
        return made if len(made) >= 2 * FEWEST else None

    @staticmethod
    def _gather(hand: Hand, day: int, count: int) -> list[Patient]:
        """People of one commune who have not been seen lately."""
        able = [
            p for p in hand.facility.patients
            if 18 <= p.age(day) <= 85 and not p.chronic and p.cancer is None and p.died is None
            and p.last_visit // DAY < day - 6
        ]  # fmt: skip
        most = Counter(p.commune for p in able).most_common(4)
        places = [commune for commune, number in most if number >= FEWEST]
        if not places:  # a small place: its people are gathered from two or three communes
            places, able = [""], [p for p in able if p.commune in {c for c, _ in most[:3]}]
        place = hand.dice.pick(places)
        return hand.dice.sample([p for p in able if place in ("", p.commune)], count)

    @staticmethod
    def _arrive(day: int, hand: Hand) -> int:
        free = min(doctor.taken.get(day, OPEN) for doctor in hand.facility.exams["exam_med"])
        return day * DAY + max(OPEN + hand.dice.between(4, 50), free)

    def _copied(self, disease: Disease, people: list[Patient], day: int, hand: Hand) -> list[Visit]:
        """One is seen; the others' records are made from that one, minutes apart."""
        dice, arrive = hand.dice, self._arrive(day, hand)
        model = hand.care.outpatient(hand.facility, people[0], disease, arrive) if arrive % DAY < CLOSE - 90 else None
        if model is None:
            return []
        made = [model]
        length = model.of_kind("exam")[0].result - model.of_kind("exam")[0].done + 1
        for n, patient in enumerate(people[1:], 1):
            ghost = hand.clone(model, patient, n * length + dice.between(0, 1))
            if ghost.left // DAY != day:
                break
            ghost.route, ghost.route_percent = hand.care.route(hand.facility, patient, day, emergency=False, stay=False)
            patient.last_visit = max(patient.last_visit, ghost.left)
            made.append(ghost)
        return made

    def _apart(self, people: list[Patient], day: int, hand: Hand) -> list[Visit]:
        """Everybody is seen, with a complaint of their own."""
        dice, level = hand.dice, hand.facility.level
        able = [d for d in acute() if level in d.levels and d.sex is None and d.ages == (0, 100) and not d.injury
                and d.exam == "exam_med"]  # fmt: skip
        made: list[Visit] = []
        arrive = self._arrive(day, hand)
        for patient in people:
            if arrive % DAY > CLOSE - 60:
                break
            visit = hand.care.outpatient(hand.facility, patient, dice.pick(able), arrive)
            if visit is not None:
                made.append(visit)
            arrive += dice.between(2, 9)
        return made


SCHEME = CompanionGroups()
