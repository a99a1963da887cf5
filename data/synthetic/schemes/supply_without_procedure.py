"""SUPPLY_WITHOUT_PROCEDURE: an implant or device billed in a stay in which nothing was done with it."""

from __future__ import annotations

from data.synthetic.claims import INPATIENT, Visit
from data.synthetic.deed import Hand, Scheme

NOT_NEEDED = {"s_hernia": "mesh", "s_appendix": "trocar", "s_gall": "trocar", "s_csection": "mesh"}
"""What an open operation does not use, though the keyhole or mesh one does."""

IMPLANTS = ("mesh", "plate", "lens")
HEART_IMPLANTS = ("stent", "balloon")  # where there is a catheter laboratory
IMPLANT_WARDS = ("K03", "K04", "K16", "K18", "K19", "K24", "K30")


class SupplyWithoutProcedure(Scheme):
    """The store books out a device to a patient who lies in a ward anyway; the supplier pays a share of it."""

    id = "SUPPLY_WITHOUT_PROCEDURE"
    kind = "fraud"
    weight = 0.9
    heavy = True
    levels = "dvr"
    kinds = (INPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """A stay without operation, or an open operation beside which the device does not catch the eye."""
        surgery = visit.of_kind("surg")
        if not surgery:
            return visit.days >= 3 and visit.ward in IMPLANT_WARDS
        key = NOT_NEEDED.get(surgery[0].item.key)
        return key is not None and not any(line.item.key == key for line in visit.lines)

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Subtle: with an open operation, or a catheter nobody put in. Bold: an implant in a medical stay."""
        dice, care, f = hand.dice, hand.care, visit.facility
        surgery = visit.of_kind("surg")
        if surgery:
            if hand.boldness > 0.66:
                return None  # who is bold does not wait for an operation
            keys, moment, doctor = [NOT_NEEDED[surgery[0].item.key]], surgery[0].done, surgery[0].doctor
        else:
            if hand.boldness < 0.35:
                keys = ["cath"]
            else:
                keys = [dice.pick(HEART_IMPLANTS if f.level in "vr" and visit.ward == "K04" else IMPLANTS)]
                if keys == ["plate"]:
                    keys.append("screw")
            rounds = [line for line in visit.lines if line.item.table == 2 and line.ordered < visit.end - 120]
            if not rounds:
                return None
            source = dice.pick(rounds)
            moment, doctor = source.done + dice.between(10, 40), source.doctor
        for key in keys:
            item = care.supplies[key]
            quantity = 1000 * (dice.between(4, 6) if key == "screw" else 1)
            line = care.line(f, item, quantity, moment, moment, moment, doctor, "", visit.ward)
            if item.implant:
                line.serial = f"SN{dice.between(10**8, 10**9 - 1)}"
            visit.lines.append(line)
        return []


SCHEME = SupplyWithoutProcedure()
