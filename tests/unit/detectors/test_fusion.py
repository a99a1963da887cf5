"""Fusion: money is counted once, the parts add up, and the words carry the figures."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import polars as pl
import pytest

from detectors.aside import ASIDE_COLUMNS
from detectors.base import FINDING_COLUMNS, HIT_COLUMNS, rules
from detectors.fusion import Signals, Weights, fuse
from detectors.rarity import Rarity
from detectors.standing import COLUMNS as STANDING
from detectors.statistical.expected_cost import EXCESS_COLUMNS

EXCESS = {**EXCESS_COLUMNS, "peer_group": pl.String(), "peer_n": pl.Int64(), "peer_median": pl.Float64()}
KEY = {"ma_cskcb": "98001", "ma_lk": "1"}
BED = next(r for r in rules() if r.id == "BED-01")  # deny
DUP = next(r for r in rules() if r.id == "TOT-11")
STAY = next(r for r in rules() if r.id == "REA-01")  # warn


class Odd:
    """A finder as fusion sees it: its name, and what it says."""

    name, version, needs = "odd", 3, ("service_line.so_luong",)
    reason_vi: ClassVar = {"many": "{item}: {observed}, gấp {times} lần mức thường {allowed} của {n} hồ sơ, {amount}"}
    reason_en: ClassVar = {"many": "{item}: {observed}, {times} times the usual {allowed} of {n} claims, {amount}"}


def found(row_no: int, amount: float, strength: float = 1.0) -> dict[str, Any]:
    return {
        "line_table": "service_line",
        "row_no": row_no,
        "pattern": "many",
        "scheme": "QTY_INFLATION",
        "strength": strength,
        "amount": amount,
        "observed": 6.0,
        "allowed": 4.0,
        "peer_n": 320,
        "source": "odd:many@3",
    }


def run(
    *hits: dict[str, Any],
    excess: tuple[dict[str, Any], ...] = (),
    findings: tuple[dict[str, Any], ...] = (),
    t_bhtt: float | None = 1_000_000,
    t_tongchi_bh: float | None = 1_250_000,
    aside: dict[str, Any] | None = None,
    strangeness: float = 0.0,
    rarity: Rarity | None = None,
    weights: Weights | None = None,
    stood: dict[str, Any] | None = None,
) -> dict[str, Any]:
    claims = pl.DataFrame(
        [{**KEY, "t_bhtt": t_bhtt, "t_tongchi_bh": t_tongchi_bh}],
        schema_overrides={"t_bhtt": pl.Float64, "t_tongchi_bh": pl.Float64},
    )
    columns = {**HIT_COLUMNS, "source": pl.String(), "scheme": pl.String(), "severity": pl.String()}
    lines = pl.DataFrame(
        [
            {**KEY, "line_table": "service_line", "row_no": n, "ma_nhom": 1, "t_bhtt": 100_000.0}
            | {"code": f"03.{n}", "item": f"Món {n}"}
            for n in (1, 2, 3)
        ],
        schema_overrides={"row_no": pl.Int32, "ma_nhom": pl.Int32},
    )
    encounters = claims.with_columns(ma_loai_kcb=pl.lit("01"), ma_benh_chinh=pl.lit("I10"))
    signals = Signals(
        claims=encounters,
        hits=pl.DataFrame([{**KEY, **h} for h in hits], schema=columns),
        excess=pl.DataFrame([{**KEY, **e} for e in excess], schema=EXCESS),
        findings=pl.DataFrame([{**KEY, **f} for f in findings], schema={**FINDING_COLUMNS, "source": pl.String()}),
        outliers=pl.DataFrame([{**KEY, "strangeness": strangeness}]),
        aside=pl.DataFrame([{**KEY, **aside}] if aside else [], schema=ASIDE_COLUMNS),
        lines=lines,
        standing=pl.DataFrame([{**KEY, **stood}] if stood else [], schema=STANDING),
    )
    fused = fuse(
        signals,
        rules=rules(),
        finders=(Odd(),),
        rarity=rarity or Rarity.untaught(),
        weights=weights or Weights(),
        pivot=100_000.0,
    )
    return {**fused.claims.row(0, named=True), "signals": fused.signals}


def line(rule: Any, row_no: int, amount: float) -> dict[str, Any]:
    return {
        "line_table": "service_line",
        "row_no": row_no,
        "amount": amount,
        "observed": 3.0,
        "allowed": 2.0,
        "source": rule.ref,
        "scheme": rule.scheme,
        "severity": rule.severity,
    }


def whole(rule: Any, amount: float) -> dict[str, Any]:
    return line(rule, 0, amount) | {"line_table": None, "row_no": None}


def above(amount: float, strength: float = 1.0, habit: float = 1.0) -> dict[str, Any]:
    return {
        "group": "lab",
        "observed": 300_000.0 + amount,
        "expected": 290_000.0,
        "high": 300_000.0,
        "excess": amount,
        "tail": 0.0001,
        "strength": strength,
        "habit": habit,
        "peer_group": "ma_loai_kcb=01|icd_letter=I",
        "peer_n": 112,
        "peer_median": 280_000.0,
    }


def test_nothing_found_is_a_score_of_nought_and_says_so() -> None:
    found = run()
    assert (found["amount_at_risk"], found["expected_recoverable"], found["flagged"]) == (0.0, 0.0, False)
    assert found["schemes"] == []
    assert found["evidence"] == "[]"
    assert "Chưa thấy dấu hiệu" in found["reason_vi"]


def test_two_rules_on_one_line_do_not_count_its_money_twice() -> None:
    found = run(line(BED, 1, 80_000), line(STAY, 1, 100_000))
    assert found["amount_at_risk"] == 100_000
    assert found["expected_recoverable"] == pytest.approx(0.9 * 80_000 + 0.6 * 20_000)


def test_different_lines_add_up() -> None:
    assert run(line(BED, 1, 80_000), line(BED, 2, 50_000))["amount_at_risk"] == 130_000


def test_a_sign_on_the_whole_claim_covers_its_lines() -> None:
    found = run(line(BED, 1, 80_000), whole(STAY, 500_000))
    assert found["amount_at_risk"] == 500_000
    assert found["expected_recoverable"] == pytest.approx(0.9 * 80_000 + 0.6 * 420_000)


def test_never_more_than_the_fund_pays() -> None:
    found = run(whole(BED, 900_000), whole(STAY, 900_000), excess=(above(5_000_000),))
    assert found["amount_at_risk"] == 1_000_000
    assert found["expected_recoverable"] < 1_000_000


def test_an_excess_counts_in_the_funds_money_and_less_what_rules_name_there() -> None:
    alone = run(excess=(above(500_000),))
    assert alone["amount_at_risk"] == pytest.approx(500_000 * 0.8)  # the fund pays 80 % of this claim
    with_rule = run(line(DUP, 1, 100_000), excess=(above(500_000),))
    assert with_rule["amount_at_risk"] == pytest.approx(400_000)


def test_a_habit_is_told_beside_an_excess_and_is_no_evidence_of_it() -> None:
    usual, often = run(excess=(above(500_000),)), run(excess=(above(500_000, habit=4.0),))
    assert usual["expected_recoverable"] == often["expected_recoverable"] > 0
    assert "4 lần" in often["reason_vi"]
    assert "lần thường lệ" not in usual["reason_vi"]


def test_an_excess_is_told_beside_its_peers() -> None:
    found = run(excess=(above(500_000),))
    assert "trung vị của 112 hồ sơ cùng nhóm (Khám bệnh, nhóm bệnh I) là 280.000 ₫" in found["reason_vi"]
    assert "the median of 112 claims of its group" in found["reason_en"]
    assert json.loads(found["evidence"])[0]["peer_group"] == "ma_loai_kcb=01|icd_letter=I"


def test_the_parts_of_the_evidence_add_up_to_the_expected_recoverable() -> None:
    found = run(line(BED, 1, 80_000), line(STAY, 2, 33_333.33), whole(STAY, 200_000), excess=(above(250_000, 0.4),))
    parts = json.loads(found["evidence"])
    assert sum(p["expected_recoverable"] for p in parts) == pytest.approx(found["expected_recoverable"], abs=0.02)
    assert [p["expected_recoverable"] for p in parts] == sorted(
        (p["expected_recoverable"] for p in parts), reverse=True
    )
    assert {p["kind"] for p in parts} == {"rule", "detector"}
    assert all(p["legal_basis"] for p in parts if p["kind"] == "rule")


def test_the_score_is_one_half_exactly_at_the_review_threshold() -> None:
    bill = 1_000_000 * Weights().base
    sure = 0.9 ** Weights().certainty
    found = run(line(BED, 1, (100_000 / sure - bill) / 0.9))
    assert found["score"] == pytest.approx(0.5)
    assert found["flagged"] is True
    assert run(line(BED, 1, (99_000 - bill) / 0.9))["flagged"] is False


def test_standing_moves_the_place_and_nothing_else() -> None:
    told = {"factor": 2.0, "stood": '{"kind": "standing", "factor": 2.0}'}
    own, moved = run(line(BED, 1, 80_000)), run(line(BED, 1, 80_000), stood=told)
    assert moved["place"] == pytest.approx(2.0 * own["place"], abs=0.01)
    assert moved["score"] > 0.5 > own["score"]
    kept = ("flagged", "amount_at_risk", "expected_recoverable", "likelihood", "schemes", "reasons_vi", "status")
    assert {name: moved[name] for name in kept} == {name: own[name] for name in kept}
    assert moved["signals"].equals(own["signals"])
    signs, (stated,) = json.loads(own["evidence"]), json.loads(moved["evidence"])[1:]
    assert json.loads(moved["evidence"])[:1] == signs
    assert stated == {"kind": "standing", "factor": 2.0}


def test_a_flag_promises_more_where_signs_repeat_and_no_claim_is_told_so() -> None:
    told = {"factor": 3.0, "stood": '{"kind": "standing", "factor": 3.0}'}
    own, moved = run(line(BED, 1, 80_000)), run(line(BED, 1, 80_000), stood=told)
    assert (own["likelihood"], own["promise"]) == (pytest.approx(0.9), pytest.approx(0.9))
    assert moved["promise"] == pytest.approx(27 / 28, abs=1e-6)  # odds of nine to one, three times
    assert (run()["promise"], run(stood=told)["promise"]) == (0.0, 0.0)
    assert "promise" not in moved["evidence"]


def test_a_claim_without_a_sign_says_what_else_places_it() -> None:
    entries = '{"kind": "not_evaluable"}'
    aside = {"unjudged": False, "entries": entries, "missing_vi": "số lượng", "missing_en": "quantity"}
    found = run(stood={"factor": 1.3, "stood": '{"kind": "standing"}'}, aside=aside)
    assert [one["kind"] for one in json.loads(found["evidence"])] == ["standing", "not_evaluable"]
    assert "theo bác sĩ, cơ sở; chưa đánh giá hết vì thiếu số lượng" in found["reason_vi"]
    assert "by its doctor and facility" in found["reason_en"]


def test_a_large_bill_without_a_sign_has_a_place_but_no_flag() -> None:
    found = run(t_bhtt=1_000_000_000)
    assert found["score"] > 0.5
    assert found["flagged"] is False
    assert "chỉ theo số tiền" in found["reason_vi"]


def test_a_strange_shape_without_an_amount_only_orders_equals() -> None:
    plain, odd = run(), run(strangeness=1.0)
    assert odd["amount_at_risk"] == 0
    assert plain["score"] < odd["score"] < 0.05


BLIND = {
    "unjudged": True,
    "entries": '{"kind": "not_evaluable", "source": "expected_cost@1", "field": "encounter.ma_benh_chinh"}',
    "missing_vi": "mã bệnh chính (MA_BENH_CHINH)",
    "missing_en": "main diagnosis (MA_BENH_CHINH)",
}


def test_a_claim_nobody_could_judge_is_not_evaluable_rather_than_clean_and_keeps_its_place() -> None:
    found = run(aside=BLIND)
    assert found["status"] == "not_evaluable"
    assert found["reason_vi"] == found["reasons_vi"] == "Không đánh giá được: thiếu mã bệnh chính (MA_BENH_CHINH)"
    assert found["reasons_en"] == "Could not be judged: main diagnosis (MA_BENH_CHINH) is missing"
    assert json.loads(found["evidence"]) == [json.loads(BLIND["entries"])]
    assert found["score"] == run()["score"] > 0


def test_a_claim_nobody_could_judge_and_no_field_is_to_blame_for_says_that_too() -> None:
    found = run(aside={**BLIND, "entries": "", "missing_vi": "", "missing_en": ""})
    assert (found["status"], found["evidence"]) == ("not_evaluable", "[]")
    assert "mô hình chưa học" in found["reason_vi"]
    assert "learned from no claims" in found["reason_en"]


def test_a_rule_that_hits_is_enough_to_be_scored_and_what_stood_aside_follows_its_signs() -> None:
    found = run(line(BED, 1, 80_000), aside=BLIND)
    assert found["status"] == "scored"
    assert [part["kind"] for part in json.loads(found["evidence"])] == ["rule", "not_evaluable"]
    assert json.loads(run(line(BED, 1, 80_000))["evidence"]) == json.loads(found["evidence"])[:1]


def test_a_claim_judged_in_part_says_what_was_missing() -> None:
    found = run(aside={**BLIND, "unjudged": False})
    assert found["status"] == "scored"
    assert found["reason_vi"].endswith("chưa đánh giá hết vì thiếu mã bệnh chính (MA_BENH_CHINH)")
    assert found["reason_en"].startswith("No sign found")


def test_a_claim_without_any_amount_has_no_place() -> None:
    found = run(t_bhtt=None, t_tongchi_bh=None, aside=BLIND)
    assert (found["status"], found["score"], found["amount_at_risk"]) == ("not_evaluable", 0.0, 0.0)


def bill_above(amount: float, group: str) -> dict[str, Any]:
    return above(amount) | {"group": group}


def test_a_whole_bill_above_expectation_counts_in_the_funds_money() -> None:
    assert run(excess=(bill_above(500_000, "total"),))["amount_at_risk"] == pytest.approx(400_000)
    only_paid = run(excess=(bill_above(500_000, "paid"),), t_tongchi_bh=None)
    assert only_paid["amount_at_risk"] == pytest.approx(500_000)
    assert only_paid["schemes"] == ["UPCODE_SERVICE"]
    assert "cả đợt do quỹ BHYT thanh toán" in only_paid["reason_vi"]


def test_where_only_the_covered_total_is_known_the_fund_pays_at_most_that() -> None:
    found = run(excess=(bill_above(5_000_000, "total"),), t_bhtt=None)
    assert found["status"] == "scored"
    assert found["amount_at_risk"] == 1_250_000
    assert 0 < found["expected_recoverable"] < 1_250_000


def test_a_whole_bill_and_a_rule_on_the_whole_claim_name_the_same_money() -> None:
    found = run(whole(BED, 300_000), excess=(bill_above(500_000, "total"),))
    assert found["amount_at_risk"] == pytest.approx(400_000)


def test_what_assessors_confirmed_replaces_the_prior_of_a_rule() -> None:
    weights = Weights(learned={BED.id: 0.25})
    assert run(line(BED, 1, 80_000), weights=weights)["expected_recoverable"] == pytest.approx(20_000)


def test_signals_name_the_lines() -> None:
    signals = run(line(BED, 1, 80_000), line(BED, 2, 50_000))["signals"]
    assert signals.select("line_table", "row_no", "source").rows() == [
        ("service_line", 1, BED.ref),
        ("service_line", 2, BED.ref),
    ]


def test_a_finding_speaks_with_its_dearest_line_and_shares_the_money() -> None:
    row = run(line(BED, 1, 30_000), findings=(found(1, 40_000), found(2, 60_000)), weights=Weights(finding=0.4))
    parts = {part["source"]: part for part in json.loads(row["evidence"])}
    own = parts["odd:many@3"]
    assert own["text_vi"] == "Món 2: 6, gấp 1,5 lần mức thường 4 của 320 hồ sơ, 100.000 ₫"
    assert own["text_en"] == "Món 2: 6, 1.5 times the usual 4 of 320 claims, 100,000 ₫"
    assert sorted(own["lines"]) == [["service_line", 1], ["service_line", 2]]
    assert own["expected_recoverable"] == pytest.approx(0.4 * (10_000 + 60_000))  # the rule has 30,000 of line 1
    assert row["amount_at_risk"] == 100_000
    assert row["expected_recoverable"] == pytest.approx(sum(p["expected_recoverable"] for p in parts.values()))


def test_an_excess_adds_only_what_findings_do_not_name() -> None:
    alone = run(excess=(above(80_000),), weights=Weights(finding=0.4))
    beside = run(excess=(above(80_000),), findings=(found(1, 50_000),), weights=Weights(finding=0.4))
    assert beside["amount_at_risk"] == alone["amount_at_risk"]


def like_claims(named_share: float) -> Rarity:
    """A thousand claims like the one at hand, a share of them named by a rule of either severity."""
    claims = pl.DataFrame(
        {
            "ma_cskcb": "98002",
            "ma_lk": [str(n) for n in range(1_000)],
            "ma_loai_kcb": "01",
            "ma_benh_chinh": "I10",
        }
    )
    named = claims.head(int(1_000 * named_share))
    return Rarity.fit(claims, {STAY.id: named, BED.id: named})


def test_a_sign_that_half_of_like_claims_show_says_little_unless_the_law_forbids_it() -> None:
    rare, common = like_claims(0.005), like_claims(0.5)
    full = run(whole(STAY, 500_000))["expected_recoverable"]
    assert run(whole(STAY, 500_000), rarity=rare)["expected_recoverable"] == full
    assert run(whole(STAY, 500_000), rarity=common)["expected_recoverable"] < 0.2 * full
    for rarity in (rare, common):
        assert run(whole(BED, 500_000), rarity=rarity)["expected_recoverable"] == pytest.approx(0.9 * 500_000)


def test_all_signs_of_a_common_kind_promise_no_more_than_if_it_were_rare() -> None:
    sign = pl.DataFrame([{**KEY, "source": STAY.ref, "severity": "warn"}])
    claim = pl.DataFrame([{**KEY, "ma_loai_kcb": "01", "ma_benh_chinh": "I10"}])
    promised = [share * like_claims(share).of(sign, claim)[0] for share in (0.01, 0.05, 0.2, 0.8)]
    assert promised == pytest.approx([0.01] * 4, rel=1e-3)


def test_rarity_comes_back_from_its_state_and_borrows_from_all_where_like_claims_are_few() -> None:
    common = like_claims(0.5)
    again = Rarity.from_state(common.state())
    sign = pl.DataFrame([{**KEY, "source": STAY.ref, "severity": "warn"}])
    known, unknown = (pl.DataFrame([{**KEY, "ma_loai_kcb": care, "ma_benh_chinh": "I10"}]) for care in ("01", "03"))
    assert again.of(sign, known).to_list() == common.of(sign, known).to_list()
    assert again.of(sign, unknown)[0] == pytest.approx(again.of(sign, known)[0], abs=0.02)


def test_of_equal_money_the_surer_claim_comes_first() -> None:
    sure, vague = run(line(BED, 1, 50_000)), run(whole(STAY, 75_000))
    assert sure["expected_recoverable"] == vague["expected_recoverable"] == 45_000
    assert sure["score"] > vague["score"]


def test_the_likelihood_is_that_of_at_least_one_source_each_speaking_once() -> None:
    two_lines, both = run(line(BED, 1, 10_000), line(BED, 2, 10_000)), run(line(BED, 1, 10_000), whole(STAY, 90_000))
    assert two_lines["likelihood"] == pytest.approx(0.9)
    assert both["likelihood"] == pytest.approx(1 - 0.1 * 0.4)
    assert run()["likelihood"] == 0.0


def test_every_kind_of_source_learns_and_the_parts_still_add_up() -> None:
    learned = {BED.id: 0.6, STAY.id: 0.2, "odd:many": 0.5, "expected_cost:lab": 0.1}
    row = run(
        line(BED, 1, 80_000), whole(STAY, 300_000), excess=(above(200_000, 0.5),), findings=(found(2, 50_000, 0.4),),
        weights=Weights(learned=learned), rarity=like_claims(0.05),
    )  # fmt: skip
    parts = {part["source"]: part for part in json.loads(row["evidence"])}
    assert parts["odd:many@3"]["strength"] == pytest.approx(0.4 * 0.5)
    assert parts["expected_cost:lab@1"]["strength"] == pytest.approx(0.5 * 0.1)
    assert parts[BED.ref]["strength"] == pytest.approx(0.6)
    assert 0 < parts[STAY.ref]["strength"] < 0.2  # a common sign is damped, learned or not
    assert row["expected_recoverable"] == pytest.approx(sum(p["expected_recoverable"] for p in parts.values()))
    none = 1.0
    for part in parts.values():
        none *= 1.0 - part["strength"]
    assert row["likelihood"] == pytest.approx(1.0 - none, abs=1e-6)


def test_a_pattern_is_of_the_main_sign_and_of_its_dearest_item() -> None:
    one = run(line(BED, 1, 80_000), line(BED, 2, 50_000), whole(STAY, 90_000))
    assert one["pattern"] == run(line(BED, 2, 10_000), line(BED, 1, 20_000))["pattern"]
    others = [run(line(BED, 2, 80_000)), run(line(STAY, 1, 80_000)), run(whole(BED, 80_000)), run(excess=(above(9e5),))]
    assert len({one["pattern"], *(other["pattern"] for other in others)}) == 5
    assert json.loads(one["evidence"])[0]["source"] == BED.ref
    assert (one["signs"], one["named_lines"]) == (2, 2)


def test_a_claim_without_a_sign_has_no_pattern_and_nothing_to_read() -> None:
    found = run()
    assert (found["pattern"], found["signs"], found["named_lines"]) == (None, 0, 0)
