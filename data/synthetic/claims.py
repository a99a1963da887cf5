"""A claim before it is printed: the visit, its lines, and the money identities that always hold.

All money is whole numbers: quantities and unit prices in thousandths, amounts in hundredths of a VND, rounded half away
from zero. `price` may be called again after any change to the lines.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from data.synthetic.clock import Clock
    from data.synthetic.diseases import Disease
    from data.synthetic.world import Doctor, Facility, Item, Patient

OUTPATIENT, CHRONIC_DRUGS, CHRONIC_CARE, EPISODE, INPATIENT = "01", "05", "08", "02", "03"


@dataclass(slots=True)
class Line:
    """A drug, service, supply or bed line."""

    item: Item
    quantity: int  # thousandths
    unit_price: int  # thousandths of VND
    ordered: int
    done: int
    result: int
    doctor: str
    performer: str
    department: str
    dose: str = ""
    service_ratio: int = 100
    cover_ratio: int = 100
    bed: str = ""
    machine: str = ""
    anaesthesia: int = 0
    values: tuple[str, ...] = ()
    conclusion: str = ""
    serial: str = ""
    bv: int = 0
    bh: int = 0
    fund: int = 0

    def copy(self) -> Line:
        """Another line alike."""
        return Line(
            self.item, self.quantity, self.unit_price, self.ordered, self.done, self.result, self.doctor,
            self.performer, self.department, self.dose, self.service_ratio, self.cover_ratio, self.bed, self.machine,
            self.anaesthesia, self.values, self.conclusion, self.serial, self.bv, self.bh, self.fund,
        )  # fmt: skip


@dataclass(slots=True)
class Visit:
    """An encounter and, apart from what is printed, what truth says of it."""

    facility: Facility
    patient: Patient
    disease: Disease
    kind: str  # MA_LOAI_KCB
    route: str  # MA_DOITUONG_KCB
    route_percent: int
    start: int
    end: int  # NGAY_RA
    left: int  # when the person was last there
    doctor: Doctor
    ward: str = ""
    admitted: int = 0
    days: int = 0  # SO_NGAY_DTRI
    result: int = 2
    discharge: int = 1
    weight: float = 0.0
    phone: str = ""
    return_day: int = 0
    secondary: tuple[str, ...] = ()
    notes: list[tuple[int, str, str]] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    label: str = "normal"
    schemes: list[str] = field(default_factory=list)
    improper: int = 0  # hundredths of VND
    actor: tuple[str, str] | None = None
    percent: int = 0
    drugs_total: int = 0
    supplies_total: int = 0
    bv: int = 0
    bh: int = 0
    own: int = 0
    copay: int = 0
    fund: int = 0

    @property
    def stay(self) -> bool:
        """Whether it is an inpatient stay."""
        return self.kind == INPATIENT

    def of_kind(self, *kinds: str) -> list[Line]:
        """Lines whose item is of one of the kinds."""
        return [line for line in self.lines if line.item.kind in kinds]


def half_up(numerator: int, denominator: int) -> int:
    """Quotient rounded half away from zero; both are not negative."""
    return (2 * numerator + denominator) // (2 * denominator)


def price(visit: Visit, clock: Clock) -> None:
    """Fill every amount of the visit from quantities, unit prices and ratios."""
    total_bv = total_bh = drugs = supplies = 0
    for line in visit.lines:
        whole = line.quantity * line.unit_price * line.service_ratio  # 1e-8 of a VND
        line.bv = bv = (2 * whole + 1_000_000) // 2_000_000
        cover = line.cover_ratio
        line.bh = bh = bv if cover == 100 else (2 * whole * cover + 100_000_000) // 200_000_000
        total_bv += bv
        total_bh += bh
        if line.item.table == 2:
            drugs += bv
        elif line.item.kind == "supply":
            supplies += bv
    benefit = visit.patient.benefit
    if visit.facility.level == "c" or (
        visit.route_percent == 100 and total_bh < clock.exemption_limits[max(0, visit.start // 1440)]
    ):
        benefit = 100
    visit.percent = percent = benefit * visit.route_percent // 100
    fund = 0
    for line in visit.lines:
        line.fund = line.bh if percent == 100 else (2 * line.bh * percent + 100) // 200
        fund += line.fund
    visit.drugs_total, visit.supplies_total = drugs, supplies
    visit.bv, visit.bh, visit.fund = total_bv, total_bh, fund
    visit.own, visit.copay = total_bv - total_bh, total_bh - fund
