"""Switches of rules and snoozes of entities."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from service.db.types import UtcDateTime

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the two tables; a switch is never changed."""
    op.create_table(
        "rule_switch",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("rule", sa.String(32), nullable=False),
        sa.Column("province", sa.String(2), nullable=True),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rule_switch")),
        sa.CheckConstraint("state IN ('on', 'shadow', 'off')", name=op.f("ck_rule_switch_state")),
    )
    op.create_index(op.f("ix_rule_switch_rule"), "rule_switch", ["rule"])
    op.create_table(
        "rule_snooze",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("rule", sa.String(32), nullable=False),
        sa.Column("level", sa.String(16), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("until", sa.Date(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("approved_by", sa.Text(), nullable=True),
        sa.Column("approved_at", UtcDateTime(), nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rule_snooze")),
        sa.CheckConstraint("level IN ('claim', 'patient', 'doctor', 'facility')", name=op.f("ck_rule_snooze_level")),
        sa.CheckConstraint("approved_by IS NULL OR approved_by <> asked_by", name=op.f("ck_rule_snooze_two_people")),
    )
    op.create_index(op.f("ix_rule_snooze_rule"), "rule_snooze", ["rule"])
    if op.get_bind().dialect.name == "sqlite":
        for act in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER rule_switch_no_{act.lower()} BEFORE {act} ON rule_switch "
                "BEGIN SELECT RAISE(ABORT, 'rule_switch is append only'); END"
            )
        return
    op.execute(
        "CREATE TRIGGER rule_switch_no_change BEFORE UPDATE OR DELETE ON rule_switch "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER rule_switch_no_truncate BEFORE TRUNCATE ON rule_switch "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    """There is no way back from here."""
    raise NotImplementedError("going below this revision would forget who switched which rule; restore a backup")
