"""CLONED_RECORDS: one patient's results and notes copied into the records of others."""

from __future__ import annotations

from data.synthetic.claims import CHRONIC_CARE, INPATIENT, OUTPATIENT, Visit
from data.synthetic.deed import Hand, Scheme


class ClonedRecords(Scheme):
    """A doctor bills the panel for everybody, has it run once and pastes the report."""

    id = "CLONED_RECORDS"
    kind = "fraud"
    actor = "doctor"
    weight = 1.2
    batch = 6
    kinds = (OUTPATIENT, CHRONIC_CARE, INPATIENT)

    def tempts(self, visit: Visit) -> bool:
        """A visit with results worth copying."""
        return sum(len(line.values) for line in visit.lines if line.item.indicators) >= 4

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: results, notes and weight of one patient in all. Subtle: only the results, the odd figure changed."""
        dice = hand.dice
        source = {line.item.key: line for line in visit.lines if line.values and line.item.indicators}
        mine = hand.others(
            lambda v: (
                v is not visit
                and (
                    v.doctor.code == hand.doctor
                    or v.disease is visit.disease
                    or v.doctor.department == visit.doctor.department
                )
                and v.stay == visit.stay
                and sum(len(line.values) for line in v.lines if line.item.key in source) >= 5
            )
        )
        mine.sort(key=lambda v: (v.doctor.code != hand.doctor, v.disease is not visit.disease))
        copied = 0
        for other in mine[: hand.group(3, 16)]:
            hand.touch(other)
            for line in other.lines:
                theirs = source.get(line.item.key)
                if theirs is None or not line.values:
                    continue
                values = list(theirs.values)
                if dice.hit(0.4 * (1 - hand.boldness)):
                    n = dice.between(0, len(values) - 1)
                    spread = line.item.indicators[n][2]
                    value = abs(float(values[n]) + 0.1 * spread * dice.normal())
                    values[n] = f"{value:.3f}" if line.item.indicators[n][1] < 2 else f"{value:.1f}"
                line.values = tuple(values)
                hand.refuse(other, line)
                copied += 1
            if dice.hit(hand.boldness):
                texts = [text for _, text, _ in visit.notes]
                other.notes = [
                    (at, texts[n] if n < len(texts) else text, who) for n, (at, text, who) in enumerate(other.notes)
                ]
            if dice.hit(hand.boldness - 0.4):
                other.weight = visit.weight
        return [] if copied else None


SCHEME = ClonedRecords()
