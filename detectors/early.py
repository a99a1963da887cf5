"""Rules over a few claims: frames that know when they are empty, so that the rest of a query is never planned.

A rule is some ten steps, and of most rules nothing is left after the first: the claim holds no line of their family.
Over a country that is cheap. Over one claim the planning of all the steps is all there is to wait for. A `Few` answers
each filter and join at once, and puts off every other step; once nothing is left, no later step is taken. A rule sees
the same frame as ever and gives the same rows: what it cannot see is when they are computed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import narwhals as nw
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable

    from data.schema import ClaimTables

MOST = 20_000  # rows of the largest table; above that the planning is a small part and shared scans are worth more
TABLES = ("encounter", "drug_line", "service_line", "lab_result")

_Lazy: Any = nw.LazyFrame  # the steps themselves, as Narwhals takes them


class Never(nw.Expr):
    """A condition that holds on no row, and is known to before any row is looked at."""

    def _append_node(self, node: Any) -> Any:
        return nw.Expr(*self._nodes, node)  # what is made of it is any expression: its negation holds everywhere

    def __and__(self, other: Any) -> Any:
        """Still never."""
        return self

    def __rand__(self, other: Any) -> Any:
        """Still never."""
        return self

    def __or__(self, other: Any) -> Any:
        """What the other says."""
        return other if isinstance(other, nw.Expr) else super().__or__(other)

    def __ror__(self, other: Any) -> Any:
        """What the other says."""
        return other if isinstance(other, nw.Expr) else super().__ror__(other)


def never(column: str) -> nw.Expr:
    """A condition that no row of a frame with `column` meets."""
    false = nw.col(column).is_null() & nw.lit(value=False)  # a bare literal may not stand alone in a filter
    return Never(*cast("Any", false)._nodes)  # noqa: SLF001 - the same steps under another name


class Few(nw.LazyFrame[Any]):
    """A lazy Polars frame of few rows that may know that it has none (`none`), or only one (`single`)."""

    def __init__(self, make: Callable[[], Any], *, none: bool = False, single: bool = False) -> None:
        """`make` gives the frame behind when it is first asked for."""
        self._level = "lazy"
        self._make = make
        self._made: Any = None
        self._kept: dict[str, Few] = {}
        self.none = none
        self.single = single

    @classmethod
    def of(cls, rows: pl.DataFrame) -> Few:
        """These rows."""
        behind = _behind(nw.from_native(rows.lazy()))
        return cls(lambda: behind, none=rows.is_empty(), single=rows.height == 1)

    @property
    def _compliant_frame(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        if self._made is None:
            self._made = self._make()
        return self._made

    def _with_compliant(self, df: Any) -> Any:
        return Few(lambda: df)

    def _extract_compliant_frame(self, other: Any, /) -> Any:
        return _behind(other)

    def once(self, name: str, step: Callable[[], nw.LazyFrame[Any]]) -> Few:
        """The answer of `step`, which many rules begin with; taken once."""
        if name not in self._kept:
            self._kept[name] = Few.of(_rows(step()))
        return self._kept[name]

    def later(self, step: Any, *args: Any, none: bool | None = None, **named: Any) -> Any:
        """The frame after `step`, which is taken when somebody asks for its rows or columns."""
        return Few(lambda: _behind(step(self, *args, **named)), none=self.none if none is None else none)

    # steps that keep an empty frame empty

    def with_columns(self, *exprs: Any, **named_exprs: Any) -> Any:
        """As Narwhals, later."""
        return self.later(_Lazy.with_columns, *exprs, **named_exprs)

    def select(self, *exprs: Any, **named_exprs: Any) -> Any:
        """As Narwhals, later. A column by its name means rows; sums alone give a row even of nothing."""
        rows = any(isinstance(e, str) for e in _flat(exprs))
        return self.later(_Lazy.select, *exprs, none=self.none and rows, **named_exprs)

    def unique(self, *args: Any, **named: Any) -> Any:
        """As Narwhals, later."""
        return self.later(_Lazy.unique, *args, **named)

    def drop(self, *args: Any, **named: Any) -> Any:
        """As Narwhals, later."""
        return self.later(_Lazy.drop, *args, **named)

    def rename(self, *args: Any, **named: Any) -> Any:
        """As Narwhals, later."""
        return self.later(_Lazy.rename, *args, **named)

    def sort(self, *args: Any, **named: Any) -> Any:
        """As Narwhals, later."""
        return self.later(_Lazy.sort, *args, **named)

    def explode(self, *args: Any, **named: Any) -> Any:
        """As Narwhals, later."""
        return self.later(_Lazy.explode, *args, **named)

    def group_by(self, *keys: Any, drop_null_keys: bool = False) -> Any:
        """As Narwhals, later."""
        return _Groups(self, keys, drop_null_keys=drop_null_keys)

    # steps after which nothing may be left

    def filter(self, *predicates: Any, **constraints: Any) -> Any:
        """As Narwhals, at once."""
        if self.none or any(isinstance(p, Never) for p in _flat(predicates)):
            return self.later(_Lazy.filter, *predicates, none=True, **constraints)
        return Few.of(_rows(super().filter(*predicates, **constraints)))

    def join(self, other: Any, on: Any = None, how: Any = "inner", **named: Any) -> Any:
        """As Narwhals; at once where it may leave nothing."""
        lacks = isinstance(other, Few) and other.none
        if (self.none and how in ("inner", "semi", "left", "anti")) or (lacks and how in ("inner", "semi")):
            return self.later(_Lazy.join, other, on, how, none=True, **named)
        if lacks and how == "anti":
            return self
        if how in ("inner", "semi", "anti"):
            return Few.of(_rows(_Lazy.join(self, other, on, how, **named)))
        return self.later(_Lazy.join, other, on, how, none=False, **named)


class _Groups:
    """Groups of a `Few`: none of nothing."""

    def __init__(self, rows: Few, keys: tuple[Any, ...], *, drop_null_keys: bool) -> None:
        self._rows = rows
        self._keys = keys
        self._drop = drop_null_keys

    def agg(self, *aggs: Any, **named: Any) -> Few:
        """As Narwhals, later."""

        def step(rows: Few) -> Any:
            return _Lazy.group_by(rows, *self._keys, drop_null_keys=self._drop).agg(*aggs, **named)

        return cast("Few", self._rows.later(step))


def _flat(exprs: Iterable[Any]) -> Iterable[Any]:
    for each in exprs:
        if isinstance(each, Iterable) and not isinstance(each, str | nw.Expr):
            yield from cast("Iterable[Any]", each)
        else:
            yield each


def _behind(frame: nw.LazyFrame[Any]) -> Any:
    return cast("Any", frame)._compliant_frame  # noqa: SLF001 - Narwhals has no public name for it


def _rows(frame: nw.LazyFrame[Any]) -> pl.DataFrame:
    return cast("pl.DataFrame", _behind(frame).native.collect())


def rows_of(frame: nw.LazyFrame[Any]) -> pl.DataFrame | None:
    """What a query over few claims found; None for nothing."""
    if isinstance(frame, Few) and frame.none:
        return None
    found = _rows(frame)
    return None if found.is_empty() else found


def few(tables: ClaimTables) -> ClaimTables | None:
    """The same tables as frames that know when they are empty; None where they are large, or not of Polars."""
    native = [getattr(tables, name).to_native() for name in TABLES]
    if not all(isinstance(frame, pl.LazyFrame) for frame in native):
        return None
    if max(int(counted.item()) for counted in pl.collect_all([frame.select(pl.len()) for frame in native])) > MOST:
        return None
    return replace(tables, **{name: Few.of(rows) for name, rows in zip(TABLES, pl.collect_all(native), strict=True)})
