"""The connection to the bus: opened once, kept for ever.

The client library's own reconnecting is switched off: it waits for a stuck socket to drain before
it tries again, and buffers messages whose senders have long given up. Here a lost connection is
abandoned at once, a new one is made with growing pauses, and subscriptions are renewed on it.

Invariants: one task (:meth:`Link._keep`) owns the client; loss is noticed by the end of the socket
or by an unanswered ping within :data:`PING_S` + :data:`PONG_S`; it is logged once, and once again
when the connection is back; listeners hear of every change in that order.
"""

import asyncio
import contextlib
import logging
import random
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import nats
import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from mingwu.bus import errors as _errors  # noqa: F401 — registers the texts
from mingwu.bus.settings import BusSettings
from mingwu.kernel.causes import told
from mingwu.kernel.errors import Unavailable

log = logging.getLogger(__name__)

PING_S = 1.5
PONG_S = 5.0
_CONNECT_S = 3.0
_PENDING_BYTES = 32 * 1024 * 1024

Handler = Callable[[Msg], Awaitable[None]]
LIBRARY_ERRORS = (nats.errors.Error, OSError, asyncio.TimeoutError)


@dataclass(slots=True, eq=False)
class Interest:
    """A wish to hear of a subject that outlives connections."""

    subject: str
    handler: Handler
    queue: str = ""
    current: Subscription | None = None
    link: "Link | None" = None

    async def close(self) -> None:
        """Stop listening; may be called twice."""
        if self.link is not None:
            link, self.link = self.link, None
            await link.drop(self)


@dataclass(slots=True)
class LinkCounters:
    """Statistics of a link."""

    connected: int = 0
    lost: int = 0
    slow_consumer: int = 0
    failed_callbacks: int = 0


@dataclass(slots=True)
class _Listeners:
    up: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    down: list[Callable[[], None]] = field(default_factory=list)


