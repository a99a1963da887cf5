"""Fusion: from many signals to one amount at risk, one expected recoverable amount, one score; nothing counted twice.

A claim's money is taken signal by signal, the likeliest first: a line's money goes to the first signal that names it
and a later one adds only what it names beyond. Each share times the likelihood of its signal is what may be recovered,
so the shares explain the claim exactly: they add up. Of equal money the surer claim comes first: a wrong flag costs a
hospital its money and a doctor his name. What peers and the expected cost cannot price (an odd shape
without an amount) and the plain size of the bill only give a claim its place among those without a sign, never an
amount, never a flag. Nor does what the claim inherits from its doctor and facility (`detectors.standing`).

A sign's likelihood is a level times its strength. A rule's strength is how rare its sign is among like claims, that of
a finding or an excess how far it stands out; levels are priors by severity and kind until assessors' outcomes are there
to learn from (`models.feedback`), for each source its own. They are parameters of the bundle.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from detectors.explain import Part, excess_sentence, sentence
from detectors.patterns import patterns
from detectors.standing import COLUMNS as STANDING
from detectors.statistical.expected_cost import COST_GROUPS, GROUPS, TOTALS

if TYPE_CHECKING:
    from detectors.base import Finder, Rule
    from detectors.rarity import Rarity
    from detectors.statistical.expected_cost import CostGroup

CLAIM = ["ma_cskcb", "ma_lk"]
LEVELS = ("deny", "warn", "info", "excess", "finding")
LEVEL = (
    pl.when(pl.col("kind") == "rule")
    .then(pl.col("severity"))
    .when(pl.col("kind") == "detector")
    .then(pl.lit("excess"))
    .otherwise(pl.lit("finding"))
)
"""The one of `LEVELS` that a row of `shares_of` has: a rule's severity, or the kind of detector."""
SOURCE = pl.col("source").str.split("@").list.first()
"""What outcomes teach about: a rule, a finder's pattern, a cost group of the expected cost, whatever its version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """How likely a signal of each kind is to be confirmed; the defaults are the priors, before any outcome is known."""

    deny: float = 0.9
    warn: float = 0.6
    info: float = 0.1
    excess: float = 0.3
    finding: float = 0.8
    base: float = 0.003  # share of the bill that adds to a claim's place: what no signal names grows with the bill
    outlier: float = 0.015  # the same for a wholly strange shape
    certainty: float = 0.3  # power of the likelihood that a place is damped by: of equal money the surer comes first
    learned: Mapping[str, float] = field(default_factory=dict[str, float])  # by source (`SOURCE`), from outcomes

    def of(self, level: str) -> float:
        """How likely a signal of one of `LEVELS` is at full strength."""
        return float(getattr(self, level))

    def likelihood(self) -> pl.Expr:
        """The likelihood of each row of `shares_of`."""
        level = LEVEL.replace_strict({level: self.of(level) for level in LEVELS}, return_dtype=pl.Float64)
        learned = SOURCE.replace_strict(self.learned, default=None, return_dtype=pl.Float64)
        return pl.col("strength") * pl.coalesce(learned, level)


@dataclass(frozen=True)
class Fused:
    """What a run says: `claims` one row an encounter, `signals` one row a signal and line with its own share."""

    claims: pl.DataFrame
    signals: pl.DataFrame


@dataclass(frozen=True, kw_only=True)
class Signals:
    """Everything the rules and detectors say of some encounters, before it is weighed."""

    claims: pl.DataFrame
    """One row an encounter: key, ma_loai_kcb, ma_benh_chinh, t_bhtt, t_tongchi_bh (Float64), and what shall be kept."""
    hits: pl.DataFrame  # rule hits (`HIT_COLUMNS`, source, scheme, severity)
    excess: pl.DataFrame  # of `ExpectedCost.excess`, each beside its peers (`peer_group`, `peer_n`, `peer_median`)
    findings: pl.DataFrame  # of the finders (`FINDING_COLUMNS`) with their source, `name:pattern@version`
    outliers: pl.DataFrame  # key and `strangeness` (0 to 1), the strongest of the detectors that can judge the claim
    aside: pl.DataFrame  # what stood aside (`ASIDE_COLUMNS`), for the claims that something stood aside on
    lines: pl.DataFrame  # key, line_table, row_no, ma_nhom, t_bhtt, code, item (what it is called) of the claims' lines
    standing: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=STANDING))  # of `Standing.of`


def fuse(
    signals: Signals,
    *,
    rules: Sequence[Rule],
    finders: Sequence[Finder],
    rarity: Rarity,
    weights: Weights,
    pivot: float,
) -> Fused:
    """Weigh what the `rules` and `finders` said of the claims.

    Args:
        signals: what was said.
        rules: the rules behind the hits, for their words.
        finders: the finders behind the findings, for theirs.
        rarity: how common each rule's sign is among like claims.
        weights: likelihoods.
        pivot: place (VND) at which the score is one half: the review threshold found in training.
    """
    claims, hits, lines = _with_bill(signals.claims), signals.hits, signals.lines
    shares = _credit(shares_of(signals, rarity).with_columns(likelihood=weights.likelihood()))
    totals = shares.group_by(CLAIM).agg(
        pl.col("credited").sum().alias("amount_at_risk"), pl.col("recoverable").sum().alias("expected_recoverable")
    )
    totals = totals.join(_likelihood(shares), on=CLAIM)
    fused = (
        claims.join(totals, on=CLAIM, how="left")
        .join(signals.outliers.select(*CLAIM, "strangeness"), on=CLAIM, how="left")
        .join(signals.aside.select(*CLAIM, *_ASIDE), on=CLAIM, how="left")
        .join(signals.standing.select(*STANDING), on=CLAIM, how="left")
        .join(hits.select(*CLAIM, hit=pl.lit(1)).unique(), on=CLAIM, how="left")
        .with_columns(
            pl.col("amount_at_risk", "expected_recoverable", "likelihood", "strangeness").fill_null(0.0),
            pl.col("factor").fill_null(1.0),
            status=pl.when(pl.col("unjudged") & pl.col("hit").is_null())
            .then(pl.lit("not_evaluable"))
            .otherwise(pl.lit("scored")),
        )
    )
    unnamed = (weights.base + weights.outlier * pl.col("strangeness")) * pl.col("bill").fill_null(0.0).clip(0.0)
    sure = pl.max_horizontal(pl.col("likelihood"), pl.lit(weights.base))
    fused = fused.with_columns(
        pl.col("amount_at_risk", "expected_recoverable").round(2),
        own=((pl.col("expected_recoverable") + unnamed) * sure**weights.certainty).round(2),
        promise=_promise(),
    ).with_columns(place=(pl.col("own") * pl.col("factor")).round(2))
    score, of_its_own = ((pl.col(name) / (pl.col(name) + pivot)).round(6) for name in ("place", "own"))
    fused = fused.with_columns(score=score, flagged=(of_its_own >= 0.5) & (pl.col("expected_recoverable") > 0))
    sources = _sources(shares)
    main = sources.unique(CLAIM, keep="first", maintain_order=True).select(*CLAIM, "source")
    for more in (_words(sources, shares, rules, finders, lines), patterns(main, shares, lines), _read(shares)):
        fused = fused.join(more, on=CLAIM, how="left")
    fused = fused.with_columns(
        pl.col("signs", "named_lines").fill_null(0),
        pl.col("schemes").fill_null(pl.lit([], dtype=pl.List(pl.String))),
        _with_entries(pl.col("evidence")),
        *(pl.col(c).fill_null(_without_sign(c[-2:])) for c in ("reason_vi", "reason_en", "reasons_vi", "reasons_en")),
    )
    rows = shares.select(
        *CLAIM,
        "line_table",
        "row_no",
        "source",
        "scheme",
        "severity",
        pl.col("amount").round(2),
        pl.col("recoverable").round(2).alias("expected_recoverable"),
        "observed",
        "allowed",
    ).sort(*CLAIM, "source", "line_table", "row_no", nulls_last=True)
    return Fused(
        claims=fused.drop("strangeness", "bill", "hit", "own", "factor", "stood", *_ASIDE).sort(CLAIM), signals=rows
    )


def shares_of(signals: Signals, rarity: Rarity) -> pl.DataFrame:
    """What each signal names, and its strength (0 to 1), before any is weighed: one row a signal and line.

    Beside it stands the `bill` (VND) of the claim.
    """
    claims = _with_bill(signals.claims)
    named = pl.concat([signals.hits.select(_NAMED), signals.findings.select(_NAMED)])
    shares = pl.concat(
        [
            _rule_shares(claims, signals.hits, rarity),
            _finding_shares(claims, signals.findings),
            _excess_candidates(claims, named, signals.excess, signals.lines),
        ]
    )
    return shares.join(claims.select(*CLAIM, "bill"), on=CLAIM)


def _with_bill(claims: pl.DataFrame) -> pl.DataFrame:
    return claims.with_columns(bill=pl.coalesce("t_bhtt", "t_tongchi_bh"))  # the fund never pays more than is covered


_PEERS = ("peer_group", "peer_n", "peer_median")
_NAMED = [*CLAIM, "line_table", "row_no", "amount"]

_NOTHING = {
    "vi": "Chưa thấy dấu hiệu bất thường; thứ hạng chỉ theo số tiền",
    "en": "No sign found; placed by its cost alone",
}
_STANDING = {
    "vi": "Chưa thấy dấu hiệu bất thường; thứ hạng theo số tiền và theo bác sĩ, cơ sở",
    "en": "No sign found; placed by its cost and by its doctor and facility",
}

_ASIDE = ("unjudged", "entries", "missing_vi", "missing_en")


def _with_entries(evidence: pl.Expr) -> pl.Expr:
    """The JSON array of a claim's signals, then the entries of its standing and of what stood aside."""
    signs = evidence.fill_null("[]")
    told = (pl.when(pl.col(name) != "").then(pl.col(name)) for name in ("stood", "entries"))
    entries = pl.concat_str(*told, separator=", ", ignore_nulls=True)
    more = pl.concat_str(
        signs.str.head(-1), pl.when(signs == "[]").then(pl.lit("")).otherwise(pl.lit(", ")), entries, pl.lit("]")
    )
    return pl.when(entries == "").then(signs).otherwise(more)


