"""Words that rules share: money, times, care types, lines with their encounter, and pairs of one patient's claims.

Everything here is a Narwhals expression or lazy frame that gives the same answer on Polars and on DuckDB. A null stays
null until a rule filters it away, so a rule never raises a sign on a cell it did not see.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import narwhals as nw

from data.schema import ENCOUNTER_KEY, reference, reused
from detectors.early import Few, never
from detectors.facts import facts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from data.schema import ClaimTables

LineTable = Literal["drug_line", "service_line"]

LINES: tuple[LineTable, ...] = ("drug_line", "service_line")
SERVICES: tuple[LineTable, ...] = ("service_line",)
DRUGS: tuple[LineTable, ...] = ("drug_line",)

SURGERY, EXAM, TRANSPORT = 8, 13, 12
BEDS = (14, 15, 16)
TESTS = (1, 2, 3)
SUPPLIES = (10, 11)
"""Cost groups (MA_NHOM) by what they hold."""

OUTPATIENT = ("01", "02", "05", "07", "08")
"""Care types (MA_LOAI_KCB) whose patient goes home the same day."""

CYCLIC = ("C", "D56", "N18", "Z49", "Z50", "Z51")
"""Diagnoses treated in planned cycles: coming back soon, for the same items, is how they are treated."""

_LETTERS = {
    "a": "aàáảãạăằắẳẵặâầấẩẫậ",
    "d": "dđ",
    "e": "eèéẻẽẹêềếểễệ",
    "i": "iìíỉĩị",
    "o": "oòóỏõọôồốổỗộơờớởỡợ",
    "u": "uùúủũụưừứửữự",
    "y": "yỳýỷỹỵ",
}


def money(column: str) -> nw.Expr:
    """An exact amount, price, quantity or ratio as a float; formulas on it hold to 1 VND."""
    return nw.col(column).cast(nw.Float64)


def at_risk(amount: nw.Expr, of: str = "t_bhtt") -> nw.Expr:
    """`amount` between 0 and what the fund pays (`of`), rounded half up to 2 decimals on every engine."""
    paid = money(of).fill_null(0.0)
    kept = nw.max_horizontal(nw.min_horizontal(amount.fill_null(0.0), paid), nw.lit(0.0))
    return (kept * 100 + 0.5).floor() / 100


def care_type(column: str = "ma_loai_kcb") -> nw.Expr:
    """MA_LOAI_KCB as two digits: older exporters write `1` for `01`."""
    return nw.col(column).str.strip_chars().str.zfill(2)


def minutes_between(start: nw.Expr, end: nw.Expr) -> nw.Expr:
    """Minutes from `start` to `end`, negative when `end` comes first."""
    return (end - start).dt.total_minutes().cast(nw.Float64)


def day(moment: nw.Expr) -> nw.Expr:
    """Midnight of the calendar day."""
    return moment.dt.truncate("1d")


def days_between(start: nw.Expr, end: nw.Expr) -> nw.Expr:
    """Calendar days from the day of `start` to the day of `end`."""
    return minutes_between(day(start), day(end)) / 1440


def carried_out() -> nw.Expr:
    """When a line was carried out; the order's time where the format has no other."""
    return nw.coalesce(nw.col("ngay_th_yl"), nw.col("ngay_yl"))


def clockless(moment: nw.Expr) -> nw.Expr:
    """Whether a time is written as midnight, which exporters use when they know only the day."""
    return day(moment) == moment


def admission(prefix: str = "") -> nw.Expr:
    """When the stay begins: the admission order, else the arrival."""
    return nw.coalesce(nw.col(f"{prefix}ngay_vao_noi_tru"), nw.col(f"{prefix}ngay_vao"))


def base_salary(at: nw.Expr) -> nw.Expr:
    """Base salary (lương cơ sở, VND a month) in force at a moment; null before the first known one."""
    salary = nw.lit(None, dtype=nw.Float64)
    for row in sorted(reference("base_salary"), key=lambda r: r["valid_from"]):
        since = nw.lit(datetime.fromisoformat(row["valid_from"]))
        salary = nw.when(at >= since).then(nw.lit(float(row["luong_co_so_vnd"]))).otherwise(salary)
    return salary


def named(column: str, words: str) -> nw.Expr:
    """Whether a name matches `words`, a regex written without accents and in lower case, however it is accented.

    `words` may not hold escapes: its letters are widened to every accented form. A blank name does not match.
    """
    wide = "".join(f"[{_LETTERS[c]}]" if c in _LETTERS else c for c in words)
    return nw.col(column).fill_null("").str.contains(f"(?i){wide}")


