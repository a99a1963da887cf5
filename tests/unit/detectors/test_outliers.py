"""Outlier detectors by peer group: frozen, they say what PyOD says, and nothing of PyOD is needed to say it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pytest

from detectors.discovery import UnknownDetector, bundled, outlier_detectors
from detectors.neighbours import nearest
from detectors.outliers.ecod import EcodDetector
from detectors.outliers.hbos import HbosDetector
from detectors.outliers.knn import KnnDetector
from detectors.outliers.lof import LofDetector
from detectors.outliers.pca import PcaDetector
from detectors.outliers.tails import TailDetector
from detectors.peer_groups import PeerGroups
from detectors.prototypes import CELL, prototypes
from detectors.pyod import NotFreezable, OtherLibrary, PyodDetector
from tests.lib.documented import python_blocks

NAMES = ("a", "b", "c", "d")


@pytest.fixture(scope="module")
def z() -> np.ndarray:
    return np.random.default_rng(5).normal(size=(900, 4)) @ np.random.default_rng(6).normal(size=(4, 4))


@pytest.fixture(scope="module")
def asked() -> np.ndarray:
    return np.random.default_rng(7).normal(size=(200, 4)) * 3.0


def claims(rows: int = 900, seed: int = 1) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame({name: rng.normal(size=rows) for name in NAMES})
    return frame.with_columns(ma_loai_kcb=pl.lit("01"), facility_rank=pl.lit("2"))


# peer groups


def test_a_row_is_judged_in_the_narrowest_group_that_was_large_enough() -> None:
    x = pl.DataFrame(
        {"ma_loai_kcb": ["01"] * 700 + ["03"] * 310 + ["05"] * 10, "facility_rank": ["1"] * 400 + ["2"] * 620}
    )
    groups = PeerGroups.fit(x)
    assert groups.names == (
        "all",
        "all|ma_loai_kcb=01",
        "all|ma_loai_kcb=01|facility_rank=1",
        "all|ma_loai_kcb=01|facility_rank=2",
        "all|ma_loai_kcb=03",  # its only rank would say the same
    )
    asked = pl.DataFrame({"ma_loai_kcb": ["03", "01", "05", None, "01"], "facility_rank": ["1", "2", "2", "1", "4"]})
    found = {name: rows.tolist() for name, rows in groups.members(asked)}
    assert found == {
        "all": [2, 3],
        "all|ma_loai_kcb=01": [4],
        "all|ma_loai_kcb=01|facility_rank=2": [1],
        "all|ma_loai_kcb=03": [0],
    }


def test_without_the_columns_all_rows_are_one_group_and_no_rows_are_none() -> None:
    x = pl.DataFrame({"a": [1.0] * 400})
    groups = PeerGroups.fit(x)
    assert groups.names == ("all",)
    assert [(name, rows.size) for name, rows in groups.members(x)] == [("all", 400)]
    assert list(groups.members(x.clear())) == []


# prototypes and distances


def test_a_prototype_is_the_mean_of_several_rows_and_never_one_of_them(z: np.ndarray) -> None:
    made = prototypes(z, limit=50)
    assert len(z) / 50 / 2 <= len(made) <= 50
    assert not (made[:, None] == z[None]).all(axis=2).any()
    np.testing.assert_allclose(np.median(made, axis=0), np.median(z, axis=0), atol=0.5)
    assert len(prototypes(z[: 2 * CELL - 1])) == 1
    assert prototypes(np.full((60, 4), 0.1)).tolist() == [[0.1] * 4] * 8


def test_the_nearest_are_those_found_by_comparing_all_pairs(z: np.ndarray, asked: np.ndarray) -> None:
    distance, which = nearest(asked, z, 5)
    every = np.sqrt(((asked[:, None] - z[None]) ** 2).sum(axis=2))
    np.testing.assert_allclose(distance, np.sort(every, axis=1)[:, :5], rtol=1e-5)
    np.testing.assert_allclose(np.take_along_axis(every, which, axis=1), distance, rtol=1e-5)
    alone = np.concatenate([nearest(row[None], z, 5)[0] for row in asked])
    assert alone.tolist() == distance.tolist()
    assert nearest(asked, z[:3], 5)[0].shape == (200, 3)


# frozen, they say what PyOD says


def test_knn_says_what_pyod_says(z: np.ndarray, asked: np.ndarray) -> None:
    detector = KnnDetector()
    learned = detector.learn(z, seed=1)
    model = detector.make(seed=1).fit(learned["reference"])
    np.testing.assert_allclose(detector.judge("all", learned, asked), model.decision_function(asked), rtol=1e-5)


def test_lof_says_what_pyod_says(z: np.ndarray, asked: np.ndarray) -> None:
    detector = LofDetector()
    learned = detector.learn(z, seed=1)
    model = detector.make(seed=1).fit(learned["reference"])
    np.testing.assert_allclose(detector.judge("all", learned, asked), model.decision_function(asked), rtol=1e-4)


def test_hbos_says_what_pyod_says(z: np.ndarray, asked: np.ndarray) -> None:
    detector = HbosDetector()
    learned = detector.learn(z, seed=1)
    model = detector.make(seed=1).fit(z)
    both = np.concatenate([z, asked])
    np.testing.assert_allclose(detector.judge("all", learned, both), model.decision_function(both), rtol=1e-9)


def test_ecod_orders_its_training_rows_as_pyod_does(z: np.ndarray) -> None:
    skewed = np.exp(z / 2)
    detector = EcodDetector()
    ours = detector.judge("all", detector.learn(skewed, seed=1), skewed)
    theirs = detector.make(seed=1).fit(skewed).decision_scores_
    assert np.corrcoef(pl.Series(ours).rank().to_numpy(), pl.Series(theirs).rank().to_numpy())[0, 1] > 0.99


def test_pca_is_the_mahalanobis_distance_where_no_axis_is_too_thin() -> None:
    z = np.random.default_rng(2).normal(size=(2_000, 4)) * [1.0, 5.0, 0.1, 2.0]
    detector = PcaDetector()
    ours = detector.judge("all", detector.learn(z, seed=1), z)
    away = z - z.mean(axis=0)
    theirs = (away @ np.linalg.inv(np.cov(z.T)) * away).sum(axis=1)
    np.testing.assert_allclose(ours, theirs, rtol=0.01)


@pytest.mark.parametrize("kind", [KnnDetector, LofDetector, HbosDetector, EcodDetector, PcaDetector])
def test_what_is_odd_in_one_group_may_be_usual_in_another(kind: Any) -> None:
    low = claims(seed=1)
    high = claims(seed=2).with_columns(pl.col("a") + 40.0, ma_loai_kcb=pl.lit("03"))
    detector = kind(NAMES).fit(pl.concat([low, high]), seed=1)
    like_the_high_ones = low[:1].with_columns(a=40.0, b=0.0, c=0.0, d=0.0)
    assert detector.score(like_the_high_ones)[0] > 0.85  # to a histogram one rare value is as rare as another
    assert detector.score(like_the_high_ones.with_columns(ma_loai_kcb=pl.lit("03")))[0] < 0.7
    assert detector.contributions(like_the_high_ones).row(0)[0] == max(
        detector.contributions(like_the_high_ones).row(0)
    )


@pytest.mark.parametrize("kind", [KnnDetector, LofDetector, HbosDetector, EcodDetector, PcaDetector])
def test_from_a_handful_of_rows_nothing_is_learned(kind: Any) -> None:
    detector = kind(NAMES).fit(claims(40), seed=1)
    assert detector.score(claims(40).with_columns(a=1e9)).to_list() == [0.0] * 40


@pytest.mark.parametrize("kind", [KnnDetector, LofDetector, HbosDetector, EcodDetector, PcaDetector])
@pytest.mark.parametrize("rows", [100, 101, 127])
def test_a_few_more_are_enough_to_see_what_is_far_from_all(kind: Any, rows: int) -> None:
    detector = kind(NAMES).fit(claims(rows), seed=1)
    far = claims(1).with_columns(pl.lit(30.0).alias(name) for name in NAMES)
    assert detector.score(far)[0] > 0.95


def test_tails_judge_by_care_type_and_by_all_where_it_was_rare() -> None:
    rng = np.random.default_rng(3)
    x = pl.DataFrame({"a": rng.exponential(size=1_000), "ma_loai_kcb": ["01"] * 500 + ["03"] * 480 + ["07"] * 20})
    x = x.with_columns(a=pl.when(pl.col("ma_loai_kcb") == "03").then(pl.col("a") + 100.0).otherwise("a"))
    detector = TailDetector(("a",)).fit(x, seed=0)
    asked = pl.DataFrame({"a": [50.0] * 4, "ma_loai_kcb": ["01", "03", "07", None]})
    own, other, rare, unknown = detector.score(asked)
    assert own > 0.99
    assert other == 0.0
    assert 0.4 < rare == unknown < 0.6


# any algorithm: by its prototypes


class Ecod(PyodDetector):
    name = "generic"
    algorithm = "pyod.models.ecod:ECOD"


class Dice:
    """What an algorithm without a seed is like: each fitting gives another."""

    thrown: ClassVar[list[int]] = []

    def fit(self, z: np.ndarray) -> None:  # noqa: ARG002
        self.thrown.append(1)
        self.weight = len(self.thrown)

    def decision_function(self, z: np.ndarray) -> np.ndarray:
        return z[:, 0] * self.weight


class Unseeded(PyodDetector):
    name = "unseeded"
    algorithm = "somewhere:Dice"

    def make(self, *, seed: int, **parameters: Any) -> Any:  # noqa: ARG002
        return Dice()


class Copied(PyodDetector):
    name = "copied"
    algorithm = "pyod.models.knn:KNN"
    parameters: ClassVar[dict[str, Any]] = {"n_neighbors": 5}


def test_an_algorithm_that_looks_at_the_batch_is_refused() -> None:
    with pytest.raises(NotFreezable, match="alone and among others"):
        Ecod(NAMES).fit(claims(), seed=1)


def test_an_algorithm_without_a_seed_is_refused() -> None:
    with pytest.raises(NotFreezable, match="fitted again"):
        Unseeded(NAMES).fit(claims(), seed=1)


def test_fitted_again_it_says_what_its_frozen_twin_says() -> None:
    x = claims()
    generic, frozen = Copied(NAMES).fit(x, seed=1), KnnDetector(NAMES).fit(x, seed=1)
    np.testing.assert_allclose(generic.score(x).to_numpy(), frozen.score(x).to_numpy(), atol=1e-3)
    read = Copied.from_state(generic.state())
    assert read.score(x).to_list() == generic.score(x).to_list()


def test_a_library_that_answers_differently_is_noticed() -> None:
    state = Copied(NAMES).fit(claims(), seed=1).state()
    said = {name: array * (2.0 if name.endswith("said") else 1.0) for name, array in state.arrays.items()}
    arrays = {name: array.astype(state.arrays[name].dtype) for name, array in said.items()}
    with pytest.raises(OtherLibrary, match="train again"):
        Copied.from_state(type(state)(kind=state.kind, meta=state.meta, arrays=arrays)).score(claims())


def test_the_documented_detector_is_about_ten_lines() -> None:
    lines = [line for line in python_blocks()[0].splitlines() if line.strip()]
    assert len(lines) <= 10


def test_the_documented_way_to_pass_a_seed_is_the_one_called() -> None:
    space: dict[str, Any] = {"PyodDetector": PyodDetector}
    exec(python_blocks()[1], space)  # noqa: S102 - our own page
    with pytest.raises(ModuleNotFoundError, match="mypackage"):
        space["MyDetector"](NAMES).fit(claims(), seed=1)


# discovery and the serving path


def test_every_file_is_found_and_the_bundle_holds_some() -> None:
    files = {path.stem for path in Path("detectors/outliers").glob("*.py")} - {"__init__"}
    assert set(outlier_detectors()) == files
    assert {kind.name for kind in bundled()} <= files
    assert len(bundled()) >= 2
    assert [kind.name for kind in bundled(["knn", "hbos"])] == ["hbos", "knn"]
    assert bundled([]) == ()
    with pytest.raises(UnknownDetector, match="knn"):
        bundled(["nearest"])


def test_scoring_from_a_bundle_imports_neither_pyod_nor_scikit_learn(tmp_path: Path) -> None:
    import pickle

    x = claims()
    ours = (KnnDetector, LofDetector, HbosDetector, EcodDetector, PcaDetector, TailDetector)
    states = [(kind.name, kind(NAMES).fit(x, seed=1).state()) for kind in ours]  # type: ignore[call-arg]
    (tmp_path / "states").write_bytes(pickle.dumps((states, x.to_dict(as_series=False))))
    code = (
        "import pickle, sys, pathlib, polars as pl\n"
        "from detectors.discovery import outlier_detectors\n"
        f"states, x = pickle.loads(pathlib.Path({str(tmp_path / 'states')!r}).read_bytes())\n"
        "for name, state in states:\n"
        "    outlier_detectors()[name].from_state(state).score(pl.DataFrame(x))\n"
        "print(sorted({'pyod', 'sklearn', 'scipy', 'numba'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
