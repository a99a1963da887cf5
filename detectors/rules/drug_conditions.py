"""Drugs paid under a condition: for certain diagnoses, ages, routes, ratios or hospitals only.

The rules are one family: a drug told by name or ingredient, and what must, or must not, be true of the person. Names,
diagnoses and ages are facts; `drug_rule` turns a row into a rule. Contraindications are built from the same rows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any, Literal

import narwhals as nw

from data.schema import ENCOUNTER_KEY
from detectors.base import clear, hit, not_evaluable, rule
from detectors.examples import PILL_PRICE, bed, drug, service, stay, surgery, visit
from detectors.expressions import (
    DRUGS,
    SERVICES,
    days_between,
    family,
    line_hits,
    lines,
    money,
    plain,
    with_encounter,
)
from detectors.facts import facts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from data.schema import ClaimTables
    from detectors.base import Rule, Severity
    from detectors.examples import Row
    from detectors.facts import Facts

KEY: list[str] = list(ENCOUNTER_KEY)
LINE = [*KEY, "line_table", "row_no"]
FUND = 20 * PILL_PRICE * 0.8  # what the fund pays for a drug of the examples
NONE = nw.lit(None, dtype=nw.Float64)
PERSON = ("ma_benh_chinh", "ma_benh_kt", "patient_id", "ngay_sinh", "birth_precision", "ngay_vao", "gioi_tinh")
BY_NAME = (
    "Told by the name, and by the ingredient of the drug catalogue where one is loaded; a brand that does not say what "
    "it holds is passed over."
)
OTHER_CODE = "The right disease under another code, or a disease nobody coded, looks the same."


# --- Words of the family


def drug_named(tables: ClaimTables, known: Facts, suffix: str = "", name: str = "drug") -> nw.Expr:
    """Whether a drug is the one of the facts `drug`, `drug_also` (of a part: `drug_a` …), by name or by ingredient."""
    told = [f"{name}{suffix}", f"{name}{suffix}_also"]
    words = "|".join(known[fact].value for fact in told if fact in known)
    found = family(tables, "drug_line", words)
    codes = _codes_of(tables, words)
    return found | nw.col("ma_thuoc").is_in(codes).fill_null(value=False) if codes else found


def _codes_of(tables: ClaimTables, words: str) -> list[str]:
    """Codes whose ingredient in the drug catalogue matches: a code means the same ingredient on every day."""
    catalogue = tables.catalogues.get("drugs")
    if catalogue is None:
        return []
    rows = catalogue.select("ma_thuoc", "active_ingredient").unique().collect()
    pairs = zip(rows["ma_thuoc"].to_list(), rows["active_ingredient"].to_list(), strict=True)
    pattern = re.compile(words)
    return sorted({code for code, ingredient in pairs if code and ingredient and pattern.search(plain(ingredient))})


def expand(told: Sequence[str]) -> list[str]:
    """ICD prefixes without dots; `I20-I25` is every category of the range, `E10.4-E14.4` its codes."""
    codes: list[str] = []
    for each in told:
        if found := re.fullmatch(r"([A-Z])(\d\d)(\.\d)?-\1(\d\d)(\.\d)?", each):
            letter, first, sub, last, _ = found.groups()
            codes += [f"{letter}{n:02}{(sub or '')[1:]}" for n in range(int(first), int(last) + 1)]
        else:
            codes.append(each.replace(".", ""))
    return codes


def diagnosed(told: Sequence[str]) -> nw.Expr:
    """Whether the main diagnosis or one of the others begins with one of the codes `told`."""
    codes = nw.concat_str(
        [nw.col("e_ma_benh_chinh").fill_null(""), nw.col("e_ma_benh_kt").fill_null("")], separator=";"
    )
    bare = codes.str.to_uppercase().str.replace_all(r"[^A-Z0-9;]", "")
    return bare.str.contains(f"(^|;)({'|'.join(expand(told))})")


def age(of: Literal["oldest", "youngest"]) -> nw.Expr:
    """Full years on arrival; where month or day of birth is unknown, as old or as young as the person may be."""
    born, arrived = nw.col("e_ngay_sinh"), nw.col("e_ngay_vao")
    # as floats: month and day are 8-bit numbers on one engine
    year, month, of_month = (part.cast(nw.Float64) for part in (born.dt.year(), born.dt.month(), born.dt.day()))
    known = nw.col("e_birth_precision")
    late, last = (1.0, 1.0) if of == "oldest" else (12.0, 31.0)
    month = nw.when(known.is_in(["minute", "day", "month"])).then(month).otherwise(nw.lit(late))
    of_month = nw.when(known.is_in(["minute", "day"])).then(of_month).otherwise(nw.lit(last))
    today = arrived.dt.to_string("%Y%m%d").cast(nw.Float64)
    return ((today - (year * 10_000 + month * 100 + of_month)) / 10_000).floor()


def claims_with(tables: ClaimTables, belongs: nw.Expr, *columns: str) -> nw.LazyFrame[Any]:
    """Keys of claims with a service that `belongs`, paid or not."""
    return lines(tables, SERVICES, *columns).filter(belongs).select(*KEY).unique(KEY)


def given(tables: ClaimTables, belongs: nw.Expr, known: Facts, *of_encounter: str) -> nw.LazyFrame[Any]:
    """Paid lines of a drug by its routes, with the person and the diagnoses; claims without a main one are left out."""
    paid = lines(tables, DRUGS, "ten_thuoc", "ma_thuoc", "duong_dung", "tyle_tt_bh", "ngay_yl", "t_bhtt").filter(
        belongs, money("t_bhtt") > 0
    )
    if "route" in known:
        paid = paid.filter(reduce(or_, (nw.col("duong_dung").str.starts_with(r) for r in known.route)))
    return with_encounter(paid, tables, *PERSON, *of_encounter).filter(~nw.col("e_ma_benh_chinh").is_null())


def whole(found: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Signs on lines whose whole amount is at stake, without a figure to compare."""
    return line_hits(found, amount=money("t_bhtt"), observed=NONE, allowed=NONE)


