"""Twice the claims: how much more time and memory `ingest` and `score` take. `python -m benchmarks growth`."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.ingest import peak_rss


def _timed(home: Path, *arguments: str) -> tuple[float, int]:
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "service", *arguments, "--json"],
        env={**os.environ, "MINHBACH_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    stop, peak = threading.Event(), [0]
    watcher = threading.Thread(target=peak_rss, args=(process.pid, stop, peak))
    watcher.start()
    code = process.wait()
    seconds = time.perf_counter() - started
    stop.set()
    watcher.join()
    if code:
        raise RuntimeError(f"minhbach {' '.join(arguments)} ended with {code}")
    return seconds, peak[0]


def measure(encounters: int = 20_000) -> dict[str, Any]:
    """Seconds and peak memory of both commands at one and at two times `encounters`."""
    found: dict[str, list[tuple[float, int]]] = {"ingest": [], "score": []}
    for times in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            home, source = Path(folder) / "home", Path(folder) / "source"
            _timed(home, "generate", str(source), "--encounters", str(times * encounters), "--seed", "7")
            found["ingest"].append(_timed(home, "ingest", str(source / "xml")))
            _timed(home, "train")
            found["score"].append(_timed(home, "score", "--all"))
    result: dict[str, Any] = {"benchmark": "growth", "encounters": [encounters, 2 * encounters]}
    for name, ((first_s, first_b), (second_s, second_b)) in found.items():
        result |= {
            f"{name}_seconds": [round(first_s, 1), round(second_s, 1)],
            f"{name}_time_ratio": round(second_s / first_s, 2),
            f"{name}_peak_gib": [round(first_b / 2**30, 2), round(second_b / 2**30, 2)],
            f"{name}_memory_ratio": round(second_b / first_b, 2),
        }
    return result


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encounters", type=int, default=20_000)
    print(json.dumps(measure(parser.parse_args(argv).encounters)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
