"""Staff: whether those who order and carry out are in the facility's staff list on the day, and may do it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.asof import as_of
from data.schema import ENCOUNTER_KEY, reused
from detectors.base import clear, hit, not_evaluable, rule
from detectors.examples import PILL_PRICE, SURGERY_PRICE, TEST_PRICE, drug, exam, listed, service, stay, surgery, visit
from detectors.expressions import LINES, SERVICES, SURGERY, catalogue, day, line_hits, lines, money, named
from detectors.facts import facts
from detectors.registered import unlisted

if TYPE_CHECKING:
    from data.schema import ClaimTables
    from detectors.examples import Row

KEY: list[str] = list(ENCOUNTER_KEY)
ONE = "001/CCHN"
_PILLS = 20 * PILL_PRICE * 0.8
_NEEDS = ("drug_line.ma_bac_si", "drug_line.ngay_yl", "service_line.ma_bac_si", "service_line.ngay_yl")
_LISTED_ONLY_VI = (
    "Bỏ qua cơ sở không có dòng nào trong danh mục nhân lực, người do cơ sở khác cử đến (…C.XXXXX) và tài khoản của "
    "phần mềm."
)
_LISTED_ONLY_EN = (
    "Facilities without a single row in the staff catalogue are passed over, and so are people sent by another "
    "facility (…C.XXXXX) and accounts of programs."
)


def _staff(code: str = ONE, **fields: Any) -> Row:
    """A row of the staff catalogue of a worked example: a doctor of the facility unless it says otherwise."""
    told: dict[str, Any] = {"ma_bac_si": code, "ma_cskcb": "01001", "title": "BS", **fields}
    return listed("staff", **told)


def _signed(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid lines with the `date` of their order and everybody named on them (`ids`, joined by a semicolon)."""
    held = ("ngay_yl", "t_bhtt")
    orders = lines(tables, ("drug_line",), "ma_bac_si", *held).with_columns(ids=nw.col("ma_bac_si"))
    performed = lines(tables, SERVICES, "ma_bac_si", "nguoi_thuc_hien", *held).with_columns(
        ids=nw.concat_str(["ma_bac_si", "nguoi_thuc_hien"], separator=";", ignore_nulls=True)
    )
    columns = [*KEY, "line_table", "row_no", "t_bhtt", "ids"]
    return (
        nw.concat([orders.select(*columns, "ngay_yl"), performed.select(*columns, "ngay_yl")])
        .filter(money("t_bhtt") > 0, ~nw.col("ngay_yl").is_null(), ~nw.col("ids").is_null())
        .with_columns(date=day(nw.col("ngay_yl")))
        .drop("ngay_yl")
    )


def _absent(tables: ClaimTables, apart: str, *, ended: bool) -> nw.LazyFrame[Any]:
    """Signs on lines that name somebody whom the staff list of the facility does not hold on the day.

    With `ended` those whom it held until an earlier day, else those whom it did not hold up to then.
    """
    staff = catalogue(tables, "staff")
    signed = reused(_signed(tables))
    where, person = ["ma_cskcb", "ids", "date"], nw.col("ma_bac_si")
    missing = unlisted(signed, staff, cell="ids", code="ma_bac_si", but=[~person.str.contains(apart)])
    until = (
        staff.select("ma_bac_si", "ma_cskcb", "valid_to")
        .group_by("ma_bac_si", "ma_cskcb")
        .agg(until=nw.col("valid_to").min())
    )
    over = (nw.col("until") < nw.col("date").cast(nw.Date)).fill_null(value=False)
    named_on = (
        missing.join(until, on=["ma_bac_si", "ma_cskcb"], how="left")
        .filter(over if ended else ~over)
        .group_by(*where)
        .agg(people=nw.len())
    )
    found = signed.join(named_on, on=where, how="inner")
    return line_hits(found, amount=money("t_bhtt"), observed=nw.col("people"), allowed=nw.lit(0.0))


