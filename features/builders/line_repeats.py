"""The same thing again: in the claim, at the same minute, and for the patient in the months before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw

from data.schema import LINE_KEY
from features.base import feature
from features.expressions import INPATIENT, Frame, count_of, days_between, with_supply
from features.line_facts import CODE_NEEDS, SAME_CODE, code_known, for_lines, line_facts, others_with
from features.patients import LONGEST_WINDOW

if TYPE_CHECKING:
    from data.schema import ClaimTables

WINDOWS = (7, 30, 90)  # days
IN_HAND_DAYS = 120  # drugs ordered before that are used up: the longest lawful supply is 90 days


@feature(
    level="line",
    needs=(
        *(*CODE_NEEDS, "drug_line.ngay_yl", "service_line.ngay_yl"),
        *("drug_line.ngay_th_yl", "service_line.ngay_th_yl", "drug_line.thanh_tien_bh", "service_line.thanh_tien_bh"),
    ),
    columns={
        "line_same_code_in_claim": "other lines of the claim with the code, from 0; null without code",
        "line_same_code_before": "lines of the claim with the code ordered at an earlier minute, from 0; null without",
        "line_same_code_same_minute": "other lines of the claim with the code carried out at its minute; null without",
        "line_same_code_same_amount": "other lines of the claim with the code and the same VND, from 0; null without",
    },
)
def line_copies(tables: ClaimTables) -> Frame:
    """The code's other lines in the claim. Source: XML2, XML3 codes, NGAY_YL, NGAY_TH_YL, THANH_TIEN_BH.

    Two lots of one dispense, daily lines of a stay and both sides of a body look the same.
    """
    code = ("line_table", "code")
    ordered, done, cost = (~nw.col(c).is_null() for c in ("ngay_yl", "ngay_th_yl", "thanh_tien_bh"))
    facts = line_facts(tables).with_columns(is_ordered=ordered)
    return for_lines(
        facts,
        line_same_code_in_claim=others_with(*code, where=code_known()),
        # lines without a time are ranked among themselves
        line_same_code_before=nw.when(code_known() & ordered).then(
            nw.col("ngay_yl").rank("min").over(*SAME_CODE, "is_ordered").cast(nw.Float64) - 1.0
        ),
        line_same_code_same_minute=others_with(*code, "ngay_th_yl", where=code_known() & done),
        line_same_code_same_amount=others_with(*code, "thanh_tien_bh", where=code_known() & cost),
    )


PATIENT_COLUMNS = {
    f"line_patient_same_code_{days}d": f"the patient's earlier lines of the code in {days} days, from 0; null without"
    for days in WINDOWS
} | {
    "line_same_code_elsewhere_90d": "those of other facilities within 90 days before arrival, from 0; null without",
    "line_days_since_same_code": "days from the latest of them to arrival, above 0 to 365; null when there was none",
    "line_drug_days_in_hand": "most days an earlier outpatient line of the drug still lasts at arrival; null without",
}


@feature(
    level="line",
    needs=(
        *("encounter.patient_id", "encounter.ngay_vao", "encounter.ma_loai_kcb", *CODE_NEEDS),
        *("drug_line.ngay_yl", "service_line.ngay_yl", "drug_line.lieu_dung", "drug_line.so_luong"),
    ),
    columns=PATIENT_COLUMNS,
)
def line_patient_history(tables: ClaimTables) -> Frame:
    """The same code in the patient's earlier claims, ordered before this arrival. Null without patient or code.

    Earlier claims began strictly before and within 365 days; any facility counts. Source: XML1, XML2, XML3 of the
    same patient: codes, NGAY_YL, LIEU_DUNG, SO_LUONG.
    """
    known = code_known() & ~nw.col("patient_id").is_null() & ~nw.col("arrival").is_null()
    owned = line_facts(tables).with_columns(known=known)
    same = ["patient_id", "line_table", "code"]
    asked = owned.filter(nw.col("known")).select(*SAME_CODE, "patient_id", "arrival").unique()
    given = with_supply(owned.filter(nw.col("known") & ~nw.col("ngay_yl").is_null())).select(
        *same,
        "supply",
        prior_ma_cskcb=nw.col("ma_cskcb"),
        prior_arrival=nw.col("arrival"),
        ordered=nw.col("ngay_yl"),
        outpatient=~nw.col("ma_loai_kcb").fill_null("").is_in(list(INPATIENT)),
    )
    days_ago = nw.col("days_ago")
    left = nw.col("supply") - days_ago
    in_hand = nw.col("outpatient") & (days_ago <= IN_HAND_DAYS) & (left > 0)
    elsewhere = nw.col("prior_ma_cskcb") != nw.col("ma_cskcb")
    arrival, prior = nw.col("arrival"), nw.col("prior_arrival")
    counted = (
        asked.join(given, on=same, how="inner")
        .filter((prior < arrival) & (nw.col("ordered") < arrival) & (days_between(prior, arrival) <= LONGEST_WINDOW))
        .with_columns(days_ago=days_between(nw.col("ordered"), arrival))
        .with_columns(left=nw.when(in_hand).then(left))
        .group_by(*SAME_CODE)
        .agg(
            **{f"line_patient_same_code_{days}d": count_of(days_ago <= days) for days in WINDOWS},
            line_same_code_elsewhere_90d=count_of(elsewhere & (days_ago <= 90)),
            line_days_since_same_code=days_ago.min(),
            line_drug_days_in_hand=nw.col("left").max(),
        )
    )
    zero = [c for c in PATIENT_COLUMNS if c != "line_days_since_same_code"]
    is_drug = nw.col("line_table") == nw.lit("drug_line")

    def filled(column: str) -> nw.Expr:
        told = nw.col("known") & is_drug if column == "line_drug_days_in_hand" else nw.col("known")
        return nw.when(told).then(nw.col(column).fill_null(0.0))

    return (
        owned.select(*LINE_KEY, "code", "known")
        .join(counted, on=list(SAME_CODE), how="left")
        .select(*LINE_KEY, "line_days_since_same_code", **{c: filled(c) for c in zero})
    )
