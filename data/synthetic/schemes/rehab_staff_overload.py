"""REHAB_STAFF_OVERLOAD: one therapist is billed for more sessions than fit into the shift."""

from __future__ import annotations

from data.synthetic.claims import INPATIENT, Line, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme

TECHNIQUES = ("acupuncture", "massage", "exercise", "hydro_acu", "traction", "current", "sono", "infrared")
HOURS = (8, 9, 10, 13, 14, 15, 16)


class RehabStaffOverload(Scheme):
    """Exercise in a group, or no exercise at all, is written as single sessions of the one therapist on duty."""

    id = "REHAB_STAFF_OVERLOAD"
    kind = "fraud"
    weight = 1.2
    heavy = True
    levels = "dvr"
    kinds = (INPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """A course of rehabilitation."""
        return visit.stay and visit.ward == "K16" and bool(visit.of_kind("rehab"))

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """On the days of this stay everybody in the ward gets further sessions; bold: all at the full hour."""
        dice = hand.dice
        found = hand.others(lambda v: v is not visit and self.tempts(v) and v.start < visit.end and visit.start < v.end)
        stays = [visit, *dice.sample(found, hand.group(3, 9) - 1)]
        who = visit.of_kind("rehab")[0].performer
        more = 1 + round(3 * hand.boldness + dice.chance())
        days = sorted({line.done // DAY for line in visit.of_kind("rehab")})
        if hand.boldness < 0.5:
            days = days[: max(2, len(days) * 2 // 3)]
        for day in days:
            at = day * DAY + 8 * 60
            for other in stays:
                done = [line for line in other.of_kind("rehab") if line.done // DAY == day]
                if not done:
                    continue
                hand.touch(other)
                if dice.hit(0.4 + 0.6 * hand.boldness):
                    for line in done:
                        line.performer = who
                at = self._sessions(other, done, more, at, who, hand)
        return []

    @staticmethod
    def _sessions(visit: Visit, done: list[Line], more: int, at: int, who: str, hand: Hand) -> int:
        """Add sessions for one person on one day from `at`; returns when the therapist's next begins."""
        dice, first, bold = hand.dice, done[0], hand.boldness > 0.6
        keys = [k for k in TECHNIQUES if k not in {line.item.key for line in done}]
        for key, hour in zip(keys[:more] if bold else dice.sample(keys, more), HOURS, strict=False):
            item = hand.care.services[key]
            start = max(first.ordered, at) + dice.between(0, 3)
            if bold:  # the whole room at once
                start = max(first.ordered // DAY * DAY + hour * 60, -(-first.ordered // 60) * 60)
            minutes = max(10, item.minutes - dice.between(0, round(10 * hand.boldness)))
            if start % DAY > 17 * 60 or start + minutes > visit.end - 20 or start < visit.admitted:
                continue
            line = hand.care.line(
                visit.facility, item, 1000, first.ordered, start, start + minutes - 1, first.doctor, who,
                first.department,
            )  # fmt: skip
            visit.lines.append(line)
            at = line.result + dice.between(1, 3)
        return at


SCHEME = RehabStaffOverload()
