"""Ten thousand claim files that went wrong on the way: none may stop intake, and no good claim may be lost with one.

`python -m benchmarks fuzz` prints what was read, the slowest file, the promises broken, and the problems by code. Every
file follows from the seed and its number, so that one that shows a fault is made again by `--only NUMBER`. A sample is
loaded by the product's own ingest as well.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import tempfile
import time
import warnings
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.lib.mutations import fuzzed, ingested, outcomes_of

BATCH = 10  # files typed together
SHARE = 200  # files a worker takes at a time
INGESTED = 25  # every so many shares' first files are loaded into a lake of their own
SAMPLE = 40
SHOWN = 40  # faults told one by one


@dataclass
class Found:
    """What came of some of the files."""

    files: int = 0
    claims: int = 0
    kept: int = 0
    lost: int = 0
    loaded: int = 0
    slowest: tuple[float, int, str] = (0.0, 0, "")
    problems: Counter[str] = field(default_factory=Counter[str])
    faults: list[str] = field(default_factory=list[str])

    def add(self, other: Found) -> None:
        self.files += other.files
        self.claims += other.claims
        self.kept += other.kept
        self.lost += other.lost
        self.loaded += other.loaded
        self.slowest = max(self.slowest, other.slowest)
        self.problems += other.problems
        self.faults += other.faults


def share(seed: int, numbers: range, *, load: bool) -> Found:
    """Make, read and judge the files of these numbers."""
    warnings.simplefilter("error")
    found = Found()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for at in range(numbers.start, numbers.stop, BATCH):
            files = [fuzzed(seed, number) for number in range(at, min(at + BATCH, numbers.stop))]
            for outcome in outcomes_of(files, folder):
                given = outcome.fuzzed
                found.files += 1
                found.claims += len(given.claims)
                found.kept += len(given.kept)
                found.lost += outcome.lost
                found.slowest = max(found.slowest, (round(outcome.seconds, 2), given.number, given.mutation))
                found.problems += outcome.problems
                found.faults += [f"{given.number}: {fault} | {given.mutation}" for fault in outcome.faults]
        if load:
            sample = [fuzzed(seed, number) for number in numbers[:SAMPLE]]
            found.loaded += len(sample)
            found.faults += [f"ingest: {fault}" for fault in ingested(sample, folder)]
    return found


def measure(files: int, *, seed: int, workers: int) -> dict[str, Any]:
    """All files, in worker processes."""
    started = time.perf_counter()
    total = Found()
    shares = [range(at, min(at + SHARE, files)) for at in range(0, files, SHARE)]
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        jobs = [pool.submit(share, seed, part, load=i % INGESTED == 0) for i, part in enumerate(shares)]
        for done in as_completed(jobs):
            total.add(done.result())
    for fault in total.faults[:SHOWN]:
        print(fault, file=sys.stderr)
    seconds, number, mutation = total.slowest
    return {
        "benchmark": "fuzz",
        "files": total.files,
        "seed": seed,
        "good_claims": total.claims,
        "must_be_read": total.kept,
        "lost_claims": total.lost,
        "crashes": sum(": crash: " in fault for fault in total.faults),
        "faults": len(total.faults),
        "ingested_files": total.loaded,
        "slowest_s": seconds,
        "slowest": f"{number}: {mutation}",
        "seconds": round(time.perf_counter() - started),
        "problems": dict(total.problems.most_common()),
    }


def one(seed: int, number: int) -> dict[str, Any]:
    """What came of a single file."""
    with tempfile.TemporaryDirectory() as folder:
        (outcome,) = outcomes_of([fuzzed(seed, number)], Path(folder))
    return {
        "benchmark": "fuzz",
        "number": number,
        "mutation": outcome.fuzzed.mutation,
        "may_lose": outcome.fuzzed.may_lose,
        "seconds": round(outcome.seconds, 2),
        "problems": dict(outcome.problems),
        "faults": outcome.faults,
    }


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", type=int, metavar="NUMBER", help="this one file")
    given = parser.parse_args(argv)
    if given.only is not None:
        result = one(given.seed, given.only)
    else:
        result = measure(given.files, seed=given.seed, workers=given.workers)
    print(json.dumps(result, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
