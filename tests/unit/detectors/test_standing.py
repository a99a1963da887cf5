"""Standing: a step in place for the claims of those whose signs repeat, stated exactly, the same in any company."""

from __future__ import annotations

import json
import math

import polars as pl
import pytest

from detectors.standing import LEAST, MOST, POWER, Standing


def seen(**weights: float) -> pl.DataFrame:
    """Ten unremarkable entities, and these."""
    known = {f"quiet{n}": 0.5 for n in range(10)} | weights
    scheme = ["DUP_LINE"] * len(known)
    return pl.DataFrame({"entity_id": list(known), "weight": list(known.values()), "scheme": scheme})


def claims(*who: tuple[str, str | None]) -> pl.DataFrame:
    rows = [(facility, str(n), doctor) for n, (facility, doctor) in enumerate(who)]
    return pl.DataFrame(rows, schema=dict.fromkeys(("ma_cskcb", "ma_lk", "doctor"), pl.String), orient="row")


KNOWN = Standing.fit({"doctor": seen(**{"98001:bold": 2.5}), "facility": seen(**{"98001": 1.5, "98002": 90.0})})


def test_a_step_is_a_part_of_what_is_beyond_the_median_and_has_an_end() -> None:
    assert KNOWN.known["doctor"] == {"98001:bold": (round(math.exp(POWER * 2.0), 4), "DUP_LINE")}
    assert KNOWN.known["facility"] == {"98001": (round(math.exp(POWER), 4), "DUP_LINE"), "98002": (MOST, "DUP_LINE")}


def test_who_is_unknown_or_unremarkable_is_neutral_and_nobody_is_cleared() -> None:
    quiet = Standing.fit({"doctor": seen(**{"98001:clean": -3.0, "98001:near": 0.5 + 0.9 * math.log(LEAST) / POWER})})
    assert quiet.known == {"doctor": {}}
    assert KNOWN.of(claims(("98009", "new"), ("98009", None))).is_empty()


def test_the_factor_is_the_product_of_what_the_evidence_states() -> None:
    moved = KNOWN.of(claims(("98001", "bold"), ("98001", None), ("98002", "x")))
    for row in moved.iter_rows(named=True):
        told = json.loads(f"[{row['stood']}]")
        assert math.prod(one["factor"] for one in told) == pytest.approx(row["factor"], abs=1e-12)
        assert all(one["kind"] == "standing" and "“" in one["text_vi"] and "“" in one["text_en"] for one in told)
    levels = [[one["level"] for one in json.loads(f"[{told}]")] for told in moved["stood"]]
    assert levels == [["doctor", "facility"], ["facility"], ["facility"]]
    assert "Bác sĩ này thường có dấu hiệu" in moved["stood"][0]


def test_a_claims_step_is_the_same_alone_and_in_any_order() -> None:
    asked = claims(("98001", "bold"), ("98002", "x"), ("98009", "y"), ("98001", "x"))
    together = KNOWN.of(asked).sort("ma_lk")
    assert KNOWN.of(asked.reverse()).sort("ma_lk").equals(together)
    assert pl.concat([KNOWN.of(asked[n]) for n in range(asked.height)]).sort("ma_lk").equals(together)


def test_it_reads_back_what_it_wrote() -> None:
    assert Standing.from_json(json.loads(json.dumps(KNOWN.as_json()))) == KNOWN
    assert Standing.from_json({}) == Standing()
