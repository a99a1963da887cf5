"""Migrations of the relational database, run by `Database.migrate` and never by hand."""
