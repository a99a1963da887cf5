"""Synthetic claims with injected schemes: files a hospital could have sent, catalogues, and the truth about both.

`generate` is deterministic: the same arguments give the same bytes. No name, card or facility in it is real.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from data.synthetic import cataloguing
from data.synthetic.arrivals import Arrivals
from data.synthetic.care import Care
from data.synthetic.claims import INPATIENT, OUTPATIENT, Visit, price
from data.synthetic.clock import DAY, Clock
from data.synthetic.dice import Dice
from data.synthetic.envelope import Post
from data.synthetic.injection import Underworld
from data.synthetic.truth import Truth
from data.synthetic.world import World, build

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
    progress: Callable[[int, int], None] | None = None,
) -> GenerateReport:
    """Write `encounters` claims of the `months` up to `until` into `out`: `xml/`, `catalogues/`, `truth/`.

    Works month by month and holds only one month of claims. `progress` is called with (done, all) encounters.
    """
    if encounters < 1 or months < 1:
        raise ValueError(f"encounters ({encounters}) and months ({months}) must be at least 1")
    clock = Clock.of(months, until)
    world = build(clock, seed=seed, monthly=encounters / months)
    care = Care(world, Dice(seed, 2))
    arrivals = Arrivals(world, care, care.dice)
    schemers = Underworld(care, Dice(seed, 3))
    post = Post(out / "xml", clock, world.facilities, Dice(seed, 5))
    quirks = Dice(seed, 6)
    truth = Truth()
    drug_lines = service_lines = made = 0
    waiting: list[Visit] = []
    count = len(clock.months)
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
        last = index == count - 1
        due = [v for v in waiting if last or v.left < end * DAY]
        waiting = [] if last else [v for v in waiting if v.left >= end * DAY]
        for n, visit in enumerate(due):
            truth.add(visit, post.send(visit))
            drugs = sum(line.item.table == 2 for line in visit.lines)
            drug_lines += drugs
            service_lines += len(visit.lines) - drugs
            if progress and n % 200 == 0:
                progress(made - len(waiting) - len(due) + n, encounters)
        post.close_month(last=last)
        _forget(world, end)
    catalogues = cataloguing.write(world, out / "catalogues")
    truth.write(out / "truth")
    if progress:
        progress(made, encounters)
    return GenerateReport(
        encounters=made,
        drug_lines=drug_lines,
        service_lines=service_lines,
        files=post.files + catalogues + 2,
        improper_claims=sum(bool(s) for s in truth.schemes),
        improper_share_of_money=truth.improper_money / truth.money if truth.money else 0.0,
        schemes=dict(sorted(truth.counts.items())),
    )


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
    ordinary = [n for n, v in enumerate(visits) if v.kind == OUTPATIENT and v.label == "normal"]
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
