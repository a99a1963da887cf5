"""Rules on what a card tells over time: what a worked example of one rule cannot show."""

from typing import Any

from detectors.base import Rule
from detectors.examples import Row, exam, service, stay, surgery, tables_of, visit
from detectors.rulebook import run_rules
from detectors.rules.benefit_levels import benefit_above_access
from detectors.rules.card_history import (
    blood_group_changes,
    organ_removed_twice,
    several_identities,
    too_many_visits,
    two_deliveries,
)
from detectors.rules.card_validity import cost_after_expiry, outgrown_child_card


def named(rule: Rule, *claim: Row) -> dict[str, tuple[float, float]]:
    """Observed and allowed of each encounter that `rule` names."""
    hits = run_rules(tables_of(claim), [rule]).hits
    return {row["ma_lk"]: (row["observed"], row["allowed"]) for row in hits.iter_rows(named=True)}


def test_days_after_expiry_are_counted_over_leap_day_and_new_year() -> None:
    leap = named(cost_after_expiry, stay(40, "2024-02-20 08:00", gt_the_den="20240225"), service(ngay_yl="2024-03-20"))
    assert leap == {"LK001": (24.0, 15.0)}
    year = named(cost_after_expiry, stay(40, "2024-12-20 08:00", gt_the_den="20241231"), service(ngay_yl="2025-01-20"))
    assert year == {"LK001": (20.0, 15.0)}


def test_a_childs_card_lasts_to_the_end_of_its_month_or_of_september() -> None:
    def used(born: str, day: str, **fields: Any) -> bool:
        return bool(
            named(outgrown_child_card, visit(f"{day} 08:00", card_class="TE1", ngay_sinh=born, **fields), exam())
        )

    assert not used("2019-01-15", "2025-09-30")
    assert used("2019-01-15", "2025-10-01")
    assert not used("2019-11-15", "2025-11-30")
    assert used("2019-11-15", "2025-12-01")
    assert not used("2019-01-01", "2025-12-31", birth_precision="year")


def test_one_slip_does_not_name_the_visits_that_follow_it() -> None:
    visits = [visit(), exam()]
    for month, sex in (("04", 2), ("05", 1), ("06", 1)):
        visits += [visit(f"2025-{month}-10 08:00", gioi_tinh=sex), exam()]
    assert named(several_identities, *visits) == {"LK002": (1.0, 0.0)}


def test_blood_groups_in_their_spellings() -> None:
    def differ(first: str, second: str) -> bool:
        return bool(named(blood_group_changes, visit(nhom_mau=first), visit("2025-04-10", nhom_mau=second), exam()))

    assert not any(differ(a, b) for a, b in (("A", "A+"), ("ab Rh+", "AB"), ("O", "Orh(-)"), ("B", "không rõ")))
    assert differ("A", "AB")
    assert differ("B+", "A Rh+")


def test_the_ninth_visit_and_each_one_after_it() -> None:
    claim = [row for d in range(11) for row in (visit(f"2025-03-{10 + d} 08:00"), exam())]
    assert named(too_many_visits, *claim) == {"LK009": (9.0, 8.0), "LK010": (10.0, 8.0), "LK011": (11.0, 8.0)}
    spread = [row for d in range(11) for row in (visit(f"2025-{1 + d:02}-10 08:00"), exam())]
    assert named(too_many_visits, *spread) == {}


def test_deliveries_and_removals_by_name() -> None:
    def twice(rule: Rule, name: str) -> bool:
        first = stay(3, gioi_tinh=2), surgery("2025-03-10 14:00", ten_dich_vu=name)
        second = stay(3, "2025-05-10 08:00", gioi_tinh=2), surgery("2025-05-10 14:00", ten_dich_vu=name)
        return bool(named(rule, *first, *second))

    births = ("Phẫu thuật lấy thai lần đầu", "Đỡ đẻ thường ngôi chỏm", "Forceps")
    others = ("Làm lại vết mổ lấy thai", "Nội soi đo đè ép tủy", "Giảm đau sau mổ lấy thai")
    assert [name for name in (*births, *others) if twice(two_deliveries, name)] == list(births)

    removals = (
        "Cắt ruột thừa đơn thuần",
        "Phẫu thuật nội soi cắt túi mật",
        "Cắt toàn bộ tử cung đường bụng",
        "Cắt lách toàn bộ do chấn thương",
    )
    kept = ("Cắt lách bán phần", "Cắt mỏm cụt ruột thừa", "Cắt u tuyến tiền liệt qua nội soi", "Khâu túi mật")
    assert [name for name in (*removals, *kept) if twice(organ_removed_twice, name)] == list(removals)


def test_the_share_of_an_access_code_changes_with_the_day() -> None:
    def paid(day: str, percent: int) -> bool:
        claim = visit(f"{day} 08:00", ma_doituong_kcb="1.14"), service(price=5_000_000, muc_huong=percent)
        return bool(named(benefit_above_access, *claim))

    assert not paid("2025-06-30", 80)  # the code had another meaning, or none
    assert paid("2025-07-01", 40)
    assert paid("2026-06-30", 40)
    assert not paid("2026-07-01", 40)
    assert paid("2026-07-01", 80)
