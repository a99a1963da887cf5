"""STAFF_UNLICENSED: somebody without a licence sees patients or runs a machine; the fund owes nothing for that work."""

from __future__ import annotations

from data.synthetic.cataloguing import staff_of
from data.synthetic.claims import CHRONIC_CARE, CHRONIC_DRUGS, OUTPATIENT, Line, Visit
from data.synthetic.deed import Hand, Scheme
from data.synthetic.world import Doctor, Facility

MACHINES = frozenset({"us", "xq", "ct", "endo", "ecg"})


class StaffUnlicensed(Scheme):
    """A place short of hands hires a person whose papers are false or never came, and gives them a code."""

    id = "STAFF_UNLICENSED"
    kind = "fraud"
    weight = 2.2
    batch = 7
    levels = "cpdv"
    kinds = (OUTPATIENT, CHRONIC_CARE, CHRONIC_DRUGS)
    late = True

    def tempts(self, visit: Visit) -> bool:
        """A consultation with orders."""
        return visit.kind in self.kinds and len(visit.lines) >= 3

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: a consultation room of their own for weeks. Subtle: behind one machine, on the orders of others."""
        f, dice = visit.facility, hand.dice
        machines = sorted({line.item.kind for line in visit.lines if line.item.kind in MACHINES})
        if machines and hand.boldness < 0.66 and dice.hit(1 - hand.boldness):
            kind = dice.pick(machines)
            hired = newcomer(f, 2, "K39")
            found = [v for v in hand.others(lambda v: bool(v.of_kind(kind))) if v is not visit]
            for other in [visit, *dice.sample(found, hand.group(3, 12) - 1)]:
                hand.touch(other)
                for line in other.of_kind(kind):
                    line.performer = hired.code
                    hand.refuse(other, line)
        else:
            hired, absent = newcomer(f, 1, visit.doctor.department), visit.doctor.code
            found = hand.others(
                lambda v: v is not visit and v.kind in self.kinds and v.doctor.department == hired.department
            )
            if not dice.hit(hand.boldness):  # the other rooms of the department are kept by those who may
                found = [v for v in found if v.doctor.code == absent]
            for other in [visit, *dice.sample(found, hand.group(4, 16) - 1)]:
                sign(hand.touch(other), hired)
                hand.refuse(other, *(line for line in other.lines if line.doctor == hired.code))
        hand.blame("doctor", f"{f.code}:{hired.code}")
        return []


def newcomer(f: Facility, place: int, department: str) -> Doctor:
    """The person of a facility who is in no staff list: the number after those that were given out."""
    last = max(int(d.code.partition("/")[0]) for d in staff_of(f))
    return Doctor(f"{last + place:06d}/{f.province}-CCHN", f.index, "BS", department)


def sign(visit: Visit, hired: Doctor) -> None:
    """Everything the doctor of the visit signed or did carries the other name."""
    was, visit.doctor = visit.doctor.code, hired
    visit.notes = [(at, text, hired.code if who == was else who) for at, text, who in visit.notes]
    for line in visit.lines:
        _rename(line, was, hired.code)


def _rename(line: Line, was: str, new: str) -> None:
    if line.doctor == was:
        line.doctor = new
    line.performer = ";".join(new if who == was else who for who in line.performer.split(";"))


SCHEME = StaffUnlicensed()
