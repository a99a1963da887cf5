"""Beds: how many days a stay may be charged, and where a bed may be charged at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.schema import ENCOUNTER_KEY
from detectors.base import clear, hit, not_evaluable, rule
from detectors.examples import BED_PRICE, bed, exam, stay, visit
from detectors.expressions import (
    BEDS,
    SERVICES,
    admission,
    care_type,
    days_between,
    line_hits,
    lines,
    minutes_between,
    money,
    with_encounter,
)
from detectors.facts import facts

if TYPE_CHECKING:
    from data.schema import ClaimTables

STAY_DAYS, FEW_HOURS, NO_BED = facts("BED-01"), facts("BED-02"), facts("BED-05")
STAYS = ("03", "04", "06", "09")
OBSERVATION_BED = 16
DIED, TRANSFERRED, WORSE, ON_REQUEST = (5, 8), (2, 5), (3, 4, 6), 4


def _beds(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Bed lines that ask money of the fund."""
    return lines(tables, SERVICES, "ma_nhom", "so_luong", "t_bhtt").filter(
        nw.col("ma_nhom").is_in(BEDS), money("t_bhtt") > 0
    )


@rule(
    id="BED-01",
    version=1,
    scheme="BED_DAY_PADDING",
    severity="deny",
    title_vi="Tổng ngày giường vượt số ngày được tính",
    title_en="Total bed days above the rule",
    reason_vi="Tính {observed} ngày giường, thời gian nằm viện chỉ cho phép {allowed} ngày.",
    reason_en="{observed} bed days are charged, the stay allows {allowed}.",
    legal_basis="TT35/2016 Đ4c k1 a, b; CV266 KT221 (S.015.478)",
    needs=(
        "encounter.ma_loai_kcb",
        "encounter.ngay_vao",
        "encounter.ngay_ra",
        "encounter.ket_qua_dtri",
        "encounter.ma_loai_rv",
        "service_line.so_luong",
    ),
    known_gaps_vi=(
        "Được cộng thêm một ngày khi tử vong, khi chuyển đến hoặc chuyển đi (mọi tuyến) và khi nặng xin về, dù quy "
        "định chỉ nói chuyển lên hoặc về tuyến. Giường trẻ sơ sinh ghi trên hồ sơ của mẹ trông như kê tăng. Kê tăng "
        "nửa ngày, hoặc vào ngày chuyển khoa, thì không thấy được. Hồ sơ ngoại trú có giường do BED-05 xét, đợt từ 4 "
        "giờ trở xuống do BED-02 xét."
    ),
    known_gaps_en=(
        "One day more is granted for death, any transfer in or out and going home gravely ill, though the rule asks "
        "for a transfer to or from a higher level. A newborn's bed on the mother's claim looks like padding. Padding "
        "by half a day, and on transfer days, is not seen. Outpatient claims with a bed are BED-05's, 4 hours or less "
        "BED-02's."
    ),
    examples=(
        hit(
            "ba ngày, tính 5 ngày giường",
            "five bed days in three days",
            stay(days=3),
            bed(5),
            amount=2 * BED_PRICE * 0.8,
        ),
        hit(
            "bốn ngày, ba dòng mỗi dòng 2 ngày",
            "three lines of two days in four",
            stay(days=4),
            bed(2),
            bed(2),
            bed(2),
            amount=2 * BED_PRICE * 0.8,
        ),
        clear("ba ngày, tính 3 ngày giường", "three bed days in three days", stay(days=3), bed(3)),
        clear("chuyển khoa, mỗi khoa nửa ngày", "half a day on a change of ward", stay(days=3), bed(1.5), bed(2)),
        clear("tử vong: được tính ngày cuối", "died: the last day counts", stay(days=3, ket_qua_dtri=5), bed(4)),
        clear(
            "chuyển viện: được tính ngày cuối", "transferred: the last day counts", stay(days=3, ma_loai_rv=2), bed(4)
        ),
        clear("vào và ra cùng ngày, 8 giờ", "in and out the same day, 8 hours", stay(days=0), bed(1)),
        clear(
            "theo dõi ở khoa cấp cứu trước",
            "observed in the emergency ward first",
            stay(2, ngay_vao_noi_tru="2025-03-11 09:00"),
            bed(1),
            bed(1, ma_nhom=16),
        ),
        not_evaluable("thiếu giờ ra viện", "no time of leaving", stay(ngay_ra=None), bed(5)),
        not_evaluable("thiếu kết quả điều trị", "no outcome", stay(days=3, ket_qua_dtri=None), bed(5)),
    ),
)
def bed_days_beyond_stay(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Bed lines of stays whose bed days exceed the days between admission and leaving, each with its share."""
    beds = _beds(tables)
    totals = (
        beds.select(
            *ENCOUNTER_KEY,
            quantity=money("so_luong"),
            observation=(nw.col("ma_nhom") == OBSERVATION_BED).cast(nw.Int32),
        )
        .group_by(*ENCOUNTER_KEY)
        .agg(nw.col("quantity").sum(), nw.col("observation").max())
    )
    start = nw.when(nw.col("observation") == 1).then(nw.col("ngay_vao")).otherwise(admission())
    outcome, leaving = nw.col("ket_qua_dtri"), nw.col("ma_loai_rv")
    grave = outcome.is_in(WORSE) & (leaving == ON_REQUEST)
    received = nw.col("ma_noi_di").fill_null("").str.strip_chars() != ""
    one_more = outcome.is_in(DIED) | leaving.is_in(TRANSFERRED) | grave | received | (care_type() == "04")
    stays = (
        tables.encounter.filter(care_type().is_in(STAYS), nw.col("ngay_ra") >= nw.col("ngay_vao"))
        .join(totals, on=list(ENCOUNTER_KEY), how="inner")
        .with_columns(plain=days_between(start, nw.col("ngay_ra")), more=nw.when(one_more).then(1.0).otherwise(0.0))
        .filter(~outcome.is_null(), ~leaving.is_null())
        .with_columns(limit=nw.max_horizontal(nw.col("plain") + nw.col("more"), nw.lit(1.0)))
        .filter(nw.col("quantity") > nw.col("limit") + STAY_DAYS.tol_days)
        .select(*ENCOUNTER_KEY, "quantity", "limit")
    )
    found = beds.join(stays, on=list(ENCOUNTER_KEY), how="inner")
    share = (nw.col("quantity") - nw.col("limit")) / nw.col("quantity")
    return line_hits(found, amount=share * money("t_bhtt"), observed=nw.col("quantity"), allowed=nw.col("limit"))


@rule(
    id="BED-02",
    version=1,
    scheme="DAYCASE_AS_INPATIENT",
    severity="deny",
    title_vi="Từ 4 giờ trở xuống vẫn tính giường",
    title_en="Bed billed for 4 hours or less",
    reason_vi="Nằm viện {observed} giờ (từ {allowed} giờ trở xuống không tính ngày giường).",
    reason_en="The stay lasted {observed} hours (no bed day for {allowed} hours or less).",
    legal_basis="TT35/2016 Đ4c k1 (trước đây TT39/2018 Đ6 k1 c-d)",
    needs=("encounter.ma_loai_kcb", "encounter.ngay_vao", "encounter.ngay_ra", "encounter.ma_loai_rv"),
    known_gaps_vi="Bỏ qua tử vong và chuyển viện trong khoảng giờ đó. Hồ sơ ngoại trú do BED-05 xét.",
    known_gaps_en="Deaths and transfers within the hours are passed over. Outpatient claims are BED-05's.",
    examples=(
        hit(
            "3 giờ, có tính giường",
            "three hours with a bed",
            stay(0, at="2025-03-10 13:00"),
            bed(),
            amount=BED_PRICE * 0.8,
        ),
        clear("5 giờ, có tính giường", "five hours with a bed", stay(0, at="2025-03-10 11:00"), bed()),
        clear("3 giờ, không tính giường", "three hours without a bed", stay(0, at="2025-03-10 13:00"), exam()),
        clear("tử vong trong 3 giờ", "died within three hours", stay(0, at="2025-03-10 13:00", ket_qua_dtri=5), bed()),
        clear(
            "chuyển viện trong 3 giờ",
            "transferred within three hours",
            stay(0, at="2025-03-10 13:00", ma_loai_rv=2),
            bed(),
        ),
        not_evaluable("thiếu giờ ra viện", "no time of leaving", stay(ngay_ra=None), bed()),
    ),
)
def bed_for_hours(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid bed lines of stays of four hours or less."""
    hours = minutes_between(admission("e_"), nw.col("e_ngay_ra")) / 60
    columns = ("ma_loai_kcb", "ngay_vao", "ngay_vao_noi_tru", "ngay_ra", "ket_qua_dtri", "ma_loai_rv")
    found = (
        with_encounter(_beds(tables), tables, *columns)
        .filter(
            care_type("e_ma_loai_kcb").is_in(STAYS),
            ~nw.col("e_ma_loai_rv").is_in(TRANSFERRED),
            ~nw.col("e_ket_qua_dtri").is_in(DIED).fill_null(value=False),
        )
        .with_columns(hours=hours)
        .filter(nw.col("hours") >= 0, nw.col("hours") <= FEW_HOURS.hours)
    )
    return line_hits(found, amount=money("t_bhtt"), observed=nw.col("hours"), allowed=nw.lit(float(FEW_HOURS.hours)))


@rule(
    id="BED-05",
    version=1,
    scheme="GHOST_BED",
    severity="deny",
    title_vi="Ngoại trú có tiền giường",
    title_en="Bed line on an outpatient claim",
    reason_vi="Hồ sơ ngoại trú có {observed} ngày giường được thanh toán.",
    reason_en="An outpatient claim has {observed} paid bed days.",
    legal_basis="TT35/2016 Đ4c",
    needs=("encounter.ma_loai_kcb",),
    known_gaps_vi="Không xét ở đây: điều trị ban ngày (04), lưu tại trạm y tế (06) và điều trị ngoại trú (02).",
    known_gaps_en="Day treatment (04), stays at a station (06) and outpatient courses (02) are not judged here.",
    examples=(
        hit("khám ngoại trú có ngày giường", "consultation with a bed day", visit(), bed(), amount=BED_PRICE * 0.8),
        clear("khám ngoại trú", "consultation", visit(), exam()),
        clear("nội trú có giường", "stay with beds", stay(days=3), bed(3)),
        not_evaluable("thiếu mã loại KCB", "no care type", visit(ma_loai_kcb=None), bed()),
    ),
)
def bed_on_outpatient(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid bed lines of consultations, chronic visits and drug pick-ups."""
    found = with_encounter(_beds(tables), tables, "ma_loai_kcb").filter(care_type("e_ma_loai_kcb").is_in(NO_BED.codes))
    return line_hits(found, amount=money("t_bhtt"), observed=money("so_luong"), allowed=nw.lit(0.0))
