"""Holidays: planned admissions crowded before one, whose patients get a bed over the free days and little else."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.schema import ENCOUNTER_KEY
from detectors.base import clear, hit, not_evaluable, rule
from detectors.examples import BED_PRICE, CATALOGUE, bed, drug, stay
from detectors.expressions import (
    BEDS,
    DRUGS,
    SERVICES,
    admission,
    care_type,
    catalogue,
    clockless,
    day,
    days_between,
    encounter_hits,
    lines,
    money,
)
from detectors.facts import facts
from detectors.past_days import with_past_days

if TYPE_CHECKING:
    from data.schema import ClaimTables
    from detectors.examples import Row

KEY: list[str] = list(ENCOUNTER_KEY)
INPATIENT, EMERGENCY = "03", "2"
ORDER = ["at", "ma_lk"]


def _days_with_orders(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """The days (`holiday`) on which something other than a bed was ordered, for each encounter."""
    services = lines(tables, SERVICES, "ma_nhom", "ngay_yl").filter(~nw.col("ma_nhom").is_in(BEDS))
    drugs = lines(tables, DRUGS, "ngay_yl")
    held = [frame.select(*KEY, holiday=day(nw.col("ngay_yl"))) for frame in (services, drugs)]
    return nw.concat(held).unique([*KEY, "holiday"])


_TET: tuple[Row, ...] = tuple(
    {"table": f"{CATALOGUE}calendar", "date": date(2025, 3, d), "kind": "holiday"} for d in (12, 13, 14)
)


def _admitted(
    eve: int, *, before: int = 12, days: int = 6, last: tuple[Row, ...] = (), **fields: Any
) -> tuple[Row, ...]:
    """One planned admission a day for some days, then so many on the day before the holiday, who get only a bed."""
    told: list[Row] = list(_TET)
    for ago in range(1, before + 1):
        at = datetime.fromisoformat("2025-03-11 09:00") - timedelta(days=ago)
        told += [stay(3, at.isoformat(" "), patient_id=f"W{ago}"), bed(3), drug(days=3)]
    for number in range(eve):
        told += [stay(days, f"2025-03-11 {9 + number:02}:00", patient_id=f"V{number}", **fields), bed(days)]
    return (*told, *last)


@rule(
    id="FAC-13",
    version=1,
    scheme="WEEKEND_HOLIDAY_STAY",
    severity="info",
    context="facility",
    title_vi="Nhập viện chương trình dồn trước kỳ nghỉ",
    title_en="Elective admissions before a holiday",
    reason_vi="Ca nhập viện chương trình thứ {observed} ngay trước kỳ nghỉ, gấp đôi mức thường ngày ({allowed}).",
    reason_en="Planned admission number {observed} just before a holiday, twice the usual day ({allowed}) and more.",
    legal_basis="L-BHYT Đ29; TT35/2016 Đ4c",
    needs=("encounter.ngay_ra", "encounter.ma_doituong_kcb", "encounter.ma_loai_kcb", "service_line.ma_nhom"),
    catalogues=("calendar",),
    known_gaps_vi=(
        "Ngày nghỉ là ngày lễ chung cả nước theo lịch, không gồm cuối tuần liền kề. Ngày thường là trung bình các "
        "ngày có nhập viện theo kế hoạch trong 30 ngày trước, phải có ít nhất 10 ngày. Không cho biết người bệnh có "
        "cần nằm viện hay không: số tiền là của các ngày nghỉ không có y lệnh."
    ),
    known_gaps_en=(
        "Free days are the calendar's holidays of the whole country, not weekends beside them. The usual day is the "
        "mean of the days with planned admissions among the thirty before, of which there must be ten. Whether the "
        "patient was ill enough to stay is not told: the money is that of the holidays without any order."
    ),
    examples=(
        hit("người thứ ba, trong khi thường chỉ một", "the third where one is usual",
            *_admitted(3), amount=BED_PRICE * 0.8 * 3),
        clear("người thứ hai", "the second", *_admitted(2)),
        clear("được điều trị trong kỳ nghỉ", "treated over the holiday", *_admitted(2),
              stay(6, "2025-03-11 12:00", patient_id="V9"), bed(6),
              *(drug(days=1, ngay_yl=f"2025-03-{d} 08:00", ngay_th_yl=f"2025-03-{d} 08:00") for d in (12, 13))),
        clear("các ca cấp cứu", "emergencies", *_admitted(3, ma_doituong_kcb="2")),
        clear("về trước kỳ nghỉ", "home before the holiday", *_admitted(3, days=1)),
        clear("không biết gì về những ngày trước", "nothing known of it", *_admitted(3, before=9)),
        not_evaluable("thiếu mã đối tượng đến khám", "no kind of access",
                      *_TET, stay(6, "2025-03-11 09:00", ma_doituong_kcb=None), bed(6)),
    ),
)  # fmt: skip
def admitted_for_the_holiday(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Planned stays that begin just before a holiday on a crowded day, and whose holidays are mostly empty."""
    known = facts("FAC-13")
    calendar = catalogue(tables, "calendar")
    holidays = (
        calendar.filter(nw.col("kind") == "holiday", nw.col("province").is_null())
        .select(holiday=nw.col("date").cast(nw.Datetime("us")))
        .unique(["holiday"])
    )
    columns = ("ngay_vao", "ngay_vao_noi_tru", "ngay_ra", "ma_loai_kcb", "ma_doituong_kcb", "t_bhtt")
    at = nw.col("at")
    planned = (
        tables.encounter.select(*KEY, *columns)
        .filter(care_type() == INPATIENT, ~nw.col("ma_doituong_kcb").str.starts_with(EMERGENCY))
        .with_columns(at=admission())
        .filter(~clockless(at), at >= nw.col("ngay_vao"), at < nw.col("ngay_ra"))
        .with_columns(date=day(at))
    )
    dates = planned.select("date").unique(["date"])
    ahead = days_between(nw.col("date"), nw.col("holiday"))
    eves = (
        dates.join(holidays, how="cross")
        .filter(ahead >= 0, ahead <= known.eve_days)
        .group_by("date")
        .agg(next=ahead.min())
        .filter(nw.col("next") > 0)
        .select("date")
    )
    numbered = planned.with_columns(number=nw.col("ma_lk").cum_count().over("ma_cskcb", "date", order_by=ORDER))
    crowded = numbered.join(eves, on="date", how="semi").filter(nw.col("number") > known.times)
    days = planned.group_by("ma_cskcb", "date").agg(admitted=nw.len())
    usual = (
        with_past_days(
            crowded.select("ma_cskcb", "date").unique(["ma_cskcb", "date"]), days, on=["ma_cskcb"], take=("admitted",)
        )
        .group_by("ma_cskcb", "date")
        .agg(usual=nw.col("p_admitted").mean(), known_days=nw.len())
        .filter(nw.col("known_days") >= known.known_days)
    )
    suspects = crowded.join(usual, on=["ma_cskcb", "date"], how="inner").filter(
        nw.col("number") > nw.col("usual") * known.times
    )
    free = (
        suspects.select(*KEY, "date", "ngay_ra")
        .join(holidays, how="cross")
        .filter(nw.col("holiday") > nw.col("date"), nw.col("holiday") < day(nw.col("ngay_ra")))
        .select(*KEY, "holiday")
    )
    empty = free.join(_days_with_orders(tables), on=[*KEY, "holiday"], how="anti")
    counts = (
        free.group_by(*KEY)
        .agg(free=nw.len())
        .join(empty.group_by(*KEY).agg(empty=nw.len()), on=KEY, how="inner")
        .filter(nw.col("empty") > nw.col("free") * known.share)
    )
    billed = lines(tables, SERVICES, "ma_nhom", "so_luong", "t_bhtt").filter(nw.col("ma_nhom").is_in(BEDS))
    beds = (
        billed.select(*KEY, bed_days=money("so_luong"), bed_fund=money("t_bhtt"))
        .group_by(*KEY)
        .agg(nw.col("bed_days").sum(), nw.col("bed_fund").sum())
        .filter(nw.col("bed_days") > 0)
    )
    found = suspects.join(counts, on=KEY, how="inner").join(beds, on=KEY, how="inner")
    part = nw.min_horizontal(nw.col("empty").cast(nw.Float64) / nw.col("bed_days"), nw.lit(1.0))
    return encounter_hits(found, amount=nw.col("bed_fund") * part, observed=nw.col("number"), allowed=nw.col("usual"))
