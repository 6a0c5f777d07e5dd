"""What the tables are: one typed declaration, from which all DDL is generated.

For one server (the embedded engine or a ClickHouse server) the tables are plain MergeTree; for a
cluster the same declaration gives ``<name>_local`` Replicated tables and a Distributed table of the
public name over them, all ``ON CLUSTER``. Rows of one tag stay on one shard, so views and queries
by tag need no other. The meaning of every table is in docs/formats/history.md.

Invariants: every table remembers its latest inserts, so that an insert repeated with the same
token changes nothing, in the table and in the tables its views feed; ``last`` keeps the row of the
greatest time, so late data never replaces newer. Codecs: facts engines §3.1 (Delta+ZSTD was best,
Gorilla and DoubleDelta worst). The texts below are made of this module's own constants and of names
checked by the settings, hence no rule against SQL made of text.
"""
# ruff: noqa: S608

from collections.abc import Iterator
from dataclasses import dataclass

from mingwu.history.settings import SchemaSettings
from mingwu.kernel.quality import BAD, GOOD, SIMULATED, STATUS_MASK

_SMALL = "CODEC(ZSTD(1))"
_DELTA = "CODEC(Delta, ZSTD(1))"
MILLISECONDS = "DateTime64(3, 'UTC')"
REPLICA = "'{replica}'"  # a macro of the server's configuration
NANOSECONDS = "DateTime64(9, 'UTC')"


@dataclass(frozen=True, slots=True)
class Column:
    """A column; ``codec`` as in DDL, may be empty."""

    name: str
    type: str
    codec: str = ""

    def ddl(self) -> str:
        return f"`{self.name}` {self.type} {self.codec}".rstrip()


@dataclass(frozen=True, slots=True)
class Table:
    """A table. ``family`` is the MergeTree kind, ``version`` its argument if it has one.

    ``days`` names the field of SchemaSettings with its retention; ``time`` is the column of time;
    ``shard`` the expression that spreads rows over a cluster.
    """

    name: str
    columns: tuple[Column, ...]
    order: str
    shard: str
    family: str = "MergeTree"
    version: str = ""
    time: str = ""
    days: str = ""
    fixed_days: int = 0
    monthly: bool = False
    seldom_read: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """A materialized view: every insert into ``source`` also inserts ``select`` into ``target``."""

    name: str
    source: str
    target: str
    select: str


def _columns(*columns: tuple[str, str, str]) -> tuple[Column, ...]:
    return tuple(Column(*column) for column in columns)


# A value counts in figures when its status is not bad and it is a number.
USABLE = f"bitAnd(quality, {STATUS_MASK}) != {BAD} AND isFinite(value)"
IS_GOOD = f"bitAnd(quality, {STATUS_MASK}) = {GOOD}"
MARKS = f"groupBitOr(bitAnd(quality, {SIMULATED}))"

