"""CARD_LENDING: somebody without a card is treated under another's."""

from __future__ import annotations

from data.synthetic.claims import INPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme
from data.synthetic.world import Patient

GROUPS = ("O+", "A+", "B+", "AB+")


class CardLending(Scheme):
    """An uninsured relative or a paying stranger has a delivery, an operation or a stay on a lent card.

    The care is real; body and history are the borrower's, name and card the lender's.
    """

    id = "CARD_LENDING"
    kind = "fraud"
    actor = "patient"
    weight = 0.7
    heavy = True
    levels = "dvr"
    kinds = (INPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """A stay that somebody without a card could not pay."""
        p = visit.patient
        return visit.stay and visit.fund > 150_000_000 and p.age(visit.start // DAY) >= 16 and p.cancer is None

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: the lender is ten years older, of another build and blood. Subtle: a look-alike. Or only the card."""
        dice, borrower = hand.dice, visit.patient
        lender = self._lender(visit, hand)
        if lender is None:
            return None
        if hand.boldness > 0.5 and dice.hit(0.3) and lender.card[2] == borrower.card[2]:
            visit.card = lender.card  # the own name is on the file, the lent number on the bill
        else:
            visit.patient = lender
            if lender.blood:
                other = [g for g in GROUPS if g != lender.blood]
                visit.blood = borrower.blood or dice.pick(other if dice.hit(0.5) else [lender.blood])
            if hand.boldness < 0.3:
                visit.secondary = hand.care.secondary(lender, visit.disease)
            self._register(visit, hand)
            lender.last_visit = max(lender.last_visit, visit.left)
            lender.last_stay = max(lender.last_stay, visit.end)
        hand.refuse(visit, *visit.lines)
        return []

    @staticmethod
    def _lender(visit: Visit, hand: Hand) -> Patient | None:
        """Somebody who could pass for the borrower and was not in hospital then: best one whom the claims know."""
        dice, borrower, day = hand.dice, visit.patient, visit.start // DAY
        years = 4 + round(14 * hand.boldness)
        low, high = visit.disease.ages
        able = [
            p for p in hand.world.patients
            if p is not borrower and p.sex == borrower.sex and p.province == visit.facility.province
            and abs(p.born - borrower.born) <= years * 365 and low <= p.age(day) < high and p.age(day) >= 16
            and p.cancer is None and p.died is None and not p.done and p.free_from < 10**8
            and (p.last_visit < visit.start - 3 * DAY or p.last_visit > visit.left + 3 * DAY)
            and p.last_stay < visit.start - 3 * DAY
        ]  # fmt: skip
        if hand.boldness > 0.5:
            able = [p for p in able if abs(p.born - borrower.born) > 5 * 365] or able
        known = [p for p in able if p.last_visit > 0]
        typed = [p for p in known if p.blood] if dice.hit(0.25) else []
        found = typed or (known if known and dice.hit(0.8) else able)
        if not found:
            return None
        if hand.boldness > 0.66:  # nobody looks at the photograph
            return max(dice.sample(found, 12), key=lambda p: abs(p.weight - borrower.weight))
        return dice.pick(found)

    @staticmethod
    def _register(visit: Visit, hand: Hand) -> None:
        """Route and ratios follow the lender's card."""
        f, lender = visit.facility, visit.patient
        emergency = visit.route == "2"
        route = hand.care.route(f, lender, visit.start // DAY, emergency=emergency, stay=True)
        visit.route, visit.route_percent = route
        if f.level == "r":
            home = hand.world.facilities[lender.home]
            sent = visit.route == "1.5" and home is not f
            visit.sent_from, slip = (home.code, hand.care.slip(home)) if sent else ("", "")
            visit.slip = slip if not visit.sent_to else visit.slip
        visit.phone = visit.phone or lender.phone
        for line in visit.lines:
            if line.item.table == 2:
                line.cover_ratio = 100 if lender.card[2] in "15" else line.item.pay_ratio


SCHEME = CardLending()
