"""All features of one level in one frame: what detectors and models learn from and score.

One row an entity, sorted by key, so that the same tables give the same matrix bit for bit on the same engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import narwhals as nw
import polars as pl

from data.schema import collected
from features import months, patients
from features.base import KEYS, Level, discover
from features.expressions import lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from data.schema import ClaimTables
    from features.base import Context, FeatureBuilder
    from features.expressions import Frame

SIGNIFICANT_DIGITS = 12
"""Numbers are rounded to these: Polars divides a single row by way of a reciprocal, a batch directly, and without
rounding the last bit of a ratio would tell whether a claim was scored alone. Sums of money stay exact to the dong."""

TEXT_BUILDERS = frozenset({"line_kind", "context", "patient_kind", "doctor_kind", "facility_kind"})
"""Builders whose columns are text, to be treated as categories; those of all others are numbers."""


class RepeatedKey(ValueError):
    """A feature gave one entity twice: joined to the others it would multiply rows."""


def numeric_columns(level: Level, *, context: Context | None = None) -> tuple[str, ...]:
    """Number columns of the matrix of `level`, in its order; with `context` only those that look no further."""
    return _columns(level, text=False, context=context)


def text_columns(level: Level) -> tuple[str, ...]:
    """Text columns of the matrix of `level`, in its order: categories."""
    return _columns(level, text=True)


def build_matrix(tables: ClaimTables, level: Level, *, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """Key columns and features of every entity of `level`, sorted by key; numbers as Float64, text as String.

    `columns` limits the features (and the work) to those named. Lines and encounters are all of the tables, patients
    those of encounters with a card and an arrival (a row as of each), doctors and facilities those of encounters with
    a month. Raises RepeatedKey when a feature gives an entity twice, and KeyError for a column no feature gives.
    """
    keys = KEYS[level]
    wanted = _columns(level) if columns is None else tuple(columns)
    if unknown := set(wanted) - set(_columns(level)):
        raise KeyError(f"no {level} feature gives {sorted(unknown)}")
    builders = [b for b in discover(level) if not set(wanted).isdisjoint(b.columns)]
    entities, *frames = _collect([_entities(tables, level), *(b.build(tables) for b in builders)])
    matrix = entities.sort(keys)
    for builder, frame in zip(builders, frames, strict=True):
        matrix = _joined(matrix, builder, frame, keys)
    return matrix.select(*keys, *wanted)


def _columns(level: Level, *, text: bool | None = None, context: Context | None = None) -> tuple[str, ...]:
    """Feature columns of `level`: all, or only text or number ones, or only those of one context."""
    builders = [b for b in discover(level) if text is None or (b.name in TEXT_BUILDERS) is text]
    return tuple(c for b in builders if context in (None, b.context) or context == "everyone" for c in b.columns)


def _entities(tables: ClaimTables, level: Level) -> Frame:
    keys = KEYS[level]
    if level == "line":
        return lines(tables).select(*keys)
    if level == "encounter":
        return tables.encounter.select(*keys)
    if level == "patient":
        return patients.known_encounters(tables).select(*keys)
    return months.visits(tables, keys).select(*keys).unique()


def _collect(frames: list[Frame]) -> list[pl.DataFrame]:
    """All frames at once on Polars, so that what they share is computed once; one by one on other engines."""
    if all(frame.implementation.is_polars() for frame in frames):
        return pl.collect_all([cast("pl.LazyFrame", nw.to_native(frame)) for frame in frames])
    return [collected(frame) for frame in frames]


def _joined(matrix: pl.DataFrame, builder: FeatureBuilder, frame: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    columns = pl.col(list(builder.columns))
    is_text = builder.name in TEXT_BUILDERS
    typed = columns.cast(pl.String()) if is_text else columns.cast(pl.Float64()).round_sig_figs(SIGNIFICANT_DIGITS)
    given = frame.select(*keys, typed)
    if given.select(keys).is_duplicated().any():
        raise RepeatedKey(f"feature {builder.name} gives an entity of level {builder.level} twice")
    return matrix.join(given, on=list(keys), how="left", maintain_order="left")
