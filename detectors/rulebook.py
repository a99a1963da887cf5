"""Every rule over one snapshot of claims: the signs, the three counts of each rule, and what could not be told.

A rule answers each encounter in one of three ways. Hit: at least one line, or the encounter, is named. Not evaluable:
not hit, and a field the rule needs is blank on the encounter or on one of its lines, or it is a line's and the
encounter costs something of which no line came. Clear: the rest. The three add up to the encounters read. A rule whose
catalogues are not loaded stands aside: every encounter is not evaluable for it, and the reason is said once.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import narwhals as nw
import polars as pl

from data.schema import ENCOUNTER_KEY
from detectors import base
from detectors.base import HIT_COLUMNS, RuleRun
from detectors.early import few, rows_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import date

    from data.schema import ClaimTables
    from detectors.base import Example, Rule

KEY = list(ENCOUNTER_KEY)
COST_LINES = ("drug_line", "service_line")

SIGN_COLUMNS: Mapping[str, pl.DataType] = {
    **HIT_COLUMNS,
    "source": pl.String(),  # "BED-01@1"
    "scheme": pl.String(),
    "severity": pl.String(),
}

BLANK_COLUMNS: Mapping[str, pl.DataType] = {
    "ma_cskcb": pl.String(),
    "ma_lk": pl.String(),
    "source": pl.String(),
    "field": pl.String(),  # "encounter.ngay_ra": the needed field that is blank
}

KINDS_VI = {"hit": "có dấu hiệu", "clear": "không có dấu hiệu", "not_evaluable": "không đánh giá được"}
KINDS_EN = {"hit": "sign", "clear": "clear", "not_evaluable": "not evaluable"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleResults:
    """What the rules found in the encounters they read."""

    hits: pl.DataFrame  # SIGN_COLUMNS, one row a line (or encounter) and rule
    runs: tuple[RuleRun, ...]  # one a rule, in the order of the rules
    blanks: pl.DataFrame  # the key of every encounter read, and a flag a needed field that is blank somewhere
    vague: pl.DataFrame  # row by row as `blanks`: a flag a rule (`id@version`) that could not tell somewhere
    needs: Mapping[str, tuple[str, ...]]  # of the rules in `vague`

    @property
    def not_evaluable(self) -> pl.DataFrame:
        """`BLANK_COLUMNS`: which needed field kept which rule from which encounter.

        A rule that stands aside as a whole is only in `runs`. Where most fields are blank this is a long table.
        """
        parts = [
            self.blanks.filter(self.vague[ref] & pl.col(field)).select(
                *KEY, pl.lit(ref).alias("source"), pl.lit(field).alias("field")
            )
            for ref in self.vague.columns
            for field in self.needs[ref]
            if field in self.blanks.columns
        ]
        return pl.concat([pl.DataFrame(schema=dict(BLANK_COLUMNS)), *parts])


def run_rules(
    tables: ClaimTables,
    rules: Sequence[Rule] | None = None,
    *,
    also: Iterable[str] = (),
    off: Mapping[str, Collection[str]] | None = None,
    known: Mapping[str, pl.DataFrame] | None = None,
) -> RuleResults:
    """Run `rules` (all discovered ones by default) over every encounter of `tables`.

    `also` names more fields to look for blanks in, in the same scan: what the detectors need. `off` gives by rule id
    the provinces where it is switched off: as before its validity, it finds nothing there. `known` gives by rule id the
    signs that were found already, in tables that held more: such a rule is not asked again.
    """
    chosen = base.rules() if rules is None else tuple(rules)
    aside = {rule.ref: reason for rule in chosen if (reason := _missing_catalogues(rule, tables))}
    active = [rule for rule in chosen if rule.ref not in aside]
    needed = sorted({*also, *(field for rule in active for field in rule.needs)})

    known = known or {}
    asked = [rule for rule in active if rule.id not in known]
    blank_frames = _blank_queries(tables, needed)
    first = [_read(tables), _lined(tables), *blank_frames]
    if (at_hand := few(tables)) is not None:
        read, lined, *flagged = _collect(first)
        answers: Sequence[pl.DataFrame | None] = [rows_of(rule.find(at_hand)) for rule in asked]
    else:
        read, lined, *rest = _collect([*first, *(rule.find(tables) for rule in asked)])
        flagged, answers = rest[: len(blank_frames)], rest[len(blank_frames) :]
    by_rule: dict[str, pl.DataFrame | None] = {**dict(zip((r.id for r in asked), answers, strict=True)), **known}
    found = [by_rule[rule.id] for rule in active]
    blanks = _without_lines(_blanks(read, flagged), read, lined, needed)

    nothing = pl.DataFrame(schema=dict(SIGN_COLUMNS))
    hits: list[pl.DataFrame] = []
    vague: dict[str, pl.Series] = {}
    in_force: dict[tuple[date | None, date | None], pl.Series] = {}
    runs = {ref: RuleRun(rule=ref, hit=0, clear=0, not_evaluable=read.height, reason=why) for ref, why in aside.items()}
    for rule, rows in zip(active, found, strict=True):
        period = (rule.valid_from, rule.valid_to)
        if period not in in_force:
            in_force[period] = _in_force(rule, read)
        applies = in_force[period] & _on(rule, read, off)
        signs = nothing if rows is None else _signs(rule, rows).join(read.filter(applies), on=KEY, how="semi")
        sure = signs.select(KEY).unique() if signs.height else nothing
        missing = _missing(rule, blanks, applies, sure)
        unsure = int(missing.sum()) if missing is not None else 0
        if missing is not None and unsure:
            vague[rule.ref] = missing
        if signs.height:
            hits.append(signs)
        runs[rule.ref] = RuleRun(
            rule=rule.ref, hit=sure.height, clear=read.height - sure.height - unsure, not_evaluable=unsure
        )
    return RuleResults(
        hits=pl.concat([nothing, *hits]),
        runs=tuple(runs[rule.ref] for rule in chosen),
        blanks=blanks,
        vague=pl.DataFrame(vague),
        needs={rule.ref: rule.needs for rule in active if rule.ref in vague},
    )


def find(tables: ClaimTables, chosen: Sequence[Rule]) -> Mapping[str, pl.DataFrame]:
    """By rule id, the signs (`HIT_COLUMNS`) of the rules of `chosen` whose catalogues are loaded, none for the rest."""
    active = [rule for rule in chosen if _missing_catalogues(rule, tables) is None]
    rows = dict(zip((r.id for r in active), _collect([rule.find(tables) for rule in active]), strict=True))
    nothing = pl.DataFrame(schema=dict(HIT_COLUMNS))
    return {rule.id: _shaped(rows[rule.id]) if rule.id in rows else nothing for rule in chosen}


def blank_fields(tables: ClaimTables, needed: Iterable[str]) -> pl.DataFrame:
    """The key of every encounter, and a flag a field of `needed` ("table.field") that is blank on it or on a line.

    A field that is blank nowhere has no column. One scan a table.
    """
    read, *flagged = _collect([tables.encounter.select(*KEY), *_blank_queries(tables, sorted(set(needed)))])
    return _blanks(read, flagged)


def _missing_catalogues(rule: Rule, tables: ClaimTables) -> str | None:
    absent = [name for name in rule.catalogues if tables.catalogues.get(name) is None]
    if not absent:
        return None
    names = ", ".join(absent)
    return f"chưa nạp danh mục {names} (catalogue not loaded: {names}; minhbach catalogue load)"


def applying(rule: Rule, claims: pl.DataFrame, off: Mapping[str, Collection[str]] | None) -> pl.DataFrame:
    """Those of `claims` (`ngay_vao`, `province`) that the rule judges: in force on arrival, not `off` there."""
    return claims.filter(_in_force(rule, claims) & _on(rule, claims, off))


def _on(rule: Rule, read: pl.DataFrame, off: Mapping[str, Collection[str]] | None) -> pl.Series:
    """Whether each encounter lies where the rule is not switched off."""
    where = list(off.get(rule.id, ())) if off else []
    return ~read["province"].is_in(where).fill_null(value=False)


def _in_force(rule: Rule, read: pl.DataFrame) -> pl.Series:
    """Whether each encounter arrived with the rule in force; an unknown arrival is judged by the rule's own needs."""
    day = read["ngay_vao"].dt.date()
    inside = pl.repeat(True, read.height, eager=True)
    if rule.valid_from is not None:
        inside &= (day >= rule.valid_from) | day.is_null()
    if rule.valid_to is not None:
        inside &= (day <= rule.valid_to) | day.is_null()
    return inside


