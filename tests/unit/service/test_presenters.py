"""Presenters: records in, words out. No server, no store."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from detectors.base import rules
from service.accounts import Scope, User
from service.audit import AuditHead, AuditRecord, ChainReport
from service.cases.model import Case, CaseStatus, Decision
from service.model_history import ModelEvent
from service.reading import (
    Bin,
    Choice,
    ClaimDetail,
    ClaimLine,
    ClaimRow,
    Facets,
    HistoryRow,
    LineSignal,
    Page,
    Peers,
    RunInfo,
    Version,
)
from service.web.formats import day, moment, money, number, parse_money, percent, short_money
from service.web.names import diagnosis_group, provinces, scheme_name
from service.web.presenters.case import case_view, read_draft, whole_claim
from service.web.presenters.claim import claim_view
from service.web.presenters.oversight import audit_view, chain_view, model_views, run_view
from service.web.presenters.rules import rule_view
from service.web.presenters.worklist import CaseMark, Filters, claim_href, worklist_view

NBSP = "\N{NO-BREAK SPACE}"

as_written = datetime.fromisoformat  # times of claims have no zone

AT = datetime(2026, 3, 2, 9, 5, tzinfo=UTC)
RUN = RunInfo(
    run_id="run-7",
    at="2026-03-01T02:00:00+00:00",
    model_version=3,
    snapshot=12,
    committed=13,
    since=None,
    until=None,
    every=True,
    encounters=2000,
    flags=40,
    seconds=12.34,
    threshold=0.91,
    base_run=None,
    manifest={},
)
ROW = ClaimRow(
    rank=1,
    claim_id="79001:HS/1",
    run_id="run-7",
    ma_cskcb="79001",
    ma_lk="HS/1",
    version=5,
    patient_id="p123",
    doctor="BS1",
    province="79",
    ma_loai_kcb="03",
    ngay_vao=as_written("2026-01-30 08:00"),
    ngay_ra=as_written("2026-02-02 09:30"),
    ma_benh_chinh="J06.9",
    t_bhtt=Decimal(3_000_000),
    score=0.8734,
    flagged=True,
    amount_at_risk=Decimal("400000.50"),
    expected_recoverable=Decimal(349_360),
    likelihood=0.6234,
    pattern="7f00a1",
    minutes=10.5,
    worth=33272.38,
    schemes=("BED_DAY_PADDING", "DUP_LINE", "OVER_TEST"),
    status="scored",
    reason_vi="Năm ngày giường trong ba ngày",
    reason_en="Five bed-days in three days",
)
BED = ClaimLine(
    line_table="service_line",
    row_no=3,
    fields={"ten_dich_vu": "Giường nội khoa", "ma_dich_vu": "G1", "ma_nhom": 15, "t_bhtt": Decimal(1_000_000)},
    signals=(
        LineSignal(
            source="BED-01@1",
            scheme="BED_DAY_PADDING",
            severity="deny",
            amount=Decimal(400_000),
            expected_recoverable=Decimal(380_000),
            observed=5.0,
            allowed=3.0,
        ),
    ),
    amount_at_risk=Decimal(400_000),
)
DRUG = ClaimLine(
    line_table="drug_line",
    row_no=1,
    fields={"ten_thuoc": "Amlodipin", "ham_luong": "5 mg", "so_luong": Decimal("30.000"), "t_bhtt": Decimal(60_000)},
    signals=(),
    amount_at_risk=Decimal(0),
)
PEERS = Peers(
    ma_loai_kcb="03",
    icd3="J06",
    facility_rank="2",
    count=120,
    own=3_000_000.0,
    share_below=0.95,
    quantiles={"p05": 1e5, "p25": 5e5, "p50": 1e6, "p75": 2e6, "p95": 2.9e6},
    bins=(Bin(low=1e5, high=1e6, count=60), Bin(low=1e6, high=4e6, count=60)),
)
CLAIM = ClaimDetail(
    run=RUN,
    claim_id="79001:HS/1",
    encounter={
        "ma_cskcb": "79001",
        "ma_lk": "HS/1",
        "version": 5,
        "ma_loai_kcb": "03",
        "ngay_vao": as_written("2026-01-30 08:00"),
        "ngay_ra": as_written("2026-02-02 09:30"),
        "ngay_sinh": date(1960, 5, 1),
        "birth_precision": "day",
        "gioi_tinh": 2,
        "ma_benh_chinh": "J06.9",
        "patient_id": "abcdef0123456789",
        "t_bhtt": Decimal(3_000_000),
        "so_ngay_dtri": 4,
    },
    row=ROW,
    alike=199,
    reasons_vi="",
    reasons_en="",
    evidence=(
        {
            "source": "BED-01@1",
            "kind": "rule",
            "scheme": "BED_DAY_PADDING",
            "amount": 400_000,
            "observed": 5,
            "expected": 3,
            "peer_group": None,
            "legal_basis": "TT35/2016 Đ4c",
            "lines": [["service_line", 3], ["service_line", 99]],
            "text_vi": "Năm ngày giường <b>",
            "text_en": "Five bed-days",
        },
    ),
    lines=(BED, DRUG),
    encounter_signals=(),
    lab_results=(),
    versions=(Version(version=5, current=True, withdrawn=False, load_id="l", ngay_ra=None, t_bhtt=None),),
    history=(
        HistoryRow(
            claim_id="79002:X",
            ngay_vao=as_written("2026-03-01"),
            ngay_ra=as_written("2026-03-01"),
            ma_loai_kcb="01",
            ma_benh_chinh="I10",
            t_bhtt=Decimal(90_000),
            rank=None,
            score=None,
            flagged=False,
        ),
    ),
    history_elsewhere=2,
    peers=PEERS,
    doctor=None,
    facility=None,
    patient=None,
)
LAN = User(id=1, name="lan", role="assessor", scope=Scope())
MINH = User(id=2, name="minh", role="assessor", scope=Scope())
AUDITOR = User(id=3, name="an", role="auditor", scope=Scope())


def a_case(status: CaseStatus, **changes: Any) -> Case:
    case = Case(
        id=8,
        run_id="run-7",
        entity_level="claim",
        entity_id="79001:HS/1",
        ma_cskcb="79001",
        claim_version=5,
        model_version=3,
        snapshot=12,
        lane="flag",
        score=0.87,
        t_bhtt=Decimal(3_000_000),
        amount_at_risk=Decimal(400_000),
        expected_recoverable=Decimal(349_360),
        schemes=(),
        evidence=(),
        status=status,
        assignee="lan",
        answer_due=None,
        opened_by="lan",
        opened_at=AT,
        changed_at=AT,
        concluded_by=None,
        concluded_at=None,
        revision=4,
    )
    return replace(case, **changes)


def decision(**changes: Any) -> Decision:
    made = Decision(
        id=31,
        case_id=8,
        claim_id="79001:HS/1",
        line_table="service_line",
        row_no=3,
        outcome="refused",
        amount_before=Decimal(1_000_000),
        amount_refused=Decimal(400_000),
        reason="Vượt số ngày",
        legal_basis=None,
        decided_by="lan",
        decided_at=AT,
        superseded_by=None,
    )
    return replace(made, **changes)


# formats


@pytest.mark.parametrize(
    ("amount", "vi", "en"),
    [
        (Decimal("1234567.50"), f"1.234.568{NBSP}₫", f"1,234,568{NBSP}₫"),
        (Decimal("0.49"), f"0{NBSP}₫", f"0{NBSP}₫"),
        (None, "—", "—"),
    ],
)
def test_money_is_whole_dong_with_the_marks_of_the_language(amount: Decimal | None, vi: str, en: str) -> None:
    assert money(amount, "vi") == vi
    assert money(amount, "en") == en


def test_money_at_a_glance_keeps_its_magnitude() -> None:
    assert short_money(1_234_567_890, "vi") == f"1,23{NBSP}tỷ{NBSP}₫"
    assert short_money(2_500_000, "en") == f"2.5{NBSP}m{NBSP}₫"
    assert short_money(999_999, "en") == f"999,999{NBSP}₫"


def test_numbers_lose_idle_zeros_and_nothing_else() -> None:
    assert number(Decimal("30.000"), "vi", places=3) == "30"
    assert number(1200, "en") == "1,200"
    assert number(2.5, "vi", places=1) == "2,5"
    assert percent(0.8734, "vi") == f"87,3{NBSP}%"
    assert percent(0.5, "en") == "50%"


def test_times_of_ours_are_shown_in_vietnam_and_those_of_claims_as_written() -> None:
    assert moment(datetime(2026, 3, 1, 18, 30, tzinfo=UTC)) == "02/03/2026 01:30"
    assert moment(as_written("2026-03-01 18:30")) == "01/03/2026 18:30"
    assert day(date(2026, 3, 1)) == "01/03/2026"


@pytest.mark.parametrize(
    ("typed", "amount"),
    [("1.234.567", 1_234_567), ("1,234,567 ₫", 1_234_567), (" 350000đ", 350_000), ("0", 0), (f"12.000{NBSP}₫", 12_000)],
)
def test_an_amount_is_read_as_people_type_it(typed: str, amount: int) -> None:
    assert parse_money(typed) == amount


@pytest.mark.parametrize("typed", ["", "abc", "-5", "12.5", "1.23.456", "1e6", "1234.567", "١٢٣"])
def test_what_is_no_amount_is_not_guessed(typed: str) -> None:
    assert parse_money(typed) is None


def test_codes_have_names_and_unknown_ones_stay_codes() -> None:
    assert scheme_name("DUP_LINE", "en") == "Same line twice in a claim"
    assert scheme_name("NEW_ONE", "vi") == "NEW_ONE"
    assert diagnosis_group("J06.9", "vi") == "Nhiễm trùng hô hấp trên cấp"
    assert diagnosis_group(None, "vi") == ""
    assert provinces()["79"] == "Hồ Chí Minh"


# worklist


def list_view(
    rows: tuple[ClaimRow, ...] = (ROW,), query: dict[str, str] | None = None, lang: Any = "vi", **more: Any
) -> Any:
    page = Page(
        run=more.get("run", RUN),
        rows=rows,
        listed=more.get("listed", 120),
        total=120,
        flagged=40,
        amount_at_risk=Decimal(1_500_000_000),
        expected_recoverable=Decimal(900_000),
        page=2,
        size=50,
        minutes=2_340.0,
    )
    facets = Facets(
        schemes=(Choice(value="DUP_LINE", claims=7, flagged=1),), provinces=(Choice(value="79", claims=9, flagged=1),)
    )
    return worklist_view(
        page,
        facets,
        Filters.read(query or {}),
        cases={"79001:HS/1": CaseMark(status="taken", assignee="lan")},
        facilities={"79001": "Bệnh viện A"},
        lang=lang,
    )


def test_a_row_says_who_when_what_and_how_much() -> None:
    row = list_view().rows[0]
    assert (row.rank, row.score, row.score_width) == ("1", "87,3", "87.3")
    assert row.href == "/claims/79001/HS%2F1"
    assert (row.facility, row.facility_title) == ("Bệnh viện A", "79001 · Bệnh viện A")
    assert (row.care, row.diagnosis, row.diagnosis_name) == ("Điều trị nội trú", "J06.9", "Nhiễm trùng hô hấp trên cấp")
    assert row.dates == "30/01 – 02/02/2026"
    assert (row.t_bhtt, row.at_risk) == (f"3.000.000{NBSP}₫", f"400.001{NBSP}₫")
    assert (row.schemes, row.more_schemes) == (("Số ngày giường vượt đợt điều trị", "Dòng trùng trong hồ sơ"), 1)
    assert (row.status, row.assignee) == ("Đang xem xét", "lan")


def test_a_row_says_how_many_are_alike_and_leads_to_them() -> None:
    alike = replace(ROW, alike=199, alike_recoverable=Decimal(45_000_000))
    row = list_view((alike,), {"province": "79", "hours": "40", "page": "2"}).rows[0]
    assert row.alike == f"+ 199 hồ sơ tương tự, kỳ vọng 45{NBSP}triệu{NBSP}₫"
    assert row.alike_href == "/?province=79&pattern=7f00a1"
    assert row.pace == ("10,5 phút đọc", f"33.272{NBSP}₫/phút")
    assert row.likelihood == "0,62"
    assert list_view((replace(ROW, alike=0, likelihood=0.0),)).rows[0].alike == ""
    assert list_view((replace(ROW, likelihood=0.0),)).rows[0].likelihood == ""


def test_the_list_says_how_it_is_cut_and_how_to_see_the_rest() -> None:
    grouped = list_view(listed=30)
    assert "30 dòng thay cho 120 hồ sơ" in grouped.note
    assert grouped.turn.href == "/?each=1"
    assert grouped.pager.text.endswith("trong 30 hồ sơ")
    assert list_view(query={"each": "1"}).turn.href == "/"
    budget = list_view(query={"hours": "40"}, listed=30, lang="en")
    assert budget.note.startswith("What fits 40 hours (about 39 hours of reading)")
    assert [c.aria_sort for c in budget.columns if c.aria_sort] == []  # by money a minute: no column's order
    assert list_view(query={"pattern": "7f00a1", "scheme": "DUP_LINE"}).turn.href == "/?scheme=DUP_LINE"


@pytest.mark.parametrize(
    ("query", "grouped"),
    [
        ({}, True),
        ({"province": "79", "status": "new", "sort": "t_bhtt"}, True),
        ({"each": "1"}, False),
        ({"text": "HS1"}, False),
        ({"pattern": "7f00a1"}, False),
        ({"status": "taken"}, False),
    ],
)
def test_claims_alike_are_one_row_only_while_choosing_what_to_read(query: dict[str, str], grouped: bool) -> None:
    assert Filters.read(query).listing.one_per_pattern is grouped


@pytest.mark.parametrize(
    ("typed", "hours"),
    [("40", 40.0), ("7,5", 7.5), (" 0.5 ", 0.5), ("0", None), ("-1", None), ("1e3", None), ("nan", None), ("", None)],
)
def test_hours_are_read_as_people_type_them(typed: str, hours: float | None) -> None:
    assert Filters.read({"hours": typed}).listing.hours == hours


def test_a_row_in_english_has_the_english_reason() -> None:
    row = list_view(lang="en").rows[0]
    assert row.reason == "Five bed-days in three days"
    assert row.score == "87.3"
    assert row.care == "Inpatient"


def test_a_claim_that_could_not_be_judged_does_not_look_clean() -> None:
    row = list_view((replace(ROW, status="not_evaluable", score=0.0),)).rows[0]
    assert row.score == "—"
    assert row.status == "Chưa đánh giá được"


def test_filters_survive_sorting_and_paging_and_nothing_else_enters_an_address() -> None:
    view = list_view(query={"province": "79", "flagged": "1", "sort": "score", "order": "desc", "page": "2", "x": "y"})
    links = [link.href for link in view.pager.links]
    assert links == [
        "/?province=79&flagged=1&sort=score&order=desc",
        "/?province=79&flagged=1&sort=score&order=desc&page=3",
    ]
    score = next(column for column in view.columns if column.aria_sort)
    assert (score.label, score.aria_sort) == ("Điểm", "descending")
    assert score.href == "/?province=79&flagged=1&sort=score"
    assert view.pager.text == "51–51 trong 120 hồ sơ"


def test_an_unreadable_address_asks_for_nothing() -> None:
    assert (
        Filters.read({"sort": "'; drop", "order": "up", "page": "-3", "since": "2026-02-31", "flagged": "yes"})
        == Filters()
    )
    assert Filters.read({"page": "9" * 30}).page == 1
    assert not Filters.read({"sort": "score"}).active
    assert Filters.read({"text": " L1 "}).active
    assert Filters.read({"since": "2026-02-28"}).first_day == date(2026, 2, 28)


def test_totals_are_short_with_the_exact_sum_at_hand() -> None:
    at_risk = list_view().totals[2]
    assert (at_risk.value, at_risk.title) == (f"1,5{NBSP}tỷ{NBSP}₫", f"1.500.000.000{NBSP}₫")


def test_choices_carry_names_and_counts() -> None:
    province, _, scheme, status = list_view().selects
    assert province.options[0].label == "79 Hồ Chí Minh (9)"
    assert scheme.options[0].label == "Dòng trùng trong hồ sơ (7)"
    assert [option.value for option in status.options] == [s.value for s in CaseStatus]


def test_an_address_of_a_claim_escapes_what_the_facility_wrote() -> None:
    assert claim_href("79001", "a b/c?d#e") == "/claims/79001/a%20b%2Fc%3Fd%23e"


# claim


def test_a_reason_says_what_how_much_on_which_law_and_where() -> None:
    reason = claim_view(CLAIM, facility="Bệnh viện A", lang="vi").reasons[0]
    assert reason.heading == "Số ngày giường vượt đợt điều trị"
    assert reason.figures == "ghi nhận 5, mức thường hoặc cho phép 3"
    assert (reason.amount, reason.legal_basis) == (f"400.000{NBSP}₫", "TT35/2016 Đ4c")
    assert [(line.href, line.label) for line in reason.lines] == [("#service_line-3", "Giường nội khoa")]


def test_a_peer_group_is_told_in_the_language_of_the_page() -> None:
    item = dict(CLAIM.evidence[0]) | {"peer_group": "ma_loai_kcb=03|icd3=I10"}
    (reason,) = claim_view(replace(CLAIM, evidence=(item,)), facility=None, lang="vi").reasons
    assert reason.peer == "Điều trị nội trú, bệnh chính I10"


def test_facts_name_no_person() -> None:
    view = claim_view(CLAIM, facility=None, lang="vi")
    facts = {fact.label: fact for fact in view.facts}
    assert facts["Người bệnh"].value == "Nữ, 65 tuổi"
    assert facts["Người bệnh"].note == "Mã thay tên abcdef0123"
    assert facts["Vào – ra"].value == "30/01/2026 08:00 – 02/02/2026 09:30"


def test_lines_are_marked_with_what_is_at_risk() -> None:
    services, drugs = claim_view(CLAIM, facility=None, lang="vi").tables
    assert (services.marked, services.at_risk) == (1, f"400.000{NBSP}₫")
    assert services.lines[0].signs == (
        "Số ngày giường vượt đợt điều trị · ghi nhận 5, mức thường hoặc cho phép 3 · BED-01@1",
    )
    assert (drugs.lines[0].name, drugs.lines[0].quantity, drugs.lines[0].marked) == ("Amlodipin 5 mg", "30", False)
    assert drugs.lines[0].at_risk == ""


def test_a_line_that_only_evidence_names_is_marked_and_ready_to_decide() -> None:
    item = {"source": "expected_cost:drugs@1", "kind": "detector", "scheme": "OVER_TEST", "lines": [["drug_line", 1]]}
    claim = replace(CLAIM, evidence=(item,))
    drug = claim_view(claim, facility=None, lang="vi").tables[1].lines[0]
    assert (drug.marked, drug.signs) == (True, ("Xét nghiệm nhiều bất thường · expected_cost:drugs@1",))
    form = case_view(claim, a_case(CaseStatus.TAKEN), (), user=LAN, lang="vi").forms["drug_line:1"]
    assert (form.amount, form.reason, form.note) == ("60.000", "indication", drug.signs[0])


def test_the_peers_picture_says_the_same_in_words_and_as_a_table() -> None:
    peers = claim_view(CLAIM, facility=None, lang="en").peers
    assert peers is not None
    assert "Of 120 like claims (Inpatient, diagnosis J06, facilities of rank 2), 95% cost less" in peers.sentence
    spec = json.loads(peers.spec)
    assert [bar["count"] for bar in spec["layer"][0]["data"]["values"]] == [60, 60]
    assert spec["layer"][2]["data"]["values"][0]["x"] == 3_000_000
    assert [bar.own for bar in peers.bars] == [False, True]


def test_history_puts_this_claim_in_its_place_and_admits_what_is_hidden() -> None:
    view = claim_view(CLAIM, facility=None, lang="vi")
    assert [visit.current for visit in view.history] == [False, True]
    assert view.history[0].href == "/claims/79002/X"
    assert view.history_note == "Còn 2 lần KCB ngoài phạm vi của bạn."


def test_an_unscored_claim_says_so() -> None:
    view = claim_view(replace(CLAIM, row=None, evidence=(), peers=None), facility=None, lang="en")
    assert view.note == "This claim was not scored yet."
    assert (view.gauges, view.reasons, view.peers) == ((), (), None)


def test_a_figure_of_money_is_shown_as_money() -> None:
    item = dict(CLAIM.evidence[0]) | {"observed": 3_000_000.0, "expected": 1_200_000.4}
    reason = claim_view(replace(CLAIM, evidence=(item,)), facility=None, lang="vi").reasons[0]
    assert reason.figures == f"ghi nhận 3.000.000{NBSP}₫, mức thường hoặc cho phép 1.200.000{NBSP}₫"


# case and decisions


@pytest.mark.parametrize(
    ("case", "user", "acts"),
    [
        (None, LAN, {"take"}),
        (None, AUDITOR, set[str]()),
        (a_case(CaseStatus.TAKEN), LAN, {"decide", "accept", "release", "ask"}),
        (a_case(CaseStatus.TAKEN), MINH, set[str]()),
        (a_case(CaseStatus.DECIDED, deciders=frozenset({"lan"})), LAN, {"decide", "accept", "undo"}),
        (a_case(CaseStatus.DECIDED, deciders=frozenset({"lan"})), MINH, {"conclude", "send_back"}),
        (a_case(CaseStatus.WAITING_FACILITY), LAN, {"answered"}),
        (a_case(CaseStatus.CONCLUDED), LAN, set[str]()),
        (a_case(CaseStatus.REOPENED, assignee=None), MINH, {"take"}),
    ],
)
def test_only_what_person_and_state_allow_is_offered(case: Case | None, user: User, acts: set[str]) -> None:
    assert case_view(CLAIM, case, (), user=user, lang="vi").acts == acts


def test_a_line_starts_with_its_amount_at_risk_reason_and_law() -> None:
    form = case_view(CLAIM, a_case(CaseStatus.TAKEN), (), user=LAN, lang="vi").forms["service_line:3"]
    assert (form.amount, form.outcome, form.reason, form.law) == ("400.000", "adjusted", "quantity", "TT35/2016 Đ4c")
    assert form.most == f"1.000.000{NBSP}₫"


def test_undone_and_corrected_decisions_are_not_shown_as_standing() -> None:
    made = (
        decision(id=1, superseded_by=2),
        decision(id=2, amount_refused=Decimal(300_000)),
        decision(id=3, outcome="withdrawn"),
    )
    view = case_view(CLAIM, a_case(CaseStatus.DECIDED, deciders=frozenset({"lan"})), made, user=LAN, lang="vi")
    assert [d.id for d in view.decisions] == [2]
    assert view.refused_total == f"300.000{NBSP}₫"
    assert view.decided["service_line-3"].line == "Giường nội khoa"


def fields(key: str, **values: str) -> dict[str, str]:
    typed = {"outcome": "refused", "amount": "400.000", "reason": "quantity", "note": "", "law": ""} | values
    return {f"{name}:{key}": value for name, value in typed.items()}


def test_a_form_becomes_decisions_with_the_claims_own_amounts() -> None:
    form = fields("service_line:3", outcome="adjusted", note="3 ngày", law="Đ4c") | fields(
        "drug_line:1", amount="60.000"
    )
    draft = read_draft(form, {"service_line:3", "drug_line:1", "drug_line:77"}, CLAIM.lines, lang="vi")
    assert draft.complete
    bed, drug = draft.decisions
    assert (bed.line, bed.outcome, bed.amount_before, bed.amount_refused) == (
        ("service_line", 3),
        "adjusted",
        1_000_000,
        400_000,
    )
    assert (bed.reason, bed.legal_basis) == ("Vượt số lượng, số ngày: 3 ngày", "Đ4c")
    assert (drug.amount_refused, drug.legal_basis) == (60_000, None)


@pytest.mark.parametrize(
    ("typed", "amount_error", "error"),
    [
        ({"amount": "12,5"}, "Not an amount", ""),
        ({"amount": "1.000.001"}, "More than the fund pays", ""),
        ({"amount": "0"}, "more than zero", ""),
        ({"reason": ""}, "", "Choose a reason"),
        ({"reason": "other"}, "", "Say the other reason"),
    ],
)
def test_a_fault_is_said_at_its_field_and_what_was_typed_stays(
    typed: dict[str, str], amount_error: str, error: str
) -> None:
    draft = read_draft(fields("service_line:3", **typed), {"service_line:3"}, CLAIM.lines, lang="en")
    assert not draft.complete
    line = draft.lines["service_line:3"]
    assert amount_error in line.amount_error
    assert error in line.error
    form = case_view(CLAIM, a_case(CaseStatus.TAKEN), (), user=LAN, lang="en", draft=draft).forms["service_line:3"]
    assert form.picked
    assert form.amount == typed.get("amount", "400.000")


def test_an_accepted_line_refuses_nothing_whatever_amount_was_left_in_the_field() -> None:
    (made,) = read_draft(
        fields("service_line:3", outcome="accepted"), {"service_line:3"}, CLAIM.lines, lang="vi"
    ).decisions
    assert (made.outcome, made.amount_refused) == ("accepted", 0)


def test_a_form_without_lines_is_told_so() -> None:
    draft = read_draft({}, frozenset(), CLAIM.lines, lang="vi")
    assert not draft.complete
    assert draft.error == "Hãy chọn ít nhất một dòng."


def test_a_whole_claim_is_accepted_at_its_own_amount() -> None:
    made = whole_claim(CLAIM, " ", lang="vi")
    assert (made.outcome, made.amount_before, made.line) == ("accepted", 3_000_000, None)


# oversight


def record(**changes: Any) -> AuditRecord:
    entry = AuditRecord(
        seq=12,
        at=AT,
        actor="lan",
        action="case.decided",
        object_type="case",
        object_id="8",
        before={"status": "taken", "assignee": "lan", "lines": []},
        after={
            "entity_id": "79001:HS/1",
            "status": "decided",
            "assignee": "lan",
            "lines": [
                {
                    "line_table": "service_line",
                    "row_no": 3,
                    "outcome": "refused",
                    "amount_refused": "400000.00",
                    "reason": "R",
                }
            ],
        },
        reason="R",
        prev_hash="0" * 64,
        hash="ab" * 32,
    )
    return replace(entry, **changes)


def test_an_entry_says_what_changed_in_words_and_where_to_look() -> None:
    view = audit_view(record(), lang="vi")
    assert (view.action, view.at, view.href) == ("Lưu ý kiến", "02/03/2026 16:05", "/claims/79001/HS%2F1")
    assert [(c.name, c.before, c.after) for c in view.changes] == [
        ("Trạng thái", "Đang xem xét", "Đã có ý kiến"),
        ("Ý kiến", "—", f"Dịch vụ, vật tư, giường 3: Từ chối · 400.000{NBSP}₫ · R"),
    ]


def test_an_act_of_a_later_version_is_shown_by_its_id() -> None:
    view = audit_view(record(action="case.merged", object_type="dossier", after=None, before=None), lang="en")
    assert (view.action, view.what, view.href) == ("case.merged", "dossier 8", "")


def test_a_broken_trail_does_not_look_whole() -> None:
    head = AuditHead(5, "x")
    assert chain_view(ChainReport(entries=5, head=head, broken_at=None, problem=None), lang="en").intact
    broken = chain_view(ChainReport(entries=5, head=head, broken_at=6, problem="entry 6 is missing"), lang="en")
    assert not broken.intact
    assert "entry 6" in broken.text


def test_a_run_is_told_with_its_share_of_flags() -> None:
    view = run_view(RUN, lang="vi")
    assert (view.encounters, view.flags, view.share) == ("2.000", "40", f"2{NBSP}%")
    assert (view.at, view.period, view.seconds) == ("01/03/2026 09:00", "Tất cả hồ sơ", "12,3")


def test_an_alias_belongs_to_the_version_that_got_it_last() -> None:
    def event(number: int, version: int, action: Any, alias: str | None) -> ModelEvent:
        return ModelEvent(id=number, version=version, action=action, alias=alias, by="hoa", reason="r", at=AT)

    events = [
        event(1, 1, "registered", None),
        event(2, 1, "alias_set", "champion"),
        event(3, 3, "registered", "challenger"),
        event(4, 3, "promoted", "champion"),
    ]
    views = model_views(events, [RUN], lang="vi")
    assert [(v.version, v.aliases, v.runs) for v in views] == [("3", ("challenger", "champion"), "1"), ("1", (), "0")]


def test_a_rule_is_told_in_the_language_of_the_reader() -> None:
    rule = rules()[0]
    vi, en = (rule_view(rule, None, [], [], lang=lang) for lang in ("vi", "en"))
    assert (vi.known_gaps, en.known_gaps) == (rule.known_gaps_vi, rule.known_gaps_en)
    assert [title for _, _, title, _ in vi.examples] == [example.title_vi for example in rule.examples]
    assert [title for _, _, title, _ in en.examples] == [example.title_en for example in rule.examples]
