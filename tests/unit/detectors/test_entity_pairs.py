"""Pairs: chance alone alarms no oftener than stated, what is planted is found, what a diagnosis explains is not odd."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import polars as pl
import pytest

from detectors.entity.pairs import PairReference

DRUGS, DOCTORS, STRATA = 12, 200, 4
Given = tuple[pl.DataFrame, pl.DataFrame]


def drawn(seed: int, *, differ: float = 0.0, planted: Mapping[str, tuple[str, int]] | None = None) -> Given:
    """Doctors whose cases get drugs by diagnosis alone, each doctor a little his own way (variance `differ`)."""
    rng = np.random.default_rng(seed)
    chance = np.random.default_rng(5).uniform(0.01, 0.15, (STRATA, DRUGS))
    cases: list[tuple[str, str, float]] = []
    hits: list[tuple[str, str, str, str, float]] = []
    for doctor in range(DOCTORS):
        own = rng.gamma(1.0 / differ, differ, DRUGS) if differ else np.ones(DRUGS)
        for stratum in range(STRATA):
            number = int(rng.integers(10, 60))
            cases.append((f"d{doctor}", f"s{stratum}", float(number)))
            seen = rng.poisson(number * chance[stratum] * own)
            hits += [(f"d{doctor}", f"m{m}", f"m{m}", f"s{stratum}", float(n)) for m, n in enumerate(seen) if n]
    hits += [(doctor, drug, drug, "s0", float(n)) for doctor, (drug, n) in (planted or {}).items()]
    texts = dict.fromkeys(("entity_id", "partner", "item", "stratum"), pl.String)
    return (
        pl.DataFrame(cases, schema={"entity_id": pl.String, "stratum": pl.String, "cases": pl.Float64}, orient="row"),
        pl.DataFrame(hits, schema={**texts, "seen": pl.Float64}, orient="row"),
    )


@pytest.mark.parametrize("differ", [0.0, 0.2])
def test_where_only_chance_differs_the_alarms_keep_to_their_rate(differ: float) -> None:
    known = [PairReference.fit(*drawn(seed, differ=differ)) for seed in (1, 30)]
    tails = pl.concat(
        [one.judge(*drawn(seed, differ=differ), least=5.0)["tail"] for one in known for seed in range(2, 12)]
    )
    # the strangest of all the partners of each of 4,000 doctors
    assert (tails < 0.1).mean() <= 0.11
    assert (tails < 0.01).mean() <= 0.015
    assert (tails < 0.0001).mean() <= 0.001


def test_a_drug_that_one_doctor_gives_out_of_measure_is_found_and_no_other() -> None:
    known = PairReference.fit(*drawn(1, differ=0.1, planted={"d7": ("m3", 60)}))  # learned with him among the others
    found = known.judge(*drawn(2, differ=0.1, planted={"d7": ("m3", 60)}), least=5.0)
    (strong,) = found.filter(pl.col("strength") > 0.5).iter_rows(named=True)
    assert (strong["entity_id"], strong["partner"]) == ("d7", "m3")
    assert strong["seen"] > 2 * strong["usual"]


def test_what_the_diagnoses_explain_is_not_odd() -> None:
    cases, hits = drawn(1)
    heart = pl.DataFrame({"entity_id": [f"h{n}" for n in range(20)], "stratum": "heart", "cases": 100.0})
    pills = heart.select("entity_id", "stratum", partner=pl.lit("pill"), item=pl.lit("pill"), seen=pl.lit(80.0))
    cases, hits = pl.concat([cases, heart]), pl.concat([hits, pills.select(hits.columns)])
    found = PairReference.fit(cases, hits).judge(cases, hits, least=5.0)
    assert found.filter(pl.col("partner") == "pill", pl.col("strength") > 0).is_empty()


def test_a_partner_of_several_items_is_expected_as_often_as_all_of_them() -> None:
    cases, hits = drawn(1)
    known = PairReference.fit(cases, hits)
    both = hits.filter(pl.col("item").is_in(["m0", "m1"])).with_columns(partner=pl.lit("tender"))
    apart = known._expected(cases, both.with_columns(partner="item"))
    sums = apart.group_by("entity_id").agg(pl.col("usual").sum(), pl.len()).filter(pl.col("len") == 2)
    whole = known._expected(cases, both).join(sums, on="entity_id", suffix="_apart")
    assert whole["usual"].to_list() == pytest.approx(whole["usual_apart"].to_list())
    usual = known._expected(cases, hits)  # over all doctors what is expected is about what there is
    assert usual["usual"].sum() == pytest.approx(usual["seen"].sum(), rel=0.05)


def test_an_answer_needs_the_entitys_own_cases_alone_in_any_order() -> None:
    known = PairReference.fit(*drawn(1, differ=0.1))
    cases, hits = drawn(2, differ=0.1, planted={"d7": ("m3", 60), "d8": ("m1", 45)})
    together = known.judge(cases, hits, least=5.0)
    assert known.judge(cases.sample(fraction=1, shuffle=True, seed=3), hits.reverse(), least=5.0).equals(together)
    mine = pl.col("entity_id") == "d8"
    assert known.judge(cases.filter(mine), hits.filter(mine), least=5.0).equals(together.filter(mine))


def test_it_reads_back_and_is_silent_where_too_few_were_learned_from() -> None:
    cases, hits = drawn(1, planted={"d7": ("m3", 60)})
    known = PairReference.fit(cases, hits)
    again = PairReference.from_json(json.loads(json.dumps(known.as_json())))
    assert again == known
    few = pl.col("entity_id").is_in(["d6", "d7", "d8"])
    assert PairReference.fit(cases.filter(few), hits.filter(few)).judge(cases, hits, least=5.0).is_empty()
    assert PairReference().judge(cases, hits, least=5.0).is_empty()
    assert PairReference.fit(cases.clear(), hits.clear()).judge(cases.clear(), hits.clear(), least=5.0).is_empty()
