"""`as_of` agrees with looking through the catalogue row by row, on both engines."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from typing import Any

import duckdb
import narwhals as nw
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.asof import Scope, as_of

Row = dict[str, Any]

CATALOGUE = {
    "code": pl.String(),
    "site": pl.String(),
    "rank": pl.String(),
    "price": pl.Float64(),
    "note": pl.String(),
    "valid_from": pl.Date(),
    "valid_to": pl.Date(),
    "load_seq": pl.Int64(),
}
ROWS = {"n": pl.Int64(), "item": pl.String(), "site": pl.String(), "class": pl.String(), "at": pl.Datetime("us")}
CALLED = {"code": "item", "rank": "class"}
TAKE = ("price", "note", "valid_from")
PREFER: tuple[tuple[Scope, ...], ...] = ((), ("site", "rank"), (("site", "rank"), "site"), ("rank",))

CODES = ("A", "A", "ký hiệu", None)
SITES = ("1", "1", "2", None, None)
RANKS = ("I", "II", None)
DAYS = tuple(date(2026, 1, 1) + timedelta(days=n) for n in range(6))


def world(seed: int) -> tuple[list[Row], list[Row]]:
    """Claim rows and catalogue rows so close to each other that most rows have several answers to choose from."""
    rng = random.Random(seed)
    catalogue = [
        {
            "code": rng.choice(CODES),
            "site": rng.choice(SITES),
            "rank": rng.choice(RANKS),
            "price": rng.choice((10.0, 20.0, 30.5, None)),
            "note": rng.choice(("x", "Đ", None)),
            "valid_from": rng.choice(DAYS),
            "valid_to": rng.choice((None, *DAYS)),  # may come before valid_from: such a row never holds
            "load_seq": rng.randint(1, 3),
        }
        for _ in range(rng.choice((0, 3, 12, 25)))
    ]
    rows: list[Row] = []
    for _ in range(rng.choice((1, 4, 15))):
        day = rng.choice((None, *DAYS))
        clock = timedelta(minutes=rng.choice((0, 1, 700, 1439)))
        at = None if day is None else datetime(day.year, day.month, day.day) + clock
        rows.append({"item": rng.choice(CODES), "site": rng.choice(SITES), "class": rng.choice(RANKS), "at": at})
    return rows, catalogue


def by_hand(row: Row, catalogue: list[Row], prefer: tuple[Scope, ...]) -> Row:
    """The answer by looking through the whole catalogue."""
    groups = [(scope,) if isinstance(scope, str) else scope for scope in prefer]
    narrowing = {column for group in groups for column in group}

    def scope_of(listed: Row) -> int | None:
        for number, group in enumerate(groups):
            if all(listed[column] is not None for column in group):
                return number
        return len(groups) if all(listed[column] is None for column in narrowing) else None

    best: tuple[Any, ...] | None = None
    answer: Row = dict.fromkeys(TAKE)
    for listed in catalogue:
        scope = scope_of(listed)
        if scope is None or row["item"] is None or row["at"] is None or listed["code"] != row["item"]:
            continue
        own = groups[scope] if scope < len(groups) else ()
        if any(row[CALLED.get(column, column)] != listed[column] for column in own):
            continue
        day = row["at"].date()
        if listed["valid_from"] > day or (listed["valid_to"] is not None and listed["valid_to"] < day):
            continue
        taken = tuple((listed[c] is not None, listed[c] if listed[c] is not None else "") for c in ("price", "note"))
        # a missing price is compared with nothing: its flag decides first
        rank = (-scope, listed["valid_from"], listed["load_seq"], *taken)
        if best is None or rank > best:
            best, answer = rank, {c: listed[c] for c in TAKE}
    return answer


def frames(engine: str, rows: list[Row], catalogue: list[Row]) -> tuple[nw.LazyFrame[Any], nw.LazyFrame[Any]]:
    numbered = [{"n": n, **row} for n, row in enumerate(rows)]
    made = pl.DataFrame(numbered, schema=ROWS), pl.DataFrame(catalogue, schema=CATALOGUE)
    if engine == "polars":
        return nw.from_native(made[0].lazy()), nw.from_native(made[1].lazy())
    connection = duckdb.connect(config={"threads": 1})
    for name, frame in zip(("claims", "listed"), made, strict=True):
        connection.register("given", frame.to_arrow())
        connection.execute(f"create table {name} as from given")
    return nw.from_native(connection.table("claims")), nw.from_native(connection.table("listed"))


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
@settings(max_examples=60, derandomize=True, deadline=None)
@given(seed=st.integers(0, 10**9), prefer=st.sampled_from(PREFER))
def test_it_agrees_with_looking_through_the_catalogue(engine: str, seed: int, prefer: tuple[Scope, ...]) -> None:
    rows, catalogue = world(seed)
    claims, listed = frames(engine, rows, catalogue)
    found = as_of(claims, listed, on=("code",), day="at", take=TAKE, prefer=prefer, called=CALLED, prefix="l_")
    collected = pl.DataFrame(found.sort("n").collect().to_dict(as_series=False), schema_overrides=ROWS)
    expected = [
        {"n": n, **row, **{f"l_{c}": value for c, value in by_hand(row, catalogue, prefer).items()}}
        for n, row in enumerate(rows)
    ]
    assert collected.to_dicts() == expected


@settings(max_examples=30, derandomize=True, deadline=None)
@given(seed=st.integers(0, 10**9))
def test_neither_the_order_of_the_catalogue_nor_the_other_rows_matter(seed: int) -> None:
    rows, catalogue = world(seed)

    def answers(claims: list[Row], listed: list[Row]) -> list[Any]:
        made = frames("polars", claims, listed)
        found = as_of(*made, on=("code",), day="at", take=TAKE, prefer=("site", "rank"), called=CALLED, prefix="l_")
        return found.sort("n").collect().select("l_price", "l_note", "l_valid_from").rows()

    together = answers(rows, catalogue)
    assert answers(rows, random.Random(seed).sample(catalogue, len(catalogue))) == together
    assert [answers([row], catalogue)[0] for row in rows] == together
