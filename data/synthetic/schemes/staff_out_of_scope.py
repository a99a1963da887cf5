"""STAFF_OUT_OF_SCOPE: work done or ordered by somebody whose licence is for other work."""

from __future__ import annotations

from data.synthetic.claims import CHRONIC_CARE, CHRONIC_DRUGS, INPATIENT, OUTPATIENT, Visit
from data.synthetic.deed import Hand, Scheme


class StaffOutOfScope(Scheme):
    """The doctor is busy: a nurse examines and prescribes, or a physician of another specialty operates."""

    id = "STAFF_OUT_OF_SCOPE"
    kind = "abuse"
    weight = 1.0
    batch = 4
    kinds = (OUTPATIENT, CHRONIC_CARE, CHRONIC_DRUGS, INPATIENT)

    def tempts(self, visit: Visit) -> bool:
        """A consultation with a prescription, or an operation."""
        if visit.stay:
            return bool(visit.of_kind("surg"))
        return bool(visit.of_kind("drug")) and bool(visit.of_kind("exam"))

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: the nurse sees them alone. Subtle: the doctor looks, the nurse writes the prescription."""
        if visit.stay:
            return self._operation(visit, hand)
        f, dice = visit.facility, hand.dice
        nurse = f.nurses[f.index % len(f.nurses)]
        found = hand.others(
            lambda v: v is not visit and not v.stay and v.doctor.code == visit.doctor.code and self.tempts(v)
        )
        for other in [visit, *dice.sample(found, hand.group(2, 9) - 1)]:
            hand.touch(other)
            alone = dice.hit(hand.boldness)
            for line in other.lines:
                if line.doctor != other.doctor.code or not (alone or line.item.table == 2):
                    continue
                line.doctor = nurse.code
                if line.item.kind == "exam":
                    line.performer = nurse.code
                hand.refuse(other, line)
            if alone:
                other.notes = [(at, text, nurse.code if who == other.doctor.code else who)
                               for at, text, who in other.notes]  # fmt: skip
        hand.blame("doctor", f"{f.code}:{nurse.code}")
        return []

    @staticmethod
    def _operation(visit: Visit, hand: Hand) -> list[Visit] | None:
        """A physician of the medical or the traditional ward stands at the table."""
        f, dice = visit.facility, hand.dice
        wards = [w for w in ("K03", "K16", "K18") if w in f.wards and w != visit.ward]
        if not wards:
            return None
        who = f.wards[dice.pick(wards)][1].code
        for line in visit.of_kind("surg"):
            line.performer = ";".join([who, *line.performer.split(";")[1:]])
            if dice.hit(hand.boldness):
                line.doctor = who
            hand.refuse(visit, line)
        hand.blame("doctor", f"{f.code}:{who}")
        return []


SCHEME = StaffOutOfScope()
