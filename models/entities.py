"""Doctors, facilities and patients of a run: what their claims come to, against what like claims cost.

An entity's place is money: what the signs on its claims may give back, and a part of what its claims cost above
expectation, claim by claim, because one who is a little dear on every claim has no claim that stands out. A doctor
answers for his own lines only: a sign goes to those who signed the lines it names, money to those whose lines it is.

The score depends on the bundle and on the entity's own claims; its parts add up to its log-odds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import polars as pl

from data.lake import table_columns
from detectors.entity.observed_expected import USUAL_TAIL, ObservedExpected

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from data.lake import Reader
    from detectors.fusion import Weights
    from models.bundle import Bundle

LEVELS = ("doctor", "facility", "patient")

SHARE = 0.05  # part of the doctors, facilities, patients of the training whose score is at least one half

ABOVE: Mapping[str, float] = {"doctor": 0.1, "facility": 0.3, "patient": 0.03}
"""What a VND above expectation adds to an entity's place. Of few claims chance is the larger part of it."""


@dataclass(frozen=True, kw_only=True)
class EntityReferences:
    """What is usual of doctors, facilities and patients; frozen at training, JSON in the bundle."""

    costs: Mapping[str, ObservedExpected] = field(default_factory=dict[str, ObservedExpected])  # by level
    pivots: Mapping[str, float] = field(default_factory=dict[str, float])  # VND of place with a score of one half

    def as_json(self) -> dict[str, Any]:
        """For the manifest of the bundle."""
        return {
            "costs": {level: cost.as_json() for level, cost in self.costs.items()},
            "pivots": dict(self.pivots),
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """Read back what `as_json` gave."""
        return cls(
            costs={level: ObservedExpected.from_json(cost) for level, cost in kept["costs"].items()},
            pivots=kept["pivots"],
        )


def learn(reader: Reader, scored: pl.DataFrame, weights: Weights) -> EntityReferences:
    """The references of the claims just scored in training: `scored` has the columns of `claim_score`."""
    _keep_ranking(reader, scored)
    costs: dict[str, ObservedExpected] = {}
    pivots: dict[str, float] = {}
    for level in LEVELS:
        found = sums(reader, level)
        costs[level] = ObservedExpected.fit(found)
        if found.height:
            place = _placed(found, level, weights)["place"].sort(descending=True)
            pivots[level] = max(round(float(place[max(int(found.height * SHARE) - 1, 0)]), 2), 1.0)
    return EntityReferences(costs=costs, pivots=pivots)


def entities(reader: Reader, run_id: str, own: Sequence[str], bases: Sequence[str], bundle: Bundle) -> pl.DataFrame:
    """Rows of `entity_score`: the doctors, facilities and patients of the whole ranking of a run.

    Args:
        reader: of the snapshot that was scored.
        run_id: of this run.
        own: Parquet files with the rows of `claim_score` this run made.
        bases: ids of the runs it extends, newest first.
        bundle: what scored them.
    """
    _keep_ranking(reader, _ranked(reader, own, bases))
    known: EntityReferences = getattr(bundle, "entities", None) or EntityReferences()  # bundles of before have none
    frames: list[pl.DataFrame] = []
    for level in LEVELS:
        pivot = known.pivots.get(level, bundle.entity_pivots.get(level, bundle.pivot))
        rows = scored(sums(reader, level), level, known.costs.get(level, ObservedExpected()), bundle.weights, pivot)
        frames.append(
            rows.with_columns(run_id=pl.lit(run_id), level=pl.lit(level), status=pl.lit("scored"))
            .select(pl.col(name).cast(dtype) for name, dtype in table_columns("entity_score").items())
            .sort("entity_id")
        )
    return pl.concat(frames)


# the score


def _placed(found: pl.DataFrame, level: str, weights: Weights) -> pl.DataFrame:
    """`found` with the place of each entity in VND and, before it, the places that lead there step by step."""
    size = (weights.base * pl.col("paid").clip(0.0)).clip(1.0)  # at least one VND, so that nothing at all has a place
    return found.with_columns(place_size=size).with_columns(
        place_signs=pl.col("place_size") + pl.col("recoverable").clip(0.0)
    ).with_columns(place=pl.col("place_signs") + ABOVE[level] * pl.col("above").clip(0.0))  # fmt: skip


def scored(found: pl.DataFrame, level: str, costs: ObservedExpected, weights: Weights, pivot: float) -> pl.DataFrame:
    """`found`, rows of `sums`, with score, flag, reasons and evidence; a row's answer depends on that row alone.

    The log-odds are those of place over pivot. They come from the size alone, what the signs add to it, what money
    above expectation adds: three logarithms of the steps from one place to the next.
    """
    rows = pl.concat([_placed(found, level, weights), costs.judge(found)], how="horizontal")
    steps = {
        "size": pl.col("place_size").log() - math.log(pivot),
        "signs": pl.col("place_signs").log() - pl.col("place_size").log(),
        "above_expected": pl.col("place").log() - pl.col("place_signs").log(),
    }
    rows = rows.with_columns(step.round(6).alias(f"part_{name}") for name, step in steps.items())
    rows = rows.with_columns(log_odds=pl.sum_horizontal(f"part_{name}" for name in steps).round(6))
    rows = rows.with_columns(score=(1.0 / (1.0 + (-pl.col("log_odds")).exp())).round(9))
    money = {
        "amount_at_risk": pl.col("amount"),
        "expected_recoverable": pl.col("recoverable"),
        "t_bhtt": pl.col("paid"),
    }
    rows = rows.with_columns(
        *(value.round(2).alias(name) for name, value in money.items()),
        pl.col("schemes").fill_null(pl.lit([], dtype=pl.List(pl.String))),
        flagged=(pl.col("score") >= 0.5) & (pl.col("recoverable") + pl.col("above") > 0),
    )
    return rows.with_columns(
        evidence=_evidence(costs.entities),
        reasons_vi=_reasons("vi", costs.entities, level),
        reasons_en=_reasons("en", costs.entities, level),
    )


def _evidence(peers: int) -> pl.Expr:
    """One JSON object: what the claims come to, and each measure with its value, what is usual, and its part."""
    measures = [
        _measure("size", value="t_bhtt", expected=None, peers=None),
        _measure("signs", value="expected_recoverable", expected=None, peers=None),
        _measure("above_expected", value="above", expected="expected", peers=peers),
    ]
    return pl.struct(
        "claims", "flags", "t_bhtt", "amount_at_risk", "expected_recoverable",
        pl.col("observed", "expected", "excess").round(2), "ratio", "high", "tail", "log_odds",
        measures=pl.concat_list(measures),
    ).struct.json_encode()  # fmt: skip


def _measure(name: str, *, value: str, expected: str | None, peers: int | None) -> pl.Expr:
    return pl.struct(
        measure=pl.lit(name),
        value=pl.col(value).round(2),
        expected=pl.col(expected).round(2) if expected else pl.lit(None, dtype=pl.Float64),
        peers=pl.lit(peers, dtype=pl.Int64),
        contribution=pl.col(f"part_{name}"),
    )


_WHO = {
    "doctor": ("bác sĩ", "doctors"),
    "facility": ("cơ sở", "facilities"),
    "patient": ("người bệnh", "patients"),
}


def _reasons(lang: str, peers: int, level: str) -> pl.Expr:
    """What the signs come to and, where the costs lie outside the limits, by how much."""
    money, paid, excess = (_whole(name, lang) for name in ("expected_recoverable", "t_bhtt", "excess"))
    ratio = pl.col("ratio").round(2).cast(pl.String).str.strip_chars_end("0").str.strip_chars_end(".")
    who = _WHO[level][lang != "vi"]
    if lang == "vi":
        signs = "{} trên {} hồ sơ có dấu hiệu cần xem xét; có thể thu hồi khoảng {} ₫ trên {} ₫ đề nghị thanh toán"
        dear = pl.format(
            "chi phí gấp {} lần mức kỳ vọng của các hồ sơ tương tự ở {} {}, cao hơn {} ₫",
            ratio.str.replace(".", ",", literal=True), pl.lit(peers), pl.lit(who), excess,
        )  # fmt: skip
    else:
        signs = "{} of {} claims carry a sign to look at; about {} VND of {} VND asked may be recoverable"
        dear = pl.format(
            "costs are {} times what like claims of {} {} come to, {} VND above",
            ratio,
            pl.lit(peers),
            pl.lit(who),
            excess,
        )
    outside = (pl.col("tail") < USUAL_TAIL) & (pl.col("excess") > 0)
    return pl.concat_str(
        pl.format(signs, "flags", "claims", money, paid),
        pl.when(outside).then(dear),
        separator="; ",
        ignore_nulls=True,
    )


def _whole(name: str, lang: str) -> pl.Expr:
    """A number of VND written out with its thousands apart."""
    mark = "." if lang == "vi" else ","
    digits = pl.col(name).round(0).cast(pl.Int64).cast(pl.String)
    return digits.str.reverse().str.replace_all(r"(\d{3})", f"${{1}}{mark}").str.strip_suffix(mark).str.reverse()


# what an entity's claims come to


def ranking_sql(run_ids: Sequence[str]) -> str:
    """SELECT giving the rows of `claim_score` that make a run's ranking; `run_ids` is its chain, newest first."""
    listed = ", ".join(f"('{run_id}', {age})" for age, run_id in enumerate(run_ids))
    return (
        f"select s.* from claim_score s join (values {listed}) as r(run_id, age) using (run_id) "
        "anti join superseded using (version) "
        "qualify row_number() over (partition by s.version order by r.age) = 1"
    )


_LINES = """
    select version, 'drug_line' as line_table, row_no, ma_bac_si, t_bhtt from drug_line_history
    union all select version, 'service_line', row_no, ma_bac_si, t_bhtt from service_line_history
"""

_ACTS = f"""
    select version, line_table, row_no, doctor, paid / count(*) over (partition by version, line_table, row_no) as paid,
           1.0 / count(*) over (partition by version, line_table, row_no) as part
    from (
        select distinct version, line_table, row_no, trim(doctor) as doctor, paid
        from (select version, line_table, row_no, greatest(coalesce(cast(t_bhtt as double), 0), 0) as paid,
                     unnest(string_split(ma_bac_si, ';')) as doctor
              from ({_LINES}) where version in (select version from _ranking) and ma_bac_si is not null)
        where trim(doctor) <> ''
    )
"""
"""Who signed each line, and the part of it that is his."""

_SIGNS = """
    select version, sign.scheme as scheme, sign.amount as amount, sign.expected_recoverable as money,
           coalesce(sign.lines, []) as lines, coalesce(len(sign.lines), 0) as n
    from (select version, unnest(from_json(evidence, '[{"scheme": "VARCHAR", "amount": "DOUBLE",
          "expected_recoverable": "DOUBLE", "lines": [["VARCHAR"]]}]')) as sign from _ranking)
    where sign.expected_recoverable > 0
"""


def _ranked(reader: Reader, own: Sequence[str], bases: Sequence[str]) -> pl.DataFrame:
    """Rows of `claim_score` of the whole ranking: this run's own and, of claims it left alone, the newest before."""
    names = ", ".join(f"'{path}'" for path in own)
    fresh = (
        f"select * from read_parquet([{names}], union_by_name=true)" if own else "select * from claim_score where false"
    )
    parts = [f"({fresh})"]
    if bases:
        known = "select version from _fresh"
        parts.append(f"(select * from ({ranking_sql(bases)}) where version not in ({known}))")
    reader.keep("_fresh", reader.pl(f"select version from ({fresh})"))
    return reader.pl(" union all by name ".join(parts))


def _keep_ranking(reader: Reader, ranking: pl.DataFrame) -> None:
    """`_ranking`: the claims, each with what it should have been paid, where that is known."""
    if "expected_paid" not in ranking.columns:  # scores of before
        ranking = ranking.with_columns(expected_paid=pl.lit(None, dtype=pl.Float64))
    reader.keep(
        "_ranking",
        ranking.select(
            "version", "ma_cskcb", "patient_id", "doctor", "province", "flagged", "evidence",
            pl.col("t_bhtt").cast(pl.Float64), pl.col("expected_paid").cast(pl.Float64),
        ),
    )  # fmt: skip


def _keep_parts(reader: Reader, level: str) -> None:
    """`_claim`: entity_id, version and the entity's part of the claim; `_sign`: entity_id, scheme, money of a sign."""
    if level != "doctor":
        key = {"facility": "ma_cskcb", "patient": "patient_id"}[level]
        named = f"select {key} as entity_id, version, 1.0 as part from _ranking where {key} is not null"
        signs = f"select entity_id, version, scheme, amount, money from ({_SIGNS}) join _claim using (version)"
        reader.keep("_claim", reader.pl(named))
        reader.keep("_sign", reader.pl(signs))
        return
    reader.keep("_act", reader.pl(_ACTS))
    reader.keep(
        "_claim",
        reader.pl(
            """
            with own as (select version, doctor, sum(paid) as paid, sum(part) as lines from _act group by all),
            known as (
                select version, doctor, paid / nullif(sum(paid) over of_claim, 0) as by_money,
                       lines / sum(lines) over of_claim as by_lines
                from own window of_claim as (partition by version)
            )
            select ma_cskcb || ':' || k.doctor as entity_id, version, coalesce(by_money, by_lines) as part
            from known k join _ranking r using (version)
            union all
            select ma_cskcb || ':' || doctor, version, 1.0 from _ranking
            where doctor is not null and version not in (select version from own)
            """
        ),
    )
    reader.keep(
        "_sign",
        reader.pl(
            f"""
            with signs as ({_SIGNS}),
            numbered as (select *, row_number() over () as id from signs),
            lines as (
                select id, version, scheme, amount / n as amount, money / n as money, unnest(lines) as line
                from numbered where n > 0
            ),
            of_lines as (
                select l.version, scheme, coalesce(a.doctor, r.doctor) as doctor,
                       amount * coalesce(a.part, 1) as amount, money * coalesce(a.part, 1) as money
                from lines l join _ranking r using (version) left join _act a
                  on a.version = l.version and a.line_table = l.line[1] and a.row_no = try_cast(l.line[2] as integer)
            ),
            whole as (
                select n.version, scheme, r.doctor, amount, money from numbered n join _ranking r using (version)
                where n.n = 0
            )
            select r.ma_cskcb || ':' || x.doctor as entity_id, version, scheme, x.amount, x.money
            from (from of_lines union all from whole) x join _ranking r using (version) where x.doctor is not null
            """
        ),
    )


def sums(reader: Reader, level: str) -> pl.DataFrame:
    """One row an entity of `level`, by id: its part of the claims of `_ranking`, of their money and of their signs.

    Columns: entity_id, province, claims, flags, paid, observed (paid, where something is expected), expected, above
    (the same less, claim by claim, and never below nought), square (of the difference), schemes, recoverable, amount.
    """
    _keep_parts(reader, level)
    return reader.pl(
        """
        with named as (
            select entity_id, scheme, sum(money) as money, sum(amount) as amount from _sign group by all
        ),
        signs as (
            select entity_id, list(scheme order by money desc, scheme) as schemes, sum(money) as money,
                   sum(amount) as amount
            from named group by entity_id
        )
        select entity_id, any_value(province order by province) as province, count(*) as claims,
               count(*) filter (flagged) as flags, coalesce(sum(t_bhtt * part), 0) as paid,
               coalesce(sum(t_bhtt * part) filter (expected_paid is not null), 0) as observed,
               coalesce(sum(expected_paid * part), 0) as expected,
               coalesce(sum(greatest(t_bhtt - expected_paid, 0) * part), 0) as above,
               coalesce(sum(power((t_bhtt - expected_paid) * part, 2)), 0) as square,
               any_value(s.schemes) as schemes, coalesce(any_value(s.money), 0) as recoverable,
               coalesce(any_value(s.amount), 0) as amount
        from _claim join _ranking using (version) left join signs s using (entity_id)
        group by entity_id order by entity_id
        """
    )
