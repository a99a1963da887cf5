"""Supplies in use: implants without an operation, more of them than an operation takes, reused ones, prices paid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.asof import as_of
from data.schema import ENCOUNTER_KEY
from detectors.base import clear, hit, not_evaluable, rule
from detectors.examples import listed, service, stay, surgery
from detectors.expressions import (
    SERVICES,
    SUPPLIES,
    carried_out,
    catalogue,
    day,
    days_between,
    family,
    line_hits,
    lines,
    money,
)
from detectors.facts import facts

if TYPE_CHECKING:
    from data.schema import ClaimTables
    from detectors.examples import Row

KEY: list[str] = list(ENCOUNTER_KEY)
LINE = [*KEY, "row_no"]
PRICE = 5_000_000
_FUND = PRICE * 0.8
_BY_NAME_VI = "Nhận biết theo tên vật tư (TEN_VAT_TU): sản phẩm có tên không cho biết loại thì bỏ qua."
_BY_NAME_EN = "Told by the name of the supply (TEN_VAT_TU): a product whose name tells no kind is passed over."
_ITEM: dict[str, Any] = {"ma_nhom": 10, "ma_dich_vu": None, "ten_dich_vu": None, "ma_hieu_sp": "SN100"}
_MESH: dict[str, Any] = {**_ITEM, "ma_vat_tu": "N07.02.030", "ten_vat_tu": "Lưới điều trị thoát vị"}
_LENS: dict[str, Any] = {**_ITEM, "ma_vat_tu": "N07.03.020", "ten_vat_tu": "Thủy tinh thể nhân tạo mềm"}
_STENT: dict[str, Any] = {**_ITEM, "ma_vat_tu": "N06.02.030", "ten_vat_tu": "Stent động mạch vành phủ thuốc"}
_BALLOON: dict[str, Any] = {**_ITEM, "ma_vat_tu": "N06.02.010", "ten_vat_tu": "Bóng nong động mạch vành"}
_PHACO: dict[str, Any] = {"ten_dich_vu": "Phẫu thuật tán nhuyễn thể thủy tinh bằng siêu âm (Phaco)"}
_TENDER = "102/QĐ-SYT;G1;N2;2025"


def _on(at: str) -> dict[str, Any]:
    return {"ngay_yl": at, "ngay_th_yl": at}


def _supply(of: dict[str, Any], quantity: float = 1, **fields: Any) -> Row:
    told: dict[str, Any] = {"price": PRICE, **of, **fields}
    return service(quantity=quantity, **told)


def _supplies(tables: ClaimTables, *columns: str) -> nw.LazyFrame[Any]:
    """Supply lines that ask money of the fund, with the `date` they were used."""
    held = ("ma_nhom", "ten_vat_tu", "so_luong", "ngay_yl", "ngay_th_yl", "t_bhtt")
    return (
        lines(tables, SERVICES, *dict.fromkeys((*held, *columns)))
        .filter(nw.col("ma_nhom").is_in(SUPPLIES), money("t_bhtt") > 0)
        .with_columns(date=day(carried_out()))
    )


def _named(tables: ClaimTables, words: str, unless: str, *, accents: bool = False) -> nw.Expr:
    """Whether the name of a supply matches `words` and not `unless`."""
    return family(tables, "service_line", words, column="ten_vat_tu", accents=accents) & ~family(
        tables, "service_line", unless, column="ten_vat_tu", accents=accents
    )


@rule(
    id="SUP-01",
    version=2,
    scheme="SUPPLY_WITHOUT_PROCEDURE",
    severity="deny",
    title_vi="Vật tư cấy ghép không có phẫu thuật, thủ thuật",
    title_en="Implant without a procedure",
    reason_vi="Vật tư cấy ghép (số lượng {observed}) tính {amount} mà không có phẫu thuật, thủ thuật trong ngày.",
    reason_en="An implant (quantity {observed}) is billed ({amount}) without an operation or procedure at that time.",
    legal_basis="TT04/2017 Đ3-4",
    needs=("service_line.ma_nhom", "service_line.ngay_yl"),
    known_gaps_vi=(
        f"{_BY_NAME_VI} Ca mổ hoặc thủ thuật nào từ hôm trước đến hôm sau cũng đủ để không nêu, dù có liên quan đến "
        "vật tư cấy ghép hay không, trừ những việc không bao giờ đặt vật tư: tập vận động, khí dung, theo dõi. Vật tư "
        "cấy ghép nhập lúc người bệnh ra viện trông như không có ca mổ."
    ),
    known_gaps_en=(
        f"{_BY_NAME_EN} Any operation or procedure of the day before to the day after clears it, whether the implant "
        "belongs to it or not, unless nothing is ever placed in it: exercise, nebulising, watching. An implant booked "
        "when the patient leaves looks like one without an operation."
    ),
    examples=(
        hit("lưới trong đợt nội khoa", "mesh in a medical stay", stay(), _supply(_MESH), amount=_FUND),
        hit(
            "mổ trước đó bốn ngày",
            "operation four days before",
            stay(7),
            surgery("2025-03-10 10:00"),
            _supply(_MESH, **_on("2025-03-14 09:00")),
            amount=_FUND,
        ),
        hit(
            "lưới cùng ngày chỉ tập vận động và khí dung",
            "mesh beside exercise and nebulising",
            stay(),
            service(ma_nhom=18, ten_dich_vu="Tập vận động có trợ giúp"),
            service(ma_nhom=18, ten_dich_vu="Khí dung thuốc giãn phế quản"),
            _supply(_MESH),
            amount=_FUND,
        ),
        clear("lưới cùng ca mổ", "mesh with its operation", stay(), surgery("2025-03-10 10:00"), _supply(_MESH)),
        clear(
            "stent cùng can thiệp",
            "stent with an intervention",
            stay(),
            service(ma_nhom=2, ten_dich_vu="Can thiệp mạch vành"),
            _supply(_STENT),
        ),
        clear("kim tiêm", "needle", stay(), _supply({**_ITEM, "ten_vat_tu": "Kim luồn tĩnh mạch"})),
        clear("nẹp cổ", "neck brace", stay(), _supply({**_ITEM, "ten_vat_tu": "Nẹp cổ cứng"})),
        not_evaluable("thiếu thời điểm y lệnh", "no order time", stay(), _supply(_MESH, ngay_yl=None, ngay_th_yl=None)),
    ),
)
def implant_without_procedure(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid implants in claims without an operation or procedure within a day of them."""
    known = facts("SUP-01")
    implants = _supplies(tables).filter(
        _named(tables, known.implant, known.implant_not, accents=True), ~nw.col("date").is_null()
    )
    bloodless = family(tables, "service_line", known.bloodless)
    work = tables.service_line.filter(
        (nw.col("ma_nhom").is_in(known.procedure_groups) & ~bloodless) | family(tables, "service_line", known.procedure)
    ).select(*KEY, done=day(carried_out()))
    apart = days_between(nw.col("done"), nw.col("date")).abs()
    served = (
        implants.select(*LINE, "date")
        .join(work, on=KEY, how="inner")
        .filter((apart <= known.days) | apart.is_null())
        .select(*LINE)
    )
    found = implants.join(served, on=LINE, how="anti")
    return line_hits(found, amount=money("t_bhtt"), observed=money("so_luong"), allowed=nw.lit(0.0))


