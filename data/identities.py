"""What must hold between the cells of a claim: money identities, order of times, days, cards, diagnoses.

Money follows section by section the formulas of QĐ 130 as amended by QĐ 4750; amounts are compared with a tolerance of
1 VND, in floating point, which carries 15 digits and so never decides a comparison at that tolerance. An identity
stands aside where one of its cells is blank.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cache, reduce

import polars as pl

from data.checks import NO_PROVINCE
from data.schema import reference

RowLook = tuple[str, str, pl.Expr, pl.Expr | None]
"""Field to mend, kind of fault, where it is, and the value to show (None: the cell)."""

TOLERANCE = 1.0  # VND a comparison
_WITHOUT_SERVICE_RATIO = datetime(2024, 7, 1)  # before, the printed formula of XML3 lacked TYLE_TT_DV
_SUPPLIES = (10, 11)
_FEE_FOR_SERVICE = 1
_FREE_CARDS = ("QN", "CA", "CY")  # two deployed systems leave T_BHTT_GDV out for army, police and cipher cards
_MAX_AGE_YEARS = 200


def row_looks(name: str, both: pl.DataFrame) -> Iterator[RowLook]:
    """The looks between cells of the rows of a table: `both` has text under a field's name, its type under "=field".

    The stay's dates stand under "@ngay_vao" and "@ngay_ra" where they are known.
    """
    held = "@ngay_vao" in both.columns
    match name:
        case "encounter":
            yield from _header()
            yield from _stay()
            yield from _card(both)
            yield from _diagnosis(both)
        case "drug_line":
            yield from _line_money("don_gia", None)
            yield from _repeats(["ma_thuoc"], both)
            yield from _line_times(held=held)
        case "service_line":
            yield from _line_money("don_gia_bv", "don_gia_bh")
            yield from _repeats(["ma_dich_vu", "ma_vat_tu"], both)
            yield from _line_times(held=held)
            yield "ngay_kq", "time_order", pl.col("=ngay_kq") < pl.col("=ngay_th_yl"), None
        case "lab_result" if held:
            yield "ngay_kq", "time_order", pl.col("=ngay_kq") < pl.col("@ngay_vao"), None
        case "clinical_note" if held:
            yield "thoi_diem_dbls", "time_order", pl.col("=thoi_diem_dbls") < pl.col("@ngay_vao"), None
        case _:
            pass
    if name in ("lab_result", "clinical_note"):
        yield from _repeated_numbers(both)


def _n(field: str) -> pl.Expr:
    return pl.col(f"={field}").cast(pl.Float64)


def _given(fields: Sequence[str]) -> pl.Expr:
    return reduce(pl.Expr.add, (_n(f).fill_null(0.0) for f in fields))


def _differs(written: pl.Expr, computed: pl.Expr) -> pl.Expr:
    return (written - computed).abs() > TOLERANCE


def _against(written: pl.Expr, computed: pl.Expr) -> pl.Expr:
    """The residual in words: what stands there and what the formula gives."""
    return pl.format("{} ≠ {}", written.round(2), computed.round(2))


def _amount(field: str, code: str, computed: pl.Expr, *, unless: pl.Expr | None = None) -> RowLook:
    bad = _differs(_n(field), computed)
    return field, code, bad if unless is None else bad & ~unless.fill_null(value=False), _against(_n(field), computed)


def _line_money(price: str, covered_price: str | None) -> Iterator[RowLook]:
    quantity, ratio = _n("so_luong"), _n("tyle_tt_bh") / 100
    if covered_price is None:
        yield _amount("thanh_tien_bv", "identity", quantity * _n(price))
        yield _amount("thanh_tien_bh", "identity", quantity * _n(price) * ratio)
    else:
        service = _n("tyle_tt_dv") / 100
        # Hospitals that charge the patient what the ratio cuts off, and files before QĐ 4750, compute it otherwise.
        charged = quantity * _n(price) - quantity * _n(covered_price) * (1 - service)
        before = pl.col("=ngay_yl") < _WITHOUT_SERVICE_RATIO
        other = ~_differs(_n("thanh_tien_bv"), charged) | (
            before & ~_differs(_n("thanh_tien_bv"), quantity * _n(price))
        )
        yield _amount("thanh_tien_bv", "identity", quantity * _n(price) * service, unless=other)
        capped = pl.col("=t_trantt").is_not_null()
        yield _amount("thanh_tien_bh", "identity", quantity * _n(covered_price) * service * ratio, unless=capped)
    aid = ("t_nguonkhac_nsnn", "t_nguonkhac_vtnn", "t_nguonkhac_vttn", "t_nguonkhac_cl")
    none_given = reduce(pl.Expr.and_, (pl.col(f"={f}").is_null() for f in aid))
    yield _amount("t_nguonkhac", "identity", _given(aid), unless=none_given)
    aided = _n("t_nguonkhac").fill_null(0.0) > 0
    yield _amount("t_bhtt", "identity", _n("thanh_tien_bh") * _n("muc_huong") / 100, unless=aided)
    payers = _n("t_bntt") + _n("t_bncct") + _n("t_bhtt") + _n("t_nguonkhac").fill_null(0.0)
    yield "t_bntt", "balance", _differs(_n("thanh_tien_bv"), payers), _against(_n("thanh_tien_bv"), payers)
    over = _n("thanh_tien_bh") - _n("thanh_tien_bv") > TOLERANCE
    yield "thanh_tien_bh", "exceeds", over, _against(_n("thanh_tien_bh"), _n("thanh_tien_bv"))


def _repeats(code: Sequence[str], both: pl.DataFrame) -> Iterator[RowLook]:
    yield from _repeated_numbers(both)
    if "version" not in both.columns or not (both["=thanh_tien_bv"] == 0).any():
        return
    key = ["version", *code, "ngay_yl"]
    free = _n("thanh_tien_bv") == 0
    earlier = free & (pl.int_range(pl.len()).over(key) > 0)
    beside_paid = free & (_n("thanh_tien_bv").fill_null(0.0).max().over(key) > 0)
    coded = pl.any_horizontal(pl.col(c).is_not_null() for c in code)
    yield "thanh_tien_bv", "zero_repeat", coded & (earlier | beside_paid), pl.coalesce(code)


def _repeated_numbers(both: pl.DataFrame) -> Iterator[RowLook]:
    """STT that stands twice in a table of a record. Rising numbers, which nearly all tables have, need no window."""
    if "version" not in both.columns or not both.height or both["=stt"].null_count() == both.height:
        return
    rising = both.select(
        ((pl.col("=stt") > pl.col("=stt").shift(1)) | (pl.col("version") != pl.col("version").shift(1)))
        .fill_null(value=True)
        .all()
    ).item()
    if not rising:
        twice = pl.struct("version", "=stt").is_duplicated() & pl.col("=stt").is_not_null()
        yield "stt", "repeated", twice, None


def _line_times(*, held: bool) -> Iterator[RowLook]:
    yield "ngay_th_yl", "time_order", pl.col("=ngay_th_yl") < pl.col("=ngay_yl"), None
    if held:
        # Orders after NGAY_RA are a rule's business; an order before the patient came is a wrong clock.
        yield "ngay_yl", "time_order", pl.col("=ngay_yl") < pl.col("@ngay_vao"), None


def _header() -> Iterator[RowLook]:
    payers = _n("t_bntt") + _n("t_bncct") + _n("t_bhtt") + _n("t_nguonkhac").fill_null(0.0)
    yield "t_tongchi_bv", "balance", _differs(_n("t_tongchi_bv"), payers), _against(_n("t_tongchi_bv"), payers)
    aided = _n("t_nguonkhac").fill_null(0.0) > 0
    yield _amount("t_bhtt", "identity", _n("t_tongchi_bh") - _n("t_bncct"), unless=aided)
    over = _n("t_tongchi_bh") - _n("t_tongchi_bv") > TOLERANCE
    yield "t_tongchi_bh", "exceeds", over, _against(_n("t_tongchi_bh"), _n("t_tongchi_bv"))


def sums_of_lines(drugs: pl.DataFrame, services: pl.DataFrame) -> pl.DataFrame:
    """What XML1 should say of each version with lines: its sum stands under "#field", NaN where a cell is blank."""
    parts: list[pl.DataFrame] = []
    for lines, drug in ((drugs, True), (services, False)):
        money = {f: pl.col(f).cast(pl.Float64).fill_null(float("nan")) for f in _SUMMED}
        supply = pl.col("ma_nhom").is_in(_SUPPLIES)
        fee = pl.col("ma_pttt") == _FEE_FOR_SERVICE
        zero = pl.lit(0.0)
        parts.append(
            lines.select(
                "version",
                money["thanh_tien_bv"].alias("#t_tongchi_bv"),
                money["thanh_tien_bh"].alias("#t_tongchi_bh"),
                money["t_bntt"].alias("#t_bntt"),
                money["t_bncct"].alias("#t_bncct"),
                money["t_nguonkhac"].fill_nan(0.0).alias("#t_nguonkhac"),
                pl.when(fee).then(money["t_bhtt"]).otherwise(zero).alias("#t_bhtt_gdv"),
                (money["thanh_tien_bv"] if drug else zero).alias("#t_thuoc"),
                (zero if drug else pl.when(supply).then(money["thanh_tien_bv"]).otherwise(zero)).alias("#t_vtyt"),
            )
        )
    return pl.concat(parts).group_by("version", maintain_order=True).sum()


_SUMMED = ("thanh_tien_bv", "thanh_tien_bh", "t_bntt", "t_bncct", "t_nguonkhac", "t_bhtt")
SUMS = ("t_thuoc", "t_vtyt", "t_tongchi_bv", "t_tongchi_bh", "t_bntt", "t_bncct", "t_nguonkhac", "t_bhtt_gdv")


def header_looks() -> Iterator[RowLook]:
    """XML1 against the sums of its lines: typed cells under "=field", sums under "#field"."""
    for field in SUMS:
        summed = pl.col(f"#{field}").fill_nan(None)
        bad = _differs(_n(field), summed)
        if field == "t_bhtt_gdv":
            bad &= ~pl.col("card_class").str.slice(0, 2).is_in(_FREE_CARDS).fill_null(value=False)
        yield field, "lines_sum", bad, _against(_n(field), summed)


def _stay() -> Iterator[RowLook]:
    arrival, discharge = pl.col("=ngay_vao"), pl.col("=ngay_ra")
    admitted = pl.col("=ngay_vao_noi_tru")
    yield "ngay_vao_noi_tru", "time_order", (admitted < arrival) | (admitted > discharge), None
    yield "ngay_ttoan", "time_order", pl.col("=ngay_ttoan") < arrival, None
    yield "ngay_sinh", "time_order", pl.col("=ngay_sinh") > arrival.dt.date(), None
    span = (discharge.dt.date() - arrival.dt.date()).dt.total_days() + 1
    rules = {row["code"]: row["so_ngay_dtri_rule"] for row in reference("ma_loai_kcb") if row["scheme"] != "4210"}
    none = [code for code, rule in rules.items() if rule == "0"]
    counted = [code for code, rule in rules.items() if rule == "out-in+1"]
    care = pl.col("=ma_loai_kcb")
    days = pl.when(care.is_in(none)).then(pl.lit(0)).when(care.is_in(counted)).then(span)
    yield "so_ngay_dtri", "days", pl.col("=so_ngay_dtri") != days, pl.format("{} ≠ {}", pl.col("=so_ngay_dtri"), days)


@cache
def _prefixes() -> dict[str, str]:
    """Object group of a card -> the benefit digits it may carry; "" where any may stand."""
    return {row["prefix"]: row["benefit_digit"] for row in reference("card_object_codes")}


@cache
def _card_provinces() -> tuple[str, ...]:
    known = {row["old_code"] for row in reference("provinces_63_to_34")}
    return tuple(sorted({*known, *NO_PROVINCE}))


def _card(both: pl.DataFrame) -> Iterator[RowLook]:
    card = pl.col("ma_the_bhyt")
    count = card.str.strip_chars(";").str.count_matches(";", literal=True)
    for field in ("ma_dkbd", "gt_the_tu", "gt_the_den"):
        if any(both[f].str.contains(";", literal=True).any() for f in ("ma_the_bhyt", field)):
            parallel = pl.col(field).str.strip_chars(";").str.count_matches(";", literal=True)
            yield field, "list_length", parallel != count, None
    long = card.str.len_chars() >= 15
    prefix, digit = card.str.slice(0, 2).str.to_uppercase(), card.str.slice(2, 1)
    yield "ma_the_bhyt", "card_prefix", long & ~prefix.is_in(list(_prefixes())), None
    digits = prefix.replace_strict(_prefixes(), default="", return_dtype=pl.String)
    yield "ma_the_bhyt", "card_benefit", long & (digits != "") & ~digits.str.contains(digit, literal=True), None
    yield "ma_the_bhyt", "card_province", long & ~card.str.slice(3, 2).is_in(_card_provinces()), None


# ages of QĐ 4469, annex A3: lowest and highest, in days up to 3 months and in years beyond
_AGES: dict[str, tuple[str, float, float]] = {
    "A3.1": ("days", 0, 365),
    "A3.2": ("years", 0, 2),
    "A3.3": ("years", 0, 10),
    "A3.4": ("years", 0, 19),
    "A3.5": ("days", 28, 365 * _MAX_AGE_YEARS),
    "A3.6": ("years", 1, _MAX_AGE_YEARS),
    "A3.7": ("years", 8, 19),
    "A3.8": ("years", 9, 60),
    "A3.9": ("years", 15, _MAX_AGE_YEARS),
    "A3.10": ("years", 30, _MAX_AGE_YEARS),
}


@cache
def _flagged(annex: str) -> frozenset[str]:
    rows = reference("icd10_edit_flags")
    return frozenset(row["icd10_nodot"] for row in rows if annex in row["annexes"].split("|"))


def _diagnosis(both: pl.DataFrame) -> Iterator[RowLook]:
    """Each different code is looked up once: a batch has a few hundred of them."""
    used = both["ma_benh_chinh"].drop_nulls().unique().to_list()
    main = pl.col("ma_benh_chinh")

    def among(annex: str) -> pl.Expr:
        return main.is_in([code for code in used if _bare(code) in _flagged(annex)])

    yield "ma_benh_chinh", "not_main", among("A2"), None
    days = (pl.col("=ngay_vao").dt.date() - pl.col("=ngay_sinh")).dt.total_days()
    years = days / 365.25
    slack = {"days": 0.0, "years": 1.0}  # only the year of birth may be known, and annexes count begun years
    bad = pl.lit(value=False)
    for annex, (unit, low, high) in _AGES.items():
        age = days if unit == "days" else years
        bad |= among(annex) & ((age < low - slack[unit]) | (age >= high + 1 + slack[unit]))
    yield "ma_benh_chinh", "age", bad & (years >= 0), None
    male, female = pl.col("=gioi_tinh") == 1, pl.col("=gioi_tinh") == 2
    yield "ma_benh_chinh", "sex", (among("A4.1") & male) | (among("A4.2") & female), None
    lists = both["ma_benh_kt"].drop_nulls().unique().to_list()
    wrong = pl.lit(value=False)
    for annex, sex in (("A4.1", male), ("A4.2", female)):
        flagged = _flagged(annex)
        found = [codes for codes in lists if any(_bare(code) in flagged for code in codes.split(";"))]
        wrong |= pl.col("ma_benh_kt").is_in(found) & sex
    yield "ma_benh_kt", "sex", wrong, None


def _bare(code: str) -> str:
    return code.strip().replace(".", "").upper()
