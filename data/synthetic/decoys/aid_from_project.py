"""AID_FROM_PROJECT: a project pays the patient's part, so another source stands beside the fund's full share."""

from __future__ import annotations

from data.synthetic.claims import EPISODE, INPATIENT, Visit
from data.synthetic.deed import Decoy, Hand


class AidFromProject(Decoy):
    """A charity pays the co-payment and the own part of poor people; the patient is asked for nothing."""

    id = "AID_FROM_PROJECT"
    kind = "legit_outlier"
    levels = "dvr"
    kinds = (EPISODE, INPATIENT)

    def tempts(self, visit: Visit) -> bool:
        """A dear claim of which the patient pays a part."""
        return visit.copay > 20_000_000

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:  # noqa: ARG002 - nobody's hand is in it
        """What the patient would owe of each line is the project's."""
        for line in visit.lines:
            line.other = line.bh - line.fund
            line.taken = -line.other
        return []


DECOY = AidFromProject()
