"""Improper money found in months the model has not seen, beside every baseline: `python -m benchmarks quality`.

Each seed is a world of its own: twelve months generated and loaded, the first eight learned from without labels, the
rest scored and compared with the truth. `--write-docs` puts the table into docs/measurement.md and the gain curve into
docs/images/gain.svg.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.pages import markdown_table, put, two
from benchmarks.worlds import LEARNED, MONTHS, last_day, minhbach, world

DOCS = Path(__file__).parents[1] / "docs"
BEGIN, END = "<!-- table: python -m benchmarks quality --write-docs -->", "<!-- end of table -->"


def evaluated(encounters: int, seed: int) -> dict[str, Any]:
    """One world, taken the whole way: what `minhbach evaluate` says of its later months."""
    with tempfile.TemporaryDirectory() as folder:
        home, source = world(Path(folder), encounters, seed=seed, layout="xml")
        until = last_day(home, LEARNED)
        minhbach(home, "train", "--until", until.isoformat())
        minhbach(home, "score", "--since", (until + timedelta(days=1)).isoformat())
        result = minhbach(home, "evaluate", "--truth", str(source / "truth"), "--seed", str(seed), "--no-log")
    if not result["held_out"]:
        raise SystemExit(f"seed {seed}: the model learned from claims it is measured on")
    return result


def measure(encounters: int = 20_000, seeds: Sequence[int] = (7, 8, 9)) -> dict[str, Any]:
    """Every figure as the mean over the seeds; of the ratio to the best baseline, each seed's own."""
    results = [evaluated(encounters, seed) for seed in seeds]
    return {
        "benchmark": "quality",
        "encounters": encounters,
        "seeds": list(seeds),
        "learned_months": LEARNED,
        "rankings": mean_rankings([result["rankings"] for result in results]),
        "money_at_2%_over_best_baseline": [result["over_best_baseline"] for result in results],
        "improper": [result["improper"] for result in results],
        "evaluated": [result["claims"] for result in results],
        "truth": [result["truth"] for result in results],
        "labels": [result["labels"] for result in results],
        "schemes": summed_schemes([result["schemes"] for result in results], ("scheme",)),
        "schemes_by_intensity": summed_schemes(
            [result["schemes_by_intensity"] or [] for result in results], ("scheme", "intensity")
        ),
        "entities": mean_entities([result["entities"] for result in results]),
        "calibration": {
            "by_tenth": pooled_tenths([result["calibration"]["score"]["by_tenth"] for result in results]),
            "score": [
                {name: value for name, value in result["calibration"]["score"].items() if not isinstance(value, list)}
                for result in results
            ],
            "amount_at_risk": [result["calibration"]["amount_at_risk"] for result in results],
            "likelihood": pooled_tenths([result["calibration"]["likelihood"]["by_tenth"] for result in results]),
            "flags": [result["calibration"]["flags"] for result in results],
        },
        "gain": {
            "claims_read": results[0]["gain"]["claims_read"],
            "money_found": {
                name: [_mean(ys) for ys in zip(*(r["gain"]["money_found"][name] for r in results), strict=True)]
                for name in results[0]["gain"]["money_found"]
                if all(name in result["gain"]["money_found"] for result in results)
            },
        },
    }


