"""Patterns: one key for claims alike, whatever else is in the batch."""

from __future__ import annotations

import polars as pl

from detectors.patterns import patterns

SCHEMA = {"ma_cskcb": pl.String, "ma_lk": pl.String, "source": pl.String}
SHARE = {**SCHEMA, "line_table": pl.String, "row_no": pl.Int32, "amount": pl.Float64}
LINE = {**SCHEMA, "line_table": pl.String, "row_no": pl.Int32, "code": pl.String}


Claim = tuple[str, str, str, list[tuple[str | None, float]]]


def keys(*claims: Claim) -> dict[str, str]:
    """Pattern by MA_LK of claims (facility, MA_LK, source, [(code, amount) of each line that the sign names])."""
    main = pl.DataFrame([claim[:3] for claim in claims], schema=SCHEMA, orient="row")
    shares = [(*c[:3], "drug_line", n, amount) for c in claims for n, (_, amount) in enumerate(c[3], 1)]
    shares += [(*c[:3], None, None, 1e6) for c in claims if not c[3]]
    lines = [(*c[:3], "drug_line", n, code) for c in claims for n, (code, _) in enumerate(c[3], 1)]
    found = patterns(
        main,
        pl.DataFrame(shares, schema=SHARE, orient="row"),
        pl.DataFrame(lines, schema=LINE, orient="row").drop("source"),
    )
    return dict(found.select("ma_lk", "pattern").iter_rows())


CLAIMS: tuple[Claim, ...] = (
    ("98001", "a", "DRG-01@1", [("40.1", 50.0), ("40.2", 90.0)]),
    ("98001", "b", "DRG-01@2", [("40.2", 10.0)]),  # the rule was rewritten: the same fault
    ("98001", "c", "DRG-01@1", [("40.1", 10.0)]),
    ("98002", "d", "DRG-01@1", [("40.2", 90.0)]),
    ("98001", "e", "DRG-02@1", [("40.2", 90.0)]),
    ("98001", "f", "DRG-01@1", []),
    ("98001", "g", "DRG-01@1", [(None, 90.0)]),
    ("98001", "h", "DRG-01@1", [("40.2", 90.0), ("40.1", 90.0)]),  # of lines as dear the code decides, not their order
)


def test_claims_alike_share_a_key_and_others_do_not() -> None:
    found = keys(*CLAIMS)
    assert found["a"] == found["b"]
    assert found["c"] == found["h"]
    assert found["f"] == found["g"]  # a line without a code says no more than the whole claim
    assert len(set(found.values())) == 5


def test_a_key_is_the_same_alone_in_a_batch_and_in_any_order() -> None:
    found = keys(*CLAIMS)
    assert keys(*reversed(CLAIMS)) == found
    for claim in CLAIMS:
        assert keys(claim) == {claim[1]: found[claim[1]]}


def test_a_key_tells_nothing_of_the_claim() -> None:
    assert all(len(key) == 16 and set(key) <= set("0123456789abcdef") for key in keys(*CLAIMS).values())
