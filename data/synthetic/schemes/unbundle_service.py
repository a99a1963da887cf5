"""UNBUNDLE_SERVICE: a step of a service billed as a service of its own."""

from __future__ import annotations

from data.synthetic.care import IMAGING
from data.synthetic.claims import Line, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme

STEPS = {"gastro": "hp_test", "gastro_b": "hp_test", "culture": "gram", "s_pci": "coro", "us_urinary": "us_abd",
         "us_abd": "us_urinary"}  # fmt: skip
"""Whole service -> what is part of it. A dressing is part of the care of a stay with an operation."""


class UnbundleService(Scheme):
    """Billing enters steps beside the whole, wherever the whole was done."""

    id = "UNBUNDLE_SERVICE"
    kind = "abuse"
    weight = 1.8
    batch = 6
    levels = "pdvr"

    def tempts(self, visit: Visit) -> bool:
        """A service with a step that has a code, or days in a surgical bed."""
        return bool(_parents(visit))

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: the step on nearly every such claim of the month. Subtle: on some, half an hour apart."""
        if not self.tempts(visit):  # changed since it was found
            return None
        dice = hand.dice
        parent = dice.pick(_parents(visit))
        mine = hand.others(lambda v: v is not visit and parent in _parents(v))
        share = 0.35 + 0.65 * hand.boldness
        added = 0
        for other in (visit, *mine[: hand.group(4, 20) - 1]):
            if other is not visit:
                if not dice.hit(share):
                    continue
                hand.touch(other)
            added += self._dressings(other, hand) if parent == "surg" else self._step(other, hand, parent)
        return [] if added else None

    @staticmethod
    def _step(visit: Visit, hand: Hand, parent: str) -> int:
        dice, f, care = hand.dice, visit.facility, hand.care
        whole = next((x for x in visit.lines if x.item.key == parent), None)
        item = care.services[STEPS[parent]]
        if whole is None or any(x.item is item for x in visit.lines):
            return 0
        machines = [m for m in f.machines.get(item.kind, ()) if m.works(whole.done // DAY)]
        if item.kind in ("micro", "us") and not machines:
            return 0
        apart = dice.between(0, 5) if hand.boldness > 0.5 else dice.between(5, 28)
        at = min(whole.done + apart, visit.left - item.minutes - 2)
        if at < whole.ordered:
            return 0
        performer = whole.performer
        if machines:
            team = f.technicians[item.kind]
            performer = team[at // DAY % len(team)].code
        line: Line = care.line(
            f, item, 1000, whole.ordered, at, at + item.minutes, whole.doctor, performer, whole.department
        )
        if machines:
            line.machine = dice.pick(machines).code if item.kind not in IMAGING else machines[0].code
            care.values(line)
        visit.lines.append(line)
        return 1

    @staticmethod
    def _dressings(visit: Visit, hand: Hand) -> int:
        """A dressing for each morning after the operation."""
        dice, f, care = hand.dice, visit.facility, hand.care
        item = care.services["dressing"]
        surgery = max(visit.of_kind("surg"), key=lambda x: x.result)
        days = range(surgery.result // DAY + 1, visit.end // DAY)
        added = 0
        for day in days:
            if not dice.hit(0.4 + 0.6 * hand.boldness):
                continue
            at = day * DAY + dice.between(8 * 60, 10 * 60)
            doctor = f.ward_doctor(visit.ward, day).code
            line = care.line(f, item, 1000, at - dice.between(5, 20), at, at + item.minutes, doctor,
                             f"{doctor};{dice.pick(f.nurses).code}", visit.ward)  # fmt: skip
            visit.lines.append(line)
            added += 1
        return added


def _parents(visit: Visit) -> list[str]:
    """Services here whose steps could be billed."""
    keys = {line.item.key for line in visit.lines}
    found = [key for key, step in STEPS.items() if key in keys and step not in keys]
    if visit.stay and visit.days >= 4 and visit.of_kind("surg") and "dressing" not in keys:
        found.append("surg")
    return found


SCHEME = UnbundleService()
