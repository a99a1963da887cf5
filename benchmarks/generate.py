"""How fast claims are made, in how much memory, and one seed twice: `python -m benchmarks generate`.

The plain way beside it: the same files read and written again with the standard library's XML, which makes nothing up.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path
from time import perf_counter
from typing import Any

_RUN = """
import json, resource, sys
from pathlib import Path
from time import perf_counter
from data.synthetic import generate
begun = perf_counter()
report = generate(Path(sys.argv[1]), encounters=int(sys.argv[2]), months=12, seed=7, layout=sys.argv[3])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"seconds": perf_counter() - begun, "peak_mib": peak, "improper": report.improper_claims,
                  "share": report.improper_share_of_money}))
"""


def _made(folder: Path, encounters: int, layout: str = "xml") -> dict[str, Any]:
    import subprocess

    done = subprocess.run(
        [sys.executable, "-c", _RUN, str(folder), str(encounters), layout], check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout)


def _digest(folder: Path) -> str:
    found = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        found.update(str(path.relative_to(folder)).encode())
        found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def _rewritten(folder: Path) -> float:
    begun = perf_counter()
    out = folder / "again.xml"
    for path in sorted((folder / "xml").rglob("*.xml")):
        ET.parse(path).write(out, encoding="utf-8")  # noqa: S314 - our own files
    return perf_counter() - begun


def measure(encounters: int = 200_000) -> dict[str, Any]:
    """Time and peak memory of `encounters` and of half as many, the plain rewriting, and two runs compared."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        half, whole = _made(root / "half", encounters // 2), _made(root / "whole", encounters)
        rewriting = _rewritten(root / "whole")
        tables = _made(root / "tables", encounters, "parquet")
        again = [_digest(root / f) for f in ("a", "b") if _made(root / f, 20_000)]
    return {
        "benchmark": "generate",
        "encounters": encounters,
        "seconds": round(whole["seconds"], 1),
        "encounters_per_second": round(encounters / whole["seconds"]),
        "over_plain_rewriting": round(whole["seconds"] / rewriting, 2),
        "parquet_seconds": round(tables["seconds"], 1),
        "time_for_twice_the_claims": round(whole["seconds"] / half["seconds"], 2),
        "peak_mib": round(whole["peak_mib"]),
        "memory_for_twice_the_claims": round(whole["peak_mib"] / half["peak_mib"], 2),
        "improper_share_of_claims": round(whole["improper"] / encounters, 4),
        "improper_share_of_money": round(whole["share"], 4),
        "same_bytes": again[0] == again[1],
    }


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encounters", type=int, default=200_000)
    print(json.dumps(measure(parser.parse_args(argv).encounters)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
