"""Which outlier detectors earn their place: `python -m benchmarks outliers`.

Each seed is a world of its own: twelve months generated and loaded, the first eight learned from without labels, the
rest scored. Every detector of detectors/outliers is measured alone, together and left out, by

- `auc_in_peers`: the chance that an improper claim stands above a proper one of its own care type and facility rank;
- `money_2%`, `claims_2%`: found when the score alone ranks the claims, peer group against peer group;
- `ranking_money_2%`: found by the whole ranking when this is its word on odd shapes. The rules and the expected cost,
  with the fund's money behind them, come first in it: what is left to an outlier detector is the order of the others.

A detector is kept if it raises the mean `auc_in_peers` of those before it by `WORTH`, and in most worlds.
`--write-docs` puts the tables into docs/outliers.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.pages import markdown_table, put, two
from benchmarks.worlds import LEARNED, MONTHS, last_day, minhbach
from benchmarks.worlds import world as loaded

Floats = NDArray[np.float64]

CLAIM = ["ma_cskcb", "ma_lk"]
WORTH = 0.002  # gain of mean AUC within peers that a further detector must bring
TIMED_ROWS = 60_000
TOP = 0.02
SEEDS = (7, 8, 9, 10, 11, 12)  # three alone choose now one detector, now another
PAGE = Path(__file__).parents[1] / "docs" / "outliers.md"
BEGIN, END = "<!-- table: python -m benchmarks outliers --write-docs -->", "<!-- end of table -->"


@dataclass(frozen=True, kw_only=True)
class World:
    """The held-out claims of one world: what is true, what each detector says, what the rest of the ranking says."""

    scores: Mapping[str, Floats]  # nought where the detector stands aside
    seconds: Mapping[str, tuple[float, float]]  # to fit; to score 500,000 claims
    improper: NDArray[np.bool_]
    money: Floats  # improper VND
    peers: NDArray[np.int64]
    recoverable: Floats  # of the ranking's signs
    bill: Floats
    seed: int


def world(encounters: int, seed: int) -> World:
    """Generate, load, train and score one world; fit every detector on the months learned from."""
    from data.lake import Lake
    from detectors.discovery import outlier_detectors
    from detectors.rulebook import blank_fields
    from features.matrix import build_matrix
    from models.evaluation.truth import read_truth

    kinds = outlier_detectors()
    with tempfile.TemporaryDirectory() as folder:
        home, source = loaded(Path(folder), encounters, seed=seed)
        until = last_day(home, LEARNED)
        minhbach(home, "train", "--until", until.isoformat())
        minhbach(home, "score", "--since", (until + timedelta(days=1)).isoformat())
        truth = read_truth(source / "truth")
        with Lake(home / "lake", clock=lambda: datetime.now(UTC)).reader() as reader:
            tables = reader.claim_tables("copy_of is null")
            blanks = blank_fields(tables, {field for kind in kinds.values() for field in kind.needs})
            matrix = build_matrix(tables, "encounter")
            days = reader.pl(
                "select ma_cskcb, ma_lk, cast(coalesce(ngay_ra, ngay_vao) as date) as day, "
                "cast(coalesce(t_bhtt, t_tongchi_bh) as double) as bill from encounter"
            )
            ranked = reader.pl(
                "select ma_cskcb, ma_lk, cast(expected_recoverable as double) as recoverable from claim_score"
            )
    rows = matrix.join(days, on=CLAIM, maintain_order="left").join(blanks, on=CLAIM, how="left", maintain_order="left")
    early = rows.filter(pl.col("day") <= until)
    late = rows.join(ranked, on=CLAIM, maintain_order="left").join(truth, on=CLAIM, how="left", maintain_order="left")
    scores: dict[str, Floats] = {}
    seconds: dict[str, tuple[float, float]] = {}
    for name, kind in kinds.items():
        lacks = [pl.col(field).fill_null(value=False) for field in kind.needs if field in blanks.columns]
        able = pl.lit(value=True) if not lacks else ~pl.any_horizontal(lacks)
        learned = early.filter(able & (pl.col("lines_total") > 0))
        started = time.perf_counter()
        detector = kind().fit(learned, seed=0)
        fitted = time.perf_counter() - started
        many = pl.concat([learned] * (TIMED_ROWS // learned.height + 1)).head(TIMED_ROWS)
        started = time.perf_counter()
        detector.score(many)
        seconds[name] = (fitted, (time.perf_counter() - started) * 500_000 / TIMED_ROWS)
        judged = late.select((able & (pl.col("lines_total") > 0)).alias("able"))["able"].to_numpy()
        scores[name] = np.where(judged, detector.score(late).to_numpy(), 0.0)
    peers = late.select(pl.struct("ma_loai_kcb", "facility_rank").rank("dense").alias("peers"))["peers"]
    amount = late["improper_amount"].fill_null(0.0).to_numpy()
    return World(
        scores=scores,
        seconds=seconds,
        improper=late["is_fraud"].fill_null(value=False).to_numpy(),
        money=amount,
        peers=peers.cast(pl.Int64).to_numpy(),
        recoverable=late["recoverable"].fill_null(0.0).to_numpy(),
        bill=late["bill"].fill_null(0.0).clip(0.0).to_numpy(),
        seed=seed,
    )


# one number a claim from several detectors


def log_tail(score: Floats) -> Floats:
    """How many zeros the chance of so odd a claim has."""
    return -np.log10(np.maximum(1.0 - score, 1e-6))


def strength(score: Floats) -> Floats:
    """As the ranking takes a score: nothing below nine in ten, all at nine thousand nine hundred ninety-nine."""
    return np.clip((log_tail(score) - 1.0) / 3.0, 0.0, 1.0)


def mean_rank(scores: Sequence[Floats]) -> Floats:
    """The mean place among peers."""
    return np.mean(scores, axis=0)


def mean_log_tail(scores: Sequence[Floats]) -> Floats:
    """The mean of the log tails: very odd to a few counts for more than a little odd to all."""
    return np.mean([log_tail(score) for score in scores], axis=0)


def strangest(scores: Sequence[Floats]) -> Floats:
    """The word of the one that finds it oddest."""
    return np.max([log_tail(score) for score in scores], axis=0)


# figures


def placed(scores: Floats, improper: NDArray[np.bool_], peers: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """For each improper claim: the part of its group's proper claims that it stands above (ties half); their number."""
    above, among = np.zeros(int(improper.sum())), np.zeros(int(improper.sum()))
    of_improper = peers[improper]
    for group in np.unique(of_improper):
        mine = of_improper == group
        others = np.sort(scores[(peers == group) & ~improper])
        if not others.size:
            continue
        own = scores[improper][mine]
        left, right = (np.searchsorted(others, own, side=side) for side in ("left", "right"))
        above[mine], among[mine] = (left + right) / 2 / others.size, others.size
    return above, among


