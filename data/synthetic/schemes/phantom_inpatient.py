"""PHANTOM_INPATIENT: stays that never took place."""

from __future__ import annotations

from data.synthetic.claims import INPATIENT, OUTPATIENT, Visit
from data.synthetic.clock import DAY
from data.synthetic.deed import Hand, Scheme
from data.synthetic.world import Patient


class PhantomInpatient(Scheme):
    """A ward writes whole records for people who lent or lost the card."""

    id = "PHANTOM_INPATIENT"
    kind = "fraud"
    weight = 0.9
    heavy = True
    batch = 3
    levels = "dv"
    kinds = (INPATIENT,)

    def tempts(self, visit: Visit) -> bool:
        """A plain stay of some days, to copy from."""
        return (
            visit.stay and 4 <= visit.days <= 12 and not visit.of_kind("surg") and visit.ward in ("K03", "K16", "K18")
        )

    def commit(self, visit: Visit, hand: Hand) -> list[Visit] | None:
        """Bold: one course for all, results and bed too. Subtle: each from another stay of the ward, results anew."""
        dice, clock = hand.dice, hand.world.clock
        bold = hand.boldness > 0.5
        patterns = [visit]
        if not bold:
            patterns += hand.others(lambda v: v is not visit and v.ward == visit.ward and self.tempts(v))
        made: list[Visit] = []
        for _ in range(hand.group(1, 6)):
            pattern = dice.pick(patterns)
            day = pattern.start // DAY
            days = [d for d in range(day - 6, day + 7) if 0 <= d < clock.days and clock.working(d)]
            if not days:
                continue
            shift = (dice.pick(days) - day) * DAY + dice.between(-25, 25)
            patient = self._lender(pattern, hand, shift, {v.patient.index for v in made})
            if patient is None:
                continue
            ghost = self._write(pattern, hand, patient, shift)
            if ghost.left // DAY >= clock.days:
                continue
            patient.last_visit = patient.last_stay = max(patient.last_visit, ghost.left)
            made.append(ghost)
        return made or None

    @staticmethod
    def _write(pattern: Visit, hand: Hand, patient: Patient, shift: int) -> Visit:
        """The record of one who was not there, from that of one who was."""
        bold = hand.boldness > 0.5
        ghost = hand.clone(pattern, patient, shift)
        copied = hand.dice.hit(hand.boldness * 0.7)
        for line, source in zip(ghost.lines, pattern.lines, strict=True):
            if copied:
                line.values, line.conclusion = source.values, source.conclusion
            if bold:
                line.bed = source.bed
        if bold:
            ghost.notes = [(at + shift, text, who) for at, text, who in pattern.notes]
        if ghost.sent_to:  # nobody is handed on who was never there
            ghost.sent_to, ghost.slip, ghost.discharge, ghost.result = "", "", 1, 2
        if pattern.route != "2":
            ghost.route, ghost.route_percent = hand.care.route(
                pattern.facility, patient, ghost.start // DAY, emergency=False, stay=True
            )
        return ghost

    @staticmethod
    def _lender(pattern: Visit, hand: Hand, shift: int, used: set[int]) -> Patient | None:
        """Whose card is used: now and then somebody who sees a doctor elsewhere on one of those days."""
        dice = hand.dice
        start, left = pattern.start + shift, pattern.left + shift
        seen = {v.patient.index for v in hand.month}
        years = 2 if pattern.patient.age(start // DAY) < 16 else 12

        def fits(patient: Patient) -> bool:
            return (
                patient.sex == pattern.patient.sex
                and abs(patient.born - pattern.patient.born) < years * 365
                and patient.index not in used
                and not patient.chronic
            )

        if dice.hit(0.35 * hand.boldness):
            out = [
                v.patient
                for v in hand.month
                if v.kind == OUTPATIENT and start + DAY < v.start < left - DAY and v.left == v.patient.last_visit
                and v.facility is not pattern.facility and v.patient.province == pattern.facility.province
                and fits(v.patient)
            ]  # fmt: skip
            if out:
                return dice.pick(out)
        quiet = hand.people(pattern.facility, start // DAY, lambda p: p.index not in seen and fits(p), 1)
        return quiet[0] if quiet else None


SCHEME = PhantomInpatient()
