"""Doctors, facilities and patients of a run: what their claims come to, against what like claims cost and carry.

An entity's place is money: what the signs on its claims may give back, and a part of what its claims cost above
expectation, claim by claim, because one who is a little dear on every claim has no claim that stands out. What repeats
on its claims more often than on like ones raises it. A doctor has of each claim the part that his lines are of its
money.

The score depends on the bundle and on the entity's own claims; its parts add up to its log-odds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Self

import polars as pl

from data.lake import table_columns
from data.schema import reference
from detectors.entity.observed_expected import USUAL_TAIL, ObservedExpected
from detectors.entity.pairs import PairReference
from detectors.entity.practice import PracticeReference
from detectors.entity.repeats import Repeats
from detectors.standing import LEVELS as STANDING_LEVELS
from detectors.standing import Standing
from models.changes import LEVELS as CHANGING
from models.changes import TOLD, keep_months, told
from models.pairs import PAIRINGS, pair_findings, pairs_of
from models.practices import PRACTICES, counted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from data.lake import Reader
    from detectors.entity.practice import Practice
    from detectors.fusion import Weights
    from models.bundle import Bundle

LEVELS = ("doctor", "facility", "patient")

SHARE = 0.05  # part of the doctors, facilities, patients of the training whose score is at least one half
ABOVE = 0.03  # what a VND above expectation adds to a place where rules have read the claim's lines: mostly chance
ABOVE_BARE = 1.0  # and where there are no lines: nothing else can speak of such a claim
NOTABLE = 0.5  # log-odds: what adds less is evidence without a sentence among the reasons
SENTENCES = 3

FINDING: Mapping[str, pl.DataType] = {
    "entity_id": pl.String(),
    "measure": pl.String(),
    "scheme": pl.String(),
    "value": pl.Float64(),
    "expected": pl.Float64(),
    "tail": pl.Float64(),
    "peers": pl.Int64(),
    "contribution": pl.Float64(),  # log-odds, rounded to 6 decimals; nought: told, not weighed
    "text_vi": pl.String(),
    "text_en": pl.String(),
}
"""What a measure found of an entity beyond its money: one row each."""


@dataclass(frozen=True, kw_only=True)
class EntityReferences:
    """What is usual of doctors, facilities and patients; frozen at training, JSON in the bundle."""

    costs: Mapping[str, ObservedExpected] = field(default_factory=dict[str, ObservedExpected])  # by level
    repeats: Mapping[str, Repeats] = field(default_factory=dict[str, Repeats])  # by level
    practices: Mapping[str, Mapping[str, PracticeReference]] = field(
        default_factory=dict[str, "Mapping[str, PracticeReference]"]
    )  # by level and name
    pairs: Mapping[str, Mapping[str, PairReference]] = field(
        default_factory=dict[str, "Mapping[str, PairReference]"]
    )  # by level and name
    pivots: Mapping[str, float] = field(default_factory=dict[str, float])  # VND of place with a score of one half

    def as_json(self) -> dict[str, Any]:
        """For the manifest of the bundle."""
        return {
            "costs": {level: cost.as_json() for level, cost in self.costs.items()},
            "repeats": {level: known.as_json() for level, known in self.repeats.items()},
            "practices": {
                level: {name: known.as_json() for name, known in by_name.items()}
                for level, by_name in self.practices.items()
            },
            "pairs": {
                level: {name: known.as_json() for name, known in by_name.items()}
                for level, by_name in self.pairs.items()
            },
            "pivots": dict(self.pivots),
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """Read back what `as_json` gave."""
        return cls(
            costs={level: ObservedExpected.from_json(cost) for level, cost in kept["costs"].items()},
            repeats={level: Repeats.from_json(known) for level, known in kept["repeats"].items()},
            practices={
                level: {name: PracticeReference.from_json(known) for name, known in by_name.items()}
                for level, by_name in kept["practices"].items()
            },
            pairs={
                level: {name: PairReference.from_json(known) for name, known in by_name.items()}
                for level, by_name in kept.get("pairs", {}).items()  # bundles of before have none
            },
            pivots=kept["pivots"],
        )


def learn(
    reader: Reader, ranking: pl.DataFrame, weights: Weights, *, progress: Callable[[int, int], None] | None = None
) -> tuple[EntityReferences, Standing]:
    """The references of the claims just scored in training, and what claims shall inherit from who sent those.

    `ranking` has the columns of `claim_score`. `progress` is told how many levels are done, of how many.
    """
    _keep_ranking(reader, ranking)
    claims = reader.pl("select care, count(*) as claims from _ranking group by all")
    carried = reader.pl("select scheme, care, count(*) as claims from _kind join _ranking using (version) group by all")
    costs: dict[str, ObservedExpected] = {}
    repeats: dict[str, Repeats] = {}
    practices: dict[str, dict[str, PracticeReference]] = {}
    pairs: dict[str, dict[str, PairReference]] = {}
    pivots: dict[str, float] = {}
    stood: dict[str, pl.DataFrame] = {}
    for done, level in enumerate(LEVELS, 1):
        found = sums(reader, level)
        costs[level] = ObservedExpected.fit(found)
        repeats[level] = Repeats.fit(claims, carried, *_carried(reader))
        practices[level] = {
            practice.name: PracticeReference.fit(counted(reader, practice))
            for practice in PRACTICES
            if level in practice.levels
        }
        pairs[level] = {
            pairing.name: PairReference.fit(*pairs_of(reader, pairing, level))
            for pairing in PAIRINGS
            if level in pairing.levels
        }
        if found.height:
            findings = _findings(reader, level, repeats[level], practices[level], pairs[level])
            rows = _with_odds(found, findings, weights, 1.0)
            stood[level] = rows.select("entity_id", weight="extra").join(
                _heaviest(findings), on="entity_id", how="left"
            )
            odds = rows["log_odds"].sort(descending=True)
            pivots[level] = max(round(math.exp(min(odds[max(int(rows.height * SHARE) - 1, 0)], 50.0)), 2), 1.0)
        if progress:
            progress(done, len(LEVELS))
    known = EntityReferences(costs=costs, repeats=repeats, practices=practices, pairs=pairs, pivots=pivots)
    return known, Standing.fit({level: rows for level, rows in stood.items() if level in STANDING_LEVELS})


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
    span = keep_months(reader)
    frames: list[pl.DataFrame] = []
    for level in LEVELS:
        pivot = known.pivots.get(level, bundle.entity_pivots.get(level, bundle.pivot))
        found = sums(reader, level)
        rows = scored(
            found,
            _findings(
                reader, level, known.repeats.get(level), known.practices.get(level, {}), known.pairs.get(level, {})
            ),
            level=level,
            costs=known.costs.get(level, ObservedExpected()),
            weights=bundle.weights,
            pivot=pivot,
            changed=told(reader, level, span, known.costs.get(level, ObservedExpected()))
            if span and level in CHANGING
            else pl.DataFrame(schema=TOLD),
        )
        frames.append(
            rows.with_columns(run_id=pl.lit(run_id), level=pl.lit(level), status=pl.lit("scored"))
            .select(pl.col(name).cast(dtype) for name, dtype in table_columns("entity_score").items())
            .sort("entity_id")
        )
    return pl.concat(frames)


# the score

_STEPS = ("size", "signs", "above_expected")


def _with_odds(found: pl.DataFrame, findings: pl.DataFrame, weights: Weights, pivot: float) -> pl.DataFrame:
    """`found` with the log-odds of each entity and the parts they are the sum of.

    Size alone gives a place in VND, as it does to a claim; what the signs may give back and the money above
    expectation make it larger, each by the logarithm of the step; what the findings weigh is added.
    """
    size = (weights.base * pl.col("paid").clip(0.0)).clip(1.0)  # at least one VND, so that nothing at all has a place
    extra = findings.group_by("entity_id").agg(extra=pl.col("contribution").sort().sum())
    rows = (
        found.join(extra, on="entity_id", how="left", maintain_order="left")
        .with_columns(pl.col("extra").fill_null(0.0), at_size=size)
        .with_columns(at_signs=pl.col("at_size") + pl.col("recoverable").clip(0.0))
        .with_columns(place=pl.col("at_signs") + pl.col("above").clip(0.0))
        .with_columns(
            (pl.col("at_size").log() - math.log(pivot)).round(6).alias("part_size"),
            (pl.col("at_signs").log() - pl.col("at_size").log()).round(6).alias("part_signs"),
            (pl.col("place").log() - pl.col("at_signs").log()).round(6).alias("part_above_expected"),
        )
    )
    return rows.with_columns(log_odds=pl.sum_horizontal(*(f"part_{step}" for step in _STEPS), "extra").round(6))


def scored(
    found: pl.DataFrame,
    findings: pl.DataFrame,
    *,
    level: str,
    costs: ObservedExpected,
    weights: Weights,
    pivot: float,
    changed: pl.DataFrame,
) -> pl.DataFrame:
    """`found`, rows of `sums`, with score, flag, reasons and evidence; a row's answer depends on that row alone.

    `findings` has the columns of `FINDING`; `changed` those of `models.changes.TOLD`, which is told and weighs nothing.
    """
    rows = pl.concat([_with_odds(found, findings, weights, pivot), costs.judge(found)], how="horizontal")
    rows = rows.join(changed, on="entity_id", how="left", maintain_order="left")
    rows = rows.join(_gathered(findings), on="entity_id", how="left", maintain_order="left").with_columns(
        pl.col("recoverable").round(2).alias("expected_recoverable"),
        pl.col("amount").round(2).alias("amount_at_risk"),
        pl.col("paid").round(2).alias("t_bhtt"),
        pl.col("schemes").fill_null(pl.lit([], dtype=pl.List(pl.String))),
        pl.col("findings").fill_null(pl.lit([], dtype=_FOUND)),
        score=(1.0 / (1.0 + (-pl.col("log_odds").clip(-50.0, 50.0)).exp())).round(12),
    )
    # size alone is no reason to look
    reason = (pl.col("recoverable") > 0) | (pl.col("above") > 0) | (pl.col("extra") > 0)
    return rows.with_columns(
        flagged=(pl.col("log_odds") >= 0) & reason,
        evidence=_evidence(costs.entities),
        reasons_vi=_reasons("vi", costs.entities, level),
        reasons_en=_reasons("en", costs.entities, level),
    )


_MEASURE: Mapping[str, pl.DataType] = {
    name: FINDING[name]
    for name in ("measure", "scheme", "value", "expected", "tail", "peers", "contribution", "text_vi", "text_en")
}
_FOUND = pl.List(pl.Struct(_MEASURE))


def _heaviest(findings: pl.DataFrame) -> pl.DataFrame:
    """By entity: the scheme of the finding that weighs most."""
    ordered = findings.sort("entity_id", "contribution", "scheme", descending=[False, True, False])
    return ordered.group_by("entity_id", maintain_order=True).agg(pl.col("scheme").first())


def _gathered(findings: pl.DataFrame) -> pl.DataFrame:
    """By entity: its findings, and the sentences of the weightiest; heaviest first."""
    ordered = findings.sort(
        "entity_id", "contribution", "measure", "scheme", descending=[False, True, False, False], nulls_last=True
    )
    notable = (pl.col("contribution") >= NOTABLE) | (pl.col("contribution") == 0)
    return ordered.group_by("entity_id", maintain_order=True).agg(
        pl.struct(*_MEASURE).alias("findings"),
        *(pl.col(f"text_{lang}").filter(notable).head(SENTENCES).str.join("; ").alias(lang) for lang in ("vi", "en")),
    )


def _evidence(peers: int) -> pl.Expr:
    """One JSON object: what the claims come to, and each measure with its value, what is usual, and its part."""
    measures = [
        _measure("size", value="t_bhtt", expected=None, peers=None),
        _measure("signs", value="expected_recoverable", expected=None, peers=None),
        _measure("above_expected", value="above", expected=None, peers=peers),
    ]
    return pl.struct(
        "claims", "flags", "t_bhtt", "amount_at_risk", "expected_recoverable",
        pl.col("observed", "expected", "excess").round(2), "ratio", "high", "tail", "log_odds",
        "growth", "changes", "months", measures=pl.concat_list(pl.concat_list(measures), "findings"),
    ).struct.json_encode()  # fmt: skip


def _measure(name: str, *, value: str, expected: str | None, peers: int | None) -> pl.Expr:
    cells = {
        "measure": pl.lit(name),
        "scheme": pl.lit(None),
        "value": pl.col(value).round(2),
        "expected": pl.col(expected).round(2) if expected else pl.lit(None),
        "tail": pl.lit(None),
        "peers": pl.lit(peers),
        "contribution": pl.col(f"part_{name}"),
        "text_vi": pl.lit(None),
        "text_en": pl.lit(None),
    }
    return pl.struct(cells[column].cast(dtype).alias(column) for column, dtype in _MEASURE.items())


_WHO = {
    "doctor": ("bác sĩ", "doctors"),
    "facility": ("cơ sở", "facilities"),
    "patient": ("người bệnh", "patients"),
}


def _reasons(lang: str, peers: int, level: str) -> pl.Expr:
    """What the signs come to; where the costs lie outside the limits, by how much; the weightiest findings."""
    money, paid, excess = (_whole(name, lang) for name in ("expected_recoverable", "t_bhtt", "excess"))
    # what was observed over what the excess is above: the ratio that places the entity is drawn towards 1
    times = pl.col("observed") / (pl.col("observed") - pl.col("excess"))
    ratio, who = _decimal(times.round(2), lang), _WHO[level][lang != "vi"]
    if lang == "vi":
        signs = "{} trên {} hồ sơ có dấu hiệu cần xem xét; có thể thu hồi khoảng {} ₫ trên {} ₫ đề nghị thanh toán"
        dear = "chi phí gấp {} lần mức kỳ vọng của hồ sơ tương tự ở {} {}, cao hơn {} ₫"
    else:
        signs = "{} of {} claims carry a sign to look at; about {} VND of {} VND asked may be recoverable"
        dear = "costs are {} times what like claims of {} {} come to, {} VND above"
    outside = (pl.col("tail") < USUAL_TAIL) & (pl.col("excess") > 0)
    return pl.concat_str(
        pl.format(signs, "flags", "claims", money, paid),
        pl.when(outside).then(pl.format(dear, ratio, pl.lit(peers), pl.lit(who), excess)),
        pl.when(pl.col(lang) != "").then(pl.col(lang)),
        separator="; ",
        ignore_nulls=True,
    )


def _whole(name: str, lang: str) -> pl.Expr:
    """A number of VND written out with its thousands apart."""
    mark = "." if lang == "vi" else ","
    digits = pl.col(name).round(0).cast(pl.Int64).cast(pl.String)
    apart = digits.str.reverse().str.replace_all(r"(\d{3})", f"${{1}}{mark}").str.strip_suffix(mark).str.reverse()
    return apart.str.replace(rf"^-\{mark}", "-")


def _decimal(number: pl.Expr, lang: str) -> pl.Expr:
    text = number.cast(pl.String).str.strip_suffix(".0")
    return text.str.replace(".", ",", literal=True) if lang == "vi" else text


# what an entity's claims come to


def ranking_sql(run_ids: Sequence[str]) -> str:
    """SELECT giving the rows of `claim_score` that make a run's ranking; `run_ids` is its chain, newest first."""
    listed = ", ".join(f"('{run_id}', {age})" for age, run_id in enumerate(run_ids))
    return (
        f"select s.* from claim_score s join (values {listed}) as r(run_id, age) using (run_id) "
        "anti join superseded using (version) "
        "qualify row_number() over (partition by s.version order by r.age) = 1"
    )


