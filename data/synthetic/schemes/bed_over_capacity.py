"""BED_OVER_CAPACITY: a ward bills more people than it has beds."""

from __future__ import annotations

from data.synthetic.claims import INPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme
from data.synthetic.world import Patient


class BedOverCapacity(Scheme):
    """Full wards earn more: stays are written for people at home, in beds that others lie in."""

    id = "BED_OVER_CAPACITY"
    kind = "fraud"
    weight = 0.6
    heavy = True
    batch = 7
    levels = "dv"
    kinds = (INPATIENT,)
    together = True

    def tempts(self, visit: Visit) -> bool:
        """An ordinary stay without operation, to copy from."""
        kinds = {line.item.kind for line in visit.lines}
        return (
            visit.stay and 4 <= visit.days <= 10 and not kinds & {"surg", "deliver", "vent"} and bool(kinds & {"bed"})
        )

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """All around one day in one ward; bold: in the beds of those who are really there."""
        f, dice, clock = visit.facility, hand.dice, hand.world.clock
        peak = visit.start // DAY + dice.between(1, visit.days - 2)
        near = hand.others(lambda v: v is not visit and v.ward == visit.ward and self.tempts(v))
        models = [visit, *near]
        taken = sorted(
            line.bed
            for v in hand.month if v.facility is f and v.stay
            for line in v.of_kind("bed")
            if line.department == visit.ward and line.done // DAY <= peak <= line.result // DAY
        )  # fmt: skip
        people = hand.people(
            f,
            peak,
            lambda p: not p.chronic and p.cancer is None and any(_fits(m, p) for m in models),
            hand.group(4, 18),
        )
        made: list[Visit] = []
        for patient in people:
            model = dice.pick([m for m in models if _fits(m, patient)])
            if not hand.free(patient, peak, 16):
                continue
            starts = [
                d for d in range(peak - model.days + 2, peak) if d >= 0 and (clock.working(d) or model.route == "2")
            ]
            if not starts:
                continue
            day = dice.pick(starts)
            ghost = hand.clone(model, patient, (day - model.start // DAY) * DAY + dice.between(-25, 25))
            if ghost.left // DAY >= clock.days or ghost.start < 0:
                continue
            if taken and hand.openly(hand.boldness):
                for line in ghost.of_kind("bed"):
                    line.bed = dice.pick(taken)
            if model.route != "2":
                ghost.route, ghost.route_percent = hand.care.route(f, patient, day, emergency=False, stay=True)
            patient.last_visit = patient.last_stay = max(patient.last_visit, ghost.left)
            made.append(ghost)
        return made if len(made) >= 3 else None


def _fits(model: Visit, patient: Patient) -> bool:
    low, high = model.disease.ages
    return (
        model.patient.sex == patient.sex
        and abs(model.patient.born - patient.born) < 12 * 365
        and low <= patient.age(model.start // DAY) <= high
    )


SCHEME = BedOverCapacity()
