"""The synthetic world: provinces that do not exist, their facilities, staff, machines, beds, price lists and people.

Everything here is fixed before the first claim and depends on the seed alone. No name, number or code belongs to a
real person or facility: facility codes start with 97, 98 or 99.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache

from data.synthetic.clock import DAY, Clock
from data.synthetic.dice import Dice, running
from data.synthetic.diseases import COMPANIONS, HEART, Disease, Stay, cancers, chronic, table

PROVINCES = ("97", "98", "99")

EXAM_DEPARTMENTS = {
    "exam_med": "K01", "exam_ped": "K18", "exam_surg": "K19", "exam_obs": "K27", "exam_eye": "K30",
    "exam_ent": "K28", "exam_dent": "K29", "exam_derm": "K13", "exam_trad": "K16",
}  # fmt: skip
WARDS = {"d": ("K02", "K03", "K16", "K18", "K19", "K24", "K27", "K30"),
         "v": ("K02", "K03", "K04", "K16", "K18", "K19", "K24", "K27", "K30", "K33"),
         "r": ("K02", "K03", "K04", "K16", "K18", "K19", "K24", "K27", "K30", "K33")}  # fmt: skip
SURGICAL = frozenset({"K19", "K24", "K27", "K30", "K04"})
MODALITIES = {
    "us": "SA", "xq": "XQ", "ct": "CL", "mri": "MRI", "endo": "NS", "ecg": "DC", "haem": "HH", "biochem": "SH",
    "immuno": "SH", "micro": "VS", "path": "VS", "dialysis": "TT",
}  # fmt: skip
CATALOGUE_KIND = {"us": "us", "xq": "xq", "ct": "ct", "mri": "mri", "haem": "xn", "biochem": "xn", "immuno": "xn",
                  "micro": "xn", "path": "xn"}  # fmt: skip
_CLINIC = ("us", "xq", "endo", "ecg", "haem", "biochem", "immuno", "micro")
_DISTRICT = (*_CLINIC, "ct", "path", "dialysis")
EQUIPMENT = {"c": (), "p": _CLINIC, "d": _DISTRICT, "v": (*_DISTRICT, "mri"), "r": (*_DISTRICT, "mri")}
PRICE_FACTOR = {"DB": 1.12, "1": 1.08, "2": 1.0, "3": 0.95, "4": 0.92, "": 0.88}
VOLUME = {"c": 0.12, "p": 0.20, "d": 0.38, "v": 0.20, "r": 0.10}
HOMES = {"c": 0.25, "p": 0.20, "d": 0.40, "v": 0.13, "r": 0.02}
MOST_NUMBERS = 999  # of facilities in a province: the code has three digits for them
NEVER = 10**9  # a day that does not come: somebody who died has no further visit
KIN = 0.25  # share of people who live with somebody registered at the same place
OPEN, LUNCH, BACK, CLOSE = 7 * 60, 11 * 60 + 30, 13 * 60, 16 * 60 + 30


@dataclass(frozen=True, slots=True)
class Item:
    """A service, drug or supply of the price lists."""

    table: int  # 2: drugs (XML2), 3: services and supplies (XML3)
    index: int
    key: str
    code: str
    name: str
    group: int
    kind: str
    price: int  # VND
    unit: str
    minutes: int = 0
    indicators: tuple[tuple[str, float, float, str], ...] = ()
    strength: str = ""
    route: str = ""
    form: str = ""
    ingredient: str = ""
    pay_ratio: int = 100
    implant: bool = False


def _indicators(text: str) -> tuple[tuple[str, float, float, str], ...]:
    found: list[tuple[str, float, float, str]] = []
    for part in filter(None, text.split(";")):
        name, mean, spread, unit = part.split(":")
        found.append((name, float(mean), float(spread), unit))
    return tuple(found)


@cache
def services() -> dict[str, Item]:
    """Services by key."""
    return {
        r["key"]: Item(3, i, r["key"], r["code"], r["name"], int(r["group"]), r["kind"], int(r["price"]), r["unit"],
                       int(r["minutes"]), _indicators(r["indicators"]))
        for i, r in enumerate(table("services"))
    }  # fmt: skip


@cache
def drugs() -> dict[str, Item]:
    """Drugs by key."""
    return {
        r["key"]: Item(2, i, r["key"], r["code"], r["name"], int(r["group"]), "drug", int(r["price"]), r["unit"],
                       strength=r["strength"], route=r["route"], form=r["form"], ingredient=r["ingredient"],
                       pay_ratio=int(r["pay_ratio"]))
        for i, r in enumerate(table("drugs"))
    }  # fmt: skip


@cache
def supplies() -> dict[str, Item]:
    """Supplies by key."""
    return {
        r["key"]: Item(3, i, r["key"], r["code"], r["name"], 10, "supply", int(r["price"]), r["unit"],
                       implant=r["implant"] == "1")
        for i, r in enumerate(table("supplies"))
    }  # fmt: skip


@dataclass(slots=True)
class Doctor:
    """Someone who orders or does work, and how they tend to work."""

    code: str
    facility: int
    title: str
    department: str
    tests: float = 1.0  # habit: how many more tests than usual
    stays: float = 1.0  # habit: how much longer stays last
    pace: float = 1.0
    taken: dict[int, int] = field(default_factory=dict)  # day -> first free minute of the day

    def book(self, moment: int, minutes: int, close: int = CLOSE + 30) -> int | None:
        """The first moment from `moment` when they are free for `minutes` that day; None when the day is over."""
        day, minute = divmod(moment, DAY)
        start = max(minute, self.taken.get(day, 0))
        if LUNCH <= start < BACK and minute < LUNCH + 15:
            start = BACK + minute % 10
        if start + minutes > close:
            return None
        self.taken[day] = start + minutes
        return day * DAY + start


@dataclass(slots=True)
class Machine:
    """A machine; imaging machines take one person at a time."""

    code: str
    kind: str
    taken: dict[int, int] = field(default_factory=dict)
    down: tuple[int, int] = (0, -1)  # first and last day out of order or not registered

    def works(self, day: int) -> bool:
        """Whether it can be used on a day."""
        return not self.down[0] <= day <= self.down[1]

    def book(self, moment: int, minutes: int, limit: int) -> int | None:
        """The first free moment from `moment`, or None when it would be after `limit` (absolute)."""
        day, minute = divmod(moment, DAY)
        if not self.works(day):
            return None
        start = max(minute, self.taken.get(day, 0))
        if day * DAY + start + minutes > limit or start + minutes > DAY:
            return None
        self.taken[day] = start + minutes
        return day * DAY + start


@dataclass(slots=True)
class Facility:
    """A place of care with what it has and the habits of its software."""

    index: int  # place in the world
    serial: int  # number in the country
    code: str
    name: str
    level: str  # c, p, d, v, r
    province: str
    rank: str
    tuyen: int
    technical: str
    kind: str
    ownership: str
    volume: float
    lat: float
    lon: float
    exams: dict[str, list[Doctor]] = field(default_factory=dict)
    wards: dict[str, list[Doctor]] = field(default_factory=dict)
    surgeons: dict[str, list[Doctor]] = field(default_factory=dict)
    on_call: list[Doctor] = field(default_factory=list)
    technicians: dict[str, list[Doctor]] = field(default_factory=dict)
    nurses: list[Doctor] = field(default_factory=list)
    machines: dict[str, list[Machine]] = field(default_factory=dict)
    beds: dict[str, list[int]] = field(default_factory=dict)  # ward -> when each bed becomes free
    planned: int = 30
    service_prices: list[int] = field(default_factory=list)  # thousandths of VND, by item index
    new_prices: list[int] = field(default_factory=list)  # the same from `price_day` on
    price_day: int = 10**9  # day of a new price decision
    opens: int = -(10**9)  # first day of a place that is new
    drug_prices: list[int] = field(default_factory=list)
    supply_prices: list[int] = field(default_factory=list)
    patients: list[Patient] = field(default_factory=list)
    wrapped: str = "plain"  # plain, wrapped or inline content of NOIDUNGFILE
    cdata: bool = True
    zero_bug: bool = False  # its software exports lines without cost twice
    saturday: bool = False

    def price(self, item: Item, moment: int) -> int:
        """Unit price here at a moment, thousandths of VND."""
        if item.table == 2:
            return self.drug_prices[item.index]
        if item.kind == "supply":
            return self.supply_prices[item.index]
        return (self.service_prices if moment < self.price_day * DAY else self.new_prices)[item.index]

    def bed(self, ward: str, start: int, end: int) -> str:
        """Take the first bed of `ward` free from `start`; an extra one when all are taken."""
        beds = self.beds[ward]
        for number, free in enumerate(beds):
            if free <= start:
                beds[number] = end
                return f"H{number + 1:03d}" if number < self.planned else f"T{number + 1 - self.planned:03d}"
        beds.append(end)
        number = len(beds)
        return f"H{number:03d}" if number <= self.planned else f"T{number - self.planned:03d}"

    def ward_doctor(self, ward: str, day: int) -> Doctor:
        """Who makes the round of a ward that day."""
        team = self.wards[ward]
        return team[(day // 7 + self.index) % len(team)]


@dataclass(slots=True)
class Patient:
    """An insured person; nothing about them is real."""

    index: int
    sex: int
    born: int  # day number, mostly negative
    born_text: str
    province: str
    home: int  # facility of registration
    card: str
    card_from: str
    card_to: str
    citizen: str
    phone: str
    blood: str
    weight: float
    commune: str
    job: str
    employer: str  # of those insured through work
    household: int  # number of the household, the same for those who share a phone and a commune
    chronic: tuple[Disease, ...] = ()
    cancer: Stay | None = None
    companions: tuple[str, ...] = ()
    last_visit: int = -(10**9)  # when they were last seen leaving
    last_stay: int = -(10**9)
    free_from: int = -(10**9)  # first day of an unplanned visit
    supply: dict[str, int] = field(default_factory=dict)  # drug code -> day the supply ends
    tested: dict[str, int] = field(default_factory=dict)  # test key -> day of the last one
    done: set[str] = field(default_factory=set)  # stays that happen once in a life
    died: int | None = None  # day of death in the civil registry, right or wrong

    @property
    def benefit(self) -> int:
        """Percent of the card's class."""
        return {"1": 100, "2": 100, "3": 95, "4": 80, "5": 100}[self.card[2]]

    def age(self, day: int) -> int:
        """Age in whole years on a day."""
        return int((day - self.born) / 365.25)


