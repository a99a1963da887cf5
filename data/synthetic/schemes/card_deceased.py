"""CARD_DECEASED: visits go on after the holder of the card has died."""

from __future__ import annotations

from data.synthetic.claims import CHRONIC_CARE, CHRONIC_DRUGS, OUTPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme
from data.synthetic.world import CLOSE, OPEN

UNENDING = ""  # a supply of nothing that never ends: no more appointments


class CardDeceased(Scheme):
    """The card stays in a drawer: staff type visits on it, or the family fetches the drugs as before."""

    id = "CARD_DECEASED"
    kind = "fraud"
    weight = 1.0
    batch = 2
    levels = "cpdv"
    kinds = (OUTPATIENT, CHRONIC_CARE, CHRONIC_DRUGS)

    def tempts(self, visit: Visit) -> bool:
        """The last visit, so far, of somebody old."""
        p = visit.patient
        return (
            p.age(visit.start // DAY) >= 60 and p.died is None and p.last_visit <= visit.left and p.cancer is None
            and p.last_stay < p.last_visit and visit.fund > 6_000_000 and visit.disease.exam == "exam_med"
        )  # fmt: skip

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: month after month. Subtle: once, days after the death, before the registrar has told anyone."""
        dice, patient = hand.dice, visit.patient
        last = visit.left // DAY
        died = last + dice.between(1, 4 + round(14 * hand.boldness))
        day = max(died + dice.between(2, 6), visit.return_day if visit.kind != OUTPATIENT else 0)
        made: list[Visit] = []
        for _ in range(1 if hand.boldness < 0.4 else dice.between(2, 4)):
            later = self._again(visit, day, hand)
            if later is None:
                break
            made.append(later)
            day = max(later.return_day, later.left // DAY + dice.between(7, 24))
        if not made:
            return None
        patient.died = died
        patient.free_from = 10**9
        patient.supply[UNENDING] = 10**6
        return made

    @staticmethod
    def _again(visit: Visit, day: int, hand: Hand) -> Visit | None:
        """The refill that was due, or the last complaint once more."""
        f, dice, clock, patient = visit.facility, hand.dice, hand.world.clock, visit.patient
        while day < clock.days - 1 and not clock.working(day):
            day += 1
        free = min(doctor.taken.get(day, OPEN) for doctor in f.exams["exam_med"])
        arrive = day * DAY + max(OPEN + dice.between(5, 150), free - dice.between(0, 15))
        if day >= clock.days - 1 or arrive % DAY > CLOSE - 45:
            return None
        if visit.kind == OUTPATIENT or not patient.chronic:
            again = hand.care.outpatient(f, patient, visit.disease, arrive)
            if again is not None:
                again.leave = 0
            return again
        return hand.care.refill(f, patient, arrive)


SCHEME = CardDeceased()
