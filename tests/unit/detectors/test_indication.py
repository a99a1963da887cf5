from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

from detectors.base import FINDING_COLUMNS, DetectorState
from detectors.examples import drug, exam, service, stay, tables_of, visit
from detectors.explain import dong, number
from detectors.finders.indication import FINDER, Indication
from detectors.items import MATRIX_COLUMNS
from features.matrix import build_matrix
from features.peers import label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from data.schema import ClaimTables
    from detectors.examples import Row

ILL = {"J02.9": "40.1", "I10": "40.2", "K29.7": "40.3", "M54.5": "40.4", "E11.9": "40.5"}
"""What each disease gets: one drug for ten days and one test of its own."""


def _pills(code: str, **more: Any) -> Row:
    return drug(ma_thuoc=code, ten_thuoc=f"Thuốc {code}", ham_luong="5mg", **more)


def _test(code: str, **more: Any) -> Row:
    return service(ma_dich_vu=f"22.{code}", ten_dich_vu=f"Xét nghiệm {code}", **more)


def _care(disease: str, n: int) -> list[Row]:
    code = ILL[disease]
    opened = visit(ma_benh_chinh=disease, patient_id=f"{disease}-{n}", ma_lk=f"{disease}-{n}")
    return [opened, exam(), _pills(code), _test(code)]


def _year() -> list[Row]:
    """A hundred and fifty consultations of each disease, and stays whose infusions grow with the nights."""
    seen = [row for disease in ILL for n in range(150) for row in _care(disease, n)]
    for n in range(150):
        nights = 1 + n % 5
        opened = stay(nights, ma_benh_chinh="J18.9", patient_id=f"S{n}", ma_lk=f"S{n}")
        infusion = _pills("40.9", quantity=2 * (nights + 1), lieu_dung=None, duong_dung="2.15")
        seen += [opened, infusion, service(ma_nhom=10, ma_dich_vu=None, ma_vat_tu="N03.1", ten_vat_tu="Kim luồn")]
    return seen


def _matrix(tables: ClaimTables) -> pl.DataFrame:
    return build_matrix(tables, "encounter", columns=MATRIX_COLUMNS)


@pytest.fixture(scope="module")
def fitted() -> Indication:
    tables = tables_of(_year())
    return Indication().fit(tables, _matrix(tables), seed=1)


def _find(finder: Indication, *claim: Row) -> pl.DataFrame:
    tables = tables_of(claim)
    return finder.find(tables, _matrix(tables))


def _patterns(found: pl.DataFrame) -> list[str]:
    return found["pattern"].unique().sort().to_list()


def test_the_care_it_learned_from_is_usual(fitted: Indication) -> None:
    assert _find(fitted, *_year()[:40]).is_empty()


def test_a_drug_of_another_disease_is_named_with_all_it_costs(fitted: Indication) -> None:
    found = _find(fitted, visit(ma_benh_chinh="J02.9"), exam(), _pills("40.1"), _pills("40.2"))
    assert found.select("line_table", "row_no", "pattern", "scheme").rows() == [
        ("drug_line", 2, "unindicated_drug", "DRUG_OFF_CONDITION")
    ]
    row = found.row(0, named=True)
    assert row["amount"] == 20 * 1000 * 0.8
    assert 0 < row["strength"] <= 1
    assert row["observed"] < row["allowed"]
    assert row["peer_n"] == 150


def test_two_such_drugs_are_a_habit(fitted: Indication) -> None:
    found = _find(fitted, visit(ma_benh_chinh="J02.9"), _pills("40.2"), _pills("40.3"))
    assert set(found["scheme"]) == {"OVER_DRUG_POLY"}


def test_a_second_diagnosis_is_a_reason(fitted: Indication) -> None:
    assert _find(fitted, visit(ma_benh_chinh="J02.9", ma_benh_kt="R05;I10"), _pills("40.2"), _test("40.2")).is_empty()


