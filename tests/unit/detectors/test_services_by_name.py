"""Services told by name: names that are meant, names that only sound alike, and limits on their border."""

from __future__ import annotations

from typing import Any

import pytest

from detectors.base import rules
from detectors.examples import Row, service, stay, surgery, tables_of, visit
from detectors.rulebook import run_rules

RULES = {each.id: each for each in rules()}


def _hits(rule_id: str, *claim: Row) -> int:
    """Lines the rule names in the claim."""
    return run_rules(tables_of(claim), [RULES[rule_id]]).hits.height


def _named(name: str, at: str | None = None, **fields: Any) -> Row:
    times: dict[str, Any] = {} if at is None else {"ngay_yl": at, "ngay_th_yl": at}
    return service(ma_nhom=18, ten_dich_vu=name, **times, **fields)


@pytest.mark.parametrize(
    ("rule_id", "name"),
    [
        ("SRV-08", "Chụp CLVT lồng ngực có thuốc cản quang"),
        ("SRV-15", "Nhuộm Giemsa tìm Helicobacter pylori"),
        ("SRV-17", "Hút đờm qua canuyn mở khí quản bằng ống thông kín"),
        ("SRV-42", "Thay băng vết thương chiều dài ≤ 15cm"),
        ("SRV-42", "CẮT CHỈ SAU PHẪU THUẬT"),
        ("SRV-42", "Tháo bột các loại"),
        ("SRV-43", "Nội soi đại trực tràng toàn bộ ống mềm có sinh thiết"),
        ("SRV-45", "Điều trị tuỷ lại"),
    ],
)
def test_names_that_are_meant(rule_id: str, name: str) -> None:
    assert _hits(rule_id, stay(), _named(name)) == 1


@pytest.mark.parametrize(
    ("rule_id", "name"),
    [
        ("SRV-08", "Chụp cắt lớp vi tính cột sống cổ không tiêm thuốc cản quang"),
        ("SRV-08", "Chụp cắt lớp vi tính có hoặc không tiêm thuốc cản quang"),
        ("SRV-15", "Nhuộm Giemsa tủy đồ"),
        ("SRV-17", "Hút đờm hầu họng"),
        ("SRV-35", "Phẫu thuật khối mô lạc chỗ"),
        ("SRV-35", "Đo khúc xạ máy"),
        ("SRV-42", "Thay băng điều trị vết bỏng dưới 15% diện tích cơ thể"),
        ("SRV-42", "Cắt chi dưới"),
        ("SRV-42", "Truyền hóa chất tĩnh mạch nội trú"),
        ("SRV-43", "Nội soi thực quản dạ dày tá tràng có hoặc không sinh thiết"),
        ("SRV-45", "Điều trị tủy sống"),
        ("SRV-45", "Điều trị viêm tụy cấp"),
    ],
)
def test_names_that_only_sound_alike(rule_id: str, name: str) -> None:
    assert _hits(rule_id, stay(), _named(name)) == 0


@pytest.mark.parametrize(("second_at", "hits"), [("2025-03-12 08:59", 1), ("2025-03-12 09:00", 0)])
def test_a_span_ends_with_its_last_hour(second_at: str, hits: int) -> None:
    first = _named("Định lượng Pro-calcitonin", "2025-03-10 09:00")
    assert _hits("SRV-09", stay(days=4), first, _named("Định lượng Pro-calcitonin", second_at)) == hits


def test_a_test_in_a_later_claim_does_not_move_an_earlier_one() -> None:
    """The stay began first: its test carries no sign, although it was done after that of the visit."""
    in_stay = _named("Định lượng HbA1c", "2025-03-20 08:00")
    in_visit = _named("Định lượng HbA1c", "2025-03-10 09:00")
    claim = (stay(days=20, at="2025-03-05 08:00"), in_stay, visit("2025-03-10 08:00", ma_cskcb="01002"), in_visit)
    assert _hits("SRV-10", *claim) == 0


@pytest.mark.parametrize(
    ("pause", "hits"),
    [("2025-03-11 09:15", 0), ("2025-03-11 09:16", 1), ("2025-03-11 10:00", 1), ("2025-03-11 10:01", 0)],
)
def test_a_second_operation_is_looked_at_within_an_hour(pause: str, hits: int) -> None:
    assert _hits("SRV-47", stay(), surgery("2025-03-11 08:00"), surgery(pause, price=2_000_000)) == hits


@pytest.mark.parametrize(("at", "hits"), [("2025-03-11 07:59", 0), ("2025-03-11 08:00", 1), ("2025-03-11 09:00", 0)])
def test_within_an_operation_is_until_its_end(at: str, hits: int) -> None:
    assert _hits("SRV-02", stay(), surgery("2025-03-11 08:00"), _named("Đặt ống dẫn lưu", at)) == hits


@pytest.mark.parametrize(
    ("at", "born", "hits"),
    [
        ("2025-06-30 08:00", "2015-01-01", 1),  # ten years old, the last day of the older age
        ("2025-07-01 08:00", "2015-01-01", 0),
        ("2025-07-01 08:00", "2007-01-01", 1),
    ],
)
def test_the_age_of_squint_surgery_is_that_of_the_day(at: str, born: str, hits: int) -> None:
    assert (
        _hits("SRV-35", visit(at, ma_benh_chinh="H50.0", ngay_sinh=born), _named("Phẫu thuật lác thông thường")) == hits
    )