class Link:
    """See the module's text. Use :meth:`open`, not the constructor."""

    def __init__(self, settings: BusSettings, name: str) -> None:
        self.settings = settings
        self.name = name
        self.counters = LinkCounters()
        self.listeners = _Listeners()
        self._client: Client | None = None
        self._interests: list[Interest] = []
        self._up = asyncio.Event()
        self._lost = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._fault = "no answer"

    @property
    def connected(self) -> bool:
        return self._up.is_set()

    @property
    def client(self) -> Client:
        """The library's client of the present connection; raises Unavailable."""
        client = self._client
        if client is None or not client.is_connected:
            raise Unavailable("bus.disconnected")
        return client

    async def open(self) -> None:
        """Connect; raises Unavailable ``bus.unreachable`` after ``connect_wait_s``."""
        self._task = asyncio.create_task(self._keep(), name=f"bus-link-{self.name}")
        try:
            await asyncio.wait_for(self._up.wait(), self.settings.connect_wait_s)
        except TimeoutError:
            await self.close()
            raise self.unreachable() from None

    def unreachable(self) -> Unavailable:
        """The error that says why there is no connection."""
        return Unavailable("bus.unreachable", urls=", ".join(self.settings.urls), fault=self._fault)

    async def close(self) -> None:
        """Disconnect; may be called twice."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def wait_connected(self, seconds: float) -> bool:
        """Whether there is a connection now or within ``seconds``."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._up.wait(), seconds)
        return self.connected

    async def listen(self, subject: str, handler: Handler, queue: str = "") -> Interest:
        """Call ``handler`` for every message on ``subject``, over all connections to come."""
        interest = Interest(subject, handler, queue, link=self)
        self._interests.append(interest)
        client = self._client
        if client is not None and client.is_connected:
            # A connection lost in this moment is not an error: the next one renews the interest.
            with contextlib.suppress(*LIBRARY_ERRORS):
                await self._subscribe(client, interest)
                await client.flush(timeout=int(PONG_S))
        return interest

    async def drop(self, interest: Interest) -> None:
        """Forget an interest."""
        self._interests.remove(interest)
        current, interest.current = interest.current, None
        if current is not None and self.connected:
            with contextlib.suppress(*LIBRARY_ERRORS):
                await current.unsubscribe()

    async def _subscribe(self, client: Client, interest: Interest) -> None:
        interest.current = await client.subscribe(
            interest.subject,
            queue=interest.queue,
            cb=interest.handler,
            pending_bytes_limit=_PENDING_BYTES,
        )

    async def _keep(self) -> None:
        """Connect, watch, reconnect; ends only by cancellation."""
        pause = self.settings.reconnect_min_s
        while True:
            try:
                client = await self._connect()
            except LIBRARY_ERRORS as error:
                self._fault = told(error)
                log.debug("bus=%s attempt failed fault=%s", self.name, self._fault)
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))
                pause = min(pause * 2, self.settings.reconnect_max_s)
                continue
            pause = self.settings.reconnect_min_s
            await self._watch(client)

    async def _connect(self) -> Client:
        client = Client()
        self._lost = lost = asyncio.Event()

        async def closed() -> None:
            lost.set()

        try:
            async with asyncio.timeout(_CONNECT_S):
                await client.connect(
                    servers=list(self.settings.urls),
                    name=f"mingwu-{self.name}",
                    user=self.settings.user or None,
                    password=self.settings.password or None,
                    tls=self._tls(),
                    allow_reconnect=False,
                    connect_timeout=2,
                    pending_size=_PENDING_BYTES,
                    flush_timeout=PONG_S,
                    ping_interval=3600,
                    error_cb=self._on_error,
                    closed_cb=closed,
                )
                for interest in self._interests:
                    await self._subscribe(client, interest)
                await client.flush(timeout=int(PONG_S))
        except BaseException:
            await _leave(client)
            raise
        return client

    def _tls(self) -> ssl.SSLContext | None:
        if not any(url.startswith("tls://") for url in self.settings.urls):
            return None
        return ssl.create_default_context(cafile=self.settings.tls_ca or None)

    async def _watch(self, client: Client) -> None:
        """Announce the connection, wait for its end, announce that."""
        self._client = client
        self.counters.connected += 1
        self._up.set()
        if self.counters.lost:
            log.info("bus=%s connected again", self.name)
        ups = [asyncio.ensure_future(listener()) for listener in self.listeners.up]
        try:
            await self._until_lost(client)
        finally:
            self._client = None
            self._up.clear()
            for task in ups:
                task.cancel()
            for listener in self.listeners.down:
                listener()
            if self._task is not None:  # else: closed on purpose
                self.counters.lost += 1
                log.warning("bus=%s connection lost, trying again until it is back", self.name)
            await _leave(client)

    async def _until_lost(self, client: Client) -> None:
        lost = self._lost
        while not lost.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(lost.wait(), PING_S)
                return
            try:
                await client.flush(timeout=int(PONG_S))
            except LIBRARY_ERRORS as error:
                self._fault = told(error)
                return

    async def _on_error(self, error: Exception) -> None:
        """What the library reports besides: slow subscriptions and failed callbacks."""
        if isinstance(error, nats.errors.SlowConsumerError):
            self.counters.slow_consumer += 1
            if self.counters.slow_consumer == 1:
                log.warning("bus=%s subject=%s too slow, dropping", self.name, error.subject)
        elif isinstance(error, LIBRARY_ERRORS):
            self._fault = told(error)
        else:
            self.counters.failed_callbacks += 1
            log.error("bus=%s callback failed", self.name, exc_info=error)


async def _leave(client: Client) -> None:
    """Close a client whatever state its socket is in."""
    with contextlib.suppress(*LIBRARY_ERRORS):
        async with asyncio.timeout(0.5):
            await client.close()
    # The library leaves the socket open after a refused login, and offers no way to abandon one
    # that does not drain.
    writer = getattr(client._transport, "_io_writer", None)  # noqa: SLF001
    if writer is not None:
        writer.transport.abort()
        await asyncio.sleep(0)
