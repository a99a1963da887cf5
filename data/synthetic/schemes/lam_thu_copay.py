"""LAM_THU_COPAY: a part of the cost is taken from patients who owe none of it, or less."""

from __future__ import annotations

from data.synthetic.claims import Visit
from data.synthetic.deed import Hand, Scheme


class LamThuCopay(Scheme):
    """The cash desk takes a fifth from everybody, or rounds the patient's part up."""

    id = "LAM_THU_COPAY"
    kind = "abuse"
    weight = 0.8
    batch = 5
    levels = "cpdvr"

    def tempts(self, visit: Visit) -> bool:
        """A bill worth taking a part of."""
        return visit.fund > 10_000_000 and len(visit.lines) >= 3

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: a fifth of every line from people with full benefit. Subtle: a little more than owed on one line."""
        dice = hand.dice
        bold = hand.boldness > 0.4
        if bold and visit.percent != 100:
            return None
        alike = hand.others(lambda v: v is not visit and self.tempts(v) and (v.percent == 100 or not bold))
        rate = dice.pick((20, 20, 5)) if bold else 0
        for other in [visit, *dice.sample(alike, hand.group(3, 10) - 1)]:
            hand.touch(other)
            lines = [line for line in other.lines if line.bh > 1_000_000]
            if not lines:
                continue
            if bold:
                chosen = lines if hand.boldness > 0.66 else dice.sample(lines, 1 + len(lines) // 2)
                for line in chosen:
                    line.taken = line.bh * rate // 100
            else:
                line = max(lines, key=lambda x: x.bh)
                more = line.bh * dice.between(2, 9) // 100
                line.taken = max(100_000, more // 100_000 * 100_000)  # to the next thousand
        return []


SCHEME = LamThuCopay()
