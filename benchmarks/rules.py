"""All rules over a year of claims: time, memory, growth, how often they speak where nothing is wrong, what they hit.

`python -m benchmarks rules`. Three worlds: claims with schemes at two sizes (time and memory, in a process of its own
each), and honest, tidy claims (false signs). The baseline of time is one plain pass that sums the money of the lines.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.worlds import world

_RUN = """
import json, resource, sys
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
import polars as pl
from data.lake import Lake
from detectors.base import rules
from detectors.rulebook import run_rules
from models.company import in_company
from models.scoring import BY_PATIENT, with_history

lake = Lake(Path(sys.argv[1]) / "lake", clock=lambda: datetime(2026, 10, 1, tzinfo=UTC), memory="1GB")
with lake.reader() as reader:
    begun = perf_counter()
    reader.pl("select sum(t_bhtt) from (select t_bhtt from drug_line union all select t_bhtt from service_line)")
    plain = perf_counter() - begun
    targets = reader.pl(
        "select ma_cskcb, ma_lk, version, patient_id, ngay_vao from claimed_encounter "
        f"order by {BY_PATIENT}"
    )
    seconds = loading = 0.0
    hits = []
    mark = perf_counter()
    company = in_company(reader, targets)
    together = perf_counter() - mark
    mark = perf_counter()
    for tables, part, _ in with_history(reader, targets):
        loading += perf_counter() - mark
        mark = perf_counter()
        found = run_rules(tables, known=company).hits
        found = found.join(part.select("ma_cskcb", "ma_lk"), on=["ma_cskcb", "ma_lk"], how="semi")
        hits.append(found.select("ma_cskcb", "ma_lk", "source", "scheme", "severity"))
        seconds += perf_counter() - mark
        del tables, found
        mark = perf_counter()
pl.concat(hits).unique().write_parquet(sys.argv[2])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
print(json.dumps({"rules": len(rules()), "encounters": targets.height, "seconds": seconds, "loading": loading,
                  "together": together,
                  "plain_pass": plain, "peak_gib": peak}))
"""


def _run(home: Path, hits: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", _RUN, str(home), str(hits)], check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout.strip().splitlines()[-1])


def _all(figures: dict[str, Any]) -> float:
    """Seconds of all rules, claims loaded and company kept."""
    return figures["seconds"] + figures["loading"] + figures["together"]


def measure(encounters: int, plain: int) -> dict[str, Any]:
    """Figures of all rules; `encounters` for time and a fifth of it for growth, `plain` honest ones for false signs."""
    import polars as pl

    key = ["ma_cskcb", "ma_lk"]
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        small = _run(world(root / "small", encounters // 5)[0], root / "small.parquet")
        whole = _run(world(root / "whole", encounters)[0], root / "whole.parquet")
        _run(world(root / "plain", plain, "--plain")[0], root / "plain.parquet")
        false = pl.read_parquet(root / "plain.parquet").filter(pl.col("severity") == "deny")
        truth = (
            pl.read_parquet(root / "whole" / "source" / "truth" / "claims.parquet")
            .explode("schemes")
            .drop_nulls("schemes")
        )
        hits = pl.read_parquet(root / "whole.parquet")
        signs = hits.select(*key, schemes="scheme", hit=pl.lit(value=True)).unique()
        named = truth.join(signs, on=[*key, "schemes"], how="left")
        blatant = named.filter(pl.col("intensity") == "blatant")
        by_scheme = (
            blatant.group_by("schemes")
            .agg(pl.len().alias("claims"), pl.col("hit").is_not_null().mean().round(3).alias("hit"))
            .sort("schemes")
        )
        loudest = (
            false.group_by("source")
            .agg(pl.struct(key).n_unique().alias("n"))
            .sort("n", "source", descending=[True, False])
        )
    return {
        "benchmark": "rules",
        "rules": whole["rules"],
        "encounters": whole["encounters"],
        "seconds": round(whole["seconds"], 1),
        "seconds_loading": round(whole["loading"], 1),
        "seconds_in_company": round(whole["together"], 1),
        "over_one_plain_pass": round(_all(whole) / whole["plain_pass"], 1),
        "peak_gib": round(whole["peak_gib"], 2),
        "time_for_five_times_the_claims": round(_all(whole) / _all(small), 2),
        "honest_claims": plain,
        "deny_share_of_honest_claims": round(false.select(key).unique().height / plain, 5),
        "details": {
            "deny_hits_on_honest_claims": dict(loudest.iter_rows()),
            "blatant_claims_hit_by_a_rule_of_their_scheme": {s: [n, h] for s, n, h in by_scheme.iter_rows()},
        },
    }


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encounters", type=int, default=500_000)
    parser.add_argument("--plain", type=int, default=50_000)
    given = parser.parse_args(argv)
    print(json.dumps(measure(given.encounters, given.plain)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