@pytest.mark.parametrize("disease", ["A15.0", None, "?"])
def test_an_unknown_diagnosis_says_nothing(fitted: Indication, disease: str | None) -> None:
    assert _find(fitted, visit(ma_benh_chinh=disease), _pills("40.2"), _test("40.2")).is_empty()


def test_a_lasting_disease_of_the_past_is_a_reason_a_passing_one_is_not(fitted: Indication) -> None:
    past = [visit(f"2025-0{month}-03 08:00", ma_benh_chinh="I10") for month in (1, 2)]
    now = [visit("2025-05-10 08:00", ma_benh_chinh="J02.9"), _test("40.2")]
    assert _find(fitted, *past, *now).is_empty()
    assert _patterns(_find(fitted, past[0], *now)) == ["unindicated_test"]


def test_another_persons_past_is_no_reason(fitted: Indication) -> None:
    past = [visit(f"2025-0{month}-03 08:00", ma_benh_chinh="I10", patient_id="P2") for month in (1, 2)]
    found = _find(fitted, *past, visit("2025-05-10 08:00", ma_benh_chinh="J02.9"), _test("40.2"))
    assert _patterns(found) == ["unindicated_test"]


def test_the_later_claims_of_a_patient_are_not_looked_at(fitted: Indication) -> None:
    now = [visit("2025-01-10 08:00", ma_benh_chinh="J02.9"), _test("40.2")]
    later = [visit(f"2025-0{month}-03 08:00", ma_benh_chinh="I10") for month in (2, 3)]
    assert _find(fitted, *now, *later).equals(_find(fitted, *now))


def test_a_rare_item_says_nothing(fitted: Indication) -> None:
    assert _find(fitted, visit(ma_benh_chinh="J02.9"), _pills("40.77"), _test("40.77")).is_empty()


def test_three_tests_of_other_diseases_are_too_many_tests(fitted: Indication) -> None:
    found = _find(fitted, visit(ma_benh_chinh="J02.9"), *(_test(code) for code in ("40.1", "40.2", "40.3", "40.4")))
    named = found.filter(pl.col("pattern") == "unindicated_test")
    assert set(named["scheme"]) == {"OVER_TEST"}
    assert named["row_no"].to_list() == [2, 3, 4]
    many = found.filter(pl.col("pattern") == "many_items")
    assert many["row_no"].to_list() == [2, 3, 4]
    assert many.select("observed", "allowed").unique().rows() == [(4.0, 1.0)]


def test_too_much_of_a_drug_costs_its_excess(fitted: Indication) -> None:
    found = _find(fitted, visit(ma_benh_chinh="J02.9"), _pills("40.1", quantity=80))
    row = found.filter(pl.col("pattern") == "quantity").row(0, named=True)
    assert (row["scheme"], row["observed"], row["allowed"]) == ("OVER_DRUG_QTY", 80.0, 20.0)
    assert row["amount"] == pytest.approx(60 * 1000 * 0.8)
    assert row["peer_n"] == 150
    assert label(row["peer_group"], "en").endswith("J02")
    lasting = found.filter(pl.col("pattern") == "days_supply").row(0, named=True)
    assert (lasting["observed"], lasting["allowed"]) == (40.0, 10.0)


def test_of_several_lines_the_later_ones_carry_the_excess(fitted: Indication) -> None:
    found = _find(fitted, visit(ma_benh_chinh="J02.9"), *(_test("40.1") for _ in range(3)))
    assert found.select("row_no", "scheme", "amount").rows() == [
        (2, "MUE_EXCEEDED", 80_000.0),
        (3, "MUE_EXCEEDED", 80_000.0),
    ]


def test_a_longer_stay_may_use_more(fitted: Indication) -> None:
    def ward(nights: int, quantity: float) -> list[Row]:
        infusion = _pills("40.9", quantity=quantity, lieu_dung=None, duong_dung="2.15")
        return [stay(nights, ma_benh_chinh="J18.9"), infusion]

    assert _find(fitted, *ward(9, 20)).is_empty()
    found = _find(fitted, *ward(1, 20))
    assert found.select("pattern", "scheme", "allowed").rows() == [("quantity", "QTY_INFLATION", 4.0)]


