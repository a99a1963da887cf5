"""Drugs and supplies whose cost is already in the price of a service or of the bed day."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.schema import ENCOUNTER_KEY
from detectors.base import clear, hit, not_evaluable, rule
from detectors.examples import TEST_PRICE, drug, service, stay, surgery, visit
from detectors.expressions import (
    DRUGS,
    SERVICES,
    SUPPLIES,
    SURGERY,
    care_type,
    carried_out,
    clockless,
    day,
    diagnosed,
    family,
    line_hits,
    lines,
    minutes_between,
    money,
    with_encounter,
)
from detectors.facts import facts

if TYPE_CHECKING:
    from data.schema import ClaimTables

PROCEDURE = 18
DAY_MIN = 24 * 60
KEY: list[str] = list(ENCOUNTER_KEY)
NOT_BLANK = ("service_line.ngay_yl", "drug_line.ngay_yl", "drug_line.ten_thuoc")
BY_NAME_VI = "Nhận biết theo tên: sản phẩm có tên không cho biết hoạt chất thì bỏ qua."
BY_NAME_EN = "Told by names: a product whose name tells no ingredient is passed over."
_EPOCH = datetime.fromisoformat("2000-01-01")

_FUND = TEST_PRICE * 0.8
_DIALYSIS: dict[str, Any] = {"ma_nhom": PROCEDURE, "ten_dich_vu": "Thận nhân tạo chu kỳ"}
_HEPARIN: dict[str, Any] = {"ten_thuoc": "Heparin natri 25000 UI", "don_vi_tinh": "lọ", "lieu_dung": None}
_OXYGEN: dict[str, Any] = {"ma_thuoc": "40.17", "ten_thuoc": "Oxy y tế", "don_vi_tinh": "lít", "lieu_dung": None}
_VENTILATED: dict[str, Any] = {"ma_nhom": PROCEDURE, "ten_dich_vu": "Thông khí nhân tạo xâm nhập (một ngày thở máy)"}
_LIDOCAINE: dict[str, Any] = {"ten_thuoc": "Lidocain 2%", "don_vi_tinh": "ống", "lieu_dung": None}
_EYELID: dict[str, Any] = {"ma_nhom": SURGERY, "ten_dich_vu": "Mổ quặm 1 mi"}
_SUPPLY: dict[str, Any] = {"ma_nhom": 10, "ma_dich_vu": None, "ten_dich_vu": None, "ma_vat_tu": "N03.01.070"}
_SPRAY: dict[str, Any] = _SUPPLY | {"ten_vat_tu": "Dung dịch xịt phòng ngừa loét tỳ đè 20 ml"}


def _services_on_days(tables: ClaimTables, belongs: nw.Expr) -> nw.LazyFrame[Any]:
    """Encounters and days with a paid service of `belongs`, each once."""
    return (
        lines(tables, SERVICES, "ten_dich_vu", "ma_nhom", "ngay_yl", "ngay_th_yl", "t_bhtt")
        .filter(belongs)
        .filter(money("t_bhtt") > 0, ~carried_out().is_null())
        .select(*KEY, date=day(carried_out()))
        .unique([*KEY, "date"])
    )


def _drugs_by_day(tables: ClaimTables, belongs: nw.Expr, *columns: str) -> nw.LazyFrame[Any]:
    """Paid drug lines of `belongs` with the `date` they were given."""
    return (
        lines(tables, DRUGS, "ma_thuoc", "ten_thuoc", "ngay_yl", "ngay_th_yl", "so_luong", "t_bhtt", *columns)
        .filter(belongs)
        .filter(money("t_bhtt") > 0, ~carried_out().is_null())
        .with_columns(date=day(carried_out()))
    )


@rule(
    id="INP-01",
    version=1,
    scheme="UNBUNDLE_SUPPLY_DRUG",
    severity="deny",
    title_vi="Heparin, enoxaparin kèm chạy thận",
    title_en="Heparin billed with dialysis",
    reason_vi="Thuốc chống đông (số lượng {observed}) tính riêng {amount} trong ngày chạy thận, giá chạy thận đã có.",
    reason_en="An anticoagulant (quantity {observed}) is billed apart ({amount}) on a dialysis day.",
    legal_basis="TT37/2024 Đ8 k5 b; CV266 KT102 (S.004.602)",
    needs=("encounter.ma_benh_chinh", *NOT_BLANK),
    known_gaps_vi=(
        f"{BY_NAME_VI} Hồ sơ có chẩn đoán cần thuốc chống đông (review_icd) thì bỏ qua cả hồ sơ; dự phòng huyết khối "
        "vì lý do khác trong ngày lọc máu trông cũng như vậy. Không xét lọc máu liên tục."
    ),
    known_gaps_en=(
        f"{BY_NAME_EN} Claims with a diagnosis that is treated with an anticoagulant (review_icd) are passed over "
        "whole; prevention of a thrombosis for another reason on the day of dialysis looks the same. Continuous "
        "filtration is not judged."
    ),
    examples=(
        hit(
            "heparin trong ngày lọc máu",
            "heparin on the day",
            visit(),
            service(**_DIALYSIS),
            drug(quantity=80, **_HEPARIN),
            amount=80_000 * 0.8,
        ),
        clear(
            "heparin vào ngày khác",
            "heparin on another day",
            stay(),
            service(**_DIALYSIS),
            drug(quantity=80, ngay_yl="2025-03-12 08:00", ngay_th_yl="2025-03-12 08:00", **_HEPARIN),
        ),
        clear(
            "thuyên tắc phổi",
            "pulmonary embolism",
            stay(ma_benh_kt="E11.9;I26.9"),
            service(**_DIALYSIS),
            drug(quantity=80, **_HEPARIN),
        ),
        clear("heparin, không lọc máu", "heparin without dialysis", visit(), drug(quantity=80, **_HEPARIN)),
        clear("lọc máu và thuốc khác", "dialysis and another drug", visit(), service(**_DIALYSIS), drug()),
        not_evaluable(
            "thiếu chẩn đoán",
            "no diagnosis",
            visit(ma_benh_chinh=None),
            service(**_DIALYSIS),
            drug(quantity=80, muc_huong=0, **_HEPARIN),
        ),
    ),
)
def anticoagulant_with_dialysis(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid heparin and enoxaparin lines of a day with dialysis, unless a diagnosis asks for an anticoagulant."""
    known = facts("INP-01")
    given = family(tables, "drug_line", known.drug) & ~family(tables, "drug_line", known.drug_not)
    dialysis = family(tables, "service_line", known.dialysis) & ~family(tables, "service_line", known.dialysis_not)
    found = with_encounter(
        _drugs_by_day(tables, given).join(_services_on_days(tables, dialysis), on=[*KEY, "date"], how="semi"),
        tables,
        "ma_benh_chinh",
        "ma_benh_kt",
    ).filter(~nw.col("e_ma_benh_chinh").is_null(), ~diagnosed(known.review_icd))
    return line_hits(found, amount=money("t_bhtt"), observed=money("so_luong"), allowed=nw.lit(None, dtype=nw.Float64))


