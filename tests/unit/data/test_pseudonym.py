"""Pseudonyms: stable for a person, different by kind and key, silent on nothing."""

from __future__ import annotations

import polars as pl
import pytest

from data.pseudonym import Pseudonymiser

KEY = b"k" * 32


def name(values: list[str | None], kind: str = "patient", key: bytes = KEY) -> list[str | None]:
    return getattr(Pseudonymiser(key), kind)(pl.Series(values, dtype=pl.String)).to_list()


def test_a_patient_keeps_the_name_when_the_card_changes() -> None:
    first, *others = name(
        ["DN4010123456789", " gd2790123456789\t", "0123456789", "TE1010123456789;DN4019999999999", ";DN4010123456789"]
    )
    assert others == [first] * 4
    assert first is not None
    assert len(first) == 32


def test_no_card_is_no_name() -> None:
    assert name([None, "", " ", ";"]) == [None] * 4
    assert name([]) == []
    assert name([None, "-", "+84"], "phone")[:2] == [None, None]


def test_kinds_and_keys_never_collide() -> None:
    number = "0123456789"
    names = {name([number], kind)[0] for kind in ("patient", "citizen", "phone")} | {name([number], key=b"l" * 32)[0]}
    assert len(names) == 4


def test_a_phone_is_its_digits() -> None:
    assert len(set(name(["0912 345 678", "0912.345.678", "0912345678"], "phone"))) == 1


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 32"):
        Pseudonymiser(b"short")