@rule(
    id="SUP-02",
    version=1,
    scheme="SUPPLY_WITHOUT_PROCEDURE",
    severity="info",
    title_vi="Ngày vật tư khác ngày dịch vụ liên kết",
    title_en="Supply date unlike its service",
    reason_vi="Vật tư dùng cách ngày thực hiện dịch vụ liên kết {observed} ngày.",
    reason_en="The supply was used {observed} days away from the service it names.",
    legal_basis="TT04/2017 Đ4",
    needs=("service_line.ma_nhom", "service_line.ngay_yl"),
    known_gaps_vi=(
        "Chỉ xét dòng vật tư có ghi dịch vụ (MA_DICH_VU), ít cơ sở ghi; dịch vụ không có trong hồ sơ thì bỏ qua. Dịch "
        "vụ làm nhiều lần thì lấy lần gần nhất."
    ),
    known_gaps_en=(
        "Only supply lines that name their service (MA_DICH_VU), which few exporters fill; a service that is not in "
        "the claim is passed over. Where the service was done more than once the nearest counts."
    ),
    examples=(
        hit(
            "dùng hai ngày sau",
            "used two days later",
            stay(5),
            surgery("2025-03-11 10:00"),
            _supply(_MESH, ma_dich_vu="10.0506.0459", **_on("2025-03-13 09:00")),
            amount=_FUND,
        ),
        clear(
            "dùng cùng ngày",
            "used the same day",
            stay(5),
            surgery("2025-03-11 10:00"),
            _supply(_MESH, ma_dich_vu="10.0506.0459", **_on("2025-03-11 12:00")),
        ),
        clear("không ghi dịch vụ", "no service named", stay(5), surgery("2025-03-11 10:00"), _supply(_MESH)),
        clear("dịch vụ của hồ sơ khác", "service of another claim", stay(5), _supply(_MESH, ma_dich_vu="10.0506.0459")),
        not_evaluable("thiếu thời điểm y lệnh", "no order time", stay(), _supply(_MESH, ngay_yl=None, ngay_th_yl=None)),
    ),
)
def supply_apart_from_service(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid supplies whose date is a day or more from every execution of the service they name."""
    known = facts("SUP-02")
    code = nw.col("ma_dich_vu").str.strip_chars()
    linked = (
        _supplies(tables, "ma_dich_vu")
        .with_columns(named=code)
        .filter(nw.col("named") != "", ~nw.col("date").is_null())
    )
    services = (
        tables.service_line.filter(~nw.col("ma_nhom").is_in(SUPPLIES))
        .with_columns(named=code, done=day(carried_out()))
        .join(linked.select(*KEY, "named").unique([*KEY, "named"]), on=[*KEY, "named"], how="semi")
        .select(*KEY, "named", "done")
    )
    nearest = (
        linked.select(*LINE, "named", "date")
        .join(services, on=[*KEY, "named"], how="inner")
        .select(*LINE, apart=days_between(nw.col("done"), nw.col("date")).abs())
        .group_by(*LINE)
        .agg(nw.col("apart").min())
        .filter(nw.col("apart") >= known.days)
    )
    found = linked.join(nearest, on=LINE, how="inner")
    return line_hits(found, amount=money("t_bhtt"), observed=nw.col("apart"), allowed=nw.lit(0.0))


@rule(
    id="SUP-04",
    version=1,
    scheme="SUPPLY_OVERCOUNT",
    severity="deny",
    title_vi="Thể thủy tinh quá một chiếc mỗi mắt",
    title_en="More than one lens per eye",
    reason_vi="Tính {observed} thể thủy tinh, số lần mổ hoặc số mắt còn lại chỉ cho phép {allowed}.",
    reason_en="{observed} lenses are billed, the operations or the eyes that are left allow {allowed}.",
    legal_basis="TT04/2017 Đ4; ND90 Đ86",
    needs=("encounter.ngay_vao", "service_line.ma_nhom", "service_line.so_luong"),
    known_gaps_vi=(
        f"{_BY_NAME_VI} Thể thủy tinh thay lại sau nhiều năm trông như cái thứ ba; không tính cái của hồ sơ chưa từng "
        "gửi đến đây. Không có mã người bệnh thì chỉ tính ca mổ trong hồ sơ."
    ),
    known_gaps_en=(
        f"{_BY_NAME_EN} A lens exchanged years later looks like a third one; lenses of claims that were never sent "
        "here are not counted. Without a patient only the operations of the claim are counted."
    ),
    examples=(
        hit(
            "hai thể thủy tinh, một ca mổ",
            "two lenses, one operation",
            stay(1),
            surgery("2025-03-10 10:00", **_PHACO),
            _supply(_LENS, 2),
            amount=_FUND,
        ),
        hit(
            "thể thủy tinh thứ ba của một người bệnh",
            "the third lens of a patient",
            stay(1, at="2025-01-06 08:00"),
            surgery("2025-01-06 10:00", **_PHACO),
            _supply(_LENS),
            stay(1, at="2025-02-03 08:00"),
            surgery("2025-02-03 10:00", **_PHACO),
            _supply(_LENS),
            stay(1),
            surgery("2025-03-10 10:00", **_PHACO),
            _supply(_LENS),
            amount=_FUND,
        ),
        clear(
            "một thể thủy tinh, một ca mổ",
            "one lens, one operation",
            stay(1),
            surgery("2025-03-10 10:00", **_PHACO),
            _supply(_LENS),
        ),
        clear(
            "mắt thứ hai",
            "the second eye",
            stay(1, at="2025-02-03 08:00"),
            surgery("2025-02-03 10:00", **_PHACO),
            _supply(_LENS),
            stay(1),
            surgery("2025-03-10 10:00", **_PHACO),
            _supply(_LENS),
        ),
        clear(
            "dụng cụ, không phải thể thủy tinh",
            "an instrument",
            stay(1),
            _supply({**_ITEM, "ten_vat_tu": "Dụng cụ đặt thể thủy tinh"}, 2),
        ),
        not_evaluable("thiếu số lượng", "no quantity", stay(1), _supply(_LENS, 2, so_luong=None, t_bhtt=100_000)),
    ),
)
def lenses_beyond_eyes(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Lens lines of claims with more lenses than operations on a lens, or than the patient has eyes left."""
    known = facts("SUP-04")
    lens_lines = _supplies(tables).filter(
        _named(tables, known.lens, known.lens_not, accents=True), money("so_luong") > 0
    )
    lenses = lens_lines.select(*KEY, lenses=money("so_luong")).group_by(*KEY).agg(nw.col("lenses").sum())
    operations = (
        tables.service_line.filter(family(tables, "service_line", known.operation), ~nw.col("ma_nhom").is_in(SUPPLIES))
        .select(*KEY, operations=nw.max_horizontal(money("so_luong"), nw.lit(1.0)))
        .group_by(*KEY)
        .agg(nw.col("operations").sum())
    )
    with_lens = tables.encounter.select(*KEY, "patient_id", "ngay_vao").join(lenses, on=KEY, how="inner")
    prior = with_lens.filter(~nw.col("patient_id").is_null()).select(
        "patient_id", p_ma_cskcb="ma_cskcb", p_ma_lk="ma_lk", p_ngay_vao="ngay_vao", p_lenses="lenses"
    )
    before, arrived = nw.col("p_ngay_vao"), nw.col("ngay_vao")
    earlier_key = (nw.col("p_ma_cskcb") < nw.col("ma_cskcb")) | (
        (nw.col("p_ma_cskcb") == nw.col("ma_cskcb")) & (nw.col("p_ma_lk") < nw.col("ma_lk"))
    )
    history = (
        with_lens.join(prior, on="patient_id", how="inner")
        .filter((before < arrived) | ((before == arrived) & earlier_key))
        .group_by(*KEY)
        .agg(nw.col("p_lenses").sum())
    )
    left = nw.max_horizontal(known.max_life - nw.col("p_lenses").fill_null(0.0), nw.lit(0.0))
    claims = (
        lenses.join(operations, on=KEY, how="left")
        .join(history, on=KEY, how="left")
        .with_columns(owed=nw.min_horizontal(nw.col("operations").fill_null(0.0), left))
        .filter(nw.col("lenses") > nw.col("owed"))
        .select(*KEY, "lenses", "owed")
    )
    found = lens_lines.join(claims, on=KEY, how="inner")
    total, owed = nw.col("lenses"), nw.col("owed")
    return line_hits(found, amount=(total - owed) / total * money("t_bhtt"), observed=total, allowed=owed)


@rule(
    id="SUP-05",
    version=1,
    scheme="SUPPLY_OVERCOUNT",
    severity="warn",
    title_vi="Số stent mạch vành mỗi ca vượt mức",
    title_en="Coronary stents per case above the limit",
    reason_vi="Một ca can thiệp tính {observed} stent mạch vành (mức xem xét {allowed}).",
    reason_en="{observed} coronary stents are billed for one session (looked at above {allowed}).",
    legal_basis="L-BHYT Đ29; ND90 Đ86",
    needs=("service_line.ma_nhom", "service_line.so_luong", "service_line.ngay_yl"),
    known_gaps_vi=(
        f"{_BY_NAME_VI} Một lần can thiệp là một ngày của hồ sơ. Bệnh ba thân mạch có thể cần nhiều hơn. Ở đây không "
        "so trung bình giữa các bác sĩ."
    ),
    known_gaps_en=(
        f"{_BY_NAME_EN} A session is a day of the claim. Disease of all three vessels may need more. The mean of a "
        "doctor beside other doctors is not looked at here."
    ),
    examples=(
        hit(
            "năm stent trong một lần",
            "five stents",
            stay(),
            surgery("2025-03-10 10:00"),
            _supply(_STENT, 5),
            amount=2 * _FUND,
        ),
        clear("ba stent trong một lần", "three stents", stay(), surgery("2025-03-10 10:00"), _supply(_STENT, 3)),
        clear(
            "hai lần can thiệp",
            "two sessions",
            stay(9),
            _supply(_STENT, 3, **_on("2025-03-10 10:00")),
            _supply(_STENT, 2, **_on("2025-03-17 10:00")),
        ),
        clear("bóng nong", "balloons", stay(), surgery("2025-03-10 10:00"), _supply(_BALLOON, 5)),
        not_evaluable("thiếu số lượng", "no quantity", stay(), _supply(_STENT, 5, so_luong=None, t_bhtt=100_000)),
    ),
)
def stents_in_a_session(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Coronary stent lines of a day of the claim with more stents than the limit, each with its share."""
    known = facts("SUP-05")
    stents = _supplies(tables).filter(_named(tables, known.stent, known.stent_not), ~nw.col("date").is_null())
    many = (
        stents.select(*KEY, "date", total=money("so_luong"))
        .group_by(*KEY, "date")
        .agg(nw.col("total").sum())
        .filter(nw.col("total") > known.max)
    )
    found = stents.join(many, on=[*KEY, "date"], how="inner")
    total, most = nw.col("total"), float(known.max)
    return line_hits(found, amount=(total - most) / total * money("t_bhtt"), observed=total, allowed=nw.lit(most))


@rule(
    id="SUP-07",
    version=1,
    scheme="SUPPLY_REUSE",
    severity="warn",
    title_vi="Vật tư tái sử dụng không đánh dấu, tính đủ giá",
    title_en="Reusable item unmarked at full price",
    reason_vi="Vật tư tái sử dụng không đánh dấu, đơn giá {observed} đồng so với giá mua {allowed} đồng.",
    reason_en="A reusable item is not marked; its price is {observed} VND, the purchase price {allowed} VND.",
    legal_basis="TT04/2017 Đ5",
    needs=("service_line.ma_nhom", "service_line.ngay_yl"),
    catalogues=("supplies", "tenders"),
    known_gaps_vi=(
        "Vật tư tái sử dụng là vật tư mà danh mục ghi như vậy; giá mua là giá trúng thầu của ngày dùng. Danh mục "
        "không ghi được dùng mấy lần: số tiền tính cho hai lần. Lần dùng đầu của vật tư mới trông cũng như vậy khi ô "
        "đánh dấu để trống."
    ),
    known_gaps_en=(
        "Reusable is what the supply catalogue marks so; the purchase price is the tender of the day. How often an "
        "item may be used is not in the catalogue: the money counts two uses. The first use of a new item looks the "
        "same where the format's mark is left blank."
    ),
    examples=(
        hit(
            "tính đủ giá mua",
            "at the purchase price",
            listed("supplies", ma_vat_tu="N06.02.010", name="Bóng nong", reusable=1),
            listed("tenders", ma_cskcb="01001", code="N06.02.010", price=PRICE, quantity=100),
            stay(),
            _supply(_BALLOON),
            amount=_FUND / 2,
        ),
        clear(
            "tính nửa giá",
            "at half the price",
            listed("supplies", ma_vat_tu="N06.02.010", name="Bóng nong", reusable=1),
            listed("tenders", ma_cskcb="01001", code="N06.02.010", price=2 * PRICE, quantity=100),
            stay(),
            _supply(_BALLOON),
        ),
        clear(
            "đã đánh dấu tái sử dụng",
            "marked as reused",
            listed("supplies", ma_vat_tu="N06.02.010", name="Bóng nong", reusable=1),
            listed("tenders", ma_cskcb="01001", code="N06.02.010", price=PRICE, quantity=100),
            stay(),
            _supply(_BALLOON, tai_su_dung=1),
        ),
        clear(
            "dùng một lần",
            "used once",
            listed("supplies", ma_vat_tu="N06.02.010", name="Bóng nong", reusable=0),
            listed("tenders", ma_cskcb="01001", code="N06.02.010", price=PRICE, quantity=100),
            stay(),
            _supply(_BALLOON),
        ),
        not_evaluable(
            "thiếu thời điểm y lệnh",
            "no order time",
            listed("supplies", ma_vat_tu="N06.02.010", name="Bóng nong", reusable=1),
            listed("tenders", ma_cskcb="01001", code="N06.02.010", price=PRICE, quantity=100),
            stay(),
            _supply(_BALLOON, ngay_yl=None, ngay_th_yl=None),
        ),
    ),
)
def reusable_at_full_price(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid supplies that the catalogue calls reusable, not marked as reused, at the price of a new one."""
    known = facts("SUP-07")
    supplies, tenders = catalogue(tables, "supplies"), catalogue(tables, "tenders")
    reusable = supplies.filter(nw.col("reusable") == 1).select("ma_vat_tu").unique(["ma_vat_tu"])
    unmarked = (
        _supplies(tables, "ma_vat_tu", "tt_thau", "don_gia_bh", "tai_su_dung", "standard")
        .with_columns(ma_vat_tu=nw.col("ma_vat_tu").str.strip_chars(), tt_thau=nw.col("tt_thau").str.strip_chars())
        .filter(nw.col("standard") == "130", nw.col("tai_su_dung").fill_null(0) != 1)
        .join(reusable, on="ma_vat_tu", how="semi")
    )
    listed = as_of(unmarked, supplies, on=("ma_vat_tu",), day="date", take=("reusable",), prefix="listed_")
    found = _bought(listed, tenders).filter(
        nw.col("listed_reusable") == 1,
        nw.col("paid_price") > 0,
        money("don_gia_bh") >= known.ratio * nw.col("paid_price"),
    )
    return line_hits(
        found,
        amount=(1 - 1 / known.uses) * money("t_bhtt"),
        observed=money("don_gia_bh"),
        allowed=nw.col("paid_price"),
    )


def _bought(rows: nw.LazyFrame[Any], tenders: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Supply lines with `paid_price`: what the facility's tender of the day says, the line's own tender first."""
    return as_of(
        rows,
        tenders,
        on=("ma_cskcb", "code"),
        day="date",
        take=("price",),
        prefer=("tt_thau",),
        called={"code": "ma_vat_tu"},
        prefix="paid_",
    )


@rule(
    id="SUP-09",
    version=1,
    scheme="DRUG_PRICE_OVER_BID",
    severity="deny",
    title_vi="Giá vật tư vượt giá trúng thầu",
    title_en="Supply price above bid",
    reason_vi="Đơn giá vật tư {observed} đồng, giá trúng thầu {allowed} đồng.",
    reason_en="The supply is charged at {observed} VND, the winning bid is {allowed} VND.",
    legal_basis="ND90 Đ88; TT12/2026 Đ10 k1 d",
    needs=("service_line.ma_nhom", "service_line.ngay_yl"),
    catalogues=("tenders",),
    known_gaps_vi=(
        "So với gói thầu ghi trên dòng, theo ngày sử dụng; gói thầu không có trong danh mục ngày đó, hoặc dòng không "
        "ghi gói thầu, thì bỏ qua. Không xét hàng tồn dùng sau khi gói thầu hết hiệu lực."
    ),
    known_gaps_en=(
        "Compared with the tender the line names, as of the day of use; a line whose tender is not in the catalogue "
        "on that day, or that names none, is passed over. Old stock used after the tender's end is not judged."
    ),
    examples=(
        hit(
            "cao hơn giá thầu một phần mười",
            "a tenth above the bid",
            listed("tenders", ma_cskcb="01001", code="N07.02.030", tt_thau=_TENDER, price=PRICE * 10 / 11, quantity=9),
            stay(),
            _supply(_MESH, tt_thau=_TENDER),
            amount=PRICE / 11 * 0.8,
        ),
        clear(
            "đúng giá thầu",
            "at the bid",
            listed("tenders", ma_cskcb="01001", code="N07.02.030", tt_thau=_TENDER, price=PRICE, quantity=9),
            stay(),
            _supply(_MESH, tt_thau=_TENDER),
        ),
        clear(
            "gói thầu khác",
            "another tender",
            listed("tenders", ma_cskcb="01001", code="N07.02.030", tt_thau="7/QĐ", price=PRICE / 2, quantity=9),
            stay(),
            _supply(_MESH, tt_thau=_TENDER),
        ),
        clear(
            "theo giá thầu năm ngoái",
            "the bid of last year",
            listed(
                "tenders",
                ma_cskcb="01001",
                code="N07.02.030",
                tt_thau=_TENDER,
                price=PRICE / 2,
                quantity=9,
                valid_to="2024-12-31",
            ),
            stay(),
            _supply(_MESH, tt_thau=_TENDER),
        ),
        not_evaluable(
            "thiếu thời điểm y lệnh",
            "no order time",
            listed("tenders", ma_cskcb="01001", code="N07.02.030", tt_thau=_TENDER, price=PRICE / 2, quantity=9),
            stay(),
            _supply(_MESH, tt_thau=_TENDER, ngay_yl=None, ngay_th_yl=None),
        ),
    ),
)
def supply_above_bid(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid supplies whose unit price is above that of the tender they name."""
    tenders = catalogue(tables, "tenders")
    columns = ("ma_vat_tu", "tt_thau", "don_gia_bh", "muc_huong", "tyle_tt_bh", "tai_su_dung")
    code, tender = nw.col("ma_vat_tu").str.strip_chars(), nw.col("tt_thau").str.strip_chars()
    bought = (
        _supplies(tables, *columns)
        .with_columns(ma_vat_tu=code, tt_thau=tender)
        .filter(nw.col("tt_thau") != "", nw.col("tai_su_dung").fill_null(0) != 1)
    )
    named = tenders.filter(~nw.col("tt_thau").is_null())
    found = _bought(bought, named).filter(
        money("don_gia_bh") > nw.col("paid_price") + facts("SUP-09").tol_vnd, nw.col("paid_price") > 0
    )
    price, paid = money("don_gia_bh"), nw.col("paid_price")
    return line_hits(found, amount=(price - paid) / price * money("t_bhtt"), observed=price, allowed=paid)


@rule(
    id="SUP-10",
    version=1,
    scheme="PHANTOM_SUPPLY",
    severity="info",
    title_vi="Vật tư cấy ghép thiếu mã hiệu sản phẩm",
    title_en="Implant without serial",
    reason_vi="Vật tư cấy ghép (số lượng {observed}) không ghi mã hiệu sản phẩm.",
    reason_en="An implant (quantity {observed}) has no serial.",
    legal_basis="QĐ 130 MA_HIEU_SP",
    needs=("service_line.ma_nhom",),
    known_gaps_vi=f"{_BY_NAME_VI} Chuẩn 4210 không có trường này. Riêng dấu hiệu này không có số tiền.",
    known_gaps_en=f"{_BY_NAME_EN} The 4210 format has no such field. No money is at risk by it alone.",
    examples=(
        hit(
            "lưới không có số sê-ri",
            "mesh without a serial",
            stay(),
            surgery("2025-03-10 10:00"),
            _supply(_MESH, ma_hieu_sp=None),
            amount=0,
        ),
        clear("lưới có số sê-ri", "mesh with a serial", stay(), surgery("2025-03-10 10:00"), _supply(_MESH)),
        clear("kim tiêm", "needle", stay(), _supply({**_ITEM, "ten_vat_tu": "Kim luồn tĩnh mạch", "ma_hieu_sp": None})),
        not_evaluable("thiếu nhóm chi phí", "no cost group", stay(), _supply(_MESH, ma_hieu_sp=None, ma_nhom=None)),
    ),
)
def implant_without_serial(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid implants without a product serial."""
    known = facts("SUP-10")
    found = _supplies(tables, "ma_hieu_sp", "standard").filter(
        nw.col("standard") == "130",
        nw.col("ma_hieu_sp").fill_null("").str.strip_chars() == "",
        _named(tables, known.implant, known.implant_not, accents=True),
    )
    return line_hits(found, amount=nw.lit(0.0), observed=money("so_luong"), allowed=nw.lit(None, dtype=nw.Float64))
