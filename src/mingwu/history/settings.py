"""Settings of the history: the historian process, its clients, the schema and the writer.

``HistorySettings`` is what every client needs; ``HistorianSettings`` only concerns the process
that owns the data directory. With a ClickHouse cluster there is no historian: ``url`` names the
cluster and ``schema.cluster`` its name in the cluster's configuration.
"""

from typing import Annotated

from msgspec import Meta

from mingwu.kernel.settings import Settings

MIB = 1024 * 1024


class HistorianSettings(Settings, frozen=True):
    """The process that owns the data directory and answers ClickHouse's HTTP protocol."""

    # Directory that the process owns: data, backups, its lock.
    directory: Annotated[str, Meta(min_length=1)]
    # Address to listen at; the protocol is not encrypted, so loopback unless a proxy stands before.
    host: str = "127.0.0.1"
    # TCP port; 0 takes a free one.
    port: Annotated[int, Meta(ge=0, le=65535)] = 8123
    # User name that clients present.
    user: str = "mingwu"
    # Password of that user; node fills it in from its secrets. Empty admits nobody.
    password: str = ""
    # Queries that run at the same time (one engine session and thread each).
    readers: Annotated[int, Meta(ge=1, le=64)] = 4
    # Inserts that run at the same time.
    writers: Annotated[int, Meta(ge=1, le=16)] = 2
    # Requests that may wait for a reader or a writer; more are answered 503 with Retry-After.
    max_waiting: Annotated[int, Meta(ge=1)] = 64
    # A query that runs longer is ended, seconds.
    max_query_s: Annotated[float, Meta(gt=0)] = 60.0
    # Memory one query may take, MiB.
    max_query_mib: Annotated[int, Meta(ge=16)] = 1024
    # Memory the engine may take in all, MiB.
    max_memory_mib: Annotated[int, Meta(ge=256)] = 2048
    # Largest answer of one query, MiB; a larger one is an error, never cut silently.
    max_result_mib: Annotated[int, Meta(ge=1)] = 256
    # Largest request body, MiB; also bounds all bodies held at one time (eightfold).
    max_request_mib: Annotated[int, Meta(ge=1)] = 64
    # Cache of index marks, MiB.
    mark_cache_mib: Annotated[int, Meta(ge=1)] = 64
    # Threads that merge parts in the background.
    merge_threads: Annotated[int, Meta(ge=1, le=64)] = 2


class SchemaSettings(Settings, frozen=True):
    """How long is kept what, and where the tables lie."""

    # Raw points older than this are dropped, days; 0 keeps them for ever. Whole months go at once.
    points_days: Annotated[int, Meta(ge=0)] = 0
    # One-minute rollups older than this are dropped, days; 0 keeps them for ever.
    minute_days: Annotated[int, Meta(ge=0)] = 0
    # Every insert is forced to the disk before it counts; costs milliseconds per insert.
    power_safe: bool = False
    # How many of the latest inserts the tables remember to drop repetitions.
    remembered_inserts: Annotated[int, Meta(ge=100, le=100_000)] = 1000
    # Name of the ClickHouse cluster to spread and copy the tables over; empty for one server.
    cluster: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_]*$")] = ""


class HistorySettings(Settings, frozen=True):
    """How a role reaches the history."""

    # The historian or a ClickHouse server or cluster, e.g. "http://127.0.0.1:8123"; empty for a
    # platform without history.
    url: Annotated[str, Meta(pattern=r"^(https?://[^/?#@]+/?)?$")] = "http://127.0.0.1:8123"
    # User name.
    user: str = "mingwu"
    # Password of the user; node fills it in from its secrets.
    password: str = ""
    # Database that holds the tables.
    database: Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")] = "mingwu"
    # How long opening may wait for a history that is not up yet, seconds.
    connect_wait_s: Annotated[float, Meta(gt=0)] = 30.0
    # A request unanswered after this time is given up, seconds.
    request_timeout_s: Annotated[float, Meta(gt=0)] = 120.0
    # Most rows that one query of raw points returns at a time.
    max_rows: Annotated[int, Meta(ge=1)] = 1_000_000
    # Retention and layout of the tables.
    schema: SchemaSettings = SchemaSettings()


class WriterSettings(Settings, frozen=True):
    """From the bus into the history."""

    # Name of this writer in status documents and in the record of its inserts.
    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = "writer"
    # Durable consumer of the telemetry stream.
    consumer: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = "history"
    # An insert starts when so many points have gathered; bounds the memory of the writer ...
    block_rows: Annotated[int, Meta(ge=1, le=500_000)] = 200_000
    # ... or when the oldest of them has waited so long, seconds.
    block_wait_s: Annotated[float, Meta(gt=0, le=60)] = 1.0
    # Bytes asked of the bus at a time; a fetch is bounded by bytes, never by count alone.
    fetch_bytes: Annotated[int, Meta(ge=65_536, le=48 * MIB)] = 8 * MIB
    # First pause after a failed insert, seconds; doubles up to the next setting.
    retry_min_s: Annotated[float, Meta(gt=0)] = 0.2
    # Longest pause after a failed insert, seconds.
    retry_max_s: Annotated[float, Meta(gt=0)] = 5.0
    # Sources silent for so long are forgotten by the repetition filter, days.
    remember_days: Annotated[float, Meta(gt=0, le=90)] = 30.0
    # How often the repetition filter is written down to make the next start quick, seconds.
    remember_every_s: Annotated[float, Meta(gt=0)] = 60.0
