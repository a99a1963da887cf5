"""DUP_LINE: one order entered twice in a claim."""

from __future__ import annotations

from data.synthetic.claims import Visit
from data.synthetic.deed import Hand, Scheme


class DupLine(Scheme):
    """A clerk enters a paid line again and nobody takes it out."""

    id = "DUP_LINE"
    kind = "error"
    weight = 1.3

    def tempts(self, visit: Visit) -> bool:
        """Anything with a few paid lines."""
        return sum(line.fund > 1_000_000 for line in visit.lines) >= 3

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: three lines, times and all, or an operation counted twice. Subtle: one line, entered minutes later."""
        dice = hand.dice
        operations = visit.of_kind("surg")
        if operations and dice.hit(hand.boldness - 0.5):
            operations[0].quantity = 2000
            return []
        paid = [line for line in visit.lines if line.fund > 1_000_000 and line.item.kind not in ("bed", "exam", "surg")]
        again = 0
        for line in dice.sample(paid, len(paid)):
            if again > int(hand.boldness * 2.5):
                break
            other = line.copy()
            if not dice.hit(0.35 + hand.boldness):
                later = dice.between(1, 3)
                other.ordered, other.done, other.result = line.ordered + later, line.done + later, line.result + later
                if other.result > visit.left:
                    continue
            visit.lines.append(other)
            again += 1
        return [] if again else None


SCHEME = DupLine()
