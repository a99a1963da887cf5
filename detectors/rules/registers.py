"""Registers: what the card look-up, the civil registry and the list of facilities say of an encounter's day."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.asof import as_of
from data.schema import ENCOUNTER_KEY
from detectors.base import clear, hit, not_evaluable, rule
from detectors.examples import EXAM_PRICE, exam, listed, stay, visit
from detectors.expressions import (
    EXAM,
    SERVICES,
    care_type,
    catalogue,
    clockless,
    days_between,
    earlier_pairs,
    encounter_hits,
    line_hits,
    lines,
    minutes_between,
    money,
    pair_hits,
)
from detectors.facts import facts

if TYPE_CHECKING:
    from data.schema import ClaimTables

LOOK_UP = facts("CARD-04")
REGISTRY = facts("CARD-10")
TRAVEL = facts("CARD-14")
HOURS = facts("TIME-12")

KEY: list[str] = list(ENCOUNTER_KEY)
EVER = date(1, 1, 1)
KM_A_DEGREE = 111.2


@rule(
    id="CARD-04",
    version=1,
    scheme="CARD_INVALID",
    severity="deny",
    title_vi="Tra cứu thẻ trả mã lỗi (hết hạn, thu hồi, báo giảm, sai nhân thân)",
    title_en="Card look-up returns an error code",
    reason_vi="Danh mục thẻ ghi mã tra cứu {observed} vào ngày khám; quỹ đang chi {amount} đồng.",
    reason_en="The card register says code {observed} on the day of the visit; the fund pays {amount} VND.",
    legal_basis="TT12/2026 Đ4, Đ10 k1 a; ND188 Đ38",
    needs=("encounter.patient_id", "encounter.ngay_vao"),
    catalogues=("cards",),
    known_gaps_vi=(
        "Đúng đến đâu tùy dữ liệu thẻ: dùng dòng của ngày vào; trạng thái không thuộc các mã lỗi của cổng tiếp nhận "
        "thì không nêu. Người bệnh có hai thẻ được xét theo dòng của thẻ thứ nhất."
    ),
    known_gaps_en=(
        "As good as the register: its row of the day of arrival counts, and a status that is not one of the error "
        "codes of the portal says nothing. A patient with two cards is judged by the row of the first."
    ),
    examples=(
        hit(
            "thẻ bị thu hồi",
            "card withdrawn",
            listed("cards", patient_id="P1", card_class="DN4", status="060"),
            visit(),
            exam(),
            amount=EXAM_PRICE * 0.8,
        ),
        clear(
            "thẻ hợp lệ",
            "card in order",
            listed("cards", patient_id="P1", card_class="DN4", status="000"),
            visit(),
            exam(),
        ),
        clear(
            "thẻ bị thu hồi về sau",
            "withdrawn later",
            listed("cards", patient_id="P1", card_class="DN4", status="000"),
            listed("cards", patient_id="P1", card_class="DN4", status="060", valid_from="2025-06-01"),
            visit(),
            exam(),
        ),
        not_evaluable(
            "thiếu mã người bệnh",
            "no patient",
            listed("cards", patient_id="P1", card_class="DN4", status="060"),
            visit(patient_id=None),
            exam(),
        ),
    ),
)
def card_look_up(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Encounters paid by the fund whose card has an error code in the register on the day of arrival."""
    paid = tables.encounter.filter(money("t_bhtt") > 0).select(*KEY, "patient_id", "ngay_vao", "t_bhtt")
    found = as_of(paid, catalogue(tables, "cards"), on=("patient_id",), day="ngay_vao", take=("status",)).filter(
        nw.col("status").str.strip_chars().is_in(LOOK_UP.codes)
    )
    code = nw.col("status").str.strip_chars().cast(nw.Float64)
    return encounter_hits(found, amount=money("t_bhtt"), observed=code, allowed=nw.lit(0.0))