@rule(
    id="STF-01",
    version=1,
    scheme="STAFF_UNLICENSED",
    severity="deny",
    title_vi="Mã nhân viên không có trong danh mục nhân lực",
    title_en="Staff id not in the staff list",
    reason_vi="{observed} người trên dòng không có trong danh mục nhân lực của cơ sở vào ngày y lệnh.",
    reason_en="{observed} people named on the line are not in the facility's staff list on the day of the order.",
    legal_basis="TT12/2026 Đ7-8, Đ10 k1 g",
    needs=_NEEDS,
    catalogues=("staff",),
    known_gaps_vi=(
        f"{_LISTED_ONLY_VI} Danh mục gửi muộn, hoặc có hiệu lực sau khi người đó đã làm việc, trông cũng như vậy; dòng "
        "đã hết hiệu lực do STF-02 xét. Mã gõ nhầm trông như người lạ."
    ),
    known_gaps_en=(
        f"{_LISTED_ONLY_EN} A list that was sent late, or whose rows begin later than the person did, looks the same; "
        "a row that ended before is STF-02's. A mistyped id looks like a stranger."
    ),
    examples=(
        hit("người lạ ra y lệnh", "a stranger orders", _staff(), visit(), drug(ma_bac_si="999/CCHN"), amount=_PILLS),
        hit(
            "người lạ thực hiện",
            "a stranger carries out",
            _staff(),
            visit(),
            service(nguoi_thuc_hien="001/CCHN;999/CCHN"),
            amount=80_000,
        ),
        hit(
            "có trong danh mục từ ngày sau đó",
            "listed from a later day",
            _staff(valid_from="2025-06-01"),
            visit(),
            drug(),
            amount=_PILLS,
        ),
        clear("người có trong danh mục", "somebody of the list", _staff(), visit(), drug(), service()),
        clear(
            "do cơ sở khác cử đến", "sent by another facility", _staff(), visit(), drug(ma_bac_si="777/CCHN.C.01002")
        ),
        clear(
            "cơ sở không có danh mục nhân lực", "no list of this facility", _staff(ma_cskcb="01002"), visit(), drug()
        ),
        clear("đã nghỉ từ năm ngoái", "left last year", _staff(valid_to="2024-12-31"), visit(), drug()),
        not_evaluable("không ghi người thực hiện", "nobody named", _staff(), visit(), drug(ma_bac_si=None)),
    ),
)
def staff_notlisted(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid lines that name somebody whom the facility's staff list does not hold, nor held, on the day."""
    return _absent(tables, facts("STF-01").apart, ended=False)


@rule(
    id="STF-02",
    version=1,
    scheme="STAFF_UNLICENSED",
    severity="deny",
    title_vi="Chứng chỉ hết hạn, đình chỉ vào ngày thực hiện",
    title_en="Licence expired or suspended",
    reason_vi="{observed} người trên dòng đã hết hiệu lực trong danh mục nhân lực trước ngày y lệnh.",
    reason_en="The entry of {observed} people named on the line ended before the day of the order.",
    legal_basis="TT12/2026 Đ10 k1 g",
    needs=_NEEDS,
    catalogues=("staff",),
    known_gaps_vi=(
        f"{_LISTED_ONLY_VI} Danh mục nhân lực không ghi đình chỉ: phải thể hiện bằng dòng có ngày kết thúc. Gia hạn "
        "gửi muộn trông cũng như vậy."
    ),
    known_gaps_en=(
        f"{_LISTED_ONLY_EN} The staff catalogue holds no suspension: it must be told as a row that ends. A renewal "
        "that was sent late looks the same."
    ),
    examples=(
        hit("đã nghỉ từ năm ngoái", "left last year", _staff(valid_to="2024-12-31"), visit(), drug(), amount=_PILLS),
        clear("còn trong danh mục", "still listed", _staff(valid_to="2025-12-31"), visit(), drug()),
        clear("đã gia hạn", "renewed", _staff(valid_to="2024-12-31"), _staff(valid_from="2025-01-01"), visit(), drug()),
        clear("chưa từng có trong danh mục", "never listed", _staff(), visit(), drug(ma_bac_si="999/CCHN")),
        not_evaluable(
            "không ghi người thực hiện", "nobody named", _staff(valid_to="2024-12-31"), visit(), drug(ma_bac_si=None)
        ),
    ),
)
def staff_entry_ended(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid lines that name somebody whose row in the facility's staff list ended before the day."""
    return _absent(tables, facts("STF-02").apart, ended=True)


@rule(
    id="STF-03",
    version=1,
    scheme="STAFF_OUT_OF_SCOPE",
    severity="warn",
    title_vi="Thực hiện ngoài phạm vi hành nghề",
    title_en="Performed outside scope",
    reason_vi="Phẫu thuật thuộc chương ngoại khoa ({amount}) do người có phạm vi hành nghề không mổ đứng chính.",
    reason_en="An operation ({amount}) was led by somebody whose scope of practice holds no surgery.",
    legal_basis="TT32/2023 PL V-XIV; CV3231; TT12/2026 Đ10 k1 g",
    needs=("service_line.ma_nhom", "service_line.ngay_yl"),
    catalogues=("staff",),
    known_gaps_vi=(
        "Chỉ xét ca mổ thuộc các chương ngoại khoa, và phạm vi ghi bằng mã khoa (Kxx): phạm vi ghi bằng lời thì bỏ "
        "qua, người không có trong danh mục cũng vậy (STF-01). Việc khác không xét: không bảng nào cho biết kỹ thuật "
        "nào thuộc phạm vi nào."
    ),
    known_gaps_en=(
        "Only operations of the surgical chapters, and only scopes written as department codes (Kxx): a scope in "
        "words is passed over, and so are people who are not in the list (STF-01). Other work is not judged: no table "
        "says which technique belongs to which scope."
    ),
    examples=(
        hit(
            "bác sĩ nội khoa mổ",
            "an internist operates",
            _staff(scope="K03"),
            stay(),
            surgery("2025-03-10 10:00"),
            amount=SURGERY_PRICE * 0.8,
        ),
        clear("bác sĩ ngoại khoa mổ", "a surgeon operates", _staff(scope="K19"), stay(), surgery("2025-03-10 10:00")),
        clear("có cả hai phạm vi", "both scopes", _staff(scope="K03;K19"), stay(), surgery("2025-03-10 10:00")),
        clear(
            "phạm vi ghi bằng lời", "a scope in words", _staff(scope="Nội khoa"), stay(), surgery("2025-03-10 10:00")
        ),
        clear(
            "bác sĩ nội khoa phụ mổ",
            "an internist assists",
            _staff("002/CCHN", scope="K03"),
            stay(),
            surgery("2025-03-10 10:00"),
        ),
        not_evaluable(
            "thiếu thời điểm y lệnh",
            "no order time",
            _staff(scope="K03"),
            stay(),
            surgery("2025-03-10 10:00", ngay_yl=None),
        ),
    ),
)
def surgery_outside_scope(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid operations of the surgical chapters led by somebody whose every scope is one that does not operate."""
    known = facts("STF-03")
    staff = catalogue(tables, "staff")
    chapter = nw.col("ma_dich_vu").str.strip_chars().str.slice(0, 2)
    led = (
        lines(tables, SERVICES, "ma_nhom", "ma_dich_vu", "nguoi_thuc_hien", "ngay_yl", "t_bhtt")
        .filter(nw.col("ma_nhom") == SURGERY, chapter.is_in(known.chapters), ~nw.col("ngay_yl").is_null())
        .filter(money("t_bhtt") > 0)
        .with_columns(first=nw.col("nguoi_thuc_hien").str.replace_all(";.*$", "").str.strip_chars())
    )
    others = "|".join(known.other_scopes)
    found = as_of(
        led,
        staff,
        on=("ma_bac_si", "ma_cskcb"),
        day="ngay_yl",
        take=("scope",),
        called={"ma_bac_si": "first"},
        prefix="staff_",
    ).filter(nw.col("staff_scope").str.replace_all(" ", "", literal=True).str.contains(f"^({others})(;({others}))*$"))
    return line_hits(
        found,
        amount=money("t_bhtt"),
        observed=nw.lit(None, dtype=nw.Float64),
        allowed=nw.lit(None, dtype=nw.Float64),
    )


@rule(
    id="STF-04",
    version=1,
    scheme="STAFF_OUT_OF_SCOPE",
    severity="warn",
    title_vi="Người không phải bác sĩ, y sĩ đứng mã chỉ định",
    title_en="Order by a non-prescriber",
    reason_vi="Dòng {amount} do điều dưỡng hoặc kỹ thuật viên đứng mã chỉ định.",
    reason_en="The line ({amount}) was ordered by a nurse or technician.",
    legal_basis="TT32/2023; CV3231",
    needs=_NEEDS,
    catalogues=("staff",),
    known_gaps_vi=(
        "Nhận biết theo chức danh trong danh mục nhân lực; người không có chức danh, hoặc không có trong danh mục, "
        "thì bỏ qua. Chỉ tính mã đầu tiên của y lệnh."
    ),
    known_gaps_en=(
        "Told by the title in the staff catalogue; people without one, or not in the list, are passed over. Only the "
        "first id of the order counts."
    ),
    examples=(
        hit("điều dưỡng kê đơn", "a nurse prescribes", _staff(title="ĐD"), visit(), drug(), amount=_PILLS),
        hit(
            "kỹ thuật viên chỉ định",
            "a technician orders",
            _staff(title="Kỹ thuật viên"),
            visit(),
            service(),
            amount=TEST_PRICE * 0.8,
        ),
        clear("bác sĩ kê đơn", "a doctor prescribes", _staff(), visit(), drug(), exam()),
        clear(
            "điều dưỡng thực hiện thủ thuật",
            "a nurse carries out a procedure",
            _staff(title="ĐD"),
            visit(),
            service(ma_nhom=18),
        ),
        clear("không có chức danh", "no title", _staff(title=None), visit(), drug()),
        not_evaluable(
            "không ghi người thực hiện", "nobody named", _staff(title="ĐD"), visit(), drug(ma_bac_si=None, doctor=None)
        ),
    ),
)
def order_by_non_prescriber(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid lines of drugs, tests, operations and examinations ordered by a nurse or technician."""
    known = facts("STF-04")
    staff = catalogue(tables, "staff")
    assisting = staff.with_columns(assists=named("title", known.titles))
    suspects = assisting.filter(nw.col("assists")).select("ma_bac_si", "ma_cskcb").unique(["ma_bac_si", "ma_cskcb"])
    ordered = (
        lines(tables, LINES, "ma_nhom", "doctor", "ngay_yl", "t_bhtt")
        .filter(nw.col("ma_nhom").is_in(known.groups), money("t_bhtt") > 0, ~nw.col("ngay_yl").is_null())
        .with_columns(ma_bac_si=nw.col("doctor").str.strip_chars())
        .join(suspects, on=["ma_bac_si", "ma_cskcb"], how="semi")
    )
    found = as_of(
        ordered, assisting, on=("ma_bac_si", "ma_cskcb"), day="ngay_yl", take=("assists",), prefix="staff_"
    ).filter(nw.col("staff_assists"))
    return line_hits(
        found,
        amount=money("t_bhtt"),
        observed=nw.lit(None, dtype=nw.Float64),
        allowed=nw.lit(None, dtype=nw.Float64),
    )
