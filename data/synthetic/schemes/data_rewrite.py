"""DATA_REWRITE: after a refusal the record is changed, not the care, and sent again."""

from __future__ import annotations

from copy import copy

from data.synthetic.claims import Line, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme

REASONS = {
    "bnp": "I50.9", "tropo": "I25.1", "hba1c": "E11.9", "tsh": "E04.1", "ft4": "E04.1", "us_heart": "I25.1",
    "gastro": "K21.0", "gastro_b": "K21.0", "us_abd": "K29.5", "ct_head": "G44.2", "mri_head": "G44.2",
    "xq_chest": "J20.9", "xq_spine": "M54.5", "xq_knee": "M17.9", "mri_spine": "M54.5", "ecg": "I25.1",
}  # fmt: skip
"""Test -> a further diagnosis that makes the check let it pass."""

KINDS = ("time", "staff", "diagnosis")


class DataRewrite(Scheme):
    """The IT office has a list of refusal codes, and knows which field each of them looks at."""

    id = "DATA_REWRITE"
    kind = "fraud"
    weight = 0.8
    batch = 4
    levels = "pdv"

    def tempts(self, visit: Visit) -> bool:
        """A service dear enough to be fought for."""
        return any(_disputed(line) for line in visit.lines)

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """What is sent first holds the fault; the second version is tidy. Bold: dozens at once, the same change."""
        dice, day = hand.dice, visit.left // DAY
        near = hand.others(lambda v: v is not visit and abs(v.left // DAY - day) < 15 and self.tempts(v))
        kind = dice.pick(KINDS)
        for other in [visit, *dice.sample(near, hand.group(2, 30 if hand.boldness > 0.6 else 6) - 1)]:
            hand.touch(other)
            line = max((x for x in other.lines if _disputed(x)), key=lambda x: x.fund)
            self._rewrite(other, line, kind if dice.hit(0.4 + 0.6 * hand.boldness) else dice.pick(KINDS), hand)
            hand.refuse(other, line)
        return []

    def _rewrite(self, visit: Visit, line: Line, kind: str, hand: Hand) -> None:
        """`visit` becomes the mended version; `earlier` is what was done and refused."""
        dice = hand.dice
        earlier = copy(visit)
        earlier.lines = [x.copy() for x in visit.lines]
        earlier.notes = list(visit.notes)
        faulty = earlier.lines[next(n for n, x in enumerate(visit.lines) if x is line)]
        code = REASONS.get(line.item.key)
        if kind == "diagnosis" and code and code[:3] != visit.disease.code[:3] and code not in visit.secondary:
            visit.secondary = (*visit.secondary, code)
        elif kind == "staff":
            faulty.performer = dice.pick(visit.facility.nurses).code
        else:  # the work was done before it was ordered
            early = min(line.done - line.ordered + dice.between(3, 25), line.done - visit.start)
            faulty.done -= early
            faulty.result -= early
        visit.earlier = earlier


def _disputed(line: Line) -> bool:
    return line.item.group in (1, 2, 3) and line.fund > 5_000_000 and bool(line.machine)


SCHEME = DataRewrite()
