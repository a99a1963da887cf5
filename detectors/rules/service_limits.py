"""Services billed too often, too close together, too long or too short for what they are.

Limits, names and exceptions are facts. Of what is repeated, the later one carries the sign; where only the number is
bounded, what comes after the limit does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.schema import ENCOUNTER_KEY
from detectors.base import clear, hit, not_evaluable, rule
from detectors.examples import TEST_PRICE, exam, service, stay, surgery, visit
from detectors.expressions import (
    SERVICES,
    care_type,
    carried_out,
    clockless,
    day,
    days_between,
    diagnosed,
    family,
    line_hits,
    lines,
    minutes_between,
    money,
    named_service,
    with_encounter,
)
from detectors.facts import facts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from data.schema import ClaimTables
    from detectors.base import Rule, Severity
    from detectors.examples import Row

PROCEDURE, LABORATORY = 18, 1
DAY_MIN = 24 * 60
KEY: list[str] = list(ENCOUNTER_KEY)
LINE = [*KEY, "row_no"]
FUND = TEST_PRICE * 0.8  # what the fund pays for a service of the examples
BY_NAME_VI = "Nhận biết theo tên, cho đến khi mã được kiểm tra; dịch vụ không có tên thì bỏ qua."
BY_NAME_EN = "Told by names, until codes are checked; a service without a name is passed over."
_EPOCH = datetime.fromisoformat("2000-01-01")


def _billed(tables: ClaimTables, belongs: nw.Expr, *columns: str) -> nw.LazyFrame[Any]:
    """Paid service lines of a family with the time `at`; lines without a time are left out."""
    wanted = dict.fromkeys(("ten_dich_vu", "ngay_yl", "ngay_th_yl", "t_bhtt", *columns))
    return (
        lines(tables, SERVICES, *wanted)
        .filter(belongs, money("t_bhtt") > 0)
        .with_columns(at=carried_out())
        .filter(~nw.col("at").is_null())
    )


def _of_patients(frame: nw.LazyFrame[Any], tables: ClaimTables, *columns: str) -> nw.LazyFrame[Any]:
    """`frame` with its encounter's patient and arrival; encounters without either are left out."""
    joined = with_encounter(frame, tables, "patient_id", "ngay_vao", *columns)
    return joined.filter(~nw.col("e_patient_id").is_null(), ~nw.col("e_ngay_vao").is_null())


def _first_region(tables: ClaimTables, regions: Sequence[str]) -> nw.Expr:
    """Number of the first region a name tells; null where it tells none."""
    region = nw.lit(None, dtype=nw.Int64)
    for number, words in reversed(list(enumerate(regions, start=1))):
        told = family(tables, "service_line", words, accents=True)
        region = nw.when(told).then(nw.lit(number, dtype=nw.Int64)).otherwise(region)
    return region


# --- Again too soon


ARRIVAL = ["e_ngay_vao", *KEY, "at", "row_no"]
"""The order in which a patient's lines are read: by claim, so that a later claim never moves an earlier one's sign."""


