"""UNNEC_ADMISSION: somebody who could have gone home with a prescription is put to bed."""

from __future__ import annotations

from data.synthetic.care import BED
from data.synthetic.claims import INPATIENT, OUTPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme
from data.synthetic.diseases import Order

MILD = ("J20.9", "K29.7", "R42", "M54.5", "J06.9", "J02.9", "G44.2", "K21.0", "A09.9", "J11.1", "N39.0")
ROUTINE = ("cbc", "glu", "crea", "ions", "ast", "alt", "ecg", "urine", "us_abd", "xq_chest")
SOLUTIONS = (Order("nacl", 1.0, 1, 1), Order("ringer", 1.0, 1, 1), Order("glu5", 1.0, 1, 1))
ORAL = (Order("para", 1.0, 1, 2), Order("vit3b", 1.0, 1, 2), Order("magb6", 1.0, 1, 2), Order("acetyl", 1.0, 1, 2))


class UnnecAdmission(Scheme):
    """The hospital fills its empty beds with the mild cases of the consultation rooms."""

    id = "UNNEC_ADMISSION"
    kind = "abuse"
    weight = 1.3
    heavy = True
    levels = "dv"
    kinds = (OUTPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """A mild complaint at a place with wards."""
        return visit.kind == OUTPATIENT and visit.disease.code in MILD and "K03" in visit.facility.wards

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Two to five nights. Bold: tablets and a bed. Subtle: an infusion a day and the usual admission tests."""
        dice, f, patient, clock = hand.dice, visit.facility, visit.patient, hand.world.clock
        day0, exam = visit.start // DAY, visit.of_kind("exam")[0]
        nights = dice.between(2, 3 + round(2 * hand.boldness))
        if patient.last_visit > visit.left or day0 + nights >= clock.days:
            return None
        ward = "K18" if patient.age(day0) < 14 else "K16" if visit.disease.code == "M54.5" else "K03"
        visit.admitted = exam.result + dice.between(25, 60)
        out = (day0 + nights) * DAY + dice.between(10 * 60, 15 * 60 + 45)
        bold = dice.hit(hand.boldness)
        self._tests(visit, hand, out, bold=bold)
        chief = f.ward_doctor(ward, day0)
        handed = out - dice.between(35, 70)
        for line in visit.lines:  # the prescription becomes what is taken home
            if line.item.table == 2:
                line.ordered = line.done = line.result = handed
                line.doctor, line.department = chief.code, ward
        self._days(visit, hand, ward, nights, out, bold=bold)
        bed = hand.care.bed_line(f, BED[ward], ward, nights * 1000, visit.admitted, out, chief.code)
        visit.lines.append(bed)
        visit.kind, visit.ward, visit.doctor, visit.leave = INPATIENT, ward, chief, 0
        visit.end = visit.left = out
        visit.days = nights + 1
        visit.result = 1 if dice.hit(0.3 + 0.4 * hand.boldness) else 2
        visit.route, visit.route_percent = hand.care.route(f, patient, day0, emergency=False, stay=True)
        patient.last_visit = patient.last_stay = out
        patient.free_from = max(patient.free_from, out // DAY + 10)
        return []

    @staticmethod
    def _tests(visit: Visit, hand: Hand, out: int, *, bold: bool) -> None:
        """The admission work-up: short when bold."""
        dice, exam = hand.dice, visit.of_kind("exam")[0]
        have = {line.item.key for line in visit.lines}
        for key in dice.sample([k for k in ROUTINE if k not in have], dice.between(1, 2) if bold else 5):
            line = hand.care.test(
                visit.facility, visit, key, exam.result + 1, exam.doctor, exam.department, out - 90, free_choice=True
            )
            if line is not None:
                visit.lines.append(line)

    @staticmethod
    def _days(visit: Visit, hand: Hand, ward: str, nights: int, out: int, *, bold: bool) -> None:
        """What every day of the stay brings."""
        dice, f, care = hand.dice, visit.facility, hand.care
        day0, clock = visit.start // DAY, hand.world.clock
        orders = dice.sample(ORAL, 2) if bold else [*dice.sample(SOLUTIONS, 1), *dice.sample(ORAL, 1)]
        home = {line.item.key for line in visit.lines}
        orders = [o for o in orders if o.key not in home] or [ORAL[1]]
        visit.notes = []
        for offset in range(nights + 1):
            day = day0 + offset
            at = day * DAY + 7 * 60 + 30 + dice.between(0, 75) if offset else visit.admitted + dice.between(8, 30)
            if at > out - 75:
                continue
            doctor = f.ward_doctor(ward, day) if clock.working(day) else f.on_call[day % len(f.on_call)]
            for order in orders:
                line = care.drug_line(f, visit.patient, care.drugs[order.key], order, at, doctor.code, ward, 1)
                visit.lines.append(line)
            if offset % 2 == 0 or nights <= 4:
                care.note(visit, at - dice.between(1, 6), doctor.code)


SCHEME = UnnecAdmission()