@dataclass(slots=True)
class World:
    """Everything the claims are about."""

    clock: Clock
    seed: int
    facilities: list[Facility]
    first_person: int  # number in the country of the first of `patients`
    patients: list[Patient]
    chronic: list[Patient]
    dialysis: list[Patient]
    oncology: list[Patient]
    epidemic_month: int
    epidemic_province: str
    busy_doctor: str

    def of_level(self, level: str) -> list[Facility]:
        """Facilities of one level letter."""
        return [f for f in self.facilities if f.level == level]


@dataclass(frozen=True, slots=True)
class Numbers:
    """What earlier regions of the country have used up: numbers of facilities, of facilities by province, of people."""

    facilities: int = 0
    by_province: int = 0
    people: int = 0

    def after(self, world: World) -> Numbers:
        """The numbers used up once `world` has been made as well."""
        most = max(sum(f.province == p for f in world.facilities) for p in PROVINCES)
        return Numbers(
            self.facilities + len(world.facilities), self.by_province + most, self.people + len(world.patients)
        )


def build(clock: Clock, *, seed: int, monthly: float, region: int = 0, used: Numbers = Numbers()) -> World:
    """The world of one region, which yields about `monthly` encounters a month."""
    dice = Dice(seed, region, 1)
    country = Dice(seed, 9)  # what is the same in every region
    facilities = _facilities(dice, monthly / 22, used)
    for f in facilities:
        _staff(f, dice, monthly / 22)
    _prices(facilities, dice, country, clock)
    _openings(facilities, dice, clock)
    epidemic = clock.month_index(clock.first_month_of_rain())
    busy = next((f for f in facilities if f.level == "d"), facilities[0]).exams["exam_med"][0]
    busy.pace = 0.8
    world = World(clock, seed, facilities, used.people, [], [], [], [], epidemic, country.pick(PROVINCES), busy.code)
    _people(world, dice, monthly)
    return world


