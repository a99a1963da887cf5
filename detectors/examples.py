"""The vocabulary of worked examples: a claim is told in a few words and comes out as full, typed claim tables.

`visit` and `stay` open an encounter; the lines after it belong to it. What an example does not say is filled in as an
honest claim would have it: times in order, one patient, amounts that add up. Any official field can be overridden by
name, with None for a blank.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any, Literal

import narwhals as nw
import polars as pl

from data.schema import ClaimTables, columns

if TYPE_CHECKING:
    from data.catalogues import Catalogues

Row = Mapping[str, Any]
Engine = Literal["polars", "duckdb"]

EXAM_PRICE, BED_PRICE, TEST_PRICE, SURGERY_PRICE, PILL_PRICE = 50_000, 300_000, 100_000, 3_000_000, 1_000

CATALOGUE = "catalogue_"
"""How the table of a catalogue's row is called in an example, before the catalogue's name."""

SOME_DAY = datetime.fromisoformat("2025-03-10T08:00")
"""Stands in for a blank arrival, so that lines still have a time."""

FACILITY_COLUMNS: dict[str, pl.DataType] = {
    "province": pl.String(),
    "facility_rank": pl.String(),
    "facility_level": pl.String(),
    "facility_kind": pl.String(),
}
"""What the facility catalogue adds to `encounter`; null where none is loaded."""


def visit(at: str = "2025-03-10 08:00", *, minutes: int = 120, **fields: Any) -> Row:
    """An outpatient consultation (MA_LOAI_KCB 01) that arrives `at` and lasts `minutes`."""
    arrived = datetime.fromisoformat(at)
    times = {"ngay_vao": arrived, "ngay_ra": arrived + timedelta(minutes=minutes)}
    return {"table": "encounter", "ma_loai_kcb": "01", **times, "so_ngay_dtri": 0, **fields}


def stay(days: int = 3, at: str = "2025-03-10 08:00", **fields: Any) -> Row:
    """An inpatient stay (MA_LOAI_KCB 03) that arrives `at` and leaves `days` calendar days later at 16:00."""
    arrived = datetime.fromisoformat(at)
    left = datetime.combine(arrived.date() + timedelta(days=days), datetime.min.time()) + timedelta(hours=16)
    times = {"ngay_vao": arrived, "ngay_vao_noi_tru": arrived, "ngay_ra": left, "so_ngay_dtri": days + 1}
    return {"table": "encounter", "ma_loai_kcb": "03", **times, **fields}


def drug(*, days: int = 10, per_day: int = 2, quantity: float | None = None, **fields: Any) -> Row:
    """A dispensed tablet: one at a time, `per_day` times a day for `days` days, in the quantity that needs."""
    dose = f"1 viên/lần * {per_day} lần/ngày * {days} ngày [{per_day} viên/ngày]"
    named = {"ma_thuoc": "40.48", "ten_thuoc": "Thuốc A", "don_vi_tinh": "viên", "duong_dung": "1.01", "ma_nhom": 4}
    amount = per_day * days if quantity is None else quantity
    return {"table": "drug_line", **named, "lieu_dung": dose, "so_luong": amount, "don_gia": PILL_PRICE, **fields}


def service(*, price: float = TEST_PRICE, quantity: float = 1, ratio: int = 100, **fields: Any) -> Row:
    """A service line, a laboratory test unless told otherwise, paid at `ratio` percent of its price."""
    named = {"ma_nhom": 1, "ma_dich_vu": "22.0120.1370", "ten_dich_vu": "Tổng phân tích tế bào máu"}
    prices = {"don_gia_bv": price, "don_gia_bh": price, "so_luong": quantity, "tyle_tt_dv": ratio}
    return {"table": "service_line", **named, **prices, **fields}


def exam(*, ratio: int = 100, **fields: Any) -> Row:
    """A consultation fee (group 13)."""
    named: Row = {"ma_nhom": 13, "ma_dich_vu": "01.1897", "ten_dich_vu": "Khám nội"}
    row: dict[str, Any] = {"price": EXAM_PRICE, "ratio": ratio, **named, **fields}
    return service(**row)


def bed(quantity: float = 1, **fields: Any) -> Row:
    """Inpatient bed days (group 15), in one line over the whole stay."""
    named: Row = {
        "ma_nhom": 15,
        "ma_dich_vu": "K03.1917",
        "ten_dich_vu": "Ngày giường nội khoa",
        "ma_giuong": "H001",
    }
    row: dict[str, Any] = {"price": BED_PRICE, "quantity": quantity, **named, **fields}
    return service(**row)


def surgery(start: str, *, minutes: int = 60, **fields: Any) -> Row:
    """An operation (group 8) from `start` for `minutes`, by one team."""
    begun = datetime.fromisoformat(start)
    times: Row = {"ngay_yl": begun, "ngay_th_yl": begun, "ngay_kq": begun + timedelta(minutes=minutes)}
    named: Row = {"ma_nhom": 8, "ma_dich_vu": "10.0506.0459", "ten_dich_vu": "Phẫu thuật cắt ruột thừa"}
    team = "001/CCHN;002/CCHN"
    row: dict[str, Any] = {"price": SURGERY_PRICE, "nguoi_thuc_hien": team, **times, **named, **fields}
    return service(**row)


def result(code: str, value: str = "5.1", **fields: Any) -> Row:
    """A result (XML4) of the service `code`."""
    return {"table": "lab_result", "ma_dich_vu": code, "gia_tri": value, **fields}


def listed(catalogue: str, **fields: Any) -> Row:
    """A row of a catalogue, in force since before the examples. Wherever it stands, it counts for the whole example."""
    return {"table": f"{CATALOGUE}{catalogue}", "valid_from": date(2020, 1, 1), **fields}


def tables_of(
    claim: Sequence[Row], *, engine: Engine = "polars", catalogues: Catalogues | None = None, snapshot: int = 1
) -> ClaimTables:
    """The claim tables of a worked example on the given engine, with the catalogues it lists or that are handed in.

    Raises ValueError when a line comes before any encounter, or a field does not exist.
    """
    from data.catalogues import Catalogues as Loaded

    if catalogues is None:
        catalogues = Loaded(_catalogues([row for row in claim if row["table"].startswith(CATALOGUE)], engine))
    claim = [row for row in claim if not row["table"].startswith(CATALOGUE)]
    rows: dict[str, list[dict[str, Any]]] = {"encounter": [], "drug_line": [], "service_line": [], "lab_result": []}
    for number, (opened, members) in enumerate(_encounters(claim), start=1):
        encounter = _encounter(opened, number)
        own = [_line(line, encounter, position) for position, line in enumerate(members, start=1)]
        billed = [line for line in own if line["table"] != "lab_result"]
        rows["encounter"].append(_with_totals(encounter, billed, opened))
        for line in own:
            table = rows[line.pop("table")]
            line.setdefault("row_no", 1 + sum(r["ma_lk"] == line["ma_lk"] for r in table))
            table.append(line)
    frames = {name: _frame(name, held, engine) for name, held in rows.items()}
    return ClaimTables(**frames, snapshot=snapshot, catalogues=catalogues)


def _catalogues(rows: Sequence[Row], engine: Engine) -> dict[str, nw.LazyFrame[Any]]:
    from data.catalogues import CATALOGUES

    held: dict[str, list[Row]] = {}
    for row in rows:
        held.setdefault(row["table"].removeprefix(CATALOGUE), []).append({**row, "load_seq": 1})
    return {name: _typed_frame(name, listing, CATALOGUES[name].dtypes(), engine) for name, listing in held.items()}


def _encounters(claim: Sequence[Row]) -> list[tuple[Row, list[Row]]]:
    found: list[tuple[Row, list[Row]]] = []
    for row in claim:
        if row["table"] == "encounter":
            found.append((row, []))
        elif not found:
            raise ValueError(f"{row['table']} comes before any visit() or stay() of the example")
        else:
            found[-1][1].append(row)
    return found


def _encounter(given: Row, number: int) -> dict[str, Any]:
    arrived, left = _moment(given.get("ngay_vao")), _moment(given.get("ngay_ra"))
    year = arrived.year if arrived else SOME_DAY.year
    honest: dict[str, Any] = {
        "ma_cskcb": "01001",
        "ma_lk": f"LK{number:03}",
        "ma_bn": "BN1",
        "patient_id": "P1",
        "card_class": "DN4",
        "ngay_sinh": date(1985, 5, 20),
        "birth_precision": "day",
        "gioi_tinh": 1,
        "gt_the_tu": f"{year}0101",
        "gt_the_den": f"{year}1231",
        "ma_benh_chinh": "J18.9",
        "ma_doituong_kcb": "1.1",
        "ket_qua_dtri": 2,
        "ma_loai_rv": 1,
        "ma_khoa": "K03",
        "nam_qt": year,
        "withdrawn": False,
        "standard": "130",
        "version": 1,
        "row_no": 1,
        "month": left.year * 100 + left.month if left else None,
    }
    return honest | {name: value for name, value in given.items() if name != "table"}


def _line(given: Row, encounter: Mapping[str, Any], position: int) -> dict[str, Any]:
    arrived = _moment(encounter["ngay_vao"]) or SOME_DAY
    ordered = arrived + timedelta(minutes=5 + 5 * position)
    if given["table"] == "lab_result":
        of_claim = {name: encounter[name] for name in ("ma_cskcb", "ma_lk", "standard", "month", "version")}
        return of_claim | {"ngay_kq": ordered + timedelta(minutes=30)} | dict(given)
    honest: dict[str, Any] = {
        "ma_cskcb": encounter["ma_cskcb"],
        "ma_lk": encounter["ma_lk"],
        "ma_khoa": encounter["ma_khoa"],
        "ma_bac_si": "001/CCHN",
        "doctor": "001/CCHN",
        "pham_vi": 1,
        "tyle_tt_bh": 100,
        "muc_huong": 80,
        "t_nguonkhac": 0,
        "ma_pttt": 1,
        "ngay_yl": ordered,
        "ngay_th_yl": ordered,
        "standard": encounter["standard"],
        "month": encounter["month"],
        "version": encounter["version"],
    }
    if given["table"] == "drug_line":
        honest["nguon_ctra"] = 1
    elif given["ma_nhom"] in (1, 2, 3):
        honest |= {"ngay_kq": ordered + timedelta(minutes=30), "nguoi_thuc_hien": "001/CCHN"}
    elif given["ma_nhom"] in (14, 15, 16):
        honest["ngay_kq"] = encounter["ngay_ra"]
    line = honest | dict(given)
    for name, value in _amounts(line).items():
        line.setdefault(name, value)
    return line


def _amounts(line: Mapping[str, Any]) -> dict[str, Decimal]:
    """What the line's formulas give (claims format: money identities), a blank counting as 0."""
    quantity, covered, benefit = (_number(line.get(n)) for n in ("so_luong", "tyle_tt_bh", "muc_huong"))
    share = Decimal(1)
    if line["table"] == "drug_line":
        hospital = insured = _number(line.get("don_gia"))
    else:
        hospital, insured = _number(line.get("don_gia_bv")), _number(line.get("don_gia_bh"))
        share = _number(line.get("tyle_tt_dv")) / 100
    bill = _cents(quantity * hospital * share)
    inside = _cents(_number(line.get("thanh_tien_bh", quantity * insured * share * covered / 100)))
    fund = _cents(_number(line.get("t_bhtt", inside * benefit / 100)))
    return {
        "thanh_tien_bv": bill,
        "thanh_tien_bh": inside,
        "t_bhtt": fund,
        "t_bncct": inside - fund,
        "t_bntt": bill - inside,
    }


