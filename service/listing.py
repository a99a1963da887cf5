"""How a ranking is listed: every claim or the first of each pattern, all of it or what a budget of reading allows.

What fits is cut from the top: a larger budget lists all that a smaller one does, and more. The hours of a claim are an
estimate of `Pace`; its minutes are assumptions of ours until assessors' own times are measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

BASE_MINUTES = 6.0  # assumptions, not measured: to open a claim, read who, when and why, and write an opinion
SIGN_MINUTES = 4.0  # to check one sign against the claim and its law
LINE_MINUTES = 0.5  # to look at one line that a sign names


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Minutes an assessor needs for a claim: `base`, and more for each sign and each line that signs name."""

    base: float = BASE_MINUTES
    sign: float = SIGN_MINUTES
    line: float = LINE_MINUTES

    def sql(self) -> str:
        """Minutes of a row with `signs` and `named_lines`."""
        return f"cast({self.base!r} + {self.sign!r} * signs + {self.line!r} * named_lines as double)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What of the filtered claims to list. Nothing set: every one, by rank."""

    one_per_pattern: bool = False  # the first by rank stands for all that are alike, and counts once
    claims: int | None = None  # at most so many
    hours: float | None = None  # as many as can be read in these: most expected money a minute first, and none without

    @property
    def limited(self) -> bool:
        """Whether there is a budget."""
        return self.claims is not None or self.hours is not None

    @property
    def order(self) -> str:
        """The list's own order."""
        return "rank" if self.hours is None else "worth desc, rank"

    @property
    def count(self) -> str:
        """Aggregate that counts the rows this lists of filtered claims, its budget aside."""
        return "count(*) filter (pattern is null) + count(distinct pattern)" if self.one_per_pattern else "count(*)"

    def query(self, table: str, where: str, params: Sequence[Any]) -> tuple[str, list[Any]]:
        """SELECT of the claims of `table` within `where` that are listed, in no order, and its parameters.

        Adds `alike`, how many more claims within `where` the row stands for, and `alike_recoverable`, their expected
        money; null where every claim is listed.
        """
        if self.one_per_pattern:
            query = (
                f"select t.*, coalesce(g.alike, 0) as alike, coalesce(g.expected - t.expected_recoverable, 0) "
                f"as alike_recoverable from (select * from {table} where {where}) t left join ("
                f"select min(rank) as rank, count(*) - 1 as alike, sum(expected_recoverable) as expected from {table} "
                f"where {where} and pattern is not null group by pattern) g using (rank) "
                "where t.pattern is null or g.rank is not null"
            )
            values = [*params, *params]
        else:
            query = (
                "select *, cast(null as bigint) as alike, cast(null as decimal(18, 2)) as alike_recoverable "
                f"from {table} where {where}"
            )
            values = list(params)
        if not self.limited:
            return query, values
        within: list[str] = []
        if self.hours is not None:
            query = f"select * from ({query}) where expected_recoverable > 0"
            within.append("spent <= ?")
            values.append(60 * self.hours)
        if self.claims is not None:
            within.append("nth <= ?")
            values.append(self.claims)
        counted = (
            "select *, row_number() over mine as nth, "
            "round(sum(minutes) over (mine rows unbounded preceding), 6) as spent "
            f"from ({query}) window mine as (order by {self.order})"
        )
        return f"select * exclude (nth, spent) from ({counted}) where {' and '.join(within)}", values
