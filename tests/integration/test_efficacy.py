"""The board: counts are those of the ranking, decisions count where they belong, intervals are Wilson's."""

from __future__ import annotations

from collections import Counter

import polars as pl
import pytest

from models.efficacy import DECISION, ENOUGH, board, wilson
from tests.lib.pipeline import Pipeline


def test_wilson_is_that_of_the_book() -> None:
    low, high = wilson(8, 10)
    assert (low, high) == (pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4))
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(0, 5)[0] == pytest.approx(0.0, abs=1e-12)
    assert wilson(5, 5)[1] == pytest.approx(1.0)


def test_the_board_counts_what_the_ranking_names(pipeline: Pipeline) -> None:
    with pipeline.lake.reader() as reader:
        signs = reader.pl("select * from signal")
        found = {e.rule: e for e in board(pipeline.lake, reader, pipeline.run.run_id, pl.DataFrame(schema=DECISION))}
    claims: dict[str, set[int]] = {}
    for source, version in signs.select("source", "version").iter_rows():
        claims.setdefault(source, set()).add(version)
    named = {rule: e for rule, e in found.items() if e.claims}
    assert named
    others = Counter(v for rule in named for v in claims[rule])
    for rule, e in named.items():
        assert e.claims == len(claims[rule])
        assert e.amount == pytest.approx(float(signs.filter(pl.col("source") == rule)["amount"].sum()))
        assert e.alone == sum(others[v] == 1 for v in claims[rule])
        assert (e.decided, e.confirmed, e.standing) == (0, None, "new")
        if e.most_like:
            assert e.most_like_share == pytest.approx(len(claims[rule] & claims[e.most_like]) / e.claims, abs=1e-4)
    assert all(e.standing == "silent" for rule, e in found.items() if rule not in named)


def test_a_part_of_the_country_has_its_own_figures(pipeline: Pipeline) -> None:
    none = pl.DataFrame(schema=DECISION)
    with pipeline.lake.reader() as reader:
        signs = reader.pl("select source, version, ma_cskcb, cast(amount as double) as amount from signal")
        signs = signs.with_columns(province=pl.col("ma_cskcb").str.slice(0, 2))
        whole = {e.rule: e for e in board(pipeline.lake, reader, pipeline.run.run_id, none)}
        provinces = sorted(signs["province"].unique())
        assert len(provinces) > 1
        parts = {
            p: board(pipeline.lake, reader, pipeline.run.run_id, none, where="province in (?)", params=[p])
            for p in provinces
        }
    for province, part in parts.items():
        own = signs.filter(pl.col("province") == province)
        for e in part:
            rows = own.filter(pl.col("source") == e.rule)
            assert (e.claims, e.facilities) == (rows["version"].n_unique(), rows["ma_cskcb"].n_unique())
            assert e.amount == pytest.approx(rows["amount"].sum(), abs=0.01)
            named = set(rows["version"])
            if e.most_like:
                other = set(own.filter(pl.col("source") == e.most_like)["version"])
                assert e.most_like_share == pytest.approx(len(named & other) / e.claims, abs=1e-4)
            assert sum(e.months) <= e.claims
    for rule, e in whole.items():
        assert e.claims == sum(each.claims for part in parts.values() for each in part if each.rule == rule)


def test_a_rule_that_is_hardly_ever_confirmed_is_proposed_for_shadow(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pipeline.lake.reader() as reader:
        signs = reader.pl("select source, ma_cskcb, ma_lk, line_table, row_no from signal where line_table is not null")
        lines = signs.group_by("source").len().sort("len", "source", descending=[True, False])
        few = lines.filter(pl.col("len").is_between(3, ENOUGH - 1), ~pl.col("source").str.starts_with("expected_cost"))
        rule = few["source"][0]
        own = signs.filter(pl.col("source") == rule)
        for enough, confirmed, standing in (
            (own.height, False, "propose_shadow"),
            (own.height, True, "earning"),
            (own.height + 1, False, "new"),
        ):
            monkeypatch.setattr("models.efficacy.ENOUGH", enough)
            monkeypatch.setattr("models.efficacy.WORTH", wilson(0, own.height)[1] + 0.01)
            decided = own.drop("source").with_columns(confirmed=pl.lit(confirmed))
            (e,) = [x for x in board(pipeline.lake, reader, pipeline.run.run_id, decided) if x.rule == rule]
            assert (e.decided, e.confirmed, e.standing) == (own.height, float(confirmed), standing)
