"""The relational database: everything people do. SQLite by default, PostgreSQL in production, one set of migrations."""