def _without_sign(lang: str) -> pl.Expr:
    """What is said of a claim without a sign: that nothing was found, or what nothing could be found without."""
    missing = pl.col(f"missing_{lang}").fill_null("")
    nothing = pl.when(pl.col("factor") > 1.0).then(pl.lit(_STANDING[lang])).otherwise(pl.lit(_NOTHING[lang]))
    if lang == "vi":
        partly = pl.format("{}; chưa đánh giá hết vì thiếu {}", nothing, missing)
        vague = pl.format("Không đánh giá được: thiếu {}", missing)
        unlearned = pl.lit("Không đánh giá được: mô hình chưa học từ hồ sơ loại này")
    else:
        verb = pl.when(missing.str.contains(", ", literal=True)).then(pl.lit("are")).otherwise(pl.lit("is"))
        partly = pl.format("{}; not all could be judged: {} {} missing", nothing, missing, verb)
        vague = pl.format("Could not be judged: {} {} missing", missing, verb)
        unlearned = pl.lit("Could not be judged: the model has learned from no claims of this kind")
    scored, complete = pl.col("status") == "scored", missing == ""
    return (
        pl.when(scored & complete)
        .then(nothing)
        .when(scored)
        .then(partly)
        .when(complete)
        .then(unlearned)
        .otherwise(vague)
    )