def auc_in_peers(scores: Floats, improper: NDArray[np.bool_], peers: NDArray[np.int64]) -> float:
    """AUC over the pairs of claims of one peer group; NaN where no group has both kinds."""
    above, among = placed(scores, improper, peers)
    return float((above * among).sum() / among.sum()) if among.sum() else float("nan")


def gained(worlds: Sequence[World], before: Sequence[str], after: Sequence[str]) -> tuple[list[float], float]:
    """AUC within peers that `after` has over `before`, world by world, and the standard error of the mean.

    Paired, over the improper claims as if they came singly; they come in clusters, so the error is rather larger.
    """
    gains: list[float] = []
    squares = 0.0
    for one in worlds:
        then, among = placed(_said(one, before), one.improper, one.peers)
        now, _ = placed(_said(one, after), one.improper, one.peers)
        weight = among / among.sum()
        gain = float(((now - then) * weight).sum())
        gains.append(round(gain, 4))
        squares += float((weight**2 * (now - then - gain) ** 2).sum())
    return gains, round(squares**0.5 / len(worlds), 4)


def _said(one: World, names: Sequence[str]) -> Floats:
    return mean_log_tail([one.scores[name] for name in names]) if names else np.zeros(one.bill.size)


def figures(one: World, names: Sequence[str], together: Callable[[Sequence[Floats]], Floats]) -> dict[str, float]:
    """What these detectors find in a world; no names at all: the ranking without outlier detectors."""
    from detectors.fusion import Weights
    from models.evaluation.measures import Labelled, counted

    weights = Weights()
    said = [one.scores[name] for name in names]
    odd = together(said) if said else np.zeros(one.bill.size)
    strange = np.mean([strength(score) for score in said], axis=0) if said else odd
    if together is strangest and said:
        strange = np.max([strength(score) for score in said], axis=0)
    place = one.recoverable + (weights.base + weights.outlier * strange) * one.bill
    tie = np.random.default_rng(one.seed).random(odd.size)
    labelled = Labelled(money=one.money, kind=np.full(odd.size, ""), tie=tie)

    def found(scores: Floats) -> dict[str, float]:
        return counted(one.money[labelled.order(scores)], np.ones(odd.size, dtype=np.int64))

    alone = found(odd)
    return {
        "auc_in_peers": auc_in_peers(odd, one.improper, one.peers),
        "money_2%": alone["money_found_2%"],
        "claims_2%": alone["claims_found_2%"],
        "ranking_money_2%": found(place)["money_found_2%"],
        "ranking_average_precision": found(place)["average_precision"],
    }


