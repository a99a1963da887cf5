"""`make bench`: every benchmark, or those named; one table, and one JSON file each in var/bench."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

NAMES = (
    "generate",
    "ingest",
    "fuzz",
    "worklist",
    "latency",
    "rules",
    "detection",
    "growth",
    "quality",
    "ablation",
    "feedback",
    "outliers",
    "public",
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(NAMES)}; default: all")
    parser.add_argument("--out", type=Path, default=Path("var/bench"))
    given, more = parser.parse_known_args()
    if unknown := set(given.names) - set(NAMES):
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}")
    given.out.mkdir(parents=True, exist_ok=True)
    from rich.console import Console
    from rich.table import Table

    table = Table("benchmark", "figure", "value")
    for name in given.names or NAMES:
        print(f"{name} …", file=sys.stderr)
        done = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{name}", *more], check=True, stdout=subprocess.PIPE, text=True
        )
        result = json.loads(done.stdout.strip().splitlines()[-1])
        (given.out / f"{name}.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
        for figure, value in result.items():
            if figure == "rankings":
                for row in value:
                    table.add_row(name, f"{row['ranking']}: improper money found at 2 %", str(row["money_found_2%"]))
            elif figure == "money_at_2%_over_best_baseline":
                for world in value:
                    said = f"{world['ratio']} ({world['low']}–{world['high']}) over {world['best_baseline']}"
                    table.add_row(name, figure, said)
            elif figure != "benchmark" and not _nested(value):
                table.add_row(name, figure, str(value))
    Console(width=None if sys.stdout.isatty() else 140).print(table)
    return 0


def _nested(value: object) -> bool:
    """Whether a figure is a table or curve of its own: it is in the JSON file, not in the one table."""
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(row, dict) for row in value))


if __name__ == "__main__":
    sys.exit(main())
