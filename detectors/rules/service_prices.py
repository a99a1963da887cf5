"""Services charged at another share than the law gives, or charged although they were not carried out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.schema import ENCOUNTER_KEY
from detectors.base import clear, hit, not_evaluable, rule
from detectors.examples import TEST_PRICE, service, stay, surgery, visit
from detectors.expressions import SERVICES, SURGERY, clockless, family, line_hits, lines, minutes_between, money
from detectors.facts import facts

if TYPE_CHECKING:
    from data.schema import ClaimTables

PROCEDURE = 18
KEY: list[str] = list(ENCOUNTER_KEY)
LINE = [*KEY, "line_table", "row_no"]
FUND = TEST_PRICE * 0.8  # what the fund pays for a service of the examples

_DRAIN: dict[str, Any] = {
    "ma_nhom": PROCEDURE,
    "ten_dich_vu": "Đặt ống dẫn lưu",
    "ngay_yl": "2025-03-11 08:20",
    "ngay_th_yl": "2025-03-11 08:20",
}
_BREATHING: dict[str, Any] = _DRAIN | {"ten_dich_vu": "Theo dõi điện tim liên tục"}
_AFTERWARDS: dict[str, Any] = _DRAIN | {"ngay_th_yl": "2025-03-11 11:00"}


@rule(
    id="SRV-02",
    version=1,
    scheme="MULTI_SURGERY_FULL",
    severity="deny",
    title_vi="Thủ thuật phát sinh trong phẫu thuật tính quá 80%",
    title_en="Procedure within surgery above 80%",
    reason_vi="Thủ thuật thực hiện trong cuộc mổ tính {observed}% giá (tối đa {allowed}%).",
    reason_en="A procedure within an operation is charged at {observed}% of its price (at most {allowed}%).",
    legal_basis="TT35/2016 Đ4d k2; TT39/2018 Đ7 k4 c",
    needs=("service_line.ma_nhom", "service_line.tyle_tt_dv"),
    known_gaps_vi=(
        "Thủ thuật phải nằm giữa lúc bắt đầu và lúc kết thúc một ca mổ của hồ sơ; thiếu một trong hai thì không nêu. "
        "Dịch vụ liên tục (theo dõi, thở máy, lọc máu) nhận biết theo tên và bỏ qua, thủ thuật mà tên giá ghi làm "
        "cùng ca mổ cũng vậy. Nhóm 8 của chuẩn 4210 có cả thủ thuật: không xét hồ sơ đó."
    ),
    known_gaps_en=(
        "Within means between the start and the end of an operation of the claim; without both times nothing is said. "
        "Continuous services (monitoring, ventilation, dialysis) are told by name and passed over, and so is the "
        "procedure whose price says that it is done with the operation. The 4210 group 8 holds procedures too: those "
        "claims are not judged."
    ),
    examples=(
        hit(
            "dẫn lưu, tính đủ giá",
            "a drain in full",
            stay(),
            surgery("2025-03-11 08:00"),
            service(**_DRAIN),
            amount=FUND * 0.2,
        ),
        clear("tính 80%", "at 80%", stay(), surgery("2025-03-11 08:00"), service(ratio=80, **_DRAIN)),
        clear("hai giờ sau", "two hours later", stay(), surgery("2025-03-11 08:00"), service(**_AFTERWARDS)),
        clear("theo dõi liên tục", "monitoring", stay(), surgery("2025-03-11 08:00"), service(**_BREATHING)),
        clear("không có ca mổ", "no operation", stay(), service(**_DRAIN)),
        not_evaluable(
            "thiếu tỷ lệ thanh toán",
            "no ratio",
            stay(),
            surgery("2025-03-11 08:00"),
            service(tyle_tt_dv=None, **_DRAIN),
        ),
    ),
)
def procedure_within_surgery(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid procedures carried out during an operation of the claim and charged above their share."""
    known = facts("SRV-02")
    columns = ("ma_nhom", "ten_dich_vu", "tyle_tt_dv", "ngay_th_yl", "ngay_kq", "t_bhtt", "standard")
    paid = lines(tables, SERVICES, *columns).filter(
        nw.col("ma_nhom").is_in([SURGERY, PROCEDURE]),
        nw.col("standard") == "130",
        money("t_bhtt") > 0,
        ~nw.col("ngay_th_yl").is_null(),
    )
    operations = paid.filter(nw.col("ma_nhom") == SURGERY, nw.col("ngay_kq") > nw.col("ngay_th_yl")).select(
        *KEY, o_start=nw.col("ngay_th_yl"), o_end=nw.col("ngay_kq")
    )
    start = nw.col("ngay_th_yl")
    found = (
        paid.filter(
            nw.col("ma_nhom") == PROCEDURE,
            money("tyle_tt_dv") > known.limit,
            ~clockless(start),
            ~family(tables, "service_line", known.continuous),
        )
        .join(operations, on=KEY, how="inner")
        .filter(start >= nw.col("o_start"), start < nw.col("o_end"))
        .select(*LINE, "t_bhtt", "tyle_tt_dv")
        .unique(LINE)
    )
    ratio = money("tyle_tt_dv")
    return line_hits(
        found,
        amount=(ratio - known.limit) / ratio * money("t_bhtt"),
        observed=ratio,
        allowed=nw.lit(float(known.limit)),
    )