@rule(
    id="INP-02",
    version=1,
    scheme="UNBUNDLE_SUPPLY_DRUG",
    severity="deny",
    title_vi="Oxy kèm thở máy",
    title_en="Oxygen with ventilation",
    reason_vi="Oxy tính riêng {amount} trong ngày thở máy trọn vẹn (đợt thở máy {observed} giờ).",
    reason_en="Oxygen is billed apart ({amount}) on a day ventilated throughout ({observed} hours in a row).",
    legal_basis="TT37/2024 Đ8 k5 b; CV266 KT219 (S.004.602)",
    needs=("service_line.ngay_yl", "drug_line.ngay_yl", "drug_line.ma_thuoc"),
    known_gaps_vi=(
        "Ngày được tính khi thở máy kê theo ngày, các ngày liền nhau, kéo trọn từ nửa đêm đến nửa đêm; bỏ qua ngày "
        "bắt đầu, ngày cai máy và dòng không ghi giờ. Thở máy ngừng trước khi hết ngày đã kê trông như cả ngày. Dòng "
        "kê theo giờ tính theo giờ."
    ),
    known_gaps_en=(
        "A day counts when ventilation that is billed by days, one after the other, runs from midnight to midnight; "
        "the days of starting and of weaning are passed over, and so are lines without a clock. Ventilation ended "
        "before the billed day was over looks like a whole day. Lines billed by the hour count as hours."
    ),
    examples=(
        hit(
            "thở oxy vào ngày thứ hai trong ba ngày thở máy",
            "oxygen on the second of three ventilated days",
            stay(days=5),
            service(**_VENTILATED, quantity=3),
            drug(quantity=1000, ngay_yl="2025-03-11 10:00", ngay_th_yl="2025-03-11 10:00", **_OXYGEN),
            amount=1_000_000 * 0.8,
        ),
        hit(
            "mỗi ngày một dòng",
            "one line a day",
            stay(days=5),
            *(
                service(**_VENTILATED, ngay_yl=f"2025-03-{d} 08:30", ngay_th_yl=f"2025-03-{d} 08:30")
                for d in (10, 11, 12)
            ),
            drug(quantity=1000, ngay_yl="2025-03-12 00:30", ngay_th_yl="2025-03-12 00:30", **_OXYGEN),
            amount=1_000_000 * 0.8,
        ),
        clear(
            "thở oxy trong ngày đặt nội khí quản",
            "oxygen on the day of intubation",
            stay(days=5),
            drug(quantity=1000, **_OXYGEN),
            service(**_VENTILATED, quantity=3),
        ),
        clear(
            "thở oxy sau khi cai máy",
            "oxygen after weaning",
            stay(days=5),
            service(**_VENTILATED, quantity=2),
            drug(quantity=1000, ngay_yl="2025-03-13 10:00", ngay_th_yl="2025-03-13 10:00", **_OXYGEN),
        ),
        not_evaluable(
            "thở máy không ghi giờ",
            "no time of the ventilation",
            stay(days=5),
            service(**_VENTILATED, quantity=3, ngay_yl=None, ngay_th_yl=None),
            drug(quantity=1000, ngay_yl="2025-03-11 10:00", ngay_th_yl="2025-03-11 10:00", **_OXYGEN),
        ),
    ),
)
def oxygen_with_ventilation(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid oxygen lines of a day that billed ventilation covers from midnight to midnight."""
    known = facts("INP-02")
    ventilation = family(tables, "service_line", known.ventilation)
    hourly = nw.col("don_vi_tinh").fill_null("").str.to_lowercase().str.strip_chars() == "giờ"
    length = money("so_luong") * nw.when(hourly).then(nw.lit(60.0)).otherwise(nw.lit(float(DAY_MIN)))
    order = ["start", "row_no"]
    spells = (
        lines(tables, SERVICES, "ten_dich_vu", "don_vi_tinh", "ngay_yl", "ngay_th_yl", "so_luong", "t_bhtt")
        .filter(ventilation)
        .filter(
            ~family(tables, "service_line", known.ventilation_not),
            money("t_bhtt") > 0,
            money("so_luong") > 0,
            ~carried_out().is_null(),
            ~clockless(carried_out()),
        )
        .select(*KEY, "row_no", start=minutes_between(nw.lit(_EPOCH), carried_out()), length=length)
        .with_columns(end=nw.col("start") + nw.col("length"))
        .with_columns(reach=nw.col("end").cum_max().over(*KEY, order_by=order))
        .with_columns(before=nw.col("reach").shift(1).over(*KEY, order_by=order))
        .with_columns(
            begins=(nw.col("before").is_null() | (nw.col("start") > nw.col("before") + known.join_min)).cast(nw.Int64)
        )
        .with_columns(spell=nw.col("begins").cum_sum().over(*KEY, order_by=order))
        .group_by(*KEY, "spell")
        .agg(nw.col("start").min(), nw.col("end").max())
        .select(*KEY, "start", "end")
    )
    midnight = minutes_between(nw.lit(_EPOCH), nw.col("date"))
    oxygen = nw.col("ma_thuoc").fill_null("").str.strip_chars().is_in(known.oxygen)
    found = (
        _drugs_by_day(tables, oxygen)
        .join(spells, on=KEY, how="inner")
        .filter(nw.col("start") <= midnight, nw.col("end") >= midnight + DAY_MIN)
    )
    return line_hits(
        found,
        amount=money("t_bhtt"),
        observed=(nw.col("end") - nw.col("start")) / 60,
        allowed=nw.lit(None, dtype=nw.Float64),
    )


@rule(
    id="INP-03",
    version=1,
    scheme="UNBUNDLE_SUPPLY_DRUG",
    severity="warn",
    title_vi="Thuốc vô cảm đã có trong giá phẫu thuật",
    title_en="Anaesthetic already in the surgery price",
    reason_vi="Thuốc vô cảm (số lượng {observed}) tính riêng {amount} trong ngày mổ mà giá đã gồm thuốc vô cảm.",
    reason_en="An anaesthetic (quantity {observed}) is billed apart ({amount}) with surgery whose price includes it.",
    legal_basis="TT35/2016 Đ4a; CV266 KT49 (S.004.605)",
    needs=("service_line.ma_nhom", *NOT_BLANK),
    known_gaps_vi=(
        f"{BY_NAME_VI} Chỉ xét các ca mổ nêu trong chuyên đề; giá khác cũng có ghi chú này thì chưa có trong danh mục "
        "nào. Ngày có ca mổ hoặc thủ thuật khác thì bỏ qua, vì thuốc có thể dùng cho ca đó. Quyết định giá không gồm "
        "thuốc tê, thuốc mê trông cũng như vậy."
    ),
    known_gaps_en=(
        f"{BY_NAME_EN} Only the operations the topic names; other prices with such a note are in no catalogue yet. A "
        "day with any other operation or procedure is passed over, since the drug may be for that one. A price "
        "decision that leaves the anaesthetic out looks the same."
    ),
    examples=(
        hit(
            "lidocain cùng mổ quặm",
            "lidocaine with entropion surgery",
            visit(),
            service(**_EYELID),
            drug(quantity=4, **_LIDOCAINE),
            amount=3200,
        ),
        clear(
            "có ca mổ khác trong ngày",
            "another operation the same day",
            stay(),
            service(**_EYELID),
            surgery("2025-03-10 10:00"),
            drug(quantity=4, **_LIDOCAINE),
        ),
        clear(
            "có ca mổ khác", "another operation", stay(), surgery("2025-03-10 10:00"), drug(quantity=4, **_LIDOCAINE)
        ),
        clear(
            "mổ móng", "nail surgery", visit(), service(ma_nhom=8, ten_dich_vu="Phẫu thuật móng"), drug(**_LIDOCAINE)
        ),
        clear("thuốc khác", "another drug", visit(), service(**_EYELID), drug()),
        not_evaluable(
            "ca mổ không ghi giờ",
            "no time of the surgery",
            visit(),
            service(**_EYELID, ngay_yl=None, ngay_th_yl=None),
            drug(quantity=4, **_LIDOCAINE),
        ),
    ),
)
def anaesthetic_in_the_price(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid anaesthetics of a day whose only operations are those whose price holds the anaesthetic."""
    known = facts("INP-03")
    holds = family(tables, "service_line", known.operation, accents=True)
    operation = nw.col("ma_nhom").is_in([SURGERY, PROCEDURE])
    found = (
        _drugs_by_day(tables, family(tables, "drug_line", known.anaesthetic))
        .join(_services_on_days(tables, operation & holds), on=[*KEY, "date"], how="semi")
        .join(_services_on_days(tables, operation & ~holds), on=[*KEY, "date"], how="anti")
    )
    return line_hits(found, amount=money("t_bhtt"), observed=money("so_luong"), allowed=nw.lit(None, dtype=nw.Float64))


@rule(
    id="INP-05",
    version=1,
    scheme="UNBUNDLE_SUPPLY_DRUG",
    severity="warn",
    title_vi="Vật tư tiêu hao của ngày giường tính riêng",
    title_en="Bed-day consumables billed apart",
    reason_vi="Vật tư tiêu hao thông thường (số lượng {observed}) tính riêng {amount}, tiền giường đã gồm.",
    reason_en="An ordinary consumable (quantity {observed}) is billed apart ({amount}) from the bed day.",
    legal_basis="TT35/2016 Đ4a",
    needs=("encounter.ma_loai_kcb", "service_line.ma_nhom"),
    known_gaps_vi=(
        "Nhận biết theo tên có dấu: băng gạc và bơm tiêm đặc biệt bỏ qua theo tên; vật tư kê kèm kỹ thuật (dòng có mã "
        "dịch vụ hoặc gói) thì không xét: kỹ thuật chưa có giá được kê vật tư đã dùng."
    ),
    known_gaps_en=(
        "Told by names, with accents: special dressings and syringes are passed over by name, and what is billed with "
        "a technique (a service code or a package on the line) is not judged: a technique without a price may bill "
        "what it used."
    ),
    examples=(
        hit(
            "gạc trong đợt nội trú",
            "gauze in a stay",
            stay(),
            service(**_SUPPLY, ten_vat_tu="Gạc phẫu thuật 10 x 10 cm"),
            amount=_FUND,
        ),
        hit(
            "bơm tiêm thường", "ordinary syringes", stay(), service(**_SUPPLY, ten_vat_tu="Bơm tiêm 5 ml"), amount=_FUND
        ),
        clear("kim luồn", "cannula", stay(), service(**_SUPPLY, ten_vat_tu="Kim luồn tĩnh mạch")),
        clear(
            "ống thông có bóng", "balloon catheter", stay(), service(**_SUPPLY, ten_vat_tu="Bóng nong động mạch vành")
        ),
        clear("gạc cầm máu", "haemostatic gauze", stay(), service(**_SUPPLY, ten_vat_tu="Gạc cầm máu tự tiêu")),
        clear(
            "nằm trong gói của kỹ thuật",
            "in a package of a technique",
            stay(),
            service(**_SUPPLY, goi_vtyt="G1", ten_vat_tu="Gạc vô trùng"),
        ),
        clear("ngoại trú", "outpatient", visit(), service(**_SUPPLY, ten_vat_tu="Gạc vô trùng")),
        not_evaluable(
            "thiếu mã loại KCB", "no care type", stay(ma_loai_kcb=None), service(**_SUPPLY, ten_vat_tu="Gạc vô trùng")
        ),
    ),
)
def consumables_of_the_bed_day(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid ordinary consumables of an inpatient stay that belong to no technique."""
    known = facts("INP-05")
    ordinary = family(tables, "service_line", known.consumable, column="ten_vat_tu", accents=True)
    lawful = family(tables, "service_line", f"{known.allowed}|{known.special}", column="ten_vat_tu")
    used_in = (nw.col("ma_dich_vu").fill_null("").str.strip_chars() != "") | (
        nw.col("goi_vtyt").fill_null("").str.strip_chars() != ""
    )
    found = with_encounter(
        lines(tables, SERVICES, "ma_nhom", "ma_dich_vu", "goi_vtyt", "ten_vat_tu", "so_luong", "t_bhtt")
        .filter(nw.col("ma_nhom").is_in(SUPPLIES), ordinary)
        .filter(~lawful, ~used_in, money("t_bhtt") > 0),
        tables,
        "ma_loai_kcb",
    ).filter(care_type("e_ma_loai_kcb") == "03")
    return line_hits(found, amount=money("t_bhtt"), observed=money("so_luong"), allowed=nw.lit(None, dtype=nw.Float64))


@rule(
    id="INP-06",
    version=1,
    scheme="UNBUNDLE_SUPPLY_DRUG",
    severity="deny",
    title_vi="Dung dịch xịt loét tỳ đè quá 3 lọ/đợt",
    title_en="Pressure-ulcer spray above 3 bottles",
    reason_vi="Đợt điều trị tính {observed} lọ dung dịch xịt loét tỳ đè, tối đa {allowed} lọ.",
    reason_en="The claim bills {observed} bottles of pressure-ulcer spray, at most {allowed}.",
    legal_basis="TT35/2016 Đ4a",
    needs=("encounter.ma_benh_chinh", "service_line.so_luong", "drug_line.so_luong"),
    known_gaps_vi=(
        "Giới hạn dành cho độ 1: hồ sơ có chẩn đoán độ cao hơn thì bỏ qua. Tên ghi dung tích khác 20 ml thì bỏ qua, "
        "tên không ghi thì coi là 20 ml. Mỗi dòng chịu phần của mình trong số vượt. Đợt cắt thành hai hồ sơ thì không "
        "gộp lại."
    ),
    known_gaps_en=(
        "The limit is for grade 1: claims with a higher grade among their diagnoses are passed over. A name that "
        "tells another size than 20 ml is passed over, one that tells none counts as 20 ml. Each line carries its "
        "share of the excess. A course cut into two claims is not put together."
    ),
    examples=(
        hit("năm lọ", "five bottles", stay(), service(**_SPRAY, quantity=5), amount=2 * _FUND),
        hit(
            "hai dòng", "two lines", stay(), service(**_SPRAY, quantity=2), service(**_SPRAY, quantity=2), amount=_FUND
        ),
        clear("ba lọ", "three bottles", stay(), service(**_SPRAY, quantity=3)),
        clear("loét độ 3", "grade 3", stay(ma_benh_kt="L89.2"), service(**_SPRAY, quantity=5)),
        clear(
            "dung tích khác",
            "another size",
            stay(),
            service(**_SUPPLY, ten_vat_tu="Dung dịch xịt loét tỳ đè 60 ml", quantity=5),
        ),
        not_evaluable("thiếu số lượng", "no quantity", stay(), service(**_SPRAY, so_luong=None)),
    ),
)
def spray_bottles(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Lines of pressure-ulcer spray of a claim with more bottles than allowed, each with its share of the excess."""
    known = facts("INP-06")
    parts = [
        lines(tables, which, "so_luong", "t_bhtt", name)
        .filter(family(tables, which[0], known.spray, column=name))
        .filter(~family(tables, which[0], known.other_size, column=name), money("t_bhtt") > 0)
        .select(*KEY, "line_table", "row_no", "so_luong", "t_bhtt")
        for which, name in ((SERVICES, "ten_vat_tu"), (DRUGS, "ten_thuoc"))
    ]
    sprayed = with_encounter(nw.concat(parts), tables, "ma_benh_chinh", "ma_benh_kt").filter(
        ~nw.col("e_ma_benh_chinh").is_null(), ~diagnosed(known.higher_grades)
    )
    above = (
        sprayed.select(*KEY, bottles=money("so_luong"))
        .group_by(*KEY)
        .agg(nw.col("bottles").sum())
        .filter(nw.col("bottles") > known.max)
    )
    found = sprayed.join(above, on=KEY, how="inner")
    bottles = nw.col("bottles")
    return line_hits(
        found,
        amount=(bottles - known.max) / bottles * money("t_bhtt"),
        observed=bottles,
        allowed=nw.lit(float(known.max)),
    )
