"""Where the claims of a facility go: envelopes of up to a hundred HOSO, sent by the week or by the month."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from data.synthetic.claims import Visit
from data.synthetic.clock import DAY, Clock
from data.synthetic.dice import Dice
from data.synthetic.world import Facility
from data.synthetic.xmlout import Printer

HOSO_PER_FILE = 100
RESENT = 0.012  # share of claims sent again once they are paid


def number(clock: Clock, day: int, sequence: int) -> str:
    """MA_LK of a facility's claim: the day the person left and a running number."""
    return f"{clock.day_texts[day][2:]}{sequence:07d}"


@dataclass(slots=True)
class _Outbox:
    waiting: list[str] = field(default_factory=list)
    since: int = 0
    last: int = 0
    made: int = -1  # day of the file before
    unpaid: list[str] = field(default_factory=list)  # sent unpaid since the last file
    paid: list[str] = field(default_factory=list)  # the same claims, paid, for the next file
    sequence: int = 0
    files: int = 0


class Post:
    """Prints visits in the order people left and writes the envelopes."""

    def __init__(self, out: Path, clock: Clock, dice: Dice) -> None:
        self.out, self.clock, self.dice = out, clock, dice
        self.files = 0
        self.open_region([])

    def open_region(self, facilities: list[Facility]) -> None:
        """Take claims of these facilities from now on."""
        self.printer = Printer(self.clock, facilities)
        self.facilities = facilities
        self.boxes = [_Outbox() for _ in facilities]

    def send(self, visit: Visit) -> str:
        """Take a priced visit; returns its MA_LK."""
        f = visit.facility
        box = self.boxes[f.index]
        day = visit.left // DAY
        if box.waiting and (len(box.waiting) >= HOSO_PER_FILE or (f.level in "dvr" and day - box.since > 5)):
            self._write(f, box)
        if not box.waiting:
            box.since = day
        box.last = max(box.last, day)
        box.sequence += 1
        ma_lk = number(self.clock, day, box.sequence)
        again = self.dice.hit(RESENT)
        first = visit.earlier or visit
        again = again or first is not visit
        box.waiting.append(self.printer.hoso(first, ma_lk, paid=not again))
        if again:
            box.unpaid.append(self.printer.hoso(visit, ma_lk, paid=True))
        return ma_lk

    def close_month(self, *, last: bool) -> None:
        """Write what is waiting; at the end of the period also what is still to be sent again."""
        for f, box in zip(self.facilities, self.boxes, strict=True):
            if box.waiting:
                self._write(f, box)
            if last and box.paid:
                self._write(f, box)

    def close(self) -> None:
        """Every envelope was written with its month."""

    def _write(self, f: Facility, box: _Outbox) -> None:
        due = [*box.paid, *box.waiting]
        box.files += 1
        self.files += 1
        # What is sent again is of a later day than what was sent first: else nobody could tell which one holds.
        day = max(box.last + 1, box.made + 1 if box.paid else 0)
        box.made = day
        made = self.clock.day_texts[day]
        box.paid, box.unpaid, box.waiting = box.unpaid, [], []
        folder = self.out / f.province
        folder.mkdir(parents=True, exist_ok=True)
        head = (
            '<?xml version="1.0" encoding="utf-8"?>\n<GIAMDINHHS><THONGTINDONVI><MACSKCB>'
            f"{f.code}</MACSKCB></THONGTINDONVI><THONGTINHOSO><NGAYLAP>{made}</NGAYLAP>"
            f"<SOLUONGHOSO>{len(due)}</SOLUONGHOSO><DANHSACHHOSO>\n"
        )
        tail = "</DANHSACHHOSO></THONGTINHOSO><CHUKYDONVI/></GIAMDINHHS>\n"
        stamp = made if f.level in "dvr" else made[:6]
        path = folder / f"{f.code}_{stamp}_{box.files:04d}.xml"
        path.write_text("".join((head, *due, tail)), encoding="utf-8", newline="\n")
