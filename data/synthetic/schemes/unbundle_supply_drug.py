"""UNBUNDLE_SUPPLY_DRUG: a drug or supply billed beside the service whose price contains it."""

from __future__ import annotations

from data.synthetic.claims import EPISODE, INPATIENT, OUTPATIENT, Line, Visit
from data.synthetic.deed import Hand, Scheme
from data.synthetic.diseases import Order

CONTAINED: dict[str, tuple[str, int, int]] = {
    "dialysis": ("enoxa", 1, 1), "vent": ("oxy", 400, 24), "suture": ("lido", 2, 1), "dental_fill": ("lido", 1, 1),
}  # fmt: skip
"""Service -> drug its price contains, the dose and times a day."""
STITCHES = frozenset({"suture", "lesion"})
"""Services whose price contains the thread."""


class UnbundleSupplyDrug(Scheme):
    """The store books what it hands out to each patient, though the price of the service pays for it."""

    id = "UNBUNDLE_SUPPLY_DRUG"
    kind = "abuse"
    weight = 1.5
    batch = 4
    levels = "pdvr"
    kinds = (OUTPATIENT, EPISODE, INPATIENT)

    def tempts(self, visit: Visit) -> bool:
        """A service with drugs or thread in its price."""
        return any(line.item.key in CONTAINED or line.item.key in STITCHES for line in visit.lines)

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: at every session of every patient. Subtle: some sessions of some."""
        if not self.tempts(visit):  # changed since it was found
            return None
        dice = hand.dice
        keys = sorted({x.item.key for x in visit.lines if x.item.key in CONTAINED or x.item.key in STITCHES})
        key = dice.pick(keys)
        thread = key not in CONTAINED or (key in STITCHES and dice.hit(0.6))
        mine = hand.others(lambda v: v is not visit and any(x.item.key == key for x in v.lines))
        added = 0
        for other in (visit, *dice.sample(mine, hand.group(2, 16) - 1)):
            sessions = [x for x in other.lines if x.item.key == key]
            if other is not visit:
                hand.touch(other)
            for n, session in enumerate(sessions):
                if n and not dice.hit(0.25 + 0.75 * hand.boldness):
                    continue
                other.lines.append(self._thread(other, hand, session) if thread else self._drug(other, hand, session))
                added += 1
        return [] if added else None

    @staticmethod
    def _thread(visit: Visit, hand: Hand, session: Line) -> Line:
        item = hand.care.supplies["suture_set"]
        count = 1 + hand.dice.hit(hand.boldness) + hand.dice.hit(hand.boldness - 0.3)
        at = session.done
        return hand.care.line(
            visit.facility, item, count * 1000, session.ordered, at, at, session.doctor, "", session.department
        )

    @staticmethod
    def _drug(visit: Visit, hand: Hand, session: Line) -> Line:
        key, dose, times = CONTAINED[session.item.key]
        order = Order(key, 1, dose, times)
        return hand.care.drug_line(
            visit.facility, visit.patient, hand.care.drugs[key], order, session.done, session.doctor,
            session.department, 1,
        )  # fmt: skip


SCHEME = UnbundleSupplyDrug()
