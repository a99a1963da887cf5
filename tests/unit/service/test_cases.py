from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.accounts import NotPermitted, Scope, User
from service.audit import BadText, verify_chain
from service.cases import policies
from service.cases.model import (
    MOVES,
    STATUS_VI,
    BadDecision,
    BadMove,
    Case,
    CaseChanged,
    CaseStatus,
    UnknownCase,
    answer_due,
    can_move,
    check_move,
    dong_vi,
    move,
)
from service.cases.store import CaseStore
from service.db.engine import Database
from tests.lib.relational import MONDAY, Office, claim, line, refusal

NEW, TAKEN, WAITING, DECIDED, CONCLUDED, REOPENED = CaseStatus


def a_case(status: CaseStatus = TAKEN, **changes: Any) -> Case:
    values: dict[str, Any] = {
        "id": 7,
        "run_id": "R1",
        "entity_level": "claim",
        "entity_id": "01001:LK1",
        "ma_cskcb": "01001",
        "claim_version": 1,
        "model_version": 1,
        "snapshot": 1,
        "lane": "flag",
        "score": 0.5,
        "t_bhtt": Decimal(100),
        "amount_at_risk": Decimal(50),
        "expected_recoverable": Decimal(25),
        "schemes": (),
        "evidence": (),
        "status": status,
        "assignee": "lan",
        "answer_due": None,
        "opened_by": "lan",
        "opened_at": MONDAY,
        "changed_at": MONDAY,
        "concluded_by": None,
        "concluded_at": None,
        "revision": 1,
    }
    return Case(**(values | changes))


def a_user(name: str = "lan", role: Any = "assessor", *provinces: str) -> User:
    return User(id=1, name=name, role=role, scope=Scope(provinces))


# The moves


def test_the_table_of_moves() -> None:
    assert {(a.value, b.value) for a, followers in MOVES.items() for b in followers} == {
        ("new", "taken"),
        ("taken", "new"),
        ("taken", "waiting_facility"),
        ("waiting_facility", "taken"),
        ("taken", "decided"),
        ("decided", "taken"),
        ("decided", "concluded"),
        ("concluded", "reopened"),
        ("reopened", "taken"),
    }
    assert set(STATUS_VI) == set(CaseStatus) == set(MOVES)


@pytest.mark.parametrize("to", CaseStatus)
@pytest.mark.parametrize("status", CaseStatus)
def test_only_the_moves_of_the_table_are_made(status: CaseStatus, to: CaseStatus) -> None:
    case = a_case(status)
    if can_move(case, to):
        moved, entry = move(case, to, action="moved", actor="lan", reason="vì", at=MONDAY, assignee="lan")
        assert (moved.status, moved.revision) == (to, 2)
        assert (entry.before or {})["status"] == status
        assert (entry.after or {})["status"] == to
        assert moved.concluded_by == ("lan" if to is CONCLUDED else None)
    else:
        with pytest.raises(BadMove, match=f"case 7 is {status}") as raised:
            check_move(case, to)
        assert STATUS_VI[to] in raised.value.vi
        assert raised.value.http_status == 409


# Decisions cannot be built wrong


@pytest.mark.parametrize(
    ("outcome", "before", "refused"),
    [
        ("refused", "100", "100.01"),
        ("refused", "100", "0"),
        ("adjusted", "100", "0"),
        ("accepted", "100", "1"),
        ("refused", "100", "-1"),
        ("refused", "-100", "-100"),
        ("refused", "100", "0.001"),
        ("refused", "100", "NaN"),
        ("refused", "Infinity", "1"),
        ("refused", "1e16", "1"),
        ("refused", "1e40", "1"),
        ("withdrawn", "100", "0"),
        ("fraud", "100", "1"),
    ],
)
def test_wrong_amounts_are_refused(outcome: Any, before: str, refused: str) -> None:
    with pytest.raises(BadDecision) as raised:
        line(outcome, 1, before, refused)
    assert raised.value.http_status == 422


def test_a_decision_gives_its_reason_and_its_line() -> None:
    with pytest.raises(BadText):
        line("accepted", 1, "100", "0", reason=" ")
    good = line("refused", 1, "100", "100")
    for wrong in ({"row_no": None}, {"line_table": None}, {"line_table": "user_account"}):
        with pytest.raises(BadDecision):
            replace(good, **wrong)
    assert replace(good, legal_basis=" ").legal_basis is None
    assert str(good.amount_refused) == "100.00"


