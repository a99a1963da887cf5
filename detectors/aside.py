"""What stood aside: which detectors and rules could not judge which claims, for want of which field.

A claim that lacks what a detector needs gets no signal from it and is never counted clear. What is missing is kept
beside the claim's signals, and a claim that no detector could judge and no rule hit says so instead of a reason.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import polars as pl

from data.schema import TABLES, fields
from detectors.base import RuleRun
from detectors.rulebook import COST_LINES, KEY

if TYPE_CHECKING:
    from detectors.rulebook import RuleResults

_BARE = "bare"  # the claim has no line in any table
_RULE = "rule:"  # before a rule's name: whether it could not tell


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """A detector as seen by those who ask whether it can judge a claim."""

    source: str  # "tails@1"
    needs: tuple[str, ...]  # "table.field"
    bare_needs: tuple[str, ...] = ()  # what it needs of a claim without any line, if it can judge one,
    bare_amounts: tuple[str, ...] = ()  # and the amounts of which it needs one; none: it cannot
    reason: str | None = None  # why it can judge no claim at all, if so

    @property
    def fields(self) -> tuple[str, ...]:
        """Every field whose blanks matter."""
        return tuple(dict.fromkeys((*self.needs, *self.bare_needs, *self.bare_amounts)))

    def lacking(self, blank: frozenset[str], *, bare: bool) -> list[str]:
        """The needed fields that a claim lacks, given its blank ones and whether it has no line at all."""
        if not bare:
            return [field for field in self.needs if field in blank]
        if not self.bare_amounts:
            return [field for field in self.needs if field in blank or _table(field) in COST_LINES]
        amounts = self.bare_amounts if blank.issuperset(self.bare_amounts) else ()
        return [*(field for field in self.bare_needs if field in blank), *amounts]


@dataclass(frozen=True, slots=True, kw_only=True)
class Aside:
    """What stood aside, one row a claim that something stood aside on."""

    claims: pl.DataFrame  # ASIDE_COLUMNS, and a flag a judge: whether it could not judge the claim
    judges: tuple[Judge, ...]

    def of(self, source: str) -> pl.DataFrame:
        """Keys of the claims that the judge called `source` could not judge."""
        return self.claims.filter(pl.col(source)).select(KEY)

    def run(self, source: str, *, encounters: int, signs: pl.DataFrame) -> RuleRun:
        """The three counts of a judge; `signs` has the key of every claim it raised a sign on."""
        judge = next(j for j in self.judges if j.source == source)
        vague = int(self.claims[source].sum())
        hit = signs.select(KEY).n_unique() if signs.height else 0
        return RuleRun(rule=source, hit=hit, clear=encounters - hit - vague, not_evaluable=vague, reason=judge.reason)


ASIDE_COLUMNS: Mapping[str, pl.DataType] = {
    "ma_cskcb": pl.String(),
    "ma_lk": pl.String(),
    "unjudged": pl.Boolean(),  # no detector could judge the claim
    "entries": pl.String(),  # JSON objects for the claim's evidence, joined by ", "
    "missing_vi": pl.String(),  # what is missing, in words
    "missing_en": pl.String(),
}


def stand_aside(judges: Sequence[Judge], found: RuleResults, claims: pl.DataFrame, bare: pl.DataFrame) -> Aside:
    """What could not be told of `claims` (keys), those in `bare` having no line.

    Few patterns of blanks stand on very many claims: each pattern is read once.
    """
    names = [field for judge in judges for field in judge.fields if field in found.blanks.columns]
    needed = dict.fromkeys([*names, *(f for ref in found.vague.columns for f in found.needs[ref])])
    fields_seen = [field for field in needed if field in found.blanks.columns]
    table = (
        found.blanks.select(*KEY, *fields_seen)
        .hstack(found.vague.rename(lambda ref: _RULE + ref))
        .join(claims.select(KEY), on=KEY, how="semi", maintain_order="left")
        .join(bare.select(*KEY, pl.lit(1).alias(_BARE)), on=KEY, how="left", maintain_order="left")
        .with_columns(pl.col(_BARE).is_not_null())
    )
    cells = table.columns[len(KEY) :]
    patterns = table.select(cells).unique()
    rules = {ref: [f for f in found.needs[ref] if f in found.blanks.columns] for ref in found.vague.columns}
    rows = [_pattern(judges, rules, cells, pattern) for pattern in patterns.iter_rows()]
    schema = {name: dtype for name, dtype in ASIDE_COLUMNS.items() if name not in KEY}
    read = pl.DataFrame(rows, schema={**schema, **{judge.source: pl.Boolean() for judge in judges}}, orient="row")
    whole = table.join(patterns.hstack(read), on=cells, how="left", maintain_order="left").drop(cells)
    said = whole.filter(pl.any_horizontal(*(judge.source for judge in judges), pl.col("entries") != ""))
    return Aside(claims=said, judges=tuple(judges))


def _pattern(
    judges: Sequence[Judge], rules: Mapping[str, Sequence[str]], cells: Sequence[str], pattern: Sequence[bool]
) -> list[bool | str]:
    true = {cell for cell, value in zip(cells, pattern, strict=True) if value}
    bare = _BARE in true
    blank = frozenset(cell for cell in true if cell != _BARE and not cell.startswith(_RULE))
    lacking = {judge.source: judge.lacking(blank, bare=bare) for judge in judges}
    entries: list[dict[str, object]] = [
        {"kind": "not_evaluable", "source": source, "field": field}
        for source, missing in lacking.items()
        for field in missing
    ]
    vague = [ref for ref in rules if _RULE + ref in true]
    if vague:
        wanted = sorted(
            {_table(f) if bare and _table(f) in COST_LINES else f for r in vague for f in rules[r] if f in blank}
        )
        entries.append({"kind": "not_evaluable", "source": "rules", "count": len(vague), "fields": wanted})
    unable = [judge.reason is not None or bool(lacking[judge.source]) for judge in judges]
    every = list(dict.fromkeys(field for missing in lacking.values() for field in missing))
    return [
        all(unable),
        ", ".join(json.dumps(entry, ensure_ascii=False) for entry in entries),
        ", ".join(_words(every, bare=bare, lang="vi")),
        ", ".join(_words(every, bare=bare, lang="en")),
        *unable,
    ]


def _words(missing: Iterable[str], *, bare: bool, lang: str) -> list[str]:
    """Names of the missing fields; a claim without lines lacks the lines, not each of their fields."""
    names = _names(lang)
    told: dict[str, None] = {}
    for field in missing:
        table, _, column = field.partition(".")
        if bare and table in COST_LINES:
            told["dòng thuốc, dịch vụ (XML2, XML3)" if lang == "vi" else "drug and service lines (XML2, XML3)"] = None
            continue
        name = names.get(field, column)
        place = {"drug_line": "XML2 ", "service_line": "XML3 "}.get(table, "")
        told[f"{name[:1].lower()}{name[1:]} ({place}{column.upper()})"] = None
    return list(told)


@cache
def _names(lang: str) -> Mapping[str, str]:
    tables = ((table, fields(source)) for source, table in TABLES.items() if table in ("encounter", *COST_LINES))
    return {f"{table}.{f.name}": f.name_vi if lang == "vi" else f.name_en for table, own in tables for f in own}


def _table(field: str) -> str:
    return field.partition(".")[0]
