"""Synthetic claims with injected schemes: files a hospital could have sent, catalogues, and the truth about both.

`generate` is deterministic: the same arguments give the same bytes. No name, card or facility in it is real.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from data.synthetic.arrivals import Arrivals
from data.synthetic.care import Care
from data.synthetic.cataloguing import Books
from data.synthetic.claims import INPATIENT, OUTPATIENT, Visit, price
from data.synthetic.clock import DAY, Clock
from data.synthetic.deed import Scheme
from data.synthetic.dice import Dice
from data.synthetic.envelope import Post
from data.synthetic.injection import Underworld, all_decoys, all_schemes
from data.synthetic.shelf import Shelf
from data.synthetic.truth import Truth
from data.synthetic.world import MOST_NUMBERS, Numbers, World, build, in_province

REGION = 5_000  # most encounters a month in one region of the country, while the numbers of facilities are enough
MANIFEST = "generated.json"
ZERO_BUG = 0.25  # share of its claims in which faulty software repeats a line without cost


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateReport:
    """What was written."""

    encounters: int
    drug_lines: int
    service_lines: int
    files: int
    improper_claims: int
    improper_share_of_money: float
    schemes: Mapping[str, int]


def generate(
    out: Path,
    *,
    encounters: int,
    months: int,
    seed: int,
    until: date = date(2026, 9, 30),
    layout: Literal["xml", "parquet"] = "xml",
    only: Sequence[str] | None = None,
    thick: float = 1.0,
    plain: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> GenerateReport:
    """Write `encounters` claims of the `months` up to `until` into `out`: `xml/`, `catalogues/`, `truth/`.

    Args:
        out: Folder. What an earlier run wrote there is replaced; anything else is left alone.
        encounters: Claims in all. Beyond `REGION` a month the country has several regions, made one after another, so
            memory does not grow: it holds one region's people and one month of its claims.
        months: Calendar months of the period.
        seed: The same seed gives the same bytes.
        until: Last day of the period.
        layout: `xml`: envelopes as hospitals send them; `parquet`: `out/parquet`, one file a table, official fields.
        only: Ids of the schemes to inject; all when None.
        thick: Times the usual share of improper claims; for tests and studies of one scheme.
        plain: Honest and tidy claims only: no scheme, no decoy, no faulty software.
        progress: Called with (done, all) encounters.

    Raises:
        ValueError: A number is too small or a scheme unknown.
        FileExistsError: `out` holds folders of these names that were not generated.
    """
    if encounters < 1 or months < 1:
        raise ValueError(f"encounters ({encounters}) and months ({months}) must be at least 1")
    chosen = [] if plain else [s for s in all_schemes() if only is None or s.id in only]
    if not plain and only is not None and (unknown := set(only) - {s.id for s in chosen}):
        known = ", ".join(s.id for s in all_schemes())
        raise ValueError(f"unknown scheme(s) {', '.join(sorted(unknown))}; known: {known}")
    clock = Clock.of(months, until)
    _clear(out)
    asked = {"encounters": encounters, "months": months, "seed": seed, "until": until.isoformat(), "layout": layout,
             "schemes": [s.id for s in chosen], "share": thick, "plain": plain}  # fmt: skip
    (out / MANIFEST).write_text(json.dumps(asked, indent=1) + "\n", encoding="utf-8")
    post = Post(out / "xml", clock, Dice(seed, 5)) if layout == "xml" else Shelf(out / "parquet", clock)
    truth, books = Truth(out / "truth"), Books(out / "catalogues", clock)
    tally = _Tally(encounters, progress)
    used = Numbers()
    for region, share in enumerate(_regions(encounters, months)):
        world = build(clock, seed=seed, monthly=share / months, region=region, used=used)
        _region(world, region, share, chosen, post, truth, tally, thick=thick, plain=plain)
        books.add(world)
        used = used.after(world)
        post.open_region([])
        del world  # and all who knew of it, before the people of the next region are made
    post.close()
    catalogues = books.close()
    truth.close()
    return GenerateReport(
        encounters=tally.made,
        drug_lines=tally.drugs,
        service_lines=tally.services,
        files=post.files + catalogues + 3,
        improper_claims=truth.improper_claims,
        improper_share_of_money=truth.improper_money / truth.money if truth.money else 0.0,
        schemes=dict(sorted(truth.counts.items())),
    )


def _clear(out: Path) -> None:
    """Make room: only what an earlier run wrote is removed, told by its manifest."""
    ours = [out / name for name in ("xml", "parquet", "catalogues", "truth")]
    if not (out / MANIFEST).exists() and (there := [p for p in ours if p.exists()]):
        raise FileExistsError(f"{there[0]} is there already and was not generated")
    for folder in ours:
        shutil.rmtree(folder, ignore_errors=True)
    out.mkdir(parents=True, exist_ok=True)


def _regions(encounters: int, months: int) -> list[int]:
    """Claims of each region of the country, nearly equal; fewer and larger ones where facilities would lack numbers."""
    count = max(1, math.ceil(encounters / months / REGION))
    while count > 1 and count * in_province(encounters / months / count) > MOST_NUMBERS:
        count -= 1
    return [encounters * (n + 1) // count - encounters * n // count for n in range(count)]


@dataclass(slots=True)
class _Tally:
    wanted: int
    progress: Callable[[int, int], None] | None
    made: int = 0
    drugs: int = 0
    services: int = 0

    def count(self, visit: Visit) -> None:
        drugs = sum(line.item.table == 2 for line in visit.lines)
        self.made += 1
        self.drugs += drugs
        self.services += len(visit.lines) - drugs
        if self.progress and (self.made % 200 == 0 or self.made == self.wanted):
            self.progress(self.made, self.wanted)


def _region(
    world: World,
    region: int,
    encounters: int,
    chosen: Sequence[Scheme],
    post: Post | Shelf,
    truth: Truth,
    tally: _Tally,
    *,
    thick: float,
    plain: bool,
) -> None:
    """Live through the months of one region and send its claims."""
    clock, seed = world.clock, world.seed
    care = Care(world, Dice(seed, region, 2))
    arrivals = Arrivals(world, care, care.dice)
    decoys = () if plain else all_decoys()
    schemers = Underworld(care, Dice(seed, region, 3), expected=encounters, schemes=chosen, decoys=decoys, thick=thick)
    quirks = Dice(seed, region, 6)
    if plain:
        for f in world.facilities:
            f.zero_bug = False
    post.open_region(world.facilities)
    made = 0
    waiting: list[Visit] = []
    targets = _targets(clock, world, encounters)
    for index, (_, end) in enumerate(clock.months):
        quota = targets[index] - made
        visits = arrivals.month(index, quota)
        for visit in visits:
            _quirk(visit, care, quirks)
            price(visit, clock)
        invented = schemers.work(visits)
        visits = _trim([*visits, *invented], quota, quirks)
        made += len(visits)
        waiting.extend(visits)
        waiting.sort(key=lambda v: (v.left, v.facility.index, v.patient.index))
        last = index == len(clock.months) - 1
        due = [v for v in waiting if last or v.left < end * DAY]
        waiting = [] if last else [v for v in waiting if v.left >= end * DAY]
        for visit in due:
            truth.add(visit, post.send(visit))
            tally.count(visit)
        post.close_month(last=last)
        _forget(world, end)


def _targets(clock: Clock, world: World, encounters: int) -> list[int]:
    """Encounters made by the end of each month; the epidemic month has more of them."""
    weights = [
        (end - start) * (1.2 if i == world.epidemic_month else 1.0) for i, (start, end) in enumerate(clock.months)
    ]
    total, so_far, found = sum(weights), 0.0, []
    for weight in weights:
        so_far += weight
        found.append(round(encounters * so_far / total))
    return found


def _quirk(visit: Visit, care: Care, dice: Dice) -> None:
    """Faulty software at some places: a line without cost, exported twice."""
    f = visit.facility
    if not f.zero_bug or not dice.hit(ZERO_BUG) or visit.kind not in (OUTPATIENT, INPATIENT):
        return
    first = visit.lines[0]
    line = care.line(f, care.services["consult_free"], 1000, first.ordered, first.done, first.result, visit.doctor.code,
                     visit.doctor.code, first.department)  # fmt: skip
    visit.lines.append(line)
    if dice.hit(0.6):
        visit.lines.append(line.copy())
        if visit.label == "normal":
            visit.label = "dirty"


def _trim(visits: list[Visit], quota: int, dice: Dice) -> list[Visit]:
    """Leave out some ordinary visits so that invented ones do not raise the number."""
    surplus = len(visits) - quota
    if surplus <= 0:
        return visits
    ordinary = [n for n, v in enumerate(visits) if v.kind == OUTPATIENT and v.label == "normal" and not v.keep]
    gone = set(dice.sample(ordinary, surplus))
    return [v for n, v in enumerate(visits) if n not in gone]


def _forget(world: World, day: int) -> None:
    """Drop the calendars of days that are over."""
    for f in world.facilities:
        for group in (*f.exams.values(), *f.surgeons.values(), *f.technicians.values()):
            for doctor in group:
                doctor.taken = {d: m for d, m in doctor.taken.items() if d >= day}
        for machines in f.machines.values():
            for machine in machines:
                machine.taken = {d: m for d, m in machine.taken.items() if d >= day}
