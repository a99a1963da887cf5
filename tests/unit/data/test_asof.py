"""As-of look-ups: the row of the day, the most specific one, and what claims bill that no row covers."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import narwhals as nw
import polars as pl
import pytest

from data.asof import LOOKUPS, UNCOVERED, as_of, held_throughout, not_held, uncovered
from data.catalogues import CATALOGUES
from data.lake import Lake, table_columns
from data.schema import reused

Frame = nw.LazyFrame[Any]


def services(*rows: tuple[str | None, str | None, float | None, str, str | None]) -> Frame:
    """Rows of code S1: facility, rank, price, valid_from, valid_to; a later one is a later load."""
    given = [
        {
            "ma_dich_vu": "S1",
            "ma_cskcb": site,
            "rank": rank,
            "price": price,
            "valid_from": date.fromisoformat(start),
            "valid_to": date.fromisoformat(end) if end else None,
            "load_seq": number,
        }
        for number, (site, rank, price, start, end) in enumerate(rows)
    ]
    wanted = {c: t for c, t in CATALOGUES["services"].dtypes().items() if not given or c in given[0]}
    return nw.from_native(pl.DataFrame(given, schema=wanted).lazy())


def lines(*days: str | None, code: str | None = "S1", site: str | None = "98001", rank: str | None = "2") -> Frame:
    at = [datetime.fromisoformat(day) if day else None for day in days]
    rows = pl.DataFrame(
        {"n": range(len(days)), "ma_dich_vu": code, "ma_cskcb": site, "facility_rank": rank, "at": at},
        schema_overrides={"at": pl.Datetime("us")}
        | dict.fromkeys(("ma_dich_vu", "ma_cskcb", "facility_rank"), pl.String),
    )
    return nw.from_native(rows.lazy())


def prices(rows: Frame, listed: Frame) -> list[float | None]:
    found = as_of(
        rows,
        listed,
        on=("ma_dich_vu",),
        day="at",
        take=("price",),
        prefer=("ma_cskcb", "rank"),
        called={"rank": "facility_rank"},
    )
    return found.sort("n").collect()["price"].to_list()


def test_both_ends_of_a_period_belong_to_it_and_the_hour_does_not_matter() -> None:
    listed = services((None, None, 10.0, "2026-01-01", "2026-01-31"), (None, None, 12.0, "2026-02-02", None))
    days = lines("2025-12-31 23:59", "2026-01-01", "2026-01-31 23:59", "2026-02-01 12:00", "2026-02-02", "2030-01-01")
    assert prices(days, listed) == [None, 10.0, 10.0, None, 12.0, 12.0]


def test_own_facility_comes_before_rank_before_everyone_whatever_starts_later() -> None:
    everyone, rank, own = (
        (None, None, 30.0, "2026-03-01", None),
        (None, "2", 20.0, "2026-02-01", None),
        ("98001", "1", 10.0, "2026-01-01", None),  # an own row counts whatever rank it names
    )
    day = lines("2026-04-01")
    assert prices(day, services(everyone)) == [30.0]
    assert prices(day, services(everyone, rank)) == [20.0]
    assert prices(day, services(everyone, rank, own)) == [10.0]
    assert prices(lines("2026-04-01", site="98002", rank="3"), services(everyone, rank, own)) == [30.0]
    assert prices(lines("2026-04-01", site=None, rank=None), services(everyone, rank, own)) == [30.0]
    assert prices(lines("2026-01-15"), services(everyone, rank, own)) == [10.0]


def test_the_latest_start_wins_then_the_latest_load() -> None:
    old, new = (None, None, 10.0, "2026-01-01", None), (None, None, 12.0, "2026-02-01", None)
    assert prices(lines("2026-01-15", "2026-03-01"), services(new, old)) == [10.0, 12.0]
    again = (None, None, 13.0, "2026-02-01", None)
    assert prices(lines("2026-03-01"), services(old, again, new)) == [12.0]
    assert prices(lines("2026-03-01"), services(old, new, again)) == [13.0]


def test_an_empty_cell_of_the_chosen_row_is_the_answer() -> None:
    listed = services((None, None, 30.0, "2026-01-01", None), ("98001", None, None, "2026-01-01", None))
    assert prices(lines("2026-04-01"), listed) == [None]


def test_without_a_day_a_code_or_a_row_there_is_no_answer_and_no_row_is_lost() -> None:
    listed = services((None, None, 30.0, "2026-01-01", None))
    assert prices(lines(None, "2026-01-02", None), listed) == [None, 30.0, None]
    assert prices(lines("2026-01-02", code=None), listed) == [None]
    assert prices(lines("2026-01-02", code="S2"), listed) == [None]
    assert prices(lines("2026-01-02", "2026-01-02", "2026-01-02"), listed) == [30.0, 30.0, 30.0]
    assert prices(lines("2026-01-02"), services()) == [None]
    assert prices(lines(), listed) == []


def test_columns_in_a_tuple_narrow_together() -> None:
    tenders = pl.DataFrame(
        {
            "code": ["T"] * 4,
            "so_dang_ky": ["VD-1", "VD-1", None, None],
            "tt_thau": ["G1", None, "G1", None],
            "price": [1.0, 2.0, 3.0, 4.0],
            "valid_from": [date(2026, 1, 1)] * 4,
            "valid_to": [None] * 4,
        },
        schema_overrides={"valid_to": pl.Date},
    )
    bought = pl.DataFrame(
        {
            "n": [0, 1, 2],
            "code": ["T"] * 3,
            "so_dang_ky": ["VD-1", "VD-1", "VD-2"],
            "tt_thau": ["G1", "G2", "G1"],
            "on": [date(2026, 5, 1)] * 3,
        }
    )

    def found(prefer: tuple[Any, ...]) -> list[float | None]:
        rows, listed = nw.from_native(bought.lazy()), nw.from_native(tenders.lazy())
        looked = as_of(rows, listed, on=("code",), day="on", take=("price",), prefer=prefer)
        return looked.sort("n").collect()["price"].to_list()

    # the row with a tender but no registration fills only a part: it is nobody's
    assert found((("so_dang_ky", "tt_thau"), "so_dang_ky")) == [1.0, 2.0, 4.0]
    assert found((("so_dang_ky", "tt_thau"), "so_dang_ky", "tt_thau")) == [1.0, 2.0, 3.0]


def test_the_day_may_be_an_expression_and_the_new_columns_get_a_prefix() -> None:
    rows = lines("2026-01-02").with_columns(price=nw.lit(99.0), later=nw.lit(None, dtype=nw.Datetime("us")))
    listed = services((None, None, 30.0, "2026-01-01", None))
    day = nw.coalesce("later", "at")
    found = as_of(rows, listed, on=("ma_dich_vu",), day=day, take=("price", "valid_to"), prefix="listed_")
    assert found.collect_schema().names() == [*rows.collect_schema().names(), "listed_price", "listed_valid_to"]
    assert found.collect().select("price", "listed_price", "listed_valid_to").rows() == [(99.0, 30.0, None)]


def test_mistakes_in_the_call_say_what_is_wrong() -> None:
    rows, listed = lines("2026-01-02"), services((None, None, 30.0, "2026-01-01", None))
    with pytest.raises(ValueError, match=r"catalogue has no column pay_ratio"):
        as_of(rows, listed, on=("ma_dich_vu",), day="at", take=("pay_ratio",))
    with pytest.raises(ValueError, match=r"rows have no column rank: .*called"):
        as_of(rows, listed, on=("ma_dich_vu",), day="at", take=("price",), prefer=("rank",))
    with pytest.raises(ValueError, match=r"column ma_cskcb already: give a prefix"):
        as_of(rows, listed, on=("ma_dich_vu",), day="at", take=("ma_cskcb",))
    connection = duckdb.connect()
    elsewhere = nw.from_native(connection.sql("select 'S1' as ma_dich_vu, timestamp '2026-01-01' as \"at\""))
    with pytest.raises(ValueError, match=r"take both from one Reader.claim_tables"):
        as_of(elsewhere, listed, on=("ma_dich_vu",), day="at", take=("price",))


# --- What no row held


def some_days(seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Lines of a few codes over a month, some without a code or a day, and periods with gaps and overlaps."""
    draw = random.Random(seed)
    first = datetime(2026, 3, 1)
    lines = pl.DataFrame(
        {
            "n": range(200),
            "code": [draw.choice(["A", "B", "C", "D", None]) for _ in range(200)],
            "at": [None if draw.random() < 0.1 else first + timedelta(hours=draw.randrange(720)) for _ in range(200)],
        },
        schema_overrides={"at": pl.Datetime("us")},
    )
    starts = [date(2026, 2, 20) + timedelta(days=draw.randrange(35)) for _ in range(12)]
    listed = pl.DataFrame(
        {
            "own": [draw.choice(["A", "B", "C"]) for _ in starts],
            "valid_from": starts,
            "valid_to": [None if draw.random() < 0.2 else day + timedelta(days=draw.randrange(12)) for day in starts],
        },
        schema_overrides={"valid_to": pl.Date},
    )
    return lines, listed


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
@pytest.mark.parametrize("seed", range(8))
def test_not_held_are_the_rows_for_which_a_look_up_finds_nothing(seed: int, engine: str) -> None:
    lines, listed = some_days(seed)
    expected = [
        n
        for n, code, at in lines.rows()
        if code is not None
        and at is not None
        and not any(own == code and a <= at.date() and (b is None or b >= at.date()) for own, a, b in listed.rows())
    ]
    assert expected
    connection = duckdb.connect()
    connection.register("lines", lines.to_arrow())
    connection.register("listed", listed.to_arrow())
    rows: Frame = nw.from_native(lines.lazy() if engine == "polars" else connection.table("lines"))
    periods: Frame = nw.from_native(listed.lazy() if engine == "polars" else connection.table("listed"))
    found = not_held(rows, periods, on=("own",), day="at", called={"own": "code"})
    assert found.collect_schema().names() == lines.columns
    assert sorted(found.collect("polars")["n"].to_list()) == expected


