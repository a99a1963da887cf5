"""MUE_EXCEEDED: more of one service in a day or period than a body can need."""

from __future__ import annotations

from data.synthetic.claims import CHRONIC_CARE, INPATIENT, Line, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme

OFTEN = ("pct", "crp", "cbc", "ions", "glu", "tropo", "coag", "crea", "ecg", "bnp", "us_abd", "xq_chest")
"""Tests whose repetition pays, in the order of who tries what first."""
LIMITED = "pct"  # a circular says how often it is paid


class MueExceeded(Scheme):
    """The laboratory's standing order runs every few hours; a yearly or quarterly value is measured at each visit."""

    id = "MUE_EXCEEDED"
    kind = "abuse"
    weight = 1.0
    levels = "pdvr"
    kinds = (INPATIENT, CHRONIC_CARE)

    def tempts(self, visit: Visit) -> bool:
        """A stay of some days with tests, or a diabetic in a month without the long-term value."""
        keys = {line.item.key for line in visit.lines}
        if visit.stay:
            return visit.days >= 3 and not keys.isdisjoint(OFTEN)
        return visit.kind == CHRONIC_CARE and any(d.code == "E11.9" for d in visit.patient.chronic)

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: several a day, day after day. Subtle: a second one next day, or too soon.

        Blatant: procalcitonin, of which two days have one by law.
        """
        dice = hand.dice
        if not visit.stay:
            return self._too_soon(visit, hand)
        found = [line for key in OFTEN for line in visit.lines if line.item.key == key and line.done < visit.end - DAY]
        if not found:
            return None
        source = found[0] if dice.hit(0.5) else dice.pick(found)
        blatant = hand.intensity == "blatant"
        key = LIMITED if blatant else source.item.key
        if source.item.group == 1 and hand.boldness > 0.5 and not blatant and dice.hit(0.4):  # typed as a number
            source.quantity = (2 + round(3 * hand.boldness * dice.chance())) * 1000
            return []
        gap = round((22 - 17 * hand.boldness) * 60)
        again = [
            line for n in range(1, 2 + round(1 + 6 * hand.boldness))
            if (line := self._again(visit, hand, key, source.ordered + n * gap + dice.between(-20, 20))) is not None
        ]  # fmt: skip
        visit.lines.extend(again)
        return [] if len(again) > blatant else None

    @staticmethod
    def _again(visit: Visit, hand: Hand, key: str, moment: int) -> Line | None:
        if moment > visit.end - 200:
            return None
        day, f = moment // DAY, visit.facility
        working = hand.world.clock.working(day)
        doctor = f.ward_doctor(visit.ward, day) if working else f.on_call[day % len(f.on_call)]
        return hand.care.test(f, visit, key, moment, doctor.code, visit.ward, visit.end - 60, free_choice=True)

    @staticmethod
    def _too_soon(visit: Visit, hand: Hand) -> list[Visit] | None:
        """HbA1c again within the quarter, twice over when bold."""
        exam, dice = visit.of_kind("exam")[0], hand.dice
        mine = [line for line in visit.lines if line.item.key == "hba1c"]
        if not mine:
            line = hand.care.test(
                visit.facility, visit, "hba1c", exam.result + 1, exam.doctor, exam.department, visit.left + 90,
                free_choice=True,
            )  # fmt: skip
            if line is None:
                return None
            visit.lines.append(line)
            last = line.result + 12
            if last > visit.left:
                for drug in visit.lines:
                    if drug.item.table == 2:
                        drug.ordered = drug.done = drug.result = last - 8
                visit.left = visit.end = last
                visit.patient.last_visit = max(visit.patient.last_visit, last)
        elif hand.boldness > 0.4:
            dice.pick(mine).quantity = 2000
        else:
            return None
        return []


SCHEME = MueExceeded()
