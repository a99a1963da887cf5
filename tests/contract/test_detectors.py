"""The battery every statistical detector passes: own row only, in range, repeatable, no training row kept."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import polars as pl
import pytest

from data.schema import columns
from detectors.aside import Judge, stand_aside
from detectors.base import DetectorState
from detectors.discovery import outlier_detectors
from detectors.examples import bed, drug, service, stay, tables_of, visit
from detectors.rulebook import run_rules
from detectors.statistical.expected_cost import BARE_NEEDS, COST_GROUPS, GROUPS, LINES, TOTALS, ExpectedCost
from tests.lib.documented import documented_detector

DETECTORS: list[Any] = [*outlier_detectors().values(), documented_detector()]  # the documented one keeps them all too

EVERY = [*DETECTORS, ExpectedCost]


def matrix(names: tuple[str, ...], rows: int = 1_200, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame({name: rng.exponential(size=rows).round(6) for name in names})
    holes = frame.with_columns(pl.when(pl.int_range(pl.len()) % 17 != 3).then(pl.all()))
    return holes.with_columns(
        ma_loai_kcb=pl.Series(rng.choice(["01", "03"], rows)),
        facility_rank=pl.Series(rng.choice(["1", "2", "-"], rows, p=[0.7, 0.2, 0.1])).replace("-", None),
        ma_cskcb=pl.Series(rng.choice(["98001", "98002"], rows)),
        ma_lk=pl.int_range(rows).cast(pl.String),
    )


def reread(detector: Any) -> Any:
    """The detector as a bundle gives it back: its JSON with sorted keys, as the manifest is written."""
    state = detector.state()
    meta = json.loads(json.dumps(dict(state.meta), sort_keys=True))
    return type(detector).from_state(DetectorState(kind=state.kind, meta=meta, arrays=state.arrays))


@pytest.fixture(scope="module", params=DETECTORS, ids=lambda kind: kind.name)
def fitted(request: pytest.FixtureRequest) -> tuple[Any, pl.DataFrame]:
    names = request.param().feature_names
    x = matrix(names)
    return request.param().fit(x, seed=3), x


def test_scores_lie_between_nought_and_one(fitted: tuple[Any, pl.DataFrame]) -> None:
    detector, x = fitted
    scores = detector.score(x)
    assert scores.is_finite().all()
    assert scores.is_between(0, 1).all()
    assert scores.n_unique() > 50


def test_a_row_scores_the_same_alone_shuffled_and_in_the_batch(fitted: tuple[Any, pl.DataFrame]) -> None:
    detector, x = fitted
    whole = detector.score(x)
    shuffled = x.with_row_index("i").sample(fraction=1, shuffle=True, seed=8)
    again = pl.DataFrame({"i": shuffled["i"], "s": detector.score(shuffled.drop("i"))}).sort("i")["s"]
    assert again.to_list() == whole.to_list()
    assert [detector.score(x[i : i + 1])[0] for i in range(40)] == whole[:40].to_list()


def test_one_seed_gives_one_result(fitted: tuple[Any, pl.DataFrame]) -> None:
    detector, x = fitted
    assert type(detector)().fit(x, seed=3).score(x).to_list() == detector.score(x).to_list()


def test_the_state_holds_no_training_row_and_reads_back_equal(fitted: tuple[Any, pl.DataFrame]) -> None:
    detector, x = fitted
    state = detector.state()
    assert reread(detector).score(x).to_list() == detector.score(x).to_list()
    more = type(detector)().fit(pl.concat([x, matrix(detector.feature_names, 6_000, 9)]), seed=3).state()
    rows = x.select(detector.feature_names).to_numpy()
    for array in state.arrays.values():
        assert array.dtype != object
        assert array.ndim == 1 or array.shape[0] != rows.shape[0]
    assert sum(a.nbytes for a in more.arrays.values()) < 3 * sum(a.nbytes for a in state.arrays.values())


def test_contributions_add_up_to_the_log_odds(fitted: tuple[Any, pl.DataFrame]) -> None:
    detector, x = fitted
    score = detector.score(x).clip(1e-6, 1 - 1e-6).to_numpy()
    parts = detector.contributions(x)
    assert parts.columns == list(detector.feature_names)
    np.testing.assert_allclose(parts.to_numpy().sum(axis=1), np.log(score / (1 - score)), atol=1e-6)


def test_constant_and_empty_columns_are_not_strange(fitted: tuple[Any, pl.DataFrame]) -> None:
    detector, x = fitted
    flat = x.with_columns(pl.lit(1.0).alias(name) for name in detector.feature_names)
    scores = type(detector)().fit(flat, seed=1).score(flat)
    assert scores.is_finite().all()
    assert scores.max() == 0.0
    empty = x.with_columns(pl.lit(None, dtype=pl.Float64).alias(name) for name in detector.feature_names)
    assert type(detector)().fit(empty, seed=1).score(empty).is_finite().all()


def test_columns_that_say_the_same_break_nothing(fitted: tuple[Any, pl.DataFrame]) -> None:
    detector, x = fitted
    first, second, third, *_ = detector.feature_names
    copied = x.with_columns(pl.col(first).alias(second), (pl.col(first) * 2.0).alias(third))
    again = type(detector)().fit(copied, seed=1)
    assert again.score(copied).is_finite().all()
    assert again.contributions(copied[:5]).select(pl.all().is_finite().all()).row(0) == (True,) * len(
        detector.feature_names
    )


def test_nothing_is_odd_about_no_rows_and_little_can_be_learned_of_one(fitted: tuple[Any, pl.DataFrame]) -> None:
    detector, x = fitted
    assert detector.score(x.clear()).len() == 0
    few = type(detector)().fit(x[:1], seed=1)
    assert few.score(x).is_finite().all()
    assert reread(few).score(x).to_list() == few.score(x).to_list()


def test_wild_cells_are_odd_and_finite(fitted: tuple[Any, pl.DataFrame]) -> None:
    detector, x = fitted
    wild = x[:3].with_columns(
        pl.when(pl.int_range(pl.len()) == 1).then(1e12).otherwise(50.0).alias(name) for name in detector.feature_names
    )
    scores = detector.score(wild)
    assert scores.is_finite().all()
    assert scores.min() > 0.99  # type: ignore[operator]


def test_a_kind_of_claim_never_seen_is_judged_among_all(fitted: tuple[Any, pl.DataFrame]) -> None:
    detector, x = fitted
    strange = x.with_columns(ma_loai_kcb=pl.lit("99"), facility_rank=pl.lit("DB"))
    unknown = x.with_columns(ma_loai_kcb=pl.lit(None, dtype=pl.String), facility_rank=pl.lit(None, dtype=pl.String))
    assert detector.score(strange).is_between(0, 1).all()
    assert detector.score(strange).to_list() == detector.score(unknown).to_list()


# what a detector needs: without it, it stands aside


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.name)
def test_it_names_the_claim_fields_it_needs(kind: Any) -> None:
    assert kind.needs
    for field in kind.needs:
        table, _, column = field.partition(".")
        assert column in columns(table), field


@pytest.mark.parametrize(
    ("kind", "field"), [(kind, field) for kind in EVERY for field in kind.needs], ids=lambda of: getattr(of, "name", of)
)
def test_without_a_needed_field_it_stands_aside_from_that_claim_alone(kind: Any, field: str) -> None:
    table, _, column = field.partition(".")
    blank: dict[str, Any] = {column: None}
    claim = [
        stay(days=3, **(blank if table == "encounter" else {})),
        bed(3),
        service(**(blank if table == "service_line" else {})),
        drug(**(blank if table == "drug_line" else {})),
    ]
    judge = Judge(source="it@1", needs=kind.needs)
    found = run_rules(tables_of([visit(), service(), *claim]), [], also=judge.fields)
    keys = found.blanks.select("ma_cskcb", "ma_lk")
    aside = stand_aside([judge], found, keys, keys.clear())
    assert aside.of("it@1")["ma_lk"].to_list() == ["LK002"]
    assert aside.claims["entries"].to_list() == [f'{{"kind": "not_evaluable", "source": "it@1", "field": "{field}"}}']
    run = aside.run("it@1", encounters=2, signs=keys.clear())
    assert (run.hit, run.clear, run.not_evaluable) == (0, 1, 1)


# the expected cost speaks in money, so it has its own promises


@pytest.fixture(scope="module")
def costs() -> pl.DataFrame:
    rng = np.random.default_rng(2)
    rows = 3_000
    severe = rng.random(rows) < 0.3
    frame = pl.DataFrame(
        {
            "ma_cskcb": rng.choice(["98001", "98002", "98003"], rows),
            "ma_lk": [str(i) for i in range(rows)],
            "doctor": rng.choice(["a", "b"], rows),
            "ma_loai_kcb": np.where(severe, "03", "01"),
            "icd3": rng.choice(["I10", "J18", "K35"], rows),
            "icd_letter": "X",
            "facility_rank": "2",
            "facility_level": "co_ban",
            "department": "K01",
            "age_band": "30-44",
            "age": rng.integers(1, 90, rows).astype(float),
            "female": rng.integers(0, 2, rows).astype(float),
            "diagnoses": 1.0,
            "emergency": 0.0,
            "referred_in": 0.0,
            "visits_365d": 1.0,
            "stay_nights": np.where(severe, 5.0, 0.0),
            "distinct_drugs": 2.0,
            "distinct_services": 3.0,
            "lines_imaging": 1.0,
            "active_care_days": 1.0,
            "written_days": 7.0,
            LINES: 6.0,
        }
    )
    money = {g.column: np.where(severe, 900_000, 90_000) * rng.lognormal(0, 0.3, rows) for g in GROUPS}
    return frame.with_columns(**{name: pl.Series(values).round(0) for name, values in money.items()})


@pytest.fixture(scope="module")
def expected(costs: pl.DataFrame) -> ExpectedCost:
    return ExpectedCost().fit(costs, seed=1)


def test_about_one_in_twenty_lies_above_its_95th_percentile(expected: ExpectedCost, costs: pl.DataFrame) -> None:
    for group in COST_GROUPS:
        limits = expected.high(costs, group.name)
        assert limits is not None
        assert 0.02 < (costs[group.column].to_numpy() > limits[1]).mean() < 0.09


def test_an_inflated_bill_stands_out_by_its_own_excess(expected: ExpectedCost, costs: pl.DataFrame) -> None:
    one = costs.filter(pl.col("ma_loai_kcb") == "01").head(1).with_columns(cost_lab=pl.lit(2_000_000.0))
    found = expected.excess(one).filter(pl.col("group") == "lab").row(0, named=True)
    assert found["observed"] == 2_000_000
    assert 50_000 < found["expected"] < 200_000
    assert found["excess"] == pytest.approx(found["observed"] - found["high"], abs=0.02)
    assert found["strength"] == pytest.approx(1.0, abs=0.35)


def test_an_excess_does_not_depend_on_its_batch(expected: ExpectedCost, costs: pl.DataFrame) -> None:
    whole = expected.excess(costs)
    some = costs.join(whole.select("ma_cskcb", "ma_lk").unique(), on=["ma_cskcb", "ma_lk"], how="semi").head(30)
    alone = pl.concat([expected.excess(some[i : i + 1]) for i in range(some.height)])
    together = whole.join(some.select("ma_cskcb", "ma_lk"), on=["ma_cskcb", "ma_lk"], how="semi")
    keys = ["ma_cskcb", "ma_lk", "group"]
    assert alone.sort(keys).equals(together.sort(keys))


def test_a_padded_stay_does_not_explain_its_own_bed_days(expected: ExpectedCost, costs: pl.DataFrame) -> None:
    stay = costs.filter(pl.col("ma_loai_kcb") == "03").head(1)
    longer = stay.with_columns(stay_nights=pl.lit(40.0))
    assert expected.high(stay, "bed")[0] == expected.high(longer, "bed")[0]  # type: ignore[index]


def test_a_doctors_habit_is_learned_and_a_newcomer_has_none(costs: pl.DataFrame) -> None:
    often = (pl.col("doctor") == "a") & (pl.col("ma_cskcb") == "98001") & (pl.int_range(pl.len()) % 3 == 0)
    inflated = costs.with_columns(cost_lab=pl.when(often).then(pl.col("cost_lab") * 4).otherwise("cost_lab"))
    detector = ExpectedCost().fit(inflated, seed=1)
    found = detector.excess(inflated).filter(pl.col("group") == "lab").join(costs, on=["ma_cskcb", "ma_lk"])
    mine = found.filter((pl.col("doctor") == "a") & (pl.col("ma_cskcb") == "98001"))["habit"][0]
    others = found.filter(pl.col("ma_cskcb") == "98003")["habit"].max()
    assert mine > 2 > others  # type: ignore[operator]
    stranger = inflated.filter(often).head(1).with_columns(ma_cskcb=pl.lit("97001"), doctor=pl.lit("z"))
    assert detector.excess(stranger).filter(pl.col("group") == "lab")["habit"].to_list() == [1.0]


def test_expected_cost_reads_back_equal(expected: ExpectedCost, costs: pl.DataFrame) -> None:
    assert reread(expected).excess(costs).equals(expected.excess(costs))


@pytest.fixture(scope="module")
def bare(costs: pl.DataFrame) -> pl.DataFrame:
    """The same claims without their lines, every other one with nothing but what the fund paid."""
    blank = {group.column: pl.lit(0.0) for group in COST_GROUPS}
    known = pl.when(pl.int_range(pl.len()) % 2 == 0).then("bill_total")
    return costs.with_columns(**blank, bill_total=known, **{LINES: pl.lit(0.0)})


def test_a_claim_without_lines_is_judged_by_its_whole_bill(bare: pl.DataFrame) -> None:
    detector = ExpectedCost().fit(bare, seed=1)
    assert detector.whole_bills == ("encounter.t_tongchi_bh", "encounter.t_bhtt")
    dear = bare.head(2).with_columns(bill_total=pl.col("bill_total") * 20, fund_paid=pl.col("fund_paid") * 20)
    found = detector.excess(dear)
    assert found.sort(pl.col("ma_lk").cast(pl.Int64))["group"].to_list() == ["total", "paid"]
    assert (found["excess"] > found["observed"] * 0.8).all()
    assert reread(detector).excess(bare).equals(detector.excess(bare))


def test_no_claim_is_judged_both_by_its_lines_and_by_its_whole_bill(costs: pl.DataFrame, bare: pl.DataFrame) -> None:
    others = bare.with_columns(ma_lk=pl.format("bare-{}", "ma_lk"))
    both = pl.concat([costs, others])
    detector = ExpectedCost().fit(both, seed=1)
    by_bill = pl.col("group").is_in([group.name for group in TOTALS])
    found = detector.excess(both)
    assert found.filter(by_bill)["ma_lk"].str.starts_with("bare-").all()
    assert not found.filter(~by_bill)["ma_lk"].str.starts_with("bare-").any()
    of_lines = ["ma_cskcb", "ma_lk", "group", "observed", "expected", "high"]
    alone = ExpectedCost().fit(costs, seed=1).excess(costs)
    assert found.filter(~by_bill).select(of_lines).equals(alone.select(of_lines))


def test_without_lines_the_diagnosis_and_one_learned_amount_are_enough(bare: pl.DataFrame) -> None:
    detector = ExpectedCost().fit(bare, seed=1)
    judge = Judge(source="it@1", needs=detector.needs, bare_needs=BARE_NEEDS, bare_amounts=detector.whole_bills)
    total, paid, diagnosis = "encounter.t_tongchi_bh", "encounter.t_bhtt", "encounter.ma_benh_chinh"
    assert judge.lacking(frozenset({total}), bare=True) == []
    assert judge.lacking(frozenset({paid}), bare=True) == []
    assert judge.lacking(frozenset({total, paid}), bare=True) == [total, paid]
    assert judge.lacking(frozenset({diagnosis, total}), bare=True) == [diagnosis]
    assert judge.lacking(frozenset({paid}), bare=False) == [paid]
    never = Judge(source="it@1", needs=detector.needs, bare_needs=BARE_NEEDS)
    assert set(never.lacking(frozenset(), bare=True)) == {f for f in detector.needs if "_line." in f}


def test_a_negative_or_absent_amount_breaks_nothing(bare: pl.DataFrame) -> None:
    odd = bare.with_columns(
        bill_total=pl.when(pl.int_range(pl.len()) % 40 == 0).then(-5_000_000.0).otherwise("bill_total"),
        age=pl.lit(None, dtype=pl.Float64),
        age_band=pl.lit(None, dtype=pl.String),
        doctor=pl.lit(None, dtype=pl.String),
        ma_loai_kcb=pl.lit(None, dtype=pl.String),
    )
    detector = ExpectedCost().fit(odd, seed=1)
    for group in TOTALS:
        limits = detector.high(odd, group.name)
        assert limits is not None
        assert np.isfinite(limits).all()
    assert detector.excess(odd).select(pl.selectors.float().is_finite().all()).row(0) == (True,) * 7


def test_a_cost_group_too_rare_to_learn_is_never_raised(costs: pl.DataFrame) -> None:
    rare = costs.with_columns(cost_supply=pl.when(pl.int_range(pl.len()) < 20).then(1e9).otherwise(0.0))
    detector = ExpectedCost().fit(rare, seed=1)
    assert detector.high(rare, "supply") is None
    assert "supply" not in detector.excess(rare)["group"].to_list()


@pytest.mark.parametrize("kind", DETECTORS, ids=lambda kind: kind.name)
def test_pyod_can_use_it_and_the_batch_does_not_matter(kind: Any) -> None:
    from pyod.models.base import BaseDetector

    from detectors.pyod import as_pyod

    x = matrix(kind().feature_names).select(kind().feature_names).fill_null(0.0).to_numpy()
    x[7] = x.max(axis=0) * 9
    model = as_pyod(kind(), seed=3, contamination=0.02).fit(x)
    assert isinstance(model, BaseDetector)
    assert model.needs == kind.needs  # pyright: ignore[reportAttributeAccessIssue]
    assert 1 <= model.labels_.sum() <= 0.02 * len(x) + 3  # fewer where several rows are equally odd
    assert model.predict(x)[7] == 1
    assert model.decision_function(x)[:20].tolist() == [model.decision_function(x[i : i + 1])[0] for i in range(20)]