def in_province(monthly: float) -> int:
    """Most facilities that a region of about `monthly` encounters a month has in one province."""
    return sum(_counts(monthly / 22).values()) + 1  # one province has the hospital for rare diseases too


def _counts(daily: float) -> dict[str, int]:
    """Facilities of each level in each province."""
    return {
        "v": max(1, round(daily * 0.2 / 3 / 250)),
        "d": min(20, max(2, round(daily * 0.4 / 3 / 60))),
        "c": min(60, max(4, round(daily * 0.12 / 3 / 15))),
        "p": min(15, max(1, round(daily * 0.2 / 3 / 50))),
    }


def _facilities(dice: Dice, daily: float, used: Numbers) -> list[Facility]:
    counts = _counts(daily)
    kinds = {
        "r": ("Bệnh viện chuyên sâu", "DB", 1, "chuyen_sau", "general", "public"),
        "v": ("Bệnh viện đa khoa tỉnh", "1", 2, "chuyen_sau", "general", "public"),
        "d": ("Trung tâm y tế khu vực", "3", 3, "co_ban", "general", "public"),
        "c": ("Trạm y tế xã", "", 4, "ban_dau", "commune", "public"),
        "p": ("Phòng khám đa khoa", "4", 3, "ban_dau", "polyclinic", "private"),
    }
    found: list[Facility] = []
    for p, province in enumerate(PROVINCES):
        levels = [level for level, n in counts.items() for _ in range(n)] + (["r"] if p == 2 else [])
        for number, level in enumerate(levels, start=used.by_province + 1):
            name, rank, tuyen, technical, kind, ownership = kinds[level]
            if level == "d":
                rank = dice.pick(("2", "3", "3"))
            found.append(
                Facility(
                    index=len(found), serial=used.facilities + len(found), code=f"{province}{number:03d}",
                    name=f"{name} số {number} (tỉnh thử {province})",
                    level=level, province=province, rank=rank, tuyen=tuyen, technical=technical, kind=kind,
                    ownership=ownership, volume=dice.lognormal(1, 0.35),
                    lat=round(10 + 3 * p + dice.chance() * 0.35, 4), lon=round(105 + dice.chance() * 0.35, 4),
                    wrapped=dice.pick(("plain", "plain", "plain", "wrapped", "wrapped", "inline")),
                    cdata=dice.hit(0.8), saturday=level in "pvr",
                )
            )  # fmt: skip
    for level, share in VOLUME.items():
        of_level = [f for f in found if f.level == level]
        total = sum(f.volume for f in of_level)
        for f in of_level:
            f.volume *= share / total
    buggy = dice.sample([f for f in found if f.level in "dv"], 2)
    for f in buggy:
        f.zero_bug = True
    return found


