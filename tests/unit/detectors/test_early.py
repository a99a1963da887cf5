"""Frames that know when they are empty give what Narwhals gives, and stop planning where nothing is left."""

# ruff: noqa: ARG005 - every query is given all three frames

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import narwhals as nw
import polars as pl
import pytest

from detectors.early import Few, Never, few, never, rows_of
from detectors.examples import bed, stay, tables_of

ROWS = pl.DataFrame({"k": ["a", "b", "b"], "n": [1, 2, 3]})
OTHER = pl.DataFrame({"k": ["b", "c"], "m": [7, 8]})
NONE = OTHER.clear()

Frame = nw.LazyFrame[Any]

QUERIES: dict[str, Callable[[Frame, Frame, Frame], Frame]] = {
    "filter": lambda a, b, none: a.filter(nw.col("n") > 1, k="b"),
    "filter by a list": lambda a, b, none: a.filter([nw.col("n") > 1, nw.col("n") < 3]),
    "nothing left": lambda a, b, none: a.filter(nw.col("n") > 9).with_columns(x=nw.col("n") * 2).select("k", "x"),
    "never": lambda a, b, none: a.filter(never("n")).rename({"n": "z"}).sort("z").drop("k"),
    "never or": lambda a, b, none: a.filter(never("n") | (nw.col("n") == 2)),
    "or never": lambda a, b, none: a.filter((nw.col("n") == 2) | never("n")),
    "and never": lambda a, b, none: a.filter((nw.col("n") == 2) & never("n")),
    "not never": lambda a, b, none: a.filter(~never("n")),
    "never made known": lambda a, b, none: a.filter(~(never("n").fill_null(value=False))),
    "sum of nothing": lambda a, b, none: a.filter(never("n")).select(nw.col("n").sum()),
    "groups": lambda a, b, none: a.group_by("k").agg(nw.col("n").sum()),
    "groups of nothing": lambda a, b, none: a.filter(never("n")).group_by("k").agg(nw.col("n").sum()),
    "inner": lambda a, b, none: a.join(b, on="k", how="inner"),
    "left": lambda a, b, none: a.join(b, on="k", how="left"),
    "semi": lambda a, b, none: a.join(b, on="k", how="semi"),
    "anti": lambda a, b, none: a.join(b, on="k", how="anti"),
    "inner with nothing": lambda a, b, none: a.join(none, on="k", how="inner").select("k", "m"),
    "left with nothing": lambda a, b, none: a.join(none, on="k", how="left").filter(nw.col("m").is_null()),
    "semi with nothing": lambda a, b, none: a.join(none, on="k", how="semi"),
    "anti with nothing": lambda a, b, none: a.join(none, on="k", how="anti"),
    "nothing with all": lambda a, b, none: none.join(a, on="k", how="left"),
    "full with nothing": lambda a, b, none: none.join(a, on="k", how="full"),
    "other names": lambda a, b, none: a.join(b, left_on="n", right_on="m", how="anti"),
    "one under the other": lambda a, b, none: nw.concat([a, a.filter(never("n"))]).unique(),
    "nothing first": lambda a, b, none: nw.concat([a.filter(never("n")), a]).unique("k", keep="none"),
    "exploded": lambda a, b, none: a.filter(nw.col("n") > 9).select("n", c=nw.col("k").str.split("-")).explode("c"),
}


@pytest.mark.parametrize("name", QUERIES)
def test_the_same_rows_and_columns(name: str) -> None:
    plain = QUERIES[name](*(nw.from_native(rows.lazy()) for rows in (ROWS, OTHER, NONE)))
    known = QUERIES[name](*(Few.of(rows) for rows in (ROWS, OTHER, NONE)))
    wanted, found = plain.collect().to_native(), known.collect().to_native()
    assert found.schema == wanted.schema
    assert found.sort(found.columns).equals(wanted.sort(wanted.columns))
    short = rows_of(known)
    assert wanted.is_empty() if short is None else short.height == wanted.height


def test_a_catalogue_need_not_be_of_the_kind() -> None:
    catalogue = nw.from_native(OTHER.lazy())
    for frame in (Few.of(ROWS).join(catalogue, on="k"), catalogue.join(Few.of(ROWS), on="k")):
        assert sorted(frame.collect()["n"].to_list()) == [2, 3]


def test_where_nothing_is_left_no_step_is_taken() -> None:
    rows = Few.of(ROWS).filter(nw.col("n") > 9)
    rest = (
        rows.with_columns(x=nw.col("there is no such column") + 1).filter(nw.col("x") > 0).group_by("x").agg(nw.len())
    )
    assert isinstance(rest, Few)
    assert rest.none
    assert rows_of(rest) is None
    with pytest.raises(Exception, match="no such column"):  # it was put off, not forgotten
        rest.collect()


def test_what_is_made_of_never_is_an_expression_like_any_other() -> None:
    assert isinstance(never("n") & (nw.col("n") > 0), Never)
    assert not isinstance(~never("n"), Never)
    assert not isinstance(never("n").alias("x"), Never)


def test_large_tables_and_those_of_another_engine_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    claim = (stay(days=3), bed(5))
    tables = few(tables_of(claim))
    assert tables is not None
    assert isinstance(tables.service_line, Few)
    assert few(tables_of(claim, engine="duckdb")) is None
    monkeypatch.setattr("detectors.early.MOST", 0)
    assert few(tables_of(claim)) is None
