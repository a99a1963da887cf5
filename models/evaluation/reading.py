"""What an evaluation needs of a run, read from the lake: its ranking, its entities, the claims that came before.

Nothing that was scored is left out: for copies under another MA_LK money is asked like for any claim.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from data.lake import UnknownSnapshot
from detectors.base import rules
from features.matrix import build_matrix
from models.entities import ranking_sql
from models.evaluation.truth import CLAIM
from models.scoring import CHUNK, HISTORY_DAYS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from data.lake import Lake, Reader

MAX_EARLIER = 200_000  # labelled claims before the evaluated ones; the latest are taken, more teach little

_RAW = """
    select e.ma_cskcb, e.ma_lk, e.version, cast(coalesce(e.ngay_ra, e.ngay_vao) as date) as day, e.ma_loai_kcb,
           substr(e.ma_benh_chinh, 1, 3) as icd3, e.patient_id, e.t_thuoc, e.t_vtyt, e.t_tongchi_bv, e.t_tongchi_bh,
           e.t_bncct, e.t_bhtt, e.so_ngay_dtri, date_diff('year', e.ngay_sinh, e.ngay_vao) as age,
           coalesce(c.lines, 0) as lines
    from claimed_encounter e left join (
        select version, count(*) as lines
        from (select version from drug_line_history union all select version from service_line_history) group by version
    ) c using (version)
"""


def scored_claims(reader: Reader, run_ids: Sequence[str]) -> pl.DataFrame:
    """Every claim of a run's ranking, its place (`ours`, higher first) and what baselines need; sorted by key.

    `run_ids` is the run's chain, newest first. `rule_amount` is what rules alone name: of a line the largest amount.
    """
    reader.keep("_rule", pl.DataFrame({"rule": sorted(rule.id for rule in rules())}, schema={"rule": pl.String}))
    return reader.pl(
        f"""
        with ranking as ({ranking_sql(run_ids)}),
        named as (
            select version, run_id, sum(amount) as rule_amount from (
                select version, run_id, line_table, row_no, max(amount) as amount from signal
                where split_part(source, '@', 1) in (from _rule) group by all
            ) group by all
        )
        select raw.*, r.doctor, r.flagged, coalesce(n.rule_amount, 0) as rule_amount,
               coalesce(r.score, 0) as score, coalesce(r.amount_at_risk, 0) as amount_at_risk,
               coalesce(r.expected_recoverable, 0) as expected_recoverable, coalesce(r.likelihood, 0) as likelihood,
               coalesce(r.promise, 0) as promise,
               dense_rank() over (order by coalesce(r.score, 0), coalesce(r.expected_recoverable, 0)) as ours
        from ranking r join ({_RAW}) raw using (version)
        left join named n on n.version = r.version and n.run_id = r.run_id
        order by raw.ma_cskcb, raw.ma_lk
        """
    )


def ranked_entities(reader: Reader, run_id: str) -> pl.DataFrame:
    """The run's doctors, facilities and patients and their place in its lists: level, entity_id, ours."""
    return reader.pl(
        "select level, entity_id, dense_rank() over (partition by level order by coalesce(score, 0), "
        "coalesce(expected_recoverable, 0)) as ours from entity_score where run_id = ? order by all",
        [run_id],
    )


def practitioners(reader: Reader, claims: pl.DataFrame) -> pl.DataFrame:
    """Every practitioner that a line of `claims` names, and the main one: the key and doctor."""
    reader.keep("_evaluated", claims.select("version"))
    return reader.pl(
        """
        select distinct ma_cskcb, ma_lk, trim(doctor) as doctor from (
            select ma_cskcb, ma_lk, unnest(string_split(ma_bac_si, ';')) as doctor
            from (select version, ma_cskcb, ma_lk, ma_bac_si from drug_line_history
                  union all select version, ma_cskcb, ma_lk, ma_bac_si from service_line_history)
            where version in (from _evaluated) and ma_bac_si is not null
        ) where trim(doctor) <> '' order by all
        """
    )


