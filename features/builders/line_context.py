"""What kind of line it is: the text columns that peer groups and models treat as categories."""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw

from features.base import feature
from features.expressions import COST_GROUPS, Frame, in_group
from features.line_facts import for_lines, line_facts

if TYPE_CHECKING:
    from data.schema import ClaimTables


def _heading() -> nw.Expr:
    heading = nw.lit("other")
    for name in COST_GROUPS:
        heading = nw.when(in_group(name)).then(nw.lit(name)).otherwise(heading)
    return heading


@feature(
    level="line",
    needs=(
        *("drug_line.ma_thuoc", "service_line.ma_dich_vu", "service_line.ma_vat_tu", "drug_line.ma_nhom"),
        *("service_line.ma_nhom", "drug_line.ma_khoa", "service_line.ma_khoa"),
        *("encounter.ma_loai_kcb", "encounter.ma_benh_chinh", "encounter.facility_rank"),
    ),
    columns={
        "code": "MA_THUOC of a drug, MA_VAT_TU of a supply, MA_DICH_VU of a service",
        "heading": "cost heading of MA_NHOM: drug, lab, imaging, exam, bed, surgery, supply, blood ... or other",
        "department": "first department code of the line's MA_KHOA",
        "ma_loai_kcb": "type of care of the encounter, two digits",
        "icd_letter": "first letter of the encounter's main diagnosis: roughly its ICD-10 chapter",
        "facility_rank": "rank of the facility by the catalogue (DB, 1 to 4); null without and for commune stations",
    },
)
def line_kind(tables: ClaimTables) -> Frame:
    """Categories of a line as text; null when unknown. Source: XML2, XML3, XML1 and the facility catalogue."""
    rank = nw.col("facility_rank")
    return for_lines(
        line_facts(tables),
        code=nw.col("code"),
        heading=_heading(),
        department=nw.col("ma_khoa").str.strip_chars().str.replace_all(r"[;,][\s\S]*$", ""),
        ma_loai_kcb=nw.col("ma_loai_kcb"),
        icd_letter=nw.col("icd3").str.slice(0, 1),
        facility_rank=nw.when(rank != nw.lit("")).then(rank),
    )
