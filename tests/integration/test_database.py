"""The relational side on both engines: the same migrations, the same exactness, the same guards."""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from threading import Barrier

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import CheckConstraint, func, insert, inspect, select, text
from sqlalchemy.exc import DBAPIError

from service.accounts import BadAccount, BadCredentials, TooManyAttempts
from service.audit import AuditEntry, append, entries, verify_chain
from service.cases.model import Case, CaseStatus
from service.db.engine import Database, DatabaseOutOfDate, DatabaseOutOfReach
from service.db.tables import Base, CaseRow, DecisionRow
from tests.lib.postgres import Postgres, find_binary, running_postgres
from tests.lib.relational import MONDAY, Office, claim, line, refusal


@pytest.fixture(scope="module")
def postgres() -> Generator[Postgres]:
    with running_postgres() as cluster:
        yield cluster


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'home' / 'minhbach.db'}"
    cluster: Postgres = request.getfixturevalue("postgres")
    return cluster.new_database()


@pytest.fixture
def database(url: str) -> Generator[Database]:
    database = Database(url)
    database.migrate()
    yield database
    database.dispose()


@pytest.fixture
def office(database: Database) -> Office:
    return Office(database)


def at_once(*acts: Callable[[], object]) -> list[object]:
    """Run acts in threads that start together; an error is given back as the result."""
    barrier = Barrier(len(acts))

    def run(act: Callable[[], object]) -> object:
        barrier.wait(10)
        try:
            return act()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return error

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def test_a_machine_without_postgresql_fails_with_the_way_out() -> None:
    with pytest.raises(RuntimeError, match="apt-get install postgresql"):
        find_binary("postgres-of-no-distribution")


# Migrations


def test_migrations_make_the_tables_the_code_sees(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
        made = inspect(connection)
        for table in Base.metadata.sorted_tables:
            checks = {check["name"] for check in made.get_check_constraints(table.name)}
            wanted = {c.name for c in table.constraints if isinstance(c, CheckConstraint)}
            assert checks == wanted, table.name
    assert database.migrate() == database.migrate()
    database.check_revision()


def test_processes_that_start_at_once_migrate_once(url: str) -> None:
    databases = [Database(url) for _ in range(4)]
    assert at_once(*[database.migrate for database in databases]) == [databases[0].migrate()] * 4
    for database in databases:
        database.dispose()


def test_a_database_of_another_version_is_refused(url: str) -> None:
    database = Database(url)
    with pytest.raises(DatabaseOutOfDate, match="revision none"):
        database.check_revision()
    database.migrate()
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for act in (database.migrate, database.check_revision):
        with pytest.raises(DatabaseOutOfDate, match="newer version"):
            act()
    database.dispose()


@pytest.mark.parametrize(
    "wrong", ["sqlite:////proc/minhbach.db", "postgresql://u:hush@/x?host=/nowhere", "postgresql://u:hush@/x?host=/tmp"]
)
def test_a_database_out_of_reach_is_explained(wrong: str) -> None:
    database = Database(wrong)
    with pytest.raises(DatabaseOutOfReach, match="MINHBACH_DATABASE_URL") as raised:
        database.migrate()
    assert "hush" not in str(raised.value) + raised.value.vi
    database.dispose()


def test_other_engines_are_refused() -> None:
    with pytest.raises(DatabaseOutOfReach, match="sqlite or postgresql"):
        Database("mssql+pyodbc://x")


# Exact values


@pytest.mark.parametrize("amount", ["0", "0.01", "0.10", "1000000.50", "9999999999999999.99"])
def test_money_is_exact(office: Office, amount: str) -> None:
    lan = office.person("lan")
    case = office.cases.open(claim(t_bhtt=Decimal(amount)), lan)
    assert str(office.cases.get(case.id).t_bhtt) == str(Decimal(amount).quantize(Decimal("0.01")))
    office.cases.open(claim("LK2", t_bhtt=Decimal("0.01")), lan)
    with office.database.read() as session:
        assert session.scalar(select(func.sum(CaseRow.t_bhtt))) == Decimal(amount) + Decimal("0.01")
        assert session.scalar(select(CaseRow.id).where(CaseRow.t_bhtt == Decimal(amount)).order_by(CaseRow.id)) == 1


def test_money_that_would_be_rounded_is_refused(office: Office) -> None:
    office.decided_case(office.person("lan"))
    with office.database.write() as session, pytest.raises(Exception, match="two decimals"):
        session.execute(select(CaseRow).where(CaseRow.t_bhtt == Decimal("0.001")))


def test_moments_come_back_in_utc(office: Office) -> None:
    in_hanoi = datetime(2026, 3, 2, 15, 30, 15, 123456, tzinfo=timezone(timedelta(hours=7)))
    office.clock.at = in_hanoi
    case = office.cases.open(claim(), office.person("lan"))
    kept = office.cases.get(case.id).opened_at
    assert (kept, kept.tzinfo) == (in_hanoi, UTC)
    with office.database.read() as session:
        assert entries(session)[0].at == in_hanoi
        assert verify_chain(session).intact


# Guards that hold even for one who writes SQL


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_log SET reason = 'x'",
        "UPDATE audit_log SET actor = actor",
        "DELETE FROM audit_log",
        "UPDATE model_event SET reason = 'x'",
        "DELETE FROM model_event",
        "DELETE FROM decision",
        "UPDATE decision SET amount_refused = 1 WHERE superseded_by IS NULL",
        "UPDATE decision SET reason = 'x', superseded_by = id WHERE superseded_by IS NULL",
        "UPDATE decision SET superseded_by = NULL WHERE superseded_by IS NOT NULL",
        "DELETE FROM user_account WHERE name = 'lan'",
        "UPDATE case_file SET status = 'lost'",
        "INSERT INTO login_session VALUES ('x', 99, 'x', '2026-01-01', '2026-01-01')",
    ],
)
def test_what_must_not_change_does_not(office: Office, statement: str) -> None:
    lan = office.person("lan")
    case = office.decided_case(lan, refusal(1))
    office.cases.decide(case.id, [line("accepted", 1, "200000", "0")], lan)
    office.models.record(1, "registered", by="lan", reason="first")
    with pytest.raises(DBAPIError), office.database.write() as session:
        session.execute(text(statement))
    with office.database.read() as session:
        assert verify_chain(session).intact


