"""Every rule over one snapshot of claims: the signs, the three counts of each rule, and what could not be told.

A rule answers each encounter in one of three ways. Hit: at least one line, or the encounter, is named. Not evaluable:
not hit, and a field the rule needs is blank on the encounter or on one of its lines. Clear: the rest. The three add up
to the encounters read. A rule whose catalogues are not loaded stands aside: every encounter is not evaluable for it,
and the reason is said once.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw
import polars as pl

from data.schema import ENCOUNTER_KEY
from detectors import base
from detectors.base import HIT_COLUMNS, RuleRun

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from data.schema import ClaimTables
    from detectors.base import Example, Rule

KEY = list(ENCOUNTER_KEY)

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
    not_evaluable: pl.DataFrame  # BLANK_COLUMNS; a rule that stands aside as a whole is only in `runs`


def run_rules(tables: ClaimTables, rules: Sequence[Rule] | None = None) -> RuleResults:
    """Run `rules` (all discovered ones by default) over every encounter of `tables`."""
    chosen = base.rules() if rules is None else tuple(rules)
    aside = {rule.ref: reason for rule in chosen if (reason := _missing_catalogues(rule, tables))}
    active = [rule for rule in chosen if rule.ref not in aside]
    needed = sorted({field for rule in active for field in rule.needs})

    blank_frames = _blank_queries(tables, needed)
    encounters = tables.encounter.select(*KEY, "ngay_vao")
    collected = _collect([encounters, *blank_frames.values(), *(rule.find(tables) for rule in active)])
    read, rest = collected[0], collected[1:]
    blanks = _blanks(dict(zip(blank_frames, rest, strict=False)))
    found = rest[len(blank_frames) :]

    hits: list[pl.DataFrame] = []
    unknown: list[pl.DataFrame] = []
    runs = {ref: RuleRun(rule=ref, hit=0, clear=0, not_evaluable=read.height, reason=why) for ref, why in aside.items()}
    for rule, rows in zip(active, found, strict=True):
        applies = _in_force(rule, read)
        signs = _signs(rule, rows).join(applies, on=KEY, how="semi")
        sure = signs.select(KEY).unique()
        missing = (
            blanks.filter(pl.col("field").is_in(rule.needs))
            .join(applies, on=KEY, how="semi")
            .join(sure, on=KEY, how="anti")
            .select(*KEY, pl.lit(rule.ref).alias("source"), "field")
        )
        vague = missing.select(KEY).n_unique() if missing.height else 0
        hits.append(signs)
        unknown.append(missing)
        runs[rule.ref] = RuleRun(
            rule=rule.ref, hit=sure.height, clear=read.height - sure.height - vague, not_evaluable=vague
        )
    return RuleResults(
        hits=pl.concat([pl.DataFrame(schema=dict(SIGN_COLUMNS)), *hits]),
        runs=tuple(runs[rule.ref] for rule in chosen),
        not_evaluable=pl.concat([pl.DataFrame(schema=dict(BLANK_COLUMNS)), *unknown]),
    )


def _missing_catalogues(rule: Rule, tables: ClaimTables) -> str | None:
    absent = [name for name in rule.catalogues if tables.catalogues.get(name) is None]
    if not absent:
        return None
    names = ", ".join(absent)
    return f"chưa nạp danh mục {names} (catalogue not loaded: {names}; minhbach catalogue load)"


def _in_force(rule: Rule, read: pl.DataFrame) -> pl.DataFrame:
    """Encounters that arrived while the rule was in force; an unknown arrival is judged by the rule's own needs."""
    day = pl.col("ngay_vao").dt.date()
    kept = read
    if rule.valid_from is not None:
        kept = kept.filter((day >= rule.valid_from) | day.is_null())
    if rule.valid_to is not None:
        kept = kept.filter((day <= rule.valid_to) | day.is_null())
    return kept.select(KEY)


