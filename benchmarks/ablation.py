"""What each layer of detection is worth: taken out in turn, how much improper money is lost at 2 % of claims.

`python -m benchmarks ablation`. Each seed is a world of its own, learned from for eight months and scored on the rest,
as in `benchmarks.quality`. Rules and detectors speak once; only the weighing is done again, without the layer. A layer
whose loss is nothing or below on every world adds nothing. The second table takes all rules out first: what each
detector is worth for what no rule was written for.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

from benchmarks.worlds import LEARNED, last_day, world

if TYPE_CHECKING:
    import polars as pl

    from detectors.fusion import Signals
    from models.bundle import Bundle
    from models.evaluation.measures import Labelled
    from models.scoring import Gathered

    Weighing = tuple[Bundle, Signals]

BUDGET = 0.02
WITH_RULES, NO_RULES = "with_rules", "without_any_rule"


def _without_rules(context: str) -> Callable[[Weighing], Weighing]:
    def cut(weighing: Weighing) -> Weighing:
        import polars as pl

        from detectors.base import rules

        bundle, signals = weighing
        refs = [rule.ref for rule in rules() if rule.context == context]
        return bundle, replace(signals, hits=signals.hits.filter(~pl.col("source").is_in(refs)))

    return cut


def _without_finder(name: str) -> Callable[[Weighing], Weighing]:
    def cut(weighing: Weighing) -> Weighing:
        import polars as pl

        bundle, signals = weighing
        return bundle, replace(signals, findings=signals.findings.filter(~pl.col("source").str.starts_with(f"{name}:")))

    return cut


def _without_excess(weighing: Weighing) -> Weighing:
    bundle, signals = weighing
    return bundle, replace(signals, excess=signals.excess.clear())


def _without_outliers(weighing: Weighing) -> Weighing:
    import polars as pl

    bundle, signals = weighing
    return bundle, replace(signals, outliers=signals.outliers.with_columns(strangeness=pl.lit(0.0)))


def _without_rarity(weighing: Weighing) -> Weighing:
    from detectors.rarity import Rarity

    bundle, signals = weighing
    return replace(bundle, rarity=Rarity.untaught()), signals


def _without_certainty(weighing: Weighing) -> Weighing:
    bundle, signals = weighing
    return replace(bundle, weights=replace(bundle.weights, certainty=0.0)), signals


def _without_standing(weighing: Weighing) -> Weighing:
    bundle, signals = weighing
    return bundle, replace(signals, standing=signals.standing.clear())


def _without_bill(weighing: Weighing) -> Weighing:
    bundle, signals = weighing
    return replace(bundle, weights=replace(bundle.weights, base=1e-9)), signals


def layers() -> Mapping[str, Callable[[Weighing], Weighing]]:
    """Each layer's name, and what takes it out."""
    from detectors.base import finders

    return {
        "rules of the patient": _without_rules("patient"),
        "rules in company": _without_rules("facility"),
        "expected cost": _without_excess,
        **{finder.name: _without_finder(finder.name) for finder in finders()},
        "outliers": _without_outliers,
        "rarity of a sign": _without_rarity,
        "surer claims first": _without_certainty,
        "size of the bill": _without_bill,
        "doctor and facility": _without_standing,
    }


def _without_any_rule(weighing: Weighing) -> Weighing:
    bundle, signals = weighing
    return bundle, replace(signals, hits=signals.hits.clear())


def _places(bundle: Bundle, gathered: Sequence[Gathered], cut: Callable[[Weighing], Weighing] | None) -> pl.DataFrame:
    """Every claim's place, weighed without a layer."""
    import polars as pl

    from models.scoring import weigh

    parts: list[pl.DataFrame] = []
    for one in gathered:
        chosen, signals = cut((bundle, one.signals)) if cut else (bundle, one.signals)
        scored = weigh(chosen, replace(one, signals=signals)).claims
        parts.append(scored.select("ma_cskcb", "ma_lk", "place"))
    return pl.concat(parts)