_SHARE = {
    "ma_cskcb": pl.String,
    "ma_lk": pl.String,
    "line_table": pl.String,
    "row_no": pl.Int32,
    "source": pl.String,
    "kind": pl.String,
    "scheme": pl.String,
    "severity": pl.String,
    "strength": pl.Float64,
    "amount": pl.Float64,
    "observed": pl.Float64,
    "allowed": pl.Float64,
    "high": pl.Float64,
    "habit": pl.Float64,
    "peer_group": pl.String,
    "peer_n": pl.Int64,
    "peer_median": pl.Float64,
}


def _rule_shares(claims: pl.DataFrame, hits: pl.DataFrame, rarity: Rarity) -> pl.DataFrame:
    named = hits.join(claims.select(CLAIM), on=CLAIM, how="semi", maintain_order="left")
    return named.with_columns(
        kind=pl.lit("rule"),
        strength=rarity.of(named, claims),
        high=pl.lit(None, dtype=pl.Float64),
        **{name: pl.lit(None, dtype=_SHARE[name]) for name in ("habit", "peer_group", "peer_n", "peer_median")},
    ).select([pl.col(name).cast(dtype) for name, dtype in _SHARE.items()])


def _finding_shares(claims: pl.DataFrame, findings: pl.DataFrame) -> pl.DataFrame:
    return (
        findings.join(claims.select(CLAIM), on=CLAIM, how="semi")
        .filter(pl.col("amount") > 0)
        .with_columns(
            kind=pl.lit("finding"),
            severity=pl.lit("info"),
            **{name: pl.lit(None, dtype=_SHARE[name]) for name in ("high", "habit", "peer_median")},
        )
        .select([pl.col(name).cast(dtype) for name, dtype in _SHARE.items()])
    )


