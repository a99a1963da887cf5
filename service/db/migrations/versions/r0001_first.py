"""The first tables, and the triggers that keep what must not change."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from service.db.types import Dong, UtcDateTime

revision = "0001"
down_revision = None

APPEND_ONLY = ("audit_log", "model_event")


def upgrade() -> None:
    """Make every table of the first version."""
    _accounts()
    _cases()
    _logs()
    if op.get_bind().dialect.name == "sqlite":
        _guard_sqlite()
    else:
        _guard_postgresql()


def downgrade() -> None:
    """There is no way back from here."""
    raise NotImplementedError("going below the first revision would delete the audit log; drop the database by hand")


def _accounts() -> None:
    op.create_table(
        "user_account",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("provinces", sa.JSON(), nullable=False),
        sa.Column("facilities", sa.JSON(), nullable=False),
        sa.Column("lang", sa.String(2), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("must_change_password", sa.Boolean(), nullable=False),
        sa.Column("password_expires_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_account")),
        sa.UniqueConstraint("name", name=op.f("uq_user_account_name")),
        sa.CheckConstraint(
            "role IN ('assessor', 'lead', 'auditor', 'admin', 'machine')", name=op.f("ck_user_account_role")
        ),
        sa.CheckConstraint("lang IN ('vi', 'en')", name=op.f("ck_user_account_lang")),
    )
    op.create_table(
        "login_throttle",
        sa.Column("name_hash", sa.String(64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", UtcDateTime(), nullable=False),
        sa.Column("blocked_until", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("name_hash", name=op.f("pk_login_throttle")),
    )
    op.create_table(
        "login_session",
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("csrf", sa.String(64), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_login_session")),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_login_session_user_id")),
    )
    op.create_index(op.f("ix_login_session_user_id"), "login_session", ["user_id"])
    op.create_table(
        "api_token",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("last_used_at", UtcDateTime(), nullable=True),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_token")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_token_token_hash")),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_api_token_user_id")),
    )
    op.create_index(op.f("ix_api_token_user_id"), "api_token", ["user_id"])


def _cases() -> None:
    op.create_table(
        "case_file",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("entity_level", sa.String(16), nullable=False),
        sa.Column("entity_id", sa.Text(), nullable=False),
        sa.Column("ma_cskcb", sa.String(5), nullable=False),
        sa.Column("province", sa.String(2), nullable=False),
        sa.Column("claim_version", sa.Integer(), nullable=True),
        sa.Column("model_version", sa.Integer(), nullable=True),
        sa.Column("snapshot", sa.Integer(), nullable=True),
        sa.Column("lane", sa.String(16), nullable=False),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("t_bhtt", Dong(), nullable=False),
        sa.Column("amount_at_risk", Dong(), nullable=False),
        sa.Column("expected_recoverable", Dong(), nullable=False),
        sa.Column("schemes", sa.JSON(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("assignee", sa.String(64), nullable=True),
        sa.Column("answer_due", sa.Date(), nullable=True),
        sa.Column("opened_by", sa.String(64), nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("concluded_by", sa.String(64), nullable=True),
        sa.Column("concluded_at", UtcDateTime(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_file")),
        sa.UniqueConstraint(
            "run_id", "entity_level", "entity_id", name=op.f("uq_case_file_run_id_entity_level_entity_id")
        ),
        sa.ForeignKeyConstraint(["assignee"], ["user_account.name"], name=op.f("fk_case_file_assignee")),
        sa.ForeignKeyConstraint(["opened_by"], ["user_account.name"], name=op.f("fk_case_file_opened_by")),
        sa.ForeignKeyConstraint(["concluded_by"], ["user_account.name"], name=op.f("fk_case_file_concluded_by")),
        sa.CheckConstraint(
            "status IN ('new', 'taken', 'waiting_facility', 'decided', 'concluded', 'reopened')",
            name=op.f("ck_case_file_status"),
        ),
        sa.CheckConstraint("lane IN ('flag', 'random', 'chosen')", name=op.f("ck_case_file_lane")),
    )
    op.create_index(op.f("ix_case_file_assignee"), "case_file", ["assignee"])
    op.create_index("ix_case_file_status_province", "case_file", ["status", "province"])
    op.create_index("ix_case_file_entity", "case_file", ["entity_level", "entity_id"])
    op.create_table(
        "decision",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("claim_id", sa.Text(), nullable=False),
        sa.Column("line_table", sa.String(32), nullable=True),
        sa.Column("row_no", sa.Integer(), nullable=True),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("amount_before", Dong(), nullable=False),
        sa.Column("amount_refused", Dong(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("legal_basis", sa.Text(), nullable=True),
        sa.Column("decided_by", sa.String(64), nullable=False),
        sa.Column("decided_at", UtcDateTime(), nullable=False),
        sa.Column("superseded_by", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision")),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_decision_case_id")),
        sa.ForeignKeyConstraint(["decided_by"], ["user_account.name"], name=op.f("fk_decision_decided_by")),
        sa.ForeignKeyConstraint(["superseded_by"], ["decision.id"], name=op.f("fk_decision_superseded_by")),
        sa.CheckConstraint(
            "outcome IN ('accepted', 'adjusted', 'refused', 'withdrawn')", name=op.f("ck_decision_outcome")
        ),
        sa.CheckConstraint(
            "amount_refused >= 0 AND amount_refused <= amount_before", name=op.f("ck_decision_amount_refused")
        ),
        sa.CheckConstraint("(line_table IS NULL) = (row_no IS NULL)", name=op.f("ck_decision_line")),
    )
    for column in ("case_id", "claim_id", "superseded_by"):
        op.create_index(op.f(f"ix_decision_{column}"), "decision", [column])


def _logs() -> None:
    op.create_table(
        "audit_log",
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("object_type", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("before", sa.JSON(), nullable=True),
        sa.Column("after", sa.JSON(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("prev_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_log")),
        sa.UniqueConstraint("hash", name=op.f("uq_audit_log_hash")),
    )
    op.create_index(op.f("ix_audit_log_at"), "audit_log", ["at"])
    op.create_index(op.f("ix_audit_log_actor"), "audit_log", ["actor"])
    op.create_index("ix_audit_log_object", "audit_log", ["object_type", "object_id"])
    op.create_table(
        "model_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("alias", sa.String(32), nullable=True),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_event")),
        sa.CheckConstraint("action IN ('registered', 'promoted', 'alias_set')", name=op.f("ck_model_event_action")),
    )
    op.create_index(op.f("ix_model_event_version"), "model_event", ["version"])
    op.create_index(op.f("ix_model_event_at"), "model_event", ["at"])


def _guard_sqlite() -> None:
    for table, key in (("audit_log", "seq"), ("model_event", "id"), ("decision", "id")):
        op.execute(
            f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append only'); END"
        )
        # INSERT OR REPLACE deletes without asking the delete trigger
        op.execute(
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "
            f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {key} = NEW.{key}) "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append only'); END"
        )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append only'); END"
        )
    op.execute(
        "CREATE TRIGGER decision_no_update BEFORE UPDATE OF id, case_id, claim_id, line_table, row_no, outcome, "
        "amount_before, amount_refused, reason, legal_basis, decided_by, decided_at ON decision "
        "BEGIN SELECT RAISE(ABORT, 'decision is corrected by a newer row only'); END"
    )
    op.execute(
        "CREATE TRIGGER decision_superseded_once BEFORE UPDATE OF superseded_by ON decision "
        "WHEN OLD.superseded_by IS NOT NULL "
        "BEGIN SELECT RAISE(ABORT, 'decision is superseded once only'); END"
    )


def _guard_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN RAISE EXCEPTION '% is append only', TG_TABLE_NAME; END $$"
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
    op.execute(
        "CREATE TRIGGER decision_no_delete BEFORE DELETE ON decision FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER decision_no_update BEFORE UPDATE ON decision FOR EACH ROW WHEN ("
        "OLD.superseded_by IS NOT NULL "
        "OR to_jsonb(OLD) - 'superseded_by' IS DISTINCT FROM to_jsonb(NEW) - 'superseded_by'"
        ") EXECUTE FUNCTION refuse_change()"
    )
    for table in (*APPEND_ONLY, "decision"):
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
