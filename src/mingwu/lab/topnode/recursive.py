"""The simulated recursive node: asks its way down from the root and keeps answers for their TTL.

It speaks the Handle protocol to clients (UDP and TCP) and follows referrals root → top →
second-level → enterprise with the ordinary client. Equal questions under way are asked once.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from contextlib import suppress
from typing import Self

from mingwu.identity.client.handleclient import Resolution, asking_from, resolve
from mingwu.kernel.errors import Unavailable
from mingwu.kernel.names import fold
from mingwu.wire.handle.bodies import ErrorBody, Record, Resolve
from mingwu.wire.handle.codes import ENVELOPE_BYTES, Op, OpFlag, Rc
from mingwu.wire.handle.envelope import split
from mingwu.wire.handle.errors import ProtocolError
from mingwu.wire.handle.message import Message, decode, encode, message_length

log = logging.getLogger(__name__)
_MOST_MESSAGE = 65_536
_MOST_RECURSION = 8
_EXPIRY_S = 3600
_Key = tuple[str, tuple[int, ...], tuple[str, ...]]


class RecursiveNode:
    """A caching resolver in front of ``root`` (host:port); it asks from the address ``source``."""

    def __init__(
        self, root: str, *, ttl_s: int = 300, negative_ttl_s: int = 5, entries: int = 50_000,
        source: str = "",
    ) -> None:  # fmt: skip
        self.root = root
        self._source = source
        self.port = 0
        self.asked = 0
        self.hits = 0
        self._ttl_s = ttl_s
        self._negative_ttl_s = negative_ttl_s
        self._entries = entries
        self._cache: OrderedDict[_Key, tuple[float, Resolution]] = OrderedDict()
        self._under_way: dict[_Key, asyncio.Task[Resolution]] = {}
        self._server: asyncio.Server | None = None
        self._udp: asyncio.DatagramTransport | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, host: str, port: int) -> Self:
        """Listen on TCP and UDP of one port."""
        self._server = await asyncio.start_server(self._connection, host, port)
        self.port = self._server.sockets[0].getsockname()[1]
        loop = asyncio.get_running_loop()
        self._udp, _ = await loop.create_datagram_endpoint(
            lambda: _Datagrams(self), local_addr=(host, self.port)
        )
        return self

    async def close(self) -> None:
        """Stop listening and drop clients."""
        if self._udp:
            self._udp.close()
        if self._server:
            self._server.close()
            for writer in tuple(self._writers):
                writer.close()
            await self._server.wait_closed()
        for task in (*self._tasks, *self._under_way.values()):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._under_way.values(), return_exceptions=True)

    def forget(self) -> None:
        """Empty the cache."""
        self._cache.clear()

    async def look_up(
        self, name: str, indexes: tuple[int, ...] = (), types: tuple[str, ...] = ()
    ) -> Resolution:
        """The answer for a name, from the cache or from the root on; raises Unavailable."""
        self.asked += 1
        key = fold(name), indexes, types
        kept = self._cache.get(key)
        if kept and kept[0] > time.monotonic():
            self.hits += 1
            return kept[1]
        task = self._under_way.get(key)
        if task is None:
            with asking_from(self._source):  # the task keeps what holds here
                asking = resolve(name, self.root, indexes=indexes, types=types)
                task = self._under_way[key] = asyncio.create_task(asking)
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        result = await asyncio.shield(task)
        ttl_s = self._negative_ttl_s
        if result.ok:
            ttl_s = min([self._ttl_s, *(v.ttl for v in result.values if not v.ttl_absolute)])
        if ttl_s:
            self._cache[key] = time.monotonic() + ttl_s, result
            while len(self._cache) > self._entries:
                self._cache.popitem(last=False)
        return result

    async def answer(self, data: bytes) -> bytes:
        """The reply to one message; empty for what is no request."""
        try:
            asked = decode(data)
        except ProtocolError:
            return b""
        if asked.rc:
            return b""
        rc, body = await self._outcome(asked)
        return _reply(asked, rc, body)

    async def _outcome(self, asked: Message) -> tuple[int, bytes]:
        if asked.op != Op.RESOLVE:
            return Rc.NOT_SUPPORTED, ErrorBody("resolution only").encode()
        if asked.recursion > _MOST_RECURSION:
            return Rc.RECURSION_TOO_HIGH, ErrorBody("").encode()
        try:
            question = Resolve.decode(asked.body)
            found = await self.look_up(question.handle, question.indexes, question.types)
        except ProtocolError as error:
            return Rc.PROTOCOL_ERROR, ErrorBody(str(error)[:200]).encode()
        except Unavailable as error:
            return Rc.ERROR, ErrorBody(str(error)).encode()
        if found.ok:
            return Rc.SUCCESS, Record(question.handle, found.values).encode()
        led_nowhere = found.rc in {Rc.PREFIX_REFERRAL, Rc.SERVICE_REFERRAL}
        return Rc.ERROR if led_nowhere else found.rc, ErrorBody(found.message).encode()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while True:
                head = await reader.readexactly(ENVELOPE_BYTES)
                rest = message_length(head, _MOST_MESSAGE) - ENVELOPE_BYTES
                reply = await self.answer(head + await reader.readexactly(rest))
                if not reply:
                    return
                writer.write(reply)
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError, ProtocolError):
            return
        finally:
            self._writers.discard(writer)
            writer.close()

    def datagram(self, data: bytes, source: tuple[str, int]) -> None:
        """Answer one UDP packet."""
        task = asyncio.get_running_loop().create_task(self._datagram(data, source))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _datagram(self, data: bytes, source: tuple[str, int]) -> None:
        reply = await self.answer(data)
        if reply and self._udp and not self._udp.is_closing():
            with suppress(OSError):
                for packet in split(reply):
                    self._udp.sendto(packet, source)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, node: RecursiveNode) -> None:
        self._node = node

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._node.datagram(data, addr)


def _reply(asked: Message, rc: int, body: bytes) -> bytes:
    return encode(
        Message(
            op=asked.op,
            rc=rc,
            flags=int(OpFlag.RECURSIVE | OpFlag.PUBLIC_ONLY),
            body=body,
            session_id=asked.session_id,
            request_id=asked.request_id,
            recursion=min(asked.recursion + 1, 255),
            expiration=int(time.time()) + _EXPIRY_S,
        )
    )
