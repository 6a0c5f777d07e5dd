"""Relational access: SQLAlchemy Core engines, numbered migrations, LMDB projections."""