TABLES = (
    Table(
        "points",
        _columns(
            ("tag", "UInt32", _SMALL),
            ("time", MILLISECONDS, _DELTA),
            ("value", "Float64", _DELTA),
            ("quality", "UInt8", _SMALL),
        ),
        order="tag, time",
        shard="cityHash64(tag)",
        time="time",
        days="points_days",
        monthly=True,
    ),
    Table(
        "points_ns",
        _columns(
            ("tag", "UInt32", _SMALL),
            ("time", NANOSECONDS, _DELTA),
            ("value", "Float64", _DELTA),
            ("quality", "UInt8", _SMALL),
        ),
        order="tag, time",
        shard="cityHash64(tag)",
        time="time",
        days="points_days",
        monthly=True,
    ),
    Table(
        "texts",
        _columns(
            ("tag", "UInt32", _SMALL),
            ("time", MILLISECONDS, _DELTA),
            ("text", "String", _SMALL),
            ("quality", "UInt8", _SMALL),
        ),
        order="tag, time",
        shard="cityHash64(tag)",
        time="time",
        days="points_days",
        monthly=True,
    ),
    Table(
        "last",
        _columns(
            ("tag", "UInt32", ""),
            ("time", MILLISECONDS, ""),
            ("value", "Float64", ""),
            ("quality", "UInt8", ""),
        ),
        order="tag",
        shard="cityHash64(tag)",
        family="ReplacingMergeTree",
        version="time",
    ),
    Table(
        "last_texts",
        _columns(
            ("tag", "UInt32", ""),
            ("time", MILLISECONDS, ""),
            ("text", "String", ""),
            ("quality", "UInt8", ""),
        ),
        order="tag",
        shard="cityHash64(tag)",
        family="ReplacingMergeTree",
        version="time",
    ),
    Table(
        "minute",
        _columns(
            ("tag", "UInt32", _SMALL),
            ("minute", "DateTime('UTC')", _DELTA),
            ("points", "SimpleAggregateFunction(sum, UInt64)", _SMALL),
            ("good", "SimpleAggregateFunction(sum, UInt64)", _SMALL),
            ("used", "SimpleAggregateFunction(sum, UInt64)", _SMALL),
            ("low", "SimpleAggregateFunction(min, Float64)", _DELTA),
            ("high", "SimpleAggregateFunction(max, Float64)", _DELTA),
            ("total", "SimpleAggregateFunction(sum, Float64)", _DELTA),
            ("marks", "SimpleAggregateFunction(groupBitOr, UInt8)", _SMALL),
        ),
        order="tag, minute",
        shard="cityHash64(tag)",
        family="AggregatingMergeTree",
        time="minute",
        days="minute_days",
        monthly=True,
    ),
    # What a writer is about to store, written before it does.
    Table(
        "blocks",
        _columns(
            ("writer", "String", _SMALL),
            ("block", "UInt64", _DELTA),
            ("token", "String", _SMALL),
            ("first", "UInt64", _DELTA),
            ("last", "UInt64", _DELTA),
            ("time", MILLISECONDS, _DELTA),
        ),
        order="writer, block",
        shard="cityHash64(writer)",
        time="time",
        fixed_days=7,
        seldom_read=True,
    ),
    # Lineage: which batches a block stored. Written last, it makes the block count as stored.
    Table(
        "batches",
        _columns(
            ("writer", "String", _SMALL),
            ("block", "UInt64", _DELTA),
            ("source", "String", _SMALL),
            ("boot", "UInt64", _DELTA),
            ("first_seq", "UInt64", _DELTA),
            ("last_seq", "UInt64", _DELTA),
            ("points", "UInt64", _SMALL),
            ("first_time", MILLISECONDS, _DELTA),
            ("last_time", MILLISECONDS, _DELTA),
            ("gateway_time", MILLISECONDS, _DELTA),
            ("received", MILLISECONDS, _DELTA),
            ("stream_first", "UInt64", _DELTA),
            ("stream_last", "UInt64", _DELTA),
        ),
        order="writer, block, source, boot, first_seq",
        shard="cityHash64(writer)",
        time="received",
        days="points_days",
        monthly=True,
        seldom_read=True,
    ),
    # The writer's repetition filter as of a block; younger blocks are in ``batches``.
    Table(
        "seen",
        _columns(
            ("writer", "String", _SMALL),
            ("source", "String", _SMALL),
            ("boot", "UInt64", _DELTA),
            ("runs", "String", _SMALL),
            ("block", "UInt64", _DELTA),
            ("received", MILLISECONDS, _DELTA),
        ),
        order="writer, source, boot",
        shard="cityHash64(writer)",
        family="ReplacingMergeTree",
        version="block",
        time="received",
        fixed_days=90,
    ),
)

VIEWS = (
    View(
        "last_view",
        "points",
        "last",
        "SELECT tag, max(points.time) AS time, argMax(points.value, points.time) AS value, "
        "argMax(points.quality, points.time) AS quality FROM points GROUP BY tag",
    ),
    View(
        "last_texts_view",
        "texts",
        "last_texts",
        "SELECT tag, max(texts.time) AS time, argMax(texts.text, texts.time) AS text, "
        "argMax(texts.quality, texts.time) AS quality FROM texts GROUP BY tag",
    ),
    View(
        "minute_view",
        "points",
        "minute",
        "SELECT tag, toStartOfMinute(time) AS minute, count() AS points, "
        f"countIf({IS_GOOD}) AS good, countIf({USABLE}) AS used, "
        f"minIf(value, {USABLE}) AS low, maxIf(value, {USABLE}) AS high, "
        f"sumIf(value, {USABLE}) AS total, {MARKS} AS marks "
        "FROM points GROUP BY tag, minute",
    ),
)


