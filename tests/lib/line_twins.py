"""Slow twins of the line level: every column counted again line by line with plain loops.

Nothing here is shared with `features/`; small words (headings, dosage, times) come from `tests/lib/twins.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from tests.lib.claims import Claims, Row
from tests.lib.twins import (
    Key,
    Values,
    care,
    code,
    days,
    dosage,
    heading,
    icd3,
    key_of,
    main_doctor,
    minutes,
    number,
    over,
    smallest,
    summed,
    supply,
    yes,
)

Catalogue = Sequence[Mapping[str, Any]]


def table_of(line: Row) -> str:
    """The table a line came from."""
    return "drug_line" if "ma_thuoc" in line else "service_line"


def line_features(claims: Claims, catalogues: Mapping[str, Catalogue] | None = None) -> dict[Key, Values]:
    """Every column of the line matrix, by (facility, claim, table, row number)."""
    every = claims.drug_line + claims.service_line
    encounters = {key_of(e): e for e in claims.encounter}
    rows: dict[Key, Values] = {}
    for line in every:
        encounter = encounters[key_of(line)]
        siblings = [x for x in every if key_of(x) == key_of(line)]
        rows[(*key_of(line), table_of(line), line["row_no"])] = (
            _kind(line, encounter)
            | _price(line, encounter, siblings)
            | _month_before(line, encounter, every, encounters)
            | _listed(line, encounter, catalogues or {})
            | _quantity(line, encounter, siblings)
            | _copies(line, siblings)
            | _history(line, encounter, claims)
            | _times(line, encounter, siblings)
            | _people(line, encounter, siblings)
        )
    return rows


def unit_price(line: Row) -> float | None:
    """VND a unit inside coverage."""
    return number(line["don_gia"] if "ma_thuoc" in line else line["don_gia_bh"])


def result(line: Row) -> datetime | None:
    """When a service's result came; drugs have none."""
    return line.get("ngay_kq")


def first(codes: str | None) -> str | None:
    """First code of a list."""
    return None if codes is None else re.split(r"[;,]", codes.strip())[0].strip()


def count(codes: str | None) -> int | None:
    """Codes of a list."""
    return None if codes is None else len(re.findall(r"[^;,\s]+", codes))


def _same(line: Row, siblings: list[Row]) -> list[Row]:
    """Lines of the claim that bill what `line` bills, itself included; none without a code."""
    return [x for x in siblings if code(line) and code(x) == code(line) and table_of(x) == table_of(line)]


def _kind(line: Row, encounter: Row) -> Values:
    return {
        "code": code(line),
        "heading": heading(line),
        "department": None if line["ma_khoa"] is None else re.split(r"[;,]", line["ma_khoa"].strip())[0],
        "ma_loai_kcb": care(encounter),
        "icd_letter": (icd3(encounter) or "")[:1] or None,
        "facility_rank": encounter["facility_rank"],
    }


def _price(line: Row, encounter: Row, siblings: list[Row]) -> Values:
    cost, price = number(line["thanh_tien_bh"]), unit_price(line)
    group = [x for x in siblings if x["ma_nhom"] == line["ma_nhom"]]
    prices = [p for x in _same(line, siblings) if (p := unit_price(x)) is not None and p > 0]
    quantity = number(line["so_luong"])
    product = None if quantity is None or price is None else quantity * price
    share = over(number(line["t_bhtt"]), cost)
    whole = over(number(encounter["t_bhtt"]), number(encounter["t_tongchi_bh"]))
    return {
        "line_cost": cost,
        "line_unit_price": price,
        "line_claim_share": over(cost, summed(x["thanh_tien_bh"] for x in siblings)),
        "line_group_share": over(cost, summed(x["thanh_tien_bh"] for x in group)),
        "line_over_lowest_price": over(price, min(prices)) if prices and price else None,
        "line_amount_over_product": over(number(line["thanh_tien_bv"]), product),
        "line_fund_share": share,
        "line_fund_share_above_claim": None if share is None or whole is None else share - whole,
        "line_pay_rate": number(line["tyle_tt_bh"]),
        "line_benefit_level": number(line["muc_huong"]),
    }


