"""The same claims as Parquet: one file a table, official fields as text, for those who need no envelopes.

Every claim is written once, as it was last sent: what is sent again has no meaning in a table.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from data.synthetic.claims import Visit
from data.synthetic.clock import DAY, Clock
from data.synthetic.envelope import number
from data.synthetic.world import Facility
from data.synthetic.xmlout import Row, Tables, columns

ROWS_PER_GROUP = 100_000


class Shelf:
    """Collects the rows of each table and writes them in groups; memory is bounded by the group."""

    def __init__(self, out: Path, clock: Clock) -> None:
        self.out, self.clock = out, clock
        self.files = 0
        self._tables: Tables | None = None
        self._sequence: defaultdict[str, int] = defaultdict(int)
        self._rows: defaultdict[str, list[Row]] = defaultdict(list)
        self._writers: dict[str, pq.ParquetWriter] = {}

    def open_region(self, facilities: list[Facility]) -> None:
        """Take claims of these facilities from now on."""
        self._tables = Tables(self.clock, facilities)

    def send(self, visit: Visit) -> str:
        """Take a priced visit; returns its MA_LK."""
        if self._tables is None:
            raise RuntimeError("open_region comes before the first claim")
        code = visit.facility.code
        self._sequence[code] += 1
        ma_lk = number(self.clock, visit.left // DAY, self._sequence[code])
        for table, rows in self._tables.of(visit, ma_lk, paid=True):
            held = self._rows[table]
            held.extend(rows if table == "XML1" else [(code, *row) for row in rows])
            if len(held) >= ROWS_PER_GROUP:
                self._flush(table)
        return ma_lk

    def close_month(self, *, last: bool) -> None:
        """Nothing waits for the end of a month here."""

    def close(self) -> None:
        """Write what is left."""
        for table in list(self._rows):
            self._flush(table)
        for writer in self._writers.values():
            writer.close()

    def _flush(self, table: str) -> None:
        rows, names = self._rows[table], columns(table)
        if table != "XML1":
            names = ["MA_CSKCB", *names]
        schema = pa.schema([(name, pa.string()) for name in names])
        if table not in self._writers:
            self.out.mkdir(parents=True, exist_ok=True)
            self._writers[table] = pq.ParquetWriter(self.out / f"{table}.parquet", schema, compression="zstd")
            self.files += 1
        if rows:
            cells = [_texts(column) for column in zip(*rows, strict=True)]
            self._writers[table].write_table(pa.Table.from_arrays(cells, schema=schema))
        rows.clear()


def _texts(column: tuple[Any, ...]) -> Any:
    """A column as text; most are text already, and asking pyarrow is quicker than asking each value."""
    try:
        return pa.array(column, pa.string())
    except (TypeError, pa.ArrowException):
        return pa.array([str(value) for value in column], pa.string())