def parts_sql(level: str, claims: str, months: Sequence[int] | None = None) -> str:
    """SELECT giving entity_id, version and which part of the claim is the entity's, for the claims of a view.

    A doctor has of a claim the part that the lines he signed are of its money, of free lines their number; a line that
    several signed is theirs in equal parts. Where no line says who acted the main doctor has it all. `months` are those
    of the claims, where they are known: lines of other months are then not read.
    """
    if level != "doctor":
        key = {"facility": "ma_cskcb", "patient": "patient_id"}[level]
        return f"select {key} as entity_id, version, 1.0::double as part from {claims} where {key} is not null"
    within = f"version in (select version from {claims})"
    if months is not None:
        within += f" and month in ({', '.join(str(int(month)) for month in months) or 'null'})"
    lines = " union all ".join(
        f"select version, '{table}' as line_table, row_no, ma_bac_si, t_bhtt from {table}_history where {within}"
        for table in ("drug_line", "service_line")
    )
    return f"""
        with signed as (
            select distinct version, line_table, row_no, paid, trim(doctor) as doctor
            from (select version, line_table, row_no, greatest(coalesce(cast(t_bhtt as double), 0), 0) as paid,
                         unnest(string_split(ma_bac_si, ';')) as doctor
                  from ({lines}) where ma_bac_si is not null)
            where trim(doctor) <> ''
        ),
        act as materialized (
            select version, doctor, fsum(paid / signers) as paid, fsum(1.0 / signers) as lines
            from (
                select version, doctor, paid, count(*) over (partition by version, line_table, row_no) as signers
                from signed
            ) group by all
        ),
        known as (
            select version, doctor, paid / nullif(fsum(paid) over of_claim, 0) as by_money,
                   lines / fsum(lines) over of_claim as by_lines
            from act window of_claim as (partition by version)
        )
        select ma_cskcb || ':' || k.doctor as entity_id, version, coalesce(by_money, by_lines) as part
        from known k join {claims} r using (version)
        union all
        select ma_cskcb || ':' || doctor, version, 1.0::double from {claims}
        where doctor is not null and version not in (select version from act)
    """


