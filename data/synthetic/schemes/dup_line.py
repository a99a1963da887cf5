"""DUP_LINE: one order entered twice in a claim."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from data.synthetic.claims import Visit

if TYPE_CHECKING:
    from data.synthetic.injection import Hand


class DupLine:
    """A clerk enters a paid line again and nobody takes it out."""

    id = "DUP_LINE"
    kind: Literal["error"] = "error"
    actor: Literal["facility"] = "facility"
    weight = 1.3
    heavy = False
    levels = "pdv"
    wards: tuple[str, ...] = ()
    late = False

    def tempts(self, visit: Visit) -> bool:
        """Anything with a few paid lines."""
        return sum(line.fund > 1_000_000 for line in visit.lines) >= 3

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: three lines, times and all. Subtle: one line, entered some minutes later."""
        dice = hand.dice
        paid = [line for line in visit.lines if line.fund > 1_000_000 and line.item.kind not in ("bed", "exam", "surg")]
        if not paid:
            return None
        for line in dice.sample(paid, 1 + int(hand.boldness * 2.5)):
            again = line.copy()
            if not dice.hit(0.35 + hand.boldness):
                later = dice.between(1, 3)
                again.ordered, again.done, again.result = line.ordered + later, line.done + later, line.result + later
                if again.result > visit.left:
                    continue
            visit.lines.append(again)
        return []


SCHEME = DupLine()
