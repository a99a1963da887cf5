"""Replay: a past run scored again from its manifest, and compared score by score, bit for bit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from data.errors import MinhBachError
from data.lake import table_columns
from detectors.base import rules
from detectors.switches import Switches
from models.bundle import bundle_sha256
from models.company import in_company
from models.scoring import Progress, chain, in_halves, scored_chunks, targets_of

if TYPE_CHECKING:
    from data.lake import Lake
    from models.registry import Registry


class CannotReplay(MinhBachError):
    """A run whose makings are no longer those of its manifest."""

    code, http_status, exit_code = "cannot_replay", 409, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What came out."""

    run_id: str
    encounters: int
    different: int

    @property
    def equal(self) -> bool:
        """Whether every score, amount, reason and line of evidence came out the same."""
        return self.different == 0

    def as_json(self) -> dict[str, Any]:
        """The command's JSON object."""
        return {"run_id": self.run_id, "encounters": self.encounters, "different": self.different, "equal": self.equal}


def replay(lake: Lake, registry: Registry, run_id: str, *, progress: Progress | None = None) -> Replay:
    """Score the run's claims again at its snapshot with its model. Raises CannotReplay when model or rules differ."""
    run, *bases = chain(lake, run_id)
    now = {rule.id: rule.version for rule in rules()}
    changed = sorted(r for r in {*now, *run.rule_versions} if now.get(r) != run.rule_versions.get(r))
    if changed:
        raise CannotReplay(
            f"rules {', '.join(changed)} are not in the versions of run {run_id}: replay with the release that made it",
            vi=f"quy tắc {', '.join(changed)} khác phiên bản của lượt {run_id}: hãy dùng bản phần mềm đã tạo ra nó",
        )
    bundle = registry.load(run.model_version)
    found = bundle_sha256(registry.folder(run.model_version))
    if found != run.bundle_sha256:
        raise CannotReplay(
            f"model {run.model_version} has hash {found[:12]}, the run was made with {run.bundle_sha256[:12]}",
            vi=f"mô hình {run.model_version} có mã băm {found[:12]}, lượt chấm dùng {run.bundle_sha256[:12]}",
        )
    stored = {name: t for name, t in table_columns("claim_score").items() if name != "run_id"}
    different = encounters = 0
    with lake.reader(run.snapshot) as reader, lake.reader() as newest:
        targets = targets_of(reader, lake, run, base=bases[0] if bases else None)
        tell = in_halves(progress, targets.height)
        switches, company = Switches.from_json(run.switches), in_company(reader, targets, progress=tell[0])
        for scored, done in scored_chunks(reader, bundle, targets, switches=switches, company=company):
            again = scored.claims.select(pl.col(name).cast(dtype) for name, dtype in stored.items())
            newest.keep("_again", again.select("version"))
            before = newest.pl(
                f"select {', '.join(stored)} from claim_score where run_id = ? and version in (from _again)", [run_id]
            ).select(pl.col(name).cast(dtype) for name, dtype in stored.items())
            same = again.sort("version").hash_rows(seed=0).to_frame("again")
            kept = before.sort("version").hash_rows(seed=0).to_frame("before")
            if (
                before.height != again.height
                or before.sort("version")["version"].to_list() != again.sort("version")["version"].to_list()
            ):
                different += abs(before.height - again.height) or again.height
            else:
                different += int((same["again"] != kept["before"]).sum())
            encounters += again.height
            tell[1](done, targets.height)
    return Replay(run_id=run_id, encounters=encounters, different=different + abs(run.encounters - encounters))