def table(name: str) -> Table:
    """The declaration of a table (KeyError)."""
    return {t.name: t for t in TABLES}[name]


def _local(name: str, settings: SchemaSettings) -> str:
    return f"{name}_local" if settings.cluster else name


def _on_cluster(settings: SchemaSettings) -> str:
    return f" ON CLUSTER `{settings.cluster}`" if settings.cluster else ""


def _engine(table: Table, settings: SchemaSettings, database: str) -> str:
    arguments = [table.version] if table.version else []
    if not settings.cluster:
        return f"{table.family}({', '.join(arguments)})"
    path = f"'/clickhouse/tables/{{shard}}/{database}/{table.name}'"
    return f"Replicated{table.family}({', '.join([path, REPLICA, *arguments])})"


def retention(table: Table, settings: SchemaSettings) -> str:
    """The TTL expression of a table, empty if its rows are kept for ever."""
    days = table.fixed_days or (getattr(settings, table.days) if table.days else 0)
    return f"toDateTime({table.time}) + INTERVAL {days} DAY DELETE" if days else ""


def _table_settings(table: Table, settings: SchemaSettings) -> str:
    window = settings.remembered_inserts
    # The window of one server is off by default; that of a replicated table lies in Keeper.
    kind = "replicated" if settings.cluster else "non_replicated"
    words = [f"{kind}_deduplication_window = {window}"]
    if table.seldom_read:  # merging small parts early pays only for readers
        words.append("min_parts_to_merge_at_once = 8")
    if table.monthly:
        words.append("ttl_only_drop_parts = 1")
    if settings.power_safe:
        words.append("fsync_after_insert = 1, fsync_part_directory = 1")
    return ", ".join(words)


def create_table(table: Table, settings: SchemaSettings, database: str) -> Iterator[str]:
    """Statements that create a table: one, or for a cluster two."""
    columns = ",\n  ".join(column.ddl() for column in table.columns)
    ttl = retention(table, settings)
    name = f"{database}.{_local(table.name, settings)}{_on_cluster(settings)}"
    parts = [
        f"CREATE TABLE IF NOT EXISTS {name}\n(\n  {columns}\n)",
        f"ENGINE = {_engine(table, settings, database)}",
        f"PARTITION BY toYYYYMM({table.time})" if table.monthly else "",
        f"ORDER BY ({table.order})",
        f"TTL {ttl}" if ttl else "",
        f"SETTINGS {_table_settings(table, settings)}",
    ]
    yield "\n".join(part for part in parts if part)
    if settings.cluster:
        yield (
            f"CREATE TABLE IF NOT EXISTS {database}.{table.name}{_on_cluster(settings)} "
            f"AS {database}.{table.name}_local\n"
            f"ENGINE = Distributed('{settings.cluster}', '{database}', '{table.name}_local', "
            f"{table.shard})"
        )


def create_view(view: View, settings: SchemaSettings, database: str) -> str:
    """The statement that creates a view; on a cluster it works on the local tables of a shard."""
    source = f"{database}.{_local(view.source, settings)}"
    select = view.select.replace(f"FROM {view.source} ", f"FROM {source} AS {view.source} ")
    return (
        f"CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.{view.name}{_on_cluster(settings)} "
        f"TO {database}.{_local(view.target, settings)}\nAS {select}"
    )


def create_database(settings: SchemaSettings, database: str) -> str:
    """The statement that creates the database."""
    return f"CREATE DATABASE IF NOT EXISTS {database}{_on_cluster(settings)}"


def create_all(settings: SchemaSettings, database: str) -> Iterator[str]:
    """Every statement for an empty server, in order."""
    yield create_database(settings, database)
    for one in TABLES:
        yield from create_table(one, settings, database)
    for view in VIEWS:
        yield create_view(view, settings, database)


def modify_retention(table: Table, settings: SchemaSettings, database: str) -> str:
    """The statement that gives an existing table its retention of today."""
    name = f"{database}.{_local(table.name, settings)}{_on_cluster(settings)}"
    ttl = retention(table, settings)
    return f"ALTER TABLE {name} MODIFY TTL {ttl}" if ttl else f"ALTER TABLE {name} REMOVE TTL"