_SIGNS = """
    select version, sign.scheme as scheme, max(sign.strength) as likelihood, fsum(sign.expected_recoverable) as money
    from (select version, unnest(from_json(evidence, '[{"kind": "VARCHAR", "scheme": "VARCHAR", "strength": "DOUBLE",
          "expected_recoverable": "DOUBLE"}]')) as sign from _ranking)
    where sign.kind in ('rule', 'detector') and sign.scheme is not null group by all
"""
"""What kinds of signs each claim carries, each once."""


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
    """`_ranking`: the claims, each with what it should have been paid, where that is known; `_kind`: their signs."""
    if "expected_paid" not in ranking.columns:  # scores of before
        ranking = ranking.with_columns(expected_paid=pl.lit(None, dtype=pl.Float64))
    ranking = ranking.select(
        "version", "ma_cskcb", "patient_id", "doctor", "province", "flagged", "evidence",
        pl.coalesce("ngay_ra", "ngay_vao").alias("day"),
        pl.col("t_bhtt", "expected_paid", "amount_at_risk", "expected_recoverable").cast(pl.Float64).fill_nan(None),
        care=pl.col("ma_loai_kcb").fill_null(""),
    )  # fmt: skip
    reader.keep("_ranking", ranking)
    reader.keep("_kind", reader.pl(_SIGNS))
    lines = "select version from drug_line_history union all select version from service_line_history"
    lined = reader.pl(
        f"select distinct version, true as lined from ({lines}) where version in (select version from _ranking)"
    )
    reader.keep(
        "_ranking",
        ranking.drop("evidence")
        .join(lined, on="version", how="left")
        .with_columns(pl.col("lined").fill_null(value=False)),
    )


