"""Patterns: claims whose main sign says the same of the same facility: a fault made two hundred times is read once.

A pattern is the facility, the source of the claim's main sign (the one whose reason is shown: it carries most of the
expected recoverable money) and, where that sign names lines, the code of the dearest of them. It follows from the
claim's own signs, so it is the same alone, in any batch and in any order. The version of a rule is no part of it: a
rule that was rewritten still finds the same fault. It is kept as a hash: it stands in addresses, where nothing of a
claim may.
"""

from __future__ import annotations

import hashlib

import polars as pl

CLAIM = ["ma_cskcb", "ma_lk"]
LENGTH = 16  # hex digits: a country's patterns of a year, some millions, meet by chance once in a million years


def patterns(main: pl.DataFrame, shares: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Key and `pattern` of each claim of `main`.

    Args:
        main: key and `source` of the main sign, one row a claim.
        shares: what every sign names: key, source, line_table, row_no (null: the whole claim), amount.
        lines: key, line_table, row_no and `code` of the claims' lines.
    """
    line = [*CLAIM, "line_table", "row_no"]
    dearest = (
        shares.join(main, on=[*CLAIM, "source"], how="semi")
        .filter(pl.col("row_no").is_not_null())
        .join(lines.select(*line, "code"), on=line)
        .sort(*CLAIM, "amount", "code", descending=[False, False, True, False], nulls_last=True)
        .unique(CLAIM, keep="first", maintain_order=True)
    )
    about = pl.concat_str(
        "ma_cskcb", pl.col("source").str.split("@").list.first(), pl.col("code").fill_null(""), separator="|"
    )
    return main.join(dearest.select(*CLAIM, "code"), on=CLAIM, how="left", maintain_order="left").select(
        *CLAIM, pattern=about.map_elements(_key, return_dtype=pl.String)
    )


def _key(about: str) -> str:
    return hashlib.sha256(about.encode()).hexdigest()[:LENGTH]
