from __future__ import annotations

import json

import numpy as np
import polars as pl

from detectors.frozen import frame_arrays, frame_of
from detectors.usual import Usual

LADDER = (("item", "icd3"), ("item",))


def _rows(values: list[float], place: str = "a") -> pl.DataFrame:
    n = len(values)
    return pl.DataFrame({"item": ["pill"] * n, "icd3": [place] * n, "kind": ["drug"] * n, "x": values})


def _learned() -> Usual:
    here = [float(1 + n % 10) for n in range(400)]
    rare = [50.0] * 20  # too few for a group of their own
    return Usual.fit(
        pl.concat([_rows(here), _rows(rare, "b")]), ladder=LADDER, pool=("kind",), times=1.5, usual=0.5, least=100
    )


def test_a_number_is_compared_with_the_narrowest_group_that_is_large_enough() -> None:
    usual = _learned()
    found = usual.above(pl.concat([_rows([10.0, 15.0, 16.0, 1000.0]), _rows([60.0], "b"), _rows([90.0], "c")]))
    assert found.select("x", "usual", "high", "members", "peer_group").rows() == [
        (16.0, 6.0, 10.0, 400, "icd3=a"),
        (1000.0, 6.0, 10.0, 400, "icd3=a"),
        (90.0, 6.0, 50.0, 420, "all"),
    ]
    assert found["tail"].max() <= 0.01


def test_a_group_nobody_knows_says_nothing() -> None:
    assert _learned().above(_rows([1e9]).with_columns(item=pl.lit("other"))).is_empty()


def test_a_group_in_which_such_numbers_are_not_rare_says_less() -> None:
    def tail(far: int) -> float:
        rows = [1.0] * (1000 - far) + [9.0] * far
        usual = Usual.fit(_rows(rows), ladder=(("item",),), pool=("icd3",), times=1.5)
        return usual.above(_rows([9.0]))["tail"][0]

    assert tail(1) < tail(9) <= 0.01


def test_numbers_that_are_none_teach_nothing() -> None:
    rows = _rows([1.0] * 200 + [float("nan"), float("inf"), 0.0, -5.0])
    assert Usual.fit(rows, ladder=LADDER, pool=("kind",), times=1.2).groups[0]["members"].to_list() == [200]


def test_its_state_comes_back_bit_for_bit() -> None:
    usual = _learned()
    meta = json.loads(json.dumps(usual.meta))
    again = Usual.from_state(meta, usual.arrays("u"), "u")
    asked = _rows([float(n) for n in range(40)])
    assert again.above(asked).equals(usual.above(asked))
    assert again.meta == usual.meta


def test_a_frame_is_taken_apart_and_put_together() -> None:
    frame = pl.DataFrame({"name": ["Đường", ""], "n": [1, -2], "x": [0.1, 1e300]}, schema_overrides={"n": pl.Int32()})
    arrays = frame_arrays("t", frame)
    assert all(array.dtype != np.dtype(object) for array in arrays.values())
    schema = {"name": pl.String(), "n": pl.Int32(), "x": pl.Float64()}
    assert frame_of(arrays, "t", schema).equals(frame)
    assert frame_of(frame_arrays("t", frame.clear()), "t", schema).equals(frame.clear())