def _listed(known: Facts, name: str) -> list[str]:
    return [code for fact in (name, f"{name}_also") if fact in known for code in known[fact].value]


def _wrong(known: Facts, part: str) -> nw.Expr:
    """Whether the person is one the drug is not paid for."""
    signs: list[nw.Expr] = []
    if allowed := _listed(known, f"icd{part}"):
        right = diagnosed(allowed)
        if "icd_both" in known:
            right = right | reduce(lambda a, b: a & b, (diagnosed([code]) for code in known.icd_both))
        signs.append(~right)
    if forbidden := _listed(known, f"icd_no{part}"):
        signs.append(diagnosed(forbidden))
    if "age_from" in known:
        signs.append((age("youngest") >= known.age_from).fill_null(value=False))
    if "age_below" in known:
        signs.append((age("oldest") < known.age_below).fill_null(value=False))
    if "sex_no" in known:
        signs.append((nw.col("e_gioi_tinh") == known.sex_no).fill_null(value=False))
    return reduce(or_, signs)


# --- A row and its rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A drug and who may not have it: its words, its law, and persons for the examples."""

    id: str
    scheme: str = "DRUG_OFF_CONDITION"
    severity: Severity = "deny"
    vi: str
    en: str
    law: str
    drug: str  # a name for the examples
    line: Mapping[str, Any] = field(default_factory=dict[str, Any])  # more about the line: its route
    wrong: Mapping[str, Any]  # of the encounter
    right: Mapping[str, Any]
    wrongs: tuple[tuple[str, tuple[Row, ...]], ...] = ()  # more claims that are a sign
    rights: tuple[tuple[str, tuple[Row, ...]], ...] = ()  # more claims that are none
    parts: tuple[str, ...] = ("",)  # the facts of each product: `drug_a`, `icd_a`
    gap: str

    def box(self, **more: Any) -> Row:
        """The drug of the examples."""
        return drug(ten_thuoc=self.drug, **{**self.line, **more})


def _needs(known: Facts) -> tuple[str, ...]:
    person = {
        "age_from": ("encounter.ngay_sinh", "encounter.ngay_vao"),
        "age_below": ("encounter.ngay_sinh", "encounter.ngay_vao"),
        "sex_no": ("encounter.gioi_tinh",),
        "route": ("drug_line.duong_dung",),
    }
    more = (need for fact, fields in person.items() if fact in known for need in fields)
    return tuple(dict.fromkeys(("encounter.ma_benh_chinh", *more, "drug_line.ten_thuoc")))