def of_world(encounters: int, seed: int) -> dict[str, list[dict[str, Any]]]:
    """Money found at 2 %, average precision and legitimate outliers of a world: whole and without each layer.

    Once with rules and once with none.
    """
    import numpy as np
    import polars as pl

    from data.lake import Lake
    from models.company import in_company
    from models.evaluation.measures import Labelled, measure
    from models.scoring import BY_PATIENT, gather, with_history
    from models.train import train

    with tempfile.TemporaryDirectory() as name:
        home, source = world(Path(name), encounters, seed=seed)
        until = last_day(home, LEARNED)
        truth = pl.read_parquet(source / "truth" / "claims.parquet")
        with Lake(home / "lake", clock=lambda: datetime.now(UTC)).reader() as reader:
            bundle = train(reader, until=until, seed=0).bundle
            targets = reader.pl(
                "select ma_cskcb, ma_lk, version, patient_id, ngay_vao from claimed_encounter "
                f"where cast(ngay_ra as date) >= ? order by {BY_PATIENT}",
                [until + timedelta(days=1)],
            )
            company = in_company(reader, targets)
            gathered = [
                gather(bundle, tables, part, known=company) for tables, part, _ in with_history(reader, targets)
            ]

    def figures(layer: str | None, cut: Callable[[Weighing], Weighing] | None) -> dict[str, Any]:
        rows = _places(bundle, gathered, cut).join(truth, on=["ma_cskcb", "ma_lk"]).sort("ma_cskcb", "ma_lk")
        labelled: Labelled = Labelled(
            money=rows["improper_amount"].cast(pl.Float64).to_numpy(),
            kind=rows["kind"].to_numpy(),
            tie=np.random.default_rng(seed).random(rows.height),
        )
        found = measure(layer or "whole", rows["place"].to_numpy(), labelled)
        return {
            "layer": layer,
            "money": found.money_found[BUDGET],
            "precision": found.average_precision,
            "legitimate": found.legitimate_in_top,
        }

    def blind(cut: Callable[[Weighing], Weighing]) -> Callable[[Weighing], Weighing]:
        return lambda weighing: cut(_without_any_rule(weighing))

    every = layers()
    ruled = {"rules of the patient", "rules in company", "rarity of a sign"}
    return {
        WITH_RULES: [figures(None, None), *(figures(layer, cut) for layer, cut in every.items())],
        NO_RULES: [
            figures(None, _without_any_rule),
            *(figures(layer, blind(cut)) for layer, cut in every.items() if layer not in ruled),
        ],
    }


def _lost(worlds: Sequence[Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """What is found whole, and lost without each layer, world by world and on average, the dearest first."""
    whole = [world[0] for world in worlds]
    rows: list[dict[str, Any]] = []
    for place in range(1, len(worlds[0])):
        without = [world[place] for world in worlds]
        lost = [a["money"] - b["money"] for a, b in zip(whole, without, strict=True)]
        precision = [a["precision"] - b["precision"] for a, b in zip(whole, without, strict=True)]
        legitimate = [b["legitimate"] - a["legitimate"] for a, b in zip(whole, without, strict=True)]
        rows.append(
            {
                "layer": without[0]["layer"],
                "money_lost_at_2%": round(mean(lost), 4),
                "by_world": [round(one, 4) for one in lost],
                "average_precision_lost": round(mean(precision), 4),
                "precision_by_world": [round(one, 4) for one in precision],
                "legitimate_in_top_1%_more": round(mean(legitimate), 4),
            }
        )
    return {
        "money_found_at_2%": round(mean(one["money"] for one in whole), 4),
        "average_precision": round(mean(one["precision"] for one in whole), 4),
        "legitimate_in_top_1%": round(mean(one["legitimate"] for one in whole), 4),
        "layers": sorted(rows, key=lambda row: -row["money_lost_at_2%"]),
    }


def measure_layers(encounters: int, seeds: Sequence[int]) -> dict[str, Any]:
    """Both tables."""
    worlds = [of_world(encounters, seed) for seed in seeds]
    lost = {setting: _lost([world[setting] for world in worlds]) for setting in (WITH_RULES, NO_RULES)}
    return {
        "benchmark": "ablation",
        "encounters": encounters,
        "seeds": list(seeds),
        **{f"lost without {row['layer']}": row["money_lost_at_2%"] for row in lost[WITH_RULES]["layers"]},
        **lost,
    }


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encounters", type=int, default=20_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[7, 8, 9])
    given = parser.parse_args(argv)
    print(json.dumps(measure_layers(given.encounters, given.seeds)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
