"""How drugs are prescribed: for how long, again too soon, twice of one class, too many, or added afterwards.

Lengths are read from doses in the decree's form; any other text is passed over. Classes are told by name.
"""

from __future__ import annotations

from datetime import datetime
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.schema import ENCOUNTER_KEY, reused
from detectors.base import clear, hit, not_evaluable, rule
from detectors.drug_family import BY_NAME_EN, BY_NAME_VI, age, expand
from detectors.examples import EXAM_PRICE, PILL_PRICE, TEST_PRICE, drug, exam, service, stay, visit
from detectors.expressions import (
    DRUGS,
    care_type,
    clockless,
    day,
    days_between,
    encounter_hits,
    family,
    line_hits,
    lines,
    minutes_between,
    money,
    recurring,
    with_encounter,
)
from detectors.facts import facts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from data.schema import ClaimTables
    from detectors.examples import Row

KEY: list[str] = list(ENCOUNTER_KEY)
LINE = [*KEY, "line_table", "row_no"]
DISPENSING = ("01", "05", "07", "08")
"""Care types in which drugs are taken home from one visit."""
NOT_AN_INGREDIENT = ("", "00.0000")
FUND = 20 * PILL_PRICE * 0.8  # what the fund pays for a drug of the examples
PILL = PILL_PRICE * 0.8
_EPOCH = datetime.fromisoformat("2000-01-01")
DECREE_FORM_VI = "Chỉ đọc liều ghi theo mẫu quy định (`1 viên/lần * 2 lần/ngày * 5 ngày`)."
DECREE_FORM_EN = "Only doses in the decree's form (`1 viên/lần * 2 lần/ngày * 5 ngày`) are read."