def _query(told: Told) -> Callable[[ClaimTables], nw.LazyFrame[Any]]:
    known = facts(told.id)

    def query(tables: ClaimTables) -> nw.LazyFrame[Any]:
        """Paid lines of the drug for persons it is not paid for."""
        products = {part: drug_named(tables, known, part) for part in told.parts}
        found = given(tables, reduce(or_, products.values()), known)
        wrong = reduce(or_, (belongs & _wrong(known, part) for part, belongs in products.items()))
        if "surgery" in known:  # an operation in the claim is a reason against the drug too
            operated = claims_with(tables, nw.col("ma_nhom").is_in(known.surgery), "ma_nhom")
            found = found.join(operated.with_columns(operated=nw.lit(1)), on=KEY, how="left")
            wrong = wrong | ~nw.col("operated").is_null()
        found = found.filter(wrong)
        if "excuse" in known:
            found = found.filter(~diagnosed(known.excuse))
        if "done" in known:
            done = claims_with(tables, family(tables, "service_line", known.done), "ten_dich_vu")
            found = found.join(done, on=KEY, how="anti")
        if "beside" in known:
            beside = lines(tables, DRUGS, "ten_thuoc", "ma_thuoc").filter(drug_named(tables, known, name="beside"))
            found = found.join(beside.select(*KEY).unique(KEY), on=KEY, how="anti")
        return whole(found)

    return query


def drug_rule(told: Told) -> Rule:
    """The rule of a row; its facts stand under its id."""
    known = facts(told.id)
    right: dict[str, Any] = dict(told.right)
    as_second: dict[str, Any] = right | {"ma_benh_chinh": "R05", "ma_benh_kt": f"J30.4;{right['ma_benh_chinh']}"}
    blank: dict[str, Any] = right | {"ma_benh_chinh": None}
    route = (not_evaluable("no route", visit(**told.wrong), told.box(duong_dung=None)),) if "route" in known else ()
    made = rule(
        id=told.id,
        version=1,
        scheme=told.scheme,
        severity=told.severity,
        title_vi=told.vi,
        title_en=told.en,
        reason_vi=f"{told.vi}; quỹ chi {{amount}} đồng.",
        reason_en=f"{told.en}; the fund pays {{amount}} VND.",
        legal_basis=told.law,
        needs=_needs(known),
        known_gaps=f"{BY_NAME} {told.gap}",
        examples=(
            hit(f"with {told.wrong['ma_benh_chinh']}", visit(**told.wrong), told.box(), amount=FUND),
            *(hit(title, *claim, amount=FUND) for title, claim in told.wrongs),
            clear(f"with {right['ma_benh_chinh']}", visit(**right), told.box()),
            clear("a second diagnosis", visit(**as_second), told.box()),
            clear("another drug", visit(**told.wrong), drug(ten_thuoc="Nước cất pha tiêm", **told.line)),
            clear("nothing asked of the fund", visit(**told.wrong), told.box(muc_huong=0)),
            *(clear(title, *claim) for title, claim in told.rights),
            *route,
            not_evaluable("no diagnosis", visit(**blank), told.box()),
        ),
    )
    return made(_query(told))


# --- The rows

_KNEE: dict[str, Any] = {"ma_benh_chinh": "M17.1"}
_ITEM = "TT20/2022 Annex I item"
_LABEL = "TT37/2024 Đ8 k3"
_ORAL: dict[str, Any] = {"duong_dung": "1.01"}
_INJECTED: dict[str, Any] = {"duong_dung": "2.10"}


