"""The physical line: one connection, shared by all units that hang on it.

``acquire`` gives every device with the same endpoint the same ``Line`` (of the running event
loop), counted, so that the last ``release`` disconnects. A lock keeps reads whole. A lost
connection is noticed by whoever uses it next; ``connect`` makes a new one, once for all.

On a serial line a reply carries no number: after a timeout, bytes are thrown away until the line
has been silent for ``settle_s``, or a late reply would be taken for the next one.
"""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, cast

from mingwu.field.modbus.exchange import Exchange, Framer, Reply, RtuFramer, TcpFramer
from mingwu.field.modbus.serialport import SerialPort, open_port
from mingwu.field.modbus.settings import ModbusSettings, Transport
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.causes import told
from mingwu.kernel.errors import Unavailable
from mingwu.wire.modbus.mbap import Adu
from mingwu.wire.modbus.pdu import ProtocolError

LOG = logging.getLogger(__name__)
CLOSING_S = 1.0
OPENING_S = 5.0  # a USB adapter may take its time, however quick the unit behind it
MOST_SETTLING_S = 0.2
SILENCE_S = 0.05
MOST_SETTLINGS = 5


@dataclass(frozen=True, slots=True)
class Timing:
    """How a device wants to be asked; seconds."""

    timeout_s: float
    pause_s: float = 0.0
    window: int = 1
    retries: int = 0


def key(settings: ModbusSettings) -> str:
    """Key of the line these settings use."""
    if settings.transport is Transport.RTU:
        return f"serial:{settings.serial}"
    return f"{settings.transport}://{settings.host}:{settings.port}"


class Wire(Protocol):
    """What is asked of a transport."""

    def write(self, data: bytes) -> None: ...
    def abort(self) -> None: ...


