"""Tests and their results: what was paid for should have left one, and not before it can have been done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.schema import ENCOUNTER_KEY, reused
from detectors.base import clear, hit, not_evaluable, rule
from detectors.examples import TEST_PRICE, result, service, visit
from detectors.expressions import (
    SERVICES,
    TESTS,
    clockless,
    day,
    line_hits,
    lines,
    minutes_between,
    money,
    with_encounter,
)
from detectors.facts import facts
from detectors.past_days import with_past_days

if TYPE_CHECKING:
    from data.schema import ClaimTables
    from detectors.examples import Row
    from detectors.facts import Facts

CODE_LENGTH = 12  # XX.YYYY.ZZZZ: what follows is a suffix
KEY: list[str] = list(ENCOUNTER_KEY)
FUND = TEST_PRICE * 0.8  # what the fund pays for a service of the examples


def _base_code() -> nw.Expr:
    """MA_DICH_VU without a suffix."""
    return nw.col("ma_dich_vu").str.strip_chars().str.slice(0, CODE_LENGTH)


def _tests(tables: ClaimTables, *columns: str) -> nw.LazyFrame[Any]:
    """Paid tests done here, with `code` and the `date` their patient came (none where leaving comes before)."""
    told = lines(tables, SERVICES, "ma_nhom", "ma_dich_vu", "t_bhtt", *columns).filter(
        nw.col("ma_nhom").is_in(TESTS),
        ~nw.col("ma_dich_vu").is_null(),
        money("t_bhtt") > 0,
        ~nw.col("ma_dich_vu").str.contains(".K.", literal=True),
    )
    came, left = nw.col("e_ngay_vao"), nw.col("e_ngay_ra")
    date = nw.when(left >= came).then(day(came)).otherwise(nw.lit(None, dtype=nw.Datetime))
    return with_encounter(told, tables, "ngay_vao", "ngay_ra").with_columns(code=_base_code(), date=date)


def _with_results(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Tests with whether they are `good` (have a result row) and the share of the claim's that are, `covered`."""
    coded = ~nw.col("ma_dich_vu").is_null()
    results = tables.lab_result.filter(coded).select(*KEY, code=_base_code()).unique().with_columns(good=nw.lit(1.0))
    vague = tables.lab_result.filter(~coded).select(*KEY).unique()
    told = _tests(tables).join(vague, on=KEY, how="anti").join(results, on=[*KEY, "code"], how="left")
    good = nw.col("good")
    return told.with_columns(good=good.fill_null(0.0)).with_columns(covered=good.mean().over(*KEY))


def _by_habit(tests: nw.LazyFrame[Any], *those: nw.Expr, known: Facts) -> nw.LazyFrame[Any]:
    """`those` of `tests` that are unlike the facility's of the kind in the month before.

    `usual` is the share of them that was `good`, of `known.tests` or more, and at least `known.usual`.
    """
    kind, tests = ["ma_cskcb", "ma_nhom", "date"], reused(tests)
    asked = reused(tests.filter(*those))
    days = tests.filter(~nw.col("date").is_null()).group_by(*kind).agg(tests=nw.len(), good=nw.col("good").sum())
    month = (
        with_past_days(asked.select(*kind).unique(), days, on=kind[:2], take=("tests", "good"))
        .group_by(*kind)
        .agg(seen=nw.col("p_tests").sum().cast(nw.Float64), good=nw.col("p_good").sum())
        .filter(nw.col("seen") >= known.tests)
    )
    habit = month.select(*kind, usual=nw.col("good") / nw.col("seen"))
    return asked.join(habit.filter(nw.col("usual") >= known.usual), on=kind, how="inner")


_GLUCOSE, _UREA, _ALT = "23.0075.1494", "23.0166.1494", "23.0019.1493"


def _month(count: int, *, results: bool = True, late: int = 30) -> tuple[Row, ...]:
    """So many tests of other patients on the days before, with their results `late` minutes after the order."""
    told: list[Row] = []
    for n in range(count):
        date = f"2025-03-0{1 + n % 9}"
        told += [visit(f"{date} 08:00", patient_id=f"M{n}"), service(ma_dich_vu=_UREA, **_at(f"{date} 08:10", late))]
        told += [result(_UREA)] if results else []
    return tuple(told)


def _at(ordered: str, late: int) -> Row:
    """Times of a test ordered and done at `ordered`, with its result `late` minutes after."""
    return {"ngay_yl": ordered, "ngay_th_yl": ordered, "ngay_kq": f"{ordered[:-2]}{int(ordered[-2:]) + late:02}"}


