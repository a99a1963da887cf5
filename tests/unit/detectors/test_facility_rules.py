"""Rules that look at other patients' claims: who carries the sign, and what may not move it."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
import pytest

from data.schema import ClaimTables
from detectors.base import Rule
from detectors.examples import Engine, Row, exam, listed, service, stay, surgery, tables_of, visit
from detectors.past_days import WINDOW, with_past_days
from detectors.rulebook import run_rules
from detectors.rules import doctor_day, doctor_overlap, order_bursts, registration

MODULES = (doctor_day, doctor_overlap, order_bursts, registration)
RULES = {each.id: each for module in MODULES for each in vars(module).values() if isinstance(each, Rule)}
FUND = 0.8
Moment = datetime.fromisoformat


def _hits(rule_id: str, *claim: Row, engine: Engine = "polars") -> dict[str, float]:
    """MA_LK and money of each encounter the rule names."""
    found = run_rules(tables_of(claim, engine=engine), [RULES[rule_id]]).hits
    return dict(found.group_by("ma_lk").agg(pl.col("amount").sum()).sort("ma_lk").rows())


def _theatre(seed: int) -> tuple[Row, ...]:
    """Operations of three surgeons in two hospitals over three days, at any time."""
    rng = np.random.default_rng(seed)
    told: list[Row] = []
    for number in range(40):
        start = Moment("2025-03-10 08:00") + timedelta(minutes=int(rng.integers(0, 3 * 24 * 60)) // 5 * 5)
        team = ";".join(f"{n}/CCHN" for n in rng.permutation(3)[: rng.integers(1, 4)])
        told += [
            stay(9, "2025-03-09 08:00", patient_id=f"P{number}", ma_cskcb=f"0100{rng.integers(1, 3)}"),
            surgery(
                start.isoformat(" "),
                minutes=int(rng.integers(2, 40)) * 5,
                price=int(rng.integers(1, 9)) * 1_000_000,
                nguoi_thuc_hien=team,
            ),
        ]
        if rng.random() < 0.3:  # a second part of the same operation
            told.append(surgery((start + timedelta(minutes=10)).isoformat(" "), nguoi_thuc_hien=team))
    return tuple(told)


def _pairs_by_hand(tables: ClaimTables, *, first: bool, longer_than: float, share: float) -> dict[Any, float]:
    """Every line against every other."""
    encounters = tables.encounter.to_native().collect()
    assert encounters.height
    found: dict[Any, float] = {}
    rows = tables.service_line.to_native().collect().rows(named=True)
    for late in rows:
        for early in rows:
            ids = [[i.strip() for i in r["nguoi_thuc_hien"].split(";")] for r in (late, early)]
            shared = {ids[0][0]} & {ids[1][0]} if first else set(ids[0][1:]) & set(ids[1][1:])
            order = (early["ngay_th_yl"], early["ma_lk"]) < (late["ngay_th_yl"], late["ma_lk"])
            if not shared or late["ma_cskcb"] != early["ma_cskcb"] or late["ma_lk"] == early["ma_lk"] or not order:
                continue
            common = min(late["ngay_kq"], early["ngay_kq"]) - late["ngay_th_yl"]
            if common.total_seconds() / 60 > longer_than:
                key = (late["ma_cskcb"], late["ma_lk"], late["row_no"])
                money = float(min(late["t_bhtt"], early["t_bhtt"]) if first else late["t_bhtt"]) * share
                found[key] = max(found.get(key, 0.0), money)
    return found


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("engine", ["polars", "duckdb"])
@pytest.mark.parametrize(
    ("rule_id", "first", "minutes", "share"), [("STF-06", True, 15, 1), ("STF-11", False, 30, 0.3)]
)
def test_overlaps_agree_with_comparing_every_pair(
    seed: int, engine: Engine, rule_id: str, first: bool, minutes: float, share: float
) -> None:
    claim = _theatre(seed)
    found = run_rules(tables_of(claim, engine=engine), [RULES[rule_id]]).hits
    by_hand = _pairs_by_hand(tables_of(claim), first=first, longer_than=minutes, share=share)
    assert {row[:3]: row[3] for row in found.select("ma_cskcb", "ma_lk", "row_no", "amount").rows()} == by_hand
    assert by_hand


def test_the_longest_operation_before_counts_not_the_last() -> None:
    """A short operation in between does not hide the long one that is still going on."""
    told = (
        *(stay(patient_id="P2"), surgery("2025-03-10 09:00", minutes=300)),
        *(stay(patient_id="P3"), surgery("2025-03-10 09:10", minutes=10)),
        *(stay(), surgery("2025-03-10 12:00")),
    )
    assert set(_hits("STF-06", *told)) == {"LK003"}


def test_an_end_of_days_later_is_a_slip() -> None:
    slip = surgery("2025-03-10 09:00", ngay_kq="2025-03-12 09:00")
    assert _hits("STF-06", stay(patient_id="P2"), slip, stay(), surgery("2025-03-10 12:00")) == {}


def test_operations_begun_together_are_the_later_claims() -> None:
    told = (stay(patient_id="P2"), surgery("2025-03-10 09:00"), stay(), surgery("2025-03-10 09:00"))
    assert set(_hits("STF-06", *told)) == {"LK002"}


def test_the_old_formats_procedures_are_no_operations() -> None:
    drip: dict[str, Any] = {"ten_dich_vu": "Truyền hóa chất tĩnh mạch"}
    told = (
        *(stay(patient_id="P2", standard="4210"), surgery("2025-03-10 09:00", **drip)),
        *(stay(standard="4210"), surgery("2025-03-10 09:20", **drip)),
    )
    assert _hits("STF-06", *told) == {}


def _exams(*minutes: int, start: str = "2025-03-10 07:00", **fields: Any) -> tuple[Row, ...]:
    told: list[Row] = []
    for n, minute in enumerate(minutes):
        at = Moment(start) + timedelta(minutes=minute)
        line: dict[str, Any] = {"ngay_yl": at, "ngay_th_yl": at, **fields}
        told += [visit((at - timedelta(minutes=5)).isoformat(" "), patient_id=f"P{n}"), exam(**line)]
    return tuple(told)


def test_two_fees_of_one_examination_are_one_of_the_doctors_day() -> None:
    told = list(_exams(*range(0, 325, 5)))
    told.insert(2, {**told[1], "row_no": 2})
    assert _hits("EXAM-08", *told) == {}
    assert len(_hits("EXAM-08", *told, *_exams(330))) == 1


def test_another_department_is_another_table() -> None:
    assert _hits("EXAM-08", *_exams(*range(40)), *_exams(*range(40, 80), ma_khoa="K20")) == {}


def test_the_hours_of_an_overlong_day_raise_the_limit_little_by_little() -> None:
    """Ten hours allow 81: the 66th comes too soon after eight, the 81st late enough."""
    assert len(_hits("EXAM-08", *_exams(*range(0, 480, 7)))) == 69 - 65
    assert _hits("EXAM-08", *_exams(*range(0, 648, 8))) == {}


def test_a_median_gap_counts_half_of_the_gaps() -> None:
    """One gap of three minutes, one of a minute: exactly half are short, which is no sign."""
    steps = [(n + 1) // 2 * 4 - n % 2 for n in range(41)]
    gaps = [b - a for a, b in pairwise(steps)]
    assert gaps.count(1) * 2 == len(gaps)
    assert _hits("EXAM-10", *_exams(*steps)) == {}
    assert set(_hits("EXAM-10", *_exams(*steps, steps[-1] + 1))) == {"LK042"}


def test_a_half_used_technique_is_at_risk_by_half() -> None:
    """Ten minutes of a lamp, 26 massages of 20 minutes: the 27th begins within the shift and ends ten beyond."""
    massage = service(ma_nhom=18, nguoi_thuc_hien="9", ten_dich_vu="Xoa bóp bấm huyệt", ma_dich_vu="08.0389.0280")
    lamp = service(ma_nhom=18, nguoi_thuc_hien="9", ten_dich_vu="Tia hồng ngoại", ma_dich_vu="17.0011.0237")
    told = (visit("2025-03-10 07:55"), lamp, *(row for _ in range(27) for row in (visit(), massage)))
    assert _hits("SRV-23", *told) == {"LK028": pytest.approx(100_000 * FUND / 2)}


def test_a_place_without_tables_in_the_list_is_not_judged() -> None:
    other = listed("facilities", ma_cskcb="01002", exam_tables=1)
    assert _hits("EXAM-09", other, *_exams(*range(70))) == {}


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_past_days_agree_with_looking_at_every_day(engine: Engine) -> None:
    rng = np.random.default_rng(5)
    first = Moment("2025-01-01")
    days = pl.DataFrame(
        [{"site": f"S{s}", "date": first + timedelta(days=int(d)), "n": int(d)} for s in (1, 2) for d in
         sorted(set(rng.integers(0, 150, 70).tolist()))]
    )  # fmt: skip
    asked = days.sample(30, seed=1).select("site", "date")
    held = {"polars": lambda f: nw.from_native(f.lazy()), "duckdb": lambda f: nw.from_native(f).lazy(backend="duckdb")}
    frame = with_past_days(held[engine](asked), held[engine](days), on=["site"], take=["n"]).collect("polars")
    found = sorted(frame.to_native().select("site", "date", "p_n").rows())
    by_hand = sorted(
        (site, date, n)
        for site, date in asked.rows()
        for other, day, n in days.rows()
        if other == site and 1 <= (date - day).days <= WINDOW
    )
    assert found == by_hand
