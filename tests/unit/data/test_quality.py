"""Software tickets: the first day is found, chance is no ticket, a shared fault is nobody's; and the scorecard."""

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from data.lake import Lake
from data.masks import TICKET as MASK_COLUMNS
from data.quality import (
    ALARM,
    DRIFT,
    TICKET,
    Scorecard,
    UnknownFacility,
    facility_card,
    month_of,
    score_of,
    scorecard,
    tickets,
)
from tests.lib.faults import Drawn

TIMES = "XML3.NGAY_TH_YL.date_without_time"  # masks cells
REPEATS = "XML3.THANH_TIEN_BV.zero_repeat"  # masks rows
MONEY = "XML3.T_BHTT.identity"  # moves the fund's money: never masks
DATES = "XML1.NGAY_RA.missing_date"  # costs the row, which has no day
LENGTH = "XML1.MA_DKBD.list_length"  # only counted
OTHERS = ("98002", "98003", "99001")
Found = Callable[[Drawn], pl.DataFrame]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake", clock=lambda: datetime(2026, 10, 1, tzinfo=UTC), memory="512MB")


@pytest.fixture
def found(lake: Lake) -> Found:
    def tickets_of(drawn: Drawn) -> pl.DataFrame:
        drawn.commit(lake)
        with lake.reader() as reader:
            return tickets(reader)

    return tickets_of


def world(*, facilities: tuple[str, ...] = ("98001", *OTHERS), days: int = 100) -> Drawn:
    """Ten claims a day, four service lines each, from the first of January."""
    drawn = Drawn()
    for facility in facilities:
        drawn.sent(facility, "2026-01-01", days=days, encounter=10, service_line=40)
    return drawn


def only(rows: pl.DataFrame) -> dict[str, Any]:
    assert rows.height == 1
    return rows.row(0, named=True)


def test_a_fault_from_a_day_on_is_one_ticket_from_that_day(found: Found) -> None:
    drawn = world()
    drawn.failed("98001", TIMES, "2026-02-15", days=55, rows=38, claims=10)
    ticket = only(found(drawn))
    assert ticket | {"unit": "claims", "share": 1.0} == ticket
    assert (ticket["ticket_id"], ticket["field"], ticket["mask"]) == (f"98001:{TIMES}", "ngay_th_yl", "cell")
    assert (ticket["since"], ticket["until"], ticket["open"]) == (date(2026, 2, 15), date(2026, 4, 10), True)
    assert (ticket["failed"], ticket["rows"], ticket["claims"], ticket["sent_claims"]) == (2090, 2200, 550, 550)
    assert (ticket["elsewhere"], ticket["also"]) == (0.0, 0)


def test_now_and_then_before_it_does_not_move_the_first_day(found: Found) -> None:
    drawn = world()
    drawn.failed("98001", TIMES, "2026-01-03", days=40, every=9)  # one in ninety claims
    drawn.failed("98001", TIMES, "2026-02-15", days=55, rows=20, claims=5)
    assert only(found(drawn))["since"] == date(2026, 2, 15)


def test_a_mended_fault_stays_a_ticket_and_is_not_open(found: Found) -> None:
    drawn = world(days=300)
    drawn.failed("98001", TIMES, "2026-01-11", days=10, rows=30, claims=8)
    drawn.failed("98001", TIMES, "2026-06-01", rows=1)  # once more, by hand: not the software
    ticket = only(found(drawn))
    assert (ticket["since"], ticket["until"], ticket["open"]) == (date(2026, 1, 11), date(2026, 1, 20), False)
    assert (ticket["claims"], ticket["share"]) == (80, 0.8)


@pytest.mark.parametrize(("later", "is_open"), [(1, True), (2, False)])
def test_mended_needs_twenty_claims_without_the_fault(found: Found, later: int, is_open: bool) -> None:
    drawn = world(days=30 + later)
    drawn.failed("98001", TIMES, "2026-01-21", days=10, rows=30, claims=10)
    ticket = only(found(drawn))
    assert (ticket["until"], ticket["open"]) == (date(2026, 1, 30), is_open)


def test_a_rare_fault_must_stay_away_for_longer_before_it_counts_as_mended(lake: Lake) -> None:
    days = {True: 104, False: 105}  # one claim in ten: five faults are to be expected in fifty claims
    for is_open, sent in days.items():
        own = Lake(lake.root / str(sent), clock=lambda: datetime(2026, 10, 1, tzinfo=UTC), memory="512MB")
        drawn = world(days=sent)
        drawn.failed("98001", TIMES, "2026-01-01", days=100, rows=1, claims=1)
        drawn.commit(own)
        with own.reader() as reader:
            ticket = only(tickets(reader))
        assert (ticket["share"], ticket["open"]) == (0.1, is_open)