def _shaped(rows: pl.DataFrame) -> pl.DataFrame:
    """`rows` as `HIT_COLUMNS`: engines differ in the last bit of a quotient, a sign must read the same from either."""
    return rows.select(pl.col(name).cast(dtype) for name, dtype in HIT_COLUMNS.items()).with_columns(
        pl.col("amount").round(2), pl.col("observed", "allowed").round(6)
    )


def _signs(rule: Rule, rows: pl.DataFrame) -> pl.DataFrame:
    return _shaped(rows).with_columns(
        source=pl.lit(rule.ref), scheme=pl.lit(rule.scheme), severity=pl.lit(rule.severity)
    )


def _missing(rule: Rule, blanks: pl.DataFrame, applies: pl.Series, sure: pl.DataFrame) -> pl.Series | None:
    """For each encounter whether the rule cannot tell: in force, not hit, a needed field blank; None where it can."""
    fields = [field for field in rule.needs if field in blanks.columns]
    if not fields:
        return None
    missing = blanks.select(pl.any_horizontal(fields)).to_series() & applies
    if sure.height:
        known = sure.with_columns(hit=pl.lit(1))
        missing &= blanks.select(KEY).join(known, on=KEY, how="left", maintain_order="left")["hit"].is_null()
    return missing


def _read(tables: ClaimTables) -> nw.LazyFrame[Any]:
    costs = (nw.col("t_bhtt") > 0).fill_null(False) | (nw.col("t_tongchi_bh") > 0).fill_null(False)
    return tables.encounter.select(*KEY, "ngay_vao", "province", costs=costs)


