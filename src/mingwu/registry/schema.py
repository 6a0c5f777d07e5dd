"""The registry's tables as SQLAlchemy sees them; the migrations create them.

``thing.key`` and the ends of ``relation`` are folded identifiers (``kernel.names.fold``);
``tag.thing`` and ``device.thing`` are folded too. ``state`` is ``active`` or ``retired``: things
and tags are never deleted, so a tag number never gets a second meaning.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Integer,
    MetaData,
    Table,
    Text,
)

ACTIVE = "active"
RETIRED = "retired"

metadata = MetaData()


def _text(*names: str) -> list[Column[str]]:
    return [Column(name, Text, nullable=False) for name in names]


def _position() -> Column[int]:
    return Column("position", Integer, nullable=False)


plant = Table(
    "plant",
    metadata,
    Column("name", Text, primary_key=True),
    *_text("prefix", "en", "zh"),
    Column("imported_at_ms", BigInteger, nullable=False),
)
place = Table(
    "place",
    metadata,
    Column("path", Text, primary_key=True),
    *_text("plant", "level", "en", "zh"),
    _position(),
)
gateway = Table(
    "gateway",
    metadata,
    Column("name", Text, primary_key=True),
    *_text("plant", "en", "zh", "place"),
    _position(),
)
thing_type = Table(
    "thing_type",
    metadata,
    Column("name", Text, primary_key=True),
    *_text("plant", "declaration"),
    _position(),
)
thing = Table(
    "thing",
    metadata,
    Column("key", Text, primary_key=True),
    *_text("id", "plant", "kind", "type", "en", "zh", "place", "documentation"),
    Column("simulated", Boolean, nullable=False),
    *_text("state", "declaration"),
    _position(),
    Column("added_at_ms", BigInteger, nullable=False),
    Column("changed_at_ms", BigInteger, nullable=False),
)
relation = Table(
    "relation",
    metadata,
    Column("source", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("target", Text, primary_key=True),
    *_text("plant"),
    _position(),
)
device = Table(
    "device",
    metadata,
    Column("gateway", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    *_text("plant", "thing", "driver", "settings", "line", "start"),
    Column("simulated", Boolean, nullable=False),
    _position(),
)
tag = Table(
    "tag",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    *_text("thing", "name", "plant", "property", "en", "zh"),
    *_text("gateway", "device", "address", "type", "unit"),
    Column("low", Float),
    Column("high", Float),
    Column("period_ms", Integer, nullable=False),
    Column("raw_scale", Float, nullable=False),
    Column("raw_offset", Float, nullable=False),
    *_text("deadband"),
    Column("writable", Boolean, nullable=False),
    Column("exposed", Boolean, nullable=False),
    Column("nanoseconds", Boolean, nullable=False),
    *_text("state"),
    _position(),
)
change = Table(
    "registry_change",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("generation", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    *_text("actor", "plant", "subject", "name", "change", "declaration"),
)
counter = Table(
    "registry_counter",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)
