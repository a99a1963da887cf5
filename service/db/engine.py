"""One door to the relational database: transactions that commit whole or not at all, and the migrations."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from sqlite3 import OperationalError
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from data.errors import MinhBachError

if TYPE_CHECKING:
    from collections.abc import Generator

    from alembic.config import Config
    from alembic.script import ScriptDirectory

BUSY_SECONDS = 10
"""How long a writer waits for another one on SQLite before it gives up."""

_WRITE = "minhbach_write"
_MIGRATION_LOCK = 0x4D42_0001  # any number, as long as every process uses the same one


class DatabaseOutOfReach(MinhBachError):
    """The database does not answer."""

    code = "database_out_of_reach"
    http_status = 503


class DatabaseOutOfDate(MinhBachError):
    """The database's tables are not those this version of the service works with."""

    code = "database_out_of_date"
    http_status = 503


class Database:
    """Sessions of one database. `read` never changes anything; `write` commits at its end, or not at all."""

    def __init__(self, url: str) -> None:
        """`url` is an SQLAlchemy address of SQLite or PostgreSQL; a missing folder of a SQLite file is made."""
        address = make_url(url)
        if address.drivername in ("postgres", "postgresql"):
            address = address.set(drivername="postgresql+psycopg")
        if address.get_backend_name() not in ("sqlite", "postgresql"):
            raise DatabaseOutOfReach(
                f"{address.get_backend_name()} is not supported: use sqlite or postgresql in MINHBACH_DATABASE_URL",
                vi=f"Chưa hỗ trợ {address.get_backend_name()}: hãy dùng sqlite hoặc postgresql ở MINHBACH_DATABASE_URL",
            )
        self.address = address.render_as_string(hide_password=True)
        if address.get_backend_name() == "sqlite":
            if address.database:
                Path(address.database).parent.mkdir(parents=True, exist_ok=True)
            self.engine = create_engine(address, connect_args={"timeout": BUSY_SECONDS})
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        else:
            self.engine = create_engine(address, pool_pre_ping=True)
        self._writer: Engine = self.engine.execution_options(**{_WRITE: True})

    @contextmanager
    def read(self) -> Generator[Session]:
        """A session that is rolled back at its end."""
        with Session(self.engine, autoflush=False) as session:
            yield session

    @contextmanager
    def write(self) -> Generator[Session]:
        """A session that is committed when the block ends, rolled back when it raises."""
        with Session(self._writer, expire_on_commit=False) as session, session.begin():
            yield session

    def migrate(self) -> str:
        """Bring the tables to the newest revision and return it; safe when several processes start at once.

        Raises DatabaseOutOfReach, or DatabaseOutOfDate when the database is newer than the code.
        """
        from alembic import command

        try:
            with self._writer.begin() as connection:
                if connection.dialect.name == "postgresql":
                    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
                config = _alembic()
                self._check_known(connection, config)
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
        except DBAPIError as error:
            raise self._out_of_reach(error) from error
        return _head(_alembic())

    def check_revision(self) -> None:
        """Raise DatabaseOutOfDate unless the tables are at the newest revision."""
        config = _alembic()
        try:
            with self.engine.connect() as connection:
                self._check_known(connection, config)
                found = _revision(connection)
        except DBAPIError as error:
            raise self._out_of_reach(error) from error
        if found != _head(config):
            raise DatabaseOutOfDate(
                f"the database is at revision {found or 'none'}, the service needs {_head(config)}:"
                " restart the service, which migrates",
                vi=f"Cơ sở dữ liệu ở bản {found or 'trống'}, dịch vụ cần bản {_head(config)}:"
                " hãy khởi động lại dịch vụ để nâng cấp",
            )

    def dispose(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    def _out_of_reach(self, error: DBAPIError) -> DatabaseOutOfReach:
        return DatabaseOutOfReach(
            f"database {self.address} cannot be used: {error.orig}; check MINHBACH_DATABASE_URL and that it runs",
            vi=f"Không dùng được cơ sở dữ liệu {self.address}: {error.orig};"
            " hãy kiểm tra MINHBACH_DATABASE_URL và máy chủ",
        )

    def _check_known(self, connection: Connection, config: Config) -> None:
        found = _revision(connection)
        if found is not None and found not in {s.revision for s in _scripts(config).walk_revisions()}:
            raise DatabaseOutOfDate(
                f"the database is at revision {found}, which this version does not know: install the newer version",
                vi=f"Cơ sở dữ liệu ở bản {found} mà phiên bản này chưa biết: hãy cài phiên bản mới hơn",
            )


def _alembic() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "service.db:migrations")
    config.set_main_option("path_separator", "os")
    return config


def _scripts(config: Config) -> ScriptDirectory:
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(config)


def _head(config: Config) -> str:
    head = _scripts(config).get_current_head()
    if head is None:
        raise RuntimeError("no migration was installed with the service")
    return head


def _revision(connection: Connection) -> str | None:
    from alembic.migration import MigrationContext

    return MigrationContext.configure(connection).get_current_revision()


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver would begin late, and not at all before DDL
    for pragma in (
        f"busy_timeout = {BUSY_SECONDS * 1000}",
        "synchronous = FULL",  # a decision answered for with "saved" survives a power cut
        "foreign_keys = ON",
    ):
        connection.execute(f"PRAGMA {pragma}")
    # Turning a new file to WAL does not wait for another process that does the same: it is refused at once.
    deadline = monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except OperationalError:
            if monotonic() > deadline:
                raise
            sleep(0.02)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    # A reader that turns writer half-way is refused at once when another wrote meanwhile; a writer that says so waits.
    writes = connection.get_execution_options().get(_WRITE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
