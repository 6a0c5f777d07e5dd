"""One connection to the history: requests and the mapping of the client library's errors.

The only module that imports clickhouse_connect. Answers come in the Native format and are decoded
here with numpy: the library's own decoder makes Python objects, and pyarrow costs 35 MiB.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

from mingwu.history import native
from mingwu.history.errors import from_engine
from mingwu.history.settings import HistorySettings
from mingwu.kernel.causes import told
from mingwu.kernel.errors import MingwuError, Unavailable

log = logging.getLogger(__name__)

_RETRY_S = 0.1


class _Client(Protocol):
    """The part of clickhouse_connect's AsyncClient that is used here."""

    database: str | None

    async def raw_query(self, query: str, *, settings: Any, fmt: str | None) -> bytes: ...
    async def raw_insert(
        self,
        table: str,
        *,
        column_names: list[str],
        insert_block: bytes,
        settings: Any,
        fmt: str,
    ) -> Any: ...
    async def command(self, cmd: str, *, use_database: bool) -> Any: ...
    async def ping(self) -> bool: ...
    async def close(self) -> None: ...


class Link:
    """``await Link.open(settings)``. Requests may run side by side."""

    def __init__(self, settings: HistorySettings, client: _Client) -> None:
        self.settings = settings
        self._client = client

    @classmethod
    async def open(cls, settings: HistorySettings) -> "Link":
        """Connect, waiting up to ``connect_wait_s``; raises Unavailable."""
        deadline = time.monotonic() + settings.connect_wait_s
        while True:
            try:
                return cls(settings, await _connect(settings))
            except Unavailable as error:
                if error.code != "history.unreachable" or time.monotonic() >= deadline:
                    raise
            await asyncio.sleep(_RETRY_S)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def ping(self) -> bool:
        """Whether the history answers."""
        return await self._client.ping()

    async def select(
        self, sql: str, settings: Mapping[str, object] | None = None
    ) -> dict[str, native.Column]:
        """Run a query; its columns. Raises Unavailable, InvalidInput (limits), Overloaded."""
        try:
            answer = await self._client.raw_query(sql, settings=settings, fmt="Native")
        except Exception as error:
            raise _mapped(self.settings, error) from error
        return native.decode(answer)

    async def insert(
        self,
        table: str,
        columns: list[str],
        body: bytes,
        settings: Mapping[str, object],
    ) -> None:
        """Insert a Native block; same errors as :meth:`select`."""
        try:
            await self._client.raw_insert(
                table, column_names=columns, insert_block=body, settings=settings, fmt="Native"
            )
        except Exception as error:
            raise _mapped(self.settings, error) from error

    async def command(self, sql: str, *, in_database: bool = True) -> object:
        """Run a statement that is no query; its text or number. Same errors."""
        try:
            return await self._client.command(sql, use_database=in_database)
        except Exception as error:
            raise _mapped(self.settings, error) from error


async def _connect(settings: HistorySettings) -> _Client:
    import clickhouse_connect

    address = urlsplit(settings.url)
    try:
        client: _Client = await clickhouse_connect.get_async_client(
            host=address.hostname,
            port=address.port or (8443 if address.scheme == "https" else 8123),
            interface=address.scheme,
            username=settings.user,
            password=settings.password,
            database="default",
            compress=address.hostname not in {"127.0.0.1", "::1", "localhost"},
            send_receive_timeout=settings.request_timeout_s,
            autogenerate_session_id=False,
            query_retries=0,
        )
    except Exception as error:
        raise _mapped(settings, error) from error
    # Named only now: the first connection ever is made before the database exists.
    client.database = settings.database
    return client


def _mapped(settings: HistorySettings, error: Exception) -> Exception:
    """The house's error for one of the library; a bug of ours is passed on as it is."""
    import aiohttp
    from clickhouse_connect.driver.exceptions import Error

    if isinstance(error, MingwuError):
        return error
    if isinstance(error, Error):
        number = getattr(error, "code", None)
        if number:
            return from_engine(int(number), str(error))
        return Unavailable("history.unreachable", url=settings.url, fault=told(error))
    if isinstance(error, aiohttp.ClientError | OSError | TimeoutError):
        fault = told(error)
        return Unavailable("history.unreachable", url=settings.url, fault=fault)
    return error
