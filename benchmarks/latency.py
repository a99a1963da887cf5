"""Time to a score: how long a program waits for one claim and for a hundred by POST /api/v1/score.

Prints one JSON line: median and slowest milliseconds, warm, through the application in this process, beside what is not
scoring (the same body through `json.loads`), one rule alone over the same claim, and all rules with every query planned
to its end. The way includes the rules that look at the facility's other claims in the lake: what these take of it is
told apart, with how many claims they had beside the one asked about.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import polars as pl

from data.xml130 import RawRecord, read_envelope
from detectors.base import rules
from detectors.rulebook import run_rules
from models.company import IN_COMPANY, company_of, facility_rules
from service.bootstrap import App
from service.settings import load_settings
from tests.lib.pipeline import KEY, Pipeline, build, now

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from data.lake import Reader

ENCOUNTERS = 3_000
ROUNDS = 20
MANY = 100


def measure(made: Pipeline, database: Path, *, rounds: int = ROUNDS, many: int = MANY) -> dict[str, Any]:
    """Ask the service over a world that was loaded and learned from; `database` is made for it."""
    bodies = [json.dumps(claim) for claim in _claims(made, rounds + many)]
    alone, together = [f"[{body}]" for body in bodies[:rounds]], f"[{','.join(bodies[rounds:])}]"
    settings = load_settings(home=made.home, database_url=f"sqlite:///{database}", pseudonym_key=KEY.decode())
    app = App(settings, clock=now)
    company = _Company()
    try:
        client = _client(app)

        def ask(body: str) -> None:
            answer = client.post("/api/v1/score", content=body, headers={"Content-Type": "application/json"})
            if answer.status_code != 200:
                raise RuntimeError(f"answered {answer.status_code}: {answer.text[:200]}")

        ask(alone[0])  # loads the model
        with patch("models.scoring.company_of", company.timed):
            single = _times(ask, alone)
        batch = _times(ask, [together] * max(2, rounds // 4))
    finally:
        app.database.dispose()
    figures: dict[str, Any] = {
        "rules": len(rules()),
        "one_claim_ms": median(single),
        "one_claim_slowest_ms": max(single),
        "company_rules": len(facility_rules()),
        "one_claim_company_ms": median(company.times),
        "many_claims": len(bodies) - rounds,
        "many_claims_ms": median(batch),
    }
    figures["one_claim_json_ms"] = median(_times(json.loads, alone))
    with made.lake.reader() as reader:
        figures["company_claims"] = median(company.sizes(reader))
        key = json.loads(bodies[0])["XML1"][0]
        tables = reader.claim_tables("ma_cskcb = ? and ma_lk = ?", [key["ma_cskcb"], key["ma_lk"]])
    some = [rule for rule in rules() if rule.id == "BED-01"]
    few = [0] * max(2, rounds // 4)
    figures["one_rule_ms"] = median(_times(lambda _: run_rules(tables, some), few))
    figures["all_rules_ms"] = median(_times(lambda _: run_rules(tables), few))
    with patch("detectors.early.MOST", -1):
        figures["all_rules_planned_ms"] = median(_times(lambda _: run_rules(tables), few))
    return {name: round(value, 2) if isinstance(value, float) else value for name, value in figures.items()}


class _Company:
    """What the rules in company take of each request, and how many claims of the lake they were given."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.asked: list[pl.DataFrame] = []

    def timed(self, reader: Reader, claims: Mapping[str, pl.DataFrame]) -> Mapping[str, pl.DataFrame]:
        start = time.perf_counter()
        found = company_of(reader, claims)
        self.times.append((time.perf_counter() - start) * 1000)
        self.asked.append(claims["encounter"])
        return found

    def sizes(self, reader: Reader) -> list[int]:
        """How many claims of the lake each request had for company."""
        counted: list[int] = []
        for encounter in self.asked:
            last = pl.coalesce("ngay_ra", "ngay_vao")
            reader.keep("_span", encounter.select("ma_cskcb", first="ngay_vao", last=last))
            within = reader.pl(f"select count(*) as n from claimed_encounter where {IN_COMPANY.format(of='_span')}")
            counted.append(int(within["n"][0]))
        return counted


def _times(ask: Callable[[Any], object], given: Sequence[Any]) -> list[float]:
    times: list[float] = []
    for each in given:
        start = time.perf_counter()
        ask(each)
        times.append((time.perf_counter() - start) * 1000)
    return times


def _claims(made: Pipeline, count: int) -> list[dict[str, list[dict[str, str | None]]]]:
    """Claims as facilities sent them, the last `count` of the world, each once: those have the most company."""
    found: dict[tuple[str | None, str | None], dict[str, list[dict[str, str | None]]]] = {}
    for path in sorted(
        (made.source / "xml").rglob("*.xml"), key=lambda path: path.stem.partition("_")[2], reverse=True
    ):
        with path.open("rb") as file:
            for item in read_envelope(file):
                if isinstance(item, RawRecord):
                    head = item.tables["XML1"][0]
                    found[head["ma_cskcb"], head["ma_lk"]] = dict(item.tables)
        if len(found) >= count:
            break
    return list(found.values())[:count]


def _client(app: App) -> TestClient:
    from starlette.testclient import TestClient

    from service.api import create_app

    app.accounts.add_user("may", role="machine", actor="benchmark")
    _, token = app.accounts.create_token("may", label="benchmark", days=1, actor="benchmark")
    return TestClient(create_app(app.state()), headers={"Authorization": f"Bearer {token}"})


def main() -> None:
    """Measure in a temporary folder and print the figures."""
    parser = argparse.ArgumentParser(description="time to a score by the API")
    parser.add_argument("--encounters", type=int, default=ENCOUNTERS, help="claims in the lake")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        made = build(Path(home), encounters=asked.encounters)
        figures = measure(made, Path(home) / "minhbach.db", rounds=asked.rounds)
        print(json.dumps({"benchmark": "latency", "claims_in_lake": asked.encounters, **figures}))


if __name__ == "__main__":
    main()
