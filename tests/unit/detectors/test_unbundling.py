"""Unbundling: what one session, one organ and one name are, beyond the worked examples of the rules."""

from __future__ import annotations

from typing import Any

import pytest

from detectors.examples import Row, service, stay, tables_of
from detectors.rulebook import run_rules
from detectors.rules.unbundling import PAIRS, PAIRS_TOLD, Pair

BY_ID = {pair.id: pair for pair in PAIRS_TOLD}
RULES = {each.id: each for each in PAIRS}


def _named(name: str, at: str | None = None, group: int = 18) -> Row:
    times: dict[str, Any] = {} if at is None else {"ngay_yl": at, "ngay_th_yl": at}
    return service(ma_nhom=group, ten_dich_vu=name, **times)


def _hits(rule_id: str, *lines: Row) -> int:
    (run,) = run_rules(tables_of((stay(), *lines)), [RULES[rule_id]]).runs
    return run.hit


@pytest.mark.parametrize(
    ("whole_at", "part_at", "hits"),
    [
        ("2025-03-10 22:00", "2025-03-11 06:00", 1),  # over midnight, within the hours
        ("2025-03-10 08:00", "2025-03-11 08:00", 1),  # on the limit
        ("2025-03-10 08:00", "2025-03-11 08:01", 0),
        ("2025-03-10 00:00", "2025-03-11 00:00", 0),  # days only: another day is another session
        ("2025-03-10 00:00", "2025-03-10 15:00", 1),
    ],
)
def test_a_session_is_told_by_hours_or_by_day(whole_at: str, part_at: str, hits: int) -> None:
    pair = BY_ID["UNB-KT226"]
    assert _hits(pair.id, _named(pair.whole, whole_at), _named(pair.part, part_at)) == hits


def test_a_rule_without_hours_asks_for_one_day() -> None:
    pair = BY_ID["UNB-4262-2"]
    assert _hits(pair.id, _named(pair.whole, "2025-03-10 22:00"), _named(pair.part, "2025-03-11 01:00")) == 0
    assert _hits(pair.id, _named(pair.whole, "2025-03-11 08:00"), _named(pair.part, "2025-03-11 17:00")) == 1


@pytest.mark.parametrize(
    ("rule_id", "whole", "part"),
    [
        ("UNB-KT226", "Thăm dò huyết động bằng USCOM", "Hồng cầu lưới"),
        ("UNB-KT189_8", "Hút dịch khớp", "Tiêm khớp gối"),
        ("UNB-KT95", "Sinh thiết dưới hướng dẫn của siêu âm", "Siêu âm tuyến giáp"),
        ("UNB-KT95", "Chọc hút dịch màng phổi dưới hướng dẫn của siêu âm", "Siêu âm khớp gối"),
        ("UNB-KT01_19", "Nội soi cắt polyp mũi", "Nội soi đại trực tràng toàn bộ ống mềm"),
        ("UNB-4262-1", "Thay canuyn mở khí quản", "Hút đờm hầu họng"),
        ("UNB-4262-1", "Hút đờm qua ống nội khí quản/canuyn mở khí quản", "Hút đờm hầu họng"),
    ],
)
def test_names_that_only_sound_alike_are_clear(rule_id: str, whole: str, part: str) -> None:
    assert _hits(rule_id, _named(whole), _named(part)) == 0


@pytest.mark.parametrize("pair", [p for p in PAIRS_TOLD if p.surgery], ids=lambda p: p.id)
def test_a_whole_that_is_surgery_is_looked_for_among_surgery(pair: Pair) -> None:
    assert _hits(pair.id, _named(pair.whole, group=18), _named(pair.part)) == 0
    assert _hits(pair.id, _named(pair.whole, group=8), _named(pair.part)) == 1


def test_accents_tell_liver_from_tendon() -> None:
    part = _named("Cắt túi mật")
    assert _hits("UNB-KT01_10", _named("Cắt gân cơ", group=8), part) == 0
    assert _hits("UNB-KT01_10", _named("CẮT GAN PHẢI", group=8), part) == 1