def test_claims_that_come_later_do_not_move_the_first_day_nor_drop_the_ticket(lake: Lake) -> None:
    drawn = world(days=60)
    drawn.failed("98001", TIMES, "2026-02-10", days=20, rows=20, claims=5)
    drawn.commit(lake, "load-1")
    later = Drawn()
    for facility in ("98001", *OTHERS):
        later.sent(facility, "2026-03-02", days=600, encounter=10, service_line=40)
    later.commit(lake, "load-2")
    since = []
    for snapshot in (1, 2):
        with lake.reader(snapshot) as reader:
            since.append(only(tickets(reader))["since"])
    assert since == [date(2026, 2, 10)] * 2


def test_a_fault_that_comes_back_is_the_same_ticket_open_again(found: Found) -> None:
    drawn = world(days=200)
    drawn.failed("98001", TIMES, "2026-01-11", days=20, rows=40, claims=10)
    drawn.failed("98001", TIMES, "2026-07-10", days=10, rows=40, claims=10)
    ticket = only(found(drawn))
    assert (ticket["since"], ticket["until"], ticket["open"]) == (date(2026, 1, 11), date(2026, 7, 19), True)


@pytest.mark.parametrize(
    ("days", "rows", "claims"),
    [
        pytest.param(1, 19, 10, id="nineteen rows"),
        pytest.param(1, 40, 9, id="nine claims"),
        pytest.param(90, 1, 1, id="a tenth of the claims, by a hair less"),
    ],
)
def test_too_little_is_no_ticket(found: Found, days: int, rows: int, claims: int) -> None:
    drawn = world(days=100) if days < 90 else Drawn()
    if days >= 90:
        for facility in ("98001", *OTHERS):
            drawn.sent(facility, "2026-01-01", days=100, encounter=11, service_line=40)
    drawn.failed("98001", TIMES, "2026-01-05", days=days, rows=rows, claims=claims)
    assert found(drawn).is_empty()


@pytest.mark.parametrize(("elsewhere", "height"), [(1, 1), (2, 0)])
def test_a_share_that_others_nearly_have_is_nobodys_software(found: Found, elsewhere: int, height: int) -> None:
    drawn = world()
    drawn.failed("98001", TIMES, "2026-01-01", days=100, rows=4, claims=4)  # 40 % of claims
    for facility in OTHERS:  # not enough of it to be a ticket of their own: 4 % and 9 %
        every = 25 if elsewhere == 1 else 11
        drawn.failed(facility, TIMES, "2026-01-01", days=100, every=every, rows=10, claims=10)
    assert found(drawn).height == height


@pytest.mark.parametrize(("claims", "height"), [(4, 0), (5, 1)])
def test_a_facility_alone_must_fail_in_half_of_its_claims(found: Found, claims: int, height: int) -> None:
    drawn = world(facilities=("98001",))
    drawn.failed("98001", TIMES, "2026-02-01", days=30, rows=claims, claims=claims)
    rows = found(drawn)
    assert rows.height == height
    assert rows["elsewhere"].to_list() == [None] * height


def test_what_the_share_is_of_follows_from_the_table(found: Found) -> None:
    drawn = world()
    for facility in ("98001", *OTHERS):
        drawn.sent(facility, "2026-01-01", days=100, xml7=1)  # one claim in ten has a discharge paper
    papers = "XML7.NGAY_VAO.date_without_time"
    drawn.failed("98001", papers, "2026-01-31", days=70, rows=1, claims=1)
    drawn.failed("98001", REPEATS, "2026-01-31", days=70, rows=2, claims=2)  # one line of a claim in five
    rows = {r["check_id"]: (r["unit"], r["share"], r["mask"]) for r in found(drawn).iter_rows(named=True)}
    assert rows == {papers: ("rows", 1.0, "cell"), REPEATS: ("claims", 0.2, "row")}


def test_facilities_of_the_same_software_each_get_a_ticket_that_says_so(found: Found) -> None:
    drawn = world(facilities=("98001", *OTHERS, "99002"))
    for facility in ("98001", "98002"):
        drawn.failed(facility, TIMES, "2026-02-01", days=69, rows=40, claims=10)
    rows = found(drawn)
    assert rows.select("ma_cskcb", "also", "elsewhere").rows() == [("98001", 1, 0.0), ("98002", 1, 0.0)]


