"""OVER_REHAB: every technique of the rehabilitation ward, every day, for everybody who lies there."""

from __future__ import annotations

from collections import defaultdict

from data.synthetic.claims import INPATIENT, Line, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme

TECHNIQUES = ("acupuncture", "massage", "infrared", "traction", "exercise", "current", "sono", "hydro_acu")


class OverRehab(Scheme):
    """The traditional medicine ward lives on many cheap techniques a day, needed or not."""

    id = "OVER_REHAB"
    kind = "abuse"
    actor = "doctor"
    weight = 1.6
    heavy = True
    levels = "dvr"
    wards = ("K16",)
    kinds = (INPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """A course of some days in the ward."""
        return visit.stay and visit.ward == "K16" and visit.days >= 4 and bool(visit.of_kind("rehab"))

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """The same further techniques every day; the bolder the more and the shorter each."""
        dice = hand.dice
        by_day: defaultdict[int, list[Line]] = defaultdict(list)
        for line in visit.of_kind("rehab"):
            by_day[line.done // DAY].append(line)
        have = {line.item.key for line in visit.of_kind("rehab")}
        extra = dice.sample(
            [k for k in TECHNIQUES if k not in have], 1 + round(3.4 * hand.boldness * dice.chance() + hand.boldness)
        )
        technicians = {d.code: d for d in visit.facility.technicians["rehab"]}
        for day in sorted(by_day):
            last = max(by_day[day], key=lambda line: line.result)
            at, first = last.result + dice.between(1, 6), by_day[day][0]
            for key in extra:
                item = hand.care.services[key]
                minutes = max(8, round(item.minutes * (1 - 0.5 * hand.boldness * dice.chance())))
                who, start = last.performer, at
                if hand.boldness < 0.5:  # somebody really does it
                    helper = technicians[dice.pick(sorted(technicians))]
                    booked = helper.book(at, minutes)
                    if booked is None:
                        continue
                    who, start = helper.code, booked
                if start // DAY != day or start + minutes > visit.end - 20 or start % DAY > 18 * 60:
                    continue
                line = hand.care.line(
                    visit.facility, item, 1000, first.ordered, start, start + minutes - 1, first.doctor, who,
                    first.department,
                )  # fmt: skip
                visit.lines.append(line)
                at = line.result + dice.between(1, 4)
        return []


SCHEME = OverRehab()