def _sum(what: str, where: str = "true") -> str:
    """SQL of a sum, 0 of nothing. Rounded below the cent: its last bits depend on the order of the rows."""
    return f"round(coalesce(fsum({what}) filter ({where}), 0), 6)"


def sums(reader: Reader, level: str) -> pl.DataFrame:
    """One row an entity of `level`, by id: its part of the claims of `_ranking`, of their money and of their signs.

    Columns: entity_id, province, claims, flags, paid, observed (paid, where something is expected), expected, above
    (VND above expectation that counts towards the place), square (of observed less expected, claim by claim), schemes,
    recoverable, amount.
    """
    reader.keep("_claim", reader.pl(parts_sql(level, "_ranking")))
    counts = f"case when lined then {ABOVE} else {ABOVE_BARE} end"
    return reader.pl(
        f"""
        with schemes as (
            select entity_id, list(scheme order by money desc, scheme) as schemes from (
                select entity_id, scheme, fsum(money * part) as money
                from _claim join _kind using (version) group by all
            ) group by entity_id
        )
        select entity_id, any_value(province order by province) as province, count(*) as claims,
               count(*) filter (flagged) as flags, {_sum("t_bhtt * part")} as paid,
               {_sum("t_bhtt * part", "expected_paid is not null")} as observed,
               {_sum("expected_paid * part")} as expected,
               {_sum(f"greatest(t_bhtt - expected_paid, 0) * part * {counts}")} as above,
               {_sum("power((t_bhtt - expected_paid) * part, 2)")} as square,
               any_value(s.schemes) as schemes, {_sum("expected_recoverable * part")} as recoverable,
               {_sum("amount_at_risk * part")} as amount
        from _claim join _ranking using (version) left join schemes s using (entity_id)
        group by entity_id order by entity_id
        """
    )


