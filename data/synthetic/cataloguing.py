"""The catalogue CSV files that go with the claims: facilities, staff, prices, machines, beds, tenders, calendar."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from data.synthetic.care import BED
from data.synthetic.clock import Clock
from data.synthetic.world import CATALOGUE_KIND, MODALITIES, Doctor, Facility, Item, World, drugs, services, supplies
from data.synthetic.xmlout import registration, tender

Rows = Iterable[tuple[Any, ...]]
IN_ORDER, RUN_OUT = "000", "010"  # what the portal answers when a card is looked up
COMPONENT_MINUTES = {"exam": 6, "surg": 60, "rehab": 20}


class Books:
    """The catalogue files, filled region by region; what is the same everywhere is written once."""

    def __init__(self, out: Path, clock: Clock) -> None:
        self.out, self.clock = out, clock
        self._started: set[str] = set()

    def add(self, world: World) -> None:
        """Write what this region has."""
        since = date(self.clock.first.year - 1, 1, 1).isoformat()
        tables = {
            "facilities": _facilities(world, since),
            "staff": _staff(world, since),
            "services": _services(world, since),
            "drugs": _drugs(since),
            "supplies": _supplies(since),
            "machines": _machines(world, since),
            "beds": _beds(world, since),
            "tenders": _tenders(world),
            "cards": _cards(world),
            "calendar": _calendar(world),
        }
        for name, rows in tables.items():
            if name in EVERYWHERE and name in self._started:
                continue
            self._write(name, rows)

    def close(self) -> int:
        """The number of files written."""
        return len(self._started)

    def _write(self, name: str, rows: Rows) -> None:
        self.out.mkdir(parents=True, exist_ok=True)
        again = name in self._started
        self._started.add(name)
        with (self.out / f"{name}.csv").open("a" if again else "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            for n, row in enumerate(rows):
                if n or not again:
                    writer.writerow(row)


EVERYWHERE = ("drugs", "supplies", "calendar")


def _facilities(world: World, since: str) -> Rows:
    yield ("ma_cskcb", "name", "province", "rank", "tuyen", "level", "kind", "ownership", "beds", "exam_tables",
           "open_from", "open_to", "lat", "lon", "valid_from", "valid_to")  # fmt: skip
    for f in world.facilities:
        tables = sum(len(team) for team in f.exams.values())
        yield (f.code, f.name, f.province, f.rank, f.tuyen, f.technical, f.kind, f.ownership,
               f.planned * len(f.beds) or "", tables, "07:00", "17:00", f.lat, f.lon,
               _opened(world, f, since), "")  # fmt: skip


def _opened(world: World, f: Facility, since: str) -> str:
    return since if f.opens < 0 else world.clock.date_of(f.opens).isoformat()


def staff_of(f: Facility) -> list[Doctor]:
    """Everyone who works at a facility, each once."""
    groups = [*f.exams.values(), *f.wards.values(), *f.surgeons.values(), f.on_call, *f.technicians.values(), f.nurses]
    return list({d.code: d for group in groups for d in group}.values())


def _staff(world: World, since: str) -> Rows:
    yield ("ma_bac_si", "ma_cskcb", "title", "specialty", "scope", "full_time", "schedule", "valid_from", "valid_to")
    for f in world.facilities:
        week = ";".join(
            f"{d} 07:00-17:00" for d in ("Mon", "Tue", "Wed", "Thu", "Fri", *(["Sat"] if f.saturday else []))
        )
        around = {d.code for d in f.on_call} | {d.code for team in f.wards.values() for d in team}
        for d in staff_of(f):
            yield (
                d.code,
                f.code,
                d.title,
                d.department,
                d.department,
                1,
                "24/7" if d.code in around else week,
                since,
                "",
            )


def _services(world: World, since: str) -> Rows:
    yield ("ma_dich_vu", "name", "ma_nhom", "ma_cskcb", "rank", "price", "minutes", "max_per_day", "needs_machine",
           "valid_from", "valid_to")  # fmt: skip
    for f in world.facilities:
        for s in services().values():
            able = s.kind in f.exams or s.kind not in MODALITIES or s.kind in f.machines
            if s.kind == "bed":
                codes = [ward + s.code[3:] for ward in f.beds if s.key in (BED[ward], "bed_med2")]
            elif s.kind == "transport":  # its code names where the ride goes
                codes = [f"VC.{place.code}" for place in world.facilities if place.level in "vr" and f.beds]
            else:
                codes = [s.code] if able and (s.kind != "surg" or f.surgeons) else []
            minutes = COMPONENT_MINUTES.get(s.kind, s.minutes)
            limit = 1 if s.kind in ("surg", "deliver", "dialysis") else ""
            for code in codes:
                for price, first, last in _periods(world, f, s, since):
                    yield (code, s.name, s.group, f.code, f.rank, price // 1000, minutes or "", limit,
                           int(s.kind in MODALITIES), first, last)  # fmt: skip


def _periods(world: World, f: Facility, s: Item, since: str) -> Rows:
    """Price, first and last day of each price decision."""
    if not f.new_prices:
        yield (f.service_prices[s.index], since, "")
        return
    day = f.price_day
    yield (f.service_prices[s.index], since, world.clock.date_of(day - 1).isoformat())
    yield (f.new_prices[s.index], world.clock.date_of(day).isoformat(), "")


def _drugs(since: str) -> Rows:
    yield ("ma_thuoc", "name", "active_ingredient", "strength", "route", "unit", "so_dang_ky", "ma_nhom", "pay_ratio",
           "condition", "min_rank", "ddd", "valid_from", "valid_to")  # fmt: skip
    for d in drugs().values():
        yield (
            d.code,
            d.name,
            d.ingredient,
            d.strength,
            d.route,
            d.unit,
            registration(d),
            d.group,
            d.pay_ratio,
            "",
            "",
            "",
            since,
            "",
        )


def _supplies(since: str) -> Rows:
    yield ("ma_vat_tu", "name", "unit", "price_cap", "reusable", "pay_ratio", "valid_from", "valid_to")
    for s in supplies().values():
        yield (s.code, s.name, s.unit, "", 0, 100, since, "")


def _machines(world: World, since: str) -> Rows:
    def day(number: int) -> str:
        return world.clock.date_of(number).isoformat()

    yield ("ma_may", "ma_cskcb", "name", "kind", "capacity_per_day", "valid_from", "valid_to")
    for f in world.facilities:
        for kind, machines in f.machines.items():
            for m in machines:
                shown = CATALOGUE_KIND.get(kind, "other")
                capacity = {"us": 48, "xq": 58, "ct": 29, "mri": 19}.get(shown, "")
                first, last = m.down
                spans = [(since, "")]
                if last >= first:
                    spans = [(since, day(first - 1)), (day(last + 1), "")]
                for start, end in spans:
                    yield (m.code, f.code, f"Máy {MODALITIES[kind]}", shown, capacity, start, end)


def _cards(world: World) -> Rows:
    yield ("ma_the_bhyt", "valid_from", "valid_to", "benefit", "ma_dkbd", "status", "deceased_on")
    codes = [f.code for f in world.facilities]
    for p in world.patients:
        since, until = (f"{d[:4]}-{d[4:6]}-{d[6:]}" for d in (p.card_from, p.card_to))
        died = "" if p.died is None else world.clock.date_of(p.died).isoformat()
        held = (p.benefit, codes[p.home])
        yield (p.card, since, until, *held, IN_ORDER, died)
        after = date.fromisoformat(until) + timedelta(days=1)
        if after <= world.clock.until:
            yield (p.card, after.isoformat(), "", *held, RUN_OUT, died)


def _beds(world: World, since: str) -> Rows:
    yield ("ma_cskcb", "ma_khoa", "ma_giuong", "planned", "kind", "valid_from", "valid_to")
    for f in world.facilities:
        for ward in f.beds:
            yield (f.code, ward, "", f.planned, "H", since, "")


def _tenders(world: World) -> Rows:
    yield ("ma_cskcb", "code", "so_dang_ky", "tt_thau", "price", "quantity", "valid_from", "valid_to")
    clock = world.clock
    for year in range(clock.first.year, clock.until.year + 1):
        for f in world.facilities:
            for item in (*drugs().values(), *supplies().values()):
                number = registration(item) if item.table == 2 else ""
                price = f"{f.price(item, 0) / 1000:.3f}"
                decision = tender(item, f.code, str(year))
                yield (f.code, item.code, number, decision, price, 1_000_000, f"{year}-01-01", f"{year}-12-31")


def _calendar(world: World) -> Rows:
    yield ("date", "kind", "province", "note")
    clock: Clock = world.clock
    for day in sorted(clock.holidays):
        yield (clock.date_of(day).isoformat(), "holiday", "", "Nghỉ lễ, Tết")
    start, _ = clock.months[world.epidemic_month]
    yield (clock.date_of(start).isoformat(), "epidemic", world.epidemic_province, "Dịch sốt xuất huyết")
    decided = {(f.price_day, f.province) for f in world.facilities if f.new_prices}
    for day, province in sorted(decided):
        yield (clock.date_of(day).isoformat(), "price_change", province, "Giá dịch vụ mới")
