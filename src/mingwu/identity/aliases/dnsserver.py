"""The sockets of the OID zone: UDP and TCP on one port, bounded in every direction.

By UDP a network gets at most ``source_bytes_per_s``; beyond it only "ask by TCP", shorter than the
question, so the server amplifies nothing for a forged source. TCP (RFC 7766): messages with a
length in front, answered in order; connections are few, short and counted by source. It runs
in the resolver role: that process has the record store, the public ports and their limits; the
web processes open no datagram sockets. A fault here never touches the Handle services beside it.
"""

import asyncio
import ipaddress
import logging
import time
from collections import Counter
from types import TracebackType
from typing import Any, Self, cast

from mingwu.identity.aliases.dnszone import OidZone
from mingwu.identity.aliases.settings import OidDnsSettings
from mingwu.identity.records import RecordStore
from mingwu.kernel.causes import told
from mingwu.kernel.errors import Unavailable

log = logging.getLogger(__name__)

_MOST_NETWORKS = 20_000
_LENGTH_BYTES = 2
_MOST_QUESTION_BYTES = 4096
_TRIES = 20


class SourceShare:
    """Bytes sent to each source network in the current second."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._second = 0
        self._spent: dict[bytes, int] = {}

    def allows(self, address: str, size: int, now: float) -> bool:
        """Whether ``size`` bytes more may go there; counts them if so."""
        if int(now) != self._second or len(self._spent) > _MOST_NETWORKS:
            self._second = int(now)
            self._spent.clear()
        key = _network(address)
        spent = self._spent.get(key, 0) + size
        if spent > self._limit:
            return False
        self._spent[key] = spent
        return True


def _network(address: str) -> bytes:
    packed = ipaddress.ip_address(address.partition("%")[0]).packed
    return packed[:3] if len(packed) == 4 else packed[:7]  # noqa: PLR2004 - IPv4 in bytes


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, zone: OidZone, share: SourceShare) -> None:
        self._zone = zone
        self._share = share
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        reply = self._zone.respond(data, udp=True)
        if reply is None or self._transport is None:
            return
        if not self._share.allows(str(addr[0]), len(reply), time.monotonic()):
            reply = self._zone.truncated(data)
            if reply is None or len(reply) > len(data):
                return
        self._transport.sendto(reply, addr)


class OidDnsServer:
    """``async with``: serves until the end. ``port`` is the one that was bound."""

    def __init__(self, settings: OidDnsSettings, store: RecordStore) -> None:
        self._settings = settings
        self._zone = OidZone(store, settings)
        self._share = SourceShare(settings.source_bytes_per_s)
        self._open: Counter[str] = Counter()
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = settings.port

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        host = self._settings.host
        for left in reversed(range(_TRIES)):
            try:
                self._tcp = await asyncio.start_server(self._serve, host, self._settings.port)
                self.port = self._tcp.sockets[0].getsockname()[1]
                self._udp, _ = await loop.create_datagram_endpoint(
                    lambda: _Datagrams(self._zone, self._share), (host, self.port)
                )
                break
            except OSError as error:
                await self._close_sockets()
                # a port that the system chose for TCP may be taken for UDP
                if self._settings.port or not left:
                    place = f"{host}:{self._settings.port}"
                    raise Unavailable("oid-dns.port", place=place, fault=told(error)) from error
        log.info("oid-dns listen=%s:%d zone=%s", host, self.port, self._settings.zone)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._close_sockets()

    async def _close_sockets(self) -> None:
        if self._udp is not None:
            self._udp.close()
            self._udp = None
        if self._tcp is not None:
            self._tcp.close()
            await self._tcp.wait_closed()
            self._tcp = None

    # ------------------------------------------------------------ TCP
    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - the stream server runs this in a task
        self._tasks.add(task)
        source = str((writer.get_extra_info("peername") or ("?",))[0])
        most = self._settings.max_connections
        admitted = self._open.total() < most and self._open[source] < max(1, most // 4)
        self._open[source] += 1
        try:
            if admitted:
                await self._converse(reader, writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass  # the other side left, or took too long
        finally:
            self._open[source] -= 1
            if not self._open[source]:
                del self._open[source]
            self._tasks.discard(task)
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wait_s = self._settings.idle_timeout_s
        while True:
            async with asyncio.timeout(wait_s):
                head = await reader.readexactly(_LENGTH_BYTES)
                size = int.from_bytes(head, "big")
                if not 0 < size <= _MOST_QUESTION_BYTES:
                    return
                question = await reader.readexactly(size)
            reply = self._zone.respond(question, udp=False)
            if reply is None:
                return
            writer.write(len(reply).to_bytes(_LENGTH_BYTES, "big") + reply)
            async with asyncio.timeout(wait_s):
                await writer.drain()
