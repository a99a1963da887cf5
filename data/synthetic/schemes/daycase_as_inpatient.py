"""DAYCASE_AS_INPATIENT: some hours at the hospital for an examination or a small procedure, billed as a stay."""

from __future__ import annotations

from data.synthetic.care import BED
from data.synthetic.claims import INPATIENT, OUTPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme
from data.synthetic.diseases import Order

SMALL = frozenset({"gastro", "gastro_b", "colono", "ent_scope", "suture", "splint", "nebul"})


class DaycaseAsInpatient(Scheme):
    """Whoever lies down for the endoscope is admitted, so that a bed day can be billed."""

    id = "DAYCASE_AS_INPATIENT"
    kind = "abuse"
    weight = 1.0
    levels = "dv"
    kinds = (OUTPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """A visit with a small procedure at a place with wards."""
        return (
            visit.kind == OUTPATIENT
            and "K03" in visit.facility.wards
            and any(line.item.key in SMALL for line in visit.lines)
        )

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: out within hours. Subtle: kept until the evening, or overnight with an infusion."""
        dice, f, patient = hand.dice, visit.facility, visit.patient
        day, exam = visit.start // DAY, visit.of_kind("exam")[0]
        if patient.last_visit > visit.left or day + 1 >= hand.world.clock.days:
            return None
        visit.admitted = exam.result + dice.between(10, 25)
        done = max([line.result for line in visit.lines] + [visit.admitted + 60])
        night = not hand.openly(0.4 + 0.6 * hand.boldness)
        if night:
            out = (day + 1) * DAY + dice.between(7 * 60 + 40, 10 * 60 + 30)
        elif hand.openly(hand.boldness):
            out = done + dice.between(40, 110)
        else:
            out = max(done + 60, min(visit.admitted + dice.between(5 * 60, 11 * 60), day * DAY + 20 * 60))
        ward = "K18" if patient.age(day) < 14 else "K19" if visit.of_kind("proc") else "K03"
        chief = f.ward_doctor(ward, day)
        for line in visit.lines:
            if line.item.table == 2:
                line.ordered = line.done = line.result = out - 20
                line.doctor, line.department = chief.code, ward
        if night or dice.hit(0.5):
            at = max(visit.admitted + 12, done - 30) if night else visit.admitted + 6
            item, order = hand.care.drugs["nacl"], Order("nacl", 1.0, 1, 1)
            visit.lines.append(hand.care.drug_line(f, patient, item, order, at, chief.code, ward, 1))
        bed = "bed_med2" if ward == "K19" else BED[ward]
        visit.lines.append(hand.care.bed_line(f, bed, ward, 1000, visit.admitted, out, chief.code))
        visit.kind, visit.ward, visit.doctor, visit.leave = INPATIENT, ward, chief, 0
        visit.end = visit.left = out
        visit.days = out // DAY - day + 1
        visit.notes = []
        hand.care.note(visit, visit.admitted + dice.between(2, 6), chief.code)
        visit.route, visit.route_percent = hand.care.route(f, patient, day, emergency=False, stay=True)
        patient.last_visit = patient.last_stay = out
        return []


SCHEME = DaycaseAsInpatient()
