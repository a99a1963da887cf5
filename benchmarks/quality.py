"""Improper money found on generated claims, beside every baseline, over several seeds: `python -m benchmarks quality`.

Each seed is a world of its own: generated, loaded, learned from without labels, scored, compared with its truth.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import mean
from typing import Any


def _minhbach(home: Path, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "service", *arguments, "--json"],
        env={**os.environ, "MINHBACH_HOME": str(home)},
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    return json.loads(done.stdout)


def measure(encounters: int = 20_000, seeds: tuple[int, ...] = (7, 8, 9)) -> dict[str, Any]:
    """Mean over the seeds of every ranking's figures, and the worst seed of ours against its best baseline."""
    tables: list[list[dict[str, Any]]] = []
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            home, source = Path(folder) / "home", Path(folder) / "source"
            _minhbach(home, "generate", str(source), "--encounters", str(encounters), "--seed", str(seed))
            _minhbach(home, "catalogue", "load", str(source / "catalogues"))
            _minhbach(home, "ingest", str(source / "xml"))
            _minhbach(home, "train")
            _minhbach(home, "score")
            tables.append(_minhbach(home, "evaluate", "--truth", str(source / "truth"))["rankings"])
    figures = [key for key in tables[0][0] if key != "ranking"]
    means = [
        {"ranking": rows[0]["ranking"], **{key: round(mean(row[key] for row in rows), 3) for key in figures}}
        for rows in zip(*tables, strict=True)
    ]
    ratios = [table[0]["money_found_2%"] / max(row["money_found_2%"] for row in table[1:]) for table in tables]
    return {
        "benchmark": "quality",
        "encounters": encounters,
        "seeds": list(seeds),
        "rankings": means,
        "money_at_2%_over_best_baseline": [round(ratio, 2) for ratio in ratios],
    }


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encounters", type=int, default=20_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[7, 8, 9])
    given = parser.parse_args(argv)
    print(json.dumps(measure(given.encounters, tuple(given.seeds))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
