"""How values look on a page: money, counts, times and codes, in Vietnamese or English. Pure functions.

Times of claims are Vietnamese wall-clock time without a zone; times of our own records are UTC and are shown as
Vietnamese time, which has no daylight saving.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

Lang = Literal["vi", "en"]
Number = int | float | Decimal

ABSENT = "—"
VIETNAM = timezone(timedelta(hours=7), "Asia/Ho_Chi_Minh")


def money(amount: Number | None, lang: Lang) -> str:
    """Whole dong, rounded half away from zero: `1.234.567 ₫` or `1,234,567 ₫`."""
    return ABSENT if amount is None else f"{number(amount, lang)}\N{NO-BREAK SPACE}₫"


def short_money(amount: Number | None, lang: Lang) -> str:
    """Money to read at a glance: `1,23 tỷ ₫` or `1.23 bn ₫`; exact below one million."""
    if amount is None:
        return ABSENT
    value = _decimal(amount)
    for floor, vi, en in ((Decimal(10**9), "tỷ", "bn"), (Decimal(10**6), "triệu", "m")):
        if abs(value) >= floor:
            words = (number(value / floor, lang, places=2), vi if lang == "vi" else en, "₫")
            return "\N{NO-BREAK SPACE}".join(words)
    return money(value, lang)


def place(score: Number | None, lang: Lang) -> str:
    """A score on a scale of 100: where a claim stands, not how likely anything is, so without a percent sign."""
    return number(None if score is None else _decimal(score) * 100, lang, places=1)


def number(value: Number | None, lang: Lang, *, places: int = 0) -> str:
    """A number with thousands marks, at most `places` decimals, no trailing zeros."""
    if value is None:
        return ABSENT
    rounded = _decimal(value).quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
    text = f"{rounded:,f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text.translate(str.maketrans(",.", ".,")) if lang == "vi" else text


def percent(share: float | None, lang: Lang, *, places: int = 1) -> str:
    """A share of one as per cent: 0.873 is `87,3 %` or `87.3%`."""
    if share is None:
        return ABSENT
    text = number(share * 100, lang, places=places)
    return f"{text}\N{NO-BREAK SPACE}%" if lang == "vi" else f"{text}%"


def day(value: date | datetime | None) -> str:
    """`dd/mm/yyyy` in both languages, as claims are read in Vietnam."""
    return ABSENT if value is None else _local(value).strftime("%d/%m/%Y")


def moment(value: datetime | None) -> str:
    """`dd/mm/yyyy HH:MM`, Vietnamese time."""
    return ABSENT if value is None else _local(value).strftime("%d/%m/%Y %H:%M")


def parse_moment(text: str | None) -> datetime | None:
    """The time an ISO text names; None for an absent or unreadable one."""
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None


def parse_money(text: str) -> Decimal | None:
    """An amount as a person types it: `1.234.567`, `1,234,567`, `1234567 ₫`. None when it is not one.

    A mark followed by exactly three digits groups thousands; dong have no decimals to confuse it with.
    """
    bare = text.strip().removesuffix("₫").removesuffix("đ").replace("\N{NO-BREAK SPACE}", " ").replace(" ", "")
    head, *groups = bare.replace(",", ".").split(".")
    if not head.isascii() or not head.isdigit() or any(len(g) != 3 or not g.isdigit() for g in groups):
        return None
    if groups and len(head) > 3:
        return None
    return Decimal(head + "".join(groups))


def _local(value: date) -> date:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(VIETNAM)
    return value


def _decimal(value: Number) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(str(value))
