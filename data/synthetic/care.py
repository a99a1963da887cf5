"""Honest care: from a diagnosis to the orders, their times and the people and machines that carry them out.

What is made here breaks no payment rule: one consultation is paid in full, beds are out minus in, results follow the
work, a supply of drugs is used up before the next, and nobody is in two places.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from data.synthetic.claims import CHRONIC_CARE, CHRONIC_DRUGS, EPISODE, INPATIENT, OUTPATIENT, Line, Visit
from data.synthetic.clock import DAY
from data.synthetic.dice import Dice
from data.synthetic.diseases import HEART, KIDNEY, Disease, Order, Stay
from data.synthetic.world import (
    BACK,
    CLOSE,
    LUNCH,
    NEVER,
    OPEN,
    Doctor,
    Facility,
    Item,
    Patient,
    World,
    drugs,
    has_heart_disease,
    road_km,
    services,
    supplies,
)

IMAGING = frozenset({"us", "xq", "ct", "mri", "endo", "ecg"})
SPACED = frozenset({"us", "xq", "ct", "mri", "endo"})  # not repeated within a month
ANTI_INFLAMMATORY = frozenset({"melox", "celec", "ibup"})
SEVERITY = {"c": 0.5, "p": 0.9, "d": 1.0, "v": 1.2, "r": 1.45}
BED = {"K02": "bed_icu", "K03": "bed_med2", "K04": "bed_med1", "K16": "bed_med3", "K18": "bed_med2", "K19": "bed_surg2",
       "K24": "bed_surg2", "K27": "bed_surg3", "K30": "bed_surg3", "K33": "bed_med1"}  # fmt: skip
FINDINGS = ("Hình ảnh trong giới hạn bình thường", "Không thấy bất thường", "Tổn thương phù hợp với lâm sàng",
            "Có tổn thương, đề nghị kết hợp lâm sàng", "Theo dõi thêm")  # fmt: skip
FINDING_TOTALS = (0.3, 0.5, 0.75, 0.93, 1.0)
STATES = ("tỉnh, tiếp xúc tốt", "tỉnh, còn mệt", "tỉnh, đỡ mệt", "ăn uống được", "ngủ được", "còn đau ít", "đỡ đau")
PROGRAMME = frozenset({"iron", "zinc", "ors"})  # given free by a programme now and then
TRACED = frozenset({"balloon", "guide", "trocar"})  # devices with a sticker though they are taken out again
INJURIES = ((8, 1, 2, 0), (0.7, 0.85, 0.93, 1.0))  # MA_TAI_NAN of an injury: at home, traffic, work, not written
SICK_LEAVE = 0.08  # of acute visits of employed people
LITRES_PER_KM = 0.2
TRANSFERRED = 0.05  # of short stays without surgery
EXTRA_EXAMS = ("exam_ent", "exam_eye", "exam_derm", "exam_dent", "exam_surg")


class Care:
    """Makes visits; keeps the calendars of the world and the memory of its people."""

    def __init__(self, world: World, dice: Dice) -> None:
        self.world, self.dice, self.clock = world, dice, world.clock
        self.services, self.drugs, self.supplies = services(), drugs(), supplies()
        self._slips = 0

    # Pieces

    def line(self, f: Facility, item: Item, quantity: int, ordered: int, done: int, result: int, doctor: str,
             performer: str, department: str, dose: str = "") -> Line:  # fmt: skip
        """A line at the facility's price."""
        return Line(item, quantity, f.price(item, ordered), ordered, done, result, doctor, performer, department, dose)

    def values(self, line: Line) -> None:
        """Give a test its result."""
        dice, item = self.dice, line.item
        if item.indicators:
            out: list[str] = []
            for _, mean, spread, _ in item.indicators:
                value = abs(mean + spread * dice.normal())
                out.append(f"{value:.3f}" if mean < 2 else f"{value:.1f}")
            line.values = tuple(out)
        elif item.kind in ("haem", "micro", "immuno", "biochem"):
            line.values = ("O" if item.key == "abo" else dice.weighted(("Âm tính", "Dương tính"), (0.8, 1.0)),)
        else:
            line.conclusion = f"{dice.weighted(FINDINGS, FINDING_TOTALS)} ({dice.between(1, 40)} mm)"

    def note(self, visit: Visit, moment: int, doctor: str) -> None:
        """A progress note."""
        dice = self.dice
        text = (
            f"Người bệnh {dice.pick(STATES)}; mạch {dice.between(62, 104)} l/p, "
            f"HA {dice.between(10, 16)}0/{dice.between(6, 9)}0 mmHg, "
            f"nhiệt độ {dice.between(365, 386) / 10:.1f}; {visit.disease.complaint}"
        )
        visit.notes.append((moment, text, doctor))

    def test(self, f: Facility, visit: Visit, key: str, moment: int, doctor: str, department: str, limit: int,
             *, free_choice: bool = False) -> Line | None:  # fmt: skip
        """Order a test at `moment`; None when this place cannot do it before `limit` or it was done lately."""
        item = self.services[key]
        dice, day = self.dice, moment // DAY
        machines = [m for m in f.machines.get(item.kind, ()) if m.works(day)]
        if not machines:
            return None
        if not free_choice:
            wait = 92 if key == "hba1c" else 31 if item.kind in SPACED else 0
            name = (
                item.kind + key.split("_")[1] if item.kind in ("ct", "mri") else "gastro" if key == "gastro_b" else key
            )
            if wait and day - visit.patient.tested.get(name, -999) < wait:
                return None
            visit.patient.tested[name] = day
        minute = moment % DAY
        asleep = minute < OPEN or minute > CLOSE + 30
        if item.kind in IMAGING:
            start = moment + dice.between(4, 15)
            if not asleep and LUNCH <= start % DAY < BACK - 10 and not visit.stay:
                start = day * DAY + BACK + dice.between(0, 15)
            machine = machines[0]
            booked = None
            for machine in machines:
                booked = machine.book(start, item.minutes, limit)
                if booked is not None:
                    break
            if booked is None:
                return None
            done, result = booked, booked + item.minutes - 1
        else:
            machine = machines[dice.between(0, len(machines) - 1)]
            done = moment + dice.between(5, 20)
            result = done + int(item.minutes * (0.75 + 0.6 * dice.chance()))
            if result > limit:
                return None
        team = f.technicians["night"] if asleep and "night" in f.technicians else f.technicians[item.kind]
        performer = team[day % len(team)]
        line = self.line(f, item, 1000, moment, done, result, doctor, performer.code, department)
        line.machine = machine.code
        self.values(line)
        return line

    def product(self, key: str, patient: Patient) -> Item:
        """The drug of an order: some people have always had the brand."""
        brand = self.drugs.get(f"{key}_b")
        return brand if brand is not None and ((patient.index * 40_503) >> 3) % 12 == 0 else self.drugs[key]

    def drug(self, f: Facility, patient: Patient, order: Order, moment: int, doctor: str, department: str, *,
             days: int = 0) -> Line | None:  # fmt: skip
        """Prescribe a drug for `days` (the order's own when 0); None while an earlier supply lasts."""
        item = self.product(order.key, patient)
        day = moment // DAY
        if patient.supply.get(item.code, -999) > day:
            return None
        days = days or order.days
        patient.supply[item.code] = day + days
        return self.drug_line(f, patient, item, order, moment, doctor, department, days)

    def drug_line(self, f: Facility, patient: Patient, item: Item, order: Order, moment: int, doctor: str,
                  department: str, days: int) -> Line:  # fmt: skip
        """The line of a drug: quantity and dose text agree."""
        daily = order.dose * order.times
        if (item.unit in ("bình", "tuýp", "bút", "lọ") and item.route[0] != "2") or item.unit == "bút":
            quantity = max(1, order.dose)
            dose = f"{quantity} {item.unit} dùng {days} ngày"
        else:
            quantity = daily * days
            dose = f"{order.dose} {item.unit}/lần * {order.times} lần/ngày * {days} ngày [{daily} {item.unit}/ngày]"
        line = self.line(f, item, quantity * 1000, moment, moment, moment, doctor, "", department, dose)
        line.cover_ratio = 100 if patient.card[2] in "15" else item.pay_ratio
        if item.key in PROGRAMME and f.level in "cd" and self.dice.hit(0.15):
            line.unit_price, line.source = 0, 3
        return line

    def exam(
        self, f: Facility, key: str, moment: int, pace: float = 1.0, close: int = CLOSE + 20
    ) -> tuple[Line, Doctor] | None:
        """A consultation by whoever of the specialty is free first."""
        key = key if key in f.exams else "exam_med"
        team = f.exams[key]
        item = self.services[key]
        order = self.dice.sample(range(len(team)), len(team)) if len(team) > 1 else [0]
        busy = next((i for i in order if team[i].code == self.world.busy_doctor), None)
        if busy is not None:
            order.remove(busy)
            order.insert(0, busy)
        for i in order:
            doctor = team[i]
            minutes = max(5, int(item.minutes * doctor.pace * pace * (0.8 + 0.5 * self.dice.chance())))
            if doctor.taken.get(moment // DAY, 0) > moment % DAY + 90 and i != order[-1]:
                continue  # the queue before this room is too long
            start = doctor.book(moment, minutes, close)
            if start is not None:
                line = self.line(
                    f, item, 1000, start, start, start + minutes - 1, doctor.code, doctor.code, doctor.department
                )
                return line, doctor
        return None

    def secondary(self, patient: Patient, main: Disease) -> tuple[str, ...]:
        """Other diagnoses noted with the main one."""
        codes = [d.code for d in patient.chronic if d.code[:3] != main.code[:3] and self.dice.hit(0.85)]
        if patient.companions and self.dice.hit(0.5):
            codes.extend(c for c in patient.companions if c[:3] != main.code[:3])
        return tuple(codes)

    def route(self, f: Facility, patient: Patient, day: int, *, emergency: bool, stay: bool) -> tuple[str, int]:
        """Access code and its percent of the card's benefit."""
        new_codes = self.clock.day_texts[day] >= "20250701"
        if emergency:
            return "2", 100
        if f.level == "c":
            return ("1.2" if new_codes else "1.1"), 100
        if patient.home == f.index:
            return "1.1", 100
        if f.level == "d":
            return "3.3", 100
        if f.level == "p":
            return ("1.11" if new_codes else "1.4"), 100
        if stay:
            if f.level == "v":
                return "3.2", 100
            if self.dice.hit(0.25):
                return "3.1", 40
        return "1.5", 100

    def _weight(self, patient: Patient) -> float:
        return max(2.5, round(patient.weight + 0.5 * self.dice.normal(), 1))

    def _visit(self, f: Facility, patient: Patient, disease: Disease, kind: str, start: int, doctor: Doctor,
               route: tuple[str, int]) -> Visit:  # fmt: skip
        return Visit(
            f, patient, disease, kind, route[0], route[1], start, start, start, doctor,
            weight=self._weight(patient), phone=patient.phone, secondary=self.secondary(patient, disease),
            injury=self.dice.weighted(*INJURIES) if disease.injury else 0,
        )  # fmt: skip

    def wanted(self, orders: Iterable[Order], factor: float) -> list[Order]:
        """The orders that are made this time."""
        chance = self.dice.chance
        return [o for o in orders if chance() < (o.chance * factor if o.chance < 1 else 1.0)]

    def fits(self, order: Order, patient: Patient, disease: Disease) -> bool:
        """Whether a drug suits this person."""
        if order.key in ANTI_INFLAMMATORY or order.key == "metf":
            return not (has_heart_disease(patient) or disease.code in HEART)
        if order.key == "levo":
            return patient.age(0) >= 18
        return True

    # Whole encounters

    def outpatient(self, f: Facility, patient: Patient, disease: Disease, arrive: int) -> Visit | None:
        """A visit of some hours for an acute complaint."""
        dice, day = self.dice, arrive // DAY
        close = CLOSE + 20
        seen = self.exam(
            f, disease.exam if patient.age(day) >= 14 or f.level == "c" else "exam_ped", arrive + dice.between(3, 14)
        )
        if seen is None:
            return None
        first, doctor = seen
        hurt = bool(disease.injury) and f.level in "dvr" and dice.hit(0.5)
        route = self.route(f, patient, day, emergency=hurt, stay=False)
        visit = self._visit(f, patient, disease, OUTPATIENT, arrive, doctor, route)
        visit.lines.append(first)
        self._workup(visit, f, disease, first.result + 1, doctor, day * DAY + close + 25)
        ready = max(line.result for line in visit.lines) + dice.between(3, 10)
        if len(f.exams) > 1 and dice.hit(0.05):
            other = self.exam(f, dice.pick(EXTRA_EXAMS), ready + 2)
            if other is not None and other[1] is not doctor and other[1].department != doctor.department:
                other[0].service_ratio = 30
                visit.lines.append(other[0])
                ready = other[0].result + dice.between(2, 6)
        for order in self.wanted(disease.drugs, 1.0):
            if self.fits(order, patient, disease):
                line = self.drug(f, patient, order, ready, doctor.code, doctor.department)
                if line is not None:
                    visit.lines.append(line)
        visit.left = visit.end = ready + dice.between(4, 18)
        if patient.employer and dice.hit(SICK_LEAVE):
            visit.leave = dice.weighted((1, 2, 3, 5), (0.35, 0.7, 0.92, 1.0))
        self.note(visit, first.result, doctor.code)
        patient.last_visit = visit.left
        return visit

    def _workup(self, visit: Visit, f: Facility, disease: Disease, moment: int, doctor: Doctor, limit: int) -> None:
        factor = SEVERITY[f.level] * doctor.tests
        for order in self.wanted(disease.tests, factor):
            line = self.test(f, visit, order.key, moment, doctor.code, doctor.department, limit)
            if line is not None:
                visit.lines.append(line)
                self._contrast(visit, f, line)
        for order in self.wanted(disease.procedures, 1.0):
            item = self.services[order.key]
            done = max(line.result for line in visit.lines) + self.dice.between(3, 10)
            if f.level == "c" and order.key not in ("suture", "nebul"):
                continue
            nurse = self.dice.pick(f.nurses).code
            visit.lines.append(
                self.line(
                    f,
                    item,
                    1000,
                    moment,
                    done,
                    done + item.minutes,
                    doctor.code,
                    f"{doctor.code};{nurse}",
                    doctor.department,
                )
            )

    def _contrast(self, visit: Visit, f: Facility, picture: Line) -> None:
        """The agent of a picture taken with contrast."""
        if picture.item.kind in ("ct", "mri") and picture.item.key.endswith("_c"):
            key = "gado" if picture.item.kind == "mri" else "iohex"
            item, order = self.drugs[key], Order(key, 1)
            visit.lines.append(
                self.drug_line(f, visit.patient, item, order, picture.done, picture.doctor, picture.department, 1)
            )

    def refill(self, f: Facility, patient: Patient, arrive: int) -> Visit | None:
        """A monthly visit for a chronic disease, with the supply until the next."""
        dice, day = self.dice, arrive // DAY
        seen = self.exam(f, "exam_med", arrive + dice.between(3, 14))
        if seen is None:
            return None
        first, doctor = seen
        main = patient.chronic[0]
        route = self.route(f, patient, day, emergency=False, stay=False)
        visit = self._visit(f, patient, main, CHRONIC_DRUGS, arrive, doctor, route)
        visit.secondary = (
            *(d.code for d in patient.chronic[1:]),
            *(c for c in patient.companions if dice.hit(0.7)),
        )
        visit.lines.append(first)
        long_supply = f.level != "c" and patient.index % 9 == 0 and self.clock.day_texts[day] >= "20250701"
        days = 90 if long_supply else 30
        if f.level != "c":
            self._follow_up(visit, f, first.result + 1, doctor)
        ready = max(line.result for line in visit.lines) + dice.between(3, 9)
        self._usual_drugs(visit, f, ready, doctor, days)
        visit.left = ready + dice.between(4, 15)
        if any(line.item.group in (1, 2, 3) for line in visit.lines):
            visit.kind, visit.end, visit.days = CHRONIC_CARE, visit.left, 1
        elif any(line.item.table == 2 for line in visit.lines):
            visit.days = days
            visit.end = (day + days - 1) * DAY + DAY - 1
        else:
            visit.kind, visit.end = OUTPATIENT, visit.left
        visit.return_day = day + days + 1
        self.note(visit, first.result, doctor.code)
        patient.last_visit = visit.left
        return visit

    def _follow_up(self, visit: Visit, f: Facility, moment: int, doctor: Doctor) -> None:
        """The tests of every chronic disease, each once."""
        limit = moment // DAY * DAY + CLOSE + 40
        for disease in visit.patient.chronic:
            factor = doctor.tests * (1.0 if disease is visit.disease else 0.4) * (1.25 if f.level in "vr" else 1.0)
            for order in self.wanted(disease.tests, min(factor, 1.05) if disease.code == "E11.9" else factor):
                if any(line.item.key == order.key for line in visit.lines):
                    continue
                line = self.test(f, visit, order.key, moment, doctor.code, doctor.department, limit)
                if line is not None:
                    visit.lines.append(line)

    def _usual_drugs(self, visit: Visit, f: Facility, moment: int, doctor: Doctor, days: int) -> None:
        """The same person gets the same drugs every month: the choice hangs on who they are, not on the day."""
        patient = visit.patient
        for disease in patient.chronic:
            for n, order in enumerate(disease.drugs):
                liking = ((patient.index * 2_654_435_761 + n * 40_503 + len(disease.code) * 97) >> 7) % 1000 / 1000
                if liking < order.chance and self.fits(order, patient, disease):
                    line = self.drug(f, patient, order, moment, doctor.code, doctor.department, days=days)
                    if line is not None:
                        visit.lines.append(line)

    def dialysis(self, f: Facility, patient: Patient, first: int, last: int, *, odd: bool) -> Visit | None:
        """A month of dialysis as one claim: three sessions a week from day `first` to `last`."""
        dice = self.dice
        disease = KIDNEY
        days = [d for d in range(first, last + 1) if self.clock.weekdays[d] in ((1, 3, 5) if odd else (0, 2, 4))]
        if not days or "dialysis" not in f.machines:
            return None
        item, team = self.services["dialysis"], f.wards["K03"]
        doctor = team[patient.index % len(team)]
        shift = patient.index % 2
        begin = OPEN + 5 + shift * 350
        visit = self._visit(f, patient, disease, EPISODE, days[0] * DAY + begin + dice.between(0, 6), doctor,
                            self.route(f, patient, first, emergency=False, stay=False))  # fmt: skip
        machines = f.machines["dialysis"]
        epo_filter = self.supplies["filter"]
        for day in days:
            start = day * DAY + begin + dice.between(15, 30)
            nurse = dice.pick(f.nurses).code
            end = start + dice.between(232, 248)
            session = self.line(f, item, 1000, start - 8, start, end, doctor.code, nurse, "K03")
            able = [m for m in machines if m.works(day)] or machines
            session.machine = able[(patient.index // 4) % len(able)].code
            visit.lines.append(session)
            visit.lines.append(self.line(f, epo_filter, 1000, start - 8, start, start, doctor.code, "", "K03"))
        for order in self.wanted(disease.tests, 1.0):
            line = self.test(f, visit, order.key, days[0] * DAY + begin + 20, doctor.code, "K03", days[0] * DAY + DAY)
            if line is not None:
                visit.lines.append(line)
        visit.ward = "K03"
        visit.end = days[-1] * DAY + DAY - 1
        visit.left = max(line.result for line in visit.lines)
        visit.days = days[-1] - days[0] + 1
        for day in days[:: max(1, len(days) // 3)]:
            self.note(visit, day * DAY + begin + 40, doctor.code)
        patient.last_visit = visit.left
        return visit

    def inpatient(
        self, f: Facility, patient: Patient, plan: Stay, arrive: int, *, emergency: bool, last_day: int
    ) -> Visit | None:
        """A stay from admission to discharge; None when it would not end in the period."""
        dice, day0 = self.dice, arrive // DAY
        ward = plan.ward if plan.ward in f.wards else "K03"
        in_charge = f.ward_doctor(ward, day0)
        usual = dice.lognormal(plan.nights * (1.12 if f.level == "r" else 1.0), plan.spread)
        nights = max(plan.limits[0], min(plan.limits[1], round(usual * in_charge.stays)))
        if day0 + nights > last_day:
            return None
        receiver = f.on_call[day0 % len(f.on_call)]
        seen = None if emergency else self.exam(f, plan.exam, arrive + dice.between(3, 14))
        if seen is not None:
            receiver = seen[1]
        elif not emergency:
            return None
        route = self.route(f, patient, day0, emergency=emergency, stay=True)
        visit = self._visit(f, patient, plan, INPATIENT, arrive, in_charge, route)
        after = arrive + 6
        if seen:
            visit.lines.append(seen[0])
            after = seen[0].result + 1
        visit.admitted = after + dice.between(20, 55)
        visit.ward = ward
        visit.end = visit.left = out = (day0 + nights) * DAY + dice.between(10 * 60, 15 * 60 + 45)
        self._admission_tests(visit, f, plan, after, receiver, "K02" if emergency else receiver.department)
        icu_days = 0
        if nights > 2 and dice.hit(plan.icu):
            icu_days = min(nights - 1, max(1, round(dice.lognormal(5 if plan.code == "A41.9" else 3, 0.6))))
        self._operate(visit, f, plan, nights)
        self._daily(visit, f, plan, nights, icu_days, ward)
        self._beds(visit, f, ward, icu_days)
        for order in self.wanted(plan.home, 1.0):
            line = self.drug(f, patient, order, out - dice.between(35, 70), in_charge.code, ward)
            if line is not None:
                visit.lines.append(line)
        if not plan.surgery:
            for order in self.wanted(plan.supplies, 1.0):
                self._supply(visit, f, order, visit.admitted + dice.between(5, 30), in_charge.code, ward)
        self._discharge(visit, plan, nights, icu_days)
        return visit

    def _admission_tests(
        self, visit: Visit, f: Facility, plan: Stay, after: int, receiver: Doctor, department: str
    ) -> None:
        """Most tests on arrival, the rest next morning."""
        dice, day0 = self.dice, visit.start // DAY
        night = not OPEN <= visit.start % DAY <= CLOSE - 30 or not self.clock.working(day0)
        for order in self.wanted(plan.tests, (1.15 if f.level == "r" else 1.0) * visit.doctor.tests**0.5):
            at, doctor, where = after, receiver, department
            if not night and dice.hit(0.25):
                at, doctor, where = (day0 + 1) * DAY + 8 * 60 + dice.between(0, 40), visit.doctor, visit.ward
            line = self.test(f, visit, order.key, at, doctor.code, where, visit.end - 90)
            if line is not None:
                visit.lines.append(line)
                self._contrast(visit, f, line)
        self._biopsy(visit, f)

    def _biopsy(self, visit: Visit, f: Facility) -> None:
        """A piece is taken where pathology reads it before the patient leaves, and not otherwise."""
        taken = next((line for line in visit.lines if line.item.key == "gastro_b"), None)
        read = next((line for line in visit.lines if line.item.key == "path"), None)
        if taken is not None and read is None:
            taken.item = self.services["gastro"]
            taken.unit_price = f.price(taken.item, taken.ordered)
        elif read is not None and taken is None:
            visit.lines.remove(read)

    def _discharge(self, visit: Visit, plan: Stay, nights: int, icu_days: int) -> None:
        dice, patient = self.dice, visit.patient
        visit.days = nights + 1
        grave = icu_days > 2 and dice.hit(0.08)
        visit.result = 6 if grave else 1 if plan.surgery and dice.hit(0.4) else 2
        visit.discharge = 4 if grave else 1
        frail = patient.age(visit.start // DAY) >= 55 and not plan.surgery and nights >= 3
        frail = frail and visit.ward in ("K02", "K03", "K04")
        died = (frail or grave) and not patient.chronic and patient.cancer is None
        if died and dice.hit(0.4 if grave else 0.02):
            visit.result, visit.discharge = 5, 1
            visit.lines = [
                x for x in visit.lines if x.item.table != 2 or x.ordered <= visit.end - 75
            ]  # nothing to take home
            patient.free_from = NEVER
        above = [f for f in self.world.facilities if f.level == "r"] if visit.facility.level in "dv" else []
        if not grave and visit.result != 5 and above and not plan.surgery and nights <= 4 and dice.hit(TRANSFERRED):
            place = dice.pick(above)
            visit.result, visit.discharge, visit.sent_to = 3, 2, place.code
            visit.slip = self.slip(visit.facility)
            if patient.card[2] in "125":  # those whose ride the fund owes
                visit.lines.append(self.ride(visit, place))
        if visit.facility.level == "r" and visit.route == "1.5" and patient.home != visit.facility.index:
            home = self.world.facilities[patient.home]
            visit.sent_from, visit.slip = home.code, self.slip(home)
            visit.route = "1.3"
        if plan.rare or icu_days >= 6 or nights >= 21:
            visit.label = "legit_outlier"
        patient.last_visit = patient.last_stay = visit.end
        if plan.surgery or plan.code.startswith("O8"):
            patient.done.add(plan.code)

    def ride(self, visit: Visit, place: Facility, stretched: float = 1.0) -> Line:
        """The fuel of the ambulance to a place, `stretched` times what the road takes."""
        litres = max(20, round(10 * road_km(visit.facility, place) * LITRES_PER_KM * stretched))  # tenths
        item = replace(self.services["transport"], code=f"VC.{place.code}")
        leave = visit.end - self.dice.between(5, 20)
        driver = self.dice.pick(visit.facility.nurses).code
        return self.line(
            visit.facility, item, litres * 100, leave - 10, leave, visit.end, visit.doctor.code, driver, visit.ward
        )

    def slip(self, f: Facility) -> str:
        """Number of a referral slip written by a facility."""
        self._slips += 1
        return f"{self._slips % 100_000:05d}/{f.code}"

    def _supply(self, visit: Visit, f: Facility, order: Order, moment: int, doctor: str, department: str) -> None:
        item = self.supplies[order.key]
        line = self.line(f, item, order.dose * 1000, moment, moment, moment, doctor, "", department)
        if item.implant or item.key in TRACED:
            line.serial = f"SN{self.dice.between(10**8, 10**9 - 1)}"
        visit.lines.append(line)

    def _operate(self, visit: Visit, f: Facility, plan: Stay, nights: int) -> None:
        """The operation or session of a stay with its drugs and supplies."""
        dice = self.dice
        main = self._surgery(visit, f, plan, nights) if plan.surgery else self._session(visit, f, plan)
        if main is None:
            return
        for order in self.wanted(plan.theatre, 1.0):
            item = self.drugs[order.key]
            line = self.drug_line(f, visit.patient, item, order, main.done, main.doctor, visit.ward, 1)
            visit.lines.append(line)
        if not plan.surgery:
            return
        for order in self.wanted(plan.procedures, 1.0):
            self._second(visit, f, order, main)
        key = main.item.key
        companions = {"trocar": key.endswith("_l"), "mesh": key == "s_hernia_h"}
        for order in self.wanted(plan.supplies, 1.0):
            if not companions.get(order.key, True):
                continue
            used = order
            if order.key == "hip" and key == "s_hip_h":
                used = Order("hip_full", 1)
            elif order.key == "stent" and dice.hit(0.3):
                used = Order("stent", 1, 2)
            self._supply(visit, f, used, main.done, main.doctor, visit.ward)

    def _second(self, visit: Visit, f: Facility, order: Order, main: Line) -> None:
        """A second operation in the session, by the same team: half its price."""
        item, start = self.services[order.key], main.result + 1
        end = start + int(item.minutes * (0.4 + 0.2 * self.dice.chance()))
        if end < visit.end - 60:
            line = self.line(f, item, 1000, main.ordered, start, end, main.doctor, main.performer, visit.ward)
            line.service_ratio, line.anaesthesia = 50, main.anaesthesia
            visit.lines.append(line)

    def _session(self, visit: Visit, f: Facility, plan: Stay) -> Line | None:
        """The planned procedure of a stay without surgery (delivery, chemotherapy)."""
        doctor, moment = visit.doctor.code, visit.admitted + self.dice.between(60, 150)
        main: Line | None = None
        for order in plan.procedures:
            item = self.services[order.key]
            if moment + item.minutes <= visit.end - 60:
                helpers = f"{doctor};{self.dice.pick(f.nurses).code}"
                end = moment + item.minutes
                main = self.line(f, item, 1000, moment - 10, moment, end, doctor, helpers, visit.ward)
                visit.lines.append(main)
        return main

    def _surgery(self, visit: Visit, f: Facility, plan: Stay, nights: int) -> Line | None:
        """Find a surgeon and a day, and operate; None when nobody was free."""
        dice = self.dice
        usual, other = plan.surgery.split("|")
        modern = {"d": 0.3, "v": 0.5, "r": 0.65}[f.level]  # share of the newer technique
        if usual.endswith("_l"):
            usual, other = other, usual
        item = self.services[other if dice.hit(modern) else usual]
        earliest = visit.admitted + dice.between(90, 240)
        if visit.route != "2":
            earliest = (visit.start // DAY + 1) * DAY + 8 * 60 + dice.between(0, 60)
        if earliest % DAY > 20 * 60:
            earliest = (earliest // DAY + 1) * DAY + 7 * 60 + 40
        booked = self._theatre(f, visit, item, earliest, nights)
        if booked is None:
            return None
        surgeon, at = booked
        length = min(max(20, int(item.minutes * (0.8 + 0.5 * dice.chance()))), item.minutes + 30)
        team = f"{surgeon.code};{f.wards[visit.ward][0].code}"
        line = self.line(f, item, 1000, at - dice.between(40, 80), at, at + length, surgeon.code, team, visit.ward)
        line.anaesthesia = plan.anaesthesia
        visit.lines.append(line)
        return line

    def _theatre(self, f: Facility, visit: Visit, item: Item, earliest: int, nights: int) -> tuple[Doctor, int] | None:
        team = f.surgeons.get(visit.ward) or f.surgeons["K19"]
        for day in range(nights):
            moment = earliest if day == 0 else (earliest // DAY + day) * DAY + 7 * 60 + 45
            if moment + 300 > visit.end:
                return None
            for surgeon in self.dice.sample(team, len(team)):
                at = surgeon.book(moment, item.minutes + (70 if visit.disease.procedures else 35), 22 * 60)
                if at is not None:
                    return surgeon, at
        return None

    def _daily(self, visit: Visit, f: Facility, plan: Stay, nights: int, icu_days: int, ward: str) -> None:
        """What every day of a stay brings: drugs, sessions, intensive care, a note, now and then a control."""
        dice, patient = self.dice, visit.patient
        day0 = visit.start // DAY
        chosen = [
            o for o in self.wanted(plan.daily, 1.0)
            if self.fits(o, patient, plan) and patient.supply.get(self.product(o.key, patient).code, -999) <= day0
        ]  # fmt: skip
        if not any(self.drugs[o.key].route[0] == "2" for o in chosen) and not plan.sessions and not plan.surgery:
            chosen.append(Order("nacl", 1.0))
        sessions = self.wanted(plan.sessions, 1.0)
        for offset in range(nights + 1):
            day = day0 + offset
            moment = day * DAY + 7 * 60 + 30 + dice.between(0, 75) if offset else visit.admitted + dice.between(8, 30)
            if moment > visit.end - 75 or moment // DAY != day:
                continue
            icu = offset < icu_days
            here = "K02" if icu else ward
            doctor = f.ward_doctor(here, day) if self.clock.working(day) else f.on_call[day % len(f.on_call)]
            self._doses(visit, f, chosen, moment, doctor, here, late=offset == 0 and moment % DAY > 16 * 60, icu=icu)
            if icu:
                breathing = f.level in "vr" and offset < icu_days - 1 and offset % 6 != 5
                self._intensive(visit, f, moment, doctor, breathing=breathing)
            if offset < nights:
                self._sessions(visit, f, sessions, moment, doctor, here)
            if offset % 2 == 0 or nights <= 4:
                self.note(visit, moment - dice.between(1, 6), doctor.code)
            if offset in (3, 7) and dice.hit(0.25 if plan.surgery else 0.5):
                line = self.test(f, visit, "cbc", moment + 3, doctor.code, here, visit.end - 60)
                if line is not None:
                    visit.lines.append(line)

    def _doses(
        self, visit: Visit, f: Facility, chosen: list[Order], moment: int, doctor: Doctor, ward: str, *,
        late: bool, icu: bool,
    ) -> None:  # fmt: skip
        day = moment // DAY
        for order in chosen:
            item = self.product(order.key, visit.patient)
            if order.key in ("norad", "albumin") and not icu:
                continue
            given = Order(order.key, 1, order.dose, max(1, order.times // 2) if late else order.times)
            visit.lines.append(self.drug_line(f, visit.patient, item, given, moment, doctor.code, ward, 1))
            visit.patient.supply[item.code] = day + 1

    def _intensive(self, visit: Visit, f: Facility, moment: int, doctor: Doctor, *, breathing: bool) -> None:
        nurse = self.dice.pick(f.nurses).code
        monitor, vent = self.services["icu_monitor"], self.services["vent"]
        start = moment + 5
        visit.lines.append(self.line(f, monitor, 1000, moment, start, start + 60, doctor.code, nurse, "K02"))
        if breathing:
            visit.lines.append(self.line(f, vent, 1000, moment, start + 1, start + 235, doctor.code, nurse, "K02"))

    def _sessions(
        self, visit: Visit, f: Facility, sessions: list[Order], moment: int, doctor: Doctor, ward: str
    ) -> None:
        dice = self.dice
        for order in sessions:
            item = self.services[order.key]
            at: int | None = moment + dice.between(10, 60)
            performer = dice.pick(f.nurses)
            if item.kind == "rehab":
                for performer in dice.sample(f.technicians["rehab"], 3):
                    at = performer.book(moment + dice.between(10, 40), item.minutes, CLOSE + 20)
                    if at is not None:
                        break
            if at is None or at + item.minutes > visit.end - 20:
                continue
            end = at + item.minutes - 1
            visit.lines.append(self.line(f, item, 1000, moment + 1, at, end, doctor.code, performer.code, ward))

    def _beds(self, visit: Visit, f: Facility, ward: str, icu_days: int) -> None:
        operated = any(line.item.kind == "surg" for line in visit.lines)
        key = BED[ward]
        if key.startswith("bed_surg") and not operated:
            key = "bed_med2"
        admitted, out, doctor = visit.admitted, visit.end, visit.doctor.code
        days = out // DAY - admitted // DAY
        moved = admitted
        if icu_days:
            moved = (admitted // DAY + icu_days) * DAY + 10 * 60 + self.dice.between(0, 90)
            line = self.bed_line(f, "bed_icu", "K02", icu_days * 1000 - 500, admitted, moved, doctor)
            visit.lines.append(line)
        rest = days * 1000 - (icu_days * 1000 - 500 if icu_days else 0)
        if rest > 0:
            visit.lines.append(self.bed_line(f, key, ward, rest, moved, out, doctor))

    def bed_line(self, f: Facility, key: str, ward: str, quantity: int, start: int, end: int, doctor: str) -> Line:
        """Days in a bed of a ward."""
        item = self.services[key]
        line = self.line(f, item, quantity, start, start, end, doctor, "", ward)
        line.bed = f.bed(ward, start, end)
        return line