class Line(asyncio.Protocol):
    """A connection to an endpoint. Made by :meth:`acquire` only."""

    _lines: ClassVar[dict[tuple[asyncio.AbstractEventLoop, str], "Line"]] = {}

    def __init__(self, settings: ModbusSettings) -> None:
        self.name = key(settings)
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._users = 0
        self._lock = asyncio.Lock()
        self._transport: Wire | None = None
        self._closed: asyncio.Future[None] | None = None
        self._framer: Framer = TcpFramer()
        self._late: set[int] = set()
        self._quiet_until = 0.0
        self._quiet_limit = 0.0
        self._exchange: Exchange | None = None
        self._finished: asyncio.Future[None] | None = None
        self._timing = Timing(1.0)
        self._heard = 0.0
        self._lost_because: str = Phrase("not connected", "尚未连接")

    # -------------------------------------------------------------- sharing

    @classmethod
    def acquire(cls, settings: ModbusSettings) -> "Line":
        """The line of these settings, with one more user."""
        place = (asyncio.get_running_loop(), key(settings))
        line = cls._lines.get(place)
        if line is None:
            line = cls._lines[place] = cls(settings)
        line._users += 1
        return line

    async def release(self) -> None:
        """One user less; the last one disconnects."""
        self._users -= 1
        if self._users > 0:
            return
        self._lines.pop((self._loop, self.name), None)
        await self._disconnect()

    # -------------------------------------------------------------- connection

    @property
    def connected(self) -> bool:
        """Whether requests can be sent."""
        return self._transport is not None

    async def connect(self, timeout_s: float) -> None:
        """Connect unless connected; raises Unavailable ``modbus.unreachable``."""
        async with self._lock:
            if self._transport is not None:
                return
            self._late.clear()
            self._closed = self._loop.create_future()
            if self._settings.transport is Transport.RTU:
                timeout_s = max(timeout_s, OPENING_S)
            try:
                async with asyncio.timeout(timeout_s):
                    await self._connect()
            except (OSError, TimeoutError) as error:
                fault = told(error)
                raise Unavailable("modbus.unreachable", line=self.name, fault=fault) from error
            await asyncio.sleep(self._settings.pause_after_connect_ms / 1000)

    async def _connect(self) -> None:
        settings = self._settings
        if settings.transport is Transport.RTU:
            self._framer = RtuFramer()
            self.connection_made(await open_port(settings, self))
            return
        serial = settings.transport is Transport.RTU_OVER_TCP
        self._framer = RtuFramer() if serial else TcpFramer()
        await self._loop.create_connection(lambda: self, settings.host, settings.port)

    async def _disconnect(self) -> None:
        transport, closed = self._transport, self._closed
        if transport is None or closed is None:
            return
        transport.abort()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSING_S):
                await asyncio.shield(closed)

    def connection_made(self, transport: asyncio.BaseTransport | SerialPort) -> None:
        """asyncio: the connection stands (uvloop's transports share no class with asyncio's)."""
        self._transport = cast("Wire", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the connection is gone; whoever waits is told."""
        if exc is not None:
            self._lost_because = told(exc)
        elif self._users > 0:
            self._lost_because = Phrase("closed by the other side", "对端关闭了连接")
        self._transport = None
        if self._closed and not self._closed.done():
            self._closed.set_result(None)
        self._fail()

    # -------------------------------------------------------------- requests

    async def exchange(self, unit: int, pdus: Sequence[bytes], timing: Timing) -> list[Reply]:
        """Send the PDUs, give one reply (or reason of its absence) each.

        Raises Unavailable ``modbus.lost`` when the connection breaks or is not there.
        """
        async with self._lock:
            await self._settle()
            if self._transport is None:
                raise self._lost()
            exchange = Exchange(
                self._framer,
                unit,
                pdus,
                window=timing.window,
                retries=timing.retries,
                late=self._late,
            )
            self._finished = self._loop.create_future()
            self._exchange, self._timing = exchange, timing
            self._pump()
            self._timer = self._loop.call_later(timing.timeout_s, self._check)
            try:
                await self._finished
            finally:
                self._timer.cancel()
                self._exchange = None
                if not exchange.done:  # lost or cancelled: its replies must not be taken for others
                    exchange.abandon()
                    self._unsettle()
            return exchange.replies

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes came in."""
        if self._quiet_until and self._loop.time() < self._quiet_until:
            # a line that babbles without end must not hold up its devices without end
            still = self._loop.time() + self._settling_s
            self._quiet_until = min(still, self._quiet_limit)
            return
        try:
            adus = self._framer.feed(data)
        except ProtocolError as error:
            LOG.warning("line=%s event=garbage fault=%s", self.name, error)
            self._lost_because = told(error)
            if self._transport is not None:
                self._transport.abort()
            return
        if adus:
            self._book(adus)
        elif self._framer.serial and self._exchange is not None:
            self._loop.call_later(SILENCE_S, self._search, self._exchange)

    def _search(self, exchange: Exchange) -> None:
        """Serial: bytes came a while ago and made no reply; perhaps one stands behind garbage."""
        if exchange is self._exchange and exchange.waiting:
            found = self._framer.search()
            if found:
                self._book(found)

    def _book(self, adus: list[Adu]) -> None:
        exchange = self._exchange
        if exchange is None:
            for adu in adus:
                self._late.discard(adu.transaction)
            return
        for adu in adus:
            exchange.received(adu)
        self._advance(exchange)

    def _advance(self, exchange: Exchange) -> None:
        if exchange.done:
            self._finish()
        elif self._timing.pause_s:
            self._loop.call_later(self._timing.pause_s, self._pump)
        else:
            self._pump()

    def _pump(self) -> None:
        if self._exchange is None or self._transport is None:
            return
        self._heard = self._loop.time()
        frames = self._exchange.frames()
        if frames:
            self._transport.write(frames)

    def _check(self) -> None:
        """The timer: has the oldest request waited its time since the last sign of life?"""
        exchange = self._exchange
        if exchange is None:
            return
        rest = self._heard + self._timing.timeout_s - self._loop.time()
        if rest > 0:
            self._timer = self._loop.call_later(rest, self._check)
            return
        self._timer = self._loop.call_later(self._timing.timeout_s, self._check)
        if exchange.waiting:
            exchange.expired()
            self._expire(exchange)

    def _expire(self, exchange: Exchange) -> None:
        self._unsettle()
        if exchange.done:
            self._finish()
        elif self._framer.serial:
            self._loop.call_later(self._settling_s, self._resume)
        else:
            self._pump()

    def _resume(self) -> None:
        """Serial: go on once the line has been silent."""
        rest = self._quiet_until - self._loop.time()
        if rest > 0:
            self._loop.call_later(rest, self._resume)
        else:
            self._pump()

    # -------------------------------------------------------------- ends

    @property
    def _settling_s(self) -> float:
        return min(MOST_SETTLING_S, self._timing.timeout_s)

    def _unsettle(self) -> None:
        """Serial: throw away what comes until the line was silent."""
        if self._framer.serial:
            now = self._loop.time()
            self._quiet_until = now + self._settling_s
            self._quiet_limit = now + MOST_SETTLINGS * self._settling_s

    async def _settle(self) -> None:
        for _ in range(MOST_SETTLINGS):
            rest = self._quiet_until - self._loop.time()
            if rest <= 0:
                break
            await asyncio.sleep(rest)
        self._quiet_until = 0.0

    def _finish(self) -> None:
        if self._finished and not self._finished.done():
            self._finished.set_result(None)

    def _fail(self) -> None:
        if self._exchange is not None and self._finished and not self._finished.done():
            self._finished.set_exception(self._lost())

    def _lost(self) -> Unavailable:
        return Unavailable("modbus.lost", line=self.name, fault=self._lost_because)