def _excess_candidates(
    claims: pl.DataFrame, named_lines: pl.DataFrame, excess: pl.DataFrame, lines: pl.DataFrame
) -> pl.DataFrame:
    """Excess of each cost group in the fund's money, less what rules and finders name on the group's lines."""
    by_nhom = {nhom: group.name for group in COST_GROUPS for nhom in group.nhom}
    named = (
        named_lines.filter(pl.col("row_no").is_not_null())
        .group_by(*CLAIM, "line_table", "row_no")
        .agg(pl.col("amount").max())
        .join(lines.select(*CLAIM, "line_table", "row_no", "ma_nhom"), on=[*CLAIM, "line_table", "row_no"])
        .with_columns(group=pl.col("ma_nhom").replace_strict(by_nhom, default=None, return_dtype=pl.String))
        .group_by(*CLAIM, "group")
        .agg(pl.col("amount").sum().alias("named"))
    )
    schemes = {group.name: group.scheme for group in GROUPS}
    fund_share = (pl.col("t_bhtt") / pl.col("t_tongchi_bh")).clip(0.0, 1.0).fill_null(1.0)  # unknown: at most all of it
    return (
        excess.join(claims.select(*CLAIM, "t_bhtt", "t_tongchi_bh"), on=CLAIM)
        .filter(pl.col("t_tongchi_bh").is_null() | (pl.col("t_tongchi_bh") > 0))
        .join(named, on=[*CLAIM, "group"], how="left")
        .with_columns(
            amount=(pl.col("excess") * fund_share - pl.col("named").fill_null(0.0)).clip(0.0),
            line_table=pl.lit(None, dtype=pl.String),
            row_no=pl.lit(None, dtype=pl.Int32),
            source=pl.lit("expected_cost:") + pl.col("group"),
            kind=pl.lit("detector"),
            scheme=pl.col("group").replace_strict(schemes, return_dtype=pl.String),
            severity=pl.lit("info"),
            allowed=pl.col("expected"),
        )
        .filter(pl.col("amount") > 0)
        .select([pl.col(name).cast(dtype) for name, dtype in _SHARE.items()])
    )


def _credit(shares: pl.DataFrame) -> pl.DataFrame:
    """Give every share the money it names beyond the likelier ones before it, up to the claim's bill in all."""
    order = [pl.col("likelihood"), pl.col("amount"), pl.col("source"), pl.col("line_table"), pl.col("row_no")]
    line = [*CLAIM, "line_table", "row_no"]
    by_line = pl.col("row_no").is_not_null()
    whole = pl.col("kind").is_in(["rule", "finding"]) | pl.col("source").is_in(
        [f"expected_cost:{group.name}" for group in TOTALS]
    )
    return (
        shares.sort(*CLAIM, *order, descending=[False, False, True, True, False, False, False], nulls_last=True)
        .with_columns(before=pl.col("amount").cum_max().shift(1).over(line).fill_null(0.0))
        .with_columns(
            # lines add up; whole-claim signs overlap each other and the lines; excesses add, each in its own cost group
            line_sum=pl.when(by_line)
            .then((pl.col("amount") - pl.col("before")).clip(0.0))
            .otherwise(0.0)
            .cum_sum()
            .over(CLAIM),
            claim_max=pl.when(~by_line & whole).then(pl.col("amount")).otherwise(0.0).cum_max().over(CLAIM),
            excess_sum=pl.when(~by_line & ~whole).then(pl.col("amount")).otherwise(0.0).cum_sum().over(CLAIM),
        )
        .with_columns(
            covered=pl.min_horizontal(
                pl.max_horizontal("line_sum", "claim_max") + pl.col("excess_sum"), pl.col("bill").fill_null(0.0)
            )
        )
        .with_columns(credited=(pl.col("covered") - pl.col("covered").shift(1).over(CLAIM).fill_null(0.0)).clip(0.0))
        .with_columns(recoverable=pl.col("credited") * pl.col("likelihood"))
    )


def _likelihood(shares: pl.DataFrame) -> pl.DataFrame:
    """How likely at least one of a claim's signs is confirmed, were they independent: each source speaks once."""
    by_source = shares.group_by(*CLAIM, "source").agg(pl.col("likelihood").max()).sort(*CLAIM, "source")
    none = (1.0 - pl.col("likelihood")).product()
    return by_source.group_by(CLAIM, maintain_order=True).agg((1.0 - none).round(6).alias("likelihood"))


