"""Drugs against the drug catalogue and the tenders as they stood on their day: listed, ratio, class, price, validity.

A code is looked up as it is written. No row is no answer, except where the question is whether there is one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.asof import as_of, not_held
from data.schema import ENCOUNTER_KEY, reused
from detectors.base import clear, hit, not_evaluable, rule
from detectors.examples import PILL_PRICE, drug, listed, service, visit
from detectors.expressions import DRUGS, SERVICES, catalogue, day, line_hits, lines, money, with_encounter
from detectors.facts import facts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from data.schema import ClaimTables
    from detectors.examples import Row

KEY: list[str] = list(ENCOUNTER_KEY)
FUND = 20 * PILL_PRICE * 0.8  # what the fund pays for a drug of the examples
NONE = nw.lit(None, dtype=nw.Float64)
CODE = "40.48"  # of the drug of the examples
REGISTERED: dict[str, Any] = {"so_dang_ky": "VD-1"}
TENDER = "1/QĐ-SYT;G1;N1;2025"
AS_GOOD_VI = "Đúng đến đâu tùy danh mục: danh mục nạp thiếu hoặc nạp muộn làm dòng đúng trông như sai."
AS_GOOD_EN = "As good as the catalogue: a list loaded in part, or late, makes lawful lines look wrong."


def _coded(tables: ClaimTables, *columns: str, groups: Sequence[int] | None = None) -> nw.LazyFrame[Any]:
    """Paid drug lines with their trimmed `code` and `registration` (empty where blank) and the `date` of the order."""
    wanted = dict.fromkeys(("ma_thuoc", "ma_nhom", "so_dang_ky", "ngay_yl", "t_bhtt", *columns))
    paid = lines(tables, DRUGS, *wanted).filter(~nw.col("ma_thuoc").is_null(), money("t_bhtt") > 0)
    return (
        (paid if groups is None else paid.filter(nw.col("ma_nhom").is_in(groups)))
        .with_columns(
            code=nw.col("ma_thuoc").str.strip_chars(),
            registration=nw.col("so_dang_ky").fill_null("").str.strip_chars(),
            date=day(nw.col("ngay_yl")),
        )
        .filter(~nw.col("date").is_null())
    )


def _in_drugs(asked: nw.LazyFrame[Any], tables: ClaimTables, take: str) -> nw.LazyFrame[Any]:
    """Different questions (code, registration, date, more) with `listed_<take>` of the drug catalogue on the day."""
    return as_of(
        asked.unique(),
        catalogue(tables, "drugs"),
        on=("ma_thuoc",),
        day="date",
        take=(take,),
        prefer=("so_dang_ky",),
        called={"ma_thuoc": "code", "so_dang_ky": "registration"},
        prefix="listed_",
    ).filter(~nw.col(f"listed_{take}").is_null())


def _least(catalogue: nw.LazyFrame[Any], column: str, **key: str) -> nw.LazyFrame[Any]:
    """The `least` value a key of the catalogue ever had, the key called as told: most lines are not above even that."""
    return (
        catalogue.select(**{name: nw.col(own) for own, name in key.items()}, least=nw.col(column))
        .group_by(*key.values())
        .agg(nw.col("least").min())
    )


def _digit() -> nw.Expr:
    """The benefit digit of the card."""
    return nw.col("e_card_class").str.slice(2, 1)


def _entry(**fields: Any) -> Row:
    return listed("drugs", **{"ma_thuoc": CODE, "name": "Thuốc A", **fields})


@rule(
    id="DRG-25",
    version=1,
    scheme="DRUG_OFF_CONDITION",
    severity="deny",
    title_vi="Thuốc ngoài danh mục BHYT vẫn tính quỹ",
    title_en="Off-list drug paid by the fund",
    reason_vi="Thuốc không có trong danh mục vào ngày kê; quỹ chi {amount} đồng.",
    reason_en="The drug is not in the catalogue on its day; the fund pays {amount} VND.",
    legal_basis="TT20/2022; TT37/2024; S.004.351",
    needs=("encounter.card_class", "drug_line.ma_thuoc", "drug_line.ngay_yl"),
    catalogues=("drugs",),
    known_gaps_vi=(
        f"{AS_GOOD_VI} Xét từ ngày đầu của danh mục. Mã có thêm số ở cuối được coi là có trong danh mục khi hai phần "
        "đầu của mã có trong danh mục. Bỏ qua: thuốc ung thư và chống thải ghép nhóm 5, máu, oxy, thẻ mức hưởng 5."
    ),
    known_gaps_en=(
        f"{AS_GOOD_EN} Judged from the catalogue's first day on. A code with a further number is listed when its first "
        "two parts are. Passed over: cancer and anti-rejection drugs of group 5, blood, oxygen, cards of class 5."
    ),
    examples=(
        hit("không có trong danh mục", "not in the catalogue", _entry(ma_thuoc="40.99"), visit(), drug(), amount=FUND),
        hit("không còn trong danh mục", "no longer", _entry(valid_to="2025-03-09"), visit(), drug(), amount=FUND),
        hit(
            "không ghi mã theo danh mục",
            "no number of the list",
            _entry(),
            visit(),
            drug(ma_thuoc="00.0000"),
            amount=FUND,
        ),
        clear("có trong danh mục", "listed", _entry(), visit(), drug()),
        clear(
            "hàm lượng khác của hoạt chất có trong danh mục",
            "another strength of a listed ingredient",
            _entry(),
            visit(),
            drug(ma_thuoc="40.48.3"),
        ),
        clear("thẻ của quân nhân", "a soldier's card", _entry(ma_thuoc="40.99"), visit(card_class="QN5"), drug()),
        clear("thuốc ung thư nhóm 5", "cancer drug of group 5", _entry(), visit(), drug(ma_thuoc="00.0000", ma_nhom=5)),
        clear(
            "trước ngày đầu của danh mục",
            "before the catalogue begins",
            _entry(ma_thuoc="40.99", valid_from="2025-04-01"),
            visit(),
            drug(),
        ),
        not_evaluable("thiếu mã thuốc", "no code", _entry(), visit(), drug(ma_thuoc=None)),
    ),
)
def off_list(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid drugs whose code, and whose ingredient, is in no row of the drug catalogue on their day."""
    known = facts("DRG-25")
    listed = catalogue(tables, "drugs")
    begins = listed.select(since=nw.col("valid_from").min(), every=nw.lit(1))
    billed = _coded(tables, groups=known.groups)
    for prefix in known.apart:
        billed = billed.filter(~nw.col("code").str.starts_with(prefix))
    parts = nw.concat_str([nw.col("code"), nw.lit("..")]).str.split(".")
    asked = (
        billed.select("code", "date")
        .unique()
        .with_columns(base=nw.concat_str([parts.list.get(0), nw.lit("."), parts.list.get(1)]), every=nw.lit(1))
        .join(begins, on="every", how="inner")
        .filter(nw.col("date").cast(nw.Date) >= nw.col("since"))
    )
    for code, prefix in (("code", "whole_"), ("base", "base_")):
        asked = as_of(
            asked,
            listed,
            on=("ma_thuoc",),
            day="date",
            take=("valid_from",),
            called={"ma_thuoc": code},
            prefix=prefix,
        )
    absent = nw.col("whole_valid_from").is_null() & nw.col("base_valid_from").is_null()
    missing = asked.filter(nw.col("code").is_in(known.off_list) | absent).select("code", "date")
    found = with_encounter(billed.join(missing, on=["code", "date"], how="inner"), tables, "card_class")
    return line_hits(found.filter(_digit() != known.digit), amount=money("t_bhtt"), observed=NONE, allowed=NONE)


