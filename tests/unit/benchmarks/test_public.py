"""The benchmark on labelled public sets: its measures, its mappings and its standing aside. All rows are made up."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from benchmarks import public
from data.mapping import Mapping, official_names, read_mapping
from data.tabular import find_tables

SETS = ("provider_fraud", "nhis", "bpjs")


def drawn(seed: int, rows: int = 60) -> tuple[public.Floats, public.Floats, public.Floats]:
    """Scores with ties, labels, money with ties."""
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 8, rows).astype(float)
    return scores, (rng.random(rows) < 0.3).astype(float), rng.integers(0, 12, rows).astype(float)


def auc_by_hand(scores: public.Floats, labels: public.Floats, bands: np.ndarray) -> float:
    """Every pair of a positive and a negative in one band, one by one."""
    won = [
        1.0 if a > b else 0.5 if a == b else 0.0
        for a, yes, here in zip(scores, labels, bands, strict=True)
        for b, no, there in zip(scores, labels, bands, strict=True)
        if yes and not no and here == there
    ]
    return sum(won) / len(won)


@pytest.mark.parametrize("seed", range(8))
def test_auc_agrees_with_counting_pairs(seed: int) -> None:
    scores, labels, money = drawn(seed)
    bands = public.size_bands(money)
    assert len(set(bands.tolist())) > 2
    assert public.band_auc(scores, labels, bands) == pytest.approx(auc_by_hand(scores, labels, bands))
    assert public.auc(scores, labels) == pytest.approx(auc_by_hand(scores, labels, np.zeros(len(scores))))


def test_size_alone_is_worth_nothing_among_its_like() -> None:
    money = np.repeat([1.0, 2.0, 3.0, 4.0, 5.0], 20)
    labels = np.tile([0.0, 1.0], 50) * (money > 3)
    bands = public.size_bands(money)
    assert public.auc(money, labels) > 0.8
    assert public.band_auc(money, labels, bands) == 0.5


def test_equal_amounts_stay_in_one_band() -> None:
    money = np.array([0.0] * 7 + [1.0, 2.0, 3.0])
    bands = public.size_bands(money)
    assert len(set(bands[:7].tolist())) == 1
    assert bands.tolist() == sorted(bands.tolist())


@pytest.mark.parametrize("seed", range(4))
def test_average_precision_takes_equal_scores_together(seed: int) -> None:
    from sklearn.metrics import average_precision_score

    scores, labels, _ = drawn(seed)
    assert public.average_precision(scores, labels) == pytest.approx(average_precision_score(labels, scores))


def test_the_top_takes_the_mean_part_of_those_at_its_edge() -> None:
    scores, worth = np.array([3.0, 2.0, 2.0, 2.0, 1.0]), np.array([5.0, 6.0, 0.0, 0.0, 9.0])
    assert public.within_top(scores, worth, 0.2) == 5.0
    assert public.within_top(scores, worth, 0.4) == 5.0 + 6.0 / 3
    assert public.within_top(scores, worth, 0.8) == 11.0
    assert public.within_top(np.zeros(5), worth, 0.2) == pytest.approx(worth.mean())


def test_without_both_kinds_there_is_no_figure() -> None:
    scores = np.arange(4.0)
    assert np.isnan(public.auc(scores, np.ones(4)))
    assert np.isnan(public.band_auc(scores, np.array([1.0, 1.0, 0.0, 0.0]), np.array([0, 0, 1, 1])))
    assert np.isnan(public.average_precision(scores, np.zeros(4)))


def asked(scores: public.Floats, labels: public.Floats, money: public.Floats) -> public.Asked:
    return public.Asked(name="made up", labels=labels, money=money, rankings={"money": money, "ours": scores})


def test_every_ranking_stands_beside_the_money(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public, "RESAMPLES", 20)
    _, labels, money = drawn(1)
    first, ours = asked(labels + 0.0, labels, money).measure()
    assert first.figures["auc_above_money"] == 0.0
    assert ours.figures["band_auc"] == ours.figures["auc"] == 1.0
    assert ours.figures["auc_above_money"] == 1.0 - first.figures["auc"]
    low, high = ours.intervals["auc_above_money"]
    assert low <= ours.figures["auc_above_money"] <= high
    assert json.loads(json.dumps(ours.as_json()))["intervals"]["auc"] == [1.0, 1.0]


def test_a_score_that_is_no_finite_number_stops_the_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public, "RESAMPLES", 2)
    scores, labels, money = drawn(2)
    scores[3] = np.inf
    with pytest.raises(ValueError, match="made up: ours has scores that are no finite numbers"):
        asked(scores, labels, money).measure()


# standing aside


@pytest.mark.parametrize(
    ("given", "reason"), [([], "no folder given"), (["--data", "not-there"], "the folder given is not there")]
)
def test_without_a_folder_it_stands_aside(
    given: list[str],
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert public.main(given) == 0
    told = capsys.readouterr()
    assert json.loads(told.out.splitlines()[-1]) == {"benchmark": "public", "skipped": reason}
    assert f"skipped: {reason}" in told.err


def test_each_absent_set_stands_aside_by_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "table.md"
    assert public.main(["--data", str(tmp_path), "--markdown", str(table)]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["provider_fraud"] == "skipped: inpatient_claims.parquet is not in the folder"
    assert {name for name, of in told["details"].items() if "skipped" in of} == {*SETS, "adbench"}
    assert table.read_text().count("skipped: ") == 4


def test_the_table_has_a_cell_for_each_head(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public, "RESAMPLES", 5)
    scores, labels, money = drawn(3)
    rankings = [ranking.as_json() for ranking in asked(scores, labels, money).measure()]
    part = {"over": "made up", "rows": 60, "positive": int(labels.sum()), "rankings": rankings}
    details = {"bpjs": {"parts": [part]}, "adbench": {"sets": 1, "mean_auc": {"ours": 0.75}}}
    title, *rows, last = public.lines(details)
    assert "60 rows" in title[0]
    assert [len(row) for row in rows] == [len(public.HEADS)] * 2
    assert last == ("adbench: mean AUC over 1 sets: ours 0.750",)
    assert public.headlines(details)["adbench"] == "ours 0.75"
    assert "| ours | " in public.markdown(details)


# mappings


def mapping_of(name: str) -> Mapping:
    return read_mapping(public.MAPPINGS / f"{name}.toml")


def test_every_set_has_its_mapping() -> None:
    assert {path.stem for path in public.MAPPINGS.glob("*.toml")} == set(SETS) == set(public.SETS)


@pytest.mark.parametrize("name", SETS)
def test_a_mapping_names_official_fields_only(name: str) -> None:
    (entry,) = mapping_of(name).entries
    named = {*entry.fields, *entry.constants, *entry.units, *entry.codes, *entry.dates}
    assert named <= set(official_names(entry.table))
    assert {"ma_cskcb", "ma_lk", "ngay_vao", "ngay_ra", "t_bhtt"} <= named


def provider_rows(folder: Path) -> None:
    day, code = pl.lit(date(2009, 3, 1)), pl.lit("4019")
    claims = pl.DataFrame({"ClaimID": ["A"], "Provider": ["P"], "BeneID": ["B"]}).with_columns(
        AdmissionDt=day, DischargeDt=day, ClmAdmitDiagnosisCode=code, InscClaimAmtReimbursed=1, DeductibleAmtPaid=2.0
    )
    claims = claims.with_columns(
        *(code.alias(f"ClmDiagnosisCode_{n}") for n in range(1, 11)),
        *(pl.lit(n).alias(f"ClmProcedureCode_{n}") for n in range(1, 7)),
    )
    claims.write_parquet(folder / "inpatient_claims.parquet")
    people = pl.DataFrame({"BeneID": ["B"], "Gender": [1]}).with_columns(DOB=day)
    people.write_parquet(folder / "beneficiaries.parquet")


def nhis_rows(folder: Path) -> None:
    given = {"row_id": [7, 7], "age": [30.5, 4.0], "sex": ["F", "MF"], "amount_billed": [1.0, 0.0]}
    dates = {"encounter_date": [date(2024, 3, 1), None], "discharge_date": [date(2024, 3, 2), date(2023, 1, 1)]}
    made = public.prepared_nhis(pl.DataFrame({**given, **dates, "diagnosis_text": ["cold", None]}))
    assert made["claim"].to_list() == [1, 2]
    assert made["birth_year"].to_list() == [1994, 2019]
    made.write_parquet(folder / "nhis_claims.parquet")


def bpjs_rows(folder: Path) -> None:
    texts = ("claim_id", "participant_id", "sex", "faskes_id", "kode_icd10", "jenis_pelayanan")
    sums = ("billed_amount", "paid_amount", "drug_cost", "tarif_inacbg")
    claim = pl.DataFrame({"tgl_pelayanan": ["2024-02-28"], "lama_dirawat": [2], "age": [40]}).with_columns(
        *(pl.lit(name).alias(name) for name in texts),
        *(pl.lit(5).alias(name) for name in sums),
        kode_prosedur=89.03,
        a_verdict=1,
    )
    made = public.prepared_bpjs(claim)
    assert made["tgl_pulang"].to_list() == [date(2024, 3, 1)]
    assert made["tahun_lahir"].to_list() == [1984]
    assert "a_verdict" not in made.columns
    made.write_parquet(folder / "bpjs_synthetic.parquet")


@pytest.mark.parametrize(
    ("name", "write"), [("provider_fraud", provider_rows), ("nhis", nhis_rows), ("bpjs", bpjs_rows)]
)
def test_a_mapping_fits_the_files_it_is_for(name: str, write: Callable[[Path], None], tmp_path: Path) -> None:
    write(tmp_path)
    files = find_tables([tmp_path], mapping_of(name))  # raises BadMapping where a column is not there
    assert {file.path.name for file in files} == {mapping_of(name).entries[0].file}


# what is counted of a provider


def test_money_above_the_mean_of_its_kind() -> None:
    claims = pl.DataFrame(
        {
            "Provider": ["P", "P", "Q"],
            "ClmDiagnosisCode_1": ["4019", "4011", "4012"],
            "DiagnosisGroupCode": ["1", "2", "2"],
            "InscClaimAmtReimbursed": [90, 30, 60],
        }
    )
    assert public.above_means(claims).rows() == [("P", 30.0, 0.0), ("Q", 0.0, 15.0)]


def test_what_the_exports_say_of_a_facility() -> None:
    told = {"claims": 2, "flags": 1, "t_bhtt": 200.0, "amount_at_risk": 50.0, "expected_recoverable": 20.0}
    facilities = pl.DataFrame(
        {
            "entity_id": ["P"],
            "score": [0.4],
            "amount_at_risk": [50.0],
            "expected_recoverable": [20.0],
            "evidence": [json.dumps(told)],
        }
    )
    claims = pl.DataFrame({"entity_id": ["P:1", "P:2"], "score": [0.5, 0.1], "expected_recoverable": [20.0, 0.0]})
    row = public.facility_columns(public.Exported(claims, facilities, {}, {})).row(0, named=True)
    assert row["Provider"] == "P"
    assert (row["claim_scores"], row["max_claim_score"], row["signs_a_claim"]) == (pytest.approx(0.6), 0.5, 0.5)
    assert (row["recoverable_a_claim"], row["recoverable_a_dong"], row["flagged_a_claim"]) == (10.0, 0.1, 0.5)
