"""The page of a worklist: how long a person or a program waits for one page of 100,000 scored claims.

Prints one JSON line: median milliseconds, warm, of the query alone (of every claim, of one of each pattern, of what
fits 40 hours), of GET /api/v1/claims and of the HTML page.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from service.accounts import Scope
from service.listing import Listing
from service.reading import ClaimFilters
from tests.lib.scored import scored_lake
from tests.lib.services import SmallService, small_service

CLAIMS = 100_000
ROUNDS = 40
ONE_PER_PATTERN = Listing(one_per_pattern=True)
FORTY_HOURS = Listing(one_per_pattern=True, hours=40)


def median_ms(ask: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Median milliseconds of `ask`, after a few calls that do not count."""
    for _ in range(3):
        ask()
    times: list[float] = []
    for _ in range(rounds):
        start = time.perf_counter()
        ask()
        times.append(time.perf_counter() - start)
    return round(statistics.median(times) * 1000, 2)


def measure_page(service: SmallService, path: str, rounds: int = ROUNDS) -> float:
    """Median milliseconds of a page as a signed-in lead gets it; fails unless the page is there."""
    client, _ = service.signed_in("hoa")

    def ask() -> None:
        answer = client.get(path, follow_redirects=False)
        if answer.status_code != 200:
            raise RuntimeError(f"{path} answered {answer.status_code}: {answer.text[:200]}")

    return median_ms(ask, rounds)


def measure(home: Path, *, claims: int = CLAIMS, rounds: int = ROUNDS, pages: bool = True) -> dict[str, float | int]:
    """Build the lake under `home` and measure query, API and page."""
    start = time.perf_counter()
    lake = scored_lake(home / "lake", claims)
    built = time.perf_counter() - start
    service = small_service(home, lake=lake, pages=pages)
    reading = service.state.reading
    start = time.perf_counter()
    reading.worklist(Scope())
    first = time.perf_counter() - start
    narrow = ClaimFilters(flagged=True, scheme="DUP_LINE", text="e11")
    top = reading.worklist(Scope()).rows[0].claim_id
    figures: dict[str, float | int] = {
        "claims": claims,
        "build_s": round(built, 2),
        "first_query_ms": round(first * 1000, 1),
        "query_ms": median_ms(lambda: reading.worklist(Scope()), rounds),
        "grouped_query_ms": median_ms(lambda: reading.worklist(Scope(), listing=ONE_PER_PATTERN), rounds),
        "budget_query_ms": median_ms(lambda: reading.worklist(Scope(), listing=FORTY_HOURS), rounds),
        "filtered_query_ms": median_ms(
            lambda: reading.worklist(Scope(("98",)), narrow, sort="-amount_at_risk", page=3), rounds
        ),
        "claim_query_ms": median_ms(lambda: reading.claim(Scope(), top), rounds),
    }
    client = service.client("hoa")
    figures["api_ms"] = median_ms(lambda: client.get("/api/v1/claims").raise_for_status(), rounds)
    if pages:
        figures["page_ms"] = measure_page(service, "/", rounds)
    service.close()
    return figures


def main() -> None:
    """Measure in a temporary folder and print the figures."""
    parser = argparse.ArgumentParser(description="time to a page of a worklist")
    parser.add_argument("--claims", type=int, default=CLAIMS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--no-pages", action="store_true", help="only query and API: no browser assets needed")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        figures = measure(Path(home), claims=asked.claims, rounds=asked.rounds, pages=not asked.no_pages)
        print(json.dumps({"benchmark": "worklist", **figures}))


if __name__ == "__main__":
    main()
