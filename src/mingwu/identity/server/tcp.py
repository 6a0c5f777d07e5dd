"""TCP: long-lived connections, any number of messages on each.

A connection stays open whatever the keep-alive flag says: the clients of the national scheme hold
one connection and never set it. Messages of one connection are answered in order. A started
message must be whole within ``message_timeout_s``; announced lengths beyond the limit close the
connection before anything is stored; a client that does not read its answers is not read from.
"""

import asyncio
import itertools
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import cast

from mingwu.identity.resolver import Resolver
from mingwu.identity.server.usagenote import UsageNotes, Via
from mingwu.identity.settings import ResolverSettings
from mingwu.wire.handle.errors import ProtocolError
from mingwu.wire.handle.message import message_length

log = logging.getLogger(__name__)

Careful = Callable[[bytes, str, int], AsyncIterator[bytes]]
"""The messages of a reply, from message, address, number of the connection."""
_links = itertools.count(1)
_VIA = int(Via.TCP)


class Doorkeeper:
    """Counts connections, over all and by source, and refuses those beyond the limits."""

    def __init__(self, settings: ResolverSettings) -> None:
        self._most = settings.max_connections
        self._most_per_source = settings.max_connections_per_source
        self._sources: Counter[str] = Counter()
        self.open: set[asyncio.Transport] = set()

    def admit(self, transport: asyncio.Transport) -> bool:
        """Whether the connection may stay."""
        source = source_of(transport)
        if len(self.open) >= self._most or self._sources[source] >= self._most_per_source:
            return False
        self._sources[source] += 1
        self.open.add(transport)
        return True

    def leave(self, transport: asyncio.Transport) -> None:
        """An admitted connection ended."""
        if transport in self.open:
            self.open.discard(transport)
            source = source_of(transport)
            self._sources[source] -= 1
            if not self._sources[source]:
                del self._sources[source]


def source_of(transport: asyncio.BaseTransport) -> str:
    """The peer's address without its port."""
    peer = transport.get_extra_info("peername")
    return str(peer[0]) if peer else "?"


class TcpConnection(asyncio.Protocol):
    """One connection."""

    def __init__(
        self,
        resolver: Resolver,
        careful: Careful,
        settings: ResolverSettings,
        door: Doorkeeper,
        usage: UsageNotes | None = None,
    ) -> None:
        self._resolver = resolver
        self._note = usage.note if usage else None
        self._careful = careful
        self._settings = settings
        self._door = door
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._deadline_is_for_message = False
        self._used = False
        self._full = False
        self._room = asyncio.Event()
        self._source = ""
        self._link = next(_links)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._source = source_of(transport)
        statistics = self._resolver.statistics
        if not self._door.admit(self._transport):
            statistics.connections_refused += 1
            self._transport.abort()
            return
        statistics.connections += 1
        self._wait(in_message=False)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self._timer:
            self._timer.cancel()
        if self._task:
            self._task.cancel()
        if self._transport:
            self._door.leave(self._transport)
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        if self._task is None:
            self._work()
        elif len(self._buffer) > self._settings.tcp_backlog_bytes and self._transport:
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        """The client does not read: stop reading from it."""
        self._full = True
        self._room.clear()
        if self._transport:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._full = False
        self._room.set()
        if self._transport:
            self._transport.resume_reading()

    def _work(self) -> None:
        """Answer every whole message of the buffer, until one needs the worker."""
        buffer, resolver = self._buffer, self._resolver
        replies: list[bytes] = []
        at = 0
        resolver.begin()
        try:
            while True:
                size = message_length(buffer[at : at + 20], self._settings.message_bytes)
                if size < 0 or size > len(buffer) - at:
                    break
                message = buffer[at : at + size] if at or size != len(buffer) else buffer
                at += size
                started = time.perf_counter_ns()
                reply = resolver.answer_now(message)
                if reply is None:
                    self._hand_over(message)
                    break
                if self._note and reply:
                    self._note(message, reply, self._source, _VIA, started)
                replies.append(reply)
        except ProtocolError:
            resolver.statistics.malformed += 1
            at = len(buffer)
            self._write(replies)
            replies = []
            if self._transport:
                self._transport.close()
        finally:
            resolver.end()
        self._buffer = buffer[at:]
        self._write(replies)
        self._wait(in_message=bool(self._buffer))

    def _write(self, replies: list[bytes]) -> None:
        if not replies or self._transport is None:
            return
        output = replies[0] if len(replies) == 1 else b"".join(replies)
        self._resolver.statistics.tcp += len(replies)
        self._resolver.statistics.bytes_out += len(output)
        self._transport.write(output)

    def _hand_over(self, message: bytes) -> None:
        self._task = asyncio.get_running_loop().create_task(self._answer_carefully(message))

    async def _answer_carefully(self, message: bytes) -> None:
        started, first = time.perf_counter_ns(), True
        async for reply in self._careful(message, self._source, self._link):
            if self._note and reply and first:
                self._note(message, reply, self._source, _VIA, started)
            first = False
            self._write([reply] if reply else [])
            if self._full and not await self._has_room():
                return
        self._task = None
        if self._transport:
            if not self._full:
                self._transport.resume_reading()
            self._work()

    async def _has_room(self) -> bool:
        """Wait until the client read what was sent; who asks for a list and does not is cut."""
        try:
            await asyncio.wait_for(self._room.wait(), self._settings.message_timeout_s)
        except TimeoutError:
            self._resolver.statistics.slow_cut += 1
            if self._transport:
                self._transport.abort()
        return self._transport is not None and not self._transport.is_closing()

    def _wait(self, *, in_message: bool) -> None:
        """Set the time until which the next byte, or the rest of a message, must come."""
        settings = self._settings
        if self._timer and in_message and self._deadline_is_for_message:
            return  # the clock of a started message is not wound up again by more bytes
        if self._timer and not in_message and not self._deadline_is_for_message:
            # An hour's idle timer need not be renewed with every message: note the use only.
            self._used = True
            return
        if self._timer:
            self._timer.cancel()
        seconds = settings.message_timeout_s if in_message else settings.idle_timeout_s
        self._deadline_is_for_message = in_message
        self._used = False
        self._timer = asyncio.get_running_loop().call_later(seconds, self._late)

    def _late(self) -> None:
        self._timer = None
        if self._task or (self._used and not self._deadline_is_for_message):
            self._wait(in_message=False)
            return
        if self._deadline_is_for_message:
            self._resolver.statistics.slow_cut += 1
        if self._transport:
            self._transport.abort()
