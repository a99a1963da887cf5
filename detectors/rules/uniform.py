"""What is too uniform: one list of tests for everybody, stays of one length and cost, round sums from patients.

Each claim is beside those that left in the thirty days before it, so that none leans on what came after.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.schema import ENCOUNTER_KEY, reused
from detectors.base import clear, hit, not_evaluable, rule
from detectors.examples import BED_PRICE, bed, drug, exam, service, stay, visit
from detectors.expressions import (
    BEDS,
    CYCLIC,
    EXAM,
    OUTPATIENT,
    SERVICES,
    TESTS,
    care_type,
    day,
    encounter_hits,
    icd_in,
    lines,
    minutes_between,
    money,
)
from detectors.facts import facts
from detectors.fingerprints import PRINT, code_sets
from detectors.past_days import with_past_days

if TYPE_CHECKING:
    from data.schema import ClaimTables
    from detectors.examples import Row

KEY: list[str] = list(ENCOUNTER_KEY)
DOCTOR = ["ma_cskcb", "doctor"]
INPATIENT = "03"


def _left(tables: ClaimTables, *columns: str) -> nw.LazyFrame[Any]:
    """Encounters by the `date` on which they ended: whoever left before is wholly known."""
    found = tables.encounter.select(*KEY, "ngay_vao", "ngay_ra", "ma_loai_kcb", "t_bhtt", *columns)
    return found.filter(nw.col("ngay_ra") >= nw.col("ngay_vao")).with_columns(date=day(nw.col("ngay_ra")))


def _doctor_of(tables: ClaimTables, groups: tuple[int, ...]) -> nw.LazyFrame[Any]:
    """The doctor of each encounter, by its lines of `groups`; of several the first by name."""
    signed = lines(tables, SERVICES, "ma_nhom", "doctor").filter(nw.col("ma_nhom").is_in(groups))
    return signed.filter(~nw.col("doctor").is_null()).group_by(*KEY).agg(nw.col("doctor").min())


def _whole(value: nw.Expr) -> nw.Expr:
    """As an integer, rounded half up: sums of it are the same in whatever order they are taken."""
    return (value + 0.5).floor().cast(nw.Int64)


def _list_for_all(listed: int, free: int, *, tests: int = 6, diagnoses: int = 5) -> tuple[Row, ...]:
    """Two days with so many visits on the doctor's list of tests and so many without, then one on the list."""
    told: list[Row] = []
    at = datetime.fromisoformat("2025-03-10 07:00")
    for number in range(listed + free):
        begin = at - timedelta(days=1 + number % 2) + timedelta(minutes=5 * number)
        ill = f"{'JKMIN'[number % diagnoses]}1{number % diagnoses}"
        told += [visit(begin.isoformat(" "), patient_id=f"W{number}", ma_benh_chinh=ill), exam()]
        if number < listed:
            told += [service(ma_dich_vu=f"22.01{n:02}.1370") for n in range(tests)]
    return (*told, visit(at.isoformat(" ")), exam(), *(service(ma_dich_vu=f"22.01{n:02}.1370") for n in range(tests)))


