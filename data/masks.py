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
    from data.quality import tickets

    found = tickets(reader)
    return found.filter((pl.col("mask") != "") & pl.col("since").is_not_null()).select(list(TICKET))


def remasked(reader: Reader, earlier: Reader) -> pl.DataFrame:
    """Versions of claims that `reader` masks otherwise than `earlier` did, as one column: tickets opened or closed."""
    for name, source in (("_masks_now", reader), ("_masks_then", earlier)):
        reader.keep(name, masking_tickets(source))
    masked = """
        select f.version, f.check_id from intake_finding f join encounter_history e using (version)
        join {name} t on t.ma_cskcb = e.ma_cskcb and t.check_id = f.check_id
         and cast(e.ngay_ra as date) between t.since and t.until
    """
    now, then = (masked.format(name=name) for name in ("_masks_now", "_masks_then"))
    return reader.pl(
        f"select distinct version from ((({now}) except ({then})) union all (({then}) except ({now}))) order by version"
    )
