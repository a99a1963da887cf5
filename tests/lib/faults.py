"""What facilities sent and what was wrong with it, drawn day by day and committed to a lake.

drawn = Drawn()
drawn.sent("98001", "2026-01-01", days=60, encounter=10, service_line=40)
drawn.failed("98001", TIMES, "2026-02-01", days=29, rows=40, claims=10)
drawn.commit(lake)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import polars as pl

from data.checks import checks
from data.lake import PLAIN_TABLES, Lake


@dataclass
class Drawn:
    """Rows of `received`, `fault` and `intake_finding` in the making."""

    received: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    faults: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    findings: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def sent(self, facility: str, first: str | None, *, days: int = 1, refused: int = 0, **rows: int) -> None:
        """So many `rows` of each table on each of the days from `first`; `refused` of them were not loaded."""
        for place in range(days):
            for table, count in rows.items():
                self.received.append(
                    {
                        "ma_cskcb": facility,
                        "day": _day(first, place),
                        "line_table": table,
                        "rows_read": count,
                        "rows_loaded": count - refused,
                    }
                )

    def failed(
        self,
        facility: str,
        check_id: str,
        first: str | None,
        *,
        days: int = 1,
        every: int = 1,
        rows: int = 1,
        claims: int = 1,
        value: str | None = "sai",
    ) -> None:
        """So many `rows` in `claims` claims fail the check on every `every`-th of the days from `first`."""
        check = checks()[check_id]
        for place in range(0, days, every):
            self.faults.append(
                {
                    "ma_cskcb": facility,
                    "day": _day(first, place),
                    "line_table": check.table,
                    "check_id": check_id,
                    "code": check.code,
                    "field": check.field,
                    "severity": check.severity,
                    "failed": rows,
                    "claims": claims,
                    "example_ma_lk": f"HS{place:03}",
                    "example_row_no": 1,
                    "example_value": value,
                }
            )

    def commit(self, lake: Lake, load_id: str = "load-1") -> int:
        """One load of everything drawn."""
        tables = {"received": self.received, "fault": self.faults, "intake_finding": self.findings}
        with lake.writer("test"):
            folder = lake.staging(load_id)
            staged = {}
            for table, rows in tables.items():
                wanted = PLAIN_TABLES[table]
                frame = pl.DataFrame(
                    [{name: {"load_id": load_id, **row}.get(name) for name in wanted} for row in rows], schema=wanted
                )
                staged[table] = [folder / f"{table}.parquet"]
                frame.write_parquet(staged[table][0])
            return lake.commit("load", load_id, staged, {})


def _day(first: str | None, place: int) -> date | None:
    return None if first is None else date.fromisoformat(first) + timedelta(days=place)
