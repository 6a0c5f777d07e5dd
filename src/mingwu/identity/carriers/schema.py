"""The tables of the carriers as SQLAlchemy sees them; the migrations create them."""

from sqlalchemy import BigInteger, Boolean, Column, MetaData, Table, Text

metadata = MetaData()


def _text(names: str) -> list[Column[str]]:
    return [Column(name, Text, nullable=False) for name in names.split()]


def _long(names: str) -> list[Column[int]]:
    return [Column(name, BigInteger, nullable=False) for name in names.split()]


unit = Table(
    "carrier_unit",
    metadata,
    Column("serial", Text, primary_key=True),
    *_text("key_id prefix suffix form bearer owner holder protection address state blocked"),
    *_text("identifier identifier_key link previous_link attributes fence content"),
    *_text("certified queried_by shown measured"),
    Column("is_outside", Boolean, nullable=False),
    Column("simulated", Boolean, nullable=False),
    *_long("counter sequence expires_ms provisioned_ms powered_ms registered_ms written_ms"),
    *_long("first_reported_ms reported_ms sampled_ms queried_ms reports samples dropped queries"),
    *_long("resolved_ms"),
)
event = Table(
    "carrier_event",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    *_text("serial code severity address detail evidence"),
    *_long("at_ms last_ms times"),
)
oscore = Table(
    "carrier_oscore",
    metadata,
    Column("serial", Text, primary_key=True),
    *_text("kid secret"),
    *_long("window_index window_bits"),
)
report = Table(
    "carrier_report",
    metadata,
    Column("digest", Text, primary_key=True),
    *_text("serial"),
    *_long("counter at_ms"),
    *_text("frame certificate"),
)
order = Table(
    "carrier_order",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    *_text("serial kind"),
    *_long("version"),
    *_text("content state note actor"),
    *_long("created_ms sent_ms acknowledged_ms"),
)