CONDITIONS_TOLD: tuple[Told, ...] = (
    Told(
        id="DRG-10",
        vi="Amoxicilin + sulbactam ngoài điều kiện",
        en="Amoxicillin-sulbactam outside its condition",
        law=f"{_ITEM} 170; CV266 TH06 (S.004.369)",
        drug="Amoxicilin + Sulbactam 500mg + 250mg",
        wrong={"ma_benh_chinh": "J02.9"},
        right={"ma_benh_chinh": "J15.9"},
        rights=(("ear", (visit(ma_benh_chinh="H66.0"), drug(ten_thuoc="Trifamox IBL 500"))),),
        gap=OTHER_CODE,
    ),
    Told(
        id="DRG-11",
        vi="Galantamin ngoài điều kiện",
        en="Galantamine outside its condition",
        law=f"{_ITEM} 945; CV266 TH08 (S.004.369)",
        drug="Galantamin 8mg",
        line=_ORAL,
        wrong={"ma_benh_chinh": "G51.0"},
        right={"ma_benh_chinh": "G30.9"},
        rights=(("injected", (visit(ma_benh_chinh="G51.0"), drug(ten_thuoc="Galantamin 5mg/ml", **_INJECTED))),),
        gap=f"Only by mouth. {OTHER_CODE}",
    ),
    Told(
        id="DRG-12",
        vi="Vinpocetin ngoài điều kiện",
        en="Vinpocetine outside its condition",
        law=f"{_ITEM} 950; CV266 TH14 (S.004.369)",
        drug="Vinpocetin 5mg",
        wrong={"ma_benh_chinh": "I63.9"},
        right={"ma_benh_chinh": "F01.9"},
        gap=OTHER_CODE,
    ),
    Told(
        id="DRG-13",
        vi="Acid thioctic tiêm ngoài điều kiện",
        en="Injected thioctic acid outside its condition",
        law=f"{_ITEM} 907; CV266 TH15 (S.004.369)",
        drug="Acid thioctic 600mg/50ml",
        line=_INJECTED,
        wrong={"ma_benh_chinh": "E11.9"},
        right={"ma_benh_chinh": "E11.4"},
        rights=(
            (
                "polyneuropathy as a second code",
                (visit(ma_benh_chinh="E11.9", ma_benh_kt="G63.2*"), drug(ten_thuoc="Acid thioctic 600mg", **_INJECTED)),
            ),
            ("by mouth", (visit(ma_benh_chinh="E11.9"), drug(ten_thuoc="Acid thioctic 300mg", **_ORAL))),
        ),
        gap=f"Only injections. {OTHER_CODE}",
    ),
    Told(
        id="DRG-14",
        vi="Ginkgo biloba ngoài điều kiện",
        en="Ginkgo outside its condition",
        law=f"{_ITEM} 946; CV266 TH19 (S.004.369)",
        drug="Cao Ginkgo biloba 40mg",
        wrong={"ma_benh_chinh": "I10"},
        right={"ma_benh_chinh": "R42"},
        rights=(("diabetic retinopathy", (visit(ma_benh_chinh="E11.3"), drug(ten_thuoc="Tanakan"))),),
        gap=f"Diabetes with eye complications counts as retinopathy, which is our reading. {OTHER_CODE}",
    ),
    Told(
        id="DRG-15",
        vi="Glucosamin ngoài thoái hóa khớp gối",
        en="Glucosamine outside knee osteoarthritis",
        law=f"{_ITEM} 80; CV266 TH20 (S.004.369)",
        drug="Glucosamin 500mg",
        wrong={"ma_benh_chinh": "M54.5"},
        right=_KNEE,
        gap=f"The degree of the disease is not in the code. {OTHER_CODE}",
    ),
    Told(
        id="DRG-18",
        vi="Piracetam ngoài giật rung cơ vỏ não",
        en="Piracetam outside cortical myoclonus",
        law=f"{_ITEM} 949; CV266 TH48 (S.004.369)",
        drug="Piracetam 800mg",
        wrong={"ma_benh_chinh": "R42"},
        right={"ma_benh_chinh": "G25.3"},
        gap=OTHER_CODE,
    ),
    Told(
        id="DRG-20",
        vi="Lysin + vitamin + khoáng chất ngoài trẻ dưới 6 tuổi suy dinh dưỡng",
        en="Lysine-vitamin mix outside malnourished children under 6",
        law=f"{_ITEM} 1017; CV266 TH84 (S.004.367)",
        drug="Lysin + Vitamin + Khoáng chất",
        wrong={"ma_benh_chinh": "J18.9", "ngay_sinh": "2021-05-20"},
        right={"ma_benh_chinh": "E44.1", "ngay_sinh": "2021-05-20"},
        wrongs=(
            (
                "malnourished, on the sixth birthday",
                (visit(ma_benh_chinh="E44.1", ngay_sinh="2019-03-10"), drug(ten_thuoc="Lysin + Vitamin")),
            ),
        ),
        rights=(
            (
                "the day before the sixth birthday",
                (visit(ma_benh_chinh="E44.1", ngay_sinh="2019-03-11"), drug(ten_thuoc="Lysin + Vitamin")),
            ),
            (
                "six this year, the month unknown",
                (
                    visit(ma_benh_chinh="E44.1", ngay_sinh="2019-01-01", birth_precision="year"),
                    drug(ten_thuoc="Lysin + Vitamin"),
                ),
            ),
        ),
        gap=OTHER_CODE,
    ),
    Told(
        id="DRG-24",
        vi="Cao quả bơ - đậu nành, Ngưu nhĩ phong - La liễu ngoài điều kiện",
        en="Avocado-soya or Ngưu nhĩ phong outside its condition",
        law="TT05/2015 items 53, 103; CV266 TH51, TH52 (S.004.369)",
        drug="Cao toàn phần không xà phòng hóa quả bơ, đậu nành",
        wrong={"ma_benh_chinh": "M54.5"},
        right=_KNEE,
        parts=("_a", "_b"),
        wrongs=(("colitis drug for a knee", (visit(**_KNEE), drug(ten_thuoc="Ngưu nhĩ phong, La liễu"))),),
        rights=(("chronic colitis", (visit(ma_benh_chinh="K58.9"), drug(ten_thuoc="Ngưu nhĩ phong, La liễu"))),),
        gap=OTHER_CODE,
    ),
    Told(
        id="DRG-43",
        vi="Aminoleban không có bệnh não gan",
        en="Aminoleban without hepatic encephalopathy",
        law=f"{_LABEL}; CV266 TH62 (S.004.604)",
        drug="Aminoleban 8% 200ml",
        wrong={"ma_benh_chinh": "K74.6"},
        right={"ma_benh_chinh": "K72.1"},
        wrongs=(("encephalopathy without cirrhosis", (visit(ma_benh_chinh="G93.4"), drug(ten_thuoc="Aminoleban"))),),
        rights=(
            (
                "cirrhosis with encephalopathy",
                (visit(ma_benh_chinh="K74.6", ma_benh_kt="G93.4"), drug(ten_thuoc="Aminoleban")),
            ),
        ),
        gap=OTHER_CODE,
    ),
    Told(
        id="DRG-44",
        vi="Silymarin không có bệnh gan",
        en="Silymarin without liver disease",
        law=f"{_LABEL}; CV266 TH65 (S.004.604)",
        drug="Silymarin 140mg",
        wrong={"ma_benh_chinh": "M54.5"},
        right={"ma_benh_chinh": "K76.0"},
        rights=(
            (
                "beside a drug that harms the liver",
                (visit(ma_benh_chinh="A15.0"), drug(ten_thuoc="Silymarin 140mg"), drug(ten_thuoc="Isoniazid 300mg")),
            ),
        ),
        gap=f"Which drugs harm the liver is a list of ours, in the same claim only. {OTHER_CODE}",
    ),
    Told(
        id="DRG-50",
        vi="Alfuzosin không có phì đại tiền liệt tuyến",
        en="Alfuzosin without prostatic hyperplasia",
        law=f"{_LABEL}; CV266 TH04 (S.004.604)",
        drug="Alfuzosin 10mg",
        wrong={"ma_benh_chinh": "N20.1"},
        right={"ma_benh_chinh": "N40"},
        wrongs=(("a woman", (visit(ma_benh_chinh="R33", gioi_tinh=2), drug(ten_thuoc="Xatral XL 10mg"))),),
        gap=f"Ureteral stones, for which some prescribe it, are outside the label. {OTHER_CODE}",
    ),
    Told(
        id="DRG-17",
        severity="warn",
        vi="Thuốc ức chế bơm proton không đúng chỉ định",
        en="Proton pump inhibitor without an indication",
        law=f"{_ITEM}s 682-685; CV266 TH72 (S.004.369)",
        drug="Omeprazol 20mg",
        wrong={"ma_benh_chinh": "J02.9"},
        right={"ma_benh_chinh": "K21.0"},
        rights=(
            (
                "intensive care bed",
                (
                    stay(ma_benh_chinh="A41.9"),
                    bed(ten_dich_vu="Ngày giường hồi sức tích cực"),
                    drug(ten_thuoc="Pantoprazol 40mg"),
                ),
            ),
            (
                "beside an anti-inflammatory",
                (visit(ma_benh_chinh="M54.5"), drug(ten_thuoc="Omeprazol 20mg"), drug(ten_thuoc="Meloxicam 7,5mg")),
            ),
        ),
        gap=(
            "An anti-inflammatory, aspirin or clopidogrel in the same claim counts as a label indication, which is our "
            f"reading; one taken at home is not seen. {OTHER_CODE}"
        ),
    ),
    Told(
        id="DRG-42",
        severity="warn",
        vi="Famotidin ngoài chỉ định",
        en="Famotidine outside its label",
        law=f"{_LABEL}; CV266 TH34 (S.004.604)",
        drug="Famotidin 40mg",
        wrong={"ma_benh_chinh": "J18.9"},
        right={"ma_benh_chinh": "K25.9"},
        rights=(
            (
                "before an operation",
                (
                    stay(ma_benh_chinh="K80.2"),
                    surgery("2025-03-11 08:00", ten_dich_vu="Phẫu thuật nội soi cắt túi mật"),
                    drug(ten_thuoc="Famotidin 20mg"),
                ),
            ),
        ),
        gap=f"An operation or anaesthesia is told by the name of a service. {OTHER_CODE}",
    ),
    Told(
        id="DRG-52",
        severity="warn",
        vi="Antacid, Bidilucil, Tadimax không đúng chỉ định",
        en="Antacid mix, meclofenoxate or Tadimax outside its label",
        law=f"{_LABEL}; CV266 TH60, TH73, TH75 (S.004.604)",
        drug="Magnesi hydroxyd + nhôm hydroxyd",
        wrong={"ma_benh_chinh": "J02.9"},
        right={"ma_benh_chinh": "K29.7"},
        parts=("_a", "_b", "_c"),
        wrongs=(
            ("meclofenoxate for a headache", (visit(ma_benh_chinh="G44.2"), drug(ten_thuoc="Bidilucil 500"))),
            ("Tadimax for a stomach", (visit(ma_benh_chinh="K29.7"), drug(ten_thuoc="Tadimax"))),
        ),
        rights=(
            ("head injury", (visit(ma_benh_chinh="S06.0"), drug(ten_thuoc="Bidilucil 500"))),
            ("prostate", (visit(ma_benh_chinh="N40"), drug(ten_thuoc="Tadimax"))),
        ),
        gap=f"Pain in the belly and heartburn count as reasons for an antacid, which is our reading. {OTHER_CODE}",
    ),
)

