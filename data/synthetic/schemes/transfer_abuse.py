"""TRANSFER_ABUSE: patients go to a befriended hospital and back, each time as a new admission."""

from __future__ import annotations

from dataclasses import replace

from data.synthetic.claims import INPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme
from data.synthetic.diseases import Stay
from data.synthetic.world import Facility


class TransferAbuse(Scheme):
    """Two hospitals send each other patients whom the first could have treated to the end."""

    id = "TRANSFER_ABUSE"
    kind = "fraud"
    weight = 0.9
    heavy = True
    batch = 2
    levels = "dv"
    kinds = (INPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """A medical stay that ended well, with more to be done on paper."""
        return (
            visit.days >= 3
            and isinstance(visit.disease, Stay)
            and visit.discharge == 1
            and not visit.disease.surgery
            and not visit.disease.code.startswith("O8")
            and visit.disease.cycle == 0
        )

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: there and back within the week, admission work-up each time. Subtle: only there, or back later."""
        dice, here = hand.dice, visit.facility
        there = _partner(hand, here)
        if there is None or visit.patient.last_visit > visit.left:
            return None
        bold = dice.hit(0.15 + 0.85 * hand.boldness)
        first = self._stay(hand, visit, there, visit.end + dice.between(50, 200), nights=2 if bold else 4)
        if first is None:
            return None
        _send(hand, visit, first)
        made = [first]
        if bold or dice.hit(0.4):
            wait = dice.between(60, 240) if bold else dice.between(6, 11) * DAY
            back = self._stay(hand, visit, here, first.end + wait, nights=3)
            if back is not None:
                if bold:
                    _send(hand, first, back)
                made.append(back)
        hand.blame("facility", there.code)
        return made

    def _stay(self, hand: Hand, visit: Visit, place: Facility, arrive: int, *, nights: int) -> Visit | None:
        """A short stay for the same complaint."""
        plan = visit.disease
        assert isinstance(plan, Stay)  # noqa: S101 - told by `tempts`
        last = hand.world.clock.days - 1
        if arrive // DAY + nights + 2 > last:
            return None
        short = replace(plan, nights=nights, spread=0.2, limits=(nights, nights + 2), icu=0.0, home=())
        made = hand.care.inpatient(place, visit.patient, short, arrive, emergency=True, last_day=last)
        if made is None or made.result == 5:
            return None
        made.disease, made.label = plan, "normal"
        made.result, made.discharge, made.sent_to, made.slip = 2, 1, "", ""
        made.route, made.route_percent = hand.care.route(place, visit.patient, arrive // DAY, emergency=True, stay=True)
        return made


def _partner(hand: Hand, here: Facility) -> Facility | None:
    """The hospital the managers know: always the same one."""
    near = [f for f in hand.world.facilities if f.level in "dv" and f is not here and f.opens < 0]
    near = [f for f in near if f.province == here.province] or near
    return near[here.index % len(near)] if near else None


def _send(hand: Hand, visit: Visit, following: Visit) -> None:
    """Discharge by transfer instead of to home."""
    visit.result, visit.discharge, visit.sent_to = 3, 2, following.facility.code
    visit.slip = following.slip = hand.care.slip(visit.facility)
    following.sent_from = visit.facility.code


SCHEME = TransferAbuse()