def test_a_span_is_held_by_one_row_from_its_first_day_to_its_last() -> None:
    spans = pl.DataFrame(
        {"code": ["S1"] * 4, "first": [date(2026, 1, d) for d in (1, 5, 5, 20)], "last": [date(2026, 1, 25)] * 4}
    )
    listed = services(
        (None, None, 1.0, "2026-01-01", "2026-01-10"),
        (None, None, 1.0, "2026-01-11", "2026-01-31"),
        (None, None, 1.0, "2026-01-15", None),
    )
    found = held_throughout(nw.from_native(spans.lazy()), listed, on=("ma_dich_vu",), called={"ma_dich_vu": "code"})
    assert found.collect().rows() == [("S1", date(2026, 1, 20), date(2026, 1, 25))]


def test_a_reused_frame_is_worked_out_once_a_query() -> None:
    worked: list[int] = []

    def slowly(rows: pl.DataFrame) -> pl.DataFrame:
        worked.append(rows.height)
        return rows

    frame: Frame = nw.from_native(pl.DataFrame({"a": [1, 2, 3]}).lazy().map_batches(slowly))
    kept = reused(frame)
    both = kept.join(kept.group_by("a").agg(n=nw.len()), on="a").sort("a").collect()
    assert (both["n"].to_list(), worked) == ([1, 1, 1], [3])
    relation = nw.from_native(duckdb.connect().sql("select 1 as a"))
    assert reused(relation) is relation