def test_amounts_of_a_claim_are_exact() -> None:
    with pytest.raises(ValueError, match="t_bhtt"):
        claim(t_bhtt=Decimal("0.001"))


# People


@pytest.mark.parametrize(
    ("check", "user", "allowed"),
    [
        (policies.can_view, a_user("lan"), True),
        (policies.can_view, a_user("lan", "assessor", "01"), True),
        (policies.can_view, a_user("lan", "assessor", "79"), False),
        (policies.can_view, a_user("hoa", "auditor"), True),
        (policies.can_view, a_user("robot", "machine"), False),
        (policies.can_view, a_user("quan", "admin"), False),
        (policies.can_work, a_user("hoa", "auditor"), False),
        (policies.can_take, a_user("lan"), True),
        (policies.can_take, a_user("minh"), False),
        (policies.can_take, a_user("truong", "lead"), False),
        (policies.can_decide, a_user("lan"), True),
        (policies.can_decide, a_user("minh"), False),
        (policies.can_decide, a_user("truong", "lead"), True),
        (policies.can_decide, a_user("truong", "lead", "79"), False),
        (policies.can_decide, a_user("hoa", "auditor"), False),
        (policies.can_conclude, a_user("lan"), False),
        (policies.can_conclude, a_user("minh"), True),
        (policies.can_conclude, a_user("minh", "assessor", "79"), False),
        (policies.can_conclude, a_user("hoa", "auditor"), False),
        (policies.can_reopen, a_user("minh"), False),
        (policies.can_reopen, a_user("truong", "lead"), True),
    ],
)
def test_who_may(check: Callable[[Case, User], bool], user: User, allowed: bool) -> None:
    assert check(a_case(deciders=frozenset({"lan"})), user) is allowed


def test_nobody_decides_what_nobody_holds() -> None:
    case = a_case(NEW, assignee=None)
    assert policies.can_take(case, a_user("lan"))
    with pytest.raises(NotPermitted, match="take it first"):
        policies.check_can_decide(case, a_user("lan"))


# What is kept


def test_a_case_from_the_worklist_to_the_conclusion(office: Office) -> None:
    lan, minh = office.person("lan"), office.person("minh")
    cases = office.cases
    case = cases.open(claim(), lan)
    assert (case.status, case.assignee, case.entity_id) == (NEW, None, "01001:LK1")
    assert (case.t_bhtt, case.expected_recoverable) == (Decimal("1000000.50"), Decimal("123456.78"))
    assert case.evidence == ({"source": "BED-01@1", "strength": 0.5},)
    assert cases.get(case.id) == case
    cases.take(case.id, lan)
    cases.note(case.id, lan, text="Đã gọi khoa")
    office.clock.forward(hours=1)
    asked = cases.ask_facility(case.id, lan, question="Gửi bệnh án")
    assert (asked.status, asked.answer_due) == (WAITING, date(2026, 3, 5))
    cases.answer_received(case.id, lan, answer="Đã nhận bệnh án")
    decided, decisions = cases.decide(
        case.id,
        [refusal(1), line("adjusted", 2, "100000.50", "50000.25"), line("accepted", 3, "5", "0", "Hợp lý")],
        lan,
    )
    assert (decided.status, decided.deciders) == (DECIDED, {"lan"})
    assert [d.amount_refused for d in decisions] == [Decimal(200000), Decimal("50000.25"), Decimal(0)]
    assert cases.decisions(case.id) == decisions
    with pytest.raises(NotPermitted, match="second"):
        cases.conclude(case.id, lan, reason="xong")
    assert cases.labels() == []
    concluded = cases.conclude(case.id, minh, reason="Đồng ý")
    assert (concluded.status, concluded.concluded_by, concluded.concluded_at) == (CONCLUDED, "minh", office.clock())
    assert cases.get(case.id) == concluded
    assert [(e.actor, e.action) for e in reversed(cases.history(case.id))] == [
        ("lan", "case.opened"),
        ("lan", "case.taken"),
        ("lan", "case.noted"),
        ("lan", "case.facility_asked"),
        ("lan", "case.facility_answered"),
        ("lan", "case.decided"),
        ("minh", "case.concluded"),
    ]
    told = cases.history(case.id)[1]
    assert told.reason == "Không có chỉ định; Hợp lý"
    assert (told.after or {})["lines"][1] == {
        "decision": decisions[1].id,
        "line_table": "service_line",
        "row_no": 2,
        "outcome": "adjusted",
        "amount_before": "100000.50",
        "amount_refused": "50000.25",
        "reason": "Không có chỉ định",
        "legal_basis": None,
    }
    label = cases.labels()[0]
    assert (label.ma_cskcb, label.ma_lk, label.row_no, label.outcome) == ("01001", "LK1", 1, "refused")
    assert (label.lane, label.run_id, label.model_version, label.concluded_by) == ("flag", "R1", 3, "minh")


