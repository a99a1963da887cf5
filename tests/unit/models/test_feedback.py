"""Decisions: what they are about, what they teach, and what a file of them may hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from detectors.fusion import LEVELS, Weights
from models.efficacy import DECISION
from models.feedback import BadLabels, Lessons, lessons, read_decisions

GOOD = "ma_cskcb,ma_lk,line_table,row_no,confirmed"
PIVOT = 20_000.0


def decision(ma_lk: str, confirmed: bool, row_no: int | None = None) -> dict[str, Any]:
    table = None if row_no is None else "drug_line"
    return {"ma_cskcb": "98001", "ma_lk": ma_lk, "line_table": table, "row_no": row_no, "confirmed": confirmed}


def share(
    ma_lk: str, source: str, row_no: int | None = None, *, severity: str = "warn", kind: str = "rule", bill: float = 1e5
) -> dict[str, Any]:
    table = None if row_no is None else "drug_line"
    return {
        "ma_cskcb": "98001", "ma_lk": ma_lk, "line_table": table, "row_no": row_no, "source": source, "kind": kind,
        "severity": severity, "strength": 1.0, "bill": bill,
    }  # fmt: skip


def taught(decisions: list[dict[str, Any]], shares: list[dict[str, Any]]) -> Lessons:
    frame = pl.DataFrame(shares, schema_overrides={"row_no": pl.Int32(), "line_table": pl.String()})
    return lessons(pl.DataFrame(decisions, schema=DECISION), frame, pivot=PIVOT)


def counts(of: Lessons) -> dict[str, tuple[int, int]]:
    return {each.name: (each.decisions, each.confirmed) for each in of.sources}


def test_a_line_is_about_the_signs_that_name_it_and_a_claim_about_all() -> None:
    shares = [share("1", "A-01@1", 1), share("1", "B-01@2", 2), share("1", "C-01@1")]
    assert counts(taught([decision("1", True, 1)], shares)) == {"A-01": (1, 1)}
    assert set(counts(taught([decision("1", True)], shares))) == {"A-01", "B-01", "C-01"}
    aside = taught([decision("1", True, 3), decision("2", False)], shares)
    assert (aside.without_sign, aside.weights) == (2, Weights())


def test_a_sign_speaks_once_on_a_claim_however_many_lines_were_decided() -> None:
    lines = [share("1", "A-01@1", n) for n in range(1, 9)]
    many = taught([decision("1", True, n) for n in range(1, 9)], lines)
    assert counts(many) == {"A-01": (1, 1)}
    assert many.weights == taught([decision("1", True, 1)], lines).weights
    assert counts(taught([decision("1", n > 4, n) for n in range(1, 9)], lines)) == {"A-01": (2, 1)}


def test_no_decisions_leave_the_priors() -> None:
    assert taught([], [share("1", "A-01@1")]).weights == Weights()
    assert lessons(pl.DataFrame(schema=DECISION), None, pivot=PIVOT, outside=3).decisions == 3


def test_the_order_and_repetition_of_decisions_change_no_bit() -> None:
    shares = [share(str(n), f"{'ABC'[n % 3]}-01@1", severity=("deny", "info", "warn")[n % 3]) for n in range(60)]
    shares += [share(str(n), "D-01@1") for n in range(0, 60, 4)]
    decided = [decision(str(n), n % 4 == 0) for n in range(60)]
    once = taught(decided, shares)
    assert once.weights.learned
    assert taught(decided[::-1] + decided[:7], shares[::-1]).as_json() == once.as_json()


def test_lessons_are_read_back_as_they_were_kept() -> None:
    found = taught([decision("1", True, 1), decision("2", False)], [share("1", "A-01@1", 1), share("2", "B-01@1")])
    assert Lessons.from_json(found.as_json()) == found
    nothing = lessons(pl.DataFrame(schema=DECISION), None, pivot=PIVOT, outside=3)
    assert Lessons.from_json(nothing.as_json()) == nothing


def test_more_decisions_leave_less_open() -> None:
    def open_after(n: int) -> float:
        decided, shares = [decision(str(k), k % 2 == 0) for k in range(n)], [share(str(k), "A-01@1") for k in range(n)]
        (found,) = taught(decided, shares).sources
        low, high = found.interval
        assert low < found.learned < high
        return high - low

    assert open_after(200) < open_after(10)


def test_learning_moves_what_was_decided_and_leaves_other_levels_alone() -> None:
    shares = [share(str(n), "A-01@1") for n in range(30)]
    found = taught([decision(str(n), False) for n in range(30)], shares)
    assert found.weights.learned["A-01"] < 0.5 * Weights().warn
    assert found.weights.warn < Weights().warn
    assert all(found.weights.of(level) == Weights().of(level) for level in LEVELS if level != "warn")


def test_what_a_large_bill_explains_is_not_put_down_to_a_weak_sign() -> None:
    def rise(bill: float) -> float:
        shares = [share(str(n), "A-01@1", severity="info", bill=bill) for n in range(30)]
        return taught([decision(str(n), n % 3 == 0) for n in range(30)], shares).weights.learned["A-01"]

    assert rise(1e8) < Weights().info < 0.8 * rise(1e4)


def test_kinds_of_sources_are_told_apart_whatever_their_version() -> None:
    shares = [
        share("1", "indication:dear_product@3", 1, kind="finding", severity="info"),
        share("1", "expected_cost:drug", kind="detector", severity="info"),
        share("1", "A-01@7", severity="deny"),
    ]
    found = {each.name: each.level for each in taught([decision("1", True)], shares).sources}
    assert found == {"indication:dear_product": "finding", "expected_cost:drug": "excess", "A-01": "deny"}


def test_a_file_keeps_noughts_and_says_whole_claims(tmp_path: Path) -> None:
    path = tmp_path / "quyet-dinh.csv"
    path.write_text(f"{GOOD},note\n01001,0012,drug_line,2,1,x\n01001,0013,,,false,\n")
    read = read_decisions(path)
    assert dict(read.schema) == DECISION
    assert read.rows() == [("01001", "0012", "drug_line", 2, True), ("01001", "0013", None, None, False)]
    read.write_parquet(tmp_path / "quyet-dinh.parquet")
    assert read_decisions(tmp_path / "quyet-dinh.parquet").equals(read)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("source,confirmed\nBED-01,1\n", ["ma_cskcb", "row_no", "source"]),
        (f"{GOOD}\n98001,1,,,1\n98001,2,,,maybe\n", ["confirmed", "'maybe'", "2"]),
        (f"{GOOD}\n98001,1,drug,1,1\n", ["line_table", "'drug'", "drug_line"]),
        (f"{GOOD}\n98001,1,drug_line,0,1\n", ["row_no", "'0'"]),
        (f"{GOOD}\n98001,1,drug_line,,1\n", ["row_no", "''"]),
        (f"{GOOD}\n98001,,,,1\n", ["ma_lk"]),
        ("", ["quyet-dinh.csv"]),
    ],
)
def test_a_bad_file_is_refused_with_column_value_and_way_out(tmp_path: Path, text: str, says: list[str]) -> None:
    path = tmp_path / "quyet-dinh.csv"
    path.write_text(text)
    with pytest.raises(BadLabels) as refused:
        read_decisions(path)
    for said in (str(refused.value), refused.value.vi):
        assert all(part in said for part in says)
        assert GOOD in said
