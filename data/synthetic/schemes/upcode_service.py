"""UPCODE_SERVICE: the dearer sibling of what was done is billed."""

from __future__ import annotations

from data.synthetic.claims import Line, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme
from data.synthetic.diseases import Order

DEARER = {
    "ct_head": "ct_head_c", "ct_chest": "ct_chest_c", "ct_abd": "ct_abd_c", "mri_spine": "mri_spine_c",
    "gastro": "gastro_b", "s_hernia": "s_hernia_h", "s_forearm": "s_forearm_h", "s_forearm_gt": "s_forearm_h",
    "s_csection": "s_csection_h", "s_hip": "s_hip_h", "s_appendix": "s_appendix_l",
}  # fmt: skip


class UpcodeService(Scheme):
    """From some day on, one facility bills the better paid technique."""

    id = "UPCODE_SERVICE"
    kind = "fraud"
    weight = 1.6
    batch = 3
    levels = "dv"
    late = True

    def tempts(self, visit: Visit) -> bool:
        """A service with a dearer sibling."""
        return any(line.item.key in DEARER for line in visit.lines)

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: most of one kind that month, code and price alone. Subtle: a few, with what belongs to them."""
        if not self.tempts(visit):  # changed since it was found
            return None
        dice = hand.dice
        key = dice.pick(sorted({line.item.key for line in visit.lines if line.item.key in DEARER}))
        mine = hand.others(
            lambda v: v is not visit and v.start >= visit.start and any(x.item.key == key for x in v.lines)
        )
        for other in (visit, *mine[: hand.group(1, 10) - 1]):
            if other is not visit:
                if not dice.hit(0.3 + 0.7 * hand.boldness):
                    continue
                hand.touch(other)
            for line in [x for x in other.lines if x.item.key == key]:
                line.item = hand.care.services[DEARER[key]]
                line.unit_price = other.facility.price(line.item, line.ordered)
                if not dice.hit(0.35 + hand.boldness):
                    self._accompany(other, hand, line)
        return []

    @staticmethod
    def _accompany(visit: Visit, hand: Hand, line: Line) -> None:
        """Bill what belongs to the dearer technique too: the contrast agent, the pathology."""
        care, f = hand.care, visit.facility
        if line.item.kind in ("ct", "mri"):
            agent = "gado" if line.item.kind == "mri" else "iohex"
            item, order = care.drugs[agent], Order(agent, 1)
            visit.lines.append(
                care.drug_line(f, visit.patient, item, order, line.done, line.doctor, line.department, 1)
            )
        elif line.item.key == "gastro_b" and f.machines.get("path"):
            item = care.services["path"]
            at = line.result + 5
            if at + item.minutes < visit.left or not visit.stay:
                end = min(at + item.minutes, visit.left - 2) if visit.stay else at + 20
                team = f.technicians["path"]
                sample = care.line(f, item, 1000, line.ordered, min(at, end), end, line.doctor,
                                   team[at // DAY % len(team)].code, line.department)  # fmt: skip
                sample.machine = f.machines["path"][0].code
                care.values(sample)
                visit.lines.append(sample)
                if not visit.stay and end > visit.left:
                    visit.left = visit.end = end + 4


SCHEME = UpcodeService()