def test_opening_twice_gives_the_same_case(office: Office) -> None:
    lan, minh = office.person("lan"), office.person("minh")
    first = office.taken_case(lan)
    assert office.cases.open(claim(), minh) == first
    assert office.cases.open(claim(run_id="R2"), minh).id != first.id
    assert len(office.cases.of_entity("01001:LK1")) == 2
    assert office.cases.of_entities(["01001:LK1", "x"])["01001:LK1"].run_id == "R2"
    assert office.cases.of_entities(["01001:LK1"], run_id="R1")["01001:LK1"] == first


def test_taking(office: Office) -> None:
    lan, minh, lead = office.person("lan"), office.person("minh"), office.person("truong", "lead")
    case = office.taken_case(lan)
    assert office.cases.take(case.id, lan) == case
    with pytest.raises(NotPermitted, match="is with lan"):
        office.cases.take(case.id, minh)
    with pytest.raises(NotPermitted):
        office.cases.release(case.id, minh, reason="tôi muốn")
    assert office.cases.release(case.id, lead, reason="lan nghỉ").assignee is None
    assert office.cases.take(case.id, minh).assignee == "minh"


def test_a_correction_supersedes_and_the_old_decision_stays(office: Office) -> None:
    lan = office.person("lan")
    case = office.decided_case(lan, refusal(1), refusal(2))
    old = office.cases.decisions(case.id)
    office.clock.forward(minutes=5)
    again, [new] = office.cases.decide(case.id, [line("adjusted", 1, "200000", "1")], lan)
    assert (again.status, again.revision) == (DECIDED, case.revision + 1)
    kept = office.cases.decisions(case.id)
    assert kept == [replace(old[0], superseded_by=new.id), old[1], new]
    assert office.cases.decisions(case.id, counting_only=True) == [old[1], new]
    assert (office.cases.history(case.id)[0].before or {})["lines"][0]["outcome"] == "refused"


def test_undoing_the_last_decision_goes_back_to_work(office: Office) -> None:
    lan, minh = office.person("lan"), office.person("minh")
    case = office.decided_case(lan, refusal(1), refusal(2))
    one, two = office.cases.decisions(case.id)
    with pytest.raises(NotPermitted):
        office.cases.undo(one.id, minh, reason="nhầm")
    assert office.cases.undo(one.id, lan, reason="nhầm dòng").status is DECIDED
    back = office.cases.undo(two.id, lan, reason="nhầm dòng")
    assert (back.status, back.deciders) == (TAKEN, frozenset())
    assert office.cases.decisions(case.id, counting_only=True) == []
    assert [d.outcome for d in office.cases.decisions(case.id)] == ["refused", "refused", "withdrawn", "withdrawn"]
    with pytest.raises(BadDecision, match="no longer holds"):
        office.cases.undo(one.id, lan, reason="lần nữa")
    for unknown in (999, 10**30):
        with pytest.raises(BadDecision, match="no decision"):
            office.cases.undo(unknown, lan, reason="x")
    case, _ = office.cases.decide(case.id, [line("accepted", None, "1000000.50", "0")], lan)
    assert [d.outcome for d in office.cases.decisions(case.id, counting_only=True)] == ["accepted"]
    assert office.cases.labels(include_open=True)[0].line_table is None


