"""A read-only connection in a thread of its own.

Database libraries block, so each device has one worker thread; a query that outlives its timeout
is interrupted where the library can, and its thread is left behind rather than waited for. Every
session is made read-only by the database itself (SQLite opens the file read-only and never creates
one), so no query in the settings can change anything.
"""

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from mingwu.field.sql.settings import SqlSettings
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.causes import told
from mingwu.kernel.errors import ConfigError, Unavailable

T = TypeVar("T")
READ_ONLY = {
    "sqlite": ("PRAGMA query_only = ON",),
    "postgresql": (
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        "SET statement_timeout = {timeout_ms}",
    ),
    "mysql": ("SET SESSION TRANSACTION READ ONLY", "SET SESSION MAX_EXECUTION_TIME = {timeout_ms}"),
}
CLOSING_S = 1.0


def parse_url(settings: SqlSettings) -> URL:
    """The database's URL; raises ConfigError ``sql.setting``."""
    try:
        url = make_url(settings.url)
        url.get_dialect().import_dbapi()
    except ImportError as error:
        fault = Phrase(
            f"the database library “{error.name}” is not installed",
            f"未安装数据库驱动“{error.name}”",
        )
        raise ConfigError("sql.setting", setting="url", fault=fault) from error
    except (SQLAlchemyError, ValueError) as error:
        # the text of the error may quote the URL, and the URL may hold a password
        fault = told(type(error).__name__)
        raise ConfigError("sql.setting", setting="url", fault=fault) from None
    return url


def line(settings: SqlSettings) -> str:
    """Key and display name of the database, without password."""
    return parse_url(settings).render_as_string(hide_password=True)


def read_only_url(url: URL) -> URL:
    """For a SQLite file: open it read-only, never create it."""
    path = url.database
    if url.get_backend_name() != "sqlite" or not path or path == ":memory:" or "uri" in url.query:
        return url
    return url.set(database=f"file:{quote(path)}", query={"mode": "ro", "uri": "true"})


class Database:
    """Made unopened; ``open`` connects, ``run`` works with the connection in its thread."""

    def __init__(self, settings: SqlSettings) -> None:
        self._settings = settings
        self._url = parse_url(settings)
        self.line = line(settings)
        self._thread: ThreadPoolExecutor | None = None
        self._engine: Engine | None = None
        self._connection: Connection | None = None

    async def open(self) -> None:
        """Connect; raises Unavailable ``sql.unreachable``."""
        await self.close()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sql")
        try:
            await self._work(self._connect)
        except Unavailable as error:
            await self.close()
            raise Unavailable("sql.unreachable", **error.params) from error

    async def close(self) -> None:
        """Disconnect; never raises."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        done = asyncio.get_running_loop().run_in_executor(thread, self._disconnect)
        with contextlib.suppress(TimeoutError, SQLAlchemyError):
            async with asyncio.timeout(CLOSING_S):
                await asyncio.shield(done)
        thread.shutdown(wait=False, cancel_futures=True)

    async def run(self, work: Callable[[Connection], T]) -> T:
        """``work(connection)`` in the thread; raises Unavailable ``sql.failed``."""

        def worked() -> T:
            connection = self._connection
            if connection is None:
                raise Unavailable("sql.failed", line=self.line, fault=Phrase("not open", "未连接"))
            try:
                return work(connection)
            finally:
                connection.rollback()  # the next query shall see what was written meanwhile

        return await self._work(worked)

    async def _work(self, work: Callable[[], T]) -> T:
        if self._thread is None:
            raise Unavailable("sql.failed", line=self.line, fault=Phrase("not open", "未连接"))
        future = asyncio.get_running_loop().run_in_executor(self._thread, work)
        try:
            async with asyncio.timeout(self._settings.timeout_ms / 1000):
                return await asyncio.shield(future)
        except TimeoutError as error:
            future.add_done_callback(_forget)
            self._interrupt()
            fault = Phrase(
                f"no answer within {self._settings.timeout_ms} ms",
                f"{self._settings.timeout_ms} 毫秒内无应答",
            )
            raise Unavailable("sql.failed", line=self.line, fault=fault) from error
        except SQLAlchemyError as error:
            fault = (
                told(error.orig) if isinstance(error, DBAPIError) else told(type(error).__name__)
            )
            raise Unavailable("sql.failed", line=self.line, fault=fault) from error

    def _connect(self) -> None:
        self._engine = create_engine(read_only_url(self._url), poolclass=NullPool)
        connection = self._engine.connect()
        self._connection = connection
        for statement in READ_ONLY.get(self._engine.dialect.name, ()):
            connection.execute(text(statement.format(timeout_ms=self._settings.timeout_ms)))
        connection.commit()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        if self._engine is not None:
            self._engine.dispose()

    def _interrupt(self) -> None:
        """SQLite can be interrupted from outside; the others have their own statement timeout."""
        connection = self._connection
        interrupt = getattr(_raw(connection), "interrupt", None) if connection else None
        if interrupt is not None:
            interrupt()


def _raw(connection: Connection) -> Any:
    with contextlib.suppress(SQLAlchemyError):
        return connection.connection.driver_connection
    return None


def _forget(future: "asyncio.Future[Any]") -> None:
    """The outcome of work given up is nobody's business."""
    if not future.cancelled():
        future.exception()
