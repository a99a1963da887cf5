"""Which implementation stands where: the only place that chooses, from the settings of the process."""

from __future__ import annotations

import getpass
from functools import cached_property
from typing import TYPE_CHECKING

from data.lake import Lake
from service.clock import utc_now

if TYPE_CHECKING:
    from models.registry import Registry
    from service.accounts import Accounts
    from service.api.state import AppState, Scorer
    from service.cases.store import CaseStore
    from service.clock import Clock
    from service.db.engine import Database
    from service.model_history import ModelHistory
    from service.reading import Reading
    from service.rule_desk import RuleDesk
    from service.settings import Settings


class App:
    """The parts of one process, each made when first asked for."""

    def __init__(self, settings: Settings, clock: Clock = utc_now) -> None:
        """`clock` stands for the time everywhere."""
        self.settings = settings
        self.clock = clock

    @cached_property
    def lake(self) -> Lake:
        """The claims lake of this home."""
        return Lake(
            self.settings.home / "lake",
            clock=self.clock,
            memory=self.settings.duckdb_memory,
            threads=self.settings.duckdb_threads,
        )

    @cached_property
    def reading(self) -> Reading:
        """Queries for pages, API and exports."""
        from service.reading import Reading

        return Reading(self.lake, pace=self.settings.pace)

    @cached_property
    def database(self) -> Database:
        """The relational database, its tables brought up to date."""
        from service.db.engine import Database

        database = Database(self.settings.database)
        database.migrate()
        return database

    @cached_property
    def accounts(self) -> Accounts:
        """Accounts, sessions and tokens."""
        from service.accounts import Accounts

        return Accounts(
            self.database,
            self.clock,
            session_hours=self.settings.session_hours,
            one_time_hours=self.settings.one_time_password_hours,
        )

    @cached_property
    def cases(self) -> CaseStore:
        """Cases and decisions."""
        from service.cases.store import CaseStore

        return CaseStore(self.database, self.clock)

    @cached_property
    def model_history(self) -> ModelHistory:
        """Who promoted what, when and why."""
        from service.model_history import ModelHistory

        return ModelHistory(self.database, self.clock)

    @cached_property
    def rule_desk(self) -> RuleDesk:
        """Which rules are off, in shadow or silent about an entity."""
        from service.rule_desk import RuleDesk

        return RuleDesk(self.database, self.clock)

    @cached_property
    def registry(self) -> Registry:
        """Model versions and aliases."""
        from models.registry import Registry

        return Registry(self.settings.tracking_uri, self.settings.home.absolute())

    @cached_property
    def scorer(self) -> Scorer | None:
        """Scores claims that are sent in, with the champion; None before any model was trained."""
        from service.scorer import ChampionScorer

        return ChampionScorer(self.lake, self.registry, self.settings, self.clock, self.rule_desk.in_force)

    def record_look(self, command: str, file: str, *, table: str, rows: int) -> None:
        """Enter in the audit log that the operator takes `rows` of a restricted table into `file`."""
        from service.audit import AuditEntry, append

        with self.database.write() as session:
            append(
                session,
                AuditEntry(
                    actor=getpass.getuser(),
                    action="person.read",
                    object_type="person",
                    object_id=f"{rows}",
                    at=self.clock(),
                    after={"table": table, "rows": rows, "file": file},
                    reason=f"minhbach {command}",
                ),
            )

    def state(self) -> AppState:
        """What the web service's requests may use."""
        from service.api.state import AppState

        return AppState(
            settings=self.settings,
            lake=self.lake,
            reading=self.reading,
            database=self.database,
            accounts=self.accounts,
            cases=self.cases,
            models=self.model_history,
            registry=self.registry,
            rule_desk=self.rule_desk,
            scorer=self.scorer,
            clock=self.clock,
        )