def test_lines_must_fit_the_claim(office: Office) -> None:
    lan = office.person("lan")
    case = office.taken_case(lan)
    decide = office.cases.decide
    for wrong in (
        [],
        [refusal(1), refusal(1)],
        [refusal(1), line("refused", None, "1000000", "1000000")],
        [refusal(1, "1000001.51", "1000001.51")],
        [refusal(1, "600000", "600000"), refusal(2, "600000", "600000")],
    ):
        with pytest.raises(BadDecision):
            decide(case.id, wrong, lan)
    assert office.cases.get(case.id) == case
    decide(case.id, [refusal(1, "600000", "600000")], lan)
    with pytest.raises(BadDecision, match=r"1,200,000"):
        decide(case.id, [refusal(2, "600000", "600000")], lan)
    with pytest.raises(BadDecision, match="as a whole"):
        decide(case.id, [line("refused", None, "1000000", "1000000")], lan)
    decide(case.id, [refusal(1, "1000001.50", "1000001.50")], lan)


def test_sending_back_reopening_and_deciding_anew(office: Office) -> None:
    lan, minh, lead = office.person("lan"), office.person("minh"), office.person("truong", "lead")
    case = office.decided_case(lan)
    back = office.cases.send_back(case.id, minh, reason="thiếu căn cứ")
    assert (back.status, back.assignee) == (TAKEN, "lan")
    with pytest.raises(BadMove):
        office.cases.conclude(case.id, minh, reason="x")
    office.cases.decide(case.id, [refusal(1, "200000", "1")], lan)
    office.cases.conclude(case.id, minh, reason="đồng ý")
    with pytest.raises(BadMove):
        office.cases.decide(case.id, [refusal(2)], lan)
    with pytest.raises(NotPermitted):
        office.cases.reopen(case.id, minh, reason="x")
    reopened = office.cases.reopen(case.id, lead, reason="kiểm toán yêu cầu")
    assert (reopened.status, reopened.assignee, reopened.concluded_by) == (REOPENED, None, None)
    assert office.cases.labels() == []
    office.cases.take(case.id, minh)
    office.cases.decide(case.id, [line("accepted", 1, "200000", "0", "Có chỉ định")], minh)
    assert office.cases.conclude(case.id, lan, reason="đồng ý").concluded_by == "lan"
    assert [label.outcome for label in office.cases.labels()] == ["accepted"]


def test_two_people_at_one_page(office: Office) -> None:
    lan, lead = office.person("lan"), office.person("truong", "lead")
    case = office.taken_case(lan)
    office.cases.decide(case.id, [refusal(1)], lead, revision=case.revision)
    with pytest.raises(CaseChanged) as raised:
        office.cases.decide(case.id, [line("accepted", 1, "200000", "0")], lan, revision=case.revision)
    assert raised.value.http_status == 409
    assert [d.outcome for d in office.cases.decisions(case.id)] == ["refused"]


def test_scope_holds_in_every_list_and_act(office: Office) -> None:
    lan, other = office.person("lan"), office.person("other", provinces=("79",))
    case = office.taken_case(lan)
    office.cases.open(claim(ma_cskcb="79001"), lan)
    assert [c.ma_cskcb for c in office.cases.find(other.scope)] == ["79001"]
    assert [c.ma_cskcb for c in office.cases.find(lan.scope)] == ["79001", "01001"]
    assert office.cases.counts(other.scope) == dict.fromkeys(CaseStatus, 0) | {NEW: 1}
    assert office.cases.counts(lan.scope)[TAKEN] == 1
    with pytest.raises(NotPermitted):
        office.cases.open(claim("LK9"), other)
    acts: list[Callable[[], object]] = [
        lambda: office.cases.take(case.id, other),
        lambda: office.cases.decide(case.id, [refusal()], other),
        lambda: office.cases.note(case.id, other, text="x"),
        lambda: office.cases.conclude(case.id, other, reason="x"),
        lambda: office.cases.send_back(case.id, other, reason="x"),
        lambda: office.cases.ask_facility(case.id, other, question="x"),
    ]
    for act in acts:
        with pytest.raises(NotPermitted):
            act()
    assert len(office.cases.history(case.id)) == 2


def test_finding_cases(office: Office) -> None:
    lan = office.person("lan")
    ids = [office.cases.open(claim(f"LK{n}"), lan).id for n in range(5)]
    office.cases.take(ids[2], lan)
    found = office.cases.find
    assert [c.id for c in found(lan.scope, limit=2)] == ids[:2:-1]
    assert [c.id for c in found(lan.scope, before_id=ids[3], limit=2)] == [ids[2], ids[1]]
    assert [c.id for c in found(lan.scope, statuses=[TAKEN])] == [ids[2]]
    assert [c.id for c in found(lan.scope, assignee="lan")] == [ids[2]]
    assert found(lan.scope, run_id="R2") == []


