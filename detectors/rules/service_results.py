"""Tests and their results: what was paid for should have left one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.schema import ENCOUNTER_KEY
from detectors.base import clear, hit, not_evaluable, rule
from detectors.examples import TEST_PRICE, result, service, visit
from detectors.expressions import SERVICES, TESTS, line_hits, lines, money
from detectors.facts import facts

if TYPE_CHECKING:
    from data.schema import ClaimTables

CODE_LENGTH = 12  # XX.YYYY.ZZZZ: what follows is a suffix
KEY: list[str] = list(ENCOUNTER_KEY)
FUND = TEST_PRICE * 0.8  # what the fund pays for a service of the examples


def _base_code() -> nw.Expr:
    """MA_DICH_VU without a suffix."""
    return nw.col("ma_dich_vu").str.strip_chars().str.slice(0, CODE_LENGTH)


_GLUCOSE, _UREA, _ALT = "23.0075.1494", "23.0166.1494", "23.0019.1493"


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
    least = facts("SRV-06").coverage
    coded = ~nw.col("ma_dich_vu").is_null()
    results = tables.lab_result.filter(coded).select(*KEY, code=_base_code()).unique().with_columns(found=nw.lit(1.0))
    vague = tables.lab_result.filter(~coded).select(*KEY).unique()
    tests = (
        lines(tables, SERVICES, "ma_nhom", "ma_dich_vu", "t_bhtt")
        .filter(
            nw.col("ma_nhom").is_in(TESTS),
            coded,
            money("t_bhtt") > 0,
            ~nw.col("ma_dich_vu").str.contains(".K.", literal=True),
        )
        .select(*KEY, "line_table", "row_no", "t_bhtt", code=_base_code())
        .join(results, on=[*KEY, "code"], how="left")
        .with_columns(found=nw.col("found").fill_null(0.0))
    )
    enough = (
        tests.group_by(*KEY)
        .agg(coverage=nw.col("found").mean())
        .filter(nw.col("coverage") >= least, nw.col("coverage") < 1)
        .join(vague, on=KEY, how="anti")
    )
    missing = tests.filter(nw.col("found") == 0).join(enough, on=KEY, how="inner")
    return line_hits(
        missing, amount=money("t_bhtt"), observed=(nw.col("coverage") * 100).round(0), allowed=nw.lit(100.0)
    )
