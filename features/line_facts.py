"""What a drug or service line says of itself, beside its encounter: where every line feature starts.

Unlike `expressions.lines` this carries prices, dosage and performers, and the arrival, discharge and facility rank of
the encounter; a line whose encounter is missing keeps its row, with nulls there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw

from data.schema import ENCOUNTER_KEY, LINE_KEY
from features.expressions import LINE_COLUMNS, Frame, care_type, icd3, shared

if TYPE_CHECKING:
    from data.schema import ClaimTables

COLUMNS = (*LINE_COLUMNS, "ma_bac_si", "thanh_tien_bv", "tyle_tt_bh", "muc_huong")
CODE_NEEDS = ("drug_line.ma_thuoc", "service_line.ma_dich_vu", "service_line.ma_vat_tu")
"""What `code` is read from."""
SAME_CODE = (*ENCOUNTER_KEY, "line_table", "code")
"""Lines of a claim that bill the same thing."""


@shared
def line_facts(tables: ClaimTables) -> Frame:
    """One row a line: `COLUMNS`, `line_table`, `code`, `unit_price`, `lieu_dung`, `nguoi_thuc_hien`, `ngay_kq`.

    `unit_price` is DON_GIA of drugs and DON_GIA_BH of services; dosage is null for services, performer and result for
    drugs. Of the encounter: `patient_id`, `arrival`, `discharge`, `facility_rank` ("" when unknown), `departments`,
    `ma_loai_kcb`, `icd3`, `claim_covered` and `claim_paid`.
    """
    text = nw.lit(None, dtype=nw.String)
    drugs = tables.drug_line.select(
        *COLUMNS,
        line_table=nw.lit("drug_line"),
        code=nw.col("ma_thuoc"),
        unit_price=nw.col("don_gia"),
        lieu_dung=nw.col("lieu_dung"),
        nguoi_thuc_hien=text,
        ngay_kq=nw.lit(None, dtype=nw.Datetime("us")),
    )
    services = tables.service_line.select(
        *COLUMNS,
        line_table=nw.lit("service_line"),
        code=nw.coalesce("ma_vat_tu", "ma_dich_vu"),
        unit_price=nw.col("don_gia_bh"),
        lieu_dung=text,
        nguoi_thuc_hien=nw.col("nguoi_thuc_hien"),
        ngay_kq=nw.col("ngay_kq"),
    )
    encounters = tables.encounter.select(
        *ENCOUNTER_KEY,
        "patient_id",
        arrival=nw.col("ngay_vao"),
        discharge=nw.col("ngay_ra"),
        facility_rank=nw.col("facility_rank").fill_null(""),
        departments=nw.col("ma_khoa"),
        ma_loai_kcb=care_type(),
        icd3=icd3(),
        claim_covered=nw.col("t_tongchi_bh"),
        claim_paid=nw.col("t_bhtt"),
    )
    return nw.concat([drugs, services], how="vertical").join(encounters, on=list(ENCOUNTER_KEY), how="left")


def code_known() -> nw.Expr:
    """Whether the line says what it bills."""
    return ~nw.col("code").is_null()


def others_with(*columns: str, where: nw.Expr) -> nw.Expr:
    """Other lines of the claim that agree with the line on `columns`; null for lines outside `where`.

    `where` must hold for all lines of a group or for none: that the columns are filled, as a rule.
    """
    return nw.when(where).then(nw.len().over(*ENCOUNTER_KEY, *columns).cast(nw.Float64) - 1.0)


def for_lines(frame: Frame, **measures: nw.Expr) -> Frame:
    """Key columns of lines and `measures`."""
    return frame.select(*LINE_KEY, **measures)
