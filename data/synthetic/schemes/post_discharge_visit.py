"""POST_DISCHARGE_VISIT: the drugs to take home are billed as a visit of their own, hours after discharge."""

from __future__ import annotations

from data.synthetic.claims import INPATIENT, OUTPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme
from data.synthetic.diseases import Order

USUAL = (Order("para", 1.0, 1, 3), Order("vit3b", 1.0, 1, 2), Order("omepra", 1.0, 1, 1), Order("acetyl", 1.0, 1, 2))


class PostDischargeVisit(Scheme):
    """The ward sends whoever leaves to the consultation rooms for a second consultation and a second bag of drugs."""

    id = "POST_DISCHARGE_VISIT"
    kind = "abuse"
    weight = 1.2
    levels = "dvr"
    kinds = (INPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """Somebody who leaves for home."""
        return visit.stay and visit.discharge == 1 and visit.disease.exam != "exam_ped"

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """The same afternoon when bold, next morning or the one after; 14 days of what was taken home or was due."""
        dice, clock, f, patient = hand.dice, hand.world.clock, visit.facility, visit.patient
        if patient.last_visit > visit.left:
            return None
        day = visit.end // DAY
        start = visit.end + dice.between(20, 120)
        if not hand.openly(hand.boldness) or start % DAY > 15 * 60 + 30 or not clock.working(day):
            day += 1 if hand.boldness > 0.4 else dice.between(1, 2)
            start = day * DAY + dice.between(7 * 60 + 10, 10 * 60 + 30)
        if day >= clock.days or not clock.working(day):
            return None
        seen = hand.care.exam(f, visit.disease.exam, start + dice.between(3, 12))
        if seen is None:
            return None
        exam, doctor = seen
        second = hand.clone(visit, patient, start - visit.start)
        second.kind, second.ward, second.admitted, second.days, second.leave = OUTPATIENT, "", 0, 0, 0
        second.result, second.discharge, second.secondary = 2, 1, visit.secondary
        second.sent_from = second.sent_to = second.slip = ""
        second.doctor, second.injury = doctor, visit.disease.injury
        ready = exam.result + dice.between(4, 12)
        second.lines = [exam]
        home = [x for x in visit.lines if x.item.table == 2 and x.ordered > visit.end - 75 and x.item.route[0] != "2"]
        days = dice.pick((7, 14, 14)) if hand.boldness < 0.5 else 14
        orders = [Order(x.item.key, 1.0, 1, 2, days) for x in home]
        if not orders:
            tablets = [
                x.item.key for x in visit.lines
                if x.item.table == 2 and x.item.form.startswith("Viên") and x.item.route == "1.01"
            ]  # fmt: skip
            orders = [Order(key, 1.0, 1, 2, days) for key in dict.fromkeys(tablets)]
        if not orders or dice.hit(0.4):
            have = {o.key for o in orders}
            orders += [Order(o.key, 1.0, o.dose, o.times, days) for o in dice.sample(USUAL, 2) if o.key not in have]
        for order in orders[:4]:
            item = hand.care.drugs[order.key]
            line = hand.care.drug_line(f, patient, item, order, ready, doctor.code, doctor.department, days)
            second.lines.append(line)
            patient.supply[item.code] = max(patient.supply.get(item.code, -999), day + days)
        second.left = second.end = ready + dice.between(4, 15)
        second.notes = []
        hand.care.note(second, exam.result, doctor.code)
        second.route, second.route_percent = hand.care.route(f, patient, day, emergency=False, stay=False)
        patient.last_visit = second.left
        return [second]


SCHEME = PostDischargeVisit()
