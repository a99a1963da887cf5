"""How much was given: quantities, days of supply against what the dosage says, ways of giving."""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw

from data.schema import ENCOUNTER_KEY
from features.base import feature
from features.expressions import (
    Frame,
    amount,
    count_of,
    for_every_encounter,
    in_group,
    ratio,
    rows,
    total,
    with_supply,
)

if TYPE_CHECKING:
    from data.schema import ClaimTables


@feature(
    level="encounter",
    needs=("drug_line.so_luong", "service_line.so_luong", "service_line.ma_nhom"),
    columns={
        "max_drug_quantity": "largest SO_LUONG of a drug line, in the drug's unit; null without drug lines",
        "total_drug_quantity": "sum of SO_LUONG of drug lines; null without drug lines",
        "max_service_quantity": "largest SO_LUONG of a service line other than a bed; null without such lines",
        "total_test_quantity": "sum of SO_LUONG of laboratory and imaging lines; null without service lines",
    },
)
def quantities(tables: ClaimTables) -> Frame:
    """Quantities billed, from 0; null without the lines in question. Source: XML2, XML3 SO_LUONG."""
    drugs = tables.drug_line.group_by(*ENCOUNTER_KEY).agg(
        max_drug_quantity=amount("so_luong").max(), total_drug_quantity=total("so_luong")
    )
    services = tables.service_line.group_by(*ENCOUNTER_KEY).agg(
        max_service_quantity=nw.when(~in_group("bed")).then(amount("so_luong")).max(),
        total_test_quantity=total("so_luong", in_group("lab", "imaging")),
    )
    return for_every_encounter(tables, drugs).join(services, on=list(ENCOUNTER_KEY), how="left")


@feature(
    level="encounter",
    needs=("drug_line.so_luong", "drug_line.lieu_dung", "drug_line.ma_nhom"),
    columns={
        "max_supply_days": "longest days a drug line lasts (SO_LUONG over daily dose), to 365; null when unreadable",
        "written_days": "longest number of days LIEU_DUNG itself states, from 0; null when none is readable",
        "supply_over_written": "most days a line lasts over days it states; above 1: more than ordered; null without",
        "unreadable_dose_share": "part of drug lines whose daily dose cannot be read, 0 to 1; null without drug lines",
    },
)
def days_supply(tables: ClaimTables) -> Frame:
    """Days of drugs handed out against the days written. Source: XML2 SO_LUONG, LIEU_DUNG ("n * k * d [t]")."""
    read = (
        with_supply(tables.drug_line.filter(in_group("drug")).select(*ENCOUNTER_KEY, "lieu_dung", "so_luong"))
        .group_by(*ENCOUNTER_KEY)
        .agg(
            max_supply_days=nw.col("supply").max(),
            written_days=nw.col("written_days").max(),
            supply_over_written=ratio(nw.col("supply"), nw.col("written_days")).max(),
            unreadable=count_of(nw.col("supply").is_null()),
            n=rows(),
        )
        .select(
            *ENCOUNTER_KEY,
            "max_supply_days",
            "written_days",
            "supply_over_written",
            unreadable_dose_share=nw.col("unreadable") / nw.col("n"),
        )
    )
    return for_every_encounter(tables, read)


@feature(level="encounter", needs=("drug_line.duong_dung", "drug_line.ma_nhom"))
def injection_share(tables: ClaimTables) -> Frame:
    """Part of drug lines given by injection or infusion (DUONG_DUNG 2.xx), 0 to 1; null when no line states a route.

    Source: XML2 DUONG_DUNG.
    """
    route = nw.col("duong_dung").str.strip_chars()
    shares = (
        tables.drug_line.filter(in_group("drug") & ~nw.col("duong_dung").is_null())
        .group_by(*ENCOUNTER_KEY)
        .agg(injected=count_of(route.str.starts_with("2.")), n=rows())
        .select(*ENCOUNTER_KEY, injection_share=nw.col("injected") / nw.col("n"))
    )
    return for_every_encounter(tables, shares)