@rule(
    id="DRG-26",
    version=1,
    scheme="DRUG_OFF_CONDITION",
    severity="deny",
    title_vi="Sai tỷ lệ thanh toán thuốc",
    title_en="Wrong payment ratio of a drug",
    reason_vi="Tính {observed}% trong khi danh mục chỉ thanh toán {allowed}%; dư {amount} đồng.",
    reason_en="Charged at {observed}%, the catalogue pays {allowed}%; {amount} VND too much.",
    legal_basis="TT20/2022",
    needs=("encounter.card_class", "drug_line.ma_thuoc", "drug_line.tyle_tt_bh", "drug_line.ngay_yl"),
    catalogues=("drugs",),
    known_gaps_vi=(
        f"{AS_GOOD_VI} Dòng danh mục của số đăng ký khác thì không dùng. Thẻ nào được miễn tỷ lệ (1, 5) chưa kiểm "
        "chứng. Tỷ lệ tùy bệnh phải nạp theo mức cao nhất."
    ),
    known_gaps_en=(
        f"{AS_GOOD_EN} A row of another registration number is not used. Which cards are exempt from the ratio (1, 5) "
        "is unverified. A ratio that depends on the disease must be loaded as its highest."
    ),
    examples=(
        hit(
            "thanh toán toàn bộ thay vì một nửa",
            "in full instead of half",
            _entry(pay_ratio=50),
            visit(),
            drug(),
            amount=FUND / 2,
        ),
        hit(
            "theo dòng danh mục của số đăng ký",
            "the row of its registration",
            _entry(pay_ratio=100),
            _entry(pay_ratio=70, so_dang_ky="VD-1"),
            visit(),
            drug(**REGISTERED),
            amount=FUND * 0.3,
        ),
        clear("đúng tỷ lệ", "at the ratio", _entry(pay_ratio=50), visit(), drug(tyle_tt_bh=50)),
        clear("thấp hơn tỷ lệ", "below it", _entry(pay_ratio=70), visit(), drug(tyle_tt_bh=50)),
        clear("thẻ trẻ em", "a child's card", _entry(pay_ratio=50), visit(card_class="TE1"), drug()),
        clear(
            "tỷ lệ của ngày dùng thuốc",
            "the ratio of the day",
            _entry(pay_ratio=50),
            _entry(pay_ratio=100, valid_from="2025-03-10"),
            visit(),
            drug(),
        ),
        not_evaluable(
            "thiếu tỷ lệ thanh toán", "no ratio", _entry(pay_ratio=50), visit(), drug(tyle_tt_bh=None, t_bhtt=FUND)
        ),
    ),
)
def ratio_above_listed(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid drugs charged at a higher ratio than the drug catalogue gave on their day."""
    question = ["code", "registration", "date", "ratio"]
    ratio, limit = nw.col("ratio"), nw.col("listed_pay_ratio")
    billed = (
        _coded(tables, "tyle_tt_bh")
        .with_columns(ratio=money("tyle_tt_bh"))
        .filter(ratio > 0)
        .join(_least(catalogue(tables, "drugs"), "pay_ratio", ma_thuoc="code"), on="code", how="inner")
        .filter(ratio > nw.col("least"))
    )
    above = _in_drugs(billed.select(*question), tables, "pay_ratio").filter(ratio > limit)
    found = with_encounter(billed.join(above, on=question, how="inner"), tables, "card_class").filter(
        ~_digit().is_in(facts("DRG-26").digits)
    )
    return line_hits(found, amount=(ratio - limit) / ratio * money("t_bhtt"), observed=ratio, allowed=limit)


@rule(
    id="DRG-27",
    version=1,
    scheme="DRUG_OFF_CONDITION",
    severity="deny",
    title_vi="Thuốc giới hạn hạng bệnh viện",
    title_en="Drug restricted to higher hospital classes",
    reason_vi="Danh mục chỉ cho dùng thuốc này từ hạng cao hơn hạng của cơ sở; quỹ chi {amount} đồng.",
    reason_en="The catalogue allows the drug from a higher hospital class than the facility's; {amount} VND is paid.",
    legal_basis="TT20/2022; TT37/2024; TT32/2023",
    needs=("drug_line.ma_thuoc", "drug_line.ngay_yl"),
    catalogues=("drugs", "facilities"),
    known_gaps_vi=(
        f"{AS_GOOD_VI} Chỉ xét hạng bệnh viện, không xét chuyên khoa của người kê đơn. Cơ sở không rõ hạng thì bỏ qua, "
        "trừ trạm y tế xã, vốn thấp hơn mọi hạng. Có hội chẩn từ xa (HC) thì không xét giới hạn."
    ),
    known_gaps_en=(
        f"{AS_GOOD_EN} Only the class of the hospital: whether the prescriber's specialty allows the drug is not "
        "judged. Facilities without a class are passed over, except commune stations, which are below all. Advice by "
        "remote consultation (HC) lifts the restriction."
    ),
    examples=(
        hit(
            "thuốc của hạng II dùng ở hạng III",
            "class II drug at class III",
            _entry(min_rank="2"),
            listed("facilities", ma_cskcb="01001"),
            visit(facility_rank="3"),
            drug(),
            amount=FUND,
        ),
        hit(
            "dùng ở trạm y tế xã",
            "at a commune station",
            _entry(min_rank="4"),
            listed("facilities", ma_cskcb="01001"),
            visit(facility_kind="commune"),
            drug(),
            amount=FUND,
        ),
        clear(
            "dùng ở hạng I",
            "at class I",
            _entry(min_rank="2"),
            listed("facilities", ma_cskcb="01001"),
            visit(facility_rank="1"),
            drug(),
        ),
        clear(
            "dùng ở hạng đặc biệt",
            "at a special class",
            _entry(min_rank="1"),
            listed("facilities", ma_cskcb="01001"),
            visit(facility_rank="DB"),
            drug(),
        ),
        clear(
            "có hội chẩn từ xa",
            "remote consultation",
            _entry(min_rank="2"),
            listed("facilities", ma_cskcb="01001"),
            visit(facility_rank="3"),
            drug(ma_cskcb_thuoc="HC.01099"),
        ),
        clear(
            "không rõ hạng bệnh viện",
            "class unknown",
            _entry(min_rank="2"),
            listed("facilities", ma_cskcb="01002"),
            visit(),
            drug(),
        ),
        clear(
            "thuốc không giới hạn hạng",
            "no restriction",
            _entry(),
            listed("facilities", ma_cskcb="01001"),
            visit(facility_rank="4"),
            drug(),
        ),
        not_evaluable(
            "thiếu mã thuốc",
            "no code",
            _entry(min_rank="2"),
            listed("facilities", ma_cskcb="01001"),
            visit(facility_rank="1"),
            drug(ma_thuoc=None),
        ),
    ),
)
def class_too_low(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid drugs at facilities below the lowest class the drug catalogue allowed on their day."""
    known = facts("DRG-27")
    question = ["code", "registration", "date"]
    restricted = catalogue(tables, "drugs").filter(~nw.col("min_rank").is_null()).select(code="ma_thuoc").unique()
    billed = (
        _coded(tables, "ma_cskcb_thuoc")
        .join(restricted, on="code", how="semi")
        .filter(~nw.col("ma_cskcb_thuoc").fill_null("").str.starts_with(known.remote))
    )
    limited = _in_drugs(billed.select(*question), tables, "min_rank")

    def place(rank: nw.Expr) -> nw.Expr:
        found = nw.lit(None, dtype=nw.Float64)
        for number, name in enumerate(known.ranks):
            found = nw.when(rank == name).then(nw.lit(float(number))).otherwise(found)
        return found

    below_all = nw.when(nw.col("e_facility_kind") == "commune").then(nw.lit(float(len(known.ranks))))
    found = (
        with_encounter(billed.join(limited, on=question, how="inner"), tables, "facility_rank", "facility_kind")
        .with_columns(
            own=nw.coalesce(place(nw.col("e_facility_rank")), below_all), lowest=place(nw.col("listed_min_rank"))
        )
        .filter(nw.col("own") > nw.col("lowest"))
    )
    return line_hits(found, amount=money("t_bhtt"), observed=NONE, allowed=NONE)


def _tender(price: float, **fields: Any) -> Row:
    told: dict[str, Any] = {"ma_cskcb": "01001", "code": CODE, "tt_thau": TENDER, "price": price, "quantity": 10_000}
    return listed("tenders", **{**told, "valid_to": "2025-12-31", **fields})


_BOUGHT: dict[str, Any] = {"tt_thau": TENDER}
_GIVEN: dict[str, Any] = {**_BOUGHT, "ma_cskcb_thuoc": "C.01002"}
_SUPPLY: dict[str, Any] = {"ma_nhom": 10, "ma_dich_vu": None, "ma_vat_tu": "N07.01.010"}


@rule(
    id="DRG-30",
    version=1,
    scheme="DRUG_PRICE_OVER_BID",
    severity="deny",
    title_vi="Giá thuốc vượt giá trúng thầu",
    title_en="Drug price above the tender price",
    reason_vi="Đơn giá {observed} cao hơn giá trúng thầu {allowed}; phần vượt {amount} đồng.",
    reason_en="The unit price {observed} is above the tender price {allowed}; {amount} VND is paid beyond.",
    legal_basis="ND90 Đ88; TT12/2026 Đ10 k1 d",
    needs=("drug_line.ma_thuoc", "drug_line.tt_thau", "drug_line.don_gia", "drug_line.ngay_yl"),
    catalogues=("tenders",),
    known_gaps_vi=(
        f"{AS_GOOD_VI} Gói thầu không có dòng trong danh mục thì không nêu. Thuốc điều chuyển từ cơ sở khác (C) thì bỏ "
        "qua. Chuẩn 4210 không có thông tin thầu. Giá thỏa thuận theo đơn vị tính khác trông như đắt hơn."
    ),
    known_gaps_en=(
        f"{AS_GOOD_EN} A tender without a row says nothing. Drugs transferred from another facility (C) are passed "
        "over. The 4210 format has no tender. A price agreed in another unit looks dearer."
    ),
    examples=(
        hit(
            "cao hơn giá trúng thầu",
            "dearer than the tender",
            _tender(800),
            visit(),
            drug(**_BOUGHT),
            amount=FUND * 0.2,
        ),
        hit(
            "theo giá thầu của số đăng ký",
            "the tender of its registration",
            _tender(1000),
            _tender(500, so_dang_ky="VD-1"),
            visit(),
            drug(**_BOUGHT, **REGISTERED),
            amount=FUND / 2,
        ),
        clear("bằng giá trúng thầu", "at the tender price", _tender(1000), visit(), drug(**_BOUGHT)),
        clear("lệch một đồng do làm tròn", "one dong, rounded", _tender(999.5), visit(), drug(**_BOUGHT)),
        clear("gói thầu khác", "another tender", _tender(800, tt_thau="2/QĐ-SYT;G1;N1;2025"), visit(), drug(**_BOUGHT)),
        clear(
            "gói thầu của cơ sở khác", "another facility's", _tender(800, ma_cskcb="01002"), visit(), drug(**_BOUGHT)
        ),
        clear("điều chuyển từ nơi khác", "transferred from elsewhere", _tender(800), visit(), drug(**_GIVEN)),
        not_evaluable("thiếu thông tin thầu", "no tender", _tender(800), visit(), drug()),
    ),
)
def price_above_tender(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid drugs dearer than the tender they name gave on their day."""
    known = facts("DRG-30")
    tenders, price, bid = catalogue(tables, "tenders"), nw.col("price"), nw.col("bid_price")
    question = ["ma_cskcb", "code", "registration", "tender", "date", "price"]
    billed = (
        _coded(tables, "tt_thau", "don_gia", "ma_cskcb_thuoc")
        .filter(
            ~nw.col("tt_thau").is_null(),
            ~nw.col("ma_cskcb_thuoc").fill_null("").str.starts_with(known.transferred),
        )
        .with_columns(tender=nw.col("tt_thau").str.strip_chars(), price=money("don_gia"))
        .filter(price > 0)
        .join(_least(tenders, "price", ma_cskcb="ma_cskcb", code="code"), on=["ma_cskcb", "code"], how="inner")
        .filter(price > nw.col("least"))
    )
    dear = as_of(
        billed.select(*question).unique(),
        tenders,
        on=("ma_cskcb", "code"),
        day="date",
        take=("price",),
        prefer=(("so_dang_ky", "tt_thau"), "tt_thau", "so_dang_ky"),
        called={"so_dang_ky": "registration", "tt_thau": "tender"},
        prefix="bid_",
    ).filter(bid > 0, price > bid + known.tol_vnd)
    found = billed.join(dear, on=question, how="inner")
    return line_hits(found, amount=(price - bid) / price * money("t_bhtt"), observed=price, allowed=bid)


@rule(
    id="DRG-31",
    version=1,
    scheme="DRUG_PRICE_OVER_BID",
    severity="deny",
    title_vi="Thông tin thầu không có hoặc hết hiệu lực",
    title_en="Tender missing or out of force",
    reason_vi="Thông tin thầu ghi trên dòng không có trong danh mục thầu của cơ sở vào ngày kê; quỹ chi {amount} đồng.",
    reason_en="The tender named on the line is not among the facility's on its day; the fund pays {amount} VND.",
    legal_basis="TT12/2026 Đ7-8, Đ10 k1 m; ND188 Đ43",
    needs=("drug_line.ma_nhom", "drug_line.tt_thau", "drug_line.ngay_yl"),
    catalogues=("tenders",),
    known_gaps_vi=(
        f"{AS_GOOD_VI} Chỉ xét ở cơ sở có gói thầu, từ gói đầu tiên trở đi. Hàng mua đúng hạn mà dùng sau khi gói thầu "
        "hết hiệu lực, và mua khẩn cấp theo hóa đơn, trông cũng như vậy. Bỏ qua vật tư không có gói thầu và hàng điều "
        "chuyển từ cơ sở khác (C). Máu không ghi gói thầu, nên hồ sơ có máu chỉ có thể là có dấu hiệu hoặc không đánh "
        "giá được."
    ),
    known_gaps_en=(
        f"{AS_GOOD_EN} Judged only at facilities with tenders, from the first of them on. Stock bought in time and "
        "used after the tender ended, and emergency purchases, which go by the invoice, look the same. Supplies "
        "without a tender and goods transferred from another facility (C) are passed over. Blood names no tender, so "
        "a claim with blood can only be a sign or not evaluable."
    ),
    examples=(
        hit(
            "gói thầu không có trong danh mục",
            "an unknown tender",
            _tender(1000, tt_thau="2/QĐ-SYT;G1;N1;2025"),
            visit(),
            drug(**_BOUGHT),
            amount=FUND,
        ),
        hit(
            "gói thầu đã hết hiệu lực",
            "ended",
            _tender(1000, valid_to="2025-03-09"),
            visit(),
            drug(**_BOUGHT),
            amount=FUND,
        ),
        hit(
            "vật tư theo gói thầu không có trong danh mục",
            "a supply of an unknown tender",
            _tender(1000),
            visit(),
            service(**_SUPPLY, **_BOUGHT),
        ),
        clear("gói thầu còn hiệu lực", "in force", _tender(1000), visit(), drug(**_BOUGHT)),
        clear(
            "giá không qua đấu thầu", "a price without a tender", _tender(1000, tt_thau=None), visit(), drug(**_BOUGHT)
        ),
        clear("hàng điều chuyển", "transferred", _tender(1000, tt_thau="2/QĐ-SYT;G1;N1;2025"), visit(), drug(**_GIVEN)),
        clear(
            "cơ sở không có gói thầu nào",
            "a facility without tenders",
            _tender(1000, ma_cskcb="01002"),
            visit(),
            drug(**_BOUGHT),
        ),
        clear(
            "trước gói thầu đầu tiên",
            "before the first tender",
            _tender(1000, valid_from="2025-04-01"),
            visit(),
            drug(**_BOUGHT),
        ),
        not_evaluable("thiếu thông tin thầu", "no tender", _tender(1000), visit(), drug()),
    ),
)
def tender_not_in_force(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid drugs and supplies whose tender is in no row of their facility on their day, where the facility has rows."""
    known = facts("DRG-31")
    tenders = catalogue(tables, "tenders")
    own = "ma_cskcb_thuoc"
    drugs = (
        lines(tables, DRUGS, "ma_nhom", "ma_thuoc", "tt_thau", "ngay_yl", "t_bhtt", own)
        .filter(
            nw.col("ma_nhom").is_in(known.drug_groups),
            ~nw.col(own).fill_null("").str.starts_with(known.transferred),
        )
        .drop(own)
        .rename({"ma_thuoc": "item"})
    )
    supplies = (
        lines(tables, SERVICES, "ma_nhom", "ma_vat_tu", "tt_thau", "ngay_yl", "t_bhtt")
        .filter(nw.col("ma_nhom").is_in(known.supply_groups))
        .rename({"ma_vat_tu": "item"})
    )
    question = ["ma_cskcb", "item", "tender", "date"]
    billed = reused(
        nw.concat([drugs, supplies])
        .filter(~nw.col("item").is_null(), ~nw.col("tt_thau").is_null(), money("t_bhtt") > 0)
        .with_columns(
            item=nw.col("item").str.strip_chars(),
            tender=nw.col("tt_thau").str.strip_chars(),
            date=day(nw.col("ngay_yl")),
        )
        .filter(~nw.col("date").is_null())
    )
    begins = tenders.group_by("ma_cskcb").agg(since=nw.col("valid_from").min())
    asked = (
        billed.select(*question)
        .unique()
        .join(begins, on="ma_cskcb", how="inner")
        .filter(nw.col("date").cast(nw.Date) >= nw.col("since"))
    )
    called = {"code": "item", "tt_thau": "tender"}
    whole = tenders.filter(nw.col("tt_thau").is_null())  # of any tender of the item
    missing = not_held(asked, tenders, on=("ma_cskcb", "code", "tt_thau"), day="date", called=called)
    missing = not_held(missing, whole, on=("ma_cskcb", "code"), day="date", called=called)
    found = billed.join(missing.select(*question), on=question, how="inner")
    return line_hits(found, amount=money("t_bhtt"), observed=NONE, allowed=NONE)
