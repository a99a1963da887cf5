"""BUDGET_GAMING: at the end of a quarter spending is driven up to what was foreseen, or pushed into the next one."""

from __future__ import annotations

from data.synthetic.claims import INPATIENT, OUTPATIENT, Visit
from data.synthetic.clock import DAY, Clock
from data.synthetic.deed import Hand, Scheme

MORE = ("crp", "ions", "ast", "alt", "urea", "crea", "chol", "trig", "urine", "glu", "uric", "hdl")
DEARER = ("bnp", "pct", "ferri", "tsh", "ft4", "cea", "us_abd", "ecg", "us_heart", "xq_chest")
LAST_DAYS = 20


class BudgetGaming(Scheme):
    """The finance office tells the departments how much of the foreseen sum is left, and they use it up."""

    id = "BUDGET_GAMING"
    kind = "abuse"
    weight = 0.9
    batch = 6
    levels = "dv"
    kinds = (OUTPATIENT, INPATIENT)

    def tempts(self, visit: Visit) -> bool:
        """Any visit with a work-up."""
        return any(line.item.group in (1, 2, 3) for line in visit.lines)

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """In the last weeks of a quarter: 15 to 40 % more for each; what is over the sum is settled a month later."""
        clock, dice = hand.world.clock, hand.dice
        first, end = clock.months[clock.month_index(visit.start // DAY)]
        if clock.month_of(first) % 3 != 2:
            return None
        since = end - LAST_DAYS
        late = hand.others(lambda v: v is not visit and v.start // DAY >= since and self.fits(v))
        chosen = dice.sample(late, hand.group(4, 14))
        if visit.start // DAY >= since:
            chosen.append(visit)
        if len(chosen) < 2:
            return None
        done = 0
        for other in chosen:
            hand.touch(other)
            done += self._spend(other, hand)
        if dice.hit(0.4 + 0.9 * hand.boldness):
            for other in chosen:
                if other.left // DAY >= end - 4 - round(8 * hand.boldness) and other.left // DAY < end:
                    other.settled = _next_month(clock, other.left // DAY)
        return [] if done else None

    def fits(self, visit: Visit) -> bool:
        """A visit of a kind that can be made dearer."""
        return visit.kind in self.kinds and self.tempts(visit)

    def _spend(self, visit: Visit, hand: Hand) -> bool:
        """Add tests until the bill has grown by the share asked for."""
        dice = hand.dice
        wanted = visit.bh * (0.15 + 0.25 * hand.boldness)
        have = {line.item.key for line in visit.lines}
        keys = [k for k in dice.sample(MORE, 5) if k not in have]
        if wanted > 10_000_000:
            keys = [*(k for k in dice.sample(DEARER, 4) if k not in have), *keys]
        asked = next((line for line in visit.lines if line.item.kind == "exam"), visit.lines[0])
        moment = asked.result + 1
        added = 0
        last = visit.left
        for key in keys:
            limit = visit.left - 60 if visit.stay else visit.left + 120
            line = hand.care.test(visit.facility, visit, key, moment, asked.doctor, asked.department, limit)
            if line is None or added + line.unit_price / 10 > 1.7 * max(wanted, 4_000_000):
                continue
            visit.lines.append(line)
            added += line.unit_price // 10
            last = max(last, line.result + 12)
            if added >= wanted:
                break
        if not visit.stay and last > visit.left:
            for line in visit.lines:
                if line.item.table == 2:  # the prescription waits for the results
                    line.ordered = line.done = line.result = last - 8
            visit.left = visit.end = last
        return added > 0


def _next_month(clock: Clock, day: int) -> str:
    when = clock.date_of(day)
    serial = when.year * 12 + when.month
    return f"{serial // 12}{serial % 12 + 1:02d}"


SCHEME = BudgetGaming()
