"""MACHINE_UNAVAILABLE: services on a machine that is broken, not registered or somebody else's."""

from __future__ import annotations

from data.synthetic.claims import Line, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme
from data.synthetic.world import MODALITIES, Machine

KINDS = ("us", "xq", "ct", "mri", "endo", "ecg")


class MachineUnavailable(Scheme):
    """The scanner stands still, billing does not; or a device nobody declared does the work."""

    id = "MACHINE_UNAVAILABLE"
    kind = "fraud"
    weight = 1.4
    batch = 5

    def tempts(self, visit: Visit) -> bool:
        """A visit with a picture taken or to be had."""
        return any(line.item.kind in KINDS for line in visit.lines)

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """A machine under repair if the place has one; else an undeclared or a borrowed one. Bold: all of its work."""
        dice, f = hand.dice, visit.facility
        kinds = sorted(
            {line.item.kind for line in visit.lines if line.item.kind in KINDS and f.machines.get(line.item.kind)}
        )
        if not kinds:
            return None
        day = visit.start // DAY
        broken = [
            m
            for kind in KINDS
            for m in f.machines.get(kind, ())
            if m.down[1] >= m.down[0] and m.down[0] - 20 <= day <= m.down[1] + 20
        ]
        if broken:
            made = self._on_broken(visit, hand, dice.pick(broken))
            if made is not None:
                return made
        kind = dice.pick(kinds)
        code = self._undeclared(hand, kind)
        lines = [(visit, line) for line in visit.lines if line.item.kind == kind]
        mine = hand.others(
            lambda v: v is not visit and v.start >= visit.start and any(x.item.kind == kind for x in v.lines), f
        )
        share = 0.25 + 0.7 * hand.boldness
        for other in mine[: hand.group(3, 14) - 1]:
            lines += [(other, line) for line in other.lines if line.item.kind == kind and dice.hit(share)]
        for other, line in lines:
            hand.touch(other)
            line.machine = code
            hand.refuse(other, line)
        return []

    @staticmethod
    def _on_broken(visit: Visit, hand: Hand, machine: Machine) -> list[Visit] | None:
        """What was not done is billed as done on it; the bold put down the work of other machines to it as well."""
        dice, f, care = hand.dice, visit.facility, hand.care
        keys = sorted(k for k, s in care.services.items() if s.kind == machine.kind)
        during = hand.others(
            lambda v: machine.down[0] <= v.start // DAY <= machine.down[1] and v.left - v.start >= 40, f
        )
        found = False
        for other in dice.sample(during, hand.group(3, 14)):
            done: list[Line] = [
                x for x in other.lines if x.item.kind == machine.kind and not machine.works(x.done // DAY)
            ]
            exam = next((x for x in other.lines if x.item.kind == "exam"), None)
            if done and not dice.hit(hand.boldness):
                continue
            if done:
                hand.touch(other)
                for line in done:
                    line.machine = machine.code
                hand.refuse(other, *done)
                found = True
                continue
            usual = [o.key for o in other.disease.tests if o.key in keys]
            if exam is None or (not usual and not dice.hit(hand.boldness)):
                continue
            item = care.services[dice.pick(usual or keys)]
            latest = min(other.left - item.minutes - 3, exam.result // DAY * DAY + DAY - 1 - item.minutes)
            if latest <= exam.result + 2:
                continue
            hand.touch(other)
            at = dice.between(exam.result + 2, latest)
            team = f.technicians[item.kind]
            line = care.line(f, item, 1000, exam.result + 1, at, at + item.minutes - 1, exam.doctor,
                             team[at // DAY % len(team)].code, exam.department)  # fmt: skip
            line.machine = machine.code
            care.values(line)
            other.lines.append(line)
            found = True
        return [] if found else None

    @staticmethod
    def _undeclared(hand: Hand, kind: str) -> str:
        """The label of a device that is in no list of this place."""
        dice, f = hand.dice, hand.facility
        if dice.hit(0.4):
            owners = [
                x for x in hand.world.facilities if x is not f and x.province == f.province and kind in x.machines
            ]
            if owners:
                return dice.pick(dice.pick(owners).machines[kind]).code
        used = [m.code for machines in f.machines.values() for m in machines]
        last = max(int(code.rsplit(".", 1)[1]) for code in used)
        return f"{MODALITIES[kind]}.{1 if f.ownership == 'public' else 3}.{f.code}.{last + dice.between(1, 9):03d}"


SCHEME = MachineUnavailable()