def _supplied(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """For how many `days` each different LIEU_DUNG supplies; texts without days are left out. Parsed once a text."""
    third = nw.concat_str([nw.col("lieu_dung").str.to_lowercase(), nw.lit("***")]).str.split("*").list.get(2)
    told = third.str.strip_chars()
    digits = nw.when(told.str.contains("^[0-9]{1,3} *ng[àa]y")).then(told.str.replace_all("[^0-9].*$", ""))
    return (
        tables.drug_line.select("lieu_dung")
        .filter(~nw.col("lieu_dung").is_null())
        .unique(["lieu_dung"])
        .with_columns(days=digits.cast(nw.Float64))
        .filter(nw.col("days") > 0)
    )


def _ingredient() -> nw.Expr:
    """The ingredient a code names: its first two parts, `40.48` of `40.48.1`."""
    parts = nw.concat_str([nw.col("ma_thuoc").str.strip_chars(), nw.lit("..")]).str.split(".")
    return nw.concat_str([parts.list.get(0), nw.lit("."), parts.list.get(1)])


def _codes(*columns: str) -> nw.Expr:
    """The diagnoses as one text of bare codes between semicolons."""
    joined = nw.concat_str([nw.col(c).fill_null("") for c in columns], separator=";")
    return joined.str.to_uppercase().str.replace_all("[^A-Z0-9;]", "")


def _only(codes: nw.Expr, prefixes: Sequence[str]) -> nw.Expr:
    """Whether there is a diagnosis, and each begins with one of `prefixes`."""
    return codes.str.contains(f"^;*(({'|'.join(expand(prefixes))})[A-Z0-9]*;*)+$")


@rule(
    id="DRG-02",
    version=1,
    scheme="OVER_DRUG_QTY",
    severity="warn",
    title_vi="Số ngày cấp thuốc vượt mức cho phép",
    title_en="Days supplied above what is permitted",
    reason_vi="Cấp thuốc {observed} ngày, mức cho phép {allowed} ngày; phần vượt {amount} đồng.",
    reason_en="{observed} days of a drug supplied, {allowed} permitted; {amount} VND is beyond.",
    legal_basis="TT26/2025; TT52/2017 Đ6 (chưa kiểm chứng)",
    needs=("encounter.ma_loai_kcb", "encounter.ma_benh_chinh", "drug_line.lieu_dung", "drug_line.ngay_yl"),
    known_gaps_vi=(
        f"{DECREE_FORM_VI} Chưa có danh sách 252 bệnh được cấp trên 30 ngày: từ tháng 7/2025 chỉ nêu khi quá 90 ngày, "
        "và khi quá 30 ngày nếu mọi chẩn đoán đều là bệnh ngắn ngày (danh sách do chúng tôi lập, chưa kiểm chứng). "
        "Cấp dài ngày được phép trong mùa dịch trông cũng như vậy; thuốc mang về sau đợt nội trú thì không xét."
    ),
    known_gaps_en=(
        f"{DECREE_FORM_EN} The list of 252 diseases for more than 30 days is not at hand: since July 2025 only more "
        "than 90 days, and more than 30 for claims whose every diagnosis is a short one (a list of ours, unverified), "
        "are a sign. Longer supply that was allowed during the epidemic looks the same, and so do drugs taken at home "
        "after a stay, which are not judged."
    ),
    examples=(
        hit(
            "120 ngày",
            "120 days",
            visit("2026-03-10 08:00", ma_benh_chinh="I10"),
            drug(days=120, per_day=1),
            amount=30 * PILL,
        ),
        hit(
            "60 ngày, trước tháng 7/2025",
            "60 days before July 2025",
            visit(ma_benh_chinh="I10"),
            drug(days=60, per_day=1),
            amount=30 * PILL,
        ),
        hit(
            "60 ngày cho viêm họng",
            "60 days for a sore throat",
            visit("2026-03-10 08:00", ma_benh_chinh="J02.9", ma_benh_kt="J20.9"),
            drug(days=60, per_day=1),
            amount=30 * PILL,
        ),
        clear("90 ngày", "90 days", visit("2026-03-10 08:00", ma_benh_chinh="I10"), drug(days=90, per_day=1)),
        clear("30 ngày trong năm 2025", "30 days in 2025", visit(ma_benh_chinh="I10"), drug(days=30, per_day=1)),
        clear(
            "bệnh dài ngày cùng bệnh ngắn ngày",
            "a long disease beside a short one",
            visit("2026-03-10 08:00", ma_benh_chinh="J02.9", ma_benh_kt="I10"),
            drug(days=60, per_day=1),
        ),
        clear("liều ghi tự do", "free text", visit(), drug(lieu_dung="Uống 120 ngày")),
        not_evaluable("thiếu liều dùng", "no dose", visit(), drug(lieu_dung=None)),
    ),
)
def too_many_days(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid drugs taken home for more days than permitted on their day."""
    known = facts("DRG-02")
    long = _supplied(tables).filter(nw.col("days") > min(known.short_days, *(p.value for p in known["days"].periods)))
    paid = lines(tables, DRUGS, "lieu_dung", "ngay_yl", "t_bhtt").filter(money("t_bhtt") > 0)
    short = _only(_codes("e_ma_benh_chinh", "e_ma_benh_kt"), known.short_icd)
    found = (
        with_encounter(
            paid.join(long, on="lieu_dung", how="inner"), tables, "ma_loai_kcb", "ma_benh_chinh", "ma_benh_kt"
        )
        .filter(care_type("e_ma_loai_kcb").is_in(DISPENSING), ~nw.col("e_ma_benh_chinh").is_null())
        .with_columns(limit=nw.when(short).then(nw.lit(float(known.short_days))))
        .with_columns(limit=nw.coalesce(nw.col("limit"), known["days"].at(nw.col("ngay_yl"))))
        .filter(nw.col("days") > nw.col("limit"))
    )
    days, limit = nw.col("days"), nw.col("limit")
    return line_hits(found, amount=(days - limit) / days * money("t_bhtt"), observed=days, allowed=limit)


def _month(of: str, **fields: Any) -> tuple[Row, Row]:
    return visit(f"{of} 08:00", **fields), drug(days=30)


@rule(
    id="DRG-04",
    version=1,
    scheme="OVERLAP_DRUG_SUPPLY",
    severity="warn",
    title_vi="Tỷ lệ ngày có thuốc trên 1,2 trong 90 ngày",
    title_en="Possession ratio above 1.2 in 90 days",
    reason_vi="90 ngày trước đã được cấp thuốc cho {observed} lần số ngày (tối đa {allowed}), nay lại cấp.",
    reason_en="The last 90 days were supplied {observed} times over (at most {allowed}); it is given again.",
    legal_basis="ND90 Đ84-85",
    needs=("encounter.patient_id", "encounter.ngay_vao", "encounter.ma_loai_kcb", "drug_line.lieu_dung"),
    known_gaps_vi=(
        f"{DECREE_FORM_VI} Tỷ lệ tính trên các ngày trước lượt khám, cấp ở đâu cũng tính; tỷ lệ và số ngày xét do "
        "chúng tôi chọn. Tăng liều, mất thuốc, cấp trước kỳ nghỉ và đổi cơ sở trông cũng như vậy. Đường dùng khác là "
        "đợt thuốc khác. Không thấy hồ sơ trước khi dữ liệu bắt đầu."
    ),
    known_gaps_en=(
        f"{DECREE_FORM_EN} The ratio is that of the days before the visit, wherever dispensed; ratio and window are "
        "ours. A raised dose, lost medicine, holiday refills and a change of facility look the same. Another route is "
        "another course. Claims from before the data begin are not seen."
    ),
    examples=(
        hit(
            "thuốc của tháng thứ năm trong vòng 80 ngày",
            "the fifth month within eighty days",
            *_month("2025-01-02"),
            *_month("2025-01-20", ma_cskcb="01002"),
            *_month("2025-02-05"),
            *_month("2025-02-22", ma_cskcb="01002"),
            *_month("2025-03-10"),
            amount=0.25 * 60 * PILL,
        ),
        clear(
            "28 ngày một lần",
            "every 28 days",
            *_month("2025-01-06"),
            *_month("2025-02-03"),
            *_month("2025-03-03"),
            *_month("2025-03-31"),
            *_month("2025-04-28"),
        ),
        clear(
            "hai đơn 90 ngày",
            "two prescriptions of ninety days",
            visit("2025-01-06 08:00"),
            drug(days=90),
            *_month("2025-04-01"),
        ),
        not_evaluable("thiếu mã người bệnh", "no patient", visit(patient_id=None), drug(days=30)),
    ),
)
def possession_ratio(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid drugs given to a patient whom the window before had supplied beyond the ratio."""
    known = facts("DRG-04")
    dispensed = (
        with_encounter(
            lines(tables, DRUGS, "ma_thuoc", "duong_dung", "lieu_dung", "t_bhtt").join(
                _supplied(tables).filter(nw.col("days") <= known.max_days), on="lieu_dung", how="inner"
            ),
            tables,
            "patient_id",
            "ma_loai_kcb",
            "ngay_vao",
        )
        .filter(
            ~nw.col("e_patient_id").is_null(),
            ~nw.col("e_ngay_vao").is_null(),
            care_type("e_ma_loai_kcb").is_in(DISPENSING),
        )
        .with_columns(
            ingredient=nw.col("ma_thuoc").fill_null("").str.strip_chars(),
            route=nw.col("duong_dung").fill_null("").str.strip_chars(),
        )
        .filter(~nw.col("ingredient").is_in(NOT_AN_INGREDIENT))
    )
    dispense, course = [*KEY, "ingredient", "route"], ["e_patient_id", "ingredient", "route"]
    dispensed = reused(recurring(dispensed, *course))
    supplies = reused(dispensed.group_by(*dispense, "e_patient_id", "e_ngay_vao").agg(nw.col("days").max()))
    # A supply enters the window on its day and leaves it after the last day of the window: a running sum holds it.
    start = days_between(nw.lit(_EPOCH), nw.col("e_ngay_vao"))
    enters = supplies.select(*dispense, "e_patient_id", "e_ngay_vao", at=start, enters=nw.lit(1), change=nw.col("days"))
    leaves = supplies.select(
        *dispense, "e_patient_id", "e_ngay_vao", at=start + known.window + 1, enters=nw.lit(0), change=-nw.col("days")
    )
    order = ["at", "enters", "e_ngay_vao", *KEY]
    running = nw.concat([enters, leaves]).with_columns(
        held=nw.col("change").cum_sum().over(*course, order_by=order) - nw.col("change")
    )
    full = (
        running.filter(nw.col("enters") == 1)
        .with_columns(ratio=nw.col("held") / float(known.window))
        .filter(nw.col("ratio") > known.mpr + 1e-9)
        .select(*dispense, "ratio")
    )
    found = dispensed.filter(money("t_bhtt") > 0).join(full, on=dispense, how="inner")
    ratio = nw.col("ratio")
    return line_hits(
        found,
        amount=(ratio - 1) / ratio * money("t_bhtt"),
        observed=ratio,
        allowed=nw.lit(float(known.mpr)),
    )


def _week(of: str, **fields: Any) -> tuple[Row, ...]:
    told: dict[str, Any] = {"ma_benh_chinh": "I10", **fields}
    return visit(f"{of} 08:00", **told), exam(), service(), drug(days=7)


@rule(
    id="DRG-05",
    version=1,
    scheme="CHRONIC_VISIT_SPLIT",
    severity="warn",
    title_vi="Tái khám bệnh mạn tính dưới 21 ngày lặp lại",
    title_en="Chronic refills at short intervals, again and again",
    reason_vi="Cách lần trước {observed} ngày, nhiều lần liên tiếp, cấp ít thuốc; khám, xét nghiệm {amount} đồng.",
    reason_en="{observed} days since the last visit, several times in a row with little supply; {amount} VND of tests.",
    legal_basis="TT26/2025; ND90 Đ95 k3; TT12/2026 Đ10 k1 h",
    needs=(
        "encounter.patient_id",
        "encounter.ngay_vao",
        "encounter.ma_loai_kcb",
        "encounter.ma_benh_chinh",
        "drug_line.lieu_dung",
    ),
    known_gaps_vi=(
        f"{DECREE_FORM_VI} Bệnh, khoảng cách và số ngày do chúng tôi chọn. Chẩn đoán mới, đang chỉnh liều, hết thuốc "
        "tại kho và thuốc kiểm soát đặc biệt trông cũng như vậy. Không tính lượt không rõ số ngày thuốc và lượt ở cơ "
        "sở khác."
    ),
    known_gaps_en=(
        f"{DECREE_FORM_EN} Diseases, intervals and days are ours. A new diagnosis, a dose that is being adjusted, "
        "drugs out of stock and controlled drugs look the same. Visits without a length of supply are not counted, "
        "and neither are visits at other facilities."
    ),
    examples=(
        hit(
            "mỗi lần một tuần thuốc, bốn lần",
            "a week of drugs, four times",
            *_week("2025-03-03"),
            *_week("2025-03-11"),
            *_week("2025-03-19"),
            *_week("2025-03-27"),
            amount=(EXAM_PRICE + TEST_PRICE) * 0.8,
        ),
        clear("ba lần", "three times", *_week("2025-03-03"), *_week("2025-03-11"), *_week("2025-03-19")),
        clear(
            "có một khoảng nghỉ dài hơn",
            "a longer pause between",
            *_week("2025-03-03"),
            *_week("2025-03-11"),
            *_week("2025-04-14"),
            *_week("2025-04-22"),
        ),
        clear(
            "xen lượt ở cơ sở khác",
            "another facility between",
            *_week("2025-03-03"),
            *_week("2025-03-11", ma_cskcb="01002"),
            *_week("2025-03-19"),
            *_week("2025-03-27"),
        ),
        clear(
            "bệnh cấp tính",
            "acute disease",
            *(
                row
                for of in ("2025-03-03", "2025-03-11", "2025-03-19", "2025-03-27")
                for row in _week(of, ma_benh_chinh="J02.9")
            ),
        ),
        not_evaluable("thiếu chẩn đoán", "no diagnosis", *_week("2025-03-03", ma_benh_chinh=None)),
    ),
)
def short_refills(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Visits of a chronic patient that end a run of short intervals with little supply at one facility."""
    known = facts("DRG-05")
    course, order = ["patient_id", "ma_cskcb"], ["ngay_vao", "ma_lk"]
    supplied = (
        tables.drug_line.select(*KEY, "lieu_dung")
        .join(_supplied(tables), on="lieu_dung", how="inner")
        .group_by(*KEY)
        .agg(nw.col("days").max())
    )
    chronic = _codes("ma_benh_chinh").str.contains(f"^({'|'.join(expand(known.icd))})")
    visits = (
        tables.encounter.filter(
            chronic,
            care_type().is_in(DISPENSING),
            ~nw.col("patient_id").is_null(),
            ~nw.col("ngay_vao").is_null(),
        )
        .select(*KEY, "patient_id", "ngay_vao", "t_bhtt", start=days_between(nw.lit(_EPOCH), nw.col("ngay_vao")))
        .join(supplied, on=KEY, how="inner")
        .with_columns(
            gap=nw.col("start") - nw.col("start").shift(1).over(*course, order_by=order),
            little=nw.col("days").shift(1).over(*course, order_by=order) <= known.supplied,
        )
        .with_columns(
            short=nw.when(nw.col("gap") > 0, nw.col("gap") < known.gap, nw.col("little"))
            .then(nw.lit(1.0))
            .otherwise(nw.lit(0.0))
        )
        .with_columns(
            **{
                f"short_{n}": nw.col("short").shift(n).over(*course, order_by=order).fill_null(0.0)
                for n in range(1, known.times)
            }
        )
        .filter(nw.col("short") == 1.0, *(nw.col(f"short_{n}") == 1.0 for n in range(1, known.times)))
    )
    extra = (
        tables.service_line.filter(nw.col("ma_nhom").is_in(known.groups))
        .select(*KEY, paid=money("t_bhtt").fill_null(0.0))
        .group_by(*KEY)
        .agg(nw.col("paid").sum())
    )
    found = visits.join(extra, on=KEY, how="left")
    return encounter_hits(
        found, amount=nw.col("paid").fill_null(0.0), observed=nw.col("gap"), allowed=nw.lit(float(known.gap))
    )


_MELOXICAM: dict[str, Any] = {"ma_thuoc": "40.41", "ten_thuoc": "Meloxicam 7,5mg"}
_DICLOFENAC: dict[str, Any] = {"ma_thuoc": "40.30", "ten_thuoc": "Diclofenac 50mg"}


@rule(
    id="DRG-06",
    version=1,
    scheme="OVER_DRUG_POLY",
    severity="warn",
    title_vi="Trùng nhóm điều trị trong đơn",
    title_en="Two drugs of one therapeutic class",
    reason_vi="Trong ngày có {observed} hoạt chất cùng nhóm, cùng đường dùng; quỹ chi {amount} cho thuốc đắt hơn.",
    reason_en="{observed} ingredients of one class by one route on one day; the fund pays {amount} for the dearer.",
    legal_basis="TT37/2024 Đ8 k3",
    needs=("drug_line.ma_thuoc", "drug_line.duong_dung", "drug_line.ngay_yl"),
    known_gaps_vi=(
        "Nhóm điều trị nhận biết theo tên, danh sách do chúng tôi lập; chỉ xét đường uống và tiêm. Thuốc ngừng và "
        "thay trong cùng ngày, hoặc phối hợp có chủ ý (hai kháng sinh cùng nhóm), trông cũng như vậy. Hoạt chất phân "
        "biệt theo hai phần đầu của mã."
    ),
    known_gaps_en=(
        "Classes are told by name, a list of ours; by mouth and injections only. A drug that is stopped and replaced "
        "the same day, or a combination that is meant (two antibiotics of one class), looks the same. Ingredients are "
        "told apart by the first two parts of the code."
    ),
    examples=(
        hit(
            "hai thuốc chống viêm",
            "two anti-inflammatories",
            visit(),
            drug(**_MELOXICAM),
            drug(**_DICLOFENAC, quantity=10),
            amount=FUND,
        ),
        clear(
            "hai hàm lượng của một thuốc",
            "two strengths of one",
            visit(),
            drug(**_MELOXICAM),
            drug(ten_thuoc="Meloxicam 15mg", ma_thuoc="40.41.1"),
        ),
        clear(
            "gel bôi cùng thuốc viên",
            "a gel beside tablets",
            visit(),
            drug(**_MELOXICAM),
            drug(**_DICLOFENAC, duong_dung="3.05"),
        ),
        clear(
            "thay thuốc hôm sau",
            "replaced the next day",
            stay(),
            drug(**_MELOXICAM),
            drug(**_DICLOFENAC, ngay_yl="2025-03-11 09:00"),
        ),
        clear(
            "hai nhóm khác nhau",
            "two classes",
            visit(),
            drug(**_MELOXICAM),
            drug(ma_thuoc="40.679", ten_thuoc="Omeprazol 20mg"),
        ),
        not_evaluable("không ghi thời điểm", "no time", visit(), drug(**_MELOXICAM), drug(**_DICLOFENAC, ngay_yl=None)),
    ),
)
def same_class(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """The dearest paid line of each day, route and class in which several ingredients of the class were given."""
    classes: Mapping[str, str] = facts("DRG-06").classes
    members = {name: family(tables, "drug_line", words) for name, words in classes.items()}
    named = nw.lit(None, dtype=nw.String)
    for name, belongs in members.items():
        named = nw.when(belongs).then(nw.lit(name)).otherwise(named)
    route = nw.col("duong_dung").str.strip_chars().str.slice(0, 2)
    group = [*KEY, "date", "way", "of_class"]
    given = (
        lines(tables, DRUGS, "ten_thuoc", "ma_thuoc", "duong_dung", "ngay_yl", "t_bhtt")
        .filter(reduce(or_, members.values()), money("t_bhtt") > 0, ~nw.col("ngay_yl").is_null())
        .with_columns(
            date=day(nw.col("ngay_yl")), way=route, of_class=named, ingredient=_ingredient(), paid=money("t_bhtt")
        )
        .filter(nw.col("way").is_in(["1.", "2."]), ~nw.col("ingredient").is_null())
    )
    several = (
        given.select(*group, "ingredient")
        .unique()
        .group_by(*group)
        .agg(together=nw.col("ingredient").count())
        .filter(nw.col("together") > 1)
    )
    found = given.join(several, on=group, how="inner").unique(group, keep="last", order_by=["paid", "row_no"])
    return line_hits(found, amount=money("t_bhtt"), observed=nw.col("together").cast(nw.Float64), allowed=nw.lit(1.0))


@rule(
    id="DRG-07",
    version=1,
    scheme="OVER_DRUG_POLY",
    severity="info",
    title_vi="Số thuốc trong đơn vượt ngưỡng",
    title_en="Many drugs in one prescription",
    reason_vi="Đơn ngoại trú có {observed} hoạt chất (ngưỡng {allowed}); thuốc hỗ trợ {amount} đồng.",
    reason_en="{observed} ingredients in an outpatient claim (threshold {allowed}); {amount} VND of supportive drugs.",
    legal_basis="L-BHYT Đ29; ND90 Đ95 k3",
    needs=("encounter.ma_loai_kcb", "drug_line.ma_thuoc", "drug_line.ten_thuoc"),
    known_gaps_vi=(
        "Một ngưỡng cho mọi người, không theo người bệnh tương tự: người cao tuổi nhiều bệnh vượt ngưỡng là bình "
        "thường. Không tính dịch truyền. Thuốc hỗ trợ nhận biết theo tên, danh sách do chúng tôi lập. Thuốc cổ truyền "
        "tính theo mã."
    ),
    known_gaps_en=(
        "One threshold for all, not that of like patients: the elderly with several diseases pass it honestly. Fluids "
        "are not counted. What is supportive is told by name, a list of ours. Traditional remedies count by code."
    ),
    examples=(
        hit(
            "chín thuốc, có một vitamin",
            "nine, one of them a vitamin",
            visit(),
            *(drug(ma_thuoc=f"40.{n}", quantity=10) for n in range(101, 109)),
            drug(ma_thuoc="40.1050", ten_thuoc="Vitamin B1 + B6 + B12"),
            amount=FUND,
        ),
        clear("tám thuốc", "eight", visit(), *(drug(ma_thuoc=f"40.{n}", quantity=10) for n in range(101, 109))),
        clear(
            "chín dòng, tám hoạt chất",
            "nine lines, eight ingredients",
            visit(),
            *(drug(ma_thuoc=f"40.{n}", quantity=10) for n in range(101, 109)),
            drug(ma_thuoc="40.101.2", quantity=10),
        ),
        clear("đợt nội trú", "a stay", stay(), *(drug(ma_thuoc=f"40.{n}", quantity=10) for n in range(101, 110))),
        not_evaluable("thiếu mã thuốc", "no code", visit(), drug(ma_thuoc=None)),
    ),
)
def many_drugs(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Outpatient claims with more paid ingredients than the threshold; at stake are the supportive ones."""
    known = facts("DRG-07")
    supportive = family(tables, "drug_line", known.supportive)
    counted = (
        tables.drug_line.filter(
            money("t_bhtt") > 0, ~family(tables, "drug_line", known.uncounted), ~nw.col("ma_thuoc").is_null()
        )
        .select(
            *KEY,
            ingredient=_ingredient(),
            extra=nw.when(supportive).then(money("t_bhtt")).otherwise(nw.lit(0.0)),
        )
        .group_by(*KEY, "ingredient")
        .agg(nw.col("extra").sum())
        .group_by(*KEY)
        .agg(ingredients=nw.col("ingredient").count(), extra=nw.col("extra").sum())
        .filter(nw.col("ingredients") > known.max)
    )
    home = tables.encounter.filter(care_type().is_in(DISPENSING)).select(*KEY, "t_bhtt")
    return encounter_hits(
        counted.join(home, on=KEY, how="inner"),
        amount=nw.col("extra"),
        observed=nw.col("ingredients").cast(nw.Float64),
        allowed=nw.lit(float(known.max)),
    )


_INJECTED: dict[str, Any] = {"ten_thuoc": "Ceftriaxon 1g", "duong_dung": "2.10", "don_vi_tinh": "lọ"}
_NO_ROUTE: dict[str, Any] = {**_INJECTED, "duong_dung": None}


@rule(
    id="DRG-28",
    version=1,
    scheme="OVER_ANTIBIOTIC",
    severity="info",
    title_vi="Kháng sinh tiêm ở bệnh nhẹ, ngắn ngày",
    title_en="Injected antibiotic in a mild, short case",
    reason_vi="Kháng sinh tiêm cho viêm hô hấp trên hoặc tiêu chảy, điều trị {observed} ngày; quỹ chi {amount} đồng.",
    reason_en="An injected antibiotic for a cold or diarrhoea treated {observed} days; the fund pays {amount} VND.",
    legal_basis="L-BHYT Đ29; TT37/2024 Đ8",
    needs=(
        "encounter.ma_benh_chinh",
        "encounter.ngay_vao",
        "encounter.ngay_ra",
        "encounter.ngay_sinh",
        "drug_line.duong_dung",
    ),
    known_gaps_vi=(
        f"{BY_NAME_VI} Ở đây chỉ theo tên. Người suy giảm miễn dịch, ca nặng chuyển đi trong ngày và kháng thuốc tại "
        "chỗ trông cũng như vậy. Mọi chẩn đoán đều phải là bệnh nhẹ."
    ),
    known_gaps_en=(
        f"{BY_NAME_EN} Here by name only. Weak defences, a severe case moved on within a day and local resistance look "
        "the same. Every diagnosis must be a mild one."
    ),
    examples=(
        hit("viêm họng", "sore throat", visit(ma_benh_chinh="J02.9"), drug(**_INJECTED), amount=FUND),
        hit(
            "tiêu chảy, nằm một đêm",
            "diarrhoea overnight",
            stay(1, ma_benh_chinh="A09.0"),
            drug(**_INJECTED),
            amount=FUND,
        ),
        clear("nằm hai ngày", "two days", stay(2, ma_benh_chinh="A09.0"), drug(**_INJECTED)),
        clear(
            "có thêm viêm phổi",
            "pneumonia beside it",
            visit(ma_benh_chinh="J02.9", ma_benh_kt="J18.9"),
            drug(**_INJECTED),
        ),
        clear(
            "trẻ một tuổi", "a child of one", visit(ma_benh_chinh="J02.9", ngay_sinh="2023-06-01"), drug(**_INJECTED)
        ),
        clear("đường uống", "by mouth", visit(ma_benh_chinh="J02.9"), drug(ten_thuoc="Cefixim 200mg")),
        not_evaluable("thiếu đường dùng", "no route", visit(ma_benh_chinh="J02.9"), drug(**_NO_ROUTE)),
    ),
)
def injected_antibiotic(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid injections of antibiotics in short claims whose every diagnosis is a mild one."""
    known = facts("DRG-28")
    paid = lines(tables, DRUGS, "ten_thuoc", "duong_dung", "t_bhtt").filter(
        family(tables, "drug_line", known.antibiotic),
        reduce(or_, (nw.col("duong_dung").str.starts_with(r) for r in known.route)),
        money("t_bhtt") > 0,
    )
    found = (
        with_encounter(
            paid, tables, "ma_benh_chinh", "ma_benh_kt", "ngay_vao", "ngay_ra", "ngay_sinh", "birth_precision"
        )
        .with_columns(stayed=days_between(nw.col("e_ngay_vao"), nw.col("e_ngay_ra")))
        .filter(
            _only(_codes("e_ma_benh_chinh", "e_ma_benh_kt"), known.icd),
            nw.col("stayed") < known.days,
            nw.col("stayed") >= 0,
            age("youngest") > known.age,
        )
    )
    return line_hits(found, amount=money("t_bhtt"), observed=nw.col("stayed"), allowed=nw.lit(float(known.days)))


_LATER: dict[str, Any] = {"ngay_yl": "2025-03-10 09:00", "ma_thuoc": "40.64", "ten_thuoc": "Thuốc B"}
_SOON: dict[str, Any] = {**_LATER, "ngay_yl": "2025-03-10 08:40"}
_TIME: dict[str, Any] = {"ngay_yl": "2025-03-10 08:30"}


@rule(
    id="DRG-38",
    version=1,
    scheme="PHANTOM_DRUG",
    severity="info",
    title_vi="Thuốc thêm sau các dòng khác của đơn",
    title_en="A costly drug added after the prescription",
    reason_vi="Kê sau các thuốc khác {observed} phút (ngưỡng {allowed}), chiếm phần lớn tiền thuốc: {amount} đồng.",
    reason_en="Ordered {observed} minutes after the other drugs (threshold {allowed}), a large part: {amount} VND.",
    legal_basis="ND90 Đ85-86; BLHS Đ215 k1 a",
    needs=("encounter.ma_loai_kcb", "drug_line.ngay_yl"),
    known_gaps_vi=(
        "Không xét việc lặp lại ở một bác sĩ, điều khiến nó đáng theo dõi: cần các hồ sơ khác của bác sĩ. Đơn kê hai "
        "lần, trước và sau xét nghiệm, trông cũng như vậy. Bỏ qua thời điểm không ghi giờ."
    ),
    known_gaps_en=(
        "Whether it recurs with one doctor, which makes it a lead, is not judged here: that needs the doctor's other "
        "claims. A prescription written in two steps, before and after a test, looks the same. Times without a clock "
        "are passed over."
    ),
    examples=(
        hit(
            "sau nửa giờ, bằng nửa số tiền",
            "half an hour later, half the money",
            visit(),
            drug(**_TIME),
            drug(**_LATER),
            amount=FUND,
        ),
        clear("sau mười phút", "ten minutes later", visit(), drug(**_TIME), drug(**_SOON)),
        clear("số tiền nhỏ", "a small one", visit(), drug(**_TIME), drug(**_LATER, quantity=5)),
        clear("thuốc duy nhất của đơn", "the only drug", visit(), drug(**_LATER)),
        clear("hai thuốc thêm sau", "two later ones", visit(), drug(**_TIME), drug(**_LATER), drug(**_LATER)),
        not_evaluable("không ghi thời điểm", "no time", visit(), drug(ngay_yl=None), drug(**_LATER)),
    ),
)
def added_later(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """The one drug of an outpatient claim ordered well after all others, when it makes a good part of the cost."""
    known = facts("DRG-38")
    dated = (
        lines(tables, DRUGS, "ngay_yl", "thanh_tien_bv", "t_bhtt")
        .filter(~nw.col("ngay_yl").is_null())
        .with_columns(cost=money("thanh_tien_bv").fill_null(0.0))
    )
    spread = (
        dated.group_by(*KEY)
        .agg(first=nw.col("ngay_yl").min(), last=nw.col("ngay_yl").max(), total=nw.col("cost").sum())
        .filter(minutes_between(nw.col("first"), nw.col("last")) > known.lag_min)
    )
    at_all = dated.join(spread, on=KEY, how="inner")
    others = at_all.filter(nw.col("ngay_yl") < nw.col("last")).group_by(*KEY).agg(before=nw.col("ngay_yl").max())
    last = at_all.filter(nw.col("ngay_yl") == nw.col("last"))
    alone = last.group_by(*KEY).agg(n=nw.col("row_no").count()).filter(nw.col("n") == 1).select(*KEY)
    found = (
        with_encounter(last.join(alone, on=KEY, how="semi").join(others, on=KEY, how="inner"), tables, "ma_loai_kcb")
        .with_columns(lag=minutes_between(nw.col("before"), nw.col("last")))
        .filter(
            care_type("e_ma_loai_kcb") == "01",
            nw.col("lag") > known.lag_min,
            ~clockless(nw.col("last")),
            ~clockless(nw.col("before")),
            nw.col("cost") > nw.col("total") * known.share / 100,
            money("t_bhtt") > 0,
        )
    )
    return line_hits(found, amount=money("t_bhtt"), observed=nw.col("lag"), allowed=nw.lit(float(known.lag_min)))


_MUCH: dict[str, Any] = {"quantity": 1500}


@rule(
    id="DRG-40",
    version=1,
    scheme="DIAG_SERVICE_MISMATCH",
    severity="info",
    title_vi="Chỉ mã R, Z nhưng tiền thuốc lớn",
    title_en="Only R or Z codes with a large drug cost",
    reason_vi="Chẩn đoán chỉ có mã R, Z nhưng tiền thuốc {observed} đồng (ngưỡng {allowed}).",
    reason_en="The diagnoses are only R or Z codes, the drugs cost {observed} VND (threshold {allowed}).",
    legal_basis="L-BHYT Đ29",
    needs=("encounter.ma_loai_kcb", "encounter.ma_benh_chinh", "encounter.t_thuoc"),
    known_gaps_vi=(
        "Ngưỡng đại diện cho phân vị 95 của ngoại trú, do tỉnh đặt. Bỏ qua mã Z của điều trị theo kế hoạch (lọc máu, "
        "hóa trị, HIV, ghép tạng, dự phòng dại), danh sách do chúng tôi lập. Chỉ xét ngoại trú."
    ),
    known_gaps_en=(
        "The threshold stands for the 95th percentile of outpatients and must be set by the province. Z codes of "
        "planned treatment (dialysis, chemotherapy, HIV, transplants, rabies prophylaxis) are passed over, a list of "
        "ours. Outpatients only."
    ),
    examples=(
        hit(
            "đau đầu, tiền thuốc 1,5 triệu đồng",
            "a headache for one and a half million",
            visit(ma_benh_chinh="R51"),
            drug(**_MUCH),
            amount=1500 * PILL,
        ),
        clear("có thêm một bệnh", "a disease beside it", visit(ma_benh_chinh="R51", ma_benh_kt="I10"), drug(**_MUCH)),
        clear("số tiền thuốc nhỏ", "little money", visit(ma_benh_chinh="R51"), drug()),
        clear("hóa trị", "chemotherapy", visit(ma_benh_chinh="Z51.1"), drug(**_MUCH)),
        clear("đợt nội trú", "a stay", stay(ma_benh_chinh="R51"), drug(**_MUCH)),
        not_evaluable("thiếu chẩn đoán", "no diagnosis", visit(ma_benh_chinh=None), drug(**_MUCH)),
    ),
)
def only_symptoms(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Outpatient claims without a disease among their codes whose drugs cost more than the threshold."""
    known = facts("DRG-40")
    codes = _codes("ma_benh_chinh", "ma_benh_kt")
    planned = codes.str.contains(f"(^|;)({'|'.join(expand(known.planned))})")
    found = tables.encounter.filter(
        money("t_thuoc") > known.limit,
        care_type().is_in(DISPENSING),
        ~nw.col("ma_benh_chinh").is_null(),
        _only(codes, known.icd),
        ~planned,
    ).select(*KEY, "t_thuoc", "t_bhtt")
    paid = tables.drug_line.select(*KEY, paid=money("t_bhtt").fill_null(0.0)).group_by(*KEY).agg(nw.col("paid").sum())
    return encounter_hits(
        found.join(paid, on=KEY, how="left"),
        amount=nw.col("paid"),
        observed=money("t_thuoc"),
        allowed=nw.lit(float(known.limit)),
    )