def _findings(
    reader: Reader,
    level: str,
    repeats: Repeats | None,
    practices: Mapping[str, PracticeReference],
    pairs: Mapping[str, PairReference],
) -> pl.DataFrame:
    """What was found of the entities of `_claim` beyond their money: rows of `FINDING`."""
    found = [pl.DataFrame(schema=FINDING)]
    if repeats is not None:
        found.append(_repeats(reader, repeats))
    found += [
        _practised(practice, practices[practice.name], counted(reader, practice))
        for practice in PRACTICES
        if practice.name in practices
    ]
    found += [
        pair_findings(pairing, pairs[pairing.name], *pairs_of(reader, pairing, level))
        for pairing in PAIRINGS
        if pairing.name in pairs
    ]
    return pl.concat(frame.select(pl.col(name).cast(dtype) for name, dtype in FINDING.items()) for frame in found)


def _practised(practice: Practice, known: PracticeReference, counts: pl.DataFrame) -> pl.DataFrame:
    """Findings of one practice."""
    rows = known.judge(counts).filter(pl.col("strength") > 0)
    share, usual = (100.0 * pl.col("share")).round(1), (100.0 * pl.col("usual")).round(1)
    return rows.select(
        "entity_id",
        "tail",
        measure=pl.lit(practice.name),
        scheme=pl.lit(practice.scheme),
        value="share",
        expected="usual",
        peers=pl.lit(known.peers),
        contribution=(practice.weight * pl.col("strength")).round(6),
        text_vi=pl.format(practice.text_vi, _decimal(share, "vi"), _decimal(usual, "vi"), pl.lit(known.peers)),
        text_en=pl.format(practice.text_en, _decimal(share, "en"), _decimal(usual, "en"), pl.lit(known.peers)),
    )