@rule(
    id="SRV-39",
    version=1,
    scheme="PACKAGE_ORDERING",
    severity="info",
    context="facility",
    title_vi="Bộ chỉ định giống nhau cho phần lớn người bệnh",
    title_en="Same order set for most patients",
    reason_vi="Bộ cận lâm sàng này chiếm {observed}% lượt khám của bác sĩ trong 30 ngày trước (mức {allowed}%).",
    reason_en="This list of tests was ordered on {observed}% of the doctor's visits of 30 days before ({allowed}%).",
    legal_basis="L-BHYT Đ29; ND90 Đ95 k3",
    needs=("encounter.ngay_ra", "encounter.ma_benh_chinh", "service_line.doctor", "service_line.ma_nhom"),
    known_gaps_vi=(
        "Riêng dấu hiệu này không có số tiền: ở đây không nói xét nghiệm nào không cần. Bộ thừa hay thiếu một xét "
        "nghiệm là bộ khác. Bác sĩ phòng khám sức khỏe chỉ định một bộ là có lý do, dù hiếm khi cho năm nhóm bệnh. "
        "Không xét bác sĩ có dưới 60 lượt trong 30 ngày trước."
    ),
    known_gaps_en=(
        "No money is at risk by it alone: which of the tests was needless is not told here. A list with one test more "
        "or less is another list. Doctors of a check-up room order one list with good reason, though seldom for five "
        "groups of diseases. A doctor with less than sixty visits in the thirty days before is not judged."
    ),
    examples=(
        hit("32 trong 60 lượt", "32 of 60 visits", *_list_for_all(32, 28), amount=0),
        clear("30 trong 60 lượt", "30 of 60 visits", *_list_for_all(30, 30)),
        clear("32 trong 59 lượt", "32 of 59 visits", *_list_for_all(32, 27)),
        clear("năm xét nghiệm", "five tests", *_list_for_all(40, 20, tests=5)),
        clear("bốn nhóm bệnh", "four diseases", *_list_for_all(40, 20, diagnoses=4)),
        not_evaluable("không ghi bác sĩ", "no doctor", visit(), exam(doctor=None)),
    ),
)
def list_for_everybody(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Visits with the list of six tests and more that their doctor orders on most visits, whatever the disease."""
    known = facts("SRV-39")
    tested = lines(tables, SERVICES, "ma_nhom", "ma_dich_vu", "t_bhtt").filter(
        nw.col("ma_nhom").is_in(TESTS), money("t_bhtt") > 0
    )
    visits = reused(
        _left(tables, "ma_benh_chinh")
        .filter(care_type().is_in(OUTPATIENT))
        .join(_doctor_of(tables, (EXAM,)), on=KEY, how="inner")
        .with_columns(disease=nw.col("ma_benh_chinh").str.slice(0, 3))
    )
    sets = code_sets(tested, of="ma_dich_vu", by=KEY).filter(nw.col("items") >= known.tests)
    listed = reused(visits.join(sets, on=KEY, how="inner"))
    own = [*DOCTOR, *PRINT]
    often = reused(listed.group_by(*own).agg(n=nw.len()).filter(nw.col("n") > known.visits * known.share))
    listed = reused(listed.join(often.select(*own), on=own, how="semi"))
    days = visits.join(often.select(*DOCTOR).unique(DOCTOR), on=DOCTOR, how="semi")
    seen = (
        with_past_days(
            listed.select(*DOCTOR, "date").unique([*DOCTOR, "date"]),
            days.group_by(*DOCTOR, "date").agg(visits=nw.len()),
            on=DOCTOR,
            take=("visits",),
        )
        .group_by(*DOCTOR, "date")
        .agg(visits=nw.col("p_visits").sum())
        .filter(nw.col("visits") >= known.visits)
    )
    same = (
        with_past_days(
            listed.select(*own, "date").unique([*own, "date"]),
            listed.group_by(*own, "date", "disease").agg(same=nw.len()),
            on=own,
            take=("disease", "same"),
        )
        .group_by(*own, "date")
        .agg(same=nw.col("p_same").sum(), diseases=nw.col("p_disease").n_unique())
        .filter(nw.col("diseases") >= known.diagnoses)
    )
    found = (
        listed.join(same, on=[*own, "date"], how="inner")
        .join(seen, on=[*DOCTOR, "date"], how="inner")
        .with_columns(part=nw.col("same").cast(nw.Float64) / nw.col("visits").cast(nw.Float64))
        .filter(nw.col("part") > known.share)
    )
    return encounter_hits(found, amount=nw.lit(0.0), observed=nw.col("part") * 100, allowed=nw.lit(known.share * 100.0))


def _ward(count: int, *, days: tuple[int, ...] = (6,), price: tuple[int, ...] = (0,), **fields: Any) -> tuple[Row, ...]:
    """So many stays of one doctor that ended in the days before, of `days` in turn, then one of the first length."""
    told: list[Row] = []
    for number in range(count + 1):
        long = days[number % len(days)] if number < count else days[0]
        left = datetime.fromisoformat("2025-03-16") - timedelta(days=0 if number == count else 1 + number % 9)
        begin = (left - timedelta(days=long)).replace(hour=8)
        told.append(stay(long, begin.isoformat(" "), patient_id=f"W{number}", **fields))
        told.append(bed(long, price=BED_PRICE + price[number % len(price)]))
    return tuple(told)


@rule(
    id="FAC-09",
    version=1,
    scheme="PHANTOM_INPATIENT",
    severity="info",
    context="facility",
    title_vi="Ngày nằm và chi phí đồng đều bất thường",
    title_en="Uniform LOS and cost",
    reason_vi="{observed} đợt nội trú trước của bác sĩ gần như cùng số ngày, chi phí (từ {allowed}); đợt này cũng vậy.",
    reason_en="{observed} stays of the doctor before are nearly alike in length and cost (from {allowed}); so is this.",
    legal_basis="ND90 Đ85",
    needs=("encounter.ngay_ra", "encounter.t_tongchi_bh", "service_line.doctor", "service_line.ma_nhom"),
    known_gaps_vi=(
        "Chỉ để định hướng, không phải một số tiền: số tiền ghi là của đợt nội trú. Bỏ qua khoa điều trị theo phác đồ "
        "(y học cổ truyền, phục hồi chức năng, ung bướu, lọc máu) và bệnh điều trị theo chu kỳ; lịch mổ ngắn cùng một "
        "loại trông cũng như vậy. Bác sĩ là người ghi ở dòng giường."
    ),
    known_gaps_en=(
        "A lead, not a sum: the money is that of the stay. Wards that treat by protocol (traditional medicine, "
        "rehabilitation, oncology, dialysis) and diseases treated in cycles are passed over; a short operation list "
        "of one kind looks the same. The doctor is the one of the bed lines."
    ),
    examples=(
        hit("15 đợt giống nhau", "fifteen alike", *_ward(15), amount=6 * BED_PRICE * 0.8),
        clear("14 đợt giống nhau", "fourteen alike", *_ward(14)),
        clear("số ngày nằm khác nhau", "of different length", *_ward(15, days=(6, 3, 9))),
        clear("chi phí khác nhau", "of different cost", *_ward(15, price=(0, 300_000))),
        clear("hóa trị", "chemotherapy", *_ward(15, ma_benh_chinh="C50.9")),
        clear("y học cổ truyền", "traditional medicine", *_ward(15, ma_khoa="K16")),
        not_evaluable("không ghi bác sĩ", "no doctor", stay(), bed(doctor=None)),
    ),
)
def uniform_stays(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Stays like the last fifteen and more of their doctor, which hardly differ in length and cost."""
    known = facts("FAC-09")
    long, cost = nw.col("long"), nw.col("cost")
    stays = (
        _left(tables, "t_tongchi_bh", "ma_benh_chinh", "ma_khoa")
        .filter(
            care_type() == INPATIENT,
            money("t_tongchi_bh") > 0,
            ~icd_in("ma_benh_chinh", CYCLIC),
            ~nw.col("ma_khoa").fill_null("").is_in(known.departments),
        )
        .join(_doctor_of(tables, BEDS), on=KEY, how="inner")
        .with_columns(
            long=_whole(minutes_between(nw.col("ngay_vao"), nw.col("ngay_ra")) / 60),
            cost=_whole(money("t_tongchi_bh") / 1000),
        )
    )
    busy = stays.group_by(*DOCTOR).agg(n=nw.len()).filter(nw.col("n") > known.stays).select(*DOCTOR)
    stays = stays.join(busy, on=DOCTOR, how="semi")
    sums = ("stays", "long", "cost", "long2", "cost2")
    days = (
        stays.with_columns(stays=nw.lit(1), long2=long * long, cost2=cost * cost)
        .group_by(*DOCTOR, "date")
        .agg(*(nw.col(name).sum() for name in sums))
    )
    before = (
        with_past_days(stays.select(*DOCTOR, "date").unique([*DOCTOR, "date"]), days, on=DOCTOR, take=sums)
        .group_by(*DOCTOR, "date")
        .agg(**{f"all_{name}": nw.col(f"p_{name}").sum() for name in sums})
        .filter(nw.col("all_stays") >= known.stays)
    )
    number = nw.col("all_stays").cast(nw.Float64)

    def mean(name: str) -> nw.Expr:
        return nw.col(f"all_{name}").cast(nw.Float64) / number

    def alike(name: str, spread: float) -> nw.Expr:
        """Whether the variance is below that of the spread, and the stay itself within two spreads of the mean."""
        middle = mean(name)
        near = (nw.col(name).cast(nw.Float64) - middle).abs() <= middle * 2 * spread
        return near & (mean(f"{name}2") - middle * middle < (middle * spread) * (middle * spread))

    found = stays.join(before, on=[*DOCTOR, "date"], how="inner").filter(
        alike("long", known.spread_days), alike("cost", known.spread_cost)
    )
    return encounter_hits(found, amount=money("t_bhtt"), observed=number, allowed=nw.lit(float(known.stays)))


def _paid(*sums: int) -> tuple[Row, ...]:
    """A visit of each day's patient who pays such a sum on top, twenty a day, the last on 10 March."""
    told: list[Row] = []
    for number, amount in enumerate(sums):
        ago = 0 if number == len(sums) - 1 else 1 + number % 20
        at = datetime.fromisoformat("2025-03-10 08:00") - timedelta(days=ago)
        told += [visit(at.isoformat(" "), patient_id=f"W{number}", t_bntt=amount), drug()]
    return tuple(told)


@rule(
    id="LTH-02",
    version=1,
    scheme="LAM_THU_IN_PRICE",
    severity="info",
    context="facility",
    title_vi="Số tiền thu thêm tròn, lặp lại",
    title_en="Round repeated extra amounts",
    reason_vi="{observed}% hồ sơ có thu thêm trong 30 ngày trước của cơ sở thu đúng một số tiền tròn (mức {allowed}%).",
    reason_en="{observed}% of the facility's claims with extra pay of 30 days before took a round sum ({allowed}%).",
    legal_basis="ND188 Đ35 k2 i",
    needs=("encounter.t_bntt", "encounter.ngay_ra"),
    known_gaps_vi=(
        "Tiền này của người bệnh, không phải của quỹ, nên số tiền có dấu hiệu của quỹ bằng 0. Bảng giá dịch vụ theo "
        "yêu cầu toàn số tròn trông cũng như vậy. Dưới 50 hồ sơ như thế trong 30 ngày trước thì chưa là thói quen."
    ),
    known_gaps_en=(
        "The money is the patient's, not the fund's, so none of the fund's is at risk. A price list of on-request "
        "care in round sums looks the same. Less than fifty such claims in the thirty days before are no habit."
    ),
    examples=(
        hit(
            "27 trong 51 hồ sơ, và hồ sơ này",
            "27 of 51, and this one",
            *_paid(*(100_000 if n < 27 else 83_500 for n in range(51)), 50_000),
            amount=0,
        ),
        clear("một nửa số hồ sơ", "half of them", *_paid(*(100_000 if n < 25 else 83_500 for n in range(50)), 50_000)),
        clear("quá ít hồ sơ", "too few", *_paid(*[100_000] * 49, 50_000)),
        clear(
            "hồ sơ này không phải số tròn",
            "this one is no round sum",
            *_paid(*(100_000 if n < 20 else 83_500 for n in range(51)), 83_500),
        ),
        not_evaluable("không ghi số tiền", "no sum", visit(t_bntt=None), drug()),
    ),
)
def round_extra_pay(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Claims with a round sum paid by the patient at a facility where most such sums are round."""
    known = facts("LTH-02")
    paid = (
        _left(tables, "t_bntt")
        .filter(money("t_bntt") > 0)
        .with_columns(even=money("t_bntt").is_in([float(a) for a in known.amounts]).cast(nw.Int64))
    )
    days = paid.group_by("ma_cskcb", "date").agg(claims=nw.len(), evens=nw.col("even").sum())
    before = (
        with_past_days(days.select("ma_cskcb", "date"), days, on=["ma_cskcb"], take=("claims", "evens"))
        .group_by("ma_cskcb", "date")
        .agg(claims=nw.col("p_claims").sum(), evens=nw.col("p_evens").sum())
        .with_columns(part=nw.col("evens").cast(nw.Float64) / nw.col("claims").cast(nw.Float64))
        .filter(nw.col("claims") >= known.claims, nw.col("part") > known.share)
    )
    found = paid.filter(nw.col("even") == 1).join(before, on=["ma_cskcb", "date"], how="inner")
    return encounter_hits(found, amount=nw.lit(0.0), observed=nw.col("part") * 100, allowed=nw.lit(known.share * 100.0))
