"""One family of drug rules: a drug told by name or ingredient, and what must, or must not, be true of the person.

Names, diagnoses and ages are facts; `drug_rule` turns a row into a rule. Conditions of payment and contraindications
are built from the same rows.
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
from detectors.examples import PILL_PRICE, drug, visit
from detectors.expressions import (
    DRUGS,
    SERVICES,
    diagnosed,
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
BY_NAME_VI = (
    "Nhận biết theo tên, và theo hoạt chất trong danh mục thuốc nếu đã nạp; tên thương mại không cho biết hoạt chất "
    "thì bỏ qua."
)
BY_NAME_EN = (
    "Told by the name, and by the ingredient of the drug catalogue where one is loaded; a brand that does not say "
    "what it holds is passed over."
)
OTHER_CODE_VI = "Bệnh đúng nhưng ghi mã khác, hoặc bệnh không ai ghi mã, trông cũng như vậy."
OTHER_CODE_EN = "The right disease under another code, or a disease nobody coded, looks the same."


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


def listed(known: Facts, name: str) -> list[str]:
    """The codes of a fact and of what was added to it (`…_also`)."""
    return [code for fact in (name, f"{name}_also") if fact in known for code in known[fact].value]


def _wrong(known: Facts, part: str) -> nw.Expr:
    """Whether the person is one the drug is not paid for."""
    signs: list[nw.Expr] = []
    if allowed := listed(known, f"icd{part}"):
        right = diagnosed(expand(allowed))
        if "icd_both" in known:
            right = right | reduce(lambda a, b: a & b, (diagnosed(expand([code])) for code in known.icd_both))
        signs.append(~right)
    if forbidden := listed(known, f"icd_no{part}"):
        signs.append(diagnosed(expand(forbidden)))
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
    wrongs: tuple[tuple[str, str, tuple[Row, ...]], ...] = ()  # more claims that are a sign, their titles first
    rights: tuple[tuple[str, str, tuple[Row, ...]], ...] = ()  # more claims that are none
    parts: tuple[str, ...] = ("",)  # the facts of each product: `drug_a`, `icd_a`
    gap_vi: str
    gap_en: str

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
            found = found.filter(~diagnosed(expand(known.excuse)))
        if "done" in known:
            done = claims_with(tables, family(tables, "service_line", known.done), "ten_dich_vu")
            found = found.join(done, on=KEY, how="anti")
        if "beside" in known:
            beside = lines(tables, DRUGS, "ten_thuoc", "ma_thuoc").filter(drug_named(tables, known, name="beside"))
            found = found.join(beside.select(*KEY).unique(KEY), on=KEY, how="anti")
        return whole(found)

    return query


def _diagnoses(person: Mapping[str, Any]) -> str:
    """All diagnoses of a person of the examples: two people may differ in the second one alone."""
    return ", ".join(person[field] for field in ("ma_benh_chinh", "ma_benh_kt") if person.get(field))


def drug_rule(told: Told) -> Rule:
    """The rule of a row; its facts stand under its id."""
    known = facts(told.id)
    right: dict[str, Any] = dict(told.right)
    as_second: dict[str, Any] = right | {"ma_benh_chinh": "R05", "ma_benh_kt": f"J30.4;{right['ma_benh_chinh']}"}
    wrong_codes, right_codes = (_diagnoses(person) for person in (told.wrong, right))
    blank: dict[str, Any] = right | {"ma_benh_chinh": None}
    route = (
        (not_evaluable("thiếu đường dùng", "no route", visit(**told.wrong), told.box(duong_dung=None)),)
        if "route" in known
        else ()
    )
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
        known_gaps_vi=f"{BY_NAME_VI} {told.gap_vi}",
        known_gaps_en=f"{BY_NAME_EN} {told.gap_en}",
        examples=(
            hit(
                f"chẩn đoán {wrong_codes}",
                f"with {wrong_codes}",
                visit(**told.wrong),
                told.box(),
                amount=FUND,
            ),
            *(hit(vi, en, *claim, amount=FUND) for vi, en, claim in told.wrongs),
            clear(f"chẩn đoán {right_codes}", f"with {right_codes}", visit(**right), told.box()),
            clear("bệnh đúng ghi ở bệnh kèm theo", "a second diagnosis", visit(**as_second), told.box()),
            clear("thuốc khác", "another drug", visit(**told.wrong), drug(ten_thuoc="Nước cất pha tiêm", **told.line)),
            clear(
                "không đề nghị quỹ thanh toán", "nothing asked of the fund", visit(**told.wrong), told.box(muc_huong=0)
            ),
            *(clear(vi, en, *claim) for vi, en, claim in told.rights),
            *route,
            not_evaluable("thiếu chẩn đoán", "no diagnosis", visit(**blank), told.box()),
        ),
    )
    return made(_query(told))
