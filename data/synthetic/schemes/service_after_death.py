"""SERVICE_AFTER_DEATH: somebody died in the ward and the orders go on."""

from __future__ import annotations

from data.synthetic.claims import INPATIENT, Line, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme

DIED = 5  # KET_QUA_DTRI


class ServiceAfterDeath(Scheme):
    """The death is entered when it happened; the standing orders, and the bed, run on until they are billed."""

    id = "SERVICE_AFTER_DEATH"
    kind = "fraud"
    weight = 0.4
    levels = "dvr"
    kinds = (INPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """The stay of somebody old and very ill."""
        p = visit.patient
        return (
            visit.stay and visit.days >= 4 and visit.result in (2, DIED, 6) and visit.ward in ("K02", "K03", "K04")
            and p.age(visit.start // DAY) >= 55 and not p.chronic and p.cancer is None and p.last_visit <= visit.end
            and bool(visit.of_kind("bed")) and len(_last_day(visit)) >= 2
        )  # fmt: skip

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Subtle: what was due within hours of the death. Bold: another day or two in the bed, drugs and tests."""
        dice, orders = hand.dice, _last_day(visit)
        home = [x for x in visit.lines if x.item.table == 2 and x.ordered > visit.end - 75]
        visit.lines = [x for x in visit.lines if x not in home]
        hand.refuse(visit, *home)  # nothing was taken home; what the fund saves by that is not the deed's gain
        nights = 0 if hand.boldness < 0.33 else 1 + dice.hit(hand.boldness - 0.3)
        if not nights:
            orders = dice.sample(orders, max(2, len(orders) // 2))
        for night in range(max(1, nights)):
            for source in orders:
                line = source.copy()
                at = visit.end + dice.between(15, 240)
                if night or (nights and dice.hit(0.5)):
                    at = (visit.end // DAY + 1 + night) * DAY + source.ordered % DAY + dice.between(-20, 20)
                shift = at - source.ordered
                line.ordered, line.done, line.result = at, source.done + shift, source.result + shift
                if line.values or line.conclusion:
                    hand.care.values(line)
                visit.lines.append(line)
        if nights and dice.hit(hand.boldness):
            bed = max(visit.of_kind("bed"), key=lambda line: line.result)
            bed.quantity += nights * 1000
            bed.result += nights * DAY
        visit.result, visit.discharge, visit.sent_to, visit.slip = DIED, 1, "", visit.slip if visit.sent_from else ""
        visit.patient.free_from = 10**9
        return []


def _last_day(visit: Visit) -> list[Line]:
    """What was given on the day before."""
    day = visit.end // DAY - 1
    return [
        x for x in visit.lines
        if x.ordered // DAY == day and (x.item.table == 2 or x.item.group == 1 or x.item.kind in ("proc", "rehab"))
    ]  # fmt: skip


SCHEME = ServiceAfterDeath()
