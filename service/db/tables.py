"""The tables, as the code sees them. `migrations/` makes them; a test keeps both equal."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Float, ForeignKey, Index, MetaData, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from service.db.types import Dong, UtcDateTime

NAME = 64
"""Longest account name."""

JsonObject = dict[str, Any]


class Base(DeclarativeBase):
    """Names every constraint, so that a later migration can drop it on either engine."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - read by SQLAlchemy as declared
        datetime: UtcDateTime(),
        Decimal: Dong(),
        JsonObject: JSON(none_as_null=True),
        list[str]: JSON(none_as_null=True),
        list[JsonObject]: JSON(none_as_null=True),
        str: Text(),
    }


class UserRow(Base):
    """A person or a program. Never deleted: cases and the audit log name it for ever."""

    __tablename__ = "user_account"
    __table_args__ = (
        CheckConstraint("role IN ('assessor', 'lead', 'auditor', 'admin', 'machine')", name="role"),
        CheckConstraint("lang IN ('vi', 'en')", name="lang"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(NAME), unique=True)
    password_hash: Mapped[str | None]
    role: Mapped[str] = mapped_column(String(16))
    provinces: Mapped[list[str]]
    facilities: Mapped[list[str]]
    lang: Mapped[str] = mapped_column(String(2))
    disabled: Mapped[bool]
    must_change_password: Mapped[bool]
    password_expires_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class ThrottleRow(Base):
    """Failed sign-ins in a row for one name, known or not; the name is hashed, for people mistype passwords there."""

    __tablename__ = "login_throttle"

    name_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    failures: Mapped[int]
    last_at: Mapped[datetime]
    blocked_until: Mapped[datetime | None]


class SessionRow(Base):
    """A browser that signed in."""

    __tablename__ = "login_session"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    csrf: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class TokenRow(Base):
    """An API token; the token itself is shown once and not kept."""

    __tablename__ = "api_token"

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    label: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class CaseRow(Base):
    """What an assessor works on, with the figures as they stood when it was opened."""

    __tablename__ = "case_file"
    __table_args__ = (
        UniqueConstraint("run_id", "entity_level", "entity_id"),
        Index("ix_case_file_status_province", "status", "province"),
        Index("ix_case_file_entity", "entity_level", "entity_id"),
        CheckConstraint(
            "status IN ('new', 'taken', 'waiting_facility', 'decided', 'concluded', 'reopened')", name="status"
        ),
        CheckConstraint("lane IN ('flag', 'random', 'chosen')", name="lane"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[str]
    entity_level: Mapped[str] = mapped_column(String(16))
    entity_id: Mapped[str]
    ma_cskcb: Mapped[str] = mapped_column(String(5))
    province: Mapped[str] = mapped_column(String(2))
    claim_version: Mapped[int | None]
    model_version: Mapped[int | None]
    snapshot: Mapped[int | None]
    lane: Mapped[str] = mapped_column(String(16))
    score: Mapped[float | None] = mapped_column(Float)
    t_bhtt: Mapped[Decimal]
    amount_at_risk: Mapped[Decimal]
    expected_recoverable: Mapped[Decimal]
    schemes: Mapped[list[str]]
    evidence: Mapped[list[JsonObject]]
    status: Mapped[str] = mapped_column(String(16))
    assignee: Mapped[str | None] = mapped_column(ForeignKey("user_account.name"), index=True)
    answer_due: Mapped[date | None]
    opened_by: Mapped[str] = mapped_column(ForeignKey("user_account.name"))
    opened_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    concluded_by: Mapped[str | None] = mapped_column(ForeignKey("user_account.name"))
    concluded_at: Mapped[datetime | None]
    revision: Mapped[int]


class DecisionRow(Base):
    """What was decided of one line, or of the whole claim when no line is named. Corrected only by a newer row."""

    __tablename__ = "decision"
    __table_args__ = (
        CheckConstraint("outcome IN ('accepted', 'adjusted', 'refused', 'withdrawn')", name="outcome"),
        CheckConstraint("amount_refused >= 0 AND amount_refused <= amount_before", name="amount_refused"),
        CheckConstraint("(line_table IS NULL) = (row_no IS NULL)", name="line"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"), index=True)
    claim_id: Mapped[str] = mapped_column(Text, index=True)
    line_table: Mapped[str | None] = mapped_column(String(32))
    row_no: Mapped[int | None]
    outcome: Mapped[str] = mapped_column(String(16))
    amount_before: Mapped[Decimal]
    amount_refused: Mapped[Decimal]
    reason: Mapped[str]
    legal_basis: Mapped[str | None]
    decided_by: Mapped[str] = mapped_column(ForeignKey("user_account.name"))
    decided_at: Mapped[datetime]
    superseded_by: Mapped[int | None] = mapped_column(ForeignKey("decision.id"), index=True)


class AuditRow(Base):
    """One act. Append only, each row sealed by the hash of the one before."""

    __tablename__ = "audit_log"
    __table_args__ = (Index("ix_audit_log_object", "object_type", "object_id"),)

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[str] = mapped_column(Text, index=True)
    action: Mapped[str]
    object_type: Mapped[str]
    object_id: Mapped[str]
    before: Mapped[JsonObject | None]
    after: Mapped[JsonObject | None]
    reason: Mapped[str]
    prev_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64), unique=True)


class ModelEventRow(Base):
    """What happened to a model version, and at whose word. Append only."""

    __tablename__ = "model_event"
    __table_args__ = (CheckConstraint("action IN ('registered', 'promoted', 'alias_set')", name="action"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(index=True)
    action: Mapped[str] = mapped_column(String(16))
    alias: Mapped[str | None] = mapped_column(String(32))
    by: Mapped[str]
    reason: Mapped[str]
    at: Mapped[datetime] = mapped_column(index=True)


class RuleSwitchRow(Base):
    """A rule turned on, off or into shadow, in one province or in all. Append only: the newest one holds."""

    __tablename__ = "rule_switch"
    __table_args__ = (CheckConstraint("state IN ('on', 'shadow', 'off')", name="state"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    rule: Mapped[str] = mapped_column(String(32), index=True)
    province: Mapped[str | None] = mapped_column(String(2))
    state: Mapped[str] = mapped_column(String(8))
    by: Mapped[str]
    reason: Mapped[str]
    at: Mapped[datetime]


class RuleSnoozeRow(Base):
    """A rule asked to leave an entity alone until a day; it does so once a second person agrees, until it is ended."""

    __tablename__ = "rule_snooze"
    __table_args__ = (
        CheckConstraint("level IN ('claim', 'patient', 'doctor', 'facility')", name="level"),
        CheckConstraint("approved_by IS NULL OR approved_by <> asked_by", name="two_people"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    rule: Mapped[str] = mapped_column(String(32), index=True)
    level: Mapped[str] = mapped_column(String(16))
    entity: Mapped[str]
    until: Mapped[date]
    reason: Mapped[str]
    asked_by: Mapped[str]
    asked_at: Mapped[datetime]
    approved_by: Mapped[str | None]
    approved_at: Mapped[datetime | None]
    ended_by: Mapped[str | None]
    ended_at: Mapped[datetime | None]
