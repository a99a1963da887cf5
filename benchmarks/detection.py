"""Training and scoring of a year of claims: time, memory and growth, the whole way from lake to stored scores.

`python -m benchmarks detection`. Two worlds, the second five times the first; each command in a process of its own.
The baseline of time is one plain pass that sums the money of the lines.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.worlds import world


def _timed(home: Path, *arguments: str) -> tuple[float, float]:
    """Seconds a command took and its largest memory, GiB."""
    begun = perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "service", *arguments, "--json"],
        env={**os.environ, "MINHBACH_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    return perf_counter() - begun, used.ru_maxrss / 2**20


def _plain_pass(home: Path) -> float:
    from data.lake import Lake

    with Lake(home / "lake", clock=lambda: datetime.now(UTC)).reader() as reader:
        begun = perf_counter()
        reader.pl("select sum(t_bhtt) from (select t_bhtt from drug_line union all select t_bhtt from service_line)")
        return perf_counter() - begun


def of_size(encounters: int) -> dict[str, float]:
    """Seconds of training, of scoring everything, and of the plain pass; the peak of either (GiB)."""
    with tempfile.TemporaryDirectory() as name:
        home, _ = world(Path(name), encounters)
        train, learned = _timed(home, "train")
        score, scored = _timed(home, "score", "--all")
        plain = _plain_pass(home)
    return {"train": train, "score": score, "plain": plain, "learned": learned, "scored": scored}


def measure(encounters: int) -> dict[str, Any]:
    """Figures of `encounters` and growth from a fifth of them."""
    small, whole = of_size(encounters // 5), of_size(encounters)
    return {
        "benchmark": "detection",
        "encounters": encounters,
        "seconds_training": round(whole["train"], 1),
        "seconds_scoring": round(whole["score"], 1),
        "scoring_over_one_plain_pass": round(whole["score"] / whole["plain"], 1),
        "peak_gib_training": round(whole["learned"], 2),
        "peak_gib_scoring": round(whole["scored"], 2),
        "scoring_time_for_five_times_the_claims": round(whole["score"] / small["score"], 2),
    }


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encounters", type=int, default=500_000)
    given = parser.parse_args(argv)
    print(json.dumps(measure(given.encounters)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