def means(
    worlds: Sequence[World], names: Sequence[str], together: Callable[[Sequence[Floats]], Floats]
) -> dict[str, Any]:
    """`figures`, as means over the worlds; of the AUC each world's own too."""
    rows = [figures(one, names, together) for one in worlds]
    made: dict[str, Any] = {name: round(mean(row[name] for row in rows), 4) for name in rows[0]}
    return {**made, "auc_by_world": [round(row["auc_in_peers"], 4) for row in rows]}


def chosen(worlds: Sequence[World], names: Sequence[str], worth: float = WORTH) -> list[dict[str, Any]]:
    """The detectors in the order of what each adds to those before it; kept as long as it is enough."""
    steps: list[dict[str, Any]] = []
    kept: list[str] = []
    enough = True
    while rest := [name for name in names if name not in kept]:
        tried = [(means(worlds, [*kept, name], mean_log_tail), name) for name in rest]
        best, name = max(tried, key=lambda pair: (pair[0]["auc_in_peers"], pair[1]))
        gains, error = gained(worlds, kept, [*kept, name])
        enough = enough and mean(gains) >= worth and sum(gain > 0 for gain in gains) * 2 > len(gains)
        more = {"kept": enough, "gain": round(mean(gains), 4), "error": error, "gain_by_world": gains}
        steps.append({"detector": name, **more, **best})
        kept.append(name)
    return steps


def between(
    worlds: Sequence[World], names: Sequence[str], compared: Callable[[Floats, Floats], float]
) -> dict[str, Any]:
    """Something of every pair of detectors, as the mean over the worlds."""
    return {
        a: {b: round(mean(compared(one.scores[a], one.scores[b]) for one in worlds), 2) for b in names} for a in names
    }


def correlation(a: Floats, b: Floats) -> float:
    """Spearman's rank correlation."""
    places = [pl.Series(score).rank().to_numpy() for score in (a, b)]
    return float(np.corrcoef(*places)[0, 1])


def overlap(a: Floats, b: Floats) -> float:
    """Part of the first two in a hundred that are the same claims."""
    size = max(round(a.size * TOP), 1)
    first, second = (set(np.argsort(-score, kind="stable")[:size].tolist()) for score in (a, b))
    return len(first & second) / size


def measure(encounters: int = 20_000, seeds: Sequence[int] = SEEDS) -> dict[str, Any]:
    """Every figure, as the mean over the worlds."""
    worlds: list[World] = []
    for seed in seeds:
        print(f"world {seed} …", file=sys.stderr)
        worlds.append(world(encounters, seed))
    return summed(worlds, encounters)


