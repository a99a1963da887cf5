"""A claim before it is printed: the visit, its lines, and the money identities that always hold.

All money is whole numbers: quantities and unit prices in thousandths, amounts in hundredths of a VND, rounded half away
from zero. `price` may be called again after any change to the lines.
"""

from __future__ import annotations

from copy import copy
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
    tender: str = ""  # TT_THAU when it is not the facility's own of the year
    package: str = ""  # GOI_VTYT of a supply; "" follows the item
    source: int = 1  # NGUON_CTRA: 1 the insurance fund, 2 project, 3 programme, 4 other
    asked: int = 0  # DON_GIA_BV in thousandths when the patient is asked for more than the approved price
    other: int = 0  # hundredths of VND another payer says it paid (T_NGUONKHAC)
    taken: int = 0  # hundredths of VND taken from the patient as co-payment beyond what is owed
    bv: int = 0
    bh: int = 0
    fund: int = 0

    def copy(self) -> Line:
        """Another line alike."""
        return copy(self)


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
    injury: int = 0  # MA_TAI_NAN
    card: str = ""  # MA_THE_BHYT when it is not the person's own
    card_to: str = ""  # GT_THE_DEN when it is not that of the card, yyyymmdd
    blood: str = ""  # NHOM_MAU when it is not that of the card's owner
    sent_from: str = ""  # MA_NOI_DI: facility that referred the person here
    sent_to: str = ""  # MA_NOI_DEN: facility the person was transferred to
    slip: str = ""  # GIAY_CHUYEN_TUYEN
    leave: int = 0  # days of sick leave certified (XML11)
    settled: str = ""  # yyyymm of NAM_QT and THANG_QT when it is not the month of leaving
    percent_forced: int = 0  # MUC_HUONG stated whatever card and route say
    stated_more: int = 0  # hundredths of VND by which the totals of XML1 exceed the sum of the lines
    keep: bool = False  # needed by a deed: not left out to keep the number of claims
    earlier: Visit | None = None  # the version of this claim that was sent first
    label: str = "normal"
    schemes: list[str] = field(default_factory=list)
    decoy: str = ""
    intensity: str = ""
    improper: int = 0  # hundredths of VND
    blamed: tuple[tuple[str, str], ...] = ()  # (level, id) of those who did it
    case: str = ""  # shared by the claims that only together show what was done
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
        if line.asked:
            line.bv = bv = half_up(line.quantity * line.asked * line.service_ratio, 1_000_000)
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
    visit.percent = percent = visit.percent_forced or benefit * visit.route_percent // 100
    fund = 0
    for line in visit.lines:
        line.fund = line.bh if percent == 100 else (2 * line.bh * percent + 100) // 200
        fund += line.fund
    visit.drugs_total, visit.supplies_total = drugs, supplies
    visit.bv, visit.bh, visit.fund = total_bv, total_bh, fund
    visit.own, visit.copay = total_bv - total_bh, total_bh - fund