def _with_totals(encounter: dict[str, Any], own: Sequence[Mapping[str, Any]], given: Row) -> dict[str, Any]:
    def total(column: str, *, of: Sequence[Mapping[str, Any]] = own) -> Decimal:
        return sum((_number(line.get(column)) for line in of), Decimal(0))

    sums = {
        "t_thuoc": total("thanh_tien_bv", of=[line for line in own if line["table"] == "drug_line"]),
        "t_vtyt": total("thanh_tien_bv", of=[line for line in own if line["ma_nhom"] in (10, 11)]),
        "t_tongchi_bv": total("thanh_tien_bv"),
        "t_tongchi_bh": total("thanh_tien_bh"),
        "t_bntt": total("t_bntt"),
        "t_bncct": total("t_bncct"),
        "t_bhtt": total("t_bhtt"),
        "t_bhtt_gdv": total("t_bhtt"),
        "t_nguonkhac": total("t_nguonkhac"),
    }
    return encounter | {name: value for name, value in sums.items() if name not in given}


def _frame(name: str, rows: Sequence[Mapping[str, Any]], engine: Engine) -> nw.LazyFrame[Any]:
    return _typed_frame(name, rows, columns(name) | (FACILITY_COLUMNS if name == "encounter" else {}), engine)


def _typed_frame(
    name: str, rows: Sequence[Mapping[str, Any]], schema: Mapping[str, pl.DataType], engine: Engine
) -> nw.LazyFrame[Any]:
    unknown = {field for row in rows for field in row} - {*schema, "table"}
    if unknown:
        raise ValueError(f"{name} has no field {', '.join(sorted(unknown))}")
    data = {field: [_typed(row.get(field), dtype) for row in rows] for field, dtype in schema.items()}
    frame = nw.from_native(pl.DataFrame(data, schema=schema), eager_only=True)
    return frame.lazy() if engine == "polars" else frame.lazy(backend="duckdb")


def _typed(value: Any, dtype: pl.DataType) -> Any:
    if value is None:
        return None
    match dtype:
        case pl.Datetime():
            return _moment(value)
        case pl.Date():
            return date.fromisoformat(value) if isinstance(value, str) else value
        case pl.Decimal():
            return _number(value).quantize(Decimal(1).scaleb(-dtype.scale), ROUND_HALF_UP)
        case _:
            return value


def _moment(value: str | datetime | None) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def _number(value: float | str | Decimal | None) -> Decimal:
    return Decimal(str(value)) if value is not None else Decimal(0)


def _cents(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.01"), ROUND_HALF_UP)