def family(tables: ClaimTables, table: str, words: str, *, column: str | None = None, accents: bool = False) -> nw.Expr:
    """Whether a line's name matches `words`: a regex on the lower-case name without accents (`accents`: with them).

    Matched against the different names only, so a family costs the same however many lines there are. The name is that
    of the service or drug unless `column` says another; a blank name does not match.
    """
    name = column or ("ten_thuoc" if table == "drug_line" else "ten_dich_vu")
    pattern = re.compile(words)
    fold = _accented if accents else plain
    members = [text for text in tables.texts(table, name) if pattern.search(fold(text))]
    if not members:
        return never(name)
    return nw.col(name).is_in(members) & ~nw.col(name).is_null()


def named_service(tables: ClaimTables, rule_id: str, fact: str = "service") -> nw.Expr:
    """Whether a service's name belongs to a family of the rule's facts: `fact`, without its `fact_not`."""
    known = facts(rule_id)
    found = family(tables, "service_line", known[fact].value)
    return found & ~family(tables, "service_line", known[f"{fact}_not"].value) if f"{fact}_not" in known else found


@lru_cache(maxsize=1 << 16)
def plain(text: str) -> str:
    """Lower case without accents: `Điện tim` becomes `dien tim`."""
    parts = unicodedata.normalize("NFD", text.lower().replace("đ", "d"))
    return "".join(c for c in parts if not unicodedata.combining(c))


def _accented(text: str) -> str:
    return unicodedata.normalize("NFC", text.lower())


def icd_in(column: str, prefixes: Sequence[str]) -> nw.Expr:
    """Whether the ICD-10 code begins with one of `prefixes`; a blank code does not."""
    return nw.col(column).fill_null("").str.to_uppercase().str.contains(f"^({'|'.join(prefixes)})")


def diagnosed(prefixes: Sequence[str]) -> nw.Expr:
    """Whether a diagnosis of the encounter (`e_…`), main or other, begins with one of `prefixes` (no dots)."""
    codes = nw.concat_str(
        [nw.col("e_ma_benh_chinh").fill_null(""), nw.col("e_ma_benh_kt").fill_null("")], separator=";"
    )
    bare = codes.str.to_uppercase().str.replace_all(r"[^A-Z0-9;]", "")
    return bare.str.contains(f"(^|;)({'|'.join(prefixes)})")


def catalogue(tables: ClaimTables, name: str) -> nw.LazyFrame[Any]:
    """A catalogue that the rule declares; the rule book lets the rule stand aside before it is asked for in vain."""
    found = tables.catalogues.get(name)
    if found is None:
        raise LookupError(f"catalogue {name} is not loaded: a rule that reads it must name it in `catalogues`")
    return found


def lines(tables: ClaimTables, which: Sequence[LineTable], *columns: str) -> nw.LazyFrame[Any]:
    """Lines of the tables in `which` one under the other: their key (with `line_table`) and `columns`."""
    parts = [
        _of_table(getattr(tables, name), name).select(*ENCOUNTER_KEY, "line_table", "row_no", *columns)
        for name in which
    ]
    return parts[0] if len(parts) == 1 else nw.concat(parts)


def _of_table(frame: nw.LazyFrame[Any], name: str) -> nw.LazyFrame[Any]:
    marked = frame.with_columns(line_table=nw.lit(name))
    return frame.once("line_table", lambda: marked) if isinstance(frame, Few) else marked


def with_encounter(frame: nw.LazyFrame[Any], tables: ClaimTables, *columns: str) -> nw.LazyFrame[Any]:
    """`frame` with columns of its encounter, named `e_<column>`."""
    whole = tables.encounter
    if isinstance(whole, Few):
        rest = [c for c in whole.columns if c not in ENCOUNTER_KEY]
        called = whole.once("e_", lambda: whole.rename({c: f"e_{c}" for c in rest}))
        encounter = called.select(*ENCOUNTER_KEY, *(f"e_{c}" for c in columns))
    else:
        encounter = whole.select(*ENCOUNTER_KEY, **{f"e_{c}": nw.col(c) for c in columns})
    return frame.join(encounter, on=list(ENCOUNTER_KEY), how="inner")


def within_stay(frame: nw.LazyFrame[Any], tables: ClaimTables, moment: nw.Expr) -> nw.LazyFrame[Any]:
    """Lines of `frame` whose `moment` lies between arrival and discharge.

    What claims say of each other's days can only rest on such lines: a line dated outside its own encounter belongs to
    no company anyone could look it up in.
    """
    placed = with_encounter(frame, tables, "ngay_vao", "ngay_ra")
    return placed.filter(moment >= nw.col("e_ngay_vao"), moment <= nw.col("e_ngay_ra")).drop("e_ngay_vao", "e_ngay_ra")


