"""Worlds that several benchmarks measure: generated, with their catalogues, loaded by the product's own commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

MONTHS = 12
LEARNED = 8  # months the model may learn from; the others are evaluated


def minhbach(home: Path, *arguments: str) -> dict[str, Any]:
    """What a command of the product says as JSON, with its data in `home`."""
    done = subprocess.run(
        [sys.executable, "-m", "service", *arguments, "--json"],
        env={**os.environ, "MINHBACH_HOME": str(home)},
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    return json.loads(done.stdout)


def world(
    root: Path, encounters: int, *more: str, seed: int = 17, layout: Literal["xml", "parquet"] = "parquet"
) -> tuple[Path, Path]:
    """Home and source folder (with its truth) of so many generated claims, loaded; `more` goes to `generate`."""
    home, source = root / "home", root / "source"
    size = ("--encounters", str(encounters), "--months", str(MONTHS), "--seed", str(seed), "--as", layout)
    minhbach(home, "generate", str(source), *size, *more)
    minhbach(home, "catalogue", "load", str(source / "catalogues"))
    form = ("--as", "parquet") if layout == "parquet" else ()
    minhbach(home, "ingest", str(source / layout), *form)
    return home, source


def last_day(home: Path, months: int) -> date:
    """The last day of the first `months` months of discharges in a home's lake."""
    from data.lake import Lake

    with Lake(home / "lake", clock=lambda: datetime.now(UTC)).reader() as reader:
        # the earliest month that holds a hundredth of the claims: a misdated claim opens no month
        first: date = reader.pl(
            "select cast(date_trunc('month', ngay_ra) as date) as month from claimed_encounter where ngay_ra is not "
            "null group by all having count(*) * 100 >= (select count(*) from claimed_encounter) order by 1 limit 1"
        )["month"][0]
    after = first.month - 1 + months
    return date(first.year + after // 12, after % 12 + 1, 1) - timedelta(days=1)