def test_replacing_and_truncating_are_refused_too(office: Office) -> None:
    office.person("lan")
    sqlite = office.database.engine.dialect.name == "sqlite"
    statement = "REPLACE INTO audit_log SELECT * FROM audit_log" if sqlite else "TRUNCATE audit_log"
    with pytest.raises(DBAPIError, match="append only"), office.database.write() as session:
        session.execute(text(statement))


def test_the_database_checks_amounts_itself(office: Office) -> None:
    case = office.decided_case(office.person("lan"))
    row = {
        "case_id": case.id,
        "claim_id": case.entity_id,
        "outcome": "refused",
        "amount_before": Decimal(1),
        "amount_refused": Decimal("1.01"),
        "reason": "x",
        "decided_by": "lan",
        "decided_at": MONDAY,
    }
    with pytest.raises(DBAPIError, match="amount_refused"), office.database.write() as session:
        session.execute(insert(DecisionRow).values(row))


# The whole story, and several people at once


def test_two_people_conclude_a_case(office: Office) -> None:
    lan, minh = office.person("lan"), office.person("minh", provinces=("01",))
    case = office.decided_case(lan, refusal(1), line("adjusted", 2, "99.99", "0.01"))
    office.cases.undo(office.cases.decisions(case.id)[0].id, lan, reason="nhầm dòng")
    assert office.cases.conclude(case.id, minh, reason="đồng ý").status is CaseStatus.CONCLUDED
    assert [(label.row_no, label.amount_refused) for label in office.cases.labels()] == [(2, Decimal("0.01"))]
    assert [c.id for c in office.cases.find(minh.scope, statuses=[CaseStatus.CONCLUDED])] == [case.id]
    assert office.cases.of_entities([f"01001:{n}" for n in range(1200)] + ["01001:LK1"]).keys() == {"01001:LK1"}


def test_accounts(office: Office) -> None:
    accounts = office.accounts
    user = office.person("lan", provinces=("01",))
    with pytest.raises(BadAccount, match="exists already"):
        office.person("lan")
    issued = accounts.issue_one_time_password("lan", actor="demo")
    signed_in = accounts.start_session(accounts.check_password("lan", issued.password))
    assert accounts.find_session(signed_in.token) == signed_in
    assert signed_in.user.scope == user.scope
    _, token = accounts.create_token("lan", label="x", days=1, actor="lan")
    assert accounts.find_token(token).name == "lan"
    with pytest.raises(BadCredentials):
        accounts.check_password("a\x00b", "x\x00y")


def test_guesses_sent_at_once_do_not_outrun_the_count(office: Office) -> None:
    office.person("lan")
    outcomes = at_once(*[lambda: office.accounts.check_password("lan", "wrong")] * 12)
    kinds = [type(outcome) for outcome in outcomes]
    assert set(kinds) == {BadCredentials, TooManyAttempts}
    assert kinds.count(BadCredentials) == 5


def test_a_case_opened_by_many_at_once_is_one_case(office: Office) -> None:
    lan = office.person("lan")
    opened = at_once(*[lambda: office.cases.open(claim(), lan)] * 6)
    with office.database.read() as session:
        kept = session.scalars(select(CaseRow.id)).all()
    assert len(kept) == 1
    assert [case.id if isinstance(case, Case) else case for case in opened] == [*kept] * 6


def test_only_one_of_two_takes_the_case(office: Office) -> None:
    people = [office.person("lan"), office.person("minh")]
    case = office.cases.open(claim(), people[0])
    outcomes = at_once(*[lambda user=user: office.cases.take(case.id, user) for user in people])
    assert sum(isinstance(outcome, Exception) for outcome in outcomes) == 1
    assert [e.action for e in office.cases.history(case.id)] == ["case.taken", "case.opened"]


def test_the_chain_holds_when_many_write(office: Office) -> None:
    def write(number: int) -> None:
        for step in range(5):
            with office.database.write() as session:
                entry = AuditEntry(
                    actor=f"p{number}", action="claim.viewed", object_type="claim", object_id=str(step), at=MONDAY
                )
                append(session, entry)

    outcomes = at_once(*[lambda number=number: write(number) for number in range(8)])
    assert outcomes == [None] * 8
    with office.database.read() as session:
        report = verify_chain(session)
    assert (report.intact, report.entries) == (True, 40)


def test_a_reader_does_not_wait_for_a_writer(office: Office) -> None:
    case = office.cases.open(claim(), office.person("lan"))
    with office.database.write() as session:
        session.get_one(CaseRow, case.id, with_for_update=True).status = "taken"
        session.flush()
        assert office.cases.get(case.id).status is CaseStatus.NEW
    assert office.cases.get(case.id).status is CaseStatus.TAKEN
