"""Engines and transactions of the relational store (SQLAlchemy Core; SQLite or PostgreSQL).

Invariants: SQLite runs in WAL with foreign keys on; a transaction opened by :func:`writing` takes
the write lock at its beginning, so it can never fail half-way because another writer was faster;
a transaction opened by :func:`reading` sees one snapshot. Nothing here is SQLite-only for
callers: they write Core expressions.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, NoSuchModuleError, OperationalError

from mingwu.kernel.catalogue import add
from mingwu.kernel.causes import told
from mingwu.kernel.errors import ConfigError, InvalidInput, Unavailable
from mingwu.store.settings import StoreSettings

_WRITE = "mingwu_write"

add(
    "store.bad-url",
    en=("“{url}” is not a database address: {fault}", "Use sqlite:///FILE or postgresql+…://…"),
    zh=("“{url}”不是数据库地址：{fault}", "请使用 sqlite:///文件 或 postgresql+…://…"),
)
add(
    "store.unavailable",
    en=("The database is not available: {fault}", "Check disk space, file rights or the server."),
    zh=("数据库不可用：{fault}", "请检查磁盘空间、文件权限或数据库服务器。"),
)
add(
    "store.out-of-range",
    en=("A value cannot be stored: {fault}", "Give a smaller number, or text without NUL."),
    zh=("有一个值无法存入数据库：{fault}", "请使用较小的数值，或不含空字符的文本。"),
)


def open_engine(settings: StoreSettings) -> Engine:
    """An engine for ``settings.url``; connects at first use, not here.

    Raises ConfigError ``store.bad-url`` for an address or dialect nobody can open.
    """
    try:
        url = make_url(settings.url)
        if url.get_backend_name() == "sqlite":
            return _sqlite(settings)
        return create_engine(url, pool_size=settings.pool, pool_pre_ping=True, future=True)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        shown = settings.url.rpartition("@")[2]  # never print a password
        raise ConfigError("store.bad-url", url=shown, fault=told(error)) from error


def sqlite_url(path: Path) -> str:
    """The address of an SQLite file."""
    return f"sqlite:///{path}"


def _sqlite(settings: StoreSettings) -> Engine:
    engine = create_engine(
        settings.url,
        connect_args={"timeout": settings.busy_s, "check_same_thread": False},
    )
    synchronous = "FULL" if settings.durable else "NORMAL"

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _record: Any) -> None:
        # Transactions are begun by us below, not guessed by the module from the statement.
        connection.isolation_level = None
        for pragma in (
            "journal_mode=WAL",
            f"synchronous={synchronous}",
            "foreign_keys=ON",
            "cache_size=-8192",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        is_write = connection.get_execution_options().get(_WRITE, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")

    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A read transaction on one snapshot; raises Unavailable when the database is not there."""
    options: dict[str, Any] = {}
    if engine.dialect.name != "sqlite":  # SQLite transactions are serialisable anyway
        options["isolation_level"] = "REPEATABLE READ"
    with (
        _translated(),
        engine.connect().execution_options(**options) as connection,
        connection.begin(),
    ):
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A write transaction: committed at the end of the block, rolled back on any exception."""
    with (
        _translated(),
        engine.connect().execution_options(**{_WRITE: True}) as connection,
        connection.begin(),
    ):
        yield connection


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        raise Unavailable("store.unavailable", fault=str(error.orig)) from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise Unavailable("store.unavailable", fault=str(error.orig)) from error
        if isinstance(error, DataError):
            raise InvalidInput("store.out-of-range", fault=str(error.orig)) from error
        raise
    except OverflowError as error:  # sqlite3 says so before it asks the database
        raise InvalidInput("store.out-of-range", fault=told(error)) from error


def lock(connection: Connection, name: str) -> None:
    """Hold the named lock until the transaction ends (other writers of the same thing wait).

    SQLite has one writer at a time anyway; PostgreSQL uses an advisory lock.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext(%s))", (name,))
