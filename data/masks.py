"""Which faults are artefacts of a facility's software, and so keep a cell or a row from the detectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from data.lake import Reader

TICKET: dict[str, pl.DataType] = {
    "ma_cskcb": pl.String(),
    "check_id": pl.String(),
    "since": pl.Date(),
    "until": pl.Date(),
    "mask": pl.String(),
}


def masking_tickets(reader: Reader) -> pl.DataFrame:
    """Tickets of this snapshot whose check masks: facility, check, first and last day, "cell" or "row"."""
    del reader
    return pl.DataFrame(schema=TICKET)
