"""What assessors' outcomes teach, and from how few: `python -m benchmarks feedback`.

Each seed is a world of its own. The first four months are learned from without a label. Of the next, month by month,
the first 2 % of claims, ranked by priors, are taken as read and decided whole as the truth says: refused where
anything is improper. The last four months are ranked with what so many reviewed months taught; rules and detectors
speak once, only the weighing is done again. The review threshold is the place that 2 % of the months of review reach.
`--write-docs` puts the table into docs/measurement.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

from benchmarks.pages import markdown_table, put, two
from benchmarks.worlds import last_day, world

if TYPE_CHECKING:
    from datetime import date

    import polars as pl

    from data.lake import Reader
    from models.bundle import Bundle
    from models.scoring import Gathered

DOCS = Path(__file__).parents[1] / "docs"
BEGIN, END = "<!-- table: python -m benchmarks feedback --write-docs -->", "<!-- end of outcomes -->"
FIRST, REVIEWED = 4, 8  # months learned from without labels; months after which nothing is reviewed
SHARE = 0.02  # of a month's claims that assessors read
FIGURES = {
    "money": "money at 2 %",
    "precision": "average precision",
    "flags_held": "flags that held",
    "promised": "promised",
}


def _gathered(reader: Reader, bundle: Bundle, first: date, last: date | None) -> list[Gathered]:
    """What rules and detectors say of the claims discharged between two days."""
    from models.company import in_company
    from models.scoring import BY_PATIENT, gather, with_history

    targets = reader.pl(
        "select ma_cskcb, ma_lk, version, patient_id, ngay_vao from claimed_encounter "
        f"where cast(ngay_ra as date) > ? and (? is null or cast(ngay_ra as date) <= ?) order by {BY_PATIENT}",
        [first, last, last],
    )
    company = in_company(reader, targets)
    return [gather(bundle, tables, part, known=company) for tables, part, _ in with_history(reader, targets)]


def _weighed(bundle: Bundle, gathered: Sequence[Gathered], truth: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    from models.scoring import weigh

    kept = ("ma_cskcb", "ma_lk", "month", "place", "promise", "expected_recoverable", "ngay_ra")
    rows = pl.concat([weigh(bundle, one).claims.select(kept) for one in gathered])
    return rows.join(truth, on=["ma_cskcb", "ma_lk"]).sort("ma_cskcb", "ma_lk")


def reviewed(ranked: pl.DataFrame, days: Sequence[date]) -> pl.DataFrame:
    """Decisions about the first claims of each month that ends with one of `days`, as the truth has them."""
    import polars as pl

    parts: list[pl.DataFrame] = []
    for before, day in pairwise(days):
        month = ranked.filter(pl.col("ngay_ra").dt.date().is_between(before, day, closed="right"))
        first = month.sort("place", "ma_cskcb", "ma_lk", descending=[True, False, False])
        parts.append(first.head(round(SHARE * month.height)))
    return pl.concat([ranked.clear(), *parts]).select(
        "ma_cskcb",
        "ma_lk",
        line_table=pl.lit(None, dtype=pl.String),
        row_no=pl.lit(None, dtype=pl.Int32),
        confirmed=pl.col("improper_amount").cast(pl.Float64) > 0,
    )


def of_world(encounters: int, seed: int) -> list[dict[str, Any]]:
    """Figures of the last months of one world, by months reviewed."""
    import numpy as np
    import polars as pl

    from data.lake import Lake
    from detectors.fusion import shares_of
    from models.evaluation.calibration import of_flags
    from models.evaluation.measures import Labelled, measure
    from models.feedback import lessons
    from models.train import train

    with tempfile.TemporaryDirectory() as name:
        home, source = world(Path(name), encounters, seed=seed)
        days = [last_day(home, months) for months in range(FIRST, REVIEWED + 1)]
        truth = pl.read_parquet(source / "truth" / "claims.parquet")
        with Lake(home / "lake", clock=lambda: datetime.now(UTC)).reader() as reader:
            bundle = train(reader, until=days[0], seed=0).bundle
            earlier = _gathered(reader, bundle, days[0], days[-1])
            later = _gathered(reader, bundle, days[-1], None)
    shares = pl.concat([shares_of(one.signals, bundle.rarity) for one in earlier])
    by_priors = _weighed(bundle, earlier, truth)
    rows: list[dict[str, Any]] = []
    for months in range(len(days)):
        decided = reviewed(by_priors, days[: months + 1])
        taught = replace(bundle, weights=lessons(decided, shares, pivot=bundle.pivot).weights)
        past, ranked = _weighed(taught, earlier, truth), _weighed(taught, later, truth)
        pivot = past["place"].sort(descending=True)[round(SHARE * past.height) - 1]
        labelled = Labelled.of(ranked, seed=seed)
        quality = measure("taught", ranked["place"].to_numpy(), labelled)
        flagged = ((ranked["place"] >= pivot) & (ranked["expected_recoverable"] > 0)).to_numpy()
        flags = of_flags(ranked["promise"].to_numpy(), labelled.money > 0, np.asarray(flagged))
        rows.append(
            {
                "months": months,
                "reviewed": decided.height,
                "confirmed": int(decided["confirmed"].sum()),
                "money": quality.money_found[SHARE],
                "precision": quality.average_precision,
                "flags": flags["flags"],
                "flags_held": flags["held"],
                "promised": flags["promised"],
            }
        )
    return rows


def measure_outcomes(encounters: int, seeds: Sequence[int]) -> dict[str, Any]:
    """Means over the worlds by months reviewed, and each world's own."""
    worlds = [of_world(encounters, seed) for seed in seeds]
    steps = [
        {
            "months": same[0]["months"],
            **{
                name: round(mean(one[name] for one in same), 4) for name in ("reviewed", "confirmed", "flags", *FIGURES)
            },
            "by_world": [{name: round(one[name], 4) for name in ("reviewed", *FIGURES)} for one in same],
        }
        for same in zip(*worlds, strict=True)
    ]
    return {
        "benchmark": "feedback",
        "encounters": encounters,
        "seeds": list(seeds),
        **{
            f"{name} after {step['months']} months": step[name]
            for step in (steps[0], steps[-1])
            for name in ("reviewed", *FIGURES)
        },
        "steps": steps,
    }


def table(result: Mapping[str, Any]) -> str:
    """The steps as Markdown."""
    seeds = ", ".join(map(str, result["seeds"]))
    rows = [
        [
            str(step["months"]),
            f"{step['reviewed']:.0f}",
            f"{step['confirmed']:.0f}",
            *(f"{two(step[name])} ({', '.join(two(one[name]) for one in step['by_world'])})" for name in FIGURES),
        ]
        for step in result["steps"]
    ]
    heads = ("months reviewed", "claims reviewed", "confirmed", *FIGURES.values())
    return f"Worlds {seeds} of {result['encounters']:,} claims: mean (world by world).\n\n{markdown_table(heads, rows)}"


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks feedback", description=__doc__)
    parser.add_argument("--encounters", type=int, default=20_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[7, 8, 9])
    parser.add_argument("--write-docs", action="store_true", help="update docs/measurement.md")
    given = parser.parse_args(argv)
    result = measure_outcomes(given.encounters, given.seeds)
    if given.write_docs:
        put(DOCS / "measurement.md", BEGIN, END, lambda: table(result))
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
