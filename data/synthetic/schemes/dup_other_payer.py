"""DUP_OTHER_PAYER: the fund pays in full what another payer has paid already."""

from __future__ import annotations

from data.synthetic.claims import INPATIENT, Line, Visit
from data.synthetic.deed import Hand, Scheme


class DupOtherPayer(Scheme):
    """A ward with an insurance agent at hand bills mild short stays to the policy and to the fund."""

    id = "DUP_OTHER_PAYER"
    kind = "fraud"
    weight = 1.0
    heavy = True
    batch = 2
    levels = "dv"
    kinds = (INPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """A short stay of a grown-up without operation: what a policy pays by the day."""
        return (
            visit.stay
            and 3 <= visit.days <= 8
            and not visit.of_kind("surg")
            and 18 <= visit.patient.age(visit.start // 1440) <= 70
        )

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: the whole bill. Subtle: the bed and one or two dear lines, in part."""
        dice = hand.dice
        mine = hand.others(lambda v: v is not visit and v.ward == visit.ward and self.tempts(v))
        mine.sort(key=lambda v: (v.patient.employer != visit.patient.employer, v.doctor is not visit.doctor))
        for other in (visit, *mine[: hand.group(1, 7) - 1]):
            if other is not visit:
                hand.touch(other)
            paid: list[Line] = [x for x in other.lines if x.fund > 0]
            if hand.boldness < 0.6:
                paid = sorted(paid, key=lambda x: -x.fund)[: dice.between(2, 5)]
            part = 1.0 if hand.boldness > 0.35 else 0.5 + 0.5 * dice.chance()
            for line in paid:
                line.other = int(line.bv * part) // 100 * 100
            hand.refuse(other, *paid)
        return []


SCHEME = DupOtherPayer()
