"""A small lake with claims, catalogues and scores, made up: what pages, the API and exports are tested on.

    lake = scored_lake(folder, claims=60)            loads claims of provinces 98 and 99, scores them as run RUN
    add_run(lake, "run-2", ["98001:L000000"])        a later run that extends RUN and scores only these again
    resend(lake, "98001:L000000")                    the facility sends the claim again: its score is out of date

Everything follows from the claim's number, so that a test can say what it expects: claim number i lies in
FACILITIES[i % 4], has two drug and two service lines, and a score that grows with (7 919 i mod claims). Claims above
FLAG_ABOVE are flagged and carry two signals: a rule on service line 1 and a detector on the whole encounter. Flagged
claims of one facility are alike, those of each 4 000 numbers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from data.lake import Lake, table_columns

RUN = "run-1"
FACILITIES = ("98001", "98002", "99001", "99002")
FLAG_ABOVE = 0.9
SCHEMES = (["BED_DAY_PADDING"], ["OVER_DRUG_QTY", "UPCODE_SERVICE"], ["DUP_LINE"])
AT = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
FIRST_ARRIVAL = datetime(2026, 1, 5, 8, 0)


def scored_lake(root: Path, claims: int = 60) -> Lake:
    """A lake under `root` with `claims` claims, their lines and their scores."""
    lake = Lake(root, clock=lambda: AT, memory="1GB")
    encounters = _encounters(claims)
    lines = _lines(encounters)
    with lake.writer("test"):
        _commit(lake, "catalogue", "catalogue-1", {"catalogue_facilities": _facilities()}, {})
        loaded = {
            "encounter": encounters,
            "drug_line": lines.select(
                "ma_cskcb",
                "ma_lk",
                "version",
                "month",
                "row_no",
                "doctor",
                ma_bac_si="doctor",
                ma_thuoc=pl.format("40.{}", "row_no"),
                ten_thuoc=pl.lit("Amlodipin 5 mg"),
                don_vi_tinh=pl.lit("Viên"),
                ma_nhom=pl.lit(4),
                so_luong=pl.lit(30),
                don_gia=pl.col("paid") / 30,
                t_bhtt="paid",
                thanh_tien_bh="paid",
                ngay_yl="ngay_vao",
            ),
            "service_line": lines.select(
                "ma_cskcb",
                "ma_lk",
                "version",
                "month",
                "row_no",
                "doctor",
                ma_bac_si="doctor",
                ma_dich_vu=pl.format("03.{}", "row_no"),
                ten_dich_vu=pl.when(pl.col("row_no") == 1).then(pl.lit("Giường nội khoa")).otherwise(pl.lit("Khám")),
                ma_nhom=pl.when(pl.col("row_no") == 1).then(15).otherwise(13),
                so_luong=pl.lit(5),
                don_gia_bh=pl.col("paid") / 5,
                t_bhtt="paid",
                thanh_tien_bh="paid",
                ngay_yl="ngay_vao",
            ),
            "lab_result": encounters.select(
                "ma_cskcb",
                "ma_lk",
                "version",
                "month",
                "row_no",
                ma_dich_vu=pl.lit("23.1"),
                ten_chi_so=pl.lit("Glucose"),
                gia_tri=pl.lit("5.1"),
                don_vi_do=pl.lit("mmol/L"),
                ngay_kq="ngay_vao",
            ),
            "person": encounters.select(
                "version",
                "ma_cskcb",
                "ma_lk",
                "patient_id",
                line_table=pl.lit("encounter"),
                ma_the_bhyt=pl.format("DN4{}", "patient_id"),
            ),
        }
        _commit(lake, "load", "load-1", loaded, {"files": 1})
        _commit(lake, "score", RUN, _scores(encounters, RUN), _manifest(RUN, None, encounters.height, lake.snapshot()))
    return lake


def add_run(
    lake: Lake, run_id: str, claims: Sequence[str], *, score: float = 0.999, base_run: str | None = RUN
) -> None:
    """Score `claims` (ids) again with `score`, as a run that extends `base_run`."""
    with lake.writer("test"):
        with lake.reader() as reader:
            encounters = reader.pl(
                "select * from encounter where ma_cskcb || ':' || ma_lk in (select unnest(?))", [claims]
            )
            entities = reader.pl("select * from entity_score where run_id = ?", [base_run or RUN])
        tables = _scores(encounters, run_id, score=score) | {
            "entity_score": entities.with_columns(run_id=pl.lit(run_id))
        }
        _commit(lake, "score", run_id, tables, _manifest(run_id, base_run, len(claims), lake.snapshot()))


def resend(lake: Lake, claim_id: str, *, withdrawn: bool = False) -> None:
    """The facility sends the claim again, or takes it back."""
    with lake.writer("test"):
        with lake.reader() as reader:
            newest = reader.pl("select max(version) from encounter_history").item()
            again = reader.pl("select * from encounter where ma_cskcb || ':' || ma_lk = ?", [claim_id])
        again = again.with_columns(version=pl.lit(newest + 1), withdrawn=pl.lit(withdrawn), load_id=pl.lit("again"))
        _commit(lake, "load", f"load-{newest + 1}", {"encounter": again}, {"files": 1})


def _encounters(count: int) -> pl.DataFrame:
    i = pl.col("i")
    inpatient = i % 10 == 0
    arrival = pl.lit(FIRST_ARRIVAL) + pl.duration(minutes=(i * 37) % (40 * 1440))
    frame = pl.DataFrame({"i": range(count)}).select(
        ma_cskcb=pl.lit(pl.Series(FACILITIES)).get(i % len(FACILITIES)),
        ma_lk=pl.format("L{}", i.cast(pl.String).str.zfill(6)),
        patient_id=pl.format("p{}", i % (count // 3 | 1)),  # odd, so that a patient's claims lie in several facilities
        ma_bac_si=pl.format("BS{}", i % 7),
        ma_benh_chinh=pl.lit(pl.Series(["I10", "E11.9"])).get(i // 7 % 2),
        ma_loai_kcb=pl.when(inpatient).then(pl.lit("03")).otherwise(pl.lit("01")),
        gioi_tinh=i % 2 + 1,
        ngay_sinh=pl.lit(date(1960, 5, 1)),
        ngay_vao=arrival,
        ngay_ra=arrival + pl.when(inpatient).then(pl.duration(days=5)).otherwise(pl.duration(minutes=30)),
        so_ngay_dtri=pl.when(inpatient).then(5).otherwise(1),
        t_bhtt=(((i * 2_654_435) % 9_973) * 400 + 100_000).cast(pl.Decimal(18, 2)),
        withdrawn=pl.lit(False),
        row_no=pl.lit(1),
        version=i + 1,
        load_id=pl.lit("load-1"),
        standard=pl.lit("130"),
    )
    return frame.with_columns(month=pl.col("ngay_ra").dt.year() * 100 + pl.col("ngay_ra").dt.month())


def _lines(encounters: pl.DataFrame) -> pl.DataFrame:
    """Two lines of each kind a claim: the four add up to what the fund paid."""
    return encounters.select(
        "ma_cskcb",
        "ma_lk",
        "version",
        "month",
        "ngay_vao",
        doctor="ma_bac_si",
        paid=(pl.col("t_bhtt") / 4),
        row_no=pl.lit([1, 2]),
    ).explode("row_no")


def _scores(encounters: pl.DataFrame, run_id: str, *, score: float | None = None) -> dict[str, pl.DataFrame]:
    count = encounters.height
    number = pl.col("ma_lk").str.slice(1).cast(pl.Int64)
    doctor = pl.col("ma_bac_si") if "ma_bac_si" in encounters.columns else pl.format("BS{}", number % 7)
    claims = encounters.select(
        "month",
        "ma_cskcb",
        "ma_lk",
        "version",
        "patient_id",
        "ma_loai_kcb",
        "ngay_vao",
        "ngay_ra",
        "ma_benh_chinh",
        "t_bhtt",
        run_id=pl.lit(run_id),
        doctor=doctor,
        province=pl.col("ma_cskcb").str.slice(0, 2),
        score=pl.lit(score) if score is not None else (number * 7919 % count / count).round(6),
        number=number,
    )
    claims = claims.with_columns(flagged=pl.col("score") > FLAG_ABOVE)
    risk = (pl.col("t_bhtt").cast(pl.Float64) / 4).round(2)
    claims = claims.with_columns(
        amount_at_risk=pl.when("flagged").then(risk).otherwise(0.0),
        expected_recoverable=pl.when("flagged").then(risk * pl.col("score")).otherwise(0.0).round(2),
        schemes=pl.when("flagged")
        .then(pl.lit(pl.Series(SCHEMES, dtype=pl.List(pl.String))).get(pl.col("number") % len(SCHEMES)))
        .otherwise(pl.lit([], dtype=pl.List(pl.String))),
        status=pl.lit("scored"),
        likelihood=pl.when("flagged").then(0.62).otherwise(0.0),
        pattern=pl.when("flagged").then(pl.format("{}-{}", "ma_cskcb", pl.col("number") // 4_000)),
        signs=pl.when("flagged").then(2).otherwise(0),
        named_lines=pl.when("flagged").then(1).otherwise(0),
        reason_vi=pl.when("flagged").then(pl.lit("Số ngày giường vượt thời gian nằm viện")).otherwise(pl.lit("")),
        reason_en=pl.when("flagged").then(pl.lit("More bed days than days in hospital")).otherwise(pl.lit("")),
    )
    claims = claims.with_columns(
        reasons_vi=pl.when("flagged").then(pl.col("reason_vi") + "; Chi phí vượt mức dự kiến").otherwise(pl.lit("")),
        reasons_en=pl.when("flagged").then(pl.col("reason_en") + "; Cost above the expected").otherwise(pl.lit("")),
    )
    flagged = claims.filter("flagged")
    evidence = pl.DataFrame(
        {
            "version": flagged["version"],
            "evidence": [json.dumps(_evidence(row), ensure_ascii=False) for row in flagged.iter_rows(named=True)],
        },
        schema={"version": claims.schema["version"], "evidence": pl.String},
    )
    signals = pl.concat(
        [
            _signal(flagged, "BED-01@1", "service_line", share=1.0),
            _signal(flagged, "expected_cost@1", None, share=0.5),
        ]
    )
    return {
        "claim_score": claims.join(evidence, on="version", how="left"),
        "signal": signals,
        "entity_score": _entities(claims, run_id),
    }


def _signal(flagged: pl.DataFrame, source: str, line_table: str | None, *, share: float) -> pl.DataFrame:
    return flagged.select(
        "run_id",
        "month",
        "ma_cskcb",
        "ma_lk",
        "version",
        line_table=pl.lit(line_table, dtype=pl.String),
        row_no=pl.lit(None if line_table is None else 1, dtype=pl.Int32),
        source=pl.lit(source),
        scheme=pl.col("schemes").list.first(),
        severity=pl.lit("warn"),
        amount=pl.col("amount_at_risk") * share,
        expected_recoverable=pl.col("expected_recoverable") * share,
        observed=pl.lit(5.0),
        allowed=pl.lit(3.0),
    )


def _evidence(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    common = {"scheme": row["schemes"][0], "severity": "warn", "observed": 5.0, "expected": 3.0}
    return [
        common
        | {
            "source": "BED-01@1",
            "kind": "rule",
            "strength": 1.0,
            "amount": row["amount_at_risk"],
            "expected_recoverable": row["expected_recoverable"],
            "peer_group": None,
            "fields": ["so_luong", "ngay_vao", "ngay_ra"],
            "legal_basis": "TT 39/2024",
            "lines": [["service_line", 1]],
            "text_vi": "Thanh toán 5 ngày giường, thời gian nằm viện cho phép 3",
            "text_en": "5 bed days paid, the stay allows 3",
        },
        common
        | {
            "source": "expected_cost@1",
            "kind": "detector",
            "strength": row["score"],
            "amount": row["amount_at_risk"] / 2,
            "expected_recoverable": row["expected_recoverable"] / 2,
            "peer_group": "ma_loai_kcb=03|icd3=I10",
            "fields": ["t_bhtt"],
            "legal_basis": None,
            "lines": [],
            "text_vi": "Chi phí vượt mức dự kiến của nhóm tương đồng",
            "text_en": "Cost above what like claims cost",
        },
    ]


def _entities(claims: pl.DataFrame, run_id: str) -> pl.DataFrame:
    keys = {
        "doctor": pl.format("{}:{}", "ma_cskcb", "doctor"),
        "facility": pl.col("ma_cskcb"),
        "patient": pl.col("patient_id"),
    }
    evidence = json.dumps(
        [{"source": "roll_up@1", "kind": "detector", "text_vi": "Nhiều hồ sơ có dấu hiệu", "text_en": "x"}]
    )
    return pl.concat(
        claims.group_by(key.alias("entity_id"))
        .agg(
            province=pl.col("province").min(),
            score=pl.col("score").max(),
            flagged=pl.col("flagged").any(),
            amount_at_risk=pl.col("amount_at_risk").sum().round(2),
            expected_recoverable=pl.col("expected_recoverable").sum().round(2),
            schemes=pl.col("schemes").explode().drop_nulls().unique().sort(),
            claims=pl.len().cast(pl.Int64),
            t_bhtt=pl.col("t_bhtt").sum().cast(pl.Decimal(18, 2)),
        )
        .with_columns(
            run_id=pl.lit(run_id),
            level=pl.lit(level),
            status=pl.lit("scored"),
            reasons_vi=pl.lit("Nhiều hồ sơ có dấu hiệu"),
            reasons_en=pl.lit("Many claims with signs"),
            evidence=pl.lit(evidence),
        )
        .sort("entity_id")
        for level, key in keys.items()
    )


def _facilities() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "ma_cskcb": FACILITIES,
            "name": [f"Bệnh viện {code}" for code in FACILITIES],
            "province": [code[:2] for code in FACILITIES],
            "valid_from": [date(2020, 1, 1)] * len(FACILITIES),
            "rank": ["2", "3", "2", "3"],
            "load_id": ["catalogue-1"] * len(FACILITIES),
            "load_seq": [1] * len(FACILITIES),
        }
    )


def _manifest(run_id: str, base_run: str | None, encounters: int, snapshot: int) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "model_version": 1,
        "snapshot": snapshot,
        "since": None,
        "until": None,
        "all": base_run is None,
        "encounters": encounters,
        "flags": 0,
        "seconds": 1.5,
        "threshold": FLAG_ABOVE,
        "base_run": base_run,
        "rule_versions": {"BED-01": 1},
        "rule_runs": {},
        "bundle_sha256": "0" * 64,
    }


def _commit(lake: Lake, kind: Any, commit_id: str, tables: Mapping[str, pl.DataFrame], info: Mapping[str, Any]) -> None:
    folder = lake.staging(commit_id)
    staged: dict[str, list[Path]] = {}
    for name, frame in tables.items():
        wanted = table_columns(name)
        whole = frame.select(
            (pl.col(column) if column in frame.columns else pl.lit(None)).cast(dtype).alias(column)
            for column, dtype in wanted.items()
        )
        staged[name] = [folder / f"{name}.parquet"]
        whole.write_parquet(staged[name][0])
    lake.commit(kind, commit_id, staged, info)