# --- What no row covers


def stored(table: str, *given: dict[str, Any]) -> pl.DataFrame:
    wanted = table_columns(table)
    base = {"ma_cskcb": "98001", "month": 202609, "withdrawn": False, "load_id": "a", "load_seq": 1, "row_no": 1}
    rows = [{name: {**base, **row}.get(name) for name in wanted} for row in given]
    return pl.DataFrame(rows, schema=wanted, infer_schema_length=None)


def commit(lake: Lake, commit_id: str, **tables: pl.DataFrame) -> None:
    with lake.writer("test"):
        folder = lake.staging(commit_id)
        staged = {name: [folder / f"{name}.parquet"] for name in tables}
        for name, frame in tables.items():
            frame.write_parquet(staged[name][0])
        lake.commit("load", commit_id, staged, {})


def listed_uncovered(lake: Lake, **asked: Any) -> list[tuple[Any, ...]]:
    with lake.reader() as reader:
        found = uncovered(reader, **asked)
    assert dict(found.schema) == UNCOVERED
    return found.with_columns(pl.col("money").cast(pl.Float64)).rows()


def test_what_claims_bill_that_no_row_covers(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake", clock=lambda: datetime(2026, 10, 1, tzinfo=UTC), memory="512MB")
    jan, jun, sep = datetime(2026, 1, 5, 8), datetime(2026, 6, 30, 8), datetime(2026, 9, 1, 8)

    def line(code: str | None, at: datetime | None, money: int, version: int = 1, **more: Any) -> dict[str, Any]:
        return {"ma_lk": "A", "version": version, "ma_dich_vu": code, "ngay_yl": at, "t_bhtt": money, **more}

    commit(
        lake,
        "claims",
        encounter=stored(
            "encounter",
            {"ma_lk": "A", "version": 1, "ngay_vao": jan, "t_bhtt": 100},
            {"ma_lk": "B", "version": 2, "ngay_vao": jan, "t_bhtt": 100, "ma_cskcb": "98002"},
        ),
        service_line=stored(
            "service_line",
            line("S1", jan, 10),  # covered until June
            line("S1", sep, 20),
            line("S1", jun, 20, ngay_th_yl=sep),  # done in September, though ordered in June
            line("S2", jan, 7),  # only at the other facility
            line("S9", jan, 40),
            line("S9", None, 99),  # without a day nothing can be said
            line(None, jan, 50, ma_vat_tu="V1"),  # a supply is no service
            line("S3", jan, 5),  # by the rank of the facility
            line("S3", jan, 5, version=2, ma_cskcb="98002"),  # another rank
            line("S1", jan, 1, ma_may="M1;M2"),
        ),
    )
    since = date(2025, 1, 1)

    def row(code: str, **more: Any) -> dict[str, Any]:
        return {"ma_dich_vu": code, "price": 1.0, "valid_from": since, "ma_cskcb": None, **more}

    commit(
        lake,
        "lists",
        catalogue_facilities=stored(
            "catalogue_facilities",
            {"ma_cskcb": "98001", "rank": "2", "valid_from": since},
            {"ma_cskcb": "98002", "rank": "3", "valid_from": since},
        ),
        catalogue_services=stored(
            "catalogue_services",
            row("S1", valid_to=date(2026, 6, 30)),
            row("S2", ma_cskcb="98002"),
            row("S3", rank="2"),
        ),
        catalogue_machines=stored("catalogue_machines", {"ma_may": "M1", "valid_from": since}),
    )
    first, last = date(2026, 1, 5), date(2026, 9, 1)
    assert listed_uncovered(lake) == [
        ("machines", "M2", "98001", "unknown", 1, 1.0, first, first),
        ("services", "S1", "98001", "other_day", 2, 40.0, last, last),
        ("services", "S9", "98001", "unknown", 1, 40.0, first, first),
        ("services", "S2", "98001", "elsewhere", 1, 7.0, first, first),
        ("services", "S3", "98002", "elsewhere", 1, 5.0, first, first),
    ]
    assert [row[1] for row in listed_uncovered(lake, facility="98002")] == ["S3"]


def test_catalogues_that_were_never_loaded_are_not_said_to_lack_anything(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake", clock=lambda: datetime(2026, 10, 1, tzinfo=UTC), memory="512MB")
    claim = {"ma_lk": "A", "version": 1, "ngay_vao": datetime(2026, 1, 5), "t_bhtt": 1}
    commit(lake, "claims", encounter=stored("encounter", claim))
    assert listed_uncovered(lake) == []


def test_every_catalogue_with_a_period_says_how_claims_meet_it() -> None:
    assert set(LOOKUPS) == {name for name, own in CATALOGUES.items() if own.dated}
    for name, lookup in LOOKUPS.items():
        narrowing = {c for scope in lookup.prefer for c in ([scope] if isinstance(scope, str) else scope)}
        assert {lookup.code, *lookup.on, *narrowing} <= set(CATALOGUES[name].columns)
