"""All rules over a year of claims: time, memory, growth, how often they speak where nothing is wrong, what they hit.

`python -m benchmarks rules`. Three worlds: claims with schemes at two sizes (time and memory, in a process of its own
each), and honest, tidy claims (false signs). The baseline of time is one plain pass that sums the money of the lines.

The bar for schemes that rules decide (`data/schemes.py`) is that 95 % of their blatant cases are hit: by a rule of the
scheme, or by any rule that warns or denies. A case is a claim, or the claims of one deed where what is wrong lies
between them (a shared bed): the one that completes the sign carries it for all. The same share of claims stands beside
it, and so do the honest claims of the same care types that the same rules hit. `--seed`, `--scheme` (again and again)
and `--share` make a world thick with what is asked about:
`python -m benchmarks rules --encounters 20000 --plain 5000 --seed 51 --share 8 --scheme BED_SHARE_FULL`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.worlds import world
from data.schemes import decided_by

if TYPE_CHECKING:
    import polars as pl

BAR = 0.95  # share of the blatant cases of a scheme that rules must hit
KEY = ["ma_cskcb", "ma_lk"]

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


def blatant_hits(claims: pl.DataFrame, hits: pl.DataFrame) -> pl.DataFrame:
    """By scheme, its blatant claims, who decides it, and the shares that rules hit of them and of honest claims.

    `claims` is the truth with `ma_loai_kcb`, `hits` has scheme and severity. `own` counts signs of the scheme's rules,
    `loud` signs of any rule that warns or denies, `hit` either; `honest_` the same rules on honest claims of the same
    care types, in the proportion of the blatant ones. `cases_hit` is the share of `cases` of which a claim is hit.
    """
    import polars as pl

    loud = hits.filter(pl.col("severity") != "info").select(*KEY, loud=pl.lit(value=True)).unique()
    own = hits.select(*KEY, "scheme", own=pl.lit(value=True)).unique()
    named = claims.explode("schemes").rename({"schemes": "scheme"})
    blatant = named.filter(pl.col("intensity") == "blatant", pl.col("scheme").is_not_null()).select(
        *KEY, "scheme", "ma_loai_kcb", "case_id"
    )
    honest = claims.filter(~pl.col("is_fraud")).select(*KEY, "ma_loai_kcb")
    size = honest.group_by("ma_loai_kcb").agg(honest=pl.len())
    by_care = size.join(
        honest.join(loud, on=KEY).group_by("ma_loai_kcb").agg(honest_loud=pl.len()), on="ma_loai_kcb", how="left"
    ).with_columns(pl.col("honest_loud").fill_null(0) / pl.col("honest"))
    by_rule = honest.join(own, on=KEY).group_by("ma_loai_kcb", "scheme").agg(honest_own=pl.len())
    told = (
        blatant.join(own, on=[*KEY, "scheme"], how="left")
        .join(loud, on=KEY, how="left")
        .join(by_care, on="ma_loai_kcb", how="left")
        .join(by_rule, on=["ma_loai_kcb", "scheme"], how="left")
        .with_columns(
            pl.col("own", "loud").fill_null(value=False), pl.col("honest_own").fill_null(0) / pl.col("honest")
        )
        .with_columns(hit=pl.col("own") | pl.col("loud"))
    )
    shares = ("own", "loud", "hit", "honest_own", "honest_loud")
    decided = decided_by()
    by_case = told.group_by("scheme", "case_id").agg(pl.col("hit").any())
    cases = by_case.group_by("scheme").agg(cases=pl.len(), cases_hit=pl.col("hit").mean().round(4))
    return (
        told.group_by("scheme")
        .agg(pl.len().alias("claims"), *(pl.col(name).mean().round(4) for name in shares))
        .with_columns(by=pl.col("scheme").replace_strict(decided, return_dtype=pl.String))
        .join(cases, on="scheme")
        .select("scheme", "by", "claims", *shares, "cases", "cases_hit")
        .sort("scheme")
    )


def measure(encounters: int, plain: int, seed: int, more: tuple[str, ...]) -> dict[str, Any]:
    """Figures of all rules; `encounters` for time and a fifth of it for growth, `plain` honest ones for false signs."""
    import polars as pl

    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        small = _run(world(root / "small", encounters // 5, *more, seed=seed)[0], root / "small.parquet")
        whole = _run(world(root / "whole", encounters, *more, seed=seed)[0], root / "whole.parquet")
        _run(world(root / "plain", plain, "--plain", seed=seed)[0], root / "plain.parquet")
        false = pl.read_parquet(root / "plain.parquet").filter(pl.col("severity") == "deny")
        source = root / "whole" / "source"
        care = pl.read_parquet(source / "parquet" / "XML1.parquet", columns=["MA_CSKCB", "MA_LK", "MA_LOAI_KCB"])
        truth = pl.read_parquet(source / "truth" / "claims.parquet").join(care.rename(str.lower), on=KEY)
        by_scheme = blatant_hits(truth, pl.read_parquet(root / "whole.parquet"))
        loudest = (
            false.group_by("source")
            .agg(pl.struct(KEY).n_unique().alias("n"))
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
        "deny_share_of_honest_claims": round(false.select(KEY).unique().height / plain, 5),
        "decided_by_rules_below_the_bar": _below(by_scheme, "hit"),
        "decided_by_rules_below_the_bar_by_case": _below(by_scheme, "cases_hit"),
        "decided_by_rules_below_the_bar_of_warn_and_deny": _below(by_scheme, "loud"),
        "details": {
            "deny_hits_on_honest_claims": dict(loudest.iter_rows()),
            "blatant_claims": by_scheme.to_dicts(),
        },
    }


def _below(by_scheme: pl.DataFrame, share: str) -> dict[str, float]:
    """Schemes that rules decide whose `share` does not reach the bar."""
    few = by_scheme.filter((by_scheme["by"] != "statistics") & (by_scheme[share] < BAR))
    return dict(few.select("scheme", share).iter_rows())


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encounters", type=int, default=500_000)
    parser.add_argument("--plain", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--scheme", action="append", default=[], help="inject only this scheme; again and again")
    parser.add_argument("--share", type=float, default=1.0, help="times the usual share of improper claims")
    given = parser.parse_args(argv)
    more = ("--share", str(given.share), *(word for name in given.scheme for word in ("--scheme", name)))
    print(json.dumps(measure(given.encounters, given.plain, given.seed, more)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
