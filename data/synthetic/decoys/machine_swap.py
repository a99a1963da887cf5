"""MACHINE_SWAP: a machine was replaced, the new one works, and the catalogue does not know it yet."""

from __future__ import annotations

from data.synthetic.claims import Visit
from data.synthetic.deed import Decoy, Hand


class MachineSwap(Decoy):
    """Tests and pictures carry a machine code that nobody has registered."""

    id = "MACHINE_SWAP"
    kind = "dirty"
    batch = 5
    levels = "pdvr"

    def tempts(self, visit: Visit) -> bool:
        """Anything done on a machine."""
        return any(line.machine for line in visit.lines)

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """From this visit on, the month's work of one machine carries the next free number."""
        f = visit.facility
        old = hand.dice.pick([line.machine for line in visit.lines if line.machine])
        stem, _, number = old.rpartition(".")
        new = f"{stem}.{(int(number) // 20 + 1) * 20 - 1:03d}"
        if any(m.code == new for machines in f.machines.values() for m in machines):
            return None
        later = hand.others(
            lambda v: v is not visit and v.start >= visit.start and any(x.machine == old for x in v.lines)
        )
        for other in [visit, *later[: hand.group(5, 30)]]:
            hand.touch(other)
            for line in other.lines:
                if line.machine == old:
                    line.machine = new
        return []


DECOY = MachineSwap()
