"""Lines of claims as items: what was given, how much of it, and the diagnoses it was given for.

An item is an active ingredient (MA_THUOC), a service (MA_DICH_VU) or a supply (MA_VAT_TU). Consultations, beds and
transport are no items here: they follow from the encounter, not from the diagnosis. Quantities are whole thousandths
and money whole hundredths of a dong, so that sums do not depend on the order of rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from data.schema import collected
from features.expressions import COST_GROUPS, INPATIENT, with_supply

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from data.schema import ClaimTables

CLAIM = ["ma_cskcb", "ma_lk"]
DRUG, LAB, IMAGING, PROCEDURE, SUPPLY = 1, 2, 3, 4, 5
"""Kinds of items."""

_KINDS: Mapping[int, str] = {DRUG: "drug", LAB: "lab", IMAGING: "imaging", PROCEDURE: "surgery", SUPPLY: "supply"}
_SAME = ("ham_luong", "duong_dung", "don_vi_tinh")
"""What two brands of one entry of the drug list have in common."""
_DIAGNOSIS = r"^[A-Z]\d\d"


def claims_of(tables: ClaimTables, matrix: pl.DataFrame) -> pl.DataFrame:
    """One row an encounter of `tables`, sorted by key, numbered by `c`.

    `judged` says whether it has a row in `matrix`: the others are there as the past of their patients. Other columns:
    the key, `care` ("in" or "out"), `care_type`, `rank`, `department`, `sex`, `age_band`, `icd3`, `icd_letter` (text,
    "" when unknown), `nights` (Int32, from 0), `diagnoses` (list of three-character codes, the main one first).
    """
    codes = pl.concat_list(
        pl.col(name).fill_null("").str.to_uppercase().str.replace_all(r"\s", "").str.split(";").list.eval(_three())
        for name in ("ma_benh_chinh", "ma_benh_kt", "ma_benh_yhct")
    )
    written = collected(tables.encounter.select(*CLAIM, "ma_benh_chinh", "ma_benh_kt", "ma_benh_yhct")).select(
        *CLAIM, diagnoses=codes.list.unique(maintain_order=True)
    )
    known = matrix.select(
        *CLAIM,
        *(pl.col(name).alias(_SHORT.get(name, name)) for name in _TEXT),
        nights=pl.col("stay_nights").fill_nan(None).clip(0.0, 3650.0).floor().cast(pl.Int32),
        judged=pl.lit(value=True),
    )
    return (
        written.join(known, on=CLAIM, how="left", maintain_order="left")
        .with_columns(pl.col(pl.String).fill_null(""), pl.col("nights").fill_null(0), pl.col("judged").fill_null(False))
        .with_columns(care=pl.when(pl.col("care_type").is_in(INPATIENT)).then(pl.lit("in")).otherwise(pl.lit("out")))
        .sort(CLAIM)
        .with_row_index("c")
    )


_TEXT = ("ma_loai_kcb", "facility_rank", "department", "sex", "age_band", "icd3", "icd_letter")
_SHORT: Mapping[str, str] = {"ma_loai_kcb": "care_type", "facility_rank": "rank"}

MATRIX_COLUMNS: tuple[str, ...] = (*_TEXT, "stay_nights")
"""Columns of the encounter matrix that `claims_of` reads."""


def _entry() -> pl.Expr:
    """The drug list's entry that MA_THUOC begins with: 40.493 of 40.493.1."""
    code = pl.col("ma_thuoc").fill_null("").str.strip_chars()
    return pl.coalesce(code.str.extract(r"^(\d+\.\d+)"), code)


def _three() -> pl.Expr:
    return pl.element().filter(pl.element().str.contains(_DIAGNOSIS)).str.slice(0, 3)


def lines_of(tables: ClaimTables, claims: pl.DataFrame) -> pl.DataFrame:
    """One row a line that is an item of a known kind, in the order of claim, table and row.

    Columns: `c`, `line_table`, `row_no`, `kind`, `item` (text), `quantity` (Int64, thousandths, null when blank or not
    above 0), `fund` (Int64, hundredths of T_BHTT, from 0); of drugs `supply` (days the line lasts, null when
    unreadable), `ordered`, `price` (of a unit) and `product` (text: what brands of one drug have in common).
    """
    drugs = collected(
        with_supply(
            tables.drug_line.select(
                *CLAIM, "row_no", "ma_nhom", "so_luong", "t_bhtt", "lieu_dung", "ngay_yl", "ma_thuoc", "don_gia", *_SAME
            )
        )
    )
    services = collected(
        tables.service_line.select(*CLAIM, "row_no", "ma_nhom", "ma_dich_vu", "ma_vat_tu", "so_luong", "t_bhtt")
    )
    parts = [
        _items(drugs, "drug_line", "ma_thuoc", [DRUG], claims),
        _items(services, "service_line", "ma_dich_vu", [LAB, IMAGING, PROCEDURE], claims),
        _items(services, "service_line", "ma_vat_tu", [SUPPLY], claims),
    ]
    return pl.concat(parts).sort("c", "line_table", "row_no")


def _items(frame: pl.DataFrame, table: str, code: str, kinds: Sequence[int], claims: pl.DataFrame) -> pl.DataFrame:
    groups = {nhom: kind for kind in kinds for nhom in COST_GROUPS[_KINDS[kind]]}
    nothing = pl.lit(None, dtype=pl.Float64)
    of_drug: list[pl.Expr] = [
        nothing.alias("supply"),
        pl.lit(None, dtype=pl.Datetime("us")).alias("ordered"),
        nothing.alias("price"),
        pl.lit("").alias("product"),
    ]
    if table == "drug_line":
        of_drug = [
            pl.col("supply").round_sig_figs(9),
            pl.col("ngay_yl").alias("ordered"),
            pl.col("don_gia").cast(pl.Float64).alias("price"),
            pl.concat_str(_entry(), *(pl.col(name).fill_null("").str.strip_chars() for name in _SAME), separator="|")
            .str.to_uppercase()
            .alias("product"),
        ]
    quantity = (pl.col("so_luong").cast(pl.Float64) * 1000).round().cast(pl.Int64, strict=False)
    mark = table[0]  # a drug and a service may bear the same code
    return (
        frame.filter(pl.col("ma_nhom").is_in(list(groups)), pl.col(code).str.strip_chars() != "")
        .select(
            *CLAIM,
            pl.lit(table).alias("line_table"),
            "row_no",
            pl.col("ma_nhom").replace_strict(groups, return_dtype=pl.UInt8).alias("kind"),
            (pl.lit(f"{mark}:") + pl.col(code).str.strip_chars().str.to_uppercase()).alias("item"),
            pl.when(quantity > 0).then(quantity).alias("quantity"),
            (pl.col("t_bhtt").cast(pl.Float64) * 100).round().cast(pl.Int64, strict=False).fill_null(0).clip(0)
            .alias("fund"),
            *of_drug,
        )
        .join(claims.select(*CLAIM, "c"), on=CLAIM, how="inner")
        .drop(CLAIM)
    )  # fmt: skip
