"""The tables of the second-level node as SQLAlchemy sees them; the migrations create them.

Times are ms since the epoch (UTC); days are dates of Beijing time, as the top node counts them.
"""

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Integer, MetaData, Table, Text

metadata = MetaData()


def _table(name: str, keys: str, texts: str = "", longs: str = "", **more: Any) -> Table:
    """A table ``secondlevel_<name>``; keys ending in ``#`` are numbers."""
    columns = [
        Column(key.rstrip("#"), BigInteger if key.endswith("#") else Text, primary_key=True,
               autoincrement=False)
        for key in keys.split()
    ]  # fmt: skip
    columns += [Column(one, Text, nullable=False) for one in texts.split()]
    columns += [Column(one, BigInteger, nullable=False) for one in longs.split()]
    columns += [Column(one, kind, nullable=False) for one, kind in more.items()]
    return Table(f"secondlevel_{name}", metadata, *columns)


enterprise = _table(
    "enterprise",
    "uscc",
    "name profile industry state group_name networks",
    "max_prefixes max_identifiers daily_requests changed_at_ms",
)
group = _table("group", "name", "zh en permissions")
application = _table(
    "application",
    "id",
    "kind uscc prefix state form reasons submitted_by reviewer",
    "number submitted_at_ms changed_at_ms",
)
application_event = _table(
    "application_event", "application sequence#", "actor state note", "at_ms"
)
prefix = _table(
    "prefix",
    "prefix",
    "uscc mode site state upstream",
    "since_ms changed_at_ms",
    projected=Boolean,
)
identifier = _table(
    "identifier",
    "key",
    "name prefix template content",
    "at_ms",
    deleted=Boolean,
    projected=Boolean,
)
value = _table("value", "template item value key")
change = _table("change", "sequence#", "name prefix template content", "at_ms", operation=Integer)
template = _table("template", "handle", "prefix definition", "changed_at_ms")
software = _table("software", "id", "prefix name purpose", "changed_at_ms")
daily = _table("daily", "day prefix source", "", "requests successes")
resolved = _table("resolved", "key", "prefix", "last_at_ms foreign_at_ms")
latency = _table(
    "latency",
    "day node what",
    "",
    "count sum_us least_us least_at_ms most_us most_at_ms peak_qps peak_at_ms failures",
)
node = _table("node", "node", "state detail", "since_ms latency_us probed_at_ms", failures=Integer)
event = _table("event", "number#", "node kind text_zh text_en", "began_ms ended_ms", cause=Integer)
outbox = _table(
    "outbox",
    "number#",
    "channel subject body state error",
    "created_ms next_at_ms acknowledged_ms",
    attempts=Integer,
)
mark = _table("mark", "name", "value")
link = _table("link", "prefix", "uscc url application templates changed_by", "changed_at_ms")
deposit = _table(
    "deposit",
    "id",
    "kind files state",
    "number made_at_ms from_sequence to_sequence objects",
)
key = _table("key", "id", "uscc label digest made_by", "made_at_ms used_at_ms calls")
