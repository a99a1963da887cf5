"""Services against the service catalogue as it stood on their day: price, approval, number a day.

A code is looked up as it is written; of its rows that of the facility comes first, then that of its rank. No row is no
answer, except where the question is whether there is one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.asof import as_of, not_held
from data.schema import ENCOUNTER_KEY, reused
from detectors.base import clear, hit, not_evaluable, rule
from detectors.examples import SURGERY_PRICE, TEST_PRICE, listed, service, stay, surgery, visit
from detectors.expressions import (
    SERVICES,
    SURGERY,
    carried_out,
    catalogue,
    day,
    line_hits,
    lines,
    money,
    with_encounter,
)
from detectors.facts import facts

if TYPE_CHECKING:
    from data.schema import ClaimTables
    from detectors.examples import Row

CODE_LENGTH = 12  # XX.YYYY.ZZZZ: what follows is a suffix
ELSEWHERE = ".K."  # then comes the facility that carried it out
BEDS_AND_MORE = (12, 13, 14, 15, 16, 19)
KEY: list[str] = list(ENCOUNTER_KEY)
FUND = TEST_PRICE * 0.8  # what the fund pays for a service of the examples
SCOPES = ("ma_cskcb", "rank")
CODE = "22.0120.1370"


def _coded(tables: ClaimTables, belongs: nw.Expr, *columns: str) -> nw.LazyFrame[Any]:
    """Paid lines of services (no supplies) with their trimmed `code` and the `date` they were carried out."""
    wanted = dict.fromkeys(("ma_dich_vu", "ma_vat_tu", "ma_nhom", "ngay_yl", "ngay_th_yl", "t_bhtt", *columns))
    return (
        lines(tables, SERVICES, *wanted)
        .filter(belongs, ~nw.col("ma_dich_vu").is_null(), nw.col("ma_vat_tu").is_null(), money("t_bhtt") > 0)
        .with_columns(code=nw.col("ma_dich_vu").str.strip_chars(), date=day(carried_out()))
        .filter(~nw.col("date").is_null())
    )


def _priced(asked: nw.LazyFrame[Any], tables: ClaimTables, code: str) -> nw.LazyFrame[Any]:
    """Different questions `asked` (facility, rank, code, date) with the `listed_price` of the day."""
    return as_of(
        asked.unique(),
        catalogue(tables, "services"),
        on=("ma_dich_vu",),
        day="date",
        take=("price",),
        prefer=SCOPES,
        called={"ma_dich_vu": code, "rank": "e_facility_rank"},
        prefix="listed_",
    ).filter(nw.col("listed_price") > 0)


def _price(price: float, **fields: Any) -> Row:
    named: Row = {"ma_dich_vu": CODE, "name": "Tổng phân tích tế bào máu", "ma_nhom": "1", "price": price}
    return listed("services", **{**named, **fields})


@rule(
    id="SRV-32",
    version=1,
    scheme="PRICE_OVER_APPROVED",
    severity="deny",
    title_vi="Đơn giá dịch vụ vượt giá phê duyệt",
    title_en="Service price above approved",
    reason_vi="Đơn giá {observed} cao hơn giá phê duyệt {allowed} vào ngày thực hiện; phần vượt {amount}.",
    reason_en="The unit price {observed} is above the approved {allowed} of the day; {amount} is paid beyond.",
    legal_basis="TT35/2016 Đ3 k1 c; ND90 Đ88",
    needs=("service_line.don_gia_bh", "service_line.ngay_yl"),
    catalogues=("services",),
    known_gaps_vi=(
        "Đúng đến đâu tùy danh mục: giá mới chưa nạp làm dòng đúng trông như đắt. Mã không có dòng danh mục, hoặc giá "
        "bằng 0, thì không nêu."
    ),
    known_gaps_en=(
        "As good as the catalogue: a new price that was not loaded makes lawful lines look dear. A code without a "
        "row, or with the price 0, says nothing."
    ),
    examples=(
        hit("cao hơn giá phê duyệt", "dearer than approved", _price(80_000), visit(), service(), amount=20_000 * 0.8),
        hit(
            "giá riêng của cơ sở được dùng trước",
            "the facility's own price comes first",
            _price(90_000),
            _price(60_000, ma_cskcb="01001"),
            visit(),
            service(),
            amount=40_000 * 0.8,
        ),
        clear("bằng giá phê duyệt", "at the approved price", _price(100_000), visit(), service()),
        clear("lệch một đồng do làm tròn", "one dong, rounded", _price(99_999.5), visit(), service()),
        clear(
            "giá mới áp dụng từ ngày đó",
            "the new price of the day",
            _price(80_000),
            _price(100_000, valid_from="2025-03-10"),
            visit(),
            service(),
        ),
        clear(
            "không có trong danh mục giá", "not listed", _price(80_000, ma_dich_vu="01.0001.0001"), visit(), service()
        ),
        not_evaluable("thiếu đơn giá", "no price", _price(80_000), visit(), service(don_gia_bh=None, t_bhtt=80_000)),
    ),
)
def price_above_approved(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid service lines whose unit price is above that of the catalogue on their day."""
    known = facts("SRV-32")
    coded = _coded(tables, money("don_gia_bh") > 0, "don_gia_bh").with_columns(price=money("don_gia_bh"))
    billed = reused(with_encounter(coded, tables, "facility_rank"))
    offer = ["ma_cskcb", "e_facility_rank", "code", "price"]
    # Prices are few where lines are many: only those above some price that may be the day's are asked about by day.
    spans = billed.group_by(*offer).agg(first=nw.col("date").min(), last=nw.col("date").max())
    priced = catalogue(tables, "services").select(
        "rank", "valid_from", "valid_to", listed="price", code="ma_dich_vu", place="ma_cskcb"
    )
    beyond = (
        spans.join(priced, on="code", how="inner")
        .filter(
            nw.col("listed") > 0,
            nw.col("price") > nw.col("listed") + known.tol_vnd,
            nw.col("place").is_null() | (nw.col("place") == nw.col("ma_cskcb")),
            nw.col("rank").is_null() | (nw.col("rank") == nw.col("e_facility_rank")),
            nw.col("valid_from") <= nw.col("last").cast(nw.Date),
            nw.col("valid_to").is_null() | (nw.col("valid_to") >= nw.col("first").cast(nw.Date)),
        )
        .select("ma_cskcb", "code", "price")
        .unique()
    )
    doubtful = reused(billed.join(beyond, on=["ma_cskcb", "code", "price"], how="semi"))
    asked = doubtful.select(*offer, "date")
    dear = _priced(asked, tables, "code").filter(nw.col("price") > nw.col("listed_price") + known.tol_vnd)
    # A rank is blank where no facility is known, and a blank joins nothing: facility, code, day and price are enough.
    found = doubtful.join(
        dear.group_by("ma_cskcb", "code", "date", "price").agg(nw.col("listed_price").max()),
        on=["ma_cskcb", "code", "date", "price"],
        how="inner",
    )
    price, approved = nw.col("price"), nw.col("listed_price")
    return line_hits(found, amount=(price - approved) / price * money("t_bhtt"), observed=price, allowed=approved)