CONDITIONS: tuple[Rule, ...] = tuple(drug_rule(told) for told in CONDITIONS_TOLD)


# --- Drugs with a condition of their own

_PEPTIDE: dict[str, Any] = {"ten_thuoc": "Cerebrolysin 10ml", "duong_dung": "2.15"}
_HALF: dict[str, Any] = {**_PEPTIDE, "tyle_tt_bh": 50}


@rule(
    id="DRG-09",
    version=1,
    scheme="DRUG_OFF_CONDITION",
    severity="deny",
    title_vi="Peptid ngoài điều kiện hoặc quá tỷ lệ 50%",
    title_en="Peptide outside its condition or above 50%",
    reason_vi="Peptid không đúng bệnh được thanh toán, hoặc tính {observed}% (tối đa {allowed}%); dư {amount} đồng.",
    reason_en="Peptide outside its diseases, or charged at {observed}% (at most {allowed}%); {amount} VND too much.",
    legal_basis="TT20/2022 Annex I item 940; CV266 TH01 (S.004.369)",
    needs=("encounter.ma_benh_chinh", "drug_line.ten_thuoc", "drug_line.tyle_tt_bh"),
    known_gaps=(
        f"{BY_NAME} Stroke counts without asking how old it is. Z98 stands for any operation, since the code does not "
        f"say which; late effects of a head injury count, which is our reading. {OTHER_CODE}"
    ),
    examples=(
        hit("for a headache", visit(ma_benh_chinh="G44.2"), drug(**_HALF), amount=FUND / 2),
        hit("stroke, in full", stay(ma_benh_chinh="I63.9"), drug(**_PEPTIDE), amount=FUND / 2),
        clear("stroke, at half", stay(ma_benh_chinh="I63.9"), drug(**_HALF)),
        clear(
            "brain surgery",
            stay(ma_benh_chinh="D32.0"),
            surgery("2025-03-11 08:00", ten_dich_vu="Phẫu thuật lấy u não bằng đường mở nắp sọ"),
            drug(**_HALF),
        ),
        clear("another drug", visit(ma_benh_chinh="G44.2"), drug(ten_thuoc="Glycopeptid")),
        not_evaluable("no diagnosis", visit(ma_benh_chinh=None), drug(**_HALF)),
    ),
)
def peptide(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid lines of peptides outside their diseases, and the part above the listed ratio within them."""
    known = facts("DRG-09")
    named = family(tables, "service_line", known.operation) & ~family(tables, "service_line", known.operation_not)
    operated = claims_with(tables, named, "ten_dich_vu").with_columns(operated=nw.lit(1))
    ratio = money("tyle_tt_bh")
    found = (
        given(tables, drug_named(tables, known), known)
        .join(operated, on=KEY, how="left")
        .with_columns(right=diagnosed(_listed(known, "icd")) | ~nw.col("operated").is_null())
        .filter(~nw.col("right") | (ratio > known.ratio).fill_null(value=False))
    )
    above = (ratio - known.ratio) / ratio * money("t_bhtt")
    return line_hits(
        found,
        amount=nw.when(nw.col("right")).then(above).otherwise(money("t_bhtt")),
        observed=ratio,
        allowed=nw.lit(float(known.ratio)),
    )


_ENZYME: dict[str, Any] = {"ten_thuoc": "Alphachymotrypsin 4,2mg"}


@rule(
    id="DRG-16",
    version=1,
    scheme="DRUG_OFF_CONDITION",
    severity="deny",
    title_vi="Alphachymotrypsin ngoài phù nề sau mổ, chấn thương, bỏng",
    title_en="Alphachymotrypsin outside oedema after surgery, trauma or burns",
    reason_vi="Không có chấn thương, bỏng hay phẫu thuật trong {allowed} ngày; quỹ chi {amount} đồng.",
    reason_en="No injury, burn or operation within {allowed} days; the fund pays {amount} VND.",
    legal_basis="TT20/2022 Annex I item 84; CV266 TH32 (S.004.369)",
    needs=("encounter.ma_benh_chinh", "drug_line.ten_thuoc", "service_line.ma_nhom"),
    known_gaps=(
        f"{BY_NAME} Operations are told by their cost group or name, in the claims at hand only: one paid elsewhere is "
        f"not seen, nor one of a patient without a number. {OTHER_CODE}"
    ),
    examples=(
        hit("sore throat", visit(ma_benh_chinh="J02.9"), drug(**_ENZYME), amount=FUND),
        hit(
            "operated two months ago",
            stay(at="2025-01-06 08:00", ma_benh_chinh="K35.8"),
            surgery("2025-01-06 10:00"),
            visit(ma_benh_chinh="Z09.0"),
            drug(**_ENZYME),
            amount=FUND,
        ),
        clear("sprain", visit(ma_benh_chinh="S93.4"), drug(**_ENZYME)),
        clear("after the operation", stay(ma_benh_chinh="K35.8"), surgery("2025-03-10 10:00"), drug(**_ENZYME)),
        clear(
            "operated two weeks ago",
            stay(at="2025-02-24 08:00", ma_benh_chinh="K35.8"),
            surgery("2025-02-24 10:00"),
            visit(ma_benh_chinh="Z09.0"),
            drug(**_ENZYME),
        ),
        clear(
            "a tooth pulled",
            visit(ma_benh_chinh="K08.3"),
            service(ma_nhom=18, ten_dich_vu="Nhổ răng vĩnh viễn"),
            drug(**_ENZYME),
        ),
        not_evaluable("no diagnosis", visit(ma_benh_chinh=None), drug(**_ENZYME)),
    ),
)
def alphachymotrypsin(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid lines of the enzyme without an injury, and without an operation of the claim or shortly before it."""
    known = facts("DRG-16")
    found = given(tables, drug_named(tables, known), known).filter(~diagnosed(_listed(known, "icd")))
    operation = nw.col("ma_nhom").is_in(known.surgery) | family(tables, "service_line", known.operation)
    operations = lines(tables, SERVICES, "ma_nhom", "ten_dich_vu", "ngay_yl", "ngay_th_yl").filter(operation)
    before = (
        with_encounter(operations, tables, "patient_id")
        .select("e_patient_id", at=nw.coalesce(nw.col("ngay_th_yl"), nw.col("ngay_yl")))
        .filter(~nw.col("e_patient_id").is_null(), ~nw.col("at").is_null())
        .unique()
    )
    since = days_between(nw.col("at"), nw.col("ngay_yl"))
    recent = found.select(*LINE, "e_patient_id", "ngay_yl").join(before, on="e_patient_id", how="inner")
    healing = recent.filter(since >= 0, since <= known.days).select(*LINE).unique(LINE)
    kept = found.join(operations.select(*KEY).unique(KEY), on=KEY, how="anti").join(healing, on=LINE, how="anti")
    return line_hits(kept, amount=money("t_bhtt"), observed=NONE, allowed=nw.lit(float(known.days)))


_ZOLEDRONIC: dict[str, Any] = {"ten_thuoc": "Acid zoledronic 4mg/100ml", "duong_dung": "2.15"}


@rule(
    id="DRG-19",
    version=1,
    scheme="DRUG_OFF_CONDITION",
    severity="deny",
    title_vi="Acid zoledronic sai bệnh, sai hạng bệnh viện",
    title_en="Zoledronic acid outside its disease or hospital class",
    reason_vi="Không di căn xương tại bệnh viện hạng đặc biệt, I, II, không loãng xương; quỹ chi {amount} đồng.",
    reason_en="No bone metastasis at a hospital of class special to II, no osteoporosis; the fund pays {amount} VND.",
    legal_basis="TT20/2022 Annex I item 93; CV266 TH88 (S.004.369)",
    needs=("encounter.ma_benh_chinh", "drug_line.ten_thuoc"),
    known_gaps=(
        f"{BY_NAME} The class is judged where the facility catalogue gives one; the departments osteoporosis must be "
        f"treated in are not judged. Myeloma and Paget's disease are outside the list. {OTHER_CODE}"
    ),
    examples=(
        hit("breast cancer without metastasis", stay(ma_benh_chinh="C50.9"), drug(**_ZOLEDRONIC), amount=FUND),
        hit(
            "bone metastasis at class III",
            stay(ma_benh_chinh="C79.5", facility_rank="3"),
            drug(**_ZOLEDRONIC),
            amount=FUND,
        ),
        clear(
            "bone metastasis at class I",
            stay(ma_benh_chinh="C50.9", ma_benh_kt="C79.5", facility_rank="1"),
            drug(**_ZOLEDRONIC),
        ),
        clear("class unknown", stay(ma_benh_chinh="C79.5"), drug(**_ZOLEDRONIC)),
        clear("osteoporosis", visit(ma_benh_chinh="M81.0", facility_rank="3"), drug(**_ZOLEDRONIC)),
        not_evaluable("no diagnosis", stay(ma_benh_chinh=None), drug(**_ZOLEDRONIC)),
    ),
)
def zoledronic_acid(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid lines of zoledronic acid without osteoporosis and without a bone metastasis at a hospital of its class."""
    known = facts("DRG-19")
    low = nw.col("e_facility_rank").is_in(known.low_ranks).fill_null(value=False)
    found = given(tables, drug_named(tables, known), known, "facility_rank").filter(
        ~diagnosed(_listed(known, "icd_bone")), ~diagnosed(known.icd_metastasis) | low
    )
    return whole(found)


_TAF: dict[str, Any] = {"ten_thuoc": "Tenofovir alafenamid 25mg"}


@rule(
    id="DRG-51",
    version=1,
    scheme="DRUG_OFF_CONDITION",
    severity="deny",
    title_vi="Tenofovir alafenamid ngoài danh mục",
    title_en="Tenofovir alafenamide off the list",
    reason_vi="Tenofovir alafenamid không có trong danh mục vào ngày kê; quỹ chi {amount} đồng.",
    reason_en="Tenofovir alafenamide was not on the list on that day; the fund pays {amount} VND.",
    legal_basis="TT20/2022; CV266 TH107 (S.004.351)",
    needs=("encounter.card_class", "drug_line.ten_thuoc", "drug_line.ngay_yl"),
    known_gaps=(
        f"{BY_NAME} Until when it was off the list is not known (unverified): after the last day of the fact nothing "
        "is said, and DRG-25 asks the drug catalogue instead. Cards of class 5 may have drugs outside the list."
    ),
    examples=(
        hit("paid by the fund", visit(ma_benh_chinh="B18.1"), drug(**_TAF), amount=FUND),
        clear(
            "tenofovir disoproxil", visit(ma_benh_chinh="B18.1"), drug(ten_thuoc="Tenofovir disoproxil fumarat 300mg")
        ),
        clear("paid by the patient", visit(ma_benh_chinh="B18.1"), drug(muc_huong=0, **_TAF)),
        clear("a soldier's card", visit(ma_benh_chinh="B18.1", card_class="QN5"), drug(**_TAF)),
        clear("after the last known day", visit("2026-03-10 08:00", ma_benh_chinh="B18.1"), drug(**_TAF)),
        not_evaluable("no time", visit(ma_benh_chinh="B18.1"), drug(ngay_yl=None, **_TAF)),
    ),
)
def tenofovir_alafenamide(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid lines of the drug while it is known to be off the list, but on cards that pay beyond it."""
    known = facts("DRG-51")
    paid = lines(tables, DRUGS, "ten_thuoc", "ma_thuoc", "ngay_yl", "t_bhtt").filter(
        drug_named(tables, known), money("t_bhtt") > 0, known["off_list"].at(nw.col("ngay_yl")) > 0
    )
    digit = nw.col("e_card_class").str.slice(2, 1)
    return whole(with_encounter(paid, tables, "card_class").filter(digit != "5"))