@rule(
    id="SRV-47",
    version=1,
    scheme="MULTI_SURGERY_FULL",
    severity="warn",
    title_vi="Dịch giờ cuộc mổ thứ hai để tính đủ",
    title_en="Second surgery moved by minutes",
    reason_vi="Phẫu thuật cùng kíp, cách cuộc trước {observed} phút, vẫn tính 100% (xem xét đến {allowed} phút).",
    reason_en="A surgery by the same team {observed} minutes after another, in full (looked at up to {allowed}).",
    legal_basis="TT35/2016 Đ4d k2",
    needs=("service_line.ma_nhom", "service_line.tyle_tt_dv"),
    known_gaps_vi=(
        "Ca mổ thứ hai có thật, ngay sau ca đầu, trông cũng như vậy, trừ khi tên ghi mổ lại. Xét khi cả hai ca ghi "
        "cùng kíp và ca đầu có giờ kết thúc. Nhóm 8 của chuẩn 4210 có cả thủ thuật: không xét hồ sơ đó."
    ),
    known_gaps_en=(
        "A true second operation soon after the first looks the same, unless its name says that it is one again. "
        "Judged where both name the same team and the first has an end. The 4210 group 8 holds procedures too: those "
        "claims are not judged."
    ),
    examples=(
        hit(
            "sau nửa giờ",
            "half an hour later",
            stay(),
            surgery("2025-03-11 08:00"),
            surgery("2025-03-11 09:30", price=2_000_000),
            amount=2_000_000 * 0.8 * 0.5,
        ),
        clear(
            "do kíp khác mổ",
            "by another team",
            stay(),
            surgery("2025-03-11 08:00"),
            surgery("2025-03-11 09:30", nguoi_thuc_hien="9"),
        ),
        clear(
            "tính một nửa giá", "at half", stay(), surgery("2025-03-11 08:00"), surgery("2025-03-11 09:30", ratio=50)
        ),
        clear(
            "mổ lại, tên có ghi",
            "re-operation",
            stay(),
            surgery("2025-03-11 08:00"),
            surgery("2025-03-11 09:30", ten_dich_vu="Phẫu thuật lại cầm máu"),
        ),
        clear("vào buổi tối", "in the evening", stay(), surgery("2025-03-11 08:00"), surgery("2025-03-11 19:00")),
        not_evaluable("thiếu tỷ lệ thanh toán", "no ratio", stay(), surgery("2025-03-11 08:00", tyle_tt_dv=None)),
    ),
)
def surgery_moved(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """The cheaper of two surgeries of one team, both in full, with a short pause between them."""
    known = facts("SRV-47")
    columns = ("ma_nhom", "ten_dich_vu", "don_gia_bh", "tyle_tt_dv", "ngay_th_yl", "ngay_kq", "nguoi_thuc_hien")
    cut = (
        lines(tables, SERVICES, *columns, "t_bhtt", "standard")
        .filter(
            nw.col("ma_nhom") == SURGERY,
            nw.col("standard") == "130",
            money("t_bhtt") > 0,
            money("tyle_tt_dv") == 100,
            nw.col("ngay_kq") > nw.col("ngay_th_yl"),
            nw.col("nguoi_thuc_hien").fill_null("") != "",
            ~family(tables, "service_line", known.again),
        )
        .select(
            *LINE,
            "t_bhtt",
            price=money("don_gia_bh"),
            start=nw.col("ngay_th_yl"),
            end=nw.col("ngay_kq"),
            team=nw.col("nguoi_thuc_hien"),
        )
    )
    other = cut.select(*KEY, "team", **{f"o_{c}": nw.col(c) for c in ("row_no", "price", "start", "end")})
    dearer = (nw.col("o_price") > nw.col("price")) | (
        (nw.col("o_price") == nw.col("price")) & (nw.col("o_row_no") < nw.col("row_no"))
    )
    follows = minutes_between(nw.col("o_end"), nw.col("start"))
    precedes = minutes_between(nw.col("end"), nw.col("o_start"))
    found = (
        cut.join(other, on=[*KEY, "team"], how="inner")
        .with_columns(pause=nw.max_horizontal(follows, precedes))
        .filter(dearer, nw.col("pause") >= known.gap_from, nw.col("pause") <= known.gap_to)
        .group_by(*LINE, "t_bhtt")
        .agg(nw.col("pause").min())
    )
    return line_hits(
        found,
        amount=money("t_bhtt") * (known.share / 100),
        observed=nw.col("pause"),
        allowed=nw.lit(float(known.gap_to)),
    )


@rule(
    id="SRV-37",
    version=1,
    scheme="PHANTOM_SERVICE",
    severity="deny",
    title_vi="Dịch vụ không thực hiện được (_TB) vẫn có tiền",
    title_en="Aborted service with a price",
    reason_vi="Dịch vụ ghi không thực hiện được (_TB) nhưng có đơn giá {observed}; quỹ chi {amount}.",
    reason_en="The service is coded as not carried out (_TB) yet has the price {observed}; the fund pays {amount}.",
    legal_basis="QĐ 130 MA_DICH_VU",
    needs=("service_line.t_bhtt",),
    known_gaps_vi="Vật tư và thuốc của dịch vụ phải dừng là đúng quy định, không xét.",
    known_gaps_en="The supplies and drugs of an aborted service are lawful and not judged.",
    examples=(
        hit(
            "phải dừng, vẫn có tiền",
            "aborted, paid",
            stay(),
            service(ma_nhom=PROCEDURE, ma_dich_vu="01.0066.1888_TB"),
            amount=FUND,
        ),
        clear(
            "phải dừng, giá 0 đồng",
            "aborted, price 0",
            stay(),
            service(price=0, ma_nhom=PROCEDURE, ma_dich_vu="01.0066.1888_TB"),
        ),
        clear("gây tê tại chỗ", "local anaesthesia", stay(), surgery("2025-03-11 08:00", ma_dich_vu="10.0506.0459_GT")),
        not_evaluable("thiếu thành tiền", "no amount", visit(), service(ma_nhom=PROCEDURE, t_bhtt=None)),
    ),
)
def aborted_paid(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Services coded as aborted that have a price or are paid."""
    suffix = facts("SRV-37").suffix
    price = money("don_gia_bh").fill_null(0.0)
    found = lines(tables, SERVICES, "ma_dich_vu", "don_gia_bh", "t_bhtt").filter(
        nw.col("ma_dich_vu").fill_null("").str.strip_chars().str.to_uppercase().str.ends_with(suffix),
        (price > 0) | (money("t_bhtt").fill_null(0.0) > 0),
    )
    return line_hits(found, amount=money("t_bhtt"), observed=price, allowed=nw.lit(0.0))
