"""Cursors: where a program stopped in a list, as a text it hands back unread."""

from __future__ import annotations

import base64
import binascii
import json
from decimal import Decimal, InvalidOperation
from typing import Any

from data.errors import MinhBachError
from service.reading import Place


class BadCursor(MinhBachError):
    """A cursor that no list gave."""

    code, http_status = "bad_cursor", 422

    def __init__(self) -> None:
        """The way out is to start again."""
        super().__init__(
            "the cursor is not one this list gave: start again without it",
            vi="Con trỏ trang không hợp lệ: hãy bắt đầu lại, không kèm cursor",
        )


def write_place(run_id: str, place: Place) -> str:
    """The cursor of a place in a run's ranking."""
    worth = [] if place.worth is None else [place.worth]
    return _pack([run_id, place.score, str(place.expected_recoverable), *place.key, *worth])


def read_place(cursor: str) -> tuple[str, Place]:
    """The run and the place of a cursor. Raises BadCursor."""
    match _unpack(cursor):
        case [str(run_id), float() | int() as score, str(money), str(first), str(second), *worth] if _is_worth(worth):
            try:
                amount = Decimal(money)
            except InvalidOperation:
                raise BadCursor from None
            if not amount.is_finite():
                raise BadCursor
            per_minute = float(worth[0]) if worth else None
            return run_id, Place(score=float(score), expected_recoverable=amount, key=(first, second), worth=per_minute)
        case _:
            raise BadCursor


def write_number(number: int) -> str:
    """The cursor of a list that goes by falling numbers."""
    return _pack([number])


def read_number(cursor: str) -> int:
    """The number of a cursor. Raises BadCursor."""
    match _unpack(cursor):
        case [int(number)]:
            return number
        case _:
            raise BadCursor


def _is_worth(values: list[Any]) -> bool:
    return not values or (len(values) == 1 and isinstance(values[0], float | int))


def _pack(values: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(values, separators=(",", ":")).encode()).decode().rstrip("=")


def _unpack(cursor: str) -> Any:
    try:
        return json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError):
        raise BadCursor from None