@rule(
    id="SRV-34",
    version=1,
    scheme="EXCLUDED_DISGUISED",
    severity="deny",
    title_vi="Dịch vụ chưa được phê duyệt tại cơ sở",
    title_en="Service not approved at the facility",
    reason_vi="Dịch vụ không có trong danh mục của cơ sở vào ngày thực hiện; quỹ chi {amount}.",
    reason_en="The service is not in the facility's catalogue of the day; the fund pays {amount}.",
    legal_basis="TT35/2016 Đ3 k1 a; TT12/2026 Đ10 k1 c, e",
    needs=("service_line.ma_nhom", "service_line.ngay_yl"),
    catalogues=("services",),
    known_gaps_vi=(
        "Chỉ xét cơ sở có dòng danh mục riêng, từ dòng đầu tiên trở đi; danh mục nạp thiếu làm dịch vụ đúng trông như "
        "chưa phê duyệt. Bỏ qua khám, giường, vận chuyển và dịch vụ làm nơi khác (K). Mã có đuôi được coi là đã duyệt "
        "khi 12 ký tự đầu đã duyệt."
    ),
    known_gaps_en=(
        "Judged only at facilities with rows of their own, from the first of them on; a list loaded in part makes "
        "lawful services look unapproved. Examinations, beds, transport and services done elsewhere (K) are passed "
        "over. A code with a suffix is approved when its first twelve characters are."
    ),
    examples=(
        hit(
            "dịch vụ không có trong danh mục",
            "not in the list",
            _price(1, ma_cskcb="01001", ma_dich_vu="01.0001.0001"),
            visit(),
            service(),
            amount=FUND,
        ),
        hit(
            "không còn trong danh mục",
            "no longer",
            _price(1, ma_cskcb="01001", valid_to="2025-03-09"),
            visit(),
            service(),
            amount=FUND,
        ),
        clear("có trong danh mục", "listed", _price(100_000, ma_cskcb="01001"), visit(), service()),
        clear(
            "có trong danh mục, mã không có đuôi",
            "listed without its suffix",
            _price(1, ma_cskcb="01001"),
            visit(),
            service(ma_dich_vu=f"{CODE}_GT"),
        ),
        clear(
            "làm ở nơi khác",
            "done elsewhere",
            _price(1, ma_cskcb="01001", ma_dich_vu="01.0001.0001"),
            visit(),
            service(ma_dich_vu=f"{CODE}.K.01002"),
        ),
        clear("cơ sở không có danh mục", "a facility without a list", _price(1, ma_cskcb="01002"), visit(), service()),
        not_evaluable(
            "không ghi thời điểm",
            "no time",
            _price(100_000, ma_cskcb="01001"),
            visit(),
            service(ngay_yl=None, ngay_th_yl=None),
        ),
    ),
)
def not_approved(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid services whose code is in no row of their facility on their day, where the facility has rows."""
    own = catalogue(tables, "services").filter(~nw.col("ma_cskcb").is_null())
    begins = own.group_by("ma_cskcb").agg(since=nw.col("valid_from").min())
    here = ~nw.col("ma_dich_vu").str.contains(ELSEWHERE, literal=True)
    billed = reused(_coded(tables, nw.col("ma_nhom").is_in(facts("SRV-34").groups) & here))
    question = ["ma_cskcb", "code", "date"]
    asked = (
        billed.select(*question)
        .unique()
        .join(begins, on="ma_cskcb", how="inner")
        .filter(nw.col("date").cast(nw.Date) >= nw.col("since"))
        .with_columns(base=nw.col("code").str.slice(0, CODE_LENGTH))
    )
    for code in ("code", "base"):
        asked = not_held(asked, own, on=("ma_dich_vu", "ma_cskcb"), day="date", called={"ma_dich_vu": code})
    found = billed.join(asked.select(*question), on=question, how="inner")
    nothing = nw.lit(None, dtype=nw.Float64)
    return line_hits(found, amount=money("t_bhtt"), observed=nothing, allowed=nothing)


@rule(
    id="SRV-38",
    version=1,
    scheme="SELF_REFERRAL_TEST",
    severity="warn",
    title_vi="Chuyển xét nghiệm đi dù cơ sở làm được",
    title_en="Outsourced test though own site can do it",
    reason_vi="Dịch vụ chuyển cơ sở khác làm (.K.) nhưng danh mục của cơ sở có dịch vụ này; quỹ chi {amount}.",
    reason_en="A service done elsewhere (.K.) that the facility's own catalogue has; the fund pays {amount}.",
    legal_basis="ND188 Đ44 k2",
    needs=("service_line.ngay_yl",),
    catalogues=("services",),
    known_gaps_vi="Hồ sơ không cho biết hôm đó máy của cơ sở có chạy không: máy hỏng trông cũng như vậy.",
    known_gaps_en="Whether the facility's machine worked that day is not in the claim: a breakdown looks the same.",
    examples=(
        hit(
            "gửi đi dù có trong danh mục",
            "sent out although listed",
            _price(100_000, ma_cskcb="01001"),
            visit(),
            service(ma_dich_vu=f"{CODE}.K.01002"),
            amount=FUND,
        ),
        clear("làm tại đây", "done here", _price(100_000, ma_cskcb="01001"), visit(), service()),
        clear(
            "không có trong danh mục của cơ sở",
            "not in the own list",
            _price(1, ma_cskcb="01002"),
            visit(),
            service(ma_dich_vu=f"{CODE}.K.01002"),
        ),
        not_evaluable(
            "không ghi thời điểm",
            "no time",
            _price(1, ma_cskcb="01001"),
            visit(),
            service(ngay_yl=None, ngay_th_yl=None),
        ),
    ),
)
def sent_out(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid services carried out elsewhere that the facility itself is listed for on that day."""
    own = catalogue(tables, "services").filter(~nw.col("ma_cskcb").is_null())
    away = nw.col("ma_dich_vu").str.contains(ELSEWHERE, literal=True)
    billed = _coded(tables, away).with_columns(base=nw.col("code").str.slice(0, CODE_LENGTH))
    found = _with_own_row(billed, own)
    nothing = nw.lit(None, dtype=nw.Float64)
    return line_hits(found, amount=money("t_bhtt"), observed=nothing, allowed=nothing)


def _with_own_row(billed: nw.LazyFrame[Any], own: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Lines whose `base` code is in a row of their facility on their day."""
    question = ["ma_cskcb", "base", "date"]
    known = as_of(
        billed.select(*question).unique(),
        own,
        on=("ma_dich_vu", "ma_cskcb"),
        day="date",
        take=("valid_from",),
        called={"ma_dich_vu": "base"},
        prefix="own_",
    ).filter(~nw.col("own_valid_from").is_null())
    return billed.join(known.select(*question), on=question, how="semi")


@rule(
    id="SRV-04",
    version=1,
    scheme="ANAESTHESIA_UPCODE",
    severity="warn",
    title_vi="Gây tê nhưng tính giá gây mê",
    title_en="Local anaesthesia at the general price",
    reason_vi="Phẫu thuật gây tê tính đơn giá {observed}, giá gây tê (_GT) là {allowed}; phần vượt {amount}.",
    reason_en="Surgery under local anaesthesia at {observed}, its local price (_GT) is {allowed}; {amount} beyond.",
    legal_basis="TT35/2016 Đ4d; QĐ 130 _GT; CV266 KT49",
    needs=("service_line.ma_nhom", "service_line.ngay_yl", "service_line.don_gia_bh"),
    catalogues=("services",),
    known_gaps_vi=(
        "Xét khi dòng có ghi phương pháp và danh mục có giá gây tê. Chuyển từ tê sang mê giữa ca mổ, và gây tê vùng "
        "có cùng giá, trông cũng như vậy."
    ),
    known_gaps_en=(
        "Judged where the line names the method and the catalogue has a local price. A change from local to general "
        "in the operation, and a regional block priced alike, look the same."
    ),
    examples=(
        hit(
            "gây tê, tính đủ giá",
            "local at the full price",
            _price(2_000_000, ma_dich_vu="10.0506.0459_GT"),
            stay(),
            surgery("2025-03-11 08:00", pp_vo_cam=2),
            amount=(SURGERY_PRICE - 2_000_000) * 0.8,
        ),
        clear(
            "gây mê",
            "general",
            _price(2_000_000, ma_dich_vu="10.0506.0459_GT"),
            stay(),
            surgery("2025-03-11 08:00", pp_vo_cam=1),
        ),
        clear(
            "tính giá gây tê",
            "at the local price",
            _price(3_000_000, ma_dich_vu="10.0506.0459_GT"),
            stay(),
            surgery("2025-03-11 08:00", pp_vo_cam=2, ma_dich_vu="10.0506.0459_GT"),
        ),
        clear(
            "không có giá gây tê", "no local price", _price(2_000_000), stay(), surgery("2025-03-11 08:00", pp_vo_cam=2)
        ),
        not_evaluable(
            "thiếu nhóm chi phí",
            "no group",
            _price(2_000_000),
            stay(),
            surgery("2025-03-11 08:00", pp_vo_cam=2, ma_nhom=None),
        ),
    ),
)
def local_at_general_price(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid surgery under local anaesthesia without the local suffix, where the catalogue has a cheaper local price."""
    known = facts("SRV-04")
    suffix = nw.lit(known.suffix)
    cut = (nw.col("ma_nhom") == SURGERY) & (nw.col("pp_vo_cam") == known.local) & (money("don_gia_bh") > 0)
    billed = with_encounter(_coded(tables, cut, "pp_vo_cam", "don_gia_bh"), tables, "facility_rank")
    billed = billed.filter(
        ~nw.col("code").str.ends_with(known.suffix), ~nw.col("code").str.ends_with("_TB")
    ).with_columns(local=nw.concat_str([nw.col("code"), suffix]), price=money("don_gia_bh"))
    cheaper = _priced(billed.select("ma_cskcb", "e_facility_rank", "local", "date"), tables, "local")
    found = billed.join(
        cheaper.group_by("ma_cskcb", "local", "date").agg(nw.col("listed_price").max()),
        on=["ma_cskcb", "local", "date"],
        how="inner",
    ).filter(nw.col("price") > nw.col("listed_price") + known.tol_vnd)
    price, approved = nw.col("price"), nw.col("listed_price")
    return line_hits(found, amount=(price - approved) / price * money("t_bhtt"), observed=price, allowed=approved)


@rule(
    id="SRV-28",
    version=2,
    scheme="MUE_EXCEEDED",
    severity="warn",
    title_vi="Số lượng dịch vụ vượt giới hạn trong ngày",
    title_en="Units above the daily limit of the catalogue",
    reason_vi="Dịch vụ đến lần thứ {observed} trong ngày (danh mục cho {allowed}); phần vượt {amount}.",
    reason_en="The service reaches {observed} units in the day (the catalogue says {allowed}); {amount} beyond.",
    legal_basis="L-BHYT Đ29; TT35/2016 các danh mục",
    needs=("service_line.ngay_yl", "service_line.so_luong"),
    catalogues=("services",),
    known_gaps_vi=(
        "Chỉ xét dịch vụ có giới hạn trong ngày (max_per_day) ở danh mục, trong một hồ sơ; không so với cơ sở khác. "
        "Bỏ qua dòng kéo dài nhiều ngày, hai bên cơ thể khi có mã vị trí, và ca mổ đơn lẻ: mổ lại trong ngày, kê dòng "
        "riêng, có thể do biến chứng. Giường và khám có quy tắc riêng."
    ),
    known_gaps_en=(
        "Only services with a daily limit (max_per_day) in the catalogue, within a claim; what other facilities do in "
        "a day is not compared. Lines that last over several days, and both sides of the body with a coded site, are "
        "passed over, and so are single operations: one that is done again the same day, on a line of its own, may be "
        "called for by a complication. Beds and examinations have rules of their own."
    ),
    examples=(
        hit(
            "ba lần, giới hạn một lần",
            "three where one is listed",
            _price(1, max_per_day=1),
            visit(),
            service(quantity=3),
            amount=2 * FUND,
        ),
        hit("hai dòng", "two lines", _price(1, max_per_day=1), visit(), service(), service(), amount=FUND),
        clear("một lần", "one", _price(1, max_per_day=1), visit(), service()),
        clear("danh mục không ghi giới hạn", "no limit listed", _price(1), visit(), service(quantity=3)),
        clear(
            "trong hai ngày",
            "two days",
            _price(1, max_per_day=1),
            stay(),
            service(),
            service(ngay_yl="2025-03-11 08:00", ngay_th_yl="2025-03-11 08:00", ngay_kq="2025-03-11 09:00"),
        ),
        clear(
            "đưa lại vào phòng mổ",
            "back to the theatre",
            _price(1, max_per_day=1),
            stay(),
            service(ma_nhom=8),
            service(ma_nhom=8),
        ),
        clear("hai bên cơ thể", "two sides", _price(1, max_per_day=1), visit(), service(quantity=2, vi_tri_th_dvkt=1)),
        not_evaluable(
            "thiếu số lượng", "no quantity", _price(1, max_per_day=1), visit(), service(so_luong=None, t_bhtt=80_000)
        ),
    ),
)
def above_daily_limit(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid units of a service beyond what the catalogue allows in a day of a claim."""
    limited = catalogue(tables, "services").filter(nw.col("max_per_day") > 0).select(code="ma_dich_vu").unique()
    alone = ~nw.col("ma_nhom").is_in(BEDS_AND_MORE) & nw.col("vi_tri_th_dvkt").is_null()
    billed = (
        _coded(tables, alone, "so_luong", "ngay_kq", "vi_tri_th_dvkt")
        .join(limited, on="code", how="semi")
        .filter(nw.col("ngay_kq").is_null() | (day(nw.col("ngay_kq")) <= nw.col("date")), money("so_luong") > 0)
        .filter((nw.col("ma_nhom") != SURGERY) | (money("so_luong") > 1))
    )
    over = [*KEY, "code", "date"]
    counted = with_encounter(
        billed.with_columns(quantity=money("so_luong")).with_columns(
            reached=nw.col("quantity").cum_sum().over(*over, order_by=["row_no"])
        ),
        tables,
        "facility_rank",
    ).filter(nw.col("reached") > 1)
    allowed = as_of(
        counted.select("ma_cskcb", "e_facility_rank", "code", "date").unique(),
        catalogue(tables, "services"),
        on=("ma_dich_vu",),
        day="date",
        take=("max_per_day",),
        prefer=SCOPES,
        called={"ma_dich_vu": "code", "rank": "e_facility_rank"},
        prefix="listed_",
    ).filter(nw.col("listed_max_per_day") > 0)
    found = (
        counted.join(
            allowed.group_by("ma_cskcb", "code", "date").agg(limit=nw.col("listed_max_per_day").max()),
            on=["ma_cskcb", "code", "date"],
            how="inner",
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