def test_unknown_cases(office: Office) -> None:
    lan = office.person("lan")
    for case_id in (1, 2**31, 10**30):
        with pytest.raises(UnknownCase):
            office.cases.get(case_id)
        with pytest.raises(UnknownCase):
            office.cases.take(case_id, lan)


def test_no_act_without_its_audit_entry(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    lan = office.person("lan")
    case = office.decided_case(lan)
    before = (office.cases.get(case.id), office.cases.decisions(case.id))

    def full_disk(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("service.cases.store.append", full_disk)
    acts: list[Callable[[], object]] = [
        lambda: office.cases.decide(case.id, [line("accepted", 1, "200000", "0")], lan),
        lambda: office.cases.undo(before[1][0].id, lan, reason="x"),
        lambda: office.cases.send_back(case.id, lan, reason="x"),
        lambda: office.cases.open(claim("LK2"), lan),
    ]
    for act in acts:
        with pytest.raises(OSError, match="disk full"):
            act()
    assert (office.cases.get(case.id), office.cases.decisions(case.id)) == before
    assert office.cases.of_entity("01001:LK2") == []


def test_whatever_people_try_the_story_stays_whole(
    migrated_file: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Random acts by random people: refused or done, the chain holds and every change of status is in the log."""
    import shutil

    people = ("lan", "minh", "truong")
    acts: dict[str, Callable[[CaseStore, int, User], object]] = {
        "take": lambda cases, case_id, user: cases.take(case_id, user),
        "release": lambda cases, case_id, user: cases.release(case_id, user, reason="r"),
        "ask": lambda cases, case_id, user: cases.ask_facility(case_id, user, question="q"),
        "answer": lambda cases, case_id, user: cases.answer_received(case_id, user, answer="a"),
        "decide": lambda cases, case_id, user: cases.decide(case_id, [refusal()], user),
        "undo": lambda cases, case_id, user: cases.undo(
            max((d.id for d in cases.decisions(case_id, counting_only=True)), default=0), user, reason="u"
        ),
        "send_back": lambda cases, case_id, user: cases.send_back(case_id, user, reason="s"),
        "conclude": lambda cases, case_id, user: cases.conclude(case_id, user, reason="c"),
        "reopen": lambda cases, case_id, user: cases.reopen(case_id, user, reason="o"),
    }

    @settings(max_examples=10, deadline=None, derandomize=True, database=None)
    @given(st.lists(st.tuples(st.sampled_from(people), st.sampled_from(sorted(acts))), max_size=25))
    def check(tries: list[tuple[str, str]]) -> None:
        path = shutil.copy(migrated_file, tmp_path_factory.mktemp("random") / "office.db")
        office = Office(Database(f"sqlite:///{path}"))
        users = {name: office.person(name, "lead" if name == "truong" else "assessor") for name in people}
        case = office.cases.open(claim(), users["lan"])
        for name, act in tries:
            with suppress(NotPermitted, BadMove, BadDecision):
                acts[act](office.cases, case.id, users[name])
            now = office.cases.get(case.id)
            deciders = {d.decided_by for d in office.cases.decisions(case.id, counting_only=True)}
            assert now.concluded_by is None or now.concluded_by not in deciders
            assert (now.status in (DECIDED, CONCLUDED)) <= bool(deciders)
        status = NEW.value
        for entry in reversed(office.cases.history(case.id)[:-1]):
            assert (entry.before or {})["status"] == status
            status = (entry.after or {})["status"]
        assert status == office.cases.get(case.id).status
        with office.database.read() as session:
            assert verify_chain(session).intact
        office.database.dispose()

    check()


# Small parts


@pytest.mark.parametrize(
    ("asked", "due"),
    [("2026-03-02", "2026-03-05"), ("2026-03-05", "2026-03-10"), ("2026-03-07", "2026-03-11")],
)
def test_days_to_answer_leave_weekends_out(asked: str, due: str) -> None:
    assert answer_due(date.fromisoformat(asked)) == date.fromisoformat(due)


def test_amounts_as_vietnamese_texts_write_them() -> None:
    assert [dong_vi(Decimal(x)) for x in ("1234567", "1234567.50", "0.00")] == ["1.234.567", "1.234.567,50", "0"]