def _staff(f: Facility, dice: Dice, daily: float) -> None:
    number = 0

    def hire(title: str, department: str) -> Doctor:
        nonlocal number
        number += 1
        return Doctor(
            f"{f.serial * 1000 + number:06d}/{f.province}-CCHN", f.index, title, department,
            tests=dice.lognormal(1, 0.25), stays=dice.lognormal(1, 0.08), pace=dice.lognormal(1, 0.1),
        )  # fmt: skip

    load = daily * f.volume
    keys = ("exam_med",) if f.level == "c" else tuple(EXAM_DEPARTMENTS)
    for key in keys:
        need = 1 + math.ceil(load * (0.75 if key == "exam_med" else 0.1) / 26) + (key == "exam_med" and f.level != "c")
        f.exams[key] = [hire("BS", EXAM_DEPARTMENTS[key]) for _ in range(need)]
    for kind in EQUIPMENT[f.level]:
        per_day = load * {"us": 0.25, "xq": 0.25, "ct": 0.08, "mri": 0.03, "endo": 0.2, "ecg": 0.3}.get(kind, 0)
        slots = {"us": 36, "xq": 45, "ct": 20, "mri": 11, "endo": 22, "ecg": 40}.get(kind, 1000)
        machines = 1 + math.ceil(per_day * 1.4 / slots)
        if kind == "dialysis":
            machines = 1 + math.ceil(daily * 22 * 0.012 / 6)
        group = MODALITIES[kind]
        f.machines[kind] = [
            Machine(f"{group}.{1 if f.ownership == 'public' else 3}.{f.code}.{len(f.machines) * 20 + n + 1:03d}", kind)
            for n in range(machines)
        ]
        f.technicians[kind] = [
            hire("KTV", "K39" if group in ("SA", "XQ", "CL", "MRI") else "K47") for _ in range(1 + machines // 3)
        ]
    if f.level in WARDS:
        f.planned = max(12, math.ceil(load * 1.2))
        for ward in WARDS[f.level]:
            f.wards[ward] = [hire("BS", ward) for _ in range(2)]
            f.beds[ward] = []
            if ward in SURGICAL:
                f.surgeons[ward] = [hire("BS", ward) for _ in range(2 + math.ceil(load * 0.05 / 4))]
        f.on_call = [hire("BS", "K02") for _ in range(7)]
        f.technicians["night"] = [hire("KTV", "K47") for _ in range(7)]
        f.technicians["rehab"] = [hire("KTV", "K16") for _ in range(2 + math.ceil(load * 0.06))]
    f.nurses = [hire("DD", "K01") for _ in range(3 + len(f.wards))]


def _prices(facilities: list[Facility], dice: Dice, country: Dice, clock: Clock) -> None:
    """Approved prices by rank; one province decides new ones within the period."""
    where, when = country.pick(PROVINCES), round(clock.days * (0.35 + 0.4 * country.chance()))
    rise = 1.04 + 0.06 * country.chance()
    for f in facilities:
        factor = PRICE_FACTOR[f.rank]
        f.service_prices = [round(s.price * factor / 100) * 100_000 for s in services().values()]
        f.drug_prices = [max(1, round(d.price * 10 * dice.lognormal(1, 0.07))) * 100 for d in drugs().values()]
        f.supply_prices = [round(s.price * dice.lognormal(1, 0.05) / 100) * 100_000 for s in supplies().values()]
        if f.province == where and clock.days > 90:
            f.price_day = when
            f.new_prices = [round(price * rise / 100_000) * 100_000 for price in f.service_prices]


def _openings(facilities: list[Facility], dice: Dice, clock: Clock) -> None:
    """Machines that stand still for weeks; a polyclinic or hospital that is new: nothing before its first day."""
    of_level = {level: [f for f in facilities if f.level == level] for level in "pd"}
    for f in facilities:
        for machines in f.machines.values():
            for machine in machines:
                if dice.hit(0.08) and len(machines) > 1:
                    first = dice.between(0, max(0, clock.days - 30))
                    machine.down = (first, first + dice.between(14, 45))
    able = [f for group in of_level.values() if len(group) > len(PROVINCES) for f in group]
    if able and clock.days > 150:
        dice.pick(able).opens = round(clock.days * (0.3 + 0.3 * dice.chance()))


_CARDS = (
    (6, ("TE1",), (1.0,)),
    (18, ("HS4", "HN2", "DT2"), (0.88, 0.07, 0.05)),
    (23, ("SV4", "DN4", "GD4"), (0.6, 0.25, 0.15)),
    (60, ("DN4", "GD4", "HC4", "HN2", "CN3", "DT2"), (0.42, 0.35, 0.08, 0.07, 0.05, 0.03)),
    (200, ("HT3", "GD4", "BT2", "HN2", "KC2", "CC1", "DT2"), (0.4, 0.33, 0.1, 0.07, 0.05, 0.02, 0.03)),
)


def _people(world: World, dice: Dice, monthly: float) -> None:
    """Register everyone; the sizes of the groups follow from how often each comes."""
    homes = _Homes(world.facilities)
    for _ in range(max(3, round(monthly * 3.0))):
        home = homes.draw(dice)
        home.patients.append(_person(world, dice, home, _sex(dice), _age(dice)))
    for _ in range(max(3, round(monthly * 0.40))):
        first = dice.weighted(chronic(), running([d.weight for d in chronic()]))
        conditions = (first, *_comorbid(first, dice))
        low, high = max(d.ages[0] for d in conditions), min(d.ages[1] for d in conditions)
        age = min(high - 1, max(low + 1, round(64 + 11 * dice.normal())))
        home = homes.draw(dice, first.levels)
        person = _person(world, dice, home, first.sex or _sex(dice), age, conditions)
        home.patients.append(person)
        world.chronic.append(person)
    for _ in range(max(3, round(monthly * 0.012))):
        home = homes.of_level(dice, "d" if dice.hit(0.6) else "v")
        age = min(80, max(25, round(55 + 12 * dice.normal())))
        world.dialysis.append(_person(world, dice, home, _sex(dice), age))
    for _ in range(max(3, round(monthly * 0.010))):
        cancer = dice.weighted(cancers(), running([c.weight for c in cancers()]))
        home = homes.of_level(dice, "r" if cancer.levels == "r" or dice.hit(0.4) else "v")
        age = min(cancer.ages[1] - 1, max(cancer.ages[0] + 1, round(58 + 9 * dice.normal())))
        world.oncology.append(_person(world, dice, home, cancer.sex or _sex(dice), age, cancer=cancer))
    for f in world.facilities:
        if not f.patients:  # a station nobody registered at still sees its neighbours
            f.patients.extend(p for p in world.patients[:200] if p.province == f.province)


class _Homes:
    """Where people are registered."""

    def __init__(self, facilities: list[Facility]) -> None:
        self._levels = tuple(HOMES)
        self._shares = running(tuple(HOMES.values()))
        self._places = {level: [f for f in facilities if f.level == level] for level in HOMES}
        self._volumes = {level: running([f.volume for f in group]) for level, group in self._places.items()}

    def of_level(self, dice: Dice, level: str) -> Facility:
        """A facility of one level, the larger the likelier."""
        return dice.weighted(self._places[level], self._volumes[level])

    def draw(self, dice: Dice, able: str = "cpdvr") -> Facility:
        """Any facility; a district hospital for those whose disease is not treated at the one drawn."""
        level = dice.weighted(self._levels, self._shares)
        return self.of_level(dice, level if level in able else "d")


def _sex(dice: Dice) -> int:
    return 1 if dice.hit(0.47) else 2


def _age(dice: Dice) -> int:
    draw = dice.chance()
    if draw < 0.16:
        return dice.between(0, 9)
    if draw < 0.26:
        return dice.between(10, 22)
    if draw < 0.66:
        return dice.between(23, 55)
    return min(95, 55 + int(abs(dice.normal()) * 14))


def _comorbid(first: Disease, dice: Dice) -> tuple[Disease, ...]:
    by_code = {d.code: d for d in chronic()}
    also = {"I10": (("E11.9", 0.2), ("I25.1", 0.1)), "E11.9": (("I10", 0.55),), "I25.1": (("I10", 0.6),),
            "I50.9": (), "J44.9": (("I10", 0.3),)}.get(first.code, ())  # fmt: skip
    return tuple(by_code[code] for code, chance in also if dice.hit(chance))


def _person(
    world: World,
    dice: Dice,
    home: Facility,
    sex: int,
    age: int,
    conditions: tuple[Disease, ...] = (),
    cancer: Stay | None = None,
) -> Patient:
    clock = world.clock
    index = world.first_person + len(world.patients)
    # Ages are counted at the end of the period, so that a child's card is good for the whole of it.
    born = clock.days - 1 - int(age * 365.25) - dice.between(1, 364)
    if age == 0:
        born = -dice.between(30, 300)
    birth = clock.date_of(born)
    last_age = int((clock.days - born) / 365.25)
    for limit, kinds, weights in _CARDS:
        if last_age < limit:
            kind = dice.weighted(kinds, running(weights))
            break
    else:
        kind = "GD4"
    number = (index * 104_729 + 7_919 * (world.seed % 1000)) % 10**8
    card = f"{kind}{home.province}{90 + number % 10:02d}{number:08d}"
    precise = age < 14 or dice.hit(0.93)
    weight = 3.5 + age * 2.4 if age < 14 else (57 if sex == 1 else 51) + 6 * dice.normal()
    before = home.patients[-1] if home.patients else None
    kin = before if before is not None and dice.hit(KIN) else None  # lives with the one registered before
    companions = (
        tuple(dice.sample(COMPANIONS[:3] if cancer is None else COMPANIONS[3:5], dice.between(0, 2)))
        if age >= 35
        else ()
    )
    person = Patient(
        index=index, sex=sex, born=born,
        born_text=f"{birth:%Y%m%d}0000" if precise else f"{birth.year}00000000",
        province=home.province, home=home.index, card=card,
        card_from=f"{clock.first.year - 1}0101", card_to=f"{clock.until.year + 1 + index % 3}1231",
        citizen=f"0{home.province}{number:09d}" if age >= 14 and dice.hit(0.93) else "",
        phone=kin.phone if kin else f"0900{number % 10**6:06d}" if dice.hit(0.86) else "",
        blood=dice.weighted(("O+", "A+", "B+", "AB+"), (0.43, 0.64, 0.94, 1.0)) if dice.hit(0.3) else "",
        weight=round(min(95.0, max(3.5, weight)), 1),
        commune=kin.commune if kin else f"{home.province}{dice.between(1, 40):03d}",
        employer=f"Công ty thử {home.province}-{index % 97 % 23:02d}" if kind in ("DN4", "HC4") else "",
        household=kin.household if kin else index,
        job=dice.pick(("00000", "00000", "51200", "91111", "51410", "01300")), chronic=conditions, cancer=cancer,
        companions=companions,
    )  # fmt: skip
    world.patients.append(person)
    return person


def road_km(a: Facility, b: Facility) -> float:
    """Road between two places: a third longer than the straight line."""
    east = (a.lon - b.lon) * math.cos(math.radians(a.lat))
    return 1.3 * 111.2 * math.hypot(a.lat - b.lat, east)


def has_heart_disease(patient: Patient) -> bool:
    """Whether anti-inflammatory drugs and metformin are to be avoided."""
    return any(d.code in HEART or d.code == "J44.9" for d in patient.chronic)