def test_a_fault_of_most_facilities_is_shared_and_costs_nobody_points(lake: Lake) -> None:
    drawn = world()
    for facility in ("98001", "98002", "98003"):
        drawn.failed(facility, TIMES, "2026-02-01", days=69, rows=40, claims=10)
    drawn.failed("99001", MONEY, "2026-02-01", days=69, rows=40, claims=10)
    drawn.commit(lake)
    with lake.reader() as reader:
        card = scorecard(reader)
        own = facility_card(reader, "98001")
    assert [(s.check_id, s.facilities, s.asked, s.since) for s in card.shared] == [(TIMES, 3, 4, date(2026, 2, 1))]
    assert [(t.ma_cskcb, t.check_id, t.mask) for t in card.tickets] == [("99001", MONEY, "")]
    assert [f.ma_cskcb for f in card.facilities if f.score < 100] == ["99001"]
    assert [(f.check_id, f.shared, f.ticket) for f in own.faults] == [(TIMES, True, False)]
    assert own.tables[1].faults == sum(month.faults for month in own.facility.months) == 0


def test_faulty_rows_without_a_day_are_a_ticket_without_days(found: Found) -> None:
    drawn = world()
    drawn.sent("98001", None, encounter=300, refused=300)
    drawn.failed("98001", DATES, None, rows=300, claims=300)
    ticket = only(found(drawn))
    assert (ticket["since"], ticket["until"], ticket["open"], ticket["severity"]) == (None, None, True, "quarantine")
    assert ticket["share"] == pytest.approx(300 / 1300)


def by_hand(steps: list[tuple[int, int]]) -> tuple[int, int] | None:
    """First and last day of the alarm by counting on: `steps` are faulty and sent claims a day."""

    def first_day(days: list[tuple[int, int]]) -> int | None:
        height, start = 0.0, 0
        for place, (bad, sent) in enumerate(days):
            if height <= 1e-9:
                height, start = 0.0, place
            height += bad - DRIFT * sent
            if height >= ALARM - 1e-9:
                return start
        return None

    first = first_day(steps)
    last = first_day(steps[::-1])
    return None if first is None or last is None else (first, len(steps) - 1 - last)


@pytest.mark.parametrize("seed", range(12))
def test_first_and_last_day_are_those_found_by_counting_on(found: Found, seed: int) -> None:
    dice = random.Random(seed)
    start, end = sorted(dice.sample(range(120), 2))
    drawn = world(facilities=OTHERS, days=120)
    steps: list[tuple[int, int]] = []
    for place in range(120):
        sent = dice.randint(1, 12)
        chance = dice.choice((0.3, 0.9)) if start <= place <= end else 0.02
        bad = sum(dice.random() < chance for _ in range(sent))
        steps.append((bad, sent))
        day = date(2026, 1, 1) + timedelta(days=place)
        drawn.sent("98001", day.isoformat(), encounter=sent, service_line=4 * sent)
        if bad:
            drawn.failed("98001", TIMES, day.isoformat(), rows=2 * bad, claims=bad)
    dice.shuffle(drawn.received)  # the order of rows means nothing
    dice.shuffle(drawn.faults)
    expected = by_hand(steps)
    assert expected is not None
    first, last = expected
    ticket = only(found(drawn))
    assert ticket["since"] == date(2026, 1, 1) + timedelta(days=first)
    if not ticket["open"]:
        assert ticket["until"] == date(2026, 1, 1) + timedelta(days=last)
    assert ticket["claims"] == sum(bad for bad, _ in steps[first : last + 1])


def test_loads_add_up_and_a_snapshot_keeps_its_tickets(lake: Lake) -> None:
    first, second = world(), Drawn()
    first.commit(lake, "load-1")
    second.failed("98001", TIMES, "2026-02-01", days=69, rows=40, claims=10)
    second.commit(lake, "load-2")
    with lake.reader(1) as before, lake.reader(2) as after:
        assert tickets(before).is_empty()
        assert tickets(after).equals(tickets(after))
        assert tickets(after).height == 1


def test_a_ticket_has_what_masks_need_and_three_examples_of_different_days(lake: Lake) -> None:
    drawn = world()
    drawn.failed("98001", TIMES, "2026-02-01", days=69, rows=40, claims=10, value="20260201")
    drawn.failed("98001", TIMES, "2026-01-01", rows=1, value="trước")  # before it: not among the examples
    drawn.commit(lake)
    with lake.reader() as reader:
        assert tickets(reader).schema.items() >= MASK_COLUMNS.items()
        (ticket,) = scorecard(reader).tickets
    assert [(e.ma_lk, e.day, e.value) for e in ticket.examples] == [
        ("HS068", date(2026, 4, 10), "20260201"),
        ("HS067", date(2026, 4, 9), "20260201"),
        ("HS066", date(2026, 4, 8), "20260201"),
    ]
    assert "NGAY_TH_YL" in ticket.hint_vi
    assert "12 digits" in ticket.hint_en