def _month_before(line: Row, encounter: Row, every: list[Row], encounters: Mapping[Key, Row]) -> Values:
    arrival = encounter["ngay_vao"]
    before = None if arrival is None else (arrival.replace(day=1) - timedelta(days=1)).strftime("%Y%m")

    def usual(place: Callable[[Row], Any], value: Callable[[Row], float | None]) -> float | None:
        found = [
            value(x) or 0.0
            for x in every
            if code(x)
            and (table_of(x), code(x)) == (table_of(line), code(line))
            and x["ngay_yl"]
            and x["ngay_yl"].strftime("%Y%m") == before
            and place(x) == place(line)
            and (unit_price(x) or 0) > 0
            and (x["so_luong"] or 0) > 0
        ]
        return median(found) if len(found) >= 5 else None

    def rank(x: Row) -> str:
        return encounters[key_of(x)]["facility_rank"] or ""

    def facility(x: Row) -> str:
        return x["ma_cskcb"]

    def quantity(x: Row) -> float | None:
        return number(x["so_luong"])

    return {
        f"line_{name}_over_{word}_median": over(value(line) or None, usual(place, value))
        for word, place in (("rank", rank), ("facility", facility))
        for name, value in (("price", unit_price), ("quantity", quantity))
    }


def _listed(line: Row, encounter: Row, catalogues: Mapping[str, Catalogue]) -> Values:
    at = line["ngay_th_yl"] or line["ngay_yl"]
    is_service = table_of(line) == "service_line" and heading(line) != "supply"
    found: list[tuple[int, Any, float]] = []  # how specific, since when, price
    for row in catalogues.get("services" if is_service else "tenders", ()):
        own_code = row["ma_dich_vu"] if is_service else row["code"]
        end = row.get("valid_to")
        if at is None or own_code != code(line) or not row["valid_from"] <= at.date() or (end and end < at.date()):
            continue
        facility, rank = row.get("ma_cskcb"), row.get("rank") if is_service else None
        if (facility and facility != line["ma_cskcb"]) or (
            rank and rank != encounter["facility_rank"] and not facility
        ):
            continue
        found.append((2 if facility else bool(rank), row["valid_from"], row["price"]))
    listed = max(found)[2] if found else None
    price = unit_price(line)
    known = price is not None and listed is not None and listed > 0
    return {
        "line_price_over_listed": over(price, listed),
        "line_at_listed_price": yes(abs((price or 0) - (listed or 0)) < 0.0005 if known else None),
    }


def _quantity(line: Row, encounter: Row, siblings: list[Row]) -> Values:
    quantity, stay = number(line["so_luong"]), minutes(encounter["ngay_vao"], encounter["ngay_ra"])
    length = None if stay is None else max(stay / 1440, 1)
    group = [x for x in siblings if x["ma_nhom"] == line["ma_nhom"]]
    same = _same(line, siblings)
    of_code = summed(x["so_luong"] for x in same) if same else None
    ordered = line["ngay_yl"]
    today = [x for x in same if ordered and x["ngay_yl"] and x["ngay_yl"].date() == ordered.date()]
    is_drug = heading(line) == "drug"
    lasts, written = (None, None)
    if table_of(line) == "drug_line":
        lasts, written = supply(line), dosage(line["lieu_dung"])[1]
    return {
        "line_quantity": quantity,
        "line_quantity_per_day": over(quantity, length),
        "line_code_quantity": of_code,
        "line_code_quantity_per_day": over(of_code, length),
        "line_code_quantity_same_day": summed(x["so_luong"] for x in today) if today else None,
        "line_heading_quantity_share": over(quantity, summed(x["so_luong"] for x in group)),
        "line_round_quantity": yes(quantity > 0 and quantity % 10 == 0) if is_drug and quantity is not None else None,
        "line_supply_days": lasts,
        "line_written_days": written,
        "line_supply_over_written": over(lasts, written),
        "line_supply_beyond_stay": None if lasts is None or stay is None else lasts - stay / 1440,
        "line_daily_dose": over(quantity, written),
        "line_unreadable_dose": yes(lasts is None) if is_drug else None,
    }


def _copies(line: Row, siblings: list[Row]) -> Values:
    same = _same(line, siblings)

    def alike(column: str) -> int | None:
        return sum(x[column] == line[column] for x in same) - 1 if same and line[column] is not None else None

    ordered = line["ngay_yl"]
    return {
        "line_same_code_in_claim": len(same) - 1 if same else None,
        "line_same_code_before": (
            sum(x["ngay_yl"] is not None and x["ngay_yl"] < ordered for x in same) if same and ordered else None
        ),
        "line_same_code_same_minute": alike("ngay_th_yl"),
        "line_same_code_same_amount": alike("thanh_tien_bh"),
    }