def line_sum(tables: ClaimTables, column: str, which: Sequence[LineTable] = LINES) -> nw.LazyFrame[Any]:
    """Sum of `column` over an encounter's lines as `total`; encounters without lines or with a blank are left out."""
    return (
        lines(tables, which, column)
        .select(*ENCOUNTER_KEY, value=money(column), blank=nw.col(column).is_null().cast(nw.Float64))
        .group_by(*ENCOUNTER_KEY)
        .agg(total=nw.col("value").sum(), blanks=nw.col("blank").sum())
        .filter(nw.col("blanks") == 0)
        .select(*ENCOUNTER_KEY, "total")
    )


def earlier_pairs(tables: ClaimTables, *columns: str, same: Sequence[str] = ("patient_id",)) -> nw.LazyFrame[Any]:
    """Every encounter beside each earlier one that agrees on `same`: own columns as they are, the earlier's as `p_…`.

    Earlier means by arrival, facility, MA_LK: of two claims exactly one is the later, and it carries the sign.
    Encounters without a patient are in no pair.
    """
    kept = list(dict.fromkeys((*same, *ENCOUNTER_KEY, "ngay_vao", *columns)))
    known = _with_a_past(tables.encounter)
    own = known.select(*kept)
    prior = own.select(*same, **{f"p_{c}": nw.col(c) for c in kept if c not in same or c == "ma_cskcb"})
    if isinstance(known, Few) and known.single:
        prior = prior.filter(never("p_ma_lk"))  # one claim has none before it
    facility, link = nw.col("ma_cskcb"), nw.col("ma_lk")
    earlier_key = (nw.col("p_ma_cskcb") < facility) | ((nw.col("p_ma_cskcb") == facility) & (nw.col("p_ma_lk") < link))
    arrived, before = nw.col("ngay_vao"), nw.col("p_ngay_vao")
    return own.join(prior, on=list(same), how="inner").filter((before < arrived) | ((before == arrived) & earlier_key))


def recurring(frame: nw.LazyFrame[Any], *of: str) -> nw.LazyFrame[Any]:
    """Rows of the groups `of` in which more than one encounter is: the others have nothing before them."""
    rows = reused(frame)
    ends = {f"{end}_{key}": getattr(nw.col(key), end)() for key in ENCOUNTER_KEY for end in ("min", "max")}
    several = nw.any_horizontal(
        *(nw.col(f"min_{key}") != nw.col(f"max_{key}") for key in ENCOUNTER_KEY), ignore_nulls=True
    )
    return rows.join(rows.group_by(*of).agg(**ends).filter(several).select(*of), on=list(of), how="semi")


def _with_a_past(encounter: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    known = (~nw.col("patient_id").is_null(), ~nw.col("ngay_vao").is_null())
    if isinstance(encounter, Few):
        return encounter.once("dated", lambda: encounter.filter(*known))
    return encounter.filter(*known)


def line_hits(frame: nw.LazyFrame[Any], *, amount: nw.Expr, observed: nw.Expr, allowed: nw.Expr) -> nw.LazyFrame[Any]:
    """Signs on lines, in the shape `HIT_COLUMNS` asks; `amount` is kept within what the fund pays for the line."""
    return frame.select(
        *ENCOUNTER_KEY,
        "line_table",
        nw.col("row_no").cast(nw.Int32),
        amount=at_risk(amount),
        observed=observed.cast(nw.Float64),
        allowed=allowed.cast(nw.Float64),
    )


def encounter_hits(
    frame: nw.LazyFrame[Any], *, amount: nw.Expr, observed: nw.Expr, allowed: nw.Expr
) -> nw.LazyFrame[Any]:
    """Signs on whole encounters; `frame` holds `t_bhtt`, which bounds `amount`."""
    return frame.select(
        *ENCOUNTER_KEY,
        line_table=nw.lit(None, dtype=nw.String),
        row_no=nw.lit(None, dtype=nw.Int32),
        amount=at_risk(amount),
        observed=observed.cast(nw.Float64),
        allowed=allowed.cast(nw.Float64),
    )


def pair_hits(pairs: nw.LazyFrame[Any], *, amount: nw.Expr, observed: nw.Expr, allowed: nw.Expr) -> nw.LazyFrame[Any]:
    """Signs on the later claims of `pairs`, one an encounter: the most money and the strongest figure of its pairs."""
    return (
        pairs.select(*ENCOUNTER_KEY, amount=at_risk(amount), observed=observed, allowed=allowed)
        .group_by(*ENCOUNTER_KEY)
        .agg(nw.col("amount").max(), nw.col("observed").max(), nw.col("allowed").max())
        .select(
            *ENCOUNTER_KEY,
            "amount",
            line_table=nw.lit(None, dtype=nw.String),
            row_no=nw.lit(None, dtype=nw.Int32),
            observed=nw.col("observed").cast(nw.Float64),
            allowed=nw.col("allowed").cast(nw.Float64),
        )
    )