def _since_last(frame: nw.LazyFrame[Any], *same: str) -> nw.LazyFrame[Any]:
    """`frame` with `gap`: days since the latest of the patient's lines of the same kind that were read before."""
    over = ["e_patient_id", *same]
    return (
        frame.with_columns(number=days_between(nw.lit(_EPOCH), nw.col("at")))
        .with_columns(latest=nw.col("number").cum_max().over(*over, order_by=ARRIVAL))
        .with_columns(before=nw.col("latest").shift(1).over(*over, order_by=ARRIVAL))
        .with_columns(gap=nw.col("number") - nw.col("before"))
        .filter(nw.col("gap") >= 0)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A service told by name that a patient needs only every so many days, wherever it is done."""

    id: str
    scheme: str
    severity: Severity
    vi: str
    en: str
    law: str
    service: str  # a name for the examples
    gap_vi: str
    gap_en: str
    version: int = 1
    one_unit: bool = False  # a quantity above one is a repetition too


INTERVALS_TOLD: tuple[Interval, ...] = (
    Interval(
        id="SRV-10",
        scheme="DUP_CROSS_FACILITY",
        severity="warn",
        vi="HbA1c lặp trong 90 ngày",
        en="HbA1c repeated inside 90 days",
        law="TT35/2016 Danh mục 2 mục 38 (số ngày chưa kiểm chứng); CV266 KT02P1 (S.005.651)",
        service="Định lượng HbA1c",
        gap_vi="Thai kỳ và đổi phác đồ có thể cần làm sớm hơn.",
        gap_en="Pregnancy and a change of treatment may ask for it sooner.",
        version=2,
        one_unit=True,
    ),
    Interval(
        id="SRV-27",
        scheme="MUE_EXCEEDED",
        severity="warn",
        vi="Đo mật độ xương dưới khoảng cách tối thiểu",
        en="Bone density below the minimum interval",
        law="QĐ 361/QĐ-BYT 2014 (số ngày chưa kiểm chứng); CV266 KT58 (S.005.429)",
        service="Đo mật độ xương bằng phương pháp DEXA",
        gap_vi="Đo hai vị trí trong một ngày, kê thành hai dòng, trông cũng như vậy.",
        gap_en="Two sites measured on one day and billed in two lines look the same.",
    ),
)


def _interval_query(told: Interval) -> Callable[[ClaimTables], nw.LazyFrame[Any]]:
    days = facts(told.id).days

    def query(tables: ClaimTables) -> nw.LazyFrame[Any]:
        """Paid lines of the service less than the interval after the patient's one before, or of several units."""
        billed = _of_patients(_billed(tables, named_service(tables, told.id), "so_luong"), tables)
        columns = (*KEY, "line_table", "row_no", "t_bhtt", "gap", "undue")
        found = _since_last(billed).filter(nw.col("gap") < days).with_columns(undue=money("t_bhtt")).select(*columns)
        if told.one_unit:
            units = money("so_luong")
            several = billed.filter(units > 1).join(found.select(*LINE), on=LINE, how="anti")
            several = several.with_columns(gap=nw.lit(0.0), undue=money("t_bhtt") * (units - 1) / units)
            found = nw.concat([found, several.select(*columns)], how="vertical")
        return line_hits(found, amount=nw.col("undue"), observed=nw.col("gap"), allowed=nw.lit(float(days)))

    return query


def _interval_rule(told: Interval) -> Rule:
    days = facts(told.id).days
    billed: dict[str, Any] = {"ten_dich_vu": told.service}
    made = rule(
        id=told.id,
        version=told.version,
        scheme=told.scheme,
        severity=told.severity,
        title_vi=told.vi,
        title_en=told.en,
        reason_vi=f"{told.vi}: cách lần trước {{observed}} ngày (tối thiểu {{allowed}}), ở bất kỳ cơ sở nào.",
        reason_en=f"{told.en}: {{observed}} days after the last one, wherever done (at least {{allowed}}).",
        legal_basis=told.law,
        needs=("encounter.patient_id", "encounter.ngay_vao", "service_line.ngay_yl"),
        known_gaps_vi=(
            f"{BY_NAME_VI} So với lần ngay trước, kể cả khi lần đó cũng đã quá sớm. Khoảng cách chưa kiểm chứng. "
            f"{told.gap_vi}"
        ),
        known_gaps_en=(
            f"{BY_NAME_EN} Compared with the one before, even where that one was too early itself. The interval is not "
            f"verified. {told.gap_en}"
        ),
        examples=(
            hit(
                "một tháng sau, ở cơ sở khác",
                "a month later at another facility",
                visit("2025-02-10 08:00"),
                service(**billed),
                visit("2025-03-10 08:00", ma_cskcb="01002"),
                service(**billed),
                amount=FUND,
            ),
            hit(
                "hai lần trong một đợt", "twice in one stay", stay(), service(**billed), service(**billed), amount=FUND
            ),
            *(
                (hit("hai đơn vị trong một dòng", "two units in one line", visit(), service(quantity=2, **billed)),)
                if told.one_unit
                else ()
            ),
            clear(
                "đã qua khoảng cách",
                "after the interval",
                visit("2024-01-10 08:00"),
                service(**billed),
                visit("2025-03-10 08:00"),
                service(**billed),
            ),
            clear(
                "người bệnh khác",
                "another patient",
                visit("2025-03-10 08:00"),
                service(**billed),
                visit("2025-03-10 09:00", patient_id="P2"),
                service(**billed),
            ),
            clear(
                f"đúng {days} ngày",
                f"exactly {days} days",
                visit("2024-06-01 08:00"),
                service(**billed),
                visit(_later("2024-06-01 08:00", days)),
                service(**billed),
            ),
            not_evaluable("thiếu mã người bệnh", "no patient", visit(patient_id=None), service(**billed)),
        ),
    )
    return made(_interval_query(told))


def _later(moment: str, days: int) -> str:
    start = datetime.fromisoformat(moment)
    return datetime.fromordinal(start.toordinal() + days).replace(hour=start.hour).isoformat(sep=" ")


INTERVALS: tuple[Rule, ...] = tuple(_interval_rule(told) for told in INTERVALS_TOLD)


_PCT: dict[str, Any] = {"ten_dich_vu": "Định lượng Pro-calcitonin"}


def _on(moment: str, **fields: Any) -> dict[str, Any]:
    return {"ngay_yl": moment, "ngay_th_yl": moment, **fields}


@rule(
    id="SRV-09",
    version=1,
    scheme="MUE_EXCEEDED",
    severity="deny",
    title_vi="Procalcitonin quá tần suất",
    title_en="Procalcitonin too often",
    reason_vi="Procalcitonin lần thứ {observed} trong {allowed} giờ; quỹ chi {amount}.",
    reason_en="Procalcitonin number {observed} within {allowed} hours; the fund pays {amount}.",
    legal_basis="TT35/2016 Danh mục 1 mục 8; CV266 KT93 (S.005.429)",
    needs=("encounter.ma_benh_chinh", "service_line.ngay_yl"),
    known_gaps_vi=(
        f"{BY_NAME_VI} Tính theo từng khoảng kể từ lần đầu của hồ sơ, có lợi cho cơ sở: hai dòng nằm hai bên ranh giới "
        "thì bỏ qua. Bỏ qua dòng không ghi giờ. Sốc nhiễm khuẩn nhận biết theo chẩn đoán của cả đợt. Không tính xét "
        "nghiệm của đợt trước khi chuyển viện."
    ),
    known_gaps_en=(
        f"{BY_NAME_EN} Counted in spans from the first one of the claim, in favour of the facility: two lines on both "
        "sides of a border are passed over. Lines without a clock are passed over. Septic shock is told by the "
        "diagnoses of the whole stay. Tests of a stay before a transfer are not counted."
    ),
    examples=(
        hit(
            "hôm sau làm lại, không sốc",
            "next day, no shock",
            stay(),
            service(**_on("2025-03-10 09:00", **_PCT)),
            service(**_on("2025-03-11 09:00", **_PCT)),
            amount=FUND,
        ),
        hit(
            "năm ngày làm cả năm: thừa hai lần",
            "every day of five: two too many",
            stay(days=6),
            *(service(**_on(f"2025-03-1{d} 09:00", **_PCT)) for d in range(5)),
            amount=2 * FUND,
        ),
        hit(
            "cùng ngày, có sốc nhiễm khuẩn",
            "same day, septic shock",
            stay(ma_benh_kt="R57.2"),
            service(**_on("2025-03-10 09:00", **_PCT)),
            service(**_on("2025-03-10 19:00", **_PCT)),
            amount=FUND,
        ),
        clear(
            "hôm sau, có sốc nhiễm khuẩn",
            "next day, septic shock",
            stay(ma_benh_kt="R57.2"),
            service(**_on("2025-03-10 09:00", **_PCT)),
            service(**_on("2025-03-11 09:00", **_PCT)),
        ),
        clear(
            "sau hai ngày",
            "after two days",
            stay(),
            service(**_on("2025-03-10 09:00", **_PCT)),
            service(**_on("2025-03-12 09:00", **_PCT)),
        ),
        not_evaluable("không ghi thời điểm", "no time", stay(), service(ngay_yl=None, ngay_th_yl=None, **_PCT)),
    ),
)
def procalcitonin(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Second and later paid procalcitonin tests of a span of the claim."""
    known = facts("SRV-09")
    span = (
        nw.when(diagnosed(known.shock_icd)).then(nw.lit(float(known.shock_h))).otherwise(nw.lit(float(known.severe_h)))
    )
    tests = with_encounter(
        _billed(tables, named_service(tables, "SRV-09")).filter(~clockless(nw.col("at"))),
        tables,
        "ma_benh_chinh",
        "ma_benh_kt",
    ).filter(~nw.col("e_ma_benh_chinh").is_null())
    found = (
        tests.with_columns(span=span, minute=minutes_between(nw.lit(_EPOCH), nw.col("at")))
        .with_columns(start=nw.col("minute").min().over(*KEY))
        .with_columns(bucket=((nw.col("minute") - nw.col("start")) / (nw.col("span") * 60)).floor())
        .with_columns(rank=nw.col("ma_lk").cum_count().over(*KEY, "bucket", order_by=["at", "row_no"]))
        .filter(nw.col("rank") > 1)
    )
    return line_hits(found, amount=money("t_bhtt"), observed=nw.col("rank"), allowed=nw.col("span"))


_HEAD_CT: dict[str, Any] = {"ma_nhom": 2, "ten_dich_vu": "Chụp cắt lớp vi tính sọ não không tiêm thuốc cản quang"}
_HEAD_MRI: dict[str, Any] = {"ma_nhom": 2, "ten_dich_vu": "Chụp cộng hưởng từ sọ não"}
_SECOND: dict[str, Any] = {"at": "2025-03-10 08:00", "ma_benh_chinh": "G44.2"}


@rule(
    id="SRV-25",
    version=1,
    scheme="OVER_IMAGING",
    severity="info",
    title_vi="CT, MRI cùng vùng lặp trong 30 ngày",
    title_en="CT or MRI of one region within 30 days",
    reason_vi="CT hoặc MRI cùng vùng, cách lần trước {observed} ngày (trong {allowed} ngày), ở bất kỳ cơ sở nào.",
    reason_en="CT or MRI of the same region {observed} days after the last one (within {allowed}), wherever done.",
    legal_basis="L-BHYT Đ29; L51 Đ3 k4",
    needs=("encounter.patient_id", "encounter.ngay_vao", "encounter.ma_benh_chinh", "service_line.ngay_yl"),
    known_gaps_vi=(
        f"{BY_NAME_VI} Số ngày, vùng chụp và chẩn đoán loại trừ do chúng tôi chọn (chưa kiểm chứng). Các lần chụp "
        "trong một ngày tính là một. Bệnh thay đổi, hoặc có mổ ở giữa, trông cũng như vậy; tên không ghi vùng thì bỏ "
        "qua."
    ),
    known_gaps_en=(
        f"{BY_NAME_EN} Days, regions and exempt diagnoses are ours (unverified). Scans of one day are one. A change of "
        "the illness, or an operation in between, looks the same; a name without a region is passed over."
    ),
    examples=(
        hit(
            "chụp lại sọ não sau 10 ngày, nơi khác",
            "head again after ten days, elsewhere",
            visit("2025-02-28 08:00"),
            service(**_HEAD_CT),
            visit(ma_cskcb="01002", **_SECOND),
            service(**_HEAD_CT),
            amount=FUND,
        ),
        clear(
            "đột quỵ",
            "stroke",
            visit("2025-02-28 08:00"),
            service(**_HEAD_CT),
            visit(ma_benh_chinh="I63.9"),
            service(**_HEAD_CT),
        ),
        clear(
            "phương pháp chụp khác",
            "other method",
            visit("2025-02-28 08:00"),
            service(**_HEAD_CT),
            visit(**_SECOND),
            service(**_HEAD_MRI),
        ),
        clear(
            "sau hai tháng",
            "two months",
            visit("2025-01-10 08:00"),
            service(**_HEAD_CT),
            visit(**_SECOND),
            service(**_HEAD_CT),
        ),
        clear(
            "vùng chụp khác",
            "other region",
            visit("2025-02-28 08:00"),
            service(**_HEAD_CT),
            visit(**_SECOND),
            service(ma_nhom=2, ten_dich_vu="Chụp cắt lớp vi tính lồng ngực"),
        ),
        not_evaluable("thiếu mã người bệnh", "no patient", visit(patient_id=None), service(**_HEAD_CT)),
    ),
)
def scan_again(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid CT and MRI scans of a region that the patient had scanned the same way some days before."""
    known = facts("SRV-25")
    ct, mri = (family(tables, "service_line", words) for words in (known.ct, known.mri))
    scans = _billed(tables, ct | mri).with_columns(
        method=nw.when(mri).then(nw.lit(2)).otherwise(nw.lit(1)), region=_first_region(tables, known.regions_accented)
    )
    told = _of_patients(scans.filter(~nw.col("region").is_null()), tables, "ma_benh_chinh", "ma_benh_kt")
    found = _since_last(told, "method", "region").filter(
        nw.col("gap") >= 1,
        nw.col("gap") <= known.days,
        ~nw.col("e_ma_benh_chinh").is_null(),
        ~diagnosed(known.exempt_icd),
    )
    return line_hits(found, amount=money("t_bhtt"), observed=nw.col("gap"), allowed=nw.lit(float(known.days)))


_BELLY: dict[str, Any] = {"ma_nhom": 2, "ten_dich_vu": "Siêu âm ổ bụng"}


@rule(
    id="SRV-26",
    version=1,
    scheme="DUP_CROSS_FACILITY",
    severity="info",
    title_vi="Siêu âm cùng vùng lặp trong 7 ngày ở hai cơ sở",
    title_en="Ultrasound repeated in 7 days across sites",
    reason_vi="Siêu âm cùng vùng, cách lần trước ở cơ sở khác {observed} ngày (trong {allowed} ngày).",
    reason_en="Ultrasound of the same region {observed} days after one at another facility (within {allowed}).",
    legal_basis="L-BHYT Đ29; L51 Đ3 k4",
    needs=("encounter.patient_id", "encounter.ngay_vao", "service_line.ngay_yl"),
    known_gaps_vi=(
        f"{BY_NAME_VI} Số ngày và vùng do chúng tôi chọn (chưa kiểm chứng). Chỉ so với lần gần nhất của người bệnh. "
        "Cấp cứu, hoặc việc chuyển viện mà hồ sơ đầu không ghi, trông cũng như vậy."
    ),
    known_gaps_en=(
        f"{BY_NAME_EN} Days and regions are ours (unverified). Only the patient's last one is compared. An emergency, "
        "or a referral that the first claim does not show, looks the same."
    ),
    examples=(
        hit(
            "siêu âm lại ổ bụng sau bốn ngày",
            "belly again after four days",
            visit("2025-03-06 08:00"),
            service(**_BELLY),
            visit(ma_cskcb="01002"),
            service(**_BELLY),
            amount=FUND,
        ),
        clear(
            "tại cùng cơ sở",
            "at the same facility",
            visit("2025-03-06 08:00"),
            service(**_BELLY),
            visit(),
            service(**_BELLY),
        ),
        clear(
            "có chuyển viện",
            "transferred",
            visit("2025-03-06 08:00", ma_loai_rv=2),
            service(**_BELLY),
            visit(ma_cskcb="01002"),
            service(**_BELLY),
        ),
        clear(
            "siêu âm tim sau siêu âm bụng",
            "heart after belly",
            visit("2025-03-06 08:00"),
            service(**_BELLY),
            visit(ma_cskcb="01002"),
            service(ma_nhom=2, ten_dich_vu="Siêu âm Doppler tim"),
        ),
        not_evaluable("thiếu mã người bệnh", "no patient", visit(patient_id=None), service(**_BELLY)),
    ),
)
def ultrasound_elsewhere(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid ultrasounds of a region that another facility had looked at some days before, without a transfer."""
    known = facts("SRV-26")
    over = ["e_patient_id", "region"]
    seen = _billed(tables, named_service(tables, "SRV-26")).with_columns(
        region=_first_region(tables, known.regions_accented)
    )
    told = _of_patients(seen.filter(~nw.col("region").is_null()), tables, "ma_loai_rv").with_columns(
        left=nw.col("e_ma_loai_rv").fill_null(0), number=days_between(nw.lit(_EPOCH), nw.col("at"))
    )
    found = (
        told.with_columns(
            p_number=nw.col("number").shift(1).over(*over, order_by=ARRIVAL),
            p_facility=nw.col("ma_cskcb").shift(1).over(*over, order_by=ARRIVAL),
            p_left=nw.col("left").shift(1).over(*over, order_by=ARRIVAL),
        )
        .with_columns(gap=nw.col("number") - nw.col("p_number"))
        .filter(
            nw.col("p_facility") != nw.col("ma_cskcb"),
            ~nw.col("p_left").is_in(known.transfer),
            nw.col("gap") >= 0,
            nw.col("gap") <= known.days,
        )
    )
    return line_hits(found, amount=money("t_bhtt"), observed=nw.col("gap"), allowed=nw.lit(float(known.days)))


# --- Too many


def _beyond(
    frame: nw.LazyFrame[Any], most: float, *over: str, order: Sequence[str] = ("at", "row_no")
) -> nw.LazyFrame[Any]:
    """Signs on the lines whose quantity goes beyond `most` in their group, for the part that is beyond."""
    found = (
        frame.with_columns(quantity=money("so_luong").fill_null(0.0))
        .filter(nw.col("quantity") > 0)
        .with_columns(reached=nw.col("quantity").cum_sum().over(*over, order_by=[*order]))
        .with_columns(excess=nw.min_horizontal(nw.col("reached") - most, nw.col("quantity")))
        .filter(nw.col("excess") > 0)
    )
    return line_hits(
        found,
        amount=nw.col("excess") / nw.col("quantity") * money("t_bhtt"),
        observed=nw.col("reached"),
        allowed=nw.lit(float(most)),
    )


_FETAL: dict[str, Any] = {
    "ma_nhom": PROCEDURE,
    "ten_dich_vu": "Theo dõi nhịp tim thai và cơn co tử cung bằng monitor sản khoa",
}
_BIRTH: dict[str, Any] = {"ma_nhom": PROCEDURE, "ten_dich_vu": "Đỡ đẻ thường ngôi chỏm"}
_MOTHER: dict[str, Any] = {"ma_benh_chinh": "O80", "gioi_tinh": 2}


@rule(
    id="SRV-12",
    version=1,
    scheme="MUE_EXCEEDED",
    severity="deny",
    title_vi="Theo dõi tim thai, cơn co quá 1 lần/ngày",
    title_en="Fetal monitoring above once a day",
    reason_vi="Theo dõi tim thai, cơn co {observed} lần trong ngày của đợt đẻ (tối đa {allowed}).",
    reason_en="Fetal monitoring {observed} times on a day of a delivery claim (at most {allowed}).",
    legal_basis="quyết định giá của cơ sở; CV266 KT193 (S.005.657)",
    needs=("encounter.ma_benh_chinh", "service_line.ngay_yl", "service_line.so_luong"),
    known_gaps_vi=f"{BY_NAME_VI} Bỏ qua đa thai. Dòng kéo dài nhiều ngày tính là một ngày.",
    known_gaps_en=f"{BY_NAME_EN} Multiple pregnancies are passed over. A line for several days counts as one day.",
    examples=(
        hit(
            "ba lần", "three times", stay(**_MOTHER), service(**_BIRTH), service(quantity=3, **_FETAL), amount=2 * FUND
        ),
        hit(
            "hai dòng",
            "two lines",
            stay(**_MOTHER),
            service(**_BIRTH),
            service(**_FETAL),
            service(**_FETAL),
            amount=FUND,
        ),
        clear(
            "hai ngày, mỗi ngày một lần",
            "once on each of two days",
            stay(**_MOTHER),
            service(**_BIRTH),
            service(**_FETAL),
            service(**_on("2025-03-11 08:00", **_FETAL)),
        ),
        clear(
            "thai đôi", "twins", stay(ma_benh_kt="O30.0", **_MOTHER), service(**_BIRTH), service(quantity=2, **_FETAL)
        ),
        clear(
            "không phải ca sinh", "no delivery", stay(gioi_tinh=2, ma_benh_chinh="O60"), service(quantity=2, **_FETAL)
        ),
        not_evaluable(
            "thiếu số lượng", "no quantity", stay(**_MOTHER), service(**_BIRTH), service(so_luong=None, **_FETAL)
        ),
    ),
)
def fetal_monitoring(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid fetal monitoring beyond the daily number in claims with a delivery of one child."""
    known = facts("SRV-12")
    births = lines(tables, SERVICES, "ten_dich_vu").filter(
        family(tables, "service_line", known.delivery_accented, accents=True)
    )
    watched = with_encounter(
        _billed(tables, named_service(tables, "SRV-12"), "so_luong").with_columns(date=day(nw.col("at"))),
        tables,
        "ma_benh_chinh",
        "ma_benh_kt",
    ).filter(~nw.col("e_ma_benh_chinh").is_null(), ~diagnosed(known.twins))
    return _beyond(watched.join(births.select(*KEY).unique(KEY), on=KEY, how="semi"), known.max, *KEY, "date")


_AFB: dict[str, Any] = {"ten_dich_vu": "AFB trực tiếp nhuộm Ziehl-Neelsen"}


@rule(
    id="SRV-13",
    version=1,
    scheme="MUE_EXCEEDED",
    severity="deny",
    title_vi="AFB quá 2 lần/ngày",
    title_en="AFB smear above 2 a day",
    reason_vi="Xét nghiệm AFB {observed} lần trong ngày (tối đa {allowed}).",
    reason_en="AFB smears {observed} times in a day (at most {allowed}).",
    legal_basis="QĐ 3126/QĐ-BYT 2018; CV266 KT184 (S.005.650)",
    needs=("service_line.ngay_yl", "service_line.so_luong"),
    known_gaps_vi=f"{BY_NAME_VI} Tính trong một hồ sơ. Các loại bệnh phẩm (đờm, dịch màng phổi) được tính chung.",
    known_gaps_en=f"{BY_NAME_EN} Counted within a claim. Different specimens (sputum, pleural fluid) count together.",
    examples=(
        hit("ba lần", "three", visit(), service(quantity=3, **_AFB), amount=FUND),
        clear("làm hai lần", "two", visit(), service(**_AFB), service(**_AFB)),
        clear(
            "trong hai ngày",
            "two days",
            stay(),
            service(quantity=2, **_AFB),
            service(**_on("2025-03-11 08:00", **_AFB)),
        ),
        not_evaluable("thiếu số lượng", "no quantity", visit(), service(so_luong=None, **_AFB)),
    ),
)
def afb_smears(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid AFB smears beyond the daily number of a claim."""
    smears = _billed(tables, named_service(tables, "SRV-13"), "so_luong").with_columns(date=day(nw.col("at")))
    return _beyond(smears, facts("SRV-13").max, *KEY, "date")


_DRESSING: dict[str, Any] = {"ma_nhom": PROCEDURE, "ten_dich_vu": "Thay băng vết mổ chiều dài trên 15cm đến 30 cm"}
_CAESAREAN: dict[str, Any] = {"start": "2025-03-10 10:00", "ten_dich_vu": "Phẫu thuật lấy thai lần đầu"}


@rule(
    id="SRV-16",
    version=1,
    scheme="MUE_EXCEEDED",
    severity="deny",
    title_vi="Thay băng 15-30 cm sau mổ lấy thai quá 3 lần",
    title_en="Dressing above 3 after caesarean",
    reason_vi="Thay băng 15-30 cm đến lần thứ {observed} sau mổ lấy thai (tối đa {allowed}).",
    reason_en="Dressing number {observed} of 15 to 30 cm after a caesarean (at most {allowed}).",
    legal_basis="TT35/2016 Đ4d k4 d; CV266 KT105 (S.005.433)",
    needs=("service_line.ngay_yl", "service_line.so_luong"),
    known_gaps_vi=f"{BY_NAME_VI} Vết mổ nhiễm khuẩn, và vết thương khác trong đợt, trông cũng như vậy.",
    known_gaps_en=f"{BY_NAME_EN} An infected wound, and another wound of the stay, look the same.",
    examples=(
        hit("năm lần", "five", stay(days=6), surgery(**_CAESAREAN), service(quantity=5, **_DRESSING), amount=2 * FUND),
        clear("ba lần", "three", stay(days=6), surgery(**_CAESAREAN), service(quantity=3, **_DRESSING)),
        clear(
            "sau ca mổ khác",
            "after another operation",
            stay(days=6),
            surgery("2025-03-10 10:00"),
            service(quantity=5, **_DRESSING),
        ),
        not_evaluable(
            "thiếu số lượng", "no quantity", stay(), surgery(**_CAESAREAN), service(so_luong=None, **_DRESSING)
        ),
    ),
)
def caesarean_dressings(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid dressings of 15 to 30 cm beyond the number of a claim with a caesarean."""
    known = facts("SRV-16")
    births = lines(tables, SERVICES, "ten_dich_vu").filter(
        family(tables, "service_line", known.caesarean_accented, accents=True)
    )
    dressings = _billed(tables, named_service(tables, "SRV-16"), "so_luong")
    return _beyond(dressings.join(births.select(*KEY).unique(KEY), on=KEY, how="semi"), known.max, *KEY)


_DIALYSIS: dict[str, Any] = {"ma_nhom": PROCEDURE, "ten_dich_vu": "Thận nhân tạo chu kỳ"}


@rule(
    id="SRV-19",
    version=1,
    scheme="DIALYSIS_CHRONIC_COUNT",
    severity="warn",
    title_vi="Chạy thận chu kỳ quá 14 lần/tháng",
    title_en="Chronic dialysis above 14 a month",
    reason_vi="Lần chạy thận thứ {observed} của người bệnh trong tháng, ở mọi cơ sở (thông thường {allowed}).",
    reason_en="Dialysis number {observed} of the patient in the month, at all facilities (normally {allowed}).",
    legal_basis="ND90 Đ86; TT35/2016 Đ4d",
    needs=(
        "encounter.patient_id",
        "encounter.ngay_vao",
        "encounter.ma_benh_chinh",
        "service_line.ngay_yl",
        "service_line.so_luong",
    ),
    known_gaps_vi=(
        f"{BY_NAME_VI} Buổi lọc thêm vì quá tải dịch trông cũng như vậy. Tính theo thứ tự hồ sơ: hồ sơ không thấy buổi "
        "lọc của hồ sơ đến sau. Số buổi do chúng tôi chọn (chưa kiểm chứng)."
    ),
    known_gaps_en=(
        f"{BY_NAME_EN} Extra sessions for overload look the same. Counted in the order of the claims: a claim does not "
        "see sessions of one that came later. The number is ours (unverified)."
    ),
    examples=(
        hit(
            "16 buổi trong tháng 3",
            "sixteen in March",
            stay(days=30, at="2025-03-01 08:00", ma_benh_chinh="N18.5"),
            service(quantity=13, **_DIALYSIS),
            visit("2025-03-20 08:00", ma_cskcb="01002", ma_benh_chinh="N18.5"),
            service(quantity=3, **_DIALYSIS),
            amount=2 * FUND,
        ),
        clear("13 buổi", "thirteen", visit(ma_benh_chinh="N18.5"), service(quantity=13, **_DIALYSIS)),
        clear(
            "rải trong hai tháng",
            "over two months",
            visit("2025-02-10 08:00", ma_benh_chinh="N18.5"),
            service(quantity=10, **_DIALYSIS),
            visit(ma_benh_chinh="N18.5"),
            service(quantity=10, **_DIALYSIS),
        ),
        clear("suy thận cấp", "acute failure", stay(ma_benh_chinh="N17.9"), service(quantity=16, **_DIALYSIS)),
        not_evaluable("thiếu mã người bệnh", "no patient", visit(patient_id=None), service(quantity=16, **_DIALYSIS)),
    ),
)
def dialysis_month(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid chronic dialysis sessions beyond the patient's number of the calendar month."""
    known = facts("SRV-19")
    sessions = _of_patients(
        _billed(tables, named_service(tables, "SRV-19"), "so_luong"), tables, "ma_benh_chinh", "ma_benh_kt"
    ).filter(~nw.col("e_ma_benh_chinh").is_null(), ~diagnosed(known.exempt_icd))
    monthly = sessions.with_columns(calendar=nw.col("at").dt.truncate("1mo"))
    return _beyond(monthly, known.max, "e_patient_id", "calendar", order=ARRIVAL)


_VENTILATION: dict[str, Any] = {
    "ma_nhom": PROCEDURE,
    "ten_dich_vu": "Thông khí nhân tạo xâm nhập",
    "don_vi_tinh": "Ngày",
}


@rule(
    id="SRV-18",
    version=1,
    scheme="QTY_INFLATION",
    severity="deny",
    title_vi="Thời gian thở máy vượt thời gian nằm viện",
    title_en="Ventilation above time in the stay",
    reason_vi="Thở máy đến {observed} ngày, vượt thời gian nằm viện ({allowed} ngày).",
    reason_en="Ventilation reaches {observed} days, more than the time of the stay ({allowed} days).",
    legal_basis="ND90 Đ86",
    needs=("encounter.ngay_vao", "encounter.ngay_ra", "service_line.so_luong"),
    known_gaps_vi=(
        f"{BY_NAME_VI} Tính theo ngày; dòng tính theo giờ hoặc đơn vị khác thì bỏ qua, đơn vị để trống được hiểu là "
        "ngày. Trong một hồ sơ, thở máy không thể bắt đầu trước khi vào viện."
    ),
    known_gaps_en=(
        f"{BY_NAME_EN} Counted in days; lines in hours or another unit are passed over, and a blank unit means days. "
        "Ventilation begun before the arrival is not possible in one claim."
    ),
    examples=(
        hit(
            "ba ngày, tính 5 ngày thở máy",
            "five days in three",
            stay(days=2),
            service(quantity=5, **_VENTILATION),
            amount=FUND * (5 - 2.8333333333),
        ),
        hit(
            "mỗi ngày một dòng, thêm một dòng",
            "a line a day, and one more",
            stay(days=1),
            *(service(quantity=1, **_VENTILATION) for _ in range(4)),
            amount=FUND * (4 - 1.8333333333),
        ),
        clear("hai ngày", "two days", stay(days=2), service(quantity=2, **_VENTILATION)),
        clear(
            "tính theo giờ",
            "in hours",
            stay(days=2),
            service(quantity=40, ma_nhom=PROCEDURE, ten_dich_vu="Thông khí nhân tạo xâm nhập", don_vi_tinh="Giờ"),
        ),
        clear(
            "đang cai máy",
            "weaning",
            stay(days=1),
            service(quantity=4, ma_nhom=PROCEDURE, ten_dich_vu="Cai thở máy", don_vi_tinh="Ngày"),
        ),
        not_evaluable("thiếu ngày ra viện", "no discharge", stay(ngay_ra=None), service(quantity=5, **_VENTILATION)),
    ),
)
def ventilation_days(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid days of ventilation beyond the days between arrival and leaving."""
    known = facts("SRV-18")
    in_days = family(tables, "service_line", f"^({'|'.join(known.day_units)})$", column="don_vi_tinh")
    billed = lines(tables, SERVICES, "ten_dich_vu", "don_vi_tinh", "so_luong", "t_bhtt").filter(
        named_service(tables, "SRV-18"),
        in_days | nw.col("don_vi_tinh").is_null(),
        money("t_bhtt") > 0,
        money("so_luong") > 0,
    )
    found = (
        with_encounter(billed, tables, "ngay_vao", "ngay_ra")
        .with_columns(quantity=money("so_luong"), stayed=minutes_between(nw.col("e_ngay_vao"), nw.col("e_ngay_ra")))
        .filter(nw.col("stayed") > 0)
        .with_columns(
            limit=nw.col("stayed") / DAY_MIN + known.slack,
            reached=nw.col("quantity").cum_sum().over(*KEY, order_by=["row_no"]),
        )
        .with_columns(excess=nw.min_horizontal(nw.col("reached") - nw.col("limit"), nw.col("quantity")))
        .filter(nw.col("excess") > 0)
    )
    return line_hits(
        found,
        amount=nw.col("excess") / nw.col("quantity") * money("t_bhtt"),
        observed=nw.col("reached"),
        allowed=nw.col("limit"),
    )


# --- Too many kinds


def _beyond_kinds(frame: nw.LazyFrame[Any], most: int, *over: str) -> nw.LazyFrame[Any]:
    """Signs on the lines of the kinds (`code`) beyond the `most` dearest of their group."""
    kinds = (
        frame.group_by(*over, "code")
        .agg(fund=nw.col("t_bhtt").cast(nw.Float64).sum())
        .with_columns(cheaper=-nw.col("fund"))
        .with_columns(
            rank=nw.col("code").cum_count().over(*over, order_by=["cheaper", "code"]),
            kinds=nw.col("code").count().over(*over),
        )
        .filter(nw.col("rank") > most)
        .select(*over, "code", "kinds")
    )
    found = frame.join(kinds, on=[*over, "code"], how="inner")
    return line_hits(found, amount=money("t_bhtt"), observed=nw.col("kinds"), allowed=nw.lit(float(most)))


def _rehab(price: int, number: int) -> Row:
    return service(
        price=price, ma_nhom=PROCEDURE, ma_dich_vu=f"17.00{number:02}.0267", ten_dich_vu=f"Kỹ thuật {number}"
    )


@rule(
    id="SRV-21",
    version=1,
    scheme="OVER_REHAB",
    severity="warn",
    title_vi="Số kỹ thuật PHCN/YHCT trong ngày quá nhiều",
    title_en="Too many rehab techniques a day",
    reason_vi="{observed} kỹ thuật PHCN, YHCT trong ngày (mức tham chiếu {allowed}); phần vượt {amount}.",
    reason_en="{observed} different rehab techniques in a day (reference {allowed}); {amount} is paid beyond.",
    legal_basis="TT35/2016 Danh mục 2 mục 10 (con số chưa kiểm chứng); CV266 KT147 (S.005.416)",
    needs=("service_line.ma_nhom", "service_line.ngay_yl"),
    known_gaps_vi=(
        "Kỹ thuật nhận biết theo chương của mã. Số kỹ thuật chưa kiểm chứng. Tính trong một hồ sơ; phục hồi sau đột "
        "quỵ và tổn thương tủy sống có thể cần nhiều hơn. Giữ các kỹ thuật đắt nhất."
    ),
    known_gaps_en=(
        "Techniques are told by the chapter of the code. The number is not verified. Within a claim; stroke and "
        "spinal rehabilitation may need more. The dearest are kept."
    ),
    examples=(
        hit(
            "sáu kỹ thuật",
            "six",
            visit(),
            *(_rehab(50_000 + 1_000 * n, n) for n in range(6)),
            amount=(50_000 + 51_000) * 0.8,
        ),
        clear("bốn kỹ thuật", "four", visit(), *(_rehab(50_000, n) for n in range(4))),
        clear("một kỹ thuật năm lần", "one technique five times", visit(), *(_rehab(50_000, 1) for _ in range(5))),
        not_evaluable("không ghi thời điểm", "no time", visit(), service(ngay_yl=None, ngay_th_yl=None)),
    ),
)
def rehab_techniques(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid rehabilitation and traditional techniques beyond the dearest few of a claim's day."""
    known = facts("SRV-21")
    chapter = nw.col("ma_dich_vu").str.slice(0, 3).is_in(known.chapters)
    done = _billed(tables, (nw.col("ma_nhom") == PROCEDURE) & chapter, "ma_nhom", "ma_dich_vu")
    daily = done.with_columns(date=day(nw.col("at")), code=nw.col("ma_dich_vu").str.strip_chars())
    return _beyond_kinds(daily, known.max, *KEY, "date")


def _test(number: int) -> Row:
    return service(ma_dich_vu=f"23.00{number:02}.1494")


@rule(
    id="SRV-40",
    version=1,
    scheme="OVER_TEST",
    severity="info",
    title_vi="Quá nhiều xét nghiệm trong một lượt ngoại trú",
    title_en="Many lab items in an outpatient visit",
    reason_vi="{observed} xét nghiệm khác nhau trong một lượt ngoại trú (mức tham chiếu {allowed}).",
    reason_en="{observed} different laboratory tests in an outpatient visit (reference {allowed}).",
    legal_basis="L-BHYT Đ29; ND90 Đ95 k3",
    needs=("encounter.ma_loai_kcb", "service_line.ma_nhom"),
    known_gaps_vi=(
        "Một mức chung cho mọi chẩn đoán; đồng nghiệp thường chỉ định gì cho chẩn đoán đó là việc của các bộ phát "
        "hiện. Giữ các xét nghiệm đắt nhất. Mức này do chúng tôi chọn (chưa kiểm chứng)."
    ),
    known_gaps_en=(
        "One number for every diagnosis; what peers order for the diagnosis is the business of the detectors. The "
        "dearest tests are kept. The number is ours (unverified)."
    ),
    examples=(
        hit("17 xét nghiệm", "seventeen", visit(), *(_test(n) for n in range(17)), amount=2 * FUND),
        clear("15 xét nghiệm", "fifteen", visit(), *(_test(n) for n in range(15))),
        clear("trong đợt nội trú", "in a stay", stay(), *(_test(n) for n in range(17))),
        clear("một xét nghiệm 20 lần", "one test twenty times", visit(), *(_test(1) for _ in range(20))),
        not_evaluable("thiếu mã loại KCB", "no care type", visit(ma_loai_kcb=None), *(_test(n) for n in range(17))),
    ),
)
def outpatient_tests(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid laboratory tests beyond the dearest few of an outpatient claim."""
    known = facts("SRV-40")
    outpatient = tables.encounter.filter(care_type().is_in(known.care)).select(*KEY)
    tests = (
        lines(tables, SERVICES, "ma_nhom", "ma_dich_vu", "t_bhtt")
        .filter(nw.col("ma_nhom") == LABORATORY, money("t_bhtt") > 0, ~nw.col("ma_dich_vu").is_null())
        .join(outpatient, on=KEY, how="semi")
        .with_columns(code=nw.col("ma_dich_vu"))
    )
    return _beyond_kinds(tests, known.max, *KEY)


# --- Too short


def _shorter(frame: nw.LazyFrame[Any], least: float) -> nw.LazyFrame[Any]:
    """Signs on the lines that lasted less than `least` minutes; without a start, an end or a clock nothing is said."""
    start, end = nw.col("ngay_th_yl"), nw.col("ngay_kq")
    found = frame.with_columns(lasted=minutes_between(start, end)).filter(
        nw.col("lasted") > 0, nw.col("lasted") < least, ~clockless(start)
    )
    return line_hits(found, amount=money("t_bhtt"), observed=nw.col("lasted"), allowed=nw.lit(float(least)))


def _lasting(minutes: int, **fields: Any) -> Row:
    end = f"2025-03-10 {9 + minutes // 60:02}:{minutes % 60:02}"
    return service(ma_nhom=PROCEDURE, ngay_th_yl="2025-03-10 09:00", ngay_kq=end, **fields)


NO_END_VI = "NGAY_KQ được coi là giờ kết thúc: cơ sở ghi giờ y lệnh hoặc giờ nhập vào đó trông cũng như vậy."
NO_END_EN = "NGAY_KQ is taken as the end: a facility that writes the order or the record there looks the same."
_SESSION: dict[str, Any] = {"ten_dich_vu": "Thận nhân tạo chu kỳ"}
_NEEDLES: dict[str, Any] = {"ma_dich_vu": "08.0005.0230", "ten_dich_vu": "Điện châm"}


@rule(
    id="SRV-20",
    version=1,
    scheme="EXAM_TOO_SHORT",
    severity="warn",
    title_vi="Ca chạy thận dưới 3,5 giờ",
    title_en="Dialysis shorter than 3.5 hours",
    reason_vi="Ca chạy thận kéo dài {observed} phút (tối thiểu {allowed}).",
    reason_en="The dialysis lasted {observed} minutes (at least {allowed}).",
    legal_basis="quy trình kỹ thuật (chưa kiểm chứng); TT12/2026 Đ10 k1 i",
    needs=("service_line.ma_nhom", "service_line.ngay_yl"),
    known_gaps_vi=(
        f"{BY_NAME_VI} Buổi lọc phải dừng vì biến chứng trông cũng như vậy. {NO_END_VI} Thiếu một trong hai thời điểm "
        "thì không nêu."
    ),
    known_gaps_en=(
        f"{BY_NAME_EN} A session stopped for a complication looks the same. {NO_END_EN} Without both times nothing is "
        "said."
    ),
    examples=(
        hit("hai giờ", "two hours", visit(), _lasting(120, **_SESSION), amount=FUND),
        clear("bốn giờ", "four hours", visit(), _lasting(240, **_SESSION)),
        clear("không rõ giờ kết thúc", "end not known", visit(), _lasting(0, **_SESSION)),
        clear("dịch vụ khác", "another service", visit(), _lasting(30, ten_dich_vu="Khí dung")),
        not_evaluable(
            "thiếu thời điểm y lệnh",
            "no order time",
            visit(),
            service(ma_nhom=PROCEDURE, ngay_yl=None, ngay_th_yl=None, **_SESSION),
        ),
    ),
)
def short_dialysis(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid chronic dialysis sessions that ended too early."""
    sessions = _billed(tables, named_service(tables, "SRV-20"), "ngay_kq")
    return _shorter(sessions, facts("SRV-20").min_min)


@rule(
    id="SRV-24",
    version=1,
    scheme="EXAM_TOO_SHORT",
    severity="info",
    title_vi="Phiên châm cứu, PHCN quá ngắn",
    title_en="Rehab session too short",
    reason_vi="Phiên châm cứu, phục hồi chức năng kéo dài {observed} phút (tối thiểu {allowed}).",
    reason_en="The acupuncture or rehab session lasted {observed} minutes (at least {allowed}).",
    legal_basis="quy trình kỹ thuật (chưa kiểm chứng)",
    needs=("service_line.ma_nhom", "service_line.ngay_yl"),
    known_gaps_vi=f"Nhận biết theo chương của mã. Có kỹ thuật vốn ngắn hơn. {NO_END_VI}",
    known_gaps_en=f"Told by the chapter of the code. Some techniques are shorter by nature. {NO_END_EN}",
    examples=(
        hit("năm phút", "five minutes", visit(), _lasting(5, **_NEEDLES), amount=FUND),
        clear("25 phút", "twenty-five minutes", visit(), _lasting(25, **_NEEDLES)),
        clear("không ghi giờ", "no times", visit(), service(ma_nhom=PROCEDURE, ngay_th_yl=None, **_NEEDLES)),
        clear("một lần khám", "an examination", visit(), exam(ma_dich_vu="08.1897", ngay_kq="2025-03-10 08:12")),
        not_evaluable("thiếu nhóm chi phí", "no group", visit(), service(ma_nhom=None, **_NEEDLES)),
    ),
)
def short_session(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid rehabilitation and traditional sessions that ended too early."""
    known = facts("SRV-24")
    chapter = nw.col("ma_dich_vu").str.slice(0, 3).is_in(known.chapters)
    sessions = _billed(tables, (nw.col("ma_nhom") == PROCEDURE) & chapter, "ma_nhom", "ma_dich_vu", "ngay_kq")
    return _shorter(sessions, known.min_min)