def summed(worlds: Sequence[World], encounters: int) -> dict[str, Any]:
    """The figures of worlds already scored."""
    names = list(worlds[0].scores)
    steps = chosen(worlds, names)
    kept = [step["detector"] for step in steps if step["kept"]]
    alone = {
        name: {
            **means(worlds, [name], mean_log_tail),
            "fit_s": round(mean(one.seconds[name][0] for one in worlds), 2),
            "score_500k_s": round(mean(one.seconds[name][1] for one in worlds), 2),
        }
        for name in names
    }
    sets = {"none": [], "all": names, "kept": kept}
    ways = {"mean rank": mean_rank, "mean log tail": mean_log_tail, "the strangest": strangest}
    return {
        "benchmark": "outliers",
        "encounters": encounters,
        "seeds": [one.seed for one in worlds],
        "evaluated": [int(one.bill.size) for one in worlds],
        "improper": [int(one.improper.sum()) for one in worlds],
        "kept": kept,
        "alone": alone,
        "together": {
            f"{label}, {way}" if members else label: means(worlds, members, how)
            for label, members in sets.items()
            for way, how in ways.items()
        },
        "all_without": {
            name: means(worlds, [other for other in names if other != name], mean_log_tail) for name in names
        },
        "steps": steps,
        "correlation": between(worlds, names, correlation),
        "overlap_2%": between(worlds, names, overlap),
        "score_500k_s": round(sum(row["score_500k_s"] for row in alone.values()), 1),
    }


# for docs/


def tables(result: Mapping[str, Any]) -> str:
    """The page's tables as Markdown."""
    seeds = ", ".join(str(seed) for seed in result["seeds"])
    words = (
        f"Worlds {seeds} of {result['encounters']:,} claims and {MONTHS} months each: the first {LEARNED} months were "
        f"learned from, the later ones measured ({', '.join(f'{n:,}' for n in result['evaluated'])} claims, "
        f"{', '.join(str(n) for n in result['improper'])} of them improper). Means over the worlds."
    )
    heads = ("", "AUC in peers", "by world", "money at 2 %", "claims at 2 %", "whole ranking, money at 2 %", "AP")

    def cells(label: str, row: Mapping[str, Any]) -> list[str]:
        by_world = ", ".join(f"{value:.3f}" for value in row["auc_by_world"])
        rest = ("money_2%", "claims_2%")
        ranking = (row["ranking_money_2%"], row["ranking_average_precision"])
        return [
            label,
            f"{row['auc_in_peers']:.3f}",
            by_world,
            *(two(row[name]) for name in rest),
            *(f"{value:.3f}" for value in ranking),
        ]

    rows = [
        [*cells(name, row), f"{row['fit_s']:.1f}", f"{row['score_500k_s']:.1f}"]
        for name, row in result["alone"].items()
    ]
    more = [
        *(cells(label, row) for label, row in result["together"].items()),
        *(cells(f"all but {name}, mean log tail", row) for name, row in result["all_without"].items()),
    ]
    steps = [
        [
            step["detector"],
            f"{step['auc_in_peers']:.3f}",
            f"{step['gain']:+.3f} ± {step['error']:.3f}",
            ", ".join(f"{gain:+.3f}" for gain in step["gain_by_world"]),
            "kept" if step["kept"] else "adds too little",
        ]
        for step in result["steps"]
    ]
    pairs = [
        [a, *(f"{result['correlation'][a][b]:.2f} / {result['overlap_2%'][a][b]:.2f}" for b in row)]
        for a, row in result["correlation"].items()
    ]
    return "\n\n".join(
        (
            words,
            markdown_table((*heads, "fit, s", "500,000 scored, s"), rows),
            "Together:",
            markdown_table(heads, more),
            f"One after another, by what each adds (at least {WORTH} of AUC, in most worlds):",
            markdown_table(("detector", "AUC in peers", "gain ± standard error", "by world", ""), steps),
            "Rank correlation / part of the first 2 % that is the same:",
            markdown_table(("", *result["correlation"]), pairs),
        )
    )


def write_docs(result: Mapping[str, Any], page: Path = PAGE) -> None:
    """Put the tables where the page has them; what stands outside the markers is left alone."""
    put(page, BEGIN, END, lambda: tables(result))


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks outliers", description=__doc__)
    parser.add_argument("--encounters", type=int, default=20_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--write-docs", action="store_true", help="update docs/outliers.md")
    given = parser.parse_args(argv)
    result = measure(given.encounters, tuple(given.seeds))
    if given.write_docs:
        write_docs(result)
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