@rule(
    id="SRV-06",
    version=1,
    scheme="PHANTOM_SERVICE",
    severity="warn",
    title_vi="Xét nghiệm, CĐHA không có kết quả XML4",
    title_en="Test without a result",
    reason_vi="Dịch vụ không có kết quả (XML4), {observed}% dịch vụ cận lâm sàng của hồ sơ có; quỹ chi {amount}.",
    reason_en="The service has no result (XML4) while {observed}% of the claim's tests have one; {amount} is at stake.",
    legal_basis="L-BHYT Đ29; ND90 Đ85-86",
    needs=("service_line.ma_nhom",),
    known_gaps_vi=(
        "Chỉ xét khi chính hồ sơ có kết quả của phần lớn xét nghiệm: cơ sở không gửi kết quả nào thì không nêu. Kết "
        "quả muộn và kết quả giấy trông cũng như vậy; dịch vụ làm nơi khác (K trong mã) thì bỏ qua. Không đọc giá trị "
        "kết quả."
    ),
    known_gaps_en=(
        "Judged only where the claim itself brings results for most of its tests: a facility that sends none says "
        "nothing. Late and paper results look the same; services done elsewhere (K in the code) are passed over. The "
        "value of a result is not read."
    ),
    examples=(
        hit(
            "một trong ba xét nghiệm không có kết quả",
            "one of three without a result",
            visit(),
            *(service(ma_dich_vu=code) for code in (_GLUCOSE, _UREA, _ALT)),
            result(_GLUCOSE),
            result(_UREA),
            amount=FUND,
        ),
        clear(
            "xét nghiệm nào cũng có kết quả", "a result each", visit(), service(ma_dich_vu=_GLUCOSE), result(_GLUCOSE)
        ),
        clear(
            "không có kết quả nào",
            "no results at all",
            visit(),
            service(ma_dich_vu=_GLUCOSE),
            service(ma_dich_vu=_UREA),
        ),
        not_evaluable("thiếu nhóm chi phí", "no group", visit(), service(ma_nhom=None, nguoi_thuc_hien=None)),
    ),
)
def noresult(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid tests without a result row in claims that bring results for most of their tests."""
    missing = _with_results(tables).filter(nw.col("good") == 0, nw.col("covered") >= facts("SRV-06").coverage)
    return line_hits(
        missing, amount=money("t_bhtt"), observed=(nw.col("covered") * 100).round(0), allowed=nw.lit(100.0)
    )


@rule(
    id="SRV-57",
    version=1,
    scheme="PHANTOM_SERVICE",
    severity="warn",
    title_vi="Không có kết quả XML4 ở cơ sở vẫn gửi kết quả",
    title_en="Test without a result at a facility that sends them",
    reason_vi="Dịch vụ không có kết quả (XML4), {observed}% dịch vụ như thế của cơ sở tháng trước có; chi {amount}.",
    reason_en="No result (XML4), while {observed}% of such tests of the facility had one the month before; {amount}.",
    legal_basis="L-BHYT Đ29; ND90 Đ85-86",
    context="facility",
    needs=("service_line.ma_nhom",),
    known_gaps_vi=(
        "Chỉ xét khi tháng trước cơ sở gửi kết quả của phần lớn dịch vụ cùng nhóm chi phí. Hồ sơ có kết quả của phần "
        "lớn xét nghiệm do SRV-06 xét. Kết quả muộn và kết quả giấy trông cũng như vậy; dịch vụ làm nơi khác (K trong "
        "mã) thì bỏ qua."
    ),
    known_gaps_en=(
        "Judged only where the facility brought results for most tests of the cost group in the month before. Claims "
        "that bring those of most of their tests are SRV-06. Late and paper results look the same; services done "
        "elsewhere (K in the code) are passed over."
    ),
    examples=(
        hit(
            "cơ sở vẫn gửi kết quả, hồ sơ này không có kết quả nào",
            "none in a claim of a facility that sends them",
            *_month(10),
            visit(),
            service(ma_dich_vu=_GLUCOSE),
            amount=FUND,
        ),
        clear("có kết quả", "a result", *_month(10), visit(), service(ma_dich_vu=_GLUCOSE), result(_GLUCOSE)),
        clear(
            "cơ sở không gửi kết quả",
            "a facility that sends none",
            *_month(10, results=False),
            visit(),
            service(ma_dich_vu=_GLUCOSE),
        ),
        clear(
            "cơ sở chưa có dịch vụ nào trong tháng trước",
            "a facility without a month before",
            visit(),
            service(ma_dich_vu=_GLUCOSE),
        ),
        not_evaluable("thiếu nhóm chi phí", "no group", visit(), service(ma_nhom=None, nguoi_thuc_hien=None)),
    ),
)
def noresult_here(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid tests without a result row where the facility's month before has those of most tests of the kind."""
    known = facts("SRV-57")
    few = nw.col("covered") < facts("SRV-06").coverage
    missing = _by_habit(_with_results(tables), nw.col("good") == 0, few, known=known)
    return line_hits(missing, amount=money("t_bhtt"), observed=(nw.col("usual") * 100).round(0), allowed=nw.lit(100.0))


@rule(
    id="SRV-56",
    version=1,
    scheme="PHANTOM_SERVICE",
    severity="info",
    title_vi="Có kết quả ngay trong phút chỉ định",
    title_en="Result in the minute of the order",
    reason_vi="Kết quả ghi cùng phút với chỉ định, trong khi ở cơ sở {observed}% dịch vụ như thế có sau; {amount}.",
    reason_en="The result bears the minute of the order, while {observed}% of such tests here take longer; {amount}.",
    legal_basis="TT12/2026 Đ10 k1 k; ND90 Đ85-86",
    context="facility",
    needs=("service_line.ma_nhom", "service_line.ngay_yl"),
    known_gaps_vi=(
        "Chỉ xét khi tháng trước phần lớn dịch vụ cùng nhóm chi phí của cơ sở có kết quả sau chỉ định: phần mềm ghi ba "
        "thời điểm như nhau thì không nêu. Bỏ qua lượt khám chỉ vài phút, thường là nhập bù cả lượt, và thời điểm "
        "không ghi giờ. Que thử tại giường được ghi chỉ định khi đã có kết quả trông cũng như vậy."
    ),
    known_gaps_en=(
        "Judged only where most of the facility's tests of the cost group had their result after the order in "
        "the month before: software that writes all times alike says nothing. Visits of some minutes, mostly typed "
        "afterwards as a whole, and times without a clock are passed over. A bedside strip whose order is written "
        "when it is read looks the same."
    ),
    examples=(
        hit(
            "kết quả cùng phút với chỉ định",
            "read in the minute it was ordered",
            *_month(10),
            visit(),
            service(ma_dich_vu=_GLUCOSE, **_at("2025-03-10 08:15", 0)),
            amount=FUND,
        ),
        clear(
            "nửa giờ sau có kết quả",
            "read half an hour later",
            *_month(10),
            visit(),
            service(ma_dich_vu=_GLUCOSE, **_at("2025-03-10 08:15", 30)),
        ),
        clear(
            "phần mềm ghi các thời điểm như nhau",
            "software that writes all times alike",
            *_month(10, late=0),
            visit(),
            service(ma_dich_vu=_GLUCOSE, **_at("2025-03-10 08:15", 0)),
        ),
        clear(
            "cả lượt khám được nhập bù",
            "a visit typed afterwards",
            *_month(10),
            visit(minutes=2),
            service(ma_dich_vu=_GLUCOSE, **_at("2025-03-10 08:01", 0)),
        ),
        clear(
            "cơ sở chưa có dịch vụ nào trong tháng trước",
            "a facility without a month before",
            visit(),
            service(ma_dich_vu=_GLUCOSE, **_at("2025-03-10 08:15", 0)),
        ),
        not_evaluable(
            "thiếu thời điểm y lệnh", "no time of order", visit(), service(ma_dich_vu=_GLUCOSE, ngay_yl=None)
        ),
    ),
)
def result_at_once(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid tests whose result bears the minute of their order, where the facility's tests of the kind take longer."""
    known = facts("SRV-56")
    ordered, read = nw.col("ngay_yl"), nw.col("ngay_kq")
    timed = _tests(tables, "ngay_yl", "ngay_kq").filter(
        ~ordered.is_null(), ~read.is_null(), ~clockless(ordered), ~clockless(read)
    )
    stayed = minutes_between(nw.col("e_ngay_vao"), nw.col("e_ngay_ra"))
    told = timed.with_columns(good=(read > ordered).cast(nw.Float64))
    found = _by_habit(told, read == ordered, stayed >= known.minutes, known=known)
    return line_hits(
        found, amount=money("t_bhtt"), observed=(nw.col("usual") * 100).round(0), allowed=nw.lit(None, dtype=nw.Float64)
    )