def earlier_claims(reader: Reader, claims: pl.DataFrame) -> pl.DataFrame:
    """Claims discharged before the first of the evaluated ones, with what a learner needs; the latest MAX_EARLIER."""
    first = claims["day"].min()
    if first is None:
        return claims.clear()
    return reader.pl(f"select * from ({_RAW}) where day < ? order by day desc, ma_cskcb, ma_lk limit ?", [
        first, MAX_EARLIER,
    ]).sort(CLAIM)  # fmt: skip


def with_features(reader: Reader, rows: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """`rows` with the encounter features `columns`, from the same tables that scoring reads."""
    parts = list(_matrices(reader, rows.select(*CLAIM, "version"), columns))
    return rows.drop([c for c in columns if c in rows.columns]).join(
        pl.concat(parts), on=CLAIM, how="left", maintain_order="left"
    )


def _matrices(reader: Reader, targets: pl.DataFrame, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    for start in range(0, max(targets.height, 1), CHUNK):
        part = targets.slice(start, CHUNK)
        reader.keep("_target", part)
        reader.run(
            "create or replace table _dated as "
            "select e.patient_id, e.ngay_vao from claimed_encounter e semi join _target using (version)"
        )
        tables = reader.claim_tables(
            "version in (select version from _target) or ("
            "patient_id in (select patient_id from _dated where patient_id is not null) "
            f"and ngay_vao >= (select min(ngay_vao) from _dated) - interval {HISTORY_DAYS} day "
            "and ngay_vao <= (select max(ngay_vao) from _dated))"
        )
        yield build_matrix(tables, "encounter", columns=columns).join(part.select(CLAIM), on=CLAIM, how="semi")


def training_overlap(lake: Lake, trained: Mapping[str, Any], claims: pl.DataFrame) -> dict[str, Any]:
    """Whether the evaluated claims are ones the model learned from: figures on these flatter.

    `trained` is the model's own account. A claim was learned from when its day of discharge lies in the training period
    and the lake held it then. `held_out`: none was; None: the lake no longer knows what was learned.
    """
    bounds = [date.fromisoformat(v) if (v := trained.get(end)) else None for end in ("since", "until")]
    try:
        with lake.reader(trained["snapshot"]) as reader:
            known = reader.pl(
                "select ma_cskcb, ma_lk, cast(ngay_ra as date) as day from claimed_encounter "
                "where (? is null or cast(ngay_ra as date) >= ?) and (? is null or cast(ngay_ra as date) <= ?)",
                [bounds[0], bounds[0], bounds[1], bounds[1]],
            )
    except (KeyError, UnknownSnapshot):
        return {"trained_since": None, "trained_until": None, "in_training": None, "held_out": None}
    seen = claims.join(known, on=CLAIM, how="semi").height
    since, until = bounds[0] or known["day"].min(), bounds[1] or known["day"].max()
    return {
        "trained_since": since.isoformat() if isinstance(since, date) else None,
        "trained_until": until.isoformat() if isinstance(until, date) else None,
        "in_training": round(seen / claims.height, 4) if claims.height else None,
        "held_out": seen == 0,
    }


def coverage(
    reader: Reader, claims: pl.DataFrame, truth: pl.DataFrame, *, since: date | None, until: date | None
) -> dict[str, Any]:
    """What the figures leave out: scored claims without truth, and true claims of the period that were not scored.

    A claim that never reached the lake (refused, or never sent) has no date here, so it cannot be said whether it
    belongs to the period; its money is told apart.
    """
    stored = reader.pl(
        "select ma_cskcb, ma_lk, cast(coalesce(ngay_ra, ngay_vao) as date) as day from claimed_encounter"
    )
    lowest = since or claims["day"].min() or date.min
    highest = until or claims["day"].max() or (date.max - timedelta(days=1))
    missing = truth.join(claims, on=CLAIM, how="anti")
    dated = missing.join(stored, on=CLAIM, how="inner")
    unscored = dated.filter(pl.col("day").is_between(pl.lit(lowest), pl.lit(highest)))
    gone = missing.join(stored, on=CLAIM, how="anti")
    return {
        "without_truth": claims.join(truth, on=CLAIM, how="anti").height,
        "not_scored": unscored.height,
        "not_scored_improper_amount": round(float(unscored["improper_amount"].sum()), 2),
        "not_stored": gone.height,
        "not_stored_improper_amount": round(float(gone["improper_amount"].sum()), 2),
    }