def _promise() -> pl.Expr:
    """The likelihood with its odds times the step that the claim inherits: the step is a ratio of odds, by its making.

    Of one claim it is not told, for nobody's claim is surer because of who wrote it; what a run's flags promise
    together would be too little without it.
    """
    sign, factor = pl.col("likelihood"), pl.col("factor")
    return (sign * factor / (sign * factor + 1.0 - sign)).round(6)


def _read(shares: pl.DataFrame) -> pl.DataFrame:
    """What there is to read on a claim: how many sources speak (`signs`) and of how many lines (`named_lines`)."""
    line = pl.when(pl.col("row_no").is_not_null()).then(pl.struct("line_table", "row_no"))
    return shares.group_by(CLAIM).agg(
        pl.col("source").n_unique().cast(pl.Int32).alias("signs"),
        line.drop_nulls().n_unique().cast(pl.Int32).alias("named_lines"),
    )


def _sources(shares: pl.DataFrame) -> pl.DataFrame:
    """One row a claim and source, what it says in all; the one that carries most of the claim's money first."""
    return (
        shares.group_by(*CLAIM, "source", maintain_order=True)
        .agg(
            pl.col("kind", "scheme", "severity", "likelihood").first(),
            pl.col("amount", "recoverable").sum(),
            pl.col("observed").max(),
            pl.col("allowed").max(),
            pl.col("high", "habit", "peer_group", "peer_n", "peer_median").max(),
            pl.struct("line_table", "row_no").alias("lines"),
        )
        .sort(*CLAIM, "recoverable", "amount", "source", descending=[False, False, True, True, False])
    )


def _words(
    sources: pl.DataFrame,
    shares: pl.DataFrame,
    rules: Sequence[Rule],
    finders: Sequence[Finder],
    lines: pl.DataFrame,
) -> pl.DataFrame:
    """Schemes, reasons and evidence of the claims that have any signal: a few in a hundred, so plain Python."""
    by_ref = {rule.ref: rule for rule in rules}
    groups = {group.name: group for group in GROUPS}
    reasons = {
        f"{finder.name}:{pattern}@{finder.version}": (text, finder.reason_en[pattern], finder.needs)
        for finder in finders
        for pattern, text in finder.reason_vi.items()
    }
    marked = _lines_of_excess(sources, lines)
    items = _items(shares, lines)

    def at(row: Mapping[str, Any]) -> tuple[str, str, str]:
        return row["ma_cskcb"], row["ma_lk"], row["source"]

    spoken: Mapping[str, Callable[[Mapping[str, Any]], Part]] = {
        "rule": lambda row: _rule_part(row, by_ref[row["source"]]),
        "finding": lambda row: _finding(row, reasons[row["source"]], items.get(at(row))),
        "detector": lambda row: _excess_part(
            row, groups[row["source"].removeprefix("expected_cost:")], marked.get(at(row), [])
        ),
    }
    rows: list[dict[str, Any]] = []
    for (ma_cskcb, ma_lk), own in sources.group_by(CLAIM, maintain_order=True):
        parts = [spoken[row["kind"]](row) for row in own.iter_rows(named=True)]
        evidence = [part.as_evidence() for part in parts]
        strongest = parts[:3]
        rows.append(
            {
                "ma_cskcb": ma_cskcb,
                "ma_lk": ma_lk,
                "schemes": list(dict.fromkeys(part.scheme for part in parts)),
                "reason_vi": parts[0].text_vi,
                "reason_en": parts[0].text_en,
                "reasons_vi": "; ".join(part.text_vi for part in strongest),
                "reasons_en": "; ".join(part.text_en for part in strongest),
                "evidence": json.dumps(evidence, ensure_ascii=False),
            }
        )
    return pl.DataFrame(
        rows,
        schema={
            "ma_cskcb": pl.String,
            "ma_lk": pl.String,
            "schemes": pl.List(pl.String),
            "reason_vi": pl.String,
            "reason_en": pl.String,
            "reasons_vi": pl.String,
            "reasons_en": pl.String,
            "evidence": pl.String,
        },
    )


