"""The tables of trust as SQLAlchemy sees them; the migrations create them."""

from sqlalchemy import BigInteger, Boolean, Column, Integer, MetaData, Table, Text

metadata = MetaData()


def _text(*names: str) -> list[Column[str]]:
    return [Column(name, Text, nullable=False) for name in names]


def _long(*names: str) -> list[Column[int]]:
    return [Column(name, BigInteger, nullable=False) for name in names]


account = Table(
    "account",
    metadata,
    Column("name", Text, primary_key=True),
    *_text("display", "role", "password"),
    Column("must_change", Boolean, nullable=False),
    Column("enabled", Boolean, nullable=False),
    *_text("language"),
    *_long("created_at_ms", "changed_at_ms"),
)
failure = Table(
    "login_failure",
    metadata,
    Column("key", Text, primary_key=True),
    Column("failures", Integer, nullable=False),
    *_long("last_at_ms", "locked_until_ms"),
)
session = Table(
    "session",
    metadata,
    Column("token_hash", Text, primary_key=True),
    *_text("id", "kind", "account", "label", "role", "address"),
    *_long("created_at_ms", "used_at_ms", "expires_at_ms"),
)
journal = Table(
    "journal",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    *_long("at_ns"),
    *_text("actor", "action", "object", "outcome", "address", "detail"),
    *_text("digest", "previous", "hash"),
)
