"""Drawing small claims: as text tables a reader can check, as dict rows, and as Hypothesis strategies.

    drawn = draw(
        encounter='''
            ma_lk | patient_id | ngay_vao         | ngay_ra
            A     | an         | 2025-03-03 08:00 | 2025-03-03 09:30
        ''',
        drug_line='''
            ma_lk | ma_thuoc | ma_nhom | so_luong | lieu_dung
            A     | 40.48    | 4       | 10       | 1 viên * 2 lần * 5 ngày
        ''',
    )
    drawn.tables()            # ClaimTables on Polars
    drawn.tables("duckdb")    # the same on DuckDB

Columns not drawn are null, but for the few that every claim has (see `_complete`). An empty cell or "-" is null.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from textwrap import dedent
from typing import Any, Literal

import duckdb
import narwhals as nw
import polars as pl
from hypothesis import strategies as st

from data.catalogues import Catalogues
from data.schema import ClaimTables, columns

Engine = Literal["polars", "duckdb"]
Row = dict[str, Any]
Drawing = str | Sequence[Mapping[str, Any]]

TABLES = ("encounter", "drug_line", "service_line", "lab_result")
FACILITY = "01001"


@cache
def dtypes(table: str) -> dict[str, pl.DataType]:
    """Columns of a table as features and rules see it."""
    catalogue = ("province", "facility_rank", "facility_level", "facility_kind")
    return columns(table) | (dict.fromkeys(catalogue, pl.String()) if table == "encounter" else {})


@dataclass(frozen=True, repr=False)
class Claims:
    """Drawn claims as plain rows, every column present; twins read these, `tables` gives the frames."""

    encounter: list[Row]
    drug_line: list[Row]
    service_line: list[Row]
    lab_result: list[Row]

    def __repr__(self) -> str:
        """The drawing itself: only what is not null."""
        drawn = {t: [{c: v for c, v in row.items() if v is not None} for row in getattr(self, t)] for t in TABLES}
        return f"draw({', '.join(f'{table}={rows}' for table, rows in drawn.items() if rows)})"

    def tables(self, engine: Engine = "polars") -> ClaimTables:
        """The same claims as lazy frames of an engine."""
        connection = duckdb.connect(config={"threads": 1}) if engine == "duckdb" else None
        frames = {name: _frame(name, getattr(self, name), connection) for name in TABLES}
        return ClaimTables(**frames, snapshot=0, catalogues=Catalogues.none())

    def only(self, *keys: tuple[str, str]) -> Claims:
        """The claims of the encounters named by (`ma_cskcb`, `ma_lk`)."""
        return Claims(*([r for r in getattr(self, t) if (r["ma_cskcb"], r["ma_lk"]) in keys] for t in TABLES))

    def joined(self, other: Claims) -> Claims:
        """These claims and others."""
        return Claims(*(getattr(self, t) + getattr(other, t) for t in TABLES))


def draw(
    *, encounter: Drawing = "", drug_line: Drawing = "", service_line: Drawing = "", lab_result: Drawing = ""
) -> Claims:
    """Claims from text tables or rows."""
    given = {"encounter": encounter, "drug_line": drug_line, "service_line": service_line, "lab_result": lab_result}
    return Claims(*(_complete(name, _rows(name, given[name])) for name in TABLES))


def _rows(table: str, drawing: Drawing) -> list[Row]:
    if not isinstance(drawing, str):
        return [dict(row) for row in drawing]
    text = dedent(drawing).strip().splitlines()
    if not text:
        return []
    head, *body = ([cell.strip() for cell in line.split("|")] for line in text)
    return [{name: _cell(table, name, cell) for name, cell in zip(head, line, strict=True)} for line in body]


def _cell(table: str, name: str, text: str) -> Any:
    if text in ("", "-"):
        return None
    match dtypes(table)[name]:
        case pl.Decimal():
            return Decimal(text)
        case pl.Int32() | pl.Int64():
            return int(text)
        case pl.Datetime():
            return datetime.fromisoformat(text)
        case pl.Date():
            return date.fromisoformat(text)
        case pl.Boolean():
            return text == "true"
        case _:
            return text


def _complete(table: str, rows: list[Row]) -> list[Row]:
    """Rows with every column; facility, province, month, row number and first practitioner are filled in if absent."""
    complete: list[Row] = []
    lines_so_far: dict[tuple[str, str], int] = {}
    for row in rows:
        if unknown := set(row) - set(dtypes(table)):
            raise KeyError(f"{table} has no column {sorted(unknown)}")
        full = dict.fromkeys(dtypes(table)) | {"ma_cskcb": FACILITY} | row
        key = (full["ma_cskcb"], full["ma_lk"])
        lines_so_far[key] = lines_so_far.get(key, 0) + 1
        if full["row_no"] is None:
            full["row_no"] = lines_so_far[key]
        if table == "encounter":
            full["province"] = full["province"] or full["ma_cskcb"][:2]
            full["withdrawn"] = bool(full["withdrawn"])
            if full["month"] is None and full["ngay_ra"] is not None:
                full["month"] = full["ngay_ra"].year * 100 + full["ngay_ra"].month
        elif "doctor" in full and full["doctor"] is None and full["ma_bac_si"]:
            full["doctor"] = full["ma_bac_si"].split(";")[0]
        complete.append(full)
    return complete


def _frame(table: str, rows: list[Row], connection: duckdb.DuckDBPyConnection | None) -> nw.LazyFrame[Any]:
    frame = pl.DataFrame(rows, schema=dtypes(table), orient="row")
    if connection is None:
        return nw.from_native(frame.lazy())
    return nw.from_native(connection.from_arrow(frame.to_arrow()))


# --- Hypothesis: few values, so that ties, repeats and overlaps happen

START = datetime.fromisoformat("2025-03-01 07:00")
FACILITIES = ("01001", "01002", "79001")
PATIENTS = ("an", "binh", None)
MONEY = tuple(Decimal(m) for m in ("0", "0.10", "1000", "45000", "45000.33", "1250000.5"))
PRICES = tuple(Decimal(p) for p in ("0", "1200", "1500.125", "45000"))
DOSES = ("1 viên/lần * 2 lần/ngày * 5 ngày [2 viên/ngày]", "0,5*2*7", "1/2 viên * 2 lần", "theo y lệnh", "1 * 3", None)


def some(*values: Any) -> st.SearchStrategy[Any]:
    """One of `values`, or now and then null."""
    return st.sampled_from((*values, None))


MOMENTS = tuple(
    START + timedelta(days=day, minutes=minute)
    for day in (0, 1, 2, 6, 7, 8, 25, 30, 31, 40)
    for minute in (0, 1, 61, 300, 605, 900, 1_000, 1_020)
)


@st.composite
def encounters(draw_from: st.DrawFn, number: int) -> Row:
    """XML1 of the encounter numbered `number`."""
    arrival = draw_from(some(*MOMENTS))
    stay = timedelta(minutes=draw_from(st.sampled_from((0, 5, 45, 600, 2_000, 6_000))))
    known_end = arrival is not None and draw_from(st.integers(0, 7)) > 0
    return {
        "ma_lk": f"L{number}",
        "ma_cskcb": draw_from(st.sampled_from(FACILITIES)),
        "patient_id": draw_from(st.sampled_from(PATIENTS)),
        "ngay_vao": arrival,
        "ngay_ra": arrival + stay if known_end else None,
        "month": draw_from(st.sampled_from((202503, 202504, None))),
        "ngay_sinh": draw_from(some(date(1960, 3, 15), date(2024, 12, 31), date(2025, 4, 2))),
        "gioi_tinh": draw_from(some(1, 2, 3)),
        "ma_loai_kcb": draw_from(some("01", "3", "03", "09")),
        "ma_benh_chinh": draw_from(some("J02.9", "j02", "I10", "E11.9")),
        "ma_benh_kt": draw_from(some("I10", "I10;E11", " E78; I10;;", "")),
        "ma_doituong_kcb": draw_from(some("1.1", "2", "3.2", "2.1")),
        "ma_noi_di": draw_from(some("01003", "")),
        "ma_khoa": draw_from(some("K01", "K01;K19")),
        "ma_dkbd": draw_from(some("01002", "79001")),
        "so_ngay_dtri": draw_from(some(0, 1, 2, 5)),
        "facility_rank": draw_from(some("1", "2")),
        **{name: draw_from(some(*MONEY)) for name in ("t_tongchi_bv", "t_tongchi_bh", "t_bhtt", "t_bntt")},
    }


@st.composite
def _line(draw_from: st.DrawFn, encounter: Row, groups: Sequence[int]) -> Row:
    arrival = encounter["ngay_vao"] or START
    near = some(*(arrival + timedelta(minutes=m) for m in (-10, 0, 5, 30, 1_020, 1_500)))
    return {
        "ma_cskcb": encounter["ma_cskcb"],
        "ma_lk": encounter["ma_lk"],
        "ma_nhom": draw_from(some(*groups)),
        "doctor": draw_from(some("BS1", "BS2", "BS3")),
        "ma_khoa": draw_from(some("K01", "K19")),
        "so_luong": draw_from(some(*(Decimal(q) for q in ("0", "1", "2.5", "10", "14", "30", "2000")))),
        "thanh_tien_bh": draw_from(some(*MONEY)),
        "t_bhtt": draw_from(some(*MONEY)),
        "thanh_tien_bv": draw_from(some(*MONEY)),
        "tyle_tt_bh": draw_from(some(100, 80, 50)),
        "muc_huong": draw_from(some(Decimal(100), Decimal(80))),
        "ma_bac_si": draw_from(some("BS1", "BS2;BS1")),
        "ngay_yl": draw_from(near),
        "ngay_th_yl": draw_from(near),
    }


@st.composite
def drug_lines(draw_from: st.DrawFn, encounter: Row) -> Row:
    """A drug line of `encounter`."""
    return draw_from(_line(encounter, (4, 4, 6, 7, 17))) | {
        "ma_thuoc": draw_from(some("40.48", "40.100")),
        "lieu_dung": draw_from(st.sampled_from(DOSES)),
        "duong_dung": draw_from(some("1.01", "2.10")),
        "don_gia": draw_from(some(*PRICES)),
    }


@st.composite
def service_lines(draw_from: st.DrawFn, encounter: Row) -> Row:
    """A service, supply or bed line of `encounter`."""
    line = draw_from(_line(encounter, (1, 1, 2, 3, 8, 9, 10, 12, 13, 13, 15, 18, 19)))
    result = draw_from(some(1, 20, 90))
    ordered = line["ngay_yl"]
    return line | {
        "ma_dich_vu": draw_from(some("23.0075.1494", "02.1897")),
        "ma_vat_tu": draw_from(st.sampled_from((None, None, "N03.01"))),
        "don_gia_bh": draw_from(some(*PRICES)),
        "nguoi_thuc_hien": draw_from(some("BS1", "BS2; KTV1", "")),
        "ngay_kq": ordered + timedelta(minutes=result) if ordered and result else None,
    }


@st.composite
def claims(draw_from: st.DrawFn, *, most_encounters: int = 6, most_lines: int = 2) -> Claims:
    """Up to `most_encounters` encounters of few patients, each with up to `most_lines` lines of each kind."""
    stays = [draw_from(encounters(n)) for n in range(draw_from(st.integers(0, most_encounters)))]
    drugs = [d for s in stays for d in draw_from(st.lists(drug_lines(s), max_size=most_lines))]
    services = [d for s in stays for d in draw_from(st.lists(service_lines(s), max_size=most_lines))]
    return draw(encounter=stays, drug_line=drugs, service_line=services)