def _carried(reader: Reader) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The claims of each entity of `_claim` by care type, and those with each kind of sign: as `Repeats` reads them."""
    parts = reader.pl(
        "select entity_id, care, fsum(part) as part from _claim join _ranking using (version) group by all"
    )
    signs = reader.pl(
        "select entity_id, scheme, fsum(part) as seen, round(favg(likelihood), 9) as likelihood "
        "from _claim join _kind using (version) group by all"
    )
    return parts.sort("entity_id", "care"), signs.sort("entity_id", "scheme")


def _repeats(reader: Reader, known: Repeats) -> pl.DataFrame:
    """Findings of kinds of signs that repeat, of the entities of `_claim`."""
    rows = known.judge(*_carried(reader)).filter(pl.col("weight") > 0)
    seen, usual = (pl.col(name).round(1) for name in ("seen", "usual"))
    return rows.select(
        "entity_id",
        measure=pl.lit("repeated_signs"),
        scheme="scheme",
        value=seen,
        expected=pl.col("usual").round(3),
        tail="tail",
        peers=pl.lit(None, dtype=pl.Int64),
        contribution="weight",
        text_vi=pl.format(
            "dấu hiệu “{}” ở {} hồ sơ, hồ sơ tương tự nơi khác là {}",
            _scheme_name("vi"), _decimal(seen, "vi"), _decimal(usual, "vi"),
        ),
        text_en=pl.format(
            "the sign “{}” on {} claims, on like claims elsewhere {}",
            _scheme_name("en"), _decimal(seen, "en"), _decimal(usual, "en"),
        ),
    )  # fmt: skip


@cache
def _scheme_names(lang: str) -> Mapping[str, str]:
    return {row["scheme"]: row[f"name_{lang}"] for row in reference("schemes")}


def _scheme_name(lang: str) -> pl.Expr:
    names = _scheme_names(lang)
    return pl.col("scheme").replace_strict(names, default=pl.col("scheme"), return_dtype=pl.String)
