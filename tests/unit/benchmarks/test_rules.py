"""The bar of blatant claims: whose rule hit them, and how often the same rules hit honest ones."""

from __future__ import annotations

import polars as pl

from benchmarks.rules import blatant_hits

STAY, VISIT = "03", "01"


def claim(number: int, care: str, *schemes: str, intensity: str = "", case: str | None = None) -> dict[str, object]:
    told = {"ma_cskcb": "01001", "ma_lk": f"L{number}", "ma_loai_kcb": care, "is_fraud": bool(schemes)}
    case = case or (f"C{number}" if schemes else None)
    return {**told, "schemes": list(schemes), "intensity": intensity, "case_id": case}


def sign(number: int, scheme: str, severity: str) -> dict[str, object]:
    return {"ma_cskcb": "01001", "ma_lk": f"L{number}", "scheme": scheme, "severity": severity}


def test_own_and_loud_signs_are_told_apart_from_what_honest_claims_of_the_kind_have() -> None:
    claims = pl.DataFrame(
        [
            claim(1, STAY, "GHOST_BED", intensity="blatant"),
            claim(2, STAY, "GHOST_BED", intensity="blatant"),
            claim(3, STAY, "GHOST_BED", intensity="subtle"),
            claim(4, STAY),
            claim(5, STAY),
            *(claim(n, VISIT) for n in range(6, 10)),
        ],
        schema_overrides={"schemes": pl.List(pl.String)},
    )
    signs = [sign(1, "GHOST_BED", "info"), sign(2, "DUP_LINE", "warn"), sign(4, "DUP_LINE", "deny")]
    signs += [sign(n, "DUP_LINE", "deny") for n in range(6, 10)]  # visits say nothing about stays

    (row,) = blatant_hits(claims, pl.DataFrame(signs)).to_dicts()
    assert row == {
        "scheme": "GHOST_BED",
        "by": "rules_first",
        "claims": 2,
        "own": 0.5,
        "loud": 0.5,
        "hit": 1.0,
        "honest_own": 0.0,
        "honest_loud": 0.5,
        "cases": 2,
        "cases_hit": 1.0,
    }


def test_a_case_is_hit_where_one_of_its_claims_is() -> None:
    claims = pl.DataFrame(
        [
            *(claim(n, STAY, "BED_SHARE_FULL", intensity="blatant", case="A") for n in (1, 2, 3)),
            *(claim(n, STAY, "BED_SHARE_FULL", intensity="blatant", case="B") for n in (4, 5)),
            claim(6, STAY),
        ],
        schema_overrides={"schemes": pl.List(pl.String)},
    )
    (row,) = blatant_hits(claims, pl.DataFrame([sign(2, "BED_SHARE_FULL", "warn")])).to_dicts()
    assert (row["claims"], row["hit"], row["cases"], row["cases_hit"]) == (5, 0.2, 2, 0.5)
