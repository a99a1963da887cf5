"""SELF_REFERRAL_TEST: patients are sent for tests to a linked clinic, though the place could do them itself."""

from __future__ import annotations

from data.synthetic.claims import CHRONIC_CARE, OUTPATIENT, Line, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme
from data.synthetic.world import CLOSE, OPEN, Facility

MORE = ("us_abd", "ecg", "us_heart", "xq_chest", "tsh", "cea", "crea", "ast", "alt", "chol", "trig", "urine")


class SelfReferralTest(Scheme):
    """Doctors of a hospital own a part of the clinic across the street and send their patients there to be tested."""

    id = "SELF_REFERRAL_TEST"
    kind = "abuse"
    weight = 1.4
    batch = 6
    levels = "dvr"
    kinds = (OUTPATIENT, CHRONIC_CARE)

    def tempts(self, visit: Visit) -> bool:
        """A visit with tests, early enough to go elsewhere."""
        return bool(_tests(visit)) and visit.patient.last_visit <= visit.left and visit.left % DAY < 15 * 60

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: all the tests and as many again, the same day. Subtle: some of them, some days later."""
        dice, f = hand.dice, visit.facility
        clinics = [g for g in hand.world.facilities if g.level == "p" and g.province == f.province
                   and g.opens < visit.start // DAY]  # fmt: skip
        if not clinics:
            return None
        partner = clinics[f.index % len(clinics)]
        others = hand.others(lambda v: v is not visit and v.kind in self.kinds and self.tempts(v))
        made: list[Visit] = []
        for other in (visit, *dice.sample(others, hand.group(3, 18) - 1)):
            sent = self._send(other, partner, hand)
            if sent is not None:
                made.append(sent)
        hand.blame("facility", partner.code)
        return made if len(made) >= 2 else None

    @staticmethod
    def _send(visit: Visit, partner: Facility, hand: Hand) -> Visit | None:
        dice, clock, patient = hand.dice, hand.world.clock, visit.patient
        tests = [x for x in _tests(visit) if x.item.kind in partner.machines]
        day = visit.start // DAY
        arrive = visit.left + dice.between(15, 50)
        if not dice.hit(0.2 + 0.7 * hand.boldness):
            day += dice.between(1, 3)
            while day < clock.days - 1 and not clock.working(day):
                day += 1
            arrive = day * DAY + dice.between(OPEN + 10, 10 * 60)
        free = min(doctor.taken.get(day, OPEN) for doctor in partner.exams["exam_med"])
        arrive = max(arrive, day * DAY + free - dice.between(0, 10))
        if not tests or day >= clock.days - 1 or arrive % DAY > CLOSE - 60:
            return None
        seen = hand.care.exam(partner, "exam_med", arrive + dice.between(2, 8))
        if seen is None:
            return None
        exam, doctor = seen
        second = hand.clone(visit, patient, arrive - visit.start)
        second.kind, second.facility, second.doctor, second.lines = OUTPATIENT, partner, doctor, [exam]
        second.secondary, second.leave, second.return_day, second.days = visit.secondary, 0, 0, 0
        moved = [x for x in tests if dice.hit(0.5 + 0.5 * hand.boldness)] or tests[:1]
        have = {x.item.key for x in visit.lines}
        keys = [x.item.key for x in moved]
        keys += dice.sample([k for k in MORE if k not in have], 1 + round(len(moved) * hand.boldness) + dice.hit(0.3))
        for key in keys:
            line = hand.care.test(
                partner, second, key, exam.result + 1, doctor.code, doctor.department, day * DAY + CLOSE + 60,
                free_choice=True,
            )  # fmt: skip
            if line is not None:
                second.lines.append(line)
        if len(second.lines) < 3:
            return None
        gone = {x.item.key for x in second.lines} & {x.item.key for x in moved}
        hand.touch(visit)
        visit.lines = [x for x in visit.lines if x.item.key not in gone]
        second.left = second.end = max(x.result for x in second.lines) + dice.between(5, 15)
        second.notes = []
        hand.care.note(second, exam.result, doctor.code)
        second.route, second.route_percent = hand.care.route(partner, patient, day, emergency=False, stay=False)
        patient.last_visit = max(patient.last_visit, second.left)
        return second


def _tests(visit: Visit) -> list[Line]:
    """Tests that a clinic can do as well."""
    return [x for x in visit.lines if x.item.kind in ("haem", "biochem", "immuno", "us", "xq", "ecg", "endo")]


SCHEME = SelfReferralTest()
