"""OVER_DRUG_QTY: more is billed than the written dose needs."""

from __future__ import annotations

from data.synthetic.claims import INPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme


class OverDrugQty(Scheme):
    """The prescriber raises the dispensed quantity and shares the rest."""

    id = "OVER_DRUG_QTY"
    kind = "fraud"
    actor = "doctor"
    weight = 1.4

    def tempts(self, visit: Visit) -> bool:
        """An outpatient prescription worth something."""
        return visit.kind != INPATIENT and any(line.item.table == 2 and line.fund > 2_500_000 for line in visit.lines)

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Times 1.3 to 3 with the dose text left as it was; the careful rewrite the days as well."""
        dice = hand.dice
        lines = sorted(
            (line for line in visit.lines if line.item.table == 2 and line.fund > 1_000_000),
            key=lambda line: -line.fund,
        )
        for line in lines[: 1 + dice.between(0, 2)]:
            factor = 1.3 + (0.3 + 1.4 * hand.boldness) * dice.chance()
            old = line.quantity // 1000
            new = max(old + 1, round(old * factor))
            if not dice.hit(0.4 + hand.boldness) and "* " in line.dose:
                head, tail = line.dose.rsplit("* ", 1)
                days, rest = tail.split(" ", 1)
                more = max(int(days) + 1, round(int(days) * factor))
                new = old // int(days) * more
                line.dose = f"{head}* {more} {rest}"
                visit.patient.supply[line.item.code] = line.ordered // DAY + more
            line.quantity = new * 1000
        return []


SCHEME = OverDrugQty()
