"""Runs the migrations on the connection, and in the transaction, that `Database.migrate` opened."""

from __future__ import annotations

from alembic import context

from service.db.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    transactional_ddl=True,  # SQLite too: the engine begins the transaction itself
)
with context.begin_transaction():
    context.run_migrations()
