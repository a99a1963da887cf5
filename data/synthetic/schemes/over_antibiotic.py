"""OVER_ANTIBIOTIC: strong and injected antibiotics for what needs weak ones or none."""

from __future__ import annotations

from data.synthetic.claims import INPATIENT, OUTPATIENT, Line, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme
from data.synthetic.diseases import Order

MILD = ("J00", "J02.9", "J06.9", "J11.1", "A09.9", "J20.9")
WARD = ("J18.9", "J21.9", "J20.9", "J44.1", "A09.0", "N10", "L03.1", "K35.8", "K40.9", "K80.1", "S52.5", "O82")
ORAL = (("amoxc", 2, 7), ("cefu", 2, 7), ("azi", 2, 5), ("cefi", 2, 7))
PLAIN = frozenset({"cefo", "ceftri", "cefu", "amox"})
KEYS = frozenset({"amox", "amoxc", "cefu", "cefi", "azi", "levo", "metro", "ceftri", "cefo", "mero", "vanco"})


class OverAntibiotic(Scheme):
    """A hospital that buys injections by the crate uses them on every cold and long after every clean operation."""

    id = "OVER_ANTIBIOTIC"
    kind = "abuse"
    weight = 1.2
    kinds = (OUTPATIENT, INPATIENT)

    def tempts(self, visit: Visit) -> bool:
        """A cold or a belly ache, or a stay for an infection or a clean operation."""
        if visit.stay:
            return visit.disease.code in WARD and visit.days >= 3
        return visit.kind == OUTPATIENT and visit.disease.code in MILD and visit.patient.age(0) >= 1

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """In a ward meropenem for the plain drug or a second one beside it; a prescription gets another, or a shot."""
        return self._ward(visit, hand) if visit.stay else self._room(visit, hand)

    def _ward(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        dice, care = hand.dice, hand.care
        by_day: dict[int, Line] = {}
        for line in visit.lines:
            if line.item.table == 2 and line.item.route[0] == "2" and line.ordered < visit.end - 75:
                by_day.setdefault(line.ordered // DAY, line)
        if len(by_day) < 2:
            return None
        swapped = [x for x in visit.lines if x.item.key in PLAIN and x.item.route[0] == "2"]
        bold = dice.hit(hand.boldness)
        if swapped and bold:
            key, times = dice.pick((("mero", 3), ("vanco", 4)))
            for line in swapped:
                order = Order(key, 1.0, 1, times)
                new = care.drug_line(
                    visit.facility, visit.patient, care.drugs[key], order, line.ordered, line.doctor, line.department, 1
                )
                visit.lines[visit.lines.index(line)] = new
            return []
        have = {line.item.key for line in visit.lines}
        free = [k for k in ("ceftri", "cefo") if k not in have]
        if not free:
            free = ["mero"] if hand.boldness > 0.5 else ["vanco"]
        item, share = care.drugs[free[0]], 0.5 + 0.5 * hand.boldness
        days = sorted(by_day)
        for day in days[len(days) - max(2, round(share * len(days))) :]:
            near = by_day[day]
            line = care.drug_line(
                visit.facility, visit.patient, item, Order(item.key, 1.0, 1, 2), near.ordered, near.doctor,
                near.department, 1,
            )  # fmt: skip
            visit.lines.append(line)
        return []

    def _room(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        dice, care, doctor = hand.dice, hand.care, visit.doctor
        drugs = [line for line in visit.lines if line.item.table == 2]
        at = drugs[0].ordered if drugs else max(line.result for line in visit.lines) + 1
        have = {line.item.key for line in visit.lines}
        if visit.facility.level != "c" and dice.hit(hand.boldness):
            item, order, days = care.drugs["ceftri"], Order("ceftri", 1.0, 1, dice.between(1, 2)), 1
        else:
            choice = [o for o in ORAL if o[0] not in have]
            if have & KEYS and hand.boldness < 0.3:
                return None
            key, times, length = dice.pick(choice)
            item, order, days = care.drugs[key], Order(key, 1.0, 1, times), length
        if visit.patient.supply.get(item.code, -999) > at // DAY:
            return None
        visit.patient.supply[item.code] = at // DAY + days
        visit.lines.append(
            care.drug_line(visit.facility, visit.patient, item, order, at, doctor.code, doctor.department, days)
        )
        return []


SCHEME = OverAntibiotic()
