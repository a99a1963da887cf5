"""Schemes: which kinds of detector tell each best, and which of them rules decide.

`data/reference/schemes.csv` has one row a scheme. `detectors` are the kinds that tell it best, the best first, with `;`
between: RULE (deterministic), PEER (beside similar doctors and facilities), EXPCOST (expected cost), COOC (what goes
with what), TS (change over time), GRAPH (who meets whom), TEXTSIM (near copies), OUTLIER. `beyond_rules` says why
no rule on what claims and catalogues show can tell a blatant case, though a rule comes first in `detectors`.
"""

from __future__ import annotations

from typing import Literal

from data.schema import reference

By = Literal["rules", "rules_first", "statistics"]


def decided_by() -> dict[str, By]:
    """By scheme: rules alone, rules before statistics, or statistics.

    A bar for rules ("each blatant case is hit") holds for the first two. What is `beyond_rules` belongs to statistics.
    """
    return {row["scheme"]: _by(row["detectors"].split(";"), row["beyond_rules"]) for row in reference("schemes")}


def _by(detectors: list[str], beyond: str) -> By:
    if beyond or detectors[0] != "RULE":
        return "statistics"
    return "rules" if len(detectors) == 1 else "rules_first"
