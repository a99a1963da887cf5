"""The bundle: everything that scores, as arrays and JSON with hashes. Nothing in it is ever unpickled.

A bundle is a folder: `manifest.json` (what was trained on what, likelihoods, pivots, the hash of every other file) and
one `<detector>.npz` with the detector's arrays. The same training gives the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from data.errors import MinhBachError
from detectors.aside import Judge
from detectors.base import Detector, DetectorState, finders
from detectors.discovery import outlier_detectors
from detectors.fusion import Weights
from detectors.rarity import Rarity
from detectors.standing import Standing
from detectors.statistical.expected_cost import BARE_NEEDS, ExpectedCost
from features.peers import PeerTable
from models.entities import EntityReferences

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from detectors.base import Finder

FORMAT = 2
_OTHERS = {"expected_cost", "rarity", "peers", "bill_peers"}  # states that are no outlier detector's


class BrokenBundle(MinhBachError):
    """A bundle whose files are not what its manifest says."""

    code, http_status = "broken_bundle", 500


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """The fitted detectors and the few numbers of fusion."""

    expected_cost: ExpectedCost
    outliers: tuple[Detector, ...]  # by name; which ones is decided in training
    finders: tuple[Finder, ...] = ()
    peers: PeerTable  # what like claims cost, by cost group: for the words, not for the score
    bill_peers: PeerTable | None = None  # the same of whole bills, among claims without lines
    rarity: Rarity  # how common each rule's sign is among like claims
    weights: Weights
    pivot: float  # place (VND) of a claim at which its score is one half
    entity_pivots: Mapping[str, float]  # the same for doctor, facility, patient
    entities: EntityReferences | None = None  # what is usual of them; None in bundles of before
    standing: Standing = field(default_factory=Standing)  # what claims inherit from those seen in training
    trained: Mapping[str, Any]  # since, until, snapshot, encounters, seed, rule_versions, unlearned

    def judges(self) -> tuple[Judge, ...]:
        """The detectors by what they need of a claim; those that could learn nothing say so."""
        cost = self.expected_cost
        unlearned: Mapping[str, str] = self.trained.get("unlearned", {})  # bundles of before knew no such thing
        return (
            Judge(
                source=ref(cost),
                needs=cost.needs,
                bare_needs=BARE_NEEDS,
                bare_amounts=cost.whole_bills,
                reason=unlearned.get(ref(cost)),
            ),
            *(
                Judge(source=ref(each), needs=each.needs, reason=unlearned.get(ref(each)))
                for each in (*self.outliers, *self.finders)
            ),
        )

    def save(self, folder: Path) -> str:
        """Write the bundle into a new folder; returns its sha256: the manifest's, which holds all others."""
        folder.mkdir(parents=True, exist_ok=True)
        hashes: dict[str, str] = {}
        detectors: dict[str, Any] = {}
        states = [each.state() for each in (self.expected_cost, *self.outliers, *self.finders, self.rarity)]
        for kind, table in (("peers", self.peers), ("bill_peers", self.bill_peers)):
            if table is not None:
                meta, arrays = table.state()
                states.append(DetectorState(kind=kind, meta=meta, arrays=arrays))
        for state in states:
            data = _npz(state.arrays)
            (folder / f"{state.kind}.npz").write_bytes(data)
            hashes[f"{state.kind}.npz"] = hashlib.sha256(data).hexdigest()
            detectors[state.kind] = dict(state.meta)
        manifest = {
            "format": FORMAT,
            "detectors": detectors,
            "weights": asdict(self.weights),
            "pivot": self.pivot,
            "entity_pivots": dict(self.entity_pivots),
            "entities": self.entities.as_json() if self.entities else None,
            "standing": self.standing.as_json(),
            "trained": dict(self.trained),
            "sha256": hashes,
        }
        text = json.dumps(manifest, ensure_ascii=False, sort_keys=True, indent=1)
        (folder / "manifest.json").write_text(text, encoding="utf-8")
        return hashlib.sha256(text.encode()).hexdigest()

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a bundle back, checking every hash. Raises BrokenBundle."""
        try:
            manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
            files = {name: (folder / name).read_bytes() for name in manifest["sha256"]}
        except (OSError, ValueError, KeyError) as error:
            raise _broken(folder, f"it cannot be read ({error})") from None
        if manifest["format"] != FORMAT:
            raise _broken(folder, f"its format is {manifest['format']}, this version reads {FORMAT}")
        for name, data in files.items():
            if hashlib.sha256(data).hexdigest() != manifest["sha256"][name]:
                raise _broken(folder, f"{name} has changed since it was written")
        states = {
            kind: DetectorState(kind=kind, meta=meta, arrays=dict(np.load(io.BytesIO(files[f"{kind}.npz"]))))
            for kind, meta in manifest["detectors"].items()
        }
        kinds = outlier_detectors()
        if unknown := sorted(states.keys() - kinds.keys() - _OTHERS - {each.name for each in finders()}):
            raise _broken(folder, f"there is no detector {', '.join(unknown)} in detectors/outliers")
        return cls(
            expected_cost=ExpectedCost.from_state(states["expected_cost"]),
            outliers=tuple(kind.from_state(states[name]) for name, kind in kinds.items() if name in states),
            finders=tuple(each.from_state(states[each.name]) for each in finders() if each.name in states),
            peers=PeerTable.from_state(states["peers"].meta, states["peers"].arrays),
            bill_peers=PeerTable.from_state(bills.meta, bills.arrays) if (bills := states.get("bill_peers")) else None,
            rarity=Rarity.from_state(states["rarity"]),
            weights=Weights(**manifest["weights"]),
            pivot=manifest["pivot"],
            entity_pivots=manifest["entity_pivots"],
            entities=EntityReferences.from_json(kept) if (kept := manifest.get("entities")) else None,
            standing=Standing.from_json(manifest.get("standing", {})),
            trained=manifest["trained"],
        )


def ref(detector: ExpectedCost | Detector | Finder) -> str:
    """`name@version`, as evidence and the run's counts name a detector."""
    return f"{detector.name}@{detector.version}"


def trained_of(folder: Path) -> Mapping[str, Any]:
    """`trained` of a saved bundle, its arrays left unread. Raises BrokenBundle."""
    try:
        return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["trained"]
    except (OSError, ValueError, KeyError) as error:
        raise _broken(folder, f"it cannot be read ({error})") from None


def bundle_sha256(folder: Path) -> str:
    """The hash that names a saved bundle."""
    return hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()


def _npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Like `numpy.savez`, but without the time of day in it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(arrays):
            data = io.BytesIO()
            np.lib.format.write_array(data, np.ascontiguousarray(arrays[name]), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), data.getvalue())
    return out.getvalue()


def _broken(folder: Path, why: str) -> BrokenBundle:
    return BrokenBundle(
        f"model bundle {folder.name} cannot be used: {why}; register it again or promote another version",
        vi=f"gói mô hình {folder.name} không dùng được: {why}; hãy đăng ký lại hoặc chọn phiên bản khác",
    )