def test_drugs_still_in_hand_from_another_facility(fitted: Indication) -> None:
    before = [visit("2025-03-02 08:00", ma_cskcb="02002", ma_benh_chinh="J02.9"), _pills("40.1", days=10)]
    now = [visit("2025-03-04 08:00", ma_benh_chinh="J02.9"), _pills("40.1", days=10)]
    found = _find(fitted, *before, *now)
    assert found.select("ma_cskcb", "pattern", "scheme", "observed").rows() == [
        ("01001", "overlap", "OVERLAP_DRUG_SUPPLY", 8.0)
    ]
    assert found["amount"][0] == pytest.approx(0.8 * 20 * 1000 * 0.8, rel=0.01)
    at_home = [dict(before[0]) | {"ma_cskcb": "01001"}, before[1]]
    assert _find(fitted, *at_home, *now).is_empty()


def test_a_dearer_product_costs_the_difference(fitted: Indication) -> None:
    found = _find(fitted, visit(ma_benh_chinh="J02.9"), _pills("40.1.2", don_gia=4000))
    row = found.filter(pl.col("pattern") == "dear_product").row(0, named=True)
    assert (row["scheme"], row["observed"], row["allowed"]) == ("HIGH_COST_DRUG_SHIFT", 4000.0, 1000.0)
    assert row["amount"] == pytest.approx(20 * 3000 * 0.8)


def _odd_claims() -> list[Row]:
    return [
        visit(ma_benh_chinh="J02.9", patient_id="A"),
        _pills("40.2", quantity=75),
        _test("40.3"),
        visit("2025-03-12 09:00", ma_benh_chinh="I10", patient_id="B"),
        _test("40.1"),
        _test("40.3"),
        _test("40.4"),
        _test("40.5"),
        stay(4, "2025-03-02 09:00", ma_benh_chinh="J18.9", patient_id="C"),
        _pills("40.9", quantity=77, lieu_dung=None, duong_dung="2.15"),
        _pills("40.4"),
        visit("2025-03-13 09:00", ma_benh_chinh="K29.7", patient_id="D", ma_cskcb="02002"),
        _pills("40.3", quantity=100, don_gia=3333),
        visit("2025-03-15 09:30", ma_benh_chinh="K29.7", patient_id="D"),
        _pills("40.3"),
    ]


def test_a_claim_is_judged_alike_alone_and_in_any_batch(fitted: Indication) -> None:
    rows = _odd_claims()
    batch = _find(fitted, *rows, *_year()[:400])
    assert batch["ma_lk"].n_unique() >= 4
    parts: list[list[Row]] = []
    for row in rows:
        if row["table"] == "encounter":
            parts.append([])
        parts[-1].append(row)
    parts[-2:] = [[*parts[-2], *parts[-1]]]  # one patient
    number_of = iter(range(1, 100))
    alone: list[pl.DataFrame] = []
    for part in parts:
        named = [dict(r) | {"ma_lk": f"LK{next(number_of):03}"} if r["table"] == "encounter" else r for r in part]
        alone.append(_find(fitted, *named))
    whole = pl.concat(alone).sort("ma_cskcb", "ma_lk", "line_table", "row_no", "pattern")
    assert whole.equals(batch)
    turned = [row for part in reversed(_named(rows)) for row in part]
    assert _find(fitted, *turned).equals(whole)


def test_claims_without_a_matrix_row_are_only_the_past_of_others(fitted: Indication) -> None:
    tables = tables_of(_odd_claims())
    matrix = _matrix(tables)
    whole = fitted.find(tables, matrix)
    for key in matrix["ma_lk"]:
        asked = pl.col("ma_lk") == key
        assert fitted.find(tables, matrix.filter(asked)).equals(whole.filter(asked))


