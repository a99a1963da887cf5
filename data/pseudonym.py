"""Pseudonyms of the personal identifiers of a claim: the same person gets the same name, and no one can turn it back.

The pseudonym is a keyed hash. Without the key a card number of ten digits could be found by trying them all, so the key
must be long and must stay out of the lake.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable

import polars as pl

MIN_KEY_BYTES = 32
_CARD_DIGITS = 10  # the social insurance number: stable while prefix, benefit digit and province of a card change


class Pseudonymiser:
    """Turns identifiers into pseudonyms under one key."""

    def __init__(self, key: bytes) -> None:
        """Raises ValueError for a key too short to withstand guessing."""
        if len(key) < MIN_KEY_BYTES:
            raise ValueError(f"the pseudonym key has {len(key)} bytes, at least {MIN_KEY_BYTES} are needed")
        self._key = key

    def patient(self, card: pl.Series) -> pl.Series:
        """Pseudonym of the last 10 characters of the first card in a ";" list; null without a card."""
        return self._each(card, "patient", first_card_number)

    def citizen(self, number: pl.Series) -> pl.Series:
        """Pseudonym of SO_CCCD."""
        return self._each(number, "citizen", _compact)

    def phone(self, number: pl.Series) -> pl.Series:
        """Pseudonym of DIEN_THOAI, by its digits: writing it with blanks or dots changes nothing."""
        return self._each(number, "phone", _digits)

    def _each(self, values: pl.Series, kind: str, normal: Callable[[str], str]) -> pl.Series:
        if values.null_count() == values.len():
            return pl.repeat(None, values.len(), dtype=pl.String, eager=True)
        known = values.cast(pl.String).drop_nulls().unique()
        names = pl.Series([self._name(kind, normal(value)) for value in known], dtype=pl.String)
        return values.cast(pl.String).replace_strict(known, names, default=None, return_dtype=pl.String)

    def _name(self, kind: str, value: str) -> str | None:
        if not value:
            return None
        # The kind is part of the message: a phone number that equals a card number gets another name.
        return hmac.digest(self._key, f"{kind}:{value}".encode(), "sha256")[:16].hex()


def first_card_number(cards: str) -> str:
    """The last 10 characters of the first card of a ";" list, upper case; empty without a card."""
    first = next((card for part in cards.split(";") if (card := _compact(part))), "")
    return first[-_CARD_DIGITS:]


def _compact(text: str) -> str:
    return "".join(text.split()).upper()


def _digits(text: str) -> str:
    return "".join(character for character in text if character.isdecimal())
