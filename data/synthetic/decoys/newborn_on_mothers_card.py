"""NEWBORN_ON_MOTHERS_CARD: a newborn lies in the children's ward before it has a card: the mother's is billed."""

from __future__ import annotations

from dataclasses import replace

from data.synthetic.claims import INPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Decoy, Hand
from data.synthetic.diseases import Order, Stay
from data.synthetic.world import Patient

JAUNDICE = Stay(
    code="P59.9", name="Vàng da sơ sinh", complaint="vàng da", weight=1, ages=(0, 0), exam="exam_ped",
    tests=(Order("cbc", 1.0), Order("glu", 0.6), Order("crp", 0.6), Order("abo", 0.8)),
    ward="K18", nights=4, spread=0.2, limits=(2, 7), daily=(Order("glu5", 1.0, 1, 1),), emergency=1.0,
)  # fmt: skip


class NewbornOnMothersCard(Decoy):
    """Two people on one card at one time, in two wards."""

    id = "NEWBORN_ON_MOTHERS_CARD"
    kind = "legit_outlier"
    weight = 0.6
    levels = "dvr"
    kinds = (INPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """A delivery with a stay of some days."""
        return visit.disease.code in ("O80", "O82") and visit.days >= 4 and visit.route_percent == 100

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """The baby is admitted the day after; the mother's share of the cost is taken for it too."""
        world, dice = hand.world, hand.dice
        arrive = visit.start + dice.between(16 * 60, 40 * 60)
        if arrive >= visit.end:
            return None
        baby = self._born(visit, hand)
        stay = hand.care.inpatient(
            visit.facility, baby, JAUNDICE, arrive, emergency=True, last_day=world.clock.days - 1
        )
        if stay is None:
            return None
        stay.card, stay.label = visit.card or visit.patient.card, "normal"
        stay.percent_forced = visit.patient.benefit
        world.patients.append(baby)
        return [stay]

    @staticmethod
    def _born(visit: Visit, hand: Hand) -> Patient:
        """A person who gets a card of their own later."""
        world, mother, dice = hand.world, visit.patient, hand.dice
        born = visit.start // DAY
        index = world.first_person + len(world.patients)
        number = (index * 104_729 + 7_919 * (world.seed % 1000)) % 10**8
        text = world.clock.text(visit.start + dice.between(60, 600))
        return replace(
            mother, index=index, sex=1 if dice.hit(0.52) else 2, born=born, born_text=text,
            card=f"TE1{mother.card[3:5]}{90 + number % 10:02d}{number:08d}", card_from=world.clock.day_texts[born],
            citizen="", blood="", weight=round(3.1 + 0.4 * dice.normal(), 1), job="00000", employer="", chronic=(),
            cancer=None, companions=(), last_visit=-(10**9), last_stay=-(10**9), supply={}, tested={}, done=set(),
        )  # fmt: skip


DECOY = NewbornOnMothersCard()