def _named(rows: Sequence[Row]) -> list[list[Row]]:
    parts: list[list[Row]] = []
    for row in rows:
        if row["table"] == "encounter":
            parts.append([dict(row) | {"ma_lk": f"LK{len(parts) + 1:03}"}])
        else:
            parts[-1].append(row)
    return parts


def test_its_state_is_arrays_and_json_and_gives_the_same_answers(fitted: Indication) -> None:
    state = fitted.state()
    assert all(array.dtype.kind in "Uif" for array in state.arrays.values())
    meta = json.loads(json.dumps(dict(state.meta), sort_keys=True))
    again = Indication.from_state(DetectorState(kind=state.kind, meta=meta, arrays=state.arrays))
    assert _find(again, *_odd_claims()).equals(_find(fitted, *_odd_claims()))
    second = again.state()
    assert second.meta == meta
    assert second.arrays.keys() == state.arrays.keys()
    assert all(np.array_equal(second.arrays[name], array) for name, array in state.arrays.items())


def test_learning_twice_gives_the_same_bits(fitted: Indication) -> None:
    tables = tables_of(_year())
    other = Indication().fit(tables, _matrix(tables), seed=2).state()
    assert other.meta == fitted.state().meta
    assert all(np.array_equal(other.arrays[name], array) for name, array in fitted.state().arrays.items())


def test_duckdb_gives_the_same_findings(fitted: Indication) -> None:
    on_duckdb = tables_of(_odd_claims(), engine="duckdb")
    assert fitted.find(on_duckdb, _matrix(on_duckdb)).equals(_find(fitted, *_odd_claims()))


BLANK: dict[str, Any] = dict.fromkeys(("so_luong", "t_bhtt", "don_gia", "ma_nhom", "ma_thuoc", "lieu_dung", "ngay_yl"))


@pytest.mark.parametrize(
    "claims",
    [
        [],
        [visit()],
        [visit(ma_benh_chinh=None, ngay_vao=None, ngay_ra=None, patient_id=None, ma_loai_kcb=None), _pills("40.1")],
        [visit(), drug(**BLANK), drug(**BLANK)],
        [visit(), _pills("40.1", quantity=0), _test("40.1", quantity=0)],
        [row for _ in range(700) for row in (visit(), _pills("40.1"), _test("40.1"))],
        [row for n in range(700) for row in (stay(ma_lk=f"{n}"), _pills("40.1", quantity=0), _test("40.1", price=0))],
    ],
    ids=["nothing", "one bare claim", "one blank claim", "all null", "zeros", "constant", "constant and free"],
)
def test_it_learns_from_anything_without_a_number_that_is_none(claims: list[Row]) -> None:
    tables = tables_of(claims)
    finder = Indication().fit(tables, _matrix(tables), seed=1)
    for row in (finder.find(tables, _matrix(tables)), _find(finder, *_odd_claims())):
        assert row.schema == dict(FINDING_COLUMNS)
        for name in ("strength", "amount", "observed", "allowed"):
            assert row[name].is_finite().all()
    numbers = {name: a for name, a in finder.state().arrays.items() if a.dtype.kind != "U" and "tail" not in name}
    assert all(np.isfinite(array).all() for array in numbers.values())


def test_before_fitting_it_finds_nothing() -> None:
    assert _find(FINDER(), *_odd_claims()).is_empty()


def test_every_pattern_has_its_sentence_in_both_languages(fitted: Indication) -> None:
    assert Indication.reason_vi.keys() == Indication.reason_en.keys()
    for lang, reasons in (("vi", Indication.reason_vi), ("en", Indication.reason_en)):
        for text in reasons.values():
            figures = {name: number(1234.5, lang) for name in ("observed", "allowed", "n")}
            told = text.format(item="Thuốc A", amount=dong(1000.0, lang), **figures)
            assert told.startswith("Thuốc A")
            assert "{" not in told
    assert set(_find(fitted, *_odd_claims())["pattern"]) <= Indication.reason_vi.keys()
