"""PyOD and this project, both ways: its algorithms as detectors of ours, our detectors as `BaseDetector` of its.

PyOD is imported when something is fitted, and on the serving path only by an algorithm that is fitted again there.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import polars as pl

from data.errors import MinhBachError
from detectors.peer_detector import Arrays, PeerDetector, PeerModel
from detectors.prototypes import prototypes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from detectors.base import Detector

CHECKED = 8  # prototypes whose scores are compared
_VARIES = 1e-6


class NotFreezable(MinhBachError):
    """A PyOD algorithm whose score of a row hangs on more than the row and the seed."""

    code, http_status, exit_code = "not_freezable", 422, 1

    def __init__(self, detector: str, algorithm: str, *, alone: bool) -> None:
        """`alone`: it scores a row differently alone; otherwise: differently when fitted again."""
        en, vi = (
            ("alone and among others", "khi đứng riêng và khi đi cùng dòng khác")
            if alone
            else ("when fitted again with the same seed", "khi khớp lại với cùng một seed")
        )
        super().__init__(
            f"detector {detector}: {algorithm} scores a row differently {en}; choose another algorithm, give its seed "
            "in `make`, or override `learn` and `judge` as detectors/outliers/ecod.py does",
            vi=f"bộ phát hiện {detector}: {algorithm} chấm một dòng khác nhau {vi}; hãy chọn thuật toán khác, truyền "
            "seed trong `make`, hoặc viết lại `learn` và `judge` như detectors/outliers/ecod.py",
        )


class OtherLibrary(MinhBachError):
    """A frozen detector that its library does not bring back as it was."""

    code, http_status = "other_library", 500

    def __init__(self, detector: str, algorithm: str) -> None:
        """`algorithm` as the detector names it."""
        super().__init__(
            f"detector {detector}: {algorithm}, fitted again to the bundle's prototypes, no longer says what it said "
            "in training: train again, or install the library version of the training",
            vi=f"bộ phát hiện {detector}: {algorithm} khớp lại với dữ liệu đại diện trong gói không còn cho kết quả "
            "như khi huấn luyện: hãy huấn luyện lại, hoặc cài đúng phiên bản thư viện lúc huấn luyện",
        )


def as_pyod(detector: Detector, *, seed: int, contamination: float = 0.1) -> Any:
    """A PyOD `BaseDetector` around one of ours. Its matrix has the detector's `feature_names` as columns, in order.

    Unlike PyOD's own ECOD a row's score does not move with the batch it comes in. A matrix cannot say which claim
    fields were blank: leave out the claims that lack one of the model's `needs`, it has nothing to say about them.
    """
    from pyod.models.base import BaseDetector

    def named(x: NDArray[np.float64]) -> pl.DataFrame:
        frame = pl.DataFrame(x, schema=list(detector.feature_names))
        return frame.with_columns(ma_loai_kcb=pl.lit(""))  # one peer group: a bare matrix names no care type

    class Adapted(BaseDetector):
        needs = detector.needs

        def __init__(self) -> None:
            super().__init__(contamination=contamination)

        def fit(  # pyright: ignore[reportIncompatibleMethodOverride] - PyOD's own returns nothing, its children self
            self,
            X: NDArray[np.float64],  # noqa: N803 - PyOD's names
            y: object = None,
        ) -> Adapted:
            self._set_n_classes(y)
            detector.fit(named(X), seed=seed)
            self.decision_scores_ = detector.score(named(X)).to_numpy()
            self._process_decision_scores()
            return self

        def decision_function(  # pyright: ignore[reportIncompatibleMethodOverride] - PyOD's own returns nothing
            self,
            X: NDArray[np.float64],  # noqa: N803
        ) -> NDArray[np.float64]:
            return detector.score(named(X)).to_numpy()

    return Adapted()


class PyodDetector(PeerDetector):
    """One PyOD model a peer group. A subclass names the `algorithm`, and perhaps `parameters` and `features`.

    What is kept of a group are its prototypes (`detectors.prototypes`): to them the algorithm is fitted again, with the
    same seed, when the group is first asked for. So anyone's `BaseDetector` can be frozen without pickling it. It is
    shown only features that vary among the prototypes: many algorithms divide by what one that does not has none of.

    A subclass that knows what its algorithm learned overrides `learn` and `judge`, and scores without PyOD.
    """

    algorithm: ClassVar[str]  # "module:class"; imported only when it is fitted
    parameters: ClassVar[Mapping[str, Any]] = {}

    def __init__(
        self, feature_names: tuple[str, ...] | None = None, models: Mapping[str, PeerModel] | None = None, seed: int = 0
    ) -> None:
        """Nothing is fitted, or fitted again, before it is asked for."""
        super().__init__(feature_names, models, seed)
        self._grown_by_group: dict[str, tuple[Arrays, Any]] = {}

    def make(self, *, seed: int, **parameters: Any) -> Any:
        """A fresh PyOD model; `parameters` before the class's own."""
        module, _, name = self.algorithm.partition(":")
        kind = getattr(importlib.import_module(module), name)
        seeded = {"random_state": seed} if "random_state" in inspect.signature(kind).parameters else {}
        return kind(**{**seeded, **self.parameters, **parameters})

    def learn(self, z: NDArray[np.float64], *, seed: int) -> Arrays:
        """Prototypes, and what the algorithm says of the first of them: it must say so again wherever it is read."""
        reference = prototypes(z)
        varies = np.flatnonzero(np.ptp(reference, axis=0) > _VARIES)
        if not varies.size:
            return {"reference": reference[:, varies], "varies": varies, "said": np.empty(0)}
        reference = reference[:, varies]
        model, some = self._grown(reference, seed), reference[:CHECKED]
        said = _said(model, some)
        if not _same(said, np.concatenate([_said(model, row[None]) for row in some])):
            raise NotFreezable(self.name, self.algorithm, alone=True)
        if not _same(said, _said(self._grown(reference, seed), some)):
            raise NotFreezable(self.name, self.algorithm, alone=False)
        return {"reference": reference, "varies": varies, "said": said}

    def judge(self, group: str, learned: Arrays, z: NDArray[np.float64]) -> NDArray[np.float64]:
        """What the algorithm, fitted to the prototypes, says of each row."""
        if not learned["varies"].size:
            return np.zeros(z.shape[0])
        known = self._grown_by_group.get(group)
        if known is None or known[0] is not learned:
            model = self._grown(learned["reference"], self._seed)
            if not _same(_said(model, learned["reference"][:CHECKED]), learned["said"]):
                raise OtherLibrary(self.name, self.algorithm)
            known = self._grown_by_group[group] = (learned, model)
        return _said(known[1], z[:, learned["varies"]])

    def _grown(self, reference: NDArray[np.float64], seed: int) -> Any:
        model = self.make(seed=seed)
        model.fit(reference)
        return model


def _said(model: Any, z: NDArray[np.float64]) -> NDArray[np.float64]:
    """The model's scores without their last bits, which a library's sums may owe to the shape of the batch."""
    with np.errstate(over="ignore"):  # what is too large is infinite, and infinite is dealt with
        return np.asarray(model.decision_function(z)).astype(np.float32).astype(np.float64)


def _same(a: NDArray[np.float64], b: NDArray[np.float64]) -> bool:
    """To four digits: another processor sums in another order, another algorithm says another thing."""
    return bool(np.allclose(a, b, rtol=1e-4, atol=1e-6, equal_nan=True))
