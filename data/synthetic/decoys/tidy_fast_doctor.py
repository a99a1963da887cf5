"""TIDY_FAST_DOCTOR: an experienced doctor who is quick, writes little and keeps to the clock."""

from __future__ import annotations

from data.synthetic.claims import OUTPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Decoy, Hand


class TidyFastDoctor(Decoy):
    """Short consultations that begin every five minutes sharp: it looks typed, and is a habit."""

    id = "TIDY_FAST_DOCTOR"
    kind = "legit_outlier"
    batch = 5
    levels = "pdv"
    kinds = (OUTPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """One consultation."""
        return len(visit.of_kind("exam")) == 1

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """The doctor's visits of some days around this one."""
        day = visit.start // DAY
        same = hand.others(
            lambda v: v is not visit and v.doctor is visit.doctor and v.kind == OUTPATIENT and self.tempts(v)
            and abs(v.start // DAY - day) <= 5
        )  # fmt: skip
        if len(same) < 2:
            return None
        for other in [visit, *same[: hand.group(5, 40)]]:
            hand.touch(other)
            exam = other.of_kind("exam")[0]
            start = exam.done // 5 * 5
            if start <= other.start:
                start = exam.done
            exam.ordered = exam.done = start
            exam.result = min(exam.result, start + hand.dice.between(5, 6))
            other.notes = [(exam.result, text.split(";")[0], who) for _, text, who in other.notes]
        return []


DECOY = TidyFastDoctor()
