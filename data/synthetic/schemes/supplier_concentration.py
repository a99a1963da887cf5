"""SUPPLIER_CONCENTRATION: from some day on, a place buys from one bidder whatever that bidder has."""

from __future__ import annotations

from data.synthetic.claims import CHRONIC_CARE, CHRONIC_DRUGS, OUTPATIENT, Line, Visit
from data.synthetic.deed import Hand, Scheme
from data.synthetic.diseases import Order
from data.synthetic.world import Facility, Item, drugs
from data.synthetic.xmlout import tender

LIKE = (
    ("amox", "amoxc", "cefu", "cefi", "cefi_b", "azi", "levo"),
    ("para", "ibup", "melox", "celec", "eperi"),
    ("acetyl", "antacid", "ors"),
    ("amlo", "losar", "biso", "amlo_b", "losar_b"),
    ("ator", "rosu", "ator_b"),
    ("aspirin", "clopi", "clopi_b"),
    ("vit3b", "magb6", "calcid", "ginkgo", "gluco", "herb_back", "herb_blood"),
    ("omepra", "silym", "herb_liver", "alphach", "lora"),
)
"""Drugs of which one is often bought in place of another; the unit is the same within a row."""


class SupplierConcentration(Scheme):
    """Manager and bidder have agreed: the ward stock moves to that bidder's products, without a clinical reason."""

    id = "SUPPLIER_CONCENTRATION"
    kind = "fraud"
    weight = 1.3
    batch = 10
    levels = "pdv"
    kinds = (OUTPATIENT, CHRONIC_CARE, CHRONIC_DRUGS)
    late = True

    def tempts(self, visit: Visit) -> bool:
        """A claim with a drug that the favoured bidder could replace by a dearer one."""
        return any(_better(line, visit.facility) for line in visit.lines)

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: every row of the formulary and every claim. Subtle: one or two rows, every second claim."""
        dice, since = hand.dice, visit.start
        own = sorted({_row(line.item) for line in visit.lines if _better(line, visit.facility)})
        rows = {dice.pick(own), *dice.sample(range(len(LIKE)), round(6 * hand.boldness))}
        others = hand.others(
            lambda v: v is not visit and v.kind in self.kinds and v.start >= since
            and any(_row(line.item) in rows and _better(line, v.facility) for line in v.lines)
        )  # fmt: skip
        changed = 0
        for other in (visit, *dice.sample(others, hand.group(4, 24) - 1)):
            hand.touch(other)
            for line in other.lines:
                new = _better(line, other.facility)
                taken = new is None or any(x.item is new for x in other.lines)
                if new is None or taken or _row(line.item) not in rows:
                    continue
                if not hand.care.fits(Order(new.key, 1.0), other.patient, other.disease):
                    continue
                if other is not visit and dice.hit(0.3 - 0.3 * hand.boldness):
                    continue
                lasts = other.patient.supply
                lasts[new.code] = max(lasts.get(new.code, -999), lasts.get(line.item.code, -999))
                line.item, line.unit_price = new, other.facility.price(new, line.ordered)
                changed += 1
        return [] if changed else None


def favoured(f: Facility) -> str:
    """The number of the tender decision that the bidder won at a place."""
    return str(100 + f.serial % 6)


def _row(item: Item) -> int:
    return next((n for n, keys in enumerate(LIKE) if item.key in keys), -1)


def _better(line: Line, f: Facility) -> Item | None:
    """The favoured bidder's dearer product in place of a line's, if there is one."""
    row = _row(line.item) if line.item.table == 2 else -1
    if row < 0:
        return None
    number = favoured(f)
    if tender(line.item, f.code, "").startswith(number):
        return None
    shelf = (drugs()[key] for key in LIKE[row])
    return next(
        (i for i in shelf if tender(i, f.code, "").startswith(number) and f.price(i, 0) > line.unit_price), None
    )


SCHEME = SupplierConcentration()
