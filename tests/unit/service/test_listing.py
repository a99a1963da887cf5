"""One claim of each pattern, and budgets, against doing it by hand."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pytest

from data.lake import Lake
from service.accounts import Scope
from service.listing import Listing, Pace
from service.reading import ClaimFilters, ClaimRow, Page, Place, Reading
from tests.lib.scored import scored_lake

CLAIMS = 240
ALL = Scope()
P98 = Scope(("98",))
GROUPED = Listing(one_per_pattern=True)
PACE = Pace(base=5, sign=2.5, line=1)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return scored_lake(tmp_path_factory.mktemp("lake"), CLAIMS)


@pytest.fixture(scope="module")
def reading(lake: Lake) -> Reading:
    return Reading(lake, pace=PACE)


def listed(
    reading: Reading,
    listing: Listing,
    scope: Scope = ALL,
    filters: ClaimFilters | None = None,
    sort: str | None = None,
) -> Page[ClaimRow]:
    return reading.worklist(scope, filters, listing, sort, size=1000)


def first_of_each(rows: Sequence[ClaimRow]) -> list[tuple[str, int, Decimal]]:
    """Claims that stand for those alike, how many these are and their expected money."""
    found: list[tuple[str, int, Decimal]] = []
    seen: set[str] = set()
    for row in rows:
        if row.pattern is None:
            found.append((row.claim_id, 0, Decimal(0)))
        elif row.pattern not in seen:
            seen.add(row.pattern)
            others = [r.expected_recoverable for r in rows if r.pattern == row.pattern and r is not row]
            found.append((row.claim_id, len(others), sum(others, Decimal(0))))
    return found


@pytest.mark.parametrize("scope", [ALL, P98])
@pytest.mark.parametrize(
    "filters",
    [
        ClaimFilters(),
        ClaimFilters(flagged=True),
        ClaimFilters(facility="98002"),
        ClaimFilters(min_amount=Decimal(500_000)),
        ClaimFilters(exclude=["98001:L000000", "98002:L000081"]),
    ],
)
def test_the_first_by_rank_stands_for_the_alike_within_scope_and_filters(
    reading: Reading, scope: Scope, filters: ClaimFilters
) -> None:
    every, grouped = listed(reading, Listing(), scope, filters), listed(reading, GROUPED, scope, filters)
    wanted = first_of_each(every.rows)
    assert [(r.claim_id, r.alike, r.alike_recoverable) for r in grouped.rows] == wanted
    assert (grouped.listed, grouped.total) == (len(wanted), every.total)  # the sums stay those of all claims
    assert grouped.expected_recoverable == every.expected_recoverable
    assert all(r.alike is None for r in every.rows)


def test_claims_alike_do_not_fill_the_page_and_are_all_found_by_their_pattern(reading: Reading) -> None:
    grouped = listed(reading, GROUPED).rows
    assert sum(r.alike or 0 for r in grouped) + len(grouped) == CLAIMS
    first = max(grouped, key=lambda r: r.alike or 0)
    assert first.alike
    alike = listed(reading, Listing(), filters=ClaimFilters(pattern=first.pattern)).rows
    assert len(alike) == first.alike + 1
    assert alike[0].claim_id == first.claim_id
    assert {r.pattern for r in alike} == {first.pattern}
    assert reading.claim(ALL, alike[-1].claim_id).alike == first.alike
    assert reading.claim(P98, listed(reading, Listing(), P98).rows[-1].claim_id).alike == 0  # no sign, no pattern


def test_pages_of_one_per_pattern_are_those_of_the_whole_list(reading: Reading) -> None:
    whole = listed(reading, GROUPED).rows
    page = reading.worklist(ALL, None, GROUPED, page=2, size=7)
    assert page.rows == whole[7:14]
    assert page.pages == -(-len(whole) // 7)
    by_money = listed(reading, GROUPED, sort="-expected_recoverable").rows
    assert set(by_money) == set(whole)


def test_minutes_follow_the_pace(reading: Reading) -> None:
    for row in listed(reading, Listing()).rows:
        assert row.minutes == (5 + 2 * 2.5 + 1 if row.flagged else 5)
        assert row.worth == pytest.approx(float(row.expected_recoverable) / row.minutes, abs=0.01)


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("hours", [0.1, 0.5, 1.1, 2.0, 500.0])
def test_hours_hold_the_most_money_a_minute_that_fits_and_nothing_without_money(
    reading: Reading, hours: float, grouped: bool
) -> None:
    rows = [r for r in listed(reading, Listing(one_per_pattern=grouped)).rows if r.expected_recoverable > 0]
    wanted: list[str] = []
    spent = 0.0
    for row in sorted(rows, key=lambda r: (-r.worth, r.rank)):
        spent += row.minutes
        if spent > 60 * hours:
            break
        wanted.append(row.claim_id)
    page = listed(reading, Listing(one_per_pattern=grouped, hours=hours))
    assert [r.claim_id for r in page.rows] == wanted
    assert (page.listed, page.total) == (len(wanted), len(wanted))
    assert (page.minutes or 0) == sum(r.minutes for r in page.rows) <= 60 * hours


def test_a_number_of_claims_counts_one_of_each_pattern_once(reading: Reading) -> None:
    assert [r.rank for r in listed(reading, Listing(claims=9)).rows] == list(range(1, 10))
    few = listed(reading, Listing(one_per_pattern=True, claims=9)).rows
    assert few == listed(reading, GROUPED).rows[:9]
    assert len(listed(reading, Listing(claims=2, hours=100)).rows) == 2


@pytest.mark.parametrize("listing", [GROUPED, Listing(hours=1.5), Listing(one_per_pattern=True, claims=20, hours=2)])
def test_paging_by_place_visits_every_listed_claim_once_in_order(reading: Reading, listing: Listing) -> None:
    seen: list[str] = []
    place: Place | None = None
    while rows := reading.claims_after(P98, None, listing, place, 3):
        seen += [row.claim_id for row in rows]
        last = rows[-1]
        place = Place(
            score=last.score,
            expected_recoverable=last.expected_recoverable,
            key=(last.ma_cskcb, last.ma_lk),
            worth=None if listing.hours is None else last.worth,
        )
    assert seen
    assert seen == [row.claim_id for row in listed(reading, listing, P98).rows]
