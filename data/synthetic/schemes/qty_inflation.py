"""QTY_INFLATION: drugs, supplies and sessions of a ward are billed in greater numbers than used."""

from __future__ import annotations

from data.synthetic.claims import INPATIENT, Line, Visit
from data.synthetic.deed import Hand, Scheme


def _inflatable(line: Line) -> bool:
    injected = line.item.table == 2 and line.item.route[0] == "2"
    return injected or line.item.kind in {"supply", "proc"}


class QtyInflation(Scheme):
    """A ward writes more ampoules, sets and hours than it used."""

    id = "QTY_INFLATION"
    kind = "fraud"
    actor = "doctor"
    weight = 2.4
    heavy = True
    levels = "dvr"
    wards = ("K19", "K24", "K33", "K04", "K03")
    kinds = (INPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """A stay with consumables worth inflating."""
        return visit.stay and sum(line.fund for line in visit.lines if _inflatable(line)) > 130_000_000

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Times 1.5 to 4 on some dear lines; the careful also rewrite the dose."""
        dice = hand.dice
        lines = sorted((line for line in visit.lines if _inflatable(line)), key=lambda line: -line.bv)
        careful = not dice.hit(0.45 + hand.boldness)
        for line in lines[: dice.between(2, 4 + round(6 * hand.boldness))]:
            if line.item.implant and not dice.hit(0.2 + 0.5 * hand.boldness):
                continue
            old = line.quantity // 1000
            if line.item.implant:
                line.quantity += 1000 if old < 4 else old // 2 * 1000
                continue
            new = max(old + 1, round(old * (1.5 + 2.5 * hand.boldness * dice.chance())))
            if hand.boldness > 0.7 and new > 6:
                new = (new + 9) // 10 * 10
            if careful and line.item.table == 2:
                unit = line.item.unit
                line.dose = f"{new} {unit}/lần * 1 lần/ngày * 1 ngày [{new} {unit}/ngày]"
            line.quantity = new * 1000
        return []


SCHEME = QtyInflation()