def _lines_of_excess(
    sources: pl.DataFrame, lines: pl.DataFrame
) -> Mapping[tuple[str, str, str], list[tuple[str, int]]]:
    """The dearest lines (at most five) of each cost group in excess: where an assessor looks first."""
    wanted = sources.filter(pl.col("kind") == "detector").select(*CLAIM, "source")
    by_nhom = {nhom: f"expected_cost:{group.name}" for group in COST_GROUPS for nhom in group.nhom}
    dearest = (
        lines.join(wanted.select(CLAIM).unique(), on=CLAIM, how="semi")
        .with_columns(source=pl.col("ma_nhom").replace_strict(by_nhom, default=None, return_dtype=pl.String))
        .join(wanted, on=[*CLAIM, "source"], how="semi")
        .sort(*CLAIM, "source", "t_bhtt", "row_no", descending=[False, False, False, True, False])
        .group_by(*CLAIM, "source", maintain_order=True)
        .agg(pl.col("line_table").head(5), pl.col("row_no").head(5))
    )
    return {
        (ma_cskcb, ma_lk, source): list(zip(tables, row_nos, strict=True))
        for ma_cskcb, ma_lk, source, tables, row_nos in dearest.iter_rows()
    }


def _items(shares: pl.DataFrame, lines: pl.DataFrame) -> Mapping[tuple[str, str, str], str]:
    """What the dearest line of each finding is called."""
    line = [*CLAIM, "line_table", "row_no"]
    found = (
        shares.filter(kind="finding")
        .join(lines.select(*line, "item"), on=line)
        .sort(*CLAIM, "source", "amount", "row_no", descending=[False, False, False, True, False])
        .unique([*CLAIM, "source"], keep="first", maintain_order=True)
    )
    return {(row["ma_cskcb"], row["ma_lk"], row["source"]): row["item"] for row in found.iter_rows(named=True)}


def _finding(row: Mapping[str, Any], told: tuple[str, str, Sequence[str]], item: str | None) -> Part:
    """A finder's share in words."""
    reason_vi, reason_en, fields = told
    own = _own_lines(row)
    figures: dict[str, Any] = {name: row[name] for name in ("observed", "allowed", "amount")}
    figures |= {"n": row["peer_n"] or max(len(own), 1), "item": item}
    words = (sentence(reason_vi, "vi", **figures), sentence(reason_en, "en", **figures))
    return _told(row, words, kind="detector", source=row["source"], peers=row["peer_group"], fields=fields, lines=own)


def _rule_part(row: Mapping[str, Any], rule: Rule) -> Part:
    """A rule's share in words, with its law."""
    own = _own_lines(row)
    figures: dict[str, Any] = {name: row[name] for name in ("observed", "allowed", "amount")}
    figures["n"] = max(len(own), 1)
    words = (sentence(rule.reason_vi, "vi", **figures), sentence(rule.reason_en, "en", **figures))
    return _told(row, words, kind="rule", source=rule.ref, law=rule.legal_basis, fields=rule.needs, lines=own)


def _excess_part(row: Mapping[str, Any], group: CostGroup, marked: Sequence[tuple[str, int]]) -> Part:
    """An excess's share in words, with the dearest lines of its cost group."""
    figures: dict[str, Any] = {name: row[name] for name in ("observed", "high", "habit", *_PEERS)}
    figures["expected"] = row["allowed"]
    words = (excess_sentence(group.label_vi, "vi", **figures), excess_sentence(group.label_en, "en", **figures))
    source, peers = row["source"] + "@1", row["peer_group"]
    return _told(row, words, kind="detector", source=source, peers=peers, fields=(group.column,), lines=list(marked))


def _own_lines(row: Mapping[str, Any]) -> list[tuple[str, int]]:
    return [(cell["line_table"], cell["row_no"]) for cell in row["lines"] if cell["row_no"] is not None]


def _told(
    row: Mapping[str, Any],
    words: tuple[str, str],
    *,
    kind: Literal["rule", "detector"],
    source: str,
    fields: Sequence[str],
    lines: Sequence[tuple[str, int]],
    law: str | None = None,
    peers: str | None = None,
) -> Part:
    return Part(
        source=source,
        kind=kind,
        scheme=row["scheme"],
        severity=row["severity"],
        strength=row["likelihood"],
        amount=row["amount"],
        expected_recoverable=row["recoverable"],
        observed=row["observed"],
        expected=row["allowed"],
        peer_group=peers,
        fields=fields,
        legal_basis=law,
        lines=lines,
        text_vi=words[0],
        text_en=words[1],
    )