def mean_rankings(tables: Sequence[Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """The mean of each figure; its interval from the worlds' own, which are independent of each other.

    The mean of n independent figures strays by the root of the sum of their squared strays, over n, to either side.
    """
    made: list[dict[str, Any]] = []
    for first in tables[0]:
        rows = [next((row for row in table if row["ranking"] == first["ranking"]), None) for table in tables]
        known = [row for row in rows if row is not None]
        if len(known) < len(tables):  # a ranking that one world could not have is no mean of all
            continue
        row: dict[str, Any] = {"ranking": first["ranking"], "labels": first["labels"]}
        for figure in first:
            if figure in row or figure.endswith(("_low", "_high")):
                continue
            row[figure] = _mean(one[figure] for one in known)
            for end, sign in (("low", -1), ("high", 1)):
                ends = [one.get(f"{figure}_{end}") for one in known]
                if row[figure] is None or None in ends:
                    continue
                stray = sum((far - one[figure]) ** 2 for far, one in zip(ends, known, strict=True)) ** 0.5 / len(known)
                row[f"{figure}_{end}"] = round(row[figure] + sign * stray, 4)
        made.append(row)
    return made


def summed_schemes(tables: Iterable[Sequence[Mapping[str, Any]]], keys: Sequence[str]) -> list[dict[str, Any]]:
    """Claims, money and what was found of each, over all worlds together."""
    sums: dict[tuple[Any, ...], dict[str, float]] = {}
    for table in tables:
        for row in table:
            into = sums.setdefault(tuple(row[key] for key in keys), {})
            for name in ("claims", "no_amount", "improper_amount", "found", "found_amount"):
                into[name] = into.get(name, 0) + row[name]
    made = [
        {
            **dict(zip(keys, key, strict=True)),
            **{name: round(value, 2) for name, value in row.items()},
            "claims_found": round(row["found"] / row["claims"], 3) if row["claims"] else None,
            "money_found": round(row["found_amount"] / row["improper_amount"], 3) if row["improper_amount"] else None,
            "missed": row["found"] == 0 and row["claims"] > 0,
        }
        for key, row in sums.items()
    ]
    return sorted(made, key=lambda row: (-row["improper_amount"], *(str(row[key]) for key in keys)))


def mean_entities(tables: Sequence[Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """By level and ranking, the mean over the worlds that could measure it."""
    by_level: dict[str, list[Mapping[str, Any]]] = {}
    for table in tables:
        for level in table:
            by_level.setdefault(level["level"], []).append(level)
    made: list[dict[str, Any]] = []
    for level, all_of in by_level.items():
        rankings: list[dict[str, Any]] = []
        for place, first in enumerate(all_of[0]["rankings"]):
            rows = [one["rankings"][place] for one in all_of]
            rankings.append(
                {"ranking": first["ranking"], **{f: _mean(r[f] for r in rows) for f in first if f != "ranking"}}
            )
        made.append(
            {
                "level": level,
                "entities": [one["entities"] for one in all_of],
                "improper": [one["improper"] for one in all_of],
                "bands": [one["bands"] for one in all_of],
                "unranked": [one["unranked"] for one in all_of],
                "rankings": rankings,
            }
        )
    return made


def pooled_tenths(tables: Iterable[Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Reliability of the score over all worlds together."""
    parts: dict[int, list[Mapping[str, Any]]] = {}
    for table in tables:
        for row in table:
            parts.setdefault(row["part"], []).append(row)
    made: list[dict[str, Any]] = []
    for part, rows in sorted(parts.items()):
        claims = sum(row["claims"] for row in rows)
        means = {
            name: round(sum(row[name] * row["claims"] for row in rows) / claims, 4)
            for name in ("mean_score", "share_improper")
        }
        made.append({"part": part, "claims": claims, **means})
    return made


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(mean(known), 4) if known else None


# for docs/


def main_table(rankings: Sequence[Mapping[str, Any]]) -> str:
    """The rankings as Markdown."""
    heads = (
        "ranking",
        "labels",
        "money at 1 %",
        "at 2 % (95 % interval)",
        "at 5 %",
        "claims at 2 %",
        "average precision",
        "precision @100, @500",
        "dirty, legitimate in top 1 %",
    )
    rows: list[list[str]] = []
    for row in rankings:
        span = f"{two(row.get('money_found_2%_low'))}–{two(row.get('money_found_2%_high'))}"
        bold = "**" if row["ranking"] == "minhbach" else ""
        cells = [
            _name(row),
            row["labels"] or "none",
            two(row["money_found_1%"]),
            f"{two(row['money_found_2%'])} ({span})",
            two(row["money_found_5%"]),
            two(row["claims_found_2%"]),
            two(row["average_precision"]),
            f"{two(row['precision_at_100'])}, {two(row['precision_at_500'])}",
            f"{two(row['dirty_in_top_1%'])}, {two(row['legitimate_in_top_1%'])}",
        ]
        rows.append([f"{bold}{cell}{bold}" for cell in cells])
    return markdown_table(heads, rows)


def ratio_lines(result: Mapping[str, Any]) -> str:
    """Ours over the best baseline, world by world, and what the money hangs on."""
    worlds = zip(
        result["seeds"], result["money_at_2%_over_best_baseline"], result["improper"], result["evaluated"], strict=True
    )
    lines = [
        f"- world {seed}: {two(over['ratio'])} of {over['best_baseline']} ({two(over['low'])}–{two(over['high'])}); "
        f"{wrong['claims']} of {claims:,} claims improper, the ten largest hold {two(wrong['in_largest_10'])} of the "
        "improper money"
        for seed, over, wrong, claims in worlds
    ]
    return "\n".join(["Money found at 2 % over the best baseline without labels (95 % interval):", "", *lines])


def scheme_table(result: Mapping[str, Any]) -> str:
    """Schemes as Markdown, all worlds together; found of all claims by intensity where the truth says it."""
    bold = {
        (r["scheme"], r["intensity"]): f"{r['found']:.0f}/{r['claims']:.0f}" for r in result["schemes_by_intensity"]
    }
    steps = ("subtle", "clear", "blatant") if bold else ()
    heads = ("scheme", "claims", "million VND", "claims found at 2 %", "money found at 2 %", *steps, " ")
    rows = [
        [
            f"`{row['scheme']}`",
            f"{row['claims']:.0f}",
            f"{row['improper_amount'] / 1e6:,.1f}",
            two(row["claims_found"]),
            two(row["money_found"]),
            *(bold.get((row["scheme"], step), "") for step in steps),
            "missed" if row["missed"] else "",
        ]
        for row in result["schemes"]
    ]
    return markdown_table(heads, rows)


def entity_table(result: Mapping[str, Any]) -> str:
    """Entity levels as Markdown: as they are, and within bands of like size."""
    figures = ("auc", "average_precision", "money_in_top_10%")
    names = ("AUC", "average precision", "money in top 10 %")
    heads = ("level (improper of all, a world)", "ranking", *names, *(f"{name}, like size" for name in names))
    rows = [
        [
            f"{level['level']} ({mean(level['improper']):.0f} of {mean(level['entities']):.0f})" if not number else "",
            _name(row),
            *(two(row[figure]) for figure in figures),
            *(two(row[f"{figure}_within_bands"]) for figure in figures),
        ]
        for level in result["entities"]
        for number, row in enumerate(level["rankings"])
    ]
    return markdown_table(heads, rows)


def calibration_lines(result: Mapping[str, Any]) -> str:
    """Score and amount at risk beside what was true."""
    tables = {
        name: [
            [
                f"{(row['part'] - 1) / 10:.1f}–{row['part'] / 10:.1f}",
                f"{row['claims']:,}",
                two(row["mean_score"]),
                two(row["share_improper"]),
            ]
            for row in result["calibration"][part]
        ]
        for name, part in (("likelihood", "likelihood"), ("score", "by_tenth"))
    }
    score, amount = result["calibration"]["score"], result["calibration"]["amount_at_risk"]
    errors = ", ".join(f"{one['expected_calibration_error']:.3f}" for one in score)
    verdict = "a probability" if all(one["calibrated"] for one in score) else "**not** a probability"
    sums, near, flagged = (
        ", ".join(two(one[name]) for one in amount)
        for name in ("ratio_of_sums", "within_factor_2", "ratio_of_sums_all_flagged")
    )
    words = (
        f"Expected calibration error, world by world: {errors}; the score is {verdict}. `amount_at_risk` over improper "
        f"money on flagged claims that are improper: {sums} in sum, within half to twice on {near} of them. On "
        f"everything flagged it is {flagged} times what was improper."
    )
    flags = result["calibration"]["flags"]
    promised, held = (", ".join(two(one[name]) for one in flags) for name in ("promised", "held"))
    kept = f"The flags promised that {promised} of them would hold, world by world; {held} did."
    drawn = [markdown_table((name, "claims", f"mean {name}", "share improper"), rows) for name, rows in tables.items()]
    return "\n\n".join([drawn[0], kept, drawn[1], words])


def _name(row: Mapping[str, Any]) -> str:
    return "Minh Bạch" if row["ranking"] == "minhbach" else row["ranking"]


def tables(result: Mapping[str, Any]) -> str:
    """Everything between the markers of the page."""
    seeds = ", ".join(str(seed) for seed in result["seeds"])
    words = (
        f"Worlds {seeds} of {result['encounters']:,} claims and {MONTHS} months each: the first {LEARNED} months were "
        "learned from, the later ones scored and measured; means over the worlds."
    )
    return "\n\n".join(
        (
            words,
            main_table(result["rankings"]),
            ratio_lines(result),
            "![gain curve: improper money found against claims read](images/gain.svg)",
            "By scheme, all worlds together:",
            scheme_table(result),
            "Doctors, facilities and patients, raw and among those of like size:",
            entity_table(result),
            "Calibration:",
            calibration_lines(result),
        )
    )


def write_docs(result: Mapping[str, Any], docs: Path = DOCS) -> None:
    """Put tables and picture where the documents have them; what stands outside the markers is left alone."""
    from models.evaluation.picture import draw

    put(docs / "measurement.md", BEGIN, END, lambda: tables(result))
    draw(
        docs / "images" / "gain.svg",
        result["gain"]["claims_read"],
        result["gain"]["money_found"],
        labels={row["ranking"]: row["labels"] for row in result["rankings"]},
        names={"minhbach": "Minh Bạch"},
    )


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks quality", description=__doc__)
    parser.add_argument("--encounters", type=int, default=20_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[7, 8, 9])
    parser.add_argument("--write-docs", action="store_true", help="update docs/measurement.md and docs/images/gain.svg")
    given = parser.parse_args(argv)
    result = measure(given.encounters, tuple(given.seeds))
    if given.write_docs:
        write_docs(result)
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