def _history(line: Row, encounter: Row, claims: Claims) -> Values:
    arrival, patient = encounter["ngay_vao"], encounter["patient_id"]
    known = bool(arrival and patient and code(line))
    earlier = {
        key_of(e): e
        for e in claims.encounter
        if known and e["patient_id"] == patient and e["ngay_vao"]
        if timedelta(0) < arrival - e["ngay_vao"] <= timedelta(days=365)
    }
    again = [
        x
        for x in claims.drug_line + claims.service_line
        if key_of(x) in earlier and table_of(x) == table_of(line) and code(x) == code(line)
        if x["ngay_yl"] and x["ngay_yl"] < arrival
    ]

    def within(limit: int) -> list[Row]:
        return [x for x in again if days(x["ngay_yl"], arrival) <= limit]

    in_hand = [
        (supply(x) or 0.0) - days(x["ngay_yl"], arrival)
        for x in within(120)
        if table_of(x) == "drug_line" and care(earlier[key_of(x)]) not in ("03", "04", "09")
    ]
    elsewhere = [x for x in within(90) if x["ma_cskcb"] != line["ma_cskcb"]]
    return {
        **{f"line_patient_same_code_{d}d": len(within(d)) if known else None for d in (7, 30, 90)},
        "line_same_code_elsewhere_90d": len(elsewhere) if known else None,
        "line_days_since_same_code": smallest(days(x["ngay_yl"], arrival) for x in again),
        "line_drug_days_in_hand": max([0.0, *in_hand]) if known and table_of(line) == "drug_line" else None,
    }


def _times(line: Row, encounter: Row, siblings: list[Row]) -> Values:
    order, done, ready = line["ngay_yl"], line["ngay_th_yl"], result(line)
    arrival, discharge = encounter["ngay_vao"], encounter["ngay_ra"]
    stated = [t for t in (order, done, ready) if t]
    stay, waited = minutes(arrival, discharge), minutes(arrival, order)

    def midnight(t: datetime) -> bool:
        return (t.hour, t.minute, t.second) == (0, 0, 0)

    def beyond(start: datetime | None, end: datetime | None) -> float | None:
        late = minutes(start, end)
        return None if late is None else max(late, 0.0)

    def company(of: Callable[[Row], Any]) -> int | None:
        return sum(of(x) == of(line) for x in siblings) - 1 if of(line) is not None else None

    return {
        "line_minutes_order_to_execution": minutes(order, done),
        "line_minutes_execution_to_result": minutes(done, ready),
        "line_minutes_order_to_result": minutes(order, ready),
        "line_clockless": yes(all(midnight(t) for t in stated)) if stated else None,
        "line_night": yes(order.hour >= 21 or order.hour < 6) if order and not midnight(order) else None,
        "line_weekend": yes(order.weekday() >= 5) if order else None,
        "line_minutes_from_arrival": waited,
        "line_minutes_before_arrival": beyond(done, arrival),
        "line_minutes_after_discharge": beyond(discharge, done),
        "line_result_after_discharge": beyond(discharge, ready),
        "line_day_of_stay": (order.date() - arrival.date()).days if order and arrival else None,
        "line_stay_part": over(waited, stay),
        "line_ordered_same_minute": company(lambda x: x["ngay_yl"]),
        "line_done_same_minute": company(lambda x: x["ngay_th_yl"]),
        "line_ordered_same_day": company(lambda x: x["ngay_yl"] and x["ngay_yl"].date()),
        "line_results_same_minute": company(result),
    }


def _people(line: Row, encounter: Row, siblings: list[Row]) -> Values:
    doctor, main = line["doctor"], main_doctor(siblings)
    performer = first(line.get("nguoi_thuc_hien")) or None
    signed = [x["doctor"] for x in siblings if x["doctor"]]
    own, listed = first(line["ma_khoa"]), encounter["ma_khoa"]
    return {
        "line_by_main_doctor": yes(doctor == main) if doctor and main else None,
        "line_self_performed": yes(performer == doctor) if performer and doctor else None,
        "line_practitioners": count(line["ma_bac_si"]),
        "line_performers": count(line.get("nguoi_thuc_hien")),
        "line_unsigned": yes(doctor is None),
        "line_doctor_share": over(signed.count(doctor), len(signed)) if doctor else None,
        "line_other_department": (
            yes(own not in re.split(r"[;,\s]+", listed)[:8]) if own and listed is not None else None
        ),
    }
