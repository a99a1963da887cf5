"""STAFF_TWO_SITES: a licence is lent to a second place while its holder works at the first."""

from __future__ import annotations

from collections import defaultdict

from data.synthetic.claims import CHRONIC_CARE, OUTPATIENT, Line, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme
from data.synthetic.world import Facility

PICTURES = frozenset({"us", "xq", "ct"})


class StaffTwoSites(Scheme):
    """A clinic without enough licences pays somebody of a hospital for the use of the name."""

    id = "STAFF_TWO_SITES"
    kind = "fraud"
    weight = 1.0
    batch = 5
    levels = "cpd"
    kinds = (OUTPATIENT, CHRONIC_CARE)

    def tempts(self, visit: Visit) -> bool:
        """A consultation, or a picture taken."""
        return visit.kind in self.kinds and len(visit.lines) >= 3

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: within minutes of the work at the other place. Subtle: in the other half of the same day."""
        f, dice = visit.facility, hand.dice
        role = "picture" if visit.of_kind(*PICTURES) and dice.hit(0.5) else "doctor"
        near = [g for g in hand.world.facilities if g is not f and g.level in "pdvr"
                and (g.province == f.province) == (hand.boldness < 0.6)]  # fmt: skip
        if not near:
            return None
        name, seen = self._lender(near, role, visit, hand)
        if not name:
            return None
        done = 0
        far = round(200 - 170 * hand.boldness)
        found = hand.others(
            lambda v: v is not visit and v.kind in self.kinds and v.doctor.department == visit.doctor.department
        )
        for other in [visit, *dice.sample(found, len(found))]:
            lines = self._lines(other, role)
            if not lines or not self._meets(lines, seen, far, bold=hand.boldness > 0.5):
                continue
            hand.touch(other)
            was = other.doctor.code
            for line in lines:
                if role == "picture":
                    line.performer = name
                else:
                    line.doctor = name
                    line.performer = ";".join(name if who == was else who for who in line.performer.split(";"))
                hand.refuse(other, line)
            if role == "doctor":
                other.notes = [(at, text, name if who == was else who) for at, text, who in other.notes]
            done += 1
            if done >= hand.group(3, 10):
                break
        return [] if done else None

    @staticmethod
    def _lines(visit: Visit, role: str) -> list[Line]:
        if role == "picture":
            return visit.of_kind(*PICTURES)
        return [line for line in visit.lines if line.doctor == visit.doctor.code]

    @staticmethod
    def _lender(near: list[Facility], role: str, visit: Visit, hand: Hand) -> tuple[str, dict[int, list[int]]]:
        """Somebody who works elsewhere on the day of the visit, and when they work in the month."""
        codes = {g.code for g in near}
        day = visit.start // DAY
        kinds = PICTURES if role == "picture" else {"exam"}
        work: defaultdict[str, defaultdict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        place: dict[str, str] = {}
        for v in hand.month:
            if v.facility.code in codes:
                for line in v.lines:
                    if line.item.kind in kinds and (role == "picture" or line.department == visit.doctor.department):
                        work[line.performer][line.done // DAY].append(line.done)
                        place[line.performer] = v.facility.code
        there = sorted(name for name in work if day in work[name] and ";" not in name)
        if not there:
            return "", {}
        name = hand.dice.pick(sorted(there, key=lambda n: -len(work[n]))[:6])
        hand.blame("doctor", f"{place[name]}:{name}")
        return name, dict(work[name])

    @staticmethod
    def _meets(lines: list[Line], seen: dict[int, list[int]], far: int, *, bold: bool) -> bool:
        """Whether the holder of the name was at work elsewhere so near in time (or, subtle, merely that day)."""
        at = lines[0].done
        gaps = [abs(at - other) for other in seen.get(at // DAY, ())]
        return bool(gaps) and (min(gaps) <= far if bold else min(gaps) >= 45)


SCHEME = StaffTwoSites()