@rule(
    id="CARD-10",
    version=1,
    scheme="CARD_DECEASED",
    severity="warn",
    title_vi="Thẻ của người đã chết theo dữ liệu hộ tịch",
    title_en="Card of a person deceased in the registry",
    reason_vi="Khám {observed} ngày sau ngày mất theo hộ tịch, thẻ cũng có hồ sơ tử vong (cho phép {allowed} ngày).",
    reason_en="Seen {observed} days after the registered death, and a claim records it too ({allowed} allowed).",
    legal_basis="L-BHYT Đ11, Đ20; ND90 Đ84-85",
    needs=("encounter.patient_id", "encounter.ngay_vao"),
    catalogues=("cards",),
    known_gaps_vi=(
        "Cần hai nguồn, dữ liệu hộ tịch và một hồ sơ trước đó kết thúc bằng tử vong, vì phần lớn ngày chết đã đăng ký "
        "trùng với lượt khám trước đây là ghi sai ngày. Do đó chỉ riêng dữ liệu hộ tịch thì chưa đủ; giấy báo tử thì "
        "không đọc."
    ),
    known_gaps_en=(
        "Two sources are asked for, the register and an earlier claim that ended in death, because most registered "
        "deaths of the past that met a visit were wrong dates. The register alone is therefore not enough, and death "
        "certificates are not read."
    ),
    examples=(
        hit(
            "có trong hộ tịch và trong hồ sơ",
            "registered and recorded",
            listed("cards", patient_id="P1", card_class="DN4", deceased_on="2025-03-12"),
            stay(days=2, ket_qua_dtri=5),
            visit("2025-04-10 08:00"),
            exam(),
            amount=EXAM_PRICE * 0.8,
        ),
        clear(
            "chỉ có trong hộ tịch",
            "registered only",
            listed("cards", patient_id="P1", card_class="DN4", deceased_on="2025-03-12"),
            stay(days=2),
            visit("2025-04-10 08:00"),
            exam(),
        ),
        clear("còn sống", "alive", listed("cards", patient_id="P1", card_class="DN4"), visit(), exam()),
        not_evaluable(
            "thiếu mã người bệnh",
            "no patient",
            listed("cards", patient_id="P1", card_class="DN4"),
            visit(patient_id=None),
            exam(),
        ),
    ),
)
def registered_death(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Encounters after the registered death of a patient of whom an earlier claim records the death as well."""
    known = tables.encounter.filter(~nw.col("patient_id").is_null(), ~nw.col("ngay_vao").is_null())
    after = known.filter(money("t_bhtt") > 0)
    if REGISTRY.sources > 1:
        recorded = (
            known.filter(nw.col("ket_qua_dtri").is_in(REGISTRY.died), nw.col("ngay_ra") >= nw.col("ngay_vao"))
            .group_by("patient_id")
            .agg(recorded=nw.col("ngay_ra").min())
        )
        after = after.join(recorded, on="patient_id", how="inner").filter(nw.col("recorded") < nw.col("ngay_vao"))
    # a death is a fact of no period: the newest word of the register counts, whenever it was loaded
    deaths = (
        catalogue(tables, "cards")
        .filter(~nw.col("deceased_on").is_null())
        .with_columns(valid_from=nw.lit(EVER), valid_to=nw.lit(None, dtype=nw.Date))
    )
    found = (
        as_of(after, deaths, on=("patient_id",), day="ngay_vao", take=("deceased_on",))
        .with_columns(days=days_between(nw.col("deceased_on").cast(nw.Datetime("us")), nw.col("ngay_vao")))
        .filter(nw.col("days") > REGISTRY.grace_days)
    )
    return encounter_hits(
        found, amount=money("t_bhtt"), observed=nw.col("days"), allowed=nw.lit(float(REGISTRY.grace_days))
    )


@rule(
    id="CARD-14",
    version=1,
    scheme="GEO_IMPOSSIBLE",
    severity="info",
    title_vi="Di chuyển bất khả",
    title_en="Impossible travel speed",
    reason_vi="Đến từ lượt trước ở cơ sở khác với tốc độ {observed} km/giờ theo đường thẳng (ngưỡng {allowed}).",
    reason_en="Came from an earlier visit elsewhere at {observed} km/h as the crow flies (threshold {allowed}).",
    legal_basis="ND90 Đ84; TT12/2026 Đ10 k1 h",
    needs=("encounter.patient_id", "encounter.ngay_vao", "encounter.ngay_ra", "encounter.ma_loai_kcb"),
    catalogues=("facilities",),
    known_gaps_vi=(
        "Tính theo đường chim bay giữa tọa độ các cơ sở; cơ sở không có tọa độ thì bỏ qua. Lượt trước kết thúc ở "
        "NGAY_RA, lượt khám thì muộn nhất sau một ngày; trùng giờ do CARD-11 đến CARD-13 xét, đợt ngoại trú thì không "
        "xét. NGAY_RA ghi sai, đi máy bay và hai người chung mã thẻ trông cũng như vậy."
    ),
    known_gaps_en=(
        "In a straight line between the coordinates of the facilities; those without any are passed over. The earlier "
        "visit ends with NGAY_RA, a consultation after a day at the latest; overlaps are CARD-11 to 13, courses are "
        "not judged. A wrong NGAY_RA, flights and two people under one card number look the same."
    ),
    examples=(
        hit(
            "ở Cà Mau, một giờ sau ở Hà Nội",
            "Ca Mau, then Ha Noi an hour later",
            listed("facilities", ma_cskcb="01001", name="A", province="96", lat=9.18, lon=105.15),
            listed("facilities", ma_cskcb="79001", name="B", province="01", lat=21.03, lon=105.85),
            visit(),
            exam(),
            visit("2025-03-10 11:00", ma_cskcb="79001"),
            exam(),
            amount=EXAM_PRICE * 0.8,
        ),
        clear(
            "thị trấn bên cạnh",
            "the next town",
            listed("facilities", ma_cskcb="01001", name="A", province="01", lat=21.03, lon=105.85),
            listed("facilities", ma_cskcb="79001", name="B", province="01", lat=21.10, lon=105.95),
            visit(),
            visit("2025-03-10 11:00", ma_cskcb="79001"),
            exam(),
        ),
        clear(
            "hai ngày sau",
            "two days later",
            listed("facilities", ma_cskcb="01001", name="A", province="96", lat=9.18, lon=105.15),
            listed("facilities", ma_cskcb="79001", name="B", province="01", lat=21.03, lon=105.85),
            visit(),
            visit("2025-03-12 11:00", ma_cskcb="79001"),
            exam(),
        ),
        not_evaluable(
            "thiếu mã người bệnh",
            "no patient",
            listed("facilities", ma_cskcb="01001", name="A", province="01", lat=21.03, lon=105.85),
            visit(patient_id=None),
            exam(),
        ),
    ),
)
def impossible_travel(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Encounters that begin sooner after an earlier one elsewhere than anybody could have come from there."""
    left = nw.col("p_ngay_ra")
    closes = (
        nw.when(care_type("p_ma_loai_kcb") == "01")
        .then(nw.min_horizontal(left, nw.col("p_ngay_vao").dt.offset_by("24h")))
        .otherwise(left)
    )
    near = (
        earlier_pairs(tables, "ma_loai_kcb", "ngay_ra", "t_bhtt")
        .filter(
            nw.col("ma_cskcb") != nw.col("p_ma_cskcb"),
            care_type().is_in(TRAVEL.care_types),
            care_type("p_ma_loai_kcb").is_in(TRAVEL.care_types),
            ~clockless(nw.col("ngay_vao")),
            ~clockless(left),
            money("t_bhtt") > 0,
        )
        .with_columns(hours=minutes_between(closes, nw.col("ngay_vao")) / 60)
        .filter(nw.col("hours") > 0, nw.col("hours") < TRAVEL.max_hours)
    )
    places, where = catalogue(tables, "facilities"), ("lat", "lon")
    here = as_of(near, places, on=("ma_cskcb",), day="ngay_vao", take=where)
    there = as_of(
        here, places, on=("ma_cskcb",), day="ngay_vao", take=where, called={"ma_cskcb": "p_ma_cskcb"}, prefix="p_"
    )
    middle = (nw.col("lat") + nw.col("p_lat")) / 2 * 0.017453292519943295
    north = (nw.col("lat") - nw.col("p_lat")) * KM_A_DEGREE
    east = (nw.col("lon") - nw.col("p_lon")) * KM_A_DEGREE * middle.cos()
    found = (
        there.with_columns(km=(north * north + east * east).sqrt())
        .with_columns(speed=nw.col("km") / nw.col("hours"))
        .filter(nw.col("km") >= TRAVEL.min_km, nw.col("speed") > TRAVEL.kmh)
    )
    return pair_hits(found, amount=money("t_bhtt"), observed=nw.col("speed"), allowed=nw.lit(float(TRAVEL.kmh)))


@rule(
    id="TIME-12",
    version=1,
    scheme="OUT_OF_HOURS",
    severity="info",
    title_vi="Khám ngoài giờ hợp đồng (không cấp cứu)",
    title_en="Visits outside contract hours",
    reason_vi="Đến khám lúc {observed} giờ, ngoài giờ khám của cơ sở ghi ở danh mục (gần nhất {allowed} giờ).",
    reason_en="Arrived at {observed} o'clock, outside the facility's hours in the catalogue (nearest {allowed}).",
    legal_basis="TT12/2026 Đ10 k1 e; ND188 Đ22",
    needs=(
        "encounter.ngay_vao",
        "encounter.ma_loai_kcb",
        "encounter.ma_doituong_kcb",
        "service_line.ma_nhom",
    ),
    catalogues=("facilities",),
    known_gaps_vi=(
        "Danh mục chỉ có một giờ mở và một giờ đóng cửa: không xét nghỉ trưa, cuối tuần và ngày nghỉ. Cơ sở mở cả "
        "ngày đêm thì để trống cả hai ô. Giờ hiển thị dạng số."
    ),
    known_gaps_en=(
        "The catalogue knows one opening and one closing time: a pause at noon, weekends and closed days are not "
        "judged. A facility that opens round the clock leaves both cells empty. Hours are shown as numbers."
    ),
    examples=(
        hit(
            "lúc 9 giờ tối",
            "at nine in the evening",
            listed("facilities", ma_cskcb="01001", name="A", province="01", open_from="07:00", open_to="17:00"),
            visit("2025-03-10 21:00"),
            exam(),
            amount=EXAM_PRICE * 0.8,
        ),
        clear(
            "vào buổi sáng",
            "in the morning",
            listed("facilities", ma_cskcb="01001", name="A", province="01", open_from="07:00", open_to="17:00"),
            visit(),
            exam(),
        ),
        clear(
            "cấp cứu",
            "emergency",
            listed("facilities", ma_cskcb="01001", name="A", province="01", open_from="07:00", open_to="17:00"),
            visit("2025-03-10 21:00", ma_doituong_kcb="2"),
            exam(),
        ),
        clear(
            "mở cả ngày đêm",
            "open round the clock",
            listed("facilities", ma_cskcb="01001", name="A", province="01"),
            visit("2025-03-10 21:00"),
            exam(),
        ),
        not_evaluable(
            "thiếu giờ vào",
            "no time of arrival",
            listed("facilities", ma_cskcb="01001", name="A", province="01", open_from="07:00", open_to="17:00"),
            visit(ngay_vao=None),
            exam(),
        ),
    ),
)
def out_of_hours(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid examinations of outpatients who arrived, not as emergencies, when the facility was closed."""
    visits = tables.encounter.filter(
        care_type().is_in(HOURS.care_types),
        nw.col("ma_doituong_kcb").str.strip_chars() != HOURS.emergency,
        ~clockless(nw.col("ngay_vao")),
    ).select(*KEY, "ngay_vao")
    clock = "^[0-9][0-9]:[0-9][0-9]$"
    # compared as text: what is no clock must never be cast, in whatever order an engine works
    outside = (
        as_of(visits, catalogue(tables, "facilities"), on=("ma_cskcb",), day="ngay_vao", take=("open_from", "open_to"))
        .with_columns(arrived=nw.col("ngay_vao").dt.to_string("%H:%M"))
        .with_columns(early=nw.col("arrived") < nw.col("open_from"), late=nw.col("arrived") > nw.col("open_to"))
        .filter(
            nw.col("open_from").str.contains(clock),
            nw.col("open_to").str.contains(clock),
            nw.col("open_from") < nw.col("open_to"),
            nw.col("early") | nw.col("late"),
        )
        .select(
            *KEY,
            "arrived",
            nearest=nw.when(nw.col("early")).then(nw.col("open_from")).otherwise(nw.col("open_to")),
        )
    )
    found = (
        lines(tables, SERVICES, "ma_nhom", "t_bhtt")
        .filter(nw.col("ma_nhom") == EXAM, money("t_bhtt") > 0)
        .join(outside, on=KEY, how="inner")
    )
    return line_hits(found, amount=money("t_bhtt"), observed=_hour(nw.col("arrived")), allowed=_hour(nw.col("nearest")))


def _hour(text: nw.Expr) -> nw.Expr:
    """`HH:MM` as hours; text of another form must have been filtered away."""
    return text.str.slice(0, 2).cast(nw.Float64) + text.str.slice(3, 2).cast(nw.Float64) / 60