def _signs(rule: Rule, rows: pl.DataFrame) -> pl.DataFrame:
    # Engines differ in the last bit of a quotient; a sign must read the same whichever found it.
    shaped = rows.select(pl.col(name).cast(dtype) for name, dtype in HIT_COLUMNS.items()).with_columns(
        pl.col("amount").round(2), pl.col("observed", "allowed").round(6)
    )
    return shaped.with_columns(source=pl.lit(rule.ref), scheme=pl.lit(rule.scheme), severity=pl.lit(rule.severity))


def _blank_queries(tables: ClaimTables, needed: Iterable[str]) -> dict[str, nw.LazyFrame[Any]]:
    """For each table with needed fields: encounters with a blank, and a flag a field. One scan a table."""
    by_table: defaultdict[str, list[str]] = defaultdict(list)
    for field in needed:
        table, _, column = field.partition(".")
        by_table[table].append(column)
    queries: dict[str, nw.LazyFrame[Any]] = {}
    for table, columns in by_table.items():
        frame: nw.LazyFrame[Any] = getattr(tables, table)
        flags = frame.select(*KEY, **{f"{table}.{c}": nw.col(c).is_null() for c in columns}).filter(
            nw.any_horizontal(*(nw.col(f"{table}.{c}") for c in columns), ignore_nulls=True)
        )
        if table != "encounter":
            flags = flags.group_by(*KEY).agg(nw.col(f"{table}.{c}").max() for c in columns)
        queries[table] = flags
    return queries


def _blanks(flagged: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """One row an encounter and blank field."""
    empty = pl.DataFrame(schema={"ma_cskcb": pl.String(), "ma_lk": pl.String(), "field": pl.String()})
    parts = [
        frame.filter(pl.col(field)).select(*KEY, pl.lit(field).alias("field"))
        for frame in flagged.values()
        for field in frame.columns
        if field not in KEY
    ]
    return pl.concat([empty, *parts])


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
    return "\n".join([*head, *(line for rule in every for line in _page(rule))])


def _page(rule: Rule) -> list[str]:
    parameters = "; ".join(f"`{name}` = {_value(value)}" for name, value in rule.parameters.items()) or "–"
    needs = ", ".join(f"`{field}`" for field in rule.needs) or "–"
    catalogues = ", ".join(f"`{name}`" for name in rule.catalogues) or "–"
    since, until = (d.isoformat() if d else "–" for d in (rule.valid_from, rule.valid_to))
    law = rule.legal_basis
    return [
        f"## {rule.id}",
        "",
        f"**{rule.title_vi}** (phiên bản {rule.version})",
        "",
        f"- Lý do: {rule.reason_vi}",
        f"- Nhóm dấu hiệu: `{rule.scheme}`; mức: {rule.severity}; hiệu lực: {since} → {until}",
        f"- Căn cứ: {law}",
        f"- Tham số: {parameters}",
        f"- Trường cần có: {needs}; danh mục: {catalogues}",
        "- Ví dụ: " + "; ".join(_example(e, KINDS_VI) for e in rule.examples),
        "",
        f"**{rule.title_en}** (version {rule.version})",
        "",
        f"- Reason: {rule.reason_en}",
        f"- Scheme: `{rule.scheme}`; severity: {rule.severity}; in force: {since} → {until}",
        f"- Law: {law}",
        f"- Parameters: {parameters}",
        f"- Needs: {needs}; catalogues: {catalogues}",
        f"- Known gaps: {rule.known_gaps or '–'}",
        "- Examples: " + "; ".join(_example(e, KINDS_EN) for e in rule.examples),
        "",
    ]


def _example(example: Example, kinds: Mapping[str, str]) -> str:
    money = "" if example.amount is None else f" ({example.amount:,.0f} VND)"
    return f"{example.title} → {kinds[example.kind]}{money}"


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value))
    return f"`{value}`" if isinstance(value, str) else str(value)