def card_of(lake: Lake, **asked: Any) -> Scorecard:
    with lake.reader() as reader:
        return scorecard(reader, **asked)


def test_the_limits_of_the_reader_hold_in_every_list(lake: Lake) -> None:
    drawn = world()
    for facility in ("98001", "99001"):
        drawn.failed(facility, TIMES, "2026-02-01", days=69, rows=40, claims=10)
    drawn.findings.append({"check_id": "FILE.not_xml", "code": "not_xml", "severity": "quarantine", "file": "a.xml"})
    drawn.commit(lake)
    own = {"where": "province in (?)", "params": ["98"]}
    card = card_of(lake, **own)
    assert [f.ma_cskcb for f in card.facilities] == ["98001", "98002", "98003"]
    assert [t.ma_cskcb for t in card.tickets] == ["98001"]
    assert card.files == ()  # no facility can be named for a file
    assert [f.code for f in card_of(lake).files] == ["not_xml"]
    with lake.reader() as reader:
        assert tickets(reader, **own)["ma_cskcb"].to_list() == ["98001"]
        assert tickets(reader, "99001", **own).is_empty()
        assert facility_card(reader, "98002", **own).tickets == ()
        for hidden in ("99001", "00000"):
            with pytest.raises(UnknownFacility):
                facility_card(reader, hidden, **own)


def test_the_scorecard_counts_rows_faults_and_months(lake: Lake) -> None:
    drawn = Drawn()
    drawn.sent("98001", "2026-01-10", encounter=100, refused=2)
    drawn.sent("98001", "2026-02-10", encounter=100)
    drawn.sent("98002", "2026-02-10", encounter=50)
    drawn.failed("98001", "XML1.T_BHTT.unreadable_amount", "2026-01-10", rows=2, claims=2)
    drawn.failed("98001", "XML1.SO_NGAY_DTRI.days", "2026-02-10", rows=6, claims=6)
    drawn.failed("98001", LENGTH, "2026-02-10", rows=90, claims=90)
    drawn.commit(lake)
    card = card_of(lake)
    worst, clean = card.facilities
    assert (worst.ma_cskcb, worst.rows_read, worst.quarantined, worst.refused, worst.warned) == ("98001", 200, 2, 2, 6)
    assert (worst.score, clean.score) == (96.0, 100.0)
    assert [(m.month, m.rows, m.faults, m.score) for m in worst.months] == [
        (202601, 100, 2, 98.0),
        (202602, 100, 6, 94.0),
    ]
    february = card_of(lake, month=202602).facilities[0]
    assert (february.rows_read, february.quarantined, february.score) == (100, 0, 94.0)
    with lake.reader() as reader:
        own = facility_card(reader, "98001")
    assert [(t.source, t.rows_read, t.faults) for t in own.tables] == [("XML1", 200, 8)]
    assert [(f.field, f.severity, f.failed, f.share) for f in own.faults] == [
        ("t_bhtt", "quarantine", 2, 0.01),
        ("so_ngay_dtri", "warn", 6, 0.03),
        ("ma_dkbd", "info", 90, 0.45),
    ]


def test_a_month_shows_the_tickets_that_touch_it(lake: Lake) -> None:
    drawn = world(days=200)
    drawn.failed("98001", TIMES, "2026-02-10", days=30, rows=40, claims=10)
    drawn.commit(lake)
    shown = {month: len(card_of(lake, month=month).tickets) for month in (202601, 202602, 202603, 202604)}
    assert shown == {202601: 0, 202602: 1, 202603: 1, 202604: 0}
    assert len(card_of(lake).tickets) == 1


def test_an_empty_lake_has_an_empty_scorecard(lake: Lake) -> None:
    with lake.reader() as reader:
        assert tickets(reader).schema == dict(TICKET)
        assert tickets(reader).is_empty()
        card = scorecard(reader)
        with pytest.raises(UnknownFacility):
            facility_card(reader, "98001")
    assert (card.facilities, card.tickets, card.shared, card.files) == ((), (), (), ())


@pytest.mark.parametrize(
    ("text", "month"), [("202609", 202609), ("202613", None), ("", None), ("2026-9", None), ("000001", None)]
)
def test_a_month_is_six_digits(text: str, month: int | None) -> None:
    assert month_of(text) == month


def test_more_faults_than_rows_are_nought_and_nothing_sent_is_a_hundred() -> None:
    assert (score_of(10, 25), score_of(0, 0), score_of(200, 1)) == (0.0, 100.0, 99.5)