def _lined(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Keys of the encounters with a drug or service line, some of them twice."""
    return nw.concat([getattr(tables, name).select(*KEY).unique() for name in COST_LINES], how="vertical")


def _without_lines(
    blanks: pl.DataFrame, read: pl.DataFrame, lined: pl.DataFrame, needed: Iterable[str]
) -> pl.DataFrame:
    """`blanks` with every needed field of a line blank where the encounter costs something and no line came."""
    named = lined.unique().with_columns(lined=pl.lit(1))
    bare = read["costs"] & read.select(KEY).join(named, on=KEY, how="left", maintain_order="left")["lined"].is_null()
    if not bare.any():
        return blanks
    fields = [field for field in needed if field.partition(".")[0] in COST_LINES]
    return blanks.with_columns(
        (blanks[field] | bare if field in blanks.columns else bare).alias(field) for field in fields
    )


def _blank_queries(tables: ClaimTables, needed: Iterable[str]) -> list[nw.LazyFrame[Any]]:
    """For each table with needed fields: encounters with a blank, and a flag a field. One scan a table."""
    by_table: defaultdict[str, list[str]] = defaultdict(list)
    for field in needed:
        table, _, column = field.partition(".")
        by_table[table].append(column)
    queries: list[nw.LazyFrame[Any]] = []
    for table, columns in by_table.items():
        frame: nw.LazyFrame[Any] = getattr(tables, table)
        flags = frame.select(*KEY, **{f"{table}.{c}": nw.col(c).is_null() for c in columns}).filter(
            nw.any_horizontal(*(nw.col(f"{table}.{c}") for c in columns), ignore_nulls=True)
        )
        if table != "encounter":
            flags = flags.group_by(*KEY).agg(nw.col(f"{table}.{c}").max() for c in columns)
        queries.append(flags)
    return queries


def _blanks(read: pl.DataFrame, flagged: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """One row an encounter of `read`, in its order; a flag a field that is blank somewhere."""
    blanks = read.select(KEY)
    for frame in flagged:
        fields = [field for field in frame.columns if field not in KEY and frame[field].any()]
        if fields:
            blanks = blanks.join(frame.select(*KEY, *fields), on=KEY, how="left", maintain_order="left")
    return blanks.with_columns(pl.exclude(KEY).fill_null(False))


def _collect(frames: Sequence[nw.LazyFrame[Any]]) -> list[pl.DataFrame]:
    """Collect all at once where the engine can share scans between queries, one by one elsewhere."""
    native = [frame.to_native() for frame in frames]
    if all(isinstance(frame, pl.LazyFrame) for frame in native):
        return pl.collect_all(native)
    return [frame.collect("polars").to_native() for frame in frames]


def catalogue_markdown() -> str:
    """The rule catalogue as a page, Vietnamese first, made from the rules themselves."""
    every = base.rules()
    head = [
        "# Danh mục quy tắc / Rule catalogue",
        "",
        (
            f"{len(every)} quy tắc. Mỗi quy tắc trả lời: có dấu hiệu, không có dấu hiệu, hoặc không đánh giá được vì "
            "thiếu dữ liệu. Dấu hiệu là lý do để xem xét, không phải kết luận. Trang này được sinh từ "
            "mã nguồn (`make catalogue`)."
        ),
        "",
        (
            f"{len(every)} rules. Each answers: a sign, clear, or not evaluable for want of data. A sign is a reason "
            "to look, never a verdict. This page is generated from the code (`make catalogue`)."
        ),
        "",
        "| Mã / Id | Dấu hiệu / Sign | Nhóm / Scheme | Mức / Severity |",
        "| --- | --- | --- | --- |",
        *(
            f"| [{r.ref}](#{r.id.lower()}) | {r.title_vi}<br>{r.title_en} | `{r.scheme}` | {r.severity} |"
            for r in every
        ),
        "",
    ]
    pages = (f"## {rule.id}\n\n" + "\n".join([*page(rule, "vi"), "", *page(rule, "en"), ""]) for rule in every)
    return "\n".join([*head, *pages])


def page(rule: Rule, lang: Literal["vi", "en"]) -> list[str]:
    """The lines of a rule's page in one language, as Markdown."""
    parameters = "; ".join(f"`{name}` = {_value(value)}" for name, value in rule.parameters.items()) or "–"
    needs = ", ".join(f"`{field}`" for field in rule.needs) or "–"
    catalogues = ", ".join(f"`{name}`" for name in rule.catalogues) or "–"
    since, until = (d.isoformat() if d else "–" for d in (rule.valid_from, rule.valid_to))
    examples = "; ".join(_example(e, lang) for e in rule.examples)
    if lang == "vi":
        return [
            f"**{rule.title_vi}** (phiên bản {rule.version})",
            "",
            f"- Lý do: {rule.reason_vi}",
            f"- Nhóm dấu hiệu: `{rule.scheme}`; mức: {rule.severity}; hiệu lực: {since} → {until}",
            f"- Căn cứ: {rule.legal_basis}",
            f"- Tham số: {parameters}",
            f"- Trường cần có: {needs}; danh mục: {catalogues}",
            f"- Điều quy tắc không thấy: {rule.known_gaps_vi or '–'}",
            f"- Ví dụ: {examples}",
        ]
    return [
        f"**{rule.title_en}** (version {rule.version})",
        "",
        f"- Reason: {rule.reason_en}",
        f"- Scheme: `{rule.scheme}`; severity: {rule.severity}; in force: {since} → {until}",
        f"- Law: {rule.legal_basis}",
        f"- Parameters: {parameters}",
        f"- Needs: {needs}; catalogues: {catalogues}",
        f"- Known gaps: {rule.known_gaps_en or '–'}",
        f"- Examples: {examples}",
    ]


def _example(example: Example, lang: Literal["vi", "en"]) -> str:
    title, kinds = (example.title_vi, KINDS_VI) if lang == "vi" else (example.title_en, KINDS_EN)
    money = "" if example.amount is None else f" ({example.amount:,.0f} VND)"
    return f"{title} → {kinds[example.kind]}{money}"


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value))
    return f"`{value}`" if isinstance(value, str) else str(value)
